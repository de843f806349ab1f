// write_c_thread.c -- what one thread does: expressions, statements, helpers.

#include "base/bug.h"
#include "schema/write_c_parts.h"

#include <inttypes.h>
#include <math.h>

// ---- expressions

void c_put_var(CWriter *w, const SchemaVar *var)
{
  c_put_name(w, var->name->str);
  bool is_own = var->kind == VAR_LOCAL ? w->in_group && w->groups->locals[var->index] == GROUP_THREADS : var->kind == VAR_PARAMETER && var->assignments;
  if (w->in_group && is_own && !var->type.is_array)
    strbuf_puts(w->out, "[klr_t]");
  if (w->in_strip && var->kind == VAR_LOCAL && w->strips->locals[var->index] == STRIP_LANES)
    strbuf_puts(w->out, "[klr_l]");
}

static void put_literal(CWriter *w, Scalar type, const SchemaLiteral *literal)
{
  double real = literal->kind == LITERAL_FLOAT ? literal->real : literal->is_negative ? -(double)literal->magnitude : (double)literal->magnitude;
  if (scalar_is_float(type)) {
    const char *suffix = type == SCALAR_F64 ? "" : "f";
    if (isnan(real))
      c_put(w, "NAN");
    else if (isinf(real))
      c_put(w, "%sINFINITY", real < 0 ? "-" : "");
    else if (real == floor(real) && fabs(real) < 1e6 && !(real == 0 && signbit(real)))
      c_put(w, real < 0 ? "(%.1f%s)" : "%.1f%s", real, suffix);
    else
      c_put(w, real < 0 || signbit(real) ? "(%a%s)" : "%a%s", real, suffix);
    return;
  }
  if (type == SCALAR_BOOL) {
    c_put(w, "%d", literal->magnitude != 0);
    return;
  }
  const char *close = literal->is_negative ? ")" : "";
  const char *open = literal->is_negative ? "(-" : "";
  if (scalar_is_signed(type) && literal->is_negative && literal->magnitude >= UINT64_C(1) << (8 * scalar_info(type)->bytes - 1))
    c_put(w, "INT%u_MIN", 8 * scalar_info(type)->bytes);
  else if (type == SCALAR_I64 && literal->magnitude > INT32_MAX)
    c_put(w, "%sINT64_C(%" PRIu64 ")%s", open, literal->magnitude, close);
  else if (type == SCALAR_U64)
    c_put(w, "UINT64_C(%" PRIu64 ")", literal->magnitude);
  else
    c_put(w, "%s%" PRIu64 "%s%s", open, literal->magnitude, scalar_is_signed(type) ? "" : "u", close);
}

// array[index], or in checked builds the element if there is one.
static void put_element(CWriter *w, const SchemaNode *array, const SchemaNode *index, uint32_t line)
{
  const SchemaVar *var = array->var;
  c_put(w, "KLR_ELEMENT(%s, ", c_type(array->type.scalar));
  c_put_name(w, var->name->str);
  c_put(w, ", ");
  c_write_expr(w, index);
  c_put(w, ", ");
  if (var->kind == VAR_SHARED)
    c_put(w, "%" PRIu64 "u, 0xffffffffu, %u)", var->size, line);
  else if (w->function->is_kernel)
    c_put(w, "klr_arguments[%u].count, %u, %u)", var->index, var->index, line);
  else {
    c_put_name(w, var->name->str);
    c_put(w, "_count, ");
    c_put_name(w, var->name->str);
    c_put(w, "_param, %u)", line);
  }
}

const char *c_infix_of(SchemaBinary op, Scalar type)
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

// Of a u64 and an i64, by their mathematical values.
static void write_mixed_comparison(CWriter *w, const Schema_binary_op *e)
{
  const bool is_turned = e->left->type.scalar != SCALAR_U64;
  c_put(w, "klr_%s_u64_i64(", schema_binary_info(is_turned ? schema_mirrored(e->op) : e->op)->name);
  c_write_expr(w, is_turned ? e->right : e->left);
  c_put(w, ", ");
  c_write_expr(w, is_turned ? e->left : e->right);
  c_put(w, ")");
}

