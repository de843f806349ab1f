// tensor.c -- tensors as values of the traced program: allocation, attributes, indexing, the methods of NkiTensor.

#include "trace/builder.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// ---- messages

const char *describe(Tracer *t, Value value)
{
  const View *view = value_view(value);
  StrBuf text = strbuf_new(&t->arena);
  if (view) {
    strbuf_puts(&text, "a tensor of shape ");
    view_add_shape(&text, view);
  } else if (value.tag == VALUE_NONE) {
    strbuf_puts(&text, "None");
  } else if (value.tag == VALUE_OPAQUE) {
    strbuf_printf(&text, "`%s`", value.opaque->path);
  } else if (value.tag == VALUE_INT || value.tag == VALUE_STR || value.tag == VALUE_FLOAT || value.tag == VALUE_BOOL) {
    strbuf_printf(&text, "the %s ", value_type_name(t, value));
    op_repr(t, value, (Span){0}, &text);
  } else if (value.tag == VALUE_OBJECT && value.object->type == &constant_type) {
    strbuf_printf(&text, "`nl.%s`", ((NamedConstant *)value.object)->name->str.data);
  } else if (value_is_register(value)) {
    strbuf_puts(&text, "a register");
  } else {
    const char *name = value_type_name(t, value);
    strbuf_printf(&text, "%s `%s`", strchr("aeiou", name[0]) ? "an" : "a", name);
  }
  return strbuf_cstr(&text);
}

bool raise_fault(Tracer *t, const ViewFault *fault, Span span)
{
  Diag *diag = raise_error(t, fault->code, user_span(t, span), "%s", fault->message);
  if (fault->help)
    diag_help(diag, "%s", fault->help);
  return false;
}

// ---- reading arguments

bool read_sizes(Tracer *t, Value value, const char *what, Span span, int64_t *sizes, uint32_t *count)
{
  const Value *items;
  size_t many;
  int64_t single;
  if (value_as_int(value, &single) && value.tag != VALUE_BOOL) {
    sizes[0] = single;
    *count = 1;
    return true;
  }
  if (!value_sequence(value, &items, &many))
    return RAISE(t, E_TENSOR_ALLOC, user_span(t, span), "%s is %s; expected a tuple of ints", what, describe(t, value));
  if (many > VIEW_RANK_MAX)
    return RAISE(t, E_TENSOR_ALLOC, user_span(t, span), "%s has %zu dimensions; at most %d are possible", what, many,
                 VIEW_RANK_MAX);
  for (size_t i = 0; i < many; i++)
    if (!value_as_int(items[i], &sizes[i]))
      return RAISE(t, E_TENSOR_ALLOC, user_span(t, span), "dimension %zu of %s is %s; expected an int", i, what,
                   describe(t, items[i]));
  *count = (uint32_t)many;
  return true;
}

bool tensor_need_int(Tracer *t, Value value, const char *method, const char *parameter, Span span, int64_t *out)
{
  if (value_as_int(value, out))
    return true;
  return RAISE(t, E_VIEW_ARGUMENT, user_span(t, span), "'%s' of '%s' is %s; expected an int", parameter, method,
               describe(t, value));
}

// ---- allocation

