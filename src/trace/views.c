// views.c -- views of views: each operation works on a Layout of the stack and interns the View that comes out.

#include "trace/views_internal.h"
#include <string.h>

const View *view_fault(Views *views, DiagCode code, const char *help, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  views->fault = (ViewFault){code, arena_vprintf(views->scratch, format, args), help};
  va_end(args);
  return NULL;
}

const char *view_shape_text(Views *views, const View *view)
{
  StrBuf text = strbuf_new(views->scratch);
  view_add_shape(&text, view);
  return strbuf_cstr(&text);
}

const char *view_sizes_text(Views *views, const int64_t *sizes, uint32_t count)
{
  StrBuf text = strbuf_new(views->scratch);
  strbuf_putc(&text, '(');
  for (uint32_t i = 0; i < count; i++)
    strbuf_printf(&text, i == 0 ? "%lld" : ", %lld", (long long)sizes[i]);
  strbuf_puts(&text, count == 1 ? ",)" : ")");
  return strbuf_cstr(&text);
}

const char *const view_partition_help =
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
int64_t view_storage_elements(const View *view)
{
  return (int64_t)(tensor_bytes(view->tensor) / dtype_bytes(view_dtype(view)));
}

int64_t view_partition_elements(const View *view)
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
  uint64_t hash = mix(mix(0, (uintptr_t)view->tensor), view->offset);  // not at once: one's bits would cancel the other's
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

// Where a view of that hash is, or belongs.
static ViewSlot *find_slot(const Views *views, uint64_t hash, const View *view)
{
  size_t mask = views->capacity - 1, at = hash & mask;
  while (views->slots[at].node && (views->slots[at].hash != hash || !view || !view_same(&views->slots[at].node->view, view)))
    at = (at + 1) & mask;
  return &views->slots[at];
}

static void slots_grow(Views *views)
{
  ViewSlot *old = views->slots;
  size_t count = views->capacity;
  views->capacity = count ? count * 4 : 64;  // of old tables, which stay in the arena, little is then left
  views->slots = arena_array(views->scratch, ViewSlot, views->capacity);
  for (size_t i = 0; i < count; i++)
    if (old[i].node)
      *find_slot(views, old[i].hash, NULL) = old[i];
}

static ViewNode *new_node(Arena *arena, const View *view)
{
  size_t pattern_bytes = view->pattern.count * sizeof(ApPair);
  ViewNode *node = arena_alloc(arena, sizeof *node + pattern_bytes);
  node->view = *view;
  node->view.pattern.items = node->pattern;
  memcpy(node->pattern, view->pattern.items, pattern_bytes);
  return node;
}

const View *view_copy(Arena *arena, const View *view)
{
  return &new_node(arena, view)->view;
}

static const View *intern(Views *views, const View *view)
{
  if (view_is_indirect(view))
    return view_copy(views->arena, view);
  if (views->count * 4 >= views->capacity * 3)
    slots_grow(views);
  uint64_t hash = view_hash(view);
  ViewSlot *slot = find_slot(views, hash, view);
  if (!slot->node) {
    *slot = (ViewSlot){hash, new_node(views->arena, view)};
    views->count++;
  }
  return &slot->node->view;
}

Layout view_layout(const View *view)
{
  Layout layout = {.offset = (int64_t)view->offset, .rank = view->pattern.count};
  for (uint32_t i = 0; i < layout.rank; i++) {
    layout.step[i] = view->pattern.items[i].step;
    layout.num[i] = view->pattern.items[i].num;
  }
  return layout;
}

