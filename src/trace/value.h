// value.h -- the values of the traced program: Python's, in 16 bytes each.
//
// Numbers that fit are held in the value itself; everything else is a pointer into the tracer's arena and lives as long as
// the trace. Values the tracer does not know (tensors, registers, element types, ...) are native objects: a pointer to a
// structure whose first member is its NativeType, a table of what the language can do with it.

#pragma once
#include "base/session.h"
#include "syntax/ast.h"

typedef struct Tracer Tracer;
typedef struct Frame Frame;
typedef struct Function Function;
typedef struct ModuleObject ModuleObject;
typedef struct NativeType NativeType;
typedef struct Class Class;

typedef enum ValueTag {
  VALUE_UNDEFINED,  // an unset variable, an argument left out
  VALUE_LAZY,       // in module tables only: an imported name whose module has not been needed yet
  VALUE_NONE,
  VALUE_BOOL,
  VALUE_INT,      // fits 64 bits; always, when it does
  VALUE_BIG_INT,  // does not fit
  VALUE_FLOAT,
  VALUE_STR,
  VALUE_BYTES,
  VALUE_TUPLE,
  VALUE_LIST,
  VALUE_DICT,
  VALUE_SET,
  VALUE_FROZENSET,
  VALUE_DICT_VIEW,
  VALUE_RANGE,
  VALUE_SLICE,
  VALUE_ELLIPSIS,
  VALUE_NOT_IMPLEMENTED,
  VALUE_FUNCTION,
  VALUE_METHOD,   // a function bound to its first argument
  VALUE_BUILTIN,  // a C function, perhaps bound to `self`
  VALUE_CLASS,
  VALUE_INSTANCE,
  VALUE_MODULE,
  VALUE_ITERATOR,
  VALUE_OPAQUE,  // known by name only: an error once it is used
  VALUE_CELL,    // in frame slots only: a variable shared with inner functions
  // Native objects; the first three have their own tags so that they are recognised at a glance.
  VALUE_TENSOR,
  VALUE_REGISTER,
  VALUE_DTYPE,
  VALUE_OBJECT,
  VALUE_TAG_COUNT
} ValueTag;

// What every native object begins with.
typedef struct NativeObject {
  const NativeType *type;
} NativeObject;

typedef struct Value {
  uint32_t tag;  // ValueTag
  uint32_t extra;
  union {
    bool boolean;
    int64_t integer;
    double real;
    struct BigInt *big;
    struct String *string;  // STR, BYTES
    struct Tuple *tuple;
    struct List *list;
    struct Dict *dict;  // DICT, SET, FROZENSET
    struct DictView *view;
    struct Range *range;
    struct Slice *slice;
    Function *function;
    struct Method *method;
    struct Builtin *builtin;
    Class *class;
    struct Instance *instance;
    ModuleObject *module;
    struct Iterator *iterator;
    struct Opaque *opaque;
    struct Cell *cell;
    struct Lazy *lazy;
    NativeObject *object;
    void *pointer;
  };
} Value;

_Static_assert(sizeof(Value) == 16, "a value is two words");

typedef struct BigInt {
  int32_t size;  // limbs, negative for negative numbers, as in GMP
  unsigned long limbs[];
} BigInt;

typedef struct String {
  Str text;            // UTF-8, NUL-terminated; lone surrogates as three bytes
  size_t code_points;  // length as Python counts it; equal to text.len when all ASCII
  uint64_t hash;       // 0: not computed
  const Name *name;    // the interned text, once somebody asked
} String;

typedef struct Tuple {
  size_t count;
  Value items[];
} Tuple;

typedef struct List {
  Value *items;
  size_t count, capacity;
} List;

typedef struct DictEntry {
  uint64_t hash;
  Value key;  // UNDEFINED: deleted
  Value value;
} DictEntry;

// A hash table in insertion order. Sets use it too, with None as values.
typedef struct Dict {
  DictEntry *entries;
  uint32_t used, capacity;  // entries in use, deleted ones included
  uint32_t count;           // live entries
  uint32_t slot_count;      // power of two; 0: search linearly
  uint32_t *slots;          // index + 1; 0: free
  Value default_factory;    // of a defaultdict; UNDEFINED: a plain dict
} Dict;

typedef enum DictViewKind { DICT_KEYS, DICT_VALUES, DICT_ITEMS } DictViewKind;
typedef struct DictView {
  DictViewKind kind;
  Dict *dict;
} DictView;

typedef struct Range {
  int64_t start, stop, step, length;
} Range;

typedef struct Slice {
  Value start, stop, step;
} Slice;

typedef struct Cell {
  Value value;
} Cell;

// Attributes by interned name, in insertion order: module globals, class bodies, instance dictionaries.
typedef struct Attr {
  const Name *name;
  Value value;  // UNDEFINED: reserved or deleted
} Attr;

typedef struct AttrTable {
  Attr *items;
  uint32_t count, capacity;
  uint32_t *slots;  // when there are more than a handful
  uint32_t slot_count;
} AttrTable;

