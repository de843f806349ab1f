// reference.c -- the meaning of every operator, written to be obviously right.
//
// An executor reads all elements of all operands, computes the results one element at a time with the scalar functions
// of src/number, then writes them. P is a tile's partitions, F its elements per partition; element (p, i) stands at
// p * F + i of the arrays here. The fast executors (exec_*.c) must give the same bits.

#include "machine/rule_list.h"
#include "sim/exec.h"
#include "sim/psum.h"
#include "sim/tenancy.h"

#include "number/activation.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- tiles as arrays
static uint64_t count_of(const Tile *tile)
{
  return tile->partitions * tile->free_elems;
}

static float *new_floats(Sim *sim, uint64_t count)
{
  return arena_array(&sim->scratch, float, count);
}

// All elements as float32.
static float *floats(Sim *sim, const Tile *tile)
{
  tile_expect_unpacked(sim, tile);
  float *values = new_floats(sim, count_of(tile));
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems; i++)
      values[p * tile->free_elems + i] = dtype_to_f32_mode(tile->dtype, tile_element(tile, p, i), sim->number_mode);
  return values;
}

static float *read_floats(Sim *sim, const TensorRef *ref, const char *role, Tile *tile)
{
  *tile = tile_read(sim, ref, role);
  return floats(sim, tile);
}

// Writes all elements: rounded once to the tile's dtype.
static void write_floats(Sim *sim, const Tile *tile, const float *values)
{
  tile_expect_unpacked(sim, tile);
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems; i++)
      dtype_from_f32_mode(tile->dtype, values[p * tile->free_elems + i], tile_element(tile, p, i), sim->number_mode);
  tile_mark(tile);
}

// All elements' bytes, `item` each; zero in rows that are left out.
static uint8_t *units(Sim *sim, const Tile *tile)
{
  uint8_t *bytes = arena_alloc_array(&sim->scratch, count_of(tile), tile->item);
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems && tile_row(tile, p); i++)
      memcpy(bytes + (p * tile->free_elems + i) * tile->item, tile_element(tile, p, i), tile->item);
  return bytes;
}

static void write_units(const Tile *tile, const uint8_t *bytes)
{
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems; i++)
      memcpy(tile_element(tile, p, i), bytes + (p * tile->free_elems + i) * tile->item, tile->item);
  tile_mark(tile);
}

// All elements of an integer tile, sign- or zero-extended to 32 bits.
static uint32_t *bits(Sim *sim, const Tile *tile)
{
  tile_expect_bits(sim, tile);
  uint32_t *values = arena_array(&sim->scratch, uint32_t, count_of(tile));
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems; i++)
      values[p * tile->free_elems + i] = unit_bits(tile->dtype, tile_element(tile, p, i));
  return values;
}

// Writes the low bits of every value.
static void write_bits(Sim *sim, const Tile *tile, const uint32_t *values)
{
  tile_expect_bits(sim, tile);
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems; i++)
      memcpy(tile_element(tile, p, i), &values[p * tile->free_elems + i], tile->item);
  tile_mark(tile);
}

static uint32_t low_bits(uint32_t value, unsigned width)
{
  return width == 32 ? value : value & ((1u << width) - 1);
}

static uint32_t bit_op(Sim *sim, AluOp op, unsigned width, uint32_t x, uint32_t y)
{
  if (alu_is_shift(op) && low_bits(y, width) >= width)
    shift_is_open(sim, op, width, low_bits(y, width));
  return alu_bits(op, width, low_bits(x, width), low_bits(y, width));
}

// An operator on float32. A power of a negative number that is no integer is open.
static float float_op(Sim *sim, AluOp op, float x, float y)
{
  if (op == ALU_OP_POW && power_is_open(x, y))
    sim_unspecified(sim, GAP_POWER_DOMAIN, "`%s` of %.9g to the power %.9g", sim_op_name(sim), (double)x, (double)y);
  return alu_f32(op, x, y);
}

static float value_at(const Values *values, const float *full, uint64_t p, uint64_t at)
{
  return values->is_full ? full[at] : values->lanes[p];
}

static float reversed_f32(Sim *sim, AluOp op, bool reverse, float x, float y)
{
  return reverse ? float_op(sim, op, y, x) : float_op(sim, op, x, y);
}

static uint32_t reversed_bits(Sim *sim, AluOp op, bool reverse, unsigned width, uint32_t x, uint32_t y)
{
  return reverse ? bit_op(sim, op, width, y, x) : bit_op(sim, op, width, x, y);
}

static Tile write_tile(Sim *sim, const TensorRef *ref, const char *role)
{
  return tile_of(sim, ref, role);
}

// ---- moving elements

bool copy_rounds_between(Sim *sim, const struct Op_nc_copy *op, const Tile *dst)
{
  return op->dtype.some && !dtype_is_packed(op->dtype.value) &&
         !dtype_same_format(state_stored_dtype(sim, op->dtype.value), dst->dtype);
}

// dst = src: equal dtypes copy bytes, others go through float32.
static void copy_tile(Sim *sim, const Tile *dst, const Tile *src)
{
  if (dtype_same_format(dst->dtype, src->dtype))
    write_units(dst, units(sim, src));
  else
    write_floats(sim, dst, floats(sim, src));
}

// dst[p,i] = src[p,i], or, with another dtype between them, src[p,i] rounded to that first.
static void run_nc_copy(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->nc_copy.dst, "dst"), src = tile_read(sim, &op->nc_copy.src, "src");
  tile_expect_same_shape(sim, &dst, &src);
  expect_clear(sim, &dst, &src);
  if (!copy_rounds_between(sim, &op->nc_copy, &dst)) {
    copy_tile(sim, &dst, &src);
    return;
  }
  DType between = state_stored_dtype(sim, op->nc_copy.dtype.value);
  float *values = floats(sim, &src);
  for (uint64_t i = 0; i < count_of(&dst); i++) {
    uint64_t unit = 0;
    dtype_from_f32_mode(between, values[i], &unit, sim->number_mode);
    values[i] = dtype_to_f32_mode(between, &unit, sim->number_mode);
  }
  write_floats(sim, &dst, values);
}

// dst[e] = src[e] in the order of each view's elements, whatever their shapes; rows whose run-time index is out of
// bounds are left out when asked to. With `compute_op` add: dst[e] = dst[e] + src[e] in float32.
static void run_dma(Sim *sim, const Tile *dst, const Tile *src, bool adds)
{
  if (count_of(dst) != count_of(src)) {
    sim_error(sim, E_SIM_SHAPE, "`%s` copies %" PRIu64 " elements to a place for %" PRIu64, sim_op_name(sim),
              count_of(src), count_of(dst));
    sim_stop(sim);
  }
  bool copies_bytes = dtype_same_format(dst->dtype, src->dtype) && !adds;
  if (!copies_bytes) {
    tile_expect_unpacked(sim, dst);
    tile_expect_unpacked(sim, src);
  }
  uint64_t count = count_of(dst), item = dst->item;
  uint8_t *bytes = arena_alloc_array(&sim->scratch, count, item);
  bool *moves = arena_array(&sim->scratch, bool, count);
  for (uint64_t e = 0; e < count; e++) {
    uint64_t sp = e / src->free_elems, dp = e / dst->free_elems;
    moves[e] = tile_row(src, sp) && tile_row(dst, dp);
    if (!moves[e])
      continue;
    const uint8_t *from = tile_element(src, sp, e % src->free_elems);
    if (copies_bytes) {
      memcpy(bytes + e * item, from, item);
      continue;
    }
    float value = dtype_to_f32_mode(src->dtype, from, sim->number_mode);
    if (adds)
      value = dtype_to_f32_mode(dst->dtype, tile_element(dst, dp, e % dst->free_elems), sim->number_mode) + value;
    dtype_from_f32_mode(dst->dtype, value, bytes + e * item, sim->number_mode);
  }
  for (uint64_t e = 0; e < count; e++) {
    if (!moves[e])
      continue;
    uint8_t *to = tile_element(dst, e / dst->free_elems, e % dst->free_elems);
    memcpy(to, bytes + e * item, item);
    buffer_mark(dst->buffer, (uint64_t)(to - dst->buffer->data), item);
  }
  for (uint64_t e = 0; e < count && dst->rows; e++)
    if (moves[e] && memcmp(tile_element(dst, e / dst->free_elems, e % dst->free_elems), bytes + e * item, item) != 0) {
      sim_unspecified(sim, GAP_SCATTER_ORDER, "row %" PRIu64 " of the scatter is written over by a later one",
                      e / dst->free_elems);
      break;
    }
  sim_count_dma(sim, src);
}

static void run_nc_dma_copy(Sim *sim, const Op *op)
{
  const struct Op_nc_dma_copy *o = &op->nc_dma_copy;
  Tile dst, src;
  if (dma_is_fence(o))
    return;
  bool skips = dma_skips(&o->oob_mode);
  if (!dma_tile(sim, &o->src, "src", skips, &src) || !dma_tile(sim, &o->dst, "dst", skips, &dst))
    return;
  tile_check_written(sim, &src);
  bool adds = o->compute_op == DGE_COMPUTE_OP_ADD;
  if (adds)
    tile_check_written(sim, &dst);
  expect_clear(sim, &dst, &src);
  run_dma(sim, &dst, &src, adds);
}

// The first and the last dimension change places: dst[l,j,k,i] = src[i,j,k,l], and so for two and three dimensions. A
// row i whose run-time index is out of bounds is left out when asked to: what it would fill keeps its value.
static void run_dma_transpose(Sim *sim, const Op *op)
{
  const struct Op_dma_transpose *o = &op->dma_transpose;
  Tile dst = write_tile(sim, &o->dst, "dst"), src;
  if (!dma_tile(sim, &o->src, "src", dma_skips(&o->oob_mode), &src))
    return;
  tile_check_written(sim, &src);
  expect_clear(sim, &dst, &src);
  uint64_t rows = src.partitions, last = dma_transpose_last(sim, &dst, &src), middle = last ? src.free_elems / last : 0;
  uint8_t *from = units(sim, &src);
  for (uint64_t i = 0; i < rows; i++)
    for (uint64_t m = 0; m < middle && tile_row(&src, i); m++)
      for (uint64_t l = 0; l < last; l++) {
        uint8_t *to = tile_element(&dst, l, m * rows + i);
        memcpy(to, from + (i * src.free_elems + m * last + l) * src.item, src.item);
        buffer_mark(dst.buffer, (uint64_t)(to - dst.buffer->data), dst.item);
      }
  sim_count_dma(sim, &src);
}

