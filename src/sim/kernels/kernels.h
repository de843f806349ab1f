// kernels.h -- the loops under the simulator's fast paths: plain functions over plain pointers.
//
// Each is compiled several times, for the vector widths CPUs have (see variants.h), and the widest that runs here is
// called. The bits are the same in all of them, and with every compiler: nothing is reordered, and a product and a sum
// are fused only where this file says so. Sizes may be 0 and are not limited; strides are in elements and may be
// anything that keeps rows apart; no alignment is asked for. Nothing fails and nothing is allocated.

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// --- the tensor engine ---

// acc[m][n] = start + sum over k of stationary[k][m] * moving[k][n], for m < rows, n < columns, k < depth.
// Every product is exact and is added with one rounding, k ascending: acc = fma(stationary[k][m], moving[k][n], acc).
// `start` is what acc holds if `accumulate`, else +0. NaN results are 0x7FC00000. acc overlaps neither input.
//   stationary  depth rows of `rows` values, at multiples of stationary_stride
//   moving      depth rows of `columns` values, at multiples of moving_stride
void kernel_matmul_f32(size_t rows, size_t columns, size_t depth, float *acc, size_t acc_stride,
                       const float *stationary, size_t stationary_stride, const float *moving, size_t moving_stride,
                       bool accumulate);

// --- moving elements; `bytes` per element is 1, 2, 4 or 8 ---

// dst[c][r] = src[r][c] for r < rows, c < columns; dst does not overlap src.
void kernel_transpose(unsigned bytes, size_t rows, size_t columns, void *dst, size_t dst_stride, const void *src,
                      size_t src_stride);

// dst[i] = src[i * step] and dst[i * step] = src[i], for i < n; the steps may be 0 or negative.
void kernel_gather(unsigned bytes, size_t n, void *dst, const void *src, ptrdiff_t step);
void kernel_scatter(unsigned bytes, size_t n, void *dst, ptrdiff_t step, const void *src);
