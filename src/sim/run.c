// run.c -- the whole run: arrays in, the cores, arrays out.

#include "sim/constants.h"
#include "sim/cores.h"
#include "sim/exec.h"
#include "sim/shadow.h"
#include "sim/unwritten.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

SimOptions sim_default_options(void)
{
  return (SimOptions){.exact_fp = true, .checks = true, .threads = 1};
}

// ---- arrays in
static void expect_input(Sim *sim, const Tensor *tensor, const Array *array)
{
  const Shape *shape = &tensor->shape;
  bool same = array->data && array->bytes == tensor_bytes(tensor) &&
              (array->dtype == tensor->dtype || dtype_same_format(array->dtype, tensor->dtype));
  if (array->rank == 1 + shape->free_dims.count && same) {
    same = array->shape[0] == shape->par_dim;
    for (uint32_t i = 0; i < shape->free_dims.count; i++)
      same = same && array->shape[i + 1] == shape->free_dims.items[i];
  }
  if (same)
    return;
  StrBuf text = strbuf_new(&sim->scratch);
  for (uint32_t i = 0; i < array->rank; i++)
    strbuf_printf(&text, "%s%" PRIu64, i ? "x" : "", array->shape ? array->shape[i] : 0);
  StrBuf wanted = strbuf_new(&sim->scratch);
  strbuf_printf(&wanted, "%" PRIu64, shape->par_dim);
  for (uint32_t i = 0; i < shape->free_dims.count; i++)
    strbuf_printf(&wanted, "x%" PRIu64, shape->free_dims.items[i]);
  sim_error(sim, E_SIM_INPUT, "argument `%s` is %s %s, but the kernel was traced for %s %s", tensor->name,
            dtype_name(array->dtype), text.len ? strbuf_cstr(&text) : "scalar", dtype_name(tensor->dtype),
            strbuf_cstr(&wanted));
  sim_stop(sim);
}

// ---- arrays out
static void expect_complete(Sim *sim, const Tensor *tensor, const Buffer *buffer)
{
  uint64_t byte =
      buffer_find_unwritten(buffer, 0, tensor_elements(tensor) * dtype_bytes(state_stored_dtype(sim, tensor->dtype)));
  if (byte == UINT64_MAX || !sim->options.checks)
    return;
  uint64_t elem = byte / dtype_bytes(state_stored_dtype(sim, tensor->dtype)), rank = tensor->shape.free_dims.count;
  StrBuf text = strbuf_new(&sim->session->arena);
  uint64_t row = 1;
  for (uint32_t i = 0; i < rank; i++)
    row *= tensor->shape.free_dims.items[i];
  strbuf_printf(&text, "[%" PRIu64, elem / row);
  for (uint32_t i = 0; i < rank; i++) {
    elem %= row;
    row /= tensor->shape.free_dims.items[i];
    strbuf_printf(&text, ", %" PRIu64, elem / row);
  }
  bool forgives = state_forgives_unwritten(sim);
  if (buffer->origin && !forgives)
    unwritten_fail(sim, buffer->origin, tensor, strbuf_cstr(&text));
  Diag *diag = forgives
                   ? diag_warning(sim->session, W_SIM_OUTPUT, "element %s] of result `%s` was never written",
                                  strbuf_cstr(&text), tensor->name)
                   : diag_error(sim->session, E_SIM_OUTPUT, "element %s] of result `%s` was never written",
                                strbuf_cstr(&text), tensor->name);
  if (tensor->pos && !span_is_none(tensor->pos->span))
    diag_primary(diag, tensor->pos->span, "`%s` is made here", tensor->name);
  else if (tensor->pos && tensor->pos->filename)
    diag_where(diag, tensor->pos->filename, tensor->pos->line, tensor->pos->column);
  if (sim->rank_count > 1)
    diag_note(diag, "on rank %" PRIu32, sim->core->rank->number);
  diag_help(diag, "store every element of it, with `nisa.dma_copy` for example");
  unwritten_explain(diag, buffer);
  if (!forgives)
    sim_stop(sim);
}

