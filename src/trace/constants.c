// constants.c -- `nl.shared_constant`: data that belongs to the kernel, from a .npy file or from numbers in it.
//
// The kernel names a constant's file after its content, "shared_constants/0123456789abcdef.npy"; the session keeps the
// bytes under that name, for whoever runs the kernel or writes it to a file.

#include "base/npy.h"
#include "trace/builder.h"
#include "trace/host.h"

#include <string.h>
#include <unistd.h>

// ---- numbers

typedef struct Numbers {
  Tracer *t;
  uint64_t shape[VIEW_RANK_MAX];
  uint32_t rank;
  bool is_float;
  Vec(double) values;
} Numbers;

// Reads nested lists or tuples of numbers; false when rows differ in length or something else is in them.
static bool read_numbers(Numbers *numbers, Value value, uint32_t depth)
{
  const Value *items;
  size_t count;
  double number;
  if (value_sequence(value, &items, &count)) {
    bool is_first = depth == numbers->rank && numbers->values.count == 0;
    if (count == 0 || depth == VIEW_RANK_MAX || (!is_first && (depth >= numbers->rank || numbers->shape[depth] != count)))
      return false;
    if (is_first)
      numbers->shape[numbers->rank++] = count;
    for (size_t i = 0; i < count; i++)
      if (!read_numbers(numbers, items[i], depth + 1))
        return false;
    return true;
  }
  Value held = value_unwrap(value);
  if (depth == 0 || depth != numbers->rank || !value_as_double(held, &number))
    return false;
  numbers->is_float = numbers->is_float || held.tag == VALUE_FLOAT;
  vec_push(&numbers->t->arena, &numbers->values, number);
  return true;
}

// The .npy file of numbers: int32 when all are whole and fit, else float32.
static Str numbers_file(Numbers *numbers)
{
  size_t count = numbers->values.count;
  uint32_t *units = arena_array(&numbers->t->arena, uint32_t, count);
  for (size_t i = 0; i < count; i++)
    numbers->is_float = numbers->is_float || !(numbers->values.items[i] >= INT32_MIN && numbers->values.items[i] <= INT32_MAX);
  for (size_t i = 0; i < count; i++) {
    float real = (float)numbers->values.items[i];
    int32_t whole = numbers->is_float ? 0 : (int32_t)numbers->values.items[i];
    memcpy(&units[i], numbers->is_float ? (const void *)&real : (const void *)&whole, sizeof units[i]);
  }
  StrBuf out = strbuf_new(&numbers->t->arena);
  npy_format(&out, numbers->is_float ? "<f4" : "<i4", numbers->shape, numbers->rank, units, count * sizeof *units);
  return strbuf_str(&out);
}

// ---- arrays of the program that makes the kernel

typedef struct ArrayObject {
  NativeObject head; // array_type
  DType dtype;
  uint32_t rank;
  const uint64_t *shape;
  Str data;
} ArrayObject;

static Value shape_tuple(Tracer *t, const ArrayObject *array)
{
  Value shape = value_tuple(t, NULL, array->rank);
  for (uint32_t i = 0; i < array->rank; i++)
    shape.tuple->items[i] = value_int((int64_t)array->shape[i]);
  return shape;
}

static Outcome array_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  const ArrayObject *array = (const ArrayObject *)self.object;
  (void)span;
  if (str_is(name->str, "shape"))
    *out = shape_tuple(t, array);
  else if (str_is(name->str, "dtype"))
    *out = value_dtype(t, array->dtype);
  else if (str_is(name->str, "ndim"))
    *out = value_int(array->rank);
  else if (str_is(name->str, "size"))
    *out = value_int((int64_t)(array->data.len / dtype_bytes(array->dtype)));
  else
    return OUTCOME_MISSING;
  return OUTCOME_OK;
}

static const NativeType array_type = {.name = "array", .getattr = array_getattr};

Value value_array(Tracer *t, DType dtype, const uint64_t *sizes, uint32_t rank, Str data)
{
  ArrayObject *array = arena_new(&t->arena, ArrayObject);
  uint64_t *shape = arena_array(&t->arena, uint64_t, rank);
  if (rank)
    memcpy(shape, sizes, rank * sizeof *shape);
  *array = (ArrayObject){.dtype = dtype, .rank = rank, .shape = shape};
  array->head.type = &array_type;
  array->data = (Str){arena_strndup(&t->arena, data.data, data.len), data.len};
  return value_object(VALUE_OBJECT, &array->head);
}

static const ArrayObject *value_is_array(Value value)
{
  return value.tag == VALUE_OBJECT && value.object->type == &array_type ? (const ArrayObject *)value.object : NULL;
}

static Str array_file(Tracer *t, const ArrayObject *array)
{
  StrBuf out = strbuf_new(&t->arena);
  npy_format(&out, dtype_info(array->dtype)->npy_descr, array->shape, array->rank, array->data.data, array->data.len);
  return strbuf_str(&out);
}

// ---- files

