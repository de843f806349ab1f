// write_json.c -- checked kernels as JSON of version 1.1.

#include "schema/json.h"
#include "base/bug.h"
#include "base/json.h"

// {"kind": "scalar", "type": "f32"} and {"kind": "device_array", "element_type": {...}}, as in version 1.0.
static void write_type(JsonWriter *json, SchemaType type)
{
  json_begin_object(json);
  json_member_text(json, "kind", type.is_array ? STR("device_array") : STR("scalar"));
  if (type.is_array) {
    json_key(json, "element_type");
    write_type(json, (SchemaType){type.scalar, false});
  } else {
    json_member_text(json, "type", str_from(scalar_name(type.scalar)));
  }
  json_end_object(json);
}

static void write_place(JsonWriter *json, SchemaPlace place)
{
  StrBuf *out = json->out;
  json_key(json, "at");
  StrBuf text = strbuf_new(out->arena);
  strbuf_printf(&text, "[%u, %u, %u, %u]", place.line, place.column, place.end_line, place.end_column);
  json_raw(json, strbuf_str(&text));
}

// A float has a point or an exponent, so that it is one again when it is read; what JSON
// or its readers have no number for is text.
static void write_literal(JsonWriter *json, const SchemaLiteral *literal)
{
  StrBuf text = strbuf_new(json->out->arena);
  switch (literal->kind) {
  case LITERAL_BOOL: json_bool(json, literal->magnitude != 0); return;
  case LITERAL_INT: {
    bool is_long = literal->magnitude > INT64_MAX;
    strbuf_printf(&text, is_long ? "\"%s%llu\"" : "%s%llu", literal->is_negative && literal->magnitude ? "-" : "",
                  (unsigned long long)literal->magnitude);
    json_raw(json, strbuf_str(&text));
    return;
  }
  case LITERAL_FLOAT:
    if (literal->real != literal->real || literal->real - literal->real != 0) {
      json_text(json, literal->real != literal->real ? STR("nan") : literal->real > 0 ? STR("inf") : STR("-inf"));
      return;
    }
    json_double(json, literal->real);
    return;
  }
}

typedef struct NodeWriter {
  JsonWriter json;
  bool with_places;
} NodeWriter;

static void write_node(NodeWriter *w, const SchemaNode *node);

static void write_list(NodeWriter *w, SchemaList list)
{
  json_begin_array(&w->json);
  for (uint32_t i = 0; i < list.count; i++)
    write_node(w, list.items[i]);
  json_end_array(&w->json);
}

static void write_field(NodeWriter *w, const void *field, const SchemaFieldInfo *info)
{
  JsonWriter *json = &w->json;
  json_key(json, info->json);
  switch (info->kind) {
  case SCHEMA_FIELD_NAME: json_text(json, (*(const Name *const *)field)->str); return;
  case SCHEMA_FIELD_EXPR:
  case SCHEMA_FIELD_OPT_EXPR:
    if (*(SchemaNode *const *)field)
      write_node(w, *(SchemaNode *const *)field);
    else
      json_nothing(json);
    return;
  case SCHEMA_FIELD_OPT_STMTS:
    if (((const SchemaList *)field)->count == 0) {
      json_nothing(json);
      return;
    }
    write_list(w, *(const SchemaList *)field);
    return;
  case SCHEMA_FIELD_EXPRS:
  case SCHEMA_FIELD_STMTS: write_list(w, *(const SchemaList *)field); return;
  case SCHEMA_FIELD_TEXT: json_text(json, *(const Str *)field); return;
  case SCHEMA_FIELD_LITERAL: write_literal(json, field); return;
  case SCHEMA_FIELD_SCALAR:
  case SCHEMA_FIELD_OPT_SCALAR: json_text(json, str_from(scalar_name(*(const Scalar *)field))); return;
  case SCHEMA_FIELD_BINARY: json_text(json, str_from(schema_binary_info(*(const SchemaBinary *)field)->name)); return;
  case SCHEMA_FIELD_UNARY: json_text(json, str_from(schema_unary_info(*(const SchemaUnary *)field)->name)); return;
  }
}

static void write_node(NodeWriter *w, const SchemaNode *node)
{
  SchemaKindInfo info = schema_kind_info(node->kind);
  json_begin_object(&w->json);
  json_member_text(&w->json, "type", str_from(info.json));
  for (uint32_t i = 0; i < info.field_count; i++)
    write_field(w, schema_field(node, &info.fields[i]), &info.fields[i]);
  if (!info.is_statement && !node->type.is_array && node->type.scalar < SCALAR_COUNT)
    json_member_text(&w->json, "dtype", str_from(scalar_name(node->type.scalar)));
  if (w->with_places && node->place.line)
    write_place(&w->json, node->place);
  json_end_object(&w->json);
}

static void write_function(NodeWriter *w, const SchemaFunction *function)
{
  JsonWriter *json = &w->json;
  json_begin_object(json);
  json_member_text(json, "name", function->name->str);
  json_member_text(json, "doc", function->doc);
  json_key(json, "params");
  json_begin_array(json);
  for (size_t i = 0; i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    json_begin_object(json);
    json_member_text(json, "name", param->name->str);
    json_key(json, "type");
    write_type(json, param->type);
    if (param->type.is_array)
      json_member_text(json, "direction", str_from(schema_direction_name(param->direction)));
    json_end_object(json);
  }
  json_end_array(json);
  if (!function->is_kernel) {
    json_key(json, "returns");
    if (function->returns.scalar == SCALAR_NONE)
      json_nothing(json);
    else
      write_type(json, function->returns);
  }
  json_key(json, "body");
  write_list(w, function->body);
  if (w->with_places && function->place.line)
    write_place(json, function->place);
  json_end_object(json);
}

void schema_write_function(const SchemaFunction *function, bool with_places, StrBuf *out)
{
  NodeWriter w = {json_writer(out, 0), with_places};
  write_function(&w, function);
}

static void write_functions(NodeWriter *w, const SchemaFile *file, const char *key, bool kernels)
{
  json_key(&w->json, key);
  json_begin_array(&w->json);
  for (size_t i = 0; i < file->functions.count; i++)
    if (file->functions.items[i]->is_kernel == kernels)
      write_function(w, file->functions.items[i]);
  json_end_array(&w->json);
}

void schema_write_json(const SchemaFile *file, StrBuf *out)
{
  if (!file->is_checked)
    bug("a schema that is not checked is written");
  NodeWriter w = {json_writer(out, 2), true};
  json_begin_object(&w.json);
  json_member_text(&w.json, "version", STR("1.1"));
  json_key(&w.json, "source");
  json_begin_object(&w.json);
  json_member_text(&w.json, "path", str_from(file->path));
  json_member_text(&w.json, "hash", file->source_hash);
  json_end_object(&w.json);
  write_functions(&w, file, "functions", false);
  write_functions(&w, file, "kernels", true);
  json_end_object(&w.json);
  strbuf_putc(out, '\n');
}
