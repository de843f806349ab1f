// cmd_schema.c -- `klr schema STEP ...`: scalar kernels from Python to JSON, to libraries, to results.

#include "cli/cli.h"
#include "cli/schema_run.h"
#include "cli/write.h"
#include "schema/check.h"
#include "schema/front.h"
#include "schema/json.h"

#include <string.h>

// A checked file from Python; NULL after reporting.
static SchemaFile *read_schema(Cli *cli, Arena *arena, const char *path)
{
  Source *source = session_read_source(cli->session, path);
  SchemaFile *file = source ? schema_read_python(cli->session, arena, source) : NULL;
  return file && schema_check(file) ? file : NULL;
}

static int schema_compile(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  if (count != 1)
    return cli_usage(cli, "`klr schema compile` takes one file");
  SchemaFile *file = read_schema(cli, arena, arguments[0]);
  if (!file)
    return EXIT_USER;
  StrBuf text = strbuf_new(arena);
  schema_write_json(file, &text);
  return cli_write(cli, strbuf_str(&text)) ? EXIT_OK : EXIT_USER;
}

static int schema_run(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  if (count < 2)
    return cli_usage(cli, "`klr schema run` takes a file and the name of a kernel, then arguments: klr schema run k.py add a=ones:f32[8] n=8");
  SchemaFile *file = read_schema(cli, arena, arguments[0]);
  return file ? schema_run_file(cli, file, arguments[1], arguments + 2, count - 2) : EXIT_USER;
}

static const struct {
  const char *name;
  int (*run)(Cli *cli, Arena *arena, const char *const *arguments, size_t count);
} STEPS[] = {
    {"compile", schema_compile},
    {"run", schema_run},
};
enum { STEP_COUNT = sizeof STEPS / sizeof *STEPS };

int cmd_schema(Cli *cli)
{
  const TextVec *arguments = &cli->options.arguments;
  Arena arena = session_arena(cli->session);
  int status = -1;
  for (size_t i = 0; arguments->count && i < STEP_COUNT; i++)
    if (strcmp(arguments->items[0], STEPS[i].name) == 0)
      status = STEPS[i].run(cli, &arena, arguments->items + 1, arguments->count - 1);
  if (status < 0) {
    StrBuf names = strbuf_new(&arena);
    for (size_t i = 0; i < STEP_COUNT; i++)
      strbuf_printf(&names, "%s%s", i ? ", " : "", STEPS[i].name);
    status = arguments->count ? cli_usage(cli, "`klr schema` has no step `%s`; it has %s", arguments->items[0], strbuf_cstr(&names))
                              : cli_usage(cli, "`klr schema` takes a step: %s", strbuf_cstr(&names));
  }
  arena_free(&arena);
  return status;
}
