// class_kinds.c -- making instances; enumerations, data classes, named tuples.

#include "trace/class_kinds.h"
#include "trace/eval_internal.h"
#include "trace/number.h"

#include <string.h>

// ---- calling a class

static bool call_init(Tracer *t, Value init, Value self, const Call *call)
{
  Method method = {init, self};
  Value callee = {.tag = VALUE_METHOD, .method = &method}, result;
  if (!call_value(t, callee, call, &result))
    return false;
  if (result.tag != VALUE_NONE)
    return RAISE(t, E_TYPE, call->span, "__init__() should return None, not '%s'", value_type_name(t, result));
  return true;
}

static bool is_user_function(const Value *value)
{
  return value && (value->tag == VALUE_FUNCTION || value_is_native(*value));
}

// What an instance of a subclass of int, str, list, ... wraps, made from the arguments of the call.
static bool make_held(Tracer *t, Class *class, const Call *call, bool own_init, Value *out)
{
  Class *base = class;
  for (uint32_t i = 0; i < class->mro_count; i++)
    if (class->mro[i]->construct) {
      base = class->mro[i];
      break;
    }
  bool is_mutable = class->holds == VALUE_LIST || class->holds == VALUE_DICT || class->holds == VALUE_SET;
  Call inner = *call;
  if (own_init && is_mutable)
    inner.positional = inner.keyword_count = 0;
  return call_value(t, value_class(base), &inner, out);
}

static bool no_arguments(Tracer *t, const Class *class, const Call *call)
{
  if (call->positional || call->keyword_count)
    return RAISE(t, E_ARGUMENTS, call->span, "%s() takes no arguments", class->name->str.data);
  return true;
}

static Class *dataclass_of(Class *class)
{
  for (uint32_t i = 0; i < class->mro_count; i++)
    if ((class->mro[i]->flags & CLASS_DATACLASS) && !class->mro[i]->no_init)
      return class->mro[i];
  return NULL;
}

// The initialiser found first in the mro: a user's __init__ or a generated one.
static bool initialise(Tracer *t, Class *class, Value self, const Call *call)
{
  for (uint32_t i = 0; i < class->mro_count; i++) {
    Class *at = class->mro[i];
    Value *init = attr_find(&at->attrs, t->builtins->__init__);
    if (init && init->tag == VALUE_FUNCTION)
      return call_init(t, *init, self, call);
    bool generated = ((at->flags & CLASS_DATACLASS) && !at->no_init) ||
                     ((at->flags & CLASS_NKI_OBJECT) && at->module && !(at->flags & CLASS_ENUM));
    if (generated) {
      self.instance->class = at;  // its fields are the ones to fill
      bool ok = dataclass_init(t, at, self, call);
      self.instance->class = class;
      return ok;
    }
  }
  if (class->flags & CLASS_EXCEPTION || class->holds != VALUE_UNDEFINED)
    return true;
  return no_arguments(t, class, call);
}

static bool allocate(Tracer *t, Class *class, const Call *call, Value *out)
{
  Builtins *b = t->builtins;
  Value *init = class_find(class, b->__init__);
  *out = (class->flags & CLASS_EXCEPTION) ? exception_new(t, class, call->args, call->positional)
                                          : instance_new(t, class);
  if (class->flags & CLASS_NAMED_TUPLE)
    return named_tuple_init(t, class, *out, call);
  if (class->holds != VALUE_UNDEFINED && !(class->flags & CLASS_EXCEPTION)) {
    bool own_init = is_user_function(init) || dataclass_of(class);
    return make_held(t, class, call, own_init, &out->instance->held);
  }
  return true;
}

