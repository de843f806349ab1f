// cmd_schema.c -- `klr schema STEP ...`: scalar kernels from Python to JSON, to libraries, to results.

#include "cli/schema_compile.h"
#include "cli/schema_run.h"
#include "schema/build.h"
#include "schema/write_c.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

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
  const char *between = str_ends_with(str_from(folder), "/") ? "" : "/";
  return arena_printf(arena, "%s%s%.*s%s", folder, between, (int)(dot ? (size_t)(dot - stem) : strlen(stem)), stem, ending);
}

static bool write_c_text(Cli *cli, Arena *arena, SchemaFile *file, const char *path, JsonWriter *json)
{
  SchemaSource text;
  if (!schema_write_c(cli->session, arena, &file, 1, "", &text))
    return false;
  bool is_told = cli->options.json && strcmp(path, "-") == 0;
  if (!is_told && !file_write(cli->session, path, text.text))
    return false;
  if (!cli->options.json)
    return true;
  schema_begin_file(json, file->path, file);
  json_member_text(json, is_told ? "text" : "output", is_told ? text.text : str_from(path));
  json_end_object(json);
  return true;
}

static void tell_library(Cli *cli, JsonWriter *json, const char *source, const SchemaFile *file, const char *path, const SchemaBuilt *built)
{
  size_t kernels = schema_kernel_count(file);
  if (!cli->options.json) {
    strbuf_printf(&cli->out, "%s: %zu kernel%s, ", path, kernels, kernels == 1 ? "" : "s");
    if (built->was_kept)
      strbuf_puts(&cli->out, "from the cache\n");
    else
      strbuf_printf(&cli->out, "%s in %.0f ms\n", built->compiler, built->seconds * 1e3);
    return;
  }
  schema_begin_file(json, source, file);
  json_member_text(json, "output", str_from(path));
  json_member_text(json, "compiler", str_from(built->compiler));
  json_key(json, "checked");
  json_bool(json, cli->options.checked);
  json_key(json, "from_cache");
  json_bool(json, built->was_kept);
  json_key(json, "seconds");
  json_double(json, built->seconds);
  json_end_object(json);
}

// One file on its way to a library.
typedef struct Building {
  Arena arena;
  const char *source, *path;
  SchemaFile *file;
  SchemaBuild *build;  // NULL: nothing is left to do
} Building;

static void start_building(Cli *cli, Building *b, const char *source, const char *path)
{
  *b = (Building){.arena = session_arena(cli->session), .source = source, .path = path};
  b->file = schema_read_file(cli, &b->arena, source);
  const SchemaBuildOptions options = {.compiler = cli->options.compiler, .is_checked = cli->options.checked};
  if (b->file && !cli->options.emit_c)
    b->build = schema_build_start(cli->session, &b->arena, &b->file, 1, path, &options);
}

static bool end_building(Cli *cli, Building *b, JsonWriter *json)
{
  SchemaBuilt built;
  bool ok = false;
  if (b->file && cli->options.emit_c)
    ok = write_c_text(cli, &b->arena, b->file, b->path, json);
  else if (b->build && (ok = schema_build_end(cli->session, &b->arena, b->build, &built)))
    tell_library(cli, json, b->source, b->file, b->path, &built);
  if (!ok && cli->options.json) {
    schema_begin_file(json, b->source, NULL);
    json_end_object(json);
  }
  arena_free(&b->arena);
  return ok;
}

// As many compilers at once as there are processors; told in the files' order. Whether all went well.
static bool build_all(Cli *cli, Arena *arena, const SchemaInputs *inputs, const char *const *paths, JsonWriter *json)
{
  const long processors = sysconf(_SC_NPROCESSORS_ONLN);
  const size_t most = processors > 64 ? 64 : processors > 1 ? (size_t)processors : 1, count = inputs->list.count;
  Building *buildings = arena_array(arena, Building, count + 1);
  bool ok = true;
  for (size_t started = 0, ended = 0; ended < count; ended++) {
    for (; started < count && started < ended + most; started++)
      start_building(cli, &buildings[started], inputs->list.items[started].path, paths[started]);
    ok &= end_building(cli, &buildings[ended], json);
  }
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
  const char **paths = arena_array(arena, const char *, inputs.list.count + 1);
  paths[0] = "-";
  for (size_t i = 0; !to_stdout && i < inputs.list.count; i++)
    if (strcmp(inputs.list.items[i].path, "-") == 0)
      return cli_usage(cli, "standard input has no name to build a library under: write it to a file first");
  if (!to_stdout && (!library_paths(cli, arena, &inputs, paths) || !schema_make_folders(cli, arena, arena_printf(arena, "%s/", folder))))
    return EXIT_USER;
  JsonWriter json = schema_begin_report(cli);
  const bool ok = build_all(cli, arena, &inputs, paths, &json);
  schema_end_report(cli, &json);
  return ok ? EXIT_OK : EXIT_USER;
}

static int schema_list(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  (void)arena;
  return count == 1 ? schema_list_built(cli, arguments[0]) : cli_usage(cli, "`klr schema list` takes a folder of libraries, or one library");
}

