// parse_expr.c -- expressions, bottom up: atoms, what follows them, operators, and the forms with commas.

#include "syntax/parse.h"

#include <string.h>

// ---- helpers

static Expr *constant(Parser *p, ConstantKind kind)
{
  uint32_t start = p->token->start;
  advance(p);
  Expr *e = EXPR_NEW(p, Constant, start);
  e->Constant.value.kind = kind;
  p->height = 0;
  return e;
}

static Expr *parse_name(Parser *p)
{
  const Token *token = p->token;
  advance(p);
  Expr *e = EXPR_NEW(p, Name, token->start);
  e->Name.id = token_name(p, token);
  p->height = 0;
  return e;
}

bool is_parenthesized(const Parser *p, const Token *first)
{
  return first->kind == TOKEN_LPAR && p->token[-1].kind == TOKEN_RPAR;
}

static bool at_comprehension(const Parser *p)
{
  return at(p, TOKEN_for) || (at(p, TOKEN_async) && p->token[1].kind == TOKEN_for);
}

// star_named_expression: '*' bitwise_or | named_expression
static Expr *parse_star_named(Parser *p)
{
  if (!at(p, TOKEN_STAR))
    return parse_named_expression(p);
  uint32_t start = p->token->start;
  advance(p);
  Expr *value = parse_bitwise_or(p);
  Expr *e = EXPR_NEW(p, Starred, start);
  e->Starred.value = value;
  grow(p, 0);
  return e;
}

// star_expression: '*' bitwise_or | expression
static Expr *parse_star_expression(Parser *p)
{
  return at(p, TOKEN_STAR) ? parse_star_named(p) : parse_any_expression(p);
}

// ---- comprehensions

static Expr *parse_disjunction(Parser *p);

// for_if_clause: ['async'] 'for' star_targets 'in' disjunction ('if' disjunction)*
static Ast_comprehension *parse_clause(Parser *p)
{
  Ast_comprehension *clause = arena_new(p->arena, Ast_comprehension);
  uint32_t start = p->token->start, highest = 0;
  clause->is_async = accept(p, TOKEN_async);
  advance(p);
  clause->target = parse_targets(p);
  highest = p->height;
  expect(p, TOKEN_in);
  clause->iter = parse_disjunction(p);
  highest = higher(highest, p->height);
  size_t base = p->stack.count;
  while (!p->panic && accept(p, TOKEN_if)) {
    push(p, parse_disjunction(p));
    highest = higher(highest, p->height);
  }
  TAKE(p, base, &clause->ifs);
  clause->span = span_from(p, start);
  p->height = highest;
  return clause;
}

static ComprehensionList parse_clauses(Parser *p)
{
  size_t base = p->stack.count;
  uint32_t highest = 0;
  while (!p->panic && at_comprehension(p)) {
    push(p, parse_clause(p));
    highest = higher(highest, p->height);
  }
  ComprehensionList list;
  TAKE(p, base, &list);
  p->height = highest;
  return list;
}

// The element of a comprehension may not be starred.
static void check_element(Parser *p, const Expr *e)
{
  if (e->kind != EXPR_Starred)
    return;
  Diag *diag = syntax_error(p, E_SYNTAX, e->span, "a comprehension makes one item at a time",
                            "iterable unpacking cannot be used in a comprehension");
  error_help(diag, "add another loop: [item for part in parts for item in part]");
}

// ---- brackets

// Items up to `close`, the first of which was pushed at `base`: p->token is the comma after it.
static void parse_more_items(Parser *p, TokenKind close, Expr *item(Parser *))
{
  uint32_t highest = p->height;
  while (!p->panic && accept(p, TOKEN_COMMA)) {
    if (at(p, close))
      break;
    push(p, item(p));
    highest = higher(highest, p->height);
  }
  p->height = highest;
}

// atom: '(' [yield_expr | named_expression | genexp | tuple] ')'
Expr *parse_parenthesized(Parser *p)
{
  const Token *open = p->token;
  advance(p);
  if (at(p, TOKEN_yield)) {
    Expr *e = parse_yield_or_star_expressions(p);
    expect_close(p, TOKEN_RPAR, open);
    grow(p, 0);
    return e;
  }
  size_t base = p->stack.count;
  Expr *first = NULL;
  if (!at(p, TOKEN_RPAR)) {
    first = parse_star_named(p);
    if (at_comprehension(p)) {
      check_element(p, first);
      uint32_t height = p->height;
      ComprehensionList generators = parse_clauses(p);
      expect_close(p, TOKEN_RPAR, open);
      Expr *e = EXPR_NEW(p, GeneratorExp, open->start);
      e->GeneratorExp.elt = first;
      e->GeneratorExp.generators = generators;
      grow(p, height);
      return e;
    }
    if (!at(p, TOKEN_COMMA)) {
      expect_close(p, TOKEN_RPAR, open);
      if (first->kind == EXPR_Starred) {
        Diag *diag = syntax_error(p, E_SYNTAX, first->span, "unpacks into a list, tuple or call",
                                  "a starred expression cannot stand alone");
        error_help(diag, "add a comma to make a tuple of it: (*items,)");
      }
      return first;
    }
    push(p, first);
    parse_more_items(p, TOKEN_RPAR, parse_star_named);
  } else {
    p->height = 0;
  }
  ExprList elts;
  TAKE(p, base, &elts);
  expect_close(p, TOKEN_RPAR, open);
  Expr *e = EXPR_NEW(p, Tuple, open->start);
  e->Tuple.elts = elts;
  grow(p, 0);
  return e;
}

