// pair.h -- sums of two floats as numbers of 48 bits, sixteen side by side in AVX-512, and the functions that others are
// made of.
//
// `low` holds what rounding `high` lost, so no product and sum may be fused here but where it is written, and no
// operation reordered. Each function is good to some units of 2^-36, unless it says otherwise.

#pragma once
#include <immintrin.h>

#define VECTOR 16
#define PAIR_FUNCTION __attribute__((target("avx512f,avx512dq"), always_inline)) static inline
#define ALL(value) _mm512_set1_ps(value)

#include "number/pair_tables.h"

typedef struct Pair {
  __m512 high, low;
} Pair;

// Of 32 entries the one at the last five bits of `index`.
PAIR_FUNCTION __m512 look_up(const float table[2 * VECTOR], __m512i index)
{
  return _mm512_permutex2var_ps(_mm512_loadu_ps(table), index, _mm512_loadu_ps(table + VECTOR));
}

// a + b, where a is the larger in magnitude, or 0.
PAIR_FUNCTION Pair pair_sum(__m512 a, __m512 b)
{
  __m512 sum = _mm512_add_ps(a, b);
  return (Pair){sum, _mm512_sub_ps(b, _mm512_sub_ps(sum, a))};
}

PAIR_FUNCTION Pair pair_product(__m512 a, __m512 b)
{
  __m512 product = _mm512_mul_ps(a, b);
  return (Pair){product, _mm512_fmsub_ps(a, b, product)};
}

PAIR_FUNCTION Pair pair_times(Pair x, __m512 y)
{
  Pair product = pair_product(x.high, y);
  return (Pair){product.high, _mm512_fmadd_ps(x.low, y, product.low)};
}

PAIR_FUNCTION Pair pair_more(Pair x, __m512 low)
{
  return (Pair){x.high, _mm512_add_ps(x.low, low)};
}

PAIR_FUNCTION Pair pair_divide(Pair x, Pair y)
{
  __m512 quotient = _mm512_div_ps(x.high, y.high);
  __m512 rest = _mm512_add_ps(_mm512_fnmadd_ps(quotient, y.high, x.high), _mm512_fnmadd_ps(quotient, y.low, x.low));
  return (Pair){quotient, _mm512_mul_ps(rest, _mm512_rcp14_ps(y.high))};
}

// mask ? a : b.
PAIR_FUNCTION Pair pair_select(__mmask16 mask, Pair a, Pair b)
{
  return (Pair){_mm512_mask_mov_ps(b.high, mask, a.high), _mm512_mask_mov_ps(b.low, mask, a.low)};
}

// The same with `low` below half a unit of `high`, as division wants it.
PAIR_FUNCTION Pair pair_settled(Pair x)
{
  return pair_sum(x.high, x.low);
}

// e^x = 2^exponent * (factor + factor_low) * (1 + rest + rest_low), factor from 1 to 2.
typedef struct PairExp {
  __m512 exponent, factor, factor_low, rest, rest_low;
} PairExp;

// |x| below 2^16. With n the multiple of 1/32 nearest to x log2(e): the exponent is floor(n).
PAIR_FUNCTION PairExp pair_exp_parts(Pair x)
{
  const __m512 log2e = ALL(0x1.715476p+0f), log2e_low = ALL(0x1.4ae0c0p-26f), ln2 = ALL(0x1.62e430p-1f),
               ln2_low = ALL(-0x1.05c610p-29f), rounder = ALL(0x1.8p18f);
  Pair y = pair_product(x.high, log2e);
  y.low = _mm512_fmadd_ps(x.low, log2e, _mm512_fmadd_ps(x.high, log2e_low, y.low));
  __m512 shifted = _mm512_add_ps(y.high, rounder), n = _mm512_sub_ps(shifted, rounder);
  __m512 f = _mm512_sub_ps(y.high, n), z = _mm512_add_ps(f, y.low);  // f is exact
  Pair rest = pair_product(f, ln2);                                 // of 2^z - 1
  rest.low = _mm512_fmadd_ps(f, ln2_low, _mm512_fmadd_ps(y.low, ln2, rest.low));
  __m512 curve = _mm512_fmadd_ps(ALL(0x1.3b2ab6p-7f), _mm512_mul_ps(z, z),
                                 _mm512_fmadd_ps(ALL(0x1.c6b08ep-5f), z, ALL(0x1.ebfbe0p-3f)));
  rest.low = _mm512_fmadd_ps(_mm512_mul_ps(z, z), curve, rest.low);
  __m512i index = _mm512_castps_si512(shifted);  // its last five bits
  return (PairExp){n, look_up(exp_factor, index), look_up(exp_factor_low, index), rest.high, rest.low};
}

