// meet.c -- cores that wait for each other, and the instructions of one rank that they do it at.

#include "sim/meet.h"

#include "core/nki_names.h"
#include "number/convert.h"
#include "sim/exec.h"
#include "sim/races.h"
#include "sim/unwritten.h"

#include <inttypes.h>
#include <string.h>

void meet_enter(Sim *sim, Core *core)
{
  sim->core = core;
  sim->instr = core->instr;
}

static bool has(Party party, const Core *core)
{
  for (uint32_t i = 0; i < party.count; i++)
    if (party.cores[i] == core)
      return true;
  return false;
}

static Party no_party(Sim *sim, uint32_t capacity)
{
  return (Party){arena_array(&sim->scratch, Core *, capacity + 1), 0};
}

static void join(Party *party, Core *core)
{
  if (!has(*party, core))
    party->cores[party->count++] = core;
}

static Party party_of(Sim *sim, Core *core)
{
  return meeting_of(core->instr->op->kind)->party(sim, core);
}

// ---- where a core is
static const char *place_text(Sim *sim, const Core *core)
{
  StrBuf text = strbuf_new(&sim->session->arena);
  const Instr *instr = core->instr;
  strbuf_printf(&text, "`%s`", op_known_as(instr));
  if (instr->pos && instr->pos->filename)
    strbuf_printf(&text, " at %s:%" PRIu32, instr->pos->filename, instr->pos->line);
  const Core_LIST_BLOCK *blocks = &core->rank->kernel->bodies.items[core->number];
  for (uint32_t b = 0; b < blocks->count; b++)
    for (uint32_t i = 0; i < blocks->items[b]->body.count; i++)
      if (blocks->items[b]->body.items[i] == instr) {
        strbuf_printf(&text, ", instruction %" PRIu32 " of block `%s`", i, blocks->items[b]->label);
        return strbuf_cstr(&text);
      }
  return strbuf_cstr(&text);
}

static const char *awaited_text(Sim *sim, Core *core)
{
  StrBuf text = strbuf_new(&sim->session->arena);
  Party party = party_of(sim, core);
  const char *between = "";
  for (uint32_t i = 0; i < party.count; i++) {
    Core *other = party.cores[i];
    if (other == core || (other->state == CORE_WAITS && has(party_of(sim, other), core)))
      continue;
    strbuf_printf(&text, "%s%s", between, state_core_name(sim, other));
    between = ", ";
  }
  return text.len ? strbuf_cstr(&text) : "the others";
}

// Where the core is: a label when its source is at hand, and a note.
static void tell_core(Sim *sim, Diag *diag, Core *core)
{
  const char *name = state_core_name(sim, core);
  if (core->state == CORE_ENDED) {
    diag_note(diag, "%s has ended", name);
    return;
  }
  if (core->instr != sim->instr && core->instr->pos && !span_is_none(core->instr->pos->span))
    diag_label(diag, core->instr->pos->span, "%s waits here", name);
  diag_note(diag, "%s waits at %s, for %s", name, place_text(sim, core), awaited_text(sim, core));
}

static _Noreturn void report_misfit(Sim *sim, Core *core, Core *other, const char *why)
{
  meet_enter(sim, core);
  const char *name = state_core_name(sim, core), *other_name = state_core_name(sim, other);
  Diag *diag = sim_error(sim, E_SIM_MEETING, "%s and %s cannot meet: %s", name, other_name, why);
  if (other->instr->pos != core->instr->pos && other->instr->pos && !span_is_none(other->instr->pos->span))
    diag_label(diag, other->instr->pos->span, "%s waits here", other_name);
  diag_note(diag, "%s is at %s", name, place_text(sim, core));
  diag_note(diag, "%s is at %s", other_name, place_text(sim, other));
  diag_help(diag, "let both arrive at the same instruction with operands that fit together");
  sim_stop(sim);
}

enum { MAX_TOLD = 16 };

