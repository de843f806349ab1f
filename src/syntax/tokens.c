#include "syntax/tokens.h"

#include "syntax/unicode.h"

#include <string.h>

enum {
  MOST_BRACKETS = 200,  // CPython's limits
  MOST_INDENTS = 100,
  TAB_COLUMNS = 8,
  MOST_NESTED_FORMATS = 50,
  MOST_ERRORS = 100,
  MARGIN = 2,  // tokens before the first and after the last that may be looked at
};

static const char *const texts[] = {
#define PLAIN(name, description) [TOKEN_##name] = description,
#define PUNCT(name, text) [TOKEN_##name] = text,
#define KEYWORD(name, text, slot) [TOKEN_##name] = text,
#include "syntax/tokens.def"
};

const char *token_text(TokenKind kind)
{
  return texts[kind];
}

bool token_is_keyword(TokenKind kind)
{
  return kind >= TOKEN_False && kind < TOKEN_KIND_COUNT;
}

// ---- classes of bytes ----------------------------------------------------------------------------------------------

enum { IS_NAME_START = 1, IS_NAME = 2, IS_DIGIT = 4, IS_HEX = 8, IS_BLANK = 16, ENDS_LINE = 32, HIGH = 64 };

static const uint8_t classes[256] = {
    ['\t'] = IS_BLANK,
    ['\f'] = IS_BLANK,
    [' '] = IS_BLANK,
    ['\n'] = ENDS_LINE,
    ['\r'] = ENDS_LINE,
#define DIGIT(c) [c] = IS_NAME | IS_DIGIT | IS_HEX
    DIGIT('0'), DIGIT('1'), DIGIT('2'), DIGIT('3'), DIGIT('4'), DIGIT('5'), DIGIT('6'), DIGIT('7'), DIGIT('8'),
    DIGIT('9'),
#define HEX(c) [c] = IS_NAME_START | IS_NAME | IS_HEX
    HEX('a'), HEX('b'), HEX('c'), HEX('d'), HEX('e'), HEX('f'), HEX('A'), HEX('B'), HEX('C'), HEX('D'), HEX('E'),
    HEX('F'),
#define LETTER(c) [c] = IS_NAME_START | IS_NAME
    LETTER('g'), LETTER('h'), LETTER('i'), LETTER('j'), LETTER('k'), LETTER('l'), LETTER('m'), LETTER('n'),
    LETTER('o'), LETTER('p'), LETTER('q'), LETTER('r'), LETTER('s'), LETTER('t'), LETTER('u'), LETTER('v'),
    LETTER('w'), LETTER('x'), LETTER('y'), LETTER('z'), LETTER('G'), LETTER('H'), LETTER('I'), LETTER('J'),
    LETTER('K'), LETTER('L'), LETTER('M'), LETTER('N'), LETTER('O'), LETTER('P'), LETTER('Q'), LETTER('R'),
    LETTER('S'), LETTER('T'), LETTER('U'), LETTER('V'), LETTER('W'), LETTER('X'), LETTER('Y'), LETTER('Z'),
    LETTER('_'),
};

static inline bool is(char c, uint8_t bits)
{
  return (classes[(unsigned char)c] & bits) != 0;
}

static inline bool is_high(char c)
{
  return (unsigned char)c >= 0x80;
}

// ---- keywords ------------------------------------------------------------------------------------------------------

typedef struct KeywordSlot {
  char text[9];
  uint8_t len, kind;
} KeywordSlot;

static const KeywordSlot keyword_slots[64] = {
#define KEYWORD(name, text, slot) [slot] = {text, sizeof text - 1, TOKEN_##name},
#include "syntax/tokens.def"
};

TokenKind token_keyword(const char *text, size_t len)
{
  if (len < 2 || len > 8)
    return TOKEN_NAME;
  const unsigned char *s = (const unsigned char *)text;
  const KeywordSlot *slot = &keyword_slots[(s[0] * 11u + s[1] * 37u + s[len - 1] * 8u + len * 3u) & 63];
  return slot->len == len && memcmp(slot->text, text, len) == 0 ? (TokenKind)slot->kind : TOKEN_NAME;
}

// ---- strings and the fields of f-strings ---------------------------------------------------------------------------

typedef struct Prefix {
  uint8_t flags, bytes;
} Prefix;

// stringprefix: any case and order of  r | u | b | f | br | fr   -- false when `len` letters are none
static bool string_prefix(const char *text, size_t len, Prefix *out)
{
  uint8_t flags = 0;
  for (size_t i = 0; i < len; i++) {
    uint8_t flag = 0;
    switch (text[i]) {
    case 'r': case 'R': flag = STRING_RAW; break;
    case 'b': case 'B': flag = STRING_BYTES; break;
    case 'f': case 'F': flag = STRING_FORMAT; break;
    case 'u': case 'U': flag = STRING_UNICODE; break;
    default: return false;
    }
    if (flags & flag)
      return false;
    flags |= flag;
  }
  if (len > 1 && (flags & STRING_UNICODE || (flags & STRING_BYTES && flags & STRING_FORMAT)))
    return false;
  if (len == 1 && text[0] == 'U')  // its tree does not remember an upper-case one
    flags = 0;
  *out = (Prefix){flags, (uint8_t)len};
  return true;
}

static bool quote_ends(const char *text, uint32_t at, uint32_t end, Quoting q)
{
  return text[at] == q.quote &&
         (!q.is_triple || (at + 2 < end && text[at + 1] == q.quote && text[at + 2] == q.quote));
}

static bool skip_nested_string(const char *text, uint32_t *at, uint32_t end, int depth);
static bool scan_field(const char *text, uint32_t open, uint32_t end, Quoting q, int depth, FormatField *field);

