// emit.c -- `_klr.emit("tensor_tensor", name, dst=dst, ...)`: one instruction from Python values.
//
// Which values a field takes follows from its kind in the table of operators; nothing here knows an operator. A call of
// `emit` in the library is looked at once: its plan says which keyword fills which field.

#include "trace/builder.h"
#include "base/bug.h"
#include "number/activation.h"
#include "number/alu.h"
#include <math.h>
#include <string.h>

typedef struct PlanField {
  const FieldInfo *field;
  const char *parameter; // as the user knows it: the variable passed for the field
  Value last;            // of an enumeration: what was passed last, and the member that is
  uint32_t last_member;
} PlanField;

struct EmitPlan {
  OpKind kind;
  uint32_t count;
  PlanField fields[];
};

// The place in an instruction that is being filled, for messages.
typedef struct Slot {
  Tracer *t;
  Builder *b;
  const char *parameter;
  int64_t item; // of a list; -1: the whole parameter
  Span span;
} Slot;

// ---- spellings

typedef struct Spelling {
  const char *type, *name;
  uint32_t member;
} Spelling;

// Members of enumerations as nki.isa spells them, where that differs from the table of core.
static const Spelling spellings[] = {
    {"Engine", "unknown", ENGINE_UNASSIGNED},
    {"Engine", "tensor", ENGINE_PE},
    {"Engine", "vector", ENGINE_DVE},
    {"Engine", "scalar", ENGINE_ACT},
    {"Engine", "gpsimd", ENGINE_POOL},
    {"Engine", "sync", ENGINE_SP},
    {"Engine", "dma", ENGINE_DMA},
    {"AccumCmd", "idle", ACCUM_CMD_IDLE},
    {"AccumCmd", "reset", ACCUM_CMD_ZERO},
    {"AccumCmd", "reduce", ACCUM_CMD_ACCUMULATE},
    {"AccumCmd", "reset_reduce", ACCUM_CMD_ZERO_ACCUMULATE},
    {"AccumCmd", "load_reduce", ACCUM_CMD_LOAD_ACCUMULATE},
    {"PerfMode", "none", PERF_MODE_NONE},
    {"PerfMode", "double_row", PERF_MODE_DOUBLE_ROW},
    {"PerfMode", "double_row_sw_interleave", PERF_MODE_DOUBLE_ROW_SW_INTERLEAVE},
};

static bool find_member(const TypeInfo *type, Str name, uint32_t *out)
{
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
    if (strcmp(spellings[i].type, type->name) == 0 && str_is(name, spellings[i].name)) {
      *out = spellings[i].member;
      return true;
    }
  for (uint32_t i = 0; i < type->member_count; i++)
    if (str_is(name, type->member_name(i))) {
      *out = i;
      return true;
    }
  return false;
}

// The name of an enumeration's member or of an operator object, or a str's text; empty when it is none.
static Str name_of(Tracer *t, Value value)
{
  if (value.tag == VALUE_STR)
    return value.string->text;
  if (value.tag == VALUE_OBJECT && value.object->type == &constant_type)
    return ((NamedConstant *)value.object)->name->str;
  if (value.tag == VALUE_INSTANCE && (value.instance->class->flags & CLASS_ENUM)) {
    Value *name = attr_find(&value.instance->attrs, t->builtins->_name_);
    return name && name->tag == VALUE_STR ? name->string->text : (Str){0};
  }
  return (Str){0};
}

// ---- failing