typedef struct Method {
  Value function;  // FUNCTION, or anything callable
  Value self;
} Method;

// The arguments of a call: positional values, then keyword values with their names.
typedef struct Call {
  Value self;           // of a bound builtin; else UNDEFINED
  const Value *args;    // [positional + keyword_count]
  uint32_t positional;
  uint32_t keyword_count;
  const Name *const *keywords;  // [keyword_count]
  Span span;                    // the whole call expression
  const Expr *expr;             // EXPR_Call, or NULL when the call was not written as one
} Call;

// A function of ours. `call->args` has been bound to the signature when there is one: one value for each parameter in
// order, UNDEFINED where an optional one was left out; without a signature the arguments are as the caller gave them.
typedef bool NativeFn(Tracer *t, const Call *call, Value *out);

// {"name", function, "signature"}. Signature: parameter names separated by spaces; `x?` may be left out; `/` ends the
// positional-only ones, `*` begins the keyword-only ones; `*name` takes the rest as a tuple, `**name` as a dict.
// NULL: any arguments, unchecked; "" : none.
typedef struct NativeMethod {
  const char *name;
  NativeFn *function;
  const char *signature;
} NativeMethod;

struct NativeSignature;
typedef struct Builtin {
  const char *name;
  NativeFn *function;
  const struct NativeSignature *signature;  // NULL: as given
  Value self;                               // UNDEFINED: a free function
  bool is_method;                           // without `self`, the first argument is it
  Class *owner;                             // of a method
} Builtin;

typedef enum ClassFlags {
  CLASS_BUILTIN = 1,      // int, list, ValueError, ...
  CLASS_EXCEPTION = 2,
  CLASS_ENUM = 4,
  CLASS_DATACLASS = 8,
  CLASS_FROZEN = 16,      // dataclass(frozen=True)
  CLASS_NKI_OBJECT = 32,  // gets the initialiser that NKI generates
  CLASS_NAMED_TUPLE = 64,
  CLASS_ORDER = 128,      // dataclass(order=True)
  CLASS_NO_EQ = 256,      // dataclass(eq=False)
  CLASS_ABSTRACT = 512,   // typing constructs that are only annotations
  CLASS_FLAG = 1024,      // Enum whose members combine
} ClassFlags;

typedef struct ClassField {  // of dataclasses, named tuples and NKI objects
  const Name *name;
  Value value;    // the default; UNDEFINED: required
  Value factory;  // default_factory; UNDEFINED: none
  bool init, repr, compare, keyword_only, init_var;
} ClassField;

struct Class {
  const Name *name;
  const char *qualname;
  ModuleObject *module;  // NULL: builtin
  Span span;
  uint32_t flags;
  ValueTag holds;  // the tag of what instances wrap (int, str, tuple, ...); UNDEFINED: nothing
  AttrTable attrs;
  Class **bases;
  uint32_t base_count;
  Class **mro;  // this class first
  uint32_t mro_count;
  Vec(ClassField) fields;
  Vec(Value) members;                  // of an Enum, in order of definition, without aliases
  Vec(Value) combinations;             // of a Flag, as they were made
  const NativeType *native;            // class of native objects
  NativeFn *construct;                 // builtin: `Class(...)`; call->self is the class
  const struct NativeSignature *construct_signature;
  bool has_own_getattr, has_setattr;   // __getattr__ / __setattr__ somewhere in the mro
  bool has_properties;                 // somewhere in the mro
  bool no_init, no_repr;               // dataclass(init=False, repr=False)
};

typedef struct Instance {
  Class *class;
  AttrTable attrs;
  Value held;  // what an instance of a subclass of int, str, tuple, list, dict, ... wraps; UNDEFINED: nothing
  Diag *diag;  // of an exception that was raised: how it will be reported if nobody catches it
} Instance;

typedef struct Opaque {
  const char *path;  // "scipy.linalg.circulant"
  Span origin;       // the import or the statement that failed
  Diag *reason;      // why it has no value; NULL: it comes from a module that is not available
} Opaque;

// Steps on; *done at the end. False after an error.
typedef struct Iterator Iterator;
typedef bool IteratorNext(Tracer *t, Iterator *iterator, Value *out, bool *done);
struct Iterator {
  const char *name;  // "list_iterator"
  IteratorNext *next;
  Value source, extra;
  int64_t index, stop, step;
  bool exhausted;
};

// ---- native objects

typedef enum Outcome {
  OUTCOME_ERROR,    // an exception was raised
  OUTCOME_MISSING,  // no such attribute, operation not implemented: the caller decides
  OUTCOME_OK
} Outcome;

