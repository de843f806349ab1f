// lifetime.h -- when the memory of a tensor is needed no more.
//
// Unrolled kernels have thousands of tiles that live for a few instructions each; their memory is handed on.

#pragma once
#include "sim/tenancy.h"

typedef struct Release {
  uint32_t block, instr;  // before this instruction runs; instr may be one past the block's last
  const char *address;
  const Tensor *begins;  // not a release: this tensor, which has an address, is allocated anew
} Release;

// A tensor in PSUM that is used from block `first` to block `last` only.
typedef struct Renewal {
  const Tensor *tensor;
  uint32_t first, last;
} Renewal;

typedef struct Lifetimes {
  Release *releases;  // by block, then instruction
  size_t count;
  Renewal *renewals;  // of tensors that only loops use
  size_t renewal_count;
  const Overlaps *overlaps;  // of tensors with an address; NULL: none
} Lifetimes;

// Releases are for the memories of `blocks` that are private to a core and not placed by hand. What a loop uses lives
// until the loop has ended. A PSUM tensor that is used inside a loop only was allocated there, since what accumulates
// over the iterations is read after them: it is renewed when the loop goes round. So is a tensor
// with an address that a loop allocates, at its first use in each iteration.
// Lives in sim->arena.
Lifetimes lifetimes_of(Sim *sim, const Core_LIST_BLOCK *blocks);
