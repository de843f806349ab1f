// check.c -- names, casts and calls of scalar kernels.
//
// A function is checked in three steps. First its local names are collected. Then their types are found: infer.c. Last the
// tree is finished: types are written into it, casts where a type changes, and whatever is wrong is reported.

#include "schema/checker.h"
#include "schema/front.h"
#include "base/bug.h"
#include "schema/json.h"
#include "schema/whole.h"

#include <inttypes.h>
#include <string.h>

enum {
  MOST_NESTED = 3000,     // levels of functions that call each other, and of our own calls: about a megabyte of stack, here and in the interpreter
  NESTED_OF_CALL = 8,     // for the helper itself
  MOST_SHARED_BYTES = 1 << 24,
  MOST_INSTANCES = 256,   // of a generic helper: one that calls others of its kind could make any number of them
};

static SchemaType value_type(Scalar scalar)
{
  return (SchemaType){scalar, false};
}

static Diag *refuse(Checker *c, SchemaPlace place, DiagCode code, const char *format, ...) __attribute__((format(printf, 4, 5)));

static Diag *refuse(Checker *c, SchemaPlace place, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(c->arena, format, args);
  va_end(args);
  c->failed = true;
  return schema_error(c->file, place, code, "%s", text);
}

// ---- names

static void suggest_name(const Checker *c, Diag *diag, const Name *name)
{
  Vec(const char *) names = {0};
  for (size_t i = 0; i < c->state->names.count; i++)
    vec_push(c->arena, &names, c->state->names.entries[i].key.data);
  for (size_t i = 0; i < c->file->constants.count; i++)
    vec_push(c->arena, &names, c->file->constants.items[i]->name->str.data);
  diag_suggest(diag, name->str, names.items, names.count);
}

// The local name that a statement assigns, made when it is met first.
static SchemaVar *declare_local(Checker *c, const Name *name, SchemaVarKind kind, SchemaPlace place)
{
  SchemaVar *var = map_get(&c->state->names, name->str);
  if (var)
    return var;
  var = arena_new(c->arena, SchemaVar);
  *var = (SchemaVar){.name = name, .kind = kind, .type = value_type(SCALAR_NONE), .place = place,
                     .index = (uint32_t)c->function->locals.count};
  vec_push(c->arena, &c->function->locals, var);
  map_set(&c->state->names, name->str, var);
  return var;
}

static void collect_name(SchemaNode *node, void *context)
{
  Checker *c = context;
  if (node->kind == SCHEMA_let) {
    Scalar declared = SCHEMA_AS(let, node)->dtype;
    node->var = declare_local(c, SCHEMA_AS(let, node)->name, VAR_LOCAL, node->place);
    node->var->assignments++;
    if (declared != SCALAR_NONE && node->var->kind == VAR_LOCAL) {
      if (node->var->is_declared && node->var->type.scalar != declared)
        diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "`%s` is declared as `%s` and as `%s`", node->var->name->str.data,
               scalar_name(node->var->type.scalar), scalar_name(declared)),
                "a name has one type in the whole function: use two names");
      node->var->is_declared = true;
      node->var->type.scalar = declared;
    }
  } else if (node->kind == SCHEMA_for) {
    node->var = declare_local(c, SCHEMA_AS(for, node)->var, VAR_LOCAL, node->place);
    node->var->assignments += 2;  // it changes
  } else if (node->kind == SCHEMA_shared) {
    const Schema_shared *shared = SCHEMA_AS(shared, node);
    if (map_get(&c->state->names, shared->name->str))
      diag_help(refuse(c, node->place, E_SCHEMA_NAME, "`%s` is declared twice", shared->name->str.data),
                "give the shared array another name");
    node->var = declare_local(c, shared->name, VAR_SHARED, node->place);
    node->var->type = (SchemaType){shared->element_type, true};
    if (shared->size->kind == SCHEMA_literal)
      node->var->size = SCHEMA_AS(literal, shared->size)->value.magnitude;
  } else if (node->kind == SCHEMA_assign) {
    SchemaNode *target = SCHEMA_AS(assign, node)->target;
    if (target->kind == SCHEMA_var) {
      SchemaVar *var = checker_find_var(c, SCHEMA_AS(var, target)->name);
      if (var && var->kind != VAR_CONSTANT)
        var->assignments++;
    }
  }
}

// ---- finishing the tree

static SchemaNode *finish(Checker *c, SchemaNode *node);

static SchemaNode *new_cast(Checker *c, SchemaNode *value, Scalar to)
{
  SchemaNode *node = schema_node(c->arena, SCHEMA_cast, value->place);
  SCHEMA_AS(cast, node)->to = to;
  SCHEMA_AS(cast, node)->value = value;
  node->type = value_type(to);
  return node;
}

// "u8 goes from 0 to 255"
static const char *integer_range(Checker *c, Scalar type)
{
  if (type == SCALAR_BOOL)
    return "a bool is True or False";
  uint32_t bits = 8 * scalar_info(type)->bytes;
  uint64_t most = UINT64_MAX >> (64 - bits + scalar_is_signed(type));
  return arena_printf(c->arena, scalar_is_signed(type) ? "%s goes from -%" PRIu64 " to %" PRIu64 : "%s goes from %" PRIu64 " to %" PRIu64, scalar_name(type),
                      scalar_is_signed(type) ? most + 1 : 0, most);
}

static void refuse_literal(Checker *c, SchemaNode *node, Scalar type)
{
  Diag *diag = refuse(c, node->place, E_SCHEMA_LITERAL, "this literal is no value of type `%s`", scalar_name(type));
  if (SCHEMA_AS(literal, node)->value.kind == LITERAL_FLOAT && scalar_is_integer(type))
    diag_help(diag, "an integer literal, or a cast: `%s(...)` rounds towards 0", scalar_name(type));
  else if (scalar_is_float(type))
    diag_help(diag, "%s", "f16 goes to 65504, bf16 to 3.3895314e38, f32 to 3.4028235e38, f64 to 1.7976931348623157e308");
  else
    diag_help(diag, "%s", integer_range(c, type));
}

// Operators of integers alone.
static bool is_of_integers(const SchemaNode *node)
{
  SchemaOpClass class = node->kind == SCHEMA_binary_op  ? schema_binary_info(SCHEMA_AS(binary_op, node)->op)->class
                        : node->kind == SCHEMA_unary_op ? schema_unary_info(SCHEMA_AS(unary_op, node)->op)->class
                                                        : OP_CLASS_ARITHMETIC;
  return class == OP_CLASS_INTEGER || class == OP_CLASS_SHIFT;
}

