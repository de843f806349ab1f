#include "sim/piece.h"

#include "number/convert.h"
#include "base/threads.h"

#include <string.h>

bool tile_is_direct(const Tile *tile)
{
  return tile->dtype == DTYPE_FLOAT32 && tile->is_row_contiguous && (uintptr_t)tile->base % sizeof(float) == 0 &&
         tile->partition_step >= 0 && tile->partition_step % (int64_t)sizeof(float) == 0 &&
         (tile->partition_step > 0 || tile->partitions <= 1);
}

// One element for the whole row.
static bool is_repeated(const Tile *tile)
{
  return tile->rank == 1 && tile->dims[0].step == 0;
}

bool tile_reads_direct(const Tile *tile)
{
  return tile->dtype == DTYPE_FLOAT32 && (tile->is_row_contiguous || is_repeated(tile)) &&
         (uintptr_t)tile->base % sizeof(float) == 0 && tile->partition_step >= 0 &&
         tile->partition_step % (int64_t)sizeof(float) == 0;
}

bool piece_next(Piece *piece, const Tile *like, uint64_t first, uint64_t last, bool whole)
{
  uint64_t columns = like->free_elems;
  if (first >= last || !columns)
    return false;
  if (whole) {
    bool is_first = piece->n == 0;
    *piece = (Piece){first, last - first, 0, columns, 0};
    return is_first;
  }
  uint64_t most = piece->most ? piece->most : TILE_PIECE;
  if (piece->n == 0) {
    *piece = (Piece){.partition = first, .partitions = PIECE_ELEMS / (columns < most ? columns : most), .most = most};
  } else if (piece->start + piece->n < columns) {
    piece->start += piece->n;
  } else {
    piece->start = 0;
    piece->partition += piece->partitions;
  }
  if (piece->partition >= last)
    return false;
  if (piece->partitions > last - piece->partition)
    piece->partitions = last - piece->partition;
  uint64_t left = columns - piece->start;
  piece->n = left < most ? left : most;
  return true;
}

KernelRows piece_read(const Tile *tile, const Piece *piece, float *scratch, NumberMode mode)
{
  if (tile_reads_direct(tile) && !mode.flush_to_zero) {
    uint64_t skip = tile->is_row_contiguous ? piece->start * sizeof(float) : 0;
    return (KernelRows){tile_row(tile, piece->partition) + skip, (size_t)tile->partition_step / sizeof(float),
                        !tile->is_row_contiguous};
  }
  int64_t item = tile->item, step = tile->rank == 1 ? tile->dims[0].step : 0;
  if (tile->dtype == DTYPE_FLOAT32 && tile->rank == 1 && !tile->rows && !mode.flush_to_zero && step % item == 0 &&
      tile->partition_step % item == 0) {
    kernel_gather(tile->item, piece->partitions, piece->n, scratch,
                  tile_row(tile, piece->partition) + (int64_t)piece->start * step, tile->partition_step / item, step / item);
    return (KernelRows){scratch, piece->n, false};
  }
  for (uint64_t r = 0; r < piece->partitions; r++) {
    float *to = scratch + r * piece->n;
    if (tile->is_row_contiguous) {
      const uint8_t *row = tile_row(tile, piece->partition + r) + piece->start * tile->item;
      convert_row_to_f32(tile->dtype, piece->n, to, row, mode);
    } else if (tile->dtype == DTYPE_FLOAT32 && !mode.flush_to_zero) {
      tile_gather(tile, piece->partition + r, piece->start, piece->n, to);
    } else {
      uint8_t units[TILE_PIECE * 8];
      tile_gather(tile, piece->partition + r, piece->start, piece->n, units);
      convert_row_to_f32(tile->dtype, piece->n, to, units, mode);
    }
  }
  return (KernelRows){scratch, piece->n, false};
}

KernelRows piece_lanes(const float *lanes, const Piece *piece)
{
  return (KernelRows){lanes + piece->partition, 1, true};
}

float *piece_target(const Tile *tile, const Piece *piece, float *scratch, size_t *stride)
{
  if (!tile_is_direct(tile)) {
    *stride = piece->n;
    return scratch;
  }
  *stride = (size_t)tile->partition_step / sizeof(float);
  return (float *)(void *)(tile_row(tile, piece->partition) + piece->start * sizeof(float));
}

void piece_store(const Tile *tile, const Piece *piece, const float *scratch, NumberMode mode)
{
  if (tile_is_direct(tile))
    return;
  for (uint64_t r = 0; r < piece->partitions; r++)
    tile_store(tile, piece->partition + r, piece->start, piece->n, scratch + r * piece->n, mode);
}

const float *tile_matrix(Sim *sim, const Tile *tile, size_t *stride)
{
  tile_expect_unpacked(sim, tile);
  if (tile_is_direct(tile) && !sim->number_mode.flush_to_zero) {
    *stride = (size_t)tile->partition_step / sizeof(float);
    return (const float *)(const void *)tile->base;
  }
  float *values = arena_array_unset(&sim->scratch, float, tile->partitions * tile->free_elems), scratch[TILE_PIECE];
  *stride = tile->free_elems;
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems; i += TILE_PIECE) {
      uint64_t n = tile->free_elems - i < TILE_PIECE ? tile->free_elems - i : TILE_PIECE;
      float *to = values + p * tile->free_elems + i;
      if (tile->is_row_contiguous)
        convert_row_to_f32(tile->dtype, n, to, tile_row(tile, p) + i * tile->item, sim->number_mode);
      else
        memcpy(to, tile_row_f32(tile, p, i, n, scratch, sim->number_mode), n * sizeof(float));
    }
  return values;
}

// Elements below which waking another thread costs more than it saves.
enum { WORTH_A_THREAD = 1 << 19 };

void piece_parallel(Sim *sim, uint64_t partitions, uint64_t cost, PieceWork *work, void *context)
{
  if (!sim->pool || cost < WORTH_A_THREAD) {
    work(context, 0, partitions);
    return;
  }
  threads_run(sim->pool, partitions, work, context);
}
