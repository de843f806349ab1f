// reduce.c -- reductions and recurrences along rows; compiled once per variant.
//
// Each step of a row waits for the one before, so vectors run across rows (see columns.h).

#include "number/alu.h"
#include "sim/kernels/alu_lanes.h"
#include "sim/kernels/columns.h"
#include "sim/kernels/variants.h"

#include <string.h>

KERNEL_INLINE F32V reduce_group(AluOp op, const Group *group, size_t n, size_t c, F32V state)
{
  for (; c + LANES <= n; c += LANES) {
    U32V v[LANES];
    load_columns(v, group, c);
    for (size_t j = 0; j < LANES; j++)
      state = f32v_apply(op, state, (F32V)v[j]);
  }
  for (; c < n; c++)
    state = f32v_apply(op, state, load_column(group, c));
  return state;
}

KERNEL_INLINE void reduce_rows(AluOp op, size_t rows, size_t n, float *out, size_t out_stride, const float *src,
                               size_t src_stride, bool continued)
{
  for (size_t r = 0; r < rows; r += LANES) {
    Group group = group_of_rows(src + r * src_stride, src_stride, rows - r);
    F32V state = {0};
    if (continued)
      for (size_t i = 0; i < group.count; i++)
        state[i] = out[(r + i) * out_stride];
    else if (n > 0)
      state = load_column(&group, 0);
    state = reduce_group(op, &group, n, continued ? 0 : 1, state);
    state = F32V_CANONICAL(state);
    for (size_t i = 0; i < group.count; i++)
      out[(r + i) * out_stride] = state[i];
  }
}

// As ALU_F32 of number/alu.def has them.
KERNEL_INLINE float alu_extreme(AluOp op, float x, float y)
{
  return ((op == ALU_OP_MAX ? x > y : x < y) | (y != y)) ? x : y;
}

// The largest or smallest of a row, whatever order they are compared in: NaN gives way to every number, and only which
// of equal zeros was the last depends on it.
#define AT_ONCE 4
KERNEL_INLINE float extreme_of_row(AluOp op, size_t n, const float *row, float first)
{
  F32V most[AT_ONCE];
  for (size_t j = 0; j < AT_ONCE; j++)
    most[j] = F32V_ALL(first);
  size_t i = 0;
  for (; i + AT_ONCE * LANES <= n; i += AT_ONCE * LANES)
    for (size_t j = 0; j < AT_ONCE; j++)
      most[j] = f32v_apply(op, most[j], *(const F32V *)(row + i + j * LANES));
  for (; i + LANES <= n; i += LANES)
    most[0] = f32v_apply(op, most[0], *(const F32V *)(row + i));
  for (size_t j = 1; j < AT_ONCE; j++)
    most[0] = f32v_apply(op, most[0], most[j]);
  float result = most[0][0];
  for (size_t j = 1; j < LANES; j++)
    result = alu_extreme(op, result, most[0][j]);
  for (; i < n; i++)
    result = alu_extreme(op, result, row[i]);
  if (result != 0)
    return result;
  result = first;
  for (i = 0; i < n; i++)
    result = alu_extreme(op, result, row[i]);
  return result;
}

KERNEL_INLINE void extremes(AluOp op, size_t rows, size_t n, float *out, size_t out_stride, const float *src,
                            size_t src_stride, bool continued)
{
  for (size_t r = 0; r < rows; r++, src += src_stride, out += out_stride) {
    float value = extreme_of_row(op, n, src, continued ? *out : *src);
    *out = value == value ? value : f32_from_bits(F32_NAN_BITS);
  }
}

