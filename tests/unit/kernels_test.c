// kernels_test.c -- see kernels_test.h.

#include "kernels_test.h"

static float from_bits(uint32_t bits)
{
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint32_t to_bits(float value)
{
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

float kernels_nan(void)
{
  return from_bits(0x7FC00000);
}

uint32_t kernels_random_bits(void)
{
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 24);
}

static float random_value(KernelsValues values)
{
  static const uint32_t special[] = {0,          0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001,
                                     1,          0x80000001, 0x007FFFFF, 0x00800000, 0x3F800000, 0xBF800000, 0x7F7FFFFF,
                                     0xFF7FFFFF, 0x40000000, 0x3F800001, 0x4B800000};
  uint32_t bits = kernels_random_bits();
  switch (values) {
  case KERNELS_USUAL: return (float)((int32_t)bits >> 4) * 0x1p-26f;
  case KERNELS_CLOSE: return (float)((int32_t)(bits & 15) - 8) * ((bits & 64) ? 0x1p-24f : 1.0f);
  case KERNELS_ANY_BITS: return from_bits(bits);
  case KERNELS_SPECIAL:
  case KERNELS_VALUES_COUNT: break;
  }
  return from_bits(special[bits % (sizeof special / sizeof *special)]);
}

float *kernels_random(size_t n, KernelsValues values)
{
  float *row = malloc((n + 1) * sizeof *row);
  for (size_t i = 0; i < n; i++)
    row[i] = random_value(values);
  return row;
}

float *kernels_copy(const float *from, size_t n)
{
  float *row = malloc((n + 1) * sizeof *row);
  memcpy(row, from, n * sizeof *row);
  return row;
}

void kernels_expect_same(const char *variant, const char *kernel, const float *have, const float *want, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (to_bits(have[i]) != to_bits(want[i])) {
      test_fail(__FILE__, __LINE__, "%s of %s: element %zu is %a (%08x), not %a (%08x)", kernel, variant, i,
                (double)have[i], to_bits(have[i]), (double)want[i], to_bits(want[i]));
      return;
    }
}
