// dump.h -- a tree as text: CPython's ast.dump, and Python source again.

#pragma once
#include "syntax/ast.h"

// As `ast.dump(tree, include_attributes=True)` of Python 3.11 writes it, plus type parameters where there are some.
void ast_dump(const Module *module, StrBuf *out);
void ast_dump_without_places(const Module *module, StrBuf *out);  // as `ast.dump(tree)`
void ast_dump_expr(const Module *module, const Expr *expr, StrBuf *out);

// As source: parses back to the same tree (places aside), with the brackets it needs and no others.
void ast_print(const Module *module, StrBuf *out);
void ast_print_expr(const Expr *expr, StrBuf *out);
void ast_print_stmt(const Stmt *stmt, int indent, StrBuf *out);
