// exec_elementwise.c -- operators whose elements do not depend on each other, and reductions of their rows.

#include "sim/bits.h"

#include "base/kernel.h"
#include "number/activation.h"

#include <string.h>

static Tile *same_shape(Sim *sim, const Tile *dst, Tile *src)
{
  tile_expect_same_shape(sim, dst, src);
  return src;
}

// ---- tensor_tensor
typedef struct Binary {
  AluOp op;
  Tile dst, a, b;
  NumberMode mode;
} Binary;

static void binary_f32(void *context, uint64_t first, uint64_t last)
{
  const Binary *w = context;
  float x[PIECE_ELEMS], y[PIECE_ELEMS], z[PIECE_ELEMS];
  bool whole = tile_is_direct(&w->dst) && tile_reads_direct(&w->a) && tile_reads_direct(&w->b);
  for (Piece piece = {0}; piece_next(&piece, &w->dst, first, last, whole);) {
    KernelRows a = piece_read(&w->a, &piece, x, w->mode), b = piece_read(&w->b, &piece, y, w->mode);
    size_t stride;
    float *to = piece_target(&w->dst, &piece, z, &stride);
    kernel_binary_f32(w->op, piece.partitions, piece.n, to, stride, a, b);
    piece_store(&w->dst, &piece, z, w->mode);
  }
}

#define ANY_FROM(type)                                                                                                 \
  KERNEL_CLONES                                                                                                        \
  static bool any_##type##_from(const uint8_t *units, uint64_t n, unsigned least)                                     \
  {                                                                                                                    \
    type found = 0, unit;                                                                                              \
    for (uint64_t i = 0; i < n; i++) {                                                                                 \
      memcpy(&unit, units + i * sizeof unit, sizeof unit);                                                             \
      found |= unit >= least;                                                                                          \
    }                                                                                                                  \
    return found;                                                                                                      \
  }
ANY_FROM(uint8_t)
ANY_FROM(uint16_t)
ANY_FROM(uint32_t)
#undef ANY_FROM

static bool any_from(const uint8_t *units, uint64_t n, uint32_t item, unsigned least)
{
  return item == 1   ? any_uint8_t_from(units, n, least)
         : item == 2 ? any_uint16_t_from(units, n, least)
                     : any_uint32_t_from(units, n, least);
}

// Whether every count is below the width of the integers.
static bool shifts_are_defined(const Tile *counts, unsigned width)
{
  for (uint64_t p = 0; p < counts->partitions; p++) {
    if (counts->is_row_contiguous && any_from(tile_row(counts, p), counts->free_elems, counts->item, width))
      return false;
    for (uint64_t i = 0; i < counts->free_elems && !counts->is_row_contiguous; i++)
      if (unit_bits(counts->dtype, tile_element(counts, p, i)) >= width)
        return false;
  }
  return true;
}

// The same for one count a partition; an operator that takes them as its left operand is left to the reference.
static bool lane_shifts_are_defined(AluOp op, bool reverse, const uint32_t *counts, uint64_t partitions, unsigned width)
{
  bool defined = true;
  for (uint64_t p = 0; p < partitions && alu_is_shift(op); p++)
    defined = defined && !reverse && counts[p] < width;
  return defined;
}

// Whether n values are integers, infinite or NaN: powers of negative numbers to them are not left open.
static bool are_whole(const float *powers, uint64_t n)
{
  bool whole = true;
  for (uint64_t i = 0; i < n; i++)
    whole = whole && !power_is_open(-1, powers[i]);
  return whole;
}

KERNEL_CLONES
static bool any_negative(uint64_t n, const float *values)
{
  int32_t found = 0;
  for (uint64_t i = 0; i < n; i++)
    found |= values[i] < 0;
  return found;
}

static bool has_negative(Sim *sim, const Tile *tile)
{
  float scratch[TILE_PIECE];
  bool found = false;
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems && !found; i += TILE_PIECE) {
      uint64_t n = tile->free_elems - i < TILE_PIECE ? tile->free_elems - i : TILE_PIECE;
      found = any_negative(n, tile_row_f32(tile, p, i, n, scratch, sim->number_mode));
    }
  return found;
}

static bool fast_tensor_tensor(Sim *sim, const Op *op)
{
  const struct Op_tensor_tensor *o = &op->tensor_tensor;
  Binary w = {.op = o->op, .mode = sim->number_mode};
  w.dst = tile_of(sim, &o->dst, "dst");
  w.a = tile_read(sim, &o->src0, "data1");
  w.b = tile_read(sim, &o->src1, "data2");
  same_shape(sim, &w.dst, &w.a);
  same_shape(sim, &w.dst, &w.b);
  if (!expect_clear(sim, &w.dst, &w.a) || !expect_clear(sim, &w.dst, &w.b))
    return false;
  uint64_t rows = w.dst.partitions, n = w.dst.free_elems;
  bool is_bits = alu_is_bitvec(o->op);
  if (is_bits || is_exact_integer(&w.dst, &w.a, &w.b, o->engine)) {
    tile_expect_bits(sim, &w.dst);
    tile_expect_bits(sim, &w.a);
    tile_expect_bits(sim, &w.b);
    if (!bits_fit(&w.dst, &w.a) || !bits_fit(&w.dst, &w.b) ||
        (alu_is_shift(o->op) && !shifts_are_defined(&w.b, bits_width(&w.dst, &w.a, &w.b))))
      return false;
    bits_tensor_tensor(sim, o->op, &w.dst, &w.a, &w.b, is_bits ? BITS_OF_INTEGERS : BITS_EXACT);
  } else if (bits_saturate(o->op, &w.dst, &w.a, &w.b)) {
    bits_tensor_tensor(sim, o->op, &w.dst, &w.a, &w.b, BITS_SATURATED);
  } else {
    tile_expect_unpacked(sim, &w.a);
    tile_expect_unpacked(sim, &w.b);
    tile_expect_unpacked(sim, &w.dst);
    if (o->op == ALU_OP_POW && has_negative(sim, &w.a))
      return false;  // perhaps to a power that is left open
    piece_parallel(sim, rows, rows * n, binary_f32, &w);
  }
  tile_mark(&w.dst);
  return true;
}

