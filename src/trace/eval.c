#include "trace/eval_internal.h"
#include "trace/number.h"

#include <string.h>

// ---- names

bool count_step(Tracer *t, Span span)
{
  if (session_is_interrupted(t->session)) {
    raise_error(t, E_INTERRUPTED, span, "interrupted while tracing");
    t->exception.extra = 1;  // no handler may go on
    return false;
  }
  if (++t->steps <= t->step_limit || t->step_limit == 0)
    return true;
  const LoopMark *worst = NULL;
  for (const Frame *frame = t->frame; frame; frame = frame->caller)
    for (const LoopMark *mark = frame->loop; mark; mark = mark->outer)
      if (!worst || mark->iterations > worst->iterations)
        worst = mark;
  uint64_t limit = t->step_limit;
  t->step_limit = 0;
  Diag *diag = raise_error(t, E_STEPS, worst ? worst->span : span, "tracing did not end within %llu steps",
                           (unsigned long long)limit);
  t->step_limit = limit;
  if (worst)
    diag_primary(diag, worst->span, "this loop has been unrolled %llu times", (unsigned long long)worst->iterations);
  diag_help(diag, "loops over compile-time values are unrolled: check that the loop ends, or raise the limit with "
            "`--max-steps N`");
  t->exception.extra = 1;  // no handler may go on
  return false;
}

void warn_syntax(Tracer *t, const Frame *frame, Span span, const char *what)
{
  if (!t->in_kernel || frame->module->embedded || span_is_none(span))
    return;
  Diag *diag = warn_once(t, W_NOT_NKI_SYNTAX, span, "%s in a kernel", what);
  if (!diag->notes.count)
    diag_note(diag, "the NKI language does not have it: the vendor's compiler will refuse this line");
}

bool is_module_level(const Tracer *t)
{
  return !t->is_script && t->frame && (t->frame->code->kind == CODE_MODULE || t->frame->code->kind == CODE_CLASS);
}

bool raise_opaque(Tracer *t, Value value, Span span, const char *use)
{
  const Opaque *opaque = value.opaque;
  Str path = str_from(opaque->path);
  if (str_starts_with(path, "neuronxcc")) {
    Diag *diag = raise_error(t, E_OLD_NAMESPACE, span, "'%s' belongs to the first generation of NKI", opaque->path);
    const char *rest = strlen(opaque->path) > 10 ? opaque->path + 10 : "nki";
    diag_help(diag, "the current language is the package `nki`: use `%s`", rest);
    if (!span_is_none(opaque->origin))
      diag_label(diag, opaque->origin, "imported here");
    return false;
  }
  Diag *diag = raise_error(t, E_OPAQUE, span, "'%s' is not known while tracing and cannot be %s", opaque->path, use);
  if (opaque->reason) {
    diag_label(diag, opaque->reason->primary.span, "it has no value because of this: %s", opaque->reason->message);
    for (size_t i = 0; i < opaque->reason->helps.count; i++)
      diag_help(diag, "%s", opaque->reason->helps.items[i]);
  } else {
    if (!span_is_none(opaque->origin))
      diag_label(diag, opaque->origin, "imported here; no such module was found");
    diag_help(diag, "compute the value from what NKI has, or pass it to the kernel as an argument");
  }
  return false;
}

static bool name_error(Tracer *t, Frame *frame, const Name *name, Span span)
{
  Diag *diag = raise_error(t, E_NAME_UNKNOWN, span, "name '%s' is not defined", name->str.data);
  Vec(const char *) candidates = {0};
  for (uint32_t i = 0; i < frame->code->slot_count; i++)
    vec_push(&t->arena, &candidates, frame->code->slot_names[i]->str.data);
  for (uint32_t i = 0; i < frame->module->attrs.count; i++)
    if (value_is_set(frame->module->attrs.items[i].value))
      vec_push(&t->arena, &candidates, frame->module->attrs.items[i].name->str.data);
  for (uint32_t i = 0; i < t->builtin_names.count; i++)
    vec_push(&t->arena, &candidates, t->builtin_names.items[i].name->str.data);
  diag_suggest(diag, name->str, candidates.items, candidates.count);
  return false;
}

Outcome global_value(Tracer *t, ModuleObject *module, const Name *name, uint32_t index, uint32_t builtin, Span span,
                     Value *out)
{
  Value *value = &module->attrs.items[index].value;
  if (value->tag == VALUE_LAZY)
    return module_getattr(t, module, name, span, out);
  if (value_is_set(*value)) {
    *out = *value;
    return OUTCOME_OK;
  }
  Outcome live = module_host_global(t, module, name, out);
  if (live != OUTCOME_MISSING)
    return live;
  if (builtin) {
    *out = t->builtin_names.items[builtin - 1].value;
    return OUTCOME_OK;
  }
  return OUTCOME_MISSING;
}

static bool unbound(Tracer *t, Frame *frame, const Expr *expr)
{
  const char *name = expr->Name.id->str.data;
  bool is_free = false;
  for (uint32_t i = 0; i < frame->code->free_count; i++)
    is_free |= expr->flags == NAME_CELL && frame->code->frees[i].slot == NAME_INDEX(expr);
  if (is_free)
    return RAISE(t, E_NAME_UNKNOWN, expr->span,
                 "cannot access free variable '%s' where it is not associated with a value in enclosing scope", name);
  Diag *diag = raise_error(t, E_NAME_UNBOUND, expr->span,
                           "cannot access local variable '%s' where it is not associated with a value", name);
  diag_help(diag, "`%s` is assigned in this function, so it is local in all of it; the assignment was not reached", name);
  return false;
}

// A name that eval_expr did not find at once.
static bool eval_name_slow(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  uint32_t index = NAME_INDEX(expr), builtin = (uint32_t)((uint64_t)(uintptr_t)expr->cache >> 32);
  switch ((NameKind)expr->flags) {
  case NAME_CLASS:
  case NAME_CLASS_CELL: {
    Value *value = attr_find(frame->names, expr->Name.id);
    if (value) {
      *out = *value;
      return true;
    }
    if (expr->flags == NAME_CLASS_CELL) {
      *out = frame->slots[index].cell->value;
      return value_is_set(*out) || unbound(t, frame, expr);
    }
    break;
  }
  case NAME_GLOBAL: break;
  case NAME_CELL:
    if (frame->slots[index].tag == VALUE_CELL && value_is_set(frame->slots[index].cell->value)) {
      *out = frame->slots[index].cell->value;
      return true;
    }
    return unbound(t, frame, expr);
  case NAME_LOCAL: return unbound(t, frame, expr);
  case NAME_UNRESOLVED: return RAISE(t, E_UNSUPPORTED, expr->span, "the name '%s' cannot be resolved here",
                                     expr->Name.id->str.data);
  }
  switch (global_value(t, frame->module, expr->Name.id, index, builtin, expr->span, out)) {
  case OUTCOME_OK: return true;
  case OUTCOME_ERROR: return false;
  case OUTCOME_MISSING: break;
  }
  return name_error(t, frame, expr->Name.id, expr->span);
}

static Cell *cell_of(Tracer *t, Frame *frame, uint32_t slot)
{
  Value *place = &frame->slots[slot];
  if (place->tag != VALUE_CELL)
    *place = (Value){.tag = VALUE_CELL, .cell = arena_new(&t->arena, Cell)};
  return place->cell;
}

