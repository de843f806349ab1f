// object.c -- classes, instances and attributes.

#include "trace/eval_internal.h"
#include "trace/number.h"

#include <stdio.h>
#include <string.h>

// ---- classes

Class *class_new(Tracer *t, const char *name, uint32_t flags)
{
  Class *class = arena_new(&t->arena, Class);
  class->name = tracer_name(t, name);
  class->qualname = class->name->str.data;
  class->flags = flags;
  return class;
}

bool class_is_subclass(const Class *class, const Class *base)
{
  for (uint32_t i = 0; i < class->mro_count; i++)
    if (class->mro[i] == base)
      return true;
  return class == base;
}

Value *class_find(const Class *class, const Name *name)
{
  for (uint32_t i = 0; i < class->mro_count; i++) {
    Value *found = attr_find(&class->mro[i]->attrs, name);
    if (found)
      return found;
  }
  return NULL;
}

typedef struct ClassList {
  Class **items;
  uint32_t count, at;
} ClassList;

static bool in_tail(const ClassList *lists, uint32_t count, const Class *class)
{
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t k = lists[i].at + 1; k < lists[i].count; k++)
      if (lists[i].items[k] == class)
        return true;
  return false;
}

// The order in which bases are searched: C3 linearisation.
bool class_mro(Tracer *t, Class *class, Span span)
{
  uint32_t list_count = class->base_count + 1, total = 1;
  ClassList *lists = arena_array(&t->arena, ClassList, list_count);
  for (uint32_t i = 0; i < class->base_count; i++) {
    lists[i] = (ClassList){class->bases[i]->mro, class->bases[i]->mro_count, 0};
    total += class->bases[i]->mro_count;
  }
  lists[class->base_count] = (ClassList){class->bases, class->base_count, 0};
  class->mro = arena_array(&t->arena, Class *, total + class->base_count);
  class->mro[class->mro_count++] = class;
  for (;;) {
    Class *next = NULL;
    bool left = false;
    for (uint32_t i = 0; i < list_count && !next; i++) {
      if (lists[i].at == lists[i].count)
        continue;
      left = true;
      Class *candidate = lists[i].items[lists[i].at];
      if (!in_tail(lists, list_count, candidate))
        next = candidate;
    }
    if (!left)
      return true;
    if (!next)
      return RAISE(t, E_TYPE, span, "Cannot create a consistent method resolution order (MRO) for bases of '%s'",
                   class->name->str.data);
    class->mro[class->mro_count++] = next;
    for (uint32_t i = 0; i < list_count; i++)
      if (lists[i].at < lists[i].count && lists[i].items[lists[i].at] == next)
        lists[i].at++;
  }
}

bool class_add_methods(Tracer *t, Class *class, const NativeMethod *methods)
{
  for (; methods->name; methods++) {
    Value method = value_builtin(t, methods->name, methods->function, methods->signature, value_undefined());
    method.builtin->is_method = true;
    method.builtin->owner = class;
    attr_set(&t->arena, &class->attrs, tracer_name(t, methods->name), method);
  }
  return true;
}

static void inherit(Class *class, const Class *base, const Builtins *b)
{
  const uint32_t inherited = CLASS_EXCEPTION | CLASS_ENUM | CLASS_NKI_OBJECT | CLASS_FLAG | CLASS_NAMED_TUPLE;
  class->flags |= base->flags & inherited;
  if (base->holds != VALUE_UNDEFINED && class->holds == VALUE_UNDEFINED && base != b->class_object)
    class->holds = base->holds;
}

static void adopt_functions(Class *class)
{
  for (uint32_t i = 0; i < class->attrs.count; i++) {
    Value value = class->attrs.items[i].value;
    if (value_is_native(value) && (value.object->type == &staticmethod_type || value.object->type == &classmethod_type))
      value = ((Descriptor *)value.object)->get;
    Value parts[3] = {value, value_undefined(), value_undefined()};
    if (value_is_native(value) && value.object->type == &property_type) {
      const Descriptor *property = (const Descriptor *)value.object;
      parts[0] = property->get, parts[1] = property->set, parts[2] = property->remove;
    }
    for (int k = 0; k < 3; k++)
      if (parts[k].tag == VALUE_FUNCTION && !parts[k].function->owner)
        parts[k].function->owner = class;
  }
}

