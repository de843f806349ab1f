// exec_mx.c -- MX formats: the product with scaled operands, and quantisation.
//
// A unit of a packed tile holds four elements; 8 partitions of a unit share a scale, which stands in row
// 32 q + (p % 32) / 8 of the scale tile, q being p's quadrant of 32 (see reference_mx.c).

#include "sim/product.h"

#include "base/kernel.h"
#include "number/convert.h"

#include <string.h>

enum { LANES = 4, GROUP = 8, QUADRANT = 32, SCALE_BIAS = 127, SCALE_NAN = 255 };

static uint64_t scale_row(uint64_t partition)
{
  return partition / QUADRANT * QUADRANT + partition % QUADRANT / GROUP;
}

// The scale tile without the rows that hold none; false when the reference has something to say about it.
static bool scales_of(Sim *sim, const TensorRef *ref, const char *role, const Tile *data, Tile *tile)
{
  *tile = tile_of(sim, ref, role);
  uint64_t rows = data->partitions ? scale_row(data->partitions - 1) + 1 : 0;
  if (tile->item != 1 || tile->dtype == DTYPE_INT8 || dtype_is_packed(tile->dtype) || tile->partitions < rows ||
      tile->free_elems != data->free_elems || tile->partition_step < 0 || !dtype_is_packed(data->dtype) ||
      data->partitions % QUADRANT)
    return false;
  uint64_t *offsets = arena_array(&sim->scratch, uint64_t, tile->partitions);
  for (uint64_t row = 0; row < tile->partitions; row++)
    offsets[row] = row < rows && row % QUADRANT < QUADRANT / GROUP ? row * (uint64_t)tile->partition_step : UINT64_MAX;
  tile->rows = offsets;
  return true;
}

// ---- the product

// 8-bit floats that a unit holds; DTYPE_COUNT for those of 4 bits.
static DType element_dtype(DType packed)
{
  return packed == DTYPE_FLOAT8_E5M2_X4 ? DTYPE_FLOAT8E5 : packed == DTYPE_FLOAT8_E4M3FN_X4 ? DTYPE_FLOAT8_E4M3FN :
                                                                                              DTYPE_COUNT;
}

// What codes of an element are as bfloat16, which holds all their values; 4-bit ones stand for all 128.
typedef struct Codes {
  bool has_nibbles;
  uint16_t values[128];
} Codes;

static Codes codes_of(DType packed)
{
  Codes codes = {.has_nibbles = element_dtype(packed) == DTYPE_COUNT};
  for (unsigned code = 0; code < 128; code++) {
    uint32_t unit = codes.has_nibbles ? code % 16 : code;
    codes.values[code] = (uint16_t)(f32_bits(dtype_get_lane_f32(packed, &unit, 0)) >> 16);
  }
  return codes;
}

// Elements `lane` of a row of n units.
KERNEL_CLONES
static void lane_elements(const Codes *codes, unsigned lane, uint64_t n, const uint8_t *units, uint16_t *elements)
{
  if (codes->has_nibbles)
    for (uint64_t c = 0; c < n; c++)
      elements[c] = codes->values[units[2 * c + lane / 2] >> lane % 2 * 4 & 15];
  else
    for (uint64_t c = 0; c < n; c++) {
      uint8_t code = units[LANES * c + lane];
      elements[c] = (uint16_t)(codes->values[code & 127] | (code & 128) << 8);
    }
}

// to[c] = elements[c] * factors[c], exact in bfloat16
KERNEL_CLONES
static void scale_elements(uint64_t n, uint16_t *to, const uint16_t *elements, const float *factors)
{
  for (uint64_t c = 0; c < n; c++)
    to[c] = (uint16_t)(f32_bits(f32_from_bits((uint32_t)elements[c] << 16) * factors[c]) >> 16);
}

// Scales within which an element times its scale is exact in float32, and a product's exponent not cut off: elements lie
// between 2^-16 and 2^16.
enum { SCALE_LEAST = SCALE_BIAS - 100, SCALE_MOST = SCALE_BIAS + 100 };

