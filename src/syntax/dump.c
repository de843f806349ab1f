// dump.c -- a tree as `ast.dump(tree, include_attributes=True)` of Python 3.11 writes it.

#include "syntax/dump.h"

#include "base/bug.h"
#include "base/number_text.h"
#include "syntax/repr.h"
#include "syntax/tokens.h"

#include <string.h>

// CPython 3.11 gives all parts of an f-string the place of the whole of it, all joined literals taken together; only
// the last parts of a format, and the format itself, get that of the one literal they stand in.
typedef struct Dumper {
  Source *source;
  Arena *arena;
  StrBuf *out;
  const Span *whole;    // within an f-string: the joined literals
  const Span *literal;  // within a format: the literal
  bool has_places;
  Span last_literal, last_whole;  // what literal_of found last
} Dumper;

static void dump_expr(Dumper *d, const Expr *e);
static void dump_stmt(Dumper *d, const Stmt *s);
static void dump_pattern(Dumper *d, const Pattern *pattern);
static void dump_type_param(Dumper *d, const TypeParam *param);
static void dump_helper(Dumper *d, AstHelperKind kind, const void *node);

static void add_number(StrBuf *out, uint32_t number)
{
  char digits[10];
  int count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  while (count)
    strbuf_putc(out, digits[--count]);
}

static void dump_place(Dumper *d, Span span, bool has_fields)
{
  if (!d->has_places)
    return;
  Place start = source_place(d->source, d->arena, span.start), end = source_place(d->source, d->arena, span.end);
  strbuf_puts(d->out, has_fields ? ", lineno=" : "lineno=");
  add_number(d->out, start.line);
  strbuf_puts(d->out, ", col_offset=");
  add_number(d->out, start.column);
  strbuf_puts(d->out, ", end_lineno=");
  add_number(d->out, end.line);
  strbuf_puts(d->out, ", end_col_offset=");
  add_number(d->out, end.column);
}

// ---- lists

static void dump_list(Dumper *d, AstFieldKind kind, void *const *items, uint32_t count)
{
  strbuf_putc(d->out, '[');
  for (uint32_t i = 0; i < count; i++) {
    if (i)
      strbuf_puts(d->out, ", ");
    if (!items[i]) {
      strbuf_puts(d->out, "None");
      continue;
    }
    switch ((int)kind) {
    case AST_EXPRS: case AST_OPT_EXPRS: dump_expr(d, items[i]); break;
    case AST_STMTS: dump_stmt(d, items[i]); break;
    case AST_PATTERNS: dump_pattern(d, items[i]); break;
    case AST_TYPE_PARAMS: dump_type_param(d, items[i]); break;
    case AST_COMPREHENSIONS: dump_helper(d, AST_HELPER_comprehension, items[i]); break;
    case AST_HANDLERS: dump_helper(d, AST_HELPER_ExceptHandler, items[i]); break;
    case AST_ARGS: dump_helper(d, AST_HELPER_arg, items[i]); break;
    case AST_KEYWORDS: dump_helper(d, AST_HELPER_keyword, items[i]); break;
    case AST_ALIASES: dump_helper(d, AST_HELPER_alias, items[i]); break;
    case AST_WITH_ITEMS: dump_helper(d, AST_HELPER_withitem, items[i]); break;
    case AST_MATCH_CASES: dump_helper(d, AST_HELPER_match_case, items[i]); break;
    case AST_IDENTS: repr_add_str(d->out, ((const Name *)items[i])->str); break;
    default: bug("a list of field kind %d", (int)kind);
    }
  }
  strbuf_putc(d->out, ']');
}

static void dump_cmp_ops(Dumper *d, CmpOpList ops)
{
  strbuf_putc(d->out, '[');
  for (uint32_t i = 0; i < ops.count; i++)
    strbuf_printf(d->out, "%s%s()", i ? ", " : "", ast_cmp_op_name(ops.items[i]));
  strbuf_putc(d->out, ']');
}

// ---- fields

// Is the field left out: an absent optional, or an empty list newer than 3.11?
static bool is_absent(const void *at, const AstField *field)
{
  switch ((int)field->kind) {
  case AST_OPT_EXPR: case AST_OPT_PATTERN: case AST_OPT_ARG: case AST_OPT_IDENT: case AST_OPT_TEXT:
    return *(void *const *)at == NULL;
  case AST_TYPE_PARAMS: return field->since && ((const TypeParamList *)at)->count == 0;
  default: return false;
  }
}

