// twin.c -- each operator as reference.c has it, but in double arithmetic and without its checks.

#include "sim/twin.h"

#include "number/twin.h"

#include <string.h>

// ---- operands

static uint64_t count_of(const Tile *tile)
{
  return tile->partitions * tile->free_elems;
}

static Both both(double value)
{
  return (Both){value, value};
}

static TwinTile *add_operand(TwinWork *work, const char *field, const Tile *tile)
{
  TwinTile *added = arena_new(&work->sim->scratch, TwinTile);
  if (work->operand_count < TWIN_MOST)
    work->operands[work->operand_count++] = added;
  *added = (TwinTile){.field = field, .tile = *tile, .values = arena_array(&work->sim->scratch, Both, count_of(tile))};
  work->load(work->sim, tile, added->values);
  return added;
}

static TwinTile *operand(TwinWork *work, const TensorRef *ref, const char *field)
{
  Tile tile = tile_operand(work->sim, ref, field);
  return add_operand(work, field, &tile);
}

static TwinTile *add_result(TwinWork *work, const char *field, const Tile *tile)
{
  TwinTile *added = arena_new(&work->sim->scratch, TwinTile);
  work->results[work->result_count++] = added;  // an operator has few
  *added = (TwinTile){.field = field, .tile = *tile, .values = arena_array(&work->sim->scratch, Both, count_of(tile))};
  return added;
}

static TwinTile *result(TwinWork *work, const TensorRef *ref, const char *field)
{
  Tile tile = tile_of(work->sim, ref, field);
  return add_result(work, field, &tile);
}

static bool same_shape(const TwinTile *a, const TwinTile *b)
{
  return a->tile.partitions == b->tile.partitions && a->tile.free_elems == b->tile.free_elems;
}

// A constant, one value per partition, or one per element.
typedef struct Side {
  Both constant;
  const TwinTile *tile;  // NULL: the constant
} Side;

static Side constant(double value)
{
  return (Side){.constant = both(value)};
}

static Side side(TwinWork *work, const Operand *from, const char *field)
{
  if (from->ctor == Operand_imm)
    return constant((double)immediate_f32(work->sim, &from->imm));
  return (Side){.tile = operand(work, &from->tile, field)};
}

static Both at(const Side *from, uint64_t p, uint64_t i)
{
  if (!from->tile)
    return from->constant;
  uint64_t n = from->tile->tile.free_elems;
  return from->tile->values[p * n + (n == 1 ? 0 : i)];
}

// ---- arithmetic

static Both alu(AluOp op, bool swapped, Both x, Both y)
{
  Both left = swapped ? y : x, right = swapped ? x : y;
  if (alu_decides(op))
    return both(alu_f64(op, left.actual, right.actual));
  return (Both){alu_f64(op, left.actual, right.actual), alu_f64(op, left.twin, right.twin)};
}

static Both apply(ActivationFunc func, Both x, Both slope)
{
  if (func == ACTIVATION_FUNC_SIGN)
    return both(activation_f64(func, x.actual, 0));
  return (Both){activation_f64(func, x.actual, slope.actual), activation_f64(func, x.twin, slope.twin)};
}

static Both negative(Both x)
{
  return (Both){-x.actual, -x.twin};
}

static bool is_bits(AluOp op)
{
  return alu_is_bitvec(op);
}

// ---- accumulators

// What a lane holds before it folds the row, and whether it does.
static bool starts(AccumCmd cmd, Both *lane, AluOp op, Both loaded)
{
  float start = 0;
  bool folds = accum_starts(cmd, &start, op, 0);
  if (cmd == ACCUM_CMD_LOAD_ACCUMULATE)
    *lane = loaded;
  else if (cmd != ACCUM_CMD_IDLE && cmd != ACCUM_CMD_ACCUMULATE)
    *lane = both((double)start);
  return folds;
}

static void accumulate(TwinWork *work, Both *lanes, AccumCmd cmd, AluOp op, const Side *loaded, const TwinTile *values,
                       const TensorRef *into, const char *field, bool negate)
{
  uint64_t n = values->tile.free_elems;
  for (uint64_t p = 0; p < values->tile.partitions && p < SIM_MAX_PARTITIONS; p++)
    if (starts(cmd, &lanes[p], op, loaded ? at(loaded, p, 0) : both(0)))
      for (uint64_t i = 0; i < n; i++)
        lanes[p] = alu(op, false, lanes[p], values->values[p * n + i]);
  if (!into)
    return;
  TwinTile *to = result(work, into, field);
  for (uint64_t p = 0; p < to->tile.partitions && p < SIM_MAX_PARTITIONS && to->tile.free_elems; p++)
    to->values[p * to->tile.free_elems] = negate ? negative(lanes[p]) : lanes[p];
}

