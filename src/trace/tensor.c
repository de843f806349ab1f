// tensor.c -- tensors as values of the traced program: allocation, attributes, the methods of NkiTensor, indexing; element
// types and memories.

#include "trace/builder.h"
#include <stdio.h>
#include <string.h>

// ---- element types and named constants

typedef struct DTypeObject {
  NativeObject head;
  DType dtype;
} DTypeObject;

static void dtype_repr(Tracer *t, Value self, StrBuf *out)
{
  (void)t;
  strbuf_puts(out, dtype_name(((DTypeObject *)self.object)->dtype));
}

bool value_is_dtype(Value value, DType *out)
{
  if (value.tag != VALUE_DTYPE)
    return false;
  *out = ((DTypeObject *)value.object)->dtype;
  return true;
}

// "numpy.float32", an object of a module that is not traced, names a type too.
static bool dtype_of_opaque(const Opaque *opaque, DType *out)
{
  const char *dot = strrchr(opaque->path, '.');
  bool known = strncmp(opaque->path, "numpy.", 6) == 0 || strncmp(opaque->path, "ml_dtypes.", 10) == 0;
  return dot && known && dtype_from_numpy_name(str_from(dot + 1), out);
}

bool read_dtype(Tracer *t, Value value, DType *out)
{
  (void)t;
  if (value_is_dtype(value, out))
    return true;
  if (value.tag == VALUE_OPAQUE)
    return dtype_of_opaque(value.opaque, out);
  return value.tag == VALUE_STR &&
         (dtype_from_nki_name(value.string->text, out) || dtype_from_numpy_name(value.string->text, out));
}

static Outcome dtype_compare(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  DType a, b;
  (void)span;
  if (op != CMP_OP_Eq && op != CMP_OP_NotEq)
    return OUTCOME_MISSING;
  bool equal = read_dtype(t, left, &a) && read_dtype(t, right, &b) && a == b;
  *out = value_bool(equal == (op == CMP_OP_Eq));
  return OUTCOME_OK;
}

// As the string of its name hashes, since it equals that.
static Outcome dtype_hash(Tracer *t, Value self, uint64_t *out)
{
  Value name = value_cstr(t, dtype_name(((DTypeObject *)self.object)->dtype));
  return op_hash(t, name, (Span){0}, out) ? OUTCOME_OK : OUTCOME_ERROR;
}

static Outcome dtype_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  DType dtype = ((DTypeObject *)self.object)->dtype;
  (void)span;
  if (str_is(name->str, "itemsize"))
    *out = value_int(dtype_bytes(dtype));
  else if (str_is(name->str, "name") || str_is(name->str, "__name__"))
    *out = value_cstr(t, dtype_name(dtype));
  else
    return OUTCOME_MISSING;
  return OUTCOME_OK;
}

static const NativeType dtype_type = {.name = "dtype", .getattr = dtype_getattr, .compare = dtype_compare,
                                      .hash = dtype_hash, .repr = dtype_repr};

Value value_dtype(Tracer *t, DType dtype)
{
  static const DTypeObject objects[] = {
#define DTYPE(enumerator, ...) {{&dtype_type}, DTYPE_##enumerator},
#include "number/dtypes.def"
  };
  (void)t;
  // Two of the file's types are one format; the program sees one.
  return value_object(VALUE_DTYPE, (NativeObject *)(uintptr_t)&objects[dtype == DTYPE_FLOAT8_E4M3 ? DTYPE_FLOAT8E4 : dtype]);
}

static void constant_repr(Tracer *t, Value self, StrBuf *out)
{
  (void)t;
  strbuf_puts(out, ((NamedConstant *)self.object)->name->str.data);
}

bool read_memory(Value value, Memory *out)
{
  if (value.tag != VALUE_OBJECT || value.object->type != &constant_type ||
      ((NamedConstant *)value.object)->group != GROUP_MEMORY)
    return false;
  *out = ((NamedConstant *)value.object)->memory;
  return true;
}

