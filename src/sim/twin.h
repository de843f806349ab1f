// twin.h -- the operators in double arithmetic, at once on the actual operands and on their twins.

#pragma once
#include "sim/exec.h"

typedef struct Both {
  double actual, twin;
} Both;

// An operand or a result: element (p, i) stands at p * free_elems + i.
typedef struct TwinTile {
  const char *field;
  Tile tile;
  Both *values;
  bool *kept;  // results: elements that the operator leaves alone; NULL: none
} TwinTile;

enum { TWIN_MOST = 24 };

// One instruction. Everything lives in sim->scratch.
typedef struct TwinWork {
  Sim *sim;
  void (*load)(Sim *sim, const Tile *tile, Both *values);  // fills in all elements
  Both *act, *dve;  // the core's accumulators, a lane a partition; updated
  TwinTile *operands[TWIN_MOST], *results[TWIN_MOST];  // as far as they have room
  uint32_t operand_count, result_count;
} TwinWork;

// Computes the instruction's results before it runs; false when the operator is not followed.
bool twin_compute(TwinWork *work, const Op *op);
