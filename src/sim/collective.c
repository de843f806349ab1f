// collective.c -- collectives: the ranks of a group meet, and all that is sent is read before anything is written.
//
// Tensors are rows of elements in the order of their views; what is cut into pieces and what is joined is cut and joined
// in that order. Where all operands lie in shared HBM a collective is one of the whole rank: all of its logical cores
// arrive, and when they name the same tensors it is done once for all of them. Otherwise each logical core meets those
// of its number in the other ranks.

#include "sim/exec.h"
#include "sim/meet.h"
#include "sim/races.h"

#include "core/nki_names.h"

#include <inttypes.h>
#include <string.h>

// The fields that every collective begins with; the gathers and exchanges have further ones.
typedef struct Op_all_reduce Fields;
typedef struct Op_all_gather VariableFields;
#define SAME_PLACE(op, field) _Static_assert(offsetof(struct Op_##op, field) == offsetof(Fields, field), #op)
SAME_PLACE(all_gather, priority);
SAME_PLACE(reduce_scatter, priority);
SAME_PLACE(all_to_all, priority);
SAME_PLACE(collective_permute, priority);
SAME_PLACE(collective_permute_implicit, priority);
SAME_PLACE(collective_permute_implicit_reduce, priority);
SAME_PLACE(broadcast, priority);
_Static_assert(offsetof(struct Op_all_to_all, has_rdispls) == offsetof(VariableFields, has_rdispls), "all_to_all");

static const Fields *fields_of(const Core *core)
{
  return &core->instr->op->all_reduce;
}

// NULL where the operator has no such fields.
static const VariableFields *variable_of(const Core *core)
{
  const Op *op = core->instr->op;
  bool has = (op->kind == OP_all_gather || op->kind == OP_all_to_all) && op->all_gather.metadata;
  return has ? &op->all_gather : NULL;
}

static _Noreturn void fail(Sim *sim, Core *core, DiagCode code, const char *help, const char *message)
{
  meet_enter(sim, core);
  Diag *diag = sim_error(sim, code, "%s", message);
  if (help)
    diag_help(diag, "%s", help);
  sim_stop(sim);
}

// ---- groups
typedef struct Group {
  int64_t *ranks;  // in the order of pieces
  uint32_t count;
} Group;

static void check_rank(Sim *sim, Core *core, int64_t rank)
{
  if (rank >= 0 && rank < (int64_t)sim->rank_count)
    return;
  fail(sim, core, E_SIM_RANKS, "run it on more ranks with `--ranks N`",
       arena_printf(&sim->scratch, "`%s` names rank %" PRId64 ", but the run has %" PRIu32 " rank%s",
                    op_known_as(core->instr), rank, sim->rank_count, sim->rank_count == 1 ? "" : "s"));
}

// The list that holds the rank; all of them are checked.
static Group find_group(Sim *sim, Core *core, const Core_LIST_LIST_INT *lists)
{
  Group found = {NULL, 0};
  bool *is_taken = arena_array(&sim->scratch, bool, sim->rank_count);
  for (uint32_t g = 0; g < lists->count; g++)
    for (uint32_t i = 0; i < lists->items[g].count; i++) {
      int64_t rank = lists->items[g].items[i];
      check_rank(sim, core, rank);
      if (is_taken[rank])
        fail(sim, core, E_SIM_RANKS, "let every rank be in one group",
             arena_printf(&sim->scratch, "`%s`: rank %" PRId64 " is in its groups twice", op_known_as(core->instr), rank));
      is_taken[rank] = true;
      if (rank == core->rank->number)
        found = (Group){lists->items[g].items, lists->items[g].count};
    }
  if (found.count)
    return found;
  fail(sim, core, E_SIM_RANKS, "put every rank that runs the collective into a group",
       arena_printf(&sim->scratch, "rank %" PRIu32 " runs `%s`, but none of its groups holds it", core->rank->number,
                    op_known_as(core->instr)));
}

static Group all_ranks(Sim *sim)
{
  Group group = {arena_array(&sim->scratch, int64_t, sim->rank_count), sim->rank_count};
  for (uint32_t i = 0; i < group.count; i++)
    group.ranks[i] = i;
  return group;
}

