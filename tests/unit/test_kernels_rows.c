// test_kernels_rows.c -- operators, reductions and recurrences over rows against number/alu.h, one element at a time, on
// every variant that runs here.

#include "kernels_test.h"

static const AluOp f32_ops[] = {
#define ALU_F32(op, expression) ALU_OP_##op,
#include "number/alu.def"
};
enum { F32_OPS = sizeof f32_ops / sizeof *f32_ops };

static const AluOp step_ops[] = {ALU_OP_ADD, ALU_OP_SUBTRACT,   ALU_OP_MULT,       ALU_OP_MAX,        ALU_OP_MIN,
                                 ALU_OP_DIVIDE, ALU_OP_LOGICAL_AND, ALU_OP_LOGICAL_OR, ALU_OP_LOGICAL_XOR, ALU_OP_AVERAGE,
                                 ALU_OP_IS_GT};
enum { STEP_OPS = sizeof step_ops / sizeof *step_ops };

static float apply(AluOp op, float x, float y)
{
  float value = alu_f32(op, x, y);
  return value != value ? kernels_nan() : value;
}

static float operand(KernelRows rows, size_t r, size_t i)
{
  return ((const float *)rows.at)[r * rows.stride + (rows.scalar ? 0 : i)];
}

// Operands of each shape: rows, one value per row, one row for all, one constant.
static KernelRows rows_of_shape(const float *at, size_t n, int shape)
{
  switch (shape) {
  case 0: return (KernelRows){at, n, false};
  case 1: return (KernelRows){at, n, true};
  case 2: return (KernelRows){at, 0, false};
  }
  return (KernelRows){at, 0, true};
}

static const size_t tiles[][2] = {{1, 1}, {2, 7}, {3, 16}, {2, 33}, {1, 100}, {4, 0}, {0, 4}};
enum { TILES = sizeof tiles / sizeof *tiles };

static void check_binary(const KernelVariant *kernels, AluOp op, size_t rows, size_t n, int shapes, size_t gap,
                         KernelsValues values)
{
  float *a = kernels_random((rows + 1) * (n + 1), values), *b = kernels_random((rows + 1) * (n + 1), values);
  float *want = kernels_random(rows * (n + gap), values), *have = kernels_copy(want, rows * (n + gap));
  KernelRows x = rows_of_shape(a, n, shapes & 3), y = rows_of_shape(b, n, shapes >> 2);
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < n; i++)
      want[r * (n + gap) + i] = apply(op, operand(x, r, i), operand(y, r, i));
  kernels->binary_f32(op, rows, n, have, n + gap, x, y);
  kernels_expect_same(kernels->name, alu_wire_name(op), have, want, rows * (n + gap));
  free(a), free(b), free(want), free(have);
}

TEST(kernel_binary_has_the_bits_of_alu_f32_for_every_operator_and_shape)
{
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t op = 0; op < F32_OPS; op++)
      for (int shapes = 0; shapes < 16; shapes++)
        for (int values = 0; values < KERNELS_VALUES_COUNT; values++) {
          size_t tile = (size_t)(shapes + values) % TILES;
          check_binary(kernel_variant(v), f32_ops[op], tiles[tile][0], tiles[tile][1], shapes, tile & 1,
                       (KernelsValues)values);
        }
}

TEST(kernel_binary_works_in_place)
{
  enum { N = 77 };
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t op = 0; op < STEP_OPS; op++) {
      float *a = kernels_random(N, KERNELS_USUAL), *b = kernels_random(N, KERNELS_USUAL), want[N];
      for (size_t i = 0; i < N; i++)
        want[i] = apply(step_ops[op], a[i], apply(step_ops[op], a[i], b[i]));
      kernel_variant(v)->binary_f32(step_ops[op], 1, N, b, N, (KernelRows){a, N, false}, (KernelRows){b, N, false});
      kernel_variant(v)->binary_f32(step_ops[op], 1, N, a, N, (KernelRows){a, N, false}, (KernelRows){b, N, false});
      kernels_expect_same(kernel_variant(v)->name, alu_wire_name(step_ops[op]), a, want, N);
      free(a), free(b);
    }
}

static void check_pair(const KernelVariant *kernels, AluOp op0, AluOp op1, int reverse, size_t rows, size_t n, int shapes,
                       KernelsValues values)
{
  float *a = kernels_random(rows * n, values), *b = kernels_random(rows * n + 1, values);
  float *c = kernels_random(rows * n + 1, values);
  float *want = kernels_random(rows * (n + 1), values), *have = kernels_copy(want, rows * (n + 1));
  KernelRows x = rows_of_shape(a, n, 0), y = rows_of_shape(b, n, shapes & 3), z = rows_of_shape(c, n, shapes >> 2);
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < n; i++) {
      float first = reverse & 1 ? apply(op0, operand(y, r, i), operand(x, r, i))
                                : apply(op0, operand(x, r, i), operand(y, r, i));
      want[r * (n + 1) + i] = reverse & 2 ? apply(op1, operand(z, r, i), first) : apply(op1, first, operand(z, r, i));
    }
  kernels->binary_pair_f32(op0, reverse & 1, op1, reverse & 2, rows, n, have, n + 1, x, y, z);
  kernels_expect_same(kernels->name, "binary_pair_f32", have, want, rows * (n + 1));
  free(a), free(b), free(c), free(want), free(have);
}

