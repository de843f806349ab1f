// tile.c -- views resolved to memory, and rows read and written.

#include "sim/tile.h"

#include "sim/psum.h"
#include "sim/races.h"
#include "sim/tenancy.h"

#include "base/bug.h"
#include "number/convert.h"
#include "sim/kernels/kernels.h"
#include "sim/unwritten.h"

#include <inttypes.h>
#include <string.h>

// ---- resolving
static uint64_t free_elements(const Tensor *tensor)
{
  uint64_t count = 1;
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    count *= tensor->shape.free_dims.items[i];
  return count;
}

// The dtype that a view's elements are stored as. Bits of a float that is kept unrounded cannot be read as another
// kind.
static DType stored_dtype(Sim *sim, const View *view)
{
  DType stored = state_stored_dtype(sim, view->tensor->dtype);
  if (!view->dtype_override.some)
    return stored;
  DType override = view->dtype_override.value;
  if (stored == view->tensor->dtype)
    return override;
  if (dtype_bytes(override) == dtype_bytes(view->tensor->dtype) && state_stored_dtype(sim, override) == stored)
    return stored;
  sim_error(sim, E_SIM_DTYPE, "`%s` is %s and cannot be read as %s while narrow floats are not rounded",
            view->tensor->name, dtype_name(view->tensor->dtype), dtype_name(override));
  sim_stop(sim);
}

void tile_label_tensor(Diag *diag, const View *view)
{
  const Tensor *tensor = view->tensor;
  if (tensor->pos)
    diag_label(diag, tensor->pos->span, "`%s`, %s, was made here", tensor->name, dtype_name(tensor->dtype));
}

static _Noreturn void fail_bounds(Sim *sim, const View *view, const char *role, int64_t element, uint64_t size)
{
  Diag *diag =
      sim_error(sim, E_SIM_BOUNDS, "operand `%s` of `%s` reaches element %" PRId64 " of `%s`, which has %" PRIu64, role,
                sim_op_name(sim), element, view->tensor->name, size);
  tile_label_tensor(diag, view);
  diag_help(diag, "check the offset and the [step, count] pairs of the access");
  sim_stop(sim);
}

// Dimensions [first, pattern.count) of the view into `tile`, steps in bytes of `item`.
static void add_dims(Sim *sim, Tile *tile, const View *view, uint32_t first)
{
  for (uint32_t i = first; i < view->pattern.count; i++) {
    const ApPair *pair = &view->pattern.items[i];
    int64_t step = (int64_t)pair->step * tile->item;
    tile->free_elems *= pair->num;
    if (pair->num == 1)
      continue;
    TileDim *last = tile->rank ? &tile->dims[tile->rank - 1] : NULL;
    if (last && last->step == step * (int64_t)pair->num) {
      last->step = step;
      last->count *= pair->num;
      continue;
    }
    if (tile->rank == SIM_MAX_DIMS) {
      sim_error(sim, E_SIM_SHAPE, "operand `%s` of `%s` has more than %d dimensions", tile->role, sim_op_name(sim),
                SIM_MAX_DIMS);
      sim_stop(sim);
    }
    tile->dims[tile->rank++] = (TileDim){step, pair->num};
  }
  tile->is_row_contiguous = tile->rank == 0 || (tile->rank == 1 && tile->dims[0].step == tile->item);
}

static void resolve_linear(Sim *sim, Tile *tile, const View *view, int64_t extra, uint64_t start, uint64_t elements)
{
  int64_t low, high, first = (int64_t)view->offset + extra;
  if (view_extent(view, &low, &high) && (low + extra < 0 || high + extra >= (int64_t)elements))
    fail_bounds(sim, view, tile->role, low + extra < 0 ? low + extra : high + extra, elements);
  tile->base = tile->buffer->data + start + first * tile->item;
  tile->partitions = view->pattern.count ? view->pattern.items[0].num : 1;
  tile->partition_step = view->pattern.count ? (int64_t)view->pattern.items[0].step * tile->item : 0;
}

