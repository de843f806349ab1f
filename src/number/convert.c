// convert.c -- rows of conversions as plain loops without branches, which compilers turn into vectors.
//
// A float is widened by shifting its fraction into place and multiplying by the difference of the biases, which is
// exact and makes subnormals normal; it is narrowed by adding just less than half a unit, or, below the smallest normal
// number, by letting one float addition do the rounding. tests/python/test_number_convert.py holds both against
// dtype.c.

#include "number/convert.h"

#include "base/bug.h"
#include "base/kernel.h"

#include <string.h>

typedef uint8_t Unit1;
typedef uint16_t Unit2;
typedef uint32_t Unit4;
typedef uint64_t Unit8;

// The columns of each FORMAT row as constants: narrow(value, FORMAT_OF(FLOAT16)).
#define FORMAT(name, exponent_bits, fraction_bits, bias, largest, overflow, nan)                                       \
  enum { name##_E = exponent_bits, name##_F = fraction_bits, name##_BIAS = bias, name##_LARGEST = largest,             \
         name##_OVERFLOW = overflow, name##_NAN = nan };
#include "number/dtypes.def"
#define FORMAT_OF(name) name##_E, name##_F, name##_BIAS, name##_LARGEST, name##_OVERFLOW, name##_NAN

// True of formats that are the upper bits of a float32.
KERNEL_INLINE bool is_upper_bits(int exponent_bits, int bias, uint32_t largest, uint32_t overflow)
{
  return exponent_bits == 8 && bias == 127 && overflow == largest + 1;
}

// The parameters are those of FloatFormat; all but `code` are constants where this is used.
KERNEL_INLINE float widen(uint32_t code, int exponent_bits, int fraction_bits, int bias, uint32_t largest,
                          uint32_t overflow, uint32_t nan)
{
  if (is_upper_bits(exponent_bits, bias, largest, overflow)) {
    uint32_t upper = code << (31 - exponent_bits - fraction_bits);
    return f32_from_bits((int32_t)(upper & 0x7FFFFFFF) > 0x7F800000 ? F32_NAN_BITS : upper);
  }
  uint32_t magnitude = code & ((1u << (exponent_bits + fraction_bits)) - 1);
  uint32_t sign = code >> (exponent_bits + fraction_bits) << 31;
  float value = f32_from_bits(magnitude << (23 - fraction_bits));
  if (bias != 127)
    value *= f32_from_bits((uint32_t)(254 - bias) << 23);
  uint32_t bits = f32_bits(value) | sign;
  uint32_t special = magnitude == overflow && overflow != nan ? 0x7F800000 | sign : F32_NAN_BITS;
  return f32_from_bits(magnitude > largest ? special : bits);
}

KERNEL_INLINE uint32_t narrow(float value, int exponent_bits, int fraction_bits, int bias, uint32_t largest,
                              uint32_t overflow, uint32_t nan)
{
  uint32_t bits = f32_bits(value), magnitude = bits & 0x7FFFFFFF;
  int drop = 23 - fraction_bits;
  if (is_upper_bits(exponent_bits, bias, largest, overflow)) {  // rounding up to infinity included
    uint32_t half = drop == 0 ? 0 : (1u << (drop ? drop - 1 : 0)) - 1 + (bits >> drop & 1);
    return (int32_t)magnitude > 0x7F800000 ? nan : (bits + half) >> drop;
  }
  uint32_t sign = bits >> 31 << (exponent_bits + fraction_bits);
  uint32_t code;
  if (drop == 0) {
    code = magnitude;
  } else {
    uint32_t odd = magnitude >> drop & 1;
    code = (magnitude - ((uint32_t)(127 - bias) << 23) + (1u << (drop - 1)) - 1 + odd) >> drop;
    if (bias != 127) {
      // The last bit of `anchor` is one unit of the subnormal results.
      uint32_t anchor = (uint32_t)(127 - bias + drop + 1) << 23;
      uint32_t subnormal = f32_bits(f32_from_bits(magnitude) + f32_from_bits(anchor)) - anchor;
      code = magnitude < (uint32_t)(128 - bias) << 23 ? subnormal : code;
    }
  }
  code = magnitude >= 0x7F800000 || code > largest ? overflow : code;
  uint32_t not_a_number = overflow == largest ? 1u << (exponent_bits + fraction_bits) : nan;
  return magnitude > 0x7F800000 ? not_a_number : code | sign;
}

// NaN becomes a limit here; the mask of `is_number` makes it 0 after all. In this form each step is one instruction.
KERNEL_INLINE float limited(float value, float least, float most)
{
  value = value < most ? value : most;
  return value > least ? value : least;
}

KERNEL_INLINE uint32_t is_number(float value)
{
  return value == value ? UINT32_MAX : 0;
}

// `value` as an integer from `least` to `most`, ties to even. Within 2^22 the sum's fraction holds the integer.
KERNEL_INLINE int32_t clamp_to_small_int(float value, float least, float most)
{
  return (int32_t)((f32_bits(limited(value, least, most) + 0x1.8p23f) - 0x4B400000) & is_number(value));
}

// The same for limits below 2^31.
KERNEL_INLINE uint32_t clamp_to_int(float value, float least, float most)
{
  return (uint32_t)(int32_t)__builtin_rintf(limited(value, least, most));
}

KERNEL_INLINE uint32_t to_int32(float value)
{
  uint32_t rounded = clamp_to_int(value, -0x1p31f, 0x1.fffffep30f);
  return (value >= 0x1p31f ? INT32_MAX : rounded) & is_number(value);
}

KERNEL_INLINE uint32_t to_uint32(float value)
{
  bool upper = value >= 0x1p31f;
  uint32_t low = clamp_to_int(upper ? value - 0x1p31f : value, 0, 0x1.fffffep30f);
  return (value >= 0x1p32f ? UINT32_MAX : upper ? low | 0x80000000 : low) & is_number(value);
}

KERNEL_INLINE float scale_to_f32(uint32_t code)
{
  uint32_t bits = code == 0 ? 0x00400000 : code << 23;
  return f32_from_bits(code == 0xFF ? F32_NAN_BITS : bits);
}

KERNEL_INLINE uint32_t f32_to_scale(float value)
{
  uint32_t bits = f32_bits(value);
  uint32_t normal = (bits + 0x00400000) >> 23, subnormal = bits >= 0x00600000;
  uint32_t code = bits < 0x00800000 ? subnormal : normal;
  return bits == 0 || bits > 0x7F800000 ? 0xFF : code;
}

static uint64_t to_wide(DType dtype, float value)
{
  uint64_t bits;
  dtype_from_f32(dtype, value, &bits);
  return bits;
}

// A loop is compiled for several instruction sets, and the best that runs here is called.
#if defined __x86_64__ && defined __GNUC__ && !defined KLR_NO_CLONES
#ifdef __clang__
#define AVX512 "avx512f,avx512bw,avx512vl,avx512dq"
#else
#define AVX512 "avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512"
#endif
#define LEVELS(ROW, name, Unit, expression)                                                                            \
  ROW(name##_base, Unit, expression, )                                                                                 \
  ROW(name##_avx2, Unit, expression, __attribute__((target("avx2"))))                                                  \
  ROW(name##_avx512, Unit, expression, __attribute__((target(AVX512))))
#define LEVELS_OF(name) {name##_base, name##_avx2, name##_avx512}

static int level(void)
{
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return 2;
  return __builtin_cpu_supports("avx2") ? 1 : 0;
}
#else
#define LEVELS(ROW, name, Unit, expression) ROW(name##_base, Unit, expression, )
#define LEVELS_OF(name) {name##_base}

static int level(void)
{
  return 0;
}
#endif

// A loop over n elements of `Unit` that a row of any alignment allows: memcpy is a plain load or store.
#define TO_F32_ROW(name, Unit, expression, attribute)                                                                  \
  attribute static void name(size_t n, float *restrict dst, const char *restrict src)                                  \
  {                                                                                                                    \
    for (size_t i = 0; i < n; i++) {                                                                                   \
      Unit unit;                                                                                                       \
      memcpy(&unit, src + i * sizeof unit, sizeof unit);                                                               \
      dst[i] = (expression);                                                                                           \
    }                                                                                                                  \
  }
#define FROM_F32_ROW(name, Unit, expression, attribute)                                                                \
  attribute static void name(size_t n, char *restrict dst, const float *restrict src)                                  \
  {                                                                                                                    \
    for (size_t i = 0; i < n; i++) {                                                                                   \
      float value = src[i];                                                                                            \
      Unit unit = (Unit)(expression);                                                                                  \
      memcpy(dst + i * sizeof unit, &unit, sizeof unit);                                                               \
    }                                                                                                                  \
  }
#define TO_F32(name, Unit, expression) LEVELS(TO_F32_ROW, name##_to_f32, Unit, expression)
#define FROM_F32(name, Unit, expression) LEVELS(FROM_F32_ROW, name##_from_f32, Unit, expression)

// Unused low bits of a unit: 13 of float32r.
#define UNUSED_LOW_BITS(name, bytes) (bytes == 4 ? 31 - name##_E - name##_F : 0)

#define ROWS_FLOAT(name, bytes)                                                                                        \
  TO_F32(name, Unit##bytes, widen((uint32_t)unit >> UNUSED_LOW_BITS(name, bytes), FORMAT_OF(name)))                    \
  FROM_F32(name, Unit##bytes, narrow(value, FORMAT_OF(name)) << UNUSED_LOW_BITS(name, bytes))

#define ROWS_SIGNED(name, bytes)                                                                                       \
  TO_F32(name, Unit##bytes, SIGNED_##bytes) FROM_F32(name, Unit##bytes, TO_SIGNED_##bytes)
#define SIGNED_1 (int8_t)unit
#define SIGNED_2 (int16_t)unit
#define SIGNED_4 (float)(int32_t)unit
#define SIGNED_8 dtype_to_f32(DTYPE_INT64, &unit)
#define TO_SIGNED_1 clamp_to_small_int(value, INT8_MIN, INT8_MAX)
#define TO_SIGNED_2 clamp_to_small_int(value, INT16_MIN, INT16_MAX)
#define TO_SIGNED_4 to_int32(value)
#define TO_SIGNED_8 to_wide(DTYPE_INT64, value)

#define ROWS_UNSIGNED(name, bytes)                                                                                     \
  TO_F32(name, Unit##bytes, (float)unit) FROM_F32(name, Unit##bytes, TO_UNSIGNED_##bytes)
#define TO_UNSIGNED_1 clamp_to_small_int(value, 0, UINT8_MAX)
#define TO_UNSIGNED_2 clamp_to_small_int(value, 0, UINT16_MAX)
#define TO_UNSIGNED_4 to_uint32(value)
#define TO_UNSIGNED_8 to_wide(DTYPE_UINT64, value)

#define ROWS_BOOL(name, bytes) TO_F32(name, Unit##bytes, unit != 0) FROM_F32(name, Unit##bytes, value != 0)
#define ROWS_SCALE(name, bytes)                                                                                        \
  TO_F32(name, Unit##bytes, scale_to_f32(unit)) FROM_F32(name, Unit##bytes, f32_to_scale(value))
#define ROWS_PACKED(name, bytes)

#define DTYPE(name, wire_as, wire_name, nki_name, numpy_name, npy_descr, kind, bytes, doc) ROWS_##kind(name, bytes)
#include "number/dtypes.def"

typedef void ToF32(size_t n, float *restrict dst, const char *restrict src);
typedef void FromF32(size_t n, char *restrict dst, const float *restrict src);
enum { LEVEL_COUNT = 3 };
typedef struct Rows {
  ToF32 *to_f32[LEVEL_COUNT];
  FromF32 *from_f32[LEVEL_COUNT];
} Rows;

#define PAIR_FLOAT(name) [DTYPE_##name] = {LEVELS_OF(name##_to_f32), LEVELS_OF(name##_from_f32)},
#define PAIR_SIGNED PAIR_FLOAT
#define PAIR_UNSIGNED PAIR_FLOAT
#define PAIR_BOOL PAIR_FLOAT
#define PAIR_SCALE PAIR_FLOAT
#define PAIR_PACKED(name)

static const Rows rows[DTYPE_COUNT] = {
#define DTYPE(name, wire_as, wire_name, nki_name, numpy_name, npy_descr, kind, bytes, doc) PAIR_##kind(name)
#include "number/dtypes.def"
};

static bool is_usual(NumberMode mode)
{
  return !mode.flush_to_zero && !mode.saturate;
}

void convert_row_to_f32(DType dtype, size_t n, float *restrict dst, const void *restrict src, NumberMode mode)
{
  const char *from = src;
  unsigned bytes = dtype_bytes(dtype);
  if (dtype_is_packed(dtype))
    bug("a row of %s read as numbers", dtype_name(dtype));
  if (is_usual(mode)) {
    rows[dtype].to_f32[level()](n, dst, from);
    return;
  }
  for (size_t i = 0; i < n; i++)
    dst[i] = dtype_to_f32_mode(dtype, from + i * bytes, mode);
}

void convert_row_from_f32(DType dtype, size_t n, void *restrict dst, const float *restrict src, NumberMode mode)
{
  char *to = dst;
  unsigned bytes = dtype_bytes(dtype);
  if (dtype_is_packed(dtype))
    bug("a row of %s written as numbers", dtype_name(dtype));
  if (is_usual(mode)) {
    rows[dtype].from_f32[level()](n, to, src);
    return;
  }
  for (size_t i = 0; i < n; i++)
    dtype_from_f32_mode(dtype, src[i], to + i * bytes, mode);
}
