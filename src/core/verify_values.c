// verify_values.c -- attributes whose values an operator does not take: the rows VALUE of rules.def applied.

#include "core/nki_names.h"
#include "core/verify_rules.h"

#include <inttypes.h>

// What a predicate looks at, and says: it is true when the rule holds, else `found` tells what is there.
typedef struct ValueCheck {
  Reporter *reporter;
  const Instr *instr;
  const Op *op;
  const void *value;  // of the field
  const char *found;
} ValueCheck;

typedef bool ValuePredicate(ValueCheck *check);

static bool found(ValueCheck *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool found(ValueCheck *check, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  check->found = arena_vprintf(&check->reporter->session->arena, format, args);
  va_end(args);
  return false;
}

static const char *alu_text(const ValueCheck *check, AluOp op)
{
  const char *name = instr_is_traced(check->instr) ? alu_info(op)->nki_name : NULL;
  return name ? name : alu_wire_name(op);
}

// Two steps on bits, or two in float32: the value between them is never converted.
static bool one_group(ValueCheck *check)
{
  AluOp op0 = check->op->tensor_scalar.op0;
  const Core_OPT_ALU_OP *op1 = check->value;
  return !op1->some || op0 == ALU_OP_BYPASS || op1->value == ALU_OP_BYPASS ||
         alu_is_bitvec(op0) == alu_is_bitvec(op1->value) ||
         found(check, "%s, and op0 is %s", alu_text(check, op1->value), alu_text(check, op0));
}

static bool reduces(ValueCheck *check)
{
  AluOp op = *(const AluOp *)check->value;
  bool is_magnitude = op == ALU_OP_ABS_MAX || op == ALU_OP_ABS_MIN;  // not marked as such, but kernels reduce with it
  bool is_average = op == ALU_OP_AVERAGE && check->op->kind == OP_tensor_reduce;  // of partitions only
  return (alu_info(op)->reduces && !is_average) || is_magnitude || found(check, "%s", alu_text(check, op));
}

static bool compares(ValueCheck *check)
{
  AluOp op = *(const AluOp *)check->value;
  switch (op) {
  case ALU_OP_IS_EQUAL:
  case ALU_OP_IS_GE:
  case ALU_OP_IS_GT:
  case ALU_OP_IS_LE:
  case ALU_OP_IS_LT:
  case ALU_OP_NOT_EQUAL: return true;
  default: return found(check, "%s", alu_text(check, op));
  }
}

static bool pattern_rank(ValueCheck *check)
{
  const DataPattern *pattern = check->value;
  return pattern->pattern.count <= 4 || found(check, "a list of %u", pattern->pattern.count);
}

static bool shuffle_mask(ValueCheck *check)
{
  const Core_LIST_IMMEDIATE *mask = check->value;
  if (mask->count != 32)
    return found(check, "a list of %u", mask->count);
  for (uint32_t i = 0; i < mask->count; i++) {
    const Immediate *at = &mask->items[i];
    if (at->ctor == Immediate_integer && (at->integer < 0 || at->integer > 31) && at->integer != 255)
      return found(check, "%d at %u", (int)at->integer, i);
  }
  return true;
}

static bool pair_of_both(ValueCheck *check, const Core_LIST_NAT *position, const Core_LIST_NAT *size)
{
  uint32_t positions = position ? position->count : 0, sizes = size ? size->count : 0;
  if ((positions == 0 || positions == 2) && positions == sizes)
    return true;
  return found(check, "a list of %u, and tile_size a list of %u", positions, sizes);
}

static bool tile_pair(ValueCheck *check)
{
  return pair_of_both(check, &check->op->nc_matmul.tile_position, &check->op->nc_matmul.tile_size);
}

static bool mx_tile_pair(ValueCheck *check)
{
  return pair_of_both(check, check->op->nc_matmul_mx.tile_position, check->op->nc_matmul_mx.tile_size);
}

static bool adds(ValueCheck *check)
{
  AluOp op = *(const AluOp *)check->value;
  return op == ALU_OP_ADD || found(check, "%s", alu_text(check, op));
}

static bool scale_for_each(ValueCheck *check)
{
  const struct Op_dma_compute *op = &check->op->dma_compute;
  return op->scales.count == 0 || op->scales.count == op->srcs.count ||
         found(check, "a list of %u, for %u sources", op->scales.count, op->srcs.count);
}

static bool power_of_two(ValueCheck *check)
{
  const Immediate *count = check->value;
  return count->ctor != Immediate_integer ||
         (count->integer >= 1 && count->integer <= 32 && (count->integer & (count->integer - 1)) == 0) ||
         found(check, "%d", (int)count->integer);
}

static const struct {
  OpKind op;
  uint32_t offset;
  ValuePredicate *holds;
  const char *id, *asks;
} values[] = {
#define VALUE(op, field, predicate, id, asks) {OP_##op, offsetof(Op, op.field), predicate, id, asks},
#include "core/rules.def"
};
enum { VALUE_COUNT = sizeof values / sizeof *values };

static const char *field_at(OpKind kind, uint32_t offset)
{
  uint32_t count;
  const FieldInfo *fields = op_info(kind)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (fields[i].offset == offset)
      return fields[i].name;
  return "";
}

static void report_value(ValueCheck *check, size_t row)
{
  const Instr *instr = check->instr;
  const char *field = field_at(instr->op->kind, values[row].offset);
  const char *id = rule_id(&check->reporter->session->arena, instr->op->kind, field, values[row].id);
  Diag *diag = report_at(check->reporter, instr->pos, E_CORE_VALUE, id, "`%s` of `%s` is %s",
                         field_known_as(instr, field), op_known_as(instr), check->found);
  if (!diag)
    return;
  diag_note(diag, "expected: %s", values[row].asks);
  if (values[row].holds == one_group)
    diag_help(diag, "use two instructions, one for each step");
}

// Rows of one operator are neighbours.
uint32_t values_first(OpKind kind)
{
  uint32_t row = 0;
  while (row < VALUE_COUNT && values[row].op != kind)
    row++;
  return row;
}

void values_check(Reporter *reporter, const Instr *instr, uint32_t first)
{
  for (size_t row = first; row < VALUE_COUNT && values[row].op == instr->op->kind; row++) {
    ValueCheck check = {reporter, instr, instr->op, (const char *)instr->op + values[row].offset, NULL};
    if (!values[row].holds(&check))
      report_value(&check, row);
  }
}

uint32_t values_list(CoreRule *out)
{
  for (size_t row = 0; row < VALUE_COUNT && out; row++)
    out[row] = (CoreRule){values[row].op, field_at(values[row].op, values[row].offset), values[row].id, E_CORE_VALUE,
                          values[row].asks};
  return VALUE_COUNT;
}
