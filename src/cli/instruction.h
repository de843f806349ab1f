// instruction.h -- all that the tables say about one function of nki.isa: for `klr explain` and docs/isa.md.

#pragma once
#include "base/json.h"
#include "cli/library.h"
#include "machine/rule_list.h"

typedef struct Parameter {
  const char *name, *preset;  // default value as written; NULL: there is none
  const char *kind;           // "tile, written", "ALU operator"; "" when it is no field of the operator
  const char *memories, *dtypes;  // "" for what is no tile
} Parameter;

typedef struct Instruction {
  const LibraryFunction *function;
  const char *name;  // without its module
  OpKind op;
  bool has_op;
  const char *engines;
  Parameter *parameters;
  size_t parameter_count;
  const RuleInfo **rules;  // of this function
  size_t rule_count;
} Instruction;

// How rules name a function: "tensor_scalar", "nccl.all_reduce".
const char *instruction_name(const LibraryFunction *function);

// In `arena`; `rules` are those of rule_list.
Instruction instruction_of(Arena *arena, const LibraryFunction *function, const RuleInfo *rules, size_t rule_count);

void instruction_add_text(StrBuf *out, const Instruction *instruction);
void instruction_add_json(JsonWriter *json, const Instruction *instruction);
void instruction_add_markdown(StrBuf *out, const Instruction *instruction);

// docs/isa.md.
void instruction_print_page(Session *session, StrBuf *out);
