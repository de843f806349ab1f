// write_c_whole.c -- statements on whole arrays: loops, or stages of a launch.

#include "base/bug.h"
#include "schema/write_c_parts.h"

#include <inttypes.h>

// ---- a statement

static const char *cast_text(CWriter *w, Scalar from, Scalar to, const char *text)
{
  if (from == to)
    return text;
  if (from == SCALAR_F16 || from == SCALAR_BF16)
    return cast_text(w, SCALAR_F32, to, arena_printf(w->arena, "klr_%s_to_f32(%s)", scalar_name(from), text));
  if (to == SCALAR_F16 || to == SCALAR_BF16)
    return arena_printf(w->arena, "klr_f32_to_%s((float)%s)", scalar_name(to), text);
  if (to == SCALAR_BOOL)
    return arena_printf(w->arena, "((%s) != 0)", text);
  if (from == SCALAR_BOOL)
    return arena_printf(w->arena, "(%s)((%s) != 0)", c_type(to), text);
  if (scalar_is_float(from) && scalar_is_integer(to))
    return arena_printf(w->arena, "klr_cast_%s_%s(%s)", scalar_name(from), scalar_name(to), text);
  return arena_printf(w->arena, "((%s)%s)", c_type(to), text);
}

// operation(a, b) on values of type `type`, computed as expressions are, back in `type`.
static const char *operation_text(CWriter *w, const SchemaWhole *whole, Scalar type, const char *a, const char *b)
{
  Scalar wide = type == SCALAR_BOOL ? SCALAR_I32 : type;
  if (scalar_is_float(type))
    wide = type == SCALAR_F64 ? type : SCALAR_F32;
  else if (scalar_info(wide)->bytes < 4)
    wide = SCALAR_I32;
  bool needs_float = (whole->is_binary && whole->binary == BINARY_div) ||
                     (!whole->is_binary && !whole->is_unary && schema_builtin_info(whole->builtin)->class == CALL_CLASS_FLOAT);
  if (needs_float && !scalar_is_float(wide))
    wide = scalar_info(wide)->bytes == 8 && whole->is_binary ? SCALAR_F64 : SCALAR_F32;
  a = cast_text(w, type, wide, a), b = cast_text(w, type, wide, b);
  const char *text, *name = scalar_name(wide);
  const char *infix = whole->is_binary ? c_infix_of(whole->binary, wide) : NULL;
  if (infix)
    text = arena_printf(w->arena, "(%s %s %s)", a, infix, b);
  else if (whole->is_binary)
    text = arena_printf(w->arena, "klr_%s_%s(%s, %s)", schema_binary_info(whole->binary)->name, name, a, b);
  else if (whole->is_unary)
    text = arena_printf(w->arena, "klr_neg_%s(%s)", name, a);
  else if (schema_builtin_info(whole->builtin)->least == 1)
    text = arena_printf(w->arena, "klr_%s_%s(%s)", schema_builtin_info(whole->builtin)->name, name, a);
  else
    text = arena_printf(w->arena, "klr_%s_%s(%s, %s)", schema_builtin_info(whole->builtin)->name, name, a, b);
  return cast_text(w, wide, type, text);
}

static const char *element_text(CWriter *w, const SchemaNode *array, const char *index, uint32_t line)
{
  StrBuf text = strbuf_new(w->arena), *outer = w->out;
  w->out = &text;
  c_put(w, "KLR_ELEMENT(%s, ", c_type(array->type.scalar));
  c_put_name(w, array->var->name->str);
  c_put(w, ", %s, klr_arguments[%u].count, %u, %u)", index, array->var->index, array->var->index, line);
  w->out = outer;
  return strbuf_cstr(&text);
}

