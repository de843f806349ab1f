// read.c -- any described value from a form.

#include "base/bug.h"
#include "serde/form.h"

#include <stdarg.h>
#include <string.h>

static bool report(CoreReader *reader, DiagCode code, const char *format, va_list args)
{
  if (reader->failed)
    return false;
  reader->failed = true;
  Arena *arena = &reader->session->arena;
  StrBuf text = strbuf_new(arena);
  uint32_t line = 0, column = 0;
  if (reader->form->place)
    reader->form->place(reader, &text, &line, &column);
  strbuf_puts(&text, arena_vprintf(arena, format, args));
  Diag *diag = diag_error(reader->session, code, "%s", strbuf_cstr(&text));
  diag_where(diag, reader->path, line, column);
  if (reader->step) {
    StrBuf path = strbuf_new(arena);
    step_print(reader->step, &path);
    diag_note(diag, "while reading `%s`", strbuf_cstr(&path));
  }
  return false;
}

bool read_error(CoreReader *reader, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  report(reader, reader->form->code, format, args);
  va_end(args);
  return false;
}

bool read_error_code(CoreReader *reader, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  report(reader, code, format, args);
  va_end(args);
  return false;
}

void core_reader_init(CoreReader *reader, Session *session, Arena *arena, const ReaderForm *form, const char *path)
{
  *reader = (CoreReader){.session = session,
                         .arena = arena,
                         .form = form,
                         .path = path,
                         .text_limit = TEXT_LIMIT,
                         .allows_extensions = true,
                         .texts = map_new(arena),
                         .shared = map_new(arena)};
}

static bool read_text(CoreReader *reader, const char **out)
{
  Str text;
  if (!reader->form->text(reader, &text))
    return false;
  if (reader->text_limit && text.len > reader->text_limit)
    return read_error(reader, "a text of %zu bytes, where at most %u are allowed", text.len, reader->text_limit);
  const char *known = map_get(&reader->texts, text);
  if (!known) {
    known = arena_strndup(reader->arena, text.data, text.len);
    map_set(&reader->texts, (Str){known, text.len}, (void *)known);
  }
  *out = known;
  return true;
}

static bool read_natural(CoreReader *reader, uint64_t most, void *out, uint32_t bytes)
{
  uint64_t value;
  if (!reader->form->natural(reader, most, &value))
    return false;
  if (bytes == sizeof value)
    *(uint64_t *)out = value;
  else
    *(uint32_t *)out = (uint32_t)value;
  return true;
}

static bool read_integer(CoreReader *reader, int64_t least, int64_t most, void *out, uint32_t bytes)
{
  int64_t value;
  if (!reader->form->integer(reader, least, most, &value))
    return false;
  if (bytes == sizeof value)
    *(int64_t *)out = value;
  else
    *(int32_t *)out = (int32_t)value;
  return true;
}

static bool read_field(CoreReader *reader, const FieldInfo *field, uint32_t index, bool may_be_absent, char *value)
{
  Step step = {reader->step, field->wire, 0};
  const void *here = reader->node;
  bool absent = false;
  reader->step = &step;
  bool ok = reader->form->field(reader, field->wire, index, may_be_absent ? &absent : NULL);
  if (ok && !absent)
    ok = core_read_value(reader, field->type, value + field->offset);
  reader->step = step.up;
  reader->node = here;
  return ok;
}

// Fields [0, base) are those of the format, the rest extensions, of which a file may have the first few.
static bool read_fields(CoreReader *reader, Head head, const FieldInfo *fields, uint32_t count, char *value)
{
  uint32_t base = count - count_extensions(fields, count), found;
  head.count = base + head.proofs;
  const void *here = reader->node;
  if (!reader->form->begin_struct(reader, &head, count + head.proofs, &found))
    return false;
  uint32_t present = found - head.proofs;
  for (uint32_t i = 0; i < present; i++) {
    bool optional = fields[i].is_extension || (is_option(fields[i].type) && !head.ctor);
    if (!read_field(reader, &fields[i], i, optional, value))
      return false;
    if (fields[i].is_extension && !is_default(fields[i].type, value + fields[i].offset))
      reader->uses_extensions = true;
  }
  if (reader->form->is_canonical && present > base) {
    const FieldInfo *last = &fields[present - 1];
    if (!reader->allows_extensions)
      return read_error(reader, "`%s` has %u fields, which only files of format `NKI+klr` may have", head.type, found);
    if (is_default(last->type, value + last->offset))
      return read_error(reader, "extension field `%s` of `%s` is written though it says nothing", last->wire,
                        head.type);
  }
  bool ok = reader->form->end(reader, fields, count);
  reader->node = here;
  return ok;
}

