// schema_run.c -- `klr schema run`: a scalar kernel on arguments of the command line.

#include "cli/schema_run.h"
#include "cli/arg.h"
#include "cli/result.h"
#include "klr_schema.h"
#include "schema/check.h"
#include "schema/interpret.h"
#include "schema/json.h"
#include "syntax/parser.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

typedef struct SchemaRun {
  Cli *cli;
  const SchemaFile *file;
  const SchemaFunction *kernel;
  ArgList_ args;
  KlrKernelArgument *arguments;  // by parameter
  Array *arrays;
  SchemaLaunch launch;
  Vec(Result) results;
} SchemaRun;

// ---- which kernel

// Tells which kernels there are.
static void refuse_name(Cli *cli, Arena *arena, const char *path, const char *name, const char *const *names, size_t count)
{
  Diag *diag = diag_error(cli->session, E_SCHEMA_LAUNCH, "`%s` has no kernel `%s`", path, name);
  diag_suggest(diag, str_from(name), names, count);
  StrBuf all = strbuf_new(arena);
  for (size_t i = 0; i < count; i++)
    strbuf_printf(&all, "%s%s", i ? ", " : "", names[i]);
  diag_note(diag, "its kernels: %s", strbuf_cstr(&all));
}

static const SchemaFunction *find_kernel(Cli *cli, const SchemaFile *file, const char *name)
{
  Vec(const char *) names = {0};
  for (size_t i = 0; i < file->functions.count; i++) {
    const SchemaFunction *function = file->functions.items[i];
    if (!function->is_kernel)
      continue;
    if (strcmp(function->name->str.data, name) == 0)
      return function;
    vec_push(file->arena, &names, function->name->str.data);
  }
  refuse_name(cli, file->arena, file->path, name, names.items, names.count);
  return NULL;
}

// ---- arguments

static Arg *find_arg(SchemaRun *run, const char *name)
{
  for (size_t i = 0; i < run->args.count; i++)
    if (strcmp(run->args.items[i].name, name) == 0)
      return &run->args.items[i];
  return NULL;
}

// What the elements of a parameter's array are kept as.
static DType dtype_of(Scalar scalar)
{
  if (scalar == SCALAR_F64)
    return DTYPE_UINT64;
  DType dtype = DTYPE_FLOAT32;
  dtype_from_numpy_name(str_from(scalar_info(scalar)->numpy_name), &dtype);
  return dtype;
}

static bool refuse(SchemaRun *run, const SchemaVar *param, const char *found)
{
  Diag *diag = schema_error(run->file, param->place, E_SCHEMA_LAUNCH, "argument `%s` is %s", param->name->str.data, found);
  const char *type = scalar_name(param->type.scalar);
  if (param->type.is_array)
    diag_help(diag, "an array of `%s`: %s=randn:%s[1000], or %s=@file.npy:%s", type, param->name->str.data, type, param->name->str.data, type);
  else
    diag_help(diag, "a number of type `%s`: %s=3", type, param->name->str.data);
  return false;
}

// The number of a literal argument; false when it is none, or not of the type.
static bool read_number(SchemaRun *run, const SchemaVar *param, const char *text, KlrScalarValue *out)
{
  Session *session = run->cli->session;
  size_t before = session->error_count;
  Source *source = session_add_source(session, "<argument>", str_from(text));
  const Expr *e = parse_expression(session, &session->arena, source);
  if (session->error_count > before)
    return false;
  bool negative = e->kind == EXPR_UnaryOp && e->UnaryOp.op == UNARY_OP_USub;
  const Expr *number = negative ? e->UnaryOp.operand : e;
  if (number->kind != EXPR_Constant)
    return refuse(run, param, arena_printf(&session->arena, "`%s`, which is no number", text));
  const Constant *c = &number->Constant.value;
  SchemaLiteral literal = {.kind = LITERAL_INT};
  if (c->kind == CONSTANT_TRUE || c->kind == CONSTANT_FALSE)
    literal.kind = LITERAL_BOOL, literal.magnitude = c->kind == CONSTANT_TRUE;
  else if (c->kind == CONSTANT_INT)
    literal.magnitude = (uint64_t)c->integer, literal.is_negative = negative && c->integer != 0;
  else if (c->kind == CONSTANT_FLOAT)
    literal.kind = LITERAL_FLOAT, literal.real = negative ? -c->real : c->real;
  else
    return refuse(run, param, arena_printf(&session->arena, "`%s`, which is no number of 64 bits", text));
  Scalar type = param->type.scalar;
  if (!schema_literal_fits(&literal, type) || (literal.kind == LITERAL_BOOL && type != SCALAR_BOOL))
    return refuse(run, param, arena_printf(&session->arena, "`%s`, which is no value of `%s`", text, scalar_name(type)));
  *out = schema_literal_value(&literal, type);
  return true;
}

