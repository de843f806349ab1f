// exec_move.c -- operators that move or make elements: copies, DMA, transposes, patterns, selections.

#include "sim/piece.h"

#include "base/kernel.h"
#include "number/convert.h"

#include <inttypes.h>
#include <string.h>

// ---- copies between tiles of one shape
typedef struct Copy {
  Tile dst, src;
  bool copies_bytes;
  NumberMode mode;
} Copy;

// Bytes of a row: straight, or gathered and scattered through a block.
static void copy_row_bytes(const Tile *dst, const Tile *src, uint64_t p)
{
  uint64_t n = dst->free_elems;
  if (dst->is_row_contiguous) {
    tile_gather(src, p, 0, n, tile_row(dst, p));
    return;
  }
  if (src->is_row_contiguous) {
    tile_scatter(dst, p, 0, n, tile_row(src, p));
    return;
  }
  uint8_t units[TILE_PIECE * 8];
  for (uint64_t i = 0; i < n; i += TILE_PIECE) {
    uint64_t count = n - i < TILE_PIECE ? n - i : TILE_PIECE;
    tile_gather(src, p, i, count, units);
    tile_scatter(dst, p, i, count, units);
  }
}

static void copy_row_converted(const Copy *w, uint64_t p)
{
  float scratch[TILE_PIECE];
  bool is_f32 = w->dst.dtype == DTYPE_FLOAT32 && w->dst.is_row_contiguous && !w->mode.flush_to_zero &&
                (uintptr_t)tile_row(&w->dst, p) % sizeof(float) == 0;
  uint64_t n = w->dst.free_elems;
  for (uint64_t i = 0; i < n; i += TILE_PIECE) {
    uint64_t count = n - i < TILE_PIECE ? n - i : TILE_PIECE;
    if (is_f32 && w->src.dtype != DTYPE_FLOAT32)
      tile_row_to_f32(&w->src, p, i, count, (float *)(void *)(tile_row(&w->dst, p) + i * sizeof(float)), w->mode);
    else
      tile_store(&w->dst, p, i, count, tile_row_f32(&w->src, p, i, count, scratch, w->mode), w->mode);
  }
}

static void copy_rows(void *context, uint64_t first, uint64_t last)
{
  const Copy *w = context;
  for (uint64_t p = first; p < last; p++) {
    if (!tile_row(&w->dst, p) || !tile_row(&w->src, p))
      continue;
    if (w->copies_bytes)
      copy_row_bytes(&w->dst, &w->src, p);
    else
      copy_row_converted(w, p);
  }
}

// Rows that lie in one piece on both sides.
static void copy_whole_rows(void *context, uint64_t first, uint64_t last)
{
  const Copy *w = context;
  kernel_copy_rows(last - first, w->dst.free_elems * w->dst.item, tile_row(&w->dst, first), w->dst.partition_step,
                   tile_row(&w->src, first), w->src.partition_step);
}

static bool has_whole_rows(const Copy *w)
{
  return w->copies_bytes && w->dst.is_row_contiguous && w->src.is_row_contiguous && !w->dst.rows && !w->src.rows;
}

// One element a row: a column, which is a row of another shape.
static void copy_column(const Copy *w)
{
  for (uint64_t p = 0; p < w->dst.partitions; p++)
    memcpy(tile_row(&w->dst, p), tile_row(&w->src, p), w->dst.item);
}

// Elements of a row lie apart by the step of the other side's rows: a transposition in blocks.
static bool copy_transposed(const Copy *w)
{
  const Tile *dst = &w->dst, *src = &w->src;
  int64_t item = dst->item;
  if (dst->rank != 1 || src->rank != 1 || dst->rows || src->rows || dst->partitions < 2)
    return false;
  if (dst->is_row_contiguous && src->partition_step == item && src->dims[0].step >= item && dst->partition_step > 0 &&
      src->dims[0].step % item == 0 && dst->partition_step % item == 0) {
    kernel_transpose(dst->item, dst->free_elems, dst->partitions, dst->base, (size_t)(dst->partition_step / item),
                     src->base, (size_t)(src->dims[0].step / item));
    return true;
  }
  if (src->is_row_contiguous && dst->partition_step == item && dst->dims[0].step >= item && src->partition_step > 0 &&
      dst->dims[0].step % item == 0 && src->partition_step % item == 0) {
    kernel_transpose(dst->item, src->partitions, src->free_elems, dst->base, (size_t)(dst->dims[0].step / item),
                     src->base, (size_t)(src->partition_step / item));
    return true;
  }
  return false;
}

