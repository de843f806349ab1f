// state.h -- the machine while a kernel runs: memories, registers, accumulators; and what stops it.
//
// Every address has a buffer, allocated on first use. Tensors with equal address names share one; addresses with both
// offsets lie in one physical SBUF or PSUM, so that tiles that overlap there really do. On chip a buffer is rows, one a
// partition; in HBM it is linear. One bit for each byte says whether it was ever written.

#pragma once
#include "base/map.h"
#include "base/threads.h"
#include "machine/gaps.h"
#include "number/random.h"
#include "sim/sim.h"

#include <setjmp.h>

enum { SIM_MAX_PARTITIONS = 128, SIM_MAX_DIMS = 16 };

typedef struct Watch Watch;  // races.h

typedef struct Buffer {
  const char *name;  // of the address
  Memory memory;
  uint8_t *data;
  void *block;  // what `data` lies in and is freed with
  uint64_t bytes;
  uint64_t *written;        // one bit a byte; NULL once everything was written
  uint64_t *bitmap;         // where `written` points or pointed
  uint64_t unwritten_bytes;  // padding not counted
  uint64_t rows, row_bytes;  // HBM: 1 row
  uint64_t row_stride;      // bytes from one row to the next
  bool is_borrowed;         // `data` belongs to an Array
  bool is_poisoned;         // what was not written was filled with NaN once
  const struct UnwrittenOrigin *origin;  // where unwritten elements here were computed from (unwritten.h); NULL: nowhere
  Watch *watch;             // who accessed it, where several cores may; else NULL
  uint64_t *stale;          // physical: one bit a byte that a tensor wrote which lay there before; else NULL
  struct Owners *owners;    // physical, with tensors that lie over each other at once (tenancy.h); else NULL
  uint64_t *plain;          // PSUM: one bit a byte that another engine than the tensor engine wrote last; NULL: none
  struct PsumGroups *groups;  // PSUM: the sums in each bank (psum.h); NULL until there are several
} Buffer;

// Where a tensor's elements lie.
typedef struct TensorPlace {
  const Tensor *tensor;
  Buffer *buffer;
  uint64_t start;  // byte of the first element
  DType dtype;    // as stored: float32 for narrow floats that are not rounded
  uint64_t begun;  // with an address: the core's step count when it began to have its bytes
} TensorPlace;

typedef struct Register {
  const char *name;
  uint32_t bits;
  bool is_float, is_set;
} Register;

// 32-bit registers, one a partition, that some instructions carry a reduction in.
typedef struct Accumulator {
  float lanes[SIM_MAX_PARTITIONS];
  uint8_t state[SIM_MAX_PARTITIONS];  // what is known about each: accumulator.c
} Accumulator;

enum { RANDOM_VECTOR_STATES = 4 };

// The engines' random number generators, those of each lane.
typedef struct Random {
  Xorwow vector[SIM_MAX_PARTITIONS][RANDOM_VECTOR_STATES], gpsimd[SIM_MAX_PARTITIONS];
} Random;

typedef struct Rank Rank;
typedef struct Program Program;

// Whether a core can go on. It waits at an instruction that others have to arrive at.
typedef enum CoreState { CORE_READY, CORE_WAITS, CORE_ENDED } CoreState;

// One logical core of one rank: all that its instructions can change besides the rank's shared memory.
typedef struct Core {
  Rank *rank;
  uint32_t number;   // in its rank, from 0
  Map buffers;       // its own, by address name
  Buffer *sbuf, *psum;  // physical, NULL until a placed address is used
  TensorPlace *places;  // open addressing by tensor
  size_t place_count, place_capacity;
  Map registers;  // by name
  Accumulator act, dve;
  Random random;
  uint64_t step_count;
  const Program *program;
  uint32_t block, next;  // the instruction that it goes on with
  CoreState state;
  const Instr *instr;  // CORE_WAITS: where
} Core;

// One worker: what its logical cores share.
struct Rank {
  uint32_t number;
  const Kernel *kernel;
  Map buffers;  // in shared HBM, by address name
  Core *cores;
  uint32_t core_count;
};

typedef struct IndirectTile IndirectTile;  // indirect.c

