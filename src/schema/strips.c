// strips.c -- which loops of a kernel are run for many threads at a time, and what its names are then. See strips.h.

#include "schema/strips.h"

#include <string.h>

// How a value differs between the neighbours of a strip.
typedef enum Spread { SPREAD_STEADY, SPREAD_UNIT, SPREAD_ANY } Spread;

enum { MOST_WORK = 200000 };

static Spread spread_of(const SchemaStrips *s, const SchemaNode *node);

// ---- lists

static bool only_returns(SchemaList list)
{
  return list.count == 1 && list.items[0]->kind == SCHEMA_return;
}

static void flatten(Arena *arena, const SchemaFunction *function, SchemaList list, SchemaList *out)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    if (node != function->guard) {
      out->items[out->count++] = node;
      continue;
    }
    SchemaList then = SCHEMA_AS(if, node)->then_body;
    if (only_returns(then))
      continue;
    SchemaNode **grown = arena_array(arena, SchemaNode *, out->count + then.count + list.count);
    memcpy(grown, out->items, out->count * sizeof *grown);
    out->items = grown;
    flatten(arena, function, then, out);
  }
}

bool schema_is_wide(const SchemaStrips *s, const SchemaNode *loop)
{
  for (size_t i = 0; i < s->wide.count; i++)
    if (s->wide.items[i] == loop)
      return true;
  return false;
}

uint32_t schema_run_end(const SchemaStrips *s, SchemaList list, uint32_t from)
{
  while (from < list.count && !schema_is_wide(s, list.items[from]))
    from++;
  return from;
}

// ---- values

bool schema_is_own_id(const SchemaStrips *s, const SchemaNode *node)
{
  if (node->kind == SCHEMA_var && node->var->kind == VAR_LOCAL && s->values[node->var->index])
    return schema_is_own_id(s, SCHEMA_AS(let, s->values[node->var->index])->value);
  if (node->kind != SCHEMA_call || node->builtin != BUILTIN_get_global_id)
    return false;
  SchemaList args = SCHEMA_AS(call, node)->args;
  return !args.count || SCHEMA_AS(literal, args.items[0])->value.magnitude == 0;
}

StripPart schema_strip_part(const SchemaStrips *s, const SchemaNode *node)
{
  if (!s->width || node->kind != SCHEMA_binary_op || node->type.scalar != SCALAR_I64)
    return STRIP_NO_PART;
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  bool is_part = (e->op == BINARY_floor_div || e->op == BINARY_mod) && schema_is_own_id(s, e->left) && schema_same_value(e->right, s->width);
  return !is_part ? STRIP_NO_PART : e->op == BINARY_mod ? STRIP_REST : STRIP_QUOTIENT;
}

static Spread spread_of_list(const SchemaStrips *s, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++)
    if (spread_of(s, list.items[i]) != SPREAD_STEADY)
      return SPREAD_ANY;
  return SPREAD_STEADY;
}

static Spread spread_of_binary(const SchemaStrips *s, const SchemaNode *node)
{
  StripPart part = schema_strip_part(s, node);
  if (part != STRIP_NO_PART)
    return part == STRIP_REST ? SPREAD_UNIT : SPREAD_STEADY;
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  Spread left = spread_of(s, e->left), right = spread_of(s, e->right);
  if (left == SPREAD_STEADY && right == SPREAD_STEADY)
    return SPREAD_STEADY;
  bool counts = node->type.scalar == SCALAR_I64 && left + right == (int)SPREAD_UNIT;
  return counts && (e->op == BINARY_add || (e->op == BINARY_sub && left == SPREAD_UNIT)) ? SPREAD_UNIT : SPREAD_ANY;
}

static Spread spread_of_var(const SchemaStrips *s, const SchemaVar *var)
{
  if (var->kind == VAR_PARAMETER)
    return var->type.is_array || var->assignments ? SPREAD_ANY : SPREAD_STEADY;
  if (var->kind != VAR_LOCAL)
    return SPREAD_ANY;
  if (s->turns[var->index])
    return SPREAD_STEADY;
  return s->values[var->index] ? spread_of(s, SCHEMA_AS(let, s->values[var->index])->value) : SPREAD_ANY;
}

