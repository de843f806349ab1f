// uniform.c -- barriers stand where all threads of a group come by, and only there: docs/schema.md, "Threads".
//
// A value is uniform when it is the same for all threads of a group: parameters, literals, group ids and sizes, and local names
// that are only assigned such values, under conditions that are uniform themselves. Where threads may leave a loop or return, what follows is
// under the condition that they leave by: until the loop's end after a `continue`, in all of the loop after a `break` or a `return`.

#include "schema/check.h"

// Names and conditions are the points of a graph, with a line from each to what it decides; what varies is what can be reached
// from a point that varies by itself.

#define NOWHERE UINT32_MAX

typedef struct Line {
  uint32_t to, next;  // `next`: of the same point; NOWHERE: none
} Line;

// Where a barrier stands: below conditions and loops, and after what may have led threads away from it.
typedef struct Barrier {
  const SchemaNode *node;
  uint32_t below, after;
} Barrier;

// The points that decide which threads have left a list of statements: for the end of the loop's turn, or for good.
typedef struct Left {
  uint32_t turn, all;
} Left;

typedef struct Uniform {
  SchemaFile *file;
  SchemaFunction *function;
  Vec(uint32_t) first;   // line of each point: locals by index, then conditions
  Vec(uint8_t) varies;   // of each point
  Vec(Line) lines;
  uint32_t reader;       // the point whose expression is looked at
  uint32_t loop;         // the point of the loop around; NOWHERE: none
  Vec(Barrier) barriers;
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
  if (from == NOWHERE || to == NOWHERE || from == to)
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

static uint32_t both(Uniform *u, uint32_t a, uint32_t b)
{
  if (a == NOWHERE || b == NOWHERE || a == b)
    return a == NOWHERE ? b : a;
  const uint32_t point = add_point(u);
  add_line(u, a, point), add_line(u, b, point);
  return point;
}

static Left connect_list(Uniform *u, SchemaList list, uint32_t below, uint32_t after);

static Left connect_loop(Uniform *u, uint32_t point, SchemaList body)
{
  const uint32_t outer = u->loop;
  u->loop = point;
  Left left = connect_list(u, body, point, point);
  u->loop = outer;
  add_line(u, left.all, point);
  return (Left){NOWHERE, left.all};
}

static Left connect_if(Uniform *u, const Schema_if *s, uint32_t below, uint32_t after)
{
  const uint32_t point = add_point(u);
  connect(u, s->condition, point, after);
  add_line(u, below, point);
  Left then_left = connect_list(u, s->then_body, point, point), else_left = connect_list(u, s->else_body, point, point);
  return (Left){both(u, then_left.turn, else_left.turn), both(u, then_left.all, else_left.all)};
}

// `below` decides which threads run the list, `after` also which of them are left when it begins.
static Left connect_list(Uniform *u, SchemaList list, uint32_t below, uint32_t after)
{
  Left left = {NOWHERE, NOWHERE};
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    Left now = {NOWHERE, NOWHERE};
    switch (node->kind) {
    case SCHEMA_let: connect(u, SCHEMA_AS(let, node)->value, node->var->index, after); break;
    case SCHEMA_assign: {
      const SchemaNode *target = SCHEMA_AS(assign, node)->target;
      if (target->kind == SCHEMA_var && target->var->kind == VAR_LOCAL)
        connect(u, SCHEMA_AS(assign, node)->value, target->var->index, after);
      break;
    }
    case SCHEMA_perform:
      if (is_barrier(node))
        vec_push(u->file->arena, &u->barriers, (Barrier){node, below, after});
      break;
    case SCHEMA_break:
      add_line(u, after, u->loop);
      now.turn = after;
      break;
    case SCHEMA_continue: now.turn = after; break;
    case SCHEMA_return: now.all = after; break;
    case SCHEMA_if: now = connect_if(u, SCHEMA_AS(if, node), below, after); break;
    case SCHEMA_while: {
      const uint32_t point = add_point(u);
      connect(u, SCHEMA_AS(while, node)->condition, point, after);
      now = connect_loop(u, point, SCHEMA_AS(while, node)->body);
      break;
    }
    case SCHEMA_for: {
      Schema_for *s = SCHEMA_AS(for, node);
      const uint32_t point = add_point(u);
      connect(u, s->start, point, after), connect(u, s->stop, point, after);
      add_line(u, point, node->var->index);
      now = connect_loop(u, point, s->body);
      break;
    }
    default: break;
    }
    after = both(u, after, both(u, now.turn, now.all));
    left = (Left){both(u, left.turn, now.turn), both(u, left.all, now.all)};
  }
  return left;
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

static void judge(Uniform *u, const Barrier *barrier)
{
  if (!u->function->is_kernel)
    refuse(u, barrier->node, "it stands in a helper, whose callers may differ");
  else if (barrier->below != NOWHERE && u->varies.items[barrier->below])
    refuse(u, barrier->node, "the condition or the loop around it may differ between them");
  else if (barrier->after != NOWHERE && u->varies.items[barrier->after])
    refuse(u, barrier->node, "some may have returned before, or left the loop");
}

bool schema_check_barriers(SchemaFile *file, SchemaFunction *function)
{
  Uniform u = {.file = file, .function = function, .loop = NOWHERE};
  schema_walk_list(function->body, look_for_barriers, &u);
  function->has_barriers = u.has_barriers;
  if (!u.has_barriers)
    return true;
  for (size_t i = 0; i < function->locals.count; i++)
    add_point(&u);
  connect_list(&u, function->body, NOWHERE, NOWHERE);
  spread(&u);
  for (size_t i = 0; i < u.barriers.count; i++)
    judge(&u, &u.barriers.items[i]);
  return !u.failed;
}
