#include "number/dtype.h"
#include "test.h"

TEST(dtype_names_read_back)
{
  for (int i = 0; i < DTYPE_COUNT; i++) {
    DType dtype = (DType)i, found;
    if (dtype_nki_name(dtype)) {
      EXPECT(dtype_from_nki_name(str_from(dtype_nki_name(dtype)), &found));
      EXPECT(dtype_same_format(found, dtype));
    }
    if (i < DTYPE_WIRE_COUNT) {
      EXPECT(dtype_from_wire_name(str_from(dtype_wire_name(dtype)), &found));
      EXPECT_INT(found, ==, dtype);
      EXPECT_INT(dtype_info(dtype)->wire_as, ==, dtype);
    }
    EXPECT(dtype_info(dtype)->wire_as < DTYPE_WIRE_COUNT);
    EXPECT_TEXT(dtype_wire_name(dtype_info(dtype)->wire_as), dtype_wire_name(dtype));
  }
  DType dtype;
  EXPECT(!dtype_from_nki_name(STR("float64"), &dtype));
  EXPECT(!dtype_from_nki_name(STR("int64"), &dtype));
  EXPECT(dtype_from_nki_name(STR("tfloat32"), &dtype) && dtype == DTYPE_FLOAT32R);
  EXPECT(dtype_from_nki_name(STR("float8_e4m3"), &dtype) && dtype == DTYPE_FLOAT8E4);
  EXPECT(dtype_from_nki_name(STR("bool"), &dtype) && dtype == DTYPE_BOOL);
  EXPECT(dtype_from_npy_descr(STR("<f4"), &dtype) && dtype == DTYPE_FLOAT32);
  EXPECT(dtype_from_npy_descr(STR("<V2"), &dtype) && dtype == DTYPE_BFLOAT16);
  EXPECT(!dtype_from_npy_descr(STR("<V1"), &dtype));
}

static uint32_t narrow(DType dtype, float value, NumberMode mode)
{
  uint32_t bits = 0;
  dtype_from_f32_mode(dtype, value, &bits, mode);
  return bits;
}

TEST(narrowing_rounds_to_nearest_even_and_overflows)
{
  NumberMode usual = {false, false}, saturate = {.saturate = true}, flush = {.flush_to_zero = true};
  float inf = f32_from_bits(0x7F800000), nan = f32_from_bits(0xFFC00001);
  EXPECT_HEX(narrow(DTYPE_BFLOAT16, f32_from_bits(0x3F808000), usual), ==, 0x3F80);
  EXPECT_HEX(narrow(DTYPE_BFLOAT16, f32_from_bits(0x3F818000), usual), ==, 0x3F82);
  EXPECT_HEX(narrow(DTYPE_BFLOAT16, nan, usual), ==, 0x7FC0);
  EXPECT_HEX(narrow(DTYPE_FLOAT16, 65519.0f, usual), ==, 0x7BFF);
  EXPECT_HEX(narrow(DTYPE_FLOAT16, -65520.0f, usual), ==, 0xFC00);
  EXPECT_HEX(narrow(DTYPE_FLOAT16, -65520.0f, saturate), ==, 0xFBFF);
  EXPECT_HEX(narrow(DTYPE_FLOAT16, 0x1p-24f, usual), ==, 1);
  EXPECT_HEX(narrow(DTYPE_FLOAT16, -0x1p-24f, flush), ==, 0x8000);
  EXPECT_HEX(narrow(DTYPE_FLOAT8_E4M3FN, 1000.0f, usual), ==, 0x7F);
  EXPECT_HEX(narrow(DTYPE_FLOAT8_E4M3FN, 1000.0f, saturate), ==, 0x7E);
  EXPECT_HEX(narrow(DTYPE_FLOAT8_E4M3FN, -inf, usual), ==, 0xFF);
  EXPECT_HEX(narrow(DTYPE_FLOAT8E4, 240.0f, usual), ==, 0x77);
  EXPECT_HEX(narrow(DTYPE_FLOAT8E4, 248.0f, usual), ==, 0x78);
  EXPECT_HEX(narrow(DTYPE_FLOAT4_E2M1FN, -100.0f, usual), ==, 0xF);
  EXPECT_HEX(narrow(DTYPE_FLOAT32R, f32_from_bits(0x3F801000), usual), ==, 0x3F800000);
  EXPECT_HEX(narrow(DTYPE_FLOAT32R, f32_from_bits(0x3F803000), usual), ==, 0x3F804000);
  EXPECT_HEX(narrow(DTYPE_FLOAT32R, f32_from_bits(0x7F7FFFFF), usual), ==, 0x7F800000);
  EXPECT_HEX(narrow(DTYPE_FLOAT32, nan, usual), ==, F32_NAN_BITS);
  EXPECT_HEX(narrow(DTYPE_FLOAT32, f32_from_bits(0x80000001), usual), ==, 0x80000001);
  uint32_t low_bits_set = 0x3F801FFF;
  EXPECT_F32(dtype_to_f32(DTYPE_FLOAT32R, &low_bits_set), ==, 1.0f);
}

