// ulp.h -- how far two elements are from each other, counted in units in the last place.

#pragma once
#include "number/dtype.h"

// The element's value, exact but for 64-bit integers, which are rounded. NaN for PACKED types.
double dtype_to_f64(DType dtype, const void *at);

// The distance of neighbouring values of `dtype` around `value`: 2^-23 for 1 in float32, 1 for integers and PACKED types.
// That of the largest values for what lies beyond them, of the smallest for zero; NaN for NaN.
double dtype_ulp(DType dtype, double value);

// How many steps from one value to the next lie between two elements, the coarser dtype's at the larger of both when they
// differ. 0 for equal values, -0 and 0, and two NaNs; infinite where one is a NaN or infinite, and for different bits of
// PACKED types.
double ulps_between(DType a_dtype, const void *a, DType b_dtype, const void *b);