// What a field takes, in words.
static const char *expected(Tracer *t, const TypeInfo *type)
{
  switch (type->form) {
  case FORM_SAME: return expected(t, type->of);
  case FORM_BOOL: return "True or False";
  case FORM_NAT:
  case FORM_NAT32: return "an int, 0 or larger";
  case FORM_INT:
  case FORM_INT32: return "an int";
  case FORM_F32: return "a number";
  case FORM_STRING: return type == &core_REGISTER ? "a register" : "a str";
  case FORM_OPT_STRING: return "a str or None";
  case FORM_BOXED:
  case FORM_OPTION: return arena_printf(&t->arena, "%s, or None", expected(t, type->of));
  case FORM_LIST: return arena_printf(&t->arena, "a list, each item %s", expected(t, type->of));
  case FORM_ENUM:
    return strcmp(type->name, "AluOp") == 0            ? "an operator such as `nl.add`"
           : strcmp(type->name, "ActivationFunc") == 0 ? "an activation function such as `nl.exp`"
           : strcmp(type->name, "DType") == 0          ? "a dtype such as `nl.float32`"
           : strcmp(type->name, "Engine") == 0         ? "a member of `nki.isa.engine`"
           : strcmp(type->name, "AccumCmd") == 0       ? "a member of `nki.isa.reduce_cmd`"
           : strcmp(type->name, "PerfMode") == 0       ? "a member of `nki.isa.matmul_perf_mode`"
                                                       : arena_printf(&t->arena, "a member of %s", type->name);
  case FORM_SUM:
    return strcmp(type->name, "TensorRef") == 0      ? "a tensor"
           : strcmp(type->name, "Operand") == 0      ? "a number or a tensor"
           : strcmp(type->name, "Immediate") == 0    ? "a number"
           : strcmp(type->name, "DmaBounds") == 0    ? "a member of `nki.isa.oob_mode`"
           : strcmp(type->name, "ReplicaGroup") == 0 ? "lists of ranks"
                                                     : type->name;
  case FORM_STRUCT: return strcmp(type->name, "ApPair") == 0 ? "a pair [step, count]" : type->name;
  case FORM_REF:
  case FORM_OPERATOR: break;
  }
  return type->name;
}

static const char *slot_name(const Slot *slot)
{
  if (slot->item < 0)
    return arena_printf(&slot->t->arena, "'%s'", slot->parameter);
  return arena_printf(&slot->t->arena, "item %lld of '%s'", (long long)slot->item, slot->parameter);
}

static const char *function_name(Tracer *t)
{
  const char *name = library_function(t);
  return name ? name : "emit";
}

static bool is_number(Value value);

static void help_argument_type(const Slot *slot, Diag *diag, const TypeInfo *type, Value value)
{
  const char *name = type->name ? type->name : type->of ? type->of->name : NULL;
  bool is_operator = name && strcmp(name, "AluOp") == 0, is_activation = name && strcmp(name, "ActivationFunc") == 0;
  AluOp op;
  if (is_operator && value.tag == VALUE_STR && alu_from_nki_name(value.string->text, &op))
    diag_help(diag, "operators are objects: `%s=nl.%s`", slot->parameter, value.string->text.data);
  else if (is_operator)
    diag_help(diag, "operators are those of `nki.language`: `nl.add`, `nl.multiply`, `nl.maximum`, ...");
  else if (is_activation)
    diag_help(diag, "activation functions are those of `nki.language`: `nl.exp`, `nl.sqrt`, `nl.tanh`, ...");
  else if (type == &core_type_TensorRef && is_number(value) &&
           strcmp(function_name(slot->t), "nisa.tensor_tensor") == 0)
    diag_help(diag, "`nisa.tensor_scalar(dst=..., data=..., op0=..., operand0=...)` combines a tile with a number");
  else if (type == &core_type_TensorRef && value.tag == VALUE_FUNCTION)
    diag_help(diag, "the arguments are in another order: give them by name, as in `%s=...`", slot->parameter);
}

static bool wrong(const Slot *slot, const TypeInfo *type, Value value)
{
  Diag *diag = raise_error(slot->t, E_ISA_ARGUMENT, user_span(slot->t, slot->span), "'%s': %s is %s; expected %s",
                           function_name(slot->t), slot_name(slot), describe(slot->t, value), expected(slot->t, type));
  nki_cite(slot->t, diag, "argument-kind");
  if (value.tag == VALUE_OPAQUE && strncmp(value.opaque->path, "numpy.", 6) == 0)
    diag_help(diag, "operators are those of `nki.language`: `nl.add`, `nl.maximum`, `nl.exp`, ...");
  else
    help_argument_type(slot, diag, type, value);
  if (value_is_register(value))
    diag_help(diag, "store the register into a (1, 1) tensor with `nisa.register_store` and pass that");
  return false;
}

// ---- converting

// Operators are the functions of nki.language themselves.
static Str operator_name(Tracer *t, Value value)
{
  if (value.tag != VALUE_FUNCTION)
    return value.tag == VALUE_STR ? (Str){0} : name_of(t, value);
  const Function *function = value.function;
  bool ours = module_is_library(function->module) && str_starts_with(function->module->name->str, "nki.language");
  return ours ? function->name->str : (Str){0};
}

