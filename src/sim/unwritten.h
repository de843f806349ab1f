// unwritten.h -- elements that were never written, and what is computed from them.
//
// Memory that nobody has written may be read as long as nothing depends on it: kernels compute on whole tiles of which they
// use a part. So where an operand is written in part and the operator works element by element or row by row, what was not
// written travels: those elements of its results count as unwritten too. It is an error where it would matter: in a
// result of the kernel, an index, a sum over partitions; and where nothing of an operand was written. In a matrix product
// rows that meet only zeros of the other factor do not matter, which is said in a warning.

#pragma once
#include "sim/tile.h"

typedef struct Unwritten Unwritten;  // an operand of the running operator with elements that were never written

// Whether the running operator may go on with `tile`, of which that element was never written; what was not written reads
// as NaN, or 4 in integers.
bool unwritten_travels(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem);

// After an operator for which sim->unwritten is set: its results lose what came from unwritten elements.
void unwritten_finish(Sim *sim, const Op *op);

// The same for `dst`, which another core's `src` was sent to.
void unwritten_send(Sim *sim, const Tile *src, const Tile *dst);

// The first read of what was never written, from which other unwritten elements come.
typedef struct UnwrittenOrigin {
  const Instr *instr;
  const Tensor *tensor;
  const char *role;   // the operand
  const char *index;  // "[0, 256]"
} UnwrittenOrigin;

// Says where unwritten elements of the buffer come from, when they were computed.
void unwritten_explain(Diag *diag, const Buffer *buffer);

// Stops at that read, because an element of a result depends on it. `index` as "[3, 17", without the bracket at its end.
_Noreturn void unwritten_fail(Sim *sim, const UnwrittenOrigin *origin, const Tensor *result, const char *index);