static void dump_value(Dumper *d, const void *at, AstFieldKind kind)
{
  static const char *const contexts[] = {"Load()", "Store()", "Del()"};
  static const char *const bool_ops[] = {"And()", "Or()"};
  static const char *const unary_ops[] = {"Invert()", "Not()", "UAdd()", "USub()"};
  switch (kind) {
  case AST_EXPR: case AST_OPT_EXPR: dump_expr(d, *(Expr *const *)at); return;
  case AST_PATTERN: case AST_OPT_PATTERN: dump_pattern(d, *(Pattern *const *)at); return;
  case AST_ARGUMENTS: dump_helper(d, AST_HELPER_arguments, *(void *const *)at); return;
  case AST_OPT_ARG: dump_helper(d, AST_HELPER_arg, *(void *const *)at); return;
  case AST_IDENT: case AST_OPT_IDENT: repr_add_str(d->out, (*(const Name *const *)at)->str); return;
  case AST_OPT_TEXT: repr_add_str(d->out, str_from(*(const char *const *)at)); return;
  case AST_INT: strbuf_printf(d->out, "%d", *(const int *)at); return;
  case AST_CONSTANT: repr_add_constant(d->out, *(const Constant *)at); return;
  case AST_BOOL_OP: strbuf_puts(d->out, bool_ops[*(const BoolOp *)at]); return;
  case AST_OPERATOR: strbuf_printf(d->out, "%s()", ast_operator_name(*(const Operator *)at)); return;
  case AST_UNARY_OP: strbuf_puts(d->out, unary_ops[*(const UnaryOp *)at]); return;
  case AST_CMP_OPS: dump_cmp_ops(d, *(const CmpOpList *)at); return;
  case AST_CONTEXT: strbuf_puts(d->out, contexts[*(const Context *)at]); return;
  case AST_EXPRS: case AST_OPT_EXPRS: case AST_STMTS: case AST_PATTERNS: case AST_TYPE_PARAMS:
  case AST_COMPREHENSIONS: case AST_HANDLERS: case AST_ARGS: case AST_KEYWORDS: case AST_ALIASES:
  case AST_WITH_ITEMS: case AST_MATCH_CASES: case AST_IDENTS: {
    const ExprList *list = at;  // all lists have this form
    dump_list(d, kind, (void *const *)list->items, list->count);
    return;
  }
  }
}

static void dump_node(Dumper *d, const AstNode *node, const void *self, const Span *span)
{
  strbuf_puts(d->out, node->name);
  strbuf_putc(d->out, '(');
  bool any = false;
  for (uint32_t i = 0; i < node->field_count; i++) {
    const AstField *field = &node->fields[i];
    const void *at = (const char *)self + field->offset;
    if (is_absent(at, field))
      continue;
    if (any)
      strbuf_puts(d->out, ", ");
    any = true;
    strbuf_puts(d->out, field->name);
    strbuf_putc(d->out, '=');
    dump_value(d, at, field->kind);
  }
  if (span)
    dump_place(d, *span, any);
  strbuf_putc(d->out, ')');
}

// ---- nodes

// The literal that holds `e`, a field of the f-string `whole`.
static Span literal_of(Dumper *d, const Expr *e, Span whole)
{
  Span last = d->last_literal;
  if (d->last_whole.start == whole.start && e->span.start >= last.start && e->span.start < last.end)
    return last;
  Span literal = whole;
  string_piece_around(d->source->text.data, whole.start, whole.end, e->span.start, &literal.start, &literal.end);
  d->last_whole = whole;
  return d->last_literal = literal;
}

// CPython reads a field as if it stood in parentheses, which a tuple or generator expression then has for its own. On
// a line that ends right after the `{`, the opening one is said to stand in the column of the literal, or in the first.
static Span field_value_span(Dumper *d, const Expr *field, Span whole)
{
  const Expr *value = field->FormattedValue.value;
  Span span = value->span;
  if (span.start != field->span.start)
    return span;
  const char *text = d->source->text.data;
  uint32_t at = span.start + 1;
  while (text[at] == ' ' || text[at] == '\t' || text[at] == '\f')
    at++;
  if (text[at] != '\n' && text[at] != '\r')
    return span;
  Span literal = literal_of(d, field, whole);
  Place open = source_place(d->source, d->arena, span.start);
  Place begin = source_place(d->source, d->arena, literal.start);
  span.start = open.line == begin.line ? literal.start : span.start - open.column;
  return span;
}

