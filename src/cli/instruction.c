#include "cli/instruction.h"

#include "base/vec.h"
#include "core/nki_names.h"
#include "machine/gaps.h"

#include <string.h>

// ---- parameters

// Where the argument that begins at `at` ends: at a comma or bracket outside of brackets and quotes.
static size_t argument_end(const char *text, size_t at)
{
  int depth = 0;
  for (char quote = 0; text[at]; at++) {
    char c = text[at];
    if (quote || c == '"' || c == '\'')
      quote = !quote ? c : c == quote ? 0 : quote;
    else if (c == '(' || c == '[')
      depth++;
    else if ((c == ')' || c == ']') && depth-- == 0)
      break;
    else if (c == ',' && depth == 0)
      break;
  }
  return at;
}

static const char *kind_text(const TypeInfo *type)
{
  while (type->form == FORM_BOXED || type->form == FORM_OPTION || type->form == FORM_SAME)
    type = type->of;
  switch (type->form) {
  case FORM_BOOL: return "True or False";
  case FORM_NAT:
  case FORM_NAT32:
  case FORM_INT:
  case FORM_INT32: return "int";
  case FORM_F32: return "number";
  case FORM_STRING:
  case FORM_OPT_STRING: return type == &core_REGISTER ? "register" : "text";
  case FORM_LIST: return type->of == &core_TENSOR_REF ? "list of tensors" : "list of numbers";
  case FORM_ENUM:
    return type->name && strcmp(type->name, "AluOp") == 0            ? "ALU operator"
           : type->name && strcmp(type->name, "ActivationFunc") == 0 ? "activation function"
                                                                     : "enumeration";
  case FORM_SUM:
    return type == &core_type_TensorRef   ? "tile"
           : type == &core_type_Operand   ? "number or (P, 1) tile"
           : type == &core_type_Immediate ? "number"
                                          : "enumeration";
  default: return "pattern";
  }
}

static const char *access_text(Role role)
{
  switch (role) {
  case ROLE_READ: return ", read";
  case ROLE_WRITE: return ", written";
  case ROLE_UPDATE: return ", read and written";
  case ROLE_PARAM: return "";
  }
  return "";
}

static const FieldInfo *field_of_parameter(const Instruction *instruction, const char *name)
{
  uint32_t count = 0;
  const FieldInfo *fields = instruction->has_op ? op_info(instruction->op)->fields(&count) : NULL;
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(field_rule_name(instruction->op, fields[i].name), name) == 0)
      return &fields[i];
  return NULL;
}

static const char *family_of(const RuleInfo *rule)
{
  const char *dot = strrchr(rule->id, '.');
  return dot ? dot + 1 : rule->id;
}

// What the rules of some families ask of a parameter, with their targets where these are not all.
static const char *asked(Arena *arena, const Instruction *instruction, const char *parameter,
                         const char *const *families)
{
  StrBuf out = strbuf_new(arena);
  strbuf_puts(&out, "");
  for (size_t i = 0; i < instruction->rule_count; i++) {
    const RuleInfo *rule = instruction->rules[i];
    bool counts = false;
    for (const char *const *family = families; *family; family++)
      counts |= strcmp(family_of(rule), *family) == 0;
    if (!counts || strcmp(rule->parameter, parameter) != 0)
      continue;
    const char *asks = strncmp(rule->asks, "one of ", 7) == 0      ? rule->asks + 7
                       : strncmp(rule->asks, "a tile in ", 10) == 0 ? rule->asks + 10
                                                                    : rule->asks;
    bool everywhere = strcmp(rule_generations_text(arena, rule->generations), "every target") == 0;
    strbuf_printf(&out, "%s%s%s%s", out.len ? "; " : "",
                  everywhere ? "" : rule_generations_text(arena, rule->generations), everywhere ? "" : ": ", asks);
  }
  return strbuf_cstr(&out);
}

