// python_tree.h -- expressions and statements of Python in the form that files have them.
//
// The parts of the form: structures and constructors are begun with the number of their fields and ended; fields and
// options are begun by name and ended. In structures, JSON leaves out fields that are none.

#pragma once
#include "serde/form.h"
#include "syntax/python_sources.h"

enum {
  TAG_CONST = 1,
  TAG_CTX,
  TAG_BOOL_OP,
  TAG_CMP_OP,
  TAG_UNARY_OP,
  TAG_BIN_OP,
  TAG_EXPR,
  TAG_EXPR_INSIDE,
  TAG_KEYWORD,
  TAG_WITH_ITEM,
  TAG_STMT,
  TAG_STMT_INSIDE,
  TAG_ARGS,
  TAG_FUN,
  TAG_CLASS,
  TAG_KERNEL,
  TAG_POS = 100
};

// What the functions below write to.
typedef struct Out {
  CoreWriter *w;
  PythonAst *p;
} Out;

// Reports that `what` cannot be expressed.
void tree_unsupported(Out *o, Span span, const char *what);
void tree_begin_struct(Out *o, const char *type, uint8_t tag, uint32_t count);
void tree_end_struct(Out *o);
void tree_begin_ctor(Out *o, uint8_t tag, const char *name, unsigned number, uint32_t count);
void tree_end_ctor(Out *o, uint32_t count);
void tree_begin_field(Out *o, const char *name);
void tree_end_field(Out *o);
void tree_text_field(Out *o, const char *name, Str text);
void tree_natural_field(Out *o, const char *name, uint64_t value);
// Begins an option that is a field; false when it is none, and then it is written. `in_struct`: not of a constructor.
bool tree_begin_option(Out *o, const char *name, bool some, bool in_struct);
void tree_end_option(Out *o);
void tree_text_option(Out *o, const char *name, const Name *text);
void tree_pos_field(Out *o, Span span);
void tree_write_expr(Out *o, const Expr *e);
void tree_write_expr_inside(Out *o, const Expr *e);
void tree_expr_field(Out *o, const char *name, const Expr *e);
void tree_exprs_field(Out *o, const char *name, ExprList list);
void tree_context_field(Out *o, Context context);
void tree_write_keyword(Out *o, const Name *name, const Expr *value, Span span);
void tree_stmts_field(Out *o, const char *name, StmtList body);
