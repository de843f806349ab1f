// groups.c -- regions, and what local names are in them. See groups.h.

#include "schema/groups.h"

// ---- statements

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

// `break` and `continue` of a loop around regions, met between them: the same for all threads.
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

static bool is_wide(const SchemaGroups *g, const SchemaNode *node)
{
  for (size_t i = 0; node->kind == SCHEMA_for && i < g->wide.count; i++)
    if (g->wide.items[i] == node)
      return true;
  return false;
}

bool schema_is_around_regions(const SchemaGroups *g, const SchemaNode *node)
{
  const SchemaVar *var = node->kind == SCHEMA_for ? NULL : schema_assigned_by(node);
  if (var && var->kind == VAR_LOCAL)
    return g->locals[var->index] == GROUP_ONE;
  return node->kind == SCHEMA_shared || is_wide(g, node) || has_loop_exit((SchemaList){(SchemaNode *[]){(SchemaNode *)node}, 1}) || has_barrier(node);
}

uint32_t schema_region_end(const SchemaGroups *g, SchemaList list, uint32_t from)
{
  while (from < list.count && !schema_is_around_regions(g, list.items[from]))
    from++;
  return from;
}

// ---- walking around regions

// `see(node)` for every statement around regions and every `let` between them; `enter(list, from, to)` for each region.
typedef struct Walk {
  SchemaGroups *groups;
  void (*see)(struct Walk *walk, const SchemaNode *node);
  void (*enter)(struct Walk *walk, SchemaList list, uint32_t from, uint32_t to);
  uint32_t *counts;  // by local
  bool *used;
  bool changed;
} Walk;

static void walk_list(Walk *walk, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    uint32_t end = schema_region_end(walk->groups, list, i);
    if (walk->enter && end > i)
      walk->enter(walk, list, i, end);
    for (uint32_t k = i; walk->see && k < end; k++)
      if (list.items[k]->kind == SCHEMA_let || list.items[k]->kind == SCHEMA_assign)
        walk->see(walk, list.items[k]);
    if ((i = end) == list.count)
      return;
    const SchemaNode *node = list.items[i];
    if (walk->see)
      walk->see(walk, node);
    if (node->kind == SCHEMA_if) {
      walk_list(walk, SCHEMA_AS(if, node)->then_body);
      walk_list(walk, SCHEMA_AS(if, node)->else_body);
    } else if (node->kind == SCHEMA_for) {
      walk_list(walk, SCHEMA_AS(for, node)->body);
    } else if (node->kind == SCHEMA_while) {
      walk_list(walk, SCHEMA_AS(while, node)->body);
    }
  }
}

// ---- names that a group has one of

typedef struct Sameness {
  const SchemaGroups *groups;
  bool differs;
} Sameness;

static void look_for_difference(SchemaNode *node, void *context)
{
  Sameness *s = context;
  if (node->kind == SCHEMA_var && node->var->kind == VAR_LOCAL)
    s->differs |= s->groups->locals[node->var->index] != GROUP_ONE;
  if (node->kind == SCHEMA_var && node->var->kind == VAR_PARAMETER)
    s->differs |= node->var->type.is_array || node->var->assignments != 0;
  bool is_id = node->kind == SCHEMA_call && (node->builtin == BUILTIN_get_global_id || node->builtin == BUILTIN_get_local_id);
  bool is_atomic = node->kind == SCHEMA_call && !node->callee && schema_builtin_info(node->builtin)->class == CALL_CLASS_ATOMIC;
  s->differs |= node->kind == SCHEMA_index || node->callee || is_id || is_atomic;
}

static bool is_same(const SchemaGroups *g, const SchemaNode *expression)
{
  Sameness s = {.groups = g};
  schema_walk((SchemaNode *)expression, look_for_difference, &s);
  return !s.differs;
}

static void count_assignment(Walk *walk, const SchemaNode *node)
{
  const SchemaVar *var = schema_assigned_by(node);
  if (var && var->kind == VAR_LOCAL)
    walk->counts[var->index] += node->kind == SCHEMA_for ? 2 : 1;  // as SchemaVar counts them
}

static void refuse_difference(Walk *walk, const SchemaNode *node)
{
  const SchemaGroups *g = walk->groups;
  const SchemaVar *var = schema_assigned_by(node);
  if (!var || var->kind != VAR_LOCAL || g->locals[var->index] != GROUP_ONE)
    return;
  bool same = node->kind == SCHEMA_let      ? is_same(g, SCHEMA_AS(let, node)->value)
              : node->kind == SCHEMA_assign ? is_same(g, SCHEMA_AS(assign, node)->value)
                                            : is_same(g, SCHEMA_AS(for, node)->start) && is_same(g, SCHEMA_AS(for, node)->stop);
  if (same)
    return;
  g->locals[var->index] = GROUP_THREADS;
  walk->changed = true;
}

