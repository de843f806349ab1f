// Fast executors against the reference: random operators with odd shapes, strides, dtypes, offsets, repeated elements
// and aliases must give the same bits or the same error, with one thread and with two.

#include "sim_build.h"
#include "test.h"

#include <stdio.h>

// ---- random choices
static uint64_t random_state;

static uint64_t next_random(void)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static uint64_t below(uint64_t n)
{
  return (next_random() >> 16) % n;
}

static bool chance(unsigned percent)
{
  return below(100) < percent;
}

static const DType float_dtypes[] = {DTYPE_FLOAT32,       DTYPE_FLOAT32, DTYPE_FLOAT32,  DTYPE_BFLOAT16,
                                     DTYPE_BFLOAT16,      DTYPE_FLOAT16, DTYPE_FLOAT8E4, DTYPE_FLOAT8E5,
                                     DTYPE_FLOAT8_E4M3FN, DTYPE_FLOAT32R};
static const DType int_dtypes[] = {DTYPE_INT32, DTYPE_UINT32, DTYPE_INT16, DTYPE_UINT16,
                                   DTYPE_INT8,  DTYPE_UINT8,  DTYPE_BOOL};
static DType wanted_dtype = DTYPE_COUNT;  // what random_dtype must give; DTYPE_COUNT: anything

static DType random_float_dtype(void)
{
  return float_dtypes[below(sizeof float_dtypes / sizeof *float_dtypes)];
}

static DType random_int_dtype(void)
{
  return int_dtypes[below(sizeof int_dtypes / sizeof *int_dtypes)];
}

static DType random_dtype(void)
{
  if (wanted_dtype != DTYPE_COUNT)
    return wanted_dtype;
  return chance(75) ? random_float_dtype() : random_int_dtype();
}

// ---- a kernel with one operator: operands come from inputs, and all tensors go to outputs
typedef struct Case {
  Build b;
  uint64_t par, free_elems, free_rank, dims[3];
  Vec(Array) arrays;
  int count;
  const Tensor *last;  // of the newest operand, and its view
  const View *last_view;
  const View *dst_view;
  const View *fresh_view;  // of a tensor that only the operator writes
} Case;

static const float specials[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 3.0e38f, -3.0e38f, 1.0e-40f, 65504.0f, 448.0f};

static void fill_units(DType dtype, uint64_t n, uint8_t *to)
{
  unsigned bytes = dtype_bytes(dtype);
  for (uint64_t i = 0; i < n; i++) {
    uint64_t bits = next_random();
    if (dtype_is_packed(dtype)) {
      memcpy(to + i * bytes, &bits, bytes);
      continue;
    }
    float value = (float)(int64_t)(bits % 4001 - 2000) / 64.0f;
    if (bits >> 40 & 1)
      value = (float)((int64_t)(bits >> 50) % 9 - 4);
    if ((bits >> 32) % 61 == 0)
      value = specials[(bits >> 44) % (sizeof specials / sizeof *specials)];
    dtype_from_f32(dtype, value, to + i * bytes);
    if ((bits >> 20) % 97 == 0 && dtype != DTYPE_BOOL)
      memcpy(to + i * bytes, &bits, bytes);  // anything, NaNs with any payload too
  }
}

static const char *numbered(Case *c, const char *prefix)
{
  return arena_printf(c->b.arena, "%s%d", prefix, c->count);
}

// A new on-chip tensor that an input fills (unless `fresh`) and an output shows.
static const Tensor *new_tensor(Case *c, Memory memory, DType dtype, uint64_t par, uint64_t free_elems, bool fresh)
{
  c->count++;
  const Tensor *tensor = build_2d(&c->b, numbered(c, "t"), memory, dtype, par, free_elems);
  if (!fresh) {
    const Tensor *input = build_input(&c->b, numbered(c, "in"), dtype, par, free_elems);
    Array array = build_array(input, NULL);
    fill_units(dtype, par * free_elems, array.data);
    vec_push(c->b.arena, &c->arrays, array);
    build_dma(&c->b, build_whole(tensor), build_whole(input));
  }
  return tensor;
}

typedef enum Use { USE_READ, USE_WRITE } Use;

// A view of partitions x dims with random steps, on a new tensor of `dtype`.
static TensorRef operand_of(Case *c, Use use, DType dtype, uint64_t par, uint64_t rank, const uint64_t *dims,
                            Memory memory, bool fresh)
{
  ApPair pairs[4];
  int64_t span = 1, low = 0;
  for (uint64_t i = rank; i-- > 0;) {
    int64_t step = span;
    if (chance(15))
      step = use == USE_READ && chance(60) ? 0 : step * 2;
    else if (chance(10))
      step += (int64_t)below(3);
    if (chance(8))
      step = -step;
    pairs[i + 1] = (ApPair){(int32_t)step, (uint32_t)dims[i], 0};
    int64_t reach = step * ((int64_t)dims[i] - 1), size = reach < 0 ? -reach : reach;
    if (reach < 0)
      low += reach;
    if (step)
      span += size;
  }
  uint64_t before = chance(50) ? 0 : below(5), after = chance(50) ? 0 : below(5);
  uint64_t row_step = par <= 40 && chance(15) ? 2 : 1, first = chance(70) ? 0 : below(4);
  if (use == USE_READ && chance(5))
    row_step = 0;
  uint64_t rows = first + row_step * (par - 1) + 1 + (chance(50) ? 0 : below(3));
  rows = rows > 128 ? 128 : rows;
  if (first + row_step * (par - 1) >= rows)
    first = 0, row_step = par <= 64 ? row_step : 1;
  uint64_t free_elems = before + (uint64_t)span + after;
  const Tensor *tensor = new_tensor(c, memory, dtype, rows, free_elems, fresh);
  pairs[0] = (ApPair){(int32_t)(row_step * free_elems), (uint32_t)par, 0};
  uint64_t offset = first * free_elems + before + (uint64_t)-low;
  c->last = tensor;
  c->last_view = build_view(&c->b, tensor, offset, (uint32_t)rank + 1, pairs);
  return ref_of_view(c->last_view);
}

