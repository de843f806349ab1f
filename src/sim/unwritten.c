#include "sim/unwritten.h"

#include "core/nki_names.h"
#include "sim/exec.h"

#include <string.h>

struct Unwritten {
  Unwritten *next;
  Tile tile;
  const UnwrittenOrigin *origin;
  bool *holes;  // [partitions * free_elems], as the operator found them
};

// How the elements of an operator's results come from those of its operands.
typedef enum Flow {
  FLOW_NONE,        // anyhow: an unwritten element is an error
  FLOW_ROWS,        // those of a partition from the same partition; one from one where there are equally many
  FLOW_ONWARD,      // those of a partition from the same partition, from that element on
  FLOW_WHOLE_ROWS,  // all of a partition from the same partition
  FLOW_FIRST_ROWS,  // the same, of the first of every 16 partitions; the others take no part
  FLOW_SHUFFLED,    // those of a partition from the one that the mask names
  FLOW_IN_ORDER,    // one from one, whatever the shapes
  FLOW_TRANSPOSED,  // [i, j] from [j, i]
  FLOW_GROUPS,      // those of a group of an MX format from the same group, and its scale
  FLOW_PICKED,      // the transpose mode of the tensor engine
  FLOW_GATHERED,    // those of a partition from the same partition, by index
  FLOW_SENT,        // one from one of another core's operand: see unwritten_send
} Flow;

static Flow flow_of(Sim *sim, const Op *op, const Tile *tile)
{
  switch (op->kind) {
  case OP_nc_copy:
  case OP_copy:
  case OP_tensor_tensor:
  case OP_tensor_scalar:
  case OP_nc_scalar_tensor_tensor:
  case OP_nc_activate:
  case OP_activation_reduce:
  case OP_activate2:
  case OP_reciprocal:
  case OP_exponential:
  case OP_nc_range_select:
  case OP_nc_affine_select:
  case OP_tensor_reduce:
  case OP_tensor_scalar_reduce: return FLOW_ROWS;
  case OP_tensor_scalar_cumulative:
  case OP_tensor_tensor_scan: return FLOW_ONWARD;
  case OP_batch_norm_stats:
  case OP_batch_norm_aggregate:
  case OP_max8:
  case OP_find_index8:
  case OP_match_replace8: return FLOW_WHOLE_ROWS;
  case OP_quantize_mx: return FLOW_GROUPS;
  case OP_nonzero_with_count: return FLOW_FIRST_ROWS;
  case OP_shuffle: return FLOW_SHUFFLED;
  case OP_dma_copy:
  case OP_nc_dma_copy: return FLOW_IN_ORDER;
  case OP_send_recv:
  case OP_send_recv_compute: return FLOW_SENT;
  case OP_nc_local_gather: return strcmp(tile->role, "src_buffer") == 0 ? FLOW_GATHERED : FLOW_NONE;
  case OP_nc_n_gather: return strcmp(tile->role, "data") == 0 ? FLOW_GATHERED : FLOW_NONE;
  case OP_select_reduce: return strcmp(tile->role, "predicate") == 0 ? FLOW_NONE : FLOW_ROWS;
  case OP_transpose:
    return transpose_multiplies(sim, op->transpose.engine, tile) ? FLOW_NONE : FLOW_TRANSPOSED;
  case OP_nc_matmul: {
    bool picks = op->nc_matmul.is_transpose && sim->machine->transpose_is_exact && strcmp(tile->role, "stationary") == 0;
    return picks ? FLOW_PICKED : FLOW_NONE;
  }
  default: return FLOW_NONE;
  }
}

static void note_written(void *context, uint64_t start, uint64_t bytes)
{
  const Buffer **buffer = context;
  if (*buffer && buffer_find_written(*buffer, start, bytes) != UINT64_MAX)
    *buffer = NULL;
}

static bool is_all_unwritten(const Tile *tile)
{
  const Buffer *buffer = tile->buffer;
  for (uint64_t p = 0; p < tile->partitions && buffer; p++)
    tile_each_run(tile, p, tile->free_elems, note_written, &buffer);
  return buffer != NULL;
}

static const UnwrittenOrigin *origin_of(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem)
{
  if (tile->buffer->origin)
    return tile->buffer->origin;
  UnwrittenOrigin *origin = arena_new(&sim->arena, UnwrittenOrigin);
  const char *index = tile_index_text(sim, tile, partition, elem);
  *origin = (UnwrittenOrigin){sim->instr, tile->view->tensor, tile->role, arena_strdup(&sim->arena, index)};
  return origin;
}

