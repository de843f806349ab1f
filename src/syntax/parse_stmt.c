// parse_stmt.c -- statements, blocks, parameters.

#include "syntax/parse.h"

#include <string.h>

static void parse_statements(Parser *p);
static void push_simple_statements(Parser *p);
static void push_statement(Parser *p);

// ---- recovery

// After an error: to the end of the logical line.
static void skip_line(Parser *p)
{
  if (p->has_given_up)
    return;
  while (!at(p, TOKEN_NEWLINE) && !at(p, TOKEN_END) && !at(p, TOKEN_INDENT) && !at(p, TOKEN_DEDENT))
    advance(p);
}

static bool ends_header(const Parser *p)
{
  TokenKind next = (TokenKind)p->token[1].kind;
  return at(p, TOKEN_COLON) && (next == TOKEN_NEWLINE || next == TOKEN_END);
}

// Does the line end in `:`?
static bool line_has_colon(const Parser *p)
{
  const Token *token = p->token;
  while (token->kind != TOKEN_NEWLINE && token->kind != TOKEN_END)
    token++;
  return token > p->token && token[-1].kind == TOKEN_COLON;
}

// The `:` that ends the header of a compound statement. What stands before it instead is reported and skipped.
static void parse_colon(Parser *p, const char *what)
{
  if (!p->panic && accept(p, TOKEN_COLON))
    return;
  bool is_value = at(p, TOKEN_NAME) || at(p, TOKEN_NUMBER) || at(p, TOKEN_STRING) ||
                  (token_is_keyword((TokenKind)p->token->kind) && !at(p, TOKEN_as));
  bool is_missing = at(p, TOKEN_NEWLINE) || at(p, TOKEN_END) || (is_value && !line_has_colon(p));
  if (!p->panic && is_missing) {
    Diag *diag = syntax_error(p, E_COLON, (Span){p->source_id, p->last_end, p->last_end + 1},
                              "`:` was expected here", "%s has no `:`", what);
    error_help(diag, "the line that begins a block ends in a colon");
  } else if (!p->panic) {
    error_unexpected(p, "`:`");
  }
  if (p->has_given_up)
    return;
  while (!at(p, TOKEN_NEWLINE) && !at(p, TOKEN_END) && !ends_header(p))
    advance(p);
  if (accept(p, TOKEN_COLON) || p->token[1].kind == TOKEN_INDENT)
    p->panic = false;
}

// block: NEWLINE INDENT statements DEDENT | simple_stmts
static StmtList parse_block(Parser *p, const Token *header, const char *what)
{
  size_t base = p->stack.count;
  StmtList body = {0};
  if (p->has_given_up)
    return body;
  if (at(p, TOKEN_NEWLINE) && p->token[1].kind != TOKEN_INDENT) {
    if (!p->panic) {
      bool is_end = p->token[1].kind == TOKEN_END || p->token[1].kind == TOKEN_DEDENT;
      Span next = is_end ? (Span){p->source_id, p->last_end, p->last_end + 1} : span_of_token(p, p->token + 1);
      Diag *diag = syntax_error(p, E_INDENT, next, is_end ? "nothing follows" : "this line is not indented further",
                                "an indented block must follow %s", what);
      error_label(diag, span_of_token(p, header), "begins here");
      error_help(diag, "indent its lines, or write `pass` for an empty one");
    }
    p->token++;
    p->panic = false;
    return body;
  }
  if (at(p, TOKEN_NEWLINE)) {
    p->token += 2;
    p->panic = false;
    parse_statements(p);
    if (at(p, TOKEN_DEDENT))
      p->token++;
  } else {
    push_simple_statements(p);
  }
  TAKE(p, base, &body);
  return body;
}

// ---- simple statements

typedef struct AugmentedOperator {
  bool is_one;
  uint8_t op;
} AugmentedOperator;

static const AugmentedOperator augmented_operators[TOKEN_KIND_COUNT] = {
    [TOKEN_PLUSEQUAL] = {true, OPERATOR_Add},          [TOKEN_MINUSEQUAL] = {true, OPERATOR_Sub},
    [TOKEN_STAREQUAL] = {true, OPERATOR_Mult},         [TOKEN_SLASHEQUAL] = {true, OPERATOR_Div},
    [TOKEN_DOUBLESTAREQUAL] = {true, OPERATOR_Pow},    [TOKEN_DOUBLESLASHEQUAL] = {true, OPERATOR_FloorDiv},
    [TOKEN_PERCENTEQUAL] = {true, OPERATOR_Mod},       [TOKEN_AMPEREQUAL] = {true, OPERATOR_BitAnd},
    [TOKEN_VBAREQUAL] = {true, OPERATOR_BitOr},        [TOKEN_CIRCUMFLEXEQUAL] = {true, OPERATOR_BitXor},
    [TOKEN_LEFTSHIFTEQUAL] = {true, OPERATOR_LShift},  [TOKEN_RIGHTSHIFTEQUAL] = {true, OPERATOR_RShift},
    [TOKEN_ATEQUAL] = {true, OPERATOR_MatMult},
};

static bool is_single_target(const Expr *e)
{
  return e->kind == EXPR_Name || e->kind == EXPR_Attribute || e->kind == EXPR_Subscript;
}

// single_target augassign ~ (yield_expr | star_expressions)
static Stmt *parse_augmented(Parser *p, uint32_t start, Expr *target)
{
  const Token *op = p->token;
  advance(p);
  if (is_single_target(target)) {
    set_target(p, target, CONTEXT_Store);
  } else if (target->kind != EXPR_Error) {
    syntax_error(p, E_ASSIGN_TARGET, target->span, "not a name, an attribute or an item", "`%s` cannot change %s",
                 token_text((TokenKind)op->kind), expr_describe(target));
  }
  Expr *value = parse_yield_or_star_expressions(p);
  Stmt *s = STMT_NEW(p, AugAssign, start);
  s->AugAssign.target = target;
  s->AugAssign.op = (Operator)augmented_operators[op->kind].op;
  s->AugAssign.value = value;
  return s;
}

