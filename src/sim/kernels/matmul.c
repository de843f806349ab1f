// matmul.c -- blocked product for the tensor engine; compiled once per variant.
//
// The order of one output's additions is fixed, so vectors run over columns and registers hold a tile of TILE_ROWS x
// TILE_VECTORS of them through a whole block of k. Both operands are first packed into the order in which a tile
// reads them, because rows at strides of 512 or 2048 bytes would fall into few sets of the first-level cache.

#include "base/kernel.h"
#include "sim/kernels/lanes.h"
#include "sim/kernels/variants.h"

#include <string.h>

// Chosen so that the accumulators fill the registers: 32 with AVX-512, 16 otherwise.
#if LANES == 16
#define TILE_ROWS 8
#define TILE_VECTORS 3
#elif LANES == 8
#define TILE_ROWS 6
#define TILE_VECTORS 2
#else
#define TILE_ROWS 4
#define TILE_VECTORS 2
#endif
#define TILE_COLUMNS (TILE_VECTORS * LANES)

#define BLOCK_DEPTH 128
#define BLOCK_ROWS ((128 + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS)

// packed[k][i] = from[k][i] for k < depth, i < count, and 0 up to `width`.
KERNEL_INLINE void pack(float *packed, size_t width, const float *from, size_t stride, size_t depth, size_t count)
{
  for (size_t k = 0; k < depth; k++) {
    for (size_t i = 0; i < count; i++)
      packed[k * width + i] = from[k * stride + i];
    for (size_t i = count; i < width; i++)
      packed[k * width + i] = 0;
  }
}

// Full panels, with the width known to the compiler.
static void pack_panel(float *packed, size_t width, const float *from, size_t stride, size_t depth, size_t count)
{
  if (count == width && width == TILE_COLUMNS)
    pack(packed, TILE_COLUMNS, from, stride, depth, TILE_COLUMNS);
  else if (count == width && width == TILE_ROWS)
    pack(packed, TILE_ROWS, from, stride, depth, TILE_ROWS);
  else
    pack(packed, width, from, stride, depth, count);
}

// One tile: acc[r][c] = start + sum over k of a[k][r] * b[k][c], a and b packed.
static void multiply_tile(size_t depth, const float *a, const float *b, float *acc, size_t stride, bool accumulate)
{
  F32V sum[TILE_ROWS][TILE_VECTORS];
  for (size_t r = 0; r < TILE_ROWS; r++)
    for (size_t v = 0; v < TILE_VECTORS; v++)
      sum[r][v] = accumulate ? *(const F32V *)(acc + r * stride + v * LANES) : (F32V){0};
  for (size_t k = 0; k < depth; k++, a += TILE_ROWS, b += TILE_COLUMNS) {
    F32V right[TILE_VECTORS];
    for (size_t v = 0; v < TILE_VECTORS; v++)
      right[v] = *(const F32V *)(b + v * LANES);
    for (size_t r = 0; r < TILE_ROWS; r++) {
      F32V left = F32V_ALL(a[r]);
      for (size_t v = 0; v < TILE_VECTORS; v++)
        F32V_FMA(left, right[v], sum[r][v]);
    }
  }
  for (size_t r = 0; r < TILE_ROWS; r++)
    for (size_t v = 0; v < TILE_VECTORS; v++)
      *(F32V *)(acc + r * stride + v * LANES) = F32V_CANONICAL(sum[r][v]);
}

// A tile of which only rows x columns are outputs, through a whole one.
static void multiply_part(size_t depth, const float *a, const float *b, float *acc, size_t stride, bool accumulate,
                          size_t rows, size_t columns)
{
  float tile[TILE_ROWS * TILE_COLUMNS] = {0};
  if (accumulate)
    for (size_t r = 0; r < rows; r++)
      memcpy(tile + r * TILE_COLUMNS, acc + r * stride, columns * sizeof *acc);
  multiply_tile(depth, a, b, tile, TILE_COLUMNS, accumulate);
  for (size_t r = 0; r < rows; r++)
    memcpy(acc + r * stride, tile + r * TILE_COLUMNS, columns * sizeof *acc);
}

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

// rows <= BLOCK_ROWS, depth <= BLOCK_DEPTH.
static void multiply_block(size_t rows, size_t columns, size_t depth, float *acc, size_t acc_stride, const float *a,
                           size_t a_stride, const float *b, size_t b_stride, bool accumulate)
{
  float a_packed[BLOCK_ROWS * BLOCK_DEPTH] __attribute__((aligned(64)));
  float b_packed[TILE_COLUMNS * BLOCK_DEPTH] __attribute__((aligned(64)));
  for (size_t m = 0; m < rows; m += TILE_ROWS)
    pack_panel(a_packed + m * depth, TILE_ROWS, a + m, a_stride, depth, smaller(TILE_ROWS, rows - m));
  for (size_t n = 0; n < columns; n += TILE_COLUMNS) {
    size_t width = smaller(TILE_COLUMNS, columns - n);
    pack_panel(b_packed, TILE_COLUMNS, b + n, b_stride, depth, width);
    for (size_t m = 0; m < rows; m += TILE_ROWS) {
      size_t height = smaller(TILE_ROWS, rows - m);
      float *at = acc + m * acc_stride + n;
      if (height == TILE_ROWS && width == TILE_COLUMNS)
        multiply_tile(depth, a_packed + m * depth, b_packed, at, acc_stride, accumulate);
      else
        multiply_part(depth, a_packed + m * depth, b_packed, at, acc_stride, accumulate, height, width);
    }
  }
}

void KERNEL_NAME(matmul_f32)(size_t rows, size_t columns, size_t depth, float *acc, size_t acc_stride,
                             const float *stationary, size_t stationary_stride, const float *moving,
                             size_t moving_stride, bool accumulate)
{
  size_t k = 0;
  do {  // once at least: with no k, what does not accumulate becomes 0
    size_t block_depth = smaller(BLOCK_DEPTH, depth - k);
    for (size_t m = 0; m < rows; m += BLOCK_ROWS)
      multiply_block(smaller(BLOCK_ROWS, rows - m), columns, block_depth, acc + m * acc_stride, acc_stride,
                     stationary + k * stationary_stride + m, stationary_stride, moving + k * moving_stride,
                     moving_stride, accumulate || k > 0);
    k += block_depth;
  } while (k < depth);
}