static void resolve_rows(Sim *sim, Tile *tile, const View *view, int64_t extra, uint64_t start, uint64_t row_elems)
{
  const Tensor *tensor = view->tensor;
  const ApPair none = {0, 1, 0}, *par = view->pattern.count ? &view->pattern.items[0] : &none;
  int64_t size = (int64_t)row_elems, first = (int64_t)view->offset + extra, low = 0, high = 0;
  if (size <= 0 || first < 0)
    fail_bounds(sim, view, tile->role, first, tensor->shape.par_dim * row_elems);
  int64_t row = first / size, column = first % size;
  if (par->num > 1 && par->step % size != 0) {
    sim_error(sim, E_SIM_KERNEL,
              "operand `%s` of `%s`: the partition step %" PRId32 " is not a multiple of the %" PRId64
              " elements of a partition of `%s`",
              tile->role, sim_op_name(sim), par->step, size, tensor->name);
    sim_stop(sim);
  }
  int64_t row_step = par->step / size, last_row = row + row_step * ((int64_t)par->num - 1);
  for (uint32_t i = 1; i < view->pattern.count; i++) {
    const ApPair *pair = &view->pattern.items[i];
    int64_t reach = (int64_t)pair->step * ((int64_t)pair->num - 1);
    *(reach < 0 ? &low : &high) += reach;
  }
  int64_t partitions = (int64_t)tensor->shape.par_dim;
  if (row >= partitions || last_row < 0 || last_row >= partitions) {
    Diag *diag =
        sim_error(sim, E_SIM_BOUNDS, "operand `%s` of `%s` reaches partition %" PRId64 " of `%s`, which has %" PRId64,
                  tile->role, sim_op_name(sim), row >= partitions ? row : last_row, tensor->name, partitions);
    tile_label_tensor(diag, view);
    sim_stop(sim);
  }
  if (column + low < 0 || column + high >= size) {
    Diag *diag =
        sim_error(sim, E_SIM_BOUNDS,
                  "operand `%s` of `%s` reaches element %" PRId64 " of a partition of `%s`, which has %" PRId64,
                  tile->role, sim_op_name(sim), column + low < 0 ? column + low : column + high, tensor->name, size);
    tile_label_tensor(diag, view);
    sim_stop(sim);
  }
  uint64_t stride = tile->buffer->row_stride;
  tile->base = tile->buffer->data + start + (uint64_t)row * stride + (uint64_t)column * tile->item;
  tile->partitions = par->num;
  tile->partition_step = row_step * (int64_t)stride;
}

// Elements of the stored dtype of a row of the view's tensor.
static uint64_t row_elements(Sim *sim, const View *view, const TensorPlace *place)
{
  return free_elements(view->tensor) * dtype_bytes(place->dtype) / dtype_bytes(stored_dtype(sim, view));
}

uint64_t tile_row_room(Sim *sim, const View *view)
{
  uint64_t row = row_elements(sim, view, state_place(sim, view->tensor));
  return row ? row - view->offset % row : 0;
}

Tile tile_of_view(Sim *sim, const View *view, const char *role, int64_t extra_elems)
{
  const TensorPlace *place = state_place(sim, view->tensor);
  Tile tile;
  tile.view = view;
  tile.role = role;
  tile.buffer = place->buffer;
  tile.dtype = stored_dtype(sim, view);
  tile.item = dtype_bytes(tile.dtype);
  tile.rank = 0;
  tile.free_elems = 1;
  tile.rows = NULL;
  uint64_t row_elems = row_elements(sim, view, place);
  if (place->buffer->memory == MEMORY_SBUF || place->buffer->memory == MEMORY_PSUM)
    resolve_rows(sim, &tile, view, extra_elems, place->start, row_elems);
  else
    resolve_linear(sim, &tile, view, extra_elems, place->start, row_elems * view->tensor->shape.par_dim);
  add_dims(sim, &tile, view, 1);
  return tile;
}

int64_t tile_run_time_index(Sim *sim, const ScalarOffset *offset)
{
  if (offset->ctor == ScalarOffset_reg)
    return (int32_t)state_read_register(sim, offset->reg)->bits;
  const View *view = access_view(&sim->scratch, &offset->acc);
  Tile tile = tile_of_view(sim, view, "scalar_offset", 0);
  tile_check_written(sim, &tile);
  int64_t value = 0;
  if (!dtype_is_integer(tile.dtype))
    return (int64_t)dtype_to_f32(tile.dtype, tile.base);
  memcpy(&value, tile.base, tile.item);  // little-endian
  unsigned unused = 64 - 8 * tile.item;
  return dtype_is_signed_integer(tile.dtype) ? (int64_t)((uint64_t)value << unused) >> unused : value;
}

static const View *view_of(Sim *sim, const TensorRef *ref, const char *role)
{
  const View *view = ref_view(&sim->scratch, ref);
  if (view)
    return view;
  sim_error(sim, E_SIM_UNSUPPORTED, "operand `%s` of `%s` is a form of access that cannot be run yet", role,
            sim_op_name(sim));
  sim_stop(sim);
}

