// pack.h -- packing intervals of time into a line of bytes: what place.c knows of memory, and nothing else.

#pragma once
#include "base/arena.h"

typedef struct PackItem {
  uint32_t first, last;  // moments during which it needs its bytes, inclusive
  uint64_t bytes;        // at least 1
  uint32_t first_row, end_row;  // items that share no row are never in each other's way
  bool is_fixed;                // `start` is given
  bool is_packed;               // `start` is valid
  uint64_t start;
} PackItem;

typedef struct PackRules {
  uint64_t limit;  // items end at or before it; fixed ones may lie anywhere
  uint64_t unit;   // starts are multiples of it
  uint64_t page;   // 0, or: items of at most a page do not cross from one into the next, larger ones begin with one
} PackRules;

#define PACKED UINT32_MAX

// Finds starts for all items that are not fixed, so that no two items that are needed at one moment share a byte of a
// row; fixed ones may share bytes with each other. `items` are by `first`. PACKED, or the index of an item for which no
// place was found after several orders were tried; then all `start` of items that are not fixed are invalid.
uint32_t pack(Arena *scratch, PackItem *items, uint32_t count, PackRules rules);
