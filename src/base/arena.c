#define _DEFAULT_SOURCE  // madvise
#include "base/arena.h"

#include "base/bug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

struct ArenaChunk {
  ArenaChunk *older;
  size_t bytes;
  _Alignas(max_align_t) char data[];
};

enum { FIRST_CHUNK_BYTES = 16 << 10, LARGEST_CHUNK_BYTES = 8 << 20, HUGE_PAGE_BYTES = 2 << 20 };

void arena_exhausted(Arena *arena)
{
  if (arena->on_exhausted)
    longjmp(*arena->on_exhausted, 1);
  fputs("klr: out of memory\n", stderr);
  exit(70);
}

// A chunk with room for `*bytes` or some more, NULL when there is no memory. Large ones lie on huge pages where there are such:
// what a kernel of many operators looks up all over its memory then costs no walk of page tables, and a page is touched once.
static ArenaChunk *new_chunk(size_t *bytes)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (*bytes >= 3 * HUGE_PAGE_BYTES && *bytes < SIZE_MAX / 2) {
    size_t all = (sizeof(ArenaChunk) + *bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    ArenaChunk *chunk = aligned_alloc(HUGE_PAGE_BYTES, all);
    if (chunk) {
      (void)madvise(chunk, all, MADV_HUGEPAGE);  // where it fails pages are small
      *bytes = all - sizeof *chunk;
    }
    return chunk;
  }
#endif
  return malloc(sizeof(ArenaChunk) + *bytes);
}

static void add_chunk(Arena *arena, size_t at_least)
{
  size_t bytes = arena->chunk ? arena->chunk->bytes * 2 : FIRST_CHUNK_BYTES;
  if (bytes > LARGEST_CHUNK_BYTES - sizeof(ArenaChunk))
    bytes = LARGEST_CHUNK_BYTES - sizeof(ArenaChunk);
  if (bytes < at_least)
    bytes = at_least;
  if (arena->limit_bytes && arena->used_bytes + at_least > arena->limit_bytes)
    arena_exhausted(arena);
  ArenaChunk *chunk = new_chunk(&bytes);
  if (!chunk)
    arena_exhausted(arena);
  chunk->older = arena->chunk;
  chunk->bytes = bytes;
  arena->chunk = chunk;
  arena->next = chunk->data;
  arena->end = chunk->data + bytes;
}

void arena_free(Arena *arena)
{
  arena_rewind(arena, (ArenaMark){0});
}

static size_t round_up(size_t bytes)
{
  return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

void arena_reserve(Arena *arena, size_t bytes)
{
  if (arena->limit_bytes && arena->used_bytes + bytes > arena->limit_bytes)
    return;
  if (bytes > (size_t)(arena->end - arena->next) || !arena->chunk)
    add_chunk(arena, bytes);
}

static void *take(Arena *arena, size_t bytes)
{
  if (arena->fail_after >= 0 && arena->fail_after-- == 0)
    arena_exhausted(arena);
  if (bytes > SIZE_MAX / 2)
    arena_exhausted(arena);
  bytes = round_up(bytes);
  if (bytes > (size_t)(arena->end - arena->next) || !arena->chunk)
    add_chunk(arena, bytes);
  void *result = arena->next;
  arena->next += bytes;
  arena->used_bytes += bytes;
  return result;
}

void *arena_alloc_unset(Arena *arena, size_t count, size_t item_bytes)
{
  if (item_bytes && count > SIZE_MAX / 2 / item_bytes)
    arena_exhausted(arena);
  return take(arena, count * item_bytes);
}

void *arena_alloc_slowly(Arena *arena, size_t bytes)
{
  void *result = take(arena, bytes);
  return memset(result, 0, round_up(bytes));
}

void *arena_alloc_array(Arena *arena, size_t count, size_t item_bytes)
{
  if (item_bytes && count > SIZE_MAX / 2 / item_bytes)
    arena_exhausted(arena);
  return arena_alloc(arena, count * item_bytes);
}

void *arena_grow(Arena *arena, void *old, size_t old_bytes, size_t new_bytes)
{
  size_t old_size = round_up(old_bytes), new_size = round_up(new_bytes);
  bool newest = old && (char *)old + old_size == arena->next;
  if (newest && new_size >= old_size && new_size - old_size <= (size_t)(arena->end - arena->next)) {
    memset(arena->next, 0, new_size - old_size);
    arena->next += new_size - old_size;
    arena->used_bytes += new_size - old_size;
    return old;
  }
  void *result = arena_alloc(arena, new_bytes);
  if (old_bytes)
    memcpy(result, old, old_bytes < new_bytes ? old_bytes : new_bytes);
  return result;
}

ArenaMark arena_mark(const Arena *arena)
{
  return (ArenaMark){arena->chunk, arena->next, arena->end, arena->used_bytes};
}

void arena_rewind(Arena *arena, ArenaMark mark)
{
  while (arena->chunk != mark.chunk) {
    if (!arena->chunk)
      bug("arena rewound to a mark that is not its own");
    ArenaChunk *older = arena->chunk->older;
    free(arena->chunk);
    arena->chunk = older;
  }
  arena->next = mark.next;
  arena->end = mark.end;
  arena->used_bytes = mark.used_bytes;
}

char *arena_strndup(Arena *arena, const char *text, size_t len)
{
  char *copy = arena_alloc(arena, len + 1);
  if (len)
    memcpy(copy, text, len);
  return copy;
}

char *arena_strdup(Arena *arena, const char *text)
{
  return arena_strndup(arena, text, strlen(text));
}

char *arena_vprintf(Arena *arena, const char *format, va_list args)
{
  va_list again;
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, format, args);
  if (len < 0)
    bug("bad format: %s", format);
  char *text = arena_alloc(arena, (size_t)len + 1);
  vsnprintf(text, (size_t)len + 1, format, again);
  va_end(again);
  return text;
}

char *arena_printf(Arena *arena, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *text = arena_vprintf(arena, format, args);
  va_end(args);
  return text;
}
