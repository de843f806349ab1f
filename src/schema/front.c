// front.c -- from the syntax tree of a Python module to scalar kernels.
//
// Each statement and expression either becomes nodes or is refused where it stands; nothing is left out in silence. What the
// tree has no node for is put together from others: `x op= e`, several targets, chains of comparisons.

#include "schema/fold.h"
#include "schema/front.h"
#include "base/bug.h"
#include "schema/check.h"
#include "syntax/parser.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

typedef Vec(SchemaNode *) NodeVec;

// A function of a running program, with the name that it has in the file.
typedef struct Piece {
  SchemaLive live;
  const Name *name;
} Piece;

typedef Vec(Piece *) PieceVec;

typedef struct Front {
  Session *session;
  Arena *arena;
  Source *source;
  SchemaFile *file;
  Map aliases;         // what imported names are called where they come from: Name * by name
  Map modules;         // names that stand for modules
  Map constants;       // SchemaVar * by name, of the module
  Map functions;       // names of the module's functions
  SchemaFunction *function;
  Map assigned;        // names of the function that were assigned so far
  Map locals;          // names that it assigns anywhere
  Map parameters;
  Map annotated;       // locals that were declared with a type
  NodeVec *body;  // where statements go
  uint32_t temps;
  bool returns_nothing;  // the function says `-> None`
  uint32_t depth;  // of statements and expressions around
  bool failed;
  // Of a running program:
  const SchemaProgram *program;  // NULL: a file by itself
  const struct Piece *piece;     // the function that is read
  Map met;                       // names that were asked for
  PieceVec pieces;
} Front;

enum { LARGEST_CLONE = 1000 };  // nodes

static SchemaNode *expr_of(Front *f, Expr *e);
static void stmts_of(Front *f, StmtList list);

static SchemaPlace place_of(Front *f, Span span)
{
  Arena *lasting = &f->session->arena;  // the table of lines is kept with the source
  Place start = source_place(f->source, lasting, span.start), end = source_place(f->source, lasting, span.end);
  if (f->program && strcmp(f->source->path, f->pieces.items[0]->live.path) != 0)
    return (SchemaPlace){.span = span};  // lines are those of the kernel's file
  return (SchemaPlace){span, start.line, start.column, end.line, end.column, NULL};
}

static Diag *refuse(Front *f, Span span, DiagCode code, const char *format, ...) __attribute__((format(printf, 4, 5)));

static Diag *refuse(Front *f, Span span, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  Diag *diag = diag_error(f->session, code, "%s", arena_vprintf(f->arena, format, args));
  va_end(args);
  diag_primary(diag, span, "%s", "");
  f->failed = true;
  return diag;
}

static const Name *intern(Front *f, const char *text)
{
  return name_intern(&f->session->names, str_from(text));
}

// ---- nodes

static SchemaNode *literal_node(Front *f, Span span, SchemaLiteral value)
{
  SchemaNode *node = schema_node(f->arena, SCHEMA_literal, place_of(f, span));
  SCHEMA_AS(literal, node)->value = value;
  return node;
}

static SchemaNode *int_node(Front *f, Span span, uint64_t magnitude)
{
  return literal_node(f, span, (SchemaLiteral){.kind = LITERAL_INT, .magnitude = magnitude});
}

static SchemaNode *var_node(Front *f, Span span, const Name *name)
{
  SchemaNode *node = schema_node(f->arena, SCHEMA_var, place_of(f, span));
  SCHEMA_AS(var, node)->name = name;
  return node;
}

static SchemaNode *binary_node(Front *f, Span span, SchemaBinary op, SchemaNode *left, SchemaNode *right)
{
  SchemaNode *node = schema_node(f->arena, SCHEMA_binary_op, place_of(f, span));
  SCHEMA_AS(binary_op, node)->op = op, SCHEMA_AS(binary_op, node)->left = left, SCHEMA_AS(binary_op, node)->right = right;
  return node;
}

static void add(Front *f, SchemaNode *node)
{
  vec_push(f->arena, f->body, node);
}

// `name = value`: `let` where the name is met first, `assign` later.
static void assign_name(Front *f, Span span, const Name *name, Scalar dtype, SchemaNode *value)
{
  bool is_first = !map_get(&f->assigned, name->str) && !map_get(&f->parameters, name->str);
  if (is_first || dtype != SCALAR_NONE) {
    SchemaNode *node = schema_node(f->arena, SCHEMA_let, place_of(f, span));
    SCHEMA_AS(let, node)->name = name, SCHEMA_AS(let, node)->dtype = dtype, SCHEMA_AS(let, node)->value = value;
    map_set(&f->assigned, name->str, (void *)name);
    add(f, node);
    return;
  }
  SchemaNode *node = schema_node(f->arena, SCHEMA_assign, place_of(f, span));
  SCHEMA_AS(assign, node)->target = var_node(f, span, name), SCHEMA_AS(assign, node)->value = value;
  add(f, node);
}

// A name of our own, which the function does not have.
static const Name *free_name(Front *f)
{
  for (;;) {
    const Name *name = intern(f, arena_printf(f->arena, "_t%u", ++f->temps));
    if (!map_get(&f->locals, name->str) && !map_get(&f->parameters, name->str))
      return name;
  }
}

// A name of our own that holds `value`, of type `dtype` or, without one, of the value's.
static SchemaNode *hold(Front *f, Span span, Scalar dtype, SchemaNode *value)
{
  const Name *name = free_name(f);
  assign_name(f, span, name, dtype, value);
  return var_node(f, span, name);
}

static void look_for_calls(SchemaNode *node, void *context)
{
  bool at_zero;
  if (node->kind != SCHEMA_call)
    return;
  SchemaBuiltin builtin = schema_builtin_find(SCHEMA_AS(call, node)->function->str, &at_zero);
  *(bool *)context |= builtin == BUILTIN_NONE || schema_builtin_info(builtin)->class == CALL_CLASS_ATOMIC;
}

// Whether computing it twice could differ from computing it once.
static bool has_effects(SchemaNode *node)
{
  bool found = false;
  schema_walk(node, look_for_calls, &found);
  return found;
}

// ---- names

static bool is_shadowed(const Front *f, const Name *name)
{
  return map_get(&f->assigned, name->str) || map_get(&f->parameters, name->str);
}

// `base.a.b` as one name; NULL: it does not begin with a name.
static const Name *dotted_name(Front *f, const Expr *e)
{
  if (e->kind == EXPR_Name)
    return is_shadowed(f, e->Name.id) ? NULL : e->Name.id;
  const Name *base = e->kind == EXPR_Attribute ? dotted_name(f, e->Attribute.value) : NULL;
  return base ? intern(f, arena_printf(f->arena, "%s.%s", base->str.data, e->Attribute.attr->str.data)) : NULL;
}

static bool is_word(Str name)
{
  Scalar scalar;
  bool at_zero;
  return scalar_find(name, &scalar) || schema_builtin_find(name, &at_zero) != BUILTIN_NONE || str_is(name, "range") ||
         str_is(name, "shared_array") || str_starts_with(name, "parallel_");
}

// The piece of a function, taken up when it is met first, under a name that no other has.
static const Piece *piece_of(Front *f, const SchemaLive *live)
{
  for (size_t i = 0; i < f->pieces.count; i++)
    if (f->pieces.items[i]->live.identity == live->identity)
      return f->pieces.items[i];
  Piece *piece = arena_new(f->arena, Piece);
  *piece = (Piece){.live = *live, .name = intern(f, live->name)};
  bool is_free = f->pieces.count == 0 || !is_word(piece->name->str);
  for (size_t i = 0; i < f->pieces.count; i++)
    is_free = is_free && f->pieces.items[i]->name != piece->name;
  if (!is_free)
    piece->name = intern(f, arena_printf(f->arena, "%s_%zu", live->name, f->pieces.count));
  vec_push(f->arena, &f->pieces, piece);
  return piece;
}

static void add_constant(Front *f, const Name *name, SchemaNode *value, SchemaPlace place)
{
  SchemaVar *constant = arena_new(f->arena, SchemaVar);
  *constant = (SchemaVar){.name = name, .kind = VAR_CONSTANT, .type = {SCALAR_NONE, false}, .value = value, .place = place};
  map_set(&f->constants, name->str, constant);
}

// Asks the running program, once, what a name means that is not the function's own.
static void meet(Front *f, Span span, const Name *name)
{
  if (!f->program || !name || is_shadowed(f, name) || map_get(&f->met, name->str))
    return;
  map_set(&f->met, name->str, (void *)name);
  SchemaMeaning meaning = f->program->meaning(f->program->context, &f->piece->live, name->str.data);
  switch (meaning.kind) {
  case MEANING_UNKNOWN: return;
  case MEANING_WORD: map_set(&f->aliases, name->str, (void *)name_intern(&f->session->names, meaning.word)); return;
  case MEANING_MODULE: map_set(&f->modules, name->str, (void *)name); return;
  case MEANING_NUMBER: add_constant(f, name, literal_node(f, span, meaning.number), place_of(f, span)); return;
  case MEANING_HELPER: map_set(&f->aliases, name->str, (void *)piece_of(f, &meaning.helper)->name); return;
  case MEANING_REFUSED: {
    Diag *diag = refuse(f, span, E_SCHEMA_NAME, "`%s` is %.*s", name->str.data, STR_ARG(meaning.word));
    if (meaning.help)
      diag_help(diag, "%s", meaning.help);
    return;
  }
  }
}

