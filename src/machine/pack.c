// pack.c -- first fit, in several orders.
//
// In order of time first: a tree over the units of the line knows the longest free run of each of its ranges, so finding
// the lowest run that is long enough and taking it costs a few steps down the tree. Fixed items are taken out of the line
// for good there. Where that fails, items are put down one by one in other orders (largest first, longest first, and the
// one that failed first), each at the lowest place that is free during its time; what is in its way is found by a second
// tree, over time.

#include "machine/pack.h"

#include "base/vec.h"

#include <stdlib.h>

#define NONE UINT32_MAX

enum {
  PROMOTIONS = 200,            // of items that found no place, in one order
  STEPS_MOST = 40 * 1000 * 1000,  // of looking at items in the way, over all orders
};

typedef struct Packer {
  PackItem *items;
  uint32_t count;
  PackRules rules;
  Arena *scratch;
  uint64_t step_count;
  uint32_t failed;  // the item that found no place last
} Packer;

static uint64_t round_up(uint64_t n, uint64_t unit)
{
  return (n + unit - 1) / unit * unit;
}

// The lowest legal start at or after `at`.
static uint64_t legal_start(const PackRules *rules, uint64_t at, uint64_t bytes)
{
  at = round_up(at, rules->unit);
  if (!rules->page)
    return at;
  if (bytes > rules->page || at / rules->page != (at + bytes - 1) / rules->page)
    return round_up(at, rules->page);
  return at;
}

// ---- the line as a tree of free runs

typedef struct Run {
  uint32_t left, right, best;  // units free at the start, at the end, and in a row anywhere
} Run;

typedef struct Line {
  Run *runs;  // a binary tree; node i has children 2i and 2i + 1
  uint32_t leaves, units;
  uint8_t *state;  // of nodes: MIXED, or all free or taken and so are the nodes below, whatever they say
} Line;

enum { MIXED, ALL_FREE, ALL_TAKEN };

static void set_whole(Line *line, uint32_t node, uint32_t size, bool is_free)
{
  uint32_t n = is_free ? size : 0;
  line->runs[node] = (Run){n, n, n};
  line->state[node] = is_free ? ALL_FREE : ALL_TAKEN;
}

static void push_down(Line *line, uint32_t node, uint32_t size)
{
  if (line->state[node] == MIXED)
    return;
  bool is_free = line->state[node] == ALL_FREE;
  set_whole(line, 2 * node, size / 2, is_free);
  set_whole(line, 2 * node + 1, size / 2, is_free);
  line->state[node] = MIXED;
}

static void pull_up(Line *line, uint32_t node, uint32_t size)
{
  Run a = line->runs[2 * node], b = line->runs[2 * node + 1];
  uint32_t best = a.best > b.best ? a.best : b.best, middle = a.right + b.left;
  line->runs[node] = (Run){a.left == size / 2 ? a.left + b.left : a.left, b.right == size / 2 ? b.right + a.right : b.right,
                           best > middle ? best : middle};
}

static void set_units(Line *line, uint32_t node, uint32_t at, uint32_t size, uint32_t first, uint32_t end, bool is_free)
{
  if (first <= at && at + size <= end) {
    set_whole(line, node, size, is_free);
    return;
  }
  push_down(line, node, size);
  uint32_t middle = at + size / 2;
  if (first < middle)
    set_units(line, 2 * node, at, size / 2, first, end, is_free);
  if (end > middle)
    set_units(line, 2 * node + 1, middle, size / 2, first, end, is_free);
  pull_up(line, node, size);
}

static Line line_new(Arena *scratch, uint64_t units)
{
  Line line = {.leaves = 1, .units = (uint32_t)units};
  while (line.leaves < units)
    line.leaves *= 2;
  line.runs = arena_array(scratch, Run, 2 * (size_t)line.leaves);
  line.state = arena_array(scratch, uint8_t, 2 * (size_t)line.leaves);
  set_whole(&line, 1, line.leaves, true);
  if (units < line.leaves)
    set_units(&line, 1, 0, line.leaves, (uint32_t)units, line.leaves, false);
  return line;
}

// The first unit of the lowest free run of `n`; NONE when there is none.
static uint32_t lowest_run(Line *line, uint32_t n)
{
  if (line->runs[1].best < n)
    return NONE;
  uint32_t node = 1, at = 0, size = line->leaves;
  while (line->state[node] == MIXED) {
    Run left = line->runs[2 * node], right = line->runs[2 * node + 1];
    size /= 2;
    if (left.best >= n) {
      node = 2 * node;
      continue;
    }
    if (left.right + right.left >= n)
      return at + size - left.right;
    node = 2 * node + 1;
    at += size;
  }
  return at;
}

// ---- in order of time

static void take_fixed(const Packer *p, Line *line)
{
  for (uint32_t i = 0; i < p->count; i++) {
    const PackItem *item = &p->items[i];
    if (!item->is_fixed)
      continue;
    uint64_t first = item->start / p->rules.unit, end = round_up(item->start + item->bytes, p->rules.unit) / p->rules.unit;
    if (end > line->units)
      end = line->units;
    if (first < end)
      set_units(line, 1, 0, line->leaves, (uint32_t)first, (uint32_t)end, false);
  }
}

