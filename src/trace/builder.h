// builder.h -- the state of one kernel while it is traced: blocks, instructions, names; and what values of the device
// (tensors, registers, memories) look like to the evaluator. Internal to the files that make kernels.

#pragma once
#include "trace/kernel.h"
#include "trace/object.h"

typedef struct EmitPlan EmitPlan;

// The variable that a call's result is assigned to, and how many numbers it has given out on core `core`.
typedef struct NameBase {
  const char *name;
  uint32_t *count;
  uint32_t core;
} NameBase;

// A loop that runs on the device, while its body is traced.
typedef struct DeviceLoop {
  struct DeviceLoop *outer;
  const Frame *frame;      // that the body runs in
  const LoopMark *mark;    // the frame's innermost loop while the body runs and no loop is inside
  const char *next_label;  // where `continue` goes; made when first needed
  const char *exit_label;
} DeviceLoop;

typedef struct ViewOutside {
  const ViewFault *fault;
  Span made;
} ViewOutside;

typedef struct Builder {
  Tracer *t;
  Arena *arena;  // of the kernel
  uint32_t core, cores;
  bool has_grid;
  Views views;
  Kernel *kernel;

  // the core being traced: `blocks` to `device_depth` are put aside while another core has its turn
  Vec(Block *) blocks;
  Vec(const Instr *) body;  // of the open block
  const char *label;        // of the open block; NULL: control has left, nothing can be reached here
  bool no_reorder;          // of the open block
  uint32_t no_reorder_depth;
  uint32_t instruction_count;
  Map tensors;              // by name
  Map values;               // what the library keeps for this core: `_klr.cached`
  Map counters;             // base name: how many numbers were given out
  DeviceLoop *loop;
  uint32_t given_block, given;  // the next instruction that kernel_next gives
  uint32_t device_depth;    // loops and branches of the device around here

  // all cores
  Vec(const Tensor *) inputs, shared_buffers;
  Vec(SharedConstant) shared_constants;
  Vec(const Tensor *) constants;  // the tensor of each
  Vec(Edges) edges;
  Map all_tensors;   // by name, of the first core that made it
  Map positions;     // by span and caller
  Map strings;       // names of registers, labels and instructions, kept once
  Map plans;         // EmitPlan by call expression
  uint32_t tensor_count;
  Map functions;     // what nl functions mean as operators, by function
  Map bases;         // NameBase by place of a call
  Map deprecated;    // names that were warned about
  Map outside;       // ViewOutside by view: patterns that reach outside of their tensor, which nothing may use
  Vec(const char *) instruction_names;
  const Pos *last_pos;
  struct {
    const Expr *expr;
    EmitPlan *plan;
  } recent_plans[64];  // by the low bits of the call's address
  Value recent_slices[256];  // that `nl.ds` made
} Builder;

// The kernel being traced; NULL outside of one, after raising when `what` is not NULL.
static inline Builder *builder_of(Tracer *t) { return t->kernel; }
Builder *builder_need(Tracer *t, const char *what, Span span);

// ---- places: library code is not what the user wrote, so instructions and errors point at the line that called it
const Frame *user_frame(Tracer *t, Span span, Span *user_span);
Span user_span(Tracer *t, Span span);
const Pos *builder_pos(Builder *b, Span span);
// The name of the library function that the user called, "nki.isa.memset" as "nisa.memset"; NULL outside the library.
const char *library_function(Tracer *t);

// Notes on `diag` the rule that it is about, as `klr list rules` has it: "dma_transpose.dst.turned".
void nki_cite(Tracer *t, Diag *diag, const char *rule);


// ---- names
// "base.N", N counted for each base and from 1 on every core.
const char *builder_number(Builder *b, const char *base);
const char *builder_keep(Builder *b, const char *text);  // one copy for equal texts
uint32_t *builder_counter(Builder *b, const char *base);  // how many numbers it gave out on this core
size_t number_name(char *out, size_t capacity, const char *base, uint32_t number);  // "base.N"; its length

