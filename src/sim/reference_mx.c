// reference_mx.c -- the meaning of the MX operators: packed elements whose groups share a power of two.
//
// A unit of a packed tile holds four elements. A group is 8 partitions x 1 unit, 32 elements; the value of an element
// is element * 2^(scale - 127), scale being its group's byte. Scales of the 32 partitions of a quadrant stand in the
// quadrant's first four rows, each row for 8 partitions; other rows of a scale tile are neither read nor written.

#include "sim/exec.h"
#include "sim/psum.h"

#include <inttypes.h>
#include <math.h>

enum { LANES = 4, GROUP = 8, QUADRANT = 32, SCALE_BIAS = 127, SCALE_NAN = 255 };

// Row of a scale tile that belongs to a partition of the data.
static uint64_t scale_row(uint64_t partition)
{
  return partition / QUADRANT * QUADRANT + partition % QUADRANT / GROUP;
}

static void expect_packed(Sim *sim, const Tile *data)
{
  if (dtype_is_packed(data->dtype) && data->partitions % QUADRANT == 0)
    return;
  if (!dtype_is_packed(data->dtype))
    sim_error(sim, E_SIM_DTYPE, "operand `%s` of `%s` is %s, expected a packed dtype such as float8_e4m3fn_x4",
              data->role, sim_op_name(sim), dtype_name(data->dtype));
  else
    sim_error(sim, E_SIM_SHAPE, "operand `%s` of `%s` has %" PRIu64 " partitions, expected a multiple of %d",
              data->role, sim_op_name(sim), data->partitions, QUADRANT);
  sim_stop(sim);
}

// The scales of `data`: the tile without the rows that hold none.
static Tile scale_tile(Sim *sim, const TensorRef *ref, const char *role, const Tile *data, bool is_result)
{
  Tile tile = is_result ? tile_of(sim, ref, role) : tile_operand(sim, ref, role);
  uint64_t rows = scale_row(data->partitions - 1) + 1;
  if (tile.item != 1 || tile.dtype == DTYPE_INT8 || dtype_is_packed(tile.dtype)) {
    sim_error(sim, E_SIM_DTYPE, "operand `%s` of `%s` is %s, expected float8_e8m0fnu or uint8", role,
              sim_op_name(sim), dtype_name(tile.dtype));
    sim_stop(sim);
  }
  if (tile.partitions < rows || tile.free_elems != data->free_elems || tile.partition_step < 0) {
    Diag *diag = sim_error(sim, E_SIM_SHAPE,
                           "operand `%s` of `%s` has %" PRIu64 " partitions x %" PRIu64
                           " elements, expected at least %" PRIu64 " x %" PRIu64,
                           role, sim_op_name(sim), tile.partitions, tile.free_elems, rows, data->free_elems);
    diag_help(diag, "the scales of 32 partitions stand in the first 4 partitions of the same quadrant");
    sim_stop(sim);
  }
  uint64_t *offsets = arena_array(&sim->scratch, uint64_t, tile.partitions);
  for (uint64_t row = 0; row < tile.partitions; row++)
    offsets[row] = row < rows && row % QUADRANT < QUADRANT / GROUP ? row * (uint64_t)tile.partition_step : UINT64_MAX;
  tile.rows = offsets;
  return tile;
}

// 2^exponent for -149 to 127.
static float power_of_two(int exponent)
{
  return exponent >= -126 ? f32_from_bits((uint32_t)(exponent + 127) << 23) : f32_from_bits(1u << (exponent + 149));
}

// ---- quantize_mx

// Exponent of a group's scale: one above that of the OCP specification, so that the largest scaled magnitude lies in
// [2^(emax - 1), 2^emax) and cannot overflow; with `ocp_scales` that of the specification. Where that leaves the scale's
// range, its end.
static int group_exponent(const Sim *sim, float largest, int emax)
{
  int exponent = largest > 0 ? ilogbf(largest) - (emax - !sim->options.ocp_scales) : -SCALE_BIAS;
  return exponent < -SCALE_BIAS ? -SCALE_BIAS : exponent;
}

