// names.h -- characters by their Unicode names, for "\N{BULLET}".

#pragma once
#include "base/str.h"

// The code point called `name`, in any case; also by Unicode's aliases. False when there is none.
bool unicode_find_name(Str name, uint32_t *code_point);
