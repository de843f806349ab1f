#include "syntax/names.h"

bool unicode_find_name(Str name, uint32_t *code_point)
{
  (void)name;
  *code_point = 0;
  return false;
}
