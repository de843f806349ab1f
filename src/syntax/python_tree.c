#include "syntax/python_tree.h"

#include <string.h>

void tree_unsupported(Out *o, Span span, const char *what)
{
  if (!o->p->failed || o->p->session->error_count < 20) {
    Diag *diag = diag_error(o->p->session, E_AST_FORM, "%s has no form in a syntax tree file", what);
    diag_primary(diag, span, "this");
  }
  o->p->failed = true;
}

void tree_begin_struct(Out *o, const char *type, uint8_t tag, uint32_t count)
{
  o->w->form->begin(o->w, &(Head){.type = type, .tag = tag, .count = count});
}

void tree_end_struct(Out *o)
{
  o->w->form->end(o->w, &(Head){0});
}

void tree_begin_ctor(Out *o, uint8_t tag, const char *name, unsigned number, uint32_t count)
{
  o->w->form->begin(o->w, &(Head){.type = name, .ctor = name, .tag = tag, .number = (uint8_t)number, .count = count});
}

void tree_end_ctor(Out *o, uint32_t count)
{
  o->w->form->end(o->w, &(Head){.ctor = "", .count = count});
}

static void write_plain(Out *o, uint8_t tag, const char *name, unsigned number)
{
  tree_begin_ctor(o, tag, name, number, 0);
  tree_end_ctor(o, 0);
}

void tree_begin_field(Out *o, const char *name)
{
  o->w->form->field(o->w, name);
}

void tree_end_field(Out *o)
{
  o->w->form->end_field(o->w);
}

void tree_text_field(Out *o, const char *name, Str text)
{
  tree_begin_field(o, name);
  core_write_text(o->w, text);
  tree_end_field(o);
}

void tree_natural_field(Out *o, const char *name, uint64_t value)
{
  tree_begin_field(o, name);
  core_write_natural(o->w, value);
  tree_end_field(o);
}

bool tree_begin_option(Out *o, const char *name, bool some, bool in_struct)
{
  if (!some && in_struct && o->w->form->omits_none)
    return false;
  tree_begin_field(o, name);
  if (some) {
    o->w->form->begin_some(o->w);
    return true;
  }
  o->w->form->none(o->w);
  tree_end_field(o);
  return false;
}

void tree_end_option(Out *o)
{
  o->w->form->end_some(o->w);
  tree_end_field(o);
}

void tree_text_option(Out *o, const char *name, const Name *text)
{
  if (!tree_begin_option(o, name, text != NULL, true))
    return;
  core_write_text(o->w, ident(text));
  tree_end_option(o);
}

static void natural_option(Out *o, const char *name, uint64_t value)
{
  tree_begin_option(o, name, true, true);
  core_write_natural(o->w, value);
  tree_end_option(o);
}

static uint32_t line_of(Out *o, uint32_t offset, uint32_t *column)
{
  Place place = source_place(o->p->module->tree->source, o->p->arena, offset);
  *column = place.column;
  return place.line - o->p->first_line + 1;
}

void tree_pos_field(Out *o, Span span)
{
  uint32_t column, column_end;
  bool own = span.source == session_source_id(o->p->session, o->p->module->tree->source);
  uint32_t line = own ? line_of(o, span.start, &column) : (column = 0, 1);
  uint32_t line_end = own ? line_of(o, span.end, &column_end) : (column_end = 0, 1);
  tree_begin_field(o, "pos");
  tree_begin_struct(o, "Pos", TAG_POS, 5);
  tree_natural_field(o, "line", line);
  tree_natural_field(o, "column", column);
  natural_option(o, "lineEnd", line_end);
  natural_option(o, "columnEnd", column_end);
  tree_begin_option(o, "filename", true, true);
  core_write_text(o->w, str_from(o->p->module->gathered->path));
  tree_end_option(o);
  tree_end_struct(o);
  tree_end_field(o);
}

// ---- expressions
void tree_expr_field(Out *o, const char *name, const Expr *e)
{
  tree_begin_field(o, name);
  tree_write_expr(o, e);
  tree_end_field(o);
}

static void expr_option(Out *o, const char *name, const Expr *e, bool in_struct)
{
  if (!tree_begin_option(o, name, e != NULL, in_struct))
    return;
  tree_write_expr(o, e);
  tree_end_option(o);
}

