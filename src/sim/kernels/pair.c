// pair.c -- two ALU operators, one after the other, over rows in one pass; compiled once per variant.
//
// A loop for every pair of operators would be many. Instead a block of BLOCK vectors stays in registers while a switch
// per operator, which always goes the same way, picks what is done to it. Operators that have no vector form, and what
// is left of a row, take two passes over a piece that stays in the first-level cache.

#include "sim/kernels/alu_lanes.h"
#include "sim/kernels/variants.h"

#define BLOCK 4
#define BLOCK_ELEMS (BLOCK * LANES)

// x[i] = x[i] op y[i], or y[i] op x[i].
KERNEL_INLINE void apply(AluOp op, bool reverse, F32V x_block[BLOCK], const F32V y_block[BLOCK])
{
#define CASE(name, value)                                                                                              \
  case ALU_OP_##name:                                                                                                  \
    for (int i = 0; i < BLOCK; i++) {                                                                                  \
      F32V x = x_block[i], y = y_block[i];                                                                             \
      x_block[i] = value;                                                                                              \
      (void)y;                                                                                                         \
    }                                                                                                                  \
    return;
#define REVERSED_CASE(name, value)                                                                                     \
  case ALU_OP_##name:                                                                                                  \
    for (int i = 0; i < BLOCK; i++) {                                                                                  \
      F32V x = y_block[i], y = x_block[i];                                                                             \
      x_block[i] = value;                                                                                              \
      (void)y;                                                                                                         \
    }                                                                                                                  \
    return;
  if (!reverse)
    switch ((int)op) { F32_LANE_OPS(CASE) }
  else
    switch ((int)op) { F32_LANE_OPS(REVERSED_CASE) }
#undef CASE
#undef REVERSED_CASE
}

static bool has_lanes(AluOp op)
{
#define CASE(name, value) case ALU_OP_##name:
  switch ((int)op) {
    F32_LANE_OPS(CASE)
    return true;
  }
#undef CASE
  return false;
}

typedef struct Pair {
  AluOp op0, op1;
  bool reverse0, reverse1;
} Pair;

KERNEL_INLINE void load(F32V block[BLOCK], const float *at, bool scalar)
{
  for (int i = 0; i < BLOCK; i++)
    if (scalar)
      block[i] = F32V_ALL(*at);
    else
      block[i] = *(const F32V *)(at + i * LANES);
}

// Whole blocks of one row; returns how many elements they are.
KERNEL_INLINE size_t pair_row(Pair pair, size_t n, float *dst, const float *data, const float *operand0, bool scalar0,
                              const float *operand1, bool scalar1)
{
  size_t c = 0;
  for (; c + BLOCK_ELEMS <= n; c += BLOCK_ELEMS) {
    F32V x[BLOCK], y[BLOCK];
    load(x, data + c, false);
    load(y, scalar0 ? operand0 : operand0 + c, scalar0);
    apply(pair.op0, pair.reverse0, x, y);
    load(y, scalar1 ? operand1 : operand1 + c, scalar1);
    apply(pair.op1, pair.reverse1, x, y);
    for (int i = 0; i < BLOCK; i++)
      *(F32V *)(dst + c + i * LANES) = F32V_CANONICAL(x[i]);
  }
  return c;
}

// Elements that wait between two passes.
#define PIECE 2048

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

// The same rows, from row r, column c.
static KernelRows rows_from(KernelRows rows, size_t r, size_t c)
{
  rows.at = (const float *)rows.at + r * rows.stride + (rows.scalar ? 0 : c);
  return rows;
}

static void two_passes(Pair pair, size_t rows, size_t n, float *dst, size_t dst_stride, KernelRows data,
                       KernelRows operand0, KernelRows operand1)
{
  float between[PIECE] __attribute__((aligned(64)));
  size_t columns = smaller(n, PIECE), height = columns ? PIECE / columns : 1;
  for (size_t r = 0; r < rows; r += height)
    for (size_t c = 0; c < n; c += PIECE) {
      size_t piece_rows = smaller(height, rows - r), piece_columns = smaller(columns, n - c);
      KernelRows x = rows_from(data, r, c), y = rows_from(operand0, r, c), z = rows_from(operand1, r, c);
      KernelRows first = {between, piece_columns, false};
      KERNEL_NAME(binary_f32)(pair.op0, piece_rows, piece_columns, between, piece_columns, pair.reverse0 ? y : x,
                              pair.reverse0 ? x : y);
      KERNEL_NAME(binary_f32)(pair.op1, piece_rows, piece_columns, dst + r * dst_stride + c, dst_stride,
                              pair.reverse1 ? z : first, pair.reverse1 ? first : z);
    }
}

void KERNEL_NAME(binary_pair_f32)(AluOp op0, bool reverse0, AluOp op1, bool reverse1, size_t rows, size_t n, float *dst,
                                  size_t dst_stride, KernelRows data, KernelRows operand0, KernelRows operand1)
{
  Pair pair = {op0, op1, reverse0, reverse1};
  size_t done = 0;
  if (has_lanes(op0) && has_lanes(op1) && !data.scalar && n >= BLOCK_ELEMS)
    for (size_t r = 0; r < rows; r++) {
      const float *x = rows_from(data, r, 0).at, *y = rows_from(operand0, r, 0).at, *z = rows_from(operand1, r, 0).at;
      if (operand0.scalar && operand1.scalar)
        done = pair_row(pair, n, dst + r * dst_stride, x, y, true, z, true);
      else
        done = pair_row(pair, n, dst + r * dst_stride, x, y, operand0.scalar, z, operand1.scalar);
    }
  two_passes(pair, rows, n - done, dst + done, dst_stride, rows_from(data, 0, done), rows_from(operand0, 0, done),
             rows_from(operand1, 0, done));
}
