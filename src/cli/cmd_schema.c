// cmd_schema.c -- `klr schema compile`: scalar kernels from Python to their JSON schema.

#include "cli/cli.h"
#include "schema/check.h"
#include "schema/front.h"
#include "schema/json.h"

#include <string.h>

static SchemaFile *read_schema(Cli *cli, Arena *arena, const char *path)
{
  Source *source = session_read_source(cli->session, path);
  SchemaFile *file = source ? schema_read_python(cli->session, arena, source) : NULL;
  return file && schema_check(file) ? file : NULL;
}

static int schema_compile(Cli *cli, const char *path)
{
  Arena arena = session_arena(cli->session);
  SchemaFile *file = read_schema(cli, &arena, path);
  if (file)
    schema_write_json(file, &cli->out);
  arena_free(&arena);
  return file ? EXIT_OK : EXIT_USER;
}

int cmd_schema(Cli *cli)
{
  const TextVec *arguments = &cli->options.arguments;
  if (arguments->count < 2 || strcmp(arguments->items[0], "compile") != 0)
    return cli_usage(cli, "`klr schema` takes a step and what it works on: klr schema compile FILE.py");
  return schema_compile(cli, arguments->items[1]);
}
