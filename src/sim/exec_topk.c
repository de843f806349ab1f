// exec_topk.c -- topk of bfloat16 by counting: a value has one of 65536 bit patterns.

#include "sim/piece.h"

#include <string.h>

enum { GROUP = 16, KEYS = 1 << 16 };

typedef struct Counting {
  uint32_t *next;   // by key: how often it occurs, then where its next element goes among the results
  uint16_t *keys;   // of the group's elements
  uint64_t n, k;
} Counting;

// Keys order as values do; the two zeros are equal. 0 for a NaN.
static uint16_t key_of(uint16_t bits)
{
  if ((bits & 0x7FFF) > 0x7F80)
    return 0;
  if (bits == 0x8000)
    return 0x8000;
  return bits & 0x8000 ? (uint16_t)~bits : (uint16_t)(bits | 0x8000);
}

static uint8_t *snake_element(const Tile *tile, uint64_t group, uint64_t e)
{
  return tile_element(tile, group * GROUP + e % GROUP, e / GROUP);
}

// The keys of a group and how often each occurs. False when there is a NaN.
static bool count_group(const Tile *src, uint64_t group, Counting *c)
{
  memset(c->next, 0, KEYS * sizeof *c->next);
  for (uint64_t e = 0; e < c->n; e++) {
    uint16_t bits;
    memcpy(&bits, snake_element(src, group, e), sizeof bits);
    c->keys[e] = key_of(bits);
    c->next[c->keys[e]]++;
  }
  return c->next[0] == 0;
}

// The smallest key among the results, and how many elements with it are. `next` then has where each larger key begins.
static uint32_t threshold(Counting *c, uint64_t *taken)
{
  uint64_t left = c->k;
  uint32_t key = KEYS - 1;
  for (;; key--) {
    uint32_t count = c->next[key];
    if (count >= left)
      break;
    left -= count;
    c->next[key] = (uint32_t)left;
  }
  c->next[key] = 0;
  *taken = left;
  return key;
}

static void put(const Tile *tile, uint64_t group, uint64_t e, const void *unit, size_t bytes)
{
  uint8_t *element = snake_element(tile, group, e);
  memcpy(element, unit, bytes);
  buffer_mark(tile->buffer, (uint64_t)(element - tile->buffer->data), bytes);
}

static void write_group(const Tile *values, const Tile *indices, const Tile *src, uint64_t group, Counting *c)
{
  uint64_t left;
  uint32_t least = threshold(c, &left);
  for (uint32_t e = 0; e < c->n; e++) {
    if (c->keys[e] < least || (c->keys[e] == least && left == 0))
      continue;
    left -= c->keys[e] == least;
    uint32_t at = c->next[c->keys[e]]++;
    put(values, group, at, snake_element(src, group, e), sizeof(uint16_t));
    put(indices, group, at, &e, sizeof e);
  }
}

static bool fast_topk(Sim *sim, const Op *op)
{
  const struct Op_topk *o = &op->topk;
  Tile values = tile_of(sim, &o->val_dst, "val_dst"), indices = tile_of(sim, &o->idx_dst, "idx_dst"),
       src = tile_of(sim, &o->src, "src");
  Counting c = {.n = o->n, .k = values.free_elems};
  if (src.dtype != DTYPE_BFLOAT16 || values.dtype != DTYPE_BFLOAT16 || indices.dtype != DTYPE_UINT32 ||
      src.partitions % GROUP != 0 || values.partitions != src.partitions || indices.partitions != src.partitions ||
      indices.free_elems != c.k || c.k < 1 || c.k > c.n || c.n > GROUP * src.free_elems || c.n > UINT32_MAX ||
      sim->number_mode.flush_to_zero || sim->number_mode.saturate ||
      tile_relation(sim, &values, &src) != TILE_DISJOINT || tile_relation(sim, &values, &indices) != TILE_DISJOINT ||
      tile_relation(sim, &indices, &src) != TILE_DISJOINT)
    return false;
  c.next = arena_array_unset(&sim->scratch, uint32_t, KEYS);
  c.keys = arena_array_unset(&sim->scratch, uint16_t, c.n);
  uint64_t groups = src.partitions / GROUP;
  for (uint64_t g = 0; g < groups; g++) {
    for (uint64_t p = 0; p < GROUP && p < c.n; p++)
      tile_check_row(sim, &src, g * GROUP + p, (c.n - p + GROUP - 1) / GROUP);
    if (!count_group(&src, g, &c))
      return false;
    write_group(&values, &indices, &src, g, &c);
  }
  return true;
}

FastFn *fast_counting(OpKind kind)
{
  return kind == OP_topk ? fast_topk : NULL;
}