// Parameters that are no field of the operator, or whose field's type does not say what to pass.
static const struct {
  const char *function, *name, *kind;  // function NULL: of any
} known_kinds[] = {
    {NULL, "name", "label for profilers"},
    {NULL, "replica_group", "groups of ranks: a ReplicaGroup, or lists of ints"},
    {NULL, "source_target_pairs", "list of (source rank, target rank)"},
    {NULL, "metadata_tensor", "tensor, read; its row 2 written unless recv_counts_known"},
    {NULL, "srcs_by_channel", "a list of one tensor for each channel, read"},
    {NULL, "srcs0_by_channel", "a list of one tensor for each channel, read"},
    {NULL, "srcs1_by_channel", "a list of one tensor for each channel, read"},
    {NULL, "dsts_by_channel", "a list of one tensor for each channel, written"},
    {NULL, "channel_ids", "list of ints: [0], [0, 1], ..."},
    {NULL, "channel_id", "int"},
    {NULL, "iteration_id", "int: steps around the ring so far"},
    {NULL, "recv_counts_known", "True or False"},
    {NULL, "has_rdispls", "True or False"},
    {NULL, "reverse1", "True or False"},
    {NULL, "unique_indices", "True"},
    {NULL, "oob_mode", "enumeration"},
    {NULL, "dma_engine", "enumeration"},
    {NULL, "offset", "int"},
    {NULL, "channel_multiplier", "int"},
    {"tensor_reduce", "axis", "int or tuple of ints: dimensions of `data`"},
    {"register_alloc", "x", "None, int or tile of one element"},
    {"register_move", "dst", "register, written"},
    {"register_move", "src", "int or register, read"},
};

static const char *known_kind(const Instruction *instruction, const char *parameter)
{
  for (size_t i = 0; i < sizeof known_kinds / sizeof *known_kinds; i++)
    if (strcmp(known_kinds[i].name, parameter) == 0 &&
        (!known_kinds[i].function || strcmp(known_kinds[i].function, instruction->name) == 0))
      return known_kinds[i].kind;
  return NULL;
}

static Parameter parameter_of(Arena *arena, const Instruction *instruction, Str text)
{
  static const char *const memory_rules[] = {"space", "memory", NULL};
  static const char *const dtype_rules[] = {"dtype", "integer", "packed", "same-dtype", "float32", "bitwise-integers", "matmul-result",
                                            "float", NULL};
  const char *equals = memchr(text.data, '=', text.len);
  size_t name_len = equals ? (size_t)(equals - text.data) : text.len;
  Parameter made = {.name = arena_printf(arena, "%.*s", (int)name_len, text.data), .kind = "", .memories = "", .dtypes = ""};
  if (equals)
    made.preset = arena_printf(arena, "%.*s", (int)(text.len - name_len - 1), equals + 1);
  const FieldInfo *field = field_of_parameter(instruction, made.name);
  const char *known = known_kind(instruction, made.name);
  if (known)
    made.kind = known;
  if (!field)
    return made;
  if (!known)
    made.kind = arena_printf(arena, "%s%s", kind_text(field->type), access_text(field->role));
  bool is_tile = strstr(made.kind, "tile") || strstr(made.kind, "tensors");
  made.memories = asked(arena, instruction, made.name, memory_rules);
  made.dtypes = asked(arena, instruction, made.name, dtype_rules);
  if (is_tile && !*made.dtypes)
    made.dtypes = "any";
  return made;
}

static void add_parameters(Arena *arena, Instruction *instruction)
{
  const char *signature = instruction->function->signature;
  Vec(Parameter) all = {0};
  for (size_t at = 1; signature[at] && signature[at] != ')';) {
    size_t end = argument_end(signature, at);
    if (end > at)
      vec_push(arena, &all, parameter_of(arena, instruction, (Str){signature + at, end - at}));
    at = end + (signature[end] == ',');
    while (signature[at] == ' ')
      at++;
  }
  instruction->parameters = all.items;
  instruction->parameter_count = all.count;
}

const char *instruction_name(const LibraryFunction *function)
{
  bool is_isa = str_starts_with(str_from(function->short_name), "nisa.");
  return is_isa ? strrchr(function->name, '.') + 1 : function->short_name;
}

// "nccl.all_gather" of "nccl.all_gather_v", which is that operator with metadata.
static const char *whole_name(Arena *arena, const char *name)
{
  bool is_variable = str_ends_with(str_from(name), "_v");
  return arena_printf(arena, "%.*s", (int)(strlen(name) - (is_variable ? 2 : 0)), name);
}

