// isa_special.c -- rules of nki.isa that take more than a set or a range.

#include "machine/isa_special.h"
#include "core/nki_names.h"

#include <inttypes.h>
#include <math.h>

#define TILE(op_, field) isa_tile(check, offsetof(Op, op_.field))

static const char *op_name(const IsaCheck *check)
{
  return op_known_as(check->instr);
}

static const char *named(const IsaCheck *check, const char *field)
{
  return field_known_as(check->instr, field);
}

static const char *dtype_text(DType dtype)
{
  return dtype_name(dtype);
}

static const char *alu_text(const IsaCheck *check, AluOp op)
{
  const char *name = instr_is_traced(check->instr) ? alu_info(op)->nki_name : NULL;
  return name ? name : alu_wire_name(op);
}

static bool is_number(const Immediate *value, double *out)
{
  *out = value->ctor == Immediate_integer ? (double)value->integer : (double)value->real;
  return value->ctor == Immediate_integer || value->ctor == Immediate_real;
}

// A constant operand, or 0 when it is a tile.
static bool is_constant(const Operand *operand, double *out)
{
  return operand && operand->ctor == Operand_imm && is_number(&operand->imm, out);
}

// ---- DMA

enum { DGE_SOFTWARE = 1, DGE_HARDWARE = 2, DGE_NONE = 3 };  // numbers of nki.isa.dge_mode

bool isa_trigger_engine(IsaCheck *check)
{
  const struct Op_nc_dma_copy *op = &check->instr->op->nc_dma_copy;
  if (op->engine == ENGINE_UNASSIGNED)
    return true;
  const char *engine = machine_engine(check->machine, op->engine)->nki_name;
  if (op->engine != ENGINE_SP && op->engine != ENGINE_ACT)
    return isa_fail(check, "`%s` asks for the %s engine", op_name(check), engine);
  return op->dge_mode == DGE_HARDWARE || isa_fail(check, "`%s` asks for the %s engine without dge_mode.hwdge",
                                                  op_name(check), engine);
}

typedef bool TileRule(IsaCheck *check, const char *field, const Tile *tile);

static bool both_sides(IsaCheck *check, TileRule *rule)
{
  const Tile *dst = TILE(nc_dma_copy, dst), *src = TILE(nc_dma_copy, src);
  return (!dst || rule(check, "dst", dst)) && (!src || rule(check, "src", src));
}

static bool has_one_offset(IsaCheck *check, const char *field, const Tile *tile)
{
  return !tile->view->scalar_offset || !tile->view->vector_offset ||
         isa_fail(check, "`%s` of `%s` has a scalar_offset and a vector_offset", named(check, field), op_name(check));
}

bool isa_one_offset(IsaCheck *check)
{
  return both_sides(check, has_one_offset);
}

static bool is_in_hbm(const Tile *tile)
{
  return !memory_is_on_chip(tile->memory) && tile->memory != MEMORY_REG;
}

static bool gathers_from_hbm(IsaCheck *check, const char *field, const Tile *tile)
{
  if (!tile->view->vector_offset)
    return true;
  if (!is_in_hbm(tile))
    return isa_fail(check, "`%s` of `%s` has a vector_offset and is in %s", named(check, field), op_name(check),
                    core_MEMORY.of->member_name(tile->memory));
  return tile->view->indirect_dim == 0 || isa_fail(check, "`%s` of `%s` has a vector_offset along dimension %d",
                                                   named(check, field), op_name(check), (int)tile->view->indirect_dim);
}

bool isa_gather_memory(IsaCheck *check)
{
  return both_sides(check, gathers_from_hbm);
}

static bool index_tile(IsaCheck *check, const Access *access, Tile *out)
{
  TensorRef ref = {.ctor = TensorRef_abstract, .abstract = *access};
  return tile_of_ref(&check->reporter->scratch, &ref, out);
}

static bool index_is_column(IsaCheck *check, const char *field, const Tile *tile)
{
  Tile index;
  if (!tile->view->vector_offset || !index_tile(check, tile->view->vector_offset, &index))
    return true;
  Arena *arena = &check->reporter->session->arena;
  if (index.memory != MEMORY_SBUF)
    return isa_fail(check, "the vector_offset of `%s` of `%s` is in %s", named(check, field), op_name(check),
                    core_MEMORY.of->member_name(index.memory));
  return index.free_elements == 1 || isa_fail(check, "the vector_offset of `%s` of `%s` is %s", named(check, field),
                                              op_name(check), tile_shape_text(arena, &index));
}

bool isa_gather_index(IsaCheck *check)
{
  return both_sides(check, index_is_column);
}

static bool index_is_scalar(IsaCheck *check, const char *field, const Tile *tile)
{
  Tile index;
  const ScalarOffset *offset = tile->view->scalar_offset;
  if (!offset || offset->ctor != ScalarOffset_acc || !index_tile(check, &offset->acc, &index))
    return true;
  Arena *arena = &check->reporter->session->arena;
  if (index.memory != MEMORY_SBUF)
    return isa_fail(check, "the scalar_offset of `%s` of `%s` is in %s", named(check, field), op_name(check),
                    core_MEMORY.of->member_name(index.memory));
  return index.partitions * index.free_elements == 1 ||
         isa_fail(check, "the scalar_offset of `%s` of `%s` is %s", named(check, field), op_name(check),
                  tile_shape_text(arena, &index));
}

bool isa_scalar_index(IsaCheck *check)
{
  return both_sides(check, index_is_scalar);
}

