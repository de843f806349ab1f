#include "sim/diff_go.h"

#include "core/nki_names.h"
#include "number/ulp.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

// ---- elements

static bool is_same(const Tolerance *t, DType a_dtype, const void *a, DType b_dtype, const void *b)
{
  if (a_dtype == b_dtype && memcmp(a, b, dtype_bytes(a_dtype)) == 0)
    return true;
  double x = dtype_to_f64(a_dtype, a), y = dtype_to_f64(b_dtype, b);
  if (isnan(x) && isnan(y))
    return !dtype_is_packed(a_dtype);
  if (a_dtype != b_dtype && x == y)
    return true;
  if ((t->rtol > 0 || t->atol > 0) && (x == y || fabs(x - y) <= t->atol + t->rtol * fabs(y)))
    return true;
  return t->ulps > 0 && ulps_between(a_dtype, a, b_dtype, b) <= t->ulps;
}

void tally_one(DiffTally *tally, const Tolerance *t, DType a_dtype, const void *a, DType b_dtype, const void *b,
                      uint64_t at)
{
  tally->compared++;
  if (is_same(t, a_dtype, a, b_dtype, b))
    return;
  double ulps = ulps_between(a_dtype, a, b_dtype, b), error = fabs(dtype_to_f64(a_dtype, a) - dtype_to_f64(b_dtype, b));
  if (tally->differing++ == 0)
    tally->first = tally->worst = at;
  if (ulps > tally->most_ulps)
    tally->worst = at;
  tally->most_ulps = ulps > tally->most_ulps ? ulps : tally->most_ulps;
  tally->most_error = error > tally->most_error ? error : tally->most_error;
}

static DiffElement element_of(const char *place, DType dtype, const void *at)
{
  DiffElement element = {.place = place, .dtype = dtype, .value = dtype_to_f64(dtype, at)};
  memcpy(&element.bits, at, dtype_bytes(dtype));
  return element;
}

DiffElement tile_element_of(Sim *sim, const Tile *tile, uint64_t p, uint64_t e)
{
  return element_of(observe_place(sim, tile, p, e), tile->dtype, tile_element(tile, p, e));
}

// Rows of equal bytes are the usual case.
static bool rows_equal(Sim *sim, const Tile *a, const Tile *b, uint64_t p)
{
  if (a->dtype != b->dtype || !tile_row(a, p) || !tile_row(b, p))
    return false;
  uint64_t n = a->free_elems;
  if (a->is_row_contiguous && b->is_row_contiguous)
    return memcmp(tile_row(a, p), tile_row(b, p), n * a->item) == 0;
  ArenaMark mark = arena_mark(&sim->scratch);
  uint8_t *x = arena_alloc_unset(&sim->scratch, n, a->item), *y = arena_alloc_unset(&sim->scratch, n, a->item);
  tile_gather(a, p, 0, n, x);
  tile_gather(b, p, 0, n, y);
  bool equal = memcmp(x, y, n * a->item) == 0;
  arena_rewind(&sim->scratch, mark);
  return equal;
}

// Elements that either run has not written are left out.
DiffTally tally_tiles(Sim *sim, const Tolerance *t, const Tile *a, const Tile *b)
{
  DiffTally tally = {0};
  if (a->partitions != b->partitions || a->free_elems != b->free_elems)
    return tally;
  uint64_t n = a->free_elems;
  for (uint64_t p = 0; p < a->partitions; p++) {
    if (n && rows_equal(sim, a, b, p)) {
      tally.compared += n;
      continue;
    }
    for (uint64_t e = 0; e < n; e++)
      if (observe_is_written(a, p, e) && observe_is_written(b, p, e))
        tally_one(&tally, t, a->dtype, tile_element(a, p, e), b->dtype, tile_element(b, p, e), p * n + e);
  }
  return tally;
}

static const char *index_text(Arena *arena, const char *name, uint32_t rank, const uint64_t *shape, uint64_t at)
{
  StrBuf text = strbuf_new(arena);
  uint64_t row = 1;
  for (uint32_t i = 0; i < rank; i++)
    row *= shape[i];
  strbuf_printf(&text, "%s[", name);
  for (uint32_t i = 0; i < rank; i++) {
    row /= shape[i];
    strbuf_printf(&text, "%s%" PRIu64, i ? ", " : "", at / row);
    at %= row;
  }
  strbuf_putc(&text, ']');
  return strbuf_cstr(&text);
}

DiffElement array_element(Session *session, const char *name, const Array *array, uint64_t at)
{
  return element_of(index_text(&session->arena, name, array->rank, array->shape, at), array->dtype,
                    (const uint8_t *)array->data + at * dtype_bytes(array->dtype));
}

