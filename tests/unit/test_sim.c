#include "sim_build.h"
#include "test.h"

#include <math.h>

// Runs and frees; the first output stays in `out`.
static bool run(Build *b, const SimOptions *options, Array *inputs, Array *out)
{
  const Kernel *kernel = build_kernel(b);
  return sim_run(b->session, kernel, options, inputs, out, NULL);
}

static float at(const Array *array, uint64_t i)
{
  return dtype_to_f32(array->dtype, (const char *)array->data + i * dtype_bytes(array->dtype));
}

static void fill(float *values, size_t n)
{
  for (size_t i = 0; i < n; i++)
    values[i] = (float)((i * 37) % 101) - 50;
}

TEST(sim_adds_two_tiles)
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_FLOAT32, 4, 6), *y = build_input(&b, "y", DTYPE_FLOAT32, 4, 6);
  const Tensor *out = build_output(&b, "out", DTYPE_FLOAT32, 4, 6);
  const Tensor *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 4, 6), *t = build_2d(&b, "t", MEMORY_SBUF, DTYPE_FLOAT32, 4, 6);
  build_dma(&b, build_whole(s), build_whole(x));
  build_dma(&b, build_whole(t), build_whole(y));
  Op *op = build_op(&b, OP_tensor_tensor);
  op->tensor_tensor.dst = build_whole(s);
  op->tensor_tensor.src0 = build_whole(s);
  op->tensor_tensor.src1 = build_whole(t);
  op->tensor_tensor.op = ALU_OP_ADD;
  build_dma(&b, build_whole(out), build_whole(s));
  float u[24], v[24];
  fill(u, 24);
  fill(v, 24);
  Array inputs[] = {build_array(x, u), build_array(y, v)}, result;
  SimOptions options = sim_default_options();
  EXPECT(run(&b, &options, inputs, &result));
  for (size_t i = 0; i < 24; i++)
    EXPECT_F32(at(&result, i), ==, u[i] + v[i]);
  array_free(&result);
  array_free(&inputs[0]);
  array_free(&inputs[1]);
  build_free(&b);
}

// Loads x into an SBUF tile, lets `emit` make instructions, and stores the tile it returns.
typedef const Tensor *Emit(Build *b, const Tensor *x);

static bool run_one(DType dtype, uint64_t par, uint64_t n, const void *values, DType out_dtype, uint64_t out_par,
                    uint64_t out_n, Emit *emit, SimOptions options, Array *result, char code[8])
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", dtype, par, n), *out = build_output(&b, "out", out_dtype, out_par, out_n);
  const Tensor *s = build_2d(&b, "s", MEMORY_SBUF, dtype, par, n);
  build_dma(&b, build_whole(s), build_whole(x));
  const Tensor *t = emit(&b, s);
  build_dma(&b, build_whole(out), build_whole(t));
  Array input = build_array(x, values);
  *result = (Array){0};
  bool ok = run(&b, &options, &input, result);
  strcpy(code, build_code(&b));
  array_free(&input);
  build_free(&b);
  return ok;
}

static bool run_both(DType dtype, uint64_t par, uint64_t n, const void *values, DType out_dtype, uint64_t out_par,
                     uint64_t out_n, Emit *emit, Array *result, char code[8])
{
  SimOptions options = sim_default_options();
  Array other;
  char other_code[8];
  bool ok = run_one(dtype, par, n, values, out_dtype, out_par, out_n, emit, options, result, code);
  options.reference = true;
  EXPECT(ok == run_one(dtype, par, n, values, out_dtype, out_par, out_n, emit, options, &other, other_code));
  EXPECT_TEXT(code, other_code);
  EXPECT(result->bytes == other.bytes && (!ok || memcmp(result->data, other.data, other.bytes) == 0));
  array_free(&other);
  return ok;
}

