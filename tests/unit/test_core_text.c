// test_core_text.c -- the text form: canonical spellings, round trips, and errors with their places.

#include "core/random.h"
#include "core/text.h"
#include "core/verify.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static Kernel *parse(Session *session, Arena *arena, const char *text)
{
  return core_parse_text(session, arena, session_add_source(session, "k.txt", str_from(text)));
}

static const char *print(Arena *arena, const Kernel *kernel, bool positions)
{
  StrBuf out = strbuf_new(arena);
  core_print_kernel(kernel, &out, (TextOptions){.positions = positions});
  return strbuf_cstr(&out);
}

static const char *errors_of(Session *session, Arena *arena)
{
  StrBuf out = strbuf_new(arena);
  diag_print_text(session, &out, false);
  return strbuf_cstr(&out);
}

static const char *golden(Session *session, Arena *arena, const char *name)
{
  const char *root = getenv("KLR_SOURCE_ROOT");
  Str text;
  if (!file_read(session, arena, arena_printf(arena, "%s/tests/golden/core/%s", root ? root : KLR_SOURCE_ROOT, name),
                 &text))
    return "";
  return text.data;
}

static const char *without_comments(Arena *arena, const char *text)
{
  StrBuf out = strbuf_new(arena);
  while (*text) {
    const char *end = strchr(text, '\n');
    if (*text != '#')
      strbuf_add(&out, text, (size_t)(end - text) + 1);
    text = end + 1;
  }
  return strbuf_cstr(&out);
}

TEST(text_of_every_form_reads_back_as_itself)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  const char *text = golden(session, &arena, "forms.klrtext");
  Kernel *kernel = parse(session, &arena, text);
  EXPECT_TEXT(errors_of(session, &arena), "");
  if (kernel) {
    EXPECT_TEXT(print(&arena, kernel, false), without_comments(&arena, text));
    Kernel *again = parse(session, &arena, print(&arena, kernel, false));
    EXPECT(again && core_equal(&core_type_Kernel, kernel, again));
  }
  arena_free(&arena);
  session_free(session);
}

TEST(text_with_positions_reads_back_equal)
{
  const char *text = "kernel k() -> ()\n\ncore 0\nmain:\n  file \"dir/k.py\"\n"
                     "  register_move %i imm=1 ; 12:4..12:40\n  register_move %i imm=1 name=move.1 ; 13:0\n"
                     "  file none\n  register_move %i imm=2 ; 3:5..4:_\n  goto main ; 0:7\n";
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Kernel *kernel = parse(session, &arena, text);
  EXPECT_TEXT(errors_of(session, &arena), "");
  if (kernel) {
    EXPECT_TEXT(print(&arena, kernel, true), text);
    const Pos *pos = kernel->bodies.items[0].items[0]->body.items[0]->pos;
    EXPECT_INT(pos->line, ==, 12);
    EXPECT_INT(pos->column, ==, 4);
    EXPECT_INT(pos->column_end.value, ==, 40);
    EXPECT_TEXT(pos->filename, "dir/k.py");
    EXPECT_INT(pos->span.source, ==, 1);
  }
  arena_free(&arena);
  session_free(session);
}

TEST(text_views_mean_row_major_elements)
{
  const char *text = "kernel k() -> ()\ntensor t: float32[128, 8, 16] @sbuf\ncore 0\nmain:\n"
                     "  nc_copy t[32:64, 3, 1:16:4] = t[5:6, 0:8, 2]\n";
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Kernel *kernel = parse(session, &arena, text);
  EXPECT(kernel != NULL);
  if (kernel) {
    const Op *op = kernel->bodies.items[0].items[0]->body.items[0]->op;
    const View *dst = op->nc_copy.dst.abstract.view, *src = op->nc_copy.src.abstract.view;
    EXPECT_INT(dst->offset, ==, 32 * 128 + 3 * 16 + 1);
    EXPECT_INT(dst->pattern.count, ==, 2);
    EXPECT_INT(dst->pattern.items[1].step, ==, 4);
    EXPECT_INT(dst->pattern.items[1].num, ==, 4);
    EXPECT_INT(src->offset, ==, 5 * 128 + 2);
    EXPECT_INT(src->pattern.items[0].num, ==, 1);
    EXPECT_INT(src->pattern.items[1].step, ==, 16);
    EXPECT_INT(src->pattern.items[1].num, ==, 8);
  }
  arena_free(&arena);
  session_free(session);
}

