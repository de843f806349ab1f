// liveness.c -- live ranges of tensors over blocks and loops.

#include "core/liveness.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define NO_LOOP UINT32_MAX

// Blocks [start, end], the first being what the last jumps back to.
typedef struct Loop {
  uint32_t start, end;
  uint32_t parent;  // index, NO_LOOP outside
} Loop;

// What decides whether a loop starts a tensor anew; beside each range.
typedef struct Writes {
  bool first_reads, first_writes;  // what the first instruction that uses it does
  bool first_is_whole;             // it writes all elements
  bool is_dynamic;                 // some write goes to an element known at run time only
  uint32_t last_block;             // of writes
} Writes;

// A tensor and its range; several tensors may share an address, and so a range.
typedef struct Known {
  const Tensor *tensor;
  uint32_t range;
} Known;

// Open addressing. Of tensors a free one is NULL, of addresses 0, else 1 + a range's number.
typedef struct TensorTable {
  Known *slots;
  size_t count, capacity;
} TensorTable;

typedef struct AddressTable {
  uint32_t *slots;
  size_t count, capacity;
} AddressTable;

typedef struct Finder {
  Arena *arena, *scratch;
  const Core_LIST_BLOCK *blocks;
  TensorTable by_tensor;
  AddressTable by_address;
  Known recent;
  Vec(LiveRange) ranges;  // while they are found, in scratch
  Vec(Writes) writes;
  Vec(Loop) loops;
  uint32_t *inner_loop;      // of each block the innermost
  uint32_t (*jumps)[2];      // of each block the blocks it may jump to
  uint32_t block, number;    // being looked at
  const Op *op;
} Finder;

// ---- uses

// Tensors that are used one after the other mostly have ids so: slots of four of them are kept together. Longer runs
// without a free slot would be walked by others to their end.
static Known *find_tensor(const Finder *f, const Tensor *tensor)
{
  uint64_t key = tensor->id ? tensor->id : (uintptr_t)tensor >> 4;
  uint64_t hash = ((key >> 2) * UINT64_C(0x9E3779B97F4A7C15) >> 32) << 2 | (key & 3);
  size_t mask = f->by_tensor.capacity - 1, at = (size_t)hash & mask;
  while (f->by_tensor.slots[at].tensor && f->by_tensor.slots[at].tensor != tensor)
    at = (at + 1) & mask;
  return &f->by_tensor.slots[at];
}

static uint32_t *find_address(const Finder *f, const char *name)
{
  size_t mask = f->by_address.capacity - 1, at = (size_t)str_hash(str_from(name)) & mask;
  while (f->by_address.slots[at] &&
         strcmp(f->ranges.items[f->by_address.slots[at] - 1].tensor->address->name, name) != 0)
    at = (at + 1) & mask;
  return &f->by_address.slots[at];
}

static size_t more_slots(size_t capacity)
{
  return capacity ? capacity * 2 : 256;
}

static void add_tensor(Finder *f, const Tensor *tensor, uint32_t range)
{
  TensorTable *table = &f->by_tensor, old = *table;
  if (table->count++ * 2 >= table->capacity) {
    table->capacity = more_slots(old.capacity);
    table->slots = arena_array(f->scratch, Known, table->capacity);
    for (size_t i = 0; i < old.capacity; i++)
      if (old.slots[i].tensor)
        *find_tensor(f, old.slots[i].tensor) = old.slots[i];
  }
  *find_tensor(f, tensor) = (Known){tensor, range};
}

static void add_address(Finder *f, const char *name, uint32_t slot)
{
  AddressTable *table = &f->by_address, old = *table;
  if (table->count++ * 2 >= table->capacity) {
    table->capacity = more_slots(old.capacity);
    table->slots = arena_array(f->scratch, uint32_t, table->capacity);
    for (size_t i = 0; i < old.capacity; i++)
      if (old.slots[i])
        *find_address(f, f->ranges.items[old.slots[i] - 1].tensor->address->name) = old.slots[i];
  }
  *find_address(f, name) = slot;
}