// Before NeuronCore-v3 the tensor engine has no transpose mode: it multiplies by an identity and adds up, so that an
// infinity or NaN spoils its whole column of results and -0 becomes 0.
static float through_identity(const float *values, uint64_t rows, uint64_t columns, uint64_t row, uint64_t column)
{
  float sum = 0;
  for (uint64_t k = 0; k < rows; k++)
    sum = fmaf(values[k * columns + column], k == row ? 1.0f : 0.0f, sum);
  return sum;
}

// dst[j,i] = src[i,j], bits unchanged when the dtypes are equal; floats on the tensor engine of NeuronCore-v2 as above. From
// NeuronCore-v3 on that engine extends 8-bit elements with zero bits into 16-bit ones.
static void run_transpose(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->transpose.dst, "dst"), src = tile_read(sim, &op->transpose.src, "data");
  tile_expect_shape(sim, &dst, src.free_elems, src.partitions);
  expect_clear(sim, &dst, &src);
  uint64_t rows = src.partitions, columns = src.free_elems;
  bool multiplies = transpose_multiplies(sim, op->transpose.engine, &src);
  bool extends = op->transpose.engine == ENGINE_PE && src.item == 1 && dst.item == 2;
  transpose_check_bytes(sim, op->transpose.engine, &dst, &src);
  if ((dtype_same_format(dst.dtype, src.dtype) || extends) && !multiplies) {
    uint8_t *from = units(sim, &src), *to = arena_alloc_array(&sim->scratch, count_of(&dst), dst.item);
    for (uint64_t r = 0; r < rows; r++)
      for (uint64_t c = 0; c < columns; c++)
        memcpy(to + (c * rows + r) * dst.item, from + (r * columns + c) * src.item, src.item);
    write_units(&dst, to);
    return;
  }
  float *from = floats(sim, &src), *to = new_floats(sim, count_of(&dst));
  for (uint64_t r = 0; r < rows; r++)
    for (uint64_t c = 0; c < columns; c++)
      to[c * rows + r] = multiplies ? through_identity(from, rows, columns, r, c) : from[r * columns + c];
  write_floats(sim, &dst, to);
}

// Within each group of 32 partitions: dst[32q + i] = src[32q + mask[i]] where mask[i] is not 255; bits unchanged. All of
// src is read before dst is written. A row beyond those of src is not defined; dst keeps its value then.
static void run_shuffle(Sim *sim, const Op *op)
{
  const struct Op_shuffle *o = &op->shuffle;
  enum { GROUP = 32, KEEP = 255 };
  Tile dst = write_tile(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "src");
  if (dst.free_elems != src.free_elems)
    tile_expect_same_shape(sim, &dst, &src);
  if (!dtype_same_format(dst.dtype, src.dtype) || o->shuffle_mask.count != GROUP) {
    sim_error(sim, E_SIM_DTYPE, "`shuffle` takes operands of one dtype and a mask of %d numbers", GROUP);
    sim_stop(sim);
  }
  uint8_t *from = units(sim, &src);
  uint64_t row = src.free_elems * src.item;
  for (uint64_t p = 0; p < dst.partitions; p++) {
    int64_t mask = immediate_int(sim, &o->shuffle_mask.items[p % GROUP]);
    if (mask == KEEP)
      continue;
    uint64_t source = p / GROUP * GROUP + (uint64_t)mask;
    if (mask < 0 || mask >= GROUP) {
      sim_error(sim, E_SIM_VALUE, "`shuffle` mask[%" PRIu64 "] = %" PRId64 " names no partition of the source",
                p % GROUP, mask);
      sim_stop(sim);
    }
    if (source >= src.partitions) {
      sim_unspecified(sim, GAP_SHUFFLE_SOURCE,
                      "mask[%" PRIu64 "] = %" PRId64 " names partition %" PRIu64 " of `src`, which has %" PRIu64,
                      p % GROUP, mask, source, src.partitions);
      continue;
    }
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      uint8_t *to = tile_element(&dst, p, i);
      memcpy(to, from + source * row + i * src.item, src.item);
      buffer_mark(dst.buffer, (uint64_t)(to - dst.buffer->data), dst.item);
    }
  }
}

// dst[p,i] = value
static void run_memset(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->memset.dst, "dst");
  uint8_t unit[8];
  constant_check_range(sim, &op->memset.value, dst.dtype);
  constant_unit(sim, &op->memset.value, dst.dtype, unit);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++)
      memcpy(tile_element(&dst, p, i), unit, dst.item);
  tile_mark(&dst);
}

// Where (predicate[p,i] != 0) differs from `reverse_pred`: dst[p,i] = src[p,i], or the constant; elsewhere dst is kept.
static void run_copy_predicated(Sim *sim, const Op *op)
{
  const struct Op_copy_predicated *o = &op->copy_predicated;
  Tile dst = write_tile(sim, &o->dst, "dst"), predicate = tile_read(sim, &o->predicate, "predicate"), src = dst;
  tile_expect_same_shape(sim, &dst, &predicate);
  expect_clear(sim, &dst, &predicate);
  uint8_t constant[8];
  const uint8_t *from = constant;
  const float *converted = NULL;
  if (o->imm) {
    constant_unit(sim, o->imm, dst.dtype, constant);
  } else {
    src = tile_read(sim, &o->src, "src");
    tile_expect_same_shape(sim, &dst, &src);
    expect_clear(sim, &dst, &src);
    if (dtype_same_format(dst.dtype, src.dtype))
      from = units(sim, &src);
    else
      converted = floats(sim, &src);
  }
  const float *chosen = floats(sim, &predicate);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      uint64_t at = p * dst.free_elems + i;
      if ((chosen[at] != 0) == o->reverse_pred)
        continue;
      uint8_t *to = tile_element(&dst, p, i);
      if (converted)
        dtype_from_f32_mode(dst.dtype, converted[at], to, sim->number_mode);
      else
        memcpy(to, o->imm ? from : from + at * dst.item, dst.item);
      buffer_mark(dst.buffer, (uint64_t)(to - dst.buffer->data), dst.item);
    }
}

// ---- patterns

// offset + p * channel_multiplier + the sum of index * step over the pattern's dimensions, for free element i, in
// 32 bits that wrap around (which expect_pattern has told of).
static int32_t pattern_value(const DataPattern *pattern, uint64_t p, uint64_t i)
{
  uint32_t value = (uint32_t)pattern->offset + (uint32_t)p * (uint32_t)pattern->channel_multiplier;
  for (uint32_t d = pattern->pattern.count; d-- > 0;) {
    const ApPair *pair = &pattern->pattern.items[d];
    value += (uint32_t)(i % pair->num) * (uint32_t)pair->step;
    i /= pair->num;
  }
  return (int32_t)value;
}

static void expect_pattern(Sim *sim, const DataPattern *pattern, const Tile *dst)
{
  uint64_t count = 1;
  for (uint32_t d = 0; d < pattern->pattern.count; d++)
    count *= pattern->pattern.items[d].num;
  if (count != dst->free_elems) {
    sim_error(sim, E_SIM_SHAPE, "the pattern of `%s` has %" PRIu64 " elements, its `dst` has %" PRIu64 " per partition",
              sim_op_name(sim), count, dst->free_elems);
    sim_stop(sim);
  }
  pattern_check_range(sim, pattern, dst->partitions);
}

// dst[p,i] = pattern value, an int32: kept exactly in 32-bit integers, else through float32.
static void run_iota(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->iota.dst, "dst");
  tile_expect_unpacked(sim, &dst);
  expect_pattern(sim, &op->iota.pattern, &dst);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      Immediate value = {.ctor = Immediate_integer, .integer = pattern_value(&op->iota.pattern, p, i)};
      immediate_unit(sim, &value, dst.dtype, tile_element(&dst, p, i));
    }
  tile_mark(&dst);
}

static bool compare_to_zero(Sim *sim, AluOp cmp, int32_t value)
{
  switch (cmp) {
  case ALU_OP_IS_EQUAL: return value == 0;
  case ALU_OP_NOT_EQUAL: return value != 0;
  case ALU_OP_IS_GE: return value >= 0;
  case ALU_OP_IS_GT: return value > 0;
  case ALU_OP_IS_LE: return value <= 0;
  case ALU_OP_IS_LT: return value < 0;
  default:
    sim_error(sim, E_SIM_VALUE, "`%s` compares with `%s`, which is not a comparison", sim_op_name(sim),
              alu_info(cmp)->wire_name);
    sim_stop(sim);
  }
}

// dst[p,i] = (pattern value compared with 0) ? on_true_tile[p,i] : on_false_value. Equal dtypes keep the bits of what is
// selected, others go through float32, as the constant does.
static void run_nc_affine_select(Sim *sim, const Op *op)
{
  const struct Op_nc_affine_select *o = &op->nc_affine_select;
  Tile dst = write_tile(sim, &o->dst, "dst"), src = tile_read(sim, &o->on_true_tile, "on_true_tile");
  tile_expect_unpacked(sim, &dst);
  tile_expect_unpacked(sim, &src);
  tile_expect_same_shape(sim, &dst, &src);
  expect_pattern(sim, &o->pred, &dst);
  expect_clear(sim, &dst, &src);
  bool keeps_bits = dtype_same_format(dst.dtype, src.dtype);
  uint8_t *to = arena_alloc_array(&sim->scratch, count_of(&dst), dst.item);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      uint8_t *unit = to + (p * dst.free_elems + i) * dst.item;
      const uint8_t *from = tile_element(&src, p, i);
      bool chosen = compare_to_zero(sim, o->cmp_op, pattern_value(&o->pred, p, i));
      float value = chosen ? dtype_to_f32_mode(src.dtype, from, sim->number_mode) : immediate_f32(sim, &o->on_false_value);
      if (chosen && keeps_bits)
        memcpy(unit, from, dst.item);
      else
        dtype_from_f32_mode(dst.dtype, value, unit, sim->number_mode);
    }
  write_units(&dst, to);
}

