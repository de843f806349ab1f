// cmd_info.c -- `klr info`: what a file holds, in a few lines.

#include "cli/program.h"
#include "cli/write.h"
#include "core/verify.h"
#include "machine/legal.h"
#include "machine/place.h"
#include "serde/klr_file.h"

#include <inttypes.h>
#include <string.h>

typedef struct Info {
  Cli *cli;
  JsonWriter json;
} Info;

static void text_field(Info *info, const char *key, const char *value)
{
  if (info->cli->options.json) {
    json_key(&info->json, key);
    json_text(&info->json, str_from(value));
  } else {
    strbuf_printf(&info->cli->out, "%-12s%s\n", key, value);
  }
}

static void number_field(Info *info, const char *key, uint64_t value)
{
  if (info->cli->options.json) {
    json_key(&info->json, key);
    json_uint(&info->json, value);
  } else {
    strbuf_printf(&info->cli->out, "%-12s%" PRIu64 "\n", key, value);
  }
}

static void begin_list(Info *info, const char *key)
{
  if (info->cli->options.json) {
    json_key(&info->json, key);
    json_begin_array(&info->json);
  }
}

static void end_list(Info *info)
{
  if (info->cli->options.json)
    json_end_array(&info->json);
}

static void tensors(Info *info, const char *key, const Core_LIST_TENSOR *list)
{
  begin_list(info, key);
  for (uint32_t i = 0; i < list->count; i++) {
    const Tensor *tensor = list->items[i];
    StrBuf text = strbuf_new(&info->cli->session->arena);
    strbuf_printf(&text, "%s: %s[%" PRIu64, tensor->name, dtype_name(tensor->dtype), tensor->shape.par_dim);
    for (uint32_t j = 0; j < tensor->shape.free_dims.count; j++)
      strbuf_printf(&text, ",%" PRIu64, tensor->shape.free_dims.items[j]);
    strbuf_putc(&text, ']');
    if (info->cli->options.json)
      json_text(&info->json, strbuf_str(&text));
    else
      strbuf_printf(&info->cli->out, "%-12s%s\n", i ? "" : key, strbuf_cstr(&text));
  }
  end_list(info);
}

static void operator_counts(Info *info, const Kernel *kernel)
{
  uint64_t counts[OP_COUNT] = {0};
  for (uint32_t core = 0; core < kernel->bodies.count; core++)
    for (uint32_t i = 0; i < kernel->bodies.items[core].count; i++) {
      const Block *block = kernel->bodies.items[core].items[i];
      for (uint32_t j = 0; j < block->body.count; j++)
        counts[block->body.items[j]->op->kind]++;
    }
  if (info->cli->options.json) {
    json_key(&info->json, "counts");
    json_begin_object(&info->json);
  }
  for (int i = 0; i < OP_COUNT; i++) {
    if (!counts[i])
      continue;
    if (info->cli->options.json) {
      json_key(&info->json, op_info((OpKind)i)->name);
      json_uint(&info->json, counts[i]);
    } else {
      strbuf_printf(&info->cli->out, "  %8" PRIu64 "  %s\n", counts[i], op_info((OpKind)i)->name);
    }
  }
  if (info->cli->options.json)
    json_end_object(&info->json);
}

static void describe_kernel(Info *info, const Kernel *kernel)
{
  text_field(info, "kernel", kernel->name);
  number_field(info, "cores", kernel->bodies.count);
  tensors(info, "inputs", &kernel->inputs);
  tensors(info, "outputs", &kernel->outputs);
  number_field(info, "blocks", kernel->bodies.count ? kernel->bodies.items[0].count : 0);
  number_field(info, "tensors", kernel_tensors(&info->cli->session->arena, kernel));
  number_field(info, "operators", kernel_operators(kernel));
  operator_counts(info, kernel);
}

// How full the memories of each core get on the target. False when the kernel is not one that can be placed.
static bool describe_memory(Info *info, const Kernel *kernel, const Machine *machine)
{
  Session *session = info->cli->session;
  if (!core_verify(session, kernel) || !machine_check(session, machine, kernel))
    return false;
  text_field(info, "target", machine->name);
  begin_list(info, "memory");
  Arena arena = session_arena(session), scratch = session_arena(session);
  for (uint32_t core = 0; core < kernel->bodies.count; core++) {
    const Core_LIST_BLOCK *blocks = &kernel->bodies.items[core];
    Placement placement = place_core(&arena, &scratch, machine, blocks);
    if (info->cli->options.json) {
      place_write_json(session, &info->json, machine, blocks, &placement);
      continue;
    }
    strbuf_printf(&info->cli->out, "memory of core %u\n", core);
    place_print(session, &info->cli->out, machine, blocks, &placement);
  }
  end_list(info);
  arena_free(&scratch);
  arena_free(&arena);
  return true;
}