// Gives a finished expression of literals the type `to`, which arithmetic can be done in. Integers stay such where an operator asks for them.
static SchemaNode *settle(Checker *c, SchemaNode *node, Scalar to)
{
  if (!schema_is_weak(node->type.scalar))
    return node;
  if (scalar_is_float(to) && is_of_integers(node))
    return new_cast(c, settle(c, node, checker_alone(node, SCALAR_WEAK_INT)), to);
  node->type = value_type(to);
  switch (node->kind) {
  case SCHEMA_literal: {
    SchemaLiteral *literal = &SCHEMA_AS(literal, node)->value;
    if (!schema_literal_fits(literal, to))
      refuse_literal(c, node, to);
    else if (scalar_is_float(to) && literal->kind == LITERAL_INT)
      *literal = (SchemaLiteral){.kind = LITERAL_FLOAT,
                                 .real = literal->is_negative ? -(double)literal->magnitude : (double)literal->magnitude};
    break;
  }
  case SCHEMA_unary_op: {
    Schema_unary_op *e = SCHEMA_AS(unary_op, node);
    e->operand = settle(c, e->operand, to);
    break;
  }
  case SCHEMA_binary_op: {
    Schema_binary_op *e = SCHEMA_AS(binary_op, node);
    e->left = settle(c, e->left, to), e->right = settle(c, e->right, to);
    break;
  }
  case SCHEMA_if_expr: {
    Schema_if_expr *e = SCHEMA_AS(if_expr, node);
    e->then_value = settle(c, e->then_value, to), e->else_value = settle(c, e->else_value, to);
    break;
  }
  case SCHEMA_call: {
    SchemaList args = SCHEMA_AS(call, node)->args;
    for (uint32_t i = 0; i < args.count; i++)
      args.items[i] = settle(c, args.items[i], to);
    break;
  }
  default: bug("weak `%s`", schema_kind_info(node->kind).json);
  }
  return node;
}

// A finished expression brought to type `to`, whatever it was: what a cast in the source means.
static SchemaNode *bring(Checker *c, SchemaNode *node, Scalar to)
{
  Scalar from = node->type.scalar;
  if (from == SCALAR_NONE || from == to)
    return node;
  if (schema_is_weak(from)) {
    bool stays_int = from == SCALAR_WEAK_INT && scalar_is_integer(to);
    if (node->kind == SCHEMA_literal && stays_int && schema_literal_fits(&SCHEMA_AS(literal, node)->value, to)) {
      return settle(c, node, to);
    }
    Scalar in = scalar_is_float(to) || stays_int ? schema_promoted(to) : checker_alone(node, from);
    if (stays_int && in != to)
      in = checker_alone(node, from);
    node = settle(c, node, in);
  }
  return node->type.scalar == to ? node : new_cast(c, node, to);
}

// The value of an assignment, an argument or a return: only some types become others by themselves.
static SchemaNode *convert(Checker *c, SchemaNode *node, Scalar to, const char *what)
{
  Scalar from = node->type.scalar;
  if (from == SCALAR_NONE || to == SCALAR_NONE)
    return node;
  bool is_of_kind = from == SCALAR_WEAK_INT ? to != SCALAR_BOOL : from == SCALAR_WEAK_FLOAT && scalar_is_float(to);
  if (is_of_kind && node->kind == SCHEMA_literal && !schema_literal_fits(&SCHEMA_AS(literal, node)->value, to)) {
    refuse_literal(c, node, to);
    return node;
  }
  bool loses = (schema_is_real(from) && !scalar_is_float(to)) || (to == SCALAR_BOOL && from != SCALAR_BOOL);
  if (loses) {
    const char *quote = schema_is_weak(from) ? "" : "`";
    Diag *diag = refuse(c, node->place, E_SCHEMA_TYPE, "%s is `%s`, not %s%s%s", what, scalar_name(to), quote, scalar_name(from), quote);
    if (to == SCALAR_BOOL)
      diag_help(diag, "compare it: `x != 0`, or cast it: `bool(x)`");
    else
      diag_help(diag, "cast it: `%s(x)` rounds towards 0", scalar_name(to));
    return node;
  }
  return bring(c, node, to);
}

static SchemaNode *value_of(Checker *c, SchemaNode *node, const char *what)
{
  node = finish(c, node);
  if (node->type.is_array) {
    diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "%s is an array, where a number is expected", what),
                "an element of it is `a[i]`");
    node->type = value_type(SCALAR_NONE);
  }
  return node;
}

static SchemaNode *condition_of(Checker *c, SchemaNode *node)
{
  node = value_of(c, node, "this condition");
  Scalar type = node->type.scalar;
  return type == SCALAR_NONE || type == SCALAR_BOOL ? node : bring(c, node, SCALAR_BOOL);
}

static SchemaNode *index_of(Checker *c, SchemaNode *node)
{
  node = value_of(c, node, "this index");
  if (schema_is_real(node->type.scalar) || node->type.scalar == SCALAR_BOOL) {
    Diag *diag = refuse(c, node->place, E_SCHEMA_TYPE, "this index is %s, not an integer",
                        node->type.scalar == SCALAR_BOOL ? "`bool`" : "a float");
    diag_help(diag, "`//` divides integers without leaving them; `i64(x)` rounds towards 0");
    return node;
  }
  return bring(c, node, SCALAR_I64);
}

// The index of an element.
static SchemaNode *place_in_array(Checker *c, SchemaNode *node)
{
  node = index_of(c, node);
  if (node->kind == SCHEMA_literal && SCHEMA_AS(literal, node)->value.is_negative)
    diag_help(refuse(c, node->place, E_SCHEMA_LITERAL, "this index is outside of every array: the first element is 0, and none counts from the end"),
              "the last of n elements is a[n - 1]");
  return node;
}

static SchemaNode *finish_var(Checker *c, SchemaNode *node)
{
  const Name *name = SCHEMA_AS(var, node)->name;
  SchemaVar *var = checker_find_var(c, name);
  node->var = var;
  if (!var) {
    Diag *diag = refuse(c, node->place, E_SCHEMA_NAME, "name `%s` is not defined", name->str.data);
    suggest_name(c, diag, name);
    diag_help(diag, "a name is a parameter, a local that is assigned before, or a constant of the file");
    return node;
  }
  node->type = var->type;
  if (var->kind == VAR_CONSTANT && var->type.scalar == SCALAR_NONE) {
    SchemaNode *copy = schema_node(c->arena, SCHEMA_literal, node->place);
    SCHEMA_AS(literal, copy)->value = SCHEMA_AS(literal, var->value)->value;
    return finish(c, copy);
  }
  return node;
}

