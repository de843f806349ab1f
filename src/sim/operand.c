// operand.c -- operands that are not tiles, and what executors check alike.

#include "sim/exec.h"

#include "base/bug.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

// ---- constants
static _Noreturn void fail_immediate(Sim *sim)
{
  sim_error(sim, E_SIM_UNSUPPORTED, "a constant of `%s` is a register or a pointer, which cannot be run yet",
            sim_op_name(sim));
  sim_stop(sim);
}

float immediate_f32(Sim *sim, const Immediate *imm)
{
  switch (imm->ctor) {
  case Immediate_integer: return (float)imm->integer;
  case Immediate_real: return imm->real;
  default: fail_immediate(sim);
  }
}

int32_t immediate_int(Sim *sim, const Immediate *imm)
{
  int32_t value = 0;
  switch (imm->ctor) {
  case Immediate_integer: return imm->integer;
  case Immediate_real: dtype_from_f32(DTYPE_INT32, imm->real, &value); return value;
  default: fail_immediate(sim);
  }
}

void immediate_unit(Sim *sim, const Immediate *imm, DType dtype, void *unit)
{
  DTypeKind kind = dtype_info(dtype)->kind;
  unsigned bytes = dtype_bytes(dtype);
  if (kind == DTYPE_KIND_PACKED) {
    if (immediate_f32(sim, imm) != 0) {
      sim_error(sim, E_SIM_VALUE, "`%s` takes only 0 as a value of %s", sim_op_name(sim), dtype_name(dtype));
      sim_stop(sim);
    }
    memset(unit, 0, bytes);
    return;
  }
  if (imm->ctor != Immediate_integer || (kind != DTYPE_KIND_SIGNED && kind != DTYPE_KIND_UNSIGNED)) {
    dtype_from_f32(dtype, immediate_f32(sim, imm), unit);
    return;
  }
  int64_t value = imm->integer, low = 0, high = INT64_MAX;
  if (kind == DTYPE_KIND_SIGNED) {
    low = bytes == 8 ? INT64_MIN : -(INT64_C(1) << (8 * bytes - 1));
    high = bytes == 8 ? INT64_MAX : (INT64_C(1) << (8 * bytes - 1)) - 1;
  } else if (bytes < 8) {
    high = (INT64_C(1) << (8 * bytes)) - 1;
  }
  value = value < low ? low : value > high ? high : value;
  memcpy(unit, &value, bytes);
}

void constant_unit(Sim *sim, const Immediate *imm, DType dtype, void *unit)
{
  DTypeKind kind = dtype_info(dtype)->kind;
  bool is_integer = kind == DTYPE_KIND_SIGNED || kind == DTYPE_KIND_UNSIGNED;
  if (imm->ctor == Immediate_integer && is_integer && dtype_bytes(dtype) == sizeof imm->integer)
    memcpy(unit, &imm->integer, sizeof imm->integer);
  else
    immediate_unit(sim, imm, dtype, unit);
}

void constant_check_range(Sim *sim, const Immediate *imm, DType dtype)
{
  uint64_t unit = 0;
  DTypeKind kind = dtype_info(dtype)->kind;
  if (kind == DTYPE_KIND_PACKED || kind == DTYPE_KIND_SCALE || kind == DTYPE_KIND_BOOL)
    return;
  float wanted = immediate_f32(sim, imm);
  constant_unit(sim, imm, dtype, &unit);
  bool holds;
  if (kind == DTYPE_KIND_FLOAT) {
    holds = !isfinite(wanted) || isfinite(dtype_to_f32(dtype, &unit));
  } else if (imm->ctor == Immediate_integer) {
    int64_t low = kind == DTYPE_KIND_SIGNED ? -(INT64_C(1) << (8 * dtype_bytes(dtype) - 1)) : 0;
    int64_t high = low + (INT64_C(1) << (8 * dtype_bytes(dtype)));
    holds = dtype_bytes(dtype) >= sizeof imm->integer || (imm->integer >= low && imm->integer < high);
  } else {
    holds = wanted == rintf(wanted) && fabsf(wanted) < 16777216.0f && dtype_to_f32(dtype, &unit) == wanted;
  }
  if (!holds)
    sim_unspecified(sim, GAP_MEMSET_RANGE, "`%s` of %.9g into %s, which cannot hold it", sim_op_name(sim),
                    (double)wanted, dtype_name(dtype));
}

