// kernels.h -- the loops under the simulator's fast paths: plain functions over plain pointers.
//
// Each is compiled several times, for the vector widths CPUs have (see variants.h), and the widest that runs here is
// called. The bits are the same in all of them, and with every compiler: nothing is reordered, and a product and a sum
// are fused only where this file says so. Sizes may be 0 and are not limited; strides are in elements and may be
// anything that keeps rows apart; no alignment is asked for. Nothing fails and nothing is allocated.

#pragma once
#include "number/alu.h"
#include "number/random.h"

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

// dst[o * inner + i] = src[o * outer_step + i * inner_step], and back, for o < outer, i < inner; the steps may be 0 or
// negative, and nothing overlaps.
void kernel_gather(unsigned bytes, size_t outer, size_t inner, void *dst, const void *src, ptrdiff_t outer_step,
                   ptrdiff_t inner_step);
void kernel_scatter(unsigned bytes, size_t outer, size_t inner, void *dst, ptrdiff_t outer_step, ptrdiff_t inner_step,
                    const void *src);

// Rows of `bytes` bytes, which begin dst_step and src_step bytes apart; nothing overlaps.
void kernel_copy_rows(size_t rows, size_t bytes, void *dst, ptrdiff_t dst_step, const void *src, ptrdiff_t src_step);

// --- the vector engine: ALU operators on rows of float32 ---
//
// Each element gets the bits that alu_f32 of number/alu.h gives it; NaN is written as 0x7FC00000. Any operator is
// taken; those without a vector form are slower. dst may be the very rows of an operand (same address, same stride);
// otherwise it overlaps none.

// An operand: element i of row r is at[r * stride + i], or at[r * stride] for every i if `scalar`. A stride of 0 repeats
// one row, and with `scalar` one constant.
typedef struct KernelRows {
  const void *at;
  size_t stride;
  bool scalar;
} KernelRows;

// dst[r][i] = a[r][i] op b[r][i] for r < rows, i < n.
void kernel_binary_f32(AluOp op, size_t rows, size_t n, float *dst, size_t dst_stride, KernelRows a, KernelRows b);

// dst = (data op0 operand0) op1 operand1, elementwise; reverse0: operand0 op0 data; reverse1: operand1 op1 (...).
void kernel_binary_pair_f32(AluOp op0, bool reverse0, AluOp op1, bool reverse1, size_t rows, size_t n, float *dst,
                            size_t dst_stride, KernelRows data, KernelRows operand0, KernelRows operand1);

// Integers: a BITVEC or logical operator on elements of 1, 2 or 4 bytes (alu_bits), and exact arithmetic on 32 bits
// (alu_int32). `at` of dst, a and b points at such elements.
void kernel_binary_bits(AluOp op, unsigned bytes, size_t rows, size_t n, void *dst, size_t dst_stride, KernelRows a,
                        KernelRows b);
void kernel_binary_int32(AluOp op, bool is_signed, size_t rows, size_t n, void *dst, size_t dst_stride, KernelRows a,
                         KernelRows b);

// Arithmetic on integers of 1 or 2 bytes, all of one type: what float32 arithmetic gives, which is exact where the result fits
// the type, and saturated where it does not. Only operators of which kernel_saturates is true; at most one operand is a scalar.
bool kernel_saturates(AluOp op);
void kernel_binary_saturated(AluOp op, unsigned bytes, bool is_signed, size_t rows, size_t n, void *dst,
                             size_t dst_stride, KernelRows a, KernelRows b);

// out[r * out_stride] = ((src[r][0] op src[r][1]) op src[r][2]) ... strictly left to right, each step rounded to
// float32. If `continued`, what out holds comes first: ((out op src[r][0]) op src[r][1]) ... An empty row gives 0.
void kernel_reduce_f32(AluOp op, size_t rows, size_t n, float *out, size_t out_stride, const float *src,
                       size_t src_stride, bool continued);

// Along each row: state = (a[r][i] op0 state) op1 b[r][i]; dst[r][i] = state. state[r] holds the first state and is left
// holding the last. reverse0: state op0 a; reverse1: b op1 (...). dst may be the rows of a or b.
void kernel_scan_f32(AluOp op0, bool reverse0, AluOp op1, bool reverse1, size_t rows, size_t n, float *dst,
                     size_t dst_stride, const float *a, size_t a_stride, const float *b, size_t b_stride, float *state);

// --- the vector engine: statistics, and the eight largest ---

// dst[r] = count, mean and sum of squared distances from the mean of the row's even elements, then of its odd ones: sums
// left to right from 0, the mean first, in float32; without elements 0, 0, 0. dst does not overlap src.
void kernel_bn_stats_f32(size_t rows, size_t n, float *dst, size_t dst_stride, const float *src, size_t src_stride);

// dst[r][0 to 7] = the largest of the row, descending, equal ones in the row's order, NaN below every number; 0 where
// there are fewer than eight.
void kernel_max8_f32(size_t rows, size_t n, float *dst, size_t dst_stride, const float *src, size_t src_stride);

// For each j, 0 to 7, or 7 to 0 if `last_first`: index[j] = the smallest i with row[i] == wanted[j] that is not yet an
// index, or UINT32_MAX. n < UINT32_MAX.
void kernel_claim8_f32(size_t n, const float *row, const float *wanted, bool last_first, uint32_t *index);

// --- random numbers ---

// dst[r][i] = the next number of states[r * each + i % each], for i < n ascending; `each` is 1 or 4. See number/random.h.
void kernel_random_bits(size_t rows, size_t n, size_t each, uint32_t *dst, size_t dst_stride, Xorwow *states);