// target ':' expression ['=' annotated_rhs]
static Stmt *parse_annotated(Parser *p, const Token *first, Expr *target)
{
  bool is_simple = target->kind == EXPR_Name && p->token == first + 1;
  advance(p);
  if (is_single_target(target)) {
    set_target(p, target, CONTEXT_Store);
  } else if (target->kind == EXPR_Tuple || target->kind == EXPR_List) {
    syntax_error(p, E_ASSIGN_TARGET, target->span, "several targets", "only a single target can be annotated, not %s",
                 expr_describe(target));
  } else if (target->kind != EXPR_Error) {
    syntax_error(p, E_ASSIGN_TARGET, target->span, "not a name, an attribute or an item", "%s cannot be annotated",
                 expr_describe(target));
  }
  Expr *annotation = parse_any_expression(p), *value = NULL;
  if (accept(p, TOKEN_EQUAL))
    value = parse_yield_or_star_expressions(p);
  Stmt *s = STMT_NEW(p, AnnAssign, first->start);
  s->AnnAssign.target = target;
  s->AnnAssign.annotation = annotation;
  s->AnnAssign.value = value;
  s->AnnAssign.simple = is_simple;
  return s;
}

// (star_targets '=')+ (yield_expr | star_expressions)
static Stmt *parse_assignment(Parser *p, uint32_t start, Expr *first)
{
  size_t base = p->stack.count;
  Expr *value = first;
  while (!p->panic && accept(p, TOKEN_EQUAL)) {
    set_target(p, value, CONTEXT_Store);
    push(p, value);
    value = parse_yield_or_star_expressions(p);
  }
  ExprList targets;
  TAKE(p, base, &targets);
  Stmt *s = STMT_NEW(p, Assign, start);
  s->Assign.targets = targets;
  s->Assign.value = value;
  return s;
}

// assignment | star_expressions
static Stmt *parse_expression_statement(Parser *p)
{
  const Token *first = p->token;
  Expr *e = parse_yield_or_star_expressions(p);
  if (!p->panic) {
    if (at(p, TOKEN_EQUAL))
      return parse_assignment(p, first->start, e);
    if (augmented_operators[p->token->kind].is_one)
      return parse_augmented(p, first->start, e);
    if (at(p, TOKEN_COLON) && begins_expression((TokenKind)p->token[1].kind))
      return parse_annotated(p, first, e);
  }
  Stmt *s = STMT_NEW(p, Expr, first->start);
  s->Expr.value = e;
  return s;
}

// return_stmt: 'return' [star_expressions]
static Stmt *parse_return(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  Expr *value = begins_expression((TokenKind)p->token->kind) ? parse_star_expressions(p) : NULL;
  Stmt *s = STMT_NEW(p, Return, start);
  s->Return.value = value;
  return s;
}

// raise_stmt: 'raise' [expression ['from' expression]]
static Stmt *parse_raise(Parser *p)
{
  uint32_t start = p->token->start;
  Expr *exc = NULL, *cause = NULL;
  advance(p);
  if (begins_expression((TokenKind)p->token->kind)) {
    exc = parse_any_expression(p);
    if (accept(p, TOKEN_from))
      cause = parse_any_expression(p);
  }
  Stmt *s = STMT_NEW(p, Raise, start);
  s->Raise.exc = exc;
  s->Raise.cause = cause;
  return s;
}

// del_stmt: 'del' ','.del_target+ [',']
static Stmt *parse_delete(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  size_t base = p->stack.count;
  do {
    if (p->stack.count > base && !begins_expression((TokenKind)p->token->kind))
      break;
    Expr *target = parse_bitwise_or(p);
    if (!p->panic)
      set_target(p, target, CONTEXT_Del);
    push(p, target);
  } while (!p->panic && accept(p, TOKEN_COMMA));
  ExprList targets;
  TAKE(p, base, &targets);
  Stmt *s = STMT_NEW(p, Delete, start);
  s->Delete.targets = targets;
  return s;
}

// assert_stmt: 'assert' expression [',' expression]
static Stmt *parse_assert(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  Expr *test = parse_any_expression(p);
  Expr *msg = accept(p, TOKEN_COMMA) ? parse_any_expression(p) : NULL;
  Stmt *s = STMT_NEW(p, Assert, start);
  s->Assert.test = test;
  s->Assert.msg = msg;
  return s;
}

// ('global' | 'nonlocal') ','.NAME+
static Stmt *parse_scope(Parser *p)
{
  const Token *word = p->token;
  advance(p);
  size_t base = p->stack.count;
  do {
    const Name *name = expect_name(p, "a variable's name");
    if (name)
      push(p, (void *)name);
  } while (!p->panic && accept(p, TOKEN_COMMA));
  IdentList names;
  TAKE(p, base, &names);
  Stmt *s = word->kind == TOKEN_global ? STMT_NEW(p, Global, word->start) : STMT_NEW(p, Nonlocal, word->start);
  if (word->kind == TOKEN_global)
    s->Global.names = names;
  else
    s->Nonlocal.names = names;
  return s;
}

// ---- imports

// dotted_name: NAME ('.' NAME)*
static const Name *parse_dotted_name(Parser *p)
{
  const Name *name = expect_name(p, "a module's name");
  if (!at(p, TOKEN_DOT) || !name)
    return name;
  StrBuf whole = strbuf_new(p->scratch);
  strbuf_add(&whole, name->str.data, name->str.len);
  while (!p->panic && accept(p, TOKEN_DOT)) {
    name = expect_name(p, "a module's name");
    if (!name)
      return NULL;
    strbuf_putc(&whole, '.');
    strbuf_add(&whole, name->str.data, name->str.len);
  }
  return name_intern(&p->session->names, strbuf_str(&whole));
}

