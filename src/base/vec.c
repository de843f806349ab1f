#include "base/vec.h"

void *vec_grow(Arena *arena, void *items, size_t *capacity, size_t item_bytes)
{
  size_t grown = *capacity ? *capacity * 2 : 8;
  void *result = arena_grow(arena, items, *capacity * item_bytes, grown * item_bytes);
  *capacity = grown;
  return result;
}
