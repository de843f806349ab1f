// native_std.c -- modules dataclasses, enum, typing and other parts of the standard library, as far as tracing needs them.

#include "trace/class_kinds.h"
#include "trace/eval_internal.h"
#include "trace/natives.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARG(i) (call->args[i])
#define HAS(i) (value_is_set(call->args[i]))

static bool identity(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = call->positional ? call->args[call->positional - 1] : value_none();
  return true;
}

static bool nothing(Tracer *t, const Call *call, Value *out)
{
  (void)t, (void)call;
  *out = value_none();
  return true;
}

static Value builtin_class(Tracer *t, const char *name)
{
  Value *found = attr_find(&t->hidden_names, tracer_name(t, name));
  if (!found)
    found = attr_find(&t->builtin_names, tracer_name(t, name));
  return found ? *found : value_none();
}

static bool option(Tracer *t, const Call *call, uint32_t i, bool standard, bool *out)
{
  *out = standard;
  return !HAS(i) || op_truth(t, ARG(i), call->span, out);
}

// ---- dataclasses

static bool decorate(Tracer *t, Class *class, const Call *call, Value *out)
{
  bool init, repr, eq, order, frozen, keyword_only;
  if (!option(t, call, 1, true, &init) || !option(t, call, 2, true, &repr) || !option(t, call, 3, true, &eq) ||
      !option(t, call, 4, false, &order) || !option(t, call, 5, false, &frozen) ||
      !option(t, call, 6, false, &keyword_only))
    return false;
  if (order && !eq)
    return RAISE(t, E_VALUE, call->span, "eq must be true if order is true");
  uint32_t flags = (order ? CLASS_ORDER : 0u) | (frozen ? CLASS_FROZEN : 0u) | (eq ? 0u : CLASS_NO_EQ);
  *out = value_class(class);
  return dataclass_decorate(t, class, flags, init, repr, keyword_only, class->span);
}

static bool decorate_later(Tracer *t, const Call *call, Value *out)
{
  Value class = call->args[0];
  if (class.tag != VALUE_CLASS)
    return RAISE(t, E_TYPE, call->span, "dataclass() takes a class");
  Call inner = {.args = call->self.tuple->items, .positional = (uint32_t)call->self.tuple->count, .span = call->span};
  return decorate(t, class.class, &inner, out);
}

static bool d_dataclass(Tracer *t, const Call *call, Value *out)
{
  if (HAS(0) && ARG(0).tag == VALUE_CLASS)
    return decorate(t, ARG(0).class, call, out);
  *out = value_builtin(t, "dataclass", decorate_later, "cls /", value_tuple(t, call->args, call->positional));
  return true;
}

static bool d_field(Tracer *t, const Call *call, Value *out)
{
  FieldObject *object = arena_new(&t->arena, FieldObject);
  object->head.type = &field_type;
  object->field = (ClassField){.value = ARG(0), .factory = ARG(1)};
  if (HAS(0) && HAS(1))
    return RAISE(t, E_VALUE, call->span, "cannot specify both default and default_factory");
  *out = value_object(VALUE_OBJECT, &object->head);
  return option(t, call, 2, true, &object->field.init) && option(t, call, 3, true, &object->field.repr) &&
         option(t, call, 4, true, &object->field.compare) && option(t, call, 7, false, &object->field.keyword_only);
}

static Class *fields_of(Tracer *t, Value v, const char *function, Span span)
{
  Class *class = v.tag == VALUE_CLASS ? v.class : v.tag == VALUE_INSTANCE ? v.instance->class : NULL;
  for (uint32_t i = 0; class && i < class->mro_count; i++)
    if (class->mro[i]->flags & (CLASS_DATACLASS | CLASS_NKI_OBJECT))
      return class->mro[i];
  raise_error(t, E_TYPE, span, "%s() should be called on dataclass instances", function);
  return NULL;
}