static Group group_of(Sim *sim, Core *core)
{
  const ReplicaGroup *groups = &fields_of(core)->replica_group;
  switch (groups->ctor) {
  case ReplicaGroup_literal: return find_group(sim, core, &groups->literal);
  case ReplicaGroup_named:
    fail(sim, core, E_SIM_RANKS, "list the ranks of each group",
         arena_printf(&sim->scratch, "there is no replica group `%s`", groups->named));
  default: return all_ranks(sim);
  }
}

static uint32_t place_in(Group group, uint32_t rank)
{
  for (uint32_t i = 0; i < group.count; i++)
    if (group.ranks[i] == rank)
      return i;
  return 0;
}

// ---- permutations along pairs
static Core_LIST_LIST_INT pairs_of(const Core *core)
{
  const Core_LIST_LIST_INT *pairs = fields_of(core)->source_target_pairs;
  return pairs ? *pairs : (Core_LIST_LIST_INT){NULL, 0};
}

static void check_pairs(Sim *sim, Core *core)
{
  Core_LIST_LIST_INT pairs = pairs_of(core);
  for (uint32_t i = 0; i < pairs.count; i++) {
    if (pairs.items[i].count != 2)
      fail(sim, core, E_SIM_RANKS, NULL, "a pair of `source_target_pairs` is not two ranks");
    check_rank(sim, core, pairs.items[i].items[0]);
    check_rank(sim, core, pairs.items[i].items[1]);
    for (uint32_t k = 0; k < i; k++)
      for (int side = 0; side < 2; side++)
        if (pairs.items[k].items[side] == pairs.items[i].items[side])
          fail(sim, core, E_SIM_RANKS, "let every rank send once and receive once at most",
               arena_printf(&sim->scratch, "rank %" PRId64 " is the %s of two pairs", pairs.items[i].items[side],
                            side ? "target" : "source"));
  }
}

// The rank that sends to `rank`; -1: none.
static int64_t source_of(const Core *core, int64_t rank)
{
  Core_LIST_LIST_INT pairs = pairs_of(core);
  for (uint32_t i = 0; i < pairs.count; i++)
    if (pairs.items[i].items[1] == rank)
      return pairs.items[i].items[0];
  return -1;
}

static int64_t target_of(const Core *core, int64_t rank)
{
  Core_LIST_LIST_INT pairs = pairs_of(core);
  for (uint32_t i = 0; i < pairs.count; i++)
    if (pairs.items[i].items[0] == rank)
      return pairs.items[i].items[1];
  return -1;
}

// ---- who meets
static Tile operand(Sim *sim, Core *core, const Core_LIST_TENSOR_REF *list, uint32_t i)
{
  meet_enter(sim, core);
  return tile_of(sim, &list->items[i], list == &fields_of(core)->srcs ? "srcs" : "dsts");
}

static bool is_shared_tile(const Core *core, const Tile *tile)
{
  return map_get(&core->rank->buffers, str_from(tile->view->tensor->address->name)) == tile->buffer;
}

// Whether all operands lie in the rank's shared HBM.
static bool is_of_rank(Sim *sim, Core *core)
{
  const Fields *o = fields_of(core);
  const Core_LIST_TENSOR_REF *lists[] = {&o->srcs, &o->dsts};
  for (int l = 0; l < 2; l++)
    for (uint32_t i = 0; i < lists[l]->count; i++) {
      Tile tile = operand(sim, core, lists[l], i);
      if (!is_shared_tile(core, &tile))
        return false;
    }
  return true;
}

static void add_rank(Sim *sim, Party *party, Core *core, int64_t rank, bool whole)
{
  Rank *other = &sim->ranks[rank];
  for (uint32_t c = 0; c < other->core_count; c++)
    if (whole || c == core->number)
      party->cores[party->count++] = &other->cores[c];
  if (!whole && core->number >= other->core_count)
    fail(sim, core, E_SIM_RANKS, "run all ranks on as many logical cores",
         arena_printf(&sim->scratch, "rank %" PRId64 " has no core %" PRIu32, rank, core->number));
}