// Chains of items by the moment after which they are not needed.
typedef struct Endings {
  uint32_t *heads, *next;
} Endings;

static Endings endings_new(const Packer *p, uint32_t moments)
{
  Endings endings = {arena_array(p->scratch, uint32_t, moments + 1), arena_array(p->scratch, uint32_t, p->count)};
  for (uint32_t i = 0; i <= moments; i++)
    endings.heads[i] = NONE;
  return endings;
}

static bool pack_in_time(Packer *p)
{
  uint32_t moments = 0;
  for (uint32_t i = 0; i < p->count; i++)
    moments = p->items[i].last + 1 > moments ? p->items[i].last + 1 : moments;
  Line line = line_new(p->scratch, p->rules.limit / p->rules.unit);
  Endings endings = endings_new(p, moments);
  take_fixed(p, &line);
  uint32_t now = 0;
  for (uint32_t i = 0; i < p->count; i++) {
    PackItem *item = &p->items[i];
    if (item->is_fixed)
      continue;
    for (; now < item->first; now++)
      for (uint32_t ended = endings.heads[now]; ended != NONE; ended = endings.next[ended]) {
        uint32_t start = (uint32_t)(p->items[ended].start / p->rules.unit);
        uint32_t units = (uint32_t)(round_up(p->items[ended].bytes, p->rules.unit) / p->rules.unit);
        set_units(&line, 1, 0, line.leaves, start, start + units, true);
      }
    uint64_t units = round_up(item->bytes, p->rules.unit) / p->rules.unit;
    uint32_t at = units <= line.units ? lowest_run(&line, (uint32_t)units) : NONE;
    if (at == NONE) {
      p->failed = i;
      return false;
    }
    set_units(&line, 1, 0, line.leaves, at, at + (uint32_t)units, false);
    item->start = at * p->rules.unit;
    item->is_packed = true;
    endings.next[i] = endings.heads[item->last];
    endings.heads[item->last] = i;
  }
  return true;
}

// ---- in other orders: which packed items are needed at a moment

// Items that cover whole ranges of moments; here moments are indices of items, of which item i begins at i.
typedef struct Cover {
  uint32_t *heads;  // of each node, the first link
  uint32_t leaves;
  struct Link {
    uint32_t item, next;
  } * links;
  size_t count, capacity;
} Cover;

typedef struct Bytes {
  uint64_t start, end;
} Bytes;

typedef struct Orders {
  Packer *p;
  Cover cover;
  uint32_t *ends;   // of each item the last item that begins while it is needed
  uint32_t *order;  // items that are not fixed
  uint32_t order_count;
  Bytes *taken;     // of the item being put down
} Orders;

static void cover_add(Arena *scratch, Cover *cover, uint32_t first, uint32_t last, uint32_t item)
{
  for (uint32_t a = first + cover->leaves, b = last + cover->leaves + 1; a < b; a /= 2, b /= 2) {
    uint32_t nodes[2] = {a & 1 ? a++ : 0, b & 1 ? --b : 0};
    for (int k = 0; k < 2; k++) {
      if (!nodes[k])
        continue;
      if (cover->count == cover->capacity)
        cover->links = vec_grow(scratch, cover->links, &cover->capacity, sizeof *cover->links);
      cover->links[cover->count] = (struct Link){item, cover->heads[nodes[k]]};
      cover->heads[nodes[k]] = (uint32_t)cover->count++;
    }
  }
}

static int compare_bytes(const void *a, const void *b)
{
  const Bytes *x = a, *y = b;
  return x->start < y->start ? -1 : x->start > y->start;
}

static uint32_t note_taken(Orders *o, uint32_t count, const PackItem *item, const PackItem *other)
{
  if (other->first_row < item->end_row && item->first_row < other->end_row)
    o->taken[count++] = (Bytes){other->start, other->start + other->bytes};
  return count;
}

// Bytes that items needed together with item `i` have, by start.
static uint32_t taken_during(Orders *o, uint32_t i)
{
  Packer *p = o->p;
  const PackItem *item = &p->items[i];
  uint32_t count = 0;
  for (uint32_t node = i + o->cover.leaves; node; node /= 2)
    for (uint32_t link = o->cover.heads[node]; link != NONE; link = o->cover.links[link].next) {
      count = note_taken(o, count, item, &p->items[o->cover.links[link].item]);
      p->step_count += 4;
    }
  for (uint32_t j = i + 1; j <= o->ends[i]; j++)
    if (p->items[j].is_packed)
      count = note_taken(o, count, item, &p->items[j]);
  p->step_count += o->ends[i] - i;
  qsort(o->taken, count, sizeof(Bytes), compare_bytes);
  return count;
}