static TensorRef source(Case *c)
{
  if (c->dst_view && chance(12)) {  // in place, exactly or not quite
    View *view = (View *)(uintptr_t)build_view(&c->b, c->dst_view->tensor, c->dst_view->offset,
                                               c->dst_view->pattern.count, c->dst_view->pattern.items);
    if (chance(20) && view->offset > 0)
      view->offset--;
    c->last_view = view;
    return ref_of_view(view);
  }
  return operand_of(c, USE_READ, random_dtype(), c->par, c->free_rank, c->dims, MEMORY_SBUF, false);
}

static TensorRef target(Case *c, DType dtype)
{
  TensorRef ref =
      operand_of(c, USE_WRITE, dtype, c->par, c->free_rank, c->dims, chance(70) ? MEMORY_SBUF : MEMORY_PSUM, false);
  c->dst_view = c->last_view;
  return ref;
}

static TensorRef column(Case *c, Use use, DType dtype)
{
  uint64_t one = 1;
  return operand_of(c, use, dtype, c->par, 1, &one, MEMORY_SBUF, false);
}

static Operand scalar_operand(Case *c)
{
  if (chance(50))
    return build_real((float)(int64_t)(below(200)) / 16 - 6);
  return build_tile(column(c, USE_READ, random_dtype()));
}

static const TensorRef *boxed(Case *c, TensorRef ref)
{
  TensorRef *box = arena_new(c->b.arena, TensorRef);
  memcpy(box, &ref, sizeof ref);
  return box;
}

static const Operand *boxed_operand(Case *c, Operand operand)
{
  Operand *box = arena_new(c->b.arena, Operand);
  memcpy(box, &operand, sizeof operand);
  return box;
}

static AluOp random_arith(void)
{
  for (;;) {
    AluOp op = (AluOp)below(ALU_OP_COUNT);
    if (!alu_is_bitvec(op) && (op != ALU_OP_POW || chance(10)))
      return op;
  }
}

static AluOp random_bitvec(void)
{
  for (;;) {
    AluOp op = (AluOp)below(ALU_OP_COUNT);
    if (alu_is_bitvec(op))
      return op;
  }
}

static AluOp random_reduction(void)
{
  static const AluOp ops[] = {ALU_OP_ADD,      ALU_OP_ADD,        ALU_OP_MAX,         ALU_OP_MIN,    ALU_OP_MULT,
                              ALU_OP_SUBTRACT, ALU_OP_LOGICAL_OR, ALU_OP_LOGICAL_AND, ALU_OP_ABS_MAX};
  return ops[below(sizeof ops / sizeof *ops)];
}

static AccumCmd random_accum(void)
{
  return (AccumCmd)below(ACCUM_CMD_COUNT);
}

static ReverseOps random_reverse(void)
{
  return chance(70) ? REVERSE_OPS_NONE : (ReverseOps)below(REVERSE_OPS_COUNT);
}

// ---- operators
static void make_copy(Case *c)
{
  TensorRef dst = target(c, random_dtype()), src = source(c);
  build_copy(&c->b, dst, src);
}

static void make_dma(Case *c)
{
  TensorRef dst = target(c, random_dtype());
  DType dtype = chance(60) ? view_dtype(c->dst_view) : random_dtype();
  uint64_t par = c->par, rank = c->free_rank, dims[3];
  memcpy(dims, c->dims, sizeof dims);
  if (chance(40)) {  // the same number of elements in another shape
    uint64_t total = par * c->free_elems;
    par = total % 2 == 0 && total <= 128 ? 2 : 1;
    dims[0] = total / par;
    rank = 1;
  }
  TensorRef src = operand_of(c, USE_READ, dtype, par, rank, dims, chance(50) ? MEMORY_SBUF : MEMORY_PRIVATE_HBM, false);
  build_dma(&c->b, dst, src);
}

// Columns that become rows on the way: row p of one side is column p of the other.
static void make_dma_transposing(Case *c)
{
  DType dtype = random_dtype();
  uint64_t rows = c->par, columns = c->dims[0];
  if (columns > 128)
    columns = 128;
  const Tensor *hbm = new_tensor(c, MEMORY_PRIVATE_HBM, dtype, columns, rows + below(4), false);
  const Tensor *tile = new_tensor(c, MEMORY_SBUF, dtype, rows, columns + below(4), false);
  ApPair pairs[] = {{1, (uint32_t)rows, 0}, {(int32_t)hbm->free_elements, (uint32_t)columns, 0}};
  TensorRef across = ref_of_view(build_view(&c->b, hbm, 0, 2, pairs));
  TensorRef along = build_part(&c->b, tile, 0, rows, 0, columns, 1);
  build_dma(&c->b, chance(50) ? along : across, chance(50) ? along : across);
}

static void make_memset(Case *c)
{
  TensorRef dst = target(c, random_dtype());
  Op *op = build_op(&c->b, OP_memset);
  op->memset.dst = dst;
  op->memset.value = chance(50) ? (Immediate){.ctor = Immediate_integer, .integer = (int32_t)below(600) - 300}
                                : (Immediate){.ctor = Immediate_real, .real = chance(50) ? 0 : -1.25f};
}

static void make_tensor_tensor(Case *c)
{
  bool bits = chance(25);
  if (bits || chance(10))
    wanted_dtype = bits ? random_int_dtype() : chance(50) ? DTYPE_INT32 : DTYPE_UINT32;
  TensorRef dst = target(c, random_dtype()), a = source(c), b = source(c);
  Op *op = build_op(&c->b, OP_tensor_tensor);
  op->tensor_tensor.dst = dst;
  op->tensor_tensor.src0 = a;
  op->tensor_tensor.src1 = b;
  op->tensor_tensor.op = bits ? random_bitvec() : random_arith();
  op->tensor_tensor.engine = chance(80) ? ENGINE_UNASSIGNED : ENGINE_DVE;
}

