// tenancy.h -- tensors with an address that have the same bytes of SBUF or PSUM, one after the other or at once.
//
// The bytes stay when another tensor begins to use them, as on the chip: what is read is what lies there. But each tensor
// begins unwritten. Reading bytes that only an earlier tensor wrote, or that another tensor wrote over while both were in
// use, is warned about unless the two are the same in start, shape and dtype.

#pragma once
#include "core/liveness.h"
#include "sim/tile.h"

// Tensors of a core that lie over each other while both live, and differ.
typedef struct Overlaps {
  Map numbers;  // of the tensor, as a pointer; 1 is the first
  const Tensor **tensors;
  uint32_t count;
} Overlaps;

// In sim->arena; NULL when there are none.
const Overlaps *tenancy_overlaps(Sim *sim, const Liveness *liveness);

// The tensor's bytes are its own from now on, and none of them is written yet. `row_bytes` of each of its partitions.
void tenancy_begin(Sim *sim, TensorPlace *place, uint64_t row_bytes);

// The running instruction reads a byte, at `offset` in the tile's buffer, that was never written through the tile's tensor.
// True when an earlier tensor left something there: then all that was left in the tile counts as written, and the reader was
// warned unless it may have meant it.
bool tenancy_adopt(Sim *sim, const Tile *tile, uint64_t offset);

// The running instruction has written these bytes of the tile's buffer, which has owners; or reads them.
void tenancy_write(const Tile *tile, uint64_t start, uint64_t bytes);
void tenancy_read(Sim *sim, const Tile *tile, uint64_t start, uint64_t bytes);

void tenancy_free(Buffer *buffer);