static void list_cache(Cli *cli, const char *folder, const SchemaKeptList *kept)
{
  uint64_t bytes = 0;
  for (size_t i = 0; i < kept->count; i++)
    bytes += kept->items[i].bytes;
  if (!cli->options.json) {
    for (size_t i = 0; i < kept->count; i++)
      strbuf_printf(&cli->out, "%9" PRIu64 "  %s\n", kept->items[i].bytes, kept->items[i].name);
    strbuf_printf(&cli->out, "%zu librar%s, %" PRIu64 " bytes, in %s\n", kept->count, kept->count == 1 ? "y" : "ies", bytes, folder ? folder : "no folder");
    return;
  }
  JsonWriter json = json_writer(&cli->out, 1);
  json_begin_object(&json);
  if (folder)
    json_member_text(&json, "folder", str_from(folder));
  json_key(&json, "libraries");
  json_begin_array(&json);
  for (size_t i = 0; i < kept->count; i++) {
    json_begin_object(&json);
    json_member_text(&json, "name", str_from(kept->items[i].name));
    json_key(&json, "bytes");
    json_uint(&json, kept->items[i].bytes);
    json_end_object(&json);
  }
  json_end_array(&json);
  json_key(&json, "bytes");
  json_uint(&json, bytes);
  cli_end_document(cli, &json);
}

static int schema_cache(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  if (count == 1 && strcmp(arguments[0], "clear") == 0) {
    size_t removed = schema_cache_clear(arena);
    if (!cli->options.json) {
      strbuf_printf(&cli->out, "%zu librar%s removed\n", removed, removed == 1 ? "y" : "ies");
      return EXIT_OK;
    }
    JsonWriter json = json_writer(&cli->out, 1);
    json_begin_object(&json);
    json_key(&json, "removed");
    json_uint(&json, removed);
    cli_end_document(cli, &json);
    return EXIT_OK;
  }
  if (count != 1 || strcmp(arguments[0], "ls") != 0)
    return cli_usage(cli, "`klr schema cache` takes ls or clear");
  SchemaKeptList kept = {0};
  schema_cache_list(arena, &kept);
  list_cache(cli, schema_cache_folder(arena), &kept);
  return EXIT_OK;
}

typedef struct Step {
  const char *name, *options;  // beside those that every command has
  int (*run)(Cli *cli, Arena *arena, const char *const *arguments, size_t count);
} Step;

static const Step STEPS[] = {
    {"compile", "--output --verbose", schema_compile_step},
    {"check", "", schema_check_step},
    {"dump", "--as --output", schema_dump_step},
    {"format", "--output", schema_format_step},
    {"build", "--output --checked --emit-c --compiler", schema_build_step},
    {"cache", "", schema_cache},
    {"list", "", schema_list},
    {"run", "--out --raw --seed --threads --grid --group --checked --interpret --max-steps", schema_run},
};
enum { STEP_COUNT = sizeof STEPS / sizeof *STEPS };

typedef enum OptionKind { FLAG, TEXT, NUMBER, LIST } OptionKind;

static const struct {
  const char *name, *commands;
  OptionKind kind;
  size_t offset;
} OPTIONS[] = {
#define OPTION(member, kind, long_form, short_form, value, commands, meaning) {long_form, commands, kind, offsetof(Options, member)},
#include "cli/options.def"
};

static bool is_given(const Options *options, OptionKind kind, size_t offset)
{
  const char *member = (const char *)options + offset;
  switch (kind) {
  case FLAG: return *(const bool *)(const void *)member;
  case TEXT: return *(const char *const *)(const void *)member != NULL;
  case NUMBER: return *(const int64_t *)(const void *)member != 0;
  case LIST: break;
  }
  return false;
}

// Options of other steps would be passed over without a word. False after reporting.
static bool options_fit(Cli *cli, const Step *step)
{
  for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
    if (strcmp(OPTIONS[i].commands, "*") != 0 && is_given(&cli->options, OPTIONS[i].kind, OPTIONS[i].offset)) {
      const char *at = strstr(step->options, OPTIONS[i].name);
      size_t len = strlen(OPTIONS[i].name);
      while (at && at[len] != ' ' && at[len] != '\0')
        at = strstr(at + len, OPTIONS[i].name);
      if (!at)
        return cli_usage(cli, "`klr schema %s` has no option `%s`%s%s", step->name, OPTIONS[i].name, *step->options ? "; it has " : "", step->options), false;
    }
  return true;
}

int cmd_schema(Cli *cli)
{
  const TextVec *arguments = &cli->options.arguments;
  Arena arena = session_arena(cli->session);
  int status = -1;
  for (size_t i = 0; arguments->count && i < STEP_COUNT; i++)
    if (strcmp(arguments->items[0], STEPS[i].name) == 0)
      status = options_fit(cli, &STEPS[i]) ? STEPS[i].run(cli, &arena, arguments->items + 1, arguments->count - 1) : EXIT_USAGE;
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