// The whole run. `core` and `instr` say who runs; everything else in it is for all.
struct Sim {
  Session *session;
  SimOptions options;
  const Machine *machine;
  NumberMode number_mode;
  Arena arena;   // buffers' descriptions, registers, places
  Arena scratch;  // rewound after every instruction
  jmp_buf stop, exhausted;
  jmp_buf *outer_exhausted;  // where the session goes besides
  Core *core;          // the one that runs; before and after, the first of the rank being prepared
  const Instr *instr;  // the one that runs
  struct Unwritten *unwritten;     // its operands with elements that were never written (unwritten.h)
  IndirectTile *indirect_results;  // its results that are still to be scattered
  Rank *ranks;
  uint32_t rank_count;
  const SimRank *given;  // the caller's arrays of each rank
  bool failed;           // an error ended the run
  bool is_stepped;       // one instruction at a time
  uint32_t turn;         // stepped: whose turn it is, counting cores over all ranks
  Vec(Buffer *) idle;  // released memory, to be used again
  Map told;            // places that were warned about
  struct Constants *constants;  // arrays of ours, of all ranks
  ThreadPool *pool;
  SimStats stats;
};

void random_start(Random *random, uint32_t seed);        // all of them, before a kernel seeds any
void random_seed_vector(Random *random, uint32_t seed);  // those of the vector engine

void state_start_core(Sim *sim, Core *core);  // as the machine is before the first instruction
void state_end_core(Sim *sim, Core *core);    // its memory is gone
void state_free(Sim *sim);

// The memory of an address that no instruction will use again; unknown names are fine.
void state_release(Sim *sim, const char *address);

// A tensor with an address begins to have its bytes; the first use of it does the same.
void state_begin(Sim *sim, const Tensor *tensor);

// Forgets that a tensor on chip was ever written.
void state_renew(Sim *sim, const Tensor *tensor);

const TensorPlace *state_place(Sim *sim, const Tensor *tensor);
bool state_is_placed(const Core *core, const Tensor *tensor);  // whether the core has used it
Register *state_register(Sim *sim, const char *name);            // made when new
const Register *state_read_register(Sim *sim, const char *name);  // stops when it was never set

// Makes the memory of an HBM tensor that of `array`, all written; a converted copy when the stored dtype differs.
// Before the first core starts. `state_unbind_array` brings what the kernel wrote back into a copied array.
void state_bind_array(Sim *sim, const Tensor *tensor, Array *array);
void state_unbind_array(Sim *sim, const Tensor *tensor, Array *array);
// Makes `tensor`'s memory one that all cores see and that outlives them.
void state_share(Sim *sim, const Tensor *tensor);
Buffer *state_shared_buffer(Sim *sim, const Tensor *tensor);  // NULL when there is none
// The dtype a tensor is stored as.
DType state_stored_dtype(const Sim *sim, DType dtype);

// An error at the instruction that runs, with its call stack; add labels and help, then stop.
Diag *sim_error(Sim *sim, DiagCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
// The same as a warning; NULL when this instruction was warned about with this code before.
Diag *sim_warning(Sim *sim, DiagCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Whatever was said of this instruction before.
Diag *sim_warning_here(Sim *sim, DiagCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void sim_stop(Sim *sim);
// Whether what was never written is a warning and no error.
static inline bool state_forgives_unwritten(const Sim *sim)
{
  return sim->session->lenient || sim->options.poison;
}

// The instruction does what the documents leave open: stops with an error that names the gap, or in a lenient session
// warns once an instruction and returns, and the caller does as the gap's choice says.
void sim_unspecified(Sim *sim, Gap gap, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Calls `work` where errors and exhausted memory can be met: false when it stopped, and then nothing of the run goes on.
typedef void SimWork(Sim *sim, void *context);
bool sim_guard(Sim *sim, SimWork *work, void *context);

// "core 1", "rank 2", or "core 1 of rank 2", as many words as the run needs.
const char *state_core_name(Sim *sim, const Core *core);

// The running operator's name, for messages.
const char *sim_op_name(const Sim *sim);

// ---- what was written
void buffer_mark(Buffer *buffer, uint64_t start, uint64_t bytes);
void buffer_unmark(Buffer *buffer, uint64_t start, uint64_t bytes);  // as if never written
// First byte of [start, start + bytes) that was not written, or UINT64_MAX.
uint64_t buffer_find_unwritten(const Buffer *buffer, uint64_t start, uint64_t bytes);
// First of them that was, or UINT64_MAX.
uint64_t buffer_find_written(const Buffer *buffer, uint64_t start, uint64_t bytes);
// Fills what was never written with NaN, or 4 in integer dtypes.
void buffer_poison(const Sim *sim, Buffer *buffer, DType dtype);
