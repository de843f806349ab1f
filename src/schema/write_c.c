// write_c.c -- scalar kernels as C.
//
// A kernel becomes a body over a range of threads that is inlined into one function for each instruction set:
//
//   KLR_BODY void scale_body(arguments, grid, begin, end, partials, fault) { for each thread of [begin, end) { its statements } }
//
// A thread that ends early goes to `klr_next`. A guard that only says what the grid says becomes the loop's bound, so that the loop can become
// vectors. Reductions have 16 lanes a block of threads; kernels with barriers run region by region over the threads of a group, their local
// names being arrays by thread. Statements on whole arrays are loops.

#include "schema/write_c.h"
#include "base/bug.h"
#include "schema/json.h"
#include "schema/reduce.h"
#include "schema/strips.h"
#include "schema/whole.h"
#include "trace/module.h"

#include <inttypes.h>
#include <math.h>
#include <xxhash.h>

extern const EmbeddedModule embedded_run_time[];

// An array that a kernel only adds to by atomics, at any element: see write_tallies.
typedef Vec(const SchemaVar *) Tallies;

typedef struct Writer {
  Arena *arena;
  StrBuf *out;
  const SchemaFile *file;
  const SchemaFunction *function;
  const char *stage;   // what functions of a stage are called besides the kernel's name: "", "_1" ...
  SchemaReductions reductions;
  Tallies tallies;
  SchemaStrips *strips;  // NULL: threads are not in rows
  bool in_strip;         // some local names are arrays by lane
  int indent;
  uint32_t line;       // of the Python source, as #line has said last
  bool in_group;       // local names are arrays by thread
  bool plain_return;   // in a helper
  bool *marked;        // locals by index, for mark_values
  uint32_t labels, region;  // `region`: the label at the end of the region being written
} Writer;

static void write_expr(Writer *w, const SchemaNode *node);
static void write_list(Writer *w, SchemaList list);

// ---- text

static void put(Writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(Writer *w, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  strbuf_puts(w->out, arena_vprintf(w->arena, format, args));
  va_end(args);
}

static void start_line(Writer *w)
{
  strbuf_repeat(w->out, ' ', (size_t)(2 * w->indent));
}

static void put_line(Writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put_line(Writer *w, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  start_line(w);
  strbuf_puts(w->out, arena_vprintf(w->arena, format, args));
  strbuf_putc(w->out, '\n');
  va_end(args);
}

static void put_text(Writer *w, Str text)
{
  strbuf_putc(w->out, '"');
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c == '"' || c == '\\')
      strbuf_printf(w->out, "\\%c", c);
    else if (c == '\n')
      strbuf_puts(w->out, i + 1 < text.len ? "\\n\"\n  \"" : "\\n");
    else if (c < ' ' || c > '~' || c == '?')
      strbuf_printf(w->out, "\\%03o", c);
    else
      strbuf_putc(w->out, (char)c);
  }
  strbuf_putc(w->out, '"');
}

// Where the statement stands in the Python source, for debuggers, sanitizers and messages of the compiler.
static void put_place(Writer *w, SchemaPlace place)
{
  if (!place.line || place.line == w->line)
    return;
  w->line = place.line;
  strbuf_printf(w->out, "#line %u ", place.line);
  put_text(w, str_from(w->file->path[0] ? w->file->path : "kernel"));
  strbuf_putc(w->out, '\n');
}

// ---- names

// A name that C or the text around it has already gets an underscore.
static bool is_taken(Str name)
{
  static const char *const WORDS[] = {
      "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline",
      "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void",
      "volatile", "while", "asm", "typeof", "NAN", "INFINITY", "HUGE_VAL", "HUGE_VALF", "HUGE_VALL", "linux", "unix", "signgam", "memcpy", "malloc", "free"};
  for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
    if (str_is(name, WORDS[i]))
      return true;
  bool is_macro = name.len > 2 && name.data[0] >= 'A' && name.data[0] <= 'Z';
  for (size_t i = 0; i < name.len; i++)
    is_macro &= (name.data[i] >= 'A' && name.data[i] <= 'Z') || (name.data[i] >= '0' && name.data[i] <= '9') || name.data[i] == '_';
  return is_macro || str_starts_with(name, "klr") || str_starts_with(name, "__") || str_ends_with(name, "_t") || str_ends_with(name, "_");
}

static void put_name(Writer *w, Str name)
{
  for (size_t i = 0; i < name.len; i++) {
    unsigned char c = (unsigned char)name.data[i];
    if (c < 128)
      strbuf_putc(w->out, (char)c);
    else
      strbuf_printf(w->out, "_x%02x", c);
  }
  if (is_taken(name))
    strbuf_putc(w->out, '_');
}

static const char *c_type(Scalar scalar)
{
  return scalar_info(scalar)->c_type;
}

// ---- expressions

static void put_var(Writer *w, const SchemaVar *var)
{
  put_name(w, var->name->str);
  if (w->in_group && var->kind != VAR_SHARED && !var->type.is_array && (var->kind == VAR_LOCAL || var->assignments))
    strbuf_puts(w->out, "[klr_t]");
  if (w->in_strip && var->kind == VAR_LOCAL && w->strips->locals[var->index] == STRIP_LANES)
    strbuf_puts(w->out, "[klr_l]");
}

static void put_literal(Writer *w, Scalar type, const SchemaLiteral *literal)
{
  double real = literal->kind == LITERAL_FLOAT ? literal->real : literal->is_negative ? -(double)literal->magnitude : (double)literal->magnitude;
  if (scalar_is_float(type)) {
    const char *suffix = type == SCALAR_F64 ? "" : "f";
    if (isnan(real))
      put(w, "NAN");
    else if (isinf(real))
      put(w, "%sINFINITY", real < 0 ? "-" : "");
    else if (real == floor(real) && fabs(real) < 1e6 && !(real == 0 && signbit(real)))
      put(w, real < 0 ? "(%.1f%s)" : "%.1f%s", real, suffix);
    else
      put(w, real < 0 || signbit(real) ? "(%a%s)" : "%a%s", real, suffix);
    return;
  }
  if (type == SCALAR_BOOL) {
    put(w, "%d", literal->magnitude != 0);
    return;
  }
  const char *close = literal->is_negative ? ")" : "";
  const char *open = literal->is_negative ? "(-" : "";
  if (scalar_is_signed(type) && literal->is_negative && literal->magnitude >= UINT64_C(1) << (8 * scalar_info(type)->bytes - 1))
    put(w, "INT%u_MIN", 8 * scalar_info(type)->bytes);
  else if (type == SCALAR_I64 && literal->magnitude > INT32_MAX)
    put(w, "%sINT64_C(%" PRIu64 ")%s", open, literal->magnitude, close);
  else if (type == SCALAR_U64)
    put(w, "UINT64_C(%" PRIu64 ")", literal->magnitude);
  else
    put(w, "%s%" PRIu64 "%s%s", open, literal->magnitude, scalar_is_signed(type) ? "" : "u", close);
}

// array[index], or in checked builds the element if there is one.
static void put_element(Writer *w, const SchemaNode *array, const SchemaNode *index, uint32_t line)
{
  const SchemaVar *var = array->var;
  put(w, "KLR_ELEMENT(%s, ", c_type(array->type.scalar));
  put_name(w, var->name->str);
  put(w, ", ");
  write_expr(w, index);
  put(w, ", ");
  if (var->kind == VAR_SHARED)
    put(w, "%" PRIu64 "u, 0xffffffffu, %u)", var->size, line);
  else if (w->function->is_kernel)
    put(w, "klr_arguments[%u].count, %u, %u)", var->index, var->index, line);
  else {
    put_name(w, var->name->str);
    put(w, "_count, ");
    put_name(w, var->name->str);
    put(w, "_param, %u)", line);
  }
}

static const char *infix_of(SchemaBinary op, Scalar type)
{
  bool wraps = type == SCALAR_I32 || type == SCALAR_I64;  // signed overflow is for functions
  switch (op) {
  case BINARY_add: return wraps ? NULL : "+";
  case BINARY_sub: return wraps ? NULL : "-";
  case BINARY_mul: return wraps ? NULL : "*";
  case BINARY_div: return "/";
  case BINARY_bit_and: return "&";
  case BINARY_bit_or: return "|";
  case BINARY_bit_xor: return "^";
  case BINARY_and: return "&&";
  case BINARY_or: return "||";
  default: return schema_binary_info(op)->class == OP_CLASS_COMPARE ? schema_binary_info(op)->python : NULL;
  }
}

static void write_binary(Writer *w, const SchemaNode *node)
{
  StripPart part = w->strips ? schema_strip_part(w->strips, node) : STRIP_NO_PART;
  if (part != STRIP_NO_PART) {
    put(w, part == STRIP_REST ? "klr_rest" : "klr_quotient");
    return;
  }
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  const char *infix = infix_of(e->op, node->type.scalar);
  if (infix) {
    put(w, "(");
    write_expr(w, e->left);
    put(w, " %s ", infix);
    write_expr(w, e->right);
    put(w, ")");
    return;
  }
  bool is_shift = schema_binary_info(e->op)->class == OP_CLASS_SHIFT;
  put(w, "klr_%s_%s(", schema_binary_info(e->op)->name, scalar_name(node->type.scalar));
  write_expr(w, e->left);
  put(w, is_shift && e->right->type.scalar == SCALAR_U64 ? ", (int64_t)klr_min_u64(64, " : ", ");
  write_expr(w, e->right);
  put(w, is_shift && e->right->type.scalar == SCALAR_U64 ? "))" : ")");
}

static void write_unary(Writer *w, const SchemaNode *node)
{
  const Schema_unary_op *e = SCHEMA_AS(unary_op, node);
  switch (e->op) {
  case UNARY_pos: break;
  case UNARY_neg: put(w, "klr_neg_%s", scalar_name(node->type.scalar)); break;
  case UNARY_inv: put(w, "~"); break;
  case UNARY_not: put(w, "!"); break;
  case UNARY_COUNT: bug("no operator");
  }
  put(w, "(");
  write_expr(w, e->operand);
  put(w, ")");
}

static void write_cast(Writer *w, const SchemaNode *node)
{
  const Schema_cast *e = SCHEMA_AS(cast, node);
  Scalar from = e->value->type.scalar, to = e->to;
  const bool is_widened = from == SCALAR_F16 || from == SCALAR_BF16;  // to f32, which becomes what is wanted
  const char *open = "(", *close = ")";
  if (is_widened && to == SCALAR_F32) {
    open = "", close = "";
  } else if (to == SCALAR_F16 || to == SCALAR_BF16) {
    put(w, "klr_f32_to_%s((float)", scalar_name(to)), close = "))";
  } else if (to == SCALAR_BOOL) {
    open = "((", close = ") != 0)";
  } else if (scalar_is_float(from) && scalar_is_integer(to)) {
    put(w, "klr_cast_%s_%s", scalar_name(is_widened ? SCALAR_F32 : from), scalar_name(to));
  } else {
    put(w, "((%s)", c_type(to)), close = "))";
  }
  put(w, "%s", open);
  if (is_widened)
    put(w, "klr_%s_to_f32(", scalar_name(from));
  write_expr(w, e->value);
  put(w, is_widened ? ")%s" : "%s", close);
}

static void write_id(Writer *w, SchemaBuiltin builtin, SchemaList args)
{
  unsigned d = args.count ? (unsigned)SCHEMA_AS(literal, args.items[0])->value.magnitude : 0;
  switch (builtin) {
  case BUILTIN_get_global_id: put(w, "klr_id%u", d); return;
  case BUILTIN_get_local_id: put(w, "(klr_id%u %% (int64_t)klr_grid->local[%u])", d, d); return;
  case BUILTIN_get_group_id: put(w, "(klr_id%u / (int64_t)klr_grid->local[%u])", d, d); return;
  case BUILTIN_get_global_size: put(w, "((int64_t)klr_grid->size[%u])", d); return;
  case BUILTIN_get_local_size: put(w, "((int64_t)klr_grid->local[%u])", d); return;
  case BUILTIN_get_num_groups:
    put(w, "((int64_t)((klr_grid->size[%u] + klr_grid->local[%u] - 1) / klr_grid->local[%u]))", d, d, d);
    return;
  default: bug("id %d", (int)builtin);
  }
}

