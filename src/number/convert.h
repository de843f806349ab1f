// convert.h -- whole rows between memory and float32, with the bits of dtype.h and at nearly the speed of memory.

#pragma once
#include "number/dtype.h"

// dst[i] = the value of src's element i, for i < n. `src` holds n contiguous units of `dtype` (any alignment) and does
// not overlap `dst`. Not for PACKED types.
void convert_row_to_f32(DType dtype, size_t n, float *restrict dst, const void *restrict src, NumberMode mode);

// Writes src[i] as dst's element i, for i < n; otherwise as above.
void convert_row_from_f32(DType dtype, size_t n, void *restrict dst, const float *restrict src, NumberMode mode);