static SchemaNode *finish_binary(Checker *c, SchemaNode *node)
{
  Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  const SchemaOpInfo *info = schema_binary_info(e->op);
  if (info->class == OP_CLASS_LOGIC) {
    e->left = condition_of(c, e->left), e->right = condition_of(c, e->right);
    node->type = value_type(SCALAR_BOOL);
    return node;
  }
  e->left = value_of(c, e->left, "the left operand"), e->right = value_of(c, e->right, "the right operand");
  Scalar a = e->left->type.scalar, b = e->right->type.scalar;
  if (a == SCALAR_NONE || b == SCALAR_NONE)
    return node;
  Scalar type = checker_binary_type(e->op, e->left, e->right, a, b);
  bool integers = info->class == OP_CLASS_INTEGER || info->class == OP_CLASS_SHIFT;
  if (integers && (schema_is_real(a) || schema_is_real(b))) {
    diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "`%s` is for integers; here it has `%s` and `%s`", info->python, scalar_name(a), scalar_name(b)),
                "cast the float: `i32(x)` rounds towards 0");
    return node;
  }
  node->type = value_type(type);
  if (info->class == OP_CLASS_SHIFT) {
    if (!schema_is_weak(type))
      e->left = bring(c, e->left, type);
    if (!schema_is_weak(type) || !schema_is_weak(b))
      e->right = bring(c, e->right, schema_is_weak(b) ? SCALAR_I32 : schema_promoted(b));
    return node;
  }
  Scalar operands = checker_operand_type(e->op, e->left, e->right, a, b);
  if (schema_is_weak(operands)) {
    if (info->class != OP_CLASS_COMPARE)
      return node;  // settled with its surroundings
    operands = checker_alone(node, operands);
  }
  const bool is_mixed = info->class == OP_CLASS_COMPARE && operands == SCALAR_I64;  // a u64 stays what it is: it may be beyond an i64
  if (!is_mixed || a != SCALAR_U64)
    e->left = bring(c, e->left, operands);
  if (!is_mixed || b != SCALAR_U64)
    e->right = bring(c, e->right, operands);
  return node;
}

static SchemaNode *finish_unary(Checker *c, SchemaNode *node)
{
  Schema_unary_op *e = SCHEMA_AS(unary_op, node);
  const SchemaOpInfo *info = schema_unary_info(e->op);
  if (info->class == OP_CLASS_LOGIC) {
    e->operand = condition_of(c, e->operand);
    node->type = value_type(SCALAR_BOOL);
    return node;
  }
  e->operand = value_of(c, e->operand, "the operand");
  Scalar operand = e->operand->type.scalar;
  if (operand == SCALAR_NONE)
    return node;
  if (info->class == OP_CLASS_INTEGER && schema_is_real(operand)) {
    diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "`%s` is for integers; here it has `%s`", info->python, scalar_name(operand)),
                "cast the float: `i32(x)` rounds towards 0");
    return node;
  }
  node->type = value_type(checker_unary_type(e->op, operand));
  if (!schema_is_weak(node->type.scalar))
    e->operand = bring(c, e->operand, node->type.scalar);
  return node;
}

static SchemaNode *finish_if_expr(Checker *c, SchemaNode *node)
{
  Schema_if_expr *e = SCHEMA_AS(if_expr, node);
  e->condition = condition_of(c, e->condition);
  Scalar type = checker_type_of(c, node);
  e->then_value = value_of(c, e->then_value, "this value"), e->else_value = value_of(c, e->else_value, "this value");
  node->type = value_type(type);
  if (type != SCALAR_NONE && !schema_is_weak(type))
    e->then_value = bring(c, e->then_value, type), e->else_value = bring(c, e->else_value, type);
  return node;
}

static SchemaNode *finish_index(Checker *c, SchemaNode *node)
{
  Schema_index *e = SCHEMA_AS(index, node);
  e->array = finish(c, e->array);
  e->index = place_in_array(c, e->index);
  if (e->array->kind != SCHEMA_var || (e->array->var && !e->array->type.is_array)) {
    diag_help(refuse(c, e->array->place, E_SCHEMA_TYPE, "only arrays have elements; this is `%s`", scalar_name(e->array->type.scalar)), "%s",
                e->array->kind == SCHEMA_index ? "arrays have one dimension: the element in `row` and `column` is a[row * columns + column]" :
                "an array is a parameter of type `DeviceArray[f32]`, or made by `shared_array(f32, 256)`");
    return node;
  }
  node->type = value_type(e->array->type.scalar);
  return node;
}

// A load: elements of two bytes become f32 at once.
static SchemaNode *loaded(Checker *c, SchemaNode *node)
{
  Scalar element = node->type.scalar;
  return element == SCALAR_F16 || element == SCALAR_BF16 ? new_cast(c, node, SCALAR_F32) : node;
}

static bool check_count(Checker *c, SchemaNode *node, const char *name, uint32_t found, uint32_t least, uint32_t most, const char *help)
{
  if (found >= least && found <= most)
    return true;
  Diag *diag;
  if (least == most)
    diag = refuse(c, node->place, E_SCHEMA_CALL, "`%s` takes %u argument%s, not %u", name, least, least == 1 ? "" : "s", found);
  else
    diag = refuse(c, node->place, E_SCHEMA_CALL, "`%s` takes %u to %u arguments, not %u", name, least, most, found);
  diag_help(diag, "%s", help);
  return false;
}

static void finish_atomic(Checker *c, SchemaNode *node, SchemaList args)
{
  SchemaNode *array = args.items[0] = finish(c, args.items[0]);
  args.items[1] = place_in_array(c, args.items[1]);
  if (array->kind != SCHEMA_var || !array->type.is_array) {
    if (array->type.scalar != SCALAR_NONE)
      diag_help(refuse(c, array->place, E_SCHEMA_TYPE, "`%s` changes an element of an array; this is `%s`", schema_builtin_info(node->builtin)->name,
             scalar_name(array->type.scalar)),
                "%s(array, index, value)", schema_builtin_info(node->builtin)->name);
    return;
  }
  Scalar element = array->type.scalar;
  if (element == SCALAR_BOOL)
    diag_help(refuse(c, array->place, E_SCHEMA_TYPE, "atomics are for numbers; `%s` has `bool`", array->var->name->str.data), "make it an array of `u8`");
  for (uint32_t i = 2; i < args.count; i++)
    args.items[i] = convert(c, value_of(c, args.items[i], "this argument"), element, "the array's element");
  node->type = value_type(element);
}

