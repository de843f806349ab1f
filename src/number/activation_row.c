// activation_row.c -- activation functions over rows: in double, and again where that cannot decide the rounding.
//
// Each quick_... function returns its value and a bound of its error. When the two ends of value +- doubt round to the
// same float32, that is the correctly rounded result, whatever the instructions of this CPU; otherwise, for one element
// in many thousands, activation_exact_f32 decides. The loops have no branches, so compilers turn them into vectors.

#include "number/activation.h"

#include "base/bug.h"
#include "base/kernel.h"
#include "number/dtype.h"
#include "number/pair_row.h"
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

// x with its magnitude at most `most`; NaN becomes +-most, and is a NaN again in the end.
KERNEL_INLINE float limit_f32(float x, float most)
{
  uint32_t sign = f32_bits(x) & 0x80000000;
  int32_t magnitude = (int32_t)(f32_bits(x) ^ sign), limit = (int32_t)f32_bits(most);
  return f32_from_bits((uint32_t)(magnitude < limit ? magnitude : limit) | sign);
}

KERNEL_INLINE Quick quick_exp(float x)
{
  return relative(exponential(limit_f32(x, 120)));
}

KERNEL_INLINE Quick quick_sigmoid(float x)
{
  return relative(1 / (1 + exponential(clamp_f32(-x, -120, 120))));
}

KERNEL_INLINE Quick quick_silu(float x)
{
  double z = clamp_f32(-x, -120, 120);
  return relative((x < -120 ? -120.0f : x) / (1 + exponential(z)));
}

KERNEL_INLINE Quick quick_gelu_apprx_sigmoid(float x)
{
  double z = clamp(-1.702 * x, -120, 120);
  return relative((x < -120 ? -120.0f : x) / (1 + exponential(z)));
}

// x times the sigmoid of 2 sqrt(2/pi) (x + 0.044715 x^3).
KERNEL_INLINE Quick quick_gelu_apprx_tanh(float x)
{
  double wide = x, z = clamp(-TWICE_SQRT_2_BY_PI * (wide * (1 + 0.044715 * (wide * wide))), -150, 150);
  return relative((x < -16 ? -16.0f : x) / (1 + exponential(z)));
}

// s (1 + z (1 - s)), where 1 - s = e^-z s. The two terms cancel near z = -1.28.
KERNEL_INLINE Quick silu_dx(double z)
{
  double e = exponential(-z), s = 1 / (1 + e), other = z * (e * s);
  return (Quick){s * (1 + other), s * (1 + magnitude(other)) * 0x1p-43};
}

KERNEL_INLINE Quick quick_silu_dx(float x)
{
  return silu_dx(clamp_f32(x, -120, 120));
}

KERNEL_INLINE Quick quick_gelu_apprx_sigmoid_dx(float x)
{
  return silu_dx(1.702 * clamp_f32(x, -70, 70));
}

// With e = e^2|x| - 1, also near 0: tanh |x| = e / (e + 2).
KERNEL_INLINE Quick quick_tanh(float x)
{
  double y = 2 * LOG2E * clamp_f32(fabsf(x), 0, 20), shifted = y + ROUNDER, rest = y - (shifted - ROUNDER);
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

KERNEL_INLINE Quick quick_softplus(float x)
{
  double tail = log_1_plus(exponential(clamp_f32(-fabsf(x), -120, 0)));
  return relative((x > 0 ? x : 0) + tail);
}

KERNEL_INLINE Quick quick_mish(float x)
{
  double e = exponential(clamp_f32(x, -120, 120)), product = e * (e + 2);
  return relative((x < -120 ? -120.0f : x) * (product / (product + 2)));
}

KERNEL_INLINE Quick quick_log(float x)
{
  double value = logarithm(x);
  bool computed = (x > 0) & (x < INFINITY);
  return (Quick){value, computed ? magnitude(value) * 0x1p-43 : (double)INFINITY};
}

KERNEL_INLINE Quick quick_rsqrt(float x)
{
  return relative(1 / sqrt((double)x));
}

// Phi(-u) for 0 <= u <= 16, given e^(-u^2/2).
KERNEL_INLINE double normal_tail(double u, double e)
{
  double inverse = 1 / (u + 4);
  return e * inverse * poly_normal_tail((u - 4) * inverse);
}

KERNEL_INLINE Quick quick_gelu(float x)
{
  double u = clamp_f32(fabsf(x), 0, 16), tail = normal_tail(u, exponential(-0.5 * (u * u)));
  return relative(x < 0 ? -u * tail : x * (1 - tail));
}

KERNEL_INLINE Quick quick_gelu_dx(float x)
{
  double u = clamp_f32(fabsf(x), 0, 16), e = exponential(-0.5 * (u * u)), tail = normal_tail(u, e);
  double slope = clamp_f32(x, -16, 16) * (e * ONE_BY_SQRT_2PI), below = x < 0 ? tail : 1 - tail;
  return (Quick){below + slope, (below + magnitude(slope)) * 0x1p-43};
}

KERNEL_INLINE Quick quick_erf(float x)
{
  double a = clamp_f32(fabsf(x), 0, 8);
  double near_0 = a * poly_erf(a * a), far = 1 - 2 * normal_tail(SQRT2 * a, exponential(-(a * a)));
  return relative(with_sign_of(a < 1 ? near_0 : far, x));
}

KERNEL_INLINE Quick quick_erf_dx(float x)
{
  double a = clamp_f32(x, -12, 12);
  return relative(TWO_BY_SQRT_PI * exponential(-(a * a)));
}

// pi - |x| and |x| - pi are good to the last bit although they cancel.
KERNEL_INLINE Quick quick_sin(float x)
{
  double a = fabsf(x), u = (a - PI_HI) - PI_LO, square = u * u;
  double w = a < 1.5 ? a : -u;
  double inside = w * poly_sin(w * w), beyond = u * (square * (1.0 / 6) - 1);
  double value = u <= 0 ? inside : beyond;
  double size = u <= 0 ? inside : u * (square * (1.0 / 6) + 1);
  return (Quick){with_sign_of(1, x) * value, size * 0x1p-43};
}

KERNEL_INLINE Quick quick_arctan(float x)
{
  double a = clamp_f32(fabsf(x), 0, 0x1p40f), z = a > 1 ? 1 / a : a, angle = z * poly_atan(z * z);
  return relative(with_sign_of(a > 1 ? PI_HI / 2 - angle : angle, x));
}

KERNEL_INLINE float canonical(float x)
{
  return x == x ? x : f32_from_bits(F32_NAN_BITS);
}

enum { CHUNK = 512 };

// Replaces the results whose two roundings differ. Where both are NaN, or the input is, so is the result.
static void settle(ActivationFunc func, size_t n, float *low, const float *high, const float *src)
{
  for (size_t i = 0; i < n; i++)
    if (f32_bits(low[i]) != f32_bits(high[i]) && !isnan(src[i]) && !(isnan(low[i]) && isnan(high[i])))
      low[i] = activation_exact_f32(func, src[i]);
}

#ifdef __clang__
#define STEPS_STAND_ALONE _Pragma("clang loop vectorize(assume_safety)")
#else
#define STEPS_STAND_ALONE _Pragma("GCC ivdep")
#endif

// The loop is compiled for several instruction sets; fused products and sums only make errors smaller (see the top).
#if defined __x86_64__ && defined __GNUC__ && !defined KLR_NO_CLONES
#ifdef __clang__
#define AVX512 "avx512f,avx512dq"
#else
#define AVX512 "avx512f,avx512dq,prefer-vector-width=512"
#endif
#define LEVELS(FUNC, quick)                                                                                            \
  QUICK_ROW(FUNC##_base, FUNC, quick, )                                                                                \
  QUICK_ROW(FUNC##_avx2, FUNC, quick, __attribute__((target("avx2,fma"))))                                             \
  QUICK_ROW(FUNC##_avx512, FUNC, quick, __attribute__((target(AVX512))))                                               \
  static void row_##FUNC(size_t n, float *dst, const float *src)                                                       \
  {                                                                                                                    \
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))                                       \
      row_##FUNC##_avx512(n, dst, src);                                                                                \
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))                                          \
      row_##FUNC##_avx2(n, dst, src);                                                                                  \
    else                                                                                                               \
      row_##FUNC##_base(n, dst, src);                                                                                  \
  }
