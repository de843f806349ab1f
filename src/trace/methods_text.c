// methods_text.c -- the methods of str (and the few of bytes).

#include "trace/eval_internal.h"
#include "trace/methods.h"
#include "trace/number.h"

#include <string.h>


#define TEXT(call) ((call)->self.string->text)

static bool text_arg(Tracer *t, const Call *call, uint32_t i, Str *out)
{
  Value v = value_unwrap(call->args[i]);
  if (v.tag != call->self.tag)
    return RAISE(t, E_TYPE, call->span, "expected str, not %s", value_type_name(t, call->args[i]));
  *out = v.string->text;
  return true;
}

static bool is_space_byte(unsigned char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

// Length of the white space at `at`, 0 when there is none.
static size_t space_at(const char *at, const char *end)
{
  if (at >= end)
    return 0;
  if (is_space_byte((unsigned char)*at))
    return 1;
  uint32_t c;
  size_t len = utf8_decode(at, end, &c);
  bool space = len > 1 && (c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
                           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000);
  return space ? len : 0;
}

// ---- case. Beyond ASCII: Latin-1, Greek and Cyrillic.

static uint32_t lower(uint32_t c)
{
  if (c < 0x80)
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) || (c >= 0x410 && c <= 0x42F))
    return c + 32;
  if (c >= 0x400 && c <= 0x40F)
    return c + 80;
  if (c >= 0x100 && c <= 0x137 && c != 0x130)
    return c | 1;
  return c;
}

static uint32_t upper(uint32_t c)
{
  if (c < 0x80)
    return c >= 'a' && c <= 'z' ? c - 32 : c;
  if (c == 0xB5)
    return 0x39C;
  if (c == 0xFF)
    return 0x178;
  if (c == 0x3C2)
    return 0x3A3;
  if ((c >= 0xE0 && c <= 0xFE && c != 0xF7) || (c >= 0x3B1 && c <= 0x3C9) || (c >= 0x430 && c <= 0x44F))
    return c - 32;
  if (c >= 0x450 && c <= 0x45F)
    return c - 80;
  if (c >= 0x100 && c <= 0x137 && c != 0x131)
    return c & ~1u;
  return c;
}

static bool is_upper(uint32_t c)
{
  return lower(c) != c;
}

static bool is_lower(uint32_t c)
{
  return upper(c) != c || c == 0xDF || c == 0xAA || c == 0xBA;
}

static bool is_digit(uint32_t c)
{
  return c >= '0' && c <= '9';
}

static bool is_alpha(uint32_t c)
{
  return is_upper(c) || is_lower(c) || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0x3040 && c <= 0x30FF) ||
         (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x5D0 && c <= 0x5EA) || (c >= 0x620 && c <= 0x64A);
}

typedef enum CaseMode { CASE_LOWER, CASE_UPPER, CASE_TITLE, CASE_CAPITAL, CASE_SWAP } CaseMode;

static size_t decode(const char *at, const char *end, uint32_t *c)
{
  size_t len = utf8_decode(at, end, c);
  if (len)
    return len;
  *c = 0xFFFD;
  return end - at < 3 ? (size_t)(end - at) : 3;
}

static bool change_case(Tracer *t, const Call *call, CaseMode mode, Value *out)
{
  Str text = TEXT(call);
  StrBuf buf = strbuf_new(&t->arena);
  bool inside = false;
  for (const char *at = text.data, *end = at + text.len; at < end;) {
    uint32_t c, to;
    size_t len = decode(at, end, &c);
    switch (mode) {
    case CASE_LOWER: to = lower(c); break;
    case CASE_UPPER: to = upper(c); break;
    case CASE_SWAP: to = is_upper(c) ? lower(c) : upper(c); break;
    default: to = inside ? lower(c) : upper(c); break;
    }
    char encoded[4];
    if (c == 0xDF && to == c && (mode == CASE_UPPER || mode == CASE_SWAP))
      strbuf_puts(&buf, "SS");
    else if (to == c)
      strbuf_add(&buf, at, len);
    else
      strbuf_add(&buf, encoded, utf8_put(to, encoded));
    inside = mode == CASE_CAPITAL ? true : is_alpha(c);
    at += len;
  }
  *out = value_str(t, buf.data ? strbuf_str(&buf) : STR(""));
  return true;
}