static void push_alias(Parser *p, uint32_t start, const Name *name)
{
  const Name *asname = NULL;
  if (name && accept(p, TOKEN_as))
    asname = expect_name(p, "a name after `as`");
  if (!name)
    return;
  Ast_alias *alias = arena_new(p->arena, Ast_alias);
  alias->span = span_from(p, start);
  alias->name = name;
  alias->asname = asname;
  push(p, alias);
}

// import_name: 'import' ','.(dotted_name ['as' NAME])+
static Stmt *parse_import(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  size_t base = p->stack.count;
  do {
    uint32_t alias_start = p->token->start;
    push_alias(p, alias_start, parse_dotted_name(p));
  } while (!p->panic && accept(p, TOKEN_COMMA));
  AliasList names;
  TAKE(p, base, &names);
  Stmt *s = STMT_NEW(p, Import, start);
  s->Import.names = names;
  return s;
}

// import_from_targets: '(' ','.import_from_as_name+ [','] ')' | ','.import_from_as_name+ | '*'
static void parse_imported_names(Parser *p)
{
  const Token *open = p->token;
  bool has_parens = accept(p, TOKEN_LPAR);
  do {
    if (has_parens && at(p, TOKEN_RPAR) && p->token[-1].kind == TOKEN_COMMA)
      break;
    const Token *first = p->token;
    if (!has_parens && p->token[-1].kind == TOKEN_COMMA && at(p, TOKEN_NEWLINE)) {
      Diag *diag = syntax_error(p, E_SYNTAX, span_of_token(p, p->token - 1), "another name was expected after this",
                                "trailing comma in an import");
      error_help(diag, "remove it, or put the names in parentheses");
      return;
    }
    push_alias(p, first->start, expect_name(p, "a name to import"));
  } while (!p->panic && accept(p, TOKEN_COMMA));
  if (has_parens)
    expect_close(p, TOKEN_RPAR, open);
}

// import_from: 'from' ('.' | '...')* dotted_name 'import' targets | 'from' ('.' | '...')+ 'import' targets
static Stmt *parse_import_from(Parser *p)
{
  uint32_t start = p->token->start;
  int level = 0;
  advance(p);
  while (at(p, TOKEN_DOT) || at(p, TOKEN_ELLIPSIS)) {
    level += at(p, TOKEN_DOT) ? 1 : 3;
    advance(p);
  }
  const Name *module = NULL;
  if (level == 0 || !at(p, TOKEN_import))
    module = parse_dotted_name(p);
  expect(p, TOKEN_import);
  size_t base = p->stack.count;
  if (at(p, TOKEN_STAR)) {
    const Token *star = p->token;
    advance(p);
    push_alias(p, star->start, name_intern(&p->session->names, STR("*")));
    Ast_alias *alias = p->stack.items[base];
    if (alias->asname)
      syntax_error(p, E_SYNTAX, alias->span, "everything is imported under its own name", "`*` cannot be renamed");
  } else if (!p->panic) {
    parse_imported_names(p);
  }
  AliasList names;
  TAKE(p, base, &names);
  Stmt *s = STMT_NEW(p, ImportFrom, start);
  s->ImportFrom.module = module;
  s->ImportFrom.names = names;
  s->ImportFrom.level = level;
  return s;
}

// ---- type parameters and aliases

// type_param: NAME [':' expression] ['=' expression] | '*' NAME ['=' ...] | '**' NAME ['=' ...]
static TypeParam *parse_type_param(Parser *p)
{
  uint32_t start = p->token->start;
  TokenKind star = (TokenKind)p->token->kind;
  if (star == TOKEN_STAR || star == TOKEN_DOUBLESTAR)
    advance(p);
  const Name *name = expect_name(p, "a type parameter's name");
  Expr *bound = NULL, *default_value = NULL;
  if (star != TOKEN_STAR && star != TOKEN_DOUBLESTAR && accept(p, TOKEN_COLON))
    bound = parse_any_expression(p);
  if (accept(p, TOKEN_EQUAL)) {
    default_value = star == TOKEN_STAR && at(p, TOKEN_STAR) ? parse_star_expressions(p) : parse_any_expression(p);
    p->minor_version = p->minor_version < 13 ? 13 : p->minor_version;
  }
  if (!name)
    name = name_intern(&p->session->names, STR("_"));
  TypeParam *param;
  if (star == TOKEN_STAR) {
    param = TYPE_PARAM_NEW(p, TypeVarTuple, start);
    param->TypeVarTuple.name = name;
    param->TypeVarTuple.default_value = default_value;
  } else if (star == TOKEN_DOUBLESTAR) {
    param = TYPE_PARAM_NEW(p, ParamSpec, start);
    param->ParamSpec.name = name;
    param->ParamSpec.default_value = default_value;
  } else {
    param = TYPE_PARAM_NEW(p, TypeVar, start);
    param->TypeVar.name = name;
    param->TypeVar.bound = bound;
    param->TypeVar.default_value = default_value;
  }
  return param;
}

// type_params: ['[' ','.type_param+ [','] ']']
static TypeParamList parse_type_params(Parser *p)
{
  TypeParamList list = {0};
  if (!at(p, TOKEN_LSQB))
    return list;
  const Token *open = p->token;
  advance(p);
  p->minor_version = p->minor_version < 12 ? 12 : p->minor_version;
  size_t base = p->stack.count;
  do {
    if (at(p, TOKEN_RSQB) && p->stack.count > base)
      break;
    push(p, parse_type_param(p));
  } while (!p->panic && accept(p, TOKEN_COMMA));
  TAKE(p, base, &list);
  expect_close(p, TOKEN_RSQB, open);
  return list;
}