bool class_call(Tracer *t, Class *class, const Call *call, Value *out)
{
  Builtins *b = t->builtins;
  if (class->construct) {
    Call inner = *call;
    inner.self = value_class(class);
    if (!class->construct_signature)
      return class->construct(t, &inner, out);
    Value bound[32];
    if (!native_bind(t, class->name->str.data, class->construct_signature, call, bound))
      return false;
    inner.args = bound;
    inner.positional = class->construct_signature->count;
    inner.keyword_count = 0;
    return class->construct(t, &inner, out);
  }
  if (class->native)
    return RAISE(t, E_TYPE, call->span, "cannot create '%s' instances", class->name->str.data);
  if (class->flags & CLASS_ENUM) {
    if (call->positional < 1)
      return RAISE(t, E_ARGUMENTS, call->span, "EnumType.__call__() missing 1 required positional argument: 'value'");
    return enum_lookup(t, class, call->args[0], call->span, out);
  }
  Value *make = class_find(class, b->__new__);
  if (is_user_function(make)) {
    Value function = make->tag == VALUE_FUNCTION ? *make : ((Descriptor *)make->object)->get;
    Method method = {function, value_class(class)};
    Value callee = {.tag = VALUE_METHOD, .method = &method};
    if (!call_value(t, callee, call, out))
      return false;
    if (out->tag != VALUE_INSTANCE || !class_is_subclass(out->instance->class, class))
      return true;
    Value *init = class_find(class, b->__init__);
    return !is_user_function(init) || initialise(t, class, *out, call);
  }
  return allocate(t, class, call, out) && ((class->flags & CLASS_NAMED_TUPLE) || initialise(t, class, *out, call));
}

// object.__new__(cls, ...)
bool object_allocate(Tracer *t, Class *class, const Call *call, Value *out)
{
  return allocate(t, class, call, out);
}

// ---- enumerations

static bool is_dunder(Str name)
{
  return name.len > 4 && str_starts_with(name, "__") && str_ends_with(name, "__");
}

static bool is_member_value(Tracer *t, const Name *name, Value value)
{
  if (is_dunder(name->str) || name == t->builtins->_ignore_ || !value_is_set(value))
    return false;
  if (name == t->builtins->_missing_ || name == t->builtins->_generate_next_value_)
    return false;
  if (value.tag == VALUE_FUNCTION || value.tag == VALUE_METHOD)
    return false;
  if (value_is_native(value) && (value.object->type == &property_type || value.object->type == &staticmethod_type ||
                                 value.object->type == &classmethod_type))
    return false;
  return !str_starts_with(name->str, "_") || !str_ends_with(name->str, "_");
}

static bool auto_value(Tracer *t, Class *class, const Name *name, Span span, Value *out)
{
  if (class_is_subclass(class, t->builtins->class_StrEnum)) {
    Value text = value_name(t, name);
    return call_method(t, text, "lower", NULL, 0, span, out) == OUTCOME_OK;
  }
  Value *hook = class_find(class, t->builtins->_generate_next_value_);
  if (hook) {
    Value last = value_list(t, NULL, 0);
    for (size_t i = 0; i < class->members.count; i++)
      list_push(t, last.list, *attr_find(&class->members.items[i].instance->attrs, t->builtins->_value_));
    Value function = value_is_native(*hook) ? ((Descriptor *)hook->object)->get : *hook;
    Value args[4] = {value_name(t, name), value_int(1), value_int((int64_t)class->members.count), last};
    return call_simple(t, function, args, 4, span, out);
  }
  Value highest = value_int(0);
  bool any = false;
  for (uint32_t i = 0; i < class->attrs.count; i++) {
    if (!value_is_instance(t, class->attrs.items[i].value, class))
      continue;
    Value value = *attr_find(&class->attrs.items[i].value.instance->attrs, t->builtins->_value_);
    if (!value_is_int(value))
      continue;
    if (!any || int_compare(value, highest) > 0)
      highest = value;
    any = true;
  }
  if (class->flags & CLASS_FLAG) {
    *out = value_int(any ? (int64_t)1 << int_bit_length(highest) : 1);
    return true;
  }
  return int_binary(t, OPERATOR_Add, highest, value_int(1), span, out);
}

static Value enum_member(Tracer *t, Class *class, const char *name, Value value)
{
  Value member = instance_new(t, class);
  Builtins *b = t->builtins;
  AttrTable *attrs = &member.instance->attrs;
  Value text = name ? value_cstr(t, name) : value_none();
  attr_set(&t->arena, attrs, b->_name_, text);
  attr_set(&t->arena, attrs, b->_value_, value);
  attr_set(&t->arena, attrs, b->name, text);
  attr_set(&t->arena, attrs, b->value, value);
  return member;
}