uint64_t tile_index_elems(Sim *sim, const View *view)
{
  const Shape *shape = &view->tensor->shape;
  uint64_t count = 1;
  for (uint32_t i = view->indirect_dim > 0 ? (uint32_t)view->indirect_dim : 0; i < shape->free_dims.count; i++)
    count *= shape->free_dims.items[i];
  if (!view->dtype_override.some)
    return count;
  uint64_t bytes = count * dtype_bytes(view->tensor->dtype), item = dtype_bytes(view->dtype_override.value);
  if (bytes % item == 0)
    return bytes / item;
  sim_error(sim, E_SIM_DTYPE, "a run-time index of `%s` counts %" PRIu64 " bytes, which is no number of %s elements",
            view->tensor->name, bytes, dtype_name(view->dtype_override.value));
  sim_stop(sim);
}

static Tile resolve(Sim *sim, const TensorRef *ref, const char *role, bool is_result)
{
  const View *view = view_of(sim, ref, role);
  if (view->vector_offset)
    return indirect_tile(sim, view, role, is_result);
  int64_t extra = 0;
  if (view->scalar_offset)
    extra = tile_run_time_index(sim, view->scalar_offset) * (int64_t)tile_index_elems(sim, view);
  return tile_of_view(sim, view, role, extra);
}

Tile tile_of(Sim *sim, const TensorRef *ref, const char *role)
{
  return resolve(sim, ref, role, true);
}

Tile tile_operand(Sim *sim, const TensorRef *ref, const char *role)
{
  return resolve(sim, ref, role, false);
}

Tile tile_read(Sim *sim, const TensorRef *ref, const char *role)
{
  Tile tile = tile_operand(sim, ref, role);
  tile_check_written(sim, &tile);
  return tile;
}

Memory tile_memory(const Tile *tile)
{
  return tile->buffer->memory;
}

// ---- walking
uint8_t *tile_row(const Tile *tile, uint64_t partition)
{
  if (tile->rows)
    return tile->rows[partition] == UINT64_MAX ? NULL : tile->base + tile->rows[partition];
  return tile->base + (int64_t)partition * tile->partition_step;
}

static int64_t element_offset(const Tile *tile, uint64_t elem)
{
  int64_t offset = 0;
  for (uint32_t i = tile->rank; i-- > 0;) {
    offset += (int64_t)(elem % tile->dims[i].count) * tile->dims[i].step;
    elem /= tile->dims[i].count;
  }
  return offset;
}

uint8_t *tile_element(const Tile *tile, uint64_t partition, uint64_t elem)
{
  return tile_row(tile, partition) + element_offset(tile, elem);
}

// Innermost pieces of elements [start, start + n) of a row, one after the other.
typedef struct Walk {
  const Tile *tile;
  uint64_t index[SIM_MAX_DIMS];
  int64_t offset;  // bytes from the row
  uint64_t left;  // elements
} Walk;

static Walk walk_from(const Tile *tile, uint64_t start, uint64_t n)
{
  Walk walk;
  walk.tile = tile;
  walk.offset = 0;
  walk.left = n;
  for (uint32_t i = tile->rank; i-- > 0;) {
    walk.index[i] = start % tile->dims[i].count;
    start /= tile->dims[i].count;
    walk.offset += (int64_t)walk.index[i] * tile->dims[i].step;
  }
  return walk;
}

// Elements of the next piece, which lie dims[rank - 1].step apart from `*offset` on; 0 at the end.
static uint64_t walk_next(Walk *walk, int64_t *offset)
{
  const Tile *tile = walk->tile;
  if (!walk->left)
    return 0;
  *offset = walk->offset;
  if (!tile->rank) {
    uint64_t n = walk->left;
    walk->left = 0;
    return n;
  }
  uint32_t last = tile->rank - 1;
  const TileDim *dim = &tile->dims[last];
  uint64_t n = dim->count - walk->index[last];
  if (n > walk->left)
    n = walk->left;
  walk->left -= n;
  walk->index[last] += n;
  walk->offset += (int64_t)n * dim->step;
  for (uint32_t i = last; i > 0 && walk->index[i] == tile->dims[i].count; i--) {
    walk->index[i] = 0;
    walk->offset += tile->dims[i - 1].step - (int64_t)tile->dims[i].count * tile->dims[i].step;
    walk->index[i - 1]++;
  }
  return n;
}

