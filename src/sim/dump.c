#include "sim/dump.h"

#include "sim/diff_go.h"

#include <string.h>

typedef struct Dumped {
  const Tensor *tensor;
  uint64_t last;  // the instruction that wrote it last
} Dumped;

typedef struct Dump {
  Go go;
  Map by_name;  // Dumped
  DumpSave *save;
  void *context;
  bool ok;
} Dump;

static bool is_on_chip(const Tensor *tensor)
{
  return tensor->address->memory == MEMORY_SBUF || tensor->address->memory == MEMORY_PSUM;
}

static void note_writes(Sim *sim, void *context)
{
  Dump *dump = context;
  Observed tiles[OBSERVE_MOST];
  uint32_t count = observe_tiles(sim, sim->instr, true, tiles);
  for (uint32_t i = 0; i < count; i++) {
    const Tensor *tensor = tiles[i].tile.view->tensor;
    if (is_on_chip(tensor) && sim->core->number != 0)
      continue;
    Dumped *dumped = map_get(&dump->by_name, str_from(tensor->name));
    if (!dumped) {
      dumped = arena_new(&dump->go.session->arena, Dumped);
      map_set(&dump->by_name, str_from(tensor->name), dumped);
    }
    *dumped = (Dumped){tensor, dump->go.number};
  }
}

static void copy_tensor(Sim *sim, const Tensor *tensor, Array *array)
{
  Tile tile = observe_tensor(sim, tensor);
  uint32_t rank = 1 + tensor->shape.free_dims.count;
  uint64_t *shape = arena_array(&sim->scratch, uint64_t, rank);
  shape[0] = tensor->shape.par_dim;
  for (uint32_t i = 1; i < rank; i++)
    shape[i] = tensor->shape.free_dims.items[i - 1];
  *array = array_new(tile.dtype, rank, shape);
  if (!array->data)
    arena_exhausted(&sim->scratch);
  uint64_t count = tile.partitions * tile.free_elems;
  for (uint64_t at = 0; at < count; at++) {
    uint64_t p = at / tile.free_elems, e = at % tile.free_elems;
    uint8_t *to = (uint8_t *)array->data + at * tile.item;
    if (observe_is_written(&tile, p, e))
      memcpy(to, tile_element(&tile, p, e), tile.item);
    else if (dtype_is_float(tile.dtype))
      dtype_from_f32(tile.dtype, f32_from_bits(F32_NAN_BITS), to);
  }
}

static void save_due(Sim *sim, void *context)
{
  Dump *dump = context;
  for (size_t i = 0; i < dump->by_name.count && dump->ok; i++) {
    const Dumped *dumped = dump->by_name.entries[i].value;
    if (dumped->last != dump->go.number)
      continue;
    Array array;
    copy_tensor(sim, dumped->tensor, &array);
    dump->ok = dump->save(dump->context, dumped->tensor, &array);
    array_free(&array);
  }
}

static bool walk(Dump *dump, SimWork *work)
{
  bool ok = go_begin(&dump->go);
  while (ok && dump->ok && go_step(&dump->go)) {
    ArenaMark mark = arena_mark(&dump->go.sim->scratch);
    ok = sim_guard(dump->go.sim, work, dump);
    arena_rewind(&dump->go.sim->scratch, mark);
  }
  ok = ok && go_finish(&dump->go);
  go_abandon(&dump->go);
  return ok && dump->ok;
}

bool dump_tensors(const DiffSide *side, DumpSave *save, void *context)
{
  Dump dump = {.go = go_of(side), .by_name = map_new(&side->session->arena), .save = save, .context = context, .ok = true};
  Session *session = side->session;
  size_t told = session->diags.count, warnings = session->warning_count;
  bool ok = walk(&dump, note_writes) && walk(&dump, save_due);
  if (ok) {  // warnings of runs that were only made to look
    session->diags.count = told;
    session->warning_count = warnings;
  }
  return ok;
}
