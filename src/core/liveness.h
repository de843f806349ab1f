// liveness.h -- when the memory of each tensor is needed: from its first use to its last, loops included.
//
// Instructions of a core are numbered in program order, branches too. Tensors whose addresses have one name share memory
// and one range. A range is whole: memory that is overwritten between two uses is kept in between. Jumps back make
// loops; loops that overlap are taken together.
//
// What a loop uses and other code uses too is kept while the loop runs. What only a loop uses is a new allocation each
// time round, unless an iteration may see what an earlier one left: then it is kept while the loop, and those around it,
// run.

#pragma once
#include "core/core.h"

typedef struct LiveRange {
  const Tensor *tensor;  // the first one used of those that share the address
  uint32_t first, last;  // instructions during which the memory is kept, inclusive
  uint32_t first_use, last_use;      // instructions that name it
  uint32_t first_block, last_block;  // of those
  uint64_t row_bytes;  // on chip bytes of a partition, else of all; the most that a tensor of the address needs
  uint32_t rows;       // on chip partitions, else 1
  bool is_rebuilt;     // used in a loop only, and a new allocation each time round
} LiveRange;

typedef struct Liveness {
  LiveRange *ranges;  // by first use
  uint32_t count;
  uint32_t *block_start;  // of each block its first instruction's number; one more for the end
  uint32_t *loop_end;     // of each block the one after the outermost loop around it, or itself outside of loops
  uint32_t block_count;
} Liveness;

// The ranges of every tensor that `blocks` use: those in registers left out. Result in `arena`, work in `scratch`.
Liveness liveness_of(Arena *arena, Arena *scratch, const Core_LIST_BLOCK *blocks);

// The instruction of that number and the block it is in.
const Instr *liveness_instr(const Liveness *liveness, const Core_LIST_BLOCK *blocks, uint32_t number, uint32_t *block);

// Whether a tensor's place in SBUF or PSUM was given in the kernel.
static inline bool address_is_placed(const Address *address)
{
  return address->par_offset.some && address->free_offset.some;
}
