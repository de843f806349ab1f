// python_ast.h -- gathered sources as the syntax tree of a kernel that other KLR programs read.
//
// The tree has every function, class and global that the entry refers to, by whatever names; names of modules and
// functions are replaced by full ones. Positions count from the first line of the function, as those programs expect.

#pragma once
#include "base/session.h"
#include "serde/gathered.h"

// Appends a JSON object (`as_klr` false) or a .klr file with `python` contents. False after reporting what cannot be
// expressed (E0709), a missing entry, or a syntax error; `out` is then as before.
bool python_ast_write(Session *session, const Gathered *sources, bool as_klr, StrBuf *out);
