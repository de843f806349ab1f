// interpret.c -- the meaning of scalar kernels, as a walk over their trees.
//
// Values are of the type of their node; the checker has made sure that nothing else meets. Kernels with barriers run region by region: what stands
// between two barriers is run for all threads of a group before what comes next.

#include "schema/interpret.h"
#include "base/bug.h"
#include "schema/reduce.h"
#include "schema/run/klr_scalar.h"
#include "schema/whole.h"

#include <stdlib.h>

typedef KlrScalarValue Value;
typedef enum Signal { SIGNAL_NONE, SIGNAL_BREAK, SIGNAL_CONTINUE, SIGNAL_RETURN } Signal;

typedef struct Array {
  void *data;
  uint64_t count;
} Array;

typedef struct Frame {
  const SchemaFunction *function;
  Value *params, *locals;
  Array *arrays;  // by parameter
  Array *shared;  // by local
  Value result;
  uint64_t thread;  // linear number
  uint64_t id[3], group[3], local[3];
} Frame;

typedef struct ReductionState {
  SchemaReduction reduction;
  Value lanes[SCHEMA_LANES];
} ReductionState;

typedef struct Interpreter {
  Session *session;
  const SchemaFile *file;
  const SchemaFunction *kernel;
  Arena *arena;
  KlrKernelGrid grid;
  ReductionState *reductions;
  size_t reduction_count;
  uint64_t steps_left;
  bool has_limit, failed;
} Interpreter;

static Value eval(Interpreter *in, Frame *f, const SchemaNode *node);
static Signal run_list(Interpreter *in, Frame *f, SchemaList list);

// ---- values by type

// `X(SCALAR, member, c type)` for each type that arithmetic has.
#define EACH_NUMBER(X) X(I32, i32) X(I64, i64) X(U32, u32) X(U64, u64) X(F32, f32) X(F64, f64)
#define EACH_INTEGER(X) X(I32, i32) X(I64, i64) X(U32, u32) X(U64, u64)
#define EACH_FLOAT(X) X(F32, f32) X(F64, f64)

static Value load_element(Scalar type, const void *data, uint64_t index)
{
  Value value = {.u64 = 0};
  uint32_t bytes = scalar_info(type)->bytes;
  memcpy(&value, (const char *)data + index * bytes, bytes);
  if (type == SCALAR_BOOL)
    value.u8 = value.u8 != 0;
  return value;
}

static void store_element(Scalar type, void *data, uint64_t index, Value value)
{
  uint32_t bytes = scalar_info(type)->bytes;
  memcpy((char *)data + index * bytes, &value, bytes);
}

static int64_t as_i64(Scalar type, Value v)
{
  switch (type) {
  case SCALAR_BOOL:
  case SCALAR_U8: return v.u8;
  case SCALAR_I8: return v.i8;
  case SCALAR_I16: return v.i16;
  case SCALAR_I32: return v.i32;
  case SCALAR_I64: return v.i64;
  case SCALAR_U16: return v.u16;
  case SCALAR_U32: return v.u32;
  case SCALAR_U64: return (int64_t)v.u64;
  default: bug("integer of type %d", (int)type);
  }
}

static Value from_integer(Scalar from, int64_t v, Scalar to)
{
  Value out = {.u64 = 0};
  switch (to) {
  case SCALAR_BOOL: out.u8 = v != 0; return out;
  case SCALAR_I8:
  case SCALAR_U8: out.u8 = (uint8_t)v; return out;
  case SCALAR_I16:
  case SCALAR_U16: out.u16 = (uint16_t)v; return out;
  case SCALAR_I32:
  case SCALAR_U32: out.u32 = (uint32_t)v; return out;
  case SCALAR_I64:
  case SCALAR_U64: out.i64 = v; return out;
  case SCALAR_F32: out.f32 = from == SCALAR_U64 ? (float)(uint64_t)v : (float)v; return out;
  case SCALAR_F64: out.f64 = from == SCALAR_U64 ? (double)(uint64_t)v : (double)v; return out;
  default: break;
  }
  double wide = from == SCALAR_U64 ? klr_odd_u64((uint64_t)v) : klr_odd_i64(v);
  out.u16 = to == SCALAR_F16 ? klr_f64_to_f16(wide) : klr_f64_to_bf16(wide);
  return out;
}

#define CAST_FLOAT(name, member)                                                                                       \
  static Value cast_##name(member##_type x, Scalar to)                                                                 \
  {                                                                                                                    \
    Value out = {.u64 = 0};                                                                                            \
    switch (to) {                                                                                                      \
    case SCALAR_BOOL: out.u8 = x != 0; break;                                                                          \
    case SCALAR_I8: out.i8 = klr_cast_##name##_i8(x); break;                                                           \
    case SCALAR_I16: out.i16 = klr_cast_##name##_i16(x); break;                                                        \
    case SCALAR_I32: out.i32 = klr_cast_##name##_i32(x); break;                                                        \
    case SCALAR_I64: out.i64 = klr_cast_##name##_i64(x); break;                                                        \
    case SCALAR_U8: out.u8 = klr_cast_##name##_u8(x); break;                                                           \
    case SCALAR_U16: out.u16 = klr_cast_##name##_u16(x); break;                                                        \
    case SCALAR_U32: out.u32 = klr_cast_##name##_u32(x); break;                                                        \
    case SCALAR_U64: out.u64 = klr_cast_##name##_u64(x); break;                                                        \
    case SCALAR_F16: out.u16 = klr_##name##_to_f16(x); break;                                                          \
    case SCALAR_BF16: out.u16 = klr_##name##_to_bf16(x); break;                                                        \
    case SCALAR_F32: out.f32 = (float)x; break;                                                                        \
    default: out.f64 = (double)x; break;                                                                               \
    }                                                                                                                  \
    return out;                                                                                                        \
  }
typedef float f32_type;
typedef double f64_type;
CAST_FLOAT(f32, f32)
CAST_FLOAT(f64, f64)

static Value cast(Scalar from, Value v, Scalar to)
{
  switch (from) {
  case SCALAR_F16: return cast_f32(klr_f16_to_f32(v.u16), to);
  case SCALAR_BF16: return cast_f32(klr_bf16_to_f32(v.u16), to);
  case SCALAR_F32: return cast_f32(v.f32, to);
  case SCALAR_F64: return cast_f64(v.f64, to);
  default: return from_integer(from, as_i64(from, v), to);
  }
}

