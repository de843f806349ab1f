// test_place.c -- live ranges, packing against brute force, and what is said when tiles do not fit.

#include "core/liveness.h"
#include "core/verify.h"
#include "kernel_text.h"
#include "machine/legal.h"
#include "machine/pack.h"
#include "machine/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// ---- live ranges

// "t 0-3 u 1-2*": ranges of the on-chip tensors that the kernel uses; * for those a loop makes anew.
static const char *ranges_text(Arena *arena, Session *session, const char *lines)
{
  const char *text = case_text(arena, lines);
  Kernel *kernel = core_parse_text(session, arena, session_add_source(session, "k.txt", str_from(text)));
  if (!kernel)
    return "malformed";
  Arena scratch = ARENA_INIT;
  Liveness liveness = liveness_of(arena, &scratch, &kernel->bodies.items[0]);
  StrBuf out = strbuf_new(arena);
  for (uint32_t i = 0; i < liveness.count; i++) {
    const LiveRange *range = &liveness.ranges[i];
    if (range->tensor->address->memory != MEMORY_HBM)
      strbuf_printf(&out, "%s%s %u-%u%s", out.len ? " " : "", range->tensor->name, range->first, range->last,
                    range->is_rebuilt ? "*" : "");
  }
  arena_free(&scratch);
  return strbuf_cstr(&out);
}

static void expect_ranges(const char *lines, const char *expected)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  EXPECT_TEXT(ranges_text(&arena, session, lines), expected);
  arena_free(&arena);
  session_free(session);
}

#define LOOP "core 0\nstart:\n  register_move %i imm=0\n  goto body\nbody:\n"  // instructions 0 and 1
#define AGAIN "  register_alu_op %i = %i imm=1 op=add\n  if %i < 4 goto body else end\nend:\n"

TEST(a_tensor_lives_from_its_first_use_to_its_last)
{
  expect_ranges("  memset t value=0 dtype=float32\n  nc_copy u = t\n  nc_copy v = t\n  nc_copy t = v", "t 0-3 u 1-1 v 2-3");
}

TEST(a_loop_keeps_what_was_made_before_it)
{
  expect_ranges("core 0\nstart:\n  memset t value=0 dtype=float32\n  goto body\nbody:\n  nc_copy u = t\n" AGAIN,
                "t 0-4 u 2-2*");
}

TEST(a_loop_keeps_what_is_read_after_it)
{
  expect_ranges(LOOP "  memset u value=0 dtype=float32\n  memset t value=0 dtype=float32\n" AGAIN "  nc_copy v = t\n",
                "u 2-2* t 2-6 v 6-6");
}

TEST(a_loop_makes_anew_what_it_writes_before_it_reads)
{
  expect_ranges(LOOP "  memset t[0:64, 0:512] value=0 dtype=float32\n  memset t[64:128, 0:512] value=0 dtype=float32\n"
                     "  nc_copy u = t\n" AGAIN,
                "t 2-4* u 4-4*");
}

TEST(a_loop_keeps_what_it_reads_before_it_writes)
{
  expect_ranges(LOOP "  nc_copy u = t\n  nc_copy t = u\n" AGAIN, "u 2-3* t 2-5");
}

TEST(a_sum_in_psum_is_made_anew_in_each_iteration)
{
  expect_ranges(LOOP "  nc_matmul p = w, t\n  nc_copy u = p\n" AGAIN, "p 2-3* w 2-5 t 2-5 u 3-3*");
}

TEST(what_an_iteration_may_skip_is_kept)
{
  expect_ranges(LOOP "  if %i < 2 goto some else rest\nsome:\n  memset t value=0 dtype=float32\n  goto rest\n"
                     "rest:\n  nc_copy u = t\n" AGAIN,
                "t 2-7 u 5-5*");
}

TEST(loops_inside_of_loops_keep_what_the_inner_one_uses_while_it_runs)
{
  expect_ranges(LOOP "  memset t value=0 dtype=float32\n  register_move %j imm=0\n  goto inner\n"
                     "inner:\n  nc_copy u = t\n  register_alu_op %j = %j imm=1 op=add\n  if %j < 4 goto inner else next\n"
                     "next:\n" AGAIN,
                "t 2-7* u 5-5*");
}

// ---- packing

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)((random_state >> 33) % n);
}

static int by_first(const void *a, const void *b)
{
  const PackItem *x = a, *y = b;
  return x->first < y->first ? -1 : x->first > y->first;
}

static void random_items(PackItem *items, uint32_t count, uint32_t moments, uint32_t bytes, uint32_t fixed_percent,
                         uint64_t limit)
{
  for (uint32_t i = 0; i < count; i++) {
    uint32_t a = random_below(moments), length = random_below(random_below(8) ? 8 : moments);
    items[i] = (PackItem){.first = a, .last = a + length, .bytes = 1 + random_below(bytes), .end_row = 128};
    if (random_below(100) < fixed_percent) {
      items[i].is_fixed = true;
      items[i].start = random_below((uint32_t)limit);
      items[i].first_row = 32 * random_below(4);
    }
  }
  qsort(items, count, sizeof *items, by_first);
}

