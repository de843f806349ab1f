// transpose.c -- transposes and strided copies; compiled once per variant.

#include "base/bug.h"
#include "base/kernel.h"
#include "sim/kernels/lanes.h"
#include "sim/kernels/variants.h"

#include <string.h>

// Blocks of LANES x LANES go through registers, widened to 32 bits; what is left over goes element by element.
#define TRANSPOSE(T)                                                                                                   \
  typedef T T##V __attribute__((vector_size(sizeof(T) * LANES), aligned(1), may_alias));                               \
                                                                                                                       \
  static void transpose_block_##T(T *dst, size_t dst_stride, const T *src, size_t src_stride)                          \
  {                                                                                                                    \
    U32V v[LANES];                                                                                                     \
    for (size_t i = 0; i < LANES; i++)                                                                                 \
      v[i] = __builtin_convertvector(*(const T##V *)(src + i * src_stride), U32V);                                     \
    lanes_transpose(v);                                                                                                \
    for (size_t i = 0; i < LANES; i++)                                                                                 \
      *(T##V *)(dst + i * dst_stride) = __builtin_convertvector(v[i], T##V);                                           \
  }                                                                                                                    \
                                                                                                                       \
  static void transpose_##T(size_t rows, size_t columns, T *dst, size_t dst_stride, const T *src, size_t src_stride)   \
  {                                                                                                                    \
    size_t whole_rows = rows - rows % LANES, whole_columns = columns - columns % LANES;                                \
    for (size_t c = 0; c < whole_columns; c += LANES)                                                                  \
      for (size_t r = 0; r < whole_rows; r += LANES)                                                                   \
        transpose_block_##T(dst + c * dst_stride + r, dst_stride, src + r * src_stride + c, src_stride);               \
    for (size_t c = 0; c < columns; c++)                                                                               \
      for (size_t r = c < whole_columns ? whole_rows : 0; r < rows; r++)                                               \
        dst[c * dst_stride + r] = src[r * src_stride + c];                                                             \
  }

TRANSPOSE(uint8_t)
TRANSPOSE(uint16_t)
TRANSPOSE(uint32_t)

static void transpose_uint64_t(size_t rows, size_t columns, uint64_t *dst, size_t dst_stride, const uint64_t *src,
                               size_t src_stride)
{
  for (size_t c = 0; c < columns; c++)
    for (size_t r = 0; r < rows; r++)
      dst[c * dst_stride + r] = src[r * src_stride + c];
}

#define STRIDED(T)                                                                                                     \
  static void gather_##T(size_t n, T *restrict dst, const T *restrict src, ptrdiff_t step)                             \
  {                                                                                                                    \
    if (step == 1)                                                                                                     \
      memcpy(dst, src, n * sizeof(T));                                                                                 \
    else                                                                                                               \
      for (size_t i = 0; i < n; i++)                                                                                   \
        dst[i] = src[(ptrdiff_t)i * step];                                                                             \
  }                                                                                                                    \
                                                                                                                       \
  static void scatter_##T(size_t n, T *restrict dst, ptrdiff_t step, const T *restrict src)                            \
  {                                                                                                                    \
    if (step == 1)                                                                                                     \
      memcpy(dst, src, n * sizeof(T));                                                                                 \
    else                                                                                                               \
      for (size_t i = 0; i < n; i++)                                                                                   \
        dst[(ptrdiff_t)i * step] = src[i];                                                                             \
  }

STRIDED(uint8_t)
STRIDED(uint16_t)
STRIDED(uint32_t)
STRIDED(uint64_t)

#define BY_SIZE(call, ...)                                                                                             \
  switch (bytes) {                                                                                                     \
  case 1: call##_uint8_t(__VA_ARGS__); return;                                                                         \
  case 2: call##_uint16_t(__VA_ARGS__); return;                                                                        \
  case 4: call##_uint32_t(__VA_ARGS__); return;                                                                        \
  case 8: call##_uint64_t(__VA_ARGS__); return;                                                                        \
  }                                                                                                                    \
  bug("elements of %u bytes", bytes)

void KERNEL_NAME(transpose)(unsigned bytes, size_t rows, size_t columns, void *dst, size_t dst_stride,
                            const void *src, size_t src_stride)
{
  BY_SIZE(transpose, rows, columns, dst, dst_stride, src, src_stride);
}

void KERNEL_NAME(gather)(unsigned bytes, size_t n, void *dst, const void *src, ptrdiff_t step)
{
  BY_SIZE(gather, n, dst, src, step);
}

void KERNEL_NAME(scatter)(unsigned bytes, size_t n, void *dst, ptrdiff_t step, const void *src)
{
  BY_SIZE(scatter, n, dst, step, src);
}