bool isa_dynamic_mode(IsaCheck *check)
{
  const Tile *dst = TILE(nc_dma_copy, dst), *src = TILE(nc_dma_copy, src);
  bool is_dynamic = (dst && dst->is_indirect) || (src && src->is_indirect);
  return !is_dynamic || check->instr->op->nc_dma_copy.dge_mode != DGE_NONE ||
         isa_fail(check, "`dge_mode` of `%s` is none, and an address is known at run time only", op_name(check));
}

bool isa_packed_cast(IsaCheck *check)
{
  const Tile *dst = TILE(nc_dma_copy, dst), *src = TILE(nc_dma_copy, src);
  if (!dst || !src || dst->dtype == src->dtype || (!dtype_is_packed(dst->dtype) && !dtype_is_packed(src->dtype)))
    return true;
  return isa_fail(check, "`%s` converts %s to %s", op_name(check), dtype_text(src->dtype), dtype_text(dst->dtype));
}

static const Tile *indirect_source(const IsaCheck *check)
{
  const Tile *src = TILE(dma_transpose, src);
  return src && src->view->vector_offset ? src : NULL;
}

bool isa_transpose_mode(IsaCheck *check)
{
  static const char *const modes[] = {"unknown", "swdge", "hwdge", "none"};
  uint64_t mode = check->instr->op->dma_transpose.dge_mode;
  bool indirect = indirect_source(check);
  if (mode == 0 || mode > DGE_NONE || (indirect && mode == DGE_SOFTWARE) || (!indirect && mode == DGE_NONE))
    return true;
  if (!indirect && mode == DGE_HARDWARE && check->machine->dma.hardware_dge > 0)
    return true;
  return isa_fail(check, "`dge_mode` of `%s` is %s for %s", op_name(check), modes[mode],
                  indirect ? "an indirect transpose" : "a direct transpose");
}

bool isa_transpose_none(IsaCheck *check)
{
  if (indirect_source(check) || check->instr->op->dma_transpose.dge_mode != DGE_NONE)
    return true;
  return isa_fail(check, "`dge_mode` of `%s` is none for a direct transpose", op_name(check));
}

bool isa_transpose_hardware(IsaCheck *check)
{
  const Tile *src = TILE(dma_transpose, src);
  if (!src || check->instr->op->dma_transpose.dge_mode != DGE_HARDWARE || src->view->vector_offset)
    return true;
  const Core_LIST_AP_PAIR *dims = &src->view->pattern;
  uint64_t rows = dims->count ? dims->items[0].num : 1, last = dims->count ? dims->items[dims->count - 1].num : 1;
  uint64_t before = dims->count > 1 ? dims->items[dims->count - 2].num : 1;
  bool rows_fit = dims->count <= 2 ? rows == 16 : rows <= 16 && (rows & (rows - 1)) == 0 && rows * before % 16 == 0;
  if (dtype_bytes(src->dtype) == 2 && last <= 128 && rows_fit)
    return true;
  return isa_fail(check, "`src` of `%s` is %s %s, to be transposed by hardware", op_name(check),
                  tile_shape_text(&check->reporter->session->arena, src), dtype_text(src->dtype));
}

bool isa_transpose_indirect(IsaCheck *check)
{
  const Tile *src = indirect_source(check);
  if (!src)
    return true;
  const Core_LIST_AP_PAIR *dims = &src->view->pattern;
  bool middle = dims->count != 4 || dims->items[1].num == 1 || dims->items[2].num == 1;
  bool fits = is_in_hbm(src) && dtype_bytes(src->dtype) == 2 && dims->items[dims->count - 1].num <= 128 &&
              src->partitions % 16 == 0 && middle;
  return fits || isa_fail(check, "`src` of the indirect `%s` is %s %s in %s", op_name(check),
                          tile_shape_text(&check->reporter->session->arena, src), dtype_text(src->dtype),
                          core_MEMORY.of->member_name(src->memory));
}

bool isa_transpose_index(IsaCheck *check)
{
  Tile index;
  const Tile *src = indirect_source(check);
  if (!src || !index_tile(check, src->view->vector_offset, &index))
    return true;
  bool rows_fit = index.partitions >= 16 && index.partitions <= 128 && index.partitions % 16 == 0 &&
                  (index.free_elements == 1 || index.partitions == 128);
  bool fits = rows_fit && index.dtype == DTYPE_UINT32 && index.memory == MEMORY_SBUF && index.view->pattern.count <= 2 &&
              index.partitions * index.free_elements >= src->partitions;
  return fits || isa_fail(check, "the indices of `%s` are %s %s in %s, for %" PRIu64 " rows", op_name(check),
                          tile_shape_text(&check->reporter->session->arena, &index), dtype_text(index.dtype),
                          core_MEMORY.of->member_name(index.memory), src->partitions);
}

bool isa_transpose_generation(IsaCheck *check)
{
  return !indirect_source(check) || isa_fail(check, "`src` of `%s` has a vector_offset", op_name(check));
}

bool isa_transpose_skip(IsaCheck *check)
{
  const Tile *src = TILE(dma_transpose, src);
  bool skips = check->instr->op->dma_transpose.oob_mode.ctor == DmaBounds_skip;
  return !skips || !src || src->is_indirect ||
         isa_fail(check, "`oob_mode` of `%s` is skip, its `src` is not indirect", op_name(check));
}

bool isa_compute_count(IsaCheck *check)
{
  uint32_t count = check->instr->op->dma_compute.srcs.count;
  return (count >= 1 && count <= 16) || isa_fail(check, "`%s` has %u sources", op_name(check), count);
}