static void make_tensor_scalar(Case *c)
{
  bool bits = chance(15);
  if (bits)
    wanted_dtype = random_int_dtype();
  TensorRef dst = target(c, random_dtype()), src = source(c);
  Operand first = scalar_operand(c), second = scalar_operand(c);
  Op *op = build_op(&c->b, OP_tensor_scalar);
  struct Op_tensor_scalar *o = &op->tensor_scalar;
  o->dst = dst;
  o->src = src;
  o->imm0 = first;
  o->op0 = bits ? random_bitvec() : random_arith();
  o->reverse = random_reverse();
  if (chance(60)) {
    o->op1.some = true;
    o->op1.value = bits ? random_bitvec() : random_arith();
    o->imm1 = boxed_operand(c, second);
  }
}

static void make_scalar_tensor_tensor(Case *c)
{
  TensorRef dst = target(c, random_dtype()), data = source(c);
  Operand first = scalar_operand(c), second = chance(80) ? build_tile(source(c)) : scalar_operand(c);
  Op *op = build_op(&c->b, OP_nc_scalar_tensor_tensor);
  struct Op_nc_scalar_tensor_tensor *o = &op->nc_scalar_tensor_tensor;
  o->dst = dst;
  o->data = data;
  o->src0 = first;
  o->src1 = second;
  o->op0 = random_arith();
  o->op1 = random_arith();
  o->reverse_operands = random_reverse();
}

static void make_reciprocal(Case *c)
{
  TensorRef dst = target(c, random_dtype()), src = source(c);
  Op *op = build_op(&c->b, OP_reciprocal);
  op->reciprocal.dst = dst;
  op->reciprocal.src = src;
}

static void make_activate(Case *c)
{
  TensorRef dst = target(c, random_dtype()), src = source(c);
  Operand scale = chance(40) ? build_real(1) : scalar_operand(c);
  const TensorRef *bias = chance(50) ? boxed(c, column(c, USE_READ, random_dtype())) : NULL;
  const TensorRef *res = chance(50) ? boxed(c, column(c, USE_WRITE, random_dtype())) : NULL;
  for (int times = 0; times < 2; times++) {
    Op *op = build_op(&c->b, chance(70) ? OP_nc_activate : OP_activation_reduce);
    struct Op_nc_activate *o = &op->nc_activate;
    o->dst = dst;
    o->src = src;
    o->scale = scale;
    o->bias = bias;
    o->activation_func = (ActivationFunc)below(ACTIVATION_FUNC_COUNT);
    o->accumulator_cmd = random_accum();
    o->reduce_op.some = chance(70);
    o->reduce_op.value = o->reduce_op.some ? random_reduction() : 0;
    o->reduce_res = res;
  }
}

static void make_activate2(Case *c)
{
  TensorRef dst = target(c, random_dtype()), src = source(c);
  Operand first = scalar_operand(c), second = scalar_operand(c);
  const TensorRef *res = chance(50) ? boxed(c, column(c, USE_WRITE, random_dtype())) : NULL;
  for (int times = 0; times < 2; times++) {
    struct Op_activate2 *o = &build_op(&c->b, OP_activate2)->activate2;
    o->dst = dst;
    o->src = src;
    o->imm0 = first;
    o->imm1 = second;
    o->relu_param = build_real(0.25f);
    o->op0 = random_arith();
    o->op1 = random_arith();
    o->reverse0 = chance(30);
    o->reverse1 = chance(30);
    o->activation_func = (ActivationFunc)below(ACTIVATION_FUNC_COUNT);
    o->reduce_cmd = random_accum();
    o->reduce_op = random_reduction();
    o->reduce_res = res;
  }
}

static void make_exponential(Case *c)
{
  TensorRef dst = target(c, random_dtype()), src = source(c);
  Operand peak = scalar_operand(c), initial = scalar_operand(c);
  const TensorRef *res = chance(50) ? boxed(c, column(c, USE_WRITE, random_dtype())) : NULL;
  for (int times = 0; times < 2; times++) {
    struct Op_exponential *o = &build_op(&c->b, OP_exponential)->exponential;
    o->dst = dst;
    o->src = src;
    o->max_value = peak;
    o->reduce_init = initial;
    o->reducecmd = random_accum();
    o->reduce_res = res;
  }
}

static void make_cumulative(Case *c)
{
  TensorRef dst = target(c, random_dtype()), src = source(c);
  Operand operand = scalar_operand(c), initial = scalar_operand(c);
  for (int times = 0; times < 2; times++) {
    struct Op_tensor_scalar_cumulative *o = &build_op(&c->b, OP_tensor_scalar_cumulative)->tensor_scalar_cumulative;
    o->dst = dst;
    o->src = src;
    o->op0 = random_arith();
    o->op1 = random_reduction();
    o->imm0 = operand;
    o->imm1 = chance(60) ? boxed_operand(c, initial) : NULL;
    o->reduce_cmd = random_accum();
    o->reverse = random_reverse();
  }
}

static void make_partition_reduce(Case *c)
{
  TensorRef src = source(c);
  TensorRef dst = operand_of(c, USE_WRITE, random_dtype(), 1, c->free_rank, c->dims, MEMORY_SBUF, false);
  struct Op_tensor_partition_reduce *o = &build_op(&c->b, OP_tensor_partition_reduce)->tensor_partition_reduce;
  o->dst = dst;
  o->data = src;
  o->op = chance(20) ? ALU_OP_AVERAGE : random_reduction();
}

static void make_tensor_reduce(Case *c)
{
  bool bits = chance(10);
  if (bits)
    wanted_dtype = random_int_dtype();
  TensorRef src = source(c);
  SubDim dim = (SubDim)below(c->free_rank + (chance(10) ? 1 : 0));
  uint64_t kept_rank = c->free_rank > (uint64_t)dim + 1 ? c->free_rank - (uint64_t)dim - 1 : 0, one = 1;
  TensorRef dst = operand_of(c, USE_WRITE, random_dtype(), c->par, kept_rank ? kept_rank : 1,
                             kept_rank ? c->dims : &one, MEMORY_SBUF, false);
  Op *op = build_op(&c->b, OP_tensor_reduce);
  struct Op_tensor_reduce *o = &op->tensor_reduce;
  o->dst = dst;
  o->src = src;
  o->op = bits ? random_bitvec() : chance(10) ? ALU_OP_AVERAGE : random_reduction();
  o->op_dim = dim;
  o->negated = chance(20);
}