static bool find_by_value(Tracer *t, Class *class, Value value, Span span, Value *out)
{
  out->tag = VALUE_UNDEFINED;
  for (size_t i = 0; i < class->members.count; i++) {
    bool equal;
    Value *content = attr_find(&class->members.items[i].instance->attrs, t->builtins->_value_);
    if (!op_equal(t, *content, value, span, &equal))
      return false;
    if (equal) {
      *out = class->members.items[i];
      return true;
    }
  }
  return true;
}

static bool add_member(Tracer *t, Class *class, const Name *name, Value value, Span span)
{
  if (value_is_native(value) && value.object->type == &auto_type && !auto_value(t, class, name, span, &value))
    return false;
  Value existing;
  if (!find_by_value(t, class, value, span, &existing))
    return false;
  if (value_is_set(existing)) {
    attr_set(&t->arena, &class->attrs, name, existing);
    return true;
  }
  Value member = enum_member(t, class, name->str.data, value);
  Value *init = class_find(class, t->builtins->__init__);
  const Value *args = &value;
  uint32_t count = 1;
  if (value.tag == VALUE_TUPLE) {
    args = value.tuple->items;
    count = (uint32_t)value.tuple->count;
  }
  Call call = {.args = args, .positional = count, .span = span};
  if (class->holds != VALUE_UNDEFINED) {
    Class *base = NULL;
    for (uint32_t i = 0; i < class->mro_count && !base; i++)
      if (class->mro[i]->construct)
        base = class->mro[i];
    if (base && !class_call(t, base, &call, &member.instance->held))
      return false;
    if (base && value.tag != VALUE_TUPLE) {
      attr_set(&t->arena, &member.instance->attrs, t->builtins->_value_, member.instance->held);
      attr_set(&t->arena, &member.instance->attrs, t->builtins->value, member.instance->held);
    }
  }
  if (init && init->tag == VALUE_FUNCTION && !call_init(t, *init, member, &call))
    return false;
  attr_set(&t->arena, &class->attrs, name, member);
  vec_push(&t->arena, &class->members, member);
  return true;
}

bool enum_finish(Tracer *t, Class *class, AttrTable *names, Span span)
{
  for (uint32_t i = 0; i < names->count; i++)
    if (value_is_set(names->items[i].value) && !is_member_value(t, names->items[i].name, names->items[i].value))
      attr_set(&t->arena, &class->attrs, names->items[i].name, names->items[i].value);
  for (uint32_t i = 0; i < class->attrs.count; i++)
    if (class->attrs.items[i].value.tag == VALUE_FUNCTION)
      class->attrs.items[i].value.function->owner = class;
  for (uint32_t i = 0; i < names->count; i++)
    if (is_member_value(t, names->items[i].name, names->items[i].value) &&
        !add_member(t, class, names->items[i].name, names->items[i].value, span))
      return false;
  return true;
}

static bool flag_of_bits(Tracer *t, Class *class, Value bits, Value *out)
{
  int64_t left;
  if (!value_as_int(bits, &left))
    return false;
  int64_t all = 0;
  StrBuf name = strbuf_new(&t->arena);
  for (size_t i = 0; i < class->members.count; i++) {
    int64_t each;
    if (value_as_int(*attr_find(&class->members.items[i].instance->attrs, t->builtins->_value_), &each))
      all |= each;
  }
  if (left < 0)
    left = all & left;
  if (left & ~all)
    return false;
  for (size_t i = 0; i < class->members.count; i++) {
    Instance *member = class->members.items[i].instance;
    int64_t each;
    if (!value_as_int(*attr_find(&member->attrs, t->builtins->_value_), &each) || !each || (left & each) != each)
      continue;
    strbuf_printf(&name, "%s%s", name.len ? "|" : "", attr_find(&member->attrs, t->builtins->_name_)->string->text.data);
  }
  Value existing;
  if (find_by_value(t, class, value_int(left), (Span){0}, &existing) && value_is_set(existing)) {
    *out = existing;
    return true;
  }
  *out = enum_member(t, class, name.len ? strbuf_cstr(&name) : NULL, value_int(left));
  if (class->holds != VALUE_UNDEFINED)
    out->instance->held = value_int(left);
  for (size_t i = 0; i < class->combinations.count; i++)
    if (attr_find(&class->combinations.items[i].instance->attrs, t->builtins->_value_)->integer == left) {
      *out = class->combinations.items[i];
      return true;
    }
  vec_push(&t->arena, &class->combinations, *out);
  return true;
}

