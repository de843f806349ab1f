// write_c_rows.c -- threads in rows, and strips of them side by side: see strips.h.

#include "schema/write_c_parts.h"

static void mark_values(SchemaNode *node, void *context)
{
  CWriter *w = context;
  if (node->kind != SCHEMA_var || node->var->kind != VAR_LOCAL || w->marked[node->var->index])
    return;
  w->marked[node->var->index] = true;
  schema_walk(SCHEMA_AS(let, w->strips->values[node->var->index])->value, mark_values, w);
}

// The number that ids are taken apart by.
void c_write_width(CWriter *w, const SchemaFunction *function)
{
  c_put(w, "\nKLR_BODY int64_t ");
  c_put_kernel_name(w, function, "_width(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid)\n{\n");
  w->indent = 1;
  c_put_line(w, "(void)klr_arguments, (void)klr_grid;");
  c_declare_params(w, function, true);
  w->marked = arena_array(w->arena, bool, function->locals.count + 1);
  schema_walk(w->strips->width, mark_values, w);
  for (size_t i = 0; i < function->locals.count; i++)
    if (w->marked[i])
      c_put_value(w, w->strips->values[i]);
  c_start_line(w);
  c_put(w, "return ");
  c_write_expr(w, w->strips->width);
  c_put(w, ";\n}\n");
  w->line = 0;
}

static bool is_value(const CWriter *w, const SchemaNode *node, StripLocal kind)
{
  return node->kind == SCHEMA_let && w->strips->values[node->var->index] == node && w->strips->locals[node->var->index] == kind;
}

// Statements that each lane runs for itself.
static void write_lanes(CWriter *w, SchemaList list, uint32_t from, uint32_t to)
{
  const SchemaStrips *s = w->strips;
  bool *used = arena_array(w->arena, bool, s->function->locals.count + 1);
  schema_run_uses(s, list, from, to, used);
  c_put_line(w, "for (int64_t klr_l = 0; klr_l < klr_lanes; klr_l++) {");
  w->indent++;
  c_put_line(w, "KLR_SPARE const uint64_t klr_thread = klr_first + (uint64_t)klr_l;");
  c_put_line(w, "KLR_SPARE const int64_t klr_id0 = (int64_t)(klr_thread - klr_start);");
  if (s->width)
    c_put_line(w, "KLR_SPARE const int64_t klr_rest = klr_id0 - klr_base;");
  for (size_t i = 0; i < s->function->locals.count; i++) {
    const SchemaVar *var = s->function->locals.items[i];
    if (!used[i] || s->turns[i] || (s->locals[i] != STRIP_AGAIN && s->locals[i] != STRIP_INNER))
      continue;
    if (s->locals[i] == STRIP_AGAIN) {
      c_put_value(w, s->values[i]);
    } else {
      c_start_line(w);
      c_put(w, "KLR_SPARE %s ", c_type(var->type.scalar));
      c_put_name(w, var->name->str);
      c_put(w, " = 0;\n");
    }
  }
  for (uint32_t i = from; i < to; i++)
    if (!is_value(w, list.items[i], STRIP_STEADY) && !is_value(w, list.items[i], STRIP_AGAIN))
      c_write_stmt(w, list.items[i]);
  w->indent--;
  c_put_line(w, "}");
}

static void write_strip_list(CWriter *w, SchemaList list)
{
  for (uint32_t i = 0; i < list.count;) {
    uint32_t end = schema_run_end(w->strips, list, i);
    bool has_lanes = false;
    for (uint32_t k = i; k < end; k++) {
      bool is_steady = is_value(w, list.items[k], STRIP_STEADY);
      has_lanes |= !is_steady && !is_value(w, list.items[k], STRIP_AGAIN);
      if (is_steady)
        c_put_value(w, list.items[k]);
    }
    if (has_lanes)
      write_lanes(w, list, i, end);
    i = end;
    if (i == list.count)
      return;
    const SchemaNode *loop = list.items[i++];
    c_put_place(w, loop->place);
    uint32_t label = c_open_for(w, loop);
    w->strips->turns[loop->var->index] = loop;
    c_start_line(w);
    c_put(w, "KLR_SPARE const %s ", c_type(loop->var->type.scalar));
    c_put_name(w, loop->var->name->str);
    c_put(w, " = (%s)klr_k%u;\n", c_type(loop->var->type.scalar), label);
    write_strip_list(w, SCHEMA_AS(for, loop)->body);
    w->strips->turns[loop->var->index] = NULL;
    w->indent--;
    c_put_line(w, "}");
  }
}

