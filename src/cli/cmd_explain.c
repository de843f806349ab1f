// cmd_explain.c -- `klr explain`: one row of a table in full.

#include "cli/cli.h"
#include "cli/instruction.h"
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

static void explain_operator(Cli *cli, JsonWriter *json, OpKind kind, bool is_part)
{
  const OpInfo *info = op_info(kind);
  const char *engine = info->has_engine_field ? "its engine field" : core_ENGINE.of->member_name(info->engine);
  uint32_t count;
  const FieldInfo *fields = info->fields(&count);
  field(cli, json, "operator", info->name);
  field(cli, json, "wire", info->wire);
  field(cli, json, "engine", engine);
  field(cli, json, is_part ? "operator_doc" : "doc", info->doc);
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

static const char *const isa_prefix = "nki.isa.";

static bool is_instruction(const LibraryFunction *function)
{
  return function && (str_starts_with(str_from(function->name), isa_prefix) ||
                      str_starts_with(str_from(function->name), "nki.collectives."));
}

static bool explain_arithmetic(Cli *cli, JsonWriter *json, const char *what);

// A function of the library; of nki.isa with what the tables say about it, and its operator. Some of nki.language are
// operators of the engines as well.
static void explain_function(Cli *cli, JsonWriter *json, const LibraryFunction *function)
{
  field(cli, json, "builtin", function->name);
  field(cli, json, "signature", function->signature);
  field(cli, json, "doc", function->doc);
  if (!cli->options.json)
    strbuf_printf(&cli->out, "%s%s\n\n%s\n", function->short_name, function->signature, function->doc);
  if (!is_instruction(function)) {
    size_t len = cli->out.len;
    if (!cli->options.json)
      strbuf_puts(&cli->out, "\nAs an operator of instructions:\n\n");
    if (str_starts_with(str_from(function->name), "nki.language.") &&
        explain_arithmetic(cli, json, library_bare_name(function->name)))
      return;
    if (!cli->options.json)
      cli->out.len = len;
    return;
  }
  Arena *arena = &cli->session->arena;
  size_t count;
  const RuleInfo *rules = rule_list(arena, &count);
  Instruction instruction = instruction_of(arena, function, rules, count);
  if (cli->options.json)
    instruction_add_json(json, &instruction);
  else
    instruction_add_text(&cli->out, &instruction);
  if (!instruction.has_op)
    return;
  if (!cli->options.json)
    strbuf_puts(&cli->out, "\nIn the core language:\n\n");
  explain_operator(cli, json, instruction.op, true);
}

// The function of nki.isa that makes operators of `kind`; NULL: none.
static const LibraryFunction *function_of(Cli *cli, const LibraryFunctions *functions, OpKind kind)
{
  const char *name = op_rule_name(&cli->session->arena, kind);
  for (size_t i = 0; i < functions->count; i++)
    if (is_instruction(&functions->items[i]) && strcmp(instruction_name(&functions->items[i]), name) == 0)
      return &functions->items[i];
  return NULL;
}

// ---- rules

static void explain_rule(Cli *cli, JsonWriter *json, const RuleInfo *rule)
{
  static const char *const stages[] = {[RULE_TRACE] = "while the kernel is traced",
                                       [RULE_VERIFY] = "on every kernel",
                                       [RULE_TARGET] = "on a kernel for a target",
                                       [RULE_RUN] = "while the kernel runs"};
  const char *targets = rule_generations_text(&cli->session->arena, rule->generations);
  field(cli, json, "rule", rule->id);
  field(cli, json, "function", rule->function);
  field(cli, json, "parameter", rule->parameter);
  field(cli, json, "asks", rule->asks);
  field(cli, json, "targets", targets);
  field(cli, json, "checked", rule_stage_name(rule->stage));
  field(cli, json, "code", diag_info(rule->code)->code);
  field(cli, json, "source", rule->source);
  if (!cli->options.json)
    strbuf_printf(&cli->out, "%s\n\n%s\n\nChecked %s, for %s; broken: %s, %s.\n%sSource: %s\n", rule->id, rule->asks,
                  stages[rule->stage], targets, diag_info(rule->code)->code, diag_info(rule->code)->title,
                  rule->is_tolerated ? "A warning, W0541, unless --strict is given: kernels of the vendor break it.\n" : "",
                  rule->source);
}

// A rule by its name, or all rules of a family, `same-free`. False: there is none.
static bool explain_rules(Cli *cli, JsonWriter *json, const char *what)
{
  size_t count, family_count = 0;
  const RuleInfo *rules = rule_list(&cli->session->arena, &count);
  for (size_t i = 0; i < count; i++)
    if (strcmp(rules[i].id, what) == 0) {
      explain_rule(cli, json, &rules[i]);
      return true;
    }
  for (size_t i = 0; i < count; i++) {
    const char *family = strrchr(rules[i].id, '.');
    if (!family || strcmp(family + 1, what) != 0)
      continue;
    if (family_count++ == 0 && cli->options.json) {
      json_key(json, "rules");
      json_begin_array(json);
    }
    if (cli->options.json)
      json_text(json, str_from(rules[i].id));
    else
      strbuf_printf(&cli->out, "%-40s %s\n", rules[i].id, rules[i].asks);
  }
  if (family_count && cli->options.json)
    json_end_array(json);
  return family_count > 0;
}

// ---- enumerations, operators of the engines, dtypes

// The sizes of nl.tile_size on every target, or the one that `bare` names.
static void explain_tile_sizes(Cli *cli, JsonWriter *json, const char *bare)
{
  const char *member = strchr(bare, '.');
  size_t count;
  const Machine *const *machines = machine_all(&count);
  TileSize size;
  if (!cli->options.json)
    strbuf_putc(&cli->out, '\n');
  for (size_t i = 0; machine_tile_size(machines[0], i, &size); i++) {
    if (member && strcmp(member + 1, size.name) != 0)
      continue;
    StrBuf values = strbuf_new(&cli->session->arena);
    for (size_t m = 0; m < count && machine_tile_size(machines[m], i, &size); m++)
      strbuf_printf(&values, "%s%s %" PRIu64, m ? ", " : "", machines[m]->name, size.value);
    field(cli, json, size.name, strbuf_cstr(&values));
    if (!cli->options.json)
      strbuf_printf(&cli->out, "  %-28s %s\n", size.name, strbuf_cstr(&values));
  }
}

static bool explain_definition(Cli *cli, JsonWriter *json, const char *what)
{
  const char *text = library_definition(cli->session, what);
  if (!text)
    return false;
  const char *bare = library_bare_name(what), *dot = strchr(bare, '.');
  bool is_size = str_starts_with(str_from(bare), "tile_size");
  if (dot && !is_size)  // a member, with those beside it
    text = library_definition(cli->session, arena_printf(&cli->session->arena, "%.*s", (int)(dot - what), what));
  field(cli, json, strstr(text, "(Enum)") ? "enumeration" : "name", bare);
  field(cli, json, "definition", text);
  if (!cli->options.json)
    strbuf_printf(&cli->out, "%s\n", text);
  if (is_size)
    explain_tile_sizes(cli, json, bare);
  return true;
}

static bool explain_core_enum(Cli *cli, JsonWriter *json, const char *what)
{
#define KIND_ENUM(kind, type)                                                                                          \
  if (strcmp(what, core_##kind.of->name) == 0) {                                                                       \
    StrBuf members = strbuf_new(&cli->session->arena);                                                                 \
    for (uint32_t i = 0; i < core_##kind.of->member_count; i++)                                                        \
      strbuf_printf(&members, "%s%s", i ? ", " : "", core_##kind.of->member_name(i));                                  \
    field(cli, json, "enumeration", what);                                                                             \
    field(cli, json, "members", strbuf_cstr(&members));                                                                \
    if (!cli->options.json)                                                                                            \
      strbuf_printf(&cli->out, "%s: %s\n", what, strbuf_cstr(&members));                                               \
    return true;                                                                                                       \
  }
#include "core/kinds.def"
  return false;
}

static bool explain_dtype(Cli *cli, JsonWriter *json, const char *what)
{
  for (int i = 0; i < DTYPE_COUNT; i++) {
    const DTypeInfo *info = dtype_info((DType)i);
    if (strcmp(what, dtype_name((DType)i)) != 0)
      continue;
    const char *bytes = arena_printf(&cli->session->arena, "%u", info->bytes);
    field(cli, json, "dtype", what);
    field(cli, json, "bytes", bytes);
    field(cli, json, "doc", info->doc);
    if (!cli->options.json)
      strbuf_printf(&cli->out, "%s: %s bytes; %s\n", what, bytes, info->doc);
    return true;
  }
  return false;
}

// As an operator of the engines, or a function of theirs: "add" of `nisa.tensor_tensor(..., op=nl.add)`.
static bool explain_arithmetic(Cli *cli, JsonWriter *json, const char *what)
{
  AluOp op;
  ActivationFunc func;
  if (alu_from_nki_name(str_from(what), &op) || alu_from_wire_name(str_from(what), &op)) {
    const AluInfo *info = alu_info(op);
    const char *group = info->group == ALU_GROUP_BITVEC ? "on bits of integers" : "in float32";
    field(cli, json, "alu_operator", alu_wire_name(op));
    field(cli, json, "computes", info->doc);
    field(cli, json, "group", group);
    field(cli, json, "reduces", info->reduces ? "yes" : "no");
    if (!cli->options.json)
      strbuf_printf(&cli->out, "%s: ALU operator, %s, %s%s\n", what, info->doc, group, info->reduces ? "; reduces" : "");
    return true;
  }
  if (!activation_from_nki_name(str_from(what), &func) && !activation_from_wire_name(str_from(what), &func))
    return false;
  const ActivationInfo *info = activation_info(func);
  const char *range = arena_printf(&cli->session->arena, "%g to %g", (double)info->least, (double)info->most);
  field(cli, json, "activation", info->name);
  field(cli, json, "formula", info->formula);
  field(cli, json, "range", range);
  if (!cli->options.json)
    strbuf_printf(&cli->out, "%s: activation function, %s, for inputs from %s\n", what, info->formula, range);
  return true;
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

// A module of the library by its functions, each with a line.
static bool explain_module(Cli *cli, JsonWriter *json, const char *what, const LibraryFunctions *functions)
{
  bool any = false;
  for (size_t i = 0; i < functions->count; i++) {
    const LibraryFunction *function = &functions->items[i];
    size_t long_len = (size_t)(strrchr(function->name, '.') - function->name);
    size_t short_len = (size_t)(strrchr(function->short_name, '.') - function->short_name);
    bool is_in = (strlen(what) == long_len && strncmp(what, function->name, long_len) == 0) ||
                 (strlen(what) == short_len && strncmp(what, function->short_name, short_len) == 0);
    if (!is_in)
      continue;
    if (!any)
      field(cli, json, "module", arena_printf(&cli->session->arena, "%.*s", (int)long_len, function->name));
    any = true;
    Str line = first_line(function->doc);
    const char *name = strrchr(function->name, '.') + 1;
    field(cli, json, name, arena_printf(&cli->session->arena, "%.*s", STR_ARG(line)));
    if (!cli->options.json)
      strbuf_printf(&cli->out, "%-24s %.*s\n", name, STR_ARG(line));
  }
  return any;
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
  cli_usage(cli, "`%s` is no error code, operator, builtin, rule, enumeration, class, dtype, gap, target or module", what);
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
  if (strcmp(what, "isa") == 0 && !cli->options.json) {
    instruction_print_page(cli->session, &cli->out);
    return EXIT_OK;
  }
  if (is_instruction(function))
    explain_function(cli, &json, function);
  else if (diag_find(what, &code))
    explain_code(cli, &json, code);
  else if (op_find(str_from(what), &kind) && function_of(cli, &functions, kind))
    explain_function(cli, &json, function_of(cli, &functions, kind));
  else if (op_find(str_from(what), &kind))
    explain_operator(cli, &json, kind, false);
  else if (function)
    explain_function(cli, &json, function);
  else if (gap_find(str_from(what), &gap))
    explain_gap(cli, &json, gap);
  else if (machine_find(what))
    explain_machine(cli, &json, machine_find(what));
  else if (!explain_dtype(cli, &json, library_bare_name(what)) && !explain_arithmetic(cli, &json, library_bare_name(what)) &&
           !explain_definition(cli, &json, what) && !explain_rules(cli, &json, what) &&
           !explain_core_enum(cli, &json, what) && !explain_module(cli, &json, what, &functions)) {
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
