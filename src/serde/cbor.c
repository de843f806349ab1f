#include "serde/cbor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAJOR_NATURAL, MAJOR_NEGATIVE, MAJOR_BYTES, MAJOR_TEXT, MAJOR_LIST, MAJOR_MAP, MAJOR_TAG, MAJOR_SIMPLE };
enum { FALSE_BYTE = 0xF4, TRUE_BYTE = 0xF5, REAL32_BYTE = 0xFA, REAL64_BYTE = 0xFB, TAG_BYTE = 0xD9, OPTION_TAG = 255 };

// ---- writing
static void add_big_endian(StrBuf *out, uint64_t value, int bytes)
{
  char text[8];
  for (int i = 0; i < bytes; i++)
    text[i] = (char)(value >> 8 * (bytes - 1 - i));
  strbuf_add(out, text, (size_t)bytes);
}

// The shortest head of `major` with this argument.
static void add_head(StrBuf *out, unsigned major, uint64_t argument)
{
  int log_bytes = argument <= UINT8_MAX ? 0 : argument <= UINT16_MAX ? 1 : argument <= UINT32_MAX ? 2 : 3;
  if (argument < 24) {
    strbuf_putc(out, (char)(major << 5 | argument));
    return;
  }
  strbuf_putc(out, (char)(major << 5 | (24u + (unsigned)log_bytes)));
  add_big_endian(out, argument, 1 << log_bytes);
}

// Tag 256 * tag + number on a list of `count`.
static void add_constructor(StrBuf *out, unsigned tag, unsigned number, uint32_t count)
{
  const char head[] = {(char)TAG_BYTE, (char)tag, (char)number, (char)(MAJOR_LIST << 5 | count)};
  strbuf_add(out, head, sizeof head);
}

static void write_bool(CoreWriter *writer, bool value)
{
  strbuf_putc(writer->out, (char)(value ? TRUE_BYTE : FALSE_BYTE));
}

static void write_natural(CoreWriter *writer, uint64_t value)
{
  add_head(writer->out, MAJOR_NATURAL, value);
}

static void write_integer(CoreWriter *writer, int64_t value)
{
  add_head(writer->out, value < 0 ? MAJOR_NEGATIVE : MAJOR_NATURAL, value < 0 ? ~(uint64_t)value : (uint64_t)value);
}

static void write_real32(CoreWriter *writer, float value)
{
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  strbuf_putc(writer->out, (char)REAL32_BYTE);
  add_big_endian(writer->out, bits, 4);
}

static void write_real64(CoreWriter *writer, double value)
{
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  strbuf_putc(writer->out, (char)REAL64_BYTE);
  add_big_endian(writer->out, bits, 8);
}

static void write_text(CoreWriter *writer, Str value)
{
  add_head(writer->out, MAJOR_TEXT, value.len);
  strbuf_add(writer->out, value.data, value.len);
}

static void write_none(CoreWriter *writer)
{
  add_constructor(writer->out, OPTION_TAG, 0, 0);
}

static void write_some(CoreWriter *writer)
{
  add_constructor(writer->out, OPTION_TAG, 1, 1);
}

static void write_list(CoreWriter *writer, uint32_t count)
{
  add_head(writer->out, MAJOR_LIST, count);
}

static void write_begin(CoreWriter *writer, const Head *head)
{
  add_constructor(writer->out, head->tag, head->number, head->count);
}

static void write_field(CoreWriter *writer, const char *name)
{
  (void)writer, (void)name;
}

static void write_end(CoreWriter *writer, const Head *head)
{
  (void)writer, (void)head;
}

static void write_nothing(CoreWriter *writer)
{
  (void)writer;
}

const WriterForm cbor_writer_form = {
    .is_narrow = true,
    .boolean = write_bool,
    .natural = write_natural,
    .integer = write_integer,
    .real32 = write_real32,
    .real64 = write_real64,
    .text = write_text,
    .none = write_none,
    .begin_some = write_some,
    .end_some = write_nothing,
    .begin_list = write_list,
    .end_list = write_nothing,
    .begin = write_begin,
    .field = write_field,
    .end_field = write_nothing,
    .end = write_end,
};

// ---- reading
void cbor_set_bytes(CoreReader *reader, Str bytes, const CborObserver *observer)
{
  reader->start = reader->next = bytes.data;
  reader->end = bytes.data + bytes.len;
  reader->state = (void *)observer;
}

static void place(CoreReader *reader, StrBuf *text, uint32_t *line, uint32_t *column)
{
  (void)line, (void)column;
  strbuf_printf(text, "byte %zu: ", (size_t)(reader->next - reader->start));
}