// type_alias: "type" NAME [type_params] '=' expression
static Stmt *parse_type_alias(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  p->minor_version = p->minor_version < 12 ? 12 : p->minor_version;
  uint32_t name_start = p->token->start;
  const Name *id = expect_name(p, "a name for the type");
  Expr *name = EXPR_NEW(p, Name, name_start);
  name->Name.id = id;
  name->Name.ctx = CONTEXT_Store;
  TypeParamList params = parse_type_params(p);
  expect(p, TOKEN_EQUAL);
  Expr *value = parse_any_expression(p);
  Stmt *s = STMT_NEW(p, TypeAlias, start);
  s->TypeAlias.name = name;
  s->TypeAlias.type_params = params;
  s->TypeAlias.value = value;
  return s;
}

// ---- parameters

typedef struct ParameterState {
  Ast_arguments *args;
  Vec(void *) positional, kwonly, defaults, kw_defaults;
  const Token *slash, *star;
  const Ast_arg *first_default;
  bool star_is_bare;
  uint32_t highest;
} ParameterState;

// param: NAME [':' expression]        with `star`, the annotation may be starred
static Ast_arg *parse_parameter(Parser *p, bool annotated, bool star)
{
  uint32_t start = p->token->start;
  const Name *name = expect_name(p, "a parameter's name");
  if (!name)
    return NULL;
  Expr *annotation = NULL;
  if (annotated && accept(p, TOKEN_COLON)) {
    if (star && at(p, TOKEN_STAR)) {
      uint32_t star_start = p->token->start;
      p->minor_version = p->minor_version < 11 ? 11 : p->minor_version;
      advance(p);
      Expr *value = parse_bitwise_or(p);
      annotation = EXPR_NEW(p, Starred, star_start);
      annotation->Starred.value = value;
    } else {
      annotation = parse_any_expression(p);
    }
  }
  Ast_arg *arg = arena_new(p->arena, Ast_arg);
  arg->span = span_from(p, start);
  arg->arg = name;
  arg->annotation = annotation;
  return arg;
}

// '*' [param] | '**' param     -- p->token is the star
static void parse_starred_parameter(Parser *p, ParameterState *state, bool annotated, TokenKind close)
{
  const Token *star = p->token;
  advance(p);
  if (star->kind == TOKEN_DOUBLESTAR) {
    state->args->kwarg = parse_parameter(p, annotated, false);
    if (at(p, TOKEN_EQUAL))
      syntax_error(p, E_PARAMETER, span_of_token(p, p->token), "it is always a dictionary",
                   "the `**` parameter cannot have a default");
    return;
  }
  if (state->star) {
    Diag *diag = syntax_error(p, E_PARAMETER, span_of_token(p, star), "a second `*`",
                              "`*` may stand only once among parameters");
    error_label(diag, span_of_token(p, state->star), "the first is here");
    return;
  }
  state->star = star;
  if (at(p, TOKEN_COMMA)) {
    TokenKind next = (TokenKind)p->token[1].kind;
    state->star_is_bare = true;
    if (next == close || next == TOKEN_DOUBLESTAR)
      syntax_error(p, E_PARAMETER, span_of_token(p, star), "only named parameters can follow it",
                   "named parameters must follow a bare `*`");
    return;
  }
  if (at(p, close)) {
    syntax_error(p, E_PARAMETER, span_of_token(p, star), "only named parameters can follow it",
                 "named parameters must follow a bare `*`");
    return;
  }
  state->args->vararg = parse_parameter(p, annotated, true);
  if (at(p, TOKEN_EQUAL))
    syntax_error(p, E_PARAMETER, span_of_token(p, p->token), "it is always a tuple",
                 "the `*` parameter cannot have a default");
}

static void parse_slash(Parser *p, ParameterState *state)
{
  const Token *slash = p->token;
  if (state->slash || state->star) {
    Diag *diag = syntax_error(p, E_PARAMETER, span_of_token(p, slash), "not here",
                              state->slash ? "`/` may stand only once among parameters"
                                           : "`/` must stand before `*`");
    error_label(diag, span_of_token(p, state->slash ? state->slash : state->star), "the other is here");
  } else if (state->positional.count == 0) {
    syntax_error(p, E_PARAMETER, span_of_token(p, slash), "it ends the positional-only parameters",
                 "at least one parameter must stand before `/`");
  }
  advance(p);
  state->slash = slash;
  uint32_t count = (uint32_t)state->positional.count;
  state->args->posonlyargs.count = count;
  state->args->posonlyargs.items = arena_array(p->arena, Ast_arg *, count);
  if (count)
    memcpy(state->args->posonlyargs.items, state->positional.items, count * sizeof(Ast_arg *));
  state->positional.count = 0;
}

static void parse_plain_parameter(Parser *p, ParameterState *state, bool annotated)
{
  if (at(p, TOKEN_LPAR) && !p->panic) {
    Diag *diag = syntax_error(p, E_PYTHON_2, span_of_token(p, p->token), "a name was expected here",
                              "a parameter cannot be a tuple");
    error_help(diag, "take the tuple under one name and unpack it in the body: a, b = pair");
    return;
  }
  Ast_arg *arg = parse_parameter(p, annotated, false);
  if (!arg)
    return;
  Expr *value = NULL;
  if (accept(p, TOKEN_EQUAL)) {
    value = parse_any_expression(p);
    state->highest = higher(state->highest, p->height);
  }
  if (state->star) {
    vec_push(p->scratch, &state->kwonly, arg);
    vec_push(p->scratch, &state->kw_defaults, value);
    return;
  }
  vec_push(p->scratch, &state->positional, arg);
  if (value) {
    vec_push(p->scratch, &state->defaults, value);
    if (!state->first_default)
      state->first_default = arg;
  } else if (state->first_default) {
    Diag *diag = syntax_error(p, E_PARAMETER, arg->span, "needs a default, too",
                              "parameter `%s` without a default follows one with a default", arg->arg->str.data);
    error_label(diag, state->first_default->span, "has a default");
  }
}