static bool d_fields(Tracer *t, const Call *call, Value *out)
{
  Class *class = fields_of(t, ARG(0), "fields", call->span);
  if (!class)
    return false;
  *out = value_tuple(t, NULL, class->fields.count);
  for (size_t i = 0; i < class->fields.count; i++) {
    const ClassField *field = &class->fields.items[i];
    Value object = instance_new(t, t->builtins->class_object);
    attr_set(&t->arena, &object.instance->attrs, t->builtins->name, value_name(t, field->name));
    attr_set(&t->arena, &object.instance->attrs, tracer_name(t, "default"),
             value_is_set(field->value) ? field->value : builtin_class(t, "field"));
    out->tuple->items[i] = object;
  }
  return true;
}

static bool plain_copy(Tracer *t, Value v, bool as_tuple, Span span, Value *out)
{
  if (v.tag == VALUE_INSTANCE && (v.instance->class->flags & CLASS_DATACLASS)) {
    Class *class = fields_of(t, v, "asdict", span);
    Value result = as_tuple ? value_tuple(t, NULL, class->fields.count) : value_dict(t);
    for (size_t i = 0; i < class->fields.count; i++) {
      Value field;
      if (!op_getattr(t, v, class->fields.items[i].name, span, &field) || !plain_copy(t, field, as_tuple, span, &field))
        return false;
      if (as_tuple)
        result.tuple->items[i] = field;
      else if (!dict_set(t, result.dict, value_name(t, class->fields.items[i].name), field))
        return false;
    }
    *out = result;
    return true;
  }
  const Value *items;
  size_t count;
  *out = v;
  if ((v.tag == VALUE_LIST || v.tag == VALUE_TUPLE) && value_sequence(v, &items, &count)) {
    *out = v.tag == VALUE_LIST ? value_list(t, items, count) : value_tuple(t, items, count);
    Value *to = v.tag == VALUE_LIST ? out->list->items : out->tuple->items;
    for (size_t i = 0; i < count; i++)
      if (!plain_copy(t, items[i], as_tuple, span, &to[i]))
        return false;
  } else if (v.tag == VALUE_DICT) {
    *out = value_dict(t);
    for (uint32_t i = 0; i < v.dict->used; i++) {
      Value value;
      if (value_is_set(v.dict->entries[i].key) &&
          (!plain_copy(t, v.dict->entries[i].value, as_tuple, span, &value) ||
           !dict_set(t, out->dict, v.dict->entries[i].key, value)))
        return false;
    }
  }
  return true;
}

static bool d_asdict(Tracer *t, const Call *call, Value *out)
{
  return fields_of(t, ARG(0), "asdict", call->span) && plain_copy(t, ARG(0), false, call->span, out);
}

static bool d_astuple(Tracer *t, const Call *call, Value *out)
{
  return fields_of(t, ARG(0), "astuple", call->span) && plain_copy(t, ARG(0), true, call->span, out);
}

static bool d_replace(Tracer *t, const Call *call, Value *out)
{
  if (call->positional != 1)
    return RAISE(t, E_ARGUMENTS, call->span, "replace() takes 1 positional argument");
  Class *class = fields_of(t, call->args[0], "replace", call->span);
  if (!class)
    return false;
  List values = {0};
  const Name **names = arena_array(&t->arena, const Name *, class->fields.count + call->keyword_count);
  uint32_t count = 0;
  for (uint32_t k = 0; k < call->keyword_count; k++) {
    names[count++] = call->keywords[k];
    list_push(t, &values, call->args[1 + k]);
  }
  for (size_t i = 0; i < class->fields.count; i++) {
    bool given = false;
    for (uint32_t k = 0; k < call->keyword_count; k++)
      given |= call->keywords[k] == class->fields.items[i].name;
    Value value;
    if (given || !class->fields.items[i].init)
      continue;
    if (!op_getattr(t, call->args[0], class->fields.items[i].name, call->span, &value))
      return false;
    names[count++] = class->fields.items[i].name;
    list_push(t, &values, value);
  }
  Call inner = {.args = values.items, .keyword_count = count, .keywords = names, .span = call->span};
  return class_call(t, call->args[0].instance->class, &inner, out);
}

