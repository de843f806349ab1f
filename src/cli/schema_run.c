// schema_run.c -- `klr schema run`: a scalar kernel on arguments of the command line.

#include "cli/schema_run.h"
#include "cli/arg.h"
#include "cli/result.h"
#include "klr_schema.h"
#include "schema/check.h"
#include "schema/front.h"
#include "schema/interpret.h"
#include "schema/json.h"
#include "syntax/parser.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
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
    diag_help(diag, "a number of type `%s`: %s=%s", type, param->name->str.data,
              param->type.scalar == SCALAR_BOOL ? "True" : scalar_is_float(param->type.scalar) ? "2.5, or inf, -inf, nan" : "3");
  return false;
}

// A number as Python writes it, also `inf` and `nan`. False: it is none of 64 bits.
static bool literal_of(const Expr *e, SchemaLiteral *out)
{
  const bool negative = e->kind == EXPR_UnaryOp && e->UnaryOp.op == UNARY_OP_USub;
  e = negative ? e->UnaryOp.operand : e;
  *out = (SchemaLiteral){.kind = LITERAL_FLOAT};
  if (e->kind == EXPR_Name && (str_is(e->Name.id->str, "inf") || str_is(e->Name.id->str, "nan"))) {
    out->real = str_is(e->Name.id->str, "nan") ? (double)NAN : negative ? -(double)INFINITY : (double)INFINITY;
    return true;
  }
  const Constant *c = e->kind == EXPR_Constant ? &e->Constant.value : NULL;
  if (c && c->kind == CONSTANT_FLOAT && isfinite(c->real)) {
    out->real = negative ? -c->real : c->real;
    return true;
  }
  if (c && (c->kind == CONSTANT_TRUE || c->kind == CONSTANT_FALSE)) {
    *out = (SchemaLiteral){.kind = LITERAL_BOOL, .magnitude = c->kind == CONSTANT_TRUE};
    return !negative;
  }
  out->kind = LITERAL_INT;
  if (c && c->kind == CONSTANT_INT)
    out->magnitude = (uint64_t)c->integer;
  else if (!c || c->kind != CONSTANT_BIG_INT || !schema_big_int(c->text, &out->magnitude))
    return false;
  out->is_negative = negative && out->magnitude != 0;
  return true;
}

