// verify_rules.h -- the rules of rules.def, ready to apply. Internal to the verifier.

#pragma once
#include "core/verify.h"
#include "core/verify_tile.h"

// Everything the verifier knows about one kind of operator.
typedef struct OpRules {
  OpShape shape;
  uint32_t reads, writes;  // sets of memories, a bit 1 << MEMORY_* each
  struct RuleUse *uses;
  uint32_t use_count;
  uint32_t first_value;  // row of verify_values.c
} OpRules;

typedef struct RuleBook {
  Arena *arena;
  OpRules ops[OP_COUNT];
} RuleBook;

// The rules of `kind`, made on first use in book->arena.
static inline OpRules *rule_book_op(RuleBook *book, OpKind kind);
void rule_book_add(RuleBook *book, OpKind kind);

static inline OpRules *rule_book_op(RuleBook *book, OpKind kind)
{
  if (!book->ops[kind].shape.is_ready)
    rule_book_add(book, kind);
  return &book->ops[kind];
}

// Applies the rules to the operands of `instr`; `tiles` stand in the order of shape.slots.
void rules_apply(Reporter *reporter, const OpRules *rules, const Instr *instr, const Tile *tiles);

// Attributes whose value the operator does not take (verify_values.c), from row `first` of its kind.
uint32_t values_first(OpKind kind);
void values_check(Reporter *reporter, const Instr *instr, uint32_t first);

uint32_t values_list(CoreRule *out);  // every row; how many

// The rules of `kind` as a list in Markdown.
void rules_print(RuleBook *book, OpKind kind, StrBuf *out);