static Value of_bool(bool value)
{
  return (Value){.u8 = value};
}

// ---- operators

#define COMPARISONS(TYPE, member)                                                                                      \
  case SCALAR_##TYPE:                                                                                                  \
    switch (op) {                                                                                                      \
    case BINARY_lt: return of_bool(a.member < b.member);                                                               \
    case BINARY_le: return of_bool(a.member <= b.member);                                                              \
    case BINARY_gt: return of_bool(a.member > b.member);                                                               \
    case BINARY_ge: return of_bool(a.member >= b.member);                                                              \
    case BINARY_eq: return of_bool(a.member == b.member);                                                              \
    case BINARY_ne: return of_bool(a.member != b.member);                                                              \
    default: break;                                                                                                    \
    }                                                                                                                  \
    break;

static Value compare(SchemaBinary op, Scalar type, Value a, Value b)
{
  switch (type) {
    EACH_NUMBER(COMPARISONS)
    COMPARISONS(BOOL, u8)
  default: break;
  }
  bug("comparison %d of type %d", (int)op, (int)type);
}

// By their mathematical values: whatever is negative is less than any u64.
static Value compare_mixed(SchemaBinary op, uint64_t a, int64_t b)
{
  if (b < 0)
    a = 1, b = 0;
  return compare(op, SCALAR_U64, (Value){.u64 = a}, (Value){.u64 = (uint64_t)b});
}

#define INTEGER_OPS(TYPE, member)                                                                                      \
  case SCALAR_##TYPE:                                                                                                  \
    switch (op) {                                                                                                      \
    case BINARY_add: out.member = klr_add_##member(a.member, b.member); return out;                                    \
    case BINARY_sub: out.member = klr_sub_##member(a.member, b.member); return out;                                    \
    case BINARY_mul: out.member = klr_mul_##member(a.member, b.member); return out;                                    \
    case BINARY_floor_div: out.member = klr_floor_div_##member(a.member, b.member); return out;                        \
    case BINARY_mod: out.member = klr_mod_##member(a.member, b.member); return out;                                    \
    case BINARY_pow: out.member = klr_pow_##member(a.member, b.member); return out;                                    \
    case BINARY_bit_and: out.member = a.member & b.member; return out;                                                 \
    case BINARY_bit_or: out.member = a.member | b.member; return out;                                                  \
    case BINARY_bit_xor: out.member = a.member ^ b.member; return out;                                                 \
    case BINARY_shl: out.member = klr_shl_##member(a.member, by); return out;                                          \
    case BINARY_shr: out.member = klr_shr_##member(a.member, by); return out;                                          \
    default: break;                                                                                                    \
    }                                                                                                                  \
    break;

#define FLOAT_OPS(TYPE, member)                                                                                        \
  case SCALAR_##TYPE:                                                                                                  \
    switch (op) {                                                                                                      \
    case BINARY_add: out.member = a.member + b.member; return out;                                                     \
    case BINARY_sub: out.member = a.member - b.member; return out;                                                     \
    case BINARY_mul: out.member = a.member * b.member; return out;                                                     \
    case BINARY_div: out.member = a.member / b.member; return out;                                                     \
    case BINARY_floor_div: out.member = klr_floor_div_##member(a.member, b.member); return out;                        \
    case BINARY_mod: out.member = klr_mod_##member(a.member, b.member); return out;                                    \
    case BINARY_pow: out.member = klr_pow_##member(a.member, b.member); return out;                                    \
    default: break;                                                                                                    \
    }                                                                                                                  \
    break;

// Shift counts of u64 that no i64 holds shift everything out.
static int64_t shift_count(Scalar type, Value v)
{
  return type == SCALAR_U64 && v.u64 > 64 ? 64 : as_i64(type, v);
}

static Value arithmetic(SchemaBinary op, Scalar type, Value a, Scalar right, Value b)
{
  Value out = {.u64 = 0};
  int64_t by = op == BINARY_shl || op == BINARY_shr ? shift_count(right, b) : 0;
  switch (type) {
    EACH_INTEGER(INTEGER_OPS)
    EACH_FLOAT(FLOAT_OPS)
  case SCALAR_BOOL:
    if (op == BINARY_bit_and)
      return of_bool(a.u8 & b.u8);
    if (op == BINARY_bit_or)
      return of_bool(a.u8 | b.u8);
    if (op == BINARY_bit_xor)
      return of_bool(a.u8 ^ b.u8);
    break;
  default: break;
  }
  bug("operator %d of type %d", (int)op, (int)type);
}

static Value eval_binary(Interpreter *in, Frame *f, const SchemaNode *node)
{
  const Schema_binary_op *e = SCHEMA_AS(binary_op, node);
  Value left = eval(in, f, e->left);
  if (e->op == BINARY_and || e->op == BINARY_or)
    return (left.u8 != 0) == (e->op == BINARY_or) ? left : eval(in, f, e->right);
  Value right = eval(in, f, e->right);
  if (schema_binary_info(e->op)->class == OP_CLASS_COMPARE)
    return e->left->type.scalar == e->right->type.scalar ? compare(e->op, e->left->type.scalar, left, right)
           : e->left->type.scalar == SCALAR_U64          ? compare_mixed(e->op, left.u64, right.i64)
                                                         : compare_mixed(schema_mirrored(e->op), right.u64, left.i64);
  return arithmetic(e->op, node->type.scalar, left, e->right->type.scalar, right);
}

#define UNARY_INTEGER(TYPE, member)                                                                                    \
  case SCALAR_##TYPE:                                                                                                  \
    if (op == UNARY_neg)                                                                                               \
      v.member = klr_neg_##member(v.member);                                                                           \
    else if (op == UNARY_inv)                                                                                          \
      v.member = ~v.member;                                                                                            \
    return v;

static Value unary(SchemaUnary op, Scalar type, Value v)
{
  if (op == UNARY_not)
    return of_bool(!v.u8);
  switch (type) {
    EACH_INTEGER(UNARY_INTEGER)
  case SCALAR_F32:
    if (op == UNARY_neg)
      v.f32 = klr_neg_f32(v.f32);
    return v;
  case SCALAR_F64:
    if (op == UNARY_neg)
      v.f64 = klr_neg_f64(v.f64);
    return v;
  default: return v;
  }
}