static bool read_array(SchemaRun *run, const SchemaVar *param, const Arg *arg, KlrKernelArgument *out)
{
  Array *array = &run->arrays[param->index];
  Arena *arena = &run->cli->session->arena;
  if (arg->kind == ARG_LITERAL || arg->kind == ARG_SHAPE)
    return refuse(run, param, arg->kind == ARG_SHAPE ? "a shape without values" : "no array");
  if (!arg_make_array(run->cli->session, arg, (uint64_t)run->cli->options.seed, array))
    return false;
  const Scalar wanted = param->type.scalar;
  if (array->dtype != dtype_of(wanted) || arg->is_f64 != (wanted == SCALAR_F64))
    return refuse(run, param, arena_printf(arena, "an array of `%s`, not `%s`", arg->is_f64 ? "float64" : dtype_name(array->dtype),
                                           scalar_info(wanted)->numpy_name));
  out->data = array->data;
  out->count = array_elements(array);
  return true;
}

static bool read_arguments(SchemaRun *run, const char *const *texts, size_t count)
{
  Session *session = run->cli->session;
  const SchemaFunction *kernel = run->kernel;
  if (!args_parse_scalar(session, texts, count, &run->args))
    return false;
  bool ok = true;
  run->arguments = arena_array(&session->arena, KlrKernelArgument, kernel->params.count + 1);
  run->arrays = arena_array(&session->arena, Array, kernel->params.count + 1);
  for (size_t i = 0; i < kernel->params.count; i++) {
    const SchemaVar *param = kernel->params.items[i];
    const Arg *arg = find_arg(run, param->name->str.data);
    if (!arg)
      ok = refuse(run, param, "missing");
    else if (param->type.is_array)
      ok = read_array(run, param, arg, &run->arguments[i]) && ok;
    else if (arg->kind != ARG_LITERAL)
      ok = refuse(run, param, "an array, where a number is wanted");
    else
      ok = read_number(run, param, arg->text, &run->arguments[i].value) && ok;
  }
  for (size_t i = 0; i < run->args.count; i++) {
    bool known = false;
    for (size_t k = 0; k < kernel->params.count; k++)
      known |= strcmp(kernel->params.items[k]->name->str.data, run->args.items[i].name) == 0;
    if (!known) {
      diag_error(session, E_SCHEMA_LAUNCH, "`%s` has no parameter `%s`", kernel->name->str.data, run->args.items[i].name);
      ok = false;
    }
  }
  return ok;
}

// "1000", "640,480": up to three sizes above 0; nothing given leaves zeros.
static bool read_sizes(Cli *cli, const char *option, const char *text, uint64_t sizes[3])
{
  const char *at = text;
  for (int d = 0; text && d < 3; d++) {
    char *end;
    unsigned long long value = strtoull(at, &end, 10);
    if (end == at || *at == '-' || value == 0 || value > UINT64_C(1) << 48 || (*end && (*end != ',' || d == 2))) {
      cli_usage(cli, "`%s` takes one to three sizes, such as 1000 or 640,480; not `%s`", option, text);
      return false;
    }
    sizes[d] = value;
    if (!*end)
      return true;
    at = end + 1;
  }
  return true;
}

// ---- results

static void collect_results(SchemaRun *run)
{
  for (size_t i = 0; i < run->kernel->params.count; i++) {
    const SchemaVar *param = run->kernel->params.items[i];
    bool is_written = param->direction == DIRECTION_OUT || param->direction == DIRECTION_INOUT;
    if (param->type.is_array && is_written)
      vec_push(&run->cli->session->arena, &run->results,
               (Result){.name = param->name->str.data, .role = "output", .array = &run->arrays[i], .is_f64 = param->type.scalar == SCALAR_F64});
  }
}