static bool to_enum(Slot *slot, const TypeInfo *type, Value value, void *out)
{
  uint32_t member;
  bool found;
  if (strcmp(type->name, "AluOp") == 0) {
    AluOp op;
    found = alu_from_nki_name(operator_name(slot->t, value), &op);
    member = found ? (uint32_t)op : 0;
  } else if (strcmp(type->name, "ActivationFunc") == 0) {
    ActivationFunc op;
    found = activation_from_nki_name(operator_name(slot->t, value), &op);
    member = found ? (uint32_t)op : 0;
  } else if (strcmp(type->name, "DType") == 0) {
    DType dtype;
    found = read_dtype(slot->t, value, &dtype);
    member = found ? (uint32_t)dtype : 0;
  } else {
    found = find_member(type, name_of(slot->t, value), &member);
  }
  if (!found)
    return wrong(slot, type, value);
  *(uint32_t *)out = member;
  return true;
}

static bool is_number(Value value)
{
  double number;
  Value held = value_unwrap(value);
  return (held.tag == VALUE_INT || held.tag == VALUE_BOOL || held.tag == VALUE_FLOAT) && value_as_double(held, &number);
}

// Ints that fit 32 bits stay ints; unsigned ones of 32 bits keep their bits.
static bool to_immediate(Slot *slot, const TypeInfo *type, Value value, Immediate *out)
{
  int64_t integer;
  double real;
  Value held = value_unwrap(value);
  if (!is_number(value))
    return wrong(slot, type, value);
  if (held.tag != VALUE_FLOAT && value_as_int(held, &integer)) {
    if (integer >= INT32_MIN && integer <= UINT32_MAX) {
      out->ctor = Immediate_integer;
      out->integer = (int32_t)(uint32_t)integer;
      return true;
    }
  }
  value_as_double(held, &real);
  out->ctor = Immediate_real;
  out->real = (float)real;
  if (isfinite(real) && !isfinite(out->real))
    return RAISE(slot->t, E_ISA_ARGUMENT, user_span(slot->t, slot->span),
                 "'%s': %s is %s, which does not fit a float32", function_name(slot->t), slot_name(slot),
                 describe(slot->t, value));
  return true;
}

// The use of a pattern that could be made but reaches outside of its tensor.
static bool reaches_outside(const Slot *slot, const ViewOutside *outside)
{
  Diag *diag = raise_error(slot->t, outside->fault->code, user_span(slot->t, slot->span), "'%s': %s: %s",
                           function_name(slot->t), slot_name(slot), outside->fault->message);
  diag_label(diag, outside->made, "the pattern was made here");
  if (outside->fault->help)
    diag_help(diag, "%s", outside->fault->help);
  return false;
}

// A slice without elements is made like any other; here it is used.
static bool has_elements(const Slot *slot, const View *view)
{
  for (uint32_t i = 0; i < view_rank(view); i++) {
    if (view_dim(view, i) != 0)
      continue;
    StrBuf shape = strbuf_new(&slot->t->arena);
    view_add_shape(&shape, view);
    Diag *diag = raise_error(slot->t, E_INDEX_RANGE, user_span(slot->t, slot->span), "'%s': %s has no elements: its shape is %s",
                             function_name(slot->t), slot_name(slot), strbuf_cstr(&shape));
    diag_help(diag, "leave the instruction out where there is nothing to do: `if n > 0:`");
    return false;
  }
  return true;
}

static bool to_tensor(Slot *slot, const TypeInfo *type, Value value, TensorRef *out)
{
  const View *view = value_view(value);
  if (!view)
    return wrong(slot, type, value);
  if (!has_elements(slot, view))
    return false;
  if (!view->tensor->name)
    return RAISE(slot->t, E_ISA_ARGUMENT, user_span(slot->t, slot->span), "'%s': %s is a tensor of another kernel",
                 function_name(slot->t), slot_name(slot));
  *out = ref_of_view(view);
  const ViewOutside *outside = builder_outside(slot->b, view);
  return !outside || reaches_outside(slot, outside);
}

static bool convert(Slot *slot, const TypeInfo *type, Value value, void *out);

static bool has_items(Value value)
{
  const Value *items;
  size_t count;
  return value_sequence(value, &items, &count);
}