Tensor *tensor_new(Arena *arena, const TensorSpec *spec)
{
  Tensor *tensor = arena_new(arena, Tensor);
  Address *address = arena_new(arena, Address);
  tensor->dtype = spec->dtype;
  tensor->shape.par_dim = spec->sizes[0];
  tensor->shape.free_dims.count = spec->rank - 1;
  tensor->shape.free_dims.items = arena_array(arena, uint64_t, spec->rank - 1);
  tensor->free_elements = 1;
  for (uint32_t i = 1; i < spec->rank; i++) {
    tensor->shape.free_dims.items[i - 1] = spec->sizes[i];
    tensor->free_elements *= spec->sizes[i];
  }
  address->memory = spec->memory;
  address->par_size = spec->sizes[0];
  address->free_size = tensor->free_elements * dtype_bytes(spec->dtype);
  address->is_shared = spec->memory == MEMORY_SHARED_HBM;
  address->par_offset = (Core_OPT_NAT){spec->has_address, spec->par_offset};
  address->free_offset = (Core_OPT_NAT){spec->has_address, spec->free_offset};
  tensor->address = address;
  tensor->address_rotation = spec->rotate;
  tensor->name = address->name = spec->name;
  return tensor;
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

// What the source assigns the call at `span` to: `tile = nl.ndarray(...)`; "tensor" when it is no plain assignment.
static const char *assigned_name(Builder *b, Span span)
{
  Source *source = session_source(b->t->session, span.source);
  if (!source)
    return "tensor";
  const char *text = source->text.data;
  size_t at = span.start <= source->text.len ? span.start : 0, end = 0, start = 0;
  while (at > 0 && text[at - 1] == ' ')
    at--;
  if (at > 1 && text[at - 1] == '=' && !strchr("=!<>+-*/%&|^:~@", text[at - 2])) {
    for (end = at - 1; end > 0 && text[end - 1] == ' ';)
      end--;
    for (start = end; start > 0 && is_name_char(text[start - 1]);)
      start--;
  }
  return start < end && !is_digit(text[start]) ? arena_strndup(&b->t->arena, text + start, end - start) : "tensor";
}

static NameBase *base_of(Builder *b, Span span)
{
  uint64_t key = (uint64_t)span.source << 32 | span.start;
  NameBase *base = map_get_number(&b->bases, key);
  if (!base) {
    base = arena_new(&b->t->arena, NameBase);
    base->name = assigned_name(b, span);
    map_set_number(&b->bases, key, base);
  }
  if (!base->count || base->core != b->core)
    base->count = builder_counter(b, base->name);
  base->core = b->core;
  return base;
}

static bool same_tensor(const Tensor *a, const Tensor *b)
{
  if (a->dtype != b->dtype || tensor_rank(a) != tensor_rank(b) || a->address->memory != b->address->memory ||
      a->address_rotation != b->address_rotation || a->address->par_offset.some != b->address->par_offset.some ||
      a->address->par_offset.value != b->address->par_offset.value ||
      a->address->free_offset.value != b->address->free_offset.value)
    return false;
  for (uint32_t i = 0; i < tensor_rank(a); i++)
    if (tensor_dim(a, i) != tensor_dim(b, i))
      return false;
  return true;
}

static bool shared_differs(Builder *b, const Tensor *first, const Tensor *other, Span span)
{
  StrBuf a = strbuf_new(b->arena), c = strbuf_new(b->arena);
  view_add_shape(&a, views_whole(&b->views, first));
  view_add_shape(&c, views_whole(&b->views, other));
  Diag *diag = raise_error(
      b->t, E_KERNEL_CORES, span, "shared tensor '%s' is %s%s on logical core 0 and %s%s on core %u", first->name,
      dtype_name(first->dtype), strbuf_cstr(&a), dtype_name(other->dtype), strbuf_cstr(&c), b->core);
  diag_help(diag,
            "a tensor in `nl.shared_hbm` is one for all cores: allocate it with the same shape and dtype on each");
  return false;
}

const Tensor *builder_tensor(Builder *b, const TensorSpec *spec, Span span)
{
  Span place = user_span(b->t, span);
  TensorSpec named = *spec;
  char text[160];
  NameBase *base = spec->name ? NULL : base_of(b, place);
  const Tensor *other;
  do {
    if (base)
      number_name(text, sizeof text, base->name, ++*base->count);
    named.name = base ? text : spec->name;
    other = map_get(&b->tensors, str_from(named.name));
  } while (base && other);
  if (other) {
    Diag *diag = raise_error(b->t, E_TENSOR_NAME, place, "a second tensor is named '%s'", named.name);
    if (other->pos)
      diag_label(diag, other->pos->span, "the first one");
    diag_help(diag, "leave out `name=`, or make it unique: `name=f\"%s{i}\"`", named.name);
    return NULL;
  }
  Tensor *first = b->core > 0 ? map_get(&b->all_tensors, str_from(named.name)) : NULL;
  named.name = first ? first->name : base ? arena_strdup(b->arena, text) : named.name;
  Tensor *made = tensor_new(b->arena, &named);
  if (first && same_tensor(first, made)) {
    made = first;
  } else if (first && spec->memory == MEMORY_SHARED_HBM) {
    shared_differs(b, first, made, place);
    return NULL;
  } else {
    made->pos = builder_pos(b, span);
    made->id = b->tensor_count++;
    if (!first && b->cores > 1)
      map_set(&b->all_tensors, str_from(made->name), made);
    if (spec->memory == MEMORY_SHARED_HBM)
      vec_push(&b->t->arena, &b->shared_buffers, (const Tensor *)made);
  }
  map_set(&b->tensors, str_from(made->name), made);
  return made;
}

static bool check_sizes(Tracer *t, const TensorSpec *spec, const int64_t *sizes, uint64_t *out, Span span)
{
  uint64_t total = dtype_bytes(spec->dtype);
  bool on_chip = memory_is_on_chip(spec->memory);
  Span place = user_span(t, span);
  if (spec->rank < (on_chip ? 2u : 1u)) {
    Diag *diag =
        raise_error(t, E_TENSOR_ALLOC, place, "a shape of %u dimensions %s", spec->rank, on_chip ? "on chip" : "");
    diag_help(diag,
              on_chip ? "tensors in SBUF and PSUM have partitions and at least one free dimension: `(1, n)` or `(n, 1)`"
                      : "a single element has shape `(1,)`");
    return false;
  }
  for (uint32_t i = 0; i < spec->rank; i++) {
    out[i] = (uint64_t)sizes[i];
    if (sizes[i] < 1)
      return RAISE(t, E_TENSOR_ALLOC, place, "dimension %u of the shape is %lld; expected a positive int", i,
                   (long long)sizes[i]);
    if (sizes[i] > UINT32_MAX || __builtin_mul_overflow(total, out[i], &total) || total > 1ull << 48)
      return RAISE(t, E_TENSOR_ALLOC, place, "a tensor of more than 2^48 bytes");
  }
  if (on_chip && sizes[0] > 128) {
    Diag *diag = raise_error(t, E_TENSOR_ALLOC, place, "a tensor of %lld partitions in %s", (long long)sizes[0],
                             spec->memory == MEMORY_SBUF ? "SBUF" : "PSUM");
    diag_help(diag,
              "the first dimension of a tensor on chip counts partitions, at most 128 (`nl.tile_size.pmax`): split "
              "it into tiles, or put a free dimension first");
    return false;
  }
  return true;
}

static bool read_address(Tracer *t, Value value, TensorSpec *spec, Span span)
{
  const Value *items;
  size_t count;
  int64_t par, free;
  if (!value_is_set(value) || value.tag == VALUE_NONE)
    return true;
  if (!value_sequence(value, &items, &count) || count != 2 || !value_as_int(items[0], &par) ||
      !value_as_int(items[1], &free) || par < 0 || free < 0) {
    StrBuf shown = strbuf_new(&t->session->arena);
    bool is_shown = op_repr(t, value, span, &shown);
    return is_shown && RAISE(t, E_TENSOR_ALLOC, user_span(t, span),
                             "'address' is %s; expected (first partition, first byte in the partition), ints from 0 on",
                             strbuf_cstr(&shown));
  }
  spec->has_address = true;
  spec->par_offset = (uint64_t)par;
  spec->free_offset = (uint64_t)free;
  return true;
}

// The guides ask for addresses in PSUM that begin a bank; a newer page for multiples of 4 bytes only.
static void check_bank(Builder *b, const TensorSpec *spec, Span span)
{
  uint64_t bank = machine_default()->psum_bank_bytes;
  if (spec->memory != MEMORY_PSUM || !spec->has_address || spec->free_offset % bank == 0)
    return;
  Diag *diag = diag_warning(b->t->session, W_PSUM_ADDRESS, "an address in PSUM inside of a bank");
  diag_primary(diag, user_span(b->t, span), "byte %" PRIu64 " is %" PRIu64 " bytes into bank %" PRIu64, spec->free_offset,
               spec->free_offset % bank, spec->free_offset / bank);
  diag_help(diag, "begin the tile with a bank, at a multiple of %" PRIu64 ", and take a slice of it", bank);
}

// Name: a str; None and "" leave it to us.
static bool read_name(Tracer *t, Value value, const char **out, Span span)
{
  *out = NULL;
  if (!value_is_set(value) || value.tag == VALUE_NONE)
    return true;
  if (value.tag != VALUE_STR)
    return RAISE(t, E_TENSOR_ALLOC, user_span(t, span), "'name' is %s; expected a str", describe(t, value));
  if (value.string->text.len > 0)
    *out = builder_keep(builder_of(t), value.string->text.data);
  return true;
}

// shape dtype buffer? name? address? address_rotation?
bool klr_ndarray(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "`nl.ndarray`", call->span);
  int64_t sizes[VIEW_RANK_MAX];
  uint64_t checked[VIEW_RANK_MAX];
  TensorSpec spec = {.memory = MEMORY_SBUF, .sizes = checked};
  const Value *args = call->args;
  if (!b || !read_sizes(t, args[0], "the shape", call->span, sizes, &spec.rank))
    return false;
  if (!read_dtype(t, args[1], &spec.dtype)) {
    Diag *diag = raise_error(t, E_TENSOR_ALLOC, user_span(t, call->span), "'dtype' is %s; expected a dtype",
                             describe(t, args[1]));
    diag_help(diag, "dtypes are names of `nki.language`: `nl.float32`, `nl.bfloat16`, `nl.int32`, ...");
    return false;
  }
  if (value_is_set(args[2]) && args[2].tag != VALUE_NONE && !read_memory(args[2], &spec.memory)) {
    Diag *diag = raise_error(t, E_TENSOR_ALLOC, user_span(t, call->span), "'buffer' is %s; expected a memory",
                             describe(t, args[2]));
    diag_help(diag, "one of `nl.sbuf`, `nl.psum`, `nl.shared_hbm`, `nl.private_hbm`, `nl.hbm`");
    return false;
  }
  bool rotate = value_is_set(args[5]) && args[5].tag == VALUE_BOOL && args[5].integer;
  if (!read_name(t, args[3], &spec.name, call->span) || !read_address(t, args[4], &spec, call->span) ||
      !check_sizes(t, &spec, sizes, checked, call->span))
    return false;
  check_bank(b, &spec, call->span);
  spec.rotate = rotate || !spec.has_address;
  const Tensor *tensor = builder_tensor(b, &spec, call->span);
  if (!tensor)
    return false;
  return tensor_give(t, views_whole(&b->views, tensor), call->span, out);
}