// ---- moving elements

// In the order of each side's elements; rows that are left out, and what is not written, stay.
static bool move_in_order(TwinWork *work, TwinTile *dst, const TwinTile *src)
{
  uint64_t count = count_of(&dst->tile);
  if (count != count_of(&src->tile))
    return false;
  if (dst->tile.rows || src->tile.rows)
    dst->kept = arena_array(&work->sim->scratch, bool, count);
  for (uint64_t e = 0; e < count; e++) {
    dst->values[e] = src->values[e];
    if (dst->kept)
      dst->kept[e] = !tile_row(&dst->tile, e / dst->tile.free_elems) || !tile_row(&src->tile, e / src->tile.free_elems);
  }
  return true;
}

static bool twin_copy(TwinWork *work, const struct Op_nc_copy *op)
{
  TwinTile *src = operand(work, &op->src, "src");
  return move_in_order(work, result(work, &op->dst, "dst"), src);
}

static bool twin_dma_copy(TwinWork *work, const struct Op_nc_dma_copy *op)
{
  Tile from, to;
  bool skips = dma_skips(&op->oob_mode);
  if (dma_is_fence(op) || !dma_tile(work->sim, &op->src, "src", skips, &from) ||
      !dma_tile(work->sim, &op->dst, "dst", skips, &to))
    return true;
  TwinTile *src = add_operand(work, "src", &from), *dst = add_result(work, "dst", &to);
  if (!move_in_order(work, dst, src))
    return false;
  if (op->compute_op != DGE_COMPUTE_OP_ADD)
    return true;
  TwinTile *old = add_operand(work, "dst", &to);
  for (uint64_t e = 0; e < count_of(&to); e++)
    dst->values[e] = alu(ALU_OP_ADD, false, old->values[e], dst->values[e]);
  return true;
}

static bool twin_dma_transpose(TwinWork *work, const struct Op_dma_transpose *op)
{
  Tile from;
  if (!dma_tile(work->sim, &op->src, "src", dma_skips(&op->oob_mode), &from))
    return true;
  TwinTile *src = add_operand(work, "src", &from), *dst = result(work, &op->dst, "dst");
  uint64_t rows = from.partitions, last = dst->tile.partitions, middle = last ? from.free_elems / last : 0;
  if (count_of(&from) != count_of(&dst->tile) || middle * last != from.free_elems)
    return false;
  if (from.rows)
    dst->kept = arena_array(&work->sim->scratch, bool, count_of(&from));
  for (uint64_t i = 0; i < rows; i++)
    for (uint64_t m = 0; m < middle; m++)
      for (uint64_t l = 0; l < last; l++) {
        uint64_t to = l * dst->tile.free_elems + m * rows + i;
        dst->values[to] = src->values[i * from.free_elems + m * last + l];
        if (dst->kept)
          dst->kept[to] = !tile_row(&from, i);
      }
  return true;
}

static bool twin_transpose(TwinWork *work, const struct Op_transpose *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  uint64_t rows = src->tile.partitions, columns = src->tile.free_elems;
  if (dst->tile.partitions != columns || dst->tile.free_elems != rows)
    return false;
  for (uint64_t r = 0; r < rows; r++)
    for (uint64_t c = 0; c < columns; c++)
      dst->values[c * rows + r] = src->values[r * columns + c];
  return true;
}

static bool twin_shuffle(TwinWork *work, const struct Op_shuffle *op)
{
  enum { GROUP = 32 };
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  uint64_t n = dst->tile.free_elems;
  dst->kept = arena_array(&work->sim->scratch, bool, count_of(&dst->tile));
  for (uint64_t p = 0; p < dst->tile.partitions; p++) {
    int64_t mask = p % GROUP < op->shuffle_mask.count ? immediate_int(work->sim, &op->shuffle_mask.items[p % GROUP]) : GROUP;
    uint64_t from = p / GROUP * GROUP + (uint64_t)mask;
    bool keeps = mask < 0 || mask >= GROUP || from >= src->tile.partitions || n != src->tile.free_elems;
    for (uint64_t i = 0; i < n; i++)
      if ((dst->kept[p * n + i] = keeps) == false)
        dst->values[p * n + i] = src->values[from * n + i];
  }
  return true;
}

