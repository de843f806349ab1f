// verify_tile.c -- operands as tiles, and reports that do not repeat themselves.

#include "core/verify_tile.h"
#include "base/bug.h"
#include "core/nki_names.h"
#include "core/text.h"

#include <inttypes.h>
#include <string.h>

enum { ERRORS_PER_LINE = 3 };

static void place_on_chip(Tile *tile)
{
  const View *view = tile->view;
  uint64_t row = tile->row_elements;
  tile->start_partition = view->offset < row ? 0 : view->offset / row;
  tile->row_start = view->offset - tile->start_partition * row;
  tile->row_low = tile->row_high = (int64_t)tile->row_start;
  for (uint32_t i = 1; i < view->pattern.count; i++)
    reach_pair(&view->pattern.items[i], &tile->row_low, &tile->row_high);
  int64_t step = view->pattern.count && view->pattern.items[0].num > 1 ? view->pattern.items[0].step : 0;
  tile->partition_step = step == (int64_t)row ? 1 : step == 0 ? 0 : step / (int64_t)row;
}

bool tile_of_ref(Arena *scratch, const TensorRef *ref, Tile *out)
{
  out->ref = ref;
  out->is_known = false;
  if (ref->ctor != TensorRef_abstract)
    return false;
  const View *view = ref->abstract.ctor == Access_view ? ref->abstract.view : access_view(scratch, &ref->abstract);
  const Tensor *tensor = view->tensor;
  out->view = view;
  out->tensor = tensor;
  out->memory = tensor->address->memory;
  out->dtype = tensor->dtype;
  out->row_elements = tensor->free_elements;
  if (view->dtype_override.some) {
    out->dtype = view->dtype_override.value;
    out->row_elements = tensor->free_elements * dtype_bytes(tensor->dtype) / dtype_bytes(out->dtype);
  }
  out->is_indirect = view->scalar_offset || view->vector_offset;
  out->partitions = view->pattern.count ? view->pattern.items[0].num : 1;
  out->free_elements = 1;
  for (uint32_t i = 1; i < view->pattern.count; i++)
    out->free_elements *= view->pattern.items[i].num;
  out->is_known = true;
  if (memory_is_on_chip(out->memory) && out->row_elements)
    place_on_chip(out);
  return true;
}

const char *tile_shape_text(Arena *arena, const Tile *tile)
{
  StrBuf out = strbuf_new(arena);
  for (uint32_t i = 0; i < tile->view->pattern.count; i++)
    strbuf_printf(&out, "%s%u", i ? "x" : "", tile->view->pattern.items[i].num);
  return out.len ? strbuf_cstr(&out) : "1";
}

const char *tile_text(Arena *arena, const Tile *tile)
{
  StrBuf out = strbuf_new(arena);
  core_print_ref(tile->ref, &out);
  return strbuf_cstr(&out);
}

void op_shape_init(OpShape *shape, OpKind kind)
{
  uint32_t count;
  const FieldInfo *fields = op_info(kind)->fields(&count);
  *shape = (OpShape){.is_ready = true};
  for (uint32_t i = 0; i < count; i++) {
    const TypeInfo *type = fields[i].type;
    shape->has_registers |= type == &core_REGISTER;
    shape->has_lists |= type == &core_LIST_TENSOR_REF;
    if (type != &core_TENSOR_REF && type != &core_OPT_TENSOR_REF && type != &core_OPERAND &&
        type != &core_OPT_OPERAND && type != &core_LIST_TENSOR_REF)
      continue;
    if (shape->count == TILES_MAX)
      bug("%s has more than %d tensor operands", op_info(kind)->name, TILES_MAX);
    shape->offsets[shape->count] = (uint32_t)fields[i].offset;
    shape->slots[shape->count++] = (TileSlot){&fields[i], type};
  }
}

const TensorRef *op_slot_ref(const Op *op, const TileSlot *slot)
{
  const void *value = (const char *)op + slot->field->offset;
  if (slot->type == &core_TENSOR_REF)
    return value;
  if (slot->type == &core_OPT_TENSOR_REF)
    return *(const TensorRef *const *)value;
  if (slot->type == &core_LIST_TENSOR_REF)
    return NULL;
  const Operand *operand = slot->type == &core_OPERAND ? value : *(const Operand *const *)value;
  return operand && operand->ctor == Operand_tile ? &operand->tile : NULL;
}

