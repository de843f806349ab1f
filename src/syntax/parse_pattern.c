// parse_pattern.c -- the patterns of `case`.

#include "syntax/parse.h"

#include <string.h>

static Pattern *parse_pattern(Parser *p);

static bool is_wildcard(const Parser *p, const Token *token)
{
  return token->kind == TOKEN_NAME && token->end == token->start + 1 && p->text[token->start] == '_';
}

static Pattern *value_pattern(Parser *p, uint32_t start, Expr *value)
{
  Pattern *pattern = PATTERN_NEW(p, MatchValue, start);
  pattern->MatchValue.value = value;
  return pattern;
}

static bool is_imaginary(const Expr *e)
{
  return e->kind == EXPR_Constant && e->Constant.value.kind == CONSTANT_COMPLEX;
}

// signed_number: ['-'] NUMBER      complex_number: ['-'] NUMBER ('+' | '-') NUMBER
static Expr *parse_signed_number(Parser *p)
{
  uint32_t start = p->token->start;
  bool is_negative = accept(p, TOKEN_MINUS);
  if (!at(p, TOKEN_NUMBER)) {
    error_unexpected(p, "a number");
    return expr_error(p, start);
  }
  Expr *e = parse_number(p);
  bool first_imaginary = is_imaginary(e);
  if (is_negative) {
    Expr *operand = e;
    e = EXPR_NEW(p, UnaryOp, start);
    e->UnaryOp.op = UNARY_OP_USub;
    e->UnaryOp.operand = operand;
  }
  if (!at(p, TOKEN_PLUS) && !at(p, TOKEN_MINUS))
    return e;
  Operator op = at(p, TOKEN_PLUS) ? OPERATOR_Add : OPERATOR_Sub;
  advance(p);
  if (!at(p, TOKEN_NUMBER)) {
    error_unexpected(p, "an imaginary number");
    return e;
  }
  Expr *right = parse_number(p);
  if (first_imaginary || !is_imaginary(right))
    syntax_error(p, E_PATTERN, first_imaginary ? e->span : right->span,
                 first_imaginary ? "a real number was expected" : "an imaginary number was expected",
                 "a pattern adds only a real and an imaginary number");
  Expr *sum = EXPR_NEW(p, BinOp, start);
  sum->BinOp.left = e;
  sum->BinOp.op = op;
  sum->BinOp.right = right;
  return sum;
}

// attr: NAME ('.' NAME)*     the name is p->token
static Expr *parse_dotted(Parser *p)
{
  const Token *first = p->token;
  advance(p);
  Expr *e = EXPR_NEW(p, Name, first->start);
  e->Name.id = token_name(p, first);
  while (!p->panic && accept(p, TOKEN_DOT)) {
    const Name *attr = expect_name(p, "an attribute's name");
    if (!attr)
      break;
    Expr *value = e;
    e = EXPR_NEW(p, Attribute, first->start);
    e->Attribute.value = value;
    e->Attribute.attr = attr;
  }
  return e;
}

// pattern_capture_target: !"_" NAME
static const Name *parse_capture(Parser *p)
{
  if (is_wildcard(p, p->token) && !p->panic) {
    Diag *diag = syntax_error(p, E_PATTERN, span_of_token(p, p->token), "matches anything but holds nothing",
                              "`_` cannot be a target here");
    error_help(diag, "use another name");
    return NULL;
  }
  return expect_name(p, "a name");
}

// star_pattern: '*' (NAME | '_')
static Pattern *parse_star_pattern(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  const Name *name = NULL;
  if (is_wildcard(p, p->token))
    advance(p);
  else
    name = expect_name(p, "a name");
  Pattern *pattern = PATTERN_NEW(p, MatchStar, start);
  pattern->MatchStar.name = name;
  return pattern;
}

static Pattern *parse_maybe_star(Parser *p)
{
  return at(p, TOKEN_STAR) ? parse_star_pattern(p) : parse_pattern(p);
}

// ','.maybe_star_pattern+ [','] up to `close`, pushed after the first
static void push_patterns(Parser *p, TokenKind close)
{
  while (!p->panic && accept(p, TOKEN_COMMA)) {
    if (at(p, close))
      break;
    push(p, parse_maybe_star(p));
  }
}