static Unwritten *record(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem)
{
  Unwritten *made = arena_new(&sim->scratch, Unwritten);
  uint64_t count = tile->partitions * tile->free_elems;
  *made = (Unwritten){sim->unwritten, *tile, origin_of(sim, tile, partition, elem),
                      arena_array(&sim->scratch, bool, count)};
  for (uint64_t i = 0; i < count; i++) {
    uint64_t start = (uint64_t)(tile_element(tile, i / tile->free_elems, i % tile->free_elems) - tile->buffer->data);
    made->holes[i] = buffer_find_unwritten(tile->buffer, start, tile->item) != UINT64_MAX;
  }
  return sim->unwritten = made;
}

// ---- times zero

// Whether row `partition` of a factor was written, and holds zeros only.
static bool is_zero_row(const Tile *tile, uint64_t partition)
{
  for (uint64_t e = 0; partition < tile->partitions && e < tile->free_elems; e++) {
    const uint8_t *at = tile_element(tile, partition, e);
    for (uint32_t b = 0; b < tile->item; b++)
      if (at[b])
        return false;
    if (tile->buffer->written &&
        buffer_find_unwritten(tile->buffer, (uint64_t)(at - tile->buffer->data), tile->item) != UINT64_MAX)
      return false;
  }
  return partition < tile->partitions;
}

// Whether every row of the other factor that meets row `partition` of `tile`, a factor or its scales, is zero.
static bool meets_zeros(Sim *sim, const Op *op, const Tile *tile, uint64_t partition)
{
  enum { ROWS = 8, QUADRANT = 32 };
  bool is_mx = op->kind == OP_nc_matmul_mx, is_moving = strncmp(tile->role, "moving", 6) == 0;
  if (!is_mx && (op->kind != OP_nc_matmul || op->nc_matmul.is_transpose))
    return false;
  const TensorRef *stationary = is_mx ? &op->nc_matmul_mx.stationary : &op->nc_matmul.stationary,
                  *moving = is_mx ? &op->nc_matmul_mx.moving : &op->nc_matmul.moving;
  Tile other = is_moving ? tile_of(sim, stationary, "stationary") : tile_of(sim, moving, "moving");
  bool is_scale = strstr(tile->role, "_scale") != NULL;
  uint64_t first = is_scale ? partition / QUADRANT * QUADRANT + partition % QUADRANT * ROWS : partition;
  for (uint64_t p = first; p < first + (is_scale ? ROWS : 1); p++)
    if (!is_zero_row(&other, p))
      return false;
  return true;
}

// What was never written may be anything: in a row that meets zeros only, zero. Kernels pad one of two factors.
static bool vanishes(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem)
{
  if (!sim->instr || !meets_zeros(sim, sim->instr->op, tile, partition))
    return false;
  for (uint64_t e = 0; e < tile->free_elems; e++) {
    uint8_t *at = tile_element(tile, partition, e);
    if (buffer_find_unwritten(tile->buffer, (uint64_t)(at - tile->buffer->data), tile->item) != UINT64_MAX)
      memset(at, 0, tile->item);
  }
  Diag *diag = sim_warning(sim, W_SIM_UNINITIALISED,
                           "`%s` multiplies element %s of its operand `%s`, which was never written, by zeros",
                           sim_op_name(sim), tile_index_text(sim, tile, partition, elem), tile->role);
  if (diag)
    diag_help(diag, "on the hardware it could be a NaN, which no zero takes away: write it first");
  return true;
}

bool unwritten_travels(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem)
{
  if (vanishes(sim, tile, partition, elem))
    return true;
  if (tile->rows || tile->view->vector_offset || !sim->instr || flow_of(sim, sim->instr->op, tile) == FLOW_NONE)
    return false;
  for (const Unwritten *known = sim->unwritten; known; known = known->next)
    if (known->tile.base == tile->base && known->tile.view == tile->view)
      return true;
  if (is_all_unwritten(tile))
    return false;
  if (!tile->buffer->is_poisoned)
    buffer_poison(sim, tile->buffer, tile->dtype);
  tile->buffer->is_poisoned = true;
  record(sim, tile, partition, elem);
  return true;
}

// ---- results

