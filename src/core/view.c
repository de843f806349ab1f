// view.c -- operands as views: the element addresses that an access stands for.

#include "core/core.h"

uint64_t tensor_elements(const Tensor *tensor)
{
  uint64_t count = tensor->shape.par_dim;
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    count *= tensor->shape.free_dims.items[i];
  return count;
}

uint64_t tensor_bytes(const Tensor *tensor)
{
  return tensor_elements(tensor) * dtype_bytes(tensor->dtype);
}

DType view_dtype(const View *view)
{
  return view->dtype_override.some ? view->dtype_override.value : view->tensor->dtype;
}

uint64_t view_elements(const View *view)
{
  uint64_t count = 1;
  for (uint32_t i = 0; i < view->pattern.count; i++)
    count *= view->pattern.items[i].num;
  return count;
}

bool view_extent(const View *view, int64_t *lowest, int64_t *highest)
{
  *lowest = *highest = (int64_t)view->offset;
  for (uint32_t i = 0; i < view->pattern.count; i++) {
    const ApPair *pair = &view->pattern.items[i];
    if (pair->num == 0)
      return false;
    int64_t reach = (int64_t)pair->step * (int64_t)(pair->num - 1);
    *(reach < 0 ? lowest : highest) += reach;
  }
  return true;
}

// The size of dimension `dim` of the tensor's shape; dimension 0 is the partition.
static uint64_t dim_size(const Tensor *tensor, uint32_t dim)
{
  return dim == 0 ? tensor->shape.par_dim : tensor->shape.free_dims.items[dim - 1];
}

static View *new_view(Arena *arena, const Tensor *tensor, uint32_t rank)
{
  View *view = arena_new(arena, View);
  view->tensor = tensor;
  view->pattern.items = arena_array(arena, ApPair, rank);
  view->pattern.count = rank;
  return view;
}

// Row-major steps of the whole tensor, one pair a dimension.
static View *whole_view(Arena *arena, const Tensor *tensor)
{
  uint32_t rank = 1 + tensor->shape.free_dims.count;
  View *view = new_view(arena, tensor, rank);
  uint64_t step = 1;
  for (uint32_t i = rank; i-- > 0;) {
    view->pattern.items[i] = (ApPair){(int32_t)step, (uint32_t)dim_size(tensor, i), 0};
    step *= dim_size(tensor, i);
  }
  return view;
}

// Coordinates drop their dimension, except the partition's, which stays with one element.
static View *basic_view(Arena *arena, const AccessBasic *access)
{
  View *view = whole_view(arena, access->tensor);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < access->indexes.count && i < view->pattern.count; i++) {
    const Index *index = &access->indexes.items[i];
    ApPair pair = view->pattern.items[i];
    int64_t step = pair.step;
    if (index->ctor == Index_coord) {
      view->offset += index->coord * (uint64_t)step;
      if (i == 0)
        view->pattern.items[kept++] = (ApPair){pair.step, 1, 0};
      continue;
    }
    const IndexSlice *slice = &index->slice;
    uint64_t span = slice->u > slice->l ? slice->u - slice->l : 0;
    uint64_t count = slice->step > 0 ? (span + (uint64_t)slice->step - 1) / (uint64_t)slice->step : 0;
    view->offset += slice->l * (uint64_t)step;
    view->pattern.items[kept++] = (ApPair){(int32_t)((uint64_t)step * (uint64_t)slice->step), (uint32_t)count, 0};
  }
  view->pattern.count = kept;
  return view;
}

static View *pattern_view(Arena *arena, const AccessPattern *access)
{
  View *view = new_view(arena, access->tensor, 1 + access->pattern.count);
  uint64_t free = access->tensor->free_elements;
  view->offset = access->par_offset * free + access->free_offset;
  view->pattern.items[0] = (ApPair){(int32_t)free, (uint32_t)access->par_num, 0};
  for (uint32_t i = 0; i < access->pattern.count; i++)
    view->pattern.items[i + 1] = access->pattern.items[i];
  return view;
}

const View *access_view(Arena *arena, const Access *access)
{
  switch (access->ctor) {
  case Access_simple: return whole_view(arena, access->simple);
  case Access_basic: return basic_view(arena, access->basic);
  case Access_pattern: return pattern_view(arena, access->pattern);
  default: return access->view;
  }
}

const View *ref_view(Arena *arena, const TensorRef *ref)
{
  return ref->ctor == TensorRef_abstract ? access_view(arena, &ref->abstract) : NULL;
}

TensorRef ref_of_view(const View *view)
{
  return (TensorRef){.ctor = TensorRef_abstract, .abstract = {.ctor = Access_view, .view = view}};
}
