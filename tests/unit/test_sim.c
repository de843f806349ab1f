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
  const Tensor *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 4, 6),
               *t = build_2d(&b, "t", MEMORY_SBUF, DTYPE_FLOAT32, 4, 6);
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

static bool runs_are_lenient;

static bool run_one(DType dtype, uint64_t par, uint64_t n, const void *values, DType out_dtype, uint64_t out_par,
                    uint64_t out_n, Emit *emit, SimOptions options, Array *result, char code[8])
{
  Build b = build_new();
  b.session->lenient = runs_are_lenient;
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
  runs_are_lenient = true;
  EXPECT(run_one(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_partly, sim_default_options(), &result, code));
  runs_are_lenient = false;
  EXPECT_TEXT(code, "W0602");
  EXPECT(isnan(at(&result, 3)));
  EXPECT_F32(at(&result, 2), ==, x[2]);
  array_free(&result);
  SimOptions options = (SimOptions){.exact_fp = true};
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

static const Tensor *emit_raw_instruction(Build *b, const Tensor *x)
{
  build_op(b, OP_extended_inst);
  return x;
}

TEST(sim_says_what_cannot_be_run)
{
  float x[16];
  fill(x, 16);
  Array result;
  char code[8];
  EXPECT(!run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_raw_instruction, &result, code));
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
  const Tensor *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 3, 2),
               *i = build_2d(&b, "i", MEMORY_SBUF, DTYPE_INT32, 3, 1);
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

// ---- memory

TEST(sim_tiles_that_are_placed_over_each_other_share_memory)
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_FLOAT32, 2, 4), *out = build_output(&b, "out", DTYPE_FLOAT32, 1, 2);
  Tensor *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 2, 4),
         *t = build_2d(&b, "t", MEMORY_SBUF, DTYPE_FLOAT32, 1, 2);
  Address *at_s = (Address *)(uintptr_t)s->address, *at_t = (Address *)(uintptr_t)t->address;
  at_s->par_offset = at_t->par_offset = (Core_OPT_NAT){true, 32};
  at_s->free_offset = (Core_OPT_NAT){true, 64};
  at_t->par_offset.value = 33;
  at_t->free_offset = (Core_OPT_NAT){true, 72};
  build_dma(&b, build_whole(s), build_whole(x));
  build_dma(&b, build_whole(out), build_whole(t));  // row 1, elements 2 and 3 of s
  float u[8];
  fill(u, 8);
  Array input = build_array(x, u), result;
  SimOptions options = sim_default_options();
  EXPECT(run(&b, &options, &input, &result));
  EXPECT_F32(at(&result, 0), ==, u[6]);
  EXPECT_F32(at(&result, 1), ==, u[7]);
  array_free(&result);
  array_free(&input);
  build_free(&b);
}

static const Tensor *emit_nothing(Build *b, const Tensor *x)
{
  (void)b;
  return x;
}

TEST(sim_tells_when_a_result_is_not_complete)
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_INT16, 2, 3), *out = build_output(&b, "out", DTYPE_INT16, 2, 3);
  build_dma(&b, build_part(&b, out, 0, 2, 0, 2, 1), build_part(&b, x, 0, 2, 0, 2, 1));
  const int16_t u[6] = {1, 2, 3, 4, 5, 6};
  Array input = build_array(x, u), result;
  const Kernel *kernel = build_kernel(&b);
  SimOptions options = sim_default_options();
  EXPECT(!sim_run(b.session, kernel, &options, &input, &result, NULL));
  EXPECT_TEXT(build_code(&b), "E0611");
  EXPECT(strstr(b.session->diags.items[0]->message, "element [0, 2] of result `out`"));
  b.session->lenient = true;
  EXPECT(sim_run(b.session, kernel, &options, &input, &result, NULL));
  EXPECT_TEXT(build_code(&b), "W0611");
  EXPECT_F32(at(&result, 2), ==, 4);  // what integers hold that nobody wrote
  EXPECT_F32(at(&result, 4), ==, 5);
  array_free(&result);
  array_free(&input);
  build_free(&b);
}

TEST(sim_compares_arguments_with_parameters)
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_INT16, 2, 3), *out = build_output(&b, "out", DTYPE_INT16, 2, 3);
  build_dma(&b, build_whole(out), build_whole(x));
  uint64_t shapes[][2] = {{3, 2}, {2, 4}, {2, 3}};
  DType dtypes[] = {DTYPE_INT16, DTYPE_INT16, DTYPE_UINT16};
  const Kernel *kernel = build_kernel(&b);
  SimOptions options = sim_default_options();
  for (size_t i = 0; i < 3; i++) {
    Array input = array_new(dtypes[i], 2, shapes[i]), result;
    EXPECT(!sim_run(b.session, kernel, &options, &input, &result, NULL));
    EXPECT_TEXT(build_code(&b), "E0610");
    array_free(&input);
  }
  build_free(&b);
}