bool isa_compute_scales(IsaCheck *check)
{
  const Core_LIST_IMMEDIATE *scales = &check->instr->op->dma_compute.scales;
  double number;
  for (uint32_t i = 0; i < scales->count; i++)
    if (is_number(&scales->items[i], &number) && number != 1)
      return isa_fail(check, "`scales` of `%s` has %.9g at %u", op_name(check), number, i);
  return true;
}

// How many operands of dma_compute have a vector_offset, and how many a scalar_offset.
static void count_offsets(IsaCheck *check, uint32_t *vectors, uint32_t *scalars)
{
  const struct Op_dma_compute *op = &check->instr->op->dma_compute;
  *vectors = *scalars = 0;
  for (uint32_t i = 0; i <= op->srcs.count; i++) {
    Tile tile;
    if (!tile_of_ref(&check->reporter->scratch, i < op->srcs.count ? &op->srcs.items[i] : &op->dst, &tile))
      continue;
    *vectors += tile.view->vector_offset != NULL;
    *scalars += tile.view->scalar_offset != NULL;
  }
}

bool isa_compute_pair(IsaCheck *check)
{
  uint32_t vectors, scalars, count = check->instr->op->dma_compute.srcs.count;
  count_offsets(check, &vectors, &scalars);
  return vectors == 0 || count == 2 || isa_fail(check, "`%s` has a vector_offset and %u sources", op_name(check), count);
}

bool isa_compute_static(IsaCheck *check)
{
  uint32_t vectors, scalars;
  count_offsets(check, &vectors, &scalars);
  return scalars == 0 || isa_fail(check, "an operand of `%s` has a scalar_offset", op_name(check));
}

bool isa_compute_memory(IsaCheck *check)
{
  const Core_LIST_TENSOR_REF *srcs = &check->instr->op->dma_compute.srcs;
  Tile tile;
  for (uint32_t i = 0; i < srcs->count; i++)
    if (tile_of_ref(&check->reporter->scratch, &srcs->items[i], &tile) && tile.memory != MEMORY_SBUF && !is_in_hbm(&tile))
      return isa_fail(check, "source %u of `%s` is in %s", i, op_name(check), core_MEMORY.of->member_name(tile.memory));
  return true;
}

// ---- moving data on chip

bool isa_memset_packed(IsaCheck *check)
{
  const Tile *dst = TILE(memset, dst);
  double number;
  if (!dst || !dtype_is_packed(dst->dtype) || !is_number(&check->instr->op->memset.value, &number) || number == 0)
    return true;
  return isa_fail(check, "`value` of `%s` is %.9g, for %s", op_name(check), number, dtype_text(dst->dtype));
}

// A float for a tile of integers, whole or not.
static bool memset_number_fits(IsaCheck *check, bool is_whole)
{
  const Tile *dst = TILE(memset, dst);
  const Immediate *value = &check->instr->op->memset.value;
  if (!dst || value->ctor != Immediate_real || !dtype_is_integer(dst->dtype) ||
      is_whole != (isfinite(value->real) && floorf(value->real) == value->real))
    return true;
  return isa_fail(check, "`value` of `%s` is the float %.9g, for %s", op_name(check), (double)value->real,
                  dtype_text(dst->dtype));
}

bool isa_memset_type(IsaCheck *check)
{
  return memset_number_fits(check, false);
}

bool isa_memset_whole(IsaCheck *check)
{
  return memset_number_fits(check, true);
}

static bool fits_int32(int64_t number)
{
  return number >= INT32_MIN && number <= INT32_MAX;
}

static bool pattern_fits(IsaCheck *check, const DataPattern *pattern)
{
  if (!fits_int32(pattern->offset))
    return isa_fail(check, "`offset` of `%s` is %" PRId64, op_name(check), pattern->offset);
  return fits_int32(pattern->channel_multiplier) ||
         isa_fail(check, "`channel_multiplier` of `%s` is %" PRId64, op_name(check), pattern->channel_multiplier);
}

bool isa_iota_numbers(IsaCheck *check)
{
  return pattern_fits(check, &check->instr->op->iota.pattern);
}

bool isa_affine_numbers(IsaCheck *check)
{
  return pattern_fits(check, &check->instr->op->nc_affine_select.pred);
}

bool isa_transpose_dtype(IsaCheck *check)
{
  const Tile *dst = TILE(transpose, dst), *src = TILE(transpose, src);
  if (!dst || !src || dtype_same_format(dst->dtype, src->dtype))
    return true;
  bool extends = check->instr->op->transpose.engine == ENGINE_PE && check->machine->transpose_is_exact &&
                 dtype_bytes(src->dtype) == 1 && dtype_bytes(dst->dtype) == 2;
  return extends || isa_fail(check, "`%s` of `%s` is %s, `%s` %s", named(check, "dst"), op_name(check), dtype_text(dst->dtype),
                             named(check, "src"), dtype_text(src->dtype));
}

bool isa_shuffle_start(IsaCheck *check)
{
  const Tile *tiles[] = {TILE(shuffle, dst), TILE(shuffle, src)};
  uint64_t quadrant = check->machine->partition_quadrant, most = 0;
  for (int i = 0; i < 2; i++)
    if (tiles[i] && tiles[i]->partitions > most)
      most = tiles[i]->partitions;
  uint64_t active = (most + quadrant - 1) / quadrant * quadrant;
  for (int i = 0; i < 2; i++) {
    if (!tiles[i] || !memory_is_on_chip(tiles[i]->memory))
      continue;
    const Core_OPT_NAT *placed = &tiles[i]->tensor->address->par_offset;
    uint64_t start = tiles[i]->start_partition + (placed->some ? placed->value : 0);
    if (active > 2 * quadrant ? start != 0 : active && start % active != 0)
      return isa_fail(check, "`%s` of `%s` starts at partition %" PRIu64 " with %" PRIu64 " active partitions",
                      named(check, i ? "src" : "dst"), op_name(check), start, active);
  }
  return true;
}