static void write_binary(CWriter *w, const SchemaNode *node)
{
  StripPart part = w->strips ? schema_strip_part(w->strips, node) : STRIP_NO_PART;
  if (part != STRIP_NO_PART) {
    c_put(w, part == STRIP_REST ? "klr_rest" : "klr_quotient");
    return;
  }
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  const char *infix = c_infix_of(e->op, node->type.scalar);
  if (schema_binary_info(e->op)->class == OP_CLASS_COMPARE && e->left->type.scalar != e->right->type.scalar) {
    write_mixed_comparison(w, e);
    return;
  }
  if (infix) {
    c_put(w, "(");
    c_write_expr(w, e->left);
    c_put(w, " %s ", infix);
    c_write_expr(w, e->right);
    c_put(w, ")");
    return;
  }
  bool is_shift = schema_binary_info(e->op)->class == OP_CLASS_SHIFT;
  c_put(w, "klr_%s_%s(", schema_binary_info(e->op)->name, scalar_name(node->type.scalar));
  c_write_expr(w, e->left);
  c_put(w, is_shift && e->right->type.scalar == SCALAR_U64 ? ", (int64_t)klr_min_u64(64, " : ", ");
  c_write_expr(w, e->right);
  c_put(w, is_shift && e->right->type.scalar == SCALAR_U64 ? "))" : ")");
}

static void write_unary(CWriter *w, const SchemaNode *node)
{
  const Schema_unary_op *e = SCHEMA_AS(unary_op, node);
  switch (e->op) {
  case UNARY_pos: break;
  case UNARY_neg: c_put(w, "klr_neg_%s", scalar_name(node->type.scalar)); break;
  case UNARY_inv: c_put(w, "~"); break;
  case UNARY_not: c_put(w, "!"); break;
  case UNARY_COUNT: bug("no operator");
  }
  c_put(w, "(");
  c_write_expr(w, e->operand);
  c_put(w, ")");
}

// To f16 or bf16, rounded once: what an f32 does not hold goes by another way.
static void open_narrow(CWriter *w, Scalar from, Scalar to)
{
  const char *name = scalar_name(to);
  if (from == SCALAR_I64 || from == SCALAR_U64)
    c_put(w, "klr_f64_to_%s(klr_odd_%s", name, scalar_name(from));
  else if (from == SCALAR_F64 || from == SCALAR_I32 || from == SCALAR_U32)
    c_put(w, "klr_f64_to_%s((double)", name);
  else
    c_put(w, "klr_f32_to_%s((float)", name);
}

static void write_cast(CWriter *w, const SchemaNode *node)
{
  const Schema_cast *e = SCHEMA_AS(cast, node);
  Scalar from = e->value->type.scalar, to = e->to;
  const bool is_widened = from == SCALAR_F16 || from == SCALAR_BF16;  // to f32, which becomes what is wanted
  const char *open = "(", *close = ")";
  if (is_widened && to == SCALAR_F32) {
    open = "", close = "";
  } else if (to == SCALAR_F16 || to == SCALAR_BF16) {
    open_narrow(w, from, to), close = "))";
  } else if (to == SCALAR_BOOL) {
    open = "((", close = ") != 0)";
  } else if (scalar_is_float(from) && scalar_is_integer(to)) {
    c_put(w, "klr_cast_%s_%s", scalar_name(is_widened ? SCALAR_F32 : from), scalar_name(to));
  } else {
    c_put(w, "((%s)", c_type(to)), close = "))";
  }
  c_put(w, "%s", open);
  if (is_widened)
    c_put(w, "klr_%s_to_f32(", scalar_name(from));
  c_write_expr(w, e->value);
  c_put(w, is_widened ? ")%s" : "%s", close);
}