void meet_report_deadlock(Sim *sim)
{
  Diag *diag = NULL;
  uint32_t told = 0, left = 0;
  for (uint32_t r = 0; r < sim->rank_count; r++)
    for (uint32_t c = 0; c < sim->ranks[r].core_count; c++) {
      Core *core = &sim->ranks[r].cores[c];
      if (!diag && core->state == CORE_WAITS) {
        meet_enter(sim, core);
        diag = sim_error(sim, E_SIM_DEADLOCK, "%s waits for %s, and no core can go on", state_core_name(sim, core),
                         awaited_text(sim, core));
      }
    }
  for (uint32_t r = 0; r < sim->rank_count; r++)
    for (uint32_t c = 0; c < sim->ranks[r].core_count; c++) {
      if (told++ < MAX_TOLD)
        tell_core(sim, diag, &sim->ranks[r].cores[c]);
      else
        left++;
    }
  if (left)
    diag_note(diag, "and %" PRIu32 " more", left);
  diag_help(diag, "all that are named must arrive at the same instruction: check conditions on the program id or the rank");
  sim_stop(sim);
}

// ---- meeting
static const char *why_not(Sim *sim, Core *core, Core *other)
{
  if (core->instr->op->kind == other->instr->op->kind)
    return meeting_of(core->instr->op->kind)->misfit(sim, core, other);
  return arena_printf(&sim->scratch, "one waits at `%s`, the other at `%s`", op_known_as(core->instr),
                      op_known_as(other->instr));
}

// Whether all whom the core waits for have arrived; they join `all`. Stops when one of them waits for the core and does
// not fit.
static bool has_arrived(Sim *sim, Core *core, Party *all)
{
  bool complete = true;
  Party party = party_of(sim, core);
  bool same_party = meeting_of(core->instr->op->kind)->same_party;
  for (uint32_t i = 0; i < party.count; i++) {
    Core *other = party.cores[i];
    if (other == core)
      continue;
    bool is_alike = same_party && other->state == CORE_WAITS && other->instr == core->instr;
    if (!is_alike && (other->state != CORE_WAITS || !has(party_of(sim, other), core))) {
      complete = false;
      continue;
    }
    const char *why = is_alike ? NULL : why_not(sim, core, other);
    if (why)
      report_misfit(sim, core, other, why);
    if (!same_party)
      join(all, other);
  }
  if (same_party)
    *all = party;
  return complete;
}

// Everybody whom the core needs, and whom those need: false when one of them has not arrived.
static bool gather_party(Sim *sim, Core *core, Party *all)
{
  uint32_t capacity = 0;
  for (uint32_t r = 0; r < sim->rank_count; r++)
    capacity += sim->ranks[r].core_count;
  *all = no_party(sim, capacity);
  join(all, core);
  if (!has_arrived(sim, core, all))
    return false;
  bool closed = meeting_of(core->instr->op->kind)->same_party;
  for (uint32_t i = 1; !closed && i < all->count; i++)
    if (!has_arrived(sim, all->cores[i], all))
      return false;
  return true;
}

static void sort(Party *party)
{
  for (uint32_t i = 1; i < party->count; i++)
    for (uint32_t j = i; j && party->cores[j - 1] > party->cores[j]; j--) {
      Core *later = party->cores[j - 1];
      party->cores[j - 1] = party->cores[j];
      party->cores[j] = later;
    }
}

void meet(Sim *sim)
{
  Core *core = sim->core;
  core->state = CORE_WAITS;
  core->instr = sim->instr;
  Party all;
  if (!gather_party(sim, core, &all))
    return;
  sort(&all);
  meeting_of(core->instr->op->kind)->complete(sim, all);
  for (uint32_t i = 0; i < all.count; i++)
    all.cores[i]->state = CORE_READY;
  meet_enter(sim, core);
}

// ---- bytes of tiles
uint8_t *meet_bytes(Sim *sim, const Tile *tile)
{
  uint64_t row = tile->free_elems * tile->item;
  uint8_t *bytes = arena_alloc_array(&sim->scratch, tile->partitions, row);
  for (uint64_t p = 0; p < tile->partitions; p++)
    tile_gather(tile, p, 0, tile->free_elems, bytes + p * row);
  return bytes;
}

void meet_write(const Tile *tile, const uint8_t *bytes)
{
  for (uint64_t p = 0; p < tile->partitions; p++)
    tile_scatter(tile, p, 0, tile->free_elems, bytes + p * tile->free_elems * tile->item);
  tile_mark(tile);
}

