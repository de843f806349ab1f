// text_syntax.c -- what the printer and the parser of the text form share.

#include "core/text_syntax.h"
#include "core/text.h"

#include <ctype.h>

const char *core_dtype_text(DType dtype)
{
  return core_DTYPE.of->member_name(dtype);
}

TextSide text_side(const FieldInfo *field)
{
  bool is_operand = field->type == &core_TENSOR_REF || field->type == &core_LIST_TENSOR_REF;
  // The registers of a comparison are attributes; see text_comparison for how they are written.
  bool is_register =
      field->type == &core_REGISTER && (str_is(str_from(field->name), "dst") || str_is(str_from(field->name), "src"));
  if (!is_operand && !is_register)
    return TEXT_ATTRIBUTE;
  return field->role == ROLE_READ || field->role == ROLE_PARAM ? TEXT_RIGHT : TEXT_LEFT;
}

static bool is_neutral(const TypeInfo *type, uint32_t member)
{
  Str name = str_from(type->member_name(member));
  return member == 0 &&
         (str_is(name, "none") || str_is(name, "None") || str_is(name, "unassigned") || str_is(name, "Idle"));
}

const TypeInfo *text_resolve(const TypeInfo *type)
{
  while (type->form == FORM_SAME)
    type = type->of;
  return type;
}

bool text_is_omissible(const TypeInfo *kind)
{
  const TypeInfo *type = text_resolve(kind);
  switch (type->form) {
  case FORM_BOOL:
  case FORM_NAT:
  case FORM_OPT_STRING:
  case FORM_BOXED:
  case FORM_OPTION:
  case FORM_LIST: return true;
  case FORM_ENUM: return is_neutral(type, 0);
  default: return false;
  }
}

bool text_is_omitted(const TypeInfo *kind, const void *value)
{
  const TypeInfo *type = text_resolve(kind);
  switch (type->form) {
  case FORM_BOOL:
  case FORM_OPTION: return !*(const bool *)value;
  case FORM_NAT: return *(const uint64_t *)value == 0;
  case FORM_OPT_STRING:
  case FORM_BOXED: return *(const void *const *)value == NULL;
  case FORM_LIST: return ((const AnyList *)value)->count == 0;
  case FORM_ENUM: return is_neutral(type, *(const uint32_t *)value);
  default: return false;
  }
}

bool text_is_plain_name(const char *text)
{
  if (!isalpha((unsigned char)*text) && *text != '_')
    return false;
  for (const char *at = text; *at; at++)
    if (!isalnum((unsigned char)*at) && *at != '_' && *at != '.')
      return false;
  // Words that would be read as something else where a tensor is expected; a name ending in a dot runs into `..`.
  return !str_ends_with(str_from(text), ".") && !str_is(str_from(text), "nan") && !str_is(str_from(text), "inf") &&
         !str_is(str_from(text), "none");
}

const CtorInfo *text_ctor(const TypeInfo *sum, uint32_t number)
{
  for (uint32_t i = 0; i < sum->member_count; i++)
    if (sum->ctors[i].number == number)
      return &sum->ctors[i];
  return NULL;
}

const char *text_ctor_word(const TypeInfo *sum, const CtorInfo *ctor)
{
  return sum == &core_type_TensorRef && ctor->number == TensorRef_reg ? "tile_reg" : ctor->name;
}

static const struct {
  const char *sign;
  BrCmpOp with_constant, with_register;
} comparisons[] = {
    {"<", BR_CMP_OP_LT_IMM, BR_CMP_OP_LT_REG},  {"<=", BR_CMP_OP_LE_IMM, BR_CMP_OP_LE_REG},
    {"==", BR_CMP_OP_EQ_IMM, BR_CMP_OP_EQ_REG}, {"!=", BR_CMP_OP_NE_IMM, BR_CMP_OP_NE_REG},
    {">=", BR_CMP_OP_GE_IMM, BR_CMP_OP_GE_REG}, {">", BR_CMP_OP_GT_IMM, BR_CMP_OP_GT_REG},
};

const char *text_comparison(BrCmpOp op, bool *with_register)
{
  for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
    if (comparisons[i].with_constant == op || comparisons[i].with_register == op) {
      *with_register = comparisons[i].with_register == op;
      return comparisons[i].sign;
    }
  return NULL;
}

bool text_find_comparison(Str sign, bool with_register, BrCmpOp *out)
{
  for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
    if (str_is(sign, comparisons[i].sign)) {
      *out = with_register ? comparisons[i].with_register : comparisons[i].with_constant;
      return true;
    }
  return false;
}

bool text_steps(const Tensor *tensor, uint64_t *sizes, uint64_t *steps, uint32_t *rank)
{
  *rank = 1 + tensor->shape.free_dims.count;
  if (*rank > TEXT_MAX_RANK)
    return false;
  uint64_t step = 1;
  for (uint32_t i = *rank; i-- > 0;) {
    sizes[i] = i == 0 ? tensor->shape.par_dim : tensor->shape.free_dims.items[i - 1];
    steps[i] = step;
    if (sizes[i] != 0 && step > (UINT64_C(1) << 62) / sizes[i])
      return false;
    step *= sizes[i];
  }
  return true;
}
