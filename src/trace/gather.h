// gather.h -- a kernel's sources in one value: its module and every module that one imports, however indirectly.

#pragma once
#include "serde/gathered.h"
#include "trace/module.h"

// Reads `path` and follows its imports, wherever they stand in the file, to files of the module path. The library, native
// modules and modules that are not found are left out. `function` may be NULL. The result is in the tracer's arena; NULL
// after reporting (the entry cannot be read, or something reached has a syntax error).
const Gathered *gather_sources(Tracer *t, const char *path, const char *function);
