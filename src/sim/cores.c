// cores.c -- the interpreter: blocks and branches of a core, and the cores of all ranks in turn.

#include "sim/cores.h"
#include "sim/exec.h"
#include "sim/lifetime.h"
#include "sim/meet.h"
#include "sim/shadow.h"
#include "sim/unwritten.h"

#include "base/bug.h"

#include <inttypes.h>

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
  if (sim->indirect_results)
    indirect_finish(sim);
  if (sim->unwritten)
    unwritten_finish(sim, op);
}

static void expect_no_interrupt(Sim *sim)
{
  if (!session_is_interrupted(sim->session))
    return;
  sim_error(sim, E_INTERRUPTED, "interrupted after %" PRIu64 " instructions", sim->stats.instruction_count);
  sim_stop(sim);
}

void cores_run_instruction(Sim *sim, const Instr *instr)
{
  sim->instr = instr;
  if (++sim->core->step_count > sim->options.step_limit) {
    Diag *diag = sim_error(sim, E_SIM_STEPS, "stopped after %" PRIu64 " instructions", sim->options.step_limit);
    diag_help(diag, "check that the loop around this instruction ends, or raise the limit with `--max-steps N`");
    sim_stop(sim);
  }
  expect_no_interrupt(sim);
  sim->stats.instruction_count++;
  sim->stats.engine_instruction_count[op_engine(instr->op)]++;
  ArenaMark mark = arena_mark(&sim->scratch);
  if (sim->options.shadow)
    shadow_before(sim, instr);
  run_operator(sim, instr->op);
  if (sim->options.shadow)
    shadow_after(sim, instr);
  arena_rewind(&sim->scratch, mark);
}

// ---- branches

// What a register holds, as a number.
static double register_number(Sim *sim, const char *name)
{
  const Register *reg = state_read_register(sim, name);
  return reg->is_float ? (double)f32_from_bits(reg->bits) : (double)(int32_t)reg->bits;
}

static bool compare(Sim *sim, const struct Op_cmp_branch *o)
{
  if (o->op == BR_CMP_OP_ALWAYS)
    return true;
  double left = register_number(sim, o->reg1);
  return branch_holds(o->op, left, o->op >= BR_CMP_OP_LT_REG ? register_number(sim, o->reg2) : (double)o->imm);
}

static uint32_t find_block(Sim *sim, const Map *labels, const char *label)
{
  uint32_t *index = map_get(labels, str_from(label));
  if (index)
    return *index;
  sim_error(sim, E_SIM_KERNEL, "there is no block `%s` to jump to", label);
  sim_stop(sim);
}

// A core's blocks and what is known about them before they run; ranks that run the same kernel share it.
struct Program {
  const Core_LIST_BLOCK *blocks;
  Map labels;  // to indices
  Lifetimes lifetimes;
  size_t *first_release;  // of each block, and one past the last
};

static Program *prepare(Sim *sim, const Core_LIST_BLOCK *blocks)
{
  Program *program = arena_new(&sim->arena, Program);
  *program = (Program){.blocks = blocks, .labels = map_new(&sim->arena)};
  uint32_t *indices = arena_array(&sim->arena, uint32_t, blocks->count + 1);
  for (uint32_t i = 0; i < blocks->count; i++) {
    indices[i] = i;
    map_set(&program->labels, str_from(blocks->items[i]->label), &indices[i]);
  }
  program->lifetimes = lifetimes_of(sim, blocks);
  program->first_release = arena_array(&sim->arena, size_t, blocks->count + 2);
  for (uint32_t block = 0; block <= blocks->count + 1; block++) {
    size_t at = block ? program->first_release[block - 1] : 0;
    while (at < program->lifetimes.count && program->lifetimes.releases[at].block < block)
      at++;
    program->first_release[block] = at;
  }
  return program;
}

const Program *cores_program(Sim *sim, const Core *core)
{
  const Kernel *kernel = core->rank->kernel;
  for (uint32_t r = 0; r < core->rank->number; r++)
    if (sim->ranks[r].kernel == kernel)
      return sim->ranks[r].cores[core->number].program;
  return prepare(sim, &kernel->bodies.items[core->number]);
}

