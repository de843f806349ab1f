#include "base/json.h"
#include "base/map.h"
#include "base/npy.h"
#include "base/number_text.h"
#include "base/session.h"
#include "test.h"

TEST(arena_gives_zeroed_memory_and_rewinds)
{
  Arena arena = ARENA_INIT;
  ArenaMark mark = arena_mark(&arena);
  char *a = arena_alloc(&arena, 100);
  for (int i = 0; i < 100; i++)
    EXPECT_INT(a[i], ==, 0);
  memset(a, 1, 100);
  arena_alloc(&arena, 1 << 20);
  arena_rewind(&arena, mark);
  EXPECT_INT(arena.used_bytes, ==, 0);
  char *b = arena_alloc(&arena, 100);
  EXPECT_INT(b[99], ==, 0);
  arena_free(&arena);
}

TEST(arena_jumps_when_memory_runs_out)
{
  Arena arena = ARENA_INIT;
  jmp_buf handler;
  arena.on_exhausted = &handler;
  arena.fail_after = 3;
  volatile int reached = 0;
  if (setjmp(handler) == 0) {
    for (int i = 0; i < 10; i++) {
      arena_alloc(&arena, 8);
      reached = i + 1;
    }
  }
  EXPECT_INT(reached, ==, 3);
  arena_free(&arena);
}

TEST(map_keeps_insertion_order)
{
  Arena arena = ARENA_INIT;
  Map map = map_new(&arena);
  for (uintptr_t i = 0; i < 1000; i++)
    map_set(&map, str_from(arena_printf(&arena, "key%u", (unsigned)i)), (void *)(i + 1));
  map_set(&map, STR("key7"), (void *)1);
  EXPECT_INT(map.count, ==, 1000);
  EXPECT((uintptr_t)map_get(&map, STR("key999")) == 1000);
  EXPECT((uintptr_t)map_get(&map, STR("key7")) == 1);
  EXPECT(map_get(&map, STR("none")) == NULL);
  EXPECT(str_is(map.entries[41].key, "key41"));
  arena_free(&arena);
}

TEST(utf8_rejects_what_is_not_utf8)
{
  uint32_t c;
  const char *good = "\xF0\x9F\x98\x80";
  EXPECT_INT(utf8_decode(good, good + 4, &c), ==, 4);
  EXPECT_HEX(c, ==, 0x1F600);
  const char *bad[] = {"\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\x80", "\xE2\x82"};
  for (size_t i = 0; i < 5; i++)
    EXPECT_INT(utf8_decode(bad[i], bad[i] + strlen(bad[i]), &c), ==, 0);
}

TEST(repr_of_floats_is_pythons)
{
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0.1, "0.1"},        {1.0, "1.0"},           {1e16, "1e+16"},      {123456789012345.0, "123456789012345.0"},
               {1e-5, "1e-05"},     {0.0001, "0.0001"},     {-0.0, "-0.0"},       {1.5e300, "1.5e+300"},
               {5e-324, "5e-324"},  {1e22, "1e+22"},        {1.0 / 3, "0.3333333333333333"},
               {7.1746481373430634e-43, "7.174648137343064e-43"}};
  Arena arena = ARENA_INIT;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    StrBuf out = strbuf_new(&arena);
    number_add_repr(&out, cases[i].value);
    EXPECT_TEXT(strbuf_cstr(&out), cases[i].text);
  }
  arena_free(&arena);
}

TEST(suggestions_are_near_names_only)
{
  static const char *names[] = {"tensor_tensor", "tensor_scalar", "activation"};
  EXPECT_TEXT(str_nearest(STR("tensor_tesnor"), names, 3), "tensor_tensor");
  EXPECT_TEXT(str_nearest(STR("activate"), names, 3), "activation");
  EXPECT(str_nearest(STR("memset"), names, 3) == NULL);
  EXPECT(str_nearest(STR("y"), (const char *const[]){"x"}, 1) == NULL);
}

TEST(json_is_written_with_escapes)
{
  Arena arena = ARENA_INIT;
  StrBuf out = strbuf_new(&arena);
  JsonWriter json = json_writer(&out, 0);
  json_begin_object(&json);
  json_key(&json, "a\"b");
  json_begin_array(&json);
  json_int(&json, -3);
  json_text(&json, STR("x\n\xFF"));
  json_double(&json, 1e-5);
  json_end_array(&json);
  json_key(&json, "c");
  json_begin_object(&json);
  json_end_object(&json);
  json_end_object(&json);
  EXPECT_TEXT(strbuf_cstr(&out), "{\"a\\\"b\":[-3,\"x\\n\\ufffd\",1e-05],\"c\":{}}");
  arena_free(&arena);
}

TEST(diagnostics_quote_the_source)
{
  Session *session = session_new();
  session_add_source(session, "k.py", STR("peak = max(x)\ny = subtract(x, peak)\n"));
  Diag *diag = diag_error(session, E_SYNTAX, "operands of `%s` differ", "subtract");
  diag_primary(diag, (Span){1, 18, 35}, "`x` is 128x512");
  diag_label(diag, (Span){1, 0, 4}, "`peak` got its shape here");
  diag_help(diag, "use `tensor_scalar`");
  StrBuf out = strbuf_new(&session->arena);
  diag_print_text(session, &out, false);
  EXPECT_TEXT(strbuf_cstr(&out), "error[E0101]: operands of `subtract` differ\n"
                                 "  --> k.py:2:5\n"
                                 "   |\n"
                                 " 1 | peak = max(x)\n"
                                 "   | ---- `peak` got its shape here\n"
                                 " 2 | y = subtract(x, peak)\n"
                                 "   |     ^^^^^^^^^^^^^^^^^ `x` is 128x512\n"
                                 "   |\n"
                                 "   = help: use `tensor_scalar`\n\n");
  session_free(session);
}

TEST(npy_reads_what_it_writes_and_refuses_damage)
{
  Session *session = session_new();
  uint64_t shape[] = {2, 3};
  float data[6] = {1, 2, 3, 4, 5, 6};
  StrBuf file = strbuf_new(&session->arena);
  npy_format(&file, "<f4", shape, 2, data, sizeof data);
  EXPECT_INT((file.len - sizeof data) % 64, ==, 0);
  Npy npy;
  EXPECT(npy_parse(session, "a.npy", strbuf_str(&file), &npy));
  EXPECT_TEXT(npy.descr, "<f4");
  EXPECT_INT(npy.rank, ==, 2);
  EXPECT_INT(npy.shape[1], ==, 3);
  EXPECT(memcmp(npy.data, data, sizeof data) == 0);
  for (size_t len = 0; len < file.len; len++) {  // every truncation is refused
    size_t before = session->error_count;
    EXPECT(!npy_parse(session, "a.npy", (Str){file.data, len}, &npy));
    EXPECT_INT(session->error_count, ==, before + 1);
  }
  session_free(session);
}

TEST(arena_grow_zeroes_what_was_padding)
{
  Arena arena = ARENA_INIT;
  arena_alloc(&arena, 1);
  ArenaMark mark = arena_mark(&arena);
  memset(arena_alloc(&arena, 64), 0xFF, 64);
  arena_rewind(&arena, mark);
  char *grown = arena_grow(&arena, arena_alloc(&arena, 5), 5, 40);
  for (int i = 0; i < 40; i++)
    EXPECT_INT(grown[i], ==, 0);
  arena_free(&arena);
}