// ---- two operators with constants, lanes or tiles
typedef struct Pair {
  AluOp op0, op1;
  bool reverse0, reverse1, has_second;
  Tile dst, data;
  Values first, second;
  NumberMode mode;
} Pair;

static KernelRows values_rows(const Values *values, const Piece *piece, float *scratch, NumberMode mode)
{
  return values->is_full ? piece_read(&values->tile, piece, scratch, mode) : piece_lanes(values->lanes, piece);
}

static void pair_f32(void *context, uint64_t first, uint64_t last)
{
  const Pair *w = context;
  float x[PIECE_ELEMS], y[PIECE_ELEMS], v[PIECE_ELEMS], z[PIECE_ELEMS];
  bool whole = tile_is_direct(&w->dst) && tile_reads_direct(&w->data) &&
               (!w->first.is_full || tile_reads_direct(&w->first.tile)) &&
               (!w->second.is_full || tile_reads_direct(&w->second.tile));
  for (Piece piece = {0}; piece_next(&piece, &w->dst, first, last, whole);) {
    KernelRows data = piece_read(&w->data, &piece, x, w->mode);
    KernelRows operand0 = values_rows(&w->first, &piece, y, w->mode);
    size_t stride;
    float *to = piece_target(&w->dst, &piece, z, &stride);
    if (w->has_second)
      kernel_binary_pair_f32(w->op0, w->reverse0, w->op1, w->reverse1, piece.partitions, piece.n, to, stride, data,
                             operand0, values_rows(&w->second, &piece, v, w->mode));
    else if (w->reverse0)
      kernel_binary_f32(w->op0, piece.partitions, piece.n, to, stride, operand0, data);
    else
      kernel_binary_f32(w->op0, piece.partitions, piece.n, to, stride, data, operand0);
    piece_store(&w->dst, &piece, z, w->mode);
  }
}

// Whether powers in the two steps are sure not to be left open.
static bool powers_are_defined(Sim *sim, const Pair *w)
{
  uint64_t rows = w->dst.partitions, n = w->dst.free_elems;
  bool first = w->op0 == ALU_OP_POW, second = w->has_second && w->op1 == ALU_OP_POW;
  if (!first && !second)
    return true;
  if (dtype_is_packed(w->data.dtype) || w->first.is_full || w->second.is_full || (first && second) ||
      (first ? w->reverse0 : w->reverse1))
    return false;
  if (are_whole(first ? w->first.lanes : w->second.lanes, rows))
    return true;
  if (first)
    return !has_negative(sim, &w->data);
  size_t stride;
  const float *data = tile_matrix(sim, &w->data, &stride);
  float *between = arena_array_unset(&sim->scratch, float, rows * n);
  KernelRows x = {data, stride, false}, y = {w->first.lanes, 1, true};
  kernel_binary_f32(w->op0, rows, n, between, n, w->reverse0 ? y : x, w->reverse0 ? x : y);
  return !any_negative(rows * n, between);
}

static bool run_pair(Sim *sim, Pair *w)
{
  tile_expect_unpacked(sim, &w->dst);
  tile_expect_unpacked(sim, &w->data);
  piece_parallel(sim, w->dst.partitions, w->dst.partitions * w->dst.free_elems, pair_f32, w);
  tile_mark(&w->dst);
  return true;
}

// Bit operators with constants or lanes.
static bool scalar_bits(Sim *sim, const struct Op_tensor_scalar *o)
{
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data");
  same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  if (!expect_clear(sim, &dst, &src) || !bits_fit(&dst, &src) || (o->op1.some && !alu_is_bitvec(o->op1.value)))
    return false;
  BitsScalar w = {.op0 = o->op0, .op1 = o->op1.value, .has_second = o->op1.some, .dst = &dst, .src = &src};
  w.reverse0 = reverses_first(o->reverse, o->op0);
  w.reverse1 = o->op1.some && reverses_second(o->reverse, o->op1.value);
  if (alu_info(o->op0)->operand_count > 1)
    operand_bits(sim, &o->imm0, "operand0", dst.partitions, w.first);
  if (o->op1.some && alu_info(o->op1.value)->operand_count > 1 && o->imm1)
    operand_bits(sim, o->imm1, "operand1", dst.partitions, w.second);
  unsigned width = bits_width(&dst, &src, &src);
  if (!lane_shifts_are_defined(w.op0, w.reverse0, w.first, dst.partitions, width) ||
      (w.has_second && !lane_shifts_are_defined(w.op1, w.reverse1, w.second, dst.partitions, width)))
    return false;
  bits_tensor_scalar(sim, &w);
  tile_mark(&dst);
  return true;
}