// ---- combining
static bool fold_integers(AluOp op, int64_t *a, int64_t b)
{
  switch ((int)op) {
  case ALU_OP_ADD: *a = (int64_t)((uint64_t)*a + (uint64_t)b); return true;
  case ALU_OP_SUBTRACT: *a = (int64_t)((uint64_t)*a - (uint64_t)b); return true;
  case ALU_OP_MULT: *a = (int64_t)((uint64_t)*a * (uint64_t)b); return true;
  case ALU_OP_MAX: *a = *a > b ? *a : b; return true;
  case ALU_OP_MIN: *a = *a < b ? *a : b; return true;
  default: return false;
  }
}

static int64_t integer_of(DType dtype, const uint8_t *unit)
{
  uint64_t value = 0;
  unsigned bytes = dtype_bytes(dtype), unused = 64 - 8 * bytes;
  memcpy(&value, unit, bytes);  // little-endian
  return dtype_is_signed_integer(dtype) ? (int64_t)(value << unused) >> unused : (int64_t)value;
}

static _Noreturn void fail_fold(Sim *sim, AluOp op, DType dtype)
{
  Diag *diag = sim_error(sim, E_SIM_DTYPE, "`%s` cannot combine %s by `%s`", sim_op_name(sim), dtype_name(dtype), alu_wire_name(op));
  diag_help(diag, "add, minimum and maximum combine floats and integers");
  sim_stop(sim);
}

static void fold_integer_units(Sim *sim, AluOp op, DType dtype, uint64_t count, const uint8_t *const *sources,
                               uint32_t source_count, uint8_t *out)
{
  unsigned item = dtype_bytes(dtype);
  for (uint64_t e = 0; e < count; e++) {
    int64_t value = integer_of(dtype, sources[0] + e * item);
    for (uint32_t s = 1; s < source_count; s++)
      if (!fold_integers(op, &value, integer_of(dtype, sources[s] + e * item)))
        fail_fold(sim, op, dtype);
    memcpy(out + e * item, &value, item);
  }
}

static void fold_float_units(Sim *sim, AluOp op, DType dtype, uint64_t count, const uint8_t *const *sources,
                             uint32_t source_count, uint8_t *out)
{
  unsigned item = dtype_bytes(dtype);
  float total[TILE_PIECE], next[TILE_PIECE];
  for (uint64_t first = 0; first < count; first += TILE_PIECE) {
    size_t n = count - first < TILE_PIECE ? (size_t)(count - first) : TILE_PIECE;
    convert_row_to_f32(dtype, n, total, sources[0] + first * item, sim->number_mode);
    for (uint32_t s = 1; s < source_count; s++) {
      convert_row_to_f32(dtype, n, next, sources[s] + first * item, sim->number_mode);
      for (size_t i = 0; i < n; i++)
        total[i] = alu_f32(op, total[i], next[i]);
    }
    convert_row_from_f32(dtype, n, out + first * item, total, sim->number_mode);
  }
}

void fold_bytes(Sim *sim, AluOp op, DType dtype, uint64_t count, const uint8_t *const *sources, uint32_t source_count,
                uint8_t *out)
{
  if (dtype_is_packed(dtype) || (!dtype_is_integer(dtype) && alu_is_bitvec(op)))
    fail_fold(sim, op, dtype);
  if (dtype_is_integer(dtype))
    fold_integer_units(sim, op, dtype, count, sources, source_count, out);
  else
    fold_float_units(sim, op, dtype, count, sources, source_count, out);
}

// ---- numbers of cores
// The core of this rank that an operand names. Stops when there is none.
static Core *core_named(Sim *sim, Core *core, int64_t number, const char *role)
{
  if (number >= 0 && number < (int64_t)core->rank->core_count)
    return &core->rank->cores[number];
  meet_enter(sim, core);
  Diag *diag = sim_error(sim, E_SIM_MEETING, "`%s` of `%s` names core %" PRId64 ", but the kernel runs on %" PRIu32 " core%s",
                         role, sim_op_name(sim), number, core->rank->core_count, core->rank->core_count == 1 ? "" : "s");
  diag_help(diag, "run it on more logical cores with `--lnc`, or name cores below `nl.num_programs()`");
  sim_stop(sim);
}