// Literal text of an f-string from `*at`: stops at the closing quote, at the `{` of a field, or, in a format, at `}`.
// False when the text ends first.
static bool skip_format_text(const char *text, uint32_t *at, uint32_t end, Quoting q, bool in_spec)
{
  uint32_t i = *at;
  for (; i < end; i++) {
    char c = text[i];
    if (c == q.quote && quote_ends(text, i, end, q))
      break;
    if (c == '\\' && i + 1 < end) {
      char next = text[i + 1];
      if (next == 'N' && !q.is_raw && i + 2 < end && text[i + 2] == '{') {
        for (i += 2; i < end && text[i] != '}' && text[i] != q.quote && text[i] != '\n'; i++)
          ;
        if (i < end && text[i] != '}')
          i--;
      } else if (next == '\r' && i + 2 < end && text[i + 2] == '\n') {
        i += 2;
      } else if (next != '{' && next != '}') {
        i++;
      }
      continue;
    }
    if ((c == '\n' || c == '\r') && !q.is_triple)
      return false;
    if (c == '{' && !in_spec && i + 1 < end && text[i + 1] == '{')
      i++;
    else if (c == '{' || (c == '}' && in_spec))
      break;
  }
  *at = i;
  return i < end;
}

// The rest of an f-string whose first byte after the opening quote is at `*at`; `*at` ends past the closing quote.
static bool skip_format_string(const char *text, uint32_t *at, uint32_t end, Quoting q, int depth)
{
  if (depth > MOST_NESTED_FORMATS)
    return false;
  for (;;) {
    if (!skip_format_text(text, at, end, q, false))
      return false;
    if (text[*at] != '{') {
      *at += q.is_triple ? 3 : 1;
      return true;
    }
    FormatField field;
    if (!scan_field(text, *at, end, q, depth + 1, &field))
      return false;
    *at = field.end;
  }
}

// Past the string without fields whose text begins at `*at`. False when it does not end.
static bool skip_plain_string(const char *text, uint32_t *at, uint32_t end, Quoting q)
{
  for (uint32_t i = *at; i < end; i++) {
    char c = text[i];
    if (c == q.quote && quote_ends(text, i, end, q)) {
      *at = i + (q.is_triple ? 3 : 1);
      return true;
    }
    if (c == '\\') {
      i++;
      if (i + 1 < end && text[i] == '\r' && text[i + 1] == '\n')
        i++;
    } else if ((c == '\n' || c == '\r') && !q.is_triple) {
      return false;
    }
  }
  return false;
}

static Quoting quoting_at(const char *text, uint32_t at, uint32_t end, uint8_t flags)
{
  bool is_triple = at + 2 < end && text[at + 1] == text[at] && text[at + 2] == text[at];
  return (Quoting){text[at], is_triple, (flags & STRING_RAW) != 0};
}

// Past the string inside a field whose quote stands at `*at`.
static bool skip_nested_string(const char *text, uint32_t *at, uint32_t end, int depth)
{
  uint32_t letters = 0;
  while (letters < 3 && is(text[*at - letters - 1], IS_NAME))
    letters++;
  Prefix prefix;
  if (!string_prefix(text + *at - letters, letters, &prefix))
    prefix = (Prefix){0};
  Quoting q = quoting_at(text, *at, end, prefix.flags);
  *at += q.is_triple ? 3 : 1;
  return prefix.flags & STRING_FORMAT ? skip_format_string(text, at, end, q, depth)
                                      : skip_plain_string(text, at, end, q);
}

// Does the string in [start, end) have what only Python 3.12 allows in a field of a string with quoting `q`?
static bool is_new_nesting(const char *text, uint32_t start, uint32_t end, Quoting q)
{
  for (uint32_t i = start; i < end; i++)
    if (text[i] == '\\' || quote_ends(text, i, end, q) || (!q.is_triple && is(text[i], ENDS_LINE)))
      return true;
  return false;
}

// The expression of a field from `*at` to the `!`, `:`, `=` or `}` that ends it.
static bool scan_field_expression(const char *text, uint32_t *at, uint32_t end, Quoting q, int depth, bool *needs_312)
{
  int brackets = 0;
  for (uint32_t i = *at; i < end; i++) {
    char c = text[i];
    switch (c) {
    case '\'': case '"': {
      uint32_t start = i;
      if (!skip_nested_string(text, &i, end, depth))
        return false;
      *needs_312 |= is_new_nesting(text, start, i, q);
      i--;
      continue;
    }
    case '(': case '[': case '{': brackets++; continue;
    case ')': case ']': brackets -= brackets > 0; continue;
    case '}':
      if (brackets == 0)
        break;
      brackets--;
      continue;
    case '#':
      *needs_312 = true;
      while (i + 1 < end && !is(text[i + 1], ENDS_LINE))
        i++;
      continue;
    case '\\':
      *needs_312 = true;
      if (i + 1 < end && is(text[i + 1], ENDS_LINE))
        i++;
      continue;
    case '\n': case '\r': *needs_312 |= !q.is_triple; continue;
    case '!': case '=': case '<': case '>':
      if (brackets)
        continue;
      if (i + 1 < end && text[i + 1] == '=') {
        i++;
        continue;
      }
      if (c == '<' || c == '>')
        continue;
      break;
    case ':':
      if (brackets)
        continue;
      break;
    default: continue;
    }
    *at = i;
    return true;
  }
  return false;
}

static bool scan_field(const char *text, uint32_t open, uint32_t end, Quoting q, int depth, FormatField *field)
{
  *field = (FormatField){.open = open, .expr_start = open + 1};
  uint32_t at = open + 1;
  if (depth > MOST_NESTED_FORMATS || !scan_field_expression(text, &at, end, q, depth, &field->needs_312))
    return false;
  field->expr_end = at;
  if (text[at] == '=') {
    for (at++; at < end && (is(text[at], IS_BLANK | ENDS_LINE) || text[at] == '\v'); at++)
      field->needs_312 |= !q.is_triple && is(text[at], ENDS_LINE);
    field->text_end = at;
  }
  if (at + 1 < end && text[at] == '!') {
    field->conversion = at + 1;
    for (at++; at < end && is(text[at], IS_NAME); at++)
      ;
  }
  if (at < end && text[at] == ':') {
    field->spec_start = ++at;
    for (;;) {
      if (!skip_format_text(text, &at, end, q, true) || text[at] == q.quote)
        return false;
      if (text[at] == '}')
        break;
      FormatField inner;
      if (!scan_field(text, at, end, q, depth + 1, &inner))
        return false;
      field->needs_312 |= inner.needs_312;
      at = inner.end;
    }
    field->spec_end = at;
  }
  if (at >= end || text[at] != '}')
    return false;
  field->end = at + 1;
  return true;
}