static bool twin_n_gather(TwinWork *work, const struct Op_nc_n_gather *op)
{
  TwinTile *data = operand(work, &op->data, "data"), *dst = result(work, &op->dst, "dst");
  Tile indices = tile_operand(work->sim, &op->indices, "indices");
  uint64_t n = dst->tile.free_elems;
  for (uint64_t p = 0; p < dst->tile.partitions; p++)
    for (uint64_t i = 0; i < n; i++) {
      uint32_t index = unit_bits(indices.dtype, tile_element(&indices, p, i));
      if (index < data->tile.free_elems)
        dst->values[p * n + i] = data->values[p * data->tile.free_elems + index];
    }
  return true;
}

static bool twin_memset(TwinWork *work, const struct Op_memset *op)
{
  TwinTile *dst = result(work, &op->dst, "dst");
  double value = (double)immediate_f32(work->sim, &op->value);
  for (uint64_t e = 0; e < count_of(&dst->tile); e++)
    dst->values[e] = both(value);
  return true;
}

static bool twin_copy_predicated(TwinWork *work, const struct Op_copy_predicated *op)
{
  TwinTile *predicate = operand(work, &op->predicate, "predicate"), *dst = result(work, &op->dst, "dst");
  Side src = op->imm ? constant((double)immediate_f32(work->sim, op->imm)) : (Side){.tile = operand(work, &op->src, "src")};
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(dst, predicate))
    return false;
  dst->kept = arena_array(&work->sim->scratch, bool, count_of(&dst->tile));
  for (uint64_t e = 0; e < count_of(&dst->tile); e++) {
    dst->kept[e] = (predicate->values[e].actual != 0) == op->reverse_pred;
    dst->values[e] = at(&src, e / n, e % n);
  }
  return true;
}

// ---- selections

static int64_t pattern_value(const DataPattern *pattern, uint64_t p, uint64_t i)
{
  int64_t value = (int64_t)pattern->offset + (int64_t)p * (int64_t)pattern->channel_multiplier;
  for (uint32_t d = pattern->pattern.count; d-- > 0;) {
    const ApPair *pair = &pattern->pattern.items[d];
    value += (int64_t)(pair->num ? i % pair->num : 0) * pair->step;
    i /= pair->num ? pair->num : 1;
  }
  return value;
}

static bool twin_affine_select(TwinWork *work, const struct Op_nc_affine_select *op)
{
  TwinTile *src = operand(work, &op->on_true_tile, "on_true_tile"), *dst = result(work, &op->dst, "dst");
  double other = (double)immediate_f32(work->sim, &op->on_false_value);
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(src, dst) || !alu_decides(op->cmp_op))
    return false;
  for (uint64_t e = 0; e < count_of(&dst->tile); e++)
    dst->values[e] = alu_f64(op->cmp_op, (double)pattern_value(&op->pred, e / n, e % n), 0) != 0 ? src->values[e] : both(other);
  return true;
}

static bool twin_select_reduce(TwinWork *work, const struct Op_select_reduce *op)
{
  TwinTile *predicate = operand(work, &op->predicate, "predicate"), *yes = operand(work, &op->on_true, "on_true"),
           *dst = result(work, &op->dst, "dst");
  Side no = side(work, &op->on_false, "on_false");
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(predicate, dst) || !same_shape(yes, dst))
    return false;
  for (uint64_t e = 0; e < count_of(&dst->tile); e++)
    dst->values[e] = (predicate->values[e].actual != 0) != op->reverse_pred ? yes->values[e] : at(&no, e / n, e % n);
  accumulate(work, work->dve, op->reduce_cmd, op->reduce_op, NULL, dst, op->reduce_res, "reduce_res", false);
  return true;
}