static bool fast_tensor_scalar(Sim *sim, const Op *op)
{
  const struct Op_tensor_scalar *o = &op->tensor_scalar;
  if (alu_is_bitvec(o->op0))
    return scalar_bits(sim, o);
  if (o->op1.some && alu_is_bitvec(o->op1.value))
    return false;
  Pair w;
  w.mode = sim->number_mode;
  w.dst = tile_of(sim, &o->dst, "dst");
  w.data = tile_read(sim, &o->src, "data");
  same_shape(sim, &w.dst, &w.data);
  tile_expect_lanes(sim, &w.dst);
  if (!expect_clear(sim, &w.dst, &w.data))
    return false;
  static const Operand none = {.ctor = Operand_imm, .imm = {.ctor = Immediate_real, .real = 0}};
  bool takes0 = alu_info(o->op0)->operand_count > 1;
  operand_values(sim, takes0 ? &o->imm0 : &none, "operand0", &w.dst, false, &w.first);
  w.has_second = o->op1.some;
  w.second.is_full = false;
  if (w.has_second) {
    bool takes1 = alu_info(o->op1.value)->operand_count > 1 && o->imm1;
    operand_values(sim, takes1 ? o->imm1 : &none, "operand1", &w.dst, false, &w.second);
  }
  w.op0 = o->op0;
  w.op1 = o->op1.value;
  w.reverse0 = reverses_first(o->reverse, o->op0);
  w.reverse1 = o->op1.some && reverses_second(o->reverse, o->op1.value);
  return powers_are_defined(sim, &w) && run_pair(sim, &w);
}

static bool fast_nc_scalar_tensor_tensor(Sim *sim, const Op *op)
{
  const struct Op_nc_scalar_tensor_tensor *o = &op->nc_scalar_tensor_tensor;
  if (alu_is_bitvec(o->op0) || alu_is_bitvec(o->op1) || o->op0 == ALU_OP_POW || o->op1 == ALU_OP_POW)
    return false;
  Pair w;
  w.mode = sim->number_mode;
  w.dst = tile_of(sim, &o->dst, "dst");
  w.data = tile_read(sim, &o->data, "data");
  same_shape(sim, &w.dst, &w.data);
  tile_expect_lanes(sim, &w.dst);
  operand_values(sim, &o->src0, "operand0", &w.dst, true, &w.first);
  operand_values(sim, &o->src1, "operand1", &w.dst, true, &w.second);
  if (!expect_clear(sim, &w.dst, &w.data) || (w.first.is_full && !expect_clear(sim, &w.dst, &w.first.tile)) ||
      (w.second.is_full && !expect_clear(sim, &w.dst, &w.second.tile)))
    return false;
  w.has_second = true;
  w.op0 = o->op0;
  w.op1 = o->op1;
  w.reverse0 = reverses_first(o->reverse_operands, o->op0);
  w.reverse1 = reverses_second(o->reverse_operands, o->op1);
  return run_pair(sim, &w);
}

static bool fast_reciprocal(Sim *sim, const Op *op)
{
  Pair w;
  w.mode = sim->number_mode;
  w.dst = tile_of(sim, &op->reciprocal.dst, "dst");
  w.data = tile_read(sim, &op->reciprocal.src, "data");
  same_shape(sim, &w.dst, &w.data);
  tile_expect_lanes(sim, &w.dst);
  if (!expect_clear(sim, &w.dst, &w.data))
    return false;
  static const Operand one = {.ctor = Operand_imm, .imm = {.ctor = Immediate_real, .real = 1}};
  operand_values(sim, &one, "one", &w.dst, false, &w.first);
  w.second.is_full = w.has_second = false;
  w.op0 = ALU_OP_DIVIDE;
  w.reverse0 = true;
  return run_pair(sim, &w);
}

// ---- a row function, its result, and a fold of it into an accumulator
typedef struct Fold {
  bool folds;
  AluOp op;
  float *lanes;
} Fold;

// Resets or loads the lanes of `data` and tells whether rows are folded into them.
static Fold start_fold(Sim *sim, Accumulator *accumulator, AccumCmd cmd, AluOp op, const float *loaded, const Tile *data,
                       bool is_read)
{
  Fold fold = {false, op, accumulator->lanes};
  accum_begin(sim, accumulator, cmd, data, is_read);
  for (uint64_t p = 0; p < data->partitions; p++)
    fold.folds = accum_starts(cmd, &accumulator->lanes[p], op, loaded ? loaded[p] : 0);
  return fold;
}

static void fold_piece(const Fold *fold, const Piece *piece, const float *values, size_t stride)
{
  if (fold->folds)
    kernel_reduce_f32(fold->op, piece->partitions, piece->n, fold->lanes + piece->partition, 1, values, stride, true);
}

static void write_lanes(Sim *sim, const TensorRef *ref, const Tile *like, const float *from, bool negate)
{
  Tile result = tile_of(sim, ref, "reduce_res");
  tile_expect_unpacked(sim, &result);
  tile_expect_shape(sim, &result, like->partitions, 1);
  for (uint64_t p = 0; p < like->partitions; p++)
    dtype_from_f32_mode(result.dtype, negate ? -from[p] : from[p], tile_row(&result, p), sim->number_mode);
  tile_mark(&result);
}

// ---- activation
// Inputs outside of the function's documented range: the first of each partition.
typedef struct Outside {
  bool found[SIM_MAX_PARTITIONS];
  uint64_t elem[SIM_MAX_PARTITIONS];
  float input[SIM_MAX_PARTITIONS];
} Outside;

// dst = func((src op0 first) op1 second), the two steps only when they are there.
typedef struct Activation {
  ActivationFunc func;
  Outside *outside;  // NULL: not looked for
  Tile dst, src;
  bool has_first, has_second, reverse0, reverse1;
  AluOp op0, op1;
  float first[SIM_MAX_PARTITIONS], second[SIM_MAX_PARTITIONS];
  Fold fold;
  NumberMode mode;
} Activation;

