// activation_row.c -- activation functions over rows: in double, and again where that cannot decide the rounding.
//
// Each quick_... function returns its value and a bound of its error. When the two ends of value +- doubt round to the
// same float32, that is the correctly rounded result, whatever the instructions of this CPU; otherwise, for one element
// in many thousands, activation_exact_f32 decides. The loops have no branches, so compilers turn them into vectors.

#include "number/activation.h"

#include "base/bug.h"
#include "base/kernel.h"
#include "number/dtype.h"
#include "number/quick.h"

#include <math.h>
#include <string.h>

typedef struct Quick {
  double value, doubt;
} Quick;

#define PI_HI 0x1.921fb54442d18p+1
#define PI_LO 0x1.1a62633145c07p-53
#define SQRT2 0x1.6a09e667f3bcdp+0
#define TWO_BY_SQRT_PI 0x1.20dd750429b6dp+0
#define ONE_BY_SQRT_2PI 0x1.9884533d43651p-2
#define TWICE_SQRT_2_BY_PI 0x1.9884533d43651p+0

// The usual bound: |value| times 2^-43, where errors are of some units of 2^-46 at most.
KERNEL_INLINE Quick relative(double value)
{
  return (Quick){value, value * 0x1p-43};
}

KERNEL_INLINE Quick quick_exp(double x)
{
  return relative(exponential(clamp(x, -120, 120)));
}

KERNEL_INLINE Quick quick_sigmoid(double x)
{
  return relative(1 / (1 + exponential(clamp(-x, -120, 120))));
}

KERNEL_INLINE Quick quick_silu(double x)
{
  double z = clamp(-x, -120, 120);
  return relative((x < -120 ? -120 : x) / (1 + exponential(z)));
}

KERNEL_INLINE Quick quick_gelu_apprx_sigmoid(double x)
{
  double z = clamp(-1.702 * x, -120, 120);
  return relative((x < -120 ? -120 : x) / (1 + exponential(z)));
}

// x times the sigmoid of 2 sqrt(2/pi) (x + 0.044715 x^3).
KERNEL_INLINE Quick quick_gelu_apprx_tanh(double x)
{
  double z = clamp(-TWICE_SQRT_2_BY_PI * (x * (1 + 0.044715 * (x * x))), -150, 150);
  return relative((x < -16 ? -16 : x) / (1 + exponential(z)));
}

// s (1 + z (1 - s)), where 1 - s = e^-z s. The two terms cancel near z = -1.28.
KERNEL_INLINE Quick quick_silu_dx(double x)
{
  double z = clamp(x, -120, 120), e = exponential(-z), s = 1 / (1 + e), other = z * (e * s);
  return (Quick){s * (1 + other), s * (1 + magnitude(other)) * 0x1p-43};
}

KERNEL_INLINE Quick quick_gelu_apprx_sigmoid_dx(double x)
{
  return quick_silu_dx(1.702 * clamp(x, -120, 120));
}

// With e = e^2|x| - 1, also near 0: tanh |x| = e / (e + 2).
KERNEL_INLINE Quick quick_tanh(double x)
{
  double y = 2 * LOG2E * clamp(magnitude(x), 0, 20), shifted = y + ROUNDER, rest = y - (shifted - ROUNDER);
  double scale = from_bits((bits_of(shifted) + 1023) << 52);
  double e = rest * poly_exp2m1(rest) * scale + (scale - 1);
  return relative(with_sign_of(e / (e + 2), x));
}

// ln(1 + t) for 0 <= t <= 1, also near 0.
KERNEL_INLINE double log_1_plus(double t)
{
  double s = t / (2 + t);
  return s * poly_atanh(s * s);
}

KERNEL_INLINE Quick quick_softplus(double x)
{
  double tail = log_1_plus(exponential(clamp(-magnitude(x), -120, 0)));
  return relative((x > 0 ? x : 0) + tail);
}

KERNEL_INLINE Quick quick_mish(double x)
{
  double e = exponential(clamp(x, -120, 120)), product = e * (e + 2);
  return relative((x < -120 ? -120 : x) * (product / (product + 2)));
}

KERNEL_INLINE Quick quick_log(double x)
{
  double value = logarithm(x);
  value = x > 0 ? value : x == 0 ? -INFINITY : (double)NAN;
  value = x == INFINITY ? x : value;
  double doubt = magnitude(value) * 0x1p-43;
  return (Quick){value, doubt == INFINITY ? 0 : doubt};
}

KERNEL_INLINE Quick quick_rsqrt(double x)
{
  return relative(1 / sqrt(x));
}

// Phi(-u) for 0 <= u <= 16, given e^(-u^2/2).
KERNEL_INLINE double normal_tail(double u, double e)
{
  double inverse = 1 / (u + 4);
  return e * inverse * poly_normal_tail((u - 4) * inverse);
}

KERNEL_INLINE Quick quick_gelu(double x)
{
  double u = clamp(magnitude(x), 0, 16), tail = normal_tail(u, exponential(-0.5 * (u * u)));
  return relative(x < 0 ? -u * tail : x * (1 - tail));
}

KERNEL_INLINE Quick quick_gelu_dx(double x)
{
  double u = clamp(magnitude(x), 0, 16), e = exponential(-0.5 * (u * u)), tail = normal_tail(u, e);
  double slope = u * (e * ONE_BY_SQRT_2PI), below = x < 0 ? tail : 1 - tail;
  return (Quick){x < 0 ? below - slope : below + slope, (below + slope) * 0x1p-43};
}