static int64_t inner_step(const Tile *tile)
{
  return tile->rank ? tile->dims[tile->rank - 1].step : tile->item;
}

// ---- what was written
static uint64_t buffer_offset(const Tile *tile, uint64_t partition)
{
  return (uint64_t)(tile_row(tile, partition) - tile->buffer->data);
}

void tile_each_run(const Tile *tile, uint64_t partition, uint64_t count, TileRunFn *visit, void *context)
{
  Walk walk = walk_from(tile, 0, count);
  uint64_t row = buffer_offset(tile, partition), n;
  int64_t at, step = inner_step(tile);
  while ((n = walk_next(&walk, &at))) {
    uint64_t from = row + (uint64_t)at;
    if (step == tile->item)
      visit(context, from, n * tile->item);
    for (uint64_t i = 0; i < n && step != tile->item; i++)
      visit(context, from + (uint64_t)((int64_t)i * step), tile->item);
  }
}

void tile_each_row_run(const Tile *tile, TileRunFn *visit, void *context)
{
  uint64_t bytes = tile->free_elems * tile->item;
  bool is_plain = !tile->rows && tile->is_row_contiguous, is_one = !tile->buffer->watch && !tile->buffer->owners;
  if (is_plain && is_one && tile->partition_step == (int64_t)bytes && tile->partitions) {
    visit(context, buffer_offset(tile, 0), tile->partitions * bytes);
    return;
  }
  for (uint64_t p = 0; p < tile->partitions; p++) {
    if (is_plain)
      visit(context, buffer_offset(tile, p), bytes);
    else if (tile_row(tile, p))
      tile_each_run(tile, p, tile->free_elems, visit, context);
  }
}

// The first of the row's first `count` elements that was not written.
static bool find_hole(const Tile *tile, uint64_t partition, uint64_t count, uint64_t *elem)
{
  Walk walk = walk_from(tile, 0, count);
  uint64_t row = buffer_offset(tile, partition), n, done = 0;
  int64_t at, step = inner_step(tile);
  while ((n = walk_next(&walk, &at))) {
    uint64_t from = row + (uint64_t)at;
    if (step == tile->item) {
      uint64_t hole = buffer_find_unwritten(tile->buffer, from, n * tile->item);
      if (hole != UINT64_MAX) {
        *elem = done + (hole - from) / tile->item;
        return true;
      }
    } else {
      uint64_t times = step ? n : 1;
      for (uint64_t i = 0; i < times; i++)
        if (buffer_find_unwritten(tile->buffer, from + (uint64_t)((int64_t)i * step), tile->item) != UINT64_MAX) {
          *elem = done + i;
          return true;
        }
    }
    done += n;
  }
  return false;
}

// Of the element's first byte that was not written.
static uint64_t hole_offset(const Tile *tile, uint64_t partition, uint64_t elem)
{
  uint64_t start = (uint64_t)(tile_element(tile, partition, elem) - tile->buffer->data);
  return buffer_find_unwritten(tile->buffer, start, tile->item);
}

static _Noreturn void fail_unwritten(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem)
{
  const char *index = tile_index_text(sim, tile, partition, elem);
  Diag *diag = sim_error(sim, E_SIM_UNINITIALISED, "`%s` reads element %s of its operand `%s`, which was never written",
                         sim_op_name(sim), index, tile->role);
  diag_note(diag, "the operand is a view of `%s`, %s", tile->view->tensor->name, dtype_name(tile->view->tensor->dtype));
  tile_label_tensor(diag, tile->view);
  unwritten_explain(diag, tile->buffer);
  if (tile->buffer->watch)
    diag_help(diag, "if another core writes it, let both pass `nisa.core_barrier(data=%.*s, cores=(0, 1))` in between",
              (int)strcspn(tile->view->tensor->name, "."), tile->view->tensor->name);
  else
    diag_help(diag, "write it first, for example with `nisa.memset`");
  sim_stop(sim);
}

// Whether anybody wants to know what is read or written.
static bool is_noted(const Buffer *buffer)
{
  return buffer->written || buffer->watch || buffer->owners;
}

typedef struct Reading {
  Sim *sim;
  const Tile *tile;
} Reading;

static void note_run(void *context, uint64_t start, uint64_t bytes)
{
  const Reading *reading = context;
  if (reading->tile->buffer->watch)
    races_read(reading->tile->buffer, start, bytes);
  if (reading->tile->buffer->owners)
    tenancy_read(reading->sim, reading->tile, start, bytes);
}