// `nl.hbm` is another name of `nl.private_hbm`.
static Outcome constant_compare(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  Memory a, b;
  (void)t, (void)span;
  if (op != CMP_OP_Eq && op != CMP_OP_NotEq)
    return OUTCOME_MISSING;
  bool equal = left.tag == right.tag && left.object == right.object;
  if (!equal && read_memory(left, &a) && read_memory(right, &b))
    equal = (a == b) || ((a == MEMORY_HBM || a == MEMORY_PRIVATE_HBM) && (b == MEMORY_HBM || b == MEMORY_PRIVATE_HBM));
  *out = value_bool(equal == (op == CMP_OP_Eq));
  return OUTCOME_OK;
}

static Outcome constant_hash(Tracer *t, Value self, uint64_t *out)
{
  const NamedConstant *constant = (const NamedConstant *)self.object;
  (void)t;
  *out = constant->group == GROUP_MEMORY ? 0x6d656d + (uint64_t)(constant->memory == MEMORY_PRIVATE_HBM ? MEMORY_HBM : constant->memory)
                                         : constant->name->hash;
  return OUTCOME_OK;
}

static Outcome constant_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  (void)span;
  if (!str_is(name->str, "name") && !str_is(name->str, "value") && !str_is(name->str, "__name__"))
    return OUTCOME_MISSING;
  *out = value_name(t, ((NamedConstant *)self.object)->name);
  return OUTCOME_OK;
}

const NativeType constant_type = {.name = "MemoryRegion", .getattr = constant_getattr, .compare = constant_compare,
                                  .hash = constant_hash, .repr = constant_repr};

static const char *memory_name(Memory memory)
{
  static const char *const names[] = {[MEMORY_HBM] = "hbm",   [MEMORY_SBUF] = "sbuf",
                                      [MEMORY_PSUM] = "psum", [MEMORY_REG] = "reg",
                                      [MEMORY_SHARED_HBM] = "shared_hbm", [MEMORY_PRIVATE_HBM] = "private_hbm"};
  return names[memory];
}

Value value_memory(Tracer *t, Memory memory)
{
  NamedConstant *made = arena_new(&t->arena, NamedConstant);
  made->head.type = &constant_type;
  made->group = GROUP_MEMORY;
  made->name = tracer_name(t, memory_name(memory));
  made->memory = memory;
  return value_object(VALUE_OBJECT, &made->head);
}

bool klr_memory(Tracer *t, const Call *call, Value *out)
{
  for (Memory memory = 0; memory < MEMORY_COUNT; memory++)
    if (value_is_str(call->args[0], memory_name(memory))) {
      *out = value_memory(t, memory);
      return true;
    }
  return RAISE(t, E_VALUE, call->span, "no such memory");
}

bool klr_operator(Tracer *t, const Call *call, Value *out)
{
  NamedConstant *made = arena_new(&t->arena, NamedConstant);
  made->head.type = &constant_type;
  made->group = GROUP_OPERATOR;
  made->name = string_name(t, call->args[0].string);
  *out = value_object(VALUE_OBJECT, &made->head);
  return true;
}

bool klr_dtype(Tracer *t, const Call *call, Value *out)
{
  DType dtype;
  if (!read_dtype(t, call->args[0], &dtype))
    return RAISE(t, E_VALUE, user_span(t, call->span), "%s is not a dtype of `nki.language`", describe(t, call->args[0]));
  *out = value_dtype(t, dtype);
  return true;
}

bool klr_is_integer(Tracer *t, const Call *call, Value *out)
{
  Value dtype;
  if (!klr_dtype(t, call, &dtype))
    return false;
  *out = value_bool(dtype_is_integer(((DTypeObject *)dtype.object)->dtype));
  return true;
}

// The dtype of what is computed from two tiles: the float one, the wider one, float32 for floats of equal width.
bool klr_common_dtype(Tracer *t, const Call *call, Value *out)
{
  DType a, b, made;
  if (!read_dtype(t, call->args[0], &a) || !read_dtype(t, call->args[1], &b))
    return RAISE(t, E_VALUE, user_span(t, call->span), "operands without a dtype");
  unsigned a_bytes = dtype_bytes(a), b_bytes = dtype_bytes(b);
  if (dtype_is_float(a) != dtype_is_float(b))
    made = dtype_is_float(a) ? a : b;
  else if (a_bytes != b_bytes)
    made = a_bytes > b_bytes ? a : b;
  else if (dtype_is_float(a))
    made = a == b ? a : DTYPE_FLOAT32;
  else
    made = dtype_is_signed_integer(a) ? a : b;
  *out = value_dtype(t, made);
  return true;
}

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

