// place.c -- tiles of a kernel as items to pack, and how much is needed at once.

#include "machine/place.h"

#include "machine/pack.h"

#define NONE UINT32_MAX

enum {
  CELL = 4,   // bytes that starts and sizes count in
  WIDE = 32,  // bytes that starts in SBUF count in while there is room: rows that begin so are moved faster
};

static uint64_t round_up(uint64_t n, uint64_t unit)
{
  return (n + unit - 1) / unit * unit;
}

// ---- tiles of one memory

// Chains of tiles by a moment.
typedef struct Chains {
  uint32_t *heads, *next;
} Chains;

static Chains chains_new(Arena *scratch, uint32_t moments, uint32_t count)
{
  Chains chains = {arena_array(scratch, uint32_t, (size_t)moments + 1), arena_array(scratch, uint32_t, count)};
  for (uint32_t i = 0; i <= moments; i++)
    chains.heads[i] = NONE;
  return chains;
}

static void chain(Chains *chains, uint32_t moment, uint32_t item)
{
  chains->next[item] = chains->heads[moment];
  chains->heads[moment] = item;
}

static uint32_t moments_of(const Liveness *liveness)
{
  return liveness->block_start[liveness->block_count];
}

static PlacedTile tile_of_range(const LiveRange *range)
{
  const Address *address = range->tensor->address;
  PlacedTile tile = {.range = range, .is_given = address_is_placed(address)};
  uint64_t bytes = range->row_bytes > address->free_size ? range->row_bytes : address->free_size;
  tile.row_bytes = tile.is_given ? range->row_bytes : round_up(bytes ? bytes : 1, CELL);
  if (tile.is_given) {
    tile.first_row = (uint32_t)address->par_offset.value;
    tile.first_byte = address->free_offset.value;
    tile.is_placed = true;
  }
  return tile;
}

// The memory's tiles, by the start of their ranges and among equals by first use.
static void collect(Arena *arena, Arena *scratch, const Liveness *liveness, MemoryMap *map)
{
  ArenaMark mark = arena_mark(scratch);
  uint32_t moments = moments_of(liveness);
  Chains starts = chains_new(scratch, moments, liveness->count);
  for (uint32_t i = liveness->count; i-- > 0;)
    if (liveness->ranges[i].tensor->address->memory == map->memory) {
      chain(&starts, liveness->ranges[i].first, i);
      map->count++;
    }
  map->tiles = arena_array(arena, PlacedTile, map->count);
  map->count = 0;
  for (uint32_t moment = 0; moment < moments; moment++)
    for (uint32_t i = starts.heads[moment]; i != NONE; i = starts.next[i])
      map->tiles[map->count++] = tile_of_range(&liveness->ranges[i]);
  arena_rewind(scratch, mark);
}

// ---- how much is needed

// Cells of a partition that tiles with an address keep: how many tiles each.
typedef struct Given {
  uint32_t *tiles;
  uint64_t cells, taken;
} Given;

static void count_given(Given *given, const PlacedTile *tile, bool begins)
{
  uint64_t first = tile->first_byte / CELL, end = (tile->first_byte + tile->row_bytes + CELL - 1) / CELL;
  for (uint64_t i = first; i < end && i < given->cells; i++)
    given->taken += begins ? given->tiles[i]++ == 0 : 0u - (uint64_t)(--given->tiles[i] == 0);
}

// How much tiles need while a kernel goes on. Tiles with an address may share bytes, which count once; those that do not
// begin at partition 0 may lie beside others.
typedef struct Need {
  Given given, given_at_0;
  uint64_t others;
} Need;

static void count_tile(Need *need, const PlacedTile *tile, bool begins)
{
  if (!tile->is_given) {
    need->others += begins ? tile->row_bytes : 0u - tile->row_bytes;
    return;
  }
  count_given(&need->given, tile, begins);
  if (tile->first_row == 0)
    count_given(&need->given_at_0, tile, begins);
}