static Array output_array(Sim *sim, const Tensor *tensor)
{
  uint32_t rank = 1 + tensor->shape.free_dims.count;
  uint64_t *shape = arena_array(&sim->scratch, uint64_t, rank);
  shape[0] = tensor->shape.par_dim;
  for (uint32_t i = 1; i < rank; i++)
    shape[i] = tensor->shape.free_dims.items[i - 1];
  Array array = array_new(tensor->dtype, rank, shape);
  if (!array.data) {
    sim_error(sim, E_SIM_MEMORY, "no memory for the result `%s`", tensor->name);
    sim_stop(sim);
  }
  return array;
}

static void collect_output(Sim *sim, const Tensor *tensor, Array *array)
{
  Buffer *buffer = state_shared_buffer(sim, tensor);
  expect_complete(sim, tensor, buffer);
  *array = output_array(sim, tensor);
  if (state_stored_dtype(sim, tensor->dtype) != tensor->dtype)
    state_unbind_array(sim, tensor, array);
  else
    memcpy(array->data, buffer->data, array->bytes);
}

// ---- the whole run
static void share_results(Sim *sim, const Kernel *kernel)
{
  for (uint32_t i = 0; i < kernel->outputs.count; i++)
    state_share(sim, kernel->outputs.items[i]);
  for (uint32_t i = 0; i < kernel->shared_buffers.count; i++)
    state_share(sim, kernel->shared_buffers.items[i]);
}

static void prepare_rank(Sim *sim, Rank *rank, Array *inputs)
{
  const Kernel *kernel = rank->kernel;
  sim->core = &rank->cores[0];
  for (uint32_t i = 0; i < kernel->inputs.count; i++) {
    expect_input(sim, kernel->inputs.items[i], &inputs[i]);
    state_bind_array(sim, kernel->inputs.items[i], &inputs[i]);
  }
  constants_bind(sim, kernel);
  share_results(sim, kernel);
}

static void collect_rank(Sim *sim, Rank *rank, Array *inputs, Array *outputs)
{
  const Kernel *kernel = rank->kernel;
  sim->core = &rank->cores[0];
  for (uint32_t i = 0; i < kernel->outputs.count && sim->options.shadow; i++)
    shadow_result(sim, kernel->outputs.items[i], state_shared_buffer(sim, kernel->outputs.items[i]));
  share_results(sim, kernel);  // of a kernel that was not known before
  for (uint32_t i = 0; i < kernel->inputs.count; i++)
    state_unbind_array(sim, kernel->inputs.items[i], &inputs[i]);
  for (uint32_t i = 0; i < kernel->outputs.count; i++)
    collect_output(sim, kernel->outputs.items[i], &outputs[i]);
}

static void make_rank(Sim *sim, uint32_t number, const Kernel *kernel)
{
  Rank *rank = &sim->ranks[number];
  *rank = (Rank){.number = number, .kernel = kernel, .core_count = kernel->bodies.count, .buffers = map_new(&sim->arena)};
  rank->cores = arena_array(&sim->arena, Core, rank->core_count + 1);
  for (uint32_t c = 0; c < rank->core_count; c++) {
    Core *core = &rank->cores[c];
    core->rank = rank;
    core->number = c;
    core->program = cores_program(sim, core);
    state_start_core(sim, core);
  }
  rank->cores[rank->core_count].rank = rank;  // stands for the rank when its kernel has no core
  state_start_core(sim, &rank->cores[rank->core_count]);
}

// Temporaries of an instruction on usual tiles.
enum { SCRATCH_BYTES = 4 << 20 };

static void start(Sim *sim, void *context)
{
  uint32_t count = *(uint32_t *)context;
  arena_reserve(&sim->scratch, SCRATCH_BYTES);
  sim->ranks = arena_array(&sim->arena, Rank, count);
  for (; sim->rank_count < count; sim->rank_count++)
    make_rank(sim, sim->rank_count, sim->given[sim->rank_count].kernel);
  for (uint32_t r = 0; r < count; r++)
    prepare_rank(sim, &sim->ranks[r], sim->given[r].inputs);
}

