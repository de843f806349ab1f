// json_schema.c -- docs/schema.json: what documents of scalar kernels look like, as a JSON Schema (draft 2020-12), made from the
// tables that the reader walks. It says all of the structure; types, names and flow are the checker's.
//
// Definitions of version 1.0 end in _10. A node's definition is chosen by its "type", so a message names the field that is wrong.

#include "base/json.h"
#include "schema/json.h"
#include "schema/whole.h"

typedef struct PageWriter {
  JsonWriter json;
  bool is_10;
} PageWriter;

// ASCII letters, digits and underscores, and whatever is beyond ASCII: the reader is stricter there.
#define NAME_PATTERN "^[^\\x00-@\\[-\\^`\\{-\\x7f][^\\x00-/:-@\\[-\\^`\\{-\\x7f]*$"

static void member_raw(PageWriter *w, const char *key, const char *value)
{
  json_key(&w->json, key);
  json_raw(&w->json, str_from(value));
}

static void member_bool(PageWriter *w, const char *key, bool value)
{
  json_key(&w->json, key);
  json_bool(&w->json, value);
}

static void begin_member(PageWriter *w, const char *key)
{
  json_key(&w->json, key);
  json_begin_object(&w->json);
}

static void begin_definition(PageWriter *w, const char *name, const char *doc)
{
  begin_member(w, arena_printf(w->json.out->arena, "%s%s", name, w->is_10 ? "_10" : ""));
  if (doc)
    json_member_text(&w->json, "description", str_from(doc));
}

// "key": {"$ref": "#/$defs/name"}, of the version that is written when it has definitions of its own.
static void member_ref(PageWriter *w, const char *key, const char *name, bool has_versions)
{
  begin_member(w, key);
  json_member_text(&w->json, "$ref", str_from(arena_printf(w->json.out->arena, "#/$defs/%s%s", name, w->is_10 && has_versions ? "_10" : "")));
  json_end_object(&w->json);
}

static void member_list(PageWriter *w, const char *key, const char *of)
{
  begin_member(w, key);
  json_member_text(&w->json, "type", STR("array"));
  member_ref(w, "items", of, true);
  json_end_object(&w->json);
}

// {"anyOf": [{"$ref": ...}, {"type": "null"}]}, or with the list inside.
static void member_optional(PageWriter *w, const char *key, const char *of, bool is_list, bool has_versions)
{
  JsonWriter *json = &w->json;
  begin_member(w, key);
  json_key(json, "anyOf");
  json_begin_array(json);
  json_begin_object(json);
  if (is_list) {
    json_member_text(json, "type", STR("array"));
    member_ref(w, "items", of, has_versions);
  } else {
    json_member_text(json, "$ref", str_from(arena_printf(json->out->arena, "#/$defs/%s%s", of, w->is_10 && has_versions ? "_10" : "")));
  }
  json_end_object(json);
  json_raw(json, STR("{\"type\": \"null\"}"));
  json_end_array(json);
  json_end_object(json);
}

static void write_field(PageWriter *w, const SchemaFieldInfo *field, SchemaKind kind)
{
  switch (field->kind) {
  case SCHEMA_FIELD_NAME: member_ref(w, field->json, "name", false); return;
  case SCHEMA_FIELD_EXPR: member_ref(w, field->json, "expression", true); return;
  case SCHEMA_FIELD_OPT_EXPR: member_optional(w, field->json, "expression", false, true); return;
  case SCHEMA_FIELD_EXPRS: member_list(w, field->json, "expression"); return;
  case SCHEMA_FIELD_STMTS: member_list(w, field->json, "statement"); return;
  case SCHEMA_FIELD_OPT_STMTS: member_optional(w, field->json, "statement", true, true); return;
  case SCHEMA_FIELD_LITERAL: member_ref(w, field->json, "literal_value", false); return;
  case SCHEMA_FIELD_SCALAR: member_ref(w, field->json, "scalar", false); return;
  case SCHEMA_FIELD_OPT_SCALAR: member_optional(w, field->json, "scalar", false, false); return;
  case SCHEMA_FIELD_BINARY: member_ref(w, field->json, "binary_operator", false); return;
  case SCHEMA_FIELD_UNARY: member_ref(w, field->json, "unary_operator", false); return;
  case SCHEMA_FIELD_TEXT: {
    const char *name;
    begin_member(w, field->json);
    json_key(&w->json, "enum");
    json_begin_array(&w->json);
    for (size_t i = 0; (name = schema_whole_operation(kind, i)); i++)
      json_text(&w->json, str_from(name));
    json_end_array(&w->json);
    json_end_object(&w->json);
    return;
  }
  }
}