static void *copy_items(Parser *p, void **items, size_t count)
{
  return count ? memcpy(arena_array(p->arena, void *, count), items, count * sizeof *items) : NULL;
}

// parameters: ','.(param ['=' expression] | '/' | '*' [param] | '**' param)+ [',']
Ast_arguments *parse_parameters(Parser *p, TokenKind close, bool annotated)
{
  ParameterState state = {.args = arena_new(p->arena, Ast_arguments)};
  Ast_arguments *args = state.args;
  uint32_t start = p->token->start;
  while (!p->panic && !at(p, close)) {
    if (args->kwarg) {
      Diag *diag = syntax_error(p, E_PARAMETER, span_of_token(p, p->token), "not here",
                                "no parameter can follow the `**` parameter");
      error_label(diag, args->kwarg->span, "it takes all the rest");
      break;
    }
    p->height = 0;
    if (at(p, TOKEN_STAR) || at(p, TOKEN_DOUBLESTAR))
      parse_starred_parameter(p, &state, annotated, close);
    else if (at(p, TOKEN_SLASH))
      parse_slash(p, &state);
    else
      parse_plain_parameter(p, &state, annotated);
    if (!accept(p, TOKEN_COMMA))
      break;
  }
  args->args = (ArgList){copy_items(p, state.positional.items, state.positional.count),
                         (uint32_t)state.positional.count};
  args->kwonlyargs = (ArgList){copy_items(p, state.kwonly.items, state.kwonly.count), (uint32_t)state.kwonly.count};
  args->defaults = (ExprList){copy_items(p, state.defaults.items, state.defaults.count),
                              (uint32_t)state.defaults.count};
  args->kw_defaults = (ExprList){copy_items(p, state.kw_defaults.items, state.kw_defaults.count),
                                 (uint32_t)state.kw_defaults.count};
  args->span = span_from(p, start);
  p->height = state.highest;
  return args;
}

// ---- functions and classes

// function_def: ['async'] 'def' NAME [type_params] '(' [params] ')' ['->' expression] ':' block
static Stmt *parse_function(Parser *p, uint32_t start, ExprList decorators, bool is_async)
{
  const Token *header = p->token;
  advance(p);
  const Name *name = expect_name(p, "the function's name");
  struct Stmt_FunctionDef def = {.name = name, .decorator_list = decorators};
  def.type_params = parse_type_params(p);
  const Token *open = p->token;
  if (expect(p, TOKEN_LPAR)) {
    def.args = parse_parameters(p, TOKEN_RPAR, true);
    expect_close(p, TOKEN_RPAR, open);
  } else {
    def.args = arena_new(p->arena, Ast_arguments);
  }
  if (accept(p, TOKEN_RARROW))
    def.returns = parse_any_expression(p);
  parse_colon(p, "the function definition");
  def.body = parse_block(p, header, "a function definition");
  if (!name)
    return NULL;
  if (!is_async) {
    Stmt *s = STMT_NEW(p, FunctionDef, start);
    s->FunctionDef = def;
    return s;
  }
  Stmt *s = STMT_NEW(p, AsyncFunctionDef, start);
  s->AsyncFunctionDef = (struct Stmt_AsyncFunctionDef){.name = def.name,
                                                       .args = def.args,
                                                       .body = def.body,
                                                       .decorator_list = def.decorator_list,
                                                       .returns = def.returns,
                                                       .type_params = def.type_params};
  return s;
}

// class_def: 'class' NAME [type_params] ['(' [arguments] ')'] ':' block
static Stmt *parse_class(Parser *p, ExprList decorators)
{
  const Token *header = p->token;
  advance(p);
  const Name *name = expect_name(p, "the class's name");
  struct Stmt_ClassDef def = {.name = name, .decorator_list = decorators};
  def.type_params = parse_type_params(p);
  const Token *open = p->token;
  if (accept(p, TOKEN_LPAR))
    parse_arguments(p, open, &def.bases, &def.keywords, false);
  parse_colon(p, "the class definition");
  def.body = parse_block(p, header, "a class definition");
  if (!name)
    return NULL;
  Stmt *s = STMT_NEW(p, ClassDef, header->start);
  s->ClassDef = def;
  return s;
}

// decorators: ('@' named_expression NEWLINE)+
static Stmt *parse_decorated(Parser *p)
{
  size_t base = p->stack.count;
  while (accept(p, TOKEN_AT)) {
    push(p, parse_named_expression(p));
    if (!at(p, TOKEN_NEWLINE) && !p->panic)
      error_unexpected(p, "the end of the line");
    if (p->panic)
      skip_line(p);
    p->panic = false;
    if (at(p, TOKEN_NEWLINE))
      p->token++;
  }
  ExprList decorators;
  TAKE(p, base, &decorators);
  uint32_t start = p->token->start;
  if (at(p, TOKEN_def))
    return parse_function(p, start, decorators, false);
  if (at(p, TOKEN_class))
    return parse_class(p, decorators);
  if (at(p, TOKEN_async) && p->token[1].kind == TOKEN_def) {
    advance(p);
    return parse_function(p, start, decorators, true);
  }
  error_unexpected(p, "a function or class");
  return NULL;
}

// ---- compound statements

// elif_stmt and else_block after an `if`: ('elif' named_expression ':' block)* ['else' ':' block]
static Stmt *parse_if(Parser *p, uint32_t depth);

static StmtList parse_else(Parser *p)
{
  if (!at(p, TOKEN_else))
    return (StmtList){0};
  const Token *header = p->token;
  advance(p);
  if (at(p, TOKEN_if) && !p->panic) {
    Diag *diag = syntax_error(p, E_STATEMENT_PART, (Span){p->source_id, header->start, p->token->end},
                              "`elif` was expected", "`else if` is not Python");
    error_help(diag, "write `elif`");
  }
  parse_colon(p, "`else`");
  return parse_block(p, header, "`else`");
}

