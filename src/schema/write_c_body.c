// write_c_body.c -- the functions that run a range of threads: loops over ids, reductions in a fixed order, arrays that are only added to.

#include "schema/write_c_parts.h"

// ---- parameters, ids

static bool writes(const SchemaVar *param)
{
  return param->direction == DIRECTION_OUT || param->direction == DIRECTION_INOUT;
}

static const char *member_of(Scalar scalar)
{
  switch (scalar) {
  case SCALAR_BOOL: return "u8";
  case SCALAR_F16:
  case SCALAR_BF16: return "u16";
  default: return scalar_name(scalar);
  }
}

// Parameters as names of their own: pointers, and scalars that nothing can change behind the compiler's back.
void c_declare_params(CWriter *w, const SchemaFunction *function, bool scalars_only)
{
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (scalars_only && param->type.is_array)
      continue;
    c_start_line(w);
    bool narrow = param->type.scalar == SCALAR_F16 || param->type.scalar == SCALAR_BF16;
    if (param->type.is_array)
      c_put(w, "KLR_SPARE %s%s *const ", writes(param) ? "" : "const ", c_type(param->type.scalar));
    else
      c_put(w, "KLR_SPARE %s%s ", param->assignments && !w->in_group ? "" : "const ", c_type(param->type.scalar));
    c_put_name(w, param->name->str);
    if (w->in_group && param->assignments)
      c_put(w, "_given");
    if (param->type.is_array)
      c_put(w, " = klr_arguments[%zu].data;\n", i);
    else
      c_put(w, " = klr_arguments[%zu].value.%s;\n", i, narrow ? "u16" : member_of(param->type.scalar));
  }
}

void c_put_array_params(CWriter *w, const SchemaFunction *function, const char *qualifier)
{
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (!param->type.is_array)
      continue;
    c_put(w, ", KLR_SPARE %s%s *%sconst ", writes(param) ? "" : "const ", c_type(param->type.scalar), qualifier);
    c_put_name(w, param->name->str);
  }
}

void c_put_arrays(CWriter *w, const SchemaFunction *function)
{
  for (size_t i = 0; i < function->params.count; i++)
    if (function->params.items[i]->type.is_array) {
      c_put(w, ", ");
      c_put_name(w, function->params.items[i]->name->str);
    }
}

// The arrays as the launch gives them.
static void put_given_arrays(CWriter *w, const SchemaFunction *function)
{
  for (size_t i = 0; i < function->params.count; i++)
    if (function->params.items[i]->type.is_array)
      c_put(w, ", klr_arguments[%zu].data", i);
}

void c_put_kernel_name(CWriter *w, const SchemaFunction *function, const char *what)
{
  c_put(w, "kernel_");
  c_put_name(w, function->name->str);
  c_put(w, "%s", what);
}

void c_put_stage_name(CWriter *w, const SchemaFunction *function, const char *what)
{
  c_put_kernel_name(w, function, w->stage);
  c_put(w, "%s", what);
}

const char *const C_BODY_PARAMS =
    "const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_begin, uint64_t klr_end, uint64_t *klr_partials, KlrKernelFault *klr_fault";

static void put_bound(CWriter *w, const SchemaFunction *function)
{
  if (!w->guard || function->dims != 1)
    return;
  c_start_line(w);
  c_put(w, "const int64_t klr_bound = ");
  c_write_bound(w, function->grid[0]);
  c_put(w, ";\n");
  c_put_line(w, "if (klr_bound < (int64_t)klr_end)");
  c_put_line(w, "  klr_end = klr_bound > (int64_t)klr_begin ? (uint64_t)klr_bound : klr_begin;");
  if (!function->from[0])
    return;
  c_put_from(w, function, 0);
  c_put_line(w, "if (klr_from0 > (int64_t)klr_begin)");
  c_put_line(w, "  klr_begin = klr_from0 < (int64_t)klr_end ? (uint64_t)klr_from0 : klr_end;");
}

void c_put_unused(CWriter *w)
{
  c_put_line(w, "(void)klr_arguments, (void)klr_grid, (void)klr_partials, (void)klr_fault;");
}

