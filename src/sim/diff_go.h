// diff_go.h -- what comparisons of runs share: a run to be repeated, and elements of it.

#pragma once
#include "sim/diff.h"
#include "sim/observe.h"

// ---- elements

// Counts element number `at`.
void tally_one(DiffTally *tally, const Tolerance *t, DType a_dtype, const void *a, DType b_dtype, const void *b, uint64_t at);
// All of two tiles; elements that were not written on either side are left out, and tiles of unequal sizes not compared.
DiffTally tally_tiles(Sim *sim, const Tolerance *t, const Tile *a, const Tile *b);

DiffElement tile_element_of(Sim *sim, const Tile *tile, uint64_t p, uint64_t e);
DiffElement array_element(Session *session, const char *name, const Array *array, uint64_t at);

// ---- runs

// One run of a side, on copies of its inputs; it can be begun again once it was finished or abandoned.
typedef struct Go {
  Session *session;
  const DiffSide *side;
  Sim *sim;
  SimRank rank;
  uint64_t number;  // instructions executed
  Map partners;     // by Instr: what stands for it in the other
} Go;

Go go_of(const DiffSide *side);
bool go_begin(Go *go);           // false after reporting
const Instr *go_step(Go *go);    // the instruction that was executed; NULL at the end or after an error
bool go_finish(Go *go);          // up to the end; false when an error was reported. Arrays stay until go_abandon
void go_abandon(Go *go);
DiffInstr instr_now(const Go *go, const Instr *instr);

// Where an element lies, the same in every run.
typedef struct Spot {
  const char *buffer;  // its name; NULL: nowhere
  uint64_t offset;
  uint32_t core;
  bool is_shared;      // by the cores
} Spot;

Spot spot_of(Sim *sim, const Tile *tile, uint64_t p, uint64_t e);

// Runs `a`, and `b` unless it is NULL, again up to before the instructions of `step`, and fills in what their operands hold:
// at element [p, e] of the result `field`. `from`, unless it is NULL: where the first of them lies.
bool look_at_operands(Go *a, Go *b, const Tolerance *tolerance, const char *field, uint64_t p, uint64_t e, DiffStep *step,
                      Spot *from);
