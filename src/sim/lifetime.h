// lifetime.h -- when the memory of a tensor is needed no more.
//
// Unrolled kernels have thousands of tiles that live for a few instructions each; their memory is handed on.

#pragma once
#include "sim/state.h"

typedef struct Release {
  uint32_t block, instr;  // before this instruction runs; instr may be one past the block's last
  const char *address;
} Release;

typedef struct Lifetimes {
  Release *releases;  // by block, then instruction
  size_t count;
} Lifetimes;

// For the memories of `blocks` that are private to a core and not placed by hand. What a loop uses lives until the
// loop has ended. `labels` maps a block's label to its index. Lives in sim->arena.
Lifetimes lifetimes_of(Sim *sim, const Core_LIST_BLOCK *blocks, const Map *labels);
