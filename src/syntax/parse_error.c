// parse_error.c -- saying what is wrong: a second look at the tokens around an error.

#include "syntax/parse.h"

#include <string.h>

enum { MOST_ERRORS = 100, FARTHEST_LOOK = 200 };

// So many errors that the text is something else than Python: the rest is not looked at.
static void give_up(Parser *p)
{
  while (!at(p, TOKEN_END))
    p->token++;
  p->has_given_up = true;
}

Diag *syntax_error(Parser *p, DiagCode code, Span span, const char *label, const char *format, ...)
{
  if (p->panic || p->has_given_up)
    return NULL;
  p->panic = true;
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(&p->session->arena, format, args);
  va_end(args);
  Diag *diag = diag_error(p->session, code, "%s", message);
  diag_primary(diag, span, "%s", label);
  if (++p->error_count == MOST_ERRORS) {
    diag_note(diag, "after %d errors the rest of the file is not looked at", MOST_ERRORS);
    give_up(p);
  }
  return diag;
}

void error_label(Diag *diag, Span span, const char *text)
{
  if (diag)
    diag_label(diag, span, "%s", text);
}

void error_help(Diag *diag, const char *format, ...)
{
  if (!diag)
    return;
  va_list args;
  va_start(args, format);
  diag_help(diag, "%s", arena_vprintf(&diag->session->arena, format, args));
  va_end(args);
}

const char *expr_describe(const Expr *e)
{
  switch ((ExprKind)e->kind) {
  case EXPR_BoolOp: case EXPR_BinOp: case EXPR_UnaryOp: return "an expression";
  case EXPR_NamedExpr: return "a `:=` expression";
  case EXPR_Lambda: return "a `lambda`";
  case EXPR_IfExp: return "a conditional expression";
  case EXPR_Dict: return "a dictionary";
  case EXPR_Set: return "a set";
  case EXPR_ListComp: case EXPR_SetComp: case EXPR_DictComp: return "a comprehension";
  case EXPR_GeneratorExp: return "a generator expression";
  case EXPR_Await: return "an `await` expression";
  case EXPR_Yield: case EXPR_YieldFrom: return "a `yield` expression";
  case EXPR_Compare: return "a comparison";
  case EXPR_Call: return "a function call";
  case EXPR_FormattedValue: case EXPR_JoinedStr: return "an f-string";
  case EXPR_Constant:
    switch (e->Constant.value.kind) {
    case CONSTANT_NONE: return "`None`";
    case CONSTANT_TRUE: return "`True`";
    case CONSTANT_FALSE: return "`False`";
    case CONSTANT_ELLIPSIS: return "`...`";
    default: return "a literal";
    }
  case EXPR_Attribute: return "an attribute";
  case EXPR_Subscript: return "an item";
  case EXPR_Starred: return "a starred expression";
  case EXPR_Name: return "a name";
  case EXPR_List: return "a list";
  case EXPR_Tuple: return "a tuple";
  case EXPR_Slice: return "a slice";
  case EXPR_Error: case EXPR_KIND_COUNT: break;
  }
  return "an expression";
}

static const char *found_text(Parser *p, const Token *token)
{
  switch ((int)token->kind) {
  case TOKEN_END: return "end of the file";
  case TOKEN_NEWLINE: return "end of the line";
  case TOKEN_INDENT: return "indentation";
  case TOKEN_DEDENT: return "end of the block";
  default: break;
  }
  Str text = token_str(p, token);
  size_t len = 0;
  while (len < text.len && len < 40 && text.data[len] != '\n' && text.data[len] != '\r')
    len++;
  while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80)
    len--;
  return arena_printf(&p->session->arena, "`%.*s`", (int)len, text.data);
}

static Span gap_after_last(const Parser *p)
{
  return (Span){p->source_id, p->last_end, p->last_end + 1};
}

static bool touches(const Token *first, const Token *second)
{
  return first->end == second->start;
}

static bool is_word(const Token *token)
{
  return token->kind == TOKEN_NAME || token_is_keyword((TokenKind)token->kind);
}

static bool ends_line(const Token *token)
{
  return token->kind == TOKEN_NEWLINE || token->kind == TOKEN_END;
}

// ---- the second look: rules tried in order; the first that reports wins. p->token is what cannot stand there.

// The tokenizer has found fault with this line; what follows from it need not be told.
static bool rule_reported(Parser *p, const char *wanted)
{
  (void)wanted;
  const Token *token = p->token;
  for (int i = 0; i < FARTHEST_LOOK && !ends_line(token); i++, token++)
    if (token->kind == TOKEN_ERROR || (token->kind == TOKEN_STRING && token->flags & STRING_UNTERMINATED)) {
      p->panic = true;
      return true;
    }
  return false;
}

