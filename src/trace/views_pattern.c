// views_pattern.c -- views of the storage itself: other dtypes, raw patterns, gathered columns.

#include "trace/views_internal.h"

// ---- dtype

static Core_OPT_DTYPE override_for(const Tensor *tensor, DType dtype)
{
  return (Core_OPT_DTYPE){.some = dtype != tensor->dtype, .value = dtype != tensor->dtype ? dtype : (DType)0};
}

// The layout in elements `factor` times larger; false when something is no multiple.
static bool layout_grow_elements(Layout *layout, int64_t factor)
{
  uint32_t last = layout->rank - 1;
  if (layout->offset % factor != 0 || layout->num[last] % factor != 0)
    return false;
  layout->offset /= factor;
  layout->num[last] /= factor;
  for (uint32_t i = 0; i < last; i++) {
    if (layout->step[i] % factor != 0)
      return false;
    layout->step[i] /= factor;
  }
  return true;
}

const View *views_cast(Views *views, const View *view, DType dtype)
{
  int64_t old_bytes = dtype_bytes(view_dtype(view)), new_bytes = dtype_bytes(dtype);
  Layout layout = view_layout(view);
  uint32_t last = layout.rank - 1;
  if (view_is_indirect(view))
    return view_fault(views, E_VIEW_INDIRECT, "reinterpret first and index last",
                      "`view` of a run-time indexed tensor");
  if (old_bytes != new_bytes && layout.num[last] != 1 && layout.step[last] != 1)
    return view_fault(views, E_VIEW_DTYPE, "copy the view into a new tensor first",
                      "`view(%s)` of a %s tensor whose last dimension has step %lld", dtype_name(dtype),
                      dtype_name(view_dtype(view)), (long long)layout.step[last]);
  if (old_bytes > new_bytes) {
    int64_t factor = old_bytes / new_bytes;
    layout.offset *= factor;
    layout.num[last] *= factor;
    for (uint32_t i = 0; i < last; i++)
      layout.step[i] *= factor;
    layout.step[last] = 1;
  }
  bool fits = (view->tensor->free_elements * dtype_bytes(view->tensor->dtype)) % (uint64_t)new_bytes == 0 ||
              !view_is_on_chip(view);
  if (old_bytes < new_bytes && (!fits || !layout_grow_elements(&layout, new_bytes / old_bytes)))
    return view_fault(views, E_VIEW_DTYPE, NULL,
                      "`view(%s)` of a %s tensor of shape %s: sizes and steps are no multiples of %lld elements",
                      dtype_name(dtype), dtype_name(view_dtype(view)), view_shape_text(views, view),
                      (long long)(new_bytes / old_bytes));
  if (old_bytes < new_bytes)
    layout.step[last] = 1;
  View made = *view;
  made.dtype_override = override_for(view->tensor, dtype);
  return view_with_layout(views, &made, &layout);
}

// ---- raw patterns

