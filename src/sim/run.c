// run.c -- the interpreter: blocks, branches, logical cores; arrays in and out.

#include "sim/exec.h"
#include "sim/lifetime.h"

#include "base/bug.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

SimOptions sim_default_options(void)
{
  return (SimOptions){.exact_fp = true, .checks = true, .threads = 1};
}

// ---- instructions
static void run_operator(Sim *sim, const Op *op)
{
  ExecFn *reference = reference_executor(op->kind);
  if (!reference) {
    sim_error(sim, E_SIM_UNSUPPORTED, "`%s` cannot be run yet", op_info(op->kind)->name);
    sim_stop(sim);
  }
  FastFn *fast = sim->options.reference ? NULL : fast_executor(op->kind);
  if (!fast || !fast(sim, op))
    reference(sim, op);
}

static void run_instruction(Sim *sim, const Instr *instr)
{
  sim->instr = instr;
  if (++sim->core_step_count > sim->options.step_limit) {
    Diag *diag = sim_error(sim, E_SIM_STEPS, "stopped after %" PRIu64 " instructions", sim->options.step_limit);
    diag_help(diag, "check that the loop around this instruction ends, or raise the limit with `--max-steps N`");
    sim_stop(sim);
  }
  sim->stats.instruction_count++;
  sim->stats.engine_instruction_count[op_engine(instr->op)]++;
  ArenaMark mark = arena_mark(&sim->scratch);
  run_operator(sim, instr->op);
  arena_rewind(&sim->scratch, mark);
}

// ---- branches
static bool compare(Sim *sim, const struct Op_cmp_branch *o)
{
  if (o->op == BR_CMP_OP_ALWAYS)
    return true;
  const Register *left = state_read_register(sim, o->reg1);
  double a = left->is_float ? (double)f32_from_bits(left->bits) : (double)(int32_t)left->bits, b = (double)o->imm;
  if (o->op >= BR_CMP_OP_LT_REG) {
    const Register *right = state_read_register(sim, o->reg2);
    b = right->is_float ? (double)f32_from_bits(right->bits) : (double)(int32_t)right->bits;
  }
  switch (o->op) {
  case BR_CMP_OP_ALWAYS: return true;
  case BR_CMP_OP_LT_IMM:
  case BR_CMP_OP_LT_REG: return a < b;
  case BR_CMP_OP_LE_IMM:
  case BR_CMP_OP_LE_REG: return a <= b;
  case BR_CMP_OP_EQ_IMM:
  case BR_CMP_OP_EQ_REG: return a == b;
  case BR_CMP_OP_NE_IMM:
  case BR_CMP_OP_NE_REG: return a != b;
  case BR_CMP_OP_GE_IMM:
  case BR_CMP_OP_GE_REG: return a >= b;
  case BR_CMP_OP_GT_IMM:
  case BR_CMP_OP_GT_REG: return a > b;
  case BR_CMP_OP_COUNT: break;
  }
  bug("branch comparison %d", (int)o->op);
}

static uint32_t find_block(Sim *sim, const Map *labels, const char *label)
{
  uint32_t *index = map_get(labels, str_from(label));
  if (index)
    return *index;
  sim_error(sim, E_SIM_KERNEL, "there is no block `%s` to jump to", label);
  sim_stop(sim);
}

// A core's blocks and what is known about them before they run.
typedef struct Program {
  const Core_LIST_BLOCK *blocks;
  Map labels;  // to indices
  Lifetimes lifetimes;
  size_t *first_release;  // of each block, and one past the last
} Program;

static Program prepare(Sim *sim, const Core_LIST_BLOCK *blocks)
{
  Program program = {.blocks = blocks, .labels = map_new(&sim->arena)};
  uint32_t *indices = arena_array(&sim->arena, uint32_t, blocks->count + 1);
  for (uint32_t i = 0; i < blocks->count; i++) {
    indices[i] = i;
    map_set(&program.labels, str_from(blocks->items[i]->label), &indices[i]);
  }
  program.lifetimes = lifetimes_of(sim, blocks, &program.labels);
  program.first_release = arena_array(&sim->arena, size_t, blocks->count + 2);
  for (uint32_t block = 0; block <= blocks->count + 1; block++) {
    size_t at = block ? program.first_release[block - 1] : 0;
    while (at < program.lifetimes.count && program.lifetimes.releases[at].block < block)
      at++;
    program.first_release[block] = at;
  }
  return program;
}

// A loop from block `first` to block `last` begins its next iteration.
static void go_round(Sim *sim, const Lifetimes *lifetimes, uint32_t first, uint32_t last)
{
  for (size_t i = 0; i < lifetimes->renewal_count; i++) {
    const Renewal *renewal = &lifetimes->renewals[i];
    if (renewal->first >= first && renewal->last <= last)
      state_renew(sim, renewal->tensor);
  }
}