static const Tensor *emit_matmul(Build *b, const Tensor *x)
{
  const Tensor *psum = build_2d(b, "p", MEMORY_PSUM, DTYPE_FLOAT32, 5, 5);
  const Tensor *t = build_2d(b, "t", MEMORY_SBUF, DTYPE_FLOAT32, 5, 5);
  for (int i = 0; i < 2; i++) {  // the second adds
    Op *op = build_op(b, OP_nc_matmul);
    op->nc_matmul.dst = build_whole(psum);
    op->nc_matmul.stationary = build_whole(x);
    op->nc_matmul.moving = build_whole(x);
  }
  build_copy(b, build_whole(t), build_whole(psum));
  return t;
}

TEST(sim_matmul_adds_where_it_wrote_before)
{
  float x[3 * 5];
  fill(x, 15);
  Array result;
  char code[8];
  EXPECT(run_both(DTYPE_FLOAT32, 3, 5, x, DTYPE_FLOAT32, 5, 5, emit_matmul, &result, code));
  for (size_t m = 0; m < 5 && result.data; m++)
    for (size_t n = 0; n < 5; n++) {
      float sum = 0;
      for (size_t k = 0; k < 3; k++)
        sum += x[k * 5 + m] * x[k * 5 + n];
      EXPECT_F32(at(&result, m * 5 + n), ==, 2 * sum);
    }
  array_free(&result);
}

static const Tensor *emit_partly(Build *b, const Tensor *x)
{
  const Tensor *t = build_2d(b, "t", MEMORY_SBUF, DTYPE_FLOAT32, 4, 4);
  build_copy(b, build_part(b, t, 0, 4, 0, 3, 1), build_part(b, x, 0, 4, 0, 3, 1));
  return t;
}

TEST(sim_names_what_was_never_written)
{
  float x[16];
  fill(x, 16);
  Array result;
  char code[8];
  EXPECT(!run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_partly, &result, code));
  EXPECT_TEXT(code, "E0602");
  SimOptions options = sim_default_options();
  options.lenient = true;
  EXPECT(run_one(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_partly, options, &result, code));
  EXPECT_TEXT(code, "W0602");
  EXPECT(isnan(at(&result, 3)));
  EXPECT_F32(at(&result, 2), ==, x[2]);
  array_free(&result);
  options = (SimOptions){.exact_fp = true};
  EXPECT(run_one(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_partly, options, &result, code));
  EXPECT_TEXT(code, "");
  EXPECT(isnan(at(&result, 7)));
  array_free(&result);
}

static const Tensor *emit_shifted(Build *b, const Tensor *x)
{
  build_copy(b, build_part(b, x, 0, 4, 0, 3, 1), build_part(b, x, 0, 4, 1, 3, 1));
  return x;
}

static const Tensor *emit_interleaved(Build *b, const Tensor *x)
{
  build_copy(b, build_part(b, x, 0, 4, 0, 2, 2), build_part(b, x, 0, 4, 1, 2, 2));
  return x;
}

TEST(sim_refuses_results_over_operands)
{
  float x[16];
  fill(x, 16);
  Array result;
  char code[8];
  EXPECT(!run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_shifted, &result, code));
  EXPECT_TEXT(code, "E0604");
  SimOptions options = {.exact_fp = true};  // without checks, reading comes first
  EXPECT(run_one(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_shifted, options, &result, code));
  for (size_t i = 0; i < 3; i++)
    EXPECT_F32(at(&result, i), ==, x[i + 1]);
  array_free(&result);
  EXPECT(run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_interleaved, &result, code));
  EXPECT_F32(at(&result, 2), ==, x[3]);
  array_free(&result);
}

static const Tensor *emit_outside(Build *b, const Tensor *x)
{
  build_copy(b, build_part(b, x, 0, 4, 0, 3, 2), build_part(b, x, 0, 4, 0, 3, 1));
  return x;
}

TEST(sim_refuses_views_that_leave_their_tensor)
{
  float x[16];
  fill(x, 16);
  Array result;
  char code[8];
  EXPECT(!run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_outside, &result, code));
  EXPECT_TEXT(code, "E0603");
}

