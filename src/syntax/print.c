// print.c -- a tree as Python source that parses back to it.

#include "syntax/dump.h"
#include "syntax/repr.h"
#include "syntax/unicode.h"

#include <math.h>
#include <string.h>

// How tightly an expression holds together; it needs parentheses where something tighter is wanted.
typedef enum Level {
  LEVEL_YIELD,  // the right side of an assignment
  LEVEL_TUPLE,  // ... where `yield` is not allowed
  LEVEL_NAMED,  // `:=` without parentheses, but no tuple
  LEVEL_TEST,
  LEVEL_OR,
  LEVEL_AND,
  LEVEL_NOT,
  LEVEL_COMPARE,
  LEVEL_BIT_OR,
  LEVEL_BIT_XOR,
  LEVEL_BIT_AND,
  LEVEL_SHIFT,
  LEVEL_SUM,
  LEVEL_PRODUCT,
  LEVEL_UNARY,
  LEVEL_POWER,
  LEVEL_AWAIT,
  LEVEL_PRIMARY
} Level;

static void print_expr(StrBuf *out, const Expr *e, Level wanted);
static void print_block(StrBuf *out, StmtList body, int indent);

typedef struct OperatorText {
  const char *text;
  Level level;
} OperatorText;

static const OperatorText operators[] = {
    [OPERATOR_Add] = {"+", LEVEL_SUM},          [OPERATOR_Sub] = {"-", LEVEL_SUM},
    [OPERATOR_Mult] = {"*", LEVEL_PRODUCT},     [OPERATOR_MatMult] = {"@", LEVEL_PRODUCT},
    [OPERATOR_Div] = {"/", LEVEL_PRODUCT},      [OPERATOR_Mod] = {"%", LEVEL_PRODUCT},
    [OPERATOR_Pow] = {"**", LEVEL_POWER},       [OPERATOR_LShift] = {"<<", LEVEL_SHIFT},
    [OPERATOR_RShift] = {">>", LEVEL_SHIFT},    [OPERATOR_BitOr] = {"|", LEVEL_BIT_OR},
    [OPERATOR_BitXor] = {"^", LEVEL_BIT_XOR},   [OPERATOR_BitAnd] = {"&", LEVEL_BIT_AND},
    [OPERATOR_FloorDiv] = {"//", LEVEL_PRODUCT},
};

static const char *const comparisons[] = {"==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in"};

static Level level_of(const Expr *e)
{
  switch ((ExprKind)e->kind) {
  case EXPR_Yield: case EXPR_YieldFrom: return LEVEL_YIELD;
  case EXPR_Tuple: return e->Tuple.elts.count ? LEVEL_TUPLE : LEVEL_PRIMARY;
  case EXPR_NamedExpr: return LEVEL_NAMED;
  case EXPR_Lambda: case EXPR_IfExp: return LEVEL_TEST;
  case EXPR_BoolOp: return e->BoolOp.op == BOOL_OP_Or ? LEVEL_OR : LEVEL_AND;
  case EXPR_UnaryOp: return e->UnaryOp.op == UNARY_OP_Not ? LEVEL_NOT : LEVEL_UNARY;
  case EXPR_Compare: return LEVEL_COMPARE;
  case EXPR_BinOp: return operators[e->BinOp.op].level;
  case EXPR_Await: return LEVEL_AWAIT;
  default: return LEVEL_PRIMARY;
  }
}

static void print_name(StrBuf *out, const Name *name)
{
  strbuf_add(out, name->str.data, name->str.len);
}

static void print_separator(StrBuf *out, bool *any)
{
  if (*any)
    strbuf_puts(out, ", ");
  *any = true;
}

static void print_items(StrBuf *out, ExprList items, Level level)
{
  for (uint32_t i = 0; i < items.count; i++) {
    if (i)
      strbuf_puts(out, ", ");
    print_expr(out, items.items[i], level);
  }
}

// ---- constants and f-strings

static void print_constant(StrBuf *out, const Constant *value, const char *kind)
{
  if (kind)
    strbuf_puts(out, kind);
  if (value->kind == CONSTANT_BIG_INT)
    strbuf_add(out, value->text.data, value->text.len);
  else if (value->kind == CONSTANT_ELLIPSIS)
    strbuf_puts(out, "...");
  else if ((value->kind == CONSTANT_FLOAT || value->kind == CONSTANT_COMPLEX) && isinf(value->real))
    strbuf_puts(out, value->kind == CONSTANT_FLOAT ? "1e999" : "1e999j");
  else
    repr_add_constant(out, *value);
}

