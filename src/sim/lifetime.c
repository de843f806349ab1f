#include "sim/lifetime.h"

#include "core/liveness.h"

#include <stdlib.h>
#include <string.h>

static bool has_own_memory(const Tensor *tensor)
{
  const Address *address = tensor->address;
  return !address->is_shared && address->memory != MEMORY_SHARED_HBM && !address_is_placed(address);
}

static int compare_releases(const void *a, const void *b)
{
  const Release *x = a, *y = b;
  if (x->block != y->block)
    return x->block < y->block ? -1 : 1;
  if (x->instr != y->instr)
    return x->instr < y->instr ? -1 : 1;
  return strcmp(x->address, y->address);
}

static Release release_of(const Liveness *liveness, const LiveRange *range)
{
  uint32_t block = liveness->loop_end[range->last_block];
  uint32_t instr = block == range->last_block ? range->last_use - liveness->block_start[block] + 1 : 0;
  return (Release){block, instr, range->tensor->address->name, NULL};
}

static Release beginning_of(const Liveness *liveness, const LiveRange *range)
{
  uint32_t instr = range->first_use - liveness->block_start[range->first_block];
  return (Release){range->first_block, instr, range->tensor->address->name, range->tensor};
}

Lifetimes lifetimes_of(Sim *sim, const Core_LIST_BLOCK *blocks)
{
  Liveness liveness = liveness_of(&sim->arena, &sim->scratch, blocks);
  Lifetimes lifetimes = {.releases = arena_array(&sim->arena, Release, liveness.count),
                         .renewals = arena_array(&sim->arena, Renewal, liveness.count)};
  for (uint32_t i = 0; i < liveness.count; i++) {
    const LiveRange *range = &liveness.ranges[i];
    if (has_own_memory(range->tensor))
      lifetimes.releases[lifetimes.count++] = release_of(&liveness, range);
    else if (range->is_rebuilt && address_is_placed(range->tensor->address))
      lifetimes.releases[lifetimes.count++] = beginning_of(&liveness, range);
    if (range->tensor->address->memory == MEMORY_PSUM && liveness.loop_end[range->first_block] != range->first_block)
      lifetimes.renewals[lifetimes.renewal_count++] = (Renewal){range->tensor, range->first_block, range->last_block};
  }
  lifetimes.overlaps = tenancy_overlaps(sim, &liveness);
  qsort(lifetimes.releases, lifetimes.count, sizeof(Release), compare_releases);
  return lifetimes;
}
