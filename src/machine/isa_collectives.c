// isa_collectives.c -- the predicates of isa.def about collectives.

#include "core/nki_names.h"
#include "machine/isa_special.h"

#include <inttypes.h>

// The fields that all collectives begin with stand at the same places (sim/collective.c asserts it).
typedef struct Op_all_reduce Fields;

static const Fields *fields_of(const IsaCheck *check)
{
  return &check->instr->op->all_reduce;
}

static const char *op_name(const IsaCheck *check)
{
  return op_known_as(check->instr);
}

static const Core_LIST_TENSOR_REF *side_of(const IsaCheck *check, int side)
{
  return side ? &fields_of(check)->dsts : &fields_of(check)->srcs;
}

static bool tile_at(const IsaCheck *check, const Core_LIST_TENSOR_REF *list, uint32_t i, Tile *out)
{
  return i < list->count && tile_of_ref(&check->reporter->scratch, &list->items[i], out);
}

static const char *plural(uint64_t count)
{
  return count == 1 ? "" : "s";
}

static uint64_t elements(const Tile *tile)
{
  return tile->partitions * tile->free_elements;
}

// Calls `fits` for every tensor of both sides; false when one did not, which has told why.
typedef bool TensorFits(IsaCheck *check, const char *side, uint32_t i, const Tile *tile);

static bool each_tensor(IsaCheck *check, TensorFits *fits)
{
  Tile tile;
  for (int side = 0; side < 2; side++)
    for (uint32_t i = 0; i < side_of(check, side)->count; i++)
      if (tile_at(check, side_of(check, side), i, &tile) && !fits(check, side ? "dsts" : "srcs", i, &tile))
        return false;
  return true;
}

static const char *memory_name(const Tile *tile)
{
  return core_MEMORY.of->member_name(tile->memory);
}

// ---- lists

bool isa_collective_count(IsaCheck *check)
{
  uint32_t srcs = fields_of(check)->srcs.count, dsts = fields_of(check)->dsts.count;
  uint32_t operands = check->instr->op->kind == OP_collective_permute_implicit_reduce ? 2 : 1;
  return (dsts && srcs == dsts * operands) ||
         isa_fail(check, "`%s` has %" PRIu32 " source%s and %" PRIu32 " destination%s", op_name(check), srcs, plural(srcs), dsts,
                  plural(dsts));
}

bool isa_collective_single(IsaCheck *check)
{
  uint32_t count = fields_of(check)->dsts.count;
  return count <= 1 || isa_fail(check, "`%s` has %" PRIu32 " destinations in one list", op_name(check), count);
}

static bool is_in_hbm(IsaCheck *check, const char *side, uint32_t i, const Tile *tile)
{
  return !memory_is_on_chip(tile->memory) ||
         isa_fail(check, "`%s[%" PRIu32 "]` of `%s` is in %s", side, i, op_name(check), memory_name(tile));
}

bool isa_collective_hbm(IsaCheck *check)
{
  return each_tensor(check, is_in_hbm);
}

static bool is_like_first(IsaCheck *check, const char *side, uint32_t i, const Tile *tile)
{
  Tile first;
  if (!tile_at(check, side_of(check, 0), 0, &first))
    return true;
  bool fits = tile->memory != MEMORY_PSUM && memory_is_on_chip(tile->memory) == memory_is_on_chip(first.memory);
  return fits || isa_fail(check, "`%s[%" PRIu32 "]` of `%s` is in %s, `srcs[0]` in %s", side, i, op_name(check),
                          memory_name(tile), memory_name(&first));
}

bool isa_collective_memory(IsaCheck *check)
{
  return each_tensor(check, is_like_first);
}

bool isa_collective_lists(IsaCheck *check)
{
  return fields_of(check)->dsts.count <= 1 || each_tensor(check, is_in_hbm);
}

bool isa_collective_dtypes(IsaCheck *check)
{
  const Fields *o = fields_of(check);
  Tile src, dst;
  for (uint32_t i = 0; i < o->srcs.count && o->dsts.count; i++)
    if (tile_at(check, &o->srcs, i, &src) && tile_at(check, &o->dsts, i % o->dsts.count, &dst) &&
        !dtype_same_format(src.dtype, dst.dtype))
      return isa_fail(check, "`dsts[%" PRIu32 "]` of `%s` is %s, its source %s", i % o->dsts.count, op_name(check),
                      dtype_name(dst.dtype), dtype_name(src.dtype));
  return true;
}

