// cmd_explain.c -- `klr explain`: one row of a table in full.

#include "cli/cli.h"
#include "cli/library.h"
#include "cli/pages.h"
#include "core/core.h"
#include "core/nki_names.h"
#include "core/text.h"
#include "machine/gaps.h"
#include "machine/machine.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

static void field(Cli *cli, JsonWriter *json, const char *key, const char *value)
{
  if (cli->options.json) {
    json_key(json, key);
    json_text(json, str_from(value));
  }
}

static void explain_code(Cli *cli, JsonWriter *json, DiagCode code)
{
  const DiagInfo *info = diag_info(code);
  field(cli, json, "code", info->code);
  field(cli, json, "title", info->title);
  field(cli, json, "explanation", info->explanation);
  if (!cli->options.json)
    strbuf_printf(&cli->out, "%s: %s\n\n%s\n", info->code, info->title, info->explanation);
}

static const char *role_name(Role role)
{
  switch (role) {
  case ROLE_READ: return "read";
  case ROLE_WRITE: return "written";
  case ROLE_UPDATE: return "read and written";
  case ROLE_PARAM: return "parameter";
  }
  return "";
}

// What the instruction is called in NKI, without its module: "bn_stats".
static const char *nki_name_of(Cli *cli, OpKind kind)
{
  Pos pos = {.is_traced = true};
  Instr instr = {.op = op_new(&cli->session->arena, kind), .pos = &pos};
  const char *name = op_known_as(&instr), *dot = strrchr(name, '.');
  return dot ? dot + 1 : name;
}

static void explain_section(Cli *cli, JsonWriter *json, const char *key, const char *title, StrBuf *text)
{
  if (!text->len)
    return;
  field(cli, json, key, strbuf_cstr(text));
  if (!cli->options.json)
    strbuf_printf(&cli->out, "\n%s\n%s", title, strbuf_cstr(text));
}

// The operator's rule over the machine state, the checks of its operands, and how sure its numeric choices are.
static void explain_meaning(Cli *cli, JsonWriter *json, OpKind kind)
{
  Arena *arena = &cli->session->arena;
  StrBuf meaning = strbuf_new(arena), rules = strbuf_new(arena), choices = strbuf_new(arena);
  pages_add_meaning(&meaning, op_info(kind)->name);
  core_print_op_rules(kind, &rules);
  pages_add_choices(&choices, op_info(kind)->name, nki_name_of(cli, kind));
  explain_section(cli, json, "meaning", "Meaning (docs/core.md):", &meaning);
  explain_section(cli, json, "rules", "Checked:", &rules);
  explain_section(cli, json, "choices", "Numeric choices (docs/numerics.md; D documented, M measured, A assumed):", &choices);
}

static void explain_operator(Cli *cli, JsonWriter *json, OpKind kind)
{
  const OpInfo *info = op_info(kind);
  const char *engine = info->has_engine_field ? "its engine field" : core_ENGINE.of->member_name(info->engine);
  uint32_t count;
  const FieldInfo *fields = info->fields(&count);
  field(cli, json, "operator", info->name);
  field(cli, json, "wire", info->wire);
  field(cli, json, "engine", engine);
  field(cli, json, "doc", info->doc);
  field(cli, json, "run", sim_can_run(kind) ? "yes" : "no");
  if (cli->options.json) {
    json_key(json, "fields");
    json_begin_array(json);
  } else {
    strbuf_printf(&cli->out, "%s: %s\n\nengine %s; %s; in files `%s`, constructor %u, payload tag %u\n\n", info->name,
                  info->doc, engine, sim_can_run(kind) ? "can be run" : "can be traced and written, not run yet",
                  info->wire, info->number, info->payload_tag);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (cli->options.json) {
      json_begin_object(json);
      field(cli, json, "name", fields[i].name);
      field(cli, json, "kind", fields[i].type->name);
      field(cli, json, "role", role_name(fields[i].role));
      field(cli, json, "doc", fields[i].doc);
      json_end_object(json);
    } else {
      strbuf_printf(&cli->out, "  %-24s %-18s %-17s %s\n", fields[i].name, fields[i].type->name,
                    role_name(fields[i].role), fields[i].doc);
    }
  }
  if (cli->options.json)
    json_end_array(json);
  explain_meaning(cli, json, kind);
}

static void explain_function(Cli *cli, JsonWriter *json, const LibraryFunction *function)
{
  field(cli, json, "builtin", function->name);
  field(cli, json, "signature", function->signature);
  field(cli, json, "doc", function->doc);
  if (!cli->options.json)
    strbuf_printf(&cli->out, "%s%s\n\n%s\n", function->short_name, function->signature, function->doc);
}