static void lose(const Unwritten *from, const Tile *dst, uint64_t partition, uint64_t elem)
{
  if (partition >= dst->partitions || elem >= dst->free_elems || !tile_row(dst, partition))
    return;
  buffer_unmark(dst->buffer, (uint64_t)(tile_element(dst, partition, elem) - dst->buffer->data), dst->item);
  dst->buffer->origin = from->origin;
}

// The row of `moving` that column `column` picks.
static uint64_t picked_row(Sim *sim, const Tile *moving, uint64_t column)
{
  for (uint64_t k = 0; k < moving->partitions; k++)
    if (dtype_to_f32_mode(moving->dtype, tile_element(moving, k, column), sim->number_mode) != 0)
      return k;
  return UINT64_MAX;
}

static void lose_picked(Sim *sim, const Op *op, const Unwritten *from, const Tile *dst)
{
  Tile moving = tile_operand(sim, &op->nc_matmul.moving, "moving");
  for (uint64_t n = 0; n < dst->free_elems && n < moving.free_elems; n++) {
    uint64_t k = picked_row(sim, &moving, n);
    for (uint64_t m = 0; k < from->tile.partitions && m < from->tile.free_elems; m++)
      if (from->holes[k * from->tile.free_elems + m])
        lose(from, dst, m, n);
  }
}

static void lose_shuffled(Sim *sim, const struct Op_shuffle *op, const Unwritten *from, const Tile *dst)
{
  enum { GROUP = 32 };
  const Tile *src = &from->tile;
  for (uint64_t p = 0; p < dst->partitions; p++) {
    uint64_t row = p / GROUP * GROUP + (uint64_t)immediate_int(sim, &op->shuffle_mask.items[p % GROUP]);
    for (uint64_t e = 0; row / GROUP == p / GROUP && row < src->partitions && e < src->free_elems; e++)
      if (from->holes[row * src->free_elems + e])
        lose(from, dst, p, e);
  }
}

// An element is part of the group of 8 partitions and 4 columns around it. The results of a group are 8 packed elements,
// or a scale, of which those of 32 partitions stand in the first four rows.
static void lose_groups(const Unwritten *from, const Tile *dst)
{
  enum { ROWS = 8, LANES = 4, QUADRANT = 32 };
  const Tile *src = &from->tile;
  for (uint64_t i = 0; i < src->partitions * src->free_elems; i++) {
    if (!from->holes[i])
      continue;
    uint64_t p = i / src->free_elems, unit = i % src->free_elems / LANES;
    if (strcmp(dst->role, "dst_scale") == 0)
      lose(from, dst, p / QUADRANT * QUADRANT + p % QUADRANT / ROWS, unit);
    for (uint64_t row = 0; row < ROWS && strcmp(dst->role, "dst_scale") != 0; row++)
      lose(from, dst, p / ROWS * ROWS + row, unit);
  }
}

static uint64_t index_at(const Tile *indices, uint64_t partition, uint64_t elem)
{
  uint64_t index = 0;
  if (partition < indices->partitions && elem < indices->free_elems)
    memcpy(&index, tile_element(indices, partition, elem), indices->item);  // little-endian
  return index;
}

static void lose_gathered(Sim *sim, const Op *op, const Unwritten *from, const Tile *dst)
{
  enum { GROUP = 16 };  // partitions that share their indices
  bool is_local = op->kind == OP_nc_local_gather;
  const Tile *src = &from->tile;
  Tile indices = tile_operand(sim, is_local ? &op->nc_local_gather.index : &op->nc_n_gather.indices, "index");
  uint64_t per = is_local ? (uint64_t)immediate_int(sim, &op->nc_local_gather.num_elem_per_idx) : 1;
  uint64_t count = dst->free_elems;
  if (is_local && op->nc_local_gather.num_valid_indicies)
    count = per * (uint64_t)immediate_int(sim, op->nc_local_gather.num_valid_indicies);
  for (uint64_t p = 0; p < src->partitions; p++)
    for (uint64_t e = 0; e < count; e++) {
      uint64_t k = e / per, index = is_local ? index_at(&indices, p / GROUP * GROUP + k % GROUP, k / GROUP) + e % per
                                             : index_at(&indices, p, e);
      if (index < src->free_elems && from->holes[p * src->free_elems + index])
        lose(from, dst, p, e);
    }
}