bool class_make(Tracer *t, const Name *name, Class **bases, uint32_t base_count, AttrTable *names, ModuleObject *module,
                Span span, Value *out)
{
  Class *class = class_new(t, name->str.data, 0);
  Builtins *b = t->builtins;
  class->name = name;
  class->module = module;
  class->span = span;
  if (base_count == 0) {
    bases = arena_new(&t->arena, Class *);
    bases[0] = b->class_object;
    base_count = 1;
  }
  class->bases = bases;
  class->base_count = base_count;
  if (!class_mro(t, class, span))
    return false;
  for (uint32_t i = 0; i < base_count; i++) {
    inherit(class, bases[i], b);
    if ((bases[i]->flags & CLASS_ENUM) && bases[i]->members.count)
      return RAISE(t, E_TYPE, span, "<enum '%s'> cannot extend <enum '%s'>", name->str.data, bases[i]->name->str.data);
  }
  if (!(class->flags & CLASS_ENUM)) {
    // Annotated names without a value keep their place, for the order of fields.
    for (uint32_t i = 0; i < names->count; i++) {
      uint32_t index = attr_reserve(&t->arena, &class->attrs, names->items[i].name);
      class->attrs.items[index].value = names->items[i].value;
    }
  }
  *out = value_class(class);
  if ((class->flags & CLASS_ENUM) && !enum_finish(t, class, names, span))
    return false;
  adopt_functions(class);
  for (uint32_t i = 0; i < class->mro_count; i++)
    for (uint32_t k = 0; k < class->mro[i]->attrs.count; k++) {
      Value value = class->mro[i]->attrs.items[k].value;
      class->has_properties |= value_is_native(value) && value.object->type == &property_type;
    }
  class->has_own_getattr = class_find(class, b->__getattr__) != NULL;
  Value *setter = class_find(class, b->__setattr__);
  class->has_setattr = setter && setter->tag == VALUE_FUNCTION;
  if ((class->flags & CLASS_NAMED_TUPLE) && bases[0] == b->class_NamedTuple && !named_tuple_finish(t, class, span))
    return false;
  if ((class->flags & CLASS_NKI_OBJECT) && class->module && !dataclass_fields(t, class, span))
    return false;
  for (uint32_t i = 0; i < class->attrs.count; i++) {
    Value value = class->attrs.items[i].value, ignored;
    if (value.tag != VALUE_INSTANCE || !instance_special(value, b->__set_name__))
      continue;
    Value args[2] = {*out, value_name(t, class->attrs.items[i].name)};
    if (call_special(t, value, b->__set_name__, args, 2, span, &ignored) == OUTCOME_ERROR)
      return false;
  }
  for (uint32_t i = 1; i < class->mro_count; i++) {
    Value *hook = attr_find(&class->mro[i]->attrs, b->__init_subclass__);
    if (!hook)
      continue;
    Value function = *hook, ignored;
    if (value_is_native(function))
      function = ((Descriptor *)function.object)->get;
    return function.tag != VALUE_FUNCTION || call_simple(t, function, out, 1, span, &ignored);
  }
  return true;
}

// ---- instances

Value instance_new(Tracer *t, Class *class)
{
  Instance *instance = arena_new(&t->arena, Instance);
  instance->class = class;
  return (Value){.tag = VALUE_INSTANCE, .instance = instance};
}

Value *instance_special(Value instance, const Name *name)
{
  return instance.tag == VALUE_INSTANCE ? class_find(instance.instance->class, name) : NULL;
}