static void run_copy(Sim *sim, Copy *w)
{
  bool same_memory = w->dst.base == w->src.base && w->copies_bytes && tile_relation(sim, &w->dst, &w->src) == TILE_SAME;
  if (same_memory)
    return;
  if (w->copies_bytes && w->dst.free_elems == 1 && !w->dst.rows && !w->src.rows)
    copy_column(w);
  else if (w->dst.rows)
    copy_rows(w, 0, w->dst.partitions);  // rows that are written twice keep the last
  else if (has_whole_rows(w))
    piece_parallel(sim, w->dst.partitions, w->dst.partitions * w->dst.free_elems, copy_whole_rows, w);
  else if (!w->copies_bytes || !copy_transposed(w))
    piece_parallel(sim, w->dst.partitions, w->dst.partitions * w->dst.free_elems, copy_rows, w);
}

static bool fast_nc_copy(Sim *sim, const Op *op)
{
  Copy w = {.mode = sim->number_mode};
  w.dst = tile_of(sim, &op->nc_copy.dst, "dst");
  w.src = tile_read(sim, &op->nc_copy.src, "src");
  tile_expect_same_shape(sim, &w.dst, &w.src);
  if (!expect_clear(sim, &w.dst, &w.src) || copy_rounds_between(sim, &op->nc_copy, &w.dst))
    return false;
  w.copies_bytes = dtype_same_format(w.dst.dtype, w.src.dtype);
  if (!w.copies_bytes) {
    tile_expect_unpacked(sim, &w.dst);
    tile_expect_unpacked(sim, &w.src);
  }
  run_copy(sim, &w);
  tile_mark(&w.dst);
  return true;
}

// ---- DMA

// A tile of one partition whose row is all of `tile`'s elements in order; false when it has no room for the dimension.
static bool as_one_row(const Tile *tile, Tile *row)
{
  *row = *tile;
  if (tile->rows)
    return false;
  if (tile->partitions == 1)
    return true;
  int64_t reach = tile->rank ? tile->dims[0].step * (int64_t)tile->dims[0].count : tile->item;
  if (tile->partition_step == reach && tile->rank) {
    row->dims[0].count *= tile->partitions;
  } else {
    if (tile->rank == SIM_MAX_DIMS)
      return false;
    memmove(row->dims + 1, tile->dims, tile->rank * sizeof *tile->dims);
    row->dims[0] = (TileDim){tile->partition_step, tile->partitions};
    row->rank++;
  }
  row->free_elems *= row->partitions;
  row->partitions = 1;
  row->is_row_contiguous = row->rank == 1 && row->dims[0].step == row->item;
  return true;
}

// After rows were scattered in order: tells the first that a later one has written over with something else.
static void tell_overwritten(Sim *sim, const Copy *w)
{
  for (uint64_t p = 0; p < w->dst.partitions; p++) {
    const uint8_t *to = tile_row(&w->dst, p), *from = tile_row(&w->src, p);
    if (to && from && memcmp(to, from, w->dst.free_elems * w->dst.item) != 0) {
      sim_unspecified(sim, GAP_SCATTER_ORDER, "row %" PRIu64 " of the scatter is written over by a later one", p);
      return;
    }
  }
}