static void write_args(Writer *w, SchemaList args, uint32_t from)
{
  for (uint32_t i = from; i < args.count; i++) {
    put(w, i > from ? ", " : "");
    write_expr(w, args.items[i]);
  }
}

static void write_helper_call(Writer *w, const SchemaNode *node, SchemaList args)
{
  Scalar returns = node->callee->returns.scalar;
  bool is_narrow = returns == SCALAR_F16 || returns == SCALAR_BF16;
  put(w, is_narrow ? "klr_%s_to_f32(" : "%s", is_narrow ? scalar_name(returns) : "");
  put(w, "helper_");
  put_name(w, node->callee->name->str);
  put(w, "(KLR_THREAD");
  for (uint32_t i = 0; i < args.count; i++) {
    put(w, ", ");
    const SchemaVar *var = args.items[i]->type.is_array ? args.items[i]->var : NULL;
    if (!var) {
      write_expr(w, args.items[i]);
      continue;
    }
    put_name(w, var->name->str);
    if (var->kind == VAR_SHARED)
      put(w, ", %" PRIu64 "u, 0xffffffffu", var->size);
    else if (w->function->is_kernel)
      put(w, ", klr_arguments[%u].count, %u", var->index, var->index);
    else {
      put(w, ", ");
      put_name(w, var->name->str);
      put(w, "_count, ");
      put_name(w, var->name->str);
      put(w, "_param");
    }
  }
  put(w, is_narrow ? "))" : ")");
}

static void write_call(Writer *w, const SchemaNode *node, SchemaList args)
{
  if (node->callee) {
    write_helper_call(w, node, args);
    return;
  }
  const SchemaBuiltinInfo *info = schema_builtin_info(node->builtin);
  switch (info->class) {
  case CALL_CLASS_ID: write_id(w, node->builtin, args); return;
  case CALL_CLASS_BARRIER: return;
  case CALL_CLASS_ATOMIC:
    put(w, "klr_%s_%s(&", info->name, scalar_name(args.items[0]->type.scalar));
    put_element(w, args.items[0], args.items[1], node->place.line);
    put(w, ", ");
    write_args(w, args, 2);
    put(w, ")");
    return;
  case CALL_CLASS_FLOAT:
  case CALL_CLASS_NUMBER:
  case CALL_CLASS_TEST: break;
  }
  // min and max of more than two: from the left.
  uint32_t folds = info->class == CALL_CLASS_NUMBER && args.count > 2 ? args.count - 2 : 0;
  for (uint32_t i = 0; i <= folds; i++)
    put(w, "klr_%s_%s(", info->name, scalar_name(args.items[0]->type.scalar));
  if (!folds) {
    write_args(w, args, 0);
    put(w, ")");
    return;
  }
  write_expr(w, args.items[0]);
  for (uint32_t i = 1; i < args.count; i++) {
    put(w, ", ");
    write_expr(w, args.items[i]);
    put(w, ")");
  }
}

static void write_expr(Writer *w, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_literal: put_literal(w, node->type.scalar, &SCHEMA_AS(literal, node)->value); return;
  case SCHEMA_var: put_var(w, node->var); return;
  case SCHEMA_index: {
    const Schema_index *e = SCHEMA_AS(index, node);
    put(w, node->type.scalar == SCALAR_BOOL ? "(" : "");
    put_element(w, e->array, e->index, node->place.line);
    put(w, node->type.scalar == SCALAR_BOOL ? " != 0)" : "");
    return;
  }
  case SCHEMA_binary_op: write_binary(w, node); return;
  case SCHEMA_unary_op: write_unary(w, node); return;
  case SCHEMA_if_expr: {
    const Schema_if_expr *e = SCHEMA_AS(if_expr, node);
    put(w, "(");
    write_expr(w, e->condition);
    put(w, " ? ");
    write_expr(w, e->then_value);
    put(w, " : ");
    write_expr(w, e->else_value);
    put(w, ")");
    return;
  }
  case SCHEMA_cast: write_cast(w, node); return;
  case SCHEMA_call: write_call(w, node, SCHEMA_AS(call, node)->args); return;
  default: break;
  }
  bug("`%s` has no value", schema_kind_info(node->kind).json);
}

// ---- statements

static void write_block(Writer *w, SchemaList list)
{
  put(w, " {\n");
  w->indent++;
  write_list(w, list);
  w->indent--;
  put_line(w, "}");
}

// The loop's line; its counter's number.
static uint32_t open_for(Writer *w, const SchemaNode *node)
{
  const Schema_for *s = SCHEMA_AS(for, node);
  const SchemaLiteral *step = &SCHEMA_AS(literal, s->step)->value;
  uint32_t label = ++w->labels;
  // The counter is a name of its own: the loop's name may be assigned in the body.
  start_line(w);
  put(w, "for (int64_t klr_k%u = ", label);
  write_expr(w, s->start);
  put(w, ", klr_stop%u = ", label);
  write_expr(w, s->stop);
  put(w, "; klr_k%u %s klr_stop%u; ", label, step->is_negative ? ">" : "<", label);
  if (step->magnitude == 1)
    put(w, "klr_k%u%s) {\n", label, step->is_negative ? "--" : "++");
  else  // beyond the type's end there is no next turn
    put(w, "klr_k%u = __builtin_add_overflow(klr_k%u, INT64_C(%s%" PRIu64 "), &klr_k%u) ? klr_stop%u : klr_k%u) {\n", label, label, step->is_negative ? "-" : "",
        step->magnitude, label, label, label);
  w->indent++;
  return label;
}

static void write_for(Writer *w, const SchemaNode *node)
{
  uint32_t label = open_for(w, node);
  start_line(w);
  put_var(w, node->var);
  put(w, " = (%s)klr_k%u;\n", c_type(node->var->type.scalar), label);
  write_list(w, SCHEMA_AS(for, node)->body);
  w->indent--;
  put_line(w, "}");
}

static const SchemaReduction *reduction_of(const Writer *w, const SchemaNode *node, uint32_t *number)
{
  for (uint32_t i = 0; i < w->reductions.count; i++)
    if (w->reductions.items[i].statement == node) {
      *number = i;
      return &w->reductions.items[i];
    }
  return NULL;
}

static void put_combined(Writer *w, const SchemaReduction *r, const char *left, const char *right)
{
  bool is_plain_sum = r->op == BUILTIN_atomic_add && r->type != SCALAR_I32 && r->type != SCALAR_I64;
  if (is_plain_sum)
    put(w, "%s + %s", left, right);
  else
    put(w, "klr_%s_%s(%s, %s)", r->op == BUILTIN_atomic_add ? "add" : r->op == BUILTIN_atomic_min ? "min" : "max", scalar_name(r->type), left, right);
}

static bool is_tally(const Writer *w, const SchemaVar *array)
{
  for (size_t i = 0; i < w->tallies.count; i++)
    if (w->tallies.items[i] == array)
      return true;
  return false;
}

// An atomic of an array that may have been taken over: see write_tallies.
static void write_tally(Writer *w, const SchemaNode *node, SchemaList args)
{
  const SchemaVar *array = args.items[0]->var;
  const char *type = scalar_name(array->type.scalar), *operation = schema_builtin_info(node->builtin)->name + strlen("atomic_");
  put(w, "{ const int64_t klr_index = (int64_t)");
  write_expr(w, args.items[1]);
  put(w, "; const %s klr_value = ", c_type(array->type.scalar));
  write_expr(w, args.items[2]);
  put(w, ";\n");
  put_line(w, "  if (klr_own%u) klr_own%u[klr_index] = klr_%s_%s(klr_own%u[klr_index], klr_value);", array->index, array->index, operation, type, array->index);
  start_line(w);
  put(w, "  else (void)klr_atomic_%s_%s(&KLR_ELEMENT(%s, ", operation, type, c_type(array->type.scalar));
  put_name(w, array->name->str);
  put(w, ", klr_index, klr_arguments[%u].count, %u, %u), klr_value); }\n", array->index, array->index, node->place.line);
}

static void write_perform(Writer *w, const SchemaNode *node)
{
  uint32_t number;
  const SchemaReduction *r = reduction_of(w, node, &number);
  SchemaList args = SCHEMA_AS(perform, node)->args;
  start_line(w);
  if (!r && args.count == 3 && is_tally(w, args.items[0]->var)) {
    write_tally(w, node, args);
    return;
  }
  if (!r) {
    put(w, "(void)");
    write_call(w, node, args);
    put(w, ";\n");
    return;
  }
  put(w, "{ KLR_TOUCH(");
  put_element(w, args.items[0], args.items[1], node->place.line);
  put(w, "); %s klr_value = ", c_type(r->type));
  write_expr(w, r->value);
  put(w, "; *klr_lane%u = ", number);
  put_combined(w, r, arena_printf(w->arena, "*klr_lane%u", number), "klr_value");
  put(w, "; }\n");
}

static void write_return(Writer *w, const SchemaNode *node)
{
  const SchemaNode *value = SCHEMA_AS(return, node)->value;
  start_line(w);
  if (!w->plain_return) {
    if (w->in_group)
      put(w, "{ klr_ended[klr_t] = 1; goto klr_done%u; }\n", w->region);
    else
      put(w, "goto klr_next;\n");
    return;
  }
  put(w, "return");
  if (value) {
    put(w, " ");
    write_expr(w, value);
  }
  put(w, ";\n");
}

static void write_stmt(Writer *w, const SchemaNode *node)
{
  put_place(w, node->place);
  switch (node->kind) {
  case SCHEMA_let:
    start_line(w);
    put_var(w, node->var);
    put(w, " = ");
    write_expr(w, SCHEMA_AS(let, node)->value);
    put(w, ";\n");
    return;
  case SCHEMA_assign: {
    const Schema_assign *s = SCHEMA_AS(assign, node);
    start_line(w);
    if (s->target->kind == SCHEMA_var)
      put_var(w, s->target->var);
    else
      put_element(w, SCHEMA_AS(index, s->target)->array, SCHEMA_AS(index, s->target)->index, s->target->place.line);
    put(w, " = ");
    write_expr(w, s->value);
    put(w, ";\n");
    return;
  }
  case SCHEMA_if: {
    const Schema_if *s = SCHEMA_AS(if, node);
    start_line(w);
    put(w, "if (");
    write_expr(w, s->condition);
    put(w, ")");
    write_block(w, s->then_body);
    if (s->else_body.count) {
      start_line(w);
      put(w, "else");
      write_block(w, s->else_body);
    }
    return;
  }
  case SCHEMA_for: write_for(w, node); return;
  case SCHEMA_while:
    start_line(w);
    put(w, "while (");
    write_expr(w, SCHEMA_AS(while, node)->condition);
    put(w, ")");
    write_block(w, SCHEMA_AS(while, node)->body);
    return;
  case SCHEMA_break: put_line(w, "break;"); return;
  case SCHEMA_continue: put_line(w, "continue;"); return;
  case SCHEMA_return: write_return(w, node); return;
  case SCHEMA_perform: write_perform(w, node); return;
  case SCHEMA_shared: return;
  default: break;
  }
  bug("statement `%s` of a thread", schema_kind_info(node->kind).json);
}

// The guard that the loop's bound has taken over is left out, but for what stands in it.
static void write_list(Writer *w, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    const SchemaNode *node = list.items[i];
    if (node != w->function->guard || w->in_group) {
      write_stmt(w, node);
      continue;
    }
    SchemaList then = SCHEMA_AS(if, node)->then_body;
    if (!(then.count == 1 && then.items[0]->kind == SCHEMA_return))
      write_list(w, then);
  }
}

static void declare_locals(Writer *w, const SchemaFunction *function)
{
  for (size_t i = 0; i < function->locals.count; i++) {
    const SchemaVar *var = function->locals.items[i];
    if (var->kind != VAR_LOCAL)
      continue;
    start_line(w);
    put(w, "KLR_SPARE %s ", c_type(var->type.scalar));
    put_name(w, var->name->str);
    put(w, " = 0;\n");
  }
}

// ---- helpers

