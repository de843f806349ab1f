// pages.h -- what the documentation says about one operator.

#pragma once
#include "base/str.h"

// The list items of docs/core.md that define `core_name`, and the lines of docs/numerics.md that name it or `nki_name`
// (without module), with how sure each choice is: D documented, M measured, A assumed. False when there are none.
bool pages_add_meaning(StrBuf *out, const char *core_name);
bool pages_add_choices(StrBuf *out, const char *core_name, const char *nki_name);
