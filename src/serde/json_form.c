// json_form.c -- core values as JSON. Reading is done on jansson's tree; `node` of the reader is a json_t.

#include "base/json.h"
#include "serde/contents.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- writing
static void write_bool(CoreWriter *writer, bool value)
{
  json_bool(writer->state, value);
}

// Numbers beyond the 64-bit integers of readers are texts.
static void write_natural(CoreWriter *writer, uint64_t value)
{
  char text[24];
  if (value <= INT64_MAX) {
    json_uint(writer->state, value);
    return;
  }
  snprintf(text, sizeof text, "%" PRIu64, value);
  json_text(writer->state, str_from(text));
}

static void write_integer(CoreWriter *writer, int64_t value)
{
  json_int(writer->state, value);
}

static void write_real64(CoreWriter *writer, double value)
{
  if (isnan(value))
    json_text(writer->state, STR("NaN"));
  else if (isinf(value))
    json_text(writer->state, value > 0 ? STR("Infinity") : STR("-Infinity"));
  else
    json_double(writer->state, value);
}

// JSON has no infinities and no NaN: they are texts; a NaN other than the usual one tells its bits.
static void write_real32(CoreWriter *writer, float value)
{
  char text[24];
  uint32_t bits = f32_bits(value);
  if (!isnan(value) || bits == F32_NAN_BITS) {
    write_real64(writer, (double)value);
    return;
  }
  snprintf(text, sizeof text, "NaN:%08" PRIx32, bits);
  json_text(writer->state, str_from(text));
}

static void write_text(CoreWriter *writer, Str value)
{
  json_text(writer->state, value);
}

static void write_none(CoreWriter *writer)
{
  json_nothing(writer->state);
}

static void write_nothing(CoreWriter *writer)
{
  (void)writer;
}

static void write_list(CoreWriter *writer, uint32_t count)
{
  (void)count;
  json_begin_array(writer->state);
}

static void write_list_end(CoreWriter *writer)
{
  json_end_array(writer->state);
}

static void write_begin(CoreWriter *writer, const Head *head)
{
  if (head->ctor && head->count == 0) {
    json_text(writer->state, str_from(head->ctor));
    return;
  }
  json_begin_object(writer->state);
  if (head->ctor) {
    json_key(writer->state, head->ctor);
    json_begin_object(writer->state);
  }
}

static void write_field(CoreWriter *writer, const char *name)
{
  json_key(writer->state, name);
}

static void write_end(CoreWriter *writer, const Head *head)
{
  if (head->ctor && head->count == 0)
    return;
  json_end_object(writer->state);
  if (head->ctor)
    json_end_object(writer->state);
}

static const WriterForm json_writer_form = {
    .omits_none = true,
    .boolean = write_bool,
    .natural = write_natural,
    .integer = write_integer,
    .real32 = write_real32,
    .real64 = write_real64,
    .text = write_text,
    .none = write_none,
    .begin_some = write_nothing,
    .end_some = write_nothing,
    .begin_list = write_list,
    .end_list = write_list_end,
    .begin = write_begin,
    .field = write_field,
    .end_field = write_nothing,
    .end = write_end,
};

bool json_write_with(Session *session, int indent, WriteWith *write, const void *context, StrBuf *out)
{
  size_t before = out->len;
  JsonWriter json = json_writer(out, indent);
  CoreWriter writer = {.session = session, .form = &json_writer_form, .out = out, .state = &json};
  write(&writer, context);
  if (writer.failed)
    out->len = before;
  else
    strbuf_putc(out, '\n');
  return !writer.failed;
}

typedef struct Described {
  const TypeInfo *type;
  const void *value;
} Described;

static void write_described(CoreWriter *writer, const void *described)
{
  core_write_value(writer, ((const Described *)described)->type, ((const Described *)described)->value);
}

static void write_contents(CoreWriter *writer, const void *file)
{
  contents_write(writer, file);
}

bool core_to_json(Session *session, const TypeInfo *type, const void *value, int indent, StrBuf *out)
{
  return json_write_with(session, indent, write_described, &(Described){type, value}, out);
}

bool klr_to_json(Session *session, const KlrFile *file, int indent, StrBuf *out)
{
  return json_write_with(session, indent, write_contents, file, out);
}

