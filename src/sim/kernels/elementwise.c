// elementwise.c -- one ALU operator over rows; compiled once per variant.
//
// The loops on floats are the expressions of number/alu.def, one loop per operator and shape of operands, which compilers
// turn into vectors. dst may be an operand's row, so nothing is `restrict`; instead each loop says that its steps stand
// alone.

#include "base/bug.h"
#include "base/kernel.h"
#include "sim/kernels/variants.h"

#include <math.h>
#include <string.h>

#ifdef __clang__
#define STEPS_STAND_ALONE _Pragma("clang loop vectorize(assume_safety)")
#else
#define STEPS_STAND_ALONE _Pragma("GCC ivdep")
#endif

// A loop over one row of n elements of type T: dst[i] = store(expression in x and y). `flip` is for integers, see below.
typedef void RowRun(size_t n, void *dst, const void *a, const void *b, uint32_t flip);

#define ROW(T, name, x_value, y_value, store, expression)                                                              \
  static void name(size_t n, void *dst_row, const void *a_row, const void *b_row, uint32_t flip)                       \
  {                                                                                                                    \
    T *dst = dst_row;                                                                                                  \
    const T *a = a_row, *b = b_row, a0 = *a, b0 = *b;                                                                  \
    STEPS_STAND_ALONE                                                                                                  \
    for (size_t i = 0; i < n; i++) {                                                                                   \
      const T x = x_value, y = y_value;                                                                                \
      (void)x, (void)y;                                                                                                \
      dst[i] = store(expression);                                                                                      \
    }                                                                                                                  \
    (void)a0, (void)b0, (void)flip;                                                                                    \
  }

// The shapes two operands come in: both vary along the row, or one is a scalar. (Two scalars are one element, repeated.)
typedef struct Rows {
  RowRun *both, *left_scalar, *right_scalar;
} Rows;