bool klr_unique_name(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "`nl.unique_name`", call->span);
  if (!b || call->args[0].tag != VALUE_STR)
    return b ? RAISE(t, E_TYPE, user_span(t, call->span), "'name' is %s; expected a str", describe(t, call->args[0]))
             : false;
  *out = value_cstr(t, builder_number(b, call->args[0].string->text.data));
  return true;
}

// ---- indexing

// `nl.ds(start, size)` with a start known at run time.
typedef struct RuntimeSlice {
  NativeObject head;
  Value start;
  int64_t size;
} RuntimeSlice;

static void runtime_slice_repr(Tracer *t, Value self, StrBuf *out)
{
  const RuntimeSlice *slice = (const RuntimeSlice *)self.object;
  strbuf_puts(out, "ds(");
  op_repr(t, slice->start, (Span){0}, out);
  strbuf_printf(out, ", %lld)", (long long)slice->size);
}

static const NativeType runtime_slice_type = {.name = "ds", .repr = runtime_slice_repr};

// Slices never change, so one that was made lately serves again.
static Value short_slice(Tracer *t, int64_t start, int64_t stop)
{
  Builder *b = builder_of(t);
  if (!b)
    return value_slice(t, value_int(start), value_int(stop), value_none());
  uint64_t hash = ((uint64_t)start * 31 + (uint64_t)stop) * UINT64_C(0x9E3779B97F4A7C15) >> 32;
  Value *recent = &b->recent_slices[hash % (sizeof b->recent_slices / sizeof *b->recent_slices)];
  if (!value_is_set(*recent) || recent->slice->start.integer != start || recent->slice->stop.integer != stop)
    *recent = value_slice(t, value_int(start), value_int(stop), value_none());
  return *recent;
}

