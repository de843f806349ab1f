// launch.c -- runs a compiled kernel: its arguments are checked, its threads shared among the cores. See include/klr_schema.h.

#define _GNU_SOURCE  // sched_getaffinity
#include "schema/registry.h"

#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 256u
#define MOST_UNITS (UINT64_C(1) << 48)
// Below this many nanoseconds of work waking a thread costs more than it brings.
#define SMALL_LAUNCH 30000u
#define SMALL_CHUNK 10000u
// From this cost on a unit has loops, and nobody knows how long it takes. The first are timed, on the caller's thread: so many nanoseconds, so many
// units at most.
#define UNKNOWN_COST 50u
#define FIRST_TIME 4000u
#define FIRST_UNITS 64u
// So many values of threads are kept at most.
#define MOST_VALUES (UINT64_C(1) << 20)

typedef struct Call {
  KlrRegistry *registry;
  const KlrKernelInfo *info;
  const KlrLaunchArgument *given;
  KlrKernelArgument *arguments;
  KlrKernelGrid grid;
  bool has_twice;  // an array that is written is given under two names
} Call;

// ---- arguments

// By KlrScalarType.
static const struct {
  const char *name;
  uint32_t bytes;
} TYPES[] = {
#define SCALAR(enumerator, name, bytes, kind, c_type, numpy_name, doc) {name, bytes},
#include "schema/types.def"
};

static const char *type_name(unsigned type)
{
  return type <= KLR_F64 ? TYPES[type].name : "no type";
}

static bool check_argument(const Call *call, uint32_t i)
{
  const KlrKernelParam *param = &call->info->params[i];
  const KlrLaunchArgument *given = &call->given[i];
  const char *kernel = call->info->name;
  if (param->is_array != (given->is_array != 0))
    return registry_fail(call->registry, "%s: `%s` is %s, not %s", kernel, param->name, param->is_array ? "an array" : "a number",
                         param->is_array ? "a number" : "an array");
  if (given->dtype != param->dtype)
    return registry_fail(call->registry, "%s: `%s` is of %s, not %s", kernel, param->name, type_name(param->dtype), type_name(given->dtype));
  if (!param->is_array)
    return true;
  const uint32_t size = TYPES[param->dtype].bytes;
  if (given->count && !given->data)
    return registry_fail(call->registry, "%s: `%s` has %" PRIu64 " elements and no address", kernel, param->name, given->count);
  if (given->count > (UINTPTR_MAX - (uintptr_t)given->data) / size)
    return registry_fail(call->registry, "%s: `%s` has %" PRIu64 " elements, more than there is memory", kernel, param->name, given->count);
  if ((uintptr_t)given->data % size)
    return registry_fail(call->registry, "%s: the address of `%s` is no multiple of %u", kernel, param->name, size);
  if (given->is_read_only && param->direction >= KLR_OUT)
    return registry_fail(call->registry, "%s writes to `%s`, which may only be read", kernel, param->name);
  return true;
}

static bool are_one(const Call *call, uint32_t a, uint32_t b)
{
  const KlrLaunchArgument *x = &call->given[a], *y = &call->given[b];
  return x->data == y->data && x->count == y->count && x->dtype == y->dtype;
}

static bool overlap(const Call *call, uint32_t a, uint32_t b)
{
  const KlrLaunchArgument *x = &call->given[a], *y = &call->given[b];
  const uintptr_t x_first = (uintptr_t)x->data, y_first = (uintptr_t)y->data;
  return x->count && y->count && x_first < y_first + y->count * TYPES[y->dtype].bytes &&
         y_first < x_first + x->count * TYPES[x->dtype].bytes;
}

static bool check_overlaps(Call *call)
{
  const KlrKernelParam *params = call->info->params;
  for (uint32_t a = 0; a < call->info->param_count; a++)
    for (uint32_t b = 0; params[a].is_array && params[a].direction >= KLR_OUT && b < call->info->param_count; b++) {
      if (a == b || !params[b].is_array)
        continue;
      if (are_one(call, a, b))
        call->has_twice = true;
      else if (overlap(call, a, b))
        return registry_fail(call->registry, "%s writes to `%s`, which shares memory with `%s`", call->info->name, params[a].name,
                             params[b].name);
    }
  return true;
}

