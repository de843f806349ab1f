// exec_matmul.c -- the tensor engine.

#include "base/kernel.h"
#include "sim/product.h"

#include "number/convert.h"
#include "sim/kernels/matmul_bf16.h"
#include "sim/psum.h"

#include <string.h>

typedef struct Matmul {
  uint64_t columns, depth;
  Factor a, b;
  float *out;
  size_t out_stride;
  float *sum;  // what the product is added to; NULL: that is done later, or not at all
  size_t sum_stride;
} Matmul;

static void matmul_rows(void *context, uint64_t first, uint64_t last)
{
  const Matmul *w = context;
  float *out = w->out + first * w->out_stride;
  if (w->a.is_bf16)
    matmul_bf16(last - first, w->columns, w->depth, out, w->out_stride, (const uint16_t *)w->a.at + first, w->a.stride,
                w->b.at, w->b.stride);
  else
    kernel_matmul_f32(last - first, w->columns, w->depth, out, w->out_stride, (const float *)w->a.at + first,
                      w->a.stride, w->b.at, w->b.stride, false);
  if (!w->sum)
    return;
  float *sum = w->sum + first * w->sum_stride;
  kernel_binary_f32(ALU_OP_ADD, last - first, w->columns, sum, w->sum_stride, (KernelRows){sum, w->sum_stride, false},
                    (KernelRows){out, w->out_stride, false});
}

// ---- factors as bfloat16

// Whether every value of the dtype is a bfloat16.
static bool is_within_bf16(DType dtype)
{
  return dtype == DTYPE_BFLOAT16 || (dtype_is_float(dtype) && dtype_bytes(dtype) == 1 && dtype != DTYPE_FLOAT8_E8M0FNU);
}

static Factor bf16_factor(Sim *sim, const Tile *tile)
{
  Factor factor = {.is_bf16 = true, .stride = tile->free_elems};
  uint64_t rows = tile->partitions, n = tile->free_elems;
  if (tile->dtype == DTYPE_BFLOAT16 && tile->is_row_contiguous && tile->partition_step >= 0 &&
      tile->partition_step % 2 == 0 && (uintptr_t)tile->base % 2 == 0) {
    factor.at = tile->base;
    factor.stride = (size_t)tile->partition_step / 2;
  } else if (tile->dtype == DTYPE_BFLOAT16) {
    uint16_t *values = arena_array_unset(&sim->scratch, uint16_t, rows * n);
    for (uint64_t p = 0; p < rows; p++)
      tile_gather(tile, p, 0, n, values + p * n);
    factor.at = values;
  } else {
    uint16_t *values = arena_array_unset(&sim->scratch, uint16_t, rows * n), table[128];
    uint8_t *codes = arena_array_unset(&sim->scratch, uint8_t, n);
    for (unsigned code = 0; code < 128; code++)
      table[code] = (uint16_t)(f32_bits(dtype_to_f32(tile->dtype, &(uint8_t){(uint8_t)code})) >> 16);
    for (uint64_t p = 0; p < rows; p++) {
      const uint8_t *from = codes;
      if (tile->is_row_contiguous)
        from = tile_row(tile, p);
      else
        tile_gather(tile, p, 0, n, codes);
      bf16_from_codes(n, values + p * n, from, table);
    }
    factor.at = values;
  }
  factor.least = bf16_least_magnitude(rows, n, factor.at, factor.stride);
  return factor;
}

static Factor f32_factor(Sim *sim, const Tile *tile)
{
  Factor factor = {0};
  factor.at = tile_matrix(sim, tile, &factor.stride);
  return factor;
}

void product_factors(Sim *sim, const Tile *stationary, const Tile *moving, Factor *a, Factor *b)
{
  if (is_within_bf16(stationary->dtype) && is_within_bf16(moving->dtype) && !sim->number_mode.flush_to_zero &&
      matmul_bf16_available()) {
    *a = bf16_factor(sim, stationary);
    *b = bf16_factor(sim, moving);
    if (bf16_products_are_normal(a->least, b->least))
      return;
  }
  *a = f32_factor(sim, stationary);
  *b = f32_factor(sim, moving);
}

static void widen(Sim *sim, uint64_t depth, uint64_t columns, Factor *factor)
{
  float *values = arena_array_unset(&sim->scratch, float, depth * columns);
  for (uint64_t k = 0; k < depth; k++)
    convert_row_to_f32(DTYPE_BFLOAT16, columns, values + k * columns, (const uint16_t *)factor->at + k * factor->stride,
                       sim->number_mode);
  *factor = (Factor){.at = values, .stride = columns};
}

void product_settle(Sim *sim, uint64_t depth, uint64_t a_columns, Factor *a, uint64_t b_columns, Factor *b)
{
  if (matmul_bf16_available()) {
    a->least = bf16_least_magnitude(depth, a_columns, a->at, a->stride);
    b->least = bf16_least_magnitude(depth, b_columns, b->at, b->stride);
    if (bf16_products_are_normal(a->least, b->least))
      return;
  }
  widen(sim, depth, a_columns, a);
  widen(sim, depth, b_columns, b);
}

