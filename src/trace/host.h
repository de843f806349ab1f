// host.h -- tracing inside a running interpreter: names of modules, functions and classes that are live objects there.
//
// A host module has no body to run: a global name is asked for when it is first needed and then kept. Functions and
// classes are found in the texts they were compiled from, by name and line, and evaluated from their syntax trees as any
// other; their defaults and closures are the live values.

#pragma once
#include "trace/object.h"

typedef struct Host {
  void *context;
  // The value of global `name` in `scope`. MISSING: it has none; ERROR after raising.
  Outcome (*global)(Tracer *t, void *context, void *scope, const Name *name, Value *out);
  // The module `name` of the running program; NULL: none. The result is of host_module.
  ModuleObject *(*module)(Tracer *t, void *context, Str name);
  // A file other than a source was read.
  void (*file)(Tracer *t, void *context, const char *path);
} Host;

// A module whose names are those of `scope`, which the host keeps alive. `path` is for messages.
ModuleObject *host_module(Tracer *t, void *scope, const char *name, const char *path, bool is_package);

// A text that functions of `module` were compiled from. Parsed once; NULL after raising (a syntax error).
typedef struct HostText HostText;
HostText *host_text(Tracer *t, ModuleObject *module, const char *path, Str text);

// The function `name` whose first line (that of its decorators) is `line`; a lambda is named "<lambda>", and `column`, in bytes
// from 0, is where its body starts (negative: any). It has no defaults and empty cells yet. NULL: the text has none there.
Function *host_function(Tracer *t, HostText *text, const char *name, uint32_t line, int64_t column);
const Name *host_free_name(const Function *function, uint32_t index);  // of function->code->free_count

// The class `qualname` ("Outer.Inner", "make.<locals>.Config"), made by running its statement. `free` gives variables of
// functions around it their values. MISSING: the text has no such class.
typedef struct HostVariable {
  const Name *name;
  Value value;
} HostVariable;
Outcome host_class(Tracer *t, HostText *text, const char *qualname, const HostVariable *free, size_t free_count,
                   Value *out);