static bool take_arguments(Call *call, size_t count)
{
  if (count != call->info->param_count)
    return registry_fail(call->registry, "%s takes %u arguments, not %zu", call->info->name, call->info->param_count, count);
  if (count && !call->given)
    return registry_fail(call->registry, "%s: no arguments are given", call->info->name);
  for (uint32_t i = 0; i < count; i++) {
    if (!check_argument(call, i))
      return false;
    call->arguments[i] = (KlrKernelArgument){call->given[i].data, call->given[i].count, call->given[i].value};
    if (!call->info->params[i].is_array)
      call->arguments[i].data = NULL, call->arguments[i].count = 0;
  }
  return check_overlaps(call);
}

// ---- the grid

static bool find_grid(Call *call, const KlrKernelStage *stage, const KlrLaunch *launch)
{
  static const KlrLaunch NOTHING = {0};
  const KlrLaunch *l = launch ? launch : &NOTHING;
  const bool has_grid = l->grid[0] || l->grid[1] || l->grid[2], has_local = l->local[0] || l->local[1] || l->local[2];
  KlrKernelGrid *grid = &call->grid;
  *grid = (KlrKernelGrid){{1, 1, 1}, {256, 1, 1}};
  const uint32_t knows = has_grid && call->info->dims ? 0 : stage->grid(call->arguments, grid->size);
  if (!has_grid && !knows)
    return registry_fail(call->registry, "nothing says how many threads %s needs: give the launch a grid", call->info->name);
  uint64_t threads = 1, group = 1;
  for (int d = 0; d < 3; d++) {
    if (has_grid && knows != 2)
      grid->size[d] = l->grid[d] ? l->grid[d] : 1;
    if (has_local)
      grid->local[d] = l->local[d] ? l->local[d] : 1;
    if (grid->local[d] > 65536 || (group *= grid->local[d]) > 65536)
      return registry_fail(call->registry, "%s: a group has at most 65536 threads", call->info->name);
    if (grid->size[d] > MOST_UNITS || (threads && grid->size[d] > MOST_UNITS / threads))
      return registry_fail(call->registry, "%s: a grid has at most 2^48 threads", call->info->name);
    threads *= grid->size[d];
  }
  for (uint32_t d = call->info->dims ? call->info->dims : 1; d < 3; d++)
    if (grid->size[d] > 1)
      return registry_fail(call->registry, "a grid of %u dimensions, and %s asks for ids in %u: leave that size out", d + 1, call->info->name, call->info->dims);
  return true;
}

static bool check_lengths(const Call *call, const KlrKernelStage *stage, uint64_t *needed)
{
  if (!stage->needed)
    return true;
  memset(needed, 0, call->info->param_count * sizeof *needed);
  stage->needed(call->arguments, &call->grid, needed);
  for (uint32_t i = 0; i < call->info->param_count; i++)
    if (call->info->params[i].is_array && needed[i] > call->arguments[i].count)
      return registry_fail(call->registry, "%s: `%s` has %" PRIu64 " elements, %" PRIu64 " are needed", call->info->name,
                           call->info->params[i].name, call->arguments[i].count, needed[i]);
  return true;
}

// ---- work

typedef struct Work {
  const Call *call;
  KlrKernelBody *body;
  uint64_t units, chunk;  // a chunk is a multiple of `slot_units`
  uint64_t slot_units;    // units that have `reduction_count` partials: KLR_BLOCK, or 1 where each thread has its own
  uint32_t reduction_count;
  uint64_t *partials;
  atomic_uint_least64_t next;
  pthread_mutex_t lock;
  KlrKernelFault fault;  // of the thread with the least number
} Work;

static void run_range(const Work *work, uint64_t begin, uint64_t end, KlrKernelFault *fault)
{
  uint64_t *partials = work->partials ? work->partials + begin / work->slot_units * work->reduction_count : NULL;
  work->body(work->call->arguments, &work->call->grid, begin, end, partials, work->call->info->is_checked ? fault : NULL);
}