static void store_name(Tracer *t, Frame *frame, const Name *name, NameKind kind, uint32_t index, Value value)
{
  switch (kind) {
  case NAME_LOCAL: frame->slots[index] = value; break;
  case NAME_CELL: cell_of(t, frame, index)->value = value; break;
  case NAME_GLOBAL: frame->module->attrs.items[index].value = value; break;
  default: attr_set(&t->arena, frame->names, name, value); break;
  }
}

bool bind_name(Tracer *t, Frame *frame, const Name *name, Value value, Span span)
{
  Binding binding = scope_binding(frame->code, name);
  if (binding.kind == NAME_UNRESOLVED && !frame->names)
    return RAISE(t, E_UNSUPPORTED, span, "the name '%s' cannot be bound here", name->str.data);
  store_name(t, frame, name, binding.kind, binding.index, value);
  return true;
}

// ---- assignment

static bool unpack_error(Tracer *t, const Expr *target, size_t expected, size_t found, bool starred)
{
  if (found < expected)
    return RAISE(t, E_VALUE, target->span, "not enough values to unpack (expected %s%zu, got %zu)",
                 starred ? "at least " : "", expected, found);
  return RAISE(t, E_VALUE, target->span, "too many values to unpack (expected %zu)", expected);
}

static bool assign_sequence(Tracer *t, Frame *frame, const Expr *target, ExprList targets, Value value)
{
  const Value *items;
  size_t count;
  List list = {0};
  if (!value_sequence(value, &items, &count) || value.tag == VALUE_LIST) {
    bool scalar = value.tag == VALUE_NONE || (value.tag >= VALUE_BOOL && value.tag <= VALUE_FLOAT) ||
                  value.tag == VALUE_FUNCTION || value.tag == VALUE_BUILTIN || value.tag == VALUE_ELLIPSIS;
    if (scalar)
      return RAISE(t, E_TYPE, target->span, "cannot unpack non-iterable %s object", value_type_name(t, value));
    if (!op_collect(t, value, target->span, &list))
      return false;
    items = list.items;
    count = list.count;
  }
  int64_t star = -1;
  for (uint32_t i = 0; i < targets.count; i++)
    if (targets.items[i]->kind == EXPR_Starred)
      star = i;
  if (star < 0 ? count != targets.count : count + 1 < targets.count)
    return unpack_error(t, target, star < 0 ? targets.count : targets.count - 1, count, star >= 0);
  size_t rest = star < 0 ? 0 : count + 1 - targets.count;
  for (uint32_t i = 0, at = 0; i < targets.count; i++) {
    if (i == star) {
      Value starred = value_list(t, rest ? items + at : NULL, rest);
      if (!eval_assign(t, frame, targets.items[i]->Starred.value, starred))
        return false;
      at += (uint32_t)rest;
    } else if (!eval_assign(t, frame, targets.items[i], items[at++])) {
      return false;
    }
  }
  return true;
}

bool eval_assign(Tracer *t, Frame *frame, const Expr *target, Value value)
{
  switch ((ExprKind)target->kind) {
  case EXPR_Name:
    store_name(t, frame, target->Name.id, (NameKind)target->flags, NAME_INDEX(target), value);
    return true;
  case EXPR_Tuple: return assign_sequence(t, frame, target, target->Tuple.elts, value);
  case EXPR_List: return assign_sequence(t, frame, target, target->List.elts, value);
  case EXPR_Attribute: {
    Value object;
    return eval_expr(t, frame, target->Attribute.value, &object) &&
           op_setattr(t, object, target->Attribute.attr, value, target->span);
  }
  case EXPR_Subscript: {
    Value object, key;
    return eval_expr(t, frame, target->Subscript.value, &object) &&
           eval_expr(t, frame, target->Subscript.slice, &key) && op_setitem(t, object, key, value, target->span);
  }
  default: return RAISE(t, E_UNSUPPORTED, target->span, "cannot assign to this");
  }
}

// ---- expressions

static bool eval_constant(Tracer *t, const Expr *expr, Value *out)
{
  const Constant *constant = &expr->Constant.value;
  switch (constant->kind) {
  case CONSTANT_NONE: *out = value_none(); return true;
  case CONSTANT_FALSE: *out = value_bool(false); return true;
  case CONSTANT_TRUE: *out = value_bool(true); return true;
  case CONSTANT_ELLIPSIS: *out = (Value){.tag = VALUE_ELLIPSIS}; return true;
  case CONSTANT_INT: *out = value_int(constant->integer); return true;
  case CONSTANT_FLOAT: *out = value_float(constant->real); return true;
  case CONSTANT_STR:
  case CONSTANT_BYTES: {
    Expr *node = (Expr *)expr;
    if (!node->cache)
      node->cache = (constant->kind == CONSTANT_STR ? value_str(t, constant->text)
                                                    : value_bytes(t, constant->text)).string;
    *out = (Value){.tag = constant->kind == CONSTANT_STR ? VALUE_STR : VALUE_BYTES, .string = node->cache};
    return true;
  }
  case CONSTANT_BIG_INT:
    int_from_text(t, constant->text, 0, out);
    return true;
  case CONSTANT_COMPLEX: return RAISE(t, E_UNSUPPORTED, expr->span, "complex numbers are not supported");
  }
  return false;
}

static inline bool binary_fast(Operator op, Value a, Value b, Value *out)
{
  int64_t result;
  if (a.tag == VALUE_INT && b.tag == VALUE_INT) {
    switch (op) {
    case OPERATOR_Add:
      if (__builtin_add_overflow(a.integer, b.integer, &result))
        return false;
      break;
    case OPERATOR_Sub:
      if (__builtin_sub_overflow(a.integer, b.integer, &result))
        return false;
      break;
    case OPERATOR_Mult:
      if (__builtin_mul_overflow(a.integer, b.integer, &result))
        return false;
      break;
    case OPERATOR_FloorDiv:
      if (a.integer < 0 || b.integer <= 0)
        return false;
      result = a.integer / b.integer;
      break;
    case OPERATOR_Mod:
      if (a.integer < 0 || b.integer <= 0)
        return false;
      result = a.integer % b.integer;
      break;
    default: return false;
    }
    *out = value_int(result);
    return true;
  }
  if (a.tag == VALUE_FLOAT && b.tag == VALUE_FLOAT) {
    switch (op) {
    case OPERATOR_Add: *out = value_float(a.real + b.real); return true;
    case OPERATOR_Sub: *out = value_float(a.real - b.real); return true;
    case OPERATOR_Mult: *out = value_float(a.real * b.real); return true;
    default: return false;
    }
  }
  return false;
}

static bool eval_binary(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  Value left, right;
  if (!eval_expr(t, frame, expr->BinOp.left, &left) || !eval_expr(t, frame, expr->BinOp.right, &right))
    return false;
  return binary_fast(expr->BinOp.op, left, right, out) ||
         op_binary(t, expr->BinOp.op, left, right, expr->span, out);
}

static inline bool compare_fast(CmpOp op, Value a, Value b, Value *out)
{
  if (a.tag != VALUE_INT || b.tag != VALUE_INT)
    return false;
  bool result;
  switch (op) {
  case CMP_OP_Eq: result = a.integer == b.integer; break;
  case CMP_OP_NotEq: result = a.integer != b.integer; break;
  case CMP_OP_Lt: result = a.integer < b.integer; break;
  case CMP_OP_LtE: result = a.integer <= b.integer; break;
  case CMP_OP_Gt: result = a.integer > b.integer; break;
  case CMP_OP_GtE: result = a.integer >= b.integer; break;
  default: return false;
  }
  *out = value_bool(result);
  return true;
}

