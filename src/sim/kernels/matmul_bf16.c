// matmul_bf16.c -- the product of bfloat16 matrices with VDPBF16PS, where its bits are those of kernels.h.
//
// The instruction adds two products to a float32: sum = fma(odd elements, sum), then sum = fma(even elements, sum), each
// rounded once, to nearest even. That is our order when the lower k stands in the odd place. It differs in one point:
// operands and results below the smallest normal number become zero. So it is used only when that cannot happen. With
// e the least exponent of a matrix's elements that are not zero, each is a multiple of 2^(e - 7); each product, and
// each sum of products however rounded, is a multiple of 2^(e_a + e_b - 14), and if that is a normal number, none but
// zero is below. The order and the rounding are probed before each use, with sums that tell them apart.
//
// Rows of k and k + 1 are packed into pairs; a tile of sums stays in registers (see matmul.c).

#include "sim/kernels/matmul_bf16.h"

#if defined __x86_64__ && defined __GNUC__ && defined KLR_KERNEL_VARIANTS
#include "base/kernel.h"

#include <immintrin.h>
#include <string.h>

#define USES_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

enum { VECTOR = 16, TILE_ROWS = 8, TILE_VECTORS = 3, TILE_COLUMNS = TILE_VECTORS * VECTOR };
enum { BLOCK_PAIRS = 64, BLOCK_ROWS = 128 };

// Sums in which the other order, one rounding for both products, or another rounding would show.
USES_BF16 static bool rounds_as_expected(void)
{
  static const struct {
    float sum;
    uint32_t a, b;
    float want;
  } probes[] = {
      {0x1p24f, 0x3F803F80, 0x3F803F80, 0x1p24f},          // 1 and 1, each lost: no common rounding
      {0x1p24f, 0x3F80C000, 0x3F803F80, 0x1p24f - 2},      // 1 lost, then -2
      {0x1p24f, 0xC0003F80, 0x3F803F80, 0x1p24f - 1},      // -2, then 1
      {0x1p24f, 0x3F803FC0, 0x3F803F80, 0x1p24f + 2},      // 1 lost, then 1.5: not towards zero
      {0x1p24f + 2, 0x3F800000, 0x3F803F80, 0x1p24f + 4},  // a tie that goes up
      {-0x1p127f, 0x5F800000, 0x5F800000, 0x1p127f},       // 2^128, beyond float32 before the sum
  };
  for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
    __m512i a = _mm512_set1_epi32((int)probes[i].a), b = _mm512_set1_epi32((int)probes[i].b);
    __m512 sum = _mm512_dpbf16_ps(_mm512_set1_ps(probes[i].sum), (__m512bh)a, (__m512bh)b);
    if (_mm512_cmp_ps_mask(sum, _mm512_set1_ps(probes[i].want), _CMP_NEQ_UQ))
      return false;
  }
  return true;
}

bool matmul_bf16_available(void)
{
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && rounds_as_expected();
}

USES_BF16 uint16_t bf16_least_magnitude(size_t rows, size_t n, const uint16_t *at, size_t stride)
{
  const __m512i magnitude = _mm512_set1_epi16(0x7FFF), one = _mm512_set1_epi16(1);
  __m512i least = _mm512_set1_epi16(-1);  // of magnitudes less 1, so that zero counts as the largest
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < n; i += 32) {
      __mmask32 there = n - i >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << (n - i)) - 1;
      __m512i x = _mm512_and_si512(_mm512_maskz_loadu_epi16(there, at + r * stride + i), magnitude);
      least = _mm512_min_epu16(least, _mm512_sub_epi16(x, one));
    }
  uint16_t lanes[32], found = 0xFFFF;
  memcpy(lanes, &least, sizeof lanes);
  for (int i = 0; i < 32; i++)
    found = lanes[i] < found ? lanes[i] : found;
  return (uint16_t)(found + 1);
}

USES_BF16 void bf16_from_codes(size_t n, uint16_t *dst, const uint8_t *src, const uint16_t table[128])
{
  __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 32), t2 = _mm512_loadu_si512(table + 64),
          t3 = _mm512_loadu_si512(table + 96);
  for (size_t i = 0; i < n; i += 32) {
    __mmask32 there = n - i >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << (n - i)) - 1;
    __m512i code = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(there, src + i));
    __m512i low = _mm512_permutex2var_epi16(t0, code, t1), high = _mm512_permutex2var_epi16(t2, code, t3);
    __m512i value = _mm512_mask_mov_epi16(low, _mm512_test_epi16_mask(code, _mm512_set1_epi16(0x40)), high);
    __m512i sign = _mm512_slli_epi16(_mm512_and_si512(code, _mm512_set1_epi16(0x80)), 8);
    _mm512_mask_storeu_epi16(dst + i, there, _mm512_or_si512(value, sign));
  }
}

// packed[k][i] = the pair of from[2k][i], in the odd place, and from[2k + 1][i], for i < count; 0 where there is none.
USES_BF16 static void pack(uint32_t *packed, size_t width, const uint16_t *from, size_t stride, size_t depth,
                           size_t count)
{
  for (size_t k = 0; k < depth; k += 2, from += 2 * stride, packed += width)
    for (size_t i = 0; i < width; i += VECTOR) {
      size_t left = count > i ? count - i : 0, room = width - i;
      __mmask16 there = left >= VECTOR ? 0xFFFF : (__mmask16)((1u << left) - 1);
      __mmask16 fits = room >= VECTOR ? 0xFFFF : (__mmask16)((1u << room) - 1);
      __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, from + i));
      __m512i second = _mm512_setzero_si512();
      if (k + 1 < depth)
        second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, from + stride + i));
      _mm512_mask_storeu_epi32(packed + i, fits, _mm512_or_si512(_mm512_slli_epi32(first, 16), second));
    }
}

