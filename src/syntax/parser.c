// parser.c -- the parser's state and its small tools; the grammar is in parse_expr.c, parse_stmt.c, parse_pattern.c.

#include "syntax/parser.h"

#include "syntax/decode.h"
#include "syntax/parse.h"
#include "syntax/unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool token_is(const Parser *p, const Token *token, const char *text)
{
  return token->kind == TOKEN_NAME && str_is(token_str(p, token), text);
}

bool begins_expression(TokenKind kind)
{
  switch ((int)kind) {
  case TOKEN_NAME: case TOKEN_NUMBER: case TOKEN_STRING: case TOKEN_LPAR: case TOKEN_LSQB: case TOKEN_LBRACE:
  case TOKEN_PLUS: case TOKEN_MINUS: case TOKEN_TILDE: case TOKEN_ELLIPSIS: case TOKEN_STAR: case TOKEN_not:
  case TOKEN_lambda: case TOKEN_await: case TOKEN_None: case TOKEN_True: case TOKEN_False: case TOKEN_ERROR:
    return true;
  default: return false;
  }
}

const Name *token_name(Parser *p, const Token *token)
{
  Str text = token_str(p, token);
  if (token->flags & NAME_NON_ASCII)
    text = unicode_normal_name(p->scratch, text);
  return name_intern(&p->session->names, text);
}

// ---- nodes

#define NODE_NEW(Type)                                                                                                 \
  Type *node = arena_alloc(p->arena, bytes);                                                                           \
  node->kind = (uint16_t)kind;                                                                                         \
  node->span = span_from(p, start);                                                                                    \
  return node

Expr *expr_new(Parser *p, ExprKind kind, size_t bytes, uint32_t start)
{
  NODE_NEW(Expr);
}

Stmt *stmt_new(Parser *p, StmtKind kind, size_t bytes, uint32_t start)
{
  NODE_NEW(Stmt);
}

Pattern *pattern_new(Parser *p, PatternKind kind, size_t bytes, uint32_t start)
{
  NODE_NEW(Pattern);
}

TypeParam *type_param_new(Parser *p, TypeParamKind kind, size_t bytes, uint32_t start)
{
  NODE_NEW(TypeParam);
}

Expr *expr_error(Parser *p, uint32_t start)
{
  p->height = 0;
  return expr_new(p, EXPR_Error, offsetof(Expr, cache) + sizeof(void *), start);
}

void *take_items(Parser *p, size_t base, uint32_t *count)
{
  size_t n = p->stack.count - base;
  *count = (uint32_t)n;
  p->stack.count = base;
  if (n == 0)
    return NULL;
  return memcpy(arena_alloc(p->arena, n * sizeof(void *)), p->stack.items + base, n * sizeof(void *));
}

// ---- depth

bool enter(Parser *p, uint32_t weight)
{
  p->depth += weight;
  if (p->depth <= DEEPEST_RECURSION)
    return true;
  Diag *diag = syntax_error(p, E_TOO_DEEP, span_of_token(p, p->token), "too many levels inside one another here",
                            "the text is nested too deeply");
  error_help(diag, "name a part of the expression and use the name");
  return false;
}

void too_high(Parser *p)
{
  Diag *diag = syntax_error(p, E_TOO_DEEP, span_of_token(p, p->token),
                            "more operators, calls or branches than can stand inside one another",
                            "the expression is too long");
  error_help(diag, "name a part of the expression and use the name");
  p->height = 0;
}

// ---- entry points

// Memory that runs out takes a jump to the caller's handler; `scratch` must be released on that way.
typedef struct Guard {
  Arena scratch;
  jmp_buf handler;
  Arena *arenas[2];
  jmp_buf *outer[2];
} Guard;

static void guard_set(Guard *guard, Session *session, Arena *arena)
{
  guard->scratch = (Arena)ARENA_INIT;
  guard->scratch.on_exhausted = &guard->handler;
  guard->arenas[0] = &session->arena;
  guard->arenas[1] = arena;
  for (int i = 0; i < 2; i++)
    guard->outer[i] = guard->arenas[i]->on_exhausted;
  for (int i = 0; i < 2; i++)
    guard->arenas[i]->on_exhausted = &guard->handler;
}

static void guard_clear(Guard *guard)
{
  for (int i = 0; i < 2; i++)
    guard->arenas[i]->on_exhausted = guard->outer[i];
  arena_free(&guard->scratch);
}

