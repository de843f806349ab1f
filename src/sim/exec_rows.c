// exec_rows.c -- operators that look at whole rows: statistics, the eights, selections with a maximum.

#include "sim/piece.h"

#include <string.h>

enum { EIGHT = 8, STATISTICS = 6 };

// A row as float32: where it lies, or in `scratch` memory for a whole row.
static const float *whole_row(const Tile *tile, uint64_t p, float *scratch, NumberMode mode)
{
  float piece[TILE_PIECE];
  if (tile_reads_direct(tile) && tile->is_row_contiguous && !mode.flush_to_zero)
    return (const float *)(const void *)tile_row(tile, p);
  for (uint64_t i = 0; i < tile->free_elems; i += TILE_PIECE) {
    uint64_t n = tile->free_elems - i < TILE_PIECE ? tile->free_elems - i : TILE_PIECE;
    const float *values = tile_row_f32(tile, p, i, n, piece, mode);
    memcpy(scratch + i, values, n * sizeof *values);
  }
  return scratch;
}

static float *row_memory(Sim *sim, const Tile *tile)
{
  return arena_array_unset(&sim->scratch, float, tile->free_elems);
}

static bool computes(const Tile *a, const Tile *b)
{
  return !dtype_is_packed(a->dtype) && !dtype_is_packed(b->dtype);
}

// ---- results per row, all of a row read before any is written
typedef void RowsKernel(size_t rows, size_t n, float *dst, size_t dst_stride, const float *src, size_t src_stride);