// A name that comes from another file, which is not read. Of a running program it was asked what it is.
static bool is_elsewhere(const Front *f, const Name *bound, const Name *name)
{
  return !f->program && !is_shadowed(f, bound) && map_get(&f->aliases, bound->str) && !is_word(name->str) && !map_get(&f->functions, bound->str);
}

// NumPy's names of types are ours behind a dot: `np.float32` is `f32`.
static const Name *own_name(Front *f, const Name *attribute)
{
  for (int i = 0; i < SCALAR_COUNT; i++)
    if (str_is(attribute->str, scalar_info((Scalar)i)->numpy_name))
      return intern(f, scalar_info((Scalar)i)->name);
  return attribute;
}

// What a name or a dotted name is called where it comes from: `ak.f32` is `f32`. NULL: it is neither.
static const Name *called_name(Front *f, const Expr *e, bool *is_dotted)
{
  *is_dotted = false;
  if (e->kind == EXPR_Name) {
    meet(f, e->span, e->Name.id);
    const Name *alias = map_get(&f->aliases, e->Name.id->str);
    bool is_local = map_get(&f->assigned, e->Name.id->str) || map_get(&f->parameters, e->Name.id->str);
    return alias && !is_local ? alias : e->Name.id;
  }
  if (e->kind != EXPR_Attribute)
    return NULL;
  const Expr *base = e->Attribute.value;
  while (base->kind == EXPR_Attribute)
    base = base->Attribute.value;
  const Name *path = f->program ? dotted_name(f, e) : NULL;
  if (path) {
    meet(f, base->span, base->Name.id);
    meet(f, e->span, path);
    const Name *alias = map_get(&f->aliases, path->str);
    *is_dotted = alias != NULL;
    if (alias)
      return alias;
  }
  if (base->kind != EXPR_Name || !map_get(&f->modules, base->Name.id->str))
    return NULL;
  *is_dotted = true;
  return own_name(f, e->Attribute.attr);
}

// ---- types

static const Expr *unquoted(Front *f, const Expr *annotation)
{
  if (annotation->kind != EXPR_Constant || annotation->Constant.value.kind != CONSTANT_STR)
    return annotation;
  Source *text = session_add_source(f->session, f->source->path, annotation->Constant.value.text);
  Expr *inner = parse_expression(f->session, f->arena, text);
  return inner->kind == EXPR_Error ? annotation : inner;
}

// An annotation; false after reporting.
static bool read_type(Front *f, const Expr *written, SchemaType *out)
{
  const Expr *e = unquoted(f, written);
  bool dotted;
  const Expr *element = e;
  if (e->kind == EXPR_Subscript) {
    const Name *container = called_name(f, e->Subscript.value, &dotted);
    if (!container || !str_is(container->str, "DeviceArray")) {
      diag_help(refuse(f, written->span, E_SCHEMA_TYPE, "this annotation is no type of scalar kernels"),
            "an array is `DeviceArray[f32]`, a number `f32`");
      return false;
    }
    element = unquoted(f, e->Subscript.slice);
  }
  const Name *name = called_name(f, element, &dotted);
  if (name && scalar_find(name->str, &out->scalar)) {
    out->is_array = element != e;
    return true;
  }
  Diag *diag = refuse(f, written->span, E_SCHEMA_TYPE, "this annotation is no type of scalar kernels");
  const char *names[SCALAR_COUNT];
  for (int i = 0; i < SCALAR_COUNT; i++)
    names[i] = scalar_name((Scalar)i);
  if (name && str_is(name->str, "DeviceArray"))
    diag_help(diag, "say what it holds: `DeviceArray[f32]`");
  else if (name)
    diag_suggest(diag, name->str, names, SCALAR_COUNT);
  diag_help(diag, "an array is `DeviceArray[f32]`, a number `f32`");
  diag_note(diag, "types are bool, i8 to i64, u8 to u64, f16, bf16, f32, f64, int, float, usize, and DeviceArray[T] of one of them");
  return false;
}

// ---- expressions

static SchemaNode *error_node(Front *f, Span span)
{
  return int_node(f, span, 0);  // the error is reported; something must stand here
}

bool schema_big_int(Str text, uint64_t *out)
{
  const char mark = text.len > 2 && text.data[0] == '0' ? (char)(text.data[1] | 0x20) : '0';
  const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
  char *end;
  errno = 0;
  *out = strtoull(text.data + (base == 10 ? 0 : 2), &end, base);
  return errno == 0 && *end == '\0';
}

static SchemaNode *constant_of(Front *f, Expr *e)
{
  const Constant *c = &e->Constant.value;
  switch (c->kind) {
  case CONSTANT_TRUE:
  case CONSTANT_FALSE: return literal_node(f, e->span, (SchemaLiteral){.kind = LITERAL_BOOL, .magnitude = c->kind == CONSTANT_TRUE});
  case CONSTANT_INT: return int_node(f, e->span, (uint64_t)c->integer);
  case CONSTANT_FLOAT:
    if (isinf(c->real))
      diag_help(refuse(f, e->span, E_SCHEMA_LITERAL, "this number is too large for a float of 64 bits"), "infinity is written `math.inf`");
    return literal_node(f, e->span, (SchemaLiteral){.kind = LITERAL_FLOAT, .real = c->real});
  case CONSTANT_BIG_INT: {
    uint64_t value;
    if (schema_big_int(c->text, &value))
      return int_node(f, e->span, value);
    diag_help(refuse(f, e->span, E_SCHEMA_LITERAL, "this number has more than 64 bits"),
            "integers go to 18446744073709551615, of type u64; larger numbers are floats: `1e20`");
    return error_node(f, e->span);
  }
  case CONSTANT_NONE:
  case CONSTANT_ELLIPSIS:
  case CONSTANT_COMPLEX:
  case CONSTANT_STR:
  case CONSTANT_BYTES: break;
  }
  diag_help(refuse(f, e->span, E_SCHEMA_SYNTAX, "a scalar kernel knows numbers and truth values only"),
            "write a number, True or False");
  return error_node(f, e->span);
}

// ---- numbers that are computed here

static bool is_int_literal(const SchemaNode *node)
{
  return node->kind == SCHEMA_literal && SCHEMA_AS(literal, node)->value.kind == LITERAL_INT;
}

// `node`, an operator's, or the number that it is when its operands are integer literals: `1 << 53` is 9007199254740992 whatever stands beside it.
static SchemaNode *with_number(Front *f, SchemaNode *node, Span span)
{
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  SchemaLiteral literal;
  if (e->op == BINARY_div || !is_int_literal(e->left) || !is_int_literal(e->right))
    return node;
  if (schema_fold(node, &literal))
    return literal_node(f, span, literal);
  const SchemaLiteral *a = &SCHEMA_AS(literal, e->left)->value, *b = &SCHEMA_AS(literal, e->right)->value;
  bool grows = e->op == BINARY_add || e->op == BINARY_sub || e->op == BINARY_mul || (e->op == BINARY_shl && !b->is_negative) ||
               (e->op == BINARY_pow && !b->is_negative && a->magnitude > 1);
  if (grows)
    diag_help(refuse(f, span, E_SCHEMA_LITERAL, "this number has more than 64 bits"), "integers go to 18446744073709551615, of type u64; larger numbers are floats: `1e20`");
  return node;
}

// Where a literal is asked for numbers may be computed: `2 * SIZE`.
static SchemaNode *folded(Front *f, SchemaNode *node, Span span)
{
  SchemaLiteral literal;
  return node->kind != SCHEMA_literal && schema_fold(node, &literal) ? literal_node(f, span, literal) : node;
}

// ---- operators

static SchemaBinary binary_of(Operator op)
{
  switch (op) {
  case OPERATOR_Add: return BINARY_add;
  case OPERATOR_Sub: return BINARY_sub;
  case OPERATOR_Mult: return BINARY_mul;
  case OPERATOR_Div: return BINARY_div;
  case OPERATOR_Mod: return BINARY_mod;
  case OPERATOR_Pow: return BINARY_pow;
  case OPERATOR_LShift: return BINARY_shl;
  case OPERATOR_RShift: return BINARY_shr;
  case OPERATOR_BitOr: return BINARY_bit_or;
  case OPERATOR_BitXor: return BINARY_bit_xor;
  case OPERATOR_BitAnd: return BINARY_bit_and;
  case OPERATOR_FloorDiv: return BINARY_floor_div;
  case OPERATOR_MatMult: return BINARY_COUNT;
  }
  bug("operator %d", (int)op);
}

static SchemaNode *arithmetic_of(Front *f, Span span, Operator python, SchemaNode *left, SchemaNode *right)
{
  SchemaBinary op = binary_of(python);
  if (op == BINARY_COUNT) {
    Diag *diag = refuse(f, span, E_SCHEMA_SYNTAX, "`@` multiplies matrices; a scalar kernel works on single elements");
    diag_help(diag, "write the sum as a loop: for k in range(K): total += a[row * K + k] * b[k * N + column]");
    return left;
  }
  return with_number(f, binary_node(f, span, op, left, right), span);
}