// Whether a rule of the operator is one of the function: of two that share it, each has its own parameters, and the
// sizes of pieces of different lengths are those of the metadata.
static bool is_rule_of(const RuleInfo *rule, const Instruction *instruction)
{
  bool is_variable = str_ends_with(str_from(instruction->name), "_v");
  bool is_of_variable = str_ends_with(str_from(rule->source), "_v");
  static const char *const lists[] = {"size", "lists", "memory", "hbm", "dim", "count"};
  for (size_t i = 0; is_variable && i < sizeof lists / sizeof *lists; i++)
    if (strcmp(family_of(rule), lists[i]) == 0)
      return false;
  return is_variable || !is_of_variable;
}

Instruction instruction_of(Arena *arena, const LibraryFunction *function, const RuleInfo *rules, size_t rule_count)
{
  Instruction made = {.function = function, .name = instruction_name(function), .engines = ""};
  const char *whole = whole_name(arena, made.name);
  for (int i = 0; i < OP_COUNT && !made.has_op; i++)
    if (strcmp(op_rule_name(arena, (OpKind)i), whole) == 0) {
      made.op = (OpKind)i;
      made.has_op = true;
      made.engines = engines_of(arena, (OpKind)i);
    }
  made.rules = arena_array(arena, const RuleInfo *, rule_count);
  for (size_t i = 0; i < rule_count; i++)
    if (strcmp(rules[i].function, whole) == 0 && is_rule_of(&rules[i], &made))
      made.rules[made.rule_count++] = &rules[i];
  add_parameters(arena, &made);
  return made;
}

// ---- printing

static bool gap_is_of(Gap gap, const Instruction *instruction)
{
  return gap_is_about(gap, str_from(instruction->name));
}

static void add_costs(StrBuf *out, const Instruction *instruction, const char *title, const char *bullet)
{
  size_t count;
  const CostNote *notes = cost_notes(&count);
  bool first = true;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(notes[i].function, instruction->name) != 0)
      continue;
    strbuf_printf(out, "%s%s%s: %s [%s]\n", first ? title : "", bullet, notes[i].is_documented ? "documented" : "observed",
                  notes[i].text, notes[i].source);
    first = false;
  }
}

static void add_gaps(StrBuf *out, const Instruction *instruction, const char *title, const char *bullet, const char *quote)
{
  bool first = true;
  for (int i = 0; i < GAP_COUNT; i++) {
    const GapInfo *gap = gap_info((Gap)i);
    if (!gap_is_of((Gap)i, instruction))
      continue;
    strbuf_printf(out, "%s%s%s%s%s: %s; %s: %s\n", first ? title : "", bullet, quote, gap->id, quote, gap->open,
                  gap->kind == GAP_KIND_USE ? "stops, or with --lenient" : "always", gap->choice);
    first = false;
  }
}

void instruction_add_text(StrBuf *out, const Instruction *instruction)
{
  if (*instruction->engines)
    strbuf_printf(out, "\nEngines: %s\n", instruction->engines);
  if (instruction->parameter_count)
    strbuf_puts(out, "\nParameters:\n");
  for (size_t i = 0; i < instruction->parameter_count; i++) {
    const Parameter *p = &instruction->parameters[i];
    strbuf_printf(out, "  %-22s %s%s%s%s%s\n", p->name, p->kind, *p->memories ? "; in " : "", p->memories,
                  *p->dtypes ? "; dtype: " : "", p->dtypes);
  }
  if (instruction->rule_count)
    strbuf_puts(out, "\nRules:\n");
  for (size_t i = 0; i < instruction->rule_count; i++) {
    const RuleInfo *rule = instruction->rules[i];
    strbuf_printf(out, "  %-40s %s, %s: %s\n", rule->id, rule_code_text(out->arena, rule),
                  rule_generations_text(out->arena, rule->generations), rule->asks);
  }
  add_gaps(out, instruction, "\nThe documents leave open:\n", "  ", "");
  add_costs(out, instruction, "\nTime:\n", "  ");
  const char *name = instruction->function->name, *dot = strrchr(name, '.');
  strbuf_printf(out, "\nSource: %.*s %s\n", (int)(dot - name), name, dot + 1);
}

static void json_member(JsonWriter *json, const char *key, const char *value)
{
  json_key(json, key);
  json_text(json, str_from(value));
}

