// views_index.c -- indexing: ints, slices, `...`, None, and indices known at run time.

#include "trace/views_internal.h"

// ---- indexing

// Dimensions that `items` index: all but `...` and None.
static uint32_t indexed_dims(const ViewIndex *items, uint32_t count, uint32_t *ellipses)
{
  uint32_t dims = 0;
  *ellipses = 0;
  for (uint32_t i = 0; i < count; i++) {
    *ellipses += items[i].kind == VIEW_INDEX_ELLIPSIS;
    dims += items[i].kind != VIEW_INDEX_ELLIPSIS && items[i].kind != VIEW_INDEX_NEW_AXIS;
  }
  return dims;
}

static bool slice_bounds(Views *views, const View *view, uint32_t dim, const ViewIndex *item, int64_t *first,
                         int64_t *count)
{
  int64_t size = view_dim(view, dim);
  int64_t start = item->has_start ? item->start : 0, stop = item->has_stop ? item->stop : size;
  if (item->step < 1) {
    view_fault(views, E_INDEX_FORM, "use `.ap` for a pattern that runs backwards", "a slice with step %lld",
               (long long)item->step);
    return false;
  }
  start += start < 0 ? size : 0;
  stop += stop < 0 ? size : 0;
  if (start < 0 || start > size || stop < 0 || stop > size) {
    const char *help = arena_printf(views->scratch, "the end can be clipped with `min(..., %lld)`", (long long)size);
    view_fault(views, E_INDEX_RANGE, help, "slice %lld:%lld of dimension %u, which has size %lld",
               (long long)(item->has_start ? item->start : 0), (long long)(item->has_stop ? item->stop : size), dim,
               (long long)size);
    return false;
  }
  *first = start;
  *count = start < stop ? (stop - start + item->step - 1) / item->step : 0;  // no instruction takes an empty view
  return true;
}

static bool int_in_range(Views *views, const View *view, uint32_t dim, int64_t index, int64_t *out)
{
  int64_t size = view_dim(view, dim);
  *out = index < 0 ? index + size : index;
  if (*out >= 0 && *out < size)
    return true;
  view_fault(views, E_INDEX_RANGE, NULL, "index %lld of dimension %u, which has size %lld", (long long)index, dim,
             (long long)size);
  return false;
}

// What indexing builds up: the new layout, dimensions that an int took away, and the run-time index.
typedef struct Indexing {
  Layout layout;
  int64_t dropped_step;
  uint32_t dropped_at; // where the last one stood among the kept ones
  bool dropped;
  const ScalarOffset *runtime;
  int64_t runtime_step;
} Indexing;

static bool indexing_push(Views *views, Indexing *at, int64_t step, int64_t num)
{
  if (!view_rank_fits(views, at->layout.rank + 1))
    return false;
  at->layout.step[at->layout.rank] = step;
  at->layout.num[at->layout.rank++] = num;
  return true;
}

static bool indexing_drop(Views *views, Indexing *at, const View *view, uint32_t dim, int64_t step)
{
  if (dim == 0 && view_is_on_chip(view))
    return indexing_push(views, at, step, 1);
  at->dropped = true;
  at->dropped_step = step;
  at->dropped_at = at->layout.rank;
  return true;
}

static bool index_runtime(Views *views, Indexing *at, const View *view, uint32_t dim, const ViewIndex *item)
{
  int64_t step = view->pattern.items[dim].step, size = view_dim(view, dim);
  if (dim == 0 && view_is_on_chip(view)) {
    view_fault(views, E_VIEW_PARTITION, "move the data to partition 0 by DMA, or index a free dimension",
               "a run-time index of the partition dimension");
    return false;
  }
  if (at->runtime || view_is_indirect(view)) {
    view_fault(views, E_VIEW_INDIRECT, "add the indices in a register or tensor first",
               "a second run-time index in one view");
    return false;
  }
  at->runtime = item->runtime;
  at->runtime_step = step;
  if (item->kind == VIEW_INDEX_RUNTIME)
    return indexing_drop(views, at, view, dim, step);
  if (item->size < 1 || item->size > size) {
    view_fault(views, E_INDEX_RANGE, NULL, "%lld elements of dimension %u, which has size %lld", (long long)item->size,
               dim, (long long)size);
    return false;
  }
  return indexing_push(views, at, step, item->size);
}

static bool index_dim(Views *views, Indexing *at, const View *view, uint32_t dim, const ViewIndex *item)
{
  int64_t step = view->pattern.items[dim].step, first = 0, count = 1;
  bool whole = item->kind == VIEW_INDEX_SLICE && !item->has_start && !item->has_stop && item->step == 1;
  if (whole)
    return indexing_push(views, at, step, view_dim(view, dim));
  if (view->vector_offset && (dim == 0 || view_is_on_chip(view)))
    return view_dim_is_free(views, view, dim, "index");
  if (item->kind == VIEW_INDEX_RUNTIME || item->kind == VIEW_INDEX_RUNTIME_SLICE)
    return index_runtime(views, at, view, dim, item);
  if (item->kind == VIEW_INDEX_INT) {
    if (!int_in_range(views, view, dim, item->start, &first))
      return false;
    at->layout.offset += first * step;
    return indexing_drop(views, at, view, dim, step);
  }
  if (!slice_bounds(views, view, dim, item, &first, &count))
    return false;
  at->layout.offset += first * step;
  return indexing_push(views, at, step * item->step, count);
}