bool isa_transpose_engine_memory(IsaCheck *check)
{
  const Tile *dst = TILE(transpose, dst), *src = TILE(transpose, src);
  if (check->instr->op->transpose.engine != ENGINE_UNASSIGNED || !dst || !src)
    return true;
  bool large = src->partitions > check->machine->vector_transpose_block ||
               src->free_elements > check->machine->vector_transpose_block;
  if (!large || (src->memory == MEMORY_SBUF && dst->memory == MEMORY_PSUM))
    return true;
  return isa_fail(check, "`%s` of %s goes from %s to %s", op_name(check),
                  tile_shape_text(&check->reporter->session->arena, src), core_MEMORY.of->member_name(src->memory),
                  core_MEMORY.of->member_name(dst->memory));
}

enum { GATHER_GROUP = 16, GATHER_MOST = 4096 };  // partitions of a GpSimd core, and its indices

bool isa_local_gather_count(IsaCheck *check)
{
  const Tile *index = TILE(nc_local_gather, index);
  return !index || index->free_elements * GATHER_GROUP <= GATHER_MOST ||
         isa_fail(check, "`index` of `%s` holds %" PRIu64 " indices for a group", op_name(check),
                  index->free_elements * GATHER_GROUP);
}

bool isa_local_gather_valid(IsaCheck *check)
{
  const Tile *index = TILE(nc_local_gather, index);
  const Immediate *valid = check->instr->op->nc_local_gather.num_valid_indicies;
  double number;
  if (!index || !valid || !is_number(valid, &number))
    return true;
  double most = (double)index->free_elements * GATHER_GROUP;
  return (number >= 0 && number <= most) ||
         isa_fail(check, "`%s` of `%s` is %.9g, a group has %.9g indices", named(check, "num_valid_indicies"),
                  op_name(check), number, most);
}

// ---- the tensor engine

bool isa_array_tile_fit(IsaCheck *check)
{
  const struct Op_nc_matmul *op = &check->instr->op->nc_matmul;
  const Tile *stationary = TILE(nc_matmul, stationary), *moving = TILE(nc_matmul, moving);
  if (op->tile_size.count != 2 || !stationary || !moving)
    return true;
  uint64_t rows = op->tile_size.items[0], columns = op->tile_size.items[1];
  uint64_t each = op->perf_mode != PERF_MODE_NONE ? 2 : 1;
  if (stationary->partitions <= rows && stationary->free_elements <= columns * each && moving->partitions <= rows)
    return true;
  Arena *arena = &check->reporter->session->arena;
  return isa_fail(check, "`tile_size` of `%s` is %" PRIu64 "x%" PRIu64 ", `stationary` is %s, `moving` is %s",
                  op_name(check), rows, columns, tile_shape_text(arena, stationary), tile_shape_text(arena, moving));
}

static bool is_double(const struct Op_nc_matmul *op)
{
  return op->perf_mode != PERF_MODE_NONE;
}

static bool has_pairs(const Tile *tile)
{
  return !tile || (tile->view->pattern.count >= 2 && tile->view->pattern.items[1].num == 2);
}

bool isa_double_row_pairs(IsaCheck *check)
{
  const Tile *stationary = TILE(nc_matmul, stationary), *moving = TILE(nc_matmul, moving);
  if (!is_double(&check->instr->op->nc_matmul) || (has_pairs(stationary) && has_pairs(moving)))
    return true;
  const Tile *odd = has_pairs(stationary) ? moving : stationary;
  return isa_fail(check, "`%s` of `%s` in double_row mode is %s", odd == moving ? "moving" : "stationary", op_name(check),
                  tile_shape_text(&check->reporter->session->arena, odd));
}

bool isa_double_row_alone(IsaCheck *check)
{
  const struct Op_nc_matmul *op = &check->instr->op->nc_matmul;
  if (!is_double(op))
    return true;
  if (op->is_transpose)
    return isa_fail(check, "`%s` asks for double_row and is_transpose", op_name(check));
  return op->tile_size.count != 2 || op->tile_size.items[1] == check->machine->partitions ||
         isa_fail(check, "`%s` asks for double_row and column tiles of %" PRIu64, op_name(check), op->tile_size.items[1]);
}

bool isa_mx_tile(IsaCheck *check)
{
  const struct Op_nc_matmul_mx *op = &check->instr->op->nc_matmul_mx;
  const Core_LIST_NAT *at = op->tile_position, *size = op->tile_size;
  if (!at || !size || at->count != 2 || size->count != 2)
    return true;
  uint64_t rows = size->items[0];
  bool fits = (rows == 32 || rows == 64 || rows == 128) && at->items[0] % rows == 0 &&
              at->items[0] + rows <= check->machine->partitions && at->items[1] == 0 &&
              size->items[1] == check->machine->partitions;
  return fits || isa_fail(check, "`%s` asks for a tile of %" PRIu64 "x%" PRIu64 " at (%" PRIu64 ", %" PRIu64 ")",
                          op_name(check), rows, size->items[1], at->items[0], at->items[1]);
}

enum { MX_GROUP_ROWS = 8, QUADRANT = 32, SCALE_ROWS = 4 };