static const char *neutral_text(CWriter *w, const SchemaWhole *whole, Scalar type)
{
  bool is_min = whole->builtin == BUILTIN_min;
  if (whole->is_binary)
    return type == SCALAR_F16 || type == SCALAR_BF16 ? cast_text(w, SCALAR_F32, type, whole->binary == BINARY_mul ? "1.0f" : "0.0f")
                                                     : whole->binary == BINARY_mul ? "1" : "0";
  if (scalar_is_float(type))
    return type == SCALAR_F16 || type == SCALAR_BF16 ? cast_text(w, SCALAR_F32, type, is_min ? "INFINITY" : "-INFINITY") : is_min ? "INFINITY" : "-INFINITY";
  if (type == SCALAR_BOOL)
    return is_min ? "1" : "0";
  if (!scalar_is_signed(type))
    return is_min ? arena_printf(w->arena, "UINT%u_MAX", 8 * scalar_info(type)->bytes) : "0";
  return arena_printf(w->arena, "INT%u_%s", 8 * scalar_info(type)->bytes, is_min ? "MAX" : "MIN");
}

static void write_fold(CWriter *w, const SchemaWhole *whole, uint32_t line)
{
  const SchemaNode *input = *whole->arrays[0], *output = *whole->arrays[1];
  Scalar type = input->type.scalar;
  const char *element = element_text(w, input, "klr_i", line), *neutral = neutral_text(w, whole, type);
  c_put_line(w, "%s klr_total = %s;", c_type(type), neutral);
  if (whole->is_scan) {
    c_put_line(w, "for (int64_t klr_i = 0; klr_i < klr_n; klr_i++) {");
    c_put_line(w, "  klr_total = klr_i ? %s : %s;", operation_text(w, whole, type, "klr_total", element), element);
    c_put_line(w, "  %s = klr_total;", element_text(w, output, "klr_i", line));
    c_put_line(w, "}");
    return;
  }
  c_put_line(w, "for (int64_t klr_start = 0; klr_start < klr_n; klr_start += KLR_BLOCK) {");
  c_put_line(w, "  %s klr_lanes[16];", c_type(type));
  c_put_line(w, "  const int64_t klr_stop = klr_n - klr_start < KLR_BLOCK ? klr_n : klr_start + KLR_BLOCK;");
  c_put_line(w, "  for (int klr_l = 0; klr_l < 16; klr_l++) klr_lanes[klr_l] = %s;", neutral);
  c_put_line(w, "  for (int64_t klr_i = klr_start; klr_i < klr_stop; klr_i++)");
  c_put_line(w, "    klr_lanes[(klr_i - klr_start) %% 16] = %s;", operation_text(w, whole, type, "klr_lanes[(klr_i - klr_start) % 16]", element));
  c_put_line(w, "  for (int klr_d = 8; klr_d; klr_d /= 2)");
  c_put_line(w, "    for (int klr_l = 0; klr_l < klr_d; klr_l++) klr_lanes[klr_l] = %s;",
           operation_text(w, whole, type, "klr_lanes[klr_l]", "klr_lanes[klr_l + klr_d]"));
  c_put_line(w, "  klr_total = %s;", operation_text(w, whole, type, "klr_total", "klr_lanes[0]"));
  c_put_line(w, "}");
  c_put_line(w, "%s = klr_total;", element_text(w, output, "0", line));
}

static void write_whole(CWriter *w, SchemaNode *node)
{
  SchemaWhole whole;
  if (schema_whole_of(node, &whole))
    bug("`%s` works on whole arrays?", schema_kind_info(node->kind).json);
  uint32_t line = node->place.line;
  c_put_place(w, node->place);
  c_put_line(w, "{");
  w->indent++;
  c_start_line(w);
  c_put(w, "const int64_t klr_n = ");
  c_write_expr(w, *whole.count);
  c_put(w, ";\n");
  Scalar type = (*whole.arrays[0])->type.scalar;
  if (whole.is_reduction || whole.is_scan) {
    write_fold(w, &whole, line);
  } else {
    c_put_line(w, "for (int64_t klr_i = 0; klr_i < klr_n; klr_i++)");
    bool gathers = node->kind == SCHEMA_parallel_gather, scatters = node->kind == SCHEMA_parallel_scatter;
    const char *index = gathers || scatters ? arena_printf(w->arena, "(int64_t)%s", element_text(w, *whole.arrays[1], "klr_i", line)) : "klr_i";
    const char *from = element_text(w, *whole.arrays[0], gathers ? index : "klr_i", line);
    const char *to = element_text(w, *whole.arrays[whole.output], scatters ? index : "klr_i", line);
    if (!gathers && !scatters)
      from = operation_text(w, &whole, type, from, element_text(w, *whole.arrays[whole.array_count - 2], "klr_i", line));
    c_put_line(w, "  %s = %s;", to, from);
  }
  w->indent--;
  c_put_line(w, "}");
}

