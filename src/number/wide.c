// wide.c -- double-double arithmetic after Dekker and Knuth, and series built on it.
//
// Needs exactly rounded additions and products: compiled, like everything here, with -ffp-contract=off.

#include "number/wide.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

const Wide wide_pi = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53};
const Wide wide_ln2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

// a + b exactly.
static Wide two_sum(double a, double b)
{
  double sum = a + b, b_part = sum - a;
  return (Wide){sum, (a - (sum - b_part)) + (b - b_part)};
}

// The same for |a| >= |b|.
static Wide quick_two_sum(double a, double b)
{
  double sum = a + b;
  return (Wide){sum, b - (sum - a)};
}

// The upper 26 bits of a.
static double upper(double a)
{
  double shifted = a * 134217729.0;  // 2^27 + 1
  return shifted - (shifted - a);
}

// a * b exactly.
static Wide two_product(double a, double b)
{
  double product = a * b;
  double a_hi = upper(a), a_lo = a - a_hi, b_hi = upper(b), b_lo = b - b_hi;
  return (Wide){product, ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
}

Wide wide_add(Wide a, Wide b)
{
  Wide s = two_sum(a.hi, b.hi), t = two_sum(a.lo, b.lo);
  s = quick_two_sum(s.hi, s.lo + t.hi);
  return quick_two_sum(s.hi, s.lo + t.lo);
}

Wide wide_neg(Wide a)
{
  return (Wide){-a.hi, -a.lo};
}

Wide wide_sub(Wide a, Wide b)
{
  return wide_add(a, wide_neg(b));
}

Wide wide_mul(Wide a, Wide b)
{
  Wide p = two_product(a.hi, b.hi);
  return quick_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

Wide wide_div(Wide a, Wide b)
{
  double first = a.hi / b.hi;
  Wide rest = wide_sub(a, wide_mul(wide(first), b));
  double second = rest.hi / b.hi;
  rest = wide_sub(rest, wide_mul(wide(second), b));
  return wide_add(quick_two_sum(first, second), wide(rest.hi / b.hi));
}

Wide wide_times(double power_of_two, Wide a)
{
  return (Wide){a.hi * power_of_two, a.lo * power_of_two};
}

Wide wide_sqrt(Wide a)
{
  double root = sqrt(a.hi);
  Wide rest = wide_sub(a, two_product(root, root));
  return quick_two_sum(root, rest.hi / (2 * root));
}

static double power_of_two(int exponent)
{
  union { uint64_t bits; double value; } both = {(uint64_t)(exponent + 1023) << 52};
  return both.value;
}

// e^x - 1 by its series for x / 256, then eight times (1+p)^2 - 1 = 2p + p^2. For |x| up to 0.4.
static Wide expm1_small(Wide x)
{
  enum { HALVINGS = 8, TERMS = 10 };
  x = wide_times(1.0 / (1 << HALVINGS), x);
  Wide sum = wide(0);
  for (int n = TERMS; n >= 1; n--)  // x/1 (1 + x/2 (1 + x/3 (...)))
    sum = wide_mul(wide_div(x, wide(n)), wide_add(wide(1), sum));
  for (int i = 0; i < HALVINGS; i++)
    sum = wide_add(wide_times(2, sum), wide_mul(sum, sum));
  return sum;
}

Wide wide_expm1(Wide x)
{
  double count = rint(x.hi / wide_ln2.hi);
  // count * ln2 keeps 104 bits and count has at most ten, so the rest is good to 2^-94 of ln2.
  Wide rest = count == 0 ? x : wide_sub(x, wide_mul(wide(count), wide_ln2));
  Wide part = expm1_small(rest);
  if (count == 0)
    return part;
  double scale = power_of_two((int)count);
  return wide_add(wide_times(scale, part), wide_sub(wide(scale), wide(1)));
}

Wide wide_exp(Wide x)
{
  double count = rint(x.hi / wide_ln2.hi);
  Wide rest = wide_sub(x, wide_mul(wide(count), wide_ln2));
  return wide_times(power_of_two((int)count), wide_add(wide(1), expm1_small(rest)));
}

// 2 atanh(s) = 2 (s + s^3/3 + s^5/5 + ...), for |s| up to 1/3.
static Wide twice_atanh(Wide s)
{
  Wide square = wide_mul(s, s), sum = wide(0);
  for (int n = 71; n >= 1; n -= 2)
    sum = wide_add(wide_mul(sum, square), wide_div(wide(1), wide(n)));
  return wide_times(2, wide_mul(s, sum));
}

Wide wide_log1p(Wide x)
{
  return twice_atanh(wide_div(x, wide_add(wide(2), x)));
}

Wide wide_log(double x)
{
  int exponent;
  double fraction = frexp(x, &exponent);  // [0.5, 1)
  if (fraction < 0x1.6a09e667f3bcdp-1) {
    fraction *= 2;
    exponent--;
  }
  Wide part = twice_atanh(wide_div(wide(fraction - 1), wide_add(wide(fraction), wide(1))));
  return wide_add(wide_mul(wide(exponent), wide_ln2), part);
}

Wide wide_sin(Wide x)
{
  Wide square = wide_mul(x, x), sum = wide(0);
  for (int n = 35; n >= 1; n -= 2)  // x/1 (1 - x^2/(2*3) (1 - x^2/(4*5) (...)))
    sum = wide_sub(wide(1), wide_mul(wide_div(square, wide((n + 1) * (n + 2))), sum));
  return wide_mul(x, sum);
}

// atan(x) = 2 atan(x / (1 + sqrt(1 + x^2))).
static Wide half_angle(Wide x)
{
  Wide root = wide_sqrt(wide_add(wide(1), wide_mul(x, x)));
  return wide_div(x, wide_add(wide(1), root));
}

Wide wide_atan(double x)
{
  double magnitude = fabs(x);
  bool inverted = magnitude > 1;
  Wide t = inverted ? wide_div(wide(1), wide(magnitude)) : wide(magnitude);
  t = half_angle(half_angle(t));  // up to tan(pi/16)
  Wide square = wide_mul(t, t), sum = wide(0);
  for (int n = 47; n >= 1; n -= 2)
    sum = wide_sub(wide_div(wide(1), wide(n)), wide_mul(sum, square));
  Wide angle = wide_times(4, wide_mul(t, sum));
  if (inverted)
    angle = wide_sub(wide_times(0.5, wide_pi), angle);
  return x < 0 ? wide_neg(angle) : angle;
}

// erf(x) = 2/sqrt(pi) e^(-x^2) (x + 2x^3/3 + 4x^5/15 + ...), all terms of one sign, for |x| up to 3.
static Wide erf_series(Wide x)
{
  Wide square = wide_mul(x, x), sum = wide(0);
  for (int n = 100; n >= 1; n--)  // 1 + 2x^2/3 (1 + 2x^2/5 (1 + ...))
    sum = wide_mul(wide_div(wide_times(2, square), wide(2 * n + 1)), wide_add(wide(1), sum));
  sum = wide_mul(wide_mul(x, wide_add(wide(1), sum)), wide_exp(wide_neg(square)));
  return wide_div(wide_times(2, sum), wide_sqrt(wide_pi));
}

// erfc(x) = e^(-x^2)/sqrt(pi) / (x + (1/2)/(x + (2/2)/(x + (3/2)/(x + ...)))), for x from 3.
static Wide erfc_fraction(Wide x)
{
  Wide tail = x;
  for (int n = 150; n >= 1; n--)
    tail = wide_add(x, wide_div(wide(0.5 * n), tail));
  return wide_div(wide_exp(wide_neg(wide_mul(x, x))), wide_mul(tail, wide_sqrt(wide_pi)));
}

Wide wide_erfc(Wide x)
{
  return x.hi > 3 ? erfc_fraction(x) : wide_sub(wide(1), erf_series(x));
}

Wide wide_erf(Wide x)
{
  if (x.hi < 0)
    return wide_neg(wide_erf(wide_neg(x)));
  return x.hi > 3 ? wide_sub(wide(1), erfc_fraction(x)) : erf_series(x);
}

float wide_round_f32(Wide a)
{
  // With its last bit set when anything lies below, hi is on the right side of every midpoint of two floats.
  union { double value; uint64_t bits; } both = {a.hi};
  if (a.lo != 0 && !(both.bits & 1))
    both.bits += (a.lo > 0) == (a.hi > 0) ? 1 : UINT64_MAX;
  return (float)both.value;
}