void tree_exprs_field(Out *o, const char *name, ExprList list)
{
  tree_begin_field(o, name);
  o->w->form->begin_list(o->w, list.count);
  for (uint32_t i = 0; i < list.count; i++)
    tree_write_expr(o, list.items[i]);
  o->w->form->end_list(o->w);
  tree_end_field(o);
}

void tree_context_field(Out *o, Context context)
{
  static const char *const names[] = {"load", "store", "del"};
  tree_begin_field(o, "ctx");
  write_plain(o, TAG_CTX, names[context], context);
  tree_end_field(o);
}

static void write_bin_op(Out *o, Operator op)
{
  static const char *const names[] = {"add",    "sub",    "mul", "matmul", "div", "mod",  "pow",
                                      "lshift", "rshift", "or",  "xor",    "and", "floor"};
  tree_begin_field(o, "op");
  write_plain(o, TAG_BIN_OP, names[op], op);
  tree_end_field(o);
}

static void write_const(Out *o, const Constant *c, Span span)
{
  switch (c->kind) {
  case CONSTANT_NONE: write_plain(o, TAG_CONST, "none", 0); return;
  case CONSTANT_ELLIPSIS: write_plain(o, TAG_CONST, "ellipsis", 5); return;
  case CONSTANT_FALSE:
  case CONSTANT_TRUE:
    tree_begin_ctor(o, TAG_CONST, "bool", 1, 1);
    tree_begin_field(o, "value");
    o->w->form->boolean(o->w, c->kind == CONSTANT_TRUE);
    break;
  case CONSTANT_INT:
    if (c->integer < INT32_MIN || c->integer > INT32_MAX) {
      tree_unsupported(o, span, "an integer beyond 32 bits");
      return;
    }
    tree_begin_ctor(o, TAG_CONST, "int", 2, 1);
    tree_begin_field(o, "value");
    core_write_integer(o->w, c->integer);
    break;
  case CONSTANT_FLOAT:
    tree_begin_ctor(o, TAG_CONST, "float", 3, 1);
    tree_begin_field(o, "value");
    o->w->form->real64(o->w, c->real);
    break;
  case CONSTANT_STR:
    tree_begin_ctor(o, TAG_CONST, "string", 4, 1);
    tree_begin_field(o, "value");
    core_write_text(o->w, c->text);
    break;
  case CONSTANT_BIG_INT: tree_unsupported(o, span, "an integer beyond 32 bits"); return;
  case CONSTANT_COMPLEX: tree_unsupported(o, span, "a complex number"); return;
  case CONSTANT_BYTES: tree_unsupported(o, span, "a bytes literal"); return;
  }
  tree_end_field(o);
  tree_end_ctor(o, 1);
}

void tree_write_keyword(Out *o, const Name *name, const Expr *value, Span span)
{
  tree_begin_struct(o, "Keyword", TAG_KEYWORD, 3);
  tree_text_option(o, "id", name);
  tree_expr_field(o, "value", value);
  tree_pos_field(o, span);
  tree_end_struct(o);
}

static void write_name(Out *o, const Expr *e)
{
  Str name = ident(e->Name.id);
  const char *full = NULL;
  if (e->Name.ctx == CONTEXT_Load)
    full = sources_follow(o->p, e);
  else
    map_set(&o->p->locals, name, (void *)e);
  tree_begin_ctor(o, TAG_EXPR_INSIDE, "name", 1, 2);
  tree_text_field(o, "id", full ? str_from(full) : name);
  tree_context_field(o, e->Name.ctx);
  tree_end_ctor(o, 2);
}

static void write_compare(Out *o, const Expr *e)
{
  static const char *const names[] = {"eq", "ne", "lt", "le", "gt", "ge", "is", "isNot", "isIn", "notIn"};
  const CmpOpList *ops = &e->Compare.ops;
  tree_begin_ctor(o, TAG_EXPR_INSIDE, "compare", 11, 3);
  tree_expr_field(o, "left", e->Compare.left);
  tree_begin_field(o, "ops");
  o->w->form->begin_list(o->w, ops->count);
  for (uint32_t i = 0; i < ops->count; i++)
    write_plain(o, TAG_CMP_OP, names[ops->items[i]], ops->items[i]);
  o->w->form->end_list(o->w);
  tree_end_field(o);
  tree_exprs_field(o, "comparators", e->Compare.comparators);
  tree_end_ctor(o, 3);
}

