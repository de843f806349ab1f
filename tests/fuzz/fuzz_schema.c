// fuzz_schema.c -- any text is read as a document of scalar kernels without harm; what the checker takes is written so that it reads
// back to the same bytes, becomes C, and runs, a few steps long, on small arrays. Built as fuzz_parser.c says; a corpus is what
// `klr schema compile` makes of kernels/.

#include "schema_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  Session *session = session_new();
  Str text = {(const char *)data, size};
  SchemaFile *file = schema_read_json(session, &session->arena, text, "fuzz.json");
  const bool is_checked = file && schema_check(file);
  if (is_checked == (session->error_count > 0))
    bug("a document is %s and there are %zu errors", is_checked ? "checked" : "refused", session->error_count);
  if (is_checked)
    check_checked_file(session, file);
  session_free(session);
  return 0;
}
