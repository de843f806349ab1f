// test_number_ulp.c -- distances of elements, over every value of the narrow float types.

#include "number/ulp.h"

#include "test.h"

#include <math.h>
#include <string.h>

static const DType narrow[] = {DTYPE_BFLOAT16, DTYPE_FLOAT16, DTYPE_FLOAT8E3, DTYPE_FLOAT8E4, DTYPE_FLOAT8E5,
                               DTYPE_FLOAT8_E4M3FN, DTYPE_FLOAT4_E2M1FN};

TEST(neighbours_are_one_ulp_apart)
{
  for (size_t d = 0; d < sizeof narrow / sizeof *narrow; d++) {
    DType dtype = narrow[d];
    for (uint32_t code = 0; code < dtype_format(dtype)->largest; code++) {
      uint32_t next = code + 1;
      double low = dtype_to_f64(dtype, &code), high = dtype_to_f64(dtype, &next);
      EXPECT_F32(ulps_between(dtype, &code, dtype, &next), ==, 1.0);
      EXPECT_F32(dtype_ulp(dtype, low), ==, high - low);
      EXPECT_F32(dtype_ulp(dtype, -(low + (high - low) / 2)), ==, high - low);
    }
  }
}

TEST(distances_across_zero_and_to_what_is_not_finite)
{
  float minus = -0.0f, plus = 0.0f, small = 0x1p-149f, opposite = -0x1p-149f, nan = NAN, infinite = INFINITY, one = 1;
  uint16_t narrow_one = 0x3F81;  // bfloat16, 1 + 2^-7
  EXPECT_F32(ulps_between(DTYPE_FLOAT32, &minus, DTYPE_FLOAT32, &plus), ==, 0.0);
  EXPECT_F32(ulps_between(DTYPE_FLOAT32, &small, DTYPE_FLOAT32, &opposite), ==, 2.0);
  EXPECT_F32(ulps_between(DTYPE_FLOAT32, &nan, DTYPE_FLOAT32, &nan), ==, 0.0);
  EXPECT(isinf(ulps_between(DTYPE_FLOAT32, &nan, DTYPE_FLOAT32, &one)));
  EXPECT(isinf(ulps_between(DTYPE_FLOAT32, &infinite, DTYPE_FLOAT32, &one)));
  EXPECT_F32(ulps_between(DTYPE_FLOAT32, &infinite, DTYPE_FLOAT32, &infinite), ==, 0.0);
  EXPECT_F32(ulps_between(DTYPE_FLOAT32, &one, DTYPE_BFLOAT16, &narrow_one), ==, 1.0);  // the coarser one's
}

TEST(distances_of_integers)
{
  int32_t a = -5, b = 7;
  uint8_t c = 250;
  EXPECT_F32(ulps_between(DTYPE_INT32, &a, DTYPE_INT32, &b), ==, 12.0);
  EXPECT_F32(ulps_between(DTYPE_INT32, &b, DTYPE_UINT8, &c), ==, 243.0);
}