// ---- sums into PSUM

// What the destination's cells say when `accumulate` is left out.
typedef enum Cells { CELLS_FRESH, CELLS_WRITTEN, CELLS_MIXED } Cells;

static Cells cells_of(Core_OPT_BOOL accumulate, const Tile *dst)
{
  if (accumulate.some)
    return accumulate.value ? CELLS_WRITTEN : CELLS_FRESH;
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

void product_run(Sim *sim, const Tile *dst, Core_OPT_BOOL accumulate, uint64_t depth, const Factor *a, const Factor *b)
{
  uint64_t rows = dst->partitions;
  Matmul w = {.columns = dst->free_elems, .depth = depth, .a = *a, .b = *b};
  Cells cells = cells_of(accumulate, dst);
  psum_check_product(sim, dst, matmul_adds_to(accumulate, dst, dst->base), !accumulate.some);
  bool computes_in_place = tile_is_direct(dst) && !sim->number_mode.flush_to_zero;
  bool is_direct = cells == CELLS_FRESH && computes_in_place, is_added = cells == CELLS_WRITTEN && computes_in_place;
  w.out = is_direct ? (float *)(void *)dst->base : arena_array_unset(&sim->scratch, float, rows *w.columns);
  w.out_stride = is_direct ? (size_t)dst->partition_step / sizeof(float) : w.columns;
  w.sum = is_added ? (float *)(void *)dst->base : NULL;
  w.sum_stride = (size_t)dst->partition_step / sizeof(float);
  piece_parallel(sim, rows, rows * w.columns * depth / 8, matmul_rows, &w);
  if (!is_direct && !is_added)
    finish(sim, dst, cells, w.out, w.out_stride);
  tile_mark_product(dst);
  sim->stats.multiply_add_count += depth * rows * w.columns;
}

// How many of n values are not zero, of either sign.
KERNEL_CLONES static uint64_t count_nonzero(const float *values, uint64_t n)
{
  uint64_t count = 0;
  for (uint64_t at = 0; at < n; at += 1 << 16) {
    uint32_t some = 0, least = n - at < 1 << 16 ? (uint32_t)(n - at) : 1 << 16;
    for (uint32_t i = 0; i < least; i++)
      some += (f32_bits(values[at + i]) & 0x7FFFFFFF) != 0;
    count += some;
  }
  return count;
}

static bool is_identity(const float *values, size_t stride, uint64_t n)
{
  uint64_t count = stride == n ? count_nonzero(values, n * n) : 0;
  for (uint64_t r = 0; r < n; r++) {
    if (values[r * stride + r] != 1)
      return false;
    count += stride == n ? 0 : count_nonzero(values + r * stride, n);
  }
  return count == n;
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
  tile_mark_product(dst);
  return true;
}

// Two rows at a time: elements [j * n, (j + 1) * n) of partition k are row 2k + j. False when they lie elsewhere.
static bool split_rows(Factor *factor, const Tile *tile)
{
  if (factor->stride != tile->free_elems)
    return false;
  factor->stride = tile->free_elems / 2;
  return true;
}

static bool fast_nc_matmul(Sim *sim, const Op *op)
{
  const struct Op_nc_matmul *o = &op->nc_matmul;
  Tile dst = tile_of(sim, &o->dst, "dst"), stationary = tile_read(sim, &o->stationary, "stationary"),
       moving = tile_read(sim, &o->moving, "moving");
  uint64_t halves = o->perf_mode == PERF_MODE_NONE ? 1 : 2;
  if (stationary.partitions != moving.partitions || dst.partitions != stationary.free_elems / halves ||
      dst.free_elems != moving.free_elems / halves || dst.buffer == moving.buffer || dst.buffer == stationary.buffer ||
      dtype_is_packed(dst.dtype) || dtype_is_packed(stationary.dtype) || dtype_is_packed(moving.dtype) ||
      (halves == 2 && (stationary.free_elems % 2 || moving.free_elems % 2)))
    return false;
  if (o->is_stationary_one_zero || o->is_moving_zero)
    matmul_check_hints(sim, o, &stationary, &moving);
  if (o->is_transpose && sim->machine->transpose_is_exact)
    return halves == 1 && !(o->accumulate.some && o->accumulate.value) && transpose(sim, &dst, &stationary, &moving);
  if (o->accumulate.some && o->accumulate.value && !tile_is_written(&dst))
    return false;  // the reference warns about cells that were never written
  if (matmul_rounds_products(sim, &stationary, &moving))
    return false;
  Factor a, b;
  product_factors(sim, &stationary, &moving, &a, &b);
  if (halves == 2 && (!split_rows(&a, &stationary) || !split_rows(&b, &moving)))
    return false;
  product_run(sim, &dst, o->accumulate, stationary.partitions * halves, &a, &b);
  return true;
}

FastFn *fast_tensor_engine(OpKind kind)
{
  return kind == OP_nc_matmul ? fast_nc_matmul : NULL;
}