// Constructors without a payload go by name; the others by the form of what they carry.
static bool to_other_sum(Slot *slot, const TypeInfo *type, Value value, void *out)
{
  Str name = name_of(slot->t, value);
  for (uint32_t i = 0; i < type->member_count; i++) {
    const CtorInfo *ctor = &type->ctors[i];
    const TypeInfo *of = ctor->type;
    bool fits = !of ? str_is(name, ctor->wire) || (value.tag == VALUE_NONE && i == 0)
                    : (of->form == FORM_STRING && value.tag == VALUE_STR) ||
                          (of->form == FORM_LIST && has_items(value)) || (of->form == FORM_SAME && is_number(value));
    if (!fits)
      continue;
    *(uint32_t *)out = ctor->number;
    return !of || convert(slot, of, value, (char *)out + type->value_offset);
  }
  return wrong(slot, type, value);
}

static bool to_sum(Slot *slot, const TypeInfo *type, Value value, void *out)
{
  if (type == &core_type_TensorRef)
    return to_tensor(slot, type, value, out);
  if (type == &core_type_Immediate)
    return to_immediate(slot, type, value, out);
  if (type != &core_type_Operand)
    return to_other_sum(slot, type, value, out);
  Operand *operand = out;
  if (value.tag != VALUE_TENSOR && !is_number(value))
    return wrong(slot, type, value);
  operand->ctor = value.tag == VALUE_TENSOR ? Operand_tile : Operand_imm;
  return value.tag == VALUE_TENSOR ? to_tensor(slot, type, value, &operand->tile)
                                   : to_immediate(slot, type, value, &operand->imm);
}

static bool to_list(Slot *slot, const TypeInfo *type, Value value, void *out)
{
  const Value *items;
  size_t count;
  if (!value_sequence(value, &items, &count))
    return wrong(slot, type, value);
  Core_LIST_NAT *list = out; // all lists are {items, count}
  char *made = arena_alloc_array(slot->b->arena, count, type->of->bytes);
  for (size_t i = 0; i < count; i++) {
    Slot item = *slot;
    item.item = slot->item < 0 ? (int64_t)i : slot->item;
    if (!convert(&item, type->of, items[i], made + i * type->of->bytes))
      return false;
  }
  list->items = (void *)made;
  list->count = (uint32_t)count;
  return true;
}

// A structure from a tuple or list of its fields in order; those left out are zero.
static bool to_struct(Slot *slot, const TypeInfo *type, Value value, char *out)
{
  const Value *items;
  size_t count;
  uint32_t field_count;
  const FieldInfo *fields = type->fields(&field_count);
  if (!value_sequence(value, &items, &count) || count > field_count)
    return wrong(slot, type, value);
  for (size_t i = 0; i < count; i++)
    if (!convert(slot, fields[i].type, items[i], out + fields[i].offset))
      return false;
  return true;
}

static bool to_integer(Slot *slot, const TypeInfo *type, Value value, void *out)
{
  int64_t integer;
  Value held = value_unwrap(value);
  bool natural = type->form == FORM_NAT || type->form == FORM_NAT32;
  if (held.tag == VALUE_FLOAT || !value_as_int(held, &integer) || (natural && integer < 0))
    return wrong(slot, type, value);
  bool narrow = type->form == FORM_NAT32 || type->form == FORM_INT32;
  if (narrow && (natural ? integer > UINT32_MAX : integer != (int32_t)integer))
    return RAISE(slot->t, E_ISA_ARGUMENT, user_span(slot->t, slot->span),
                 "'%s': %s is %lld, which does not fit 32 bits", function_name(slot->t), slot_name(slot),
                 (long long)integer);
  if (narrow)
    *(uint32_t *)out = (uint32_t)integer;
  else
    *(int64_t *)out = integer;
  return true;
}

static bool to_string(Slot *slot, const TypeInfo *type, Value value, const char **out)
{
  if (type == &core_REGISTER) {
    if (!value_is_register(value))
      return wrong(slot, type, value);
    *out = register_use(slot->b, value, slot->span);
    return true;
  }
  if (value.tag == VALUE_NONE && type->form == FORM_OPT_STRING)
    return true;
  if (value.tag != VALUE_STR)
    return wrong(slot, type, value);
  *out = builder_keep(slot->b, value.string->text.data);
  return true;
}