static void note_read(Sim *sim, const Tile *tile, uint64_t partition, uint64_t count)
{
  Reading reading = {sim, tile};
  tile_each_run(tile, partition, count, note_run, &reading);
}

bool tile_check_row(Sim *sim, const Tile *tile, uint64_t partition, uint64_t count)
{
  uint64_t elem;
  if (!count || (tile->rows && tile->rows[partition] == UINT64_MAX))
    return true;
  if (tile->buffer->watch || tile->buffer->owners)
    note_read(sim, tile, partition, count);
  if (!tile->buffer->written || !sim->options.checks || !find_hole(tile, partition, count, &elem))
    return true;
  if (tenancy_adopt(sim, tile, hole_offset(tile, partition, elem)) && !find_hole(tile, partition, count, &elem))
    return true;
  if (!sim->session->lenient && unwritten_travels(sim, tile, partition, elem))
    return true;
  if (!state_forgives_unwritten(sim))
    fail_unwritten(sim, tile, partition, elem);
  sim_warning(sim, W_SIM_UNINITIALISED, "`%s` reads element %s of its operand `%s`, which was never written",
              sim_op_name(sim), tile_index_text(sim, tile, partition, elem), tile->role);
  return false;
}

void tile_check_written(Sim *sim, const Tile *tile)
{
  for (uint64_t p = 0; p < tile->partitions && is_noted(tile->buffer); p++)
    if (!tile_check_row(sim, tile, p, tile->free_elems))
      return;
}

bool tile_is_written(const Tile *tile)
{
  uint64_t elem;
  for (uint64_t p = 0; p < tile->partitions && tile->buffer->written; p++)
    if (find_hole(tile, p, tile->free_elems, &elem))
      return false;
  return true;
}

static void mark_run(void *context, uint64_t start, uint64_t bytes)
{
  const Tile *tile = context;
  buffer_mark(tile->buffer, start, bytes);
  if (tile->buffer->owners)
    tenancy_write(tile, start, bytes);
}

static void mark_row(const Tile *tile, uint64_t partition)
{
  if (is_noted(tile->buffer) && tile_row(tile, partition))
    tile_each_run(tile, partition, tile->free_elems, mark_run, (void *)(uintptr_t)tile);
}

void tile_mark_row(const Tile *tile, uint64_t partition)
{
  mark_row(tile, partition);
  if (tile->buffer->memory == MEMORY_PSUM)
    psum_note_other(tile);
}

void tile_mark(const Tile *tile)
{
  if (is_noted(tile->buffer))
    tile_each_row_run(tile, mark_run, (void *)(uintptr_t)tile);
  if (tile->buffer->memory == MEMORY_PSUM)
    psum_note_other(tile);
}

void tile_mark_product(const Tile *tile)
{
  if (is_noted(tile->buffer))
    tile_each_row_run(tile, mark_run, (void *)(uintptr_t)tile);
  if (tile->buffer->plain)
    psum_note_product(tile);
}

// ---- overlap
typedef struct ByteRange {
  int64_t low, high;  // inclusive
} ByteRange;

static ByteRange free_range(const Tile *tile)
{
  ByteRange range = {0, tile->item - 1};
  for (uint32_t i = 0; i < tile->rank; i++) {
    int64_t reach = tile->dims[i].step * ((int64_t)tile->dims[i].count - 1);
    *(reach < 0 ? &range.low : &range.high) += reach;
  }
  return range;
}

// Partitions and rows folded into one linear range of bytes of the buffer.
static ByteRange whole_range(const Tile *tile)
{
  ByteRange range = free_range(tile);
  int64_t start = tile->base - tile->buffer->data, first = INT64_MAX, last = INT64_MIN;
  for (uint64_t i = 0; tile->rows && i < tile->partitions; i++)
    if (tile->rows[i] != UINT64_MAX) {
      first = (int64_t)tile->rows[i] < first ? (int64_t)tile->rows[i] : first;
      last = (int64_t)tile->rows[i] > last ? (int64_t)tile->rows[i] : last;
    }
  if (!tile->rows) {
    int64_t reach = tile->partition_step * ((int64_t)tile->partitions - 1);
    first = reach < 0 ? reach : 0, last = reach < 0 ? 0 : reach;
  }
  return first > last ? (ByteRange){0, -1} : (ByteRange){range.low + start + first, range.high + start + last};
}

