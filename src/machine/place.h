// place.h -- where the tiles of a kernel lie in SBUF and PSUM, and whether they fit.
//
// Tiles with an address stay there. The others start at partition 0, which every number of partitions may, and get bytes
// that no other tile needs while they live (core/liveness.h): in SBUF at multiples of 32 bytes, or of 4 when room is
// short, below what a compiler leaves to kernels; in PSUM in banks of their own, and only when these run out side by side in one bank, never across the end of
// one unless the generation's matrix products may cross it.

#pragma once
#include "base/json.h"
#include "core/liveness.h"
#include "machine/machine.h"

typedef struct PlacedTile {
  const LiveRange *range;
  uint64_t first_byte;  // of each partition
  uint64_t row_bytes;   // kept free for it in each partition
  uint32_t first_row;
  bool is_given;  // by the kernel
  bool is_placed;
} PlacedTile;

// One memory of one core.
typedef struct MemoryMap {
  Memory memory;
  uint64_t limit_bytes;  // of a partition, for tiles that are placed here
  PlacedTile *tiles;     // by the start of their ranges
  uint32_t count;
  uint64_t peak_bytes;   // of a partition: most that are needed at once
  uint32_t peak_number;  // the first instruction during which they are
  uint32_t over;         // index of the tile that brings the need over the limit, or NO_TILE
  uint32_t left_out;     // index of a tile for which no place was found, or NO_TILE
  uint64_t end_bytes;    // bytes in use by any tile end here
} MemoryMap;

#define NO_TILE UINT32_MAX

typedef struct Placement {
  Liveness liveness;
  MemoryMap sbuf, psum;
} Placement;

// Places the tiles of one core. When they do not fit, `over` or `left_out` says so and no tile of that memory is placed but
// those with an address. Result in `arena`, work in `scratch`.
Placement place_core(Arena *arena, Arena *scratch, const Machine *machine, const Core_LIST_BLOCK *blocks);

// True when the tiles of every core fit; else the first core's memories that are too small were reported. The kernel has
// been verified.
bool machine_check_memory(Session *session, const Machine *machine, const Kernel *kernel);

// Gives every tile of the kernel the address that it is placed at. False after reporting. Addresses are changed in place:
// the kernel must be the caller's own.
bool place_kernel(Session *session, const Machine *machine, const Kernel *kernel);


// ---- as text and as data
// The map of one core's memory for people: how full it gets and where, and which tiles live there then.
void place_print(Session *session, StrBuf *out, const Machine *machine, const Core_LIST_BLOCK *blocks,
                 const Placement *placement);
// The same with every tile and its address, an object with keys `sbuf` and `psum`.
void place_write_json(Session *session, JsonWriter *json, const Machine *machine, const Core_LIST_BLOCK *blocks,
                      const Placement *placement);