bool format_field_scan(const char *text, uint32_t open, uint32_t end, Quoting quoting, FormatField *field)
{
  return scan_field(text, open, end, quoting, 0, field);
}

bool string_piece_around(const char *text, uint32_t start, uint32_t end, uint32_t offset, uint32_t *piece_start,
                         uint32_t *piece_end)
{
  for (uint32_t at = start; at < end;) {
    if (is(text[at], IS_BLANK | ENDS_LINE) || text[at] == '\\') {
      at++;
      continue;
    }
    if (text[at] == '#') {
      while (at < end && !is(text[at], ENDS_LINE))
        at++;
      continue;
    }
    uint32_t first = at;
    while (at < end && is(text[at], IS_NAME))
      at++;
    Prefix prefix;
    if (at >= end || (text[at] != '"' && text[at] != '\'') || !string_prefix(text + first, at - first, &prefix))
      return false;
    Quoting q = quoting_at(text, at, end, prefix.flags);
    at += q.is_triple ? 3 : 1;
    bool ok = prefix.flags & STRING_FORMAT ? skip_format_string(text, &at, end, q, 0)
                                           : skip_plain_string(text, &at, end, q);
    if (!ok)
      return false;
    if (offset < at) {
      *piece_start = first;
      *piece_end = at;
      return offset >= first;
    }
  }
  return false;
}

// ---- the tokenizer -------------------------------------------------------------------------------------------------

typedef struct Bracket {
  uint32_t at;
  uint32_t line_indent;  // columns before the line on which the statement with this bracket began
  char close;
} Bracket;

typedef struct Lexer {
  Session *session;
  Arena *arena;
  const char *text;
  uint32_t source_id;
  uint32_t at, end;
  Vec(Token) tokens;
  Vec(Comment) comments;
  Bracket brackets[MOST_BRACKETS];
  int bracket_count;
  struct {
    uint32_t columns, characters;  // with tabs to multiples of 8, and with tabs as one
  } indents[MOST_INDENTS];
  int indent_count;
  bool is_piece;         // inside an f-string: no lines
  bool is_line_start;    // the next token is the first of a logical line
  bool is_new_line;      // ... of a physical line
  bool is_stopped;       // a limit was hit: the rest is not looked at
  uint32_t unclosed_at;  // second try: brackets from here on are ended by the start of a statement; UINT32_MAX: none
  size_t error_limit;    // of the session's error count, past which the rest is not looked at
  size_t format_budget;  // bytes that may still be looked through for f-strings that turn out not to end
} Lexer;

static Span span_of(const Lexer *lx, uint32_t start, uint32_t end)
{
  return (Span){lx->source_id, start, end};
}

static inline char peek(const Lexer *lx, uint32_t ahead)
{
  return lx->at + ahead < lx->end ? lx->text[lx->at + ahead] : '\0';
}

static inline Token *emit(Lexer *lx, TokenKind kind, uint32_t start, uint32_t end)
{
  vec_push(lx->arena, &lx->tokens, (Token){start, end, (uint8_t)kind, 0, 0, lx->is_new_line});
  lx->is_new_line = false;
  return &lx->tokens.items[lx->tokens.count - 1];
}

static void emit_error(Lexer *lx, uint32_t start, uint32_t end)
{
  emit(lx, TOKEN_ERROR, start, end);
  lx->at = end > lx->at ? end : lx->at;
}

static void skip_line_end(Lexer *lx)
{
  if (lx->text[lx->at] == '\r' && peek(lx, 1) == '\n')
    lx->at++;
  lx->at++;
}

static void skip_comment(Lexer *lx)
{
  uint32_t start = lx->at;
  while (lx->at < lx->end && !is(lx->text[lx->at], ENDS_LINE))
    lx->at++;
  vec_push(lx->arena, &lx->comments, (Comment){span_of(lx, start, lx->at)});
}

// A backslash at the end of a line joins the next one. True when there is one and it is passed.
static bool skip_continuation(Lexer *lx)
{
  if (!is(peek(lx, 1), ENDS_LINE)) {
    uint32_t start = lx->at;
    if (lx->at + 1 >= lx->end) {
      Diag *diag = diag_error(lx->session, E_CONTINUATION, "the file ends after a backslash");
      diag_primary(diag, span_of(lx, start, start + 1), "continues the line, but none follows");
    } else {
      Diag *diag = diag_error(lx->session, E_CONTINUATION, "unexpected text after a backslash");
      diag_primary(diag, span_of(lx, start, start + 1), "must be the last character of its line");
      diag_help(diag, "remove what follows the backslash, blanks included, or remove the backslash");
    }
    emit_error(lx, start, start + 1);
    return false;
  }
  lx->at++;
  skip_line_end(lx);
  lx->is_new_line = true;
  if (lx->at >= lx->end) {
    Diag *diag = diag_error(lx->session, E_CONTINUATION, "the file ends after a backslash");
    diag_primary(diag, span_of(lx, lx->end, lx->end), "another line was expected here");
    emit_error(lx, lx->end, lx->end);
    return false;
  }
  return true;
}

// ---- indentation

static void report_tabs(Lexer *lx, uint32_t line_start)
{
  Diag *diag = diag_error(lx->session, E_TABS, "inconsistent use of tabs and spaces in indentation");
  diag_primary(diag, span_of(lx, line_start, lx->at), "its depth depends on how wide a tab is");
  diag_help(diag, "indent with spaces only, four for each level");
}

static void push_indent(Lexer *lx, uint32_t columns, uint32_t characters, uint32_t line_start)
{
  if (lx->indent_count == MOST_INDENTS - 1) {
    Diag *diag = diag_error(lx->session, E_TOO_DEEP, "too many levels of indentation");
    diag_primary(diag, span_of(lx, line_start, lx->at), "level %d; at most %d are read", MOST_INDENTS,
                 MOST_INDENTS - 1);
    diag_help(diag, "move inner blocks to functions of their own");
    lx->is_stopped = true;
    return;
  }
  lx->indent_count++;
  lx->indents[lx->indent_count].columns = columns;
  lx->indents[lx->indent_count].characters = characters;
  emit(lx, TOKEN_INDENT, line_start, lx->at);
}