void pattern_check_range(Sim *sim, const DataPattern *pattern, uint64_t partitions)
{
  double low = pattern->offset, high = pattern->offset;  // exact where it matters: below 2^53
  double reach = (double)pattern->channel_multiplier * (double)(partitions ? partitions - 1 : 0);
  *(reach < 0 ? &low : &high) += reach;
  for (uint32_t d = 0; d < pattern->pattern.count; d++) {
    const ApPair *pair = &pattern->pattern.items[d];
    reach = (double)pair->step * (double)(pair->num ? pair->num - 1 : 0);
    *(reach < 0 ? &low : &high) += reach;
  }
  if (low < INT32_MIN || high > INT32_MAX)
    sim_unspecified(sim, GAP_PATTERN_OVERFLOW, "the pattern of `%s` has values from %.0f to %.0f", sim_op_name(sim),
                    low, high);
}

// ---- one value per partition
static void expect_lanes(Sim *sim, const Tile *tile, uint64_t partitions)
{
  tile_expect_unpacked(sim, tile);
  if (tile->partitions == partitions && tile->free_elems == 1 && partitions <= SIM_MAX_PARTITIONS)
    return;
  sim_error(sim, E_SIM_SHAPE,
            "operand `%s` of `%s` has %" PRIu64 " partitions x %" PRIu64 " elements, expected one for each of %" PRIu64
            " partitions",
            tile->role, sim_op_name(sim), tile->partitions, tile->free_elems, partitions);
  sim_stop(sim);
}

// The values of a tile of one column.
static void read_lanes(Sim *sim, const Tile *tile, float *lanes)
{
  bool is_f32 = tile->dtype == DTYPE_FLOAT32 && !sim->number_mode.flush_to_zero;
  for (uint64_t p = 0; p < tile->partitions; p++)
    if (is_f32)
      memcpy(&lanes[p], tile_row(tile, p), sizeof *lanes);
    else
      lanes[p] = dtype_to_f32_mode(tile->dtype, tile_row(tile, p), sim->number_mode);
}

void lanes_of(Sim *sim, const TensorRef *ref, const char *role, uint64_t partitions, float *lanes)
{
  Tile tile = tile_read(sim, ref, role);
  expect_lanes(sim, &tile, partitions);
  read_lanes(sim, &tile, lanes);
}

void operand_values(Sim *sim, const Operand *operand, const char *role, const Tile *like, bool may_be_full,
                    Values *values)
{
  values->is_full = false;
  if (operand->ctor == Operand_imm) {
    float value = immediate_f32(sim, &operand->imm);
    for (uint64_t p = 0; p < like->partitions && p < SIM_MAX_PARTITIONS; p++)
      values->lanes[p] = value;
    return;
  }
  values->tile = tile_read(sim, &operand->tile, role);
  if (may_be_full && (values->tile.free_elems != 1 || like->free_elems == 1)) {
    tile_expect_unpacked(sim, &values->tile);
    tile_expect_same_shape(sim, like, &values->tile);
    values->is_full = true;
    return;
  }
  expect_lanes(sim, &values->tile, like->partitions);
  read_lanes(sim, &values->tile, values->lanes);
}

// ---- bits
void tile_expect_bits(Sim *sim, const Tile *tile)
{
  if (dtype_is_integer(tile->dtype) && tile->item <= 4)
    return;
  Diag *diag =
      sim_error(sim, E_SIM_DTYPE, "operand `%s` of `%s` is %s; bit operators work on integers of at most 32 bits",
                tile->role, sim_op_name(sim), dtype_name(tile->dtype));
  diag_help(diag, "view the tensor as an integer dtype of the same size");
  sim_stop(sim);
}

