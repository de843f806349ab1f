// dtype.c -- one element at a time, from the table's description of its bits.

#include "number/dtype.h"

#include "base/bug.h"

#include <math.h>
#include <string.h>

_Static_assert(DTYPE_BFLOAT16 == 0 && DTYPE_FLOAT16 == 4 && DTYPE_FLOAT32 == 5 && DTYPE_INT64 == 9 &&
                 DTYPE_UINT64 == 14 && DTYPE_FLOAT8_E4M3FN == 16 && DTYPE_FLOAT4_E2M1FN_X4 == 19,
               "the first rows stand in wire order");

static const DTypeInfo infos[DTYPE_COUNT] = {
#define DTYPE(enumerator, wire_as, wire_name, nki_name, numpy_name, npy_descr, kind, bytes, doc)                       \
  [DTYPE_##enumerator] = {wire_name, nki_name, numpy_name, npy_descr, DTYPE_##wire_as, DTYPE_KIND_##kind, bytes, doc},
#include "number/dtypes.def"
};

static const FloatFormat formats[DTYPE_COUNT] = {
#define FORMAT(enumerator, ...) [DTYPE_##enumerator] = {__VA_ARGS__},
#include "number/dtypes.def"
};

const DTypeInfo *dtype_info(DType dtype)
{
  if ((unsigned)dtype >= DTYPE_COUNT)
    bug("dtype %u", (unsigned)dtype);
  return &infos[dtype];
}

const FloatFormat *dtype_format(DType dtype)
{
  return dtype_info(dtype)->kind == DTYPE_KIND_FLOAT ? &formats[dtype] : NULL;
}

DType dtype_element(DType dtype)
{
  switch ((int)dtype) {
#define PACKED(enumerator, element)                                                                                    \
  case DTYPE_##enumerator: return DTYPE_##element;
#include "number/dtypes.def"
  }
  return dtype;
}

unsigned dtype_lanes(DType dtype)
{
  return dtype_is_packed(dtype) ? 4 : 1;
}

bool dtype_from_nki_name(Str name, DType *dtype)
{
  for (int i = 0; i < DTYPE_COUNT; i++)
    if (infos[i].nki_name && str_is(name, infos[i].nki_name))
      return *dtype = (DType)i, true;
#define ALIAS(alias, enumerator)                                                                                       \
  if (str_is(name, alias))                                                                                             \
    return *dtype = DTYPE_##enumerator, true;
#include "number/dtypes.def"
  return false;
}

bool dtype_from_numpy_name(Str name, DType *dtype)
{
  if (str_is(name, "bool_"))
    return *dtype = DTYPE_BOOL, true;
  for (int i = 0; i < DTYPE_COUNT; i++)
    if (str_is(name, infos[i].numpy_name))
      return *dtype = (DType)i, true;
  return false;
}

bool dtype_from_wire_name(Str name, DType *dtype)
{
  for (int i = 0; i < DTYPE_WIRE_COUNT; i++)
    if (str_is(name, infos[i].wire_name))
      return *dtype = (DType)i, true;
  return false;
}

bool dtype_from_npy_descr(Str descr, DType *dtype)
{
  if (str_is(descr, "<V1"))
    return false;
  for (int i = 0; i < DTYPE_COUNT; i++)
    if (str_is(descr, infos[i].npy_descr))
      return *dtype = (DType)i, true;
  if (str_is(descr, "|V2"))
    return *dtype = DTYPE_BFLOAT16, true;
  return false;
}

const char *dtype_name(DType dtype)
{
  const DTypeInfo *info = dtype_info(dtype);
  return info->nki_name ? info->nki_name : info->numpy_name;
}

const char *dtype_nki_name(DType dtype)
{
  return dtype_info(dtype)->nki_name;
}

const char *dtype_wire_name(DType dtype)
{
  return dtype_info(dtype)->wire_name;
}

const char *dtype_numpy_name(DType dtype)
{
  return dtype_info(dtype)->numpy_name;
}

const char *dtype_npy_descr(DType dtype)
{
  return dtype_info(dtype)->npy_descr;
}

unsigned dtype_bytes(DType dtype)
{
  return dtype_info(dtype)->bytes;
}

bool dtype_is_float(DType dtype)
{
  DTypeKind kind = dtype_info(dtype)->kind;
  return kind == DTYPE_KIND_FLOAT || kind == DTYPE_KIND_SCALE;
}

bool dtype_is_integer(DType dtype)
{
  DTypeKind kind = dtype_info(dtype)->kind;
  return kind == DTYPE_KIND_SIGNED || kind == DTYPE_KIND_UNSIGNED || kind == DTYPE_KIND_BOOL;
}

bool dtype_is_signed_integer(DType dtype)
{
  return dtype_info(dtype)->kind == DTYPE_KIND_SIGNED;
}

bool dtype_is_packed(DType dtype)
{
  return dtype_info(dtype)->kind == DTYPE_KIND_PACKED;
}

bool dtype_same_format(DType a, DType b)
{
  if (a == DTYPE_FLOAT8_E4M3)
    a = DTYPE_FLOAT8E4;
  if (b == DTYPE_FLOAT8_E4M3)
    b = DTYPE_FLOAT8E4;
  return a == b;
}

// Bits below the fraction that the type's unit has and ignores: 13 of float32r.
static int unused_low_bits(DType dtype, const FloatFormat *format)
{
  return infos[dtype].bytes == 4 ? 31 - format->exponent_bits - format->fraction_bits : 0;
}

static uint64_t load_unsigned(const void *at, unsigned bytes)
{
  uint8_t one;
  uint16_t two;
  uint32_t four;
  uint64_t eight;
  switch (bytes) {
  case 1: return memcpy(&one, at, 1), one;
  case 2: return memcpy(&two, at, 2), two;
  case 4: return memcpy(&four, at, 4), four;
  case 8: return memcpy(&eight, at, 8), eight;
  }
  bug("an element of %u bytes", bytes);
}

static void store_unsigned(void *at, unsigned bytes, uint64_t bits)
{
  uint8_t one = (uint8_t)bits;
  uint16_t two = (uint16_t)bits;
  uint32_t four = (uint32_t)bits;
  switch (bytes) {
  case 1: memcpy(at, &one, 1); return;
  case 2: memcpy(at, &two, 2); return;
  case 4: memcpy(at, &four, 4); return;
  case 8: memcpy(at, &bits, 8); return;
  }
  bug("an element of %u bytes", bytes);
}

// 2^exponent for exponents of normal doubles.
static double power_of_two(int exponent)
{
  union { uint64_t bits; double value; } both = {(uint64_t)(exponent + 1023) << 52};
  return both.value;
}

static float decode_float(const FloatFormat *f, uint32_t code, NumberMode mode)
{
  uint32_t sign = code >> (f->exponent_bits + f->fraction_bits) & 1;
  uint32_t magnitude = code & ((1u << (f->exponent_bits + f->fraction_bits)) - 1);
  if (magnitude > f->largest && !(magnitude == f->overflow && f->overflow != f->nan))
    return f32_from_bits(F32_NAN_BITS);
  if (magnitude > f->largest)
    return f32_from_bits(sign << 31 | 0x7F800000);
  uint32_t fraction = magnitude & ((1u << f->fraction_bits) - 1);
  int exponent = (int)(magnitude >> f->fraction_bits);
  double value;
  if (exponent)  // normal: 1.fraction * 2^(exponent - bias)
    value = (fraction + (1u << f->fraction_bits)) * power_of_two(exponent - f->bias - f->fraction_bits);
  else  // subnormal: 0.fraction * 2^(1 - bias)
    value = mode.flush_to_zero ? 0 : fraction * power_of_two(1 - f->bias - f->fraction_bits);
  return (float)(sign ? -value : value);
}

// value / 2^shift, to nearest, ties to even.
static uint32_t round_shift(uint32_t value, int shift)
{
  if (shift == 0)
    return value;
  if (shift > 31)
    return 0;  // the values here are below 2^24, less than half of 2^32
  uint32_t kept = value >> shift, rest = value & ((1u << shift) - 1), half = 1u << (shift - 1);
  return kept + (rest > half || (rest == half && (kept & 1)));
}

static uint32_t encode_float(const FloatFormat *f, float value, NumberMode mode)
{
  uint32_t bits = f32_bits(value), sign = bits >> 31 << (f->exponent_bits + f->fraction_bits);
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000)
    return f->overflow == f->largest ? 1u << (f->exponent_bits + f->fraction_bits) : f->nan;
  uint32_t beyond = mode.saturate ? f->largest : f->overflow;
  if (magnitude == 0x7F800000)
    return sign | beyond;
  // |value| = significand * 2^(exponent - 23); the result counts units of 2^(exponent - fraction_bits).
  bool normal = magnitude >= 0x00800000;
  uint32_t significand = normal ? (magnitude & 0x007FFFFF) | 0x00800000 : magnitude;
  int exponent = normal ? (int)(magnitude >> 23) - 127 : -126;
  int shift = 23 - f->fraction_bits;
  if (exponent < 1 - f->bias) {  // below the smallest normal result the unit stays the same
    shift += 1 - f->bias - exponent;
    exponent = 1 - f->bias;
  }
  uint32_t rounded = round_shift(significand, shift);
  // A carry out of the fraction counts the exponent up by itself; without the leading bit it is one down: subnormal.
  uint32_t code = ((uint32_t)(exponent + f->bias - 1) << f->fraction_bits) + rounded;
  if (code > f->largest)
    return sign | beyond;
  if (mode.flush_to_zero && code >> f->fraction_bits == 0)
    return sign;
  return sign | code;
}

