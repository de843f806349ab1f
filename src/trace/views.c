// views.c -- views of views: each operation works on a Layout of the stack and interns the View that comes out.

#include "trace/views.h"
#include <string.h>

typedef struct Layout {
  int64_t offset;
  uint32_t rank;
  int64_t step[VIEW_RANK_MAX], num[VIEW_RANK_MAX];
} Layout;

__attribute__((format(printf, 4, 5))) static const View *fault(Views *views, DiagCode code, const char *help,
                                                               const char *format, ...)
{
  va_list args;
  va_start(args, format);
  views->fault = (ViewFault){code, arena_vprintf(views->scratch, format, args), help};
  va_end(args);
  return NULL;
}

static const char *shape_text(Views *views, const View *view)
{
  StrBuf text = strbuf_new(views->scratch);
  view_add_shape(&text, view);
  return strbuf_cstr(&text);
}

static const char *sizes_text(Views *views, const int64_t *sizes, uint32_t count)
{
  StrBuf text = strbuf_new(views->scratch);
  strbuf_putc(&text, '(');
  for (uint32_t i = 0; i < count; i++)
    strbuf_printf(&text, i == 0 ? "%lld" : ", %lld", (long long)sizes[i]);
  strbuf_puts(&text, count == 1 ? ",)" : ")");
  return strbuf_cstr(&text);
}

static const char *const partition_help =
    "dimension 0 of a tensor in SBUF or PSUM is the partition and stays in place; reorder the other dimensions, or "
    "move data with `nisa.nc_transpose` or `nisa.dma_copy`";

// ---- attributes

Views views_new(Arena *arena, Arena *scratch, ViewAlias *alias, void *alias_context)
{
  return (Views){.arena = arena, .scratch = scratch, .alias = alias, .alias_context = alias_context};
}

bool memory_is_on_chip(Memory memory)
{
  return memory == MEMORY_SBUF || memory == MEMORY_PSUM;
}

bool view_is_on_chip(const View *view)
{
  return memory_is_on_chip(view->tensor->address->memory);
}

bool view_is_indirect(const View *view)
{
  return view->scalar_offset || view->vector_offset;
}

uint32_t view_rank(const View *view)
{
  return view->pattern.count;
}

int64_t view_dim(const View *view, uint32_t dim)
{
  return view->pattern.items[dim].num;
}

bool view_is_contiguous(const View *view)
{
  int64_t expected = 1;
  for (uint32_t i = view->pattern.count; i-- > (view_is_on_chip(view) ? 1u : 0u);) {
    const ApPair *pair = &view->pattern.items[i];
    if (pair->num != 1 && pair->step != expected)
      return false;
    expected *= pair->num;
  }
  return true;
}

uint32_t tensor_rank(const Tensor *tensor)
{
  return 1 + tensor->shape.free_dims.count;
}

uint64_t tensor_dim(const Tensor *tensor, uint32_t dim)
{
  return dim == 0 ? tensor->shape.par_dim : tensor->shape.free_dims.items[dim - 1];
}

int64_t tensor_stride(const Tensor *tensor, uint32_t dim)
{
  int64_t stride = 1;
  for (uint32_t i = tensor_rank(tensor); i-- > dim + 1;)
    stride *= (int64_t)tensor_dim(tensor, i);
  return stride;
}

void view_add_shape(StrBuf *out, const View *view)
{
  strbuf_putc(out, '(');
  for (uint32_t i = 0; i < view->pattern.count; i++)
    strbuf_printf(out, i == 0 ? "%u" : ", %u", view->pattern.items[i].num);
  strbuf_puts(out, view->pattern.count == 1 ? ",)" : ")");
}

// Elements of the view's dtype in the tensor, and in one partition of it.
static int64_t storage_elements(const View *view)
{
  return (int64_t)(tensor_bytes(view->tensor) / dtype_bytes(view_dtype(view)));
}

static int64_t partition_elements(const View *view)
{
  return (int64_t)(view->tensor->free_elements * dtype_bytes(view->tensor->dtype) / dtype_bytes(view_dtype(view)));
}

// ---- interning

