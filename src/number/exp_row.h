// exp_row.h -- e^x over rows, in float32 arithmetic alone.

#pragma once
#include <stdbool.h>
#include <stddef.h>

// dst[i] = e^src[i], correctly rounded, for i < n; dst may be src, but not overlap it otherwise. `settle` does the same
// for a row and is asked for single elements. False, and nothing done, when this CPU has no AVX-512.
typedef void ExpRow(size_t n, float *dst, const float *src);
bool exp_row_avx512(size_t n, float *dst, const float *src, ExpRow *settle);