static Party collective_party(Sim *sim, Core *core)
{
  Core *running = sim->core;
  const Instr *instr = sim->instr;
  bool whole = core->rank->core_count > 1 && is_of_rank(sim, core);
  uint32_t capacity = 0;
  for (uint32_t r = 0; r < sim->rank_count; r++)
    capacity += sim->ranks[r].core_count;
  Party party = {arena_array(&sim->scratch, Core *, capacity + 2), 0};
  if (core->instr->op->kind == OP_collective_permute) {
    int64_t me = core->rank->number, source = source_of(core, me), target = target_of(core, me);
    add_rank(sim, &party, core, me, whole);
    if (source >= 0 && source != me)
      add_rank(sim, &party, core, source, whole);
    if (target >= 0 && target != me && target != source)
      add_rank(sim, &party, core, target, whole);
  } else {
    Group group = group_of(sim, core);
    for (uint32_t i = 0; i < group.count; i++)
      add_rank(sim, &party, core, group.ranks[i], whole);
  }
  sim->core = running;
  sim->instr = instr;
  return party;
}

// ---- whether two fit together
static const char *lists_misfit(Sim *sim, Core *core, Core *other, const Core_LIST_TENSOR_REF *mine,
                                const Core_LIST_TENSOR_REF *theirs, const char *name)
{
  if (mine->count != theirs->count)
    return arena_printf(&sim->scratch, "one has %" PRIu32 " %s, the other %" PRIu32, mine->count, name, theirs->count);
  for (uint32_t i = 0; i < mine->count; i++) {
    Tile a = operand(sim, core, mine, i), b = operand(sim, other, theirs, i);
    uint64_t count_a = a.partitions * a.free_elems, count_b = b.partitions * b.free_elems;
    if (!dtype_same_format(a.dtype, b.dtype) || (count_a != count_b && !variable_of(core)))
      return arena_printf(&sim->scratch, "%s[%" PRIu32 "] is %s of %" PRIu64 " elements there, %s of %" PRIu64 " here",
                          name, i, dtype_name(b.dtype), count_b, dtype_name(a.dtype), count_a);
  }
  return NULL;
}

static bool same_numbers(const Core_LIST_LIST_INT *a, const Core_LIST_LIST_INT *b)
{
  return core_equal(&core_LIST_LIST_INT, a, b);
}

static bool same_group(Sim *sim, Core *core, Core *other)
{
  Group a = group_of(sim, core), b = group_of(sim, other);
  return a.count == b.count && memcmp(a.ranks, b.ranks, a.count * sizeof *a.ranks) == 0;
}

static const char *collective_misfit(Sim *sim, Core *core, Core *other)
{
  const Fields *a = fields_of(core), *b = fields_of(other);
  const VariableFields *v = variable_of(core), *w = variable_of(other);
  if (a->op.some != b->op.some || (a->op.some && a->op.value != b->op.value))
    return "they combine with different operators";
  if (core->instr->op->kind == OP_collective_permute) {
    Core_LIST_LIST_INT mine = pairs_of(core), theirs = pairs_of(other);
    if (!same_numbers(&mine, &theirs))
      return "their pairs of sources and targets differ";
  } else if (!same_group(sim, core, other)) {
    return "their replica groups differ";
  }
  if (a->concat_dim.some != b->concat_dim.some || (a->concat_dim.some && a->concat_dim.value != b->concat_dim.value))
    return "their `collective_dim` differs";
  if (a->channel_id.some != b->channel_id.some || (a->channel_id.some && a->channel_id.value != b->channel_id.value))
    return "they are on different channels";
  if (!v != !w || (v && v->has_rdispls != w->has_rdispls))
    return "only one of them has pieces of different lengths, or says where they go";
  const char *why = lists_misfit(sim, core, other, &a->srcs, &b->srcs, "srcs");
  return why ? why : lists_misfit(sim, core, other, &a->dsts, &b->dsts, "dsts");
}

// ---- who takes part, with what is sent
typedef struct Member {
  Core *core;
  uint32_t place;  // in its group
  uint8_t **sent;      // bytes of each source
  uint64_t *sent_bytes;
} Member;

typedef struct Team {
  Member *members;  // by place
  uint32_t count;
} Team;

