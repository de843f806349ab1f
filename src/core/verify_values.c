// verify_values.c -- attributes whose values an operator does not take, where the documents say so.

#include "core/nki_names.h"
#include "core/verify_rules.h"

#include <inttypes.h>

static Diag *report(Reporter *reporter, const Instr *instr, const char *rule, const char *field, const char *found,
                    const char *expected)
{
  const char *id = rule_id(&reporter->session->arena, instr->op->kind, field, rule);
  Diag *diag = report_at(reporter, instr->pos, E_CORE_VALUE, id, "`%s` of `%s` is %s",
                         field_known_as(instr, field), op_known_as(instr), found);
  if (diag)
    diag_note(diag, "expected: %s", expected);
  return diag;
}

static const char *count_text(Reporter *reporter, uint32_t count)
{
  return arena_printf(&reporter->session->arena, "a list of %u", count);
}

// Two steps on bits, or two in float32: the value between them is never converted.
static void check_groups(Reporter *reporter, const Instr *instr, AluOp op0, Core_OPT_ALU_OP op1)
{
  if (!op1.some || op0 == ALU_OP_BYPASS || op1.value == ALU_OP_BYPASS || alu_is_bitvec(op0) == alu_is_bitvec(op1.value))
    return;
  Diag *diag = report(reporter, instr, "alu-group", "op1", alu_wire_name(op1.value),
                      alu_is_bitvec(op0) ? "a bit operator, as op0 is one" : "an arithmetic operator, as op0 is one");
  if (diag)
    diag_help(diag, "use two instructions, one for each step");
}

static void check_reduction(Reporter *reporter, const Instr *instr, AluOp op)
{
  bool is_magnitude = op == ALU_OP_ABS_MAX || op == ALU_OP_ABS_MIN;  // not marked as such, but kernels reduce with it
  if (!alu_info(op)->reduces && !is_magnitude)
    report(reporter, instr, "reduction", "op", alu_wire_name(op),
           "an operator that reduces, such as add, mult, max or min");
}

static bool is_comparison(AluOp op)
{
  switch (op) {
  case ALU_OP_IS_EQUAL:
  case ALU_OP_IS_GE:
  case ALU_OP_IS_GT:
  case ALU_OP_IS_LE:
  case ALU_OP_IS_LT:
  case ALU_OP_NOT_EQUAL: return true;
  default: return false;
  }
}

static void check_comparison(Reporter *reporter, const Instr *instr, const char *field, AluOp op)
{
  if (!is_comparison(op))
    report(reporter, instr, "comparison", field, alu_wire_name(op), "a comparison, such as is_ge");
}

static void check_pattern(Reporter *reporter, const Instr *instr, const char *field, const DataPattern *pattern)
{
  if (pattern->pattern.count > 4)
    report(reporter, instr, "pattern-rank", field, count_text(reporter, pattern->pattern.count),
           "at most four dimensions");
}

static void check_mask(Reporter *reporter, const Instr *instr, const Core_LIST_IMMEDIATE *mask)
{
  if (mask->count != 32) {
    report(reporter, instr, "shuffle-mask", "shuffle_mask", count_text(reporter, mask->count), "32 numbers");
    return;
  }
  for (uint32_t i = 0; i < mask->count; i++) {
    const Immediate *at = &mask->items[i];
    if (at->ctor == Immediate_integer && (at->integer < 0 || at->integer > 31) && at->integer != 255)
      report(reporter, instr, "shuffle-mask", "shuffle_mask",
             arena_printf(&reporter->session->arena, "%d at %u", (int)at->integer, i),
             "0 to 31, or 255 to keep the row");
  }
}

static void check_array_tile(Reporter *reporter, const Instr *instr, const Core_LIST_NAT *position,
                             const Core_LIST_NAT *size)
{
  uint32_t positions = position ? position->count : 0, sizes = size ? size->count : 0;
  if ((positions != 0 && positions != 2) || (sizes != 0 && sizes != 2) || positions != sizes)
    report(reporter, instr, "array-tile-pair", positions != sizes ? "tile_position" : "tile_size",
           count_text(reporter, positions != sizes ? positions : sizes),
           "rows and columns in both tile_position and tile_size, or neither");
}

static void check_dma_compute(Reporter *reporter, const Instr *instr, const struct Op_dma_compute *op)
{
  if (op->reduce_op != ALU_OP_ADD)
    report(reporter, instr, "dma-compute-op", "reduce_op", alu_wire_name(op->reduce_op), "add");
  if (op->scales.count != 0 && op->scales.count != op->srcs.count)
    report(reporter, instr, "dma-compute-scales", "scales", count_text(reporter, op->scales.count),
           "one factor for each source");
}

static void check_gather(Reporter *reporter, const Instr *instr, const Immediate *count)
{
  if (count->ctor == Immediate_integer &&
      (count->integer < 1 || count->integer > 32 || (count->integer & (count->integer - 1))))
    report(reporter, instr, "gather-elements", "num_elem_per_idx",
           arena_printf(&reporter->session->arena, "%d", (int)count->integer), "1, 2, 4, 8, 16 or 32");
}

void values_check(Reporter *reporter, const Instr *instr)
{
  const Op *op = instr->op;
  switch (op->kind) {
  case OP_tensor_scalar: check_groups(reporter, instr, op->tensor_scalar.op0, op->tensor_scalar.op1); return;
  case OP_tensor_reduce: check_reduction(reporter, instr, op->tensor_reduce.op); return;
  case OP_tensor_partition_reduce: check_reduction(reporter, instr, op->tensor_partition_reduce.op); return;
  case OP_shuffle: check_mask(reporter, instr, &op->shuffle.shuffle_mask); return;
  case OP_nc_matmul: check_array_tile(reporter, instr, &op->nc_matmul.tile_position, &op->nc_matmul.tile_size); return;
  case OP_nc_matmul_mx:
    check_array_tile(reporter, instr, op->nc_matmul_mx.tile_position, op->nc_matmul_mx.tile_size);
    return;
  case OP_dma_compute: check_dma_compute(reporter, instr, &op->dma_compute); return;
  case OP_nc_local_gather: check_gather(reporter, instr, &op->nc_local_gather.num_elem_per_idx); return;
  case OP_iota: check_pattern(reporter, instr, "pattern", &op->iota.pattern); return;
  case OP_nc_affine_select:
    check_pattern(reporter, instr, "pred", &op->nc_affine_select.pred);
    check_comparison(reporter, instr, "cmp_op", op->nc_affine_select.cmp_op);
    return;
  case OP_nc_range_select:
    check_comparison(reporter, instr, "comp_op0", op->nc_range_select.comp_op0);
    check_comparison(reporter, instr, "comp_op1", op->nc_range_select.comp_op1);
    return;
  default: return;
  }
}