bool enum_lookup(Tracer *t, Class *class, Value value, Span span, Value *out)
{
  if (value.tag == VALUE_INSTANCE && value.instance->class == class) {
    *out = value;
    return true;
  }
  if (!find_by_value(t, class, value, span, out))
    return false;
  if (value_is_set(*out))
    return true;
  if ((class->flags & CLASS_FLAG) && value_is_int(value) && flag_of_bits(t, class, value, out))
    return true;
  Value *hook = class_find(class, t->builtins->_missing_);
  if (hook) {
    Value function = value_is_native(*hook) ? ((Descriptor *)hook->object)->get : *hook;
    Value args[2] = {value_class(class), value};
    if (!call_simple(t, function, args, 2, span, out))
      return false;
    if (out->tag == VALUE_INSTANCE)
      return true;
  }
  StrBuf text = strbuf_new(&t->arena);
  if (!op_repr(t, value, span, &text))
    return false;
  return RAISE(t, E_VALUE, span, "%s is not a valid %s", strbuf_cstr(&text), class->qualname);
}

// ---- fields of data classes and NKI objects

static bool names_class_var(Tracer *t, Value annotation, const char *wanted)
{
  (void)t;
  const Expr *expr = (const Expr *)(uintptr_t)annotation.integer;
  if (expr->kind == EXPR_Subscript)
    expr = expr->Subscript.value;
  if (expr->kind == EXPR_Constant && expr->Constant.value.kind == CONSTANT_STR)
    return str_starts_with(expr->Constant.value.text, wanted);
  const Name *name = expr->kind == EXPR_Name ? expr->Name.id : expr->kind == EXPR_Attribute ? expr->Attribute.attr : NULL;
  return name && str_is(name->str, wanted);
}

static ClassField *field_named(Class *class, const Name *name)
{
  for (size_t i = 0; i < class->fields.count; i++)
    if (class->fields.items[i].name == name)
      return &class->fields.items[i];
  return NULL;
}

static void add_field(Tracer *t, Class *class, ClassField field)
{
  ClassField *known = field_named(class, field.name);
  if (known)
    *known = field;
  else
    vec_push(&t->arena, &class->fields, field);
}

// Whether a name in the body of an NKI object's class is one of its fields.
static bool is_nki_field(const Name *name, Value value)
{
  if (is_dunder(name->str) || value.tag == VALUE_FUNCTION || value.tag == VALUE_CLASS || value.tag == VALUE_METHOD)
    return false;
  return !value_is_native(value) || (value.object->type != &property_type && value.object->type != &staticmethod_type &&
                                     value.object->type != &classmethod_type);
}