// Of values that can be computed at any time: nothing of memory.
static Spread spread_of(const SchemaStrips *s, const SchemaNode *node)
{
  if (++*s->work > MOST_WORK)
    return SPREAD_ANY;
  switch (node->kind) {
  case SCHEMA_literal: return SPREAD_STEADY;
  case SCHEMA_var: return spread_of_var(s, node->var);
  case SCHEMA_binary_op: return spread_of_binary(s, node);
  case SCHEMA_unary_op: return spread_of(s, SCHEMA_AS(unary_op, node)->operand) == SPREAD_STEADY ? SPREAD_STEADY : SPREAD_ANY;
  case SCHEMA_cast: {
    const SchemaNode *value = SCHEMA_AS(cast, node)->value;
    Spread spread = spread_of(s, value);
    bool keeps = scalar_is_integer(node->type.scalar) && scalar_info(node->type.scalar)->bytes == 8 && value->type.scalar == SCALAR_I64;
    return spread == SPREAD_STEADY || (spread == SPREAD_UNIT && keeps) ? spread : SPREAD_ANY;
  }
  case SCHEMA_if_expr: {
    const Schema_if_expr *e = SCHEMA_AS(if_expr, node);
    SchemaNode *parts[] = {e->condition, e->then_value, e->else_value};
    return spread_of_list(s, (SchemaList){parts, 3});
  }
  case SCHEMA_call:
    if (node->builtin == BUILTIN_get_global_id)
      return schema_is_own_id(s, node) ? SPREAD_UNIT : SPREAD_STEADY;
    return node->builtin == BUILTIN_min || node->builtin == BUILTIN_max || node->builtin == BUILTIN_abs ? spread_of_list(s, SCHEMA_AS(call, node)->args)
                                                                                                      : SPREAD_ANY;
  default: return SPREAD_ANY;
  }
}

// Sums and products of integers that are known at any time: less work than a load.
static bool is_cheap(const SchemaStrips *s, const SchemaNode *node)
{
  if (!scalar_is_integer(node->type.scalar) || ++*s->work > MOST_WORK)
    return false;
  if (spread_of(s, node) != SPREAD_ANY)
    return true;
  if (node->kind == SCHEMA_var)
    return node->var->kind == VAR_LOCAL && s->values[node->var->index] && is_cheap(s, SCHEMA_AS(let, s->values[node->var->index])->value);
  if (node->kind == SCHEMA_cast)
    return is_cheap(s, SCHEMA_AS(cast, node)->value);
  if (node->kind != SCHEMA_binary_op)
    return false;
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  return (e->op == BINARY_add || e->op == BINARY_sub || e->op == BINARY_mul) && is_cheap(s, e->left) && is_cheap(s, e->right);
}

// ---- rows

static void look_for_width(SchemaNode *node, void *context)
{
  SchemaStrips *s = context;
  if (s->width || node->kind != SCHEMA_binary_op || node->type.scalar != SCALAR_I64)
    return;
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  if ((e->op != BINARY_floor_div && e->op != BINARY_mod) || !schema_is_own_id(s, e->left) || spread_of(s, e->right) != SPREAD_STEADY)
    return;
  // By a small number the compiler divides better than rows are short.
  bool is_short = e->right->kind == SCHEMA_literal && (SCHEMA_AS(literal, e->right)->value.is_negative || SCHEMA_AS(literal, e->right)->value.magnitude < 32);
  s->width = is_short ? NULL : e->right;
}

// ---- wide loops

typedef struct Looker {
  SchemaStrips *s;
  const SchemaVar *var;
  const SchemaNode *loop;
  uint32_t all, inside, writes;  // how often `var` is named, and assigned
  bool found;
} Looker;

static void count_names(SchemaNode *node, void *context)
{
  Looker *l = context;
  l->all += (node->kind == SCHEMA_var && node->var == l->var) || schema_assigned_by(node) == l->var;
  l->writes += schema_assigned_by(node) == l->var;
}

// A name that only loops count and only their bodies read.
static void count_outside(SchemaNode *node, void *context)
{
  Looker *l = context;
  l->all += node->kind == SCHEMA_var && node->var == l->var;
  l->found |= schema_assigned_by(node) == l->var && node->kind != SCHEMA_for;
  if (node->kind == SCHEMA_for && node->var == l->var) {
    Looker inner = {.var = l->var};
    schema_walk_list(SCHEMA_AS(for, node)->body, count_names, &inner);
    l->inside += inner.all;
    l->found |= inner.writes != 0;
  }
}

static bool is_scoped(SchemaStrips *s, const SchemaVar *var)
{
  Looker l = {.var = var};
  schema_walk_list(s->body, count_outside, &l);
  return !l.found && l.inside == l.all;
}