TEST(kernel_binary_pair_applies_one_operator_after_the_other)
{
  static const size_t sizes[][2] = {{5, 9}, {3, 1000}, {2, 4097}, {1, 64}, {130, 65}};
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t i = 0; i < STEP_OPS * STEP_OPS; i++) {
      size_t size = i % 5;
      check_pair(kernel_variant(v), step_ops[i % STEP_OPS], step_ops[i / STEP_OPS], i & 3, sizes[size][0],
                 sizes[size][1], (int)(i * 7 % 16), (KernelsValues)(i / 3 % KERNELS_VALUES_COUNT));
    }
}

static uint32_t integer_at(const void *at, unsigned bytes, size_t i)
{
  uint32_t value = 0;
  memcpy(&value, (const char *)at + bytes * i, bytes);
  return value;
}

static void check_integers(const KernelVariant *kernels, AluOp op, unsigned bytes, bool exact, bool is_signed, int shapes)
{
  enum { ROWS = 3, N = 45 };
  uint32_t a[ROWS * N], b[ROWS * N], have[ROWS * N];
  for (size_t i = 0; i < ROWS * N; i++) {
    a[i] = kernels_random_bits();
    b[i] = i % 3 ? kernels_random_bits() : (i & 1 ? a[i] : kernels_random_bits() % 40 * 0x01010101u);
  }
  KernelRows x = rows_of_shape((const float *)a, N, shapes & 3), y = rows_of_shape((const float *)b, N, shapes >> 2);
  if (exact)
    kernels->binary_int32(op, is_signed, ROWS, N, have, N, x, y);
  else
    kernels->binary_bits(op, bytes, ROWS, N, have, N, x, y);
  for (size_t i = 0; i < ROWS * N; i++) {
    uint32_t x_value = integer_at(a, bytes, i / N * x.stride + (x.scalar ? 0 : i % N));
    uint32_t y_value = integer_at(b, bytes, i / N * y.stride + (y.scalar ? 0 : i % N));
    uint32_t want = exact ? alu_int32(op, is_signed, x_value, y_value) : alu_bits(op, 8 * bytes, x_value, y_value);
    if (integer_at(have, bytes, i) != want) {
      test_fail(__FILE__, __LINE__, "%s of %s on %u bytes%s: %08x and %08x give %08x, not %08x", alu_wire_name(op),
                kernels->name, bytes, is_signed ? " signed" : "", x_value, y_value, integer_at(have, bytes, i), want);
      return;
    }
  }
}

TEST(kernel_binary_on_integers_has_the_bits_of_alu_int32_and_alu_bits)
{
  for (size_t v = 0; kernel_variant(v); v++)
    for (int op = 0; op < ALU_OP_COUNT; op++)
      for (int shapes = 0; shapes < 16; shapes++) {
        check_integers(kernel_variant(v), (AluOp)op, 4, true, shapes & 1, shapes);
        check_integers(kernel_variant(v), (AluOp)op, 4, true, !(shapes & 1), shapes);
        bool logical = op == ALU_OP_LOGICAL_AND || op == ALU_OP_LOGICAL_OR || op == ALU_OP_LOGICAL_XOR ||
                       op == ALU_OP_LOGICAL_NOT || op == ALU_OP_BYPASS;
        for (unsigned bytes = 1; bytes <= 4 && (logical || alu_is_bitvec((AluOp)op)); bytes *= 2)
          check_integers(kernel_variant(v), (AluOp)op, bytes, false, false, shapes);
      }
}

static void check_reduce(const KernelVariant *kernels, AluOp op, size_t rows, size_t n, size_t gap, bool continued,
                         KernelsValues values)
{
  float *src = kernels_random(rows * (n + gap), values);
  float *want = kernels_random(rows * (1 + gap), values), *have = kernels_copy(want, rows * (1 + gap));
  for (size_t r = 0; r < rows; r++) {
    float *out = &want[r * (1 + gap)];
    float state = continued ? *out : n > 0 ? src[r * (n + gap)] : 0;
    for (size_t i = !continued; i < n; i++)
      state = alu_f32(op, state, src[r * (n + gap) + i]);
    *out = state != state ? kernels_nan() : state;
  }
  kernels->reduce_f32(op, rows, n, have, 1 + gap, src, n + gap, continued);
  kernels_expect_same(kernels->name, "reduce_f32", have, want, rows * (1 + gap));
  free(src), free(want), free(have);
}

