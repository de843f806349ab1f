// tensor_methods.c -- the methods of NkiTensor: arguments read, and handed to the algebra of views.

#include "trace/builder.h"

#include <string.h>

#define SELF value_view(call->self)
#define NEED_KERNEL()                                                                                                  \
  if (!builder_need(t, "a view of a tensor", call->span))                                                              \
  return false

static bool method_slice(Tracer *t, const Call *call, Value *out)
{
  int64_t dim, start, end, step = 1;
  NEED_KERNEL();
  if (!tensor_need_int(t, call->args[0], "slice", "dim", call->span, &dim) ||
      !tensor_need_int(t, call->args[1], "slice", "start", call->span, &start) ||
      !tensor_need_int(t, call->args[2], "slice", "end", call->span, &end) ||
      (value_is_set(call->args[3]) && !tensor_need_int(t, call->args[3], "slice", "step", call->span, &step)))
    return false;
  return tensor_give(t, views_slice(kernel_views(t), SELF, dim, start, end, step), call->span, out);
}

static bool method_select(Tracer *t, const Call *call, Value *out)
{
  int64_t dim, index;
  NEED_KERNEL();
  if (!tensor_need_int(t, call->args[0], "select", "dim", call->span, &dim))
    return false;
  if (call->args[1].tag == VALUE_TENSOR || value_is_register(call->args[1])) {
    const ScalarOffset *offset = tensor_runtime_offset(t, call->args[1], call->span);
    return offset && tensor_give(t, views_select_runtime(kernel_views(t), SELF, dim, offset), call->span, out);
  }
  return tensor_need_int(t, call->args[1], "select", "index", call->span, &index) &&
         tensor_give(t, views_select(kernel_views(t), SELF, dim, index), call->span, out);
}

static bool need_tensor(Tracer *t, Value value, const char *method, const char *parameter, Span span)
{
  if (value.tag == VALUE_TENSOR)
    return true;
  return RAISE(t, E_VIEW_ARGUMENT, user_span(t, span), "'%s' of '%s' is %s; expected a tensor", parameter, method,
               describe(t, value));
}

static bool method_vector_select(Tracer *t, const Call *call, Value *out)
{
  int64_t dim;
  NEED_KERNEL();
  return tensor_need_int(t, call->args[0], "vector_select", "dim", call->span, &dim) &&
         need_tensor(t, call->args[1], "vector_select", "vector_offset", call->span) &&
         tensor_give(t, views_vector_select(kernel_views(t), SELF, dim, value_view(call->args[1])), call->span, out);
}

// A method whose argument is a list of sizes or dimensions, given as a tuple or one by one.
typedef const View *SizesFn(Views *views, const View *view, const int64_t *sizes, uint32_t count);

static bool with_sizes(Tracer *t, const Call *call, const char *what, SizesFn *function, Value *out)
{
  int64_t sizes[VIEW_RANK_MAX];
  uint32_t count;
  NEED_KERNEL();
  const Value *rest;
  size_t rest_count;
  Value all = call->args[0];
  if (value_sequence(call->args[1], &rest, &rest_count) && rest_count > 0) {
    all = value_tuple(t, NULL, rest_count + 1);
    all.tuple->items[0] = call->args[0];
    memcpy(all.tuple->items + 1, rest, rest_count * sizeof *rest);
  }
  return read_sizes(t, all, what, call->span, sizes, &count) &&
         tensor_give(t, function(kernel_views(t), SELF, sizes, count), call->span, out);
}

static bool method_permute(Tracer *t, const Call *call, Value *out)
{
  return with_sizes(t, call, "the argument of `permute`", views_permute, out);
}

static bool method_reshape(Tracer *t, const Call *call, Value *out)
{
  return with_sizes(t, call, "the shape", views_reshape, out);
}

static bool method_broadcast(Tracer *t, const Call *call, Value *out)
{
  int64_t dim, size;
  NEED_KERNEL();
  return tensor_need_int(t, call->args[0], "broadcast", "dim", call->span, &dim) &&
         tensor_need_int(t, call->args[1], "broadcast", "size", call->span, &size) &&
         tensor_give(t, views_broadcast(kernel_views(t), SELF, dim, size), call->span, out);
}

static bool method_expand_dim(Tracer *t, const Call *call, Value *out)
{
  int64_t dim;
  NEED_KERNEL();
  return tensor_need_int(t, call->args[0], "expand_dim", "dim", call->span, &dim) &&
         tensor_give(t, views_expand_dim(kernel_views(t), SELF, dim), call->span, out);
}

static bool method_squeeze_dim(Tracer *t, const Call *call, Value *out)
{
  int64_t dim;
  NEED_KERNEL();
  return tensor_need_int(t, call->args[0], "squeeze_dim", "dim", call->span, &dim) &&
         tensor_give(t, views_squeeze_dim(kernel_views(t), SELF, dim), call->span, out);
}

