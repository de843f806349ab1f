#include "sim/tenancy.h"

#include "sim/bitmap.h"
#include "sim/cores.h"

#include <inttypes.h>
#include <stdlib.h>

// Which of the overlapping tensors wrote each byte last; 0: none of them.
struct Owners {
  const Overlaps *overlaps;
  uint16_t *of_byte;
};

// ---- which tensors overlap

static bool share_bytes(const LiveRange *a, const LiveRange *b)
{
  const Address *x = a->tensor->address, *y = b->tensor->address;
  return x->memory == y->memory && x->par_offset.value < y->par_offset.value + b->rows &&
         y->par_offset.value < x->par_offset.value + a->rows && x->free_offset.value < y->free_offset.value + b->row_bytes &&
         y->free_offset.value < x->free_offset.value + a->row_bytes;
}

// Two tensors that are one tile written down twice.
static bool are_alike(const Tensor *a, const Tensor *b)
{
  const Shape *x = &a->shape, *y = &b->shape;
  if (a->dtype != b->dtype || x->par_dim != y->par_dim || x->free_dims.count != y->free_dims.count ||
      a->address->par_offset.value != b->address->par_offset.value ||
      a->address->free_offset.value != b->address->free_offset.value)
    return false;
  for (uint32_t i = 0; i < x->free_dims.count; i++)
    if (x->free_dims.items[i] != y->free_dims.items[i])
      return false;
  return true;
}

static void note_overlap(Sim *sim, Overlaps *overlaps, uint32_t most, const Tensor *tensor)
{
  uint64_t key = (uint64_t)(uintptr_t)tensor;
  if (map_get_number(&overlaps->numbers, key) || overlaps->count == UINT16_MAX - 1)
    return;
  if (!overlaps->tensors)
    overlaps->tensors = arena_array(&sim->arena, const Tensor *, (size_t)most + 1);
  overlaps->tensors[++overlaps->count] = tensor;
  map_set_number(&overlaps->numbers, key, (void *)(uintptr_t)overlaps->count);
}

static int compare_starts(const void *a, const void *b)
{
  const LiveRange *x = *(const LiveRange *const *)a, *y = *(const LiveRange *const *)b;
  return x->first < y->first ? -1 : x->first > y->first;
}

const Overlaps *tenancy_overlaps(Sim *sim, const Liveness *liveness)
{
  ArenaMark mark = arena_mark(&sim->scratch);
  const LiveRange **placed = arena_array(&sim->scratch, const LiveRange *, liveness->count);
  const LiveRange **live = arena_array(&sim->scratch, const LiveRange *, liveness->count);
  uint32_t count = 0, live_count = 0;
  for (uint32_t i = 0; i < liveness->count; i++)
    if (address_is_placed(liveness->ranges[i].tensor->address))
      placed[count++] = &liveness->ranges[i];
  if (count)
    qsort(placed, count, sizeof *placed, compare_starts);
  Overlaps *overlaps = arena_new(&sim->arena, Overlaps);
  overlaps->numbers = map_new(&sim->arena);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < live_count; k++) {
      if (live[k]->last < placed[i]->first)
        continue;
      live[kept++] = live[k];
      if (!share_bytes(live[k], placed[i]) || are_alike(live[k]->tensor, placed[i]->tensor))
        continue;
      note_overlap(sim, overlaps, count, live[k]->tensor);
      note_overlap(sim, overlaps, count, placed[i]->tensor);
    }
    live_count = kept;
    live[live_count++] = placed[i];
  }
  arena_rewind(&sim->scratch, mark);
  return overlaps->count ? overlaps : NULL;
}

// ---- one after the other

static void retire(Buffer *buffer, uint64_t start, uint64_t bytes)
{
  buffer->written = buffer->bitmap;
  for (uint64_t w = start / 64; bytes && w <= (start + bytes - 1) / 64; w++) {
    uint64_t old = buffer->written[w] & bitmap_word(w, start, start + bytes);
    buffer->stale[w] |= old;
    buffer->written[w] &= ~old;
    buffer->unwritten_bytes += (uint64_t)__builtin_popcountll(old);
  }
}

static void need_memory(Sim *sim, const void *block, uint64_t bytes)
{
  if (block)
    return;
  sim_error(sim, E_SIM_MEMORY, "no memory to follow who wrote what, %.1f MiB", (double)bytes / (1 << 20));
  sim_stop(sim);
}

static void need_owners(Sim *sim, Buffer *buffer, const Overlaps *overlaps)
{
  if (buffer->owners)
    return;
  struct Owners *owners = arena_new(&sim->arena, struct Owners);
  owners->overlaps = overlaps;
  owners->of_byte = calloc(buffer->bytes, sizeof *owners->of_byte);
  need_memory(sim, owners->of_byte, buffer->bytes * sizeof *owners->of_byte);
  buffer->owners = owners;
}

void tenancy_begin(Sim *sim, TensorPlace *place, uint64_t row_bytes)
{
  Buffer *buffer = place->buffer;
  const Tensor *tensor = place->tensor;
  const Overlaps *overlaps = cores_overlaps(sim->core);
  place->begun = sim->core->step_count;
  if (!buffer->stale) {
    uint64_t words = buffer->bytes / 64 + 1;
    buffer->stale = calloc(words, sizeof *buffer->stale);
    need_memory(sim, buffer->stale, words * sizeof *buffer->stale);
  }
  if (overlaps)
    need_owners(sim, buffer, overlaps);
  for (uint64_t row = 0; row < tensor->shape.par_dim; row++) {
    uint64_t start = place->start + row * buffer->row_stride;
    retire(buffer, start, row_bytes);
    if (buffer->plain)
      bitmap_clear(buffer->plain, start, row_bytes);
    if (buffer->owners && map_get_number(&overlaps->numbers, (uint64_t)(uintptr_t)tensor))
      memset(&buffer->owners->of_byte[start], 0, row_bytes * sizeof *buffer->owners->of_byte);
  }
}