// Factors of a row of scales. False when one is beyond the limits and counts, that is, when its 8 x 4 elements are not
// all zero.
static bool scale_factors(const Tile *scale, const Tile *data, uint64_t k, uint8_t *bytes, float *factors)
{
  uint64_t n = data->free_elems;
  for (uint64_t i = 0; i < n; i += TILE_PIECE)
    tile_gather(scale, scale_row(k), i, n - i < TILE_PIECE ? n - i : TILE_PIECE, bytes + i);
  for (uint64_t c = 0; c < n; c++) {
    bool is_usual = bytes[c] >= SCALE_LEAST && bytes[c] <= SCALE_MOST;
    factors[c] = bytes[c] == SCALE_NAN ? f32_from_bits(F32_NAN_BITS) :
                 is_usual ? f32_from_bits((uint32_t)bytes[c] << 23) : 1;
    if (is_usual || bytes[c] == SCALE_NAN)
      continue;
    for (uint64_t p = k; p < k + GROUP; p++) {
      uint32_t unit = 0;
      memcpy(&unit, tile_element(data, p, c), data->item);
      if (unit)
        return false;
    }
  }
  return true;
}

// A factor of 4 rows for each partition, elements times scales; false when that is not exact.
static bool mx_factor(Sim *sim, const Tile *data, const Tile *scale, Factor *factor)
{
  uint64_t n = data->free_elems;
  uint16_t *values = arena_array_unset(&sim->scratch, uint16_t, data->partitions * LANES * n);
  uint16_t *elements = arena_array_unset(&sim->scratch, uint16_t, n);
  float *factors = arena_array_unset(&sim->scratch, float, n);
  uint8_t *units = arena_array_unset(&sim->scratch, uint8_t, n * LANES), *bytes = units;
  Codes codes = codes_of(data->dtype);
  for (uint64_t k = 0; k < data->partitions; k++) {
    if (k % GROUP == 0 && !scale_factors(scale, data, k, bytes, factors))
      return false;
    const uint8_t *from = units;
    if (data->is_row_contiguous)
      from = tile_row(data, k);
    else
      tile_gather(data, k, 0, n, units);
    for (unsigned q = 0; q < LANES; q++) {
      lane_elements(&codes, q, n, from, elements);
      scale_elements(n, values + (k * LANES + q) * n, elements, factors);
    }
  }
  *factor = (Factor){.at = values, .stride = n, .is_bf16 = true};
  return true;
}

static bool fast_nc_matmul_mx(Sim *sim, const Op *op)
{
  const struct Op_nc_matmul_mx *o = &op->nc_matmul_mx;
  Tile dst = tile_of(sim, &o->dst, "dst"), stationary = tile_read(sim, &o->stationary, "stationary"),
       moving = tile_read(sim, &o->moving, "moving"), stationary_scale, moving_scale;
  if (sim->number_mode.flush_to_zero || dtype_is_packed(dst.dtype) || moving.partitions != stationary.partitions ||
      dst.partitions != stationary.free_elems || dst.free_elems != moving.free_elems ||
      (o->accumulate.some && o->accumulate.value && !tile_is_written(&dst)) ||
      !scales_of(sim, &o->stationary_scale, "stationary_scale", &stationary, &stationary_scale) ||
      !scales_of(sim, &o->moving_scale, "moving_scale", &moving, &moving_scale))
    return false;
  tile_check_written(sim, &stationary_scale);
  tile_check_written(sim, &moving_scale);
  Factor a, b;
  if (!mx_factor(sim, &stationary, &stationary_scale, &a) || !mx_factor(sim, &moving, &moving_scale, &b))
    return false;
  uint64_t depth = stationary.partitions * LANES;
  product_settle(sim, depth, stationary.free_elems, &a, moving.free_elems, &b);
  product_run(sim, &dst, o->accumulate, depth, &a, &b);
  return true;
}

// ---- quantisation