static void finish_id(Checker *c, SchemaNode *node, SchemaList args)
{
  node->type = value_type(SCALAR_I64);
  uint32_t dim = 0;
  if (args.count) {
    SchemaNode *literal = args.items[0];
    const SchemaLiteral *value = literal->kind == SCHEMA_literal ? &SCHEMA_AS(literal, literal)->value : NULL;
    if (!value || value->kind != LITERAL_INT || value->is_negative || value->magnitude > 2) {
      diag_help(refuse(c, literal->place, E_SCHEMA_CALL, "the dimension is the literal 0, 1 or 2"),
                "get_global_id(1) is the number in dimension 1");
      return;
    }
    dim = (uint32_t)value->magnitude;
    literal->type = value_type(SCALAR_I32);
  }
  c->function->dims = c->function->dims > dim + 1 ? c->function->dims : dim + 1;
  c->function->uses_groups |= node->builtin != BUILTIN_get_global_id && node->builtin != BUILTIN_get_global_size;
}

// Arguments that are values, all of one type.
static void finish_values(Checker *c, SchemaNode *node, SchemaList args)
{
  Scalar common = SCALAR_NONE;
  for (uint32_t i = 0; i < args.count; i++) {
    args.items[i] = value_of(c, args.items[i], "this argument");
    Scalar type = args.items[i]->type.scalar;
    if (type == SCALAR_NONE)
      return;
    common = i == 0 ? (schema_is_weak(type) ? type : schema_promoted(type)) : checker_common(args.items[0], args.items[i], common, type);
  }
  SchemaCallClass class = schema_builtin_info(node->builtin)->class;
  Scalar type = checker_argument_type(node->builtin, common);
  if (class == CALL_CLASS_TEST)
    type = checker_settled(type);
  node->type = value_type(class == CALL_CLASS_TEST ? SCALAR_BOOL : type);
  for (uint32_t i = 0; !schema_is_weak(type) && i < args.count; i++)
    args.items[i] = bring(c, args.items[i], type);
}

// A literal that is not below 0.
static bool is_natural(const SchemaNode *node)
{
  return node->kind == SCHEMA_literal && !SCHEMA_AS(literal, node)->value.is_negative;
}

// The one argument of a function of bits.
static void finish_bits(Checker *c, SchemaNode *node, SchemaList args)
{
  const SchemaBuiltinInfo *info = schema_builtin_info(node->builtin);
  bool is_as = info->class == CALL_CLASS_AS;
  args.items[0] = value_of(c, args.items[0], "this argument");
  Scalar type = args.items[0]->type.scalar, to = is_as ? schema_as_type(node->builtin) : SCALAR_NONE;
  node->type = value_type(to);
  if (type == SCALAR_NONE)
    return;
  uint32_t bytes = is_as ? scalar_info(to)->bytes : 0;
  Scalar found = !schema_is_weak(type)        ? schema_promoted(type)
                 : type == SCALAR_WEAK_FLOAT  ? (bytes == 8 ? SCALAR_F64 : SCALAR_F32)
                 : !is_as                     ? checker_alone(args.items[0], type)
                 : is_natural(args.items[0])  ? (bytes == 8 ? SCALAR_U64 : SCALAR_U32)
                                              : (bytes == 8 ? SCALAR_I64 : SCALAR_I32);
  if (!is_as && scalar_is_float(found)) {
    diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "`%s` is for integers; here it has `%s`", info->name, scalar_name(found)), "the bits of an f32 are `as_u32(x)`");
    return;
  }
  if (is_as && scalar_info(found)->bytes != bytes) {
    diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "`%s` takes a number of %u bits; here it has `%s`", info->name, 8 * bytes, scalar_name(found)),
              "cast it to a type of %u bits before, or take `as_%c%u`", 8 * bytes, scalar_name(to)[0], 8 * scalar_info(found)->bytes);
    return;
  }
  args.items[0] = bring(c, args.items[0], found);
  node->type = value_type(is_as ? to : found);
}

static SchemaNode *finish_builtin(Checker *c, SchemaNode *node, SchemaList *args, bool at_zero, bool is_statement)
{
  const SchemaBuiltinInfo *info = schema_builtin_info(node->builtin);
  if (at_zero && args->count == 2) {  // (array, value): the index 0 is put in
    SchemaNode **items = arena_array(c->arena, SchemaNode *, 3), *zero = schema_node(c->arena, SCHEMA_literal, node->place);
    SCHEMA_AS(literal, zero)->value.kind = LITERAL_INT;
    items[0] = args->items[0], items[1] = zero, items[2] = args->items[1];
    *args = (SchemaList){items, 3};
  } else if (at_zero) {
    check_count(c, node, info->name, args->count, 2, 2, "(array, value): the index is 0");
    return node;
  }
  if (!check_count(c, node, info->name, args->count, (uint32_t)info->least, (uint32_t)info->most, info->doc))
    return node;
  switch (info->class) {
  case CALL_CLASS_ID: finish_id(c, node, *args); break;
  case CALL_CLASS_ATOMIC:
    c->function->uses_atomics = true;
    finish_atomic(c, node, *args);
    return is_statement ? node : loaded(c, node);
  case CALL_CLASS_BARRIER:
    c->function->uses_groups = true;
    if (!is_statement)
      diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "`barrier()` has no value; it is a statement of its own"),
                "put it on a line of its own");
    break;
  case CALL_CLASS_FLOAT:
  case CALL_CLASS_NUMBER:
  case CALL_CLASS_TEST: finish_values(c, node, *args); break;
  case CALL_CLASS_INTEGER:
  case CALL_CLASS_AS: finish_bits(c, node, *args); break;
  }
  if (is_statement && info->class != CALL_CLASS_ATOMIC && info->class != CALL_CLASS_BARRIER) {
    Diag *diag = refuse(c, node->place, E_SCHEMA_SYNTAX, "the value of `%s` is not used, so the call does nothing", info->name);
    diag_help(diag, "assign it to a name");
  }
  return node;
}

// "its parameters are a, b"
static const char *params_text(Checker *c, const SchemaFunction *function)
{
  StrBuf text = strbuf_new(c->arena);
  strbuf_puts(&text, function->params.count ? "its parameters are " : "it has no parameters");
  for (size_t i = 0; i < function->params.count; i++)
    strbuf_printf(&text, "%s`%s`", i ? ", " : "", function->params.items[i]->name->str.data);
  return strbuf_cstr(&text);
}

static void refuse_levels(Checker *c, SchemaPlace place)
{
  diag_help(refuse(c, place, E_SCHEMA_CALL, "helpers call each other through too many levels"), "join some of them");
}

