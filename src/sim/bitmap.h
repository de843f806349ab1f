// bitmap.h -- ranges of bits in an array of words.

#pragma once
#include <stdbool.h>
#include <stdint.h>

// The bits of word `w` that belong to [start, end).
static inline uint64_t bitmap_word(uint64_t w, uint64_t start, uint64_t end)
{
  uint64_t mask = ~UINT64_C(0);
  if (w == start / 64)
    mask <<= start & 63;
  if (w == (end - 1) / 64 && (end & 63))
    mask &= ~(~UINT64_C(0) << (end & 63));
  return mask;
}

static inline void bitmap_set(uint64_t *bits, uint64_t start, uint64_t count)
{
  for (uint64_t w = start / 64; count && w <= (start + count - 1) / 64; w++)
    bits[w] |= bitmap_word(w, start, start + count);
}

static inline void bitmap_clear(uint64_t *bits, uint64_t start, uint64_t count)
{
  for (uint64_t w = start / 64; count && w <= (start + count - 1) / 64; w++)
    bits[w] &= ~bitmap_word(w, start, start + count);
}

// The first bit that is set, or UINT64_MAX.
static inline uint64_t bitmap_find(const uint64_t *bits, uint64_t start, uint64_t count)
{
  for (uint64_t w = start / 64; count && w <= (start + count - 1) / 64; w++) {
    uint64_t found = bits[w] & bitmap_word(w, start, start + count);
    if (found)
      return w * 64 + (uint64_t)__builtin_ctzll(found);
  }
  return UINT64_MAX;
}