static bool run_rows(Sim *sim, const TensorRef *dst_ref, const TensorRef *src_ref, const char *role, uint64_t results,
                     uint64_t least, RowsKernel *kernel)
{
  Tile dst = tile_of(sim, dst_ref, "dst"), src = tile_read(sim, src_ref, role);
  tile_expect_shape(sim, &dst, src.partitions, results);
  if (src.free_elems < least || src.partitions > SIM_MAX_PARTITIONS || !computes(&dst, &src) ||
      tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  if (least == EIGHT)
    tile_expect_no_nan(sim, GAP_EIGHT_NAN, &src);
  float out[SIM_MAX_PARTITIONS * EIGHT];
  size_t stride;
  const float *rows = tile_matrix(sim, &src, &stride);
  kernel(src.partitions, src.free_elems, out, results, rows, stride);
  for (uint64_t p = 0; p < src.partitions; p++)
    tile_store(&dst, p, 0, results, out + p * results, sim->number_mode);
  tile_mark(&dst);
  return true;
}

static bool fast_batch_norm_stats(Sim *sim, const Op *op)
{
  const struct Op_batch_norm_stats *o = &op->batch_norm_stats;
  return run_rows(sim, &o->dst, &o->src, "data", STATISTICS, 2, kernel_bn_stats_f32);
}

static bool fast_max8(Sim *sim, const Op *op)
{
  return run_rows(sim, &op->max8.dst, &op->max8.src, "src", EIGHT, EIGHT, kernel_max8_f32);
}

static bool takes_indices(const Tile *tile)
{
  return dtype_is_integer(tile->dtype) && tile->item >= 2 && tile->item <= 4;
}

static void store_indices(const Tile *tile, uint64_t p, const uint32_t index[EIGHT])
{
  for (uint64_t j = 0; j < EIGHT; j++)
    memcpy(tile_element(tile, p, j), &index[j], tile->item);  // little-endian: the low bytes
}

static bool fast_find_index8(Sim *sim, const Op *op)
{
  const struct Op_find_index8 *o = &op->find_index8;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data"),
       vals = tile_read(sim, &o->vals, "vals");
  tile_expect_shape(sim, &dst, src.partitions, EIGHT);
  tile_expect_shape(sim, &vals, src.partitions, EIGHT);
  if (!takes_indices(&dst) || !computes(&src, &vals) || tile_relation(sim, &dst, &src) != TILE_DISJOINT ||
      tile_relation(sim, &dst, &vals) != TILE_DISJOINT)
    return false;
  tile_expect_no_nan(sim, GAP_FIND_NAN, &vals);
  float *scratch = row_memory(sim, &src), wanted[EIGHT];
  for (uint64_t p = 0; p < src.partitions; p++) {
    uint32_t index[EIGHT];
    const float *row = whole_row(&src, p, scratch, sim->number_mode);
    kernel_claim8_f32(src.free_elems, row, whole_row(&vals, p, wanted, sim->number_mode), false, index);
    store_indices(&dst, p, index);
  }
  tile_mark(&dst);
  return true;
}

static bool fast_match_replace8(Sim *sim, const Op *op)
{
  const struct Op_match_replace8 *o = &op->match_replace8;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data"),
       vals = tile_read(sim, &o->vals, "vals");
  Tile dst_idx = vals;
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_shape(sim, &vals, src.partitions, EIGHT);
  if (o->dst_idx) {
    dst_idx = tile_of(sim, o->dst_idx, "dst_idx");
    tile_expect_shape(sim, &dst_idx, src.partitions, EIGHT);
    if (!takes_indices(&dst_idx) || tile_relation(sim, &dst_idx, &src) != TILE_DISJOINT ||
        tile_relation(sim, &dst_idx, &vals) != TILE_DISJOINT || tile_relation(sim, &dst_idx, &dst) != TILE_DISJOINT)
      return false;
  }
  if (!computes(&src, &vals) || !computes(&dst, &dst) || !expect_clear(sim, &dst, &src) ||
      tile_relation(sim, &dst, &vals) != TILE_DISJOINT)
    return false;
  tile_expect_no_nan(sim, GAP_FIND_NAN, &vals);
  float *scratch = row_memory(sim, &src), *result = row_memory(sim, &src), wanted[EIGHT];
  float replacement = immediate_f32(sim, &o->replace_value);
  for (uint64_t p = 0; p < src.partitions; p++) {
    uint32_t index[EIGHT];
    const float *row = whole_row(&src, p, scratch, sim->number_mode);
    kernel_claim8_f32(src.free_elems, row, whole_row(&vals, p, wanted, sim->number_mode), true, index);
    memcpy(result, row, src.free_elems * sizeof *row);
    for (uint64_t j = EIGHT; j-- > 0;)
      if (index[j] != UINT32_MAX)
        result[index[j]] = replacement;
      else if (o->dst_idx)
        match_is_open(sim, p, j);
    for (uint64_t i = 0; i < src.free_elems; i += TILE_PIECE)
      tile_store(&dst, p, i, src.free_elems - i < TILE_PIECE ? src.free_elems - i : TILE_PIECE, result + i,
                 sim->number_mode);
    if (o->dst_idx)
      store_indices(&dst_idx, p, index);
  }
  tile_mark(&dst);
  if (o->dst_idx)
    tile_mark(&dst_idx);
  return true;
}

// ---- selections whose values go to the accumulator
static bool finish_lanes(Sim *sim, const TensorRef *ref, const Tile *like)
{
  if (!ref)
    return true;
  Tile result = tile_of(sim, ref, "reduce_res");
  tile_expect_unpacked(sim, &result);
  tile_expect_shape(sim, &result, like->partitions, 1);
  for (uint64_t p = 0; p < like->partitions; p++)
    dtype_from_f32_mode(result.dtype, sim->core->dve.lanes[p], tile_row(&result, p), sim->number_mode);
  tile_mark(&result);
  return true;
}

// The first NaN of what is folded.
static void expect_no_nan(Sim *sim, const Tile *dst, uint64_t p, uint64_t start, uint64_t n, const float *values)
{
  int found = 0;
  for (uint64_t k = 0; k < n; k++)
    found |= values[k] != values[k];
  for (uint64_t k = 0; k < n && found; k++)
    if (values[k] != values[k])
      nan_is_open(sim, GAP_SELECT_NAN, dst, p, start + k);
}

// Folds and stores a piece of a row.
static void finish_piece(Sim *sim, const Tile *dst, AluOp op, bool folds, uint64_t p, uint64_t start, uint64_t n,
                         const float *out)
{
  if (folds)
    expect_no_nan(sim, dst, p, start, n, out);
  if (folds)
    kernel_reduce_f32(op, 1, n, &sim->core->dve.lanes[p], 1, out, n, true);
  tile_store(dst, p, start, n, out, sim->number_mode);
}

static bool fast_select_reduce(Sim *sim, const Op *op)
{
  const struct Op_select_reduce *o = &op->select_reduce;
  Tile dst = tile_of(sim, &o->dst, "dst"), predicate = tile_read(sim, &o->predicate, "predicate"),
       on_true = tile_read(sim, &o->on_true, "on_true");
  tile_expect_same_shape(sim, &dst, &predicate);
  tile_expect_same_shape(sim, &dst, &on_true);
  tile_expect_lanes(sim, &dst);
  if (!computes(&predicate, &on_true) || !computes(&dst, &dst) || alu_is_bitvec(o->reduce_op) ||
      !expect_clear(sim, &dst, &predicate) || !expect_clear(sim, &dst, &on_true))
    return false;
  Values on_false;
  operand_values(sim, &o->on_false, "on_false", &dst, true, &on_false);
  if (on_false.is_full && !expect_clear(sim, &dst, &on_false.tile))
    return false;
  accum_begin(sim, &sim->core->dve, o->reduce_cmd, &on_true, o->reduce_res != NULL);
  float a[TILE_PIECE], b[TILE_PIECE], c[TILE_PIECE], out[TILE_PIECE];
  for (uint64_t p = 0; p < dst.partitions; p++) {
    bool folds = accum_starts(o->reduce_cmd, &sim->core->dve.lanes[p], o->reduce_op, 0);
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      const float *chosen = tile_row_f32(&predicate, p, i, n, a, sim->number_mode);
      const float *values = tile_row_f32(&on_true, p, i, n, b, sim->number_mode);
      const float *others =
          on_false.is_full ? tile_row_f32(&on_false.tile, p, i, n, c, sim->number_mode) : &on_false.lanes[p];
      size_t step = on_false.is_full;
      for (uint64_t k = 0; k < n; k++)
        out[k] = (chosen[k] != 0) != o->reverse_pred ? values[k] : others[step * k];
      finish_piece(sim, &dst, o->reduce_op, folds, p, i, n, out);
    }
  }
  tile_mark(&dst);
  return finish_lanes(sim, o->reduce_res, &dst);
}