uint32_t unit_bits(DType dtype, const void *unit)
{
  uint32_t bits = 0;
  unsigned bytes = dtype_bytes(dtype);
  memcpy(&bits, unit, bytes);  // little-endian
  unsigned unused = 32 - 8 * bytes;
  return dtype_is_signed_integer(dtype) ? (uint32_t)((int32_t)(bits << unused) >> unused) : bits;
}

void operand_bits(Sim *sim, const Operand *operand, const char *role, uint64_t partitions, uint32_t *lanes)
{
  if (operand->ctor == Operand_imm) {
    uint32_t bits = (uint32_t)immediate_int(sim, &operand->imm);
    for (uint64_t p = 0; p < partitions && p < SIM_MAX_PARTITIONS; p++)
      lanes[p] = bits;
    return;
  }
  Tile tile = tile_read(sim, &operand->tile, role);
  expect_lanes(sim, &tile, partitions);
  tile_expect_bits(sim, &tile);
  for (uint64_t p = 0; p < partitions; p++)
    lanes[p] = unit_bits(tile.dtype, tile_row(&tile, p));
}

unsigned bits_width(const Tile *a, const Tile *b, const Tile *c)
{
  uint32_t item = a->item > b->item ? a->item : b->item;
  return 8 * (c->item > item ? c->item : item);
}

bool alu_is_shift(AluOp op)
{
  return op == ALU_OP_ARITH_SHIFT_LEFT || op == ALU_OP_ARITH_SHIFT_RIGHT || op == ALU_OP_LOGICAL_SHIFT_LEFT ||
         op == ALU_OP_LOGICAL_SHIFT_RIGHT;
}

bool alu_is_logical(AluOp op)
{
  return op == ALU_OP_LOGICAL_AND || op == ALU_OP_LOGICAL_OR || op == ALU_OP_LOGICAL_XOR;
}

void shift_is_open(Sim *sim, AluOp op, unsigned width, uint32_t count)
{
  sim_unspecified(sim, GAP_SHIFT_COUNT, "`%s` shifts integers of %u bits by %" PRIu32 ", with `%s`", sim_op_name(sim),
                  width, count, alu_info(op)->wire_name);
}

bool power_is_open(float x, float y)
{
  return x < 0 && isfinite(x) && isfinite(y) && rintf(y) != y;
}

void nan_is_open(Sim *sim, Gap gap, const Tile *tile, uint64_t partition, uint64_t elem)
{
  sim_unspecified(sim, gap, "`%s` of a NaN: element %s of `%s`", sim_op_name(sim),
                  tile_index_text(sim, tile, partition, elem), tile->role);
}

void tile_expect_no_nan(Sim *sim, Gap gap, const Tile *tile)
{
  float scratch[TILE_PIECE];
  for (uint64_t p = 0; p < tile->partitions && dtype_is_float(tile->dtype); p++)
    for (uint64_t i = 0; i < tile->free_elems; i += TILE_PIECE) {
      uint64_t n = tile->free_elems - i < TILE_PIECE ? tile->free_elems - i : TILE_PIECE, k = 0;
      const float *values = tile_row_f32(tile, p, i, n, scratch, sim->number_mode);
      int found = 0;
      for (uint64_t j = 0; j < n; j++)
        found |= values[j] != values[j];
      while (found && values[k] == values[k])
        k++;
      if (found) {
        nan_is_open(sim, gap, tile, p, i + k);
        return;
      }
    }
}

