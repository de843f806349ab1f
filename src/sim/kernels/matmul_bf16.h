// matmul_bf16.h -- the product of bfloat16 matrices with the CPU's own instruction, when it has one.

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether this CPU has the instruction, and it rounds as it should. The other functions need it.
bool matmul_bf16_available(void);

// The least magnitude (bits without the sign) of elements other than zero; 0 when all are zero.
uint16_t bf16_least_magnitude(size_t rows, size_t n, const uint16_t *at, size_t stride);

// Whether the products of matrices with such least magnitudes, and their sums, are zero or normal numbers.
static inline bool bf16_products_are_normal(uint16_t a, uint16_t b)
{
  return a == 0 || b == 0 || (a >> 7 > 0 && b >> 7 > 0 && (a >> 7) + (b >> 7) >= 2 * 134 - 126);
}

// dst[i] = table[code] with the code's sign, for 8-bit floats: `table` has the values of codes 0 to 127.
void bf16_from_codes(size_t n, uint16_t *dst, const uint8_t *src, const uint16_t table[128]);

// As kernel_matmul_f32 without `accumulate`, for matrices whose products are normal.
void matmul_bf16(size_t rows, size_t columns, size_t depth, float *acc, size_t acc_stride, const uint16_t *stationary,
                 size_t stationary_stride, const uint16_t *moving, size_t moving_stride);