static bool d_is_dataclass(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  Class *class = ARG(0).tag == VALUE_CLASS ? ARG(0).class : ARG(0).tag == VALUE_INSTANCE ? ARG(0).instance->class : NULL;
  bool found = false;
  for (uint32_t i = 0; class && i < class->mro_count; i++)
    found |= (class->mro[i]->flags & CLASS_DATACLASS) != 0;
  *out = value_bool(found);
  return true;
}

static const NativeMethod dataclasses_functions[] = {
  {"dataclass", d_dataclass, "cls? / init? repr? eq? order? frozen? kw_only? slots? unsafe_hash? match_args?"},
  {"field", d_field, "* default? default_factory? init? repr? compare? hash? metadata? kw_only?"},
  {"fields", d_fields, "class_or_instance"}, {"asdict", d_asdict, "obj * dict_factory?"},
  {"astuple", d_astuple, "obj * tuple_factory?"}, {"replace", d_replace, NULL},
  {"is_dataclass", d_is_dataclass, "obj"}, {NULL, NULL, NULL},
};

static void dataclasses_init(Tracer *t, ModuleObject *module)
{
  module_set(t, module, "FrozenInstanceError", builtin_class(t, "FrozenInstanceError"));
  module_set(t, module, "MISSING", builtin_class(t, "field"));
  module_set(t, module, "Field", builtin_class(t, "field"));
  module_set(t, module, "KW_ONLY", builtin_class(t, "Generic"));
  module_set(t, module, "InitVar", builtin_class(t, "Generic"));
}

const NativeModule native_dataclasses = {"dataclasses", dataclasses_functions, dataclasses_init, NULL};

// ---- enum

static bool e_unique(Tracer *t, const Call *call, Value *out)
{
  *out = ARG(0);
  if (ARG(0).tag != VALUE_CLASS)
    return true;
  Class *class = ARG(0).class;
  for (uint32_t i = 0; i < class->attrs.count; i++) {
    Value member = class->attrs.items[i].value;
    if (!value_is_instance(t, member, class))
      continue;
    Value *name = attr_find(&member.instance->attrs, t->builtins->_name_);
    if (name && !str_equal(name->string->text, class->attrs.items[i].name->str))
      return RAISE(t, E_VALUE, call->span, "duplicate values found in <enum '%s'>: %s -> %s", class->name->str.data,
                   class->attrs.items[i].name->str.data, name->string->text.data);
  }
  return true;
}

static void enum_init(Tracer *t, ModuleObject *module)
{
  static const char *const names[] = {"Enum", "IntEnum", "Flag", "IntFlag", "StrEnum", "auto"};
  for (size_t i = 0; i < 6; i++)
    module_set(t, module, names[i], builtin_class(t, names[i]));
  module_set(t, module, "EnumMeta", value_class(t->builtins->class_type));
  module_set(t, module, "EnumType", value_class(t->builtins->class_type));
}

static const NativeMethod enum_functions[] = {
  {"unique", e_unique, "enumeration /"}, {"member", identity, NULL}, {"nonmember", identity, NULL}, {NULL, NULL, NULL},
};
const NativeModule native_enum = {"enum", enum_functions, enum_init, NULL};

// ---- typing: annotations have no meaning here

static bool type_var(Tracer *t, const Call *call, Value *out)
{
  (void)call;
  *out = builtin_class(t, "Generic");
  return true;
}

static bool second(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = ARG(1);
  return true;
}

static Outcome typing_unknown(Tracer *t, ModuleObject *module, const Name *name, Value *out)
{
  Class *class = class_new(t, name->str.data, CLASS_BUILTIN | CLASS_ABSTRACT);
  class->bases = &t->builtins->class_object;
  class->base_count = 1;
  class_mro(t, class, (Span){0});
  *out = value_class(class);
  attr_set(&t->arena, &module->attrs, name, *out);
  return OUTCOME_OK;
}