static bool twin_range_select(TwinWork *work, const struct Op_nc_range_select *op)
{
  TwinTile *yes = operand(work, &op->on_true_tile, "on_true_tile"), *dst = result(work, &op->dst, "dst");
  Side low = {.tile = operand(work, &op->bound0, "bound0")}, high = {.tile = operand(work, &op->bound1, "bound1")};
  double start = (double)immediate_f32(work->sim, &op->range_start), no = (double)immediate_f32(work->sim, &op->on_false_value);
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(yes, dst))
    return false;
  for (uint64_t e = 0; e < count_of(&dst->tile); e++) {
    double pos = start + (double)(e % n);
    bool inside = alu_f64(op->comp_op0, pos, at(&low, e / n, 0).actual) != 0 &&
                  alu_f64(op->comp_op1, pos, at(&high, e / n, 0).actual) != 0;
    dst->values[e] = inside ? yes->values[e] : both(no);
  }
  accumulate(work, work->dve, op->reduce_command, op->reduce_op.some ? op->reduce_op.value : ALU_OP_MAX, NULL, dst,
             op->reduce_res, "reduce_res", false);
  return true;
}

// ---- elementwise

static bool twin_tensor_tensor(TwinWork *work, const struct Op_tensor_tensor *op)
{
  if (is_bits(op->op))
    return false;
  TwinTile *a = operand(work, &op->src0, "src0"), *b = operand(work, &op->src1, "src1"), *dst = result(work, &op->dst, "dst");
  if (!same_shape(a, dst) || !same_shape(b, dst))
    return false;
  for (uint64_t e = 0; e < count_of(&dst->tile); e++)
    dst->values[e] = alu(op->op, false, a->values[e], b->values[e]);
  return true;
}

static bool twin_tensor_scalar(TwinWork *work, const struct Op_tensor_scalar *op)
{
  if (is_bits(op->op0))
    return false;
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  Side first = constant(0), second = constant(0);
  if (alu_info(op->op0)->operand_count > 1)
    first = side(work, &op->imm0, "imm0");
  if (op->op1.some && alu_info(op->op1.value)->operand_count > 1 && op->imm1)
    second = side(work, op->imm1, "imm1");
  uint64_t n = dst->tile.free_elems;
  for (uint64_t e = 0; e < count_of(&dst->tile) && same_shape(src, dst); e++) {
    Both value = alu(op->op0, reverses_first(op->reverse, op->op0), src->values[e], at(&first, e / n, 0));
    if (op->op1.some)
      value = alu(op->op1.value, reverses_second(op->reverse, op->op1.value), value, at(&second, e / n, 0));
    dst->values[e] = value;
  }
  return same_shape(src, dst);
}

static bool twin_scalar_tensor_tensor(TwinWork *work, const struct Op_nc_scalar_tensor_tensor *op)
{
  if (is_bits(op->op0) || is_bits(op->op1))
    return false;
  TwinTile *data = operand(work, &op->data, "data"), *dst = result(work, &op->dst, "dst");
  Side first = side(work, &op->src0, "src0"), second = side(work, &op->src1, "src1");
  uint64_t n = dst->tile.free_elems;
  for (uint64_t e = 0; e < count_of(&dst->tile) && same_shape(data, dst); e++) {
    Both inner = alu(op->op0, reverses_first(op->reverse_operands, op->op0), data->values[e], at(&first, e / n, e % n));
    dst->values[e] = alu(op->op1, reverses_second(op->reverse_operands, op->op1), inner, at(&second, e / n, e % n));
  }
  return same_shape(data, dst);
}

static bool twin_reciprocal(TwinWork *work, const struct Op_reciprocal *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  for (uint64_t e = 0; e < count_of(&dst->tile) && same_shape(src, dst); e++)
    dst->values[e] = alu(ALU_OP_RECIPROCAL, false, src->values[e], both(0));
  return same_shape(src, dst);
}

// ---- reductions

static AluOp fold_of(AluOp op)
{
  return op == ALU_OP_AVERAGE ? ALU_OP_ADD : op;
}

static Both divided(Both sum, double by)
{
  return (Both){sum.actual / by, sum.twin / by};
}

