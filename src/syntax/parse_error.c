// parse_error.c -- saying what is wrong: a second look at the tokens around an error.

#include "syntax/parse.h"

#include <string.h>

Diag *syntax_error(Parser *p, DiagCode code, Span span, const char *label, const char *format, ...)
{
  if (p->panic)
    return NULL;
  p->panic = true;
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(&p->session->arena, format, args);
  va_end(args);
  Diag *diag = diag_error(p->session, code, "%s", message);
  diag_primary(diag, span, "%s", label);
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
  case TOKEN_END: case TOKEN_NEWLINE: case TOKEN_INDENT: case TOKEN_DEDENT: return token_text((TokenKind)token->kind);
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

void error_unexpected(Parser *p, const char *wanted)
{
  if (p->panic)
    return;
  const Token *token = p->token;
  if (token->kind == TOKEN_ERROR) {  // the tokenizer has said what is wrong
    p->panic = true;
    return;
  }
  bool is_end = token->kind == TOKEN_NEWLINE || token->kind == TOKEN_END;
  Span span = is_end ? (Span){p->source_id, p->last_end, p->last_end + 1} : span_of_token(p, token);
  syntax_error(p, E_SYNTAX, span, arena_printf(&p->session->arena, "%s was expected here", wanted),
               "unexpected %s", found_text(p, token));
}

bool expect(Parser *p, TokenKind kind, const char *after)
{
  if (p->panic)
    return false;
  if (accept(p, kind))
    return true;
  error_unexpected(p, arena_printf(&p->session->arena, "`%s` after %s", token_text(kind), after));
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

void expect_close(Parser *p, TokenKind kind, const Token *open)
{
  if (!p->panic && accept(p, kind))
    return;
  if (!p->panic) {
    TokenKind next = (TokenKind)p->token->kind;
    if (begins_expression(next) && next != TOKEN_ERROR) {
      Diag *diag = syntax_error(p, E_COMMA, (Span){p->source_id, p->last_end, p->last_end + 1},
                                "a comma or an operator was expected here", "unexpected %s", found_text(p, p->token));
      error_label(diag, span_of_token(p, open), "in this bracket");
      error_help(diag, "is a comma missing?");
    } else {
      error_unexpected(p, arena_printf(&p->session->arena, "`%s`", token_text(kind)));
    }
  }
  // Brackets are balanced from here on, so the one that closes this is found by counting.
  const Token *token = open + 1;
  int depth = 0;
  for (; token->kind != TOKEN_END && token->kind != TOKEN_NEWLINE; token++) {
    if (is_opener((TokenKind)token->kind))
      depth++;
    else if (is_closer((TokenKind)token->kind) && depth-- == 0)
      break;
  }
  if (token->kind != TOKEN_END && token->kind != TOKEN_NEWLINE) {
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
