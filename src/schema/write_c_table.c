// write_c_table.c -- what a library says of a kernel: its grid, its table.

#include "schema/json.h"
#include "schema/write_c_parts.h"

#include <inttypes.h>
#include <xxhash.h>

// ---- the grid

static bool knows_grid(const SchemaFunction *function)
{
  for (uint32_t d = 0; d < function->dims; d++)
    if (!function->grid[d])
      return false;
  return true;
}

void c_write_bound(CWriter *w, const SchemaNode *bound)
{
  const bool is_unsigned = bound->type.scalar == SCALAR_U64;
  c_put(w, is_unsigned ? "klr_count_u64(" : "");
  c_write_expr(w, bound);
  c_put(w, is_unsigned ? ")" : "");
}

void c_put_from(CWriter *w, const SchemaFunction *function, uint32_t d)
{
  if (!function->from[d])
    return;
  c_start_line(w);
  c_put(w, "const int64_t klr_from%u = ", d);
  c_write_bound(w, function->from[d]);
  c_put(w, ";\n");
}

void c_write_grid(CWriter *w, const SchemaFunction *function)
{
  c_put(w, "\nstatic uint32_t ");
  c_put_stage_name(w, function, "_grid(const KlrKernelArgument *klr_arguments, uint64_t klr_size[3])\n{\n");
  w->indent = 1;
  c_put_line(w, "(void)klr_arguments;");
  c_declare_params(w, function, true);
  for (uint32_t d = 0; d < 3; d++) {
    if (d >= function->dims || !function->grid[d]) {
      c_put_line(w, "klr_size[%u] = 1;", d);
      continue;
    }
    c_start_line(w);
    c_put(w, "const int64_t klr_size%u = ", d);
    c_write_bound(w, function->grid[d]);
    c_put(w, ";\n");
    c_put_line(w, "klr_size[%u] = klr_size%u > 0 ? (uint64_t)klr_size%u : 0;", d, d, d);
  }
  c_put_line(w, "return %d;", knows_grid(function));
  w->indent = 0;
  c_put(w, "}\n");
}

// ---- the description

static void count_cost(SchemaNode *node, void *context)
{
  uint32_t *cost = context;
  *cost += node->kind == SCHEMA_for || node->kind == SCHEMA_while ? 200 : node->kind == SCHEMA_call ? 4 : 1;
}

uint32_t c_cost(const SchemaFunction *function)
{
  uint32_t cost = 0;
  schema_walk_list(function->body, count_cost, &cost);
  return cost / 4 + 1;
}

static void write_params(CWriter *w, const SchemaFunction *function)
{
  c_put(w, "\nstatic const KlrKernelParam ");
  c_put_kernel_name(w, function, "_params[] = {\n");
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    c_put(w, "  {");
    c_put_text(w, param->name->str);
    c_put(w, ", %d, %d, %d, {0}},\n", (int)param->type.scalar, param->type.is_array, param->type.is_array ? (int)param->direction : DIRECTION_IN);
  }
  c_put(w, "  {0}};\n");
}

static void put_function(CWriter *w, const SchemaFunction *function, const char *member, const char *what, bool is_there)
{
  c_put(w, ", .%s = ", member);
  if (is_there)
    c_put_stage_name(w, function, what);
  else
    c_put(w, "NULL");
}

static void put_bodies(CWriter *w, const SchemaFunction *function, const char *member, const CBodies *bodies)
{
  c_put(w, "\n   .%s = {\n", member);
  for (int i = 0; i < C_ISA_COUNT; i++) {
    c_put(w, "#if %s\n    [KLR_ISA_%s] = ", bodies->guards[i], C_ISAS[i].member);
    c_put_stage_name(w, function, bodies->kind);
    c_put(w, "_%s,\n#endif\n", C_ISAS[i].name);
  }
  c_put(w, "   }");
}

static void write_stage(CWriter *w, const SchemaFunction *function, const CStage *stage)
{
  c_put(w, "  {.bytes = sizeof(KlrKernelStage), .unit_is_group = %d, .reduction_count = %zu, .cost = %u,", stage->in_groups, stage->reductions,
      stage->cost);
  put_bodies(w, function, "bodies", stage->has_apart ? &C_BODIES_BESIDE_APART : &C_BODIES);
  put_function(w, function, "grid", "_grid", true);
  put_function(w, function, "combine", "_combine", stage->has_combine);
  put_function(w, function, "needed", "_needed", stage->has_needed);
  if (stage->has_apart) {
    c_put(w, ",");
    put_bodies(w, function, "apart", &C_BODIES_APART);
  }
  if (stage->has_values) {
    c_put(w, ",");
    put_bodies(w, function, "values", &C_BODIES_VALUES);
    put_function(w, function, "fold", "_fold", true);
  }
  c_put(w, stage->is_for_many ? ", .is_for_many = 1},\n" : "},\n");
}

void c_write_info(CWriter *w, const SchemaFunction *function, size_t file_number, const CStage *stages, size_t stage_count)
{
  write_params(w, function);
  c_put(w, "static const KlrKernelStage ");
  c_put_kernel_name(w, function, "_stages[] = {\n");
  for (size_t i = 0; i < stage_count; i++) {
    if (stage_count > 1)
      w->stage = arena_printf(w->arena, "_%zu", i + 1);
    write_stage(w, function, &stages[i]);
  }
  w->stage = "";
  c_put(w, "};\nstatic const KlrKernelInfo ");
  c_put_kernel_name(w, function, "_info = {\n  .bytes = sizeof(KlrKernelInfo), ");
  c_put(w, ".param_count = %zu, .stage_count = %zu, .dims = %u, .is_checked = KLR_IS_CHECKED, .line = %u,\n  .name = ", function->params.count, stage_count,
      function->dims, function->place.line);
  c_put_text(w, function->name->str);
  c_put(w, ",\n  .doc = ");
  c_put_text(w, function->doc);
  c_put(w, ",\n  .path = ");
  c_put_text(w, str_from(w->file->path));
  c_put(w, ",\n  .params = ");
  c_put_kernel_name(w, function, "_params, .stages = ");
  c_put_kernel_name(w, function, "_stages,\n  .schema = ");
  StrBuf text = strbuf_new(w->arena);
  schema_write_function(function, false, &text);
  c_put(w, "klr_schema_%zu, .schema_hash = \"%016" PRIx64 "\"};\n", file_number, (uint64_t)XXH3_64bits(text.data, text.len));
}