static void put_helper_head(Writer *w, const SchemaFunction *function)
{
  put(w, "KLR_BODY %s helper_", function->returns.scalar == SCALAR_NONE ? "void" : c_type(function->returns.scalar));
  put_name(w, function->name->str);
  put(w, "(KLR_THREAD_PARAMS");
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    put(w, ", %s ", c_type(param->type.scalar));
    put(w, param->type.is_array ? "*" : "");
    put_name(w, param->name->str);
    if (param->type.is_array) {
      put(w, ", uint64_t ");
      put_name(w, param->name->str);
      put(w, "_count, uint32_t ");
      put_name(w, param->name->str);
      put(w, "_param");
    }
  }
  put(w, ")\n{\n");
}

static void write_helper(Writer *w, const SchemaFunction *function)
{
  w->function = function, w->plain_return = true, w->in_group = false, w->line = 0;
  put(w, "\n");
  put_helper_head(w, function);
  w->indent = 1;
  put_line(w, "KLR_UNUSED_THREAD");
  for (size_t i = 0; i < function->params.count; i++)
    if (function->params.items[i]->type.is_array) {
      start_line(w);
      put(w, "(void)");
      put_name(w, function->params.items[i]->name->str);
      put(w, "_count, (void)");
      put_name(w, function->params.items[i]->name->str);
      put(w, "_param;\n");
    }
  declare_locals(w, function);
  write_list(w, function->body);
  if (function->returns.scalar != SCALAR_NONE)
    put_line(w, "__builtin_unreachable();");
  w->indent = 0;
  put(w, "}\n");
}

// ---- kernels

static bool writes(const SchemaVar *param)
{
  return param->direction == DIRECTION_OUT || param->direction == DIRECTION_INOUT;
}

static const char *member_of(Scalar scalar)
{
  switch (scalar) {
  case SCALAR_BOOL: return "u8";
  case SCALAR_F16:
  case SCALAR_BF16: return "u16";
  default: return scalar_name(scalar);
  }
}

// Parameters as names of their own: pointers, and scalars that nothing can change behind the compiler's back.
static void declare_params(Writer *w, const SchemaFunction *function, bool scalars_only)
{
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (scalars_only && param->type.is_array)
      continue;
    start_line(w);
    bool narrow = param->type.scalar == SCALAR_F16 || param->type.scalar == SCALAR_BF16;
    if (param->type.is_array)
      put(w, "KLR_SPARE %s%s *const ", writes(param) ? "" : "const ", c_type(param->type.scalar));
    else
      put(w, "KLR_SPARE %s%s ", param->assignments && !w->in_group ? "" : "const ", c_type(param->type.scalar));
    put_name(w, param->name->str);
    if (w->in_group && param->assignments)
      put(w, "_given");
    if (param->type.is_array)
      put(w, " = klr_arguments[%zu].data;\n", i);
    else
      put(w, " = klr_arguments[%zu].value.%s;\n", i, narrow ? "u16" : member_of(param->type.scalar));
  }
}

static void put_kernel_name(Writer *w, const SchemaFunction *function, const char *what)
{
  put(w, "kernel_");
  put_name(w, function->name->str);
  put(w, "%s", what);
}

static void put_stage_name(Writer *w, const SchemaFunction *function, const char *what)
{
  put_kernel_name(w, function, w->stage);
  put(w, "%s", what);
}

static const char *const BODY_PARAMS =
    "const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_begin, uint64_t klr_end, uint64_t *klr_partials, KlrKernelFault *klr_fault";

static void put_bound(Writer *w, const SchemaFunction *function)
{
  if (!function->guard || function->dims != 1)
    return;
  start_line(w);
  put(w, "const int64_t klr_bound = ");
  write_expr(w, function->grid[0]);
  put(w, ";\n");
  put_line(w, "if (klr_bound < (int64_t)klr_end)");
  put_line(w, "  klr_end = klr_bound > (int64_t)klr_begin ? (uint64_t)klr_bound : klr_begin;");
}

static void put_unused(Writer *w)
{
  put_line(w, "(void)klr_arguments, (void)klr_grid, (void)klr_partials, (void)klr_fault;");
}

static void put_ids(Writer *w, uint32_t dims)
{
  if (dims <= 1) {
    put_line(w, "KLR_SPARE const int64_t klr_id0 = (int64_t)klr_thread, klr_id1 = 0, klr_id2 = 0;");
  } else {
    put_line(w, "KLR_SPARE const int64_t klr_id0 = (int64_t)(klr_thread - klr_row * klr_grid->size[0]);");
    put_line(w, "KLR_SPARE const int64_t klr_id1 = (int64_t)(klr_row %% klr_grid->size[1]), klr_id2 = (int64_t)(klr_row / klr_grid->size[1]);");
  }
}

// Parameters that the thread assigns are its own.
static void put_own_params(Writer *w, const SchemaFunction *function)
{
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (param->type.is_array || !param->assignments)
      continue;
    start_line(w);
    put_name(w, param->name->str);
    put(w, " = klr_arguments[%zu].value.%s;\n", i, member_of(param->type.scalar));
  }
}

static bool has_return(SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    const SchemaNode *node = list.items[i];
    if (node->kind == SCHEMA_return ||
        (node->kind == SCHEMA_if && (has_return(SCHEMA_AS(if, node)->then_body) || has_return(SCHEMA_AS(if, node)->else_body))) ||
        (node->kind == SCHEMA_for && has_return(SCHEMA_AS(for, node)->body)) || (node->kind == SCHEMA_while && has_return(SCHEMA_AS(while, node)->body)))
      return true;
  }
  return false;
}

static void write_thread(Writer *w, const SchemaFunction *function)
{
  put_ids(w, function->dims);
  declare_locals(w, function);
  put_own_params(w, function);
  write_list(w, function->body);
  if (has_return(function->body))
    put_line(w, "klr_next: __attribute__((unused));");
}

static void put_neutral(Writer *w, const SchemaReduction *r)
{
  bool is_min = r->op == BUILTIN_atomic_min;
  if (r->op == BUILTIN_atomic_add)
    put(w, "0");
  else if (scalar_is_float(r->type))
    put(w, is_min ? "INFINITY" : "-INFINITY");
  else if (!is_min && !scalar_is_signed(r->type))
    put(w, "0");
  else
    put(w, "%sINT%u_%s", scalar_is_signed(r->type) ? "" : "U", 8 * scalar_info(r->type)->bytes, is_min ? "MAX" : "MIN");
}

// Threads of a kernel with reductions: 16 at a time, each with its lane.
static void write_reducing(Writer *w, const SchemaFunction *function)
{
  uint32_t count = (uint32_t)w->reductions.count;
  put_line(w, "for (uint64_t klr_at = klr_begin, klr_block = 0; klr_at < klr_last; klr_at += KLR_BLOCK, klr_block++) {");
  w->indent++;
  put_line(w, "uint64_t klr_stop = klr_last - klr_at < KLR_BLOCK ? klr_last : klr_at + KLR_BLOCK;");
  put_line(w, "klr_stop = klr_stop < klr_end ? klr_stop : klr_end > klr_at ? klr_end : klr_at;");
  for (uint32_t i = 0; i < count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    start_line(w);
    put(w, "%s klr_lanes%u[16];\n", c_type(r->type), i);
    start_line(w);
    put(w, "for (int klr_l = 0; klr_l < 16; klr_l++) klr_lanes%u[klr_l] = ", i);
    put_neutral(w, r);
    put(w, ";\n");
  }
  for (int tail = 0; tail < 2; tail++) {
    if (tail) {
      put_line(w, "for (uint64_t klr_thread = klr_at + ((klr_stop - klr_at) & ~UINT64_C(15)); klr_thread < klr_stop; klr_thread++) {");
    } else {
      put_line(w, "for (uint64_t klr_sixteen = klr_at; klr_sixteen + 16 <= klr_stop; klr_sixteen += 16)");
      put_line(w, "  for (uint64_t klr_lane = 0; klr_lane < 16; klr_lane++) {");
    }
    w->indent++;
    if (!tail)
      put_line(w, "const uint64_t klr_thread = klr_sixteen + klr_lane;");
    else
      put_line(w, "const uint64_t klr_lane = klr_thread %% 16;");
    start_line(w);
    put(w, "kernel_");
    put_name(w, function->name->str);
    put(w, "_thread(klr_arguments, klr_grid, klr_thread, klr_fault");
    for (uint32_t i = 0; i < count; i++)
      put(w, ", &klr_lanes%u[klr_lane]", i);
    put(w, ");\n");
    w->indent--;
    put_line(w, "}");
  }
  for (uint32_t i = 0; i < count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    put_line(w, "for (int klr_d = 8; klr_d; klr_d /= 2)");
    start_line(w);
    put(w, "  for (int klr_l = 0; klr_l < klr_d; klr_l++) klr_lanes%u[klr_l] = ", i);
    put_combined(w, r, arena_printf(w->arena, "klr_lanes%u[klr_l]", i), arena_printf(w->arena, "klr_lanes%u[klr_l + klr_d]", i));
    put(w, ";\n");
    put_line(w, "memcpy(&klr_partials[klr_block * %u + %u], klr_lanes%u, sizeof klr_lanes%u[0]);", count, i, i, i);
  }
  w->indent--;
  put_line(w, "}");
}

// One thread of a kernel with reductions.
static void write_reducing_thread(Writer *w, const SchemaFunction *function)
{
  put(w, "\nKLR_BODY void ");
  put_kernel_name(w, function, "_thread(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_thread, KlrKernelFault *klr_fault");
  for (uint32_t i = 0; i < w->reductions.count; i++)
    put(w, ", %s *klr_lane%u", c_type(w->reductions.items[i].type), i);
  put(w, ")\n{\n");
  w->indent = 1;
  put_line(w, "(void)klr_grid, (void)klr_fault;");
  if (function->dims > 1)
    put_line(w, "const uint64_t klr_row = klr_thread / klr_grid->size[0];");
  declare_params(w, function, false);
  write_thread(w, function);
  w->indent = 0;
  put(w, "}\n");
  w->line = 0;
}

// ---- kernels with groups

static void look_for_barrier(SchemaNode *node, void *context)
{
  *(bool *)context |= node->kind == SCHEMA_perform && node->builtin == BUILTIN_barrier;
}

static bool has_barrier(const SchemaNode *node)
{
  bool found = false;
  schema_walk((SchemaNode *)node, look_for_barrier, &found);
  return found;
}

static const char *const REGION = "for (uint32_t klr_t = 0; klr_t < klr_count; klr_t++) {";

static void open_region(Writer *w, bool first_only)
{
  put_line(w, "%s", first_only ? "{" : REGION);
  w->region = ++w->labels;
  w->indent++;
  if (first_only)
    put_line(w, "const uint32_t klr_t = 0;");
  put_line(w, "const int64_t klr_id0 = klr_first[0] + (int64_t)(klr_t %% klr_extent[0]);");
  put_line(w, "const int64_t klr_id1 = klr_first[1] + (int64_t)(klr_t / klr_extent[0] %% klr_extent[1]);");
  put_line(w, "const int64_t klr_id2 = klr_first[2] + (int64_t)(klr_t / klr_extent[0] / klr_extent[1]);");
  put_line(w, "const uint64_t klr_thread = ((uint64_t)klr_id2 * klr_grid->size[1] + (uint64_t)klr_id1) * klr_grid->size[0] + (uint64_t)klr_id0;");
  put_line(w, "(void)klr_id0, (void)klr_id1, (void)klr_id2, (void)klr_thread;");
  if (!first_only)
    put_line(w, "if (klr_ended[klr_t]) continue;");
}

static void close_region(Writer *w)
{
  put_line(w, "klr_done%u: __attribute__((unused));", w->region);
  w->indent--;
  put_line(w, "}");
}

// break and continue of a loop around barriers, met in a region: the same for all threads.
static bool has_loop_exit(SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    const SchemaNode *node = list.items[i];
    if (node->kind == SCHEMA_break || node->kind == SCHEMA_continue ||
        (node->kind == SCHEMA_if && (has_loop_exit(SCHEMA_AS(if, node)->then_body) || has_loop_exit(SCHEMA_AS(if, node)->else_body))))
      return true;
  }
  return false;
}

static void write_group_list(Writer *w, SchemaList list);

