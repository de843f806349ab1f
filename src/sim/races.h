// races.h -- accesses of logical cores to shared HBM that nothing orders.
//
// Cores of a rank run at the same time. Where one reads or writes bytes that another wrote, or writes what another read,
// and no barrier on that tensor stands between, the result depends on timing. Writes of equal bytes do not count.
// Buffers of kernels that run on one core are not watched, and cost nothing.

#pragma once
#include "sim/state.h"

// Watches a buffer of shared HBM from now on; `tensor` names its elements in messages.
void races_watch(Sim *sim, Buffer *buffer, const Tensor *tensor);

// The running core reads, or has just written, these bytes of a watched buffer. A race is a warning, one for two lines of
// the kernel; the simulator's own order holds. In strict mode it ends the run.
void races_read(Buffer *buffer, uint64_t start, uint64_t bytes);
void races_write(Buffer *buffer, uint64_t start, uint64_t bytes);

// The cores have met at a barrier on the buffer, or have exchanged data: what any of them did to it comes before what any
// of them does next.
void races_order(Buffer *buffer, Core *const *cores, uint32_t count);