static bool twin_tensor_reduce(TwinWork *work, const struct Op_tensor_reduce *op)
{
  if (is_bits(op->op))
    return false;
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  uint64_t group = reduced_elems(src->tile.view, op->op_dim);
  if (!group || count_of(&src->tile) != count_of(&dst->tile) * group)
    return false;
  AluOp fold = fold_of(op->op);
  for (uint64_t g = 0; g < count_of(&dst->tile); g++) {
    const Both *from = src->values + g * group;
    Both sum = alu_is_logical(fold) ? alu(fold, false, both((double)alu_f32_identity(fold)), from[0]) : from[0];
    for (uint64_t i = 1; i < group; i++)
      sum = alu(fold, false, sum, from[i]);
    if (op->op == ALU_OP_AVERAGE)
      sum = divided(sum, (double)group);
    dst->values[g] = op->negated ? negative(sum) : sum;
  }
  return true;
}

static bool twin_partition_reduce(TwinWork *work, const struct Op_tensor_partition_reduce *op)
{
  if (is_bits(op->op))
    return false;
  TwinTile *src = operand(work, &op->data, "data"), *dst = result(work, &op->dst, "dst");
  uint64_t n = src->tile.free_elems;
  if (dst->tile.free_elems != n)
    return false;
  for (uint64_t i = 0; i < n; i++) {
    Both sum = src->values[i];
    for (uint64_t p = 1; p < src->tile.partitions; p++)
      sum = alu(fold_of(op->op), false, sum, src->values[p * n + i]);
    dst->values[i] = op->op == ALU_OP_AVERAGE ? divided(sum, (double)src->tile.partitions) : sum;
  }
  return true;
}

static bool twin_scan(TwinWork *work, const struct Op_tensor_tensor_scan *op)
{
  TwinTile *a = operand(work, &op->src0, "src0"), *b = operand(work, &op->src1, "src1"), *dst = result(work, &op->dst, "dst");
  Side initial = side(work, &op->imm0, "imm0");
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(a, dst) || !same_shape(b, dst) || is_bits(op->op0) || is_bits(op->op1))
    return false;
  for (uint64_t p = 0; p < dst->tile.partitions; p++) {
    Both state = at(&initial, p, 0);
    for (uint64_t e = p * n; e < (p + 1) * n; e++) {
      state = alu(op->op0, reverses_first(op->reverse_operands, op->op0), a->values[e], state);
      dst->values[e] = state = alu(op->op1, reverses_second(op->reverse_operands, op->op1), state, b->values[e]);
    }
  }
  return true;
}

static bool twin_scalar_reduce(TwinWork *work, const struct Op_tensor_scalar_reduce *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  Side first = side(work, &op->operand0, "operand0"), loaded = constant(0);
  if (op->reduce_init_tile)
    loaded = (Side){.tile = operand(work, op->reduce_init_tile, "reduce_init_tile")};
  else if (op->reduce_init)
    loaded = constant((double)immediate_f32(work->sim, op->reduce_init));
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(src, dst) || is_bits(op->op0))
    return false;
  for (uint64_t e = 0; e < count_of(&dst->tile); e++)
    dst->values[e] = alu(op->op0, swaps(op->op0, op->reverse0), src->values[e], at(&first, e / n, 0));
  accumulate(work, work->dve, op->reduce_cmd, op->reduce_op.some ? op->reduce_op.value : ALU_OP_ADD, &loaded, dst,
             &op->reduce_res, "reduce_res", op->reduce_res_negate);
  return true;
}

static bool twin_cumulative(TwinWork *work, const struct Op_tensor_scalar_cumulative *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  Side first = side(work, &op->imm0, "imm0"), loaded = op->imm1 ? side(work, op->imm1, "imm1") : constant(0);
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(src, dst) || is_bits(op->op0) || is_bits(op->op1))
    return false;
  for (uint64_t p = 0; p < dst->tile.partitions && p < SIM_MAX_PARTITIONS; p++) {
    Both *lane = &work->dve[p];
    (void)starts(op->reduce_cmd, lane, op->op1 == ALU_OP_SUBTRACT ? ALU_OP_ADD : op->op1, at(&loaded, p, 0));
    for (uint64_t e = p * n; e < (p + 1) * n; e++) {
      Both value = alu(op->op0, reverses_first(op->reverse, op->op0), src->values[e], at(&first, p, 0));
      dst->values[e] = *lane = alu(op->op1, reverses_second(op->reverse, op->op1), value, *lane);
    }
  }
  return true;
}

// ---- the scalar engine

