// indirect.c -- operands on chip whose columns are chosen by an index tensor, from NeuronCore-v4 on.
//
// Such an operand becomes a tile of its own in scratch memory, gathered before the instruction computes and, where it is
// a result, scattered after it: executors see an ordinary tile, and all reading comes before all writing.

#include "sim/exec.h"

#include <inttypes.h>
#include <string.h>

enum { ENGINE_GROUP = 16, TENSOR_ENGINE_GROUP = 32, LEFT_OUT = -1 };

struct IndirectTile {
  IndirectTile *next;
  Tile chosen;       // in scratch memory: partitions x columns
  Tile row;          // in its memory: the first element of each partition that offsets count from
  int64_t *columns;  // of each element of `chosen`: bytes from the first; LEFT_OUT
  bool repeats;      // two of them are equal
};

// Partitions that share one list of offsets.
static uint64_t group_size(const Sim *sim)
{
  return op_engine(sim->instr->op) == ENGINE_PE ? TENSOR_ENGINE_GROUP : ENGINE_GROUP;
}

// Element [row, column] of the index, signed as its dtype says.
static int64_t offset_at(const Tile *index, uint64_t row, uint64_t column)
{
  uint32_t bits = unit_bits(index->dtype, tile_element(index, row, column));
  return dtype_is_signed_integer(index->dtype) ? (int32_t)bits : (int64_t)bits;
}

// Offset i is index[i % G, i // G]. Tells of offsets that the index does not hold, which begin again, and of groups of
// partitions that disagree.
static int64_t read_offset(Sim *sim, const Tile *index, const char *role, uint64_t i)
{
  uint64_t group = group_size(sim), row = i % group, column = i / group;
  if (row >= index->partitions || column >= index->free_elems) {
    sim_unspecified(sim, GAP_INDIRECT_COUNT,
                    "offset %" PRIu64 " of `%s` is [%" PRIu64 ", %" PRIu64 "] of an index of %" PRIu64 " x %" PRIu64, i, role,
                    row, column, index->partitions, index->free_elems);
    group = index->partitions < group ? index->partitions : group;
    row = i % group;
    column = i / group % index->free_elems;
  }
  int64_t offset = offset_at(index, row, column);
  for (uint64_t other = row + group; other < index->partitions; other += group)
    if (offset_at(index, other, column) != offset)
      sim_unspecified(sim, GAP_INDIRECT_GROUPS,
                      "offset %" PRIu64 " of `%s` is %" PRId64 " in partition %" PRIu64 " of the index and %" PRId64
                      " in partition %" PRIu64,
                      i, role, offset, row, offset_at(index, other, column), other);
  return offset;
}

// Where each element lies in its row, which has `room` elements; `repeats` when two lie in one place.
static int64_t *read_columns(Sim *sim, const View *view, const char *role, uint64_t count, uint64_t room, uint32_t item,
                             bool *repeats)
{
  Tile index = tile_of_view(sim, access_view(&sim->scratch, view->vector_offset), "index", 0);
  tile_check_written(sim, &index);
  tile_expect_bits(sim, &index);
  tile_expect_elements(sim, &index, 1);
  int64_t *columns = arena_array(&sim->scratch, int64_t, count);
  bool *taken = arena_array(&sim->scratch, bool, room);
  for (uint64_t i = 0; i < count; i++) {
    int64_t offset = read_offset(sim, &index, role, i);
    bool is_inside = offset >= 0 && (uint64_t)offset < room;
    if (!is_inside)
      sim_unspecified(sim, GAP_INDIRECT_RANGE, "offset %" PRIu64 " of `%s` is %" PRId64 "; a row has %" PRIu64 " elements", i,
                      role, offset, room);
    columns[i] = is_inside ? offset * item : LEFT_OUT;
    *repeats = *repeats || (is_inside && taken[offset]);
    if (is_inside)
      taken[offset] = true;
  }
  return columns;
}

// A buffer of its own for partitions x count elements, none of them written.
static Buffer *scratch_buffer(Sim *sim, const Tile *like, uint64_t count)
{
  Buffer *buffer = arena_new(&sim->scratch, Buffer);
  uint64_t stride = (count * like->item + 63) / 64 * 64;
  *buffer = (Buffer){.name = "indirect", .memory = tile_memory(like), .bytes = like->partitions * stride,
                     .rows = like->partitions, .row_bytes = count * like->item, .row_stride = stride,
                     .unwritten_bytes = like->partitions * count * like->item};
  buffer->data = (uint8_t *)arena_array(&sim->scratch, uint64_t, buffer->bytes / sizeof(uint64_t));
  buffer->written = buffer->bitmap = arena_array(&sim->scratch, uint64_t, buffer->bytes / 64 + 1);
  return buffer;
}

static uint64_t place_in(const Tile *tile, const uint8_t *element)
{
  return (uint64_t)(element - tile->buffer->data);
}