static void pop_indents(Lexer *lx, uint32_t columns, uint32_t line_start)
{
  while (lx->indent_count > 0 && columns < lx->indents[lx->indent_count].columns) {
    uint32_t closed = lx->indents[lx->indent_count].columns;
    lx->indent_count--;
    if (columns > lx->indents[lx->indent_count].columns) {
      Diag *diag = diag_error(lx->session, E_UNINDENT, "unindent does not match any outer block");
      diag_primary(diag, span_of(lx, line_start, lx->at), "%u column%s deep, between blocks at %u and %u", columns,
                   columns == 1 ? "" : "s", lx->indents[lx->indent_count].columns, closed);
      diag_help(diag, "indent the line like the block it belongs to");
      lx->indent_count++;  // as if it stood in the inner block
      lx->indents[lx->indent_count].columns = columns;
      lx->indents[lx->indent_count].characters = columns;
      return;
    }
    emit(lx, TOKEN_DEDENT, lx->at, lx->at);
  }
}

// The blanks before the first token of a logical line; blank lines and comments have none.
static void scan_indentation(Lexer *lx)
{
  lx->is_line_start = false;
  uint32_t columns, characters, joined, line_start;
  for (;;) {
    columns = characters = joined = 0;
    line_start = lx->at;
    for (; lx->at < lx->end; lx->at++) {
      char c = lx->text[lx->at];
      if (c == ' ') {
        columns++;
        characters++;
      } else if (c == '\t') {
        columns = (columns / TAB_COLUMNS + 1) * TAB_COLUMNS;
        characters++;
      } else if (c == '\f') {
        columns = characters = 0;
      } else if (c == '\\') {  // the depth is that of the first of the joined lines
        joined = joined ? joined : columns;
        if (!skip_continuation(lx))
          break;
        lx->at--;
      } else {
        break;
      }
    }
    if (lx->at < lx->end && lx->text[lx->at] == '#')
      skip_comment(lx);
    if (lx->at >= lx->end || !is(lx->text[lx->at], ENDS_LINE))
      break;
    skip_line_end(lx);
  }
  lx->is_new_line = true;
  if (lx->at >= lx->end)
    return;
  if (joined)
    columns = characters = joined;
  uint32_t now = lx->indents[lx->indent_count].columns, now_characters = lx->indents[lx->indent_count].characters;
  if (columns > now) {
    if (characters <= now_characters)
      report_tabs(lx, line_start);
    push_indent(lx, columns, characters, line_start);
    return;
  }
  if (columns < now)
    pop_indents(lx, columns, line_start);
  if (columns == lx->indents[lx->indent_count].columns && characters != lx->indents[lx->indent_count].characters)
    report_tabs(lx, line_start);
}

// ---- brackets

static char closer_of(char open)
{
  return open == '(' ? ')' : open == '[' ? ']' : '}';
}

static char opener_of(char close)
{
  return close == ')' ? '(' : close == ']' ? '[' : '{';
}

static TokenKind close_kind(char close)
{
  return close == ')' ? TOKEN_RPAR : close == ']' ? TOKEN_RSQB : TOKEN_RBRACE;
}

static void open_bracket(Lexer *lx, TokenKind kind)
{
  char c = lx->text[lx->at];
  if (lx->bracket_count == MOST_BRACKETS) {
    Diag *diag = diag_error(lx->session, E_TOO_DEEP, "too many nested brackets");
    diag_primary(diag, span_of(lx, lx->at, lx->at + 1), "bracket %d inside another; at most %d are read",
                 MOST_BRACKETS + 1, MOST_BRACKETS);
    diag_help(diag, "name a part of the expression and use the name");
    lx->is_stopped = true;
    return;
  }
  lx->brackets[lx->bracket_count++] = (Bracket){lx->at, lx->indents[lx->indent_count].columns, closer_of(c)};
  emit(lx, kind, lx->at, lx->at + 1);
  lx->at++;
}

static void close_bracket(Lexer *lx)
{
  char c = lx->text[lx->at];
  Span here = span_of(lx, lx->at, lx->at + 1);
  if (lx->bracket_count == 0) {
    Diag *diag = diag_error(lx->session, E_BRACKET, "unmatched `%c`", c);
    diag_primary(diag, here, "nothing is open here");
    diag_help(diag, "remove it, or write the `%c` it should close", opener_of(c));
    emit_error(lx, lx->at, lx->at + 1);
    return;
  }
  Bracket *top = &lx->brackets[lx->bracket_count - 1];
  if (top->close != c) {
    Diag *diag = diag_error(lx->session, E_BRACKET, "`%c` does not match `%c`", c, opener_of(top->close));
    diag_primary(diag, here, "`%c` was expected", top->close);
    diag_label(diag, span_of(lx, top->at, top->at + 1), "opened here");
    int match = lx->bracket_count - 1;
    while (match >= 0 && lx->brackets[match].close != c)
      match--;
    for (; match >= 0 && lx->bracket_count - 1 > match; lx->bracket_count--)  // the inner ones were forgotten
      emit(lx, close_kind(lx->brackets[lx->bracket_count - 1].close), lx->at, lx->at);
    top = &lx->brackets[lx->bracket_count - 1];
  }
  lx->bracket_count--;
  emit(lx, close_kind(top->close), lx->at, lx->at + 1);
  lx->at++;
}

static void close_forgotten(Lexer *lx)
{
  Bracket *top = &lx->brackets[lx->bracket_count - 1];
  Diag *diag = diag_error(lx->session, E_UNCLOSED, "`%c` was never closed", opener_of(top->close));
  diag_primary(diag, span_of(lx, top->at, top->at + 1), "no matching `%c` follows", top->close);
  if (!lx->is_piece && lx->at < lx->end)
    diag_label(diag, span_of(lx, lx->at, lx->at + 1), "a new statement begins here");
  uint32_t at = lx->tokens.items[lx->tokens.count - 1].end;
  for (; lx->bracket_count > 0; lx->bracket_count--)
    emit(lx, close_kind(lx->brackets[lx->bracket_count - 1].close), at, at);
}

