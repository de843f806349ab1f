// random.h -- the XORWOW generator of the vector and gpsimd engines: one per lane.
//
// The device's generator is documented by name and by the size of its state only. How words are ordered, lanes are
// seeded and bits become numbers is our choice (docs/numerics.md, section 10): expect the device's distribution, not
// its bits.

#pragma once
#include <stddef.h>
#include <stdint.h>

// Six words, in the order in which the state is read and written: five of a shift register, and a counter.
typedef struct Xorwow {
  uint32_t word[6];
} Xorwow;

// The state of `lane` after set_rng_seed(seed): distinct for every pair, and never the register's fixed point 0.
Xorwow xorwow_seeded(uint32_t seed, uint32_t lane);

// The next 32 random bits (Marsaglia, Xorshift RNGs, 2003).
uint32_t xorwow_next(Xorwow *state);

// dst[i] = low + u * (high - low), rounded at each step, where u in [0, 1) is the top 24 bits times 2^-24. The last
// rounding may give `high` itself.
void xorwow_uniform_row(Xorwow *state, size_t n, float *dst, float low, float high);

// dst[i] = 32 random bits.
void xorwow_bits_row(Xorwow *state, size_t n, uint32_t *dst);