// Text between the fields of an f-string in double quotes. In a format braces cannot be doubled.
static void print_format_text(StrBuf *out, Str text, bool in_spec)
{
  StrBuf quoted = strbuf_new(out->arena);
  repr_add_str(&quoted, text);
  char quote = quoted.data[0];
  for (size_t i = 1; i + 1 < quoted.len; i++) {
    char c = quoted.data[i];
    if (c == '\\') {
      if (quoted.data[++i] != '\'')
        strbuf_putc(out, c);
      strbuf_putc(out, quoted.data[i]);
    } else if (c == '{' || c == '}') {
      if (in_spec)
        strbuf_puts(out, c == '{' ? "\\x7b" : "\\x7d");
      else
        strbuf_printf(out, "%c%c", c, c);
    } else if (c == '"' && quote == '\'') {
      strbuf_puts(out, "\\\"");
    } else {
      strbuf_putc(out, c);
    }
  }
}

// Would `e` be printed with the colon of a `lambda` outside brackets, where it would begin a format?
static bool has_bare_lambda(const Expr *e)
{
  switch ((ExprKind)e->kind) {
  case EXPR_Lambda: return true;
  case EXPR_IfExp: return has_bare_lambda(e->IfExp.orelse);
  case EXPR_Yield: return e->Yield.value && has_bare_lambda(e->Yield.value);
  case EXPR_YieldFrom: return has_bare_lambda(e->YieldFrom.value);
  case EXPR_Tuple:
    for (uint32_t i = 0; i < e->Tuple.elts.count; i++)
      if (has_bare_lambda(e->Tuple.elts.items[i]))
        return true;
    return false;
  default: return false;
  }
}

static void print_format_parts(StrBuf *out, ExprList parts, bool in_spec)
{
  for (uint32_t i = 0; i < parts.count; i++) {
    const Expr *part = parts.items[i];
    if (part->kind == EXPR_Constant) {
      print_format_text(out, part->Constant.value.text, in_spec);
      continue;
    }
    if (part->kind != EXPR_FormattedValue)
      continue;
    const Expr *value = part->FormattedValue.value;
    strbuf_putc(out, '{');
    size_t start = out->len;
    print_expr(out, value, has_bare_lambda(value) ? LEVEL_PRIMARY : LEVEL_YIELD);
    if (out->data[start] == '{') {  // not a doubled brace
      strbuf_putc(out, ' ');
      memmove(out->data + start + 1, out->data + start, out->len - start - 1);
      out->data[start] = ' ';
    }
    if (part->FormattedValue.conversion > 0)
      strbuf_printf(out, "!%c", part->FormattedValue.conversion);
    if (part->FormattedValue.format_spec) {
      strbuf_putc(out, ':');
      print_format_parts(out, part->FormattedValue.format_spec->JoinedStr.values, true);
    }
    strbuf_putc(out, '}');
  }
}

// Was the first of the joined strings written with a `u`? All text parts remember it.
static bool has_unicode_prefix(ExprList parts)
{
  for (uint32_t i = 0; i < parts.count; i++) {
    const Expr *part = parts.items[i];
    if (part->kind == EXPR_Constant)
      return part->Constant.kind != NULL;
    if (part->kind == EXPR_FormattedValue && part->FormattedValue.format_spec &&
        has_unicode_prefix(part->FormattedValue.format_spec->JoinedStr.values))
      return true;
  }
  return false;
}

// ---- parameters, arguments, comprehensions

static void print_arg(StrBuf *out, const Ast_arg *arg)
{
  print_name(out, arg->arg);
  if (arg->annotation) {
    strbuf_puts(out, ": ");
    print_expr(out, arg->annotation, LEVEL_TEST);
  }
}

static void print_default(StrBuf *out, const Ast_arg *arg, const Expr *value)
{
  strbuf_puts(out, arg->annotation ? " = " : "=");
  print_expr(out, value, LEVEL_TEST);
}

static void print_positional(StrBuf *out, ArgList list, uint32_t first, const Ast_arguments *args, bool *any)
{
  uint32_t count = args->posonlyargs.count + args->args.count;
  for (uint32_t i = 0; i < list.count; i++) {
    uint32_t index = first + i;
    print_separator(out, any);
    print_arg(out, list.items[i]);
    if (index + args->defaults.count >= count)
      print_default(out, list.items[i], args->defaults.items[index + args->defaults.count - count]);
  }
}

static void print_parameters(StrBuf *out, const Ast_arguments *args)
{
  bool any = false;
  print_positional(out, args->posonlyargs, 0, args, &any);
  if (args->posonlyargs.count)
    strbuf_puts(out, ", /");
  print_positional(out, args->args, args->posonlyargs.count, args, &any);
  if (args->vararg || args->kwonlyargs.count) {
    print_separator(out, &any);
    strbuf_putc(out, '*');
    if (args->vararg)
      print_arg(out, args->vararg);
  }
  for (uint32_t i = 0; i < args->kwonlyargs.count; i++) {
    print_separator(out, &any);
    print_arg(out, args->kwonlyargs.items[i]);
    if (args->kw_defaults.items[i])
      print_default(out, args->kwonlyargs.items[i], args->kw_defaults.items[i]);
  }
  if (args->kwarg) {
    print_separator(out, &any);
    strbuf_puts(out, "**");
    print_arg(out, args->kwarg);
  }
}