void instruction_add_json(JsonWriter *json, const Instruction *instruction)
{
  json_member(json, "engines", instruction->engines);
  json_key(json, "parameters");
  json_begin_array(json);
  for (size_t i = 0; i < instruction->parameter_count; i++) {
    const Parameter *p = &instruction->parameters[i];
    json_begin_object(json);
    json_member(json, "name", p->name);
    json_member(json, "default", p->preset ? p->preset : "");
    json_member(json, "kind", p->kind);
    json_member(json, "memories", p->memories);
    json_member(json, "dtypes", p->dtypes);
    json_end_object(json);
  }
  json_end_array(json);
  json_key(json, "checks");
  json_begin_array(json);
  for (size_t i = 0; i < instruction->rule_count; i++)
    json_text(json, str_from(instruction->rules[i]->id));
  json_end_array(json);
  json_key(json, "gaps");
  json_begin_array(json);
  for (int i = 0; i < GAP_COUNT; i++)
    if (gap_is_of((Gap)i, instruction))
      json_text(json, str_from(gap_info((Gap)i)->id));
  json_end_array(json);
  StrBuf costs = strbuf_new(json->out->arena);
  strbuf_puts(&costs, "");
  add_costs(&costs, instruction, "", "");
  json_member(json, "time", strbuf_cstr(&costs));
}

void instruction_add_markdown(StrBuf *out, const Instruction *instruction)
{
  const LibraryFunction *function = instruction->function;
  strbuf_printf(out, "\n## %s\n\n    %s%s\n\n%s\n", strrchr(function->name, '.') + 1, function->short_name,
                function->signature, function->doc);
  if (*instruction->engines)
    strbuf_printf(out, "\nEngines: %s.\n", instruction->engines);
  if (instruction->parameter_count)
    strbuf_puts(out, "\n| parameter | is | memories | dtypes |\n|---|---|---|---|\n");
  for (size_t i = 0; i < instruction->parameter_count; i++) {
    const Parameter *p = &instruction->parameters[i];
    strbuf_printf(out, "| `%s` | %s | %s | %s |\n", p->name, p->kind, p->memories, p->dtypes);
  }
  if (instruction->rule_count)
    strbuf_puts(out, "\n| rule | code | targets | asks |\n|---|---|---|---|\n");
  for (size_t i = 0; i < instruction->rule_count; i++) {
    const RuleInfo *rule = instruction->rules[i];
    strbuf_printf(out, "| `%s` | %s | %s | %s |\n", rule->id + strlen(rule->function) + 1, rule_code_text(out->arena, rule),
                  rule_generations_text(out->arena, rule->generations), rule->asks);
  }
  add_gaps(out, instruction, "\nThe documents leave open:\n\n", "* ", "`");
  add_costs(out, instruction, "\nTime:\n\n", "* ");
}

// A function with a section of its own: those of nki.isa, not of its modules, and of nki.collectives.
static bool is_on_page(const LibraryFunction *function)
{
  static const char *const pages[] = {"nki.isa.", "nki.collectives."};
  for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
    if (str_starts_with(str_from(function->name), pages[i]) && !strchr(function->name + strlen(pages[i]), '.'))
      return true;
  return false;
}

void instruction_print_page(Session *session, StrBuf *out)
{
  Arena *arena = &session->arena;
  LibraryFunctions functions = library_functions(session);
  size_t count;
  const RuleInfo *rules = rule_list(arena, &count);
  strbuf_puts(out, "# Instructions\n\nEvery function of nki.isa and nki.collectives: its signature and meaning from nki/, what "
                   "it asks from the tables of src/core and src/machine. Made by `klr explain isa`; a test keeps it current. "
                   "A rule's whole name begins with the function's: `klr explain tensor_tensor.op.operator` says where it "
                   "comes from; of collectives with `nccl.`.\n\n");
  for (size_t i = 0; i < functions.count; i++)
    if (is_on_page(&functions.items[i])) {
      const char *name = strrchr(functions.items[i].name, '.') + 1;
      strbuf_printf(out, "[%s](#%s)\n", name, name);
    }
  for (size_t i = 0; i < functions.count; i++)
    if (is_on_page(&functions.items[i])) {
      Instruction made = instruction_of(arena, &functions.items[i], rules, count);
      instruction_add_markdown(out, &made);
    }
}
