// alu.c -- the operators one element at a time.

#include "number/alu.h"

#include "base/bug.h"

#include <math.h>

_Static_assert(ALU_OP_ABS == 0 && ALU_OP_DIVIDE == 10 && ALU_OP_MAX == 21 && ALU_OP_WIRE_COUNT == 29,
               "the first rows stand in wire order");

enum { NO = 0, YES = 1 };

static const AluInfo infos[ALU_OP_COUNT] = {
#define ALU(enumerator, wire_name, nki_name, group, operands, reduces, since, doc)                                     \
  [ALU_OP_##enumerator] = {wire_name, nki_name, ALU_GROUP_##group, operands, reduces, since, doc},
#include "number/alu.def"
};

const AluInfo *alu_info(AluOp op)
{
  if ((unsigned)op >= ALU_OP_COUNT)
    bug("ALU operator %u", (unsigned)op);
  return &infos[op];
}

const char *alu_wire_name(AluOp op)
{
  return alu_info(op)->wire_name;
}

bool alu_from_nki_name(Str name, AluOp *op)
{
  for (int i = 0; i < ALU_OP_COUNT; i++)
    if (infos[i].nki_name && str_is(name, infos[i].nki_name))
      return *op = (AluOp)i, true;
  return false;
}

bool alu_from_wire_name(Str name, AluOp *op)
{
  for (int i = 0; i < ALU_OP_COUNT; i++)
    if (str_is(name, infos[i].wire_name))
      return *op = (AluOp)i, true;
  return false;
}

float alu_f32_identity(AluOp op)
{
  switch ((int)op) {
  case ALU_OP_ADD:
  case ALU_OP_AVERAGE:
  case ALU_OP_SUBTRACT:
  case ALU_OP_LOGICAL_OR:
  case ALU_OP_LOGICAL_XOR:
  case ALU_OP_ABS_MAX: return 0;
  case ALU_OP_MULT:
  case ALU_OP_LOGICAL_AND: return 1;
  case ALU_OP_MAX: return -INFINITY;
  case ALU_OP_MIN:
  case ALU_OP_ABS_MIN: return INFINITY;
  }
  return f32_from_bits(F32_NAN_BITS);
}

float alu_f32(AluOp op, float x, float y)
{
  switch ((int)op) {
#define ALU_F32(enumerator, expression)                                                                                \
  case ALU_OP_##enumerator: return (expression);
#include "number/alu.def"
  }
  bug("ALU operator %s on floats", alu_wire_name(op));
}

float alu_f32_mod(float x, float y)
{
  float rest = fmodf(x, y);  // exact
  if (rest == 0)
    return copysignf(0, y);
  return (rest < 0) != (y < 0) ? rest + y : rest;
}

static uint32_t sign_extend(unsigned bits, uint32_t x)
{
  uint32_t sign = 1u << (bits - 1);
  return (x ^ sign) - sign;
}

static uint32_t shift_right_arithmetic(uint32_t x, uint32_t count)
{
  uint32_t fill = x >> 31 ? UINT32_MAX : 0;
  return count >= 32 ? fill : count == 0 ? x : x >> count | fill << (32 - count);
}

uint32_t alu_bits(AluOp op, unsigned bits, uint32_t x, uint32_t y)
{
  uint32_t mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1;
  x &= mask;
  y &= mask;
  switch ((int)op) {
  case ALU_OP_BITWISE_AND: return x & y;
  case ALU_OP_BITWISE_OR: return x | y;
  case ALU_OP_BITWISE_XOR: return x ^ y;
  case ALU_OP_BITWISE_NOT: return ~x & mask;
  case ALU_OP_ARITH_SHIFT_LEFT:
  case ALU_OP_LOGICAL_SHIFT_LEFT: return y >= bits ? 0 : x << y & mask;
  case ALU_OP_LOGICAL_SHIFT_RIGHT: return y >= bits ? 0 : x >> y;
  case ALU_OP_ARITH_SHIFT_RIGHT: return shift_right_arithmetic(sign_extend(bits, x), y) & mask;
  case ALU_OP_LOGICAL_AND: return x && y;
  case ALU_OP_LOGICAL_OR: return x || y;
  case ALU_OP_LOGICAL_XOR: return !x != !y;
  case ALU_OP_LOGICAL_NOT: return !x;
  case ALU_OP_BYPASS: return x;
  }
  bug("ALU operator %s on bits", alu_wire_name(op));
}

static int32_t as_signed(uint32_t x)
{
  return x <= INT32_MAX ? (int32_t)x : -(int32_t)~x - 1;
}

static bool less(bool is_signed, uint32_t x, uint32_t y)
{
  return is_signed ? as_signed(x) < as_signed(y) : x < y;
}

static uint32_t magnitude(bool is_signed, uint32_t x)
{
  return is_signed && x >> 31 ? 0 - x : x;
}

static uint32_t divide(bool is_signed, uint32_t x, uint32_t y)
{
  if (y == 0)
    return 0;
  uint32_t quotient = magnitude(is_signed, x) / magnitude(is_signed, y);
  return is_signed && (x ^ y) >> 31 ? 0 - quotient : quotient;
}

// With the sign of y, as Python's %.
static uint32_t modulo(bool is_signed, uint32_t x, uint32_t y)
{
  if (y == 0)
    return 0;
  uint32_t rest = x - divide(is_signed, x, y) * y;
  return is_signed && rest && (rest ^ y) >> 31 ? rest + y : rest;
}

static uint32_t power(bool is_signed, uint32_t x, uint32_t y)
{
  if (is_signed && y >> 31)
    return x == 1 ? 1 : x == UINT32_MAX ? (y & 1 ? x : 1) : 0;
  uint32_t result = 1;
  for (; y; y >>= 1, x *= x)
    if (y & 1)
      result *= x;
  return result;
}

static uint32_t through_f32(AluOp op, bool is_signed, uint32_t x)
{
  DType dtype = is_signed ? DTYPE_INT32 : DTYPE_UINT32;
  uint32_t result;
  dtype_from_f32(dtype, alu_f32(op, dtype_to_f32(dtype, &x), 0), &result);
  return result;
}

uint32_t alu_int32(AluOp op, bool is_signed, uint32_t x, uint32_t y)
{
  switch (op) {
  case ALU_OP_ABS: return magnitude(is_signed, x);
  case ALU_OP_ADD: return x + y;
  case ALU_OP_AVERAGE: return divide(is_signed, x + y, 2);
  case ALU_OP_BYPASS: return x;
  case ALU_OP_DIVIDE: return divide(is_signed, x, y);
  case ALU_OP_IS_EQUAL: return x == y;
  case ALU_OP_IS_GE: return !less(is_signed, x, y);
  case ALU_OP_IS_GT: return less(is_signed, y, x);
  case ALU_OP_IS_LE: return !less(is_signed, y, x);
  case ALU_OP_IS_LT: return less(is_signed, x, y);
  case ALU_OP_MAX: return less(is_signed, x, y) ? y : x;
  case ALU_OP_MIN: return less(is_signed, x, y) ? x : y;
  case ALU_OP_MOD: return modulo(is_signed, x, y);
  case ALU_OP_MULT: return x * y;
  case ALU_OP_NOT_EQUAL: return x != y;
  case ALU_OP_POW: return power(is_signed, x, y);
  case ALU_OP_SUBTRACT: return x - y;
  case ALU_OP_ABS_MAX: return magnitude(is_signed, x) > magnitude(is_signed, y) ? x : y;
  case ALU_OP_ABS_MIN: return magnitude(is_signed, x) < magnitude(is_signed, y) ? x : y;
  case ALU_OP_SQUARE: return x * x;
  case ALU_OP_RELU: return less(is_signed, 0, x) ? x : 0;
  case ALU_OP_RSQRT:
  case ALU_OP_RECIPROCAL: return through_f32(op, is_signed, x);
  case ALU_OP_ARITH_SHIFT_LEFT:
  case ALU_OP_ARITH_SHIFT_RIGHT:
  case ALU_OP_BITWISE_AND:
  case ALU_OP_BITWISE_NOT:
  case ALU_OP_BITWISE_OR:
  case ALU_OP_BITWISE_XOR:
  case ALU_OP_LOGICAL_AND:
  case ALU_OP_LOGICAL_OR:
  case ALU_OP_LOGICAL_XOR:
  case ALU_OP_LOGICAL_NOT:
  case ALU_OP_LOGICAL_SHIFT_LEFT:
  case ALU_OP_LOGICAL_SHIFT_RIGHT: return alu_bits(op, 32, x, y);
  case ALU_OP_COUNT: break;
  }
  bug("ALU operator %u on integers", (unsigned)op);
}