const Overlaps *cores_overlaps(const Core *core)
{
  return core->program->lifetimes.overlaps;
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

static uint32_t run_branch(Sim *sim, const Program *program, uint32_t at, const Instr *instr)
{
  const struct Op_cmp_branch *o = &instr->op->cmp_branch;
  sim->instr = instr;
  sim->stats.branch_count++;
  expect_no_interrupt(sim);
  if (++sim->core->step_count > sim->options.step_limit)
    cores_run_instruction(sim, instr);  // reports the limit
  uint32_t next = find_block(sim, &program->labels, compare(sim, o) ? o->true_label : o->false_label);
  if (next <= at)
    go_round(sim, &program->lifetimes, next, at);
  return next;
}

static void apply(Sim *sim, const Release *release)
{
  if (release->begins)
    state_begin(sim, release->begins);
  else
    state_release(sim, release->address);
}

// Runs what is left of the core's block, up to an instruction that it waits at, or one instruction of it; its place is then what comes next, which
// is the block after this one unless a branch says otherwise.
static void run_block(Sim *sim, Core *core)
{
  const Program *program = core->program;
  uint32_t at = core->block;
  const Block *block = program->blocks->items[at];
  const Release *release = program->lifetimes.releases + program->first_release[at];
  const Release *end = program->lifetimes.releases + program->first_release[at + 1];
  while (release < end && release->instr < core->next)
    release++;
  for (uint32_t i = core->next; i < block->body.count; i++) {
    const Instr *instr = block->body.items[i];
    for (; release < end && release->instr <= i; release++)
      apply(sim, release);
    if (instr->op->kind == OP_cmp_branch) {
      core->block = run_branch(sim, program, at, instr);
      core->next = 0;
      return;
    }
    cores_run_instruction(sim, instr);
    if (core->state == CORE_WAITS || sim->is_stepped) {
      core->next = i + 1;
      return;
    }
  }
  for (; release < end; release++)
    apply(sim, release);
  core->block = at + 1;
  core->next = 0;
}

// ---- cores in turn
static void run_core(Sim *sim, Core *core)
{
  sim->core = core;
  sim->instr = NULL;
  while (core->state == CORE_READY && core->block < core->program->blocks->count && !(sim->is_stepped && sim->instr))
    run_block(sim, core);
  if (sim->is_stepped && sim->instr)
    return;
  sim->instr = NULL;
  if (core->state != CORE_READY)
    return;
  core->state = CORE_ENDED;
  state_end_core(sim, core);
}

// Gives every core that can go on its turn; false when there was none.
static bool run_turns(Sim *sim)
{
  bool went_on = false;
  for (uint32_t r = 0; r < sim->rank_count; r++)
    for (uint32_t c = 0; c < sim->ranks[r].core_count; c++)
      if (sim->ranks[r].cores[c].state == CORE_READY) {
        run_core(sim, &sim->ranks[r].cores[c]);
        went_on = true;
      }
  return went_on;
}

static void expect_all_ended(Sim *sim)
{
  for (uint32_t r = 0; r < sim->rank_count; r++)
    for (uint32_t c = 0; c < sim->ranks[r].core_count; c++)
      if (sim->ranks[r].cores[c].state == CORE_WAITS)
        meet_report_deadlock(sim);
}

void cores_run(Sim *sim)
{
  while (run_turns(sim))
    ;
  expect_all_ended(sim);
}

bool cores_step(Sim *sim)
{
  uint32_t count = 0;
  for (uint32_t r = 0; r < sim->rank_count; r++)
    count += sim->ranks[r].core_count;
  sim->is_stepped = true;
  for (uint32_t tried = 0; tried <= count && count; tried++) {
    uint32_t rank = 0, core = sim->turn;
    for (; core >= sim->ranks[rank].core_count; rank++)
      core -= sim->ranks[rank].core_count;
    if (sim->ranks[rank].cores[core].state == CORE_READY) {
      run_core(sim, &sim->ranks[rank].cores[core]);
      if (sim->instr)
        return true;
      tried = 0;  // it has ended, which may be what others waited for
    }
    sim->turn = (sim->turn + 1) % count;
  }
  expect_all_ended(sim);
  return false;
}

bool cores_ended(const Sim *sim)
{
  for (uint32_t r = 0; r < sim->rank_count; r++)
    for (uint32_t c = 0; c < sim->ranks[r].core_count; c++)
      if (sim->ranks[r].cores[c].state != CORE_ENDED)
        return false;
  return true;
}