static Member *member_of(Team team, int64_t rank)
{
  for (uint32_t i = 0; i < team.count; i++)
    if (team.members[i].core->rank->number == rank)
      return &team.members[i];
  return NULL;
}

static void read_sources(Sim *sim, Member *member)
{
  const Fields *o = fields_of(member->core);
  member->sent = arena_array(&sim->scratch, uint8_t *, o->srcs.count + 1);
  member->sent_bytes = arena_array(&sim->scratch, uint64_t, o->srcs.count + 1);
  for (uint32_t i = 0; i < o->srcs.count; i++) {
    Tile src = operand(sim, member->core, &o->srcs, i);
    if (!variable_of(member->core))
      tile_check_written(sim, &src);
    sim_count_dma(sim, &src);
    member->sent[i] = meet_bytes(sim, &src);
    member->sent_bytes[i] = src.partitions * src.free_elems * src.item;
  }
}

// Bytes of pieces joined along the elements of each partition: member after member in every row.
static void join_rows(Team team, uint32_t list_at, uint64_t rows, uint8_t *out)
{
  for (uint64_t row = 0; row < rows; row++)
    for (uint32_t place = 0; place < team.count; place++) {
      const Member *from = &team.members[place];
      uint64_t bytes = from->sent_bytes[list_at] / rows;
      memcpy(out, from->sent[list_at] + row * bytes, bytes);
      out += bytes;
    }
}

static const uint8_t *combined(Sim *sim, Team team, uint32_t list_at, AluOp op, const Tile *like)
{
  const uint8_t **sources = arena_array(&sim->scratch, const uint8_t *, team.count);
  for (uint32_t place = 0; place < team.count; place++)
    sources[place] = team.members[place].sent[list_at];
  uint64_t bytes = team.members[0].sent_bytes[list_at];
  uint8_t *out = arena_alloc_array(&sim->scratch, bytes + 1, 1);
  fold_bytes(sim, op, like->dtype, bytes / like->item, sources, team.count, out);
  return out;
}

static uint64_t bytes_of(const Tile *tile)
{
  return tile->partitions * tile->free_elems * tile->item;
}

// What all members receive, or their pieces of; NULL where each receives something else.
static const uint8_t *bytes_for_all(Sim *sim, Team team, uint32_t i, const Tile *dst)
{
  const Core *core = team.members[0].core;
  const Fields *o = fields_of(core);
  AluOp op = o->op.some ? o->op.value : ALU_OP_ADD;
  switch ((int)core->instr->op->kind) {
  case OP_all_reduce:
  case OP_reduce_scatter: return combined(sim, team, i, op, dst);
  case OP_broadcast: return team.members[0].sent[i];
  case OP_all_gather: {
    bool by_rows = o->concat_dim.some && o->concat_dim.value == 1;
    uint8_t *out = arena_alloc_array(&sim->scratch, bytes_of(dst) + 1, 1);
    join_rows(team, i, by_rows ? dst->partitions : 1, out);
    return out;
  }
  default: return NULL;
  }
}

// What member `to` receives in dsts[i], given what all do; NULL: nothing.
static const uint8_t *bytes_for_one(Sim *sim, Team team, const Member *to, uint32_t i, const Tile *dst, const uint8_t *all)
{
  const Fields *o = fields_of(to->core);
  uint64_t bytes = bytes_of(dst);
  const Member *before = &team.members[(to->place + team.count - 1) % team.count];
  uint8_t *out;
  switch ((int)to->core->instr->op->kind) {
  case OP_reduce_scatter: return all + to->place * bytes;
  case OP_collective_permute_implicit: return before->sent[i];
  case OP_collective_permute: {
    const Member *source = member_of(team, source_of(to->core, to->core->rank->number));
    return source ? source->sent[i] : NULL;
  }
  case OP_collective_permute_implicit_reduce: {
    const uint8_t *both[] = {before->sent[i], before->sent[o->dsts.count + i]};
    out = arena_alloc_array(&sim->scratch, bytes + 1, 1);
    fold_bytes(sim, o->op.some ? o->op.value : ALU_OP_ADD, dst->dtype, bytes / dst->item, both, 2, out);
    return out;
  }
  case OP_all_to_all: {
    uint64_t piece = bytes / team.count;
    out = arena_alloc_array(&sim->scratch, bytes + 1, 1);
    for (uint32_t place = 0; place < team.count; place++)
      memcpy(out + place * piece, team.members[place].sent[i] + to->place * piece, piece);
    return out;
  }
  default: return all;
  }
}