KERNEL_INLINE Quick quick_erf(double x)
{
  double a = clamp(magnitude(x), 0, 8);
  double near_0 = a * poly_erf(a * a), far = 1 - 2 * normal_tail(SQRT2 * a, exponential(-(a * a)));
  return relative(with_sign_of(a < 1 ? near_0 : far, x));
}

KERNEL_INLINE Quick quick_erf_dx(double x)
{
  double a = clamp(x, -12, 12);
  return relative(TWO_BY_SQRT_PI * exponential(-(a * a)));
}

// pi - |x| and |x| - pi are good to the last bit although they cancel.
KERNEL_INLINE Quick quick_sin(double x)
{
  double a = magnitude(x), u = (a - PI_HI) - PI_LO, square = u * u;
  double w = a < 1.5 ? a : -u;
  double inside = w * poly_sin(w * w), beyond = u * (square * (1.0 / 6) - 1);
  double value = u <= 0 ? inside : beyond;
  double size = u <= 0 ? inside : u * (square * (1.0 / 6) + 1);
  return (Quick){with_sign_of(1, x) * value, size * 0x1p-43};
}

KERNEL_INLINE Quick quick_arctan(double x)
{
  double a = clamp(magnitude(x), 0, 0x1p40), z = a > 1 ? 1 / a : a, angle = z * poly_atan(z * z);
  return relative(with_sign_of(a > 1 ? PI_HI / 2 - angle : angle, x));
}

KERNEL_INLINE float canonical(float x)
{
  return x == x ? x : f32_from_bits(F32_NAN_BITS);
}

enum { CHUNK = 64 };

// Replaces the results whose two roundings differ.
static void settle(ActivationFunc func, size_t n, float *low, const float *high, const float *src)
{
  for (size_t i = 0; i < n; i++)
    if (f32_bits(low[i]) != f32_bits(high[i]))
      low[i] = activation_exact_f32(func, src[i]);
}

#define QUICK_ROW(FUNC, quick)                                                                                         \
  KERNEL_CLONES static void row_##FUNC(size_t n, float *dst, const float *src)                                         \
  {                                                                                                                    \
    for (size_t at = 0; at < n; at += CHUNK) {                                                                         \
      size_t count = n - at < CHUNK ? n - at : CHUNK;                                                                  \
      float low[CHUNK], high[CHUNK];                                                                                   \
      uint32_t differ = 0;                                                                                             \
      for (size_t i = 0; i < count; i++) {                                                                             \
        Quick result = quick(src[at + i]);                                                                             \
        low[i] = canonical((float)(result.value - result.doubt));                                                      \
        high[i] = canonical((float)(result.value + result.doubt));                                                     \
        differ |= f32_bits(low[i]) ^ f32_bits(high[i]);                                                                \
      }                                                                                                                \
      if (differ)                                                                                                      \
        settle(ACTIVATION_FUNC_##FUNC, count, low, high, src + at);                                                    \
      memcpy(dst + at, low, count * sizeof *dst);                                                                      \
    }                                                                                                                  \
  }

// Functions that float32 arithmetic rounds correctly by itself.
#define PLAIN_ROW(FUNC, expression)                                                                                    \
  KERNEL_CLONES static void row_##FUNC(size_t n, float *dst, const float *src)                                         \
  {                                                                                                                    \
    for (size_t i = 0; i < n; i++) {                                                                                   \
      float x = src[i];                                                                                                \
      dst[i] = (expression);                                                                                           \
    }                                                                                                                  \
  }

PLAIN_ROW(ABS, canonical(fabsf(x)))
QUICK_ROW(ARCTAN, quick_arctan)
PLAIN_ROW(COPY, canonical(x))
QUICK_ROW(ERF, quick_erf)
QUICK_ROW(ERF_DX, quick_erf_dx)
QUICK_ROW(EXP, quick_exp)
QUICK_ROW(GELU, quick_gelu)
QUICK_ROW(GELU_APPRX_TANH, quick_gelu_apprx_tanh)
QUICK_ROW(GELU_DX, quick_gelu_dx)
QUICK_ROW(LOG, quick_log)
QUICK_ROW(MISH, quick_mish)
PLAIN_ROW(RECIPROCAL, canonical(1 / x))
PLAIN_ROW(RELU, x > 0 ? x : 0)
QUICK_ROW(RSQRT, quick_rsqrt)
QUICK_ROW(SIGMOID, quick_sigmoid)
PLAIN_ROW(SIGN, x > 0 ? 1 : x < 0 ? -1 : canonical(x))
QUICK_ROW(SILU, quick_silu)
QUICK_ROW(SILU_DX, quick_silu_dx)
QUICK_ROW(SIN, quick_sin)
QUICK_ROW(SOFTPLUS, quick_softplus)
PLAIN_ROW(SQRT, canonical(sqrtf(x)))
PLAIN_ROW(SQUARE, canonical(x * x))
QUICK_ROW(TANH, quick_tanh)
QUICK_ROW(GELU_APPRX_SIGMOID, quick_gelu_apprx_sigmoid)
QUICK_ROW(GELU_APPRX_SIGMOID_DX, quick_gelu_apprx_sigmoid_dx)
PLAIN_ROW(PRELU, x >= 0 ? x : canonical(0 * x))

typedef void RowFunc(size_t n, float *dst, const float *src);

static RowFunc *const rows[ACTIVATION_FUNC_COUNT] = {
#define ACTIVATION(enumerator, ...) [ACTIVATION_FUNC_##enumerator] = row_##enumerator,
#include "number/activation.def"
};

void activation_row(ActivationFunc func, size_t n, float *dst, const float *src)
{
  if ((unsigned)func >= ACTIVATION_FUNC_COUNT)
    bug("activation function %u", (unsigned)func);
  rows[func](n, dst, src);
}