// Whether any input is outside of the function's range; a plain loop, so that few elements are looked at one by one.
KERNEL_CLONES
static bool any_outside(uint64_t n, const float *inputs, float least, float most, float nearest)
{
  int32_t found = 0;
  for (uint64_t i = 0; i < n; i++)
    found |= (inputs[i] < least) | (inputs[i] > most) | (__builtin_fabsf(inputs[i]) < nearest);
  return found;
}

static void find_outside(const Activation *w, uint64_t p, uint64_t start, uint64_t n, const float *inputs)
{
  Outside *outside = w->outside;
  const ActivationInfo *info = activation_info(w->func);
  float nearest = w->func == ACTIVATION_FUNC_RECIPROCAL ? 0x1p-42f : 0;
  if (outside->found[p] || !any_outside(n, inputs, info->least, info->most, nearest))
    return;
  for (uint64_t i = 0; i < n && !outside->found[p]; i++) {
    if (inputs[i] != inputs[i] || activation_in_range(w->func, inputs[i]))
      continue;
    outside->found[p] = true;
    outside->elem[p] = start + i;
    outside->input[p] = inputs[i];
  }
}

static void warn_outside(Sim *sim, const Activation *w)
{
  for (uint64_t p = 0; p < w->dst.partitions; p++)
    if (w->outside->found[p]) {
      warn_range(sim, w->func, &w->src, p, w->outside->elem[p], w->outside->input[p]);
      return;
    }
}

static void one_step(AluOp op, bool reverse, const Piece *piece, float *to, size_t stride, KernelRows rows,
                     KernelRows operand)
{
  kernel_binary_f32(op, piece->partitions, piece->n, to, stride, reverse ? operand : rows, reverse ? rows : operand);
}

// The ALU operator that is the same function.
static bool is_operator(ActivationFunc func, AluOp *op)
{
  switch ((int)func) {
  case ACTIVATION_FUNC_ABS: return *op = ALU_OP_ABS, true;
  case ACTIVATION_FUNC_COPY: return *op = ALU_OP_BYPASS, true;
  case ACTIVATION_FUNC_RECIPROCAL: return *op = ALU_OP_RECIPROCAL, true;
  case ACTIVATION_FUNC_RELU: return *op = ALU_OP_RELU, true;
  case ACTIVATION_FUNC_SQUARE: return *op = ALU_OP_SQUARE, true;
  }
  return false;
}

static void apply_function(ActivationFunc func, const Piece *piece, float *to, size_t stride, KernelRows from)
{
  AluOp op;
  if (is_operator(func, &op)) {
    kernel_binary_f32(op, piece->partitions, piece->n, to, stride, from, from);
    return;
  }
  for (uint64_t r = 0; r < piece->partitions; r++)
    activation_row(func, piece->n, to + r * stride, (const float *)from.at + r * from.stride);
}

static void activation_pieces(void *context, uint64_t first, uint64_t last)
{
  const Activation *w = context;
  float x[PIECE_ELEMS], z[PIECE_ELEMS];
  for (Piece piece = {.most = w->fold.folds ? FOLD_PIECE : 0}; piece_next(&piece, &w->dst, first, last, false);) {
    KernelRows rows = piece_read(&w->src, &piece, x, w->mode);
    KernelRows operand0 = piece_lanes(w->first, &piece), operand1 = piece_lanes(w->second, &piece);
    size_t stride;
    float *to = piece_target(&w->dst, &piece, z, &stride);
    bool is_plain = !w->has_first && !w->has_second && !rows.scalar;
    if (w->has_first && w->has_second)
      kernel_binary_pair_f32(w->op0, w->reverse0, w->op1, w->reverse1, piece.partitions, piece.n, to, stride, rows,
                             operand0, operand1);
    else if (w->has_first)
      one_step(w->op0, w->reverse0, &piece, to, stride, rows, operand0);
    else if (w->has_second)
      one_step(w->op1, w->reverse1, &piece, to, stride, rows, operand1);
    else if (!is_plain)
      kernel_binary_f32(ALU_OP_BYPASS, piece.partitions, piece.n, to, stride, rows, rows);
    KernelRows from = is_plain ? rows : (KernelRows){to, stride, false};
    for (uint64_t r = 0; r < piece.partitions && w->outside; r++)
      find_outside(w, piece.partition + r, piece.start, piece.n, (const float *)from.at + r * from.stride);
    apply_function(w->func, &piece, to, stride, from);
    fold_piece(&w->fold, &piece, to, stride);
    piece_store(&w->dst, &piece, z, w->mode);
  }
}

// Resolves the tiles; false when the form is left to the reference.
static bool activation_start(Sim *sim, const TensorRef *dst, const TensorRef *src, const char *role, Activation *w)
{
  *w = (Activation){.mode = sim->number_mode};
  w->dst = tile_of(sim, dst, "dst");
  w->src = tile_read(sim, src, role);
  same_shape(sim, &w->dst, &w->src);
  tile_expect_lanes(sim, &w->dst);
  tile_expect_unpacked(sim, &w->dst);
  tile_expect_unpacked(sim, &w->src);
  return expect_clear(sim, &w->dst, &w->src);
}