static _Noreturn void guard_pass_on(Guard *guard)
{
  guard_clear(guard);
  if (guard->outer[1])
    longjmp(*guard->outer[1], 1);
  if (guard->outer[0])
    longjmp(*guard->outer[0], 1);
  fputs("klr: out of memory\n", stderr);
  exit(70);
}

static Parser parser_new(Session *session, Arena *arena, Guard *guard, Source *source)
{
  return (Parser){.session = session,
                  .arena = arena,
                  .scratch = &guard->scratch,
                  .source = source,
                  .text = source->text.data,
                  .source_id = session_source_id(session, source),
                  .minor_version = 9};
}

// Errors of the tokenizer come before those of the parser; people read them from top to bottom.
static void sort_diags(Session *session, size_t first, uint32_t source_id)
{
  Diag **items = session->diags.items;
  for (size_t i = first + 1; i < session->diags.count; i++)
    for (size_t j = i; j > first; j--) {
      Span a = items[j - 1]->primary.span, b = items[j]->primary.span;
      if (a.source != source_id || b.source != source_id || a.start <= b.start)
        break;
      Diag *swap = items[j - 1];
      items[j - 1] = items[j];
      items[j] = swap;
    }
}

static const char *docstring_of(Arena *arena, StmtList body)
{
  if (body.count == 0 || body.items[0]->kind != STMT_Expr)
    return NULL;
  Expr *e = body.items[0]->Expr.value;
  if (e->kind != EXPR_Constant || e->Constant.value.kind != CONSTANT_STR)
    return NULL;
  return arena_strndup(arena, e->Constant.value.text.data, e->Constant.value.text.len);
}

static Module *parse_guarded(Session *session, Arena *arena, Source *source, Guard *guard)
{
  size_t diag_count = session->diags.count, error_count = session->error_count;
  Module *module = arena_new(arena, Module);
  module->source = source;
  module->minor_version = 9;
  if (source_decode(session, source)) {
    Parser p = parser_new(session, arena, guard, source);
    TokenList tokens = tokens_scan(session, p.scratch, source, p.source_id);
    p.token = p.statement = tokens.items;
    module->body = parse_file(&p);
    module->docstring = docstring_of(arena, module->body);
    module->comment_count = (uint32_t)tokens.comment_count;
    module->comments = arena_array(arena, Comment, tokens.comment_count);
    if (tokens.comment_count)
      memcpy(module->comments, tokens.comments, tokens.comment_count * sizeof(Comment));
    module->minor_version = p.minor_version;
    sort_diags(session, diag_count, p.source_id);
  }
  module->has_errors = session->error_count > error_count;
  return module;
}

Module *parse_module(Session *session, Arena *arena, Source *source)
{
  Guard guard;
  guard_set(&guard, session, arena);
  if (setjmp(guard.handler))
    guard_pass_on(&guard);
  Module *module = parse_guarded(session, arena, source, &guard);
  guard_clear(&guard);
  return module;
}

static Expr *parse_expression_guarded(Session *session, Arena *arena, Source *source, Guard *guard)
{
  size_t diag_count = session->diags.count, error_count = session->error_count;
  Parser p = parser_new(session, arena, guard, source);
  if (!source_decode(session, source)) {
    p.last_end = (uint32_t)source->text.len;
    return expr_error(&p, 0);
  }
  p.text = source->text.data;
  uint32_t start = 0;  // blanks before it do not matter
  while (start < source->text.len && (p.text[start] == ' ' || p.text[start] == '\t'))
    start++;
  TokenList tokens = tokens_scan_line(session, p.scratch, source, p.source_id, start);
  p.token = p.statement = tokens.items;
  Expr *result = parse_star_expressions(&p);
  while (at(&p, TOKEN_NEWLINE))
    p.token++;
  if (!at(&p, TOKEN_END))
    error_unexpected(&p, "the end of the expression");
  sort_diags(session, diag_count, p.source_id);
  return session->error_count > error_count ? expr_error(&p, start) : result;
}

Expr *parse_expression(Session *session, Arena *arena, Source *source)
{
  Guard guard;
  guard_set(&guard, session, arena);
  if (setjmp(guard.handler))
    guard_pass_on(&guard);
  Expr *result = parse_expression_guarded(session, arena, source, &guard);
  guard_clear(&guard);
  return result;
}
