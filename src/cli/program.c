#include "cli/program.h"

#include "core/text.h"
#include "core/verify.h"
#include "machine/legal.h"
#include "machine/place.h"
#include "serde/klr_file.h"
#include "syntax/dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

double seconds_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool is_identifier(const char *text)
{
  if (!*text || (*text >= '0' && *text <= '9'))
    return false;
  for (; *text; text++)
    if (!(*text == '_' || (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
          (*text >= 'A' && *text <= 'Z') || (unsigned char)*text >= 0x80))
      return false;
  return true;
}

void split_kernel_name(Session *session, const char *text, const char **path, const char **kernel)
{
  const char *colon = strrchr(text, ':');
  struct stat info;
  *path = text;
  *kernel = NULL;
  if (!colon || !is_identifier(colon + 1) || stat(text, &info) == 0)
    return;
  *path = arena_strndup(&session->arena, text, (size_t)(colon - text));
  *kernel = colon + 1;
}

const Machine *target_machine(Cli *cli)
{
  if (!cli->options.target)
    return machine_default();
  const Machine *machine = machine_find(cli->options.target);
  if (!machine) {
    size_t count;
    const char *const *names = machine_names(&count);
    cli_usage(cli, "`%s` is no target: trn1, trn2, trn3", cli->options.target);
    diag_suggest(cli->session->diags.items[cli->session->diags.count - 1], str_from(cli->options.target), names, count);
  }
  return machine;
}

Tracer *program_tracer(Cli *cli)
{
  Tracer *tracer = tracer_new(cli->session);
  nki_install(tracer, target_machine(cli));
  for (size_t i = 0; i < cli->options.include.count; i++)
    module_add_path(tracer, cli->options.include.items[i]);
  module_add_default_paths(tracer);
  if (cli->options.max_steps)
    tracer->step_limit = (uint64_t)cli->options.max_steps;
  return tracer;
}

// ---- tracing

static bool argument_value(Program *program, const Arg *arg, Value *out)
{
  if (arg->kind == ARG_LITERAL)
    return trace_eval_text(program->tracer, arena_printf(&program->tracer->arena, "<%s>", arg->name), arg->text, out);
  return tensor_argument(program->tracer, arg->name, arg->dtype, arg->shape, arg->rank, out);
}

// Every unknown name is reported, with what the kernel does take.
static bool names_are_known(Cli *cli, Program *program, const KernelEntry *entry)
{
  Parameters parameters = trace_parameters(program->tracer, entry->value);
  const char **names = arena_array(&cli->session->arena, const char *, parameters.count);
  bool takes_any = false, ok = true;
  for (size_t i = 0; i < parameters.count; i++) {
    names[i] = parameters.items[i].name->str.data;
    takes_any = takes_any || parameters.items[i].keyword_rest;
  }
  for (size_t i = 0; i < program->args.count; i++) {
    bool known = takes_any;
    for (size_t j = 0; j < parameters.count && !known; j++)
      known = strcmp(names[j], program->args.items[i].name) == 0 && !parameters.items[j].rest;
    if (known)
      continue;
    Diag *diag = diag_error(cli->session, E_ARGUMENT, "kernel `%.*s` has no parameter `%s`",
                            STR_ARG(entry->name->str), program->args.items[i].name);
    StrBuf all = strbuf_new(&cli->session->arena);
    for (size_t j = 0; j < parameters.count; j++)
      strbuf_printf(&all, "%s`%s`", j ? ", " : "", names[j]);
    diag_note(diag, parameters.count ? "its parameters are %s" : "it has no parameters%s", strbuf_cstr(&all));
    diag_suggest(diag, str_from(program->args.items[i].name), names, parameters.count);
    ok = false;
  }
  for (size_t j = 0; j < parameters.count; j++) {
    bool given = parameters.items[j].has_default || parameters.items[j].rest || parameters.items[j].keyword_rest;
    for (size_t i = 0; i < program->args.count && !given; i++)
      given = strcmp(names[j], program->args.items[i].name) == 0;
    if (given)
      continue;
    Diag *diag = diag_error(cli->session, E_ARGUMENT, "argument `%s` of kernel `%.*s` is missing", names[j],
                            STR_ARG(entry->name->str));
    diag_primary(diag, parameters.items[j].span, "this parameter has no default");
    diag_help(diag, "add %s=f32[128,512] for a tensor's shape, %s=@file.npy or %s=randn:f32[128,512] for data, "
              "%s=3 for a number", names[j], names[j], names[j], names[j]);
    ok = false;
  }
  return ok;
}

static const Kernel *trace_entry(Cli *cli, Program *program, ModuleObject *module)
{
  KernelEntry entry;
  if (!trace_find_kernel(program->tracer, module, program->kernel_name, &entry) ||
      !names_are_known(cli, program, &entry))
    return NULL;
  size_t count = program->args.count;
  const Name **names = arena_array(&program->tracer->arena, const Name *, count);
  Value *values = arena_array(&program->tracer->arena, Value, count);
  for (size_t i = 0; i < count; i++) {
    names[i] = tracer_name(program->tracer, program->args.items[i].name);
    if (!argument_value(program, &program->args.items[i], &values[i]))
      return NULL;
  }
  TraceOptions options = {.lnc = cli->options.lnc, .no_verify = true};
  return trace_kernel(program->tracer, entry.value, names, values, count, &options);
}

static ModuleObject *load_python(Cli *cli, Program *program, Str bytes)
{
  double start = seconds_now();
  program->tracer = program_tracer(cli);
  ModuleObject *module = trace_load_text(program->tracer, program->path, bytes);
  program->parse_seconds = seconds_now() - start;
  if (module && cli->options.print_after && strcmp(cli->options.print_after, "parse") == 0 && module->tree) {
    StrBuf text = strbuf_new(&cli->session->arena);
    ast_print(module->tree, &text);
    fputs(strbuf_cstr(&text), stderr);
  }
  return module;
}

static ModuleObject *load_gathered(Cli *cli, Program *program, Str bytes)
{
  double start = seconds_now();
  const Gathered *sources = gathered_read(cli->session, &program->arena, bytes, program->path);
  if (!sources)
    return NULL;
  if (!cli->options.target)
    cli->options.target = sources->target;
  if (!cli->options.lnc && sources->lnc.some)
    cli->options.lnc = (int64_t)sources->lnc.value;
  if (!program->kernel_name && *sources->function)
    program->kernel_name = sources->function;
  TextVec texts = {0};  // those of the file, unless the command line gives the name again
  for (uint32_t i = 0; i < sources->arguments.count; i++) {
    bool given = false;
    for (size_t j = 0; j < program->args.count && !given; j++)
      given = strcmp(program->args.items[j].name, sources->arguments.items[i].name) == 0;
    if (!given)
      vec_push(&program->arena, &texts, arena_printf(&program->arena, "%s=%s", sources->arguments.items[i].name,
                                                     sources->arguments.items[i].text));
  }
  if (!args_parse(cli->session, texts.items, texts.count, &program->args))
    return NULL;
  program->machine = target_machine(cli);
  if (!program->machine)
    return NULL;
  program->tracer = program_tracer(cli);
  for (uint32_t i = 0; i < sources->modules.count; i++) {
    const GatheredModule *module = &sources->modules.items[i];
    module_add_source(program->tracer, module->name, module->is_package, str_from(module->text), module->path);
  }
  ModuleObject *module = module_find(program->tracer, str_from(sources->module));
  if (module && !module_run(program->tracer, module, (Span){0}))
    module = NULL;
  program->parse_seconds = seconds_now() - start;
  return module;
}

static void print_core(Cli *cli, const Kernel *kernel)
{
  StrBuf text = strbuf_new(&cli->session->arena);
  core_print_kernel(kernel, &text, (TextOptions){.source = cli->session});
  fputs(strbuf_cstr(&text), stderr);
}

int program_load(Cli *cli, Program *program)
{
  *program = (Program){.arena = session_arena(cli->session)};
  if (cli->options.arguments.count == 0)
    return cli_usage(cli, "klr %s needs a file", cli->command);
  program->machine = target_machine(cli);
  if (!program->machine)
    return EXIT_USAGE;
  const char *stage = cli->options.print_after;
  if (stage && strcmp(stage, "parse") != 0 && strcmp(stage, "trace") != 0)
    return cli_usage(cli, "--print-after knows the stages parse and trace, found `%s`", stage);
  split_kernel_name(cli->session, cli->options.arguments.items[0], &program->path, &program->kernel_name);
  Str bytes;
  if (!file_read(cli->session, &program->arena, program->path, &bytes) ||
      !args_parse(cli->session, cli->options.arguments.items + 1, cli->options.arguments.count - 1, &program->args))
    return EXIT_USER;
  FileKind kind = file_kind(program->path, bytes);
  if (kind == FILE_PYTHON || kind == FILE_GATHERED) {
    ModuleObject *module = kind == FILE_PYTHON ? load_python(cli, program, bytes) : load_gathered(cli, program, bytes);
    double start = seconds_now();
    program->kernel = module ? trace_entry(cli, program, module) : NULL;
    program->trace_seconds = seconds_now() - start;
  } else {
    program->kernel = kernel_read(cli->session, &program->arena, program->path, bytes);
  }
  if (program->kernel && stage && strcmp(stage, "trace") == 0)
    print_core(cli, program->kernel);
  double start = seconds_now();
  bool ok = program->kernel && core_verify(cli->session, program->kernel) &&
            machine_check(cli->session, program->machine, program->kernel) &&
            machine_check_memory(cli->session, program->machine, program->kernel);
  program->verify_seconds = seconds_now() - start;
  return ok && cli->session->error_count == 0 ? EXIT_OK : EXIT_USER;
}

void program_free(Program *program)
{
  if (program->tracer)
    tracer_free(program->tracer);
  arena_free(&program->arena);
}

void program_print_times(const Program *program)
{
  fprintf(stderr, "load %.2f ms, trace %.2f ms, verify %.2f ms\n", program->parse_seconds * 1e3,
          program->trace_seconds * 1e3, program->verify_seconds * 1e3);
}