// At first all that is only assigned around regions and between them; then without what is made of anything else.
static void find_ones(const SchemaFile *file, SchemaGroups *g)
{
  const size_t count = g->function->locals.count;
  Walk walk = {.groups = g, .see = count_assignment, .counts = arena_array(file->arena, uint32_t, count + 1)};
  for (size_t i = 0; i < count; i++)
    g->locals[i] = GROUP_THREADS;
  walk_list(&walk, g->function->body);
  for (size_t i = 0; i < count; i++)
    if (g->function->locals.items[i]->kind == VAR_LOCAL && walk.counts[i] == g->function->locals.items[i]->assignments)
      g->locals[i] = GROUP_ONE;
  walk.see = refuse_difference;
  do {
    walk.changed = false;
    walk_list(&walk, g->function->body);
  } while (walk.changed);
}

// ---- loops around regions that have no barriers: sums of each thread become vectors when the loop is outside, the threads inside

typedef struct Body {
  const SchemaGroups *groups;
  const SchemaNode *loop;
  const SchemaVar *var;
  uint32_t inside, all;
  bool has_trouble, carries;
} Body;

static void look_for_trouble(SchemaNode *node, void *context)
{
  bool is_plain = node->kind == SCHEMA_let || node->kind == SCHEMA_assign || node->kind == SCHEMA_literal || node->kind == SCHEMA_var || node->kind == SCHEMA_index ||
                  node->kind == SCHEMA_binary_op || node->kind == SCHEMA_unary_op || node->kind == SCHEMA_if_expr || node->kind == SCHEMA_cast;
  bool is_function = node->kind == SCHEMA_call && !node->callee && schema_builtin_info(node->builtin)->class != CALL_CLASS_ATOMIC;
  ((Body *)context)->has_trouble |= !is_plain && !is_function;
}

static void count_uses(SchemaNode *node, void *context)
{
  Body *b = context;
  b->all += (node->kind == SCHEMA_var && node->var == b->var) || schema_assigned_by(node) == b->var;
}

static uint32_t uses_in(SchemaList list, const SchemaVar *var)
{
  Body b = {.var = var};
  schema_walk_list(list, count_uses, &b);
  return b.all;
}

static void look_for_carried(SchemaNode *node, void *context)
{
  Body *b = context;
  const SchemaVar *var = schema_assigned_by(node);
  if (var && var->kind == VAR_LOCAL && scalar_is_float(var->type.scalar))
    b->carries |= uses_in(b->groups->function->body, var) > uses_in(SCHEMA_AS(for, b->loop)->body, var);
}

// A loop of its counter's only, over plain statements.
static void look_for_wide(SchemaNode *node, void *context)
{
  SchemaGroups *g = context;
  enum { MOST_WIDE = 64 };
  if (node->kind != SCHEMA_for || has_barrier(node) || node->var->assignments != 2 || g->wide.count == MOST_WIDE)
    return;
  SchemaList body = SCHEMA_AS(for, node)->body;
  Body b = {.groups = g, .loop = node};
  schema_walk_list(body, look_for_trouble, &b);
  if (b.has_trouble || uses_in(g->function->body, node->var) > uses_in(body, node->var) + 1)
    return;
  schema_walk_list(body, look_for_carried, &b);
  if (b.carries)
    vec_push(g->arena, &g->wide, node);
}

// Those whose bounds are the same for all threads, with what is made of their counters.
static void find_wide(const SchemaFile *file, SchemaGroups *g)
{
  if (g->function->dims <= 1)  // rows of a plane are short: there the loop is better inside
    schema_walk_list(g->function->body, look_for_wide, g);
  for (;;) {
    find_ones(file, g);
    size_t kept = 0;
    for (size_t i = 0; i < g->wide.count; i++)
      if (g->locals[g->wide.items[i]->var->index] == GROUP_ONE)
        g->wide.items[kept++] = g->wide.items[i];
    if (kept == g->wide.count)
      return;
    g->wide.count = kept;
  }
}

// ---- names that are computed anew

static void look_for_values(SchemaNode *node, void *context)
{
  SchemaGroups *g = context;
  if (node->kind == SCHEMA_let && node->var->kind == VAR_LOCAL && node->var->assignments == 1)
    g->values[node->var->index] = node;
}

enum { CHEAP_UNKNOWN, CHEAP_NO, CHEAP_YES };

static bool is_cheap(const SchemaGroups *g, const SchemaNode *node);

static bool is_cheap_local(const SchemaGroups *g, const SchemaVar *var)
{
  uint8_t *known = &g->known[var->index];
  if (*known == CHEAP_UNKNOWN)
    *known = g->values[var->index] && is_cheap(g, SCHEMA_AS(let, g->values[var->index])->value) ? CHEAP_YES : CHEAP_NO;
  return *known == CHEAP_YES;
}

