// cmd_diff.c -- `klr diff`: two runs in lock step, a run against arrays, or arrays against arrays.

#include "base/npy.h"
#include "cli/program.h"
#include "cli/running.h"
#include "sim/diff.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Side {
  const char *argument;
  bool is_arrays;
  // A kernel:
  Cli cli;  // as on the command line, but for the options of B
  Program program;
  bool is_loaded;
  DiffSide run;
  Array *inputs;
  // Arrays:
  Vec(NamedArray) arrays;
} Side;

enum { DIFFERENT = 1, TROUBLE = 2, MOST_CHAIN = 4 };

// ---- arrays

static bool is_folder(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool is_array_file(const char *name)
{
  return str_ends_with(str_from(name), ".npy");
}

// What outputs.json, unless it is NULL, says about the dtype of a file's raw bytes.
static bool dtype_by_list(const json_t *list, const char *file, DType *out)
{
  size_t i;
  const json_t *item;
  json_array_foreach(json_object_get(list, "outputs"), i, item)
  {
    const char *name = json_string_value(json_object_get(item, "file"));
    const char *dtype = json_string_value(json_object_get(item, "dtype"));
    if (name && dtype && strcmp(name, file) == 0)
      return dtype_from_nki_name(str_from(dtype), out) || dtype_from_numpy_name(str_from(dtype), out);
  }
  return false;
}

static bool add_array(Cli *cli, Side *side, const char *path, const json_t *list)
{
  Session *session = cli->session;
  const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
  const char *name = arena_strndup(&session->arena, file, strlen(file) - strlen(".npy"));
  Arg arg = {.name = name, .text = arena_printf(&session->arena, "@%s", path), .kind = ARG_FILE, .path = path};
  Npy npy;
  if (!file_read(session, &session->arena, path, &arg.file) || !npy_parse(session, path, arg.file, &npy))
    return false;
  DType listed;
  bool is_listed = dtype_by_list(list, file, &listed) && dtype_bytes(listed) == npy.item_bytes && npy.descr[1] == 'V';
  if (is_listed)
    arg.dtype = listed;
  else if (strcmp(npy.descr, "<f8") == 0)
    arg.dtype = DTYPE_FLOAT32;
  else if (!dtype_from_npy_descr(str_from(npy.descr), &arg.dtype)) {
    Diag *diag = diag_error(session, E_ARGUMENT, "`%s` has the dtype `%s`, which does not exist on the device", path, npy.descr);
    diag_help(diag, "save it as float32, float64 or integers");
    return false;
  }
  arg.has_dtype = true;
  arg.rank = npy.rank;
  arg.shape = arena_array(&session->arena, uint64_t, npy.rank);
  memcpy(arg.shape, npy.shape, npy.rank * sizeof *npy.shape);
  NamedArray named = {.name = name};
  if (!arg_make_array(session, &arg, 0, &named.array))
    return false;
  vec_push(&session->arena, &side->arrays, named);
  return true;
}

static int compare_texts(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool load_folder(Cli *cli, Side *side)
{
  Arena *arena = &cli->session->arena;
  DIR *folder = opendir(side->argument);
  if (!folder) {
    diag_error(cli->session, E_FILE_READ, "cannot read `%s`: %s", side->argument, strerror(errno));
    return false;
  }
  TextVec paths = {0};
  for (struct dirent *entry; (entry = readdir(folder));)
    if (is_array_file(entry->d_name))
      vec_push(arena, &paths, arena_printf(arena, "%s/%s", side->argument, entry->d_name));
  closedir(folder);
  if (!paths.count) {
    diag_error(cli->session, E_ARGUMENT, "the folder `%s` has no .npy file", side->argument);
    return false;
  }
  qsort(paths.items, paths.count, sizeof *paths.items, compare_texts);
  json_t *list = json_load_file(arena_printf(arena, "%s/outputs.json", side->argument), 0, NULL);
  bool ok = true;
  for (size_t i = 0; i < paths.count && ok; i++)
    ok = add_array(cli, side, paths.items[i], list);
  json_decref(list);
  return ok;
}

// ---- kernels

static int load_kernel(Cli *cli, Side *side, const TextVec *arguments)
{
  side->cli = *cli;
  side->cli.options.arguments = (TextVec){0};
  vec_push(&cli->session->arena, &side->cli.options.arguments, side->argument);
  for (size_t i = 0; i < arguments->count; i++)
    vec_push(&cli->session->arena, &side->cli.options.arguments, arguments->items[i]);
  side->is_loaded = true;
  int status = program_load(&side->cli, &side->program);
  if (status != EXIT_OK)
    return status;
  const Kernel *kernel = side->program.kernel;
  side->inputs = arena_array(&cli->session->arena, Array, kernel->inputs.count);
  side->run = (DiffSide){.session = cli->session, .kernel = kernel, .inputs = side->inputs};
  if (!program_sim_options(&side->cli, &side->program, &side->run.options))
    return EXIT_USAGE;
  bool ok = program_make_inputs(&side->cli, &side->program, 0, side->inputs);
  return program_knows_inputs(&side->cli, &side->program) && ok ? EXIT_OK : EXIT_USER;
}

static void free_side(Side *side)
{
  for (uint32_t i = 0; side->inputs && i < side->program.kernel->inputs.count; i++)
    array_free(&side->inputs[i]);
  for (size_t i = 0; i < side->arrays.count; i++)
    array_free(&side->arrays.items[i].array);
  if (side->is_loaded)
    program_free(&side->program);
}

static int load(Cli *cli, Side *side, const TextVec *arguments)
{
  side->is_arrays = is_folder(side->argument) || is_array_file(side->argument);
  if (!side->is_arrays)
    return load_kernel(cli, side, arguments);
  bool ok = is_folder(side->argument) ? load_folder(cli, side) : add_array(cli, side, side->argument, NULL);
  return ok ? EXIT_OK : EXIT_USER;
}

// ---- the three comparisons

static NamedArray *find_array(Side *side, const char *name)
{
  for (size_t i = 0; i < side->arrays.count; i++)
    if (strcmp(side->arrays.items[i].name, name) == 0)
      return &side->arrays.items[i];
  return NULL;
}

static void hold_arrays(Cli *cli, Side *a, Side *b, const Tolerance *tolerance, DiffReport *report)
{
  Arena *arena = &cli->session->arena;
  bool are_files = a->arrays.count == 1 && b->arrays.count == 1;
  report->results = arena_array(arena, DiffResult, a->arrays.count + b->arrays.count);
  for (size_t i = 0; i < a->arrays.count; i++) {
    NamedArray *mine = &a->arrays.items[i], *other = are_files ? &b->arrays.items[0] : find_array(b, mine->name);
    DiffResult *result = &report->results[report->result_count++];
    if (other)
      diff_tally_arrays(cli->session, mine->name, &mine->array, &other->array, tolerance, result);
    else
      *result = (DiffResult){.name = mine->name, .why = "it is only in A"};
    report->differs = report->differs || result->why || result->tally.differing;
  }
  for (size_t i = 0; i < b->arrays.count && !are_files; i++)
    if (!find_array(a, b->arrays.items[i].name)) {
      report->results[report->result_count++] = (DiffResult){.name = b->arrays.items[i].name, .why = "it is only in B"};
      report->differs = true;
    }
}

// One file stands for the one result of a kernel that has no tensor of its name.
static void name_only_result(Side *a, Side *b)
{
  const Kernel *kernel = a->program.kernel;
  if (b->arrays.count == 1 && is_array_file(b->argument) && kernel->outputs.count == 1)
    b->arrays.items[0].name = kernel->outputs.items[0]->name;
}

static bool compare(Cli *cli, Side *a, Side *b, const Tolerance *tolerance, DiffReport *report)
{
  JsonWriter unheard = json_writer(&(StrBuf){.arena = &cli->session->arena}, 0);
  a->run.options.prints = b->run.options.prints = &unheard;  // kernels run several times
  json_begin_array(&unheard);
  if (!a->is_arrays && !b->is_arrays)
    return diff_runs(&a->run, &b->run, tolerance, report);
  if (a->is_arrays && b->is_arrays) {
    hold_arrays(cli, a, b, tolerance, report);
    return true;
  }
  name_only_result(a, b);
  return diff_arrays(&a->run, b->arrays.items, (uint32_t)b->arrays.count, tolerance, MOST_CHAIN, report);
}

// ---- the command

static bool read_number(Cli *cli, const char *option, const char *text, double *out)
{
  char *end;
  *out = text ? strtod(text, &end) : 0;
  if (!text || (*text && !*end && *out >= 0))
    return true;
  cli_usage(cli, "%s takes a number that is not negative, found `%s`", option, text);
  return false;
}

static bool read_tolerance(Cli *cli, Tolerance *out)
{
  const Options *options = &cli->options;
  bool ok = read_number(cli, "--rtol", options->rtol, &out->rtol);
  ok = read_number(cli, "--atol", options->atol, &out->atol) && ok;
  return read_number(cli, "--ulps", options->ulps, &out->ulps) && ok;
}

static void side_json(JsonWriter *json, const char *key, const Side *side)
{
  json_key(json, key);
  json_begin_object(json);
  json_key(json, side->is_arrays ? "arrays" : "file");
  json_text(json, str_from(side->is_arrays ? side->argument : side->program.path));
  if (!side->is_arrays) {
    json_key(json, "kernel");
    json_text(json, str_from(side->program.kernel->name));
    json_key(json, "target");
    json_text(json, str_from(side->program.machine->name));
  }
  json_end_object(json);
}

static void report_json(Cli *cli, const Side *a, const Side *b, const DiffReport *report)
{
  JsonWriter json = json_writer(&cli->out, 0);
  json_begin_object(&json);
  json_key(&json, "ok");
  json_bool(&json, true);
  json_key(&json, "command");
  json_text(&json, STR("diff"));
  side_json(&json, "a", a);
  side_json(&json, "b", b);
  diff_print_json(cli->session, report, &json);
  cli_end_document(cli, &json);
}

// A, B and what stands behind them; B may be left out.
static bool read_sides(Cli *cli, Side *a, Side *b, TextVec *arguments)
{
  const TextVec *given = &cli->options.arguments;
  if (!given->count) {
    cli_usage(cli, "klr diff needs two kernels, or a kernel and arrays");
    return false;
  }
  a->argument = b->argument = given->items[0];
  size_t next = 1;
  struct stat info;
  if (given->count > 1 && (!strchr(given->items[1], '=') || stat(given->items[1], &info) == 0))
    b->argument = given->items[next++];
  for (; next < given->count; next++)
    vec_push(&cli->session->arena, arguments, given->items[next]);
  return true;
}

static int load_both(Cli *cli, Side *a, Side *b)
{
  TextVec arguments = {0};
  if (!read_sides(cli, a, b, &arguments))
    return EXIT_USAGE;
  Cli second = *cli;
  Options *options = &second.options;
  options->target = options->target_b ? options->target_b : options->target;
  options->fp = options->fp_b ? options->fp_b : options->fp;
  options->reference = options->reference || options->reference_b;
  int status = load(cli, a, &arguments);
  if (status == EXIT_OK)
    status = load(&second, b, &arguments);
  if (status == EXIT_OK && a->is_arrays && !b->is_arrays)
    return cli_usage(cli, "give the kernel first, then the arrays that it is held against");
  if (status == EXIT_OK && a->is_arrays && arguments.count)
    return cli_usage(cli, "arrays take no arguments, found `%s`", arguments.items[0]);
  return status;
}

int cmd_diff(Cli *cli)
{
  Side a = {0}, b = {0};
  Tolerance tolerance;
  DiffReport report = {0};
  int status = read_tolerance(cli, &tolerance) ? load_both(cli, &a, &b) : EXIT_USAGE;
  bool ok = status == EXIT_OK && compare(cli, &a, &b, &tolerance, &report);
  if (ok && cli->options.json)
    report_json(cli, &a, &b, &report);
  else if (ok)
    diff_print(cli->session, &report, &cli->out);
  free_side(&a);
  free_side(&b);
  return !ok ? TROUBLE : report.differs ? DIFFERENT : EXIT_OK;
}