static bool m_lower(Tracer *t, const Call *call, Value *out) { return change_case(t, call, CASE_LOWER, out); }
static bool m_upper(Tracer *t, const Call *call, Value *out) { return change_case(t, call, CASE_UPPER, out); }
static bool m_title(Tracer *t, const Call *call, Value *out) { return change_case(t, call, CASE_TITLE, out); }
static bool m_capitalize(Tracer *t, const Call *call, Value *out) { return change_case(t, call, CASE_CAPITAL, out); }
static bool m_swapcase(Tracer *t, const Call *call, Value *out) { return change_case(t, call, CASE_SWAP, out); }

// ---- searching

// Byte offset of a code point number, clamped as slices clamp.
static size_t offset_of(Str text, int64_t at, int64_t length)
{
  if (at < 0)
    at = at + length < 0 ? 0 : at + length;
  size_t i = 0;
  for (int64_t count = 0; i < text.len; i++)
    if (((unsigned char)text.data[i] & 0xC0) != 0x80 && count++ == at)
      break;
  return i;
}

// The part of the text between the optional arguments `first` and `first + 1`; false after raising. `*from`: bytes
// before it. *beyond: start lies behind the end of the text.
static bool window(Tracer *t, const Call *call, uint32_t first, Str *out, size_t *from, bool *beyond)
{
  Str text = TEXT(call);
  int64_t length = (int64_t)call->self.string->code_points, start = 0, stop = length;
  *beyond = false;
  for (uint32_t k = 0; k < 2; k++) {
    Value v = call->args[first + k];
    if (!value_is_set(v) || v.tag == VALUE_NONE)
      continue;
    if (!op_index(t, v, call->span, k ? &stop : &start))
      return false;
  }
  *beyond = start > length;
  size_t low = offset_of(text, start, length), high = offset_of(text, stop, length);
  *from = low;
  *out = (Str){text.data + low, high > low ? high - low : 0};
  if (high < low)
    *beyond = true;
  return true;
}

static int64_t find_forward(Str text, Str part)
{
  if (part.len > text.len)
    return -1;
  for (size_t i = 0; i + part.len <= text.len; i++)
    if (memcmp(text.data + i, part.data, part.len) == 0)
      return (int64_t)i;
  return -1;
}

static int64_t find_backward(Str text, Str part)
{
  for (size_t i = text.len + 1; i-- > 0;)
    if (i + part.len <= text.len && memcmp(text.data + i, part.data, part.len) == 0)
      return (int64_t)i;
  return -1;
}

static bool find(Tracer *t, const Call *call, bool backward, bool raises, Value *out)
{
  Str part, text;
  size_t from;
  bool beyond;
  if (!text_arg(t, call, 0, &part) || !window(t, call, 1, &text, &from, &beyond))
    return false;
  int64_t at = beyond ? -1 : backward ? find_backward(text, part) : find_forward(text, part);
  if (at < 0 && raises)
    return RAISE(t, E_VALUE, call->span, "substring not found");
  *out = value_int(at < 0 ? -1 : (int64_t)utf8_count((Str){TEXT(call).data, from + (size_t)at}));
  return true;
}

static bool m_find(Tracer *t, const Call *call, Value *out) { return find(t, call, false, false, out); }
static bool m_rfind(Tracer *t, const Call *call, Value *out) { return find(t, call, true, false, out); }
static bool m_index(Tracer *t, const Call *call, Value *out) { return find(t, call, false, true, out); }
static bool m_rindex(Tracer *t, const Call *call, Value *out) { return find(t, call, true, true, out); }

static bool m_count(Tracer *t, const Call *call, Value *out)
{
  Str part, text;
  size_t from;
  bool beyond;
  if (!text_arg(t, call, 0, &part) || !window(t, call, 1, &text, &from, &beyond))
    return false;
  int64_t count = 0;
  if (part.len == 0) {
    *out = value_int(beyond ? 0 : (int64_t)utf8_count(text) + 1);
    return true;
  }
  for (size_t i = 0; i + part.len <= text.len;) {
    bool same = memcmp(text.data + i, part.data, part.len) == 0;
    count += same;
    i += same ? part.len : 1;
  }
  *out = value_int(count);
  return true;
}

