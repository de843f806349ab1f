// verify.h -- is a kernel a sentence of the core language? Run after tracing and on every load.
//
// What is checked holds on every NeuronCore: the structure of blocks, registers, tensors, views within their tensors,
// and the shapes, types and memories of each operator's operands (rules.def). What one generation of hardware allows is
// machine/legal.h's business. Where the documents are silent, anything goes.

#pragma once
#include "core/core.h"

// One rule on the operands or attributes of an operator.
typedef struct CoreRule {
  OpKind op;
  const char *field;  // its name in ops.def
  const char *id;     // the last part of its name: see rule_id in nki_names.h
  DiagCode code;
  const char *asks;
} CoreRule;

// All of them, in `arena`.
const CoreRule *core_rules(Arena *arena, size_t *count);

// True when every rule holds; else each broken rule was reported once for each line of source, a few a line at most.
bool core_verify(Session *session, const Kernel *kernel);

// The same for instructions that are added one by one to a kernel of one block: what one of them alone can break, registers
// aside. False after reporting. The verifier lives in the session; it is freed before that.
typedef struct Verifier Verifier;
Verifier *verifier_new(Session *session);
bool verifier_accepts(Verifier *v, const Instr *instr);
void verifier_free(Verifier *v);