static void make_scan(Case *c)
{
  TensorRef dst = target(c, random_dtype()), a = source(c), b = source(c);
  Operand initial = scalar_operand(c);
  Op *op = build_op(&c->b, OP_tensor_tensor_scan);
  struct Op_tensor_tensor_scan *o = &op->tensor_tensor_scan;
  o->dst = dst;
  o->src0 = a;
  o->src1 = b;
  o->imm0 = initial;
  o->op0 = chance(50) ? ALU_OP_MULT : random_arith();
  o->op1 = chance(50) ? ALU_OP_ADD : random_arith();
  o->reverse_operands = random_reverse();
}

static void make_scalar_reduce(Case *c)
{
  TensorRef dst = target(c, random_dtype()), src = source(c);
  Operand operand = scalar_operand(c);
  TensorRef res = column(c, USE_WRITE, random_dtype());
  Op *op = build_op(&c->b, OP_tensor_scalar_reduce);
  struct Op_tensor_scalar_reduce *o = &op->tensor_scalar_reduce;
  o->dst = dst;
  o->src = src;
  o->operand0 = operand;
  o->op0 = random_arith();
  o->reverse0 = chance(30);
  o->reduce_op.some = true;
  o->reduce_op.value = random_reduction();
  o->reduce_res = res;
  o->reduce_cmd = random_accum();
  o->reduce_res_negate = chance(20);
}

static void make_select_reduce(Case *c)
{
  TensorRef dst = target(c, random_dtype()), on_true = source(c);
  TensorRef predicate = operand_of(c, USE_READ, random_int_dtype(), c->par, c->free_rank, c->dims, MEMORY_SBUF, false);
  Operand on_false = chance(30) ? build_tile(source(c)) : scalar_operand(c);
  const TensorRef *res = chance(50) ? boxed(c, column(c, USE_WRITE, random_dtype())) : NULL;
  Op *op = build_op(&c->b, OP_select_reduce);
  struct Op_select_reduce *o = &op->select_reduce;
  o->dst = dst;
  o->on_true = on_true;
  o->predicate = predicate;
  o->on_false = on_false;
  o->reduce_res = res;
  o->reduce_cmd = random_accum();
  o->reduce_op = ALU_OP_MAX;
  o->reverse_pred = chance(40);
}

static void make_range_select(Case *c)
{
  static const AluOp comparisons[] = {ALU_OP_IS_EQUAL, ALU_OP_IS_LT, ALU_OP_IS_LE, ALU_OP_IS_GT, ALU_OP_IS_GE};
  TensorRef dst = target(c, random_dtype()), src = source(c);
  TensorRef low = column(c, USE_READ, DTYPE_FLOAT32), high = column(c, USE_READ, DTYPE_FLOAT32);
  const TensorRef *res = chance(50) ? boxed(c, column(c, USE_WRITE, random_dtype())) : NULL;
  Op *op = build_op(&c->b, OP_nc_range_select);
  struct Op_nc_range_select *o = &op->nc_range_select;
  o->dst = dst;
  o->on_true_tile = src;
  o->bound0 = low;
  o->bound1 = high;
  o->comp_op0 = comparisons[below(5)];
  o->comp_op1 = comparisons[below(5)];
  o->range_start = (Immediate){.ctor = Immediate_integer, .integer = (int32_t)below(40)};
  o->on_false_value = (Immediate){.ctor = Immediate_real, .real = -3.4028235e38f};
  o->reduce_res = res;
  o->reduce_command = random_accum();
}

static DataPattern random_pattern(Case *c)
{
  DataPattern pattern = {.offset = (int64_t)below(100) - 50, .channel_multiplier = (int64_t)below(9) - 4};
  pattern.pattern.items = arena_array(c->b.arena, ApPair, 3);
  pattern.pattern.count = (uint32_t)c->free_rank;
  for (uint64_t i = 0; i < c->free_rank; i++)
    pattern.pattern.items[i] = (ApPair){chance(10) ? 500000001 : (int32_t)below(9) - 4, (uint32_t)c->dims[i], 0};
  return pattern;
}

static void make_iota(Case *c)
{
  TensorRef dst = target(c, random_dtype());
  Op *op = build_op(&c->b, OP_iota);
  op->iota.dst = dst;
  op->iota.pattern = random_pattern(c);
}

static void make_affine_select(Case *c)
{
  static const AluOp comparisons[] = {ALU_OP_IS_EQUAL, ALU_OP_IS_LT, ALU_OP_IS_LE,
                                      ALU_OP_IS_GT,    ALU_OP_IS_GE, ALU_OP_NOT_EQUAL};
  TensorRef dst = target(c, random_dtype()), src = source(c);
  Op *op = build_op(&c->b, OP_nc_affine_select);
  struct Op_nc_affine_select *o = &op->nc_affine_select;
  o->dst = dst;
  o->on_true_tile = src;
  o->pred = random_pattern(c);
  o->on_false_value = (Immediate){.ctor = Immediate_real, .real = -9984};
  o->cmp_op = comparisons[below(6)];
}

static void make_copy_predicated(Case *c)
{
  DType dtype = random_dtype();
  TensorRef dst = target(c, dtype);
  TensorRef predicate = operand_of(c, USE_READ, random_int_dtype(), c->par, c->free_rank, c->dims, MEMORY_SBUF, false);
  TensorRef src =
      operand_of(c, USE_READ, chance(80) ? dtype : random_dtype(), c->par, c->free_rank, c->dims, MEMORY_SBUF, false);
  Op *op = build_op(&c->b, OP_copy_predicated);
  struct Op_copy_predicated *o = &op->copy_predicated;
  o->dst = dst;
  o->predicate = predicate;
  o->src = src;
  o->reverse_pred = chance(40);
  if (chance(30)) {
    Immediate *imm = arena_new(c->b.arena, Immediate);
    *imm = (Immediate){.ctor = Immediate_real, .real = 2.5f};
    o->imm = imm;
  }
}