void KERNEL_NAME(reduce_f32)(AluOp op, size_t rows, size_t n, float *out, size_t out_stride, const float *src,
                             size_t src_stride, bool continued)
{
#define REDUCE(op) reduce_rows(op, rows, n, out, out_stride, src, src_stride, continued)
  if (n >= 2 * AT_ONCE * LANES && (op == ALU_OP_MAX || op == ALU_OP_MIN)) {
    if (op == ALU_OP_MAX)
      extremes(ALU_OP_MAX, rows, n, out, out_stride, src, src_stride, continued);
    else
      extremes(ALU_OP_MIN, rows, n, out, out_stride, src, src_stride, continued);
    return;
  }
  switch (op) {
  case ALU_OP_ADD: REDUCE(ALU_OP_ADD); return;
  case ALU_OP_MULT: REDUCE(ALU_OP_MULT); return;
  case ALU_OP_MAX: REDUCE(ALU_OP_MAX); return;
  case ALU_OP_MIN: REDUCE(ALU_OP_MIN); return;
  default: REDUCE(op);
  }
#undef REDUCE
}

typedef struct Step {
  AluOp op0, op1;
  bool reverse0, reverse1;
} Step;

KERNEL_INLINE F32V scan_step(Step step, F32V state, F32V a, F32V b)
{
  state = step.reverse0 ? f32v_apply(step.op0, state, a) : f32v_apply(step.op0, a, state);
  return step.reverse1 ? f32v_apply(step.op1, b, state) : f32v_apply(step.op1, state, b);
}

// Runs LANES rows of a recurrence from `state` on, and returns the last one.
KERNEL_INLINE F32V scan_group(Step step, size_t n, float *dst, size_t dst_stride, const Group *a, const Group *b,
                              F32V state)
{
  size_t c = 0;
  for (; c + LANES <= n; c += LANES) {
    U32V x[LANES], y[LANES];
    load_columns(x, a, c);
    load_columns(y, b, c);
    for (size_t j = 0; j < LANES; j++) {
      state = scan_step(step, state, (F32V)x[j], (F32V)y[j]);
      x[j] = (U32V)F32V_CANONICAL(state);
    }
    lanes_transpose(x);
    if (a->count == LANES)
      for (size_t i = 0; i < LANES; i++)
        *(U32V *)(dst + i * dst_stride + c) = x[i];
    else
      for (size_t i = 0; i < a->count; i++)
        *(U32V *)(dst + i * dst_stride + c) = x[i];
  }
  for (; c < n; c++) {
    state = scan_step(step, state, load_column(a, c), load_column(b, c));
    F32V value = F32V_CANONICAL(state);
    for (size_t i = 0; i < a->count; i++)
      dst[i * dst_stride + c] = value[i];
  }
  return state;
}

KERNEL_INLINE void scan_rows(Step step, size_t rows, size_t n, float *dst, size_t dst_stride, const float *a,
                             size_t a_stride, const float *b, size_t b_stride, float *state)
{
  for (size_t r = 0; r < rows; r += LANES) {
    Group a_group = group_of_rows(a + r * a_stride, a_stride, rows - r);
    Group b_group = group_of_rows(b + r * b_stride, b_stride, rows - r);
    F32V now = {0};
    memcpy(&now, state + r, a_group.count * sizeof *state);
    now = scan_group(step, n, dst + r * dst_stride, dst_stride, &a_group, &b_group, now);
    now = F32V_CANONICAL(now);
    memcpy(state + r, &now, a_group.count * sizeof *state);
  }
}

void KERNEL_NAME(scan_f32)(AluOp op0, bool reverse0, AluOp op1, bool reverse1, size_t rows, size_t n, float *dst,
                           size_t dst_stride, const float *a, size_t a_stride, const float *b, size_t b_stride,
                           float *state)
{
  Step step = {op0, op1, reverse0, reverse1};
  // The usual one, with the operators known to the compiler. Of a sum and a product both orders have the same bits.
  const Step multiply_add = {ALU_OP_MULT, ALU_OP_ADD, false, false};
  if (op0 == ALU_OP_MULT && op1 == ALU_OP_ADD)
    scan_rows(multiply_add, rows, n, dst, dst_stride, a, a_stride, b, b_stride, state);
  else
    scan_rows(step, rows, n, dst, dst_stride, a, a_stride, b, b_stride, state);
}
