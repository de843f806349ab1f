// product.h -- matrix products on their way into PSUM: what the executors of the tensor engine share.

#pragma once
#include "sim/piece.h"

// A matrix of `rows` values in each of `depth` rows, as float32 or, when `is_bf16`, as bfloat16 of which `least` is the
// least magnitude other than zero.
typedef struct Factor {
  const void *at;
  size_t stride;
  bool is_bf16;
  uint16_t least;
} Factor;

// The factors of two tiles: both as bfloat16 when they hold nothing else and the CPU multiplies that as it should.
void product_factors(Sim *sim, const Tile *stationary, const Tile *moving, Factor *a, Factor *b);

// The same for factors that are bfloat16, of `depth` rows of a_columns and b_columns: they stay so, or are widened.
void product_settle(Sim *sim, uint64_t depth, uint64_t a_columns, Factor *a, uint64_t b_columns, Factor *b);

// dst[m,n] = sum over k < depth of a[k][m] * b[k][n], or dst + sum where it is added to (docs/numerics.md, section 6);
// marks dst and counts the work.
void product_run(Sim *sim, const Tile *dst, Core_OPT_BOOL accumulate, uint64_t depth, const Factor *a, const Factor *b);
