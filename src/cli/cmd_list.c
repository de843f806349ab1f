// cmd_list.c -- `klr list`: the tables, one line a row.

#include "cli/cli.h"
#include "cli/library.h"
#include "core/core.h"
#include "machine/gaps.h"
#include "machine/machine.h"
#include "machine/rule_list.h"
#include "schema/schema.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

typedef struct Lister {
  Cli *cli;
  JsonWriter json;
} Lister;

// One row: as text "name  detail", as JSON an object.
static void row(Lister *list, const char *name, const char *key, const char *detail, const char *doc)
{
  if (list->cli->options.json) {
    json_begin_object(&list->json);
    json_key(&list->json, "name");
    json_text(&list->json, str_from(name));
    json_key(&list->json, key);
    json_text(&list->json, str_from(detail));
    json_key(&list->json, "doc");
    json_text(&list->json, str_from(doc));
    json_end_object(&list->json);
    return;
  }
  strbuf_printf(&list->cli->out, "%-34s %-26s %s\n", name, detail, doc);
}

static const char *engine_name(Engine engine)
{
  return core_ENGINE.of->member_name(engine);
}

static void list_operators(Lister *list)
{
  for (int i = 0; i < OP_COUNT; i++) {
    const OpInfo *info = op_info((OpKind)i);
    const char *engine = info->has_engine_field ? "its engine field" : engine_name(info->engine);
    if (!list->cli->options.json && !sim_can_run((OpKind)i))
      engine = arena_printf(&list->cli->session->arena, "%s (not run)", engine);
    row(list, info->name, "engine", engine, info->doc);
  }
}

static void list_members(Lister *list, const TypeInfo *type)
{
  for (uint32_t i = 0; i < type->member_count; i++)
    row(list, type->member_name(i), "of", type->wire, "");
}

static void list_enums(Lister *list)
{
#define KIND_ENUM(kind, type) list_members(list, core_##kind.of);
#include "core/kinds.def"
}

static void list_alu(Lister *list)
{
  for (int i = 0; i < ALU_OP_COUNT; i++) {
    const AluInfo *info = alu_info((AluOp)i);
    row(list, info->wire_name, "nki", info->nki_name ? info->nki_name : "-", info->doc);
  }
}

static void list_activations(Lister *list)
{
  for (int i = 0; i < ACTIVATION_FUNC_COUNT; i++) {
    const ActivationInfo *info = activation_info((ActivationFunc)i);
    row(list, info->name, "nki", info->nki_name, info->formula);
  }
}

static void list_dtypes(Lister *list)
{
  Arena *arena = &list->cli->session->arena;
  for (int i = 0; i < DTYPE_COUNT; i++) {
    const DTypeInfo *info = dtype_info((DType)i);
    row(list, dtype_name((DType)i), "size", arena_printf(arena, "%u bytes", info->bytes), info->doc);
  }
}

static void list_errors(Lister *list)
{
  for (int i = 0; i < DIAG_CODE_COUNT; i++)
    row(list, diag_info((DiagCode)i)->code, "kind", diag_info((DiagCode)i)->code[0] == 'E' ? "error" : "warning",
        diag_info((DiagCode)i)->title);
}

static void list_builtins(Lister *list)
{
  LibraryFunctions functions = library_functions(list->cli->session);
  for (size_t i = 0; i < functions.count; i++) {
    const LibraryFunction *function = &functions.items[i];
    Str doc = first_line(function->doc);
    row(list, function->name, "signature", list->cli->options.json ? function->signature : "",
        arena_printf(&list->cli->session->arena, "%.*s", STR_ARG(doc)));
  }
}

static void list_targets(Lister *list)
{
  size_t count;
  const Machine *const *machines = machine_all(&count);
  for (size_t i = 0; i < count; i++)
    row(list, machines[i]->name, "core", machines[i]->nc_version,
        arena_printf(&list->cli->session->arena, "%" PRIu64 " KiB of SBUF and %u PSUM banks of %u bytes a partition",
                     machines[i]->sbuf_partition_bytes / 1024, machines[i]->psum_banks, machines[i]->psum_bank_bytes));
}

