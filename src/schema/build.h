// build.h -- from checked kernels to a shared library, by a C compiler of the system; what was built once is kept.

#pragma once
#include "schema/schema.h"

typedef struct SchemaBuildOptions {
  const char *compiler;  // NULL: KLR_CC, CC, cc, gcc or clang, the first there is
  bool is_checked;       // every access is verified
  bool no_cache;
  bool is_for_this_cpu;  // one body a kernel, for the widest vectors that this processor has; elsewhere the library may not run
} SchemaBuildOptions;

typedef struct SchemaBuilt {
  bool was_kept;       // it came from the cache
  double seconds;      // of the compiler
  const char *compiler;
} SchemaBuilt;

// The kernels of `files`, which are checked, as the shared library `path`, which is written whole or not at all. Several processes may build the
// same library. False after reporting: no compiler, what the compiler said, a file that cannot be written.
bool schema_build(Session *session, Arena *arena, SchemaFile *const *files, size_t file_count, const char *path,
                  const SchemaBuildOptions *options, SchemaBuilt *built);

// The same in two steps: what was started is compiled meanwhile, and must be ended. `start` gives NULL after reporting; what it gives lies in
// `arena`, and `path` must stay. No two of one path at once.
typedef struct SchemaBuild SchemaBuild;
SchemaBuild *schema_build_start(Session *session, Arena *arena, SchemaFile *const *files, size_t file_count, const char *path,
                                const SchemaBuildOptions *options);
bool schema_build_end(Session *session, Arena *arena, SchemaBuild *build, SchemaBuilt *built);

// The folder of kept libraries: KLR_CACHE, else klr in XDG_CACHE_HOME or ~/.cache; NULL: none, and nothing is kept.
const char *schema_cache_folder(Arena *arena);

typedef struct SchemaKept {
  const char *name;
  uint64_t bytes;
} SchemaKept;

typedef Vec(SchemaKept) SchemaKeptList;
void schema_cache_list(Arena *arena, SchemaKeptList *out);
size_t schema_cache_clear(Arena *arena);  // how many were removed
