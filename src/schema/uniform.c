// uniform.c -- barriers stand where all threads of a group come by, and only there: docs/schema.md, "Threads".
//
// A value is uniform when it is the same for all threads of a group: parameters, literals, group ids and sizes, and local names
// that are only assigned such values, under conditions that are uniform themselves.

#include "schema/check.h"

// Names and conditions are the points of a graph, with a line from each to what it decides; what varies is what can be reached
// from a point that varies by itself.

#define NOWHERE UINT32_MAX

typedef struct Line {
  uint32_t to, next;  // `next`: of the same point; NOWHERE: none
} Line;

typedef struct Uniform {
  SchemaFile *file;
  SchemaFunction *function;
  Vec(uint32_t) first;   // line of each point: locals by index, then conditions
  Vec(uint8_t) varies;   // of each point
  Vec(Line) lines;
  uint32_t reader;       // the point whose expression is looked at
  bool under;            // below a condition that varies
  bool may_have_left;    // some threads may have returned
  bool varies_found;
  bool has_barriers, failed;
} Uniform;

static uint32_t add_point(Uniform *u)
{
  vec_push(u->file->arena, &u->first, NOWHERE);
  vec_push(u->file->arena, &u->varies, 0);
  return (uint32_t)u->first.count - 1;
}

static void add_line(Uniform *u, uint32_t from, uint32_t to)
{
  if (from == NOWHERE)
    return;
  vec_push(u->file->arena, &u->lines, (Line){to, u->first.items[from]});
  u->first.items[from] = (uint32_t)u->lines.count - 1;
}

// Whether a node is not the same for all threads of a group, whatever it is made of.
static bool varies_by_itself(const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_index: return true;
  case SCHEMA_var: return node->var->kind == VAR_PARAMETER && !node->var->type.is_array && node->var->assignments != 0;
  case SCHEMA_call:
    return node->builtin == BUILTIN_NONE || node->builtin == BUILTIN_get_global_id || node->builtin == BUILTIN_get_local_id ||
           schema_builtin_info(node->builtin)->class == CALL_CLASS_ATOMIC;
  default: return false;
  }
}

static void look_for_varying(SchemaNode *node, void *context)
{
  Uniform *u = context;
  bool is_local = node->kind == SCHEMA_var && node->var->kind == VAR_LOCAL;
  u->varies_found |= varies_by_itself(node) || (is_local && u->varies.items[node->var->index]);
}

static bool varies(Uniform *u, SchemaNode *node)
{
  u->varies_found = false;
  schema_walk(node, look_for_varying, u);
  return u->varies_found;
}

static bool is_barrier(const SchemaNode *node)
{
  return node->kind == SCHEMA_perform && node->builtin == BUILTIN_barrier;
}

static void look_for_barriers(SchemaNode *node, void *context)
{
  ((Uniform *)context)->has_barriers |= is_barrier(node);
}

static void connect_node(SchemaNode *node, void *context)
{
  Uniform *u = context;
  if (node->kind == SCHEMA_var && node->var->kind == VAR_LOCAL)
    add_line(u, node->var->index, u->reader);
  u->varies.items[u->reader] |= varies_by_itself(node);
}

// `value` decides the point `reader`, below the condition `above`.
static void connect(Uniform *u, SchemaNode *value, uint32_t reader, uint32_t above)
{
  u->reader = reader;
  schema_walk(value, connect_node, u);
  add_line(u, above, reader);
}

static void connect_list(Uniform *u, SchemaList list, uint32_t above)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    switch (node->kind) {
    case SCHEMA_let: connect(u, SCHEMA_AS(let, node)->value, node->var->index, above); break;
    case SCHEMA_assign: {
      const SchemaNode *target = SCHEMA_AS(assign, node)->target;
      if (target->kind == SCHEMA_var && target->var->kind == VAR_LOCAL)
        connect(u, SCHEMA_AS(assign, node)->value, target->var->index, above);
      break;
    }
    case SCHEMA_if: {
      uint32_t point = add_point(u);
      connect(u, SCHEMA_AS(if, node)->condition, point, above);
      connect_list(u, SCHEMA_AS(if, node)->then_body, point);
      connect_list(u, SCHEMA_AS(if, node)->else_body, point);
      break;
    }
    case SCHEMA_while: {
      uint32_t point = add_point(u);
      connect(u, SCHEMA_AS(while, node)->condition, point, above);
      connect_list(u, SCHEMA_AS(while, node)->body, point);
      break;
    }
    case SCHEMA_for: {
      Schema_for *s = SCHEMA_AS(for, node);
      uint32_t point = add_point(u);
      connect(u, s->start, point, above), connect(u, s->stop, point, above);
      add_line(u, point, node->var->index);
      connect_list(u, s->body, point);
      break;
    }
    default: break;
    }
  }
}

static void spread(Uniform *u)
{
  Vec(uint32_t) reached = {0};
  for (uint32_t i = 0; i < u->varies.count; i++)
    if (u->varies.items[i])
      vec_push(u->file->arena, &reached, i);
  while (reached.count)
    for (uint32_t i = u->first.items[vec_pop(&reached)]; i != NOWHERE; i = u->lines.items[i].next) {
      uint32_t to = u->lines.items[i].to;
      if (!u->varies.items[to])
        vec_push(u->file->arena, &reached, to);
      u->varies.items[to] = 1;
    }
}

static void refuse(Uniform *u, const SchemaNode *barrier, const char *why)
{
  u->failed = true;
  Diag *diag = schema_error(u->file, barrier->place, E_SCHEMA_BARRIER, "not all threads of a group come by this barrier: %s", why);
  diag_help(diag, "put the condition around what stands before and after the barrier, and the barrier outside of it");
}

static void judge_list(Uniform *u, SchemaList list, uint32_t loops)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    bool outer = u->under;
    if (is_barrier(node)) {
      if (!u->function->is_kernel)
        refuse(u, node, "it stands in a helper, whose callers may differ");
      else if (u->under)
        refuse(u, node, "the condition or the loop around it may differ between them");
      else if (u->may_have_left)
        refuse(u, node, "some may have returned before, or left the loop");
    } else if (node->kind == SCHEMA_return || ((node->kind == SCHEMA_break || node->kind == SCHEMA_continue) && loops)) {
      u->may_have_left |= u->under;
    } else if (node->kind == SCHEMA_if) {
      u->under |= varies(u, SCHEMA_AS(if, node)->condition);
      judge_list(u, SCHEMA_AS(if, node)->then_body, loops);
      judge_list(u, SCHEMA_AS(if, node)->else_body, loops);
    } else if (node->kind == SCHEMA_while) {
      u->under |= varies(u, SCHEMA_AS(while, node)->condition);
      judge_list(u, SCHEMA_AS(while, node)->body, loops + 1);
    } else if (node->kind == SCHEMA_for) {
      u->under |= varies(u, SCHEMA_AS(for, node)->start) || varies(u, SCHEMA_AS(for, node)->stop);
      judge_list(u, SCHEMA_AS(for, node)->body, loops + 1);
    }
    u->under = outer;
  }
}

bool schema_check_barriers(SchemaFile *file, SchemaFunction *function)
{
  Uniform u = {.file = file, .function = function};
  schema_walk_list(function->body, look_for_barriers, &u);
  function->has_barriers = u.has_barriers;
  if (!u.has_barriers)
    return true;
  for (size_t i = 0; i < function->locals.count; i++)
    add_point(&u);
  connect_list(&u, function->body, NOWHERE);
  spread(&u);
  judge_list(&u, function->body, 0);
  return !u.failed;
}