static void finish_helper_call(Checker *c, SchemaNode *node, const Name *name, SchemaList args, bool is_statement)
{
  for (uint32_t i = 0; i < args.count; i++)
    args.items[i] = finish(c, args.items[i]);
  const FunctionState *named = map_get(&c->functions, name->str);
  uint32_t wanted = (uint32_t)named->function->params.count;
  if (!check_count(c, node, name->str.data, args.count, wanted, wanted, args.count == wanted ? "" : params_text(c, named->function)))
    return;
  if (named->function->is_kernel) {
    Diag *diag = refuse(c, node->place, E_SCHEMA_CALL, "`%s` is a kernel and cannot be called by another function", name->str.data);
    diag_help(diag, "with the decorator `@inline` it is a helper");
    return;
  }
  FunctionState *helper = checker_helper(c, name, args);
  if (helper && helper->progress == PROGRESS_UNDERWAY) {
    Diag *diag = refuse(c, node->place, E_SCHEMA_CALL, "`%s` calls itself, directly or through others", name->str.data);
    diag_help(diag, "write it as a loop");
    return;
  }
  if (!helper)
    return;
  if (!checker_check_function(c, helper)) {
    c->failed = true;
    return;
  }
  SchemaFunction *callee = helper->function;
  uint32_t levels = c->nested - c->entered + callee->levels;
  if (levels > MOST_NESTED) {
    refuse_levels(c, node->place);
    return;
  }
  c->function->levels = levels > c->function->levels ? levels : c->function->levels;
  node->callee = callee;
  for (uint32_t i = 0; i < args.count; i++) {
    SchemaVar *param = callee->params.items[i];
    SchemaNode *arg = args.items[i];
    if (param->type.is_array) {
      bool fits = arg->kind == SCHEMA_var && arg->type.is_array && arg->type.scalar == param->type.scalar;
      if (!fits && arg->type.scalar != SCALAR_NONE)
        diag_help(refuse(c, arg->place, E_SCHEMA_TYPE, "`%s` of `%s` is an array of `%s`", param->name->str.data, callee->name->str.data,
               scalar_name(param->type.scalar)),
                "give it such an array; a helper whose parameters have no types takes any");
    } else if (arg->type.is_array) {
      diag_help(refuse(c, arg->place, E_SCHEMA_TYPE, "`%s` of `%s` is a number, not an array", param->name->str.data, callee->name->str.data),
                "an element of it is `a[i]`");
    } else {
      args.items[i] = convert(c, arg, param->type.scalar, "the parameter");
    }
  }
  node->type = callee->returns;
  if (scalar_is_float(node->type.scalar))
    node->type.scalar = schema_promoted(node->type.scalar);
  if (!is_statement && callee->returns.scalar == SCALAR_NONE)
    diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "`%s` returns no value", callee->name->str.data),
                "call it in a statement of its own, or let it `return` one");
  c->function->dims = c->function->dims > callee->dims ? c->function->dims : callee->dims;
  c->function->uses_atomics |= callee->uses_atomics;
  c->function->uses_groups |= callee->uses_groups;
}

static SchemaNode *finish_call(Checker *c, SchemaNode *node, const Name **name, SchemaList *args, bool is_statement)
{
  if (checker_calls_file(c, *name)) {
    finish_helper_call(c, node, *name, *args, is_statement);
    if (node->callee)
      *name = node->callee->name;
    return node;
  }
  bool at_zero = false;
  node->builtin = schema_builtin_find((*name)->str, &at_zero);
  if (node->builtin == BUILTIN_NONE) {
    Diag *diag = refuse(c, node->place, E_SCHEMA_NAME, "no function `%s` can be called in a kernel", (*name)->str.data);
    const char *names[BUILTIN_COUNT];
    for (SchemaBuiltin i = 0; i < BUILTIN_COUNT; i++)
      names[i] = schema_builtin_info(i)->name;
    const char *help = schema_foreign_help((*name)->str);
    if (help) {
      diag_help(diag, "%s", help);
      return node;
    }
    diag_suggest(diag, (*name)->str, names, BUILTIN_COUNT);
    diag_help(diag, "`klr list schema` shows the functions; one of this file needs the decorator `@inline`");
    return node;
  }
  *name = name_intern(&c->file->session->names, str_from(schema_builtin_info(node->builtin)->name));
  return finish_builtin(c, node, args, at_zero, is_statement);
}

static SchemaNode *finish_expr(Checker *c, SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_literal:
    if (node->type.scalar == SCALAR_NONE)
      node->type = value_type(checker_type_of(c, node));
    else if (!schema_literal_fits(&SCHEMA_AS(literal, node)->value, node->type.scalar))
      refuse_literal(c, node, node->type.scalar);
    return node;
  case SCHEMA_var: return finish_var(c, node);
  case SCHEMA_binary_op: return finish_binary(c, node);
  case SCHEMA_unary_op: return finish_unary(c, node);
  case SCHEMA_if_expr: return finish_if_expr(c, node);
  case SCHEMA_index: return loaded(c, finish_index(c, node));
  case SCHEMA_call: return finish_call(c, node, &SCHEMA_AS(call, node)->function, &SCHEMA_AS(call, node)->args, false);
  case SCHEMA_cast: {
    Schema_cast *cast = SCHEMA_AS(cast, node);
    // A checked tree's own cast of a load is the load of type f32 here: the element itself is below it.
    cast->value = cast->value->kind == SCHEMA_index ? finish_index(c, cast->value) : value_of(c, cast->value, "what is cast");
    if (cast->value->type.scalar != SCALAR_NONE && schema_is_weak(cast->value->type.scalar)) {
      bool is_of_type = cast->to == SCALAR_U64 && cast->value->kind == SCHEMA_literal && schema_literal_fits(&SCHEMA_AS(literal, cast->value)->value, SCALAR_U64);
      cast->value = settle(c, cast->value, is_of_type ? SCALAR_U64 : checker_alone(cast->value, cast->value->type.scalar));
    }
    node->type = value_type(cast->to);
    bool loads_narrow = cast->value->kind == SCHEMA_index && cast->to != SCALAR_F32;
    if (loads_narrow)
      cast->value = loaded(c, cast->value);
    return cast->value->type.scalar == cast->to ? cast->value : node;
  }
  default: break;
  }
  bug("`%s` is no expression", schema_kind_info(node->kind).json);
}

// One level more; every function knows how many it has, with those of the functions that it calls.
static void go_deeper(Checker *c)
{
  uint32_t levels = ++c->nested - c->entered;
  if (levels > c->function->levels)
    c->function->levels = levels;
}