static void print_clauses(StrBuf *out, ComprehensionList clauses)
{
  for (uint32_t i = 0; i < clauses.count; i++) {
    const Ast_comprehension *clause = clauses.items[i];
    strbuf_puts(out, clause->is_async ? " async for " : " for ");
    print_expr(out, clause->target, LEVEL_TUPLE);
    strbuf_puts(out, " in ");
    print_expr(out, clause->iter, LEVEL_OR);
    for (uint32_t k = 0; k < clause->ifs.count; k++) {
      strbuf_puts(out, " if ");
      print_expr(out, clause->ifs.items[k], LEVEL_OR);
    }
  }
}

static void print_arguments(StrBuf *out, ExprList args, KeywordList keywords)
{
  bool any = false;
  if (args.count == 1 && keywords.count == 0 && args.items[0]->kind == EXPR_GeneratorExp) {
    print_expr(out, args.items[0]->GeneratorExp.elt, LEVEL_NAMED);
    print_clauses(out, args.items[0]->GeneratorExp.generators);
    return;
  }
  for (uint32_t i = 0; i < args.count; i++) {
    print_separator(out, &any);
    print_expr(out, args.items[i], LEVEL_NAMED);
  }
  for (uint32_t i = 0; i < keywords.count; i++) {
    print_separator(out, &any);
    if (keywords.items[i]->arg) {
      print_name(out, keywords.items[i]->arg);
      strbuf_putc(out, '=');
    } else {
      strbuf_puts(out, "**");
    }
    print_expr(out, keywords.items[i]->value, LEVEL_TEST);
  }
}

// ---- expressions

static void print_tuple(StrBuf *out, ExprList elts, Level level)
{
  print_items(out, elts, level);
  if (elts.count == 1)
    strbuf_putc(out, ',');
}

static void print_dict(StrBuf *out, const Expr *e)
{
  strbuf_putc(out, '{');
  for (uint32_t i = 0; i < e->Dict.values.count; i++) {
    if (i)
      strbuf_puts(out, ", ");
    if (e->Dict.keys.items[i]) {
      print_expr(out, e->Dict.keys.items[i], LEVEL_TEST);
      strbuf_puts(out, ": ");
      print_expr(out, e->Dict.values.items[i], LEVEL_TEST);
    } else {
      strbuf_puts(out, "**");
      print_expr(out, e->Dict.values.items[i], LEVEL_BIT_OR);
    }
  }
  strbuf_putc(out, '}');
}

static void print_subscript(StrBuf *out, const Expr *e)
{
  print_expr(out, e->Subscript.value, LEVEL_PRIMARY);
  strbuf_putc(out, '[');
  const Expr *slice = e->Subscript.slice;
  if (slice->kind == EXPR_Tuple && slice->Tuple.elts.count)
    print_tuple(out, slice->Tuple.elts, LEVEL_NAMED);
  else
    print_expr(out, slice, LEVEL_NAMED);
  strbuf_putc(out, ']');
}

static void print_slice(StrBuf *out, const Expr *e)
{
  if (e->Slice.lower)
    print_expr(out, e->Slice.lower, LEVEL_TEST);
  strbuf_putc(out, ':');
  if (e->Slice.upper)
    print_expr(out, e->Slice.upper, LEVEL_TEST);
  if (e->Slice.step) {
    strbuf_putc(out, ':');
    print_expr(out, e->Slice.step, LEVEL_TEST);
  }
}

static void print_binary(StrBuf *out, const Expr *e)
{
  OperatorText op = operators[e->BinOp.op];
  bool is_power = e->BinOp.op == OPERATOR_Pow;
  print_expr(out, e->BinOp.left, is_power ? LEVEL_AWAIT : op.level);
  strbuf_printf(out, is_power ? "%s" : " %s ", op.text);
  print_expr(out, e->BinOp.right, is_power ? LEVEL_UNARY : (Level)(op.level + 1));
}

static void print_compare(StrBuf *out, const Expr *e)
{
  print_expr(out, e->Compare.left, LEVEL_BIT_OR);
  for (uint32_t i = 0; i < e->Compare.ops.count; i++) {
    strbuf_printf(out, " %s ", comparisons[e->Compare.ops.items[i]]);
    print_expr(out, e->Compare.comparators.items[i], LEVEL_BIT_OR);
  }
}

static void print_bool_op(StrBuf *out, const Expr *e)
{
  bool is_or = e->BoolOp.op == BOOL_OP_Or;
  for (uint32_t i = 0; i < e->BoolOp.values.count; i++) {
    if (i)
      strbuf_puts(out, is_or ? " or " : " and ");
    print_expr(out, e->BoolOp.values.items[i], is_or ? LEVEL_AND : LEVEL_NOT);
  }
}