// ---- groups

// Ranks of each list of literal groups when all have as many; 0: not known.
static uint32_t group_size(const IsaCheck *check)
{
  const ReplicaGroup *groups = &fields_of(check)->replica_group;
  if (check->instr->op->kind == OP_collective_permute)
    return 1;
  if (groups->ctor != ReplicaGroup_literal || !groups->literal.count)
    return 0;
  for (uint32_t g = 1; g < groups->literal.count; g++)
    if (groups->literal.items[g].count != groups->literal.items[0].count)
      return 0;
  return groups->literal.items[0].count;
}

bool isa_collective_groups(IsaCheck *check)
{
  const ReplicaGroup *groups = &fields_of(check)->replica_group;
  if (groups->ctor != ReplicaGroup_literal)
    return true;
  const Core_LIST_LIST_INT *lists = &groups->literal;
  Map seen = map_new(&check->reporter->scratch);
  for (uint32_t g = 0; g < lists->count; g++)
    for (uint32_t i = 0; i < lists->items[g].count; i++) {
      int64_t rank = lists->items[g].items[i];
      if (rank < 0)
        return isa_fail(check, "a group of `%s` names rank %" PRId64, op_name(check), rank);
      if (map_get_number(&seen, (uint64_t)rank + 1))
        return isa_fail(check, "the groups of `%s` name rank %" PRId64 " twice", op_name(check), rank);
      map_set_number(&seen, (uint64_t)rank + 1, check);
    }
  return lists->count || isa_fail(check, "`%s` has no group", op_name(check));
}

bool isa_collective_sizes(IsaCheck *check)
{
  const Fields *o = fields_of(check);
  OpKind kind = check->instr->op->kind;
  uint64_t ranks = group_size(check);
  bool is_variable = (kind == OP_all_gather || kind == OP_all_to_all) && check->instr->op->all_gather.metadata;
  if (!ranks || is_variable)
    return true;
  uint64_t times = kind == OP_all_gather ? ranks : 1, over = kind == OP_reduce_scatter ? ranks : 1;
  Tile src, dst;
  for (uint32_t i = 0; i < o->srcs.count && o->dsts.count; i++) {
    if (!tile_at(check, &o->srcs, i, &src) || !tile_at(check, &o->dsts, i % o->dsts.count, &dst))
      continue;
    bool divides = kind != OP_all_to_all || src.partitions % ranks == 0;
    if (elements(&src) * times != elements(&dst) * over || !divides)
      return isa_fail(check, "`%s` of %" PRIu64 " rank%s: %s into %s", op_name(check), ranks, plural(ranks),
                      tile_shape_text(&check->reporter->session->arena, &src),
                      tile_shape_text(&check->reporter->session->arena, &dst));
  }
  return true;
}

bool isa_permute_pairs(IsaCheck *check)
{
  const Core_LIST_LIST_INT *pairs = fields_of(check)->source_target_pairs;
  Map seen = map_new(&check->reporter->scratch);
  for (uint32_t i = 0; pairs && i < pairs->count; i++) {
    if (pairs->items[i].count != 2)
      return isa_fail(check, "a pair of `%s` has %" PRIu32 " ranks", op_name(check), pairs->items[i].count);
    for (uint32_t side = 0; side < 2; side++) {
      int64_t rank = pairs->items[i].items[side];
      if (rank < 0)
        return isa_fail(check, "a pair of `%s` names rank %" PRId64, op_name(check), rank);
      if (map_get_number(&seen, (uint64_t)rank * 2 + side + 1))
        return isa_fail(check, "rank %" PRId64 " is the %s of two pairs of `%s`", rank, side ? "target" : "source",
                        op_name(check));
      map_set_number(&seen, (uint64_t)rank * 2 + side + 1, check);
    }
  }
  return true;
}

bool isa_channels(IsaCheck *check)
{
  const Fields *o = fields_of(check);
  int64_t id = o->channel_id.some ? o->channel_id.value : 0, count = o->num_channels.some ? o->num_channels.value : 1;
  return (id >= 0 && id < count && count <= 4) ||
         isa_fail(check, "`%s` is on channel %" PRId64 " of %" PRId64, op_name(check), id, count);
}

// ---- dimensions and priorities