static void write_id(CWriter *w, SchemaBuiltin builtin, SchemaList args)
{
  unsigned d = args.count ? (unsigned)SCHEMA_AS(literal, args.items[0])->value.magnitude : 0;
  switch (builtin) {
  case BUILTIN_get_global_id: c_put(w, "klr_id%u", d); return;
  case BUILTIN_get_local_id: c_put(w, w->in_group ? "((int64_t)klr_local%u)" : "(klr_id%u %% (int64_t)klr_grid->local[%u])", d, d); return;
  case BUILTIN_get_group_id: c_put(w, w->in_group ? "klr_group%u" : "(klr_id%u / (int64_t)klr_grid->local[%u])", d, d); return;
  case BUILTIN_get_global_size: c_put(w, "((int64_t)klr_grid->size[%u])", d); return;
  case BUILTIN_get_local_size: c_put(w, "((int64_t)klr_grid->local[%u])", d); return;
  case BUILTIN_get_num_groups:
    c_put(w, "((int64_t)((klr_grid->size[%u] + klr_grid->local[%u] - 1) / klr_grid->local[%u]))", d, d, d);
    return;
  default: bug("id %d", (int)builtin);
  }
}

static void write_args(CWriter *w, SchemaList args, uint32_t from)
{
  for (uint32_t i = from; i < args.count; i++) {
    c_put(w, i > from ? ", " : "");
    c_write_expr(w, args.items[i]);
  }
}

static void write_helper_call(CWriter *w, const SchemaNode *node, SchemaList args)
{
  Scalar returns = node->callee->returns.scalar;
  bool is_narrow = returns == SCALAR_F16 || returns == SCALAR_BF16;
  c_put(w, is_narrow ? "klr_%s_to_f32(" : "%s", is_narrow ? scalar_name(returns) : "");
  c_put(w, "helper_");
  c_put_name(w, node->callee->name->str);
  c_put(w, "(KLR_THREAD");
  for (uint32_t i = 0; i < args.count; i++) {
    c_put(w, ", ");
    const SchemaVar *var = args.items[i]->type.is_array ? args.items[i]->var : NULL;
    if (!var) {
      c_write_expr(w, args.items[i]);
      continue;
    }
    c_put_name(w, var->name->str);
    if (var->kind == VAR_SHARED)
      c_put(w, ", %" PRIu64 "u, 0xffffffffu", var->size);
    else if (w->function->is_kernel)
      c_put(w, ", klr_arguments[%u].count, %u", var->index, var->index);
    else {
      c_put(w, ", ");
      c_put_name(w, var->name->str);
      c_put(w, "_count, ");
      c_put_name(w, var->name->str);
      c_put(w, "_param");
    }
  }
  c_put(w, is_narrow ? "))" : ")");
}

static void write_call(CWriter *w, const SchemaNode *node, SchemaList args)
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
    c_put(w, "klr_%s_%s(&", info->name, scalar_name(args.items[0]->type.scalar));
    put_element(w, args.items[0], args.items[1], node->place.line);
    c_put(w, ", ");
    write_args(w, args, 2);
    c_put(w, ")");
    return;
  case CALL_CLASS_FLOAT:
  case CALL_CLASS_NUMBER:
  case CALL_CLASS_INTEGER:
  case CALL_CLASS_AS:
  case CALL_CLASS_TEST: break;
  }
  // min and max of more than two: from the left.
  uint32_t folds = info->class == CALL_CLASS_NUMBER && args.count > 2 ? args.count - 2 : 0;
  for (uint32_t i = 0; i <= folds; i++)
    c_put(w, "klr_%s_%s(", info->name, scalar_name(args.items[0]->type.scalar));
  if (!folds) {
    write_args(w, args, 0);
    c_put(w, ")");
    return;
  }
  c_write_expr(w, args.items[0]);
  for (uint32_t i = 1; i < args.count; i++) {
    c_put(w, ", ");
    c_write_expr(w, args.items[i]);
    c_put(w, ")");
  }
}

// ---- operands from left to right, which C leaves open: that counts where one changes memory and another looks at it, or changes it too

typedef struct Effects {
  bool looks, changes;
} Effects;