static void make_transpose(Case *c)
{
  DType dtype = random_dtype();
  uint64_t rows = c->par, columns = c->dims[0] > 128 ? 128 : c->dims[0];
  TensorRef dst = operand_of(c, USE_WRITE, dtype, columns, 1, &rows, MEMORY_PSUM, false);
  TensorRef src = operand_of(c, USE_READ, chance(80) ? dtype : random_dtype(), rows, 1, &columns, MEMORY_SBUF, false);
  Op *op = build_op(&c->b, OP_transpose);
  op->transpose.dst = dst;
  op->transpose.src = src;
}

static void make_dma_transpose(Case *c)
{
  DType dtype = random_dtype();
  uint64_t rank = c->free_rank, last = c->dims[rank - 1], dims[3];
  memcpy(dims, c->dims, sizeof dims);
  if (last > 128)
    dims[rank - 1] = last = 128;
  TensorRef src =
      operand_of(c, USE_READ, dtype, c->par, rank, dims, chance(50) ? MEMORY_SBUF : MEMORY_PRIVATE_HBM, false);
  dims[rank - 1] = c->par;
  TensorRef dst = operand_of(c, USE_WRITE, dtype, last, rank, dims, MEMORY_SBUF, false);
  Op *op = build_op(&c->b, OP_dma_transpose);
  op->dma_transpose.dst = dst;
  op->dma_transpose.src = src;
  op->dma_transpose.oob_mode.ctor = DmaBounds_error;
}

static void make_matmul(Case *c)
{
  uint64_t m = 1 + below(40), n = c->dims[0] > 600 ? 600 : c->dims[0];
  bool transposes = chance(10);
  if (transposes)
    n = c->par;
  TensorRef stationary = operand_of(c, USE_READ, random_float_dtype(), c->par, 1, &m, MEMORY_SBUF, false);
  TensorRef moving = operand_of(c, USE_READ, random_float_dtype(), c->par, 1, &n, MEMORY_SBUF, false);
  TensorRef dst =
      operand_of(c, USE_WRITE, chance(80) ? DTYPE_FLOAT32 : DTYPE_BFLOAT16, m, 1, &n, MEMORY_PSUM, chance(70));
  const View *whole = c->last_view;
  c->fresh_view = whole;
  for (int times = 0; times < 2; times++) {
    Op *op = build_op(&c->b, OP_nc_matmul);
    struct Op_nc_matmul *o = &op->nc_matmul;
    o->dst = dst;
    o->stationary = stationary;
    o->moving = moving;
    o->is_transpose = transposes;
    o->accumulate.some = chance(40);
    o->accumulate.value = o->accumulate.some && chance(50);
    if (times == 0 && n > 3 && chance(40)) {  // first a part only
      View *part = (View *)(uintptr_t)build_view(&c->b, whole->tensor, whole->offset, 2, whole->pattern.items);
      View *moves = (View *)(uintptr_t)build_view(&c->b, moving.abstract.view->tensor, moving.abstract.view->offset, 2,
                                                  moving.abstract.view->pattern.items);
      part->pattern.items[1].num = moves->pattern.items[1].num = (uint32_t)n / 2;
      o->dst = ref_of_view(part);
      o->moving = ref_of_view(moves);
    }
  }
}

// Normal numbers and zeros only: what the CPU's own bfloat16 products are used for.
static void make_plain(Case *c, const Tensor *tensor)
{
  DType dtype = tensor->dtype;
  unsigned bytes = dtype_bytes(dtype);
  Array *array = &c->arrays.items[c->arrays.count - 1];
  for (uint64_t i = 0; i < array->bytes / bytes; i++) {
    uint64_t bits = next_random();
    float value = (float)((int64_t)(bits >> 40) % 255 - 127) * (1.0f / 64) * f32_from_bits((uint32_t)(110 + bits % 34) << 23);
    dtype_from_f32(dtype, bits >> 33 & 7 ? value : 0, (uint8_t *)array->data + i * bytes);
  }
}

static void make_narrow_matmul(Case *c)
{
  static const DType dtypes[] = {DTYPE_BFLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT8E5, DTYPE_FLOAT8_E4M3FN, DTYPE_FLOAT8E4};
  bool doubles = chance(25);
  uint64_t m = 1 + below(128), n = c->dims[0] > 600 ? 600 : c->dims[0], dims[2] = {2, m}, moving_dims[2] = {2, n};
  DType a = dtypes[below(5)], b = chance(60) ? a : dtypes[below(5)];
  uint64_t depth = 1 + below(128);
  uint64_t rank = doubles ? 2 : 1, first = doubles ? 0 : 1;
  TensorRef stationary = operand_of(c, USE_READ, a, depth, rank, dims + first, MEMORY_SBUF, false);
  make_plain(c, c->last);
  TensorRef moving = operand_of(c, USE_READ, b, depth, rank, moving_dims + first, MEMORY_SBUF, false);
  make_plain(c, c->last);
  TensorRef dst =
      operand_of(c, USE_WRITE, chance(80) ? DTYPE_FLOAT32 : DTYPE_BFLOAT16, m, 1, &n, MEMORY_PSUM, chance(50));
  for (int times = 0; times < 2; times++) {
    struct Op_nc_matmul *o = &build_op(&c->b, OP_nc_matmul)->nc_matmul;
    o->dst = dst;
    o->stationary = stationary;
    o->moving = moving;
    o->perf_mode = doubles ? PERF_MODE_DOUBLE_ROW : PERF_MODE_NONE;
  }
}

static TensorRef scales(Case *c, uint64_t partitions, uint64_t columns)
{
  TensorRef ref = operand_of(c, USE_READ, DTYPE_UINT8, partitions, 1, &columns, MEMORY_SBUF, false);
  Array *array = &c->arrays.items[c->arrays.count - 1];
  bool far = chance(20);
  for (uint64_t i = 0; i < array->bytes; i++)
    ((uint8_t *)array->data)[i] = far ? (uint8_t)next_random() : chance(1) ? 255 : (uint8_t)(100 + below(60));
  return ref;
}