// group_pattern: '(' pattern ')'    sequence_pattern: '[' [patterns] ']' | '(' [patterns] ')'
static Pattern *parse_sequence(Parser *p)
{
  const Token *open = p->token;
  TokenKind close = at(p, TOKEN_LPAR) ? TOKEN_RPAR : TOKEN_RSQB;
  advance(p);
  size_t base = p->stack.count;
  if (!at(p, close)) {
    Pattern *first = parse_maybe_star(p);
    if (close == TOKEN_RPAR && !at(p, TOKEN_COMMA) && first->kind != PATTERN_MatchStar) {
      expect_close(p, close, open);
      return first;
    }
    if (close == TOKEN_RPAR && !at(p, TOKEN_COMMA) && !p->panic)
      syntax_error(p, E_PATTERN, first->span, "needs a comma after it", "a starred pattern stands in a sequence");
    push(p, first);
    push_patterns(p, close);
  }
  PatternList patterns;
  TAKE(p, base, &patterns);
  expect_close(p, close, open);
  Pattern *pattern = PATTERN_NEW(p, MatchSequence, open->start);
  pattern->MatchSequence.patterns = patterns;
  return pattern;
}

// key of a mapping: strings | signed number | None | True | False | NAME ('.' NAME)+
static Expr *parse_key(Parser *p)
{
  uint32_t start = p->token->start;
  switch ((int)p->token->kind) {
  case TOKEN_STRING: return parse_strings(p);
  case TOKEN_NUMBER: case TOKEN_MINUS: return parse_signed_number(p);
  case TOKEN_None: case TOKEN_True: case TOKEN_False: {
    TokenKind kind = (TokenKind)p->token->kind;
    advance(p);
    Expr *e = EXPR_NEW(p, Constant, start);
    e->Constant.value.kind = kind == TOKEN_None ? CONSTANT_NONE : kind == TOKEN_True ? CONSTANT_TRUE : CONSTANT_FALSE;
    return e;
  }
  case TOKEN_NAME:
    if (p->token[1].kind == TOKEN_DOT)
      return parse_dotted(p);
    break;
  default: break;
  }
  error_unexpected(p, "a literal or a dotted name as key");
  return expr_error(p, start);
}

// mapping_pattern: '{' [','.(key ':' pattern)+] [',' '**' NAME] [','] '}'
static Pattern *parse_mapping(Parser *p)
{
  const Token *open = p->token;
  advance(p);
  Vec(void *) keys = {0};
  size_t base = p->stack.count;
  const Name *rest = NULL;
  const Token *rest_token = NULL;
  while (!p->panic && !at(p, TOKEN_RBRACE)) {
    if (rest_token) {
      syntax_error(p, E_PATTERN, span_of_token(p, rest_token), "must be last", "`**` takes the rest of a mapping");
      break;
    }
    if (at(p, TOKEN_DOUBLESTAR)) {
      rest_token = p->token;
      advance(p);
      rest = parse_capture(p);
    } else {
      vec_push(p->scratch, &keys, parse_key(p));
      expect(p, TOKEN_COLON);
      push(p, parse_pattern(p));
    }
    if (!accept(p, TOKEN_COMMA))
      break;
  }
  PatternList patterns;
  TAKE(p, base, &patterns);
  expect_close(p, TOKEN_RBRACE, open);
  Pattern *pattern = PATTERN_NEW(p, MatchMapping, open->start);
  if (keys.count) {
    pattern->MatchMapping.keys = (ExprList){arena_array(p->arena, Expr *, keys.count), (uint32_t)keys.count};
    memcpy(pattern->MatchMapping.keys.items, keys.items, keys.count * sizeof(Expr *));
  }
  pattern->MatchMapping.patterns = patterns;
  pattern->MatchMapping.rest = rest;
  return pattern;
}

// class_pattern: name_or_attr '(' [','.(pattern | NAME '=' pattern)+ [',']] ')'
static Pattern *parse_class_pattern(Parser *p, uint32_t start, Expr *cls)
{
  const Token *open = p->token;
  advance(p);
  Vec(void *) names = {0}, named = {0};
  size_t base = p->stack.count;
  while (!p->panic && !at(p, TOKEN_RPAR)) {
    if (at(p, TOKEN_NAME) && p->token[1].kind == TOKEN_EQUAL) {
      vec_push(p->scratch, &names, (void *)token_name(p, p->token));
      advance(p);
      advance(p);
      vec_push(p->scratch, &named, parse_pattern(p));
    } else {
      Pattern *pattern = parse_pattern(p);
      if (named.count)
        syntax_error(p, E_ARGUMENT_ORDER, pattern->span, "has no name",
                     "positional patterns follow keyword patterns");
      push(p, pattern);
    }
    if (!accept(p, TOKEN_COMMA))
      break;
  }
  PatternList patterns;
  TAKE(p, base, &patterns);
  expect_close(p, TOKEN_RPAR, open);
  Pattern *pattern = PATTERN_NEW(p, MatchClass, start);
  struct Pattern_MatchClass *match = &pattern->MatchClass;
  match->cls = cls;
  match->patterns = patterns;
  if (names.count) {
    uint32_t count = (uint32_t)names.count;
    match->kwd_attrs = (IdentList){arena_array(p->arena, const Name *, count), count};
    match->kwd_patterns = (PatternList){arena_array(p->arena, Pattern *, count), count};
    memcpy(match->kwd_attrs.items, names.items, count * sizeof(void *));
    memcpy(match->kwd_patterns.items, named.items, count * sizeof(void *));
  }
  return pattern;
}