// ---- elementwise arithmetic

// dst[p,i] = src0[p,i] op src1[p,i]: bit operators on the integers' bits, exact integers on gpsimd, else float32.
static void run_tensor_tensor(Sim *sim, const Op *op)
{
  const struct Op_tensor_tensor *o = &op->tensor_tensor;
  Tile dst = write_tile(sim, &o->dst, "dst"), a = tile_read(sim, &o->src0, "data1"),
       b = tile_read(sim, &o->src1, "data2");
  tile_expect_same_shape(sim, &dst, &a);
  tile_expect_same_shape(sim, &dst, &b);
  expect_clear(sim, &dst, &a);
  expect_clear(sim, &dst, &b);
  uint64_t count = count_of(&dst);
  bool is_bits = alu_is_bitvec(o->op);
  if (is_bits || is_exact_integer(&dst, &a, &b, o->engine)) {
    uint32_t *x = bits(sim, &a), *y = bits(sim, &b);
    bool is_signed = a.dtype == DTYPE_INT32;
    for (uint64_t i = 0; i < count; i++)
      x[i] = is_bits ? bit_op(sim, o->op, bits_width(&dst, &a, &b), x[i], y[i]) : alu_int32(o->op, is_signed, x[i], y[i]);
    write_bits(sim, &dst, x);
    return;
  }
  float *x = floats(sim, &a), *y = floats(sim, &b);
  for (uint64_t i = 0; i < count; i++)
    x[i] = float_op(sim, o->op, x[i], y[i]);
  write_floats(sim, &dst, x);
}

// The bit form of tensor_scalar.
static void run_tensor_scalar_bits(Sim *sim, const struct Op_tensor_scalar *o, const Tile *dst, const Tile *src)
{
  uint32_t first[SIM_MAX_PARTITIONS] = {0}, second[SIM_MAX_PARTITIONS] = {0}, *values = bits(sim, src);
  if (alu_info(o->op0)->operand_count > 1)
    operand_bits(sim, &o->imm0, "operand0", dst->partitions, first);
  if (o->op1.some && alu_info(o->op1.value)->operand_count > 1 && o->imm1)
    operand_bits(sim, o->imm1, "operand1", dst->partitions, second);
  unsigned width = bits_width(dst, src, src);
  for (uint64_t p = 0; p < dst->partitions; p++)
    for (uint64_t i = 0; i < dst->free_elems; i++) {
      uint32_t *value = &values[p * dst->free_elems + i];
      *value = reversed_bits(sim, o->op0, reverses_first(o->reverse, o->op0), width, *value, first[p]);
      if (o->op1.some)
        *value = reversed_bits(sim, o->op1.value, reverses_second(o->reverse, o->op1.value), width, *value, second[p]);
    }
  write_bits(sim, dst, values);
}

// t = src op0 operand0, dst = t op1 operand1; operands are constants or one value per partition, and change sides when
// reversed. Bit operators work on integers' bits, others in float32.
static void run_tensor_scalar(Sim *sim, const Op *op)
{
  const struct Op_tensor_scalar *o = &op->tensor_scalar;
  Tile dst = write_tile(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data");
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &src);
  bool is_bits = alu_is_bitvec(o->op0);
  if (o->op1.some && alu_is_bitvec(o->op1.value) != is_bits) {
    sim_error(sim, E_SIM_DTYPE, "`tensor_scalar` mixes the bit operator `%s` with arithmetic",
              alu_info(is_bits ? o->op0 : o->op1.value)->wire_name);
    sim_stop(sim);
  }
  if (is_bits) {
    run_tensor_scalar_bits(sim, o, &dst, &src);
    return;
  }
  Values first = {0}, second = {0};
  if (alu_info(o->op0)->operand_count > 1)
    operand_values(sim, &o->imm0, "operand0", &dst, false, &first);
  if (o->op1.some && alu_info(o->op1.value)->operand_count > 1 && o->imm1)
    operand_values(sim, o->imm1, "operand1", &dst, false, &second);
  float *values = floats(sim, &src);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      float *value = &values[p * dst.free_elems + i];
      *value = reversed_f32(sim, o->op0, reverses_first(o->reverse, o->op0), *value, first.lanes[p]);
      if (o->op1.some)
        *value = reversed_f32(sim, o->op1.value, reverses_second(o->reverse, o->op1.value), *value, second.lanes[p]);
    }
  write_floats(sim, &dst, values);
}

// dst = (data op0 src0) op1 src1 in float32; src0 and src1 are constants, one value per partition, or tiles like data.
static void run_nc_scalar_tensor_tensor(Sim *sim, const Op *op)
{
  const struct Op_nc_scalar_tensor_tensor *o = &op->nc_scalar_tensor_tensor;
  Tile dst = write_tile(sim, &o->dst, "dst"), data;
  float *values = read_floats(sim, &o->data, "data", &data);
  tile_expect_same_shape(sim, &dst, &data);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &data);
  Values first, second;
  operand_values(sim, &o->src0, "operand0", &dst, true, &first);
  operand_values(sim, &o->src1, "operand1", &dst, true, &second);
  if (first.is_full)
    expect_clear(sim, &dst, &first.tile);
  if (second.is_full)
    expect_clear(sim, &dst, &second.tile);
  float *x = first.is_full ? floats(sim, &first.tile) : NULL, *y = second.is_full ? floats(sim, &second.tile) : NULL;
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      uint64_t at = p * dst.free_elems + i;
      float inner = reversed_f32(sim, o->op0, reverses_first(o->reverse_operands, o->op0), values[at], value_at(&first, x, p, at));
      values[at] = reversed_f32(sim, o->op1, reverses_second(o->reverse_operands, o->op1), inner, value_at(&second, y, p, at));
    }
  write_floats(sim, &dst, values);
}

// dst = 1 / src, rounded once to float32
static void run_reciprocal(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->reciprocal.dst, "dst"), src;
  float *values = read_floats(sim, &op->reciprocal.src, "data", &src);
  tile_expect_same_shape(sim, &dst, &src);
  expect_clear(sim, &dst, &src);
  for (uint64_t i = 0; i < count_of(&dst); i++)
    values[i] = 1.0f / values[i];
  write_floats(sim, &dst, values);
}

// ---- reductions along the free dimensions

// dst[p,o] = the elements of a group folded left to right in float32, starting with the first; negated if asked to.
// Bit operators fold bits; logical operators give 0 or 1, of a single element too; average is the sum divided by the
// count.
static void run_tensor_reduce(Sim *sim, const Op *op)
{
  const struct Op_tensor_reduce *o = &op->tensor_reduce;
  Tile dst = write_tile(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data");
  uint64_t group = reduced_elems(src.view, o->op_dim), groups = group ? src.free_elems / group : 0;
  tile_expect_shape(sim, &dst, src.partitions, groups);
  tile_expect_elements(sim, &src, group);
  if (alu_is_bitvec(o->op)) {
    uint32_t *from = bits(sim, &src), *to = arena_array(&sim->scratch, uint32_t, count_of(&dst));
    for (uint64_t g = 0; g < count_of(&dst); g++) {
      to[g] = from[g * group];
      for (uint64_t i = 1; i < group; i++)
        to[g] = bit_op(sim, o->op, bits_width(&dst, &src, &src), to[g], from[g * group + i]);
    }
    write_bits(sim, &dst, to);
    return;
  }
  AluOp fold = o->op == ALU_OP_AVERAGE ? ALU_OP_ADD : o->op;
  float *from = floats(sim, &src), *to = new_floats(sim, count_of(&dst));
  for (uint64_t g = 0; g < count_of(&dst); g++) {
    to[g] = alu_is_logical(fold) ? alu_f32(fold, alu_f32_identity(fold), from[g * group]) : from[g * group];
    for (uint64_t i = 1; i < group; i++)
      to[g] = alu_f32(fold, to[g], from[g * group + i]);
    if (o->op == ALU_OP_AVERAGE)
      to[g] = to[g] / (float)group;
    if (o->negated)
      to[g] = -to[g];
  }
  write_floats(sim, &dst, to);
}

// Whether adding up is the same on 32-bit integers and in float32: all sums on the way are below 2^24.
static void expect_small_sums(Sim *sim, const struct Op_tensor_partition_reduce *o, const Tile *src)
{
  if (!dtype_is_integer(src->dtype) || src->item != 4 || (o->op != ALU_OP_ADD && o->op != ALU_OP_AVERAGE))
    return;
  const uint32_t *values = bits(sim, src);
  for (uint64_t i = 0; i < src->free_elems; i++) {
    int64_t sum = 0;
    for (uint64_t p = 0; p < src->partitions; p++) {
      uint32_t value = values[p * src->free_elems + i];
      sum += src->dtype == DTYPE_INT32 ? (int32_t)value : (int64_t)value;
      if (sum < -(1 << 24) || sum > 1 << 24) {
        sim_unspecified(sim, GAP_PARTITION_INTEGERS, "`%s` adds up to %" PRId64 " in column %" PRIu64, sim_op_name(sim),
                        sum, i);
        return;
      }
    }
  }
}

// dst[0,i] = the partitions' elements i folded in order of the partitions, in float32; bit operators fold bits.
static void run_tensor_partition_reduce(Sim *sim, const Op *op)
{
  const struct Op_tensor_partition_reduce *o = &op->tensor_partition_reduce;
  Tile dst = write_tile(sim, &o->dst, "dst"), src = tile_read(sim, &o->data, "data");
  uint64_t n = src.free_elems;
  tile_expect_shape(sim, &dst, 1, n);
  if (alu_is_bitvec(o->op)) {
    uint32_t *from = bits(sim, &src);
    for (uint64_t p = 1; p < src.partitions; p++)
      for (uint64_t i = 0; i < n; i++)
        from[i] = bit_op(sim, o->op, bits_width(&dst, &src, &src), from[i], from[p * n + i]);
    write_bits(sim, &dst, from);
    return;
  }
  expect_small_sums(sim, o, &src);
  AluOp fold = o->op == ALU_OP_AVERAGE ? ALU_OP_ADD : o->op;
  float *from = floats(sim, &src);
  for (uint64_t p = 1; p < src.partitions; p++)
    for (uint64_t i = 0; i < n; i++)
      from[i] = alu_f32(fold, from[i], from[p * n + i]);
  for (uint64_t i = 0; i < n && o->op == ALU_OP_AVERAGE; i++)
    from[i] = from[i] / (float)src.partitions;
  write_floats(sim, &dst, from);
}

// state = imm0; for each i: state = (src0[p,i] op0 state) op1 src1[p,i], dst[p,i] = state. The state is a float32 that
// is not rounded to dst's dtype.
static void run_tensor_tensor_scan(Sim *sim, const Op *op)
{
  const struct Op_tensor_tensor_scan *o = &op->tensor_tensor_scan;
  Tile dst = write_tile(sim, &o->dst, "dst"), a, b;
  float *x = read_floats(sim, &o->src0, "data0", &a), *y = read_floats(sim, &o->src1, "data1", &b);
  tile_expect_same_shape(sim, &dst, &a);
  tile_expect_same_shape(sim, &dst, &b);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &a);
  expect_clear(sim, &dst, &b);
  Values initial;
  operand_values(sim, &o->imm0, "initial", &dst, false, &initial);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    float state = initial.lanes[p];
    for (uint64_t i = p * dst.free_elems; i < (p + 1) * dst.free_elems; i++) {
      state = reversed_f32(sim, o->op0, reverses_first(o->reverse_operands, o->op0), x[i], state);
      state = reversed_f32(sim, o->op1, reverses_second(o->reverse_operands, o->op1), state, y[i]);
      x[i] = state;
    }
  }
  write_floats(sim, &dst, x);
}

