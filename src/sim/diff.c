// diff.c -- two runs in lock step.

#include "sim/diff_go.h"

#include "core/align.h"
#include "core/nki_names.h"

#include <string.h>

// ---- lock step

typedef struct LockStep {
  Go a, b;
  const Tolerance *tolerance;
  DiffReport *report;
  const char *field;  // of the first difference
  uint64_t p, e;
  Observed tiles[OBSERVE_MOST];  // of a
  uint32_t count;
} LockStep;

// Up to the next instruction that has a partner.
static const Instr *go_to_partner(Go *go)
{
  const Instr *instr;
  while ((instr = go_step(go)) && !map_get_number(&go->partners, (uint64_t)(uintptr_t)instr))
    ;
  return instr;
}

static void pair_up(LockStep *lock)
{
  Arena *arena = &lock->a.session->arena;
  const Kernel *a = lock->a.side->kernel, *b = lock->b.side->kernel;
  lock->a.partners = lock->b.partners = map_new(arena);
  for (uint32_t core = 0; core < a->bodies.count || core < b->bodies.count; core++) {
    InstrVec mine = {0}, other = {0};
    if (core < a->bodies.count)
      mine = align_list(arena, &a->bodies.items[core]);
    if (core < b->bodies.count)
      other = align_list(arena, &b->bodies.items[core]);
    uint32_t *to = align_instructions(arena, lock->a.session, &mine, lock->b.session, &other), paired = 0;
    for (size_t i = 0; i < mine.count; i++)
      if (to[i] != ALIGN_NONE) {
        const Instr *x = mine.items[i], *y = other.items[to[i]];
        map_set_number(&lock->a.partners, (uint64_t)(uintptr_t)x, (void *)(uintptr_t)y);
        map_set_number(&lock->b.partners, (uint64_t)(uintptr_t)y, (void *)(uintptr_t)x);
        paired++;
      }
    lock->report->alone[0] += mine.count - paired;
    lock->report->alone[1] += other.count - paired;
  }
}

static void note_first(LockStep *lock, const Observed *a, const Observed *b, const DiffTally *tally)
{
  DiffStep *first = &lock->report->first;
  lock->report->has_first = true;
  lock->field = a->field->name;
  lock->p = tally->first / a->tile.free_elems;
  lock->e = tally->first % a->tile.free_elems;
  first->a = instr_now(&lock->a, lock->a.sim->instr);
  first->b = instr_now(&lock->b, lock->b.sim->instr);
  first->result = (DiffOperand){field_known_as(first->a.instr, a->field->name), true,
                                tile_element_of(lock->a.sim, &a->tile, lock->p, lock->e),
                                tile_element_of(lock->b.sim, &b->tile, lock->p, lock->e), *tally};
}

static void compare_results(Sim *sim, void *context)
{
  LockStep *lock = context;
  Observed tiles[OBSERVE_MOST];
  uint32_t count = observe_tiles(sim, sim->instr, true, tiles);
  bool differs = false;
  for (uint32_t i = 0; i < lock->count && i < count; i++) {
    const Observed *a = &lock->tiles[i], *b = &tiles[i];
    DiffTally tally = tally_tiles(sim, lock->tolerance, &a->tile, &b->tile);
    differs = differs || tally.differing;
    if (tally.differing && !lock->report->has_first)
      note_first(lock, a, b, &tally);
  }
  lock->report->compared++;
  lock->report->differing += differs;
}

static void observe_a(Sim *sim, void *context)
{
  LockStep *lock = context;
  lock->count = observe_tiles(sim, sim->instr, true, lock->tiles);
  (void)sim_guard(lock->b.sim, compare_results, lock);
}

static void compare(LockStep *lock)
{
  Sim *a = lock->a.sim, *b = lock->b.sim;
  if (a->core->state == CORE_WAITS || b->core->state == CORE_WAITS)
    return;  // the last to arrive writes for all
  ArenaMark marks[] = {arena_mark(&a->scratch), arena_mark(&b->scratch)};
  (void)sim_guard(a, observe_a, lock);
  arena_rewind(&a->scratch, marks[0]);
  arena_rewind(&b->scratch, marks[1]);
}