static void activation_run(Sim *sim, Activation *w, const TensorRef *reduce_res)
{
  // A transcendental element is worth some of arithmetic.
  piece_parallel(sim, w->dst.partitions, 4 * w->dst.partitions * w->dst.free_elems, activation_pieces, w);
  if (w->outside)
    warn_outside(sim, w);
  tile_mark(&w->dst);
  if (reduce_res)
    write_lanes(sim, reduce_res, &w->dst, w->fold.lanes, false);
}

static bool activate(Sim *sim, const struct Op_nc_activate *o, AccumCmd cmd)
{
  Activation w;
  AluOp reduce = o->reduce_op.some ? o->reduce_op.value : ALU_OP_ADD;
  if (alu_is_bitvec(reduce) || o->activation_func == ACTIVATION_FUNC_PRELU ||
      !activation_start(sim, &o->dst, &o->src, "data", &w))
    return false;
  w.func = o->activation_func;
  w.op0 = ALU_OP_MULT;
  w.op1 = ALU_OP_ADD;
  Values scale;
  operand_values(sim, &o->scale, "scale", &w.dst, false, &scale);
  memcpy(w.first, scale.lanes, w.dst.partitions * sizeof(float));
  for (uint64_t p = 0; p < w.dst.partitions; p++)
    w.has_first = w.has_first || w.first[p] != 1;
  w.has_second = o->bias;
  if (o->bias)
    lanes_of(sim, o->bias, "bias", w.dst.partitions, w.second);
  w.fold = start_fold(sim, &sim->core->act, cmd, reduce, NULL, &w.src, o->reduce_res != NULL);
  Outside outside = {0};
  if (sim->options.checks && activation_is_limited(o->activation_func))
    w.outside = &outside;
  activation_run(sim, &w, o->reduce_res);
  return true;
}

static bool fast_activate2(Sim *sim, const Op *op)
{
  const struct Op_activate2 *o = &op->activate2;
  Activation w;
  if (o->activation_func == ACTIVATION_FUNC_PRELU || alu_is_bitvec(o->op0) || alu_is_bitvec(o->op1) ||
      o->op0 == ALU_OP_POW || o->op1 == ALU_OP_POW ||
      alu_is_bitvec(o->reduce_op) || !activation_start(sim, &o->dst, &o->src, "data", &w))
    return false;
  Values first, second, slope;
  operand_values(sim, &o->imm0, "imm0", &w.dst, false, &first);
  operand_values(sim, &o->imm1, "imm1", &w.dst, false, &second);
  operand_values(sim, &o->relu_param, "relu_param", &w.dst, false, &slope);
  memcpy(w.first, first.lanes, w.dst.partitions * sizeof(float));
  memcpy(w.second, second.lanes, w.dst.partitions * sizeof(float));
  w.func = o->activation_func;
  w.op0 = o->op0;
  w.op1 = o->op1;
  w.reverse0 = swaps(o->op0, o->reverse0);
  w.reverse1 = swaps(o->op1, o->reverse1);
  w.has_first = w.has_second = true;
  w.fold = start_fold(sim, &sim->core->act, o->reduce_cmd, o->reduce_op, NULL, &w.src, o->reduce_res != NULL);
  Outside outside = {0};
  if (sim->options.checks && activation_is_limited(o->activation_func))
    w.outside = &outside;
  activation_run(sim, &w, o->reduce_res);
  return true;
}

static bool fast_exponential(Sim *sim, const Op *op)
{
  const struct Op_exponential *o = &op->exponential;
  Activation w;
  if (!activation_start(sim, &o->dst, &o->src, "src", &w))
    return false;
  Values peak, initial;
  operand_values(sim, &o->max_value, "max_value", &w.dst, false, &peak);
  operand_values(sim, &o->reduce_init, "reduce_init", &w.dst, false, &initial);
  memcpy(w.first, peak.lanes, w.dst.partitions * sizeof(float));
  w.func = ACTIVATION_FUNC_EXP;
  w.op0 = ALU_OP_SUBTRACT;
  w.has_first = true;
  w.fold = start_fold(sim, &sim->core->dve, o->reducecmd, ALU_OP_ADD, initial.lanes, &w.src, o->reduce_res != NULL);
  activation_run(sim, &w, o->reduce_res);
  return true;
}

static bool fast_nc_activate(Sim *sim, const Op *op)
{
  return activate(sim, &op->nc_activate, op->nc_activate.accumulator_cmd);
}

static bool fast_activation_reduce(Sim *sim, const Op *op)
{
  const struct Op_activation_reduce *o = &op->activation_reduce;
  struct Op_nc_activate same = {
      o->dst, o->src, o->accumulator_cmd, o->activation_func, o->scale, o->bias, o->reduce_op, o->reduce_res, o->dtype};
  return activate(sim, &same, ACCUM_CMD_ZERO_ACCUMULATE);
}

// ---- tensor_scalar_reduce
typedef struct ScalarReduce {
  AluOp op;
  bool reverse;
  Tile dst, src;
  Values operand;
  Fold fold;
  NumberMode mode;
} ScalarReduce;

static void scalar_reduce_pieces(void *context, uint64_t first, uint64_t last)
{
  const ScalarReduce *w = context;
  float x[PIECE_ELEMS], z[PIECE_ELEMS];
  for (Piece piece = {.most = FOLD_PIECE}; piece_next(&piece, &w->dst, first, last, false);) {
    KernelRows rows = piece_read(&w->src, &piece, x, w->mode), operand = piece_lanes(w->operand.lanes, &piece);
    kernel_binary_f32(w->op, piece.partitions, piece.n, z, piece.n, w->reverse ? operand : rows,
                      w->reverse ? rows : operand);
    fold_piece(&w->fold, &piece, z, piece.n);
    for (uint64_t r = 0; r < piece.partitions; r++)
      tile_store(&w->dst, piece.partition + r, piece.start, piece.n, z + r * piece.n, w->mode);
  }
}

