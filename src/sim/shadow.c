// shadow.c -- the twins' memory, and the errors that are found with them.

#include "sim/shadow.h"

#include "core/nki_names.h"
#include "core/where.h"
#include "number/ulp.h"
#include "sim/twin.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- the twins of a buffer

typedef struct Slot {
  double twin;
  uint32_t bits;   // of the element that it is the twin of
  uint32_t dtype;
} Slot;

enum { PAGE_BYTES = 4096 };

typedef struct Page {
  uint32_t item;  // bytes of memory a slot stands for
  Slot *slots;    // PAGE_BYTES / item; NULL: none yet
} Page;

typedef struct Twins {
  Page *pages;
  uint64_t count;
} Twins;

// An accumulator's lane, and what the engine held when it was noted.
typedef struct Lane {
  double twin;
  float actual;
} Lane;

typedef struct CoreLanes {
  Lane act[SIM_MAX_PARTITIONS], dve[SIM_MAX_PARTITIONS];
} CoreLanes;

// ---- what is counted

// Errors of many elements against exact values.
typedef struct Errors {
  double squares, norm;      // sums of squares: of the errors, and of the exact values
  double most, most_ulps;
} Errors;

// One result of one execution.
typedef struct Measure {
  const char *field;
  DType dtype;
  Errors added, carried, total;
  double incoming;  // the largest relative error of an operand
  uint64_t lost;    // elements where one of actual and twin is not finite, and the other is or differs
} Measure;

// All executions of one kind of instruction at one line.
typedef struct Entry {
  Where where;
  const Instr *instr;  // the first of them
  uint64_t runs;
  Measure worst;       // that which adds most; `lost` and ulps are of all
  bool is_followed;
} Entry;

typedef struct ShadowResult {
  const char *name;
  DType dtype;
  uint64_t elements, lost;
  Errors errors;
  const char *worst;  // "out.1[3, 17]"
  double actual, twin;
} ShadowResult;

struct Shadow {
  Session *session;
  Map buffers;  // Twins by Buffer
  Map cores;    // CoreLanes by Core
  Map entries;  // by place and kind
  Vec(Entry *) order;
  Vec(ShadowResult) results;
  TwinWork *work;  // of the instruction that runs, in the run's scratch memory; NULL: not followed
  Both act[SIM_MAX_PARTITIONS], dve[SIM_MAX_PARTITIONS];
};

Shadow *shadow_new(Session *session)
{
  Shadow *shadow = arena_new(&session->arena, Shadow);
  *shadow = (Shadow){.session = session};
  shadow->buffers = shadow->cores = shadow->entries = map_new(&session->arena);
  return shadow;
}

void shadow_free(Shadow *shadow)
{
  for (size_t i = 0; shadow && i < shadow->buffers.count; i++) {
    Twins *twins = shadow->buffers.entries[i].value;
    for (uint64_t p = 0; p < twins->count; p++)
      free(twins->pages[p].slots);
    free(twins->pages);
  }
}

// ---- slots

static Twins *twins_of(Shadow *shadow, const Buffer *buffer)
{
  return map_get_number(&shadow->buffers, (uint64_t)(uintptr_t)buffer);
}

static Slot *find_slot(const Twins *twins, uint64_t offset)
{
  const Page *page = twins && offset / PAGE_BYTES < twins->count ? &twins->pages[offset / PAGE_BYTES] : NULL;
  return page && page->slots ? &page->slots[offset % PAGE_BYTES / page->item] : NULL;
}

static Slot *new_slots(Sim *sim, uint32_t item)
{
  Slot *slots = calloc(PAGE_BYTES / item, sizeof *slots);
  if (!slots)
    arena_exhausted(&sim->scratch);
  return slots;
}

static Twins *make_twins(Sim *sim, const Buffer *buffer)
{
  Shadow *shadow = sim->options.shadow;
  Twins *twins = twins_of(shadow, buffer);
  if (twins)
    return twins;
  Page *pages = calloc(buffer->bytes / PAGE_BYTES + 1, sizeof *pages);
  if (!pages)
    arena_exhausted(&sim->scratch);
  twins = arena_new(&shadow->session->arena, Twins);
  *twins = (Twins){pages, buffer->bytes / PAGE_BYTES + 1};
  map_set_number(&shadow->buffers, (uint64_t)(uintptr_t)buffer, twins);
  return twins;
}

