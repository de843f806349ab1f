// exec_bits.c -- bit operators and exact integers on tiles of one element size.
//
// Integers of different sizes are extended to the widest of them; that is left to the reference.

#include "sim/bits.h"

#include "base/kernel.h"

#include <string.h>

bool bits_fit(const Tile *dst, const Tile *src)
{
  return dtype_is_integer(dst->dtype) && dtype_is_integer(src->dtype) && dst->item == src->item && dst->item <= 4;
}

// Whether kernels on integers can use the tile's rows.
static bool is_direct(const Tile *tile)
{
  return tile->is_row_contiguous && tile->partition_step >= 0 && tile->partition_step % tile->item == 0 &&
         (uintptr_t)tile->base % tile->item == 0;
}

// A piece's elements, where they lie or gathered into `scratch`, which has PIECE_ELEMS of them.
static KernelRows read_units(const Tile *tile, const Piece *piece, uint32_t *scratch)
{
  if (is_direct(tile))
    return (KernelRows){tile_row(tile, piece->partition) + piece->start * tile->item,
                        (size_t)tile->partition_step / tile->item, false};
  uint8_t *to = (uint8_t *)scratch;
  for (uint64_t r = 0; r < piece->partitions; r++)
    tile_gather(tile, piece->partition + r, piece->start, piece->n, to + r * piece->n * tile->item);
  return (KernelRows){scratch, piece->n, false};
}

static void *units_target(const Tile *tile, const Piece *piece, uint32_t *scratch, size_t *stride)
{
  *stride = is_direct(tile) ? (size_t)tile->partition_step / tile->item : piece->n;
  return is_direct(tile) ? tile_row(tile, piece->partition) + piece->start * tile->item : (uint8_t *)scratch;
}

static void store_units(const Tile *tile, const Piece *piece, const uint32_t *scratch)
{
  const uint8_t *from = (const uint8_t *)scratch;
  for (uint64_t r = 0; r < piece->partitions && !is_direct(tile); r++)
    tile_scatter(tile, piece->partition + r, piece->start, piece->n, from + r * piece->n * tile->item);
}

// ---- two tiles
typedef struct BitsPair {
  AluOp op;
  const Tile *dst, *a, *b;
  BitsMeaning meaning;
} BitsPair;

static void pair_pieces(void *context, uint64_t first, uint64_t last)
{
  const BitsPair *w = context;
  uint32_t x[PIECE_ELEMS], y[PIECE_ELEMS], z[PIECE_ELEMS];
  bool whole = is_direct(w->dst) && is_direct(w->a) && is_direct(w->b);
  for (Piece piece = {0}; piece_next(&piece, w->dst, first, last, whole);) {
    KernelRows a = read_units(w->a, &piece, x), b = read_units(w->b, &piece, y);
    size_t stride;
    void *to = units_target(w->dst, &piece, z, &stride);
    switch (w->meaning) {
    case BITS_OF_INTEGERS:
      kernel_binary_bits(w->op, w->dst->item, piece.partitions, piece.n, to, stride, a, b);
      break;
    case BITS_EXACT:
      kernel_binary_int32(w->op, w->a->dtype == DTYPE_INT32, piece.partitions, piece.n, to, stride, a, b);
      break;
    case BITS_SATURATED:
      kernel_binary_saturated(w->op, w->dst->item, dtype_is_signed_integer(w->dst->dtype), piece.partitions, piece.n,
                              to, stride, a, b);
    }
    store_units(w->dst, &piece, z);
  }
}

bool bits_saturate(AluOp op, const Tile *dst, const Tile *a, const Tile *b)
{
  return kernel_saturates(op) && dtype_is_integer(dst->dtype) && dst->dtype != DTYPE_BOOL && dst->item <= 2 &&
         a->dtype == dst->dtype && b->dtype == dst->dtype;
}

void bits_tensor_tensor(Sim *sim, AluOp op, const Tile *dst, const Tile *a, const Tile *b, BitsMeaning meaning)
{
  BitsPair w = {op, dst, a, b, meaning};
  piece_parallel(sim, dst->partitions, dst->partitions * dst->free_elems, pair_pieces, &w);
}