static void write_exit(Writer *w, const SchemaNode *node)
{
  // Only uniform conditions lead to an exit; it is taken outside of the regions.
  if (node->kind == SCHEMA_break || node->kind == SCHEMA_continue) {
    put_line(w, node->kind == SCHEMA_break ? "break;" : "continue;");
    return;
  }
  write_group_list(w, (SchemaList){(SchemaNode **)&node, 1});
}

static void write_group_if(Writer *w, const Schema_if *s)
{
  uint32_t label = ++w->labels;
  put_line(w, "uint8_t klr_if%u;", label);
  open_region(w, true);
  start_line(w);
  put(w, "klr_if%u = ", label);
  write_expr(w, s->condition);
  put(w, ";\n");
  close_region(w);
  put_line(w, "if (klr_if%u) {", label);
  w->indent++;
  write_group_list(w, s->then_body);
  w->indent--;
  put_line(w, "} else {");
  w->indent++;
  write_group_list(w, s->else_body);
  w->indent--;
  put_line(w, "}");
}

static void write_group_while(Writer *w, const Schema_while *s)
{
  uint32_t label = ++w->labels;
  put_line(w, "for (;;) {");
  w->indent++;
  put_line(w, "uint8_t klr_while%u;", label);
  open_region(w, true);
  start_line(w);
  put(w, "klr_while%u = ", label);
  write_expr(w, s->condition);
  put(w, ";\n");
  close_region(w);
  put_line(w, "if (!klr_while%u) break;", label);
  write_group_list(w, s->body);
  w->indent--;
  put_line(w, "}");
}

static void write_group_for(Writer *w, const SchemaNode *node)
{
  const Schema_for *s = SCHEMA_AS(for, node);
  const SchemaLiteral *step = &SCHEMA_AS(literal, s->step)->value;
  uint32_t label = ++w->labels;
  put_line(w, "int64_t klr_k%u, klr_stop%u;", label, label);
  open_region(w, true);
  start_line(w);
  put(w, "klr_k%u = ", label);
  write_expr(w, s->start);
  put(w, ", klr_stop%u = ", label);
  write_expr(w, s->stop);
  put(w, ";\n");
  close_region(w);
  put_line(w, "for (; klr_k%u %s klr_stop%u; klr_k%u = __builtin_add_overflow(klr_k%u, INT64_C(%s%" PRIu64 "), &klr_k%u) ? klr_stop%u : klr_k%u) {", label,
           step->is_negative ? ">" : "<", label, label, label, step->is_negative ? "-" : "", step->magnitude, label, label, label);
  w->indent++;
  open_region(w, false);
  start_line(w);
  put_var(w, node->var);
  put(w, " = (%s)klr_k%u;\n", c_type(node->var->type.scalar), label);
  close_region(w);
  write_group_list(w, s->body);
  w->indent--;
  put_line(w, "}");
}

static void write_group_list(Writer *w, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    bool is_exit = node->kind == SCHEMA_break || node->kind == SCHEMA_continue || (node->kind == SCHEMA_if && has_loop_exit((SchemaList){&node, 1}));
    if (node->kind == SCHEMA_perform && node->builtin == BUILTIN_barrier) {
      put_line(w, "/* barrier */");
    } else if (node->kind == SCHEMA_break || node->kind == SCHEMA_continue) {
      write_exit(w, node);
    } else if (has_barrier(node) || is_exit) {
      put_line(w, "{");
      w->indent++;
      if (node->kind == SCHEMA_if)
        write_group_if(w, SCHEMA_AS(if, node));
      else if (node->kind == SCHEMA_while)
        write_group_while(w, SCHEMA_AS(while, node));
      else
        write_group_for(w, node);
      w->indent--;
      put_line(w, "}");
    } else if (node->kind != SCHEMA_shared) {
      open_region(w, false);
      write_stmt(w, node);
      close_region(w);
    }
  }
}

static void write_group_body(Writer *w, const SchemaFunction *function)
{
  put_line(w, "for (uint64_t klr_group = klr_begin; klr_group < klr_end; klr_group++) {");
  w->indent++;
  put_line(w, "int64_t klr_first[3]; uint64_t klr_extent[3], klr_rest = klr_group;");
  put_line(w, "for (int klr_d = 0; klr_d < 3; klr_d++) {");
  put_line(w, "  const uint64_t klr_groups = (klr_grid->size[klr_d] + klr_grid->local[klr_d] - 1) / klr_grid->local[klr_d];");
  put_line(w, "  klr_first[klr_d] = (int64_t)(klr_rest %% klr_groups * klr_grid->local[klr_d]), klr_rest /= klr_groups;");
  put_line(w, "  const uint64_t klr_left = klr_grid->size[klr_d] - (uint64_t)klr_first[klr_d];");
  put_line(w, "  klr_extent[klr_d] = klr_left < klr_grid->local[klr_d] ? klr_left : klr_grid->local[klr_d];");
  put_line(w, "}");
  put_line(w, "const uint32_t klr_count = (uint32_t)(klr_extent[0] * klr_extent[1] * klr_extent[2]);");
  put_line(w, "uint8_t *const klr_ended = calloc(klr_count, 1);");
  for (size_t i = 0; i < function->locals.count; i++) {
    const SchemaVar *var = function->locals.items[i];
    start_line(w);
    put(w, "%s *const ", c_type(var->type.scalar));
    put_name(w, var->name->str);
    if (var->kind == VAR_SHARED)
      put(w, " = calloc(%" PRIu64 ", sizeof(%s));\n", var->size, c_type(var->type.scalar));
    else
      put(w, " = calloc(klr_count, sizeof(%s));\n", c_type(var->type.scalar));
  }
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (param->type.is_array || !param->assignments)
      continue;
    start_line(w);
    put(w, "%s *const ", c_type(param->type.scalar));
    put_name(w, param->name->str);
    put(w, " = calloc(klr_count, sizeof(%s));\n", c_type(param->type.scalar));
    start_line(w);
    put(w, "for (uint32_t klr_t = 0; klr_t < klr_count; klr_t++) ");
    put_name(w, param->name->str);
    put(w, "[klr_t] = ");
    put_name(w, param->name->str);
    put(w, "_given;\n");
  }
  w->in_group = true;
  write_group_list(w, function->body);
  w->in_group = false;
  put_line(w, "free(klr_ended);");
  for (size_t k = 0; k < function->locals.count + function->params.count; k++) {
    const SchemaVar *var = k < function->locals.count ? function->locals.items[k] : function->params.items[k - function->locals.count];
    if (var->kind == VAR_PARAMETER && (var->type.is_array || !var->assignments))
      continue;
    start_line(w);
    put(w, "free(");
    put_name(w, var->name->str);
    put(w, ");\n");
  }
  w->indent--;
  put_line(w, "}");
}

// ---- statements on whole arrays

static const char *cast_text(Writer *w, Scalar from, Scalar to, const char *text)
{
  if (from == to)
    return text;
  if (from == SCALAR_F16 || from == SCALAR_BF16)
    return cast_text(w, SCALAR_F32, to, arena_printf(w->arena, "klr_%s_to_f32(%s)", scalar_name(from), text));
  if (to == SCALAR_F16 || to == SCALAR_BF16)
    return arena_printf(w->arena, "klr_f32_to_%s((float)%s)", scalar_name(to), text);
  if (to == SCALAR_BOOL)
    return arena_printf(w->arena, "((%s) != 0)", text);
  if (from == SCALAR_BOOL)
    return arena_printf(w->arena, "(%s)((%s) != 0)", c_type(to), text);
  if (scalar_is_float(from) && scalar_is_integer(to))
    return arena_printf(w->arena, "klr_cast_%s_%s(%s)", scalar_name(from), scalar_name(to), text);
  return arena_printf(w->arena, "((%s)%s)", c_type(to), text);
}

// operation(a, b) on values of type `type`, computed as expressions are, back in `type`.
static const char *operation_text(Writer *w, const SchemaWhole *whole, Scalar type, const char *a, const char *b)
{
  Scalar wide = type == SCALAR_BOOL ? SCALAR_I32 : type;
  if (scalar_is_float(type))
    wide = type == SCALAR_F64 ? type : SCALAR_F32;
  else if (scalar_info(wide)->bytes < 4)
    wide = SCALAR_I32;
  bool needs_float = (whole->is_binary && whole->binary == BINARY_div) ||
                     (!whole->is_binary && !whole->is_unary && schema_builtin_info(whole->builtin)->class == CALL_CLASS_FLOAT);
  if (needs_float && !scalar_is_float(wide))
    wide = scalar_info(wide)->bytes == 8 && whole->is_binary ? SCALAR_F64 : SCALAR_F32;
  a = cast_text(w, type, wide, a), b = cast_text(w, type, wide, b);
  const char *text, *name = scalar_name(wide);
  const char *infix = whole->is_binary ? infix_of(whole->binary, wide) : NULL;
  if (infix)
    text = arena_printf(w->arena, "(%s %s %s)", a, infix, b);
  else if (whole->is_binary)
    text = arena_printf(w->arena, "klr_%s_%s(%s, %s)", schema_binary_info(whole->binary)->name, name, a, b);
  else if (whole->is_unary)
    text = arena_printf(w->arena, "klr_neg_%s(%s)", name, a);
  else if (schema_builtin_info(whole->builtin)->least == 1)
    text = arena_printf(w->arena, "klr_%s_%s(%s)", schema_builtin_info(whole->builtin)->name, name, a);
  else
    text = arena_printf(w->arena, "klr_%s_%s(%s, %s)", schema_builtin_info(whole->builtin)->name, name, a, b);
  return cast_text(w, wide, type, text);
}

static const char *element_text(Writer *w, const SchemaNode *array, const char *index, uint32_t line)
{
  StrBuf text = strbuf_new(w->arena), *outer = w->out;
  w->out = &text;
  put(w, "KLR_ELEMENT(%s, ", c_type(array->type.scalar));
  put_name(w, array->var->name->str);
  put(w, ", %s, klr_arguments[%u].count, %u, %u)", index, array->var->index, array->var->index, line);
  w->out = outer;
  return strbuf_cstr(&text);
}

static const char *neutral_text(Writer *w, const SchemaWhole *whole, Scalar type)
{
  bool is_min = whole->builtin == BUILTIN_min;
  if (whole->is_binary)
    return type == SCALAR_F16 || type == SCALAR_BF16 ? cast_text(w, SCALAR_F32, type, whole->binary == BINARY_mul ? "1.0f" : "0.0f")
                                                     : whole->binary == BINARY_mul ? "1" : "0";
  if (scalar_is_float(type))
    return type == SCALAR_F16 || type == SCALAR_BF16 ? cast_text(w, SCALAR_F32, type, is_min ? "INFINITY" : "-INFINITY") : is_min ? "INFINITY" : "-INFINITY";
  if (type == SCALAR_BOOL)
    return is_min ? "1" : "0";
  if (!scalar_is_signed(type))
    return is_min ? arena_printf(w->arena, "UINT%u_MAX", 8 * scalar_info(type)->bytes) : "0";
  return arena_printf(w->arena, "INT%u_%s", 8 * scalar_info(type)->bytes, is_min ? "MAX" : "MIN");
}

static void write_fold(Writer *w, const SchemaWhole *whole, uint32_t line)
{
  const SchemaNode *input = *whole->arrays[0], *output = *whole->arrays[1];
  Scalar type = input->type.scalar;
  const char *element = element_text(w, input, "klr_i", line), *neutral = neutral_text(w, whole, type);
  put_line(w, "%s klr_total = %s;", c_type(type), neutral);
  if (whole->is_scan) {
    put_line(w, "for (int64_t klr_i = 0; klr_i < klr_n; klr_i++) {");
    put_line(w, "  klr_total = klr_i ? %s : %s;", operation_text(w, whole, type, "klr_total", element), element);
    put_line(w, "  %s = klr_total;", element_text(w, output, "klr_i", line));
    put_line(w, "}");
    return;
  }
  put_line(w, "for (int64_t klr_start = 0; klr_start < klr_n; klr_start += KLR_BLOCK) {");
  put_line(w, "  %s klr_lanes[16];", c_type(type));
  put_line(w, "  const int64_t klr_stop = klr_n - klr_start < KLR_BLOCK ? klr_n : klr_start + KLR_BLOCK;");
  put_line(w, "  for (int klr_l = 0; klr_l < 16; klr_l++) klr_lanes[klr_l] = %s;", neutral);
  put_line(w, "  for (int64_t klr_i = klr_start; klr_i < klr_stop; klr_i++)");
  put_line(w, "    klr_lanes[(klr_i - klr_start) %% 16] = %s;", operation_text(w, whole, type, "klr_lanes[(klr_i - klr_start) % 16]", element));
  put_line(w, "  for (int klr_d = 8; klr_d; klr_d /= 2)");
  put_line(w, "    for (int klr_l = 0; klr_l < klr_d; klr_l++) klr_lanes[klr_l] = %s;",
           operation_text(w, whole, type, "klr_lanes[klr_l]", "klr_lanes[klr_l + klr_d]"));
  put_line(w, "  klr_total = %s;", operation_text(w, whole, type, "klr_total", "klr_lanes[0]"));
  put_line(w, "}");
  put_line(w, "%s = klr_total;", element_text(w, output, "0", line));
}

