// module.h -- modules: finding them, running their bodies, and the ones that are built in.
//
// A module's file is looked for when it is imported; its body runs when one of its names is first needed (when it is
// imported, in a script). A module-level statement that fails leaves the names it would have bound opaque: the reason is
// reported if one of them is used. Modules that cannot be found are opaque too.

#pragma once
#include "base/map.h"
#include "trace/tracer.h"

// Modules whose source is part of the program (the nki library). Ends with a NULL name. Defined by generated code.
typedef struct EmbeddedModule {
  const char *name;  // "nki.language"
  bool is_package;
  Str text;
  const char *path;  // shown in messages: "nki/language/__init__.py"
} EmbeddedModule;
extern const EmbeddedModule embedded_modules[];

// Modules made of C functions and values; `init` fills in what tables cannot say. Name, functions (NULL-terminated).
typedef struct NativeModule {
  const char *name;
  const NativeMethod *functions;
  void (*init)(Tracer *t, ModuleObject *module);
  // What a name is that the module does not have; NULL: an error.
  Outcome (*unknown)(Tracer *t, ModuleObject *module, const Name *name, Value *out);
} NativeModule;

typedef enum ModuleState { MODULE_FOUND, MODULE_RUNNING, MODULE_READY } ModuleState;

struct ModuleObject {
  const Name *name;  // dotted
  const char *path;  // of the file; "" for native modules
  AttrTable attrs;
  ModuleState state;
  bool is_package;
  const char *folder;              // of a package
  const EmbeddedModule *embedded;  // a module of the program's own library; NULL: the user's
  const EmbeddedModule *text;      // its source, when it does not come from a file
  const NativeModule *native;
  Module *tree;
  Source *source;
  uint32_t source_id;
  void *host_scope;  // its names are those of a live object of the host (host.h); NULL: they are in `attrs` only
  Map host_lacks;  // names, by address, that the host was asked for and does not have
  struct HostText *host_texts;
};

static inline bool module_is_library(const ModuleObject *module) { return module && module->embedded; }

void module_add_native(Tracer *t, const NativeModule *module);  // before anything is imported
// A module whose source was given with the kernel instead of being found as a file. `text` and the names are kept.
void module_add_source(Tracer *t, const char *name, bool is_package, Str text, const char *path);
void module_add_path(Tracer *t, const char *folder);            // a folder to search, after those already added
void module_add_path_first(Tracer *t, const char *folder);      // before all others
void module_add_default_paths(Tracer *t);                       // KLR_PATH, then the active environment's site-packages

// The module named `name`, found but perhaps not run; NULL when there is none (nothing is reported).
ModuleObject *module_find(Tracer *t, Str name);
bool module_is_loaded(Tracer *t, Str name);       // found before
bool module_run(Tracer *t, ModuleObject *module, Span span);  // runs the body if it has not been
ModuleObject *module_load_file(Tracer *t, const char *path, const char *name);  // NULL after reporting
// The name of a live module, asked of the host and kept; MISSING: not live, or there is none.
Outcome module_host_global(Tracer *t, ModuleObject *module, const Name *name, Value *out);
Outcome module_getattr(Tracer *t, ModuleObject *module, const Name *name, Span span, Value *out);
void module_set(Tracer *t, ModuleObject *module, const char *name, Value value);

// Adds what replaced the use of `parameter` that a call of the NKI library got wrong, when older versions had it.
void nki_explain_call(Diag *diag, Str parameter);
