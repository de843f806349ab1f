// grid.c -- how many threads a kernel needs, read from its guard: docs/schema.md, "Threads".
//
// The statements before the guard may only assign local names. Each name that is assigned once stands for its value, so
// that `total = m * n`, `if i < total:` has the grid `m * n`.

#include "schema/check.h"

typedef struct Guard {
  SchemaFile *file;
  SchemaFunction *function;
  SchemaNode *values[64];   // of locals by index, when they are assigned once before the guard; NULL: not known
  uint32_t depth;
  bool says_more;           // the condition is not only bounds of the grid
} Guard;

static bool is_value_of_local(const Guard *g, const SchemaNode *node)
{
  return node->kind == SCHEMA_var && node->var->kind == VAR_LOCAL && node->var->assignments == 1 &&
         node->var->index < 64 && g->values[node->var->index];
}

// `*narrows`, when it is given: of 8 or 16 bits, which the ids of a larger grid begin anew in.
static SchemaNode *without_casts(SchemaNode *node, bool *narrows)
{
  while (node->kind == SCHEMA_cast && scalar_is_integer(SCHEMA_AS(cast, node)->to) &&
         scalar_is_integer(SCHEMA_AS(cast, node)->value->type.scalar)) {
    if (narrows)
      *narrows |= scalar_info(SCHEMA_AS(cast, node)->to)->bytes < 4;
    node = SCHEMA_AS(cast, node)->value;
  }
  return node;
}

// The integer that a literal is, when it is one of 32 bits.
static bool small_integer(const SchemaNode *node, int64_t *out)
{
  const SchemaLiteral *literal = node->kind == SCHEMA_literal ? &SCHEMA_AS(literal, node)->value : NULL;
  if (!literal || literal->kind != LITERAL_INT || literal->magnitude > INT32_MAX)
    return false;
  *out = literal->is_negative ? -(int64_t)literal->magnitude : (int64_t)literal->magnitude;
  return true;
}

// The dimension whose global id `node` is, but for a number that is added to it, `*more`; -1: none.
static int id_dimension(const Guard *g, SchemaNode *node, int64_t *more, bool *narrows)
{
  *more = 0, *narrows = false;
  for (int i = 0; i < 16; i++) {
    node = without_casts(node, narrows);
    const Schema_binary_op *e = node->kind == SCHEMA_binary_op && node->type.scalar == SCALAR_I64 ? SCHEMA_AS(binary_op, node) : NULL;
    int64_t number;
    if (e && (e->op == BINARY_add || e->op == BINARY_sub) && small_integer(without_casts(e->right, NULL), &number)) {
      *more += e->op == BINARY_add ? number : -number;
      node = e->left;
    } else if (e && e->op == BINARY_add && small_integer(without_casts(e->left, NULL), &number)) {
      *more += number;
      node = e->right;
    } else if (is_value_of_local(g, node)) {
      node = g->values[node->var->index];
    } else {
      break;
    }
  }
  if (node->kind != SCHEMA_call || node->builtin != BUILTIN_get_global_id)
    return -1;
  SchemaList args = SCHEMA_AS(call, node)->args;
  return args.count ? (int)SCHEMA_AS(literal, args.items[0])->value.magnitude : 0;
}

