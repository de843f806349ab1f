// exp_row.c -- e^x with pairs of floats, whose sum is good to 2^-36 or so.
//
// With y = x log2(e) and n the multiple of 1/32 nearest to it, e^x = 2^floor(n) * 2^(n - floor(n)) * 2^(y - n). The
// second factor is one of 32, the third 1 and a small rest. Where the two ends of value +- doubt round to the same
// float, that is the correctly rounded result; another way is asked for the rest, and for results that are not normal
// numbers. Each variable called `_low` holds what rounding its namesake lost; so no product and sum may be fused here
// but where it is written.

#include "number/exp_row.h"

#if defined __x86_64__ && defined __GNUC__ && !defined KLR_NO_CLONES
#include <immintrin.h>

#define VECTOR 16
#define USES_AVX512 __attribute__((target("avx512f,avx512dq")))
#define ALL(value) _mm512_set1_ps(value)

// Beyond, results are subnormal, infinite or zero.
#define USUAL 87.0f
// Below, e^x is less than half the smallest subnormal; above, more than the largest number.
#define ZERO_BELOW -104.0f
#define INFINITE_ABOVE 89.0f
// More than the largest error, for values from 1 to 2: every input was tried (tests/long/test_number_exhaustive.py).
#define DOUBT 0x1p-35f

// The rounded factors 2^(j/32), and what was lost.
static const float factors[2 * VECTOR] = {
    0x1p+0f, 0x1.059b0ep+0f, 0x1.0b5586p+0f, 0x1.11301ep+0f, 0x1.172b84p+0f, 0x1.1d4874p+0f, 0x1.2387a6p+0f,
    0x1.29e9ep+0f, 0x1.306fep+0f, 0x1.371a74p+0f, 0x1.3dea64p+0f, 0x1.44e086p+0f, 0x1.4bfdaep+0f, 0x1.5342b6p+0f,
    0x1.5ab07ep+0f, 0x1.6247ecp+0f, 0x1.6a09e6p+0f, 0x1.71f75ep+0f, 0x1.7a1148p+0f, 0x1.82589ap+0f, 0x1.8ace54p+0f,
    0x1.93737cp+0f, 0x1.9c4918p+0f, 0x1.a5503cp+0f, 0x1.ae89fap+0f, 0x1.b7f77p+0f, 0x1.c199bep+0f, 0x1.cb720ep+0f,
    0x1.d5818ep+0f, 0x1.dfc974p+0f, 0x1.ea4afap+0f, 0x1.f50766p+0f,
};
static const float factors_low[2 * VECTOR] = {
    0x0p+0f, -0x1.9d4f52p-25f, 0x1.9f3122p-25f, -0x1.fdb496p-25f, -0x1.c15742p-27f, -0x1.d2e8cap-25f,
    0x1.ceac48p-25f, -0x1.5c0424p-25f, 0x1.4636e2p-25f, -0x1.18aac6p-25f, 0x1.824684p-25f, 0x1.8624b4p-30f,
    -0x1.593abcp-25f, -0x1.2c561p-25f, -0x1.5bd5ecp-27f, -0x1.f8b55p-25f, 0x1.9fcef4p-26f, 0x1.1d8beep-25f,
    -0x1.829fdp-25f, -0x1.accc7cp-26f, 0x1.15506ep-27f, -0x1.e64744p-25f, 0x1.51f848p-27f, -0x1.b83b54p-25f,
    -0x1.a94b14p-26f, -0x1.a09438p-25f, -0x1.3d56b2p-27f, -0x1.8837ccp-27f, -0x1.822dbcp-27f, -0x1.908c94p-25f,
    0x1.52486cp-27f, -0x1.246ebp-26f,
};

USES_AVX512 static inline __m512 look_up(const float table[2 * VECTOR], __m512i index)
{
  return _mm512_permutex2var_ps(_mm512_loadu_ps(table), index, _mm512_loadu_ps(table + VECTOR));
}

