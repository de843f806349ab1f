// lanes.h -- the vectors of one variant: as wide as the instructions the file is compiled for.
//
// Arithmetic on these types is the compiler's, lane by lane; only the fused product-and-sum needs an instruction by name.

#pragma once
#include "base/kernel.h"

#include <stddef.h>
#include <stdint.h>

#if defined __AVX512F__
#define LANES 16
#elif defined __AVX2__
#define LANES 8
#else
#define LANES 4
#endif

typedef float F32V __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t I32V __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t U32V __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef double F64V __attribute__((vector_size(8 * LANES)));
typedef int64_t I64V __attribute__((vector_size(8 * LANES)));

// All lanes equal to `value`; subtracting zero keeps the sign of a zero, as adding it would not.
#define F32V_ALL(value) ((value) - (F32V){0})

// mask ? a : b, lane by lane; mask is a comparison's result.
#define F32V_SELECT(mask, a, b) ((F32V)(((I32V)(mask) & (I32V)(a)) | (~(I32V)(mask) & (I32V)(b))))

// `value`, with every NaN made 0x7FC00000.
#define F32V_CANONICAL(value) F32V_SELECT((value) == (value), value, (I32V){0} + 0x7FC00000)

// F32V_FMA: sum = a * b + sum, rounded once. F32V_MAX and F32V_MIN: the larger and smaller; a NaN gives the other operand,
// equal ones y. x86's own take y when either is NaN, so only a NaN y needs care.
#if defined __AVX512F__
#include <immintrin.h>
#define F32V_FMA(a, b, sum) ((sum) = (F32V)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(sum)))
#define F32V_IS_NUMBER_(y) _mm512_cmp_ps_mask((__m512)(y), (__m512)(y), _CMP_ORD_Q)
#define F32V_MAX(x, y) ((F32V)_mm512_mask_max_ps((__m512)(x), F32V_IS_NUMBER_(y), (__m512)(x), (__m512)(y)))
#define F32V_MIN(x, y) ((F32V)_mm512_mask_min_ps((__m512)(x), F32V_IS_NUMBER_(y), (__m512)(x), (__m512)(y)))
#elif defined __AVX2__ && defined __FMA__
#include <immintrin.h>
#define F32V_FMA(a, b, sum) ((sum) = (F32V)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(sum)))
#define F32V_UNLESS_NAN_(y, then, x) \
  ((F32V)_mm256_blendv_ps(then, (__m256)(x), _mm256_cmp_ps((__m256)(y), (__m256)(y), _CMP_UNORD_Q)))
#define F32V_MAX(x, y) F32V_UNLESS_NAN_(y, _mm256_max_ps((__m256)(x), (__m256)(y)), x)
#define F32V_MIN(x, y) F32V_UNLESS_NAN_(y, _mm256_min_ps((__m256)(x), (__m256)(y)), x)
#elif defined __aarch64__
#include <arm_neon.h>
#define F32V_FMA(a, b, sum) ((sum) = (F32V)vfmaq_f32((float32x4_t)(sum), (float32x4_t)(a), (float32x4_t)(b)))
#else
#define F32V_FMA(a, b, sum) f32v_fma_in_double(&(a), &(b), &(sum))

// Without the instruction. The product of two floats is exact in double. The double sum is rounded to odd: if it is
// inexact, of its two neighbours the one with an odd last bit is taken. Rounding that to float gives what rounding the
// exact sum would, since a double has more than two bits beyond a float's (Boldo and Melquiond, 2008).
static inline void f32v_fma_in_double(const F32V *a, const F32V *b, F32V *sum)
{
  F64V product = __builtin_convertvector(*a, F64V) * __builtin_convertvector(*b, F64V);
  F64V addend = __builtin_convertvector(*sum, F64V);
  F64V total = product + addend;
  F64V part = total - product;
  F64V error = (product - (total - part)) + (addend - part);  // exact (Knuth's two-sum); NaN beside infinities
  I64V inexact = (error > 0) | (error < 0);
  I64V away_from_zero = (error > 0) == (total > 0);  // -1 where the exact sum is farther from zero than `total`
  I64V step = (away_from_zero & 2) - 1;              // +1 or -1 on the bits moves away from or towards zero
  I64V bits = (I64V)total;
  bits += step & inexact & ((bits & 1) - 1);
  *sum = __builtin_convertvector((F64V)bits, F32V);
}
#endif

#ifndef F32V_MAX
#define F32V_MAX(x, y) F32V_SELECT(((x) > (y)) | ((y) != (y)), x, y)
#define F32V_MIN(x, y) F32V_SELECT(((x) < (y)) | ((y) != (y)), x, y)
#endif

// v[i][j] <-> v[j][i]: swaps blocks of LANES/2, then of half that, down to single lanes. Indices below LANES name lanes
// of the first vector of a pair, the others lanes of the second.
#if LANES == 16
#define LANES_LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define LANES_HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LANES_LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define LANES_HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LANES_LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define LANES_HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LANES_LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define LANES_HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#elif LANES == 8
#define LANES_LOW_4 0, 1, 2, 3, 8, 9, 10, 11
#define LANES_HIGH_4 4, 5, 6, 7, 12, 13, 14, 15
#define LANES_LOW_2 0, 1, 8, 9, 4, 5, 12, 13
#define LANES_HIGH_2 2, 3, 10, 11, 6, 7, 14, 15
#define LANES_LOW_1 0, 8, 2, 10, 4, 12, 6, 14
#define LANES_HIGH_1 1, 9, 3, 11, 5, 13, 7, 15
#else
#define LANES_LOW_2 0, 1, 4, 5
#define LANES_HIGH_2 2, 3, 6, 7
#define LANES_LOW_1 0, 4, 2, 6
#define LANES_HIGH_1 1, 5, 3, 7
#endif
#define LANES_SWAP(v, distance)                                                                                        \
  for (int i = 0; i < LANES; i++)                                                                                      \
    if (!(i & (distance))) {                                                                                           \
      U32V low = __builtin_shufflevector((v)[i], (v)[i + (distance)], LANES_LOW_##distance);                           \
      U32V high = __builtin_shufflevector((v)[i], (v)[i + (distance)], LANES_HIGH_##distance);                         \
      (v)[i] = low, (v)[i + (distance)] = high;                                                                        \
    }

KERNEL_INLINE void lanes_transpose(U32V v[LANES])
{
#if LANES == 16
  LANES_SWAP(v, 8)
#endif
#if LANES >= 8
  LANES_SWAP(v, 4)
#endif
  LANES_SWAP(v, 2)
  LANES_SWAP(v, 1)
}
