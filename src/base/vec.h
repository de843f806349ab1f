// vec.h -- growable arrays in an arena.
//
//   Vec(int) numbers = {0};
//   vec_push(arena, &numbers, 42);
//   for (size_t i = 0; i < numbers.count; i++) use(numbers.items[i]);

#pragma once
#include "base/arena.h"

#define Vec(Type)                                                                                                      \
  struct {                                                                                                             \
    Type *items;                                                                                                       \
    size_t count, capacity;                                                                                            \
  }

#define vec_push(arena, vec, ...)                                                                                      \
  ((vec)->count == (vec)->capacity                                                                                     \
       ? (void)((vec)->items = vec_grow((arena), (vec)->items, &(vec)->capacity, sizeof *(vec)->items))                \
       : (void)0,                                                                                                      \
   (void)((vec)->items[(vec)->count++] = (__VA_ARGS__)))

#define vec_pop(vec) ((vec)->items[--(vec)->count])

// Room for at least one item more; `*capacity` doubles.
void *vec_grow(Arena *arena, void *items, size_t *capacity, size_t item_bytes);