// ---- a tile, and one or two values per partition
static KernelRows lane_units(const uint32_t *lanes, const Piece *piece, uint32_t item)
{
  return (KernelRows){lanes + piece->partition, sizeof *lanes / item, true};  // little-endian: the low bytes
}

static void step(AluOp op, bool reverse, const Piece *piece, uint32_t item, void *to, size_t stride, KernelRows x,
                 KernelRows y)
{
  kernel_binary_bits(op, item, piece->partitions, piece->n, to, stride, reverse ? y : x, reverse ? x : y);
}

static void scalar_pieces(void *context, uint64_t first, uint64_t last)
{
  const BitsScalar *w = context;
  uint32_t x[PIECE_ELEMS], z[PIECE_ELEMS], item = w->dst->item;
  for (Piece piece = {0}; piece_next(&piece, w->dst, first, last, false);) {
    size_t stride;
    void *to = units_target(w->dst, &piece, z, &stride);
    step(w->op0, w->reverse0, &piece, item, to, stride, read_units(w->src, &piece, x),
         lane_units(w->first, &piece, item));
    if (w->has_second)
      step(w->op1, w->reverse1, &piece, item, to, stride, (KernelRows){to, stride, false},
           lane_units(w->second, &piece, item));
    store_units(w->dst, &piece, z);
  }
}

void bits_tensor_scalar(Sim *sim, const BitsScalar *w)
{
  piece_parallel(sim, w->dst->partitions, w->dst->partitions * w->dst->free_elems, scalar_pieces,
                 (void *)(uintptr_t)w);
}

// ---- reductions: the operators whose order does not matter
#define FOLD(Type, operator)                                                                                           \
  {                                                                                                                    \
    Type folded = 0, unit;                                                                                             \
    memcpy(&folded, units, sizeof folded);                                                                             \
    for (uint64_t i = 1; i < n; i++) {                                                                                 \
      memcpy(&unit, units + i * sizeof unit, sizeof unit);                                                             \
      folded = (Type)(folded operator unit);                                                                           \
    }                                                                                                                  \
    return folded;                                                                                                     \
  }
#define FOLD_SIZES(operator)                                                                                           \
  switch (item) {                                                                                                      \
  case 1: FOLD(uint8_t, operator)                                                                                      \
  case 2: FOLD(uint16_t, operator)                                                                                     \
  default: FOLD(uint32_t, operator)                                                                                    \
  }

KERNEL_CLONES
static uint32_t fold_units(AluOp op, uint32_t item, uint64_t n, const uint8_t *units)
{
  if (op == ALU_OP_BITWISE_AND)
    FOLD_SIZES(&)
  if (op == ALU_OP_BITWISE_OR)
    FOLD_SIZES(|)
  FOLD_SIZES(^)
}

static uint32_t apply(AluOp op, uint32_t x, uint32_t y)
{
  return op == ALU_OP_BITWISE_AND ? x & y : op == ALU_OP_BITWISE_OR ? x | y : x ^ y;
}

bool bits_can_reduce(AluOp op)
{
  return op == ALU_OP_BITWISE_AND || op == ALU_OP_BITWISE_OR || op == ALU_OP_BITWISE_XOR;
}

void bits_tensor_reduce(AluOp op, const Tile *dst, const Tile *src, uint64_t group)
{
  uint8_t units[TILE_PIECE * 4];
  for (uint64_t p = 0; p < dst->partitions; p++)
    for (uint64_t g = 0; g < dst->free_elems; g++) {
      uint32_t folded = 0;
      for (uint64_t i = 0; i < group; i += TILE_PIECE) {
        uint64_t n = group - i < TILE_PIECE ? group - i : TILE_PIECE;
        const uint8_t *from = units;
        if (src->is_row_contiguous)
          from = tile_row(src, p) + (g * group + i) * src->item;
        else
          tile_gather(src, p, g * group + i, n, units);
        uint32_t part = fold_units(op, src->item, n, from);
        folded = i ? apply(op, folded, part) : part;
      }
      memcpy(tile_element(dst, p, g), &folded, dst->item);
    }
}