// ---- functions

#define NUMBER_1(name)                                                                                                 \
  case BUILTIN_##name:                                                                                                 \
    switch (type) {                                                                                                    \
      EACH_NUMBER(NUMBER_1_OF_##name)                                                                                  \
    default: break;                                                                                                    \
    }                                                                                                                  \
    break;
#define NUMBER_1_OF_abs(TYPE, member) case SCALAR_##TYPE: out.member = klr_abs_##member(a[0].member); return out;
#define NUMBER_2(name)                                                                                                 \
  case BUILTIN_##name:                                                                                                 \
    switch (type) {                                                                                                    \
      EACH_NUMBER(NUMBER_2_OF_##name)                                                                                  \
    default: break;                                                                                                    \
    }                                                                                                                  \
    break;
#define NUMBER_2_OF_min(TYPE, member) case SCALAR_##TYPE: out.member = klr_min_##member(a[0].member, a[1].member); return out;
#define NUMBER_2_OF_max(TYPE, member) case SCALAR_##TYPE: out.member = klr_max_##member(a[0].member, a[1].member); return out;
#define FLOAT_CASES(name, ...)                                                                                         \
  case BUILTIN_##name:                                                                                                 \
    if (type == SCALAR_F32)                                                                                            \
      FLOAT_CALL(f32, name, __VA_ARGS__)                                                                               \
    else                                                                                                               \
      FLOAT_CALL(f64, name, __VA_ARGS__)                                                                               \
    return out;
#define FLOAT_CALL(member, name, ...) out.member = klr_##name##_##member(FLOAT_ARGS_##__VA_ARGS__(member));
#define FLOAT_ARGS_1(member) a[0].member
#define FLOAT_ARGS_2(member) a[0].member, a[1].member
#define FLOAT_ARGS_3(member) a[0].member, a[1].member, a[2].member
#define CASE_FLOAT_1(name) FLOAT_CASES(name, 1)
#define CASE_FLOAT_2(name) FLOAT_CASES(name, 2)
#define CASE_FLOAT_3(name) FLOAT_CASES(name, 3)
#define CASE_TEST_1(name)                                                                                              \
  case BUILTIN_##name: return of_bool(type == SCALAR_F32 ? klr_##name##_f32(a[0].f32) : klr_##name##_f64(a[0].f64));
#define CASE_INTEGER_1(name)                                                                                           \
  case BUILTIN_##name:                                                                                                 \
    if (type == SCALAR_I32 || type == SCALAR_U32)                                                                      \
      out.u32 = klr_##name##_u32(a[0].u32);                                                                            \
    else                                                                                                               \
      out.u64 = klr_##name##_u64(a[0].u64);                                                                            \
    return out;
#define CASE_AS_1(name)                                                                                                \
  case BUILTIN_##name:                                                                                                 \
    if (scalar_info(type)->bytes == 4)                                                                                 \
      out.u32 = a[0].u32;                                                                                              \
    else                                                                                                               \
      out.u64 = a[0].u64;                                                                                              \
    return out;
#define CASE_NUMBER_1(name) NUMBER_1(name)
#define CASE_NUMBER_2(name) NUMBER_2(name)
#define CASE_ID_0(name)
#define CASE_BARRIER_0(name)
#define CASE_ATOMIC_3(name)
#define CASE_ATOMIC_4(name)

// A function of values, all of type `type`.
static Value call_function(SchemaBuiltin builtin, Scalar type, const Value *a)
{
  Value out = {.u64 = 0};
  switch (builtin) {
#define CALL(name, least, most, class, doc) CASE_##class##_##least(name)
#include "schema/calls.def"
  default: break;
  }
  bug("function %d of type %d", (int)builtin, (int)type);
}

static Value eval_id(Interpreter *in, const Frame *f, SchemaBuiltin builtin, SchemaList args)
{
  uint32_t dim = args.count ? (uint32_t)SCHEMA_AS(literal, args.items[0])->value.magnitude : 0;
  const KlrKernelGrid *grid = &in->grid;
  uint64_t value = 0;
  switch (builtin) {
  case BUILTIN_get_global_id: value = f->id[dim]; break;
  case BUILTIN_get_local_id: value = f->local[dim]; break;
  case BUILTIN_get_group_id: value = f->group[dim]; break;
  case BUILTIN_get_global_size: value = grid->size[dim]; break;
  case BUILTIN_get_local_size: value = grid->local[dim]; break;
  case BUILTIN_get_num_groups: value = (grid->size[dim] + grid->local[dim] - 1) / grid->local[dim]; break;
  default: bug("id %d", (int)builtin);
  }
  return (Value){.u64 = value};
}

// ---- arrays

static void fail_at(Interpreter *in, const Frame *f, SchemaPlace place, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void fail_at(Interpreter *in, const Frame *f, SchemaPlace place, const char *format, ...)
{
  if (in->failed)
    return;
  in->failed = true;
  va_list args;
  va_start(args, format);
  Diag *diag = schema_error(in->file, place, E_SCHEMA_BOUNDS, "%s", arena_vprintf(in->arena, format, args));
  va_end(args);
  diag_note(diag, "thread %llu of kernel `%s`, a grid of %llu x %llu x %llu", (unsigned long long)f->thread, in->kernel->name->str.data,
            (unsigned long long)in->grid.size[0], (unsigned long long)in->grid.size[1], (unsigned long long)in->grid.size[2]);
}

// Whether somebody wants the run to end, which it then does.
static bool is_interrupted(Interpreter *in)
{
  if (in->failed || !session_is_interrupted(in->session))
    return in->failed;
  in->failed = true;
  diag_error(in->session, E_INTERRUPTED, "interrupted while `%s` was interpreted", in->kernel->name->str.data);
  return true;
}

static Array array_of(const Frame *f, const SchemaNode *node)
{
  const SchemaVar *var = node->var;
  return var->kind == VAR_SHARED ? f->shared[var->index] : f->arrays[var->index];
}

// The array of an access and its element; false after reporting that there is none.
static bool reach(Interpreter *in, Frame *f, const SchemaNode *array, int64_t index, SchemaPlace place, Array *out)
{
  *out = array_of(f, array);
  if (in->failed)
    return false;
  if (index >= 0 && (uint64_t)index < out->count)
    return true;
  fail_at(in, f, place, "element %lld of `%s`, which has %llu", (long long)index, array->var->name->str.data, (unsigned long long)out->count);
  return false;
}

static Value eval_index(Interpreter *in, Frame *f, const SchemaNode *node)
{
  const Schema_index *e = SCHEMA_AS(index, node);
  int64_t index = eval(in, f, e->index).i64;
  Array array;
  if (!reach(in, f, e->array, index, node->place, &array))
    return (Value){.u64 = 0};
  return load_element(node->type.scalar, array.data, (uint64_t)index);
}

static Value combine(SchemaBuiltin op, Scalar type, Value old, Value value)
{
  switch (op) {
  case BUILTIN_atomic_add: return arithmetic(BINARY_add, type, old, type, value);
  case BUILTIN_atomic_sub: return arithmetic(BINARY_sub, type, old, type, value);
  case BUILTIN_atomic_min: return call_function(BUILTIN_min, type, (Value[]){old, value});
  case BUILTIN_atomic_max: return call_function(BUILTIN_max, type, (Value[]){old, value});
  case BUILTIN_atomic_exch: return value;
  default: bug("atomic %d", (int)op);
  }
}

// Elements of 8 and 16 bits are computed as expressions of them are, and stored back.
static Value combine_elements(SchemaBuiltin op, Scalar type, Value old, Value value)
{
  if (op == BUILTIN_atomic_exch || scalar_info(type)->bytes >= 4)
    return combine(op, type, old, value);
  Scalar wide = scalar_is_float(type) ? SCALAR_F32 : SCALAR_I32;
  return cast(wide, combine(op, wide, cast(type, old, wide), cast(type, value, wide)), type);
}

static Value eval_atomic(Interpreter *in, Frame *f, SchemaBuiltin op, SchemaPlace place, SchemaList args)
{
  int64_t index = eval(in, f, args.items[1]).i64;
  Value value = eval(in, f, args.items[2]), last = args.count > 3 ? eval(in, f, args.items[3]) : value;
  Array array;
  if (!reach(in, f, args.items[0], index, place, &array))
    return (Value){.u64 = 0};
  Scalar type = args.items[0]->type.scalar;
  Value old = load_element(type, array.data, (uint64_t)index);
  if (op != BUILTIN_atomic_cas)
    store_element(type, array.data, (uint64_t)index, combine_elements(op, type, old, value));
  else if (memcmp(&old, &value, scalar_info(type)->bytes) == 0)
    store_element(type, array.data, (uint64_t)index, last);
  return old;
}

// ---- calls

static Value call_helper(Interpreter *in, Frame *f, const SchemaFunction *callee, SchemaList args)
{
  ArenaMark mark = arena_mark(in->arena);
  Frame inner = *f;
  inner.function = callee;
  inner.params = arena_array(in->arena, Value, args.count + 1);
  inner.arrays = arena_array(in->arena, Array, args.count + 1);
  inner.locals = arena_array(in->arena, Value, callee->locals.count + 1);
  for (uint32_t i = 0; i < args.count; i++)
    if (args.items[i]->type.is_array)
      inner.arrays[i] = array_of(f, args.items[i]);
    else
      inner.params[i] = eval(in, f, args.items[i]);
  run_list(in, &inner, callee->body);
  Value result = inner.result;
  if (!in->failed)
    arena_rewind(in->arena, mark);
  return result;
}

static Value eval_call(Interpreter *in, Frame *f, const SchemaNode *node, SchemaList args)
{
  if (node->callee) {
    Value value = call_helper(in, f, node->callee, args);
    // What a helper returns as f16 or bf16 is f32 where it is used.
    return node->type.scalar == node->callee->returns.scalar || node->type.scalar == SCALAR_NONE
               ? value
               : cast(node->callee->returns.scalar, value, node->type.scalar);
  }
  SchemaCallClass class = schema_builtin_info(node->builtin)->class;
  if (class == CALL_CLASS_ID)
    return eval_id(in, f, node->builtin, args);
  if (class == CALL_CLASS_ATOMIC)
    return eval_atomic(in, f, node->builtin, node->place, args);
  Value values[8] = {{0}};
  for (uint32_t i = 0; i < args.count; i++)
    values[i] = eval(in, f, args.items[i]);
  Scalar type = args.items[0]->type.scalar;
  Value value = call_function(node->builtin, type, values);
  for (uint32_t i = 2; class == CALL_CLASS_NUMBER && i < args.count; i++)
    value = call_function(node->builtin, type, (Value[]){value, values[i]});
  return value;
}

Value schema_literal_value(const SchemaLiteral *literal, Scalar type)
{
  if (literal->kind == LITERAL_FLOAT)
    return cast_f64(literal->real, type);
  if (scalar_is_float(type))
    return cast_f64(literal->is_negative ? -(double)literal->magnitude : (double)literal->magnitude, type);
  return from_integer(SCALAR_I64, (int64_t)(literal->is_negative ? 0 - literal->magnitude : literal->magnitude), type);
}

static Value eval(Interpreter *in, Frame *f, const SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_literal: return schema_literal_value(&SCHEMA_AS(literal, node)->value, node->type.scalar);
  case SCHEMA_var:
    switch (node->var->kind) {
    case VAR_PARAMETER: return f->params[node->var->index];
    case VAR_LOCAL: return f->locals[node->var->index];
    case VAR_CONSTANT: return eval(in, f, node->var->value);
    case VAR_SHARED: break;
    }
    break;
  case SCHEMA_index: return eval_index(in, f, node);
  case SCHEMA_binary_op: return eval_binary(in, f, node);
  case SCHEMA_unary_op: return unary(SCHEMA_AS(unary_op, node)->op, node->type.scalar, eval(in, f, SCHEMA_AS(unary_op, node)->operand));
  case SCHEMA_if_expr: {
    const Schema_if_expr *e = SCHEMA_AS(if_expr, node);
    return eval(in, f, eval(in, f, e->condition).u8 ? e->then_value : e->else_value);
  }
  case SCHEMA_cast: {
    const Schema_cast *e = SCHEMA_AS(cast, node);
    return cast(e->value->type.scalar, eval(in, f, e->value), e->to);
  }
  case SCHEMA_call: return eval_call(in, f, node, SCHEMA_AS(call, node)->args);
  default: break;
  }
  bug("`%s` has no value", schema_kind_info(node->kind).json);
}

// ---- statements

static void set_var(Frame *f, const SchemaVar *var, Value value)
{
  *(var->kind == VAR_PARAMETER ? &f->params[var->index] : &f->locals[var->index]) = value;
}

static void run_assign(Interpreter *in, Frame *f, const SchemaNode *node)
{
  const Schema_assign *s = SCHEMA_AS(assign, node);
  Value value = eval(in, f, s->value);
  if (s->target->kind == SCHEMA_var) {
    set_var(f, s->target->var, value);
    return;
  }
  const Schema_index *target = SCHEMA_AS(index, s->target);
  int64_t index = eval(in, f, target->index).i64;
  Array array;
  if (reach(in, f, target->array, index, s->target->place, &array))
    store_element(s->target->type.scalar, array.data, (uint64_t)index, value);
}

// The loop variable has the type that all its assignments have in common; it counts in 64 bits.
static void set_counter(Frame *f, const SchemaVar *var, int64_t counter)
{
  set_var(f, var, from_integer(SCALAR_I64, counter, var->type.scalar));
}

typedef struct Counter {
  int64_t at, stop, step;
  bool ended;
} Counter;

static Counter counter_of(Interpreter *in, Frame *f, const Schema_for *s)
{
  return (Counter){eval(in, f, s->start).i64, eval(in, f, s->stop).i64, eval(in, f, s->step).i64, false};
}

static bool counter_goes_on(const Counter *c)
{
  return !c->ended && (c->step > 0 ? c->at < c->stop : c->at > c->stop);
}

static void counter_advance(Counter *c)
{
  c->ended = __builtin_add_overflow(c->at, c->step, &c->at);
}

static bool count_step(Interpreter *in, const Frame *f, const SchemaNode *node)
{
  if (!in->has_limit || in->steps_left--)
    return true;
  in->has_limit = false;
  fail_at(in, f, node->place, "the run was given up: it has come to its limit of statements");
  return false;
}

// Before a statement and before each turn of a loop, which may have none. False: the run is over.
static bool may_go_on(Interpreter *in, const Frame *f, const SchemaNode *node)
{
  return count_step(in, f, node) && !is_interrupted(in);
}

static Signal run_for(Interpreter *in, Frame *f, const SchemaNode *node)
{
  const Schema_for *s = SCHEMA_AS(for, node);
  for (Counter c = counter_of(in, f, s); counter_goes_on(&c) && may_go_on(in, f, node); counter_advance(&c)) {
    set_counter(f, node->var, c.at);
    Signal signal = run_list(in, f, s->body);
    if (signal == SIGNAL_BREAK)
      break;
    if (signal == SIGNAL_RETURN)
      return signal;
  }
  return SIGNAL_NONE;
}

static Signal run_while(Interpreter *in, Frame *f, const SchemaNode *node)
{
  const Schema_while *s = SCHEMA_AS(while, node);
  while (may_go_on(in, f, node) && eval(in, f, s->condition).u8) {
    Signal signal = run_list(in, f, s->body);
    if (signal == SIGNAL_BREAK)
      break;
    if (signal == SIGNAL_RETURN)
      return signal;
  }
  return SIGNAL_NONE;
}

static ReductionState *reduction_of(const Interpreter *in, const SchemaNode *node)
{
  for (size_t i = 0; i < in->reduction_count; i++)
    if (in->reductions[i].reduction.statement == node)
      return &in->reductions[i];
  return NULL;
}

static void run_perform(Interpreter *in, Frame *f, const SchemaNode *node)
{
  ReductionState *state = reduction_of(in, node);
  if (!state) {
    if (node->builtin != BUILTIN_barrier)  // of a group of one thread
      eval_call(in, f, node, SCHEMA_AS(perform, node)->args);
    return;
  }
  const SchemaReduction *r = &state->reduction;
  Array array;
  SchemaNode *target = SCHEMA_AS(perform, node)->args.items[0];
  if (!reach(in, f, target, eval(in, f, r->index).i64, node->place, &array))
    return;
  Value *lane = &state->lanes[f->thread % SCHEMA_LANES];
  *lane = combine(r->op, r->type, *lane, eval(in, f, r->value));
}

static Signal run_stmt(Interpreter *in, Frame *f, const SchemaNode *node)
{
  if (!may_go_on(in, f, node))
    return SIGNAL_RETURN;
  switch (node->kind) {
  case SCHEMA_let: set_var(f, node->var, eval(in, f, SCHEMA_AS(let, node)->value)); return SIGNAL_NONE;
  case SCHEMA_assign: run_assign(in, f, node); return SIGNAL_NONE;
  case SCHEMA_if: {
    const Schema_if *s = SCHEMA_AS(if, node);
    return run_list(in, f, eval(in, f, s->condition).u8 ? s->then_body : s->else_body);
  }
  case SCHEMA_for: return run_for(in, f, node);
  case SCHEMA_while: return run_while(in, f, node);
  case SCHEMA_break: return SIGNAL_BREAK;
  case SCHEMA_continue: return SIGNAL_CONTINUE;
  case SCHEMA_return:
    if (SCHEMA_AS(return, node)->value)
      f->result = eval(in, f, SCHEMA_AS(return, node)->value);
    return SIGNAL_RETURN;
  case SCHEMA_perform: run_perform(in, f, node); return SIGNAL_NONE;
  case SCHEMA_shared: return SIGNAL_NONE;
  default: break;
  }
  bug("statement `%s` of a thread", schema_kind_info(node->kind).json);
}

static Signal run_list(Interpreter *in, Frame *f, SchemaList list)
{
  for (uint32_t i = 0; i < list.count && !in->failed; i++) {
    Signal signal = run_stmt(in, f, list.items[i]);
    if (signal != SIGNAL_NONE)
      return signal;
  }
  return in->failed ? SIGNAL_RETURN : SIGNAL_NONE;
}

// ---- groups whose threads meet at barriers

typedef struct Group {
  Frame *frames;
  bool *ended;
  uint32_t count;
} Group;

static void look_for_barrier(SchemaNode *node, void *context)
{
  *(bool *)context |= node->kind == SCHEMA_perform && node->builtin == BUILTIN_barrier;
}

static bool has_barrier(SchemaNode *node)
{
  bool found = false;
  schema_walk(node, look_for_barrier, &found);
  return found;
}

static Frame *first_running(Group *g)
{
  for (uint32_t i = 0; i < g->count; i++)
    if (!g->ended[i])
      return &g->frames[i];
  return NULL;
}

static Signal run_group_list(Interpreter *in, Group *g, SchemaList list);

// A statement around barriers: its conditions are the same for all threads.
static Signal run_group_stmt(Interpreter *in, Group *g, SchemaNode *node)
{
  Frame *first = first_running(g);
  Signal signal = SIGNAL_NONE;
  if (!first)
    return SIGNAL_RETURN;
  switch (node->kind) {
  case SCHEMA_perform: return SIGNAL_NONE;  // the barrier itself
  case SCHEMA_if: {
    const Schema_if *s = SCHEMA_AS(if, node);
    return run_group_list(in, g, eval(in, first, s->condition).u8 ? s->then_body : s->else_body);
  }
  case SCHEMA_for: {
    const Schema_for *s = SCHEMA_AS(for, node);
    for (Counter c = counter_of(in, first, s); counter_goes_on(&c) && signal != SIGNAL_BREAK && may_go_on(in, first, node); counter_advance(&c)) {
      for (uint32_t i = 0; i < g->count; i++)
        set_counter(&g->frames[i], node->var, c.at);
      signal = run_group_list(in, g, s->body);
      if (signal == SIGNAL_RETURN)
        return signal;
    }
    return SIGNAL_NONE;
  }
  case SCHEMA_while: {
    const Schema_while *s = SCHEMA_AS(while, node);
    while (signal != SIGNAL_BREAK && may_go_on(in, first, node) && eval(in, first, s->condition).u8) {
      signal = run_group_list(in, g, s->body);
      if (signal == SIGNAL_RETURN)
        return signal;
    }
    return SIGNAL_NONE;
  }
  default: bug("statement `%s` around a barrier", schema_kind_info(node->kind).json);
  }
}

static Signal run_group_list(Interpreter *in, Group *g, SchemaList list)
{
  Signal signal = SIGNAL_NONE;
  for (uint32_t i = 0; i < list.count && signal == SIGNAL_NONE && !in->failed; i++) {
    if (has_barrier(list.items[i])) {
      signal = run_group_stmt(in, g, list.items[i]);
      continue;
    }
    bool any = false;
    for (uint32_t k = 0; k < g->count; k++) {
      if (g->ended[k])
        continue;
      Signal one = run_stmt(in, &g->frames[k], list.items[i]);
      g->ended[k] = one == SIGNAL_RETURN;
      any |= !g->ended[k];
      // Breaks and turns of loops around barriers are the same for all threads.
      signal = one == SIGNAL_BREAK || one == SIGNAL_CONTINUE ? one : signal;
    }
    if (!any)
      return SIGNAL_RETURN;
  }
  return in->failed ? SIGNAL_RETURN : signal;
}

// ---- statements on whole arrays

static Value whole_operation(const SchemaWhole *w, Scalar type, Value a, Value b)
{
  // Narrow types are computed as expressions compute them, and stored back.
  Scalar wide = type == SCALAR_BOOL ? SCALAR_I32 : type;
  if (scalar_is_float(type))
    wide = type == SCALAR_F64 ? type : SCALAR_F32;
  else if (scalar_info(wide)->bytes < 4)
    wide = SCALAR_I32;
  bool needs_float = (w->is_binary && w->binary == BINARY_div) ||
                     (!w->is_binary && !w->is_unary && schema_builtin_info(w->builtin)->class == CALL_CLASS_FLOAT);
  if (needs_float && !scalar_is_float(wide))
    wide = scalar_info(wide)->bytes == 8 && w->is_binary ? SCALAR_F64 : SCALAR_F32;
  a = cast(type, a, wide), b = cast(type, b, wide);
  Value out;
  if (w->is_binary)
    out = arithmetic(w->binary, wide, a, wide, b);
  else if (w->is_unary)
    out = unary(w->unary, wide, a);
  else
    out = call_function(w->builtin, wide, (Value[]){a, b});
  return cast(wide, out, type);
}

static Value neutral_of(Scalar type, bool is_add, bool is_mul, bool is_min)
{
  if (is_add || is_mul)
    return from_integer(SCALAR_I64, is_mul, type);
  if (scalar_is_float(type))
    return cast_f64(is_min ? INFINITY : -INFINITY, type);
  uint32_t bits = 8 * scalar_info(type)->bytes;
  if (type == SCALAR_BOOL)
    return of_bool(is_min);
  if (!scalar_is_signed(type))
    return (Value){.u64 = is_min ? UINT64_MAX >> (64 - bits) : 0};
  int64_t most = (int64_t)(UINT64_MAX >> (65 - bits));
  return from_integer(SCALAR_I64, is_min ? most : -most - 1, type);
}

static void run_gather(Interpreter *in, Frame *f, const SchemaNode *node, const SchemaWhole *w, uint64_t count, bool scatters)
{
  Array input = array_of(f, *w->arrays[0]), indices = array_of(f, *w->arrays[1]), output = array_of(f, *w->arrays[2]);
  Scalar type = (*w->arrays[0])->type.scalar, index_type = (*w->arrays[1])->type.scalar;
  for (uint64_t i = 0; i < count && !in->failed; i++) {
    Value raw = load_element(index_type, indices.data, i);
    int64_t index = as_i64(index_type, raw);
    if (!reach(in, f, *w->arrays[scatters ? 2 : 0], index, node->place, scatters ? &output : &input))
      return;
    Value value = load_element(type, input.data, scatters ? i : (uint64_t)index);
    store_element(type, output.data, scatters ? (uint64_t)index : i, value);
  }
}

static void run_fold(Frame *f, const SchemaWhole *w, uint64_t count)
{
  Array input = array_of(f, *w->arrays[0]), output = array_of(f, *w->arrays[1]);
  Scalar type = (*w->arrays[0])->type.scalar;
  Value neutral = neutral_of(type, w->is_binary && w->binary == BINARY_add, w->is_binary && w->binary == BINARY_mul, w->builtin == BUILTIN_min);
  Value total = neutral;
  for (uint64_t start = 0; start < count; start += w->is_scan ? count : SCHEMA_BLOCK) {
    Value lanes[SCHEMA_LANES];
    for (int l = 0; l < SCHEMA_LANES; l++)
      lanes[l] = neutral;
    uint64_t end = count - start < SCHEMA_BLOCK || w->is_scan ? count : start + SCHEMA_BLOCK;
    for (uint64_t i = start; i < end; i++) {
      Value *lane = w->is_scan ? &total : &lanes[(i - start) % SCHEMA_LANES];
      *lane = w->is_scan && i == 0 ? load_element(type, input.data, 0) : whole_operation(w, type, *lane, load_element(type, input.data, i));
      if (w->is_scan)
        store_element(type, output.data, i, total);
    }
    for (int distance = SCHEMA_LANES / 2; distance; distance /= 2)
      for (int l = 0; l < distance; l++)
        lanes[l] = whole_operation(w, type, lanes[l], lanes[l + distance]);
    total = w->is_scan ? total : whole_operation(w, type, total, lanes[0]);
  }
  if (!w->is_scan)
    store_element(type, output.data, 0, total);
}

static void run_whole(Interpreter *in, Frame *f, SchemaNode *node)
{
  SchemaWhole w;
  if (schema_whole_of(node, &w))
    bug("`%s` works on whole arrays?", schema_kind_info(node->kind).json);
  int64_t wanted = eval(in, f, *w.count).i64;
  uint64_t count = wanted > 0 ? (uint64_t)wanted : 0;
  bool gathers = node->kind == SCHEMA_parallel_gather, scatters = node->kind == SCHEMA_parallel_scatter;
  Array array;
  for (uint32_t i = 0; i < w.array_count; i++) {
    bool is_reached_by_index = (gathers && i == 0) || (scatters && i == 2);
    uint64_t needed = w.is_reduction && i == w.output ? 1 : count;
    if (!is_reached_by_index && needed && !reach(in, f, *w.arrays[i], (int64_t)needed - 1, node->place, &array))
      return;
  }
  if (gathers || scatters) {
    run_gather(in, f, node, &w, count, scatters);
  } else if (w.is_reduction || w.is_scan) {
    run_fold(f, &w, count);
  } else {
    Array output = array_of(f, *w.arrays[w.output]), left = array_of(f, *w.arrays[0]), right = array_of(f, *w.arrays[w.array_count - 2]);
    Scalar type = (*w.arrays[0])->type.scalar;
    for (uint64_t i = 0; i < count; i++)
      store_element(type, output.data, i, whole_operation(&w, type, load_element(type, left.data, i), load_element(type, right.data, i)));
  }
}

// A kernel without ids: statements on whole arrays among others, one after the other.
static void run_single(Interpreter *in, Frame *f)
{
  SchemaList body = in->kernel->body;
  SchemaWhole whole;
  for (uint32_t i = 0; i < body.count && !in->failed; i++)
    if (!schema_whole_of(body.items[i], &whole))
      run_whole(in, f, body.items[i]);
    else if (run_stmt(in, f, body.items[i]) == SIGNAL_RETURN)
      return;
}

// ---- launches

static void prepare(Interpreter *in, Frame *f, const KlrKernelArgument *arguments)
{
  const SchemaFunction *kernel = in->kernel;
  size_t params = kernel->params.count, locals = kernel->locals.count;
  *f = (Frame){.function = kernel};
  f->params = arena_array(in->arena, Value, params + 1);
  f->arrays = arena_array(in->arena, Array, params + 1);
  f->locals = arena_array(in->arena, Value, locals + 1);
  f->shared = arena_array(in->arena, Array, locals + 1);
  for (size_t i = 0; i < params; i++) {
    f->params[i] = arguments[i].value;
    f->arrays[i] = (Array){arguments[i].data, arguments[i].count};
  }
}

static void place_thread(const Interpreter *in, Frame *f, const uint64_t id[3])
{
  const uint64_t *size = in->grid.size;
  for (int d = 0; d < 3; d++) {
    f->id[d] = id[d];
    f->group[d] = id[d] / in->grid.local[d];
    f->local[d] = id[d] % in->grid.local[d];
  }
  f->thread = (id[2] * size[1] + id[1]) * size[0] + id[0];
}

static void reset_lanes(Interpreter *in)
{
  for (size_t i = 0; i < in->reduction_count; i++) {
    const SchemaReduction *r = &in->reductions[i].reduction;
    for (int l = 0; l < SCHEMA_LANES; l++)
      in->reductions[i].lanes[l] = neutral_of(r->type, r->op == BUILTIN_atomic_add, false, r->op == BUILTIN_atomic_min);
  }
}

// A block of threads has ended: its lanes are joined and go to the elements.
static void end_block(Interpreter *in, Frame *f)
{
  for (size_t i = 0; i < in->reduction_count; i++) {
    ReductionState *state = &in->reductions[i];
    const SchemaReduction *r = &state->reduction;
    int64_t index = eval(in, f, r->index).i64;
    Array array = f->arrays[r->array->index];
    for (int distance = SCHEMA_LANES / 2; distance; distance /= 2)
      for (int l = 0; l < distance; l++)
        state->lanes[l] = combine(r->op, r->type, state->lanes[l], state->lanes[l + distance]);
    if (index < 0 || (uint64_t)index >= array.count)
      continue;  // no thread came by, or it was reported
    Value old = load_element(r->type, array.data, (uint64_t)index);
    store_element(r->type, array.data, (uint64_t)index, combine(r->op, r->type, old, state->lanes[0]));
  }
  reset_lanes(in);
}

static void run_threads(Interpreter *in, const KlrKernelArgument *arguments)
{
  Frame frame;
  prepare(in, &frame, arguments);
  size_t params = in->kernel->params.count;
  uint64_t id[3], *size = in->grid.size;
  bool is_block_open = false;
  reset_lanes(in);
  for (id[2] = 0; id[2] < size[2] && !in->failed; id[2]++)
    for (id[1] = 0; id[1] < size[1] && !in->failed; id[1]++)
      for (id[0] = 0; id[0] < size[0] && !in->failed; id[0]++) {
        place_thread(in, &frame, id);
        for (size_t i = 0; i < params; i++)
          frame.params[i] = arguments[i].value;
        run_list(in, &frame, in->kernel->body);
        is_block_open = (frame.thread + 1) % SCHEMA_BLOCK != 0;
        if (!is_block_open && !in->failed)
          end_block(in, &frame);
      }
  if (is_block_open && !in->failed)
    end_block(in, &frame);
}

// One group; its first thread has the id `first`.
static void run_group(Interpreter *in, const KlrKernelArgument *arguments, const uint64_t first[3])
{
  const KlrKernelGrid *grid = &in->grid;
  uint64_t last[3], id[3];
  uint32_t count = 1;
  ArenaMark mark = arena_mark(in->arena);
  for (int d = 0; d < 3; d++) {
    last[d] = grid->size[d] - first[d] < grid->local[d] ? grid->size[d] : first[d] + grid->local[d];
    count *= (uint32_t)(last[d] - first[d]);
  }
  Group group = {arena_array(in->arena, Frame, count), arena_array(in->arena, bool, count), 0};
  Array *shared = arena_array(in->arena, Array, in->kernel->locals.count + 1);
  for (size_t i = 0; i < in->kernel->locals.count; i++) {
    const SchemaVar *var = in->kernel->locals.items[i];
    if (var->kind == VAR_SHARED)
      shared[i] = (Array){arena_alloc_array(in->arena, var->size, scalar_info(var->type.scalar)->bytes), var->size};
  }
  for (id[2] = first[2]; id[2] < last[2]; id[2]++)
    for (id[1] = first[1]; id[1] < last[1]; id[1]++)
      for (id[0] = first[0]; id[0] < last[0]; id[0]++) {
        Frame *frame = &group.frames[group.count++];
        prepare(in, frame, arguments);
        frame->shared = shared;
        place_thread(in, frame, id);
      }
  run_group_list(in, &group, in->kernel->body);
  if (!in->failed)
    arena_rewind(in->arena, mark);
}

static void run_groups(Interpreter *in, const KlrKernelArgument *arguments)
{
  uint64_t id[3];
  const KlrKernelGrid *grid = &in->grid;
  for (id[2] = 0; id[2] < grid->size[2] && !in->failed; id[2] += grid->local[2])
    for (id[1] = 0; id[1] < grid->size[1] && !in->failed; id[1] += grid->local[1])
      for (id[0] = 0; id[0] < grid->size[0] && !in->failed; id[0] += grid->local[0])
        run_group(in, arguments, id);
}

static bool refuse_launch(const SchemaFile *file, const SchemaFunction *kernel, const char *message, const char *help)
{
  Diag *diag = schema_error(file, kernel->place, E_SCHEMA_LAUNCH, "%s", message);
  diag_help(diag, "%s", help);
  return false;
}

bool schema_launch_grid(Session *session, const SchemaFile *file, const SchemaFunction *kernel, const KlrKernelArgument *arguments,
                        const SchemaLaunch *launch, KlrKernelGrid *out)
{
  Arena arena = session_arena(session);
  Interpreter in = {.session = session, .file = file, .kernel = kernel, .arena = &arena};
  Frame frame;
  prepare(&in, &frame, arguments);
  *out = (KlrKernelGrid){{1, 1, 1}, {256, 1, 1}};
  bool is_given = launch->grid[0] || launch->grid[1] || launch->grid[2];
  bool is_known = true;
  for (uint32_t d = 0; d < 3; d++) {
    if (launch->local[0] || launch->local[1] || launch->local[2])
      out->local[d] = launch->local[d] ? launch->local[d] : 1;
    if (is_given) {
      out->size[d] = launch->grid[d] ? launch->grid[d] : 1;
    } else if (d < kernel->dims && kernel->grid[d]) {
      Value size = eval(&in, &frame, kernel->grid[d]);
      out->size[d] = kernel->grid[d]->type.scalar == SCALAR_U64 || size.i64 > 0 ? size.u64 : 0;
    } else {
      is_known &= d >= kernel->dims;
    }
  }
  arena_free(&arena);
  if (!is_known)
    return refuse_launch(file, kernel, arena_printf(file->arena, "nothing says how many threads `%s` needs", kernel->name->str.data),
                         "give the launch a grid, or the kernel a guard around everything: `if i < n:`");
  for (uint32_t d = kernel->dims ? kernel->dims : 1; d < 3; d++)
    if (out->size[d] > 1)
      return refuse_launch(file, kernel, arena_printf(file->arena, "a grid of %u dimensions, and `%s` asks for ids in %u", d + 1, kernel->name->str.data, kernel->dims),
                           "threads that differ in nothing the kernel sees would all do the same: leave that size out, or ask for `get_global_id(d)`");
  for (int d = 0; d < 3; d++)
    if (out->size[d] > UINT32_MAX * UINT64_C(65536) || out->local[d] > 65536)
      return refuse_launch(file, kernel, "the grid is too large", "at most 2^48 threads in a dimension, 65536 in a group");
  if (out->local[0] * out->local[1] * out->local[2] > 65536)
    return refuse_launch(file, kernel, "a group is too large", "at most 65536 threads in a group");
  return true;
}

bool schema_interpret(Session *session, const SchemaFile *file, const SchemaFunction *kernel, const KlrKernelArgument *arguments,
                      const SchemaLaunch *launch)
{
  Arena arena = session_arena(session);
  Interpreter in = {.session = session, .file = file, .kernel = kernel, .arena = &arena, .steps_left = launch->steps,
                    .has_limit = launch->steps != 0};
  if (!schema_launch_grid(session, file, kernel, arguments, launch, &in.grid)) {
    arena_free(&arena);
    return false;
  }
  SchemaReductions reductions = schema_find_reductions(file, kernel);
  in.reduction_count = reductions.count;
  in.reductions = arena_array(&arena, ReductionState, reductions.count + 1);
  for (size_t i = 0; i < reductions.count; i++)
    in.reductions[i].reduction = reductions.items[i];
  if (kernel->has_whole) {
    Frame frame;
    prepare(&in, &frame, arguments);
    run_single(&in, &frame);
  } else if (kernel->uses_groups) {
    run_groups(&in, arguments);
  } else {
    run_threads(&in, arguments);
  }
  arena_free(&arena);
  return !in.failed;
}