static bool meet(const PackItem *a, const PackItem *b)
{
  return a->first <= b->last && b->first <= a->last && a->first_row < b->end_row && b->first_row < a->end_row &&
         a->start < b->start + b->bytes && b->start < a->start + a->bytes;
}

static void expect_packed(const PackItem *items, const PackItem *before, uint32_t count, PackRules rules)
{
  for (uint32_t i = 0; i < count; i++) {
    const PackItem *item = &items[i];
    EXPECT(item->is_packed);
    if (item->is_fixed) {
      EXPECT_INT((int64_t)item->start, ==, (int64_t)before[i].start);
      continue;
    }
    EXPECT(item->start % rules.unit == 0 && item->start + item->bytes <= rules.limit);
    if (rules.page)
      EXPECT(item->bytes > rules.page ? item->start % rules.page == 0
                                      : item->start / rules.page == (item->start + item->bytes - 1) / rules.page);
    for (uint32_t k = 0; k < count; k++)
      if (k != i && (!items[k].is_fixed || !item->is_fixed) && meet(item, &items[k])) {
        test_fail(__FILE__, __LINE__, "items %u and %u of %u share bytes", i, k, count);
        return;
      }
  }
}

static uint64_t need_of(const PackItem *items, uint32_t count)
{
  uint64_t most = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t need = 0;
    for (uint32_t k = 0; k < count; k++)
      if (items[k].first <= items[i].first && items[i].first <= items[k].last)
        need += items[k].bytes;
    most = need > most ? need : most;
  }
  return most;
}

TEST(packed_items_never_share_a_byte_and_fixed_ones_stay)
{
  random_state = 1;
  uint32_t packed = 0, given_up = 0;
  for (uint32_t round = 0; round < 400; round++) {
    PackItem items[200], before[200];
    uint32_t count = 1 + random_below(200);
    PackRules rules = {.limit = 64 * (8 + random_below(100)), .unit = 1u << random_below(6), .page = round % 3 ? 0 : 256};
    random_items(items, count, 400, 1 + random_below(400), random_below(3) * 15, rules.limit);
    memcpy(before, items, sizeof items);
    Arena scratch = ARENA_INIT;
    if (pack(&scratch, items, count, rules) == PACKED) {
      expect_packed(items, before, count, rules);
      packed++;
    } else {
      given_up++;
    }
    arena_free(&scratch);
  }
  EXPECT_INT(packed, >, 100);
  EXPECT_INT(given_up, >, 20);
}

// Whether the items fit when put down in some order, each at its lowest place: every arrangement comes from one.
static bool fits_somehow(PackItem *items, uint32_t count, uint32_t done, uint64_t limit)
{
  if (done == (1u << count) - 1)
    return true;
  for (uint32_t i = 0; i < count; i++) {
    if (done >> i & 1)
      continue;
    items[i].start = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (uint32_t k = 0; k < count; k++)
        if (done >> k & 1 && meet(&items[i], &items[k])) {
          items[i].start = items[k].start + items[k].bytes;
          moved = true;
        }
    }
    if (items[i].start + items[i].bytes <= limit && fits_somehow(items, count, done | 1u << i, limit))
      return true;
  }
  return false;
}

TEST(what_fits_in_some_way_is_packed)
{
  random_state = 2;
  uint32_t tight = 0;
  for (uint32_t round = 0; round < 600; round++) {
    PackItem items[7];
    uint32_t count = 3 + random_below(5);
    random_items(items, count, 8, 10, 0, 1);
    uint64_t limit = need_of(items, count);
    PackItem tried[7];
    memcpy(tried, items, sizeof items);
    while (!fits_somehow(tried, count, 0, limit))
      limit++;
    tight += limit == need_of(items, count);
    Arena scratch = ARENA_INIT;
    EXPECT_INT(pack(&scratch, items, count, (PackRules){.limit = limit, .unit = 1}), ==, (int64_t)PACKED);
    arena_free(&scratch);
  }
  EXPECT_INT(tight, >, 300);
}

TEST(items_of_one_moment_fill_the_line_to_its_end)
{
  PackItem items[64];
  for (uint32_t i = 0; i < 64; i++)
    items[i] = (PackItem){.first = 5, .last = 5, .bytes = 4 * (i + 1), .end_row = 1};
  Arena scratch = ARENA_INIT;
  PackRules rules = {.limit = 4 * 64 * 65 / 2, .unit = 4};
  EXPECT_INT(pack(&scratch, items, 64, rules), ==, (int64_t)PACKED);
  rules.limit -= 4;
  EXPECT_INT(pack(&scratch, items, 64, rules), <, 64);
  arena_free(&scratch);
}