static bool has_affix(Tracer *t, const Call *call, bool at_end, Value *out)
{
  Str text;
  size_t from;
  bool beyond, found = false;
  if (!window(t, call, 1, &text, &from, &beyond))
    return false;
  Value affix = value_unwrap(call->args[0]);
  const Value *items = &affix;
  size_t count = 1;
  if (affix.tag == VALUE_TUPLE)
    value_sequence(affix, &items, &count);
  for (size_t i = 0; i < count; i++) {
    Value v = value_unwrap(items[i]);
    if (v.tag != VALUE_STR)
      return RAISE(t, E_TYPE, call->span, "%s first arg must be str or a tuple of str, not %s",
                   at_end ? "endswith" : "startswith", value_type_name(t, items[i]));
    Str s = v.string->text;
    found |= !beyond && s.len <= text.len &&
             memcmp(at_end ? text.data + text.len - s.len : text.data, s.data, s.len) == 0;
  }
  *out = value_bool(found);
  return true;
}

static bool m_startswith(Tracer *t, const Call *call, Value *out) { return has_affix(t, call, false, out); }
static bool m_endswith(Tracer *t, const Call *call, Value *out) { return has_affix(t, call, true, out); }

static bool m_removeprefix(Tracer *t, const Call *call, Value *out)
{
  Str part, text = TEXT(call);
  if (!text_arg(t, call, 0, &part))
    return false;
  if (part.len <= text.len && memcmp(text.data, part.data, part.len) == 0)
    text.data += part.len, text.len -= part.len;
  *out = value_str(t, text);
  return true;
}

static bool m_removesuffix(Tracer *t, const Call *call, Value *out)
{
  Str part, text = TEXT(call);
  if (!text_arg(t, call, 0, &part))
    return false;
  if (part.len && part.len <= text.len && memcmp(text.data + text.len - part.len, part.data, part.len) == 0)
    text.len -= part.len;
  *out = value_str(t, text);
  return true;
}

// ---- cutting and joining

static bool in_set(Str set, const char *at, size_t len)
{
  for (size_t i = 0; i + len <= set.len; i++)
    if (memcmp(set.data + i, at, len) == 0)
      return true;
  return false;
}

static bool strip(Tracer *t, const Call *call, bool left, bool right, Value *out)
{
  Str text = TEXT(call), set = {NULL, 0};
  bool by_space = !value_is_set(call->args[0]) || call->args[0].tag == VALUE_NONE;
  if (!by_space && !text_arg(t, call, 0, &set))
    return false;
  while (left && text.len) {
    uint32_t c;
    size_t len = by_space ? space_at(text.data, text.data + text.len) : decode(text.data, text.data + text.len, &c);
    if (!len || (!by_space && !in_set(set, text.data, len)))
      break;
    text.data += len, text.len -= len;
  }
  while (right && text.len) {
    size_t start = text.len - 1;
    while (start > 0 && ((unsigned char)text.data[start] & 0xC0) == 0x80)
      start--;
    size_t len = text.len - start;
    if (by_space ? !space_at(text.data + start, text.data + text.len) : !in_set(set, text.data + start, len))
      break;
    text.len = start;
  }
  *out = value_str(t, text);
  return true;
}

static bool m_strip(Tracer *t, const Call *call, Value *out) { return strip(t, call, true, true, out); }
static bool m_lstrip(Tracer *t, const Call *call, Value *out) { return strip(t, call, true, false, out); }
static bool m_rstrip(Tracer *t, const Call *call, Value *out) { return strip(t, call, false, true, out); }

static bool split_limit(Tracer *t, const Call *call, uint32_t i, int64_t *out)
{
  *out = -1;
  return !value_is_set(call->args[i]) || op_index(t, call->args[i], call->span, out);
}