bool klr_ds(Tracer *t, const Call *call, Value *out)
{
  int64_t start, size;
  if (!tensor_need_int(t, call->args[1], "nl.ds", "size", call->span, &size))
    return false;
  if (value_as_int(call->args[0], &start)) {
    *out = short_slice(t, start, start + size);
    return true;
  }
  if (!value_is_register(call->args[0]) && !value_view(call->args[0]))
    return RAISE(t, E_INDEX_FORM, user_span(t, call->span), "'start' of 'nl.ds' is %s; expected an int or a register",
                 describe(t, call->args[0]));
  RuntimeSlice *slice = arena_new(&t->arena, RuntimeSlice);
  slice->head.type = &runtime_slice_type;
  slice->start = call->args[0];
  slice->size = size;
  *out = value_object(VALUE_OBJECT, &slice->head);
  return true;
}

// A register or a tensor of one element in SBUF, as what a view adds to its address.
const ScalarOffset *tensor_runtime_offset(Tracer *t, Value value, Span span)
{
  Builder *b = builder_need(t, "a run-time index", span);
  const View *view = value_view(value);
  if (!b)
    return NULL;
  ScalarOffset *offset = arena_new(b->arena, ScalarOffset);
  if (value_is_register(value)) {
    offset->ctor = ScalarOffset_reg;
    offset->reg = register_use(b, value, span);
    return offset->reg ? offset : NULL;
  }
  if (!view || view_elements(view) != 1 || view->tensor->address->memory != MEMORY_SBUF ||
      !dtype_is_integer(view_dtype(view))) {
    Diag *diag = raise_error(t, E_VIEW_INDIRECT, user_span(t, span), "%s as a run-time index", describe(t, value));
    diag_help(diag, "a run-time index is a register, or a (1, 1) tensor of integers in SBUF");
    return NULL;
  }
  offset->ctor = ScalarOffset_acc;
  offset->acc = (Access){.ctor = Access_view, .view = view};
  return offset;
}