// Runs the next chunk; false when there is none.
static bool run_chunk(Work *work, KlrKernelFault *fault)
{
  const uint64_t begin = atomic_fetch_add(&work->next, work->chunk);
  if (begin >= work->units)
    return false;
  run_range(work, begin, work->units - begin < work->chunk ? work->units : begin + work->chunk, fault);
  return true;
}

static void note_fault(Work *work, const KlrKernelFault *fault)
{
  if (!fault->kind)
    return;
  pthread_mutex_lock(&work->lock);
  if (!work->fault.kind || fault->thread < work->fault.thread)
    work->fault = *fault;
  pthread_mutex_unlock(&work->lock);
}

static void run_chunks(Work *work)
{
  KlrKernelFault fault = {0};
  while (run_chunk(work, &fault))
    ;
  note_fault(work, &fault);
}

static void run_share(void *context, uint64_t first, uint64_t last)
{
  (void)first, (void)last;  // everyone takes what is left
  run_chunks(context);
}

static bool cpu_has(KlrIsa isa)
{
#if defined __x86_64__
  if (isa == KLR_ISA_AVX2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == KLR_ISA_AVX512)
    return cpu_has(KLR_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
  return isa == KLR_ISA_BASE;
}

KlrIsa best_isa(void)
{
  int isa = KLR_ISA_COUNT - 1;
  while (isa > KLR_ISA_BASE && !cpu_has((KlrIsa)isa))
    isa--;
  return (KlrIsa)isa;
}

// The best of `bodies`, or of `others`, which may be NULL, where that has one as good.
static KlrKernelBody *best_body(KlrKernelBody *const *bodies, KlrKernelBody *const *others)
{
  for (int isa = KLR_ISA_COUNT - 1; isa >= KLR_ISA_BASE; isa--) {
    KlrKernelBody *body = others && others[isa] ? others[isa] : bodies[isa];
    if (body && cpu_has((KlrIsa)isa))
      return body;
  }
  return bodies[KLR_ISA_BASE];
}

static long count_processors(void)
{
#ifdef CPU_COUNT
  cpu_set_t allowed;  // to this process
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    return CPU_COUNT(&allowed);
#endif
  return sysconf(_SC_NPROCESSORS_ONLN);
}

// How many there are is asked for once: the answer takes longer than a small launch.
static long processor_count(void)
{
  static atomic_long known;
  long count = atomic_load(&known);
  if (!count)
    atomic_store(&known, count = count_processors());
  return count;
}

static unsigned thread_count(const KlrLaunch *launch)
{
  long count = launch ? launch->threads : 0;
  const char *asked = getenv("KLR_THREADS");
  if (!count && asked)
    count = strtol(asked, NULL, 10);
  if (count < 1)
    count = processor_count();
  return count < 1 ? 1 : count > (long)MOST_THREADS ? MOST_THREADS : (unsigned)count;
}

// On `count` threads; on the caller's alone as long as another launch has the others, which keep the cores busy then.
static void run_shared(Work *work, unsigned count)
{
  LaunchPool *pool = registry_pool();
  KlrKernelFault fault = {0};
  while (pthread_mutex_trylock(&pool->lock) != 0)
    if (!run_chunk(work, &fault)) {
      note_fault(work, &fault);
      return;
    }
  note_fault(work, &fault);
  if (pool->size < count) {
    threads_free(pool->threads);
    pool->threads = threads_new(count);
    pool->size = pool->threads ? count : 0;
  }
  if (pool->threads)
    threads_run(pool->threads, count, run_share, work);
  else
    run_chunks(work);
  pthread_mutex_unlock(&pool->lock);
}

static uint64_t count_units(const KlrKernelGrid *grid, bool in_groups)
{
  uint64_t units = 1;
  for (int d = 0; d < 3; d++)
    units *= in_groups ? (grid->size[d] + grid->local[d] - 1) / grid->local[d] : grid->size[d];
  return units;
}

static uint64_t round_up(uint64_t n, uint64_t step)
{
  return (n + step - 1) / step * step;
}

// About 8 chunks a thread, none of too little work; where elements are next to each other no two threads share a cache line for long.
static uint64_t chunk_of(const KlrKernelStage *stage, const Work *work, unsigned threads, double cost)
{
  const uint64_t least = (uint64_t)(SMALL_CHUNK / cost) + 1;
  uint64_t chunk = work->units / (8 * (uint64_t)threads) + 1;
  chunk = chunk < least ? least : chunk;
  return work->slot_units > 1 ? round_up(chunk, work->slot_units) : stage->unit_is_group || chunk < 64 ? chunk : round_up(chunk, 64);
}

static double nanoseconds_since(const struct timespec *start)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - start->tv_sec) * 1e9 + (double)(now.tv_nsec - start->tv_nsec);
}