static void typing_init(Tracer *t, ModuleObject *module)
{
  module_set(t, module, "TYPE_CHECKING", value_bool(false));
  static const char *const names[] = {"NamedTuple", "Generic", "Protocol", "TypedDict"};
  for (size_t i = 0; i < 4; i++)
    module_set(t, module, names[i], builtin_class(t, names[i]));
  static const char *const aliases[][2] = {{"List", "list"}, {"Dict", "dict"}, {"Tuple", "tuple"}, {"Set", "set"},
                                           {"FrozenSet", "frozenset"}, {"Type", "type"}, {"Text", "str"}};
  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
    module_set(t, module, aliases[i][0], builtin_class(t, aliases[i][1]));
}

static const NativeMethod typing_functions[] = {
  {"TypeVar", type_var, NULL}, {"ParamSpec", type_var, NULL}, {"TypeVarTuple", type_var, NULL},
  {"NewType", second, "name type"}, {"cast", second, "type value"}, {"overload", identity, NULL},
  {"final", identity, NULL}, {"override", identity, NULL}, {"runtime_checkable", identity, NULL},
  {"no_type_check", identity, NULL}, {"get_type_hints", nothing, NULL}, {NULL, NULL, NULL},
};
const NativeModule native_typing = {"typing", typing_functions, typing_init, typing_unknown};
const NativeModule native_typing_extensions = {"typing_extensions", typing_functions, typing_init, typing_unknown};
const NativeModule native_collections_abc = {"collections.abc", NULL, NULL, typing_unknown};
const NativeModule native_numbers = {"numbers", NULL, NULL, typing_unknown};

static void types_init(Tracer *t, ModuleObject *module)
{
  module_set(t, module, "FunctionType", value_class(t->builtins->class_function));
  module_set(t, module, "LambdaType", value_class(t->builtins->class_function));
  module_set(t, module, "MethodType", value_class(t->builtins->class_method));
  module_set(t, module, "BuiltinFunctionType", value_class(t->builtins->class_builtin_function_or_method));
  module_set(t, module, "ModuleType", value_class(t->builtins->class_module));
  module_set(t, module, "NoneType", value_class(t->builtins->class_NoneType));
}

static bool simple_namespace(Tracer *t, const Call *call, Value *out)
{
  *out = instance_new(t, t->builtins->class_object);
  for (uint32_t k = 0; k < call->keyword_count; k++)
    attr_set(&t->arena, &out->instance->attrs, call->keywords[k], call->args[call->positional + k]);
  return true;
}

static const NativeMethod types_functions[] = {
  {"SimpleNamespace", simple_namespace, NULL}, {"MappingProxyType", identity, NULL}, {NULL, NULL, NULL},
};
const NativeModule native_types = {"types", types_functions, types_init, typing_unknown};

// ---- abc

static void abc_init(Tracer *t, ModuleObject *module)
{
  module_set(t, module, "ABC", builtin_class(t, "ABC"));
  module_set(t, module, "ABCMeta", value_class(t->builtins->class_type));
}

static const NativeMethod abc_functions[] = {{"abstractmethod", identity, NULL}, {NULL, NULL, NULL}};
const NativeModule native_abc = {"abc", abc_functions, abc_init, NULL};

// ---- copy

