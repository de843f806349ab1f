// bench_sim.c -- times instructions inside the simulator, in this process, one thread.
//
//   bench_sim [NAME]    prints `name nanoseconds` lines: what one more instruction adds to a run, best of several.
//
// A kernel that loads its tiles is run with few and with many copies of one instruction; the difference in time, divided
// by the difference in number, leaves out what loading, allocating and starting cost.

#include "sim_build.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum { ROWS = 128, COLUMNS = 512, FEW = 2, REPETITIONS = 25 };

typedef struct Tiles {
  TensorRef a, b, small, psum, reduced, out;  // a, b, out: 128 x 512; reduced: 128 x 1; small: 1 x 1
  TensorRef stationary;                             // 128 x 128
} Tiles;

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void emit_matmul(Build *b, const Tiles *t)
{
  struct Op_nc_matmul *op = &build_op(b, OP_nc_matmul)->nc_matmul;
  op->dst = t->psum;
  op->stationary = t->stationary;
  op->moving = t->b;
  op->accumulate.some = true;
  op->accumulate.value = false;
}

static void emit_tensor_tensor(Build *b, const Tiles *t)
{
  struct Op_tensor_tensor *op = &build_op(b, OP_tensor_tensor)->tensor_tensor;
  op->dst = t->out;
  op->src0 = t->a;
  op->src1 = t->b;
  op->op = ALU_OP_ADD;
}

static void emit_small(Build *b, const Tiles *t)
{
  struct Op_tensor_tensor *op = &build_op(b, OP_tensor_tensor)->tensor_tensor;
  op->dst = op->src0 = op->src1 = t->small;
  op->op = ALU_OP_MAX;
}

static struct Op_tensor_scalar *tensor_scalar(Build *b, const Tiles *t)
{
  struct Op_tensor_scalar *op = &build_op(b, OP_tensor_scalar)->tensor_scalar;
  op->dst = t->out;
  op->src = t->a;
  op->op0 = ALU_OP_MULT;
  op->imm0 = build_real(2.5f);
  return op;
}

static void emit_tensor_scalar(Build *b, const Tiles *t)
{
  tensor_scalar(b, t);
}

static void emit_tensor_scalar_pair(Build *b, const Tiles *t)
{
  struct Op_tensor_scalar *op = tensor_scalar(b, t);
  Operand *second = arena_new(b->arena, Operand);
  *second = build_real(1.5f);
  op->imm1 = second;
  op->op1.some = true;
  op->op1.value = ALU_OP_ADD;
}

static void emit_tensor_reduce(Build *b, const Tiles *t)
{
  struct Op_tensor_reduce *op = &build_op(b, OP_tensor_reduce)->tensor_reduce;
  op->dst = t->reduced;
  op->src = t->a;
  op->op = ALU_OP_ADD;
  op->op_dim = SUB_DIM_X;
}

static void emit_activation(Build *b, const Tiles *t)
{
  struct Op_nc_activate *op = &build_op(b, OP_nc_activate)->nc_activate;
  op->dst = t->out;
  op->src = t->a;
  op->activation_func = ACTIVATION_FUNC_EXP;
  op->accumulator_cmd = ACCUM_CMD_IDLE;
  op->scale = build_real(1);
}

static void emit_copy(Build *b, const Tiles *t)
{
  build_copy(b, t->out, t->a);
}

