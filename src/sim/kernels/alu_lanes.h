// alu_lanes.h -- ALU operators on vectors, with the bits of number/alu.h in every lane.

#pragma once
#include "number/alu.h"
#include "sim/kernels/lanes.h"

#define LANES_TRUTH(mask) ((F32V)((I32V)(mask) & 0x3F800000))  // 1.0f or 0.0f

// LANE_OP(operator, value for operands x and y): those that reduce, or are common in recurrences. Written for vectors
// what ALU_F32 in alu.def says for floats; C has no `?:` on vectors.
#define F32_LANE_OPS(LANE_OP)                                                                                          \
  LANE_OP(ADD, x + y)                                                                                                  \
  LANE_OP(SUBTRACT, x - y)                                                                                             \
  LANE_OP(MULT, x * y)                                                                                                 \
  LANE_OP(DIVIDE, x / y)                                                                                               \
  LANE_OP(MAX, F32V_MAX(x, y))                                                                                         \
  LANE_OP(MIN, F32V_MIN(x, y))                                                                                         \
  LANE_OP(LOGICAL_AND, LANES_TRUTH((x != 0) & (y != 0)))                                                               \
  LANE_OP(LOGICAL_OR, LANES_TRUTH((x != 0) | (y != 0)))                                                                \
  LANE_OP(LOGICAL_XOR, LANES_TRUTH((x != 0) ^ (y != 0)))                                                               \
  LANE_OP(BYPASS, x)

// x `op` y, NaN as it comes; for a constant `op` just that operation.
KERNEL_INLINE F32V f32v_apply(AluOp op, F32V x, F32V y)
{
#define CASE(name, value) case ALU_OP_##name: return value;
  switch ((int)op) { F32_LANE_OPS(CASE) }
#undef CASE
  for (int i = 0; i < LANES; i++)
    x[i] = alu_f32(op, x[i], y[i]);
  return x;
}
