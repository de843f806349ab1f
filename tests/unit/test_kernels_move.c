// test_kernels_move.c -- transposes and strided copies, on every variant that runs here.

#include "kernels_test.h"

static void check_transpose(const KernelVariant *kernels, unsigned bytes, size_t rows, size_t columns, size_t gap)
{
  size_t src_stride = columns + gap, dst_stride = rows + 2 * gap, dst_bytes = columns * dst_stride * bytes;
  unsigned char *src = (unsigned char *)kernels_random(rows * src_stride * 2, KERNELS_ANY_BITS);
  unsigned char *have = (unsigned char *)kernels_random(columns * dst_stride * 2, KERNELS_ANY_BITS);
  unsigned char *want = (unsigned char *)kernels_copy((const float *)have, columns * dst_stride * 2);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++)
      memcpy(want + (c * dst_stride + r) * bytes, src + (r * src_stride + c) * bytes, bytes);
  kernels->transpose(bytes, rows, columns, have, dst_stride, src, src_stride);
  if (memcmp(have, want, dst_bytes) != 0)
    test_fail(__FILE__, __LINE__, "transpose of %s: %zu x %zu elements of %u bytes", kernels->name, rows, columns, bytes);
  free(src), free(have), free(want);
}

TEST(kernel_transpose_swaps_rows_and_columns)
{
  static const size_t sizes[][2] = {{1, 1}, {16, 16}, {128, 128}, {5, 70}, {33, 17}, {64, 3}, {0, 5}, {5, 0}};
  for (size_t v = 0; kernel_variant(v); v++)
    for (unsigned bytes = 1; bytes <= 8; bytes *= 2)
      for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_transpose(kernel_variant(v), bytes, sizes[i][0], sizes[i][1], i % 3);
}

static void check_strided(const KernelVariant *kernels, unsigned bytes, size_t n, ptrdiff_t step)
{
  enum { MIDDLE = 256 };
  _Alignas(8) char strided[2 * MIDDLE * 8], want[2 * MIDDLE * 8], packed[64 * 8];
  char *at = strided + MIDDLE * 8, *end = want + MIDDLE * 8;
  for (size_t i = 0; i < sizeof strided; i++)
    strided[i] = want[i] = (char)kernels_random_bits();
  kernels->gather(bytes, 1, n, packed, at, 0, step);
  for (size_t i = 0; i < n; i++)
    EXPECT(memcmp(packed + i * bytes, at + (ptrdiff_t)i * step * (ptrdiff_t)bytes, bytes) == 0);
  for (size_t i = 0; i < n; i++) {
    packed[i * bytes] ^= 0x55;
    memcpy(end + (ptrdiff_t)i * step * (ptrdiff_t)bytes, packed + i * bytes, bytes);
  }
  kernels->scatter(bytes, 1, n, at, 0, step, packed);
  EXPECT(memcmp(strided, want, sizeof want) == 0);
}

TEST(kernel_gather_and_scatter_take_any_step)
{
  for (size_t v = 0; kernel_variant(v); v++)
    for (unsigned bytes = 1; bytes <= 8; bytes *= 2)
      for (ptrdiff_t step = -4; step <= 4; step++)
        for (size_t n = 0; n <= 60; n += 1 + n / 4)
          check_strided(kernel_variant(v), bytes, n, step);
}

// Blocks of several rows: what is gathered and scattered back again, `outer_step` apart, is as before.
static void check_blocks(const KernelVariant *kernels, unsigned bytes, size_t outer, size_t inner, ptrdiff_t outer_step,
                         ptrdiff_t inner_step)
{
  char source[16 * 64 * 8], packed[16 * 16 * 8] = {0}, back[16 * 64 * 8] = {0};
  for (size_t i = 0; i < sizeof source; i++)
    source[i] = (char)kernels_random_bits();
  kernels->gather(bytes, outer, inner, packed, source, outer_step, inner_step);
  for (size_t o = 0; o < outer; o++)
    for (size_t i = 0; i < inner; i++) {
      size_t at = o * (size_t)outer_step + i * (size_t)inner_step;
      EXPECT(memcmp(packed + (o * inner + i) * bytes, source + at * bytes, bytes) == 0);
      memcpy(back + at * bytes, source + at * bytes, bytes);
    }
  char written[sizeof back] = {0};
  kernels->scatter(bytes, outer, inner, written, outer_step, inner_step, packed);
  EXPECT(memcmp(written, back, sizeof back) == 0);
}

TEST(kernel_gather_and_scatter_take_blocks)
{
  static const ptrdiff_t steps[][2] = {{16, 1}, {1, 16}, {40, 2}, {3, 48}, {0, 1}, {64, 4}, {16, 0}};
  for (size_t v = 0; kernel_variant(v); v++)
    for (unsigned bytes = 1; bytes <= 8; bytes *= 2)
      for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        check_blocks(kernel_variant(v), bytes, 1 + i * 2, 16 - i, steps[i][0], steps[i][1]);
}

TEST(kernel_copy_rows_copies_rows_and_nothing_else)
{
  static const size_t sizes[] = {0, 1, 15, 16, 63, 64, 65, 127, 200, 1024, 20000};
  enum { ROWS = 3, MOST = 20000, ROOM = ROWS * (MOST + 32) };
  static char src[ROOM], have[ROOM], want[ROOM];
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
      size_t bytes = sizes[i / 2], dst_step = bytes + (i & 1) * 13, src_step = bytes + (i & 1) * 7;
      for (size_t b = 0; b < ROOM; b++)
        src[b] = (char)kernels_random_bits(), have[b] = want[b] = (char)kernels_random_bits();
      for (size_t r = 0; r < ROWS; r++)
        memcpy(want + r * dst_step, src + r * src_step, bytes);
      kernel_variant(v)->copy_rows(ROWS, bytes, have, (ptrdiff_t)dst_step, src, (ptrdiff_t)src_step);
      EXPECT(memcmp(have, want, ROOM) == 0);
    }
}
