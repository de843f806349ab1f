// text_lex.h -- the tokens of the text form.

#pragma once
#include "base/str.h"

typedef enum TokenKind {
  TOKEN_NAME,   // a word, or a quoted text when `quoted`
  TOKEN_INT,    // digits, perhaps with a minus sign
  TOKEN_FLOAT,  // with a point or an exponent; nan, inf, -inf, nan(0x7fc00001)
  TOKEN_SIGN,   // punctuation, one to two characters
  TOKEN_NEWLINE,
  TOKEN_END,
  TOKEN_BAD,  // `bad` says why
} TokenKind;

typedef struct Token {
  TokenKind kind;
  bool quoted;
  Str text;             // what was written; of a quoted name its value
  uint32_t start, end;  // bytes of the source
  const char *bad;
} Token;

// `arena` receives the values of quoted texts. Comments and blanks are skipped; newlines are tokens.
typedef struct Lexer {
  Arena *arena;
  const char *text;  // NUL-terminated, or read no further than `length`
  uint32_t length, at;
} Lexer;

Token text_next_token(Lexer *lexer);