static bool eval_compare(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  Value left, right;
  if (!eval_expr(t, frame, expr->Compare.left, &left))
    return false;
  for (uint32_t i = 0;; i++) {
    CmpOp op = expr->Compare.ops.items[i];
    const Expr *operand = expr->Compare.comparators.items[i];
    if (!eval_expr(t, frame, operand, &right))
      return false;
    if ((op == CMP_OP_Is || op == CMP_OP_IsNot) && t->in_kernel && right.tag != VALUE_NONE && left.tag != VALUE_NONE &&
        !frame->module->embedded)
      warn_once(t, W_NOT_NKI_IDENTITY, expr->span, "identity of values other than None in a kernel");
    if (!compare_fast(op, left, right, out) && !op_compare(t, op, left, right, expr->span, out))
      return false;
    if (i + 1 == expr->Compare.ops.count)
      return true;
    bool truth;
    if (!op_truth(t, *out, expr->span, &truth))
      return false;
    if (!truth)
      return true;
    left = right;
  }
}

static bool eval_bool_op(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  for (uint32_t i = 0;; i++) {
    if (!eval_expr(t, frame, expr->BoolOp.values.items[i], out))
      return false;
    if (i + 1 == expr->BoolOp.values.count)
      return true;
    bool truth;
    if (!op_truth(t, *out, expr->BoolOp.values.items[i]->span, &truth))
      return false;
    if (truth == (expr->BoolOp.op == BOOL_OP_Or))
      return true;
  }
}

bool eval_truth(Tracer *t, Frame *frame, const Expr *expr, bool *out)
{
  Value value;
  if (!eval_expr(t, frame, expr, &value))
    return false;
  if (value.tag == VALUE_BOOL) {
    *out = value.boolean;
    return true;
  }
  return op_truth(t, value, expr->span, out);
}

static bool eval_unary(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  if (expr->UnaryOp.op == UNARY_OP_Not) {
    bool truth;
    if (!eval_truth(t, frame, expr->UnaryOp.operand, &truth))
      return false;
    *out = value_bool(!truth);
    return true;
  }
  Value operand;
  return eval_expr(t, frame, expr->UnaryOp.operand, &operand) &&
         op_unary(t, expr->UnaryOp.op, operand, expr->span, out);
}

// Items of a display, with starred ones spread, appended to `list`.
static bool eval_items(Tracer *t, Frame *frame, ExprList items, List *list)
{
  for (uint32_t i = 0; i < items.count; i++) {
    Value value;
    const Expr *item = items.items[i];
    if (item->kind == EXPR_Starred) {
      if (!eval_expr(t, frame, item->Starred.value, &value) || !op_collect(t, value, item->span, list))
        return false;
      continue;
    }
    if (!eval_expr(t, frame, item, &value))
      return false;
    list_push(t, list, value);
  }
  return true;
}

static bool has_star(ExprList items)
{
  for (uint32_t i = 0; i < items.count; i++)
    if (items.items[i]->kind == EXPR_Starred)
      return true;
  return false;
}

static bool eval_tuple(Tracer *t, Frame *frame, ExprList items, Value *out)
{
  if (has_star(items)) {
    List list = {0};
    if (!eval_items(t, frame, items, &list))
      return false;
    *out = value_tuple(t, list.items, list.count);
    return true;
  }
  Value tuple = value_tuple(t, NULL, items.count);
  for (uint32_t i = 0; i < items.count; i++)
    if (!eval_expr(t, frame, items.items[i], &tuple.tuple->items[i]))
      return false;
  *out = tuple;
  return true;
}

static bool eval_list(Tracer *t, Frame *frame, ExprList items, Value *out)
{
  Value list = value_list(t, NULL, 0);
  if (!eval_items(t, frame, items, list.list))
    return false;
  *out = list;
  return true;
}

static bool eval_dict(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  Value dict = value_dict(t);
  for (uint32_t i = 0; i < expr->Dict.values.count; i++) {
    Value key, value;
    const Expr *key_expr = expr->Dict.keys.items[i], *value_expr = expr->Dict.values.items[i];
    if (!key_expr) {
      if (!eval_expr(t, frame, value_expr, &value))
        return false;
      Value mapping = value_unwrap(value);
      if (mapping.tag != VALUE_DICT)
        return RAISE(t, E_TYPE, value_expr->span, "'%s' object is not a mapping", value_type_name(t, value));
      for (uint32_t k = 0; k < mapping.dict->used; k++)
        if (value_is_set(mapping.dict->entries[k].key) &&
            !dict_set(t, dict.dict, mapping.dict->entries[k].key, mapping.dict->entries[k].value))
          return false;
      continue;
    }
    if (!eval_expr(t, frame, key_expr, &key) || !eval_expr(t, frame, value_expr, &value))
      return false;
    if (t->in_kernel && key.tag != VALUE_STR && !frame->module->embedded)
      warn_once(t, W_NOT_NKI_KEY, key_expr->span, "a dictionary key of type `%s` in a kernel", value_type_name(t, key));
    if (!dict_set(t, dict.dict, key, value))
      return false;
  }
  *out = dict;
  return true;
}

static bool eval_set(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  List list = {0};
  if (!eval_items(t, frame, expr->Set.elts, &list))
    return false;
  Value set = value_set(t, false);
  for (size_t i = 0; i < list.count; i++)
    if (!dict_set(t, set.dict, list.items[i], value_none()))
      return false;
  *out = set;
  return true;
}

static bool eval_slice_parts(Tracer *t, Frame *frame, const Expr *expr, Slice *slice)
{
  slice->start = slice->stop = slice->step = value_none();
  return (!expr->Slice.lower || eval_expr(t, frame, expr->Slice.lower, &slice->start)) &&
         (!expr->Slice.upper || eval_expr(t, frame, expr->Slice.upper, &slice->stop)) &&
         (!expr->Slice.step || eval_expr(t, frame, expr->Slice.step, &slice->step));
}

// Subscripts of native objects are built on the C stack: keys do not outlive the call.
enum { SHORT_KEY = 8 };
typedef struct ShortKey {
  size_t count;
  Value items[SHORT_KEY];
  Slice slices[SHORT_KEY];
} ShortKey;
_Static_assert(offsetof(ShortKey, items) == offsetof(Tuple, items), "a short key is a tuple");

static bool eval_key_part(Tracer *t, Frame *frame, const Expr *expr, Slice *slice, Value *out)
{
  if (expr->kind != EXPR_Slice)
    return eval_expr(t, frame, expr, out);
  *out = (Value){.tag = VALUE_SLICE, .pointer = slice};
  return eval_slice_parts(t, frame, expr, slice);
}

static __attribute__((noinline)) bool eval_native_subscript(Tracer *t, Frame *frame, Value object, const Expr *expr, Value *out)
{
  const Expr *key_expr = expr->Subscript.slice;
  ShortKey storage;
  Value key;
  if (key_expr->kind == EXPR_Tuple && key_expr->Tuple.elts.count <= SHORT_KEY && !has_star(key_expr->Tuple.elts)) {
    storage.count = key_expr->Tuple.elts.count;
    for (uint32_t i = 0; i < storage.count; i++)
      if (!eval_key_part(t, frame, key_expr->Tuple.elts.items[i], &storage.slices[i], &storage.items[i]))
        return false;
    key = (Value){.tag = VALUE_TUPLE, .pointer = &storage};
  } else if (!eval_key_part(t, frame, key_expr, &storage.slices[0], &key)) {
    return false;
  }
  return op_getitem(t, object, key, expr->span, out);
}