// Runs the first units of a stage whose units take nobody knows how long: one, then as many as before, until that has taken long enough to tell.
// The nanoseconds of a unit, of those that ran last.
static double run_first(Work *work)
{
  const uint64_t most = work->units / 16 + 1 < FIRST_UNITS ? work->units / 16 + 1 : FIRST_UNITS;
  struct timespec start;
  clock_gettime(CLOCK_MONOTONIC, &start);
  uint64_t done = 0, before = 0;
  double time = 0, time_before = 0;
  while (done < most && time < FIRST_TIME) {
    before = done, time_before = time;
    done = done == 0 ? 1 : 2 * done < most ? 2 * done : most;
    run_range(work, before, done, &work->fault);
    time = nanoseconds_since(&start);
  }
  atomic_store(&work->next, done);
  return (time - time_before) / (double)(done - before) + 0.01;
}

static bool tell_fault(const Call *call, const KlrKernelFault *fault)
{
  const KlrKernelInfo *info = call->info;
  if (!fault->kind)
    return true;
  const char *array = fault->param < info->param_count ? info->params[fault->param].name : "a shared array";
  char text[1024], place[24] = "";
  if (fault->line)
    snprintf(place, sizeof place, ", line %u", fault->line);
  snprintf(text, sizeof text, "%s: index %" PRId64 " is outside of `%s`, which has %" PRIu64 " elements, in thread %" PRIu64 " (%s%s)", info->name,
           fault->index, array, fault->count, fault->thread, info->path ? info->path : "?", place);
  return registry_fail_access(call->registry, fault, text);
}

static bool has_values(const KlrKernelStage *stage)
{
  return KLR_STAGE_HAS(stage, fold) && stage->fold;
}

static bool cost_is_known(const KlrKernelStage *stage)
{
  return (stage->reduction_count && !has_values(stage)) || (stage->cost < UNKNOWN_COST && !stage->unit_is_group);
}

static bool is_for_many(const KlrKernelStage *stage)
{
  return KLR_STAGE_HAS(stage, is_for_many) && stage->is_for_many;
}

// On how many threads a stage is run, as far as is known beforehand.
static unsigned stage_threads(const Call *call, const KlrKernelStage *stage, const KlrLaunch *launch)
{
  const uint64_t units = count_units(&call->grid, stage->unit_is_group != 0);
  const double small = is_for_many(stage) ? 4.0 * SMALL_LAUNCH : SMALL_LAUNCH;  // one thread does without, and nobody is woken twice
  const bool is_small = cost_is_known(stage) && (double)units * (stage->cost ? stage->cost : 1) <= small;
  return units < 2 || is_small ? 1 : thread_count(launch);
}

static void run_units(Work *work, const KlrKernelStage *stage, unsigned threads)
{
  double cost = stage->cost ? stage->cost : 1;
  if (threads > 1 && !cost_is_known(stage) && work->slot_units == 1) {
    cost = run_first(work);
    threads = (double)(work->units - atomic_load(&work->next)) * cost <= SMALL_LAUNCH ? 1 : threads;
  }
  work->chunk = threads == 1 ? round_up(work->units + 1, KLR_BLOCK) : chunk_of(stage, work, threads, cost);
  if (threads == 1)
    run_chunks(work);
  else
    run_shared(work, threads);
}

