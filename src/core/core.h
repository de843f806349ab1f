// core.h -- the core language: kernels made of blocks of operators over views of tensors.
//
// The C structures below are the tables enums.def, kinds.def, types.def and ops.def spelled out by the preprocessor;
// read those for the members. What generic code needs -- names, wire numbers, offsets, roles -- is described by TypeInfo,
// FieldInfo and OpInfo, and the printers, readers, verifier, comparison and random generator are loops over them.
//
// Everything lives in the arena of whoever built it and is constant once built.

#pragma once
#include "base/session.h"
#include "number/activation.h"
#include "number/alu.h"
#include "number/dtype.h"

// ---- enumerations: MEMORY_SBUF, ENGINE_DVE, ...
#define ENUM(type, prefix, wire, tag) typedef enum type {
#define MEMBER(prefix, name, wire) prefix##_##name,
#define END_ENUM(type, prefix)                                                                                         \
  prefix##_COUNT                                                                                                       \
  }                                                                                                                    \
  type;
#include "core/enums.def"

// ---- structures and sums
#define STRUCT(type, wire, tag, proofs) typedef struct type type;
#define SUM(type, wire, tag) typedef struct type type;
#include "core/types.def"
typedef struct Op Op;

// Who called the function that an instruction was traced in.
typedef struct CallSite {
  Span span;
  const char *function;
  const struct CallSite *caller;  // NULL: the kernel itself
} CallSite;

// The C type of each kind: Core_NAT, Core_LIST_AP_PAIR, ...
#define KIND_SCALAR(kind, type, form) typedef type Core_##kind;
#define KIND_ENUM(kind, type) typedef type Core_##kind;
#define KIND_VALUE(kind, type) typedef type Core_##kind;
#define KIND_REF(kind, type) typedef const type *Core_##kind;
#define KIND_BOXED(kind, of) typedef const Core_##of *Core_##kind;
#define KIND_OPTION(kind, of)                                                                                          \
  typedef struct Core_##kind {                                                                                         \
    bool some;                                                                                                         \
    Core_##of value;                                                                                                   \
  } Core_##kind;
#define KIND_LIST(kind, of)                                                                                            \
  typedef struct Core_##kind {                                                                                         \
    Core_##of *items;                                                                                                  \
    uint32_t count;                                                                                                    \
  } Core_##kind;
#include "core/kinds.def"
typedef Op *Core_OPERATOR;

#define STRUCT(type, wire, tag, proofs) struct type {
#define FIELD(name, wire, kind, doc) Core_##kind name;
#define LOCAL(type, name) type name;
#define END_STRUCT(type)                                                                                               \
  }                                                                                                                    \
  ;
#define SUM(type, wire, tag)                                                                                           \
  struct type {                                                                                                        \
    uint32_t ctor; /* one of the type's constructors below */                                                          \
    union {                                                                                                            \
      char start_[1]; /* where the members begin */
#define CTOR(type, name, number, wire, kind, field) Core_##kind name;
#define END_SUM(type)                                                                                                  \
  }                                                                                                                    \
  ;                                                                                                                    \
  }                                                                                                                    \
  ;
#include "core/types.def"

// Constructors of sums: Operand_imm, TensorRef_abstract, ...
#define SUM(type, wire, tag) enum {
#define CTOR(type, name, number, wire, kind, field) type##_##name = number,
#define CTOR_PLAIN(type, name, number, wire) type##_##name = number,
#define END_SUM(type)                                                                                                  \
  }                                                                                                                    \
  ;
#include "core/types.def"

// ---- operators: OP_nc_matmul; op->nc_matmul.dst. Allocated only as large as its kind needs; never copied by value.
typedef enum OpKind {
#define OP(name, wire, payload, number, tag, engine, doc) OP_##name,
#include "core/ops.def"
  OP_COUNT,
  OP_FORMAT_COUNT = 76  // those that format 0.0.12 has; ours follow
} OpKind;

#define OP(name, wire, payload, number, tag, engine, doc) struct Op_##name {
#define FIELD(name, wire, kind, role, doc) Core_##kind name;
#define END(name)                                                                                                      \
  }                                                                                                                    \
  ;
#include "core/ops.def"

struct Op {
  OpKind kind;
  union {
#define OP(name, wire, payload, number, tag, engine, doc) struct Op_##name name;
#include "core/ops.def"
  };
};

// ---- descriptions
typedef enum Form {
  FORM_BOOL, FORM_NAT, FORM_NAT32, FORM_INT, FORM_INT32, FORM_F32, FORM_STRING,
  FORM_OPT_STRING,  // NULL: none
  FORM_SAME,        // exactly `of`: a kind that is a type held by value
  FORM_ENUM,        // stored as the C enumeration
  FORM_STRUCT, FORM_SUM,
  FORM_REF,     // pointer to `of`, never NULL
  FORM_BOXED,   // option: NULL or pointer to `of`
  FORM_OPTION,  // option: {bool some; value at value_offset}
  FORM_LIST,    // {items; uint32_t count}
  FORM_OPERATOR // Op *
} Form;

