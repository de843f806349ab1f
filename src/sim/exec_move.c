// exec_move.c -- operators that move or make elements: copies, DMA, transposes, patterns, selections.

#include "sim/piece.h"

#include "base/kernel.h"
#include "number/convert.h"

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
  uint64_t n = w->dst.free_elems;
  for (uint64_t i = 0; i < n; i += TILE_PIECE) {
    uint64_t count = n - i < TILE_PIECE ? n - i : TILE_PIECE;
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
  else if (!w->copies_bytes || !copy_transposed(w))
    piece_parallel(sim, w->dst.partitions, w->dst.partitions * w->dst.free_elems, copy_rows, w);
}

static bool fast_nc_copy(Sim *sim, const Op *op)
{
  Copy w = {.mode = sim->number_mode};
  w.dst = tile_of(sim, &op->nc_copy.dst, "dst");
  w.src = tile_read(sim, &op->nc_copy.src, "src");
  tile_expect_same_shape(sim, &w.dst, &w.src);
  if (!expect_clear(sim, &w.dst, &w.src))
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

static bool fast_nc_dma_copy(Sim *sim, const Op *op)
{
  const struct Op_nc_dma_copy *o = &op->nc_dma_copy;
  Copy w = {.mode = sim->number_mode};
  if (o->compute_op != DGE_COMPUTE_OP_NONE)
    return false;
  if (dma_is_fence(o))
    return true;
  if (!dma_tile(sim, &o->src, "src", &o->oob_mode, &w.src) || !dma_tile(sim, &o->dst, "dst", &o->oob_mode, &w.dst))
    return true;
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
  sim_count_dma(sim, &w.src);
  return true;
}

// ---- transposes
static bool has_plain_rows(const Tile *tile)
{
  return tile->is_row_contiguous && !tile->rows && tile->partition_step >= 0 && tile->partition_step % tile->item == 0;
}

static bool fast_transpose(Sim *sim, const Op *op)
{
  Tile dst = tile_of(sim, &op->transpose.dst, "dst"), src = tile_read(sim, &op->transpose.src, "data");
  tile_expect_shape(sim, &dst, src.free_elems, src.partitions);
  if (!has_plain_rows(&dst) || !has_plain_rows(&src) || !dtype_same_format(dst.dtype, src.dtype) ||
      tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  kernel_transpose(dst.item, src.partitions, src.free_elems, dst.base, (size_t)dst.partition_step / dst.item, src.base,
                   (size_t)src.partition_step / src.item);
  tile_mark(&dst);
  return true;
}

static bool fast_dma_transpose(Sim *sim, const Op *op)
{
  const struct Op_dma_transpose *o = &op->dma_transpose;
  Tile dst = tile_of(sim, &o->dst, "dst"), src;
  if (!dma_tile(sim, &o->src, "src", &o->oob_mode, &src))
    return true;
  tile_check_written(sim, &src);
  uint32_t rank = src.view->pattern.count;
  uint64_t first = src.partitions, last = rank > 1 ? src.view->pattern.items[rank - 1].num : 1;
  if (!has_plain_rows(&dst) || !has_plain_rows(&src) || !last || dst.partitions != last || dst.item != src.item ||
      dst.partitions * dst.free_elems != src.partitions * src.free_elems ||
      tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  uint64_t middle = src.free_elems / last;
  for (uint64_t m = 0; m < middle; m++)
    kernel_transpose(dst.item, first, last, dst.base + m * first * dst.item, (size_t)dst.partition_step / dst.item,
                     src.base + m * last * src.item, (size_t)src.partition_step / src.item);
  tile_mark(&dst);
  sim_count_dma(sim, &src);
  return true;
}

// ---- constants and patterns
static bool fast_memset(Sim *sim, const Op *op)
{
  Tile dst = tile_of(sim, &op->memset.dst, "dst");
  uint8_t unit[8], block[TILE_PIECE * 8];
  immediate_unit(sim, &op->memset.value, dst.dtype, unit);
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

static bool fast_iota(Sim *sim, const Op *op)
{
  const DataPattern *pattern = &op->iota.pattern;
  Tile dst = tile_of(sim, &op->iota.dst, "dst");
  const uint32_t *row = pattern_row(sim, pattern, &dst);
  bool is_int32 = dst.dtype == DTYPE_INT32;
  if (!row || (!is_int32 && !dtype_is_float(dst.dtype)) || dst.dtype == DTYPE_FLOAT8_E8M0FNU)
    return false;
  int32_t values[TILE_PIECE];
  float converted[TILE_PIECE];
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      uint32_t start = pattern_start(pattern, p);
      for (uint64_t k = 0; k < n; k++)
        values[k] = (int32_t)(row[i + k] + start);
      if (is_int32) {
        tile_scatter(&dst, p, i, n, values);
        continue;
      }
      for (uint64_t k = 0; k < n; k++)
        converted[k] = (float)values[k];
      tile_store(&dst, p, i, n, converted, (NumberMode){0});
    }
  tile_mark(&dst);
  return true;
}

#define SELECT_WHERE(relation)                                                                                         \
  for (uint64_t k = 0; k < n; k++)                                                                                     \
    out[k] = (int32_t)(row[k] + start) relation 0 ? values[k] : other;                                                 \
  return true

// out[k] = values[k] where row[k] + start compares with 0, else `other`. False for what is not a comparison.
KERNEL_CLONES
static bool select_where(AluOp cmp, uint64_t n, const uint32_t *row, uint32_t start, const float *values, float other,
                         float *out)
{
  switch (cmp) {
  case ALU_OP_IS_EQUAL: SELECT_WHERE(==);
  case ALU_OP_NOT_EQUAL: SELECT_WHERE(!=);
  case ALU_OP_IS_GE: SELECT_WHERE(>=);
  case ALU_OP_IS_GT: SELECT_WHERE(>);
  case ALU_OP_IS_LE: SELECT_WHERE(<=);
  case ALU_OP_IS_LT: SELECT_WHERE(<);
  default: return false;
  }
}

static bool fast_nc_affine_select(Sim *sim, const Op *op)
{
  const struct Op_nc_affine_select *o = &op->nc_affine_select;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->on_true_tile, "on_true_tile");
  tile_expect_same_shape(sim, &dst, &src);
  const uint32_t *row = pattern_row(sim, &o->pred, &dst);
  float scratch[TILE_PIECE], out[TILE_PIECE], other = immediate_f32(sim, &o->on_false_value);
  if (!row || !expect_clear(sim, &dst, &src) || dtype_is_packed(dst.dtype) || dtype_is_packed(src.dtype) ||
      !select_where(o->cmp_op, 0, NULL, 0, NULL, 0, out))
    return false;
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      const float *values = tile_row_f32(&src, p, i, n, scratch, sim->number_mode);
      (void)select_where(o->cmp_op, n, row + i, pattern_start(&o->pred, p), values, other, out);
      tile_store(&dst, p, i, n, out, sim->number_mode);
    }
  tile_mark(&dst);
  return true;
}

// ---- selection by a predicate
#define COPY_CHOSEN(Type)                                                                                              \
  for (uint64_t k = 0; k < n; k++)                                                                                     \
    if ((chosen[k] != 0) != reverse)                                                                                   \
  ((Type *)to)[k] = ((const Type *)from)[step * k]

// to[k] = from[step * k] where chosen; `from` is one unit when step is 0.
static bool copy_chosen(uint32_t item, uint64_t n, const float *chosen, bool reverse, void *to, const void *from,
                        uint64_t step)
{
  if ((uintptr_t)to % item || (uintptr_t)from % item)
    return false;
  switch (item) {
  case 1: COPY_CHOSEN(uint8_t); return true;
  case 2: COPY_CHOSEN(uint16_t); return true;
  case 4: COPY_CHOSEN(uint32_t); return true;
  default: return false;
  }
}

static bool fast_copy_predicated(Sim *sim, const Op *op)
{
  const struct Op_copy_predicated *o = &op->copy_predicated;
  Tile dst = tile_of(sim, &o->dst, "dst"), predicate = tile_read(sim, &o->predicate, "predicate"), src = dst;
  tile_expect_same_shape(sim, &dst, &predicate);
  if (!has_plain_rows(&dst) || !tile_is_written(&dst) || dtype_is_packed(predicate.dtype) || dst.item > 4)
    return false;
  union {
    uint64_t align;
    uint8_t bytes[8];
  } constant = {0};
  if (o->imm) {
    immediate_unit(sim, o->imm, dst.dtype, constant.bytes);
  } else {
    src = tile_read(sim, &o->src, "src");
    tile_expect_same_shape(sim, &dst, &src);
    if (!has_plain_rows(&src) || !dtype_same_format(dst.dtype, src.dtype) || !expect_clear(sim, &dst, &src))
      return false;
  }
  if (!expect_clear(sim, &dst, &predicate) || (uintptr_t)dst.base % dst.item || (uintptr_t)src.base % src.item)
    return false;
  float scratch[TILE_PIECE];
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      const float *chosen = tile_row_f32(&predicate, p, i, n, scratch, (NumberMode){0});
      const void *from = o->imm ? (const void *)&constant : tile_row(&src, p) + i * src.item;
      (void)copy_chosen(dst.item, n, chosen, o->reverse_pred, tile_row(&dst, p) + i * dst.item, from, !o->imm);
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
