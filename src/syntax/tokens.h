// tokens.h -- Python source text as a list of tokens.
//
// The whole text is cut up before parsing begins, so that the parser can look as far ahead as a good message needs.
// Brackets are always balanced in the list: where they are not in the text, an error was reported and the missing ones
// stand in the list with no length.

#pragma once
#include "base/session.h"
#include "syntax/ast.h"

typedef enum TokenKind {
#define PLAIN(name, description) TOKEN_##name,
#define PUNCT(name, text) TOKEN_##name,
#define KEYWORD(name, text, slot) TOKEN_##name,
#include "syntax/tokens.def"
  TOKEN_KIND_COUNT
} TokenKind;

// Flags of string tokens.
enum {
  STRING_RAW = 1,
  STRING_BYTES = 2,
  STRING_FORMAT = 4,
  STRING_UNICODE = 8,  // a lower-case `u` prefix
  STRING_TRIPLE = 16,
  STRING_PLAIN = 32,         // the text between the quotes is the value: no backslash, no carriage return
  STRING_NON_ASCII = 64,     // has bytes above 127
  STRING_UNTERMINATED = 128  // was reported
};

// Flags of names.
enum { NAME_NON_ASCII = 1 };

typedef struct Token {
  uint32_t start, end;
  uint8_t kind;           // TokenKind
  uint8_t flags;          // STRING_..., NAME_...
  uint8_t prefix_bytes;   // strings: letters before the quote
  bool is_on_new_line;    // first token of its physical line
} Token;

typedef struct TokenList {
  Token *items;  // the last one is TOKEN_END
  size_t count;
  Comment *comments;
  size_t comment_count;
} TokenList;

const char *token_text(TokenKind kind);  // "(", "while", or a description such as "a name"
bool token_is_keyword(TokenKind kind);
TokenKind token_keyword(const char *text, size_t len);  // TOKEN_NAME when it is none

// Cuts up all of `source`, reporting errors to the session. Lists live in `arena`.
TokenList tokens_scan(Session *session, Arena *arena, Source *source, uint32_t source_id);

// The same from byte `start` on, where the first line's indentation has been passed.
TokenList tokens_scan_line(Session *session, Arena *arena, Source *source, uint32_t source_id, uint32_t start);

// Cuts up bytes [start, end), a field of an f-string: no NEWLINE, INDENT, DEDENT. The bytes around them, such as the
// braces, become parentheses.
TokenList tokens_scan_piece(Session *session, Arena *arena, Source *source, uint32_t source_id, uint32_t start,
                            uint32_t end);

// One replacement field of an f-string. Offsets into the source; `spec_start` is 0 when there is no format.
typedef struct FormatField {
  uint32_t open;                    // the `{`
  uint32_t expr_start, expr_end;
  uint32_t text_end;                // `{x = }`: where the text that is shown ends; 0: not of that form
  uint32_t conversion;              // offset of the letter after `!`; 0: none
  uint32_t spec_start, spec_end;
  uint32_t end;                     // past the `}`
  bool needs_312;                   // a backslash, comment, line break or the string's own quote in the expression
} FormatField;

// How a format string is quoted: what ends it and what a backslash means.
typedef struct Quoting {
  char quote;
  bool is_triple, is_raw;
} Quoting;

// Reads the field whose `{` stands at `open`, in text that ends before `end`. False when it is not closed.
bool format_field_scan(const char *text, uint32_t open, uint32_t end, Quoting quoting, FormatField *field);

// The one of the string literals joined in bytes [start, end) that holds byte `offset`; false when there is none.
bool string_piece_around(const char *text, uint32_t start, uint32_t end, uint32_t offset, uint32_t *piece_start,
                         uint32_t *piece_end);
