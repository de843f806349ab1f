// schema_compile.c -- `klr schema compile|check|dump|format`: files, folders of them and standard input; each file by itself.

#include "cli/schema_compile.h"
#include "cli/write.h"
#include "schema/check.h"
#include "schema/front.h"
#include "schema/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// ---- reading

static bool looks_like_json(Str text)
{
  size_t at = 0;
  while (at < text.len && strchr(" \t\r\n", text.data[at]))
    at++;
  return at < text.len && (text.data[at] == '{' || text.data[at] == '[');
}

SchemaFile *schema_read_file(Cli *cli, Arena *arena, const char *path)
{
  Source *source = session_read_source(cli->session, path);
  if (!source)
    return NULL;
  bool is_json = strcmp(path, "-") == 0 ? looks_like_json(source->text) : str_ends_with(str_from(path), ".json");
  SchemaFile *file = is_json ? schema_read_json(cli->session, arena, source->text, path) : schema_read_python(cli->session, arena, source);
  return file && schema_check(file) ? file : NULL;
}

size_t schema_kernel_count(const SchemaFile *file)
{
  size_t kernels = 0;
  for (size_t i = 0; i < file->functions.count; i++)
    kernels += file->functions.items[i]->is_kernel;
  return kernels;
}

// ---- which files

