// kernel_text.h -- kernels in text form for the tests of checks: a table of (lines, expected code, expected words).

#pragma once
#include "core/text.h"
#include "test.h"

typedef struct CheckCase {
  const char *lines;     // of block `main` of core 0, or whole declarations
  const char *code;      // "E0515"; NULL: nothing is wrong
  const char *words[3];  // each stands somewhere in what is said
} CheckCase;

// Tensors that the lines may use: t, u, v 128x512 float32; h 128x512 bf16; n 64x512; c 128x1; o 128x8; i 128x512 uint8;
// b 128x512 uint32; p, q 128x512 in PSUM; x, y 128x512 in HBM; w 128x128, k 64x128, m 128x128 bf16 (all in SBUF); s 1x1
// int32.
static const char *const case_tensors =
    "tensor t: float32[128, 512] @sbuf\ntensor u: float32[128, 512] @sbuf\ntensor v: float32[128, 512] @sbuf\n"
    "tensor h: bfloat16[128, 512] @sbuf\ntensor n: float32[64, 512] @sbuf\ntensor c: float32[128, 1] @sbuf\n"
    "tensor o: float32[128, 8] @sbuf\ntensor i: uint8[128, 512] @sbuf\ntensor b: uint32[128, 512] @sbuf\n"
    "tensor p: float32[128, 512] @psum\ntensor q: float32[128, 512] @psum\ntensor x: float32[128, 512] @hbm\n"
    "tensor y: float32[128, 512] @hbm\ntensor w: float32[128, 128] @sbuf\ntensor k: float32[64, 128] @sbuf\n"
    "tensor m: bfloat16[128, 128] @sbuf\ntensor s: int32[1, 1] @sbuf\ntensor d: float32[128, 2, 256] @sbuf\n";

typedef bool CheckFn(Session *session, const Kernel *kernel);

// Lines that begin with "core" or "kernel" make up the text themselves.
static const char *case_text(Arena *arena, const char *lines)
{
  if (strncmp(lines, "kernel", 6) == 0)
    return lines;
  const char *body = strstr(lines, "core 0") ? "" : "core 0\nmain:\n";
  return arena_printf(arena, "kernel k(x) -> (y)\n%s%s%s\n", case_tensors, body, lines);
}

static void expect_cases(const CheckCase *cases, size_t count, CheckFn *check)
{
  for (size_t i = 0; i < count; i++) {
    Session *session = session_new();
    Arena arena = ARENA_INIT;
    const char *text = case_text(&arena, cases[i].lines);
    Kernel *kernel = core_parse_text(session, &arena, session_add_source(session, "k.txt", str_from(text)));
    bool ok = kernel && check(session, kernel);
    StrBuf out = strbuf_new(&arena);
    diag_print_text(session, &out, false);
    const char *said = strbuf_cstr(&out);
    bool matches = kernel && ok == (cases[i].code == NULL) && (!cases[i].code || strstr(said, cases[i].code));
    for (int k = 0; k < 3 && cases[i].words[k]; k++)
      matches = matches && strstr(said, cases[i].words[k]);
    if (!matches)
      test_fail(__FILE__, __LINE__, "%s\nexpected: %s %s\nfound:\n%s", cases[i].lines,
                cases[i].code ? cases[i].code : "nothing", cases[i].words[0] ? cases[i].words[0] : "", said);
    arena_free(&arena);
    session_free(session);
  }
}

static void expect_accepted(const char *const *lines, size_t count, CheckFn *check)
{
  for (size_t i = 0; i < count; i++)
    expect_cases(&(CheckCase){lines[i], NULL, {NULL}}, 1, check);
}
