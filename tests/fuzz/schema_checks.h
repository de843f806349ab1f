// schema_checks.h -- what holds for every scalar kernel that the checker takes, wherever it comes from.

#pragma once
#include "base/bug.h"
#include "schema/check.h"
#include "schema/interpret.h"
#include "schema/json.h"
#include "schema/write_c.h"

#include <stdlib.h>

// Written, read, checked and written again it is the same to the byte.
static inline void check_survives_json(Session *session, const SchemaFile *file)
{
  StrBuf first = strbuf_new(&session->arena), second = strbuf_new(&session->arena);
  schema_write_json(file, &first);
  SchemaFile *again = schema_read_json(session, &session->arena, strbuf_str(&first), "written.json");
  if (!again || !schema_check(again)) {
    diag_print_text(session, &second, false);
    bug("what was written cannot be read\n%s\n%s", strbuf_cstr(&first), strbuf_cstr(&second));
  }
  schema_write_json(again, &second);
  if (!str_equal(strbuf_str(&first), strbuf_str(&second)))
    bug("what was read is written differently\n%s\n%s", strbuf_cstr(&first), strbuf_cstr(&second));
}

enum { ELEMENTS = 24, STEPS = 3000 };

// A kernel on small arrays, of which none can be overrun without AddressSanitizer noticing; it may fail, and ends.
static inline void check_runs(Session *session, const SchemaFile *file, const SchemaFunction *kernel)
{
  KlrKernelArgument *arguments = arena_array(&session->arena, KlrKernelArgument, kernel->params.count + 1);
  for (size_t i = 0; i < kernel->params.count; i++) {
    const SchemaType type = kernel->params.items[i]->type;
    const SchemaLiteral five = {.kind = scalar_is_float(type.scalar) ? LITERAL_FLOAT : LITERAL_INT, .magnitude = 1 + 4 * (type.scalar != SCALAR_BOOL), .real = 5};
    arguments[i].count = type.is_array ? ELEMENTS : 0;
    arguments[i].data = type.is_array ? calloc(ELEMENTS, scalar_info(type.scalar)->bytes) : NULL;
    if (!type.is_array && type.scalar != SCALAR_F16 && type.scalar != SCALAR_BF16)
      arguments[i].value = schema_literal_value(&five, type.scalar);
  }
  SchemaLaunch launches[] = {{.steps = STEPS}, {.grid = {3, 2, 2}, .local = {2, 2, 1}, .steps = STEPS}};
  for (size_t i = 0; i < sizeof launches / sizeof *launches; i++)
    schema_interpret(session, file, kernel, arguments, &launches[i]);
  for (size_t i = 0; i < kernel->params.count; i++)
    free(arguments[i].data);
}

static inline void check_checked_file(Session *session, SchemaFile *file)
{
  SchemaSource source;
  StrBuf text = strbuf_new(&session->arena);
  check_survives_json(session, file);
  schema_print(file, &text);
  if (!schema_write_c(session, &session->arena, &file, 1, "", &source) && !session->error_count)
    bug("no C and no error");
  for (size_t i = 0; i < file->functions.count; i++)
    if (file->functions.items[i]->is_kernel)
      check_runs(session, file, file->functions.items[i]);
}
