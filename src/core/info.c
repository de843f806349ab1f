// info.c -- the tables as data: TypeInfo of every kind and type, OpInfo of every operator.

#include "base/bug.h"
#include "core/core.h"

#include <string.h>

// ---- names of enumerations
#define ENUM(type, prefix, wire, tag)                                                                                  \
  static const char *member_of_##type(uint32_t number)                                                                 \
  {                                                                                                                    \
    static const char *const names[] = {
#define MEMBER(prefix, name, wire) wire,
#define END_ENUM(type, prefix)                                                                                         \
  }                                                                                                                    \
  ;                                                                                                                    \
  return names[number];                                                                                                \
  }
#include "core/enums.def"

static const char *member_of_DType(uint32_t number)
{
  return number < DTYPE_WIRE_COUNT ? dtype_wire_name((DType)number) : dtype_numpy_name((DType)number);
}

static const char *member_of_AluOp(uint32_t number)
{
  return alu_wire_name((AluOp)number);
}

static const char *member_of_ActivationFunc(uint32_t number)
{
  return activation_wire_name((ActivationFunc)number);
}

#define ENUM(type, prefix, wire_name, enum_tag)                                                                        \
  static const TypeInfo enum_info_##type = {.form = FORM_ENUM,                                                         \
                                            .name = #type,                                                             \
                                            .wire = wire_name,                                                         \
                                            .tag = enum_tag,                                                           \
                                            .bytes = sizeof(type),                                                     \
                                            .member_count = prefix##_COUNT,                                            \
                                            .wire_count = prefix##_COUNT,                                              \
                                            .member_name = member_of_##type};
#include "core/enums.def"
#define NUMBER_ENUM(type, prefix, wire_name, enum_tag, last)                                                              \
  static const TypeInfo enum_info_##type = {.form = FORM_ENUM,                                                         \
                                            .name = #type,                                                             \
                                            .wire = wire_name,                                                         \
                                            .tag = enum_tag,                                                           \
                                            .bytes = sizeof(type),                                                     \
                                            .member_count = prefix##_COUNT,                                            \
                                            .wire_count = prefix##_##last + 1,                                         \
                                            .member_name = member_of_##type};
NUMBER_ENUM(DType, DTYPE, "Dtype", 111, FLOAT4_E2M1FN_X4)
NUMBER_ENUM(AluOp, ALU_OP, "AluOp", 135, SUBTRACT)
NUMBER_ENUM(ActivationFunc, ACTIVATION_FUNC, "ActivationFunc", 138, GELU_APPRX_SIGMOID_DX)

// ---- kinds
#define KIND_SCALAR(kind, type, its_form)                                                                              \
  const TypeInfo core_##kind = {.form = its_form, .name = #kind, .bytes = sizeof(type)};
#define KIND_ENUM(kind, type)                                                                                          \
  const TypeInfo core_##kind = {.form = FORM_SAME, .name = #kind, .bytes = sizeof(type), .of = &enum_info_##type};
#define KIND_VALUE(kind, type)                                                                                         \
  const TypeInfo core_##kind = {.form = FORM_SAME, .name = #kind, .bytes = sizeof(type), .of = &core_type_##type};
#define KIND_REF(kind, type)                                                                                           \
  const TypeInfo core_##kind = {.form = FORM_REF, .name = #kind, .bytes = sizeof(type *), .of = &core_type_##type};
#define KIND_BOXED(kind, its_of)                                                                                       \
  const TypeInfo core_##kind = {.form = FORM_BOXED, .name = #kind, .bytes = sizeof(void *), .of = &core_##its_of};