static void split_spaces(Tracer *t, Str text, int64_t limit, List *list)
{
  const char *at = text.data, *end = at + text.len;
  for (;;) {
    for (size_t len; (len = space_at(at, end)) > 0;)
      at += len;
    if (at == end)
      return;
    if (limit-- == 0) {
      while (end > at && is_space_byte((unsigned char)end[-1]))
        end--;
      list_push(t, list, value_str(t, (Str){at, (size_t)(end - at)}));
      return;
    }
    const char *start = at;
    while (at < end && !space_at(at, end))
      at++;
    list_push(t, list, value_str(t, (Str){start, (size_t)(at - start)}));
  }
}

static bool m_split(Tracer *t, const Call *call, Value *out)
{
  int64_t limit;
  Value list = value_list(t, NULL, 0);
  if (!split_limit(t, call, 1, &limit))
    return false;
  *out = list;
  if (!value_is_set(call->args[0]) || call->args[0].tag == VALUE_NONE) {
    split_spaces(t, TEXT(call), limit, list.list);
    return true;
  }
  Str separator, text = TEXT(call);
  if (!text_arg(t, call, 0, &separator))
    return false;
  if (separator.len == 0)
    return RAISE(t, E_VALUE, call->span, "empty separator");
  for (;;) {
    int64_t at = limit-- == 0 ? -1 : find_forward(text, separator);
    if (at < 0)
      break;
    list_push(t, list.list, value_str(t, (Str){text.data, (size_t)at}));
    text.data += (size_t)at + separator.len;
    text.len -= (size_t)at + separator.len;
  }
  list_push(t, list.list, value_str(t, text));
  return true;
}

static void reverse(List *list)
{
  for (size_t i = 0; i < list->count / 2; i++) {
    Value swap = list->items[i];
    list->items[i] = list->items[list->count - 1 - i];
    list->items[list->count - 1 - i] = swap;
  }
}

static bool m_rsplit(Tracer *t, const Call *call, Value *out)
{
  int64_t limit;
  Value list = value_list(t, NULL, 0);
  Str text = TEXT(call), separator = {NULL, 0};
  if (!split_limit(t, call, 1, &limit))
    return false;
  *out = list;
  bool spaces = !value_is_set(call->args[0]) || call->args[0].tag == VALUE_NONE;
  if (!spaces) {
    if (!text_arg(t, call, 0, &separator))
      return false;
    if (separator.len == 0)
      return RAISE(t, E_VALUE, call->span, "empty separator");
  }
  while (spaces) {
    while (text.len && is_space_byte((unsigned char)text.data[text.len - 1]))
      text.len--;
    if (!text.len)
      break;
    if (limit-- == 0) {
      while (text.len && is_space_byte((unsigned char)text.data[0]))
        text.data++, text.len--;
      list_push(t, list.list, value_str(t, text));
      break;
    }
    size_t start = text.len;
    while (start && !is_space_byte((unsigned char)text.data[start - 1]))
      start--;
    list_push(t, list.list, value_str(t, (Str){text.data + start, text.len - start}));
    text.len = start;
  }
  while (!spaces) {
    int64_t at = limit-- == 0 ? -1 : find_backward(text, separator);
    if (at < 0) {
      list_push(t, list.list, value_str(t, text));
      break;
    }
    size_t after = (size_t)at + separator.len;
    list_push(t, list.list, value_str(t, (Str){text.data + after, text.len - after}));
    text.len = (size_t)at;
  }
  reverse(list.list);
  return true;
}

static bool m_splitlines(Tracer *t, const Call *call, Value *out)
{
  bool keep = false;
  Str text = TEXT(call);
  Value list = value_list(t, NULL, 0);
  if (value_is_set(call->args[0]) && !op_truth(t, call->args[0], call->span, &keep))
    return false;
  for (size_t start = 0; start < text.len;) {
    size_t end = start;
    while (end < text.len && !strchr("\n\r\v\f\x1c\x1d\x1e", text.data[end]))
      end++;
    size_t next = end < text.len ? end + 1 + (text.data[end] == '\r' && end + 1 < text.len && text.data[end + 1] == '\n')
                                 : end;
    list_push(t, list.list, value_str(t, (Str){text.data + start, (keep ? next : end) - start}));
    start = next;
  }
  *out = list;
  return true;
}