// The largest magnitude of 8 rows, as bits: they order as the values do, infinities and NaNs above all.
KERNEL_CLONES
static void row_magnitudes(uint64_t n, const float *rows, size_t stride, uint32_t *restrict largest)
{
  for (uint64_t i = 0; i < n; i++)
    largest[i] = 0;
  for (int r = 0; r < GROUP; r++)
    for (uint64_t i = 0; i < n; i++) {
      uint32_t bits;
      memcpy(&bits, &rows[(size_t)r * stride + i], sizeof bits);
      bits &= 0x7FFFFFFF;
      largest[i] = bits > largest[i] ? bits : largest[i];
    }
}

// The scales of units whose largest magnitudes are known, and what their elements are multiplied by, so that those have
// exponents up to `highest`; false when there is
// an infinity or NaN, which the reference has something to say about.
static bool unit_scales(uint64_t units, int highest, const uint32_t *largest, uint8_t *scales, float *factors)
{
  for (uint64_t u = 0; u < units; u++) {
    const uint32_t *four = largest + u * LANES;
    uint32_t left = four[0] > four[1] ? four[0] : four[1], right = four[2] > four[3] ? four[2] : four[3];
    int biased = (int)((left > right ? left : right) >> 23);  // 0: subnormal, far below the least scale
    if (biased == 255)
      return false;
    int exponent = biased - 127 - highest;
    exponent = exponent < -SCALE_BIAS ? -SCALE_BIAS : exponent;
    scales[u] = (uint8_t)(exponent + SCALE_BIAS);
    for (int q = 0; q < LANES; q++)
      factors[u * LANES + (uint64_t)q] = f32_from_bits((uint32_t)(127 - exponent) << 23);
  }
  return true;
}

static bool fast_quantize_mx(Sim *sim, const Op *op)
{
  const struct Op_quantize_mx *o = &op->quantize_mx;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "src"), scale;
  DType dtype = element_dtype(dst.dtype);
  if (sim->number_mode.flush_to_zero || sim->number_mode.saturate || dtype_is_packed(src.dtype) ||
      dtype == DTYPE_COUNT || src.partitions != dst.partitions || src.free_elems != dst.free_elems * LANES ||
      !scales_of(sim, &o->dst_scale, "dst_scale", &dst, &scale) || dst.buffer == src.buffer ||
      scale.buffer == src.buffer || scale.buffer == dst.buffer)
    return false;
  uint64_t units = dst.free_elems, n = src.free_elems;
  uint32_t *largest = arena_array_unset(&sim->scratch, uint32_t, n);
  float *factors = arena_array_unset(&sim->scratch, float, n), *scaled = arena_array_unset(&sim->scratch, float, n);
  uint8_t *bytes = arena_array_unset(&sim->scratch, uint8_t, n), *scales = arena_array_unset(&sim->scratch, uint8_t, n);
  size_t stride;
  const float *rows = tile_matrix(sim, &src, &stride);
  bool saturates = sim->options.ocp_scales;
  int emax = dst.dtype == DTYPE_FLOAT8_E5M2_X4 ? 15 : 8;
  float most = emax == 15 ? 57344 : 448;
  for (uint64_t first = 0; first < dst.partitions; first += GROUP) {
    row_magnitudes(n, rows + first * stride, stride, largest);
    if (!unit_scales(units, saturates ? emax : emax - 1, largest, scales, factors))
      return false;
    tile_scatter(&scale, scale_row(first), 0, units, scales);
    for (uint64_t p = first; p < first + GROUP; p++) {
      kernel_binary_f32(ALU_OP_MULT, 1, n, scaled, n, (KernelRows){rows + p * stride, n, false},
                        (KernelRows){factors, n, false});
      for (uint64_t i = 0; i < n && saturates; i++)
        scaled[i] = scaled[i] > most ? most : scaled[i] < -most ? -most : scaled[i];
      convert_row_from_f32(dtype, n, bytes, scaled, sim->number_mode);
      tile_scatter(&dst, p, 0, units, bytes);
    }
  }
  tile_mark(&dst);
  tile_mark(&scale);
  return true;
}

FastFn *fast_mx(OpKind kind)
{
  return kind == OP_nc_matmul_mx ? fast_nc_matmul_mx : kind == OP_quantize_mx ? fast_quantize_mx : NULL;
}
