// oracle.c -- correctly rounded activation functions by other means than ours: MPFR, which is sure, and the C library's
// long double functions, which decide most inputs a hundred times faster.

#include "number/activation.h"
#include "number/dtype.h"

#include <math.h>
#include <mpfr.h>
#include <stdint.h>
#include <string.h>

float oracle_mpfr(int func, float x);
float oracle_f32(int func, float x);
float oracle_pow(float x, float y);
uint64_t oracle_count_wrong(int func, uint32_t first, uint64_t count, uint32_t stride, uint32_t *wrong);

// Rounds y to float32; true if all that lies within relative 2^-bits of y rounds so.
static bool decided(mpfr_t y, int bits, float *result)
{
  if (!mpfr_regular_p(y)) {  // an infinity, a zero or NaN
    *result = mpfr_get_flt(y, MPFR_RNDN);
    return true;
  }
  mpfr_t low, high, part;
  mpfr_inits2(mpfr_get_prec(y), low, high, part, (mpfr_ptr)0);
  mpfr_mul_2si(part, y, -bits, MPFR_RNDN);
  mpfr_sub(low, y, part, MPFR_RNDN);
  mpfr_add(high, y, part, MPFR_RNDN);
  float a = mpfr_get_flt(low, MPFR_RNDN), b = mpfr_get_flt(high, MPFR_RNDN);
  mpfr_clears(low, high, part, (mpfr_ptr)0);
  *result = mpfr_get_flt(y, MPFR_RNDN);
  return memcmp(&a, &b, sizeof a) == 0;
}

// y = 1 / (1 + e^-z)
static void mpfr_sigmoid(mpfr_t y, mpfr_t z)
{
  mpfr_neg(y, z, MPFR_RNDN);
  mpfr_exp(y, y, MPFR_RNDN);
  mpfr_add_ui(y, y, 1, MPFR_RNDN);
  mpfr_ui_div(y, 1, y, MPFR_RNDN);
}

// y = s (1 + z (1 - s)) = s + z s - z s^2
static void mpfr_silu_dx(mpfr_t y, mpfr_t z)
{
  mpfr_t s, t;
  mpfr_inits2(mpfr_get_prec(y), s, t, (mpfr_ptr)0);
  mpfr_sigmoid(s, z);
  mpfr_neg(t, z, MPFR_RNDN);
  mpfr_sigmoid(t, t);  // 1 - s
  mpfr_mul(t, t, z, MPFR_RNDN);
  mpfr_add_ui(t, t, 1, MPFR_RNDN);
  mpfr_mul(y, s, t, MPFR_RNDN);
  mpfr_clears(s, t, (mpfr_ptr)0);
}

// y = erfc(-x / sqrt 2) / 2
static void mpfr_normal(mpfr_t y, mpfr_t x)
{
  mpfr_sqrt_ui(y, 2, MPFR_RNDN);
  mpfr_div(y, x, y, MPFR_RNDN);
  mpfr_neg(y, y, MPFR_RNDN);
  mpfr_erfc(y, y, MPFR_RNDN);
  mpfr_div_2ui(y, y, 1, MPFR_RNDN);
}