// Scales of one operand: a row for each group of 8 partitions, four to a quadrant; the rows between are not used, and
// those behind the last group need not be there.
static bool scale_fits(IsaCheck *check, const char *field, const Tile *scale, uint64_t partitions, uint64_t columns)
{
  if (!scale)
    return true;
  uint64_t rows = partitions <= QUADRANT ? partitions / MX_GROUP_ROWS : partitions - QUADRANT + SCALE_ROWS;
  if (scale->free_elements == columns && scale->partitions >= rows)
    return true;
  return isa_fail(check, "`%s` of `%s` is %s, of an operand of %" PRIu64 " partitions and %" PRIu64 " groups each",
                  named(check, field), op_name(check), tile_shape_text(&check->reporter->session->arena, scale),
                  partitions, columns);
}

// More partitions of scales than their operand has: nothing reads what is beyond.
static bool scale_rows_fit(IsaCheck *check, const char *field, const Tile *scale, const Tile *data)
{
  return !scale || !data || scale->partitions <= data->partitions ||
         isa_fail(check, "`%s` of `%s` has %" PRIu64 " partitions, its operand %" PRIu64, named(check, field),
                  op_name(check), scale->partitions, data->partitions);
}

bool isa_mx_stationary_rows(IsaCheck *check)
{
  return scale_rows_fit(check, "stationary_scale", TILE(nc_matmul_mx, stationary_scale), TILE(nc_matmul_mx, stationary));
}

bool isa_mx_moving_rows(IsaCheck *check)
{
  return scale_rows_fit(check, "moving_scale", TILE(nc_matmul_mx, moving_scale), TILE(nc_matmul_mx, moving));
}

bool isa_quantize_rows(IsaCheck *check)
{
  return scale_rows_fit(check, "dst_scale", TILE(quantize_mx, dst_scale), TILE(quantize_mx, src));
}

// Where the view starts on the chip, when that is known.
static bool first_partition(const Tile *tile, uint64_t *out)
{
  const Core_OPT_NAT *placed = &tile->tensor->address->par_offset;
  *out = tile->start_partition + (placed->some ? placed->value : 0);
  return memory_is_on_chip(tile->memory);
}

static bool scale_starts(IsaCheck *check, const char *field, const Tile *scale)
{
  uint64_t first;
  if (!scale || !first_partition(scale, &first))
    return true;
  uint64_t row = first % QUADRANT;
  return (row % SCALE_ROWS == 0 && row < QUADRANT / 2) ||
         isa_fail(check, "`%s` of `%s` starts at partition %" PRIu64, named(check, field), op_name(check), first);
}

bool isa_mx_stationary_scale(IsaCheck *check)
{
  const Tile *tile = TILE(nc_matmul_mx, stationary);
  return !tile || scale_fits(check, "stationary_scale", TILE(nc_matmul_mx, stationary_scale), tile->partitions,
                             tile->free_elements);
}

bool isa_mx_moving_scale(IsaCheck *check)
{
  const Tile *tile = TILE(nc_matmul_mx, moving);
  return !tile ||
         scale_fits(check, "moving_scale", TILE(nc_matmul_mx, moving_scale), tile->partitions, tile->free_elements);
}

bool isa_mx_stationary_start(IsaCheck *check)
{
  return scale_starts(check, "stationary_scale", TILE(nc_matmul_mx, stationary_scale));
}

bool isa_mx_moving_start(IsaCheck *check)
{
  return scale_starts(check, "moving_scale", TILE(nc_matmul_mx, moving_scale));
}

bool isa_quantize_shape(IsaCheck *check)
{
  const Tile *dst = TILE(quantize_mx, dst), *src = TILE(quantize_mx, src);
  if (!dst || !src || (dst->partitions == src->partitions && dst->free_elements * 4 == src->free_elements))
    return true;
  Arena *arena = &check->reporter->session->arena;
  return isa_fail(check, "`dst` of `%s` is %s, `src` is %s", op_name(check), tile_shape_text(arena, dst),
                  tile_shape_text(arena, src));
}

bool isa_quantize_scale(IsaCheck *check)
{
  const Tile *src = TILE(quantize_mx, src);
  return !src ||
         scale_fits(check, "dst_scale", TILE(quantize_mx, dst_scale), src->partitions, src->free_elements / 4);
}

bool isa_quantize_start(IsaCheck *check)
{
  return scale_starts(check, "dst_scale", TILE(quantize_mx, dst_scale));
}

// ---- elementwise

bool isa_power_in_sbuf(IsaCheck *check)
{
  if (check->instr->op->tensor_tensor.op != ALU_OP_POW)
    return true;
  for (uint32_t i = 0; i < check->shape->count; i++)
    if (check->tiles[i].is_known && check->tiles[i].memory == MEMORY_PSUM)
      return isa_fail(check, "`%s` of `%s` with power is in psum", named(check, check->shape->slots[i].field->name),
                      op_name(check));
  return true;
}

bool isa_scalar_engine_steps(IsaCheck *check)
{
  const struct Op_tensor_scalar *op = &check->instr->op->tensor_scalar;
  if (op->engine != ENGINE_ACT || alu_is_bitvec(op->op0))
    return true;
  bool has_second = op->op1.some && op->op1.value != ALU_OP_BYPASS;
  bool fits = op->op0 == ALU_OP_MULT ? !has_second || op->op1.value == ALU_OP_ADD : op->op0 == ALU_OP_ADD && !has_second;
  return fits || isa_fail(check, "`%s` on the scalar engine computes %s%s%s", op_name(check), alu_text(check, op->op0),
                          has_second ? " then " : " alone", has_second ? alu_text(check, op->op1.value) : "");
}

static bool operand_is_float32(IsaCheck *check, const char *field, const Tile *tile, AluOp op)
{
  return !tile || alu_is_bitvec(op) || tile->dtype == DTYPE_FLOAT32 ||
         isa_fail(check, "`%s` of `%s` is %s", named(check, field), op_name(check), dtype_text(tile->dtype));
}