// ---- instructions and blocks
// An instruction, and the handle that its call gives.
typedef struct InstrNode {
  Instr instr;
  NativeObject head;
} InstrNode;
// Appends `op` to the open block; dropped when there is none. `name` NULL: numbered.
InstrNode *builder_add(Builder *b, Op *op, const char *name, Span span);
void builder_open(Builder *b, const char *label);  // begins a block; the last one was closed
void builder_close(Builder *b);                    // ends the open block as it is
void builder_jump(Builder *b, const char *label, Span span);  // ends the open block
void builder_branch(Builder *b, BrCmpOp op, const char *reg1, const char *reg2, int64_t imm, const char *if_true,
                    const char *if_false, const char *name, Span span);

// ---- patterns that reach outside of their tensor: made, but not to be used
void builder_mark_outside(Builder *b, const View *view, const ViewFault *fault, Span made);
const ViewOutside *builder_outside(const Builder *b, const View *view);  // NULL: a view to be used

// ---- tensors
typedef struct TensorObject {
  NativeObject head;  // tensor_type
  const View *view;
  Tensor *argument;   // of tensor_argument: named when a kernel is traced with it
  Tuple *shape;       // once somebody asked
} TensorObject;
extern const NativeType tensor_type;

Value value_tensor(Tracer *t, const View *view);
const View *value_view(Value value);  // NULL: not a tensor

// How a tensor is to be allocated; `name` NULL: after the variable it is assigned to.
typedef struct TensorSpec {
  const char *name;
  DType dtype;
  Memory memory;
  const uint64_t *sizes;
  uint32_t rank;
  bool has_address;
  uint64_t par_offset, free_offset;
  bool rotate;  // address rotation
} TensorSpec;
const Tensor *builder_tensor(Builder *b, const TensorSpec *spec, Span span);  // NULL after raising
Tensor *tensor_new(Arena *arena, const TensorSpec *spec);

// Raises what views.fault says, at the user's line.
bool raise_fault(Tracer *t, const ViewFault *fault, Span span);

// Text for messages: "a tensor of shape (128, 512)", "an int", "None".
const char *describe(Tracer *t, Value value);

// An operand shape: a tuple or list of positive ints, or one int.
bool read_sizes(Tracer *t, Value value, const char *what, Span span, int64_t *sizes, uint32_t *count);
bool read_dtype(Tracer *t, Value value, DType *out);  // false without raising

// What tensor.c and tensor_methods.c share. The int of an argument; the value of a view, or what went wrong with it.
extern const NativeMethod tensor_methods[];
bool tensor_need_int(Tracer *t, Value value, const char *method, const char *parameter, Span span, int64_t *out);
bool tensor_give(Tracer *t, const View *view, Span span, Value *out);
Views *kernel_views(Tracer *t);
// A register or a tensor of one element in SBUF, as what a view adds to its address; NULL after raising.
const ScalarOffset *tensor_runtime_offset(Tracer *t, Value value, Span span);

// ---- memories and operators: named constants
typedef enum ConstantGroup { GROUP_MEMORY, GROUP_OPERATOR } ConstantGroup;
typedef struct NamedConstant {
  NativeObject head;  // constant_type
  ConstantGroup group;
  const Name *name;
  Memory memory;
} NamedConstant;
extern const NativeType constant_type;
Value value_memory(Tracer *t, Memory memory);
bool read_memory(Value value, Memory *out);
const char *memory_name(Memory memory);

