// write_c_group.c -- threads in groups: regions of statements, each a loop over the group's threads. See groups.h.

#include "schema/write_c_parts.h"

#include <inttypes.h>

// ---- regions

// Names that are computed anew, as far as statements [from, to) or, when it is not NULL, `expression` need them.
static void put_again(CWriter *w, SchemaList list, uint32_t from, uint32_t to, const SchemaNode *expression)
{
  const SchemaGroups *g = w->groups;
  bool *used = arena_array(w->arena, bool, g->function->locals.count + 1);
  for (uint32_t i = from; i < to; i++)
    schema_region_uses(g, list.items[i], used);
  if (expression)
    schema_region_uses(g, expression, used);
  for (size_t i = 0; i < g->function->locals.count; i++)
    if (used[i])
      c_put_value(w, g->values[i]);
}

static void note_inner(SchemaNode *node, void *context)
{
  bool *used = context;
  const SchemaVar *var = node->kind == SCHEMA_var ? node->var : schema_assigned_by(node);
  if (var && var->kind == VAR_LOCAL)
    used[var->index] = true;
}

// Names of this region alone.
static void declare_inner(CWriter *w, SchemaList list, uint32_t from, uint32_t to)
{
  const SchemaGroups *g = w->groups;
  bool *used = arena_array(w->arena, bool, g->function->locals.count + 1);
  for (uint32_t i = from; i < to; i++)
    schema_walk(list.items[i], note_inner, used);
  for (size_t i = 0; i < g->function->locals.count; i++)
    if (used[i] && g->locals[i] == GROUP_INNER)
      c_declare_local(w, g->function->locals.items[i]);
}

static void open_region(CWriter *w, bool has_atomics)
{
  c_put_line(w, "KLR_THREADS_OF_%s(%s) {", w->function->dims > 1 ? "GROUP" : "LINE", has_atomics ? "" : "KLR_EVEN");
  w->region = ++w->labels;
  w->indent++;
  c_put_line(w, "KLR_IDS_IN_GROUP");
  if (c_has_return(w->function->body))
    c_put_line(w, "if (klr_ended[klr_t]) continue;");
}

static void close_region(CWriter *w)
{
  c_put_line(w, "klr_done%u: __attribute__((unused));", w->region);
  w->indent--;
  c_put_line(w, "}");
}

bool c_is_again(const CWriter *w, const SchemaNode *node)
{
  return w->in_group && node->kind == SCHEMA_let && w->groups->locals[node->var->index] == GROUP_AGAIN;
}

// Helpers may have some.
static void look_for_atomics(SchemaNode *node, void *context)
{
  bool is_call = node->kind == SCHEMA_call || node->kind == SCHEMA_perform;
  *(bool *)context |= is_call && (node->callee ? node->callee->uses_atomics : schema_builtin_info(node->builtin)->class == CALL_CLASS_ATOMIC);
}

static void write_region(CWriter *w, SchemaList list, uint32_t from, uint32_t to)
{
  bool has_others = false, has_atomics = false;
  for (uint32_t i = from; i < to; i++) {
    has_others |= !c_is_again(w, list.items[i]);
    schema_walk(list.items[i], look_for_atomics, &has_atomics);
  }
  if (!has_others)
    return;
  open_region(w, has_atomics);
  put_again(w, list, from, to, NULL);
  declare_inner(w, list, from, to);
  for (uint32_t i = from; i < to; i++)
    c_write_stmt(w, list.items[i]);
  close_region(w);
}

// ---- around regions: what all threads of a group have in common is computed for the first

static void put_first(CWriter *w, const char *name, uint32_t label, const SchemaNode *value)
{
  c_put_line(w, "{");
  w->indent++;
  put_again(w, (SchemaList){0}, 0, 0, value);
  c_start_line(w);
  c_put(w, "%s%u = ", name, label);
  c_write_expr(w, value);
  c_put(w, ";\n");
  w->indent--;
  c_put_line(w, "}");
}

static void write_group_list(CWriter *w, SchemaList list);

static void write_group_if(CWriter *w, const Schema_if *s)
{
  uint32_t label = ++w->labels;
  c_put_line(w, "uint8_t klr_if%u;", label);
  put_first(w, "klr_if", label, s->condition);
  c_put_line(w, "if (klr_if%u) {", label);
  w->indent++;
  write_group_list(w, s->then_body);
  w->indent--;
  c_put_line(w, "} else {");
  w->indent++;
  write_group_list(w, s->else_body);
  w->indent--;
  c_put_line(w, "}");
}

static void write_group_while(CWriter *w, const Schema_while *s)
{
  uint32_t label = ++w->labels;
  c_put_line(w, "for (;;) {");
  w->indent++;
  c_put_line(w, "uint8_t klr_while%u;", label);
  put_first(w, "klr_while", label, s->condition);
  c_put_line(w, "if (!klr_while%u) break;", label);
  write_group_list(w, s->body);
  w->indent--;
  c_put_line(w, "}");
}