static bool need_int(Tracer *t, Value value, const char *method, const char *parameter, Span span, int64_t *out)
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
  Diag *diag = raise_error(b->t, E_KERNEL_CORES, span,
                           "shared tensor '%s' is %s%s on logical core 0 and %s%s on core %u", first->name,
                           dtype_name(first->dtype), strbuf_cstr(&a), dtype_name(other->dtype), strbuf_cstr(&c), b->core);
  diag_help(diag, "a tensor in `nl.shared_hbm` is one for all cores: allocate it with the same shape and dtype on each");
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
    Diag *diag = raise_error(t, E_TENSOR_ALLOC, place, "a shape of %u dimensions %s", spec->rank,
                             on_chip ? "on chip" : "");
    diag_help(diag, on_chip ? "tensors in SBUF and PSUM have partitions and at least one free dimension: `(1, n)` or `(n, 1)`"
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
    diag_help(diag, "the first dimension of a tensor on chip counts partitions, at most 128 (`nl.tile_size.pmax`): split "
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
      !value_as_int(items[1], &free) || par < 0 || free < 0)
    return RAISE(t, E_TENSOR_ALLOC, user_span(t, span),
                 "'address' is %s; expected (first partition, first byte in the partition)", describe(t, value));
  spec->has_address = true;
  spec->par_offset = (uint64_t)par;
  spec->free_offset = (uint64_t)free;
  return true;
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
  spec.rotate = rotate || !spec.has_address;
  const Tensor *tensor = builder_tensor(b, &spec, call->span);
  if (!tensor)
    return false;
  *out = value_tensor(t, views_whole(&b->views, tensor));
  return true;
}

bool klr_unique_name(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "`nl.unique_name`", call->span);
  if (!b || call->args[0].tag != VALUE_STR)
    return b ? RAISE(t, E_TYPE, user_span(t, call->span), "'name' is %s; expected a str", describe(t, call->args[0])) : false;
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

bool klr_ds(Tracer *t, const Call *call, Value *out)
{
  int64_t start, size;
  if (!need_int(t, call->args[1], "nl.ds", "size", call->span, &size))
    return false;
  if (value_as_int(call->args[0], &start)) {
    *out = value_slice(t, value_int(start), value_int(start + size), value_none());
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
static const ScalarOffset *runtime_offset(Tracer *t, Value value, Span span)
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
    *out = (ViewIndex){.kind = VIEW_INDEX_RUNTIME_SLICE, .size = size, .runtime = runtime_offset(t, slice->start, span)};
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
    out->runtime = runtime_offset(t, slice->start, span);
    return out->runtime != NULL;
  }
  if (value_is_register(item) || item.tag == VALUE_TENSOR) {
    out->kind = VIEW_INDEX_RUNTIME;
    out->runtime = runtime_offset(t, item, span);
    return out->runtime != NULL;
  }
  Diag *diag = raise_error(t, E_INDEX_FORM, user_span(t, span), "a tensor indexed by %s", describe(t, item));
  diag_help(diag, "indices are ints, slices, `...`, None, `nl.ds(start, size)`, registers and (1, 1) tensors");
  return false;
}

// Views are made in the arena of the kernel, also while its arguments are being prepared.
static Views *views_of(Tracer *t)
{
  return &builder_of(t)->views;
}

static bool give(Tracer *t, const View *view, Span span, Value *out)
{
  if (!view)
    return raise_fault(t, &views_of(t)->fault, span);
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
  const View *made = views_index(views_of(t), view, items, (uint32_t)count);
  if (!made)
    raise_fault(t, &views_of(t)->fault, span);
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
    return RAISE_OUTCOME(t, E_ISA_ARGUMENT, user_span(t, span), "%s is stored into a tensor; expected a tensor or a number",
                         describe(t, value));
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
    if (!value_is_set(object->shape))
      object->shape = int_tuple(t, view, false);
    *out = object->shape;
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
  TensorObject *object = arena_new(&t->arena, TensorObject);
  object->head.type = &tensor_type;
  object->view = view;
  return value_object(VALUE_TENSOR, &object->head);
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
  strbuf_printf(out, ", dtype=%s, buffer=%s)", dtype_name(view_dtype(view)), memory_name(view->tensor->address->memory));
}