static bool partition(Tracer *t, const Call *call, bool backward, Value *out)
{
  Str separator, text = TEXT(call);
  if (!text_arg(t, call, 0, &separator))
    return false;
  if (separator.len == 0)
    return RAISE(t, E_VALUE, call->span, "empty separator");
  int64_t at = backward ? find_backward(text, separator) : find_forward(text, separator);
  Value parts[3];
  if (at < 0) {
    parts[0] = parts[1] = parts[2] = value_str(t, STR(""));
    parts[backward ? 2 : 0] = value_str(t, text);
  } else {
    size_t after = (size_t)at + separator.len;
    parts[0] = value_str(t, (Str){text.data, (size_t)at});
    parts[1] = value_str(t, separator);
    parts[2] = value_str(t, (Str){text.data + after, text.len - after});
  }
  *out = value_tuple(t, parts, 3);
  return true;
}

static bool m_partition(Tracer *t, const Call *call, Value *out) { return partition(t, call, false, out); }
static bool m_rpartition(Tracer *t, const Call *call, Value *out) { return partition(t, call, true, out); }

static bool m_join(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  StrBuf text = strbuf_new(&t->arena);
  if (!op_collect(t, call->args[0], call->span, &items))
    return false;
  for (size_t i = 0; i < items.count; i++) {
    Value v = value_unwrap(items.items[i]);
    if (v.tag != VALUE_STR)
      return RAISE(t, E_TYPE, call->span, "sequence item %zu: expected str instance, %s found", i,
                   value_type_name(t, items.items[i]));
    if (i)
      strbuf_add(&text, TEXT(call).data, TEXT(call).len);
    strbuf_add(&text, v.string->text.data, v.string->text.len);
  }
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool m_replace(Tracer *t, const Call *call, Value *out)
{
  Str from, to, text = TEXT(call);
  int64_t limit = -1;
  if (!text_arg(t, call, 0, &from) || !text_arg(t, call, 1, &to) || !split_limit(t, call, 2, &limit))
    return false;
  StrBuf buf = strbuf_new(&t->arena);
  if (from.len == 0) {
    for (size_t i = 0; i <= text.len; i++) {
      bool boundary = i == text.len || ((unsigned char)text.data[i] & 0xC0) != 0x80;
      if (boundary && limit != 0) {
        strbuf_add(&buf, to.data, to.len);
        limit--;
      }
      if (i < text.len)
        strbuf_putc(&buf, text.data[i]);
    }
  }
  while (from.len) {
    int64_t at = limit-- == 0 ? -1 : find_forward(text, from);
    strbuf_add(&buf, text.data, at < 0 ? text.len : (size_t)at);
    if (at < 0)
      break;
    strbuf_add(&buf, to.data, to.len);
    text.data += (size_t)at + from.len;
    text.len -= (size_t)at + from.len;
  }
  *out = value_str(t, buf.data ? strbuf_str(&buf) : STR(""));
  return true;
}

static bool justify(Tracer *t, const Call *call, char align, Value *out)
{
  int64_t width;
  Str fill = STR(" "), text = TEXT(call);
  if (!op_index(t, call->args[0], call->span, &width))
    return false;
  if (value_is_set(call->args[1])) {
    if (!text_arg(t, call, 1, &fill))
      return false;
    if (utf8_count(fill) != 1)
      return RAISE(t, E_TYPE, call->span, "The fill character must be exactly one character long");
  }
  int64_t missing = width - (int64_t)call->self.string->code_points;
  if (missing > 100000000)
    return RAISE(t, E_OVERFLOW, call->span, "a text of %lld characters is too long", (long long)width);
  if (missing < 0)
    missing = 0;
  int64_t left = align == '<' ? 0 : align == '>' ? missing : missing / 2 + (missing & width & 1);
  StrBuf buf = strbuf_new(&t->arena);
  for (int64_t i = 0; i < left; i++)
    strbuf_add(&buf, fill.data, fill.len);
  strbuf_add(&buf, text.data, text.len);
  for (int64_t i = left; i < missing; i++)
    strbuf_add(&buf, fill.data, fill.len);
  *out = value_str(t, buf.data ? strbuf_str(&buf) : STR(""));
  return true;
}

static bool m_ljust(Tracer *t, const Call *call, Value *out) { return justify(t, call, '<', out); }
static bool m_rjust(Tracer *t, const Call *call, Value *out) { return justify(t, call, '>', out); }
static bool m_center(Tracer *t, const Call *call, Value *out) { return justify(t, call, '^', out); }

static bool m_zfill(Tracer *t, const Call *call, Value *out)
{
  int64_t width;
  Str text = TEXT(call);
  if (!op_index(t, call->args[0], call->span, &width))
    return false;
  StrBuf buf = strbuf_new(&t->arena);
  size_t sign = text.len && (text.data[0] == '-' || text.data[0] == '+');
  strbuf_add(&buf, text.data, sign);
  for (int64_t i = (int64_t)call->self.string->code_points; i < width && i < 100000000; i++)
    strbuf_putc(&buf, '0');
  strbuf_add(&buf, text.data + sign, text.len - sign);
  *out = value_str(t, buf.data ? strbuf_str(&buf) : STR(""));
  return true;
}

static bool m_expandtabs(Tracer *t, const Call *call, Value *out)
{
  int64_t size = 8, column = 0;
  Str text = TEXT(call);
  if (value_is_set(call->args[0]) && !op_index(t, call->args[0], call->span, &size))
    return false;
  StrBuf buf = strbuf_new(&t->arena);
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '\t') {
      for (int64_t k = size > 0 ? size - column % size : 0; k > 0; k--, column++)
        strbuf_putc(&buf, ' ');
      continue;
    }
    strbuf_putc(&buf, text.data[i]);
    column = text.data[i] == '\n' || text.data[i] == '\r' ? 0 : column + (((unsigned char)text.data[i] & 0xC0) != 0x80);
  }
  *out = value_str(t, buf.data ? strbuf_str(&buf) : STR(""));
  return true;
}

