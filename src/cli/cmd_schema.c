// cmd_schema.c -- `klr schema STEP ...`: scalar kernels from Python to JSON, to libraries, to results.

#include "cli/schema_compile.h"
#include "cli/schema_run.h"
#include "schema/build.h"
#include "schema/write_c.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int schema_run(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  if (count < 2)
    return cli_usage(cli, "`klr schema run` takes a file or folder and the name of a kernel, then arguments: klr schema run k.py add a=ones:f32[8] n=8");
  if (schema_is_built(arguments[0]))
    return schema_run_built(cli, arguments[0], arguments[1], arguments + 2, count - 2);
  SchemaFile *file = schema_read_file(cli, arena, arguments[0]);
  return file ? schema_run_file(cli, file, arguments[1], arguments + 2, count - 2) : EXIT_USER;
}

// "a/b/add.py" in folder "kernels": "kernels/add.so".
static const char *library_path(Arena *arena, const char *folder, const char *source, const char *ending)
{
  const char *slash = strrchr(source, '/'), *stem = slash ? slash + 1 : source, *dot = strrchr(stem, '.');
  return arena_printf(arena, "%s/%.*s%s", folder, (int)(dot ? (size_t)(dot - stem) : strlen(stem)), stem, ending);
}

static bool build_file(Cli *cli, Arena *arena, const char *source, const char *path)
{
  SchemaFile *file = schema_read_file(cli, arena, source);
  if (!file)
    return false;
  if (cli->options.emit_c) {
    SchemaSource text;
    return schema_write_c(cli->session, arena, &file, 1, "", &text) && file_write(cli->session, path, text.text);
  }
  SchemaBuildOptions options = {.compiler = cli->options.compiler, .is_checked = cli->options.checked};
  SchemaBuilt built;
  if (!schema_build(cli->session, arena, &file, 1, path, &options, &built))
    return false;
  size_t kernels = schema_kernel_count(file);
  strbuf_printf(&cli->out, "%s: %zu kernel%s, ", path, kernels, kernels == 1 ? "" : "s");
  if (built.was_kept)
    strbuf_puts(&cli->out, "from the cache\n");
  else
    strbuf_printf(&cli->out, "%s in %.0f ms\n", built.compiler, built.seconds * 1e3);
  return true;
}

static bool build_one(Cli *cli, const char *source, const char *path)
{
  Arena arena = session_arena(cli->session);
  bool ok = build_file(cli, &arena, source, path);
  arena_free(&arena);
  return ok;
}

// Where each file's library (or C text) goes. False after reporting two that would be one.
static bool library_paths(Cli *cli, Arena *arena, const SchemaInputs *inputs, const char **paths)
{
  const char *folder = cli->options.output, *ending = cli->options.emit_c ? ".c" : ".so";
  Map sources = map_new(arena);
  bool ok = true;
  for (size_t i = 0; i < inputs->list.count; i++) {
    const char *source = inputs->list.items[i].path;
    paths[i] = library_path(arena, folder, source, ending);
    const char *other = map_get(&sources, str_from(paths[i]));
    if (other) {
      Diag *diag = diag_error(cli->session, E_FILE_WRITE, "`%s` and `%s` would both be written to `%s`", other, source, paths[i]);
      diag_help(diag, "give one of them another name, or build them into different folders");
      ok = false;
    }
    map_set(&sources, str_from(paths[i]), (void *)source);
  }
  return ok;
}

static int schema_build_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  const char *folder = cli->options.output;
  if (!count || !folder)
    return cli_usage(cli, "`klr schema build` takes files or folders of kernels, and a folder: klr schema build k.py -o kernels/");
  bool to_stdout = strcmp(folder, "-") == 0;
  SchemaInputs inputs = {0};
  if (!schema_find_inputs(cli, arena, arguments, count, false, &inputs))
    return EXIT_USER;
  if (to_stdout && (!cli->options.emit_c || inputs.list.count != 1))
    return cli_usage(cli, "`-o -` is for the C text of one file: klr schema build k.py --emit-c -o -");
  if (to_stdout)
    return build_one(cli, inputs.list.items[0].path, "-") ? EXIT_OK : EXIT_USER;
  const char **paths = arena_array(arena, const char *, inputs.list.count + 1);
  if (!library_paths(cli, arena, &inputs, paths))
    return EXIT_USER;
  struct stat info;
  if (stat(folder, &info) != 0 && mkdir(folder, 0777) != 0) {
    diag_error(cli->session, E_FILE_WRITE, "cannot make the folder `%s`: %s", folder, strerror(errno));
    return EXIT_USER;
  }
  int status = EXIT_OK;
  for (size_t i = 0; i < inputs.list.count; i++)
    if (!build_one(cli, inputs.list.items[i].path, paths[i]))
      status = EXIT_USER;
  return status;
}

static int schema_list(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  (void)arena;
  return count == 1 ? schema_list_built(cli, arguments[0]) : cli_usage(cli, "`klr schema list` takes a folder of libraries, or one library");
}

static int schema_cache(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  const char *folder = schema_cache_folder(arena);
  if (count == 1 && strcmp(arguments[0], "clear") == 0) {
    strbuf_printf(&cli->out, "%zu libraries removed\n", schema_cache_clear(arena));
    return EXIT_OK;
  }
  if (count != 1 || strcmp(arguments[0], "ls") != 0)
    return cli_usage(cli, "`klr schema cache` takes ls or clear");
  SchemaKeptList kept = {0};
  schema_cache_list(arena, &kept);
  uint64_t bytes = 0;
  for (size_t i = 0; i < kept.count; i++) {
    strbuf_printf(&cli->out, "%9" PRIu64 "  %s\n", kept.items[i].bytes, kept.items[i].name);
    bytes += kept.items[i].bytes;
  }
  strbuf_printf(&cli->out, "%zu libraries, %" PRIu64 " bytes, in %s\n", kept.count, bytes, folder ? folder : "no folder");
  return EXIT_OK;
}

static const struct {
  const char *name;
  int (*run)(Cli *cli, Arena *arena, const char *const *arguments, size_t count);
} STEPS[] = {
    {"compile", schema_compile_step},
    {"check", schema_check_step},
    {"dump", schema_dump_step},
    {"format", schema_format_step},
    {"build", schema_build_step},
    {"cache", schema_cache},
    {"list", schema_list},
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
