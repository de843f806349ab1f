// transpose.c -- transposes and strided copies; compiled once per variant.

#include "base/bug.h"
#include "base/kernel.h"
#include "sim/kernels/variants.h"

// Square blocks keep both sides within the first-level cache.
#define BLOCK 16

#define MOVES(T)                                                                                                       \
  static void transpose_##T(size_t rows, size_t columns, T *restrict dst, size_t dst_stride, const T *restrict src,   \
                            size_t src_stride)                                                                        \
  {                                                                                                                    \
    for (size_t r0 = 0; r0 < rows; r0 += BLOCK)                                                                        \
      for (size_t c0 = 0; c0 < columns; c0 += BLOCK)                                                                   \
        for (size_t c = c0; c < columns && c < c0 + BLOCK; c++)                                                        \
          for (size_t r = r0; r < rows && r < r0 + BLOCK; r++)                                                         \
            dst[c * dst_stride + r] = src[r * src_stride + c];                                                         \
  }                                                                                                                    \
  static void gather_##T(size_t n, T *restrict dst, const T *restrict src, ptrdiff_t step)                            \
  {                                                                                                                    \
    for (size_t i = 0; i < n; i++)                                                                                     \
      dst[i] = src[(ptrdiff_t)i * step];                                                                               \
  }                                                                                                                    \
  static void scatter_##T(size_t n, T *restrict dst, ptrdiff_t step, const T *restrict src)                           \
  {                                                                                                                    \
    for (size_t i = 0; i < n; i++)                                                                                     \
      dst[(ptrdiff_t)i * step] = src[i];                                                                               \
  }
MOVES(uint8_t)
MOVES(uint16_t)
MOVES(uint32_t)
MOVES(uint64_t)

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
