// place_kernel.c -- a placement written into the kernel: every tile gets its address.

#include "machine/place.h"

#include "base/map.h"

typedef struct Placer {
  Map tiles;  // address name -> PlacedTile
} Placer;

// Addresses are constant once a kernel is built, but for its owner, who asked for this.
static void give_address(const Placer *placer, const Tensor *tensor)
{
  Address *address = (Address *)(uintptr_t)tensor->address;
  if ((address->memory != MEMORY_SBUF && address->memory != MEMORY_PSUM) || address_is_placed(address))
    return;
  const PlacedTile *tile = map_get(&placer->tiles, str_from(address->name));
  if (!tile)
    return;
  address->par_offset = (Core_OPT_NAT){true, tile->first_row};
  address->free_offset = (Core_OPT_NAT){true, tile->first_byte};
}

static void place_access(const Placer *placer, const Access *access)
{
  switch (access->ctor) {
  case Access_simple: give_address(placer, access->simple); return;
  case Access_basic: give_address(placer, access->basic->tensor); return;
  case Access_pattern: give_address(placer, access->pattern->tensor); return;
  default: break;
  }
  const View *view = access->view;
  give_address(placer, view->tensor);
  if (view->scalar_offset && view->scalar_offset->ctor == ScalarOffset_acc)
    place_access(placer, &view->scalar_offset->acc);
  if (view->vector_offset)
    place_access(placer, view->vector_offset);
}

static bool place_operand(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field;
  (void)role;
  if (ref->ctor == TensorRef_abstract)
    place_access(context, &ref->abstract);
  return true;
}

static void note_tiles(Placer *placer, MemoryMap *map)
{
  for (uint32_t i = 0; i < map->count; i++)
    map_set(&placer->tiles, str_from(map->tiles[i].range->tensor->address->name), &map->tiles[i]);
}

bool place_kernel(Session *session, const Machine *machine, const Kernel *kernel)
{
  if (!machine_check_memory(session, machine, kernel))
    return false;
  Arena arena = session_arena(session), scratch = session_arena(session);
  for (uint32_t core = 0; core < kernel->bodies.count; core++) {
    const Core_LIST_BLOCK *blocks = &kernel->bodies.items[core];
    Placement placement = place_core(&arena, &scratch, machine, blocks);
    Placer placer = {map_new(&scratch)};
    note_tiles(&placer, &placement.sbuf);
    note_tiles(&placer, &placement.psum);
    for (uint32_t b = 0; b < blocks->count; b++)
      for (uint32_t i = 0; i < blocks->items[b]->body.count; i++)
        (void)op_visit_tensors(blocks->items[b]->body.items[i]->op, place_operand, &placer);
  }
  arena_free(&scratch);
  arena_free(&arena);
  return true;
}
