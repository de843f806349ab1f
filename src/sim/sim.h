// sim.h -- running a kernel: inputs in, exact outputs or one located error out.
//
// Program order is the meaning: each operator reads all of its operands, then writes its results. Logical cores of all
// ranks take turns: each runs until it waits for another, always in the same order. Numbers follow docs/numerics.md; the
// rule of every operator is its function in sim/reference.c, and the fast executors (sim/exec_*.c) give the same bits.
// In a lenient session what was never written is a warning, and reads as NaN (4 in integers).

#pragma once
#include "base/json.h"
#include "machine/machine.h"

// A tensor's elements outside the machine, row-major, whole units of `dtype`.
typedef struct Array {
  DType dtype;
  uint32_t rank;
  uint64_t *shape;  // `rank` sizes, malloc'ed
  void *data;       // malloc'ed, `bytes` long; one owner
  uint64_t bytes;
  bool is_borrowed;  // `data` is another's
} Array;

// A zeroed array; `data` NULL when memory does not suffice or the size overflows.
Array array_new(DType dtype, uint32_t rank, const uint64_t *shape);
// An array over memory that belongs to another and stays as long; only read.
Array array_borrow(DType dtype, uint32_t rank, const uint64_t *shape, const void *data);
uint64_t array_elements(const Array *array);
void array_free(Array *array);  // leaves it empty; fine on an empty one

typedef struct SimOptions {
  const Machine *machine;  // NULL: the largest memories of any generation
  bool exact_fp;          // false: narrow float tensors hold float32 while the kernel runs (`--fp f32`)
  bool bf16_products;     // products of bfloat16 operands are rounded to bfloat16 before they are added (`--fp bf16-products`)
  bool ocp_scales;        // quantize_mx has the scales of the OCP sample, one binade lower, and saturates (`--fp ocp-scales`)
  bool checks;            // uninitialised reads and operands that overlap; bounds are always checked
  bool poison;            // what was never written is a warning where it matters, and reads as NaN (4 in integers)
  bool zeros;             // it reads as 0 instead
  unsigned threads;       // 0 or 1: none besides the caller's; results do not depend on it
  uint64_t seed;          // of random number generators
  bool reference;         // the executors of reference.c only
  uint64_t step_limit;    // instructions of one logical core; 0: 100 million
  JsonWriter *prints;      // an open array that also gets an object for each device_print; NULL: text on stderr only
  struct Shadow *shadow;  // a twin in double precision runs along (shadow.h); NULL: none
  const char *folder;     // where files of constants are that the session does not keep; NULL: the current one
} SimOptions;

typedef struct SimStats {
  uint64_t instruction_count;
  uint64_t branch_count;
  uint64_t engine_instruction_count[ENGINE_COUNT];
  uint64_t multiply_add_count;  // of the tensor engine
  uint64_t dma_bytes;
  uint64_t memory_bytes;  // allocated for the kernel's tensors
} SimStats;

// The options `klr run` starts from: exact, checked, one thread.
SimOptions sim_default_options(void);

// Runs `kernel` on `inputs`, one for each of kernel->inputs in order; their shapes and dtypes must match, and elements
// that the kernel writes are updated in place. `outputs`, one for each of kernel->outputs, is filled and the caller
// frees it. `stats` may be NULL. False after reporting one error; then `outputs` is empty, and inputs that the kernel
// writes may be partly updated.
bool sim_run(Session *session, const Kernel *kernel, const SimOptions *options, Array *inputs, Array *outputs,
             SimStats *stats);

// One rank of a run: the kernel it runs, its arrays as above.
typedef struct SimRank {
  const Kernel *kernel;
  Array *inputs, *outputs;
} SimRank;

// Runs `count` ranks, one or more, at the same time, each with memories of its own; rank i is ranks[i]. They may share a
// kernel, and meet in collectives. As above otherwise; `stats` sums up all of them.
bool sim_run_ranks(Session *session, const SimRank *ranks, uint32_t count, const SimOptions *options, SimStats *stats);

// A run one instruction at a time, with the same results. `ranks` and its arrays stay the caller's until the end.
typedef struct Sim Sim;
// Before the first instruction; NULL after reporting.
Sim *sim_begin(Session *session, const SimRank *ranks, uint32_t count, const SimOptions *options);
// The next instruction, of whichever core's turn it is. False when there is none, or after reporting an error.
bool sim_step(Sim *sim);
void sim_rest(Sim *sim);  // all the others; fails as sim_step does
// Frees the run, wherever it stands. Outputs are filled when it came to its end and no error was reported; else false.
bool sim_end(Sim *sim, SimStats *stats);

// A run whose instructions are given one by one, while somebody evaluates the kernel: sim_begin with one rank, whose kernel
// has its name, its inputs and the number of its cores so far; then these in place of sim_step; then sim_end, with all of
// the kernel known. False after reporting.
bool sim_give(Sim *sim, uint32_t core, const Instr *instr);  // to a core that does not wait
bool sim_give_constant(Sim *sim, const SharedConstant *constant, const Tensor *tensor);  // before an instruction uses it
bool sim_waits(const Sim *sim, uint32_t core);  // for another core, until that one has had its turn
void sim_end_core(Sim *sim, uint32_t core);     // it has no more instructions, and its memory is gone
void sim_report_deadlock(Sim *sim);             // every core waits or has ended
void sim_release(Sim *sim, uint32_t core, const char *address);  // memory that no instruction will use again
// The value of a register, an int32 or a float32; false when it has none yet.
bool sim_register(Sim *sim, uint32_t core, const char *name, double *out);
// The elements of a view now, as they are stored, row-major; what was never written reads as NaN, or 4 in integers, and is
// counted. The caller frees `out`. False after reporting.
bool sim_read(Sim *sim, uint32_t core, const View *view, Array *out, uint64_t *unwritten);

// Whether operators of this kind can be run; others stop a run with E_SIM_UNSUPPORTED.
bool sim_can_run(OpKind kind);
