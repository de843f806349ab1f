// json.h -- writing JSON. Reading is done with jansson (see src/serde/).

#pragma once
#include "base/str.h"

// Writes one document into `out`. `indent` 0: one line; else that many spaces a level.
typedef struct JsonWriter {
  StrBuf *out;
  int indent, depth;
  bool needs_comma, after_key;
} JsonWriter;

JsonWriter json_writer(StrBuf *out, int indent);
void json_begin_object(JsonWriter *json);
void json_end_object(JsonWriter *json);
void json_begin_array(JsonWriter *json);
void json_end_array(JsonWriter *json);
void json_key(JsonWriter *json, const char *key);
void json_text(JsonWriter *json, Str text);  // bytes that are not UTF-8 become U+FFFD
void json_int(JsonWriter *json, int64_t value);
void json_uint(JsonWriter *json, uint64_t value);
void json_double(JsonWriter *json, double value);  // shortest text that reads back; NaN, Infinity, -Infinity as Python's json writes them
void json_bool(JsonWriter *json, bool value);
void json_nothing(JsonWriter *json);  // null; not named so because jansson has that symbol
void json_raw(JsonWriter *json, Str document);  // an already written value

// A key with its value.
void json_member_text(JsonWriter *json, const char *key, Str text);
void json_member_uint(JsonWriter *json, const char *key, uint64_t value);
void json_member_finite(JsonWriter *json, const char *key, double value);  // null when it is not finite