// list: '[' [star_named_expressions] ']'     listcomp: '[' named_expression for_if_clauses ']'
static Expr *parse_list(Parser *p)
{
  const Token *open = p->token;
  advance(p);
  size_t base = p->stack.count;
  p->height = 0;
  if (!at(p, TOKEN_RSQB)) {
    Expr *first = parse_star_named(p);
    if (at_comprehension(p)) {
      check_element(p, first);
      uint32_t height = p->height;
      ComprehensionList generators = parse_clauses(p);
      expect_close(p, TOKEN_RSQB, open);
      Expr *e = EXPR_NEW(p, ListComp, open->start);
      e->ListComp.elt = first;
      e->ListComp.generators = generators;
      grow(p, height);
      return e;
    }
    push(p, first);
    parse_more_items(p, TOKEN_RSQB, parse_star_named);
  }
  ExprList elts;
  TAKE(p, base, &elts);
  expect_close(p, TOKEN_RSQB, open);
  Expr *e = EXPR_NEW(p, List, open->start);
  e->List.elts = elts;
  grow(p, 0);
  return e;
}

// double_starred_kvpair: '**' bitwise_or | expression ':' expression      -- pushes the key (or NULL) and the value
static void parse_pair(Parser *p)
{
  if (accept(p, TOKEN_DOUBLESTAR)) {
    push(p, NULL);
    push(p, parse_bitwise_or(p));
    return;
  }
  Expr *key = parse_any_expression(p);
  uint32_t height = p->height;
  push(p, key);
  if (!accept(p, TOKEN_COLON)) {
    Diag *diag = syntax_error(p, E_SYNTAX, span_of_token(p, p->token), "`:` and a value were expected here",
                              "a dictionary entry has no value");
    error_label(diag, key->span, "this is the key");
    push(p, expr_error(p, p->token->start));
    return;
  }
  if (at(p, TOKEN_COMMA) || at(p, TOKEN_RBRACE)) {
    Diag *diag = syntax_error(p, E_SYNTAX, span_of_token(p, p->token - 1), "a value was expected after this",
                              "a dictionary entry has no value");
    error_label(diag, key->span, "this is the key");
  }
  push(p, parse_any_expression(p));
  p->height = higher(p->height, height);
}

// The rest of a dictionary; its first pair stands on the stack from `base` on.
static Expr *parse_dict_rest(Parser *p, const Token *open, size_t base)
{
  uint32_t highest = p->height;
  while (!p->panic && accept(p, TOKEN_COMMA)) {
    if (at(p, TOKEN_RBRACE))
      break;
    parse_pair(p);
    highest = higher(highest, p->height);
  }
  size_t count = (p->stack.count - base) / 2;
  ExprList keys = {NULL, (uint32_t)count}, values = {NULL, (uint32_t)count};
  if (count) {
    keys.items = arena_array(p->arena, Expr *, count);
    values.items = arena_array(p->arena, Expr *, count);
    for (size_t i = 0; i < count; i++) {
      keys.items[i] = p->stack.items[base + 2 * i];
      values.items[i] = p->stack.items[base + 2 * i + 1];
    }
  }
  p->stack.count = base;
  p->height = highest;
  expect_close(p, TOKEN_RBRACE, open);
  Expr *e = EXPR_NEW(p, Dict, open->start);
  e->Dict.keys = keys;
  e->Dict.values = values;
  grow(p, 0);
  return e;
}

static Expr *parse_dict_comprehension(Parser *p, const Token *open, size_t base)
{
  Expr *key = p->stack.items[base], *value = p->stack.items[base + 1];
  uint32_t height = p->height;
  p->stack.count = base;
  if (!key)
    syntax_error(p, E_SYNTAX, value->span, "a comprehension makes one entry at a time",
                 "dictionary unpacking cannot be used in a comprehension");
  ComprehensionList generators = parse_clauses(p);
  expect_close(p, TOKEN_RBRACE, open);
  Expr *e = EXPR_NEW(p, DictComp, open->start);
  e->DictComp.key = key ? key : value;
  e->DictComp.value = value;
  e->DictComp.generators = generators;
  grow(p, height);
  return e;
}