// ---- pieces of different lengths
enum { ROW_SEND_COUNT, ROW_SEND_START, ROW_COUNT, ROW_START };  // rows of the metadata

// Where word `column` of `row` stands: rows are partitions in HBM, parts of the one partition in SBUF.
static uint8_t *word_at(const Tile *metadata, uint32_t row, uint32_t column, uint32_t columns)
{
  return metadata->partitions > 1 ? tile_element(metadata, row, column)
                                  : tile_element(metadata, 0, (uint64_t)row * columns + column);
}

static uint32_t read_word(Sim *sim, const Tile *metadata, uint32_t row, uint32_t column, uint32_t columns)
{
  uint32_t value;
  const uint8_t *at = word_at(metadata, row, column, columns);
  uint64_t start = (uint64_t)(at - metadata->buffer->data);
  if (sim->options.checks && buffer_find_unwritten(metadata->buffer, start, sizeof value) != UINT64_MAX) {
    sim_error(sim, E_SIM_UNINITIALISED, "`%s` reads element [%" PRIu32 ", %" PRIu32 "] of `metadata_tensor`, which was never written",
              sim_op_name(sim), row, column);
    sim_stop(sim);
  }
  if (metadata->buffer->watch)
    races_read(metadata->buffer, start, sizeof value);
  memcpy(&value, at, sizeof value);
  return value;
}

static Tile metadata_of(Sim *sim, Core *core)
{
  meet_enter(sim, core);
  return tile_of(sim, variable_of(core)->metadata, "metadata_tensor");
}

typedef struct Piece {
  uint64_t start, count;  // elements of the source
} Piece;

// What `from` sends to the member at `place`: a gather sends the same to all.
static Piece piece_for(Sim *sim, Team team, const Member *from, uint32_t place)
{
  Tile metadata = metadata_of(sim, from->core);
  uint32_t column = from->core->instr->op->kind == OP_all_gather ? 0 : place;
  Piece piece = {read_word(sim, &metadata, ROW_SEND_START, column, team.count),
                 read_word(sim, &metadata, ROW_SEND_COUNT, column, team.count)};
  Tile src = operand(sim, from->core, &fields_of(from->core)->srcs, 0);
  uint64_t size = src.partitions * src.free_elems;
  if (piece.start + piece.count <= size)
    return piece;
  fail(sim, from->core, E_SIM_INDEX, NULL,
       arena_printf(&sim->scratch, "`%s` sends elements %" PRIu64 " to %" PRIu64 " of a tensor of %" PRIu64,
                    op_known_as(from->core->instr), piece.start, piece.start + piece.count, size));
}

// Where the piece from `place` goes in a destination of `size` elements; there are `count` of it. Pieces may not reach
// into the next one's slot.
static uint64_t start_of(Sim *sim, Team team, const Member *to, uint32_t place, uint64_t count, uint64_t size)
{
  uint64_t slot = size / team.count, start = slot * place, room = slot;
  if (variable_of(to->core)->has_rdispls) {
    Tile metadata = metadata_of(sim, to->core);
    start = read_word(sim, &metadata, ROW_START, place, team.count);
    room = start <= size ? size - start : 0;
  }
  if (count <= room)
    return start;
  fail(sim, to->core, E_SIM_INDEX, NULL,
       arena_printf(&sim->scratch,
                    "`%s`: %" PRIu64 " elements from rank %" PRIu32 " do not fit at element %" PRIu64
                    ", where there is room for %" PRIu64,
                    op_known_as(to->core->instr), count, team.members[place].core->rank->number, start, room));
}

static void mark_element(const Tile *tile, uint64_t element, const uint8_t *bytes)
{
  uint8_t *at = tile_element(tile, element / tile->free_elems, element % tile->free_elems);
  memcpy(at, bytes, tile->item);
  buffer_mark(tile->buffer, (uint64_t)(at - tile->buffer->data), tile->item);
}