static void dump_field(Dumper *d, const Expr *e)
{
  const Span *whole = d->whole, *literal = d->literal;
  strbuf_puts(d->out, "FormattedValue(value=");
  d->whole = d->literal = NULL;
  Span span = field_value_span(d, e, *whole);
  const Expr *value = e->FormattedValue.value;
  if (value->kind == EXPR_JoinedStr)
    dump_expr(d, value);
  else
    dump_node(d, ast_expr_node((ExprKind)value->kind), value, &span);
  d->whole = whole;
  strbuf_printf(d->out, ", conversion=%d", e->FormattedValue.conversion);
  if (e->FormattedValue.format_spec) {
    Span own = literal_of(d, e, *whole);
    d->literal = &own;
    strbuf_puts(d->out, ", format_spec=");
    dump_expr(d, e->FormattedValue.format_spec);
  }
  d->literal = literal;
  dump_place(d, *whole, true);
  strbuf_putc(d->out, ')');
}

static void dump_joined(Dumper *d, const Expr *e)
{
  const Span *outer = d->whole;
  const Span *own = d->literal ? d->literal : &e->span;
  ExprList parts = e->JoinedStr.values;
  d->whole = outer ? outer : &e->span;
  strbuf_puts(d->out, "JoinedStr(values=[");
  for (uint32_t i = 0; i < parts.count; i++) {
    const Expr *part = parts.items[i];
    if (i)
      strbuf_puts(d->out, ", ");
    if (part->kind == EXPR_FormattedValue)
      dump_field(d, part);
    else
      dump_node(d, ast_expr_node((ExprKind)part->kind), part, i + 1 == parts.count ? own : d->whole);
  }
  strbuf_putc(d->out, ']');
  dump_place(d, *own, true);
  strbuf_putc(d->out, ')');
  d->whole = outer;
}

static void dump_expr(Dumper *d, const Expr *e)
{
  if (e->kind == EXPR_JoinedStr)
    dump_joined(d, e);
  else
    dump_node(d, ast_expr_node((ExprKind)e->kind), e, &e->span);
}

static void dump_stmt(Dumper *d, const Stmt *s)
{
  dump_node(d, ast_stmt_node((StmtKind)s->kind), s, &s->span);
}

static void dump_pattern(Dumper *d, const Pattern *pattern)
{
  dump_node(d, ast_pattern_node((PatternKind)pattern->kind), pattern, &pattern->span);
}

static void dump_type_param(Dumper *d, const TypeParam *param)
{
  dump_node(d, ast_type_param_node((TypeParamKind)param->kind), param, &param->span);
}

static bool has_place(AstHelperKind kind)
{
  switch (kind) {
#define HELPER(name) case AST_HELPER_##name: return true;
#define HELPER_PLACELESS(name) case AST_HELPER_##name: return false;
#include "syntax/ast.def"
  case AST_HELPER_KIND_COUNT: break;
  }
  return false;
}

static void dump_helper(Dumper *d, AstHelperKind kind, const void *node)
{
  dump_node(d, ast_helper_node(kind), node, has_place(kind) ? node : NULL);  // the span comes first
}

static void dump_module(const Module *module, bool has_places, StrBuf *out)
{
  Dumper d = {.source = module->source, .arena = out->arena, .out = out, .has_places = has_places};
  strbuf_puts(out, "Module(body=");
  dump_list(&d, AST_STMTS, (void *const *)module->body.items, module->body.count);
  strbuf_puts(out, ", type_ignores=[])");
}

void ast_dump(const Module *module, StrBuf *out)
{
  dump_module(module, true, out);
}

void ast_dump_without_places(const Module *module, StrBuf *out)
{
  dump_module(module, false, out);
}

void ast_dump_expr(const Module *module, const Expr *expr, StrBuf *out)
{
  Dumper d = {.source = module->source, .arena = out->arena, .out = out, .has_places = true};
  dump_expr(&d, expr);
}
