// constants.h -- tensors that are filled from .npy files before a kernel starts (kernel->shared_constants).

#pragma once
#include "sim/state.h"

// Arrays of constants; the simulator owns them.
typedef struct Constants {
  Array *arrays;
  uint32_t count;
  struct Constants *next;
} Constants;

// Reads the files of `kernel`, that of sim->core's rank, and makes its tensors hold them. A file is one that the session
// keeps (session_keep_file), or lies in options.folder. Stops the run after reporting.
void constants_bind(Sim *sim, const Kernel *kernel);
void constants_bind_one(Sim *sim, const SharedConstant *constant, const Tensor *tensor);
void constants_free(Sim *sim);
