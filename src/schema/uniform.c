// uniform.c -- barriers stand where all threads of a group come by, and only there: docs/schema.md, "Threads".
//
// A value is uniform when it is the same for all threads of a group: parameters, literals, group ids and sizes, and local names
// that are only assigned such values, under conditions that are uniform themselves.

#include "schema/check.h"

#include <string.h>

typedef struct Uniform {
  SchemaFile *file;
  SchemaFunction *function;
  uint8_t *varies;     // locals by index
  bool changed, under; // `under`: below a condition that varies
  bool may_have_left;  // some threads may have returned
  bool varies_found;
  bool has_barriers, failed;
} Uniform;

static void look_for_varying(SchemaNode *node, void *context)
{
  Uniform *u = context;
  if (node->kind == SCHEMA_var && node->var->kind == VAR_LOCAL)
    u->varies_found |= u->varies[node->var->index];
  else if (node->kind == SCHEMA_var && node->var->kind == VAR_PARAMETER && !node->var->type.is_array)
    u->varies_found |= node->var->assignments != 0;
  else if (node->kind == SCHEMA_index)
    u->varies_found = true;
  else if (node->kind == SCHEMA_call)
    u->varies_found |= node->builtin == BUILTIN_NONE || node->builtin == BUILTIN_get_global_id || node->builtin == BUILTIN_get_local_id ||
                       schema_builtin_info(node->builtin)->class == CALL_CLASS_ATOMIC;
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

static void assign(Uniform *u, const SchemaVar *var, bool varying)
{
  if (!var || var->kind != VAR_LOCAL || u->varies[var->index] || !(varying || u->under))
    return;
  u->varies[var->index] = 1;
  u->changed = true;
}

static void spread_list(Uniform *u, SchemaList list);

static void spread_below(Uniform *u, SchemaNode *condition, SchemaList body)
{
  bool outer = u->under;
  u->under |= varies(u, condition);
  spread_list(u, body);
  u->under = outer;
}

static void spread_list(Uniform *u, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    switch (node->kind) {
    case SCHEMA_let: assign(u, node->var, varies(u, SCHEMA_AS(let, node)->value)); break;
    case SCHEMA_assign:
      if (SCHEMA_AS(assign, node)->target->kind == SCHEMA_var)
        assign(u, SCHEMA_AS(assign, node)->target->var, varies(u, SCHEMA_AS(assign, node)->value));
      break;
    case SCHEMA_if:
      spread_below(u, SCHEMA_AS(if, node)->condition, SCHEMA_AS(if, node)->then_body);
      spread_below(u, SCHEMA_AS(if, node)->condition, SCHEMA_AS(if, node)->else_body);
      break;
    case SCHEMA_while: spread_below(u, SCHEMA_AS(while, node)->condition, SCHEMA_AS(while, node)->body); break;
    case SCHEMA_for: {
      Schema_for *s = SCHEMA_AS(for, node);
      bool bounds = varies(u, s->start) || varies(u, s->stop), outer = u->under;
      assign(u, node->var, bounds);
      u->under |= bounds;
      spread_list(u, s->body);
      u->under = outer;
      break;
    }
    default: break;
    }
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
      u->has_barriers = true;
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
  Uniform u = {.file = file, .function = function, .varies = arena_alloc(file->arena, function->locals.count + 1)};
  do {
    u.changed = false;
    spread_list(&u, function->body);
  } while (u.changed);
  judge_list(&u, function->body, 0);
  function->has_barriers = u.has_barriers;
  return !u.failed;
}