static bool eval_subscript(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  Value object, key;
  if (!eval_expr(t, frame, expr->Subscript.value, &object))
    return false;
  if (object.tag == VALUE_TENSOR)
    return eval_native_subscript(t, frame, object, expr, out);
  if (!eval_expr(t, frame, expr->Subscript.slice, &key))
    return false;
  if (key.tag == VALUE_INT) {
    if (object.tag == VALUE_LIST && (uint64_t)key.integer < object.list->count) {
      *out = object.list->items[key.integer];
      return true;
    }
    if (object.tag == VALUE_TUPLE && (uint64_t)key.integer < object.tuple->count) {
      *out = object.tuple->items[key.integer];
      return true;
    }
  }
  return op_getitem(t, object, key, expr->span, out);
}

static bool eval_formatted(Tracer *t, Frame *frame, const Expr *expr, StrBuf *out)
{
  Value value;
  if (!eval_expr(t, frame, expr->FormattedValue.value, &value))
    return false;
  int conversion = expr->FormattedValue.conversion;
  if (conversion == 's' || conversion == 'r' || conversion == 'a') {
    StrBuf text = strbuf_new(&t->arena);
    if (!(conversion == 's' ? op_str : op_repr)(t, value, expr->span, &text))
      return false;
    value = value_str(t, strbuf_str(&text));
    if (conversion == 'a')
      value = value_str(t, ascii_text(t, value.string->text));
  }
  Str spec = {"", 0};
  if (expr->FormattedValue.format_spec) {
    Value text;
    if (!eval_expr(t, frame, expr->FormattedValue.format_spec, &text))
      return false;
    spec = text.string->text;
  }
  return op_format(t, value, spec, expr->span, out);
}

