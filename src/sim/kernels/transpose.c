// transpose.c -- transposes and strided copies; compiled once per variant.

#include "base/bug.h"
#include "base/kernel.h"
#include "sim/kernels/lanes.h"
#include "sim/kernels/variants.h"

#include <string.h>

typedef uint8_t BytesV __attribute__((vector_size(4 * LANES), aligned(1), may_alias));

// Blocks of LANES x LANES go through registers, widened to 32 bits; what is left over goes element by element.
#define TRANSPOSE(T)                                                                                                   \
  typedef T T##V __attribute__((vector_size(sizeof(T) * LANES), aligned(1), may_alias));                               \
  typedef T T##U __attribute__((aligned(1), may_alias));                                                                \
                                                                                                                       \
  static void transpose_block_##T(T##U *dst, size_t dst_stride, const T##U *src, size_t src_stride)                          \
  {                                                                                                                    \
    U32V v[LANES];                                                                                                     \
    for (size_t i = 0; i < LANES; i++)                                                                                 \
      v[i] = __builtin_convertvector(*(const T##V *)(src + i * src_stride), U32V);                                     \
    lanes_transpose(v);                                                                                                \
    for (size_t i = 0; i < LANES; i++)                                                                                 \
      *(T##V *)(dst + i * dst_stride) = __builtin_convertvector(v[i], T##V);                                           \
  }                                                                                                                    \
                                                                                                                       \
  static void transpose_##T(size_t rows, size_t columns, T##U *dst, size_t dst_stride, const T##U *src,                \
                            size_t src_stride)                                                                         \
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

typedef uint64_t uint64_tU __attribute__((aligned(1), may_alias));

static void transpose_uint64_t(size_t rows, size_t columns, uint64_tU *dst, size_t dst_stride, const uint64_tU *src,
                               size_t src_stride)
{
  for (size_t c = 0; c < columns; c++)
    for (size_t r = 0; r < rows; r++)
      dst[c * dst_stride + r] = src[r * src_stride + c];
}

// Rows that are long enough go by vectors, the last of which may write some bytes again; short and very long ones as the C
// library does it.
void KERNEL_NAME(copy_rows)(size_t rows, size_t bytes, void *dst, ptrdiff_t dst_step, const void *src, ptrdiff_t src_step)
{
  enum { VECTOR = sizeof(U32V), MOST = 1 << 14 };
  char *to = dst;
  const char *from = src;
  if (dst_step == (ptrdiff_t)bytes && src_step == (ptrdiff_t)bytes)
    bytes *= rows, rows = rows > 0;
  for (; rows > 0; rows--, to += dst_step, from += src_step) {
    if (bytes < VECTOR || bytes > MOST) {
      memcpy(to, from, bytes);
      continue;
    }
    for (size_t i = 0; i + VECTOR <= bytes; i += VECTOR)
      *(BytesV *)(to + i) = *(const BytesV *)(from + i);
    *(BytesV *)(to + bytes - VECTOR) = *(const BytesV *)(from + bytes - VECTOR);
  }
}

// Every second element of dst, as far as whole vectors go, which is told; what lies between is not written.
#if LANES == 16
KERNEL_INLINE size_t scatter_second_uint16_t(size_t n, void *dst, const void *src)
{
  for (size_t i = 0; i + LANES <= n; i += LANES) {
    __m256i x = _mm256_loadu_si256((const void *)((const uint16_t *)src + i));
    _mm512_mask_storeu_epi16((uint16_t *)dst + 2 * i, 0x55555555, _mm512_cvtepu16_epi32(x));
  }
  return n - n % LANES;
}

KERNEL_INLINE size_t scatter_second_uint32_t(size_t n, void *dst, const void *src)
{
  for (size_t i = 0; i + LANES / 2 <= n; i += LANES / 2) {
    __m256i x = _mm256_loadu_si256((const void *)((const uint32_t *)src + i));
    _mm512_mask_storeu_epi32((uint32_t *)dst + 2 * i, 0x5555, _mm512_cvtepu32_epi64(x));
  }
  return n - n % (LANES / 2);
}
#else
#define scatter_second_uint16_t(n, dst, src) ((size_t)0)
#define scatter_second_uint32_t(n, dst, src) ((size_t)0)
#endif
#define scatter_second_uint8_t(n, dst, src) ((size_t)0)
#define scatter_second_uint64_t(n, dst, src) ((size_t)0)

// One row of n elements; the steps that kernels use most are known to the compiler.
#define STRIDED(T)                                                                                                     \
  KERNEL_INLINE void gather_step_##T(size_t n, T##U *restrict dst, const T##U *restrict src, ptrdiff_t step)           \
  {                                                                                                                    \
    for (size_t i = 0; i < n; i++)                                                                                     \
      dst[i] = src[(ptrdiff_t)i * step];                                                                               \
  }                                                                                                                    \
                                                                                                                       \
  KERNEL_INLINE void scatter_step_##T(size_t n, T##U *restrict dst, ptrdiff_t step, const T##U *restrict src)          \
  {                                                                                                                    \
    for (size_t i = 0; i < n; i++)                                                                                     \
      dst[(ptrdiff_t)i * step] = src[i];                                                                               \
  }                                                                                                                    \
                                                                                                                       \
  static void gather_##T(size_t outer, size_t inner, T##U *dst, const T##U *src, ptrdiff_t outer_step, ptrdiff_t step) \
  {                                                                                                                    \
    if (step == 1) {                                                                                                   \
      KERNEL_NAME(copy_rows)(outer, inner * sizeof(T), dst, (ptrdiff_t)(inner * sizeof(T)), src,                       \
                             outer_step * (ptrdiff_t)sizeof(T));                                                       \
      return;                                                                                                          \
    }                                                                                                                  \
    for (; outer > 0; outer--, dst += inner, src += outer_step)                                                        \
      switch (step) {                                                                                                  \
      case 0: gather_step_##T(inner, dst, src, 0); break;                                                              \
      case 2: gather_step_##T(inner, dst, src, 2); break;                                                              \
      case 4: gather_step_##T(inner, dst, src, 4); break;                                                              \
      default: gather_step_##T(inner, dst, src, step);                                                                 \
      }                                                                                                                \
  }                                                                                                                    \
                                                                                                                       \
  static void scatter_##T(size_t outer, size_t inner, T##U *dst, ptrdiff_t outer_step, ptrdiff_t step,                 \
                          const T##U *src)                                                                             \
  {                                                                                                                    \
    if (step == 1) {                                                                                                   \
      KERNEL_NAME(copy_rows)(outer, inner * sizeof(T), dst, outer_step * (ptrdiff_t)sizeof(T), src,                    \
                             (ptrdiff_t)(inner * sizeof(T)));                                                          \
      return;                                                                                                          \
    }                                                                                                                  \
    for (; outer > 0; outer--, dst += outer_step, src += inner)                                                        \
      switch (step) {                                                                                                  \
      case 2: {                                                                                                        \
        size_t done = scatter_second_##T(inner, dst, src);                                                             \
        scatter_step_##T(inner - done, dst + 2 * done, 2, src + done);                                                 \
        break;                                                                                                         \
      }                                                                                                                \
      case 4: scatter_step_##T(inner, dst, 4, src); break;                                                             \
      default: scatter_step_##T(inner, dst, step, src);                                                                \
      }                                                                                                                \
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

void KERNEL_NAME(gather)(unsigned bytes, size_t outer, size_t inner, void *dst, const void *src, ptrdiff_t outer_step,
                         ptrdiff_t inner_step)
{
  BY_SIZE(gather, outer, inner, dst, src, outer_step, inner_step);
}

void KERNEL_NAME(scatter)(unsigned bytes, size_t outer, size_t inner, void *dst, ptrdiff_t outer_step,
                          ptrdiff_t inner_step, const void *src)
{
  BY_SIZE(scatter, outer, inner, dst, outer_step, inner_step, src);
}