static bool twin_activate(TwinWork *work, const struct Op_nc_activate *op, AccumCmd cmd)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  Side scale = side(work, &op->scale, "scale");
  Side bias = op->bias ? (Side){.tile = operand(work, op->bias, "bias")} : constant(0);
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(src, dst))
    return false;
  for (uint64_t e = 0; e < count_of(&dst->tile); e++) {
    Both value = alu(ALU_OP_MULT, false, src->values[e], at(&scale, e / n, 0));
    value = alu(ALU_OP_ADD, false, value, at(&bias, e / n, 0));
    dst->values[e] = apply(op->activation_func, value, both(0));
  }
  accumulate(work, work->act, cmd, op->reduce_op.some ? op->reduce_op.value : ALU_OP_ADD, NULL, dst, op->reduce_res,
             "reduce_res", false);
  return true;
}

static bool twin_activation_reduce(TwinWork *work, const struct Op_activation_reduce *o)
{
  struct Op_nc_activate same = {
      o->dst, o->src, o->accumulator_cmd, o->activation_func, o->scale, o->bias, o->reduce_op, o->reduce_res, o->dtype};
  return twin_activate(work, &same, ACCUM_CMD_ZERO_ACCUMULATE);
}

static bool twin_activate2(TwinWork *work, const struct Op_activate2 *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  Side first = side(work, &op->imm0, "imm0"), second = side(work, &op->imm1, "imm1"),
       slope = side(work, &op->relu_param, "relu_param");
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(src, dst) || is_bits(op->op0) || is_bits(op->op1))
    return false;
  for (uint64_t e = 0; e < count_of(&dst->tile); e++) {
    Both value = alu(op->op0, swaps(op->op0, op->reverse0), src->values[e], at(&first, e / n, 0));
    value = alu(op->op1, swaps(op->op1, op->reverse1), value, at(&second, e / n, 0));
    dst->values[e] = apply(op->activation_func, value, at(&slope, e / n, 0));
  }
  accumulate(work, work->act, op->reduce_cmd, op->reduce_op, NULL, dst, op->reduce_res, "reduce_res", false);
  return true;
}

static bool twin_exponential(TwinWork *work, const struct Op_exponential *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  Side peak = side(work, &op->max_value, "max_value"), initial = side(work, &op->reduce_init, "reduce_init");
  uint64_t n = dst->tile.free_elems;
  if (!same_shape(src, dst))
    return false;
  for (uint64_t e = 0; e < count_of(&dst->tile); e++)
    dst->values[e] = apply(ACTIVATION_FUNC_EXP, alu(ALU_OP_SUBTRACT, false, src->values[e], at(&peak, e / n, 0)), both(0));
  accumulate(work, work->dve, op->reducecmd, ALU_OP_ADD, &initial, dst, op->reduce_res, "reduce_res", false);
  return true;
}

// ---- statistics

// Of every second value: count, mean, sum of squared distances from it.
static void statistics(const Both *values, uint64_t n, uint64_t first, Both *out)
{
  Both sum = both(0), squares = both(0);
  double count = (double)((n + 1 - first) / 2);
  for (uint64_t i = first; i < n; i += 2)
    sum = alu(ALU_OP_ADD, false, sum, values[i]);
  Both mean = count > 0 ? divided(sum, count) : both(0);
  for (uint64_t i = first; i < n; i += 2) {
    Both distance = alu(ALU_OP_SUBTRACT, false, values[i], mean);
    squares = alu(ALU_OP_ADD, false, squares, alu(ALU_OP_MULT, false, distance, distance));
  }
  out[0] = both(count);
  out[1] = mean;
  out[2] = squares;
}

static bool twin_stats(TwinWork *work, const struct Op_batch_norm_stats *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  uint64_t n = src->tile.free_elems;
  if (dst->tile.partitions != src->tile.partitions || dst->tile.free_elems != 6 || !n)
    return false;
  for (uint64_t p = 0; p < src->tile.partitions; p++) {
    statistics(src->values + p * n, n, 0, dst->values + p * 6);
    statistics(src->values + p * n, n, 1, dst->values + p * 6 + 3);
  }
  return true;
}