static uint64_t mix(uint64_t hash, uint64_t value)
{
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

static uint64_t view_hash(const View *view)
{
  uint64_t hash = mix((uintptr_t)view->tensor, view->offset);
  hash = mix(hash, view->dtype_override.some ? 1u + (unsigned)view->dtype_override.value : 0u);
  for (uint32_t i = 0; i < view->pattern.count; i++)
    hash = mix(hash, (uint64_t)(uint32_t)view->pattern.items[i].step << 32 | view->pattern.items[i].num);
  return hash >> 20;
}

// Only for views without run-time offsets.
static bool view_same(const View *a, const View *b)
{
  if (a->tensor != b->tensor || a->offset != b->offset || a->pattern.count != b->pattern.count ||
      a->dtype_override.some != b->dtype_override.some ||
      (a->dtype_override.some && a->dtype_override.value != b->dtype_override.value))
    return false;
  for (uint32_t i = 0; i < a->pattern.count; i++)
    if (a->pattern.items[i].step != b->pattern.items[i].step || a->pattern.items[i].num != b->pattern.items[i].num)
      return false;
  return true;
}

static void slots_grow(Views *views)
{
  size_t capacity = views->capacity ? views->capacity * 2 : 64;
  const View **slots = arena_array(views->scratch, const View *, capacity);
  for (size_t i = 0; i < views->capacity; i++) {
    if (!views->slots[i])
      continue;
    size_t at = view_hash(views->slots[i]) & (capacity - 1);
    while (slots[at])
      at = (at + 1) & (capacity - 1);
    slots[at] = views->slots[i];
  }
  views->slots = slots;
  views->capacity = capacity;
}

static const View *copy_view(Arena *arena, const View *view)
{
  View *copy = arena_new(arena, View);
  *copy = *view;
  copy->pattern.items = arena_array(arena, ApPair, view->pattern.count);
  memcpy(copy->pattern.items, view->pattern.items, view->pattern.count * sizeof(ApPair));
  return copy;
}

static const View *intern(Views *views, const View *view)
{
  if (view_is_indirect(view))
    return copy_view(views->arena, view);
  if (views->count * 2 >= views->capacity)
    slots_grow(views);
  size_t at = view_hash(view) & (views->capacity - 1);
  while (views->slots[at] && !view_same(views->slots[at], view))
    at = (at + 1) & (views->capacity - 1);
  if (!views->slots[at]) {
    views->slots[at] = copy_view(views->arena, view);
    views->count++;
  }
  return views->slots[at];
}

static Layout layout_of(const View *view)
{
  Layout layout = {.offset = (int64_t)view->offset, .rank = view->pattern.count};
  for (uint32_t i = 0; i < layout.rank; i++) {
    layout.step[i] = view->pattern.items[i].step;
    layout.num[i] = view->pattern.items[i].num;
  }
  return layout;
}

// `proto` with another offset and pattern. Faults when the numbers do not fit the format.
static const View *with_layout(Views *views, const View *proto, const Layout *layout)
{
  ApPair pairs[VIEW_RANK_MAX];
  View view = *proto;
  for (uint32_t i = 0; i < layout->rank; i++) {
    if (layout->step[i] < INT32_MIN || layout->step[i] > INT32_MAX || layout->num[i] > UINT32_MAX)
      return fault(views, E_VIEW_LAYOUT, "split the tensor, or reshape it to smaller dimensions",
                   "a step of %lld elements and a count of %lld do not fit an access pattern (32 bits)",
                   (long long)layout->step[i], (long long)layout->num[i]);
    pairs[i] = (ApPair){(int32_t)layout->step[i], (uint32_t)layout->num[i], 0};
  }
  view.offset = (uint64_t)layout->offset;
  view.pattern.items = pairs;
  view.pattern.count = layout->rank;
  return intern(views, &view);
}

const View *views_whole(Views *views, const Tensor *tensor)
{
  uint32_t rank = tensor_rank(tensor);
  if (rank > VIEW_RANK_MAX)
    return fault(views, E_VIEW_ARGUMENT, NULL, "a tensor of %u dimensions; at most %d are possible", rank,
                 VIEW_RANK_MAX);
  Layout layout = {.rank = rank};
  View proto = {.tensor = tensor};
  for (uint32_t i = 0; i < rank; i++) {
    layout.step[i] = tensor_stride(tensor, i);
    layout.num[i] = (int64_t)tensor_dim(tensor, i);
  }
  return with_layout(views, &proto, &layout);
}

// ---- checks that several operations share

// Python's counting from the end. `limit` is the first number that is too large.
static bool find_dim(Views *views, const View *view, int64_t dim, int64_t limit, uint32_t *out)
{
  int64_t found = dim < 0 ? dim + limit : dim;
  if (found < 0 || found >= limit) {
    fault(views, E_VIEW_ARGUMENT, NULL, "dimension %lld of a tensor of shape %s", (long long)dim,
          shape_text(views, view));
    return false;
  }
  *out = (uint32_t)found;
  return true;
}

// Dimension 0 may not be touched by `what`.
static bool first_dim_free(Views *views, const View *view, uint32_t dim, const char *what)
{
  if (view->vector_offset && (dim == 0 || view_is_on_chip(view))) {
    fault(views, E_VIEW_INDIRECT, "take the view first and gather last", "`%s` of the dimension that is gathered", what);
    return false;
  }
  if (dim == 0 && view_is_on_chip(view)) {
    fault(views, E_VIEW_PARTITION, partition_help, "`%s` of the partition dimension of a tensor of shape %s", what,
          shape_text(views, view));
    return false;
  }
  return true;
}

static bool rank_fits(Views *views, uint32_t rank)
{
  if (rank <= VIEW_RANK_MAX)
    return true;
  fault(views, E_VIEW_ARGUMENT, NULL, "a view of %u dimensions; at most %d are possible", rank, VIEW_RANK_MAX);
  return false;
}

static void layout_insert(Layout *layout, uint32_t dim, int64_t step, int64_t num)
{
  for (uint32_t i = layout->rank++; i > dim; i--) {
    layout->step[i] = layout->step[i - 1];
    layout->num[i] = layout->num[i - 1];
  }
  layout->step[dim] = step;
  layout->num[dim] = num;
}

static void layout_remove(Layout *layout, uint32_t dim)
{
  layout->rank--;
  for (uint32_t i = dim; i < layout->rank; i++) {
    layout->step[i] = layout->step[i + 1];
    layout->num[i] = layout->num[i + 1];
  }
}

// The step a dimension of size 1 gets before dimension `dim`: as if the tensor were row-major there.
static int64_t unit_step(const Layout *layout, uint32_t dim)
{
  return dim < layout->rank ? layout->step[dim] * layout->num[dim] : 1;
}

// ---- run-time offsets

// `view` addressed from a run-time index times `step` elements further on. `offset` is used as it is.
static const View *with_runtime(Views *views, const View *view, int64_t step, const ScalarOffset *offset)
{
  if (view_is_indirect(view))
    return fault(views, E_VIEW_INDIRECT, "add the indices in a register or tensor first",
                 "a second run-time index in one view");
  View made = *view;
  made.scalar_offset = offset;
  const Tensor *tensor = view->tensor;
  if (!view->dtype_override.some)
    for (uint32_t i = view_is_on_chip(view) ? 1 : 0; i < tensor_rank(tensor); i++)
      if (tensor_stride(tensor, i) == step) {
        made.indirect_dim = (int32_t)i;
        return copy_view(views->arena, &made);
      }
  int64_t room = view_is_on_chip(view) ? partition_elements(view) : storage_elements(view);
  if (step <= 0 || room % step != 0)
    return fault(views, E_VIEW_INDIRECT, "index the tensor before slicing it with a step, or use `.ap`",
                 "a run-time index that moves by %lld elements is no dimension of tensor `%s`", (long long)step,
                 tensor->name);
  Shape *shape = arena_new(views->arena, Shape);
  uint32_t free_dims = view_is_on_chip(view) ? 2 : 1;
  shape->free_dims.items = arena_array(views->arena, uint64_t, free_dims);
  shape->free_dims.count = free_dims;
  shape->par_dim = view_is_on_chip(view) ? tensor->shape.par_dim : (uint64_t)(room / step);
  shape->free_dims.items[free_dims - 1] = (uint64_t)step;
  if (free_dims == 2)
    shape->free_dims.items[0] = (uint64_t)(room / step);
  made.tensor = views->alias(views->alias_context, tensor, view_dtype(view), shape);
  made.dtype_override = (Core_OPT_DTYPE){0};
  made.indirect_dim = (int32_t)free_dims - 1;
  return copy_view(views->arena, &made);
}

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
    fault(views, E_INDEX_FORM, "use `.ap` for a pattern that runs backwards", "a slice with step %lld",
          (long long)item->step);
    return false;
  }
  start += start < 0 ? size : 0;
  stop += stop < 0 ? size : 0;
  if (start < 0 || start > size || stop < 0 || stop > size) {
    const char *help = arena_printf(views->scratch, "the end can be clipped with `min(..., %lld)`", (long long)size);
    fault(views, E_INDEX_RANGE, help, "slice %lld:%lld of dimension %u, which has size %lld",
          (long long)(item->has_start ? item->start : 0), (long long)(item->has_stop ? item->stop : size), dim,
          (long long)size);
    return false;
  }
  if (start >= stop) {
    fault(views, E_INDEX_RANGE, NULL, "slice %lld:%lld of dimension %u has no elements", (long long)start,
          (long long)stop, dim);
    return false;
  }
  *first = start;
  *count = (stop - start + item->step - 1) / item->step;
  return true;
}

