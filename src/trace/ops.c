#include "trace/eval_internal.h"
#include "trace/methods.h"
#include "trace/number.h"

#include <math.h>
#include <string.h>

typedef struct OperatorNames {
  const char *symbol, *method, *reflected, *inplace;
} OperatorNames;

static const OperatorNames operators[] = {
  [OPERATOR_Add] = {"+", "__add__", "__radd__", "__iadd__"},
  [OPERATOR_Sub] = {"-", "__sub__", "__rsub__", "__isub__"},
  [OPERATOR_Mult] = {"*", "__mul__", "__rmul__", "__imul__"},
  [OPERATOR_MatMult] = {"@", "__matmul__", "__rmatmul__", "__imatmul__"},
  [OPERATOR_Div] = {"/", "__truediv__", "__rtruediv__", "__itruediv__"},
  [OPERATOR_Mod] = {"%", "__mod__", "__rmod__", "__imod__"},
  [OPERATOR_Pow] = {"** or pow()", "__pow__", "__rpow__", "__ipow__"},
  [OPERATOR_LShift] = {"<<", "__lshift__", "__rlshift__", "__ilshift__"},
  [OPERATOR_RShift] = {">>", "__rshift__", "__rrshift__", "__irshift__"},
  [OPERATOR_BitOr] = {"|", "__or__", "__ror__", "__ior__"},
  [OPERATOR_BitXor] = {"^", "__xor__", "__rxor__", "__ixor__"},
  [OPERATOR_BitAnd] = {"&", "__and__", "__rand__", "__iand__"},
  [OPERATOR_FloorDiv] = {"//", "__floordiv__", "__rfloordiv__", "__ifloordiv__"},
};

typedef struct CompareNames {
  const char *symbol, *method, *reflected;
} CompareNames;

static const CompareNames comparisons[] = {
  [CMP_OP_Eq] = {"==", "__eq__", "__eq__"},    [CMP_OP_NotEq] = {"!=", "__ne__", "__ne__"},
  [CMP_OP_Lt] = {"<", "__lt__", "__gt__"},     [CMP_OP_LtE] = {"<=", "__le__", "__ge__"},
  [CMP_OP_Gt] = {">", "__gt__", "__lt__"},     [CMP_OP_GtE] = {">=", "__ge__", "__le__"},
  [CMP_OP_Is] = {"is", NULL, NULL},            [CMP_OP_IsNot] = {"is not", NULL, NULL},
  [CMP_OP_In] = {"in", NULL, NULL},            [CMP_OP_NotIn] = {"not in", NULL, NULL},
};

static bool is_numeric(Value v)
{
  return v.tag >= VALUE_BOOL && v.tag <= VALUE_FLOAT;
}

// ---- arithmetic of built-in types

static bool numeric_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  if (left.tag != VALUE_FLOAT && right.tag != VALUE_FLOAT)
    return int_binary(t, op, left, right, span, out);
  double x = left.real, y = right.real;
  if (left.tag != VALUE_FLOAT && !int_to_double(t, left, span, &x))
    return false;
  if (right.tag != VALUE_FLOAT && !int_to_double(t, right, span, &y))
    return false;
  return float_binary(t, op, x, y, span, out);
}

static bool is_bit_operator(Operator op)
{
  return op == OPERATOR_LShift || op == OPERATOR_RShift || op == OPERATOR_BitAnd || op == OPERATOR_BitOr ||
         op == OPERATOR_BitXor;
}

static bool repeat(Tracer *t, Value sequence, Value times, Span span, Value *out)
{
  int64_t count;
  if (!value_as_int(times, &count))
    return RAISE(t, E_OVERFLOW, span, "cannot fit 'int' into an index-sized integer");
  if (count < 0)
    count = 0;
  size_t length = sequence.tag == VALUE_STR || sequence.tag == VALUE_BYTES ? sequence.string->text.len
                  : sequence.tag == VALUE_LIST                            ? sequence.list->count
                                                                          : sequence.tuple->count;
  if (length && (uint64_t)count > ((uint64_t)1 << 31) / length)
    return RAISE(t, E_OVERFLOW, span, "a sequence of %lld times %zu items is too long", (long long)count, length);
  size_t total = length * (size_t)count;
  if (sequence.tag == VALUE_STR || sequence.tag == VALUE_BYTES) {
    char *text = arena_alloc(&t->arena, total + 1);
    for (int64_t i = 0; length && i < count; i++)
      memcpy(text + (size_t)i * length, sequence.string->text.data, length);
    *out = sequence.tag == VALUE_STR ? value_str_own(t, (Str){text, total}) : value_bytes(t, (Str){text, total});
    return true;
  }
  Value result = sequence.tag == VALUE_LIST ? value_list(t, NULL, total) : value_tuple(t, NULL, total);
  Value *to = sequence.tag == VALUE_LIST ? result.list->items : result.tuple->items;
  const Value *from = sequence.tag == VALUE_LIST ? sequence.list->items : sequence.tuple->items;
  for (int64_t i = 0; length && i < count; i++)
    memcpy(to + (size_t)i * length, from, length * sizeof *to);
  *out = result;
  return true;
}

static bool is_sequence(Value v)
{
  return v.tag == VALUE_STR || v.tag == VALUE_BYTES || v.tag == VALUE_LIST || v.tag == VALUE_TUPLE;
}