// ---- overlap
bool expect_clear(Sim *sim, const Tile *dst, const Tile *src)
{
  if (tile_relation(sim, dst, src) != TILE_OVERLAP)
    return true;
  if (!sim->options.checks)
    return false;
  Diag *diag = sim_error(sim, E_SIM_OVERLAP, "`%s` of `%s` overlaps its operand `%s` in `%s`", dst->role,
                         sim_op_name(sim), src->role, dst->view->tensor->name);
  tile_label_tensor(diag, dst->view);
  diag_help(diag, "write into another tile, then copy; only exactly the same elements may be read and written at once");
  sim_stop(sim);
}

// ---- the rest
void expect_fill(Sim *sim, const Tile *dst, float fill)
{
  if (dst->dtype == DTYPE_FLOAT8_E4M3FN && fabsf(fill) > 448)
    sim_unspecified(sim, GAP_RANGE_SELECT_E4M3FN, "`%s` fills a tile of %s with %.9g", sim_op_name(sim),
                    dtype_name(dst->dtype), (double)fill);
}

void match_is_open(Sim *sim, uint64_t partition, uint64_t slot)
{
  sim_unspecified(sim, GAP_MATCH_INDEX, "`%s` does not find value %" PRIu64 " of row %" PRIu64 " of `vals`, and `dst_idx` "
                  "says where it stands", sim_op_name(sim), slot, partition);
}

bool activation_is_limited(ActivationFunc func)
{
  return !activation_in_range(func, -INFINITY) || !activation_in_range(func, INFINITY);
}

void warn_range(Sim *sim, ActivationFunc func, const Tile *data, uint64_t partition, uint64_t elem, float input)
{
  const ActivationInfo *info = activation_info(func);
  if (func != ACTIVATION_FUNC_SIN) {
    sim_unspecified(sim, GAP_ACTIVATION_RANGE,
                    "`%s` of %.9g, for element %s of `%s`, is outside of its documented range, %.9g to %.9g%s", info->name,
                    (double)input, tile_index_text(sim, data, partition, elem), data->role, (double)info->least,
                    (double)info->most, func == ACTIVATION_FUNC_RECIPROCAL ? " and not nearer to 0 than 2^-42" : "");
    return;
  }
  Diag *diag = sim_warning(sim, W_SIM_RANGE, "`%s` of %.9g, for element %s of `%s`: outside its documented range",
                           info->name, (double)input, tile_index_text(sim, data, partition, elem), data->role);
  if (diag)
    diag_note(diag, "the range is %.9g to %.9g; beyond it the device continues a cubic: reduce the argument first, as "
              "`nl.sin` does", (double)info->least, (double)info->most);
}

void sim_count_dma(Sim *sim, const Tile *tile)
{
  sim->stats.dma_bytes += tile->partitions * tile->free_elems * tile->item;
}

static bool is_integer32(const Tile *tile)
{
  return (tile->dtype == DTYPE_INT32 || tile->dtype == DTYPE_UINT32) && tile_memory(tile) != MEMORY_PSUM;
}

bool is_exact_integer(const Tile *dst, const Tile *a, const Tile *b, Engine engine)
{
  return (engine == ENGINE_UNASSIGNED || engine == ENGINE_POOL) && is_integer32(dst) && is_integer32(a) &&
         is_integer32(b);
}

bool swaps(AluOp op, bool reverse)
{
  return reverse && alu_info(op)->operand_count > 1;
}

bool reverses_first(ReverseOps reverse, AluOp op0)
{
  return swaps(op0, reverse == REVERSE_OPS_FIRST || reverse == REVERSE_OPS_BOTH);
}

bool reverses_second(ReverseOps reverse, AluOp op1)
{
  return swaps(op1, reverse == REVERSE_OPS_SECOND || reverse == REVERSE_OPS_BOTH);
}

uint64_t reduced_elems(const View *view, SubDim op_dim)
{
  uint64_t count = 1;
  for (uint32_t i = view->pattern.count, dims = (uint32_t)op_dim + 1; i > 1 && dims > 0; dims--)
    count *= view->pattern.items[--i].num;
  return count;
}
