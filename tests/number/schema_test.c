// schema_test.c -- the interpreter of scalar kernels for Python tests, loaded with ctypes: many kernels a second, since no process is started.

#include "schema/check.h"
#include "schema/front.h"
#include "schema/interpret.h"
#include "schema/json.h"

#include <stdlib.h>
#include <string.h>

typedef struct SchemaTest {
  Session *session;
  SchemaFile *file;
  char *text;  // of what was asked last
} SchemaTest;

static const char *keep(SchemaTest *test, Str text)
{
  free(test->text);
  test->text = malloc(text.len + 1);
  if (!test->text)
    abort();
  memcpy(test->text, text.data, text.len);
  test->text[text.len] = 0;
  return test->text;
}

// What was reported so far; "" for nothing.
const char *schema_test_told(SchemaTest *test)
{
  StrBuf out = strbuf_new(&test->session->arena);
  diag_print_text(test->session, &out, false);
  return keep(test, strbuf_str(&out));
}

// A file of kernels from Python, or from JSON; its `file` is NULL when it was refused.
SchemaTest *schema_test_read(const char *text, const char *path, int is_json)
{
  SchemaTest *test = calloc(1, sizeof *test);
  if (!test || !(test->session = session_new()))
    abort();
  Arena *arena = &test->session->arena;
  SchemaFile *file = is_json ? schema_read_json(test->session, arena, str_from(text), path)
                             : schema_read_python(test->session, arena, session_add_source(test->session, path, str_from(text)));
  test->file = file && schema_check(file) ? file : NULL;
  return test;
}

int schema_test_is_read(const SchemaTest *test)
{
  return test->file != NULL;
}

void schema_test_free(SchemaTest *test)
{
  session_free(test->session);
  free(test->text);
  free(test);
}

const char *schema_test_json(SchemaTest *test)
{
  StrBuf out = strbuf_new(&test->session->arena);
  schema_write_json(test->file, &out);
  return keep(test, strbuf_str(&out));
}

// Sizes of 0 as in SchemaLaunch. Whether it has run; if not, schema_test_told says why.
int schema_test_interpret(SchemaTest *test, const char *name, const KlrKernelArgument *arguments, const uint64_t grid[3], const uint64_t local[3],
                          uint64_t steps)
{
  SchemaLaunch launch = {.steps = steps};
  memcpy(launch.grid, grid, sizeof launch.grid);
  memcpy(launch.local, local, sizeof launch.local);
  for (size_t i = 0; i < test->file->functions.count; i++) {
    const SchemaFunction *function = test->file->functions.items[i];
    if (function->is_kernel && strcmp(function->name->str.data, name) == 0)
      return schema_interpret(test->session, test->file, function, arguments, &launch);
  }
  return 0;
}