bool isa_scalar_operand0(IsaCheck *check)
{
  return operand_is_float32(check, "imm0", TILE(tensor_scalar, imm0), check->instr->op->tensor_scalar.op0);
}

bool isa_scalar_operand1(IsaCheck *check)
{
  const struct Op_tensor_scalar *op = &check->instr->op->tensor_scalar;
  return !op->op1.some || operand_is_float32(check, "imm1", TILE(tensor_scalar, imm1), op->op1.value);
}

bool isa_scalar_unary(IsaCheck *check)
{
  const struct Op_tensor_scalar *op = &check->instr->op->tensor_scalar;
  double number = 0;
  if (alu_info(op->op0)->operand_count != 1 || (is_constant(&op->imm0, &number) && number == 0))
    return true;
  return isa_fail(check, "`%s` of `%s` is %s, and %s takes one operand", named(check, "imm0"), op_name(check),
                  op->imm0.ctor == Operand_tile
                      ? "a tile"
                      : arena_printf(&check->reporter->session->arena, "%.9g", number),
                  alu_text(check, op->op0));
}

static bool initial_fits(IsaCheck *check, const char *field, bool is_given, AccumCmd command)
{
  if (is_given == (command == ACCUM_CMD_LOAD_ACCUMULATE))
    return true;
  return isa_fail(check, is_given ? "`%s` of `%s` is given without load_reduce" : "`%s` of `%s` is missing for load_reduce",
                  named(check, field), op_name(check));
}

bool isa_cumulative_initial(IsaCheck *check)
{
  const struct Op_tensor_scalar_cumulative *op = &check->instr->op->tensor_scalar_cumulative;
  return initial_fits(check, "imm1", op->imm1 != NULL, op->reduce_cmd);
}

bool isa_reduce_initial(IsaCheck *check)
{
  const struct Op_tensor_scalar_reduce *op = &check->instr->op->tensor_scalar_reduce;
  return initial_fits(check, "reduce_init", op->reduce_init || op->reduce_init_tile, op->reduce_cmd);
}

bool isa_exponential_initial(IsaCheck *check)
{
  const struct Op_exponential *op = &check->instr->op->exponential;
  double number = 0;
  bool is_zero = is_constant(&op->reduce_init, &number) && number == 0;
  return is_zero || op->reducecmd == ACCUM_CMD_LOAD_ACCUMULATE ||
         isa_fail(check, "`%s` of `%s` is given without load_reduce", named(check, "reduce_init"), op_name(check));
}

// ---- the scalar engine

bool isa_reciprocal_bias(IsaCheck *check)
{
  const Op *op = check->instr->op;
  bool is_reduce = op->kind == OP_activation_reduce;
  ActivationFunc func = is_reduce ? op->activation_reduce.activation_func : op->nc_activate.activation_func;
  const TensorRef *bias = is_reduce ? op->activation_reduce.bias : op->nc_activate.bias;
  return func != ACTIVATION_FUNC_RECIPROCAL || !bias ||
         isa_fail(check, "`%s` of reciprocal has a bias", op_name(check));
}

bool isa_activate2_steps(IsaCheck *check)
{
  const struct Op_activate2 *op = &check->instr->op->activate2;
  AluOp a = op->op0, b = op->op1;
  bool fits = a == ALU_OP_MULT ? b == ALU_OP_ADD || b == ALU_OP_SUBTRACT || b == ALU_OP_BYPASS
                               : (a == ALU_OP_ADD || a == ALU_OP_SUBTRACT || a == ALU_OP_BYPASS) && b == ALU_OP_BYPASS;
  return fits ||
         isa_fail(check, "`op0` and `op1` of `%s` are %s and %s", op_name(check), alu_text(check, a), alu_text(check, b));
}

bool isa_activate2_operands(IsaCheck *check)
{
  const Tile *a = TILE(activate2, imm0), *b = TILE(activate2, imm1);
  return !a || !b || a->dtype == b->dtype ||
         isa_fail(check, "`imm0` of `%s` is %s, `imm1` is %s", op_name(check), dtype_text(a->dtype),
                  dtype_text(b->dtype));
}

bool isa_activate2_reverse0(IsaCheck *check)
{
  const struct Op_activate2 *op = &check->instr->op->activate2;
  return !op->reverse0 || op->op0 != ALU_OP_BYPASS ||
         isa_fail(check, "`reverse0` of `%s` is True and `op0` is bypass", op_name(check));
}

bool isa_activate2_reverse1(IsaCheck *check)
{
  const struct Op_activate2 *op = &check->instr->op->activate2;
  return !op->reverse1 || op->op1 != ALU_OP_BYPASS ||
         isa_fail(check, "`reverse1` of `%s` is True and `op1` is bypass", op_name(check));
}

// ---- reductions and selections

bool isa_negate_arithmetic(IsaCheck *check)
{
  const struct Op_tensor_reduce *op = &check->instr->op->tensor_reduce;
  return !op->negated || !alu_is_bitvec(op->op) ||
         isa_fail(check, "`%s` of `%s` is True with %s", named(check, "negated"), op_name(check),
                  alu_text(check, op->op));
}

bool isa_range_fill(IsaCheck *check)
{
  const float lowest = -0x1.fffffep127f;
  double number;
  return !is_number(&check->instr->op->nc_range_select.on_false_value, &number) || (float)number == lowest ||
         isa_fail(check, "`on_false_value` of `%s` is %.9g", op_name(check), number);
}