static bool own_fields(Tracer *t, Class *class, bool keyword_only, Span span)
{
  Value *notes = attr_find(&class->attrs, t->builtins->__annotations__);
  bool nki = (class->flags & CLASS_NKI_OBJECT) != 0;
  bool is_dataclass = (class->flags & CLASS_DATACLASS) != 0;
  for (uint32_t i = 0; i < class->attrs.count; i++) {
    const Name *name = class->attrs.items[i].name;
    Value value = class->attrs.items[i].value, annotation = value_undefined();
    if (notes && dict_get(t, notes->dict, value_name(t, name), &annotation) == OUTCOME_ERROR)
      return false;
    if (!value_is_set(annotation) && !(nki && value_is_set(value) && is_nki_field(name, value)))
      continue;
    if (value_is_set(annotation)) {
      if (names_class_var(t, annotation, "ClassVar"))
        continue;
      if (names_class_var(t, annotation, "KW_ONLY")) {
        keyword_only = true;
        continue;
      }
    }
    ClassField field = {.name = name, .value = value, .factory = value_undefined(), .init = true, .repr = true,
                        .compare = true, .keyword_only = keyword_only};
    field.init_var = value_is_set(annotation) && names_class_var(t, annotation, "InitVar");
    if (value_is_native(value) && value.object->type == &field_type) {
      const FieldObject *object = (const FieldObject *)value.object;
      field = object->field;
      field.name = name;
      field.keyword_only |= keyword_only;
      class->attrs.items[i].value = field.value;
    } else if (is_dataclass && !nki &&
               (value.tag == VALUE_LIST || value.tag == VALUE_DICT || value.tag == VALUE_SET)) {
      return RAISE(t, E_VALUE, span, "mutable default <class '%s'> for field %s is not allowed: use default_factory",
                   value_type_name(t, value), name->str.data);
    }
    if (nki && !value_is_set(field.value) && !value_is_set(field.factory))
      field.value = value_none();
    add_field(t, class, field);
  }
  return true;
}

static bool collect_fields(Tracer *t, Class *class, bool keyword_only, Span span)
{
  class->fields.items = NULL;
  class->fields.count = class->fields.capacity = 0;
  for (uint32_t i = class->mro_count; i-- > 1;) {
    Class *base = class->mro[i];
    if (!(base->flags & (CLASS_DATACLASS | CLASS_NKI_OBJECT)))
      continue;
    for (size_t k = 0; k < base->fields.count; k++)
      add_field(t, class, base->fields.items[k]);
  }
  if (!own_fields(t, class, keyword_only, span))
    return false;
  bool seen_default = false;
  for (size_t i = 0; i < class->fields.count; i++) {
    const ClassField *field = &class->fields.items[i];
    if (field->keyword_only || !field->init)
      continue;
    bool has_default = value_is_set(field->value) || value_is_set(field->factory);
    if (seen_default && !has_default)
      return RAISE(t, E_TYPE, span, "non-default argument '%s' follows default argument", field->name->str.data);
    seen_default |= has_default;
  }
  return true;
}

bool dataclass_fields(Tracer *t, Class *class, Span span)
{
  return collect_fields(t, class, false, span);
}

bool dataclass_decorate(Tracer *t, Class *class, uint32_t flags, bool init, bool repr, bool keyword_only, Span span)
{
  class->flags |= CLASS_DATACLASS | flags;
  if ((class->flags & CLASS_NO_EQ) && !(flags & CLASS_NO_EQ))
    class->flags &= ~(uint32_t)CLASS_NO_EQ;
  Value *own = attr_find(&class->attrs, t->builtins->__init__);
  class->no_init = !init && !own;
  class->no_repr = !repr;
  return collect_fields(t, class, keyword_only, span);
}

static bool bind_fields(Tracer *t, Class *class, const Call *call, Value *values)
{
  uint32_t positional = 0;
  for (size_t i = 0; i < class->fields.count; i++) {
    values[i] = value_undefined();
    if (class->fields.items[i].keyword_only || !class->fields.items[i].init)
      continue;
    if (positional < call->positional)
      values[i] = call->args[positional];
    positional++;
  }
  if (call->positional > positional) {
    uint32_t least = 1;
    for (size_t i = 0; i < class->fields.count; i++) {
      const ClassField *field = &class->fields.items[i];
      least += field->init && !field->keyword_only && !value_is_set(field->value) && !value_is_set(field->factory);
    }
    if (least == positional + 1)
      return RAISE(t, E_ARGUMENTS, call->span, "%s.__init__() takes %u positional argument%s but %u were given",
                   class->qualname, least, least == 1 ? "" : "s", call->positional + 1);
    return RAISE(t, E_ARGUMENTS, call->span, "%s.__init__() takes from %u to %u positional arguments but %u were given",
                 class->qualname, least, positional + 1, call->positional + 1);
  }
  for (uint32_t k = 0; k < call->keyword_count; k++) {
    size_t i = 0;
    while (i < class->fields.count && (class->fields.items[i].name != call->keywords[k] || !class->fields.items[i].init))
      i++;
    if (i == class->fields.count) {
      Diag *diag = raise_error(t, E_ARGUMENTS, call->span, "%s.__init__() got an unexpected keyword argument '%s'",
                               class->qualname, call->keywords[k]->str.data);
      Vec(const char *) names = {0};
      for (size_t f = 0; f < class->fields.count; f++)
        vec_push(&t->arena, &names, class->fields.items[f].name->str.data);
      diag_suggest(diag, call->keywords[k]->str, names.items, names.count);
      return false;
    }
    if (value_is_set(values[i]))
      return RAISE(t, E_ARGUMENTS, call->span, "%s.__init__() got multiple values for argument '%s'", class->qualname,
                   call->keywords[k]->str.data);
    values[i] = call->args[call->positional + k];
  }
  return true;
}