void c_write_single(CWriter *w, const SchemaFunction *function)
{
  c_put_line(w, "for (uint64_t klr_thread = klr_begin; klr_thread < klr_end; klr_thread++) {");
  w->indent++;
  c_put_ids(w, 0);
  c_declare_locals(w, function);
  c_put_own_params(w, function);
  SchemaWhole whole;
  for (uint32_t i = 0; i < function->body.count; i++)
    if (!schema_whole_of(function->body.items[i], &whole))
      write_whole(w, function->body.items[i]);
    else
      c_write_stmt(w, function->body.items[i]);
  if (c_has_return(function->body))
    c_put_line(w, "klr_next: __attribute__((unused));");
  w->indent--;
  c_put_line(w, "}");
}

// ---- a kernel, a stage a statement

// What was given names before the stage.
static void put_names_before(CWriter *w, const SchemaFunction *function, const SchemaNode *before)
{
  for (uint32_t i = 0; function->body.items[i] != before; i++) {
    const SchemaNode *node = function->body.items[i];
    if (node->kind != SCHEMA_let)
      continue;
    c_start_line(w);
    c_put(w, "KLR_SPARE const %s ", c_type(node->var->type.scalar));
    c_put_name(w, node->var->name->str);
    c_put(w, " = ");
    c_write_expr(w, SCHEMA_AS(let, node)->value);
    c_put(w, ";\n");
  }
}

static void open_whole(CWriter *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole, bool scalars_only)
{
  w->indent = 1, w->line = 0;
  c_declare_params(w, function, scalars_only);
  put_names_before(w, function, node);
  c_start_line(w);
  c_put(w, "KLR_SPARE const int64_t klr_n = ");
  c_write_expr(w, *whole->count);
  c_put(w, ";\n");
}

// Blocks of 16 lanes, as reductions of threads. In a scan a NaN is the first one of the block, as from left to right.
static void write_fold_blocks(CWriter *w, const SchemaWhole *whole, uint32_t line)
{
  const SchemaNode *input = *whole->arrays[0];
  Scalar type = input->type.scalar;
  const char *element = element_text(w, input, "klr_thread", line);
  c_put_line(w, "for (uint64_t klr_at = klr_begin; klr_at < klr_end; klr_at += KLR_BLOCK) {");
  c_put_line(w, "  const uint64_t klr_stop = klr_end - klr_at < KLR_BLOCK ? klr_end : klr_at + KLR_BLOCK, klr_whole = klr_at + (klr_stop - klr_at) / 16 * 16;");
  c_put_line(w, "  %s klr_lanes[16];", c_type(type));
  c_put_line(w, "  for (int klr_l = 0; klr_l < 16; klr_l++) klr_lanes[klr_l] = %s;", neutral_text(w, whole, type));
  c_put_line(w, "  for (uint64_t klr_sixteen = klr_at; klr_sixteen < klr_whole; klr_sixteen += 16)");
  c_put_line(w, "    for (uint64_t klr_l = 0; klr_l < 16; klr_l++) {");
  c_put_line(w, "      const uint64_t klr_thread = klr_sixteen + klr_l;");
  c_put_line(w, "      klr_lanes[klr_l] = %s;", operation_text(w, whole, type, "klr_lanes[klr_l]", element));
  c_put_line(w, "    }");
  c_put_line(w, "  for (uint64_t klr_thread = klr_whole; klr_thread < klr_stop; klr_thread++)");
  c_put_line(w, "    klr_lanes[klr_thread %% 16] = %s;", operation_text(w, whole, type, "klr_lanes[klr_thread % 16]", element));
  c_put_line(w, "  for (int klr_d = 8; klr_d; klr_d /= 2)");
  c_put_line(w, "    for (int klr_l = 0; klr_l < klr_d; klr_l++) klr_lanes[klr_l] = %s;",
           operation_text(w, whole, type, "klr_lanes[klr_l]", "klr_lanes[klr_l + klr_d]"));
  if (whole->is_scan && scalar_is_float(type)) {
    const char *joined = cast_text(w, type, type == SCALAR_F64 ? type : SCALAR_F32, "klr_lanes[0]");
    c_put_line(w, "  if (%s != %s) {", joined, joined);
    c_put_line(w, "    klr_lanes[0] = %s;", neutral_text(w, whole, type));
    c_put_line(w, "    for (uint64_t klr_thread = klr_at; klr_thread < klr_stop; klr_thread++)");
    c_put_line(w, "      klr_lanes[0] = %s;", operation_text(w, whole, type, "klr_lanes[0]", element));
    c_put_line(w, "  }");
  }
  c_put_line(w, "  memcpy(klr_partials++, klr_lanes, sizeof klr_lanes[0]);");
  c_put_line(w, "}");
}

