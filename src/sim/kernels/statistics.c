// statistics.c -- count, mean and squared distances of even and of odd elements; compiled once per variant.
//
// Vectors run across rows (see columns.h); the sums go left to right in each lane.

#include "sim/kernels/columns.h"
#include "sim/kernels/variants.h"

typedef struct Halves {
  F32V even, odd;
} Halves;

// The sum of a row's even and of its odd elements, or of their squared distances from `mean`.
KERNEL_INLINE Halves sums(const Group *group, size_t n, const Halves *mean)
{
  Halves sum = {{0}, {0}};
#define ADD(half, x)                                                                                                   \
  do {                                                                                                                 \
    F32V value_ = (F32V)(x);                                                                                           \
    if (mean) {                                                                                                        \
      value_ = value_ - mean->half;                                                                                    \
      value_ = value_ * value_;                                                                                        \
    }                                                                                                                  \
    sum.half = sum.half + value_;                                                                                      \
  } while (0)
  size_t c = 0;
  for (; c + LANES <= n; c += LANES) {
    U32V v[LANES];
    load_columns(v, group, c);
    for (size_t j = 0; j < LANES; j += 2) {
      ADD(even, v[j]);
      ADD(odd, v[j + 1]);
    }
  }
  for (; c < n; c++)
    if (c % 2 == 0)
      ADD(even, load_column(group, c));
    else
      ADD(odd, load_column(group, c));
#undef ADD
  return sum;
}

void KERNEL_NAME(bn_stats_f32)(size_t rows, size_t n, float *dst, size_t dst_stride, const float *src,
                               size_t src_stride)
{
  float even_count = (float)((n + 1) / 2), odd_count = (float)(n / 2);
  for (size_t r = 0; r < rows; r += LANES) {
    Group group = group_of_rows(src + r * src_stride, src_stride, rows - r);
    Halves mean = sums(&group, n, NULL);
    mean.even = mean.even / (n > 0 ? even_count : 1);
    mean.odd = mean.odd / (n > 1 ? odd_count : 1);
    Halves squares = sums(&group, n, &mean);
    mean.even = F32V_CANONICAL(mean.even), mean.odd = F32V_CANONICAL(mean.odd);
    squares.even = F32V_CANONICAL(squares.even), squares.odd = F32V_CANONICAL(squares.odd);
    for (size_t i = 0; i < group.count; i++) {
      float *out = dst + (r + i) * dst_stride;
      out[0] = even_count, out[1] = mean.even[i], out[2] = squares.even[i];
      out[3] = odd_count, out[4] = mean.odd[i], out[5] = squares.odd[i];
    }
  }
}
