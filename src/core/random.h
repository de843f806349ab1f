// random.h -- random kernels from the tables, for tests and fuzzing: the same seed gives the same kernel everywhere.

#pragma once
#include "core/core.h"

typedef struct RandomOptions {
  uint32_t op_count;    // instructions of each core; 0: every operator once, in the order of the table
  uint32_t block_count; // of each core; 0: 1
  uint32_t core_count;  // 0: 1
  bool raw;             // anything the tables allow; else tensor operands are views that lie inside their tensors, and
                        // branches go to blocks of the kernel
  bool extensions;      // extension fields and enumeration members that format 0.0.12 does not have
  bool wide_numbers;    // numbers beyond 32 bits, which .klr files cannot hold
} RandomOptions;

// Everything is in `arena`.
Kernel *random_kernel(Arena *arena, uint64_t seed, RandomOptions options);

// One random value of `type` into `out` (type->bytes bytes).
void random_value(Arena *arena, uint64_t seed, RandomOptions options, const TypeInfo *type, void *out);