// Applies an accumulator command: resets or loads each lane, folds the row's float32 values left to right (before they
// are rounded to dst), and leaves the lane's value for later instructions.
static void accumulate(Sim *sim, Accumulator *accumulator, AccumCmd cmd, AluOp op, const float *loaded, const Tile *like,
                       const float *values, bool is_read)
{
  accum_begin(sim, accumulator, cmd, like, is_read);
  for (uint64_t p = 0; p < like->partitions; p++) {
    float *lane = &accumulator->lanes[p];
    if (accum_starts(cmd, lane, op, loaded ? loaded[p] : 0))
      for (uint64_t i = 0; i < like->free_elems; i++)
        *lane = alu_f32(op, *lane, values[p * like->free_elems + i]);
  }
}

// reduce_res[p] = the lane, or its negation
static void write_lanes(Sim *sim, const TensorRef *ref, const Tile *like, const Accumulator *accumulator, bool negate)
{
  Tile result = write_tile(sim, ref, "reduce_res");
  tile_expect_shape(sim, &result, like->partitions, 1);
  float lanes[SIM_MAX_PARTITIONS];
  for (uint64_t p = 0; p < like->partitions; p++)
    lanes[p] = negate ? -accumulator->lanes[p] : accumulator->lanes[p];
  write_floats(sim, &result, lanes);
}

// Inputs for which the documents do not define what the function gives.
static void check_activation(Sim *sim, ActivationFunc func, bool has_slope, const Tile *src, uint64_t p, uint64_t i,
                             float input)
{
  if (func == ACTIVATION_FUNC_PRELU && !has_slope && input < 0)
    sim_unspecified(sim, GAP_PRELU_SLOPE, "`prelu` of %.9g, for element %s of `%s`, without a slope", (double)input,
                    tile_index_text(sim, src, p, i), src->role);
  if (sim->options.checks && input == input && !activation_in_range(func, input))
    warn_range(sim, func, src, p, i, input);
}

// dst[p,i] = f(src[p,i] * scale + bias), each step rounded to float32; without a bias nothing is added. The values
// before rounding to dst go to the scalar engine's accumulator, and from there to reduce_res.
static void activate(Sim *sim, const struct Op_nc_activate *o, AccumCmd cmd)
{
  Tile dst = write_tile(sim, &o->dst, "dst"), src;
  float *values = read_floats(sim, &o->src, "data", &src), bias[SIM_MAX_PARTITIONS] = {0};
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &src);
  Values scale;
  operand_values(sim, &o->scale, "scale", &dst, false, &scale);
  if (o->bias)
    lanes_of(sim, o->bias, "bias", dst.partitions, bias);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      float *value = &values[p * dst.free_elems + i];
      *value = *value * scale.lanes[p];
      if (o->bias)
        *value = *value + bias[p];
      check_activation(sim, o->activation_func, false, &src, p, i, *value);
      *value = activation_f32(o->activation_func, *value);
    }
  write_floats(sim, &dst, values);
  accumulate(sim, &sim->core->act, cmd, o->reduce_op.some ? o->reduce_op.value : ALU_OP_ADD, NULL, &src, values,
             o->reduce_res != NULL);
  if (o->reduce_res)
    write_lanes(sim, o->reduce_res, &dst, &sim->core->act, false);
}

static void run_nc_activate(Sim *sim, const Op *op)
{
  activate(sim, &op->nc_activate, op->nc_activate.accumulator_cmd);
}

// nc_activate that always resets and reduces.
static void run_activation_reduce(Sim *sim, const Op *op)
{
  const struct Op_activation_reduce *o = &op->activation_reduce;
  struct Op_nc_activate same = {
      o->dst, o->src, o->accumulator_cmd, o->activation_func, o->scale, o->bias, o->reduce_op, o->reduce_res, o->dtype};
  activate(sim, &same, ACCUM_CMD_ZERO_ACCUMULATE);
}

// dst = src op0 operand0 in float32; its values go to the vector engine's accumulator and from there to reduce_res.
static void run_tensor_scalar_reduce(Sim *sim, const Op *op)
{
  const struct Op_tensor_scalar_reduce *o = &op->tensor_scalar_reduce;
  Tile dst = write_tile(sim, &o->dst, "dst"), src;
  float *values = read_floats(sim, &o->src, "data", &src), initial[SIM_MAX_PARTITIONS] = {0};
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &src);
  Values operand;
  operand_values(sim, &o->operand0, "operand0", &dst, false, &operand);
  initial_lanes(sim, o, dst.partitions, initial);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      float *value = &values[p * dst.free_elems + i];
      *value = reversed_f32(sim, o->op0, swaps(o->op0, o->reverse0), *value, operand.lanes[p]);
    }
  write_floats(sim, &dst, values);
  AluOp fold = o->reduce_op.some ? o->reduce_op.value : ALU_OP_ADD;
  accumulate(sim, &sim->core->dve, o->reduce_cmd, fold, initial, &src, values, true);
  write_lanes(sim, &o->reduce_res, &dst, &sim->core->dve, o->reduce_res_negate);
}

// An element that is NaN, where the documents leave open what becomes of it.
static void expect_no_nan(Sim *sim, Gap gap, const Tile *tile, const float *values)
{
  for (uint64_t p = 0; p < tile->partitions; p++)
    for (uint64_t i = 0; i < tile->free_elems; i++)
      if (values[p * tile->free_elems + i] != values[p * tile->free_elems + i]) {
        nan_is_open(sim, gap, tile, p, i);
        return;
      }
}

// dst = (predicate != 0) differs from reverse_pred ? on_true : on_false; the maximum goes to the accumulator.
static void run_select_reduce(Sim *sim, const Op *op)
{
  const struct Op_select_reduce *o = &op->select_reduce;
  Tile dst = write_tile(sim, &o->dst, "dst"), predicate, on_true;
  const float *chosen = read_floats(sim, &o->predicate, "predicate", &predicate);
  float *values = read_floats(sim, &o->on_true, "on_true", &on_true);
  tile_expect_same_shape(sim, &dst, &predicate);
  tile_expect_same_shape(sim, &dst, &on_true);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &predicate);
  expect_clear(sim, &dst, &on_true);
  Values on_false;
  operand_values(sim, &o->on_false, "on_false", &dst, true, &on_false);
  if (on_false.is_full)
    expect_clear(sim, &dst, &on_false.tile);
  const float *others = on_false.is_full ? floats(sim, &on_false.tile) : NULL;
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      uint64_t at = p * dst.free_elems + i;
      if ((chosen[at] != 0) == o->reverse_pred)
        values[at] = value_at(&on_false, others, p, at);
    }
  if (folds_values(o->reduce_cmd))
    expect_no_nan(sim, GAP_SELECT_NAN, &dst, values);
  write_floats(sim, &dst, values);
  accumulate(sim, &sim->core->dve, o->reduce_cmd, o->reduce_op, NULL, &on_true, values, o->reduce_res != NULL);
  if (o->reduce_res)
    write_lanes(sim, o->reduce_res, &dst, &sim->core->dve, false);
}

