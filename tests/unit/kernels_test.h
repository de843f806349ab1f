// kernels_test.h -- random rows, and comparing rows bit by bit, for the tests of sim/kernels.

#pragma once
#include "sim/kernels/variants.h"
#include "test.h"

#include <stdlib.h>

typedef enum KernelsValues {
  KERNELS_USUAL,      // around 1, both signs
  KERNELS_CLOSE,      // few bits and few exponents: exact ties, cancellation
  KERNELS_ANY_BITS,   // every exponent, infinities, NaN, subnormals
  KERNELS_SPECIAL,    // only zeros of both signs, infinities, NaN, subnormals, ones, the largest
  KERNELS_VALUES_COUNT
} KernelsValues;

float kernels_nan(void);
uint32_t kernels_random_bits(void);
float *kernels_random(size_t n, KernelsValues values);  // malloc'ed
float *kernels_copy(const float *from, size_t n);       // malloc'ed

// Fails the test at the first element whose bits differ.
void kernels_expect_same(const char *variant, const char *kernel, const float *have, const float *want, size_t n);