static void write_whole(Writer *w, SchemaNode *node)
{
  SchemaWhole whole;
  if (schema_whole_of(node, &whole))
    bug("`%s` works on whole arrays?", schema_kind_info(node->kind).json);
  uint32_t line = node->place.line;
  put_place(w, node->place);
  put_line(w, "{");
  w->indent++;
  start_line(w);
  put(w, "const int64_t klr_n = ");
  write_expr(w, *whole.count);
  put(w, ";\n");
  Scalar type = (*whole.arrays[0])->type.scalar;
  if (whole.is_reduction || whole.is_scan) {
    write_fold(w, &whole, line);
  } else {
    put_line(w, "for (int64_t klr_i = 0; klr_i < klr_n; klr_i++)");
    bool gathers = node->kind == SCHEMA_parallel_gather, scatters = node->kind == SCHEMA_parallel_scatter;
    const char *index = gathers || scatters ? arena_printf(w->arena, "(int64_t)%s", element_text(w, *whole.arrays[1], "klr_i", line)) : "klr_i";
    const char *from = element_text(w, *whole.arrays[0], gathers ? index : "klr_i", line);
    const char *to = element_text(w, *whole.arrays[whole.output], scatters ? index : "klr_i", line);
    if (!gathers && !scatters)
      from = operation_text(w, &whole, type, from, element_text(w, *whole.arrays[whole.array_count - 2], "klr_i", line));
    put_line(w, "  %s = %s;", to, from);
  }
  w->indent--;
  put_line(w, "}");
}

static void write_single(Writer *w, const SchemaFunction *function)
{
  put_line(w, "for (uint64_t klr_thread = klr_begin; klr_thread < klr_end; klr_thread++) {");
  w->indent++;
  put_ids(w, 0);
  declare_locals(w, function);
  put_own_params(w, function);
  SchemaWhole whole;
  for (uint32_t i = 0; i < function->body.count; i++)
    if (!schema_whole_of(function->body.items[i], &whole))
      write_whole(w, function->body.items[i]);
    else
      write_stmt(w, function->body.items[i]);
  if (has_return(function->body))
    put_line(w, "klr_next: __attribute__((unused));");
  w->indent--;
  put_line(w, "}");
}

// ---- tallies: arrays that a kernel only changes by atomics whose results nobody uses
//
// A body that runs all threads of a launch changes such an array itself. Sums of integers come out the same in any order: of a small array
// each body has its own, from zeros, and adds it in the end.

typedef struct TallyFinder {
  const SchemaVar *array;
  uint32_t uses, changes, sums;
} TallyFinder;

static void count_changes(SchemaNode *node, void *context)
{
  TallyFinder *f = context;
  f->uses += node->kind == SCHEMA_var && node->var == f->array;
  if (node->kind != SCHEMA_perform || SCHEMA_AS(perform, node)->args.count != 3 || SCHEMA_AS(perform, node)->args.items[0]->var != f->array)
    return;
  bool is_sum = node->builtin == BUILTIN_atomic_add || node->builtin == BUILTIN_atomic_sub;
  f->sums += is_sum;
  f->changes += is_sum || node->builtin == BUILTIN_atomic_min || node->builtin == BUILTIN_atomic_max;
}

static TallyFinder changes_of(const SchemaFunction *function, const SchemaVar *array)
{
  TallyFinder f = {.array = array};
  schema_walk_list(function->body, count_changes, &f);
  return f;
}

static void find_tallies(Writer *w, const SchemaFunction *function)
{
  w->tallies = (Tallies){0};
  if (w->reductions.count || function->uses_groups || function->has_whole)
    return;
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    TallyFinder f = changes_of(function, param);
    if (param->type.is_array && f.changes && f.uses == f.changes)
      vec_push(w->arena, &w->tallies, param);
  }
}

static void write_tallies(Writer *w, const SchemaFunction *function)
{
  for (size_t i = 0; i < w->tallies.count; i++) {
    const SchemaVar *array = w->tallies.items[i];
    TallyFinder f = changes_of(function, array);
    bool any_order = scalar_is_integer(array->type.scalar) && f.sums == f.changes;
    put_line(w, "%s *const klr_own%u = klr_own(&klr_arguments[%u], sizeof(%s), klr_grid, klr_begin, klr_end, %d);", c_type(array->type.scalar), array->index,
             array->index, c_type(array->type.scalar), any_order);
  }
}

static void end_tallies(Writer *w)
{
  for (size_t i = 0; i < w->tallies.count; i++) {
    const SchemaVar *array = w->tallies.items[i];
    uint32_t k = array->index;
    put_line(w, "if (klr_own%u && klr_own%u != klr_arguments[%u].data) {", k, k, k);
    put_line(w, "  for (uint64_t klr_i = 0; klr_i < klr_arguments[%u].count; klr_i++)", k);
    put_line(w, "    if (klr_own%u[klr_i])", k);
    put_line(w, "      klr_atomic_add_%s((%s *)klr_arguments[%u].data + klr_i, klr_own%u[klr_i]);", scalar_name(array->type.scalar), c_type(array->type.scalar), k, k);
    put_line(w, "  free(klr_own%u);", k);
    put_line(w, "}");
  }
}

// ---- rows and strips: see strips.h

// A local name as a constant, with the value of its only assignment.
static void put_value(Writer *w, const SchemaVar *var)
{
  const SchemaNode *let = w->strips->values[var->index];
  put_place(w, let->place);
  start_line(w);
  put(w, "KLR_SPARE const %s ", c_type(var->type.scalar));
  put_name(w, var->name->str);
  put(w, " = ");
  write_expr(w, SCHEMA_AS(let, let)->value);
  put(w, ";\n");
}

static void mark_values(SchemaNode *node, void *context)
{
  Writer *w = context;
  if (node->kind != SCHEMA_var || node->var->kind != VAR_LOCAL || w->marked[node->var->index])
    return;
  w->marked[node->var->index] = true;
  schema_walk(SCHEMA_AS(let, w->strips->values[node->var->index])->value, mark_values, w);
}

// The number that ids are taken apart by.
static void write_width(Writer *w, const SchemaFunction *function)
{
  put(w, "\nKLR_BODY int64_t ");
  put_kernel_name(w, function, "_width(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid)\n{\n");
  w->indent = 1;
  put_line(w, "(void)klr_arguments, (void)klr_grid;");
  declare_params(w, function, true);
  w->marked = arena_array(w->arena, bool, function->locals.count + 1);
  schema_walk(w->strips->width, mark_values, w);
  for (size_t i = 0; i < function->locals.count; i++)
    if (w->marked[i])
      put_value(w, function->locals.items[i]);
  start_line(w);
  put(w, "return ");
  write_expr(w, w->strips->width);
  put(w, ";\n}\n");
  w->line = 0;
}

static bool is_value(const Writer *w, const SchemaNode *node, StripLocal kind)
{
  return node->kind == SCHEMA_let && w->strips->values[node->var->index] == node && w->strips->locals[node->var->index] == kind;
}

// Statements that each lane runs for itself.
static void write_lanes(Writer *w, SchemaList list, uint32_t from, uint32_t to)
{
  const SchemaStrips *s = w->strips;
  bool *used = arena_array(w->arena, bool, s->function->locals.count + 1);
  schema_run_uses(s, list, from, to, used);
  put_line(w, "for (int64_t klr_l = 0; klr_l < klr_lanes; klr_l++) {");
  w->indent++;
  put_line(w, "KLR_SPARE const uint64_t klr_thread = klr_first + (uint64_t)klr_l;");
  put_line(w, "KLR_SPARE const int64_t klr_id0 = (int64_t)(klr_thread - klr_start);");
  if (s->width)
    put_line(w, "KLR_SPARE const int64_t klr_rest = klr_id0 - klr_base;");
  for (size_t i = 0; i < s->function->locals.count; i++) {
    const SchemaVar *var = s->function->locals.items[i];
    if (!used[i] || s->turns[i] || (s->locals[i] != STRIP_AGAIN && s->locals[i] != STRIP_INNER))
      continue;
    if (s->locals[i] == STRIP_AGAIN) {
      put_value(w, var);
    } else {
      start_line(w);
      put(w, "KLR_SPARE %s ", c_type(var->type.scalar));
      put_name(w, var->name->str);
      put(w, " = 0;\n");
    }
  }
  for (uint32_t i = from; i < to; i++)
    if (!is_value(w, list.items[i], STRIP_STEADY) && !is_value(w, list.items[i], STRIP_AGAIN))
      write_stmt(w, list.items[i]);
  w->indent--;
  put_line(w, "}");
}

static void write_strip_list(Writer *w, SchemaList list)
{
  for (uint32_t i = 0; i < list.count;) {
    uint32_t end = schema_run_end(w->strips, list, i);
    bool has_lanes = false;
    for (uint32_t k = i; k < end; k++) {
      bool is_steady = is_value(w, list.items[k], STRIP_STEADY);
      has_lanes |= !is_steady && !is_value(w, list.items[k], STRIP_AGAIN);
      if (is_steady)
        put_value(w, list.items[k]->var);
    }
    if (has_lanes)
      write_lanes(w, list, i, end);
    i = end;
    if (i == list.count)
      return;
    const SchemaNode *loop = list.items[i++];
    put_place(w, loop->place);
    uint32_t label = open_for(w, loop);
    w->strips->turns[loop->var->index] = loop;
    start_line(w);
    put(w, "KLR_SPARE const %s ", c_type(loop->var->type.scalar));
    put_name(w, loop->var->name->str);
    put(w, " = (%s)klr_k%u;\n", c_type(loop->var->type.scalar), label);
    write_strip_list(w, SCHEMA_AS(for, loop)->body);
    w->strips->turns[loop->var->index] = NULL;
    w->indent--;
    put_line(w, "}");
  }
}

// Threads [klr_first, klr_first + klr_lanes) of one row side by side.
static void write_strip(Writer *w, const SchemaFunction *function)
{
  put(w, "\nKLR_BODY void ");
  put_kernel_name(w, function, "_strip(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_first, int64_t klr_lanes, "
                               "uint64_t klr_row, int64_t klr_quotient, int64_t klr_base, KlrKernelFault *klr_fault)\n{\n");
  w->indent = 1, w->line = 0, w->in_strip = true;
  put_line(w, "(void)klr_grid, (void)klr_row, (void)klr_quotient, (void)klr_base, (void)klr_fault;");
  if (function->dims > 1) {
    put_line(w, "KLR_SPARE const uint64_t klr_start = klr_row * klr_grid->size[0];");
    put_line(w, "KLR_SPARE const int64_t klr_id1 = (int64_t)(klr_row %% klr_grid->size[1]), klr_id2 = (int64_t)(klr_row / klr_grid->size[1]);");
  } else {
    put_line(w, "KLR_SPARE const uint64_t klr_start = 0;");
    put_line(w, "KLR_SPARE const int64_t klr_id1 = 0, klr_id2 = 0;");
  }
  declare_params(w, function, false);
  for (size_t i = 0; i < function->locals.count; i++) {
    const SchemaVar *var = function->locals.items[i];
    if (w->strips->locals[i] != STRIP_LANES)
      continue;
    start_line(w);
    put(w, "%s ", c_type(var->type.scalar));
    put_name(w, var->name->str);
    put(w, "[KLR_LANES];\n");
  }
  write_strip_list(w, w->strips->body);
  w->indent = 0, w->in_strip = false;
  put(w, "}\n");
}