static bool begins_statement(TokenKind kind)
{
  switch ((int)kind) {
  case TOKEN_def: case TOKEN_class: case TOKEN_return: case TOKEN_import: case TOKEN_while: case TOKEN_try:
  case TOKEN_with: case TOKEN_raise: case TOKEN_pass: case TOKEN_break: case TOKEN_continue: case TOKEN_del:
  case TOKEN_global: case TOKEN_nonlocal: case TOKEN_assert: case TOKEN_except: case TOKEN_finally: case TOKEN_elif:
    return true;
  default: return false;
  }
}

// Inside brackets that are never closed: is the line that begins at lx->at a new statement rather than more of them?
static bool ends_unclosed(const Lexer *lx, uint32_t line_start)
{
  if (lx->brackets[0].at < lx->unclosed_at)
    return false;
  uint32_t columns = lx->at - line_start;
  uint32_t len = 0;
  while (is(peek(lx, len), IS_NAME) || is_high(peek(lx, len)))
    len++;
  if (len && begins_statement(token_keyword(lx->text + lx->at, len)))
    return true;
  return columns <= lx->brackets[0].line_indent && (len || peek(lx, 0) == '@') && !is(peek(lx, 0), IS_DIGIT);
}

// ---- numbers

static bool skip_digits(Lexer *lx, uint8_t class_bits)
{
  for (;;) {
    while (is(peek(lx, 0), class_bits))
      lx->at++;
    if (peek(lx, 0) != '_')
      return true;
    if (!is(peek(lx, 1), class_bits))
      return false;
    lx->at++;
  }
}

// Reports `start`.. up to the end of the word as a number of the given kind that is none.
static void bad_number(Lexer *lx, uint32_t start, const char *kind, const char *label, const char *help)
{
  uint32_t wrong = lx->at;
  while (is(peek(lx, 0), IS_NAME) || is_high(peek(lx, 0)))
    lx->at++;
  uint32_t shown_end = wrong < lx->at ? wrong + 1 : wrong;
  while (shown_end < lx->at && ((unsigned char)lx->text[shown_end] & 0xC0) == 0x80)
    shown_end++;
  Diag *diag = diag_error(lx->session, E_NUMBER, "invalid %s number `%.*s`", kind, (int)(lx->at - start),
                          lx->text + start);
  diag_primary(diag, span_of(lx, wrong < lx->at ? wrong : start, shown_end), "%s", label);
  if (help)
    diag_help(diag, "%s", help);
  emit_error(lx, start, lx->at);
}

// What may stand right behind a number: an operator, a blank, or a keyword such as `if` in `1if x else 2`.
static bool number_ends(Lexer *lx)
{
  if (!is(peek(lx, 0), IS_NAME) && !is_high(peek(lx, 0)))
    return true;
  static const char *const words[] = {"and", "else", "for", "if", "in", "is", "or"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t len = strlen(words[i]);
    if (lx->end - lx->at >= len && memcmp(lx->text + lx->at, words[i], len) == 0)
      return true;
  }
  return peek(lx, 0) == 'n' && peek(lx, 1) == 'o' && peek(lx, 2) == 't';
}

static void emit_number(Lexer *lx, uint32_t start, const char *kind)
{
  if (!number_ends(lx)) {
    bool is_name = peek(lx, 0) != '_';
    bad_number(lx, start, kind, is_name ? "this cannot follow the digits" : "an underscore stands between two digits",
               !is_name || strcmp(kind, "decimal") != 0 ? NULL
               : (peek(lx, 0) | 0x20) == 'l' && !is(peek(lx, 1), IS_NAME) ? "Python 2's long numbers have no `L` now"
                                                                          : "a name cannot begin with a digit");
    return;
  }
  emit(lx, TOKEN_NUMBER, start, lx->at);
}

static void scan_radix_number(Lexer *lx, uint32_t start, uint8_t class_bits, char highest, const char *kind)
{
  lx->at += 2;
  if (peek(lx, 0) == '_')
    lx->at++;
  uint32_t digits = lx->at;
  if (!is(peek(lx, 0), class_bits)) {
    bad_number(lx, start, kind, "a digit was expected here", NULL);
    return;
  }
  bool ok = skip_digits(lx, class_bits);
  for (uint32_t i = digits; i < lx->at; i++)
    if (highest <= '9' && lx->text[i] != '_' && lx->text[i] > highest) {
      lx->at = i;
      bad_number(lx, start, kind, "not a digit of this base", NULL);
      return;
    }
  if (!ok)
    bad_number(lx, start, kind, "an underscore stands between two digits", NULL);
  else
    emit_number(lx, start, kind);
}

