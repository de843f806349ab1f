// text_lex.c -- the tokens of the text form.

#include "core/text_lex.h"

#include <ctype.h>
#include <string.h>

static bool is_name_start(char c)
{
  return isalpha((unsigned char)c) || c == '_';
}

static bool is_name_part(char c)
{
  return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static int hex_digit(char c)
{
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

// STRING: '"' (any byte but '"', '\' and the end of the line | '\' ('"' | '\' | 'n' | 't' | 'x' hex hex))* '"'
static void lex_string(Lexer *lexer, Token *token)
{
  StrBuf value = strbuf_new(lexer->arena);
  const char *s = lexer->text;
  uint32_t at = token->start + 1;
  token->kind = TOKEN_BAD;
  while (at < lexer->length && s[at] != '"' && s[at] != '\n') {
    char c = s[at++];
    if (c == '\\' && at < lexer->length) {
      c = s[at++];
      if (c == 'n')
        c = '\n';
      else if (c == 't')
        c = '\t';
      else if (c == 'x' && at + 1 < lexer->length && hex_digit(s[at]) >= 0 && hex_digit(s[at + 1]) >= 0) {
        c = (char)(hex_digit(s[at]) * 16 + hex_digit(s[at + 1]));
        at += 2;
      } else if (c != '"' && c != '\\') {
        token->bad = "unknown escape in a quoted text";
      }
    }
    if (c == '\0')
      token->bad = "a quoted text cannot hold a zero byte";
    strbuf_putc(&value, c);
  }
  bool is_closed = at < lexer->length && s[at] == '"';
  token->end = at + is_closed;
  if (!is_closed)
    token->bad = "a quoted text is not closed";
  if (token->bad)
    return;
  token->kind = TOKEN_NAME;
  token->quoted = true;
  token->text = (Str){strbuf_cstr(&value), value.len};
}

static void lex_number(Lexer *lexer, Token *token)
{
  const char *s = lexer->text;
  uint32_t at = token->start + (s[token->start] == '-');
  token->kind = TOKEN_INT;
  while (at < lexer->length && isdigit((unsigned char)s[at]))
    at++;
  if (at + 1 < lexer->length && s[at] == '.' && isdigit((unsigned char)s[at + 1])) {
    token->kind = TOKEN_FLOAT;
    at++;
    while (at < lexer->length && isdigit((unsigned char)s[at]))
      at++;
  }
  uint32_t exponent = at + 1 + (at + 1 < lexer->length && (s[at + 1] == '+' || s[at + 1] == '-'));
  if (at < lexer->length && (s[at] == 'e' || s[at] == 'E') && exponent < lexer->length &&
      isdigit((unsigned char)s[exponent])) {
    token->kind = TOKEN_FLOAT;
    at = exponent;
    while (at < lexer->length && isdigit((unsigned char)s[at]))
      at++;
  }
  token->end = at;
}

static void lex_word(Lexer *lexer, Token *token)
{
  const char *s = lexer->text;
  uint32_t at = token->start + (s[token->start] == '-');
  while (at < lexer->length && is_name_part(s[at]))
    at++;
  while (s[at - 1] == '.')
    at--;  // `12:4..` and the like
  token->end = at;
  token->kind = TOKEN_NAME;
  Str word = {s + token->start, at - token->start};
  if (str_is(word, "inf") || str_is(word, "-inf") || str_is(word, "nan"))
    token->kind = TOKEN_FLOAT;
  if (str_is(word, "nan") && at + 3 < lexer->length && memcmp(s + at, "(0x", 3) == 0) {
    for (at += 3; at < lexer->length && hex_digit(s[at]) >= 0;)
      at++;
    token->end = at + (at < lexer->length && s[at] == ')');
  }
}

static void lex_sign(Lexer *lexer, Token *token)
{
  static const char *const pairs[] = {"->", "..", "<=", ">=", "==", "!="};
  const char *s = lexer->text + token->start;
  token->kind = TOKEN_SIGN;
  token->end = token->start + 1;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (token->end < lexer->length && s[0] == pairs[i][0] && s[1] == pairs[i][1])
      token->end++;
  if (token->end == token->start + 1 && !strchr("()[]{}<>=,;:*+@~%$", *s)) {
    token->bad = "unexpected character";
    token->kind = TOKEN_BAD;
  }
}

Token text_next_token(Lexer *lexer)
{
  const char *s = lexer->text;
  while (lexer->at < lexer->length && (s[lexer->at] == ' ' || s[lexer->at] == '\t' || s[lexer->at] == '\r'))
    lexer->at++;
  if (lexer->at < lexer->length && s[lexer->at] == '#')
    while (lexer->at < lexer->length && s[lexer->at] != '\n')
      lexer->at++;
  Token token = {.start = lexer->at, .end = lexer->at};
  char c = lexer->at < lexer->length ? s[lexer->at] : '\0',
       next = lexer->at + 1 < lexer->length ? s[lexer->at + 1] : '\0';
  if (lexer->at >= lexer->length)
    token.kind = TOKEN_END;
  else if (c == '\n')
    token.kind = TOKEN_NEWLINE, token.end++;
  else if (c == '"')
    lex_string(lexer, &token);
  else if (isdigit((unsigned char)c) || (c == '-' && isdigit((unsigned char)next)))
    lex_number(lexer, &token);
  else if (is_name_start(c) || (c == '-' && next == 'i'))
    lex_word(lexer, &token);
  else
    lex_sign(lexer, &token);
  if (!token.quoted)
    token.text = (Str){s + token.start, token.end - token.start};
  lexer->at = token.end;
  return token;
}
