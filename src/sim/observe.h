// observe.h -- looking at what instructions read and write, between two steps of a run (sim_step).

#pragma once
#include "sim/tile.h"

typedef struct Observed {
  const FieldInfo *field;
  Role role;
  Tile tile;
} Observed;

enum { OBSERVE_MOST = 24 };

// The tensor operands of `instr`, which the core sim->core has just run or will run next, as they lie in memory: those that
// it writes, or those that it reads (updated ones are both). Left out are sides of a DMA whose index is out of bounds. Their
// number, at most OBSERVE_MOST. May stop (sim_guard); views live in sim->scratch.
uint32_t observe_tiles(Sim *sim, const Instr *instr, bool written, Observed *out);

bool observe_is_written(const Tile *tile, uint64_t partition, uint64_t elem);

// The element as one of its tensor, "tile.1[3, 17]"; in sim->session's arena.
const char *observe_place(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem);

// All of a tensor, where it lies.
Tile observe_tensor(Sim *sim, const Tensor *tensor);