static void print_attribute(StrBuf *out, const Expr *e)
{
  const Expr *value = e->Attribute.value;
  bool is_whole = value->kind == EXPR_Constant && (value->Constant.value.kind == CONSTANT_INT ||
                                                   value->Constant.value.kind == CONSTANT_BIG_INT);
  if (is_whole)  // or the dot would belong to the number
    strbuf_putc(out, '(');
  print_expr(out, value, LEVEL_PRIMARY);
  strbuf_puts(out, is_whole ? ")." : ".");
  print_name(out, e->Attribute.attr);
}

static void print_bare(StrBuf *out, const Expr *e, bool in_parens)
{
  static const char *const unary[] = {"~", "not ", "+", "-"};
  switch ((ExprKind)e->kind) {
  case EXPR_BoolOp: print_bool_op(out, e); return;
  case EXPR_NamedExpr:
    print_expr(out, e->NamedExpr.target, LEVEL_PRIMARY);
    strbuf_puts(out, " := ");
    print_expr(out, e->NamedExpr.value, LEVEL_TEST);
    return;
  case EXPR_BinOp: print_binary(out, e); return;
  case EXPR_UnaryOp:
    strbuf_puts(out, unary[e->UnaryOp.op]);
    print_expr(out, e->UnaryOp.operand, e->UnaryOp.op == UNARY_OP_Not ? LEVEL_NOT : LEVEL_UNARY);
    return;
  case EXPR_Lambda: {
    const Ast_arguments *args = e->Lambda.args;
    bool has_any = args->posonlyargs.count || args->args.count || args->kwonlyargs.count || args->vararg || args->kwarg;
    strbuf_puts(out, has_any ? "lambda " : "lambda");
    print_parameters(out, args);
    strbuf_puts(out, ": ");
    print_expr(out, e->Lambda.body, LEVEL_TEST);
    return;
  }
  case EXPR_IfExp:
    print_expr(out, e->IfExp.body, LEVEL_OR);
    strbuf_puts(out, " if ");
    print_expr(out, e->IfExp.test, LEVEL_OR);
    strbuf_puts(out, " else ");
    print_expr(out, e->IfExp.orelse, LEVEL_TEST);
    return;
  case EXPR_Dict: print_dict(out, e); return;
  case EXPR_Set:
    strbuf_putc(out, '{');
    print_items(out, e->Set.elts, LEVEL_NAMED);
    strbuf_putc(out, '}');
    return;
  case EXPR_ListComp:
    strbuf_putc(out, '[');
    print_expr(out, e->ListComp.elt, LEVEL_NAMED);
    print_clauses(out, e->ListComp.generators);
    strbuf_putc(out, ']');
    return;
  case EXPR_SetComp:
    strbuf_putc(out, '{');
    print_expr(out, e->SetComp.elt, LEVEL_NAMED);
    print_clauses(out, e->SetComp.generators);
    strbuf_putc(out, '}');
    return;
  case EXPR_DictComp:
    strbuf_putc(out, '{');
    print_expr(out, e->DictComp.key, LEVEL_TEST);
    strbuf_puts(out, ": ");
    print_expr(out, e->DictComp.value, LEVEL_TEST);
    print_clauses(out, e->DictComp.generators);
    strbuf_putc(out, '}');
    return;
  case EXPR_GeneratorExp:
    strbuf_putc(out, '(');
    print_expr(out, e->GeneratorExp.elt, LEVEL_NAMED);
    print_clauses(out, e->GeneratorExp.generators);
    strbuf_putc(out, ')');
    return;
  case EXPR_Await:
    strbuf_puts(out, "await ");
    print_expr(out, e->Await.value, LEVEL_PRIMARY);
    return;
  case EXPR_Yield:
    strbuf_puts(out, e->Yield.value ? "yield " : "yield");
    if (e->Yield.value)
      print_expr(out, e->Yield.value, LEVEL_TUPLE);
    return;
  case EXPR_YieldFrom:
    strbuf_puts(out, "yield from ");
    print_expr(out, e->YieldFrom.value, LEVEL_TEST);
    return;
  case EXPR_Compare: print_compare(out, e); return;
  case EXPR_Call:
    print_expr(out, e->Call.func, LEVEL_PRIMARY);
    strbuf_putc(out, '(');
    print_arguments(out, e->Call.args, e->Call.keywords);
    strbuf_putc(out, ')');
    return;
  case EXPR_JoinedStr:
    strbuf_puts(out, has_unicode_prefix(e->JoinedStr.values) ? "u'' f\"" : "f\"");
    print_format_parts(out, e->JoinedStr.values, false);
    strbuf_putc(out, '"');
    return;
  case EXPR_Constant: print_constant(out, &e->Constant.value, e->Constant.kind); return;
  case EXPR_Attribute: print_attribute(out, e); return;
  case EXPR_Subscript: print_subscript(out, e); return;
  case EXPR_Starred:
    strbuf_putc(out, '*');
    print_expr(out, e->Starred.value, LEVEL_BIT_OR);
    return;
  case EXPR_Name: print_name(out, e->Name.id); return;
  case EXPR_List:
    strbuf_putc(out, '[');
    print_items(out, e->List.elts, LEVEL_NAMED);
    strbuf_putc(out, ']');
    return;
  case EXPR_Tuple:
    if (e->Tuple.elts.count == 0)
      strbuf_puts(out, "()");
    else
      print_tuple(out, e->Tuple.elts, in_parens ? LEVEL_NAMED : LEVEL_TEST);
    return;
  case EXPR_Slice: print_slice(out, e); return;
  case EXPR_FormattedValue: case EXPR_Error: case EXPR_KIND_COUNT: strbuf_puts(out, "..."); return;
  }
}

