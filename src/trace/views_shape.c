// views_shape.c -- moving, repeating, splitting and merging the dimensions of a view.

#include "trace/views_internal.h"

// The step a dimension of size 1 gets before dimension `dim`: as if the tensor were row-major there.
static int64_t unit_step(const Layout *layout, uint32_t dim)
{
  return dim < layout->rank ? layout->step[dim] * layout->num[dim] : 1;
}

// ---- moving dimensions

const View *views_permute(Views *views, const View *view, const int64_t *dims, uint32_t count)
{
  Layout from = view_layout(view), to = from;
  bool seen[VIEW_RANK_MAX] = {false};
  for (uint32_t i = 0; i < count && count == from.rank; i++) {
    uint32_t dim;
    if (!view_find_dim(views, view, dims[i], from.rank, &dim))
      return NULL;
    if (seen[dim])
      return view_fault(views, E_VIEW_ARGUMENT, NULL, "`permute` names dimension %u twice: %s", dim,
                        view_sizes_text(views, dims, count));
    seen[dim] = true;
    if (i == 0 && dim != 0 && !view_dim_is_free(views, view, 0, "permute"))
      return NULL;
    to.step[i] = from.step[dim];
    to.num[i] = from.num[dim];
  }
  if (count != from.rank)
    return view_fault(views, E_VIEW_ARGUMENT, NULL, "`permute` by %s of a tensor of %u dimensions",
                      view_sizes_text(views, dims, count), from.rank);
  return view_with_layout(views, view, &to);
}

const View *views_broadcast(Views *views, const View *view, int64_t dim, int64_t size)
{
  uint32_t at;
  if (!view_find_dim(views, view, dim, view_rank(view), &at) || !view_dim_is_free(views, view, at, "broadcast"))
    return NULL;
  if (view_dim(view, at) != 1 || size < 1)
    return view_fault(views, E_VIEW_ARGUMENT, "only a dimension of size 1 can be repeated",
                      "`broadcast` of dimension %u to %lld, of a tensor of shape %s", at, (long long)size,
                      view_shape_text(views, view));
  Layout layout = view_layout(view);
  layout.step[at] = size == 1 ? layout.step[at] : 0;
  layout.num[at] = size;
  return view_with_layout(views, view, &layout);
}

const View *views_broadcast_to(Views *views, const View *view, const int64_t *sizes, uint32_t count)
{
  if (count != view_rank(view))
    return view_fault(views, E_VIEW_ARGUMENT, "insert dimensions with `expand_dim` first", "a tensor of shape %s as %s",
                      view_shape_text(views, view), view_sizes_text(views, sizes, count));
  for (uint32_t i = 0; i < count && view; i++)
    if (sizes[i] != view_dim(view, i))
      view = views_broadcast(views, view, i, sizes[i]);
  return view;
}

const View *views_repeat_partition(Views *views, const View *view, int64_t count)
{
  if (view_dim(view, 0) != 1 || count < 1 || view->vector_offset)
    return view_fault(views, E_VIEW_ARGUMENT, "only a dimension of size 1 can be repeated",
                      "the partition of a tensor of shape %s repeated %lld times", view_shape_text(views, view),
                      (long long)count);
  Layout layout = view_layout(view);
  layout.step[0] = count == 1 ? layout.step[0] : 0;
  layout.num[0] = count;
  return view_with_layout(views, view, &layout);
}

const View *views_expand_dim(Views *views, const View *view, int64_t dim)
{
  uint32_t at;
  if (!view_find_dim(views, view, dim, (int64_t)view_rank(view) + 1, &at) ||
      !view_dim_is_free(views, view, at, "expand_dim") || !view_rank_fits(views, view_rank(view) + 1))
    return NULL;
  Layout layout = view_layout(view);
  layout_insert(&layout, at, unit_step(&layout, at), 1);
  return view_with_layout(views, view, &layout);
}

const View *views_squeeze_dim(Views *views, const View *view, int64_t dim)
{
  uint32_t at, least = view_is_on_chip(view) ? 2 : 1;
  if (!view_find_dim(views, view, dim, view_rank(view), &at) || !view_dim_is_free(views, view, at, "squeeze_dim"))
    return NULL;
  if (view_dim(view, at) != 1 || view_rank(view) <= least)
    return view_fault(views, E_VIEW_ARGUMENT,
                      view_dim(view, at) != 1 ? "select one index with `select` or `[...]`" : NULL,
                      "`squeeze_dim` of dimension %u of a tensor of shape %s%s", at, view_shape_text(views, view),
                      view_dim(view, at) == 1 ? ", which has no dimension to spare" : "");
  Layout layout = view_layout(view);
  layout_remove(&layout, at);
  return view_with_layout(views, view, &layout);
}