static SchemaNode *unary_of(Front *f, Expr *e)
{
  SchemaNode *operand = expr_of(f, e->UnaryOp.operand);
  if (e->UnaryOp.op == UNARY_OP_USub && operand->kind == SCHEMA_literal) {
    SchemaLiteral *literal = &SCHEMA_AS(literal, operand)->value;
    if (literal->kind != LITERAL_BOOL) {
      operand->place = place_of(f, e->span);
      literal->real = -literal->real;
      literal->is_negative = literal->kind == LITERAL_INT && !literal->is_negative && literal->magnitude != 0;
      return operand;
    }
  }
  SchemaNode *node = schema_node(f->arena, SCHEMA_unary_op, place_of(f, e->span));
  SCHEMA_AS(unary_op, node)->operand = operand;
  switch (e->UnaryOp.op) {
  case UNARY_OP_Invert: SCHEMA_AS(unary_op, node)->op = UNARY_inv; break;
  case UNARY_OP_Not: SCHEMA_AS(unary_op, node)->op = UNARY_not; break;
  case UNARY_OP_UAdd: SCHEMA_AS(unary_op, node)->op = UNARY_pos; break;
  case UNARY_OP_USub: SCHEMA_AS(unary_op, node)->op = UNARY_neg; break;
  }
  return node;
}

// One more level for what follows; false after reporting that it is one too many. Either way `f->depth` is put back by the caller.
static bool go_deeper(Front *f, Span span, uint32_t levels)
{
  f->depth += levels;
  if (f->depth <= SCHEMA_DEEPEST)
    return true;
  diag_help(refuse(f, span, E_SCHEMA_SYNTAX, "expressions and statements are nested deeper than %d levels", SCHEMA_DEEPEST),
            "name a part of it and use the name");
  return false;
}

// Operand `i` of a chain of `count`, which becomes ((a op b) op c) op d: the first two are deepest.
static SchemaNode *operand_of_chain(Front *f, Expr *e, uint32_t i, uint32_t count)
{
  uint32_t outer = f->depth;
  bool fits = go_deeper(f, e->span, count - (i ? i : 1));
  SchemaNode *node = fits ? expr_of(f, e) : NULL;
  f->depth = outer;
  return node;
}

static void count_node(SchemaNode *node, void *context)
{
  (void)node;
  ++*(size_t *)context;
}

// A second of an operand that has no effects. Chains inside of chains would double again and again.
static SchemaNode *clone_operand(Front *f, Span span, SchemaNode *operand)
{
  size_t count = 0;
  schema_walk(operand, count_node, &count);
  if (count <= LARGEST_CLONE)
    return schema_clone(f->arena, operand);
  diag_help(refuse(f, span, E_SCHEMA_SYNTAX, "this is too long for the middle of a chain of comparisons"), "assign it to a name before");
  return operand;
}

static SchemaNode *compare_of(Front *f, Expr *e)
{
  uint32_t count = e->Compare.ops.count;
  SchemaNode *left = operand_of_chain(f, e->Compare.left, 0, count), *all = NULL;
  for (uint32_t i = 0; left && i < count; i++) {
    SchemaNode *right = operand_of_chain(f, e->Compare.comparators.items[i], i, count);
    if (!right)
      break;
    SchemaBinary op = BINARY_COUNT;
    switch (e->Compare.ops.items[i]) {
    case CMP_OP_Eq: op = BINARY_eq; break;
    case CMP_OP_NotEq: op = BINARY_ne; break;
    case CMP_OP_Lt: op = BINARY_lt; break;
    case CMP_OP_LtE: op = BINARY_le; break;
    case CMP_OP_Gt: op = BINARY_gt; break;
    case CMP_OP_GtE: op = BINARY_ge; break;
    case CMP_OP_Is:
    case CMP_OP_IsNot:
    case CMP_OP_In:
    case CMP_OP_NotIn: break;
    }
    if (op == BINARY_COUNT) {
      diag_help(refuse(f, e->span, E_SCHEMA_SYNTAX, "numbers are compared with <, <=, >, >=, == and !=; `is` and `in` are not part of scalar kernels"),
            "`a == b` instead of `a is b`; look for an element in a loop");
      return left;
    }
    bool is_shared_operand = i + 1 < count;
    if (is_shared_operand && has_effects(right)) {
      Diag *diag = refuse(f, e->Compare.comparators.items[i]->span, E_SCHEMA_SYNTAX, "a call in the middle of a chain of comparisons");
      diag_help(diag, "assign it to a name before");
    }
    SchemaNode *one = binary_node(f, e->span, op, left, right);
    all = all ? binary_node(f, e->span, BINARY_and, all, one) : one;
    left = is_shared_operand ? clone_operand(f, e->Compare.comparators.items[i]->span, right) : right;
  }
  return all ? all : error_node(f, e->span);
}

static SchemaNode *bool_op_of(Front *f, Expr *e)
{
  uint32_t count = e->BoolOp.values.count;
  SchemaNode *all = operand_of_chain(f, e->BoolOp.values.items[0], 0, count);
  for (uint32_t i = 1; all && i < count; i++) {
    SchemaNode *next = operand_of_chain(f, e->BoolOp.values.items[i], i, count);
    if (!next)
      break;
    all = binary_node(f, e->span, e->BoolOp.op == BOOL_OP_And ? BINARY_and : BINARY_or, all, next);
  }
  return all ? all : error_node(f, e->span);
}

static SchemaList args_of(Front *f, Expr *e)
{
  SchemaList args = {arena_array(f->arena, SchemaNode *, e->Call.args.count + 1), e->Call.args.count};
  for (uint32_t i = 0; i < args.count; i++)
    args.items[i] = expr_of(f, e->Call.args.items[i]);
  if (e->Call.keywords.count)
    diag_help(refuse(f, e->Call.keywords.items[0]->span, E_SCHEMA_CALL, "arguments are given in order, not by name"),
            "leave out the name, and put the argument in its place");
  return args;
}

const char *schema_foreign_help(Str name)
{
  static const struct { const char *name, *help; } FOREIGN[] = {
#define FOREIGN(name, help) {"." name ".", help},
#include "schema/foreign.def"
  };
  for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++) {
    const size_t len = strlen(FOREIGN[i].name);  // with a dot before and behind, which the ends of the name stand for
    for (size_t at = 0; at + len <= name.len + 2; at++) {
      bool begins = at == 0 || name.data[at - 1] == '.', ends = at + len == name.len + 2 || name.data[at + len - 2] == '.';
      if (begins && ends && memcmp(name.data + at, FOREIGN[i].name + 1, len - 2) == 0)
        return FOREIGN[i].help;
    }
  }
  return NULL;
}

// What is written with dots, whatever it begins with: of `a[i].size` it is `.size`.
static Str with_dots(Front *f, const Expr *e)
{
  if (e->kind == EXPR_Name)
    return e->Name.id->str;
  if (e->kind != EXPR_Attribute)
    return str_from("");
  return str_from(arena_printf(f->arena, "%.*s.%s", STR_ARG(with_dots(f, e->Attribute.value)), e->Attribute.attr->str.data));
}

// Says what a foreign name is called here, else `otherwise`.
static void help_foreign(Front *f, Diag *diag, const Expr *e, const char *otherwise)
{
  const char *help = schema_foreign_help(with_dots(f, e));
  diag_help(diag, "%s", help ? help : otherwise);
}

static const Name *callee_of(Front *f, Expr *e)
{
  bool dotted;
  const Name *name = called_name(f, e->Call.func, &dotted);
  if (!name) {
    help_foreign(f, refuse(f, e->Call.func->span, E_SCHEMA_CALL, "only functions that have a name can be called"), e->Call.func,
            "functions are called by their own name, `exp(x)`, or by that of an imported module, `math.exp(x)`");
    return NULL;
  }
  if (!dotted && is_shadowed(f, name)) {
    diag_help(refuse(f, e->Call.func->span, E_SCHEMA_CALL, "`%s` is a number here, not a function", name->str.data),
            "give the local name or the parameter another name");
    return NULL;
  }
  if (!dotted && is_elsewhere(f, e->Call.func->Name.id, name)) {
    diag_help(refuse(f, e->Call.func->span, E_SCHEMA_NAME, "the function `%s` is imported, and a file of kernels is read by itself", name->str.data),
            "put it into this file, with the decorator `@inline`; `klr list schema` shows the functions that need no definition");
    return NULL;
  }
  return name;
}

// float("-inf") and the other texts that Python has no number for; NULL: it is none of them.
static SchemaNode *text_number(Front *f, const Expr *e)
{
  static const struct { const char *text; double value; } TEXTS[] = {
      {"inf", INFINITY}, {"+inf", INFINITY}, {"-inf", -INFINITY}, {"infinity", INFINITY}, {"-infinity", -INFINITY}, {"nan", NAN}};
  const Expr *arg = e->Call.args.count == 1 ? e->Call.args.items[0] : NULL;
  if (!arg || arg->kind != EXPR_Constant || arg->Constant.value.kind != CONSTANT_STR)
    return NULL;
  Str text = arg->Constant.value.text;
  for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
    if (text.len == strlen(TEXTS[i].text) && strncasecmp(text.data, TEXTS[i].text, text.len) == 0)
      return literal_node(f, e->span, (SchemaLiteral){.kind = LITERAL_FLOAT, .real = TEXTS[i].value});
  return NULL;
}

// Whether the file has a helper of that name, which then means no type.
static bool is_own_helper(Front *f, const Name *name)
{
  const Stmt *s = map_get(&f->functions, name->str);
  for (uint32_t i = 0; s && i < s->FunctionDef.decorator_list.count; i++) {
    bool dotted;
    const Name *decorator = called_name(f, s->FunctionDef.decorator_list.items[i], &dotted);
    if (decorator && (str_is(decorator->str, "inline") || str_is(decorator->str, "device")))
      return true;
  }
  return false;
}

