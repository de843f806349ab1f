/* klr_scalar.h -- what operators and functions of scalar kernels compute, where plain C would compute something else or nothing.
 *
 * Generated code carries this text and the interpreter includes it, so both have the same bits with every compiler and
 * instruction set; -ffp-contract=off is needed. Names are klr_OPERATION_TYPE. Most have no branches, so that loops become vectors.
 *
 * f32 functions compute in double with errors below 2^-40 and round once: they are within 0.51 ulp of the exact value. f64
 * functions are libm's, but for the exact ones.
 */

#ifndef KLR_SCALAR_H
#define KLR_SCALAR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define KLR_FN static inline __attribute__((always_inline, unused))

/* ---- bits */

KLR_FN uint64_t klr_bits_f64(double x) { uint64_t bits; memcpy(&bits, &x, 8); return bits; }
KLR_FN double klr_from_bits_f64(uint64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
KLR_FN uint32_t klr_bits_f32(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }
KLR_FN float klr_from_bits_f32(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }

/* ---- counts of bits */

KLR_FN uint32_t klr_popcount_u32(uint32_t x)
{
  x -= x >> 1 & 0x55555555u;
  x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
  return ((x + (x >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;
}
KLR_FN uint64_t klr_popcount_u64(uint64_t x) { return klr_popcount_u32((uint32_t)x) + klr_popcount_u32((uint32_t)(x >> 32)); }
KLR_FN uint32_t klr_clz_u32(uint32_t x) { return x ? (uint32_t)__builtin_clz(x) : 32u; }
KLR_FN uint64_t klr_clz_u64(uint64_t x) { return x ? (uint64_t)__builtin_clzll(x) : 64u; }
KLR_FN uint32_t klr_ctz_u32(uint32_t x) { return klr_popcount_u32((x & (0u - x)) - 1u); }
KLR_FN uint64_t klr_ctz_u64(uint64_t x) { return klr_popcount_u64((x & (0u - x)) - 1u); }

KLR_FN int32_t klr_popcount_i32(int32_t x) { return (int32_t)klr_popcount_u32((uint32_t)x); }
KLR_FN int64_t klr_popcount_i64(int64_t x) { return (int64_t)klr_popcount_u64((uint64_t)x); }
KLR_FN int32_t klr_clz_i32(int32_t x) { return (int32_t)klr_clz_u32((uint32_t)x); }
KLR_FN int64_t klr_clz_i64(int64_t x) { return (int64_t)klr_clz_u64((uint64_t)x); }
KLR_FN int32_t klr_ctz_i32(int32_t x) { return (int32_t)klr_ctz_u32((uint32_t)x); }
KLR_FN int64_t klr_ctz_i64(int64_t x) { return (int64_t)klr_ctz_u64((uint64_t)x); }

/* ---- klr_as_TO_FROM: bits as a number of another type */

#define KLR_AS(bits)                                                                                                   \
KLR_FN int##bits##_t klr_as_i##bits##_i##bits(int##bits##_t x) { return x; }                                           \
KLR_FN int##bits##_t klr_as_i##bits##_u##bits(uint##bits##_t x) { return (int##bits##_t)x; }                           \
KLR_FN uint##bits##_t klr_as_u##bits##_i##bits(int##bits##_t x) { return (uint##bits##_t)x; }                          \
KLR_FN uint##bits##_t klr_as_u##bits##_u##bits(uint##bits##_t x) { return x; }
KLR_AS(32)
KLR_AS(64)
#define KLR_AS_FLOAT(bits, type)                                                                                       \
KLR_FN int##bits##_t klr_as_i##bits##_f##bits(type x) { return (int##bits##_t)klr_bits_f##bits(x); }                   \
KLR_FN uint##bits##_t klr_as_u##bits##_f##bits(type x) { return klr_bits_f##bits(x); }                                 \
KLR_FN type klr_as_f##bits##_i##bits(int##bits##_t x) { return klr_from_bits_f##bits((uint##bits##_t)x); }             \
KLR_FN type klr_as_f##bits##_u##bits(uint##bits##_t x) { return klr_from_bits_f##bits(x); }                            \
KLR_FN type klr_as_f##bits##_f##bits(type x) { return x; }
KLR_AS_FLOAT(32, float)
KLR_AS_FLOAT(64, double)

/* ---- f16 and bf16 in memory: loaded exactly, stored to the nearest, ties to even; NaNs stay NaNs */

KLR_FN float klr_bf16_to_f32(uint16_t h) { return klr_from_bits_f32((uint32_t)h << 16); }

KLR_FN uint16_t klr_f32_to_bf16(float x)
{
  uint32_t bits = klr_bits_f32(x), rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (uint16_t)(x != x ? (bits >> 16) | 0x40u : rounded >> 16);
}

/* The exponent is moved by a product that is exact, also of subnormal numbers. */
KLR_FN float klr_f16_to_f32(uint16_t h)
{
  uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;
  uint32_t number = klr_bits_f32(klr_from_bits_f32(rest << 13) * 0x1p112f), special = 0x7f800000u | (rest & 0x3ffu) << 13;
  return klr_from_bits_f32(sign | (rest >= 0x7c00u ? special : number));
}

KLR_FN uint16_t klr_f32_to_f16(float x)
{
  uint32_t bits = klr_bits_f32(x), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
  uint32_t normal = (rest + 0xfffu + (rest >> 13 & 1u) - 0x38000000u) >> 13;
  uint32_t small = klr_bits_f32(klr_from_bits_f32(rest < 0x38800000u ? rest : 0u) + 0.5f) - 0x3f000000u; /* below 2^-14 */
  uint32_t special = rest > 0x7f800000u ? 0x7e00u | (rest >> 13 & 0x3ffu) : 0x7c00u;
  uint32_t finite = rest < 0x38800000u ? small : normal;
  return (uint16_t)(sign | (rest >= 0x477ff000u ? special : finite));
}

/* ---- integers: everything wraps, nothing traps */


#define KLR_SIGNED(tag, type, bits_type, bits)                                                                         \
KLR_FN type klr_add_##tag(type a, type b) { return (type)((bits_type)a + (bits_type)b); }                              \
KLR_FN type klr_sub_##tag(type a, type b) { return (type)((bits_type)a - (bits_type)b); }                              \
KLR_FN type klr_mul_##tag(type a, type b) { return (type)((bits_type)a * (bits_type)b); }                              \
KLR_FN type klr_neg_##tag(type a) { return (type)(0u - (bits_type)a); }                                                \
KLR_FN type klr_abs_##tag(type a) { return a < 0 ? klr_neg_##tag(a) : a; }                                             \
KLR_FN type klr_shl_##tag(type a, int64_t by) { return by < 0 || by > bits - 1 ? 0 : (type)((bits_type)a << by); }     \
KLR_FN type klr_shr_##tag(type a, int64_t by) { return a >> (by < 0 || by > bits - 1 ? bits - 1 : by); }               \
KLR_FN type klr_floor_div_##tag(type a, type b)                                                                        \
{                                                                                                                      \
  if (b == 0)                                                                                                          \
    return 0;                                                                                                          \
  if (b == -1)                                                                                                         \
    return klr_neg_##tag(a);                                                                                           \
  type quotient = a / b;                                                                                               \
  return quotient - (a % b != 0 && (a < 0) != (b < 0));                                                                \
}                                                                                                                      \
KLR_FN type klr_mod_##tag(type a, type b)                                                                              \
{                                                                                                                      \
  if (b == 0 || b == -1)                                                                                               \
    return 0;                                                                                                          \
  type rest = a % b;                                                                                                   \
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;                                                         \
}                                                                                                                      \
KLR_FN type klr_pow_##tag(type a, type n)                                                                              \
{                                                                                                                      \
  if (n < 0)                                                                                                           \
    return a == 1 ? 1 : a == -1 ? (n & 1 ? -1 : 1) : 0;                                                                \
  bits_type result = 1, base = (bits_type)a;                                                                           \
  for (bits_type rest = (bits_type)n; rest; rest >>= 1) {                                                              \
    result = rest & 1 ? result * base : result;                                                                        \
    base *= base;                                                                                                      \
  }                                                                                                                    \
  return (type)result;                                                                                                 \
}

#define KLR_UNSIGNED(tag, type, bits)                                                                                  \
KLR_FN type klr_add_##tag(type a, type b) { return a + b; }                                                            \
KLR_FN type klr_sub_##tag(type a, type b) { return a - b; }                                                            \
KLR_FN type klr_mul_##tag(type a, type b) { return a * b; }                                                            \
KLR_FN type klr_neg_##tag(type a) { return (type)(0u - a); }                                                           \
KLR_FN type klr_abs_##tag(type a) { return a; }                                                                        \
KLR_FN type klr_shl_##tag(type a, int64_t by) { return by < 0 || by > bits - 1 ? 0 : a << by; }                        \
KLR_FN type klr_shr_##tag(type a, int64_t by) { return by < 0 || by > bits - 1 ? 0 : a >> by; }                        \
KLR_FN type klr_floor_div_##tag(type a, type b) { return b ? a / b : 0; }                                              \
KLR_FN type klr_mod_##tag(type a, type b) { return b ? a % b : 0; }                                                    \
KLR_FN type klr_pow_##tag(type a, type n)                                                                              \
{                                                                                                                      \
  type result = 1;                                                                                                     \
  for (; n; n >>= 1, a *= a)                                                                                           \
    result = n & 1 ? result * a : result;                                                                              \
  return result;                                                                                                       \
}

#define KLR_LEAST_AND_MOST(tag, type)                                                                                  \
KLR_FN type klr_min_##tag(type a, type b) { return b < a ? b : a; }                                                    \
KLR_FN type klr_max_##tag(type a, type b) { return b > a ? b : a; }

KLR_SIGNED(i32, int32_t, uint32_t, 32)
KLR_SIGNED(i64, int64_t, uint64_t, 64)
KLR_UNSIGNED(u32, uint32_t, 32)
KLR_UNSIGNED(u64, uint64_t, 64)
KLR_LEAST_AND_MOST(i32, int32_t)
KLR_LEAST_AND_MOST(i64, int64_t)
KLR_LEAST_AND_MOST(u32, uint32_t)
KLR_LEAST_AND_MOST(u64, uint64_t)

/* By the mathematical values: what is negative is less than any u64. */
#define KLR_COMPARE(name, op, with, sign)                                                                              \
KLR_FN uint8_t klr_##name##_u64_i64(uint64_t a, int64_t b) { return (uint8_t)((b sign 0) with (a op (uint64_t)b)); }

KLR_COMPARE(lt, <, &, >=)
KLR_COMPARE(le, <=, &, >=)
KLR_COMPARE(gt, >, |, <)
KLR_COMPARE(ge, >=, |, <)
KLR_COMPARE(eq, ==, &, >=)
KLR_COMPARE(ne, !=, |, <)

KLR_FN int64_t klr_count_u64(uint64_t n) { return n > INT64_MAX ? INT64_MAX : (int64_t)n; }

/* ---- casts from floats: towards 0, at the ends of the type, NaN to 0
 *
 * What is below 1 is cast as 0: where the integer becomes a float again, some compilers round the float instead, and -0.5 would be -0.0. */

KLR_FN float klr_from_one_f32(float x) { return klr_from_bits_f32(klr_bits_f32(x) & (0u - (uint32_t)((x >= 1.0f) | (x <= -1.0f)))); }
KLR_FN double klr_from_one_f64(double x) { return klr_from_bits_f64(klr_bits_f64(x) & (0u - (uint64_t)((x >= 1.0) | (x <= -1.0)))); }

#define KLR_SIGNED_CAST(from, type, to, bits, TO, via, most)                                                            \
KLR_FN to##_t klr_cast_##from##_i##bits(type x)                                                                        \
{                                                                                                                      \
  const type end = (type)(UINT64_C(1) << (bits - 1));                                                                  \
  type inside = x > -end ? x : -end;                                                                                   \
  inside = inside < (type)most ? inside : (type)most;                                                                  \
  via value = (via)klr_from_one_##from(inside) & -(via)(x == x);                                                       \
  return (to##_t)((type)TO##_MAX == (type)most ? value : value | (-(via)(x >= end) & TO##_MAX));                       \
}
#define KLR_UNSIGNED_CAST(from, type, to, bits, TO, via, most)                                                          \
KLR_FN to##_t klr_cast_##from##_u##bits(type x)                                                                        \
{                                                                                                                      \
  type inside = x > 0 ? x : 0;                                                                                         \
  inside = inside < (type)most ? inside : (type)most;                                                                  \
  return (to##_t)((type)TO##_MAX == (type)most ? (via)inside : (via)inside | (0 - (via)(x >= (type)TO##_MAX)));        \
}
/* The mosts: the largest values below 2^31, 2^32, 2^63 and 2^64. */
#define KLR_CASTS(from, type, most31, most32, most63, most64)                                                          \
KLR_SIGNED_CAST(from, type, int8, 8, INT8, int32_t, 127)                                                               \
KLR_SIGNED_CAST(from, type, int16, 16, INT16, int32_t, 32767)                                                          \
KLR_SIGNED_CAST(from, type, int32, 32, INT32, int32_t, most31)                                                         \
KLR_SIGNED_CAST(from, type, int64, 64, INT64, int64_t, most63)                                                         \
KLR_UNSIGNED_CAST(from, type, uint8, 8, UINT8, int32_t, 255)                                                           \
KLR_UNSIGNED_CAST(from, type, uint16, 16, UINT16, int32_t, 65535)                                                      \
KLR_UNSIGNED_CAST(from, type, uint32, 32, UINT32, uint32_t, most32)                                                    \
KLR_UNSIGNED_CAST(from, type, uint64, 64, UINT64, uint64_t, most64)
KLR_CASTS(f32, float, 0x1.fffffep30f, 0x1.fffffep31f, 0x1.fffffep62f, 0x1.fffffep63f)
KLR_CASTS(f64, double, 2147483647.0, 4294967295.0, 0x1.fffffffffffffp62, 0x1.fffffffffffffp63)

/* Of 64 bits to f16 and bf16: by an f32 that ends in a 1 where it is not exact, so that only the second rounding counts. */

KLR_FN float klr_odd_f32(double x)
{
  const float near = (float)x;
  const double back = (double)near;
  const uint32_t bits = klr_bits_f32(near), less = bits - (back < 0.0 ? back < x : back > x); /* towards 0 */
  return klr_from_bits_f32(back == x ? bits : less | 1u);
}
KLR_FN double klr_odd_i64(int64_t x)
{
  const int64_t low = x & 0x7ff, high = (x - low) | (low ? 0x800 : 0); /* the 53 highest bits */
  return (double)(x < -(INT64_C(1) << 53) || x > INT64_C(1) << 53 ? high : x);
}
KLR_FN double klr_odd_u64(uint64_t x)
{
  const uint64_t low = x & 0x7ff, high = (x - low) | (low ? 0x800 : 0);
  return (double)(x > UINT64_C(1) << 53 ? high : x);
}
KLR_FN uint16_t klr_f64_to_f16(double x) { return klr_f32_to_f16(klr_odd_f32(x)); }
KLR_FN uint16_t klr_f64_to_bf16(double x) { return klr_f32_to_bf16(klr_odd_f32(x)); }

/* ---- floats */

/* Remainders have the divisor's sign, as in Python, and quotients go with them. */
#define KLR_FLOAT(tag, type, suffix, sign_bit, top)                                                                    \
KLR_FN type klr_add_##tag(type a, type b) { return a + b; }                                                            \
KLR_FN type klr_sub_##tag(type a, type b) { return a - b; }                                                            \
KLR_FN type klr_neg_##tag(type x) { return klr_from_bits_##tag(klr_bits_##tag(x) ^ sign_bit); }                        \
KLR_FN type klr_abs_##tag(type x) { return klr_from_bits_##tag(klr_bits_##tag(x) & ~sign_bit); }                       \
KLR_FN type klr_copysign_##tag(type x, type of) { return klr_from_bits_##tag((klr_bits_##tag(x) & ~sign_bit) | (klr_bits_##tag(of) & sign_bit)); } \
KLR_FN type klr_sqrt_##tag(type x) { return sqrt##suffix(x); }                                                         \
KLR_FN type klr_rsqrt_##tag(type x) { return (type)1.0 / sqrt##suffix(x); }                                            \
KLR_FN type klr_reciprocal_##tag(type x) { return (type)1.0 / x; }                                                     \
KLR_FN type klr_floor_##tag(type x) { return floor##suffix(x); }                                                       \
KLR_FN type klr_ceil_##tag(type x) { return ceil##suffix(x); }                                                         \
KLR_FN type klr_trunc_##tag(type x) { return trunc##suffix(x); }                                                       \
KLR_FN type klr_round_##tag(type x) { return rint##suffix(x); }                                                        \
KLR_FN type klr_relu_##tag(type x) { return x != x || x > (type)0.0 ? x : (type)0.0; }                                 \
KLR_FN uint8_t klr_isnan_##tag(type x) { return x != x; }                                                              \
KLR_FN uint8_t klr_isinf_##tag(type x) { return klr_abs_##tag(x) == INFINITY; }                                        \
KLR_FN type klr_min_##tag(type a, type b)                                                                              \
{                                                                                                                      \
  type least = a < b ? a : b; /* b when there is a NaN */                                                              \
  least = a == b ? klr_from_bits_##tag(klr_bits_##tag(a) | klr_bits_##tag(b)) : least;                                 \
  return a != a ? a : least;                                                                                           \
}                                                                                                                      \
KLR_FN type klr_max_##tag(type a, type b)                                                                              \
{                                                                                                                      \
  type most = a > b ? a : b;                                                                                           \
  most = a == b ? klr_from_bits_##tag(klr_bits_##tag(a) & klr_bits_##tag(b)) : most;                                   \
  return a != a ? a : most;                                                                                            \
}                                                                                                                      \
KLR_FN type klr_mod_##tag(type a, type b)                                                                              \
{                                                                                                                      \
  type rest = fmod##suffix(a, b);                                                                                      \
  return rest != (type)0.0 ? ((rest < (type)0.0) != (b < (type)0.0) ? rest + b : rest) : klr_copysign_##tag(rest, b);  \
}                                                                                                                      \
KLR_FN type klr_floor_div_##tag(type a, type b)                                                                        \
{                                                                                                                      \
  if (b == (type)0.0)                                                                                                  \
    return a / b;                                                                                                      \
  type rest = fmod##suffix(a, b), quotient = (a - rest) / b;                                                           \
  quotient -= rest != (type)0.0 && (rest < (type)0.0) != (b < (type)0.0) ? (type)1.0 : (type)0.0;                      \
  type whole = floor##suffix(quotient);                                                                                \
  whole += quotient - whole > (type)0.5 ? (type)1.0 : (type)0.0;                                                       \
  return quotient != (type)0.0 ? whole : klr_copysign_##tag((type)0.0, a / b);                                         \
}                                                                                                                      \
KLR_FN type klr_fma_##tag(type a, type b, type c) { return fma##suffix(a, b, c); }

KLR_FLOAT(f32, float, f, 0x80000000u, 31)
KLR_FLOAT(f64, double, , UINT64_C(0x8000000000000000), 63)

/* ---- f32 functions, in double */

#define KLR_ROUND_MAGIC 0x1.8p52 /* x + this - this is x rounded to a whole number, |x| < 2^51 */

/* 2^n, -1022 <= n <= 1023; `shifted` is n + KLR_ROUND_MAGIC. */
KLR_FN double klr_d_two_to(double shifted)
{
  return klr_from_bits_f64((klr_bits_f64(shifted) + 1023u) << 52);
}

KLR_FN double klr_d_clamp(double x, double low, double high)
{
  x = x < low ? low : x; /* a NaN stays one */
  return x > high ? high : x;
}

KLR_FN double klr_d_exp(double x)
{
  x = klr_d_clamp(x, -700.0, 700.0);
  double shifted = x * 0x1.71547652b82fep0 + KLR_ROUND_MAGIC, n = shifted - KLR_ROUND_MAGIC;
  double r = (x - n * 0x1.62e42fefa0000p-1) - n * 0x1.cf79abc9e3b3ap-40;
  double p = 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0, p = p * r + 1.0 / 3628800.0, p = p * r + 1.0 / 362880.0, p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0, p = p * r + 1.0 / 720.0, p = p * r + 1.0 / 120.0, p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0, p = p * r + 0.5, p = p * r + 1.0, p = p * r + 1.0;
  return p * klr_d_two_to(shifted);
}

KLR_FN double klr_d_expm1(double x)
{
  double p = 1.0 / 87178291200.0;
  p = p * x + 1.0 / 6227020800.0, p = p * x + 1.0 / 479001600.0, p = p * x + 1.0 / 39916800.0, p = p * x + 1.0 / 3628800.0;
  p = p * x + 1.0 / 362880.0, p = p * x + 1.0 / 40320.0, p = p * x + 1.0 / 5040.0, p = p * x + 1.0 / 720.0;
  p = p * x + 1.0 / 120.0, p = p * x + 1.0 / 24.0, p = p * x + 1.0 / 6.0, p = p * x + 0.5, p = p * x + 1.0;
  return x > -0.5 && x < 0.5 ? p * x : klr_d_exp(x) - 1.0;
}

/* 2 atanh(s), |s| < 0.1716 */
KLR_FN double klr_d_log_series(double s)
{
  double t = s * s, p = 1.0 / 21.0;
  p = p * t + 1.0 / 19.0, p = p * t + 1.0 / 17.0, p = p * t + 1.0 / 15.0, p = p * t + 1.0 / 13.0, p = p * t + 1.0 / 11.0;
  p = p * t + 1.0 / 9.0, p = p * t + 1.0 / 7.0, p = p * t + 1.0 / 5.0, p = p * t + 1.0 / 3.0;
  return 2.0 * (s + s * (t * p));
}

/* log(x) = k ln 2 + log(m) of a normal x above 0, 1 / sqrt(2) <= m < sqrt(2) */
KLR_FN double klr_d_split(double x, double *m)
{
  uint64_t bits = klr_bits_f64(x), above = bits - UINT64_C(0x3fe6a09e667f3bcd);
  int64_t k = (int64_t)above >> 52;
  *m = klr_from_bits_f64(bits - ((uint64_t)k << 52));
  return klr_from_bits_f64((uint64_t)k + UINT64_C(0x4338000000000000)) - KLR_ROUND_MAGIC;
}

/* What logarithms are where they are not numbers above 0: `value` elsewhere. */
KLR_FN double klr_d_log_ends(double x, double value)
{
  value = x == INFINITY ? INFINITY : value;
  value = x == 0.0 ? -INFINITY : value;
  return x >= 0.0 ? value : NAN;
}

KLR_FN double klr_d_log(double x)
{
  double m, k = klr_d_split(x, &m), log_m = klr_d_log_series((m - 1.0) / (m + 1.0));
  return klr_d_log_ends(x, k * 0x1.62e42fefa39efp-1 + log_m);
}

KLR_FN double klr_d_log2(double x)
{
  double m, k = klr_d_split(x, &m), log_m = klr_d_log_series((m - 1.0) / (m + 1.0));
  return klr_d_log_ends(x, k + log_m * 0x1.71547652b82fep0);
}

KLR_FN double klr_d_log1p(double x)
{
  return x > -0.25 && x < 0.25 ? klr_d_log_series(x / (2.0 + x)) : klr_d_log(1.0 + x);
}

/* x without its multiple of pi / 2, which is `*quadrant` modulo 4. Large x: the product with the bits of 2 / pi that matter. */
KLR_FN double klr_d_quarter_turns(float x, uint32_t *quadrant)
{
  double wide = x;
  if (wide > -1048576.0 && wide < 1048576.0) {
    double shifted = wide * 0x1.45f306dc9c883p-1 + KLR_ROUND_MAGIC, n = shifted - KLR_ROUND_MAGIC;
    *quadrant = (uint32_t)klr_bits_f64(shifted);
    return ((wide - n * 0x1.921fb54400000p0) - n * 0x1.0b4611a600000p-34) - n * 0x1.3198a2e037073p-69;
  }
  /* 2 / pi after a word of zeros; bits whose product with x is a multiple of 4 are left out. */
  static const uint32_t TWO_OVER_PI[] = {0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
  uint32_t bits = klr_bits_f32(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) {
    *quadrant = 0;
    return NAN;
  }
  uint64_t mantissa = (bits & 0x7fffffu) | 0x800000u;
  uint32_t scale = (bits >> 23 & 0xffu) - 152u + 32u, word = scale / 32u, shift = scale % 32u; /* whole turns are skipped */
  uint64_t high = (uint64_t)TWO_OVER_PI[word] << 32 | TWO_OVER_PI[word + 1], low = (uint64_t)TWO_OVER_PI[word + 2] << 32 | TWO_OVER_PI[word + 3];
  uint64_t first = shift ? high << shift | low >> (64 - shift) : high;
  uint64_t second = low << shift;
  uint64_t turns = mantissa * first + ((mantissa * (second >> 32)) >> 32); /* x * 2 / pi modulo 4, in units of 2^-62 */
  uint64_t whole = (turns + (UINT64_C(1) << 61)) >> 62;
  *quadrant = (uint32_t)(bits >> 31 ? 0u - (uint32_t)whole : (uint32_t)whole);
  double rest = (double)(int64_t)(turns - (whole << 62)) * 0x1p-62;
  return (bits >> 31 ? -rest : rest) * 0x1.921fb54442d18p0;
}

KLR_FN double klr_d_sin_part(double r)
{
  double t = r * r, p = 1.0 / 355687428096000.0;
  p = p * t - 1.0 / 1307674368000.0, p = p * t + 1.0 / 6227020800.0, p = p * t - 1.0 / 39916800.0, p = p * t + 1.0 / 362880.0;
  p = p * t - 1.0 / 5040.0, p = p * t + 1.0 / 120.0, p = p * t - 1.0 / 6.0;
  return r + r * (t * p);
}

KLR_FN double klr_d_cos_part(double r)
{
  double t = r * r, p = 1.0 / 20922789888000.0;
  p = p * t - 1.0 / 87178291200.0, p = p * t + 1.0 / 479001600.0, p = p * t - 1.0 / 3628800.0, p = p * t + 1.0 / 40320.0;
  p = p * t - 1.0 / 720.0, p = p * t + 1.0 / 24.0, p = p * t - 0.5;
  return 1.0 + t * p;
}

KLR_FN double klr_d_atan(double x)
{
  double a = klr_abs_f64(x), inverse = a > 1.0 ? 1.0 / a : a;
  double turned = (inverse * 0x1.bb67ae8584caap0 - 1.0) / (inverse + 0x1.bb67ae8584caap0); /* atan is pi / 6 less */
  double z = inverse > 0.26794919243112270 ? turned : inverse, t = z * z, p = 1.0 / 25.0;
  p = -p * t + 1.0 / 23.0, p = -p * t + 1.0 / 21.0, p = -p * t + 1.0 / 19.0, p = -p * t + 1.0 / 17.0, p = -p * t + 1.0 / 15.0;
  p = -p * t + 1.0 / 13.0, p = -p * t + 1.0 / 11.0, p = -p * t + 1.0 / 9.0, p = -p * t + 1.0 / 7.0, p = -p * t + 1.0 / 5.0;
  p = -p * t + 1.0 / 3.0;
  double value = z - z * (t * p) + (inverse > 0.26794919243112270 ? 0x1.0c152382d7366p-1 : 0.0);
  return klr_copysign_f64(a > 1.0 ? 0x1.921fb54442d18p0 - value : value, x);
}

KLR_FN double klr_d_atan2(double y, double x)
{
  double ay = klr_abs_f64(y), ax = klr_abs_f64(x);
  int is_both_infinite = ax == INFINITY && ay == INFINITY, is_both_zero = ax == 0.0 && ay == 0.0;
  double angle = klr_d_atan(is_both_infinite ? 1.0 : is_both_zero ? 0.0 : ay / ax);
  angle = klr_bits_f64(x) >> 63 ? 0x1.921fb54442d18p1 - angle : angle;
  return x != x || y != y ? NAN : klr_copysign_f64(angle, y);
}

KLR_FN double klr_d_erf(double x)
{
  double a = klr_abs_f64(x), t = x * x;

  double p = -2.466827010264457e-14;

  p = p * t + 3.9554295164585257e-13;
  p = p * t + -5.9477940136376354e-12;
  p = p * t + 8.35070279514724e-11;
  p = p * t + -1.0892221037148573e-09;
  p = p * t + 1.3122532963802806e-08;
  p = p * t + -1.4503852223150468e-07;
  p = p * t + 1.4589169000933706e-06;
  p = p * t + -1.3227513227513228e-05;
  p = p * t + 0.00010683760683760684;
  p = p * t + -0.0007575757575757576;
  p = p * t + 0.004629629629629629;
  p = p * t + -0.023809523809523808;
  p = p * t + 0.1;
  p = p * t + -0.3333333333333333;
  p = p * t + 1.0;

  double small = p * x * 0x1.20dd750429b6dp0;
  /* from 1 on: 1 - exp(-x^2) q(1 / (1 + x / 2)), fitted on [0.9, 4.3] */
  double b = a > 4.3 ? 4.3 : a, s = 1.0 / (1.0 + 0.5 * b), q = 0x1.b16ba8f504fb1p-5;

  q = q * s + -0x1.12c0a0a6b68e8p-2;
  q = q * s + 0x1.0cd3ef41c2d55p-1;
  q = q * s + -0x1.b24446a6efe89p-2;
  q = q * s + 0x1.ebe02a83dff4dp-6;
  q = q * s + 0x1.ba6451cce7c08p-5;
  q = q * s + 0x1.5d2a481895eefp-6;
  q = q * s + 0x1.a2f91b34b1626p-3;
  q = q * s + 0x1.e9d7a5506c3bcp-3;
  q = q * s + 0x1.222d4cb22d98cp-2;
  q = q * s + 0x1.20bd267d75bebp-2;
  q = q * s + 0x1.5f99e1de823dcp-18;

  double large = a > 4.3 ? 1.0 : 1.0 - klr_d_exp(-b * b) * q;
  return a < 1.0 ? small : x != x ? x : klr_copysign_f64(large, x);
}

/* x ** y of floats that are neither 0 nor special, x above 0 */
KLR_FN double klr_d_pow_part(double x, double y)
{
  double m, k = klr_d_split(x, &m), log2_x = k + klr_d_log_series((m - 1.0) / (m + 1.0)) * 0x1.71547652b82fep0;
  return klr_d_exp(klr_d_clamp(y * log2_x, -1000.0, 1000.0) * 0x1.62e42fefa39efp-1);
}

KLR_FN float klr_exp_f32(float x) { return (float)klr_d_exp((double)x); }
KLR_FN float klr_exp2_f32(float x) { return (float)klr_d_exp((double)x * 0x1.62e42fefa39efp-1); }
KLR_FN float klr_expm1_f32(float x) { return x == 0.0f ? x : (float)klr_d_expm1((double)x); }
KLR_FN float klr_log_f32(float x) { return (float)klr_d_log((double)x); }
KLR_FN float klr_log2_f32(float x) { return (float)klr_d_log2((double)x); }
KLR_FN float klr_log10_f32(float x) { return (float)(klr_d_log((double)x) * 0x1.bcb7b1526e50ep-2); }
KLR_FN float klr_log1p_f32(float x) { return x == 0.0f ? x : (float)klr_d_log1p((double)x); }
KLR_FN float klr_atan_f32(float x) { return x != x ? x : (float)klr_d_atan((double)x); }
KLR_FN float klr_atan2_f32(float y, float x) { return (float)klr_d_atan2((double)y, (double)x); }
KLR_FN float klr_erf_f32(float x) { return x == 0.0f ? x : (float)klr_d_erf((double)x); }
KLR_FN float klr_sigmoid_f32(float x) { return (float)(1.0 / (1.0 + klr_d_exp(-(double)x))); }

KLR_FN float klr_asin_f32(float x)
{
  double wide = x;
  return x == 0.0f ? x : (float)klr_d_atan2(wide, sqrt(1.0 - wide * wide));
}

KLR_FN float klr_acos_f32(float x)
{
  double wide = x;
  return (float)klr_d_atan2(sqrt(1.0 - wide * wide), wide);
}

KLR_FN float klr_sinh_f32(float x)
{
  double e = klr_d_expm1((double)klr_abs_f32(x)), value = 0.5 * (e + e / (e + 1.0));
  return x != x ? x : klr_copysign_f32((float)value, x);
}

KLR_FN float klr_cosh_f32(float x)
{
  double e = klr_d_exp((double)klr_abs_f32(x));
  return (float)(0.5 * (e + 1.0 / e));
}

KLR_FN float klr_tanh_f32(float x)
{
  double e = klr_d_expm1(2.0 * klr_d_clamp((double)klr_abs_f32(x), 0.0, 20.0));
  return x != x ? x : klr_copysign_f32((float)(e / (e + 2.0)), x);
}

KLR_FN float klr_sin_f32(float x)
{
  uint32_t quadrant;
  double r = klr_d_quarter_turns(x, &quadrant), value = quadrant & 1u ? klr_d_cos_part(r) : klr_d_sin_part(r);
  return x == 0.0f ? x : (float)(quadrant & 2u ? -value : value);
}

KLR_FN float klr_cos_f32(float x)
{
  uint32_t quadrant;
  double r = klr_d_quarter_turns(x, &quadrant), value = quadrant & 1u ? klr_d_sin_part(r) : klr_d_cos_part(r);
  return (float)((quadrant + 1u) & 2u ? -value : value);
}

KLR_FN float klr_tan_f32(float x)
{
  uint32_t quadrant;
  double r = klr_d_quarter_turns(x, &quadrant), s = klr_d_sin_part(r), c = klr_d_cos_part(r);
  return x == 0.0f ? x : (float)(quadrant & 1u ? -c / s : s / c);
}

/* The cases of C's pow, in the order in which they win; powers that kernels write down are rounded exactly, and cost little where y is a literal. */
KLR_FN float klr_pow_f32(float x, float y)
{
  double ax = klr_abs_f32(x), wy = y;
  int is_whole = floorf(y) == y && klr_abs_f32(y) != INFINITY;
  int is_odd = is_whole && klr_abs_f32(y) < 16777216.0f && floor(wy * 0.5) != wy * 0.5;
  double value = klr_d_pow_part(ax, wy);
  value = x < 0.0f && !is_whole && y == y && klr_abs_f32(y) != INFINITY && ax != INFINITY ? NAN : value;
  value = ax == 0.0 ? (y < 0.0f ? INFINITY : 0.0) : ax == INFINITY ? (y < 0.0f ? 0.0 : INFINITY) : value;
  value = klr_abs_f32(y) == INFINITY ? (ax == 1.0 ? 1.0 : (ax > 1.0) == (y > 0.0f) ? INFINITY : 0.0) : value;
  value = is_odd && klr_bits_f32(x) >> 31 ? -value : value;
  value = x != x || y != y ? NAN : value;
  value = y == 2.0f ? ax * ax : y == 3.0f ? (double)x * x * x : y == -1.0f ? 1.0f / x : y == 0.5f ? sqrtf((float)ax) : value;
  value = y == 0.5f && x < 0.0f && ax != INFINITY ? NAN : value;
  return x == 1.0f || y == 0.0f ? 1.0f : (float)value;
}

/* ---- f64 functions: libm's */

KLR_FN double klr_exp_f64(double x) { return exp(x); }
KLR_FN double klr_exp2_f64(double x) { return exp2(x); }
KLR_FN double klr_expm1_f64(double x) { return expm1(x); }
KLR_FN double klr_log_f64(double x) { return log(x); }
KLR_FN double klr_log2_f64(double x) { return log2(x); }
KLR_FN double klr_log10_f64(double x) { return log10(x); }
KLR_FN double klr_log1p_f64(double x) { return log1p(x); }
KLR_FN double klr_sin_f64(double x) { return sin(x); }
KLR_FN double klr_cos_f64(double x) { return cos(x); }
KLR_FN double klr_tan_f64(double x) { return tan(x); }
KLR_FN double klr_asin_f64(double x) { return asin(x); }
KLR_FN double klr_acos_f64(double x) { return acos(x); }
KLR_FN double klr_atan_f64(double x) { return atan(x); }
KLR_FN double klr_sinh_f64(double x) { return sinh(x); }
KLR_FN double klr_cosh_f64(double x) { return cosh(x); }
KLR_FN double klr_tanh_f64(double x) { return tanh(x); }
KLR_FN double klr_erf_f64(double x) { return erf(x); }
KLR_FN double klr_sigmoid_f64(double x) { return 1.0 / (1.0 + exp(-x)); }
KLR_FN double klr_pow_f64(double x, double y)
{
  if (y == 2.0)
    return x * x;
  if (y == -1.0)
    return 1.0 / x;
  if (y == 0.5)
    return x == -INFINITY ? INFINITY : sqrt(x) + 0.0;
  return pow(x, y);
}
KLR_FN double klr_atan2_f64(double y, double x) { return atan2(y, x); }

#endif