static bool eval_joined(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  StrBuf text = strbuf_new(&t->arena);
  for (uint32_t i = 0; i < expr->JoinedStr.values.count; i++) {
    const Expr *part = expr->JoinedStr.values.items[i];
    if (part->kind == EXPR_FormattedValue) {
      if (!eval_formatted(t, frame, part, &text))
        return false;
    } else {
      Value piece;
      if (!eval_expr(t, frame, part, &piece))
        return false;
      strbuf_add(&text, piece.string->text.data, piece.string->text.len);
    }
  }
  if (!text.data)
    strbuf_add(&text, "", 0);
  *out = value_str_own(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool eval_yield(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  warn_syntax(t, frame, expr->span, "a generator function");
  Value value = value_none();
  if (!frame->yielded)
    return RAISE(t, E_UNSUPPORTED, expr->span, "'yield' outside a function");
  if (expr->kind == EXPR_YieldFrom) {
    if (!eval_expr(t, frame, expr->YieldFrom.value, &value) || !op_collect(t, value, expr->span, frame->yielded))
      return false;
  } else {
    if (expr->Yield.value && !eval_expr(t, frame, expr->Yield.value, &value))
      return false;
    list_push(t, frame->yielded, value);
  }
  if (!count_step(t, expr->span))
    return false;
  *out = value_none();
  return true;
}

const Value *module_value(ModuleObject *module, const Expr *expr)
{
  const AttrTable *attrs = &module->attrs;
  const Name *name = expr->Attribute.attr;
  uintptr_t index = (uintptr_t)expr->cache;
  if (index >= attrs->count || attrs->items[index].name != name) {
    const Value *found = attr_find(attrs, name);
    if (!found)
      return NULL;
    index = (uintptr_t)((const Attr *)((const char *)found - offsetof(Attr, value)) - attrs->items);
    ((Expr *)expr)->cache = (void *)index;
  }
  const Value *value = &attrs->items[index].value;
  return module->state == MODULE_READY && value->tag > VALUE_LAZY ? value : NULL;
}

static bool eval_attribute(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  Value object;
  if (!eval_expr(t, frame, expr->Attribute.value, &object))
    return false;
  const Value *own = object.tag == VALUE_MODULE ? module_value(object.module, expr) : NULL;
  if (!own)
    return op_getattr(t, object, expr->Attribute.attr, expr->span, out);
  *out = *own;
  return true;
}

static bool eval_other(Tracer *t, Frame *frame, const Expr *expr, Value *out);

// What most expressions are, before anything that needs room on the C stack.
bool eval_expr(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  if (expr->kind == EXPR_Name) {
    if (expr->flags == NAME_LOCAL) {
      *out = frame->slots[NAME_INDEX(expr)];
      if (out->tag != VALUE_UNDEFINED)
        return true;
    } else if (expr->flags == NAME_GLOBAL) {
      *out = frame->module->attrs.items[NAME_INDEX(expr)].value;
      if (out->tag > VALUE_LAZY)
        return true;
    }
  } else if (expr->kind == EXPR_Constant && expr->Constant.value.kind == CONSTANT_INT) {
    *out = value_int(expr->Constant.value.integer);
    return true;
  }
  return eval_other(t, frame, expr, out);
}

static __attribute__((noinline)) bool eval_other(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  switch ((ExprKind)expr->kind) {
  case EXPR_Name: return eval_name_slow(t, frame, expr, out);
  case EXPR_Constant: return eval_constant(t, expr, out);
  case EXPR_BinOp: return eval_binary(t, frame, expr, out);
  case EXPR_Compare: return eval_compare(t, frame, expr, out);
  case EXPR_BoolOp: return eval_bool_op(t, frame, expr, out);
  case EXPR_UnaryOp: return eval_unary(t, frame, expr, out);
  case EXPR_Call: return eval_call(t, frame, expr, out);
  case EXPR_Attribute: return eval_attribute(t, frame, expr, out);
  case EXPR_Subscript: return eval_subscript(t, frame, expr, out);
  case EXPR_Tuple: return eval_tuple(t, frame, expr->Tuple.elts, out);
  case EXPR_List: return eval_list(t, frame, expr->List.elts, out);
  case EXPR_Dict: return eval_dict(t, frame, expr, out);
  case EXPR_Set: warn_syntax(t, frame, expr->span, "a set"); return eval_set(t, frame, expr, out);
  case EXPR_Slice: {
    Value slice = value_slice(t, value_none(), value_none(), value_none());
    *out = slice;
    return eval_slice_parts(t, frame, expr, slice.pointer);
  }
  case EXPR_IfExp: {
    bool truth;
    return eval_truth(t, frame, expr->IfExp.test, &truth) &&
           eval_expr(t, frame, truth ? expr->IfExp.body : expr->IfExp.orelse, out);
  }
  case EXPR_JoinedStr: return eval_joined(t, frame, expr, out);
  case EXPR_FormattedValue: {
    StrBuf text = strbuf_new(&t->arena);
    if (!eval_formatted(t, frame, expr, &text))
      return false;
    *out = value_str(t, strbuf_str(&text));
    return true;
  }
  case EXPR_ListComp:
  case EXPR_SetComp:
  case EXPR_DictComp:
  case EXPR_GeneratorExp:
    warn_syntax(t, frame, expr->span, expr->kind == EXPR_GeneratorExp ? "a generator expression" : "a comprehension");
    return eval_comprehension(t, frame, expr, out);
  case EXPR_Lambda:
    warn_syntax(t, frame, expr->span, "a lambda");
    *out = function_new(t, frame, expr->cache, expr->span, expr->Lambda.args);
    return value_is_set(*out);
  case EXPR_NamedExpr:
    warn_syntax(t, frame, expr->span, "an assignment expression");
    return eval_expr(t, frame, expr->NamedExpr.value, out) && eval_assign(t, frame, expr->NamedExpr.target, *out);
  case EXPR_Yield:
  case EXPR_YieldFrom: return eval_yield(t, frame, expr, out);
  case EXPR_Starred: return RAISE(t, E_UNSUPPORTED, expr->span, "can't use starred expression here");
  case EXPR_Await: return RAISE(t, E_UNSUPPORTED, expr->span, "'await' cannot be traced");
  case EXPR_Error: return RAISE(t, E_UNSUPPORTED, expr->span, "this could not be parsed");
  case EXPR_KIND_COUNT: break;
  }
  return false;
}

// ---- comprehensions

typedef struct Comprehension {
  const Expr *expr;
  ComprehensionList generators;
  List *list;
  Dict *dict;
} Comprehension;

static bool comprehension_item(Tracer *t, Frame *frame, Comprehension *c)
{
  Value key, value;
  switch ((ExprKind)c->expr->kind) {
  case EXPR_DictComp:
    return eval_expr(t, frame, c->expr->DictComp.key, &key) && eval_expr(t, frame, c->expr->DictComp.value, &value) &&
           dict_set(t, c->dict, key, value);
  case EXPR_SetComp:
    return eval_expr(t, frame, c->expr->SetComp.elt, &value) && dict_set(t, c->dict, value, value_none());
  default:
    if (!eval_expr(t, frame, c->expr->ListComp.elt, &value))
      return false;
    list_push(t, c->list, value);
    return true;
  }
}

static bool comprehension_level(Tracer *t, Frame *frame, Comprehension *c, uint32_t level, Value iterable)
{
  const Ast_comprehension *generator = c->generators.items[level];
  Value iterator, item;
  if (!op_iterate(t, iterable, generator->iter->span, &iterator))
    return false;
  for (;;) {
    bool done = false, keep = true;
    if (!op_next(t, iterator, generator->iter->span, &item, &done))
      return false;
    if (done)
      return true;
    if (!count_step(t, c->expr->span) || !eval_assign(t, frame, generator->target, item))
      return false;
    for (uint32_t i = 0; i < generator->ifs.count && keep; i++)
      if (!eval_truth(t, frame, generator->ifs.items[i], &keep))
        return false;
    if (!keep)
      continue;
    if (level + 1 == c->generators.count) {
      if (!comprehension_item(t, frame, c))
        return false;
      continue;
    }
    Value inner;
    if (!eval_expr(t, frame, c->generators.items[level + 1]->iter, &inner) ||
        !comprehension_level(t, frame, c, level + 1, inner))
      return false;
  }
}

// A generator expression: evaluated as its items are asked for, in the frame it was made in while that runs, and with
// that frame's variables as they were then when it has returned. Its own variables are kept here in between.
typedef struct Generator {
  Iterator iterator;
  const Expr *expr;
  ComprehensionList levels;
  Frame *frame;     // compared, and used while it runs
  Frame left;       // stands for it later
  Value *hidden;    // [code->slot_count + code->cell_count]
  Value *iterators; // [levels.count]
  uint32_t level;
  bool started, runs;
} Generator;

static bool frame_runs(const Tracer *t, const Frame *frame, uint64_t id)
{
  for (const Frame *at = t->frame; at; at = at->caller)
    if (at == frame)
      return at->id == id;
  return false;
}

static void swap_hidden(const Generator *g, Value *slots)
{
  const ComprehensionCode *code = g->expr->cache;
  for (uint32_t i = 0; i < code->slot_count + code->cell_count; i++) {
    uint32_t slot = i < code->slot_count ? code->slots[i] : code->cells[i - code->slot_count];
    Value held = slots[slot];
    slots[slot] = g->hidden[i];
    g->hidden[i] = held;
  }
}

static bool generator_resume(Tracer *t, Frame *frame, Generator *g, Value *out, bool *done)
{
  uint32_t last = g->levels.count - 1;
  g->level = g->started ? g->level : 0;
  g->started = true;
  for (;;) {
    const Ast_comprehension *level = g->levels.items[g->level];
    Value item, inner;
    bool ended = false, keep = true;
    if (!op_next(t, g->iterators[g->level], level->iter->span, &item, &ended))
      return false;
    if (ended && g->level == 0) {
      *done = true;
      return true;
    }
    if (ended) {
      g->level--;
      continue;
    }
    if (!count_step(t, g->expr->span) || !eval_assign(t, frame, level->target, item))
      return false;
    for (uint32_t i = 0; i < level->ifs.count && keep; i++)
      if (!eval_truth(t, frame, level->ifs.items[i], &keep))
        return false;
    if (!keep)
      continue;
    if (g->level == last)
      return eval_expr(t, frame, g->expr->GeneratorExp.elt, out);
    if (!eval_expr(t, frame, g->levels.items[g->level + 1]->iter, &inner) ||
        !op_iterate(t, inner, g->levels.items[g->level + 1]->iter->span, &g->iterators[g->level + 1]))
      return false;
    g->level++;
  }
}

static bool next_generated(Tracer *t, Iterator *iterator, Value *out, bool *done)
{
  Generator *g = (Generator *)iterator;
  *done = iterator->exhausted;
  if (iterator->exhausted)
    return true;
  if (g->runs)
    return RAISE(t, E_VALUE, g->expr->span, "generator already executing");
  Frame *frame = frame_runs(t, g->frame, g->left.id) ? g->frame : &g->left;
  g->runs = true;
  swap_hidden(g, frame->slots);
  bool ok = generator_resume(t, frame, g, out, done);
  swap_hidden(g, frame->slots);
  if (frame != &g->left && frame->code->slot_count)
    memcpy(g->left.slots, frame->slots, frame->code->slot_count * sizeof *frame->slots);
  g->runs = false;
  iterator->exhausted = !ok || *done;
  return ok;
}

static bool generator_new(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  const ComprehensionCode *code = expr->cache;
  Generator *g = arena_new(&t->arena, Generator);
  *g = (Generator){.iterator = {.name = "generator", .next = next_generated}, .expr = expr,
                   .levels = expr->GeneratorExp.generators, .frame = frame, .left = *frame};
  g->iterators = arena_array(&t->arena, Value, g->levels.count);
  g->hidden = arena_array(&t->arena, Value, code->slot_count + code->cell_count);
  for (uint32_t i = 0; i < code->slot_count; i++)
    g->hidden[i] = value_undefined();
  for (uint32_t i = 0; i < code->cell_count; i++)
    g->hidden[code->slot_count + i] = (Value){.tag = VALUE_CELL, .cell = arena_new(&t->arena, Cell)};
  g->left.loop = NULL;
  g->left.slots = arena_array(&t->arena, Value, frame->code->slot_count);
  if (frame->code->slot_count)
    memcpy(g->left.slots, frame->slots, frame->code->slot_count * sizeof *frame->slots);
  Value first;
  if (!eval_expr(t, frame, g->levels.items[0]->iter, &first) ||
      !op_iterate(t, first, g->levels.items[0]->iter->span, &g->iterators[0]))
    return false;
  *out = (Value){.tag = VALUE_ITERATOR, .iterator = &g->iterator};
  return true;
}

bool eval_comprehension(Tracer *t, Frame *frame, const Expr *expr, Value *out)
{
  if (expr->kind == EXPR_GeneratorExp)
    return generator_new(t, frame, expr, out);
  Comprehension c = {.expr = expr};
  switch ((ExprKind)expr->kind) {
  case EXPR_ListComp: c.generators = expr->ListComp.generators; break;
  case EXPR_SetComp: c.generators = expr->SetComp.generators; break;
  default: c.generators = expr->DictComp.generators; break;
  }
  Value result = expr->kind == EXPR_DictComp  ? value_dict(t)
                 : expr->kind == EXPR_SetComp ? value_set(t, false)
                                              : value_list(t, NULL, 0);
  if (expr->kind == EXPR_DictComp || expr->kind == EXPR_SetComp)
    c.dict = result.dict;
  else
    c.list = result.list;
  Value first;
  if (!eval_expr(t, frame, c.generators.items[0]->iter, &first))
    return false;
  const ComprehensionCode *code = expr->cache;
  for (uint32_t i = 0; i < code->slot_count; i++)
    frame->slots[code->slots[i]] = value_undefined();
  for (uint32_t i = 0; i < code->cell_count; i++)
    frame->slots[code->cells[i]] = (Value){.tag = VALUE_CELL, .cell = arena_new(&t->arena, Cell)};
  if (!comprehension_level(t, frame, &c, 0, first))
    return false;
  *out = result;
  return true;
}

// ---- loops

static Completion loop_body(Tracer *t, Frame *frame, const Stmt *stmt, LoopMark *mark)
{
  mark->iterations++;
  if (!count_step(t, stmt->span))
    return COMPLETION_ERROR;
  return eval_block(t, frame, &stmt->For.body);
}

static Completion run_range(Tracer *t, Frame *frame, const Stmt *stmt, const Range *range, LoopMark *mark)
{
  const Expr *target = stmt->For.target;
  bool fast = target->kind == EXPR_Name && target->flags == NAME_LOCAL;
  int64_t value = range->start;
  for (int64_t i = 0; i < range->length; i++) {
    if (fast)
      frame->slots[NAME_INDEX(target)] = value_int(value);
    else if (!eval_assign(t, frame, target, value_int(value)))
      return COMPLETION_ERROR;
    Completion how = loop_body(t, frame, stmt, mark);
    if (how != COMPLETION_NORMAL && how != COMPLETION_CONTINUE)
      return how;
    if (i + 1 < range->length)
      value += range->step;
  }
  return COMPLETION_NORMAL;
}

static Completion run_iterator(Tracer *t, Frame *frame, const Stmt *stmt, Value iterable, LoopMark *mark)
{
  Value iterator, item;
  if (!op_iterate(t, iterable, stmt->For.iter->span, &iterator))
    return COMPLETION_ERROR;
  for (;;) {
    bool done = false;
    if (!op_next(t, iterator, stmt->For.iter->span, &item, &done))
      return COMPLETION_ERROR;
    if (done)
      return COMPLETION_NORMAL;
    if (!eval_assign(t, frame, stmt->For.target, item))
      return COMPLETION_ERROR;
    Completion how = loop_body(t, frame, stmt, mark);
    if (how != COMPLETION_NORMAL && how != COMPLETION_CONTINUE)
      return how;
  }
}

static Completion after_loop(Tracer *t, Frame *frame, const StmtList *orelse, Completion how)
{
  if (how == COMPLETION_BREAK)
    return COMPLETION_NORMAL;
  return how == COMPLETION_NORMAL && orelse->count ? eval_block(t, frame, orelse) : how;
}

static Completion eval_for(Tracer *t, Frame *frame, const Stmt *stmt)
{
  Value iterable;
  if (!eval_expr(t, frame, stmt->For.iter, &iterable))
    return COMPLETION_ERROR;
  if (value_is_native(iterable)) {
    const NativeType *type = iterable.object->type;
    if (type->runtime_loop && t->device && t->device->on_for)
      return t->device->on_for(t, frame, stmt, iterable);
    if (type->iterate && type->iterate(t, iterable, stmt->For.iter->span, &iterable) == OUTCOME_ERROR)
      return COMPLETION_ERROR;
  }
  LoopMark mark = {frame->loop, stmt->span, 0};
  frame->loop = &mark;
  Completion how = iterable.tag == VALUE_RANGE ? run_range(t, frame, stmt, iterable.pointer, &mark)
                                               : run_iterator(t, frame, stmt, iterable, &mark);
  frame->loop = mark.outer;
  return after_loop(t, frame, &stmt->For.orelse, how);
}

static bool is_runtime(Tracer *t, Value value)
{
  return value_is_native(value) && value.object->type->runtime_truth && t->device;
}

static Completion eval_while(Tracer *t, Frame *frame, const Stmt *stmt)
{
  LoopMark mark = {frame->loop, stmt->span, 0};
  frame->loop = &mark;
  Completion how = COMPLETION_NORMAL;
  for (;;) {
    Value condition;
    bool truth;
    if (!eval_expr(t, frame, stmt->While.test, &condition)) {
      how = COMPLETION_ERROR;
      break;
    }
    if (is_runtime(t, condition) && mark.iterations == 0 && t->device->on_while) {
      frame->loop = mark.outer;
      return t->device->on_while(t, frame, stmt, condition);
    }
    if (condition.tag == VALUE_TENSOR)  // always true: the loop could not end
      raise_error(t, E_RUNTIME_VALUE, stmt->While.test->span, "a tensor as the condition of a loop");
    if (condition.tag == VALUE_TENSOR || !op_truth(t, condition, stmt->While.test->span, &truth)) {
      how = COMPLETION_ERROR;
      break;
    }
    if (!truth)
      break;
    mark.iterations++;
    how = count_step(t, stmt->span) ? eval_block(t, frame, &stmt->While.body) : COMPLETION_ERROR;
    if (how != COMPLETION_NORMAL && how != COMPLETION_CONTINUE)
      break;
    how = COMPLETION_NORMAL;
  }
  frame->loop = mark.outer;
  return after_loop(t, frame, &stmt->While.orelse, how);
}

static Completion eval_if(Tracer *t, Frame *frame, const Stmt *stmt)
{
  Value condition;
  if (!eval_expr(t, frame, stmt->If.test, &condition))
    return COMPLETION_ERROR;
  bool truth;
  if (condition.tag == VALUE_BOOL)
    truth = condition.boolean;
  else if (is_runtime(t, condition) && t->device->on_if)
    return t->device->on_if(t, frame, stmt, condition);
  else if (!op_truth(t, condition, stmt->If.test->span, &truth))
    return COMPLETION_ERROR;
  return eval_block(t, frame, truth ? &stmt->If.body : &stmt->If.orelse);
}

// ---- other statements

static bool eval_aug_assign(Tracer *t, Frame *frame, const Stmt *stmt)
{
  const Expr *target = stmt->AugAssign.target;
  Operator op = stmt->AugAssign.op;
  Value old, value, object, key;
  switch ((ExprKind)target->kind) {
  case EXPR_Name:
    if (!eval_expr(t, frame, target, &old) || !eval_expr(t, frame, stmt->AugAssign.value, &value))
      return false;
    if (!binary_fast(op, old, value, &value) && !op_inplace(t, op, old, value, stmt->span, &value))
      return false;
    return eval_assign(t, frame, target, value);
  case EXPR_Attribute:
    return eval_expr(t, frame, target->Attribute.value, &object) &&
           op_getattr(t, object, target->Attribute.attr, target->span, &old) &&
           eval_expr(t, frame, stmt->AugAssign.value, &value) && op_inplace(t, op, old, value, stmt->span, &value) &&
           op_setattr(t, object, target->Attribute.attr, value, target->span);
  case EXPR_Subscript:
    return eval_expr(t, frame, target->Subscript.value, &object) &&
           eval_expr(t, frame, target->Subscript.slice, &key) && op_getitem(t, object, key, target->span, &old) &&
           eval_expr(t, frame, stmt->AugAssign.value, &value) && op_inplace(t, op, old, value, stmt->span, &value) &&
           op_setitem(t, object, key, value, target->span);
  default: return RAISE(t, E_UNSUPPORTED, target->span, "illegal target for augmented assignment");
  }
}

static bool delete_name(Tracer *t, Frame *frame, const Expr *target)
{
  Value value;
  if (!eval_expr(t, frame, target, &value))
    return false;
  switch ((NameKind)target->flags) {
  case NAME_CLASS:
  case NAME_CLASS_CELL: attr_set(&t->arena, frame->names, target->Name.id, value_undefined()); return true;
  default:
    store_name(t, frame, target->Name.id, (NameKind)target->flags, NAME_INDEX(target), value_undefined());
    return true;
  }
}

static bool eval_delete(Tracer *t, Frame *frame, const Expr *target)
{
  Value object, key;
  switch ((ExprKind)target->kind) {
  case EXPR_Name: return delete_name(t, frame, target);
  case EXPR_Attribute:
    return eval_expr(t, frame, target->Attribute.value, &object) &&
           op_delattr(t, object, target->Attribute.attr, target->span);
  case EXPR_Subscript:
    return eval_expr(t, frame, target->Subscript.value, &object) &&
           eval_expr(t, frame, target->Subscript.slice, &key) && op_delitem(t, object, key, target->span);
  case EXPR_Tuple:
  case EXPR_List:
    for (uint32_t i = 0; i < target->Tuple.elts.count; i++)
      if (!eval_delete(t, frame, target->Tuple.elts.items[i]))
        return false;
    return true;
  default: return RAISE(t, E_UNSUPPORTED, target->span, "cannot delete this");
  }
}

// Whether evaluating an expression once more changes nothing.
static bool is_quiet(const Expr *expr)
{
  switch ((ExprKind)expr->kind) {
  case EXPR_Name:
  case EXPR_Constant: return true;
  case EXPR_Attribute: return is_quiet(expr->Attribute.value);
  case EXPR_Subscript: return is_quiet(expr->Subscript.value) && is_quiet(expr->Subscript.slice);
  case EXPR_BinOp: return is_quiet(expr->BinOp.left) && is_quiet(expr->BinOp.right);
  case EXPR_UnaryOp: return is_quiet(expr->UnaryOp.operand);
  case EXPR_Tuple:
    for (uint32_t i = 0; i < expr->Tuple.elts.count; i++)
      if (!is_quiet(expr->Tuple.elts.items[i]))
        return false;
    return true;
  default: return false;
  }
}

static bool eval_assert(Tracer *t, Frame *frame, const Stmt *stmt)
{
  bool truth;
  Value tested;
  if (!eval_expr(t, frame, stmt->Assert.test, &tested))
    return false;
  if (tested.tag == VALUE_TENSOR) {  // an object, so true; its elements exist only when the kernel runs
    Diag *diag = warn_once(t, W_ASSERT_ELEMENTS, stmt->span, "an assertion about the elements of a tensor is not checked");
    if (diag->helps.count == 0)
      diag_help(diag, "return the tensor, or look at it with `nl.device_print(\"name\", tensor)`");
    return true;
  }
  if (!op_truth(t, tested, stmt->Assert.test->span, &truth))
    return false;
  if (truth)
    return true;
  Value message = value_undefined();
  StrBuf text = strbuf_new(&t->arena);
  if (stmt->Assert.msg) {
    if (!eval_expr(t, frame, stmt->Assert.msg, &message) || !op_str(t, message, stmt->span, &text))
      return false;
  }
  Diag *diag = text.len ? diag_error(t->session, E_ASSERT, "assertion failed: %s", strbuf_cstr(&text))
                        : diag_error(t->session, E_ASSERT, "assertion failed");
  // Both sides of a failed comparison are worth seeing.
  const Expr *test = stmt->Assert.test;
  const char *shown = "";
  if (test->kind == EXPR_Compare && test->Compare.ops.count == 1 && is_quiet(test->Compare.left)) {
    Value left, right;
    StrBuf sides = strbuf_new(&t->session->arena);
    const Expr *other = test->Compare.comparators.items[0];
    if (is_quiet(other) && eval_expr(t, frame, test->Compare.left, &left) &&
        eval_expr(t, frame, other, &right) && op_repr(t, left, test->span, &sides)) {
      strbuf_puts(&sides, " against ");
      if (op_repr(t, right, test->span, &sides) && sides.len < 200)
        shown = strbuf_cstr(&sides);
    }
    if (value_is_set(t->exception))
      catch_exception(t);
  }
  diag_primary(diag, test->span, "%s", shown);
  diag_call_stack(t, diag);
  t->exception = exception_new(t, exception_class(t, "AssertionError"), &message, value_is_set(message) ? 1 : 0);
  t->exception.instance->diag = diag;
  return false;
}

static bool apply_decorators(Tracer *t, Frame *frame, ExprList decorators, Value *value)
{
  Value *functions = stack_reserve(t, decorators.count, t->here);
  if (!functions)
    return false;
  bool ok = true;
  for (uint32_t i = 0; ok && i < decorators.count; i++)
    ok = eval_expr(t, frame, decorators.items[i], &functions[i]);
  for (uint32_t i = decorators.count; ok && i-- > 0;) {
    if (functions[i].tag == VALUE_OPAQUE)
      continue;  // a decorator of a library that is not there changes nothing we could see
    ok = call_simple(t, functions[i], value, 1, decorators.items[i]->span, value);
  }
  stack_release(t, functions);
  return ok;
}

static bool eval_function_def(Tracer *t, Frame *frame, const Stmt *stmt)
{
  const FunctionCode *code = stmt->cache;
  if (code->is_async)
    return RAISE(t, E_UNSUPPORTED, stmt->span, "'async' functions cannot be traced");
  Value function = function_new(t, frame, code, stmt->span, code->args);
  return value_is_set(function) && apply_decorators(t, frame, stmt->FunctionDef.decorator_list, &function) &&
         bind_name(t, frame, stmt->FunctionDef.name, function, stmt->span);
}

bool eval_class_def(Tracer *t, Frame *frame, const Stmt *stmt)
{
  const struct Stmt_ClassDef *def = &stmt->ClassDef;
  List bases = {0};
  if (!eval_items(t, frame, def->bases, &bases))
    return false;
  Vec(Class *) classes = {0};
  bool is_nki_object = false, is_enum = false;
  for (size_t i = 0; i < bases.count; i++) {
    if (bases.items[i].tag == VALUE_OPAQUE)
      continue;
    if (bases.items[i].tag != VALUE_CLASS)
      return RAISE(t, E_TYPE, def->bases.items[i < def->bases.count ? i : 0]->span,
                   "a base of a class is a class, not '%s'", value_type_name(t, bases.items[i]));
    is_nki_object |= (bases.items[i].class->flags & CLASS_NKI_OBJECT) != 0;
    is_enum |= (bases.items[i].class->flags & CLASS_ENUM) != 0;
    vec_push(&t->arena, &classes, bases.items[i].class);
  }
  if (t->in_kernel && !frame->module->embedded && !is_nki_object && !is_enum)
    warn_once(t, W_NOT_NKI_CLASS, stmt->span, "class `%s` does not inherit from NKIObject", def->name->str.data);
  const FunctionCode *code = stmt->cache;
  Value *slots = stack_reserve(t, code->slot_count, stmt->span);
  if (!slots || !check_stack(t, stmt->span))
    return false;
  AttrTable *names = arena_new(&t->arena, AttrTable);
  Frame body = {.caller = frame, .code = code, .module = frame->module, .names = names, .slots = slots,
                .call_span = stmt->span};
  for (uint32_t i = 0; i < code->free_count; i++)
    slots[code->frees[i].slot] = (Value){.tag = VALUE_CELL, .cell = cell_of(t, frame, code->frees[i].outer_slot)};
  t->frame = &body;
  t->depth++;
  attr_set(&t->arena, names, t->builtins->__qualname__, value_cstr(t, code->qualname));
  Completion how = eval_block(t, &body, &code->body);
  t->depth--;
  t->frame = frame;
  stack_release(t, slots);
  if (how == COMPLETION_ERROR)
    return false;
  Value class;
  if (!class_make(t, def->name, classes.items, (uint32_t)classes.count, names, frame->module, stmt->span, &class))
    return false;
  class.class->qualname = code->qualname;
  for (uint32_t i = 0; i < def->keywords.count; i++) {
    Value ignored;
    if (!eval_expr(t, frame, def->keywords.items[i]->value, &ignored))
      return false;
  }
  return apply_decorators(t, frame, def->decorator_list, &class) &&
         bind_name(t, frame, def->name, class, stmt->span);
}

static bool eval_assign_stmt(Tracer *t, Frame *frame, const Stmt *stmt)
{
  Value value;
  if (!eval_expr(t, frame, stmt->Assign.value, &value))
    return false;
  for (uint32_t i = 0; i < stmt->Assign.targets.count; i++) {
    const Expr *target = stmt->Assign.targets.items[i];
    if (target->kind == EXPR_Name && target->flags == NAME_LOCAL)
      frame->slots[NAME_INDEX(target)] = value;
    else if (!eval_assign(t, frame, target, value))
      return false;
  }
  return true;
}

static bool eval_ann_assign(Tracer *t, Frame *frame, const Stmt *stmt)
{
  const Expr *target = stmt->AnnAssign.target;
  if (frame->names && frame->code->kind == CODE_CLASS && target->kind == EXPR_Name) {
    // Fields of data classes: the annotation is kept as it was written.
    Value *notes = attr_find(frame->names, t->builtins->__annotations__);
    Value dict = notes ? *notes : value_dict(t);
    if (!notes)
      attr_set(&t->arena, frame->names, t->builtins->__annotations__, dict);
    Value annotation = value_int((int64_t)(uintptr_t)stmt->AnnAssign.annotation);
    if (!dict_set(t, dict.dict, value_name(t, target->Name.id), annotation))
      return false;
    attr_reserve(&t->arena, frame->names, target->Name.id);
  }
  Value value;
  return !stmt->AnnAssign.value ||
         (eval_expr(t, frame, stmt->AnnAssign.value, &value) && eval_assign(t, frame, target, value));
}

static Completion done(bool ok)
{
  return ok ? COMPLETION_NORMAL : COMPLETION_ERROR;
}

static Completion eval_stmt(Tracer *t, Frame *frame, const Stmt *stmt)
{
  Value value;
  switch ((StmtKind)stmt->kind) {
  case STMT_Expr:
    if (stmt->Expr.value->kind == EXPR_Constant)
      return COMPLETION_NORMAL;
    return done(eval_expr(t, frame, stmt->Expr.value, &value));
  case STMT_Assign: return done(eval_assign_stmt(t, frame, stmt));
  case STMT_AugAssign: return done(eval_aug_assign(t, frame, stmt));
  case STMT_AnnAssign: return done(eval_ann_assign(t, frame, stmt));
  case STMT_If: return eval_if(t, frame, stmt);
  case STMT_For: return eval_for(t, frame, stmt);
  case STMT_While: return eval_while(t, frame, stmt);
  case STMT_Return:
    frame->result = value_none();
    if (stmt->Return.value && !eval_expr(t, frame, stmt->Return.value, &frame->result))
      return COMPLETION_ERROR;
    return COMPLETION_RETURN;
  case STMT_Pass: return COMPLETION_NORMAL;
  case STMT_Break: return COMPLETION_BREAK;
  case STMT_Continue: return COMPLETION_CONTINUE;
  case STMT_Assert: return done(eval_assert(t, frame, stmt));
  case STMT_FunctionDef:
  case STMT_AsyncFunctionDef: return done(eval_function_def(t, frame, stmt));
  case STMT_ClassDef: return done(eval_class_def(t, frame, stmt));
  case STMT_Import:
  case STMT_ImportFrom: return done(eval_import(t, frame, stmt));
  case STMT_Global: warn_syntax(t, frame, stmt->span, "`global`"); return COMPLETION_NORMAL;
  case STMT_Nonlocal: warn_syntax(t, frame, stmt->span, "`nonlocal`"); return COMPLETION_NORMAL;
  case STMT_Delete:
    warn_syntax(t, frame, stmt->span, "`del`");
    for (uint32_t i = 0; i < stmt->Delete.targets.count; i++)
      if (!eval_delete(t, frame, stmt->Delete.targets.items[i]))
        return COMPLETION_ERROR;
    return COMPLETION_NORMAL;
  case STMT_Raise: warn_syntax(t, frame, stmt->span, "`raise`"); return done(eval_raise(t, frame, stmt));
  case STMT_Try: warn_syntax(t, frame, stmt->span, "`try`"); return eval_try(t, frame, stmt);
  case STMT_With: return eval_with(t, frame, stmt);
  case STMT_Match: warn_syntax(t, frame, stmt->span, "`match`"); return eval_match(t, frame, stmt);
  case STMT_TypeAlias: return COMPLETION_NORMAL;
  case STMT_AsyncFor:
  case STMT_AsyncWith:
  case STMT_TryStar: return done(RAISE(t, E_UNSUPPORTED, stmt->span, "this statement cannot be traced"));
  case STMT_Error: return done(RAISE(t, E_UNSUPPORTED, stmt->span, "this could not be parsed"));
  case STMT_KIND_COUNT: break;
  }
  return COMPLETION_NORMAL;
}

Completion eval_block(Tracer *t, Frame *frame, const StmtList *statements)
{
  for (uint32_t i = 0; i < statements->count; i++) {
    const Stmt *stmt = statements->items[i];
    t->here = stmt->span;
    t->steps++;
    Completion how = eval_stmt(t, frame, stmt);
    if (how != COMPLETION_NORMAL)
      return how;
  }
  return COMPLETION_NORMAL;
}
