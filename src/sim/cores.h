// cores.h -- the logical cores of all ranks: each runs until it waits or ends, then the next one, always in one order.

#pragma once
#include "sim/tenancy.h"

// What `core` runs; its rank and number are set.
const Program *cores_program(Sim *sim, const Core *core);

// Tensors with an address that lie over each other in what the core runs; NULL: none.
const Overlaps *cores_overlaps(const Core *core);

// Runs all cores to their ends.
void cores_run(Sim *sim);
// One instruction of the core whose turn it is, in the same order; sim->core and sim->instr are left as they were for it,
// and its memory as it left it. False, and nothing run, when all have ended.
bool cores_step(Sim *sim);

bool cores_ended(const Sim *sim);  // all of them

// Runs one instruction of sim->core, which may wait afterwards. Not a branch.
void cores_run_instruction(Sim *sim, const Instr *instr);