static bool read_struct(CoreReader *reader, const TypeInfo *type, void *out)
{
  uint32_t count;
  const FieldInfo *fields = type->fields(&count);
  Head head = {
      .type = type->wire, .ctor = ctor_of_struct(type), .tag = (uint8_t)type->tag, .proofs = type->proof_count};
  return read_fields(reader, head, fields, count, out);
}

static bool read_operator(CoreReader *reader, uint32_t choice, Op **out)
{
  const OpInfo *info = op_info((OpKind)choice);
  uint32_t count;
  const FieldInfo *fields = info->fields(&count);
  *out = op_new(reader->arena, (OpKind)choice);
  return read_fields(reader, (Head){.type = info->payload, .tag = (uint8_t)info->payload_tag}, fields, count,
                     (char *)*out);
}

// A member of an enumeration or an operator that format 0.0.12 does not have needs a file that says so.
static bool expect_in_format(CoreReader *reader, const TypeInfo *type, uint32_t choice)
{
  if (choice < type->wire_count)
    return true;
  if (!reader->allows_extensions)
    return read_error(reader, "`%s` of `%s` needs a file of format `NKI+klr`", choice_name(type, choice), type->wire);
  return reader->uses_extensions = true;
}

// An enumeration, a sum or an operator.
static bool read_choice(CoreReader *reader, const TypeInfo *sum, void *out)
{
  const void *here = reader->node;
  uint32_t choice;
  if (!reader->form->begin_sum(reader, sum, &choice))
    return false;
  bool ok = true;
  if (sum->form == FORM_ENUM) {
    ok = expect_in_format(reader, sum, choice);
    *(uint32_t *)out = choice;
  } else if (sum->form == FORM_OPERATOR) {
    Step step = {reader->step, choice_name(sum, choice), 0};
    reader->step = &step;
    ok = expect_in_format(reader, sum, choice) && reader->form->field(reader, "op", 0, NULL) &&
         read_operator(reader, choice, out);
    reader->step = step.up;
  } else {
    const CtorInfo *ctor = &sum->ctors[choice];
    *(uint32_t *)out = ctor->number;
    Step step = {reader->step, ctor->wire, 0};
    reader->step = &step;
    if (ctor->type)
      ok = reader->form->field(reader, ctor->field, 0, NULL) &&
           core_read_value(reader, ctor->type, (char *)out + sum->value_offset);
    reader->step = step.up;
  }
  reader->node = here;
  return ok;
}

static bool read_option(CoreReader *reader, const TypeInfo *type, void *out)
{
  const void *here = reader->node;
  bool some, ok;
  if (!reader->form->begin_option(reader, &some))
    return false;
  if (type->form == FORM_OPTION)
    *(bool *)out = some;
  if (!some)
    return true;
  if (type->form == FORM_OPT_STRING) {
    ok = read_text(reader, out);
  } else if (type->form == FORM_BOXED) {
    void *inner = arena_alloc(reader->arena, type->of->bytes);
    *(void **)out = inner;
    ok = core_read_value(reader, type->of, inner);
  } else {
    ok = core_read_value(reader, type->of, (char *)out + type->value_offset);
  }
  reader->node = here;
  return ok;
}

// The fewest bytes a value takes in a .klr file, so that a count is refused before memory is taken for it.
static uint32_t least_bytes(const TypeInfo *type)
{
  switch (type->form) {
  case FORM_SAME:
  case FORM_REF: return least_bytes(type->of);
  case FORM_BOOL:
  case FORM_NAT:
  case FORM_NAT32:
  case FORM_INT:
  case FORM_INT32:
  case FORM_STRING:
  case FORM_LIST: return 1;
  default: return 4;
  }
}