// if_stmt: 'if' named_expression ':' block (elif_stmt | [else_block])
static Stmt *parse_if(Parser *p, uint32_t depth)
{
  const Token *header = p->token;
  const char *what = at(p, TOKEN_if) ? "`if`" : "`elif`";
  advance(p);
  Expr *test = parse_named_expression(p);
  parse_colon(p, what);
  StmtList body = parse_block(p, header, what), orelse = {0};
  if (at(p, TOKEN_elif)) {
    size_t base = p->stack.count;
    if (depth >= HIGHEST_TREE) {
      Diag *diag = syntax_error(p, E_TOO_DEEP, span_of_token(p, p->token), "one too many",
                                "too many `elif` branches");
      error_help(diag, "choose through a dictionary instead");
      return STMT_NEW_PLAIN(p, Error, header->start);
    }
    push(p, parse_if(p, depth + 1));
    TAKE(p, base, &orelse);
  } else {
    orelse = parse_else(p);
  }
  Stmt *s = STMT_NEW(p, If, header->start);
  s->If.test = test;
  s->If.body = body;
  s->If.orelse = orelse;
  return s;
}

// while_stmt: 'while' named_expression ':' block [else_block]
static Stmt *parse_while(Parser *p)
{
  const Token *header = p->token;
  advance(p);
  Expr *test = parse_named_expression(p);
  parse_colon(p, "`while`");
  StmtList body = parse_block(p, header, "`while`");
  StmtList orelse = parse_else(p);
  Stmt *s = STMT_NEW(p, While, header->start);
  s->While.test = test;
  s->While.body = body;
  s->While.orelse = orelse;
  return s;
}

// for_stmt: ['async'] 'for' star_targets 'in' star_expressions ':' block [else_block]
static Stmt *parse_for(Parser *p, uint32_t start, bool is_async)
{
  const Token *header = p->token;
  advance(p);
  struct Stmt_For loop = {0};
  loop.target = parse_targets(p);
  expect(p, TOKEN_in);
  loop.iter = p->panic ? loop.target : parse_star_expressions(p);
  parse_colon(p, "`for`");
  loop.body = parse_block(p, header, "`for`");
  loop.orelse = parse_else(p);
  if (!is_async) {
    Stmt *s = STMT_NEW(p, For, start);
    s->For = loop;
    return s;
  }
  Stmt *s = STMT_NEW(p, AsyncFor, start);
  s->AsyncFor = (struct Stmt_AsyncFor){
      .target = loop.target, .iter = loop.iter, .body = loop.body, .orelse = loop.orelse};
  return s;
}

// with_item: expression ['as' star_target]
static void push_with_item(Parser *p)
{
  uint32_t start = p->token->start;
  Ast_withitem *item = arena_new(p->arena, Ast_withitem);
  item->context_expr = parse_any_expression(p);
  if (accept(p, TOKEN_as))
    item->optional_vars = parse_target(p);
  item->span = span_from(p, start);
  push(p, item);
}

// Is the `(` at p->token the start of a list of items, as in `with (a as b, c):`? It is when its `)` is followed by
// the colon, unless what it holds can only be one expression.
static bool at_item_list(const Parser *p)
{
  int depth = 0;
  const Token *token = p->token;
  bool can_be_items = true;
  for (;; token++) {
    switch ((int)token->kind) {
    case TOKEN_LPAR: case TOKEN_LSQB: case TOKEN_LBRACE: depth++; break;
    case TOKEN_RPAR: case TOKEN_RSQB: case TOKEN_RBRACE:
      depth--;
      if (depth == 0)
        return can_be_items && token > p->token + 1 && token[1].kind == TOKEN_COLON;
      break;
    case TOKEN_COLONEQUAL: case TOKEN_yield: case TOKEN_for: can_be_items &= depth > 1; break;
    case TOKEN_STAR:
      if (depth == 1 && (token[-1].kind == TOKEN_LPAR || token[-1].kind == TOKEN_COMMA))
        can_be_items = false;
      break;
    case TOKEN_NEWLINE: case TOKEN_END: return false;
    default: break;
    }
  }
}

// with_stmt: ['async'] 'with' ('(' ','.with_item+ [','] ')' | ','.with_item+) ':' block
static Stmt *parse_with(Parser *p, uint32_t start, bool is_async)
{
  const Token *header = p->token;
  advance(p);
  size_t base = p->stack.count;
  const Token *open = p->token;
  bool has_parens = at(p, TOKEN_LPAR) && at_item_list(p);
  if (has_parens)
    advance(p);
  do {
    if (has_parens && at(p, TOKEN_RPAR))
      break;
    push_with_item(p);
  } while (!p->panic && accept(p, TOKEN_COMMA));
  struct Stmt_With with = {0};
  TAKE(p, base, &with.items);
  if (has_parens)
    expect_close(p, TOKEN_RPAR, open);
  parse_colon(p, "`with`");
  with.body = parse_block(p, header, "`with`");
  if (!is_async) {
    Stmt *s = STMT_NEW(p, With, start);
    s->With = with;
    return s;
  }
  Stmt *s = STMT_NEW(p, AsyncWith, start);
  s->AsyncWith = (struct Stmt_AsyncWith){.items = with.items, .body = with.body};
  return s;
}

