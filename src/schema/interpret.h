// interpret.h -- runs checked kernels as docs/schema.md says, one thread after the other: what compiled kernels are compared
// with, and what runs them where there is no compiler.

#pragma once
#include "klr_kernel_abi.h"
#include "schema/schema.h"

typedef struct SchemaLaunch {
  uint64_t grid[3];   // threads; all 0: from the kernel's guard
  uint64_t local[3];  // threads of a group; all 0: 256, 1, 1
  uint64_t steps;     // statements until the run is given up; 0: no limit
} SchemaLaunch;

// Runs `kernel` on `arguments`, one a parameter: arrays with `data` and `count` in elements, scalars with `value`. Every access is checked;
// the first that is wrong ends the run and is reported with kernel, array, index, length, thread and line, as is a grid that nobody gives. False
// after reporting; arrays then hold what was written so far.
bool schema_interpret(Session *session, const SchemaFile *file, const SchemaFunction *kernel, const KlrKernelArgument *arguments,
                      const SchemaLaunch *launch);

// The grid of a launch: as given, or from the guard. False after reporting that it is not known, or too large.
bool schema_launch_grid(Session *session, const SchemaFile *file, const SchemaFunction *kernel, const KlrKernelArgument *arguments,
                        const SchemaLaunch *launch, KlrKernelGrid *out);

// A literal as a value of `type`, which it fits.
KlrScalarValue schema_literal_value(const SchemaLiteral *literal, Scalar type);