static void scan_number(Lexer *lx)
{
  uint32_t start = lx->at;
  char first = peek(lx, 0), second = peek(lx, 1) | 0x20;
  if (first == '0' && second == 'x') {
    scan_radix_number(lx, start, IS_HEX, 'f', "hexadecimal");
    return;
  }
  if (first == '0' && (second == 'o' || second == 'b')) {
    scan_radix_number(lx, start, IS_DIGIT, second == 'o' ? '7' : '1', second == 'o' ? "octal" : "binary");
    return;
  }
  const char *underscore = "an underscore stands between two digits";
  if (!skip_digits(lx, IS_DIGIT)) {
    lx->at++;
    bad_number(lx, start, "decimal", underscore, NULL);
    return;
  }
  uint32_t whole_end = lx->at;
  bool is_whole = true;
  if (peek(lx, 0) == '.') {
    is_whole = false;
    lx->at++;
    if (is(peek(lx, 0), IS_DIGIT) && !skip_digits(lx, IS_DIGIT)) {
      lx->at++;
      bad_number(lx, start, "decimal", underscore, NULL);
      return;
    }
  }
  if ((peek(lx, 0) | 0x20) == 'e') {
    uint32_t sign = peek(lx, 1) == '+' || peek(lx, 1) == '-';
    if (is(peek(lx, 1 + sign), IS_DIGIT)) {
      is_whole = false;
      lx->at += 1 + sign;
      if (!skip_digits(lx, IS_DIGIT)) {
        lx->at++;
        bad_number(lx, start, "decimal", underscore, NULL);
        return;
      }
    } else if (sign) {
      lx->at += 2;
      bad_number(lx, start, "decimal", "an exponent has digits after its sign", NULL);
      return;
    }
  }
  if ((peek(lx, 0) | 0x20) == 'j') {
    lx->at++;
    emit_number(lx, start, "imaginary");
    return;
  }
  if (is_whole && first == '0') {
    uint32_t i = start;
    while (i < whole_end && (lx->text[i] == '0' || lx->text[i] == '_'))
      i++;
    if (i < whole_end) {
      Diag *diag = diag_error(lx->session, E_LEADING_ZERO, "leading zeros in the number `%.*s`",
                              (int)(whole_end - start), lx->text + start);
      diag_primary(diag, span_of(lx, start, i), "a decimal number does not begin with 0");
      diag_help(diag, "write `%.*s`, or `0o%.*s` if octal is meant", (int)(whole_end - i), lx->text + i,
                (int)(whole_end - i), lx->text + i);
      emit_error(lx, start, whole_end);
      return;
    }
  }
  emit_number(lx, start, "decimal");
}

// ---- strings

static void unterminated(Lexer *lx, uint32_t start, Quoting q, uint8_t flags, uint8_t prefix_bytes)
{
  int quotes = q.is_triple ? 3 : 1;
  Diag *diag;
  if (q.is_triple) {
    diag = diag_error(lx->session, E_STRING, "triple-quoted string is not closed");
    diag_primary(diag, span_of(lx, start, start + (uint32_t)quotes), "begins here and runs to the end of the file");
  } else {
    diag = diag_error(lx->session, E_STRING, "string is not closed");
    diag_primary(diag, span_of(lx, start, lx->at), "begins here and meets the end of the line");
  }
  const char *quote = q.quote == '"' ? (q.is_triple ? "\"\"\"" : "\"") : (q.is_triple ? "'''" : "'");
  if (q.is_triple)
    diag_help(diag, "close it with `%s`", quote);
  else
    diag_help(diag, "close it with `%s`, or use three quotes for a text of several lines", quote);
  Token *token = emit(lx, TOKEN_STRING, start, lx->at);
  token->flags = flags | STRING_UNTERMINATED;
  token->prefix_bytes = prefix_bytes;
  if (q.is_triple || lx->is_piece)
    return;
  // It has swallowed what closes the brackets that were opened on its line.
  uint32_t line_start = start;
  while (line_start > 0 && !is(lx->text[line_start - 1], ENDS_LINE))
    line_start--;
  while (lx->bracket_count > 0 && lx->brackets[lx->bracket_count - 1].at >= line_start) {
    lx->bracket_count--;
    emit(lx, close_kind(lx->brackets[lx->bracket_count].close), lx->at, lx->at);
  }
}

// At the quote; `start` is where the prefix began.
static void scan_string(Lexer *lx, uint32_t start, Prefix prefix)
{
  const char *text = lx->text;
  Quoting q = quoting_at(text, lx->at, lx->end, prefix.flags);
  uint8_t flags = prefix.flags | STRING_PLAIN;
  uint32_t body = lx->at + (q.is_triple ? 3 : 1);
  uint32_t stop = 0;
  if (q.is_triple)
    flags |= STRING_TRIPLE;
  if (prefix.flags & STRING_FORMAT && lx->format_budget) {
    // A string inside a field may use this one's quote, so the fields have to be read to find the end. Where that
    // fails, the string ends at its first quote; a budget keeps many failures from costing quadratic time.
    uint32_t at = body;
    if (skip_format_string(text, &at, lx->end, q, 0))
      stop = at;
    else
      lx->format_budget -= lx->format_budget < lx->end - body ? lx->format_budget : lx->end - body;
  }
  uint32_t i = body;
  for (; stop ? i < stop : i < lx->end; i++) {
    char c = text[i];
    if (c == q.quote && !stop) {
      if (quote_ends(text, i, lx->end, q)) {
        stop = i + (q.is_triple ? 3 : 1);
        break;
      }
    } else if (c == '\\') {
      if (!(flags & STRING_RAW) || (i + 1 < lx->end && text[i + 1] == '\r'))
        flags &= (uint8_t)~STRING_PLAIN;
      if (!stop) {
        i++;
        if (i + 1 < lx->end && text[i] == '\r' && text[i + 1] == '\n')
          i++;
        if (i < lx->end && is_high(text[i]))
          flags |= STRING_NON_ASCII;
      }
    } else if (c == '\r' || c == '\n') {
      if (!q.is_triple && !stop)
        break;
      if (c == '\r')
        flags &= (uint8_t)~STRING_PLAIN;
    } else if (is_high(c)) {
      flags |= STRING_NON_ASCII;
    }
  }
  if (!stop) {
    lx->at = i < lx->end ? i : lx->end;
    unterminated(lx, start, q, flags, prefix.bytes);
    return;
  }
  lx->at = stop;
  Token *token = emit(lx, TOKEN_STRING, start, stop);
  token->flags = flags;
  token->prefix_bytes = prefix.bytes;
}

// ---- names

// The end of a text that a typographic quote or a backquote of `len` bytes opened: past the next one on its line, so
// that one mistake is told once. `at` itself when there is none.
static uint32_t quoted_end(const Lexer *lx, uint32_t at, uint32_t len)
{
  const char *text = lx->text;
  for (uint32_t i = at; i < lx->end && !is(text[i], ENDS_LINE); i++) {
    uint32_t c;
    const UnicodeLookalike *like = NULL;
    if (len == 1 ? text[i] == '`' : is_high(text[i]) && utf8_decode(text + i, text + lx->end, &c) == len &&
                                      (like = unicode_lookalike(c)) && (*like->plain == '"' || *like->plain == '\''))
      return i + len;
  }
  return at;
}