static Expr *parse_set_rest(Parser *p, const Token *open, Expr *first)
{
  if (at_comprehension(p)) {
    check_element(p, first);
    uint32_t height = p->height;
    ComprehensionList generators = parse_clauses(p);
    expect_close(p, TOKEN_RBRACE, open);
    Expr *e = EXPR_NEW(p, SetComp, open->start);
    e->SetComp.elt = first;
    e->SetComp.generators = generators;
    grow(p, height);
    return e;
  }
  size_t base = p->stack.count;
  push(p, first);
  parse_more_items(p, TOKEN_RBRACE, parse_star_named);
  ExprList elts;
  TAKE(p, base, &elts);
  expect_close(p, TOKEN_RBRACE, open);
  Expr *e = EXPR_NEW(p, Set, open->start);
  e->Set.elts = elts;
  grow(p, 0);
  return e;
}

// dict: '{' [double_starred_kvpairs] '}'    set: '{' star_named_expressions '}'    and their comprehensions
static Expr *parse_braces(Parser *p)
{
  const Token *open = p->token;
  advance(p);
  size_t base = p->stack.count;
  p->height = 0;
  if (at(p, TOKEN_RBRACE))
    return parse_dict_rest(p, open, base);
  if (at(p, TOKEN_DOUBLESTAR)) {
    parse_pair(p);
    return at_comprehension(p) ? parse_dict_comprehension(p, open, base) : parse_dict_rest(p, open, base);
  }
  const Token *before = p->token;
  Expr *first = parse_star_named(p);
  if (!at(p, TOKEN_COLON) || first->kind == EXPR_Starred ||
      (first->kind == EXPR_NamedExpr && !is_parenthesized(p, before)))
    return parse_set_rest(p, open, first);
  uint32_t height = p->height;
  advance(p);
  if (at(p, TOKEN_COMMA) || at(p, TOKEN_RBRACE)) {
    Diag *diag = syntax_error(p, E_SYNTAX, span_of_token(p, p->token - 1), "a value was expected after this",
                              "a dictionary entry has no value");
    error_label(diag, first->span, "this is the key");
  }
  push(p, first);
  push(p, parse_any_expression(p));
  p->height = higher(p->height, height);
  return at_comprehension(p) ? parse_dict_comprehension(p, open, base) : parse_dict_rest(p, open, base);
}

// atom: NAME | 'True' | 'False' | 'None' | strings | NUMBER | '(' ... | '[' ... | '{' ... | '...'
static Expr *parse_atom(Parser *p)
{
  switch ((int)p->token->kind) {
  case TOKEN_NAME: return parse_name(p);
  case TOKEN_NUMBER: return parse_number(p);
  case TOKEN_STRING: return parse_strings(p);
  case TOKEN_None: return constant(p, CONSTANT_NONE);
  case TOKEN_True: return constant(p, CONSTANT_TRUE);
  case TOKEN_False: return constant(p, CONSTANT_FALSE);
  case TOKEN_ELLIPSIS: return constant(p, CONSTANT_ELLIPSIS);
  case TOKEN_LPAR: return parse_parenthesized(p);
  case TOKEN_LSQB: return parse_list(p);
  case TOKEN_LBRACE: return parse_braces(p);
  default: break;
  }
  uint32_t start = p->token->start;
  error_unexpected(p, "an expression");
  return expr_error(p, start);
}

// ---- calls, subscripts, attributes

// What the arguments read so far allow next.
typedef struct ArgumentState {
  const Ast_keyword *first_keyword, *first_unpacked;  // `name=value`, `**mapping`
  uint32_t highest;
} ArgumentState;

static void check_positional(Parser *p, const ArgumentState *state, Span span, bool is_star)
{
  const Ast_keyword *before = state->first_unpacked ? state->first_unpacked : is_star ? NULL : state->first_keyword;
  if (!before)
    return;
  const char *what = is_star ? "iterable argument unpacking" : "positional argument";
  Diag *diag = syntax_error(p, E_ARGUMENT_ORDER, span, is_star ? "must come before `**`" : "has no name",
                            "%s follows %s", what,
                            state->first_unpacked ? "keyword argument unpacking" : "keyword argument");
  error_label(diag, before->span, state->first_unpacked ? "unpacked here" : "given by name here");
  error_help(diag, "put positional arguments first, then keyword arguments, then `**`");
}

static Ast_keyword *keyword_new(Parser *p, uint32_t start, const Name *name, Expr *value)
{
  Ast_keyword *keyword = arena_new(p->arena, Ast_keyword);
  keyword->span = span_from(p, start);
  keyword->arg = name;
  keyword->value = value;
  return keyword;
}

