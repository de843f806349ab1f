// registry.h -- between the files that load compiled kernels (registry.c, library_file.c) and the one that launches them (launch.c).

#pragma once
#include "base/threads.h"
#include "klr_schema.h"

#include <pthread.h>

// A loaded library. Its memory lives as long as the registry lists it or a launch runs in it.
typedef struct Library {
  struct Library *next;
  char *path;
  void *loaded;    // of dlopen
  uint64_t launches;
  const KlrKernelLibrary *table;
} Library;

// The threads that launch, for one launch at a time.
typedef struct LaunchPool {
  pthread_mutex_t lock;
  ThreadPool *threads;
  unsigned size;
} LaunchPool;

// Keeps the text for the calling thread. Always false.
bool registry_fail(const KlrRegistry *registry, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool registry_fail_access(const KlrRegistry *registry, const KlrKernelFault *fault, const char *text);

// The kernel of a handle, whose library stays until `registry_leave`; NULL after keeping a text.
const KlrKernelInfo *registry_enter(KlrRegistry *registry, KlrKernelHandle kernel, Library **library);
void registry_leave(KlrRegistry *registry, Library *library);
LaunchPool *registry_pool(void);
KlrIsa best_isa(void);  // the widest that this processor has

// Stages lie as far apart as the library believes them to be large.
const KlrKernelStage *kernel_stage(const KlrKernelInfo *info, uint32_t index);

typedef struct FileText {
  char text[256];
} FileText;

// Opens a file and looks whether it may be a library of kernels, without running anything of it: a regular file, not of everyone's
// writing unless allowed, an ELF library for this machine that is whole, with a klr_kernel_library of this ABI. The
// descriptor; -1 with why in `error`.
int library_file_open(const char *path, bool allow_writable, FileText *error);
