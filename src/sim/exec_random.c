// exec_random.c -- operators that draw random numbers, a block of rows at a time.

#include "sim/piece.h"

#include "base/kernel.h"

#include <string.h>

// The random bits of a piece of `columns` elements a row, in order: pieces of a row come one after the other, and begin
// at multiples of the number of generators.
static void draw(Sim *sim, Engine engine, const Piece *piece, uint32_t *bits)
{
  Random *random = &sim->core->random;
  bool is_gpsimd = engine == ENGINE_POOL;
  Xorwow *states = is_gpsimd ? &random->gpsimd[piece->partition] : random->vector[piece->partition];
  kernel_random_bits(piece->partitions, piece->n, is_gpsimd ? 1 : RANDOM_VECTOR_STATES, bits, piece->n, states);
}
_Static_assert(FOLD_PIECE % RANDOM_VECTOR_STATES == 0, "a piece begins with the first generator");

static bool fast_rng(Sim *sim, const Op *op)
{
  Tile dst = tile_of(sim, &op->rng.dst, "dst");
  tile_expect_bits(sim, &dst);
  tile_expect_lanes(sim, &dst);
  uint32_t bits[PIECE_ELEMS];
  uint8_t narrow[PIECE_ELEMS * 2];
  for (Piece piece = {.most = FOLD_PIECE}; piece_next(&piece, &dst, 0, dst.partitions, false);) {
    draw(sim, op->rng.engine, &piece, bits);
    const uint8_t *from = (const uint8_t *)bits;
    if (dst.item < sizeof *bits) {
      kernel_gather(dst.item, 1, piece.partitions * piece.n, narrow, bits, 0, (ptrdiff_t)(sizeof *bits / dst.item));
      from = narrow;
    }
    for (uint64_t r = 0; r < piece.partitions; r++)
      tile_scatter(&dst, piece.partition + r, piece.start, piece.n, from + r * piece.n * dst.item);
  }
  tile_mark(&dst);
  return true;
}

// Bits as numbers of [0, 1), in place: the top 24 of them.
KERNEL_CLONES
static void uniform(uint64_t n, const uint32_t *bits, float *restrict to)
{
  for (uint64_t i = 0; i < n; i++)
    to[i] = (float)(int32_t)(bits[i] >> 8) * 0x1p-24f;
}

static bool fast_rand2(Sim *sim, const Op *op)
{
  const struct Op_rand2 *o = &op->rand2;
  Tile dst = tile_of(sim, &o->dst, "dst");
  tile_expect_unpacked(sim, &dst);
  tile_expect_lanes(sim, &dst);
  Values low, high;
  operand_values(sim, &o->min, "min", &dst, false, &low);
  operand_values(sim, &o->max, "max", &dst, false, &high);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    if (!(low.lanes[p] < high.lanes[p]))
      return false;
    high.lanes[p] = high.lanes[p] - low.lanes[p];
  }
  uint32_t bits[PIECE_ELEMS];
  float u[PIECE_ELEMS];
  for (Piece piece = {.most = FOLD_PIECE}; piece_next(&piece, &dst, 0, dst.partitions, false);) {
    draw(sim, ENGINE_DVE, &piece, bits);
    uniform(piece.partitions * piece.n, bits, u);
    kernel_binary_pair_f32(ALU_OP_MULT, false, ALU_OP_ADD, true, piece.partitions, piece.n, u, piece.n,
                           (KernelRows){u, piece.n, false}, piece_lanes(high.lanes, &piece),
                           piece_lanes(low.lanes, &piece));
    for (uint64_t r = 0; r < piece.partitions; r++)
      tile_store(&dst, piece.partition + r, piece.start, piece.n, u + r * piece.n, sim->number_mode);
  }
  tile_mark(&dst);
  return true;
}

// Zero where u < threshold is `drops`, kept bits elsewhere.
#define DROP(Type)                                                                                                     \
  for (uint64_t i = 0; i < n; i++)                                                                                     \
    ((Type *)units)[i] = (u[i] < threshold) == drops ? 0 : ((Type *)units)[i];

KERNEL_CLONES
static void drop(uint32_t item, uint64_t n, void *units, const float *u, float threshold, bool drops)
{
  switch (item) {
  case 1: DROP(uint8_t) break;
  case 2: DROP(uint16_t) break;
  default: DROP(uint32_t) break;
  }
}

static bool fast_dropout(Sim *sim, const Op *op)
{
  const struct Op_dropout *o = &op->dropout;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data");
  tile_expect_unpacked(sim, &dst);
  tile_expect_unpacked(sim, &src);
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  if (!expect_clear(sim, &dst, &src) || !dtype_same_format(dst.dtype, src.dtype) || dst.item > 4)
    return false;
  Values threshold;
  operand_values(sim, &o->threshold, "prob", &dst, false, &threshold);
  for (uint64_t p = 0; p < dst.partitions; p++)
    if (!(threshold.lanes[p] >= 0 && threshold.lanes[p] <= 1))
      return false;
  bool drops = o->threshold_type != DROPOUT_THRESHOLD_KEEP_RATE;
  uint32_t bits[PIECE_ELEMS], units[TILE_PIECE];
  float u[PIECE_ELEMS];
  for (Piece piece = {.most = FOLD_PIECE}; piece_next(&piece, &dst, 0, dst.partitions, false);) {
    draw(sim, ENGINE_DVE, &piece, bits);
    uniform(piece.partitions * piece.n, bits, u);
    for (uint64_t r = 0; r < piece.partitions; r++) {
      uint64_t p = piece.partition + r;
      tile_gather(&src, p, piece.start, piece.n, units);
      drop(dst.item, piece.n, units, u + r * piece.n, threshold.lanes[p], drops);
      tile_scatter(&dst, p, piece.start, piece.n, units);
    }
  }
  tile_mark(&dst);
  return true;
}

FastFn *fast_random(OpKind kind)
{
  static FastFn *const executors[OP_COUNT] = {
      [OP_dropout] = fast_dropout,
      [OP_rand2] = fast_rand2,
      [OP_rng] = fast_rng,
  };
  return executors[kind];
}