static bool is_folder(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool exists(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0;
}

static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static int compare_names(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

typedef enum Wanted { WANTED_SOURCES = 1, WANTED_DOCUMENTS = 2 } Wanted;

// Files of kernels in a folder: not what is hidden, nor the modules that older trees have beside their kernels.
static bool is_wanted(const char *name, int wanted)
{
  static const char *const OTHERS[] = {"__init__.py", "atlas_kernel.py", "atlas_compile.py", "compiler.py"};
  for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
    if (strcmp(name, OTHERS[i]) == 0)
      return false;
  return (wanted & WANTED_SOURCES && str_ends_with(str_from(name), ".py")) || (wanted & WANTED_DOCUMENTS && str_ends_with(str_from(name), ".json"));
}

// The files of a folder and of those in it, in ascending order of their names; false after reporting.
static bool add_folder(Cli *cli, Arena *arena, SchemaInputs *inputs, const char *folder, const char *below, int wanted)
{
  DIR *directory = opendir(folder);
  if (!directory) {
    diag_error(cli->session, E_FILE_READ, "cannot read the folder `%s`: %s", folder, strerror(errno));
    return false;
  }
  TextVec names = {0};
  for (const struct dirent *entry; (entry = readdir(directory));)
    if (entry->d_name[0] != '.' && strcmp(entry->d_name, "__pycache__") != 0)
      vec_push(arena, &names, arena_strdup(arena, entry->d_name));
  closedir(directory);
  if (names.count)
    qsort(names.items, names.count, sizeof *names.items, compare_names);
  bool ok = true;
  for (size_t i = 0; i < names.count; i++) {
    const char *path = arena_printf(arena, "%s/%s", folder, names.items[i]), *inner = arena_printf(arena, "%s%s", below, names.items[i]);
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
      ok &= add_folder(cli, arena, inputs, path, arena_printf(arena, "%s/", inner), wanted);
    else if (is_wanted(names.items[i], wanted) && !is_folder(path))
      vec_push(arena, &inputs->list, (SchemaInput){path, inner});
  }
  return ok;
}

bool schema_find_inputs(Cli *cli, Arena *arena, const char *const *arguments, size_t count, bool with_documents, SchemaInputs *out)
{
  bool ok = true;
  for (size_t i = 0; i < count; i++) {
    if (!is_folder(arguments[i])) {
      vec_push(arena, &out->list, (SchemaInput){arguments[i], base_name(arguments[i])});
      continue;
    }
    size_t before = out->list.count;
    out->has_folder = true;
    ok &= add_folder(cli, arena, out, arguments[i], "", with_documents ? WANTED_SOURCES | WANTED_DOCUMENTS : WANTED_SOURCES);
    if (ok && out->list.count == before)
      ok = add_folder(cli, arena, out, arguments[i], "", WANTED_DOCUMENTS);
    if (ok && out->list.count == before) {
      Diag *diag = diag_error(cli->session, E_FILE_READ, "the folder `%s` holds no files of kernels", arguments[i]);
      diag_help(diag, "they end in .py, documents in .json");
      ok = false;
    }
  }
  return ok;
}

// ---- where documents go

// "a/add.py" as "a/add.json".
static const char *with_json(Arena *arena, const char *path)
{
  const char *dot = strrchr(base_name(path), '.');
  return arena_printf(arena, "%.*s.json", (int)(dot ? (size_t)(dot - path) : strlen(path)), path);
}

// Another process may make it at the same time. False with errno set.
static bool make_folder(const char *path)
{
  if (is_folder(path) || mkdir(path, 0777) == 0)
    return true;
  const int error = errno;
  if (error == EEXIST && is_folder(path))
    return true;
  errno = error;
  return false;
}

bool schema_make_folders(Cli *cli, Arena *arena, const char *path)
{
  char *part = arena_strdup(arena, path);
  for (char *at = part + 1; *at; at++)
    if (*at == '/') {
      *at = '\0';
      if (!make_folder(part)) {
        diag_help(diag_error(cli->session, E_FILE_WRITE, "cannot make the folder `%s`: %s", part, strerror(errno)), "name another by -o");
        return false;
      }
      *at = '/';
    }
  return true;
}

// Where each input's document goes; NULL: to standard output. False after reporting.
static bool find_outputs(Cli *cli, Arena *arena, const SchemaInputs *inputs, const char **outputs)
{
  const char *output = cli->options.output;
  bool is_one = inputs->list.count == 1 && !inputs->has_folder;
  bool to_folder = output && (is_folder(output) || str_ends_with(str_from(output), "/"));
  if (output && !is_one && !to_folder && exists(output))
    return cli_usage(cli, "several documents go to a folder, and `%s` is none", output), false;
  Map taken = map_new(arena);
  for (size_t i = 0; i < inputs->list.count; i++) {
    const SchemaInput *input = &inputs->list.items[i];
    if (is_one && (!output || strcmp(output, "-") == 0))
      outputs[i] = NULL;
    else if (is_one && !to_folder)
      outputs[i] = output;
    else if (output)
      outputs[i] = with_json(arena, arena_printf(arena, "%s%s%s", output, str_ends_with(str_from(output), "/") ? "" : "/", input->below));
    else
      outputs[i] = with_json(arena, input->path);
    if (outputs[i] && strcmp(input->path, "-") == 0 && !(is_one && !to_folder))
      return cli_usage(cli, "standard input has no name to write a document under: say -o FILE.json"), false;
    if (outputs[i] && !output && strcmp(outputs[i], input->path) == 0)
      return cli_usage(cli, "the document of `%s` would replace it: say where it goes with -o FOLDER", input->path), false;
    const char *other = outputs[i] ? map_get(&taken, str_from(outputs[i])) : NULL;
    if (other)
      return cli_usage(cli, "the documents of `%s` and `%s` would both be `%s`", other, input->path, outputs[i]), false;
    if (outputs[i])
      map_set(&taken, str_from(outputs[i]), (void *)input->path);
  }
  return true;
}

// ---- the steps

void schema_begin_file(JsonWriter *json, const char *path, const SchemaFile *file)
{
  json_begin_object(json);
  json_member_text(json, "path", str_from(path));
  json_key(json, "ok");
  json_bool(json, file != NULL);
  for (int kernels = 1; file && kernels >= 0; kernels--) {
    json_key(json, kernels ? "kernels" : "functions");
    json_begin_array(json);
    for (size_t i = 0; i < file->functions.count; i++)
      if (file->functions.items[i]->is_kernel == kernels)
        json_text(json, file->functions.items[i]->name->str);
    json_end_array(json);
  }
}

// `document`: NULL, or what has not been written to a file.
static void report_file(JsonWriter *json, const char *path, const SchemaFile *file, const char *output, const StrBuf *document)
{
  schema_begin_file(json, path, file);
  if (output)
    json_member_text(json, "output", str_from(output));
  if (document) {
    json_key(json, "document");
    json_raw(json, (Str){document->data, document->len - 1});  // without its last line's end
  }
  json_end_object(json);
}

JsonWriter schema_begin_report(Cli *cli)
{
  JsonWriter json = json_writer(&cli->out, 0);
  if (cli->options.json) {
    json_begin_object(&json);
    json_key(&json, "files");
    json_begin_array(&json);
  }
  return json;
}

void schema_end_report(Cli *cli, JsonWriter *json)
{
  if (!cli->options.json)
    return;
  json_end_array(json);
  cli_end_document(cli, json);
}

// What --verbose tells, on standard error when standard output holds the document.
static void tell(Cli *cli, Arena *arena, const SchemaFile *file, const char *output)
{
  if (!cli->options.verbose || cli->options.json)
    return;
  StrBuf text = strbuf_new(arena);
  size_t count = schema_kernel_count(file);
  const char *name = "";
  strbuf_printf(&text, "Found %zu kernel(s):\n", count);
  for (size_t i = 0; i < file->functions.count; i++)
    if (file->functions.items[i]->is_kernel) {
      name = file->functions.items[i]->name->str.data;
      strbuf_printf(&text, "  - %s\n", name);
    }
  if (output && count == 1)
    strbuf_printf(&text, "Compiled %s -> %s\n", name, output);
  else if (output)
    strbuf_printf(&text, "Compiled %zu kernels -> %s\n", count, output);
  if (output)
    strbuf_add(&cli->out, text.data, text.len);
  else
    fputs(strbuf_cstr(&text), stderr);
}

static bool compile_one(Cli *cli, const char *path, const char *output, JsonWriter *json)
{
  Arena arena = session_arena(cli->session);
  StrBuf text = strbuf_new(&arena);
  const SchemaFile *file = schema_read_file(cli, &arena, path);
  if (file)
    schema_write_json(file, &text);
  bool ok = file != NULL;
  if (ok && output)
    ok = schema_make_folders(cli, &arena, output) && file_write(cli->session, output, strbuf_str(&text));
  else if (ok && !cli->options.json)
    strbuf_add(&cli->out, text.data, text.len);
  if (ok)
    tell(cli, &arena, file, output);
  if (cli->options.json)
    report_file(json, path, ok ? file : NULL, ok ? output : NULL, ok && !output ? &text : NULL);
  arena_free(&arena);
  return ok;
}

int schema_compile_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  if (!count)
    return cli_usage(cli, "`klr schema compile` takes files or folders: klr schema compile k.py -o k.json");
  SchemaInputs inputs = {0};
  if (!schema_find_inputs(cli, arena, arguments, count, false, &inputs))
    return EXIT_USER;
  const char **outputs = arena_array(arena, const char *, inputs.list.count + 1);
  if (!find_outputs(cli, arena, &inputs, outputs))
    return EXIT_USAGE;
  int status = EXIT_OK;
  JsonWriter json = schema_begin_report(cli);
  for (size_t i = 0; i < inputs.list.count; i++)
    if (!compile_one(cli, inputs.list.items[i].path, outputs[i], &json))
      status = EXIT_USER;
  schema_end_report(cli, &json);
  return status;
}

int schema_check_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  if (!count)
    return cli_usage(cli, "`klr schema check` takes files or folders: klr schema check k.json");
  SchemaInputs inputs = {0};
  if (!schema_find_inputs(cli, arena, arguments, count, true, &inputs))
    return EXIT_USER;
  int status = EXIT_OK;
  JsonWriter json = schema_begin_report(cli);
  for (size_t i = 0; i < inputs.list.count; i++) {
    Arena scratch = session_arena(cli->session);
    const char *path = inputs.list.items[i].path;
    const SchemaFile *file = schema_read_file(cli, &scratch, path);
    size_t kernels = file ? schema_kernel_count(file) : 0;
    if (cli->options.json)
      report_file(&json, path, file, NULL, NULL);
    else if (file)
      strbuf_printf(&cli->out, "%s: %zu kernel%s\n", path, kernels, kernels == 1 ? "" : "s");
    status = file ? status : EXIT_USER;
    arena_free(&scratch);
  }
  schema_end_report(cli, &json);
  return status;
}

int schema_dump_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  const char *as = cli->options.as ? cli->options.as : cli->options.json ? "json" : "text";
  bool is_json = strcmp(as, "json") == 0;
  if (count != 1)
    return cli_usage(cli, "`klr schema dump` takes one file: klr schema dump k.json");
  if (!is_json && strcmp(as, "text") != 0)
    return cli_usage(cli, "scalar kernels are dumped --as text or json, found `%s`", as);
  const SchemaFile *file = schema_read_file(cli, arena, arguments[0]);
  if (!file)
    return EXIT_USER;
  StrBuf text = strbuf_new(arena);
  if (is_json)
    schema_write_json(file, &text);
  else
    schema_print(file, &text);
  return cli_write(cli, strbuf_str(&text)) ? EXIT_OK : EXIT_USER;
}

int schema_format_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count)
{
  (void)arguments;
  if (count)
    return cli_usage(cli, "`klr schema format` takes no arguments; it prints the JSON Schema of documents");
  StrBuf text = strbuf_new(arena);
  schema_write_json_schema(&text);
  return cli_write(cli, strbuf_str(&text)) ? EXIT_OK : EXIT_USER;
}