static bool fast_nc_dma_copy(Sim *sim, const Op *op)
{
  const struct Op_nc_dma_copy *o = &op->nc_dma_copy;
  Copy w = {.mode = sim->number_mode};
  if (o->compute_op != DGE_COMPUTE_OP_NONE)
    return false;
  if (dma_is_fence(o))
    return true;
  bool skips = dma_skips(&o->oob_mode);
  if (!dma_tile(sim, &o->src, "src", skips, &w.src) || !dma_tile(sim, &o->dst, "dst", skips, &w.dst))
    return true;
  bool repeats = dma_repeats_rows(sim, &w.dst);
  if (repeats && (!dtype_same_format(w.dst.dtype, w.src.dtype) || w.dst.partitions != w.src.partitions ||
                  w.dst.free_elems != w.src.free_elems || !w.dst.is_row_contiguous || !w.src.is_row_contiguous))
    return false;
  tile_check_written(sim, &w.src);
  if (!expect_clear(sim, &w.dst, &w.src) || dtype_is_packed(w.src.dtype) != dtype_is_packed(w.dst.dtype))
    return false;
  w.copies_bytes = dtype_same_format(w.dst.dtype, w.src.dtype);
  if (!w.copies_bytes && dtype_is_packed(w.src.dtype))
    return false;
  bool same_shape = w.dst.partitions == w.src.partitions && w.dst.free_elems == w.src.free_elems;
  Copy flat = w;
  if (!same_shape) {
    if (w.dst.partitions * w.dst.free_elems != w.src.partitions * w.src.free_elems || !as_one_row(&w.dst, &flat.dst) ||
        !as_one_row(&w.src, &flat.src))
      return false;
    run_copy(sim, &flat);
  } else {
    run_copy(sim, &w);
  }
  if (!w.src.rows) {
    tile_mark(&w.dst);
  } else {
    for (uint64_t p = 0; p < w.dst.partitions; p++)
      if (tile_row(&w.src, p))
        tile_mark_row(&w.dst, p);
  }
  if (repeats)
    tell_overwritten(sim, &w);
  sim_count_dma(sim, &w.src);
  return true;
}

// ---- transposes
static bool has_plain_rows(const Tile *tile)
{
  return tile->is_row_contiguous && !tile->rows && tile->partition_step >= 0 && tile->partition_step % tile->item == 0;
}

// A product with an identity: finite values as they are, but -0 becomes 0. Others are left to the reference.
static bool fast_transpose_multiplied(Sim *sim, const Tile *dst, const Tile *src)
{
  size_t stride;
  const float *from = tile_matrix(sim, src, &stride);
  float *to = arena_array(&sim->scratch, float, dst->partitions *dst->free_elems), poison = 0;
  for (uint64_t p = 0; p < src->partitions; p++)
    for (uint64_t i = 0; i < src->free_elems; i++)
      poison += from[p * stride + i] * 0.0f;
  if (poison != 0)
    return false;
  for (uint64_t p = 0; p < src->partitions; p++)
    for (uint64_t i = 0; i < src->free_elems; i++)
      to[i * src->partitions + p] = from[p * stride + i] + 0.0f;
  for (uint64_t p = 0; p < dst->partitions; p++)
    for (uint64_t i = 0; i < dst->free_elems; i += TILE_PIECE) {
      uint64_t n = dst->free_elems - i < TILE_PIECE ? dst->free_elems - i : TILE_PIECE;
      tile_store(dst, p, i, n, to + p * dst->free_elems + i, sim->number_mode);
    }
  tile_mark(dst);
  return true;
}