// Sums, products and parts of ids, parameters and literals: less work than a load.
static bool is_cheap(const SchemaGroups *g, const SchemaNode *node)
{
  if (!scalar_is_integer(node->type.scalar))
    return false;
  switch (node->kind) {
  case SCHEMA_literal: return true;
  case SCHEMA_var:
    if (node->var->kind == VAR_LOCAL)
      return is_cheap_local(g, node->var);
    return node->var->kind == VAR_CONSTANT || (node->var->kind == VAR_PARAMETER && !node->var->assignments);
  case SCHEMA_cast: return is_cheap(g, SCHEMA_AS(cast, node)->value);
  case SCHEMA_call: return !node->callee && schema_builtin_info(node->builtin)->class == CALL_CLASS_ID;
  case SCHEMA_binary_op: {
    const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
    bool divides = (e->op == BINARY_floor_div || e->op == BINARY_mod) && e->right->kind == SCHEMA_literal;
    return (divides || e->op == BINARY_add || e->op == BINARY_sub || e->op == BINARY_mul) && is_cheap(g, e->left) && is_cheap(g, e->right);
  }
  default: return false;
  }
}

typedef struct Uses {
  const SchemaGroups *groups;
  bool *used;
} Uses;

static void note_use(SchemaNode *node, void *context)
{
  Uses *u = context;
  if (node->kind != SCHEMA_var || node->var->kind != VAR_LOCAL || u->used[node->var->index] || u->groups->locals[node->var->index] != GROUP_AGAIN)
    return;
  u->used[node->var->index] = true;
  schema_walk(SCHEMA_AS(let, u->groups->values[node->var->index])->value, note_use, u);
}

void schema_region_uses(const SchemaGroups *g, const SchemaNode *node, bool *used)
{
  Uses u = {g, used};
  schema_walk((SchemaNode *)node, note_use, &u);
}

// ---- names of one region

static void note_name(SchemaNode *node, void *context)
{
  bool *used = context;
  const SchemaVar *var = node->kind == SCHEMA_var ? node->var : schema_assigned_by(node);
  if (var && var->kind == VAR_LOCAL)
    used[var->index] = true;
}

static void count_names(Walk *walk)
{
  for (size_t i = 0; i < walk->groups->function->locals.count; i++) {
    walk->counts[i] += walk->used[i];
    walk->used[i] = false;
  }
}

static void count_region(Walk *walk, SchemaList list, uint32_t from, uint32_t to)
{
  for (uint32_t i = from; i < to; i++)
    schema_walk(list.items[i], note_name, walk->used);
  count_names(walk);
}

// What loops and conditions around regions name is outside of any.
static void count_around(Walk *walk, const SchemaNode *node)
{
  if (node->kind == SCHEMA_let)
    return;
  for (int i = 0; i < 2; i++) {  // twice: more than one region's
    if (node->kind == SCHEMA_if)
      schema_walk(SCHEMA_AS(if, node)->condition, note_name, walk->used);
    else if (node->kind == SCHEMA_while)
      schema_walk(SCHEMA_AS(while, node)->condition, note_name, walk->used);
    else if (node->kind == SCHEMA_for) {
      schema_walk(SCHEMA_AS(for, node)->start, note_name, walk->used);
      schema_walk(SCHEMA_AS(for, node)->stop, note_name, walk->used);
      walk->used[node->var->index] = true;
    }
    count_names(walk);
  }
}

SchemaGroups *schema_find_groups(const SchemaFile *file, const SchemaFunction *function)
{
  const size_t count = function->locals.count;
  SchemaGroups *g = arena_alloc(file->arena, sizeof *g);
  *g = (SchemaGroups){.function = function, .locals = arena_array(file->arena, GroupLocal, count + 1), .values = arena_array(file->arena, const SchemaNode *, count + 1),
                      .known = arena_array(file->arena, uint8_t, count + 1), .arena = file->arena};
  if (count > 1024) {
    for (size_t i = 0; i < count; i++)
      g->locals[i] = GROUP_THREADS;
    return g;
  }
  find_wide(file, g);
  schema_walk_list(function->body, look_for_values, g);
  for (size_t i = 0; i < count; i++)
    if (g->locals[i] == GROUP_THREADS && function->locals.items[i]->kind == VAR_LOCAL && is_cheap_local(g, function->locals.items[i]))
      g->locals[i] = GROUP_AGAIN;
  Walk walk = {.groups = g, .see = count_around, .enter = count_region, .counts = arena_array(file->arena, uint32_t, count + 1),
               .used = arena_array(file->arena, bool, count + 1)};
  walk_list(&walk, function->body);
  for (size_t i = 0; i < count; i++)
    if (g->locals[i] == GROUP_THREADS && walk.counts[i] <= 1)
      g->locals[i] = GROUP_INNER;
  return g;
}