static void put_strip(Writer *w, const SchemaFunction *function, const char *first, const char *lanes, const char *row, const char *parts)
{
  start_line(w);
  put_kernel_name(w, function, "_strip");
  put(w, "(klr_arguments, klr_grid, %s, %s, %s, %s, klr_fault);\n", first, lanes, row, parts);
}

// `klr_rows` rows that lie `klr_far` threads apart, of each the threads [klr_at, klr_at + klr_span). Strips are taken below each other, since
// threads of one column often read the same.
static void write_tile(Writer *w, const SchemaFunction *function, const char *row, const char *parts)
{
  put_line(w, "for (uint64_t klr_column = 0; klr_column < klr_span; klr_column += KLR_LANES)");
  put_line(w, "  for (uint64_t klr_down = 0; klr_down < klr_rows; klr_down++) {");
  w->indent += 2;
  put_line(w, "const uint64_t klr_first = klr_at + klr_down * klr_far + klr_column;");
  put_line(w, "if (klr_span - klr_column >= KLR_LANES)");
  w->indent++;
  put_strip(w, function, "klr_first", "KLR_LANES", row, parts);
  w->indent--;
  put_line(w, "else");
  w->indent++;
  put_strip(w, function, "klr_first", "(int64_t)(klr_span - klr_column)", row, parts);
  w->indent -= 2;
  put_line(w, "}");
  w->indent--;
}

// Rows of `klr_width` ids; where that is no width each thread is a row.
static void write_rows(Writer *w, const SchemaFunction *function)
{
  start_line(w);
  put(w, "const int64_t klr_width = ");
  put_kernel_name(w, function, "_width(klr_arguments, klr_grid);\n");
  put_line(w, "for (uint64_t klr_at = klr_begin; klr_at < klr_end;) {");
  w->indent++;
  put_line(w, "const int64_t klr_quotient = klr_floor_div_i64((int64_t)klr_at, klr_width), klr_base = (int64_t)klr_at - klr_mod_i64((int64_t)klr_at, klr_width);");
  put_line(w, "const uint64_t klr_row_end = klr_width > 0 ? (uint64_t)klr_base + (uint64_t)klr_width : klr_at + 1, klr_stop = klr_end < klr_row_end ? klr_end : klr_row_end;");
  if (!w->strips->is_wide) {
    put_line(w, "for (uint64_t klr_thread = klr_at; klr_thread < klr_stop; klr_thread++) {");
    w->indent++;
    put_line(w, "KLR_SPARE const int64_t klr_rest = (int64_t)klr_thread - klr_base;");
    write_thread(w, function);
    w->indent--;
    put_line(w, "}");
    put_line(w, "klr_at = klr_stop;");
  } else {
    put_line(w, "const uint64_t klr_far = (uint64_t)klr_width, klr_span = klr_stop - klr_at;");
    put_line(w, "const uint64_t klr_whole = klr_width > 0 && (int64_t)klr_at == klr_base ? (klr_end - klr_at) / klr_far : 0;");
    put_line(w, "const uint64_t klr_rows = klr_whole > 32 ? 32 : klr_whole ? klr_whole : 1;");
    write_tile(w, function, "0", "klr_quotient + (int64_t)klr_down, klr_base + (int64_t)(klr_down * klr_far)");
    put_line(w, "klr_at += (klr_rows - 1) * klr_far + klr_span;");
  }
  w->indent--;
  put_line(w, "}");
}

static void write_strips(Writer *w, const SchemaFunction *function)
{
  put_line(w, "uint64_t klr_first = klr_begin;");
  put_line(w, "for (; klr_first + KLR_LANES <= klr_end; klr_first += KLR_LANES)");
  w->indent++;
  put_strip(w, function, "klr_first", "KLR_LANES", "0", "0, 0");
  w->indent--;
  put_line(w, "if (klr_first < klr_end)");
  w->indent++;
  put_strip(w, function, "klr_first", "(int64_t)(klr_end - klr_first)", "0", "0, 0");
  w->indent--;
}

// Rows of a grid of several dimensions, those that the guard leaves out left out.
static void write_grid_rows(Writer *w, const SchemaFunction *function)
{
  const bool has_guard = function->guard != NULL, is_wide = w->strips && w->strips->is_wide;
  for (uint32_t d = 0; has_guard && d < function->dims; d++) {
    start_line(w);
    put(w, "const int64_t klr_bound%u = ", d);
    write_expr(w, function->grid[d]);
    put(w, ";\n");
  }
  put_line(w, "for (uint64_t klr_at = klr_begin; klr_at < klr_end;) {");
  w->indent++;
  put_line(w, "const uint64_t klr_row = klr_at / klr_grid->size[0], klr_begun = klr_row * klr_grid->size[0], klr_row_end = klr_begun + klr_grid->size[0];");
  put_line(w, "const uint64_t klr_stop = klr_end < klr_row_end ? klr_end : klr_row_end;");
  put_line(w, "%s klr_last = klr_stop;", has_guard ? "uint64_t" : "const uint64_t");
  if (has_guard) {
    put_line(w, "if (klr_bound0 < (int64_t)(klr_last - klr_begun))");
    put_line(w, "  klr_last = klr_bound0 > (int64_t)(klr_at - klr_begun) ? klr_begun + (uint64_t)klr_bound0 : klr_at;");
    put_line(w, function->dims > 2 ? "if ((int64_t)(klr_row %% klr_grid->size[1]) >= klr_bound1 || (int64_t)(klr_row / klr_grid->size[1]) >= klr_bound2)"
                                   : "if ((int64_t)(klr_row %% klr_grid->size[1]) >= klr_bound1)");
    put_line(w, "  klr_last = klr_at;");
  }
  if (!is_wide) {
    put_line(w, "for (uint64_t klr_thread = klr_at; klr_thread < klr_last; klr_thread++) {");
    w->indent++;
    write_thread(w, function);
    w->indent--;
    put_line(w, "}");
    put_line(w, "klr_at = klr_stop;");
  } else {
    put_line(w, "const uint64_t klr_far = klr_grid->size[0], klr_span = klr_last - klr_at;");
    put_line(w, "const uint64_t klr_below = klr_grid->size[1] - klr_row %% klr_grid->size[1], klr_whole = klr_at == klr_begun ? (klr_end - klr_at) / klr_far : 0;");
    put_line(w, "uint64_t klr_rows = klr_whole < klr_below ? klr_whole : klr_below;");
    if (has_guard) {
      put_line(w, "const uint64_t klr_inside = klr_span ? (uint64_t)klr_bound1 - klr_row %% klr_grid->size[1] : 1;");
      put_line(w, "klr_rows = klr_rows < klr_inside ? klr_rows : klr_inside;");
    }
    put_line(w, "klr_rows = klr_rows > 32 ? 32 : klr_rows ? klr_rows : 1;");
    write_tile(w, function, "klr_row + klr_down", "0, 0");
    put_line(w, "klr_at = klr_rows > 1 ? klr_at + klr_rows * klr_far : klr_stop;");
  }
  w->indent--;
  put_line(w, "}");
}

// ---- the functions of a kernel

static void write_body(Writer *w, const SchemaFunction *function)
{
  put(w, "\nKLR_BODY void ");
  put_stage_name(w, function, "_body(");
  put(w, "%s)\n{\n", BODY_PARAMS);
  w->indent = 1, w->line = 0, w->plain_return = false;
  put_unused(w);
  w->in_group = function->uses_groups && !function->has_whole;
  declare_params(w, function, w->reductions.count != 0);
  w->in_group = false;
  if (function->has_whole) {
    write_single(w, function);
  } else if (function->uses_groups) {
    write_group_body(w, function);
  } else {
    if (w->reductions.count)
      put_line(w, "const uint64_t klr_last = klr_end;");
    write_tallies(w, function);
    put_bound(w, function);
    if (w->reductions.count) {
      write_reducing(w, function);
    } else if (w->strips && w->strips->width) {
      write_rows(w, function);
    } else if (function->dims == 1 && w->strips && w->strips->is_wide) {
      write_strips(w, function);
    } else if (function->dims > 1) {
      write_grid_rows(w, function);
    } else {
      put_line(w, "for (uint64_t klr_thread = klr_begin; klr_thread < klr_end; klr_thread++) {");
      w->indent = 2;
      write_thread(w, function);
      w->indent = 1;
      put_line(w, "}");
    }
    end_tallies(w);
  }
  w->indent = 0;
  put(w, "}\n");
}

static const struct {
  const char *name, *guard, *target;
} ISAS[] = {
    {"base", NULL, ""},
    {"avx2", "KLR_X86", "__attribute__((target(\"avx2,fma\"))) "},
    {"avx512", "KLR_X86", "__attribute__((target(\"avx512f,avx512bw,avx512dq,avx512vl,avx2,fma\"))) "},
};
enum { ISA_COUNT = sizeof ISAS / sizeof *ISAS };

static void write_variants(Writer *w, const SchemaFunction *function)
{
  for (int i = 0; i < ISA_COUNT; i++) {
    put(w, ISAS[i].guard ? "#if %s\n" : "%s", ISAS[i].guard ? ISAS[i].guard : "");
    put(w, "%sstatic void ", ISAS[i].target);
    put_stage_name(w, function, "_");
    put(w, "%s(%s)\n{\n  ", ISAS[i].name, BODY_PARAMS);
    put_stage_name(w, function, "_body");
    put(w, "(klr_arguments, klr_grid, klr_begin, klr_end, klr_partials, klr_fault);\n}\n");
    put(w, "%s", ISAS[i].guard ? "#endif\n" : "");
  }
}

static void write_combine(Writer *w, const SchemaFunction *function)
{
  if (!w->reductions.count)
    return;
  uint32_t count = (uint32_t)w->reductions.count;
  put(w, "\nstatic void ");
  put_stage_name(w, function, "_combine(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, const uint64_t *klr_partials, uint64_t klr_blocks)\n{\n");
  w->indent = 1;
  put_line(w, "(void)klr_grid;");
  declare_params(w, function, true);
  for (uint32_t i = 0; i < count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    start_line(w);
    put(w, "const int64_t klr_index%u = ", i);
    write_expr(w, r->index);
    put(w, ";\n");
  }
  put_line(w, "for (uint64_t klr_block = 0; klr_block < klr_blocks; klr_block++) {");
  w->indent++;
  for (uint32_t i = 0; i < count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    put_line(w, "if (klr_index%u >= 0 && (uint64_t)klr_index%u < klr_arguments[%u].count) {", i, i, r->array->index);
    put_line(w, "  %s *const klr_at = (%s *)klr_arguments[%u].data + klr_index%u, klr_part;", c_type(r->type), c_type(r->type), r->array->index, i);
    put_line(w, "  memcpy(&klr_part, &klr_partials[klr_block * %u + %u], sizeof klr_part);", count, i);
    start_line(w);
    put(w, "  *klr_at = ");
    put_combined(w, r, "*klr_at", "klr_part");
    put(w, ";\n");
    put_line(w, "}");
  }
  w->indent--;
  put_line(w, "}");
  w->indent = 0;
  put(w, "}\n");
}

static bool knows_grid(const SchemaFunction *function)
{
  for (uint32_t d = 0; d < function->dims; d++)
    if (!function->grid[d])
      return false;
  return true;
}

static void write_grid(Writer *w, const SchemaFunction *function)
{
  put(w, "\nstatic uint32_t ");
  put_stage_name(w, function, "_grid(const KlrKernelArgument *klr_arguments, uint64_t klr_size[3])\n{\n");
  w->indent = 1;
  put_line(w, "(void)klr_arguments;");
  declare_params(w, function, true);
  for (uint32_t d = 0; d < 3; d++) {
    if (d >= function->dims || !function->grid[d]) {
      put_line(w, "klr_size[%u] = 1;", d);
      continue;
    }
    start_line(w);
    put(w, "const int64_t klr_size%u = ", d);
    write_expr(w, function->grid[d]);
    put(w, ";\n");
    put_line(w, "klr_size[%u] = klr_size%u > 0 ? (uint64_t)klr_size%u : 0;", d, d, d);
  }
  put_line(w, "return %d;", knows_grid(function));
  w->indent = 0;
  put(w, "}\n");
}

