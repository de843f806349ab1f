// choice.c -- what walks ask of the descriptions.

#include "serde/form.h"

void step_print(const Step *step, StrBuf *out)
{
  if (!step)
    return;
  step_print(step->up, out);
  if (step->name)
    strbuf_printf(out, "%s%s", step->up ? "." : "", step->name);
  else
    strbuf_printf(out, "[%u]", step->index);
}

const char *ctor_of_struct(const TypeInfo *type)
{
  return type == &core_type_Instr ? "oper" : NULL;
}

uint32_t choice_count(const TypeInfo *sum)
{
  return sum->member_count;
}

const char *choice_name(const TypeInfo *sum, uint32_t choice)
{
  switch (sum->form) {
  case FORM_ENUM: return sum->member_name(choice);
  case FORM_SUM: return sum->ctors[choice].wire;
  default: return op_info((OpKind)choice)->wire;
  }
}

uint32_t choice_number(const TypeInfo *sum, uint32_t choice)
{
  switch (sum->form) {
  case FORM_ENUM: return choice;
  case FORM_SUM: return sum->ctors[choice].number;
  default: return op_info((OpKind)choice)->number;
  }
}

uint32_t choice_fields(const TypeInfo *sum, uint32_t choice)
{
  switch (sum->form) {
  case FORM_ENUM: return 0;
  case FORM_SUM: return sum->ctors[choice].type ? 1 : 0;
  default: return 1;
  }
}

bool choice_of_number(const TypeInfo *sum, uint32_t number, uint32_t *choice)
{
  uint32_t count = choice_count(sum);
  if (number < count && choice_number(sum, number) == number) { // numbers nearly always follow the order
    *choice = number;
    return true;
  }
  for (*choice = 0; *choice < count; ++*choice)
    if (choice_number(sum, *choice) == number)
      return true;
  return false;
}

bool choice_of_name(const TypeInfo *sum, Str name, uint32_t *choice)
{
  for (*choice = 0; *choice < choice_count(sum); ++*choice)
    if (str_is(name, choice_name(sum, *choice)))
      return true;
  return false;
}

void suggest_choice(Diag *diag, const TypeInfo *sum, Str found)
{
  const char *names[128];
  uint32_t count = choice_count(sum);
  if (count > 128)
    count = 128;
  for (uint32_t i = 0; i < count; i++)
    names[i] = choice_name(sum, i);
  diag_suggest(diag, found, names, count);
}

uint32_t count_extensions(const FieldInfo *fields, uint32_t count)
{
  uint32_t extensions = 0;
  for (uint32_t i = 0; i < count; i++)
    extensions += fields[i].is_extension;
  return extensions;
}

bool is_default(const TypeInfo *type, const char *value)
{
  if (type->form == FORM_OPTION)
    return !*(const bool *)value;
  for (uint32_t i = 0; i < type->bytes; i++)
    if (value[i])
      return false;
  return true;
}

bool is_option(const TypeInfo *type)
{
  return type->form == FORM_OPT_STRING || type->form == FORM_BOXED || type->form == FORM_OPTION;
}
