// text_print.c -- kernels as text: a walk over the fields of the tables, with a nicer spelling for the common kinds.

#include "base/bug.h"
#include "base/map.h"
#include "base/number_text.h"
#include "core/text.h"
#include "core/text_syntax.h"

#include <ctype.h>
#include <string.h>

// Each tensor is declared once. Different tensors of one name are told apart by `~2`, `~3`, ...
typedef struct Handle {
  const Tensor *tensor;
  uint32_t ordinal;  // from 1 among the tensors of its name
  struct Handle *same_name;
} Handle;

typedef struct Printer {
  StrBuf *out;
  TextOptions options;
  Map by_pointer;  // Tensor * -> Handle *
  Map by_name;     // -> first Handle of that name
  Vec(Handle *) handles;
  const char *filename;  // of the instructions since the last `file`
} Printer;

// ---- names and numbers

static void add_quoted(StrBuf *out, const char *text)
{
  const char *end = text + strlen(text);
  strbuf_putc(out, '"');
  while (text < end) {
    uint32_t code_point;
    size_t len = utf8_decode(text, end, &code_point);
    if (*text == '"' || *text == '\\')
      strbuf_printf(out, "\\%c", *text);
    else if (*text == '\n')
      strbuf_puts(out, "\\n");
    else if (*text == '\t')
      strbuf_puts(out, "\\t");
    else if (len == 0 || (unsigned char)*text < 0x20 || *text == 0x7F)
      strbuf_printf(out, "\\x%02x", (unsigned char)*text);
    else
      strbuf_add(out, text, len);
    text += len ? len : 1;
  }
  strbuf_putc(out, '"');
}

static void add_name(StrBuf *out, const char *text)
{
  if (text && text_is_plain_name(text))
    strbuf_puts(out, text);
  else
    add_quoted(out, text ? text : "");
}

static void add_unsigned(StrBuf *out, uint64_t value)
{
  char digits[24];
  size_t at = sizeof digits;
  do
    digits[--at] = (char)('0' + value % 10);
  while (value /= 10);
  strbuf_add(out, digits + at, sizeof digits - at);
}

