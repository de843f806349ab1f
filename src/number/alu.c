#include "number/alu.h"

const char *alu_wire_name(AluOp op)
{
  static const char *const names[] = {
      "abs",
      "add",
      "arith_shift_left",
      "arith_shift_right",
      "average",
      "bitwise_and",
      "bitwise_not",
      "bitwise_or",
      "bitwise_xor",
      "bypass",
      "divide",
      "is_equal",
      "is_ge",
      "is_gt",
      "is_le",
      "is_lt",
      "logical_and",
      "logical_or",
      "logical_shift_left",
      "logical_shift_right",
      "logical_xor",
      "max",
      "min",
      "mod",
      "mult",
      "not_equal",
      "pow",
      "rsqrt",
      "subtract",
  };
  return names[op];
}