static SchemaNode *call_of(Front *f, Expr *e)
{
  const Name *name = callee_of(f, e);
  Scalar to;
  bool is_cast = name && scalar_find(name->str, &to) && !is_own_helper(f, name);
  SchemaNode *number = is_cast && scalar_is_float(to) ? text_number(f, e) : NULL;
  SchemaList args = number ? (SchemaList){&number, 1} : args_of(f, e);
  if (!name)
    return error_node(f, e->span);
  if (is_cast) {
    SchemaNode *node = schema_node(f->arena, SCHEMA_cast, place_of(f, e->span));
    if (args.count != 1) {
      diag_help(refuse(f, e->span, E_SCHEMA_CALL, "a cast takes 1 argument, not %u", args.count),
            "`%s(x)`", name->str.data);
      return error_node(f, e->span);
    }
    SCHEMA_AS(cast, node)->to = to, SCHEMA_AS(cast, node)->value = args.items[0];
    return node;
  }
  SchemaNode *node = schema_node(f->arena, SCHEMA_call, place_of(f, e->span));
  SCHEMA_AS(call, node)->function = name, SCHEMA_AS(call, node)->args = args;
  return node;
}

static SchemaNode *index_of(Front *f, Expr *e)
{
  SchemaNode *node = schema_node(f->arena, SCHEMA_index, place_of(f, e->span));
  SCHEMA_AS(index, node)->array = expr_of(f, e->Subscript.value);
  Expr *index = e->Subscript.slice;
  if (index->kind == EXPR_Slice || index->kind == EXPR_Tuple) {
    Diag *diag = refuse(f, index->span, E_SCHEMA_SYNTAX, index->kind == EXPR_Slice ? "a slice, where one element is meant"
                                                                                   : "two indices; arrays have one dimension");
    diag_help(diag, index->kind == EXPR_Slice ? "copy elements in a loop" : "the element in `row` and `column` is a[row * columns + column]");
    SCHEMA_AS(index, node)->index = error_node(f, index->span);
    return node;
  }
  SCHEMA_AS(index, node)->index = expr_of(f, index);
  return node;
}

static const struct { const char *name; double value; } NUMBERS[] = {
    {"pi", 3.14159265358979323846}, {"e", 2.71828182845904523536}, {"tau", 6.28318530717958647692}, {"inf", INFINITY}, {"nan", NAN}};

// A number of the module `math`, or NumPy's of that name; NULL: there is none.
static SchemaNode *known_number(Front *f, Span span, const Name *name)
{
  for (size_t i = 0; name && i < sizeof NUMBERS / sizeof *NUMBERS; i++)
    if (str_is(name->str, NUMBERS[i].name))
      return literal_node(f, span, (SchemaLiteral){.kind = LITERAL_FLOAT, .real = NUMBERS[i].value});
  return NULL;
}

static SchemaNode *attribute_of(Front *f, Expr *e)
{
  bool dotted;
  const Name *name = called_name(f, e, &dotted), *path = f->program ? dotted_name(f, e) : NULL;
  const SchemaVar *constant = path ? map_get(&f->constants, path->str) : NULL;
  if (constant)
    return literal_node(f, e->span, SCHEMA_AS(literal, constant->value)->value);
  SchemaNode *number = known_number(f, e->span, name);
  if (number)
    return number;
  help_foreign(f, refuse(f, e->span, E_SCHEMA_SYNTAX, "numbers and arrays have no attributes here"), e,
            "an array's length is a parameter of its own: `n: u32`; of modules there are `math.pi`, `math.e`, `math.tau`, `math.inf`, `math.nan`");
  return error_node(f, e->span);
}

static SchemaNode *name_of(Front *f, Expr *e)
{
  if (!is_shadowed(f, e->Name.id) && !map_get(&f->locals, e->Name.id->str)) {
    meet(f, e->span, e->Name.id);
    SchemaVar *constant = map_get(&f->constants, e->Name.id->str);
    if (constant)
      return literal_node(f, e->span, SCHEMA_AS(literal, constant->value)->value);
    const Name *origin = map_get(&f->aliases, e->Name.id->str);
    if (origin && is_elsewhere(f, e->Name.id, origin)) {
      diag_help(refuse(f, e->span, E_SCHEMA_NAME, "`%s` is imported, and a file of kernels is read by itself", origin->str.data),
              "write the number at the top of this file: %s = ...", e->Name.id->str.data);
      return error_node(f, e->span);
    }
  }
  return var_node(f, e->span, e->Name.id);
}

static SchemaNode *expr_of_any(Front *f, Expr *e)
{
  switch ((ExprKind)e->kind) {
  case EXPR_Constant: return constant_of(f, e);
  case EXPR_Name: return name_of(f, e);
  case EXPR_BinOp: {
    SchemaNode *left = expr_of(f, e->BinOp.left);
    return arithmetic_of(f, e->span, e->BinOp.op, left, expr_of(f, e->BinOp.right));
  }
  case EXPR_UnaryOp: return unary_of(f, e);
  case EXPR_Compare: return compare_of(f, e);
  case EXPR_BoolOp: return bool_op_of(f, e);
  case EXPR_IfExp: {
    SchemaNode *node = schema_node(f->arena, SCHEMA_if_expr, place_of(f, e->span));
    SCHEMA_AS(if_expr, node)->condition = expr_of(f, e->IfExp.test);
    SCHEMA_AS(if_expr, node)->then_value = expr_of(f, e->IfExp.body);
    SCHEMA_AS(if_expr, node)->else_value = expr_of(f, e->IfExp.orelse);
    return node;
  }
  case EXPR_Call: return call_of(f, e);
  case EXPR_Subscript: return index_of(f, e);
  case EXPR_Attribute: return attribute_of(f, e);
  case EXPR_Error: return f->failed = true, error_node(f, e->span);
  default: break;
  }
  static const struct { ExprKind kind; const char *what, *help; } WORDS[] = {
      {EXPR_Lambda, "a lambda", "a function with the decorator `@inline` can be called"}, {EXPR_NamedExpr, "`:=`", "assign the name in a statement before"},
      {EXPR_ListComp, "a comprehension", "write a loop: for k in range(n): ..."}, {EXPR_SetComp, "a comprehension", "write a loop: for k in range(n): ..."},
      {EXPR_DictComp, "a comprehension", "write a loop: for k in range(n): ..."}, {EXPR_GeneratorExp, "a generator", "write a loop: for k in range(n): ..."},
      {EXPR_Tuple, "a tuple", "write each value by itself"}, {EXPR_List, "a list", "a value is one number; elements stand in arrays, which are parameters"},
      {EXPR_Dict, "a dict", "a value is one number; elements stand in arrays, which are parameters"},
      {EXPR_Set, "a set", "a value is one number; elements stand in arrays, which are parameters"},
      {EXPR_JoinedStr, "an f-string", "a scalar kernel knows numbers and truth values only"}, {EXPR_Slice, "a slice", "copy elements in a loop"},
      {EXPR_Starred, "`*`", "write out the values"}, {EXPR_Await, "`await`", "threads of a group wait for each other with `barrier()`"},
      {EXPR_Yield, "`yield`", "results go to an array: `out[i] = ...`"}, {EXPR_YieldFrom, "`yield from`", "results go to an array: `out[i] = ...`"}};
  const char *what = "this expression", *help = "docs/schema.md lists the expressions there are";
  for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
    if (WORDS[i].kind == (ExprKind)e->kind)
      what = WORDS[i].what, help = WORDS[i].help;
  diag_help(refuse(f, e->span, E_SCHEMA_SYNTAX, "%s is not part of scalar kernels", what), "%s", help);
  return error_node(f, e->span);
}

static SchemaNode *expr_of(Front *f, Expr *e)
{
  uint32_t outer = f->depth;
  SchemaNode *node = go_deeper(f, e->span, 1) ? expr_of_any(f, e) : error_node(f, e->span);
  f->depth = outer;
  return node;
}

// ---- statements

static bool is_shared_array(Front *f, const Expr *value)
{
  bool dotted;
  const Name *name = value->kind == EXPR_Call ? called_name(f, value->Call.func, &dotted) : NULL;
  return name && str_is(name->str, "shared_array");
}

static void shared_of(Front *f, Stmt *s, const Expr *target, Expr *value)
{
  SchemaNode *node = schema_node(f->arena, SCHEMA_shared, place_of(f, s->span));
  SchemaType type;
  if (value->Call.args.count != 2 || value->Call.keywords.count || !target || target->kind != EXPR_Name) {
    diag_help(refuse(f, s->span, E_SCHEMA_CALL, "a shared array is declared as NAME = shared_array(TYPE, SIZE)"),
            "part = shared_array(f32, 256)");
    return;
  }
  if (value->Call.args.items[1]->kind == EXPR_Tuple) {
    diag_help(refuse(f, value->Call.args.items[1]->span, E_SCHEMA_SYNTAX, "two sizes; arrays have one dimension"),
              "the product of the sizes, 16 * 16; the element in `row` and `column` is then part[row * 16 + column]");
    return;
  }
  if (value->Call.args.items[0]->kind == EXPR_Constant || value->Call.args.items[0]->kind == EXPR_Tuple) {
    diag_help(refuse(f, value->Call.args.items[0]->span, E_SCHEMA_CALL, "a shared array is declared as NAME = shared_array(TYPE, SIZE), the type first"),
              "part = shared_array(f32, 256)");
    return;
  }
  if (!read_type(f, value->Call.args.items[0], &type))
    return;
  if (type.is_array) {
    diag_help(refuse(f, value->Call.args.items[0]->span, E_SCHEMA_TYPE, "the elements of a shared array are numbers"), "part = shared_array(f32, 256)");
    return;
  }
  SCHEMA_AS(shared, node)->name = target->Name.id;
  SCHEMA_AS(shared, node)->element_type = type.scalar;
  SCHEMA_AS(shared, node)->size = folded(f, expr_of(f, value->Call.args.items[1]), value->Call.args.items[1]->span);
  map_set(&f->assigned, target->Name.id->str, (void *)target->Name.id);
  add(f, node);
}

