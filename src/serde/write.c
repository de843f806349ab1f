// write.c -- any described value to a form.

#include "base/bug.h"
#include "serde/form.h"

#include <stdarg.h>

static bool is_none(const TypeInfo *type, const void *value)
{
  return type->form == FORM_OPTION ? !*(const bool *)value : is_option(type) && !*(const void *const *)value;
}

void write_error(CoreWriter *writer, DiagCode code, const char *format, ...)
{
  if (writer->failed)
    return;
  writer->failed = true;
  Arena *arena = &writer->session->arena;
  va_list args;
  va_start(args, format);
  const char *what = arena_vprintf(arena, format, args);
  va_end(args);
  StrBuf path = strbuf_new(arena);
  step_print(writer->step, &path);
  Diag *diag = diag_error(writer->session, code, "`%s` %s", strbuf_cstr(&path), what);
  const Instr *instr = writer->instr;
  if (!instr)
    return;
  if (instr->name)
    diag_note(diag, "in instruction `%s`, a `%s`", instr->name, op_info(instr->op->kind)->name);
  else
    diag_note(diag, "in a `%s` without a name", op_info(instr->op->kind)->name);
  if (!instr->pos)
    return;
  if (!span_is_none(instr->pos->span))
    diag_primary(diag, instr->pos->span, "this instruction cannot be written");
  else
    diag_where(diag, instr->pos->filename, instr->pos->line, instr->pos->column);
}

void core_write_natural(CoreWriter *writer, uint64_t value)
{
  if (writer->form->is_narrow && value > UINT32_MAX)
    write_error(writer, E_KLR_NUMBER, "is %llu, but .klr files hold numbers up to %u", (unsigned long long)value,
                UINT32_MAX);
  else
    writer->form->natural(writer, value);
}

void core_write_integer(CoreWriter *writer, int64_t value)
{
  if (writer->form->is_narrow && (value < INT32_MIN || value > INT32_MAX))
    write_error(writer, E_KLR_NUMBER, "is %lld, but .klr files hold integers from %d to %d", (long long)value,
                INT32_MIN, INT32_MAX);
  else
    writer->form->integer(writer, value);
}

void core_write_text(CoreWriter *writer, Str text)
{
  const char *end = text.data + text.len;
  if (writer->text_limit && text.len > writer->text_limit) {
    write_error(writer, E_KLR_TEXT, "is a text of %zu bytes, but files hold at most %u", text.len, writer->text_limit);
    return;
  }
  uint32_t code_point;
  for (const char *at = text.data; at < end;) {
    size_t len = utf8_decode(at, end, &code_point);
    if (len == 0 || code_point == 0) {
      write_error(writer, E_KLR_TEXT, len ? "holds a NUL at byte %zu" : "is not valid UTF-8 at byte %zu",
                  (size_t)(at - text.data));
      return;
    }
    at += len;
  }
  writer->form->text(writer, text);
}

static void write_named(CoreWriter *writer, const char *name, const TypeInfo *type, const void *value)
{
  Step step = {writer->step, name, 0};
  writer->step = &step;
  writer->form->field(writer, name);
  core_write_value(writer, type, value);
  writer->form->end_field(writer);
  writer->step = step.up;
}

static void write_fields(CoreWriter *writer, Head head, const FieldInfo *fields, uint32_t count, const char *value)
{
  uint32_t used = count - count_extensions(fields, count);
  for (uint32_t i = used; i < count; i++)
    if (!is_default(fields[i].type, value + fields[i].offset))
      used = i + 1, writer->uses_extensions = true;
  head.count = used + head.proofs;
  writer->form->begin(writer, &head);
  for (uint32_t i = 0; i < used && !writer->failed; i++) {
    const char *at = value + fields[i].offset;
    if (!(writer->form->omits_none && !head.ctor && is_none(fields[i].type, at)))
      write_named(writer, fields[i].wire, fields[i].type, at);
  }
  writer->form->end(writer, &head);
}

static void write_struct(CoreWriter *writer, const TypeInfo *type, const void *value)
{
  uint32_t count;
  const FieldInfo *fields = type->fields(&count);
  Head head = {
      .type = type->wire, .ctor = ctor_of_struct(type), .tag = (uint8_t)type->tag, .proofs = type->proof_count};
  const Instr *outer = writer->instr;
  if (type == &core_type_Instr)
    writer->instr = value;
  write_fields(writer, head, fields, count, value);
  writer->instr = outer;
}