static bool ranges_meet(ByteRange a, ByteRange b)
{
  return a.low <= a.high && b.low <= b.high && a.low <= b.high && b.low <= a.high;
}

static bool is_same(const Tile *a, const Tile *b)
{
  if (a->base != b->base || a->item != b->item || a->partitions != b->partitions || a->rank != b->rank ||
      (a->partitions > 1 && !a->rows && a->partition_step != b->partition_step) || !a->rows != !b->rows)
    return false;
  for (uint64_t p = 0; a->rows && p < a->partitions; p++)
    if (a->rows[p] != b->rows[p])
      return false;
  for (uint32_t i = 0; i < a->rank; i++)
    if (a->dims[i].step != b->dims[i].step || a->dims[i].count != b->dims[i].count)
      return false;
  return true;
}

// Whether bytes of rows of `a` and `b` meet, rows starting at `a_start` and `b_start`; exact, through a map of a's
// bytes.
static bool rows_meet(Sim *sim, const Tile *a, int64_t a_start, const Tile *b, int64_t b_start)
{
  ByteRange range = free_range(a), other = free_range(b);
  range = (ByteRange){range.low + a_start, range.high + a_start};
  other = (ByteRange){other.low + b_start, other.high + b_start};
  if (!ranges_meet(range, other) || !a->free_elems || !b->free_elems)
    return false;
  ArenaMark mark = arena_mark(&sim->scratch);
  Buffer map = {.written = arena_alloc(&sim->scratch, (size_t)((range.high - range.low) / 64 + 2) * 8),
                .unwritten_bytes = UINT64_MAX};
  Walk walk = walk_from(a, 0, a->free_elems);
  uint64_t n;
  int64_t at, step = inner_step(a);
  while ((n = walk_next(&walk, &at)))
    for (uint64_t i = 0; i < n; i++)
      buffer_mark(&map, (uint64_t)(a_start + at + (int64_t)i * step - range.low), a->item);
  bool meet = false;
  walk = walk_from(b, 0, b->free_elems);
  step = inner_step(b);
  while (!meet && (n = walk_next(&walk, &at)))
    for (uint64_t i = 0; i < n && !meet; i++) {
      int64_t from = b_start + at + (int64_t)i * step;
      for (int64_t byte = from; byte < from + b->item && !meet; byte++)
        meet = byte >= range.low && byte <= range.high &&
               buffer_find_written(&map, (uint64_t)(byte - range.low), 1) != UINT64_MAX;
    }
  arena_rewind(&sim->scratch, mark);
  return meet;
}

// The partition as one more dimension of a single row; false when there is no room.
static bool fold_partitions(Tile *tile)
{
  if (tile->rank == SIM_MAX_DIMS)
    return false;
  memmove(tile->dims + 1, tile->dims, tile->rank * sizeof *tile->dims);
  tile->dims[0] = (TileDim){tile->partition_step, tile->partitions};
  tile->rank++;
  tile->free_elems *= tile->partitions;
  tile->partitions = 1;
  return true;
}

// On chip: rows in the same partition meet when their bytes in it do. Without offsets of their own all rows begin at the same byte.
static bool lanes_meet(Sim *sim, const Tile *a, const Tile *b)
{
  int64_t stride = (int64_t)a->buffer->row_stride, a_tried = -1, b_tried = -1;
  for (uint64_t i = 0; i < a->partitions; i++)
    for (uint64_t j = 0; j < b->partitions; j++) {
      const uint8_t *x = tile_row(a, i), *y = tile_row(b, j);
      if (!x || !y)
        continue;
      int64_t x_start = x - a->buffer->data, y_start = y - b->buffer->data;
      if (x_start / stride != y_start / stride || (x_start % stride == a_tried && y_start % stride == b_tried))
        continue;
      a_tried = x_start % stride, b_tried = y_start % stride;
      if (rows_meet(sim, a, a_tried, b, b_tried))
        return true;
      if (!a->rows && !b->rows)
        return false;
    }
  return false;
}

TileRelation tile_relation(Sim *sim, const Tile *a, const Tile *b)
{
  if (a->buffer != b->buffer)
    return TILE_DISJOINT;
  if (is_same(a, b))
    return TILE_SAME;
  if (!ranges_meet(whole_range(a), whole_range(b)))
    return TILE_DISJOINT;
  Memory memory = a->buffer->memory;
  if (memory == MEMORY_SBUF || memory == MEMORY_PSUM)
    return lanes_meet(sim, a, b) ? TILE_OVERLAP : TILE_DISJOINT;
  Tile x = *a, y = *b;
  if (a->rows || b->rows || !fold_partitions(&x) || !fold_partitions(&y))
    return TILE_OVERLAP;
  return rows_meet(sim, &x, a->base - a->buffer->data, &y, b->base - b->buffer->data) ? TILE_OVERLAP : TILE_DISJOINT;
}

