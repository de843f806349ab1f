// bits.h -- integers' bits fast: what the executors of elementwise operators and reductions share.

#pragma once
#include "sim/piece.h"

// Whether both are integers of one size, at most 32 bits.
bool bits_fit(const Tile *dst, const Tile *src);

// Whether arithmetic on these tiles, which goes through float32, is that of their own integers, saturated.
bool bits_saturate(AluOp op, const Tile *dst, const Tile *a, const Tile *b);

// dst = a op b on tiles of one size of elements.
typedef enum BitsMeaning {
  BITS_OF_INTEGERS,  // bit operators
  BITS_EXACT,        // arithmetic of 32 bits, which wraps
  BITS_SATURATED,    // see bits_saturate
} BitsMeaning;
void bits_tensor_tensor(Sim *sim, AluOp op, const Tile *dst, const Tile *a, const Tile *b, BitsMeaning meaning);

// dst = (src op0 first) op1 second, each with one value per partition.
typedef struct BitsScalar {
  AluOp op0, op1;
  bool has_second, reverse0, reverse1;
  const Tile *dst, *src;
  uint32_t first[SIM_MAX_PARTITIONS], second[SIM_MAX_PARTITIONS];
} BitsScalar;
void bits_tensor_scalar(Sim *sim, const BitsScalar *w);

// dst[p, g] = the elements of group g of row p, `group` elements each, folded by one of the operators that
// bits_can_reduce names.
bool bits_can_reduce(AluOp op);
void bits_tensor_reduce(AluOp op, const Tile *dst, const Tile *src, uint64_t group);
