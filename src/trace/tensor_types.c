// tensor_types.c -- element types, memories and operator names as values of the traced program.

#include "trace/builder.h"

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

static const NativeType dtype_type = {
    .name = "dtype", .getattr = dtype_getattr, .compare = dtype_compare, .hash = dtype_hash, .repr = dtype_repr};

Value value_dtype(Tracer *t, DType dtype)
{
  static const DTypeObject objects[] = {
#define DTYPE(enumerator, ...) {{&dtype_type}, DTYPE_##enumerator},
#include "number/dtypes.def"
  };
  (void)t;
  // Two of the file's types are one format; the program sees one.
  return value_object(VALUE_DTYPE,
                      (NativeObject *)(uintptr_t)&objects[dtype == DTYPE_FLOAT8_E4M3 ? DTYPE_FLOAT8E4 : dtype]);
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
  *out = constant->group == GROUP_MEMORY
             ? 0x6d656d + (uint64_t)(constant->memory == MEMORY_PRIVATE_HBM ? MEMORY_HBM : constant->memory)
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

const NativeType constant_type = {.name = "MemoryRegion",
                                  .getattr = constant_getattr,
                                  .compare = constant_compare,
                                  .hash = constant_hash,
                                  .repr = constant_repr};

const char *memory_name(Memory memory)
{
  static const char *const names[] = {[MEMORY_HBM] = "hbm",
                                      [MEMORY_SBUF] = "sbuf",
                                      [MEMORY_PSUM] = "psum",
                                      [MEMORY_REG] = "reg",
                                      [MEMORY_SHARED_HBM] = "shared_hbm",
                                      [MEMORY_PRIVATE_HBM] = "private_hbm"};
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
    return RAISE(t, E_VALUE, user_span(t, call->span), "%s is not a dtype of `nki.language`",
                 describe(t, call->args[0]));
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

// Of a float type's significand with the leading 1, at most 24; 0 for packed types, 1 for powers of two.
bool klr_significant_bits(Tracer *t, const Call *call, Value *out)
{
  Value value;
  if (!klr_dtype(t, call, &value))
    return false;
  DType dtype = ((DTypeObject *)value.object)->dtype;
  int64_t bits = 0;
  for (float one = 1, step = 1; !dtype_is_packed(dtype) && bits < 24; bits++, step /= 2) {
    uint32_t stored = 0;
    dtype_from_f32(dtype, bits ? one + step : one, &stored);
    if (bits && dtype_to_f32(dtype, &stored) != one + step)
      break;
  }
  *out = value_int(bits);
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