static SchemaNode *finish(Checker *c, SchemaNode *node)
{
  go_deeper(c);
  node = finish_expr(c, node);
  c->nested--;
  return node;
}

// ---- statements

static void finish_list(Checker *c, SchemaList list);

static void finish_assign(Checker *c, SchemaNode *node)
{
  Schema_assign *s = SCHEMA_AS(assign, node);
  s->value = value_of(c, s->value, "this value");
  if (s->target->kind == SCHEMA_index) {
    s->target = finish_index(c, s->target);
  } else if (s->target->kind == SCHEMA_var) {
    s->target = finish_var(c, s->target);
    const SchemaVar *var = s->target->var;
    if (s->target->kind != SCHEMA_var || (var && (var->kind == VAR_CONSTANT || var->type.is_array))) {
      diag_help(refuse(c, s->target->place, E_SCHEMA_TYPE, "%s cannot be assigned", var && var->type.is_array ? "an array" : "a constant of the file"),
                "%s", var && var->type.is_array ? "one of its elements can: `a[i] = ...`" : "use a local name");
      return;
    }
  } else {
    diag_help(refuse(c, s->target->place, E_SCHEMA_SYNTAX, "only names and elements of arrays can be assigned"),
                "results go to an array: `out[i] = ...`");
    return;
  }
  s->value = convert(c, s->value, s->target->type.scalar, s->target->kind == SCHEMA_index ? "the array's element" : "the name");
}

static void finish_for(Checker *c, SchemaNode *node)
{
  Schema_for *s = SCHEMA_AS(for, node);
  if (node->var->type.is_array)
    diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "an array cannot be assigned"),
                "one of its elements can: `a[i] = ...`");
  s->start = index_of(c, s->start), s->stop = index_of(c, s->stop), s->step = index_of(c, s->step);
  if (s->step->kind != SCHEMA_literal || SCHEMA_AS(literal, s->step)->value.magnitude == 0) {
    Diag *diag = refuse(c, s->step->place, E_SCHEMA_SYNTAX, "the step of a loop is a literal that is not 0");
    diag_help(diag, "a `while` loop can count by anything");
  }
  c->loops++;
  finish_list(c, s->body);
  c->loops--;
}

static void finish_return(Checker *c, SchemaNode *node)
{
  Schema_return *s = SCHEMA_AS(return, node);
  if (!s->value)
    return;  // of helpers with a value flow.c tells it
  s->value = value_of(c, s->value, "what is returned");
  if (c->function->is_kernel) {
    Diag *diag = refuse(c, s->value->place, E_SCHEMA_SYNTAX, "a kernel returns no value");
    diag_help(diag, "results go to an array: `out[i] = ...`");
    return;
  }
  s->value = convert(c, s->value, c->function->returns.scalar, "what the function returns");
}

static void finish_shared(Checker *c, SchemaNode *node)
{
  Schema_shared *s = SCHEMA_AS(shared, node);
  c->function->uses_groups = true;
  const SchemaLiteral *size = s->size->kind == SCHEMA_literal ? &SCHEMA_AS(literal, s->size)->value : NULL;
  if (!c->function->is_kernel)
    diag_help(refuse(c, node->place, E_SCHEMA_SYNTAX, "shared arrays are declared in kernels; a helper can take one as an argument"),
                "declare it in the kernel, and give the helper a parameter for it");
  else if (c->depth > 1)
    diag_help(refuse(c, node->place, E_SCHEMA_SYNTAX, "shared arrays are declared at the top of a kernel's body"),
                "declare it before the loop or the condition");
  else if (!size || size->kind != LITERAL_INT || size->is_negative || size->magnitude < 1 || size->magnitude > (1u << 20))
    diag_help(refuse(c, s->size->place, E_SCHEMA_SYNTAX, "the size of a shared array is a literal of 1 to %u elements", 1u << 20),
                "a constant of the file can stand for the literal: SIZE = 256");
  else if ((c->shared_bytes += size->magnitude * scalar_info(s->element_type)->bytes) > MOST_SHARED_BYTES)
    diag_help(refuse(c, node->place, E_SCHEMA_SYNTAX, "the shared arrays of a kernel have more than %d bytes together", MOST_SHARED_BYTES),
              "a group needs little: an element for each of its threads");
  else
    s->size->type = value_type(SCALAR_I64);
}

// The whole-array forms: arrays, an operation, a count.
static void finish_whole(Checker *c, SchemaNode *node)
{
  SchemaWhole whole;
  if (!c->function->is_kernel || c->depth > 1)
    diag_help(refuse(c, node->place, E_SCHEMA_SYNTAX, "`%s` stands at the top of a kernel's body", schema_kind_info(node->kind).json),
                "the whole kernel runs it once, not each thread: put it outside of conditions, loops and helpers");
  const char *wrong = schema_whole_of(node, &whole);
  if (wrong)
    diag_help(refuse(c, node->place, E_SCHEMA_CALL, "%s", wrong), "write its name in quotes");
  c->function->has_whole = true;
  for (uint32_t i = 0; i < whole.array_count; i++) {
    SchemaNode *array = *whole.arrays[i] = finish(c, *whole.arrays[i]);
    if (array->kind != SCHEMA_var || !array->type.is_array)
      diag_help(refuse(c, array->place, E_SCHEMA_TYPE, "`%s` works on arrays; this is none", schema_kind_info(node->kind).json),
                "give it an array's name");
    else if (i == whole.indices && !scalar_is_integer(array->type.scalar))
      diag_help(refuse(c, array->place, E_SCHEMA_TYPE, "indices are integers; `%s` holds `%s`", array->var->name->str.data, scalar_name(array->type.scalar)),
                "indices are in an array of integers, such as `DeviceArray[u32]`");
    else if (i != whole.indices && array->type.scalar != (*whole.arrays[0])->type.scalar)
      diag_help(refuse(c, array->place, E_SCHEMA_TYPE, "the arrays hold `%s` and `%s`, not one type", scalar_name((*whole.arrays[0])->type.scalar),
             scalar_name(array->type.scalar)),
                "copy one into an array of the other's type, element by element");
  }
  *whole.count = index_of(c, *whole.count);
}

