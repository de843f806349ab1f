// trace.h -- the entry: a Python file, its kernels, a call of one of them.

#pragma once
#include "trace/eval.h"
#include "trace/module.h"
#include "trace/ops.h"
#include "trace/schedule.h"

// What @nki.jit makes of a function: callable (inlined when a kernel calls it), and `kernel[lnc]` chooses the number of
// logical cores, `kernel.with_schedule(edges)` an order of named instructions.
typedef struct KernelObject {
  NativeObject head;  // kernel_type
  Value function;
  int64_t lnc;  // 0: not chosen
  const Schedule *schedule;  // NULL: none
} KernelObject;
extern const NativeType kernel_type;
Value value_kernel(Tracer *t, Value function, int64_t lnc);

// A function that was marked with @nki.jit, with the name it has in its module.
typedef struct KernelEntry {
  const Name *name;
  Value value;  // a KernelObject, or a plain function when the file marks none
} KernelEntry;

typedef struct KernelEntries {
  KernelEntry *items;
  size_t count;
} KernelEntries;

// Loads `path` with its folder first on the module path. NULL after reporting.
ModuleObject *trace_load(Tracer *t, const char *path);
// The same for a text that was read already.
ModuleObject *trace_load_text(Tracer *t, const char *path, Str text);
// Puts the folder of `path` first on the module path, outside of the packages it lies in; the module's dotted name.
const char *trace_enter(Tracer *t, const char *path);

// The kernels that `module` defines itself, in order of definition.
KernelEntries trace_kernels(Tracer *t, ModuleObject *module);
// The kernel named `name` (any function will do), or the only one when `name` is NULL. False after reporting, with the
// candidates listed.
bool trace_find_kernel(Tracer *t, ModuleObject *module, const char *name, KernelEntry *out);

// The parameters of a function, to bind what the command line gives.
typedef struct Parameter {
  const Name *name;
  bool has_default, keyword_only, rest, keyword_rest;
  Span span;
} Parameter;
typedef struct Parameters {
  Parameter *items;
  size_t count;
} Parameters;
Parameters trace_parameters(Tracer *t, Value function);

// Calls `function` with `count` arguments, the first `positional` by their place and the others by name. False after raising: the
// diagnostic is in the session.
bool trace_call(Tracer *t, Value function, const Name *const *names, const Value *values, size_t positional, size_t count,
                Value *out);

// The value of an expression such as `ARG=VALUE` gives on the command line; `nl` and `nisa` are the modules that kernels
// import by these names.
bool trace_eval_text(Tracer *t, const char *description, const char *text, Value *out);

// Runs a file as `python FILE` would; what it prints goes to standard output.
bool trace_run_script(Tracer *t, const char *path);
