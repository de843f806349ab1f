// exec_gather.c -- operators that pick elements or rows by number, and sums by the DMA engines.

#include "sim/piece.h"

#include "base/kernel.h"

#include <string.h>

// All of a row's units: where they lie, or gathered into `memory`.
static const uint8_t *whole_units(const Tile *tile, uint64_t p, uint8_t *memory)
{
  if (tile->is_row_contiguous)
    return tile_row(tile, p);
  tile_gather(tile, p, 0, tile->free_elems, memory);
  return memory;
}

static uint8_t *units_memory(Sim *sim, const Tile *tile)
{
  return arena_alloc_unset(&sim->scratch, tile->free_elems, tile->item);
}

// A row of integers, extended to 32 bits.
static void index_row(const Tile *tile, uint64_t p, uint8_t *memory, uint32_t *index)
{
  const uint8_t *units = whole_units(tile, p, memory);
  if (tile->item == sizeof *index) {
    memcpy(index, units, tile->free_elems * sizeof *index);
    return;
  }
  for (uint64_t i = 0; i < tile->free_elems; i++)
    index[i] = unit_bits(tile->dtype, units + i * tile->item);
}

KERNEL_CLONES
static uint32_t largest_of(uint64_t n, const uint32_t *index)
{
  uint32_t largest = 0;
  for (uint64_t i = 0; i < n; i++)
    largest = index[i] > largest ? index[i] : largest;
  return largest;
}

// to[i] = from[index[i]]
#define PICK(bytes)                                                                                                    \
  for (uint64_t i = 0; i < n; i++)                                                                                     \
    memcpy(to + i * (bytes), from + (uint64_t)index[i] * (bytes), bytes);

static void pick(uint32_t item, uint64_t n, uint8_t *to, const uint8_t *from, const uint32_t *index)
{
  switch (item) {
  case 1: PICK(1) break;
  case 2: PICK(2) break;
  case 4: PICK(4) break;
  default: PICK(8) break;
  }
}

static bool is_index(const Tile *tile)
{
  return dtype_is_integer(tile->dtype) && tile->item <= 4;
}

// Whether `dst` shares no element with either.
static bool stands_alone(Sim *sim, const Tile *dst, const Tile *a, const Tile *b)
{
  return tile_relation(sim, dst, a) == TILE_DISJOINT && tile_relation(sim, dst, b) == TILE_DISJOINT;
}

// Writes a row that was made in `made`, unless it was made in its place.
static void put_row(const Tile *dst, uint64_t p, const uint8_t *made)
{
  if (!dst->is_row_contiguous)
    tile_scatter(dst, p, 0, dst->free_elems, made);
}

static uint8_t *row_to_make(const Tile *dst, uint64_t p, uint8_t *memory)
{
  return dst->is_row_contiguous ? tile_row(dst, p) : memory;
}

static bool fast_nc_n_gather(Sim *sim, const Op *op)
{
  const struct Op_nc_n_gather *o = &op->nc_n_gather;
  Tile dst = tile_of(sim, &o->dst, "dst"), data = tile_read(sim, &o->data, "data"),
       indices = tile_read(sim, &o->indices, "indices");
  if (dst.partitions != indices.partitions || dst.free_elems != indices.free_elems ||
      data.partitions != dst.partitions || !is_index(&indices) || !dtype_same_format(dst.dtype, data.dtype) ||
      !dst.free_elems || !stands_alone(sim, &dst, &data, &indices))
    return false;
  uint64_t n = dst.free_elems;
  uint8_t *from = units_memory(sim, &data), *to = units_memory(sim, &dst), *raw = units_memory(sim, &indices);
  uint32_t *index = arena_array_unset(&sim->scratch, uint32_t, n);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    index_row(&indices, p, raw, index);
    if (largest_of(n, index) >= data.free_elems)
      return false;  // the reference has something to say
    uint8_t *row = row_to_make(&dst, p, to);
    pick(dst.item, n, row, whole_units(&data, p, from), index);
    put_row(&dst, p, row);
  }
  tile_mark(&dst);
  return true;
}

enum { GATHER_GROUP = 16 };

// The indices of a group, in order: partition first. `each` neighbours of every one.
static void group_indices(const Tile *indices, uint64_t first, uint64_t count, uint64_t each, uint8_t *raw,
                          uint32_t *row, uint32_t *index)
{
  for (uint64_t lane = 0; lane < GATHER_GROUP; lane++) {
    index_row(indices, first + lane, raw, row);
    for (uint64_t k = lane; k < count; k += GATHER_GROUP)
      for (uint64_t j = 0; j < each; j++)
        index[k * each + j] = row[k / GATHER_GROUP] + (uint32_t)j;
  }
}