static bool fast_nc_range_select(Sim *sim, const Op *op)
{
  const struct Op_nc_range_select *o = &op->nc_range_select;
  AluOp fold = o->reduce_op.some ? o->reduce_op.value : ALU_OP_MAX;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->on_true_tile, "on_true_tile");
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  if (!computes(&dst, &src) || alu_is_bitvec(fold) || alu_is_bitvec(o->comp_op0) || alu_is_bitvec(o->comp_op1) ||
      !expect_clear(sim, &dst, &src))
    return false;
  float low[SIM_MAX_PARTITIONS], high[SIM_MAX_PARTITIONS], start = immediate_f32(sim, &o->range_start);
  lanes_of(sim, &o->bound0, "bound0", dst.partitions, low);
  lanes_of(sim, &o->bound1, "bound1", dst.partitions, high);
  float other = immediate_f32(sim, &o->on_false_value), pos[TILE_PIECE], in0[TILE_PIECE], in1[TILE_PIECE];
  float scratch[TILE_PIECE], out[TILE_PIECE];
  if (dst.dtype == DTYPE_FLOAT8_E4M3FN)
    return false;
  accum_begin(sim, &sim->core->dve, o->reduce_command, &src, o->reduce_res != NULL);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    bool folds = accum_starts(o->reduce_command, &sim->core->dve.lanes[p], fold, 0);
    for (uint64_t i = 0; i < dst.free_elems; i += TILE_PIECE) {
      uint64_t n = dst.free_elems - i < TILE_PIECE ? dst.free_elems - i : TILE_PIECE;
      for (uint64_t k = 0; k < n; k++)
        pos[k] = start + (float)(i + k);
      KernelRows row = {pos, n, false};
      kernel_binary_f32(o->comp_op0, 1, n, in0, n, row, (KernelRows){&low[p], 1, true});
      kernel_binary_f32(o->comp_op1, 1, n, in1, n, row, (KernelRows){&high[p], 1, true});
      const float *values = tile_row_f32(&src, p, i, n, scratch, sim->number_mode);
      for (uint64_t k = 0; k < n; k++)
        out[k] = ((in0[k] == 0) | (in1[k] == 0)) ? other : values[k];
      finish_piece(sim, &dst, fold, folds, p, i, n, out);
    }
  }
  tile_mark(&dst);
  return finish_lanes(sim, o->reduce_res, &dst);
}

FastFn *fast_rows(OpKind kind)
{
  static FastFn *const executors[OP_COUNT] = {
      [OP_batch_norm_stats] = fast_batch_norm_stats, [OP_find_index8] = fast_find_index8,
      [OP_match_replace8] = fast_match_replace8,     [OP_max8] = fast_max8,
      [OP_nc_range_select] = fast_nc_range_select,   [OP_select_reduce] = fast_select_reduce,
  };
  return executors[kind];
}