static Outcome tensor_compare(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  bool same = left.tag == right.tag && value_view(left) == value_view(right);
  if (op == CMP_OP_Eq || op == CMP_OP_NotEq) {
    *out = value_bool(same == (op == CMP_OP_Eq));
    return OUTCOME_OK;
  }
  Diag *diag = raise_error(t, E_RUNTIME_VALUE, user_span(t, span), "the elements of a tensor are not known while tracing");
  diag_help(diag, "compare on the device: `nl.less(x, y)`, `nisa.tensor_tensor(..., op=nl.less)`");
  return OUTCOME_ERROR;
}

static Outcome tensor_truth(Tracer *t, Value self, Span span, bool *out)
{
  (void)self, (void)out;
  Diag *diag = raise_error(t, E_RUNTIME_VALUE, user_span(t, span), "a tensor as a condition");
  diag_help(diag, "its elements are known at run time only: load one into a register with `nisa.register_load` and test "
                  "that; for a tensor that may be absent write `if x is not None:`");
  return OUTCOME_ERROR;
}

static Outcome tensor_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  static const char *const names[] = {"add",        "subtract", "multiply", "matmul",     "divide",      "mod",        "power",
                                      "left_shift", "right_shift", "bitwise_or", "bitwise_xor", "bitwise_and", "divide"};
  (void)left, (void)right, (void)out;
  Diag *diag = raise_error(t, E_RUNTIME_VALUE, user_span(t, span), "an arithmetic operator on a tensor");
  diag_help(diag, "write `nl.%s(x, y)`, or the instruction: `nisa.tensor_tensor(dst, x, y, op=nl.%s)`", names[op], names[op]);
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

// ---- methods

#define SELF value_view(call->self)
#define NEED_KERNEL()                                                                                                  \
  if (!builder_need(t, "a view of a tensor", call->span))                                                              \
  return false

static bool method_slice(Tracer *t, const Call *call, Value *out)
{
  int64_t dim, start, end, step = 1;
  NEED_KERNEL();
  if (!need_int(t, call->args[0], "slice", "dim", call->span, &dim) ||
      !need_int(t, call->args[1], "slice", "start", call->span, &start) ||
      !need_int(t, call->args[2], "slice", "end", call->span, &end) ||
      (value_is_set(call->args[3]) && !need_int(t, call->args[3], "slice", "step", call->span, &step)))
    return false;
  return give(t, views_slice(views_of(t), SELF, dim, start, end, step), call->span, out);
}

static bool method_select(Tracer *t, const Call *call, Value *out)
{
  int64_t dim, index;
  NEED_KERNEL();
  if (!need_int(t, call->args[0], "select", "dim", call->span, &dim))
    return false;
  if (call->args[1].tag == VALUE_TENSOR || value_is_register(call->args[1])) {
    const ScalarOffset *offset = runtime_offset(t, call->args[1], call->span);
    return offset && give(t, views_select_runtime(views_of(t), SELF, dim, offset), call->span, out);
  }
  return need_int(t, call->args[1], "select", "index", call->span, &index) &&
         give(t, views_select(views_of(t), SELF, dim, index), call->span, out);
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
  return need_int(t, call->args[0], "vector_select", "dim", call->span, &dim) &&
         need_tensor(t, call->args[1], "vector_select", "vector_offset", call->span) &&
         give(t, views_vector_select(views_of(t), SELF, dim, value_view(call->args[1])), call->span, out);
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
         give(t, function(views_of(t), SELF, sizes, count), call->span, out);
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
  return need_int(t, call->args[0], "broadcast", "dim", call->span, &dim) &&
         need_int(t, call->args[1], "broadcast", "size", call->span, &size) &&
         give(t, views_broadcast(views_of(t), SELF, dim, size), call->span, out);
}

static bool method_expand_dim(Tracer *t, const Call *call, Value *out)
{
  int64_t dim;
  NEED_KERNEL();
  return need_int(t, call->args[0], "expand_dim", "dim", call->span, &dim) &&
         give(t, views_expand_dim(views_of(t), SELF, dim), call->span, out);
}

static bool method_squeeze_dim(Tracer *t, const Call *call, Value *out)
{
  int64_t dim;
  NEED_KERNEL();
  return need_int(t, call->args[0], "squeeze_dim", "dim", call->span, &dim) &&
         give(t, views_squeeze_dim(views_of(t), SELF, dim), call->span, out);
}