static void write_call(Out *o, const Expr *e)
{
  const KeywordList *keywords = &e->Call.keywords;
  tree_begin_ctor(o, TAG_EXPR_INSIDE, "call", 13, 3);
  tree_expr_field(o, "f", e->Call.func);
  tree_exprs_field(o, "args", e->Call.args);
  tree_begin_field(o, "keywords");
  o->w->form->begin_list(o->w, keywords->count);
  for (uint32_t i = 0; i < keywords->count; i++)
    tree_write_keyword(o, keywords->items[i]->arg, keywords->items[i]->value, keywords->items[i]->span);
  o->w->form->end_list(o->w);
  tree_end_field(o);
  tree_end_ctor(o, 3);
}

static void write_dict(Out *o, const Expr *e)
{
  for (uint32_t i = 0; i < e->Dict.keys.count; i++)
    if (!e->Dict.keys.items[i]) {
      tree_unsupported(o, e->Dict.values.items[i]->span, "`**` in a dictionary");
      return;
    }
  tree_begin_ctor(o, TAG_EXPR_INSIDE, "dict", 5, 2);
  tree_exprs_field(o, "keys", e->Dict.keys);
  tree_exprs_field(o, "values", e->Dict.values);
  tree_end_ctor(o, 2);
}

static void write_format(Out *o, const Expr *e)
{
  if (e->FormattedValue.format_spec) {
    tree_unsupported(o, e->span, "a format specification");
    return;
  }
  tree_begin_ctor(o, TAG_EXPR_INSIDE, "format", 16, 2);
  tree_expr_field(o, "e", e->FormattedValue.value);
  if (tree_begin_option(o, "conv", e->FormattedValue.conversion > 0, false)) {
    core_write_natural(o->w, (uint64_t)e->FormattedValue.conversion);
    tree_end_option(o);
  }
  tree_end_ctor(o, 2);
}

static void write_operators(Out *o, const Expr *e)
{
  static const char *const bool_ops[] = {"land", "lor"}, *const unary_ops[] = {"invert", "not", "uadd", "usub"};
  if (e->kind == EXPR_BoolOp) {
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "boolOp", 8, 2);
    tree_begin_field(o, "op");
    write_plain(o, TAG_BOOL_OP, bool_ops[e->BoolOp.op], e->BoolOp.op);
    tree_end_field(o);
    tree_exprs_field(o, "values", e->BoolOp.values);
    tree_end_ctor(o, 2);
  } else if (e->kind == EXPR_BinOp) {
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "binOp", 9, 3);
    write_bin_op(o, e->BinOp.op);
    tree_expr_field(o, "left", e->BinOp.left);
    tree_expr_field(o, "right", e->BinOp.right);
    tree_end_ctor(o, 3);
  } else {
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "unaryOp", 10, 2);
    tree_begin_field(o, "op");
    write_plain(o, TAG_UNARY_OP, unary_ops[e->UnaryOp.op], e->UnaryOp.op);
    tree_end_field(o);
    tree_expr_field(o, "operand", e->UnaryOp.operand);
    tree_end_ctor(o, 2);
  }
}

static void write_sequence(Out *o, const char *name, unsigned number, ExprList elements, Context context)
{
  tree_begin_ctor(o, TAG_EXPR_INSIDE, name, number, 2);
  tree_exprs_field(o, "xs", elements);
  tree_context_field(o, context);
  tree_end_ctor(o, 2);
}

static void write_attribute(Out *o, const Expr *e)
{
  if (e->Attribute.ctx == CONTEXT_Load)
    sources_follow(o->p, e);
  tree_begin_ctor(o, TAG_EXPR_INSIDE, "attr", 2, 3);
  tree_expr_field(o, "value", e->Attribute.value);
  tree_text_field(o, "id", ident(e->Attribute.attr));
  tree_context_field(o, e->Attribute.ctx);
  tree_end_ctor(o, 3);
}