// ---- questions about the whole text

typedef bool CharTest(uint32_t c);

static bool all_chars(const Call *call, CharTest *test, Value *out)
{
  Str text = TEXT(call);
  bool all = text.len > 0;
  for (const char *at = text.data, *end = at + text.len; all && at < end;) {
    uint32_t c;
    at += decode(at, end, &c);
    all = test(c);
  }
  *out = value_bool(all);
  return true;
}

static bool is_alnum(uint32_t c) { return is_alpha(c) || is_digit(c); }
static bool is_ascii(uint32_t c) { return c < 0x80; }
static bool is_printable(uint32_t c) { return c >= 0x20 && c != 0x7F && !(c >= 0x80 && c <= 0xA0) && c != 0xAD; }
static bool is_space(uint32_t c)
{
  char encoded[4];
  size_t len = utf8_put(c, encoded);
  return space_at(encoded, encoded + len) > 0;
}

static bool m_isdigit(Tracer *t, const Call *call, Value *out) { (void)t; return all_chars(call, is_digit, out); }
static bool m_isalpha(Tracer *t, const Call *call, Value *out) { (void)t; return all_chars(call, is_alpha, out); }
static bool m_isalnum(Tracer *t, const Call *call, Value *out) { (void)t; return all_chars(call, is_alnum, out); }
static bool m_isspace(Tracer *t, const Call *call, Value *out) { (void)t; return all_chars(call, is_space, out); }

static bool m_isascii(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  return all_chars(call, is_ascii, out) && (TEXT(call).len || ((*out = value_bool(true)), true));
}

static bool m_isprintable(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  return all_chars(call, is_printable, out) && (TEXT(call).len || ((*out = value_bool(true)), true));
}

static bool cased(const Call *call, bool want_upper, Value *out)
{
  Str text = TEXT(call);
  bool any = false, all = true;
  for (const char *at = text.data, *end = at + text.len; at < end;) {
    uint32_t c;
    at += decode(at, end, &c);
    any |= is_upper(c) || is_lower(c);
    all &= want_upper ? !is_lower(c) : !is_upper(c);
  }
  *out = value_bool(any && all);
  return true;
}