void c_put_ids(CWriter *w, uint32_t dims)
{
  if (dims <= 1) {
    c_put_line(w, "KLR_SPARE const int64_t klr_id0 = (int64_t)klr_thread, klr_id1 = 0, klr_id2 = 0;");
  } else {
    c_put_line(w, "KLR_SPARE const int64_t klr_id0 = (int64_t)(klr_thread - klr_row * klr_grid->size[0]);");
    c_put_line(w, "KLR_SPARE const int64_t klr_id1 = (int64_t)(klr_row %% klr_grid->size[1]), klr_id2 = (int64_t)(klr_row / klr_grid->size[1]);");
  }
}

// Parameters that the thread assigns are its own.
void c_put_own_params(CWriter *w, const SchemaFunction *function)
{
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (param->type.is_array || !param->assignments)
      continue;
    c_start_line(w);
    c_put_name(w, param->name->str);
    c_put(w, " = klr_arguments[%zu].value.%s;\n", i, member_of(param->type.scalar));
  }
}

bool c_has_return(SchemaList list)
{
  for (uint32_t i = 0; i < list.count; i++) {
    const SchemaNode *node = list.items[i];
    if (node->kind == SCHEMA_return ||
        (node->kind == SCHEMA_if && (c_has_return(SCHEMA_AS(if, node)->then_body) || c_has_return(SCHEMA_AS(if, node)->else_body))) ||
        (node->kind == SCHEMA_for && c_has_return(SCHEMA_AS(for, node)->body)) || (node->kind == SCHEMA_while && c_has_return(SCHEMA_AS(while, node)->body)))
      return true;
  }
  return false;
}

void c_write_thread(CWriter *w, const SchemaFunction *function)
{
  c_put_ids(w, function->dims);
  c_declare_locals(w, function);
  c_put_own_params(w, function);
  c_write_list(w, function->body);
  if (c_has_return(function->body))
    c_put_line(w, "klr_next: __attribute__((unused));");
}

static void put_neutral(CWriter *w, const SchemaReduction *r)
{
  bool is_min = r->op == BUILTIN_atomic_min;
  if (r->op == BUILTIN_atomic_add)
    c_put(w, "0");
  else if (scalar_is_float(r->type))
    c_put(w, is_min ? "INFINITY" : "-INFINITY");
  else if (!is_min && !scalar_is_signed(r->type))
    c_put(w, "0");
  else
    c_put(w, "%sINT%u_%s", scalar_is_signed(r->type) ? "" : "U", 8 * scalar_info(r->type)->bytes, is_min ? "MAX" : "MIN");
}

// The lanes of a block, without anything.
static void put_lanes(CWriter *w)
{
  for (uint32_t i = 0; i < w->reductions.count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    c_start_line(w);
    c_put(w, "%s klr_lanes%u[16];\n", c_type(r->type), i);
    c_start_line(w);
    c_put(w, "for (int klr_l = 0; klr_l < 16; klr_l++) klr_lanes%u[klr_l] = ", i);
    put_neutral(w, r);
    c_put(w, ";\n");
  }
}

// What a block's lanes come to.
static void put_joins(CWriter *w)
{
  const uint32_t count = (uint32_t)w->reductions.count;
  for (uint32_t i = 0; i < count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    c_put_line(w, "for (int klr_d = 8; klr_d; klr_d /= 2)");
    c_start_line(w);
    c_put(w, "  for (int klr_l = 0; klr_l < klr_d; klr_l++) klr_lanes%u[klr_l] = ", i);
    c_put_combined(w, r, arena_printf(w->arena, "klr_lanes%u[klr_l]", i), arena_printf(w->arena, "klr_lanes%u[klr_l + klr_d]", i));
    c_put(w, ";\n");
    c_put_line(w, "memcpy(&klr_partials[klr_block * %u + %u], klr_lanes%u, sizeof klr_lanes%u[0]);", count, i, i, i);
  }
}