#else
#define LEVELS(FUNC, quick) QUICK_ROW(FUNC, FUNC, quick, )
#endif

#define QUICK_ROW(name, FUNC, quick, attribute)                                                                        \
  attribute static void row_##name(size_t n, float *dst, const float *src)                                             \
  {                                                                                                                    \
    for (size_t at = 0; at < n; at += CHUNK) {                                                                         \
      size_t count = n - at < CHUNK ? n - at : CHUNK;                                                                  \
      float kept[CHUNK], above[CHUNK], *to = dst + at;                                                                 \
      const float *from = src == dst ? memcpy(kept, src + at, count * sizeof *src) : src + at;                         \
      uint32_t differ = 0;                                                                                             \
      STEPS_STAND_ALONE                                                                                                \
      for (size_t i = 0; i < count; i++) {                                                                             \
        Quick result = quick(from[i]);                                                                                 \
        float low = (float)(result.value - result.doubt), high = (float)(result.value + result.doubt);                 \
        differ |= f32_bits(low) ^ f32_bits(high);                                                                      \
        to[i] = __builtin_isunordered(from[i], low) ? f32_from_bits(F32_NAN_BITS) : low;                               \
        above[i] = high;                                                                                               \
      }                                                                                                                \
      if (differ)                                                                                                      \
        settle(ACTIVATION_FUNC_##FUNC, count, to, above, from);                                                        \
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
LEVELS(ARCTAN, quick_arctan)
PLAIN_ROW(COPY, canonical(x))
LEVELS(ERF, quick_erf)
LEVELS(ERF_DX, quick_erf_dx)
LEVELS(EXP, quick_exp)
LEVELS(GELU, quick_gelu)
LEVELS(GELU_APPRX_TANH, quick_gelu_apprx_tanh)
LEVELS(GELU_DX, quick_gelu_dx)
LEVELS(LOG, quick_log)
LEVELS(MISH, quick_mish)
PLAIN_ROW(RECIPROCAL, canonical(1 / x))
PLAIN_ROW(RELU, x > 0 ? x : 0)
LEVELS(RSQRT, quick_rsqrt)
LEVELS(SIGMOID, quick_sigmoid)
PLAIN_ROW(SIGN, x > 0 ? 1 : x < 0 ? -1 : canonical(x))
LEVELS(SILU, quick_silu)
LEVELS(SILU_DX, quick_silu_dx)
LEVELS(SIN, quick_sin)
LEVELS(SOFTPLUS, quick_softplus)
PLAIN_ROW(SQRT, canonical(sqrtf(x)))
PLAIN_ROW(SQUARE, canonical(x * x))
LEVELS(TANH, quick_tanh)
LEVELS(GELU_APPRX_SIGMOID, quick_gelu_apprx_sigmoid)
LEVELS(GELU_APPRX_SIGMOID_DX, quick_gelu_apprx_sigmoid_dx)
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
  if (!pair_row(func, n, dst, src, rows[func]))
    rows[func](n, dst, src);
}
