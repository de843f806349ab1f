// nki_names.c -- looking up nki_names.def.

#include "core/nki_names.h"

#include <string.h>

static const char *const functions[OP_COUNT] = {
#define NKI(op, function) [OP_##op] = function,
#define NKI_NATIVE(op, function) [OP_##op] = function,
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

// Operators whose function depends on an optional operand.
static const struct {
  OpKind op;
  uint32_t offset;
  const char *function;
} variants[] = {
#define NKI_VARIANT(op, field, function) {OP_##op, offsetof(Op, op.field), function},
#include "core/nki_names.def"
};

bool instr_is_traced(const Instr *instr)
{
  return instr->pos && instr->pos->is_traced;
}

const char *op_known_as(const Instr *instr)
{
  const char *function = instr_is_traced(instr) ? functions[instr->op->kind] : NULL;
  for (size_t i = 0; function && i < sizeof variants / sizeof *variants; i++)
    if (variants[i].op == instr->op->kind &&
        *(const TensorRef *const *)(const void *)((const char *)instr->op + variants[i].offset))
      function = variants[i].function;
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

const char *field_rule_name(OpKind kind, const char *name)
{
  const FieldInfo *field = find_field(kind, name);
  for (size_t i = 0; field && i < sizeof parameters / sizeof *parameters; i++)
    if (parameters[i].op == kind && parameters[i].offset == field->offset)
      return parameters[i].parameter;
  return name;
}

const char *field_known_as(const Instr *instr, const char *name)
{
  return instr_is_traced(instr) ? field_rule_name(instr->op->kind, name) : name;
}

const char *op_rule_name(Arena *arena, OpKind kind)
{
  const char *function = functions[kind];
  if (!function)
    return arena_printf(arena, "core.%s", op_info(kind)->name);
  return strncmp(function, "nisa.", 5) == 0 ? function + 5 : function;
}

const char *rule_id(Arena *arena, OpKind kind, const char *field, const char *rule)
{
  const char *op = op_rule_name(arena, kind);
  return field ? arena_printf(arena, "%s.%s.%s", op, field_rule_name(kind, field), rule)
               : arena_printf(arena, "%s.%s", op, rule);
}