static bool fast_tensor_scalar_reduce(Sim *sim, const Op *op)
{
  const struct Op_tensor_scalar_reduce *o = &op->tensor_scalar_reduce;
  AluOp reduce = o->reduce_op.some ? o->reduce_op.value : ALU_OP_ADD;
  ScalarReduce w = {.op = o->op0, .reverse = swaps(o->op0, o->reverse0), .mode = sim->number_mode};
  w.dst = tile_of(sim, &o->dst, "dst");
  w.src = tile_read(sim, &o->src, "data");
  same_shape(sim, &w.dst, &w.src);
  tile_expect_lanes(sim, &w.dst);
  if (!expect_clear(sim, &w.dst, &w.src) || alu_is_bitvec(reduce) || alu_is_bitvec(o->op0) ||
      o->op0 == ALU_OP_POW || dtype_is_packed(w.dst.dtype) || dtype_is_packed(w.src.dtype))
    return false;
  operand_values(sim, &o->operand0, "operand0", &w.dst, false, &w.operand);
  float initial[SIM_MAX_PARTITIONS] = {0};
  initial_lanes(sim, o, w.dst.partitions, initial);
  w.fold = start_fold(sim, &sim->core->dve, o->reduce_cmd, reduce, initial, &w.src, true);
  piece_parallel(sim, w.dst.partitions, w.dst.partitions * w.dst.free_elems, scalar_reduce_pieces, &w);
  tile_mark(&w.dst);
  write_lanes(sim, &o->reduce_res, &w.dst, sim->core->dve.lanes, o->reduce_res_negate);
  return true;
}

// ---- tensor_reduce
typedef struct Reduce {
  AluOp op;
  Tile dst, src;
  uint64_t group, groups;
  bool negates, averages;
  NumberMode mode;
} Reduce;

// One group in pieces, continued from one to the next.
static float reduce_group(const Reduce *w, uint64_t p, uint64_t g)
{
  float scratch[TILE_PIECE], result = 0;
  for (uint64_t i = 0; i < w->group;) {
    uint64_t n = w->group - i < TILE_PIECE ? w->group - i : TILE_PIECE;
    const float *row = tile_row_f32(&w->src, p, g * w->group + i, n, scratch, w->mode);
    kernel_reduce_f32(w->op, 1, n, &result, 1, row, n, i > 0);
    i += n;
  }
  return result;
}

static void reduce_finish(const Reduce *w, uint64_t p, float *out, uint64_t first, uint64_t n)
{
  for (uint64_t i = 0; i < n; i++) {
    if (w->averages)
      out[i] = out[i] / (float)w->group;
    if (w->negates)
      out[i] = -out[i];
  }
  tile_store(&w->dst, p, first, n, out, w->mode);
}

// Whole partitions side by side, when each is one group that fits a piece.
static void reduce_partitions(const Reduce *w, uint64_t first, uint64_t last)
{
  float block[PIECE_ELEMS], out[PIECE_ELEMS];
  bool whole = tile_reads_direct(&w->src) && last - first <= PIECE_ELEMS;  // the kernel runs across many rows
  for (Piece piece = {0}; piece_next(&piece, &w->src, first, last, whole);) {
    KernelRows rows = piece_read(&w->src, &piece, block, w->mode);
    kernel_reduce_f32(w->op, piece.partitions, piece.n, out, 1, rows.at, rows.stride, false);
    for (uint64_t r = 0; r < piece.partitions; r++)
      reduce_finish(w, piece.partition + r, out + r, 0, 1);
  }
}

// Groups that fit a piece, some at a time, gathered and converted.
static void reduce_groups(const Reduce *w, uint64_t p)
{
  float block[PIECE_ELEMS], out[TILE_PIECE];
  uint64_t at_once = PIECE_ELEMS / w->group < TILE_PIECE ? PIECE_ELEMS / w->group : TILE_PIECE;
  for (uint64_t g = 0; g < w->groups; g += at_once) {
    uint64_t groups = w->groups - g < at_once ? w->groups - g : at_once, start = g * w->group, n = groups * w->group;
    for (uint64_t i = 0; i < n; i += TILE_PIECE)
      tile_row_to_f32(&w->src, p, start + i, n - i < TILE_PIECE ? n - i : TILE_PIECE, block + i, w->mode);
    kernel_reduce_f32(w->op, groups, w->group, out, 1, block, w->group, false);
    reduce_finish(w, p, out, g, groups);
  }
}

static void reduce_rows(void *context, uint64_t first, uint64_t last)
{
  const Reduce *w = context;
  bool is_contiguous = tile_is_direct(&w->src) && w->groups <= TILE_PIECE;
  if (w->groups == 1 && w->group <= TILE_PIECE && (w->src.is_row_contiguous || !tile_reads_direct(&w->src))) {
    reduce_partitions(w, first, last);
    return;
  }
  for (uint64_t p = first; p < last; p++) {
    float out[TILE_PIECE];
    if (is_contiguous) {
      kernel_reduce_f32(w->op, w->groups, w->group, out, 1, (const float *)(const void *)tile_row(&w->src, p), w->group,
                        false);
      reduce_finish(w, p, out, 0, w->groups);
      continue;
    }
    if (w->group <= PIECE_ELEMS) {
      reduce_groups(w, p);
      continue;
    }
    for (uint64_t g = 0; g < w->groups; g++) {
      out[0] = reduce_group(w, p, g);
      reduce_finish(w, p, out, g, 1);
    }
  }
}

