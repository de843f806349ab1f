// rule_list.h -- every rule in one list, whichever table it stands in and whoever checks it.

#pragma once
#include "machine/machine.h"

typedef enum RuleStage {
  RULE_TRACE,   // while the kernel is traced: what is wrong never becomes an operator
  RULE_VERIFY,  // on every kernel, core_verify
  RULE_TARGET,  // on a kernel for one machine, machine_check
  RULE_RUN,     // while it runs: it depends on data
} RuleStage;

typedef struct RuleInfo {
  const char *id;         // "tensor_scalar.op1.alu-group"; without a parameter "tensor_copy.engine"; "capacity"
  const char *function;   // "tensor_scalar", "core.activate" for operators without a function; "" for every operator
  const char *parameter;  // or ""
  RuleStage stage;
  uint8_t generations;  // set of 1 << generation
  DiagCode code;
  const char *asks, *source;
  bool is_tolerated;  // a warning, unless --strict asks for an error: kernels of the vendor break it
} RuleInfo;

// In `arena`, in order of the tables.
const RuleInfo *rule_list(Arena *arena, size_t *count);

// Notes the rule `id` on `diag`, as machine_check does of its own: its name, what it asks, and where that is documented.
// `machine` may be NULL: any machine. `diag` may be NULL: nothing was reported.
void rule_cite(Diag *diag, Arena *arena, const Machine *machine, const char *id);

const char *rule_code_text(Arena *arena, const RuleInfo *rule);         // "E0518"; "W0541, strict E0518"
const char *rule_stage_name(RuleStage stage);                            // "trace"
const char *rule_generations_text(Arena *arena, uint8_t generations);  // "trn2, trn3"; "every target"

// What is published about the time of instructions: cost_notes.def.
typedef struct CostNote {
  const char *function;  // without its module
  bool is_documented;    // else observed
  const char *text, *source;
} CostNote;

const CostNote *cost_notes(size_t *count);

// The engines that run `kind`: "vector"; "trn1: none; trn2: vector, gpsimd; trn3: vector, gpsimd".
const char *engines_of(Arena *arena, OpKind kind);
