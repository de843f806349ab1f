// parser.h -- Python source text to syntax tree.

#pragma once
#include "syntax/ast.h"

// Parses all of Python 3.9 to 3.13. Nodes go to `arena`, identifiers to session->names, errors to the session (several
// per file). Never fails: what could not be understood is an error node, and `has_errors` is set.
Module *parse_module(Session *session, Arena *arena, Source *source);

// One expression, as `eval` would take it; EXPR_Error after reporting. For `ARG=VALUE` on the command line.
Expr *parse_expression(Session *session, Arena *arena, Source *source);