bool isa_dim_zero(IsaCheck *check)
{
  const Core_OPT_INT *dim = &fields_of(check)->concat_dim;
  return !dim->some || dim->value == 0 || isa_fail(check, "`collective_dim` of `%s` is %" PRId64, op_name(check), dim->value);
}

bool isa_gather_dim(IsaCheck *check)
{
  const Core_OPT_INT *dim = &fields_of(check)->concat_dim;
  Tile src;
  if (!dim->some || !tile_at(check, side_of(check, 0), 0, &src))
    return true;
  if (!memory_is_on_chip(src.memory))
    return isa_dim_zero(check);
  if (dim->value < 0 || dim->value > 1)
    return isa_fail(check, "`collective_dim` of `%s` is %" PRId64, op_name(check), dim->value);
  return src.view->pattern.count <= 2 ||
         isa_fail(check, "`srcs[0]` of `%s` has %u dimensions", op_name(check), src.view->pattern.count);
}

bool isa_no_priority(IsaCheck *check)
{
  return !fields_of(check)->priority.some || isa_fail(check, "`%s` asks for a priority", op_name(check));
}

// ---- pieces of different lengths

static const struct Op_all_gather *variable_of(const IsaCheck *check)
{
  return check->instr->op->all_gather.metadata ? &check->instr->op->all_gather : NULL;
}

bool isa_metadata_shape(IsaCheck *check)
{
  const struct Op_all_gather *o = variable_of(check);
  uint64_t ranks = group_size(check), rows = o && o->has_rdispls ? 4 : 3;
  Tile tile;
  if (!o || !ranks || !tile_of_ref(&check->reporter->scratch, o->metadata, &tile))
    return true;
  bool on_chip = memory_is_on_chip(tile.memory);
  // Without displacements their row may be there.
  bool fits = tile.memory != MEMORY_PSUM && elements(&tile) % ranks == 0 && elements(&tile) >= rows * ranks &&
              elements(&tile) <= 4 * ranks && (on_chip ? tile.partitions == 1 : tile.free_elements == ranks);
  return fits || isa_fail(check, "`metadata_tensor` of `%s` of %" PRIu64 " ranks is %s in %s", op_name(check), ranks,
                          tile_shape_text(&check->reporter->session->arena, &tile), memory_name(&tile));
}

bool isa_variable_tensors(IsaCheck *check)
{
  if (!variable_of(check))
    return true;
  uint32_t count = fields_of(check)->srcs.count;
  return count == 1 ? each_tensor(check, is_in_hbm)
                    : isa_fail(check, "`%s` has %" PRIu32 " sources", op_name(check), count);
}

bool isa_variable_cores(IsaCheck *check)
{
  return !variable_of(check) || check->core_count == 2 ||
         isa_fail(check, "`%s` in a kernel on %" PRIu32 " logical core%s", op_name(check), check->core_count,
                  plural(check->core_count));
}

enum { DEVICE_RANKS = 4 };  // of a device with two cores to a rank

bool isa_gather_v_group(IsaCheck *check)
{
  const ReplicaGroup *groups = &fields_of(check)->replica_group;
  if (!variable_of(check) || groups->ctor != ReplicaGroup_literal)
    return true;
  for (uint32_t g = 0; g < groups->literal.count; g++)
    if (groups->literal.items[g].count != DEVICE_RANKS)
      return isa_fail(check, "a group of `%s` has %" PRIu32 " ranks", op_name(check), groups->literal.items[g].count);
  return true;
}

bool isa_exchange_v_group(IsaCheck *check)
{
  const ReplicaGroup *groups = &fields_of(check)->replica_group;
  if (!variable_of(check) || groups->ctor != ReplicaGroup_literal)
    return true;
  uint64_t all = 0;
  for (uint32_t g = 0; g < groups->literal.count; g++) {
    const Core_LIST_INT *ranks = &groups->literal.items[g];
    all += ranks->count;
    if (ranks->count % DEVICE_RANKS != 0)
      return isa_fail(check, "a group of `%s` has %" PRIu32 " ranks", op_name(check), ranks->count);
    for (uint32_t i = 1; i < ranks->count; i++)
      if (ranks->items[i] != ranks->items[0] + i)
        return isa_fail(check, "a group of `%s` has rank %" PRId64 " behind rank %" PRId64, op_name(check),
                        ranks->items[i], ranks->items[i - 1]);
  }
  return all > DEVICE_RANKS || isa_fail(check, "all groups of `%s` have %" PRIu64 " ranks", op_name(check), all);
}