static void assign_target(Front *f, Stmt *s, Expr *target, SchemaNode *value)
{
  if (target->kind == EXPR_Name) {
    assign_name(f, s->span, target->Name.id, SCALAR_NONE, value);
    return;
  }
  if (target->kind == EXPR_Subscript) {
    SchemaNode *node = schema_node(f->arena, SCHEMA_assign, place_of(f, s->span));
    SCHEMA_AS(assign, node)->target = index_of(f, target), SCHEMA_AS(assign, node)->value = value;
    add(f, node);
    return;
  }
  diag_help(refuse(f, target->span, E_SCHEMA_SYNTAX, "only names and elements of arrays can be assigned"),
            "results go to an array: `out[i] = ...`");
}

static bool is_sequence(const Expr *e)
{
  return e->kind == EXPR_Tuple || e->kind == EXPR_List;
}

static ExprList items_of(const Expr *e)
{
  return e->kind == EXPR_Tuple ? e->Tuple.elts : e->List.elts;
}

// a, b = e, f: all right sides are computed before anything is assigned.
static void assign_tuple(Front *f, Stmt *s, Expr *target, Expr *value)
{
  if (!is_sequence(value) || items_of(value).count != items_of(target).count) {
    help_foreign(f, refuse(f, s->span, E_SCHEMA_SYNTAX, "as many values as names are needed, each written out: a, b = x, y"),
                 value->kind == EXPR_Call ? value->Call.func : value, "write one assignment for each; a function gives one value");
    return;
  }
  ExprList values = items_of(value), targets = items_of(target);
  SchemaNode **held = arena_array(f->arena, SchemaNode *, values.count + 1);
  for (uint32_t i = 0; i < values.count; i++)
    held[i] = hold(f, values.items[i]->span, SCALAR_NONE, expr_of(f, values.items[i]));
  for (uint32_t i = 0; i < targets.count; i++)
    assign_target(f, s, targets.items[i], held[i]);
}

static void assign_of(Front *f, Stmt *s)
{
  ExprList targets = s->Assign.targets;
  Expr *value = s->Assign.value;
  if (is_shared_array(f, value)) {
    shared_of(f, s, targets.count == 1 ? targets.items[0] : NULL, value);
    return;
  }
  if (targets.count == 1 && is_sequence(targets.items[0])) {
    assign_tuple(f, s, targets.items[0], value);
    return;
  }
  SchemaNode *node = expr_of(f, value);
  bool is_simple = node->kind == SCHEMA_literal;
  if (targets.count > 1 && !is_simple)
    node = hold(f, value->span, SCALAR_NONE, node);
  for (uint32_t i = 0; i < targets.count; i++)
    assign_target(f, s, targets.items[i], i ? schema_clone(f->arena, node) : node);
}

static void aug_assign_of(Front *f, Stmt *s)
{
  Expr *target = s->AugAssign.target;
  if (target->kind == EXPR_Name) {
    SchemaNode *value = arithmetic_of(f, s->span, s->AugAssign.op, name_of(f, target), expr_of(f, s->AugAssign.value));
    assign_name(f, s->span, target->Name.id, SCALAR_NONE, value);
    return;
  }
  if (target->kind != EXPR_Subscript) {
    diag_help(refuse(f, target->span, E_SCHEMA_SYNTAX, "only names and elements of arrays can be assigned"), "results go to an array: `out[i] += ...`");
    return;
  }
  SchemaNode *element = index_of(f, target), *value = expr_of(f, s->AugAssign.value), **index = &SCHEMA_AS(index, element)->index;
  const bool is_steady = (*index)->kind == SCHEMA_literal || (*index)->kind == SCHEMA_var;
  if (!is_steady && (has_effects(element) || has_effects(value)))  // which may change what the index is made of
    *index = hold(f, target->span, SCALAR_NONE, *index);
  SchemaNode *node = schema_node(f->arena, SCHEMA_assign, place_of(f, s->span));
  SCHEMA_AS(assign, node)->target = element;
  SCHEMA_AS(assign, node)->value = arithmetic_of(f, s->span, s->AugAssign.op, schema_clone(f->arena, element), value);
  add(f, node);
}

static void ann_assign_of(Front *f, Stmt *s)
{
  SchemaType type;
  const Expr *target = s->AnnAssign.target;
  if (s->AnnAssign.value && is_shared_array(f, s->AnnAssign.value)) {
    diag_help(refuse(f, s->AnnAssign.annotation->span, E_SCHEMA_SYNTAX, "a shared array has no annotation: its type stands in the call"),
              "part = shared_array(f32, 256)");
    return;
  }
  if (!read_type(f, s->AnnAssign.annotation, &type))
    return;
  if (target->kind != EXPR_Name || type.is_array) {
    diag_help(refuse(f, s->span, E_SCHEMA_SYNTAX, "only names of numbers are declared with a type"),
            "total: f64 = 0");
  } else if (!s->AnnAssign.value) {
    Diag *diag = refuse(f, s->span, E_SCHEMA_SYNTAX, "a declaration without a value");
    diag_help(diag, "give it one: `%s: %s = 0`", target->Name.id->str.data, scalar_name(type.scalar));
  } else {
    SchemaNode *value = expr_of(f, s->AnnAssign.value);
    if (map_get(&f->parameters, target->Name.id->str))
      diag_help(refuse(f, s->span, E_SCHEMA_TYPE, "`%s` is a parameter and has its type", target->Name.id->str.data),
            "leave out the annotation, or use another name");
    else
      assign_name(f, s->span, target->Name.id, type.scalar, value);
  }
}

static SchemaList list_of(Front *f, StmtList list)
{
  NodeVec nodes = {0};
  NodeVec *outer = f->body;
  f->body = &nodes;
  stmts_of(f, list);
  f->body = outer;
  return (SchemaList){nodes.items, (uint32_t)nodes.count};
}

static void refuse_else(Front *f, const Stmt *s)
{
  diag_help(refuse(f, s->span, E_SCHEMA_SYNTAX, "a loop has no `else` here"),
            "set a name before the loop, change it before `break`, and ask for it after the loop");
}

// `for name in range(start, stop, step)`, after `first`, which may be NULL, in each turn.
static void add_loop(Front *f, Stmt *s, const Name *name, SchemaNode *start, SchemaNode *stop, SchemaNode *step, SchemaNode *first)
{
  SchemaNode *node = schema_node(f->arena, SCHEMA_for, place_of(f, s->span));
  Schema_for *loop = SCHEMA_AS(for, node);
  loop->var = name, loop->start = start, loop->stop = stop, loop->step = step;
  map_set(&f->assigned, name->str, (void *)name);
  NodeVec body = {0}, *outer = f->body;
  f->body = &body;
  if (first)
    assign_name(f, s->For.target->span, s->For.target->Name.id, SCALAR_NONE, first);
  stmts_of(f, s->For.body);
  f->body = outer;
  loop->body = (SchemaList){body.items, (uint32_t)body.count};
  add(f, node);
}

// A step that is computed: turns are counted, ceil((stop - start) / step) of them, and a step of 0 makes none.
static void add_stride(Front *f, Stmt *s, SchemaNode *start, SchemaNode *stop, SchemaNode *step)
{
  Span span = s->For.iter->span;
  SchemaNode *from = hold(f, span, SCALAR_I64, start), *to = hold(f, span, SCALAR_I64, stop), *by = hold(f, span, SCALAR_I64, step);
  SchemaNode *back = binary_node(f, span, BINARY_floor_div, binary_node(f, span, BINARY_sub, from, to), by);
  SchemaNode *turns = binary_node(f, span, BINARY_sub, int_node(f, span, 0), back);
  const Name *turn = free_name(f);
  SchemaNode *moved = binary_node(f, span, BINARY_mul, var_node(f, span, turn), schema_clone(f->arena, by));
  SchemaNode *value = binary_node(f, span, BINARY_add, schema_clone(f->arena, from), moved);
  add_loop(f, s, turn, int_node(f, span, 0), turns, int_node(f, span, 1), value);
}