// The range of a tensor that is seen for the first time.
static uint32_t new_tensor(Finder *f, const Tensor *tensor)
{
  const char *name = tensor->address->name;
  uint32_t known = f->by_address.capacity ? *find_address(f, name) : 0;
  if (known) {
    add_tensor(f, tensor, known - 1);
    return known - 1;
  }
  vec_push(f->scratch, &f->ranges, (LiveRange){.tensor = tensor, .first_use = f->number, .first_block = f->block});
  vec_push(f->scratch, &f->writes, (Writes){0});
  known = (uint32_t)f->ranges.count;
  add_tensor(f, tensor, known - 1);
  add_address(f, name, known);
  return known - 1;
}

static void note_size(LiveRange *range, const Tensor *tensor)
{
  bool on_chip = tensor->address->memory == MEMORY_SBUF || tensor->address->memory == MEMORY_PSUM;
  uint64_t rows = on_chip && tensor->shape.par_dim ? tensor->shape.par_dim : 1, bytes = tensor_bytes(tensor) / rows;
  range->rows = range->rows > rows ? range->rows : (uint32_t)rows;
  range->row_bytes = range->row_bytes > bytes ? range->row_bytes : bytes;
}

static uint32_t range_of(Finder *f, const Tensor *tensor)
{
  if (f->recent.tensor == tensor)
    return f->recent.range;
  Known known = f->by_tensor.capacity ? *find_tensor(f, tensor) : (Known){0};
  if (!known.tensor) {
    known = (Known){tensor, new_tensor(f, tensor)};
    note_size(&f->ranges.items[known.range], tensor);
  }
  f->recent = known;
  return known.range;
}

// Whether an access is to all elements of its tensor, in order.
static bool is_whole(const Access *access)
{
  if (access->ctor == Access_simple)
    return true;
  if (access->ctor != Access_view || access->view->offset || access->view->scalar_offset || access->view->vector_offset)
    return false;
  const View *view = access->view;
  int64_t step = 1;
  for (uint32_t i = view->pattern.count; i-- > 0;) {
    if (view->pattern.items[i].num != 1 && view->pattern.items[i].step != step)
      return false;
    if (__builtin_mul_overflow(step, (int64_t)view->pattern.items[i].num, &step))
      return false;
  }
  return (uint64_t)step * dtype_bytes(view_dtype(view)) == tensor_bytes(view->tensor);
}

static void note_use(Finder *f, const Access *access, const Tensor *tensor, bool reads, bool writes)
{
  uint32_t at = range_of(f, tensor);
  LiveRange *range = &f->ranges.items[at];
  Writes *its = &f->writes.items[at];
  if (f->number == range->first_use) {
    its->first_reads |= reads;
    its->first_writes |= writes;
    its->first_is_whole |= writes && is_whole(access);
  }
  if (writes) {
    its->last_block = f->block;
    its->is_dynamic |= access->ctor == Access_view && (access->view->scalar_offset || access->view->vector_offset);
  }
  range->last_use = f->number;
  range->last_block = f->block;
}

static void note_access(Finder *f, const Access *access, bool reads, bool writes)
{
  switch (access->ctor) {
  case Access_simple: note_use(f, access, access->simple, reads, writes); return;
  case Access_basic: note_use(f, access, access->basic->tensor, reads, writes); return;
  case Access_pattern: note_use(f, access, access->pattern->tensor, reads, writes); return;
  default: break;
  }
  const View *view = access->view;
  if (view->scalar_offset && view->scalar_offset->ctor == ScalarOffset_acc)
    note_access(f, &view->scalar_offset->acc, true, false);
  if (view->vector_offset)
    note_access(f, view->vector_offset, true, false);
  note_use(f, access, view->tensor, reads, writes);
}

// A matrix product that comes first in an iteration starts its sum, whatever the one before left.
static bool adds_to_nothing(const Op *op)
{
  return op->kind == OP_nc_matmul || op->kind == OP_nc_matmul_mx;
}

