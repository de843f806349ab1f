// literal.c -- the values of numbers and strings, and the parts of f-strings.

#include "syntax/names.h"
#include "syntax/parse.h"

#include <stdlib.h>
#include <string.h>

// ---- numbers

static int digit_value(char c)
{
  return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

// A whole number: in 64 bits when it fits, else as its digits.
static Constant whole_number(Parser *p, const char *text, size_t len)
{
  Constant value = {.kind = CONSTANT_INT};
  int base = 10;
  size_t i = 0;
  if (len > 2 && text[0] == '0' && text[1] > '9' && text[1] != '_') {
    char letter = text[1] | 0x20;
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
    i = 2;
  }
  uint64_t sum = 0;
  for (; i < len; i++) {
    if (text[i] == '_')
      continue;
    uint64_t digit = (uint64_t)digit_value(text[i]);
    if (sum > ((uint64_t)INT64_MAX - digit) / (uint64_t)base)
      break;
    sum = sum * (uint64_t)base + digit;
  }
  value.integer = (int64_t)sum;
  if (i == len)
    return value;
  value.kind = CONSTANT_BIG_INT;
  char *digits = arena_alloc(p->arena, len + 1);
  size_t count = 0;
  for (i = 0; i < len; i++)
    if (text[i] != '_')
      digits[count++] = text[i];
  value.text = (Str){digits, count};
  return value;
}

// The nearest double. The text is brought to the form DIGITSeEXPONENT first, which no locale can change.
static double real_number(Parser *p, const char *text, size_t len)
{
  char small[64], *digits = len + 32 <= sizeof small ? small : arena_alloc(p->scratch, len + 32);
  size_t count = 0, i = 0;
  long exponent = 0;
  bool in_fraction = false;
  for (; i < len && (text[i] | 0x20) != 'e'; i++) {
    if (text[i] == '.')
      in_fraction = true;
    else if (text[i] != '_') {
      digits[count++] = text[i];
      exponent -= in_fraction;
    }
  }
  if (i < len) {
    bool is_negative = text[++i] == '-';
    i += text[i] == '-' || text[i] == '+';
    long written = 0;
    for (; i < len; i++)
      if (text[i] != '_' && written < 1000000000)
        written = written * 10 + (text[i] - '0');
    exponent += is_negative ? -written : written;
  }
  uint64_t whole = 0;
  if (count <= 15 && exponent >= -22 && exponent <= 22) {  // both exact in a double, so one rounding is right
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    for (size_t k = 0; k < count; k++)
      whole = whole * 10 + (uint64_t)(digits[k] - '0');
    return exponent < 0 ? (double)whole / powers[-exponent] : (double)whole * powers[exponent];
  }
  StrBuf number = strbuf_new(p->scratch);
  strbuf_add(&number, digits, count);
  strbuf_printf(&number, "e%ld", exponent);
  return strtod(strbuf_cstr(&number), NULL);
}

Expr *parse_number(Parser *p)
{
  const Token *token = p->token;
  const char *text = p->text + token->start;
  size_t len = token->end - token->start;
  advance(p);
  Expr *e = EXPR_NEW(p, Constant, token->start);
  p->height = 0;
  Constant *value = &e->Constant.value;
  bool is_radix = len > 1 && text[0] == '0' && ((text[1] | 0x20) == 'x' || (text[1] | 0x20) == 'o' ||
                                                (text[1] | 0x20) == 'b');
  bool is_imaginary = !is_radix && (text[len - 1] | 0x20) == 'j';
  bool is_real = false;
  for (size_t i = 0; i < len && !is_radix; i++)
    is_real |= text[i] == '.' || (text[i] | 0x20) == 'e';
  if (is_imaginary)
    *value = (Constant){.kind = CONSTANT_COMPLEX, .real = real_number(p, text, len - 1)};
  else if (is_real)
    *value = (Constant){.kind = CONSTANT_FLOAT, .real = real_number(p, text, len)};
  else
    *value = whole_number(p, text, len);
  return e;
}

// ---- escapes

typedef struct Escapes {
  Parser *p;
  StrBuf *out;
  const char *text;  // of the source
  bool is_bytes;
} Escapes;

static void add_code_point(StrBuf *out, uint32_t c)
{
  char bytes[4];
  strbuf_add(out, bytes, utf8_put(c, bytes));  // surrogates become three bytes
}

static Span span_between(const Parser *p, uint32_t start, uint32_t end)
{
  return (Span){p->source_id, start, end};
}

// \N{name}: `at` is at the N. Returns where reading goes on.
static uint32_t add_named(Escapes *x, uint32_t at, uint32_t end)
{
  Parser *p = x->p;
  uint32_t open = at + 1, close = open;
  while (close < end && x->text[close] != '}')
    close++;
  if (open >= end || x->text[open] != '{' || close == end || close == open + 1) {
    Diag *diag = syntax_error(p, E_ESCAPE, span_between(p, at - 1, at + 1), "a name in braces must follow",
                              "malformed `\\N` escape");
    error_help(diag, "write the name so: \\N{BULLET}, or two backslashes for a backslash");
    return at + 1;
  }
  Str name = {x->text + open + 1, close - open - 1};
  uint32_t c;
  if (!unicode_find_name(name, &c)) {
    syntax_error(p, E_ESCAPE, span_between(p, at - 1, close + 1), "Unicode has no character of this name",
                 "unknown character name `%.*s`", (int)(name.len < 80 ? name.len : 80), name.data);
    return close + 1;
  }
  add_code_point(x->out, c);
  return close + 1;
}

// \xHH \uHHHH \UHHHHHHHH: `at` is at the letter.
static uint32_t add_hex(Escapes *x, uint32_t at, uint32_t end, uint32_t digits)
{
  Parser *p = x->p;
  uint32_t c = 0, i = at + 1;
  for (; i < end && i < at + 1 + digits; i++) {
    char ch = x->text[i];
    if (!((ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')))
      break;
    c = c * 16 + (uint32_t)digit_value(ch);
  }
  if (i < at + 1 + digits) {
    Diag *diag = syntax_error(p, E_ESCAPE, span_between(p, at - 1, i), "too short",
                              "`\\%c` must be followed by %u hexadecimal digits", x->text[at], digits);
    error_help(diag, "write two backslashes for a backslash, or put `r` before the string's quote");
    return i;
  }
  if (c > 0x10FFFF) {
    syntax_error(p, E_ESCAPE, span_between(p, at - 1, i), "the last one is 10ffff", "no character has this number");
    return i;
  }
  if (x->is_bytes)
    strbuf_putc(x->out, (char)c);
  else
    add_code_point(x->out, c);
  return i;
}

static uint32_t add_octal(Escapes *x, uint32_t at, uint32_t end)
{
  uint32_t c = 0, i = at;
  for (; i < end && i < at + 3 && x->text[i] >= '0' && x->text[i] <= '7'; i++)
    c = c * 8 + (uint32_t)(x->text[i] - '0');
  if (x->is_bytes)
    strbuf_putc(x->out, (char)c);
  else
    add_code_point(x->out, c);
  return i;
}

enum { MOST_WARNINGS = 100 };

static void warn_escape(const Escapes *x, uint32_t at)
{
  Parser *p = x->p;
  if (++p->warning_count > MOST_WARNINGS)
    return;
  uint32_t len = 1;
  while (((unsigned char)x->text[at + len] & 0xC0) == 0x80)
    len++;
  Diag *diag = diag_warning(p->session, W_ESCAPE, "invalid escape sequence `\\%.*s`", (int)len, x->text + at);
  diag_primary(diag, span_between(p, at - 1, at + len), "the backslash stays in the text");
  diag_help(diag, "write two backslashes, or put `r` before the string's quote");
}

// What follows a backslash at `at`. Returns where reading goes on.
static uint32_t add_escape(Escapes *x, uint32_t at, uint32_t end)
{
  StrBuf *out = x->out;
  char c = x->text[at];
  switch (c) {
  case '\n': return at + 1;
  case '\r': return at + (at + 1 < end && x->text[at + 1] == '\n' ? 2 : 1);
  case '\\': case '\'': case '"': strbuf_putc(out, c); return at + 1;
  case 'a': strbuf_putc(out, '\a'); return at + 1;
  case 'b': strbuf_putc(out, '\b'); return at + 1;
  case 'f': strbuf_putc(out, '\f'); return at + 1;
  case 'n': strbuf_putc(out, '\n'); return at + 1;
  case 'r': strbuf_putc(out, '\r'); return at + 1;
  case 't': strbuf_putc(out, '\t'); return at + 1;
  case 'v': strbuf_putc(out, '\v'); return at + 1;
  case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': return add_octal(x, at, end);
  case 'x': return add_hex(x, at, end, 2);
  case 'u':
    if (!x->is_bytes)
      return add_hex(x, at, end, 4);
    break;
  case 'U':
    if (!x->is_bytes)
      return add_hex(x, at, end, 8);
    break;
  case 'N':
    if (!x->is_bytes)
      return add_named(x, at, end);
    break;
  default: break;
  }
  warn_escape(x, at);
  strbuf_putc(out, '\\');
  return at;
}

// The value of source bytes [start, end): escapes resolved unless raw, line ends as "\n".
static void add_text(Parser *p, StrBuf *out, uint32_t start, uint32_t end, bool is_raw, bool is_bytes)
{
  Escapes x = {p, out, p->text, is_bytes};
  uint32_t at = start;
  while (at < end && !p->panic) {
    uint32_t run = at;
    while (run < end && p->text[run] != '\r' && (is_raw || p->text[run] != '\\'))
      run++;
    strbuf_add(out, p->text + at, run - at);
    at = run;
    if (at == end)
      return;
    if (p->text[at] == '\r') {
      strbuf_putc(out, '\n');
      at += at + 1 < end && p->text[at + 1] == '\n' ? 2 : 1;
    } else if (at + 1 == end) {
      strbuf_putc(out, '\\');
      at++;
    } else {
      at = add_escape(&x, at + 1, end);
    }
  }
}

// ---- f-strings

// The parts of a string that are being put together. Text is gathered until a field interrupts it.
typedef struct Pieces {
  Parser *p;
  StrBuf text;
  uint32_t text_start, text_end;  // where the gathered text stands
  size_t base;                    // parts on p->stack
  const char *kind;               // "u" when the first string has that prefix
  uint32_t highest;
  bool is_format;
  int spec_depth;  // formats inside formats
} Pieces;

static void flush_text(Pieces *pieces)
{
  Parser *p = pieces->p;
  if (pieces->text.len == 0)
    return;
  Expr *e = EXPR_NEW(p, Constant, pieces->text_start);
  e->span.end = pieces->text_end;
  e->Constant.value = (Constant){.kind = CONSTANT_STR,
                                 .text = {arena_strndup(p->arena, pieces->text.data, pieces->text.len),
                                          pieces->text.len}};
  e->Constant.kind = pieces->kind;
  pieces->text.len = 0;
  push(p, e);
}

static void mark_text(Pieces *pieces, uint32_t start, uint32_t end)
{
  if (pieces->text.len == 0)
    pieces->text_start = start;
  pieces->text_end = end;
}

static void parse_format_parts(Pieces *pieces, uint32_t at, uint32_t end, Quoting q, bool in_spec);

static bool is_all_blank(const Parser *p, uint32_t start, uint32_t end)
{
  for (uint32_t i = start; i < end; i++)
    if (!strchr(" \t\n\r\f", p->text[i]))
      return false;
  return true;
}

// The expression of a field, cut up on its own and parsed as if it stood in parentheses.
static Expr *parse_field_expression(Parser *p, const FormatField *field)
{
  if (is_all_blank(p, field->expr_start, field->expr_end)) {
    Diag *diag = syntax_error(p, E_FORMAT_STRING, span_between(p, field->open, field->expr_end + 1),
                              "nothing to show between the braces", "empty expression in an f-string");
    error_help(diag, "double the braces to write them: {{}}");
    return expr_error(p, field->open);
  }
  const Token *saved = p->token, *saved_statement = p->statement;
  uint32_t saved_end = p->last_end;
  TokenList tokens = tokens_scan_piece(p->session, p->scratch, p->source, p->source_id, field->expr_start,
                                       field->expr_end);
  p->token = p->statement = tokens.items;
  Expr *e = parse_parenthesized(p);
  p->statement = saved_statement;
  p->last_end = saved_end;
  if (!p->has_given_up)
    p->token = saved;
  return e;
}

static int conversion_of(Parser *p, const FormatField *field)
{
  if (!field->conversion)
    return field->text_end && !field->spec_start ? 'r' : -1;
  char c = p->text[field->conversion];
  uint32_t after = field->conversion + 1;
  bool is_one = p->text[after] == '}' || p->text[after] == ':';
  if (is_one && (c == 's' || c == 'r' || c == 'a'))
    return c;
  Diag *diag = syntax_error(p, E_FORMAT_STRING, span_between(p, field->conversion, field->conversion + 1),
                            "`s`, `r` or `a` was expected", "invalid conversion in an f-string");
  error_help(diag, "`!r` shows repr(value), `!s` str(value), `!a` ascii(value)");
  return -1;
}

static void parse_field(Pieces *pieces, const FormatField *field, Quoting q)
{
  Parser *p = pieces->p;
  if (field->needs_312 && p->minor_version < 12)
    p->minor_version = 12;
  if (field->text_end) {
    mark_text(pieces, field->expr_start, field->text_end);
    add_text(p, &pieces->text, field->expr_start, field->text_end, true, false);
  }
  flush_text(pieces);
  Expr *value = parse_field_expression(p, field);
  uint32_t height = p->height;
  Expr *spec = NULL;
  if (field->spec_start) {
    Pieces inner = {p, strbuf_new(p->scratch), field->spec_start, field->spec_start, p->stack.count, pieces->kind, 0,
                    true, pieces->spec_depth + 1};
    parse_format_parts(&inner, field->spec_start, field->spec_end, q, true);
    flush_text(&inner);
    spec = EXPR_NEW(p, JoinedStr, field->spec_start);
    spec->span.end = field->spec_end;
    TAKE(p, inner.base, &spec->JoinedStr.values);
    height = higher(height, inner.highest + 1);
  }
  Expr *e = EXPR_NEW(p, FormattedValue, field->open);
  e->span.end = field->end;
  e->FormattedValue.value = value;
  e->FormattedValue.conversion = conversion_of(p, field);
  e->FormattedValue.format_spec = spec;
  push(p, e);
  pieces->highest = higher(pieces->highest, height + 1);
}

static void error_unclosed_field(Parser *p, uint32_t open)
{
  Diag *diag = syntax_error(p, E_FORMAT_STRING, span_between(p, open, open + 1),
                            "no matching `}` before the string ends", "`{` in an f-string was never closed");
  error_help(diag, "double it to write a brace: {{");
}

// Text and fields in source bytes [at, end) of an f-string, or of a format inside one.
static void parse_format_parts(Pieces *pieces, uint32_t at, uint32_t end, Quoting q, bool in_spec)
{
  Parser *p = pieces->p;
  const char *text = p->text;
  uint32_t run = at;  // text that is not gathered yet begins here
  while (at < end) {
    char c = text[at];
    if (c == '\\' && !q.is_raw && at + 1 < end && text[at + 1] != '{' && text[at + 1] != '}') {
      if (text[at + 1] == 'N' && at + 2 < end && text[at + 2] == '{') {
        while (at < end && text[at] != '}')
          at++;
        at += at < end;
      } else {
        at += 2;
      }
      continue;
    }
    if (c != '{' && c != '}') {
      at++;
      continue;
    }
    bool is_doubled = !in_spec && at + 1 < end && text[at + 1] == c;
    mark_text(pieces, run, at + is_doubled);
    add_text(p, &pieces->text, run, at + is_doubled, q.is_raw, false);
    if (is_doubled) {
      at += 2;
      run = at;
      continue;
    }
    if (c == '}') {
      Diag *diag = syntax_error(p, E_FORMAT_STRING, span_between(p, at, at + 1), "no field is open here",
                                "single `}` in an f-string");
      error_help(diag, "double it to write a brace: }}");
      return;
    }
    FormatField field;
    if (!format_field_scan(text, at, end, q, &field) || p->format_depth >= DEEPEST_FORMAT) {
      error_unclosed_field(p, at);
      return;
    }
    p->format_depth++;
    if (pieces->spec_depth > 1 && p->minor_version < 12)
      p->minor_version = 12;
    parse_field(pieces, &field, q);
    p->format_depth--;
    at = run = field.end;
  }
  mark_text(pieces, run, end);
  add_text(p, &pieces->text, run, end, q.is_raw, false);
}

// ---- strings

static bool check_bytes(Parser *p, const Token *token)
{
  if (!(token->flags & STRING_NON_ASCII))
    return true;
  uint32_t at = token->start;
  while ((unsigned char)p->text[at] < 0x80)
    at++;
  uint32_t len = 1;
  while (((unsigned char)p->text[at + len] & 0xC0) == 0x80)
    len++;
  Diag *diag = syntax_error(p, E_STRING_MIX, span_between(p, at, at + len), "not an ASCII character",
                            "bytes can only be written with ASCII characters");
  error_help(diag, "write its bytes as \\xHH, or encode a string: \"...\".encode()");
  return false;
}

static void string_body(const Token *token, uint32_t *start, uint32_t *end)
{
  uint32_t quotes = token->flags & STRING_TRIPLE ? 3 : 1;
  *start = token->start + token->prefix_bytes + quotes;
  *end = token->flags & STRING_UNTERMINATED ? token->end : token->end - quotes;
  if (*end < *start)
    *end = *start;
}

static void add_string(Pieces *pieces, const Token *token)
{
  Parser *p = pieces->p;
  uint32_t start, end;
  string_body(token, &start, &end);
  bool is_raw = token->flags & STRING_RAW;
  if (token->flags & STRING_FORMAT) {
    pieces->is_format = true;
    Quoting q = {p->text[token->start + token->prefix_bytes], (token->flags & STRING_TRIPLE) != 0, is_raw};
    parse_format_parts(pieces, start, end, q, false);
    return;
  }
  mark_text(pieces, start, end);
  add_text(p, &pieces->text, start, end, is_raw || token->flags & STRING_PLAIN, token->flags & STRING_BYTES);
}

static Expr *plain_string(Parser *p, const Token *token, ConstantKind kind)
{
  uint32_t start, end;
  string_body(token, &start, &end);
  Expr *e = EXPR_NEW(p, Constant, token->start);
  e->Constant.value = (Constant){.kind = kind, .text = {p->text + start, end - start}};
  e->Constant.kind = token->flags & STRING_UNICODE ? "u" : NULL;
  p->height = 0;
  return e;
}

// strings: STRING+
Expr *parse_strings(Parser *p)
{
  const Token *first = p->token;
  bool is_bytes = first->flags & STRING_BYTES, is_mixed = false, is_ok = true;
  for (; at(p, TOKEN_STRING); advance(p)) {
    if (((p->token->flags & STRING_BYTES) != 0) != is_bytes && !is_mixed) {
      is_mixed = true;
      Diag *diag = syntax_error(p, E_STRING_MIX, span_of_token(p, p->token),
                                p->token->flags & STRING_BYTES ? "these are bytes" : "this is text",
                                "bytes and text cannot be joined");
      error_label(diag, span_of_token(p, first), is_bytes ? "these are bytes" : "this is text");
    }
    if (p->token->flags & STRING_BYTES)
      is_ok &= check_bytes(p, p->token);
    if (p->token->flags & STRING_UNTERMINATED)
      is_ok = false;
  }
  const Token *end = p->token;
  if (is_mixed || !is_ok)
    return expr_error(p, first->start);
  if (end == first + 1 && first->flags & STRING_PLAIN && !(first->flags & STRING_FORMAT))
    return plain_string(p, first, is_bytes ? CONSTANT_BYTES : CONSTANT_STR);
  Pieces pieces = {p, strbuf_new(p->scratch), first->start, first->start, p->stack.count,
                   first->flags & STRING_UNICODE ? "u" : NULL, 0, false, 0};
  uint32_t last_end = p->last_end;
  for (const Token *token = first; token < end; token++)
    add_string(&pieces, token);
  if (!p->has_given_up)
    p->token = end;
  p->last_end = last_end;
  if (pieces.is_format) {
    flush_text(&pieces);
    Expr *e = EXPR_NEW(p, JoinedStr, first->start);
    TAKE(p, pieces.base, &e->JoinedStr.values);
    p->height = pieces.highest;
    grow(p, 0);
    return e;
  }
  Expr *e = EXPR_NEW(p, Constant, first->start);
  e->Constant.value = (Constant){.kind = is_bytes ? CONSTANT_BYTES : CONSTANT_STR,
                                 .text = {arena_strndup(p->arena, strbuf_str(&pieces.text).data, pieces.text.len),
                                          pieces.text.len}};
  e->Constant.kind = pieces.kind;
  p->height = 0;
  return e;
}
