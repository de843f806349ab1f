// schedule.c -- `kernel.with_schedule(edges)`: an order between named instructions, for schedulers.
//
// Edges are kept with the kernel as a value. When it is traced, each name must be that of one instruction, and no
// instruction may wait for itself; then the edges are part of the traced kernel. Program order remains the meaning.

#include "trace/builder.h"
#include "trace/schedule.h"

#include <string.h>

struct ScheduleEdge {
  const char *consumer, *producer;
};

struct Schedule {
  const Schedule *before;  // of the kernel that this one was made from
  Span span;               // the call
  size_t count;
  ScheduleEdge edges[];
};

// ---- edges as values

static bool is_text(Value value, const char **out)
{
  if (value.tag != VALUE_STR)
    return false;
  *out = value.string->text.data;
  return true;
}

// (consumer, producer) or (consumer, [producer, ...]). The names go to `edges`; how many, or -1 when it is neither.
static int64_t read_pair(Value pair, ScheduleEdge *edges)
{
  const Value *parts, *producers;
  size_t count, producer_count;
  const char *consumer, *producer;
  if (!value_sequence(pair, &parts, &count) || count != 2 || !is_text(parts[0], &consumer))
    return -1;
  if (!value_sequence(parts[1], &producers, &producer_count)) {
    producers = &parts[1];
    producer_count = 1;
  }
  for (size_t i = 0; i < producer_count; i++) {
    if (!is_text(producers[i], &producer))
      return -1;
    if (edges)
      edges[i] = (ScheduleEdge){consumer, producer};
  }
  return (int64_t)producer_count;
}

bool schedule_read(Tracer *t, Value list, const Schedule *before, Span span, const Schedule **out)
{
  const Value *pairs;
  size_t count, total = 0;
  bool is_list = value_sequence(list, &pairs, &count);
  for (size_t i = 0; is_list && i < count; i++) {
    int64_t edges = read_pair(pairs[i], NULL);
    is_list = edges >= 0;
    total += (size_t)edges;
  }
  if (!is_list)
    return RAISE(t, E_TYPE, span,
                 "'with_schedule' takes a list of pairs of names, (later, earlier) or (later, [earlier, ...])");
  Schedule *schedule = arena_alloc(&t->arena, sizeof *schedule + total * sizeof *schedule->edges);
  *schedule = (Schedule){before, span, total};
  ScheduleEdge *next = schedule->edges;
  for (size_t i = 0; i < count; i++)
    next += read_pair(pairs[i], next);
  *out = schedule;
  return true;
}

// ---- edges of a traced kernel

// Instructions of core 0 by name; how often a name stands.
static Map count_names(Builder *b)
{
  Map counts = map_new(&b->t->arena);
  const Core_LIST_BLOCK *blocks = &b->kernel->bodies.items[0];
  for (uint32_t k = 0; k < blocks->count; k++)
    for (uint32_t i = 0; i < blocks->items[k]->body.count; i++) {
      const char *name = blocks->items[k]->body.items[i]->name;
      size_t *count = name ? map_get(&counts, str_from(name)) : NULL;
      if (name && !count)
        map_set(&counts, str_from(name), count = arena_new(&b->t->arena, size_t));
      if (count)
        ++*count;
    }
  return counts;
}

static bool expect_one(Builder *b, const Map *counts, const char *name, Span span)
{
  const size_t *count = map_get(counts, str_from(name));
  if (count && *count == 1)
    return true;
  Diag *diag = diag_error(b->t->session, E_SCHEDULE, "an edge of `with_schedule` names `%s`, which %s", name,
                          count ? "several instructions have as their name" : "no instruction has as its name");
  diag_primary(diag, span, "an order between instructions of `%s`", b->kernel->name);
  diag_help(diag, "give the instruction that is meant a name of its own: `nisa.activation(..., name=\"%s\")`", name);
  return false;
}

// Whether `to` is reached from `from` along the edges.
static bool reaches(const Builder *b, const char *from, const char *to)
{
  bool *seen = arena_array(&b->t->arena, bool, b->edges.count + 1);
  Vec(const char *) open = {0};
  vec_push(&b->t->arena, &open, from);
  while (open.count) {
    const char *name = open.items[--open.count];
    if (strcmp(name, to) == 0)
      return true;
    for (size_t i = 0; i < b->edges.count; i++) {
      const Edges *edges = &b->edges.items[i];
      if (seen[i] || strcmp(edges->from_edge, name) != 0)
        continue;
      seen[i] = true;
      for (uint32_t k = 0; k < edges->to_edges.count; k++)
        vec_push(&b->t->arena, &open, edges->to_edges.items[k]);
    }
  }
  return false;
}

static bool add_edge(Builder *b, const Map *counts, const ScheduleEdge *edge, Span span)
{
  if (!expect_one(b, counts, edge->consumer, span) || !expect_one(b, counts, edge->producer, span))
    return false;
  if (reaches(b, edge->consumer, edge->producer)) {
    Diag *diag = diag_error(b->t->session, E_SCHEDULE, "`%s` would have to run before itself", edge->consumer);
    diag_primary(diag, span, "makes `%s` wait for `%s`, which waits for it", edge->consumer, edge->producer);
    diag_help(diag, "leave one of these edges out");
    return false;
  }
  Edges added = {builder_keep(b, edge->producer), {arena_new(b->arena, const char *), 1}};
  added.to_edges.items[0] = builder_keep(b, edge->consumer);
  vec_push(&b->t->arena, &b->edges, added);
  return true;
}

bool schedule_apply(Builder *b, const Schedule *schedule)
{
  if (!schedule)
    return true;
  if (!schedule_apply(b, schedule->before))
    return false;
  Map counts = count_names(b);
  for (size_t i = 0; i < schedule->count; i++)
    if (!add_edge(b, &counts, &schedule->edges[i], schedule->span))
      return false;
  return true;
}