// Adds up the blocks: a loop that is left open.
static void open_combine(CWriter *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole)
{
  const Scalar type = (*whole->arrays[1])->type.scalar;
  c_put(w, "\nstatic void ");
  c_put_stage_name(w, function, "_combine(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, const uint64_t *klr_partials, uint64_t klr_blocks)\n{\n");
  open_whole(w, function, node, whole, true);
  c_put_line(w, "(void)klr_grid;");
  c_put_line(w, "%s klr_total = %s;", c_type(type), neutral_text(w, whole, type));
  c_put_line(w, "for (uint64_t klr_block = 0; klr_block < klr_blocks; klr_block++) {");
  c_put_line(w, "  %s klr_part;", c_type(type));
  c_put_line(w, "  memcpy(&klr_part, &klr_partials[klr_block], sizeof klr_part);");
  c_put_line(w, "  klr_total = %s;", operation_text(w, whole, type, "klr_total", "klr_part"));
}

static void write_fold_combine(CWriter *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole)
{
  const SchemaVar *output = (*whole->arrays[1])->var;
  open_combine(w, function, node, whole);
  c_put_line(w, "}");
  c_put_line(w, "if (klr_arguments[%u].count)", output->index);
  c_put_line(w, "  *(%s *)klr_arguments[%u].data = klr_total;", c_type(output->type.scalar), output->index);
  c_put(w, "}\n");
}

// ---- scans in blocks: a stage adds up each block and puts what the array is up to its end into its last element, another stage fills the
// blocks from there. What a thread of the second reads is written by none of its threads, and needs no memory of its own, in place neither.

static void write_scan_combine(CWriter *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole)
{
  const SchemaVar *output = (*whole->arrays[1])->var;
  open_combine(w, function, node, whole);
  c_put_line(w, "  const uint64_t klr_last = klr_block * KLR_BLOCK + KLR_BLOCK - 1;");
  c_put_line(w, "  if (klr_block + 1 < klr_blocks && klr_last < klr_arguments[%u].count)", output->index);
  c_put_line(w, "    ((%s *)klr_arguments[%u].data)[klr_last] = klr_total;", c_type(output->type.scalar), output->index);
  c_put_line(w, "}");
  c_put(w, "}\n");
}

// Whether blocks of a scan can be done at the same time, to the same bits: sums and products wrap, and of minima and maxima only NaNs know of an order.
static bool is_in_blocks(const SchemaWhole *whole)
{
  return whole->is_scan && (!whole->is_binary || !scalar_is_float((*whole->arrays[0])->type.scalar));
}