static void describe_sources(Info *info, const Gathered *sources)
{
  text_field(info, "entry", arena_printf(&info->cli->session->arena, "%s%s%s", sources->module,
                                         *sources->function ? "." : "", sources->function));
  if (sources->target)
    text_field(info, "target", sources->target);
  begin_list(info, "modules");
  for (uint32_t i = 0; i < sources->modules.count; i++) {
    const GatheredModule *module = &sources->modules.items[i];
    const char *text = arena_printf(&info->cli->session->arena, "%s (%s, %zu bytes)", module->name, module->path,
                                    strlen(module->text));
    if (info->cli->options.json)
      json_text(&info->json, str_from(text));
    else
      strbuf_printf(&info->cli->out, "%-12s%s\n", i ? "" : "modules", text);
  }
  end_list(info);
  for (uint32_t i = 0; i < sources->arguments.count; i++)
    text_field(info, i ? "" : "arguments", arena_printf(&info->cli->session->arena, "%s=%s",
                                                        sources->arguments.items[i].name,
                                                        sources->arguments.items[i].text));
}

static bool describe_python(Info *info, const char *path)
{
  Tracer *tracer = program_tracer(info->cli);
  ModuleObject *module = trace_load(tracer, path);
  if (module) {
    KernelEntries entries = trace_kernels(tracer, module);
    begin_list(info, "kernels");
    for (size_t i = 0; i < entries.count; i++) {
      StrBuf text = strbuf_new(&info->cli->session->arena);
      strbuf_printf(&text, "%.*s(", STR_ARG(entries.items[i].name->str));
      Parameters parameters = trace_parameters(tracer, entries.items[i].value);
      for (size_t j = 0; j < parameters.count; j++)
        strbuf_printf(&text, "%s%s%.*s%s", j ? ", " : "", parameters.items[j].rest ? "*" : "",
                      STR_ARG(parameters.items[j].name->str), parameters.items[j].has_default ? "=..." : "");
      strbuf_putc(&text, ')');
      if (info->cli->options.json)
        json_text(&info->json, strbuf_str(&text));
      else
        strbuf_printf(&info->cli->out, "%-12s%s\n", i ? "" : "kernels", strbuf_cstr(&text));
    }
    end_list(info);
  }
  tracer_free(tracer);
  return module != NULL;
}

static bool describe(Info *info, const char *path, Str bytes)
{
  Session *session = info->cli->session;
  static const char *const kinds[] = {[FILE_PYTHON] = "Python source", [FILE_KLR] = ".klr kernel",
                                      [FILE_GATHERED] = "gathered sources", [FILE_JSON] = "JSON kernel",
                                      [FILE_SEXP] = "S-expression kernel",
                                      [FILE_TEXT] = "core text"};
  FileKind kind = file_kind(path, bytes);
  text_field(info, "file", path);
  text_field(info, "holds", kinds[kind]);
  if (kind == FILE_PYTHON)
    return describe_python(info, path);
  if (kind == FILE_GATHERED) {
    const Gathered *sources = gathered_read(session, &session->arena, bytes, path);
    if (sources)
      describe_sources(info, sources);
    return sources != NULL;
  }
  const Kernel *kernel = kernel_read(session, &session->arena, path, bytes);
  if (!kernel)
    return false;
  describe_kernel(info, kernel);
  const Machine *machine = info->cli->options.memory ? target_machine(info->cli) : NULL;
  return !info->cli->options.memory || (machine && describe_memory(info, kernel, machine));
}

int cmd_info(Cli *cli)
{
  if (!cli_wants(cli, 1))
    return EXIT_USAGE;
  const char *path = cli->options.arguments.items[0];
  Str bytes;
  if (!file_read(cli->session, &cli->session->arena, path, &bytes))
    return EXIT_USER;
  Info info = {cli, json_writer(&cli->out, 0)};
  if (cli->options.json)
    json_begin_object(&info.json);
  bool ok = describe(&info, path, bytes);
  if (cli->options.json) {
    json_end_object(&info.json);
    strbuf_putc(&cli->out, '\n');
  }
  return ok ? EXIT_OK : EXIT_USER;
}