// `node` over scalar parameters and literals only, locals replaced by their values; NULL when it depends on anything else.
static SchemaNode *over_parameters(Guard *g, SchemaNode *node)
{
  if (++g->depth > 256)
    return NULL;
  Arena *arena = g->file->arena;
  SchemaNode *copy = schema_clone(arena, node);
  copy->type = node->type, copy->var = node->var, copy->builtin = node->builtin;
  switch (node->kind) {
  case SCHEMA_literal: return copy;
  case SCHEMA_var:
    if (node->var->kind == VAR_PARAMETER)
      return !node->var->type.is_array && !node->var->assignments ? copy : NULL;
    if (node->var->kind == VAR_CONSTANT)
      return copy;
    return is_value_of_local(g, node) ? over_parameters(g, g->values[node->var->index]) : NULL;
  case SCHEMA_cast: {
    SchemaNode *value = over_parameters(g, SCHEMA_AS(cast, node)->value);
    SCHEMA_AS(cast, copy)->value = value;
    return value ? copy : NULL;
  }
  case SCHEMA_unary_op: {
    SchemaNode *operand = over_parameters(g, SCHEMA_AS(unary_op, node)->operand);
    SCHEMA_AS(unary_op, copy)->operand = operand;
    return operand ? copy : NULL;
  }
  case SCHEMA_binary_op: {
    SchemaNode *left = over_parameters(g, SCHEMA_AS(binary_op, node)->left);
    SchemaNode *right = left ? over_parameters(g, SCHEMA_AS(binary_op, node)->right) : NULL;
    SCHEMA_AS(binary_op, copy)->left = left, SCHEMA_AS(binary_op, copy)->right = right;
    return right ? copy : NULL;
  }
  case SCHEMA_if_expr: {
    Schema_if_expr *from = SCHEMA_AS(if_expr, node), *to = SCHEMA_AS(if_expr, copy);
    to->condition = over_parameters(g, from->condition);
    to->then_value = to->condition ? over_parameters(g, from->then_value) : NULL;
    to->else_value = to->then_value ? over_parameters(g, from->else_value) : NULL;
    return to->else_value ? copy : NULL;
  }
  case SCHEMA_call: {
    SchemaList from = SCHEMA_AS(call, node)->args, to = SCHEMA_AS(call, copy)->args;
    bool is_value = node->builtin == BUILTIN_min || node->builtin == BUILTIN_max || node->builtin == BUILTIN_abs;
    for (uint32_t i = 0; is_value && i < from.count; i++)
      is_value = (to.items[i] = over_parameters(g, from.items[i])) != NULL;
    return is_value ? copy : NULL;
  }
  default: return NULL;
  }
}

// `bound + more`, an i64; a u64 stays one where nothing is taken away.
static SchemaNode *as_count(Guard *g, SchemaNode *bound, int64_t more)
{
  Arena *arena = g->file->arena;
  if (bound->type.scalar != SCALAR_I64 && (bound->type.scalar != SCALAR_U64 || more < 0)) {
    SchemaNode *cast = schema_node(arena, SCHEMA_cast, bound->place);
    SCHEMA_AS(cast, cast)->to = SCALAR_I64, SCHEMA_AS(cast, cast)->value = bound;
    cast->type = (SchemaType){SCALAR_I64, false};
    bound = cast;
  }
  if (!more)
    return bound;
  SchemaNode *sum = schema_node(arena, SCHEMA_binary_op, bound->place), *number = schema_node(arena, SCHEMA_literal, bound->place);
  SCHEMA_AS(literal, number)->value = (SchemaLiteral){.kind = LITERAL_INT, .magnitude = (uint64_t)(more < 0 ? -more : more)};
  SCHEMA_AS(binary_op, sum)->op = more < 0 ? BINARY_sub : BINARY_add, SCHEMA_AS(binary_op, sum)->left = bound, SCHEMA_AS(binary_op, sum)->right = number;
  sum->type = number->type = bound->type;
  return sum;
}

// Whether sums of it and small numbers stay within 64 bits.
static bool is_small(SchemaNode *node)
{
  int64_t number;
  node = without_casts(node, NULL);
  return scalar_info(node->type.scalar)->bytes <= 4 || small_integer(node, &number);
}

// Takes the first thread from `id > E` and `id >= E`, or from `id <= E`, `id < E` and `id == 0`, which return; false when it is neither.
static bool read_from(Guard *g, SchemaBinary op, int dimension, int64_t more, SchemaNode *bound, bool in_range)
{
  int64_t zero;
  bool is_not_first = op == (in_range ? BINARY_ne : BINARY_eq) && !more && small_integer(without_casts(bound, NULL), &zero) && !zero;
  bool includes = op == (in_range ? BINARY_ge : BINARY_lt), excludes = op == (in_range ? BINARY_gt : BINARY_le) || is_not_first;
  if (g->function->from[dimension] || (!includes && !excludes) || !scalar_is_integer(bound->type.scalar) || !is_small(bound))
    return false;
  SchemaNode *first = over_parameters(g, bound);
  if (first)
    g->function->from[dimension] = as_count(g, first, excludes - more);
  return first != NULL;
}

