// random.c -- many XORWOW generators side by side, as number/random.h has one; compiled once per variant.

#include "number/random.h"
#include "sim/kernels/lanes.h"
#include "sim/kernels/variants.h"

#include <string.h>

enum { WORDS = 6 };

// Generators of LANES neighbours, a vector for each word.
typedef struct States {
  U32V word[WORDS];
} States;

KERNEL_INLINE void load(States *s, const Xorwow *from)
{
  for (int w = 0; w < WORDS; w++)
    for (int i = 0; i < LANES; i++)
      s->word[w][i] = from[i].word[w];
}

KERNEL_INLINE void store(const States *s, Xorwow *to)
{
  for (int w = 0; w < WORDS; w++)
    for (int i = 0; i < LANES; i++)
      to[i].word[w] = s->word[w][i];
}

KERNEL_INLINE void next(States *s, U32V *bits)
{
  U32V t = s->word[0] ^ s->word[0] >> 2, v = s->word[4];
  for (int w = 0; w < 4; w++)
    s->word[w] = s->word[w + 1];
  s->word[4] = v ^ v << 4 ^ t ^ t << 1;
  s->word[5] += 362437;
  *bits = s->word[4] + s->word[5];
}

// One generator a row: LANES steps at once, turned into rows. Returns the columns done.
KERNEL_INLINE size_t rows_of_one(States *s, size_t n, uint32_t *dst, size_t stride)
{
  size_t c = 0;
  for (; c + LANES <= n; c += LANES) {
    U32V v[LANES];
    for (int j = 0; j < LANES; j++)
      next(s, &v[j]);
    lanes_transpose(v);
    for (size_t i = 0; i < LANES; i++)
      *(U32V *)(dst + i * stride + c) = v[i];
  }
  return c;
}

// Four generators a row, which its elements take in turn.
KERNEL_INLINE size_t rows_of_four(States *s, size_t n, uint32_t *dst, size_t stride)
{
  size_t c = 0;
  for (; c + 4 <= n; c += 4) {
    U32V v;
    next(s, &v);
    for (size_t i = 0; i < LANES / 4; i++)
      memcpy(dst + i * stride + c, (const uint32_t *)&v + 4 * i, 4 * sizeof *dst);
  }
  return c;
}

void KERNEL_NAME(random_bits)(size_t rows, size_t n, size_t each, uint32_t *dst, size_t dst_stride, Xorwow *states)
{
  size_t together = LANES / each, r = 0;
  for (; r < rows; r += together) {
    size_t done = 0, height = rows - r < together ? rows - r : together;
    if (height == together) {
      States s;
      load(&s, states + r * each);
      done = each == 1 ? rows_of_one(&s, n, dst + r * dst_stride, dst_stride) :
                         rows_of_four(&s, n, dst + r * dst_stride, dst_stride);
      store(&s, states + r * each);
    }
    for (size_t i = r; i < r + height; i++)
      for (size_t c = done; c < n; c++)
        dst[i * dst_stride + c] = xorwow_next(&states[i * each + c % each]);
  }
}