static bool index_bound(Tracer *t, Value value, Span span, bool *has, int64_t *out)
{
  *has = value.tag != VALUE_NONE && value_is_set(value);
  if (!*has || value_as_int(value, out))
    return true;
  Diag *diag = raise_error(t, E_INDEX_FORM, user_span(t, span), "%s as the end of a slice", describe(t, value));
  if (value_is_register(value))
    diag_help(diag, "a slice that starts at a register has a size known now: `t[nl.ds(reg, 128)]`");
  return false;
}

static bool index_slice(Tracer *t, const Slice *slice, Span span, ViewIndex *out)
{
  int64_t size;
  bool has_step;
  *out = (ViewIndex){.kind = VIEW_INDEX_SLICE, .step = 1};
  if (register_distance(slice->start, slice->stop, &size)) {
    *out = (ViewIndex){
        .kind = VIEW_INDEX_RUNTIME_SLICE, .size = size, .runtime = tensor_runtime_offset(t, slice->start, span)};
    return out->runtime != NULL;
  }
  return index_bound(t, slice->start, span, &out->has_start, &out->start) &&
         index_bound(t, slice->stop, span, &out->has_stop, &out->stop) &&
         index_bound(t, slice->step, span, &has_step, &out->step);
}

static bool read_index(Tracer *t, Value item, Span span, ViewIndex *out)
{
  *out = (ViewIndex){0};
  if (item.tag != VALUE_BOOL && value_as_int(item, &out->start)) {
    out->kind = VIEW_INDEX_INT;
    return true;
  }
  if (item.tag == VALUE_SLICE)
    return index_slice(t, item.slice, span, out);
  if (item.tag == VALUE_ELLIPSIS || item.tag == VALUE_NONE) {
    out->kind = item.tag == VALUE_NONE ? VIEW_INDEX_NEW_AXIS : VIEW_INDEX_ELLIPSIS;
    return true;
  }
  if (item.tag == VALUE_OBJECT && item.object->type == &runtime_slice_type) {
    const RuntimeSlice *slice = (const RuntimeSlice *)item.object;
    out->kind = VIEW_INDEX_RUNTIME_SLICE;
    out->size = slice->size;
    out->runtime = tensor_runtime_offset(t, slice->start, span);
    return out->runtime != NULL;
  }
  if (value_is_register(item) || item.tag == VALUE_TENSOR) {
    out->kind = VIEW_INDEX_RUNTIME;
    out->runtime = tensor_runtime_offset(t, item, span);
    return out->runtime != NULL;
  }
  Diag *diag = raise_error(t, E_INDEX_FORM, user_span(t, span), "a tensor indexed by %s", describe(t, item));
  diag_help(diag, "indices are ints, slices, `...`, None, `nl.ds(start, size)`, registers and (1, 1) tensors");
  return false;
}