static void print_expr(StrBuf *out, const Expr *e, Level wanted)
{
  // `:=` stands without parentheses only where it is wanted by name.
  bool needs_parens = e->kind == EXPR_NamedExpr ? wanted != LEVEL_NAMED : level_of(e) < wanted;
  if (needs_parens)
    strbuf_putc(out, '(');
  print_bare(out, e, needs_parens);
  if (needs_parens)
    strbuf_putc(out, ')');
}

// ---- patterns

typedef enum PatternLevel { PATTERN_LEVEL_AS, PATTERN_LEVEL_OR, PATTERN_LEVEL_CLOSED } PatternLevel;

static void print_pattern(StrBuf *out, const Pattern *pattern, PatternLevel wanted);

static void print_patterns(StrBuf *out, PatternList patterns, const char *separator, PatternLevel level)
{
  for (uint32_t i = 0; i < patterns.count; i++) {
    if (i)
      strbuf_puts(out, separator);
    print_pattern(out, patterns.items[i], level);
  }
}

static void print_mapping(StrBuf *out, const Pattern *pattern)
{
  bool any = false;
  strbuf_putc(out, '{');
  for (uint32_t i = 0; i < pattern->MatchMapping.keys.count; i++) {
    print_separator(out, &any);
    print_expr(out, pattern->MatchMapping.keys.items[i], LEVEL_SUM);
    strbuf_puts(out, ": ");
    print_pattern(out, pattern->MatchMapping.patterns.items[i], PATTERN_LEVEL_AS);
  }
  if (pattern->MatchMapping.rest) {
    print_separator(out, &any);
    strbuf_puts(out, "**");
    print_name(out, pattern->MatchMapping.rest);
  }
  strbuf_putc(out, '}');
}

static void print_class_pattern(StrBuf *out, const Pattern *pattern)
{
  const struct Pattern_MatchClass *match = &pattern->MatchClass;
  bool any = false;
  print_expr(out, match->cls, LEVEL_PRIMARY);
  strbuf_putc(out, '(');
  for (uint32_t i = 0; i < match->patterns.count; i++) {
    print_separator(out, &any);
    print_pattern(out, match->patterns.items[i], PATTERN_LEVEL_AS);
  }
  for (uint32_t i = 0; i < match->kwd_attrs.count; i++) {
    print_separator(out, &any);
    print_name(out, match->kwd_attrs.items[i]);
    strbuf_putc(out, '=');
    print_pattern(out, match->kwd_patterns.items[i], PATTERN_LEVEL_AS);
  }
  strbuf_putc(out, ')');
}

static void print_bare_pattern(StrBuf *out, const Pattern *pattern)
{
  switch ((PatternKind)pattern->kind) {
  case PATTERN_MatchValue: print_expr(out, pattern->MatchValue.value, LEVEL_SUM); return;
  case PATTERN_MatchSingleton: print_constant(out, &pattern->MatchSingleton.value, NULL); return;
  case PATTERN_MatchSequence:
    strbuf_putc(out, '[');
    print_patterns(out, pattern->MatchSequence.patterns, ", ", PATTERN_LEVEL_AS);
    strbuf_putc(out, ']');
    return;
  case PATTERN_MatchMapping: print_mapping(out, pattern); return;
  case PATTERN_MatchClass: print_class_pattern(out, pattern); return;
  case PATTERN_MatchStar:
    strbuf_putc(out, '*');
    if (pattern->MatchStar.name)
      print_name(out, pattern->MatchStar.name);
    else
      strbuf_putc(out, '_');
    return;
  case PATTERN_MatchAs:
    if (pattern->MatchAs.pattern) {
      print_pattern(out, pattern->MatchAs.pattern, PATTERN_LEVEL_OR);
      strbuf_puts(out, " as ");
    }
    if (pattern->MatchAs.name)
      print_name(out, pattern->MatchAs.name);
    else
      strbuf_putc(out, '_');
    return;
  case PATTERN_MatchOr: print_patterns(out, pattern->MatchOr.patterns, " | ", PATTERN_LEVEL_CLOSED); return;
  case PATTERN_KIND_COUNT: return;
  }
}