// `x = 1` where the target of a keyword argument must be a plain name.
static void error_keyword_target(Parser *p, const Expr *e, Span equal)
{
  if (e->kind == EXPR_Constant && e->Constant.value.kind <= CONSTANT_TRUE) {
    syntax_error(p, E_ASSIGN_TARGET, e->span, "a keyword of the language", "cannot assign to `%.*s`",
                 (int)(e->span.end - e->span.start), p->text + e->span.start);
    return;
  }
  Diag *diag = syntax_error(p, E_ASSIGN_IN_EXPRESSION, equal, "gives a keyword argument its value",
                            "an argument's name must be a plain name");
  error_label(diag, e->span, expr_describe(e));
  error_help(diag, "to compare, write `==`");
}

// An argument without a name or star; true when it was a bare generator expression.
static bool parse_positional(Parser *p, const Token *open, ArgumentState *state, bool generator_allowed, bool is_only)
{
  const Token *first = p->token;
  Expr *e = parse_named_expression(p);
  if (at(p, TOKEN_EQUAL) && !p->panic) {
    error_keyword_target(p, e, span_of_token(p, p->token));
    push(p, e);
    return false;
  }
  if (at_comprehension(p) && !p->panic) {
    uint32_t height = p->height;
    ComprehensionList generators = parse_clauses(p);
    bool is_alone = generator_allowed && is_only && at(p, TOKEN_RPAR);
    if (!is_alone && !p->panic) {
      Diag *diag = syntax_error(p, E_SYNTAX, span_from(p, first->start),
                                "needs parentheses of its own beside other arguments",
                                "generator expression must be parenthesized");
      error_help(diag, "write (%.*s)", (int)(p->last_end - first->start < 60 ? p->last_end - first->start : 60),
                 p->text + first->start);
    }
    Expr *g = EXPR_NEW(p, GeneratorExp, open->start);
    g->GeneratorExp.elt = e;
    g->GeneratorExp.generators = generators;
    grow(p, height);
    push(p, g);
    return is_alone;
  }
  check_positional(p, state, e->span, false);
  push(p, e);
  return false;
}

// args: ','.(starred_expression | named_expression | NAME '=' expression | '**' expression)+ [',']
void parse_arguments(Parser *p, const Token *open, ExprList *args, KeywordList *keywords, bool generator_allowed)
{
  ArgumentState state = {0};
  size_t base = p->stack.count;
  Vec(void *) named = {0};
  Expr *generator = NULL;
  while (!p->panic && !at(p, TOKEN_RPAR)) {
    uint32_t start = p->token->start;
    p->height = 0;
    if (at(p, TOKEN_STAR)) {
      advance(p);
      Expr *value = parse_any_expression(p);
      Expr *e = EXPR_NEW(p, Starred, start);
      e->Starred.value = value;
      grow(p, 0);
      check_positional(p, &state, e->span, true);
      push(p, e);
    } else if (at(p, TOKEN_DOUBLESTAR)) {
      advance(p);
      Expr *value = parse_any_expression(p);
      Ast_keyword *keyword = keyword_new(p, start, NULL, value);
      if (!state.first_unpacked)
        state.first_unpacked = keyword;
      vec_push(p->scratch, &named, keyword);
    } else if (at(p, TOKEN_NAME) && p->token[1].kind == TOKEN_EQUAL) {
      const Name *name = token_name(p, p->token);
      advance(p);
      advance(p);
      if (at(p, TOKEN_COMMA) || at(p, TOKEN_RPAR))
        syntax_error(p, E_SYNTAX, span_of_token(p, p->token - 1), "a value was expected after this",
                     "keyword argument `%s` has no value", name->str.data);
      Expr *value = parse_any_expression(p);
      Ast_keyword *keyword = keyword_new(p, start, name, value);
      if (!state.first_keyword)
        state.first_keyword = keyword;
      vec_push(p->scratch, &named, keyword);
      if (at_comprehension(p)) {
        Diag *diag = syntax_error(p, E_SYNTAX, span_of_token(p, p->token), "a loop cannot follow a keyword argument",
                                  "invalid argument");
        error_help(diag, "put the generator in parentheses, or write `==` or `:=` for `=`");
      }
    } else {
      if (parse_positional(p, open, &state, generator_allowed, p->stack.count == base && named.count == 0))
        generator = p->stack.items[p->stack.count - 1];
    }
    state.highest = higher(state.highest, p->height);
    if (!accept(p, TOKEN_COMMA))
      break;
  }
  TAKE(p, base, args);
  keywords->count = (uint32_t)named.count;
  keywords->items = NULL;
  if (named.count) {
    keywords->items = arena_array(p->arena, Ast_keyword *, named.count);
    memcpy(keywords->items, named.items, named.count * sizeof(Ast_keyword *));
  }
  p->height = state.highest;
  expect_close(p, TOKEN_RPAR, open);
  if (generator)
    generator->span = span_from(p, open->start);
}