// With pos = range_start + i: dst[p,i] = (pos comp_op0 bound0[p] and pos comp_op1 bound1[p]) ? on_true_tile[p,i] :
// on_false_value, all in float32; the maximum goes to the accumulator.
static void run_nc_range_select(Sim *sim, const Op *op)
{
  const struct Op_nc_range_select *o = &op->nc_range_select;
  Tile dst = write_tile(sim, &o->dst, "dst"), src;
  float *values = read_floats(sim, &o->on_true_tile, "on_true_tile", &src);
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &src);
  float low[SIM_MAX_PARTITIONS], high[SIM_MAX_PARTITIONS], start = immediate_f32(sim, &o->range_start);
  lanes_of(sim, &o->bound0, "bound0", dst.partitions, low);
  lanes_of(sim, &o->bound1, "bound1", dst.partitions, high);
  float other = immediate_f32(sim, &o->on_false_value);
  bool is_filled = false;
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      float pos = start + (float)i;
      if (alu_f32(o->comp_op0, pos, low[p]) == 0 || alu_f32(o->comp_op1, pos, high[p]) == 0) {
        values[p * dst.free_elems + i] = other;
        is_filled = true;
      }
    }
  if (is_filled)
    expect_fill(sim, &dst, other);
  if (folds_values(o->reduce_command))
    expect_no_nan(sim, GAP_SELECT_NAN, &dst, values);
  write_floats(sim, &dst, values);
  accumulate(sim, &sim->core->dve, o->reduce_command, o->reduce_op.some ? o->reduce_op.value : ALU_OP_MAX, NULL, &src, values,
             o->reduce_res != NULL);
  if (o->reduce_res)
    write_lanes(sim, o->reduce_res, &dst, &sim->core->dve, false);
}

// dst = exp(src - max_value); the sum goes to the accumulator.
static void run_exponential(Sim *sim, const Op *op)
{
  const struct Op_exponential *o = &op->exponential;
  Tile dst = write_tile(sim, &o->dst, "dst"), src;
  float *values = read_floats(sim, &o->src, "src", &src);
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &src);
  Values peak, initial;
  operand_values(sim, &o->max_value, "max_value", &dst, false, &peak);
  operand_values(sim, &o->reduce_init, "reduce_init", &dst, false, &initial);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      float *value = &values[p * dst.free_elems + i];
      *value = activation_f32(ACTIVATION_FUNC_EXP, *value - peak.lanes[p]);
    }
  write_floats(sim, &dst, values);
  accumulate(sim, &sim->core->dve, o->reducecmd, ALU_OP_ADD, initial.lanes, &src, values, o->reduce_res != NULL);
  if (o->reduce_res)
    write_lanes(sim, o->reduce_res, &dst, &sim->core->dve, false);
}

// lane = reset or loaded; for each i: lane = (src[p,i] op0 imm0) op1 lane, dst[p,i] = lane.
static void run_tensor_scalar_cumulative(Sim *sim, const Op *op)
{
  const struct Op_tensor_scalar_cumulative *o = &op->tensor_scalar_cumulative;
  Tile dst = write_tile(sim, &o->dst, "dst"), src;
  float *values = read_floats(sim, &o->src, "src", &src);
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &src);
  Values operand, loaded = {0};
  operand_values(sim, &o->imm0, "imm0", &dst, false, &operand);
  if (o->imm1)
    operand_values(sim, o->imm1, "imm1", &dst, false, &loaded);
  accum_begin(sim, &sim->core->dve, o->reduce_cmd, &src, true);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    float *lane = &sim->core->dve.lanes[p];
    AluOp start = o->op1 == ALU_OP_SUBTRACT ? ALU_OP_ADD : o->op1;
    (void)accum_starts(o->reduce_cmd, lane, start, loaded.lanes[p]);
    for (uint64_t i = p * dst.free_elems; i < (p + 1) * dst.free_elems; i++) {
      float value = reversed_f32(sim, o->op0, reverses_first(o->reverse, o->op0), values[i], operand.lanes[p]);
      *lane = reversed_f32(sim, o->op1, reverses_second(o->reverse, o->op1), value, *lane);
      values[i] = *lane;
    }
  }
  write_floats(sim, &dst, values);
}

// ---- statistics

// Count, mean and sum of squared distances from the mean of every second element from `first` on: two passes, left to
// right in float32. No elements: 0, 0, 0.
static void statistics(const float *values, uint64_t n, uint64_t first, float *out)
{
  float count = 0, sum = 0, mean = 0, squares = 0;
  for (uint64_t i = first; i < n; i += 2) {
    count = count + 1;
    sum = sum + values[i];
  }
  if (count > 0)
    mean = sum / count;
  for (uint64_t i = first; i < n; i += 2) {
    float distance = values[i] - mean;
    squares = squares + distance * distance;
  }
  out[0] = count;
  out[1] = mean;
  out[2] = squares;
}

// dst[p] = statistics of the even elements of a row, then of the odd ones.
static void run_batch_norm_stats(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->batch_norm_stats.dst, "dst"), src;
  float *values = read_floats(sim, &op->batch_norm_stats.src, "data", &src);
  enum { RESULTS = 6 };
  tile_expect_shape(sim, &dst, src.partitions, RESULTS);
  if (src.free_elems < 2)
    sim_unspecified(sim, GAP_BN_STATS_EMPTY, "`%s` of rows of %" PRIu64 " elements", sim_op_name(sim), src.free_elems);
  float *results = new_floats(sim, count_of(&dst));
  for (uint64_t p = 0; p < src.partitions; p++) {
    statistics(values + p * src.free_elems, src.free_elems, 0, results + p * RESULTS);
    statistics(values + p * src.free_elems, src.free_elems, 1, results + p * RESULTS + 3);
  }
  write_floats(sim, &dst, results);
}

// Triples (c, m, v): n = sum c, mean = sum(c * m) / n, variance = (sum v + sum c * (m - mean)^2) / n, sums in order.
// No elements: 0, 0.
static void run_batch_norm_aggregate(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->batch_norm_aggregate.dst, "dst"), src;
  float *values = read_floats(sim, &op->batch_norm_aggregate.src, "data", &src);
  tile_expect_shape(sim, &dst, src.partitions, 2);
  if (src.free_elems % 3 != 0) {
    sim_error(sim, E_SIM_SHAPE,
              "`batch_norm_aggregate` takes triples, but `data` has %" PRIu64 " elements per partition",
              src.free_elems);
    sim_stop(sim);
  }
  float *results = new_floats(sim, count_of(&dst));
  for (uint64_t p = 0; p < src.partitions; p++) {
    const float *row = values + p * src.free_elems;
    float count = 0, weighted = 0, squares = 0, between = 0;
    for (uint64_t i = 0; i < src.free_elems; i += 3) {
      count = count + row[i];
      weighted = weighted + row[i] * row[i + 1];
      squares = squares + row[i + 2];
    }
    if (count == 0)
      sim_unspecified(sim, GAP_BN_AGGR_EMPTY, "`%s` of counts that are all 0, in row %" PRIu64, sim_op_name(sim), p);
    float mean = count == 0 ? 0 : weighted / count;
    for (uint64_t i = 0; i < src.free_elems; i += 3) {
      float distance = row[i + 1] - mean;
      between = between + row[i] * (distance * distance);
    }
    results[p * 2] = mean;
    results[p * 2 + 1] = count == 0 ? 0 : (squares + between) / count;
  }
  write_floats(sim, &dst, results);
}

// ---- eights

enum { EIGHT = 8 };

// The eight largest of a row, descending, duplicates kept; NaN is below every number.
static void run_max8(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->max8.dst, "dst"), src;
  float *values = read_floats(sim, &op->max8.src, "src", &src);
  tile_expect_shape(sim, &dst, src.partitions, EIGHT);
  tile_expect_elements(sim, &src, EIGHT);
  tile_expect_no_nan(sim, GAP_EIGHT_NAN, &src);
  float *results = new_floats(sim, count_of(&dst));
  for (uint64_t p = 0; p < src.partitions; p++) {
    const float *row = values + p * src.free_elems;
    float *best = results + p * EIGHT;
    uint64_t kept = 0;
    for (uint64_t i = 0; i < src.free_elems; i++) {
      uint64_t at = kept < EIGHT ? kept : EIGHT;
      while (at > 0 && (row[i] > best[at - 1] || (best[at - 1] != best[at - 1] && row[i] == row[i])))
        at--;
      if (at == EIGHT)
        continue;
      kept += kept < EIGHT;
      memmove(best + at + 1, best + at, (kept - 1 - at) * sizeof *best);
      best[at] = row[i];
    }
  }
  write_floats(sim, &dst, results);
}

// First index with row[i] == value that is not taken; takes it. n when there is none.
static uint64_t claim(const float *row, uint64_t n, bool *taken, float value)
{
  for (uint64_t i = 0; i < n; i++)
    if (row[i] == value && !taken[i]) {
      taken[i] = true;
      return i;
    }
  return n;
}

static void expect_index_dtype(Sim *sim, const Tile *tile)
{
  if (dtype_is_integer(tile->dtype) && tile->item >= 2 && tile->item <= 4)
    return;
  sim_error(sim, E_SIM_DTYPE, "operand `%s` of `%s` holds indices and must be a 16- or 32-bit integer, not %s",
            tile->role, sim_op_name(sim), dtype_name(tile->dtype));
  sim_stop(sim);
}

// For j = 0 to 7: dst[p,j] = the smallest i with data[p,i] == vals[p,j] that no earlier j took; else all ones.
static void run_find_index8(Sim *sim, const Op *op)
{
  const struct Op_find_index8 *o = &op->find_index8;
  Tile dst = write_tile(sim, &o->dst, "dst"), src, vals;
  float *values = read_floats(sim, &o->src, "data", &src), *wanted = read_floats(sim, &o->vals, "vals", &vals);
  tile_expect_shape(sim, &dst, src.partitions, EIGHT);
  tile_expect_shape(sim, &vals, src.partitions, EIGHT);
  expect_index_dtype(sim, &dst);
  tile_expect_no_nan(sim, GAP_FIND_NAN, &vals);
  uint32_t *results = arena_array(&sim->scratch, uint32_t, count_of(&dst));
  for (uint64_t p = 0; p < src.partitions; p++) {
    bool *taken = arena_array(&sim->scratch, bool, src.free_elems);
    for (uint64_t j = 0; j < EIGHT; j++) {
      uint64_t i = claim(values + p * src.free_elems, src.free_elems, taken, wanted[p * EIGHT + j]);
      results[p * EIGHT + j] = i < src.free_elems ? (uint32_t)i : UINT32_MAX;
    }
  }
  write_bits(sim, &dst, results);
}