// ---- splitting and merging dimensions

// Fills in the one size that is -1 so that the product is `total`; false, without a fault, when that is impossible.
static bool infer_sizes(const int64_t *sizes, uint32_t count, int64_t total, int64_t *out)
{
  int64_t product = 1;
  uint32_t unknown = count;
  for (uint32_t i = 0; i < count; i++) {
    out[i] = sizes[i];
    if (sizes[i] == -1 && unknown == count) {
      unknown = i;
      continue;
    }
    if (sizes[i] < 1 || __builtin_mul_overflow(product, sizes[i], &product))
      return false;
  }
  if (unknown == count)
    return product == total;
  out[unknown] = total / product;
  return total % product == 0;
}

const View *views_reshape_dim(Views *views, const View *view, int64_t dim, const int64_t *sizes, uint32_t count)
{
  uint32_t at;
  int64_t split[VIEW_RANK_MAX];
  if (!view_find_dim(views, view, dim, view_rank(view), &at) || !view_rank_fits(views, view_rank(view) + count) ||
      count == 0)
    return count == 0 ? view_fault(views, E_VIEW_ARGUMENT, NULL, "`reshape_dim` to no sizes at all") : NULL;
  if (!infer_sizes(sizes, count, view_dim(view, at), split))
    return view_fault(views, E_VIEW_ARGUMENT, NULL, "`reshape_dim` of dimension %u, of size %lld, to %s", at,
                      (long long)view_dim(view, at), view_sizes_text(views, sizes, count));
  if (count == 1)
    return view;
  if (!view_dim_is_free(views, view, at, "reshape_dim"))
    return NULL;
  Layout layout = view_layout(view);
  int64_t step = layout.step[at];
  layout.num[at] = split[count - 1];
  for (uint32_t i = count - 1; i-- > 0;) {
    step *= split[i + 1];
    layout_insert(&layout, at, step, split[i]);
  }
  return view_with_layout(views, view, &layout);
}

// Merges dimensions first..last of `layout` into `first`; false when they do not follow each other in memory.
static bool layout_merge(Layout *layout, uint32_t first, uint32_t last)
{
  int64_t step = 0, num = 1;
  for (uint32_t i = last + 1; i-- > first;) {
    if (layout->num[i] == 1)
      continue;
    if (num != 1 && layout->step[i] != step * num)
      return false;
    step = num == 1 ? layout->step[i] : step;
    num *= layout->num[i];
  }
  if (num == 1)
    step = layout->step[last];
  for (uint32_t i = first; i < last; i++)
    layout_remove(layout, first);
  layout->step[first] = step;
  layout->num[first] = num;
  return true;
}

const View *views_flatten_dims(Views *views, const View *view, int64_t first, int64_t last)
{
  uint32_t from, to;
  if (!view_find_dim(views, view, first, view_rank(view), &from) ||
      !view_find_dim(views, view, last, view_rank(view), &to))
    return NULL;
  if (from > to)
    return view_fault(views, E_VIEW_ARGUMENT, NULL, "`flatten_dims` from %u to %u", from, to);
  if (!view_dim_is_free(views, view, from, "flatten_dims"))
    return NULL;
  Layout layout = view_layout(view);
  if (!layout_merge(&layout, from, to))
    return view_fault(views, E_VIEW_LAYOUT, "copy the view into a new tensor first",
                      "dimensions %u to %u of this view of shape %s do not follow each other in memory", from, to,
                      view_shape_text(views, view));
  return view_with_layout(views, view, &layout);
}

// Splits and merges dimensions `from`.. of `old` into `sizes`, both with equal products; false when impossible.
static bool layout_regroup(const Layout *old, uint32_t from, const int64_t *sizes, uint32_t count, Layout *out)
{
  uint32_t next = from, made = out->rank;
  for (uint32_t i = 0; i < count;) {
    int64_t have = 1, want = sizes[i];
    uint32_t old_first = next, new_first = i++;
    while (have != want) {
      if (have < want)
        have *= old->num[next++];
      else
        want *= sizes[i++];
    }
    // Dimensions old_first..next hold the same elements as sizes new_first..i. Trailing ones belong to some group.
    while (next < old->rank && old->num[next] == 1 && i == count)
      next++;
    Layout group = *old;
    int64_t step = 1;
    if (next > old_first) {
      if (!layout_merge(&group, old_first, next - 1))
        return false;
      step = group.step[old_first];
    }
    for (uint32_t k = i; k-- > new_first;) {
      out->step[made + k] = step;
      out->num[made + k] = sizes[k];
      step *= sizes[k];
    }
  }
  out->rank = made + count;
  // A dimension of size 1 that matched nothing gets the step it would have in a row-major tensor.
  for (uint32_t k = out->rank; k-- > made;)
    if (out->num[k] == 1 && k + 1 < out->rank)
      out->step[k] = out->step[k + 1] * out->num[k + 1];
  return true;
}