static void look_for_effects(SchemaNode *node, void *context)
{
  Effects *e = context;
  e->looks |= node->kind == SCHEMA_index;
  if (node->kind != SCHEMA_call)
    return;
  e->changes |= !node->callee && schema_builtin_info(node->builtin)->class == CALL_CLASS_ATOMIC;
  for (size_t i = 0; node->callee && i < node->callee->params.count; i++) {
    const SchemaVar *param = node->callee->params.items[i];
    e->looks |= param->type.is_array;
    e->changes |= param->direction == DIRECTION_OUT || param->direction == DIRECTION_INOUT;
  }
}

static bool order_counts(SchemaNode *const *operands, uint32_t count)
{
  uint32_t touching = 0, changing = 0;
  for (uint32_t i = 0; i < count; i++) {
    Effects e = {0};
    schema_walk(operands[i], look_for_effects, &e);
    touching += e.looks || e.changes, changing += e.changes;
  }
  return changing && touching > 1;
}

// The operands of which all are computed.
static SchemaList operands_of(const SchemaNode *node, SchemaNode *two[2])
{
  if (node->kind == SCHEMA_call)
    return SCHEMA_AS(call, node)->args;
  if (node->kind == SCHEMA_perform)
    return SCHEMA_AS(perform, node)->args;
  if (node->kind != SCHEMA_binary_op || schema_binary_info(SCHEMA_AS(binary_op, node)->op)->class == OP_CLASS_LOGIC)
    return (SchemaList){0};
  two[0] = SCHEMA_AS(binary_op, node)->left, two[1] = SCHEMA_AS(binary_op, node)->right;
  return (SchemaList){two, 2};
}

// A declaration; from now on the name is written for the node.
static void hold(CWriter *w, const SchemaNode *node)
{
  const uint32_t number = ++w->labels;
  c_put(w, "const %s klr_held%u = ", c_type(node->type.scalar), number);
  c_write_expr(w, node);
  c_put(w, "; ");
  vec_push(w->arena, &w->held, (Held){node, number});
}

static void write_value(CWriter *w, const SchemaNode *node);

// Also a call for what it does.
void c_write_expr(CWriter *w, const SchemaNode *node)
{
  for (size_t i = 0; i < w->held.count; i++)
    if (w->held.items[i].node == node) {
      c_put(w, "klr_held%u", w->held.items[i].number);
      return;
    }
  SchemaNode *two[2];
  const SchemaList operands = operands_of(node, two);
  if (!order_counts(operands.items, operands.count)) {
    write_value(w, node);
    return;
  }
  const size_t before = w->held.count;
  c_put(w, "({ ");
  for (uint32_t i = 0; i < operands.count; i++)
    if (!operands.items[i]->type.is_array)
      hold(w, operands.items[i]);
  write_value(w, node);
  c_put(w, "; })");
  w->held.count = before;
}

static void write_value(CWriter *w, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_perform: write_call(w, node, SCHEMA_AS(perform, node)->args); return;
  case SCHEMA_literal: put_literal(w, node->type.scalar, &SCHEMA_AS(literal, node)->value); return;
  case SCHEMA_var: c_put_var(w, node->var); return;
  case SCHEMA_index: {
    const Schema_index *e = SCHEMA_AS(index, node);
    c_put(w, node->type.scalar == SCALAR_BOOL ? "(" : "");
    put_element(w, e->array, e->index, node->place.line);
    c_put(w, node->type.scalar == SCALAR_BOOL ? " != 0)" : "");
    return;
  }
  case SCHEMA_binary_op: write_binary(w, node); return;
  case SCHEMA_unary_op: write_unary(w, node); return;
  case SCHEMA_if_expr: {
    const Schema_if_expr *e = SCHEMA_AS(if_expr, node);
    c_put(w, "(");
    c_write_expr(w, e->condition);
    c_put(w, " ? ");
    c_write_expr(w, e->then_value);
    c_put(w, " : ");
    c_write_expr(w, e->else_value);
    c_put(w, ")");
    return;
  }
  case SCHEMA_cast: write_cast(w, node); return;
  case SCHEMA_call: write_call(w, node, SCHEMA_AS(call, node)->args); return;
  default: break;
  }
  bug("`%s` has no value", schema_kind_info(node->kind).json);
}