void diff_tally_arrays(Session *session, const char *name, const Array *a, const Array *b, const Tolerance *tolerance,
                       DiffResult *result)
{
  *result = (DiffResult){.name = name, .dtype = a->dtype};
  uint64_t count = array_elements(a);
  if (count != array_elements(b)) {
    result->why = arena_printf(&session->arena, "%" PRIu64 " elements against %" PRIu64, count, array_elements(b));
    return;
  }
  const uint8_t *x = a->data, *y = b->data;
  if (a->dtype == b->dtype && count && memcmp(x, y, a->bytes) == 0) {
    result->tally.compared = count;
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    tally_one(&result->tally, tolerance, a->dtype, x + i * dtype_bytes(a->dtype), b->dtype,
                    y + i * dtype_bytes(b->dtype), i);
  if (!result->tally.differing)
    return;
  result->first[0] = array_element(session, name, a, result->tally.first);
  result->first[1] = array_element(session, name, b, result->tally.first);
  result->worst[0] = array_element(session, name, a, result->tally.worst);
  result->worst[1] = array_element(session, name, b, result->tally.worst);
}

// ---- one run

Go go_of(const DiffSide *side)
{
  return (Go){.session = side->session, .side = side};
}

bool go_begin(Go *go)
{
  const Kernel *kernel = go->side->kernel;
  Arena *arena = &go->session->arena;
  Array *inputs = arena_array(arena, Array, kernel->inputs.count);
  go->rank = (SimRank){kernel, inputs, arena_array(arena, Array, kernel->outputs.count)};
  go->number = 0;
  bool ok = true;
  for (uint32_t i = 0; i < kernel->inputs.count && ok; i++) {
    const Array *from = &go->side->inputs[i];
    inputs[i] = array_new(from->dtype, from->rank, from->shape);
    ok = inputs[i].data;
    if (ok)
      memcpy(inputs[i].data, from->data, from->bytes);
  }
  if (!ok)
    diag_error(go->session, E_SIM_MEMORY, "no memory to run `%s`", kernel->name);
  go->sim = ok ? sim_begin(go->session, &go->rank, 1, &go->side->options) : NULL;
  return go->sim;
}

static void go_free(Go *go)
{
  for (uint32_t i = 0; go->rank.inputs && i < go->side->kernel->inputs.count; i++)
    array_free(&go->rank.inputs[i]);
  for (uint32_t i = 0; go->rank.outputs && i < go->side->kernel->outputs.count; i++)
    array_free(&go->rank.outputs[i]);
}

void go_abandon(Go *go)
{
  if (go->sim)
    (void)sim_end(go->sim, NULL);
  go->sim = NULL;
  go_free(go);
}

const Instr *go_step(Go *go)
{
  if (!sim_step(go->sim))
    return NULL;
  go->number++;
  return go->sim->instr;
}

// Up to the end of the run.
bool go_finish(Go *go)
{
  while (go_step(go))
    ;
  bool ok = sim_end(go->sim, NULL);
  go->sim = NULL;
  return ok;
}

DiffInstr instr_now(const Go *go, const Instr *instr)
{
  return (DiffInstr){instr, where_of(go->session, instr->pos), go->number, go->sim->core->number};
}

Spot spot_of(Sim *sim, const Tile *tile, uint64_t p, uint64_t e)
{
  const Buffer *buffer = tile->buffer;
  if (state_place(sim, tile->view->tensor)->buffer != buffer)
    return (Spot){0};
  bool is_shared = map_get(&sim->core->rank->buffers, str_from(buffer->name)) == buffer;
  return (Spot){arena_strdup(&sim->session->arena, buffer->name), (uint64_t)(tile_element(tile, p, e) - buffer->data),
                sim->core->number, is_shared};
}

// ---- elements that an element comes from

static bool is_turning(const Op *op)
{
  return op->kind == OP_transpose || op->kind == OP_dma_transpose || (op->kind == OP_nc_matmul && op->nc_matmul.is_transpose);
}

// The element of an operand that element [p, e] of the result is computed from, where it is one.
static bool comes_from(const Op *op, const Tile *result, const Tile *operand, uint64_t p, uint64_t e, uint64_t *from_p,
                       uint64_t *from_e)
{
  bool in_order = op->kind == OP_nc_dma_copy || op->kind == OP_dma_copy || op->kind == OP_dma_compute;
  if (is_turning(op)) {
    *from_p = e;
    *from_e = p;
    return operand->partitions == result->free_elems && operand->free_elems == result->partitions;
  }
  if (op->kind == OP_nc_matmul || op->kind == OP_nc_matmul_mx || op->kind == OP_nc_n_gather || op->kind == OP_shuffle)
    return false;
  if (in_order && operand->free_elems && operand->partitions * operand->free_elems == result->partitions * result->free_elems) {
    uint64_t at = p * result->free_elems + e;
    *from_p = at / operand->free_elems;
    *from_e = at % operand->free_elems;
    return true;
  }
  *from_p = p;
  *from_e = operand->free_elems == 1 ? 0 : e;
  return operand->partitions == result->partitions && (operand->free_elems == 1 || operand->free_elems == result->free_elems);
}

// ---- what the operands of the first differing instruction were

typedef struct Looking {
  Go *go[2];
  const Tolerance *tolerance;
  DiffStep *step;
  uint64_t p, e;  // of the result
  const char *result_field;
  Observed tiles[2][OBSERVE_MOST];
  uint32_t counts[2];
  Spot from;  // of the first operand that has an element
} Looking;

static const Observed *find_field(const Observed *tiles, uint32_t count, const char *name, uint32_t skip)
{
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(tiles[i].field->name, name) == 0 && skip-- == 0)
      return &tiles[i];
  return NULL;
}

