// dtype.h -- the element types, and what one element's bits mean.
//
// Engines compute in float32: an element is widened when read and narrowed when written. The functions here do it for
// one element and are written to be obviously right; convert.h does rows, fast, with the same bits.

#pragma once
#include "base/str.h"

typedef enum DType {
#define DTYPE(enumerator, ...) DTYPE_##enumerator,
#include "number/dtypes.def"
  DTYPE_COUNT,
  DTYPE_WIRE_COUNT = DTYPE_FLOAT4_E2M1FN_X4 + 1,  // below it, a DType is its number in a .klr file
} DType;

typedef enum DTypeKind {
  DTYPE_KIND_FLOAT,     // sign, exponent, fraction
  DTYPE_KIND_SIGNED,    // two's complement integer
  DTYPE_KIND_UNSIGNED,  // unsigned integer
  DTYPE_KIND_BOOL,      // a byte, 0 or 1
  DTYPE_KIND_SCALE,     // a power of two
  DTYPE_KIND_PACKED,    // four elements of another type in one unit; moved and multiplied by scales, never converted
} DTypeKind;

// Layout of a float type; codes are without the sign bit and without unused low bits (see dtypes.def).
typedef struct FloatFormat {
  int exponent_bits, fraction_bits, bias;
  uint32_t largest, overflow, nan;
} FloatFormat;

typedef struct DTypeInfo {
  const char *wire_name;   // in files
  const char *nki_name;    // in nki.language, or NULL
  const char *numpy_name;  // in NumPy or ml_dtypes
  const char *npy_descr;   // in the header of .npy files
  DType wire_as;           // the type that stands for it in a .klr file (itself for the wire types)
  DTypeKind kind;
  unsigned bytes;          // size of one unit in memory; a PACKED unit holds four elements
  const char *doc;
} DTypeInfo;

const DTypeInfo *dtype_info(DType dtype);
const FloatFormat *dtype_format(DType dtype);  // of a FLOAT type, else NULL
DType dtype_element(DType dtype);              // what a PACKED unit holds; any other type is its own element
unsigned dtype_lanes(DType dtype);             // elements in a unit: 4 for PACKED types, else 1

// Exact spelling to type; false when there is none. NKI spellings are those of nki.language ("bfloat16", "bool_",
// "tfloat32") and the old "float8e3" to "float8e5"; NumPy's include those of ml_dtypes, and "bool_".
bool dtype_from_nki_name(Str name, DType *dtype);
bool dtype_from_numpy_name(Str name, DType *dtype);
bool dtype_from_wire_name(Str name, DType *dtype);

// The type of a .npy file's 'descr'. "<V1" and "<V2" name no type: only V2 is taken, as bfloat16, and "<f1" as
// float8_e5m2; files with other 8-bit floats need the type from elsewhere.
bool dtype_from_npy_descr(Str descr, DType *dtype);

const char *dtype_name(DType dtype);        // to show: NKI's name, else NumPy's
const char *dtype_nki_name(DType dtype);    // NULL where NKI has none
const char *dtype_wire_name(DType dtype);
const char *dtype_numpy_name(DType dtype);
const char *dtype_npy_descr(DType dtype);
unsigned dtype_bytes(DType dtype);          // of one unit in memory
bool dtype_is_float(DType dtype);    // FLOAT or SCALE
bool dtype_is_integer(DType dtype);  // SIGNED, UNSIGNED or BOOL
bool dtype_is_signed_integer(DType dtype);
bool dtype_is_packed(DType dtype);

// True when two types have the same bits for the same values, so that a copy is a copy of bytes.
bool dtype_same_format(DType a, DType b);

// How results are narrowed where the hardware's documents are silent. All false: subnormals are kept, a value beyond
// the largest becomes the type's infinity, or NaN where it has none.
typedef struct NumberMode {
  bool flush_to_zero;  // floats: subnormals, read or written, are zeros of the same sign
  bool saturate;       // floats: what is beyond the largest finite value, infinities too, becomes that value
} NumberMode;

// The value of the element at `at` (dtype_bytes bytes, any alignment), exact but for 32- and 64-bit integers, which
// are rounded to nearest even. Every NaN is read as 0x7FC00000. Not for PACKED types.
float dtype_to_f32(DType dtype, const void *at);

// Writes `value` as one element: rounds to nearest, ties to even. Integers saturate, NaN becomes 0; bool is
// `value != 0`. NaN is written as the type's one quiet NaN. float8_e8m0fnu rounds halves up, and zero, negative and
// too large values become NaN. Not for PACKED types.
void dtype_from_f32(DType dtype, float value, void *at);

// The same under a mode other than the usual.
float dtype_to_f32_mode(DType dtype, const void *at, NumberMode mode);
void dtype_from_f32_mode(DType dtype, float value, void *at, NumberMode mode);

// Element `lane` (0 to 3) of a PACKED unit: its value, and its replacement.
float dtype_get_lane_f32(DType dtype, const void *at, unsigned lane);
void dtype_set_lane_f32(DType dtype, float value, void *at, unsigned lane);

// The largest finite value of a FLOAT, SCALE or integer type, as float32 (rounded to nearest for wide integers).
float dtype_largest(DType dtype);

// float32 and its bits.
static inline uint32_t f32_bits(float value)
{
  union { float value; uint32_t bits; } both = {value};
  return both.bits;
}

static inline float f32_from_bits(uint32_t bits)
{
  union { uint32_t bits; float value; } both = {bits};
  return both.value;
}

#define F32_NAN_BITS 0x7FC00000u