// The number of a literal argument; false when it is none, or not of the type.
static bool read_number(SchemaRun *run, const SchemaVar *param, const char *text, KlrScalarValue *out)
{
  Session *session = run->cli->session;
  Arena *arena = &session->arena;
  size_t before = session->error_count;
  if (!*text)
    return refuse(run, param, "empty");
  Source *source = session_add_source(session, "<argument>", str_from(text));
  const Expr *e = parse_expression(session, arena, source);
  SchemaLiteral literal;
  if (session->error_count > before)
    return false;
  if (!literal_of(e, &literal))
    return refuse(run, param, arena_printf(arena, "`%s`, which is no number of 64 bits", text));
  Scalar type = param->type.scalar;
  if (!schema_literal_fits(&literal, type) || (literal.kind == LITERAL_BOOL && type != SCALAR_BOOL))
    return refuse(run, param, arena_printf(arena, "`%s`, which is no value of `%s`", text, scalar_name(type)));
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

static bool refuse_parameter(SchemaRun *run, const char *name)
{
  Session *session = run->cli->session;
  const SchemaFunction *kernel = run->kernel;
  const char **names = arena_array(&session->arena, const char *, kernel->params.count + 1);
  StrBuf all = strbuf_new(&session->arena);
  for (size_t i = 0; i < kernel->params.count; i++) {
    names[i] = kernel->params.items[i]->name->str.data;
    strbuf_printf(&all, "%s`%s`", i ? ", " : "", names[i]);
  }
  Diag *diag = diag_error(session, E_SCHEMA_LAUNCH, "`%s` has no parameter `%s`", kernel->name->str.data, name);
  diag_suggest(diag, str_from(name), names, kernel->params.count);
  diag_help(diag, "its parameters: %s", kernel->params.count ? strbuf_cstr(&all) : "none");
  return false;
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
    if (!known)
      ok = refuse_parameter(run, run->args.items[i].name);
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
  if (stat(folder, &info) != 0 && mkdir(folder, 0777) != 0 && errno != EEXIST) {  // another process may make it at the same time
    diag_error(run->cli->session, E_FILE_WRITE, "cannot make the folder `%s`: %s", folder, strerror(errno));
    return false;
  }
  return results_write(run->cli, run->results.items, run->results.count, run->kernel->name->str.data, NULL, -1, folder);
}

// `grid` is NULL where it says nothing: of whole arrays.
static void report(SchemaRun *run, const KlrKernelGrid *grid, int digits, double seconds)
{
  Cli *cli = run->cli;
  if (!cli->options.json) {
    strbuf_printf(&cli->out, "%s: ", run->kernel->name->str.data);
    if (grid)
      strbuf_printf(&cli->out, "%" PRIu64 " threads in ", grid->size[0] * grid->size[1] * grid->size[2]);
    strbuf_printf(&cli->out, "%.*f ms\n", digits, seconds * 1e3);
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
  report(run, &grid, 1, seconds);
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

// A library that is refused is told; `is_error` is false where the others can do without it.
static void tell_refused(Cli *cli, const char *text, bool is_error)
{
  Diag *diag = is_error ? diag_error(cli->session, E_SCHEMA_LIBRARY, "%s", text) : diag_warning(cli->session, E_SCHEMA_LIBRARY, "%s", text);
  diag_help(diag, "libraries are made by `klr schema build FILE.py -o FOLDER`; `klr explain E1012` says what is looked at");
}

typedef struct Refused {
  const KlrLoadResult *rows;
  size_t count;
} Refused;

// Loads a library, or those of a folder: what is refused of that is in `refused`. False after reporting that nothing can be loaded.
static bool load_built(Cli *cli, KlrRegistry *registry, const char *path, Refused *refused)
{
  struct stat info;
  *refused = (Refused){NULL, 0};
  const bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  if (is_folder ? klr_registry_scan(registry, path, NULL, &refused->rows, &refused->count) : klr_registry_load(registry, path, NULL))
    return true;
  tell_refused(cli, klr_registry_error(registry), true);
  return false;
}

// True when there is none.
static bool tell_all_refused(Cli *cli, const Refused *refused, bool is_error)
{
  bool none = true;
  for (size_t i = 0; i < refused->count; i++)
    if (refused->rows[i].error) {
      tell_refused(cli, arena_printf(&cli->session->arena, "%s: %s", refused->rows[i].path, refused->rows[i].error), is_error);
      none = false;
    }
  return none;
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

// An access with its line; what else a launch refuses.
static bool tell_launch(SchemaRun *run, KlrRegistry *registry, const KlrKernelInfo *info)
{
  Session *session = run->cli->session;
  const KlrKernelFault *fault = klr_registry_fault(registry);
  const char *text = arena_strdup(&session->arena, klr_registry_error(registry));
  if (fault) {
    const SchemaFile file = {.session = session, .arena = &session->arena, .path = arena_strdup(&session->arena, info->path ? info->path : "")};
    Diag *diag = schema_error(&file, (SchemaPlace){.line = fault->line}, E_SCHEMA_BOUNDS, "%s", text);
    diag_help(diag, "indices run from 0 to the number of elements minus 1; an `if` keeps the other threads away");
    return false;
  }
  Diag *diag = diag_error(session, E_SCHEMA_LAUNCH, "%s", text);
  diag_help(diag, "`klr schema list %s` shows the kernels with their parameters; --grid N says how many threads run", run->file->path);
  return false;
}

// The grid that was launched: what was asked for, or what the guard says.
static bool find_built_grid(const SchemaRun *run, const KlrKernelInfo *info, KlrKernelGrid *out)
{
  *out = (KlrKernelGrid){{1, 1, 1}, {1, 1, 1}};
  if (info->stage_count != 1)
    return false;
  if (!info->dims || !run->launch.grid[0])
    return info->stages->grid(run->arguments, out->size) != 0;
  for (int d = 0; d < 3; d++)
    out->size[d] = run->launch.grid[d] ? run->launch.grid[d] : 1;
  return true;
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
  if (!klr_launch(registry, kernel, arguments, count, &launch))
    return tell_launch(run, registry, klr_kernel_info(registry, kernel));
  double seconds = now_seconds() - start;
  collect_results(run);
  if (!write_files(run))
    return false;
  KlrKernelGrid grid;
  report(run, find_built_grid(run, klr_kernel_info(registry, kernel), &grid) ? &grid : NULL, 3, seconds);
  return true;
}

static int refuse_built_name(Cli *cli, KlrRegistry *registry, const char *path, const char *name)
{
  Arena *arena = &cli->session->arena;
  size_t count = klr_registry_count(registry);
  const char **names = arena_array(arena, const char *, count + 1);
  for (size_t i = 0; i < count; i++)
    names[i] = klr_kernel_info(registry, klr_registry_at(registry, i))->name;
  refuse_name(cli, arena, path, name, names, count);
  return EXIT_USER;
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
  Refused refused;
  if (!load_built(cli, registry, path, &refused))
    return EXIT_USER;
  const KlrKernelHandle kernel = klr_registry_find(registry, name);
  tell_all_refused(cli, &refused, !kernel);  // one bad file does not hide the good ones
  if (!kernel)
    return refuse_built_name(cli, registry, path, name);
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
  Refused refused;
  bool ok = load_built(cli, registry, path, &refused) && tell_all_refused(cli, &refused, true);
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