static void look_element(Looking *looking, int side, const Instr *instr, const Tile *tile, DiffElement *out)
{
  Sim *sim = looking->go[side]->sim;
  Observed results[OBSERVE_MOST];
  uint64_t p, e;
  uint32_t count = observe_tiles(sim, instr, true, results);
  const Observed *result = find_field(results, count, looking->result_field, 0);
  if (result && comes_from(instr->op, &result->tile, tile, looking->p, looking->e, &p, &e) && tile_row(tile, p) &&
      observe_is_written(tile, p, e)) {
    *out = tile_element_of(sim, tile, p, e);
    if (!looking->from.buffer)
      looking->from = spot_of(sim, tile, p, e);
  }
}

static void look_both(Sim *sim, void *context)
{
  Looking *looking = context;
  DiffStep *step = looking->step;
  const Instr *b_instr = step->b.instr ? step->b.instr : step->a.instr;
  int b_side = step->b.instr ? 1 : 0;
  if (b_side)
    looking->counts[1] = observe_tiles(sim, step->b.instr, false, looking->tiles[1]);
  step->operands = arena_array(&sim->session->arena, DiffOperand, looking->counts[0]);
  for (uint32_t i = 0; i < looking->counts[0]; i++) {
    const Observed *a = &looking->tiles[0][i];
    uint32_t earlier = 0;
    for (uint32_t j = 0; j < i; j++)
      earlier += looking->tiles[0][j].field == a->field;
    DiffOperand *operand = &step->operands[step->operand_count++];
    *operand = (DiffOperand){.name = field_known_as(step->a.instr, a->field->name)};
    look_element(looking, 0, step->a.instr, &a->tile, &operand->a);
    const Observed *b = b_side ? find_field(looking->tiles[1], looking->counts[1], a->field->name, earlier) : NULL;
    if (!b)
      continue;
    operand->tally = tally_tiles(sim, looking->tolerance, &a->tile, &b->tile);
    look_element(looking, 1, b_instr, &b->tile, &operand->b);
  }
}

static void look(Sim *sim, void *context)
{
  Looking *looking = context;
  looking->counts[0] = observe_tiles(sim, looking->step->a.instr, false, looking->tiles[0]);
  if (looking->step->b.instr)
    (void)sim_guard(looking->go[1]->sim, look_both, looking);
  else
    look_both(sim, looking);
}

// What a session has reported so far.
typedef struct Told {
  Session *session;
  size_t count, warnings;
} Told;

static Told told_by(Session *session)
{
  return (Told){session, session->diags.count, session->warning_count};
}

static void forget_since(Told told)
{
  told.session->diags.count = told.count;
  told.session->warning_count = told.warnings;
}

// Runs again, up to before the instruction.
static bool go_before(Go *go, const DiffInstr *instr)
{
  if (!go_begin(go))
    return false;
  while (go->number + 1 < instr->number && go_step(go))
    ;
  go->sim->core = &go->sim->ranks[0].cores[instr->core];
  return go->number + 1 == instr->number;
}

bool look_at_operands(Go *a, Go *b, const Tolerance *tolerance, const char *field, uint64_t p, uint64_t e, DiffStep *step,
                      Spot *from)
{
  Looking looking = {.go = {a, b}, .tolerance = tolerance, .step = step, .p = p, .e = e, .result_field = field};
  Told told[] = {told_by(a->session), told_by(b ? b->session : a->session)};
  bool ok = go_before(a, &step->a) && (!b || go_before(b, &step->b));
  ok = ok && sim_guard(a->sim, look, &looking);
  go_abandon(a);
  if (b)
    go_abandon(b);
  if (ok) {  // its warnings were given before
    forget_since(told[1]);
    forget_since(told[0]);
  }
  if (from)
    *from = looking.from;
  return ok;
}