static void for_of(Front *f, Stmt *s)
{
  Expr *iter = s->For.iter;
  bool dotted;
  const Name *name = iter->kind == EXPR_Call ? called_name(f, iter->Call.func, &dotted) : NULL;
  if (s->For.target->kind != EXPR_Name || !name || !str_is(name->str, "range") || is_shadowed(f, name)) {
    help_foreign(f, refuse(f, s->For.target->span, E_SCHEMA_SYNTAX, "a `for` loop counts one name over range(...)"), iter->kind == EXPR_Call ? iter->Call.func : iter,
            "for k in range(n): ... a[k] ...");
    return;
  }
  if (s->For.orelse.count)
    refuse_else(f, s);
  SchemaList args = args_of(f, iter);
  if (args.count < 1 || args.count > 3) {
    diag_help(refuse(f, iter->span, E_SCHEMA_CALL, "`range` takes 1 to 3 arguments, not %u", args.count),
            "range(stop), range(start, stop) or range(start, stop, step)");
    return;
  }
  SchemaNode *start = args.count > 1 ? args.items[0] : int_node(f, iter->span, 0), *stop = args.items[args.count > 1];
  SchemaNode *step = args.count > 2 ? folded(f, args.items[2], iter->Call.args.items[2]->span) : int_node(f, iter->span, 1);
  if (step->kind == SCHEMA_literal)
    add_loop(f, s, s->For.target->Name.id, start, stop, step, NULL);
  else
    add_stride(f, s, start, stop, step);
}

// "parallel_map_unary(input, output, operation, count)"
static const char *whole_signature(Front *f, SchemaKind kind)
{
  SchemaKindInfo info = schema_kind_info(kind);
  StrBuf text = strbuf_new(f->arena);
  strbuf_printf(&text, "%s(", info.json);
  for (uint32_t i = 0; i < info.field_count; i++)
    strbuf_printf(&text, "%s%s", i ? ", " : "", info.fields[i].json);
  strbuf_putc(&text, ')');
  return strbuf_cstr(&text);
}

// parallel_map_unary(input, output, "op", n) and its like.
static bool whole_of(Front *f, Expr *e, const Name *name)
{
  SchemaKind kind;
  if (!str_starts_with(name->str, "parallel_") || !schema_kind_find(name->str, true, &kind))
    return false;
  SchemaNode *node = schema_node(f->arena, kind, place_of(f, e->span));
  SchemaKindInfo info = schema_kind_info(kind);
  if (e->Call.args.count != info.field_count || e->Call.keywords.count) {
    diag_help(refuse(f, e->span, E_SCHEMA_CALL, "`%s` takes %u arguments in order, not %u", name->str.data, info.field_count, e->Call.args.count),
            "%s", whole_signature(f, kind));
    return true;
  }
  for (uint32_t i = 0; i < info.field_count; i++) {
    Expr *arg = e->Call.args.items[i];
    bool is_text = arg->kind == EXPR_Constant && arg->Constant.value.kind == CONSTANT_STR;
    if (info.fields[i].kind != SCHEMA_FIELD_TEXT)
      *(SchemaNode **)schema_field(node, &info.fields[i]) = expr_of(f, arg);
    else if (is_text)
      *(Str *)schema_field(node, &info.fields[i]) = arg->Constant.value.text;
    else
      diag_help(refuse(f, arg->span, E_SCHEMA_CALL, "the operation is a text, such as \"add\""),
            "%s", whole_signature(f, kind));
  }
  add(f, node);
  return true;
}

static void expr_stmt_of(Front *f, Stmt *s)
{
  Expr *e = s->Expr.value;
  if (e->kind == EXPR_Constant && (e->Constant.value.kind == CONSTANT_STR || e->Constant.value.kind == CONSTANT_ELLIPSIS))
    return;  // a docstring
  if (e->kind != EXPR_Call) {
    if (e->kind == EXPR_Error) {
      f->failed = true;
      return;
    }
    diag_help(refuse(f, s->span, E_SCHEMA_SYNTAX, "the value of this expression is not used, so it does nothing"),
            "assign it, or leave it out");
    return;
  }
  const Name *name = callee_of(f, e);
  if (!name || whole_of(f, e, name))
    return;
  SchemaNode *node = schema_node(f->arena, SCHEMA_perform, place_of(f, s->span));
  SCHEMA_AS(perform, node)->function = name;
  SCHEMA_AS(perform, node)->args = args_of(f, e);
  add(f, node);
}

static void stmt_of(Front *f, Stmt *s)
{
  switch ((StmtKind)s->kind) {
  case STMT_Assign: assign_of(f, s); return;
  case STMT_AugAssign: aug_assign_of(f, s); return;
  case STMT_AnnAssign: ann_assign_of(f, s); return;
  case STMT_If: {
    SchemaNode *node = schema_node(f->arena, SCHEMA_if, place_of(f, s->span));
    SCHEMA_AS(if, node)->condition = expr_of(f, s->If.test);
    SCHEMA_AS(if, node)->then_body = list_of(f, s->If.body);
    SCHEMA_AS(if, node)->else_body = list_of(f, s->If.orelse);
    add(f, node);
    return;
  }
  case STMT_For: for_of(f, s); return;
  case STMT_While: {
    SchemaNode *node = schema_node(f->arena, SCHEMA_while, place_of(f, s->span));
    if (s->While.orelse.count)
      refuse_else(f, s);
    SCHEMA_AS(while, node)->condition = expr_of(f, s->While.test);
    SCHEMA_AS(while, node)->body = list_of(f, s->While.body);
    add(f, node);
    return;
  }
  case STMT_Break: add(f, schema_node(f->arena, SCHEMA_break, place_of(f, s->span))); return;
  case STMT_Continue: add(f, schema_node(f->arena, SCHEMA_continue, place_of(f, s->span))); return;
  case STMT_Pass: return;
  case STMT_Return: {
    SchemaNode *node = schema_node(f->arena, SCHEMA_return, place_of(f, s->span));
    if (s->Return.value && s->Return.value->kind == EXPR_Tuple) {
      diag_help(refuse(f, s->Return.value->span, E_SCHEMA_SYNTAX, "a function gives one value, not %u", s->Return.value->Tuple.elts.count),
                "write a function for each, or write them to elements of an array that is a parameter");
      return;
    }
    if (s->Return.value && !(s->Return.value->kind == EXPR_Constant && s->Return.value->Constant.value.kind == CONSTANT_NONE)) {
      SCHEMA_AS(return, node)->value = expr_of(f, s->Return.value);
      if (f->returns_nothing && !f->function->is_kernel)
        diag_help(refuse(f, s->span, E_SCHEMA_TYPE, "the function says that it returns nothing"), "leave out `-> None`, or the value");
    }
    add(f, node);
    return;
  }
  case STMT_Expr: expr_stmt_of(f, s); return;
  case STMT_Error: f->failed = true; return;
  default: break;
  }
  static const struct { StmtKind kind; const char *what, *help; } WORDS[] = {
      {STMT_FunctionDef, "a function inside a function", "put it at the top of the file, with the decorator `@inline`"},
      {STMT_AsyncFunctionDef, "a function inside a function", "put it at the top of the file, with the decorator `@inline`, without `async`"},
      {STMT_ClassDef, "a class", "a value is one number"}, {STMT_Assert, "`assert`", "`if not condition: return` leaves the thread"},
      {STMT_With, "`with`", "write what is inside by itself"}, {STMT_AsyncWith, "`async with`", "write what is inside by itself"},
      {STMT_AsyncFor, "`async for`", "for k in range(n): ..."}, {STMT_Try, "`try`", "no operation of a kernel raises: a division by 0 gives 0, or an infinity"},
      {STMT_TryStar, "`try`", "no operation of a kernel raises: a division by 0 gives 0, or an infinity"},
      {STMT_Raise, "`raise`", "write to an array that something is wrong, and `return`"},
      {STMT_Import, "an import inside a function", "put it at the top of the file"}, {STMT_ImportFrom, "an import inside a function", "put it at the top of the file"},
      {STMT_Global, "`global`", "constants of the file can be read as they are; nothing outside of arrays can be written"},
      {STMT_Nonlocal, "`nonlocal`", "nothing outside of arrays can be written"}, {STMT_Delete, "`del`", "names need not be given back"},
      {STMT_Match, "`match`", "write `if` and `elif`"}, {STMT_TypeAlias, "`type`", "write the type itself"}};
  const char *what = ast_stmt_node((StmtKind)s->kind)->name, *help = "docs/schema.md lists the statements there are";
  for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
    if (WORDS[i].kind == (StmtKind)s->kind)
      what = WORDS[i].what, help = WORDS[i].help;
  diag_help(refuse(f, s->span, E_SCHEMA_SYNTAX, "%s is not part of scalar kernels", what), "%s", help);
}

static void stmts_of(Front *f, StmtList list)
{
  uint32_t outer = f->depth;
  for (uint32_t i = 0; i < list.count && go_deeper(f, list.items[i]->span, 1); i++, f->depth = outer)
    stmt_of(f, list.items[i]);
  f->depth = outer;
}

// ---- functions

typedef enum FunctionRole { ROLE_PLAIN, ROLE_KERNEL, ROLE_HELPER } FunctionRole;

static FunctionRole role_of(Front *f, Stmt *s)
{
  FunctionRole role = ROLE_PLAIN;
  for (uint32_t i = 0; i < s->FunctionDef.decorator_list.count; i++) {
    const Expr *decorator = s->FunctionDef.decorator_list.items[i];
    bool dotted;
    const Name *name = called_name(f, decorator->kind == EXPR_Call ? decorator->Call.func : decorator, &dotted);
    if (name && (str_is(name->str, "inline") || str_is(name->str, "device")))
      role = ROLE_HELPER;
    else if (name && (str_is(name->str, "kernel") || str_is(name->str, "atlas_kernel")))
      role = ROLE_KERNEL;
    else
      diag_help(refuse(f, decorator->span, E_SCHEMA_SYNTAX, "this decorator is not known"),
                "`@kernel` marks a kernel, `@inline` a function that kernels call");
  }
  return role;
}