// `path` in the folder of `file`, if it can be read there; else NULL.
static const char *beside(Tracer *t, const char *file, const char *path)
{
  const char *slash = file ? strrchr(file, '/') : NULL;
  const char *joined = slash ? arena_printf(&t->arena, "%.*s/%s", (int)(slash - file), file, path) : path;
  return access(joined, R_OK) == 0 ? joined : NULL;
}

// From the current folder, else beside the file of the code that asks, of its caller, and so on. Where another evaluator
// runs the kernel, frames have no files, and the place of the call says where it stands.
static const char *resolve(Tracer *t, const char *path, Span call)
{
  if (path[0] == '/' || access(path, R_OK) == 0)
    return path;
  const char *found = NULL;
  for (const Frame *frame = t->frame; frame && !found; frame = frame->caller)
    found = beside(t, frame->module ? frame->module->path : NULL, path);
  const Source *source = session_source(t->session, user_span(t, call).source);
  if (!found && source)
    found = beside(t, source->path, path);
  return found ? found : path;
}

static bool constant_file(Tracer *t, const Call *call, Str *file, const char **shown)
{
  Value constant = call->args[0];
  Numbers numbers = {.t = t};
  if (constant.tag == VALUE_STR) {
    *shown = resolve(t, constant.string->text.data, call->span);
    size_t errors = t->session->error_count;
    if (t->host && t->host->file)
      t->host->file(t, t->host->context, *shown);
    if (file_read(t->session, &t->arena, *shown, file))
      return true;
    if (t->session->error_count > errors) {
      Diag *diag = t->session->diags.items[t->session->diags.count - 1];
      diag_primary(diag, user_span(t, call->span), "this constant is looked for in the current folder, beside this file and beside its callers");
      raise_diag(t, "OSError", diag);
    }
    return false;
  }
  *shown = "the constant";
  const ArrayObject *array = value_is_array(constant);
  if (array) {
    *file = array_file(t, array);
    return true;
  }
  if (value_is_set(constant) && read_numbers(&numbers, constant, 0)) {
    *file = numbers_file(&numbers);
    return true;
  }
  Diag *diag = raise_error(t, E_ISA_ARGUMENT, user_span(t, call->span),
                           "'nl.shared_constant': 'constant' is %s; expected the path of a .npy file or an array",
                           describe(t, constant));
  if (constant.tag == VALUE_TENSOR)
    diag_help(diag, "a tensor exists when the kernel runs: use it as it is");
  else
    diag_help(diag, "save it with `numpy.save` and pass the path, or write lists of numbers, all rows of one length");
  return false;
}

// The tensor of a constant that was asked for before.
static const Tensor *known_constant(const Builder *b, const char *name)
{
  for (size_t i = 0; i < b->shared_constants.count; i++)
    if (strcmp(b->shared_constants.items[i].file_name, name) == 0)
      return b->constants.items[i];
  return NULL;
}

static const Tensor *constant_tensor(Tracer *t, const Call *call, const char *shown, Str file)
{
  Builder *b = builder_of(t);
  Npy npy;
  DType dtype;
  if (!npy_parse(t->session, shown, file, &npy)) {
    Diag *diag = t->session->diags.items[t->session->diags.count - 1];
    diag_primary(diag, user_span(t, call->span), "this constant");
    raise_diag(t, "OSError", diag);
    return NULL;
  }
  const ArrayObject *array = value_is_array(call->args[0]);
  bool known = array ? (dtype = array->dtype, true) : dtype_from_npy_descr(str_from(npy.descr), &dtype);
  if (!known || !dtype_nki_name(dtype) || npy.rank == 0) {
    Diag *diag = raise_error(t, E_ISA_ARGUMENT, user_span(t, call->span),
                             "'nl.shared_constant': '%s' holds '%s' in %u dimensions, which no tensor holds", shown, npy.descr,
                             npy.rank);
    diag_help(diag, npy.item_bytes == 1 ? "save the bytes as uint8 and say what they are: `nl.shared_constant(path).view(dtype)`"
                                        : "save it as one of the element types of `nki.language`, at least one dimension");
    return NULL;
  }
  TensorSpec spec = {.name = builder_number(b, "constant"), .dtype = dtype, .memory = MEMORY_SHARED_HBM, .sizes = npy.shape,
                     .rank = npy.rank};
  return builder_tensor(b, &spec, call->span);
}

bool klr_shared_constant(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "'nl.shared_constant'", call->span);
  Str file;
  const char *shown;
  if (!b || !constant_file(t, call, &file, &shown))
    return false;
  const char *name = arena_printf(b->arena, "shared_constants/%016llx.npy", (unsigned long long)str_hash(file));
  const Tensor *tensor = known_constant(b, name);
  if (!tensor) {
    tensor = constant_tensor(t, call, shown, file);
    if (!tensor)
      return false;
    session_keep_file(t->session, name, file);
    vec_push(&t->arena, &b->shared_constants, (SharedConstant){tensor->name, builder_keep(b, name)});
    vec_push(&t->arena, &b->constants, tensor);
  }
  return tensor_give(t, views_whole(&b->views, tensor), call->span, out);
}
