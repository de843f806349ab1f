// diff.h -- the first instruction and element at which two runs differ, or a run and arrays from elsewhere.
//
// Two runs go in lock step on the same inputs: one instruction of each at a time, what both wrote is compared, and nothing
// is kept. Which instruction of one stands for which of the other says core/align.h; those that stand for none just run.
// Once the first difference is known both run again up to it, to see what its operands were. A run is held against arrays
// by the names of its tensors, each when it was written for the last time; then the run is repeated to find who wrote
// the element, who wrote what that came from, and so on.

#pragma once
#include "core/where.h"
#include "sim/sim.h"

// Elements are the same when their bits or values are, or when one of these allows it: |a - b| <= atol + rtol * |b|, or at most
// `ulps` steps of the dtype between them. All 0: nothing is allowed.
typedef struct Tolerance {
  double rtol, atol, ulps;
} Tolerance;

// One run. Inputs are left as they are.
typedef struct DiffSide {
  Session *session;  // that its places are in and its errors go to
  const Kernel *kernel;
  SimOptions options;
  const Array *inputs;
} DiffSide;

// Two sets of elements, one held against the other.
typedef struct DiffTally {
  uint64_t compared, differing;
  uint64_t first, worst;         // of those that differ: numbers in row-major order
  double most_ulps, most_error;  // of those that differ, tolerated ones left out
} DiffTally;

typedef struct DiffElement {
  const char *place;  // "tile.1[3, 17]"; NULL: no such element
  DType dtype;
  uint64_t bits;
  double value;
} DiffElement;

typedef struct DiffInstr {
  const Instr *instr;  // NULL: none
  Where where;
  uint64_t number;     // how many were executed, it included
  uint32_t core;
} DiffInstr;

typedef struct DiffOperand {
  const char *name;
  bool is_result;    // written
  DiffElement a, b;  // at the element of the result, where there is such a one
  DiffTally tally;   // of the whole operand
} DiffOperand;

// An instruction whose result differs, or that leads to it.
typedef struct DiffStep {
  DiffInstr a, b;  // `b` without an instruction when held against arrays
  DiffOperand result;
  DiffOperand *operands;
  uint32_t operand_count;
} DiffStep;

typedef struct DiffResult {
  const char *name;
  const char *why;  // not compared: why; else NULL
  DType dtype;
  DiffTally tally;
  DiffElement first[2], worst[2];
} DiffResult;

typedef struct DiffReport {
  bool differs;
  bool parted;  // the two took different branches: `first.a` and `first.b` are the instructions that they came to
  uint64_t executed[2], compared, differing, alone[2];  // instructions; `alone`: in the kernel, standing for none of the other
  bool has_first;
  DiffStep first;
  DiffStep *chain;  // against arrays: what led to it, last first
  uint32_t chain_count;
  DiffResult *results;
  uint32_t result_count;
} DiffReport;

// Runs both sides and compares them; false after reporting an error of either. Everything in `report` lives in the arenas of
// the sessions.
bool diff_runs(const DiffSide *a, const DiffSide *b, const Tolerance *tolerance, DiffReport *report);

// An array by the name of a tensor of the kernel: of a result, an input or any tile; `tile` also stands for `tile.1` when
// there is no other. Holds values: of the tensor's dtype, or of one that is converted to it first.
typedef struct NamedArray {
  const char *name;
  Array array;
  double *wide;  // the elements before conversion; NULL: those of `array`
} NamedArray;

// Runs `a` and holds it against arrays; the same otherwise. `b` elements are those of the arrays. The chain is at most
// `most_steps` long.
bool diff_arrays(const DiffSide *a, const NamedArray *arrays, uint32_t count, const Tolerance *tolerance,
                 uint32_t most_steps, DiffReport *report);

// Holds arrays against each other, result by result, into `result`.
void diff_tally_arrays(Session *session, const char *name, const Array *a, const Array *b, const Tolerance *tolerance,
                       DiffResult *result);

// The report for people, and as the members of an object that is open.
void diff_print(Session *session, const DiffReport *report, StrBuf *out);
void diff_print_json(Session *session, const DiffReport *report, JsonWriter *json);
