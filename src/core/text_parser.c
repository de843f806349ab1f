// text_parser.c -- tokens, names and numbers of the text form, with the errors that they meet.

#include "core/text_parser.h"
#include "core/text.h"
#include "core/text_syntax.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_fail_at(TextParser *p, uint32_t start, uint32_t end, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *message = arena_vprintf(&p->session->arena, format, args);
  va_end(args);
  Diag *diag = diag_error(p->session, code, "%s", message);
  diag_primary(diag, (Span){p->source, start, end > start ? end : start + 1}, "%s", "");
  p->last_error = diag;
  return false;
}

// At the next token: found that, expected `what`.
bool text_expected(TextParser *p, const char *what)
{
  Token *token = &p->token;
  if (token->kind == TOKEN_BAD)
    return text_fail_at(p, token->start, token->end, E_CORE_TEXT, "%s", token->bad);
  if (token->kind == TOKEN_NEWLINE || token->kind == TOKEN_END)
    return text_fail_at(p, token->start, token->end, E_CORE_TEXT, "expected %s before the end of the line", what);
  return text_fail_at(p, token->start, token->end, E_CORE_TEXT, "expected %s, found `%.*s`", what,
                      STR_ARG(token->text));
}

void text_advance(TextParser *p)
{
  p->last_end = p->token.end;
  p->token = text_next_token(&p->lexer);
}

// The token after the next one.
Token text_second_token(const TextParser *p)
{
  TextParser ahead = *p;
  text_advance(&ahead);
  return ahead.token;
}

bool text_at_line_end(const TextParser *p)
{
  return p->token.kind == TOKEN_NEWLINE || p->token.kind == TOKEN_END;
}

void text_skip_line(TextParser *p)
{
  // A token that was not understood may end anywhere, so the rest of the line is dropped as bytes.
  if (p->token.kind != TOKEN_NEWLINE && p->token.kind != TOKEN_END) {
    while (p->lexer.at < p->lexer.length && p->lexer.text[p->lexer.at] != '\n')
      p->lexer.at++;
    p->token.kind = TOKEN_NEWLINE;
    text_advance(p);
  }
}

bool text_at_sign(const TextParser *p, const char *sign)
{
  return p->token.kind == TOKEN_SIGN && str_is(p->token.text, sign);
}

bool text_at_word(const TextParser *p, const char *word)
{
  return p->token.kind == TOKEN_NAME && !p->token.quoted && str_is(p->token.text, word);
}

bool text_accept_sign(TextParser *p, const char *sign)
{
  if (!text_at_sign(p, sign))
    return false;
  text_advance(p);
  return true;
}

bool text_accept_word(TextParser *p, const char *word)
{
  if (!text_at_word(p, word))
    return false;
  text_advance(p);
  return true;
}

bool text_take_sign(TextParser *p, const char *sign)
{
  if (text_accept_sign(p, sign))
    return true;
  char what[8] = "`";
  strcat(what, sign);
  strcat(what, "`");
  return text_expected(p, what);
}

bool text_end_line(TextParser *p)
{
  return text_at_line_end(p) || text_expected(p, "the end of the line");
}

// One copy of each text of the kernel, NUL-terminated.
const char *text_keep(TextParser *p, Str text)
{
  const char *kept = map_get(&p->names, text);
  if (kept)
    return kept;
  char *copy = arena_strndup(p->arena, text.data, text.len);
  map_set(&p->names, (Str){copy, text.len}, copy);
  return copy;
}

bool text_take_name(TextParser *p, const char *what, const char **out)
{
  if (p->token.kind != TOKEN_NAME)
    return text_expected(p, what);
  *out = text_keep(p, p->token.text);
  text_advance(p);
  return true;
}

bool text_take_quoted(TextParser *p, const char *what, const char **out)
{
  if (p->token.kind != TOKEN_NAME || !p->token.quoted)
    return text_expected(p, what);
  return text_take_name(p, what, out);
}