bool isa_range_positions(IsaCheck *check)
{
  const Tile *tile = TILE(nc_range_select, on_true_tile);
  const double most = 1 << 24;
  double start;
  if (!tile || !is_number(&check->instr->op->nc_range_select.range_start, &start) ||
      start + (double)tile->free_elements <= most)
    return true;
  return isa_fail(check, "positions of `%s` reach %.0f", op_name(check), start + (double)tile->free_elements - 1);
}

bool isa_bounds_shape(IsaCheck *check)
{
  const Tile *dst = TILE(sequence_bounds, dst), *ids = TILE(sequence_bounds, segment_ids);
  if (!dst || !ids)
    return true;
  bool is_flat = dst->view->pattern.count < 3;
  if (dst->free_elements == 2 * ids->free_elements && (is_flat || dst->view->pattern.items[1].num == 2))
    return true;
  Arena *arena = &check->reporter->session->arena;
  return isa_fail(check, "`dst` of `%s` is %s, `segment_ids` is %s", op_name(check), tile_shape_text(arena, dst),
                  tile_shape_text(arena, ids));
}

bool isa_topk_wanted(IsaCheck *check)
{
  const Tile *values = TILE(topk, val_dst);
  uint64_t n = check->instr->op->topk.n;
  return !values || n < 8 || values->free_elements <= n ||
         isa_fail(check, "`val_dst` of `%s` takes %" PRIu64 " of %" PRIu64 " values", op_name(check),
                  values->free_elements, n);
}

bool isa_topk_snake(IsaCheck *check)
{
  const Tile *src = TILE(topk, src);
  uint64_t n = check->instr->op->topk.n, columns = n / GATHER_GROUP + (n % GATHER_GROUP != 0);
  return !src || src->free_elements >= columns ||
         isa_fail(check, "`src` of `%s` has %" PRIu64 " elements per partition, for %" PRIu64 " values", op_name(check),
                  src->free_elements, n);
}

// ---- random numbers

bool isa_dropout_dtype(IsaCheck *check)
{
  const Tile *data = TILE(dropout, src), *prob = TILE(dropout, threshold);
  if (!data || !prob)
    return true;
  bool fits = dtype_is_integer(data->dtype) ? prob->dtype == DTYPE_FLOAT32 : dtype_info(prob->dtype)->kind == DTYPE_KIND_FLOAT;
  return fits || isa_fail(check, "`%s` of `%s` is %s, `%s` is %s", named(check, "threshold"), op_name(check),
                          dtype_text(prob->dtype), named(check, "src"), dtype_text(data->dtype));
}

bool isa_rand_bounds(IsaCheck *check)
{
  const struct Op_rand2 *op = &check->instr->op->rand2;
  double low, high;
  if (!is_constant(&op->min, &low) || !is_constant(&op->max, &high) || low < high)
    return true;
  return isa_fail(check, "`min` of `%s` is %.9g, `max` is %.9g", op_name(check), low, high);
}

enum { GPSIMD_WORDS = 6, VECTOR_WORDS = 24 };

static bool state_fits(IsaCheck *check, const char *field, const Tile *tile, Engine engine)
{
  if (!tile)
    return true;
  uint64_t words = tile->free_elements;
  bool fits = engine == ENGINE_POOL  ? words == GPSIMD_WORDS
              : engine == ENGINE_DVE ? words == VECTOR_WORDS
                                     : words == GPSIMD_WORDS || words == VECTOR_WORDS;
  return fits || isa_fail(check, "`%s` of `%s` has %" PRIu64 " words a lane", named(check, field), op_name(check), words);
}

bool isa_state_words_in(IsaCheck *check)
{
  return state_fits(check, "src", TILE(rand_set_state, src), check->instr->op->rand_set_state.engine);
}

bool isa_state_words_out(IsaCheck *check)
{
  return state_fits(check, "dst", TILE(rand_get_state, dst), check->instr->op->rand_get_state.engine);
}

// ---- cores

bool isa_barrier_cores(IsaCheck *check)
{
  const Core_LIST_INT *cores = &check->instr->op->core_barrier.cores;
  if (cores->count == 1 && cores->items[0] == 0)
    return true;
  if (cores->count == 2 && cores->items[0] + cores->items[1] == 1 && cores->items[0] * cores->items[1] == 0)
    return true;
  StrBuf list = strbuf_new(&check->reporter->session->arena);
  for (uint32_t i = 0; i < cores->count && i < 8; i++)
    strbuf_printf(&list, "%s%" PRId64, i ? ", " : "", cores->items[i]);
  return isa_fail(check, "`cores` of `%s` is (%s)", op_name(check), strbuf_cstr(&list));
}

bool isa_send_row(IsaCheck *check)
{
  const Tile *src = TILE(send_recv, src);
  if (!src || !check->instr->op->send_recv.use_gpsimd_dma)
    return true;
  const uint64_t most_elements = 256;
  uint64_t bytes = dtype_bytes(src->dtype), row = bytes * src->free_elements;
  return row <= bytes * most_elements || isa_fail(check, "`src` of `%s` has %" PRIu64 " bytes of %s a partition",
                                                  op_name(check), row, dtype_text(src->dtype));
}

// ---- tensor indirection

static bool is_indirect_on_chip(const Tile *tile)
{
  return tile && tile->is_known && tile->view->vector_offset && memory_is_on_chip(tile->memory);
}

static uint64_t absolute_start(const Tile *tile)
{
  const Core_OPT_NAT *placed = &tile->tensor->address->par_offset;
  return tile->start_partition + (placed->some ? placed->value : 0);
}

// The first partition of the index of `tile`; false when it is not known.
static bool index_start(IsaCheck *check, const Tile *tile, uint64_t *out)
{
  Tile index;
  if (!is_indirect_on_chip(tile) || !index_tile(check, tile->view->vector_offset, &index))
    return false;
  *out = absolute_start(&index);
  return true;
}