// The steps of one item do not grow with their number: seconds are printed, the arrangement is checked.
TEST(a_hundred_thousand_items)
{
  enum { COUNT = 100 * 1000 };
  random_state = 3;
  PackItem *items = calloc(COUNT, sizeof *items);
  for (uint32_t i = 0; i < COUNT; i++)
    items[i] = (PackItem){
        .first = i, .last = i + random_below(random_below(1000) ? 60 : 20000), .bytes = 4 + random_below(4096), .end_row = 128};
  Arena scratch = ARENA_INIT;
  clock_t start = clock();
  EXPECT_INT(pack(&scratch, items, COUNT, (PackRules){.limit = 212984, .unit = 4}), ==, (int64_t)PACKED);
  printf("placed %d tiles, %.0f ns each\n", COUNT, (double)(clock() - start) * 1e9 / CLOCKS_PER_SEC / COUNT);
  uint64_t wrong = 0;
  for (uint32_t i = 0; i < COUNT; i++)
    for (uint32_t k = i + 1; k < COUNT && items[k].first <= items[i].last && k < i + 2000; k++)
      wrong += meet(&items[i], &items[k]);
  EXPECT_INT((int64_t)wrong, ==, 0);
  arena_free(&scratch);
  free(items);
}

// ---- kernels

static bool fits_on(Session *session, const Kernel *kernel, const char *target)
{
  return core_verify(session, kernel) && machine_check(session, machine_find(target), kernel) &&
         machine_check_memory(session, machine_find(target), kernel);
}

static bool fits_trn2(Session *session, const Kernel *kernel)
{
  return fits_on(session, kernel, "trn2");
}

static bool fits_trn3(Session *session, const Kernel *kernel)
{
  return fits_on(session, kernel, "trn3");
}

#define KERNEL "kernel k() -> ()\n"
#define MAIN "\ncore 0\nmain:\n"
#define SET(t) "  memset " t " value=0 dtype=uint8\n"

static const char *const fitting[] = {
    KERNEL "tensor a: uint8[128, 212984] @sbuf" MAIN SET("a"),
    KERNEL "tensor a: uint8[128, 200000] @sbuf\ntensor b: uint8[128, 200000] @sbuf" MAIN SET("a") SET("b"),
    KERNEL "tensor a: uint8[128, 212984] @sbuf\ntensor b: uint8[128, 16384] @sbuf at (0, 212992)" MAIN SET("a") SET("b")
        SET("a"),
    // an address on other partitions is in nobody's way
    KERNEL "tensor a: uint8[64, 212984] @sbuf\ntensor b: uint8[64, 100000] @sbuf at (64, 0)" MAIN SET("a") SET("b") SET("a"),
    // nine sums that need half a bank each
    KERNEL "tensor a: uint8[128, 15360] @psum\ntensor b: uint8[128, 1024] @psum" MAIN SET("a") SET("b") SET("a"),
};

static const CheckCase crowded[] = {
    {KERNEL "tensor a: uint8[128, 212985] @sbuf" MAIN SET("a"),
     "E0801",
     {"`a` does not fit into SBUF: the kernel needs 212988 bytes of a partition at once, trn2 leaves 212984"}},
    {KERNEL "tensor a: uint8[128, 200000] @sbuf\ntensor b: uint8[128, 12988] @sbuf" MAIN SET("a") SET("b") SET("a"),
     "E0801",
     {"`b` does not fit into SBUF: the kernel needs 212988", "200000 bytes: `a`", "12988 bytes: `b`"}},
    {KERNEL "tensor a: uint8[128, 16384] @psum\ntensor b: uint8[128, 1] @psum" MAIN SET("a") SET("b") SET("a"),
     "E0801",
     {"`b` does not fit into PSUM: the kernel needs 16388 bytes of a partition at once, trn2 leaves 16384", "8 banks of 2048"}},
    // 60 KiB below and above an address, 100 KiB wanted
    {KERNEL "tensor a: uint8[128, 100000] @sbuf\ntensor b: uint8[128, 32] @sbuf at (0, 99000)\n"
            "tensor c: uint8[128, 32] @sbuf at (0, 190000)" MAIN SET("b") SET("c") SET("a") SET("b") SET("c"),
     "E0802",
     {"no place was found for `a` in SBUF", "at most 100064 of 212984", "`address=`"}},
    // three of 1200 bytes in two banks
    {KERNEL "tensor z: uint8[128, 12288] @psum at (0, 4096)\ntensor a: uint8[128, 1200] @psum\n"
            "tensor b: uint8[128, 1200] @psum\ntensor c: uint8[128, 1200] @psum" MAIN SET("z") SET("a") SET("b") SET("c")
                SET("a") SET("b") SET("z"),
     "E0802",
     {"in PSUM"}},
};

TEST(kernels_fit_to_the_last_byte)
{
  expect_accepted(fitting, sizeof fitting / sizeof *fitting, fits_trn2);
}

TEST(what_does_not_fit_says_what_is_alive)
{
  expect_cases(crowded, sizeof crowded / sizeof *crowded, fits_trn2);
}

TEST(sums_cross_banks_on_trn3_only)
{
  expect_cases(&(CheckCase){crowded[4].lines, NULL, {NULL}}, 1, fits_trn3);
}