static void write_group_for(CWriter *w, const SchemaNode *node)
{
  const Schema_for *s = SCHEMA_AS(for, node);
  const SchemaLiteral *step = &SCHEMA_AS(literal, s->step)->value;
  bool is_one = w->groups->locals[node->var->index] == GROUP_ONE;
  uint32_t label = ++w->labels;
  c_put_line(w, "int64_t klr_k%u, klr_stop%u;", label, label);
  put_first(w, "klr_k", label, s->start);
  put_first(w, "klr_stop", label, s->stop);
  c_put_line(w, "for (; klr_k%u %s klr_stop%u; klr_k%u = __builtin_add_overflow(klr_k%u, INT64_C(%s%" PRIu64 "), &klr_k%u) ? klr_stop%u : klr_k%u) {", label,
           step->is_negative ? ">" : "<", label, label, label, step->is_negative ? "-" : "", step->magnitude, label, label, label);
  w->indent++;
  if (!is_one)
    open_region(w, false);
  c_start_line(w);
  c_put_var(w, node->var);
  c_put(w, " = (%s)klr_k%u;\n", c_type(node->var->type.scalar), label);
  if (!is_one)
    close_region(w);
  write_group_list(w, s->body);
  w->indent--;
  c_put_line(w, "}");
}

static void write_around(CWriter *w, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_shared: return;
  case SCHEMA_perform: c_put_line(w, "/* barrier */"); return;
  case SCHEMA_break: c_put_line(w, "break;"); return;
  case SCHEMA_continue: c_put_line(w, "continue;"); return;
  case SCHEMA_let:
  case SCHEMA_assign: c_write_stmt(w, node); return;
  default: break;
  }
  c_put_place(w, node->place);
  c_put_line(w, "{");
  w->indent++;
  if (node->kind == SCHEMA_if)
    write_group_if(w, SCHEMA_AS(if, node));
  else if (node->kind == SCHEMA_while)
    write_group_while(w, SCHEMA_AS(while, node));
  else
    write_group_for(w, node);
  w->indent--;
  c_put_line(w, "}");
}

static void write_group_list(CWriter *w, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    uint32_t end = schema_region_end(w->groups, list, i);
    if (end > i)
      write_region(w, list, i, end);
    if ((i = end) < list.count)
      write_around(w, list.items[i]);
  }
}

// ---- memory of a group: shared arrays, and arrays of the threads' values

static bool is_own_param(const SchemaVar *param)
{
  return !param->type.is_array && param->assignments;
}

static void put_array(CWriter *w, const SchemaVar *var)
{
  c_start_line(w);
  c_put(w, "%s *const ", c_type(var->type.scalar));
  c_put_name(w, var->name->str);
  if (var->kind == VAR_SHARED)
    c_put(w, " = malloc(%" PRIu64 " * sizeof(%s));\n", var->size, c_type(var->type.scalar));
  else
    c_put(w, " = malloc(klr_most * sizeof(%s));\n", c_type(var->type.scalar));
}

static void put_free(CWriter *w, const SchemaVar *var)
{
  c_start_line(w);
  c_put(w, "free(");
  c_put_name(w, var->name->str);
  c_put(w, ");\n");
}

static void each_array(CWriter *w, const SchemaFunction *function, void (*put)(CWriter *, const SchemaVar *))
{
  for (size_t i = 0; i < function->locals.count; i++)
    if (function->locals.items[i]->kind == VAR_SHARED || w->groups->locals[i] == GROUP_THREADS)
      put(w, function->locals.items[i]);
  for (size_t i = 0; i < function->params.count; i++)
    if (is_own_param(function->params.items[i]))
      put(w, function->params.items[i]);
}

// As a group begins.
static void put_beginning(CWriter *w, const SchemaFunction *function)
{
  if (c_has_return(function->body))
    c_put_line(w, "memset(klr_ended, 0, klr_count);");
  for (size_t i = 0; i < function->locals.count; i++) {
    const SchemaVar *var = function->locals.items[i];
    if (var->kind != VAR_SHARED)
      continue;
    c_start_line(w);
    c_put(w, "memset(");
    c_put_name(w, var->name->str);
    c_put(w, ", 0, %" PRIu64 " * sizeof(%s));\n", var->size, c_type(var->type.scalar));
  }
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (!is_own_param(param))
      continue;
    c_start_line(w);
    c_put(w, "for (uint32_t klr_t = 0; klr_t < klr_count; klr_t++) ");
    c_put_name(w, param->name->str);
    c_put(w, "[klr_t] = ");
    c_put_name(w, param->name->str);
    c_put(w, "_given;\n");
  }
  for (size_t i = 0; i < function->locals.count; i++)
    if (w->groups->locals[i] == GROUP_ONE)
      c_declare_local(w, function->locals.items[i]);
}

void c_write_group_body(CWriter *w, const SchemaFunction *function)
{
  w->groups = schema_find_groups(w->file, function);
  c_put_line(w, "const size_t klr_most = klr_grid->local[0] * klr_grid->local[1] * klr_grid->local[2];");
  if (c_has_return(function->body))
    c_put_line(w, "uint8_t *const klr_ended = malloc(klr_most);");
  each_array(w, function, put_array);
  c_put_line(w, "for (uint64_t klr_group = klr_begin; klr_group < klr_end; klr_group++) {");
  w->indent++;
  c_put_line(w, "KLR_GROUP");
  put_beginning(w, function);
  w->in_group = true;
  write_group_list(w, function->body);
  w->in_group = false;
  w->indent--;
  c_put_line(w, "}");
  if (c_has_return(function->body))
    c_put_line(w, "free(klr_ended);");
  each_array(w, function, put_free);
  c_put_line(w, "(void)klr_most;");
}
