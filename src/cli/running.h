// running.h -- a kernel's arrays and how it is run, as the command line says: for `klr run` and `klr diff`.

#pragma once
#include "cli/program.h"

// The arrays of one rank, one for each of the kernel's inputs, each free or to be freed by the caller. Random ones are made
// as with the seed of --seed plus the rank's number. False after reporting what is missing or does not fit.
bool program_make_inputs(Cli *cli, const Program *program, uint32_t rank, Array *inputs);

// Whether a kernel that was read, not traced, has an input for every argument; false after reporting.
bool program_knows_inputs(Cli *cli, const Program *program);

// --seed, --fp, --checks and so on; false after reporting a misuse.
bool program_sim_options(Cli *cli, const Program *program, SimOptions *out);

// "float32[128,512]".
const char *shape_text(Arena *arena, const char *dtype, uint32_t rank, const uint64_t *shape);