static void print_pattern(StrBuf *out, const Pattern *pattern, PatternLevel wanted)
{
  PatternLevel level = PATTERN_LEVEL_CLOSED;
  if (pattern->kind == PATTERN_MatchOr)
    level = PATTERN_LEVEL_OR;
  else if (pattern->kind == PATTERN_MatchAs && pattern->MatchAs.pattern)
    level = PATTERN_LEVEL_AS;
  if (level < wanted)
    strbuf_putc(out, '(');
  print_bare_pattern(out, pattern);
  if (level < wanted)
    strbuf_putc(out, ')');
}

// ---- statements

enum { INDENT_COLUMNS = 4 };

static void begin_line(StrBuf *out, int indent)
{
  strbuf_repeat(out, ' ', (size_t)indent * INDENT_COLUMNS);
}

static void print_word(StrBuf *out, const char *word, const Expr *e, Level level)
{
  strbuf_puts(out, word);
  if (e) {
    strbuf_putc(out, ' ');
    print_expr(out, e, level);
  }
}

static void print_type_params(StrBuf *out, TypeParamList params)
{
  if (params.count == 0)
    return;
  strbuf_putc(out, '[');
  for (uint32_t i = 0; i < params.count; i++) {
    const TypeParam *param = params.items[i];
    const Expr *default_value = NULL;
    if (i)
      strbuf_puts(out, ", ");
    switch ((TypeParamKind)param->kind) {
    case TYPE_PARAM_TypeVar:
      print_name(out, param->TypeVar.name);
      if (param->TypeVar.bound) {
        strbuf_puts(out, ": ");
        print_expr(out, param->TypeVar.bound, LEVEL_TEST);
      }
      default_value = param->TypeVar.default_value;
      break;
    case TYPE_PARAM_ParamSpec:
      strbuf_puts(out, "**");
      print_name(out, param->ParamSpec.name);
      default_value = param->ParamSpec.default_value;
      break;
    case TYPE_PARAM_TypeVarTuple:
      strbuf_putc(out, '*');
      print_name(out, param->TypeVarTuple.name);
      default_value = param->TypeVarTuple.default_value;
      break;
    case TYPE_PARAM_KIND_COUNT: break;
    }
    if (default_value) {
      strbuf_puts(out, " = ");
      print_expr(out, default_value, LEVEL_TEST);
    }
  }
  strbuf_putc(out, ']');
}

static void print_decorators(StrBuf *out, ExprList decorators, int indent)
{
  for (uint32_t i = 0; i < decorators.count; i++) {
    begin_line(out, indent);
    strbuf_putc(out, '@');
    print_expr(out, decorators.items[i], LEVEL_NAMED);
    strbuf_putc(out, '\n');
  }
}

static void print_function(StrBuf *out, const struct Stmt_FunctionDef *def, const char *word, int indent)
{
  print_decorators(out, def->decorator_list, indent);
  begin_line(out, indent);
  strbuf_puts(out, word);
  print_name(out, def->name);
  print_type_params(out, def->type_params);
  strbuf_putc(out, '(');
  print_parameters(out, def->args);
  strbuf_putc(out, ')');
  if (def->returns) {
    strbuf_puts(out, " -> ");
    print_expr(out, def->returns, LEVEL_TEST);
  }
  print_block(out, def->body, indent);
}

static void print_class(StrBuf *out, const struct Stmt_ClassDef *def, int indent)
{
  print_decorators(out, def->decorator_list, indent);
  begin_line(out, indent);
  strbuf_puts(out, "class ");
  print_name(out, def->name);
  print_type_params(out, def->type_params);
  if (def->bases.count || def->keywords.count) {
    bool lone_generator = def->bases.count == 1 && def->keywords.count == 0 &&
                          def->bases.items[0]->kind == EXPR_GeneratorExp;
    strbuf_puts(out, lone_generator ? "((" : "(");
    print_arguments(out, def->bases, def->keywords);
    strbuf_puts(out, lone_generator ? "))" : ")");
  }
  print_block(out, def->body, indent);
}

static void print_else(StrBuf *out, const char *word, StmtList body, int indent)
{
  if (body.count == 0)
    return;
  begin_line(out, indent);
  strbuf_puts(out, word);
  print_block(out, body, indent);
}

static void print_if(StrBuf *out, const Stmt *s, int indent)
{
  const char *word = "if";
  for (;;) {
    begin_line(out, indent);
    print_word(out, word, s->If.test, LEVEL_NAMED);
    print_block(out, s->If.body, indent);
    if (s->If.orelse.count != 1 || s->If.orelse.items[0]->kind != STMT_If)
      break;
    s = s->If.orelse.items[0];
    word = "elif";
  }
  print_else(out, "else", s->If.orelse, indent);
}

