// flow.c -- which names have a value where: definite assignment, and functions that end without the value they promise.
//
// A set of names that surely have a value travels through the statements in order. After two ways meet it is what both have;
// after a statement that never ends normally (`return`, `break`) it is everything, for nothing comes after it.

#include "schema/check.h"

#include <string.h>

typedef struct Flow {
  SchemaFile *file;
  SchemaFunction *function;
  Arena *arena;
  size_t bytes;          // of a set: a byte a local
  uint8_t *set;          // at the place being looked at
  bool ends;             // nothing comes after the place
  uint8_t *at_break;     // what all `break`s of the innermost loop have; NULL: none was met
  uint8_t *told;         // names that were reported
  bool failed;
} Flow;

static uint8_t *copy_set(Flow *f)
{
  uint8_t *copy = arena_alloc(f->arena, f->bytes + 1);
  memcpy(copy, f->set, f->bytes);
  return copy;
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

static void meet(Flow *f, uint8_t *into, const uint8_t *other)
{
  for (size_t i = 0; i < f->bytes; i++)
    into[i] &= other[i];
}

static void flow_list(Flow *f, SchemaList list);

static void flow_if(Flow *f, Schema_if *s)
{
  read_expr(f, s->condition);
  uint8_t *before = copy_set(f);
  bool ended_before = f->ends;
  flow_list(f, s->then_body);
  uint8_t *after_then = f->set;
  bool then_ends = f->ends;
  f->set = before, f->ends = ended_before;
  flow_list(f, s->else_body);
  if (f->ends && !then_ends)
    f->set = after_then;
  else if (!f->ends && !then_ends)
    meet(f, f->set, after_then);
  f->ends = f->ends && then_ends;
}

static bool is_always(const SchemaNode *condition)
{
  return condition->kind == SCHEMA_literal && SCHEMA_AS(literal, condition)->value.kind == LITERAL_BOOL &&
         SCHEMA_AS(literal, condition)->value.magnitude;
}

// What holds after the loop is what held before it, and for one without an end what its breaks have.
static void flow_loop(Flow *f, SchemaList body, bool is_endless)
{
  uint8_t *outer_break = f->at_break, *before = copy_set(f);
  bool ended_before = f->ends;
  f->at_break = NULL;
  flow_list(f, body);
  f->set = before, f->ends = ended_before;
  if (is_endless) {
    if (f->at_break)
      f->set = f->at_break;
    else
      f->ends = true;
  }
  f->at_break = outer_break;
}

static void flow_stmt(Flow *f, SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_let:
    read_expr(f, SCHEMA_AS(let, node)->value);
    f->set[node->var->index] = 1;
    return;
  case SCHEMA_assign: {
    Schema_assign *s = SCHEMA_AS(assign, node);
    read_expr(f, s->value);
    if (s->target->kind == SCHEMA_index)
      read_expr(f, SCHEMA_AS(index, s->target)->index);
    else if (s->target->var && s->target->var->kind == VAR_LOCAL)
      f->set[s->target->var->index] = 1;
    return;
  }
  case SCHEMA_if: flow_if(f, SCHEMA_AS(if, node)); return;
  case SCHEMA_for: {
    Schema_for *s = SCHEMA_AS(for, node);
    read_expr(f, s->start), read_expr(f, s->stop);
    uint8_t *before = copy_set(f);
    f->set[node->var->index] = 1;
    flow_loop(f, s->body, false);
    f->set = before;
    return;
  }
  case SCHEMA_while: {
    Schema_while *s = SCHEMA_AS(while, node);
    read_expr(f, s->condition);
    flow_loop(f, s->body, is_always(s->condition));
    return;
  }
  case SCHEMA_break:
    if (!f->ends && f->at_break)
      meet(f, f->at_break, f->set);
    else if (!f->ends)
      f->at_break = copy_set(f);
    f->ends = true;
    return;
  case SCHEMA_continue: f->ends = true; return;
  case SCHEMA_return:
    read_expr(f, SCHEMA_AS(return, node)->value);
    if (f->function->returns.scalar != SCALAR_NONE && !SCHEMA_AS(return, node)->value) {
      f->failed = true;
      schema_error(f->file, node->place, E_SCHEMA_TYPE, "`%s` returns a value elsewhere, here it returns none", f->function->name->str.data);
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
  Flow f = {.file = file, .function = function, .arena = file->arena, .bytes = count,
            .set = arena_alloc(file->arena, count + 1), .told = arena_alloc(file->arena, count + 1)};
  flow_list(&f, function->body);
  if (!f.ends && function->returns.scalar != SCALAR_NONE) {
    f.failed = true;
    Diag *diag = schema_error(file, function->place, E_SCHEMA_TYPE, "`%s` may end without returning a value", function->name->str.data);
    diag_help(diag, "put a `return` at its end");
  }
  return !f.failed;
}