static void aggregate(const Both *row, uint64_t n, Both *out)
{
  Both count = both(0), weighted = both(0), squares = both(0);
  for (uint64_t i = 0; i + 2 < n; i += 3) {
    count = alu(ALU_OP_ADD, false, count, row[i]);
    weighted = alu(ALU_OP_ADD, false, weighted, alu(ALU_OP_MULT, false, row[i], row[i + 1]));
    squares = alu(ALU_OP_ADD, false, squares, row[i + 2]);
  }
  out[0] = out[1] = both(0);
  if (count.actual == 0)
    return;
  out[0] = alu(ALU_OP_DIVIDE, false, weighted, count);
  for (uint64_t i = 0; i + 2 < n; i += 3) {
    Both distance = alu(ALU_OP_SUBTRACT, false, row[i + 1], out[0]);
    squares = alu(ALU_OP_ADD, false, squares, alu(ALU_OP_MULT, false, row[i], alu(ALU_OP_MULT, false, distance, distance)));
  }
  out[1] = alu(ALU_OP_DIVIDE, false, squares, count);
}

static bool twin_aggregate(TwinWork *work, const struct Op_batch_norm_aggregate *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  if (dst->tile.partitions != src->tile.partitions || dst->tile.free_elems != 2)
    return false;
  for (uint64_t p = 0; p < src->tile.partitions; p++)
    aggregate(src->values + p * src->tile.free_elems, src->tile.free_elems, dst->values + p * 2);
  return true;
}

// Puts a value into eight that descend.
static void rank_in(double *best, uint64_t kept, double value)
{
  uint64_t i = kept < 8 ? kept : 8;
  for (; i > 0 && value > best[i - 1]; i--)
    if (i < 8)
      best[i] = best[i - 1];
  if (i < 8)
    best[i] = value;
}

static bool twin_max8(TwinWork *work, const struct Op_max8 *op)
{
  TwinTile *src = operand(work, &op->src, "src"), *dst = result(work, &op->dst, "dst");
  uint64_t n = src->tile.free_elems;
  if (dst->tile.free_elems != 8 || dst->tile.partitions != src->tile.partitions || n < 8)
    return false;
  for (uint64_t p = 0; p < src->tile.partitions; p++) {
    double actual[8] = {0}, twin[8] = {0};
    for (uint64_t i = 0; i < n; i++) {
      rank_in(actual, i, src->values[p * n + i].actual);
      rank_in(twin, i, src->values[p * n + i].twin);
    }
    for (uint64_t i = 0; i < 8; i++)
      dst->values[p * 8 + i] = (Both){actual[i], twin[i]};
  }
  return true;
}

// ---- the tensor engine

static void transpose_by(TwinTile *dst, const TwinTile *stationary, const TwinTile *moving)
{
  uint64_t rows = dst->tile.partitions, columns = dst->tile.free_elems;
  for (uint64_t n = 0; n < columns; n++)
    for (uint64_t k = 0; k < moving->tile.partitions; k++)
      for (uint64_t m = 0; m < rows && moving->values[k * columns + n].actual != 0; m++)
        dst->values[m * columns + n] = stationary->values[k * rows + m];
}

static bool twin_matmul(TwinWork *work, const struct Op_nc_matmul *op)
{
  Tile to = tile_of(work->sim, &op->dst, "dst");
  TwinTile *a = operand(work, &op->stationary, "stationary"), *b = operand(work, &op->moving, "moving"),
           *dst = add_result(work, "dst", &to);
  uint64_t halves = op->perf_mode == PERF_MODE_NONE ? 1 : 2, depth = a->tile.partitions * halves;
  uint64_t rows = to.partitions, columns = to.free_elems;
  if (a->tile.free_elems != rows * halves || b->tile.free_elems != columns * halves || b->tile.partitions != a->tile.partitions)
    return false;
  if (op->is_transpose && work->sim->machine->transpose_is_exact) {
    transpose_by(dst, a, b);
    return true;
  }
  for (uint64_t m = 0; m < rows; m++)
    for (uint64_t k = 0; k < depth; k++) {
      Both factor = a->values[k * rows + m], *sums = dst->values + m * columns;
      const Both *row = b->values + k * columns;
      for (uint64_t n = 0; n < columns; n++) {
        sums[n].actual += factor.actual * row[n].actual;
        sums[n].twin += factor.twin * row[n].twin;
      }
    }
  TwinTile *old = NULL;
  for (uint64_t e = 0; e < rows * columns; e++) {
    if (!matmul_adds_to(op->accumulate, &to, tile_element(&to, e / columns, e % columns)))
      continue;
    if (!old)
      old = add_operand(work, "dst", &to);
    dst->values[e] = alu(ALU_OP_ADD, false, old->values[e], dst->values[e]);
  }
  return true;
}

