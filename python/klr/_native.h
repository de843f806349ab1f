// _native.h -- what the files of the extension share: sessions and kernels as Python objects, live objects as values.

#pragma once
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include "api/inside.h"
#include "trace/eval_internal.h"
#include "trace/host.h"
#include "trace/kernel.h"

typedef struct SessionObject {
  PyObject_HEAD
  KlrSession *klr;
} SessionObject;

typedef struct KernelHandle {
  PyObject_HEAD
  SessionObject *session;  // owned; keeps the kernel alive
  KlrKernel *kernel;
} KernelHandle;

extern PyTypeObject *session_type, *kernel_handle_type;
PyObject *new_handle(SessionObject *session, const Kernel *kernel);

// ---- live objects as values of a tracer

typedef struct LiveInput {
  PyObject *object;
  Value value;
} LiveInput;

// Where an object was met.
typedef enum Reach {
  REACH_PROGRAM,   // from the kernel: `reads` is told
  REACH_ARGUMENT,  // from an argument, whose value is known to be the same when the kernel is called again; arrays are tensors
  REACH_CAPTURED,  // the same through the defaults or the closure of a function: arrays are constants
} Reach;

typedef struct Known {
  Value value;
  bool is_program;  // met first from the kernel
  bool is_array;    // a constant: another thing than the tensor that the same array is as an argument
} Known;

typedef struct Live {
  Tracer *t;
  Host host;
  PyObject *reads;
  PyObject *kept;     // what handles and cached values point to stays alive as long
  Map values;         // Known, by address of the object; tensors by the address after it
  Map modules;        // by address of the dictionary of globals
  Map cells;          // by address of the closure's cell
  Vec(LiveInput) inputs;
  const char *argument;  // whose value is being read
  Reach reach;
  bool is_entangled;  // the kernel reaches an object of the arguments by another way too
  // What kinds of objects are that _native.c does not know: MISSING when it is none of them. NULL: no such kinds.
  Outcome (*other)(struct Live *live, PyObject *object, Value *out);
  PyObject *error_type, *error_value, *error_trace;  // the first Python exception met on the way
} Live;

// {name: object} as a kernel's arguments.
typedef struct Arguments {
  const Name **names;
  Value *values;
  size_t count;
} Arguments;

void live_init(Live *live, Tracer *t);  // `reads` and `kept` are set
bool live_value(Live *live, PyObject *object, Value *out);  // false after raising in the tracer
bool live_arguments(Live *live, PyObject *dict, Arguments *out);
bool live_text(Live *live, PyObject *object, Str *out);
bool live_library(Live *live, const char *module, const char *name, Value *out);
PyObject *live_inputs(const Live *live, const Kernel *kernel);  // the argument objects in order; NULL: Python error
PyObject *live_result_form(Value value, long *next);
const Machine *live_machine(Session *session, const char *target);  // NULL after reporting

// ---- signals: ctrl-C, or what a handler raises, ends what the session does

typedef struct Signals {
  PyThreadState *released;  // while the interpreter's lock is not held
  PyObject *type, *value, *trace;  // of the exception
} Signals;
void signals_watch(KlrSession *klr, Signals *signals);
bool signals_end(KlrSession *klr, Signals *signals);  // whether there was one; it is then raised

// ---- kernels that the interpreter itself evaluates (_eager.c)
bool eager_init(PyObject *module);

// ---- functions that hide their inside from tracebacks (_entry.c)
bool entry_init(PyObject *module);

// ---- scalar kernels (_schema.c)
bool schema_init(PyObject *module);