static bool reduce_bits(Sim *sim, const struct Op_tensor_reduce *o)
{
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data");
  uint64_t group = reduced_elems(src.view, o->op_dim), groups = group ? src.free_elems / group : 0;
  tile_expect_shape(sim, &dst, src.partitions, groups);
  tile_expect_elements(sim, &src, group);
  if (!bits_can_reduce(o->op) || !bits_fit(&dst, &src) || tile_relation(sim, &dst, &src) != TILE_DISJOINT)
    return false;
  bits_tensor_reduce(o->op, &dst, &src, group);
  tile_mark(&dst);
  return true;
}

static bool fast_tensor_reduce(Sim *sim, const Op *op)
{
  const struct Op_tensor_reduce *o = &op->tensor_reduce;
  if (alu_is_bitvec(o->op))
    return reduce_bits(sim, o);
  if (alu_is_logical(o->op))
    return false;
  Reduce w = {.op = o->op == ALU_OP_AVERAGE ? ALU_OP_ADD : o->op,
              .averages = o->op == ALU_OP_AVERAGE,
              .negates = o->negated,
              .mode = sim->number_mode};
  w.dst = tile_of(sim, &o->dst, "dst");
  w.src = tile_read(sim, &o->src, "data");
  w.group = reduced_elems(w.src.view, o->op_dim);
  w.groups = w.group ? w.src.free_elems / w.group : 0;
  tile_expect_shape(sim, &w.dst, w.src.partitions, w.groups);
  tile_expect_elements(sim, &w.src, w.group);
  tile_expect_unpacked(sim, &w.src);
  tile_expect_unpacked(sim, &w.dst);
  if (tile_relation(sim, &w.dst, &w.src) != TILE_DISJOINT)
    return false;
  piece_parallel(sim, w.src.partitions, w.src.partitions * w.src.free_elems, reduce_rows, &w);
  tile_mark(&w.dst);
  return true;
}

// ---- tensor_tensor_scan
typedef struct Scan {
  AluOp op0, op1;
  bool reverse0, reverse1;
  Tile dst, a, b;
  float state[SIM_MAX_PARTITIONS];
  NumberMode mode;
} Scan;

static void scan_pieces(void *context, uint64_t first, uint64_t last)
{
  Scan *w = context;
  float x[PIECE_ELEMS], y[PIECE_ELEMS], z[PIECE_ELEMS];
  for (Piece piece = {.most = FOLD_PIECE}; piece_next(&piece, &w->dst, first, last, false);) {
    KernelRows a = piece_read(&w->a, &piece, x, w->mode), b = piece_read(&w->b, &piece, y, w->mode);
    if (a.scalar) {
      kernel_binary_f32(ALU_OP_BYPASS, piece.partitions, piece.n, x, piece.n, a, a);
      a = (KernelRows){x, piece.n, false};
    }
    if (b.scalar) {
      kernel_binary_f32(ALU_OP_BYPASS, piece.partitions, piece.n, y, piece.n, b, b);
      b = (KernelRows){y, piece.n, false};
    }
    kernel_scan_f32(w->op0, w->reverse0, w->op1, w->reverse1, piece.partitions, piece.n, z, piece.n, a.at, a.stride,
                    b.at, b.stride, w->state + piece.partition);
    for (uint64_t r = 0; r < piece.partitions; r++)
      tile_store(&w->dst, piece.partition + r, piece.start, piece.n, z + r * piece.n, w->mode);
  }
}

static bool fast_tensor_tensor_scan(Sim *sim, const Op *op)
{
  const struct Op_tensor_tensor_scan *o = &op->tensor_tensor_scan;
  if (alu_is_bitvec(o->op0) || alu_is_bitvec(o->op1) || o->op0 == ALU_OP_POW || o->op1 == ALU_OP_POW)
    return false;
  Scan w = {.op0 = o->op0, .op1 = o->op1, .mode = sim->number_mode};
  w.reverse0 = reverses_first(o->reverse_operands, o->op0);
  w.reverse1 = reverses_second(o->reverse_operands, o->op1);
  w.dst = tile_of(sim, &o->dst, "dst");
  w.a = tile_read(sim, &o->src0, "data0");
  w.b = tile_read(sim, &o->src1, "data1");
  same_shape(sim, &w.dst, &w.a);
  same_shape(sim, &w.dst, &w.b);
  tile_expect_lanes(sim, &w.dst);
  tile_expect_unpacked(sim, &w.a);
  tile_expect_unpacked(sim, &w.b);
  tile_expect_unpacked(sim, &w.dst);
  if (!expect_clear(sim, &w.dst, &w.a) || !expect_clear(sim, &w.dst, &w.b))
    return false;
  Values initial;
  operand_values(sim, &o->imm0, "initial", &w.dst, false, &initial);
  memcpy(w.state, initial.lanes, w.dst.partitions * sizeof(float));
  piece_parallel(sim, w.dst.partitions, 4 * w.dst.partitions * w.dst.free_elems, scan_pieces, &w);
  tile_mark(&w.dst);
  return true;
}