static bool note_operand(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field;
  Finder *f = context;
  bool updates = role == ROLE_UPDATE;
  if (ref->ctor == TensorRef_abstract)
    note_access(f, &ref->abstract, updates ? !adds_to_nothing(f->op) : role != ROLE_WRITE,
                updates || role == ROLE_WRITE);
  return true;
}

static void note_instructions(Finder *f, Liveness *liveness)
{
  for (f->block = 0; f->block < f->blocks->count; f->block++) {
    const Block *block = f->blocks->items[f->block];
    liveness->block_start[f->block] = f->number;
    for (uint32_t i = 0; i < block->body.count; i++, f->number++) {
      f->op = block->body.items[i]->op;
      (void)op_visit_tensors(f->op, note_operand, f);
    }
  }
  liveness->block_start[f->blocks->count] = f->number;
}

// ---- loops

static int compare_loops(const void *a, const void *b)
{
  const Loop *x = a, *y = b;
  if (x->start != y->start)
    return x->start < y->start ? -1 : 1;
  return x->end > y->end ? -1 : x->end < y->end;
}

static void find_jumps(Finder *f)
{
  Map labels = map_new(f->scratch);
  uint32_t count = f->blocks->count;
  f->jumps = arena_alloc_array(f->scratch, count, sizeof *f->jumps);
  for (uint32_t b = 0; b < count; b++)
    map_set(&labels, str_from(f->blocks->items[b]->label), (void *)(uintptr_t)(b + 1));
  for (uint32_t b = 0; b < count; b++) {
    const Block *block = f->blocks->items[b];
    f->jumps[b][0] = f->jumps[b][1] = b + 1;
    for (uint32_t i = 0; i < block->body.count; i++) {
      const Op *op = block->body.items[i]->op;
      if (op->kind != OP_cmp_branch)
        continue;
      const char *names[] = {op->cmp_branch.true_label, op->cmp_branch.false_label};
      for (int t = 0; t < 2; t++) {
        uintptr_t target = (uintptr_t)map_get(&labels, str_from(names[t]));
        if (!target)
          continue;
        f->jumps[b][t] = (uint32_t)target - 1;
        if (target - 1 <= b)
          vec_push(f->scratch, &f->loops, (Loop){(uint32_t)target - 1, b, NO_LOOP});
      }
    }
  }
}

// Makes the loops nest: each has a parent that contains it or none.
static void nest_loops(Finder *f)
{
  uint32_t kept = 0, top = NO_LOOP;
  f->inner_loop = arena_array(f->scratch, uint32_t, f->blocks->count);
  for (uint32_t b = 0; b < f->blocks->count; b++)
    f->inner_loop[b] = NO_LOOP;
  if (f->loops.count)
    qsort(f->loops.items, f->loops.count, sizeof(Loop), compare_loops);
  for (size_t i = 0; i < f->loops.count; i++) {
    Loop loop = f->loops.items[i];
    while (top != NO_LOOP && f->loops.items[top].end < loop.start)
      top = f->loops.items[top].parent;
    if (top == NO_LOOP || loop.end <= f->loops.items[top].end) {
      f->loops.items[kept] = (Loop){loop.start, loop.end, top};
      top = kept++;
      continue;
    }
    for (uint32_t at = top; at != NO_LOOP && f->loops.items[at].end < loop.end; at = f->loops.items[at].parent)
      f->loops.items[at].end = loop.end;
  }
  f->loops.count = kept;
  for (uint32_t i = 0; i < kept; i++)
    for (uint32_t b = f->loops.items[i].start; b <= f->loops.items[i].end; b++)
      f->inner_loop[b] = i;
}

static uint32_t outermost(const Finder *f, uint32_t loop)
{
  while (loop != NO_LOOP && f->loops.items[loop].parent != NO_LOOP)
    loop = f->loops.items[loop].parent;
  return loop;
}

// Whether a jump inside of `loop` may pass `block` by. Leaving the loop does not count.
static bool may_be_skipped(const Finder *f, const Loop *loop, uint32_t block)
{
  for (uint32_t b = loop->start; b < block; b++)
    for (int t = 0; t < 2; t++)
      if (f->jumps[b][t] > block && f->jumps[b][t] <= loop->end)
        return true;
  return false;
}