static void mpfr_value(int func, mpfr_t y, mpfr_t x)
{
  mpfr_t t, u;
  mpfr_inits2(mpfr_get_prec(y), t, u, (mpfr_ptr)0);
  switch (func) {
  case ACTIVATION_FUNC_ABS: mpfr_abs(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_ARCTAN: mpfr_atan(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_COPY: mpfr_set(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_ERF: mpfr_erf(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_ERF_DX:
    mpfr_sqr(y, x, MPFR_RNDN);
    mpfr_neg(y, y, MPFR_RNDN);
    mpfr_exp(y, y, MPFR_RNDN);
    mpfr_const_pi(t, MPFR_RNDN);
    mpfr_sqrt(t, t, MPFR_RNDN);
    mpfr_div(y, y, t, MPFR_RNDN);
    mpfr_mul_2ui(y, y, 1, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_EXP: mpfr_exp(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_GELU:
    mpfr_normal(y, x);
    mpfr_mul(y, y, x, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_GELU_APPRX_TANH:  // x/2 (1 + tanh(u)) = x sigmoid(2u)
    mpfr_sqr(t, x, MPFR_RNDN);
    mpfr_mul(t, t, x, MPFR_RNDN);
    mpfr_mul_ui(t, t, 44715, MPFR_RNDN);
    mpfr_div_ui(t, t, 1000000, MPFR_RNDN);
    mpfr_add(t, t, x, MPFR_RNDN);
    mpfr_const_pi(u, MPFR_RNDN);
    mpfr_ui_div(u, 2, u, MPFR_RNDN);
    mpfr_sqrt(u, u, MPFR_RNDN);
    mpfr_mul(t, t, u, MPFR_RNDN);
    mpfr_mul_2ui(t, t, 1, MPFR_RNDN);
    mpfr_sigmoid(y, t);
    mpfr_mul(y, y, x, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_GELU_DX:
    mpfr_sqr(t, x, MPFR_RNDN);
    mpfr_div_2ui(t, t, 1, MPFR_RNDN);
    mpfr_neg(t, t, MPFR_RNDN);
    mpfr_exp(t, t, MPFR_RNDN);
    mpfr_const_pi(u, MPFR_RNDN);
    mpfr_mul_2ui(u, u, 1, MPFR_RNDN);
    mpfr_sqrt(u, u, MPFR_RNDN);
    mpfr_div(t, t, u, MPFR_RNDN);
    mpfr_mul(t, t, x, MPFR_RNDN);
    mpfr_normal(y, x);
    mpfr_add(y, y, t, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_LOG: mpfr_log(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_MISH:
    mpfr_exp(t, x, MPFR_RNDN);
    mpfr_log1p(t, t, MPFR_RNDN);
    mpfr_tanh(t, t, MPFR_RNDN);
    mpfr_mul(y, t, x, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_RECIPROCAL: mpfr_ui_div(y, 1, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_RELU:
    mpfr_set_zero(t, 1);
    mpfr_max(y, x, t, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_RSQRT: mpfr_rec_sqrt(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_SIGMOID: mpfr_sigmoid(y, x); break;
  case ACTIVATION_FUNC_SIGN:
    if (mpfr_zero_p(x) || mpfr_nan_p(x))
      mpfr_set(y, x, MPFR_RNDN);
    else
      mpfr_set_si(y, mpfr_sgn(x), MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_SILU:
    mpfr_sigmoid(y, x);
    mpfr_mul(y, y, x, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_SILU_DX: mpfr_silu_dx(y, x); break;
  case ACTIVATION_FUNC_SIN:
    mpfr_const_pi(t, MPFR_RNDN);
    if (mpfr_cmpabs(x, t) <= 0) {
      mpfr_sin(y, x, MPFR_RNDN);
      break;
    }
    if (mpfr_sgn(x) < 0)
      mpfr_neg(t, t, MPFR_RNDN);
    mpfr_sub(u, x, t, MPFR_RNDN);
    mpfr_sqr(y, u, MPFR_RNDN);
    mpfr_div_ui(y, y, 6, MPFR_RNDN);
    mpfr_sub_ui(y, y, 1, MPFR_RNDN);
    mpfr_mul(y, y, u, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_SOFTPLUS:
    mpfr_exp(t, x, MPFR_RNDN);
    mpfr_log1p(y, t, MPFR_RNDN);
    break;
  case ACTIVATION_FUNC_SQRT: mpfr_sqrt(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_SQUARE: mpfr_sqr(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_TANH: mpfr_tanh(y, x, MPFR_RNDN); break;
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID:
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID_DX:
    mpfr_mul_ui(t, x, 1702, MPFR_RNDN);
    mpfr_div_ui(t, t, 1000, MPFR_RNDN);
    if (func == ACTIVATION_FUNC_GELU_APPRX_SIGMOID_DX) {
      mpfr_silu_dx(y, t);
    } else {
      mpfr_sigmoid(y, t);
      mpfr_mul(y, y, x, MPFR_RNDN);
    }
    break;
  }
  mpfr_clears(t, u, (mpfr_ptr)0);
}

// What the formulas do not give, or only after an overflow: the limits, relu of NaN, 1/sqrt(-0).
static bool by_rule(int func, float x, float *result)
{
  if (x != x) {
    *result = func == ACTIVATION_FUNC_RELU ? 0 : x;
    return true;
  }
  if (func == ACTIVATION_FUNC_RSQRT && x == 0) {
    *result = 1 / x;
    return true;
  }
  if (fabsf(x) < 300)
    return false;
  switch (func) {
  case ACTIVATION_FUNC_GELU:
  case ACTIVATION_FUNC_GELU_APPRX_TANH:
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID:
  case ACTIVATION_FUNC_MISH:
  case ACTIVATION_FUNC_SILU: *result = x > 0 ? x : -0.0f; return true;
  case ACTIVATION_FUNC_SOFTPLUS: *result = x > 0 ? x : 0; return true;
  case ACTIVATION_FUNC_EXP: *result = x > 0 ? INFINITY : 0; return true;
  case ACTIVATION_FUNC_ERF_DX: *result = 0; return true;
  case ACTIVATION_FUNC_SIGMOID: *result = x > 0; return true;
  case ACTIVATION_FUNC_ERF:
  case ACTIVATION_FUNC_TANH: *result = x > 0 ? 1 : -1; return true;
  case ACTIVATION_FUNC_GELU_DX:
  case ACTIVATION_FUNC_SILU_DX:
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID_DX: *result = x > 0 ? 1 : -0.0f; return true;
  default: return false;
  }
}

float oracle_mpfr(int func, float value)
{
  float result;
  if (by_rule(func, value, &result))
    return result;
  for (int precision = 160; precision <= 1600; precision *= 3) {
    mpfr_t x, y;
    mpfr_inits2(precision, x, y, (mpfr_ptr)0);
    mpfr_set_flt(x, value, MPFR_RNDN);
    mpfr_value(func, y, x);
    bool done = decided(y, precision - 80, &result);
    mpfr_clears(x, y, (mpfr_ptr)0);
    if (done)
      break;
  }
  return result;  // undecided to the end: an exact value, or a tie, which MPFR_RNDN rounds to even
}

// The value in long double, good to 2^-52; false where terms cancel.
static bool long_double_value(int func, long double x, long double *y)
{
  const long double pi = 3.14159265358979323846264338327950288L;
  switch (func) {
  case ACTIVATION_FUNC_ABS: *y = fabsl(x); return true;
  case ACTIVATION_FUNC_COPY: *y = x; return true;
  case ACTIVATION_FUNC_RECIPROCAL: *y = 1 / x; return true;
  case ACTIVATION_FUNC_RELU: *y = x > 0 ? x : 0; return true;
  case ACTIVATION_FUNC_SIGN: *y = x > 0 ? 1 : x < 0 ? -1 : x; return true;
  case ACTIVATION_FUNC_SQRT: *y = sqrtl(x); return true;
  case ACTIVATION_FUNC_SQUARE: *y = x * x; return true;
  case ACTIVATION_FUNC_ARCTAN: *y = atanl(x); return true;
  case ACTIVATION_FUNC_ERF: *y = erfl(x); return true;
  case ACTIVATION_FUNC_ERF_DX: *y = 2 / sqrtl(pi) * expl(-x * x); return true;
  case ACTIVATION_FUNC_EXP: *y = expl(x); return true;
  case ACTIVATION_FUNC_GELU: *y = x * (erfcl(-x / sqrtl(2)) / 2); return true;
  case ACTIVATION_FUNC_GELU_APPRX_TANH:
    *y = x / (1 + expl(-2 * sqrtl(2 / pi) * (x + 0.044715L * x * x * x)));
    return true;
  case ACTIVATION_FUNC_GELU_DX:
    *y = erfcl(-x / sqrtl(2)) / 2 + x * expl(-x * x / 2) / sqrtl(2 * pi);
    return fabsl(x) < 100 && fabsl(x + 0.7518L) > 0.01L;
  case ACTIVATION_FUNC_LOG: *y = logl(x); return x > 0;
  case ACTIVATION_FUNC_MISH: *y = x * tanhl(log1pl(expl(x))); return true;
  case ACTIVATION_FUNC_RSQRT: *y = 1 / sqrtl(x); return x > 0;
  case ACTIVATION_FUNC_SIGMOID: *y = 1 / (1 + expl(-x)); return true;
  case ACTIVATION_FUNC_SILU: *y = x / (1 + expl(-x)); return true;
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID: *y = x / (1 + expl(-1.702L * x)); return true;
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID_DX: x *= 1.702L;  // fallthrough
    __attribute__((fallthrough));
  case ACTIVATION_FUNC_SILU_DX: {
    long double s = 1 / (1 + expl(-x)), rest = 1 / (1 + expl(x));
    *y = s * (1 + x * rest);
    return fabsl(x + 1.2785L) > 0.01L;
  }
  case ACTIVATION_FUNC_SIN: {
    long double u = fabsl(x) - pi;
    *y = fabsl(x) <= 3 ? sinl(x) : copysignl(1, x) * (u * (u * u / 6 - 1));
    return fabsl(x) <= 3 || (u > 0.5 && fabsl(u * u - 6) > 0.01);
  }
  case ACTIVATION_FUNC_SOFTPLUS: *y = log1pl(expl(x)); return true;
  case ACTIVATION_FUNC_TANH: *y = tanhl(x); return true;
  default: return false;
  }
}

float oracle_f32(int func, float x)
{
  long double y;
  float result;
  if (by_rule(func, x, &result))
    return result;
  if (long_double_value(func, x, &y)) {
    // The library's errors are a few units of 2^-64; ours in putting them together and in arguments up to 2^10, 2^-52.
    float low = (float)(y - y * 0x1p-50L), high = (float)(y + y * 0x1p-50L);
    if (memcmp(&low, &high, sizeof low) == 0 && low == low)
      return low;
  }
  return oracle_mpfr(func, x);
}

float oracle_pow(float a, float b)
{
  float result = 0;
  for (int precision = 160; precision <= 1600; precision *= 3) {
    mpfr_t x, y;
    mpfr_inits2(precision, x, y, (mpfr_ptr)0);
    mpfr_set_flt(x, a, MPFR_RNDN);
    mpfr_set_flt(y, b, MPFR_RNDN);
    mpfr_pow(y, x, y, MPFR_RNDN);
    bool done = decided(y, precision - 20, &result);
    mpfr_clears(x, y, (mpfr_ptr)0);
    if (done)
      break;
  }
  return result;
}

// How many of the `count` floats whose bits are first, first + stride, ... activation_row rounds otherwise than the
// oracle; `wrong` gets the bits of the last of them.
uint64_t oracle_count_wrong(int func, uint32_t first, uint64_t count, uint32_t stride, uint32_t *wrong)
{
  enum { BLOCK = 4096 };
  float inputs[BLOCK], results[BLOCK];
  uint64_t wrong_count = 0;
  for (uint64_t at = 0; at < count; at += BLOCK) {
    size_t n = count - at < BLOCK ? (size_t)(count - at) : BLOCK;
    for (size_t i = 0; i < n; i++)
      inputs[i] = f32_from_bits(first + (uint32_t)(at + i) * stride);
    activation_row((ActivationFunc)func, n, results, inputs);
    for (size_t i = 0; i < n; i++) {
      float expected = oracle_f32(func, inputs[i]);
      uint32_t bits = expected == expected ? f32_bits(expected) : F32_NAN_BITS;
      if (bits != f32_bits(results[i])) {
        wrong_count++;
        *wrong = f32_bits(inputs[i]);
      }
    }
  }
  return wrong_count;
}