static bool int_in_range(Views *views, const View *view, uint32_t dim, int64_t index, int64_t *out)
{
  int64_t size = view_dim(view, dim);
  *out = index < 0 ? index + size : index;
  if (*out >= 0 && *out < size)
    return true;
  fault(views, E_INDEX_RANGE, NULL, "index %lld of dimension %u, which has size %lld", (long long)index, dim,
        (long long)size);
  return false;
}

// What indexing builds up: the new layout, dimensions that an int took away, and the run-time index.
typedef struct Indexing {
  Layout layout;
  int64_t dropped_step;
  uint32_t dropped_at;  // where the last one stood among the kept ones
  bool dropped;
  const ScalarOffset *runtime;
  int64_t runtime_step;
} Indexing;

static bool indexing_push(Views *views, Indexing *at, int64_t step, int64_t num)
{
  if (!rank_fits(views, at->layout.rank + 1))
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
    fault(views, E_VIEW_PARTITION, "move the data to partition 0 by DMA, or index a free dimension",
          "a run-time index of the partition dimension");
    return false;
  }
  if (at->runtime || view_is_indirect(view)) {
    fault(views, E_VIEW_INDIRECT, "add the indices in a register or tensor first",
          "a second run-time index in one view");
    return false;
  }
  at->runtime = item->runtime;
  at->runtime_step = step;
  if (item->kind == VIEW_INDEX_RUNTIME)
    return indexing_drop(views, at, view, dim, step);
  if (item->size < 1 || item->size > size) {
    fault(views, E_INDEX_RANGE, NULL, "%lld elements of dimension %u, which has size %lld", (long long)item->size, dim,
          (long long)size);
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
    return first_dim_free(views, view, dim, "index");
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
  const View *made = with_layout(views, view, &at->layout);
  return made && at->runtime ? with_runtime(views, made, at->runtime_step, at->runtime) : made;
}

