// eights.c -- the eight largest of a row, and where given values stand; compiled once per variant.

#include "base/kernel.h"
#include "number/dtype.h"
#include "sim/kernels/variants.h"

#include <string.h>

// Elements looked at together before any is looked at alone.
#define STRIDE 64
enum { EIGHT = 8 };

// NaN is below every number.
static bool is_above(float x, float y)
{
  return x > y || (y != y && x == x);
}

// Puts x behind those of the `kept` best that are not below it; with eight, the last drops out.
static void insert(float *best, size_t kept, float x)
{
  size_t at = kept;
  while (at > 0 && is_above(x, best[at - 1]))
    at--;
  if (at == EIGHT)
    return;
  size_t moved = (kept < EIGHT ? kept : EIGHT - 1) - at;
  memmove(best + at + 1, best + at, moved * sizeof *best);
  best[at] = x;
}

// True when none of STRIDE elements comes before `least`, which is not a NaN.
static bool none_above(const float *row, float least)
{
  int32_t found = 0;
  for (size_t i = 0; i < STRIDE; i++)
    found |= row[i] > least;
  return !found;
}

static void max8_row(size_t n, float *best, const float *row)
{
  size_t i = 0;
  for (; i < n && i < EIGHT; i++)
    insert(best, i, row[i]);
  while (i < n)
    if (n - i >= STRIDE && best[EIGHT - 1] == best[EIGHT - 1] && none_above(row + i, best[EIGHT - 1]))
      i += STRIDE;
    else
      for (size_t end = n - i < STRIDE ? n : i + STRIDE; i < end; i++)
        if (is_above(row[i], best[EIGHT - 1]))
          insert(best, EIGHT, row[i]);
}

void KERNEL_NAME(max8_f32)(size_t rows, size_t n, float *dst, size_t dst_stride, const float *src, size_t src_stride)
{
  for (size_t r = 0; r < rows; r++) {
    float best[EIGHT] = {0};
    max8_row(n, best, src + r * src_stride);
    for (size_t i = 0; i < EIGHT; i++)
      dst[r * dst_stride + i] = best[i] == best[i] ? best[i] : f32_from_bits(F32_NAN_BITS);
  }
}

// Smallest i >= from with row[i] == value, or n.
static size_t find(size_t n, const float *row, size_t from, float value)
{
  size_t i = from;
  for (; n - i >= STRIDE; i += STRIDE) {
    int32_t found = 0;
    for (size_t k = 0; k < STRIDE; k++)
      found |= row[i + k] == value;
    if (found)
      break;
  }
  while (i < n && row[i] != value)
    i++;
  return i;
}

void KERNEL_NAME(claim8_f32)(size_t n, const float *row, const float *wanted, bool last_first, uint32_t *index)
{
  for (size_t k = 0; k < EIGHT; k++) {
    size_t j = last_first ? EIGHT - 1 - k : k, from = 0;
    for (size_t before = 0; before < k; before++) {  // of one value, those before the last claimed are claimed too
      size_t other = last_first ? EIGHT - 1 - before : before;
      if (wanted[other] == wanted[j])
        from = index[other] == UINT32_MAX ? n : (size_t)index[other] + 1;
    }
    size_t at = find(n, row, from, wanted[j]);
    index[j] = at < n ? (uint32_t)at : UINT32_MAX;
  }
}