static const View *indexing_finish(Views *views, Indexing *at, const View *view)
{
  uint32_t least = view_is_on_chip(view) ? 2 : 1;
  if (at->layout.rank < least && at->dropped)
    layout_insert(&at->layout, at->dropped_at, at->dropped_step, 1);
  const View *made = view_with_layout(views, view, &at->layout);
  return made && at->runtime ? view_with_runtime(views, made, at->runtime_step, at->runtime) : made;
}

const View *views_index(Views *views, const View *view, const ViewIndex *items, uint32_t count)
{
  static const ViewIndex all = {.kind = VIEW_INDEX_SLICE, .step = 1};
  uint32_t ellipses, dims = indexed_dims(items, count, &ellipses), rank = view_rank(view);
  if (ellipses > 1)
    return view_fault(views, E_INDEX_FORM, NULL, "more than one `...` in an index");
  if (dims > rank)
    return view_fault(views, E_INDEX_FORM, NULL, "%u indices for a tensor of shape %s", dims,
                      view_shape_text(views, view));
  Indexing at = {.layout.offset = (int64_t)view->offset};
  uint32_t dim = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (items[i].kind == VIEW_INDEX_NEW_AXIS) {
      if (dim == 0 && !view_dim_is_free(views, view, 0, "None before"))
        return NULL;
      if (!indexing_push(views, &at, dim < rank ? view->pattern.items[dim].step * view_dim(view, dim) : 1, 1))
        return NULL;
      continue;
    }
    uint32_t span = items[i].kind == VIEW_INDEX_ELLIPSIS ? rank - dims : 1;
    const ViewIndex *item = items[i].kind == VIEW_INDEX_ELLIPSIS ? &all : &items[i];
    for (; span > 0; span--)
      if (!index_dim(views, &at, view, dim++, item))
        return NULL;
  }
  while (dim < rank)
    if (!index_dim(views, &at, view, dim++, &all))
      return NULL;
  return indexing_finish(views, &at, view);
}

// `view[:, .., item, ..]` with `item` at `dim`.
static const View *index_one(Views *views, const View *view, int64_t dim, const ViewIndex *item)
{
  ViewIndex items[VIEW_RANK_MAX];
  uint32_t at;
  if (!view_find_dim(views, view, dim, view_rank(view), &at))
    return NULL;
  for (uint32_t i = 0; i < at; i++)
    items[i] = (ViewIndex){.kind = VIEW_INDEX_SLICE, .step = 1};
  items[at] = *item;
  return views_index(views, view, items, at + 1);
}

const View *views_slice(Views *views, const View *view, int64_t dim, int64_t start, int64_t end, int64_t step)
{
  if (start < 0 || end < 0)
    return view_fault(views, E_INDEX_RANGE, "indexing, `t[start:end]`, counts from the end",
                      "`slice` from %lld to %lld", (long long)start, (long long)end);
  ViewIndex item = {VIEW_INDEX_SLICE, true, true, start, end, step, 0, NULL};
  return index_one(views, view, dim, &item);
}

const View *views_select(Views *views, const View *view, int64_t dim, int64_t index)
{
  ViewIndex item = {.kind = VIEW_INDEX_INT, .start = index};
  return index_one(views, view, dim, &item);
}

const View *views_select_runtime(Views *views, const View *view, int64_t dim, const ScalarOffset *index)
{
  ViewIndex item = {.kind = VIEW_INDEX_RUNTIME, .runtime = index};
  return index_one(views, view, dim, &item);
}

const View *views_vector_select(Views *views, const View *view, int64_t dim, const View *index)
{
  if (view_is_on_chip(view))
    return view_fault(views, E_VIEW_INDIRECT, "`nisa.nc_n_gather` gathers in SBUF",
                      "`vector_select` of a tensor on chip");
  if (dim != 0)
    return view_fault(views, E_VIEW_INDIRECT, "permute the dimension to the front", "`vector_select` of dimension %lld",
                      (long long)dim);
  if (!view_is_index_column(views, index))
    return NULL;
  // The stride of dimension 0 is that of the tensor which the view names, so borrow the machinery of one run-time
  // index.
  static const ScalarOffset none = {.ctor = ScalarOffset_reg, .reg = ""};
  const View *strided = view_with_runtime(views, view, view->pattern.items[0].step, &none);
  if (!strided)
    return NULL;
  View made = *strided;
  made.scalar_offset = NULL;
  made.vector_offset = view_as_access(views, index);
  Layout layout = view_layout(strided);
  layout.num[0] = view_dim(index, 0);
  if (made.indirect_dim != 0)
    return view_fault(views, E_VIEW_INDIRECT, "reshape the tensor to two dimensions first",
                      "rows of %lld elements are not dimension 0 of tensor `%s`", (long long)layout.step[0],
                      view->tensor->name);
  return view_with_layout(views, &made, &layout);
}
