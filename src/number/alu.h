// alu.h -- the ALU operators and what each computes.
//
// Arithmetic operators widen their operands to float32, compute, and narrow the result; bit operators see the bits of
// integers. On the gpsimd engine two tensors of 32-bit integers are computed exactly as integers.

#pragma once
#include "base/str.h"
#include "number/activation.h"
#include "number/dtype.h"

typedef enum AluOp {
#define ALU(enumerator, ...) ALU_OP_##enumerator,
#include "number/alu.def"
  ALU_OP_COUNT,
  ALU_OP_WIRE_COUNT = ALU_OP_SUBTRACT + 1,  // below it, an AluOp is its number in a .klr file
} AluOp;

typedef enum AluGroup {
  ALU_GROUP_ARITH,
  ALU_GROUP_BITVEC,
} AluGroup;

typedef struct AluInfo {
  const char *wire_name;
  const char *nki_name;  // in nki.language, or NULL
  AluGroup group;
  int operand_count;  // 1: only x counts
  bool reduces;       // may stand in a reduction along an axis
  int since;          // first NeuronCore version, or 0: not offered by NKI
  const char *doc;
} AluInfo;

const AluInfo *alu_info(AluOp op);
const char *alu_wire_name(AluOp op);
bool alu_from_nki_name(Str name, AluOp *op);   // "maximum"
bool alu_from_wire_name(Str name, AluOp *op);  // "max"
static inline bool alu_is_bitvec(AluOp op) { return alu_info(op)->group == ALU_GROUP_BITVEC; }

// The value an arithmetic reduction starts from when it has no first element: 0 for add, -inf for max, ...
// abs_max starts from 0, abs_min from +inf. NaN for operators that do not reduce.
float alu_f32_identity(AluOp op);

// An ARITH operator on float32; `y` is ignored by operators of one operand. The expressions are those of ALU_F32 in
// alu.def, which loops over rows include to mean exactly the same.
float alu_f32(AluOp op, float x, float y);

// The ones that are not a single expression. Modulo: Python's x % y (assumed), exact but for one rounding of a sum;
// NaN for y = 0 and infinite x. Power: correctly rounded, with the special cases of C's powf.
float alu_f32_mod(float x, float y);
float alu_f32_pow(float x, float y);

// dst[i] = alu_f32_pow(x[i], y[step * i]) for i < n, faster; dst may be x, and y if step is 1.
void alu_pow_row(size_t n, float *dst, const float *x, const float *y, size_t step);

// A BITVEC or logical operator on unsigned integers of `bits` (8, 16 or 32) bits held in the low bits; the result too.
// Shifts take y as unsigned; a count of `bits` or more gives 0, or copies of the sign for arithmetic shifts right.
uint32_t alu_bits(AluOp op, unsigned bits, uint32_t x, uint32_t y);

// An ARITH operator computed exactly on 32-bit integers, as gpsimd does when all tensors are int32 or uint32: modulo
// 2^32, comparisons give 1 or 0. Division rounds towards zero, division and modulo by 0 give 0, a negative power is the
// reciprocal rounded towards zero (assumed). rsqrt and reciprocal go through float32.
uint32_t alu_int32(AluOp op, bool is_signed, uint32_t x, uint32_t y);
