// write_c_group.c -- threads in groups: kernels with barriers run region by region over the threads of a group.

#include "schema/write_c_parts.h"

#include <inttypes.h>

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

static const char *const REGION = "for (uint32_t klr_t = 0; klr_t < klr_count; klr_t++) {";

static void open_region(CWriter *w, bool first_only)
{
  c_put_line(w, "%s", first_only ? "{" : REGION);
  w->region = ++w->labels;
  w->indent++;
  if (first_only)
    c_put_line(w, "const uint32_t klr_t = 0;");
  c_put_line(w, "const int64_t klr_id0 = klr_first[0] + (int64_t)(klr_t %% klr_extent[0]);");
  c_put_line(w, "const int64_t klr_id1 = klr_first[1] + (int64_t)(klr_t / klr_extent[0] %% klr_extent[1]);");
  c_put_line(w, "const int64_t klr_id2 = klr_first[2] + (int64_t)(klr_t / klr_extent[0] / klr_extent[1]);");
  c_put_line(w, "const uint64_t klr_thread = ((uint64_t)klr_id2 * klr_grid->size[1] + (uint64_t)klr_id1) * klr_grid->size[0] + (uint64_t)klr_id0;");
  c_put_line(w, "(void)klr_id0, (void)klr_id1, (void)klr_id2, (void)klr_thread;");
  if (!first_only)
    c_put_line(w, "if (klr_ended[klr_t]) continue;");
}

static void close_region(CWriter *w)
{
  c_put_line(w, "klr_done%u: __attribute__((unused));", w->region);
  w->indent--;
  c_put_line(w, "}");
}

// break and continue of a loop around barriers, met in a region: the same for all threads.
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

static void write_group_list(CWriter *w, SchemaList list);

static void write_exit(CWriter *w, const SchemaNode *node)
{
  // Only uniform conditions lead to an exit; it is taken outside of the regions.
  if (node->kind == SCHEMA_break || node->kind == SCHEMA_continue) {
    c_put_line(w, node->kind == SCHEMA_break ? "break;" : "continue;");
    return;
  }
  write_group_list(w, (SchemaList){(SchemaNode **)&node, 1});
}

static void write_group_if(CWriter *w, const Schema_if *s)
{
  uint32_t label = ++w->labels;
  c_put_line(w, "uint8_t klr_if%u;", label);
  open_region(w, true);
  c_start_line(w);
  c_put(w, "klr_if%u = ", label);
  c_write_expr(w, s->condition);
  c_put(w, ";\n");
  close_region(w);
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
  open_region(w, true);
  c_start_line(w);
  c_put(w, "klr_while%u = ", label);
  c_write_expr(w, s->condition);
  c_put(w, ";\n");
  close_region(w);
  c_put_line(w, "if (!klr_while%u) break;", label);
  write_group_list(w, s->body);
  w->indent--;
  c_put_line(w, "}");
}

static void write_group_for(CWriter *w, const SchemaNode *node)
{
  const Schema_for *s = SCHEMA_AS(for, node);
  const SchemaLiteral *step = &SCHEMA_AS(literal, s->step)->value;
  uint32_t label = ++w->labels;
  c_put_line(w, "int64_t klr_k%u, klr_stop%u;", label, label);
  open_region(w, true);
  c_start_line(w);
  c_put(w, "klr_k%u = ", label);
  c_write_expr(w, s->start);
  c_put(w, ", klr_stop%u = ", label);
  c_write_expr(w, s->stop);
  c_put(w, ";\n");
  close_region(w);
  c_put_line(w, "for (; klr_k%u %s klr_stop%u; klr_k%u = __builtin_add_overflow(klr_k%u, INT64_C(%s%" PRIu64 "), &klr_k%u) ? klr_stop%u : klr_k%u) {", label,
           step->is_negative ? ">" : "<", label, label, label, step->is_negative ? "-" : "", step->magnitude, label, label, label);
  w->indent++;
  open_region(w, false);
  c_start_line(w);
  c_put_var(w, node->var);
  c_put(w, " = (%s)klr_k%u;\n", c_type(node->var->type.scalar), label);
  close_region(w);
  write_group_list(w, s->body);
  w->indent--;
  c_put_line(w, "}");
}

