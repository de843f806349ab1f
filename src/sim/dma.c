// dma.c -- the two sides of a DMA: views with indices known only at run time.

#include "machine/rule_list.h"
#include "sim/exec.h"

#include <inttypes.h>
#include <string.h>

static int64_t index_at(const Tile *index, uint64_t i)
{
  // Partition first: i of a (P, K) tile is element [i % P, i / P].
  const uint8_t *unit = tile_element(index, i % index->partitions, i / index->partitions);
  uint64_t value = 0;
  memcpy(&value, unit, index->item);
  unsigned unused = 64 - 8 * index->item;
  return dtype_is_signed_integer(index->dtype) ? (int64_t)(value << unused) >> unused : (int64_t)value;
}

static uint64_t dim_size(const Tensor *tensor, int32_t dim)
{
  return dim <= 0 ? tensor->shape.par_dim : tensor->shape.free_dims.items[dim - 1];
}

static _Noreturn void fail_index(Sim *sim, const View *view, const char *role, uint64_t i, int64_t index)
{
  Diag *diag =
      sim_error(sim, E_SIM_INDEX,
                "index %" PRId64 " (number %" PRIu64 ") of operand `%s` lies outside dimension %d of `%s`, which "
                "has %" PRIu64,
                index, i, role, view->indirect_dim, view->tensor->name, dim_size(view->tensor, view->indirect_dim));
  tile_label_tensor(diag, view);
  diag_help(diag, "pass `oob_mode=nisa.oob_mode.skip` to leave such rows out");
  if (sim->instr && sim->instr->op->kind == OP_nc_dma_copy)
    rule_cite(diag, &sim->session->arena, sim->machine, "dma_copy.src.index-range");
  sim_stop(sim);
}

// Elements of the view's tensor, counted in the dtype of the view.
static uint64_t elements_of(const View *view)
{
  DType dtype = view->dtype_override.some ? view->dtype_override.value : view->tensor->dtype;
  return tensor_elements(view->tensor) * dtype_bytes(view->tensor->dtype) / dtype_bytes(dtype);
}

// The first dimension's positions come from the index tensor instead of its step.
static void resolve_gather(Sim *sim, const View *view, const char *role, bool skips, Tile *tile)
{
  View *rows = arena_new(&sim->scratch, View);
  *rows = *view;
  rows->pattern.items = arena_array(&sim->scratch, ApPair, view->pattern.count + 1);
  memcpy(rows->pattern.items, view->pattern.items, view->pattern.count * sizeof(ApPair));
  rows->pattern.items[0].step = 0;
  rows->vector_offset = NULL;
  *tile = tile_of_view(sim, rows, role, 0);
  Tile index = tile_of_view(sim, access_view(&sim->scratch, view->vector_offset), "vector_offset", 0);
  tile_check_written(sim, &index);
  bool on_chip = tile_memory(tile) == MEMORY_SBUF || tile_memory(tile) == MEMORY_PSUM;
  if (on_chip || !dtype_is_integer(index.dtype) || view->indirect_dim < 0 ||
      view->indirect_dim > (int32_t)view->tensor->shape.free_dims.count) {
    sim_error(sim, E_SIM_DTYPE, "operand `%s` of `%s`: an index tensor holds integers and indexes a tensor in HBM",
              role, sim_op_name(sim));
    sim_stop(sim);
  }
  if (index.partitions * index.free_elems < tile->partitions) {
    sim_error(sim, E_SIM_SHAPE, "operand `%s` of `%s` has %" PRIu64 " rows but only %" PRIu64 " indices", role,
              sim_op_name(sim), tile->partitions, index.partitions * index.free_elems);
    sim_stop(sim);
  }
  // A row reaches at most to the tensor's end: that of the last index is checked against it as a view.
  uint64_t step = tile_index_elems(sim, view), size = dim_size(view->tensor, view->indirect_dim);
  uint64_t *offsets = arena_array(&sim->scratch, uint64_t, tile->partitions);
  int64_t low, high;
  if (!view_extent(rows, &low, &high))
    low = high = 0;
  uint64_t elements = elements_of(view);
  for (uint64_t i = 0; i < tile->partitions; i++) {
    int64_t at = index_at(&index, i);
    if (at >= 0 && (uint64_t)at < size) {
      int64_t extra = at * (int64_t)step;
      if (low + extra < 0 || (uint64_t)(high + extra) >= elements)
        (void)tile_of_view(sim, rows, role, extra);  // which tells what lies outside
      offsets[i] = (uint64_t)at * step * tile->item;
    } else if (skips) {
      offsets[i] = UINT64_MAX;
    } else {
      fail_index(sim, view, role, i, at);
    }
  }
  tile->rows = offsets;
}