// A capture, a wildcard, a dotted value or a class.
static Pattern *parse_name_pattern(Parser *p)
{
  const Token *first = p->token;
  TokenKind next = (TokenKind)p->token[1].kind;
  if (next != TOKEN_DOT && next != TOKEN_LPAR) {
    const Name *name = is_wildcard(p, first) ? NULL : token_name(p, first);
    advance(p);
    Pattern *pattern = PATTERN_NEW(p, MatchAs, first->start);
    pattern->MatchAs.name = name;
    return pattern;
  }
  Expr *e = parse_dotted(p);
  return at(p, TOKEN_LPAR) ? parse_class_pattern(p, first->start, e) : value_pattern(p, first->start, e);
}

static Pattern *parse_singleton(Parser *p, ConstantKind kind)
{
  uint32_t start = p->token->start;
  advance(p);
  Pattern *pattern = PATTERN_NEW(p, MatchSingleton, start);
  pattern->MatchSingleton.value.kind = kind;
  return pattern;
}

// closed_pattern
static Pattern *parse_closed(Parser *p)
{
  uint32_t start = p->token->start;
  switch ((int)p->token->kind) {
  case TOKEN_NAME: return parse_name_pattern(p);
  case TOKEN_STRING: {
    Expr *value = parse_strings(p);
    return value_pattern(p, start, value);
  }
  case TOKEN_NUMBER: case TOKEN_MINUS: {
    Expr *value = parse_signed_number(p);
    return value_pattern(p, start, value);
  }
  case TOKEN_None: return parse_singleton(p, CONSTANT_NONE);
  case TOKEN_True: return parse_singleton(p, CONSTANT_TRUE);
  case TOKEN_False: return parse_singleton(p, CONSTANT_FALSE);
  case TOKEN_LPAR: case TOKEN_LSQB: return parse_sequence(p);
  case TOKEN_LBRACE: return parse_mapping(p);
  default: break;
  }
  error_unexpected(p, "a pattern");
  return PATTERN_NEW(p, MatchAs, start);
}

// or_pattern: '|'.closed_pattern+
static Pattern *parse_or_pattern(Parser *p)
{
  uint32_t start = p->token->start;
  Pattern *first = parse_closed(p);
  if (!at(p, TOKEN_VBAR) || p->panic)
    return first;
  size_t base = p->stack.count;
  push(p, first);
  while (!p->panic && accept(p, TOKEN_VBAR))
    push(p, parse_closed(p));
  PatternList patterns;
  TAKE(p, base, &patterns);
  Pattern *pattern = PATTERN_NEW(p, MatchOr, start);
  pattern->MatchOr.patterns = patterns;
  return pattern;
}

// pattern: or_pattern ['as' NAME]
static Pattern *parse_pattern(Parser *p)
{
  uint32_t start = p->token->start;
  if (!enter(p, EXPRESSION_DEPTH)) {
    leave(p, EXPRESSION_DEPTH);
    return PATTERN_NEW(p, MatchAs, start);
  }
  Pattern *inner = parse_or_pattern(p);
  leave(p, EXPRESSION_DEPTH);
  if (p->panic || !accept(p, TOKEN_as))
    return inner;
  const Name *name = parse_capture(p);
  Pattern *pattern = PATTERN_NEW(p, MatchAs, start);
  pattern->MatchAs.pattern = inner;
  pattern->MatchAs.name = name;
  return pattern;
}

// patterns: maybe_star_pattern ',' [maybe_star_patterns] | pattern
Pattern *parse_patterns(Parser *p)
{
  uint32_t start = p->token->start;
  Pattern *first = parse_maybe_star(p);
  if (p->panic || (!at(p, TOKEN_COMMA) && first->kind != PATTERN_MatchStar))
    return first;
  if (!at(p, TOKEN_COMMA))
    syntax_error(p, E_PATTERN, first->span, "needs a comma after it", "a starred pattern stands in a sequence");
  size_t base = p->stack.count;
  push(p, first);
  while (!p->panic && accept(p, TOKEN_COMMA)) {
    if (at(p, TOKEN_COLON) || at(p, TOKEN_if))
      break;
    push(p, parse_maybe_star(p));
  }
  PatternList patterns;
  TAKE(p, base, &patterns);
  Pattern *pattern = PATTERN_NEW(p, MatchSequence, start);
  pattern->MatchSequence.patterns = patterns;
  return pattern;
}