// ---- reading
static const char *found_here(const CoreReader *reader)
{
  static const char *const names[] = {
      [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",     [JSON_STRING] = "a string",
      [JSON_INTEGER] = "an integer", [JSON_REAL] = "a real number", [JSON_TRUE] = "true",
      [JSON_FALSE] = "false",        [JSON_NULL] = "null"};
  return names[json_typeof((const json_t *)reader->node)];
}

static bool expected(CoreReader *reader, const char *what)
{
  return read_error(reader, "expected %s, found %s", what, found_here(reader));
}

static bool read_bool(CoreReader *reader, bool *out)
{
  const json_t *node = reader->node;
  *out = json_is_true(node);
  return json_is_boolean(node) || expected(reader, "true or false");
}

static bool read_natural(CoreReader *reader, uint64_t most, uint64_t *out)
{
  const json_t *node = reader->node;
  if (json_is_string(node)) {
    char *end;
    const char *text = json_string_value(node);
    *out = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || *out <= INT64_MAX || *out > most)
      return expected(reader, "a natural number");
    return true;
  }
  if (!json_is_integer(node) || json_integer_value(node) < 0)
    return expected(reader, "a natural number");
  *out = (uint64_t)json_integer_value(node);
  return *out <= most || read_error(reader, "the number %" PRIu64 " is above %" PRIu64, *out, most);
}

static bool read_integer(CoreReader *reader, int64_t least, int64_t most, int64_t *out)
{
  const json_t *node = reader->node;
  if (!json_is_integer(node))
    return expected(reader, "an integer");
  *out = json_integer_value(node);
  return (*out >= least && *out <= most) ||
         read_error(reader, "the integer %" PRId64 " is outside %" PRId64 " to %" PRId64, *out, least, most);
}

static bool real_of_text(const char *text, float *out)
{
  static const struct {
    const char *text;
    uint32_t bits;
  } known[] = {{"NaN", F32_NAN_BITS}, {"Infinity", 0x7F800000}, {"-Infinity", 0xFF800000}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(text, known[i].text) == 0) {
      memcpy(out, &known[i].bits, sizeof *out);
      return true;
    }
  char *end;
  if (strncmp(text, "NaN:", 4) != 0 || strlen(text) != 12)
    return false;
  uint32_t bits = (uint32_t)strtoul(text + 4, &end, 16);
  memcpy(out, &bits, sizeof *out);
  return *end == 0 && (bits & 0x7FFFFFFF) > 0x7F800000;
}

static bool read_real32(CoreReader *reader, float *out)
{
  const json_t *node = reader->node;
  if (json_is_string(node) && real_of_text(json_string_value(node), out))
    return true;
  if (!json_is_number(node))
    return expected(reader, "a number");
  double value = json_number_value(node);
  if (fabs(value) > 3.4028235677973366e38 - 1) // halfway to the next power of two: would become infinite
    return read_error(reader, "the number %g is too large for a float32", value);
  *out = (float)value;
  return true;
}

static bool read_text(CoreReader *reader, Str *out)
{
  const json_t *node = reader->node;
  if (!json_is_string(node))
    return expected(reader, "a string");
  *out = (Str){json_string_value(node), json_string_length(node)};
  return true;
}

static bool begin_option(CoreReader *reader, bool *some)
{
  *some = !json_is_null((const json_t *)reader->node);
  return true;
}

static bool begin_list(CoreReader *reader, uint32_t item_least_bytes, uint32_t *count)
{
  (void)item_least_bytes;
  const json_t *node = reader->node;
  *count = (uint32_t)json_array_size(node);
  return json_is_array(node) || expected(reader, "an array");
}

static bool read_item(CoreReader *reader, const void *list, uint32_t index)
{
  reader->node = json_array_get(list, index);
  return true;
}

// The value of the only member of an object, its name to *name.
static const json_t *only_member(const json_t *node, const char **name)
{
  if (!json_is_object(node) || json_object_size(node) != 1)
    return NULL;
  void *first = json_object_iter((json_t *)node);
  *name = json_object_iter_key(first);
  return json_object_iter_value(first);
}

static bool begin_struct(CoreReader *reader, const Head *head, uint32_t most, uint32_t *count)
{
  const char *name;
  *count = most;
  if (head->ctor) {
    const json_t *inside = only_member(reader->node, &name);
    if (!inside || strcmp(name, head->ctor) != 0)
      return read_error(reader, "expected a `%s`, which is {\"%s\": {...}}, found %s", head->type, head->ctor,
                        found_here(reader));
    reader->node = inside;
  }
  if (json_is_object((const json_t *)reader->node))
    return true;
  return read_error(reader, "expected a `%s`, which is an object, found %s", head->type, found_here(reader));
}