// Takes bounds from `id < E` and `id <= E` (`in_range`), or from `id >= E` and `id > E`, joined by `and`, or by `or`.
static void read_condition(Guard *g, SchemaNode *node, bool in_range)
{
  if (node->kind == SCHEMA_unary_op && SCHEMA_AS(unary_op, node)->op == UNARY_not) {
    read_condition(g, SCHEMA_AS(unary_op, node)->operand, !in_range);
    return;
  }
  if (node->kind != SCHEMA_binary_op) {
    g->says_more = true;
    return;
  }
  Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  if (e->op == (in_range ? BINARY_and : BINARY_or)) {
    read_condition(g, e->left, in_range);
    read_condition(g, e->right, in_range);
    return;
  }
  int64_t more;
  bool narrows;
  int dimension = id_dimension(g, e->left, &more, &narrows);
  SchemaBinary op = e->op;
  SchemaNode *bound = e->right;
  if (dimension < 0) {
    dimension = id_dimension(g, e->right, &more, &narrows);
    op = schema_mirrored(e->op), bound = e->left;
  }
  bool excludes = op == (in_range ? BINARY_lt : BINARY_ge), includes = op == (in_range ? BINARY_le : BINARY_gt);
  bool is_bound = dimension >= 0 && !g->function->grid[dimension] && (excludes || includes) && scalar_is_integer(bound->type.scalar);
  g->depth = 0;
  if (dimension >= 0 && !narrows && read_from(g, op, dimension, more, bound, in_range))
    return;
  SchemaNode *count = is_bound ? over_parameters(g, bound) : NULL;
  g->says_more |= !count || (more && !is_small(bound)) || narrows;
  if (count)
    g->function->grid[dimension] = as_count(g, count, includes - more);
}

static void read_guard(Guard *g, const SchemaNode *node, bool in_range)
{
  SchemaFunction *function = g->function;
  bool is_first = !function->grid[0] && !function->grid[1] && !function->grid[2];
  g->says_more = false;
  read_condition(g, SCHEMA_AS(if, node)->condition, in_range);
  bool is_whole = is_first && !g->says_more && function->dims > 0;
  for (uint32_t d = 0; d < function->dims; d++)
    is_whole &= function->grid[d] != NULL;
  if (is_whole)
    function->guard = node;
}

static bool only_returns(SchemaList list)
{
  return list.count == 1 && list.items[0]->kind == SCHEMA_return;
}

void schema_find_grid(SchemaFile *file, SchemaFunction *function)
{
  Guard g = {.file = file, .function = function};
  for (int i = 0; i < 3; i++)
    function->grid[i] = function->from[i] = NULL;
  function->guard = NULL;
  if (!function->is_kernel)
    return;
  for (uint32_t i = 0; i < function->body.count; i++) {
    SchemaNode *node = function->body.items[i];
    if (node->kind == SCHEMA_let && node->var->kind == VAR_LOCAL) {
      if (node->var->index < 64)
        g.values[node->var->index] = SCHEMA_AS(let, node)->value;
      continue;
    }
    if (node->kind == SCHEMA_shared)
      continue;
    if (node->kind != SCHEMA_if)
      return;
    Schema_if *s = SCHEMA_AS(if, node);
    if (only_returns(s->then_body) && !s->else_body.count) {
      read_guard(&g, node, false);
      continue;
    }
    bool is_last = i + 1 == function->body.count || (i + 2 == function->body.count && function->body.items[i + 1]->kind == SCHEMA_return);
    if (is_last && !s->else_body.count)
      read_guard(&g, node, true);
    return;
  }
}