// slice: [expression] ':' [expression] [':' [expression]] | named_expression | '*' expression
static Expr *parse_slice(Parser *p)
{
  uint32_t start = p->token->start, highest = 0;
  if (at(p, TOKEN_STAR)) {
    advance(p);
    Expr *value = parse_any_expression(p);
    Expr *e = EXPR_NEW(p, Starred, start);
    e->Starred.value = value;
    grow(p, 0);
    return e;
  }
  Expr *lower = NULL, *upper = NULL, *step = NULL;
  if (!at(p, TOKEN_COLON)) {
    const Token *first = p->token;
    lower = parse_named_expression(p);
    if (!at(p, TOKEN_COLON))
      return lower;
    if (lower->kind == EXPR_NamedExpr && !is_parenthesized(p, first))
      syntax_error(p, E_SYNTAX, lower->span, "needs parentheses", "`:=` in a slice must be parenthesized");
    highest = p->height;
  }
  advance(p);
  if (!at(p, TOKEN_COLON) && !at(p, TOKEN_COMMA) && !at(p, TOKEN_RSQB)) {
    upper = parse_any_expression(p);
    highest = higher(highest, p->height);
  }
  if (accept(p, TOKEN_COLON) && !at(p, TOKEN_COMMA) && !at(p, TOKEN_RSQB)) {
    step = parse_any_expression(p);
    highest = higher(highest, p->height);
  }
  Expr *e = EXPR_NEW(p, Slice, start);
  e->Slice.lower = lower;
  e->Slice.upper = upper;
  e->Slice.step = step;
  p->height = highest;
  grow(p, 0);
  return e;
}

// slices: slice !',' | ','.slice+ [',']
static Expr *parse_slices(Parser *p)
{
  uint32_t start = p->token->start;
  Expr *first = parse_slice(p);
  if (!at(p, TOKEN_COMMA) && first->kind != EXPR_Starred)
    return first;
  if (first->kind == EXPR_Starred && p->minor_version < 11)
    p->minor_version = 11;
  size_t base = p->stack.count;
  push(p, first);
  parse_more_items(p, TOKEN_RSQB, parse_slice);
  ExprList elts;
  TAKE(p, base, &elts);
  Expr *e = EXPR_NEW(p, Tuple, start);
  e->Tuple.elts = elts;
  grow(p, 0);
  return e;
}

// primary: primary '.' NAME | primary '(' [arguments] ')' | primary genexp | primary '[' slices ']' | atom
static Expr *parse_primary(Parser *p)
{
  uint32_t start = p->token->start;
  Expr *e = parse_atom(p);
  while (!p->panic) {
    if (at(p, TOKEN_DOT)) {
      advance(p);
      const Name *name = expect_name(p, "an attribute's name");
      if (!name)
        return e;
      Expr *value = e;
      e = EXPR_NEW(p, Attribute, start);
      e->Attribute.value = value;
      e->Attribute.attr = name;
      grow(p, 0);
    } else if (at(p, TOKEN_LPAR)) {
      const Token *open = p->token;
      uint32_t height = p->height;
      advance(p);
      ExprList args;
      KeywordList keywords;
      parse_arguments(p, open, &args, &keywords, true);
      Expr *func = e;
      e = EXPR_NEW(p, Call, start);
      e->Call.func = func;
      e->Call.args = args;
      e->Call.keywords = keywords;
      grow(p, height);
    } else if (at(p, TOKEN_LSQB)) {
      const Token *open = p->token;
      uint32_t height = p->height;
      advance(p);
      Expr *slice = parse_slices(p);
      expect_close(p, TOKEN_RSQB, open);
      Expr *value = e;
      e = EXPR_NEW(p, Subscript, start);
      e->Subscript.value = value;
      e->Subscript.slice = slice;
      grow(p, height);
    } else {
      break;
    }
  }
  return e;
}

// ---- operators

typedef struct BinaryOperator {
  uint8_t precedence;  // 0: none
  uint8_t op;          // Operator
} BinaryOperator;

static const BinaryOperator binary_operators[TOKEN_KIND_COUNT] = {
    [TOKEN_VBAR] = {1, OPERATOR_BitOr},        [TOKEN_CIRCUMFLEX] = {2, OPERATOR_BitXor},
    [TOKEN_AMPER] = {3, OPERATOR_BitAnd},      [TOKEN_LEFTSHIFT] = {4, OPERATOR_LShift},
    [TOKEN_RIGHTSHIFT] = {4, OPERATOR_RShift}, [TOKEN_PLUS] = {5, OPERATOR_Add},
    [TOKEN_MINUS] = {5, OPERATOR_Sub},         [TOKEN_STAR] = {6, OPERATOR_Mult},
    [TOKEN_SLASH] = {6, OPERATOR_Div},         [TOKEN_DOUBLESLASH] = {6, OPERATOR_FloorDiv},
    [TOKEN_PERCENT] = {6, OPERATOR_Mod},       [TOKEN_AT] = {6, OPERATOR_MatMult},
};