// ---- checks
void tile_expect_shape(Sim *sim, const Tile *tile, uint64_t partitions, uint64_t free_elems)
{
  if (tile->partitions == partitions && tile->free_elems == free_elems)
    return;
  sim_error(sim, E_SIM_SHAPE,
            "operand `%s` of `%s` has %" PRIu64 " partitions x %" PRIu64 " elements, expected %" PRIu64 " x %" PRIu64,
            tile->role, sim_op_name(sim), tile->partitions, tile->free_elems, partitions, free_elems);
  sim_stop(sim);
}

void tile_expect_same_shape(Sim *sim, const Tile *dst, const Tile *src)
{
  if (dst->partitions == src->partitions && dst->free_elems == src->free_elems)
    return;
  sim_error(sim, E_SIM_SHAPE,
            "operands of `%s` have different shapes: `%s` is %" PRIu64 " x %" PRIu64 ", `%s` is %" PRIu64 " x %" PRIu64,
            sim_op_name(sim), dst->role, dst->partitions, dst->free_elems, src->role, src->partitions, src->free_elems);
  sim_stop(sim);
}

void tile_expect_partitions(Sim *sim, const Tile *tile, uint64_t partitions)
{
  if (tile->partitions == partitions)
    return;
  sim_error(sim, E_SIM_SHAPE, "operand `%s` of `%s` has %" PRIu64 " partitions, expected %" PRIu64, tile->role,
            sim_op_name(sim), tile->partitions, partitions);
  sim_stop(sim);
}

void tile_expect_lanes(Sim *sim, const Tile *tile)
{
  if (tile->partitions > SIM_MAX_PARTITIONS)
    tile_expect_partitions(sim, tile, SIM_MAX_PARTITIONS);
}

void tile_expect_elements(Sim *sim, const Tile *tile, uint64_t least)
{
  if (tile->free_elems >= least && tile->free_elems > 0)
    return;
  sim_error(sim, E_SIM_SHAPE, "operand `%s` of `%s` has %" PRIu64 " elements per partition, fewer than %" PRIu64,
            tile->role, sim_op_name(sim), tile->free_elems, least ? least : 1);
  sim_stop(sim);
}

void tile_expect_unpacked(Sim *sim, const Tile *tile)
{
  if (!dtype_is_packed(tile->dtype))
    return;
  Diag *diag = sim_error(sim, E_SIM_DTYPE, "operand `%s` of `%s` is %s, which cannot be computed with", tile->role,
                         sim_op_name(sim), dtype_name(tile->dtype));
  tile_label_tensor(diag, tile->view);
  diag_help(diag, "packed tiles are moved with `nisa.dma_copy` and multiplied with `nisa.nc_matmul_mx`");
  sim_stop(sim);
}

const char *tile_index_text(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem)
{
  uint32_t rank = tile->view->pattern.count;
  uint64_t index[64];
  if (rank > 64)
    rank = 64;
  for (uint32_t i = rank; i-- > 1;) {
    uint64_t count = tile->view->pattern.items[i].num;
    index[i] = count ? elem % count : 0;
    elem = count ? elem / count : 0;
  }
  StrBuf text = strbuf_new(&sim->session->arena);
  strbuf_printf(&text, "[%" PRIu64, partition);
  for (uint32_t i = 1; i < rank; i++)
    strbuf_printf(&text, ", %" PRIu64, index[i]);
  strbuf_putc(&text, ']');
  return strbuf_cstr(&text);
}

// ---- rows

// Pieces of a walk, at once as many as lie at equal distances: `outer` times `inner` elements.
typedef struct Run {
  uint64_t outer, inner;
  int64_t at, outer_step, inner_step;  // bytes
} Run;