// Views are made in the arena of the kernel, also while its arguments are being prepared.
Views *kernel_views(Tracer *t)
{
  return &builder_of(t)->views;
}

void builder_mark_outside(Builder *b, const View *view, const ViewFault *fault, Span made)
{
  ViewOutside *outside = arena_new(&b->t->arena, ViewOutside);
  *outside = (ViewOutside){fault, made};
  map_set_number(&b->outside, (uintptr_t)view, outside);
}

const ViewOutside *builder_outside(const Builder *b, const View *view)
{
  return b->outside.count ? map_get_number(&b->outside, (uintptr_t)view) : NULL;
}

bool tensor_give(Tracer *t, const View *view, Span span, Value *out)
{
  if (!view)
    return raise_fault(t, &kernel_views(t)->fault, span);
  *out = value_tensor(t, view);
  return true;
}

static const View *index_view(Tracer *t, const View *view, Value key, Span span)
{
  ViewIndex items[VIEW_RANK_MAX + 2];
  const Value *keys = &key;
  size_t count = 1;
  if (!builder_need(t, "a tensor is indexed", span))
    return NULL;
  if (key.tag == VALUE_TUPLE)
    value_sequence(key, &keys, &count);
  if (count > VIEW_RANK_MAX + 1) {
    raise_error(t, E_INDEX_FORM, user_span(t, span), "%zu indices", count);
    return NULL;
  }
  for (size_t i = 0; i < count; i++)
    if (!read_index(t, keys[i], span, &items[i]))
      return NULL;
  const View *made = views_index(kernel_views(t), view, items, (uint32_t)count);
  if (!made)
    raise_fault(t, &kernel_views(t)->fault, span);
  return made;
}

static Outcome tensor_getitem(Tracer *t, Value self, Value key, Span span, Value *out)
{
  const View *made = index_view(t, value_view(self), key, span);
  if (!made)
    return OUTCOME_ERROR;
  *out = value_tensor(t, made);
  return OUTCOME_OK;
}

// `t[key] = value` copies: on chip by an engine, otherwise by DMA.
static Outcome tensor_setitem(Tracer *t, Value self, Value key, Value value, Span span)
{
  const View *to = index_view(t, value_view(self), key, span), *from = value_view(value);
  if (!to)
    return OUTCOME_ERROR;
  double number;
  bool fills = !from && value_as_double(value, &number);
  if (!from && !fills)
    return RAISE_OUTCOME(t, E_ISA_ARGUMENT, user_span(t, span),
                         "%s is stored into a tensor; expected a tensor or a number", describe(t, value));
  const char *function = fills ? "memset" : view_is_on_chip(to) && view_is_on_chip(from) ? "tensor_copy" : "dma_copy";
  ModuleObject *isa = module_find(t, STR("nki.isa"));
  Value callee, result, args[2] = {value_tensor(t, to), value};
  if (!isa || module_getattr(t, isa, tracer_name(t, function), span, &callee) != OUTCOME_OK)
    return OUTCOME_ERROR;
  return call_simple(t, callee, args, 2, span, &result) ? OUTCOME_OK : OUTCOME_ERROR;
}

// ---- attributes

static Value int_tuple(Tracer *t, const View *view, bool strides)
{
  Value tuple = value_tuple(t, NULL, view_rank(view));
  for (uint32_t i = 0; i < view_rank(view); i++)
    tuple.tuple->items[i] = value_int(strides ? view->pattern.items[i].step : view_dim(view, i));
  return tuple;
}

static Outcome tensor_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  TensorObject *object = (TensorObject *)self.object;
  const View *view = object->view;
  (void)span;
  if (str_is(name->str, "shape")) {
    if (!object->shape)
      object->shape = int_tuple(t, view, false).tuple;
    *out = (Value){.tag = VALUE_TUPLE, .tuple = object->shape};
  } else if (str_is(name->str, "dtype"))
    *out = value_dtype(t, view_dtype(view));
  else if (str_is(name->str, "strides"))
    *out = int_tuple(t, view, true);
  else if (str_is(name->str, "offset"))
    *out = value_int((int64_t)view->offset);
  else if (str_is(name->str, "buffer"))
    *out = value_memory(t, view->tensor->address->memory);
  else if (str_is(name->str, "ndim"))
    *out = value_int(view_rank(view));
  else if (str_is(name->str, "size"))
    *out = value_int((int64_t)view_elements(view));
  else if (str_is(name->str, "name"))
    *out = value_cstr(t, view->tensor->name ? view->tensor->name : "");
  else
    return OUTCOME_MISSING;
  return OUTCOME_OK;
}