static bool has_kind(const PageWriter *w, SchemaKind kind)
{
  return schema_kind_info(kind).since <= (w->is_10 ? 10 : 11);
}

static const char *definition_of(const PageWriter *w, SchemaKindInfo info)
{
  return arena_printf(w->json.out->arena, "%s_%s", info.json, info.is_statement ? "statement" : "expression");
}

static void write_node(PageWriter *w, SchemaKind kind)
{
  SchemaKindInfo info = schema_kind_info(kind);
  JsonWriter *json = &w->json;
  begin_definition(w, definition_of(w, info), info.doc);
  json_member_text(json, "type", STR("object"));
  json_key(json, "required");
  json_begin_array(json);
  json_text(json, STR("type"));
  for (uint32_t i = 0; i < info.field_count; i++)
    if (!schema_field_is_optional(info.fields[i].kind))
      json_text(json, str_from(info.fields[i].json));
  json_end_array(json);
  begin_member(w, "properties");
  member_raw(w, "type", arena_printf(json->out->arena, "{\"const\": \"%s\"}", info.json));
  for (uint32_t i = 0; i < info.field_count; i++)
    if (!(w->is_10 && info.fields[i].kind == SCHEMA_FIELD_OPT_SCALAR))  // as the reader has it
      write_field(w, &info.fields[i], kind);
  if (!w->is_10 && !info.is_statement)
    member_ref(w, "dtype", "scalar", false);
  if (!w->is_10)
    member_ref(w, "at", "place", false);
  json_end_object(json);
  member_bool(w, "additionalProperties", false);
  json_end_object(json);
}

// Any statement, or any expression: which one its "type" says.
static void write_any(PageWriter *w, bool is_statement)
{
  JsonWriter *json = &w->json;
  begin_definition(w, is_statement ? "statement" : "expression", NULL);
  json_member_text(json, "type", STR("object"));
  member_raw(w, "required", "[\"type\"]");
  begin_member(w, "properties");
  begin_member(w, "type");
  json_key(json, "enum");
  json_begin_array(json);
  for (SchemaKind kind = 0; kind < SCHEMA_KIND_COUNT; kind++)
    if (schema_kind_info(kind).is_statement == is_statement && has_kind(w, kind))
      json_text(json, str_from(schema_kind_info(kind).json));
  json_end_array(json);
  json_end_object(json);
  json_end_object(json);
  json_key(json, "allOf");
  json_begin_array(json);
  for (SchemaKind kind = 0; kind < SCHEMA_KIND_COUNT; kind++) {
    SchemaKindInfo info = schema_kind_info(kind);
    if (info.is_statement != is_statement || !has_kind(w, kind))
      continue;
    json_begin_object(json);
    member_raw(w, "if", arena_printf(json->out->arena, "{\"properties\": {\"type\": {\"const\": \"%s\"}}, \"required\": [\"type\"]}", info.json));
    member_ref(w, "then", definition_of(w, info), true);
    json_end_object(json);
  }
  json_end_array(json);
  json_end_object(json);
}

static void write_names(PageWriter *w, const char *definition, const char *const *names)
{
  begin_member(w, definition);
  json_key(&w->json, "enum");
  json_begin_array(&w->json);
  for (size_t i = 0; names[i]; i++)
    json_text(&w->json, str_from(names[i]));
  json_end_array(&w->json);
  json_end_object(&w->json);
}