static Slot *make_slot(Sim *sim, Twins *twins, uint64_t offset, uint32_t item)
{
  Page *page = &twins->pages[offset / PAGE_BYTES];
  if (!page->slots)
    *page = (Page){item, new_slots(sim, item)};
  if (item < page->item) {  // smaller elements: each slot goes to the first of those that take its place
    Slot *slots = new_slots(sim, item);
    for (uint32_t i = 0; i < PAGE_BYTES / page->item; i++)
      slots[i * (page->item / item)] = page->slots[i];
    free(page->slots);
    *page = (Page){item, slots};
  }
  return &page->slots[offset % PAGE_BYTES / page->item];
}

static uint32_t low_bits(const uint8_t *element, uint32_t item)
{
  uint32_t bits = 0;
  memcpy(&bits, element, item < sizeof bits ? item : sizeof bits);
  return bits;
}

static bool has_twins(DType dtype)
{
  return dtype_format(dtype) != NULL;
}

// Where element `e` of a row lies that starts at `row`.
static uint8_t *element_at(const Tile *tile, uint8_t *row, uint64_t p, uint64_t e)
{
  return tile->is_row_contiguous ? row + e * tile->item : tile_element(tile, p, e);
}

static double value_of(DType dtype, const uint8_t *element)
{
  float value;
  if (dtype != DTYPE_FLOAT32)
    return dtype_to_f64(dtype, element);
  memcpy(&value, element, sizeof value);
  return (double)value;
}

// An element and its twin.
static Both load_one(const Twins *twins, DType dtype, uint32_t item, uint64_t offset, const uint8_t *element)
{
  double actual = value_of(dtype, element);
  const Slot *slot = has_twins(dtype) ? find_slot(twins, offset) : NULL;
  bool fits = slot && slot->dtype == (uint32_t)dtype && slot->bits == low_bits(element, item);
  return (Both){actual, fits ? slot->twin : actual};
}

static void load_tile(Sim *sim, const Tile *tile, Both *values)
{
  const Twins *twins = twins_of(sim->options.shadow, tile->buffer);
  for (uint64_t p = 0; p < tile->partitions; p++) {
    uint8_t *row = tile_row(tile, p);
    for (uint64_t e = 0; e < tile->free_elems && row; e++) {
      const uint8_t *element = element_at(tile, row, p, e);
      values[p * tile->free_elems + e] =
          load_one(twins, tile->dtype, tile->item, (uint64_t)(element - tile->buffer->data), element);
    }
  }
}

// ---- errors

static void count_error(Errors *errors, DType dtype, double found, double exact)
{
  double error = fabs(found - exact), ulps = error == 0 ? 0 : error / dtype_ulp(dtype, exact);
  errors->squares += error * error;
  errors->norm += exact * exact;
  errors->most = error > errors->most ? error : errors->most;
  errors->most_ulps = ulps > errors->most_ulps ? ulps : errors->most_ulps;
}

// The error's norm as a part of that of the exact values; 0 where there is no error.
static double relative(const Errors *errors)
{
  return errors->squares == 0 ? 0 : sqrt(errors->squares / errors->norm);
}

static bool is_lost(double a, double b)
{
  return isfinite(a) != isfinite(b) || isnan(a) != isnan(b) || (isinf(a) && isinf(b) && a != b);
}

static Entry *entry_of(Sim *sim, const Instr *instr)
{
  Shadow *shadow = sim->options.shadow;
  Arena *arena = &shadow->session->arena;
  Where where = where_of(shadow->session, instr->pos);
  const char *key = where.path ? arena_printf(&sim->scratch, "%s:%" PRIu32 ":%d", where.path, where.line, (int)instr->op->kind)
                               : arena_printf(&sim->scratch, "%p", (const void *)instr);
  Entry *entry = map_get(&shadow->entries, str_from(key));
  if (entry)
    return entry;
  entry = arena_new(arena, Entry);
  *entry = (Entry){.where = where, .instr = instr, .is_followed = true};
  map_set(&shadow->entries, str_from(arena_strdup(arena, key)), entry);
  vec_push(arena, &shadow->order, entry);
  return entry;
}

// ---- around an instruction

static CoreLanes *lanes_of_core(Shadow *shadow, const Core *core)
{
  CoreLanes *lanes = map_get_number(&shadow->cores, (uint64_t)(uintptr_t)core);
  if (!lanes) {
    lanes = arena_new(&shadow->session->arena, CoreLanes);
    map_set_number(&shadow->cores, (uint64_t)(uintptr_t)core, lanes);
  }
  return lanes;
}