static Expr *binary_new(Parser *p, uint32_t start, Expr *left, Operator op, Expr *right)
{
  Expr *e = EXPR_NEW(p, BinOp, start);
  e->BinOp.left = left;
  e->BinOp.op = op;
  e->BinOp.right = right;
  return e;
}

static Expr *parse_unary(Parser *p);

// power: ['await'] primary ['**' factor]
static Expr *parse_power(Parser *p)
{
  uint32_t start = p->token->start;
  Expr *e;
  if (at(p, TOKEN_await)) {
    advance(p);
    Expr *value = parse_primary(p);
    e = EXPR_NEW(p, Await, start);
    e->Await.value = value;
    grow(p, 0);
  } else {
    e = parse_primary(p);
  }
  if (!at(p, TOKEN_DOUBLESTAR))
    return e;
  advance(p);
  uint32_t height = p->height;
  Expr *right = parse_unary(p);
  e = binary_new(p, start, e, OPERATOR_Pow, right);
  grow(p, height);
  return e;
}

static bool unary_operator(TokenKind kind, UnaryOp *op)
{
  switch ((int)kind) {
  case TOKEN_PLUS: *op = UNARY_OP_UAdd; return true;
  case TOKEN_MINUS: *op = UNARY_OP_USub; return true;
  case TOKEN_TILDE: *op = UNARY_OP_Invert; return true;
  default: return false;
  }
}

static Expr *unary_new(Parser *p, uint32_t start, UnaryOp op, Expr *operand)
{
  Expr *e = EXPR_NEW(p, UnaryOp, start);
  e->UnaryOp.op = op;
  e->UnaryOp.operand = operand;
  grow(p, 0);
  return e;
}

// factor: ('+' | '-' | '~') factor | power
static Expr *parse_unary(Parser *p)
{
  UnaryOp op;
  uint32_t start = p->token->start;
  Expr *e;
  if (!enter(p, 1)) {
    e = expr_error(p, start);
  } else if (unary_operator((TokenKind)p->token->kind, &op)) {
    advance(p);
    e = parse_unary(p);
    e = unary_new(p, start, op, e);
  } else {
    e = parse_power(p);
  }
  leave(p, 1);
  return e;
}

// The binary operators of `precedence` and above, by precedence climbing.
static Expr *parse_binary(Parser *p, int precedence)
{
  uint32_t start = p->token->start;
  Expr *left = parse_unary(p);
  for (;;) {
    BinaryOperator binary = binary_operators[p->token->kind];
    if (binary.precedence == 0 || binary.precedence < precedence || p->panic)
      return left;
    advance(p);
    uint32_t height = p->height;
    Expr *right = parse_binary(p, binary.precedence + 1);
    left = binary_new(p, start, left, (Operator)binary.op, right);
    grow(p, height);
  }
}

Expr *parse_bitwise_or(Parser *p)
{
  if (!enter(p, EXPRESSION_DEPTH)) {
    leave(p, EXPRESSION_DEPTH);
    return expr_error(p, p->token->start);
  }
  Expr *e = parse_binary(p, 1);
  leave(p, EXPRESSION_DEPTH);
  return e;
}

// The comparison operator at p->token, which is taken; false when there is none.
static bool take_comparison(Parser *p, CmpOp *op)
{
  switch ((int)p->token->kind) {
  case TOKEN_EQEQUAL: *op = CMP_OP_Eq; break;
  case TOKEN_NOTEQUAL: *op = CMP_OP_NotEq; break;
  case TOKEN_LESS: *op = CMP_OP_Lt; break;
  case TOKEN_LESSEQUAL: *op = CMP_OP_LtE; break;
  case TOKEN_GREATER: *op = CMP_OP_Gt; break;
  case TOKEN_GREATEREQUAL: *op = CMP_OP_GtE; break;
  case TOKEN_in: *op = CMP_OP_In; break;
  case TOKEN_is:
    *op = CMP_OP_Is;
    if (p->token[1].kind == TOKEN_not) {
      *op = CMP_OP_IsNot;
      advance(p);
    }
    break;
  case TOKEN_not:
    if (p->token[1].kind != TOKEN_in)
      return false;
    *op = CMP_OP_NotIn;
    advance(p);
    break;
  default: return false;
  }
  advance(p);
  return true;
}

