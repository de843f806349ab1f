// schema.h -- scalar kernels: what one thread does, as a tree of typed statements and expressions.
//
//   kernel.py --front.h--> tree --check.h--> checked tree --interpret.h--> results
//                           ^  |                        `---write_c.h--> C --build.h--> library --klr_schema.h--> launch
//             read_json.h --'  '--> write_json.h
//
// A tree comes from Python or from JSON; both are trusted with nothing. `schema_check` refuses what has no meaning, gives
// every expression its type, makes every change of type a `cast` node and resolves names. What comes after it reads
// checked trees only and can neither fail nor convert. docs/schema.md is the reference of the language.

#pragma once
#include "base/session.h"

// ---- types

typedef enum Scalar {
#define SCALAR(enumerator, name, bytes, kind, c_type, numpy_name, doc) SCALAR_##enumerator,
#include "schema/types.def"
  SCALAR_COUNT,
  SCALAR_WEAK_INT = SCALAR_COUNT,  // a literal before the checker has found the type it takes from where it stands
  SCALAR_WEAK_FLOAT,
  SCALAR_NONE  // no value: of calls that return nothing; of a name before its first assignment is seen
} Scalar;

typedef enum ScalarKind { SCALAR_KIND_BOOL, SCALAR_KIND_SIGNED, SCALAR_KIND_UNSIGNED, SCALAR_KIND_FLOAT } ScalarKind;

typedef struct ScalarInfo {
  const char *name;
  uint32_t bytes;
  ScalarKind kind;
  const char *c_type, *numpy_name, *doc;
} ScalarInfo;

const ScalarInfo *scalar_info(Scalar scalar);          // below SCALAR_COUNT
const char *scalar_name(Scalar scalar);                // "f32", "an integer literal", ...
bool scalar_find(Str name, Scalar *out);               // aliases too
static inline bool scalar_is_float(Scalar s) { return s >= SCALAR_F16 && s <= SCALAR_F64; }
static inline bool scalar_is_signed(Scalar s) { return s >= SCALAR_I8 && s <= SCALAR_I64; }
static inline bool scalar_is_integer(Scalar s) { return s >= SCALAR_I8 && s <= SCALAR_U64; }

typedef struct SchemaType {
  Scalar scalar;
  bool is_array;  // of `scalar`, one dimension; its length comes with it at launch
} SchemaType;

// ---- operators and functions

typedef enum SchemaOpClass { OP_CLASS_ARITHMETIC, OP_CLASS_DIVIDE, OP_CLASS_INTEGER, OP_CLASS_SHIFT, OP_CLASS_COMPARE, OP_CLASS_LOGIC } SchemaOpClass;
typedef enum SchemaCallClass {
  CALL_CLASS_ID, CALL_CLASS_FLOAT, CALL_CLASS_NUMBER, CALL_CLASS_TEST, CALL_CLASS_INTEGER, CALL_CLASS_AS, CALL_CLASS_ATOMIC, CALL_CLASS_BARRIER
} SchemaCallClass;

typedef enum SchemaBinary {
#define BINARY(name, python, class, doc) BINARY_##name,
#include "schema/operators.def"
  BINARY_COUNT
} SchemaBinary;

typedef enum SchemaUnary {
#define UNARY(name, python, class, doc) UNARY_##name,
#include "schema/operators.def"
  UNARY_COUNT
} SchemaUnary;

typedef enum SchemaBuiltin {
#define CALL(name, least, most, class, doc) BUILTIN_##name,
#include "schema/calls.def"
  BUILTIN_COUNT,
  BUILTIN_NONE = BUILTIN_COUNT
} SchemaBuiltin;

typedef struct SchemaOpInfo {
  const char *name, *python, *doc;
  SchemaOpClass class;
} SchemaOpInfo;

typedef struct SchemaBuiltinInfo {
  const char *name, *doc;
  int least, most;
  SchemaCallClass class;
} SchemaBuiltinInfo;

const SchemaOpInfo *schema_binary_info(SchemaBinary op);
SchemaBinary schema_mirrored(SchemaBinary op);  // of a comparison: b OP a is a < b
const SchemaOpInfo *schema_unary_info(SchemaUnary op);
const SchemaBuiltinInfo *schema_builtin_info(SchemaBuiltin builtin);
Scalar schema_as_type(SchemaBuiltin builtin);  // of class AS: the type that ends its name

// A builtin by any of its spellings; BUILTIN_NONE: none. `*at_zero`: the spelling leaves out an atomic's index.
SchemaBuiltin schema_builtin_find(Str name, bool *at_zero);

// ---- places: where in the Python file a node stands

typedef struct JsonPath JsonPath;

typedef struct SchemaPlace {
  Span span;                                  // when the file was parsed in this session
  uint32_t line, column, end_line, end_column;  // lines from 1, columns in bytes from 0, as Python has them; 0: unknown
  const JsonPath *json;                       // in a document; NULL: comes from Python
} SchemaPlace;