static void load_lanes(const Accumulator *accumulator, const Lane *lanes, Both *out)
{
  for (uint32_t p = 0; p < SIM_MAX_PARTITIONS; p++) {
    float actual = accumulator->lanes[p];
    bool fits = f32_bits(lanes[p].actual) == f32_bits(actual);
    out[p] = (Both){(double)actual, fits ? lanes[p].twin : (double)actual};
  }
}

static void store_lanes(const Accumulator *accumulator, const Both *from, Lane *lanes)
{
  for (uint32_t p = 0; p < SIM_MAX_PARTITIONS; p++)
    lanes[p] = (Lane){from[p].twin, accumulator->lanes[p]};
}

void shadow_before(Sim *sim, const Instr *instr)
{
  Shadow *shadow = sim->options.shadow;
  CoreLanes *lanes = lanes_of_core(shadow, sim->core);
  load_lanes(&sim->core->act, lanes->act, shadow->act);
  load_lanes(&sim->core->dve, lanes->dve, shadow->dve);
  TwinWork *work = arena_new(&sim->scratch, TwinWork);
  *work = (TwinWork){.sim = sim, .load = load_tile, .act = shadow->act, .dve = shadow->dve};
  shadow->work = twin_compute(work, instr->op) ? work : NULL;
  sim->indirect_results = NULL;  // the operator resolves them itself
}

static void count_element(Measure *measure, double actual, Both exact)
{
  if (is_lost(actual, exact.twin)) {
    measure->lost++;
    return;
  }
  if (!isfinite(actual) || !isfinite(exact.actual) || !isfinite(exact.twin))
    return;
  count_error(&measure->added, measure->dtype, actual, exact.actual);
  count_error(&measure->carried, measure->dtype, exact.actual, exact.twin);
  count_error(&measure->total, measure->dtype, actual, exact.twin);
}

static void keep_worst(Entry *entry, const Measure *measure)
{
  uint64_t lost = entry->worst.lost + measure->lost;
  double ulps = fmax(entry->worst.added.most_ulps, measure->added.most_ulps);
  if (!entry->worst.field || relative(&measure->added) > relative(&entry->worst.added))
    entry->worst = *measure;
  entry->worst.lost = lost;
  entry->worst.added.most_ulps = ulps;
}

static void finish_result(Sim *sim, Entry *entry, const TwinTile *result, double incoming)
{
  const Tile *tile = &result->tile;
  if (!has_twins(tile->dtype) || state_place(sim, tile->view->tensor)->buffer != tile->buffer)
    return;
  Measure measure = {.field = field_known_as(sim->instr, result->field), .dtype = tile->dtype, .incoming = incoming};
  Twins *twins = make_twins(sim, tile->buffer);
  for (uint64_t p = 0; p < tile->partitions; p++) {
    uint8_t *row = tile_row(tile, p);
    for (uint64_t e = 0; e < tile->free_elems && row; e++) {
      uint64_t at = p * tile->free_elems + e;
      if (result->kept && result->kept[at])
        continue;
      const uint8_t *element = element_at(tile, row, p, e);
      uint64_t offset = (uint64_t)(element - tile->buffer->data);
      if (buffer_find_unwritten(tile->buffer, offset, tile->item) != UINT64_MAX)
        continue;
      count_element(&measure, value_of(tile->dtype, element), result->values[at]);
      *make_slot(sim, twins, offset, tile->item) =
          (Slot){result->values[at].twin, low_bits(element, tile->item), (uint32_t)tile->dtype};
    }
  }
  keep_worst(entry, &measure);
}

// The operand's relative error.
static double operand_error(const TwinTile *operand)
{
  Errors errors = {0};
  uint64_t count = operand->tile.partitions * operand->tile.free_elems;
  for (uint64_t i = 0; i < count; i++)
    if (isfinite(operand->values[i].actual) && isfinite(operand->values[i].twin))
      count_error(&errors, operand->tile.dtype, operand->values[i].actual, operand->values[i].twin);
  return relative(&errors);
}

static bool note_float(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field;
  Sim *sim = context;
  const View *view = role == ROLE_WRITE || role == ROLE_UPDATE ? ref_view(&sim->scratch, ref) : NULL;
  return !view || !(has_twins(view_dtype(view)) || dtype_is_packed(view_dtype(view)));
}