static void params_of(Front *f, Stmt *s)
{
  const Ast_arguments *args = s->FunctionDef.args;
  if (s->FunctionDef.type_params.count)
    diag_help(refuse(f, s->FunctionDef.type_params.items[0]->span, E_SCHEMA_SYNTAX, "a function has no type parameters"),
              "parameters of a helper may go without types: it is compiled for those of each call");
  if (args->vararg || args->kwarg || args->kwonlyargs.count)
    diag_help(refuse(f, s->span, E_SCHEMA_SYNTAX, "parameters are given in order: no `*`, no `**`, no keyword-only ones"),
            "give each parameter a name and a type of its own");
  for (uint32_t i = 0; i < args->defaults.count; i++)
    diag_help(refuse(f, args->defaults.items[i]->span, E_SCHEMA_SYNTAX, "a parameter has no default value: a launch gives all of them"),
            "leave out the default; a constant of the file can stand for a number that is always the same");
  for (uint32_t k = 0; k < 2; k++) {
    ArgList list = k ? args->args : args->posonlyargs;
    for (uint32_t i = 0; i < list.count; i++) {
      const Ast_arg *arg = list.items[i];
      SchemaVar *param = arena_new(f->arena, SchemaVar);
      *param = (SchemaVar){.name = arg->arg, .kind = VAR_PARAMETER, .type = {SCALAR_NONE, false}, .place = place_of(f, arg->span),
                           .index = (uint32_t)f->function->params.count};
      if (arg->annotation)
        read_type(f, arg->annotation, &param->type);
      else if (f->function->is_kernel)
        diag_help(refuse(f, arg->span, E_SCHEMA_TYPE, "parameter `%s` has no type", arg->arg->str.data),
                  "write `%s: f32`, or `%s: DeviceArray[f32]`", arg->arg->str.data, arg->arg->str.data);
      vec_push(f->arena, &f->function->params, param);
      map_set(&f->parameters, param->name->str, param);
    }
  }
}

// As inspect.cleandoc: the first line without leading blanks, the others without those all of them have.
static Str cleaned_doc(Front *f, Str text)
{
  size_t margin = SIZE_MAX, column = 0;
  bool in_first = true, in_indent = true;
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '\n') {
      in_first = false, in_indent = true, column = 0;
    } else if (in_indent && text.data[i] == ' ') {
      column++;
    } else if (in_indent) {
      in_indent = false;
      margin = !in_first && column < margin ? column : margin;
    }
  }
  StrBuf out = strbuf_new(f->arena);
  size_t start = 0;
  for (size_t line = 0; start <= text.len; line++) {
    size_t end = start;
    while (end < text.len && text.data[end] != '\n')
      end++;
    size_t from = start;
    for (size_t skipped = 0; from < end && text.data[from] == ' ' && (line == 0 || skipped < margin); skipped++)
      from++;
    size_t to = end;
    while (to > from && text.data[to - 1] == ' ')
      to--;
    if (line)
      strbuf_putc(&out, '\n');
    strbuf_add(&out, text.data + from, to - from);
    start = end + 1;
  }
  while (out.len && out.data[out.len - 1] == '\n')
    out.len--;
  size_t lead = 0;
  while (lead < out.len && out.data[lead] == '\n')
    lead++;
  return (Str){out.data ? out.data + lead : "", out.len - lead};
}

static Span header_span(const Stmt *s)
{
  Span span = s->span;
  if (s->FunctionDef.body.count && s->FunctionDef.body.items[0]->span.start > span.start)
    span.end = s->FunctionDef.body.items[0]->span.start;
  Span name = {span.source, span.start, span.end};
  return name;
}

static void find_locals(Front *f, StmtList list);

static void find_assigned(Front *f, const Expr *target)
{
  if (target->kind == EXPR_Name)
    map_set(&f->locals, target->Name.id->str, (void *)target->Name.id);
  for (uint32_t i = 0; is_sequence(target) && i < items_of(target).count; i++)
    find_assigned(f, items_of(target).items[i]);
}

static void find_locals_of(Front *f, const Stmt *s)
{
  switch ((StmtKind)s->kind) {
  case STMT_Assign:
    for (uint32_t i = 0; i < s->Assign.targets.count; i++)
      find_assigned(f, s->Assign.targets.items[i]);
    return;
  case STMT_AugAssign: find_assigned(f, s->AugAssign.target); return;
  case STMT_AnnAssign: find_assigned(f, s->AnnAssign.target); return;
  case STMT_If: find_locals(f, s->If.body), find_locals(f, s->If.orelse); return;
  case STMT_While: find_locals(f, s->While.body); return;
  case STMT_For: find_assigned(f, s->For.target), find_locals(f, s->For.body); return;
  default: return;
  }
}

// A name that is assigned anywhere in a function is its own everywhere in it, as in Python.
static void find_locals(Front *f, StmtList list)
{
  for (uint32_t i = 0; i < list.count; i++)
    find_locals_of(f, list.items[i]);
}

static void function_of(Front *f, Stmt *s)
{
  FunctionRole role = !f->program ? role_of(f, s) : f->piece == f->pieces.items[0] ? ROLE_KERNEL : ROLE_HELPER;
  SchemaFunction *function = f->function = arena_new(f->arena, SchemaFunction);
  *function = (SchemaFunction){.name = f->program ? f->piece->name : s->FunctionDef.name, .is_kernel = role != ROLE_HELPER, .returns = {SCALAR_NONE, false}};
  Span def = header_span(s);
  const char *text = f->source->text.data;
  for (uint32_t i = def.start; i < def.end; i++)
    if (text[i] == '\n') {
      def.end = i;
      break;
    }
  function->place = place_of(f, def);
  f->assigned = map_new(f->arena), f->parameters = map_new(f->arena), f->locals = map_new(f->arena), f->temps = 0, f->returns_nothing = false;
  find_locals(f, s->FunctionDef.body);
  params_of(f, s);
  if (s->FunctionDef.returns) {
    const Expr *returns = s->FunctionDef.returns;
    bool is_none = returns->kind == EXPR_Constant && returns->Constant.value.kind == CONSTANT_NONE;
    if (function->is_kernel && !is_none)
      diag_help(refuse(f, returns->span, E_SCHEMA_SYNTAX, "a kernel returns no value"), "results go to an array: `out[i] = ...`");
    else if (!is_none && read_type(f, returns, &function->returns))
      function->has_declared_return = true;
    f->returns_nothing = is_none;
  }
  StmtList body = s->FunctionDef.body;
  if (body.count && body.items[0]->kind == STMT_Expr && body.items[0]->Expr.value->kind == EXPR_Constant &&
      body.items[0]->Expr.value->Constant.value.kind == CONSTANT_STR)
    function->doc = cleaned_doc(f, body.items[0]->Expr.value->Constant.value.text);
  function->body = list_of(f, body);
  vec_push(f->arena, &f->file->functions, function);
}

// ---- modules

// from module import name as bound
static void import_name(Front *f, const Stmt *s, const Name *name, const Name *bound)
{
  const Name *module = s->ImportFrom.module;
  bool is_numeric = module && (str_is(module->str, "math") || str_is(module->str, "numpy"));
  SchemaNode *number = is_numeric ? known_number(f, s->span, name) : NULL;
  if (number)
    add_constant(f, bound, number, place_of(f, s->span));
  map_set(&f->aliases, bound->str, (void *)own_name(f, name));
}

static void import_of(Front *f, Stmt *s)
{
  AliasList names = s->kind == STMT_Import ? s->Import.names : s->ImportFrom.names;
  for (uint32_t i = 0; i < names.count; i++) {
    const Ast_alias *alias = names.items[i];
    Str first = alias->name->str;
    for (size_t k = 0; k < first.len; k++)
      if (first.data[k] == '.')
        first.len = k;
    const Name *bound = alias->asname ? alias->asname : name_intern(&f->session->names, first);
    if (s->kind == STMT_Import)
      map_set(&f->modules, bound->str, (void *)bound);
    else
      import_name(f, s, alias->name, bound);
  }
}

// NAME: T = number: the number must be one of T.
static bool fits_annotation(Front *f, const Expr *annotation, SchemaLiteral *literal)
{
  SchemaType type;
  if (!read_type(f, annotation, &type))
    return false;
  if (!type.is_array && scalar_is_float(type.scalar) && literal->kind == LITERAL_INT)
    *literal = (SchemaLiteral){.kind = LITERAL_FLOAT, .real = schema_literal_double(literal)};
  bool fits = !type.is_array && (literal->kind == LITERAL_BOOL) == (type.scalar == SCALAR_BOOL) && schema_literal_fits(literal, type.scalar);
  if (!fits)
    diag_help(refuse(f, annotation->span, E_SCHEMA_LITERAL, "the constant is no value of the type that is written down"), "leave out the type, or write another");
  return fits;
}