// Threads of a kernel with reductions: 16 at a time, each with its lane.
static void write_reducing(CWriter *w, const SchemaFunction *function)
{
  uint32_t count = (uint32_t)w->reductions.count;
  c_put_line(w, "for (uint64_t klr_at = klr_begin, klr_block = 0; klr_at < klr_last; klr_at += KLR_BLOCK, klr_block++) {");
  w->indent++;
  c_put_line(w, "uint64_t klr_stop = klr_last - klr_at < KLR_BLOCK ? klr_last : klr_at + KLR_BLOCK;");
  c_put_line(w, "klr_stop = klr_stop < klr_end ? klr_stop : klr_end > klr_at ? klr_end : klr_at;");
  put_lanes(w);
  for (int tail = 0; tail < 2; tail++) {
    if (tail) {
      c_put_line(w, "for (uint64_t klr_thread = klr_at + ((klr_stop - klr_at) & ~UINT64_C(15)); klr_thread < klr_stop; klr_thread++) {");
    } else {
      c_put_line(w, "for (uint64_t klr_sixteen = klr_at; klr_sixteen + 16 <= klr_stop; klr_sixteen += 16)");
      c_put_line(w, "  for (uint64_t klr_lane = 0; klr_lane < 16; klr_lane++) {");
    }
    w->indent++;
    if (!tail)
      c_put_line(w, "const uint64_t klr_thread = klr_sixteen + klr_lane;");
    else
      c_put_line(w, "const uint64_t klr_lane = klr_thread %% 16;");
    c_start_line(w);
    c_put(w, "kernel_");
    c_put_name(w, function->name->str);
    c_put(w, "_thread(klr_arguments, klr_grid, klr_thread, klr_fault");
    for (uint32_t i = 0; i < count; i++)
      c_put(w, ", &klr_lanes%u[klr_lane]", i);
    c_put_arrays(w, function);
    c_put(w, ");\n");
    w->indent--;
    c_put_line(w, "}");
  }
  put_joins(w);
  w->indent--;
  c_put_line(w, "}");
}

// One thread of a kernel with reductions.
void c_write_reducing_thread(CWriter *w, const SchemaFunction *function)
{
  c_put(w, "\nKLR_BODY void ");
  c_put_kernel_name(w, function, "_thread(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_thread, KlrKernelFault *klr_fault");
  for (uint32_t i = 0; i < w->reductions.count; i++)
    c_put(w, ", %s *klr_lane%u", c_type(w->reductions.items[i].type), i);
  c_put_array_params(w, function, "");
  c_put(w, ")\n{\n");
  w->indent = 1;
  c_put_line(w, "(void)klr_grid, (void)klr_fault;");
  if (function->dims > 1)
    c_put_line(w, "const uint64_t klr_row = klr_thread / klr_grid->size[0];");
  c_declare_params(w, function, true);
  c_write_thread(w, function);
  w->indent = 0;
  c_put(w, "}\n");
  w->line = 0;
}

const CIsa C_ISAS[C_ISA_COUNT] = {
    {"base", "BASE", ""},
    {"avx2", "AVX2", "__attribute__((target(\"avx2,fma\"))) "},
    {"avx512", "AVX512", "__attribute__((target(\"avx512f,avx512bw,avx512dq,avx512vl,avx2,fma\"))) "},
};

const CBodies C_BODIES = {"", {"1", "KLR_X86", "KLR_X86"}};
const CBodies C_BODIES_BESIDE_APART = {"", {"1", "KLR_X86", "0"}};
const CBodies C_BODIES_APART = {"_apart", {"!KLR_X86", "KLR_X86", "KLR_X86"}};
const CBodies C_BODIES_VALUES = {"_values", {"1", "KLR_X86", "KLR_X86"}};

// ---- reductions whose threads have loops: first every thread's values, then their lanes and blocks

bool c_has_values(const CWriter *w, const SchemaFunction *function)
{
  enum { MOST_REDUCTIONS = 4, LEAST_COST = 50 };  // UNKNOWN_COST of launch.c
  return w->reductions.count && w->reductions.count <= MOST_REDUCTIONS && c_cost(function) >= LEAST_COST;
}