// One group: `values` are its 8 rows of 4 elements. Infinities and NaNs have no scale: the whole group becomes NaN.
static void quantize_group(Sim *sim, const Tile *dst, uint64_t first, uint64_t unit, const float *values, uint8_t *scale)
{
  int emax = dst->dtype == DTYPE_FLOAT8_E5M2_X4 ? 15 : 8;
  float largest = 0;
  bool is_finite = true;
  for (int e = 0; e < GROUP * LANES; e++) {
    is_finite = is_finite && isfinite(values[e]);
    largest = fabsf(values[e]) > largest ? fabsf(values[e]) : largest;
  }
  if (!is_finite && !sim->unwritten)  // what was never written reads as NaN
    sim_unspecified(sim, GAP_QUANTIZE_NONFINITE, "the group of partition %" PRIu64 ", column %" PRIu64
                    " of `src` has an infinity or NaN", first, unit * LANES);
  int exponent = is_finite ? group_exponent(sim, largest, emax) : 0;
  *scale = is_finite ? (uint8_t)(exponent + SCALE_BIAS) : SCALE_NAN;
  for (int e = 0; e < GROUP * LANES; e++) {
    float value = is_finite ? values[e] * power_of_two(-exponent) : NAN, most = emax == 15 ? 57344 : 448;
    if (sim->options.ocp_scales && fabsf(value) > most)
      value = copysignf(most, value);
    uint8_t *at = tile_element(dst, first + (uint64_t)e / LANES, unit);
    dtype_set_lane_f32(dst->dtype, value, at, (unsigned)e % LANES);
  }
}

void run_quantize_mx(Sim *sim, const Op *op)
{
  const struct Op_quantize_mx *o = &op->quantize_mx;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "src");
  tile_expect_unpacked(sim, &src);
  expect_packed(sim, &dst);
  if (dst.dtype == DTYPE_FLOAT4_E2M1FN_X4) {
    sim_error(sim, E_SIM_DTYPE, "`%s` makes 8-bit elements, not %s", sim_op_name(sim), dtype_name(dst.dtype));
    sim_stop(sim);
  }
  tile_expect_shape(sim, &src, dst.partitions, dst.free_elems * LANES);
  Tile scale = scale_tile(sim, &o->dst_scale, "dst_scale", &dst, true);
  expect_clear(sim, &dst, &src);
  expect_clear(sim, &scale, &src);
  expect_clear(sim, &scale, &dst);
  uint64_t columns = src.free_elems;
  float *values = arena_array(&sim->scratch, float, src.partitions * columns);
  for (uint64_t p = 0; p < src.partitions; p++)
    for (uint64_t i = 0; i < columns; i++)
      values[p * columns + i] = dtype_to_f32_mode(src.dtype, tile_element(&src, p, i), sim->number_mode);
  for (uint64_t first = 0; first < dst.partitions; first += GROUP)
    for (uint64_t unit = 0; unit < dst.free_elems; unit++) {
      float group[GROUP * LANES];
      for (uint64_t e = 0; e < GROUP * LANES; e++)
        group[e] = values[(first + e / LANES) * columns + unit * LANES + e % LANES];
      quantize_group(sim, &dst, first, unit, group, tile_element(&scale, scale_row(first), unit));
    }
  tile_mark(&dst);
  tile_mark(&scale);
}

// ---- nc_matmul_mx

typedef struct MxOperand {
  float *elements;  // of partition k, column c, lane q: at (k * columns + c) * LANES + q
  uint8_t *scales;  // of group g, column c: at g * columns + c
  uint64_t columns;
} MxOperand;

static MxOperand read_mx(Sim *sim, const Tile *data, const Tile *scale)
{
  MxOperand operand = {.columns = data->free_elems};
  operand.elements = arena_array(&sim->scratch, float, data->partitions * operand.columns * LANES);
  operand.scales = arena_array(&sim->scratch, uint8_t, data->partitions / GROUP * operand.columns);
  for (uint64_t k = 0; k < data->partitions; k++)
    for (uint64_t c = 0; c < operand.columns; c++) {
      for (unsigned q = 0; q < LANES; q++)
        operand.elements[(k * operand.columns + c) * LANES + q] =
            dtype_get_lane_f32(data->dtype, tile_element(data, k, c), q);
      operand.scales[k / GROUP * operand.columns + c] = *tile_element(scale, scale_row(k), c);
    }
  return operand;
}

