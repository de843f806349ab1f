// piece.h -- tiles in pieces that fit the first cache, as the kernels take them.
//
// A piece is some partitions of a tile by some columns. Contiguous float32 rows are used where they lie; others are
// converted to float32 in a block of scratch memory, and results back from it.

#pragma once
#include "sim/exec.h"
#include "sim/kernels/kernels.h"

enum { PIECE_ELEMS = 4096 };

typedef struct Piece {
  uint64_t partition, partitions;  // first, and how many
  uint64_t start, n;              // columns
  uint64_t most;                  // columns at once; 0: TILE_PIECE
} Piece;

// Columns at once of operators that fold along rows: few, so that many rows fit a piece and are folded side by side.
enum { FOLD_PIECE = 256 };

// Whether kernels can use the tile's rows where they lie.
bool tile_is_direct(const Tile *tile);
// The same for an operand that kernels read only: also one element that is repeated along each row.
bool tile_reads_direct(const Tile *tile);

// The next piece of partitions [first, last) of a tile shaped like `like`; starts from a Piece that is zero but for `most`. `whole`: no
// limit on its size, since nothing is converted.
bool piece_next(Piece *piece, const Tile *like, uint64_t first, uint64_t last, bool whole);

// The piece of an operand; `scratch` has PIECE_ELEMS floats.
KernelRows piece_read(const Tile *tile, const Piece *piece, float *scratch, NumberMode mode);
KernelRows piece_lanes(const float *lanes, const Piece *piece);  // one value per partition

// Where results of a piece go, and their stride; then their way into the tile.
float *piece_target(const Tile *tile, const Piece *piece, float *scratch, size_t *stride);
void piece_store(const Tile *tile, const Piece *piece, const float *scratch, NumberMode mode);

// All of a tile as rows of float32 at multiples of `stride`: where it lies, or converted in scratch memory.
const float *tile_matrix(Sim *sim, const Tile *tile, size_t *stride);

// Runs work(context, first, last) over [0, partitions), split among threads when `cost` (elements touched) is worth it.
typedef void PieceWork(void *context, uint64_t first, uint64_t last);
void piece_parallel(Sim *sim, uint64_t partitions, uint64_t cost, PieceWork *work, void *context);

// The fast executors of each file; NULL for operators that it has none of.
FastFn *fast_elementwise(OpKind kind);
FastFn *fast_move(OpKind kind);
FastFn *fast_rows(OpKind kind);
FastFn *fast_tensor_engine(OpKind kind);
FastFn *fast_mx(OpKind kind);
FastFn *fast_gathers(OpKind kind);
FastFn *fast_counting(OpKind kind);
FastFn *fast_random(OpKind kind);
