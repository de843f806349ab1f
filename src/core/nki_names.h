// nki_names.h -- operators and fields under the names that the reader of a message knows.
//
// An instruction that was traced from Python is spoken of as its author wrote it, `data2` of `nisa.tensor_tensor`; one
// that was read from a file in the names of the core language, `src1` of `tensor_tensor`.

#pragma once
#include "core/core.h"

bool instr_is_traced(const Instr *instr);
const char *op_known_as(const Instr *instr);
const char *field_known_as(const Instr *instr, const char *field); // `field`: its name in ops.def