static void bad_character(Lexer *lx, uint32_t code_point, uint32_t len)
{
  const UnicodeLookalike *like = unicode_lookalike(code_point);
  Diag *diag;
  if (code_point < 0x20 || code_point == 0x7F || !unicode_is_printable(code_point)) {
    diag = diag_error(lx->session, E_CHARACTER, "invalid character U+%04X that cannot be seen", code_point);
    diag_primary(diag, span_of(lx, lx->at, lx->at + len), "%s", like ? like->name : "here");
  } else {
    diag = diag_error(lx->session, E_CHARACTER, "invalid character `%.*s` (U+%04X)", (int)len, lx->text + lx->at,
                      code_point);
    diag_primary(diag, span_of(lx, lx->at, lx->at + len), "%s",
                 like ? like->name : "not part of Python outside strings");
  }
  if (like && *like->plain == ' ')
    diag_help(diag, "replace it by a plain space");
  else if (like)
    diag_help(diag, "write `%s` instead", like->plain);
  bool is_quote = like && (*like->plain == '"' || *like->plain == '\'');
  emit_error(lx, lx->at, is_quote ? quoted_end(lx, lx->at + len, code_point < 0x2000 ? 2 : 3) : lx->at + len);
}

static void scan_name(Lexer *lx)
{
  const char *text = lx->text;
  uint32_t start = lx->at, at = start;
  uint8_t flags = 0;
  for (;;) {
    while (is(text[at], IS_NAME))
      at++;
    if (!is_high(text[at]))
      break;
    uint32_t c;
    size_t len = utf8_decode(text + at, text + lx->end, &c);
    if (len == 0 || !(at == start ? unicode_is_name_start(c) : unicode_is_name_part(c)))
      break;
    flags = NAME_NON_ASCII;
    at += (uint32_t)len;
  }
  if (at == start) {  // a byte above 127 that begins no name
    uint32_t c = 0xFFFD;
    size_t len = utf8_decode(text + at, text + lx->end, &c);
    bad_character(lx, c, len ? (uint32_t)len : 1);
    return;
  }
  uint32_t len = at - start;
  Prefix prefix;
  if (len <= 2 && (text[at] == '"' || text[at] == '\'') && at < lx->end && string_prefix(text + start, len, &prefix)) {
    lx->at = at;
    scan_string(lx, start, prefix);
    return;
  }
  TokenKind kind = flags ? TOKEN_NAME : token_keyword(text + start, len);
  lx->at = at;
  emit(lx, kind, start, at)->flags = flags;
}

// ---- operators

// The longest operator at lx->at, or TOKEN_ERROR.
static TokenKind operator_at(const Lexer *lx, uint32_t *len)
{
  char a = peek(lx, 0), b = peek(lx, 1), c = peek(lx, 2);
  *len = 1;
#define TWO(second, kind)                                                                                              \
  if (b == second) {                                                                                                   \
    *len = 2;                                                                                                          \
    return TOKEN_##kind;                                                                                               \
  }
#define THREE(second, third, kind)                                                                                     \
  if (b == second && c == third) {                                                                                     \
    *len = 3;                                                                                                          \
    return TOKEN_##kind;                                                                                               \
  }
  switch (a) {
  case ',': return TOKEN_COMMA;
  case '.': THREE('.', '.', ELLIPSIS) return TOKEN_DOT;
  case '=': TWO('=', EQEQUAL) return TOKEN_EQUAL;
  case ':': TWO('=', COLONEQUAL) return TOKEN_COLON;
  case ';': return TOKEN_SEMI;
  case '+': TWO('=', PLUSEQUAL) return TOKEN_PLUS;
  case '-': TWO('>', RARROW) TWO('=', MINUSEQUAL) return TOKEN_MINUS;
  case '*': THREE('*', '=', DOUBLESTAREQUAL) TWO('*', DOUBLESTAR) TWO('=', STAREQUAL) return TOKEN_STAR;
  case '/': THREE('/', '=', DOUBLESLASHEQUAL) TWO('/', DOUBLESLASH) TWO('=', SLASHEQUAL) return TOKEN_SLASH;
  case '%': TWO('=', PERCENTEQUAL) return TOKEN_PERCENT;
  case '@': TWO('=', ATEQUAL) return TOKEN_AT;
  case '&': TWO('=', AMPEREQUAL) return TOKEN_AMPER;
  case '|': TWO('=', VBAREQUAL) return TOKEN_VBAR;
  case '^': TWO('=', CIRCUMFLEXEQUAL) return TOKEN_CIRCUMFLEX;
  case '~': return TOKEN_TILDE;
  case '<': THREE('<', '=', LEFTSHIFTEQUAL) TWO('<', LEFTSHIFT) TWO('=', LESSEQUAL) return TOKEN_LESS;
  case '>': THREE('>', '=', RIGHTSHIFTEQUAL) TWO('>', RIGHTSHIFT) TWO('=', GREATEREQUAL) return TOKEN_GREATER;
  case '!': TWO('=', NOTEQUAL) return TOKEN_ERROR;
  default: return TOKEN_ERROR;
  }
#undef TWO
#undef THREE
}

static void scan_operator(Lexer *lx)
{
  uint32_t len;
  TokenKind kind = operator_at(lx, &len);
  if (kind != TOKEN_ERROR) {
    emit(lx, kind, lx->at, lx->at + len);
    lx->at += len;
    return;
  }
  char c = peek(lx, 0);
  if (c != '!' && c != '`' && c != '$' && c != '?') {
    bad_character(lx, (unsigned char)c, 1);
    return;
  }
  DiagCode code = c == '`' ? E_PYTHON_2 : c == '$' ? E_CHARACTER : E_OPERATOR;
  Diag *diag = diag_error(lx->session, code, "invalid character `%c`", c);
  diag_primary(diag, span_of(lx, lx->at, lx->at + 1), "not an operator of Python");
  if (c == '!')
    diag_help(diag, "write `not` to negate, `!=` to compare");
  else if (c == '`')
    diag_help(diag, "Python 2's backquotes are `repr(...)` now");
  else if (c == '?')
    diag_help(diag, "a choice is written `a if condition else b`");
  emit_error(lx, lx->at, c == '`' ? quoted_end(lx, lx->at + 1, 1) : lx->at + 1);
}