// ---- registers, branches, cores

static Op *branch(Build *b, BrCmpOp op, const char *reg1, const char *reg2, const char *yes, const char *no)
{
  Op *branch_op = build_op(b, OP_cmp_branch);
  branch_op->cmp_branch.op = op;
  branch_op->cmp_branch.reg1 = reg1;
  branch_op->cmp_branch.reg2 = reg2;
  branch_op->cmp_branch.true_label = yes;
  branch_op->cmp_branch.false_label = no;
  return branch_op;
}

// out = x[n:n+2] where n stands in a tensor; out of bounds for n > 2.
static const char *slice_at(int32_t n, bool on_chip, float *first)
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_FLOAT32, 4, 4), *index = build_input(&b, "n", DTYPE_INT32, 1, 1);
  const Tensor *out = build_output(&b, "out", DTYPE_FLOAT32, on_chip ? 4 : 2, on_chip ? 2 : 4);
  const Tensor *i = build_2d(&b, "i", MEMORY_SBUF, DTYPE_INT32, 1, 1),
               *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 4, 4);
  build_dma(&b, build_whole(i), build_whole(index));
  build_dma(&b, build_whole(s), build_whole(x));
  Op *op = build_op(&b, OP_tensor_load);
  op->tensor_load.dst = "n";
  op->tensor_load.src = build_whole(i);
  ApPair pairs[] = {{4, on_chip ? 4 : 2, 0}, {1, on_chip ? 2 : 4, 0}};
  View *view = (View *)(uintptr_t)build_view(&b, on_chip ? s : x, 0, 2, pairs);
  ScalarOffset *offset = arena_new(b.arena, ScalarOffset);
  offset->ctor = ScalarOffset_reg;
  offset->reg = "n";
  view->scalar_offset = offset;
  view->indirect_dim = on_chip;
  const Tensor *t = build_2d(&b, "t", MEMORY_SBUF, DTYPE_FLOAT32, on_chip ? 4 : 2, on_chip ? 2 : 4);
  if (on_chip)
    build_copy(&b, build_whole(t), ref_of_view(view));
  else
    build_dma(&b, build_whole(t), ref_of_view(view));
  build_dma(&b, build_whole(out), build_whole(t));
  float u[16];
  fill(u, 16);
  Array inputs[] = {build_array(x, u), build_array(index, &n)}, result;
  SimOptions options = sim_default_options();
  *first = run(&b, &options, inputs, &result) ? at(&result, 0) - u[on_chip ? n : 4 * n] : -1;
  static char code[8];
  strcpy(code, build_code(&b));
  array_free(&inputs[0]);
  array_free(&inputs[1]);
  array_free(&result);
  build_free(&b);
  return code;
}

TEST(sim_slices_where_a_register_says)
{
  float difference;
  for (int32_t n = 0; n <= 2; n++)
    for (int on_chip = 0; on_chip < 2; on_chip++) {
      EXPECT_TEXT(slice_at(n, on_chip, &difference), "");
      EXPECT_F32(difference, ==, 0);
    }
  EXPECT_TEXT(slice_at(3, false, &difference), "E0605");
  EXPECT_TEXT(slice_at(-1, false, &difference), "E0605");
  EXPECT_TEXT(slice_at(3, true, &difference), "E0603");
}

static const Tensor *emit_unset(Build *b, const Tensor *x)
{
  branch(b, BR_CMP_OP_LT_IMM, "i", "", "somewhere", "somewhere");
  return x;
}

static const Tensor *emit_nowhere(Build *b, const Tensor *x)
{
  branch(b, BR_CMP_OP_ALWAYS, "", "", "nowhere", "nowhere");
  return x;
}

TEST(sim_survives_kernels_that_no_verifier_saw)
{
  float x[16];
  fill(x, 16);
  Array result;
  char code[8];
  EXPECT(!run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_unset, &result, code));
  EXPECT_TEXT(code, "E0608");
  EXPECT(!run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 4, emit_nowhere, &result, code));
  EXPECT_TEXT(code, "E0608");
  EXPECT(!run_both(DTYPE_FLOAT32, 4, 4, x, DTYPE_FLOAT32, 4, 5, emit_nothing, &result, code));
  EXPECT_TEXT(code, "E0606");
}

