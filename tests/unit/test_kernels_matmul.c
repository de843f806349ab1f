// test_kernels_matmul.c -- the product against fmaf in a plain loop, on every variant that runs here.

#include "kernels_test.h"

#include <math.h>

// The meaning, as kernels.h says it.
static void matmul_by_definition(size_t rows, size_t columns, size_t depth, float *acc, size_t acc_stride,
                                 const float *stationary, size_t stationary_stride, const float *moving,
                                 size_t moving_stride, bool accumulate)
{
  for (size_t m = 0; m < rows; m++)
    for (size_t n = 0; n < columns; n++) {
      float sum = accumulate ? acc[m * acc_stride + n] : 0.0f;
      for (size_t k = 0; k < depth; k++)
        sum = fmaf(stationary[k * stationary_stride + m], moving[k * moving_stride + n], sum);
      acc[m * acc_stride + n] = isnan(sum) ? kernels_nan() : sum;
    }
}

static void check_matmul(const KernelVariant *kernels, size_t rows, size_t columns, size_t depth, size_t gap,
                         bool accumulate, KernelsValues values)
{
  size_t acc_stride = columns + gap, a_stride = rows + 2 * gap, b_stride = columns + 3 * gap;
  float *a = kernels_random(depth * a_stride, values), *b = kernels_random(depth * b_stride, values);
  float *want = kernels_random(rows * acc_stride, values), *have = kernels_copy(want, rows * acc_stride);
  matmul_by_definition(rows, columns, depth, want, acc_stride, a, a_stride, b, b_stride, accumulate);
  kernels->matmul_f32(rows, columns, depth, have, acc_stride, a, a_stride, b, b_stride, accumulate);
  kernels_expect_same(kernels->name, "matmul_f32", have, want, rows * acc_stride);
  free(a), free(b), free(want), free(have);
}

TEST(kernel_matmul_adds_in_order_with_one_rounding_per_step)
{
  static const size_t sizes[][3] = {{1, 1, 1},    {1, 1, 0},     {6, 16, 3},    {7, 17, 5},    {8, 48, 128}, {20, 100, 1}, {128, 512, 128},
                                    {13, 95, 129}, {127, 33, 31}, {130, 20, 257}, {200, 513, 10}, {3, 512, 128}, {128, 1, 128}};
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      for (int how = 0; how < 2 * KERNELS_VALUES_COUNT; how++)
        check_matmul(kernel_variant(v), sizes[i][0], sizes[i][1], sizes[i][2], i % 3, how & 1, (KernelsValues)(how / 2));
}

// 1 + 2^-24 + 2^-54 or so: rounding the sum to double first would lose what decides between two floats.
TEST(kernel_matmul_rounds_once_where_double_would_round_twice)
{
  const float a = 0x1.000002p-12f, b = 0x1.fffffep-13f;  // a * b = 2^-24 + 2^-48 - 2^-71 or so
  for (size_t v = 0; kernel_variant(v); v++)
    for (int sign = -1; sign <= 1; sign += 2)
      for (int exponent = -4; exponent <= 30; exponent++) {
        float acc = ldexpf((float)sign, exponent) * 0x1.000002p0f, want = fmaf(a, b, acc);
        kernel_variant(v)->matmul_f32(1, 1, 1, &acc, 1, &a, 1, &b, 1, true);
        kernels_expect_same(kernel_variant(v)->name, "matmul_f32", &acc, &want, 1);
      }
}

TEST(kernel_matmul_keeps_a_zero_sum_positive)
{
  const float zero = 0.0f, minus = -1.0f;
  for (size_t v = 0; kernel_variant(v); v++) {
    float acc = 5;
    kernel_variant(v)->matmul_f32(1, 1, 1, &acc, 1, &zero, 1, &minus, 1, false);
    EXPECT(acc == 0 && !signbit(acc));
  }
}