// The blocks are the units. One unit is all of the array, whether the first stage has been left out or not.
static void write_scan_blocks(CWriter *w, const SchemaWhole *whole, uint32_t line)
{
  Scalar type = (*whole->arrays[0])->type.scalar;
  const char *element = element_text(w, *whole->arrays[0], "klr_thread", line), *output = element_text(w, *whole->arrays[1], "klr_thread", line);
  c_put_line(w, "for (uint64_t klr_block = klr_begin; klr_block < klr_end; klr_block++) {");
  c_put_line(w, "  const int64_t klr_start = (int64_t)(klr_block * KLR_BLOCK);");
  c_put_line(w, "  const int64_t klr_stop = klr_grid->size[0] == 1 || klr_n - klr_start <= KLR_BLOCK ? klr_n : klr_start + KLR_BLOCK - 1;");
  c_put_line(w, "  int64_t klr_thread = klr_start - 1;");
  c_put_line(w, "  %s klr_total = klr_start ? %s : %s;", c_type(type), output, neutral_text(w, whole, type));
  c_put_line(w, "  for (klr_thread = klr_start; klr_thread < klr_stop; klr_thread++) {");
  c_put_line(w, "    klr_total = klr_thread ? %s : %s;", operation_text(w, whole, type, "klr_total", element), element);
  c_put_line(w, "    %s = klr_total;", output);
  c_put_line(w, "  }");
  c_put_line(w, "}");
}

// Other scans go from left to right, and of equal indices the last wins: those stay on one core, as does a gather from what it writes.
static bool is_ordered(const SchemaNode *node, const SchemaWhole *whole)
{
  return (whole->is_scan && !is_in_blocks(whole)) || node->kind == SCHEMA_parallel_scatter;
}

// A stage of a statement.
typedef enum Part { PART_ALL, PART_TOTALS, PART_FILL } Part;

static void write_whole_body(CWriter *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole, Part part)
{
  c_put(w, "\nKLR_BODY void ");
  c_put_stage_name(w, function, "_body(");
  c_put(w, "%s)\n{\n", C_BODY_PARAMS);
  open_whole(w, function, node, whole, false);
  c_put_unused(w);
  uint32_t line = node->place.line;
  c_put_place(w, node->place);
  if (part == PART_FILL) {
    write_scan_blocks(w, whole, line);
  } else if (is_ordered(node, whole)) {
    c_put_line(w, "KLR_SPARE const uint64_t klr_thread = klr_begin, klr_no_end = klr_end;");
    write_whole(w, node);
  } else if (whole->is_reduction || part == PART_TOTALS) {
    write_fold_blocks(w, whole, line);
  } else {
    bool gathers = node->kind == SCHEMA_parallel_gather;
    if (gathers)
      c_put_line(w, "klr_end = klr_grid->size[0] == 1 ? (uint64_t)klr_n : klr_end;");
    if (!gathers)
      c_put_line(w, "KLR_EVEN");
    c_put_line(w, "for (uint64_t klr_thread = klr_begin; klr_thread < klr_end; klr_thread++)");
    const char *index = gathers ? arena_printf(w->arena, "(int64_t)%s", element_text(w, *whole->arrays[1], "klr_thread", line)) : "klr_thread";
    const char *from = element_text(w, *whole->arrays[0], index, line), *to = element_text(w, *whole->arrays[whole->output], "klr_thread", line);
    if (!gathers)
      from = operation_text(w, whole, (*whole->arrays[0])->type.scalar, from, element_text(w, *whole->arrays[whole->array_count - 2], "klr_thread", line));
    c_put_line(w, "  %s = %s;", to, from);
  }
  w->indent = 0;
  c_put(w, "}\n\n#line 1 \"generated\"\n");
}