// ---- what a launch needs: arrays that every thread of the guard reaches at its own id

typedef struct Needs {
  bool *found;  // by parameter
  const SchemaFunction *function;
} Needs;

static bool is_own_id(const SchemaFunction *function, const SchemaNode *node)
{
  if (node->kind == SCHEMA_call)
    return node->builtin == BUILTIN_get_global_id && !SCHEMA_AS(call, node)->args.count;
  if (node->kind != SCHEMA_var || node->var->kind != VAR_LOCAL || node->var->assignments != 1)
    return false;
  for (uint32_t i = 0; i < function->body.count; i++) {
    const SchemaNode *stmt = function->body.items[i];
    if (stmt->kind == SCHEMA_let && stmt->var == node->var)
      return is_own_id(function, SCHEMA_AS(let, stmt)->value);
  }
  return false;
}

static void need_in(Needs *needs, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_index: {
    const Schema_index *e = SCHEMA_AS(index, node);
    if (is_own_id(needs->function, e->index) && e->array->var->kind == VAR_PARAMETER)
      needs->found[e->array->var->index] = true;
    need_in(needs, e->index);
    return;
  }
  case SCHEMA_binary_op:
    need_in(needs, SCHEMA_AS(binary_op, node)->left);
    if (schema_binary_info(SCHEMA_AS(binary_op, node)->op)->class != OP_CLASS_LOGIC)
      need_in(needs, SCHEMA_AS(binary_op, node)->right);
    return;
  case SCHEMA_unary_op: need_in(needs, SCHEMA_AS(unary_op, node)->operand); return;
  case SCHEMA_cast: need_in(needs, SCHEMA_AS(cast, node)->value); return;
  case SCHEMA_if_expr: need_in(needs, SCHEMA_AS(if_expr, node)->condition); return;
  case SCHEMA_call:
    for (uint32_t i = 0; i < SCHEMA_AS(call, node)->args.count; i++)
      need_in(needs, SCHEMA_AS(call, node)->args.items[i]);
    return;
  case SCHEMA_let: need_in(needs, SCHEMA_AS(let, node)->value); return;
  case SCHEMA_assign:
    need_in(needs, SCHEMA_AS(assign, node)->value);
    need_in(needs, SCHEMA_AS(assign, node)->target);
    return;
  case SCHEMA_perform:
    for (uint32_t i = 0; i < SCHEMA_AS(perform, node)->args.count; i++)
      need_in(needs, SCHEMA_AS(perform, node)->args.items[i]);
    return;
  default: return;
  }
}

// Statements that every thread within the guard runs: up to the first that some may leave by.
static void need_in_list(Needs *needs, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    const SchemaNode *node = list.items[i];
    if (node == needs->function->guard) {
      SchemaList then = SCHEMA_AS(if, node)->then_body;
      if (!(then.count == 1 && then.items[0]->kind == SCHEMA_return))
        need_in_list(needs, then);
    } else if (node->kind == SCHEMA_if || node->kind == SCHEMA_for || node->kind == SCHEMA_while || node->kind == SCHEMA_return) {
      return;
    } else {
      need_in(needs, node);
    }
  }
}

static bool write_needed(Writer *w, const SchemaFunction *function)
{
  if (!function->guard || function->dims != 1)
    return false;
  Needs needs = {arena_array(w->arena, bool, function->params.count + 1), function};
  need_in_list(&needs, function->body);
  put(w, "\nstatic void ");
  put_stage_name(w, function, "_needed(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t *klr_needed)\n{\n");
  w->indent = 1;
  put_line(w, "(void)klr_grid;");
  declare_params(w, function, true);
  start_line(w);
  put(w, "const int64_t klr_bound = ");
  write_expr(w, function->grid[0]);
  put(w, ";\n");
  put_line(w, "const uint64_t klr_reached = klr_bound <= 0 ? 0 : (uint64_t)klr_bound < klr_grid->size[0] ? (uint64_t)klr_bound : klr_grid->size[0];");
  for (size_t i = 0; i < function->params.count; i++)
    put_line(w, "klr_needed[%zu] = %s;", i, needs.found[i] ? "klr_reached" : "0");
  put_line(w, "(void)klr_reached;");
  w->indent = 0;
  put(w, "}\n");
  return true;
}

// ---- the description

static void count_cost(SchemaNode *node, void *context)
{
  uint32_t *cost = context;
  *cost += node->kind == SCHEMA_for || node->kind == SCHEMA_while ? 200 : node->kind == SCHEMA_call ? 4 : 1;
}

static void write_params(Writer *w, const SchemaFunction *function)
{
  put(w, "\nstatic const KlrKernelParam ");
  put_kernel_name(w, function, "_params[] = {\n");
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    put(w, "  {");
    put_text(w, param->name->str);
    put(w, ", %d, %d, %d, {0}},\n", (int)param->type.scalar, param->type.is_array, param->type.is_array ? (int)param->direction : DIRECTION_IN);
  }
  put(w, "  {0}};\n");
}

typedef struct Stage {
  bool in_groups, has_combine, has_needed;
  size_t reductions;
  uint32_t cost;
} Stage;

static void put_function(Writer *w, const SchemaFunction *function, const char *member, const char *what, bool is_there)
{
  put(w, ", .%s = ", member);
  if (is_there)
    put_stage_name(w, function, what);
  else
    put(w, "NULL");
}

static void write_stage(Writer *w, const SchemaFunction *function, const Stage *stage)
{
  put(w, "  {.bytes = sizeof(KlrKernelStage), .unit_is_group = %d, .reduction_count = %zu, .cost = %u,\n   .bodies = {", stage->in_groups, stage->reductions,
      stage->cost);
  for (int i = 0; i < ISA_COUNT; i++) {
    put(w, i == 1 ? "\n#if KLR_X86\n    " : "");
    put_stage_name(w, function, "_");
    put(w, "%s%s", ISAS[i].name, i + 1 < ISA_COUNT ? ", " : "\n#endif\n   ");
  }
  put(w, "}");
  put_function(w, function, "grid", "_grid", true);
  put_function(w, function, "combine", "_combine", stage->has_combine);
  put_function(w, function, "needed", "_needed", stage->has_needed);
  put(w, "},\n");
}

static void write_info(Writer *w, const SchemaFunction *function, size_t file_number, const Stage *stages, size_t stage_count)
{
  write_params(w, function);
  put(w, "static const KlrKernelStage ");
  put_kernel_name(w, function, "_stages[] = {\n");
  for (size_t i = 0; i < stage_count; i++) {
    if (stage_count > 1)
      w->stage = arena_printf(w->arena, "_%zu", i + 1);
    write_stage(w, function, &stages[i]);
  }
  w->stage = "";
  put(w, "};\nstatic const KlrKernelInfo ");
  put_kernel_name(w, function, "_info = {\n  .bytes = sizeof(KlrKernelInfo), ");
  put(w, ".param_count = %zu, .stage_count = %zu, .dims = %u, .is_checked = KLR_IS_CHECKED, .line = %u,\n  .name = ", function->params.count, stage_count,
      function->dims, function->place.line);
  put_text(w, function->name->str);
  put(w, ",\n  .doc = ");
  put_text(w, function->doc);
  put(w, ",\n  .path = ");
  put_text(w, str_from(w->file->path));
  put(w, ",\n  .params = ");
  put_kernel_name(w, function, "_params, .stages = ");
  put_kernel_name(w, function, "_stages,\n  .schema = ");
  StrBuf text = strbuf_new(w->arena);
  schema_write_function(function, false, &text);
  put(w, "klr_schema_%zu, .schema_hash = \"%016" PRIx64 "\"};\n", file_number, (uint64_t)XXH3_64bits(text.data, text.len));
}

// ---- kernels of whole arrays, a stage a statement

// What was given names before the stage.
static void put_names_before(Writer *w, const SchemaFunction *function, const SchemaNode *before)
{
  for (uint32_t i = 0; function->body.items[i] != before; i++) {
    const SchemaNode *node = function->body.items[i];
    if (node->kind != SCHEMA_let)
      continue;
    start_line(w);
    put(w, "KLR_SPARE const %s ", c_type(node->var->type.scalar));
    put_name(w, node->var->name->str);
    put(w, " = ");
    write_expr(w, SCHEMA_AS(let, node)->value);
    put(w, ";\n");
  }
}

static void open_whole(Writer *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole, bool scalars_only)
{
  w->indent = 1, w->line = 0;
  declare_params(w, function, scalars_only);
  put_names_before(w, function, node);
  start_line(w);
  put(w, "KLR_SPARE const int64_t klr_n = ");
  write_expr(w, *whole->count);
  put(w, ";\n");
}

// Blocks of 16 lanes, as reductions of threads.
static void write_fold_blocks(Writer *w, const SchemaWhole *whole, uint32_t line)
{
  const SchemaNode *input = *whole->arrays[0];
  Scalar type = input->type.scalar;
  const char *element = element_text(w, input, "klr_thread", line);
  put_line(w, "for (uint64_t klr_at = klr_begin; klr_at < klr_end; klr_at += KLR_BLOCK) {");
  put_line(w, "  const uint64_t klr_stop = klr_end - klr_at < KLR_BLOCK ? klr_end : klr_at + KLR_BLOCK, klr_whole = klr_at + (klr_stop - klr_at) / 16 * 16;");
  put_line(w, "  %s klr_lanes[16];", c_type(type));
  put_line(w, "  for (int klr_l = 0; klr_l < 16; klr_l++) klr_lanes[klr_l] = %s;", neutral_text(w, whole, type));
  put_line(w, "  for (uint64_t klr_sixteen = klr_at; klr_sixteen < klr_whole; klr_sixteen += 16)");
  put_line(w, "    for (uint64_t klr_l = 0; klr_l < 16; klr_l++) {");
  put_line(w, "      const uint64_t klr_thread = klr_sixteen + klr_l;");
  put_line(w, "      klr_lanes[klr_l] = %s;", operation_text(w, whole, type, "klr_lanes[klr_l]", element));
  put_line(w, "    }");
  put_line(w, "  for (uint64_t klr_thread = klr_whole; klr_thread < klr_stop; klr_thread++)");
  put_line(w, "    klr_lanes[klr_thread %% 16] = %s;", operation_text(w, whole, type, "klr_lanes[klr_thread % 16]", element));
  put_line(w, "  for (int klr_d = 8; klr_d; klr_d /= 2)");
  put_line(w, "    for (int klr_l = 0; klr_l < klr_d; klr_l++) klr_lanes[klr_l] = %s;",
           operation_text(w, whole, type, "klr_lanes[klr_l]", "klr_lanes[klr_l + klr_d]"));
  put_line(w, "  memcpy(klr_partials++, klr_lanes, sizeof klr_lanes[0]);");
  put_line(w, "}");
}

static void write_fold_combine(Writer *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole)
{
  const SchemaVar *output = (*whole->arrays[1])->var;
  const char *type = c_type(output->type.scalar);
  put(w, "\nstatic void ");
  put_stage_name(w, function, "_combine(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, const uint64_t *klr_partials, uint64_t klr_blocks)\n{\n");
  open_whole(w, function, node, whole, true);
  put_line(w, "(void)klr_grid;");
  put_line(w, "%s klr_total = %s;", type, neutral_text(w, whole, output->type.scalar));
  put_line(w, "for (uint64_t klr_block = 0; klr_block < klr_blocks; klr_block++) {");
  put_line(w, "  %s klr_part;", type);
  put_line(w, "  memcpy(&klr_part, &klr_partials[klr_block], sizeof klr_part);");
  put_line(w, "  klr_total = %s;", operation_text(w, whole, output->type.scalar, "klr_total", "klr_part"));
  put_line(w, "}");
  put_line(w, "if (klr_arguments[%u].count)", output->index);
  put_line(w, "  *(%s *)klr_arguments[%u].data = klr_total;", type, output->index);
  put(w, "}\n");
}

// A scan goes from left to right, and of equal indices the last wins: those stay on one core, as does a gather from what it writes.
static bool is_ordered(const SchemaNode *node, const SchemaWhole *whole)
{
  return whole->is_scan || node->kind == SCHEMA_parallel_scatter;
}