static bool write_files(SchemaRun *run)
{
  const char *folder = run->cli->options.out_dir;
  struct stat info;
  if (!folder)
    return true;
  if (stat(folder, &info) != 0 && mkdir(folder, 0777) != 0) {
    diag_error(run->cli->session, E_FILE_WRITE, "cannot make the folder `%s`: %s", folder, strerror(errno));
    return false;
  }
  return results_write(run->cli, run->results.items, run->results.count, run->kernel->name->str.data, NULL, -1, folder);
}

// `grid` is NULL where only the kernel knows it.
static void report(SchemaRun *run, const KlrKernelGrid *grid, double seconds)
{
  Cli *cli = run->cli;
  if (!cli->options.json) {
    strbuf_printf(&cli->out, "%s: ", run->kernel->name->str.data);
    if (grid)
      strbuf_printf(&cli->out, "%" PRIu64 " threads in ", grid->size[0] * grid->size[1] * grid->size[2]);
    strbuf_printf(&cli->out, "%.*f ms\n", grid ? 1 : 3, seconds * 1e3);
    for (size_t i = 0; i < run->results.count; i++)
      result_text(&cli->session->arena, &run->results.items[i], cli->options.out_dir, &cli->out);
    return;
  }
  JsonWriter json = json_writer(&cli->out, 1);
  json_begin_object(&json);
  json_key(&json, "kernel");
  json_text(&json, run->kernel->name->str);
  if (grid) {
    json_key(&json, "grid");
    json_begin_array(&json);
    for (int d = 0; d < 3; d++)
      json_uint(&json, grid->size[d]);
    json_end_array(&json);
  }
  json_key(&json, "seconds");
  json_double(&json, seconds);
  json_key(&json, "outputs");
  json_begin_array(&json);
  for (size_t i = 0; i < run->results.count; i++)
    result_json(&run->results.items[i], -1, true, &json);
  json_end_array(&json);
  cli_end_document(cli, &json);
}

