#include "number/activation.h"
#include "number/alu.h"
#include "number/convert.h"
#include "test.h"

#include <math.h>

static uint32_t next_random(uint32_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

TEST(activation_rows_have_the_bits_of_the_slow_path)
{
  enum { COUNT = 600 };
  uint32_t state = 1;
  for (int func = 0; func < ACTIVATION_FUNC_COUNT; func++) {
    float inputs[COUNT], results[COUNT];
    for (int i = 0; i < COUNT; i++)
      inputs[i] = i % 3 ? (float)(int32_t)next_random(&state) * 0x1p-28f : f32_from_bits(next_random(&state));
    activation_row((ActivationFunc)func, COUNT, results, inputs);
    for (int i = 0; i < COUNT; i++) {
      uint32_t expected = f32_bits(activation_exact_f32((ActivationFunc)func, inputs[i]));
      if (f32_bits(results[i]) != expected)
        test_fail(__FILE__, __LINE__, "%s(%a): row %#x, slow path %#x", activation_wire_name((ActivationFunc)func),
                  (double)inputs[i], f32_bits(results[i]), expected);
    }
  }
}

TEST(activation_limits_and_special_values)
{
  EXPECT_HEX(f32_bits(activation_f32(ACTIVATION_FUNC_SILU, -INFINITY)), ==, 0x80000000);
  EXPECT_F32(activation_f32(ACTIVATION_FUNC_GELU, INFINITY), ==, INFINITY);
  EXPECT_F32(activation_f32(ACTIVATION_FUNC_EXP, -INFINITY), ==, 0.0f);
  EXPECT_F32(activation_f32(ACTIVATION_FUNC_EXP, 0.0f), ==, 1.0f);
  EXPECT_F32(activation_f32(ACTIVATION_FUNC_LOG, 0.0f), ==, -INFINITY);
  EXPECT_HEX(f32_bits(activation_f32(ACTIVATION_FUNC_LOG, -1.0f)), ==, F32_NAN_BITS);
  EXPECT_HEX(f32_bits(activation_f32(ACTIVATION_FUNC_SQRT, -1.0f)), ==, F32_NAN_BITS);
  EXPECT_HEX(f32_bits(activation_f32(ACTIVATION_FUNC_TANH, -0.0f)), ==, 0x80000000);
  EXPECT_F32(activation_f32(ACTIVATION_FUNC_RELU, NAN), ==, 0.0f);
  // Half of a subnormal with an odd last place is a tie that only the next term, of size 2^-298, breaks.
  EXPECT_F32(activation_f32(ACTIVATION_FUNC_GELU, 0x1.8p-148f), ==, 0x1p-148f);
  EXPECT_F32(activation_f32(ACTIVATION_FUNC_GELU, -0x1.8p-148f), ==, -0x1p-149f);
  EXPECT_F32(activation_prelu(-2.0f, 0.25f), ==, -0.5f);
  EXPECT(activation_in_range(ACTIVATION_FUNC_SIN, -3.0f) && !activation_in_range(ACTIVATION_FUNC_SIN, 3.2f));
  EXPECT(!activation_in_range(ACTIVATION_FUNC_RECIPROCAL, 0x1p-50f));
}

TEST(names_of_operators_and_functions_read_back)
{
  for (int i = 0; i < ALU_OP_COUNT; i++) {
    AluOp op;
    EXPECT(alu_from_wire_name(str_from(alu_wire_name((AluOp)i)), &op) && (int)op == i);
    if (alu_info((AluOp)i)->nki_name)
      EXPECT(alu_from_nki_name(str_from(alu_info((AluOp)i)->nki_name), &op) && (int)op == i);
  }
  for (int i = 0; i < ACTIVATION_FUNC_COUNT; i++) {
    ActivationFunc func;
    EXPECT(activation_from_wire_name(str_from(activation_wire_name((ActivationFunc)i)), &func) && (int)func == i);
  }
}

TEST(alu_rules_where_documents_are_silent)
{
  EXPECT_F32(alu_f32(ALU_OP_MAX, NAN, 1.0f), ==, 1.0f);
  EXPECT_F32(alu_f32(ALU_OP_MIN, 1.0f, NAN), ==, 1.0f);
  EXPECT_F32(alu_f32(ALU_OP_ABS_MAX, -3.0f, 3.0f), ==, 3.0f);
  EXPECT_F32(alu_f32(ALU_OP_ABS_MIN, -2.0f, 3.0f), ==, -2.0f);
  EXPECT_F32(alu_f32(ALU_OP_MOD, -1.0f, 3.0f), ==, 2.0f);
  EXPECT_F32(alu_f32(ALU_OP_POW, -2.0f, 3.0f), ==, -8.0f);
  EXPECT_F32(alu_f32(ALU_OP_POW, 4097.0f, 2.0f), ==, 16785408.0f);
  EXPECT_HEX(alu_bits(ALU_OP_LOGICAL_SHIFT_LEFT, 32, 1, 32), ==, 0);
  EXPECT_HEX(alu_bits(ALU_OP_ARITH_SHIFT_RIGHT, 8, 0x80, 9), ==, 0xFF);
  EXPECT_HEX(alu_int32(ALU_OP_MULT, true, 0x10001, 0x10001), ==, 0x20001);
  EXPECT_HEX(alu_int32(ALU_OP_DIVIDE, true, 0x80000000, 0xFFFFFFFF), ==, 0x80000000);
  EXPECT_HEX(alu_int32(ALU_OP_IS_LT, true, 0xFFFFFFFF, 0), ==, 1);
  EXPECT_HEX(alu_int32(ALU_OP_IS_LT, false, 0xFFFFFFFF, 0), ==, 0);
}

TEST(rows_convert_like_elements_in_every_mode)
{
  enum { COUNT = 77 };
  uint32_t state = 5;
  for (int mode = 0; mode < 4; mode++) {
    NumberMode number_mode = {.flush_to_zero = mode & 1, .saturate = mode & 2};
    for (int i = 0; i < DTYPE_COUNT; i++) {
      DType dtype = (DType)i;
      if (dtype_is_packed(dtype))
        continue;
      float values[COUNT], back[COUNT];
      char row[COUNT * 8], one[8];
      for (int k = 0; k < COUNT; k++)
        values[k] = f32_from_bits(next_random(&state));
      convert_row_from_f32(dtype, COUNT, row, values, number_mode);
      convert_row_to_f32(dtype, COUNT, back, row, number_mode);
      for (int k = 0; k < COUNT; k++) {
        dtype_from_f32_mode(dtype, values[k], one, number_mode);
        EXPECT(memcmp(one, row + (unsigned)k * dtype_bytes(dtype), dtype_bytes(dtype)) == 0);
        EXPECT_HEX(f32_bits(dtype_to_f32_mode(dtype, one, number_mode)), ==, f32_bits(back[k]));
      }
    }
  }
}
