// write_c_needs.c -- what a launch needs: how long arrays must be, from the accesses that every thread within the guard makes.
//
// Where an index is made of ids, of the names of loops, and of numbers that are the same for all threads, and nothing that varies stands in it
// twice, its largest value over all threads is found at the ends of these: some thread has it, and an array that is shorter is an error. What
// is not known is left out. Checked builds look at each access, and tell more: there only the thread's own id counts.

#include "schema/write_c_parts.h"

#include <inttypes.h>
#include <string.h>

enum { MOST_NODES = 64, MOST_ACCESSES = 24 };  // of an index; of a kernel

typedef struct LoopSpan {
  const SchemaVar *var;
  const char *text;
  struct LoopSpan *outer;
} LoopSpan;

typedef struct Access {
  const SchemaVar *array;
  const char *span;
} Access;

typedef struct Needs {
  CWriter *w;
  const SchemaFunction *function;
  LoopSpan *loops;
  bool *at_own_id;  // by parameter
  Vec(Access) accesses;
  // Of the index that is being written:
  uint32_t nodes;
  bool used_ids[3];
  Vec(const SchemaVar *) used;
} Needs;

// ---- indices

static const SchemaNode *value_of_local(SchemaList list, const SchemaVar *var)
{
  for (uint32_t i = 0; i < list.count; i++) {
    const SchemaNode *node = list.items[i];
    const SchemaNode *found = NULL;
    switch (node->kind) {
    case SCHEMA_let:
      if (node->var == var)
        return SCHEMA_AS(let, node)->value;
      break;
    case SCHEMA_if:
      found = value_of_local(SCHEMA_AS(if, node)->then_body, var);
      found = found ? found : value_of_local(SCHEMA_AS(if, node)->else_body, var);
      break;
    case SCHEMA_for: found = value_of_local(SCHEMA_AS(for, node)->body, var); break;
    case SCHEMA_while: found = value_of_local(SCHEMA_AS(while, node)->body, var); break;
    default: break;
    }
    if (found)
      return found;
  }
  return NULL;
}

static const char *span_of(Needs *n, const SchemaNode *node);

// What a value of the node's type can be, if it was computed with one more bit.
static const char *within_type(Needs *n, const SchemaNode *node, const char *text)
{
  const Scalar type = node->type.scalar;
  const uint32_t bits = 8 * scalar_info(type)->bytes;
  if (type == SCALAR_I64)
    return text;
  const int64_t most = bits == 64 ? INT64_MAX : scalar_is_signed(type) ? (INT64_C(1) << (bits - 1)) - 1 : (INT64_C(1) << bits) - 1;
  return arena_printf(n->w->arena, "klr_span_in(%s, %s%" PRId64 ", INT64_C(%" PRId64 "))", text, scalar_is_signed(type) ? "-1 - " : "", scalar_is_signed(type) ? most : 0, most);
}

static const char *span_of_number(Needs *n, const SchemaNode *node)
{
  const SchemaLiteral *literal = &SCHEMA_AS(literal, node)->value;
  if (literal->kind != LITERAL_INT || literal->magnitude > INT64_MAX)
    return NULL;
  const char *sign = literal->is_negative ? "-" : "";
  return arena_printf(n->w->arena, "((KlrSpan){%sINT64_C(%" PRIu64 "), %sINT64_C(%" PRIu64 ")})", sign, literal->magnitude, sign, literal->magnitude);
}

static const char *span_of_var(Needs *n, const SchemaNode *node)
{
  const SchemaVar *var = node->var;
  const LoopSpan *loop = n->loops;
  while (loop && loop->var != var)
    loop = loop->outer;
  if (loop) {
    for (size_t i = 0; i < n->used.count; i++)
      if (n->used.items[i] == var)
        return NULL;
    vec_push(n->w->arena, &n->used, var);
    return loop->text;
  }
  if (var->kind == VAR_PARAMETER && !var->type.is_array && !var->assignments) {
    StrBuf name = strbuf_new(n->w->arena), *out = n->w->out;
    n->w->out = &name;
    c_put_var(n->w, var);
    n->w->out = out;
    const char *text = strbuf_cstr(&name);
    if (var->type.scalar == SCALAR_U64)
      return arena_printf(n->w->arena, "(%s > INT64_MAX ? KLR_NO_SPAN : (KlrSpan){(int64_t)%s, (int64_t)%s})", text, text, text);
    return arena_printf(n->w->arena, "((KlrSpan){%s, %s})", text, text);
  }
  const SchemaNode *value = var->kind == VAR_LOCAL && var->assignments == 1 ? value_of_local(n->function->body, var) : NULL;
  return value ? span_of(n, value) : NULL;
}

static const char *span_of_id(Needs *n, const SchemaNode *node)
{
  const SchemaList args = SCHEMA_AS(call, node)->args;
  const uint64_t d = args.count ? SCHEMA_AS(literal, args.items[0])->value.magnitude : 0;
  if (node->callee || node->builtin != BUILTIN_get_global_id || n->used_ids[d])
    return NULL;
  n->used_ids[d] = true;
  return arena_printf(n->w->arena, "((KlrSpan){klr_first%" PRIu64 ", klr_last%" PRIu64 "})", d, d);
}