#define KIND_OPTION(kind, its_of)                                                                                      \
  const TypeInfo core_##kind = {.form = FORM_OPTION,                                                                   \
                                .name = #kind,                                                                         \
                                .bytes = sizeof(Core_##kind),                                                          \
                                .value_offset = offsetof(Core_##kind, value),                                          \
                                .of = &core_##its_of};
#define KIND_LIST(kind, its_of)                                                                                        \
  const TypeInfo core_##kind = {.form = FORM_LIST, .name = #kind, .bytes = sizeof(Core_##kind), .of = &core_##its_of};
#include "core/kinds.def"

const TypeInfo core_OPERATOR = {
    .form = FORM_OPERATOR, .name = "OPERATOR", .wire = "Operator", .tag = 218, .bytes = sizeof(Op *), .member_count = OP_COUNT, .wire_count = OP_FORMAT_COUNT};

// ---- structures and sums
#define STRUCT(type, its_wire, its_tag, proofs)                                                                        \
  static const FieldInfo *fields_of_##type(uint32_t *count)                                                            \
  {                                                                                                                    \
    typedef type Self;                                                                                                 \
    static const FieldInfo fields[] = {
#define FIELD(its_name, its_wire, kind, its_doc)                                                                       \
  {.name = #its_name,                                                                                                  \
   .wire = its_wire,                                                                                                   \
   .type = &core_##kind,                                                                                               \
   .role = ROLE_PARAM,                                                                                                 \
   .offset = offsetof(Self, its_name),                                                                                 \
   .doc = its_doc},
#define END_STRUCT(type)                                                                                               \
  }                                                                                                                    \
  ;                                                                                                                    \
  *count = sizeof fields / sizeof *fields;                                                                             \
  return fields;                                                                                                       \
  }
#include "core/types.def"

#define STRUCT(type, its_wire, its_tag, proofs)                                                                        \
  const TypeInfo core_type_##type = {.form = FORM_STRUCT,                                                              \
                                     .name = #type,                                                                    \
                                     .wire = its_wire,                                                                 \
                                     .tag = its_tag,                                                                   \
                                     .bytes = sizeof(type),                                                            \
                                     .proof_count = proofs,                                                            \
                                     .fields = fields_of_##type};
#include "core/types.def"

#define SUM(type, its_wire, its_tag) static const CtorInfo ctors_of_##type[] = {
#define CTOR(its_type, its_name, its_number, its_wire, kind, its_field)                                                \
  {.name = #its_name, .wire = its_wire, .number = its_number, .type = &core_##kind, .field = its_field},
#define CTOR_PLAIN(its_type, its_name, its_number, its_wire) {.name = #its_name, .wire = its_wire, .number = its_number},
#define END_SUM(type)                                                                                                  \
  }                                                                                                                    \
  ;
#include "core/types.def"

#define SUM(type, its_wire, its_tag)                                                                                   \
  const TypeInfo core_type_##type = {.form = FORM_SUM,                                                                 \
                                     .name = #type,                                                                    \
                                     .wire = its_wire,                                                                 \
                                     .tag = its_tag,                                                                   \
                                     .bytes = sizeof(type),                                                            \
                                     .value_offset = offsetof(type, start_),                                            \
                                     .member_count = sizeof ctors_of_##type / sizeof *ctors_of_##type,                 \
                                     .ctors = ctors_of_##type};
#include "core/types.def"

// ---- operators
#define OP(its_name, wire, payload, number, tag, engine, doc)                                                          \
  static const FieldInfo *fields_of_op_##its_name(uint32_t *count)                                                     \
  {                                                                                                                    \
    typedef struct Op_##its_name Self;                                                                                 \
    static const FieldInfo fields[] = {
#define OP_FIELD(its_name, its_wire, kind, its_role, its_doc, extension)                                               \
  {.name = #its_name,                                                                                                  \
   .wire = its_wire,                                                                                                   \
   .type = &core_##kind,                                                                                               \
   .role = ROLE_##its_role,                                                                                            \
   .offset = (uint32_t)(offsetof(Op, activate) + offsetof(Self, its_name)),                                            \
   .is_extension = extension,                                                                                          \
   .doc = its_doc},
#define FIELD(name, wire, kind, role, doc) OP_FIELD(name, wire, kind, role, doc, false)
#define EXT_FIELD(name, wire, kind, role, doc) OP_FIELD(name, wire, kind, role, doc, true)
#define END(name)                                                                                                      \
  }                                                                                                                    \
  ;                                                                                                                    \
  *count = sizeof fields / sizeof *fields;                                                                             \
  return fields;                                                                                                       \
  }
#include "core/ops.def"

// ENGINE_FIELD is not an engine: it says that the operator's own field decides.
enum { ENGINE_FIELD = ENGINE_COUNT };

static const OpInfo op_infos[] = {
#define OP(its_name, its_wire, its_payload, its_number, its_tag, its_engine, its_doc)                                  \
  [OP_##its_name] = {.name = #its_name,                                                                                \
                     .wire = its_wire,                                                                                 \
                     .payload = its_payload,                                                                           \
                     .number = its_number,                                                                             \
                     .payload_tag = its_tag,                                                                           \
                     .engine = ENGINE_##its_engine == (int)ENGINE_FIELD ? ENGINE_UNASSIGNED : (Engine)ENGINE_##its_engine, \
                     .has_engine_field = ENGINE_##its_engine == (int)ENGINE_FIELD,                                     \
                     .bytes = (uint32_t)(offsetof(Op, activate) + sizeof(struct Op_##its_name)),                       \
                     .fields = fields_of_op_##its_name,                                                                \
                     .doc = its_doc},
#include "core/ops.def"
};

const OpInfo *op_info(OpKind kind)
{
  return &op_infos[kind];
}

bool op_find(Str name, OpKind *out)
{
  for (int i = 0; i < OP_COUNT; i++)
    if (str_is(name, op_infos[i].name)) {
      *out = (OpKind)i;
      return true;
    }
  return false;
}

bool op_from_wire(uint64_t number, OpKind *out)
{
  for (int i = 0; i < OP_COUNT; i++)
    if (op_infos[i].number == number) {
      *out = (OpKind)i;
      return true;
    }
  return false;
}

Engine op_engine(const Op *op)
{
  const OpInfo *info = op_info(op->kind);
  if (!info->has_engine_field)
    return info->engine;
  uint32_t count;
  const FieldInfo *fields = info->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(fields[i].name, "engine") == 0)
      return *(const Engine *)((const char *)op + fields[i].offset);
  bug("operator %s has no engine field", info->name);
}

bool branch_holds(BrCmpOp op, double left, double right)
{
  switch (op) {
  case BR_CMP_OP_ALWAYS: return true;
  case BR_CMP_OP_LT_IMM:
  case BR_CMP_OP_LT_REG: return left < right;
  case BR_CMP_OP_LE_IMM:
  case BR_CMP_OP_LE_REG: return left <= right;
  case BR_CMP_OP_EQ_IMM:
  case BR_CMP_OP_EQ_REG: return left == right;
  case BR_CMP_OP_NE_IMM:
  case BR_CMP_OP_NE_REG: return left != right;
  case BR_CMP_OP_GE_IMM:
  case BR_CMP_OP_GE_REG: return left >= right;
  case BR_CMP_OP_GT_IMM:
  case BR_CMP_OP_GT_REG: return left > right;
  case BR_CMP_OP_COUNT: break;
  }
  bug("branch comparison %d", (int)op);
}

Op *op_new(Arena *arena, OpKind kind)
{
  Op *op = arena_alloc(arena, op_infos[kind].bytes);
  op->kind = kind;
  return op;
}

static bool visit_value(const Op *op, const FieldInfo *field, const TypeInfo *type, const char *value, OpVisit *visit,
                        void *context)
{
  switch (type->form) {
  case FORM_SAME:
    return visit_value(op, field, type->of, value, visit, context);
  case FORM_BOXED: {
    const char *inner = *(const char *const *)value;
    return !inner || visit_value(op, field, type->of, inner, visit, context);
  }
  case FORM_LIST: {
    if (type->of != &core_TENSOR_REF)
      return true;
    const Core_LIST_TENSOR_REF *list = (const Core_LIST_TENSOR_REF *)value;
    for (uint32_t i = 0; i < list->count; i++)
      if (!visit(context, field, field->role, &list->items[i]))
        return false;
    return true;
  }
  case FORM_SUM:
    if (type == &core_type_TensorRef)
      return visit(context, field, field->role, (const TensorRef *)value);
    if (type == &core_type_Operand && ((const Operand *)value)->ctor == Operand_tile)
      return visit(context, field, field->role, &((const Operand *)value)->tile);
    return true;
  default:
    return true;
  }
}

bool op_visit_tensors(const Op *op, OpVisit *visit, void *context)
{
  uint32_t count;
  const FieldInfo *fields = op_info(op->kind)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (!visit_value(op, &fields[i], fields[i].type, (const char *)op + fields[i].offset, visit, context))
      return false;
  return true;
}

typedef struct WriteSearch {
  const Kernel *kernel;
  bool *written;
} WriteSearch;

static const Tensor *tensor_of_access(const Access *access)
{
  switch ((int)access->ctor) {
  case Access_simple: return access->simple;
  case Access_basic: return access->basic->tensor;
  case Access_pattern: return access->pattern->tensor;
  case Access_view: return access->view->tensor;
  }
  bug("access %d", (int)access->ctor);
}

static bool find_write(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field;
  WriteSearch *search = context;
  bool writes = (role == ROLE_WRITE || role == ROLE_UPDATE) && ref->ctor == TensorRef_abstract;
  const Address *to = writes ? tensor_of_access(&ref->abstract)->address : NULL;
  if (!to || to->memory == MEMORY_SBUF || to->memory == MEMORY_PSUM)
    return true;
  for (uint32_t i = 0; i < search->kernel->inputs.count; i++)
    if (!search->written[i])
      search->written[i] = strcmp(search->kernel->inputs.items[i]->address->name, to->name) == 0;
  return true;
}

void core_find_written(const Kernel *kernel, bool *written)
{
  WriteSearch search = {kernel, written};
  for (uint32_t i = 0; i < kernel->inputs.count; i++)
    written[i] = false;
  for (uint32_t core = 0; core < kernel->bodies.count; core++)
    for (uint32_t i = 0; i < kernel->bodies.items[core].count; i++) {
      const Block *block = kernel->bodies.items[core].items[i];
      for (uint32_t j = 0; j < block->body.count; j++)
        (void)op_visit_tensors(block->body.items[j]->op, find_write, &search);
    }
}