static uint32_t names_in(SchemaList list, const SchemaVar *var)
{
  Looker l = {.var = var};
  schema_walk_list(list, count_names, &l);
  return l.all;
}

static void look_for_carried(SchemaNode *node, void *context)
{
  Looker *l = context;
  const SchemaVar *var = schema_assigned_by(node);
  if (var && var->kind == VAR_LOCAL && node->kind != SCHEMA_for && (!l->s->is_few || scalar_is_float(var->type.scalar)))
    l->found |= names_in(l->s->body, var) > names_in((SchemaList){(SchemaNode *[]){(SchemaNode *)l->loop}, 1}, var);
}

// What keeps lanes apart: elements that lie anywhere, calls, ways out. Few lanes may read anywhere; what the compiler can make vectors of in one thread,
// or what makes lanes wait for each other, is better left there.
static void look_for_trouble(SchemaNode *node, void *context)
{
  Looker *l = context;
  const bool is_few = l->s->is_few;
  const SchemaNode *index = node->kind == SCHEMA_index ? SCHEMA_AS(index, node)->index : NULL;
  bool is_builtin = node->kind == SCHEMA_call && !node->callee;
  SchemaCallClass class = is_builtin ? schema_builtin_info(node->builtin)->class : CALL_CLASS_ID;
  l->found |= node->kind == SCHEMA_perform || node->callee || class == CALL_CLASS_ATOMIC || node->kind == SCHEMA_while || node->kind == SCHEMA_break ||
              node->kind == SCHEMA_continue || (index && !is_few && spread_of(l->s, index) == SPREAD_ANY) ||
              (is_few && (class == CALL_CLASS_FLOAT || node->kind == SCHEMA_if || (node->kind == SCHEMA_assign && SCHEMA_AS(assign, node)->target->kind == SCHEMA_index)));
}

static void look_for_loop(SchemaNode *node, void *context)
{
  ((Looker *)context)->found |= node->kind == SCHEMA_for || node->kind == SCHEMA_while;
}

static bool take_loop(Arena *arena, SchemaStrips *s, SchemaNode *node);

// Statements below a wide loop: plain ones, and wide loops.
static bool take_statements(Arena *arena, SchemaStrips *s, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    if (node->kind == SCHEMA_for) {
      if (!take_loop(arena, s, node))
        return false;
      continue;
    }
    Looker l = {.s = s};
    schema_walk(node, look_for_loop, &l);
    if (l.found)
      return false;
    if (node->kind == SCHEMA_let && node->var->assignments == 1)
      s->values[node->var->index] = node;
  }
  return true;
}

// A loop that all threads take equally often, over elements that are near to each other: with those in it.
static bool take_loop(Arena *arena, SchemaStrips *s, SchemaNode *node)
{
  const Schema_for *loop = SCHEMA_AS(for, node);
  if (spread_of(s, loop->start) != SPREAD_STEADY || spread_of(s, loop->stop) != SPREAD_STEADY || !is_scoped(s, node->var))
    return false;
  s->turns[node->var->index] = node;
  bool ok = take_statements(arena, s, loop->body);
  Looker l = {.s = s, .loop = node};
  schema_walk_list(loop->body, look_for_trouble, &l);
  if (ok && !l.found)
    vec_push(arena, &s->wide, node);
  return ok && !l.found;
}

static void forget_turn(SchemaNode *node, void *context)
{
  SchemaStrips *s = context;
  if (node->kind == SCHEMA_for)
    s->turns[node->var->index] = NULL;
}

static void forget_value(SchemaNode *node, void *context)
{
  SchemaStrips *s = context;
  if (node->kind == SCHEMA_let)
    s->values[node->var->index] = NULL;
}

static void take_loops(Arena *arena, SchemaStrips *s)
{
  for (uint32_t i = 0; i < s->body.count; i++) {
    SchemaNode *node = s->body.items[i];
    if (node->kind != SCHEMA_for)
      continue;
    Looker l = {.s = s, .loop = node};
    schema_walk_list(SCHEMA_AS(for, node)->body, look_for_carried, &l);
    const size_t before = s->wide.count;
    const bool is_taken = l.found && take_loop(arena, s, node);
    schema_walk(node, forget_turn, s);
    if (is_taken)
      continue;
    s->wide.count = before;
    schema_walk(node, forget_value, s);
  }
  s->is_wide = s->wide.count != 0;
}

// ---- names

