#include "syntax/repr.h"

#include "base/number_text.h"
#include "syntax/unicode.h"

#include <gmp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Double quotes when the text has single ones and no double ones.
static char quote_for(Str text)
{
  bool has_single = text.len && memchr(text.data, '\'', text.len);
  bool has_double = text.len && memchr(text.data, '"', text.len);
  return has_single && !has_double ? '"' : '\'';
}

// What bytes and text have in common. False when `c` needs another treatment.
static bool add_simple(StrBuf *out, unsigned char c, char quote)
{
  if (c == (unsigned char)quote || c == '\\') {
    strbuf_putc(out, '\\');
    strbuf_putc(out, (char)c);
  } else if (c == '\t' || c == '\n' || c == '\r') {
    strbuf_puts(out, c == '\t' ? "\\t" : c == '\n' ? "\\n" : "\\r");
  } else if (c < 0x20 || c == 0x7F) {
    strbuf_printf(out, "\\x%02x", c);
  } else if (c < 0x7F) {
    strbuf_putc(out, (char)c);
  } else {
    return false;
  }
  return true;
}

static void add_wide(StrBuf *out, const char *at, size_t len, uint32_t c)
{
  if (unicode_is_printable(c))
    strbuf_add(out, at, len);
  else if (c < 0x100)
    strbuf_printf(out, "\\x%02x", c);
  else
    strbuf_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

void repr_add_str(StrBuf *out, Str text)
{
  char quote = quote_for(text);
  const char *at = text.data, *end = text.data + text.len;
  strbuf_putc(out, quote);
  while (at < end) {
    const char *run = at;
    while (run < end && (unsigned char)*run >= 0x20 && (unsigned char)*run < 0x7F && *run != '\\' && *run != quote)
      run++;
    strbuf_add(out, at, (size_t)(run - at));
    at = run;
    if (at == end)
      break;
    if (add_simple(out, (unsigned char)*at, quote)) {
      at++;
      continue;
    }
    uint32_t c;
    size_t len = utf8_decode(at, end, &c);
    if (len) {
      add_wide(out, at, len, c);
    } else if (end - at >= 3 && (unsigned char)at[0] == 0xED) {  // a lone surrogate
      len = 3;
      strbuf_printf(out, "\\u%04x", 0xD000u | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu));
    } else {
      len = 1;
      strbuf_printf(out, "\\x%02x", (unsigned char)*at);
    }
    at += len;
  }
  strbuf_putc(out, quote);
}

void repr_add_bytes(StrBuf *out, Str bytes)
{
  char quote = quote_for(bytes);
  strbuf_putc(out, 'b');
  strbuf_putc(out, quote);
  for (size_t i = 0; i < bytes.len; i++)
    if (!add_simple(out, (unsigned char)bytes.data[i], quote))
      strbuf_printf(out, "\\x%02x", (unsigned char)bytes.data[i]);
  strbuf_putc(out, quote);
}

static void add_big_int(StrBuf *out, Str digits)
{
  mpz_t number;
  char *text = arena_strndup(out->arena, digits.data, digits.len);
  mpz_init(number);
  char letter = digits.len > 1 && text[0] == '0' ? text[1] | 0x20 : '\0';
  int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
  mpz_set_str(number, base == 10 ? text : text + 2, base);
  char *decimal = arena_alloc(out->arena, mpz_sizeinbase(number, 10) + 2);
  strbuf_puts(out, mpz_get_str(decimal, 10, number));
  mpz_clear(number);
}

// An imaginary part has no ".0" of its own: 1j, 1.5j, 1e+100j.
static void add_imaginary(StrBuf *out, double value)
{
  size_t start = out->len;
  number_add_repr(out, value);
  if (out->len - start > 2 && memcmp(out->data + out->len - 2, ".0", 2) == 0)
    out->data[out->len -= 2] = '\0';
  strbuf_putc(out, 'j');
}

void repr_add_constant(StrBuf *out, Constant value)
{
  switch (value.kind) {
  case CONSTANT_NONE: strbuf_puts(out, "None"); return;
  case CONSTANT_FALSE: strbuf_puts(out, "False"); return;
  case CONSTANT_TRUE: strbuf_puts(out, "True"); return;
  case CONSTANT_ELLIPSIS: strbuf_puts(out, "Ellipsis"); return;
  case CONSTANT_INT: strbuf_printf(out, "%lld", (long long)value.integer); return;
  case CONSTANT_BIG_INT: add_big_int(out, value.text); return;
  case CONSTANT_FLOAT: number_add_repr(out, value.real); return;
  case CONSTANT_COMPLEX: add_imaginary(out, value.real); return;
  case CONSTANT_STR: repr_add_str(out, value.text); return;
  case CONSTANT_BYTES: repr_add_bytes(out, value.text); return;
  }
}
