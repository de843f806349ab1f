#include "base/map.h"

Map map_new(Arena *arena)
{
  return (Map){.arena = arena};
}

static uint64_t spread(uint64_t hash)
{
  hash = (hash ^ hash >> 32) * UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ hash >> 29;
}

static size_t find_slot(const Map *map, Str key, bool is_text, uint64_t hash)
{
  size_t at = spread(hash) & (map->slot_count - 1);
  for (; map->slots[at]; at = (at + 1) & (map->slot_count - 1)) {
    const MapEntry *entry = &map->entries[map->slots[at] - 1];
    if (entry->hash == hash && (!is_text || str_equal(entry->key, key)))
      break;
  }
  return at;
}

static void *get(const Map *map, Str key, bool is_text, uint64_t hash)
{
  if (!map->slot_count)
    return NULL;
  uint32_t index = map->slots[find_slot(map, key, is_text, hash)];
  return index ? map->entries[index - 1].value : NULL;
}

static void widen(Map *map)
{
  map->slot_count = map->slot_count ? map->slot_count * 2 : 16;
  map->slots = arena_array(map->arena, uint32_t, map->slot_count);
  for (size_t i = 0; i < map->count; i++) {
    size_t at = spread(map->entries[i].hash) & (map->slot_count - 1);
    while (map->slots[at])
      at = (at + 1) & (map->slot_count - 1);
    map->slots[at] = (uint32_t)i + 1;
  }
}

static void set(Map *map, Str key, bool is_text, uint64_t hash, void *value)
{
  if (map->count * 2 >= map->slot_count)
    widen(map);
  size_t at = find_slot(map, key, is_text, hash);
  if (map->slots[at]) {
    map->entries[map->slots[at] - 1].value = value;
    return;
  }
  if (map->count == map->entry_capacity) {
    size_t capacity = map->entry_capacity ? map->entry_capacity * 2 : 8;
    map->entries = arena_grow(map->arena, map->entries, map->count * sizeof(MapEntry), capacity * sizeof(MapEntry));
    map->entry_capacity = capacity;
  }
  map->entries[map->count++] = (MapEntry){key, hash, value};
  map->slots[at] = (uint32_t)map->count;
}

void *map_get(const Map *map, Str key)
{
  return get(map, key, true, str_hash(key));
}

void map_set(Map *map, Str key, void *value)
{
  set(map, key, true, str_hash(key), value);
}

void *map_get_number(const Map *map, uint64_t key)
{
  return get(map, (Str){0}, false, key);
}

void map_set_number(Map *map, uint64_t key, void *value)
{
  set(map, (Str){0}, false, key, value);
}