// ---- core_barrier: nobody goes on before all `cores` have arrived
static Party barrier_party(Sim *sim, Core *core)
{
  const struct Op_core_barrier *o = &core->instr->op->core_barrier;
  Party party = no_party(sim, o->cores.count);
  for (uint32_t i = 0; i < o->cores.count; i++)
    join(&party, core_named(sim, core, o->cores.items[i], "cores"));
  if (!has(party, core)) {
    meet_enter(sim, core);
    Diag *diag = sim_error(sim, E_SIM_MEETING, "%s waits at a barrier of other cores", state_core_name(sim, core));
    diag_help(diag, "name all cores that reach the barrier, `cores=(0, 1)` for two");
    sim_stop(sim);
  }
  return party;
}

static const Address *barrier_data(Sim *sim, const Core *core)
{
  const View *view = ref_view(&sim->scratch, &core->instr->op->core_barrier.data);
  return view ? view->tensor->address : NULL;
}

static const char *barrier_misfit(Sim *sim, Core *core, Core *other)
{
  Party mine = barrier_party(sim, core), theirs = barrier_party(sim, other);
  for (uint32_t i = 0; i < theirs.count; i++)
    if (!has(mine, theirs.cores[i]))
      return "their barriers name other cores";
  if (mine.count != theirs.count)
    return "their barriers name other cores";
  const Address *a = barrier_data(sim, core), *b = barrier_data(sim, other);
  if (a && b && strcmp(a->name, b->name) != 0)
    return arena_printf(&sim->scratch, "one barrier is on `%s`, the other on `%s`", a->name, b->name);
  return NULL;
}

// Orders the party's accesses to shared HBM: to `only`, or when it is NULL to all of it.
static void order_shared(Party party, const Buffer *only)
{
  const Map *shared = &party.cores[0]->rank->buffers;
  for (size_t i = 0; i < shared->count; i++) {
    Buffer *buffer = shared->entries[i].value;
    if (buffer && buffer->watch && (!only || only == buffer))
      races_order(buffer, party.cores, party.count);
  }
}

// Orders accesses to `data`; data that is not in shared HBM stands for all of it.
static void barrier_complete(Sim *sim, Party party)
{
  const Address *data = barrier_data(sim, party.cores[0]);
  order_shared(party, data ? map_get(&party.cores[0]->rank->buffers, str_from(data->name)) : NULL);
}

void run_core_barrier(Sim *sim, const Op *op)
{
  (void)op;
  meet(sim);
}

// ---- send_recv, send_recv_compute: srcs[i] goes to core to[i], dsts[i] comes from core from[i]
typedef struct Exchange {
  uint32_t send_count, receive_count;
  const TensorRef *srcs, *dsts;
  const Immediate *to, *from;
  int32_t pipe;
  bool is_gpsimd;
} Exchange;

static Exchange exchange_of(Sim *sim, const Core *core)
{
  const Op *op = core->instr->op;
  if (op->kind == OP_send_recv) {
    const struct Op_send_recv *o = &op->send_recv;
    return (Exchange){1, 1, &o->src, &o->dst, &o->send_to_rank, &o->recv_from_rank, immediate_int(sim, &o->pipe_id),
                      o->use_gpsimd_dma};
  }
  const struct Op_send_recv_compute *o = &op->send_recv_compute;
  return (Exchange){o->srcs.count, o->dsts.count, o->srcs.items, o->dsts.items, o->send_to_ranks.items,
                    o->recv_from_ranks.items, immediate_int(sim, &o->pipe_id), false};
}

static Core *receiver_of(Sim *sim, Core *core, const Exchange *exchange, uint32_t i)
{
  return core_named(sim, core, immediate_int(sim, &exchange->to[i]), "send_to_rank");
}

static Core *sender_to(Sim *sim, Core *core, const Exchange *exchange, uint32_t i)
{
  return core_named(sim, core, immediate_int(sim, &exchange->from[i]), "recv_from_rank");
}

static Party exchange_party(Sim *sim, Core *core)
{
  Exchange exchange = exchange_of(sim, core);
  Party party = no_party(sim, exchange.send_count + exchange.receive_count);
  for (uint32_t i = 0; i < exchange.send_count; i++)
    join(&party, receiver_of(sim, core, &exchange, i));
  for (uint32_t i = 0; i < exchange.receive_count; i++)
    join(&party, sender_to(sim, core, &exchange, i));
  return party;
}