// Core c writes row c of the shared output from a tile of its own that has one name on all cores.
TEST(sim_runs_all_logical_cores)
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_FLOAT32, 2, 3), *out = build_output(&b, "out", DTYPE_FLOAT32, 2, 3);
  const Tensor *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 1, 3);
  Core_LIST_BLOCK *bodies = arena_array(b.arena, Core_LIST_BLOCK, 2);
  for (uint64_t core = 0; core < 2; core++) {
    memset(&b.blocks, 0, sizeof b.blocks);
    build_dma(&b, build_whole(s), build_part(&b, x, core, 1, 0, 3, 1));
    build_dma(&b, build_part(&b, out, 1 - core, 1, 0, 3, 1), build_whole(s));
    build_block(&b, "entry");
    bodies[core] = (Core_LIST_BLOCK){b.blocks.items, (uint32_t)b.blocks.count};
  }
  Kernel *kernel = (Kernel *)(uintptr_t)build_kernel(&b);
  kernel->bodies.items = bodies;
  kernel->bodies.count = 2;
  float u[6];
  fill(u, 6);
  Array input = build_array(x, u), result;
  SimOptions options = sim_default_options();
  EXPECT(sim_run(b.session, kernel, &options, &input, &result, NULL));
  for (size_t i = 0; i < 6; i++)
    EXPECT_F32(at(&result, i), ==, u[(i + 3) % 6]);
  array_free(&result);
  array_free(&input);
  build_free(&b);
}

// ---- values

static const Tensor *emit_exact(Build *b, const Tensor *x)
{
  Op *op = build_op(b, OP_tensor_tensor);
  op->tensor_tensor.dst = op->tensor_tensor.src0 = op->tensor_tensor.src1 = build_whole(x);
  op->tensor_tensor.op = ALU_OP_ADD;
  op->tensor_tensor.engine = ENGINE_POOL;
  return x;
}

static const Tensor *emit_inexact(Build *b, const Tensor *x)
{
  emit_exact(b, x);
  b->body.items[b->body.count - 1]->op->tensor_tensor.engine = ENGINE_DVE;
  return x;
}

TEST(sim_integers_are_exact_on_gpsimd_only)
{
  const int32_t x[3] = {16777217, -2147483647, 5};
  Array result;
  char code[8];
  EXPECT(run_both(DTYPE_INT32, 1, 3, x, DTYPE_INT32, 1, 3, emit_exact, &result, code));
  EXPECT_INT(((int32_t *)result.data)[0], ==, 33554434);
  EXPECT_INT(((int32_t *)result.data)[1], ==, 2);
  array_free(&result);
  EXPECT(run_both(DTYPE_INT32, 1, 3, x, DTYPE_INT32, 1, 3, emit_inexact, &result, code));
  EXPECT_INT(((int32_t *)result.data)[0], ==, 33554432);
  EXPECT_INT(((int32_t *)result.data)[1], ==, INT32_MIN);
  array_free(&result);
}

static const Tensor *emit_add_fresh(Build *b, const Tensor *x)
{
  const Tensor *t = emit_matmul(b, x);
  Op *op = b->body.items[1]->op;
  op->nc_matmul.accumulate = (Core_OPT_BOOL){true, true};
  return t;
}

TEST(sim_warns_of_adding_to_nothing)
{
  float x[3 * 5];
  fill(x, 15);
  Array result;
  char code[8];
  EXPECT(run_both(DTYPE_FLOAT32, 3, 5, x, DTYPE_FLOAT32, 5, 5, emit_add_fresh, &result, code));
  EXPECT_TEXT(code, "W0614");
  array_free(&result);
}

static const Tensor *emit_segments(Build *b, const Tensor *x)
{
  const Tensor *t = build_2d(b, "t", MEMORY_SBUF, DTYPE_FLOAT32, 1, 16);
  Op *op = build_op(b, OP_sequence_bounds);
  op->sequence_bounds.dst = build_whole(t);
  op->sequence_bounds.segment_ids = build_whole(x);
  return t;
}

TEST(sim_bounds_of_sequences)
{
  const float x[8] = {1, 1, 2, 2, 2, 3, 0, 0};
  const float expected[16] = {0, 0, 2, 2, 2, 5, 8, 8, 2, 2, 5, 5, 5, 6, -1, -1};
  Array result;
  char code[8];
  EXPECT(run_both(DTYPE_FLOAT32, 1, 8, x, DTYPE_FLOAT32, 1, 16, emit_segments, &result, code));
  for (size_t i = 0; i < 16 && result.data; i++)
    EXPECT_F32(at(&result, i), ==, expected[i]);
  array_free(&result);
}