static bool concatenate(Tracer *t, Value left, Value right, Value *out)
{
  if (left.tag == VALUE_STR || left.tag == VALUE_BYTES) {
    Str a = left.string->text, b = right.string->text;
    char *text = arena_alloc(&t->arena, a.len + b.len + 1);
    memcpy(text, a.data, a.len);
    memcpy(text + a.len, b.data, b.len);
    *out = left.tag == VALUE_STR ? value_str_own(t, (Str){text, a.len + b.len})
                                 : value_bytes(t, (Str){text, a.len + b.len});
    return true;
  }
  const Value *a, *b;
  size_t a_count, b_count;
  value_sequence(left, &a, &a_count);
  value_sequence(right, &b, &b_count);
  Value result = left.tag == VALUE_LIST ? value_list(t, NULL, a_count + b_count) : value_tuple(t, NULL, a_count + b_count);
  Value *to = left.tag == VALUE_LIST ? result.list->items : result.tuple->items;
  if (a_count)
    memcpy(to, a, a_count * sizeof *to);
  if (b_count)
    memcpy(to + a_count, b, b_count * sizeof *to);
  *out = result;
  return true;
}

static bool is_any_set(Value v)
{
  return v.tag == VALUE_SET || v.tag == VALUE_FROZENSET;
}

static Outcome set_binary(Tracer *t, Operator op, Value left, Value right, Value *out)
{
  if (op != OPERATOR_BitAnd && op != OPERATOR_BitOr && op != OPERATOR_Sub && op != OPERATOR_BitXor)
    return OUTCOME_MISSING;
  Value result = value_set(t, left.tag == VALUE_FROZENSET), ignored;
  for (uint32_t i = 0; i < left.dict->used; i++) {
    Value key = left.dict->entries[i].key;
    if (!value_is_set(key))
      continue;
    Outcome in_right = dict_get(t, right.dict, key, &ignored);
    if (in_right == OUTCOME_ERROR)
      return OUTCOME_ERROR;
    bool keep = op == OPERATOR_BitOr || (in_right == OUTCOME_OK) == (op == OPERATOR_BitAnd);
    if (keep && !dict_set(t, result.dict, key, value_none()))
      return OUTCOME_ERROR;
  }
  for (uint32_t i = 0; i < right.dict->used && (op == OPERATOR_BitOr || op == OPERATOR_BitXor); i++) {
    Value key = right.dict->entries[i].key;
    if (!value_is_set(key))
      continue;
    Outcome in_left = op == OPERATOR_BitOr ? OUTCOME_MISSING : dict_get(t, left.dict, key, &ignored);
    if (in_left == OUTCOME_ERROR || (in_left == OUTCOME_MISSING && !dict_set(t, result.dict, key, value_none())))
      return OUTCOME_ERROR;
  }
  *out = result;
  return OUTCOME_OK;
}

static bool dict_update(Tracer *t, Dict *to, const Dict *from)
{
  for (uint32_t i = 0; i < from->used; i++)
    if (value_is_set(from->entries[i].key) && !dict_set(t, to, from->entries[i].key, from->entries[i].value))
      return false;
  return true;
}

static Value view_as_set(Tracer *t, Value v)
{
  if (v.tag != VALUE_DICT_VIEW || v.view->kind == DICT_VALUES)
    return v;
  Value set = value_set(t, false);
  for (uint32_t i = 0; i < v.view->dict->used; i++) {
    const DictEntry *entry = &v.view->dict->entries[i];
    if (!value_is_set(entry->key))
      continue;
    Value pair[2] = {entry->key, entry->value};
    if (!dict_set(t, set.dict, v.view->kind == DICT_KEYS ? entry->key : value_tuple(t, pair, 2), value_none()))
      return v;
  }
  return set;
}


