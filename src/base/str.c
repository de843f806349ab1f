#include "base/str.h"

#include "base/bug.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

Str str_from(const char *text)
{
  return (Str){text, strlen(text)};
}

bool str_equal(Str a, Str b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool str_is(Str a, const char *text)
{
  return str_equal(a, str_from(text));
}

bool str_starts_with(Str a, const char *prefix)
{
  size_t len = strlen(prefix);
  return a.len >= len && memcmp(a.data, prefix, len) == 0;
}

bool str_ends_with(Str a, const char *suffix)
{
  size_t len = strlen(suffix);
  return a.len >= len && memcmp(a.data + a.len - len, suffix, len) == 0;
}

int str_compare(Str a, Str b)
{
  size_t len = a.len < b.len ? a.len : b.len;
  int order = len ? memcmp(a.data, b.data, len) : 0;
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

uint64_t str_hash(Str s)
{
  return XXH3_64bits(s.data, s.len);
}

enum { LONGEST_SUGGESTION = 64 };

size_t str_edit_distance(Str a, Str b)
{
  if (a.len > LONGEST_SUGGESTION || b.len > LONGEST_SUGGESTION)
    return a.len > b.len ? a.len : b.len;
  // Optimal string alignment over three rows of the usual table.
  size_t rows[3][LONGEST_SUGGESTION + 1];
  size_t *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= b.len; j++)
    last[j] = j;
  memcpy(before, last, sizeof rows[0]);
  for (size_t i = 1; i <= a.len; i++) {
    row[0] = i;
    for (size_t j = 1; j <= b.len; j++) {
      size_t best = last[j - 1] + (a.data[i - 1] != b.data[j - 1]);
      if (last[j] + 1 < best)
        best = last[j] + 1;
      if (row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1] &&
          before[j - 2] + 1 < best)
        best = before[j - 2] + 1;
      row[j] = best;
    }
    size_t *reuse = before;
    before = last;
    last = row;
    row = reuse;
  }
  return last[b.len];
}

const char *str_nearest(Str name, const char *const *candidates, size_t count)
{
  size_t best_distance = name.len / 3 + 1;  // a third of the letters may be wrong, and one more
  const char *best = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t distance = str_edit_distance(name, str_from(candidates[i]));
    if (distance >= name.len)  // nothing in common
      continue;
    if (distance < best_distance || (distance == best_distance && !best)) {
      best_distance = distance;
      best = candidates[i];
    }
  }
  return best;
}

size_t utf8_decode(const char *at, const char *end, uint32_t *code_point)
{
  const unsigned char *s = (const unsigned char *)at;
  size_t left = (size_t)(end - at);
  if (left == 0)
    return 0;
  if (s[0] < 0x80) {
    *code_point = s[0];
    return 1;
  }
  size_t len = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  if (s[0] < 0xC2 || s[0] > 0xF4 || left < len)
    return 0;
  uint32_t c = s[0] & (0x7Fu >> len);
  for (size_t i = 1; i < len; i++) {
    if ((s[i] & 0xC0) != 0x80)
      return 0;
    c = c << 6 | (s[i] & 0x3F);
  }
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
    return 0;
  *code_point = c;
  return len;
}

size_t utf8_put(uint32_t c, char out[4])
{
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 0x3F));
  out[2] = (char)(0x80 | (c >> 6 & 0x3F));
  out[3] = (char)(0x80 | (c & 0x3F));
  return 4;
}

size_t utf8_count(Str s)
{
  size_t count = 0;
  for (size_t i = 0; i < s.len; i++)
    count += (s.data[i] & 0xC0) != 0x80;
  return count;
}

StrBuf strbuf_new(Arena *arena)
{
  return (StrBuf){arena, NULL, 0, 0};
}

static void reserve(StrBuf *buf, size_t more)
{
  if (buf->len + more + 1 <= buf->capacity)
    return;
  size_t capacity = buf->capacity ? buf->capacity * 2 : 64;
  while (capacity < buf->len + more + 1)
    capacity *= 2;
  buf->data = arena_grow(buf->arena, buf->data, buf->capacity, capacity);
  buf->capacity = capacity;
}

void strbuf_add(StrBuf *buf, const char *text, size_t len)
{
  reserve(buf, len);
  if (len)
    memcpy(buf->data + buf->len, text, len);
  buf->len += len;
  buf->data[buf->len] = '\0';
}

void strbuf_puts(StrBuf *buf, const char *text)
{
  strbuf_add(buf, text, strlen(text));
}

void strbuf_putc(StrBuf *buf, char c)
{
  strbuf_add(buf, &c, 1);
}

void strbuf_repeat(StrBuf *buf, char c, size_t count)
{
  reserve(buf, count);
  memset(buf->data + buf->len, c, count);
  buf->len += count;
  buf->data[buf->len] = '\0';
}

void strbuf_printf(StrBuf *buf, const char *format, ...)
{
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, format, args);
  if (len < 0)
    bug("bad format: %s", format);
  reserve(buf, (size_t)len);
  vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
  buf->len += (size_t)len;
  va_end(again);
  va_end(args);
}

Str strbuf_str(const StrBuf *buf)
{
  return (Str){buf->data ? buf->data : "", buf->len};
}

const char *strbuf_cstr(StrBuf *buf)
{
  return buf->data ? buf->data : "";
}

static void rehash(NameTable *table)
{
  size_t capacity = table->capacity ? table->capacity * 2 : 256;
  const Name **slots = arena_array(table->arena, const Name *, capacity);
  for (size_t i = 0; i < table->capacity; i++) {
    const Name *name = table->slots[i];
    if (!name)
      continue;
    size_t at = name->hash & (capacity - 1);
    while (slots[at])
      at = (at + 1) & (capacity - 1);
    slots[at] = name;
  }
  table->slots = slots;
  table->capacity = capacity;
}

const Name *name_intern(NameTable *table, Str text)
{
  if (table->count * 2 >= table->capacity)
    rehash(table);
  uint64_t hash = str_hash(text);
  size_t at = hash & (table->capacity - 1);
  for (; table->slots[at]; at = (at + 1) & (table->capacity - 1))
    if (table->slots[at]->hash == hash && str_equal(table->slots[at]->str, text))
      return table->slots[at];
  Name *name = arena_new(table->arena, Name);
  *name = (Name){{arena_strndup(table->arena, text.data, text.len), text.len}, hash};
  table->slots[at] = name;
  table->count++;
  return name;
}