// comparison: bitwise_or (compare_op bitwise_or)*
static Expr *parse_comparison(Parser *p)
{
  uint32_t start = p->token->start;
  Expr *left = parse_binary(p, 1);
  CmpOp op;
  if (p->panic || !take_comparison(p, &op))
    return left;
  uint32_t highest = p->height;
  size_t base = p->stack.count;
  do {
    push(p, (void *)(uintptr_t)op);
    push(p, parse_binary(p, 1));
    highest = higher(highest, p->height);
  } while (!p->panic && take_comparison(p, &op));
  uint32_t count = (uint32_t)((p->stack.count - base) / 2);
  CmpOpList ops = {arena_array(p->arena, CmpOp, count), count};
  ExprList comparators = {arena_array(p->arena, Expr *, count), count};
  for (uint32_t i = 0; i < count; i++) {
    ops.items[i] = (CmpOp)(uintptr_t)p->stack.items[base + 2 * i];
    comparators.items[i] = p->stack.items[base + 2 * i + 1];
  }
  p->stack.count = base;
  Expr *e = EXPR_NEW(p, Compare, start);
  e->Compare.left = left;
  e->Compare.ops = ops;
  e->Compare.comparators = comparators;
  p->height = highest;
  grow(p, 0);
  return e;
}

// inversion: 'not' inversion | comparison
static Expr *parse_inversion(Parser *p)
{
  if (!at(p, TOKEN_not))
    return parse_comparison(p);
  uint32_t start = p->token->start;
  Expr *e;
  if (enter(p, 1)) {
    advance(p);
    e = parse_inversion(p);
    e = unary_new(p, start, UNARY_OP_Not, e);
  } else {
    e = expr_error(p, start);
  }
  leave(p, 1);
  return e;
}

static Expr *parse_bool_op(Parser *p, TokenKind kind, BoolOp op, Expr *operand(Parser *))
{
  uint32_t start = p->token->start;
  Expr *first = operand(p);
  if (!at(p, kind) || p->panic)
    return first;
  uint32_t highest = p->height;
  size_t base = p->stack.count;
  push(p, first);
  while (!p->panic && accept(p, kind)) {
    push(p, operand(p));
    highest = higher(highest, p->height);
  }
  ExprList values;
  TAKE(p, base, &values);
  Expr *e = EXPR_NEW(p, BoolOp, start);
  e->BoolOp.op = op;
  e->BoolOp.values = values;
  p->height = highest;
  grow(p, 0);
  return e;
}

// conjunction: inversion ('and' inversion)*
static Expr *parse_conjunction(Parser *p)
{
  return parse_bool_op(p, TOKEN_and, BOOL_OP_And, parse_inversion);
}

// disjunction: conjunction ('or' conjunction)*
static Expr *parse_disjunction(Parser *p)
{
  Expr *e;
  if (enter(p, EXPRESSION_DEPTH))
    e = parse_bool_op(p, TOKEN_or, BOOL_OP_Or, parse_conjunction);
  else
    e = expr_error(p, p->token->start);
  leave(p, EXPRESSION_DEPTH);
  return e;
}

// ---- lambda, conditional, `:=`

// lambdef: 'lambda' [lambda_params] ':' expression
static Expr *parse_lambda(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  Ast_arguments *args = parse_parameters(p, TOKEN_COLON, false);
  uint32_t height = p->height;
  expect(p, TOKEN_COLON);
  Expr *body = expr_error(p, p->token->start);
  if (enter(p, EXPRESSION_DEPTH) && !p->panic)
    body = parse_any_expression(p);
  leave(p, EXPRESSION_DEPTH);
  Expr *e = EXPR_NEW(p, Lambda, start);
  e->Lambda.args = args;
  e->Lambda.body = body;
  grow(p, height);
  return e;
}

Expr *parse_any_expression(Parser *p)
{
  if (at(p, TOKEN_lambda))
    return parse_lambda(p);
  uint32_t start = p->token->start;
  Expr *body = parse_disjunction(p);
  if (!at(p, TOKEN_if) || p->panic)
    return body;
  const Token *if_token = p->token;
  advance(p);
  uint32_t height = p->height;
  Expr *test = parse_disjunction(p);
  height = higher(height, p->height);
  if (!at(p, TOKEN_else)) {
    if (!p->panic) {
      Diag *diag = syntax_error(p, E_SYNTAX, (Span){p->source_id, p->last_end, p->last_end + 1},
                                "`else` and a value were expected here", "a conditional expression has no `else`");
      error_label(diag, span_of_token(p, if_token), "the condition begins here");
    }
    return expr_error(p, start);
  }
  advance(p);
  Expr *orelse = expr_error(p, p->token->start);
  if (enter(p, 1))
    orelse = parse_any_expression(p);
  leave(p, 1);
  Expr *e = EXPR_NEW(p, IfExp, start);
  e->IfExp.test = test;
  e->IfExp.body = body;
  e->IfExp.orelse = orelse;
  grow(p, height);
  return e;
}