static void finish_stmt(Checker *c, SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_let: {
    Schema_let *s = SCHEMA_AS(let, node);
    if (node->var->type.is_array) {
      diag_help(refuse(c, node->place, E_SCHEMA_TYPE, "an array cannot be assigned"),
                "one of its elements can: `a[i] = ...`");
      return;
    }
    s->value = convert(c, value_of(c, s->value, "this value"), node->var->type.scalar, "the name");
    s->dtype = node->var->type.scalar;
    return;
  }
  case SCHEMA_assign: finish_assign(c, node); return;
  case SCHEMA_if: {
    Schema_if *s = SCHEMA_AS(if, node);
    s->condition = condition_of(c, s->condition);
    finish_list(c, s->then_body), finish_list(c, s->else_body);
    return;
  }
  case SCHEMA_for: finish_for(c, node); return;
  case SCHEMA_while:
    SCHEMA_AS(while, node)->condition = condition_of(c, SCHEMA_AS(while, node)->condition);
    c->loops++;
    finish_list(c, SCHEMA_AS(while, node)->body);
    c->loops--;
    return;
  case SCHEMA_break:
  case SCHEMA_continue:
    if (!c->loops)
      diag_help(refuse(c, node->place, E_SCHEMA_SYNTAX, "`%s` outside of a loop", schema_kind_info(node->kind).json),
                "%s", node->kind == SCHEMA_break ? "`return` leaves the function" : "`return` ends what this thread does");
    return;
  case SCHEMA_return: finish_return(c, node); return;
  case SCHEMA_perform: {
    Schema_perform *s = SCHEMA_AS(perform, node);
    finish_call(c, node, &s->function, &s->args, true);
    return;
  }
  case SCHEMA_shared: finish_shared(c, node); return;
  default: break;
  }
  if (!schema_kind_info(node->kind).is_statement)
    bug("`%s` is no statement", schema_kind_info(node->kind).json);
  finish_whole(c, node);
}

static void finish_list(Checker *c, SchemaList list)
{
  c->depth++, go_deeper(c);
  for (uint32_t i = 0; i < list.count; i++)
    finish_stmt(c, list.items[i]);
  c->depth--, c->nested--;
}

// ---- functions

// What the function for these types is called: `sq_f32`, and `sq_f32_2` when the file has a `sq_f32` already. It is no name of a builtin
// either, which calls may mean: so a document says the same when it is read again.
static const Name *instance_name(Checker *c, const SchemaFunction *function)
{
  bool at_zero;
  StrBuf name = strbuf_new(c->arena);
  strbuf_add(&name, function->name->str.data, function->name->str.len);
  for (size_t i = 0; i < function->params.count; i++) {
    SchemaType type = function->params.items[i]->type;
    strbuf_printf(&name, "_%s%s", type.is_array ? "a" : "", scalar_name(type.scalar));
  }
  size_t len = name.len;
  for (uint32_t i = 2; map_get(&c->functions, strbuf_str(&name)) || map_get(&c->made, strbuf_str(&name)) ||
                       schema_builtin_find(strbuf_str(&name), &at_zero) != BUILTIN_NONE; i++) {
    name.len = len;
    strbuf_printf(&name, "_%u", i);
  }
  const Name *made = name_intern(&c->file->session->names, strbuf_str(&name));
  map_set(&c->made, made->str, (void *)made);
  return made;
}

static SchemaFunction *instance_of(Checker *c, const SchemaFunction *generic, const SchemaType *types)
{
  SchemaFunction *function = arena_new(c->arena, SchemaFunction);
  *function = *generic;
  memset(&function->params, 0, sizeof function->params);
  for (size_t i = 0; i < generic->params.count; i++) {
    SchemaVar *param = arena_new(c->arena, SchemaVar);
    *param = *generic->params.items[i];
    param->type = types[i];
    vec_push(c->arena, &function->params, param);
  }
  function->name = instance_name(c, function);
  function->body = schema_clone_list(c->arena, generic->body);
  return function;
}

static FunctionState *state_of(Checker *c, SchemaFunction *function)
{
  FunctionState *state = arena_new(c->arena, FunctionState);
  state->function = function;
  state->names = map_new(c->arena);
  for (size_t i = 0; i < function->params.count; i++)
    state->is_generic |= function->params.items[i]->type.scalar == SCALAR_NONE;
  return state;
}

// The function that a call of `name` means: itself, or its instance for the arguments' types. NULL: one of them is not known.
FunctionState *checker_helper(Checker *c, const Name *name, SchemaList args)
{
  FunctionState *state = map_get(&c->functions, name->str);
  if (!state->is_generic)
    return state;
  SchemaType *types = arena_array(c->arena, SchemaType, args.count + 1);
  if (args.count != state->function->params.count)
    return NULL;
  for (uint32_t i = 0; i < args.count; i++) {
    SchemaVar *array = checker_array_of(c, args.items[i]);
    Scalar scalar = array ? array->type.scalar : checker_alone(args.items[i], checker_type_of(c, args.items[i]));
    if (scalar == SCALAR_NONE)
      return NULL;
    types[i] = (SchemaType){array || scalar == SCALAR_BOOL ? scalar : schema_promoted(scalar), array != NULL};
    if (state->function->params.items[i]->type.scalar != SCALAR_NONE)
      types[i] = state->function->params.items[i]->type;
  }
  for (size_t i = 0; i < state->instances.count; i++) {
    const SchemaFunction *made = state->instances.items[i]->function;
    bool same = true;
    for (uint32_t k = 0; k < args.count; k++) {
      SchemaType type = made->params.items[k]->type;
      same &= type.scalar == types[k].scalar && type.is_array == types[k].is_array;
    }
    if (same)
      return state->instances.items[i];
  }
  if (state->instances.count >= MOST_INSTANCES) {
    diag_help(refuse(c, state->function->place, E_SCHEMA_CALL, "`%s` is called with more than %d combinations of types", name->str.data, MOST_INSTANCES),
                "give its parameters types");
    return NULL;
  }
  FunctionState *instance = state_of(c, instance_of(c, state->function, types));
  vec_push(c->arena, &state->instances, instance);
  return instance;
}

static void declare_params(Checker *c, FunctionState *state)
{
  for (size_t i = 0; i < state->function->params.count; i++) {
    SchemaVar *param = state->function->params.items[i];
    if (map_get(&state->names, param->name->str))
      diag_help(refuse(c, param->place, E_SCHEMA_NAME, "two parameters are called `%s`", param->name->str.data),
                "give one of them another name");
    param->index = (uint32_t)i;
    map_set(&state->names, param->name->str, param);
  }
}

// What the function does with the elements of an array.
static void note_use(SchemaNode *array, bool reads, bool writes)
{
  if (!array->var || array->var->kind != VAR_PARAMETER)
    return;
  SchemaDirection was = array->var->direction;
  reads |= was == DIRECTION_IN || was == DIRECTION_INOUT, writes |= was == DIRECTION_OUT || was == DIRECTION_INOUT;
  array->var->direction = reads && writes ? DIRECTION_INOUT : writes ? DIRECTION_OUT : reads ? DIRECTION_IN : was;
}