static double now_seconds(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static bool execute(SchemaRun *run)
{
  Session *session = run->cli->session;
  KlrKernelGrid grid;
  run->launch.steps = run->cli->options.max_steps > 0 ? (uint64_t)run->cli->options.max_steps : 0;
  if (!schema_launch_grid(session, run->file, run->kernel, run->arguments, &run->launch, &grid))
    return false;
  double start = now_seconds();
  if (!schema_interpret(session, run->file, run->kernel, run->arguments, &run->launch))
    return false;
  double seconds = now_seconds() - start;
  collect_results(run);
  if (!write_files(run))
    return false;
  report(run, &grid, seconds);
  return true;
}

static void free_arrays(SchemaRun *run)
{
  for (size_t i = 0; run->arrays && i < run->kernel->params.count; i++)
    array_free(&run->arrays[i]);
}

int schema_run_file(Cli *cli, const SchemaFile *file, const char *name, const char *const *texts, size_t count)
{
  SchemaRun run = {.cli = cli, .file = file, .kernel = find_kernel(cli, file, name)};
  if (!run.kernel)
    return EXIT_USER;
  if (!read_sizes(cli, "--grid", cli->options.grid, run.launch.grid) || !read_sizes(cli, "--group", cli->options.group, run.launch.local))
    return EXIT_USAGE;
  bool ok = read_arguments(&run, texts, count) && execute(&run);
  free_arrays(&run);
  return ok ? EXIT_OK : EXIT_USER;
}

// ---- libraries

bool schema_is_built(const char *path)
{
  struct stat info;
  size_t length = strlen(path);
  return (length > 3 && strcmp(path + length - 3, ".so") == 0) || (stat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

static bool load_built(Cli *cli, KlrRegistry *registry, const char *path)
{
  struct stat info;
  const KlrLoadResult *results;
  size_t count = 0;
  bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  bool ok = is_folder ? klr_registry_scan(registry, path, NULL, &results, &count) : klr_registry_load(registry, path, NULL);
  if (!ok)
    diag_error(cli->session, E_SCHEMA_LIBRARY, "%s", klr_registry_error(registry));
  for (size_t i = 0; i < count; i++)
    if (results[i].error) {
      diag_error(cli->session, E_SCHEMA_LIBRARY, "%s: %s", results[i].path, results[i].error);
      ok = false;
    }
  return ok;
}

// What argument reading and results need to know of a compiled kernel.
static SchemaFunction *describe(Cli *cli, const KlrKernelInfo *info)
{
  Session *session = cli->session;
  SchemaFunction *kernel = arena_new(&session->arena, SchemaFunction);
  kernel->name = name_intern(&session->names, str_from(info->name));
  for (uint32_t i = 0; i < info->param_count; i++) {
    SchemaVar *param = arena_new(&session->arena, SchemaVar);
    param->name = name_intern(&session->names, str_from(info->params[i].name));
    param->type.scalar = (Scalar)info->params[i].dtype;
    param->type.is_array = info->params[i].is_array;
    param->direction = (SchemaDirection)info->params[i].direction;
    param->index = i;
    vec_push(&session->arena, &kernel->params, param);
  }
  return kernel;
}

static bool execute_built(SchemaRun *run, KlrRegistry *registry, KlrKernelHandle kernel)
{
  size_t count = run->kernel->params.count;
  KlrLaunchArgument *arguments = arena_array(&run->cli->session->arena, KlrLaunchArgument, count + 1);
  for (size_t i = 0; i < count; i++) {
    const SchemaVar *param = run->kernel->params.items[i];
    arguments[i] = (KlrLaunchArgument){.data = run->arguments[i].data, .count = run->arguments[i].count, .value = run->arguments[i].value,
                                       .dtype = (uint8_t)param->type.scalar, .is_array = param->type.is_array};
  }
  KlrLaunch launch = {.threads = (uint32_t)run->cli->options.threads};
  memcpy(launch.grid, run->launch.grid, sizeof launch.grid);
  memcpy(launch.local, run->launch.local, sizeof launch.local);
  double start = now_seconds();
  if (!klr_launch(registry, kernel, arguments, count, &launch)) {
    diag_error(run->cli->session, E_SCHEMA_LAUNCH, "%s", klr_registry_error(registry));
    return false;
  }
  double seconds = now_seconds() - start;
  collect_results(run);
  if (!write_files(run))
    return false;
  report(run, NULL, seconds);
  return true;
}

static KlrKernelHandle find_built(Cli *cli, KlrRegistry *registry, const char *path, const char *name)
{
  KlrKernelHandle kernel = klr_registry_find(registry, name);
  if (kernel)
    return kernel;
  Arena *arena = &cli->session->arena;
  size_t count = klr_registry_count(registry);
  const char **names = arena_array(arena, const char *, count + 1);
  for (size_t i = 0; i < count; i++)
    names[i] = klr_kernel_info(registry, klr_registry_at(registry, i))->name;
  refuse_name(cli, arena, path, name, names, count);
  return 0;
}

// Interprets the kernel from the schema that its library carries.
static int interpret_built(Cli *cli, const KlrKernelInfo *info, const char *path, const char *const *texts, size_t count)
{
  if (!info->schema) {
    Diag *diag = diag_error(cli->session, E_SCHEMA_LAUNCH, "the library of `%s` does not carry its schema, so there is nothing to interpret", info->name);
    diag_help(diag, "give its source instead of `%s`: klr schema run FILE.py %s ...", path, info->name);
    return EXIT_USER;
  }
  Arena *arena = &cli->session->arena;
  SchemaFile *file = schema_read_json(cli->session, arena, str_from(info->schema), path);
  return file && schema_check(file) ? schema_run_file(cli, file, info->name, texts, count) : EXIT_USER;
}

static bool is_checked_as_asked(Cli *cli, const KlrKernelInfo *info, const char *path)
{
  if (!cli->options.checked || info->is_checked)
    return true;
  Diag *diag = diag_error(cli->session, E_SCHEMA_LAUNCH, "`%s` was built without checks of its accesses", info->name);
  diag_help(diag, "build it again: klr schema build %s --checked -o FOLDER; or interpret it, which checks them too: klr schema run %s %s --interpret ...",
            info->path ? info->path : "FILE.py", path, info->name);
  return false;
}

static int run_built(Cli *cli, KlrRegistry *registry, const char *path, const char *name, const char *const *texts, size_t count)
{
  KlrKernelHandle kernel = load_built(cli, registry, path) ? find_built(cli, registry, path, name) : 0;
  if (!kernel)
    return EXIT_USER;
  if (cli->options.interpret)
    return interpret_built(cli, klr_kernel_info(registry, kernel), path, texts, count);
  if (!is_checked_as_asked(cli, klr_kernel_info(registry, kernel), path))
    return EXIT_USER;
  SchemaFile file = {.session = cli->session, .arena = &cli->session->arena, .path = path};
  SchemaRun run = {.cli = cli, .file = &file, .kernel = describe(cli, klr_kernel_info(registry, kernel))};
  if (!read_sizes(cli, "--grid", cli->options.grid, run.launch.grid) || !read_sizes(cli, "--group", cli->options.group, run.launch.local))
    return EXIT_USAGE;
  bool ok = read_arguments(&run, texts, count) && execute_built(&run, registry, kernel);
  free_arrays(&run);
  return ok ? EXIT_OK : EXIT_USER;
}

int schema_run_built(Cli *cli, const char *path, const char *name, const char *const *texts, size_t count)
{
  KlrRegistry *registry = klr_registry_new();
  if (cli->options.threads < 0 || cli->options.threads > 256)
    return klr_registry_free(registry), cli_usage(cli, "`--threads` takes 1 to 256");
  int status = registry ? run_built(cli, registry, path, name, texts, count) : EXIT_USER;
  klr_registry_free(registry);
  return status;
}

// "saxpy(x: in f32[], y: inout f32[], s: f32, n: u32)"
static void put_signature(const KlrKernelInfo *info, StrBuf *out)
{
  static const char *const DIRECTIONS[] = {"unused ", "in ", "out ", "inout "};
  strbuf_printf(out, "%s(", info->name);
  for (uint32_t i = 0; i < info->param_count; i++) {
    const KlrKernelParam *param = &info->params[i];
    strbuf_printf(out, "%s%s: %s%s%s", i ? ", " : "", param->name, param->is_array ? DIRECTIONS[param->direction] : "",
                  scalar_name((Scalar)param->dtype), param->is_array ? "[]" : "");
  }
  strbuf_puts(out, ")");
}

static void list_json(JsonWriter *json, const KlrRegistry *registry, KlrKernelHandle kernel)
{
  static const char *const DIRECTIONS[] = {"unused", "in", "out", "inout"};
  const KlrKernelInfo *info = klr_kernel_info(registry, kernel);
  const struct {
    const char *key, *text;
  } texts[] = {{"name", info->name}, {"doc", info->doc}, {"library", klr_kernel_path(registry, kernel)}, {"source", info->path},
               {"schema_hash", info->schema_hash}};
  json_begin_object(json);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    json_key(json, texts[i].key);
    json_text(json, str_from(texts[i].text ? texts[i].text : ""));
  }
  json_key(json, "line");
  json_uint(json, info->line);
  json_key(json, "dims");
  json_uint(json, info->dims);
  json_key(json, "checked");
  json_bool(json, info->is_checked != 0);
  json_key(json, "params");
  json_begin_array(json);
  for (uint32_t i = 0; i < info->param_count; i++) {
    json_begin_object(json);
    json_key(json, "name");
    json_text(json, str_from(info->params[i].name));
    json_key(json, "dtype");
    json_text(json, str_from(scalar_name((Scalar)info->params[i].dtype)));
    json_key(json, "array");
    json_bool(json, info->params[i].is_array != 0);
    json_key(json, "direction");
    json_text(json, str_from(DIRECTIONS[info->params[i].direction]));
    json_end_object(json);
  }
  json_end_array(json);
  json_end_object(json);
}

static void list_all_json(Cli *cli, const KlrRegistry *registry)
{
  JsonWriter json = json_writer(&cli->out, 1);
  json_begin_object(&json);
  json_key(&json, "kernels");
  json_begin_array(&json);
  for (size_t i = 0; i < klr_registry_count(registry); i++)
    list_json(&json, registry, klr_registry_at(registry, i));
  json_end_array(&json);
  json_key(&json, "diagnostics");
  StrBuf diags = strbuf_new(&cli->session->arena);
  diag_print_json(cli->session, &diags);
  json_raw(&json, strbuf_str(&diags));
  cli->told_diagnostics = true;
  json_end_object(&json);
  strbuf_putc(&cli->out, '\n');
}

int schema_list_built(Cli *cli, const char *path)
{
  KlrRegistry *registry = klr_registry_new();
  if (!registry)
    return EXIT_USER;
  bool ok = load_built(cli, registry, path);
  if (cli->options.json)
    list_all_json(cli, registry);
  for (size_t i = 0; !cli->options.json && i < klr_registry_count(registry); i++) {
    KlrKernelHandle kernel = klr_registry_at(registry, i);
    put_signature(klr_kernel_info(registry, kernel), &cli->out);
    strbuf_printf(&cli->out, "\n    %s\n", klr_kernel_path(registry, kernel));
  }
  klr_registry_free(registry);
  return ok ? EXIT_OK : EXIT_USER;
}
