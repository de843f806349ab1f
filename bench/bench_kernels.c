// bench_kernels.c -- times kernels in this process, one thread, on tiles of 128 x 512.
//
//   bench_kernels [--all] [NAME]    prints `name variant nanoseconds` lines: the median of many repetitions.
//
// --all: every variant this CPU runs; else only the one that would be used.

#include "sim/kernels/variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 128, COLUMNS = 512, REPETITIONS = 201 };

static float stationary[ROWS * ROWS], left[ROWS * COLUMNS], right[ROWS * COLUMNS], out[ROWS * COLUMNS];

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void bench_matmul(const KernelVariant *kernels)
{
  kernels->matmul_f32(ROWS, COLUMNS, ROWS, out, COLUMNS, stationary, ROWS, left, COLUMNS, false);
}

static void bench_transpose(const KernelVariant *kernels)
{
  kernels->transpose(4, ROWS, COLUMNS, out, ROWS, left, COLUMNS);
}

static void bench_transpose_2(const KernelVariant *kernels)
{
  kernels->transpose(2, ROWS, COLUMNS, out, ROWS, left, COLUMNS);
}

static void bench_gather(const KernelVariant *kernels)
{
  for (size_t r = 0; r < ROWS; r++)
    kernels->gather(4, COLUMNS / 2, out + r * COLUMNS, left + r * COLUMNS, 2);
}

static const struct {
  const char *name;
  void (*run)(const KernelVariant *);
} benches[] = {
    {"matmul", bench_matmul},
    {"transpose_4", bench_transpose},
    {"transpose_2", bench_transpose_2},
    {"gather_4_step_2", bench_gather},
};

static double median_ns(void (*run)(const KernelVariant *), const KernelVariant *kernels)
{
  double times[REPETITIONS];
  for (int i = -20; i < REPETITIONS; i++) {
    double start = now();
    run(kernels);
    if (i >= 0)
      times[i] = now() - start;
  }
  qsort(times, REPETITIONS, sizeof *times, compare);
  return times[REPETITIONS / 2];
}

int main(int argc, char **argv)
{
  bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
  const char *filter = argc > 1 + all ? argv[1 + all] : "";
  uint32_t seed = 1;
  for (size_t i = 0; i < ROWS * COLUMNS; i++) {
    seed = seed * 1664525u + 1013904223u;
    left[i] = (float)(int32_t)seed * 0x1p-31f;
    right[i] = (float)(int32_t)(seed << 7) * 0x1p-31f + 1.5f;
    stationary[i % (ROWS * ROWS)] = right[i];
  }
  for (size_t b = 0; b < sizeof benches / sizeof *benches; b++)
    for (size_t v = 0; strstr(benches[b].name, filter) && kernel_variant(v) && (all || v == 0); v++)
      printf("%s %s %.0f\n", benches[b].name, kernel_variant(v)->name, median_ns(benches[b].run, kernel_variant(v)));
  return 0;
}
