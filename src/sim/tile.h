// tile.h -- operands while an instruction runs: views resolved to memory, and rows of them read and written.
//
// A tile is partitions x free elements. Free dimensions of one element are gone and neighbours that continue each other
// are one, so a contiguous row has at most one dimension. Elements of a row are numbered in the view's order.

#pragma once
#include "sim/state.h"

typedef struct TileDim {
  int64_t step;  // bytes
  uint64_t count;
} TileDim;

typedef struct Tile {
  const View *view;
  const char *role;  // name of the operand, for messages
  Buffer *buffer;
  uint8_t *base;  // first element
  DType dtype;   // as stored
  uint32_t item;  // bytes of an element
  uint32_t rank;  // of `dims`
  uint64_t partitions, free_elems;
  int64_t partition_step;  // bytes
  bool is_row_contiguous;
  const uint64_t *rows;  // gather and scatter: byte offset from `base` of each partition; UINT64_MAX: left out
  TileDim dims[SIM_MAX_DIMS];
} Tile;

// Resolves an operand that is written, or both read and written; stops when it reaches outside its tensor. Run-time offsets
// of DMA are in dma.c, tensors of offsets in indirect.c.
Tile tile_of(Sim *sim, const TensorRef *ref, const char *role);
// The same for an operand that is only read; and then stops when an element was never written.
Tile tile_operand(Sim *sim, const TensorRef *ref, const char *role);
Tile tile_read(Sim *sim, const TensorRef *ref, const char *role);
Tile tile_of_view(Sim *sim, const View *view, const char *role, int64_t extra_elems);
// The value of a run-time index: a register, or the first element of an access.
int64_t tile_run_time_index(Sim *sim, const ScalarOffset *offset);
uint64_t tile_index_elems(Sim *sim, const View *view);  // elements of the view that one step of such an index skips
uint64_t tile_row_room(Sim *sim, const View *view);  // elements from a view's first to the end of its tensor's row
void tile_check_written(Sim *sim, const Tile *tile);
// The same for the first `count` elements of one row; false when one was not and the run goes on.
bool tile_check_row(Sim *sim, const Tile *tile, uint64_t partition, uint64_t count);
// Notes that all of the tile's elements are written now.
void tile_mark(const Tile *tile);
// The same for the result of a product, which can be added to.
void tile_mark_product(const Tile *tile);
void tile_mark_row(const Tile *tile, uint64_t partition);
bool tile_is_written(const Tile *tile);  // all of it, whatever the options say
// An operand on chip whose columns a tensor of offsets chooses: a tile in scratch memory with their contents. Results are
// written back by indirect_finish, once the operator was executed.
Tile indirect_tile(Sim *sim, const View *view, const char *role, bool is_result);
void indirect_finish(Sim *sim);
// The tile's memory space.
Memory tile_memory(const Tile *tile);

// How the elements that are written lie to those that are read.
typedef enum TileRelation {
  TILE_DISJOINT,
  TILE_SAME,  // element for element the same memory
  TILE_OVERLAP,
} TileRelation;
TileRelation tile_relation(Sim *sim, const Tile *a, const Tile *b);

// ---- checks that stop
void tile_expect_same_shape(Sim *sim, const Tile *dst, const Tile *src);
void tile_expect_shape(Sim *sim, const Tile *tile, uint64_t partitions, uint64_t free_elems);
void tile_expect_partitions(Sim *sim, const Tile *tile, uint64_t partitions);
void tile_expect_lanes(Sim *sim, const Tile *tile);                    // at most SIM_MAX_PARTITIONS partitions
void tile_expect_elements(Sim *sim, const Tile *tile, uint64_t least);  // at least so many a partition, and one
void tile_expect_unpacked(Sim *sim, const Tile *tile);

// Says where the tensor of a view was made.
void tile_label_tensor(Diag *diag, const View *view);

// Index of an element as "[3, 17]", in `scratch`.
const char *tile_index_text(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem);

// ---- elements and rows; `start + n` does not pass the row's end
uint8_t *tile_row(const Tile *tile, uint64_t partition);
uint8_t *tile_element(const Tile *tile, uint64_t partition, uint64_t elem);

// Calls `visit` for the first `count` elements of a row, as runs of bytes from the start of the tile's buffer.
typedef void TileRunFn(void *context, uint64_t start, uint64_t bytes);
void tile_each_run(const Tile *tile, uint64_t partition, uint64_t count, TileRunFn *visit, void *context);

// The same for all rows; where one begins at the end of the row before and the buffer's notes know no rows, they are one run.
void tile_each_row_run(const Tile *tile, TileRunFn *visit, void *context);

// Copies elements' bytes to and from contiguous memory.
void tile_gather(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, void *out);
void tile_scatter(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, const void *in);

// n <= TILE_PIECE elements as float32: in `scratch`, or where they lie when they are contiguous float32.
enum { TILE_PIECE = 1024 };
const float *tile_row_f32(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, float *scratch,
                          NumberMode mode);
void tile_row_to_f32(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, float *to, NumberMode mode);
// Writes n values as elements of the row, NaNs as the dtype's one NaN. `from` is not in the row.
void tile_store(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, const float *from, NumberMode mode);