// What the language can do with a kind of native object. Any function may be NULL: not supported (hash and equality:
// identity; truth: always true; repr: `<name>`).
struct NativeType {
  const char *name;               // as type(x).__name__
  const NativeMethod *methods;    // ends with a NULL name
  bool runtime_truth;             // `if` and `while` on it go to the device hooks
  bool runtime_loop;              // `for` over it goes to the device hook
  bool loops_give_ints;           // documentation of iterators like affine_range; the evaluator uses `iterate`
  Outcome (*getattr)(Tracer *t, Value self, const Name *name, Span span, Value *out);  // after `methods`
  Outcome (*setattr)(Tracer *t, Value self, const Name *name, Value value, Span span);
  Outcome (*getitem)(Tracer *t, Value self, Value key, Span span, Value *out);
  Outcome (*setitem)(Tracer *t, Value self, Value key, Value value, Span span);
  Outcome (*call)(Tracer *t, Value self, const Call *call, Value *out);
  // One operand is of this type, perhaps both.
  Outcome (*binary)(Tracer *t, Operator op, Value left, Value right, Span span, Value *out);
  Outcome (*compare)(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out);  // Eq ... GtE
  Outcome (*unary)(Tracer *t, UnaryOp op, Value operand, Span span, Value *out);            // not `not`
  Outcome (*truth)(Tracer *t, Value self, Span span, bool *out);
  Outcome (*hash)(Tracer *t, Value self, uint64_t *out);
  Outcome (*length)(Tracer *t, Value self, Span span, int64_t *out);
  Outcome (*iterate)(Tracer *t, Value self, Span span, Value *iterable);  // anything that can be iterated over
  Outcome (*enter)(Tracer *t, Value self, Span span, Value *out);         // `with`
  Outcome (*exit)(Tracer *t, Value self, Span span);
  void (*repr)(Tracer *t, Value self, StrBuf *out);
  void (*str)(Tracer *t, Value self, StrBuf *out);  // NULL: repr
};

// ---- making values

#define VALUE_OF(tag_, field, payload) ((Value){.tag = (tag_), .field = (payload)})
static inline Value value_none(void) { return (Value){.tag = VALUE_NONE}; }
static inline Value value_undefined(void) { return (Value){.tag = VALUE_UNDEFINED}; }
static inline Value value_bool(bool b) { return (Value){.tag = VALUE_BOOL, .integer = b}; }
static inline Value value_int(int64_t i) { return (Value){.tag = VALUE_INT, .integer = i}; }
static inline Value value_float(double d) { return (Value){.tag = VALUE_FLOAT, .real = d}; }
static inline Value value_object(ValueTag tag, NativeObject *object) { return (Value){.tag = tag, .object = object}; }
static inline Value value_class(Class *class) { return (Value){.tag = VALUE_CLASS, .class = class}; }
static inline bool value_is_native(Value v) { return v.tag >= VALUE_TENSOR; }
static inline bool value_is_set(Value v) { return v.tag != VALUE_UNDEFINED; }

Value value_str(Tracer *t, Str text);        // copies; text must be UTF-8 (or our surrogate form)
Value value_str_own(Tracer *t, Str text);    // keeps the bytes, which must be NUL-terminated and live as long
Value value_cstr(Tracer *t, const char *text);
Value value_name(Tracer *t, const Name *name);
Value value_bytes(Tracer *t, Str bytes);
Value value_tuple(Tracer *t, const Value *items, size_t count);  // copies the items; items may be NULL to fill in later
Value value_list(Tracer *t, const Value *items, size_t count);
Value value_dict(Tracer *t);
Value value_set(Tracer *t, bool frozen);
Value value_range(Tracer *t, int64_t start, int64_t stop, int64_t step);
Value value_slice(Tracer *t, Value start, Value stop, Value step);
Value value_builtin(Tracer *t, const char *name, NativeFn *function, const char *signature, Value self);
Value value_opaque(Tracer *t, const char *path, Span origin, Diag *reason);
Value value_iterator(Tracer *t, const char *name, IteratorNext *next, Value source);
const Name *string_name(Tracer *t, String *string);

// ---- containers

void list_push(Tracer *t, List *list, Value item);
// Keys may be any hashable value; an unhashable one raises TypeError and gives OUTCOME_ERROR.
Outcome dict_get(Tracer *t, const Dict *dict, Value key, Value *out);
bool dict_set(Tracer *t, Dict *dict, Value key, Value value);
Outcome dict_delete(Tracer *t, Dict *dict, Value key);
void dict_clear(Dict *dict);
Outcome dict_get_str(Tracer *t, const Dict *dict, const char *key, Value *out);

Value *attr_find(const AttrTable *table, const Name *name);  // NULL: absent
uint32_t attr_reserve(Arena *arena, AttrTable *table, const Name *name);  // index; the entry may be UNDEFINED
void attr_set(Arena *arena, AttrTable *table, const Name *name, Value value);

// ---- reading values

bool value_is_str(Value v, const char *text);
// Items of a tuple or list (or of an instance of a subclass of them); false when it is neither.
bool value_sequence(Value v, const Value **items, size_t *count);
Value value_unwrap(Value v);  // what an instance of a subclass of int, str, ... holds; else the value itself
// An int or bool (or an IntEnum member) as int64; false when it is not one or does not fit.
bool value_as_int(Value v, int64_t *out);
// An int, bool or float as double; false otherwise, or when an int is too large.
bool value_as_double(Value v, double *out);
const char *value_type_name(Tracer *t, Value v);  // "int", "list", the class of an instance, ...