// dst = data; for j = 7 down to 0: i = the smallest with data[p,i] == vals[p,j] not replaced yet, dst[p,i] =
// replace_value, dst_idx[p,j] = i (all ones when there is none).
static void run_match_replace8(Sim *sim, const Op *op)
{
  const struct Op_match_replace8 *o = &op->match_replace8;
  Tile dst = write_tile(sim, &o->dst, "dst"), src, vals;
  float *values = read_floats(sim, &o->src, "data", &src), *wanted = read_floats(sim, &o->vals, "vals", &vals);
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_shape(sim, &vals, src.partitions, EIGHT);
  expect_clear(sim, &dst, &src);
  tile_expect_no_nan(sim, GAP_FIND_NAN, &vals);
  float replacement = immediate_f32(sim, &o->replace_value);
  uint32_t *indices = arena_array(&sim->scratch, uint32_t, src.partitions * EIGHT);
  for (uint64_t p = 0; p < src.partitions; p++) {
    float *row = values + p * src.free_elems;
    bool *taken = arena_array(&sim->scratch, bool, src.free_elems);
    for (uint64_t j = EIGHT; j-- > 0;) {
      uint64_t i = claim(row, src.free_elems, taken, wanted[p * EIGHT + j]);
      indices[p * EIGHT + j] = i < src.free_elems ? (uint32_t)i : UINT32_MAX;
      if (o->dst_idx && i == src.free_elems)
        match_is_open(sim, p, j);
    }
    for (uint64_t i = 0; i < src.free_elems; i++)
      if (taken[i])
        row[i] = replacement;
  }
  write_floats(sim, &dst, values);
  if (o->dst_idx) {
    Tile dst_idx = write_tile(sim, o->dst_idx, "dst_idx");
    tile_expect_shape(sim, &dst_idx, src.partitions, EIGHT);
    expect_index_dtype(sim, &dst_idx);
    write_bits(sim, &dst_idx, indices);
  }
}

// ---- the tensor engine

// The row of stationary that column n of the moving matrix of a transpose picks: that of its single 1.
static uint64_t picked_row(Sim *sim, const float *picks, uint64_t depth, uint64_t columns, uint64_t n)
{
  uint64_t found = 0, row = 0;
  bool is_one = true;
  for (uint64_t k = 0; k < depth; k++)
    if (picks[k * columns + n] != 0) {
      found++;
      row = k;
      is_one = picks[k * columns + n] == 1;
    }
  if (found == 1 && is_one)
    return row;
  sim_error(sim, E_SIM_VALUE,
            "`nc_matmul` in transpose mode needs an identity as `moving`; its column %" PRIu64 " has %" PRIu64
            " elements that are not zero",
            n, found);
  sim_stop(sim);
}

// In transpose mode the moving matrix is an identity: its column n has one 1, in row k(n) = n, and stationary[k(n),m]
// goes to dst[m,n]. Its bits when dtypes are equal; 8-bit elements into 16 bits with zeros above; else its value.
static void matmul_transpose(Sim *sim, const Tile *dst, const Tile *stationary, const Tile *moving)
{
  const uint8_t *from = units(sim, stationary);
  const float *picks = floats(sim, moving);
  uint64_t rows = stationary->free_elems, columns = moving->free_elems, item = stationary->item;
  bool keeps_bits = dtype_same_format(dst->dtype, stationary->dtype) || (item == 1 && dst->item == 2);
  uint8_t *to = arena_alloc_array(&sim->scratch, count_of(dst), dst->item);
  transpose_check_bytes(sim, ENGINE_PE, dst, stationary);
  for (uint64_t n = 0; n < columns; n++) {
    uint64_t row = picked_row(sim, picks, moving->partitions, columns, n);
    if (row != n)
      sim_unspecified(sim, GAP_TRANSPOSE_MOVING,
                      "`nc_matmul` in transpose mode with a moving matrix whose column %" PRIu64 " has its 1 in row %" PRIu64,
                      n, row);
    for (uint64_t m = 0; m < rows; m++) {
      const uint8_t *unit = from + (row * rows + m) * item;
      uint8_t *place = to + (m * columns + n) * dst->item;
      if (keeps_bits)
        memcpy(place, unit, item);
      else
        dtype_from_f32_mode(dst->dtype, dtype_to_f32_mode(stationary->dtype, unit, sim->number_mode), place,
                            sim->number_mode);
    }
  }
  write_units(dst, to);
}

// How many of n > 0 values, less one, are 0 or 1 before the first other, which goes to `value`; the last if there is none.
static uint64_t leading_onezero(uint64_t n, const float *values, float *value)
{
  uint64_t i = 0;
  while (i + 1 < n && (values[i] == 0 || values[i] == 1))
    i++;
  *value = values[i];
  return i;
}

void matmul_check_hints(Sim *sim, const struct Op_nc_matmul *op, const Tile *stationary, const Tile *moving)
{
  const Tile *tiles[] = {op->is_stationary_one_zero ? stationary : NULL, op->is_moving_zero ? moving : NULL};
  for (int t = 0; t < 2; t++)
    for (uint64_t p = 0; tiles[t] && tiles[t]->item == 4 && p < tiles[t]->partitions; p++)
      for (uint64_t i = 0; i < tiles[t]->free_elems; i++) {
        float value, scratch[TILE_PIECE];
        uint64_t left = tiles[t]->free_elems - i, n = left < TILE_PIECE ? left : TILE_PIECE;
        i += leading_onezero(n, tile_row_f32(tiles[t], p, i, n, scratch, sim->number_mode), &value);
        if (value == 0 || value == 1)
          continue;
        sim_unspecified(sim, GAP_MATMUL_HINT, "`%s` is said to hold zeros and ones only; element %s is %.9g", tiles[t]->role,
                        tile_index_text(sim, tiles[t], p, i), (double)value);
        return;
      }
}

bool transpose_multiplies(const Sim *sim, Engine engine, const Tile *src)
{
  return engine == ENGINE_PE && !sim->machine->transpose_is_exact && dtype_info(src->dtype)->kind == DTYPE_KIND_FLOAT;
}

void transpose_check_bytes(Sim *sim, Engine engine, const Tile *dst, const Tile *src)
{
  bool lies_apart = dst->rank && (dst->dims[dst->rank - 1].step > 1 || dst->dims[dst->rank - 1].step < -1);
  if (engine == ENGINE_PE && sim->machine->transpose_is_exact && src->item == 1 && dst->item == 1 && !lies_apart &&
      dst->free_elems > 1)
    sim_unspecified(sim, GAP_TRANSPOSE_8BIT, "`%s` of %s writes bytes side by side", sim_op_name(sim),
                    dtype_name(src->dtype));
}

bool matmul_adds_to(Core_OPT_BOOL accumulate, const Tile *dst, const uint8_t *element)
{
  if (accumulate.some)
    return accumulate.value;
  uint64_t cell = (uint64_t)(element - dst->buffer->data) / 4 * 4;
  return buffer_find_written(dst->buffer, cell, 4) != UINT64_MAX;
}

void matmul_warn_accumulate(Sim *sim, const Tile *dst)
{
  for (uint64_t p = 0; p < dst->partitions && dst->buffer->written; p++)
    for (uint64_t i = 0; i < dst->free_elems; i++) {
      uint64_t hole =
          buffer_find_unwritten(dst->buffer, (uint64_t)(tile_element(dst, p, i) - dst->buffer->data), dst->item);
      if (hole != UINT64_MAX && !tenancy_adopt(sim, dst, hole)) {
        Diag *diag =
            sim_warning(sim, W_SIM_ACCUMULATE, "`%s` adds to element %s of `%s`, which was never written",
                        sim_op_name(sim), tile_index_text(sim, dst, p, i), dst->view->tensor->name);
        if (diag) {
          tile_label_tensor(diag, dst->view);
          diag_help(diag, "leave `accumulate` out, or pass False for the first product");
        }
        return;
      }
    }
}

bool matmul_rounds_products(const Sim *sim, const Tile *stationary, const Tile *moving)
{
  return sim->options.bf16_products && stationary->dtype == DTYPE_BFLOAT16 && moving->dtype == DTYPE_BFLOAT16;
}

// sum + a * b: the product exact, or rounded to bfloat16 where a model of the device asks for it; the sum rounded once.
static float add_product(float sum, float a, float b, bool rounds)
{
  uint16_t narrow;
  if (!rounds)
    return fmaf(a, b, sum);
  dtype_from_f32(DTYPE_BFLOAT16, a * b, &narrow);
  return sum + dtype_to_f32(DTYPE_BFLOAT16, &narrow);
}

// sum[m,n] = 0, then for k ascending (and within k the 1 or 2 rows of a double row): sum = fma(stationary[k,m],
// moving[k,n], sum), the product exact, one rounding to float32. dst = sum, or dst + sum in float32 where it is added
// to.
static void run_nc_matmul(Sim *sim, const Op *op)
{
  const struct Op_nc_matmul *o = &op->nc_matmul;
  Tile dst = write_tile(sim, &o->dst, "dst"), stationary = tile_read(sim, &o->stationary, "stationary"),
       moving = tile_read(sim, &o->moving, "moving");
  uint64_t halves = o->perf_mode == PERF_MODE_NONE ? 1 : 2;
  uint64_t depth = stationary.partitions, rows = stationary.free_elems / halves, columns = moving.free_elems / halves;
  tile_expect_partitions(sim, &moving, depth);
  tile_expect_shape(sim, &dst, rows, columns);
  matmul_check_hints(sim, o, &stationary, &moving);
  if (o->is_transpose && sim->machine->transpose_is_exact) {
    if (o->accumulate.some && o->accumulate.value)
      sim_unspecified(sim, GAP_TRANSPOSE_ACCUMULATE, "`nc_matmul` in transpose mode with accumulate=True");
    matmul_transpose(sim, &dst, &stationary, &moving);
    tile_mark_product(&dst);
    return;
  }
  if (o->accumulate.some && o->accumulate.value)
    matmul_warn_accumulate(sim, &dst);
  psum_check_product(sim, &dst, matmul_adds_to(o->accumulate, &dst, dst.base), !o->accumulate.some);
  const float *a = floats(sim, &stationary), *b = floats(sim, &moving);
  float *result = new_floats(sim, rows * columns);
  bool rounds = matmul_rounds_products(sim, &stationary, &moving);
  for (uint64_t m = 0; m < rows; m++)
    for (uint64_t n = 0; n < columns; n++) {
      float sum = 0;
      for (uint64_t k = 0; k < depth; k++)
        for (uint64_t j = 0; j < halves; j++)
          sum = add_product(sum, a[(k * halves + j) * rows + m], b[(k * halves + j) * columns + n], rounds);
      const uint8_t *element = tile_element(&dst, m, n);
      bool adds = matmul_adds_to(o->accumulate, &dst, element);
      result[m * columns + n] = adds ? dtype_to_f32_mode(dst.dtype, element, sim->number_mode) + sum : sum;
    }
  write_floats(sim, &dst, result);
  tile_mark_product(&dst);
  sim->stats.multiply_add_count += depth * halves * rows * columns;
}