TEST(kernel_reduce_goes_left_to_right)
{
  static const size_t sizes[][2] = {{1, 1},   {1, 40}, {4, 4}, {7, 31}, {16, 16}, {17, 33},
                                    {40, 65}, {3, 0},  {0, 3}, {33, 1}, {3, 128}, {5, 333}};
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t op = 0; op < STEP_OPS; op++)
      for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++)
        for (int how = 0; how < 2 * KERNELS_VALUES_COUNT; how++)
          check_reduce(kernel_variant(v), step_ops[op], sizes[size][0], sizes[size][1], size % 3, how & 1,
                       (KernelsValues)(how / 2));
}

static void check_scan(const KernelVariant *kernels, AluOp op0, AluOp op1, int reverse, size_t rows, size_t n, size_t gap,
                       KernelsValues values)
{
  size_t stride = n + gap;
  float *a = kernels_random(rows * stride, values), *b = kernels_random(rows * stride, values);
  float *state = kernels_random(rows, values), *have_state = kernels_copy(state, rows);
  float *want = kernels_copy(b, rows * stride), *have = kernels_copy(b, rows * stride);
  for (size_t r = 0; r < rows; r++)
    for (size_t i = r * stride; i < r * stride + n; i++) {
      float first = reverse & 1 ? apply(op0, state[r], a[i]) : apply(op0, a[i], state[r]);
      want[i] = state[r] = reverse & 2 ? apply(op1, b[i], first) : apply(op1, first, b[i]);
    }
  for (size_t r = 0; r < rows; r++)
    state[r] = state[r] != state[r] ? kernels_nan() : state[r];
  kernels->scan_f32(op0, reverse & 1, op1, reverse & 2, rows, n, have, stride, a, stride, have, stride, have_state);
  kernels_expect_same(kernels->name, "scan_f32", have, want, rows * stride);
  kernels_expect_same(kernels->name, "state of scan_f32", have_state, state, rows);
  free(a), free(b), free(state), free(have_state), free(want), free(have);
}

TEST(kernel_scan_carries_the_state_along_each_row)
{
  static const size_t sizes[][2] = {{1, 1}, {5, 9}, {16, 16}, {18, 70}, {2, 0}};
  for (size_t v = 0; kernel_variant(v); v++)
    for (size_t i = 0; i < STEP_OPS * STEP_OPS; i++)
      for (int values = 0; values < KERNELS_VALUES_COUNT; values++) {
        size_t size = (i + (size_t)values) % 5;
        check_scan(kernel_variant(v), step_ops[i % STEP_OPS], step_ops[i / STEP_OPS], (int)(i / 2 & 3), sizes[size][0],
                   sizes[size][1], size, (KernelsValues)values);
      }
}

// The value of an integer, and what float32 arithmetic makes of two: narrowed as number/dtype.h does.
static void check_saturated(const KernelVariant *kernels, AluOp op, DType dtype, int shapes)
{
  enum { ROWS = 3, N = 45 };
  uint32_t a[ROWS * N], b[ROWS * N], have[ROWS * N];
  unsigned bytes = dtype_bytes(dtype);
  for (size_t i = 0; i < ROWS * N; i++) {
    a[i] = i % 4 ? kernels_random_bits() : 0x7FFF8000u;
    b[i] = i % 3 ? kernels_random_bits() : (i & 1 ? a[i] : 0x80007FFFu);
  }
  KernelRows x = rows_of_shape((const float *)a, N, shapes & 3), y = rows_of_shape((const float *)b, N, shapes >> 2);
  kernels->binary_saturated(op, bytes, dtype_is_signed_integer(dtype), ROWS, N, have, N, x, y);
  for (size_t i = 0; i < ROWS * N; i++) {
    uint32_t x_value = integer_at(a, bytes, i / N * x.stride + (x.scalar ? 0 : i % N)), want = 0;
    uint32_t y_value = integer_at(b, bytes, i / N * y.stride + (y.scalar ? 0 : i % N));
    dtype_from_f32(dtype, alu_f32(op, dtype_to_f32(dtype, &x_value), dtype_to_f32(dtype, &y_value)), &want);
    if (integer_at(have, bytes, i) != want) {
      test_fail(__FILE__, __LINE__, "%s of %s on %s: %08x and %08x give %08x, not %08x", alu_wire_name(op),
                kernels->name, dtype_name(dtype), x_value, y_value, integer_at(have, bytes, i), want);
      return;
    }
  }
}

TEST(kernel_saturated_integers_are_those_of_float32)
{
  static const DType dtypes[] = {DTYPE_INT8, DTYPE_UINT8, DTYPE_INT16, DTYPE_UINT16};
  for (size_t v = 0; kernel_variant(v); v++)
    for (int op = 0; op < ALU_OP_COUNT; op++)
      for (int shapes = 0; shapes < 16 && kernel_saturates((AluOp)op); shapes++)
        if (shapes != 5 && shapes != 7 && shapes != 13 && shapes != 15)  // two scalars
          check_saturated(kernel_variant(v), (AluOp)op, dtypes[(shapes + op) % 4], shapes);
}
