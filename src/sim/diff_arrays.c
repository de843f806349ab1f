// diff_arrays.c -- a run held against arrays that were computed elsewhere.

#include "sim/diff_go.h"

#include "core/nki_names.h"
#include "number/convert.h"

#include <inttypes.h>
#include <string.h>

// ---- which tensor an array is of

typedef struct Named {
  const NamedArray *given;
  const Tensor *tensor;  // NULL: none
  uint64_t last;         // the instruction that wrote it last; 0: none
  uint32_t core;
  DiffResult *result;
} Named;

typedef struct Finding {
  Arena *arena;
  Str name;
  const Tensor *exact, *near;
  bool several;  // tensors NAME.N, of different names
} Finding;

static void consider(Finding *finding, const Tensor *tensor)
{
  Str name = str_from(tensor->name);
  if (str_equal(name, finding->name)) {
    finding->exact = finding->exact ? finding->exact : tensor;
    return;
  }
  bool is_numbered = name.len > finding->name.len + 1 && memcmp(name.data, finding->name.data, finding->name.len) == 0 &&
                     name.data[finding->name.len] == '.' &&
                     strspn(name.data + finding->name.len + 1, "0123456789") == name.len - finding->name.len - 1;
  if (!is_numbered)
    return;
  finding->several = finding->several || (finding->near && strcmp(finding->near->name, tensor->name) != 0);
  finding->near = finding->near ? finding->near : tensor;
}

static bool consider_operand(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field, (void)role;
  Finding *finding = context;
  const View *view = ref_view(finding->arena, ref);
  if (view)
    consider(finding, view->tensor);
  return true;
}

static const Tensor *find_tensor(Session *session, const Kernel *kernel, const char *name, const char **why)
{
  Finding finding = {.arena = &session->arena, .name = str_from(name)};
  for (uint32_t i = 0; i < kernel->outputs.count; i++)
    consider(&finding, kernel->outputs.items[i]);
  for (uint32_t i = 0; i < kernel->inputs.count; i++)
    consider(&finding, kernel->inputs.items[i]);
  for (uint32_t c = 0; c < kernel->bodies.count; c++)
    for (uint32_t i = 0; i < kernel->bodies.items[c].count; i++) {
      const Block *block = kernel->bodies.items[c].items[i];
      for (uint32_t j = 0; j < block->body.count; j++)
        op_visit_tensors(block->body.items[j]->op, consider_operand, &finding);
    }
  if (!finding.exact && finding.several)
    *why = arena_printf(&session->arena, "several tensors are called `%s`: `%s.1`, ...", name, name);
  else if (!finding.exact && !finding.near)
    *why = "the kernel has no such tensor";
  return finding.exact ? finding.exact : finding.several ? NULL : finding.near;
}

// ---- when each is written for the last time

typedef struct Holding {
  Go go;
  const Tolerance *tolerance;
  DiffReport *report;
  Named *named;
  uint32_t count;
  // Of the first element that differs:
  const Named *first;
  uint64_t first_number;
  Spot spot;
  DiffElement found, wanted;
} Holding;

// Tiles are those of logical core 0.
static bool is_of(const Sim *sim, const Tensor *tensor, const Tile *tile)
{
  const Tensor *other = tile->view->tensor;
  bool on_chip = tile_memory(tile) == MEMORY_SBUF || tile_memory(tile) == MEMORY_PSUM;
  if (on_chip)
    return sim->core->number == 0 && strcmp(tensor->name, other->name) == 0;
  return strcmp(tensor->name, other->name) == 0 || strcmp(tensor->address->name, other->address->name) == 0;
}

static void note_writes(Sim *sim, void *context)
{
  Holding *h = context;
  Observed tiles[OBSERVE_MOST];
  uint32_t count = observe_tiles(sim, sim->instr, true, tiles);
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t n = 0; n < h->count; n++)
      if (h->named[n].tensor && is_of(sim, h->named[n].tensor, &tiles[i].tile)) {
        h->named[n].last = h->go.number;
        h->named[n].core = sim->core->number;
      }
}