static bool method_reshape_dim(Tracer *t, const Call *call, Value *out)
{
  int64_t dim, sizes[VIEW_RANK_MAX];
  uint32_t count;
  NEED_KERNEL();
  return need_int(t, call->args[0], "reshape_dim", "dim", call->span, &dim) &&
         read_sizes(t, call->args[1], "the shape", call->span, sizes, &count) &&
         give(t, views_reshape_dim(views_of(t), SELF, dim, sizes, count), call->span, out);
}

static bool method_flatten_dims(Tracer *t, const Call *call, Value *out)
{
  int64_t first, last;
  NEED_KERNEL();
  return need_int(t, call->args[0], "flatten_dims", "start_dim", call->span, &first) &&
         need_int(t, call->args[1], "flatten_dims", "end_dim", call->span, &last) &&
         give(t, views_flatten_dims(views_of(t), SELF, first, last), call->span, out);
}

static bool method_view(Tracer *t, const Call *call, Value *out)
{
  DType dtype;
  NEED_KERNEL();
  if (!read_dtype(t, call->args[0], &dtype))
    return RAISE(t, E_VIEW_DTYPE, user_span(t, call->span), "'dtype' of 'view' is %s; expected a dtype",
                 describe(t, call->args[0]));
  return give(t, views_cast(views_of(t), SELF, dtype), call->span, out);
}

static bool method_indirect(Tracer *t, const Call *call, Value *out)
{
  int64_t elements = 0;
  NEED_KERNEL();
  if (value_is_set(call->args[1]) && call->args[1].tag != VALUE_NONE &&
      !need_int(t, call->args[1], "indirect", "num_elem", call->span, &elements))
    return false;
  return need_tensor(t, call->args[0], "indirect", "index", call->span) &&
         give(t, views_indirect(views_of(t), SELF, value_view(call->args[0]), elements), call->span, out);
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
  if (is_given(args[1]) && (value_is_register(args[1]) || !need_int(t, args[1], "ap", "offset", call->span, &offset)))
    return t->exception.tag != VALUE_UNDEFINED
               ? false
               : RAISE(t, E_VIEW_ARGUMENT, user_span(t, call->span),
                       "'offset' of 'ap' is a register; pass it as 'scalar_offset'");
  pattern.offset = is_given(args[1]) ? &offset : NULL;
  if (is_given(args[2]) && !(pattern.scalar = runtime_offset(t, args[2], call->span)))
    return false;
  if (is_given(args[3]) && !need_tensor(t, args[3], "ap", "vector_offset", call->span))
    return false;
  pattern.vector = is_given(args[3]) ? value_view(args[3]) : NULL;
  if (is_given(args[4]) && !need_int(t, args[4], "ap", "indirect_dim", call->span, &pattern.indirect_dim))
    return false;
  if (is_given(args[5]) && !read_dtype(t, args[5], &dtype))
    return RAISE(t, E_VIEW_DTYPE, user_span(t, call->span), "'dtype' of 'ap' is %s; expected a dtype",
                 describe(t, args[5]));
  pattern.dtype = is_given(args[5]) ? &dtype : NULL;
  return give(t, views_ap(views_of(t), SELF, &pattern), call->span, out);
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
        !need_int(t, fixed->entries[i].value, "rearrange", "fixed_sizes", call->span, &sizes[count].size))
      return RAISE(t, E_VIEW_ARGUMENT, user_span(t, call->span), "'fixed_sizes' maps names to ints");
    sizes[count++].name = fixed->entries[i].key.string->text;
  }
  return give(t, views_rearrange(views_of(t), SELF, &from.all, &to.all, sizes, count), call->span, out);
}

// A view of one partition that reads as `count` equal ones; for DMA, whose patterns are free.
bool klr_repeat_partition(Tracer *t, const Call *call, Value *out)
{
  int64_t count;
  NEED_KERNEL();
  return need_tensor(t, call->args[0], "broadcast_to", "x", call->span) &&
         need_int(t, call->args[1], "broadcast_to", "shape", call->span, &count) &&
         give(t, views_repeat_partition(views_of(t), value_view(call->args[0]), count), call->span, out);
}

static const NativeMethod tensor_methods[] = {
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