static bool copy_value(Tracer *t, Value v, bool deep, Map *seen, Span span, Value *out)
{
  const Value *items;
  size_t count;
  *out = v;
  Value *known = deep && v.tag >= VALUE_STR ? map_get_number(seen, (uint64_t)(uintptr_t)v.pointer) : NULL;
  if (known) {
    *out = *known;
    return true;
  }
  Value *keep = arena_new(&t->arena, Value);
  switch ((ValueTag)v.tag) {
  case VALUE_LIST:
  case VALUE_TUPLE: {
    value_sequence(v, &items, &count);
    if (v.tag == VALUE_TUPLE && !deep)
      return true;
    *out = v.tag == VALUE_LIST ? value_list(t, items, count) : value_tuple(t, items, count);
    *keep = *out;
    map_set_number(seen, (uint64_t)(uintptr_t)v.pointer, keep);
    Value *to = v.tag == VALUE_LIST ? out->list->items : out->tuple->items;
    for (size_t i = 0; deep && i < count; i++)
      if (!copy_value(t, items[i], deep, seen, span, &to[i]))
        return false;
    return true;
  }
  case VALUE_DICT:
  case VALUE_SET: {
    *out = v.tag == VALUE_DICT ? value_dict(t) : value_set(t, false);
    out->dict->default_factory = v.dict->default_factory;
    *keep = *out;
    map_set_number(seen, (uint64_t)(uintptr_t)v.pointer, keep);
    for (uint32_t i = 0; i < v.dict->used; i++) {
      Value key = v.dict->entries[i].key, value = v.dict->entries[i].value;
      if (!value_is_set(key))
        continue;
      if (deep && (!copy_value(t, key, deep, seen, span, &key) || !copy_value(t, value, deep, seen, span, &value)))
        return false;
      if (!dict_set(t, out->dict, key, value))
        return false;
    }
    return true;
  }
  case VALUE_INSTANCE: {
    if (v.instance->class->flags & CLASS_ENUM)
      return true;
    if (deep) {
      Value memo = value_dict(t);
      Outcome outcome = call_special(t, v, tracer_name(t, "__deepcopy__"), &memo, 1, span, out);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    } else {
      Outcome outcome = call_special(t, v, tracer_name(t, "__copy__"), NULL, 0, span, out);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    }
    *out = instance_new(t, v.instance->class);
    *keep = *out;
    map_set_number(seen, (uint64_t)(uintptr_t)v.pointer, keep);
    out->instance->held = v.instance->held;
    if (value_is_set(v.instance->held) && !copy_value(t, v.instance->held, deep, seen, span, &out->instance->held))
      return false;
    for (uint32_t i = 0; i < v.instance->attrs.count; i++) {
      Value value = v.instance->attrs.items[i].value;
      if (deep && value_is_set(value) && !copy_value(t, value, deep, seen, span, &value))
        return false;
      attr_set(&t->arena, &out->instance->attrs, v.instance->attrs.items[i].name, value);
    }
    return true;
  }
  default: return true;
  }
}

static bool copy_shallow(Tracer *t, const Call *call, Value *out)
{
  Map seen = map_new(&t->arena);
  return copy_value(t, ARG(0), false, &seen, call->span, out);
}

static bool copy_deep(Tracer *t, const Call *call, Value *out)
{
  Map seen = map_new(&t->arena);
  return copy_value(t, ARG(0), true, &seen, call->span, out);
}

static const NativeMethod copy_functions[] = {
  {"copy", copy_shallow, "x"}, {"deepcopy", copy_deep, "x memo?"}, {NULL, NULL, NULL},
};
const NativeModule native_copy = {"copy", copy_functions, NULL, NULL};

// ---- objects that swallow everything: loggers, streams

static bool quiet_make(Tracer *t, const Call *call, Value *out);

static Outcome quiet_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  (void)self, (void)span;
  *out = value_builtin(t, name->str.data, nothing, NULL, value_undefined());
  return OUTCOME_OK;
}

static Outcome quiet_setattr(Tracer *t, Value self, const Name *name, Value value, Span span)
{
  (void)t, (void)self, (void)name, (void)value, (void)span;
  return OUTCOME_OK;
}

static Outcome quiet_enter(Tracer *t, Value self, Span span, Value *out)
{
  (void)t, (void)span;
  *out = self;
  return OUTCOME_OK;
}

static Outcome quiet_exit(Tracer *t, Value self, Span span)
{
  (void)t, (void)self, (void)span;
  return OUTCOME_OK;
}

static const NativeType quiet_type = {
  .name = "Logger", .getattr = quiet_getattr, .setattr = quiet_setattr, .enter = quiet_enter, .exit = quiet_exit,
};

static Value quiet(Tracer *t)
{
  NativeObject *object = arena_new(&t->arena, NativeObject);
  object->type = &quiet_type;
  return value_object(VALUE_OBJECT, object);
}

