// test_schema_scalar.c -- the functions of scalar kernels against MPFR, and conversions against every f16.

#include "test.h"

#include "number/dtype.h"
#include "schema/run/klr_scalar.h"

#include <mpfr.h>

typedef int Exact(mpfr_t, const mpfr_t, mpfr_rnd_t);

static const struct {
  const char *name;
  float (*ours)(float);
  Exact *exact;
} FUNCTIONS[] = {
#define ROW(name) {#name, klr_##name##_f32, mpfr_##name}
    ROW(exp), ROW(exp2), ROW(expm1), ROW(log), ROW(log2), ROW(log10), ROW(log1p), ROW(sin), ROW(cos),
    ROW(tan), ROW(asin), ROW(acos), ROW(atan), ROW(sinh), ROW(cosh), ROW(tanh), ROW(erf),
};

static uint64_t random_state = 1;

static uint32_t random_bits(void)
{
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(random_state >> 32);
}

// Half of them of any size, half near 1.
static float random_float(void)
{
  uint32_t bits = random_bits();
  return klr_from_bits_f32(random_bits() & 1 ? bits : (bits & 0x80ffffffu) | (0x38000000u + (bits & 0x7000000u)));
}

static const float SPECIAL[] = {0.0f,    -0.0f, 1.0f,  -1.0f,  0.5f,    -0.5f,       2.0f,     10.0f,      1000.0f, 1e-40f, -1e-40f, 88.7f,
                                88.8f,   -104.0f, -103.9f, 0.25f, -0.25f, 0.99999994f, 1.0000001f, 1048575.9f, 1048576.0f, 3.4e38f, -3.4e38f,
                                INFINITY, -INFINITY, NAN};
enum { SPECIAL_COUNT = sizeof SPECIAL / sizeof *SPECIAL, SAMPLES = 6000 };

// How far `got` is from `want`, in units of the last place of the nearest float.
static double ulps(float got, const mpfr_t want)
{
  float nearest = mpfr_get_flt(want, MPFR_RNDN);
  if (nearest != nearest || got != got)
    return nearest != nearest && got != got ? 0 : INFINITY;
  if (isinf(nearest) || isinf(got) || nearest == 0)
    return klr_bits_f32(got) == klr_bits_f32(nearest) ? 0 : INFINITY;
  int exponent;
  frexpf(nearest, &exponent);
  mpfr_t difference;
  mpfr_init2(difference, 80);
  mpfr_d_sub(difference, (double)got, want, MPFR_RNDN);
  double distance = fabs(mpfr_get_d(difference, MPFR_RNDN));
  mpfr_clear(difference);
  return ldexp(distance, -(exponent - 24 < -149 ? -149 : exponent - 24));
}

TEST(scalar_functions_are_within_half_an_ulp)
{
  mpfr_t in, want;
  mpfr_inits2(80, in, want, NULL);
  for (size_t k = 0; k < sizeof FUNCTIONS / sizeof *FUNCTIONS; k++)
    for (int i = 0; i < SAMPLES + SPECIAL_COUNT; i++) {
      float x = i < SPECIAL_COUNT ? SPECIAL[i] : random_float();
      mpfr_set_flt(in, x, MPFR_RNDN);
      FUNCTIONS[k].exact(want, in, MPFR_RNDN);
      double error = ulps(FUNCTIONS[k].ours(x), want);
      if (error > 0.5001)
        test_fail(__FILE__, __LINE__, "%s(%a) is %a, off by %g ulp", FUNCTIONS[k].name, (double)x, (double)FUNCTIONS[k].ours(x), error);
    }
  mpfr_clears(in, want, NULL);
}

TEST(scalar_pow_and_atan2_are_within_half_an_ulp)
{
  mpfr_t a, b, want;
  mpfr_inits2(80, a, b, want, NULL);
  for (int i = 0; i < SPECIAL_COUNT * SPECIAL_COUNT + SAMPLES; i++) {
    float x = i < SPECIAL_COUNT * SPECIAL_COUNT ? SPECIAL[i / SPECIAL_COUNT] : random_float();
    float y = i < SPECIAL_COUNT * SPECIAL_COUNT ? SPECIAL[i % SPECIAL_COUNT] : i % 5 ? random_float() : (float)(int)(random_bits() % 41) - 20;
    mpfr_set_flt(a, x, MPFR_RNDN), mpfr_set_flt(b, y, MPFR_RNDN);
    mpfr_pow(want, a, b, MPFR_RNDN);
    if (ulps(klr_pow_f32(x, y), want) > 0.5001)
      test_fail(__FILE__, __LINE__, "pow(%a, %a) is %a", (double)x, (double)y, (double)klr_pow_f32(x, y));
    mpfr_atan2(want, a, b, MPFR_RNDN);
    if (ulps(klr_atan2_f32(x, y), want) > 0.5001)
      test_fail(__FILE__, __LINE__, "atan2(%a, %a) is %a", (double)x, (double)y, (double)klr_atan2_f32(x, y));
  }
  mpfr_clears(a, b, want, NULL);
}

TEST(scalar_narrow_floats_are_loaded_and_stored_exactly)
{
  for (uint32_t bits = 0; bits < 65536; bits++) {
    float half = klr_f16_to_f32((uint16_t)bits), brain = klr_bf16_to_f32((uint16_t)bits);
    if (half == half)
      EXPECT_HEX(klr_f32_to_f16(half), ==, bits);
    if (brain == brain)
      EXPECT_HEX(klr_f32_to_bf16(brain), ==, bits);
    else
      EXPECT(klr_f32_to_bf16(brain) == (bits | 0x40));
  }
  for (int i = 0; i < 20000; i++) {
    float x = random_float();
    if (x != x)
      continue;
    uint16_t half, brain;
    dtype_from_f32(DTYPE_FLOAT16, x, &half), dtype_from_f32(DTYPE_BFLOAT16, x, &brain);
    EXPECT_HEX(klr_f32_to_f16(x), ==, half);
    EXPECT_HEX(klr_f32_to_bf16(x), ==, brain);
  }
}

TEST(scalar_integers_divide_and_shift_as_documented)
{
  EXPECT_INT(klr_floor_div_i32(-7, 2), ==, -4);
  EXPECT_INT(klr_mod_i32(-7, 2), ==, 1);
  EXPECT_INT(klr_mod_i32(7, -2), ==, -1);
  EXPECT_INT(klr_floor_div_i32(INT32_MIN, -1), ==, INT32_MIN);
  EXPECT_INT(klr_floor_div_i64(5, 0), ==, 0);
  EXPECT_INT(klr_mod_u32(5, 0), ==, 0);
  EXPECT_INT(klr_pow_i32(-1, -3), ==, -1);
  EXPECT_INT(klr_pow_i32(2, -1), ==, 0);
  EXPECT_INT(klr_pow_u32(3, 20), ==, (int64_t)(uint32_t)3486784401u);
  EXPECT_INT(klr_shl_i32(1, 32), ==, 0);
  EXPECT_INT(klr_shr_i32(-8, 99), ==, -1);
  EXPECT_INT(klr_shr_u32(8, -1), ==, 0);
  EXPECT_INT(klr_cast_f32_i32(NAN), ==, 0);
  EXPECT_INT(klr_cast_f32_u8(300.5f), ==, 255);
  EXPECT_INT(klr_cast_f64_i8(-1e9), ==, -128);
  EXPECT_INT(klr_cast_f32_u32(-0.9f), ==, 0);
}