static void find_peak(Arena *scratch, const Liveness *liveness, MemoryMap *map, uint64_t physical_bytes)
{
  ArenaMark mark = arena_mark(scratch);
  Chains ends = chains_new(scratch, moments_of(liveness), map->count);
  uint64_t cells = physical_bytes / CELL;
  Need need = {.given = {arena_array(scratch, uint32_t, cells), cells, 0},
               .given_at_0 = {arena_array(scratch, uint32_t, cells), map->limit_bytes / CELL, 0}};
  uint32_t moment = 0;
  for (uint32_t i = 0; i < map->count; i++) {
    PlacedTile *tile = &map->tiles[i];
    for (; moment < tile->range->first; moment++)
      for (uint32_t k = ends.heads[moment]; k != NONE; k = ends.next[k])
        count_tile(&need, &map->tiles[k], false);
    count_tile(&need, tile, true);
    chain(&ends, tile->range->last, i);
    uint64_t bytes = need.given.taken * CELL + need.others;
    if (bytes > map->peak_bytes) {
      map->peak_bytes = bytes;
      map->peak_number = tile->range->first;
    }
    if (map->over == NO_TILE && need.others && need.given_at_0.taken * CELL + need.others > map->limit_bytes)
      map->over = i;
  }
  arena_rewind(scratch, mark);
}

// ---- places

static uint32_t find_places(Arena *scratch, const Machine *machine, MemoryMap *map, PackItem *items)
{
  bool is_psum = map->memory == MEMORY_PSUM;
  PackRules rules = {.limit = map->limit_bytes, .unit = is_psum ? machine->psum_bank_bytes : WIDE};
  if (pack(scratch, items, map->count, rules) == PACKED)
    return PACKED;
  rules.unit = CELL;
  if (!is_psum)
    return pack(scratch, items, map->count, rules);
  rules.unit = machine->psum_cell_bytes;
  rules.page = machine->gemm_spans_banks ? 0 : machine->psum_bank_bytes;
  return pack(scratch, items, map->count, rules);
}

static void place_tiles(Arena *scratch, const Machine *machine, MemoryMap *map)
{
  ArenaMark mark = arena_mark(scratch);
  PackItem *items = arena_array(scratch, PackItem, map->count);
  for (uint32_t i = 0; i < map->count; i++) {
    const PlacedTile *tile = &map->tiles[i];
    uint32_t first_row = tile->first_row;
    items[i] = (PackItem){.first = tile->range->first,
                          .last = tile->range->last,
                          .bytes = tile->row_bytes,
                          .first_row = first_row,
                          .end_row = first_row + tile->range->rows,
                          .is_fixed = tile->is_given,
                          .start = tile->first_byte};
  }
  map->left_out = find_places(scratch, machine, map, items);
  for (uint32_t i = 0; i < map->count; i++) {
    PlacedTile *tile = &map->tiles[i];
    tile->is_placed = items[i].is_packed;
    tile->first_byte = tile->is_placed ? items[i].start : 0;
  }
  arena_rewind(scratch, mark);
}

static void place_memory(Arena *arena, Arena *scratch, const Machine *machine, const Liveness *liveness, MemoryMap *map)
{
  map->over = map->left_out = NO_TILE;
  uint64_t psum_bytes = (uint64_t)machine->psum_banks * machine->psum_bank_bytes;
  map->limit_bytes = map->memory == MEMORY_PSUM ? psum_bytes : machine->sbuf_usable_bytes;
  collect(arena, scratch, liveness, map);
  find_peak(scratch, liveness, map, map->memory == MEMORY_PSUM ? psum_bytes : machine->sbuf_partition_bytes);
  if (map->over == NO_TILE)
    place_tiles(scratch, machine, map);
  for (uint32_t i = 0; i < map->count; i++) {
    uint64_t end = map->tiles[i].first_byte + map->tiles[i].row_bytes;
    if (map->tiles[i].is_placed && end > map->end_bytes)
      map->end_bytes = end;
  }
}

Placement place_core(Arena *arena, Arena *scratch, const Machine *machine, const Core_LIST_BLOCK *blocks)
{
  Placement placement = {.liveness = liveness_of(arena, scratch, blocks),
                         .sbuf = {.memory = MEMORY_SBUF},
                         .psum = {.memory = MEMORY_PSUM}};
  place_memory(arena, scratch, machine, &placement.liveness, &placement.sbuf);
  place_memory(arena, scratch, machine, &placement.liveness, &placement.psum);
  return placement;
}
