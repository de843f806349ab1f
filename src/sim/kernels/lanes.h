// lanes.h -- the vectors of one variant: as wide as the instructions the file is compiled for.
//
// Arithmetic on these types is the compiler's, lane by lane; only the fused product-and-sum needs an instruction by name.

#pragma once
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

// All lanes equal to `value`.
#define F32V_ALL(value) ((F32V){0} + (value))

// mask ? a : b, lane by lane; mask is a comparison's result.
#define F32V_SELECT(mask, a, b) ((F32V)(((I32V)(mask) & (I32V)(a)) | (~(I32V)(mask) & (I32V)(b))))

// `value`, with every NaN made 0x7FC00000.
#define F32V_CANONICAL(value) F32V_SELECT((value) == (value), value, (I32V){0} + 0x7FC00000)

// sum = a * b + sum, rounded once.
#if defined __AVX512F__
#include <immintrin.h>
#define F32V_FMA(a, b, sum) ((sum) = (F32V)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(sum)))
#elif defined __AVX2__ && defined __FMA__
#include <immintrin.h>
#define F32V_FMA(a, b, sum) ((sum) = (F32V)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(sum)))
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
