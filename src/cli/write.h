// write.h -- a kernel in one of its written forms.

#pragma once
#include "cli/cli.h"
#include "core/core.h"

// Writes `kernel` as text, json, sexp, klr or summary to --output or standard output; EXIT_OK or the status after
// reporting. A .klr file is never written to a terminal.
int write_kernel(Cli *cli, const Kernel *kernel, const char *as);

// `bytes` to --output, or to standard output.
bool cli_write(Cli *cli, Str bytes);

// Operators of all cores, and different tensors.
uint64_t kernel_operators(const Kernel *kernel);
uint64_t kernel_tensors(Arena *arena, const Kernel *kernel);