void tree_write_expr_inside(Out *o, const Expr *e)
{
  switch (e->kind) {
  case EXPR_Constant:
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "const", 0, 1);
    tree_begin_field(o, "value");
    write_const(o, &e->Constant.value, e->span);
    tree_end_field(o);
    tree_end_ctor(o, 1);
    return;
  case EXPR_Name: write_name(o, e); return;
  case EXPR_Attribute: write_attribute(o, e); return;
  case EXPR_Tuple: write_sequence(o, "tuple", 3, e->Tuple.elts, e->Tuple.ctx); return;
  case EXPR_List: write_sequence(o, "list", 4, e->List.elts, e->List.ctx); return;
  case EXPR_Dict: write_dict(o, e); return;
  case EXPR_Subscript:
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "subscript", 6, 3);
    tree_expr_field(o, "tensor", e->Subscript.value);
    tree_expr_field(o, "index", e->Subscript.slice);
    tree_context_field(o, e->Subscript.ctx);
    tree_end_ctor(o, 3);
    return;
  case EXPR_Slice:
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "slice", 7, 3);
    expr_option(o, "l", e->Slice.lower, false);
    expr_option(o, "u", e->Slice.upper, false);
    expr_option(o, "step", e->Slice.step, false);
    tree_end_ctor(o, 3);
    return;
  case EXPR_BoolOp:
  case EXPR_BinOp:
  case EXPR_UnaryOp: write_operators(o, e); return;
  case EXPR_Compare: write_compare(o, e); return;
  case EXPR_IfExp:
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "ifExp", 12, 3);
    tree_expr_field(o, "test", e->IfExp.test);
    tree_expr_field(o, "body", e->IfExp.body);
    tree_expr_field(o, "orelse", e->IfExp.orelse);
    tree_end_ctor(o, 3);
    return;
  case EXPR_Call: write_call(o, e); return;
  case EXPR_Starred:
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "starred", 14, 2);
    tree_expr_field(o, "e", e->Starred.value);
    tree_context_field(o, e->Starred.ctx);
    tree_end_ctor(o, 2);
    return;
  case EXPR_FormattedValue: write_format(o, e); return;
  case EXPR_JoinedStr:
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "joined", 17, 1);
    tree_exprs_field(o, "es", e->JoinedStr.values);
    tree_end_ctor(o, 1);
    return;
  default: tree_unsupported(o, e->span, arena_printf(o->p->arena, "`%s`", ast_expr_node((ExprKind)e->kind)->name));
  }
}

// The parser bounds how deep an expression is.
void tree_write_expr(Out *o, const Expr *e)
{
  tree_begin_struct(o, "Expr", TAG_EXPR, 2);
  tree_begin_field(o, "expr");
  tree_write_expr_inside(o, e);
  tree_end_field(o);
  tree_pos_field(o, e->span);
  tree_end_struct(o);
}

// ---- statements
static void write_with_items(Out *o, WithItemList items)
{
  tree_begin_field(o, "items");
  o->w->form->begin_list(o->w, items.count);
  for (uint32_t i = 0; i < items.count; i++) {
    tree_begin_struct(o, "WithItem", TAG_WITH_ITEM, 2);
    tree_expr_field(o, "item", items.items[i]->context_expr);
    expr_option(o, "var", items.items[i]->optional_vars, true);
    tree_end_struct(o);
  }
  o->w->form->end_list(o->w);
  tree_end_field(o);
}

static void write_return(Out *o, const Stmt *s)
{
  static const Expr none = {.kind = EXPR_Constant, .Constant = {.value = {.kind = CONSTANT_NONE}}};
  tree_begin_ctor(o, TAG_STMT_INSIDE, "ret", 3, 1);
  tree_expr_field(o, "e", s->Return.value ? s->Return.value : &none);
  tree_end_ctor(o, 1);
}

