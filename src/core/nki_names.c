// nki_names.c -- looking up nki_names.def.

#include "core/nki_names.h"

#include <string.h>

static const char *const functions[OP_COUNT] = {
#define NKI(op, function) [OP_##op] = function,
#include "core/nki_names.def"
};

static const struct {
  OpKind op;
  uint32_t offset;
  const char *parameter;
} parameters[] = {
#define NKI_FIELD(op, field, parameter) {OP_##op, offsetof(Op, op.field), parameter},
#include "core/nki_names.def"
};

bool instr_is_traced(const Instr *instr)
{
  return instr->pos && instr->pos->is_traced;
}

const char *op_known_as(const Instr *instr)
{
  const char *function = instr_is_traced(instr) ? functions[instr->op->kind] : NULL;
  return function ? function : op_info(instr->op->kind)->name;
}

static const FieldInfo *find_field(OpKind kind, const char *name)
{
  uint32_t count;
  const FieldInfo *fields = op_info(kind)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(fields[i].name, name) == 0)
      return &fields[i];
  return NULL;
}

const char *field_known_as(const Instr *instr, const char *name)
{
  const FieldInfo *field = instr_is_traced(instr) ? find_field(instr->op->kind, name) : NULL;
  for (size_t i = 0; field && i < sizeof parameters / sizeof *parameters; i++)
    if (parameters[i].op == instr->op->kind && parameters[i].offset == field->offset)
      return parameters[i].parameter;
  return name;
}