static DType random_packed(bool writes)
{
  static const DType dtypes[] = {DTYPE_FLOAT8_E4M3FN_X4, DTYPE_FLOAT8_E5M2_X4, DTYPE_FLOAT4_E2M1FN_X4};
  return dtypes[below(writes ? 2 : 3)];
}

// Packed units are any bits.
static TensorRef packed(Case *c, Use use, DType dtype, uint64_t partitions, uint64_t columns)
{
  TensorRef ref = operand_of(c, use, dtype, partitions, 1, &columns, MEMORY_SBUF, false);
  Array *array = &c->arrays.items[c->arrays.count - 1];
  bool zeros = chance(10);
  for (uint64_t i = 0; i < array->bytes; i++)
    ((uint8_t *)array->data)[i] = zeros ? 0 : (uint8_t)(next_random() >> 20);
  return ref;
}

static void make_matmul_mx(Case *c)
{
  uint64_t partitions = 32 * (1 + below(2)), m = 2 * (1 + below(20)), n = 1 + below(60);
  TensorRef stationary = packed(c, USE_READ, random_packed(false), partitions, m);
  TensorRef moving = packed(c, USE_READ, random_packed(false), partitions, n);
  TensorRef stationary_scale = scales(c, partitions, m), moving_scale = scales(c, partitions, n);
  TensorRef dst =
      operand_of(c, USE_WRITE, chance(80) ? DTYPE_FLOAT32 : DTYPE_BFLOAT16, m, 1, &n, MEMORY_PSUM, chance(50));
  for (int times = 0; times < 2; times++) {
    struct Op_nc_matmul_mx *o = &build_op(&c->b, OP_nc_matmul_mx)->nc_matmul_mx;
    o->dst = dst;
    o->stationary = stationary;
    o->moving = moving;
    o->stationary_scale = stationary_scale;
    o->moving_scale = moving_scale;
  }
}

static void make_quantize_mx(Case *c)
{
  static const DType dtypes[] = {DTYPE_BFLOAT16, DTYPE_FLOAT16, DTYPE_FLOAT32};
  uint64_t partitions = 32 * (1 + below(2)), units = 1 + below(40), columns = 4 * units;
  TensorRef src = operand_of(c, USE_READ, dtypes[below(3)], partitions, 1, &columns, MEMORY_SBUF, false);
  if (chance(60))
    make_plain(c, c->last);
  TensorRef dst = packed(c, USE_WRITE, random_packed(true), partitions, units), scale = scales(c, partitions, units);
  struct Op_quantize_mx *o = &build_op(&c->b, OP_quantize_mx)->quantize_mx;
  o->dst = dst;
  o->src = src;
  o->dst_scale = scale;
}

// Indices below `limit`, rarely beyond.
static void limit_indices(Case *c, DType dtype, uint64_t limit)
{
  unsigned bytes = dtype_bytes(dtype);
  Array *array = &c->arrays.items[c->arrays.count - 1];
  bool goes_beyond = chance(5);
  for (uint64_t i = 0; i < array->bytes / bytes; i++) {
    uint32_t index = (uint32_t)below(limit + goes_beyond);
    memcpy((uint8_t *)array->data + i * bytes, &index, bytes);
  }
}

static void make_n_gather(Case *c)
{
  uint64_t columns = 1 + below(chance(20) ? 2000 : 100);
  DType dtype = random_dtype(), index = chance(70) ? DTYPE_UINT32 : DTYPE_UINT16;
  TensorRef dst = target(c, dtype), data = operand_of(c, USE_READ, dtype, c->par, 1, &columns, MEMORY_SBUF, false);
  TensorRef indices = operand_of(c, USE_READ, index, c->par, c->free_rank, c->dims, MEMORY_SBUF, false);
  limit_indices(c, index, columns);
  struct Op_nc_n_gather *o = &build_op(&c->b, OP_nc_n_gather)->nc_n_gather;
  o->dst = dst;
  o->data = data;
  o->indices = indices;
}

static void make_local_gather(Case *c)
{
  uint64_t partitions = 16 * (1 + below(3)), columns = 8 + below(200), count = 1 + below(6), each = 1 + below(4);
  uint64_t results = 16 * count * each;
  DType dtype = random_dtype();
  TensorRef dst = operand_of(c, USE_WRITE, dtype, partitions, 1, &results, MEMORY_SBUF, false);
  TensorRef src = operand_of(c, USE_READ, dtype, partitions, 1, &columns, MEMORY_SBUF, false);
  TensorRef index = operand_of(c, USE_READ, DTYPE_UINT16, partitions, 1, &count, MEMORY_SBUF, false);
  limit_indices(c, DTYPE_UINT16, columns - each + 1);
  struct Op_nc_local_gather *o = &build_op(&c->b, OP_nc_local_gather)->nc_local_gather;
  o->dst = dst;
  o->src = src;
  o->index = index;
  o->num_elem_per_idx = (Immediate){.ctor = Immediate_integer, .integer = (int32_t)each};
}

static void make_dma_compute(Case *c)
{
  TensorRef dst = target(c, random_dtype());
  uint32_t count = 2 + (uint32_t)below(3);
  TensorRef *srcs = arena_array(c->b.arena, TensorRef, count);
  Immediate *factors = arena_array(c->b.arena, Immediate, count);
  for (uint32_t s = 0; s < count; s++) {
    TensorRef src = source(c);
    memcpy(&srcs[s], &src, sizeof src);
    factors[s] = (Immediate){.ctor = Immediate_real, .real = chance(50) ? 1 : 0.75f};
  }
  struct Op_dma_compute *o = &build_op(&c->b, OP_dma_compute)->dma_compute;
  o->dst = dst;
  o->srcs.items = srcs;
  o->srcs.count = count;
  o->scales.items = factors;
  o->scales.count = count;
  o->reduce_op = chance(70) ? ALU_OP_ADD : random_reduction();
}

