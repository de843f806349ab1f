// tracer.h -- the state of one trace, and how errors are raised in it.
//
// Functions that evaluate return false (or OUTCOME_ERROR, or COMPLETION_ERROR) after raising; callers hand that on. What
// was raised is a Python exception that `except` can catch. Its diagnostic is made at the moment of raising, with the
// call stack of that moment, and withdrawn when the exception is caught.

#pragma once
#include "base/map.h"
#include "trace/value.h"

typedef struct FunctionCode FunctionCode;

// How a list of statements ended.
typedef enum Completion {
  COMPLETION_NORMAL,
  COMPLETION_BREAK,
  COMPLETION_CONTINUE,
  COMPLETION_RETURN,  // frame->result
  COMPLETION_ERROR
} Completion;

typedef struct LoopMark {
  struct LoopMark *outer;
  Span span;
  uint64_t iterations;
} LoopMark;

// One activation of a function, a module body or a class body.
struct Frame {
  Frame *caller;
  const FunctionCode *code;
  Function *function;  // NULL: module or class body
  ModuleObject *module;
  AttrTable *names;    // module body: the module's globals; class body: the class's names; function: NULL
  Value *slots;        // [code->slot_count] locals, cells, hidden variables
  Value result;
  Span call_span;      // where the caller called; none for the entry
  LoopMark *loop;
  List *yielded;       // of a generator function
  Class *class;        // while a class body runs
  uint64_t id;         // of function activations: tells this one from a later one at the same place in memory
};

// What the device side does with control flow over run-time values; set by the kernel builder. Bodies are evaluated with
// eval_block in the frame given. `if` and `while` get the value of their condition, `for` that of its iterable.
typedef struct DeviceHooks {
  Completion (*on_if)(Tracer *t, Frame *frame, const Stmt *stmt, Value condition);
  Completion (*on_while)(Tracer *t, Frame *frame, const Stmt *stmt, Value condition);
  Completion (*on_for)(Tracer *t, Frame *frame, const Stmt *stmt, Value iterable);
} DeviceHooks;

typedef struct ReprMark {
  const struct ReprMark *outer;
  const void *object;
} ReprMark;

struct ModuleTable;
struct Builtins;

struct Tracer {
  Session *session;
  Arena arena;             // values and syntax trees of this trace
  void *kernel;            // the kernel builder's own state; NULL outside a kernel
  const DeviceHooks *device;
  Frame *frame;            // innermost
  uint64_t frame_count;    // activations of functions so far
  Span here;               // the statement being evaluated: the place of errors that have no better one
  Value exception;         // being raised, or UNDEFINED
  Vec(Value) handled;      // exceptions whose handlers are running, innermost last
  struct ModuleTable *modules;
  struct Builtins *builtins;
  const ReprMark *repr;    // containers being shown, so that one inside itself ends
  AttrTable builtin_names;
  AttrTable hidden_names;  // classes of ours that are not in the language's own name space
  Map native_classes;      // of native types
  StrBuf *print;           // what `print` writes goes here; NULL: to standard error
  bool prints_to_stdout;
  bool is_script;          // module bodies run as in Python: eagerly, and their errors are errors
  int import_guards;       // `try` statements around the running code: an unknown import raises in them
  bool in_kernel;          // warnings about what the vendor's compiler refuses are given
  uint32_t depth, depth_limit;          // Python calls; 0: no limit
  uint64_t steps, step_limit;           // statements and iterations, and 20 for each instruction; limit 0: none
  const char *stack_base;               // of the C stack, to stop before it overflows
  size_t stack_limit_bytes;
  Value *stack, *stack_top, *stack_end; // frame slots and arguments
  const struct Host *host;              // the running interpreter around the trace; NULL: none
  Map warned;                           // places and codes already warned about
};

// Never NULL: goes where the session goes when memory runs out.
Tracer *tracer_new(Session *session);
void tracer_free(Tracer *t);

// The interned form of a name.
const Name *tracer_name(Tracer *t, const char *text);

// ---- raising

// Raises the exception class that goes with `code` (see errors.def; RuntimeError otherwise) and gives the diagnostic, with
// primary place and call stack filled in, for labels and helps. The text is Python's own where Python has one; names that
// stand in 'single quotes' are shown in backticks.
Diag *raise_error(Tracer *t, DiagCode code, Span span, const char *format, ...) __attribute__((format(printf, 4, 5)));

// raise_error, as a false to return.
#define RAISE(t, code, span, ...) (raise_error((t), (code), (span), __VA_ARGS__), false)
#define RAISE_OUTCOME(t, code, span, ...) (raise_error((t), (code), (span), __VA_ARGS__), OUTCOME_ERROR)

// Makes a diagnostic the exception being raised (for a Diag made by other means).
void raise_diag(Tracer *t, const char *exception_class, Diag *diag);
// Drops the exception being raised together with its diagnostic; gives it back.
Value catch_exception(Tracer *t);

// A warning, once for each place and code. In strict mode it is an error in the session; the trace goes on.
Diag *warn_once(Tracer *t, DiagCode code, Span span, const char *format, ...) __attribute__((format(printf, 4, 5)));
// Adds the calls that lead to the innermost frame.
void diag_call_stack(Tracer *t, Diag *diag);

// Room for `count` values at the top of the value stack, all UNDEFINED; NULL after raising. Give back with stack_release.
Value *stack_reserve(Tracer *t, size_t count, Span span);
static inline void stack_release(Tracer *t, Value *start) { t->stack_top = start; }

// False after raising when the C stack or the recursion limit is reached.
bool check_stack(Tracer *t, Span span);