// The exponent byte of the power of two nearest to `value`, halves up; NaN where there is none.
static uint32_t encode_scale(float value, NumberMode mode)
{
  uint32_t bits = f32_bits(value);
  if (bits == 0 || bits > 0x7F800000)
    return 0xFF;
  if (mode.saturate && bits >= 0x7F400000)
    return 0xFE;
  if (bits < 0x00400000)  // less than 2^-127, the smallest
    return 0;
  if (bits < 0x00800000)  // 2^-127 to 2^-126
    return bits >= 0x00600000;
  return (bits + 0x00400000) >> 23;
}

static float signed_to_f32(uint64_t bits, unsigned bytes)
{
  switch (bytes) {
  case 1: return (int8_t)bits;
  case 2: return (int16_t)bits;
  case 4: return (float)(int32_t)bits;
  default: return (float)(int64_t)bits;
  }
}

float dtype_to_f32_mode(DType dtype, const void *at, NumberMode mode)
{
  const DTypeInfo *info = dtype_info(dtype);
  uint64_t bits = load_unsigned(at, info->bytes);
  const FloatFormat *format = &formats[dtype];
  switch (info->kind) {
  case DTYPE_KIND_FLOAT: return decode_float(format, (uint32_t)bits >> unused_low_bits(dtype, format), mode);
  case DTYPE_KIND_SIGNED: return signed_to_f32(bits, info->bytes);
  case DTYPE_KIND_UNSIGNED: return (float)bits;
  case DTYPE_KIND_BOOL: return bits != 0;
  case DTYPE_KIND_SCALE: return bits == 0xFF ? f32_from_bits(F32_NAN_BITS) : (float)power_of_two((int)bits - 127);
  case DTYPE_KIND_PACKED: break;
  }
  bug("a unit of %s has no single value", info->wire_name);
}