static void make_nonzero(Case *c)
{
  uint64_t partitions = chance(50) ? 128 : 1 + below(40), n = c->dims[0], results = n + 1;
  TensorRef dst = operand_of(c, USE_WRITE, chance(80) ? DTYPE_INT32 : DTYPE_FLOAT32, partitions, 1, &results, MEMORY_SBUF,
                             false);
  TensorRef src = operand_of(c, USE_READ, random_dtype(), partitions, 1, &n, MEMORY_SBUF, false);
  struct Op_nonzero_with_count *o = &build_op(&c->b, OP_nonzero_with_count)->nonzero_with_count;
  o->dst = dst;
  o->src = src;
  o->index_offset = (Immediate){.ctor = Immediate_integer, .integer = (int32_t)below(100)};
  o->padding_val = (Immediate){.ctor = Immediate_integer, .integer = -1};
}

static void make_sequence_bounds(Case *c)
{
  uint64_t n = c->dims[0], dims[2] = {2, n};
  DType dtype = chance(80) ? DTYPE_INT32 : chance(50) ? DTYPE_UINT16 : DTYPE_FLOAT32;
  TensorRef src = operand_of(c, USE_READ, dtype, 1, 1, &n, MEMORY_SBUF, false);
  Array *array = &c->arrays.items[c->arrays.count - 1];
  unsigned bytes = dtype_bytes(dtype);
  for (uint64_t i = 0; i < array->bytes / bytes; i++)
    dtype_from_f32(dtype, (float)(i / (1 + below(4)) % 7), (uint8_t *)array->data + i * bytes);
  TensorRef dst = operand_of(c, USE_WRITE, chance(70) ? DTYPE_INT32 : DTYPE_FLOAT32, 1, 2, dims, MEMORY_SBUF, false);
  struct Op_sequence_bounds *o = &build_op(&c->b, OP_sequence_bounds)->sequence_bounds;
  o->dst = dst;
  o->segment_ids = src;
}

static void make_random(Case *c)
{
  for (int times = 0; times < 2; times++) {
    TensorRef bits = operand_of(c, USE_WRITE, random_int_dtype(), c->par, c->free_rank, c->dims, MEMORY_SBUF, false);
    struct Op_rng *rng = &build_op(&c->b, OP_rng)->rng;
    rng->dst = bits;
    rng->engine = chance(50) ? ENGINE_POOL : ENGINE_DVE;
    DType dtype = random_dtype();
    TensorRef dst = target(c, dtype);
    TensorRef src = chance(70) ? operand_of(c, USE_READ, dtype, c->par, c->free_rank, c->dims, MEMORY_SBUF, false) : source(c);
    struct Op_dropout *dropout = &build_op(&c->b, OP_dropout)->dropout;
    dropout->dst = dst;
    dropout->src = src;
    dropout->threshold_type = chance(50) ? DROPOUT_THRESHOLD_KEEP_RATE : DROPOUT_THRESHOLD_DROP_RATE;
    dropout->threshold = build_real((float)below(17) / 16);
    TensorRef uniform = operand_of(c, USE_WRITE, random_dtype(), c->par, c->free_rank, c->dims, MEMORY_SBUF, false);
    struct Op_rand2 *rand2 = &build_op(&c->b, OP_rand2)->rand2;
    rand2->dst = uniform;
    rand2->min = build_real(-(float)below(5));
    rand2->max = build_real(1 + (float)below(5));
  }
}

static void make_statistics(Case *c)
{
  uint64_t six = 6, two = 2, triples = 3 * (1 + below(5));
  TensorRef src = source(c), dst = operand_of(c, USE_WRITE, random_dtype(), c->par, 1, &six, MEMORY_SBUF, false);
  Op *op = build_op(&c->b, OP_batch_norm_stats);
  op->batch_norm_stats.dst = dst;
  op->batch_norm_stats.src = src;
  src = operand_of(c, USE_READ, random_dtype(), c->par, 1, &triples, MEMORY_SBUF, false);
  dst = operand_of(c, USE_WRITE, random_dtype(), c->par, 1, &two, MEMORY_SBUF, false);
  op = build_op(&c->b, OP_batch_norm_aggregate);
  op->batch_norm_aggregate.dst = dst;
  op->batch_norm_aggregate.src = src;
}

static void make_eights(Case *c)
{
  uint64_t eight = 8;
  TensorRef src = source(c), best = operand_of(c, USE_WRITE, random_dtype(), c->par, 1, &eight, MEMORY_SBUF, false);
  TensorRef index =
      operand_of(c, USE_WRITE, chance(50) ? DTYPE_UINT32 : DTYPE_UINT16, c->par, 1, &eight, MEMORY_SBUF, false);
  TensorRef dst = target(c, random_dtype());
  Op *op = build_op(&c->b, OP_max8);
  op->max8.dst = best;
  op->max8.src = src;
  op = build_op(&c->b, OP_find_index8);
  op->find_index8.dst = index;
  op->find_index8.src = src;
  op->find_index8.vals = best;
  op = build_op(&c->b, OP_match_replace8);
  op->match_replace8.dst = dst;
  op->match_replace8.src = src;
  op->match_replace8.vals = best;
  op->match_replace8.replace_value = (Immediate){.ctor = Immediate_real, .real = -7};
  op->match_replace8.dst_idx = chance(50) ? boxed(c, index) : NULL;
}

static void make_shuffle(Case *c)
{
  DType dtype = random_dtype();
  TensorRef dst = target(c, dtype);
  TensorRef src = operand_of(c, USE_READ, dtype, c->par, c->free_rank, c->dims, MEMORY_SBUF, false);
  Op *op = build_op(&c->b, OP_shuffle);
  op->shuffle.dst = dst;
  op->shuffle.src = src;
  op->shuffle.shuffle_mask.items = arena_array(c->b.arena, Immediate, 32);
  op->shuffle.shuffle_mask.count = 32;
  for (uint64_t i = 0; i < 32; i++) {
    int32_t mask = chance(20) ? 255 : (int32_t)below(c->par % 32 ? c->par % 32 : 32);
    op->shuffle.shuffle_mask.items[i] = (Immediate){.ctor = Immediate_integer, .integer = mask};
  }
}

