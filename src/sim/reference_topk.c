// reference_topk.c -- the meaning of topk: the largest elements of lists that lie in snakes over 16 partitions.
//
// Element e of a group stands in its partition e mod 16, column e / 16; so do the results. See docs/numerics.md, section
// 8, for the order of equal values and of NaNs.

#include "sim/exec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 16 };

typedef struct Entry {
  float value;
  uint32_t index;
} Entry;

// The sign of x - y, NaN below every number.
static int compare_values(float x, float y)
{
  bool x_is_nan = x != x, y_is_nan = y != y;
  if (x_is_nan || y_is_nan)
    return (int)y_is_nan - (int)x_is_nan;
  return (x > y) - (x < y);
}

// The best first: larger values, of equal ones the lower index.
static int compare_best(const void *a, const void *b)
{
  const Entry *x = a, *y = b;
  int order = compare_values(y->value, x->value);
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

// As results stand: ascending values, equal ones by ascending index.
static int compare_ascending(const void *a, const void *b)
{
  const Entry *x = a, *y = b;
  int order = compare_values(x->value, y->value);
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

static uint8_t *snake_element(const Tile *tile, uint64_t group, uint64_t e)
{
  return tile_element(tile, group * GROUP + e % GROUP, e / GROUP);
}

static void expect_sizes(Sim *sim, const Tile *values, const Tile *src, uint64_t n)
{
  uint64_t k = values->free_elems;
  if (src->partitions % GROUP == 0 && src->partitions > 0 && n <= GROUP * src->free_elems && k >= 1 && k <= n &&
      n <= UINT32_MAX)
    return;
  sim_error(sim, E_SIM_SHAPE,
            "`topk` takes groups of %d partitions and 1 <= K <= n <= %d times the columns of `src`; found %" PRIu64
            " partitions, K = %" PRIu64 ", n = %" PRIu64 " and %" PRIu64 " columns",
            GROUP, GROUP, src->partitions, k, n, src->free_elems);
  sim_stop(sim);
}

// The n elements of a group with their indices.
static void read_group(Sim *sim, const Tile *src, uint64_t group, uint64_t n, Entry *entries)
{
  for (uint64_t p = 0; p < GROUP && p < n; p++)
    tile_check_row(sim, src, group * GROUP + p, (n - p + GROUP - 1) / GROUP);
  for (uint64_t e = 0; e < n; e++) {
    float value = dtype_to_f32_mode(src->dtype, snake_element(src, group, e), sim->number_mode);
    entries[e] = (Entry){value, (uint32_t)e};
    if (value != value)
      sim_unspecified(sim, GAP_TOPK_NAN, "`topk` of a NaN, element %" PRIu64 " of group %" PRIu64 " of `src`", e, group);
  }
}

static void put(const Tile *tile, uint8_t *element)
{
  buffer_mark(tile->buffer, (uint64_t)(element - tile->buffer->data), tile->item);
}

// For each 16 partitions: of elements 0 to n - 1 the K largest in ascending order, and their numbers. Result e goes to
// where element e stands; the rest of both results keeps its values.
void run_topk(Sim *sim, const Op *op)
{
  const struct Op_topk *o = &op->topk;
  Tile values = tile_of(sim, &o->val_dst, "val_dst"), indices = tile_of(sim, &o->idx_dst, "idx_dst"),
       src = tile_of(sim, &o->src, "src");
  uint64_t n = o->n, k = values.free_elems;
  tile_expect_unpacked(sim, &values);
  tile_expect_unpacked(sim, &src);
  tile_expect_partitions(sim, &values, src.partitions);
  tile_expect_same_shape(sim, &values, &indices);
  expect_sizes(sim, &values, &src, n);
  if (indices.item != sizeof(uint32_t) || !dtype_is_integer(indices.dtype)) {
    sim_error(sim, E_SIM_DTYPE, "operand `idx_dst` of `topk` holds 32-bit indices, but is %s", dtype_name(indices.dtype));
    sim_stop(sim);
  }
  expect_clear(sim, &values, &src);
  expect_clear(sim, &indices, &src);
  uint64_t groups = src.partitions / GROUP;
  Entry *entries = arena_array(&sim->scratch, Entry, groups * n);
  for (uint64_t g = 0; g < groups; g++) {
    read_group(sim, &src, g, n, entries + g * n);
    qsort(entries + g * n, n, sizeof *entries, compare_best);  // no two entries are equal: one order
    qsort(entries + g * n, k, sizeof *entries, compare_ascending);
  }
  for (uint64_t g = 0; g < groups; g++)
    for (uint64_t e = 0; e < k; e++) {
      const Entry *entry = &entries[g * n + e];
      uint8_t *value = snake_element(&values, g, e), *index = snake_element(&indices, g, e);
      dtype_from_f32_mode(values.dtype, entry->value, value, sim->number_mode);
      memcpy(index, &entry->index, sizeof entry->index);
      put(&values, value);
      put(&indices, index);
    }
}