// ---- the tree. Nodes live in the file's arena.

typedef struct SchemaNode SchemaNode;
typedef struct SchemaVar SchemaVar;
typedef struct SchemaFunction SchemaFunction;

typedef struct SchemaList {
  SchemaNode **items;
  uint32_t count;
} SchemaList;

typedef struct SchemaLiteral {
  enum { LITERAL_BOOL, LITERAL_INT, LITERAL_FLOAT } kind;  // of a checked node the kind of its type
  bool is_negative;  // INT: the number is -magnitude
  uint64_t magnitude;
  double real;       // FLOAT
} SchemaLiteral;

typedef const Name *SchemaField_NAME;
typedef SchemaNode *SchemaField_EXPR;
typedef SchemaNode *SchemaField_OPT_EXPR;  // NULL: absent
typedef SchemaList SchemaField_EXPRS;
typedef SchemaList SchemaField_STMTS;
typedef SchemaList SchemaField_OPT_STMTS;  // no items: absent
typedef Str SchemaField_TEXT;
typedef SchemaLiteral SchemaField_LITERAL;
typedef Scalar SchemaField_SCALAR;
typedef Scalar SchemaField_OPT_SCALAR;  // SCALAR_NONE: absent
typedef SchemaBinary SchemaField_BINARY;
typedef SchemaUnary SchemaField_UNARY;

typedef enum SchemaFieldKind {
  SCHEMA_FIELD_NAME, SCHEMA_FIELD_EXPR, SCHEMA_FIELD_OPT_EXPR, SCHEMA_FIELD_EXPRS, SCHEMA_FIELD_STMTS,
  SCHEMA_FIELD_OPT_STMTS, SCHEMA_FIELD_TEXT, SCHEMA_FIELD_LITERAL, SCHEMA_FIELD_SCALAR, SCHEMA_FIELD_OPT_SCALAR,
  SCHEMA_FIELD_BINARY, SCHEMA_FIELD_UNARY
} SchemaFieldKind;

static inline bool schema_field_is_optional(SchemaFieldKind kind)
{
  return kind == SCHEMA_FIELD_OPT_EXPR || kind == SCHEMA_FIELD_OPT_STMTS || kind == SCHEMA_FIELD_OPT_SCALAR;
}

typedef enum SchemaKind {
#define STMT(name, json, since, doc) SCHEMA_##name,
#define EXPR(name, json, since, doc) SCHEMA_##name,
#include "schema/nodes.def"
  SCHEMA_KIND_COUNT
} SchemaKind;

// Every node begins with this; `SCHEMA_AS(let, node)->value` reads the fields that follow. What stands after `place`
// is the checker's.
struct SchemaNode {
  SchemaKind kind;
  SchemaPlace place;
  SchemaType type;        // of expressions
  SchemaVar *var;         // what the name means in `let`, `for`, `shared` and `var`
  SchemaBuiltin builtin;  // of `call` and `perform`; BUILTIN_NONE: `callee` is called
  SchemaFunction *callee;
};

#define STMT(name, json, since, doc) typedef struct Schema_##name { SchemaNode node;
#define EXPR(name, json, since, doc) typedef struct Schema_##name { SchemaNode node;
#define FIELD(member, json, kind) SchemaField_##kind member;
#define END(name) } Schema_##name;
#include "schema/nodes.def"

// The fields of a node whose kind is `name`; a node of another kind is a bug.
#define SCHEMA_AS(name, node_) ((Schema_##name *)schema_expect((node_), SCHEMA_##name))
SchemaNode *schema_expect(const SchemaNode *node, SchemaKind kind);

typedef struct SchemaFieldInfo {
  const char *json;
  SchemaFieldKind kind;
  uint32_t offset;  // from the node's start
} SchemaFieldInfo;

typedef struct SchemaKindInfo {
  const char *json, *doc;
  int since;            // 10 or 11
  bool is_statement;
  uint32_t bytes;       // of the struct
  const SchemaFieldInfo *fields;
  uint32_t field_count;
} SchemaKindInfo;

SchemaKindInfo schema_kind_info(SchemaKind kind);
bool schema_kind_find(Str json, bool is_statement, SchemaKind *out);
static inline void *schema_field(const SchemaNode *node, const SchemaFieldInfo *field) { return (char *)node + field->offset; }

// A node with zeroed fields; scalars are SCALAR_NONE.
SchemaNode *schema_node(Arena *arena, SchemaKind kind, SchemaPlace place);

// A copy of everything below, without what the checker has found.
SchemaNode *schema_clone(Arena *arena, const SchemaNode *node);
SchemaList schema_clone_list(Arena *arena, SchemaList list);

// ---- names, functions, files