// Partitions stay partitions: of each, the results that come from its unwritten elements.
static void lose_in_rows(const Unwritten *from, const Tile *dst, Flow flow)
{
  enum { GROUP = 16 };
  const Tile *src = &from->tile;
  bool is_same = dst->free_elems == src->free_elems;
  for (uint64_t p = 0; p < src->partitions; p += flow == FLOW_FIRST_ROWS ? GROUP : 1)
    for (uint64_t e = 0; e < src->free_elems; e++) {
      if (!from->holes[p * src->free_elems + e])
        continue;
      if (is_same && flow == FLOW_ROWS) {
        lose(from, dst, p, e);
        continue;
      }
      for (uint64_t k = is_same && flow == FLOW_ONWARD ? e : 0; k < dst->free_elems; k++)
        lose(from, dst, p, k);
      break;
    }
}

static void lose_one_by_one(const Unwritten *from, const Tile *dst, bool is_transposed)
{
  const Tile *src = &from->tile;
  for (uint64_t i = 0; i < src->partitions * src->free_elems; i++) {
    if (!from->holes[i])
      continue;
    if (is_transposed)
      lose(from, dst, i % src->free_elems, i / src->free_elems);
    else
      lose(from, dst, i / dst->free_elems, i % dst->free_elems);
  }
}

static void lose_from(Sim *sim, const Op *op, const Unwritten *from, const Tile *dst)
{
  Flow flow = flow_of(sim, op, &from->tile);
  switch (flow) {
  case FLOW_NONE: break;
  case FLOW_ROWS:
  case FLOW_ONWARD:
  case FLOW_WHOLE_ROWS:
  case FLOW_FIRST_ROWS: lose_in_rows(from, dst, flow); break;
  case FLOW_SHUFFLED: lose_shuffled(sim, &op->shuffle, from, dst); break;
  case FLOW_GROUPS: lose_groups(from, dst); break;
  case FLOW_PICKED: lose_picked(sim, op, from, dst); break;
  case FLOW_GATHERED: lose_gathered(sim, op, from, dst); break;
  case FLOW_SENT: break;
  case FLOW_IN_ORDER:
  case FLOW_TRANSPOSED: lose_one_by_one(from, dst, flow == FLOW_TRANSPOSED); break;
  }
}

typedef struct Finish {
  Sim *sim;
  const Op *op;
} Finish;

static bool finish_result(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  const Finish *finish = context;
  Sim *sim = finish->sim;
  if (role != ROLE_WRITE && role != ROLE_UPDATE)
    return true;
  Tile dst;
  if (finish->op->kind == OP_nc_dma_copy || finish->op->kind == OP_dma_copy) {
    if (!dma_tile(sim, ref, field->name, true, &dst))
      return true;
  } else {
    dst = tile_of(sim, ref, field->name);
  }
  for (const Unwritten *from = sim->unwritten; from; from = from->next)
    lose_from(sim, finish->op, from, &dst);
  return true;
}

void unwritten_finish(Sim *sim, const Op *op)
{
  op_visit_tensors(op, finish_result, &(Finish){sim, op});
  sim->unwritten = NULL;
}

void unwritten_send(Sim *sim, const Tile *src, const Tile *dst)
{
  for (const Unwritten *from = sim->unwritten; from; from = from->next)
    if (from->tile.base == src->base && from->tile.view == src->view)
      lose_one_by_one(from, dst, false);
}

void unwritten_explain(Diag *diag, const Buffer *buffer)
{
  const UnwrittenOrigin *origin = buffer->origin;
  if (!origin)
    return;
  const Pos *pos = origin->instr->pos;
  if (pos && !span_is_none(pos->span))
    diag_label(diag, pos->span, "it comes from element %s of `%s`, which was never written", origin->index,
               origin->tensor->name);
  else
    diag_note(diag, "it comes from element %s of `%s`, which was never written", origin->index, origin->tensor->name);
}

void unwritten_fail(Sim *sim, const UnwrittenOrigin *origin, const Tensor *result, const char *index)
{
  sim->instr = origin->instr;
  Diag *diag = sim_error(sim, E_SIM_UNINITIALISED,
                         "`%s` reads element %s of its operand `%s`, which was never written", sim_op_name(sim),
                         origin->index, origin->role);
  diag_note(diag, "element %s] of result `%s` depends on it", index, result->name);
  diag_note(diag, "the operand is a view of `%s`, %s", origin->tensor->name, dtype_name(origin->tensor->dtype));
  tile_label_tensor(diag, &(View){.tensor = origin->tensor});
  diag_help(diag, "write it first, for example with `nisa.memset`");
  sim_stop(sim);
}
