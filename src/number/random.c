#include "number/random.h"

// SplitMix64: spreads the bits of a counter over 64 bits, one to one.
static uint64_t split_mix(uint64_t *counter)
{
  uint64_t z = *counter += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

Xorwow xorwow_seeded(uint32_t seed, uint32_t lane)
{
  Xorwow state;
  uint64_t counter = (uint64_t)seed << 32 | lane;
  for (int i = 0; i < 6; i += 2) {
    uint64_t mixed = split_mix(&counter);
    state.word[i] = (uint32_t)mixed | (i == 0);  // the register must not be all zeros
    state.word[i + 1] = (uint32_t)(mixed >> 32);
  }
  return state;
}

uint32_t xorwow_next(Xorwow *state)
{
  uint32_t *s = state->word, t = s[0] ^ s[0] >> 2;
  for (int i = 0; i < 4; i++)
    s[i] = s[i + 1];
  s[4] = (s[4] ^ s[4] << 4) ^ (t ^ t << 1);
  s[5] += 362437;
  return s[4] + s[5];
}

void xorwow_uniform_row(Xorwow *state, size_t n, float *dst, float low, float high)
{
  float width = high - low;
  for (size_t i = 0; i < n; i++)
    dst[i] = low + (float)(xorwow_next(state) >> 8) * 0x1p-24f * width;
}

void xorwow_bits_row(Xorwow *state, size_t n, uint32_t *dst)
{
  for (size_t i = 0; i < n; i++)
    dst[i] = xorwow_next(state);
}