static void receive_pieces(Sim *sim, Team team, Member *to, const Piece *pieces)
{
  Tile dst = operand(sim, to->core, &fields_of(to->core)->dsts, 0);
  uint64_t size = dst.partitions * dst.free_elems;
  for (uint32_t place = 0; place < team.count; place++) {
    const Piece *piece = &pieces[place];
    uint64_t start = start_of(sim, team, to, place, piece->count, size);
    meet_enter(sim, to->core);
    for (uint64_t e = 0; e < piece->count; e++)
      mark_element(&dst, start + e, team.members[place].sent[0] + (piece->start + e) * dst.item);
  }
  if (variable_of(to->core)->recv_counts_known)
    return;
  Tile metadata = metadata_of(sim, to->core);
  for (uint32_t place = 0; place < team.count; place++) {
    uint32_t count = (uint32_t)pieces[place].count;
    uint8_t *at = word_at(&metadata, ROW_COUNT, place, team.count);
    memcpy(at, &count, sizeof count);
    buffer_mark(metadata.buffer, (uint64_t)(at - metadata.buffer->data), sizeof count);
  }
}

// Every element that is sent was written.
static void check_piece(Sim *sim, const Member *from, const Piece *piece)
{
  Tile src = operand(sim, from->core, &fields_of(from->core)->srcs, 0);
  for (uint64_t e = piece->start; sim->options.checks && e < piece->start + piece->count; e++) {
    const uint8_t *at = tile_element(&src, e / src.free_elems, e % src.free_elems);
    uint64_t start = (uint64_t)(at - src.buffer->data);
    if (buffer_find_unwritten(src.buffer, start, src.item) != UINT64_MAX) {
      sim_error(sim, E_SIM_UNINITIALISED, "`%s` sends element %" PRIu64 " of its source, which was never written",
                sim_op_name(sim), e);
      sim_stop(sim);
    }
    if (src.buffer->watch)
      races_read(src.buffer, start, src.item);
  }
}

static void perform_variable(Sim *sim, Team team)
{
  Piece *pieces = arena_array(&sim->scratch, Piece, (size_t)team.count * team.count);  // [to][from], by places
  for (uint32_t to = 0; to < team.count; to++)
    for (uint32_t from = 0; from < team.count; from++) {
      Piece *piece = &pieces[to * team.count + from];
      *piece = piece_for(sim, team, &team.members[from], to);
      check_piece(sim, &team.members[from], piece);
    }
  for (uint32_t to = 0; to < team.count; to++)
    receive_pieces(sim, team, &team.members[to], &pieces[to * team.count]);
}

// ---- all together
static void write_destinations(Sim *sim, Team team, uint32_t i)
{
  ArenaMark start = arena_mark(&sim->scratch);
  const uint8_t *all = NULL;
  for (uint32_t m = 0; m < team.count; m++) {
    const Member *to = &team.members[m];
    Tile dst = operand(sim, to->core, &fields_of(to->core)->dsts, i);
    if (!m)
      all = bytes_for_all(sim, team, i, &dst);
    ArenaMark mark = arena_mark(&sim->scratch);
    const uint8_t *bytes = bytes_for_one(sim, team, to, i, &dst, all);
    meet_enter(sim, to->core);
    if (bytes)
      meet_write(&dst, bytes);
    arena_rewind(&sim->scratch, mark);
  }
  arena_rewind(&sim->scratch, start);
}

static void perform(Sim *sim, Team team)
{
  for (uint32_t m = 0; m < team.count; m++)
    read_sources(sim, &team.members[m]);
  if (variable_of(team.members[0].core)) {
    perform_variable(sim, team);
    return;
  }
  for (uint32_t i = 0; i < fields_of(team.members[0].core)->dsts.count; i++)
    write_destinations(sim, team, i);
}

// Those of the party that have this number, by their places in the group.
static Team team_of(Sim *sim, Party party, uint32_t number)
{
  Team team = {arena_array(&sim->scratch, Member, party.count), 0};
  for (uint32_t i = 0; i < party.count; i++) {
    Core *core = party.cores[i];
    if (core->number != number)
      continue;
    bool is_permuted = core->instr->op->kind == OP_collective_permute;
    uint32_t place = is_permuted ? team.count : place_in(group_of(sim, core), core->rank->number);
    team.members[place] = (Member){core, place, NULL, NULL};
    team.count++;
  }
  return team;
}

