// check.h -- what Python refuses although it parses: statements outside of what they belong to, names given twice.
//
// `ast.parse` takes these and so does parse_module; CPython's compiler does not. Call it before a module is evaluated.

#pragma once
#include "syntax/ast.h"

// Reports all such mistakes of a module that has parsed without errors; false when there are some.
bool check_module(Session *session, const Module *module);
