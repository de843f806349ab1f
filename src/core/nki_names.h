// nki_names.h -- operators and fields under the names that the reader of a message knows.
//
// An instruction that was traced from Python is spoken of as its author wrote it, `data2` of `nisa.tensor_tensor`; one
// that was read from a file in the names of the core language, `src1` of `tensor_tensor`.

#pragma once
#include "core/core.h"

bool instr_is_traced(const Instr *instr);
const char *op_known_as(const Instr *instr);
const char *field_known_as(const Instr *instr, const char *field); // `field`: its name in ops.def

// What rules are called: `tensor_tensor.data1.same-free` is rule `same-free` of parameter data1 of nki.isa.tensor_tensor.
// Operators without a function have the names of the core language behind `core.`.
const char *op_rule_name(Arena *arena, OpKind kind);
const char *field_rule_name(OpKind kind, const char *field);                            // `field`: its name in ops.def
const char *rule_id(Arena *arena, OpKind kind, const char *field, const char *rule);  // `field` may be NULL