// except_block: 'except' ['*'] [expression ['as' NAME]] ':' block
static Ast_ExceptHandler *parse_handler(Parser *p, bool *is_star)
{
  const Token *header = p->token;
  Ast_ExceptHandler *handler = arena_new(p->arena, Ast_ExceptHandler);
  advance(p);
  *is_star = accept(p, TOKEN_STAR);
  if (*is_star && p->minor_version < 11)
    p->minor_version = 11;
  if (!at(p, TOKEN_COLON)) {
    const Token *first = p->token;
    handler->type = parse_any_expression(p);
    if (accept(p, TOKEN_as)) {
      handler->name = expect_name(p, "a name for the exception");
    } else if (at(p, TOKEN_COMMA) && !p->panic) {
      Diag *diag = syntax_error(p, E_PYTHON_2, span_of_token(p, p->token), "not a separator here",
                                "several exception types need parentheses");
      error_help(diag, "write `except (%.*s, ...):` to catch several, `except ... as name:` to name what was caught",
                 (int)(p->last_end - first->start), p->text + first->start);
    }
  } else if (*is_star) {
    syntax_error(p, E_STATEMENT_PART, span_of_token(p, p->token), "a type was expected before this",
                 "`except*` needs an exception type");
  }
  parse_colon(p, "`except`");
  handler->body = parse_block(p, header, "`except`");
  handler->span = span_from(p, header->start);
  return handler;
}

// try_stmt: 'try' ':' block (finally_block | except_block+ [else_block] [finally_block])
static Stmt *parse_try(Parser *p)
{
  const Token *header = p->token;
  advance(p);
  parse_colon(p, "`try`");
  struct Stmt_Try try = {0};
  try.body = parse_block(p, header, "`try`");
  size_t base = p->stack.count;
  bool any_star = false, any_plain = false;
  while (at(p, TOKEN_except)) {
    const Token *except = p->token;
    bool is_star;
    push(p, parse_handler(p, &is_star));
    any_star |= is_star;
    any_plain |= !is_star;
    if (any_star && any_plain && !p->panic) {
      syntax_error(p, E_STATEMENT_PART, span_of_token(p, except), "of another sort than those before",
                   "`except` and `except*` cannot be mixed in one `try`");
      p->panic = false;
    }
  }
  TAKE(p, base, &try.handlers);
  if (try.handlers.count)
    try.orelse = parse_else(p);
  if (at(p, TOKEN_finally)) {
    const Token *finally = p->token;
    advance(p);
    parse_colon(p, "`finally`");
    try.finalbody = parse_block(p, finally, "`finally`");
  } else if (try.handlers.count == 0 && !p->panic) {
    Diag *diag = syntax_error(p, E_STATEMENT_PART, span_of_token(p, p->token), "`except` or `finally` was expected",
                              "`try` has neither `except` nor `finally`");
    error_label(diag, span_of_token(p, header), "this one");
    p->panic = false;
  }
  if (!any_star) {
    Stmt *s = STMT_NEW(p, Try, header->start);
    s->Try = try;
    return s;
  }
  Stmt *s = STMT_NEW(p, TryStar, header->start);
  s->TryStar = (struct Stmt_TryStar){
      .body = try.body, .handlers = try.handlers, .orelse = try.orelse, .finalbody = try.finalbody};
  return s;
}

// ---- match

// Is the name `match` at p->token a statement's beginning? It is when the line ends in `:` and a `case` block follows.
static bool at_match(const Parser *p)
{
  const Token *token = p->token;
  if (!token_is(p, token, "match"))
    return false;
  while (token->kind != TOKEN_NEWLINE && token->kind != TOKEN_END)
    token++;
  return token > p->token + 2 && token[-1].kind == TOKEN_COLON && token->kind == TOKEN_NEWLINE &&
         token[1].kind == TOKEN_INDENT && token_is(p, token + 2, "case");
}

// case_block: "case" patterns ['if' named_expression] ':' block
static Ast_match_case *parse_case(Parser *p)
{
  const Token *header = p->token;
  Ast_match_case *item = arena_new(p->arena, Ast_match_case);
  advance(p);
  item->pattern = parse_patterns(p);
  if (accept(p, TOKEN_if))
    item->guard = parse_named_expression(p);
  parse_colon(p, "`case`");
  item->body = parse_block(p, header, "`case`");
  item->span = span_from(p, header->start);
  return item;
}

// star_named_expression ',' star_named_expressions? | named_expression
static Expr *parse_subject(Parser *p)
{
  uint32_t start = p->token->start;
  size_t base = p->stack.count;
  bool starts_with_star = at(p, TOKEN_STAR);  // then the whole list is read at once
  Expr *first = starts_with_star ? parse_star_expressions(p) : parse_named_expression(p);
  if (first->kind == EXPR_Starred && !p->panic)
    error_help(syntax_error(p, E_SYNTAX, first->span, "unpacks into a list, tuple or call",
                            "a starred expression cannot stand alone"),
               "add a comma to make a tuple of it: *items,");
  if (starts_with_star || !at(p, TOKEN_COMMA) || p->panic)
    return first;
  push(p, first);
  while (!p->panic && accept(p, TOKEN_COMMA) && begins_expression((TokenKind)p->token->kind)) {
    if (at(p, TOKEN_STAR)) {
      uint32_t star = p->token->start;
      advance(p);
      Expr *value = parse_bitwise_or(p);
      Expr *starred = EXPR_NEW(p, Starred, star);
      starred->Starred.value = value;
      push(p, starred);
    } else {
      push(p, parse_named_expression(p));
    }
  }
  ExprList elts;
  TAKE(p, base, &elts);
  Expr *e = EXPR_NEW(p, Tuple, start);
  e->Tuple.elts = elts;
  return e;
}

