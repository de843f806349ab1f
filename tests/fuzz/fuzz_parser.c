// fuzz_parser.c -- any bytes are parsed without harm, and what has no errors is printed so that it parses to the same
// tree again.
//
//   CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
//   ninja -C build-fuzz tests/fuzz/fuzz_parser
//   build-fuzz/tests/fuzz/fuzz_parser -max_len=4096 -dict=tests/fuzz/python.dict NEW_INPUTS tests/fuzz/corpus/parser

#include "syntax/dump.h"
#include "syntax/parser.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, StrBuf *first, StrBuf *second)
{
  fprintf(stderr, "%s\n--- first\n%s\n--- second\n%s\n", what, strbuf_cstr(first), strbuf_cstr(second));
  abort();
}

static void check_round_trip(Session *session, Arena *arena, const Module *module)
{
  StrBuf text = strbuf_new(arena), first = strbuf_new(arena), second = strbuf_new(arena);
  ast_print(module, &text);
  Module *again = parse_module(session, arena, session_add_source(session, "printed", strbuf_str(&text)));
  ast_dump_without_places(module, &first);
  if (again->has_errors) {
    diag_print_text(session, &second, false);
    fail("what was printed does not parse", &text, &second);
  }
  ast_dump_without_places(again, &second);
  if (!str_equal(strbuf_str(&first), strbuf_str(&second)))
    fail("what was printed has another tree", &first, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  Session *session = session_new();
  if (!session)
    return 0;
  Arena arena = ARENA_INIT;
  Str text = {(const char *)data, size};
  Source *source = session_add_source(session, "input", text);
  Module *module = parse_module(session, &arena, source);
  StrBuf dump = strbuf_new(&arena);
  ast_dump(module, &dump);
  diag_print_text(session, &dump, false);
  if (!module->has_errors)
    check_round_trip(session, &arena, module);
  parse_expression(session, &arena, session_add_source(session, "expression", text));
  arena_free(&arena);
  session_free(session);
  return 0;
}
