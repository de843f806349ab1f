// bench_kernels.c -- times kernels in this process, one thread, on tiles of 128 x 512.
//
//   bench_kernels [--all] [NAME]    prints `name variant nanoseconds` lines: the best of many repetitions.
//
// --all: every variant this CPU runs; else only the one that would be used.

#include "number/activation.h"
#include "number/convert.h"
#include "sim/kernels/variants.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROWS = 128, COLUMNS = 512, REPETITIONS = 201 };

static _Alignas(64) float stationary[ROWS * ROWS], left[ROWS * COLUMNS], right[ROWS * COLUMNS], out[ROWS * COLUMNS];

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
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
  kernels->gather(4, ROWS, COLUMNS / 2, out, left, COLUMNS, 2);
}

static const KernelRows left_rows = {left, COLUMNS, false}, right_rows = {right, COLUMNS, false};
static const KernelRows scalars = {right, COLUMNS, true}, constant = {right, 0, true};

static void bench_tensor_tensor(const KernelVariant *kernels)
{
  kernels->binary_f32(ALU_OP_ADD, ROWS, COLUMNS, out, COLUMNS, left_rows, right_rows);
}

static void bench_tensor_tensor_max(const KernelVariant *kernels)
{
  kernels->binary_f32(ALU_OP_MAX, ROWS, COLUMNS, out, COLUMNS, left_rows, right_rows);
}

static void bench_tensor_scalar(const KernelVariant *kernels)
{
  kernels->binary_f32(ALU_OP_MULT, ROWS, COLUMNS, out, COLUMNS, left_rows, scalars);
}

static void bench_tensor_scalar_pair(const KernelVariant *kernels)
{
  kernels->binary_pair_f32(ALU_OP_MULT, false, ALU_OP_ADD, false, ROWS, COLUMNS, out, COLUMNS, left_rows, scalars,
                           constant);
}

static void bench_reduce_add(const KernelVariant *kernels)
{
  kernels->reduce_f32(ALU_OP_ADD, ROWS, COLUMNS, out, 1, left, COLUMNS, false);
}

static void bench_reduce_max(const KernelVariant *kernels)
{
  kernels->reduce_f32(ALU_OP_MAX, ROWS, COLUMNS, out, 1, left, COLUMNS, false);
}

static void bench_scan(const KernelVariant *kernels)
{
  static float state[ROWS];
  kernels->scan_f32(ALU_OP_MULT, false, ALU_OP_ADD, false, ROWS, COLUMNS, out, COLUMNS, left, COLUMNS, right, COLUMNS,
                    state);
}

static void bench_bn_stats(const KernelVariant *kernels)
{
  kernels->bn_stats_f32(ROWS, COLUMNS, out, 6, left, COLUMNS);
}

static void bench_max8(const KernelVariant *kernels)
{
  kernels->max8_f32(ROWS, COLUMNS, out, 8, left, COLUMNS);
}

static void bench_claim8(const KernelVariant *kernels)
{
  uint32_t index[8];
  for (size_t r = 0; r < ROWS; r++)
    kernels->claim8_f32(COLUMNS, left + r * COLUMNS, out + r * 8, false, index);
}

static void bench_exp(const KernelVariant *kernels)
{
  (void)kernels;
  activation_row(ACTIVATION_FUNC_EXP, ROWS * COLUMNS, out, left);
}

static uint16_t narrow[ROWS * COLUMNS];

static void bench_to_bf16(const KernelVariant *kernels)
{
  (void)kernels;
  convert_row_from_f32(DTYPE_BFLOAT16, ROWS * COLUMNS, narrow, left, (NumberMode){0});
}

static void bench_from_bf16(const KernelVariant *kernels)
{
  (void)kernels;
  convert_row_to_f32(DTYPE_BFLOAT16, ROWS * COLUMNS, out, narrow, (NumberMode){0});
}

static const struct {
  const char *name;
  void (*run)(const KernelVariant *);
} benches[] = {
    {"matmul", bench_matmul},
    {"tensor_tensor_add", bench_tensor_tensor},
    {"tensor_tensor_max", bench_tensor_tensor_max},
    {"tensor_scalar_mult", bench_tensor_scalar},
    {"tensor_scalar_mult_add", bench_tensor_scalar_pair},
    {"reduce_add", bench_reduce_add},
    {"reduce_max", bench_reduce_max},
    {"scan_mult_add", bench_scan},
    {"bn_stats", bench_bn_stats},
    {"max8", bench_max8},
    {"claim8", bench_claim8},
    {"exp_row", bench_exp},
    {"to_bf16_row", bench_to_bf16},
    {"from_bf16_row", bench_from_bf16},
    {"transpose_4", bench_transpose},
    {"transpose_2", bench_transpose_2},
    {"gather_4_step_2", bench_gather},
};

static double best_ns(void (*run)(const KernelVariant *), const KernelVariant *kernels)
{
  double best = INFINITY;
  for (int i = 0; i < REPETITIONS; i++) {
    double start = now();
    run(kernels);
    best = fmin(best, now() - start);
  }
  return best;
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
      printf("%s %s %.0f\n", benches[b].name, kernel_variant(v)->name, best_ns(benches[b].run, kernel_variant(v)));
  return 0;
}