// Both, instruction by instruction, until one ends or they part.
static void go_together(LockStep *lock)
{
  for (;;) {
    const Instr *a = go_to_partner(&lock->a), *b = go_to_partner(&lock->b);
    if (!a && !b)
      return;
    bool fits = a && b && map_get_number(&lock->a.partners, (uint64_t)(uintptr_t)a) == (const void *)b;
    if (!fits) {
      if (lock->a.sim->failed || lock->b.sim->failed || lock->report->has_first)
        return;
      lock->report->parted = lock->report->has_first = true;
      if (a)
        lock->report->first.a = instr_now(&lock->a, a);
      if (b)
        lock->report->first.b = instr_now(&lock->b, b);
      return;
    }
    compare(lock);
  }
}

static bool is_output(const Kernel *kernel, const char *name)
{
  for (uint32_t i = 0; i < kernel->outputs.count; i++)
    if (strcmp(kernel->outputs.items[i]->name, name) == 0)
      return true;
  return false;
}

static void add_result(LockStep *lock, const char *name, const Array *a, const Array *b)
{
  DiffResult *result = &lock->report->results[lock->report->result_count++];
  diff_tally_arrays(lock->a.session, name, a, b, lock->tolerance, result);
  lock->report->differs = lock->report->differs || result->tally.differing || result->why;
}

// Outputs, and inputs that either run changed.
static void compare_arrays(LockStep *lock)
{
  const Kernel *a = lock->a.side->kernel, *b = lock->b.side->kernel;
  Session *session = lock->a.session;
  lock->report->results = arena_array(&session->arena, DiffResult, (size_t)a->outputs.count + b->outputs.count + a->inputs.count);
  for (uint32_t i = 0; i < a->outputs.count && i < b->outputs.count; i++)
    add_result(lock, a->outputs.items[i]->name, &lock->a.rank.outputs[i], &lock->b.rank.outputs[i]);
  for (uint32_t i = a->outputs.count < b->outputs.count ? a->outputs.count : b->outputs.count;
       i < a->outputs.count || i < b->outputs.count; i++) {
    const Kernel *has = i < a->outputs.count ? a : b;
    lock->report->results[lock->report->result_count++] =
        (DiffResult){.name = has->outputs.items[i]->name, .why = has == a ? "only A returns it" : "only B returns it"};
    lock->report->differs = true;
  }
  for (uint32_t i = 0; i < a->inputs.count && i < b->inputs.count; i++) {
    const Array *x = &lock->a.rank.inputs[i], *y = &lock->b.rank.inputs[i], *was = &lock->a.side->inputs[i];
    bool changed = memcmp(x->data, was->data, was->bytes) != 0 || x->bytes != y->bytes || memcmp(x->data, y->data, x->bytes) != 0;
    if (changed && !is_output(a, a->inputs.items[i]->name))
      add_result(lock, a->inputs.items[i]->name, x, y);
  }
}

static bool run_both(LockStep *lock)
{
  if (!go_begin(&lock->a) || !go_begin(&lock->b))
    return false;
  go_together(lock);
  bool ok = go_finish(&lock->a);
  ok = go_finish(&lock->b) && ok;
  lock->report->executed[0] = lock->a.number;
  lock->report->executed[1] = lock->b.number;
  if (ok)
    compare_arrays(lock);
  return ok;
}

bool diff_runs(const DiffSide *a, const DiffSide *b, const Tolerance *tolerance, DiffReport *report)
{
  *report = (DiffReport){0};
  LockStep lock = {.a = go_of(a), .b = go_of(b), .tolerance = tolerance, .report = report};
  pair_up(&lock);
  bool ok = run_both(&lock);
  go_abandon(&lock.a);
  go_abandon(&lock.b);
  report->differs = report->differs || report->has_first;
  if (!ok || !report->has_first || report->parted)
    return ok;
  return look_at_operands(&lock.a, &lock.b, tolerance, lock.field, lock.p, lock.e, &report->first, NULL);
}