static const Tensor *emit_nonzero(Build *b, const Tensor *x)
{
  const Tensor *t = build_2d(b, "t", MEMORY_SBUF, DTYPE_INT32, 1, 7);
  Op *op = build_op(b, OP_nonzero_with_count);
  op->nonzero_with_count.dst = build_whole(t);
  op->nonzero_with_count.src = build_whole(x);
  op->nonzero_with_count.index_offset = (Immediate){.ctor = Immediate_integer, .integer = 10};
  op->nonzero_with_count.padding_val = (Immediate){.ctor = Immediate_integer, .integer = -1};
  return t;
}

TEST(sim_counts_what_is_not_zero)
{
  const float x[6] = {0, 3, 0, -1, 2, 0};
  const float expected[7] = {11, 13, 14, -1, -1, -1, 3};
  Array result;
  char code[8];
  EXPECT(run_both(DTYPE_FLOAT32, 1, 6, x, DTYPE_INT32, 1, 7, emit_nonzero, &result, code));
  for (size_t i = 0; i < 7 && result.data; i++)
    EXPECT_F32(at(&result, i), ==, expected[i]);
  array_free(&result);
}

// for i in 0..2: psum is read inside the loop (then it starts anew each time) or after it (then it sums up).
static float loop_product(bool read_inside)
{
  Build b = build_new();
  const Tensor *x = build_input(&b, "x", DTYPE_FLOAT32, 1, 1), *out = build_output(&b, "out", DTYPE_FLOAT32, 1, 1);
  const Tensor *s = build_2d(&b, "s", MEMORY_SBUF, DTYPE_FLOAT32, 1, 1),
               *p = build_2d(&b, "p", MEMORY_PSUM, DTYPE_FLOAT32, 1, 1);
  build_dma(&b, build_whole(s), build_whole(x));
  Op *op = build_op(&b, OP_register_move);
  op->register_move.dst = "i";
  build_block(&b, "body");
  op = build_op(&b, OP_nc_matmul);
  op->nc_matmul.dst = build_whole(p);
  op->nc_matmul.stationary = op->nc_matmul.moving = build_whole(s);
  if (read_inside)
    build_dma(&b, build_whole(out), build_whole(p));
  op = build_op(&b, OP_register_alu_op);
  op->register_alu_op.dst = op->register_alu_op.src = "i";
  op->register_alu_op.imm = 1;
  op->register_alu_op.op = ALU_OP_ADD;
  branch(&b, BR_CMP_OP_LT_IMM, "i", "", "body", "end")->cmp_branch.imm = 3;
  build_block(&b, "end");
  if (!read_inside)
    build_dma(&b, build_whole(out), build_whole(p));
  const float u = 2;
  Array input = build_array(x, &u), result;
  SimOptions options = sim_default_options();
  EXPECT(run(&b, &options, &input, &result));
  float value = result.data ? at(&result, 0) : 0;
  array_free(&result);
  array_free(&input);
  build_free(&b);
  return value;
}

TEST(sim_psum_of_a_loop_is_new_in_each_iteration)
{
  EXPECT_F32(loop_product(true), ==, 4);
  EXPECT_F32(loop_product(false), ==, 12);
}

static const Tensor *emit_sin(Build *b, const Tensor *x)
{
  Op *op = build_op(b, OP_nc_activate);
  op->nc_activate.dst = op->nc_activate.src = build_whole(x);
  op->nc_activate.scale = build_real(1);
  op->nc_activate.activation_func = ACTIVATION_FUNC_SIN;
  return x;
}

TEST(sim_warns_of_inputs_outside_a_functions_range)
{
  float x[3] = {1, 2, 3};
  Array result;
  char code[8];
  EXPECT(run_both(DTYPE_FLOAT32, 1, 3, x, DTYPE_FLOAT32, 1, 3, emit_sin, &result, code));
  EXPECT_TEXT(code, "");
  array_free(&result);
  x[1] = 9;
  EXPECT(run_both(DTYPE_FLOAT32, 1, 3, x, DTYPE_FLOAT32, 1, 3, emit_sin, &result, code));
  EXPECT_TEXT(code, "W0615");
  EXPECT_F32(at(&result, 1), >, 27);
  array_free(&result);
}