// ---- statements

static void write_block(CWriter *w, SchemaList list)
{
  c_put(w, " {\n");
  w->indent++;
  c_write_list(w, list);
  w->indent--;
  c_put_line(w, "}");
}

// The loop's line; its counter's number.
uint32_t c_open_for(CWriter *w, const SchemaNode *node)
{
  const Schema_for *s = SCHEMA_AS(for, node);
  const SchemaLiteral *step = &SCHEMA_AS(literal, s->step)->value;
  uint32_t label = ++w->labels;
  // The counter is a name of its own: the loop's name may be assigned in the body.
  c_start_line(w);
  c_put(w, "for (int64_t klr_k%u = ", label);
  c_write_expr(w, s->start);
  c_put(w, ", klr_stop%u = ", label);
  c_write_expr(w, s->stop);
  c_put(w, "; klr_k%u %s klr_stop%u; ", label, step->is_negative ? ">" : "<", label);
  if (step->magnitude == 1)
    c_put(w, "klr_k%u%s) {\n", label, step->is_negative ? "--" : "++");
  else  // beyond the type's end there is no next turn
    c_put(w, "klr_k%u = __builtin_add_overflow(klr_k%u, INT64_C(%s%" PRIu64 "), &klr_k%u) ? klr_stop%u : klr_k%u) {\n", label, label, step->is_negative ? "-" : "",
        step->magnitude, label, label, label);
  w->indent++;
  return label;
}

static void write_for(CWriter *w, const SchemaNode *node)
{
  if (schema_turns_are_even(w->apart, node))
    c_put_line(w, "KLR_EVEN");
  uint32_t label = c_open_for(w, node);
  c_start_line(w);
  c_put_var(w, node->var);
  c_put(w, " = (%s)klr_k%u;\n", c_type(node->var->type.scalar), label);
  c_write_list(w, SCHEMA_AS(for, node)->body);
  w->indent--;
  c_put_line(w, "}");
}

static const SchemaReduction *reduction_of(const CWriter *w, const SchemaNode *node, uint32_t *number)
{
  for (uint32_t i = 0; i < w->reductions.count; i++)
    if (w->reductions.items[i].statement == node) {
      *number = i;
      return &w->reductions.items[i];
    }
  return NULL;
}

void c_put_combined(CWriter *w, const SchemaReduction *r, const char *left, const char *right)
{
  bool is_plain_sum = r->op == BUILTIN_atomic_add && r->type != SCALAR_I32 && r->type != SCALAR_I64;
  if (is_plain_sum)
    c_put(w, "%s + %s", left, right);
  else
    c_put(w, "klr_%s_%s(%s, %s)", r->op == BUILTIN_atomic_add ? "add" : r->op == BUILTIN_atomic_min ? "min" : "max", scalar_name(r->type), left, right);
}

// An atomic of an array that may have been taken over: see write_tallies.
static void write_tally(CWriter *w, const SchemaNode *node, SchemaList args)
{
  const SchemaVar *array = args.items[0]->var;
  const char *type = scalar_name(array->type.scalar), *operation = schema_builtin_info(node->builtin)->name + strlen("atomic_");
  c_put(w, "{ const int64_t klr_index = (int64_t)");
  c_write_expr(w, args.items[1]);
  c_put(w, "; const %s klr_value = ", c_type(array->type.scalar));
  c_write_expr(w, args.items[2]);
  c_put(w, ";\n");
  c_put_line(w, "  if (klr_own%u) klr_own%u[klr_index] = klr_%s_%s(klr_own%u[klr_index], klr_value);", array->index, array->index, operation, type, array->index);
  c_start_line(w);
  c_put(w, "  else (void)klr_atomic_%s_%s(&KLR_ELEMENT(%s, ", operation, type, c_type(array->type.scalar));
  c_put_name(w, array->name->str);
  c_put(w, ", klr_index, klr_arguments[%u].count, %u, %u), klr_value); }\n", array->index, array->index, node->place.line);
}