// Whether a core's operands are those of its rank's first core.
static bool repeats_first(Sim *sim, Core *core)
{
  Core *first = &core->rank->cores[0];
  const Fields *o = fields_of(core), *p = fields_of(first);
  const Core_LIST_TENSOR_REF *lists[] = {&o->srcs, &o->dsts}, *others[] = {&p->srcs, &p->dsts};
  for (int l = 0; l < 2; l++)
    for (uint32_t i = 0; i < lists[l]->count; i++) {
      Tile a = operand(sim, core, lists[l], i), b = operand(sim, first, others[l], i);
      if (tile_relation(sim, &a, &b) != TILE_SAME)
        return false;
    }
  return true;
}

// All cores of the rank have arrived: accesses to the buffer before come before, those after come after.
static void order_buffer(Sim *sim, const Rank *rank, Buffer *buffer)
{
  if (!buffer->watch)
    return;
  Core **cores = arena_array(&sim->scratch, Core *, rank->core_count);
  for (uint32_t k = 0; k < rank->core_count; k++)
    cores[k] = &rank->cores[k];
  races_order(buffer, cores, rank->core_count);
}

static void order_operands(Sim *sim, Party party)
{
  for (uint32_t c = 0; c < party.count; c++) {
    Core *core = party.cores[c];
    const Fields *o = fields_of(core);
    const Core_LIST_TENSOR_REF *lists[] = {&o->srcs, &o->dsts};
    for (int l = 0; l < 2; l++)
      for (uint32_t i = 0; i < lists[l]->count; i++)
        order_buffer(sim, core->rank, operand(sim, core, lists[l], i).buffer);
    if (variable_of(core))
      order_buffer(sim, core->rank, metadata_of(sim, core).buffer);
  }
}

static void collective_complete(Sim *sim, Party party)
{
  Core *first = party.cores[0];
  bool whole = first->rank->core_count > 1 && is_of_rank(sim, first);
  if (whole)
    order_operands(sim, party);
  bool once = whole;
  uint32_t numbers = 0;
  for (uint32_t i = 0; i < party.count; i++) {
    once = once && repeats_first(sim, party.cores[i]);
    numbers = party.cores[i]->number >= numbers ? party.cores[i]->number + 1 : numbers;
  }
  for (uint32_t number = 0; number < (once ? 1 : numbers); number++) {
    Team team = team_of(sim, party, number);
    if (team.count)
      perform(sim, team);
  }
  if (whole)
    order_operands(sim, party);
}

const Meeting *meeting_of_collective(OpKind kind)
{
  static const Meeting of_group = {collective_party, collective_misfit, collective_complete, true};
  static const Meeting of_pairs = {collective_party, collective_misfit, collective_complete, false};
  return kind == OP_collective_permute ? &of_pairs : &of_group;
}

// ---- what one rank says by itself
static uint64_t count_of(const Tile *tile)
{
  return tile->partitions * tile->free_elems;
}

// How many times as many elements as a source its destination has, as a fraction.
static void growth(OpKind kind, uint64_t ranks, uint64_t *times, uint64_t *over)
{
  *times = kind == OP_all_gather ? ranks : 1;
  *over = kind == OP_reduce_scatter ? ranks : 1;
}

static void check_sizes(Sim *sim, Core *core, uint64_t ranks)
{
  const Fields *o = fields_of(core);
  OpKind kind = core->instr->op->kind;
  uint64_t times, over;
  growth(kind, ranks, &times, &over);
  for (uint32_t i = 0; i < o->srcs.count; i++) {
    Tile src = operand(sim, core, &o->srcs, i), dst = operand(sim, core, &o->dsts, i % o->dsts.count);
    tile_expect_unpacked(sim, &src);
    const char *what = arena_printf(&sim->scratch, "`%s` of %" PRIu64 " ranks: %s of %" PRIu64 " elements into %s of %" PRIu64,
                                    op_known_as(core->instr), ranks, dtype_name(src.dtype), count_of(&src),
                                    dtype_name(dst.dtype), count_of(&dst));
    if (!dtype_same_format(src.dtype, dst.dtype))
      fail(sim, core, E_SIM_DTYPE, "give source and destination one dtype", what);
    if (count_of(&src) * times != count_of(&dst) * over ||
        (kind == OP_all_to_all && count_of(&src) % ranks != 0) ||
        (kind == OP_all_gather && o->concat_dim.some && o->concat_dim.value == 1 && src.partitions != dst.partitions))
      fail(sim, core, E_SIM_SHAPE, NULL, what);
    if (tile_relation(sim, &dst, &src) == TILE_OVERLAP || (times * over != 1 && tile_relation(sim, &dst, &src) != TILE_DISJOINT))
      expect_clear(sim, &dst, &src);
  }
}