static void constant_assign(Front *f, Stmt *s, const Expr *target, const Expr *annotation, Expr *value)
{
  if (target->kind == EXPR_Name && str_starts_with(target->Name.id->str, "__"))
    return;  // __all__ and its like
  SchemaNode *node = target->kind == EXPR_Name && value->kind != EXPR_Call ? expr_of(f, value) : NULL;
  SchemaLiteral literal;
  if (!node || !schema_fold(node, &literal)) {
    diag_help(refuse(f, s->span, E_SCHEMA_SYNTAX, "only numbers are constants of a file, and what + - * / // %% << >> & | ^ make of them"),
              "NAME = 3.5; what a script does when it is run stands below `if __name__ == \"__main__\":`");
    return;
  }
  if (annotation && !fits_annotation(f, annotation, &literal))
    return;
  if (map_get(&f->constants, target->Name.id->str)) {
    diag_help(refuse(f, s->span, E_SCHEMA_NAME, "the constant `%s` is assigned twice", target->Name.id->str.data),
              "constants keep their value; give the second another name");
    return;
  }
  add_constant(f, target->Name.id, literal_node(f, value->span, literal), place_of(f, s->span));
}

// if __name__ == "__main__": what a script does when it is run.
static bool is_main_guard(const Stmt *s)
{
  const Expr *test = s->kind == STMT_If ? s->If.test : NULL;
  return test && test->kind == EXPR_Compare && test->Compare.left->kind == EXPR_Name && str_is(test->Compare.left->Name.id->str, "__name__");
}

static bool reads_imports(Front *f, StmtList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    Stmt *s = list.items[i];
    if (s->kind == STMT_Import || s->kind == STMT_ImportFrom)
      import_of(f, s);
    else if (s->kind != STMT_Pass)
      return false;
  }
  return true;
}

// Imports that depend on something: `try: ... except ImportError: ...`, `if TYPE_CHECKING: ...`. The last that gives a name counts.
static bool are_imports(Front *f, const Stmt *s)
{
  if (s->kind == STMT_If)
    return reads_imports(f, s->If.body) && reads_imports(f, s->If.orelse);
  if (s->kind != STMT_Try || !reads_imports(f, s->Try.body) || !reads_imports(f, s->Try.orelse) || !reads_imports(f, s->Try.finalbody))
    return false;
  for (uint32_t i = 0; i < s->Try.handlers.count; i++)
    if (!reads_imports(f, s->Try.handlers.items[i]->body))
      return false;
  return true;
}

static void top_level_of(Front *f, Stmt *s)
{
  switch ((StmtKind)s->kind) {
  case STMT_Import:
  case STMT_ImportFrom: import_of(f, s); return;
  case STMT_FunctionDef: function_of(f, s); return;
  case STMT_Assign:
    if (s->Assign.targets.count == 1) {
      constant_assign(f, s, s->Assign.targets.items[0], NULL, s->Assign.value);
      return;
    }
    break;
  case STMT_AnnAssign:
    if (s->AnnAssign.value) {
      constant_assign(f, s, s->AnnAssign.target, s->AnnAssign.annotation, s->AnnAssign.value);
      return;
    }
    break;
  case STMT_Expr:
    if (s->Expr.value->kind == EXPR_Constant)
      return;
    break;
  case STMT_Pass: return;
  case STMT_Error: f->failed = true; return;
  default: break;
  }
  if (is_main_guard(s) || are_imports(f, s))
    return;
  diag_help(refuse(f, s->span, E_SCHEMA_SYNTAX, "a file of kernels holds functions, imports and constants; this is none of them"),
            "what a script does when it is run stands below `if __name__ == \"__main__\":`");
}

// The path as documents and C texts say it, in one line.
static const char *path_in_text(Arena *arena, const char *path)
{
  char *text = arena_strdup(arena, path);
  for (char *at = text; *at; at++)
    if ((unsigned char)*at < 32 || *at == 127)
      *at = '?';
  return text;
}

static Front front_of(Session *session, Arena *arena, const char *path)
{
  return (Front){.session = session, .arena = arena, .aliases = map_new(arena), .modules = map_new(arena), .constants = map_new(arena), .functions = map_new(arena),
                 .assigned = map_new(arena), .locals = map_new(arena), .parameters = map_new(arena), .met = map_new(arena),
                 .file = schema_file_new(session, arena, path_in_text(arena, path))};
}

static Str hash_text(Arena *arena, Str text)
{
  return str_from(arena_printf(arena, "%016" PRIx64, (uint64_t)XXH3_64bits(text.data, text.len)));
}

SchemaFile *schema_read_python(Session *session, Arena *arena, Source *source)
{
  Module *module = parse_module(session, arena, source);
  Front f = front_of(session, arena, source->path);
  f.source = source;
  f.failed = module->has_errors;
  f.file->source_hash = hash_text(arena, source->text);
  for (uint32_t i = 0; i < module->body.count; i++)
    if (module->body.items[i]->kind == STMT_FunctionDef)
      map_set(&f.functions, module->body.items[i]->FunctionDef.name->str, module->body.items[i]);
  for (int functions = 0; functions < 2; functions++)  // which read constants that stand below them, too
    for (uint32_t i = 0; i < module->body.count; i++)
      if ((module->body.items[i]->kind == STMT_FunctionDef) == (functions == 1))
        top_level_of(&f, module->body.items[i]);
  if (!f.failed && !f.file->functions.count)
    diag_help(refuse(&f, (Span){0}, E_SCHEMA_SYNTAX, "`%s` holds no kernel", source->path),
              "a kernel is a function at the top level whose parameters all have types");
  return f.failed ? NULL : f.file;
}

// ---- functions of a running program

static Stmt *find_def(Front *f, StmtList list, const SchemaLive *live);

// The function among the statements inside of another.
static Stmt *find_inside(Front *f, const Stmt *stmt, const SchemaLive *live)
{
  const AstNode *node = ast_stmt_node((StmtKind)stmt->kind);
  Stmt *found = NULL;
  for (uint32_t i = 0; node && !found && i < node->field_count; i++) {
    const void *at = (const char *)stmt + node->fields[i].offset;
    const HandlerList *handlers = at;
    const MatchCaseList *cases = at;
    if (node->fields[i].kind == AST_STMTS)
      found = find_def(f, *(const StmtList *)at, live);
    for (uint32_t k = 0; node->fields[i].kind == AST_HANDLERS && !found && k < handlers->count; k++)
      found = find_def(f, handlers->items[k]->body, live);
    for (uint32_t k = 0; node->fields[i].kind == AST_MATCH_CASES && !found && k < cases->count; k++)
      found = find_def(f, cases->items[k]->body, live);
  }
  return found;
}

static Stmt *find_def(Front *f, StmtList list, const SchemaLive *live)
{
  for (uint32_t i = 0; i < list.count; i++) {
    Stmt *s = list.items[i];
    if (s->kind == STMT_FunctionDef && str_is(s->FunctionDef.name->str, live->name)) {
      ExprList decorators = s->FunctionDef.decorator_list;
      uint32_t first = source_place(f->source, &f->session->arena, decorators.count ? decorators.items[0]->span.start : s->span.start).line;
      if (live->line == first || live->line == source_place(f->source, &f->session->arena, s->span.start).line)
        return s;
    }
    Stmt *found = find_inside(f, s, live);
    if (found)
      return found;
  }
  return NULL;
}

typedef struct ParsedText {
  Str text;
  Source *source;
  Module *module;
} ParsedText;

typedef Vec(ParsedText) ParsedTextVec;

static const ParsedText *parse_text(Front *f, ParsedTextVec *parsed, const SchemaLive *live)
{
  for (size_t i = 0; i < parsed->count; i++)
    if (str_equal(parsed->items[i].text, live->text) && strcmp(parsed->items[i].source->path, live->path) == 0)
      return &parsed->items[i];
  Source *source = session_add_source(f->session, live->path, live->text);
  Module *module = parse_module(f->session, f->arena, source);
  f->failed |= module->has_errors;
  vec_push(f->arena, parsed, (ParsedText){live->text, source, module});
  return &parsed->items[parsed->count - 1];
}

// Reads one function; what stands below its `def` is added to `texts`.
static void read_piece(Front *f, ParsedTextVec *parsed, StrBuf *texts)
{
  const SchemaLive *live = &f->piece->live;
  const ParsedText *text = parse_text(f, parsed, live);
  f->source = text->source;
  Stmt *def = text->module->has_errors ? NULL : find_def(f, text->module->body, live);
  if (!def) {
    if (!f->failed)
      diag_help(refuse(f, (Span){0}, E_SCHEMA_SYNTAX, "the text of `%s` is not at line %u of %s", live->name, live->line, live->path),
                "a kernel is a `def`, in a file or a notebook cell");
    return;
  }
  f->aliases = map_new(f->arena), f->modules = map_new(f->arena), f->constants = map_new(f->arena), f->met = map_new(f->arena);
  f->assigned = map_new(f->arena), f->parameters = map_new(f->arena);
  strbuf_add(texts, text->source->text.data + def->span.start, def->span.end - def->span.start);
  function_of(f, def);
}

SchemaFile *schema_read_live(Session *session, Arena *arena, const SchemaProgram *program, const SchemaLive *kernel)
{
  Front f = front_of(session, arena, kernel->path);
  ParsedTextVec parsed = {0};
  StrBuf texts = strbuf_new(arena);
  f.program = program;
  piece_of(&f, kernel);
  for (size_t i = 0; i < f.pieces.count && !f.failed; i++) {
    f.piece = f.pieces.items[i];
    read_piece(&f, &parsed, &texts);
  }
  f.file->source_hash = hash_text(arena, strbuf_str(&texts));
  return f.failed ? NULL : f.file;
}