static bool unknown_choice(CoreReader *reader, const TypeInfo *sum, const char *name)
{
  size_t before = reader->session->diags.count;
  read_error(reader, "`%s` has no constructor `%s`", sum->wire, name);
  if (reader->session->diags.count > before)
    suggest_choice(reader->session->diags.items[before], sum, str_from(name));
  return false;
}

static bool begin_sum(CoreReader *reader, const TypeInfo *sum, uint32_t *choice)
{
  const json_t *node = reader->node, *inside = NULL;
  const char *name = json_string_value(node);
  if (!name)
    inside = only_member(node, &name);
  if (!name)
    return read_error(reader, "expected a `%s`, which is a string or an object with one member, found %s", sum->wire,
                      found_here(reader));
  if (!choice_of_name(sum, str_from(name), choice))
    return unknown_choice(reader, sum, name);
  uint32_t fields = choice_fields(sum, *choice);
  if (fields == 0 && !inside)
    return true;
  if (fields && inside && json_is_object(inside) && json_object_size(inside) == fields) {
    reader->node = inside;
    return true;
  }
  return read_error(reader,
                    fields ? "`%s.%s` is {\"%s\": {...}} with one member in it" : "`%s.%s` is the string \"%s\"",
                    sum->wire, name, name);
}

static bool read_field(CoreReader *reader, const char *name, uint32_t index, bool *absent)
{
  (void)index;
  const json_t *value = json_object_get(reader->node, name);
  if (!value && absent) {
    *absent = true;
    return true;
  }
  if (!value)
    return read_error(reader, "the field `%s` is missing", name);
  reader->node = value;
  return true;
}

static bool end_struct(CoreReader *reader, const FieldInfo *fields, uint32_t count)
{
  json_t *node = (json_t *)reader->node;
  for (void *at = json_object_iter(node); at; at = json_object_iter_next(node, at)) {
    const char *name = json_object_iter_key(at);
    bool known = false;
    for (uint32_t i = 0; i < count; i++)
      known |= strcmp(fields[i].wire, name) == 0;
    if (!known)
      return read_error(reader, "there is no field `%s` here", name);
  }
  return true;
}

static const ReaderForm json_reader_form = {
    .code = E_JSON_FORMAT,
    .boolean = read_bool,
    .natural = read_natural,
    .integer = read_integer,
    .real32 = read_real32,
    .text = read_text,
    .begin_option = begin_option,
    .begin_list = begin_list,
    .item = read_item,
    .begin_struct = begin_struct,
    .begin_sum = begin_sum,
    .field = read_field,
    .end = end_struct,
};

// The text as a tree, to be released with json_decref; NULL after reporting.
static json_t *parse(Session *session, Str text, const char *path)
{
  json_error_t error;
  json_t *root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
  if (root)
    return root;
  Diag *diag = diag_error(session, E_JSON_FORMAT, "not JSON: %s", error.text);
  diag_where(diag, path, error.line > 0 ? (uint32_t)error.line : 0, error.column > 0 ? (uint32_t)error.column - 1 : 0);
  return NULL;
}

bool core_from_json(Session *session, Arena *arena, const TypeInfo *type, Str text, const char *path, void *out)
{
  json_t *root = parse(session, text, path);
  if (!root)
    return false;
  CoreReader reader;
  core_reader_init(&reader, session, arena, &json_reader_form, path);
  reader.node = root;
  bool ok = core_read_value(&reader, type, out);
  json_decref(root);
  return ok;
}

KlrFile *klr_from_json(Session *session, Arena *arena, Str text, const char *path)
{
  json_t *root = parse(session, text, path);
  if (!root)
    return NULL;
  if (json_is_object(root))
    json_object_del(root, "diagnostics");  // which `klr trace --json` adds
  CoreReader reader;
  core_reader_init(&reader, session, arena, &json_reader_form, path);
  reader.node = root;
  KlrFile *file = arena_new(arena, KlrFile);
  bool ok = contents_read(&reader, file);
  file->has_extensions = reader.uses_extensions;
  json_decref(root);
  return ok ? file : NULL;
}