// An error about the item that starts at `item`.
static bool wrong(CoreReader *reader, const char *item, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool wrong(CoreReader *reader, const char *item, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(&reader->session->arena, format, args);
  va_end(args);
  reader->next = item;
  return read_error(reader, "%s", message);
}

// Tells the observer about the item from `item` to the cursor.
static void note(CoreReader *reader, const char *item, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void note(CoreReader *reader, const char *item, const char *format, ...)
{
  const CborObserver *observer = reader->state;
  if (!observer)
    return;
  char meaning[256];
  va_list args;
  va_start(args, format);
  vsnprintf(meaning, sizeof meaning, format, args);
  va_end(args);
  observer->note(observer->context, reader, (size_t)(item - reader->start), (size_t)(reader->next - reader->start),
                 meaning);
}

// `count` bytes more, or an error that names what they are part of.
static bool take(CoreReader *reader, size_t count, const char **out, const char *what)
{
  if ((size_t)(reader->end - reader->next) < count)
    return wrong(reader, reader->end, "the bytes end inside %s", what);
  *out = reader->next;
  reader->next += count;
  return true;
}

static uint64_t big_endian(const char *at, size_t bytes)
{
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++)
    value = value << 8 | (unsigned char)at[i];
  return value;
}

// What the byte at the cursor begins, for messages.
static const char *found_here(const CoreReader *reader)
{
  static const char *const names[] = {
      "a natural number", "a negative number", "a byte string", "a text", "a list", "a map", "a tag", "a simple value"};
  if (reader->next == reader->end)
    return "the end";
  unsigned char byte = (unsigned char)*reader->next;
  if (byte == TRUE_BYTE || byte == FALSE_BYTE)
    return "a boolean";
  if (byte == REAL32_BYTE)
    return "a float32";
  if (byte == REAL64_BYTE)
    return "a float64";
  return names[byte >> 5];
}

static bool expected(CoreReader *reader, const char *what)
{
  if (reader->next == reader->end)
    return wrong(reader, reader->next, "expected %s, found the end", what);
  return wrong(reader, reader->next, "expected %s, found %s (0x%02x)", what, found_here(reader),
               (unsigned char)*reader->next);
}

// The argument of a head whose first byte is known to have the right major type.
static bool take_argument(CoreReader *reader, uint64_t *argument, const char *what)
{
  const char *item = reader->next, *rest = NULL;
  unsigned small = (unsigned char)*reader->next++ & 31u;
  *argument = small;
  if (small < 24)
    return true;
  if (small > 27)
    return wrong(reader, item, small == 31 ? "%s has no definite length" : "%s has a reserved length", what);
  size_t bytes = (size_t)1 << (small - 24);
  if (!take(reader, bytes, &rest, what))
    return false;
  *argument = big_endian(rest, bytes);
  bool shortest = bytes == 1 ? *argument >= 24 : *argument >> (bytes * 4) != 0;
  return shortest || wrong(reader, item, "%s %" PRIu64 " is not in its shortest encoding", what, *argument);
}

static bool starts(const CoreReader *reader, unsigned major)
{
  return reader->next < reader->end && (unsigned char)*reader->next >> 5 == major;
}

static bool read_bool(CoreReader *reader, bool *out)
{
  const char *item = reader->next;
  if (item == reader->end || ((unsigned char)*item != TRUE_BYTE && (unsigned char)*item != FALSE_BYTE))
    return expected(reader, "a boolean");
  *out = (unsigned char)*reader->next++ == TRUE_BYTE;
  note(reader, item, "%s", *out ? "true" : "false");
  return true;
}

static bool read_natural(CoreReader *reader, uint64_t most, uint64_t *out)
{
  const char *item = reader->next;
  if (!starts(reader, MAJOR_NATURAL))
    return expected(reader, "a natural number");
  if (!take_argument(reader, out, "the number"))
    return false;
  if (*out > most)
    return wrong(reader, item, "the number %" PRIu64 " is above %" PRIu64, *out, most);
  note(reader, item, "%" PRIu64, *out);
  return true;
}

static bool read_integer(CoreReader *reader, int64_t least, int64_t most, int64_t *out)
{
  const char *item = reader->next;
  bool negative = starts(reader, MAJOR_NEGATIVE);
  if (!negative && !starts(reader, MAJOR_NATURAL))
    return expected(reader, "an integer");
  uint64_t argument = 0;
  if (!take_argument(reader, &argument, "the integer"))
    return false;
  if (argument > (uint64_t)most || (negative && ~(int64_t)argument < least))
    return wrong(reader, item, "the integer is outside %" PRId64 " to %" PRId64, least, most);
  *out = negative ? ~(int64_t)argument : (int64_t)argument;
  note(reader, item, "%" PRId64, *out);
  return true;
}

static bool read_real32(CoreReader *reader, float *out)
{
  const char *item = reader->next, *bytes = NULL;
  if (item == reader->end || (unsigned char)*item != REAL32_BYTE)
    return expected(reader, "a float32");
  if (!take(reader, 5, &bytes, "a float32"))
    return false;
  uint32_t bits = (uint32_t)big_endian(bytes + 1, 4);
  memcpy(out, &bits, sizeof bits);
  note(reader, item, "float32 %.9g", (double)*out);
  return true;
}

// Offset of the first byte that is NUL or not UTF-8; the length when there is none.
static size_t first_bad_byte(Str text)
{
  const char *end = text.data + text.len;
  uint32_t code_point;
  for (const char *at = text.data; at < end;) {
    size_t len = utf8_decode(at, end, &code_point);
    if (len == 0 || code_point == 0)
      return (size_t)(at - text.data);
    at += len;
  }
  return text.len;
}

static bool read_text(CoreReader *reader, Str *out)
{
  const char *item = reader->next;
  if (!starts(reader, MAJOR_TEXT))
    return expected(reader, "a text");
  uint64_t len = 0;
  if (!take_argument(reader, &len, "the text's length"))
    return false;
  size_t left = (size_t)(reader->end - reader->next);
  if (len > left)
    return wrong(reader, item, "a text of %" PRIu64 " bytes does not fit in the %zu bytes left", len, left);
  if (reader->text_limit && len > reader->text_limit)
    return wrong(reader, item, "a text of %" PRIu64 " bytes, where at most %u are allowed", len, reader->text_limit);
  *out = (Str){reader->next, (size_t)len};
  size_t bad = first_bad_byte(*out);
  if (bad < out->len)
    return wrong(reader, reader->next + bad,
                 out->data[bad] ? "the text is not valid UTF-8" : "the text holds a NUL byte");
  reader->next += len;
  note(reader, item, "text \"%.*s\"%s", (int)(len < 40 ? len : 40), out->data, len > 40 ? " ..." : "");
  return true;
}

// A tag and a list head: d9 TAG NUMBER 80+COUNT.
static bool take_constructor(CoreReader *reader, const char *what, unsigned *tag, unsigned *number, uint32_t *count)
{
  const char *item = reader->next, *bytes = NULL;
  if (item == reader->end || (unsigned char)*item != TAG_BYTE)
    return expected(reader, what);
  if (!take(reader, 4, &bytes, what))
    return false;
  *tag = (unsigned char)bytes[1];
  *number = (unsigned char)bytes[2];
  unsigned list = (unsigned char)bytes[3];
  if (list >> 5 != MAJOR_LIST || (list & 31) > FIELD_LIMIT)
    return wrong(reader, item + 3, "expected the number of fields of %s (0x80 to 0x97), found 0x%02x", what, list);
  *count = list & 31;
  return true;
}

static bool begin_option(CoreReader *reader, bool *some)
{
  const char *item = reader->next;
  unsigned tag = 0, number = 0;
  uint32_t count = 0;
  if (!take_constructor(reader, "an option", &tag, &number, &count))
    return false;
  if (tag != OPTION_TAG || number > 1 || count != number)
    return wrong(reader, item, "expected an option (tag 255, 0 or 1), found tag %u, constructor %u with %u fields", tag,
                 number, count);
  *some = number;
  note(reader, item, number ? "some" : "none");
  return true;
}

static bool begin_list(CoreReader *reader, uint32_t item_least_bytes, uint32_t *count)
{
  const char *item = reader->next;
  if (!starts(reader, MAJOR_LIST))
    return expected(reader, "a list");
  uint64_t found = 0;
  if (!take_argument(reader, &found, "the list's length"))
    return false;
  size_t left = (size_t)(reader->end - reader->next);
  if (found > left / item_least_bytes || found > UINT32_MAX)
    return wrong(reader, item, "a list of %" PRIu64 " items does not fit in the %zu bytes left", found, left);
  *count = (uint32_t)found;
  note(reader, item, "list of %u", *count);
  return true;
}

static bool next_item(CoreReader *reader, const void *list, uint32_t index)
{
  (void)reader, (void)list, (void)index;
  return true;
}

static bool begin_struct(CoreReader *reader, const Head *head, uint32_t most, uint32_t *count)
{
  const char *item = reader->next;
  unsigned tag = 0, number = 0;
  if (!take_constructor(reader, head->type, &tag, &number, count))
    return false;
  if (tag != head->tag || number != head->number)
    return wrong(reader, item, "expected `%s` (tag %u, constructor %u), found tag %u, constructor %u", head->type,
                 head->tag, head->number, tag, number);
  if (*count < head->count || *count > most)
    return wrong(reader, item, "`%s` has %u fields, found %u", head->type, head->count, *count);
  const char *fields = *count == 1 ? "field" : "fields";
  if (head->proofs)
    note(reader, item, "%s, %u %s, %u of them without bytes", head->type, *count, fields, head->proofs);
  else
    note(reader, item, "%s%s%s, %u %s", head->type, head->ctor ? "." : "", head->ctor ? head->ctor : "", *count,
         fields);
  return true;
}

static bool begin_sum(CoreReader *reader, const TypeInfo *sum, uint32_t *choice)
{
  const char *item = reader->next;
  unsigned tag = 0, number = 0;
  uint32_t count = 0;
  if (!take_constructor(reader, sum->wire, &tag, &number, &count))
    return false;
  if (tag != sum->tag)
    return wrong(reader, item, "expected `%s` (tag %u), found tag %u, constructor %u", sum->wire, sum->tag, tag,
                 number);
  if (!choice_of_number(sum, number, choice))
    return wrong(reader, item, "`%s` has no constructor %u", sum->wire, number);
  const char *name = choice_name(sum, *choice);
  if (count != choice_fields(sum, *choice))
    return wrong(reader, item, "`%s.%s` has %u fields, found %u", sum->wire, name, choice_fields(sum, *choice), count);
  note(reader, item, "%s.%s%s", sum->wire, name, count ? ", 1 field" : "");
  return true;
}

static bool next_field(CoreReader *reader, const char *name, uint32_t index, bool *absent)
{
  (void)reader, (void)name, (void)index, (void)absent;
  return true;
}

static bool end_struct(CoreReader *reader, const FieldInfo *fields, uint32_t count)
{
  (void)reader, (void)fields, (void)count;
  return true;
}

const ReaderForm cbor_reader_form = {
    .code = E_KLR_FORMAT,
    .is_narrow = true,
    .is_canonical = true,
    .boolean = read_bool,
    .natural = read_natural,
    .integer = read_integer,
    .real32 = read_real32,
    .text = read_text,
    .begin_option = begin_option,
    .begin_list = begin_list,
    .item = next_item,
    .begin_struct = begin_struct,
    .begin_sum = begin_sum,
    .field = next_field,
    .end = end_struct,
    .place = place,
};

// ---- values without a description
static bool skip_items(CoreReader *reader, uint64_t count)
{
  Step step = {reader->step, NULL, 0};
  reader->step = &step;
  while (step.index < count && cbor_skip_value(reader))
    step.index++;
  reader->step = step.up;
  return step.index == count;
}

static bool skip_constructor(CoreReader *reader)
{
  const char *item = reader->next;
  unsigned tag = 0, number = 0;
  uint32_t count = 0;
  if (!take_constructor(reader, "a constructor", &tag, &number, &count))
    return false;
  if (tag == OPTION_TAG && number <= 1)
    note(reader, item, number ? "some" : "none");
  else
    note(reader, item, "tag %u, constructor %u, %u field%s", tag, number, count, count == 1 ? "" : "s");
  return skip_items(reader, count);
}

static bool skip_real64(CoreReader *reader)
{
  const char *item = reader->next, *bytes = NULL;
  if (!take(reader, 9, &bytes, "a float64"))
    return false;
  uint64_t bits = big_endian(bytes + 1, 8);
  double value;
  memcpy(&value, &bits, sizeof value);
  note(reader, item, "float64 %.17g", value);
  return true;
}

static bool skip_one(CoreReader *reader)
{
  uint64_t natural;
  int64_t integer;
  uint32_t count = 0;
  float real;
  Str text;
  bool flag;
  if (reader->next == reader->end)
    return expected(reader, "a value");
  unsigned char byte = (unsigned char)*reader->next;
  switch (byte >> 5) {
  case MAJOR_NATURAL: return read_natural(reader, UINT64_MAX, &natural);
  case MAJOR_NEGATIVE: return read_integer(reader, INT64_MIN, INT64_MAX, &integer);
  case MAJOR_TEXT: return read_text(reader, &text);
  case MAJOR_LIST: return begin_list(reader, 1, &count) && skip_items(reader, count);
  case MAJOR_TAG: return skip_constructor(reader);
  case MAJOR_SIMPLE:
    return byte == REAL64_BYTE   ? skip_real64(reader)
           : byte == REAL32_BYTE ? read_real32(reader, &real)
                                 : read_bool(reader, &flag);
  default: return expected(reader, "a value");
  }
}

bool cbor_skip_value(CoreReader *reader)
{
  if (reader->depth == 10 * DEPTH_LIMIT)
    return wrong(reader, reader->next, "nested deeper than %d levels", 10 * DEPTH_LIMIT);
  reader->depth++;
  bool ok = skip_one(reader);
  reader->depth--;
  return ok;
}

bool cbor_expect_end(CoreReader *reader)
{
  size_t left = (size_t)(reader->end - reader->next);
  return left == 0 || wrong(reader, reader->next, "%zu bytes follow the contents", left);
}
