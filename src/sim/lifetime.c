#include "sim/lifetime.h"

#include <stdlib.h>
#include <string.h>

typedef struct Use {
  const Tensor *tensor;
  uint32_t first_block;
  uint32_t block, instr;  // of the last use seen
} Use;

typedef struct Uses {
  Arena *arena;
  Use *slots;  // open addressing by tensor
  size_t count, capacity;
  uint32_t block, instr;  // being looked at
} Uses;

static Use *find_use(Uses *uses, const Tensor *tensor)
{
  size_t mask = uses->capacity - 1,
         at = (size_t)((uint64_t)(uintptr_t)tensor * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;
  while (uses->slots[at].tensor && uses->slots[at].tensor != tensor)
    at = (at + 1) & mask;
  return &uses->slots[at];
}

static void grow_uses(Uses *uses)
{
  Use *old = uses->slots;
  size_t old_capacity = uses->capacity;
  uses->capacity = old_capacity ? old_capacity * 2 : 256;
  uses->slots = arena_array(uses->arena, Use, uses->capacity);
  for (size_t i = 0; i < old_capacity; i++)
    if (old[i].tensor)
      *find_use(uses, old[i].tensor) = old[i];
}

static void note_tensor(Uses *uses, const Tensor *tensor)
{
  if (uses->count * 2 >= uses->capacity)
    grow_uses(uses);
  Use *use = find_use(uses, tensor);
  uses->count += !use->tensor;
  uint32_t first = use->tensor ? use->first_block : uses->block;
  *use = (Use){tensor, first, uses->block, uses->instr};
}

static void note_access(Uses *uses, const Access *access)
{
  switch (access->ctor) {
  case Access_simple: note_tensor(uses, access->simple); break;
  case Access_basic: note_tensor(uses, access->basic->tensor); break;
  case Access_pattern: note_tensor(uses, access->pattern->tensor); break;
  default:
    note_tensor(uses, access->view->tensor);
    if (access->view->scalar_offset && access->view->scalar_offset->ctor == ScalarOffset_acc)
      note_access(uses, &access->view->scalar_offset->acc);
    if (access->view->vector_offset)
      note_access(uses, access->view->vector_offset);
  }
}

static bool note_operand(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field;
  (void)role;
  if (ref->ctor == TensorRef_abstract)
    note_access(context, &ref->abstract);
  return true;
}

// For each block the one after the outermost loop around it, or the block itself outside of loops.
static uint32_t *loop_ends(Sim *sim, const Core_LIST_BLOCK *blocks, const Map *labels)
{
  uint32_t *ends = arena_array(&sim->arena, uint32_t, blocks->count + 1);
  for (uint32_t b = 0; b <= blocks->count; b++)
    ends[b] = b;
  for (uint32_t b = 0; b < blocks->count; b++)
    for (uint32_t i = 0; i < blocks->items[b]->body.count; i++) {
      const Op *op = blocks->items[b]->body.items[i]->op;
      if (op->kind != OP_cmp_branch)
        continue;
      const char *targets[] = {op->cmp_branch.true_label, op->cmp_branch.false_label};
      for (int t = 0; t < 2; t++) {
        const uint32_t *target = map_get(labels, str_from(targets[t]));
        for (uint32_t inside = target ? *target : b + 1; inside <= b; inside++)
          ends[inside] = ends[inside] > b + 1 ? ends[inside] : b + 1;
      }
    }
  for (uint32_t b = blocks->count; b-- > 0;)  // a loop may end inside another
    while (ends[b] != b && ends[ends[b]] != ends[b])
      ends[b] = ends[ends[b]];
  return ends;
}

static bool has_own_memory(const Tensor *tensor)
{
  const Address *address = tensor->address;
  return !address->is_shared && address->memory != MEMORY_SHARED_HBM && address->memory != MEMORY_REG &&
         !(address->par_offset.some && address->free_offset.some);
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

// The later of two moments.
static void postpone(Release *release, uint32_t block, uint32_t instr)
{
  if (block > release->block || (block == release->block && instr > release->instr)) {
    release->block = block;
    release->instr = instr;
  }
}

// The PSUM tensors that are used in loops only; those of one address count together.
static void find_renewals(Sim *sim, const Uses *uses, const uint32_t *ends, Lifetimes *lifetimes)
{
  Map by_address = map_new(&sim->arena);
  lifetimes->renewals = arena_array(&sim->arena, Renewal, uses->count);
  for (size_t i = 0; i < uses->capacity; i++) {
    const Use *use = &uses->slots[i];
    if (!use->tensor || use->tensor->address->memory != MEMORY_PSUM || ends[use->first_block] == use->first_block)
      continue;
    Str name = str_from(use->tensor->address->name);
    Renewal *renewal = map_get(&by_address, name);
    if (!renewal) {
      renewal = &lifetimes->renewals[lifetimes->renewal_count++];
      *renewal = (Renewal){use->tensor, use->first_block, use->block};
      map_set(&by_address, name, renewal);
    }
    renewal->first = renewal->first < use->first_block ? renewal->first : use->first_block;
    renewal->last = renewal->last > use->block ? renewal->last : use->block;
  }
}

Lifetimes lifetimes_of(Sim *sim, const Core_LIST_BLOCK *blocks, const Map *labels)
{
  Uses uses = {.arena = &sim->arena};
  for (uses.block = 0; uses.block < blocks->count; uses.block++) {
    const Block *block = blocks->items[uses.block];
    for (uses.instr = 0; uses.instr < block->body.count; uses.instr++)
      (void)op_visit_tensors(block->body.items[uses.instr]->op, note_operand, &uses);
  }
  const uint32_t *ends = loop_ends(sim, blocks, labels);
  Lifetimes lifetimes = {.releases = arena_array(&sim->arena, Release, uses.count)};
  Map by_address = map_new(&sim->arena);
  for (size_t i = 0; i < uses.capacity; i++) {
    const Use *use = &uses.slots[i];
    if (!use->tensor || !has_own_memory(use->tensor))
      continue;
    Str name = str_from(use->tensor->address->name);
    bool in_loop = ends[use->block] != use->block;
    uint32_t at_block = ends[use->block], at_instr = in_loop ? 0 : use->instr + 1;
    Release *release = map_get(&by_address, name);
    if (release) {
      postpone(release, at_block, at_instr);
      continue;
    }
    release = &lifetimes.releases[lifetimes.count++];
    *release = (Release){at_block, at_instr, use->tensor->address->name};
    map_set(&by_address, name, release);
  }
  find_renewals(sim, &uses, ends, &lifetimes);
  qsort(lifetimes.releases, lifetimes.count, sizeof(Release), compare_releases);
  return lifetimes;
}