static const char *tiles_misfit(Sim *sim, const Tile *sent, const Tile *received)
{
  if (sent->partitions == received->partitions && sent->free_elems == received->free_elems &&
      dtype_same_format(sent->dtype, received->dtype))
    return NULL;
  return arena_printf(&sim->scratch, "%s %" PRIu64 "x%" PRIu64 " is sent where %s %" PRIu64 "x%" PRIu64 " is expected",
                      dtype_name(sent->dtype), sent->partitions, sent->free_elems, dtype_name(received->dtype),
                      received->partitions, received->free_elems);
}

static Tile tile_at(Sim *sim, Core *core, const TensorRef *ref, const char *role)
{
  meet_enter(sim, core);
  return tile_of(sim, ref, role);
}

// The next of `to`'s receptions from `from`, at *i or later; false when there is none.
static bool next_reception(Sim *sim, Core *from, Core *to, const Exchange *exchange, uint32_t *i)
{
  while (*i < exchange->receive_count && sender_to(sim, to, exchange, *i) != from)
    ++*i;
  return *i < exchange->receive_count;
}

// Whether what `from` sends to `to` is what `to` expects from it: the tiles in their order.
static const char *one_way_misfit(Sim *sim, Core *from, Core *to)
{
  Exchange sends = exchange_of(sim, from), receives = exchange_of(sim, to);
  uint32_t at = 0;
  for (uint32_t i = 0; i < sends.send_count; i++) {
    if (receiver_of(sim, from, &sends, i) != to)
      continue;
    if (!next_reception(sim, from, to, &receives, &at))
      return arena_printf(&sim->scratch, "%s sends to %s, which does not receive from it", state_core_name(sim, from),
                          state_core_name(sim, to));
    Tile sent = tile_at(sim, from, &sends.srcs[i], "src"), received = tile_at(sim, to, &receives.dsts[at++], "dst");
    const char *why = tiles_misfit(sim, &sent, &received);
    if (why)
      return why;
  }
  if (next_reception(sim, from, to, &receives, &at))
    return arena_printf(&sim->scratch, "%s receives from %s, which does not send to it", state_core_name(sim, to),
                        state_core_name(sim, from));
  return NULL;
}

static const char *exchange_misfit(Sim *sim, Core *core, Core *other)
{
  Exchange a = exchange_of(sim, core), b = exchange_of(sim, other);
  if (a.pipe != b.pipe)
    return arena_printf(&sim->scratch, "one is on pipe %" PRId32 ", the other on pipe %" PRId32, a.pipe, b.pipe);
  if (a.is_gpsimd != b.is_gpsimd)
    return "one uses the DMA engine of GpSimd, the other does not";
  const char *why = one_way_misfit(sim, core, other);
  return why ? why : one_way_misfit(sim, other, core);
}

// What a core sends: the tile, and its bytes before anything is received.
typedef struct Sent {
  Tile tile;
  uint8_t *bytes;
} Sent;

static Sent **all_sent(Sim *sim, Party party)
{
  Sent **sent = arena_array(&sim->scratch, Sent *, party.count);
  for (uint32_t c = 0; c < party.count; c++) {
    Core *core = party.cores[c];
    Exchange exchange = exchange_of(sim, core);
    sent[c] = arena_array(&sim->scratch, Sent, exchange.send_count + 1);
    for (uint32_t i = 0; i < exchange.send_count; i++) {
      Tile src = tile_at(sim, core, &exchange.srcs[i], "src");
      tile_check_written(sim, &src);
      for (uint32_t d = 0; d < exchange.receive_count; d++) {
        Tile dst = tile_of(sim, &exchange.dsts[d], "dst");
        expect_clear(sim, &dst, &src);
      }
      sim_count_dma(sim, &src);
      sent[c][i] = (Sent){src, meet_bytes(sim, &src)};
    }
  }
  return sent;
}

// What `core`'s reception `i` gets: its sender's send to it that stands at the same place.
static const Sent *sent_for(Sim *sim, Party party, Sent **sent, Core *core, uint32_t i)
{
  Exchange receives = exchange_of(sim, core);
  Core *sender = sender_to(sim, core, &receives, i);
  uint32_t earlier = 0, s = 0;
  for (uint32_t before = 0; before < i; before++)
    earlier += sender_to(sim, core, &receives, before) == sender;
  Exchange sends = exchange_of(sim, sender);
  for (;; s++)
    if (receiver_of(sim, sender, &sends, s) == core && !earlier--)
      break;
  uint32_t at = 0;
  while (party.cores[at] != sender)
    at++;
  return &sent[at][s];
}

