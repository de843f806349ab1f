// write_c_table.c -- what a library says of a kernel: its grid, what it needs, its table.

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

// ---- what a launch needs: arrays that every thread of the guard reaches at its own id

typedef struct Needs {
  bool *found;  // by parameter
  const SchemaFunction *function;
} Needs;

static bool is_own_id(const SchemaFunction *function, const SchemaNode *node)
{
  if (node->kind == SCHEMA_call)
    return node->builtin == BUILTIN_get_global_id && !SCHEMA_AS(call, node)->args.count;
  if (node->kind != SCHEMA_var || node->var->kind != VAR_LOCAL || node->var->assignments != 1)
    return false;
  for (uint32_t i = 0; i < function->body.count; i++) {
    const SchemaNode *stmt = function->body.items[i];
    if (stmt->kind == SCHEMA_let && stmt->var == node->var)
      return is_own_id(function, SCHEMA_AS(let, stmt)->value);
  }
  return false;
}

static void need_in(Needs *needs, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_index: {
    const Schema_index *e = SCHEMA_AS(index, node);
    if (is_own_id(needs->function, e->index) && e->array->var->kind == VAR_PARAMETER)
      needs->found[e->array->var->index] = true;
    need_in(needs, e->index);
    return;
  }
  case SCHEMA_binary_op:
    need_in(needs, SCHEMA_AS(binary_op, node)->left);
    if (schema_binary_info(SCHEMA_AS(binary_op, node)->op)->class != OP_CLASS_LOGIC)
      need_in(needs, SCHEMA_AS(binary_op, node)->right);
    return;
  case SCHEMA_unary_op: need_in(needs, SCHEMA_AS(unary_op, node)->operand); return;
  case SCHEMA_cast: need_in(needs, SCHEMA_AS(cast, node)->value); return;
  case SCHEMA_if_expr: need_in(needs, SCHEMA_AS(if_expr, node)->condition); return;
  case SCHEMA_call:
    for (uint32_t i = 0; i < SCHEMA_AS(call, node)->args.count; i++)
      need_in(needs, SCHEMA_AS(call, node)->args.items[i]);
    return;
  case SCHEMA_let: need_in(needs, SCHEMA_AS(let, node)->value); return;
  case SCHEMA_assign:
    need_in(needs, SCHEMA_AS(assign, node)->value);
    need_in(needs, SCHEMA_AS(assign, node)->target);
    return;
  case SCHEMA_perform:
    for (uint32_t i = 0; i < SCHEMA_AS(perform, node)->args.count; i++)
      need_in(needs, SCHEMA_AS(perform, node)->args.items[i]);
    return;
  default: return;
  }
}

// Statements that every thread within the guard runs: up to the first that some may leave by.
static void need_in_list(Needs *needs, SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    const SchemaNode *node = list.items[i];
    if (node == needs->function->guard) {
      SchemaList then = SCHEMA_AS(if, node)->then_body;
      if (!(then.count == 1 && then.items[0]->kind == SCHEMA_return))
        need_in_list(needs, then);
    } else if (node->kind == SCHEMA_if || node->kind == SCHEMA_for || node->kind == SCHEMA_while || node->kind == SCHEMA_return) {
      return;
    } else {
      need_in(needs, node);
    }
  }
}

bool c_write_needed(CWriter *w, const SchemaFunction *function)
{
  if (!function->guard || function->dims != 1)
    return false;
  Needs needs = {arena_array(w->arena, bool, function->params.count + 1), function};
  need_in_list(&needs, function->body);
  c_put(w, "\nstatic void ");
  c_put_stage_name(w, function, "_needed(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t *klr_needed)\n{\n");
  w->indent = 1;
  c_put_line(w, "(void)klr_arguments, (void)klr_grid;");
  c_declare_params(w, function, true);
  c_start_line(w);
  c_put(w, "const int64_t klr_bound = ");
  c_write_bound(w, function->grid[0]);
  c_put(w, ";\n");
  c_put_line(w, "const uint64_t klr_reached = klr_bound <= 0 ? 0 : (uint64_t)klr_bound < klr_grid->size[0] ? (uint64_t)klr_bound : klr_grid->size[0];");
  for (size_t i = 0; i < function->params.count; i++)
    c_put_line(w, "klr_needed[%zu] = %s;", i, needs.found[i] ? "klr_reached" : "0");
  c_put_line(w, "(void)klr_reached;");
  w->indent = 0;
  c_put(w, "}\n");
  return true;
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
