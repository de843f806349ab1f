// arena.h -- memory that is released all at once.
//
// A result lives in the arena passed as the first argument; nothing is freed node by node. Allocation never
// returns NULL: when memory runs out the arena jumps to the handler of its session (see `arena_on_exhausted`),
// which is safe because arenas own everything the interrupted work had built.

#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct ArenaChunk ArenaChunk;

typedef struct Arena {
  ArenaChunk *chunk;      // newest chunk; older ones hang off it
  char *next, *end;       // free bytes of the newest chunk
  jmp_buf *on_exhausted;  // where to go when malloc fails; NULL: message and exit(70)
  size_t used_bytes;      // handed out since the arena was made
  int64_t fail_after;     // testing: fail when this many allocations have been made; negative: never
  size_t limit_bytes;     // memory also runs out when more than this is taken; 0: no limit
} Arena;

typedef struct ArenaMark {
  ArenaChunk *chunk;
  char *next, *end;
  size_t used_bytes;
} ArenaMark;

#define ARENA_ALIGNMENT _Alignof(max_align_t)
#define ARENA_INIT {NULL, NULL, NULL, NULL, 0, -1, 0}

// Goes where allocation goes when memory has run out.
_Noreturn void arena_exhausted(Arena *arena);

void arena_free(Arena *arena);

// `bytes` zeroed bytes, aligned for any type. Zero bytes give a valid pointer that is never read.
static inline void *arena_alloc(Arena *arena, size_t bytes);

// The same for `count` items that are written before they are read: not zeroed, not to be grown.
void *arena_alloc_unset(Arena *arena, size_t count, size_t item_bytes);
#define arena_array_unset(arena, Type, count) ((Type *)arena_alloc_unset((arena), (count), sizeof(Type)))

// Room for `bytes` in one piece, so that what is allocated and rewound again and again does not go to the system.
void arena_reserve(Arena *arena, size_t bytes);

// Like realloc for the newest allocation or a copy otherwise; the grown part is zeroed.
void *arena_grow(Arena *arena, void *old, size_t old_bytes, size_t new_bytes);

// What is allocated between a mark and its rewind is gone afterwards.
ArenaMark arena_mark(const Arena *arena);
void arena_rewind(Arena *arena, ArenaMark mark);

// A NUL-terminated copy of `len` bytes (which may hold NULs themselves).
char *arena_strndup(Arena *arena, const char *text, size_t len);
char *arena_strdup(Arena *arena, const char *text);

char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

// When the newest chunk has no room.
void *arena_alloc_slowly(Arena *arena, size_t bytes);

static inline void *arena_alloc(Arena *arena, size_t bytes)
{
  size_t room = (size_t)(arena->end - arena->next), rounded = (bytes + ARENA_ALIGNMENT - 1) & ~(ARENA_ALIGNMENT - 1);
  if (rounded < bytes || rounded >= room || arena->fail_after >= 0)
    return arena_alloc_slowly(arena, bytes);
  void *result = arena->next;
  arena->next += rounded;
  arena->used_bytes += rounded;
  return memset(result, 0, rounded);  // the padding too: arena_grow hands it out
}

#define arena_new(arena, Type) ((Type *)arena_alloc((arena), sizeof(Type)))
#define arena_array(arena, Type, count) ((Type *)arena_alloc_array((arena), (count), sizeof(Type)))
void *arena_alloc_array(Arena *arena, size_t count, size_t item_bytes);