static bool walk_run(Walk *walk, Run *run)
{
  const Tile *tile = walk->tile;
  if (!walk->left)
    return false;
  *run = (Run){.outer = 1, .inner_step = inner_step(tile)};
  uint32_t last = tile->rank - 1;
  uint64_t count = tile->rank ? tile->dims[last].count : walk->left;
  if (tile->rank < 2 || walk->index[last] || walk->left < 2 * count) {
    run->inner = walk_next(walk, &run->at);
    return true;
  }
  const TileDim *above = &tile->dims[last - 1];
  uint64_t room = above->count - walk->index[last - 1], wanted = walk->left / count;
  run->at = walk->offset;
  run->inner = count;
  run->outer = wanted < room ? wanted : room;
  run->outer_step = above->step;
  walk->left -= run->outer * count;
  walk->index[last - 1] += run->outer;
  walk->offset += (int64_t)run->outer * above->step;
  for (uint32_t i = last - 1; i > 0 && walk->index[i] == tile->dims[i].count; i--) {
    walk->index[i] = 0;
    walk->offset += tile->dims[i - 1].step - (int64_t)tile->dims[i].count * tile->dims[i].step;
    walk->index[i - 1]++;
  }
  return true;
}

// Whether elements that lie `step` bytes apart are whole elements apart, as the kernels count.
static bool is_whole(const Tile *tile, int64_t step)
{
  return step % tile->item == 0;
}

// Columns of a matrix whose rows lie `inner_step` apart.
static bool is_turned(const Tile *tile, const Run *run)
{
  return run->outer_step == tile->item && run->inner_step > tile->item && is_whole(tile, run->inner_step) &&
         run->outer > 1;
}

void tile_gather(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, void *out)
{
  const uint8_t *row = tile_row(tile, partition);
  uint8_t *to = out;
  if (tile->is_row_contiguous) {
    memcpy(to, row + start * tile->item, n * tile->item);
    return;
  }
  Walk walk = walk_from(tile, start, n);
  uint32_t item = tile->item;
  for (Run run; walk_run(&walk, &run); to += run.outer * run.inner * item) {
    if (is_turned(tile, &run)) {
      kernel_transpose(item, run.inner, run.outer, to, run.inner, row + run.at, (size_t)(run.inner_step / item));
      continue;
    }
    kernel_gather(item, run.outer, run.inner, to, row + run.at, run.outer_step / item, run.inner_step / item);
  }
}

void tile_scatter(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, const void *in)
{
  uint8_t *row = tile_row(tile, partition);
  const uint8_t *from = in;
  if (tile->is_row_contiguous) {
    memcpy(row + start * tile->item, from, n * tile->item);
    return;
  }
  Walk walk = walk_from(tile, start, n);
  uint32_t item = tile->item;
  for (Run run; walk_run(&walk, &run); from += run.outer * run.inner * item) {
    if (is_turned(tile, &run)) {
      kernel_transpose(item, run.outer, run.inner, row + run.at, (size_t)(run.inner_step / item), from, run.inner);
      continue;
    }
    kernel_scatter(item, run.outer, run.inner, row + run.at, run.outer_step / item, run.inner_step / item, from);
  }
}

// Elements of a row as they lie, or gathered into `units`.
static const uint8_t *row_units(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, uint8_t *units)
{
  if (tile->is_row_contiguous)
    return tile_row(tile, partition) + start * tile->item;
  tile_gather(tile, partition, start, n, units);
  return units;
}

const float *tile_row_f32(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, float *scratch,
                          NumberMode mode)
{
  uint8_t units[TILE_PIECE * 8];
  if (tile->dtype != DTYPE_FLOAT32 || mode.flush_to_zero) {
    convert_row_to_f32(tile->dtype, n, scratch, row_units(tile, partition, start, n, units), mode);
    return scratch;
  }
  const uint8_t *raw = row_units(tile, partition, start, n, (uint8_t *)scratch);
  return (uintptr_t)raw % sizeof(float) ? memcpy(scratch, raw, n * sizeof(float)) : (const float *)(const void *)raw;
}

void tile_row_to_f32(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, float *to, NumberMode mode)
{
  const float *values = tile_row_f32(tile, partition, start, n, to, mode);
  if (values != to)
    memcpy(to, values, n * sizeof *to);
}

void tile_store(const Tile *tile, uint64_t partition, uint64_t start, uint64_t n, const float *from, NumberMode mode)
{
  if (tile->is_row_contiguous) {
    convert_row_from_f32(tile->dtype, n, tile_row(tile, partition) + start * tile->item, from, mode);
    return;
  }
  uint8_t units[TILE_PIECE * 8];
  convert_row_from_f32(tile->dtype, n, units, from, mode);
  tile_scatter(tile, partition, start, n, units);
}
