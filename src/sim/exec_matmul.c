// exec_matmul.c -- the tensor engine.

#include "sim/piece.h"

#include <string.h>

typedef struct Matmul {
  uint64_t rows, columns, depth;
  const float *stationary, *moving;
  size_t stationary_stride, moving_stride;
  float *out;
  size_t out_stride;
} Matmul;

static void matmul_rows(void *context, uint64_t first, uint64_t last)
{
  const Matmul *w = context;
  kernel_matmul_f32(last - first, w->columns, w->depth, w->out + first * w->out_stride, w->out_stride,
                    w->stationary + first, w->stationary_stride, w->moving, w->moving_stride, false);
}

// What the destination's cells say when `accumulate` is left out.
typedef enum Cells { CELLS_FRESH, CELLS_WRITTEN, CELLS_MIXED } Cells;

static Cells cells_of(const struct Op_nc_matmul *o, const Tile *dst)
{
  if (o->accumulate.some)
    return o->accumulate.value ? CELLS_WRITTEN : CELLS_FRESH;
  if (!dst->buffer->written)
    return CELLS_WRITTEN;
  if (!dst->is_row_contiguous || dst->item != 4)
    return CELLS_MIXED;
  bool any_fresh = false, any_written = false;
  for (uint64_t p = 0; p < dst->partitions; p++) {
    uint64_t start = (uint64_t)(tile_row(dst, p) - dst->buffer->data), bytes = dst->free_elems * dst->item;
    if (start % 4)
      return CELLS_MIXED;
    any_fresh = any_fresh || buffer_find_unwritten(dst->buffer, start, bytes) != UINT64_MAX;
    any_written = any_written || buffer_find_written(dst->buffer, start, bytes) != UINT64_MAX;
  }
  return any_fresh && any_written ? CELLS_MIXED : any_written ? CELLS_WRITTEN : CELLS_FRESH;
}

// dst = dst + sums where a cell was written before, dst = sums elsewhere, element by element.
static void add_mixed(Sim *sim, const Tile *dst, const float *sums, size_t stride)
{
  bool *adds = arena_array(&sim->scratch, bool, dst->partitions * dst->free_elems);
  for (uint64_t p = 0; p < dst->partitions; p++)
    for (uint64_t i = 0; i < dst->free_elems; i++) {
      uint64_t cell = (uint64_t)(tile_element(dst, p, i) - dst->buffer->data) / 4 * 4;
      adds[p * dst->free_elems + i] = buffer_find_written(dst->buffer, cell, 4) != UINT64_MAX;
    }
  for (uint64_t p = 0; p < dst->partitions; p++)
    for (uint64_t i = 0; i < dst->free_elems; i++) {
      uint8_t *to = tile_element(dst, p, i);
      float sum = sums[p * stride + i];
      if (adds[p * dst->free_elems + i])
        sum = dtype_to_f32_mode(dst->dtype, to, sim->number_mode) + sum;
      dtype_from_f32_mode(dst->dtype, sum, to, sim->number_mode);
    }
}

static void finish(Sim *sim, const Tile *dst, Cells cells, float *sums, size_t stride)
{
  float x[PIECE_ELEMS];
  if (cells == CELLS_MIXED) {
    add_mixed(sim, dst, sums, stride);
    return;
  }
  for (Piece piece = {0}; piece_next(&piece, dst, 0, dst->partitions, false);) {
    float *from = sums + piece.partition * stride + piece.start;
    if (cells == CELLS_WRITTEN) {
      KernelRows old = piece_read(dst, &piece, x, sim->number_mode);
      kernel_binary_f32(ALU_OP_ADD, piece.partitions, piece.n, from, stride, old, (KernelRows){from, stride, false});
    }
    for (uint64_t r = 0; r < piece.partitions; r++)
      tile_store(dst, piece.partition + r, piece.start, piece.n, from + r * stride, sim->number_mode);
  }
}

static bool is_identity(const float *values, size_t stride, uint64_t n)
{
  for (uint64_t r = 0; r < n; r++)
    for (uint64_t c = 0; c < n; c++)
      if (values[r * stride + c] != (r == c ? 1.0f : 0.0f))
        return false;
  return true;
}

// With the identity as moving matrix a transposition of bits.
static bool transpose(Sim *sim, const Tile *dst, const Tile *stationary, const Tile *moving)
{
  size_t stride;
  const float *picks = tile_matrix(sim, moving, &stride);
  if (moving->partitions != moving->free_elems || !dtype_same_format(dst->dtype, stationary->dtype) ||
      dst->item == 1 || !dst->is_row_contiguous ||
      !stationary->is_row_contiguous || dst->partition_step < 0 || dst->partition_step % dst->item ||
      stationary->partition_step < 0 || stationary->partition_step % dst->item ||
      !is_identity(picks, stride, moving->partitions))
    return false;
  kernel_transpose(dst->item, stationary->partitions, stationary->free_elems, dst->base,
                   (size_t)dst->partition_step / dst->item, stationary->base,
                   (size_t)stationary->partition_step / dst->item);
  tile_mark(dst);
  return true;
}

static bool fast_nc_matmul(Sim *sim, const Op *op)
{
  const struct Op_nc_matmul *o = &op->nc_matmul;
  Tile dst = tile_of(sim, &o->dst, "dst"), stationary = tile_read(sim, &o->stationary, "stationary"),
       moving = tile_read(sim, &o->moving, "moving");
  if (o->perf_mode != PERF_MODE_NONE || stationary.partitions != moving.partitions ||
      dst.partitions != stationary.free_elems || dst.free_elems != moving.free_elems || dst.buffer == moving.buffer ||
      dst.buffer == stationary.buffer)
    return false;
  if (o->is_stationary_one_zero || o->is_moving_zero)
    matmul_check_hints(sim, o, &stationary, &moving);
  if (o->is_transpose && sim->machine->transpose_is_exact)
    return transpose(sim, &dst, &stationary, &moving);
  if (o->accumulate.some && o->accumulate.value && !tile_is_written(&dst))
    return false;  // the reference warns about cells that were never written
  Matmul w = {.rows = dst.partitions, .columns = dst.free_elems, .depth = moving.partitions};
  w.stationary = tile_matrix(sim, &stationary, &w.stationary_stride);
  w.moving = tile_matrix(sim, &moving, &w.moving_stride);
  Cells cells = cells_of(o, &dst);
  bool is_direct = cells == CELLS_FRESH && tile_is_direct(&dst) && !sim->number_mode.flush_to_zero;
  w.out = is_direct ? (float *)(void *)dst.base : arena_array(&sim->scratch, float, w.rows *w.columns);
  w.out_stride = is_direct ? (size_t)dst.partition_step / sizeof(float) : w.columns;
  piece_parallel(sim, w.rows, w.rows * w.columns * w.depth / 8, matmul_rows, &w);
  if (!is_direct)
    finish(sim, &dst, cells, w.out, w.out_stride);
  tile_mark(&dst);
  sim->stats.multiply_add_count += w.depth * w.rows * w.columns;
  return true;
}

FastFn *fast_tensor_engine(OpKind kind)
{
  return kind == OP_nc_matmul ? fast_nc_matmul : NULL;
}