static bool method_reshape_dim(Tracer *t, const Call *call, Value *out)
{
  int64_t dim, sizes[VIEW_RANK_MAX];
  uint32_t count;
  NEED_KERNEL();
  return tensor_need_int(t, call->args[0], "reshape_dim", "dim", call->span, &dim) &&
         read_sizes(t, call->args[1], "the shape", call->span, sizes, &count) &&
         tensor_give(t, views_reshape_dim(kernel_views(t), SELF, dim, sizes, count), call->span, out);
}

static bool method_flatten_dims(Tracer *t, const Call *call, Value *out)
{
  int64_t first, last;
  NEED_KERNEL();
  return tensor_need_int(t, call->args[0], "flatten_dims", "start_dim", call->span, &first) &&
         tensor_need_int(t, call->args[1], "flatten_dims", "end_dim", call->span, &last) &&
         tensor_give(t, views_flatten_dims(kernel_views(t), SELF, first, last), call->span, out);
}

static bool method_view(Tracer *t, const Call *call, Value *out)
{
  DType dtype;
  NEED_KERNEL();
  if (!read_dtype(t, call->args[0], &dtype))
    return RAISE(t, E_VIEW_DTYPE, user_span(t, call->span), "'dtype' of 'view' is %s; expected a dtype",
                 describe(t, call->args[0]));
  return tensor_give(t, views_cast(kernel_views(t), SELF, dtype), call->span, out);
}

static bool method_indirect(Tracer *t, const Call *call, Value *out)
{
  int64_t elements = 0;
  NEED_KERNEL();
  if (value_is_set(call->args[1]) && call->args[1].tag != VALUE_NONE &&
      !tensor_need_int(t, call->args[1], "indirect", "num_elem", call->span, &elements))
    return false;
  return need_tensor(t, call->args[0], "indirect", "index", call->span) &&
         tensor_give(t, views_indirect(kernel_views(t), SELF, value_view(call->args[0]), elements), call->span, out);
}

static bool method_get_pattern(Tracer *t, const Call *call, Value *out)
{
  const View *view = SELF;
  *out = value_list(t, NULL, 0);
  for (uint32_t i = 0; i < view_rank(view); i++) {
    Value pair[2] = {value_int(view->pattern.items[i].step), value_int(view_dim(view, i))};
    list_push(t, out->list, value_list(t, pair, 2));
  }
  return true;
}

static bool method_is_contiguous(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = value_bool(view_is_contiguous(SELF));
  return true;
}

static bool method_is_indirect(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = value_bool(view_is_indirect(SELF));
  return true;
}

// [[step, count], ...]
static bool read_pairs(Tracer *t, Value value, Span span, int64_t (*pairs)[2], uint32_t *count)
{
  const Value *items, *pair;
  size_t many, two;
  if (!value_sequence(value, &items, &many) || many > VIEW_RANK_MAX)
    return RAISE(t, E_VIEW_ARGUMENT, user_span(t, span), "'pattern' is %s; expected a list of [step, count] pairs",
                 describe(t, value));
  for (size_t i = 0; i < many; i++)
    if (!value_sequence(items[i], &pair, &two) || two != 2 || !value_as_int(pair[0], &pairs[i][0]) ||
        !value_as_int(pair[1], &pairs[i][1]))
      return RAISE(t, E_VIEW_ARGUMENT, user_span(t, span), "item %zu of 'pattern' is %s; expected [step, count]", i,
                   describe(t, items[i]));
  *count = (uint32_t)many;
  return true;
}

static bool is_given(Value value)
{
  return value_is_set(value) && value.tag != VALUE_NONE;
}

// pattern offset? scalar_offset? vector_offset? indirect_dim? dtype?
static bool method_ap(Tracer *t, const Call *call, Value *out)
{
  int64_t pairs[VIEW_RANK_MAX][2], offset;
  DType dtype;
  const Value *args = call->args;
  ViewPattern pattern = {.pairs = (const int64_t(*)[2])pairs};
  NEED_KERNEL();
  if (!read_pairs(t, args[0], call->span, pairs, &pattern.count))
    return false;
  if (is_given(args[1]) &&
      (value_is_register(args[1]) || !tensor_need_int(t, args[1], "ap", "offset", call->span, &offset)))
    return t->exception.tag != VALUE_UNDEFINED ? false
                                               : RAISE(t, E_VIEW_ARGUMENT, user_span(t, call->span),
                                                       "'offset' of 'ap' is a register; pass it as 'scalar_offset'");
  pattern.offset = is_given(args[1]) ? &offset : NULL;
  if (is_given(args[2]) && !(pattern.scalar = tensor_runtime_offset(t, args[2], call->span)))
    return false;
  if (is_given(args[3]) && !need_tensor(t, args[3], "ap", "vector_offset", call->span))
    return false;
  pattern.vector = is_given(args[3]) ? value_view(args[3]) : NULL;
  if (is_given(args[4]) && !tensor_need_int(t, args[4], "ap", "indirect_dim", call->span, &pattern.indirect_dim))
    return false;
  if (is_given(args[5]) && !read_dtype(t, args[5], &dtype))
    return RAISE(t, E_VIEW_DTYPE, user_span(t, call->span), "'dtype' of 'ap' is %s; expected a dtype",
                 describe(t, args[5]));
  pattern.dtype = is_given(args[5]) ? &dtype : NULL;
  Views *views = kernel_views(t);
  const View *made = views_ap(views, SELF, &pattern);
  if (made && views->outside)
    builder_mark_outside(builder_of(t), made, views->outside, user_span(t, call->span));
  return tensor_give(t, made, call->span, out);
}