typedef void Make(Case *c);
static Make *const makes[] = {
    make_copy,
    make_dma,
    make_dma_transposing,
    make_memset,
    make_tensor_tensor,
    make_tensor_tensor,
    make_tensor_scalar,
    make_tensor_scalar,
    make_scalar_tensor_tensor,
    make_reciprocal,
    make_activate,
    make_activate2,
    make_exponential,
    make_cumulative,
    make_partition_reduce,
    make_tensor_reduce,
    make_scan,
    make_scalar_reduce,
    make_select_reduce,
    make_range_select,
    make_iota,
    make_affine_select,
    make_copy_predicated,
    make_transpose,
    make_dma_transpose,
    make_matmul,
    make_statistics,
    make_eights,
    make_shuffle,
    make_narrow_matmul,
    make_matmul_mx,
    make_quantize_mx,
    make_n_gather,
    make_local_gather,
    make_dma_compute,
    make_nonzero,
    make_sequence_bounds,
    make_random,
};
enum { MAKE_COUNT = sizeof makes / sizeof *makes };

static void choose_shape(Case *c, bool large)
{
  c->par = large ? 128 : chance(60) ? 1 + below(9) : 1 + below(64);
  c->free_rank = 1 + below(3);
  c->free_elems = 1;
  for (uint64_t i = 0; i < c->free_rank; i++) {
    c->dims[i] = c->free_rank == 1 ? 1 + below(chance(20) ? 2600 : 40) : 1 + below(9);
    if (large)
      c->dims[i] = c->free_rank == 1 ? 4200 + below(100) : c->free_rank == 2 ? 65 + below(5) : 17 + below(2);
    c->free_elems *= c->dims[i];
  }
}

// Runs the kernel on copies of the inputs; all outputs in one buffer.
static bool run_case(Case *c, const Kernel *kernel, SimOptions options, StrBuf *bytes, char code[8])
{
  size_t diags = c->b.session->diags.count, count = kernel->inputs.count;
  Array *inputs = calloc(count + 1, sizeof *inputs), *outputs = calloc(kernel->outputs.count + 1, sizeof *outputs);
  for (size_t i = 0; i < count; i++)
    inputs[i] = build_array(kernel->inputs.items[i], c->arrays.items[i].data);
  bool ok = sim_run(c->b.session, kernel, &options, inputs, outputs, NULL);
  strcpy(code, c->b.session->diags.count > diags ? build_code(&c->b) : "");
  for (size_t i = 0; i < kernel->outputs.count; i++) {
    if (ok)
      strbuf_add(bytes, outputs[i].data, outputs[i].bytes);
    array_free(&outputs[i]);
  }
  for (size_t i = 0; i < count; i++)
    array_free(&inputs[i]);
  free(inputs);
  free(outputs);
  return ok;
}

static const char *last_op_name(const Build *b)
{
  return b->body.count ? op_info(b->body.items[b->body.count - 1]->op->kind)->name : "";
}

// True when the kernel ran; what differs is reported.
static bool compare_case(uint64_t seed, bool large)
{
  random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
  for (int i = 0; i < 8; i++)
    next_random();
  Case c = {.b = build_new()};
  wanted_dtype = DTYPE_COUNT;
  choose_shape(&c, large);
  makes[below(MAKE_COUNT)](&c);
  const char *name = last_op_name(&c.b);
  size_t made = c.b.body.count;
  Vec(const Tensor *) shown = {0};  // every on-chip tensor goes out
  for (size_t i = 0; i < made; i++) {
    const Op *op = c.b.body.items[i]->op;
    if (op->kind == OP_nc_dma_copy && op->nc_dma_copy.dst.abstract.ctor == Access_simple)
      vec_push(c.b.arena, &shown, op->nc_dma_copy.dst.abstract.simple);
  }
  for (size_t i = 0; i < shown.count; i++) {
    const Tensor *tensor = shown.items[i];
    const Tensor *out = build_output(&c.b, arena_printf(c.b.arena, "out%zu", i), tensor->dtype, tensor->shape.par_dim,
                                     tensor->free_elements);
    build_dma(&c.b, build_whole(out), build_whole(tensor));
  }
  if (c.fresh_view) {
    const ApPair *pairs = c.fresh_view->pattern.items;
    const Tensor *out = build_output(&c.b, "fresh", c.fresh_view->tensor->dtype, pairs[0].num, pairs[1].num);
    build_dma(&c.b, build_whole(out), ref_of_view(c.fresh_view));
  }
  const Kernel *kernel = build_kernel(&c.b);
  StrBuf expected = strbuf_new(c.b.arena), found = strbuf_new(c.b.arena);
  char expected_code[8], found_code[8];
  SimOptions options = sim_default_options();
  options.checks = chance(80);
  options.reference = true;
  bool ok = run_case(&c, kernel, options, &expected, expected_code);
  options.reference = false;
  options.threads = large ? 2 : 1;
  bool found_ok = run_case(&c, kernel, options, &found, found_code);
  if (ok != found_ok || strcmp(expected_code, found_code) != 0)
    test_fail(__FILE__, __LINE__, "seed %" PRIu64 " (%s): reference %s, fast %s", seed, name, expected_code,
              found_code);
  else if (expected.len != found.len || (ok && memcmp(expected.data, found.data, found.len) != 0))
    test_fail(__FILE__, __LINE__, "seed %" PRIu64 " (%s): bits differ", seed, name);
  for (size_t i = 0; i < c.arrays.count; i++)
    array_free(&c.arrays.items[i]);
  build_free(&c.b);
  return ok;
}

static void compare_many(uint64_t first, uint64_t count, bool large)
{
  uint64_t ran = 0;
  for (uint64_t seed = first; seed < first + count; seed++)
    ran += compare_case(seed, large);
  EXPECT_INT((int64_t)(ran * 10), >, (int64_t)(count * 7));  // most are legal
}

TEST(sim_fast_executors_equal_the_reference)
{
  const char *count = getenv("KLR_SIM_CASES");
  compare_many(1, count ? strtoull(count, NULL, 10) : 1500, false);
}

TEST(sim_threads_do_not_change_bits)
{
  compare_many(1000000, 25, true);
}