static bool fast_nc_local_gather(Sim *sim, const Op *op)
{
  const struct Op_nc_local_gather *o = &op->nc_local_gather;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "src_buffer"),
       indices = tile_read(sim, &o->index, "index");
  int64_t each = immediate_int(sim, &o->num_elem_per_idx);
  uint64_t n = dst.free_elems, count = GATHER_GROUP * indices.free_elems;
  if (o->num_valid_indicies || each < 1 || n != count * (uint64_t)each || !n || dst.partitions != src.partitions ||
      indices.partitions != src.partitions || src.partitions % GATHER_GROUP ||
      !is_index(&indices) || !dtype_same_format(dst.dtype, src.dtype) ||
      !stands_alone(sim, &dst, &src, &indices))
    return false;
  uint8_t *from = units_memory(sim, &src), *to = units_memory(sim, &dst), *raw = units_memory(sim, &indices);
  uint32_t *index = arena_array_unset(&sim->scratch, uint32_t, n);
  uint32_t *row = arena_array_unset(&sim->scratch, uint32_t, indices.free_elems);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    if (p % GATHER_GROUP == 0) {
      group_indices(&indices, p, count, (uint64_t)each, raw, row, index);
      if (largest_of(n, index) >= src.free_elems)
        return false;
    }
    uint8_t *made = row_to_make(&dst, p, to);
    pick(dst.item, n, made, whole_units(&src, p, from), index);
    put_row(&dst, p, made);
  }
  tile_mark(&dst);
  return true;
}

// ---- rows by number
static bool fast_shuffle(Sim *sim, const Op *op)
{
  const struct Op_shuffle *o = &op->shuffle;
  enum { GROUP = 32, KEEP = 255 };
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "src");
  if (dst.free_elems != src.free_elems || dst.partitions != src.partitions ||
      !dtype_same_format(dst.dtype, src.dtype) || o->shuffle_mask.count != GROUP ||
      tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  for (uint64_t p = 0; p < dst.partitions; p++) {
    int64_t mask = immediate_int(sim, &o->shuffle_mask.items[p % GROUP]);
    if (mask != KEEP && (mask < 0 || mask >= GROUP || p / GROUP * GROUP + (uint64_t)mask >= src.partitions))
      return false;
  }
  uint8_t *memory = units_memory(sim, &src);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    int64_t mask = immediate_int(sim, &o->shuffle_mask.items[p % GROUP]);
    if (mask == KEEP)
      continue;
    uint64_t source = p / GROUP * GROUP + (uint64_t)mask;
    tile_scatter(&dst, p, 0, dst.free_elems, whole_units(&src, source, memory));
    tile_mark_row(&dst, p);
  }
  return true;
}

// ---- dma_compute
enum { MOST_SOURCES = 16 };

typedef struct Sum {
  AluOp op;
  Tile dst, srcs[MOST_SOURCES];
  float scales[MOST_SOURCES];
  uint32_t count;
  NumberMode mode;
} Sum;

// Two sources without a scale where they lie: one pass.
static bool sum_directly(const Sum *w, uint64_t first, uint64_t last)
{
  bool is_plain = w->count == 2 && w->scales[0] == 1 && w->scales[1] == 1 && !w->mode.flush_to_zero &&
                  tile_is_direct(&w->dst) && tile_reads_direct(&w->srcs[0]) && tile_reads_direct(&w->srcs[1]);
  if (!is_plain)
    return false;
  Piece piece = {.partition = first, .partitions = last - first, .n = w->dst.free_elems};
  size_t stride;
  float *to = piece_target(&w->dst, &piece, NULL, &stride);
  kernel_binary_f32(w->op, piece.partitions, piece.n, to, stride, piece_read(&w->srcs[0], &piece, NULL, w->mode),
                    piece_read(&w->srcs[1], &piece, NULL, w->mode));
  return true;
}

static void sum_pieces(void *context, uint64_t first, uint64_t last)
{
  const Sum *w = context;
  if (sum_directly(w, first, last))
    return;
  float x[PIECE_ELEMS], sums[PIECE_ELEMS], scaled[PIECE_ELEMS];
  for (Piece piece = {0}; piece_next(&piece, &w->dst, first, last, false);) {
    KernelRows sum = {sums, piece.n, false}, part = {scaled, piece.n, false};
    for (uint32_t s = 0; s < w->count; s++) {
      KernelRows rows = piece_read(&w->srcs[s], &piece, x, w->mode), scale = {&w->scales[s], 0, true};
      kernel_binary_f32(ALU_OP_MULT, piece.partitions, piece.n, s ? scaled : sums, piece.n, rows, scale);
      if (s)
        kernel_binary_f32(w->op, piece.partitions, piece.n, sums, piece.n, sum, part);
    }
    for (uint64_t r = 0; r < piece.partitions; r++)
      tile_store(&w->dst, piece.partition + r, piece.start, piece.n, sums + r * piece.n, w->mode);
  }
}