// Two tokens that are one operator elsewhere: `&&`, `||`, `=>`, `<>`, `++`.
static bool rule_foreign_operator(Parser *p, const char *wanted)
{
  (void)wanted;
  static const struct {
    TokenKind first, second;
    DiagCode code;
    const char *text, *help;
  } pairs[] = {
      {TOKEN_AMPER, TOKEN_AMPER, E_OPERATOR, "&&", "write `and`"},
      {TOKEN_VBAR, TOKEN_VBAR, E_OPERATOR, "||", "write `or`"},
      {TOKEN_EQUAL, TOKEN_GREATER, E_OPERATOR, "=>", "write `>=` to compare"},
      {TOKEN_EQUAL, TOKEN_LESS, E_OPERATOR, "=<", "write `<=` to compare"},
      {TOKEN_EQEQUAL, TOKEN_EQUAL, E_OPERATOR, "===", "write `==`, or `is` for the same object"},
      {TOKEN_LESS, TOKEN_GREATER, E_PYTHON_2, "<>", "write `!=`"},
      {TOKEN_PLUS, TOKEN_PLUS, E_OPERATOR, "++", "write `+= 1`"},
      {TOKEN_MINUS, TOKEN_MINUS, E_OPERATOR, "--", "write `-= 1`"},
  };
  bool is_step = ends_line(p->token) || at(p, TOKEN_RPAR) || at(p, TOKEN_SEMI);
  const Token *second = is_step ? p->token - 1 : p->token;
  const Token *first = second - 1;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    if (second->kind != pairs[i].second || first->kind != pairs[i].first || !touches(first, second))
      continue;
    Diag *diag = syntax_error(p, pairs[i].code, (Span){p->source_id, first->start, second->end}, "not one operator",
                              "Python has no operator `%s`", pairs[i].text);
    error_help(diag, "%s", pairs[i].help);
    return true;
  }
  return false;
}

// `print "x"`, `exec code`, `raise E, "text"`, ur"..."
static bool rule_python_2(Parser *p, const char *wanted)
{
  (void)wanted;
  const Token *statement = p->statement;
  bool is_print = token_is(p, statement, "print"), is_exec = token_is(p, statement, "exec");
  if ((is_print || is_exec) && p->token == statement + 1 && begins_expression((TokenKind)p->token->kind)) {
    const char *word = is_print ? "print" : "exec";
    const Token *last = p->token;
    while (!ends_line(last) && last->kind != TOKEN_SEMI && last < p->token + FARTHEST_LOOK)
      last++;
    uint32_t start = p->token->start, len = last[-1].end - start;
    Diag *diag = syntax_error(p, E_PYTHON_2, span_of_token(p, statement), "a function since Python 3",
                              "the call of `%s` has no parentheses", word);
    if (len <= 60)
      error_help(diag, "write %s(%.*s)", word, (int)len, p->text + start);
    else
      error_help(diag, "put what is passed in parentheses");
    return true;
  }
  if (statement->kind == TOKEN_raise && at(p, TOKEN_COMMA)) {
    Diag *diag = syntax_error(p, E_PYTHON_2, span_of_token(p, p->token), "not a separator here",
                              "`raise` takes one exception");
    error_help(diag, "write raise %.*s(...)", (int)(p->last_end - statement[1].start), p->text + statement[1].start);
    return true;
  }
  if (at(p, TOKEN_STRING) && p->token[-1].kind == TOKEN_NAME && touches(p->token - 1, p->token)) {
    syntax_error(p, token_is(p, p->token - 1, "ur") ? E_PYTHON_2 : E_STRING, span_of_token(p, p->token - 1),
                 "the prefixes are r, u, b, f, br and fr", "a string cannot have the prefix `%.*s`",
                 STR_ARG(token_str(p, p->token - 1)));
    return true;
  }
  return false;
}

// `if x = 1`, `return x = 1`
static bool rule_single_equal(Parser *p, const char *wanted)
{
  (void)wanted;
  if (!at(p, TOKEN_EQUAL) || p->token == p->statement)
    return false;
  if (token_is_keyword((TokenKind)p->token[-1].kind) && p->token - 1 == p->statement)
    return false;
  Diag *diag = syntax_error(p, E_ASSIGN_IN_EXPRESSION, span_of_token(p, p->token), "assigns, which a value cannot",
                            "unexpected `=`");
  error_help(diag, "to compare, write `==`; to assign inside an expression, `:=`");
  return true;
}