static bool fast_transpose(Sim *sim, const Op *op)
{
  Tile dst = tile_of(sim, &op->transpose.dst, "dst"), src = tile_read(sim, &op->transpose.src, "data");
  tile_expect_shape(sim, &dst, src.free_elems, src.partitions);
  if (!dtype_same_format(dst.dtype, src.dtype) || tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  if (transpose_multiplies(sim, op->transpose.engine, &src))
    return fast_transpose_multiplied(sim, &dst, &src);
  if (!has_plain_rows(&dst) || !has_plain_rows(&src))
    return false;
  transpose_check_bytes(sim, op->transpose.engine, &dst, &src);
  kernel_transpose(dst.item, src.partitions, src.free_elems, dst.base, (size_t)dst.partition_step / dst.item, src.base,
                   (size_t)src.partition_step / src.item);
  tile_mark(&dst);
  return true;
}

// Rows of a gather side by side, in scratch memory; NULL when one is left out.
static const uint8_t *gathered_rows(Sim *sim, const Tile *tile)
{
  uint64_t bytes = tile->free_elems * tile->item;
  uint8_t *block = arena_alloc_array(&sim->scratch, tile->partitions, bytes);
  for (uint64_t p = 0; p < tile->partitions; p++) {
    if (!tile_row(tile, p))
      return NULL;
    tile_gather(tile, p, 0, tile->free_elems, block + p * bytes);
  }
  return block;
}

static bool fast_dma_transpose(Sim *sim, const Op *op)
{
  const struct Op_dma_transpose *o = &op->dma_transpose;
  Tile dst = tile_of(sim, &o->dst, "dst"), src;
  if (!dma_tile(sim, &o->src, "src", dma_skips(&o->oob_mode), &src))
    return true;
  tile_check_written(sim, &src);
  uint64_t first = src.partitions, last = dma_transpose_last(sim, &dst, &src);
  if (!has_plain_rows(&dst) || !last || tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  const uint8_t *from = has_plain_rows(&src) ? src.base : gathered_rows(sim, &src);
  size_t from_step = has_plain_rows(&src) ? (size_t)src.partition_step / src.item : src.free_elems;
  if (!from)
    return false;
  uint64_t middle = src.free_elems / last;
  for (uint64_t m = 0; m < middle; m++)
    kernel_transpose(dst.item, first, last, dst.base + m * first * dst.item, (size_t)dst.partition_step / dst.item,
                     from + m * last * src.item, from_step);
  tile_mark(&dst);
  sim_count_dma(sim, &src);
  return true;
}

// ---- constants and patterns
static bool fast_memset(Sim *sim, const Op *op)
{
  Tile dst = tile_of(sim, &op->memset.dst, "dst");
  uint8_t unit[8], block[TILE_PIECE * 8];
  constant_check_range(sim, &op->memset.value, dst.dtype);
  constant_unit(sim, &op->memset.value, dst.dtype, unit);
  bool is_one_byte = true;
  for (uint32_t b = 1; b < dst.item; b++)
    is_one_byte = is_one_byte && unit[b] == unit[0];
  uint64_t filled = dst.free_elems < TILE_PIECE ? dst.free_elems : TILE_PIECE;
  for (uint64_t i = 0; i < filled && !(is_one_byte && dst.is_row_contiguous); i++)
    memcpy(block + i * dst.item, unit, dst.item);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    if (is_one_byte && dst.is_row_contiguous) {
      memset(tile_row(&dst, p), unit[0], dst.free_elems * dst.item);
      continue;
    }
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      tile_scatter(&dst, p, i, n, block);
    }
  }
  tile_mark(&dst);
  return true;
}

// The pattern of partition 0 without its offset, in scratch memory; NULL when its size is not the tile's.
static uint32_t *pattern_row(Sim *sim, const DataPattern *pattern, const Tile *dst)
{
  uint64_t count = 1;
  for (uint32_t d = 0; d < pattern->pattern.count; d++)
    count *= pattern->pattern.items[d].num;
  if (count != dst->free_elems)
    return NULL;
  uint32_t *row = arena_array(&sim->scratch, uint32_t, count);
  uint64_t done = 1;
  for (uint32_t d = pattern->pattern.count; d-- > 0;) {  // innermost first: copies of what is done, one step on each
    const ApPair *pair = &pattern->pattern.items[d];
    for (uint64_t k = 1; k < pair->num; k++)
      for (uint64_t i = 0; i < done; i++)
        row[k * done + i] = row[i] + (uint32_t)k * (uint32_t)pair->step;
    done *= pair->num;
  }
  return row;
}

static uint32_t pattern_start(const DataPattern *pattern, uint64_t p)
{
  return (uint32_t)pattern->offset + (uint32_t)p * (uint32_t)pattern->channel_multiplier;
}

#define STORE_SATURATED(Type, least, most)                                                                             \
  {                                                                                                                    \
    Type units[TILE_PIECE];                                                                                            \
    for (uint64_t k = 0; k < n; k++)                                                                                   \
      units[k] = (Type)(values[k] < (least) ? (least) : values[k] > (most) ? (most) : values[k]);                      \
    tile_scatter(tile, partition, start, n, units);                                                                    \
    return;                                                                                                            \
  }

// Writes n <= TILE_PIECE 32-bit values as elements: saturated in integers, else through float32.
static void store_integers(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, const int32_t *values)
{
  float converted[TILE_PIECE];
  switch (tile->dtype) {
  case DTYPE_INT32: tile_scatter(tile, partition, start, n, values); return;
  case DTYPE_UINT32: STORE_SATURATED(uint32_t, 0, INT32_MAX)
  case DTYPE_INT16: STORE_SATURATED(int16_t, INT16_MIN, INT16_MAX)
  case DTYPE_UINT16: STORE_SATURATED(uint16_t, 0, UINT16_MAX)
  case DTYPE_INT8: STORE_SATURATED(int8_t, INT8_MIN, INT8_MAX)
  case DTYPE_UINT8: STORE_SATURATED(uint8_t, 0, UINT8_MAX)
  default:
    for (uint64_t k = 0; k < n; k++)
      converted[k] = (float)values[k];
    tile_store(tile, partition, start, n, converted, (NumberMode){0});
  }
}