// Built-in types other than numbers; MISSING when they do not support the operator.
static Outcome builtin_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  if (op == OPERATOR_Add && is_sequence(left) && left.tag == right.tag)
    return concatenate(t, left, right, out) ? OUTCOME_OK : OUTCOME_ERROR;
  if (op == OPERATOR_Mult && is_sequence(left) && value_is_int(right))
    return repeat(t, left, right, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
  if (op == OPERATOR_Mult && is_sequence(right) && value_is_int(left))
    return repeat(t, right, left, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
  if (op == OPERATOR_Mod && left.tag == VALUE_STR)
    return text_percent(t, left.string->text, right, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
  if (left.tag == VALUE_DICT_VIEW || right.tag == VALUE_DICT_VIEW) {
    left = view_as_set(t, left);
    right = view_as_set(t, right);
  }
  if (is_any_set(left) && is_any_set(right))
    return set_binary(t, op, left, right, out);
  if (op == OPERATOR_BitOr && left.tag == VALUE_DICT && right.tag == VALUE_DICT) {
    Value result = value_dict(t);
    bool ok = dict_update(t, result.dict, left.dict) && dict_update(t, result.dict, right.dict);
    *out = result;
    return ok ? OUTCOME_OK : OUTCOME_ERROR;
  }
  if (op == OPERATOR_BitOr && (left.tag == VALUE_CLASS || right.tag == VALUE_CLASS)) {
    // `int | None`: a union of types, which isinstance takes as a tuple.
    Value pair[2] = {left, right};
    *out = value_tuple(t, pair, 2);
    return OUTCOME_OK;
  }
  return OUTCOME_MISSING;
}

static bool binary_type_error(Tracer *t, Operator op, const char *suffix, Value left, Value right, Span span)
{
  if (left.tag == VALUE_OPAQUE || right.tag == VALUE_OPAQUE)
    return raise_opaque(t, left.tag == VALUE_OPAQUE ? left : right, span, "computed with");
  const char *a = value_type_name(t, left), *b = value_type_name(t, right);
  if (op == OPERATOR_Add && is_sequence(left) && left.tag != VALUE_BYTES)
    return RAISE(t, E_TYPE, span, "can only concatenate %s (not \"%s\") to %s", a, b, a);
  if (op == OPERATOR_Mult && (is_sequence(left) || is_sequence(right)))
    return RAISE(t, E_TYPE, span, "can't multiply sequence by non-int of type '%s'", is_sequence(left) ? b : a);
  return RAISE(t, E_TYPE, span, "unsupported operand type(s) for %s%s: '%s' and '%s'",
               op == OPERATOR_Pow && *suffix ? "**" : operators[op].symbol, suffix, a, b);
}

static Outcome user_binary(Tracer *t, const char *method, const char *reflected, Value left, Value right, Span span,
                           Value *out)
{
  bool right_first = left.tag == VALUE_INSTANCE && right.tag == VALUE_INSTANCE &&
                     left.instance->class != right.instance->class &&
                     class_is_subclass(right.instance->class, left.instance->class);
  for (int step = 0; step < 2; step++) {
    bool use_left = (step == 0) != right_first;
    Value self = use_left ? left : right, other = use_left ? right : left;
    if (self.tag != VALUE_INSTANCE)
      continue;
    if (!use_left && left.tag == VALUE_INSTANCE && left.instance->class == right.instance->class && method != reflected)
      continue;
    Outcome outcome = call_special(t, self, tracer_name(t, use_left ? method : reflected), &other, 1, span, out);
    if (outcome == OUTCOME_ERROR || (outcome == OUTCOME_OK && out->tag != VALUE_NOT_IMPLEMENTED))
      return outcome;
  }
  return OUTCOME_MISSING;
}

static Outcome native_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  for (int step = 0; step < 2; step++) {
    Value self = step == 0 ? left : right;
    if (!value_is_native(self) || !self.object->type->binary)
      continue;
    Outcome outcome = self.object->type->binary(t, op, left, right, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
  }
  return OUTCOME_MISSING;
}

static Outcome enum_flag_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  Value flag = left.tag == VALUE_INSTANCE ? left : right;
  if (flag.tag != VALUE_INSTANCE || !(flag.instance->class->flags & CLASS_FLAG) || !is_bit_operator(op))
    return OUTCOME_MISSING;
  Value *a = left.tag == VALUE_INSTANCE ? attr_find(&left.instance->attrs, t->builtins->_value_) : &left;
  Value *b = right.tag == VALUE_INSTANCE ? attr_find(&right.instance->attrs, t->builtins->_value_) : &right;
  Value bits;
  if (!a || !b || !value_is_int(*a) || !value_is_int(*b))
    return OUTCOME_MISSING;
  if (!int_binary(t, op, *a, *b, span, &bits) || !enum_lookup(t, flag.instance->class, bits, span, out))
    return OUTCOME_ERROR;
  return OUTCOME_OK;
}

static Outcome try_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  if (value_is_native(left) || value_is_native(right)) {
    Outcome outcome = native_binary(t, op, left, right, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
  }
  if (left.tag == VALUE_INSTANCE || right.tag == VALUE_INSTANCE) {
    Outcome outcome = user_binary(t, operators[op].method, operators[op].reflected, left, right, span, out);
    if (outcome == OUTCOME_MISSING)
      outcome = enum_flag_binary(t, op, left, right, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
    left = value_unwrap(left);
    right = value_unwrap(right);
  }
  if (is_numeric(left) && is_numeric(right)) {
    if ((left.tag == VALUE_FLOAT || right.tag == VALUE_FLOAT) && (is_bit_operator(op) || op == OPERATOR_MatMult))
      return OUTCOME_MISSING;
    if (op == OPERATOR_MatMult)
      return OUTCOME_MISSING;
    return numeric_binary(t, op, left, right, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
  }
  return builtin_binary(t, op, left, right, span, out);
}

bool op_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  Outcome outcome = try_binary(t, op, left, right, span, out);
  if (outcome == OUTCOME_MISSING)
    return binary_type_error(t, op, "", left, right, span);
  return outcome == OUTCOME_OK;
}

bool op_inplace(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  if (left.tag == VALUE_LIST && op == OPERATOR_Add) {
    List added = {0};
    if (!op_collect(t, right, span, &added))
      return false;
    for (size_t i = 0; i < added.count; i++)
      list_push(t, left.list, added.items[i]);
    *out = left;
    return true;
  }
  if (left.tag == VALUE_LIST && op == OPERATOR_Mult && value_is_int(right)) {
    Value repeated;
    if (!repeat(t, left, right, span, &repeated))
      return false;
    *left.list = *repeated.list;
    *out = left;
    return true;
  }
  if (left.tag == VALUE_DICT && op == OPERATOR_BitOr && right.tag == VALUE_DICT) {
    *out = left;
    return dict_update(t, left.dict, right.dict);
  }
  if (left.tag == VALUE_SET && is_any_set(right) &&
      (op == OPERATOR_BitOr || op == OPERATOR_BitAnd || op == OPERATOR_Sub || op == OPERATOR_BitXor)) {
    Value result;
    if (set_binary(t, op, left, right, &result) != OUTCOME_OK)
      return false;
    *left.dict = *result.dict;
    *out = left;
    return true;
  }
  if (left.tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, left, tracer_name(t, operators[op].inplace), &right, 1, span, out);
    if (outcome == OUTCOME_ERROR || (outcome == OUTCOME_OK && out->tag != VALUE_NOT_IMPLEMENTED))
      return outcome == OUTCOME_OK;
  }
  Outcome outcome = try_binary(t, op, left, right, span, out);
  if (outcome == OUTCOME_MISSING)
    return binary_type_error(t, op, "=", left, right, span);
  return outcome == OUTCOME_OK;
}

bool op_unary(Tracer *t, UnaryOp op, Value operand, Span span, Value *out)
{
  static const char *const names[] = {"__invert__", NULL, "__pos__", "__neg__"};
  static const char *const symbols[] = {"~", "not", "+", "-"};
  if (op == UNARY_OP_Not) {
    bool truth;
    if (!op_truth(t, operand, span, &truth))
      return false;
    *out = value_bool(!truth);
    return true;
  }
  if (value_is_native(operand) && operand.object->type->unary) {
    Outcome outcome = operand.object->type->unary(t, op, operand, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  if (operand.tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, operand, tracer_name(t, names[op]), NULL, 0, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  Value v = value_unwrap(operand);
  if (value_is_int(v)) {
    *out = op == UNARY_OP_USub     ? int_negate(t, v)
           : op == UNARY_OP_Invert ? int_invert(t, v)
           : v.tag == VALUE_BOOL   ? value_int(v.integer)
                                   : v;
    return true;
  }
  if (v.tag == VALUE_FLOAT && op != UNARY_OP_Invert) {
    *out = value_float(op == UNARY_OP_USub ? -v.real : v.real);
    return true;
  }
  if (operand.tag == VALUE_OPAQUE)
    return raise_opaque(t, operand, span, "computed with");
  return RAISE(t, E_TYPE, span, "bad operand type for unary %s: '%s'", symbols[op], value_type_name(t, operand));
}

// ---- comparison

bool op_is(Value left, Value right)
{
  if (left.tag != right.tag)
    return false;
  switch ((ValueTag)left.tag) {
  case VALUE_NONE:
  case VALUE_ELLIPSIS:
  case VALUE_NOT_IMPLEMENTED:
  case VALUE_UNDEFINED: return true;
  case VALUE_BOOL:
  case VALUE_INT: return left.integer == right.integer;
  case VALUE_FLOAT: return memcmp(&left.real, &right.real, sizeof left.real) == 0;
  case VALUE_STR: return left.pointer == right.pointer || str_equal(left.string->text, right.string->text);
  case VALUE_TUPLE: return left.pointer == right.pointer || (left.tuple->count == 0 && right.tuple->count == 0);
  case VALUE_METHOD: return left.pointer == right.pointer;
  case VALUE_BUILTIN:
    return left.pointer == right.pointer || (left.builtin->function == right.builtin->function &&
                                             left.builtin->self.pointer == right.builtin->self.pointer);
  default: return left.pointer == right.pointer;
  }
}

static bool numbers_equal(Value a, Value b)
{
  if (a.tag != VALUE_FLOAT && b.tag != VALUE_FLOAT)
    return int_compare(a, b) == 0;
  if (a.tag == VALUE_FLOAT && b.tag == VALUE_FLOAT)
    return a.real == b.real;
  double d = a.tag == VALUE_FLOAT ? a.real : b.real;
  return !isnan(d) && int_compare_double(a.tag == VALUE_FLOAT ? b : a, d) == 0;
}

static bool number_order(CmpOp op, Value a, Value b)
{
  int order;
  if (a.tag != VALUE_FLOAT && b.tag != VALUE_FLOAT) {
    order = int_compare(a, b);
  } else if (a.tag == VALUE_FLOAT && b.tag == VALUE_FLOAT) {
    if (isnan(a.real) || isnan(b.real))
      return false;
    order = (a.real > b.real) - (a.real < b.real);
  } else {
    double d = a.tag == VALUE_FLOAT ? a.real : b.real;
    if (isnan(d))
      return false;
    order = a.tag == VALUE_FLOAT ? -int_compare_double(b, d) : int_compare_double(a, d);
  }
  switch (op) {
  case CMP_OP_Lt: return order < 0;
  case CMP_OP_LtE: return order <= 0;
  case CMP_OP_Gt: return order > 0;
  default: return order >= 0;
  }
}

static bool sequences_equal(Tracer *t, const Value *a, size_t a_count, const Value *b, size_t b_count, Span span, bool *out)
{
  *out = a_count == b_count;
  for (size_t i = 0; *out && i < a_count; i++)
    if (!op_is(a[i], b[i]) && !op_equal(t, a[i], b[i], span, out))
      return false;
  return true;
}

static bool dicts_equal(Tracer *t, const Dict *a, const Dict *b, bool values, Span span, bool *out)
{
  *out = a->count == b->count;
  for (uint32_t i = 0; *out && i < a->used; i++) {
    Value other;
    if (!value_is_set(a->entries[i].key))
      continue;
    Outcome found = dict_get(t, b, a->entries[i].key, &other);
    if (found == OUTCOME_ERROR)
      return false;
    *out = found == OUTCOME_OK;
    if (*out && values && !op_is(a->entries[i].value, other) &&
        !op_equal(t, a->entries[i].value, other, span, out))
      return false;
  }
  return true;
}

static bool plain_equal(Tracer *t, Value a, Value b, Span span, bool *out)
{
  if (is_numeric(a) && is_numeric(b)) {
    *out = numbers_equal(a, b);
    return true;
  }
  if (a.tag == VALUE_DICT_VIEW || b.tag == VALUE_DICT_VIEW) {
    a = view_as_set(t, a);
    b = view_as_set(t, b);
  }
  if (is_any_set(a) && is_any_set(b))
    return dicts_equal(t, a.dict, b.dict, false, span, out);
  *out = false;
  if (a.tag != b.tag)
    return true;
  if (!check_stack(t, span))
    return false;
  switch ((ValueTag)a.tag) {
  case VALUE_STR:
  case VALUE_BYTES: *out = str_equal(a.string->text, b.string->text); return true;
  case VALUE_TUPLE:
    return sequences_equal(t, a.tuple->items, a.tuple->count, b.tuple->items, b.tuple->count, span, out);
  case VALUE_LIST: return sequences_equal(t, a.list->items, a.list->count, b.list->items, b.list->count, span, out);
  case VALUE_DICT: return dicts_equal(t, a.dict, b.dict, true, span, out);
  case VALUE_RANGE: {
    const Range *x = a.pointer, *y = b.pointer;
    *out = x->length == y->length && (x->length == 0 || (x->start == y->start && (x->length == 1 || x->step == y->step)));
    return true;
  }
  case VALUE_SLICE: {
    const Slice *x = a.pointer, *y = b.pointer;
    const Value xs[] = {x->start, x->stop, x->step}, ys[] = {y->start, y->stop, y->step};
    return sequences_equal(t, xs, 3, ys, 3, span, out);
  }
  case VALUE_METHOD:
    *out = op_is(a.method->function, b.method->function) && op_is(a.method->self, b.method->self);
    return true;
  default: *out = op_is(a, b); return true;
  }
}

// Whether two instances of one class compare field by field; their fields do.
static bool fields_equal(Tracer *t, Value a, Value b, Span span, bool *out)
{
  Class *class = a.instance->class;
  for (size_t i = 0; i < class->fields.count; i++) {
    const ClassField *field = &class->fields.items[i];
    if (!field->compare)
      continue;
    Value *x = attr_find(&a.instance->attrs, field->name), *y = attr_find(&b.instance->attrs, field->name);
    if (!x || !y) {
      *out = x == y;
    } else if (!op_is(*x, *y)) {
      if (!op_equal(t, *x, *y, span, out))
        return false;
    } else {
      *out = true;
    }
    if (!*out)
      return true;
  }
  *out = true;
  return true;
}

static bool compares_fields(Value a, Value b)
{
  if (a.tag != VALUE_INSTANCE || b.tag != VALUE_INSTANCE || a.instance->class != b.instance->class)
    return false;
  uint32_t flags = a.instance->class->flags;
  return (flags & (CLASS_DATACLASS | CLASS_NKI_OBJECT)) && !(flags & (CLASS_NO_EQ | CLASS_ENUM));
}

static bool fields_less(Tracer *t, CmpOp op, Value a, Value b, Span span, Value *out)
{
  Class *class = a.instance->class;
  List xs = {0}, ys = {0};
  for (size_t i = 0; i < class->fields.count; i++) {
    if (!class->fields.items[i].compare)
      continue;
    Value *x = attr_find(&a.instance->attrs, class->fields.items[i].name);
    Value *y = attr_find(&b.instance->attrs, class->fields.items[i].name);
    list_push(t, &xs, x ? *x : value_none());
    list_push(t, &ys, y ? *y : value_none());
  }
  return op_compare(t, op, value_tuple(t, xs.items, xs.count), value_tuple(t, ys.items, ys.count), span, out);
}

static Outcome native_compare(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  for (int step = 0; step < 2; step++) {
    Value self = step == 0 ? left : right;
    if (!value_is_native(self) || !self.object->type->compare)
      continue;
    Outcome outcome = self.object->type->compare(t, op, left, right, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
  }
  return OUTCOME_MISSING;
}

bool op_equal(Tracer *t, Value left, Value right, Span span, bool *out)
{
  if (left.tag == VALUE_INT && right.tag == VALUE_INT) {
    *out = left.integer == right.integer;
    return true;
  }
  Value result;
  return op_compare(t, CMP_OP_Eq, left, right, span, &result) && op_truth(t, result, span, out);
}

bool op_less(Tracer *t, Value left, Value right, Span span, bool *out)
{
  Value result;
  return op_compare(t, CMP_OP_Lt, left, right, span, &result) && op_truth(t, result, span, out);
}

static Outcome order_sequences(Tracer *t, CmpOp op, const Value *a, size_t a_count, const Value *b, size_t b_count,
                               Span span, Value *out)
{
  size_t i = 0;
  bool equal = true;
  for (; i < a_count && i < b_count; i++) {
    equal = op_is(a[i], b[i]);
    if (!equal && !op_equal(t, a[i], b[i], span, &equal))
      return OUTCOME_ERROR;
    if (!equal)
      break;
  }
  if (equal || i >= a_count || i >= b_count) {
    *out = value_bool(number_order(op, value_int((int64_t)a_count), value_int((int64_t)b_count)));
    return OUTCOME_OK;
  }
  return op_compare(t, op, a[i], b[i], span, out) ? OUTCOME_OK : OUTCOME_ERROR;
}

static Outcome order_sets(Tracer *t, CmpOp op, Value a, Value b, Value *out)
{
  if (op == CMP_OP_Gt || op == CMP_OP_GtE) {
    Value swap = a;
    a = b;
    b = swap;
  }
  bool strict = op == CMP_OP_Lt || op == CMP_OP_Gt, inside = true;
  for (uint32_t i = 0; inside && i < a.dict->used; i++) {
    Value ignored;
    if (!value_is_set(a.dict->entries[i].key))
      continue;
    Outcome found = dict_get(t, b.dict, a.dict->entries[i].key, &ignored);
    if (found == OUTCOME_ERROR)
      return found;
    inside = found == OUTCOME_OK;
  }
  *out = value_bool(inside && (!strict || a.dict->count < b.dict->count));
  return OUTCOME_OK;
}

static Outcome order(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  Value a = value_unwrap(left), b = value_unwrap(right);
  if (is_numeric(a) && is_numeric(b)) {
    *out = value_bool(number_order(op, a, b));
    return OUTCOME_OK;
  }
  if (is_any_set(a) && is_any_set(b))
    return order_sets(t, op, a, b, out);
  if (a.tag != b.tag)
    return OUTCOME_MISSING;
  if (a.tag == VALUE_STR || a.tag == VALUE_BYTES) {
    int compared = str_compare(a.string->text, b.string->text);
    *out = value_bool(number_order(op, value_int(compared), value_int(0)));
    return OUTCOME_OK;
  }
  if (a.tag == VALUE_TUPLE || a.tag == VALUE_LIST) {
    const Value *xs, *ys;
    size_t x_count, y_count;
    value_sequence(a, &xs, &x_count);
    value_sequence(b, &ys, &y_count);
    if (!check_stack(t, span))
      return OUTCOME_ERROR;
    return order_sequences(t, op, xs, x_count, ys, y_count, span, out);
  }
  return OUTCOME_MISSING;
}

static bool compare_equal(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  bool equal;
  if (left.tag == VALUE_INSTANCE || right.tag == VALUE_INSTANCE) {
    const char *method = comparisons[op].method;
    Outcome outcome = user_binary(t, method, method, left, right, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
    if (op == CMP_OP_NotEq) {
      outcome = user_binary(t, "__eq__", "__eq__", left, right, span, out);
      if (outcome == OUTCOME_ERROR)
        return false;
      if (outcome == OUTCOME_OK) {
        if (!op_truth(t, *out, span, &equal))
          return false;
        *out = value_bool(!equal);
        return true;
      }
    }
    if (op_is(left, right))
      equal = true;
    else if (compares_fields(left, right)) {
      if (!check_stack(t, span) || !fields_equal(t, left, right, span, &equal))
        return false;
    } else {
      Value a = value_unwrap(left), b = value_unwrap(right);
      if (a.tag == VALUE_INSTANCE || b.tag == VALUE_INSTANCE)
        equal = op_is(a, b);
      else if (!plain_equal(t, a, b, span, &equal))
        return false;
    }
  } else if (!plain_equal(t, left, right, span, &equal)) {
    return false;
  }
  *out = value_bool(equal == (op == CMP_OP_Eq));
  return true;
}

bool op_compare(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out)
{
  switch (op) {
  case CMP_OP_Is: *out = value_bool(op_is(left, right)); return true;
  case CMP_OP_IsNot: *out = value_bool(!op_is(left, right)); return true;
  case CMP_OP_In:
  case CMP_OP_NotIn: {
    bool inside;
    if (!op_contains(t, right, left, span, &inside))
      return false;
    *out = value_bool(inside == (op == CMP_OP_In));
    return true;
  }
  default: break;
  }
  if (value_is_native(left) || value_is_native(right)) {
    Outcome outcome = native_compare(t, op, left, right, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  if (op == CMP_OP_Eq || op == CMP_OP_NotEq)
    return compare_equal(t, op, left, right, span, out);
  Outcome outcome = OUTCOME_MISSING;
  if (left.tag == VALUE_INSTANCE || right.tag == VALUE_INSTANCE) {
    outcome = user_binary(t, comparisons[op].method, comparisons[op].reflected, left, right, span, out);
    if (outcome == OUTCOME_MISSING && compares_fields(left, right) && (left.instance->class->flags & CLASS_ORDER))
      return fields_less(t, op, left, right, span, out);
  }
  if (outcome == OUTCOME_MISSING)
    outcome = order(t, op, left, right, span, out);
  if (outcome != OUTCOME_MISSING)
    return outcome == OUTCOME_OK;
  if (left.tag == VALUE_OPAQUE || right.tag == VALUE_OPAQUE)
    return raise_opaque(t, left.tag == VALUE_OPAQUE ? left : right, span, "compared");
  return RAISE(t, E_TYPE, span, "'%s' not supported between instances of '%s' and '%s'", comparisons[op].symbol,
               value_type_name(t, left), value_type_name(t, right));
}

static bool text_contains(Str text, Str part)
{
  if (part.len == 0)
    return true;
  for (size_t i = 0; i + part.len <= text.len; i++)
    if (memcmp(text.data + i, part.data, part.len) == 0)
      return true;
  return false;
}

static bool contains_by_iterating(Tracer *t, Value container, Value item, Span span, bool *out)
{
  Value iterator, each;
  if (!op_iterate(t, container, span, &iterator)) {
    return false;
  }
  for (*out = false; !*out;) {
    bool done = false;
    if (!op_next(t, iterator, span, &each, &done))
      return false;
    if (done)
      return true;
    *out = op_is(each, item);
    if (!*out && !op_equal(t, each, item, span, out))
      return false;
  }
  return true;
}

bool op_contains(Tracer *t, Value container, Value item, Span span, bool *out)
{
  if (container.tag == VALUE_INSTANCE) {
    Value result;
    Outcome outcome = call_special(t, container, t->builtins->__contains__, &item, 1, span, &result);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK && op_truth(t, result, span, out);
    Value *bits = attr_find(&container.instance->attrs, t->builtins->_value_);
    if ((container.instance->class->flags & CLASS_FLAG) && bits && item.tag == VALUE_INSTANCE &&
        item.instance->class == container.instance->class) {
      Value *part = attr_find(&item.instance->attrs, t->builtins->_value_);
      Value both;
      return part && int_binary(t, OPERATOR_BitAnd, *bits, *part, span, &both) &&
             (*out = int_compare(both, *part) == 0, true);
    }
    container = value_unwrap(container);
  }
  switch ((ValueTag)container.tag) {
  case VALUE_STR: {
    Value part = value_unwrap(item);
    if (part.tag != VALUE_STR)
      return RAISE(t, E_TYPE, span, "'in <string>' requires string as left operand, not %s", value_type_name(t, item));
    *out = text_contains(container.string->text, part.string->text);
    return true;
  }
  case VALUE_DICT:
  case VALUE_SET:
  case VALUE_FROZENSET: {
    Value ignored;
    Outcome found = dict_get(t, container.dict, item, &ignored);
    *out = found == OUTCOME_OK;
    return found != OUTCOME_ERROR;
  }
  case VALUE_RANGE: {
    const Range *range = container.pointer;
    Value v = value_unwrap(item);
    if (v.tag == VALUE_FLOAT && v.real == floor(v.real) && fabs(v.real) < 9e15)
      v = value_int((int64_t)v.real);
    if (v.tag != VALUE_INT && v.tag != VALUE_BOOL) {
      *out = false;
      return true;
    }
    int64_t at = v.integer;
    bool inside = range->step > 0 ? at >= range->start && at < range->stop : at <= range->start && at > range->stop;
    *out = inside && (at - range->start) % range->step == 0;
    return true;
  }
  case VALUE_OPAQUE: return raise_opaque(t, container, span, "searched");
  case VALUE_CLASS:
    if (container.class->flags & CLASS_ENUM) {
      *out = item.tag == VALUE_INSTANCE && item.instance->class == container.class;
      return true;
    }
    break;
  case VALUE_INT:
  case VALUE_FLOAT:
  case VALUE_BOOL:
  case VALUE_NONE:
  case VALUE_FUNCTION:
  case VALUE_INSTANCE: {
    if (container.tag == VALUE_INSTANCE && (instance_special(container, t->builtins->__iter__) ||
                                            instance_special(container, t->builtins->__getitem__)))
      break;
    return RAISE(t, E_TYPE, span, "argument of type '%s' is not iterable", value_type_name(t, container));
  }
  default: break;
  }
  return contains_by_iterating(t, container, item, span, out);
}

// ---- truth, hash, length

bool op_truth(Tracer *t, Value value, Span span, bool *out)
{
  switch ((ValueTag)value.tag) {
  case VALUE_BOOL: *out = value.boolean; return true;
  case VALUE_INT: *out = value.integer != 0; return true;
  case VALUE_NONE: *out = false; return true;
  case VALUE_FLOAT: *out = value.real != 0; return true;
  case VALUE_STR:
  case VALUE_BYTES: *out = value.string->text.len != 0; return true;
  case VALUE_TUPLE: *out = value.tuple->count != 0; return true;
  case VALUE_LIST: *out = value.list->count != 0; return true;
  case VALUE_DICT:
  case VALUE_SET:
  case VALUE_FROZENSET: *out = value.dict->count != 0; return true;
  case VALUE_DICT_VIEW: *out = value.view->dict->count != 0; return true;
  case VALUE_RANGE: *out = ((const Range *)value.pointer)->length != 0; return true;
  case VALUE_OPAQUE: return raise_opaque(t, value, span, "used as a condition");
  case VALUE_INSTANCE: {
    Value result;
    int64_t length;
    Outcome outcome = call_special(t, value, t->builtins->__bool__, NULL, 0, span, &result);
    if (outcome != OUTCOME_MISSING) {
      if (outcome == OUTCOME_OK && result.tag != VALUE_BOOL)
        return RAISE(t, E_TYPE, span, "__bool__ should return bool, returned %s", value_type_name(t, result));
      *out = outcome == OUTCOME_OK && result.boolean;
      return outcome == OUTCOME_OK;
    }
    if (instance_special(value, t->builtins->__len__)) {
      if (!op_length(t, value, span, &length))
        return false;
      *out = length != 0;
      return true;
    }
    Value held = value_unwrap(value);
    if (held.tag != VALUE_INSTANCE && !(value.instance->class->flags & CLASS_ENUM && held.tag == VALUE_STR))
      return op_truth(t, held, span, out);
    if (value.instance->class->flags & CLASS_FLAG) {
      Value *bits = attr_find(&value.instance->attrs, t->builtins->_value_);
      *out = !bits || int_sign(*bits) != 0;
      return true;
    }
    *out = true;
    return true;
  }
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (value.object->type->truth) {
      Outcome outcome = value.object->type->truth(t, value, span, out);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    }
    if (value.object->type->runtime_truth)
      return RAISE(t, E_RUNTIME_VALUE, span, "the truth of '%s' is known only on the device", value.object->type->name);
    *out = true;
    return true;
  default: *out = true; return true;
  }
}

// As CPython's: numbers are hashed by their residue modulo 2^61 - 1, so that equal numbers of different types agree.
#define HASH_MODULUS ((((uint64_t)1 << 61)) - 1)

static uint64_t hash_signed(uint64_t residue, bool negative)
{
  uint64_t hash = negative ? 0 - residue : residue;
  return hash == UINT64_MAX ? UINT64_MAX - 1 : hash;
}

static uint64_t hash_int(int64_t i)
{
  uint64_t magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
  return hash_signed(magnitude % HASH_MODULUS, i < 0);
}

static uint64_t hash_double(double d)
{
  if (isinf(d))
    return d > 0 ? 314159 : (uint64_t)-314159;
  if (isnan(d))
    return 0x5EED;
  int exponent;
  double m = frexp(fabs(d), &exponent);
  uint64_t x = 0;
  while (m != 0) {
    x = ((x << 28) & HASH_MODULUS) | x >> (61 - 28);
    m *= 268435456.0;
    exponent -= 28;
    uint64_t y = (uint64_t)m;
    m -= (double)y;
    x += y;
    if (x >= HASH_MODULUS)
      x -= HASH_MODULUS;
  }
  exponent = exponent >= 0 ? exponent % 61 : 61 - 1 - (-1 - exponent) % 61;
  x = exponent ? ((x << exponent) & HASH_MODULUS) | x >> (61 - exponent) : x;
  return hash_signed(x, d < 0);
}

static uint64_t hash_number(Value v)
{
  if (v.tag == VALUE_FLOAT)
    return hash_double(v.real);
  if (v.tag != VALUE_BIG_INT)
    return hash_int(v.integer);
  IntView view;
  int_view(v, &view);
  uint64_t residue = mpz_tdiv_ui(view.z, HASH_MODULUS);
  return hash_signed(residue, v.big->size < 0);
}

static bool hash_items(Tracer *t, const Value *items, size_t count, Span span, uint64_t *out)
{
  uint64_t hash = 0x345678 + count;
  for (size_t i = 0; i < count; i++) {
    uint64_t each;
    if (!op_hash(t, items[i], span, &each))
      return false;
    hash = (hash ^ each) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  *out = hash;
  return true;
}

static bool unhashable(Tracer *t, Value value, Span span)
{
  return RAISE(t, E_TYPE, span, "unhashable type: '%s'", value_type_name(t, value));
}

static bool hash_instance(Tracer *t, Value value, Span span, uint64_t *out)
{
  Value result;
  Class *class = value.instance->class;
  Value *special = class_find(class, t->builtins->__hash__);
  if (special && special->tag == VALUE_NONE)
    return unhashable(t, value, span);
  if (special && special->tag == VALUE_FUNCTION) {
    if (!call_simple(t, *special, &value, 1, span, &result))
      return false;
    int64_t number;
    *out = value_as_int(result, &number) ? hash_int(number) : 0;
    return true;
  }
  if (class->flags & CLASS_ENUM) {
    Value held = value_unwrap(value);
    if (held.tag != VALUE_INSTANCE)
      return op_hash(t, held, span, out);
    *out = (uint64_t)(uintptr_t)value.pointer >> 4;
    return true;
  }
  if ((class->flags & CLASS_DATACLASS) && !(class->flags & CLASS_NO_EQ)) {
    if (!(class->flags & CLASS_FROZEN))
      return unhashable(t, value, span);
    List fields = {0};
    for (size_t i = 0; i < class->fields.count; i++) {
      Value *field = attr_find(&value.instance->attrs, class->fields.items[i].name);
      if (class->fields.items[i].compare)
        list_push(t, &fields, field ? *field : value_none());
    }
    return hash_items(t, fields.items, fields.count, span, out);
  }
  Value *equal = class_find(class, t->builtins->__eq__);
  if (equal && equal->tag == VALUE_FUNCTION)
    return unhashable(t, value, span);
  Value held = value_unwrap(value);
  if (held.tag != VALUE_INSTANCE)
    return op_hash(t, held, span, out);
  *out = (uint64_t)(uintptr_t)value.pointer >> 4;
  return true;
}

bool op_hash(Tracer *t, Value value, Span span, uint64_t *out)
{
  switch ((ValueTag)value.tag) {
  case VALUE_BOOL:
  case VALUE_INT: *out = hash_int(value.integer); return true;
  case VALUE_BIG_INT:
  case VALUE_FLOAT: *out = hash_number(value); return true;
  case VALUE_STR:
  case VALUE_BYTES:
    if (!value.string->hash)
      value.string->hash = str_hash(value.string->text) | 1;
    *out = value.string->hash;
    return true;
  case VALUE_NONE:
  case VALUE_ELLIPSIS:
  case VALUE_NOT_IMPLEMENTED: *out = 0x5EED + value.tag; return true;
  case VALUE_TUPLE: return hash_items(t, value.tuple->items, value.tuple->count, span, out);
  case VALUE_LIST:
  case VALUE_DICT:
  case VALUE_SET:
  case VALUE_SLICE: return unhashable(t, value, span);
  case VALUE_FROZENSET: {
    uint64_t hash = value.dict->count;
    for (uint32_t i = 0; i < value.dict->used; i++)
      if (value_is_set(value.dict->entries[i].key))
        hash += value.dict->entries[i].hash * 0x9E3779B97F4A7C15u;
    *out = hash;
    return true;
  }
  case VALUE_RANGE: {
    const Range *range = value.pointer;
    Value parts[3] = {value_int(range->length), value_int(range->length ? range->start : 0),
                      value_int(range->length > 1 ? range->step : 0)};
    return hash_items(t, parts, 3, span, out);
  }
  case VALUE_METHOD: *out = (uint64_t)(uintptr_t)value.method->self.pointer ^ (uint64_t)(uintptr_t)value.method->function.pointer; return true;
  case VALUE_INSTANCE: return hash_instance(t, value, span, out);
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (value.object->type->hash) {
      Outcome outcome = value.object->type->hash(t, value, out);
      return outcome == OUTCOME_OK || (outcome == OUTCOME_MISSING && unhashable(t, value, span));
    }
    break;
  default: break;
  }
  *out = (uint64_t)(uintptr_t)value.pointer >> 4;
  return true;
}

bool op_length(Tracer *t, Value value, Span span, int64_t *out)
{
  if (value.tag == VALUE_INSTANCE) {
    Value result;
    Outcome outcome = call_special(t, value, t->builtins->__len__, NULL, 0, span, &result);
    if (outcome == OUTCOME_ERROR)
      return false;
    if (outcome == OUTCOME_OK) {
      if (!value_as_int(result, out))
        return RAISE(t, E_TYPE, span, "'%s' object cannot be interpreted as an integer", value_type_name(t, result));
      return *out >= 0 || RAISE(t, E_VALUE, span, "__len__() should return >= 0");
    }
    value = value_unwrap(value);
  }
  switch ((ValueTag)value.tag) {
  case VALUE_STR:
  case VALUE_BYTES: *out = (int64_t)value.string->code_points; return true;
  case VALUE_TUPLE: *out = (int64_t)value.tuple->count; return true;
  case VALUE_LIST: *out = (int64_t)value.list->count; return true;
  case VALUE_DICT:
  case VALUE_SET:
  case VALUE_FROZENSET: *out = value.dict->count; return true;
  case VALUE_DICT_VIEW: *out = value.view->dict->count; return true;
  case VALUE_RANGE: *out = ((const Range *)value.pointer)->length; return true;
  case VALUE_CLASS:
    if (value.class->flags & CLASS_ENUM) {
      *out = (int64_t)value.class->members.count;
      return true;
    }
    break;
  case VALUE_OPAQUE: return raise_opaque(t, value, span, "measured");
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (value.object->type->length) {
      Outcome outcome = value.object->type->length(t, value, span, out);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    }
    break;
  default: break;
  }
  return RAISE(t, E_TYPE, span, "object of type '%s' has no len()", value_type_name(t, value));
}

bool op_index(Tracer *t, Value value, Span span, int64_t *out)
{
  if (value_as_int(value, out))
    return true;
  if (value_unwrap(value).tag == VALUE_BIG_INT)
    return RAISE(t, E_INDEX, span, "cannot fit 'int' into an index-sized integer");
  if (value.tag == VALUE_INSTANCE) {
    Value result;
    Outcome outcome = call_special(t, value, t->builtins->__index__, NULL, 0, span, &result);
    if (outcome == OUTCOME_ERROR)
      return false;
    if (outcome == OUTCOME_OK && value_as_int(result, out))
      return true;
  }
  if (value.tag == VALUE_OPAQUE)
    return raise_opaque(t, value, span, "used as an index");
  return RAISE(t, E_TYPE, span, "'%s' object cannot be interpreted as an integer", value_type_name(t, value));
}