static void write_whole_grid(CWriter *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole, Part part)
{
  c_put(w, "\nstatic uint32_t ");
  c_put_stage_name(w, function, "_grid(const KlrKernelArgument *klr_arguments, uint64_t klr_size[3])\n{\n");
  open_whole(w, function, node, whole, true);
  c_put_line(w, "(void)klr_arguments, (void)klr_n;");
  c_put_line(w, is_ordered(node, whole) ? "klr_size[0] = 1;" : "klr_size[0] = klr_n > 0 ? (uint64_t)klr_n : 0;");
  if (part == PART_FILL)
    c_put_line(w, "klr_size[0] = (klr_size[0] + KLR_BLOCK - 1) / KLR_BLOCK;");
  if (node->kind == SCHEMA_parallel_gather) {
    uint32_t from = (*whole->arrays[0])->var->index, by = (*whole->arrays[1])->var->index, to = (*whole->arrays[2])->var->index;
    c_put_line(w, "if (klr_n > 0 && (klr_arguments[%u].data == klr_arguments[%u].data || klr_arguments[%u].data == klr_arguments[%u].data))", to, from, to, by);
    c_put_line(w, "  klr_size[0] = 1;");
  }
  c_put_line(w, "klr_size[1] = klr_size[2] = 1;");
  c_put_line(w, "return 2;");
  c_put(w, "}\n");
}

static void write_whole_needed(CWriter *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole)
{
  c_put(w, "\nstatic void ");
  c_put_stage_name(w, function, "_needed(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t *klr_needed)\n{\n");
  open_whole(w, function, node, whole, true);
  c_put_line(w, "(void)klr_arguments, (void)klr_grid;");
  for (size_t i = 0; i < function->params.count; i++)
    c_put_line(w, "klr_needed[%zu] = 0;", i);
  for (uint32_t i = 0; i < whole->array_count; i++) {
    bool anywhere = (node->kind == SCHEMA_parallel_gather && i == 0) || (node->kind == SCHEMA_parallel_scatter && i == whole->output);
    uint32_t index = (*whole->arrays[i])->var->index;
    if (whole->is_reduction && i == whole->output)
      c_put_line(w, "klr_needed[%u] = klr_needed[%u] ? klr_needed[%u] : 1;", index, index, index);
    else if (!anywhere)
      c_put_line(w, "klr_needed[%u] = klr_n > 0 ? (uint64_t)klr_n : 0;", index);
  }
  c_put(w, "}\n");
}

static CStage write_part(CWriter *w, const SchemaFunction *function, SchemaNode *node, const SchemaWhole *whole, Part part)
{
  write_whole_body(w, function, node, whole, part);
  c_write_variants(w, function, &C_BODIES, false);
  if (whole->is_reduction)
    write_fold_combine(w, function, node, whole);
  else if (part == PART_TOTALS)
    write_scan_combine(w, function, node, whole);
  write_whole_grid(w, function, node, whole, part);
  write_whole_needed(w, function, node, whole);
  const bool is_costly = schema_builtin_info(whole->builtin == BUILTIN_NONE ? BUILTIN_min : whole->builtin)->class == CALL_CLASS_FLOAT;
  const bool adds_up = whole->is_reduction || part == PART_TOTALS;
  return (CStage){.has_combine = adds_up, .has_needed = true, .reductions = adds_up, .is_for_many = part == PART_TOTALS, .cost = part == PART_FILL ? 4096 : is_costly ? 3 : 1};
}

void c_write_whole_kernel(CWriter *w, const SchemaFunction *function, size_t file_number)
{
  Vec(CStage) stages = {0};
  w->reductions = (SchemaReductions){0}, w->tallies = (Tallies){0}, w->strips = NULL, w->in_group = false, w->plain_return = false;
  c_put(w, "\n/* ---- %s */\n", function->name->str.data);
  size_t count = 0;
  SchemaWhole whole;
  for (uint32_t i = 0; i < function->body.count; i++)
    if (!schema_whole_of(function->body.items[i], &whole))
      count += is_in_blocks(&whole) ? 2 : 1;
  for (uint32_t i = 0; i < function->body.count; i++) {
    SchemaNode *node = function->body.items[i];
    if (schema_whole_of(node, &whole))
      continue;
    const Part last = is_in_blocks(&whole) ? PART_FILL : PART_ALL;
    for (Part part = last ? PART_TOTALS : PART_ALL; part <= last; part++) {
      w->stage = count > 1 ? arena_printf(w->arena, "_%zu", stages.count + 1) : "";
      vec_push(w->arena, &stages, write_part(w, function, node, &whole, part));
    }
  }
  c_write_info(w, function, file_number, stages.items, stages.count);
}
