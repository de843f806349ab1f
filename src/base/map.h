// map.h -- a hash map from 64-bit keys or text to pointers, in insertion order.

#pragma once
#include "base/str.h"

typedef struct MapEntry {
  Str key;        // text maps
  uint64_t hash;  // text maps: hash of the key; number maps: the key itself
  void *value;
} MapEntry;

// Zero-initialise with the arena set. Entries stay in insertion order in `entries[0..count)`.
typedef struct Map {
  Arena *arena;
  MapEntry *entries;
  size_t count, entry_capacity;
  uint32_t *slots;  // index + 1 into entries; 0: free
  size_t slot_count;
} Map;

Map map_new(Arena *arena);

void *map_get(const Map *map, Str key);               // NULL: absent
void map_set(Map *map, Str key, void *value);         // replaces; the key text is not copied
void *map_get_number(const Map *map, uint64_t key);   // a map holds text keys or numbers, not both
void map_set_number(Map *map, uint64_t key, void *value);
