// psum.h -- what the documents and measurements say of adding into PSUM, followed while a kernel runs.
//
// Only the tensor engine adds. On NeuronCore-v2 and v3 it may not add to what another engine wrote, and on v3 sums that take
// turns in one bank were measured to lose contributions.

#pragma once
#include "sim/tile.h"

typedef struct PsumGroups PsumGroups;

// Another engine has written the tile, in PSUM. The tensor engine has, with the result of a product.
void psum_note_other(const Tile *tile);
void psum_note_product(const Tile *tile);

// The tensor engine is about to add to all of `dst` (`adds`), to start sums in it, or where `is_inferred` whichever applies to
// each element. Stops or warns where that is not defined.
void psum_check_product(Sim *sim, const Tile *dst, bool adds, bool is_inferred);

void psum_renew(Buffer *buffer);  // the buffer is that of another tensor
void psum_free(Buffer *buffer);