static bool fast_iota(Sim *sim, const Op *op)
{
  const DataPattern *pattern = &op->iota.pattern;
  Tile dst = tile_of(sim, &op->iota.dst, "dst");
  const uint32_t *row = pattern_row(sim, pattern, &dst);
  if (!row || dtype_is_packed(dst.dtype) || dst.dtype == DTYPE_FLOAT8_E8M0FNU)
    return false;
  pattern_check_range(sim, pattern, dst.partitions);
  int32_t values[TILE_PIECE];
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      uint32_t start = pattern_start(pattern, p);
      for (uint64_t k = 0; k < n; k++)
        values[k] = (int32_t)(row[i + k] + start);
      store_integers(&dst, p, i, n, values);
    }
  tile_mark(&dst);
  return true;
}

#define SELECT_WHERE(relation)                                                                                         \
  for (uint64_t k = 0; k < n; k++)                                                                                     \
    out[k] = (int32_t)(row[k] + start) relation 0 ? units[k] : other;                                                  \
  return

// out[k] = units[k] where row[k] + start compares with 0, else `other`, for units of one size.
#define SELECT_UNITS(name, Type)                                                                                       \
  KERNEL_CLONES                                                                                                        \
  static void name(AluOp cmp, uint64_t n, const uint32_t *row, uint32_t start, const Type *units, Type other,          \
                   Type *out)                                                                                          \
  {                                                                                                                    \
    switch (cmp) {                                                                                                     \
    case ALU_OP_IS_EQUAL: SELECT_WHERE(==);                                                                            \
    case ALU_OP_NOT_EQUAL: SELECT_WHERE(!=);                                                                           \
    case ALU_OP_IS_GE: SELECT_WHERE(>=);                                                                               \
    case ALU_OP_IS_GT: SELECT_WHERE(>);                                                                                \
    case ALU_OP_IS_LE: SELECT_WHERE(<=);                                                                               \
    default: SELECT_WHERE(<);                                                                                          \
    }                                                                                                                  \
  }
SELECT_UNITS(select_8, uint8_t)
SELECT_UNITS(select_16, uint16_t)
SELECT_UNITS(select_32, uint32_t)

static bool is_comparison(AluOp op)
{
  return op == ALU_OP_IS_EQUAL || op == ALU_OP_NOT_EQUAL || op == ALU_OP_IS_GE || op == ALU_OP_IS_GT ||
         op == ALU_OP_IS_LE || op == ALU_OP_IS_LT;
}

#define SELECT_PIECE(function, Type)                                                                                   \
  {                                                                                                                    \
    Type units[TILE_PIECE], out[TILE_PIECE];                                                                           \
    tile_gather(src, p, i, n, units);                                                                                  \
    function(cmp, n, row, start, units, (Type)other, out);                                                             \
    tile_scatter(dst, p, i, n, out);                                                                                   \
    return;                                                                                                            \
  }

// One piece of a row whose bits are kept; `other` is one unit.
static void select_bits(AluOp cmp, const Tile *dst, const Tile *src, uint64_t p, uint64_t i, uint64_t n,
                        const uint32_t *row, uint32_t start, uint32_t other)
{
  switch (dst->item) {
  case 1: SELECT_PIECE(select_8, uint8_t)
  case 2: SELECT_PIECE(select_16, uint16_t)
  default: SELECT_PIECE(select_32, uint32_t)
  }
}

static bool fast_nc_affine_select(Sim *sim, const Op *op)
{
  const struct Op_nc_affine_select *o = &op->nc_affine_select;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->on_true_tile, "on_true_tile");
  tile_expect_same_shape(sim, &dst, &src);
  const uint32_t *row = pattern_row(sim, &o->pred, &dst);
  if (!row)
    return false;
  pattern_check_range(sim, &o->pred, dst.partitions);
  if (!expect_clear(sim, &dst, &src) || dtype_is_packed(dst.dtype) || dtype_is_packed(src.dtype) ||
      !is_comparison(o->cmp_op) || dst.item > 4)
    return false;
  float values[TILE_PIECE], other = immediate_f32(sim, &o->on_false_value);
  uint32_t raw[TILE_PIECE], chosen[TILE_PIECE], other_bits = f32_bits(other), other_unit = 0;
  dtype_from_f32_mode(dst.dtype, other, &other_unit, sim->number_mode);
  bool keeps_bits = dtype_same_format(dst.dtype, src.dtype);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      uint32_t start = pattern_start(&o->pred, p);
      if (keeps_bits) {
        select_bits(o->cmp_op, &dst, &src, p, i, n, row + i, start, other_unit);
        continue;
      }
      memcpy(raw, tile_row_f32(&src, p, i, n, values, sim->number_mode), n * sizeof *raw);
      select_32(o->cmp_op, n, row + i, start, raw, other_bits, chosen);
      memcpy(values, chosen, n * sizeof *values);
      tile_store(&dst, p, i, n, values, sim->number_mode);
    }
  tile_mark(&dst);
  return true;
}