// ---- gathers and counts

// dst[p,i] = the element number indices[p,i] of row p of data; bits unchanged.
static void run_nc_n_gather(Sim *sim, const Op *op)
{
  const struct Op_nc_n_gather *o = &op->nc_n_gather;
  Tile dst = write_tile(sim, &o->dst, "dst"), data = tile_read(sim, &o->data, "data"),
       indices = tile_read(sim, &o->indices, "indices");
  tile_expect_same_shape(sim, &dst, &indices);
  tile_expect_partitions(sim, &data, dst.partitions);
  const uint32_t *index = bits(sim, &indices);
  const uint8_t *from = units(sim, &data);
  uint8_t *to = arena_alloc_array(&sim->scratch, count_of(&dst), data.item);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      uint64_t at = p * dst.free_elems + i;
      if (index[at] >= data.free_elems) {
        sim_unspecified(sim, GAP_N_GATHER_RANGE,
                        "index %" PRIu32 " at %s of `indices` is outside the %" PRIu64 " elements of a row", index[at],
                        tile_index_text(sim, &indices, p, i), data.free_elems);
        memset(to + at * data.item, 0, data.item);
        continue;
      }
      memcpy(to + at * data.item, from + (p * data.free_elems + index[at]) * data.item, data.item);
    }
  if (!dtype_same_format(dst.dtype, data.dtype)) {
    sim_error(sim, E_SIM_DTYPE, "`nc_n_gather` copies bits: `dst` is %s, `data` %s", dtype_name(dst.dtype),
              dtype_name(data.dtype));
    sim_stop(sim);
  }
  write_units(&dst, to);
}

LocalGather local_gather_sizes(Sim *sim, const struct Op_nc_local_gather *op, const Tile *dst, const Tile *src,
                               const Tile *indices)
{
  tile_expect_partitions(sim, dst, src->partitions);
  tile_expect_partitions(sim, indices, src->partitions);
  int64_t per = immediate_int(sim, &op->num_elem_per_idx);
  int64_t count = (int64_t)(LOCAL_GROUP * indices->free_elems), most = count;
  if (op->num_valid_indicies)
    count = immediate_int(sim, op->num_valid_indicies);
  if (src->partitions % LOCAL_GROUP != 0 || per < 1 || count < 0 || count > most || dst->item != src->item) {
    sim_error(sim, E_SIM_SHAPE,
              "`nc_local_gather` takes groups of %d partitions, at most %" PRId64 " valid indices here, and operands of one "
              "dtype",
              LOCAL_GROUP, most);
    sim_stop(sim);
  }
  tile_expect_elements(sim, dst, (uint64_t)(count * per));
  if (dst->free_elems > (uint64_t)(count * per))
    sim_unspecified(sim, GAP_LOCAL_GATHER_TAIL,
                    "`dst` has %" PRIu64 " elements per partition, %" PRId64 " indices of %" PRId64 " elements fill %" PRId64,
                    dst->free_elems, count, per, count * per);
  return (LocalGather){(uint64_t)per, (uint64_t)count};
}

// The 16 partitions of a group share one list of indices, theirs read partition first; index number k selects
// num_elem_per_idx neighbours: dst[p, k * num + j] = src[p, index[k] + j], indices counting elements of the row. What dst
// holds beyond the valid indices keeps its value.
static void run_nc_local_gather(Sim *sim, const Op *op)
{
  const struct Op_nc_local_gather *o = &op->nc_local_gather;
  Tile dst = write_tile(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "src_buffer"),
       indices = tile_read(sim, &o->index, "index");
  const uint32_t *index = bits(sim, &indices);
  const uint8_t *from = units(sim, &src);
  LocalGather gather = local_gather_sizes(sim, o, &dst, &src, &indices);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t e = 0; e < gather.count * gather.per; e++) {
      uint64_t k = e / gather.per, at = (p / LOCAL_GROUP * LOCAL_GROUP + k % LOCAL_GROUP) * indices.free_elems + k / LOCAL_GROUP;
      uint64_t element = index[at] + e % gather.per;
      uint8_t *to = tile_element(&dst, p, e);
      if (element >= src.free_elems) {
        sim_unspecified(sim, GAP_LOCAL_GATHER_RANGE,
                        "index %" PRIu32 ", number %" PRIu64 " of the group of partition %" PRIu64 ", leaves the %" PRIu64
                        " elements of a row",
                        index[at], k, p, src.free_elems);
        memset(to, 0, src.item);
      } else {
        memcpy(to, from + (p * src.free_elems + element) * src.item, src.item);
      }
      buffer_mark(dst.buffer, (uint64_t)(to - dst.buffer->data), dst.item);
    }
}

// The segment numbers of a row: integers, none negative.
static const uint32_t *segment_numbers(Sim *sim, const Tile *src)
{
  if (dtype_is_integer(src->dtype) && !dtype_is_signed_integer(src->dtype))
    return bits(sim, src);
  const float *values = floats(sim, src);
  uint32_t *numbers = arena_array(&sim->scratch, uint32_t, src->free_elems);
  for (uint64_t i = 0; i < src->free_elems; i++) {
    numbers[i] = dtype_is_integer(src->dtype) ? unit_bits(src->dtype, tile_element(src, 0, i)) : f32_bits(values[i] + 0);
    if (!(values[i] >= 0) || rintf(values[i]) != values[i]) {
      Diag *diag = sim_error(sim, E_SIM_VALUE,
                             "`%s` takes segment numbers that are integers and not negative, but element %s is %.9g",
                             sim_op_name(sim), tile_index_text(sim, src, 0, i), (double)values[i]);
      rule_cite(diag, &sim->session->arena, sim->machine, "sequence_bounds.segment_ids.numbers");
      sim_stop(sim);
    }
  }
  return numbers;
}

// Of a row of n segment numbers: start[i] = first index of the segment of i, end[i] = one past its last; a segment is a
// run of equal numbers. Padding, number 0, has n and -1. dst holds the starts, then the ends.
static void run_sequence_bounds(Sim *sim, const Op *op)
{
  const struct Op_sequence_bounds *o = &op->sequence_bounds;
  Tile dst = write_tile(sim, &o->dst, "dst"), src = tile_read(sim, &o->segment_ids, "segment_ids");
  uint64_t n = src.free_elems;
  tile_expect_shape(sim, &src, 1, n);
  tile_expect_shape(sim, &dst, 1, 2 * n);
  const uint32_t *ids = segment_numbers(sim, &src);
  float *bounds = new_floats(sim, 2 * n), *start = bounds, *end = bounds + n;
  for (uint64_t i = 0; i < n; i++)
    start[i] = ids[i] == 0 ? (float)n : i > 0 && ids[i] == ids[i - 1] ? start[i - 1] : (float)i;
  for (uint64_t i = n; i-- > 0;)
    end[i] = ids[i] == 0 ? -1 : i + 1 < n && ids[i] == ids[i + 1] ? end[i + 1] : (float)(i + 1);
  write_floats(sim, &dst, bounds);
}

// On partitions 0, 16, ...: the positions of the T elements that are not zero, plus index_offset; then padding_val up
// to T of them; last their number. Other partitions of dst keep their values.
static void run_nonzero_with_count(Sim *sim, const Op *op)
{
  const struct Op_nonzero_with_count *o = &op->nonzero_with_count;
  enum { GROUP = 16 };
  Tile dst = write_tile(sim, &o->dst, "dst"), src = tile_of(sim, &o->src, "src");
  for (uint64_t p = 0; p < src.partitions; p += GROUP)
    tile_check_row(sim, &src, p, src.free_elems);
  const float *values = floats(sim, &src);
  uint64_t n = src.free_elems;
  tile_expect_shape(sim, &dst, src.partitions, n + 1);
  tile_expect_unpacked(sim, &dst);
  int32_t offset = immediate_int(sim, &o->index_offset), padding = immediate_int(sim, &o->padding_val);
  for (uint64_t p = 0; p < src.partitions; p += GROUP) {
    int32_t *results = arena_array(&sim->scratch, int32_t, n + 1), found = 0;
    for (uint64_t i = 0; i < n; i++)
      if (values[p * n + i] != 0)
        results[found++] = (int32_t)((uint32_t)i + (uint32_t)offset);
    for (uint64_t i = (uint64_t)found; i < n; i++)
      results[i] = padding;
    results[n] = found;
    for (uint64_t i = 0; i <= n; i++) {
      Immediate value = {.ctor = Immediate_integer, .integer = results[i]};
      immediate_unit(sim, &value, dst.dtype, tile_element(&dst, p, i));
    }
    tile_mark_row(&dst, p);
  }
}