static void check_variable(Sim *sim, Core *core, uint64_t ranks)
{
  const VariableFields *o = variable_of(core);
  Tile src = operand(sim, core, &fields_of(core)->srcs, 0), dst = operand(sim, core, &fields_of(core)->dsts, 0);
  Tile metadata = tile_of(sim, o->metadata, "metadata_tensor");
  uint64_t rows = o->has_rdispls ? 4 : 3;
  if (!dtype_same_format(src.dtype, dst.dtype) || metadata.dtype != DTYPE_UINT32)
    fail(sim, core, E_SIM_DTYPE, "one dtype for both tensors, uint32 for the metadata",
         arena_printf(&sim->scratch, "`%s` of %s into %s, with metadata of %s", op_known_as(core->instr),
                      dtype_name(src.dtype), dtype_name(dst.dtype), dtype_name(metadata.dtype)));
  bool is_flat = metadata.partitions == 1;
  if (count_of(&metadata) < rows * ranks || (!is_flat && (metadata.free_elems != ranks || metadata.partitions < rows)))
    fail(sim, core, E_SIM_SHAPE, NULL,
         arena_printf(&sim->scratch, "the metadata of `%s` is %" PRIu64 "x%" PRIu64 ", expected %" PRIu64 "x%" PRIu64,
                      op_known_as(core->instr), metadata.partitions, metadata.free_elems, rows, ranks));
}

void run_collective(Sim *sim, const Op *op)
{
  Core *core = sim->core;
  core->instr = sim->instr;
  const Fields *o = fields_of(core);
  bool halves = op->kind == OP_collective_permute_implicit_reduce;
  if (!o->dsts.count || o->srcs.count != o->dsts.count * (halves ? 2 : 1) || (variable_of(core) && o->srcs.count != 1))
    fail(sim, core, E_SIM_SHAPE, NULL,
         arena_printf(&sim->scratch, "`%s` has %" PRIu32 " sources and %" PRIu32 " destinations", op_known_as(sim->instr),
                      o->srcs.count, o->dsts.count));
  uint64_t ranks = 1;
  if (op->kind == OP_collective_permute)
    check_pairs(sim, core);
  else
    ranks = group_of(sim, core).count;
  if (variable_of(core))
    check_variable(sim, core, ranks);
  else
    check_sizes(sim, core, ranks);
  meet(sim);
}

// ---- ranks in registers
static void set_register(Sim *sim, const char *name, int64_t value)
{
  Register *reg = state_register(sim, name);
  reg->bits = (uint32_t)value;
  reg->is_float = false;
  reg->is_set = true;
}

// dst = the number of the rank that runs.
void run_rank_id(Sim *sim, const Op *op)
{
  set_register(sim, op->rank_id.dst, sim->core->rank->number);
}

// dst = the rank whose data arrived by step `iteration_id` around the ring: as many places before as there were steps.
void run_current_processing_rank_id(Sim *sim, const Op *op)
{
  const struct Op_current_processing_rank_id *o = &op->current_processing_rank_id;
  Core *core = sim->core;
  core->instr = sim->instr;
  Group group = o->replica_group.count ? find_group(sim, core, &o->replica_group) : all_ranks(sim);
  int64_t count = group.count, steps = o->iteration_id % count;
  int64_t place = ((int64_t)place_in(group, core->rank->number) - steps + 2 * count) % count;
  set_register(sim, o->dst, group.ranks[place]);
}