static bool quiet_make(Tracer *t, const Call *call, Value *out)
{
  (void)call;
  *out = quiet(t);
  return true;
}

static Outcome quiet_unknown(Tracer *t, ModuleObject *module, const Name *name, Value *out)
{
  (void)module;
  *out = value_builtin(t, name->str.data, quiet_make, NULL, value_undefined());
  return OUTCOME_OK;
}

static void logging_init(Tracer *t, ModuleObject *module)
{
  static const char *const names[] = {"NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
  for (int i = 0; i < 6; i++)
    module_set(t, module, names[i], value_int(i * 10));
}

static const NativeMethod logging_functions[] = {
  {"getLogger", quiet_make, NULL}, {"basicConfig", nothing, NULL}, {"debug", nothing, NULL}, {"info", nothing, NULL},
  {"warning", nothing, NULL}, {"error", nothing, NULL}, {"critical", nothing, NULL}, {"exception", nothing, NULL},
  {NULL, NULL, NULL},
};
const NativeModule native_logging = {"logging", logging_functions, logging_init, quiet_unknown};

static const NativeMethod warnings_functions[] = {
  {"warn", nothing, NULL}, {"filterwarnings", nothing, NULL}, {"simplefilter", nothing, NULL},
  {"catch_warnings", quiet_make, NULL}, {NULL, NULL, NULL},
};
const NativeModule native_warnings = {"warnings", warnings_functions, NULL, NULL};

static const NativeMethod contextlib_functions[] = {{"nullcontext", quiet_make, NULL}, {NULL, NULL, NULL}};
const NativeModule native_contextlib = {"contextlib", contextlib_functions, NULL, quiet_unknown};

// ---- sys and os

static bool sys_exit(Tracer *t, const Call *call, Value *out)
{
  (void)out;
  Value code = HAS(0) ? ARG(0) : value_none();
  return raise_value(t, exception_new(t, exception_class(t, "SystemExit"), &code, 1), call->span);
}

static bool sys_recursion(Tracer *t, const Call *call, Value *out)
{
  int64_t limit;
  *out = value_none();
  if (!op_index(t, ARG(0), call->span, &limit))
    return false;
  t->depth_limit = limit > 0 && limit < 1000000 ? (uint32_t)limit : 1000000;
  return true;
}

static bool sys_get_recursion(Tracer *t, const Call *call, Value *out)
{
  (void)call;
  *out = value_int(t->depth_limit);
  return true;
}

static Outcome opaque_unknown(Tracer *t, ModuleObject *module, const Name *name, Value *out)
{
  *out = value_opaque(t, arena_printf(&t->arena, "%s.%s", module->name->str.data, name->str.data), (Span){0}, NULL);
  return OUTCOME_OK;
}

static void sys_init(Tracer *t, ModuleObject *module)
{
  Value version[5] = {value_int(3), value_int(11), value_int(0), value_cstr(t, "final"), value_int(0)};
  module_set(t, module, "version_info", value_tuple(t, version, 5));
  module_set(t, module, "version", value_cstr(t, "3.11.0"));
  module_set(t, module, "platform", value_cstr(t, "linux"));
  module_set(t, module, "maxsize", value_int(INT64_MAX));
  module_set(t, module, "argv", value_list(t, NULL, 0));
  module_set(t, module, "path", value_list(t, NULL, 0));
  module_set(t, module, "modules", value_dict(t));
  module_set(t, module, "stdout", quiet(t));
  module_set(t, module, "stderr", quiet(t));
}

static const NativeMethod sys_functions[] = {
  {"exit", sys_exit, "status? /"}, {"setrecursionlimit", sys_recursion, "limit /"},
  {"getrecursionlimit", sys_get_recursion, ""}, {NULL, NULL, NULL},
};
const NativeModule native_sys = {"sys", sys_functions, sys_init, opaque_unknown};

extern char **environ;

static bool os_getenv(Tracer *t, const Call *call, Value *out)
{
  const char *value = ARG(0).tag == VALUE_STR ? getenv(ARG(0).string->text.data) : NULL;
  *out = value ? value_cstr(t, value) : HAS(1) ? ARG(1) : value_none();
  return true;
}

static bool path_join(Tracer *t, const Call *call, Value *out)
{
  StrBuf text = strbuf_new(&t->arena);
  for (uint32_t i = 0; i < call->positional; i++) {
    Value v = call->args[i];
    if (v.tag != VALUE_STR)
      return RAISE(t, E_TYPE, call->span, "expected str, bytes or os.PathLike object, not %s", value_type_name(t, v));
    if (v.string->text.len && v.string->text.data[0] == '/')
      text.len = 0;
    else if (text.len && text.data[text.len - 1] != '/')
      strbuf_putc(&text, '/');
    strbuf_add(&text, v.string->text.data, v.string->text.len);
  }
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool path_parts(Tracer *t, const Call *call, Str *head, Str *tail)
{
  if (ARG(0).tag != VALUE_STR)
    return RAISE(t, E_TYPE, call->span, "expected str, bytes or os.PathLike object, not %s",
                 value_type_name(t, ARG(0)));
  Str path = ARG(0).string->text;
  size_t at = path.len;
  while (at > 0 && path.data[at - 1] != '/')
    at--;
  *tail = (Str){path.data + at, path.len - at};
  while (at > 1 && path.data[at - 1] == '/')
    at--;
  *head = (Str){path.data, at};
  return true;
}

static bool path_basename(Tracer *t, const Call *call, Value *out)
{
  Str head, tail;
  if (!path_parts(t, call, &head, &tail))
    return false;
  *out = value_str(t, tail);
  return true;
}

static bool path_dirname(Tracer *t, const Call *call, Value *out)
{
  Str head, tail;
  if (!path_parts(t, call, &head, &tail))
    return false;
  *out = value_str(t, head);
  return true;
}

static bool path_exists(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = value_bool(ARG(0).tag == VALUE_STR && access(ARG(0).string->text.data, F_OK) == 0);
  return true;
}

static bool path_abspath(Tracer *t, const Call *call, Value *out)
{
  char folder[4096];
  *out = ARG(0);
  if (ARG(0).tag != VALUE_STR || (ARG(0).string->text.len && ARG(0).string->text.data[0] == '/') ||
      !getcwd(folder, sizeof folder))
    return true;
  *out = value_cstr(t, arena_printf(&t->arena, "%s/%s", folder, ARG(0).string->text.data));
  return true;
}

static bool os_getcwd(Tracer *t, const Call *call, Value *out)
{
  char folder[4096];
  (void)call;
  *out = value_cstr(t, getcwd(folder, sizeof folder) ? folder : ".");
  return true;
}

static const NativeMethod path_functions[] = {
  {"join", path_join, NULL}, {"basename", path_basename, "p"}, {"dirname", path_dirname, "p"},
  {"exists", path_exists, "path"}, {"isfile", path_exists, "path"}, {"abspath", path_abspath, "path"},
  {"realpath", path_abspath, "path"}, {"expanduser", identity, NULL}, {NULL, NULL, NULL},
};
const NativeModule native_os_path = {"os.path", path_functions, NULL, opaque_unknown};

static void os_init(Tracer *t, ModuleObject *module)
{
  Value dict = value_dict(t);
  for (char **entry = environ; entry && *entry; entry++) {
    const char *equals = strchr(*entry, '=');
    if (equals)
      dict_set(t, dict.dict, value_str(t, (Str){*entry, (size_t)(equals - *entry)}), value_cstr(t, equals + 1));
  }
  module_set(t, module, "environ", dict);
  module_set(t, module, "sep", value_cstr(t, "/"));
  module_set(t, module, "linesep", value_cstr(t, "\n"));
  module_set(t, module, "name", value_cstr(t, "posix"));
}

static const NativeMethod os_functions[] = {
  {"getenv", os_getenv, "key default?"}, {"getcwd", os_getcwd, ""}, {NULL, NULL, NULL},
};
const NativeModule native_os = {"os", os_functions, os_init, opaque_unknown};