// Whether a run-time offset keeps the view inside its tensor.
static bool is_inside(const View *view, int64_t extra)
{
  int64_t low, high;
  return !view_extent(view, &low, &high) || (low + extra >= 0 && (uint64_t)(high + extra) < elements_of(view));
}

bool dma_is_fence(const struct Op_nc_dma_copy *op)
{
  return op->compute_op == DGE_COMPUTE_OP_NONE && core_equal(&core_TENSOR_REF, &op->dst, &op->src);
}

bool dma_skips(const DmaBounds *bounds)
{
  return bounds->ctor == DmaBounds_skip;
}

// A set of row offsets, by the number of their stretch of `reach` bytes: rows that overlap are in one or in neighbours.
typedef struct RowSet {
  uint64_t *offsets;  // UINT64_MAX: free
  uint64_t mask, reach;
} RowSet;

// The offset in stretch `number`, or UINT64_MAX; *slot is where it is or would be.
static uint64_t row_in_stretch(const RowSet *set, uint64_t number, uint64_t *slot)
{
  uint64_t at = number * UINT64_C(0x9E3779B97F4A7C15) >> 32 & set->mask;
  while (set->offsets[at] != UINT64_MAX && set->offsets[at] / set->reach != number)
    at = (at + 1) & set->mask;
  *slot = at;
  return set->offsets[at];
}

bool dma_repeats_rows(Sim *sim, const Tile *dst)
{
  if (!dst->rows)
    return false;
  uint64_t size = 16;
  while (size < 2 * dst->partitions)
    size *= 2;
  RowSet set = {arena_array(&sim->scratch, uint64_t, size), size - 1,
                dst->is_row_contiguous ? dst->free_elems * dst->item : 1};
  memset(set.offsets, 0xFF, size * sizeof *set.offsets);
  for (uint64_t p = 0; p < dst->partitions; p++) {
    uint64_t at = dst->rows[p], number = at / set.reach, slot, before = UINT64_MAX, same;
    if (at == UINT64_MAX)
      continue;
    uint64_t after = row_in_stretch(&set, number + 1, &slot);
    if (number > 0)
      before = row_in_stretch(&set, number - 1, &slot);
    same = row_in_stretch(&set, number, &slot);
    if (same != UINT64_MAX || (after != UINT64_MAX && after - at < set.reach) ||
        (before != UINT64_MAX && at - before < set.reach))
      return true;
    set.offsets[slot] = at;
  }
  return false;
}

uint64_t dma_transpose_last(Sim *sim, const Tile *dst, const Tile *src)
{
  if (tile_memory(dst) != MEMORY_SBUF)
    sim_unspecified(sim, GAP_DMA_TRANSPOSE_DST, "`dma_transpose` into HBM");
  uint32_t rank = src->view->pattern.count;
  uint64_t last = rank > 1 ? src->view->pattern.items[rank - 1].num : 1;
  if (dst->partitions * dst->free_elems == src->partitions * src->free_elems && dst->partitions == last &&
      dst->item == src->item)
    return last;
  sim_error(sim, E_SIM_SHAPE,
            "`dma_transpose` of %" PRIu64 " x ... x %" PRIu64 " elements needs a destination of the "
            "same dtype with %" PRIu64 " rows, not %" PRIu64,
            src->partitions, last, last, dst->partitions);
  sim_stop(sim);
}

bool dma_tile(Sim *sim, const TensorRef *ref, const char *role, bool skips, Tile *tile)
{
  const View *view = ref_view(&sim->scratch, ref);
  if (!view || (!view->vector_offset && !view->scalar_offset)) {
    *tile = tile_of(sim, ref, role);
    return true;
  }
  if (view->vector_offset && view->pattern.count) {
    resolve_gather(sim, view, role, skips, tile);
    return true;
  }
  if (!view->scalar_offset) {
    sim_error(sim, E_SIM_SHAPE, "operand `%s` of `%s` has an index for each row but no rows", role, sim_op_name(sim));
    sim_stop(sim);
  }
  int64_t index = tile_run_time_index(sim, view->scalar_offset), extra = index * (int64_t)tile_index_elems(sim, view);
  if (!is_inside(view, extra)) {
    if (skips)
      return false;
    fail_index(sim, view, role, 0, index);
  }
  *tile = tile_of_view(sim, view, role, extra);
  return true;
}