// What a core did before it sends comes before what the receiver does next.
static void exchange_complete(Sim *sim, Party party)
{
  order_shared(party, NULL);
  Sent **sent = all_sent(sim, party);
  for (uint32_t c = 0; c < party.count; c++) {
    Core *core = party.cores[c];
    const Op *op = core->instr->op;
    Exchange exchange = exchange_of(sim, core);
    for (uint32_t i = 0; i < exchange.receive_count; i++) {
      const Sent *received = sent_for(sim, party, sent, core, i);
      const uint8_t *bytes = received->bytes;
      Tile dst = tile_at(sim, core, &exchange.dsts[i], "dst");
      bool combines = op->kind == OP_send_recv_compute;
      if (combines) {
        const uint8_t *both[] = {sent[c][i].bytes, bytes};
        uint8_t *result = arena_alloc_array(&sim->scratch, dst.partitions * dst.free_elems, dst.item);
        fold_bytes(sim, op->send_recv_compute.op, dst.dtype, dst.partitions * dst.free_elems, both, 2, result);
        bytes = result;
      }
      meet_write(&dst, bytes);
      unwritten_send(sim, &received->tile, &dst);
      if (combines)
        unwritten_send(sim, &sent[c][i].tile, &dst);
    }
  }
  sim->unwritten = NULL;
}

// What a core sends to itself it must also receive.
static void check_itself(Sim *sim)
{
  Core *core = sim->core;
  core->instr = sim->instr;
  const char *why = one_way_misfit(sim, core, core);
  if (!why)
    return;
  sim_error(sim, E_SIM_MEETING, "%s cannot meet itself: %s", state_core_name(sim, core), why);
  sim_stop(sim);
}

void run_send_recv(Sim *sim, const Op *op)
{
  Tile src = tile_of(sim, &op->send_recv.src, "src"), dst = tile_of(sim, &op->send_recv.dst, "dst");
  const char *why = tiles_misfit(sim, &src, &dst);
  if (why) {
    sim_error(sim, E_SIM_SHAPE, "`src` and `dst` of `%s` differ: %s", sim_op_name(sim), why);
    sim_stop(sim);
  }
  check_itself(sim);
  meet(sim);
}

// dsts[i] = srcs[i] op what comes from recv_from_ranks[i]; srcs[i] goes to send_to_ranks[i].
void run_send_recv_compute(Sim *sim, const Op *op)
{
  const struct Op_send_recv_compute *o = &op->send_recv_compute;
  uint32_t count = o->dsts.count;
  if (o->srcs.count != count || o->send_to_ranks.count != count || o->recv_from_ranks.count != count || !count) {
    sim_error(sim, E_SIM_SHAPE, "`%s` needs as many srcs, dsts, receivers and senders", sim_op_name(sim));
    sim_stop(sim);
  }
  for (uint32_t i = 0; i < count; i++) {
    Tile src = tile_of(sim, &o->srcs.items[i], "srcs"), dst = tile_of(sim, &o->dsts.items[i], "dsts");
    const char *why = tiles_misfit(sim, &src, &dst);
    if (!why)
      continue;
    sim_error(sim, E_SIM_SHAPE, "`srcs` and `dsts` of `%s` differ: %s", sim_op_name(sim), why);
    sim_stop(sim);
  }
  check_itself(sim);
  meet(sim);
}

const Meeting *meeting_of(OpKind kind)
{
  static const Meeting barrier = {barrier_party, barrier_misfit, barrier_complete, true};
  static const Meeting exchange = {exchange_party, exchange_misfit, exchange_complete, false};
  switch ((int)kind) {
  case OP_core_barrier: return &barrier;
  case OP_send_recv:
  case OP_send_recv_compute: return &exchange;
  case OP_all_reduce:
  case OP_all_gather:
  case OP_reduce_scatter:
  case OP_all_to_all:
  case OP_broadcast:
  case OP_collective_permute:
  case OP_collective_permute_implicit:
  case OP_collective_permute_implicit_reduce: return meeting_of_collective(kind);
  default: return NULL;
  }
}