static void add_signed(StrBuf *out, int64_t value)
{
  if (value < 0)
    strbuf_putc(out, '-');
  add_unsigned(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

// Every NaN but the usual one shows its bits.
static void add_float(StrBuf *out, float value)
{
  uint32_t bits = f32_bits(value);
  if (value != value && bits != F32_NAN_BITS)
    strbuf_printf(out, "nan(0x%08x)", bits);
  else
    number_add_repr_f32(out, value);
}

// ---- tensors

static void intern_tensor(Printer *p, const Tensor *tensor)
{
  if (map_get_number(&p->by_pointer, (uint64_t)(uintptr_t)tensor))
    return;
  Str name = str_from(tensor->name ? tensor->name : "");
  Handle *first = map_get(&p->by_name, name), *found = NULL;
  uint32_t ordinal = 1;
  for (Handle *at = first; at; at = at->same_name, ordinal++) {
    if (core_equal(&core_type_Tensor, at->tensor, tensor)) {
      found = at;
      break;
    }
  }
  if (!found) {
    found = arena_new(p->out->arena, Handle);
    *found = (Handle){tensor, ordinal, NULL};
    vec_push(p->out->arena, &p->handles, found);
    if (!first)
      map_set(&p->by_name, name, found);
    while (first && first->same_name)
      first = first->same_name;
    if (first)
      first->same_name = found;
  }
  map_set_number(&p->by_pointer, (uint64_t)(uintptr_t)tensor, found);
}

static void intern_fields(Printer *p, const FieldInfo *fields, uint32_t count, const void *value);

// Interns every tensor that `value` mentions, in the order in which they are printed.
static void intern_value(Printer *p, const TypeInfo *type, const void *value)
{
  switch (type->form) {
  case FORM_SAME: intern_value(p, type->of, value); return;
  case FORM_REF:
  case FORM_BOXED: {
    const void *inner = *(const void *const *)value;
    if (inner && type->of == &core_type_Tensor)
      intern_tensor(p, inner);
    else if (inner)
      intern_value(p, type->of, inner);
    return;
  }
  case FORM_OPTION:
    if (*(const bool *)value)
      intern_value(p, type->of, (const char *)value + type->value_offset);
    return;
  case FORM_LIST: {
    const AnyList *list = value;
    for (uint32_t i = 0; i < list->count; i++)
      intern_value(p, type->of, (const char *)list->items + (size_t)i * type->of->bytes);
    return;
  }
  case FORM_STRUCT: {
    uint32_t count;
    const FieldInfo *fields = type->fields(&count);
    intern_fields(p, fields, count, value);
    return;
  }
  case FORM_SUM: {
    const CtorInfo *ctor = text_ctor(type, *(const uint32_t *)value);
    if (ctor && ctor->type)
      intern_value(p, ctor->type, (const char *)value + type->value_offset);
    return;
  }
  case FORM_OPERATOR: {
    const Op *op = *(Op *const *)value;
    uint32_t count;
    const FieldInfo *fields = op_info(op->kind)->fields(&count);
    intern_fields(p, fields, count, op);
    return;
  }
  default: return;
  }
}

static void intern_fields(Printer *p, const FieldInfo *fields, uint32_t count, const void *value)
{
  for (uint32_t i = 0; i < count; i++)
    intern_value(p, fields[i].type, (const char *)value + fields[i].offset);
}

static void add_tensor_name(Printer *p, const Tensor *tensor)
{
  add_name(p->out, tensor->name);
  const Handle *handle = map_get_number(&p->by_pointer, (uint64_t)(uintptr_t)tensor);
  if (handle && handle->ordinal > 1)
    strbuf_printf(p->out, "~%u", handle->ordinal);
}

// ---- accesses

static void print_value(Printer *p, const TypeInfo *type, const void *value);
static void print_access(Printer *p, const Access *access);

static void add_pair(StrBuf *out, const ApPair *pair)
{
  add_signed(out, pair->step);
  strbuf_putc(out, '*');
  add_unsigned(out, pair->num);
  if (pair->offset) {
    strbuf_putc(out, '+');
    add_unsigned(out, pair->offset);
  }
}

static void add_pairs(StrBuf *out, const Core_LIST_AP_PAIR *pairs)
{
  for (uint32_t i = 0; i < pairs->count; i++) {
    if (i)
      strbuf_puts(out, ", ");
    add_pair(out, &pairs->items[i]);
  }
}

// One dimension of a view as a slice; count 0: an index that drops its dimension.
typedef struct DimSlice {
  uint64_t start, step, count;
} DimSlice;

// The view as one slice or index for each dimension of its tensor, if that is what it is. Pairs are matched to
// dimensions in order; whatever matches reads back as the same view, since offset and pairs are computed from the
// slices.
static bool view_slices(const View *view, DimSlice *slices, uint32_t *rank)
{
  uint64_t sizes[TEXT_MAX_RANK], steps[TEXT_MAX_RANK];
  if (view->scalar_offset || view->vector_offset || view->indirect_dim != 0 || view->dtype_override.some ||
      !text_steps(view->tensor, sizes, steps, rank) || view->pattern.count > *rank)
    return false;
  uint64_t rest = view->offset;
  uint32_t pair_at = 0, pair_count = view->pattern.count;
  for (uint32_t i = 0; i < *rank; i++) {
    uint64_t start = rest / steps[i];
    rest %= steps[i];
    if (start >= sizes[i])
      return false;
    slices[i] = (DimSlice){start, 1, 0};
    if (pair_at == pair_count)
      continue;
    const ApPair *pair = &view->pattern.items[pair_at];
    uint64_t step = pair->step > 0 ? (uint64_t)pair->step / steps[i] : 0;
    bool fits = pair->step > 0 && (uint64_t)pair->step % steps[i] == 0 && pair->num > 0 && pair->offset == 0 &&
                start + step * (pair->num - 1) < sizes[i];
    if (fits)
      slices[i] = (DimSlice){start, step, pair->num}, pair_at++;
    else if (*rank - i <= pair_count - pair_at)
      return false;  // no dimension is left to drop
  }
  return pair_at == pair_count;
}

static void add_slices(StrBuf *out, const DimSlice *slices, uint32_t rank)
{
  strbuf_putc(out, '[');
  for (uint32_t i = 0; i < rank; i++) {
    if (i)
      strbuf_puts(out, ", ");
    add_unsigned(out, slices[i].start);
    if (slices[i].count == 0)
      continue;
    strbuf_putc(out, ':');
    add_unsigned(out, slices[i].start + slices[i].step * (slices[i].count - 1) + 1);
    if (slices[i].step != 1) {
      strbuf_putc(out, ':');
      add_unsigned(out, slices[i].step);
    }
  }
  strbuf_putc(out, ']');
}

static void add_raw_view(Printer *p, const View *view)
{
  strbuf_putc(p->out, '{');
  add_unsigned(p->out, view->offset);
  strbuf_puts(p->out, view->pattern.count ? "; " : ";");
  add_pairs(p->out, &view->pattern);
  if (view->scalar_offset && view->scalar_offset->ctor == ScalarOffset_reg) {
    strbuf_puts(p->out, "; scalar=%");
    add_name(p->out, view->scalar_offset->reg);
  } else if (view->scalar_offset) {
    strbuf_puts(p->out, "; scalar=");
    print_access(p, &view->scalar_offset->acc);
  }
  if (view->vector_offset) {
    strbuf_puts(p->out, "; vector=");
    print_access(p, view->vector_offset);
  }
  if (view->indirect_dim != 0 || view->scalar_offset || view->vector_offset) {
    strbuf_puts(p->out, "; dim=");
    add_signed(p->out, view->indirect_dim);
  }
  strbuf_putc(p->out, '}');
}

// `name[0:128, 64:128]` where the view is slices of its tensor, else `name{offset; step*count, ...}`.
static void add_view(Printer *p, const View *view)
{
  DimSlice slices[TEXT_MAX_RANK];
  uint32_t rank;
  add_tensor_name(p, view->tensor);
  if (view_slices(view, slices, &rank))
    add_slices(p->out, slices, rank);
  else
    add_raw_view(p, view);
}

static void add_basic(Printer *p, const AccessBasic *access)
{
  add_tensor_name(p, access->tensor);
  strbuf_putc(p->out, '(');
  for (uint32_t i = 0; i < access->indexes.count; i++) {
    const Index *index = &access->indexes.items[i];
    if (i)
      strbuf_puts(p->out, ", ");
    add_unsigned(p->out, index->ctor == Index_coord ? index->coord : index->slice.l);
    if (index->ctor == Index_coord)
      continue;
    strbuf_putc(p->out, ':');
    add_unsigned(p->out, index->slice.u);
    if (index->slice.step != 1) {
      strbuf_putc(p->out, ':');
      add_signed(p->out, index->slice.step);
    }
  }
  strbuf_putc(p->out, ')');
}

static void add_suffix(Printer *p, const Tensor *tensor, const Core_OPT_DTYPE *override)
{
  strbuf_putc(p->out, ':');
  strbuf_puts(p->out, core_dtype_text(tensor->dtype));
  if (override && override->some) {
    strbuf_putc(p->out, '>');
    strbuf_puts(p->out, core_dtype_text(override->value));
  }
  strbuf_putc(p->out, '@');
  strbuf_puts(p->out, core_MEMORY.of->member_name(tensor->address->memory));
}

static void print_access(Printer *p, const Access *access)
{
  switch (access->ctor) {
  case Access_simple:
    add_tensor_name(p, access->simple);
    add_suffix(p, access->simple, NULL);
    return;
  case Access_basic:
    add_basic(p, access->basic);
    add_suffix(p, access->basic->tensor, NULL);
    return;
  case Access_view:
    add_view(p, access->view);
    add_suffix(p, access->view->tensor, &access->view->dtype_override);
    return;
  case Access_pattern:
    strbuf_puts(p->out, "$pattern");
    print_value(p, &core_type_AccessPattern, access->pattern);
    return;
  }
  bug("access %u", access->ctor);
}

// ---- any value

static void print_struct(Printer *p, const TypeInfo *type, const void *value)
{
  uint32_t count;
  const FieldInfo *fields = type->fields(&count);
  bool any = false;
  strbuf_putc(p->out, '(');
  for (uint32_t i = 0; i < count; i++) {
    const void *member = (const char *)value + fields[i].offset;
    if (text_is_omitted(fields[i].type, member))
      continue;
    strbuf_puts(p->out, any ? ", " : "");
    strbuf_puts(p->out, fields[i].name);
    strbuf_putc(p->out, '=');
    print_value(p, fields[i].type, member);
    any = true;
  }
  strbuf_putc(p->out, ')');
}

// `(offset + multiplier*p; step*count, ...)`: p is the partition.
static void print_data_pattern(Printer *p, const DataPattern *pattern)
{
  strbuf_putc(p->out, '(');
  add_signed(p->out, pattern->offset);
  strbuf_puts(p->out, " + ");
  add_signed(p->out, pattern->channel_multiplier);
  strbuf_puts(p->out, pattern->pattern.count ? "*p; " : "*p;");
  add_pairs(p->out, &pattern->pattern);
  strbuf_putc(p->out, ')');
}

static void print_sum(Printer *p, const TypeInfo *type, const void *value)
{
  const CtorInfo *ctor = text_ctor(type, *(const uint32_t *)value);
  if (type == &core_type_Access) {
    print_access(p, value);
    return;
  }
  if (type == &core_type_Immediate && ctor->number == Immediate_integer) {
    add_signed(p->out, ((const Immediate *)value)->integer);
    return;
  }
  if (type == &core_type_Immediate && ctor->number == Immediate_real) {
    add_float(p->out, ((const Immediate *)value)->real);
    return;
  }
  // What an operand may be besides a tensor needs no word of its own.
  if (type == &core_type_Operand || (type == &core_type_TensorRef && ctor->number == TensorRef_abstract)) {
    print_value(p, ctor->type, (const char *)value + type->value_offset);
    return;
  }
  strbuf_putc(p->out, '$');
  strbuf_puts(p->out, text_ctor_word(type, ctor));
  if (!ctor->type)
    return;
  const TypeInfo *of = text_resolve(ctor->type);
  bool brings_parentheses = of->form == FORM_REF || of->form == FORM_STRUCT;
  if (!brings_parentheses)
    strbuf_putc(p->out, '(');
  print_value(p, of, (const char *)value + type->value_offset);
  if (!brings_parentheses)
    strbuf_putc(p->out, ')');
}

static void print_list(Printer *p, const TypeInfo *type, const AnyList *list)
{
  strbuf_putc(p->out, '[');
  for (uint32_t i = 0; i < list->count; i++) {
    if (i)
      strbuf_puts(p->out, ", ");
    print_value(p, type->of, (const char *)list->items + (size_t)i * type->of->bytes);
  }
  strbuf_putc(p->out, ']');
}

static void print_text(Printer *p, const TypeInfo *kind, const char *text)
{
  if (kind == &core_REGISTER)
    strbuf_putc(p->out, '%');
  if (kind == &core_REGISTER || kind == &core_LABEL)
    add_name(p->out, text);
  else
    add_quoted(p->out, text ? text : "");
}

static void print_value(Printer *p, const TypeInfo *kind, const void *value)
{
  const TypeInfo *type = text_resolve(kind);
  switch (type->form) {
  case FORM_BOOL: strbuf_puts(p->out, *(const bool *)value ? "true" : "false"); return;
  case FORM_NAT: add_unsigned(p->out, *(const uint64_t *)value); return;
  case FORM_NAT32: add_unsigned(p->out, *(const uint32_t *)value); return;
  case FORM_INT: add_signed(p->out, *(const int64_t *)value); return;
  case FORM_INT32: add_signed(p->out, *(const int32_t *)value); return;
  case FORM_F32: add_float(p->out, *(const float *)value); return;
  case FORM_STRING:
  case FORM_OPT_STRING: print_text(p, kind, *(const char *const *)value); return;
  case FORM_ENUM: strbuf_puts(p->out, type->member_name(*(const uint32_t *)value)); return;
  case FORM_BOXED: print_value(p, type->of, *(const void *const *)value); return;
  case FORM_OPTION: print_value(p, type->of, (const char *)value + type->value_offset); return;
  case FORM_LIST: print_list(p, type, value); return;
  case FORM_REF:
    if (type->of == &core_type_Tensor)
      add_tensor_name(p, *(const Tensor *const *)value);
    else
      print_value(p, type->of, *(const void *const *)value);
    return;
  case FORM_STRUCT:
    if (type == &core_type_ApPair)
      add_pair(p->out, value);
    else if (type == &core_type_DataPattern)
      print_data_pattern(p, value);
    else
      print_struct(p, type, value);
    return;
  case FORM_SUM: print_sum(p, type, value); return;
  case FORM_SAME:
  case FORM_OPERATOR: break;
  }
  bug("form %d", (int)type->form);
}

// ---- operators

static void add_attribute(Printer *p, const char *key, const TypeInfo *type, const void *value)
{
  strbuf_putc(p->out, ' ');
  strbuf_puts(p->out, key);
  strbuf_putc(p->out, '=');
  print_value(p, type, value);
}

static uint32_t print_side(Printer *p, const Op *op, const FieldInfo *fields, uint32_t count, TextSide side,
                           const char *opening)
{
  uint32_t printed = 0;
  for (uint32_t i = 0; i < count; i++)
    if (text_side(&fields[i]) == side) {
      strbuf_puts(p->out, printed++ ? ", " : opening);
      print_value(p, fields[i].type, (const char *)op + fields[i].offset);
    }
  return printed;
}

static bool is_empty_text(const char *text)
{
  return !text || !*text;
}

// `goto L`, `if %i < %n goto L else M`; operands that the comparison does not use follow when they are not empty.
static void print_branch(Printer *p, const struct Op_cmp_branch *branch)
{
  bool with_register = false;
  const char *sign = text_comparison(branch->op, &with_register);
  if (sign) {
    strbuf_puts(p->out, "if ");
    print_text(p, &core_REGISTER, branch->reg1);
    strbuf_printf(p->out, " %s ", sign);
    if (with_register)
      print_text(p, &core_REGISTER, branch->reg2);
    else
      add_signed(p->out, branch->imm);
    strbuf_putc(p->out, ' ');
  }
  strbuf_puts(p->out, "goto ");
  add_name(p->out, branch->true_label);
  if (sign) {
    strbuf_puts(p->out, " else ");
    add_name(p->out, branch->false_label);
  } else {
    if (!is_empty_text(branch->reg1))
      add_attribute(p, "reg1", &core_REGISTER, &branch->reg1);
    if (!is_empty_text(branch->false_label))
      add_attribute(p, "false_label", &core_LABEL, &branch->false_label);
  }
  if (!with_register && !is_empty_text(branch->reg2))
    add_attribute(p, "reg2", &core_REGISTER, &branch->reg2);
  if ((with_register || !sign) && branch->imm != 0)
    add_attribute(p, "imm", &core_INT, &branch->imm);
}

static void print_op(Printer *p, const Op *op)
{
  if (op->kind == OP_cmp_branch) {
    print_branch(p, &op->cmp_branch);
    return;
  }
  const OpInfo *info = op_info(op->kind);
  uint32_t count;
  const FieldInfo *fields = info->fields(&count);
  strbuf_puts(p->out, info->name);
  uint32_t written = print_side(p, op, fields, count, TEXT_LEFT, " ");
  print_side(p, op, fields, count, TEXT_RIGHT, written ? " = " : " ");
  for (uint32_t i = 0; i < count; i++) {
    const void *value = (const char *)op + fields[i].offset;
    if (text_side(&fields[i]) == TEXT_ATTRIBUTE && !text_is_omitted(fields[i].type, value))
      add_attribute(p, fields[i].name, fields[i].type, value);
  }
}

static void add_optional(StrBuf *out, Core_OPT_NAT value)
{
  if (value.some)
    add_unsigned(out, value.value);
  else
    strbuf_putc(out, '_');
}

static void print_position(Printer *p, const Pos *pos)
{
  if (pos->line == 0 && pos->column == 0 && !pos->line_end.some && !pos->column_end.some)
    return;
  strbuf_printf(p->out, " ; %u:%u", pos->line, pos->column);
  if (!pos->line_end.some && !pos->column_end.some)
    return;
  strbuf_puts(p->out, "..");
  add_optional(p->out, pos->line_end);
  strbuf_putc(p->out, ':');
  add_optional(p->out, pos->column_end);
}

static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static void print_source_line(Printer *p, const Pos *pos)
{
  Session *session = p->options.source;
  Source *source = session_source(session, pos->span.source);
  for (size_t i = 0; !source && pos->filename && i < session->sources.count; i++)
    if (strcmp(session->sources.items[i]->path, pos->filename) == 0)
      source = session->sources.items[i];
  uint32_t line = pos->span.source ? source_place(source, &session->arena, pos->span.start).line : pos->line;
  const char *path = source ? source->path : pos->filename;
  if (!path || line == 0)
    return;
  strbuf_printf(p->out, "  # %s:%u", base_name(path), line);
  if (!source)
    return;
  Str text = source_line(source, &session->arena, line);
  while (text.len && isspace((unsigned char)*text.data))
    text = (Str){text.data + 1, text.len - 1};
  strbuf_printf(p->out, ": %.*s", STR_ARG(text));
}

static bool same_text(const char *a, const char *b)
{
  return a == b || (a && b && strcmp(a, b) == 0);
}

static void print_instr(Printer *p, const Instr *instr)
{
  if (p->options.positions && !same_text(p->filename, instr->pos->filename)) {
    p->filename = instr->pos->filename;
    strbuf_puts(p->out, "  file ");
    if (p->filename)
      add_quoted(p->out, p->filename);
    else
      strbuf_puts(p->out, "none");
    strbuf_putc(p->out, '\n');
  }
  strbuf_puts(p->out, "  ");
  print_op(p, instr->op);
  if (instr->name) {
    strbuf_puts(p->out, " name=");
    add_name(p->out, instr->name);
  }
  if (p->options.positions)
    print_position(p, instr->pos);
  if (p->options.source)
    print_source_line(p, instr->pos);
  strbuf_putc(p->out, '\n');
}

// ---- kernels

static uint64_t free_product(const Tensor *tensor)
{
  uint64_t product = 1;
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    product *= tensor->shape.free_dims.items[i];
  return product;
}

static bool address_is_usual(const Tensor *tensor)
{
  const Address *address = tensor->address;
  return same_text(address->name, tensor->name) && address->par_size == tensor->shape.par_dim &&
         address->free_size == free_product(tensor) * dtype_bytes(tensor->dtype);
}

static void print_tensor(Printer *p, const Tensor *tensor)
{
  const Address *address = tensor->address;
  StrBuf *out = p->out;
  strbuf_puts(out, "tensor ");
  add_tensor_name(p, tensor);
  strbuf_printf(out, ": %s[", core_dtype_text(tensor->dtype));
  add_unsigned(out, tensor->shape.par_dim);
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++) {
    strbuf_puts(out, ", ");
    add_unsigned(out, tensor->shape.free_dims.items[i]);
  }
  strbuf_printf(out, "] @%s", core_MEMORY.of->member_name(address->memory));
  if (!address_is_usual(tensor)) {
    strbuf_puts(out, " in ");
    add_name(out, address->name);
    strbuf_putc(out, '[');
    add_unsigned(out, address->par_size);
    strbuf_puts(out, ", ");
    add_unsigned(out, address->free_size);
    strbuf_putc(out, ']');
  }
  if (address->par_offset.some || address->free_offset.some) {
    strbuf_puts(out, " at (");
    add_optional(out, address->par_offset);
    strbuf_puts(out, ", ");
    add_optional(out, address->free_offset);
    strbuf_putc(out, ')');
  }
  if (address->is_shared)
    strbuf_puts(out, " shared");
  if (tensor->address_rotation)
    strbuf_puts(out, " rotate");
  if (tensor->free_elements != free_product(tensor)) {
    strbuf_puts(out, " elements=");
    add_unsigned(out, tensor->free_elements);
  }
  strbuf_putc(out, '\n');
}

static void print_tensor_names(Printer *p, const Core_LIST_TENSOR *tensors)
{
  for (uint32_t i = 0; i < tensors->count; i++) {
    strbuf_puts(p->out, i ? ", " : "");
    add_tensor_name(p, tensors->items[i]);
  }
}

static void print_header(Printer *p, const Kernel *kernel)
{
  StrBuf *out = p->out;
  strbuf_puts(out, "kernel ");
  add_name(out, kernel->name);
  strbuf_putc(out, '(');
  print_tensor_names(p, &kernel->inputs);
  strbuf_puts(out, ") -> (");
  print_tensor_names(p, &kernel->outputs);
  strbuf_puts(out, ")\n");
  for (size_t i = 0; i < p->handles.count; i++)
    print_tensor(p, p->handles.items[i]->tensor);
  if (kernel->shared_buffers.count) {
    strbuf_puts(out, "shared ");
    print_tensor_names(p, &kernel->shared_buffers);
    strbuf_putc(out, '\n');
  }
  for (uint32_t i = 0; i < kernel->shared_constants.count; i++) {
    strbuf_puts(out, "constant ");
    add_name(out, kernel->shared_constants.items[i].name);
    strbuf_puts(out, " = ");
    add_quoted(out, kernel->shared_constants.items[i].file_name);
    strbuf_putc(out, '\n');
  }
  for (uint32_t i = 0; i < kernel->edges.count; i++) {
    const Edges *edges = &kernel->edges.items[i];
    strbuf_puts(out, "edge ");
    add_name(out, edges->from_edge);
    strbuf_puts(out, " ->");
    for (uint32_t k = 0; k < edges->to_edges.count; k++) {
      strbuf_puts(out, k ? ", " : " ");
      add_name(out, edges->to_edges.items[k]);
    }
    strbuf_putc(out, '\n');
  }
}

static void print_block(Printer *p, const Block *block)
{
  add_name(p->out, block->label);
  strbuf_puts(p->out, block->no_reorder ? " no_reorder:\n" : ":\n");
  for (uint32_t i = 0; i < block->body.count; i++)
    print_instr(p, block->body.items[i]);
}

static Printer printer_new(StrBuf *out, TextOptions options)
{
  return (Printer){.out = out, .options = options, .by_pointer = map_new(out->arena), .by_name = map_new(out->arena)};
}

void core_print_kernel(const Kernel *kernel, StrBuf *out, TextOptions options)
{
  Printer printer = printer_new(out, options), *p = &printer;
  intern_value(p, &core_LIST_TENSOR, &kernel->inputs);
  intern_value(p, &core_LIST_TENSOR, &kernel->outputs);
  intern_value(p, &core_LIST_TENSOR, &kernel->shared_buffers);
  for (uint32_t i = 0; i < kernel->bodies.count; i++)
    for (uint32_t k = 0; k < kernel->bodies.items[i].count; k++) {
      const Block *block = kernel->bodies.items[i].items[k];
      for (uint32_t n = 0; n < block->body.count; n++)
        intern_value(p, &core_OPERATOR, &block->body.items[n]->op);
    }
  print_header(p, kernel);
  for (uint32_t i = 0; i < kernel->bodies.count; i++) {
    strbuf_printf(out, "\ncore %u\n", i);
    for (uint32_t k = 0; k < kernel->bodies.items[i].count; k++)
      print_block(p, kernel->bodies.items[i].items[k]);
  }
}

void core_print_op(const Op *op, StrBuf *out)
{
  Printer printer = printer_new(out, (TextOptions){0});
  print_op(&printer, op);
}

void core_print_ref(const TensorRef *ref, StrBuf *out)
{
  Printer printer = printer_new(out, (TextOptions){0});
  print_sum(&printer, &core_type_TensorRef, ref);
}