// Threads [klr_first, klr_first + klr_lanes) of one row side by side.
void c_write_strip(CWriter *w, const SchemaFunction *function)
{
  c_put(w, "\nKLR_BODY void ");
  c_put_kernel_name(w, function, "_strip(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_first, int64_t klr_lanes, "
                               "uint64_t klr_row, int64_t klr_quotient, int64_t klr_base, KlrKernelFault *klr_fault");
  c_put_array_params(w, function, "");
  c_put(w, ")\n{\n");
  w->indent = 1, w->line = 0, w->in_strip = true;
  c_put_line(w, "(void)klr_grid, (void)klr_row, (void)klr_quotient, (void)klr_base, (void)klr_fault;");
  if (function->dims > 1) {
    c_put_line(w, "KLR_SPARE const uint64_t klr_start = klr_row * klr_grid->size[0];");
    c_put_line(w, "KLR_SPARE const int64_t klr_id1 = (int64_t)(klr_row %% klr_grid->size[1]), klr_id2 = (int64_t)(klr_row / klr_grid->size[1]);");
  } else {
    c_put_line(w, "KLR_SPARE const uint64_t klr_start = 0;");
    c_put_line(w, "KLR_SPARE const int64_t klr_id1 = 0, klr_id2 = 0;");
  }
  c_declare_params(w, function, true);
  for (size_t i = 0; i < function->locals.count; i++) {
    const SchemaVar *var = function->locals.items[i];
    if (w->strips->locals[i] != STRIP_LANES)
      continue;
    c_start_line(w);
    c_put(w, "%s ", c_type(var->type.scalar));
    c_put_name(w, var->name->str);
    c_put(w, w->strips->is_few ? "[KLR_FEW];\n" : "[KLR_LANES];\n");
  }
  write_strip_list(w, w->strips->body);
  w->indent = 0, w->in_strip = false;
  c_put(w, "}\n");
}

static void put_strip(CWriter *w, const SchemaFunction *function, const char *first, const char *lanes, const char *row, const char *parts)
{
  c_start_line(w);
  c_put_kernel_name(w, function, "_strip");
  c_put(w, "(klr_arguments, klr_grid, %s, %s, %s, %s, klr_fault", first, lanes, row, parts);
  c_put_arrays(w, function);
  c_put(w, ");\n");
}

// `klr_rows` rows that lie `klr_far` threads apart, of each the threads [klr_at, klr_at + klr_span). Strips are taken below each other, since
// threads of one column often read the same.
static void write_tile(CWriter *w, const SchemaFunction *function, const char *row, const char *parts)
{
  c_put_line(w, "for (uint64_t klr_column = 0; klr_column < klr_span; klr_column += KLR_LANES)");
  c_put_line(w, "  for (uint64_t klr_down = 0; klr_down < klr_rows; klr_down++) {");
  w->indent += 2;
  c_put_line(w, "const uint64_t klr_first = klr_low + klr_down * klr_far + klr_column;");
  c_put_line(w, "if (klr_span - klr_column >= KLR_LANES)");
  w->indent++;
  put_strip(w, function, "klr_first", "KLR_LANES", row, parts);
  w->indent--;
  c_put_line(w, "else");
  w->indent++;
  put_strip(w, function, "klr_first", "(int64_t)(klr_span - klr_column)", row, parts);
  w->indent -= 2;
  c_put_line(w, "}");
  w->indent--;
}

// Rows of `klr_width` ids; where that is no width each thread is a row.
void c_write_rows(CWriter *w, const SchemaFunction *function)
{
  c_start_line(w);
  c_put(w, "const int64_t klr_width = ");
  c_put_kernel_name(w, function, "_width(klr_arguments, klr_grid);\n");
  c_put_line(w, "for (uint64_t klr_at = klr_begin; klr_at < klr_end;) {");
  w->indent++;
  c_put_line(w, "const int64_t klr_quotient = klr_floor_div_i64((int64_t)klr_at, klr_width), klr_base = (int64_t)klr_at - klr_mod_i64((int64_t)klr_at, klr_width);");
  c_put_line(w, "const uint64_t klr_row_end = klr_width > 0 ? (uint64_t)klr_base + (uint64_t)klr_width : klr_at + 1, klr_stop = klr_end < klr_row_end ? klr_end : klr_row_end;");
  if (!w->strips->is_wide) {
    c_put_line(w, "for (uint64_t klr_thread = klr_at; klr_thread < klr_stop; klr_thread++) {");
    w->indent++;
    c_put_line(w, "KLR_SPARE const int64_t klr_rest = (int64_t)klr_thread - klr_base;");
    c_write_thread(w, function);
    w->indent--;
    c_put_line(w, "}");
    c_put_line(w, "klr_at = klr_stop;");
  } else {
    c_put_line(w, "const uint64_t klr_far = (uint64_t)klr_width, klr_low = klr_at, klr_span = klr_stop - klr_low;");
    c_put_line(w, "const uint64_t klr_whole = klr_width > 0 && (int64_t)klr_at == klr_base ? (klr_end - klr_at) / klr_far : 0;");
    c_put_line(w, "const uint64_t klr_rows = klr_whole > 32 ? 32 : klr_whole ? klr_whole : 1;");
    write_tile(w, function, "0", "klr_quotient + (int64_t)klr_down, klr_base + (int64_t)(klr_down * klr_far)");
    c_put_line(w, "klr_at += (klr_rows - 1) * klr_far + klr_span;");
  }
  w->indent--;
  c_put_line(w, "}");
}