// dst = f((src op0 imm0) op1 imm1) in float32; prelu's slope is relu_param. The values go to the scalar engine's
// accumulator.
static void run_activate2(Sim *sim, const Op *op)
{
  const struct Op_activate2 *o = &op->activate2;
  Tile dst = write_tile(sim, &o->dst, "dst"), src;
  float *values = read_floats(sim, &o->src, "data", &src);
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &src);
  Values first, second, slope;
  operand_values(sim, &o->imm0, "imm0", &dst, false, &first);
  operand_values(sim, &o->imm1, "imm1", &dst, false, &second);
  operand_values(sim, &o->relu_param, "relu_param", &dst, false, &slope);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      float *value = &values[p * dst.free_elems + i];
      *value = reversed_f32(sim, o->op0, swaps(o->op0, o->reverse0), *value, first.lanes[p]);
      *value = reversed_f32(sim, o->op1, swaps(o->op1, o->reverse1), *value, second.lanes[p]);
      check_activation(sim, o->activation_func, true, &src, p, i, *value);
      *value = o->activation_func == ACTIVATION_FUNC_PRELU ? activation_prelu(*value, slope.lanes[p])
                                                           : activation_f32(o->activation_func, *value);
    }
  write_floats(sim, &dst, values);
  accumulate(sim, &sim->core->act, o->reduce_cmd, o->reduce_op, NULL, &src, values, o->reduce_res != NULL);
  if (o->reduce_res)
    write_lanes(sim, o->reduce_res, &dst, &sim->core->act, false);
}

// dst[e] = the sum over the sources, in order, of src[e] * scale, in float32. A row of a gather or scatter whose run-time
// index is out of bounds is left out when asked to: dst keeps its value there.
static void run_dma_compute(Sim *sim, const Op *op)
{
  const struct Op_dma_compute *o = &op->dma_compute;
  Tile dst;
  if (!dma_tile(sim, &o->dst, "dst", o->skips_oob, &dst))
    return;
  tile_expect_unpacked(sim, &dst);
  if (dma_repeats_rows(sim, &dst))
    sim_unspecified(sim, GAP_SCATTER_UNIQUE, "`dma_compute` adds to a row of `dst` more than once");
  uint64_t count = count_of(&dst);
  float *sums = new_floats(sim, count);
  bool *moves = arena_array(&sim->scratch, bool, count);
  for (uint64_t e = 0; e < count; e++)
    moves[e] = tile_row(&dst, e / dst.free_elems);
  if (o->srcs.count == 1)
    sim_unspecified(sim, GAP_DMA_COMPUTE_SINGLE, "`dma_compute` of a single source");
  for (uint32_t s = 0; s < o->srcs.count; s++) {
    Tile src;
    if (!dma_tile(sim, &o->srcs.items[s], "srcs", o->skips_oob, &src))
      return;
    tile_expect_unpacked(sim, &src);
    tile_check_written(sim, &src);
    expect_clear(sim, &dst, &src);
    if (count_of(&src) != count)
      tile_expect_same_shape(sim, &dst, &src);
    float scale = s < o->scales.count ? immediate_f32(sim, &o->scales.items[s]) : 1;
    for (uint64_t e = 0; e < count; e++) {
      moves[e] = moves[e] && tile_row(&src, e / src.free_elems);
      if (!moves[e])
        continue;
      const uint8_t *from = tile_element(&src, e / src.free_elems, e % src.free_elems);
      float scaled = dtype_to_f32_mode(src.dtype, from, sim->number_mode) * scale;
      sums[e] = s == 0 ? scaled : alu_f32(o->reduce_op, sums[e], scaled);
    }
    sim_count_dma(sim, &src);
  }
  for (uint64_t e = 0; e < count; e++) {
    if (!moves[e])
      continue;
    uint8_t *to = tile_element(&dst, e / dst.free_elems, e % dst.free_elems);
    dtype_from_f32_mode(dst.dtype, sums[e], to, sim->number_mode);
    buffer_mark(dst.buffer, (uint64_t)(to - dst.buffer->data), dst.item);
  }
}

// ---- registers

// dst = the element: integers extended to 32 bits, floats as float32.
static void run_tensor_load(Sim *sim, const Op *op)
{
  Tile src = tile_read(sim, &op->tensor_load.src, "src");
  tile_expect_shape(sim, &src, 1, 1);
  tile_expect_unpacked(sim, &src);
  Register *reg = state_register(sim, op->tensor_load.dst);
  reg->is_set = true;
  reg->is_float = dtype_is_float(src.dtype);
  if (reg->is_float) {
    reg->bits = f32_bits(dtype_to_f32_mode(src.dtype, src.base, sim->number_mode));
  } else if (src.item <= 4) {
    reg->bits = unit_bits(src.dtype, src.base);
  } else {
    memcpy(&reg->bits, src.base, sizeof reg->bits);
  }
}

// The element = the register: integers' low bits into integers, else converted to its dtype.
static void run_tensor_store(Sim *sim, const Op *op)
{
  Tile dst = write_tile(sim, &op->tensor_store.dst, "dst");
  tile_expect_shape(sim, &dst, 1, 1);
  tile_expect_unpacked(sim, &dst);
  const Register *reg = state_read_register(sim, op->tensor_store.src);
  Immediate value = {.ctor = Immediate_integer, .integer = (int32_t)reg->bits};
  if (reg->is_float)
    value = (Immediate){.ctor = Immediate_real, .real = f32_from_bits(reg->bits)};
  if (dst.item <= 4 && dtype_is_integer(dst.dtype) && dst.dtype != DTYPE_BOOL && !reg->is_float)
    memcpy(dst.base, &reg->bits, dst.item);
  else
    immediate_unit(sim, &value, dst.dtype, dst.base);
  tile_mark(&dst);
}

static void run_register_move(Sim *sim, const Op *op)
{
  Register *reg = state_register(sim, op->register_move.dst);
  *reg = (Register){reg->name, (uint32_t)op->register_move.imm, false, true};
}

// dst = src op imm on 32-bit integers, or in float32 when src holds one.
static void run_register_alu_op(Sim *sim, const Op *op)
{
  const struct Op_register_alu_op *o = &op->register_alu_op;
  Register src = *state_read_register(sim, o->src), *dst = state_register(sim, o->dst);
  *dst = (Register){dst->name, 0, src.is_float, true};
  if (alu_is_bitvec(o->op))
    dst->bits = alu_bits(o->op, 32, src.bits, (uint32_t)o->imm);
  else if (src.is_float)
    dst->bits = f32_bits(alu_f32(o->op, f32_from_bits(src.bits), (float)o->imm));
  else
    dst->bits = alu_int32(o->op, true, src.bits, (uint32_t)o->imm);
}

ExecFn *reference_executor(OpKind kind)
{
  static ExecFn *const executors[OP_COUNT] = {
      [OP_nc_activate] = run_nc_activate,
      [OP_activation_reduce] = run_activation_reduce,
      [OP_nc_affine_select] = run_nc_affine_select,
      [OP_batch_norm_aggregate] = run_batch_norm_aggregate,
      [OP_batch_norm_stats] = run_batch_norm_stats,
      [OP_nc_copy] = run_nc_copy,
      [OP_copy_predicated] = run_copy_predicated,
      [OP_nc_dma_copy] = run_nc_dma_copy,
      [OP_dma_compute] = run_dma_compute,
      [OP_dma_transpose] = run_dma_transpose,
      [OP_find_index8] = run_find_index8,
      [OP_iota] = run_iota,
      [OP_nc_matmul] = run_nc_matmul,
      [OP_match_replace8] = run_match_replace8,
      [OP_max8] = run_max8,
      [OP_memset] = run_memset,
      [OP_nc_range_select] = run_nc_range_select,
      [OP_reciprocal] = run_reciprocal,
      [OP_nc_scalar_tensor_tensor] = run_nc_scalar_tensor_tensor,
      [OP_shuffle] = run_shuffle,
      [OP_tensor_reduce] = run_tensor_reduce,
      [OP_tensor_scalar] = run_tensor_scalar,
      [OP_tensor_tensor] = run_tensor_tensor,
      [OP_tensor_tensor_scan] = run_tensor_tensor_scan,
      [OP_tensor_partition_reduce] = run_tensor_partition_reduce,
      [OP_tensor_scalar_reduce] = run_tensor_scalar_reduce,
      [OP_transpose] = run_transpose,
      [OP_select_reduce] = run_select_reduce,
      [OP_tensor_load] = run_tensor_load,
      [OP_tensor_store] = run_tensor_store,
      [OP_register_move] = run_register_move,
      [OP_register_alu_op] = run_register_alu_op,
      [OP_tensor_scalar_cumulative] = run_tensor_scalar_cumulative,
      [OP_nc_n_gather] = run_nc_n_gather,
      [OP_nc_local_gather] = run_nc_local_gather,
      [OP_sequence_bounds] = run_sequence_bounds,
      [OP_nonzero_with_count] = run_nonzero_with_count,
      [OP_activate2] = run_activate2,
      [OP_quantize_mx] = run_quantize_mx,
      [OP_nc_matmul_mx] = run_nc_matmul_mx,
      [OP_topk] = run_topk,
      [OP_dropout] = run_dropout,
      [OP_rng] = run_rng,
      [OP_rand2] = run_rand2,
      [OP_set_rng_seed] = run_set_rng_seed,
      [OP_rand_get_state] = run_rand_get_state,
      [OP_rand_set_state] = run_rand_set_state,
      [OP_device_print] = run_device_print,
      [OP_exponential] = run_exponential,
      [OP_core_barrier] = run_core_barrier,
      [OP_send_recv] = run_send_recv,
      [OP_send_recv_compute] = run_send_recv_compute,
      [OP_all_reduce] = run_collective,
      [OP_all_gather] = run_collective,
      [OP_reduce_scatter] = run_collective,
      [OP_all_to_all] = run_collective,
      [OP_broadcast] = run_collective,
      [OP_collective_permute] = run_collective,
      [OP_collective_permute_implicit] = run_collective,
      [OP_collective_permute_implicit_reduce] = run_collective,
      [OP_rank_id] = run_rank_id,
      [OP_current_processing_rank_id] = run_current_processing_rank_id,
  };
  return executors[kind];
}