// Runs a block; the index of the next, which is the one after it unless a branch says otherwise.
static uint32_t run_block(Sim *sim, const Program *program, uint32_t at)
{
  const Block *block = program->blocks->items[at];
  const Release *release = program->lifetimes.releases + program->first_release[at];
  const Release *end = program->lifetimes.releases + program->first_release[at + 1];
  for (uint32_t i = 0; i < block->body.count; i++) {
    const Instr *instr = block->body.items[i];
    for (; release < end && release->instr <= i; release++)
      state_release(sim, release->address);
    if (instr->op->kind != OP_cmp_branch) {
      run_instruction(sim, instr);
      continue;
    }
    const struct Op_cmp_branch *o = &instr->op->cmp_branch;
    sim->instr = instr;
    sim->stats.branch_count++;
    if (++sim->core_step_count > sim->options.step_limit)
      run_instruction(sim, instr);  // reports the limit
    uint32_t next = find_block(sim, &program->labels, compare(sim, o) ? o->true_label : o->false_label);
    if (next <= at)
      go_round(sim, &program->lifetimes, next, at);
    return next;
  }
  for (; release < end; release++)
    state_release(sim, release->address);
  return at + 1;
}

static void run_core(Sim *sim, uint32_t core)
{
  state_start_core(sim, core);
  sim->core_step_count = 0;
  Program program = prepare(sim, &sim->kernel->bodies.items[core]);
  for (uint32_t at = 0; at < program.blocks->count;)
    at = run_block(sim, &program, at);
  sim->instr = NULL;
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
  Diag *diag = sim->session->lenient
                   ? diag_warning(sim->session, W_SIM_OUTPUT, "element %s] of result `%s` was never written",
                                  strbuf_cstr(&text), tensor->name)
                   : diag_error(sim->session, E_SIM_OUTPUT, "element %s] of result `%s` was never written",
                                strbuf_cstr(&text), tensor->name);
  if (tensor->pos && !span_is_none(tensor->pos->span))
    diag_primary(diag, tensor->pos->span, "`%s` is made here", tensor->name);
  else if (tensor->pos && tensor->pos->filename)
    diag_where(diag, tensor->pos->filename, tensor->pos->line, tensor->pos->column);
  diag_help(diag, "store every element of it, with `nisa.dma_copy` for example");
  if (!sim->session->lenient)
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
static void run_kernel(Sim *sim, Array *inputs, Array *outputs)
{
  const Kernel *kernel = sim->kernel;
  for (uint32_t i = 0; i < kernel->inputs.count; i++) {
    expect_input(sim, kernel->inputs.items[i], &inputs[i]);
    state_bind_array(sim, kernel->inputs.items[i], &inputs[i]);
  }
  for (uint32_t i = 0; i < kernel->outputs.count; i++)
    state_share(sim, kernel->outputs.items[i]);
  for (uint32_t i = 0; i < kernel->shared_buffers.count; i++)
    state_share(sim, kernel->shared_buffers.items[i]);
  for (uint32_t core = 0; core < kernel->bodies.count; core++)
    run_core(sim, core);
  for (uint32_t i = 0; i < kernel->inputs.count; i++)
    state_unbind_array(sim, kernel->inputs.items[i], &inputs[i]);
  for (uint32_t i = 0; i < kernel->outputs.count; i++)
    collect_output(sim, kernel->outputs.items[i], &outputs[i]);
}

// setjmp stands alone, so that no local of a longer function is lost.
static bool run_guarded(Sim *sim, Array *inputs, Array *outputs)
{
  if (setjmp(sim->exhausted)) {
    sim->session->arena.on_exhausted = sim->outer_exhausted;
    diag_error(sim->session, E_SIM_MEMORY, "no memory to go on running `%s`", sim->kernel->name);
    return false;
  }
  if (setjmp(sim->stop)) {
    sim->session->arena.on_exhausted = sim->outer_exhausted;
    return false;
  }
  sim->session->arena.on_exhausted = &sim->exhausted;
  run_kernel(sim, inputs, outputs);
  sim->session->arena.on_exhausted = sim->outer_exhausted;
  return true;
}

bool sim_run(Session *session, const Kernel *kernel, const SimOptions *options, Array *inputs, Array *outputs,
             SimStats *stats)
{
  Sim *sim = calloc(1, sizeof *sim);
  for (uint32_t i = 0; i < kernel->outputs.count; i++)
    outputs[i] = (Array){0};
  if (!sim) {
    diag_error(session, E_SIM_MEMORY, "no memory to run `%s`", kernel->name);
    return false;
  }
  *sim = (Sim){.session = session, .kernel = kernel, .options = *options,
               .arena = session_arena(session), .scratch = session_arena(session)};
  sim->machine = options->machine ? options->machine : machine_of_generation(4);
  sim->outer_exhausted = session->arena.on_exhausted;
  sim->arena.on_exhausted = sim->scratch.on_exhausted = &sim->exhausted;
  if (!sim->options.step_limit)
    sim->options.step_limit = 100u * 1000 * 1000;
  sim->shared_buffers = sim->core_buffers = sim->registers = sim->told = map_new(&sim->arena);
  sim->pool = threads_new(options->threads);
  bool ok = run_guarded(sim, inputs, outputs);
  for (uint32_t i = 0; i < kernel->outputs.count && !ok; i++)
    array_free(&outputs[i]);
  if (stats)
    *stats = sim->stats;
  threads_free(sim->pool);
  state_free(sim);
  free(sim);
  return ok;
}

bool sim_can_run(OpKind kind)
{
  return reference_executor(kind) != NULL || kind == OP_cmp_branch;  // branches are the interpreter's own
}