// What both versions have.
static void write_values(PageWriter *w)
{
  static const char *const SCALARS[] = {
#define SCALAR(enumerator, name, bytes, kind, c_type, numpy_name, doc) name,
#define TYPE_ALIAS(name, enumerator) name,
#include "schema/types.def"
    NULL};
  static const char *const BINARIES[] = {
#define BINARY(name, python, class, doc) #name,
#include "schema/operators.def"
    NULL};
  static const char *const UNARIES[] = {
#define UNARY(name, python, class, doc) #name,
#include "schema/operators.def"
    NULL};
  begin_member(w, "name");
  json_member_text(&w->json, "type", STR("string"));
  json_member_text(&w->json, "pattern", STR(NAME_PATTERN));
  json_end_object(&w->json);
  write_names(w, "scalar", SCALARS);
  write_names(w, "binary_operator", BINARIES);
  write_names(w, "unary_operator", UNARIES);
  member_raw(w, "scalar_type",
             "{\"type\": \"object\", \"required\": [\"kind\", \"type\"], \"properties\": {\"kind\": {\"const\": \"scalar\"}, \"type\": {\"$ref\": "
             "\"#/$defs/scalar\"}}, \"additionalProperties\": false}");
  member_raw(w, "array_type",
             "{\"type\": \"object\", \"required\": [\"kind\", \"element_type\"], \"properties\": {\"kind\": {\"const\": \"device_array\"}, "
             "\"element_type\": {\"$ref\": \"#/$defs/scalar_type\"}}, \"additionalProperties\": false}");
  member_raw(w, "type",
             "{\"type\": \"object\", \"required\": [\"kind\"], \"properties\": {\"kind\": {\"enum\": [\"scalar\", \"device_array\"]}}, \"allOf\": ["
             "{\"if\": {\"properties\": {\"kind\": {\"const\": \"scalar\"}}, \"required\": [\"kind\"]}, \"then\": {\"$ref\": \"#/$defs/scalar_type\"}}, "
             "{\"if\": {\"properties\": {\"kind\": {\"const\": \"device_array\"}}, \"required\": [\"kind\"]}, \"then\": {\"$ref\": "
             "\"#/$defs/array_type\"}}]}");
  begin_member(w, "literal_value");
  json_member_text(&w->json, "description", STR("a number or a truth value; integers beyond 64-bit signed ones and what JSON has no number for are texts"));
  member_raw(w, "anyOf",
             "[{\"type\": \"boolean\"}, {\"type\": \"number\"}, {\"type\": \"string\", \"pattern\": \"^(nan|-?inf|-?[0-9]+)$\"}]");
  json_end_object(&w->json);
  begin_member(w, "place");
  json_member_text(&w->json, "description", STR("[line, column, end_line, end_column] in the Python source; lines from 1, columns in bytes from 0"));
  json_member_text(&w->json, "type", STR("array"));
  const char *number = "{\"type\": \"integer\", \"minimum\": %d, \"maximum\": 2147483647}";
  const char *line = arena_printf(w->json.out->arena, number, 1), *column = arena_printf(w->json.out->arena, number, 0);
  member_raw(w, "prefixItems", arena_printf(w->json.out->arena, "[%s, %s, %s, %s]", line, column, line, column));
  member_raw(w, "minItems", "4");
  member_raw(w, "maxItems", "4");
  json_end_object(&w->json);
  begin_member(w, "source");
  json_member_text(&w->json, "description", STR("the Python source: its path as it was given, and the XXH3 hash of its text; both may be empty"));
  member_raw(w, "type", "\"object\"");
  member_raw(w, "required", "[\"path\", \"hash\"]");
  member_raw(w, "properties",
             "{\"path\": {\"type\": \"string\", \"pattern\": \"^[^\\\\x00-\\\\x1f]*$\"}, \"hash\": {\"type\": \"string\", \"pattern\": "
             "\"^([0-9a-f]{16})?$\"}}");
  member_bool(w, "additionalProperties", false);
  json_end_object(&w->json);
}

static void write_param(PageWriter *w)
{
  begin_definition(w, "param", NULL);
  member_raw(w, "type", "\"object\"");
  member_raw(w, "required", "[\"name\", \"type\"]");
  begin_member(w, "properties");
  member_ref(w, "name", "name", false);
  member_ref(w, "type", "type", false);
  if (!w->is_10)
    member_raw(w, "direction", "{\"enum\": [\"none\", \"in\", \"out\", \"inout\"]}");
  json_end_object(&w->json);
  if (!w->is_10)  // of arrays only
    member_raw(w, "dependentSchemas",
               "{\"direction\": {\"properties\": {\"type\": {\"properties\": {\"kind\": {\"const\": \"device_array\"}}}}}}");
  member_bool(w, "additionalProperties", false);
  json_end_object(&w->json);
}