// Puts item `i` at the lowest place that is free.
static bool put_down(Orders *o, uint32_t i)
{
  Packer *p = o->p;
  PackItem *item = &p->items[i];
  uint32_t count = taken_during(o, i);
  uint64_t at = legal_start(&p->rules, 0, item->bytes);
  for (uint32_t k = 0; k < count && o->taken[k].start < at + item->bytes; k++)
    if (o->taken[k].end > at)
      at = legal_start(&p->rules, o->taken[k].end, item->bytes);
  if (at > p->rules.limit || item->bytes > p->rules.limit - at)
    return false;
  item->start = at;
  item->is_packed = true;
  cover_add(p->scratch, &o->cover, i, o->ends[i], i);
  return true;
}

static void forget(Orders *o)
{
  o->cover.count = 0;
  o->p->step_count += o->p->count;
  for (uint32_t i = 0; i < 2 * o->cover.leaves; i++)
    o->cover.heads[i] = NONE;
  for (uint32_t i = 0; i < o->p->count; i++) {
    PackItem *item = &o->p->items[i];
    item->is_packed = item->is_fixed;
    if (item->is_fixed)
      cover_add(o->p->scratch, &o->cover, i, o->ends[i], i);
  }
}

// An item that finds no place goes first the next time.
static bool pack_in_order(Orders *o)
{
  Packer *p = o->p;
  for (uint32_t round = 0; round <= PROMOTIONS && p->step_count < STEPS_MOST; round++) {
    forget(o);
    uint32_t k = 0;
    while (k < o->order_count && p->step_count < STEPS_MOST && put_down(o, o->order[k]))
      k++;
    if (k == o->order_count)
      return true;
    p->failed = o->order[k];
    for (; k > 0; k--)
      o->order[k] = o->order[k - 1];
    o->order[0] = p->failed;
  }
  return false;
}

typedef struct Rank {
  uint64_t key;
  uint32_t item;
} Rank;

static int compare_ranks(const void *a, const void *b)
{
  const Rank *x = a, *y = b;
  if (x->key != y->key)
    return x->key > y->key ? -1 : 1;
  return x->item < y->item ? -1 : x->item > y->item;
}

typedef enum Order { BY_SIZE, BY_TIME, BY_AREA, ORDER_COUNT } Order;

static uint64_t order_key(const PackItem *item, Order by)
{
  uint64_t time = (uint64_t)item->last - item->first + 1;
  switch (by) {
  case BY_SIZE: return item->bytes << 32 | time;
  case BY_TIME: return time << 32 | (item->bytes & UINT32_MAX);
  default: return item->bytes * time;
  }
}

static void sort_items(Orders *o, Order by)
{
  Packer *p = o->p;
  ArenaMark mark = arena_mark(p->scratch);
  Rank *ranks = arena_array(p->scratch, Rank, p->count);
  o->order_count = 0;
  for (uint32_t i = 0; i < p->count; i++)
    if (!p->items[i].is_fixed)
      ranks[o->order_count++] = (Rank){order_key(&p->items[i], by), i};
  qsort(ranks, o->order_count, sizeof *ranks, compare_ranks);
  for (uint32_t k = 0; k < o->order_count; k++)
    o->order[k] = ranks[k].item;
  arena_rewind(p->scratch, mark);
}

static bool pack_in_orders(Packer *p)
{
  Orders o = {.p = p, .cover = {.leaves = 1}};
  o.ends = arena_array(p->scratch, uint32_t, p->count);
  o.order = arena_array(p->scratch, uint32_t, p->count);
  o.taken = arena_array(p->scratch, Bytes, p->count);
  while (o.cover.leaves < p->count)
    o.cover.leaves *= 2;
  o.cover.heads = arena_array(p->scratch, uint32_t, 2 * (size_t)o.cover.leaves);
  for (uint32_t i = 0; i < p->count; i++) {
    uint32_t low = i, high = p->count;  // items[low] begins in time, items[high] does not
    while (high - low > 1) {
      uint32_t middle = low + (high - low) / 2;
      *(p->items[middle].first <= p->items[i].last ? &low : &high) = middle;
    }
    o.ends[i] = low;
  }
  for (Order by = 0; by < ORDER_COUNT; by++) {
    sort_items(&o, by);
    if (pack_in_order(&o))
      return true;
  }
  return false;
}

// ---- all of it

uint32_t pack(Arena *scratch, PackItem *items, uint32_t count, PackRules rules)
{
  Packer p = {.items = items, .count = count, .rules = rules, .scratch = scratch, .failed = PACKED};
  bool ok = false;
  for (uint32_t i = 0; i < count; i++)
    items[i].is_packed = items[i].is_fixed;
  ArenaMark mark = arena_mark(scratch);
  if (!rules.page)
    ok = pack_in_time(&p);
  arena_rewind(scratch, mark);
  if (!ok)
    ok = pack_in_orders(&p);
  arena_rewind(scratch, mark);
  for (uint32_t i = 0; i < count && !ok; i++)
    items[i].is_packed = items[i].is_fixed;
  return ok ? PACKED : p.failed;
}