static bool fast_dma_compute(Sim *sim, const Op *op)
{
  const struct Op_dma_compute *o = &op->dma_compute;
  Sum *w = arena_new(&sim->scratch, Sum);
  w->op = o->reduce_op;
  w->count = o->srcs.count;
  w->mode = sim->number_mode;
  if (w->count < 2 || w->count > MOST_SOURCES || alu_is_bitvec(o->reduce_op) ||
      !dma_tile(sim, &o->dst, "dst", o->skips_oob, &w->dst) || w->dst.rows || dtype_is_packed(w->dst.dtype))
    return false;
  for (uint32_t s = 0; s < w->count; s++) {
    Tile *src = &w->srcs[s];
    if (!dma_tile(sim, &o->srcs.items[s], "srcs", o->skips_oob, src) || src->rows || dtype_is_packed(src->dtype) ||
        src->partitions != w->dst.partitions || src->free_elems != w->dst.free_elems ||
        tile_relation(sim, &w->dst, src) == TILE_OVERLAP)
      return false;
    tile_check_written(sim, src);
    w->scales[s] = s < o->scales.count ? immediate_f32(sim, &o->scales.items[s]) : 1;
  }
  piece_parallel(sim, w->dst.partitions, w->count * w->dst.partitions * w->dst.free_elems, sum_pieces, w);
  for (uint32_t s = 0; s < w->count; s++)
    sim_count_dma(sim, &w->srcs[s]);
  tile_mark(&w->dst);
  return true;
}

// ---- positions
static bool fast_nonzero_with_count(Sim *sim, const Op *op)
{
  const struct Op_nonzero_with_count *o = &op->nonzero_with_count;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_of(sim, &o->src, "src");  // other rows are not read
  uint64_t n = src.free_elems;
  if (dst.dtype != DTYPE_INT32 || dtype_is_packed(src.dtype) || dst.partitions != src.partitions ||
      dst.free_elems != n + 1 || tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  int32_t offset = immediate_int(sim, &o->index_offset), padding = immediate_int(sim, &o->padding_val);
  int32_t *results = arena_array_unset(&sim->scratch, int32_t, n + 2);
  float values[TILE_PIECE];
  for (uint64_t p = 0; p < src.partitions; p += GATHER_GROUP) {
    tile_check_row(sim, &src, p, n);
    uint64_t found = 0;
    for (uint64_t i = 0; i < n; i += TILE_PIECE) {
      uint64_t count = n - i < TILE_PIECE ? n - i : TILE_PIECE;
      tile_row_to_f32(&src, p, i, count, values, sim->number_mode);
      for (uint64_t k = 0; k < count; k++) {  // always written, kept when it counts: no branch to guess
        results[found] = (int32_t)((uint32_t)(i + k) + (uint32_t)offset);
        found += values[k] != 0;
      }
    }
    for (uint64_t i = found; i < n; i++)
      results[i] = padding;
    results[n] = (int32_t)found;
    tile_scatter(&dst, p, 0, n + 1, results);
    tile_mark_row(&dst, p);
  }
  return true;
}

// As run_sequence_bounds, row by row rather than element by element.
static bool fast_sequence_bounds(Sim *sim, const Op *op)
{
  const struct Op_sequence_bounds *o = &op->sequence_bounds;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->segment_ids, "segment_ids");
  uint64_t n = src.free_elems;
  if (src.partitions != 1 || dst.partitions != 1 || dst.free_elems != 2 * n || src.item != 4 ||
      !dtype_is_integer(src.dtype) || dtype_is_packed(dst.dtype) || tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  uint32_t *ids = arena_array_unset(&sim->scratch, uint32_t, n + 1);
  float *bounds = arena_array_unset(&sim->scratch, float, 2 * n);
  tile_gather(&src, 0, 0, n, ids);
  if (dtype_is_signed_integer(src.dtype) && n && largest_of(n, ids) > INT32_MAX)
    return false;
  for (uint64_t i = 0, begin = 0; i < n; i++) {
    begin = i > 0 && ids[i] == ids[i - 1] ? begin : i;
    bounds[i] = ids[i] == 0 ? (float)n : (float)begin;
  }
  for (uint64_t i = n, end = n; i-- > 0;) {
    end = i + 1 < n && ids[i] == ids[i + 1] ? end : i + 1;
    bounds[n + i] = ids[i] == 0 ? -1 : (float)end;
  }
  for (uint64_t i = 0; i < 2 * n; i += TILE_PIECE)
    tile_store(&dst, 0, i, 2 * n - i < TILE_PIECE ? 2 * n - i : TILE_PIECE, bounds + i, sim->number_mode);
  tile_mark(&dst);
  return true;
}

FastFn *fast_gathers(OpKind kind)
{
  static FastFn *const executors[OP_COUNT] = {
      [OP_dma_compute] = fast_dma_compute,       [OP_nc_local_gather] = fast_nc_local_gather,
      [OP_nc_n_gather] = fast_nc_n_gather,       [OP_nonzero_with_count] = fast_nonzero_with_count,
      [OP_sequence_bounds] = fast_sequence_bounds,
      [OP_shuffle] = fast_shuffle,
  };
  return executors[kind];
}
