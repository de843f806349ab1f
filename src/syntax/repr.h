// repr.h -- constants as Python's repr() writes them.

#pragma once
#include "syntax/ast.h"

void repr_add_str(StrBuf *out, Str text);    // 'it\'s'; text is UTF-8, lone surrogates as three bytes
void repr_add_bytes(StrBuf *out, Str bytes);  // b'\x00'
void repr_add_constant(StrBuf *out, Constant value);