// Whether no iteration of `loop`, which has all uses of the range, sees what the one before left there. `inner` is the
// outermost loop around the first use that does not have all of them, or NO_LOOP.
static bool is_rebuilt(const Finder *f, uint32_t range, uint32_t loop, uint32_t inner)
{
  const LiveRange *it = &f->ranges.items[range];
  const Writes *its = &f->writes.items[range];
  if (!its->first_writes || its->first_reads)
    return false;
  if (it->first_block == it->last_block)
    return its->first_is_whole || !its->is_dynamic;
  uint32_t entry = inner == NO_LOOP ? it->first_block : f->loops.items[inner].start;
  if (may_be_skipped(f, &f->loops.items[loop], entry) ||
      (inner != NO_LOOP && may_be_skipped(f, &f->loops.items[inner], it->first_block)))
    return false;
  return its->first_is_whole || (!its->is_dynamic && its->last_block == it->first_block);
}

// Stretches a range over the loops that need it.
static void stretch(Finder *f, const Liveness *liveness, uint32_t at)
{
  LiveRange *range = &f->ranges.items[at];
  const Loop *loops = f->loops.items;
  range->first = range->first_use;
  range->last = range->last_use;
  uint32_t around = f->inner_loop[range->first_block], before = NO_LOOP, after = NO_LOOP;
  for (; around != NO_LOOP && loops[around].end < range->last_block; around = loops[around].parent)
    before = around;
  for (uint32_t l = f->inner_loop[range->last_block]; l != NO_LOOP && loops[l].start > range->first_block;
       l = loops[l].parent)
    after = l;
  if (before != NO_LOOP)
    range->first = liveness->block_start[loops[before].start];
  if (after != NO_LOOP)
    range->last = liveness->block_start[loops[after].end + 1] - 1;
  if (around == NO_LOOP)
    return;
  range->is_rebuilt = is_rebuilt(f, at, around, before);
  if (range->is_rebuilt)
    return;
  around = outermost(f, around);
  range->first = liveness->block_start[loops[around].start];
  range->last = liveness->block_start[loops[around].end + 1] - 1;
}

// ---- all of it

Liveness liveness_of(Arena *arena, Arena *scratch, const Core_LIST_BLOCK *blocks)
{
  ArenaMark mark = arena_mark(scratch);
  Finder f = {.arena = arena, .scratch = scratch, .blocks = blocks};
  Liveness liveness = {.block_count = blocks->count};
  liveness.block_start = arena_array(arena, uint32_t, (size_t)blocks->count + 1);
  liveness.loop_end = arena_array(arena, uint32_t, (size_t)blocks->count + 1);
  note_instructions(&f, &liveness);
  find_jumps(&f);
  nest_loops(&f);
  for (uint32_t b = 0; b <= blocks->count; b++) {
    uint32_t loop = b < blocks->count ? outermost(&f, f.inner_loop[b]) : NO_LOOP;
    liveness.loop_end[b] = loop == NO_LOOP ? b : f.loops.items[loop].end + 1;
  }
  liveness.ranges = arena_array(arena, LiveRange, f.ranges.count);
  for (uint32_t i = 0; i < f.ranges.count; i++) {
    stretch(&f, &liveness, i);
    if (f.ranges.items[i].tensor->address->memory != MEMORY_REG)
      liveness.ranges[liveness.count++] = f.ranges.items[i];
  }
  arena_rewind(scratch, mark);
  return liveness;
}

const Instr *liveness_instr(const Liveness *liveness, const Core_LIST_BLOCK *blocks, uint32_t number, uint32_t *block)
{
  uint32_t low = 0, high = liveness->block_count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (liveness->block_start[middle] <= number)
      low = middle;
    else
      high = middle;
  }
  if (block)
    *block = low;
  return blocks->items[low]->body.items[number - liveness->block_start[low]];
}