Outcome call_special(Tracer *t, Value instance, const Name *name, const Value *args, uint32_t count, Span span,
                     Value *out)
{
  Value *special = instance_special(instance, name);
  if (!special || special->tag == VALUE_NONE)
    return OUTCOME_MISSING;
  if (special->tag == VALUE_BUILTIN)
    return OUTCOME_MISSING;  // what built-in classes do is not done through methods
  Value callee = *special;
  if (value_is_native(callee) && callee.object->type == &staticmethod_type) {
    callee = ((Descriptor *)callee.object)->get;
    return call_simple(t, callee, args, count, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
  }
  Value *all = stack_reserve(t, count + 1, span);
  if (!all)
    return OUTCOME_ERROR;
  all[0] = instance;
  if (count)
    memcpy(all + 1, args, count * sizeof *all);
  bool ok = call_simple(t, callee, all, count + 1, span, out);
  stack_release(t, all);
  return ok ? OUTCOME_OK : OUTCOME_ERROR;
}

// ---- descriptors

static Outcome no_truth(Tracer *t, Value self, Span span, bool *out)
{
  (void)t, (void)self, (void)span;
  *out = true;
  return OUTCOME_OK;
}

static Value property_with(Tracer *t, Value self, int part, Value function)
{
  Descriptor *copy = arena_new(&t->arena, Descriptor);
  *copy = *(Descriptor *)self.object;
  *(part == 0 ? &copy->get : part == 1 ? &copy->set : &copy->remove) = function;
  return value_object(VALUE_OBJECT, &copy->head);
}

static bool property_getter(Tracer *t, const Call *call, Value *out)
{
  *out = property_with(t, call->self, 0, call->args[0]);
  return true;
}

static bool property_setter(Tracer *t, const Call *call, Value *out)
{
  *out = property_with(t, call->self, 1, call->args[0]);
  return true;
}

static bool property_deleter(Tracer *t, const Call *call, Value *out)
{
  *out = property_with(t, call->self, 2, call->args[0]);
  return true;
}

static const NativeMethod property_methods[] = {
  {"getter", property_getter, "function /"},
  {"setter", property_setter, "function /"},
  {"deleter", property_deleter, "function /"},
  {NULL, NULL, NULL},
};

static Outcome call_static(Tracer *t, Value self, const Call *call, Value *out)
{
  return call_value(t, ((Descriptor *)self.object)->get, call, out) ? OUTCOME_OK : OUTCOME_ERROR;
}

static Outcome get_wrapped(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  if (str_is(name->str, "__func__") || name == t->builtins->__wrapped__) {
    *out = ((Descriptor *)self.object)->get;
    return OUTCOME_OK;
  }
  return op_find_attr(t, ((Descriptor *)self.object)->get, name, span, out);
}

const NativeType staticmethod_type = {.name = "staticmethod", .truth = no_truth, .call = call_static, .getattr = get_wrapped};
const NativeType classmethod_type = {.name = "classmethod", .truth = no_truth, .getattr = get_wrapped};
const NativeType property_type = {.name = "property", .truth = no_truth, .methods = property_methods};

static Value bind_method(Tracer *t, Value function, Value self)
{
  Method *method = arena_new(&t->arena, Method);
  *method = (Method){function, self};
  return (Value){.tag = VALUE_METHOD, .method = method};
}

// What a class attribute is when read through `self` (UNDEFINED: through the class).
static Outcome read_descriptor(Tracer *t, Value value, Value self, Class *class, Span span, Value *out)
{
  if (value.tag == VALUE_FUNCTION) {
    *out = value_is_set(self) ? bind_method(t, value, self) : value;
    return OUTCOME_OK;
  }
  if (value.tag == VALUE_BUILTIN && value.builtin->is_method && value_is_set(self)) {
    Builtin *bound = arena_new(&t->arena, Builtin);
    *bound = *value.builtin;
    bound->self = self;
    *out = (Value){.tag = VALUE_BUILTIN, .builtin = bound};
    return OUTCOME_OK;
  }
  if (value_is_native(value)) {
    const Descriptor *descriptor = (const Descriptor *)value.object;
    if (value.object->type == &staticmethod_type) {
      *out = descriptor->get;
      return OUTCOME_OK;
    }
    if (value.object->type == &classmethod_type) {
      *out = bind_method(t, descriptor->get, value_class(class));
      return OUTCOME_OK;
    }
    if (value.object->type == &property_type && value_is_set(self)) {
      if (!value_is_set(descriptor->get))
        return RAISE_OUTCOME(t, E_ATTRIBUTE, span, "unreadable attribute");
      return call_simple(t, descriptor->get, &self, 1, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
    }
  }
  if (value.tag == VALUE_INSTANCE && instance_special(value, t->builtins->__get__)) {
    Value args[2] = {value_is_set(self) ? self : value_none(), value_class(class)};
    return call_special(t, value, t->builtins->__get__, args, 2, span, out);
  }
  *out = value;
  return OUTCOME_OK;
}

static Outcome super_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  const SuperObject *super = (const SuperObject *)self.object;
  bool through_class = super->self.tag == VALUE_CLASS;
  Class *class = through_class ? super->self.class : value_class_of(t, super->self);
  uint32_t i = 0;
  while (i < class->mro_count && class->mro[i] != super->start)
    i++;
  for (i++; i < class->mro_count; i++) {
    Value *found = attr_find(&class->mro[i]->attrs, name);
    if (found) {
      if (through_class && name != t->builtins->__new__) {
        Value value = *found;
        if (value_is_native(value) && value.object->type == &classmethod_type) {
          *out = bind_method(t, ((Descriptor *)value.object)->get, super->self);
          return OUTCOME_OK;
        }
        return read_descriptor(t, value, value_undefined(), class, span, out);
      }
      if (name == t->builtins->__new__) {
        *out = value_is_native(*found) ? ((Descriptor *)found->object)->get : *found;
        return OUTCOME_OK;
      }
      return read_descriptor(t, *found, super->self, class, span, out);
    }
  }
  return OUTCOME_MISSING;
}

const NativeType super_type = {.name = "super", .truth = no_truth, .getattr = super_getattr};

// ---- reading attributes

static Value names_as_dict(Tracer *t, const AttrTable *table)
{
  Value dict = value_dict(t);
  for (uint32_t i = 0; i < table->count; i++)
    if (value_is_set(table->items[i].value))
      dict_set(t, dict.dict, value_name(t, table->items[i].name), table->items[i].value);
  return dict;
}

static Outcome found(Value *out, Value value)
{
  *out = value;
  return OUTCOME_OK;
}

Outcome class_getattr(Tracer *t, Class *class, const Name *name, Span span, Value *out)
{
  Builtins *b = t->builtins;
  Value *value = class_find(class, name);
  if (value && !(name == b->__doc__ && class->flags & CLASS_BUILTIN))
    return read_descriptor(t, *value, value_undefined(), class, span, out);
  if (name == b->__name__)
    return found(out, value_name(t, class->name));
  if (name == b->__qualname__)
    return found(out, value_cstr(t, class->qualname));
  if (name == b->__module__)
    return found(out, class->module ? value_name(t, class->module->name) : value_cstr(t, "builtins"));
  if (name == b->__doc__)
    return found(out, value_none());
  if (name == b->__dict__)
    return found(out, names_as_dict(t, &class->attrs));
  if (name == b->__class__)
    return found(out, value_class(b->class_type));
  if (name == b->__annotations__)
    return found(out, value_dict(t));
  if (name == b->__mro__ || name == b->__bases__) {
    uint32_t count = name == b->__mro__ ? class->mro_count : class->base_count;
    Class **list = name == b->__mro__ ? class->mro : class->bases;
    Value tuple = value_tuple(t, NULL, count);
    for (uint32_t i = 0; i < count; i++)
      tuple.tuple->items[i] = value_class(list[i]);
    return found(out, tuple);
  }
  if (name == b->__members__ && (class->flags & CLASS_ENUM)) {
    Value dict = value_dict(t);
    for (uint32_t i = 0; i < class->attrs.count; i++)
      if (value_is_instance(t, class->attrs.items[i].value, class))
        dict_set(t, dict.dict, value_name(t, class->attrs.items[i].name), class->attrs.items[i].value);
    return found(out, dict);
  }
  return OUTCOME_MISSING;
}

static Outcome function_getattr(Tracer *t, Function *function, const Name *name, Value *out)
{
  Builtins *b = t->builtins;
  Value *value = attr_find(&function->attrs, name);
  if (value)
    return found(out, *value);
  if (name == b->__name__)
    return found(out, value_name(t, function->name));
  if (name == b->__qualname__)
    return found(out, value_cstr(t, function->qualname));
  if (name == b->__module__)
    return found(out, value_name(t, function->module->name));
  if (name == b->__dict__)
    return found(out, names_as_dict(t, &function->attrs));
  if (name == b->__defaults__)
    return found(out, function->default_count ? value_tuple(t, function->defaults, function->default_count) : value_none());
  if (name == b->__doc__) {
    const StmtList *body = &function->code->body;
    if (body->count && body->items[0]->kind == STMT_Expr && body->items[0]->Expr.value->kind == EXPR_Constant &&
        body->items[0]->Expr.value->Constant.value.kind == CONSTANT_STR)
      return found(out, value_str(t, body->items[0]->Expr.value->Constant.value.text));
    return found(out, value_none());
  }
  return OUTCOME_MISSING;
}

static Outcome instance_getattr(Tracer *t, Value object, const Name *name, Span span, Value *out)
{
  Instance *instance = object.instance;
  Class *class = instance->class;
  Builtins *b = t->builtins;
  Value *in_class = class_find(class, name);
  if (in_class && value_is_native(*in_class) && in_class->object->type == &property_type)
    return read_descriptor(t, *in_class, object, class, span, out);
  Value *own = attr_find(&instance->attrs, name);
  if (own)
    return found(out, *own);
  if (in_class)
    return read_descriptor(t, *in_class, object, class, span, out);
  if (name == b->__class__)
    return found(out, value_class(class));
  if (name == b->__dict__)
    return found(out, names_as_dict(t, &instance->attrs));
  if (name == b->__doc__)
    return found(out, value_none());
  if (name == b->__module__)
    return class_getattr(t, class, name, span, out);
  if ((class->flags & CLASS_EXCEPTION) &&
      (name == b->__cause__ || name == b->__context__ || name == b->__traceback__))
    return found(out, value_none());
  if ((class->flags & CLASS_EXCEPTION) && name == b->value && str_is(class->name->str, "StopIteration")) {
    Value *args = attr_find(&instance->attrs, b->args);
    return found(out, args && args->tuple->count ? args->tuple->items[0] : value_none());
  }
  Value held = value_unwrap(object);
  if (held.tag != VALUE_INSTANCE) {
    Outcome outcome = op_find_attr(t, held, name, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
  }
  if (class->has_own_getattr) {
    Value text = value_name(t, name);
    return call_special(t, object, b->__getattr__, &text, 1, span, out);
  }
  return OUTCOME_MISSING;
}

static Outcome native_getattr(Tracer *t, Value object, const Name *name, Span span, Value *out)
{
  const NativeType *type = object.object->type;
  for (const NativeMethod *method = type->methods; method && method->name; method++)
    if (str_is(name->str, method->name))
      return found(out, value_builtin(t, method->name, method->function, method->signature, object));
  if (type->getattr) {
    Outcome outcome = type->getattr(t, object, name, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
  }
  if (name == t->builtins->__class__)
    return found(out, value_class(value_class_of(t, object)));
  return OUTCOME_MISSING;
}

static Outcome number_getattr(Tracer *t, Value object, const Name *name, Value *out)
{
  if (value_is_int(object)) {
    if (str_is(name->str, "real") || str_is(name->str, "numerator"))
      return found(out, object.tag == VALUE_BOOL ? value_int(object.integer) : object);
    if (str_is(name->str, "imag"))
      return found(out, value_int(0));
    if (str_is(name->str, "denominator"))
      return found(out, value_int(1));
  } else if (str_is(name->str, "real")) {
    return found(out, object);
  } else if (str_is(name->str, "imag")) {
    return found(out, value_float(0));
  }
  (void)t;
  return OUTCOME_MISSING;
}

Outcome op_find_attr(Tracer *t, Value object, const Name *name, Span span, Value *out)
{
  Builtins *b = t->builtins;
  switch ((ValueTag)object.tag) {
  case VALUE_INSTANCE: return instance_getattr(t, object, name, span, out);
  case VALUE_MODULE: return module_getattr(t, object.module, name, span, out);
  case VALUE_CLASS: {
    Outcome outcome = class_getattr(t, object.class, name, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
    Value *in_type = class_find(b->class_type, name);
    return in_type ? read_descriptor(t, *in_type, object, b->class_type, span, out) : OUTCOME_MISSING;
  }
  case VALUE_FUNCTION: {
    Outcome outcome = function_getattr(t, object.function, name, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
    break;
  }
  case VALUE_METHOD:
    if (name == b->__self__)
      return found(out, object.method->self);
    if (str_is(name->str, "__func__"))
      return found(out, object.method->function);
    return op_find_attr(t, object.method->function, name, span, out);
  case VALUE_BUILTIN:
    if (name == b->__name__ || name == b->__qualname__)
      return found(out, value_cstr(t, object.builtin->name));
    if (name == b->__self__ && value_is_set(object.builtin->self))
      return found(out, object.builtin->self);
    break;
  case VALUE_OPAQUE:
    if (name == b->__name__)
      return found(out, value_cstr(t, object.opaque->path));
    return found(out, value_opaque(t, arena_printf(&t->arena, "%s.%s", object.opaque->path, name->str.data),
                                   object.opaque->origin, object.opaque->reason));
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT: return native_getattr(t, object, name, span, out);
  case VALUE_BOOL:
  case VALUE_INT:
  case VALUE_BIG_INT:
  case VALUE_FLOAT: {
    Outcome outcome = number_getattr(t, object, name, out);
    if (outcome != OUTCOME_MISSING)
      return outcome;
    break;
  }
  case VALUE_RANGE: {
    const Range *range = object.pointer;
    if (str_is(name->str, "start"))
      return found(out, value_int(range->start));
    if (str_is(name->str, "stop"))
      return found(out, value_int(range->stop));
    if (str_is(name->str, "step"))
      return found(out, value_int(range->step));
    break;
  }
  case VALUE_SLICE: {
    const Slice *slice = object.pointer;
    if (str_is(name->str, "start"))
      return found(out, slice->start);
    if (str_is(name->str, "stop"))
      return found(out, slice->stop);
    if (str_is(name->str, "step"))
      return found(out, slice->step);
    break;
  }
  default: break;
  }
  Class *class = value_class_of(t, object);
  if (name == b->__class__)
    return found(out, value_class(class));
  Value *in_class = class_find(class, name);
  if (!in_class)
    return name == b->__doc__ ? found(out, value_none()) : OUTCOME_MISSING;
  return read_descriptor(t, *in_class, object, class, span, out);
}

static void push_names(Tracer *t, const AttrTable *table, const char ***names, size_t *count, size_t *capacity)
{
  for (uint32_t i = 0; i < table->count; i++) {
    if (!value_is_set(table->items[i].value))
      continue;
    if (*count == *capacity)
      *names = vec_grow(&t->arena, *names, capacity, sizeof **names);
    (*names)[(*count)++] = table->items[i].name->str.data;
  }
}

static bool attribute_error(Tracer *t, Value object, const Name *name, Span span)
{
  const char **names = NULL;
  size_t count = 0, capacity = 0;
  Diag *diag;
  if (object.tag == VALUE_MODULE) {
    diag = raise_error(t, E_ATTRIBUTE, span, "module '%s' has no attribute '%s'", object.module->name->str.data,
                       name->str.data);
    push_names(t, &object.module->attrs, &names, &count, &capacity);
  } else if (object.tag == VALUE_CLASS) {
    diag = raise_error(t, E_ATTRIBUTE, span, "type object '%s' has no attribute '%s'", object.class->name->str.data,
                       name->str.data);
    for (uint32_t i = 0; i < object.class->mro_count; i++)
      push_names(t, &object.class->mro[i]->attrs, &names, &count, &capacity);
  } else {
    diag = raise_error(t, E_ATTRIBUTE, span, "'%s' object has no attribute '%s'", value_type_name(t, object),
                       name->str.data);
    if (object.tag == VALUE_INSTANCE)
      push_names(t, &object.instance->attrs, &names, &count, &capacity);
    Class *class = value_class_of(t, object);
    for (uint32_t i = 0; i < class->mro_count; i++)
      push_names(t, &class->mro[i]->attrs, &names, &count, &capacity);
    if (value_is_native(object))
      for (const NativeMethod *m = object.object->type->methods; m && m->name; m++) {
        if (count == capacity)
          names = vec_grow(&t->arena, names, &capacity, sizeof *names);
        names[count++] = m->name;
      }
  }
  diag_suggest(diag, name->str, names, count);
  return false;
}

bool op_getattr(Tracer *t, Value object, const Name *name, Span span, Value *out)
{
  // Fields of instances, the most frequent case.
  if (object.tag == VALUE_INSTANCE) {
    Value *own = attr_find(&object.instance->attrs, name);
    if (own && !(object.instance->class->has_properties)) {
      *out = *own;
      return true;
    }
  }
  switch (op_find_attr(t, object, name, span, out)) {
  case OUTCOME_OK: return true;
  case OUTCOME_ERROR: return false;
  case OUTCOME_MISSING: break;
  }
  return attribute_error(t, object, name, span);
}

// ---- writing attributes

static bool set_instance(Tracer *t, Value object, const Name *name, Value value, Span span)
{
  Instance *instance = object.instance;
  Class *class = instance->class;
  if (class->has_setattr) {
    Value args[2] = {value_name(t, name), value}, ignored;
    return call_special(t, object, t->builtins->__setattr__, args, 2, span, &ignored) == OUTCOME_OK;
  }
  if (class->has_properties) {
    Value *in_class = class_find(class, name);
    if (in_class && value_is_native(*in_class) && in_class->object->type == &property_type) {
      const Descriptor *property = (const Descriptor *)in_class->object;
      if (!value_is_set(property->set))
        return RAISE(t, E_ATTRIBUTE, span, "property '%s' of '%s' object has no setter", name->str.data,
                     class->name->str.data);
      Value args[2] = {object, value}, ignored;
      return call_simple(t, property->set, args, 2, span, &ignored);
    }
  }
  if (class->flags & CLASS_FROZEN) {
    Value text = value_cstr(t, arena_printf(&t->arena, "cannot assign to field '%s'", name->str.data));
    Value exception = exception_new(t, exception_class(t, "FrozenInstanceError"), &text, 1);
    return raise_value(t, exception, span);
  }
  if ((class->flags & CLASS_ENUM) && attr_find(&instance->attrs, t->builtins->_value_) &&
      (name == t->builtins->name || name == t->builtins->value))
    return RAISE(t, E_ATTRIBUTE, span, "<enum '%s'> cannot set attribute '%s'", class->name->str.data, name->str.data);
  attr_set(&t->arena, &instance->attrs, name, value);
  return true;
}

bool op_setattr(Tracer *t, Value object, const Name *name, Value value, Span span)
{
  switch ((ValueTag)object.tag) {
  case VALUE_INSTANCE: return set_instance(t, object, name, value, span);
  case VALUE_CLASS:
    if (object.class->flags & CLASS_BUILTIN)
      return RAISE(t, E_TYPE, span, "cannot set '%s' attribute of immutable type '%s'", name->str.data,
                   object.class->name->str.data);
    if (value.tag == VALUE_FUNCTION && !value.function->owner)
      value.function->owner = object.class;
    if (value_is_native(value) && value.object->type == &property_type)
      object.class->has_properties = true;
    attr_set(&t->arena, &object.class->attrs, name, value);
    if (name == t->builtins->__setattr__)
      object.class->has_setattr = true;
    return true;
  case VALUE_FUNCTION: attr_set(&t->arena, &object.function->attrs, name, value); return true;
  case VALUE_MODULE: attr_set(&t->arena, &object.module->attrs, name, value); return true;
  case VALUE_OPAQUE:
    if (!t->in_kernel)
      return true;
    return raise_opaque(t, object, span, "changed");
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (object.object->type->setattr) {
      Outcome outcome = object.object->type->setattr(t, object, name, value, span);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    }
    break;
  default: break;
  }
  Value ignored;
  if (op_find_attr(t, object, name, span, &ignored) == OUTCOME_OK)
    return RAISE(t, E_ATTRIBUTE, span, "'%s' object attribute '%s' is read-only", value_type_name(t, object),
                 name->str.data);
  if (value_is_set(t->exception))
    return false;
  return RAISE(t, E_ATTRIBUTE, span, "'%s' object has no attribute '%s'", value_type_name(t, object), name->str.data);
}

bool op_delattr(Tracer *t, Value object, const Name *name, Span span)
{
  AttrTable *table = NULL;
  if (object.tag == VALUE_INSTANCE) {
    Value text = value_name(t, name), ignored;
    Outcome outcome = call_special(t, object, t->builtins->__delattr__, &text, 1, span, &ignored);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
    Value *in_class = class_find(object.instance->class, name);
    if (in_class && value_is_native(*in_class) && in_class->object->type == &property_type) {
      const Descriptor *property = (const Descriptor *)in_class->object;
      if (!value_is_set(property->remove))
        return RAISE(t, E_ATTRIBUTE, span, "property '%s' of '%s' object has no deleter", name->str.data,
                     object.instance->class->name->str.data);
      return call_simple(t, property->remove, &object, 1, span, &ignored);
    }
    table = &object.instance->attrs;
  } else if (object.tag == VALUE_CLASS && !(object.class->flags & CLASS_BUILTIN)) {
    table = &object.class->attrs;
  } else if (object.tag == VALUE_MODULE) {
    table = &object.module->attrs;
  }
  Value *place = table ? attr_find(table, name) : NULL;
  if (!place)
    return attribute_error(t, object, name, span);
  *place = value_undefined();
  return true;
}

// ---- types of values

static Class *native_class(Tracer *t, const NativeType *type)
{
  Class *class = map_get_number(&t->native_classes, (uint64_t)(uintptr_t)type);
  if (!class) {
    class = class_new(t, type->name, CLASS_BUILTIN);
    class->native = type;
    class->bases = &t->builtins->class_object;
    class->base_count = 1;
    class_mro(t, class, (Span){0});
    map_set_number(&t->native_classes, (uint64_t)(uintptr_t)type, class);
  }
  return class;
}

Class *value_class_of(Tracer *t, Value value)
{
  Builtins *b = t->builtins;
  switch ((ValueTag)value.tag) {
  case VALUE_NONE: return b->class_NoneType;
  case VALUE_BOOL: return b->class_bool;
  case VALUE_INT:
  case VALUE_BIG_INT: return b->class_int;
  case VALUE_FLOAT: return b->class_float;
  case VALUE_STR: return b->class_str;
  case VALUE_BYTES: return b->class_bytes;
  case VALUE_TUPLE: return b->class_tuple;
  case VALUE_LIST: return b->class_list;
  case VALUE_DICT: return value_is_set(value.dict->default_factory) ? b->class_defaultdict : b->class_dict;
  case VALUE_SET: return b->class_set;
  case VALUE_FROZENSET: return b->class_frozenset;
  case VALUE_DICT_VIEW:
    return value.view->kind == DICT_KEYS     ? b->class_dict_keys
           : value.view->kind == DICT_VALUES ? b->class_dict_values
                                             : b->class_dict_items;
  case VALUE_RANGE: return b->class_range;
  case VALUE_SLICE: return b->class_slice;
  case VALUE_ELLIPSIS: return b->class_ellipsis;
  case VALUE_NOT_IMPLEMENTED: return b->class_NotImplementedType;
  case VALUE_FUNCTION: return b->class_function;
  case VALUE_METHOD: return b->class_method;
  case VALUE_BUILTIN: return b->class_builtin_function_or_method;
  case VALUE_CLASS: return b->class_type;
  case VALUE_INSTANCE: return value.instance->class;
  case VALUE_MODULE: return b->class_module;
  case VALUE_ITERATOR: return b->class_iterator;
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT: return native_class(t, value.object->type);
  default: return b->class_opaque;
  }
}

const char *value_type_name(Tracer *t, Value value)
{
  if (value.tag == VALUE_ITERATOR)
    return value.iterator->name;
  if (value.tag == VALUE_CLASS && (value.class->flags & CLASS_ENUM))
    return "EnumType";
  return value_class_of(t, value)->name->str.data;
}

bool value_is_instance(Tracer *t, Value value, const Class *class)
{
  if (!value_is_set(value))
    return false;
  return class == t->builtins->class_object || class_is_subclass(value_class_of(t, value), class);
}

// ---- exceptions

Value exception_new(Tracer *t, Class *class, const Value *args, uint32_t count)
{
  Value exception = instance_new(t, class);
  attr_set(&t->arena, &exception.instance->attrs, t->builtins->args, value_tuple(t, args, count));
  return exception;
}

Class *exception_class(Tracer *t, const char *name)
{
  Value *found_class = attr_find(&t->builtin_names, tracer_name(t, name));
  if (found_class && found_class->tag == VALUE_CLASS)
    return found_class->class;
  found_class = attr_find(&t->hidden_names, tracer_name(t, name));
  return found_class ? found_class->class : t->builtins->class_Exception;
}

bool exception_matches(Tracer *t, const char *class_name)
{
  return t->exception.tag == VALUE_INSTANCE && !t->exception.extra &&
         class_is_subclass(t->exception.instance->class, exception_class(t, class_name));
}