static void explain_gap(Cli *cli, JsonWriter *json, Gap gap)
{
  const GapInfo *info = gap_info(gap);
  const char *then = info->kind == GAP_KIND_USE ? "stops with E0540; with --lenient goes on" : "always goes on";
  field(cli, json, "gap", info->id);
  field(cli, json, "topic", info->topic);
  field(cli, json, "open", info->open);
  field(cli, json, "then", then);
  field(cli, json, "choice", info->choice);
  field(cli, json, "source", info->source);
  if (!cli->options.json)
    strbuf_printf(&cli->out, "%s (%s)\n\nThe documents leave open: %s.\nKLR %s: %s.\nSource: %s\n", info->id, info->topic,
                  info->open, then, info->choice, info->source);
}

static void explain_machine(Cli *cli, JsonWriter *json, const Machine *machine)
{
  Arena *arena = &cli->session->arena;
  StrBuf aliases = strbuf_new(arena);
  for (const char *const *alias = machine->aliases; *alias; alias++)
    strbuf_printf(&aliases, "%s%s", aliases.len ? ", " : "", *alias);
  const char *const rows[][2] = {
      {"target", machine->name},
      {"aliases", strbuf_cstr(&aliases)},
      {"core", machine->nc_version},
      {"partitions", arena_printf(arena, "%u", machine->partitions)},
      {"sbuf", arena_printf(arena, "%" PRIu64 " bytes a partition, %" PRIu64 " usable", machine->sbuf_partition_bytes,
                            machine->sbuf_usable_bytes)},
      {"psum", arena_printf(arena, "%u banks of %u bytes a partition", machine->psum_banks, machine->psum_bank_bytes)},
      {"matmul", arena_printf(arena, "stationary up to %u columns, moving up to %u", machine->gemm_stationary_fmax,
                              machine->gemm_moving_limit)},
      {"logical_cores", arena_printf(arena, "%u", machine->logical_cores)},
      {"device", arena_printf(arena, "%u cores, %" PRIu64 " GiB of HBM at %.0f GB/s", machine->device_cores,
                              machine->device_hbm_bytes >> 30, machine->device_hbm_gbps)},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    field(cli, json, rows[i][0], rows[i][1]);
    if (!cli->options.json)
      strbuf_printf(&cli->out, "%-16s%s\n", rows[i][0], rows[i][1]);
  }
}

static void unknown(Cli *cli, const char *what, const LibraryFunctions *functions)
{
  const char **names =
      arena_array(&cli->session->arena, const char *, OP_COUNT + DIAG_CODE_COUNT + GAP_COUNT + 2 * functions->count);
  size_t count = 0;
  for (size_t i = 0; i < functions->count; i++) {
    names[count++] = functions->items[i].short_name;
    names[count++] = strrchr(functions->items[i].name, '.') + 1;
  }
  for (int i = 0; i < OP_COUNT; i++)
    names[count++] = op_info((OpKind)i)->name;
  for (int i = 0; i < DIAG_CODE_COUNT; i++)
    names[count++] = diag_info((DiagCode)i)->code;
  for (int i = 0; i < GAP_COUNT; i++)
    names[count++] = gap_info((Gap)i)->id;
  cli_usage(cli, "`%s` is no error code, operator, builtin, gap or target", what);
  diag_suggest(cli->session->diags.items[cli->session->diags.count - 1], str_from(what), names, count);
}

int cmd_explain(Cli *cli)
{
  if (!cli_wants(cli, 1))
    return EXIT_USAGE;
  const char *what = cli->options.arguments.items[0];
  JsonWriter json = json_writer(&cli->out, 0);
  if (cli->options.json)
    json_begin_object(&json);
  DiagCode code;
  OpKind kind;
  Gap gap;
  LibraryFunctions functions = library_functions(cli->session);
  const LibraryFunction *function = library_find(&functions, what);
  if (diag_find(what, &code))
    explain_code(cli, &json, code);
  else if (op_find(str_from(what), &kind))
    explain_operator(cli, &json, kind);
  else if (function)
    explain_function(cli, &json, function);
  else if (gap_find(str_from(what), &gap))
    explain_gap(cli, &json, gap);
  else if (machine_find(what))
    explain_machine(cli, &json, machine_find(what));
  else {
    cli->out.len = 0;
    unknown(cli, what, &functions);
    return EXIT_USAGE;
  }
  if (cli->options.json) {
    json_end_object(&json);
    strbuf_putc(&cli->out, '\n');
  }
  return EXIT_OK;
}
