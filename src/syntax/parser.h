// parser.h -- Python source text to syntax tree.

#pragma once
#include "syntax/ast.h"

// What CPython 3.11's `ast.parse` accepts is accepted and gives the same tree, what it refuses is refused, but for
//   - syntax of Python 3.12 and 3.13: type parameters, `type X = ...`, and in f-strings nested quotes, backslashes,
//     comments, line breaks and formats of any depth (Module.minor_version is then 12 or 13);
//   - whole numbers of more than 4300 decimal digits, which CPython refuses for the time they take to convert.
// What parses but cannot be compiled (`return` outside a function) is left to check.h.

// Parses all of Python 3.9 to 3.13. Nodes go to `arena`, identifiers to session->names, errors to the session (several
// per file). Never fails: what could not be understood is an error node, and `has_errors` is set.
Module *parse_module(Session *session, Arena *arena, Source *source);

// One expression, as `eval` would take it; EXPR_Error after reporting. For `ARG=VALUE` on the command line.
Expr *parse_expression(Session *session, Arena *arena, Source *source);