// ---- putting it together

static void end_line(Lexer *lx)
{
  emit(lx, TOKEN_NEWLINE, lx->at, lx->at);
  lx->is_line_start = true;
}

// A line end: of a statement, or mere space inside brackets.
static void scan_line_end(Lexer *lx)
{
  if (lx->bracket_count == 0 && !lx->is_piece) {
    end_line(lx);
    skip_line_end(lx);
    return;
  }
  skip_line_end(lx);
  lx->is_new_line = true;
  if (lx->unclosed_at == UINT32_MAX || lx->is_piece)
    return;
  uint32_t line_start = lx->at;
  while (is(peek(lx, 0), IS_BLANK))
    lx->at++;
  if (lx->at < lx->end && ends_unclosed(lx, line_start)) {
    close_forgotten(lx);
    lx->at = line_start;
    end_line(lx);
  }
}

static void scan_token(Lexer *lx)
{
  char c = lx->text[lx->at];
  if (is(c, IS_NAME_START) || is_high(c)) {
    scan_name(lx);
    return;
  }
  if (is(c, IS_DIGIT) || (c == '.' && is(peek(lx, 1), IS_DIGIT))) {
    scan_number(lx);
    return;
  }
  switch (c) {
  case '(': open_bracket(lx, TOKEN_LPAR); return;
  case '[': open_bracket(lx, TOKEN_LSQB); return;
  case '{': open_bracket(lx, TOKEN_LBRACE); return;
  case ')': case ']': case '}': close_bracket(lx); return;
  case '\'': case '"': scan_string(lx, lx->at, (Prefix){0}); return;
  case '#': skip_comment(lx); return;
  case '\n': case '\r': scan_line_end(lx); return;
  case '\\': skip_continuation(lx); return;
  default: scan_operator(lx); return;
  }
}

static void scan_all(Lexer *lx)
{
  while (!lx->is_stopped) {
    if (lx->is_line_start)
      scan_indentation(lx);
    while (lx->at < lx->end && is(lx->text[lx->at], IS_BLANK))
      lx->at++;
    if (lx->at >= lx->end || lx->is_stopped)
      break;
    scan_token(lx);
    if (lx->session->error_count >= lx->error_limit)
      lx->is_stopped = true;
  }
}

static void emit_end(Lexer *lx, uint32_t at)
{
  for (int i = 0; i <= MARGIN; i++)
    emit(lx, TOKEN_END, at, at);
}

static void finish(Lexer *lx)
{
  if (lx->bracket_count && lx->is_stopped)
    for (; lx->bracket_count > 0; lx->bracket_count--)
      emit(lx, close_kind(lx->brackets[lx->bracket_count - 1].close), lx->at, lx->at);
  if (lx->bracket_count)
    close_forgotten(lx);
  if (!lx->is_piece) {
    TokenKind last = (TokenKind)lx->tokens.items[lx->tokens.count - 1].kind;
    if (last != TOKEN_NEWLINE && last != TOKEN_DEDENT && last != TOKEN_INDENT)
      emit(lx, TOKEN_NEWLINE, lx->at, lx->at);
    for (; lx->indent_count > 0; lx->indent_count--)
      emit(lx, TOKEN_DEDENT, lx->at, lx->at);
  }
  emit_end(lx, lx->at);
}

static TokenList list_of(const Lexer *lx)
{
  return (TokenList){lx->tokens.items + MARGIN, lx->tokens.count - 2 * MARGIN, lx->comments.items,
                     lx->comments.count};
}

static Lexer *lexer_new(Session *session, Arena *arena, Source *source, uint32_t source_id, uint32_t start,
                        uint32_t end)
{
  Lexer *lx = arena_new(arena, Lexer);
  lx->session = session;
  lx->arena = arena;
  lx->text = source->text.data;
  lx->source_id = source_id;
  lx->at = start;
  lx->end = end;
  lx->unclosed_at = UINT32_MAX;
  lx->format_budget = 8 * (size_t)(end - start) + 1024;
  lx->error_limit = session->error_count + MOST_ERRORS;
  for (int i = 0; i < MARGIN; i++)
    emit(lx, TOKEN_NEWLINE, start, start);
  return lx;
}

TokenList tokens_scan(Session *session, Arena *arena, Source *source, uint32_t source_id)
{
  ArenaMark mark = arena_mark(arena);
  uint32_t unclosed_at = UINT32_MAX;
  for (;;) {
    Lexer *lx = lexer_new(session, arena, source, source_id, 0, (uint32_t)source->text.len);
    lx->unclosed_at = unclosed_at;
    lx->is_line_start = lx->is_new_line = true;
    size_t diag_count = session->diags.count, error_count = session->error_count;
    scan_all(lx);
    if (lx->bracket_count && !lx->is_stopped && unclosed_at == UINT32_MAX) {
      // Some bracket is never closed. Once more from the start, knowing that, to find where its statement ends.
      unclosed_at = lx->brackets[0].at;
      session->diags.count = diag_count;
      session->error_count = error_count;
      arena_rewind(arena, mark);
      continue;
    }
    finish(lx);
    return list_of(lx);
  }
}

TokenList tokens_scan_line(Session *session, Arena *arena, Source *source, uint32_t source_id, uint32_t start)
{
  Lexer *lx = lexer_new(session, arena, source, source_id, start, (uint32_t)source->text.len);
  scan_all(lx);
  finish(lx);
  return list_of(lx);
}

TokenList tokens_scan_piece(Session *session, Arena *arena, Source *source, uint32_t source_id, uint32_t start,
                            uint32_t end)
{
  Lexer *lx = lexer_new(session, arena, source, source_id, start, end);
  lx->is_piece = true;
  emit(lx, TOKEN_LPAR, start - 1, start);
  scan_all(lx);
  if (lx->bracket_count)
    close_forgotten(lx);
  emit(lx, TOKEN_RPAR, end, end + 1);
  emit_end(lx, end + 1);
  return list_of(lx);
}
