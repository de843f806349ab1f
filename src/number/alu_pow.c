// alu_pow.c -- x to the power y, correctly rounded.

#include "number/alu.h"

#include "number/quick.h"
#include "number/wide.h"

#include <math.h>

static bool is_integer(float y)
{
  return y == rintf(y);
}

static bool is_odd(float y)
{
  return fabsf(y) < 0x1p24f && fmodf(y, 2) != 0 && is_integer(y);
}

// For x positive and finite, y finite.
static float exact_power(float x, float y)
{
  Wide exponent = wide_mul(wide_log(x), wide(y));
  if (exponent.hi > 100)
    return INFINITY;
  if (exponent.hi < -120)
    return 0;
  Wide result = wide_exp(exponent);
  // Squares, cubes and the like may lie exactly between two floats. All other powers are farther from there than this.
  if (fabs(result.lo) < 0x1p-85 * result.hi)
    result.lo = 0;
  return wide_round_f32(result);
}

static float positive_power(float x, float y)
{
  double value = exponential(clamp(y * logarithm(x), -120, 120)), doubt = value * 0x1p-40;
  float low = (float)(value - doubt), high = (float)(value + doubt);
  return f32_bits(low) == f32_bits(high) ? low : exact_power(x, y);
}

// Where x or y is 0 or infinite: 0, 1 or infinity.
static float limit_power(float magnitude, float y)
{
  if (y == 0 || magnitude == 1)
    return 1;
  return (magnitude > 1) == (y > 0) ? INFINITY : 0;
}

float alu_f32_pow(float x, float y)
{
  if (y == 0 || x == 1)
    return 1;
  if (x != x || y != y || (x < 0 && isfinite(x) && !is_integer(y)))
    return f32_from_bits(F32_NAN_BITS);
  float magnitude = fabsf(x);
  bool at_limit = magnitude == 0 || isinf(magnitude) || isinf(y);
  float result = at_limit ? limit_power(magnitude, y) : positive_power(magnitude, y);
  return signbit(x) && is_odd(y) ? -result : result;
}