typedef enum Role { ROLE_READ, ROLE_WRITE, ROLE_UPDATE, ROLE_PARAM } Role;

typedef struct TypeInfo TypeInfo;
typedef struct FieldInfo FieldInfo;
typedef const FieldInfo *FieldsFn(uint32_t *count);  // a description's fields, in wire order

struct FieldInfo {
  const char *name, *wire;
  const TypeInfo *type;
  Role role;         // operators only
  uint32_t offset;   // in the structure, or in Op
  bool is_extension; // ours: written only when not all zero bytes
  const char *doc;
};

typedef struct CtorInfo {
  const char *name, *wire;
  uint32_t number;
  const TypeInfo *type;  // NULL: carries nothing
  const char *field;     // the wire name of what it carries
} CtorInfo;

struct TypeInfo {
  Form form;
  const char *name, *wire;  // C and wire name; NULL where the form has none
  uint16_t tag;             // of enumerations, structures and sums
  uint32_t bytes;           // sizeof the C type
  uint32_t value_offset;    // FORM_OPTION, FORM_SUM: where the value stands
  uint32_t member_count;    // FORM_ENUM: members; FORM_SUM: constructors; FORM_OPERATOR: operators
  uint32_t wire_count;      // FORM_ENUM, FORM_OPERATOR: members that format 0.0.12 has; those above are ours
  uint32_t proof_count;     // FORM_STRUCT: fields counted but not encoded
  const TypeInfo *of;
  FieldsFn *fields;  // FORM_STRUCT
  const CtorInfo *ctors;
  const char *(*member_name)(uint32_t);  // FORM_ENUM: wire name, for numbers below member_count
};

// The description of each kind: core_NAT, core_TENSOR_REF, ...; and of what files hold at the top.
#define KIND_SCALAR(kind, type, form) extern const TypeInfo core_##kind;
#define KIND_ENUM(kind, type) extern const TypeInfo core_##kind;
#define KIND_VALUE(kind, type) extern const TypeInfo core_##kind;
#define KIND_REF(kind, type) extern const TypeInfo core_##kind;
#define KIND_BOXED(kind, of) extern const TypeInfo core_##kind;
#define KIND_OPTION(kind, of) extern const TypeInfo core_##kind;
#define KIND_LIST(kind, of) extern const TypeInfo core_##kind;
#include "core/kinds.def"
extern const TypeInfo core_OPERATOR;
#define STRUCT(type, wire, tag, proofs) extern const TypeInfo core_type_##type;
#define SUM(type, wire, tag) extern const TypeInfo core_type_##type;
#include "core/types.def"

typedef struct OpInfo {
  const char *name, *wire;  // "nc_matmul", "ncMatMul"
  const char *payload;      // wire name of the payload structure
  uint32_t number;          // constructor number of Operator
  uint16_t payload_tag;
  Engine engine;            // when has_engine_field is false
  bool has_engine_field;
  uint32_t bytes;           // of the Op
  FieldsFn *fields;
  const char *doc;
} OpInfo;

const OpInfo *op_info(OpKind kind);
bool op_find(Str name, OpKind *out);                  // by our name
bool op_from_wire(uint64_t number, OpKind *out);      // by constructor number
Engine op_engine(const Op *op);                       // the table's, or the operator's own field
bool branch_holds(BrCmpOp op, double left, double right); // whether a branch on it is taken

Op *op_new(Arena *arena, OpKind kind);  // zeroed payload

// Calls `visit` for every tensor operand of `op` in field order with its role; stops and returns false when it does.
typedef bool OpVisit(void *context, const FieldInfo *field, Role role, const TensorRef *ref);
bool op_visit_tensors(const Op *op, OpVisit *visit, void *context);

// Which inputs of `kernel` some instruction writes: `written` has one for each of kernel->inputs.
void core_find_written(const Kernel *kernel, bool *written);

// Equal content, whatever the pointers; `hash` agrees with it. Members of ours (LOCAL) are not compared.
bool core_equal(const TypeInfo *type, const void *a, const void *b);
uint64_t core_hash(const TypeInfo *type, const void *value);

// ---- views
// The view an operand stands for: other forms of access are rewritten in `arena`. NULL for legacy references
// (sbuf, psum, hbm, register), which nothing that we trace produces.
const View *ref_view(Arena *arena, const TensorRef *ref);
const View *access_view(Arena *arena, const Access *access);
TensorRef ref_of_view(const View *view);

DType view_dtype(const View *view);         // the override, or the tensor's
uint64_t view_elements(const View *view);   // product of the counts
uint64_t tensor_elements(const Tensor *tensor);
uint64_t tensor_bytes(const Tensor *tensor);
// Lowest and highest element the pattern reaches, offset included; run-time offsets not. False when it has no elements.
bool view_extent(const View *view, int64_t *lowest, int64_t *highest);