static bool m_isupper(Tracer *t, const Call *call, Value *out) { (void)t; return cased(call, true, out); }
static bool m_islower(Tracer *t, const Call *call, Value *out) { (void)t; return cased(call, false, out); }

static bool m_istitle(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  Str text = TEXT(call);
  bool inside = false, any = false, ok = true;
  for (const char *at = text.data, *end = at + text.len; at < end;) {
    uint32_t c;
    at += decode(at, end, &c);
    if (is_upper(c))
      ok &= !inside;
    else if (is_lower(c))
      ok &= inside;
    inside = is_upper(c) || is_lower(c);
    any |= inside;
  }
  *out = value_bool(any && ok);
  return true;
}

static bool m_isidentifier(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  Str text = TEXT(call);
  bool ok = text.len > 0;
  for (const char *at = text.data, *end = at + text.len; ok && at < end;) {
    uint32_t c;
    bool first = at == text.data;
    at += decode(at, end, &c);
    ok = c == '_' || is_alpha(c) || (!first && is_digit(c));
  }
  *out = value_bool(ok);
  return true;
}

// ---- the rest

static bool m_format(Tracer *t, const Call *call, Value *out)
{
  return text_format(t, TEXT(call), call, out);
}

static bool m_format_map(Tracer *t, const Call *call, Value *out)
{
  Value dict = value_unwrap(call->args[0]);
  if (dict.tag != VALUE_DICT)
    return RAISE(t, E_TYPE, call->span, "format_map() needs a mapping");
  List values = {0};
  const Name **names = arena_array(&t->arena, const Name *, dict.dict->count);
  uint32_t count = 0;
  for (uint32_t i = 0; i < dict.dict->used; i++) {
    if (dict.dict->entries[i].key.tag != VALUE_STR)
      continue;
    names[count++] = string_name(t, dict.dict->entries[i].key.string);
    list_push(t, &values, dict.dict->entries[i].value);
  }
  Call inner = {.args = values.items, .keyword_count = count, .keywords = names, .span = call->span};
  return text_format(t, TEXT(call), &inner, out);
}

static bool m_encode(Tracer *t, const Call *call, Value *out)
{
  *out = value_bytes(t, TEXT(call));
  return true;
}

static bool m_decode(Tracer *t, const Call *call, Value *out)
{
  *out = value_str(t, TEXT(call));
  return true;
}