static bool read_list(CoreReader *reader, const TypeInfo *type, AnyList *out)
{
  const void *here = reader->node; // the list
  if (!reader->form->begin_list(reader, least_bytes(type->of), &out->count))
    return false;
  out->items = arena_alloc_array(reader->arena, out->count, type->of->bytes);
  Step step = {reader->step, NULL, 0};
  reader->step = &step;
  for (; step.index < out->count; step.index++) {
    if (!reader->form->item(reader, here, step.index) ||
        !core_read_value(reader, type->of, out->items + (size_t)type->of->bytes * step.index))
      break;
  }
  reader->step = step.up;
  reader->node = here;
  return step.index == out->count;
}

typedef struct SharedValue {
  struct SharedValue *next; // with the same hash
  const TypeInfo *type;
  const void *value;
} SharedValue;

static bool is_shared(const TypeInfo *type)
{
  return type == &core_type_Tensor || type == &core_type_Address || type == &core_type_Pos;
}

// The one value of this content. Nothing of a value that is already known can be new to the tables, so the arena may
// be rewound to before it was read.
static const void *share(CoreReader *reader, const TypeInfo *type, void *value, ArenaMark before)
{
  uint64_t key = core_hash(type, value) ^ type->tag;
  SharedValue *first = map_get_number(&reader->shared, key);
  for (SharedValue *known = first; known; known = known->next)
    if (known->type == type && core_equal(type, known->value, value)) {
      arena_rewind(reader->arena, before);
      return known->value;
    }
  SharedValue *entry = arena_new(reader->arena, SharedValue);
  *entry = (SharedValue){first, type, value};
  map_set_number(&reader->shared, key, entry);
  if (type == &core_type_Tensor)
    ((Tensor *)value)->id = reader->tensor_count++;
  return value;
}

static bool read_ref(CoreReader *reader, const TypeInfo *type, const void **out)
{
  ArenaMark before = arena_mark(reader->arena);
  void *value = arena_alloc(reader->arena, type->bytes);
  if (!core_read_value(reader, type, value))
    return false;
  *out = is_shared(type) ? share(reader, type, value, before) : value;
  return true;
}

static bool read_nested(CoreReader *reader, const TypeInfo *type, void *out)
{
  if (reader->depth == DEPTH_LIMIT)
    return read_error(reader, "nested deeper than %d levels", DEPTH_LIMIT);
  reader->depth++;
  bool ok = type->form == FORM_STRUCT ? read_struct(reader, type, out) : read_choice(reader, type, out);
  reader->depth--;
  return ok;
}

bool core_read_value(CoreReader *reader, const TypeInfo *type, void *out)
{
  bool narrow = reader->form->is_narrow;
  switch (type->form) {
  case FORM_BOOL: return reader->form->boolean(reader, out);
  case FORM_NAT: return read_natural(reader, narrow ? UINT32_MAX : UINT64_MAX, out, type->bytes);
  case FORM_NAT32: return read_natural(reader, UINT32_MAX, out, type->bytes);
  case FORM_INT:
    return read_integer(reader, narrow ? INT32_MIN : INT64_MIN, narrow ? INT32_MAX : INT64_MAX, out, type->bytes);
  case FORM_INT32: return read_integer(reader, INT32_MIN, INT32_MAX, out, type->bytes);
  case FORM_F32: return reader->form->real32(reader, out);
  case FORM_STRING: return read_text(reader, out);
  case FORM_SAME: return core_read_value(reader, type->of, out);
  case FORM_REF: return read_ref(reader, type->of, out);
  case FORM_OPT_STRING:
  case FORM_BOXED:
  case FORM_OPTION: return read_option(reader, type, out);
  case FORM_LIST: return read_list(reader, type, out);
  case FORM_ENUM: return read_choice(reader, type, out);
  case FORM_STRUCT:
  case FORM_SUM:
  case FORM_OPERATOR: return read_nested(reader, type, out);
  }
  bug("form %d", (int)type->form);
}
