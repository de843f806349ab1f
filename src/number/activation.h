// activation.h -- the scalar engine's functions.
//
// The hardware evaluates piecewise polynomials whose coefficients are not published. Here every function is the
// correctly rounded float32 of its formula: the float nearest to the exact value, so the largest error is 0.5 units in
// the last place, and the bits are the same on every computer. Where a formula has no value at an infinity, the limit
// is taken; NaN gives NaN (0x7FC00000), but relu gives max(NaN, 0) = 0.

#pragma once
#include "base/str.h"

typedef enum ActivationFunc {
#define ACTIVATION(enumerator, ...) ACTIVATION_FUNC_##enumerator,
#include "number/activation.def"
  ACTIVATION_FUNC_COUNT,
  ACTIVATION_FUNC_WIRE_COUNT = ACTIVATION_FUNC_GELU_APPRX_SIGMOID_DX + 1,  // below it, the number in a .klr file
} ActivationFunc;

typedef struct ActivationInfo {
  const char *name;      // in files
  const char *nki_name;  // in nki.language
  float least, most;     // the documented range of inputs
  const char *formula;
} ActivationInfo;

const ActivationInfo *activation_info(ActivationFunc func);
const char *activation_wire_name(ActivationFunc func);
bool activation_from_nki_name(Str name, ActivationFunc *func);
bool activation_from_wire_name(Str name, ActivationFunc *func);

// True when the hardware documents a result for `x`, and for the square root of 0, which is taken to be 0.
bool activation_in_range(ActivationFunc func, float x);

// func(x), correctly rounded. PRELU has a slope of 0 here: see activation_prelu.
float activation_f32(ActivationFunc func, float x);
float activation_prelu(float x, float slope);

// dst[i] = func(src[i]) for i < n; the same bits, faster. dst may be src, but not overlap it otherwise.
void activation_row(ActivationFunc func, size_t n, float *dst, const float *src);

// func(x) by the slow path alone, with the same bits: what the tests hold the rest against.
float activation_exact_f32(ActivationFunc func, float x);