static bool element_is_written(const Tile *tile, const uint8_t *element)
{
  return buffer_find_unwritten(tile->buffer, place_in(tile, element), tile->item) == UINT64_MAX;
}

// to[i] = from[columns[i]]; elements that are left out stay as they are.
#define PICK(bytes)                                                                                                    \
  for (uint64_t i = 0; i < n; i++)                                                                                     \
    if (columns[i] != LEFT_OUT)                                                                                        \
  memcpy(to + i * (bytes), from + columns[i], bytes)

static void pick_columns(uint32_t item, uint64_t n, uint8_t *to, const uint8_t *from, const int64_t *columns)
{
  switch (item) {
  case 1: PICK(1); break;
  case 2: PICK(2); break;
  case 4: PICK(4); break;
  default: PICK(8); break;
  }
}

static void gather(const IndirectTile *indirect)
{
  const Tile *to = &indirect->chosen, *from = &indirect->row;
  const int64_t *columns = indirect->columns;
  bool all_written = !from->buffer->written;
  for (uint64_t p = 0; p < to->partitions; p++) {
    const uint8_t *row = tile_row(from, p);
    pick_columns(to->item, to->free_elems, tile_row(to, p), row, columns);
    for (uint64_t i = 0; i < to->free_elems && !all_written; i++)
      if (columns[i] == LEFT_OUT || element_is_written(from, row + columns[i]))
        buffer_mark(to->buffer, place_in(to, tile_element(to, p, i)), to->item);
  }
  if (all_written)
    to->buffer->written = NULL;
}

// Where the elements that have a value go; those of the instruction and, unchanged, those it left alone.
static void scatter(Sim *sim, const IndirectTile *indirect)
{
  const Tile *from = &indirect->chosen, *to = &indirect->row;
  const int64_t *columns = indirect->columns;
  bool all_written = !from->buffer->written;
  for (int pass = 0; pass < 1 + indirect->repeats; pass++)  // writes, then looks whether something was written over
    for (uint64_t p = 0; p < from->partitions; p++) {
      uint8_t *row = tile_row(to, p);
      const uint8_t *element = tile_row(from, p);
      for (uint64_t i = 0; i < from->free_elems; i++, element += from->item) {
        if (columns[i] == LEFT_OUT || (!all_written && !element_is_written(from, element)))
          continue;
        uint8_t *target = row + columns[i];
        if (pass == 0) {
          memcpy(target, element, to->item);
          buffer_mark(to->buffer, place_in(to, target), to->item);
        } else if (memcmp(target, element, to->item) != 0) {
          sim_unspecified(sim, GAP_INDIRECT_ORDER, "element %" PRIu64 " of `%s` is written over by a later one", i, from->role);
          return;
        }
      }
    }
}

Tile indirect_tile(Sim *sim, const View *view, const char *role, bool is_result)
{
  View *first = arena_new(&sim->scratch, View);
  *first = *view;
  first->vector_offset = NULL;
  first->pattern.count = view->pattern.count ? 1 : 0;
  IndirectTile *indirect = arena_new(&sim->scratch, IndirectTile);
  indirect->row = tile_of_view(sim, first, role, 0);
  uint64_t count = 1;
  for (uint32_t d = 1; d < view->pattern.count; d++)
    count *= view->pattern.items[d].num;
  Memory memory = tile_memory(&indirect->row);
  if ((memory != MEMORY_SBUF && memory != MEMORY_PSUM) || view->indirect_dim != 1 || sim->machine->generation < 4) {
    sim_error(sim, E_SIM_UNSUPPORTED,
              "operand `%s` of `%s` is indexed by a tensor: only DMA does that along dimension 0 of a tensor in HBM, and "
              "engines from NeuronCore-v4 on along the columns of one on chip",
              role, sim_op_name(sim));
    sim_stop(sim);
  }
  indirect->columns = read_columns(sim, view, role, count, tile_row_room(sim, view), indirect->row.item,
                                   &indirect->repeats);
  Tile *chosen = &indirect->chosen;
  *chosen = indirect->row;
  chosen->view = view;
  chosen->buffer = scratch_buffer(sim, chosen, count);
  chosen->base = chosen->buffer->data;
  chosen->partition_step = (int64_t)chosen->buffer->row_stride;
  chosen->free_elems = count;
  chosen->rank = count > 1;
  chosen->dims[0] = (TileDim){chosen->item, count};
  chosen->is_row_contiguous = true;
  gather(indirect);
  if (is_result) {
    indirect->next = sim->indirect_results;
    sim->indirect_results = indirect;
  }
  return *chosen;
}

// Executors may have resolved a result twice; what was resolved first, and left alone, goes first.
static void finish(Sim *sim, const IndirectTile *indirect)
{
  if (!indirect)
    return;
  finish(sim, indirect->next);
  scatter(sim, indirect);
}

void indirect_finish(Sim *sim)
{
  IndirectTile *results = sim->indirect_results;
  sim->indirect_results = NULL;
  finish(sim, results);
}