static bool twin_dma_compute(TwinWork *work, const struct Op_dma_compute *op)
{
  Tile to;
  if (is_bits(op->reduce_op))
    return false;
  if (!dma_tile(work->sim, &op->dst, "dst", op->skips_oob, &to))
    return true;
  TwinTile *dst = add_result(work, "dst", &to);
  uint64_t count = count_of(&to);
  dst->kept = arena_array(&work->sim->scratch, bool, count);
  for (uint32_t s = 0; s < op->srcs.count; s++) {
    Tile from;
    if (!dma_tile(work->sim, &op->srcs.items[s], "srcs", op->skips_oob, &from) || count_of(&from) != count)
      return false;
    const TwinTile *src = add_operand(work, "srcs", &from);
    Both scale = both(s < op->scales.count ? (double)immediate_f32(work->sim, &op->scales.items[s]) : 1);
    for (uint64_t e = 0; e < count; e++) {
      Both scaled = alu(ALU_OP_MULT, false, src->values[e], scale);
      dst->values[e] = s == 0 ? scaled : alu(op->reduce_op, false, dst->values[e], scaled);
      dst->kept[e] = dst->kept[e] || !tile_row(&from, e / from.free_elems) || !tile_row(&to, e / to.free_elems);
    }
  }
  return true;
}

bool twin_compute(TwinWork *work, const Op *op)
{
  switch ((int)op->kind) {
  case OP_nc_copy: return twin_copy(work, &op->nc_copy);
  case OP_nc_dma_copy: return twin_dma_copy(work, &op->nc_dma_copy);
  case OP_dma_transpose: return twin_dma_transpose(work, &op->dma_transpose);
  case OP_transpose: return twin_transpose(work, &op->transpose);
  case OP_shuffle: return twin_shuffle(work, &op->shuffle);
  case OP_nc_n_gather: return twin_n_gather(work, &op->nc_n_gather);
  case OP_memset: return twin_memset(work, &op->memset);
  case OP_copy_predicated: return twin_copy_predicated(work, &op->copy_predicated);
  case OP_nc_affine_select: return twin_affine_select(work, &op->nc_affine_select);
  case OP_select_reduce: return twin_select_reduce(work, &op->select_reduce);
  case OP_nc_range_select: return twin_range_select(work, &op->nc_range_select);
  case OP_tensor_tensor: return twin_tensor_tensor(work, &op->tensor_tensor);
  case OP_tensor_scalar: return twin_tensor_scalar(work, &op->tensor_scalar);
  case OP_nc_scalar_tensor_tensor: return twin_scalar_tensor_tensor(work, &op->nc_scalar_tensor_tensor);
  case OP_reciprocal: return twin_reciprocal(work, &op->reciprocal);
  case OP_tensor_reduce: return twin_tensor_reduce(work, &op->tensor_reduce);
  case OP_tensor_partition_reduce: return twin_partition_reduce(work, &op->tensor_partition_reduce);
  case OP_tensor_tensor_scan: return twin_scan(work, &op->tensor_tensor_scan);
  case OP_tensor_scalar_reduce: return twin_scalar_reduce(work, &op->tensor_scalar_reduce);
  case OP_tensor_scalar_cumulative: return twin_cumulative(work, &op->tensor_scalar_cumulative);
  case OP_nc_activate: return twin_activate(work, &op->nc_activate, op->nc_activate.accumulator_cmd);
  case OP_activation_reduce: return twin_activation_reduce(work, &op->activation_reduce);
  case OP_activate2: return twin_activate2(work, &op->activate2);
  case OP_exponential: return twin_exponential(work, &op->exponential);
  case OP_batch_norm_stats: return twin_stats(work, &op->batch_norm_stats);
  case OP_batch_norm_aggregate: return twin_aggregate(work, &op->batch_norm_aggregate);
  case OP_max8: return twin_max8(work, &op->max8);
  case OP_nc_matmul: return twin_matmul(work, &op->nc_matmul);
  case OP_dma_compute: return twin_dma_compute(work, &op->dma_compute);
  }
  return false;
}