// Text after the usual head, and what the first line of each error must hold.
static const struct {
  const char *line;
  const char *expected[3];
} wrong[] = {
    {"  tensor_tensr t[0:128, 0:4] = t, t op=add",
     {"unknown operator `tensor_tensr`", "did you mean `tensor_tensor`?"}},
    {"  tensor_tensor t = t, u op=add", {"unknown tensor `u`", "k.txt:5:24"}},
    {"  tensor_tensor t = t op=add", {"expected `,`, found `op`"}},
    {"  tensor_tensor t = t, t", {"attribute `op` of `tensor_tensor` is missing"}},
    {"  tensor_tensor t = t, t op=add op=add", {"attribute `op` is given twice"}},
    {"  tensor_tensor t = t, t op=ad", {"unknown member of AluOp `ad`", "did you mean `add`?"}},
    {"  tensor_tensor t = t, t op=add operator=1", {"unknown attribute `operator`"}},
    {"  nc_copy t[0:129, 0:4] = t", {"out of range: dimension 0 of `t` has size 128", "k.txt:5:13"}},
    {"  nc_copy t[0:128, 4] = t", {"out of range: dimension 1 of `t` has size 4"}},
    {"  nc_copy t[0:128] = t", {"`t` has 2 dimensions, 1 are given"}},
    {"  nc_copy t[0:128, 0:4, 0] = t", {"`t` has 2 dimensions"}},
    {"  nc_copy t:int32 = t", {"`t` is declared as float32"}},
    {"  nc_copy t:float32@psum = t", {"`t` is declared in sbuf"}},
    {"  nc_copy t{0; 1*} = t", {"expected a number that is not negative, found `}`"}},
    {"  nc_copy t = \"t", {"a quoted text is not closed"}},
    {"  nc_copy t = t ! t", {"unexpected character"}},
    {"  nc_copy t = $sram(1)", {"unknown form `sram`"}},
    {"  nc_copy t = $sbuf(name=\"a\")", {"member `dtype` is missing"}},
    {"  memset t value=99999999999 dtype=float32", {"the number is not between -2147483648 and 2147483647"}},
    {"  register_move i imm=1", {"expected a register such as `%i`, found `i`"}},
    {"  if %i ~ 3 goto a else b", {"expected a comparison, found `~`"}},
    {"  goto", {"expected a label before the end of the line"}},
    {"tensor t: float32[1] @sbuf", {"tensor `t` is declared twice"}},
    {"kernel k() -> ()", {"expected one kernel in a text"}},
    {"core 2", {"cores are numbered from 0 in order: expected core 1"}},
    {"  nc_copy t = t extra", {"unknown attribute `extra`"}},
    {"  nc_copy t = oops\n  nc_copy oops = t", {"unknown tensor `oops`", "k.txt:5:15", "k.txt:6:11"}},
};

TEST(text_errors_say_what_and_where)
{
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    Session *session = session_new();
    Arena arena = ARENA_INIT;
    const char *text =
        arena_printf(&arena, "kernel k() -> ()\ntensor t: float32[128, 4] @sbuf\ncore 0\nmain:\n%s\n", wrong[i].line);
    EXPECT(parse(session, &arena, text) == NULL);
    const char *errors = errors_of(session, &arena);
    for (int k = 0; k < 3 && wrong[i].expected[k]; k++)
      if (!strstr(errors, wrong[i].expected[k]))
        test_fail(__FILE__, __LINE__, "%s\nexpected: %s\nfound:\n%s", wrong[i].line, wrong[i].expected[k], errors);
    arena_free(&arena);
    session_free(session);
  }
}

TEST(text_without_a_kernel_is_an_error)
{
  const char *const texts[] = {"",   "# nothing\n", "core 0\n", "main:\n", "  goto x\n",
                               "\"", "\xff\xfe",    "kernel",   "kernel k"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    Session *session = session_new();
    Arena arena = ARENA_INIT;
    EXPECT(parse(session, &arena, texts[i]) == NULL);
    EXPECT_INT(session->error_count, >=, 1);
    arena_free(&arena);
    session_free(session);
  }
}

TEST(text_of_random_kernels_reads_back_equal)
{
  for (uint64_t seed = 0; seed < 300; seed++) {
    Session *session = session_new();
    Arena arena = ARENA_INIT;
    RandomOptions options = {.op_count = seed % 3 ? 10 : 0,
                             .block_count = 1 + seed % 4,
                             .core_count = (uint32_t)(seed % 3),
                             .raw = seed & 1,
                             .extensions = seed & 2,
                             .wide_numbers = seed & 4};
    Kernel *kernel = random_kernel(&arena, seed, options);
    Kernel *again = parse(session, &arena, print(&arena, kernel, true));
    if (!again)
      test_fail(__FILE__, __LINE__, "seed %d: %s", (int)seed, errors_of(session, &arena));
    else if (!core_equal(&core_type_Kernel, kernel, again))
      test_fail(__FILE__, __LINE__, "seed %d differs:\n%s", (int)seed, print(&arena, kernel, true));
    arena_free(&arena);
    session_free(session);
  }
}