static void write_assignment(Out *o, const Stmt *s)
{
  if (s->kind == STMT_Assign) {
    tree_begin_ctor(o, TAG_STMT_INSIDE, "assign", 4, 2);
    tree_exprs_field(o, "xs", s->Assign.targets);
    tree_expr_field(o, "e", s->Assign.value);
    tree_end_ctor(o, 2);
  } else if (s->kind == STMT_AugAssign) {
    tree_begin_ctor(o, TAG_STMT_INSIDE, "augAssign", 5, 3);
    tree_expr_field(o, "x", s->AugAssign.target);
    write_bin_op(o, s->AugAssign.op);
    tree_expr_field(o, "e", s->AugAssign.value);
    tree_end_ctor(o, 3);
  } else {
    tree_begin_ctor(o, TAG_STMT_INSIDE, "annAssign", 6, 3);
    tree_expr_field(o, "x", s->AnnAssign.target);
    tree_expr_field(o, "annotation", s->AnnAssign.annotation);
    expr_option(o, "value", s->AnnAssign.value, false);
    tree_end_ctor(o, 3);
  }
}

static void write_compound(Out *o, const Stmt *s)
{
  switch (s->kind) {
  case STMT_If:
    tree_begin_ctor(o, TAG_STMT_INSIDE, "ifStm", 7, 3);
    tree_expr_field(o, "e", s->If.test);
    tree_stmts_field(o, "thn", s->If.body);
    tree_stmts_field(o, "els", s->If.orelse);
    tree_end_ctor(o, 3);
    return;
  case STMT_For:
    tree_begin_ctor(o, TAG_STMT_INSIDE, "forLoop", 8, 4);
    tree_expr_field(o, "x", s->For.target);
    tree_expr_field(o, "iter", s->For.iter);
    tree_stmts_field(o, "body", s->For.body);
    tree_stmts_field(o, "orelse", s->For.orelse);
    tree_end_ctor(o, 4);
    return;
  case STMT_While:
    tree_begin_ctor(o, TAG_STMT_INSIDE, "whileLoop", 11, 3);
    tree_expr_field(o, "test", s->While.test);
    tree_stmts_field(o, "body", s->While.body);
    tree_stmts_field(o, "orelse", s->While.orelse);
    tree_end_ctor(o, 3);
    return;
  default:
    tree_begin_ctor(o, TAG_STMT_INSIDE, "withBlock", 12, 2);
    write_with_items(o, s->With.items);
    tree_stmts_field(o, "body", s->With.body);
    tree_end_ctor(o, 2);
  }
}

static void write_stmt_inside(Out *o, const Stmt *s)
{
  switch (s->kind) {
  case STMT_Pass: write_plain(o, TAG_STMT_INSIDE, "pass", 0); return;
  case STMT_Break: write_plain(o, TAG_STMT_INSIDE, "breakLoop", 9); return;
  case STMT_Continue: write_plain(o, TAG_STMT_INSIDE, "continueLoop", 10); return;
  case STMT_Expr:
    tree_begin_ctor(o, TAG_STMT_INSIDE, "expr", 1, 1);
    tree_expr_field(o, "e", s->Expr.value);
    tree_end_ctor(o, 1);
    return;
  case STMT_Assert:
    tree_begin_ctor(o, TAG_STMT_INSIDE, "assert", 2, 2);
    tree_expr_field(o, "e", s->Assert.test);
    expr_option(o, "msg", s->Assert.msg, false);
    tree_end_ctor(o, 2);
    return;
  case STMT_Return: write_return(o, s); return;
  case STMT_Assign:
  case STMT_AugAssign:
  case STMT_AnnAssign: write_assignment(o, s); return;
  case STMT_If:
  case STMT_For:
  case STMT_While:
  case STMT_With: write_compound(o, s); return;
  default: tree_unsupported(o, s->span, arena_printf(o->p->arena, "`%s`", ast_stmt_node((StmtKind)s->kind)->name));
  }
}

static void write_stmt(Out *o, const Stmt *s)
{
  tree_begin_struct(o, "Stmt", TAG_STMT, 2);
  tree_begin_field(o, "stmt");
  write_stmt_inside(o, s);
  tree_end_field(o);
  tree_pos_field(o, s->span);
  tree_end_struct(o);
}

void tree_stmts_field(Out *o, const char *name, StmtList body)
{
  tree_begin_field(o, name);
  o->w->form->begin_list(o->w, body.count);
  for (uint32_t i = 0; i < body.count; i++)
    write_stmt(o, body.items[i]);
  o->w->form->end_list(o->w);
  tree_end_field(o);
}