bool text_take_unsigned(TextParser *p, uint64_t most, uint64_t *out)
{
  if (p->token.kind != TOKEN_INT || p->token.text.data[0] == '-')
    return text_expected(p, "a number that is not negative");
  errno = 0;
  *out = strtoull(p->token.text.data, NULL, 10);
  if (errno || *out > most)
    return text_fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "the number is larger than %llu",
                        (unsigned long long)most);
  text_advance(p);
  return true;
}

bool text_take_signed(TextParser *p, int64_t least, int64_t most, int64_t *out)
{
  if (p->token.kind != TOKEN_INT)
    return text_expected(p, "a whole number");
  errno = 0;
  *out = strtoll(p->token.text.data, NULL, 10);
  if (errno || *out < least || *out > most)
    return text_fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "the number is not between %lld and %lld",
                        (long long)least, (long long)most);
  text_advance(p);
  return true;
}

bool text_take_float(TextParser *p, float *out)
{
  if (p->token.kind != TOKEN_FLOAT && p->token.kind != TOKEN_INT)
    return text_expected(p, "a number");
  Str text = p->token.text;
  if (str_starts_with(text, "nan"))
    *out = f32_from_bits(text.len > 3 ? (uint32_t)strtoul(text.data + 4, NULL, 16) : F32_NAN_BITS);
  else if (str_is(text, "inf") || str_is(text, "-inf"))
    *out = text.data[0] == '-' ? -INFINITY : INFINITY;
  else
    *out = strtof(text.data, NULL);
  if (text.len > 3 && str_starts_with(text, "nan") && *out == *out)
    return text_fail_at(p, p->token.start, p->token.end, E_CORE_TEXT, "these bits are not a NaN");
  text_advance(p);
  return true;
}

// ---- names of members

// Reports that `found` is no member; suggests the nearest of `names`.
bool text_unknown_name(TextParser *p, Token token, const char *what, const char *const *names, size_t count)
{
  text_fail_at(p, token.start, token.end, E_CORE_TEXT_NAME, "unknown %s `%.*s`", what, STR_ARG(token.text));
  diag_suggest(p->last_error, token.text, names, count);
  return false;
}

bool text_take_member(TextParser *p, const TypeInfo *type, uint32_t *out)
{
  if (p->token.kind != TOKEN_NAME)
    return text_expected(p, "a name");
  const char *names[128];
  for (uint32_t i = 0; i < type->member_count && i < 128; i++) {
    names[i] = type->member_name(i);
    if (str_is(p->token.text, names[i])) {
      *out = i;
      text_advance(p);
      return true;
    }
  }
  char what[64];
  snprintf(what, sizeof what, "member of %s", type->name);
  return text_unknown_name(p, p->token, what, names, type->member_count);
}

// HANDLE: NAME ('~' INT)?
bool text_take_handle(TextParser *p, Str *handle, const char **name)
{
  if (!text_take_name(p, "a tensor's name", name))
    return false;
  *handle = str_from(*name);
  if (!text_accept_sign(p, "~"))
    return true;
  uint64_t ordinal = 0;
  if (!text_take_unsigned(p, UINT32_MAX, &ordinal))
    return false;
  // A byte that no name holds keeps `a~2` and the quoted name "a~2" apart.
  char *text = arena_printf(p->arena, "%s\n%llu", *name, (unsigned long long)ordinal);
  *handle = str_from(text_keep(p, str_from(text)));
  return true;
}

bool text_take_tensor(TextParser *p, const Tensor **out)
{
  Token token = p->token;
  Str handle;
  const char *name = NULL;
  if (!text_take_handle(p, &handle, &name))
    return false;
  *out = map_get(&p->tensors, handle);
  if (*out)
    return true;
  size_t count = p->tensors.count < 256 ? p->tensors.count : 256;
  const char **names = arena_array(p->arena, const char *, count);
  for (size_t i = 0; i < count; i++)
    names[i] = ((const Tensor *)p->tensors.entries[i].value)->name;
  return text_unknown_name(p, token, "tensor", names, count);
}