static void write_values(CWriter *w, const SchemaFunction *function)
{
  const uint32_t count = (uint32_t)w->reductions.count;
  c_put_line(w, "for (uint64_t klr_thread = klr_begin; klr_thread < klr_last; klr_thread++) {");
  w->indent++;
  for (uint32_t i = 0; i < count; i++) {
    c_start_line(w);
    c_put(w, "%s klr_value%u = ", c_type(w->reductions.items[i].type), i);
    put_neutral(w, &w->reductions.items[i]);
    c_put(w, ";\n");
  }
  c_put_line(w, "if (klr_thread < klr_end)");
  c_start_line(w);
  c_put(w, "  ");
  c_put_kernel_name(w, function, "_thread(klr_arguments, klr_grid, klr_thread, klr_fault");
  for (uint32_t i = 0; i < count; i++)
    c_put(w, ", &klr_value%u", i);
  c_put_arrays(w, function);
  c_put(w, ");\n");
  for (uint32_t i = 0; i < count; i++)
    c_put_line(w, "memcpy(&klr_partials[(klr_thread - klr_begin) * %u + %u], &klr_value%u, sizeof klr_value%u);", count, i, i, i);
  w->indent--;
  c_put_line(w, "}");
}

void c_write_fold(CWriter *w, const SchemaFunction *function)
{
  const uint32_t count = (uint32_t)w->reductions.count;
  c_put(w, "\nstatic void ");
  c_put_kernel_name(w, function, "_fold(const uint64_t *klr_values, uint64_t klr_threads, uint64_t *klr_partials)\n{\n");
  w->indent = 1;
  c_put_line(w, "for (uint64_t klr_at = 0, klr_block = 0; klr_at < klr_threads; klr_at += KLR_BLOCK, klr_block++) {");
  w->indent++;
  put_lanes(w);
  c_put_line(w, "const uint64_t klr_stop = klr_threads - klr_at < KLR_BLOCK ? klr_threads : klr_at + KLR_BLOCK;");
  c_put_line(w, "for (uint64_t klr_thread = klr_at; klr_thread < klr_stop; klr_thread++) {");
  w->indent++;
  for (uint32_t i = 0; i < count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    c_put_line(w, "%s klr_value%u, *const klr_lane%u = &klr_lanes%u[klr_thread %% 16];", c_type(r->type), i, i, i);
    c_put_line(w, "memcpy(&klr_value%u, &klr_values[klr_thread * %u + %u], sizeof klr_value%u);", i, count, i, i);
    c_start_line(w);
    c_put(w, "*klr_lane%u = ", i);
    c_put_combined(w, r, arena_printf(w->arena, "*klr_lane%u", i), arena_printf(w->arena, "klr_value%u", i));
    c_put(w, ";\n");
  }
  w->indent--;
  c_put_line(w, "}");
  put_joins(w);
  w->indent--;
  c_put_line(w, "}");
  w->indent = 0;
  c_put(w, "}\n");
}

// Bodies are values of a block, folded.
void c_write_folded(CWriter *w, const SchemaFunction *function)
{
  const uint32_t count = (uint32_t)w->reductions.count;
  for (int i = 0; i < C_ISA_COUNT; i++) {
    c_put(w, "#if %s\nstatic void ", C_BODIES.guards[i]);
    c_put_kernel_name(w, function, "_");
    c_put(w, "%s(%s)\n{\n", C_ISAS[i].name, C_BODY_PARAMS);
    w->indent = 1;
    c_put_line(w, "uint64_t klr_values[KLR_BLOCK * %u];", count);
    c_put_line(w, "for (uint64_t klr_at = klr_begin; klr_at < klr_end; klr_at += KLR_BLOCK, klr_partials += %u) {", count);
    c_put_line(w, "  const uint64_t klr_stop = klr_end - klr_at < KLR_BLOCK ? klr_end : klr_at + KLR_BLOCK;");
    c_start_line(w);
    c_put(w, "  ");
    c_put_kernel_name(w, function, "_values_");
    c_put(w, "%s(klr_arguments, klr_grid, klr_at, klr_stop, klr_values, klr_fault);\n", C_ISAS[i].name);
    c_start_line(w);
    c_put(w, "  ");
    c_put_kernel_name(w, function, "_fold(klr_values, klr_stop - klr_at, klr_partials);\n");
    c_put_line(w, "}");
    w->indent = 0;
    c_put(w, "}\n#endif\n");
  }
}