#define ROWS(T, op, store, expression)                                                                                 \
  ROW(T, both_##T##_##op, a[i], b[i], store, expression)                                                               \
  ROW(T, left_scalar_##T##_##op, a0, b[i], store, expression)                                                          \
  ROW(T, right_scalar_##T##_##op, a[i], b0, store, expression)
#define ROWS_ENTRY(T, op) [ALU_OP_##op] = {both_##T##_##op, left_scalar_##T##_##op, right_scalar_##T##_##op},

// --- float32 ---

// NaN as 0x7FC00000. On bits: written with `value == value`, compilers merge it with the operator's own comparisons and
// the loop stays scalar or gets longer.
KERNEL_INLINE float canonical(float value)
{
  return (int32_t)(f32_bits(value) & 0x7FFFFFFF) > 0x7F800000 ? f32_from_bits(F32_NAN_BITS) : value;
}

#define ALU_F32(op, expression) ROWS(float, op, canonical, expression)
#include "number/alu.def"

static const Rows rows_of_float[ALU_OP_COUNT] = {
#define ALU_F32(op, expression) ROWS_ENTRY(float, op)
#include "number/alu.def"
};

// --- integers, as alu_bits and alu_int32 of number/alu.h have it ---

#define BITS(T) (8 * sizeof(T))
#define BITS_OPS(OP, T)                                                                                                \
  OP(T, BYPASS, x)                                                                                                     \
  OP(T, BITWISE_AND, x & y)                                                                                            \
  OP(T, BITWISE_OR, x | y)                                                                                             \
  OP(T, BITWISE_XOR, x ^ y)                                                                                            \
  OP(T, BITWISE_NOT, ~x)                                                                                               \
  OP(T, LOGICAL_AND, (x != 0) & (y != 0))                                                                              \
  OP(T, LOGICAL_OR, (x != 0) | (y != 0))                                                                               \
  OP(T, LOGICAL_XOR, (x != 0) ^ (y != 0))                                                                              \
  OP(T, LOGICAL_NOT, x == 0)                                                                                           \
  OP(T, ARITH_SHIFT_LEFT, y < BITS(T) ? (uint32_t)x << (y % BITS(T)) : 0)                                              \
  OP(T, LOGICAL_SHIFT_LEFT, y < BITS(T) ? (uint32_t)x << (y % BITS(T)) : 0)                                            \
  OP(T, LOGICAL_SHIFT_RIGHT, y < BITS(T) ? x >> (y % BITS(T)) : 0)

// `flip` is 2^31 for signed numbers, so that x ^ flip orders them as unsigned ones, else 0.
#define INT32_OPS(OP, T)                                                                                               \
  BITS_OPS(OP, T)                                                                                                      \
  OP(T, ADD, x + y)                                                                                                    \
  OP(T, SUBTRACT, x - y)                                                                                               \
  OP(T, MULT, x *y)                                                                                                    \
  OP(T, SQUARE, x *x)                                                                                                  \
  OP(T, MAX, (x ^ flip) < (y ^ flip) ? y : x)                                                                          \
  OP(T, MIN, (x ^ flip) < (y ^ flip) ? x : y)                                                                          \
  OP(T, IS_EQUAL, x == y)                                                                                              \
  OP(T, NOT_EQUAL, x != y)                                                                                             \
  OP(T, IS_GE, (x ^ flip) >= (y ^ flip))                                                                               \
  OP(T, IS_GT, (x ^ flip) > (y ^ flip))                                                                                \
  OP(T, IS_LE, (x ^ flip) <= (y ^ flip))                                                                               \
  OP(T, IS_LT, (x ^ flip) < (y ^ flip))

#define INT_ROWS(T, op, expression) ROWS(T, op, (T), expression)
#define INT_ENTRY(T, op, expression) ROWS_ENTRY(T, op)
BITS_OPS(INT_ROWS, uint8_t)
BITS_OPS(INT_ROWS, uint16_t)
INT32_OPS(INT_ROWS, uint32_t)

static const Rows rows_of_uint8_t[ALU_OP_COUNT] = {BITS_OPS(INT_ENTRY, uint8_t)};
static const Rows rows_of_uint16_t[ALU_OP_COUNT] = {BITS_OPS(INT_ENTRY, uint16_t)};
static const Rows rows_of_uint32_t[ALU_OP_COUNT] = {INT32_OPS(INT_ENTRY, uint32_t)};

// Saturated sums and differences in the type's own width, in which vectors have the most lanes: bounds by what overflows.
#define SATURATES_SIGNED(T, Unsigned, most)                                                                            \
  KERNEL_INLINE T add_##T(T x, T y)                                                                                    \
  {                                                                                                                    \
    T sum = (T)((Unsigned)x + (Unsigned)y), wrong = (T)((x ^ sum) & (y ^ sum));                                        \
    return wrong < 0 ? (T)((T)(x < 0 ? -1 : 0) ^ (most)) : sum;                                                        \
  }                                                                                                                    \
  KERNEL_INLINE T subtract_##T(T x, T y)                                                                               \
  {                                                                                                                    \
    T rest = (T)((Unsigned)x - (Unsigned)y), wrong = (T)((x ^ y) & (x ^ rest));                                        \
    return wrong < 0 ? (T)((T)(x < 0 ? -1 : 0) ^ (most)) : rest;                                                       \
  }                                                                                                                    \
  KERNEL_INLINE T multiply_##T(T x, T y)                                                                               \
  {                                                                                                                    \
    int32_t product = (int32_t)x * y;                                                                                  \
    return (T)(product < -(most)-1 ? -(most)-1 : product > (most) ? (most) : product);                                 \
  }
#define SATURATES_UNSIGNED(T, most)                                                                                    \
  KERNEL_INLINE T add_##T(T x, T y)                                                                                    \
  {                                                                                                                    \
    T sum = (T)(x + y);                                                                                                \
    return sum < x ? (T)(most) : sum;                                                                                  \
  }                                                                                                                    \
  KERNEL_INLINE T subtract_##T(T x, T y) { return x < y ? (T)0 : (T)(x - y); }                                         \
  KERNEL_INLINE T multiply_##T(T x, T y)                                                                               \
  {                                                                                                                    \
    uint32_t product = (uint32_t)x * y;                                                                                \
    return (T)(product > (most) ? (most) : product);                                                                   \
  }
typedef uint8_t Byte;  // names of their own beside the bit operators' types
typedef uint16_t Pair;
SATURATES_SIGNED(int8_t, uint8_t, INT8_MAX)
SATURATES_SIGNED(int16_t, uint16_t, INT16_MAX)
SATURATES_UNSIGNED(Byte, UINT8_MAX)
SATURATES_UNSIGNED(Pair, UINT16_MAX)

#define SATURATED_OPS(OP, T)                                                                                           \
  OP(T, ADD, add_##T(x, y))                                                                                            \
  OP(T, SUBTRACT, subtract_##T(x, y))                                                                                  \
  OP(T, MULT, multiply_##T(x, y))                                                                                      \
  OP(T, SQUARE, multiply_##T(x, x))                                                                                    \
  OP(T, MAX, x > y ? x : y)                                                                                            \
  OP(T, MIN, x < y ? x : y)                                                                                            \
  OP(T, IS_EQUAL, x == y)                                                                                              \
  OP(T, NOT_EQUAL, x != y)                                                                                             \
  OP(T, IS_GE, x >= y)                                                                                                 \
  OP(T, IS_GT, x > y)                                                                                                  \
  OP(T, IS_LE, x <= y)                                                                                                 \
  OP(T, IS_LT, x < y)

SATURATED_OPS(INT_ROWS, int8_t)
SATURATED_OPS(INT_ROWS, int16_t)
SATURATED_OPS(INT_ROWS, Byte)
SATURATED_OPS(INT_ROWS, Pair)

static const Rows saturated[2][2][ALU_OP_COUNT] = {  // [signed][two bytes]
    {{SATURATED_OPS(INT_ENTRY, Byte)}, {SATURATED_OPS(INT_ENTRY, Pair)}},
    {{SATURATED_OPS(INT_ENTRY, int8_t)}, {SATURATED_OPS(INT_ENTRY, int16_t)}},
};

// --- one operator ---

static RowRun *row_run(const Rows *rows, KernelRows a, KernelRows b)
{
  return a.scalar ? rows->left_scalar : b.scalar ? rows->right_scalar : rows->both;
}

// Runs `run` on each row. Contiguous rows are one long one.
static void run_rows(RowRun *run, unsigned bytes, size_t rows, size_t n, char *dst, size_t dst_stride, KernelRows a,
                     KernelRows b, uint32_t flip)
{
  if (dst_stride == n && !a.scalar && a.stride == n && !b.scalar && b.stride == n)
    n *= rows, rows = 1;
  const char *a_row = a.at, *b_row = b.at;
  for (; rows > 0; rows--, dst += dst_stride * bytes, a_row += a.stride * bytes, b_row += b.stride * bytes)
    run(n, dst, a_row, b_row, flip);
}

// What the operator has no loop for: integer operators without one, or two scalars.
static void each_int(AluOp op, unsigned bytes, bool exact, bool is_signed, size_t rows, size_t n, char *dst,
                     size_t dst_stride, KernelRows a, KernelRows b)
{
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < n; i++) {
      uint32_t x = 0, y = 0;
      memcpy(&x, (const char *)a.at + bytes * (r * a.stride + (a.scalar ? 0 : i)), bytes);
      memcpy(&y, (const char *)b.at + bytes * (r * b.stride + (b.scalar ? 0 : i)), bytes);
      x = exact ? alu_int32(op, is_signed, x, y) : alu_bits(op, 8 * bytes, x, y);
      memcpy(dst + bytes * (r * dst_stride + i), &x, bytes);
    }
}

static void each_f32(AluOp op, size_t rows, size_t n, float *dst, size_t dst_stride, KernelRows a, KernelRows b)
{
  const float *x = a.at, *y = b.at;
  for (size_t r = 0; r < rows; r++) {
    float value = canonical(alu_f32(op, x[r * a.stride], y[r * b.stride]));
    for (size_t i = 0; i < n; i++)
      dst[r * dst_stride + i] = value;
  }
}

// Powers: one for each row, or one for each element.
static void pow_rows(size_t rows, size_t n, float *dst, size_t dst_stride, KernelRows a, KernelRows b)
{
  for (size_t r = 0; r < rows; r++)
    alu_pow_row(n, dst + r * dst_stride, (const float *)a.at + r * a.stride, (const float *)b.at + r * b.stride,
                !b.scalar);
}

// Reciprocal square roots: the scalar engine's function, which has loops of its own.
static void rsqrt_rows(size_t rows, size_t n, float *dst, size_t dst_stride, KernelRows a)
{
  for (size_t r = 0; r < rows; r++)
    activation_row(ACTIVATION_FUNC_RSQRT, n, dst + r * dst_stride, (const float *)a.at + r * a.stride);
}

void KERNEL_NAME(binary_f32)(AluOp op, size_t rows, size_t n, float *dst, size_t dst_stride, KernelRows a, KernelRows b)
{
  if (n == 0)
    return;
  RowRun *run = row_run(&rows_of_float[op], a, b);
  if (!run)
    bug("ALU operator %s on floats", alu_wire_name(op));
  if (a.scalar && b.scalar)
    each_f32(op, rows, n, dst, dst_stride, a, b);
  else if (op == ALU_OP_RSQRT && !a.scalar)
    rsqrt_rows(rows, n, dst, dst_stride, a);
  else if (op == ALU_OP_POW && !a.scalar)
    pow_rows(rows, n, dst, dst_stride, a, b);
  else
    run_rows(run, sizeof *dst, rows, n, (char *)dst, dst_stride, a, b, 0);
}

void KERNEL_NAME(binary_bits)(AluOp op, unsigned bytes, size_t rows, size_t n, void *dst, size_t dst_stride,
                              KernelRows a, KernelRows b)
{
  if (n == 0)
    return;
  const Rows *table = bytes == 1 ? rows_of_uint8_t : bytes == 2 ? rows_of_uint16_t : rows_of_uint32_t;
  RowRun *run = row_run(&table[op], a, b);
  if (run && !(a.scalar && b.scalar))
    run_rows(run, bytes, rows, n, dst, dst_stride, a, b, 0);
  else
    each_int(op, bytes, false, false, rows, n, dst, dst_stride, a, b);
}

void KERNEL_NAME(binary_int32)(AluOp op, bool is_signed, size_t rows, size_t n, void *dst, size_t dst_stride,
                               KernelRows a, KernelRows b)
{
  if (n == 0)
    return;
  RowRun *run = row_run(&rows_of_uint32_t[op], a, b);
  if (run && !(a.scalar && b.scalar))
    run_rows(run, 4, rows, n, dst, dst_stride, a, b, is_signed ? 0x80000000u : 0);
  else
    each_int(op, 4, true, is_signed, rows, n, dst, dst_stride, a, b);
}

void KERNEL_NAME(binary_saturated)(AluOp op, unsigned bytes, bool is_signed, size_t rows, size_t n, void *dst,
                                   size_t dst_stride, KernelRows a, KernelRows b)
{
  if (n == 0)
    return;
  RowRun *run = row_run(&saturated[is_signed][bytes == 2][op], a, b);
  if (!run || bytes > 2)
    bug("ALU operator %s on integers of %u bytes", alu_wire_name(op), bytes);
  run_rows(run, bytes, rows, n, dst, dst_stride, a, b, 0);
}
