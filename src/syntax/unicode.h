// unicode.h -- what Python needs to know of characters beyond ASCII (Unicode 14, as Python 3.11 has it).

#pragma once
#include "base/str.h"

bool unicode_is_name_start(uint32_t c);  // may begin an identifier
bool unicode_is_name_part(uint32_t c);   // may stand in one
bool unicode_is_printable(uint32_t c);   // repr() shows it as it is

// An identifier in Unicode normal form KC. `name` itself when it is in that form; otherwise in `arena`.
Str unicode_normal_name(Arena *arena, Str name);

// A character that is easily taken for one of Python's: typographic quotes, dashes, blanks, full-width forms.
typedef struct UnicodeLookalike {
  uint32_t code_point;
  const char *name;   // "a typographic quote"
  const char *plain;  // what was probably meant
} UnicodeLookalike;

const UnicodeLookalike *unicode_lookalike(uint32_t c);  // NULL: none