// A keyword as a variable: `lambda = 1`, `x = class`
static bool rule_keyword_as_name(Parser *p, const char *wanted)
{
  (void)wanted;
  const Token *word = p->token;
  if (at(p, TOKEN_EQUAL) && word > p->statement)
    word--;
  bool is_assigned = token_is_keyword((TokenKind)word->kind) && (word[1].kind == TOKEN_EQUAL) && word == p->statement;
  if (!is_assigned)
    return false;
  Diag *diag = syntax_error(p, E_KEYWORD, span_of_token(p, word), "a keyword of the language",
                            "`%s` cannot be a variable's name", token_text((TokenKind)word->kind));
  error_help(diag, "choose another name, such as `%s_`", token_text((TokenKind)word->kind));
  return true;
}

// `else` and its like where no statement waits for them
static bool rule_stray_part(Parser *p, const char *wanted)
{
  (void)wanted;
  if (p->token != p->statement)
    return false;
  const char *partner;
  switch ((int)p->token->kind) {
  case TOKEN_else: partner = "`if`, `for`, `while` or `try`"; break;
  case TOKEN_elif: partner = "`if`"; break;
  case TOKEN_except: case TOKEN_finally: partner = "`try`"; break;
  default: return false;
  }
  const char *word = token_text((TokenKind)p->token->kind);
  Diag *diag = syntax_error(p, E_STATEMENT_PART, span_of_token(p, p->token), "nothing above it at this indentation",
                            "`%s` has no %s to belong to", word, partner);
  error_help(diag, "it must be indented like its %s, with no other statement between their blocks", partner);
  return true;
}

// `import a from b`
static bool rule_import_order(Parser *p, const char *wanted)
{
  (void)wanted;
  if (p->statement->kind != TOKEN_import || !at(p, TOKEN_from))
    return false;
  Diag *diag = syntax_error(p, E_SYNTAX, span_of_token(p, p->token), "comes first", "unexpected `from`");
  error_help(diag, "write from MODULE import NAME");
  return true;
}

// Words of other languages at the beginning of a statement.
static const char *foreign_word(Str word)
{
  static const char *const words[][2] = {
      {"function", "def"}, {"func", "def"},     {"fn", "def"},      {"elseif", "elif"}, {"elsif", "elif"},
      {"foreach", "for"},  {"switch", "match"}, {"catch", "except"}, {"throw", "raise"}, {"delete", "del"},
      {"include", "import"}, {"until", "while not"}, {"unless", "if not"},
  };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (str_is(word, words[i][0]))
      return words[i][1];
  return NULL;
}

static const char *nearest_keyword(Str word, const char *const *keywords, size_t count)
{
  if (word.len < 2)
    return NULL;
  const char *nearest = str_nearest(word, keywords, count);
  size_t most = word.len <= 3 ? 1 : 2;
  if (!nearest || str_edit_distance(word, str_from(nearest)) > most || str_is(word, nearest))
    return NULL;
  return nearest;
}

// A misspelled keyword: at the beginning of the statement, or the name that stands before or at p->token.
static bool rule_misspelled(Parser *p, const char *wanted)
{
  (void)wanted;
  static const char *const starts[] = {"return", "import", "for",   "from",  "while", "if",     "elif",   "else",
                                       "class",  "def",    "with",  "try",   "raise", "except", "assert", "pass",
                                       "global", "del",    "break", "yield", "await", "lambda", "async",  "finally"};
  static const char *const inner[] = {"and", "or", "not", "in", "is",
                                       "if",  "else", "for", "as", "import", "from", "async"};
  const Token *start = p->statement;
  const char *nearest = NULL;
  const Token *word = start;
  bool second_is_word = is_word(p->token) || begins_expression((TokenKind)p->token->kind) || at(p, TOKEN_COLON);
  if (start->kind == TOKEN_NAME && p->token > start && second_is_word) {
    const char *foreign = foreign_word(token_str(p, start));
    if (foreign) {
      Diag *diag = syntax_error(p, E_WORD, span_of_token(p, start), "not a word of Python", "unexpected `%.*s`",
                                STR_ARG(token_str(p, start)));
      error_help(diag, "write `%s`", foreign);
      return true;
    }
    if (p->token == start + 1 || at(p, TOKEN_COLON))
      nearest = nearest_keyword(token_str(p, start), starts, sizeof starts / sizeof *starts);
  }
  for (int back = 0; back < 2 && !nearest; back++) {
    word = p->token - back;
    if (word <= start || word->kind != TOKEN_NAME)
      continue;
    nearest = nearest_keyword(token_str(p, word), inner, sizeof inner / sizeof *inner);
  }
  if (!nearest)
    return false;
  Diag *diag = syntax_error(p, E_WORD, span_of_token(p, word), "read as a name", "unexpected %s",
                            found_text(p, p->token));
  error_help(diag, "did you mean `%s`?", nearest);
  return true;
}

