// kernel.h -- tracing a kernel: Python's evaluation of it, recorded as core operators.
//
//   nki_install(t);
//   Value x;
//   if (!tensor_argument(t, "x", DTYPE_FLOAT32, (uint64_t[]){128, 512}, 2, &x)) ...
//   Kernel *kernel = trace_kernel(t, entry.value, &name, &x, 1, &(TraceOptions){0});
//
// The kernel lives in the session's arena, so it outlives the tracer.

#pragma once
#include "machine/machine.h"
#include "trace/trace.h"
#include "trace/views.h"

// Makes the modules of NKI known to a new tracer, and the device side of control flow. Once, before anything is
// imported. `machine` is what `nisa.get_nc_version()` and `nl.tile_size` describe; NULL: machine_default().
void nki_install(Tracer *t, const Machine *machine);

typedef struct TraceOptions {
  int64_t lnc;    // logical cores; 0: as the kernel was launched (`kernel[lnc]`), else one
  size_t positional;  // so many arguments, the first ones, are given by place; the others by name
  bool no_verify; // leave out the core verifier
  Value *result;  // receives what the function returned on the first core; NULL: not wanted
} TraceOptions;

// Traces `kernel`, a function or what @nki.jit made of one, called with the arguments; once for each logical core.
// Tensors among the arguments, also inside tuples, lists, dicts and objects, become the kernel's inputs, named after
// their parameter ("x", "x.0", "config.weight"). NULL after reporting.
Kernel *trace_kernel(Tracer *t, Value kernel, const Name *const *names, const Value *values, size_t count,
                     const TraceOptions *options);

// ---- a kernel whose function somebody else evaluates, calling what it is made of: an interpreter, step by step
//
// Cores may take turns between calls: `kernel_switch_core`. trace_kernel is kernel_open; for each core kernel_begin_core,
// the call of the function, kernel_end_core; kernel_close.
typedef struct OpenKernel OpenKernel;

// The tracer is inside the kernel from now on. Names, values and lnc as above; NULL after reporting.
OpenKernel *kernel_open(Tracer *t, Value kernel, const Name *const *names, const Value *values, size_t count, int64_t lnc);
const Kernel *kernel_so_far(const OpenKernel *open);  // its inputs and the number of its cores
void kernel_begin_core(OpenKernel *open, uint32_t core);
void kernel_switch_core(OpenKernel *open, uint32_t core);  // to one that was begun
const Instr *kernel_next(OpenKernel *open);  // of this core, each once, in order; NULL: none was added since
const SharedConstant *kernel_next_constant(OpenKernel *open, const Tensor **tensor);  // the same of all cores
size_t kernel_made_count(const OpenKernel *open);  // that this core has made or was given so far,
const Tensor *kernel_made(const OpenKernel *open, size_t index);  // in order
size_t kernel_kept(const OpenKernel *open);  // values that the library keeps for this core
Span kernel_place(const OpenKernel *open);  // of its function
bool kernel_end_core(OpenKernel *open, Value result, Span span);  // false after reporting
Kernel *kernel_close(OpenKernel *open);    // the kernel, not verified; NULL after reporting
void kernel_abandon(OpenKernel *open);     // instead of kernel_close

// A tensor to pass as the argument `name`. False after reporting that no tensor has such a shape.
bool tensor_argument(Tracer *t, const char *name, DType dtype, const uint64_t *sizes, uint32_t rank, Value *out);

// The tensor an argument became, once a kernel was traced with it; else NULL.
const Tensor *tensor_argument_input(Value argument);

// An array that is no argument, for `nl.shared_constant`: row-major elements of `dtype`, copied.
Value value_array(Tracer *t, DType dtype, const uint64_t *sizes, uint32_t rank, Str data);

// Element types as the kernel sees them, for arguments such as `dtype=bfloat16`.
Value value_dtype(Tracer *t, DType dtype);
bool value_is_dtype(Value value, DType *out);