static void step(Sim *sim, void *context)
{
  *(bool *)context = cores_step(sim);
}

static void rest(Sim *sim, void *context)
{
  (void)context;
  sim->is_stepped = false;
  cores_run(sim);
}

static void collect(Sim *sim, void *context)
{
  (void)context;
  for (uint32_t r = 0; r < sim->rank_count; r++)
    collect_rank(sim, &sim->ranks[r], sim->given[r].inputs, sim->given[r].outputs);
}

bool sim_guard(Sim *sim, SimWork *work, void *context)
{
  if (sim->failed)
    return false;
  sim->outer_exhausted = sim->session->arena.on_exhausted;
  if (setjmp(sim->exhausted)) {
    sim->session->arena.on_exhausted = sim->outer_exhausted;
    diag_error(sim->session, E_SIM_MEMORY, "no memory to go on running `%s`", sim->given[0].kernel->name);
    return !(sim->failed = true);
  }
  if (setjmp(sim->stop)) {
    sim->session->arena.on_exhausted = sim->outer_exhausted;
    return !(sim->failed = true);
  }
  sim->session->arena.on_exhausted = &sim->exhausted;
  work(sim, context);
  sim->session->arena.on_exhausted = sim->outer_exhausted;
  return true;
}

static void empty_outputs(const SimRank *ranks, uint32_t count)
{
  for (uint32_t r = 0; r < count; r++)
    for (uint32_t i = 0; i < ranks[r].kernel->outputs.count; i++)
      array_free(&ranks[r].outputs[i]);
}

Sim *sim_begin(Session *session, const SimRank *ranks, uint32_t count, const SimOptions *options)
{
  Sim *sim = calloc(1, sizeof *sim);
  for (uint32_t r = 0; r < count; r++)
    for (uint32_t i = 0; i < ranks[r].kernel->outputs.count; i++)
      ranks[r].outputs[i] = (Array){0};
  if (!sim) {
    diag_error(session, E_SIM_MEMORY, "no memory to run `%s`", ranks[0].kernel->name);
    return NULL;
  }
  *sim = (Sim){.session = session, .options = *options, .given = ranks,
               .arena = session_arena(session), .scratch = session_arena(session)};
  sim->machine = options->machine ? options->machine : machine_of_generation(4);
  sim->arena.on_exhausted = sim->scratch.on_exhausted = &sim->exhausted;
  if (!sim->options.step_limit)
    sim->options.step_limit = 100u * 1000 * 1000;
  sim->told = map_new(&sim->arena);
  sim->pool = threads_new(options->threads);
  if (sim_guard(sim, start, &count))
    return sim;
  (void)sim_end(sim, NULL);
  return NULL;
}

bool sim_step(Sim *sim)
{
  bool went_on = false;
  return sim_guard(sim, step, &went_on) && went_on;
}

void sim_rest(Sim *sim)
{
  (void)sim_guard(sim, rest, NULL);
}

bool sim_end(Sim *sim, SimStats *stats)
{
  bool ok = cores_ended(sim) && sim_guard(sim, collect, NULL);
  if (!ok)
    empty_outputs(sim->given, sim->rank_count);
  if (stats)
    *stats = sim->stats;
  threads_free(sim->pool);
  constants_free(sim);
  state_free(sim);
  free(sim);
  return ok;
}

bool sim_run_ranks(Session *session, const SimRank *ranks, uint32_t count, const SimOptions *options, SimStats *stats)
{
  Sim *sim = sim_begin(session, ranks, count, options);
  if (!sim) {
    if (stats)
      *stats = (SimStats){0};
    return false;
  }
  sim_rest(sim);
  return sim_end(sim, stats);
}

bool sim_run(Session *session, const Kernel *kernel, const SimOptions *options, Array *inputs, Array *outputs,
             SimStats *stats)
{
  SimRank rank = {kernel, inputs, outputs};
  return sim_run_ranks(session, &rank, 1, options, stats);
}

bool sim_can_run(OpKind kind)
{
  return reference_executor(kind) != NULL || kind == OP_cmp_branch;  // branches are the interpreter's own
}