static const Tensor *emit_random(Build *b, const Tensor *x)
{
  Op *op = build_op(b, OP_rng);
  op->rng.dst = build_whole(x);
  return x;
}

TEST(sim_says_what_cannot_be_run)
{
  float x[16];
  fill(x, 16);
  Array result;
  char code[8];
  EXPECT(!run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_random, &result, code));
  EXPECT_TEXT(code, "E0601");
}

// The example of the manual: 1 2 3 4 and seven 8s, matched with 3 and seven 8s.
static const Tensor *emit_match_replace(Build *b, const Tensor *x)
{
  const Tensor *idx = build_2d(b, "idx", MEMORY_SBUF, DTYPE_UINT32, 1, 8);
  Op *op = build_op(b, OP_match_replace8);
  op->match_replace8.dst = op->match_replace8.src = build_part(b, x, 0, 1, 0, 11, 1);
  op->match_replace8.vals = build_part(b, x, 0, 1, 11, 8, 1);
  op->match_replace8.replace_value = (Immediate){.ctor = Immediate_real, .real = -1};
  op->match_replace8.dst_idx = arena_new(b->arena, TensorRef);
  TensorRef whole = build_whole(idx);
  memcpy((void *)(uintptr_t)op->match_replace8.dst_idx, &whole, sizeof whole);
  return idx;
}

TEST(sim_match_replace8_claims_from_the_last_value_on)
{
  const float x[19] = {1, 2, 3, 4, 8, 8, 8, 8, 8, 8, 8, 3, 8, 8, 8, 8, 8, 8, 8};
  const float expected[8] = {2, 10, 9, 8, 7, 6, 5, 4};
  Array result;
  char code[8];
  EXPECT(run_both(DTYPE_FLOAT32, 1, 19, x, DTYPE_UINT32, 1, 8, emit_match_replace, &result, code));
  for (size_t i = 0; i < 8 && result.data; i++)
    EXPECT_F32(at(&result, i), ==, expected[i]);
  array_free(&result);
}

// i = 0; do { x += 1; i += 1 } while (i < 5)
TEST(sim_runs_loops_on_registers)
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_FLOAT32, 2, 3), *out = build_output(&b, "out", DTYPE_FLOAT32, 2, 3);
  const Tensor *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 2, 3);
  build_dma(&b, build_whole(s), build_whole(x));
  Op *op = build_op(&b, OP_register_move);
  op->register_move.dst = "i";
  op->register_move.imm = 0;
  build_block(&b, "body");
  op = build_op(&b, OP_tensor_scalar);
  op->tensor_scalar.dst = op->tensor_scalar.src = build_whole(s);
  op->tensor_scalar.imm0 = build_real(1);
  op->tensor_scalar.op0 = ALU_OP_ADD;
  op = build_op(&b, OP_register_alu_op);
  op->register_alu_op.dst = op->register_alu_op.src = "i";
  op->register_alu_op.imm = 1;
  op->register_alu_op.op = ALU_OP_ADD;
  op = build_op(&b, OP_cmp_branch);
  op->cmp_branch.reg1 = "i";
  op->cmp_branch.reg2 = "";
  op->cmp_branch.imm = 5;
  op->cmp_branch.op = BR_CMP_OP_LT_IMM;
  op->cmp_branch.true_label = "body";
  op->cmp_branch.false_label = "end";
  build_block(&b, "end");
  build_dma(&b, build_whole(out), build_whole(s));
  float u[6];
  fill(u, 6);
  Array input = build_array(x, u), result;
  const Kernel *kernel = build_kernel(&b);
  SimOptions options = sim_default_options();
  SimStats stats;
  EXPECT(sim_run(b.session, kernel, &options, &input, &result, &stats));
  for (size_t i = 0; i < 6; i++)
    EXPECT_F32(at(&result, i), ==, u[i] + 5);
  EXPECT_INT(stats.branch_count, ==, 5);
  array_free(&result);
  options.step_limit = 10;
  EXPECT(!sim_run(b.session, kernel, &options, &input, &result, &stats));
  EXPECT_TEXT(build_code(&b), "E0609");
  array_free(&input);
  build_free(&b);
}

