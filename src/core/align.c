#include "core/align.h"

#include "core/where.h"

#include <string.h>

InstrVec align_list(Arena *arena, const Core_LIST_BLOCK *blocks)
{
  InstrVec list = {0};
  for (uint32_t i = 0; i < blocks->count; i++)
    for (uint32_t j = 0; j < blocks->items[i]->body.count; j++)
      if (blocks->items[i]->body.items[j]->op->kind != OP_cmp_branch)
        vec_push(arena, &list, blocks->items[i]->body.items[j]);
  return list;
}

// ---- what has to be equal: a hash of it

typedef struct Hashing {
  Arena *arena;
  uint64_t hash;
} Hashing;

static uint64_t mix(uint64_t hash, uint64_t value)
{
  hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ hash >> 29;
}

static bool hash_result(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field;
  Hashing *hashing = context;
  const View *view = role == ROLE_WRITE || role == ROLE_UPDATE ? ref_view(hashing->arena, ref) : NULL;
  if (!view)
    return true;
  uint64_t elems = 1;
  for (uint32_t i = 1; i < view->pattern.count; i++)
    elems *= view->pattern.items[i].num;
  hashing->hash = mix(hashing->hash, view->pattern.count ? view->pattern.items[0].num : 1);
  hashing->hash = mix(hashing->hash, elems);
  return true;
}

static uint64_t *hash_all(Session *session, Arena *arena, const InstrVec *list, bool with_line)
{
  uint64_t *hashes = arena_array(arena, uint64_t, list->count);
  for (size_t i = 0; i < list->count; i++) {
    const Instr *instr = list->items[i];
    Hashing hashing = {arena, mix(0, instr->op->kind)};
    op_visit_tensors(instr->op, hash_result, &hashing);
    hashes[i] = with_line ? mix(hashing.hash, str_hash(where_of(session, instr->pos).text)) : hashing.hash;
  }
  return hashes;
}

// ---- one stretch of both

typedef struct Stretch {
  Arena *arena;
  const uint64_t *a, *b;  // hashes
  uint32_t a_count, b_count;
  uint32_t a_first, b_first;  // indices of their first
  uint32_t *to;               // of the whole of a
} Stretch;

static void take(const Stretch *s, uint32_t i, uint32_t j)
{
  s->to[s->a_first + i] = s->b_first + j;
}

static void match_next(const Stretch *s)
{
  uint32_t next = 0;
  for (uint32_t i = 0; i < s->a_count; i++)
    for (uint32_t j = next; j < s->b_count && j < next + 64; j++)
      if (s->a[i] == s->b[j]) {
        take(s, i, j);
        next = j + 1;
        break;
      }
}

enum { MOST_EDITS = 2000 };

// Myers' greedy algorithm: reach[d][k] is how far into `a` d edits come on diagonal k = i - j.
static void match_shortest(const Stretch *s)
{
  int64_t n = s->a_count, m = s->b_count, most = n + m < MOST_EDITS ? n + m : MOST_EDITS;
  int64_t *reach = arena_array(s->arena, int64_t, (size_t)(2 * most + 3));
  int64_t **trail = arena_array(s->arena, int64_t *, (size_t)most + 1);
  int64_t d = 0;
  bool done = false;
  for (; d <= most; d++) {
    trail[d] = arena_array(s->arena, int64_t, (size_t)(2 * d + 1));
    for (int64_t k = -d; k <= d && !done; k += 2) {
      bool down = k == -d || (k != d && reach[most + k] < reach[most + 2 + k]);
      int64_t i = down ? reach[most + 2 + k] : reach[most + k] + 1, j = i - k;
      while (i < n && j < m && s->a[i] == s->b[j])
        i++, j++;
      reach[most + 1 + k] = trail[d][k + d] = i;
      done = i >= n && j >= m;
    }
    if (done)
      break;
  }
  if (!done) {
    match_next(s);
    return;
  }
  for (int64_t i = n, j = m; d >= 0; d--) {
    int64_t k = i - j, before = 0, start = 0;  // before the edit, and behind it
    bool down = false;
    if (d > 0) {
      const int64_t *last = trail[d - 1];  // diagonals -(d-1) to d-1
      down = k == -d || (k != d && last[k + d - 2] < last[k + d]);
      before = last[down ? k + d : k + d - 2];
      start = down ? before : before + 1;
    }
    for (; i > start; i--, j--)
      take(s, (uint32_t)i - 1, (uint32_t)j - 1);
    i = before;
    j = before - (down ? k + 1 : k - 1);
  }
}

static void match(Stretch s)
{
  while (s.a_count && s.b_count && s.a[0] == s.b[0]) {
    take(&s, 0, 0);
    s.a++, s.b++, s.a_first++, s.b_first++, s.a_count--, s.b_count--;
  }
  while (s.a_count && s.b_count && s.a[s.a_count - 1] == s.b[s.b_count - 1]) {
    take(&s, s.a_count - 1, s.b_count - 1);
    s.a_count--, s.b_count--;
  }
  if (!s.a_count || !s.b_count)
    return;
  ArenaMark mark = arena_mark(s.arena);
  match_shortest(&s);
  arena_rewind(s.arena, mark);
}

uint32_t *align_instructions(Arena *arena, Session *a_session, const InstrVec *a, Session *b_session, const InstrVec *b)
{
  uint32_t a_count = (uint32_t)a->count, b_count = (uint32_t)b->count;
  uint32_t *to = arena_array(arena, uint32_t, a->count);
  memset(to, 0xFF, a->count * sizeof *to);
  match((Stretch){arena, hash_all(a_session, arena, a, true), hash_all(b_session, arena, b, true), a_count, b_count, 0, 0, to});
  uint64_t *loose_a = hash_all(a_session, arena, a, false), *loose_b = hash_all(b_session, arena, b, false);
  for (uint32_t i = 0, j = 0; i < a_count;) {
    uint32_t end = i;
    while (end < a_count && to[end] == ALIGN_NONE)
      end++;
    uint32_t j_end = end < a_count ? to[end] : b_count;
    match((Stretch){arena, loose_a + i, loose_b + j, end - i, j_end - j, i, j, to});
    i = end + 1;
    j = j_end + 1;
  }
  return to;
}