static void list_gaps(Lister *list)
{
  for (int i = 0; i < GAP_COUNT; i++) {
    const GapInfo *gap = gap_info((Gap)i);
    const char *then = gap->kind == GAP_KIND_USE ? "stops" : "choice";
    row(list, gap->id, "of", arena_printf(&list->cli->session->arena, "%s: %s", gap->topic, then), gap->open);
  }
}

// The functions of scalar kernels.
static void list_schema(Lister *list)
{
  Arena *arena = &list->cli->session->arena;
  for (int i = 0; i < BUILTIN_COUNT; i++) {
    const SchemaBuiltinInfo *info = schema_builtin_info((SchemaBuiltin)i);
    const char *most = info->most > info->least ? arena_printf(arena, " to %d", info->most) : "";
    row(list, info->name, "arguments", arena_printf(arena, "%d%s", info->least, most), info->doc);
  }
}

static void text_field(Lister *list, const char *key, const char *value)
{
  json_key(&list->json, key);
  json_text(&list->json, str_from(value));
}

static void list_rules(Lister *list)
{
  Arena *arena = &list->cli->session->arena;
  size_t count;
  const RuleInfo *rules = rule_list(arena, &count);
  for (size_t i = 0; i < count; i++) {
    const RuleInfo *rule = &rules[i];
    const char *where = rule_generations_text(arena, rule->generations);
    if (!list->cli->options.json) {
      row(list, rule->id, "", arena_printf(arena, "%s, %s", rule_code_text(arena, rule), where), rule->asks);
      continue;
    }
    json_begin_object(&list->json);
    text_field(list, "name", rule->id);
    text_field(list, "function", rule->function);
    text_field(list, "parameter", rule->parameter);
    text_field(list, "checked", rule_stage_name(rule->stage));
    text_field(list, "targets", where);
    text_field(list, "code", diag_info(rule->code)->code);
    json_key(&list->json, "tolerated");
    json_bool(&list->json, rule->is_tolerated);
    text_field(list, "doc", rule->asks);
    text_field(list, "source", rule->source);
    json_end_object(&list->json);
  }
}

typedef struct Table {
  const char *name;
  void (*list)(Lister *list);
} Table;

static const Table tables[] = {
    {"builtins", list_builtins},   {"targets", list_targets},
    {"operators", list_operators}, {"enums", list_enums},   {"alu", list_alu},
    {"activations", list_activations}, {"dtypes", list_dtypes}, {"errors", list_errors},
    {"gaps", list_gaps},           {"rules", list_rules},   {"schema", list_schema},
};
enum { TABLE_COUNT = sizeof tables / sizeof *tables };

int cmd_list(Cli *cli)
{
  if (cli->options.arguments.count > 1)
    return cli_wants(cli, 1), EXIT_USAGE;
  const char *wanted = cli->options.arguments.count ? cli->options.arguments.items[0] : NULL;
  Lister list = {cli, json_writer(&cli->out, 0)};
  if (cli->options.json)
    json_begin_array(&list.json);
  bool found = false;
  for (int i = 0; i < TABLE_COUNT; i++) {
    if (wanted && strcmp(wanted, tables[i].name) != 0)
      continue;
    if (!wanted && !cli->options.json)
      strbuf_printf(&cli->out, "%s%s:\n", found ? "\n" : "", tables[i].name);
    tables[i].list(&list);
    found = true;
  }
  if (!found) {
    const char *names[TABLE_COUNT];
    for (int i = 0; i < TABLE_COUNT; i++)
      names[i] = tables[i].name;
    cli_usage(cli, "klr list knows no table `%s`", wanted);
    diag_suggest(cli->session->diags.items[cli->session->diags.count - 1], str_from(wanted), names, TABLE_COUNT);
    return EXIT_USAGE;
  }
  if (cli->options.json) {
    json_end_array(&list.json);
    strbuf_putc(&cli->out, '\n');
  }
  return EXIT_OK;
}