// match_stmt: "match" subject_expr ':' NEWLINE INDENT case_block+ DEDENT
static Stmt *parse_match(Parser *p)
{
  const Token *header = p->token;
  p->minor_version = p->minor_version < 10 ? 10 : p->minor_version;
  advance(p);
  Expr *subject = parse_subject(p);
  parse_colon(p, "`match`");
  p->panic = false;
  size_t base = p->stack.count;
  p->token += at(p, TOKEN_NEWLINE);
  p->token += at(p, TOKEN_INDENT);
  while (!at(p, TOKEN_DEDENT) && !at(p, TOKEN_END)) {
    if (token_is(p, p->token, "case")) {
      push(p, parse_case(p));
      continue;
    }
    error_unexpected(p, "`case`");
    skip_line(p);
    p->panic = false;
    size_t skipped = p->stack.count;  // what belongs to the line that was not understood
    p->token += at(p, TOKEN_NEWLINE);
    if (at(p, TOKEN_INDENT)) {
      p->token++;
      parse_statements(p);
      p->token += at(p, TOKEN_DEDENT);
    }
    p->stack.count = skipped;
  }
  if (at(p, TOKEN_DEDENT))
    p->token++;
  MatchCaseList cases;
  TAKE(p, base, &cases);
  Stmt *s = STMT_NEW(p, Match, header->start);
  s->Match.subject = subject;
  s->Match.cases = cases;
  return s;
}

// ---- all statements

// simple_stmt: one of those that fit on a line
static Stmt *parse_simple(Parser *p)
{
  uint32_t start = p->token->start;
  switch ((int)p->token->kind) {
  case TOKEN_return: return parse_return(p);
  case TOKEN_import: return parse_import(p);
  case TOKEN_from: return parse_import_from(p);
  case TOKEN_raise: return parse_raise(p);
  case TOKEN_del: return parse_delete(p);
  case TOKEN_assert: return parse_assert(p);
  case TOKEN_global: case TOKEN_nonlocal: return parse_scope(p);
  case TOKEN_pass: advance(p); return STMT_NEW_PLAIN(p, Pass, start);
  case TOKEN_break: advance(p); return STMT_NEW_PLAIN(p, Break, start);
  case TOKEN_continue: advance(p); return STMT_NEW_PLAIN(p, Continue, start);
  case TOKEN_NAME:
    if (p->token[1].kind == TOKEN_NAME && token_is(p, p->token, "type"))
      return parse_type_alias(p);
    return parse_expression_statement(p);
  default: return parse_expression_statement(p);
  }
}

// simple_stmts: ';'.simple_stmt+ [';'] NEWLINE      -- pushes all of them
static void push_simple_statements(Parser *p)
{
  for (;;) {
    uint32_t start = p->token->start;
    p->statement = p->token;
    Stmt *s = parse_simple(p);
    push(p, p->panic ? STMT_NEW_PLAIN(p, Error, start) : s);
    if (p->panic || !accept(p, TOKEN_SEMI) || at(p, TOKEN_NEWLINE) || at(p, TOKEN_END))
      break;
  }
  if (!at(p, TOKEN_NEWLINE) && !at(p, TOKEN_END) && !p->panic)
    error_unexpected(p, "the end of the statement");
  bool has_failed = p->panic;
  if (has_failed)
    skip_line(p);
  p->panic = false;
  if (at(p, TOKEN_NEWLINE))
    p->token++;
  if (has_failed && at(p, TOKEN_INDENT)) {  // the block of what was not understood
    p->token++;
    parse_statements(p);
    p->token += at(p, TOKEN_DEDENT);
  }
}

static Stmt *parse_async(Parser *p)
{
  uint32_t start = p->token->start;
  advance(p);
  switch ((int)p->token->kind) {
  case TOKEN_def: return parse_function(p, start, (ExprList){0}, true);
  case TOKEN_for: return parse_for(p, start, true);
  case TOKEN_with: return parse_with(p, start, true);
  default: break;
  }
  error_unexpected(p, "`def`, `for` or `with`");
  return NULL;
}

// The compound statement at p->token; false when there is none. `*out` may be NULL after an error.
static bool parse_compound(Parser *p, Stmt **out)
{
  switch ((int)p->token->kind) {
  case TOKEN_def: *out = parse_function(p, p->token->start, (ExprList){0}, false); return true;
  case TOKEN_if: *out = parse_if(p, 0); return true;
  case TOKEN_class: *out = parse_class(p, (ExprList){0}); return true;
  case TOKEN_for: *out = parse_for(p, p->token->start, false); return true;
  case TOKEN_while: *out = parse_while(p); return true;
  case TOKEN_with: *out = parse_with(p, p->token->start, false); return true;
  case TOKEN_try: *out = parse_try(p); return true;
  case TOKEN_AT: *out = parse_decorated(p); return true;
  case TOKEN_async: *out = parse_async(p); return true;
  case TOKEN_NAME:
    if (!at_match(p))
      return false;
    *out = parse_match(p);
    return true;
  default: return false;
  }
}

static void push_statement(Parser *p)
{
  Stmt *s = NULL;
  uint32_t start = p->token->start;
  p->statement = p->token;
  if (!parse_compound(p, &s)) {
    push_simple_statements(p);
    return;
  }
  if (p->panic) {
    skip_line(p);
    if (at(p, TOKEN_NEWLINE))
      p->token++;
    p->panic = false;
  }
  push(p, s ? s : STMT_NEW_PLAIN(p, Error, start));
}

static void error_indent(Parser *p)
{
  Diag *diag = syntax_error(p, E_INDENT, span_of_token(p, p->token), "deeper than the line before",
                            "unexpected indentation");
  error_help(diag, "only the block of a statement that ends in `:` is indented further");
  p->panic = false;
}

// statements: statement+      -- pushes them, up to the end of the block
static void parse_statements(Parser *p)
{
  while (!at(p, TOKEN_DEDENT) && !at(p, TOKEN_END)) {
    if (at(p, TOKEN_INDENT)) {  // its lines are read as if they stood here
      error_indent(p);
      p->token++;
      parse_statements(p);
      if (at(p, TOKEN_DEDENT))
        p->token++;
      continue;
    }
    push_statement(p);
  }
}

// file: [statements] ENDMARKER
StmtList parse_file(Parser *p)
{
  size_t base = p->stack.count;
  for (;;) {
    parse_statements(p);
    if (at(p, TOKEN_END))
      break;
    p->token++;
  }
  StmtList body;
  TAKE(p, base, &body);
  return body;
}