static const struct {
  const char *name;
  void (*emit)(Build *, const Tiles *);
  DType dtype;
  bool checks;
  int count;
} benches[] = {
    {"nc_matmul_f32", emit_matmul, DTYPE_FLOAT32, true, 30},
    {"nc_matmul_bf16", emit_matmul, DTYPE_BFLOAT16, true, 30},
    {"tensor_tensor_f32", emit_tensor_tensor, DTYPE_FLOAT32, true, 100},
    {"tensor_tensor_f32_unchecked", emit_tensor_tensor, DTYPE_FLOAT32, false, 100},
    {"tensor_tensor_bf16", emit_tensor_tensor, DTYPE_BFLOAT16, true, 100},
    {"tensor_scalar_f32", emit_tensor_scalar, DTYPE_FLOAT32, true, 100},
    {"tensor_scalar_pair_f32", emit_tensor_scalar_pair, DTYPE_FLOAT32, true, 100},
    {"tensor_reduce_f32", emit_tensor_reduce, DTYPE_FLOAT32, true, 100},
    {"activation_exp_f32", emit_activation, DTYPE_FLOAT32, true, 100},
    {"tensor_copy_f32", emit_copy, DTYPE_FLOAT32, true, 100},
    {"one_element", emit_small, DTYPE_FLOAT32, true, 20000},
    {"one_element_unchecked", emit_small, DTYPE_FLOAT32, false, 20000},
};

// Seconds of a run with `count` instructions of a bench, as nanoseconds; negative when it failed.
static double time_run(size_t bench, int count)
{
  Build b = build_new();
  DType dtype = benches[bench].dtype;
  const Tensor *x = build_input(&b, "x", dtype, ROWS, COLUMNS), *out = build_output(&b, "y", dtype, 1, 1);
  Tiles t = {.a = build_whole(build_2d(&b, "a", MEMORY_SBUF, dtype, ROWS, COLUMNS)),
             .b = build_whole(build_2d(&b, "b", MEMORY_SBUF, dtype, ROWS, COLUMNS)),
             .out = build_whole(build_2d(&b, "out", MEMORY_SBUF, dtype, ROWS, COLUMNS)),
             .psum = build_whole(build_2d(&b, "psum", MEMORY_PSUM, DTYPE_FLOAT32, ROWS, COLUMNS)),
             .reduced = build_whole(build_2d(&b, "reduced", MEMORY_SBUF, dtype, ROWS, 1)),
             .small = build_whole(build_2d(&b, "small", MEMORY_SBUF, dtype, 1, 1)),
             .stationary = build_whole(build_2d(&b, "stationary", MEMORY_SBUF, dtype, ROWS, ROWS))};
  build_dma(&b, t.a, build_whole(x));
  build_dma(&b, t.b, build_whole(x));
  build_dma(&b, t.stationary, build_part(&b, x, 0, ROWS, 0, ROWS, 1));
  build_dma(&b, t.small, build_part(&b, x, 0, 1, 0, 1, 1));
  for (int i = 0; i < count; i++)
    benches[bench].emit(&b, &t);
  build_dma(&b, build_whole(out), t.small);
  Array input = build_array(x, NULL), result;
  for (uint64_t i = 0; i < ROWS * COLUMNS; i++)
    dtype_from_f32(dtype, (float)(i * 7919 % 1000) / 256 - 2, (char *)input.data + i * dtype_bytes(dtype));
  SimOptions options = sim_default_options();
  options.checks = benches[bench].checks;
  options.threads = 1;
  const Kernel *kernel = build_kernel(&b);
  double start = now();
  bool ok = sim_run(b.session, kernel, &options, &input, &result, NULL);
  double time = now() - start;
  if (ok)
    array_free(&result);
  else
    fprintf(stderr, "%s failed: %s\n", benches[bench].name, build_code(&b));
  array_free(&input);
  build_free(&b);
  return ok ? time : -1;
}

int main(int argc, char **argv)
{
  for (size_t bench = 0; bench < sizeof benches / sizeof *benches; bench++) {
    if (argc > 1 && !strstr(benches[bench].name, argv[1]))
      continue;
    double few = INFINITY, many = INFINITY;
    for (int i = 0; i < REPETITIONS; i++) {
      few = fmin(few, time_run(bench, FEW));
      many = fmin(many, time_run(bench, FEW + benches[bench].count));
    }
    if (few < 0 || many < 0)
      return 1;
    printf("%s %.0f\n", benches[bench].name, (many - few) / benches[bench].count);
  }
  return 0;
}