static void write_whole_body(Writer *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole)
{
  put(w, "\nKLR_BODY void ");
  put_stage_name(w, function, "_body(");
  put(w, "%s)\n{\n", BODY_PARAMS);
  open_whole(w, function, node, whole, false);
  put_unused(w);
  uint32_t line = node->place.line;
  put_place(w, node->place);
  if (is_ordered(node, whole)) {
    put_line(w, "KLR_SPARE const uint64_t klr_thread = klr_begin, klr_no_end = klr_end;");
    write_whole(w, node);
  } else if (whole->is_reduction) {
    write_fold_blocks(w, whole, line);
  } else {
    bool gathers = node->kind == SCHEMA_parallel_gather;
    if (gathers)
      put_line(w, "klr_end = klr_grid->size[0] == 1 ? (uint64_t)klr_n : klr_end;");
    put_line(w, "for (uint64_t klr_thread = klr_begin; klr_thread < klr_end; klr_thread++)");
    const char *index = gathers ? arena_printf(w->arena, "(int64_t)%s", element_text(w, *whole->arrays[1], "klr_thread", line)) : "klr_thread";
    const char *from = element_text(w, *whole->arrays[0], index, line), *to = element_text(w, *whole->arrays[whole->output], "klr_thread", line);
    if (!gathers)
      from = operation_text(w, whole, (*whole->arrays[0])->type.scalar, from, element_text(w, *whole->arrays[whole->array_count - 2], "klr_thread", line));
    put_line(w, "  %s = %s;", to, from);
  }
  w->indent = 0;
  put(w, "}\n\n#line 1 \"generated\"\n");
}

static void write_whole_grid(Writer *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole)
{
  put(w, "\nstatic uint32_t ");
  put_stage_name(w, function, "_grid(const KlrKernelArgument *klr_arguments, uint64_t klr_size[3])\n{\n");
  open_whole(w, function, node, whole, true);
  put_line(w, "(void)klr_arguments, (void)klr_n;");
  put_line(w, is_ordered(node, whole) ? "klr_size[0] = 1;" : "klr_size[0] = klr_n > 0 ? (uint64_t)klr_n : 0;");
  if (node->kind == SCHEMA_parallel_gather) {
    uint32_t from = (*whole->arrays[0])->var->index, by = (*whole->arrays[1])->var->index, to = (*whole->arrays[2])->var->index;
    put_line(w, "if (klr_n > 0 && (klr_arguments[%u].data == klr_arguments[%u].data || klr_arguments[%u].data == klr_arguments[%u].data))", to, from, to, by);
    put_line(w, "  klr_size[0] = 1;");
  }
  put_line(w, "klr_size[1] = klr_size[2] = 1;");
  put_line(w, "return 2;");
  put(w, "}\n");
}

static void write_whole_needed(Writer *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole)
{
  put(w, "\nstatic void ");
  put_stage_name(w, function, "_needed(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t *klr_needed)\n{\n");
  open_whole(w, function, node, whole, true);
  put_line(w, "(void)klr_arguments, (void)klr_grid;");
  for (size_t i = 0; i < function->params.count; i++)
    put_line(w, "klr_needed[%zu] = 0;", i);
  for (uint32_t i = 0; i < whole->array_count; i++) {
    bool anywhere = (node->kind == SCHEMA_parallel_gather && i == 0) || (node->kind == SCHEMA_parallel_scatter && i == whole->output);
    uint32_t index = (*whole->arrays[i])->var->index;
    if (whole->is_reduction && i == whole->output)
      put_line(w, "klr_needed[%u] = klr_needed[%u] ? klr_needed[%u] : 1;", index, index, index);
    else if (!anywhere)
      put_line(w, "klr_needed[%u] = klr_n > 0 ? (uint64_t)klr_n : 0;", index);
  }
  put(w, "}\n");
}

static void write_whole_kernel(Writer *w, const SchemaFunction *function, size_t file_number)
{
  Vec(Stage) stages = {0};
  w->reductions = (SchemaReductions){0}, w->tallies = (Tallies){0}, w->strips = NULL, w->in_group = false, w->plain_return = false;
  put(w, "\n/* ---- %s */\n", function->name->str.data);
  size_t count = 0;
  SchemaWhole whole;
  for (uint32_t i = 0; i < function->body.count; i++)
    count += !schema_whole_of(function->body.items[i], &whole);
  for (uint32_t i = 0; i < function->body.count; i++) {
    SchemaNode *node = function->body.items[i];
    if (schema_whole_of(node, &whole))
      continue;
    w->stage = count > 1 ? arena_printf(w->arena, "_%zu", stages.count + 1) : "";
    write_whole_body(w, function, node, &whole);
    write_variants(w, function);
    if (whole.is_reduction)
      write_fold_combine(w, function, node, &whole);
    write_whole_grid(w, function, node, &whole);
    write_whole_needed(w, function, node, &whole);
    vec_push(w->arena, &stages, (Stage){.has_combine = whole.is_reduction, .has_needed = true, .reductions = whole.is_reduction,
                                        .cost = schema_builtin_info(whole.builtin == BUILTIN_NONE ? BUILTIN_min : whole.builtin)->class == CALL_CLASS_FLOAT ? 3 : 1});
  }
  write_info(w, function, file_number, stages.items, stages.count);
}

static void write_kernel(Writer *w, const SchemaFunction *function, size_t file_number)
{
  w->function = function, w->stage = "";
  if (schema_whole_in_stages(function)) {
    write_whole_kernel(w, function, file_number);
    return;
  }
  w->reductions = schema_find_reductions(w->file, function);
  if (function->uses_groups && !function->has_barriers)
    w->reductions.count = 0;
  find_tallies(w, function);
  put(w, "\n/* ---- %s */\n", function->name->str.data);
  if (w->reductions.count)
    write_reducing_thread(w, function);
  w->strips = w->reductions.count || w->tallies.count ? NULL : schema_find_strips(w->file, function);
  if (w->strips && w->strips->width)
    write_width(w, function);
  if (w->strips && w->strips->is_wide)
    write_strip(w, function);
  write_body(w, function);
  w->strips = NULL;
  put(w, "\n#line 1 \"generated\"\n");
  write_variants(w, function);
  write_combine(w, function);
  write_grid(w, function);
  uint32_t cost = 0;
  schema_walk_list(function->body, count_cost, &cost);
  Stage stage = {.in_groups = function->uses_groups && !function->has_whole, .has_combine = w->reductions.count != 0, .has_needed = write_needed(w, function),
                 .reductions = w->reductions.count, .cost = cost / 4 + 1};
  write_info(w, function, file_number, &stage, 1);
}

// ---- the file

static Str run_time_text(const char *name)
{
  for (const EmbeddedModule *module = embedded_run_time; module->name; module++)
    if (str_ends_with(str_from(module->path), name))
      return module->text;
  bug("no text `%s`", name);
}

static void put_part(StrBuf *out, const char *name)
{
  Str part = run_time_text(name);
  strbuf_add(out, part.data, part.len);
}

// Whether `text` has a function's name that `section` defines by KLR_FN, or the section has macros that define any.
static bool needs_section(Arena *arena, const char *text, const char *section)
{
  if (strstr(section, "##"))
    return true;
  for (const char *at = section; (at = strstr(at, "KLR_FN ")) != NULL; at++) {
    const char *name = strstr(at, " klr_");
    if (name && strstr(text, arena_printf(arena, "%.*s(", (int)strcspn(name + 1, "("), name + 1)))
      return true;
  }
  return false;
}

// The sections of klr_scalar.h that `text` needs, in their order, without lines for who includes it. From the last, since each
// needs what stands before it.
static void put_scalar_sections(Arena *arena, StrBuf *out, const char *text)
{
  Str whole = run_time_text("klr_scalar.h");
  const char *sections[32];
  size_t count = 0;
  char *rest = (char *)arena_printf(arena, "%.*s", STR_ARG(whole));
  for (char *at = rest; (at = strstr(at, "\n/* ---- ")) != NULL && count < 32; at += 2) {
    *at = 0;
    sections[count++] = at + 1;
  }
  char *end = strstr((char *)sections[count - 1], "\n#endif");
  if (end)
    *end = 0;
  bool needed[32] = {false};
  for (size_t i = count; i-- > 0;)  // the first is what macros are made of
    if ((needed[i] = i == 0 || needs_section(arena, text, sections[i])))
      text = arena_printf(arena, "%s%s", sections[i], text);
  strbuf_puts(out, "/* ---- of klr_scalar.h: operators and functions */\n#define KLR_FN static inline __attribute__((always_inline, unused))\n\n");
  for (size_t i = 0; i < count; i++)
    if (needed[i])
      strbuf_printf(out, "%s\n", sections[i]);
}

typedef struct KernelRow {
  const SchemaFile *file;
  const SchemaFunction *kernel;
} KernelRow;

// False after reporting two kernels of one name.
static bool names_differ(Session *session, const KernelRow *rows, size_t count)
{
  bool ok = true;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < i; k++)
      if (rows[i].kernel->name == rows[k].kernel->name) {
        diag_error(session, E_SCHEMA_NAME, "two kernels are called `%s`: in `%s` and in `%s`", rows[i].kernel->name->str.data, rows[k].file->path,
                   rows[i].file->path);
        ok = false;
      }
  return ok;
}

bool schema_write_c(Session *session, Arena *arena, SchemaFile *const *files, size_t file_count, const char *build, SchemaSource *out)
{
  Vec(KernelRow) rows = {0};
  for (size_t i = 0; i < file_count; i++)
    for (size_t k = 0; k < files[i]->functions.count; k++)
      if (files[i]->functions.items[k]->is_kernel)
        vec_push(arena, &rows, (KernelRow){files[i], files[i]->functions.items[k]});
  if (!names_differ(session, rows.items, rows.count))
    return false;
  StrBuf text = strbuf_new(arena);
  Writer w = {.arena = arena, .out = &text};
  for (size_t i = 0; i < file_count; i++) {
    w.file = files[i];
    StrBuf json = strbuf_new(arena);
    schema_write_json(files[i], &json);
    put(&w, "\nstatic const char klr_schema_%zu[] =\n  ", i);
    put_text(&w, strbuf_str(&json));
    put(&w, ";\n");
    for (size_t k = 0; k < files[i]->functions.count; k++) {
      const SchemaFunction *function = files[i]->functions.items[k];
      if (function->is_kernel)
        write_kernel(&w, function, i);
      else
        write_helper(&w, function);
    }
  }
  put(&w, "\n#line 1 \"generated\"\nstatic const KlrKernelInfo *const klr_kernels[] = {\n");
  for (size_t i = 0; i < rows.count; i++) {
    put(&w, "  &");
    put_kernel_name(&w, rows.items[i].kernel, "_info,\n");
  }
  put(&w, "  NULL};\n__attribute__((visibility(\"default\"))) const KlrKernelLibrary klr_kernel_library = {\n  KLR_KERNEL_MAGIC, KLR_KERNEL_ABI, "
          "sizeof(KlrKernelLibrary), %zu, klr_kernels, \"klr " KLR_VERSION "\", ", rows.count);
  put_text(&w, str_from(build));
  put(&w, "};\n");
  StrBuf whole = strbuf_new(arena);
  const char *path = file_count != 1 || strstr(files[0]->path, "*/") ? "files of kernels" : files[0]->path;
  strbuf_printf(&whole, "/* Written by klr " KLR_VERSION " from %s: change that, not this. */\n\n", path);
  put_part(&whole, "klr_kernel_abi.h");
  put_part(&whole, "klr_libc.h");
  put_scalar_sections(arena, &whole, strbuf_cstr(&text));
  if (strstr(strbuf_cstr(&text), "klr_atomic_"))
    put_part(&whole, "klr_atomic.h");
  put_part(&whole, "klr_body.h");
  strbuf_puts(&whole, strbuf_cstr(&text));
  if (rows.count == 1)
    put_part(&whole, "klr_older.h");
  out->text = strbuf_str(&whole);
  out->hash = str_from(arena_printf(arena, "%016" PRIx64, (uint64_t)XXH3_64bits(whole.data, whole.len)));
  return true;
}