Expr *parse_named_expression(Parser *p)
{
  const Token *first = p->token;
  Expr *e = parse_any_expression(p);
  if (!at(p, TOKEN_COLONEQUAL) || p->panic)
    return e;
  if (e->kind != EXPR_Name || p->token != first + 1) {
    Diag *diag = syntax_error(p, E_ASSIGN_TARGET, e->span, expr_describe(e), "`:=` can only set a plain name");
    error_label(diag, span_of_token(p, p->token), "assigned here");
    return e;
  }
  advance(p);
  e->Name.ctx = CONTEXT_Store;
  Expr *value = parse_any_expression(p);
  Expr *named = EXPR_NEW(p, NamedExpr, first->start);
  named->NamedExpr.target = e;
  named->NamedExpr.value = value;
  grow(p, 0);
  return named;
}

// ---- tuples without parentheses, yield

// One item, or a tuple when commas follow; a comma may end it.
static Expr *parse_open_tuple(Parser *p, Expr *item(Parser *))
{
  uint32_t start = p->token->start;
  Expr *first = item(p);
  if (!at(p, TOKEN_COMMA) || p->panic)
    return first;
  uint32_t highest = p->height;
  size_t base = p->stack.count;
  push(p, first);
  while (!p->panic && accept(p, TOKEN_COMMA) && begins_expression((TokenKind)p->token->kind)) {
    push(p, item(p));
    highest = higher(highest, p->height);
  }
  ExprList elts;
  TAKE(p, base, &elts);
  Expr *e = EXPR_NEW(p, Tuple, start);
  e->Tuple.elts = elts;
  p->height = highest;
  grow(p, 0);
  return e;
}

Expr *parse_star_expressions(Parser *p)
{
  return parse_open_tuple(p, parse_star_expression);
}

// yield_expr: 'yield' 'from' expression | 'yield' [star_expressions]
static Expr *parse_yield(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  if (accept(p, TOKEN_from)) {
    Expr *value = parse_any_expression(p);
    Expr *e = EXPR_NEW(p, YieldFrom, start);
    e->YieldFrom.value = value;
    grow(p, 0);
    return e;
  }
  p->height = 0;
  Expr *value = begins_expression((TokenKind)p->token->kind) ? parse_star_expressions(p) : NULL;
  Expr *e = EXPR_NEW(p, Yield, start);
  e->Yield.value = value;
  grow(p, 0);
  return e;
}

Expr *parse_yield_or_star_expressions(Parser *p)
{
  return at(p, TOKEN_yield) ? parse_yield(p) : parse_star_expressions(p);
}

// ---- targets

static void error_target(Parser *p, const Expr *e, Context context)
{
  if (e->kind == EXPR_Error)
    return;
  const char *verb = context == CONTEXT_Del ? "delete" : "assign to";
  Diag *diag = syntax_error(p, E_ASSIGN_TARGET, e->span, "not something that holds a value", "cannot %s %s", verb,
                            expr_describe(e));
  if (context == CONTEXT_Store && e->kind == EXPR_Compare)
    error_help(diag, "an assignment has a single `=`, a comparison `==`");
  else if (context == CONTEXT_Store)
    error_help(diag, "assign to a name, an attribute or an item; to compare, write `==`");
}

void set_target(Parser *p, Expr *e, Context context)
{
  switch (e->kind) {
  case EXPR_Name: e->Name.ctx = context; return;
  case EXPR_Attribute: e->Attribute.ctx = context; return;
  case EXPR_Subscript: e->Subscript.ctx = context; return;
  case EXPR_Starred:
    if (context == CONTEXT_Del)
      break;
    e->Starred.ctx = context;
    if (e->Starred.value->kind == EXPR_Starred)
      break;
    set_target(p, e->Starred.value, context);
    return;
  case EXPR_List:
  case EXPR_Tuple: {
    ExprList elts = e->kind == EXPR_List ? e->List.elts : e->Tuple.elts;
    if (e->kind == EXPR_List)
      e->List.ctx = context;
    else
      e->Tuple.ctx = context;
    for (uint32_t i = 0; i < elts.count && !p->panic; i++)
      set_target(p, elts.items[i], context);
    return;
  }
  default: break;
  }
  error_target(p, e, context);
}

// '*'? bitwise_or, which takes in every target and stops before `in`
static Expr *parse_target_item(Parser *p)
{
  return at(p, TOKEN_STAR) ? parse_star_named(p) : parse_bitwise_or(p);
}

Expr *parse_targets(Parser *p)
{
  Expr *e = parse_open_tuple(p, parse_target_item);
  if (!p->panic)
    set_target(p, e, CONTEXT_Store);
  return e;
}

Expr *parse_target(Parser *p)
{
  Expr *e = parse_target_item(p);
  if (!p->panic)
    set_target(p, e, CONTEXT_Store);
  return e;
}
