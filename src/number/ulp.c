#include "number/ulp.h"

#include <math.h>
#include <string.h>

double dtype_to_f64(DType dtype, const void *at)
{
  int64_t value = 0;
  unsigned bytes = dtype_bytes(dtype);
  if (dtype_is_packed(dtype))
    return NAN;
  if (!dtype_is_integer(dtype) || bytes < 4)
    return (double)dtype_to_f32(dtype, at);
  memcpy(&value, at, bytes);  // little-endian
  if (dtype == DTYPE_UINT64)
    return (double)(uint64_t)value;
  return bytes == 4 && dtype_is_signed_integer(dtype) ? (double)(int32_t)value : (double)value;
}

double dtype_ulp(DType dtype, double value)
{
  const FloatFormat *format = dtype_format(dtype);
  if (!format)
    return dtype_info(dtype)->kind == DTYPE_KIND_SCALE ? fabs(value) : 1;
  double size = fabs(value), largest = (double)dtype_largest(dtype);
  if (isnan(value))
    return value;
  int exponent = 1 - format->bias;  // of the smallest normal number
  size = size > largest ? largest : size;
  uint64_t bits;
  memcpy(&bits, &size, sizeof bits);
  int own = (int)(bits >> 52) - 1023;  // of a double, whose own subnormal numbers are far below
  exponent = own > exponent ? own : exponent;
  bits = (uint64_t)(exponent - format->fraction_bits + 1023) << 52;
  memcpy(&size, &bits, sizeof size);
  return size;
}

// Numbers in the order of the values of a float type, a distance of 1 between neighbours.
static int64_t rank_of(DType dtype, const FloatFormat *format, const void *at)
{
  uint32_t bits = 0;
  unsigned bytes = dtype_bytes(dtype), width = (unsigned)(1 + format->exponent_bits + format->fraction_bits);
  memcpy(&bits, at, bytes);
  bits >>= bytes == 4 ? 32 - width : 0;
  int64_t size = bits & ((UINT32_C(1) << (width - 1)) - 1);
  return bits >> (width - 1) & 1 ? -size : size;
}

double ulps_between(DType a_dtype, const void *a, DType b_dtype, const void *b)
{
  if (a_dtype == b_dtype && memcmp(a, b, dtype_bytes(a_dtype)) == 0)
    return 0;
  if (dtype_is_packed(a_dtype) || dtype_is_packed(b_dtype))
    return INFINITY;
  double x = dtype_to_f64(a_dtype, a), y = dtype_to_f64(b_dtype, b);
  if (x == y || (isnan(x) && isnan(y)))
    return 0;
  if (!isfinite(x) || !isfinite(y))
    return INFINITY;
  const FloatFormat *format = dtype_format(a_dtype);
  if (format && a_dtype == b_dtype)
    return fabs((double)(rank_of(a_dtype, format, a) - rank_of(b_dtype, format, b)));
  double larger = fabs(x) > fabs(y) ? x : y, unit = dtype_ulp(a_dtype, larger), other = dtype_ulp(b_dtype, larger);
  return fabs(x - y) / (unit > other ? unit : other);
}