// e^x for |x| <= USUAL; *doubtful says which lanes could be rounded either way.
USES_AVX512 static inline __m512 exp_usual(__m512 x, __mmask16 *doubtful)
{
  const __m512 log2e = ALL(0x1.715476p+0f), log2e_low = ALL(0x1.4ae0c0p-26f), ln2 = ALL(0x1.62e430p-1f),
               ln2_low = ALL(-0x1.05c610p-29f), rounder = ALL(0x1.8p18f), doubt = ALL(DOUBT);
  __m512 y = _mm512_mul_ps(x, log2e), y_low = _mm512_fmadd_ps(x, log2e_low, _mm512_fmsub_ps(x, log2e, y));
  __m512 shifted = _mm512_add_ps(y, rounder), n = _mm512_sub_ps(shifted, rounder);
  __m512 f = _mm512_sub_ps(y, n), z = _mm512_add_ps(f, y_low);  // f is exact

  // rest + rest_low = 2^z - 1
  __m512 rest = _mm512_mul_ps(f, ln2);
  __m512 rest_low = _mm512_fmadd_ps(f, ln2_low, _mm512_fmadd_ps(y_low, ln2, _mm512_fmsub_ps(f, ln2, rest)));
  __m512 square = _mm512_mul_ps(z, z);
  __m512 curve = _mm512_fmadd_ps(ALL(0x1.3b2ab6p-7f), square,
                                 _mm512_fmadd_ps(ALL(0x1.c6b08ep-5f), z, ALL(0x1.ebfbe0p-3f)));
  rest_low = _mm512_fmadd_ps(square, curve, rest_low);

  // value + value_low = factor * (1 + rest)
  __m512i index = _mm512_castps_si512(shifted);  // its last five bits
  __m512 factor = look_up(factors, index), factor_low = look_up(factors_low, index);
  __m512 more = _mm512_mul_ps(factor, rest), more_low = _mm512_fmsub_ps(factor, rest, more);
  __m512 value = _mm512_add_ps(factor, more), value_low = _mm512_sub_ps(more, _mm512_sub_ps(value, factor));
  more_low = _mm512_add_ps(more_low, _mm512_fmadd_ps(factor, rest_low, _mm512_fmadd_ps(factor_low, rest, factor_low)));
  value_low = _mm512_add_ps(value_low, more_low);

  __m512 low = _mm512_add_ps(value, _mm512_sub_ps(value_low, doubt));
  __m512 high = _mm512_add_ps(value, _mm512_add_ps(value_low, doubt));
  *doubtful = _mm512_cmp_ps_mask(low, high, _CMP_NEQ_UQ);
  return _mm512_scalef_ps(low, n);  // times 2^floor(n)
}

// The lanes beyond USUAL that are zero, infinite or NaN; the others of them become doubtful.
USES_AVX512 static __m512 exp_unusual(__m512 x, __m512 value, __mmask16 unusual, __mmask16 *doubtful)
{
  __mmask16 zero = _mm512_cmp_ps_mask(x, ALL(ZERO_BELOW), _CMP_LT_OQ);
  __mmask16 infinite = _mm512_cmp_ps_mask(x, ALL(INFINITE_ABOVE), _CMP_GT_OQ);
  __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  value = _mm512_mask_mov_ps(value, zero, _mm512_setzero_ps());
  value = _mm512_mask_mov_ps(value, infinite, ALL(__builtin_inff()));
  value = _mm512_mask_mov_ps(value, nan, ALL(__builtin_nanf("")));
  *doubtful = (__mmask16)((*doubtful & ~unusual) | (unusual & ~(zero | infinite | nan)));
  return value;
}

USES_AVX512 static void exp_row(size_t n, float *dst, const float *src, ExpRow *settle)
{
  for (size_t i = 0; i < n; i += VECTOR) {
    __mmask16 there = n - i >= VECTOR ? 0xFFFF : (__mmask16)((1u << (n - i)) - 1), doubtful;
    __m512 x = _mm512_maskz_loadu_ps(there, src + i), value = exp_usual(x, &doubtful);
    __mmask16 unusual = _mm512_cmp_ps_mask(_mm512_abs_ps(x), ALL(USUAL), _CMP_NLE_UQ);
    if (unusual)
      value = exp_unusual(x, value, unusual, &doubtful);
    _mm512_mask_storeu_ps(dst + i, there, value);
    if (doubtful & there) {
      float kept[VECTOR];
      _mm512_storeu_ps(kept, x);
      for (unsigned lane = 0; lane < VECTOR; lane++)
        if ((doubtful & there) >> lane & 1)
          settle(1, dst + i + lane, kept + lane);
    }
  }
}

bool exp_row_avx512(size_t n, float *dst, const float *src, ExpRow *settle)
{
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq"))
    return false;
  exp_row(n, dst, src, settle);
  return true;
}

#else

bool exp_row_avx512(size_t n, float *dst, const float *src, ExpRow *settle)
{
  (void)n, (void)dst, (void)src, (void)settle;
  return false;
}

#endif
