// pair_row.h -- functions over rows in float32 arithmetic alone, for CPUs with AVX-512; same bits as everywhere.

#pragma once
#include "number/activation.h"

#include <stddef.h>

// dst[i] = func(src[i]), correctly rounded, for i < n; dst may be src, but not overlap it otherwise. `settle` does the
// same for a row, and is given what cannot be decided here. False, and nothing done, when there is no such loop for this
// function and this CPU.
typedef void SettleRow(size_t n, float *dst, const float *src);
bool pair_row(ActivationFunc func, size_t n, float *dst, const float *src, SettleRow *settle);

// The same for dst[i] = x[i] to the power y[step * i]; step is 0 or 1, and dst may be x, or y if step is 1.
typedef void SettlePow(size_t n, float *dst, const float *x, const float *y, size_t step);
bool pair_pow(size_t n, float *dst, const float *x, const float *y, size_t step, SettlePow *settle);
