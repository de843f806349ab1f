// launch_ranges.c -- a library of kernels that note which units they are given, and by which thread: see tests/python/test_schema_pool.py.

#include "klr_kernel_abi.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { MOST_RANGES = 1 << 16 };

typedef struct Range {
  uint64_t begin, end, thread;
} Range;

// What has run since `ranges_reset`: each unit how often, and the ranges in the order in which they began.
static Range ranges[MOST_RANGES];
static atomic_uint range_count;
static long unit_time;  // nanoseconds of a unit

#define EXPORT __attribute__((visibility("default")))
EXPORT void ranges_reset(long nanoseconds);
EXPORT unsigned ranges_get(const Range **out);

void ranges_reset(long nanoseconds)
{
  atomic_store(&range_count, 0);
  unit_time = nanoseconds;
}

unsigned ranges_get(const Range **out)
{
  *out = ranges;
  return atomic_load(&range_count);
}

static void note(const KlrKernelArgument *arguments, const KlrKernelGrid *grid, uint64_t begin, uint64_t end, uint64_t *partials, KlrKernelFault *fault)
{
  (void)grid, (void)fault;
  const unsigned place = atomic_fetch_add(&range_count, 1);
  if (place < MOST_RANGES)
    ranges[place] = (Range){begin, end, (uint64_t)(uintptr_t)pthread_self()};
  uint32_t *const counts = arguments[0].data;
  for (uint64_t i = begin; i < end; i++)
    counts[i]++;
  for (uint64_t block = 0; partials && block < (end - begin + KLR_BLOCK - 1) / KLR_BLOCK; block++)
    partials[block] = begin / KLR_BLOCK + block;
  const long long time = (long long)unit_time * (long long)(end - begin);
  const struct timespec pause = {(time_t)(time / 1000000000), (long)(time % 1000000000)};
  if (time)
    nanosleep(&pause, NULL);
}

// Each block is told its own number: the sum shows that each has set its partial.
static void combine(const KlrKernelArgument *arguments, const KlrKernelGrid *grid, const uint64_t *partials, uint64_t blocks)
{
  (void)grid;
  uint64_t *const sum = arguments[1].data;
  for (uint64_t i = 0; i < blocks; i++)
    *sum += partials[i] == i;
}

static uint32_t grid_of(const KlrKernelArgument *arguments, uint64_t size[3])
{
  size[0] = arguments[0].count;
  size[1] = size[2] = 1;
  return 1;
}

#define STAGE(...) {.bytes = sizeof(KlrKernelStage), .bodies = {note}, .grid = grid_of, __VA_ARGS__}
static const KlrKernelParam PARAMS[] = {{"counts", KLR_U32, 1, KLR_INOUT, {0}}, {"sum", KLR_U64, 1, KLR_INOUT, {0}}};
static const KlrKernelStage CHEAP[] = {STAGE(.cost = 1)}, LOOPS[] = {STAGE(.cost = 50)}, GROUPS[] = {STAGE(.cost = 1, .unit_is_group = 1)},
                            SUMS[] = {STAGE(.cost = 50, .reduction_count = 1, .combine = combine)};
#define KERNEL(id, stage_table)                                                                                                                       \
  static const KlrKernelInfo id = {.bytes = sizeof(KlrKernelInfo), .param_count = 2, .stage_count = 1, .dims = 1, .name = #id, .doc = "", .path = "", \
                                   .params = PARAMS, .stages = stage_table, .schema = "", .schema_hash = "0000000000000000"}
KERNEL(cheap, CHEAP);
KERNEL(loops, LOOPS);
KERNEL(groups, GROUPS);
KERNEL(sums, SUMS);
static const KlrKernelInfo *const KERNELS[] = {&cheap, &loops, &groups, &sums};
EXPORT const KlrKernelLibrary klr_kernel_library = {KLR_KERNEL_MAGIC, KLR_KERNEL_ABI, sizeof(KlrKernelLibrary), 4, KERNELS, "", ""};
