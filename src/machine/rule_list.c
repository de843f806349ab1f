// rule_list.c -- the rows of core/rules.def, legal.def, isa.def and checks.def under one roof.

#include "machine/rule_list.h"
#include "base/bug.h"
#include "base/vec.h"
#include "core/nki_names.h"
#include "core/verify.h"
#include "machine/isa_rules.h"

#include <string.h>

typedef Vec(RuleInfo) Rules;

static const struct {
  OpKind op;
  uint8_t engines[3];
} engine_rows[] = {
#define NONE 0
#define PE (1 << ENGINE_PE)
#define DVE (1 << ENGINE_DVE)
#define ACT (1 << ENGINE_ACT)
#define POOL (1 << ENGINE_POOL)
#define SP (1 << ENGINE_SP)
#define DMA (1 << ENGINE_DMA)
#define ENGINES(op, gen2, gen3, gen4) {OP_##op, {gen2, gen3, gen4}},
#include "machine/legal.def"
};

static const char *field_of(OpKind kind, uint32_t offset)
{
  uint32_t count;
  const FieldInfo *fields = op_info(kind)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (fields[i].offset == offset)
      return fields[i].name;
  return "";
}

// `field`, unless empty, is its name in ops.def and part of the id; `under` is where the rule is listed.
static void add(Arena *arena, Rules *rules, OpKind op, const char *field, const char *under, const char *id,
                RuleInfo rule)
{
  rule.id = rule_id(arena, op, *field ? field : NULL, id);
  rule.function = op_rule_name(arena, op);
  rule.parameter = *under ? field_rule_name(op, under) : "";
  vec_push(arena, rules, rule);
}

static void add_core(Arena *arena, Rules *rules)
{
  size_t count;
  const CoreRule *core = core_rules(arena, &count);
  for (size_t i = 0; i < count; i++)
    add(arena, rules, core[i].op, core[i].field, core[i].field, core[i].id,
        (RuleInfo){.stage = RULE_VERIFY, .generations = ISA_ALL, .code = core[i].code, .asks = core[i].asks,
                   .source = arena_printf(arena, "nki.isa %s", op_rule_name(arena, core[i].op))});
}

// Sets of engines for each generation, as one line: "trn1: vector, gpsimd; trn2: ...".
static const char *engines_text(Arena *arena, const uint8_t *engines)
{
  StrBuf out = strbuf_new(arena);
  bool always = engines[0] == engines[1] && engines[1] == engines[2];
  for (int generation = 2; generation <= (always ? 2 : 4); generation++) {
    const Machine *machine = machine_of_generation(generation);
    if (!always)
      strbuf_printf(&out, "%s%s: ", generation > 2 ? "; " : "", machine->name);
    size_t start = out.len;
    for (int i = 0; i < ENGINE_COUNT; i++)
      if (engines[generation - 2] >> i & 1)
        strbuf_printf(&out, "%s%s", out.len > start ? ", " : "", machine_engine(machine, (Engine)i)->nki_name);
    if (out.len == start)
      strbuf_puts(&out, "none");
  }
  return strbuf_cstr(&out);
}

static void add_engines(Arena *arena, Rules *rules)
{
  for (size_t i = 0; i < sizeof engine_rows / sizeof *engine_rows; i++) {
    const uint8_t *engines = engine_rows[i].engines;
    OpKind op = engine_rows[i].op;
    const char *under = op_info(op)->has_engine_field ? "engine" : "", *asks = engines_text(arena, engines);
    uint8_t lacking = 0, having = 0;
    for (int generation = 2; generation <= 4; generation++)
      *(engines[generation - 2] ? &having : &lacking) |= (uint8_t)(1 << generation);
    RuleInfo rule = {.stage = RULE_TARGET, .generations = having, .code = E_MACHINE_ENGINE, .asks = asks,
                     .source = arena_printf(arena, "nki.isa %s", op_rule_name(arena, op))};
    if (*under)
      add(arena, rules, op, "", under, "engine", rule);
    rule.generations = lacking;
    if (lacking)
      add(arena, rules, op, "", "", "available", rule);
    rule.code = E_MACHINE_REACH;
    rule.asks = "the engine that was asked for reaches the memory of the operands";
    rule.generations = having;
    if (*under && op != OP_core_barrier)  // whose tensor is only named
      add(arena, rules, op, "", under, "engine-reach", rule);
  }
}