static bool missing_fields(Tracer *t, Class *class, const Value *values, Span span)
{
  StrBuf names = strbuf_new(&t->arena);
  uint32_t count = 0, shown = 0;
  for (size_t i = 0; i < class->fields.count; i++)
    count += !value_is_set(values[i]) && class->fields.items[i].init;
  for (size_t i = 0; i < class->fields.count; i++) {
    if (value_is_set(values[i]) || !class->fields.items[i].init)
      continue;
    strbuf_printf(&names, "%s'%s'", shown == 0 ? "" : shown + 1 < count ? ", " : count == 2 ? " and " : ", and ",
                  class->fields.items[i].name->str.data);
    shown++;
  }
  return RAISE(t, E_ARGUMENTS, span, "%s.__init__() missing %u required positional argument%s: %s", class->qualname,
               count, count == 1 ? "" : "s", strbuf_cstr(&names));
}

bool dataclass_init(Tracer *t, Class *class, Value self, const Call *call)
{
  size_t count = class->fields.count;
  Value *values = stack_reserve(t, count, call->span);
  if (!values || !bind_fields(t, class, call, values))
    return false;
  bool missing = false;
  List init_vars = {0};
  for (size_t i = 0; i < count; i++) {
    const ClassField *field = &class->fields.items[i];
    if (!value_is_set(values[i]) && value_is_set(field->value))
      values[i] = field->value;
    if (!value_is_set(values[i]) && value_is_set(field->factory) &&
        !call_simple(t, field->factory, NULL, 0, call->span, &values[i]))
      return false;
    missing |= !value_is_set(values[i]) && field->init;
  }
  if (missing)
    return missing_fields(t, class, values, call->span);
  for (size_t i = 0; i < count; i++) {
    if (class->fields.items[i].init_var)
      list_push(t, &init_vars, values[i]);
    else if (value_is_set(values[i]))
      attr_set(&t->arena, &self.instance->attrs, class->fields.items[i].name, values[i]);
  }
  stack_release(t, values);
  Value ignored, *hook = class_find(class, t->builtins->__post_init__);
  if (!hook)
    return true;
  return call_special(t, self, t->builtins->__post_init__, init_vars.items, (uint32_t)init_vars.count, call->span,
                      &ignored) != OUTCOME_ERROR;
}

bool dataclass_repr(Tracer *t, Value self, Span span, StrBuf *out)
{
  Class *class = self.instance->class;
  strbuf_printf(out, "%s(", class->qualname);
  bool first = true;
  for (size_t i = 0; i < class->fields.count; i++) {
    const ClassField *field = &class->fields.items[i];
    if (!field->repr || field->init_var)
      continue;
    Value value;
    if (!op_getattr(t, self, field->name, span, &value))
      return false;
    strbuf_printf(out, "%s%s=", first ? "" : ", ", field->name->str.data);
    first = false;
    if (!op_repr(t, value, span, out))
      return false;
  }
  strbuf_putc(out, ')');
  return true;
}

// ---- named tuples

static Outcome field_get(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  (void)t, (void)self, (void)name, (void)span, (void)out;
  return OUTCOME_MISSING;
}

const NativeType field_type = {.name = "Field", .getattr = field_get};
const NativeType auto_type = {.name = "auto"};

