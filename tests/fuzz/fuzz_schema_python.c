// fuzz_schema_python.c -- any Python source becomes scalar kernels or is refused with an error, without harm; the rest as in
// fuzz_schema.c. Built as fuzz_parser.c says; a corpus is kernels/.

#include "schema/front.h"
#include "schema_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  Session *session = session_new();
  Source *source = session_add_source(session, "fuzz.py", (Str){(const char *)data, size});
  SchemaFile *file = schema_read_python(session, &session->arena, source);
  const bool is_checked = file && schema_check(file);
  if (is_checked == (session->error_count > 0))
    bug("a source is %s and there are %zu errors", is_checked ? "checked" : "refused", session->error_count);
  if (is_checked)
    check_checked_file(session, file);
  session_free(session);
  return 0;
}