static void write_group_list(CWriter *w, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    SchemaNode *node = list.items[i];
    bool is_exit = node->kind == SCHEMA_break || node->kind == SCHEMA_continue || (node->kind == SCHEMA_if && has_loop_exit((SchemaList){&node, 1}));
    if (node->kind == SCHEMA_perform && node->builtin == BUILTIN_barrier) {
      c_put_line(w, "/* barrier */");
    } else if (node->kind == SCHEMA_break || node->kind == SCHEMA_continue) {
      write_exit(w, node);
    } else if (has_barrier(node) || is_exit) {
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
    } else if (node->kind != SCHEMA_shared) {
      open_region(w, false);
      c_write_stmt(w, node);
      close_region(w);
    }
  }
}

void c_write_group_body(CWriter *w, const SchemaFunction *function)
{
  c_put_line(w, "for (uint64_t klr_group = klr_begin; klr_group < klr_end; klr_group++) {");
  w->indent++;
  c_put_line(w, "int64_t klr_first[3]; uint64_t klr_extent[3], klr_rest = klr_group;");
  c_put_line(w, "for (int klr_d = 0; klr_d < 3; klr_d++) {");
  c_put_line(w, "  const uint64_t klr_groups = (klr_grid->size[klr_d] + klr_grid->local[klr_d] - 1) / klr_grid->local[klr_d];");
  c_put_line(w, "  klr_first[klr_d] = (int64_t)(klr_rest %% klr_groups * klr_grid->local[klr_d]), klr_rest /= klr_groups;");
  c_put_line(w, "  const uint64_t klr_left = klr_grid->size[klr_d] - (uint64_t)klr_first[klr_d];");
  c_put_line(w, "  klr_extent[klr_d] = klr_left < klr_grid->local[klr_d] ? klr_left : klr_grid->local[klr_d];");
  c_put_line(w, "}");
  c_put_line(w, "const uint32_t klr_count = (uint32_t)(klr_extent[0] * klr_extent[1] * klr_extent[2]);");
  c_put_line(w, "uint8_t *const klr_ended = calloc(klr_count, 1);");
  for (size_t i = 0; i < function->locals.count; i++) {
    const SchemaVar *var = function->locals.items[i];
    c_start_line(w);
    c_put(w, "%s *const ", c_type(var->type.scalar));
    c_put_name(w, var->name->str);
    if (var->kind == VAR_SHARED)
      c_put(w, " = calloc(%" PRIu64 ", sizeof(%s));\n", var->size, c_type(var->type.scalar));
    else
      c_put(w, " = calloc(klr_count, sizeof(%s));\n", c_type(var->type.scalar));
  }
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (param->type.is_array || !param->assignments)
      continue;
    c_start_line(w);
    c_put(w, "%s *const ", c_type(param->type.scalar));
    c_put_name(w, param->name->str);
    c_put(w, " = calloc(klr_count, sizeof(%s));\n", c_type(param->type.scalar));
    c_start_line(w);
    c_put(w, "for (uint32_t klr_t = 0; klr_t < klr_count; klr_t++) ");
    c_put_name(w, param->name->str);
    c_put(w, "[klr_t] = ");
    c_put_name(w, param->name->str);
    c_put(w, "_given;\n");
  }
  w->in_group = true;
  write_group_list(w, function->body);
  w->in_group = false;
  c_put_line(w, "free(klr_ended);");
  for (size_t k = 0; k < function->locals.count + function->params.count; k++) {
    const SchemaVar *var = k < function->locals.count ? function->locals.items[k] : function->params.items[k - function->locals.count];
    if (var->kind == VAR_PARAMETER && (var->type.is_array || !var->assignments))
      continue;
    c_start_line(w);
    c_put(w, "free(");
    c_put_name(w, var->name->str);
    c_put(w, ");\n");
  }
  w->indent--;
  c_put_line(w, "}");
}