Value value_tensor(Tracer *t, const View *view)
{
  ViewNode *node = view_node(view);
  if (!node->object) {
    TensorObject *object = arena_new(&t->arena, TensorObject);
    object->head.type = &tensor_type;
    object->view = view;
    node->object = object;
  }
  return value_object(VALUE_TENSOR, node->object);
}

const View *value_view(Value value)
{
  return value.tag == VALUE_TENSOR ? ((TensorObject *)value.object)->view : NULL;
}

static void tensor_repr(Tracer *t, Value self, StrBuf *out)
{
  const View *view = value_view(self);
  (void)t;
  strbuf_printf(out, "NkiTensor(%s, shape=", view->tensor->name ? view->tensor->name : "");
  view_add_shape(out, view);
  strbuf_printf(out, ", dtype=%s, buffer=%s)", dtype_name(view_dtype(view)),
                memory_name(view->tensor->address->memory));
}

static Outcome tensor_compare(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  bool same = left.tag == right.tag && value_view(left) == value_view(right);
  if (op == CMP_OP_Eq || op == CMP_OP_NotEq) {
    *out = value_bool(same == (op == CMP_OP_Eq));
    return OUTCOME_OK;
  }
  Diag *diag =
      raise_error(t, E_RUNTIME_VALUE, user_span(t, span), "the elements of a tensor are not known while tracing");
  diag_help(diag, "compare on the device: `nl.less(x, y)`, `nisa.tensor_tensor(..., op=nl.less)`");
  return OUTCOME_ERROR;
}

static Outcome tensor_truth(Tracer *t, Value self, Span span, bool *out)
{
  (void)self;
  *out = true;  // as every object without a truth of its own
  Diag *diag = warn_once(t, W_TENSOR_TRUTH, user_span(t, span), "a tensor as a condition: it is always true");
  if (diag->helps.count == 0)
    diag_help(diag,
              "its elements are known at run time only: load one into a register with `nisa.register_load` and test "
              "that; for a tensor that may be absent write `if x is not None:`");
  return OUTCOME_OK;
}

static Outcome tensor_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  static const char *const names[] = {"add",         "subtract",    "multiply",   "matmul",      "divide",
                                      "mod",         "power",       "left_shift", "right_shift", "bitwise_or",
                                      "bitwise_xor", "bitwise_and", "divide"};
  (void)left, (void)right, (void)out;
  Diag *diag = raise_error(t, E_RUNTIME_VALUE, user_span(t, span), "an arithmetic operator on a tensor");
  diag_help(diag, "write `nl.%s(x, y)`, or the instruction: `nisa.tensor_tensor(dst, x, y, op=nl.%s)`", names[op],
            names[op]);
  return OUTCOME_ERROR;
}

static Outcome tensor_length(Tracer *t, Value self, Span span, int64_t *out)
{
  (void)t, (void)span;
  *out = view_dim(value_view(self), 0);
  return OUTCOME_OK;
}

static Outcome tensor_iterate(Tracer *t, Value self, Span span, Value *iterable)
{
  (void)self, (void)iterable;
  Diag *diag = raise_error(t, E_RUNTIME_VALUE, user_span(t, span), "iteration over a tensor");
  diag_help(diag, "iterate over indices: `for i in range(t.shape[0]):` and use `t[i]`");
  return OUTCOME_ERROR;
}

const NativeType tensor_type = {.name = "NkiTensor",
                                .methods = tensor_methods,
                                .getattr = tensor_getattr,
                                .getitem = tensor_getitem,
                                .setitem = tensor_setitem,
                                .binary = tensor_binary,
                                .compare = tensor_compare,
                                .truth = tensor_truth,
                                .length = tensor_length,
                                .iterate = tensor_iterate,
                                .repr = tensor_repr};
