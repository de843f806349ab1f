// apart.c -- which accesses of a loop could meet. See apart.h.

#include "schema/apart.h"

// Functions with more names and loops with more accesses are not looked at.
enum { MOST_LOCALS = 1024, MOST_ACCESSES = 256, MOST_WORK = 20000 };

typedef struct Access {
  const SchemaVar *array;
  const SchemaNode *index;
  bool writes;
} Access;

struct SchemaApart {
  Arena *arena;
  const SchemaFunction *function;
  const SchemaNode **values;  // by index: the `let` of a local that is assigned once; else NULL
  uint32_t *assigned;         // by index: the number of the loop that was looked at last and assigns the local
  uint32_t loop;
};

// A loop: of a counter over its turns, or of all threads.
typedef struct Loop {
  SchemaApart *apart;
  const SchemaVar *counter;  // NULL: threads
  Access accesses[MOST_ACCESSES];
  uint32_t count, work;      // work: names of names may stand for more than there is time for
  bool has_others;           // something whose accesses are not known, or whose order counts
  bool counter_changes;
} Loop;

// Between one turn and the next a value stays, grows by one, or who knows.
typedef enum Step { STEP_NONE, STEP_ONE, STEP_ANY } Step;

// ---- looking

static void look_for_values(SchemaNode *node, void *context)
{
  SchemaApart *a = context;
  if (node->kind == SCHEMA_let && node->var->kind == VAR_LOCAL && node->var->assignments == 1)
    a->values[node->var->index] = node;
}

SchemaApart *schema_look_apart(const SchemaFile *file, const SchemaFunction *function)
{
  SchemaApart *a = arena_new(file->arena, SchemaApart);
  *a = (SchemaApart){file->arena, function, arena_array(file->arena, const SchemaNode *, function->locals.count + 1),
                     arena_array(file->arena, uint32_t, function->locals.count + 1), 0};
  schema_walk_list(function->body, look_for_values, a);
  return a;
}

static void add_access(Loop *l, const Schema_index *element, bool writes)
{
  if (l->count < MOST_ACCESSES)
    l->accesses[l->count++] = (Access){element->array->var, element->index, writes};
  else
    l->has_others = true;
}

static void look_at_call(Loop *l, const SchemaNode *node)
{
  if (!node->callee) {
    SchemaCallClass class = schema_builtin_info(node->builtin)->class;
    l->has_others |= class == CALL_CLASS_ATOMIC || class == CALL_CLASS_BARRIER;
    return;
  }
  SchemaList args = node->kind == SCHEMA_call ? SCHEMA_AS(call, node)->args : SCHEMA_AS(perform, node)->args;
  for (uint32_t i = 0; i < args.count; i++)
    l->has_others |= args.items[i]->type.is_array;
}

static void look_in_loop(SchemaNode *node, void *context)
{
  Loop *l = context;
  const SchemaVar *var = schema_assigned_by(node);
  if (node->kind == SCHEMA_index) {
    add_access(l, SCHEMA_AS(index, node), false);
    l->has_others |= SCHEMA_AS(index, node)->array->var->kind == VAR_SHARED;
  } else if (node->kind == SCHEMA_assign) {
    const SchemaNode *target = SCHEMA_AS(assign, node)->target;
    if (target->kind == SCHEMA_index)
      add_access(l, SCHEMA_AS(index, target), true);
  } else if (node->kind == SCHEMA_call || node->kind == SCHEMA_perform) {
    look_at_call(l, node);
  }
  if (var && var->kind == VAR_LOCAL)
    l->apart->assigned[var->index] = l->apart->loop;
  l->counter_changes |= var && var == l->counter;
}

// Of one loop at a time.
static void look_at(Loop *l, SchemaApart *apart, SchemaList body, const SchemaVar *counter)
{
  l->apart = apart, l->counter = counter, l->count = l->work = 0, l->counter_changes = false;
  l->has_others = apart->function->locals.count > MOST_LOCALS;
  apart->loop++;
  if (!l->has_others)
    schema_walk_list(body, look_in_loop, l);
}

// ---- indices

static Step step_of(Loop *l, const SchemaNode *node);

