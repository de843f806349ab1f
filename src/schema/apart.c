// apart.c -- which accesses of a loop could meet. See apart.h.

#include "schema/apart.h"

typedef struct Access {
  const SchemaVar *array;
  const SchemaNode *index;
  bool writes;
} Access;

// A loop: of a counter over its turns, or of all threads.
typedef struct Loop {
  const SchemaFile *file;
  SchemaList body;
  const SchemaVar *counter;  // NULL: threads
  const SchemaNode **values;  // by index: the `let` of a local that is assigned once; else NULL
  Vec(Access) accesses;
  bool has_others;  // something whose accesses are not known, or whose order counts
} Loop;

// Between one turn and the next a value stays, grows by one, or who knows.
typedef enum Step { STEP_NONE, STEP_ONE, STEP_ANY } Step;

// ---- looking

static void look_for_values(SchemaNode *node, void *context)
{
  Loop *l = context;
  if (node->kind == SCHEMA_let && node->var->kind == VAR_LOCAL && node->var->assignments == 1)
    l->values[node->var->index] = node;
}

static void look_for_accesses(SchemaNode *node, void *context)
{
  Loop *l = context;
  if (node->kind == SCHEMA_index) {
    const Schema_index *e = SCHEMA_AS(index, node);
    vec_push(l->file->arena, &l->accesses, (Access){e->array->var, e->index, false});
    l->has_others |= e->array->var->kind == VAR_SHARED;
  }
  if (node->kind == SCHEMA_assign && SCHEMA_AS(assign, node)->target->kind == SCHEMA_index) {
    const Schema_index *target = SCHEMA_AS(index, SCHEMA_AS(assign, node)->target);
    vec_push(l->file->arena, &l->accesses, (Access){target->array->var, target->index, true});
  }
  bool is_call = node->kind == SCHEMA_call || node->kind == SCHEMA_perform;
  SchemaCallClass class = is_call && !node->callee ? schema_builtin_info(node->builtin)->class : CALL_CLASS_ID;
  l->has_others |= class == CALL_CLASS_ATOMIC || class == CALL_CLASS_BARRIER;
  if (!is_call || !node->callee)
    return;
  SchemaList args = node->kind == SCHEMA_call ? SCHEMA_AS(call, node)->args : SCHEMA_AS(perform, node)->args;
  for (uint32_t i = 0; i < args.count; i++)
    l->has_others |= args.items[i]->type.is_array;
}

static Loop loop_of(const SchemaFile *file, const SchemaFunction *function, SchemaList body, const SchemaVar *counter)
{
  Loop loop = {.file = file, .body = body, .counter = counter, .values = arena_array(file->arena, const SchemaNode *, function->locals.count + 1)};
  schema_walk_list(function->body, look_for_values, &loop);
  schema_walk_list(body, look_for_accesses, &loop);
  return loop;
}

// ---- indices

typedef struct Assigned {
  const SchemaVar *var;
  bool found;
} Assigned;

static void look_for_assignment(SchemaNode *node, void *context)
{
  Assigned *a = context;
  bool assigns = node->kind == SCHEMA_let || node->kind == SCHEMA_for ||
                 (node->kind == SCHEMA_assign && SCHEMA_AS(assign, node)->target->kind == SCHEMA_var);
  const SchemaVar *var = !assigns ? NULL : node->kind == SCHEMA_assign ? SCHEMA_AS(assign, node)->target->var : node->var;
  a->found |= assigns && var == a->var;
}

static bool assigns(SchemaList list, const SchemaVar *var)
{
  Assigned a = {.var = var};
  schema_walk_list(list, look_for_assignment, &a);
  return a.found;
}

static Step step_of(const Loop *l, const SchemaNode *node);

static Step step_of_var(const Loop *l, const SchemaVar *var)
{
  if (var == l->counter)
    return assigns(l->body, var) || scalar_info(var->type.scalar)->bytes < 4 ? STEP_ANY : STEP_ONE;
  if (var->kind == VAR_CONSTANT)
    return STEP_NONE;
  if (var->kind == VAR_LOCAL && l->values[var->index] && (!l->counter || assigns(l->body, var)))
    return step_of(l, SCHEMA_AS(let, l->values[var->index])->value);
  bool is_own = !l->counter && var->kind == VAR_LOCAL;  // each thread has its own
  return var->type.is_array || is_own || (var->assignments && (!l->counter || assigns(l->body, var))) ? STEP_ANY : STEP_NONE;
}

