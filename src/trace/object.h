// object.h -- functions, classes and instances.

#pragma once
#include "trace/scope.h"

struct Function {
  const FunctionCode *code;
  const Name *name;
  const char *qualname;
  ModuleObject *module;
  Value *defaults;     // of the last positional parameters
  uint32_t default_count;
  Value *keyword_defaults;  // [code->keyword_only]; UNDEFINED: required
  Cell **cells;             // [code->free_count]
  AttrTable attrs;
  Class *owner;  // the class whose body defined it, for super()
  Span span;
};

// staticmethod, classmethod and property, and what super() gives.
typedef struct Descriptor {
  NativeObject head;
  Value get, set, remove;  // property; the others only `get`
} Descriptor;
extern const NativeType staticmethod_type, classmethod_type, property_type, super_type;

typedef struct SuperObject {
  NativeObject head;
  Class *start;  // the search begins after it in the mro
  Value self;    // an instance or a class
} SuperObject;

#define BUILTIN_CLASSES(X)                                                                                             \
  X(object) X(type) X(int) X(bool) X(float) X(str) X(bytes) X(tuple) X(list) X(dict) X(set) X(frozenset) X(range)      \
  X(slice) X(NoneType) X(ellipsis) X(NotImplementedType) X(function) X(method) X(builtin_function_or_method) X(module) \
  X(iterator) X(opaque) X(dict_keys) X(dict_values) X(dict_items) X(enumerate) X(zip) X(map) X(filter) X(reversed)     \
  X(property) X(staticmethod) X(classmethod) X(super) X(Enum) X(IntEnum) X(Flag) X(IntFlag) X(StrEnum) X(NamedTuple)   \
  X(BaseException) X(Exception) X(NKIObject) X(auto) X(field) X(defaultdict) X(OrderedDict) X(Counter) X(ABC)          \
  X(TypedDict) X(Protocol) X(Generic) X(partial)

typedef struct Builtins {
#define X(name) Class *class_##name;
  BUILTIN_CLASSES(X)
#undef X
#define X(name) const Name *name;
#define DUNDERS(X)                                                                                                     \
  X(__init__) X(__new__) X(__post_init__) X(__call__) X(__getattr__) X(__setattr__) X(__delattr__) X(__getitem__)      \
  X(__setitem__) X(__delitem__) X(__len__) X(__iter__) X(__next__) X(__contains__) X(__eq__) X(__ne__) X(__lt__)       \
  X(__le__) X(__gt__) X(__ge__) X(__hash__) X(__bool__) X(__repr__) X(__str__) X(__format__) X(__index__) X(__int__)   \
  X(__float__) X(__abs__) X(__neg__) X(__pos__) X(__invert__) X(__round__) X(__enter__) X(__exit__) X(__name__)        \
  X(__qualname__) X(__module__) X(__doc__) X(__dict__) X(__class__) X(__bases__) X(__mro__) X(__annotations__)         \
  X(__members__) X(__file__) X(__init_subclass__) X(__set_name__) X(__class_getitem__) X(__reversed__) X(__missing__)  \
  X(__wrapped__) X(__getattribute__) X(__match_args__) X(__all__) X(__path__) X(__package__) X(__slots__) X(__get__)   \
  X(__self__) X(__dataclass_fields__) X(__defaults__) X(__code__) X(__trunc__) X(__floor__) X(__ceil__)    \
  X(args) X(name) X(value) X(_value_) X(_name_) X(_missing_) X(_generate_next_value_) X(_fields) X(__divmod__)         \
  X(__cause__) X(__context__) X(__traceback__) X(__subclasses__) X(__pow__) X(_ignore_) X(__rdivmod__)
  DUNDERS(X)
#undef X
} Builtins;

Value function_new(Tracer *t, Frame *frame, const FunctionCode *code, Span span, const Ast_arguments *args);

// Classes.
Class *class_new(Tracer *t, const char *name, uint32_t flags);
Value *class_find(const Class *class, const Name *name);  // through the mro; NULL: absent
bool class_make(Tracer *t, const Name *name, Class **bases, uint32_t base_count, AttrTable *names, ModuleObject *module,
                Span span, Value *out);
bool class_call(Tracer *t, Class *class, const Call *call, Value *out);
Outcome class_getattr(Tracer *t, Class *class, const Name *name, Span span, Value *out);
bool class_mro(Tracer *t, Class *class, Span span);
bool class_add_methods(Tracer *t, Class *class, const NativeMethod *methods);

Value instance_new(Tracer *t, Class *class);
// The special method of an instance's class, not bound; NULL: none, or only that of `object`.
Value *instance_special(Value instance, const Name *name);
// Calls it: MISSING when the class has none.
Outcome call_special(Tracer *t, Value instance, const Name *name, const Value *args, uint32_t count, Span span,
                     Value *out);

// Enumerations, data classes, named tuples (class_kinds.c).
bool enum_finish(Tracer *t, Class *class, AttrTable *names, Span span);
bool enum_lookup(Tracer *t, Class *class, Value value, Span span, Value *out);
bool dataclass_fields(Tracer *t, Class *class, Span span);
bool dataclass_decorate(Tracer *t, Class *class, uint32_t flags, bool init, bool repr, bool keyword_only, Span span);
bool dataclass_init(Tracer *t, Class *class, Value self, const Call *call);
bool dataclass_repr(Tracer *t, Value self, Span span, StrBuf *out);
bool named_tuple_finish(Tracer *t, Class *class, Span span);

// Exceptions.
Value exception_new(Tracer *t, Class *class, const Value *args, uint32_t count);
Class *exception_class(Tracer *t, const char *name);
bool raise_value(Tracer *t, Value exception, Span span);  // as `raise exception`; returns false
bool raise_key_error(Tracer *t, Value key, Span span);
// MISSING: an exception of the class is being raised, now caught (and dropped); else unchanged.
bool exception_matches(Tracer *t, const char *class_name);

// Calls.
typedef struct NativeSignature {
  const Name **names;
  uint32_t count, positional_only, positional;  // `positional` counts the positional-only ones too
  uint32_t required_mask;
  int rest, keyword_rest;  // index of *name, **name; -1: none
} NativeSignature;
const NativeSignature *native_signature(Tracer *t, const char *signature);
bool native_bind(Tracer *t, const char *name, const NativeSignature *signature, const Call *call, Value *bound);
bool call_builtin(Tracer *t, const Builtin *builtin, const Call *call, Value *out);
bool call_function(Tracer *t, Function *function, const Call *call, Value *out);
bool eval_call(Tracer *t, Frame *frame, const Expr *expr, Value *out);
// Runs a function whose parameters are in `slots` (its frame's slots, reserved on the value stack).
bool run_function(Tracer *t, Function *function, Value *slots, Span span, Value *out);