static bool convert(Slot *slot, const TypeInfo *type, Value value, void *out)
{
  double real;
  switch (type->form) {
  case FORM_SAME: return convert(slot, type->of, value, out);
  case FORM_BOOL:
    if (value.tag != VALUE_BOOL && value.tag != VALUE_INT)
      return wrong(slot, type, value);
    *(bool *)out = value.integer != 0;
    return true;
  case FORM_NAT:
  case FORM_NAT32:
  case FORM_INT:
  case FORM_INT32: return to_integer(slot, type, value, out);
  case FORM_F32:
    if (!is_number(value))
      return wrong(slot, type, value);
    value_as_double(value_unwrap(value), &real);
    *(float *)out = (float)real;
    return true;
  case FORM_STRING:
  case FORM_OPT_STRING: return to_string(slot, type, value, out);
  case FORM_ENUM: return to_enum(slot, type, value, out);
  case FORM_STRUCT: return to_struct(slot, type, value, out);
  case FORM_SUM: return to_sum(slot, type, value, out);
  case FORM_BOXED:
    if (value.tag == VALUE_NONE)
      return true;
    *(void **)out = arena_alloc(slot->b->arena, type->of->bytes);
    return convert(slot, type->of, value, *(void **)out);
  case FORM_OPTION:
    if (value.tag == VALUE_NONE)
      return true;
    *(bool *)out = true;
    return convert(slot, type->of, value, (char *)out + type->value_offset);
  case FORM_LIST: return to_list(slot, type, value, out);
  case FORM_REF:
  case FORM_OPERATOR: break;
  }
  bug("field kind %s cannot be emitted", type->name);
}

// ---- plans

static const FieldInfo *find_field(OpKind kind, Str name)
{
  uint32_t count;
  const FieldInfo *fields = op_info(kind)->fields(&count);
  for (uint32_t i = 0; i < count; i++)
    if (str_is(name, fields[i].name))
      return &fields[i];
  return NULL;
}

// The variable that an argument in the library is made of: `data1`, `oob_mode.name`, `_groups(replica_group)`.
static const Name *variable_of(const Expr *expr)
{
  switch (expr->kind) {
  case EXPR_Name: return expr->Name.id;
  case EXPR_Attribute: return variable_of(expr->Attribute.value);
  case EXPR_Call: return expr->Call.args.count ? variable_of(expr->Call.args.items[0]) : NULL;
  default: return NULL;
  }
}

// What the user calls the value of keyword `index`.
static const char *parameter_name(const Call *call, uint32_t index)
{
  const Name *keyword = call->keywords[index], *variable = NULL;
  if (call->expr && call->expr->kind == EXPR_Call) {
    const KeywordList *keywords = &call->expr->Call.keywords;
    for (uint32_t i = 0; i < keywords->count; i++)
      if (keywords->items[i]->arg == keyword)
        variable = variable_of(keywords->items[i]->value);
  }
  return variable ? variable->str.data : keyword->str.data;
}

static EmitPlan *plan_new(Builder *b, const Call *call)
{
  OpKind kind;
  if (call->positional != 2 || call->args[0].tag != VALUE_STR || !op_find(call->args[0].string->text, &kind)) {
    raise_error(b->t, E_ISA_ARGUMENT, call->span, "`_klr.emit` of something that is no operator");
    return NULL;
  }
  EmitPlan *plan = arena_alloc(&b->t->arena, sizeof *plan + call->keyword_count * sizeof *plan->fields);
  plan->kind = kind;
  plan->count = call->keyword_count;
  for (uint32_t i = 0; i < call->keyword_count; i++) {
    const Name *keyword = call->keywords[i];
    plan->fields[i] = (PlanField){.field = find_field(kind, keyword->str), .parameter = parameter_name(call, i)};
    if (!plan->fields[i].field) {
      raise_error(b->t, E_ISA_ARGUMENT, call->span, "operator '%s' has no field '%s'", op_info(kind)->name,
                  keyword->str.data);
      return NULL;
    }
  }
  return plan;
}

