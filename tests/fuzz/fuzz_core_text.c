// fuzz_core_text.c -- any text is parsed without harm; a kernel reads back equal after printing, and is judged by the
// verifier and the device rules without harm. Built as fuzz_klr.c says; tests/golden/core is a corpus.

#include "base/bug.h"
#include "core/text.h"
#include "core/verify.h"
#include "machine/legal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kernel(Session *session, const Kernel *kernel)
{
  StrBuf text = strbuf_new(&session->arena);
  core_print_kernel(kernel, &text, (TextOptions){.positions = true});
  Kernel *again = core_parse_text(session, &session->arena, session_add_source(session, "again", strbuf_str(&text)));
  if (!again || !core_equal(&core_type_Kernel, kernel, again))
    bug("a kernel does not survive its text");
  if (core_verify(session, kernel))
    machine_check(session, machine_default(), kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  Session *session = session_new();
  Source *source = session_add_source(session, "fuzz", (Str){(const char *)data, size});
  Kernel *kernel = core_parse_text(session, &session->arena, source);
  if (!kernel && session->error_count == 0)
    bug("no kernel and no error");
  if (kernel)
    check_kernel(session, kernel);
  session_free(session);
  return 0;
}