static uint64_t bytes_of_row(const TensorPlace *place)
{
  return tensor_bytes(place->tensor) / place->tensor->shape.par_dim;
}

// The other tensor that began last of those with the byte at `offset`, or NULL.
static const TensorPlace *latest_tenant(const Sim *sim, const Tile *tile, uint64_t offset)
{
  const Core *core = sim->core;
  const TensorPlace *latest = NULL;
  uint64_t stride = tile->buffer->row_stride, row = offset / stride, column = offset % stride;
  for (size_t i = 0; i < core->place_capacity; i++) {
    const TensorPlace *place = &core->places[i];
    if (!place->tensor || place->buffer != tile->buffer || place->tensor == tile->view->tensor ||
        (latest && latest->begun >= place->begun))
      continue;
    uint64_t first_row = place->start / stride, first_column = place->start % stride;
    if (row >= first_row && row < first_row + place->tensor->shape.par_dim && column >= first_column &&
        column < first_column + bytes_of_row(place))
      latest = place;
  }
  return latest;
}

static void warn(Sim *sim, const Tile *tile, const Tensor *other, uint64_t offset)
{
  const Tensor *tensor = tile->view->tensor;
  uint64_t a = tensor->pos ? tensor->pos->span.start + (uint64_t)tensor->pos->span.source * 4099 : (uintptr_t)tensor,
           b = other->pos ? other->pos->span.start + (uint64_t)other->pos->span.source * 4099 : (uintptr_t)other;
  uint64_t key = (a * UINT64_C(0x9E3779B97F4A7C15) ^ b) * UINT64_C(0xC2B2AE3D27D4EB4F) | UINT64_C(1) << 63;
  if (map_get_number(&sim->told, key))
    return;
  map_set_number(&sim->told, key, sim);
  uint64_t stride = tile->buffer->row_stride;
  Diag *diag = sim_warning(sim, W_MEMORY_OTHER, "`%s` reads bytes of `%s` that were last written as `%s`", sim_op_name(sim),
                           tensor->name, other->name);
  if (!diag)
    return;
  tile_label_tensor(diag, tile->view);
  if (other->pos)
    diag_label(diag, other->pos->span, "`%s`, %s, was made here", other->name, dtype_name(other->dtype));
  diag_note(diag, "the first of them is byte %" PRIu64 " of partition %" PRIu64 " of %s; `%s` lies at (%" PRIu64 ", %" PRIu64
            "), `%s` at (%" PRIu64 ", %" PRIu64 ")", offset % stride, offset / stride,
            tile->buffer->memory == MEMORY_PSUM ? "PSUM" : "SBUF", tensor->name, tensor->address->par_offset.value,
            tensor->address->free_offset.value, other->name, other->address->par_offset.value,
            other->address->free_offset.value);
  diag_help(diag, "give the two addresses that do not overlap while both are in use; where the same bytes are meant, "
                  "read them through a view of the tensor that was written");
}

static void adopt_run(void *context, uint64_t start, uint64_t bytes)
{
  Buffer *buffer = context;
  for (uint64_t w = start / 64; bytes && w <= (start + bytes - 1) / 64; w++) {
    if (!buffer->written)
      return;
    uint64_t left = buffer->stale[w] & ~buffer->written[w] & bitmap_word(w, start, start + bytes);
    buffer->written[w] |= left;
    buffer->stale[w] &= ~left;
    buffer->unwritten_bytes -= (uint64_t)__builtin_popcountll(left);
    if (!buffer->unwritten_bytes)
      buffer->written = NULL;
  }
}

bool tenancy_adopt(Sim *sim, const Tile *tile, uint64_t offset)
{
  Buffer *buffer = tile->buffer;
  if (!buffer->stale || bitmap_find(buffer->stale, offset, 1) == UINT64_MAX)
    return false;
  const TensorPlace *other = latest_tenant(sim, tile, offset);
  uint64_t begun = state_place(sim, tile->view->tensor)->begun;
  // What began later, or begins with this very instruction, has not written the byte: it is still the reader's own.
  if (other && other->begun < begun && !are_alike(other->tensor, tile->view->tensor))
    warn(sim, tile, other->tensor, offset);
  for (uint64_t p = 0; p < tile->partitions; p++)
    if (tile_row(tile, p))
      tile_each_run(tile, p, tile->free_elems, adopt_run, buffer);
  return true;
}

// ---- at once

static uintptr_t number_of(const Tile *tile)
{
  return (uintptr_t)map_get_number(&tile->buffer->owners->overlaps->numbers, (uint64_t)(uintptr_t)tile->view->tensor);
}

void tenancy_write(const Tile *tile, uint64_t start, uint64_t bytes)
{
  uintptr_t number = number_of(tile);
  for (uint64_t i = start; number && i < start + bytes; i++)
    tile->buffer->owners->of_byte[i] = (uint16_t)number;
}

void tenancy_read(Sim *sim, const Tile *tile, uint64_t start, uint64_t bytes)
{
  uintptr_t number = number_of(tile);
  const struct Owners *owners = tile->buffer->owners;
  for (uint64_t i = start; number && i < start + bytes; i++) {
    uint16_t owner = owners->of_byte[i];
    if (!owner || owner == number || are_alike(owners->overlaps->tensors[owner], tile->view->tensor))
      continue;
    warn(sim, tile, owners->overlaps->tensors[owner], i);
    return;
  }
}

void tenancy_free(Buffer *buffer)
{
  free(buffer->stale);
  if (buffer->owners)
    free(buffer->owners->of_byte);
}