// `x y`: two values with nothing between them
static bool rule_side_by_side(Parser *p, const char *wanted)
{
  (void)wanted;
  TokenKind before = (TokenKind)p->token[-1].kind, kind = (TokenKind)p->token->kind;
  if (p->token <= p->statement || p->last_end != p->token[-1].end)
    return false;
  bool first_is_value = before == TOKEN_NAME || before == TOKEN_NUMBER || before == TOKEN_STRING ||
                        before == TOKEN_RPAR || before == TOKEN_RSQB || before == TOKEN_RBRACE;
  bool second_is_value = kind == TOKEN_NAME || kind == TOKEN_NUMBER || kind == TOKEN_STRING || kind == TOKEN_LBRACE ||
                         kind == TOKEN_None || kind == TOKEN_True || kind == TOKEN_False || kind == TOKEN_lambda;
  if (!first_is_value || !second_is_value)
    return false;
  Diag *diag = syntax_error(p, E_WORD, span_of_token(p, p->token), "an operator was expected before this",
                            "unexpected %s", found_text(p, p->token));
  error_label(diag, span_of_token(p, p->token - 1), "after this");
  return true;
}

static bool rule_any(Parser *p, const char *wanted)
{
  Span span = ends_line(p->token) ? gap_after_last(p) : span_of_token(p, p->token);
  syntax_error(p, E_SYNTAX, span, arena_printf(&p->session->arena, "%s was expected here", wanted), "unexpected %s",
               found_text(p, p->token));
  return true;
}

void error_unexpected(Parser *p, const char *wanted)
{
  static bool (*const rules[])(Parser *, const char *) = {
      rule_reported,   rule_foreign_operator, rule_python_2,   rule_keyword_as_name, rule_single_equal,
      rule_stray_part, rule_import_order,     rule_misspelled, rule_side_by_side,    rule_any,
  };
  for (size_t i = 0; !p->panic && !p->has_given_up && i < sizeof rules / sizeof *rules; i++)
    if (rules[i](p, wanted))
      return;
}

bool expect(Parser *p, TokenKind kind)
{
  if (p->panic)
    return false;
  if (accept(p, kind))
    return true;
  error_unexpected(p, arena_printf(&p->session->arena, "`%s`", token_text(kind)));
  return false;
}

static bool is_opener(TokenKind kind)
{
  return kind == TOKEN_LPAR || kind == TOKEN_LSQB || kind == TOKEN_LBRACE;
}

static bool is_closer(TokenKind kind)
{
  return kind == TOKEN_RPAR || kind == TOKEN_RSQB || kind == TOKEN_RBRACE;
}

// Something stands in the bracket `open` where a comma or its end was expected.
static void error_in_bracket(Parser *p, TokenKind close, const Token *open)
{
  TokenKind next = (TokenKind)p->token->kind;
  if (rule_reported(p, "") || rule_foreign_operator(p, ""))
    return;
  if ((!begins_expression(next) || next == TOKEN_STAR) && next != TOKEN_not) {
    error_unexpected(p, arena_printf(&p->session->arena, "`%s` or a comma", token_text(close)));
    return;
  }
  if (token_is(p, p->token - 1, "print") || (next == TOKEN_STRING && touches(p->token - 1, p->token))) {
    error_unexpected(p, "a comma");
    return;
  }
  Diag *diag = syntax_error(p, E_COMMA, gap_after_last(p), "a comma was expected here", "unexpected %s",
                            found_text(p, p->token));
  error_label(diag, span_of_token(p, open), "inside this bracket");
}

void expect_close(Parser *p, TokenKind kind, const Token *open)
{
  if (!p->panic && accept(p, kind))
    return;
  if (p->has_given_up)
    return;
  if (!p->panic)
    error_in_bracket(p, kind, open);
  // Brackets are balanced, so the one that closes this is found by counting.
  const Token *token = open + 1;
  int depth = 0;
  for (; token->kind != TOKEN_END && token->kind != TOKEN_NEWLINE; token++) {
    if (is_opener((TokenKind)token->kind))
      depth++;
    else if (is_closer((TokenKind)token->kind) && depth-- == 0)
      break;
  }
  if (token->kind != TOKEN_END && token->kind != TOKEN_NEWLINE && !p->has_given_up) {
    p->token = token;
    advance(p);
    p->panic = false;
  }
}

const Name *expect_name(Parser *p, const char *what)
{
  if (p->panic)
    return NULL;
  if (!at(p, TOKEN_NAME)) {
    if (token_is_keyword((TokenKind)p->token->kind)) {
      Diag *diag = syntax_error(p, E_KEYWORD, span_of_token(p, p->token), "a keyword of the language",
                                "`%s` cannot be %s", token_text((TokenKind)p->token->kind), what);
      error_help(diag, "choose another name, such as `%s_`", token_text((TokenKind)p->token->kind));
    } else {
      error_unexpected(p, what);
    }
    return NULL;
  }
  const Name *name = token_name(p, p->token);
  advance(p);
  return name;
}