void c_write_strips(CWriter *w, const SchemaFunction *function)
{
  const bool is_few = w->strips->is_few;
  const char *lanes = is_few ? "KLR_FEW" : "KLR_LANES";
  c_put_line(w, "uint64_t klr_first = klr_begin;");
  c_put_line(w, "for (; klr_first + %s <= klr_end; klr_first += %s)", lanes, lanes);
  w->indent++;
  put_strip(w, function, "klr_first", lanes, "0", "0, 0");
  w->indent--;
  if (w->has_rest) {
    c_put_line(w, "if (klr_first < klr_end)");
    c_put_line(w, "  klr_rest(klr_arguments, klr_grid, klr_first, klr_end, klr_partials, klr_fault);");
    return;
  }
  c_put_line(w, is_few ? "for (; klr_first < klr_end; klr_first++)" : "if (klr_first < klr_end)");
  w->indent++;
  put_strip(w, function, "klr_first", is_few ? "1" : "(int64_t)(klr_end - klr_first)", "0", "0, 0");
  w->indent--;
}

// What the guard lets through of a row: threads [klr_low, klr_last).
static void write_limits(CWriter *w, const SchemaFunction *function)
{
  c_put_line(w, "if (klr_bound0 < (int64_t)(klr_last - klr_begun))");
  c_put_line(w, "  klr_last = klr_bound0 > (int64_t)(klr_at - klr_begun) ? klr_begun + (uint64_t)klr_bound0 : klr_at;");
  if (function->from[0]) {
    c_put_line(w, "if (klr_from0 > (int64_t)(klr_at - klr_begun))");
    c_put_line(w, "  klr_low = klr_from0 < (int64_t)(klr_last - klr_begun) ? klr_begun + (uint64_t)klr_from0 : klr_last;");
  }
  for (uint32_t d = 1; d < function->dims; d++) {
    const char *id = d == 2 ? "(int64_t)(klr_row / klr_grid->size[1])" : "(int64_t)(klr_row % klr_grid->size[1])";
    c_put_line(w, function->from[d] ? "if (%s >= klr_bound%u || %s < klr_from%u)" : "if (%s >= klr_bound%u)", id, d, id, d);
    c_put_line(w, "  klr_last = klr_low;");
  }
}

// Rows of a grid of several dimensions, those that the guard leaves out left out.
void c_write_grid_rows(CWriter *w, const SchemaFunction *function)
{
  const bool has_guard = w->guard != NULL, is_wide = w->strips && w->strips->is_wide;
  for (uint32_t d = 0; has_guard && d < function->dims; d++) {
    c_start_line(w);
    c_put(w, "const int64_t klr_bound%u = ", d);
    c_write_bound(w, function->grid[d]);
    c_put(w, ";\n");
    c_put_from(w, function, d);
  }
  c_put_line(w, "for (uint64_t klr_at = klr_begin; klr_at < klr_end;) {");
  w->indent++;
  c_put_line(w, "const uint64_t klr_row = klr_at / klr_grid->size[0], klr_begun = klr_row * klr_grid->size[0], klr_row_end = klr_begun + klr_grid->size[0];");
  c_put_line(w, "const uint64_t klr_stop = klr_end < klr_row_end ? klr_end : klr_row_end;");
  c_put_line(w, "%s klr_last = klr_stop, klr_low = klr_at;", has_guard ? "uint64_t" : "const uint64_t");
  if (has_guard)
    write_limits(w, function);
  if (!is_wide) {
    c_put_line(w, "for (uint64_t klr_thread = klr_low; klr_thread < klr_last; klr_thread++) {");
    w->indent++;
    c_write_thread(w, function);
    w->indent--;
    c_put_line(w, "}");
    c_put_line(w, "klr_at = klr_stop;");
  } else {
    c_put_line(w, "const uint64_t klr_far = klr_grid->size[0], klr_span = klr_last - klr_low;");
    c_put_line(w, "const uint64_t klr_below = klr_grid->size[1] - klr_row %% klr_grid->size[1], klr_whole = klr_at == klr_begun ? (klr_end - klr_at) / klr_far : 0;");
    c_put_line(w, "uint64_t klr_rows = klr_whole < klr_below ? klr_whole : klr_below;");
    if (has_guard) {
      c_put_line(w, "const uint64_t klr_inside = klr_span ? (uint64_t)klr_bound1 - klr_row %% klr_grid->size[1] : 1;");
      c_put_line(w, "klr_rows = klr_rows < klr_inside ? klr_rows : klr_inside;");
    }
    c_put_line(w, "klr_rows = klr_rows > 32 ? 32 : klr_rows ? klr_rows : 1;");
    write_tile(w, function, "klr_row + klr_down", "0, 0");
    c_put_line(w, "klr_at = klr_rows > 1 ? klr_at + klr_rows * klr_far : klr_stop;");
  }
  w->indent--;
  c_put_line(w, "}");
}
