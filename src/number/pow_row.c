// pow_row.c -- rows of powers: a value with an error bound, in pairs of floats and in double, as of activation functions;
// what that does not decide is computed by alu_pow.c.

#include "number/alu.h"

#include "number/pair_row.h"
#include "number/quick.h"

#include <math.h>

#ifdef __clang__
#define STEPS_STAND_ALONE _Pragma("clang loop vectorize(assume_safety)")
#else
#define STEPS_STAND_ALONE _Pragma("GCC ivdep")
#endif

enum { CHUNK = 512 };

// low[i] and high[i]: the two ends of x[i] to the power y[step * i], rounded; different where that is not decided.
#define POWER_LOOP(name, attribute)                                                                                    \
  attribute static void name(size_t n, float *low, float *high, const float *x, const float *y, size_t step)           \
  {                                                                                                                    \
    STEPS_STAND_ALONE                                                                                                  \
    for (size_t i = 0; i < n; i++) {                                                                                   \
      double power = y[step * i], value = exponential(clamp(power * logarithm(x[i]), -120, 120));                      \
      double doubt = value * 0x1p-40;                                                                                  \
      bool computed = (x[i] > 0) & (x[i] < INFINITY) & (power > -INFINITY) & (power < INFINITY);                       \
      low[i] = (float)(value - doubt);                                                                                 \
      high[i] = computed ? (float)(value + doubt) : -1.0f;                                                             \
    }                                                                                                                  \
  }

#if defined __x86_64__ && defined __GNUC__ && !defined KLR_NO_CLONES
#ifdef __clang__
#define AVX512 "avx512f,avx512dq"
#else
#define AVX512 "avx512f,avx512dq,prefer-vector-width=512"
#endif
POWER_LOOP(power_base, )
POWER_LOOP(power_avx2, __attribute__((target("avx2,fma"))))
POWER_LOOP(power_avx512, __attribute__((target(AVX512))))

static void power(size_t n, float *low, float *high, const float *x, const float *y, size_t step)
{
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    power_avx512(n, low, high, x, y, step);
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    power_avx2(n, low, high, x, y, step);
  else
    power_base(n, low, high, x, y, step);
}
#else
POWER_LOOP(power, )
#endif

// A power that is one rounded operation; false for others.
static bool plain_power(float y, size_t n, float *dst, const float *x)
{
  if (y == 2)
    for (size_t i = 0; i < n; i++)
      dst[i] = x[i] * x[i];
  else if (y == 1)
    for (size_t i = 0; i < n; i++)
      dst[i] = x[i];
  else if (y == 0.5f)
    for (size_t i = 0; i < n; i++)
      dst[i] = sqrtf(x[i]);
  else if (y == -0.5f)
    activation_row(ACTIVATION_FUNC_RSQRT, n, dst, x);
  else if (y == -1)
    for (size_t i = 0; i < n; i++)
      dst[i] = 1 / x[i];
  else
    return false;
  return true;
}

// In double; what that does not decide one by one.
static void settle_powers(size_t n, float *dst, const float *x, const float *y, size_t step)
{
  float low[CHUNK], high[CHUNK];
  for (size_t at = 0; at < n; at += CHUNK) {
    size_t count = n - at < CHUNK ? n - at : CHUNK;
    power(count, low, high, x + at, y + step * at, step);
    for (size_t i = at; i < at + count; i++)
      dst[i] = f32_bits(low[i - at]) == f32_bits(high[i - at]) ? low[i - at] : alu_f32_pow(x[i], y[step * i]);
  }
}

void alu_pow_row(size_t n, float *dst, const float *x, const float *y, size_t step)
{
  float value[CHUNK];
  for (size_t at = 0; at < n; at += CHUNK) {
    size_t count = n - at < CHUNK ? n - at : CHUNK;
    const float *from = x + at, *powers = y + step * at;
    if (step == 0 && plain_power(*y, count, value, from)) {
      for (size_t i = 0; i < count; i++)
        dst[at + i] = from[i] > 0 && from[i] < INFINITY ? value[i] : alu_f32_pow(from[i], *y);
    } else if (!pair_pow(count, dst + at, from, powers, step, settle_powers)) {
      settle_powers(count, dst + at, from, powers, step);
    }
  }
}