// ---- tallies: arrays that a kernel only changes by atomics whose results nobody uses
//
// A body that runs all threads of a launch changes such an array itself. Sums of integers come out the same in any order: of a small array
// each body has its own, from zeros, and adds it in the end.

typedef struct TallyFinder {
  const SchemaVar *array;
  uint32_t uses, changes, sums;
} TallyFinder;

static void count_changes(SchemaNode *node, void *context)
{
  TallyFinder *f = context;
  f->uses += node->kind == SCHEMA_var && node->var == f->array;
  if (node->kind != SCHEMA_perform || SCHEMA_AS(perform, node)->args.count != 3 || SCHEMA_AS(perform, node)->args.items[0]->var != f->array)
    return;
  bool is_sum = node->builtin == BUILTIN_atomic_add || node->builtin == BUILTIN_atomic_sub;
  f->sums += is_sum;
  f->changes += is_sum || node->builtin == BUILTIN_atomic_min || node->builtin == BUILTIN_atomic_max;
}

static TallyFinder changes_of(const SchemaFunction *function, const SchemaVar *array)
{
  TallyFinder f = {.array = array};
  schema_walk_list(function->body, count_changes, &f);
  return f;
}

void c_find_tallies(CWriter *w, const SchemaFunction *function)
{
  w->tallies = (Tallies){0};
  if (w->reductions.count || function->uses_groups || function->has_whole)
    return;
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    TallyFinder f = changes_of(function, param);
    if (param->type.is_array && scalar_info(param->type.scalar)->bytes >= 4 && f.changes && f.uses == f.changes)
      vec_push(w->arena, &w->tallies, param);
  }
}

bool c_is_tally(const CWriter *w, const SchemaVar *array)
{
  for (size_t i = 0; i < w->tallies.count; i++)
    if (w->tallies.items[i] == array)
      return true;
  return false;
}

static void write_tallies(CWriter *w, const SchemaFunction *function)
{
  for (size_t i = 0; i < w->tallies.count; i++) {
    const SchemaVar *array = w->tallies.items[i];
    TallyFinder f = changes_of(function, array);
    bool any_order = scalar_is_integer(array->type.scalar) && f.sums == f.changes;
    c_put_line(w, "%s *const klr_own%u = klr_own(&klr_arguments[%u], sizeof(%s), klr_grid, klr_begin, klr_end, %d);", c_type(array->type.scalar), array->index,
             array->index, c_type(array->type.scalar), any_order);
  }
}

static void end_tallies(CWriter *w)
{
  for (size_t i = 0; i < w->tallies.count; i++) {
    const SchemaVar *array = w->tallies.items[i];
    uint32_t k = array->index;
    c_put_line(w, "if (klr_own%u && klr_own%u != klr_arguments[%u].data) {", k, k, k);
    c_put_line(w, "  for (uint64_t klr_i = 0; klr_i < klr_arguments[%u].count; klr_i++)", k);
    c_put_line(w, "    if (klr_own%u[klr_i])", k);
    c_put_line(w, "      klr_atomic_add_%s((%s *)klr_arguments[%u].data + klr_i, klr_own%u[klr_i]);", scalar_name(array->type.scalar), c_type(array->type.scalar), k, k);
    c_put_line(w, "  free(klr_own%u);", k);
    c_put_line(w, "}");
  }
}

// ---- the functions of a kernel