typedef enum SchemaVarKind { VAR_PARAMETER, VAR_LOCAL, VAR_SHARED, VAR_CONSTANT } SchemaVarKind;
typedef enum SchemaDirection { DIRECTION_NONE, DIRECTION_IN, DIRECTION_OUT, DIRECTION_INOUT } SchemaDirection;

const char *schema_direction_name(SchemaDirection direction);  // "none", "in", "out", "inout"

struct SchemaVar {
  const Name *name;
  SchemaVarKind kind;
  SchemaType type;
  uint32_t index;             // among the parameters, or among the locals and shared arrays of its function
  SchemaDirection direction;  // arrays among parameters: what the function does with the elements
  uint64_t size;              // SHARED: elements
  const SchemaNode *value;    // CONSTANT: a literal
  bool is_declared;           // LOCAL: the source says its type
  uint32_t assignments;       // LOCAL: how many statements assign it
  SchemaPlace place;          // of its declaration or first assignment
};

// A kernel, or a function that kernels call. Functions that call each other in a circle are refused.
struct SchemaFunction {
  const Name *name;
  bool is_kernel;
  Str doc;                   // its docstring, cleaned as `inspect.cleandoc` does; may be empty
  Vec(SchemaVar *) params;
  SchemaType returns;        // SCALAR_NONE: no value
  bool has_declared_return;  // `returns` was written down, not found
  SchemaList body;
  SchemaPlace place;         // of its `def` line
  // Once checked:
  Vec(SchemaVar *) locals;   // every other name that is assigned, shared arrays included
  uint32_t levels;           // that its statements and expressions are nested, with those of what it calls
  uint32_t dims;             // 1 + the largest dimension that ids are asked for; 0: no id, one thread runs it
  bool uses_groups;          // local or group ids, shared arrays or barriers
  bool uses_atomics;
  bool has_whole;            // `parallel_*` statements
  bool has_barriers;
  // How many threads are needed, from the guard: `if id < E:` around everything, or `if id >= E: return` before anything
  // with an effect. Expressions over scalar parameters and literals, of type i64 or u64; NULL: not known, the launch must say.
  SchemaNode *grid[3];
  SchemaNode *from[3];    // the first thread that the guard lets through, as `if 0 < id < E:` has one; NULL: 0
  // The `if` of that guard when its condition says no more than `grid` and `from` do, of all dimensions: loops over these need no guard.
  const SchemaNode *guard;
};

typedef struct SchemaClaims SchemaClaims;

typedef struct SchemaFile {
  Arena *arena;
  Session *session;
  const char *path;   // of the Python source, as it was given; may be empty
  const char *document;  // the JSON file it was read from; NULL: none
  Str source_hash;    // 16 hexadecimal digits, XXH3 of the Python source; empty: unknown
  int version;        // as read: 10 or 11
  Vec(SchemaVar *) constants;      // of the module, those that are used
  Vec(SchemaFunction *) functions;  // kernels and what they call; in source order, once checked callees first
  Vec(SchemaFunction *) checked;    // the checker's: what it is done with
  SchemaClaims *claims;      // read_json.c: what a document says of types; NULL: nothing
  bool is_checked;
} SchemaFile;

SchemaFile *schema_file_new(Session *session, Arena *arena, const char *path);
SchemaFunction *schema_find_function(const SchemaFile *file, const Name *name);  // NULL: none

// Reports at a place of `file`: a span when the source is at hand, else path and line, and the place in the document when it comes from one.
Diag *schema_error(const SchemaFile *file, SchemaPlace place, DiagCode code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Every node below `node`, itself first, in the order of evaluation as far as it is fixed.
typedef void SchemaVisit(SchemaNode *node, void *context);
void schema_walk(SchemaNode *node, SchemaVisit *visit, void *context);
void schema_walk_list(SchemaList list, SchemaVisit *visit, void *context);

// Whether two expressions of names, literals, casts and operators are the same to the letter: equal wherever nothing is assigned between them.
bool schema_same_value(const SchemaNode *a, const SchemaNode *b);

// The name that a `let`, a `for` or an `assign` gives a value to; NULL: none.
const SchemaVar *schema_assigned_by(const SchemaNode *node);

// An expression as Python again, for people: integer casts that the checker has put there are left out.
void schema_print_expression(const SchemaNode *node, StrBuf *out);

// A checked file as Python again, with everything that the checker has found: `klr schema dump`.
void schema_print(const SchemaFile *file, StrBuf *out);

// How far statements and expressions may be nested: what comes after the readers may recurse over the tree.
enum {
  SCHEMA_DEEPEST = 200,                         // levels that a source may have, casts that the checker writes aside
  SCHEMA_DEEPEST_CHECKED = 2 * SCHEMA_DEEPEST + 2  // with them: at most two for an element that is loaded and brought to a type
};

// The first node of `list` that is nested too far, counted in both ways; NULL: none.
const SchemaNode *schema_find_too_deep(SchemaList list);