// ---- selection by a predicate
// to[k] = from[k], or the one unit at `from`, where chosen. All are written, so that there is no branch to guess.
#define COPY_CHOSEN(name, Type)                                                                                        \
  KERNEL_CLONES                                                                                                        \
  static void name(uint64_t n, const float *chosen, bool reverse, Type *to, const Type *from, bool is_constant)        \
  {                                                                                                                    \
    Type constant = *from;                                                                                             \
    if (is_constant)                                                                                                   \
      for (uint64_t k = 0; k < n; k++)                                                                                 \
        to[k] = (chosen[k] != 0) != reverse ? constant : to[k];                                                        \
    else                                                                                                               \
      for (uint64_t k = 0; k < n; k++)                                                                                 \
        to[k] = (chosen[k] != 0) != reverse ? from[k] : to[k];                                                         \
  }
COPY_CHOSEN(copy_chosen_8, uint8_t)
COPY_CHOSEN(copy_chosen_16, uint16_t)
COPY_CHOSEN(copy_chosen_32, uint32_t)

static void copy_chosen(uint32_t item, uint64_t n, const float *chosen, bool reverse, void *to, const void *from,
                        bool is_constant)
{
  switch (item) {
  case 1: copy_chosen_8(n, chosen, reverse, to, from, is_constant); return;
  case 2: copy_chosen_16(n, chosen, reverse, to, from, is_constant); return;
  default: copy_chosen_32(n, chosen, reverse, to, from, is_constant);
  }
}

static bool fast_copy_predicated(Sim *sim, const Op *op)
{
  const struct Op_copy_predicated *o = &op->copy_predicated;
  Tile dst = tile_of(sim, &o->dst, "dst"), predicate = tile_read(sim, &o->predicate, "predicate"), src = dst;
  tile_expect_same_shape(sim, &dst, &predicate);
  if (!tile_is_written(&dst) || dtype_is_packed(predicate.dtype) || dst.item > 4 || !dst.free_elems)
    return false;
  uint64_t constant = 0;
  if (o->imm) {
    constant_unit(sim, o->imm, dst.dtype, &constant);
  } else {
    src = tile_read(sim, &o->src, "src");
    tile_expect_same_shape(sim, &dst, &src);
    if (!dtype_same_format(dst.dtype, src.dtype) || !expect_clear(sim, &dst, &src))
      return false;
  }
  if (!expect_clear(sim, &dst, &predicate))
    return false;
  float scratch[TILE_PIECE];
  uint32_t to[TILE_PIECE], from[TILE_PIECE];
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      const float *chosen = tile_row_f32(&predicate, p, i, n, scratch, (NumberMode){0});
      if (!o->imm)
        tile_gather(&src, p, i, n, from);
      tile_gather(&dst, p, i, n, to);
      copy_chosen(dst.item, n, chosen, o->reverse_pred, to, o->imm ? (const void *)&constant : from, o->imm);
      tile_scatter(&dst, p, i, n, to);
    }
  return true;
}

FastFn *fast_move(OpKind kind)
{
  static FastFn *const executors[OP_COUNT] = {
      [OP_nc_copy] = fast_nc_copy,
      [OP_nc_dma_copy] = fast_nc_dma_copy,
      [OP_dma_transpose] = fast_dma_transpose,
      [OP_transpose] = fast_transpose,
      [OP_memset] = fast_memset,
      [OP_iota] = fast_iota,
      [OP_nc_affine_select] = fast_nc_affine_select,
      [OP_copy_predicated] = fast_copy_predicated,
  };
  return executors[kind];
}