static bool find_last_writes(Holding *h)
{
  if (!go_begin(&h->go))
    return false;
  while (go_step(&h->go)) {
    ArenaMark mark = arena_mark(&h->go.sim->scratch);
    if (sim_guard(h->go.sim, note_writes, h))
      arena_rewind(&h->go.sim->scratch, mark);
  }
  h->report->executed[0] = h->go.number;
  bool ok = go_finish(&h->go);
  go_abandon(&h->go);
  return ok;
}

// ---- comparing each then

// The array's elements as the tensor would hold them.
static Array as_stored(Session *session, const Array *given, DType dtype)
{
  Array array = *given;
  if (given->dtype == dtype || !dtype_format(dtype) || dtype_is_packed(given->dtype))
    return array;
  uint64_t count = array_elements(given);
  float *wide = arena_array(&session->arena, float, count);
  array.dtype = dtype;
  array.bytes = count * dtype_bytes(dtype);
  array.data = arena_alloc_array(&session->arena, count, dtype_bytes(dtype));
  convert_row_to_f32(given->dtype, count, wide, given->data, (NumberMode){0});
  convert_row_from_f32(dtype, count, array.data, wide, (NumberMode){0});
  return array;
}

static void hold(Sim *sim, Holding *h, Named *named)
{
  const char *name = named->tensor->name;
  Session *session = h->go.session;
  Tile tile = observe_tensor(sim, named->tensor);
  Array wanted = as_stored(session, &named->given->array, tile.dtype);
  DiffResult *result = named->result;
  result->dtype = tile.dtype;
  uint64_t n = tile.free_elems, count = array_elements(&wanted);
  if (tile.partitions * n != count) {
    result->why = arena_printf(&session->arena, "it has %" PRIu64 " elements, the array %" PRIu64, tile.partitions * n, count);
    return;
  }
  const uint8_t *data = wanted.data;
  for (uint64_t at = 0; at < count; at++)
    if (observe_is_written(&tile, at / n, at % n))
      tally_one(&result->tally, h->tolerance, tile.dtype, tile_element(&tile, at / n, at % n), wanted.dtype,
                data + at * dtype_bytes(wanted.dtype), at);
  if (!result->tally.differing)
    return;
  uint64_t at[] = {result->tally.first, result->tally.worst};
  for (int i = 0; i < 2; i++) {
    DiffElement *to = i ? result->worst : result->first;
    to[0] = tile_element_of(sim, &tile, at[i] / n, at[i] % n);
    to[1] = array_element(session, name, &wanted, at[i]);
  }
  if (h->first)
    return;
  h->first = named;
  h->first_number = h->go.number;
  h->spot = spot_of(sim, &tile, at[0] / n, at[0] % n);
  h->found = result->first[0];
  h->wanted = result->first[1];
}

static void hold_due(Sim *sim, void *context)
{
  Holding *h = context;
  for (uint32_t i = 0; i < h->count; i++)
    if (h->named[i].tensor && h->named[i].last == h->go.number)
      hold(sim, h, &h->named[i]);
}

static bool hold_all(Holding *h)
{
  uint64_t last = 0;
  for (uint32_t i = 0; i < h->count; i++)
    last = h->named[i].last > last ? h->named[i].last : last;
  bool ok = go_begin(&h->go);
  while (ok && h->go.number < last && go_step(&h->go)) {
    ArenaMark mark = arena_mark(&h->go.sim->scratch);
    ok = sim_guard(h->go.sim, hold_due, h);
    arena_rewind(&h->go.sim->scratch, mark);
  }
  go_abandon(&h->go);
  return ok;
}

// ---- who wrote an element

typedef struct Search {
  Go *go;
  Spot spot;
  DiffStep *step;     // of the last that wrote it so far
  const char *field;  // its result
  uint64_t p, e;
} Search;

// Whether an element of the tile's row `p` holds the byte at `offset`.
static bool row_holds(const Tile *tile, uint64_t p, uint64_t offset, uint64_t *e)
{
  const uint8_t *row = tile_row(tile, p), *wanted = tile->buffer->data + offset;
  if (!row)
    return false;
  if (tile->is_row_contiguous) {
    *e = wanted < row ? tile->free_elems : (uint64_t)(wanted - row) / tile->item;
    return *e < tile->free_elems;
  }
  for (*e = 0; *e < tile->free_elems; ++*e) {
    const uint8_t *element = tile_element(tile, p, *e);
    if (wanted >= element && wanted < element + tile->item)
      return true;
  }
  return false;
}