void c_write_body(CWriter *w, const SchemaFunction *function, const CBodies *bodies)
{
  c_put(w, "\nKLR_BODY void ");
  c_put_stage_name(w, function, "_body");
  c_put(w, "%s(", bodies->kind);
  c_put(w, "%s", C_BODY_PARAMS);
  c_put_array_params(w, function, bodies == &C_BODIES_APART ? "restrict " : "");
  w->has_rest = bodies == &C_BODIES_APART && w->strips && w->strips->is_few;
  c_put(w, w->has_rest ? ", KlrKernelBody *const klr_rest" : "");
  c_put(w, ")\n{\n");
  w->indent = 1, w->line = 0, w->plain_return = false;
  c_put_unused(w);
  w->in_group = function->uses_groups && !function->has_whole;
  c_declare_params(w, function, true);
  w->in_group = false;
  if (function->has_whole) {
    c_write_single(w, function);
  } else if (function->uses_groups) {
    c_write_group_body(w, function);
  } else {
    if (w->reductions.count)
      c_put_line(w, "const uint64_t klr_last = klr_end;");
    write_tallies(w, function);
    put_bound(w, function);
    if (bodies == &C_BODIES_VALUES) {
      write_values(w, function);
    } else if (w->reductions.count) {
      write_reducing(w, function);
    } else if (w->strips && w->strips->width) {
      c_write_rows(w, function);
    } else if (function->dims == 1 && w->strips && w->strips->is_wide) {
      c_write_strips(w, function);
    } else if (function->dims > 1) {
      c_write_grid_rows(w, function);
    } else {
      if (schema_threads_are_even(w->apart))
        c_put_line(w, "KLR_EVEN");
      c_put_line(w, "for (uint64_t klr_thread = klr_begin; klr_thread < klr_end; klr_thread++) {");
      w->indent = 2;
      c_write_thread(w, function);
      w->indent = 1;
      c_put_line(w, "}");
    }
    end_tallies(w);
  }
  w->indent = 0;
  c_put(w, "}\n");
}

void c_write_variants(CWriter *w, const SchemaFunction *function, const CBodies *bodies, bool with_arrays)
{
  for (int i = 0; i < C_ISA_COUNT; i++) {
    c_put(w, "#if %s\n%sstatic void ", bodies->guards[i], C_ISAS[i].target);
    c_put_stage_name(w, function, bodies->kind);
    c_put(w, "_%s(%s)\n{\n  ", C_ISAS[i].name, C_BODY_PARAMS);
    c_put_stage_name(w, function, "_body");
    c_put(w, "%s(klr_arguments, klr_grid, klr_begin, klr_end, klr_partials, klr_fault", bodies->kind);
    if (with_arrays)
      put_given_arrays(w, function);
    if (bodies == &C_BODIES_APART && w->has_rest) {
      c_put(w, ", ");
      c_put_stage_name(w, function, i ? "_avx2" : "_base");  // of C_BODIES_BESIDE_APART
    }
    c_put(w, ");\n}\n#endif\n");
  }
}

void c_write_combine(CWriter *w, const SchemaFunction *function)
{
  if (!w->reductions.count)
    return;
  uint32_t count = (uint32_t)w->reductions.count;
  c_put(w, "\nstatic void ");
  c_put_stage_name(w, function, "_combine(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, const uint64_t *klr_partials, uint64_t klr_blocks)\n{\n");
  w->indent = 1;
  c_put_line(w, "(void)klr_grid;");
  c_declare_params(w, function, true);
  for (uint32_t i = 0; i < count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    c_start_line(w);
    c_put(w, "const int64_t klr_index%u = ", i);
    c_write_expr(w, r->index);
    c_put(w, ";\n");
  }
  c_put_line(w, "for (uint64_t klr_block = 0; klr_block < klr_blocks; klr_block++) {");
  w->indent++;
  for (uint32_t i = 0; i < count; i++) {
    const SchemaReduction *r = &w->reductions.items[i];
    c_put_line(w, "if (klr_index%u >= 0 && (uint64_t)klr_index%u < klr_arguments[%u].count) {", i, i, r->array->index);
    c_put_line(w, "  %s *const klr_at = (%s *)klr_arguments[%u].data + klr_index%u, klr_part;", c_type(r->type), c_type(r->type), r->array->index, i);
    c_put_line(w, "  memcpy(&klr_part, &klr_partials[klr_block * %u + %u], sizeof klr_part);", count, i);
    c_start_line(w);
    c_put(w, "  *klr_at = ");
    c_put_combined(w, r, "*klr_at", "klr_part");
    c_put(w, ";\n");
    c_put_line(w, "}");
  }
  w->indent--;
  c_put_line(w, "}");
  w->indent = 0;
  c_put(w, "}\n");
}