static void note_use(SchemaNode *node, void *context)
{
  bool *used = context;
  const SchemaVar *var = node->kind == SCHEMA_var ? node->var : schema_assigned_by(node);
  if (var && var->kind == VAR_LOCAL)
    used[var->index] = true;
}

void schema_run_uses(const SchemaStrips *s, SchemaList list, uint32_t from, uint32_t to, bool *used)
{
  for (uint32_t i = from; i < to; i++) {
    const SchemaNode *node = list.items[i];
    bool is_elsewhere = node->kind == SCHEMA_let && s->values[node->var->index] == node && s->locals[node->var->index] != STRIP_INNER &&
                        s->locals[node->var->index] != STRIP_LANES;
    if (!is_elsewhere)
      schema_walk(list.items[i], note_use, used);
  }
  bool grows = true;
  while (grows) {
    grows = false;
    for (size_t i = 0; i < s->function->locals.count; i++) {
      if (!used[i] || s->locals[i] != STRIP_AGAIN)
        continue;
      bool needs[1024] = {false};
      schema_walk(SCHEMA_AS(let, s->values[i])->value, note_use, needs);
      for (size_t k = 0; k < s->function->locals.count; k++)
        if (needs[k] && !used[k])
          used[k] = grows = true;
    }
  }
}

// Counts in how many runs each local is named.
static void count_runs(const SchemaStrips *s, SchemaList list, uint32_t *runs)
{
  for (uint32_t i = 0; i < list.count;) {
    uint32_t end = schema_run_end(s, list, i);
    bool used[1024] = {false};
    for (uint32_t k = i; k < end; k++)
      schema_walk(list.items[k], note_use, used);
    for (size_t k = 0; k < s->function->locals.count; k++)
      runs[k] += used[k];
    i = end;
    if (i < list.count)
      count_runs(s, SCHEMA_AS(for, list.items[i++])->body, runs);
  }
}

static void name_locals(Arena *arena, SchemaStrips *s)
{
  const size_t count = s->function->locals.count;
  uint32_t *runs = arena_array(arena, uint32_t, count + 1);
  count_runs(s, s->body, runs);
  for (size_t i = 0; i < s->wide.count; i++)
    s->turns[s->wide.items[i]->var->index] = s->wide.items[i];
  for (size_t i = 0; i < count; i++) {
    const SchemaNode *value = s->values[i] ? SCHEMA_AS(let, s->values[i])->value : NULL;
    Spread spread = value ? spread_of(s, value) : SPREAD_ANY;
    s->locals[i] = spread == SPREAD_STEADY ? STRIP_STEADY : value && is_cheap(s, value) ? STRIP_AGAIN : runs[i] > 1 && !is_scoped(s, s->function->locals.items[i]) ? STRIP_LANES : STRIP_INNER;
  }
  for (size_t i = 0; i < count; i++)
    s->turns[i] = NULL;
}

static void look_for_return(SchemaNode *node, void *context)
{
  *(bool *)context |= node->kind == SCHEMA_return;
}

SchemaStrips *schema_find_strips(const SchemaFile *file, const SchemaFunction *function)
{
  Arena *arena = file->arena;
  SchemaStrips *s = arena_alloc(arena, sizeof *s);
  const size_t count = function->locals.count + 1;
  *s = (SchemaStrips){.function = function, .locals = arena_array(arena, StripLocal, count), .values = arena_array(arena, const SchemaNode *, count),
                      .turns = arena_array(arena, const SchemaNode *, count), .work = arena_new(arena, uint32_t)};
  if (!function->dims || function->uses_groups || function->has_whole || count > 1024)
    return s;
  s->body.items = arena_array(arena, SchemaNode *, function->body.count + 1);
  flatten(arena, function, function->body, &s->body);
  for (uint32_t i = 0; i < s->body.count; i++)
    if (s->body.items[i]->kind == SCHEMA_let && s->body.items[i]->var->assignments == 1)
      s->values[s->body.items[i]->var->index] = s->body.items[i];
  if (function->dims == 1)
    schema_walk_list(s->body, look_for_width, s);
  bool leaves = false, assigns = false;
  schema_walk_list(s->body, look_for_return, &leaves);
  for (size_t i = 0; i < function->params.count; i++)
    assigns |= function->params.items[i]->assignments != 0;
  if (!leaves && !assigns)
    take_loops(arena, s);
  if (!leaves && !assigns && !s->is_wide && !s->width && function->dims == 1) {
    s->is_few = true;
    take_loops(arena, s);
  }
  if (s->is_wide)
    name_locals(arena, s);
  return s;
}