// Every prefix and every byte replaced: an error or a kernel, never a crash. Runs under the sanitizers too.
TEST(text_damage_is_survived)
{
  Session *first = session_new();
  Arena keep = ARENA_INIT;
  char *text = arena_strdup(&keep, golden(first, &keep, "forms.klrtext"));
  size_t length = strlen(text);
  static const char replacements[] = "\"[{(%$0-";
  for (size_t i = 0; i < length; i += 7) {
    Session *session = session_new();
    Arena arena = ARENA_INIT;
    session->error_limit = 4;
    char saved = text[i];
    text[i] = replacements[i % (sizeof replacements - 1)];
    parse(session, &arena, text);
    text[i] = '\0';
    parse(session, &arena, text);
    text[i] = saved;
    arena_free(&arena);
    session_free(session);
  }
  arena_free(&keep);
  session_free(first);
}

TEST(text_quotes_the_source_beside_each_operator)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Kernel *kernel = parse(session, &arena, "kernel k() -> ()\ncore 0\nmain:\n  register_move %i imm=1\n  goto main\n");
  Source *python = session_add_source(session, "dir/k.py", STR("def k():\n    i = 1\n"));
  Pos traced = {.span = {session_source_id(session, python), 13, 18}}, loaded = {.line = 1, .filename = "dir/k.py"};
  const Block *block = kernel->bodies.items[0].items[0];
  ((Instr *)(uintptr_t)block->body.items[0])->pos = &traced;
  ((Instr *)(uintptr_t)block->body.items[1])->pos = &loaded;
  StrBuf out = strbuf_new(&arena);
  core_print_kernel(kernel, &out, (TextOptions){.source = session});
  EXPECT_TEXT(strbuf_cstr(&out), "kernel k() -> ()\n\ncore 0\nmain:\n  register_move %i imm=1  # k.py:2: i = 1\n"
                                 "  goto main  # k.py:1: def k():\n");
  Kernel *again = parse(session, &arena, strbuf_cstr(&out));
  EXPECT(again && again->bodies.items[0].items[0]->body.count == 2);
  arena_free(&arena);
  session_free(session);
}

TEST(text_nests_only_so_deep)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  StrBuf text = strbuf_new(&arena);
  strbuf_puts(&text, "kernel k() -> ()\ntensor t: int32[1, 1] @hbm\ncore 0\nmain:\n  device_print ");
  for (int i = 0; i < 100000; i++)
    strbuf_puts(&text, "t{0; 1*1; scalar=");
  EXPECT(parse(session, &arena, strbuf_cstr(&text)) == NULL);
  EXPECT(strstr(errors_of(session, &arena), "nested more than") != NULL);
  arena_free(&arena);
  session_free(session);
}

// docs/ops.md is what the generator writes. `KLR_BLESS=1 build/tests/unit_tests --filter ops_page` writes it anew.
TEST(ops_page_is_current)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  StrBuf page = strbuf_new(&arena);
  core_print_ops_markdown(&page);
  const char *path = KLR_SOURCE_ROOT "/docs/ops.md";
  if (getenv("KLR_BLESS"))
    EXPECT(file_write(session, path, strbuf_str(&page)));
  Str text = STR("");
  EXPECT(file_read(session, &arena, path, &text));
  if (!str_equal(text, strbuf_str(&page)))
    test_fail(__FILE__, __LINE__, "docs/ops.md is not what the tables say; bless it");
  arena_free(&arena);
  session_free(session);
}

// Every operator and field says what it is.
TEST(ops_have_documentation)
{
  for (int i = 0; i < OP_COUNT; i++) {
    uint32_t count;
    const FieldInfo *fields = op_info((OpKind)i)->fields(&count);
    for (uint32_t k = 0; k < count; k++)
      if (!*fields[k].doc)
        test_fail(__FILE__, __LINE__, "field `%s` of `%s` has no documentation", fields[k].name,
                  op_info((OpKind)i)->name);
  }
}

// The kernels of docs/core.md are valid and in canonical spelling, and every operator has a meaning there.
TEST(core_page_is_right)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  Str page = STR("");
  EXPECT(file_read(session, &arena, KLR_SOURCE_ROOT "/docs/core.md", &page));
  int kernels = 0;
  for (const char *at = strstr(page.data, "```klr\n"); at; at = strstr(at + 7, "```klr\n"), kernels++) {
    const char *end = strstr(at + 7, "```");
    const char *text = arena_strndup(&arena, at + 7, (size_t)(end - at - 7));
    Kernel *kernel = parse(session, &arena, text);
    EXPECT(kernel && core_verify(session, kernel));
    EXPECT_TEXT(errors_of(session, &arena), "");
    if (kernel)
      EXPECT_TEXT(print(&arena, kernel, false), text);
  }
  EXPECT_INT(kernels, >=, 1);
  for (int i = 0; i < OP_COUNT; i++)
    if (!strstr(page.data, arena_printf(&arena, "`%s`", op_info((OpKind)i)->name)))
      test_fail(__FILE__, __LINE__, "docs/core.md does not say what `%s` means", op_info((OpKind)i)->name);
  arena_free(&arena);
  session_free(session);
}
