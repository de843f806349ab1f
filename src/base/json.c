#include "base/json.h"

#include "base/number_text.h"

#include <math.h>
#include <inttypes.h>

JsonWriter json_writer(StrBuf *out, int indent)
{
  return (JsonWriter){.out = out, .indent = indent};
}

static void new_line(JsonWriter *json)
{
  if (!json->indent)
    return;
  strbuf_putc(json->out, '\n');
  strbuf_repeat(json->out, ' ', (size_t)(json->indent * json->depth));
}

static void before_value(JsonWriter *json)
{
  if (json->after_key) {
    json->after_key = false;
    return;
  }
  if (json->needs_comma)
    strbuf_putc(json->out, ',');
  if (json->depth)
    new_line(json);
}

static void begin(JsonWriter *json, char bracket)
{
  before_value(json);
  strbuf_putc(json->out, bracket);
  json->depth++;
  json->needs_comma = false;
}

static void end(JsonWriter *json, char bracket)
{
  json->depth--;
  if (json->needs_comma)
    new_line(json);
  strbuf_putc(json->out, bracket);
  json->needs_comma = true;
}

void json_begin_object(JsonWriter *json)
{
  begin(json, '{');
}

void json_end_object(JsonWriter *json)
{
  end(json, '}');
}

void json_begin_array(JsonWriter *json)
{
  begin(json, '[');
}

void json_end_array(JsonWriter *json)
{
  end(json, ']');
}

static void add_quoted(StrBuf *out, Str text)
{
  strbuf_putc(out, '"');
  for (size_t at = 0; at < text.len;) {
    uint32_t c;
    size_t len = utf8_decode(text.data + at, text.data + text.len, &c);
    if (len == 0) {
      strbuf_puts(out, "\\ufffd");
      at++;
      continue;
    }
    if (c == '"' || c == '\\')
      strbuf_printf(out, "\\%c", (char)c);
    else if (c == '\n')
      strbuf_puts(out, "\\n");
    else if (c == '\t')
      strbuf_puts(out, "\\t");
    else if (c < 0x20 || c == 0x7F)
      strbuf_printf(out, "\\u%04x", c);
    else
      strbuf_add(out, text.data + at, len);
    at += len;
  }
  strbuf_putc(out, '"');
}

void json_key(JsonWriter *json, const char *key)
{
  before_value(json);
  add_quoted(json->out, str_from(key));
  strbuf_puts(json->out, json->indent ? ": " : ":");
  json->after_key = true;
  json->needs_comma = true;
}

void json_text(JsonWriter *json, Str text)
{
  before_value(json);
  add_quoted(json->out, text);
  json->needs_comma = true;
}

void json_int(JsonWriter *json, int64_t value)
{
  before_value(json);
  strbuf_printf(json->out, "%" PRId64, value);
  json->needs_comma = true;
}

void json_uint(JsonWriter *json, uint64_t value)
{
  before_value(json);
  strbuf_printf(json->out, "%" PRIu64, value);
  json->needs_comma = true;
}

void json_double(JsonWriter *json, double value)
{
  before_value(json);
  if (value != value)
    strbuf_puts(json->out, "NaN");
  else if (value - value != 0)
    strbuf_puts(json->out, value > 0 ? "Infinity" : "-Infinity");
  else
    number_add_repr(json->out, value);
  json->needs_comma = true;
}

void json_bool(JsonWriter *json, bool value)
{
  before_value(json);
  strbuf_puts(json->out, value ? "true" : "false");
  json->needs_comma = true;
}

void json_nothing(JsonWriter *json)
{
  before_value(json);
  strbuf_puts(json->out, "null");
  json->needs_comma = true;
}

void json_raw(JsonWriter *json, Str document)
{
  before_value(json);
  strbuf_add(json->out, document.data, document.len);
  json->needs_comma = true;
}

void json_member_text(JsonWriter *json, const char *key, Str text)
{
  json_key(json, key);
  json_text(json, text);
}

void json_member_uint(JsonWriter *json, const char *key, uint64_t value)
{
  json_key(json, key);
  json_uint(json, value);
}

void json_member_finite(JsonWriter *json, const char *key, double value)
{
  json_key(json, key);
  if (isfinite(value))
    json_double(json, value);
  else
    json_nothing(json);
}