static void print_for(StrBuf *out, const struct Stmt_For *loop, const char *word, int indent)
{
  begin_line(out, indent);
  print_word(out, word, loop->target, LEVEL_TUPLE);
  strbuf_puts(out, " in ");
  print_expr(out, loop->iter, LEVEL_TUPLE);
  print_block(out, loop->body, indent);
  print_else(out, "else", loop->orelse, indent);
}

static void print_with(StrBuf *out, const struct Stmt_With *with, const char *word, int indent)
{
  begin_line(out, indent);
  strbuf_puts(out, word);
  // A lone tuple would be taken for several items.
  bool lone_tuple = with->items.count == 1 && !with->items.items[0]->optional_vars &&
                    with->items.items[0]->context_expr->kind == EXPR_Tuple;
  if (lone_tuple)
    strbuf_putc(out, '(');
  for (uint32_t i = 0; i < with->items.count; i++) {
    const Ast_withitem *item = with->items.items[i];
    if (i)
      strbuf_puts(out, ", ");
    print_expr(out, item->context_expr, LEVEL_TEST);
    if (item->optional_vars) {
      strbuf_puts(out, " as ");
      print_expr(out, item->optional_vars, LEVEL_TEST);
    }
  }
  if (lone_tuple)
    strbuf_putc(out, ')');
  print_block(out, with->body, indent);
}

static void print_try(StrBuf *out, const struct Stmt_Try *try, const char *except, int indent)
{
  begin_line(out, indent);
  strbuf_puts(out, "try");
  print_block(out, try->body, indent);
  for (uint32_t i = 0; i < try->handlers.count; i++) {
    const Ast_ExceptHandler *handler = try->handlers.items[i];
    begin_line(out, indent);
    print_word(out, except, handler->type, LEVEL_TEST);
    if (handler->name) {
      strbuf_puts(out, " as ");
      print_name(out, handler->name);
    }
    print_block(out, handler->body, indent);
  }
  print_else(out, "else", try->orelse, indent);
  print_else(out, "finally", try->finalbody, indent);
}

static void print_match(StrBuf *out, const Stmt *s, int indent)
{
  begin_line(out, indent);
  print_word(out, "match", s->Match.subject, LEVEL_TUPLE);
  strbuf_puts(out, ":\n");
  for (uint32_t i = 0; i < s->Match.cases.count; i++) {
    const Ast_match_case *item = s->Match.cases.items[i];
    begin_line(out, indent + 1);
    strbuf_puts(out, "case ");
    print_pattern(out, item->pattern, PATTERN_LEVEL_AS);
    if (item->guard) {
      strbuf_puts(out, " if ");
      print_expr(out, item->guard, LEVEL_NAMED);
    }
    print_block(out, item->body, indent + 1);
  }
}

static void print_aliases(StrBuf *out, AliasList names)
{
  for (uint32_t i = 0; i < names.count; i++) {
    if (i)
      strbuf_puts(out, ", ");
    print_name(out, names.items[i]->name);
    if (names.items[i]->asname) {
      strbuf_puts(out, " as ");
      print_name(out, names.items[i]->asname);
    }
  }
}

static void print_scope(StrBuf *out, const char *word, IdentList names)
{
  strbuf_puts(out, word);
  for (uint32_t i = 0; i < names.count; i++) {
    strbuf_puts(out, i ? ", " : " ");
    print_name(out, names.items[i]);
  }
}

static void print_annotated(StrBuf *out, const Stmt *s)
{
  bool needs_parens = s->AnnAssign.target->kind == EXPR_Name && !s->AnnAssign.simple;
  strbuf_puts(out, needs_parens ? "(" : "");
  print_expr(out, s->AnnAssign.target, LEVEL_PRIMARY);
  strbuf_puts(out, needs_parens ? "): " : ": ");
  print_expr(out, s->AnnAssign.annotation, LEVEL_TEST);
  if (s->AnnAssign.value) {
    strbuf_puts(out, " = ");
    print_expr(out, s->AnnAssign.value, LEVEL_YIELD);
  }
}

