// test_kernels_eights.c -- statistics and the eight largest against their definitions, on every variant that runs here.

#include "kernels_test.h"

static float without_nan_bits(float value)
{
  return value != value ? kernels_nan() : value;
}

static void statistics(const float *row, size_t n, size_t first, float *out)
{
  float count = 0, sum = 0, squares = 0;
  for (size_t i = first; i < n; i += 2)
    count += 1, sum += row[i];
  float mean = count > 0 ? sum / count : 0;
  for (size_t i = first; i < n; i += 2) {
    float distance = row[i] - mean, square = distance * distance;
    squares += square;
  }
  out[0] = count, out[1] = without_nan_bits(mean), out[2] = without_nan_bits(squares);
}

TEST(kernel_bn_stats_takes_two_passes_left_to_right)
{
  static const size_t sizes[][2] = {{1, 1}, {5, 2}, {16, 16}, {17, 100}, {40, 33}, {2, 0}};
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      for (int values = 0; values < KERNELS_VALUES_COUNT; values++) {
        size_t rows = sizes[i][0], n = sizes[i][1], stride = n + i;
        float *src = kernels_random(rows * stride, (KernelsValues)values);
        float *want = kernels_random(rows * 7, KERNELS_USUAL), *have = kernels_copy(want, rows * 7);
        for (size_t r = 0; r < rows; r++) {
          statistics(src + r * stride, n, 0, want + r * 7);
          statistics(src + r * stride, n, 1, want + r * 7 + 3);
        }
        kernel_variant(v)->bn_stats_f32(rows, n, have, 7, src, stride);
        kernels_expect_same(kernel_variant(v)->name, "bn_stats_f32", have, want, rows * 7);
        free(src), free(want), free(have);
      }
}

static bool is_above(float x, float y)
{
  return x > y || (y != y && x == x);
}

// Selects, eight times, the first of the largest that is left.
static void max8_by_definition(size_t n, float *best, const float *row)
{
  bool *used = calloc(n + 1, sizeof *used);
  for (size_t k = 0; k < 8; k++) {
    size_t at = n;
    for (size_t i = 0; i < n; i++)
      if (!used[i] && (at == n || is_above(row[i], row[at])))
        at = i;
    best[k] = at < n ? without_nan_bits(row[at]) : 0;
    used[at] = true;
  }
  free(used);
}

TEST(kernel_max8_keeps_duplicates_and_puts_nan_last)
{
  static const size_t sizes[] = {0, 3, 8, 9, 64, 72, 73, 200, 500};
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      for (int values = 0; values < KERNELS_VALUES_COUNT; values++) {
        enum { ROWS = 3 };
        float *src = kernels_random(ROWS * sizes[i], (KernelsValues)values), want[ROWS * 8], have[ROWS * 8];
        for (size_t r = 0; r < ROWS; r++)
          max8_by_definition(sizes[i], want + r * 8, src + r * sizes[i]);
        kernel_variant(v)->max8_f32(ROWS, sizes[i], have, 8, src, sizes[i]);
        kernels_expect_same(kernel_variant(v)->name, "max8_f32", have, want, ROWS * 8);
        free(src);
      }
}

static void check_claim8(const KernelVariant *kernels, size_t n, bool last_first, KernelsValues values)
{
  float *row = kernels_random(n, values), wanted[8];
  for (size_t j = 0; j < 8; j++)
    wanted[j] = n > 0 && kernels_random_bits() % 8 ? row[kernels_random_bits() % n] : 77.0f;
  uint32_t have[8];
  kernels->claim8_f32(n, row, wanted, last_first, have);
  bool *taken = calloc(n + 1, sizeof *taken);
  for (size_t k = 0; k < 8; k++) {
    size_t j = last_first ? 7 - k : k, i = 0;
    while (i < n && (taken[i] || row[i] != wanted[j]))
      i++;
    taken[i] = true;
    EXPECT_INT(have[j], ==, i < n ? (uint32_t)i : UINT32_MAX);
  }
  free(row), free(taken);
}

TEST(kernel_claim8_gives_each_value_its_first_free_place)
{
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t n = 0; n < 300; n += 1 + n / 3)
      for (int how = 0; how < 2 * KERNELS_VALUES_COUNT; how++)
        check_claim8(kernel_variant(v), n, how & 1, (KernelsValues)(how / 2));
}