void shadow_after(Sim *sim, const Instr *instr)
{
  Shadow *shadow = sim->options.shadow;
  const TwinWork *work = shadow->work;
  if (op_visit_tensors(instr->op, note_float, sim))
    return;  // no float is written
  Entry *entry = entry_of(sim, instr);
  entry->runs++;
  entry->is_followed = entry->is_followed && work;
  if (!work)
    return;
  CoreLanes *lanes = lanes_of_core(shadow, sim->core);
  store_lanes(&sim->core->act, shadow->act, lanes->act);
  store_lanes(&sim->core->dve, shadow->dve, lanes->dve);
  double incoming = 0;
  for (uint32_t i = 0; i < work->operand_count; i++)
    incoming = fmax(incoming, operand_error(work->operands[i]));
  for (uint32_t i = 0; i < work->result_count; i++)
    finish_result(sim, entry, work->results[i], incoming);
}

void shadow_result(Sim *sim, const Tensor *tensor, const Buffer *buffer)
{
  Shadow *shadow = sim->options.shadow;
  DType dtype = state_stored_dtype(sim, tensor->dtype);
  if (!has_twins(dtype))
    return;
  const Twins *twins = twins_of(shadow, buffer);
  uint32_t item = dtype_bytes(dtype);
  ShadowResult result = {.name = tensor->name, .dtype = dtype, .elements = tensor_elements(tensor)};
  uint64_t worst = 0;
  for (uint64_t i = 0; i < result.elements; i++) {
    Both both = load_one(twins, dtype, item, i * item, buffer->data + i * item);
    if (is_lost(both.actual, both.twin)) {
      result.lost++;
      continue;
    }
    double most = result.errors.most;
    if (isfinite(both.actual))
      count_error(&result.errors, dtype, both.actual, both.twin);
    if (i == 0 || result.errors.most > most) {
      worst = i;
      result.actual = both.actual;
      result.twin = both.twin;
    }
  }
  uint64_t row = tensor->shape.par_dim ? result.elements / tensor->shape.par_dim : 1, rest = row ? worst % row : 0;
  StrBuf place = strbuf_new(&shadow->session->arena);
  strbuf_printf(&place, "%s[%" PRIu64, tensor->name, row ? worst / row : 0);
  for (uint32_t d = 0; d < tensor->shape.free_dims.count && row; d++) {
    row /= tensor->shape.free_dims.items[d];
    strbuf_printf(&place, ", %" PRIu64, rest / row);
    rest %= row;
  }
  strbuf_putc(&place, ']');
  result.worst = strbuf_cstr(&place);
  vec_push(&shadow->session->arena, &shadow->results, result);
}

// ---- reports

static int by_added(const void *a, const void *b)
{
  const Entry *x = *(Entry *const *)a, *y = *(Entry *const *)b;
  double first = relative(&x->worst.added), second = relative(&y->worst.added);
  return (first < second) - (first > second);
}

// The places that add an error, the worst first, then what is not followed; in the session's arena.
static Entry **ranked(Shadow *shadow, uint32_t *adding, uint32_t *lost)
{
  Entry **entries = arena_array(&shadow->session->arena, Entry *, shadow->order.count);
  *adding = *lost = 0;
  for (size_t i = 0; i < shadow->order.count; i++)
    if (shadow->order.items[i]->is_followed && shadow->order.items[i]->worst.added.squares > 0)
      entries[(*adding)++] = shadow->order.items[i];
  qsort(entries, *adding, sizeof *entries, by_added);
  for (size_t i = 0; i < shadow->order.count; i++)
    if (!shadow->order.items[i]->is_followed)
      entries[*adding + (*lost)++] = shadow->order.items[i];
  return entries;
}

static void print_entry(Shadow *shadow, const Entry *entry, StrBuf *out)
{
  const Measure *worst = &entry->worst;
  strbuf_printf(out, "  %-9.2g %-9.3g %-9.2g %-9.2g", relative(&worst->added), worst->added.most_ulps,
                relative(&worst->carried), relative(&worst->total));
  if (worst->incoming > 0)
    strbuf_printf(out, " x%-7.2g", relative(&worst->carried) / worst->incoming);
  else
    strbuf_puts(out, " -       ");
  strbuf_printf(out, " %s  `%s` of %s", where_text(&shadow->session->arena, &entry->where), worst->field,
                op_known_as(entry->instr));
  if (entry->runs > 1)
    strbuf_printf(out, ", worst of %" PRIu64, entry->runs);
  if (worst->lost)
    strbuf_printf(out, ", %" PRIu64 " elements not finite in one of the two", worst->lost);
  strbuf_putc(out, '\n');
}