// ---- tensor_partition_reduce
static bool fast_tensor_partition_reduce(Sim *sim, const Op *op)
{
  const struct Op_tensor_partition_reduce *o = &op->tensor_partition_reduce;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->data, "data");
  tile_expect_unpacked(sim, &src);
  tile_expect_shape(sim, &dst, 1, src.free_elems);
  tile_expect_unpacked(sim, &dst);
  if (alu_is_bitvec(o->op) || tile_relation(sim, &dst, &src) != TILE_DISJOINT ||
      (dtype_is_integer(src.dtype) && src.item == 4))
    return false;  // large integers are left to the reference, which looks at their sums
  AluOp fold = o->op == ALU_OP_AVERAGE ? ALU_OP_ADD : o->op;
  float sums[TILE_PIECE], scratch[TILE_PIECE], count = (float)src.partitions;
  for (uint64_t i = 0; i < src.free_elems; i += TILE_PIECE) {
    uint64_t n = src.free_elems - i < TILE_PIECE ? src.free_elems - i : TILE_PIECE;
    KernelRows sum = {sums, n, false};
    tile_row_to_f32(&src, 0, i, n, sums, sim->number_mode);
    for (uint64_t p = 1; p < src.partitions; p++) {
      KernelRows row = {tile_row_f32(&src, p, i, n, scratch, sim->number_mode), n, false};
      kernel_binary_f32(fold, 1, n, sums, n, sum, row);
    }
    if (o->op == ALU_OP_AVERAGE)
      kernel_binary_f32(ALU_OP_DIVIDE, 1, n, sums, n, sum, (KernelRows){&count, 0, true});
    tile_store(&dst, 0, i, n, sums, sim->number_mode);
  }
  tile_mark(&dst);
  return true;
}

// ---- tensor_scalar_cumulative
typedef struct Cumulative {
  AluOp op0, op1;
  bool reverse0, reverse1;
  Tile dst, src;
  float operand[SIM_MAX_PARTITIONS], *lanes;
  NumberMode mode;
} Cumulative;

static void cumulative_pieces(void *context, uint64_t first, uint64_t last)
{
  const Cumulative *w = context;
  float x[PIECE_ELEMS], z[PIECE_ELEMS];
  for (Piece piece = {.most = FOLD_PIECE}; piece_next(&piece, &w->dst, first, last, false);) {
    KernelRows rows = piece_read(&w->src, &piece, x, w->mode), operand = piece_lanes(w->operand, &piece);
    one_step(w->op0, w->reverse0, &piece, z, piece.n, rows, operand);
    kernel_scan_f32(w->op1, w->reverse1, ALU_OP_BYPASS, false, piece.partitions, piece.n, z, piece.n, z, piece.n, z,
                    piece.n, w->lanes + piece.partition);
    for (uint64_t r = 0; r < piece.partitions; r++)
      tile_store(&w->dst, piece.partition + r, piece.start, piece.n, z + r * piece.n, w->mode);
  }
}

static bool fast_tensor_scalar_cumulative(Sim *sim, const Op *op)
{
  const struct Op_tensor_scalar_cumulative *o = &op->tensor_scalar_cumulative;
  Cumulative w = {.op0 = o->op0, .op1 = o->op1, .lanes = sim->core->dve.lanes, .mode = sim->number_mode};
  if (alu_is_bitvec(o->op0) || alu_is_bitvec(o->op1) || o->op0 == ALU_OP_POW || o->op1 == ALU_OP_POW)
    return false;
  w.dst = tile_of(sim, &o->dst, "dst");
  w.src = tile_read(sim, &o->src, "src");
  same_shape(sim, &w.dst, &w.src);
  tile_expect_lanes(sim, &w.dst);
  tile_expect_unpacked(sim, &w.dst);
  tile_expect_unpacked(sim, &w.src);
  if (!expect_clear(sim, &w.dst, &w.src))
    return false;
  w.reverse0 = reverses_first(o->reverse, o->op0);
  w.reverse1 = reverses_second(o->reverse, o->op1);
  Values operand, loaded = {0};
  operand_values(sim, &o->imm0, "imm0", &w.dst, false, &operand);
  if (o->imm1)
    operand_values(sim, o->imm1, "imm1", &w.dst, false, &loaded);
  memcpy(w.operand, operand.lanes, w.dst.partitions * sizeof(float));
  AluOp start = o->op1 == ALU_OP_SUBTRACT ? ALU_OP_ADD : o->op1;
  accum_begin(sim, &sim->core->dve, o->reduce_cmd, &w.src, true);
  for (uint64_t p = 0; p < w.dst.partitions; p++)
    (void)accum_starts(o->reduce_cmd, &w.lanes[p], start, loaded.lanes[p]);
  piece_parallel(sim, w.dst.partitions, 4 * w.dst.partitions * w.dst.free_elems, cumulative_pieces, &w);
  tile_mark(&w.dst);
  return true;
}

FastFn *fast_elementwise(OpKind kind)
{
  static FastFn *const executors[OP_COUNT] = {
      [OP_nc_activate] = fast_nc_activate,
      [OP_activate2] = fast_activate2,
      [OP_activation_reduce] = fast_activation_reduce,
      [OP_exponential] = fast_exponential,
      [OP_reciprocal] = fast_reciprocal,
      [OP_nc_scalar_tensor_tensor] = fast_nc_scalar_tensor_tensor,
      [OP_tensor_partition_reduce] = fast_tensor_partition_reduce,
      [OP_tensor_reduce] = fast_tensor_reduce,
      [OP_tensor_scalar] = fast_tensor_scalar,
      [OP_tensor_tensor] = fast_tensor_tensor,
      [OP_tensor_tensor_scan] = fast_tensor_tensor_scan,
      [OP_tensor_scalar_cumulative] = fast_tensor_scalar_cumulative,
      [OP_tensor_scalar_reduce] = fast_tensor_scalar_reduce,
  };
  return executors[kind];
}
