// exec_rows.c -- operators that look at whole rows: statistics, the eights, selections with a maximum.

#include "sim/piece.h"

#include "base/kernel.h"

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

// Mean and variance of what the triples of a row describe, as run_batch_norm_aggregate has it; false without counts.
static bool aggregate(uint64_t n, const float *row, float out[2])
{
  float count = 0, weighted = 0, squares = 0, between = 0;
  for (uint64_t i = 0; i < n; i += 3) {
    count = count + row[i];
    weighted = weighted + row[i] * row[i + 1];
    squares = squares + row[i + 2];
  }
  if (count == 0)
    return false;
  out[0] = weighted / count;
  for (uint64_t i = 0; i < n; i += 3) {
    float distance = row[i + 1] - out[0];
    between = between + row[i] * (distance * distance);
  }
  out[1] = (squares + between) / count;
  return true;
}

static bool fast_batch_norm_aggregate(Sim *sim, const Op *op)
{
  const struct Op_batch_norm_aggregate *o = &op->batch_norm_aggregate;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data");
  uint64_t n = src.free_elems;
  if (dst.partitions != src.partitions || dst.free_elems != 2 || n % 3 || n > TILE_PIECE || !computes(&dst, &src) ||
      tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  for (uint64_t p = 0; p < src.partitions; p++) {
    float scratch[TILE_PIECE], out[2];
    if (!aggregate(n, tile_row_f32(&src, p, 0, n, scratch, sim->number_mode), out))
      return false;  // left open
    tile_store(&dst, p, 0, 2, out, sim->number_mode);
  }
  tile_mark(&dst);
  return true;
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

// Whether any element is a NaN, which the reference has something to say about when it is folded.
KERNEL_CLONES
static bool any_nan(uint64_t n, const float *values)
{
  int32_t found = 0;
  for (uint64_t i = 0; i < n; i++)
    found |= values[i] != values[i];
  return found;
}

static bool has_nan(const Tile *tile, NumberMode mode)
{
  float scratch[TILE_PIECE];
  bool found = false;
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems && !found; i += TILE_PIECE) {
      uint64_t n = tile->free_elems - i < TILE_PIECE ? tile->free_elems - i : TILE_PIECE;
      found = any_nan(n, tile_row_f32(tile, p, i, n, scratch, mode));
    }
  return found;
}

typedef struct Selection {
  Tile dst, predicate, on_true;
  Values on_false;
  bool reverse, folds;
  AluOp fold, cmp0, cmp1;
  float start, low[SIM_MAX_PARTITIONS], high[SIM_MAX_PARTITIONS], *lanes;
  NumberMode mode;
} Selection;

// out[k] = chosen[k] is not zero, or is when `reverse` ? values[k] : others[step * k], for a step of 0 or 1.
KERNEL_CLONES
static void choose(uint64_t n, float *out, const float *chosen, bool reverse, const float *values, const float *others,
                   size_t step)
{
  float other = *others;
  if (step)
    for (uint64_t k = 0; k < n; k++)
      out[k] = (chosen[k] != 0) != reverse ? values[k] : others[k];
  else
    for (uint64_t k = 0; k < n; k++)
      out[k] = (chosen[k] != 0) != reverse ? values[k] : other;
}

// The rows of an operand side by side, `n` apart unless they lie elsewhere: an element for each, never one for all.
static KernelRows plain_rows(const Tile *tile, const Piece *piece, float *scratch, NumberMode mode)
{
  KernelRows rows = piece_read(tile, piece, scratch, mode);
  if (!rows.scalar)
    return rows;
  kernel_binary_f32(ALU_OP_BYPASS, piece->partitions, piece->n, scratch, piece->n, rows, rows);
  return (KernelRows){scratch, piece->n, false};
}

static const float *row_of(KernelRows rows, uint64_t r)
{
  return (const float *)rows.at + r * rows.stride;
}

// Folds and stores a piece of what was selected.
static void finish_piece(const Selection *w, const Piece *piece, const float *out)
{
  if (w->folds)
    kernel_reduce_f32(w->fold, piece->partitions, piece->n, w->lanes + piece->partition, 1, out, piece->n, true);
  for (uint64_t r = 0; r < piece->partitions; r++)
    tile_store(&w->dst, piece->partition + r, piece->start, piece->n, out + r * piece->n, w->mode);
}

static void select_pieces(void *context, uint64_t first, uint64_t last)
{
  const Selection *w = context;
  float a[PIECE_ELEMS], b[PIECE_ELEMS], c[PIECE_ELEMS], out[PIECE_ELEMS];
  for (Piece piece = {.most = FOLD_PIECE}; piece_next(&piece, &w->dst, first, last, false);) {
    KernelRows chosen = plain_rows(&w->predicate, &piece, a, w->mode);
    KernelRows values = plain_rows(&w->on_true, &piece, b, w->mode);
    KernelRows others = w->on_false.is_full ? plain_rows(&w->on_false.tile, &piece, c, w->mode) :
                                              piece_lanes(w->on_false.lanes, &piece);
    for (uint64_t r = 0; r < piece.partitions; r++)
      choose(piece.n, out + r * piece.n, row_of(chosen, r), w->reverse, row_of(values, r), row_of(others, r),
             !others.scalar);
    finish_piece(w, &piece, out);
  }
}

static void start_lanes(Sim *sim, Selection *w, AccumCmd cmd, bool is_read)
{
  w->lanes = sim->core->dve.lanes;
  accum_begin(sim, &sim->core->dve, cmd, &w->on_true, is_read);
  for (uint64_t p = 0; p < w->dst.partitions; p++)
    w->folds = accum_starts(cmd, &w->lanes[p], w->fold, 0);
}

static bool fast_select_reduce(Sim *sim, const Op *op)
{
  const struct Op_select_reduce *o = &op->select_reduce;
  Selection w = {.fold = o->reduce_op, .reverse = o->reverse_pred, .mode = sim->number_mode};
  w.dst = tile_of(sim, &o->dst, "dst");
  w.predicate = tile_read(sim, &o->predicate, "predicate");
  w.on_true = tile_read(sim, &o->on_true, "on_true");
  tile_expect_same_shape(sim, &w.dst, &w.predicate);
  tile_expect_same_shape(sim, &w.dst, &w.on_true);
  tile_expect_lanes(sim, &w.dst);
  if (!computes(&w.predicate, &w.on_true) || !computes(&w.dst, &w.dst) || alu_is_bitvec(o->reduce_op) ||
      !expect_clear(sim, &w.dst, &w.predicate) || !expect_clear(sim, &w.dst, &w.on_true))
    return false;
  operand_values(sim, &o->on_false, "on_false", &w.dst, true, &w.on_false);
  if (w.on_false.is_full && !expect_clear(sim, &w.dst, &w.on_false.tile))
    return false;
  bool any = folds_values(o->reduce_cmd) && (has_nan(&w.on_true, w.mode) ||
                                             (w.on_false.is_full ? has_nan(&w.on_false.tile, w.mode) :
                                                                   any_nan(w.dst.partitions, w.on_false.lanes)));
  if (any)
    return false;
  start_lanes(sim, &w, o->reduce_cmd, o->reduce_res != NULL);
  piece_parallel(sim, w.dst.partitions, 4 * w.dst.partitions * w.dst.free_elems, select_pieces, &w);
  tile_mark(&w.dst);
  return finish_lanes(sim, o->reduce_res, &w.dst);
}

// 1 where both comparisons of the positions hold, else 0, into `in`; `more` is scratch memory of the same size.
static void compare_positions(const Selection *w, const Piece *piece, float *in, float *more)
{
  float at[FOLD_PIECE];
  for (uint64_t k = 0; k < piece->n; k++)
    at[k] = w->start + (float)(piece->start + k);
  KernelRows positions = {at, 0, false}, ins = {in, piece->n, false}, mores = {more, piece->n, false};
  kernel_binary_f32(w->cmp0, piece->partitions, piece->n, in, piece->n, positions, piece_lanes(w->low, piece));
  kernel_binary_f32(w->cmp1, piece->partitions, piece->n, more, piece->n, positions, piece_lanes(w->high, piece));
  kernel_binary_f32(ALU_OP_LOGICAL_AND, piece->partitions, piece->n, in, piece->n, ins, mores);
}

static void range_pieces(void *context, uint64_t first, uint64_t last)
{
  const Selection *w = context;
  float a[PIECE_ELEMS], b[PIECE_ELEMS], in[PIECE_ELEMS], out[PIECE_ELEMS];
  for (Piece piece = {.most = FOLD_PIECE}; piece_next(&piece, &w->dst, first, last, false);) {
    compare_positions(w, &piece, in, a);
    KernelRows values = plain_rows(&w->on_true, &piece, b, w->mode);
    for (uint64_t r = 0; r < piece.partitions; r++)
      choose(piece.n, out + r * piece.n, in + r * piece.n, false, row_of(values, r), w->on_false.lanes, 0);
    finish_piece(w, &piece, out);
  }
}

static bool fast_nc_range_select(Sim *sim, const Op *op)
{
  const struct Op_nc_range_select *o = &op->nc_range_select;
  Selection w = {.fold = o->reduce_op.some ? o->reduce_op.value : ALU_OP_MAX, .cmp0 = o->comp_op0, .cmp1 = o->comp_op1,
                 .mode = sim->number_mode};
  w.dst = tile_of(sim, &o->dst, "dst");
  w.on_true = tile_read(sim, &o->on_true_tile, "on_true_tile");
  tile_expect_same_shape(sim, &w.dst, &w.on_true);
  tile_expect_lanes(sim, &w.dst);
  if (!computes(&w.dst, &w.on_true) || alu_is_bitvec(w.fold) || alu_is_bitvec(o->comp_op0) ||
      alu_is_bitvec(o->comp_op1) || !expect_clear(sim, &w.dst, &w.on_true))
    return false;
  w.start = immediate_f32(sim, &o->range_start);
  lanes_of(sim, &o->bound0, "bound0", w.dst.partitions, w.low);
  lanes_of(sim, &o->bound1, "bound1", w.dst.partitions, w.high);
  w.on_false.lanes[0] = immediate_f32(sim, &o->on_false_value);
  if (w.dst.dtype == DTYPE_FLOAT8_E4M3FN || (folds_values(o->reduce_command) && has_nan(&w.on_true, w.mode)))
    return false;
  start_lanes(sim, &w, o->reduce_command, o->reduce_res != NULL);
  piece_parallel(sim, w.dst.partitions, 4 * w.dst.partitions * w.dst.free_elems, range_pieces, &w);
  tile_mark(&w.dst);
  return finish_lanes(sim, o->reduce_res, &w.dst);
}

FastFn *fast_rows(OpKind kind)
{
  static FastFn *const executors[OP_COUNT] = {
      [OP_batch_norm_aggregate] = fast_batch_norm_aggregate,
      [OP_batch_norm_stats] = fast_batch_norm_stats, [OP_find_index8] = fast_find_index8,
      [OP_match_replace8] = fast_match_replace8,     [OP_max8] = fast_max8,
      [OP_nc_range_select] = fast_nc_range_select,   [OP_select_reduce] = fast_select_reduce,
  };
  return executors[kind];
}
