// verify_rules.c -- shapes, dtypes and memories of operands: the rows of rules.def applied to one operator.

#include "core/verify_rules.h"
#include "base/bug.h"
#include "core/nki_names.h"
#include "core/verify_help.h"

#include <inttypes.h>
#include <string.h>

static const struct {
  const char *id;
  DiagCode code;
  const char *doc;
} checks[] = {
#define CHECK(name, id, code, doc) {id, code, doc},
#include "core/rules.def"
};

typedef struct Rule {
  OpKind op;
  CheckKind check;
  uint32_t a, b;  // offsets in Op
  uint64_t number;
} Rule;

#define NO_FIELD UINT32_MAX
static const Rule rules[] = {
#define RULE(op, a, b, check) {OP_##op, CHECK_##check, offsetof(Op, op.a), offsetof(Op, op.b), 0},
#define RULE_N(op, a, number, check) {OP_##op, CHECK_##check, offsetof(Op, op.a), NO_FIELD, number},
#include "core/rules.def"
};

static const struct {
  OpKind op;
  uint32_t reads, writes;
} spaces[] = {
#define SET(memory) (1u << MEMORY_##memory)
#define SPACES(op, reads, writes) {OP_##op, reads, writes},
#include "core/rules.def"
};

// A rule with the slots of its fields; -1 where the field is no tensor operand.
typedef struct RuleUse {
  const Rule *rule;
  int a, b;
} RuleUse;

void rule_book_add(RuleBook *book, OpKind kind)
{
  OpRules *op = &book->ops[kind];
  op_shape_init(&op->shape, kind);
  op->first_value = values_first(kind);
  op->reads = op->writes = UINT32_MAX;  // an operator without a row is not restricted
  for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
    if (spaces[i].op == kind) {
      op->reads = spaces[i].reads;
      op->writes = spaces[i].writes;
    }
  size_t count = 0;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    count += rules[i].op == kind;
  op->uses = arena_array(book->arena, RuleUse, count);
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].op == kind) {
      int a = op_shape_slot(&op->shape, rules[i].a);
      int b = rules[i].b == NO_FIELD ? -1 : op_shape_slot(&op->shape, rules[i].b);
      if (a < 0)
        bug("rule %s of %s names a field that is no operand", checks[rules[i].check].id, op_info(kind)->name);
      op->uses[op->use_count++] = (RuleUse){&rules[i], a, b};
    }
}

static uint64_t tile_elements(const Tile *tile)
{
  return tile->partitions * tile->free_elements;
}

static bool is_integer(const Tile *tile)
{
  return dtype_is_integer(tile->dtype);
}

// The ALU operators of an operator that rule BITS is for, as one flag.
static bool uses_bits(const Op *op)
{
  switch (op->kind) {
  case OP_tensor_tensor: return alu_is_bitvec(op->tensor_tensor.op);
  case OP_tensor_reduce: return alu_is_bitvec(op->tensor_reduce.op);
  case OP_tensor_partition_reduce: return alu_is_bitvec(op->tensor_partition_reduce.op);
  case OP_tensor_scalar:
    return alu_is_bitvec(op->tensor_scalar.op0) ||
           (op->tensor_scalar.op1.some && alu_is_bitvec(op->tensor_scalar.op1.value));
  default: bug("no bitwise form of %s", op_info(op->kind)->name);
  }
}

// Rows of K that one pass of the tensor engine takes: two for the double-row modes, else one.
static uint64_t matmul_rows(const Op *op)
{
  return op->kind == OP_nc_matmul && op->nc_matmul.perf_mode != PERF_MODE_NONE ? 2 : 1;
}

// Elements per partition that remain of `src` when `dims` innermost dimensions are reduced.
static uint64_t remaining_elements(const View *src, uint32_t dims)
{
  uint64_t count = 1;
  for (uint32_t i = 1; i + dims < src->pattern.count; i++)
    count *= src->pattern.items[i].num;
  return count;
}

