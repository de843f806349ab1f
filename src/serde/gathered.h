// gathered.h -- a kernel's sources in one value: the entry and the text of every module it needs.
//
// `klr gather` writes it where the sources are, `klr trace` reads it anywhere else. In a .klr file it is contents
// number 16 (ours); the texts may be longer than those of a kernel.

#pragma once
#include "core/core.h"

typedef struct GatheredModule {
  const char *name; // "package.module", as it is imported
  const char *path; // of the file it came from, for messages
  bool is_package;  // the file is the package's __init__.py
  const char *text;
} GatheredModule;

typedef struct GatheredArgument {
  const char *name;
  const char *text; // as given on the command line, after the `=`
} GatheredArgument;

typedef struct GatheredModules {
  GatheredModule *items;
  uint32_t count;
} GatheredModules;

typedef struct GatheredArguments {
  GatheredArgument *items;
  uint32_t count;
} GatheredArguments;

typedef struct Gathered {
  const char *module, *function; // the entry; `module` is the name of one of the modules
  GatheredModules modules;
  const char *target; // "trn2"; NULL: not given
  Core_OPT_NAT lnc;   // logical cores; absent: not given
  GatheredArguments arguments;
} Gathered;

extern const TypeInfo gathered_type;
