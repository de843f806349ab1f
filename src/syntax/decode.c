#include "syntax/decode.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

static void replace_text(Source *source, Str text)
{
  source->text = text;
  source->lines = NULL;  // found again for the new text
  source->line_count = 0;
}

// The name after `coding:` or `coding=` when `line` is a comment that has one.
static bool find_cookie(Str line, Str *name)
{
  size_t i = 0;
  while (i < line.len && (line.data[i] == ' ' || line.data[i] == '\t' || line.data[i] == '\f'))
    i++;
  if (i == line.len || line.data[i] != '#')
    return false;
  for (; i + 7 <= line.len; i++) {
    if (memcmp(line.data + i, "coding", 6) != 0 || (line.data[i + 6] != ':' && line.data[i + 6] != '='))
      continue;
    size_t start = i + 7;
    while (start < line.len && (line.data[start] == ' ' || line.data[start] == '\t'))
      start++;
    size_t end = start;
    while (end < line.len && (strchr("-_.", line.data[end]) || ((line.data[end] | 0x20) >= 'a' &&
                              (line.data[end] | 0x20) <= 'z') || (line.data[end] >= '0' && line.data[end] <= '9')))
      end++;
    if (end > start) {
      *name = (Str){line.data + start, end - start};
      return true;
    }
  }
  return false;
}

static bool is_blank_or_comment(Str line)
{
  for (size_t i = 0; i < line.len; i++) {
    if (line.data[i] == '#')
      return true;
    if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\f')
      return false;
  }
  return true;
}

// The declared encoding: in the first line, or in the second when the first says nothing.
static bool find_encoding(Str text, Str *name)
{
  size_t at = 0;
  for (int line = 0; line < 2 && at < text.len; line++) {
    size_t end = at;
    while (end < text.len && text.data[end] != '\n' && text.data[end] != '\r')
      end++;
    Str content = {text.data + at, end - at};
    if (find_cookie(content, name))
      return true;
    if (!is_blank_or_comment(content))
      return false;
    at = end + (end + 1 < text.len && text.data[end] == '\r' && text.data[end + 1] == '\n' ? 2 : 1);
  }
  return false;
}

// Lower case with `-` for `_`, cut to what matters, as CPython compares the names.
static bool is_encoding(Str name, const char *wanted)
{
  size_t len = strlen(wanted);
  if (name.len < len)
    return false;
  for (size_t i = 0; i < len; i++) {
    char c = name.data[i] == '_' ? '-' : (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20
                                                                                             : name.data[i]);
    if (c != wanted[i])
      return false;
  }
  return name.len == len || name.data[len] == '-' || name.data[len] == '_';
}

// The offset of the first byte that is not UTF-8 or is NUL; the length when there is none.
static size_t first_bad(Str text)
{
  size_t i = 0;
  while (i < text.len) {
    uint64_t word;
    if (i + 8 <= text.len) {  // eight ASCII bytes, none zero
      memcpy(&word, text.data + i, 8);
      if (!(word & 0x8080808080808080u) && !((word - 0x0101010101010101u) & 0x8080808080808080u)) {
        i += 8;
        continue;
      }
    }
    uint32_t c;
    size_t len = utf8_decode(text.data + i, text.data + text.len, &c);
    if (len == 0 || c == 0)
      return i;
    i += len;
  }
  return i;
}

static Span span_at(Session *session, Source *source, size_t at)
{
  return (Span){session_source_id(session, source), (uint32_t)at, (uint32_t)at + 1};
}

static bool check_text(Session *session, Source *source)
{
  size_t bad = first_bad(source->text);
  if (bad == source->text.len)
    return true;
  Span span = span_at(session, source, bad);
  unsigned char byte = (unsigned char)source->text.data[bad];
  Diag *diag = diag_error(session, E_ENCODING, byte ? "the text is not UTF-8: byte 0x%02x" : "the text has a NUL byte",
                          byte);
  diag_primary(diag, span, byte ? "not part of a character" : "here");
  if (byte)
    diag_help(diag, "save the file as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-");
  else
    diag_help(diag, "is this a Python source file? Text has no NUL bytes");
  return false;
}

// Converts from any encoding that the C library knows.
static bool convert(Session *session, Source *source, Str name)
{
  char *encoding = arena_strndup(&session->arena, name.data, name.len);
  Span cookie = {session_source_id(session, source), (uint32_t)(name.data - source->text.data),
                 (uint32_t)(name.data - source->text.data + (ptrdiff_t)name.len)};
  bool is_latin1 = is_encoding(name, "latin-1") || is_encoding(name, "iso-8859-1") || is_encoding(name, "iso-latin-1");
  iconv_t converter = iconv_open("UTF-8", is_latin1 ? "ISO-8859-1" : encoding);
  if (converter == (iconv_t)-1) {
    Diag *diag = diag_error(session, E_ENCODING, "unknown encoding `%s`", encoding);
    diag_primary(diag, cookie, "no encoding of this name is known here");
    diag_help(diag, "save the file as UTF-8 and remove the declaration");
    return false;
  }
  size_t capacity = source->text.len * 4 + 16;
  char *out = arena_alloc(&session->arena, capacity), *to = out, *from = (char *)source->text.data;
  size_t from_left = source->text.len, to_left = capacity - 1;
  size_t result = iconv(converter, &from, &from_left, &to, &to_left);
  iconv_close(converter);
  if (result == (size_t)-1) {
    Diag *diag = diag_error(session, E_ENCODING, "the text is not in the encoding `%s` that it declares", encoding);
    diag_primary(diag, cookie, "declared here");
    diag_note(diag, "byte %zu of the file is not part of a character", source->text.len - from_left);
    return false;
  }
  *to = '\0';
  replace_text(source, (Str){out, (size_t)(to - out)});
  return true;
}

bool source_decode(Session *session, Source *source)
{
  if (source->text.len >= UINT32_MAX - 16) {
    Diag *diag = diag_error(session, E_ENCODING, "the file has more than 4 GB");
    diag_where(diag, source->path, 0, 0);
    return false;
  }
  bool has_mark = str_starts_with(source->text, "\xEF\xBB\xBF");
  if (has_mark)
    replace_text(source, (Str){source->text.data + 3, source->text.len - 3});
  Str encoding;
  if (!find_encoding(source->text, &encoding) || is_encoding(encoding, "utf-8") ||
      (!has_mark && is_encoding(encoding, "utf8")))  // CPython, too, wants the hyphen beside a mark
    return check_text(session, source);
  if (has_mark) {
    Diag *diag = diag_error(session, E_ENCODING, "the file has a UTF-8 mark but declares another encoding");
    diag_primary(diag, (Span){session_source_id(session, source), (uint32_t)(encoding.data - source->text.data),
                              (uint32_t)(encoding.data - source->text.data + (ptrdiff_t)encoding.len)},
                 "`%.*s`", STR_ARG(encoding));
    return false;
  }
  return convert(session, source, encoding) && check_text(session, source);
}