static uint64_t pattern_positions(const DataPattern *pattern)
{
  uint64_t count = 1;
  for (uint32_t i = 0; i < pattern->pattern.count; i++)
    count *= pattern->pattern.items[i].num;
  return count;
}

static const DataPattern *pattern_of(const Op *op, const Rule *rule)
{
  return (const DataPattern *)((const char *)op + rule->b);
}

static bool lists_agree(const Op *op, const Rule *rule, const Tile *a, Arena *scratch, Tile *odd)
{
  const Core_LIST_TENSOR_REF *list = (const Core_LIST_TENSOR_REF *)((const char *)op + rule->b);
  for (uint32_t i = 0; i < list->count; i++)
    if (tile_of_ref(scratch, &list->items[i], odd) && tile_elements(odd) != tile_elements(a))
      return false;
  return true;
}

static bool holds(Arena *scratch, const Op *op, const Rule *rule, const Tile *a, const Tile *b)
{
  Tile odd;
  switch (rule->check) {
  case CHECK_PARTITIONS: return a->partitions == b->partitions;
  case CHECK_FREE: return a->free_elements == b->free_elements;
  case CHECK_ELEMENTS: return tile_elements(a) == tile_elements(b);
  case CHECK_EACH_ELEMENTS: return lists_agree(op, rule, a, scratch, &odd);
  case CHECK_COLUMN: return a->free_elements == 1 && a->partitions == b->partitions;
  case CHECK_FREE_IS: return a->free_elements == rule->number;
  case CHECK_FREE_MULTIPLE: return a->free_elements % rule->number == 0;
  case CHECK_FREE_MORE: return a->free_elements == b->free_elements + 1;
  case CHECK_PARTITIONS_ARE: return a->partitions == rule->number;
  case CHECK_ONE_ELEMENT: return tile_elements(a) == 1;
  case CHECK_CONTRACTED: return a->partitions == b->partitions;
  case CHECK_MATMUL_ROWS: return a->partitions * matmul_rows(op) == b->free_elements;
  case CHECK_MATMUL_COLUMNS: return a->free_elements * matmul_rows(op) == b->free_elements;
  case CHECK_TRANSPOSED: return a->partitions == b->free_elements && a->free_elements == b->partitions;
  case CHECK_REDUCED: return a->free_elements == remaining_elements(b->view, op->tensor_reduce.op_dim + 1u);
  case CHECK_PATTERN: return a->free_elements == pattern_positions(pattern_of(op, rule));
  case CHECK_INTEGER: return is_integer(a);
  case CHECK_SAME_DTYPE: return a->dtype == b->dtype || dtype_same_format(a->dtype, b->dtype);
  case CHECK_PACKED: return dtype_is_packed(a->dtype);
  case CHECK_BITS: return !uses_bits(op) || (is_integer(a) && is_integer(b));
  }
  bug("check %d", (int)rule->check);
}

static const char *found_text(Arena *arena, const Tile *tile, bool dtypes)
{
  return dtypes ? core_DTYPE.of->member_name(tile->dtype) : tile_shape_text(arena, tile);
}

static const char *field_at(OpKind kind, uint32_t offset)
{
  uint32_t count;
  const FieldInfo *fields = op_info(kind)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (fields[i].offset == offset)
      return fields[i].name;
  bug("%s has no field at %u", op_info(kind)->name, offset);
}

// The field that a rule is about: the result only when there is no other.
static const char *rule_field(const Rule *rule)
{
  const char *a = field_at(rule->op, rule->a);
  return rule->b != NO_FIELD && strcmp(a, "dst") == 0 ? field_at(rule->op, rule->b) : a;
}