// To the nearest integer of `bits` bits, ties to even, saturated; NaN is 0. As two's complement.
static uint64_t f32_to_signed(float value, unsigned bits)
{
  double limit = power_of_two((int)bits - 1), rounded = rint(value);
  if (rounded != rounded)
    return 0;
  if (rounded >= limit)
    return (UINT64_C(1) << (bits - 1)) - 1;
  if (rounded < -limit)
    return UINT64_C(1) << (bits - 1);
  return (uint64_t)(int64_t)rounded;
}

static uint64_t f32_to_unsigned(float value, unsigned bits)
{
  double limit = power_of_two((int)bits), rounded = rint(value);
  if (!(rounded > 0))
    return 0;
  return rounded >= limit ? UINT64_MAX >> (64 - bits) : (uint64_t)rounded;
}

static uint64_t encode(DType dtype, float value, NumberMode mode)
{
  const DTypeInfo *info = dtype_info(dtype);
  const FloatFormat *format = &formats[dtype];
  switch (info->kind) {
  case DTYPE_KIND_FLOAT: return (uint64_t)encode_float(format, value, mode) << unused_low_bits(dtype, format);
  case DTYPE_KIND_SIGNED: return f32_to_signed(value, info->bytes * 8);
  case DTYPE_KIND_UNSIGNED: return f32_to_unsigned(value, info->bytes * 8);
  case DTYPE_KIND_BOOL: return value != 0;
  case DTYPE_KIND_SCALE: return encode_scale(value, mode);
  case DTYPE_KIND_PACKED: break;
  }
  bug("a unit of %s has no single value", info->wire_name);
}