void shadow_print(Shadow *shadow, uint32_t top, StrBuf *out)
{
  uint32_t adding, lost;
  Entry **entries = ranked(shadow, &adding, &lost);
  strbuf_puts(out, "against a twin in float64\n");
  for (size_t i = 0; i < shadow->results.count; i++) {
    const ShadowResult *result = &shadow->results.items[i];
    if (result->errors.most == 0 && !result->lost) {
      strbuf_printf(out, "  %-12s %" PRIu64 " elements, the same\n", result->name, result->elements);
      continue;
    }
    strbuf_printf(out, "  %-12s off by %.2g of its norm, at most %.3g ulps; worst %s: %.9g, exactly %.12g\n", result->name,
                  relative(&result->errors), result->errors.most_ulps, result->worst, result->actual, result->twin);
    if (result->lost)
      strbuf_printf(out, "  %-12s %" PRIu64 " elements are not finite in one of the two\n", "", result->lost);
  }
  if (adding)
    strbuf_puts(out, "where error enters, as parts of the norm of what is written\n"
                     "  added     max ulps  carried   in all    amplified\n");
  for (uint32_t i = 0; i < adding && i < top; i++)
    print_entry(shadow, entries[i], out);
  if (adding > top)
    strbuf_printf(out, "  and %" PRIu32 " places that add less\n", adding - top);
  if (lost)
    strbuf_puts(out, "not followed: the twin goes on from what the run has\n");
  for (uint32_t i = adding; i < adding + lost; i++)
    strbuf_printf(out, "  %s  %s\n", where_text(&shadow->session->arena, &entries[i]->where), op_known_as(entries[i]->instr));
}

static void errors_json(JsonWriter *json, const char *key, const Errors *errors)
{
  json_key(json, key);
  json_begin_object(json);
  json_member_finite(json, "relative", relative(errors));
  json_member_finite(json, "max", errors->most);
  json_member_finite(json, "max_ulps", errors->most_ulps);
  json_end_object(json);
}

static void entry_json(JsonWriter *json, const Entry *entry)
{
  json_begin_object(json);
  json_member_text(json, "kind", str_from(op_info(entry->instr->op->kind)->name));
  json_member_text(json, "function", str_from(op_known_as(entry->instr)));
  if (entry->where.path) {
    json_member_text(json, "file", str_from(entry->where.path));
    json_member_uint(json, "line", entry->where.line);
    json_member_text(json, "text", entry->where.text);
  }
  json_member_uint(json, "times", entry->runs);
  if (entry->is_followed) {
    const Measure *worst = &entry->worst;
    json_member_text(json, "operand", str_from(worst->field));
    json_member_text(json, "dtype", str_from(dtype_name(worst->dtype)));
    errors_json(json, "added", &worst->added);
    errors_json(json, "carried", &worst->carried);
    errors_json(json, "total", &worst->total);
    json_member_finite(json, "operands", worst->incoming);
    json_member_finite(json, "amplified", worst->incoming > 0 ? relative(&worst->carried) / worst->incoming : NAN);
    json_member_uint(json, "not_finite", worst->lost);
  }
  json_end_object(json);
}

void shadow_print_json(Shadow *shadow, uint32_t top, JsonWriter *json)
{
  uint32_t adding, lost;
  Entry **entries = ranked(shadow, &adding, &lost);
  json_begin_object(json);
  json_key(json, "results");
  json_begin_array(json);
  for (size_t i = 0; i < shadow->results.count; i++) {
    const ShadowResult *result = &shadow->results.items[i];
    json_begin_object(json);
    json_member_text(json, "name", str_from(result->name));
    json_member_text(json, "dtype", str_from(dtype_name(result->dtype)));
    json_member_uint(json, "elements", result->elements);
    errors_json(json, "error", &result->errors);
    json_member_text(json, "worst", str_from(result->worst));
    json_member_finite(json, "actual", result->actual);
    json_member_finite(json, "exact", result->twin);
    json_member_uint(json, "not_finite", result->lost);
    json_end_object(json);
  }
  json_end_array(json);
  json_key(json, "places");
  json_begin_array(json);
  for (uint32_t i = 0; i < adding && i < top; i++)
    entry_json(json, entries[i]);
  json_end_array(json);
  json_member_uint(json, "more_places", adding > top ? adding - top : 0);
  json_key(json, "not_followed");
  json_begin_array(json);
  for (uint32_t i = adding; i < adding + lost; i++)
    entry_json(json, entries[i]);
  json_end_array(json);
  json_end_object(json);
}