const View *views_index(Views *views, const View *view, const ViewIndex *items, uint32_t count)
{
  static const ViewIndex all = {.kind = VIEW_INDEX_SLICE, .step = 1};
  uint32_t ellipses, dims = indexed_dims(items, count, &ellipses), rank = view_rank(view);
  if (ellipses > 1)
    return fault(views, E_INDEX_FORM, NULL, "more than one `...` in an index");
  if (dims > rank)
    return fault(views, E_INDEX_FORM, NULL, "%u indices for a tensor of shape %s", dims, shape_text(views, view));
  Indexing at = {.layout.offset = (int64_t)view->offset};
  uint32_t dim = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (items[i].kind == VIEW_INDEX_NEW_AXIS) {
      if (dim == 0 && !first_dim_free(views, view, 0, "None before"))
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
  if (!find_dim(views, view, dim, view_rank(view), &at))
    return NULL;
  for (uint32_t i = 0; i < at; i++)
    items[i] = (ViewIndex){.kind = VIEW_INDEX_SLICE, .step = 1};
  items[at] = *item;
  return views_index(views, view, items, at + 1);
}

const View *views_slice(Views *views, const View *view, int64_t dim, int64_t start, int64_t end, int64_t step)
{
  if (start < 0 || end < 0)
    return fault(views, E_INDEX_RANGE, "indexing, `t[start:end]`, counts from the end", "`slice` from %lld to %lld",
                 (long long)start, (long long)end);
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

static const Access *access_of(Views *views, const View *view)
{
  Access *access = arena_new(views->arena, Access);
  *access = (Access){.ctor = Access_view, .view = view};
  return access;
}

// A column of indices: one element in each partition of SBUF.
static bool is_index_column(Views *views, const View *index)
{
  if (index->tensor->address->memory == MEMORY_SBUF && view_elements(index) == index->pattern.items[0].num)
    return true;
  fault(views, E_VIEW_INDIRECT, "use a tensor of shape (P, 1) in SBUF",
        "a vector of indices of shape %s in %s", shape_text(views, index),
        index->tensor->address->memory == MEMORY_SBUF ? "SBUF" : "another memory");
  return false;
}

const View *views_vector_select(Views *views, const View *view, int64_t dim, const View *index)
{
  if (view_is_on_chip(view))
    return fault(views, E_VIEW_INDIRECT, "`nisa.nc_n_gather` gathers in SBUF", "`vector_select` of a tensor on chip");
  if (dim != 0)
    return fault(views, E_VIEW_INDIRECT, "permute the dimension to the front", "`vector_select` of dimension %lld",
                 (long long)dim);
  if (!is_index_column(views, index))
    return NULL;
  // The stride of dimension 0 is that of the tensor which the view names, so borrow the machinery of one run-time index.
  static const ScalarOffset none = {.ctor = ScalarOffset_reg, .reg = ""};
  const View *strided = with_runtime(views, view, view->pattern.items[0].step, &none);
  if (!strided)
    return NULL;
  View made = *strided;
  made.scalar_offset = NULL;
  made.vector_offset = access_of(views, index);
  Layout layout = layout_of(strided);
  layout.num[0] = view_dim(index, 0);
  if (made.indirect_dim != 0)
    return fault(views, E_VIEW_INDIRECT, "reshape the tensor to two dimensions first",
                 "rows of %lld elements are not dimension 0 of tensor `%s`", (long long)layout.step[0],
                 view->tensor->name);
  return with_layout(views, &made, &layout);
}

// ---- moving dimensions

const View *views_permute(Views *views, const View *view, const int64_t *dims, uint32_t count)
{
  Layout from = layout_of(view), to = from;
  bool seen[VIEW_RANK_MAX] = {false};
  for (uint32_t i = 0; i < count && count == from.rank; i++) {
    uint32_t dim;
    if (!find_dim(views, view, dims[i], from.rank, &dim))
      return NULL;
    if (seen[dim])
      return fault(views, E_VIEW_ARGUMENT, NULL, "`permute` names dimension %u twice: %s", dim,
                   sizes_text(views, dims, count));
    seen[dim] = true;
    if (i == 0 && dim != 0 && !first_dim_free(views, view, 0, "permute"))
      return NULL;
    to.step[i] = from.step[dim];
    to.num[i] = from.num[dim];
  }
  if (count != from.rank)
    return fault(views, E_VIEW_ARGUMENT, NULL, "`permute` by %s of a tensor of %u dimensions",
                 sizes_text(views, dims, count), from.rank);
  return with_layout(views, view, &to);
}

const View *views_broadcast(Views *views, const View *view, int64_t dim, int64_t size)
{
  uint32_t at;
  if (!find_dim(views, view, dim, view_rank(view), &at) || !first_dim_free(views, view, at, "broadcast"))
    return NULL;
  if (view_dim(view, at) != 1 || size < 1)
    return fault(views, E_VIEW_ARGUMENT, "only a dimension of size 1 can be repeated",
                 "`broadcast` of dimension %u to %lld, of a tensor of shape %s", at, (long long)size,
                 shape_text(views, view));
  Layout layout = layout_of(view);
  layout.step[at] = size == 1 ? layout.step[at] : 0;
  layout.num[at] = size;
  return with_layout(views, view, &layout);
}

const View *views_broadcast_to(Views *views, const View *view, const int64_t *sizes, uint32_t count)
{
  if (count != view_rank(view))
    return fault(views, E_VIEW_ARGUMENT, "insert dimensions with `expand_dim` first", "a tensor of shape %s as %s",
                 shape_text(views, view), sizes_text(views, sizes, count));
  for (uint32_t i = 0; i < count && view; i++)
    if (sizes[i] != view_dim(view, i))
      view = views_broadcast(views, view, i, sizes[i]);
  return view;
}

const View *views_repeat_partition(Views *views, const View *view, int64_t count)
{
  if (view_dim(view, 0) != 1 || count < 1 || view->vector_offset)
    return fault(views, E_VIEW_ARGUMENT, "only a dimension of size 1 can be repeated",
                 "the partition of a tensor of shape %s repeated %lld times", shape_text(views, view), (long long)count);
  Layout layout = layout_of(view);
  layout.step[0] = count == 1 ? layout.step[0] : 0;
  layout.num[0] = count;
  return with_layout(views, view, &layout);
}

const View *views_expand_dim(Views *views, const View *view, int64_t dim)
{
  uint32_t at;
  if (!find_dim(views, view, dim, (int64_t)view_rank(view) + 1, &at) ||
      !first_dim_free(views, view, at, "expand_dim") || !rank_fits(views, view_rank(view) + 1))
    return NULL;
  Layout layout = layout_of(view);
  layout_insert(&layout, at, unit_step(&layout, at), 1);
  return with_layout(views, view, &layout);
}

const View *views_squeeze_dim(Views *views, const View *view, int64_t dim)
{
  uint32_t at, least = view_is_on_chip(view) ? 2 : 1;
  if (!find_dim(views, view, dim, view_rank(view), &at) || !first_dim_free(views, view, at, "squeeze_dim"))
    return NULL;
  if (view_dim(view, at) != 1 || view_rank(view) <= least)
    return fault(views, E_VIEW_ARGUMENT, view_dim(view, at) != 1 ? "select one index with `select` or `[...]`" : NULL,
                 "`squeeze_dim` of dimension %u of a tensor of shape %s%s", at, shape_text(views, view),
                 view_dim(view, at) == 1 ? ", which has no dimension to spare" : "");
  Layout layout = layout_of(view);
  layout_remove(&layout, at);
  return with_layout(views, view, &layout);
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
  if (!find_dim(views, view, dim, view_rank(view), &at) || !rank_fits(views, view_rank(view) + count) || count == 0)
    return count == 0 ? fault(views, E_VIEW_ARGUMENT, NULL, "`reshape_dim` to no sizes at all") : NULL;
  if (!infer_sizes(sizes, count, view_dim(view, at), split))
    return fault(views, E_VIEW_ARGUMENT, NULL, "`reshape_dim` of dimension %u, of size %lld, to %s", at,
                 (long long)view_dim(view, at), sizes_text(views, sizes, count));
  if (count == 1)
    return view;
  if (!first_dim_free(views, view, at, "reshape_dim"))
    return NULL;
  Layout layout = layout_of(view);
  int64_t step = layout.step[at];
  layout.num[at] = split[count - 1];
  for (uint32_t i = count - 1; i-- > 0;) {
    step *= split[i + 1];
    layout_insert(&layout, at, step, split[i]);
  }
  return with_layout(views, view, &layout);
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
  if (!find_dim(views, view, first, view_rank(view), &from) || !find_dim(views, view, last, view_rank(view), &to))
    return NULL;
  if (from > to)
    return fault(views, E_VIEW_ARGUMENT, NULL, "`flatten_dims` from %u to %u", from, to);
  if (!first_dim_free(views, view, from, "flatten_dims"))
    return NULL;
  Layout layout = layout_of(view);
  if (!layout_merge(&layout, from, to))
    return fault(views, E_VIEW_LAYOUT, "copy the view into a new tensor first",
                 "dimensions %u to %u of this view of shape %s do not follow each other in memory", from, to,
                 shape_text(views, view));
  return with_layout(views, view, &layout);
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
  if (!rank_fits(views, count))
    return NULL;
  if (count == 0 || !infer_sizes(sizes, count, (int64_t)view_elements(view), wanted))
    return fault(views, E_VIEW_ARGUMENT, NULL, "`reshape` of a tensor of shape %s, %llu elements, to %s",
                 shape_text(views, view), (unsigned long long)view_elements(view), sizes_text(views, sizes, count));
  if (view->vector_offset && view_is_on_chip(view))
    return first_dim_free(views, view, 1, "reshape") ? view : NULL;
  if (fixed_first && (wanted[0] != view_dim(view, 0) || (count < 2 && view_is_on_chip(view))))
    return fault(views, E_VIEW_PARTITION, partition_help, "`reshape` of a tensor of shape %s to %s",
                 shape_text(views, view), sizes_text(views, wanted, count));
  Layout old = layout_of(view), made = {.offset = old.offset};
  uint32_t kept = fixed_first ? 1 : 0;
  if (fixed_first) {
    made.rank = 1;
    made.step[0] = old.step[0];
    made.num[0] = old.num[0];
  }
  if (!layout_regroup(&old, kept, wanted + kept, count - kept, &made))
    return fault(views, E_VIEW_LAYOUT, "copy the view into a new tensor first",
                 "`reshape` to %s of a view of shape %s whose dimensions do not follow each other in memory",
                 sizes_text(views, wanted, count), shape_text(views, view));
  return with_layout(views, view, &made);
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
    return fault(views, E_VIEW_ARGUMENT, "both patterns name the same dimensions, the first all of the tensor's",
                 "`rearrange` from %u dimensions (%u names) to %u names, of a tensor of shape %s", from->group_count,
                 from->name_count, to->name_count, shape_text(views, view));
  if (!rank_fits(views, from->name_count) || !(view = rearrange_split(views, view, from, sizes, size_count)))
    return NULL;
  for (uint32_t i = 0; i < to->name_count; i++) {
    uint32_t at;
    if (!find_name(from, to->names[i], &at))
      return fault(views, E_VIEW_ARGUMENT, NULL, "`rearrange` to dimension `%.*s`, which the first pattern does not name",
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
  Layout layout = layout_of(view);
  uint32_t last = layout.rank - 1;
  if (view_is_indirect(view))
    return fault(views, E_VIEW_INDIRECT, "reinterpret first and index last", "`view` of a run-time indexed tensor");
  if (old_bytes != new_bytes && layout.num[last] != 1 && layout.step[last] != 1)
    return fault(views, E_VIEW_DTYPE, "copy the view into a new tensor first",
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
    return fault(views, E_VIEW_DTYPE, NULL,
                 "`view(%s)` of a %s tensor of shape %s: sizes and steps are no multiples of %lld elements",
                 dtype_name(dtype), dtype_name(view_dtype(view)), shape_text(views, view),
                 (long long)(new_bytes / old_bytes));
  if (old_bytes < new_bytes)
    layout.step[last] = 1;
  View made = *view;
  made.dtype_override = override_for(view->tensor, dtype);
  return with_layout(views, &made, &layout);
}

// ---- raw patterns

// Every element of `layout` lies in the tensor, and on chip inside its partition.
static bool pattern_in_bounds(Views *views, const View *view, const Layout *layout)
{
  int64_t lowest = layout->offset, highest = layout->offset, total = storage_elements(view);
  for (uint32_t i = 0; i < layout->rank; i++)
    *(layout->step[i] < 0 ? &lowest : &highest) += layout->step[i] * (layout->num[i] - 1);
  if (lowest < 0 || highest >= total) {
    fault(views, E_VIEW_BOUNDS, NULL, "the pattern reaches element %lld of tensor `%s`, which has %lld",
          (long long)(lowest < 0 ? lowest : highest), view->tensor->name, (long long)total);
    return false;
  }
  if (!view_is_on_chip(view))
    return true;
  int64_t row = partition_elements(view), least = layout->offset % row, most = least;
  if (layout->num[0] > 1 && layout->step[0] % row != 0) {
    fault(views, E_VIEW_BOUNDS, "the first pair of a pattern on chip is [elements of one partition, partitions]",
          "the first step is %lld, but a partition of tensor `%s` has %lld elements", (long long)layout->step[0],
          view->tensor->name, (long long)row);
    return false;
  }
  for (uint32_t i = 1; i < layout->rank; i++)
    *(layout->step[i] < 0 ? &least : &most) += layout->step[i] * (layout->num[i] - 1);
  if (least >= 0 && most < row)
    return true;
  fault(views, E_VIEW_BOUNDS, NULL, "the pattern reaches element %lld of a partition of tensor `%s`, which has %lld",
        (long long)(least < 0 ? least : most), view->tensor->name, (long long)row);
  return false;
}

static bool ap_runtime(Views *views, const View *view, const ViewPattern *pattern, View *made)
{
  int64_t limit = tensor_rank(view->tensor);
  if (!pattern->scalar && !pattern->vector)
    return true;
  if (pattern->scalar && pattern->vector) {
    fault(views, E_VIEW_INDIRECT, NULL, "both `scalar_offset` and `vector_offset`");
    return false;
  }
  if (pattern->indirect_dim < 0 || pattern->indirect_dim >= limit ||
      (pattern->indirect_dim == 0 && view_is_on_chip(view))) {
    fault(views, E_VIEW_INDIRECT, NULL, "`indirect_dim=%lld` of tensor `%s`, which has %lld dimensions%s",
          (long long)pattern->indirect_dim, view->tensor->name, (long long)limit,
          view_is_on_chip(view) ? "; the partition cannot be indexed at run time" : "");
    return false;
  }
  made->indirect_dim = (int32_t)pattern->indirect_dim;
  made->scalar_offset = pattern->scalar;
  if (!pattern->vector)
    return true;
  if (pattern->indirect_dim != 0) {
    fault(views, E_VIEW_INDIRECT, NULL, "`vector_offset` with `indirect_dim=%lld`; only dimension 0 of a tensor in HBM "
          "can be gathered", (long long)pattern->indirect_dim);
    return false;
  }
  if (!is_index_column(views, pattern->vector))
    return false;
  if (view_dim(pattern->vector, 0) != pattern->pairs[0][1]) {
    fault(views, E_VIEW_INDIRECT, NULL, "%lld indices for a pattern of %lld rows",
          (long long)view_dim(pattern->vector, 0), (long long)pattern->pairs[0][1]);
    return false;
  }
  made->vector_offset = access_of(views, pattern->vector);
  return true;
}

const View *views_ap(Views *views, const View *view, const ViewPattern *pattern)
{
  View made = {.tensor = view->tensor};
  DType dtype = pattern->dtype ? *pattern->dtype : view_dtype(view);
  int64_t offset = (int64_t)view->offset * dtype_bytes(view_dtype(view));
  if (!rank_fits(views, pattern->count))
    return NULL;
  if (pattern->count == 0)
    return fault(views, E_VIEW_ARGUMENT, NULL, "an empty access pattern");
  if (!pattern->offset && offset % dtype_bytes(dtype) != 0)
    return fault(views, E_VIEW_DTYPE, "pass `offset=` in elements of the new dtype",
                 "the offset of this view is no multiple of a %s", dtype_name(dtype));
  made.dtype_override = override_for(view->tensor, dtype);
  Layout layout = {.offset = pattern->offset ? *pattern->offset : offset / dtype_bytes(dtype), .rank = pattern->count};
  for (uint32_t i = 0; i < pattern->count; i++) {
    layout.step[i] = pattern->pairs[i][0];
    layout.num[i] = pattern->pairs[i][1];
    if (layout.num[i] < 1 || layout.num[i] > UINT32_MAX || layout.step[i] < INT32_MIN || layout.step[i] > INT32_MAX)
      return fault(views, E_VIEW_ARGUMENT, NULL, "pair [%lld, %lld] of a pattern; a pair is [step, count] with a count of "
                   "at least 1", (long long)layout.step[i], (long long)layout.num[i]);
  }
  if (!pattern_in_bounds(views, &made, &layout) || !ap_runtime(views, view, pattern, &made))
    return NULL;
  return with_layout(views, &made, &layout);
}

const View *views_indirect(Views *views, const View *view, const View *index, int64_t elements)
{
  if (!view_is_on_chip(view) || view_is_indirect(view))
    return fault(views, E_VIEW_INDIRECT, NULL, "`indirect` of a tensor %s",
                 view_is_on_chip(view) ? "that is run-time indexed already" : "in HBM");
  if (index->tensor->address->memory != MEMORY_SBUF || view_rank(index) != 2 || view_dim(index, 0) != view_dim(view, 0))
    return fault(views, E_VIEW_INDIRECT, "the index is a tensor of shape (P, K) in SBUF, with P partitions as the data",
                 "`indirect` of a tensor of shape %s by indices of shape %s", shape_text(views, view),
                 shape_text(views, index));
  if (!view_is_contiguous(view))
    return fault(views, E_VIEW_LAYOUT, NULL, "`indirect` of a view whose free dimensions are not contiguous");
  View made = *view;
  Layout layout = layout_of(view);
  layout.rank = 2;
  layout.step[1] = 1;
  layout.num[1] = elements > 0 ? elements : view_dim(index, 1);
  made.vector_offset = access_of(views, index);
  made.indirect_dim = 1;
  return with_layout(views, &made, &layout);
}
