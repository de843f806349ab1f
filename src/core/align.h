// align.h -- which instruction of one kernel stands for which of another: before and after an edit, on two targets.

#pragma once
#include "core/core.h"

typedef Vec(const Instr *) InstrVec;

// All instructions of a core but branches, over its blocks.
InstrVec align_list(Arena *arena, const Core_LIST_BLOCK *blocks);

#define ALIGN_NONE UINT32_MAX

// For each of `a` the index in `b` of the one that stands for it, ascending, or ALIGN_NONE. Those of one kind stand for each
// other that write tiles of equal sizes: first where the Python line has the same text, then, between those, others.
// Sequences are matched by a shortest edit script (Myers); where that is longer than some thousand steps, by the next
// that fits.
// Each comes with the session that its places are in.
uint32_t *align_instructions(Arena *arena, Session *a_session, const InstrVec *a, Session *b_session, const InstrVec *b);