// Partials of blocks; `*values`: or of threads, to be folded.
static bool take_partials(Work *work, const KlrKernelStage *stage, unsigned threads, uint64_t blocks, uint64_t **values)
{
  const bool by_values = threads > 1 && has_values(stage) && work->units <= MOST_VALUES / stage->reduction_count;
  const uint64_t slots = stage->reduction_count;
  if (!(work->partials = calloc(blocks + 1, slots * sizeof *work->partials)) || (by_values && !(*values = calloc(work->units, slots * sizeof **values))))
    return registry_fail(work->call->registry, "%s: there is no memory for %" PRIu64 " partial results", work->call->info->name, blocks);
  if (by_values)
    work->slot_units = 1, work->body = best_body(stage->values, NULL);
  return true;
}

static bool run_stage(Call *call, const KlrKernelStage *stage, unsigned threads)
{
  const bool is_apart = !call->has_twice && KLR_STAGE_HAS(stage, apart);
  Work work = {.call = call, .body = best_body(stage->bodies, is_apart ? stage->apart : NULL), .units = count_units(&call->grid, stage->unit_is_group != 0),
               .reduction_count = stage->reduction_count, .slot_units = stage->reduction_count ? KLR_BLOCK : 1};
  const uint64_t blocks = (work.units + KLR_BLOCK - 1) / KLR_BLOCK;
  uint64_t *values = NULL;
  bool ok = !stage->reduction_count || take_partials(&work, stage, threads, blocks, &values);
  if (ok) {
    uint64_t *const partials = work.partials;
    work.partials = values ? values : partials;
    atomic_init(&work.next, 0);
    pthread_mutex_init(&work.lock, NULL);
    run_units(&work, stage, threads);
    pthread_mutex_destroy(&work.lock);
    work.partials = partials;
    if (values)
      stage->fold(values, work.units, partials);
    if (stage->combine)
      stage->combine(call->arguments, &call->grid, partials, blocks);
    ok = tell_fault(call, &work.fault);
  }
  free(work.partials);
  free(values);
  return ok;
}

// ---- launching

static bool run_stages(Call *call, const KlrLaunch *launch)
{
  bool has_one = false;  // unit, which does what the stage before would have prepared
  for (uint32_t i = 0; i < call->info->stage_count; i++) {
    const KlrKernelStage *stage = kernel_stage(call->info, i);
    if (call->info->stage_count > 1 && !find_grid(call, stage, launch))
      return false;
    if (has_one)
      call->grid.size[0] = 1;
    const unsigned threads = stage_threads(call, stage, launch);
    has_one = is_for_many(stage) && threads == 1;
    if (!has_one && !run_stage(call, stage, threads))
      return false;
  }
  return true;
}

static bool run_kernel(Call *call, size_t count, const KlrLaunch *launch, uint64_t *needed)
{
  if (!take_arguments(call, count))
    return false;
  const uint32_t stages = call->info->stage_count;
  for (uint32_t i = 0; i < stages; i++)  // all is checked before anything runs
    if (!find_grid(call, kernel_stage(call->info, i), launch) || !check_lengths(call, kernel_stage(call->info, i), needed))
      return false;
  return run_stages(call, launch);
}

bool klr_launch(KlrRegistry *registry, KlrKernelHandle kernel, const KlrLaunchArgument *arguments, size_t count, const KlrLaunch *launch)
{
  enum { FEW = 16 };
  KlrKernelArgument few_arguments[FEW];
  uint64_t few_needed[FEW];
  Library *library = NULL;
  const KlrKernelInfo *info = registry_enter(registry, kernel, &library);
  if (!info)
    return false;
  const size_t most = info->param_count;
  void *memory = most > FEW ? calloc(most, sizeof *few_arguments + sizeof *few_needed) : NULL;
  bool ok = most <= FEW || memory;
  if (ok) {
    Call call = {.registry = registry, .info = info, .given = arguments, .arguments = memory ? memory : few_arguments};
    ok = run_kernel(&call, count, launch, memory ? (uint64_t *)(void *)(call.arguments + most) : few_needed);
  } else {
    registry_fail(registry, "there is no memory left");
  }
  free(memory);
  registry_leave(registry, library);
  return ok;
}
