// parse.h -- what the parser's files share: its state, node making, lists, errors.
//
// A function that reads a construct is named after it and opens with its grammar line. It takes tokens from p->token on
// and returns the node, never NULL: after an error the node is EXPR_Error or holds what was understood. An error is
// reported once; `panic` then keeps everything quiet until a bracket or a line ends, where reading is sound again.

#pragma once
#include "syntax/parser.h"
#include "syntax/tokens.h"

#include <stddef.h>

typedef struct Parser {
  Session *session;
  Arena *arena;
  Arena *scratch;  // tokens and unfinished lists; gone after the parse
  Source *source;
  const char *text;
  uint32_t source_id;
  const Token *token;      // the next one
  const Token *statement;  // where the statement or field began that is being read
  uint32_t last_end;       // where the last token that is not white space ended
  bool panic;              // an error was reported and reading is not sound again yet
  uint32_t depth;          // of the recursion, weighted by stack use
  uint32_t height;         // of the tree of the expression that was read last
  uint32_t error_count, warning_count;  // reported so far
  bool has_given_up;       // too many; p->token is the last one
  uint32_t format_depth;   // f-strings inside one another
  int minor_version;       // see Module
  Vec(void *) stack;       // items of unfinished lists, innermost last
} Parser;

enum {
  DEEPEST_RECURSION = 6000,   // a nested expression counts ten, a prefix operator one: about 1 MB of stack
  HIGHEST_TREE = 2900,        // what CPython can hold, so that later stages may recurse
  EXPRESSION_DEPTH = 10,
  DEEPEST_FORMAT = 50,        // f-strings inside one another
};

// ---- tokens

static inline bool at(const Parser *p, TokenKind kind)
{
  return p->token->kind == kind;
}

static inline void advance(Parser *p)
{
  p->last_end = p->token->end;
  p->token++;
}

static inline bool accept(Parser *p, TokenKind kind)
{
  if (p->token->kind != kind)
    return false;
  advance(p);
  return true;
}

static inline Span span_from(const Parser *p, uint32_t start)
{
  return (Span){p->source_id, start, p->last_end > start ? p->last_end : start};
}

static inline Span span_of_token(const Parser *p, const Token *token)
{
  return (Span){p->source_id, token->start, token->end};
}

static inline Str token_str(const Parser *p, const Token *token)
{
  return (Str){p->text + token->start, token->end - token->start};
}

bool token_is(const Parser *p, const Token *token, const char *text);  // a name with that spelling
bool begins_expression(TokenKind kind);
const Name *token_name(Parser *p, const Token *token);  // in normal form

// ---- nodes; their span is from `start` to the last token taken

Expr *expr_new(Parser *p, ExprKind kind, size_t bytes, uint32_t start);
Stmt *stmt_new(Parser *p, StmtKind kind, size_t bytes, uint32_t start);
Pattern *pattern_new(Parser *p, PatternKind kind, size_t bytes, uint32_t start);
TypeParam *type_param_new(Parser *p, TypeParamKind kind, size_t bytes, uint32_t start);
Expr *expr_error(Parser *p, uint32_t start);

#define EXPR_NEW(p, Kind, start)                                                                                       \
  expr_new((p), EXPR_##Kind, offsetof(Expr, Kind) + sizeof(struct Expr_##Kind), (start))
#define STMT_NEW(p, Kind, start)                                                                                       \
  stmt_new((p), STMT_##Kind, offsetof(Stmt, Kind) + sizeof(struct Stmt_##Kind), (start))
#define STMT_NEW_PLAIN(p, Kind, start)                                                                                 \
  stmt_new((p), STMT_##Kind, offsetof(Stmt, cache) + sizeof(void *), (start))
#define PATTERN_NEW(p, Kind, start)                                                                                    \
  pattern_new((p), PATTERN_##Kind, offsetof(Pattern, Kind) + sizeof(struct Pattern_##Kind), (start))
#define TYPE_PARAM_NEW(p, Kind, start)                                                                                 \
  type_param_new((p), TYPE_PARAM_##Kind, offsetof(TypeParam, Kind) + sizeof(struct TypeParam_##Kind), (start))

// ---- lists: push items, then take all that were pushed since `base = p->stack.count`

static inline void push(Parser *p, void *item)
{
  vec_push(p->scratch, &p->stack, item);
}

void *take_items(Parser *p, size_t base, uint32_t *count);
#define TAKE(p, base, list) ((list)->items = take_items((p), (base), &(list)->count))

// ---- depth

bool enter(Parser *p, uint32_t weight);  // false after reporting that the text is nested too deeply
static inline void leave(Parser *p, uint32_t weight)
{
  p->depth -= weight;
}

void too_high(Parser *p);

// The tree read last becomes a child of a node that has another child of height `other`.
static inline void grow(Parser *p, uint32_t other)
{
  p->height = (p->height > other ? p->height : other) + 1;
  if (p->height > HIGHEST_TREE)
    too_high(p);
}

static inline uint32_t higher(uint32_t a, uint32_t b)
{
  return a > b ? a : b;
}

// ---- errors

// Reports unless in panic already (NULL then); panic holds afterwards. The functions below take the NULL.
Diag *syntax_error(Parser *p, DiagCode code, Span span, const char *label, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void error_label(Diag *diag, Span span, const char *text);
void error_help(Diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The next token is not what can stand here: finds the friendliest way to say so. `wanted` is such as "an expression".
void error_unexpected(Parser *p, const char *wanted);
bool expect(Parser *p, TokenKind kind);                           // false after reporting
void expect_close(Parser *p, TokenKind kind, const Token *open);  // skips to it after an error
const Name *expect_name(Parser *p, const char *what);            // NULL after an error
const char *expr_describe(const Expr *e);                        // "a function call", "a literal"

// ---- constructs

Expr *parse_any_expression(Parser *p);        // expression: disjunction ['if' disjunction 'else' expression] | lambda
Expr *parse_named_expression(Parser *p);      // NAME ':=' expression | expression
Expr *parse_star_expressions(Parser *p);      // one, or a tuple without parentheses
Expr *parse_yield_or_star_expressions(Parser *p);
Expr *parse_bitwise_or(Parser *p);            // what may follow a star
Expr *parse_targets(Parser *p);               // star_targets before `in`, in Store context
Expr *parse_target(Parser *p);                // one star_target, in Store context
Expr *parse_strings(Parser *p);               // STRING+
Expr *parse_number(Parser *p);
Expr *parse_parenthesized(Parser *p);         // '(' [yield_expr | named_expression | genexp | tuple] ')'
Ast_arguments *parse_parameters(Parser *p, TokenKind close, bool annotated);
void parse_arguments(Parser *p, const Token *open, ExprList *args, KeywordList *keywords, bool generator_allowed);
Pattern *parse_patterns(Parser *p);           // what follows `case`
void set_target(Parser *p, Expr *e, Context context);
bool is_parenthesized(const Parser *p, const Token *first);  // the expression that began at `first` is in brackets
StmtList parse_file(Parser *p);
