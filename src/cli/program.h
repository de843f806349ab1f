// program.h -- from the command line to a kernel: Python sources, gathered files, .klr files and their text.

#pragma once
#include "cli/arg.h"
#include "cli/cli.h"
#include "serde/read_kernel.h"
#include "core/core.h"
#include "machine/machine.h"
#include "trace/kernel.h"

typedef struct Program {
  const char *path;         // of the file
  const char *kernel_name;  // behind the colon, or NULL
  const Machine *machine;
  const Kernel *kernel;
  ArgList_ args;
  Tracer *tracer;           // NULL: the kernel was read, not traced
  Arena arena;              // what was read
  double parse_seconds, trace_seconds, verify_seconds;
} Program;

// Reads `FILE[:KERNEL] ARG=VALUE...`, traces or reads the kernel, and verifies it for the target. EXIT_OK, or the exit
// status after reporting.
int program_load(Cli *cli, Program *program);
void program_free(Program *program);

// Splits "k.py:softmax"; the kernel's name is NULL when there is none.
void split_kernel_name(Session *session, const char *text, const char **path, const char **kernel);

// The machine --target names; NULL after reporting.
const Machine *target_machine(Cli *cli);

// A tracer that knows the library and searches -I, KLR_PATH and the active environment.
Tracer *program_tracer(Cli *cli);

void program_print_times(const Program *program);  // on standard error
double seconds_now(void);  // for durations