static bool tuple_field(Tracer *t, const Call *call, Value *out)
{
  // A property whose function knows its index: the name of the builtin is the field's.
  const Class *class = call->args[0].instance->class;
  for (size_t i = 0; i < class->fields.count; i++)
    if (strcmp(class->fields.items[i].name->str.data, call->self.string->text.data) == 0)
      *out = call->args[0].instance->held.tuple->items[i];
  (void)t;
  return true;
}

static void add_tuple_properties(Tracer *t, Class *class)
{
  Value names = value_tuple(t, NULL, class->fields.count);
  for (size_t i = 0; i < class->fields.count; i++) {
    const Name *name = class->fields.items[i].name;
    Descriptor *property = arena_new(&t->arena, Descriptor);
    property->head.type = &property_type;
    property->get = value_builtin(t, name->str.data, tuple_field, NULL, value_name(t, name));
    property->set = property->remove = value_undefined();
    attr_set(&t->arena, &class->attrs, name, value_object(VALUE_OBJECT, &property->head));
    names.tuple->items[i] = value_name(t, name);
  }
  attr_set(&t->arena, &class->attrs, t->builtins->_fields, names);
  class->has_properties = true;
}

bool named_tuple_finish(Tracer *t, Class *class, Span span)
{
  if (!collect_fields(t, class, false, span))
    return false;
  Value *notes = attr_find(&class->attrs, t->builtins->__annotations__);
  for (uint32_t i = 0; notes && i < class->attrs.count; i++) {
    Value annotation = value_undefined();
    const Name *name = class->attrs.items[i].name;
    if (dict_get(t, notes->dict, value_name(t, name), &annotation) == OUTCOME_OK && !field_named(class, name))
      add_field(t, class, (ClassField){.name = name, .value = class->attrs.items[i].value,
                                       .factory = value_undefined(), .init = true, .repr = true, .compare = true});
  }
  add_tuple_properties(t, class);
  return true;
}

bool named_tuple_make(Tracer *t, const char *name, const Name *const *names, size_t count, const Value *defaults,
                      size_t default_count, Span span, Value *out)
{
  Class **bases = arena_new(&t->arena, Class *);
  bases[0] = t->builtins->class_NamedTuple;
  AttrTable attrs = {0};
  ModuleObject *module = t->frame ? t->frame->module : NULL;
  if (!class_make(t, tracer_name(t, name), bases, 1, &attrs, module, span, out))
    return false;
  for (size_t i = 0; i < count; i++)
    add_field(t, out->class, (ClassField){.name = names[i],
                                          .value = i + default_count >= count ? defaults[i + default_count - count]
                                                                              : value_undefined(),
                                          .factory = value_undefined(), .init = true, .repr = true, .compare = true});
  add_tuple_properties(t, out->class);
  return true;
}

bool named_tuple_init(Tracer *t, Class *class, Value self, const Call *call)
{
  Class *owner = class;
  for (uint32_t i = 0; i < class->mro_count; i++)
    if (class->mro[i]->fields.count) {
      owner = class->mro[i];
      break;
    }
  class->fields = owner->fields;
  Value tuple = value_tuple(t, NULL, owner->fields.count);
  Value *values = tuple.tuple->items;
  const char *qualname = class->qualname;
  if (!bind_fields(t, owner, call, values))
    return false;
  class->qualname = qualname;
  StrBuf names = strbuf_new(&t->arena);
  uint32_t missing = 0;
  for (size_t i = 0; i < owner->fields.count; i++) {
    if (!value_is_set(values[i]))
      values[i] = owner->fields.items[i].value;
    if (!value_is_set(values[i]))
      strbuf_printf(&names, "%s'%s'", missing++ ? " and " : "", owner->fields.items[i].name->str.data);
  }
  if (missing)
    return RAISE(t, E_ARGUMENTS, call->span, "%s.__new__() missing %u required positional argument%s: %s",
                 class->name->str.data, missing, missing == 1 ? "" : "s", strbuf_cstr(&names));
  self.instance->held = tuple;
  return true;
}