static void write_payload(CoreWriter *writer, const Op *op)
{
  const OpInfo *info = op_info(op->kind);
  uint32_t count;
  const FieldInfo *fields = info->fields(&count);
  writer->form->field(writer, "op");
  write_fields(writer, (Head){.type = info->payload, .tag = (uint8_t)info->payload_tag}, fields, count,
               (const char *)op);
  writer->form->end_field(writer);
}

// An enumeration, a sum or an operator.
static void write_choice(CoreWriter *writer, const TypeInfo *sum, const void *value)
{
  const Op *op = sum->form == FORM_OPERATOR ? *(const Op *const *)value : NULL;
  uint32_t number = op ? op_info(op->kind)->number : *(const uint32_t *)value, choice;
  if (!choice_of_number(sum, number, &choice))
    bug("%s has no constructor %u", sum->wire, number);
  if (sum->form != FORM_SUM && choice >= sum->wire_count)
    writer->uses_extensions = true;
  Head head = {.type = sum->wire,
               .ctor = choice_name(sum, choice),
               .tag = (uint8_t)sum->tag,
               .number = (uint8_t)number,
               .count = choice_fields(sum, choice)};
  writer->form->begin(writer, &head);
  Step step = {writer->step, head.ctor, 0};
  if (head.count)
    writer->step = &step;
  if (op) {
    write_payload(writer, op);
  } else if (head.count) {
    const CtorInfo *ctor = &sum->ctors[choice];
    writer->form->field(writer, ctor->field);
    core_write_value(writer, ctor->type, (const char *)value + sum->value_offset);
    writer->form->end_field(writer);
  }
  writer->step = step.up;
  writer->form->end(writer, &head);
}

static void write_option(CoreWriter *writer, const TypeInfo *type, const void *value)
{
  if (is_none(type, value)) {
    writer->form->none(writer);
    return;
  }
  writer->form->begin_some(writer);
  if (type->form == FORM_OPT_STRING)
    core_write_text(writer, str_from(*(const char *const *)value));
  else if (type->form == FORM_BOXED)
    core_write_value(writer, type->of, *(const void *const *)value);
  else
    core_write_value(writer, type->of, (const char *)value + type->value_offset);
  writer->form->end_some(writer);
}

static void write_list(CoreWriter *writer, const TypeInfo *type, const AnyList *list)
{
  writer->form->begin_list(writer, list->count);
  Step step = {writer->step, NULL, 0};
  writer->step = &step;
  for (; step.index < list->count && !writer->failed; step.index++)
    core_write_value(writer, type->of, list->items + (size_t)type->of->bytes * step.index);
  writer->step = step.up;
  writer->form->end_list(writer);
}

static bool enter_written(CoreWriter *writer)
{
  if (++writer->depth <= DEPTH_LIMIT)
    return true;
  write_error(writer, E_KLR_DEPTH, "is nested deeper than %d levels", DEPTH_LIMIT);
  return false;
}

void core_write_value(CoreWriter *writer, const TypeInfo *type, const void *value)
{
  if (writer->failed)
    return;
  switch (type->form) {
  case FORM_BOOL: writer->form->boolean(writer, *(const bool *)value); return;
  case FORM_NAT: core_write_natural(writer, *(const uint64_t *)value); return;
  case FORM_NAT32: core_write_natural(writer, *(const uint32_t *)value); return;
  case FORM_INT: core_write_integer(writer, *(const int64_t *)value); return;
  case FORM_INT32: core_write_integer(writer, *(const int32_t *)value); return;
  case FORM_F32: writer->form->real32(writer, *(const float *)value); return;
  case FORM_STRING: core_write_text(writer, str_from(*(const char *const *)value)); return;
  case FORM_SAME: core_write_value(writer, type->of, value); return;
  case FORM_REF: core_write_value(writer, type->of, *(const void *const *)value); return;
  case FORM_OPT_STRING:
  case FORM_BOXED:
  case FORM_OPTION: write_option(writer, type, value); return;
  case FORM_LIST: write_list(writer, type, value); return;
  case FORM_ENUM: write_choice(writer, type, value); return;
  case FORM_STRUCT:
  case FORM_SUM:
  case FORM_OPERATOR:
    if (enter_written(writer)) {
      if (type->form == FORM_STRUCT)
        write_struct(writer, type, value);
      else
        write_choice(writer, type, value);
    }
    writer->depth--;
    return;
  }
  bug("form %d", (int)type->form);
}