static void write_perform(CWriter *w, const SchemaNode *node)
{
  uint32_t number;
  const SchemaReduction *r = reduction_of(w, node, &number);
  SchemaList args = SCHEMA_AS(perform, node)->args;
  c_start_line(w);
  if (!r && args.count == 3 && c_is_tally(w, args.items[0]->var)) {
    write_tally(w, node, args);
    return;
  }
  if (!r) {
    c_put(w, "(void)");
    c_write_expr(w, node);
    c_put(w, ";\n");
    return;
  }
  c_put(w, "{ KLR_TOUCH(");
  put_element(w, args.items[0], args.items[1], node->place.line);
  c_put(w, "); %s klr_value = ", c_type(r->type));
  c_write_expr(w, r->value);
  c_put(w, "; *klr_lane%u = ", number);
  c_put_combined(w, r, arena_printf(w->arena, "*klr_lane%u", number), "klr_value");
  c_put(w, "; }\n");
}

static void write_return(CWriter *w, const SchemaNode *node)
{
  const SchemaNode *value = SCHEMA_AS(return, node)->value;
  c_start_line(w);
  if (!w->plain_return) {
    if (w->in_group)
      c_put(w, "{ klr_ended[klr_t] = 1; goto klr_done%u; }\n", w->region);
    else
      c_put(w, "goto klr_next;\n");
    return;
  }
  c_put(w, "return");
  if (value) {
    c_put(w, " ");
    c_write_expr(w, value);
  }
  c_put(w, ";\n");
}

// The value is computed before the index.
static void write_assign(CWriter *w, const Schema_assign *s)
{
  const bool is_element = s->target->kind != SCHEMA_var;
  const bool is_held = is_element && order_counts((SchemaNode *[]){s->value, SCHEMA_AS(index, s->target)->index}, 2);
  c_start_line(w);
  if (is_held) {
    c_put(w, "{ ");
    hold(w, s->value);
  }
  if (is_element)
    put_element(w, SCHEMA_AS(index, s->target)->array, SCHEMA_AS(index, s->target)->index, s->target->place.line);
  else
    c_put_var(w, s->target->var);
  c_put(w, " = ");
  c_write_expr(w, s->value);
  c_put(w, is_held ? "; }\n" : ";\n");
  w->held.count -= is_held;
}

void c_write_stmt(CWriter *w, const SchemaNode *node)
{
  if (c_is_again(w, node))
    return;
  c_put_place(w, node->place);
  switch (node->kind) {
  case SCHEMA_let:
    c_start_line(w);
    c_put_var(w, node->var);
    c_put(w, " = ");
    c_write_expr(w, SCHEMA_AS(let, node)->value);
    c_put(w, ";\n");
    return;
  case SCHEMA_assign: write_assign(w, SCHEMA_AS(assign, node)); return;
  case SCHEMA_if: {
    const Schema_if *s = SCHEMA_AS(if, node);
    c_start_line(w);
    c_put(w, "if (");
    c_write_expr(w, s->condition);
    c_put(w, ")");
    write_block(w, s->then_body);
    if (s->else_body.count) {
      c_start_line(w);
      c_put(w, "else");
      write_block(w, s->else_body);
    }
    return;
  }
  case SCHEMA_for: write_for(w, node); return;
  case SCHEMA_while:
    c_start_line(w);
    c_put(w, "while (");
    c_write_expr(w, SCHEMA_AS(while, node)->condition);
    c_put(w, ")");
    write_block(w, SCHEMA_AS(while, node)->body);
    return;
  case SCHEMA_break: c_put_line(w, "break;"); return;
  case SCHEMA_continue: c_put_line(w, "continue;"); return;
  case SCHEMA_return: write_return(w, node); return;
  case SCHEMA_perform: write_perform(w, node); return;
  case SCHEMA_shared: return;
  default: break;
  }
  bug("statement `%s` of a thread", schema_kind_info(node->kind).json);
}