static const ViewFault *outside(Views *views, const char *help, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// What a pattern breaks, for whoever uses it.
static const ViewFault *outside(Views *views, const char *help, const char *format, ...)
{
  ViewFault *fault = arena_new(views->arena, ViewFault);
  va_list args;
  va_start(args, format);
  *fault = (ViewFault){E_VIEW_BOUNDS, arena_vprintf(views->arena, format, args), help};
  va_end(args);
  return fault;
}

// NULL when every element of `layout`, from dimension `first` on, lies in the tensor, and on chip inside its partition;
// else what does not.
static const ViewFault *pattern_outside(Views *views, const View *view, const Layout *layout, uint32_t first)
{
  int64_t lowest = layout->offset, highest = layout->offset, total = view_storage_elements(view);
  for (uint32_t i = first; i < layout->rank; i++)
    *(layout->step[i] < 0 ? &lowest : &highest) += layout->step[i] * (layout->num[i] - 1);
  if (lowest < 0 || highest >= total)
    return outside(views, NULL, "the pattern reaches element %lld of tensor `%s`, which has %lld",
                   (long long)(lowest < 0 ? lowest : highest), view->tensor->name, (long long)total);
  if (!view_is_on_chip(view))
    return NULL;
  int64_t row = view_partition_elements(view), least = layout->offset % row, most = least;
  if (layout->num[0] > 1 && layout->step[0] % row != 0)
    return outside(views, "the first pair of a pattern on chip is [elements of one partition, partitions]",
                   "the first step is %lld, but a partition of tensor `%s` has %lld elements",
                   (long long)layout->step[0], view->tensor->name, (long long)row);
  for (uint32_t i = 1; i < layout->rank; i++)
    *(layout->step[i] < 0 ? &least : &most) += layout->step[i] * (layout->num[i] - 1);
  if (least >= 0 && most < row)
    return NULL;
  return outside(views, NULL, "the pattern reaches element %lld of a partition of tensor `%s`, which has %lld",
                 (long long)(least < 0 ? least : most), view->tensor->name, (long long)row);
}

// The tensor whose dimensions a run-time index of `view` counts: of the view's own shape where it is all of its tensor,
// reshaped.
static const Tensor *indexed_tensor(Views *views, const View *view)
{
  const Tensor *tensor = view->tensor;
  uint32_t rank = view_rank(view);
  bool is_same = rank == tensor_rank(tensor), is_whole = !view_is_indirect(view) && view_is_contiguous(view) &&
                                                         view->offset == 0 && rank >= (view_is_on_chip(view) ? 2 : 1);
  for (uint32_t i = 0; i < rank && is_same; i++)
    is_same = view_dim(view, i) == (int64_t)tensor_dim(tensor, i);
  if (is_same || !is_whole || view_elements(view) != (uint64_t)view_storage_elements(view))
    return tensor;
  Shape shape = {.par_dim = (uint64_t)view_dim(view, 0), .free_dims.count = rank - 1};
  shape.free_dims.items = arena_array(views->arena, uint64_t, rank);
  for (uint32_t i = 1; i < rank; i++)
    shape.free_dims.items[i - 1] = (uint64_t)view_dim(view, i);
  return views->alias(views->alias_context, tensor, view_dtype(view), &shape);
}

static bool ap_runtime(Views *views, const View *view, const ViewPattern *pattern, View *made)
{
  int64_t limit = tensor_rank(made->tensor);
  if (!pattern->scalar && !pattern->vector)
    return true;
  if (pattern->scalar && pattern->vector) {
    view_fault(views, E_VIEW_INDIRECT, NULL, "both `scalar_offset` and `vector_offset`");
    return false;
  }
  if (pattern->indirect_dim < 0 || pattern->indirect_dim >= limit ||
      (pattern->indirect_dim == 0 && view_is_on_chip(view))) {
    view_fault(views, E_VIEW_INDIRECT, NULL, "`indirect_dim=%lld` of tensor `%s`, which has %lld dimensions%s",
               (long long)pattern->indirect_dim, view->tensor->name, (long long)limit,
               view_is_on_chip(view) ? "; the partition cannot be indexed at run time" : "");
    return false;
  }
  made->indirect_dim = (int32_t)pattern->indirect_dim;
  made->scalar_offset = pattern->scalar;
  if (!pattern->vector)
    return true;
  if (pattern->indirect_dim != 0) {
    view_fault(views, E_VIEW_INDIRECT, NULL,
               "`vector_offset` with `indirect_dim=%lld`; only dimension 0 of a tensor in HBM "
               "can be gathered",
               (long long)pattern->indirect_dim);
    return false;
  }
  // Indices of several columns are read partition first; there may be more of them than rows.
  int64_t rows = pattern->pairs[0][1], indices = (int64_t)view_elements(pattern->vector);
  bool is_matrix = view_rank(pattern->vector) == 2 && pattern->vector->tensor->address->memory == MEMORY_SBUF;
  if (!is_matrix && !view_is_index_column(views, pattern->vector))
    return false;
  if (indices < rows) {
    view_fault(views, E_VIEW_INDIRECT, NULL, "%lld indices for a pattern of %lld rows", (long long)indices,
               (long long)rows);
    return false;
  }
  made->vector_offset = view_as_access(views, pattern->vector);
  return true;
}

const View *views_ap(Views *views, const View *view, const ViewPattern *pattern)
{
  bool is_runtime = pattern->scalar || pattern->vector;
  View made = {.tensor = is_runtime ? indexed_tensor(views, view) : view->tensor};
  DType dtype = pattern->dtype ? *pattern->dtype : view_dtype(view);
  int64_t offset = (int64_t)view->offset * dtype_bytes(view_dtype(view));
  if (!view_rank_fits(views, pattern->count))
    return NULL;
  if (pattern->count == 0)
    return view_fault(views, E_VIEW_ARGUMENT, NULL, "an empty access pattern");
  if (!pattern->offset && offset % dtype_bytes(dtype) != 0)
    return view_fault(views, E_VIEW_DTYPE, "pass `offset=` in elements of the new dtype",
                      "the offset of this view is no multiple of a %s", dtype_name(dtype));
  made.dtype_override = override_for(made.tensor, dtype);
  Layout layout = {.offset = pattern->offset ? *pattern->offset : offset / dtype_bytes(dtype), .rank = pattern->count};
  for (uint32_t i = 0; i < pattern->count; i++) {
    layout.step[i] = pattern->pairs[i][0];
    layout.num[i] = pattern->pairs[i][1];
    if (layout.num[i] < 1 || layout.num[i] > UINT32_MAX || layout.step[i] < INT32_MIN || layout.step[i] > INT32_MAX)
      return view_fault(views, E_VIEW_ARGUMENT, NULL,
                        "pair [%lld, %lld] of a pattern; a pair is [step, count] with a count of "
                        "at least 1",
                        (long long)layout.step[i], (long long)layout.num[i]);
  }
  if (layout.offset < 0)
    return view_fault(views, E_VIEW_BOUNDS, NULL, "the pattern starts at element %lld of tensor `%s`",
                      (long long)layout.offset, view->tensor->name);
  if (!ap_runtime(views, view, pattern, &made))
    return NULL;
  // Where an index takes the place of the first dimension's step, only one row is known.
  views->outside = pattern_outside(views, &made, &layout, pattern->vector ? 1 : 0);
  return view_with_layout(views, &made, &layout);
}

const View *views_indirect(Views *views, const View *view, const View *index, int64_t elements)
{
  if (!view_is_on_chip(view) || view_is_indirect(view))
    return view_fault(views, E_VIEW_INDIRECT, NULL, "`indirect` of a tensor %s",
                      view_is_on_chip(view) ? "that is run-time indexed already" : "in HBM");
  if (index->tensor->address->memory != MEMORY_SBUF || view_rank(index) != 2 || view_dim(index, 0) != view_dim(view, 0))
    return view_fault(views, E_VIEW_INDIRECT,
                      "the index is a tensor of shape (P, K) in SBUF, with P partitions as the data",
                      "`indirect` of a tensor of shape %s by indices of shape %s", view_shape_text(views, view),
                      view_shape_text(views, index));
  if (!view_is_contiguous(view))
    return view_fault(views, E_VIEW_LAYOUT, NULL, "`indirect` of a view whose free dimensions are not contiguous");
  View made = *view;
  Layout layout = view_layout(view);
  layout.rank = 2;
  layout.step[1] = 1;
  layout.num[1] = elements > 0 ? elements : (int64_t)view_elements(index);
  made.vector_offset = view_as_access(views, index);
  made.indirect_dim = 1;
  return view_with_layout(views, &made, &layout);
}
