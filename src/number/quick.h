// quick.h -- functions in double, good to about 2^-45, as parts of loops that compilers turn into vectors.

#pragma once
#include "base/kernel.h"
#include "number/polynomials.h"

#include <stdint.h>

#define LOG2E 0x1.71547652b82fep+0
#define LN2 0x1.62e42fefa39efp-1
#define ROUNDER 0x1.8p52  // added to a double below 2^51 it leaves the nearest integer in the low bits

KERNEL_INLINE uint64_t bits_of(double value)
{
  union { double value; uint64_t bits; } both = {value};
  return both.bits;
}

KERNEL_INLINE double from_bits(uint64_t bits)
{
  union { uint64_t bits; double value; } both = {bits};
  return both.value;
}

// NaN stays.
KERNEL_INLINE double clamp(double x, double least, double most)
{
  x = x < least ? least : x;
  return x > most ? most : x;
}

KERNEL_INLINE float clamp_f32(float x, float least, float most)
{
  x = x < least ? least : x;
  return x > most ? most : x;
}

KERNEL_INLINE double magnitude(double x)
{
  return from_bits(bits_of(x) & ~(UINT64_C(1) << 63));
}

KERNEL_INLINE double with_sign_of(double value, double x)
{
  return from_bits(bits_of(value) | (bits_of(x) & UINT64_C(1) << 63));
}

// 2^y for |y| below 1000. Most of the error is that of y, which callers keep below 2^-44.
KERNEL_INLINE double power_of_2(double y)
{
  double shifted = y + ROUNDER, rest = y - (shifted - ROUNDER);
  return from_bits(bits_of(poly_exp2(rest)) + (bits_of(shifted) << 52));
}

// e^x, for x clamped to +-150.
KERNEL_INLINE double exponential(double x)
{
  return power_of_2(x * LOG2E);
}

// x = 2^k m with m from sqrt(1/2) to sqrt(2), where m - 1 is exact; ln m = 2 atanh((m - 1) / (m + 1)).
// For x positive and normal, else nonsense.
KERNEL_INLINE double logarithm(double x)
{
  uint64_t offset = bits_of(x) + (UINT64_C(0x3FF0000000000000) - UINT64_C(0x3FE6A09E667F3BCD));
  uint64_t exponent = offset >> 52;  // k + 1023
  double m = from_bits(bits_of(x) - (exponent << 52) + UINT64_C(0x3FF0000000000000));
  double k = from_bits(exponent | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
  double s = (m - 1) / (m + 1);
  return k * LN2 + s * poly_atanh(s * s);
}