// base + factor * rest + factor_low * (1 + rest): with the factor as base e^x, with one less e^x - 1.
PAIR_FUNCTION Pair pair_exp_sum(__m512 base, PairExp x)
{
  Pair more = pair_product(x.factor, x.rest), sum = pair_sum(base, more.high);
  more.low = _mm512_add_ps(more.low,
                           _mm512_fmadd_ps(x.factor, x.rest_low, _mm512_fmadd_ps(x.factor_low, x.rest, x.factor_low)));
  return pair_more(sum, more.low);
}

PAIR_FUNCTION PairExp pair_exp_scaled(PairExp x)
{
  x.factor = _mm512_scalef_ps(x.factor, x.exponent);
  x.factor_low = _mm512_scalef_ps(x.factor_low, x.exponent);
  return x;
}

// ln x = start + ln(1 + rest), where |rest| is at most 1/32 and `start` a multiple of 2^-16, but for its low part.
typedef struct PairLog {
  Pair start, rest;
} PairLog;

// Of x positive and normal. x = 2^k m with m from 3/4 to 3/2.
PAIR_FUNCTION PairLog pair_log_parts(Pair x)
{
  __m512i bits = _mm512_castps_si512(x.high), base = _mm512_set1_epi32(0x3F400000);
  __m512i exponent = _mm512_srai_epi32(_mm512_sub_epi32(bits, base), 23), index = _mm512_srli_epi32(bits, 18);
  __m512 m = _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(exponent, 23)));
  __m512 k = _mm512_cvtepi32_ps(exponent), inverse = look_up(log_inverse, index);
  Pair product = pair_product(m, inverse);
  product.low = _mm512_fmadd_ps(_mm512_scalef_ps(x.low, _mm512_sub_ps(_mm512_setzero_ps(), k)), inverse, product.low);
  Pair start = {_mm512_fmadd_ps(k, ALL(0x1.62e4p-1f), look_up(log_of, index)),  // exact
                _mm512_fmadd_ps(k, ALL(0x1.7f7d1cp-20f), look_up(log_of_low, index))};
  return (PairLog){start, {_mm512_sub_ps(product.high, ALL(1)), product.low}};
}

// Good to 2^-40 and 2^-35 of its value.
PAIR_FUNCTION Pair pair_log_sum(PairLog x)
{
  __m512 r = x.rest.high;
  Pair first = pair_sum(x.start.high, r), square = pair_product(r, r), half;
  half.high = _mm512_mul_ps(square.high, ALL(0.5f));
  half.low = _mm512_mul_ps(square.low, ALL(0.5f));
  Pair sum = pair_sum(first.high, _mm512_sub_ps(_mm512_setzero_ps(), half.high));
  __m512 series = _mm512_fmadd_ps(r, ALL(0x1.24924ap-3f), ALL(-0x1.555556p-3f));
  series = _mm512_fmadd_ps(r, series, ALL(0x1.99999ap-3f));
  series = _mm512_fmadd_ps(r, _mm512_fmadd_ps(r, series, ALL(-0.25f)), ALL(0x1.555556p-2f));
  __m512 low = _mm512_fmadd_ps(_mm512_mul_ps(square.high, r), series, _mm512_sub_ps(x.start.low, half.low));
  low = _mm512_add_ps(low, _mm512_fnmadd_ps(x.rest.low, _mm512_sub_ps(r, square.high), x.rest.low));
  return pair_more(sum, _mm512_add_ps(low, first.low));
}