static Step step_of_var(Loop *l, const SchemaVar *var)
{
  if (var == l->counter)
    return l->counter_changes || scalar_info(var->type.scalar)->bytes < 4 ? STEP_ANY : STEP_ONE;
  if (var->kind == VAR_CONSTANT)
    return STEP_NONE;
  if (var->type.is_array || (var->kind == VAR_PARAMETER && var->assignments))
    return STEP_ANY;
  if (var->kind == VAR_PARAMETER)
    return STEP_NONE;
  if (l->counter && l->apart->assigned[var->index] != l->apart->loop)
    return STEP_NONE;
  const SchemaNode *let = l->apart->values[var->index];
  return let ? step_of(l, SCHEMA_AS(let, let)->value) : STEP_ANY;
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

static Step step_of(Loop *l, const SchemaNode *node)
{
  if (++l->work > MOST_WORK)
    return STEP_ANY;
  switch (node->kind) {
  case SCHEMA_literal: return STEP_NONE;
  case SCHEMA_var: return step_of_var(l, node->var);
  case SCHEMA_call: return step_of_call(l, node);
  case SCHEMA_cast: {
    const SchemaNode *value = SCHEMA_AS(cast, node)->value;
    Step step = step_of(l, value);
    bool keeps = scalar_is_integer(node->type.scalar) && scalar_info(node->type.scalar)->bytes >= 4 && scalar_is_integer(value->type.scalar);
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

// In C bytes are of no type, and integers of one size of one.
static bool could_meet_in_c(const Access *a, const Access *b)
{
  Scalar x = a->array->type.scalar, y = b->array->type.scalar;
  uint32_t bytes = scalar_info(x)->bytes;
  bool are_integers = x != SCALAR_F32 && x != SCALAR_F64 && y != SCALAR_F32 && y != SCALAR_F64;
  return x == y || bytes == 1 || scalar_info(y)->bytes == 1 || (are_integers && bytes == scalar_info(y)->bytes);
}

// Pairs that a compiler must tell apart at run time, or give way to.
static size_t count_pairs(const Loop *l)
{
  size_t pairs = 0;
  for (uint32_t i = 0; i < l->count; i++)
    for (uint32_t k = 0; l->accesses[i].writes && k < l->count; k++)
      pairs += could_meet_in_c(&l->accesses[i], &l->accesses[k]) && l->accesses[i].array != l->accesses[k].array;
  return pairs;
}

static bool is_even(Loop *l)
{
  if (l->has_others || !count_pairs(l))
    return false;
  for (uint32_t i = 0; i < l->count; i++)
    for (uint32_t k = 0; l->accesses[i].writes && k < l->count; k++) {
      const Access *a = &l->accesses[i], *b = &l->accesses[k];
      if (could_meet(a, b) && (!schema_same_value(a->index, b->index) || step_of(l, a->index) != STEP_ONE))
        return false;
    }
  return true;
}

// In more dimensions than one other threads have the same sum of ids.
bool schema_threads_are_even(SchemaApart *apart)
{
  Loop loop;
  look_at(&loop, apart, apart->function->body, NULL);
  return apart->function->dims <= 1 && is_even(&loop);
}

bool schema_turns_are_even(SchemaApart *apart, const SchemaNode *node)
{
  Loop loop;
  if (SCHEMA_AS(literal, SCHEMA_AS(for, node)->step)->value.magnitude != 1)
    return false;
  look_at(&loop, apart, SCHEMA_AS(for, node)->body, node->var);
  return is_even(&loop);
}

typedef struct Payer {
  SchemaApart *apart;
  bool pays;
} Payer;

static void look_for_payer(SchemaNode *node, void *context)
{
  Payer *p = context;
  if (p->pays || (node->kind != SCHEMA_for && node->kind != SCHEMA_while))
    return;
  Loop loop;
  bool is_for = node->kind == SCHEMA_for;
  look_at(&loop, p->apart, is_for ? SCHEMA_AS(for, node)->body : SCHEMA_AS(while, node)->body, NULL);
  p->pays = count_pairs(&loop) && !(is_for && schema_turns_are_even(p->apart, node));
}

bool schema_pays_apart(SchemaApart *apart)
{
  enum { MOST_PAIRS = 8 };  // that compilers tell apart in a loop of threads
  Payer payer = {.apart = apart};
  schema_walk_list(apart->function->body, look_for_payer, &payer);
  if (payer.pays)
    return true;
  Loop loop;
  look_at(&loop, apart, apart->function->body, NULL);
  return count_pairs(&loop) > MOST_PAIRS && !(apart->function->dims <= 1 && is_even(&loop));
}
