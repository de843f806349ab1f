// fuzz_klr.c -- bytes either fail with one error or decode to something that encodes to the same bytes; JSON and
// S-expressions either fail or become a kernel that survives a .klr file.
//
//   CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
//       -Dkernel_clones=false -Dc_args=-fsanitize=fuzzer-no-link
//   ninja -C build-fuzz tests/fuzz/fuzz_klr && build-fuzz/tests/fuzz/fuzz_klr CORPUS

#include "base/bug.h"
#include "serde/klr_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bytes(Session *session, Str bytes)
{
  StrBuf out = strbuf_new(&session->arena);
  KlrFile *file = klr_read(session, &session->arena, bytes, "fuzz.klr");
  if (!file && session->error_count != 1)
    bug("%zu errors", session->error_count);
  if (file && (!klr_write_file(session, file, &out) || !str_equal(strbuf_str(&out), bytes)))
    bug("what was read is written differently");
  out.len = 0;
  if (klr_dump_bytes(session, bytes, "fuzz.klr", &out) != (file != NULL) && file)
    bug("what was read cannot be dumped");
}

static void check_text(Session *session, Str text)
{
  StrBuf bytes = strbuf_new(&session->arena), again = strbuf_new(&session->arena);
  KlrFile *file = text.data[0] == '{' ? klr_from_json(session, &session->arena, text, "fuzz.json")
                                      : klr_from_sexp(session, &session->arena, text, "fuzz.sexp");
  if (!file && session->error_count != 1)
    bug("%zu errors", session->error_count);
  if (!file || !klr_write_file(session, file, &bytes))
    return;
  KlrFile *read = klr_read(session, &session->arena, strbuf_str(&bytes), "fuzz.klr");
  if (!read || !klr_write_file(session, read, &again) || !str_equal(strbuf_str(&bytes), strbuf_str(&again)))
    bug("a kernel from text does not survive a file");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  Session *session = session_new();
  Str input = {(const char *)data, size};
  if (size && (data[0] == '{' || data[0] == '('))
    check_text(session, input);
  else
    check_bytes(session, input);
  session_free(session);
  return 0;
}