// A statement of one line, without its end. False when it is a compound one.
static bool print_simple(StrBuf *out, const Stmt *s)
{
  switch ((StmtKind)s->kind) {
  case STMT_Return: print_word(out, "return", s->Return.value, LEVEL_TUPLE); return true;
  case STMT_Delete:
    strbuf_puts(out, "del ");
    print_items(out, s->Delete.targets, LEVEL_TEST);
    return true;
  case STMT_Assign:
    for (uint32_t i = 0; i < s->Assign.targets.count; i++) {
      print_expr(out, s->Assign.targets.items[i], LEVEL_TUPLE);
      strbuf_puts(out, " = ");
    }
    print_expr(out, s->Assign.value, LEVEL_YIELD);
    return true;
  case STMT_TypeAlias:
    print_word(out, "type", s->TypeAlias.name, LEVEL_PRIMARY);
    print_type_params(out, s->TypeAlias.type_params);
    strbuf_puts(out, " = ");
    print_expr(out, s->TypeAlias.value, LEVEL_TEST);
    return true;
  case STMT_AugAssign:
    print_expr(out, s->AugAssign.target, LEVEL_PRIMARY);
    strbuf_printf(out, " %s= ", operators[s->AugAssign.op].text);
    print_expr(out, s->AugAssign.value, LEVEL_YIELD);
    return true;
  case STMT_AnnAssign: print_annotated(out, s); return true;
  case STMT_Raise:
    print_word(out, "raise", s->Raise.exc, LEVEL_TEST);
    if (s->Raise.cause)
      print_word(out, " from", s->Raise.cause, LEVEL_TEST);
    return true;
  case STMT_Assert:
    print_word(out, "assert", s->Assert.test, LEVEL_TEST);
    if (s->Assert.msg)
      print_word(out, ",", s->Assert.msg, LEVEL_TEST);
    return true;
  case STMT_Import:
    strbuf_puts(out, "import ");
    print_aliases(out, s->Import.names);
    return true;
  case STMT_ImportFrom:
    strbuf_puts(out, "from ");
    strbuf_repeat(out, '.', (size_t)s->ImportFrom.level);
    if (s->ImportFrom.module)
      print_name(out, s->ImportFrom.module);
    strbuf_puts(out, " import ");
    print_aliases(out, s->ImportFrom.names);
    return true;
  case STMT_Global: print_scope(out, "global", s->Global.names); return true;
  case STMT_Nonlocal: print_scope(out, "nonlocal", s->Nonlocal.names); return true;
  case STMT_Expr: print_expr(out, s->Expr.value, LEVEL_YIELD); return true;
  case STMT_Pass: case STMT_Error: strbuf_puts(out, "pass"); return true;
  case STMT_Break: strbuf_puts(out, "break"); return true;
  case STMT_Continue: strbuf_puts(out, "continue"); return true;
  default: return false;
  }
}

void ast_print_stmt(const Stmt *s, int indent, StrBuf *out)
{
  switch ((StmtKind)s->kind) {
  case STMT_FunctionDef: print_function(out, &s->FunctionDef, "def ", indent); return;
  case STMT_AsyncFunctionDef: {
    const struct Stmt_AsyncFunctionDef *def = &s->AsyncFunctionDef;
    struct Stmt_FunctionDef same = {.name = def->name,
                                    .args = def->args,
                                    .body = def->body,
                                    .decorator_list = def->decorator_list,
                                    .returns = def->returns,
                                    .type_params = def->type_params};
    print_function(out, &same, "async def ", indent);
    return;
  }
  case STMT_ClassDef: print_class(out, &s->ClassDef, indent); return;
  case STMT_For: print_for(out, &s->For, "for", indent); return;
  case STMT_AsyncFor: {
    const struct Stmt_AsyncFor *loop = &s->AsyncFor;
    struct Stmt_For same = {.target = loop->target, .iter = loop->iter, .body = loop->body, .orelse = loop->orelse};
    print_for(out, &same, "async for", indent);
    return;
  }
  case STMT_While:
    begin_line(out, indent);
    print_word(out, "while", s->While.test, LEVEL_NAMED);
    print_block(out, s->While.body, indent);
    print_else(out, "else", s->While.orelse, indent);
    return;
  case STMT_If: print_if(out, s, indent); return;
  case STMT_With: print_with(out, &s->With, "with ", indent); return;
  case STMT_AsyncWith: {
    struct Stmt_With same = {.items = s->AsyncWith.items, .body = s->AsyncWith.body};
    print_with(out, &same, "async with ", indent);
    return;
  }
  case STMT_Match: print_match(out, s, indent); return;
  case STMT_Try: print_try(out, &s->Try, "except", indent); return;
  case STMT_TryStar: {
    const struct Stmt_TryStar *try = &s->TryStar;
    struct Stmt_Try same = {
        .body = try->body, .handlers = try->handlers, .orelse = try->orelse, .finalbody = try->finalbody};
    print_try(out, &same, "except*", indent);
    return;
  }
  default: break;
  }
  begin_line(out, indent);
  print_simple(out, s);
  strbuf_putc(out, '\n');
}

// ':' and the statements that follow it, one level deeper.
static void print_block(StrBuf *out, StmtList body, int indent)
{
  strbuf_puts(out, ":\n");
  for (uint32_t i = 0; i < body.count; i++)
    ast_print_stmt(body.items[i], indent + 1, out);
  if (body.count == 0) {
    begin_line(out, indent + 1);
    strbuf_puts(out, "pass\n");
  }
}

void ast_print_expr(const Expr *expr, StrBuf *out)
{
  print_expr(out, expr, LEVEL_YIELD);
}

void ast_print(const Module *module, StrBuf *out)
{
  for (uint32_t i = 0; i < module->body.count; i++)
    ast_print_stmt(module->body.items[i], 0, out);
}