static const char *span_of_binary(Needs *n, const SchemaNode *node)
{
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  const char *name = e->op == BINARY_add ? "add" : e->op == BINARY_sub ? "sub" : e->op == BINARY_mul ? "mul" : e->op == BINARY_floor_div ? "floor_div" : NULL;
  const char *left = name ? span_of(n, e->left) : NULL, *right = left ? span_of(n, e->right) : NULL;
  return right ? within_type(n, node, arena_printf(n->w->arena, "klr_span_%s(%s, %s)", name, left, right)) : NULL;
}

// C that makes the KlrSpan of an index; NULL: it is not known.
static const char *span_of(Needs *n, const SchemaNode *node)
{
  if (++n->nodes > MOST_NODES || !scalar_is_integer(node->type.scalar) || node->type.scalar == SCALAR_BOOL)
    return NULL;
  const char *inner;
  switch (node->kind) {
  case SCHEMA_literal: return span_of_number(n, node);
  case SCHEMA_var: return span_of_var(n, node);
  case SCHEMA_call: return node->callee || schema_builtin_info(node->builtin)->class != CALL_CLASS_ID ? NULL : span_of_id(n, node);
  case SCHEMA_binary_op: return span_of_binary(n, node);
  case SCHEMA_cast: return (inner = span_of(n, SCHEMA_AS(cast, node)->value)) ? within_type(n, node, inner) : NULL;
  case SCHEMA_unary_op:
    if (SCHEMA_AS(unary_op, node)->op != UNARY_neg || !(inner = span_of(n, SCHEMA_AS(unary_op, node)->operand)))
      return NULL;
    return within_type(n, node, arena_printf(n->w->arena, "klr_span_neg(%s)", inner));
  default: return NULL;
  }
}

static const char *fresh_span_of(Needs *n, const SchemaNode *node)
{
  n->nodes = 0;
  n->used_ids[0] = n->used_ids[1] = n->used_ids[2] = false;
  n->used.count = 0;
  return span_of(n, node);
}

// ---- accesses

static bool is_own_id(const SchemaFunction *function, const SchemaNode *node)
{
  if (node->kind == SCHEMA_call)
    return !node->callee && node->builtin == BUILTIN_get_global_id && !SCHEMA_AS(call, node)->args.count;
  if (node->kind != SCHEMA_var || node->var->kind != VAR_LOCAL || node->var->assignments != 1)
    return false;
  const SchemaNode *value = value_of_local(function->body, node->var);
  return value && is_own_id(function, value);
}

static void need_element(Needs *n, const SchemaNode *array, const SchemaNode *index)
{
  const SchemaVar *var = array->var;
  if (array->kind != SCHEMA_var || var->kind != VAR_PARAMETER)
    return;
  if (n->function->guard && n->function->dims == 1 && !n->loops && is_own_id(n->function, index)) {
    n->at_own_id[var->index] = true;
    return;
  }
  const char *span = n->accesses.count < MOST_ACCESSES ? fresh_span_of(n, index) : NULL;
  for (const LoopSpan *loop = n->loops; span && loop; loop = loop->outer)
    span = arena_printf(n->w->arena, "klr_span_if(%s, %s)", loop->text, span);
  for (size_t i = 0; span && i < n->accesses.count; i++)
    if (n->accesses.items[i].array == var && strcmp(n->accesses.items[i].span, span) == 0)
      span = NULL;
  if (span)
    vec_push(n->w->arena, &n->accesses, (Access){var, span});
}

static void need_in(Needs *n, const SchemaNode *node);

static void need_in_call(Needs *n, const SchemaNode *node, SchemaList args)
{
  if (!node->callee && schema_builtin_info(node->builtin)->class == CALL_CLASS_ATOMIC)
    need_element(n, args.items[0], args.items[1]);
  for (uint32_t i = 0; i < args.count; i++)
    need_in(n, args.items[i]);
}

// Expressions, and statements that are no lists.
static void need_in(Needs *n, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_index:
    need_element(n, SCHEMA_AS(index, node)->array, SCHEMA_AS(index, node)->index);
    need_in(n, SCHEMA_AS(index, node)->index);
    return;
  case SCHEMA_binary_op:
    need_in(n, SCHEMA_AS(binary_op, node)->left);
    if (schema_binary_info(SCHEMA_AS(binary_op, node)->op)->class != OP_CLASS_LOGIC)
      need_in(n, SCHEMA_AS(binary_op, node)->right);
    return;
  case SCHEMA_unary_op: need_in(n, SCHEMA_AS(unary_op, node)->operand); return;
  case SCHEMA_cast: need_in(n, SCHEMA_AS(cast, node)->value); return;
  case SCHEMA_if_expr: need_in(n, SCHEMA_AS(if_expr, node)->condition); return;
  case SCHEMA_call: need_in_call(n, node, SCHEMA_AS(call, node)->args); return;
  case SCHEMA_perform: need_in_call(n, node, SCHEMA_AS(perform, node)->args); return;
  case SCHEMA_let: need_in(n, SCHEMA_AS(let, node)->value); return;
  case SCHEMA_assign:
    need_in(n, SCHEMA_AS(assign, node)->value);
    need_in(n, SCHEMA_AS(assign, node)->target);
    return;
  default: return;
  }
}