// The guard that the loop's bound has taken over is left out, but for what stands in it.
void c_write_list(CWriter *w, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    const SchemaNode *node = list.items[i];
    if (node != w->guard || w->in_group) {
      c_write_stmt(w, node);
      continue;
    }
    SchemaList then = SCHEMA_AS(if, node)->then_body;
    if (!(then.count == 1 && then.items[0]->kind == SCHEMA_return))
      c_write_list(w, then);
  }
}

void c_declare_local(CWriter *w, const SchemaVar *var)
{
  c_start_line(w);
  c_put(w, "KLR_SPARE %s ", c_type(var->type.scalar));
  c_put_name(w, var->name->str);
  c_put(w, " = 0;\n");
}

void c_declare_locals(CWriter *w, const SchemaFunction *function)
{
  for (size_t i = 0; i < function->locals.count; i++) {
    if (function->locals.items[i]->kind == VAR_LOCAL)
      c_declare_local(w, function->locals.items[i]);
  }
}

void c_put_value(CWriter *w, const SchemaNode *let)
{
  c_put_place(w, let->place);
  c_start_line(w);
  c_put(w, "KLR_SPARE const %s ", c_type(let->var->type.scalar));
  c_put_name(w, let->var->name->str);
  c_put(w, " = ");
  c_write_expr(w, SCHEMA_AS(let, let)->value);
  c_put(w, ";\n");
}

// ---- helpers

// A helper with more nodes, those of what is inlined into it included, is called: helpers that call others twice would double and double again.
enum { MOST_INLINED = 2000 };

typedef struct NodeCount {
  CWriter *w;
  uintptr_t nodes;
} NodeCount;

static void count_nodes(SchemaNode *node, void *context)
{
  NodeCount *count = context;
  const uintptr_t inlined = node->callee ? (uintptr_t)map_get(&count->w->inlined, node->callee->name->str) : 0;
  count->nodes += 1 + (inlined <= MOST_INLINED ? inlined : 0);
}

static bool is_inlined(CWriter *w, const SchemaFunction *function)
{
  NodeCount count = {w, 1};
  schema_walk_list(function->body, count_nodes, &count);
  map_set(&w->inlined, function->name->str, (void *)count.nodes);
  return count.nodes <= MOST_INLINED;
}

static void put_helper_head(CWriter *w, const SchemaFunction *function)
{
  c_put(w, "%s %s helper_", is_inlined(w, function) ? "KLR_BODY" : "static __attribute__((noinline, unused))", function->returns.scalar == SCALAR_NONE ? "void" : c_type(function->returns.scalar));
  c_put_name(w, function->name->str);
  c_put(w, "(KLR_THREAD_PARAMS");
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    c_put(w, ", %s ", c_type(param->type.scalar));
    c_put(w, param->type.is_array ? "*" : "");
    c_put_name(w, param->name->str);
    if (param->type.is_array) {
      c_put(w, ", uint64_t ");
      c_put_name(w, param->name->str);
      c_put(w, "_count, uint32_t ");
      c_put_name(w, param->name->str);
      c_put(w, "_param");
    }
  }
  c_put(w, ")\n{\n");
}

void c_write_helper(CWriter *w, const SchemaFunction *function)
{
  w->apart = schema_look_apart(w->file, function);
  w->function = function, w->guard = NULL, w->plain_return = true, w->in_group = false, w->line = 0;
  c_put(w, "\n");
  put_helper_head(w, function);
  w->indent = 1;
  c_put_line(w, "KLR_UNUSED_THREAD");
  for (size_t i = 0; i < function->params.count; i++)
    if (function->params.items[i]->type.is_array) {
      c_start_line(w);
      c_put(w, "(void)");
      c_put_name(w, function->params.items[i]->name->str);
      c_put(w, "_count, (void)");
      c_put_name(w, function->params.items[i]->name->str);
      c_put(w, "_param;\n");
    }
  c_declare_locals(w, function);
  c_write_list(w, function->body);
  if (function->returns.scalar != SCALAR_NONE)
    c_put_line(w, "__builtin_unreachable();");
  w->indent = 0;
  c_put(w, "}\n");
}