TEST(integers_saturate_and_round_half_to_even)
{
  NumberMode usual = {false, false};
  float inf = f32_from_bits(0x7F800000), nan = f32_from_bits(0x7FC00000);
  EXPECT_HEX(narrow(DTYPE_INT8, 2.5f, usual), ==, 2);
  EXPECT_HEX(narrow(DTYPE_INT8, -3.5f, usual), ==, 0xFC);
  EXPECT_HEX(narrow(DTYPE_INT8, 127.6f, usual), ==, 127);
  EXPECT_HEX(narrow(DTYPE_INT8, -1e9f, usual), ==, 0x80);
  EXPECT_HEX(narrow(DTYPE_UINT8, -1.0f, usual), ==, 0);
  EXPECT_HEX(narrow(DTYPE_UINT16, 65535.5f, usual), ==, 65535);
  EXPECT_HEX(narrow(DTYPE_INT32, 2147483648.0f, usual), ==, 0x7FFFFFFF);
  EXPECT_HEX(narrow(DTYPE_INT32, -inf, usual), ==, 0x80000000);
  EXPECT_HEX(narrow(DTYPE_UINT32, inf, usual), ==, 0xFFFFFFFF);
  EXPECT_HEX(narrow(DTYPE_INT32, nan, usual), ==, 0);
  EXPECT_HEX(narrow(DTYPE_BOOL, -0.0f, usual), ==, 0);
  EXPECT_HEX(narrow(DTYPE_BOOL, 0.25f, usual), ==, 1);
  int64_t wide;
  dtype_from_f32(DTYPE_INT64, 1e30f, &wide);
  EXPECT_INT(wide, ==, INT64_MAX);
  int32_t odd = (1 << 24) + 3;
  EXPECT_F32(dtype_to_f32(DTYPE_INT32, &odd), ==, 16777220.0f);
}

TEST(packed_lanes_are_independent)
{
  uint16_t four = 0;
  for (unsigned lane = 0; lane < 4; lane++)
    dtype_set_lane_f32(DTYPE_FLOAT4_E2M1FN_X4, (float)lane * -1.5f, &four, lane);
  EXPECT_HEX(four, ==, 0xEDB8);
  EXPECT_F32(dtype_get_lane_f32(DTYPE_FLOAT4_E2M1FN_X4, &four, 3), ==, -4.0f);
  uint32_t eight = 0;
  dtype_set_lane_f32(DTYPE_FLOAT8_E4M3FN_X4, 448.0f, &eight, 2);
  EXPECT_HEX(eight, ==, 0x007E0000);
  EXPECT_F32(dtype_get_lane_f32(DTYPE_FLOAT8_E4M3FN_X4, &eight, 2), ==, 448.0f);
}