static void report_rule(Reporter *reporter, const OpRules *op_rules, const Instr *instr, const RuleUse *use,
                        const Tile *tiles)
{
  const Rule *rule = use->rule;
  const TileSlot *slots = op_rules->shape.slots;
  Arena *arena = &reporter->session->arena;
  bool dtypes = checks[rule->check].code == E_CORE_DTYPE;
  const Tile *a = &tiles[use->a], *b = use->b >= 0 ? &tiles[use->b] : NULL;
  Tile odd;
  if (rule->check == CHECK_EACH_ELEMENTS) {
    lists_agree(instr->op, rule, a, &reporter->scratch, &odd);
    b = &odd;
  }
  const char *a_field = slots[use->a].field->name, *b_field = b ? slots[use->b].field->name : NULL;
  const char *a_name = field_known_as(instr, a_field), *b_name = b ? field_known_as(instr, b_field) : NULL;
  const char *op_name = op_known_as(instr), *a_found = found_text(arena, a, dtypes);
  const char *b_found = b ? found_text(arena, b, dtypes) : NULL;
  Diag *diag =
      report_at(reporter, instr->pos, checks[rule->check].code, rule_id(arena, rule->op, rule_field(rule), checks[rule->check].id),
                "`%s` of `%s` is %s%s%s%s%s", a_name, op_name, a_found, b ? ", `" : "", b ? b_name : "",
                b ? "` is " : "", b ? b_found : "");
  if (!diag)
    return;
  if (rule->number > 0)
    diag_note(diag, "expected: %s: %" PRIu64, checks[rule->check].doc, rule->number);
  else
    diag_note(diag, "expected: %s", checks[rule->check].doc);
  if (rule->check == CHECK_PATTERN)
    diag_note(diag, "the pattern has %" PRIu64 " positions", pattern_positions(pattern_of(instr->op, rule)));
  report_operand(reporter, diag, instr, a_field, a);
  if (b)
    report_operand(reporter, diag, instr, b_field, b);
  help_rule(reporter, diag, instr, rule->check, a_field, a, b_field, b, rule->number);
}

static const char *space_text(uint32_t set)
{
  bool hbm = set & 1u << MEMORY_HBM, sbuf = set & 1u << MEMORY_SBUF, psum = set & 1u << MEMORY_PSUM;
  return hbm && sbuf && psum ? "HBM, SBUF or PSUM"
         : hbm && sbuf       ? "HBM or SBUF"
         : sbuf && psum      ? "SBUF or PSUM"
         : psum              ? "PSUM"
                             : "SBUF";
}

static void report_space(Reporter *reporter, const Instr *instr, const char *field, const Tile *tile, uint32_t set,
                         bool written)
{
  const char *memory = core_MEMORY.of->member_name(tile->memory);
  const char *id = rule_id(&reporter->session->arena, instr->op->kind, field, "space");
  Diag *diag = report_at(reporter, instr->pos, E_CORE_SPACE, id, "`%s` cannot %s `%s` in %s", op_known_as(instr),
                         written ? "write" : "read", field_known_as(instr, field), memory);
  if (!diag)
    return;
  diag_note(diag, "expected: a tile in %s", space_text(set));
  report_operand(reporter, diag, instr, field, tile);
  help_space(reporter, diag, instr, field, tile, set, written);
}

void rules_apply(Reporter *reporter, const OpRules *op_rules, const Instr *instr, const Tile *tiles)
{
  const OpShape *shape = &op_rules->shape;
  for (uint32_t i = 0; i < shape->count; i++) {
    if (!tiles[i].is_known)
      continue;
    bool written = shape->slots[i].field->role == ROLE_WRITE || shape->slots[i].field->role == ROLE_UPDATE;
    uint32_t set = written ? op_rules->writes : op_rules->reads;
    if (!(set >> tiles[i].memory & 1))
      report_space(reporter, instr, shape->slots[i].field->name, &tiles[i], set, written);
  }
  for (uint32_t i = 0; i < op_rules->use_count; i++) {
    const RuleUse *use = &op_rules->uses[i];
    bool applies = tiles[use->a].is_known &&
                   (use->b < 0 || tiles[use->b].is_known || shape->slots[use->b].type == &core_LIST_TENSOR_REF);
    if (applies &&
        !holds(&reporter->scratch, instr->op, use->rule, &tiles[use->a], use->b >= 0 ? &tiles[use->b] : NULL))
      report_rule(reporter, op_rules, instr, use, tiles);
  }
}

