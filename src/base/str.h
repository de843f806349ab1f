// str.h -- text: slices, interned names, and a buffer to build text in.

#pragma once
#include "base/arena.h"

// A slice of bytes, not NUL-terminated. Never owns.
typedef struct Str {
  const char *data;
  size_t len;
} Str;

#define STR(literal) ((Str){(literal), sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).len, (s).data  // for "%.*s"

Str str_from(const char *text);
bool str_equal(Str a, Str b);
bool str_is(Str a, const char *text);
bool str_starts_with(Str a, const char *prefix);
bool str_ends_with(Str a, const char *suffix);
int str_compare(Str a, Str b);  // by bytes, which is by code point in UTF-8
uint64_t str_hash(Str s);

// How many single-character edits turn `a` into `b` (insert, delete, replace, swap neighbours): "did you mean".
size_t str_edit_distance(Str a, Str b);

// The candidate nearest to `name`, or NULL when none is near enough to suggest.
const char *str_nearest(Str name, const char *const *candidates, size_t count);

// Length of the UTF-8 sequence at `at` (1 to 4), or 0 when the bytes there are not valid UTF-8.
// Surrogates, overlong forms and code points above U+10FFFF are invalid.
size_t utf8_decode(const char *at, const char *end, uint32_t *code_point);
size_t utf8_put(uint32_t code_point, char out[4]);  // the length; surrogates become three bytes
size_t utf8_count(Str s);  // code points in valid UTF-8

// A text under construction. `data` is always NUL-terminated once anything was appended.
typedef struct StrBuf {
  Arena *arena;
  char *data;
  size_t len, capacity;
} StrBuf;

StrBuf strbuf_new(Arena *arena);
void strbuf_add(StrBuf *buf, const char *text, size_t len);
void strbuf_puts(StrBuf *buf, const char *text);
void strbuf_putc(StrBuf *buf, char c);
void strbuf_repeat(StrBuf *buf, char c, size_t count);
void strbuf_printf(StrBuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
Str strbuf_str(const StrBuf *buf);
const char *strbuf_cstr(StrBuf *buf);

// Interned text: equal names are the same pointer, so they compare with ==.
typedef struct Name {
  Str str;  // NUL-terminated
  uint64_t hash;
} Name;

typedef struct NameTable {
  Arena *arena;
  const Name **slots;  // open addressing; capacity is a power of two
  size_t count, capacity;
} NameTable;

const Name *name_intern(NameTable *table, Str text);
