// Seconds of a call, for bench_schema.py: of a launch, of a kernel's body alone, of a peer's function. Not for threads.

#include "klr_schema.h"

#include <stdlib.h>
#include <time.h>

typedef void Peer(const KlrKernelArgument *arguments);

static KlrRegistry *registry;

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void take(const KlrLaunchArgument *given, size_t count, KlrKernelArgument *out)
{
  for (size_t i = 0; i < count; i++)
    out[i] = (KlrKernelArgument){given[i].data, given[i].count, given[i].value};
}

// What failed; NULL: nothing.
const char *bench_load(const char *folder);
const char *bench_load(const char *folder)
{
  if (!registry)
    registry = klr_registry_new();
  return klr_registry_scan(registry, folder, NULL, NULL, NULL) ? NULL : klr_registry_error(registry);
}

// Below 0: it failed, and bench_error says why.
double bench_launch(const char *name, const KlrLaunchArgument *arguments, size_t count, unsigned threads, uint64_t times);
double bench_launch(const char *name, const KlrLaunchArgument *arguments, size_t count, unsigned threads, uint64_t times)
{
  const KlrKernelHandle kernel = klr_registry_find(registry, name);
  const KlrLaunch launch = {.threads = threads};
  const double start = now();
  for (uint64_t i = 0; i < times; i++)
    if (!klr_launch(registry, kernel, arguments, count, &launch))
      return -1;
  return (now() - start) / (double)times;
}

const char *bench_error(void);
const char *bench_error(void)
{
  return klr_registry_error(registry);
}

// The body of the widest vectors, over the whole grid at once, for kernels of one stage.
double bench_body(const char *name, const KlrLaunchArgument *given, size_t count, uint64_t times);
double bench_body(const char *name, const KlrLaunchArgument *given, size_t count, uint64_t times)
{
  const KlrKernelInfo *info = klr_kernel_info(registry, klr_registry_find(registry, name));
  const KlrKernelStage *stage = info->stages;
  KlrKernelArgument arguments[16];
  KlrKernelGrid grid = {{1, 1, 1}, {256, 1, 1}};
  take(given, count, arguments);
  stage->grid(arguments, grid.size);
  const uint64_t units = grid.size[0] * grid.size[1] * grid.size[2], blocks = (units + KLR_BLOCK - 1) / KLR_BLOCK;
  uint64_t *partials = calloc(blocks + 1, (stage->reduction_count + 1) * sizeof *partials);
  KlrIsa isa = KLR_ISA_BASE;
#if defined __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    isa = KLR_ISA_AVX2;
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    isa = KLR_ISA_AVX512;
#endif
  KlrKernelBody *body = stage->apart[isa] ? stage->apart[isa] : stage->bodies[isa];
  const double start = now();
  for (uint64_t i = 0; i < times; i++) {
    body(arguments, &grid, 0, units, partials, NULL);
    if (stage->combine)
      stage->combine(arguments, &grid, partials, blocks);
  }
  const double seconds = (now() - start) / (double)times;
  free(partials);
  return seconds;
}

double bench_peer(Peer *peer, const KlrLaunchArgument *given, size_t count, uint64_t times);
double bench_peer(Peer *peer, const KlrLaunchArgument *given, size_t count, uint64_t times)
{
  KlrKernelArgument arguments[16];
  take(given, count, arguments);
  const double start = now();
  for (uint64_t i = 0; i < times; i++)
    peer(arguments);
  return (now() - start) / (double)times;
}