static void note_writer(Sim *sim, void *context)
{
  Search *search = context;
  Observed tiles[OBSERVE_MOST];
  uint32_t count = observe_tiles(sim, sim->instr, true, tiles);
  for (uint32_t i = 0; i < count; i++) {
    const Tile *tile = &tiles[i].tile;
    uint64_t e;
    if (strcmp(tile->buffer->name, search->spot.buffer) != 0 ||
        (!search->spot.is_shared && sim->core->number != search->spot.core))
      continue;
    for (uint64_t p = 0; p < tile->partitions; p++)
      if (row_holds(tile, p, search->spot.offset, &e)) {
        *search->step = (DiffStep){.a = instr_now(search->go, sim->instr)};
        search->step->result = (DiffOperand){.name = field_known_as(sim->instr, tiles[i].field->name), .is_result = true,
                                             .a = tile_element_of(sim, tile, p, e)};
        search->field = tiles[i].field->name;
        search->p = p;
        search->e = e;
      }
  }
}

// The last instruction up to number `last` that wrote there. False when there is none, or after an error.
static bool find_writer(Search *search, uint64_t last)
{
  bool ok = go_begin(search->go);
  while (ok && search->go->number < last && go_step(search->go)) {
    ArenaMark mark = arena_mark(&search->go->sim->scratch);
    ok = sim_guard(search->go->sim, note_writer, search);
    arena_rewind(&search->go->sim->scratch, mark);
  }
  go_abandon(search->go);
  return ok && search->step->a.instr;
}

static void follow(Holding *h, uint32_t most_steps)
{
  DiffReport *report = h->report;
  Session *session = h->go.session;
  size_t told = session->diags.count, warnings = session->warning_count, errors = session->error_count;
  report->chain = arena_array(&session->arena, DiffStep, most_steps + 1);
  uint64_t last = h->first_number;
  Spot spot = h->spot;
  while (report->chain_count <= most_steps && spot.buffer) {
    DiffStep *step = &report->chain[report->chain_count];
    Search search = {.go = &h->go, .spot = spot, .step = step};
    if (!find_writer(&search, last) ||
        !look_at_operands(&h->go, NULL, h->tolerance, search.field, search.p, search.e, step, &spot))
      break;
    report->chain_count++;
    last = step->a.number - 1;
  }
  session->diags.count = told;  // all of it was said before
  session->warning_count = warnings;
  session->error_count = errors;
  report->has_first = report->chain_count > 0;
  if (!report->has_first)
    return;
  report->first = report->chain[0];
  report->first.result.b = h->wanted;
  report->first.result.tally = h->first->result->tally;
  report->chain++;
  report->chain_count--;
}

bool diff_arrays(const DiffSide *a, const NamedArray *arrays, uint32_t count, const Tolerance *tolerance,
                 uint32_t most_steps, DiffReport *report)
{
  Session *session = a->session;
  *report = (DiffReport){0};
  Holding h = {.go = go_of(a), .tolerance = tolerance, .report = report, .count = count};
  h.named = arena_array(&session->arena, Named, count);
  report->results = arena_array(&session->arena, DiffResult, count);
  report->result_count = count;
  for (uint32_t i = 0; i < count; i++) {
    report->results[i].name = arrays[i].name;
    h.named[i] = (Named){.given = &arrays[i], .result = &report->results[i]};
    h.named[i].tensor = find_tensor(session, a->kernel, arrays[i].name, &report->results[i].why);
  }
  if (!find_last_writes(&h))
    return false;
  for (uint32_t i = 0; i < count; i++)
    if (h.named[i].tensor && !h.named[i].last)
      report->results[i].why = "the kernel does not write it";
  if (!hold_all(&h))
    return false;
  for (uint32_t i = 0; i < count; i++)
    report->differs = report->differs || report->results[i].tally.differing ||
                      (report->results[i].why && h.named[i].tensor && h.named[i].last);
  if (h.first)
    follow(&h, most_steps);
  return true;
}