static bool has_role(const OpRules *op, bool written)
{
  for (uint32_t i = 0; i < op->shape.count; i++) {
    Role role = op->shape.slots[i].field->role;
    if ((role == ROLE_WRITE || role == ROLE_UPDATE) == written)
      return true;
  }
  return false;
}

void rules_print(RuleBook *book, OpKind kind, StrBuf *out)
{
  const OpRules *op = rule_book_op(book, kind);
  bool is_restricted = op->reads != UINT32_MAX;
  if (is_restricted || op->use_count)
    strbuf_puts(out, "\nRules:\n\n");
  if (is_restricted && has_role(op, false))
    strbuf_printf(out, "* `space`: reads %s\n", space_text(op->reads));
  if (is_restricted && has_role(op, true))
    strbuf_printf(out, "* `space`: writes %s\n", space_text(op->writes));
  for (uint32_t i = 0; i < op->use_count; i++) {
    const Rule *rule = op->uses[i].rule;
    strbuf_printf(out, "* `%s`: `%s`", checks[rule->check].id, field_at(kind, rule->a));
    if (rule->b != NO_FIELD)
      strbuf_printf(out, ", `%s`", field_at(kind, rule->b));
    strbuf_printf(out, ": %s", checks[rule->check].doc);
    if (rule->number)
      strbuf_printf(out, ": %" PRIu64, rule->number);
    strbuf_putc(out, '\n');
  }
}

// ---- the rules as a list

static const char *rule_asks(Arena *arena, const Rule *rule)
{
  const char *doc = checks[rule->check].doc, *other = rule->b == NO_FIELD ? NULL : field_at(rule->op, rule->b);
  if (rule->number)
    return arena_printf(arena, "%s: %" PRIu64, doc, rule->number);
  if (!other)
    return doc;
  return arena_printf(arena, "%s (`%s` and `%s`)", doc, field_rule_name(rule->op, field_at(rule->op, rule->a)),
                      field_rule_name(rule->op, other));
}

static uint32_t space_rules(RuleBook *book, OpKind kind, CoreRule *out)
{
  const OpRules *op = rule_book_op(book, kind);
  uint32_t count = 0;
  for (uint32_t i = 0; i < op->shape.count && op->reads != UINT32_MAX; i++) {
    const TileSlot *slot = &op->shape.slots[i];
    if (slot->type == &core_LIST_TENSOR_REF)
      continue;
    bool written = slot->field->role == ROLE_WRITE || slot->field->role == ROLE_UPDATE;
    if (out)
      out[count] = (CoreRule){kind, slot->field->name, "space", E_CORE_SPACE,
                              arena_printf(book->arena, "a tile in %s", space_text(written ? op->writes : op->reads))};
    count++;
  }
  return count;
}

const CoreRule *core_rules(Arena *arena, size_t *count)
{
  RuleBook *book = arena_new(arena, RuleBook);
  book->arena = arena;
  size_t rule_count = sizeof rules / sizeof *rules, all = rule_count + values_list(NULL);
  for (int i = 0; i < OP_COUNT; i++)
    all += space_rules(book, (OpKind)i, NULL);
  CoreRule *list = arena_array(arena, CoreRule, all);
  size_t next = 0;
  for (int i = 0; i < OP_COUNT; i++)
    next += space_rules(book, (OpKind)i, list + next);
  for (size_t i = 0; i < rule_count; i++)
    list[next++] = (CoreRule){rules[i].op, rule_field(&rules[i]), checks[rules[i].check].id, checks[rules[i].check].code,
                              rule_asks(arena, &rules[i])};
  values_list(list + next);
  *count = all;
  return list;
}