static void note_call(SchemaBuiltin builtin, const SchemaFunction *callee, SchemaList args)
{
  if (builtin != BUILTIN_NONE && schema_builtin_info(builtin)->class == CALL_CLASS_ATOMIC)
    note_use(args.items[0], true, true);
  for (uint32_t i = 0; callee && i < args.count; i++) {
    SchemaDirection direction = callee->params.items[i]->direction;
    if (args.items[i]->type.is_array)
      note_use(args.items[i], direction == DIRECTION_IN || direction == DIRECTION_INOUT,
               direction == DIRECTION_OUT || direction == DIRECTION_INOUT);
  }
}

static void note_uses(SchemaNode *node, void *context)
{
  (void)context;
  SchemaWhole whole;
  if (node->kind == SCHEMA_index)
    note_use(SCHEMA_AS(index, node)->array, true, false);
  else if (node->kind == SCHEMA_call)
    note_call(node->builtin, node->callee, SCHEMA_AS(call, node)->args);
  else if (node->kind == SCHEMA_perform)
    note_call(node->builtin, node->callee, SCHEMA_AS(perform, node)->args);
  else if (!schema_whole_of(node, &whole))
    for (uint32_t i = 0; i < whole.array_count; i++)
      note_use(*whole.arrays[i], i != whole.output, i == whole.output);
}

// A stored element is no read: walks around the targets of assignments.
static void note_directions(SchemaList list);

static void note_statement(SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_assign: {
    Schema_assign *s = SCHEMA_AS(assign, node);
    schema_walk(s->value, note_uses, NULL);
    if (s->target->kind == SCHEMA_index) {
      schema_walk(SCHEMA_AS(index, s->target)->index, note_uses, NULL);
      note_use(SCHEMA_AS(index, s->target)->array, false, true);
    }
    return;
  }
  case SCHEMA_if:
    schema_walk(SCHEMA_AS(if, node)->condition, note_uses, NULL);
    note_directions(SCHEMA_AS(if, node)->then_body), note_directions(SCHEMA_AS(if, node)->else_body);
    return;
  case SCHEMA_for:
    schema_walk(SCHEMA_AS(for, node)->start, note_uses, NULL), schema_walk(SCHEMA_AS(for, node)->stop, note_uses, NULL);
    note_directions(SCHEMA_AS(for, node)->body);
    return;
  case SCHEMA_while:
    schema_walk(SCHEMA_AS(while, node)->condition, note_uses, NULL);
    note_directions(SCHEMA_AS(while, node)->body);
    return;
  default: schema_walk(node, note_uses, NULL); return;
  }
}

static void note_directions(SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++)
    note_statement(list.items[i]);
}

static bool is_too_deep(Checker *c)
{
  const SchemaNode *node = schema_find_too_deep(c->function->body);
  if (node)
    diag_help(refuse(c, node->place, E_SCHEMA_SYNTAX, "expressions and statements are nested deeper than %d levels", SCHEMA_DEEPEST),
                "name a part of it and use the name");
  return node != NULL;
}

static void check_body(Checker *c)
{
  SchemaFunction *function = c->function;
  memset(&function->locals, 0, sizeof function->locals);
  declare_params(c, c->state);
  if (is_too_deep(c))
    return;
  schema_walk_list(function->body, collect_name, c);
  checker_infer_locals(c);
  finish_list(c, function->body);
  // Only now are all casts in it.
  if (c->failed || !schema_check_flow(c->file, function) || !schema_check_barriers(c->file, function) || is_too_deep(c)) {
    c->failed = true;
    return;
  }
  note_directions(function->body);
  schema_find_grid(c->file, function);
  vec_push(c->arena, &c->file->checked, function);
}

bool checker_check_function(Checker *c, FunctionState *state)
{
  if (state->progress != PROGRESS_NONE)
    return state->progress == PROGRESS_DONE && !state->failed;
  Checker outer = *c;
  state->progress = PROGRESS_UNDERWAY;
  c->state = state, c->function = state->function, c->loops = c->depth = 0, c->shared_bytes = 0, c->failed = false;
  c->entered = c->nested, c->function->levels = 0;
  c->nested += NESTED_OF_CALL;
  if (c->nested > MOST_NESTED)
    refuse_levels(c, c->function->place);
  else
    check_body(c);
  state->failed = c->failed;
  state->progress = PROGRESS_DONE;
  c->state = outer.state, c->function = outer.function, c->loops = outer.loops, c->depth = outer.depth, c->nested = outer.nested, c->entered = outer.entered, c->shared_bytes = outer.shared_bytes;
  c->changed = outer.changed, c->failed = outer.failed;
  return !state->failed;
}

// A helper that is called as a builtin is: calls of that builtin by another of its names stay calls of the builtin, so the helper gets a name of
// its own.
static void rename_shadowing(Checker *c, SchemaFunction *function)
{
  bool at_zero;
  if (!function->is_kernel && schema_builtin_find(function->name->str, &at_zero) != BUILTIN_NONE)
    function->name = instance_name(c, function);
}

static void declare_functions(Checker *c)
{
  for (size_t i = 0; i < c->file->functions.count; i++) {
    SchemaFunction *function = c->file->functions.items[i];
    if (map_get(&c->functions, function->name->str))
      diag_help(refuse(c, function->place, E_SCHEMA_NAME, "two functions are called `%s`", function->name->str.data),
                "give one of them another name");
    else
      map_set(&c->functions, function->name->str, state_of(c, function));
  }
  for (size_t i = 0; i < c->functions.count; i++) {
    const FunctionState *state = c->functions.entries[i].value;
    if (!state->is_generic)
      rename_shadowing(c, state->function);
  }
}

bool schema_check(SchemaFile *file)
{
  Checker c = {.file = file, .arena = file->arena, .functions = map_new(file->arena), .made = map_new(file->arena)};
  memset(&file->checked, 0, sizeof file->checked);
  declare_functions(&c);
  bool ok = !c.failed;
  for (size_t i = 0; i < c.functions.count; i++) {
    FunctionState *state = c.functions.entries[i].value;
    if (!state->is_generic)
      ok &= checker_check_function(&c, state);
  }
  if (!ok)
    return false;
  // Helpers stand before their callers now, and instances in the place of what they are made from.
  memcpy(&file->functions, &file->checked, sizeof file->functions);
  return file->is_checked = schema_claims_hold(file);
}
