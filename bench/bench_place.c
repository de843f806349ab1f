// bench_place.c -- times the placement of a kernel of 100,000 tiles, in this process.
//
//   bench_place    prints `live nanoseconds` and `place nanoseconds`, each for one tile: best of several.

#include "machine/place.h"
#include "sim_build.h"

#include <stdio.h>
#include <time.h>

enum { TILES = 100 * 1000, REPETITIONS = 7, LONG_LIFE = 40 };

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

// Each tile is a copy of the one before; every eighth is read again by the instruction of a tile much later.
static const Kernel *chain_of_tiles(Build *b)
{
  const Tensor **tiles = arena_array(b->arena, const Tensor *, TILES);
  for (uint32_t i = 0; i < TILES; i++) {
    char *name = arena_printf(b->arena, "t.%u", i);
    Tensor *tile = build_2d(b, name, MEMORY_SBUF, DTYPE_FLOAT32, 128, 16 + i * 37 % 700);
    tile->id = i + 1;
    tiles[i] = tile;
    uint32_t source = i < LONG_LIFE ? 0 : i % 8 ? i - 1 : i - LONG_LIFE;
    build_copy(b, build_part(b, tiles[i], 0, 128, 0, 16, 0), build_part(b, tiles[source], 0, 128, 0, 16, 0));
  }
  return build_kernel(b);
}

int main(void)
{
  Build b = build_new();
  const Kernel *kernel = chain_of_tiles(&b);
  double live = 1e18, place = 1e18;
  for (int round = 0; round < REPETITIONS; round++) {
    Arena arena = session_arena(b.session), scratch = session_arena(b.session);
    double start = now();
    liveness_of(&arena, &scratch, &kernel->bodies.items[0]);
    double middle = now();
    Placement placement = place_core(&arena, &scratch, machine_default(), &kernel->bodies.items[0]);
    double both = now() - middle;
    if (placement.sbuf.over != NO_TILE || placement.sbuf.left_out != NO_TILE || placement.sbuf.count != TILES)
      return 1;
    live = middle - start < live ? middle - start : live;
    place = both < place ? both : place;
    arena_free(&scratch);
    arena_free(&arena);
  }
  printf("live %.1f\nplace %.1f\n", live / TILES, place / TILES);
  build_free(&b);
  return 0;
}
