// flow.c -- which names have a value where: definite assignment, and functions that end without the value they promise.
//
// The set of names that surely have a value is kept as a trail, in the order in which they got it: leaving a branch takes back
// what it added, so the work is in proportion to the assignments, however many names there are. After two ways meet the set is what
// both have; after a statement that never ends normally (`return`, `break`) it counts as everything, for nothing comes after it.

#include "schema/check.h"

typedef Vec(uint32_t) Locals;

// What all `break`s of a loop have: the trail up to `kept`, and `others`.
typedef struct Exits {
  bool any;
  size_t kept;
  Locals others;
} Exits;

typedef struct Flow {
  SchemaFile *file;
  SchemaFunction *function;
  Arena *arena;
  uint8_t *set;     // a byte a local: on the trail
  Locals trail;
  bool ends;        // nothing comes after the place being looked at
  Exits *exits;     // of the innermost loop
  uint8_t *told;    // names that were reported
  uint8_t *scratch;
  bool failed;
} Flow;

static void give_value(Flow *f, const SchemaVar *var)
{
  if (!var || var->kind != VAR_LOCAL || f->set[var->index])
    return;
  f->set[var->index] = 1;
  vec_push(f->arena, &f->trail, var->index);
}

static void give_values(Flow *f, const Locals *locals)
{
  for (size_t i = 0; i < locals->count; i++)
    give_value(f, f->function->locals.items[locals->items[i]]);
}

// Takes back what came after `mark`, and returns it.
static Locals take_back(Flow *f, size_t mark)
{
  Locals taken = {0};
  for (size_t i = mark; i < f->trail.count; i++) {
    vec_push(f->arena, &taken, f->trail.items[i]);
    f->set[f->trail.items[i]] = 0;
  }
  Exits *exits = f->exits;
  for (size_t i = mark; exits && i < exits->kept; i++)
    vec_push(f->arena, &exits->others, f->trail.items[i]);
  if (exits && exits->kept > mark)
    exits->kept = mark;
  f->trail.count = mark;
  return taken;
}

static void leave_loop(Flow *f)
{
  Exits *exits = f->exits;
  if (!exits->any) {
    *exits = (Exits){.any = true, .kept = f->trail.count};
    return;
  }
  size_t count = 0;
  for (size_t i = 0; i < exits->others.count; i++)
    if (f->set[exits->others.items[i]])
      exits->others.items[count++] = exits->others.items[i];
  exits->others.count = count;
}

static void read_name(SchemaNode *node, void *context)
{
  Flow *f = context;
  if (node->kind != SCHEMA_var || !node->var || node->var->kind != VAR_LOCAL || f->ends)
    return;
  uint32_t index = node->var->index;
  if (f->set[index] || f->told[index])
    return;
  f->told[index] = 1;
  f->failed = true;
  Diag *diag = schema_error(f->file, node->place, E_SCHEMA_UNSET, "`%s` may have no value here", node->var->name->str.data);
  if (node->var->place.span.source)
    diag_label(diag, node->var->place.span, "assigned here, which may not be reached");
  diag_help(diag, "assign it before, on every way that leads here");
}

static void read_expr(Flow *f, SchemaNode *node)
{
  if (node)
    schema_walk(node, read_name, f);
}

static void flow_list(Flow *f, SchemaList list);

static void flow_if(Flow *f, Schema_if *s)
{
  read_expr(f, s->condition);
  size_t mark = f->trail.count;
  bool ended_before = f->ends;
  flow_list(f, s->then_body);
  bool then_ends = f->ends;
  Locals then_has = take_back(f, mark);
  f->ends = ended_before;
  flow_list(f, s->else_body);
  if (f->ends && !then_ends) {
    take_back(f, mark);
    give_values(f, &then_has);
  } else if (!f->ends && !then_ends) {
    Locals else_has = take_back(f, mark), both = {0};
    for (size_t i = 0; i < then_has.count; i++)
      f->scratch[then_has.items[i]] = 1;
    for (size_t i = 0; i < else_has.count; i++)
      if (f->scratch[else_has.items[i]])
        vec_push(f->arena, &both, else_has.items[i]);
    for (size_t i = 0; i < then_has.count; i++)
      f->scratch[then_has.items[i]] = 0;
    give_values(f, &both);
  }
  f->ends = f->ends && then_ends;
}

static bool is_always(const SchemaNode *condition)
{
  return condition->kind == SCHEMA_literal && SCHEMA_AS(literal, condition)->value.kind == LITERAL_BOOL &&
         SCHEMA_AS(literal, condition)->value.magnitude;
}

// What holds after the loop is what held before it, and for one without an end what its breaks have. `var`: of a `for`, or NULL.
static void flow_loop(Flow *f, SchemaList body, const SchemaVar *var, bool is_endless)
{
  Exits exits = {0}, *outer = f->exits;
  size_t mark = f->trail.count;
  bool ended_before = f->ends;
  f->exits = &exits;
  give_value(f, var);
  flow_list(f, body);
  take_back(f, mark);
  f->exits = outer, f->ends = ended_before;
  if (is_endless && exits.any)
    give_values(f, &exits.others);
  else if (is_endless)
    f->ends = true;
}

static void flow_stmt(Flow *f, SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_let:
    read_expr(f, SCHEMA_AS(let, node)->value);
    give_value(f, node->var);
    return;
  case SCHEMA_assign: {
    Schema_assign *s = SCHEMA_AS(assign, node);
    read_expr(f, s->value);
    if (s->target->kind == SCHEMA_index)
      read_expr(f, SCHEMA_AS(index, s->target)->index);
    else
      give_value(f, s->target->var);
    return;
  }
  case SCHEMA_if: flow_if(f, SCHEMA_AS(if, node)); return;
  case SCHEMA_for: {
    Schema_for *s = SCHEMA_AS(for, node);
    read_expr(f, s->start), read_expr(f, s->stop);
    flow_loop(f, s->body, node->var, false);
    return;
  }
  case SCHEMA_while: {
    Schema_while *s = SCHEMA_AS(while, node);
    read_expr(f, s->condition);
    flow_loop(f, s->body, NULL, is_always(s->condition));
    return;
  }
  case SCHEMA_break:
    if (!f->ends)
      leave_loop(f);
    f->ends = true;
    return;
  case SCHEMA_continue: f->ends = true; return;
  case SCHEMA_return:
    read_expr(f, SCHEMA_AS(return, node)->value);
    if (f->function->returns.scalar != SCALAR_NONE && !SCHEMA_AS(return, node)->value) {
      f->failed = true;
      diag_help(schema_error(f->file, node->place, E_SCHEMA_TYPE, "`%s` returns a value elsewhere, here it returns none", f->function->name->str.data),
                "give this `return` a value too");
    }
    f->ends = true;
    return;
  default: schema_walk(node, read_name, f); return;
  }
}

static void flow_list(Flow *f, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++)
    flow_stmt(f, list.items[i]);
}

bool schema_check_flow(SchemaFile *file, SchemaFunction *function)
{
  size_t count = function->locals.count;
  Flow f = {.file = file, .function = function, .arena = file->arena, .set = arena_array(file->arena, uint8_t, count + 1),
            .told = arena_array(file->arena, uint8_t, count + 1), .scratch = arena_array(file->arena, uint8_t, count + 1)};
  flow_list(&f, function->body);
  if (!f.ends && function->returns.scalar != SCALAR_NONE) {
    f.failed = true;
    Diag *diag = schema_error(file, function->place, E_SCHEMA_TYPE, "`%s` may end without returning a value", function->name->str.data);
    diag_help(diag, "put a `return` at its end");
  }
  return !f.failed;
}