void dtype_from_f32_mode(DType dtype, float value, void *at, NumberMode mode)
{
  store_unsigned(at, dtype_bytes(dtype), encode(dtype, value, mode));
}

float dtype_to_f32(DType dtype, const void *at)
{
  return dtype_to_f32_mode(dtype, at, (NumberMode){false, false});
}

void dtype_from_f32(DType dtype, float value, void *at)
{
  dtype_from_f32_mode(dtype, value, at, (NumberMode){false, false});
}

// Bits of one lane: a byte of the 4-byte units, half a byte of the 2-byte unit.
static unsigned lane_bits(DType dtype, unsigned lane)
{
  if (!dtype_is_packed(dtype) || lane > 3)
    bug("lane %u of %s", lane, dtype_wire_name(dtype));
  return dtype_bytes(dtype) * 2;
}

float dtype_get_lane_f32(DType dtype, const void *at, unsigned lane)
{
  unsigned bits = lane_bits(dtype, lane);
  uint64_t unit = load_unsigned(at, dtype_bytes(dtype));
  uint8_t code = (uint8_t)(unit >> lane * bits & ((1u << bits) - 1));
  return dtype_to_f32(dtype_element(dtype), &code);
}

void dtype_set_lane_f32(DType dtype, float value, void *at, unsigned lane)
{
  unsigned bits = lane_bits(dtype, lane);
  uint64_t unit = load_unsigned(at, dtype_bytes(dtype)), mask = ((UINT64_C(1) << bits) - 1) << lane * bits;
  uint8_t code;
  dtype_from_f32(dtype_element(dtype), value, &code);
  store_unsigned(at, dtype_bytes(dtype), (unit & ~mask) | (uint64_t)code << lane * bits);
}

float dtype_largest(DType dtype)
{
  const DTypeInfo *info = dtype_info(dtype);
  switch (info->kind) {
  case DTYPE_KIND_FLOAT: return decode_float(&formats[dtype], formats[dtype].largest, (NumberMode){false, false});
  case DTYPE_KIND_SIGNED: return (float)(power_of_two((int)info->bytes * 8 - 1) - (info->bytes < 8));
  case DTYPE_KIND_UNSIGNED: return (float)(power_of_two((int)info->bytes * 8) - (info->bytes < 8));
  case DTYPE_KIND_BOOL: return 1;
  case DTYPE_KIND_SCALE: return (float)power_of_two(127);
  case DTYPE_KIND_PACKED: return dtype_largest(dtype_element(dtype));
  }
  bug("kind %d", (int)info->kind);
}