// ---- statements

static void look_for_leaving(SchemaNode *node, void *context)
{
  *(bool *)context |= node->kind == SCHEMA_break || node->kind == SCHEMA_continue || node->kind == SCHEMA_return;
}

static void need_in_list(Needs *n, SchemaList list);

// A loop whose turns are the same for all threads, each of them run to its end.
static void need_in_for(Needs *n, SchemaNode *node)
{
  const Schema_for *s = SCHEMA_AS(for, node);
  bool leaves = false;
  schema_walk_list(s->body, look_for_leaving, &leaves);
  need_in(n, s->start);
  need_in(n, s->stop);
  const SchemaLiteral *step = &SCHEMA_AS(literal, s->step)->value;
  if (leaves || node->var->assignments != 2 || step->magnitude > INT32_MAX)
    return;
  const char *start = fresh_span_of(n, s->start), *stop = start ? fresh_span_of(n, s->stop) : NULL;
  if (!stop)
    return;
  const char *turns = arena_printf(n->w->arena, "klr_span_loop(%s, %s, %s%" PRIu64 ")", start, stop, step->is_negative ? "-" : "", step->magnitude);
  LoopSpan loop = {.var = node->var, .text = turns, .outer = n->loops};
  n->loops = &loop;
  need_in_list(n, s->body);
  n->loops = loop.outer;
}

// Statements that every thread within the guard runs: up to the first that some may leave by.
static void need_in_list(Needs *n, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    SchemaList one = {&list.items[i], 1};
    if (node == n->function->guard) {
      SchemaList then = SCHEMA_AS(if, node)->then_body;
      if (!(then.count == 1 && then.items[0]->kind == SCHEMA_return))
        need_in_list(n, then);
      continue;
    }
    if (node->kind == SCHEMA_if)
      need_in(n, SCHEMA_AS(if, node)->condition);
    else if (node->kind == SCHEMA_while)
      need_in(n, SCHEMA_AS(while, node)->condition);
    else if (node->kind == SCHEMA_for)
      need_in_for(n, node);
    else
      need_in(n, node);
    if (c_has_return(one))
      return;
  }
}

// ---- the function

// klr_firstD, klr_lastD: the first and the last thread of each dimension. Nothing is needed where there is none.
static void write_ends(CWriter *w, const SchemaFunction *function)
{
  for (uint32_t d = 0; d < function->dims; d++) {
    c_start_line(w);
    c_put(w, "int64_t klr_last%u = (int64_t)klr_grid->size[%u] - 1;\n", d, d);
    if (function->guard) {
      c_start_line(w);
      c_put(w, "const int64_t klr_bound%u = ", d);
      c_write_bound(w, function->grid[d]);
      c_put(w, ";\n");
      c_put_line(w, "klr_last%u = klr_bound%u <= klr_last%u ? klr_bound%u - 1 : klr_last%u;", d, d, d, d, d);
      c_put_from(w, function, d);
    }
    const bool has_from = function->guard && function->from[d];
    c_put_line(w, has_from ? "const int64_t klr_first%u = klr_from%u > 0 ? klr_from%u : 0;" : "KLR_SPARE const int64_t klr_first%u = 0;", d, d, d);
    c_put_line(w, "if (klr_last%u < klr_first%u)", d, d);
    c_put_line(w, "  return;");
  }
}

bool c_write_needed(CWriter *w, const SchemaFunction *function)
{
  Needs needs = {.w = w, .function = function, .at_own_id = arena_array(w->arena, bool, function->params.count + 1)};
  need_in_list(&needs, function->body);
  bool has_own = false;
  for (size_t i = 0; i < function->params.count; i++)
    has_own |= needs.at_own_id[i];
  if (!has_own && !needs.accesses.count)
    return false;
  c_put(w, "\nstatic void ");
  c_put_stage_name(w, function, "_needed(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t *klr_needed)\n{\n");
  w->indent = 1;
  c_put_line(w, "(void)klr_grid, (void)klr_arguments, (void)klr_needed;");
  c_declare_params(w, function, true);
  write_ends(w, function);
  for (size_t i = 0; i < function->params.count; i++)
    if (needs.at_own_id[i])
      c_put_line(w, "klr_needed[%zu] = (uint64_t)klr_last0 + 1;", i);
  if (needs.accesses.count) {
    c_put(w, "#ifndef KLR_CHECKED\n");
    for (size_t i = 0; i < needs.accesses.count; i++)
      c_put_line(w, "klr_span_need(&klr_needed[%u], %s);", needs.accesses.items[i].array->index, needs.accesses.items[i].span);
    c_put(w, "#endif\n");
  }
  w->indent = 0;
  c_put(w, "}\n");
  return true;
}