USES_BF16 static void multiply_tile(size_t pairs, const uint32_t *a, const uint32_t *b, float *acc, size_t stride,
                                    bool accumulate)
{
  __m512 sum[TILE_ROWS][TILE_VECTORS];
  for (size_t r = 0; r < TILE_ROWS; r++)
    for (size_t v = 0; v < TILE_VECTORS; v++)
      sum[r][v] = accumulate ? _mm512_loadu_ps(acc + r * stride + v * VECTOR) : _mm512_setzero_ps();
  for (size_t k = 0; k < pairs; k++, a += TILE_ROWS, b += TILE_COLUMNS) {
    __m512i right[TILE_VECTORS];
    for (size_t v = 0; v < TILE_VECTORS; v++)
      right[v] = _mm512_loadu_si512(b + v * VECTOR);
    for (size_t r = 0; r < TILE_ROWS; r++) {
      __m512i left = _mm512_set1_epi32((int)a[r]);
      for (size_t v = 0; v < TILE_VECTORS; v++)
        sum[r][v] = _mm512_dpbf16_ps(sum[r][v], (__m512bh)left, (__m512bh)right[v]);
    }
  }
  const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000));
  for (size_t r = 0; r < TILE_ROWS; r++)
    for (size_t v = 0; v < TILE_VECTORS; v++) {
      __mmask16 is_nan = _mm512_cmp_ps_mask(sum[r][v], sum[r][v], _CMP_UNORD_Q);
      _mm512_storeu_ps(acc + r * stride + v * VECTOR, _mm512_mask_mov_ps(sum[r][v], is_nan, nan));
    }
}

// A tile of which only rows x columns are outputs, through a whole one.
USES_BF16 static void multiply_part(size_t pairs, const uint32_t *a, const uint32_t *b, float *acc, size_t stride,
                                    bool accumulate, size_t rows, size_t columns)
{
  float tile[TILE_ROWS * TILE_COLUMNS] = {0};
  if (accumulate)
    for (size_t r = 0; r < rows; r++)
      memcpy(tile + r * TILE_COLUMNS, acc + r * stride, columns * sizeof *acc);
  multiply_tile(pairs, a, b, tile, TILE_COLUMNS, accumulate);
  for (size_t r = 0; r < rows; r++)
    memcpy(acc + r * stride, tile + r * TILE_COLUMNS, columns * sizeof *acc);
}

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

// rows <= BLOCK_ROWS, depth <= 2 * BLOCK_PAIRS.
USES_BF16 static void multiply_block(size_t rows, size_t columns, size_t depth, float *acc, size_t acc_stride,
                                     const uint16_t *a, size_t a_stride, const uint16_t *b, size_t b_stride,
                                     bool accumulate)
{
  _Alignas(64) uint32_t a_packed[BLOCK_ROWS * BLOCK_PAIRS], b_packed[TILE_COLUMNS * BLOCK_PAIRS];
  size_t pairs = (depth + 1) / 2;
  for (size_t m = 0; m < rows; m += TILE_ROWS)
    pack(a_packed + m * pairs, TILE_ROWS, a + m, a_stride, depth, smaller(TILE_ROWS, rows - m));
  for (size_t n = 0; n < columns; n += TILE_COLUMNS) {
    size_t width = smaller(TILE_COLUMNS, columns - n);
    pack(b_packed, TILE_COLUMNS, b + n, b_stride, depth, width);
    for (size_t m = 0; m < rows; m += TILE_ROWS) {
      size_t height = smaller(TILE_ROWS, rows - m);
      float *at = acc + m * acc_stride + n;
      if (height == TILE_ROWS && width == TILE_COLUMNS)
        multiply_tile(pairs, a_packed + m * pairs, b_packed, at, acc_stride, accumulate);
      else
        multiply_part(pairs, a_packed + m * pairs, b_packed, at, acc_stride, accumulate, height, width);
    }
  }
}

USES_BF16 void matmul_bf16(size_t rows, size_t columns, size_t depth, float *acc, size_t acc_stride,
                           const uint16_t *stationary, size_t stationary_stride, const uint16_t *moving,
                           size_t moving_stride)
{
  size_t k = 0;
  do {  // once at least: with no k the sums are 0
    size_t block_depth = smaller(2 * BLOCK_PAIRS, depth - k);
    for (size_t m = 0; m < rows; m += BLOCK_ROWS)
      multiply_block(smaller(BLOCK_ROWS, rows - m), columns, block_depth, acc + m * acc_stride, acc_stride,
                     stationary + k * stationary_stride + m, stationary_stride, moving + k * moving_stride,
                     moving_stride, k > 0);
    k += block_depth;
  } while (k < depth);
}

#else

#include "base/bug.h"

bool matmul_bf16_available(void)
{
  return false;
}

uint16_t bf16_least_magnitude(size_t rows, size_t n, const uint16_t *at, size_t stride)
{
  (void)rows, (void)n, (void)at, (void)stride;
  bug("bf16_least_magnitude is not available");
}

void bf16_from_codes(size_t n, uint16_t *dst, const uint8_t *src, const uint16_t table[128])
{
  (void)n, (void)dst, (void)src, (void)table;
  bug("bf16_from_codes is not available");
}

void matmul_bf16(size_t rows, size_t columns, size_t depth, float *acc, size_t acc_stride, const uint16_t *stationary,
                 size_t stationary_stride, const uint16_t *moving, size_t moving_stride)
{
  (void)rows, (void)columns, (void)depth, (void)acc, (void)acc_stride, (void)stationary, (void)stationary_stride,
    (void)moving, (void)moving_stride;
  bug("matmul_bf16 is not available");
}

#endif