static Step step_of_call(const Loop *l, const SchemaNode *node)
{
  if (node->callee || schema_builtin_info(node->builtin)->class != CALL_CLASS_ID)
    return STEP_ANY;
  SchemaList args = SCHEMA_AS(call, node)->args;
  if (l->counter)
    return STEP_NONE;
  bool is_own = node->builtin == BUILTIN_get_global_id && (!args.count || SCHEMA_AS(literal, args.items[0])->value.magnitude == 0);
  return is_own ? STEP_ONE : STEP_ANY;
}

static Step step_of(const Loop *l, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_literal: return STEP_NONE;
  case SCHEMA_var: return step_of_var(l, node->var);
  case SCHEMA_call: return step_of_call(l, node);
  case SCHEMA_cast: {
    Step step = step_of(l, SCHEMA_AS(cast, node)->value);
    bool keeps = scalar_is_integer(node->type.scalar) && scalar_info(node->type.scalar)->bytes >= 4 && scalar_is_integer(SCHEMA_AS(cast, node)->value->type.scalar);
    return step == STEP_NONE || keeps ? step : STEP_ANY;
  }
  case SCHEMA_binary_op: {
    const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
    Step left = step_of(l, e->left), right = step_of(l, e->right);
    if (left == STEP_NONE && right == STEP_NONE)
      return STEP_NONE;
    bool counts = scalar_is_integer(node->type.scalar) && left + right == (int)STEP_ONE;
    return counts && (e->op == BINARY_add || (e->op == BINARY_sub && left == STEP_ONE)) ? STEP_ONE : STEP_ANY;
  }
  default: return STEP_ANY;
  }
}

// ---- answers

static bool could_meet(const Access *a, const Access *b)
{
  return a->array == b->array || a->array->type.scalar == b->array->type.scalar;
}

// Pairs that a compiler must tell apart at run time, or give way to.
static size_t count_pairs(const Loop *l)
{
  size_t pairs = 0;
  for (size_t i = 0; i < l->accesses.count; i++)
    for (size_t k = 0; l->accesses.items[i].writes && k < l->accesses.count; k++)
      pairs += could_meet(&l->accesses.items[i], &l->accesses.items[k]) && l->accesses.items[i].array != l->accesses.items[k].array;
  return pairs;
}

// For threads the index must be the own id itself: in more than one dimension others have the same sum.
static bool is_even(const Loop *l, bool has_dims)
{
  if (l->has_others)
    return false;
  for (size_t i = 0; i < l->accesses.count; i++)
    for (size_t k = 0; l->accesses.items[i].writes && k < l->accesses.count; k++) {
      const Access *a = &l->accesses.items[i], *b = &l->accesses.items[k];
      if (could_meet(a, b) && (has_dims || !schema_same_value(a->index, b->index) || step_of(l, a->index) != STEP_ONE))
        return false;
    }
  return true;
}

bool schema_threads_are_even(const SchemaFile *file, const SchemaFunction *function)
{
  Loop loop = loop_of(file, function, function->body, NULL);
  return count_pairs(&loop) && is_even(&loop, function->dims > 1);
}

bool schema_turns_are_even(const SchemaFile *file, const SchemaFunction *function, const SchemaNode *node)
{
  Loop loop = loop_of(file, function, SCHEMA_AS(for, node)->body, node->var);
  const SchemaLiteral *step = &SCHEMA_AS(literal, SCHEMA_AS(for, node)->step)->value;
  return step->magnitude == 1 && count_pairs(&loop) && is_even(&loop, false);
}

typedef struct Payer {
  const SchemaFile *file;
  const SchemaFunction *function;
  bool pays;
} Payer;

static void look_for_payer(SchemaNode *node, void *context)
{
  Payer *p = context;
  if (p->pays || (node->kind != SCHEMA_for && node->kind != SCHEMA_while))
    return;
  bool is_for = node->kind == SCHEMA_for;
  Loop loop = loop_of(p->file, p->function, is_for ? SCHEMA_AS(for, node)->body : SCHEMA_AS(while, node)->body, is_for ? node->var : NULL);
  p->pays = count_pairs(&loop) && !(is_for && schema_turns_are_even(p->file, p->function, node));
}

bool schema_pays_apart(const SchemaFile *file, const SchemaFunction *function)
{
  enum { MOST_PAIRS = 8 };  // that compilers tell apart in a loop of threads
  Payer payer = {.file = file, .function = function};
  schema_walk_list(function->body, look_for_payer, &payer);
  if (payer.pays)
    return true;
  Loop loop = loop_of(file, function, function->body, NULL);
  return !is_even(&loop, function->dims > 1) && count_pairs(&loop) > MOST_PAIRS;
}