static void write_function(PageWriter *w, const char *name, const char *doc, bool is_kernel)
{
  begin_definition(w, name, doc);
  member_raw(w, "type", "\"object\"");
  member_raw(w, "required", "[\"name\", \"params\", \"body\"]");
  begin_member(w, "properties");
  member_ref(w, "name", "name", false);
  if (!w->is_10)
    member_raw(w, "doc", "{\"type\": \"string\"}");
  member_list(w, "params", "param");
  if (!is_kernel)
    member_optional(w, "returns", "scalar_type", false, false);
  member_list(w, "body", "statement");
  if (!w->is_10)
    member_ref(w, "at", "place", false);
  json_end_object(&w->json);
  member_bool(w, "additionalProperties", false);
  json_end_object(&w->json);
}

static void write_version(PageWriter *w)
{
  for (int statements = 1; statements >= 0; statements--) {
    write_any(w, statements);
    for (SchemaKind kind = 0; kind < SCHEMA_KIND_COUNT; kind++)
      if (schema_kind_info(kind).is_statement == statements && has_kind(w, kind))
        write_node(w, kind);
  }
  write_param(w);
  write_function(w, "kernel", "what every thread of a launch does", true);
  if (!w->is_10)
    write_function(w, "helper", "a function that kernels and helpers call", false);
}

static void write_files(PageWriter *w)
{
  begin_member(w, "file");
  json_member_text(&w->json, "description", STR("version 1.1: all kernels of a source"));
  member_raw(w, "type", "\"object\"");
  member_raw(w, "required", "[\"version\", \"kernels\"]");
  begin_member(w, "properties");
  member_raw(w, "version", "{\"const\": \"1.1\"}");
  member_ref(w, "source", "source", false);
  member_list(w, "functions", "helper");
  member_list(w, "kernels", "kernel");
  json_end_object(&w->json);
  member_raw(w, "anyOf",
             "[{\"properties\": {\"kernels\": {\"minItems\": 1}}}, {\"required\": [\"functions\"], \"properties\": {\"functions\": {\"minItems\": 1}}}]");
  member_bool(w, "additionalProperties", false);
  json_end_object(&w->json);
  begin_member(w, "file_10");
  json_member_text(&w->json, "description", STR("version 1.0: one kernel; several are an array of these"));
  member_raw(w, "type", "\"object\"");
  member_raw(w, "required", "[\"version\", \"kernel\"]");
  member_raw(w, "properties", "{\"version\": {\"const\": \"1.0\"}, \"kernel\": {\"$ref\": \"#/$defs/kernel_10\"}}");
  member_bool(w, "additionalProperties", false);
  json_end_object(&w->json);
}

void schema_write_json_schema(StrBuf *out)
{
  PageWriter w = {json_writer(out, 2), false};
  json_begin_object(&w.json);
  json_member_text(&w.json, "$schema", STR("https://json-schema.org/draft/2020-12/schema"));
  json_member_text(&w.json, "title", STR("Scalar kernels"));
  json_member_text(&w.json, "description",
                   STR("What `klr schema compile` writes (version 1.1) and what it reads beside that (version 1.0): docs/schema.md. A document that is "
                       "valid here has the right structure; whether its names, types and flow are right is for `klr schema check` to say."));
  member_raw(&w, "if", "{\"type\": \"array\"}");
  member_raw(&w, "then", "{\"minItems\": 1, \"items\": {\"$ref\": \"#/$defs/file_10\"}}");
  member_raw(&w, "else",
             "{\"if\": {\"properties\": {\"version\": {\"const\": \"1.0\"}}, \"required\": [\"version\"]}, \"then\": {\"$ref\": \"#/$defs/file_10\"}, "
             "\"else\": {\"$ref\": \"#/$defs/file\"}}");
  begin_member(&w, "$defs");
  write_files(&w);
  write_values(&w);
  write_version(&w);
  w.is_10 = true;
  write_version(&w);
  json_end_object(&w.json);
  json_end_object(&w.json);
  strbuf_putc(out, '\n');
}