// A pattern of `rearrange`: a tuple of names, or of tuples of names.
typedef struct NameLists {
  Str names[VIEW_RANK_MAX];
  uint32_t groups[VIEW_RANK_MAX];
  ViewNames all;
} NameLists;

static bool read_names(Tracer *t, Value value, Span span, NameLists *out)
{
  const Value *items, *group;
  size_t count, many;
  *out = (NameLists){.all = {out->names, 0, out->groups, 0}};
  if (!value_sequence(value, &items, &count) || count > VIEW_RANK_MAX)
    return RAISE(t, E_VIEW_ARGUMENT, user_span(t, span), "a pattern of 'rearrange' is %s; expected a tuple of names",
                 describe(t, value));
  for (size_t i = 0; i < count; i++) {
    if (!value_sequence(items[i], &group, &many)) {
      group = &items[i];
      many = 1;
    }
    for (size_t k = 0; k < many; k++) {
      if (group[k].tag != VALUE_STR || out->all.name_count == VIEW_RANK_MAX)
        return RAISE(t, E_VIEW_ARGUMENT, user_span(t, span), "%s in a pattern of 'rearrange'; expected a name",
                     describe(t, group[k]));
      out->names[out->all.name_count++] = group[k].string->text;
    }
    out->groups[out->all.group_count++] = (uint32_t)many;
  }
  return true;
}

static bool method_rearrange(Tracer *t, const Call *call, Value *out)
{
  NameLists from, to;
  ViewSize sizes[VIEW_RANK_MAX];
  uint32_t count = 0;
  NEED_KERNEL();
  if (!read_names(t, call->args[0], call->span, &from) || !read_names(t, call->args[1], call->span, &to))
    return false;
  const Dict *fixed = is_given(call->args[2]) && call->args[2].tag == VALUE_DICT ? call->args[2].dict : NULL;
  for (uint32_t i = 0; fixed && i < fixed->used && count < VIEW_RANK_MAX; i++) {
    if (!value_is_set(fixed->entries[i].key))
      continue;
    if (fixed->entries[i].key.tag != VALUE_STR ||
        !tensor_need_int(t, fixed->entries[i].value, "rearrange", "fixed_sizes", call->span, &sizes[count].size))
      return RAISE(t, E_VIEW_ARGUMENT, user_span(t, call->span), "'fixed_sizes' maps names to ints");
    sizes[count++].name = fixed->entries[i].key.string->text;
  }
  return tensor_give(t, views_rearrange(kernel_views(t), SELF, &from.all, &to.all, sizes, count), call->span, out);
}

// A view of one partition that reads as `count` equal ones; for DMA, whose patterns are free.
bool klr_repeat_partition(Tracer *t, const Call *call, Value *out)
{
  int64_t count;
  NEED_KERNEL();
  return need_tensor(t, call->args[0], "broadcast_to", "x", call->span) &&
         tensor_need_int(t, call->args[1], "broadcast_to", "shape", call->span, &count) &&
         tensor_give(t, views_repeat_partition(kernel_views(t), value_view(call->args[0]), count), call->span, out);
}

const NativeMethod tensor_methods[] = {
    {"slice", method_slice, "dim start end step?"},
    {"select", method_select, "dim index"},
    {"vector_select", method_vector_select, "dim vector_offset"},
    {"permute", method_permute, "dims *rest"},
    {"reshape", method_reshape, "shape *rest"},
    {"broadcast", method_broadcast, "dim size"},
    {"expand_dim", method_expand_dim, "dim"},
    {"squeeze_dim", method_squeeze_dim, "dim"},
    {"reshape_dim", method_reshape_dim, "dim shape"},
    {"flatten_dims", method_flatten_dims, "start_dim end_dim"},
    {"rearrange", method_rearrange, "src_pattern dst_pattern fixed_sizes?"},
    {"ap", method_ap, "pattern offset? scalar_offset? vector_offset? indirect_dim? dtype?"},
    {"view", method_view, "dtype"},
    {"reinterpret_cast", method_view, "dtype"},
    {"indirect", method_indirect, "index num_elem?"},
    {"get_pattern", method_get_pattern, ""},
    {"is_contiguous", method_is_contiguous, ""},
    {"is_indirect", method_is_indirect, ""},
    {0},
};