static void add_legal(Arena *arena, Rules *rules)
{
  static const char *const of_all[] = {"cores", "tile-partitions", "capacity", "memory", "memory-pieces", "psum-address",
                                       "start-partition", "partition-stride", "tensor-indirection", "packed-operand", "operator-generation"};
#define LEGAL(name, id_, code_, doc_, source_)                                                                         \
  for (size_t i = 0; i < sizeof of_all / sizeof *of_all; i++)                                                          \
    if (strcmp(of_all[i], id_) == 0)                                                                                   \
      vec_push(arena, rules, ((RuleInfo){id_, "", "", RULE_TARGET, ISA_ALL, code_, doc_, source_, false}));
#include "machine/legal.def"
  enum {
#define LEGAL(name, id, code, doc, source) LEGAL_##name,
#include "machine/legal.def"
  };
  static const struct {
    const char *id;
    DiagCode code;
    const char *doc, *source;
  } legal[] = {
#define LEGAL(name, id, code, doc, source) {id, code, doc, source},
#include "machine/legal.def"
  };
#define LEGAL_OF(rule, op_, field)                                                                                     \
  add(arena, rules, OP_##op_, "", #field, legal[LEGAL_##rule].id,                                                      \
      (RuleInfo){.stage = RULE_TARGET, .generations = ISA_ALL, .code = legal[LEGAL_##rule].code,                       \
                 .asks = legal[LEGAL_##rule].doc, .source = legal[LEGAL_##rule].source});
#define NOT_BOTH_IN_PSUM(op, a, b)                                                                                     \
  add(arena, rules, OP_##op, "", #b, legal[LEGAL_BOTH_PSUM].id,                                                        \
      (RuleInfo){.stage = RULE_TARGET, .generations = ISA_ALL, .code = legal[LEGAL_BOTH_PSUM].code,                    \
                 .asks = arena_printf(arena, "`%s` and `%s` are not both in PSUM", field_rule_name(OP_##op, #a),       \
                                      field_rule_name(OP_##op, #b)),                                                   \
                 .source = arena_printf(arena, "nki.isa %s", op_rule_name(arena, OP_##op))});
#include "machine/legal.def"
}

static void add_isa(Arena *arena, Rules *rules)
{
  size_t count;
  const IsaRow *rows = isa_rows(&count);
  for (size_t i = 0; i < count; i++) {
    const char *field = field_of(rows[i].op, rows[i].offset);
    add(arena, rules, rows[i].op, field, field, rows[i].id,
        (RuleInfo){.stage = RULE_TARGET, .generations = rows[i].generations, .code = rows[i].code,
                   .asks = isa_row_asks(arena, &rows[i], true), .source = isa_row_source(arena, &rows[i])});
  }
}

static void add_checked(Arena *arena, Rules *rules)
{
#define CHECKED(function_, parameter_, id_, stage_, code_, asks_, source_)                                             \
  vec_push(arena, rules,                                                                                               \
           ((RuleInfo){arena_printf(arena, "%s%s%s%s%s", function_, *function_ ? "." : "", parameter_,                 \
                                    *parameter_ ? "." : "", id_),                                                      \
                       function_, parameter_, RULE_##stage_, ISA_ALL, code_, asks_, source_, false}));
#include "machine/checks.def"
}

const RuleInfo *rule_list(Arena *arena, size_t *count)
{
  Rules rules = {0};
  add_core(arena, &rules);
  add_legal(arena, &rules);
  add_engines(arena, &rules);
  add_isa(arena, &rules);
  add_checked(arena, &rules);
  for (size_t i = 0; i < rules.count; i++)
    rules.items[i].is_tolerated = rule_tolerated(rules.items[i].id) != NULL;
  *count = rules.count;
  return rules.items;
}

void rule_cite(Diag *diag, Arena *arena, const Machine *machine, const char *id)
{
  if (!diag)
    return;
  size_t count;
  const RuleInfo *rules = rule_list(arena, &count);
  for (size_t i = 0; i < count; i++)
    if (strcmp(rules[i].id, id) == 0) {
      diag_note(diag, "rule: %s", id);
      if (rules[i].stage == RULE_TRACE && !*rules[i].function)
        return;  // argument-kind: the message has what is expected
      if (machine)
        diag_note(diag, "expected on %s (%s): %s [%s]", machine->name, machine->nc_version, rules[i].asks, rules[i].source);
      else
        diag_note(diag, "expected: %s [%s]", rules[i].asks, rules[i].source);
      return;
    }
  bug("no rule %s", id);
}

const CostNote *cost_notes(size_t *count)
{
  enum { DOCUMENTED = true, OBSERVED = false };
  static const CostNote notes[] = {
#define COST(function, provenance, text, source) {function, provenance, text, source},
#include "machine/cost_notes.def"
  };
  *count = sizeof notes / sizeof *notes;
  return notes;
}

const char *engines_of(Arena *arena, OpKind kind)
{
  for (size_t i = 0; i < sizeof engine_rows / sizeof *engine_rows; i++)
    if (engine_rows[i].op == kind)
      return engines_text(arena, engine_rows[i].engines);
  const OpInfo *info = op_info(kind);
  Engine engine = info->has_engine_field ? ENGINE_DMA : info->engine;  // dma_copy: its engine asks for descriptors
  return engine == ENGINE_UNASSIGNED ? "chosen by the compiler" : machine_engine(machine_default(), engine)->nki_name;
}

const char *rule_code_text(Arena *arena, const RuleInfo *rule)
{
  const char *code = diag_info(rule->code)->code;
  return rule->is_tolerated ? arena_printf(arena, "%s, strict %s", diag_info(W_TOLERATED)->code, code) : code;
}

const char *rule_stage_name(RuleStage stage)
{
  switch (stage) {
  case RULE_TRACE: return "trace";
  case RULE_VERIFY: return "verify";
  case RULE_TARGET: return "target";
  case RULE_RUN: return "run";
  }
  return "";
}

const char *rule_generations_text(Arena *arena, uint8_t generations)
{
  if (generations == ISA_ALL)
    return "every target";
  StrBuf out = strbuf_new(arena);
  for (int i = 2; i <= 4; i++)
    if (generations >> i & 1)
      strbuf_printf(&out, "%s%s", out.len ? ", " : "", machine_of_generation(i)->name);
  return strbuf_cstr(&out);
}