// sum + a * b * 2^exponent, the product exact and the sum rounded once. The product a * b of two narrow elements is
// exact, its magnitude 0 or 2^-32 to 2^32; the power goes in as two factors that stay inside float32's range. Exponents
// beyond the limits give what the limits give: nothing that rounding sees, or infinity.
static float add_scaled(float sum, float a, float b, int exponent)
{
  enum { LEAST = -220, MOST = 200 };
  exponent = exponent < LEAST ? LEAST : exponent > MOST ? MOST : exponent;
  int half = exponent / 2;
  return fmaf(a * b * power_of_two(half), power_of_two(exponent - half), sum);
}

// The sum for dst[m,n]: partitions ascending, in each the four lanes ascending. A NaN scale makes it NaN.
static float dot_mx(const MxOperand *a, const MxOperand *b, uint64_t partitions, uint64_t m, uint64_t n)
{
  float sum = 0;
  for (uint64_t k = 0; k < partitions; k++) {
    uint8_t a_scale = a->scales[k / GROUP * a->columns + m], b_scale = b->scales[k / GROUP * b->columns + n];
    if (a_scale == SCALE_NAN || b_scale == SCALE_NAN)
      return NAN;
    const float *x = &a->elements[(k * a->columns + m) * LANES], *y = &b->elements[(k * b->columns + n) * LANES];
    for (int q = 0; q < LANES; q++)
      sum = add_scaled(sum, x[q], y[q], a_scale + b_scale - 2 * SCALE_BIAS);
  }
  return sum;
}

void run_nc_matmul_mx(Sim *sim, const Op *op)
{
  const struct Op_nc_matmul_mx *o = &op->nc_matmul_mx;
  Tile dst = tile_of(sim, &o->dst, "dst"), stationary = tile_read(sim, &o->stationary, "stationary"),
       moving = tile_read(sim, &o->moving, "moving");
  expect_packed(sim, &stationary);
  expect_packed(sim, &moving);
  tile_expect_unpacked(sim, &dst);
  tile_expect_partitions(sim, &moving, stationary.partitions);
  tile_expect_shape(sim, &dst, stationary.free_elems, moving.free_elems);
  Tile stationary_scale = scale_tile(sim, &o->stationary_scale, "stationary_scale", &stationary, false);
  Tile moving_scale = scale_tile(sim, &o->moving_scale, "moving_scale", &moving, false);
  tile_check_written(sim, &stationary_scale);
  tile_check_written(sim, &moving_scale);
  if (o->accumulate.some && o->accumulate.value)
    matmul_warn_accumulate(sim, &dst);
  psum_check_product(sim, &dst, matmul_adds_to(o->accumulate, &dst, dst.base), !o->accumulate.some);
  MxOperand a = read_mx(sim, &stationary, &stationary_scale), b = read_mx(sim, &moving, &moving_scale);
  float *result = arena_array(&sim->scratch, float, dst.partitions * dst.free_elems);
  for (uint64_t m = 0; m < a.columns; m++)
    for (uint64_t n = 0; n < b.columns; n++) {
      float sum = dot_mx(&a, &b, stationary.partitions, m, n);
      const uint8_t *element = tile_element(&dst, m, n);
      bool adds = matmul_adds_to(o->accumulate, &dst, element);
      result[m * b.columns + n] = adds ? dtype_to_f32_mode(dst.dtype, element, sim->number_mode) + sum : sum;
    }
  for (uint64_t m = 0; m < a.columns; m++)
    for (uint64_t n = 0; n < b.columns; n++)
      dtype_from_f32_mode(dst.dtype, result[m * b.columns + n], tile_element(&dst, m, n), sim->number_mode);
  tile_mark_product(&dst);
  sim->stats.multiply_add_count += stationary.partitions * LANES * a.columns * b.columns;
}