Reporter reporter_new(Session *session)
{
  return (Reporter){.session = session,
                    .scratch = {.on_exhausted = session->arena.on_exhausted, .fail_after = -1},
                    .said = map_new(&session->arena),
                    .per_line = map_new(&session->arena)};
}

void reporter_free(Reporter *reporter)
{
  arena_free(&reporter->scratch);
}

static uint64_t place_key(const Pos *pos)
{
  if (pos->span.source)
    return (uint64_t)pos->span.source << 40 ^ pos->span.start;
  return str_hash(str_from(pos->filename ? pos->filename : "")) ^ (uint64_t)pos->line << 8 ^ pos->column;
}

// "same-free" of "tensor_tensor.data1.same-free": one place breaks it for one operand at a time.
static const char *rule_family(const char *rule)
{
  const char *dot = strrchr(rule, '.');
  return dot ? dot + 1 : rule;
}

static Diag *report(Reporter *reporter, const Pos *pos, DiagCode code, const char *rule, bool is_error,
                    const char *message)
{
  static const Pos nowhere;
  pos = pos ? pos : &nowhere;
  uint64_t place = place_key(pos), key = place ^ str_hash(str_from(rule_family(rule))) << 1;
  uintptr_t errors = (uintptr_t)map_get_number(&reporter->per_line, place);
  if (map_get_number(&reporter->said, key) || errors >= ERRORS_PER_LINE)
    return NULL;
  map_set_number(&reporter->said, key, reporter);
  map_set_number(&reporter->per_line, place, (void *)(errors + 1));
  Diag *diag = is_error ? diag_error(reporter->session, code, "%s", message)
                        : diag_warning(reporter->session, code, "%s", message);
  if (pos->span.source)
    diag_primary(diag, pos->span, "%s", "");
  else if (pos->filename)
    diag_where(diag, pos->filename, pos->line, pos->column);
  for (const CallSite *site = pos->caller; site; site = site->caller)
    diag_call(diag, site->span, "in the call of `%s`", site->function ? site->function : "a function");
  if (!pos->is_traced || (code != E_UNSPECIFIED && code != W_UNSPECIFIED))
    diag_note(diag, "rule: %s", rule);
  return diag;
}

const char *rule_tolerated(const char *rule)
{
  static const struct {
    const char *rule, *instead;
  } rows[] = {
#define TOLERATED(rule, instead) {rule, instead},
#include "core/tolerated.def"
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].rule, rule) == 0)
      return rows[i].instead;
  return NULL;
}

Diag *report_at(Reporter *reporter, const Pos *pos, DiagCode code, const char *rule, const char *format, ...)
{
  const char *instead = reporter->session->strict ? NULL : rule_tolerated(rule);
  reporter->failed |= !instead;
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(&reporter->session->arena, format, args);
  va_end(args);
  Diag *diag = report(reporter, pos, instead ? W_TOLERATED : code, rule, !instead, message);
  if (diag && instead)
    diag_note(diag, "kernels of the vendor do this too: %s; with --strict it is an error", instead);
  return diag;
}

Diag *report_warning_at(Reporter *reporter, const Pos *pos, DiagCode code, const char *rule, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(&reporter->session->arena, format, args);
  va_end(args);
  return report(reporter, pos, code, rule, false, message);
}

static bool same_span(Span a, Span b)
{
  return a.source == b.source && a.start == b.start && a.end == b.end;
}

// Two operands of one tensor share a label.
static bool add_to_label(Diag *diag, Span span, const char *text)
{
  for (size_t i = 0; i < diag->labels.count; i++)
    if (same_span(diag->labels.items[i].span, span)) {
      diag->labels.items[i].text = arena_printf(&diag->session->arena, "%s; %s", diag->labels.items[i].text, text);
      return true;
    }
  return false;
}

void report_operand(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile)
{
  if (!diag)
    return;
  Arena *arena = &reporter->session->arena;
  const char *text = arena_printf(arena, "`%s` is `%s`", field_known_as(instr, field), tile_text(arena, tile));
  const Pos *made = tile->tensor->pos;
  if (!made || !made->span.source)
    diag_note(diag, "%s", text);
  else if (!add_to_label(diag, made->span, text))
    diag_label(diag, made->span, "%s", text);
}