// ---- registers
// One register, or an affine expression `root * scale + bias` of one that never changes; the latter is computed where
// it is used.
typedef struct RegisterObject {
  NativeObject head;  // register_type
  const char *name;   // NULL: an expression of root
  bool frozen;        // may not be written
  const struct RegisterObject *root;  // itself for a register
  int64_t scale, bias;
} RegisterObject;
extern const NativeType register_type, condition_type, dynamic_range_type, no_reorder_type, instruction_type;
Value value_register(Tracer *t, const char *name, bool frozen);
const RegisterObject *value_is_register(Value value);
// The register's name, after computing it when it stands for an expression; NULL after raising.
const char *register_use(Builder *b, Value value, Span span);
// stop - start of two registers that differ by a constant, as in `i * 128` and `(i + 1) * 128`.
bool register_distance(Value start, Value stop, int64_t *out);
extern const DeviceHooks device_hooks;

// Control flow over run-time values for somebody who evaluates a kernel while it runs, and so knows what registers hold.
typedef bool ReadRegister(void *context, const char *name, double *out);  // false: it holds nothing, which was reported
// Whether a register is not 0, or a comparison of registers is true. False after ReadRegister gave false.
bool device_condition(Value condition, ReadRegister *read, void *context, bool *out);
bool device_register(const RegisterObject *reg, ReadRegister *read, void *context, double *out);
// Sets the registers of a loop over `nl.dynamic_range`, and steps on: `*test` is whether another iteration follows.
bool device_loop_begin(Tracer *t, Value range, Span span, Value *index, Value *test);
void device_loop_next(Tracer *t, Value range, Value index, Span span);

// ---- the functions of module `_klr`: KLR_FUNCTION(name, C function, signature)
#define KLR_FUNCTIONS(X)                                                                                               \
  X("emit", klr_emit, NULL)                                                                                            \
  X("ndarray", klr_ndarray, "shape dtype buffer? name? address? address_rotation?")                                    \
  X("unique_name", klr_unique_name, "name")                                                                            \
  X("ds", klr_ds, "start size")                                                                                        \
  X("shared_constant", klr_shared_constant, "constant")                                                                \
  X("cached", klr_cached, "key make *arguments")                                                                       \
  X("program_id", klr_program_id, "axis?")                                                                             \
  X("num_programs", klr_num_programs, "axes?")                                                                         \
  X("program_ndim", klr_program_ndim, "")                                                                              \
  X("register_alloc", klr_register_alloc, "x?")                                                                        \
  X("register_move", klr_register_move, "dst src")                                                                     \
  X("register_load", klr_register_load, "dst src")                                                                     \
  X("register_store", klr_register_store, "dst src")                                                                   \
  X("dynamic_range", klr_dynamic_range, "start stop? step?")                                                           \
  X("no_reorder", klr_no_reorder, "")                                                                                  \
  X("jit", klr_jit, "function")                                                                                        \
  X("kind", klr_kind, "value")                                                                                         \
  X("unspecified", klr_unspecified, "gap message")                                                                     \
  X("error", klr_error, "message help? rule?")                                                                         \
  X("need", klr_need, "value parameter what")                                                                          \
  X("describe", klr_describe, "value")                                                                                 \
  X("deprecated", klr_deprecated, "name help")                                                                         \
  X("warn_old", klr_warn_old, "message help")                                                                          \
  X("removed", klr_removed, "name help")                                                                               \
  X("operator", klr_operator, "name")                                                                                  \
  X("memory", klr_memory, "name")                                                                                      \
  X("dtype", klr_dtype, "name")                                                                                        \
  X("common_dtype", klr_common_dtype, "a b")                                                                           \
  X("is_integer", klr_is_integer, "dtype")                                                                             \
  X("significant_bits", klr_significant_bits, "dtype")                                                                 \
  X("repeat_partition", klr_repeat_partition, "tensor count")                                                          \
  X("rank_id", klr_rank_id, "name?")                                                                                   \
  X("processing_rank_id", klr_processing_rank_id, "iteration_id channel_id replica_group")                             \
  X("generation", klr_generation, "")                                                                                  \
  X("tile_size", klr_tile_size, "name")
#define X(name, function, signature) NativeFn function;
KLR_FUNCTIONS(X)
#undef X