// Calls whose keywords are written out have one plan; others (with **fields) are looked at each time.
static EmitPlan *plan_of(Builder *b, const Call *call)
{
  uint32_t at = (uint32_t)((uintptr_t)call->expr >> 4) % (sizeof b->recent_plans / sizeof *b->recent_plans);
  EmitPlan *plan = b->recent_plans[at].plan;
  if (!call->expr || b->recent_plans[at].expr != call->expr)
    plan = call->expr ? map_get_number(&b->plans, (uintptr_t)call->expr) : NULL;
  if (!plan || plan->count != call->keyword_count) {
    plan = plan_new(b, call);
    if (plan && call->expr)
      map_set_number(&b->plans, (uintptr_t)call->expr, plan);
  }
  b->recent_plans[at].expr = call->expr;
  b->recent_plans[at].plan = plan;
  return plan;
}

static bool read_instruction_name(Slot *slot, Value value, const char **out)
{
  if (value.tag == VALUE_NONE)
    return true;
  if (value.tag != VALUE_STR)
    return RAISE(slot->t, E_ISA_ARGUMENT, user_span(slot->t, slot->span), "'%s': 'name' is %s; expected a str or None",
                 function_name(slot->t), describe(slot->t, value));
  if (value.string->text.len)
    *out = builder_keep(slot->b, value.string->text.data);
  return true;
}

// ---- what a call gives: a handle to order instructions by


static const char *instruction_name(Value handle)
{
  return ((const InstrNode *)((const char *)handle.object - offsetof(InstrNode, head)))->instr.name;
}

// `consumer.depends_on(producer, ...)`: the producers run first. Names are the same on every core, so once is enough.
static bool method_depends_on(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "`depends_on`", call->span);
  const Tuple *producers = call->args[0].tuple;
  if (!b)
    return false;
  for (size_t i = 0; i < producers->count; i++) {
    Value producer = producers->items[i];
    if (producer.tag != VALUE_OBJECT || producer.object->type != &instruction_type)
      return RAISE(t, E_ISA_ARGUMENT, user_span(t, call->span),
                   "'depends_on' of %s; expected what a call of 'nki.isa' gives", describe(t, producer));
    if (b->core > 0)
      continue;
    Edges edge = {instruction_name(producer), {arena_new(b->arena, const char *), 1}};
    edge.to_edges.items[0] = instruction_name(call->self);
    vec_push(&t->arena, &b->edges, edge);
  }
  *out = call->self;
  return true;
}

static const NativeMethod instruction_methods[] = {{"depends_on", method_depends_on, "*producers"}, {0}};

static void instruction_repr(Tracer *t, Value self, StrBuf *out)
{
  (void)t;
  strbuf_printf(out, "NkiInstruction(%s)", instruction_name(self));
}

const NativeType instruction_type = {
    .name = "NkiInstruction", .methods = instruction_methods, .repr = instruction_repr};

// Most operators, engines and modes are those of the call before.
static bool fill_field(Slot *slot, PlanField *field, Value value, void *out)
{
  const TypeInfo *type = field->field->type;
  if (type == &core_TENSOR_REF)
    return to_tensor(slot, &core_type_TensorRef, value, out);
  bool is_enum = type->form == FORM_SAME && type->of->form == FORM_ENUM;
  if (is_enum && value_is_set(field->last) && field->last.tag == value.tag && field->last.pointer == value.pointer) {
    *(uint32_t *)out = field->last_member;
    return true;
  }
  if (!convert(slot, type, value, out))
    return false;
  if (is_enum) {
    field->last = value;
    field->last_member = *(uint32_t *)out;
  }
  return true;
}

bool klr_emit(Tracer *t, const Call *call, Value *out)
{
  Builder *b = t->kernel;
  *out = value_none();
  if (!b) {
    raise_error(t, E_ISA_ARGUMENT, user_span(t, call->span), "'%s' is called outside of a kernel", function_name(t));
    return false;
  }
  EmitPlan *plan = plan_of(b, call);
  if (!plan)
    return false;
  const char *name = NULL;
  Slot slot = {t, b, NULL, -1, call->span};
  if (!read_instruction_name(&slot, call->args[1], &name))
    return false;
  Op *op = op_new(b->arena, plan->kind);
  for (uint32_t i = 0; i < plan->count; i++) {
    PlanField *field = &plan->fields[i];
    slot.parameter = field->parameter;
    if (!fill_field(&slot, field, call->args[2 + i], (char *)op + field->field->offset))
      return false;
  }
  InstrNode *node = builder_add(b, op, name, call->span);
  node->head.type = &instruction_type;
  *out = value_object(VALUE_OBJECT, &node->head);
  return true;
}