// rows[i] = x[index[i]] by a DMA gather; index 9 is out of bounds.
static bool gather(int32_t last_index, bool skips, Array *result, char code[8])
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_FLOAT32, 6, 2), *index = build_input(&b, "index", DTYPE_INT32, 3, 1);
  const Tensor *out = build_output(&b, "out", DTYPE_FLOAT32, 3, 2);
  const Tensor *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 3, 2), *i = build_2d(&b, "i", MEMORY_SBUF, DTYPE_INT32, 3, 1);
  build_dma(&b, build_whole(i), build_whole(index));
  Op *op = build_op(&b, OP_memset);
  op->memset.dst = build_whole(s);
  op->memset.value = (Immediate){.ctor = Immediate_real, .real = 7};
  View *view = (View *)(uintptr_t)build_view(&b, x, 0, 2, (ApPair[]){{2, 3, 0}, {1, 2, 0}});
  Access *access = arena_new(b.arena, Access);
  *access = (Access){.ctor = Access_simple, .simple = i};
  view->vector_offset = access;
  build_dma(&b, build_whole(s), ref_of_view(view));
  Op *dma = b.body.items[b.body.count - 1]->op;
  dma->nc_dma_copy.oob_mode.ctor = skips ? DmaBounds_skip : DmaBounds_error;
  build_dma(&b, build_whole(out), build_whole(s));
  float u[12];
  fill(u, 12);
  int32_t indices[3] = {5, 0, last_index};
  Array inputs[] = {build_array(x, u), build_array(index, indices)};
  SimOptions options = sim_default_options();
  bool ok = run(&b, &options, inputs, result);
  strcpy(code, build_code(&b));
  if (ok) {
    EXPECT_F32(at(result, 0), ==, u[10]);
    EXPECT_F32(at(result, 3), ==, u[1]);
    EXPECT_F32(at(result, 4), ==, last_index < 6 ? u[2 * last_index] : 7);
  }
  array_free(&inputs[0]);
  array_free(&inputs[1]);
  array_free(result);
  build_free(&b);
  return ok;
}

TEST(sim_gathers_rows)
{
  Array result;
  char code[8];
  EXPECT(gather(2, false, &result, code));
  EXPECT(gather(9, true, &result, code));
  EXPECT(!gather(9, false, &result, code));
  EXPECT_TEXT(code, "E0605");
}

static const Tensor *emit_square(Build *b, const Tensor *x)
{
  Op *op = build_op(b, OP_tensor_tensor);
  op->tensor_tensor.dst = op->tensor_tensor.src0 = op->tensor_tensor.src1 = build_whole(x);
  op->tensor_tensor.op = ALU_OP_MULT;
  return x;
}

TEST(sim_keeps_float32_when_asked_to)
{
  uint16_t x[2];
  dtype_from_f32(DTYPE_BFLOAT16, 1.0078125f, &x[0]);
  dtype_from_f32(DTYPE_BFLOAT16, 3, &x[1]);
  Array result;
  char code[8];
  SimOptions options = sim_default_options();
  options.exact_fp = false;
  EXPECT(run_one(DTYPE_BFLOAT16, 1, 2, x, DTYPE_FLOAT32, 1, 2, emit_square, options, &result, code));
  EXPECT_F32(at(&result, 0), ==, 1.0078125f * 1.0078125f);
  array_free(&result);
  options.exact_fp = true;
  EXPECT(run_one(DTYPE_BFLOAT16, 1, 2, x, DTYPE_FLOAT32, 1, 2, emit_square, options, &result, code));
  EXPECT_F32(at(&result, 0), ==, 1.015625f);
  array_free(&result);
}