// The source that an indirect dst goes by.
static const Tile *anchor_of(const IsaCheck *check)
{
  switch (check->instr->op->kind) {
  case OP_nc_copy: return TILE(nc_copy, src);
  case OP_copy_predicated: return TILE(copy_predicated, predicate);
  case OP_nc_matmul: return TILE(nc_matmul, stationary);
  case OP_nc_matmul_mx: return TILE(nc_matmul_mx, stationary);
  case OP_tensor_tensor: return TILE(tensor_tensor, src0);
  case OP_tensor_scalar: return TILE(tensor_scalar, src);
  case OP_tensor_scalar_cumulative: return TILE(tensor_scalar_cumulative, src);
  case OP_tensor_reduce: return TILE(tensor_reduce, src);
  case OP_tensor_scalar_reduce: return TILE(tensor_scalar_reduce, src);
  case OP_exponential: return TILE(exponential, src);
  case OP_nc_activate: return TILE(nc_activate, src);
  case OP_activation_reduce: return TILE(activation_reduce, src);
  case OP_activate2: return TILE(activate2, src);
  default: return NULL;
  }
}

// Where the index of an indirect dst has to start; false when nothing is asked.
static bool dst_index_start(IsaCheck *check, uint64_t *out)
{
  const Tile *anchor = anchor_of(check);
  if (!anchor || !anchor->is_known || !memory_is_on_chip(anchor->memory))
    return false;
  *out = absolute_start(anchor);
  return anchor->memory == MEMORY_SBUF || index_start(check, anchor, out);
}

bool isa_indirect_start(IsaCheck *check)
{
  for (uint32_t i = 0; i < check->shape->count; i++) {
    const FieldInfo *field = check->shape->slots[i].field;
    const char *operand = named(check, field->name);
    bool is_source = field->role == ROLE_READ;
    uint64_t start, wanted;
    if (!index_start(check, &check->tiles[i], &start))
      continue;
    if (start % check->machine->partition_quadrant != 0)
      return isa_fail(check, "the index of `%s` starts at partition %" PRIu64, operand, start);
    if (is_source ? (wanted = absolute_start(&check->tiles[i])) != start
                  : dst_index_start(check, &wanted) && wanted != start)
      return isa_fail(check, "the index of `%s` starts at partition %" PRIu64 ", %s at %" PRIu64, operand, start,
                      is_source ? "the operand" : "the source", wanted);
  }
  return true;
}

bool isa_indirect_psum(IsaCheck *check)
{
  for (uint32_t i = 0; i < check->shape->count; i++)
    if (check->shape->slots[i].field->role == ROLE_WRITE && is_indirect_on_chip(&check->tiles[i]) &&
        check->tiles[i].memory == MEMORY_PSUM && op_engine(check->instr->op) == ENGINE_ACT)
      return isa_fail(check, "`%s` on the scalar engine scatters into psum", op_name(check));
  return true;
}

static bool is_origin(const Core_LIST_NAT *position)
{
  for (uint32_t i = 0; i < position->count; i++)
    if (position->items[i] != 0)
      return false;
  return true;
}

bool isa_indirect_matmul(IsaCheck *check)
{
  const struct Op_nc_matmul *op = &check->instr->op->nc_matmul;
  const Tile *tiles[] = {TILE(nc_matmul, dst), TILE(nc_matmul, stationary), TILE(nc_matmul, moving)};
  bool is_indirect = false;
  for (int i = 0; i < 3; i++) {
    if (!is_indirect_on_chip(tiles[i]))
      continue;
    is_indirect = true;
    if (i > 0 && (dtype_bytes(tiles[i]->dtype) > 2 || !dtype_is_float(tiles[i]->dtype)))
      return isa_fail(check, "the indirect `%s` is %s", named(check, i == 1 ? "stationary" : "moving"),
                      dtype_text(tiles[i]->dtype));
  }
  if (op->is_transpose && is_indirect_on_chip(tiles[2]))
    return isa_fail(check, "`moving` is indirect in transpose mode");
  return !is_indirect || is_origin(&op->tile_position) ||
         isa_fail(check, "indirect operands with a tile_position other than (0, 0)");
}

static bool is_pair(IsaCheck *check, const char *name, const Tile *data, const Tile *scale)
{
  if (!data || !scale)
    return true;
  const Access *a = is_indirect_on_chip(data) ? data->view->vector_offset : NULL;
  const Access *b = is_indirect_on_chip(scale) ? scale->view->vector_offset : NULL;
  if (!a != !b)
    return isa_fail(check, "`%s` and its scale: only one is indirect", name);
  return !a || core_equal(&core_ACCESS, a, b) || isa_fail(check, "`%s` and its scale have different indices", name);
}

bool isa_indirect_pairs(IsaCheck *check)
{
  const struct Op_nc_matmul_mx *op = &check->instr->op->nc_matmul_mx;
  const Tile *stationary = TILE(nc_matmul_mx, stationary), *moving = TILE(nc_matmul_mx, moving);
  if (!is_pair(check, "stationary", stationary, TILE(nc_matmul_mx, stationary_scale)) ||
      !is_pair(check, "moving", moving, TILE(nc_matmul_mx, moving_scale)))
    return false;
  bool is_indirect = is_indirect_on_chip(stationary) || is_indirect_on_chip(moving) ||
                     is_indirect_on_chip(TILE(nc_matmul_mx, dst));
  return !is_indirect || !op->tile_position || is_origin(op->tile_position) ||
         isa_fail(check, "indirect operands with a tile_position other than (0, 0)");
}