const View *views_reshape(Views *views, const View *view, const int64_t *sizes, uint32_t count)
{
  int64_t wanted[VIEW_RANK_MAX];
  bool fixed_first = view_is_on_chip(view) || view->vector_offset;
  if (!view_rank_fits(views, count))
    return NULL;
  if (count == 0 || !infer_sizes(sizes, count, (int64_t)view_elements(view), wanted))
    return view_fault(views, E_VIEW_ARGUMENT, NULL, "`reshape` of a tensor of shape %s, %llu elements, to %s",
                      view_shape_text(views, view), (unsigned long long)view_elements(view),
                      view_sizes_text(views, sizes, count));
  if (view->vector_offset && view_is_on_chip(view))
    return view_dim_is_free(views, view, 1, "reshape") ? view : NULL;
  if (fixed_first && (wanted[0] != view_dim(view, 0) || (count < 2 && view_is_on_chip(view))))
    return view_fault(views, E_VIEW_PARTITION, view_partition_help, "`reshape` of a tensor of shape %s to %s",
                      view_shape_text(views, view), view_sizes_text(views, wanted, count));
  Layout old = view_layout(view), made = {.offset = old.offset};
  uint32_t kept = fixed_first ? 1 : 0;
  if (fixed_first) {
    made.rank = 1;
    made.step[0] = old.step[0];
    made.num[0] = old.num[0];
  }
  if (!layout_regroup(&old, kept, wanted + kept, count - kept, &made))
    return view_fault(views, E_VIEW_LAYOUT, "copy the view into a new tensor first",
                      "`reshape` to %s of a view of shape %s whose dimensions do not follow each other in memory",
                      view_sizes_text(views, wanted, count), view_shape_text(views, view));
  return view_with_layout(views, view, &made);
}

// ---- rearrange

static const ViewSize *known_size(const ViewSize *sizes, uint32_t count, Str name)
{
  for (uint32_t i = 0; i < count; i++)
    if (str_equal(sizes[i].name, name))
      return &sizes[i];
  return NULL;
}

static bool find_name(const ViewNames *in, Str name, uint32_t *out)
{
  for (uint32_t i = 0; i < in->name_count; i++)
    if (str_equal(in->names[i], name)) {
      *out = i;
      return true;
    }
  return false;
}

// Splits each dimension into its names; afterwards dimension i is from->names[i].
static const View *rearrange_split(Views *views, const View *view, const ViewNames *from, const ViewSize *sizes,
                                   uint32_t size_count)
{
  uint32_t dim = 0;
  for (uint32_t group = 0; group < from->group_count && view; group++) {
    int64_t parts[VIEW_RANK_MAX];
    uint32_t count = from->groups[group];
    for (uint32_t i = 0; i < count && i < VIEW_RANK_MAX; i++) {
      const ViewSize *known = known_size(sizes, size_count, from->names[dim + i]);
      parts[i] = known ? known->size : count == 1 ? view_dim(view, dim) : -1;
    }
    view = views_reshape_dim(views, view, dim, parts, count);
    dim += count;
  }
  return view;
}

const View *views_rearrange(Views *views, const View *view, const ViewNames *from, const ViewNames *to,
                            const ViewSize *sizes, uint32_t size_count)
{
  int64_t order[VIEW_RANK_MAX];
  if (from->group_count != view_rank(view) || from->name_count != to->name_count)
    return view_fault(views, E_VIEW_ARGUMENT, "both patterns name the same dimensions, the first all of the tensor's",
                      "`rearrange` from %u dimensions (%u names) to %u names, of a tensor of shape %s",
                      from->group_count, from->name_count, to->name_count, view_shape_text(views, view));
  if (!view_rank_fits(views, from->name_count) || !(view = rearrange_split(views, view, from, sizes, size_count)))
    return NULL;
  for (uint32_t i = 0; i < to->name_count; i++) {
    uint32_t at;
    if (!find_name(from, to->names[i], &at))
      return view_fault(views, E_VIEW_ARGUMENT, NULL,
                        "`rearrange` to dimension `%.*s`, which the first pattern does not name",
                        STR_ARG(to->names[i]));
    order[i] = at;
  }
  view = views_permute(views, view, order, to->name_count);
  for (uint32_t group = 0; group < to->group_count && view; group++) {
    if (to->groups[group] == 0)
      view = views_expand_dim(views, view, group);
    else if (to->groups[group] > 1)
      view = views_flatten_dims(views, view, group, (int64_t)group + to->groups[group] - 1);
  }
  return view;
}
