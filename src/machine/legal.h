// legal.h -- what one NeuronCore generation allows of a verified kernel.
//
// Sizes of tiles and where they may start, PSUM banks, the limits and dtypes of the tensor engine, which instructions
// and engines exist, and which memories an engine reaches. Rules and their sources stand in legal.def. Documented
// limits only: where the documents are silent, the kernel is accepted.

#pragma once
#include "machine/machine.h"

// True when `machine` can run `kernel` (see core_verify first); else each broken rule was reported once for each place.
bool machine_check(Session *session, const Machine *machine, const Kernel *kernel);

// The same for instructions that are added one by one to a kernel on `cores` logical cores. False after reporting.
typedef struct MachineChecker MachineChecker;  // lives in the session; it is freed before that
MachineChecker *machine_checker_new(Session *session, const Machine *machine, uint32_t cores);
bool machine_checker_accepts(MachineChecker *checker, const Instr *instr);
void machine_checker_free(MachineChecker *checker);

// The reference page of machines and rules, docs/machine.md.
void machine_print_markdown(StrBuf *out);