// `proto` with another offset and pattern. Faults when the numbers do not fit the format.
const View *view_with_layout(Views *views, const View *proto, const Layout *layout)
{
  ApPair pairs[VIEW_RANK_MAX];
  View view = *proto;
  for (uint32_t i = 0; i < layout->rank; i++) {
    if (layout->step[i] < INT32_MIN || layout->step[i] > INT32_MAX || layout->num[i] > UINT32_MAX)
      return view_fault(views, E_VIEW_LAYOUT, "split the tensor, or reshape it to smaller dimensions",
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
    return view_fault(views, E_VIEW_ARGUMENT, NULL, "a tensor of %u dimensions; at most %d are possible", rank,
                      VIEW_RANK_MAX);
  Layout layout = {.rank = rank};
  View proto = {.tensor = tensor};
  for (uint32_t i = 0; i < rank; i++) {
    layout.step[i] = tensor_stride(tensor, i);
    layout.num[i] = (int64_t)tensor_dim(tensor, i);
  }
  return view_with_layout(views, &proto, &layout);
}

// ---- checks that several operations share

// Python's counting from the end. `limit` is the first number that is too large.
bool view_find_dim(Views *views, const View *view, int64_t dim, int64_t limit, uint32_t *out)
{
  int64_t found = dim < 0 ? dim + limit : dim;
  if (found < 0 || found >= limit) {
    view_fault(views, E_VIEW_ARGUMENT, NULL, "dimension %lld of a tensor of shape %s", (long long)dim,
               view_shape_text(views, view));
    return false;
  }
  *out = (uint32_t)found;
  return true;
}

// Dimension 0 may not be touched by `what`.
bool view_dim_is_free(Views *views, const View *view, uint32_t dim, const char *what)
{
  if (view->vector_offset && (dim == 0 || view_is_on_chip(view))) {
    view_fault(views, E_VIEW_INDIRECT, "take the view first and gather last", "`%s` of the dimension that is gathered",
               what);
    return false;
  }
  if (dim == 0 && view_is_on_chip(view)) {
    view_fault(views, E_VIEW_PARTITION, view_partition_help, "`%s` of the partition dimension of a tensor of shape %s",
               what, view_shape_text(views, view));
    return false;
  }
  return true;
}

bool view_rank_fits(Views *views, uint32_t rank)
{
  if (rank <= VIEW_RANK_MAX)
    return true;
  view_fault(views, E_VIEW_ARGUMENT, NULL, "a view of %u dimensions; at most %d are possible", rank, VIEW_RANK_MAX);
  return false;
}

void layout_insert(Layout *layout, uint32_t dim, int64_t step, int64_t num)
{
  for (uint32_t i = layout->rank++; i > dim; i--) {
    layout->step[i] = layout->step[i - 1];
    layout->num[i] = layout->num[i - 1];
  }
  layout->step[dim] = step;
  layout->num[dim] = num;
}

void layout_remove(Layout *layout, uint32_t dim)
{
  layout->rank--;
  for (uint32_t i = dim; i < layout->rank; i++) {
    layout->step[i] = layout->step[i + 1];
    layout->num[i] = layout->num[i + 1];
  }
}

// ---- run-time offsets

// `view` addressed from a run-time index times `step` elements further on. `offset` is used as it is.
const View *view_with_runtime(Views *views, const View *view, int64_t step, const ScalarOffset *offset)
{
  if (view_is_indirect(view))
    return view_fault(views, E_VIEW_INDIRECT, "add the indices in a register or tensor first",
                      "a second run-time index in one view");
  View made = *view;
  made.scalar_offset = offset;
  const Tensor *tensor = view->tensor;
  if (!view->dtype_override.some)
    for (uint32_t i = view_is_on_chip(view) ? 1 : 0; i < tensor_rank(tensor); i++)
      if (tensor_stride(tensor, i) == step) {
        made.indirect_dim = (int32_t)i;
        return view_copy(views->arena, &made);
      }
  int64_t room = view_is_on_chip(view) ? view_partition_elements(view) : view_storage_elements(view);
  if (step <= 0 || room % step != 0)
    return view_fault(views, E_VIEW_INDIRECT, "index the tensor before slicing it with a step, or use `.ap`",
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
  return view_copy(views->arena, &made);
}

const Access *view_as_access(Views *views, const View *view)
{
  Access *access = arena_new(views->arena, Access);
  *access = (Access){.ctor = Access_view, .view = view};
  return access;
}

// A column of indices: one element in each partition of SBUF.
bool view_is_index_column(Views *views, const View *index)
{
  if (index->tensor->address->memory == MEMORY_SBUF && view_elements(index) == index->pattern.items[0].num &&
      index->pattern.items[0].num > 0)
    return true;
  view_fault(views, E_VIEW_INDIRECT, "use a tensor of shape (P, 1) in SBUF", "a vector of indices of shape %s in %s",
             view_shape_text(views, index), index->tensor->address->memory == MEMORY_SBUF ? "SBUF" : "another memory");
  return false;
}
