// shadow.h -- a twin of every element in double precision beside a run, and where the two drift apart.
//
// Each float element has a twin that was never rounded: what the operators give in double arithmetic on the twins of their
// operands (twin.c). Integers, comparisons, predicates and indices follow the run, so that control and data go the same
// ways. For every instruction that gives three numbers about its result: the error it adds itself, actual result against the
// same operator in double on the actual operands; the error it carries on, that against the same on the twins; and both
// together. An operator that is not followed leaves actual values behind, and the twin goes on from those.
//
// A twin is kept with the bits of the element that it is of, and counts only as long as the element has these bits: whoever
// writes memory without telling starts it anew. libm decides the twins' last bits and no bit of the run.

#pragma once
#include "sim/tile.h"

typedef struct Shadow Shadow;

Shadow *shadow_new(Session *session);
void shadow_free(Shadow *shadow);

// Around the execution of an instruction: what it will compute, then what it did. Both may stop.
void shadow_before(Sim *sim, const Instr *instr);
void shadow_after(Sim *sim, const Instr *instr);
// A result of the kernel, at the end.
void shadow_result(Sim *sim, const Tensor *tensor, const Buffer *buffer);

// The report: the results, and the `top` places where most error enters. For people, and as one JSON value.
void shadow_print(Shadow *shadow, uint32_t top, StrBuf *out);
void shadow_print_json(Shadow *shadow, uint32_t top, JsonWriter *json);
