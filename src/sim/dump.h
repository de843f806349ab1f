// dump.h -- every tensor of a run, tiles too, as it was when it was last written: for `klr diff` to hold others against.

#pragma once
#include "sim/diff.h"

// Called for each tensor that `side` writes (of tiles, those of logical core 0), in the order in which they are finished.
// `array` is gone afterwards; elements that were never written are NaN, or 0 in integers. False stops, after reporting.
typedef bool DumpSave(void *context, const Tensor *tensor, const Array *array);

// Runs the side twice: once to learn when each tensor is finished, once to save them. False after reporting an error.
bool dump_tensors(const DiffSide *side, DumpSave *save, void *context);