static bool m_hex(Tracer *t, const Call *call, Value *out)
{
  StrBuf text = strbuf_new(&t->arena);
  for (size_t i = 0; i < TEXT(call).len; i++)
    strbuf_printf(&text, "%02x", (unsigned char)TEXT(call).data[i]);
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool m_maketrans(Tracer *t, const Call *call, Value *out)
{
  Value dict = value_dict(t);
  *out = dict;
  Value from = call->args[0], to = call->args[1];
  if (!value_is_set(to)) {
    if (from.tag != VALUE_DICT)
      return RAISE(t, E_TYPE, call->span, "if you give only one argument to maketrans it must be a dict");
    for (uint32_t i = 0; i < from.dict->used; i++) {
      Value key = from.dict->entries[i].key;
      if (!value_is_set(key))
        continue;
      uint32_t c;
      if (key.tag == VALUE_STR && decode(key.string->text.data, key.string->text.data + key.string->text.len, &c))
        key = value_int(c);
      if (!dict_set(t, dict.dict, key, from.dict->entries[i].value))
        return false;
    }
    return true;
  }
  if (from.tag != VALUE_STR || to.tag != VALUE_STR || from.string->code_points != to.string->code_points)
    return RAISE(t, E_VALUE, call->span, "the first two maketrans arguments must have equal length");
  const char *b = to.string->text.data, *b_end = b + to.string->text.len;
  for (const char *a = from.string->text.data, *end = a + from.string->text.len; a < end;) {
    uint32_t x, y;
    a += decode(a, end, &x);
    b += decode(b, b_end, &y);
    if (!dict_set(t, dict.dict, value_int(x), value_int(y)))
      return false;
  }
  if (value_is_set(call->args[2]))
    for (const char *a = call->args[2].string->text.data, *end = a + call->args[2].string->text.len; a < end;) {
      uint32_t x;
      a += decode(a, end, &x);
      if (!dict_set(t, dict.dict, value_int(x), value_none()))
        return false;
    }
  return true;
}

static bool m_translate(Tracer *t, const Call *call, Value *out)
{
  Str text = TEXT(call);
  StrBuf buf = strbuf_new(&t->arena);
  if (call->args[0].tag != VALUE_DICT)
    return RAISE(t, E_TYPE, call->span, "translate() needs a dict");
  for (const char *at = text.data, *end = at + text.len; at < end;) {
    uint32_t c;
    size_t len = decode(at, end, &c);
    Value to;
    Outcome found = dict_get(t, call->args[0].dict, value_int(c), &to);
    char encoded[4];
    if (found != OUTCOME_OK)
      strbuf_add(&buf, at, len);
    else if (to.tag == VALUE_STR)
      strbuf_add(&buf, to.string->text.data, to.string->text.len);
    else if (to.tag == VALUE_INT)
      strbuf_add(&buf, encoded, utf8_put((uint32_t)to.integer, encoded));
    at += len;
  }
  *out = value_str(t, buf.data ? strbuf_str(&buf) : STR(""));
  return true;
}

const NativeMethod str_methods[] = {
  {"lower", m_lower, ""}, {"upper", m_upper, ""}, {"title", m_title, ""}, {"capitalize", m_capitalize, ""},
  {"swapcase", m_swapcase, ""}, {"casefold", m_lower, ""},
  {"find", m_find, "sub start? end? /"}, {"rfind", m_rfind, "sub start? end? /"},
  {"index", m_index, "sub start? end? /"}, {"rindex", m_rindex, "sub start? end? /"},
  {"count", m_count, "sub start? end? /"},
  {"startswith", m_startswith, "prefix start? end? /"}, {"endswith", m_endswith, "suffix start? end? /"},
  {"removeprefix", m_removeprefix, "prefix /"}, {"removesuffix", m_removesuffix, "suffix /"},
  {"strip", m_strip, "chars? /"}, {"lstrip", m_lstrip, "chars? /"}, {"rstrip", m_rstrip, "chars? /"},
  {"split", m_split, "sep? maxsplit?"}, {"rsplit", m_rsplit, "sep? maxsplit?"},
  {"splitlines", m_splitlines, "keepends?"}, {"partition", m_partition, "sep /"}, {"rpartition", m_rpartition, "sep /"},
  {"join", m_join, "iterable /"}, {"replace", m_replace, "old new count? /"},
  {"ljust", m_ljust, "width fillchar? /"}, {"rjust", m_rjust, "width fillchar? /"},
  {"center", m_center, "width fillchar? /"}, {"zfill", m_zfill, "width /"}, {"expandtabs", m_expandtabs, "tabsize?"},
  {"isdigit", m_isdigit, ""}, {"isdecimal", m_isdigit, ""}, {"isnumeric", m_isdigit, ""}, {"isalpha", m_isalpha, ""},
  {"isalnum", m_isalnum, ""}, {"isspace", m_isspace, ""}, {"isascii", m_isascii, ""},
  {"isprintable", m_isprintable, ""}, {"isupper", m_isupper, ""}, {"islower", m_islower, ""},
  {"istitle", m_istitle, ""}, {"isidentifier", m_isidentifier, ""},
  {"format", m_format, NULL}, {"format_map", m_format_map, "mapping /"}, {"encode", m_encode, "encoding? errors?"},
  {"maketrans", m_maketrans, "x y? z? /"}, {"translate", m_translate, "table /"},
  {NULL, NULL, NULL},
};

const NativeMethod bytes_methods[] = {
  {"decode", m_decode, "encoding? errors?"}, {"hex", m_hex, ""}, {NULL, NULL, NULL},
};
