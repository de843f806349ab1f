// text_parser.h -- the parser of the text form in pieces: tokens and names (text_parser.c), values (text_value.c),
// lines (text_parse.c). Every function that returns false has reported why.

#pragma once
#include "base/map.h"
#include "core/core.h"
#include "core/text_lex.h"

typedef struct TextParser {
  Session *session;
  Arena *arena;
  Lexer lexer;
  uint32_t source;
  Token token;        // the next one
  uint32_t last_end;  // end of the one before
  Map tensors;        // handle, `name` or `name~2` -> Tensor *
  Map names;          // texts of the kernel, each once
  const char *filename;
  int depth;  // of accesses within accesses
  Diag *last_error;
} TextParser;

bool text_fail_at(TextParser *p, uint32_t start, uint32_t end, DiagCode code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

// At the next token: found that, expected `what`.
bool text_expected(TextParser *p, const char *what);

// ---- tokens
void text_advance(TextParser *p);
Token text_second_token(const TextParser *p);  // the one after the next
bool text_at_line_end(const TextParser *p);
void text_skip_line(TextParser *p);
bool text_at_sign(const TextParser *p, const char *sign);
bool text_at_word(const TextParser *p, const char *word);
bool text_accept_sign(TextParser *p, const char *sign);
bool text_accept_word(TextParser *p, const char *word);
bool text_take_sign(TextParser *p, const char *sign);
bool text_end_line(TextParser *p);
bool text_take_name(TextParser *p, const char *what, const char **out);
bool text_take_quoted(TextParser *p, const char *what, const char **out);
bool text_take_unsigned(TextParser *p, uint64_t most, uint64_t *out);
bool text_take_signed(TextParser *p, int64_t least, int64_t most, int64_t *out);
bool text_take_float(TextParser *p, float *out);

// ---- names
const char *text_keep(TextParser *p, Str text);  // one copy of each text of the kernel, NUL-terminated

// Reports that the token is no `what`; suggests the nearest of `names`.
bool text_unknown_name(TextParser *p, Token token, const char *what, const char *const *names, size_t count);
bool text_take_member(TextParser *p, const TypeInfo *type, uint32_t *out);

// HANDLE: NAME ('~' INT)?   `*handle` is the key of a tensor in p->tensors.
bool text_take_handle(TextParser *p, Str *handle, const char **name);
bool text_take_tensor(TextParser *p, const Tensor **out);

// ---- values
bool text_parse_value(TextParser *p, const TypeInfo *kind, void *out);
bool text_parse_text(TextParser *p, const TypeInfo *kind, const char **out);  // a register, a label or a quoted text
