// tree.c -- the tables behind scalar kernels, and the tree that is made of them.

#include "schema/schema.h"
#include "base/bug.h"
#include "schema/json.h"

#include <stdarg.h>
#include <stddef.h>

// ---- types

static const ScalarInfo SCALARS[] = {
#define SCALAR(enumerator, name, bytes, kind, c_type, numpy_name, doc)                                                 \
  {name, bytes, SCALAR_KIND_##kind, c_type, numpy_name, doc},
#include "schema/types.def"
};

const ScalarInfo *scalar_info(Scalar scalar)
{
  if (scalar >= SCALAR_COUNT)
    bug("scalar type %d", (int)scalar);
  return &SCALARS[scalar];
}

const char *scalar_name(Scalar scalar)
{
  switch (scalar) {
  case SCALAR_WEAK_INT: return "an integer literal";
  case SCALAR_WEAK_FLOAT: return "a float literal";
  case SCALAR_NONE: return "no value";
  default: return scalar_info(scalar)->name;
  }
}

bool scalar_find(Str name, Scalar *out)
{
  static const struct { const char *name; Scalar scalar; } ALIASES[] = {
#define TYPE_ALIAS(name, enumerator) {name, SCALAR_##enumerator},
#include "schema/types.def"
  };
  for (size_t i = 0; i < SCALAR_COUNT; i++)
    if (str_is(name, SCALARS[i].name))
      return *out = (Scalar)i, true;
  for (size_t i = 0; i < sizeof ALIASES / sizeof *ALIASES; i++)
    if (str_is(name, ALIASES[i].name))
      return *out = ALIASES[i].scalar, true;
  return false;
}

// ---- operators and functions

const SchemaOpInfo *schema_binary_info(SchemaBinary op)
{
  static const SchemaOpInfo INFOS[] = {
#define BINARY(name, python, class, doc) {#name, python, doc, OP_CLASS_##class},
#include "schema/operators.def"
  };
  return &INFOS[op];
}

const SchemaOpInfo *schema_unary_info(SchemaUnary op)
{
  static const SchemaOpInfo INFOS[] = {
#define UNARY(name, python, class, doc) {#name, python, doc, OP_CLASS_##class},
#include "schema/operators.def"
  };
  return &INFOS[op];
}

const SchemaBuiltinInfo *schema_builtin_info(SchemaBuiltin builtin)
{
  static const SchemaBuiltinInfo INFOS[] = {
#define CALL(name, least, most, class, doc) {#name, doc, least, most, CALL_CLASS_##class},
#include "schema/calls.def"
  };
  return &INFOS[builtin];
}

Scalar schema_as_type(SchemaBuiltin builtin)
{
  Scalar type = SCALAR_NONE;
  if (!scalar_find(str_from(schema_builtin_info(builtin)->name + strlen("as_")), &type))
    bug("`%s` ends in no type", schema_builtin_info(builtin)->name);
  return type;
}

SchemaBinary schema_mirrored(SchemaBinary op)
{
  switch (op) {
  case BINARY_lt: return BINARY_gt;
  case BINARY_le: return BINARY_ge;
  case BINARY_gt: return BINARY_lt;
  case BINARY_ge: return BINARY_le;
  default: return op;
  }
}

SchemaBuiltin schema_builtin_find(Str name, bool *at_zero)
{
  static const struct { const char *name, *of; bool at_zero; } ALIASES[] = {
#define CALL_ALIAS(name, of) {name, of, false},
#define ATOMIC_ALIAS(name, of) {name, of, true},
#include "schema/calls.def"
  };
  *at_zero = false;
  for (size_t i = 0; i < sizeof ALIASES / sizeof *ALIASES; i++)
    if (str_is(name, ALIASES[i].name)) {
      *at_zero = ALIASES[i].at_zero;
      name = str_from(ALIASES[i].of);
      break;
    }
  for (SchemaBuiltin i = 0; i < BUILTIN_COUNT; i++)
    if (str_is(name, schema_builtin_info(i)->name))
      return i;
  return BUILTIN_NONE;
}

// ---- kinds of nodes

typedef const SchemaFieldInfo *FieldsFn(uint32_t *count);

#define STMT(name, json, since, doc)                                                                                   \
  static const SchemaFieldInfo *fields_of_##name(uint32_t *count)                                                      \
  {                                                                                                                    \
    typedef Schema_##name Self;                                                                                        \
    static const SchemaFieldInfo fields[] = {
#define EXPR(name, json, since, doc) STMT(name, json, since, doc)
#define FIELD(member, json, kind) {json, SCHEMA_FIELD_##kind, (uint32_t)offsetof(Self, member)},
#define END(name)                                                                                                      \
  {NULL, SCHEMA_FIELD_NAME, (uint32_t)sizeof(Self)}                                                                    \
  }                                                                                                                    \
  ;                                                                                                                    \
  *count = (uint32_t)(sizeof fields / sizeof *fields - 1);                                                             \
  return fields;                                                                                                       \
  }
#include "schema/nodes.def"

SchemaKindInfo schema_kind_info(SchemaKind kind)
{
  static const struct {
    const char *json, *doc;
    int since;
    bool is_statement;
    uint32_t bytes;
    FieldsFn *fields;
  } ROWS[] = {
#define STMT(name, json, since, doc) {json, doc, since, true, sizeof(Schema_##name), fields_of_##name},
#define EXPR(name, json, since, doc) {json, doc, since, false, sizeof(Schema_##name), fields_of_##name},
#include "schema/nodes.def"
  };
  if (kind >= SCHEMA_KIND_COUNT)
    bug("schema node %d", (int)kind);
  SchemaKindInfo info = {.json = ROWS[kind].json, .doc = ROWS[kind].doc, .since = ROWS[kind].since,
                         .is_statement = ROWS[kind].is_statement, .bytes = ROWS[kind].bytes};
  info.fields = ROWS[kind].fields(&info.field_count);
  return info;
}

bool schema_kind_find(Str json, bool is_statement, SchemaKind *out)
{
  for (SchemaKind kind = 0; kind < SCHEMA_KIND_COUNT; kind++) {
    SchemaKindInfo info = schema_kind_info(kind);
    if (info.is_statement == is_statement && str_is(json, info.json))
      return *out = kind, true;
  }
  return false;
}

// ---- the tree

SchemaNode *schema_node(Arena *arena, SchemaKind kind, SchemaPlace place)
{
  SchemaNode *node = arena_alloc(arena, schema_kind_info(kind).bytes);
  node->kind = kind;
  node->place = place;
  node->type = (SchemaType){SCALAR_NONE, false};
  node->builtin = BUILTIN_NONE;
  SchemaKindInfo info = schema_kind_info(kind);
  for (uint32_t i = 0; i < info.field_count; i++)
    if (info.fields[i].kind == SCHEMA_FIELD_SCALAR || info.fields[i].kind == SCHEMA_FIELD_OPT_SCALAR)
      *(Scalar *)schema_field(node, &info.fields[i]) = SCALAR_NONE;
  return node;
}

SchemaList schema_clone_list(Arena *arena, SchemaList list)
{
  SchemaList copy = {arena_array(arena, SchemaNode *, list.count + 1), list.count};
  for (uint32_t i = 0; i < list.count; i++)
    copy.items[i] = schema_clone(arena, list.items[i]);
  return copy;
}

SchemaNode *schema_clone(Arena *arena, const SchemaNode *node)
{
  SchemaKindInfo info = schema_kind_info(node->kind);
  SchemaNode *copy = schema_node(arena, node->kind, node->place);
  for (uint32_t i = 0; i < info.field_count; i++) {
    void *from = schema_field(node, &info.fields[i]), *to = schema_field(copy, &info.fields[i]);
    switch (info.fields[i].kind) {
    case SCHEMA_FIELD_EXPR:
    case SCHEMA_FIELD_OPT_EXPR: *(SchemaNode **)to = *(SchemaNode **)from ? schema_clone(arena, *(SchemaNode **)from) : NULL; break;
    case SCHEMA_FIELD_EXPRS:
    case SCHEMA_FIELD_STMTS:
    case SCHEMA_FIELD_OPT_STMTS: *(SchemaList *)to = schema_clone_list(arena, *(SchemaList *)from); break;
    case SCHEMA_FIELD_NAME: *(const Name **)to = *(const Name **)from; break;
    case SCHEMA_FIELD_TEXT: *(Str *)to = *(Str *)from; break;
    case SCHEMA_FIELD_LITERAL: *(SchemaLiteral *)to = *(SchemaLiteral *)from; break;
    case SCHEMA_FIELD_SCALAR:
    case SCHEMA_FIELD_OPT_SCALAR: *(Scalar *)to = *(Scalar *)from; break;
    case SCHEMA_FIELD_BINARY: *(SchemaBinary *)to = *(SchemaBinary *)from; break;
    case SCHEMA_FIELD_UNARY: *(SchemaUnary *)to = *(SchemaUnary *)from; break;
    }
  }
  return copy;
}

SchemaNode *schema_expect(const SchemaNode *node, SchemaKind kind)
{
  if (node->kind != kind)
    bug("schema node `%s` where `%s` was expected", schema_kind_info(node->kind).json, schema_kind_info(kind).json);
  return (SchemaNode *)node;
}

typedef void ChildFn(SchemaNode *child, void *context);

static void each_of_list(SchemaList list, ChildFn *fn, void *context)
{
  for (uint32_t i = 0; i < list.count; i++)
    fn(list.items[i], context);
}

static void each_child(const SchemaNode *node, ChildFn *fn, void *context)
{
  SchemaKindInfo info = schema_kind_info(node->kind);
  for (uint32_t i = 0; i < info.field_count; i++) {
    void *field = schema_field(node, &info.fields[i]);
    switch (info.fields[i].kind) {
    case SCHEMA_FIELD_EXPR:
    case SCHEMA_FIELD_OPT_EXPR:
      if (*(SchemaNode **)field)
        fn(*(SchemaNode **)field, context);
      break;
    case SCHEMA_FIELD_EXPRS:
    case SCHEMA_FIELD_STMTS:
    case SCHEMA_FIELD_OPT_STMTS: each_of_list(*(SchemaList *)field, fn, context); break;
    case SCHEMA_FIELD_NAME:
    case SCHEMA_FIELD_TEXT:
    case SCHEMA_FIELD_LITERAL:
    case SCHEMA_FIELD_SCALAR:
    case SCHEMA_FIELD_OPT_SCALAR:
    case SCHEMA_FIELD_BINARY:
    case SCHEMA_FIELD_UNARY: break;
    }
  }
}

typedef struct Walk {
  SchemaVisit *visit;
  void *context;
} Walk;

static void walk_child(SchemaNode *child, void *context)
{
  const Walk *walk = context;
  walk->visit(child, walk->context);
  each_child(child, walk_child, context);
}

void schema_walk(SchemaNode *node, SchemaVisit *visit, void *context)
{
  walk_child(node, &(Walk){visit, context});
}

void schema_walk_list(SchemaList list, SchemaVisit *visit, void *context)
{
  each_of_list(list, walk_child, &(Walk){visit, context});
}

typedef struct Levels {
  uint32_t nodes, without_casts;
  const SchemaNode *too_deep;
} Levels;

static void count_levels(SchemaNode *node, void *context)
{
  Levels *levels = context;
  bool is_cast = node->kind == SCHEMA_cast;
  levels->nodes++, levels->without_casts += !is_cast;
  if (levels->nodes > SCHEMA_DEEPEST_CHECKED || levels->without_casts > SCHEMA_DEEPEST)
    levels->too_deep = levels->too_deep ? levels->too_deep : node;
  else if (!levels->too_deep)
    each_child(node, count_levels, context);
  levels->nodes--, levels->without_casts -= !is_cast;
}

const SchemaNode *schema_find_too_deep(SchemaList list)
{
  Levels levels = {0};
  each_of_list(list, count_levels, &levels);
  return levels.too_deep;
}

const char *schema_direction_name(SchemaDirection direction)
{
  static const char *const NAMES[] = {"none", "in", "out", "inout"};
  return NAMES[direction];
}

// ---- files

SchemaFile *schema_file_new(Session *session, Arena *arena, const char *path)
{
  SchemaFile *file = arena_alloc(arena, sizeof *file);
  *file = (SchemaFile){.arena = arena, .session = session, .path = path, .version = 11};
  return file;
}

SchemaFunction *schema_find_function(const SchemaFile *file, const Name *name)
{
  for (size_t i = 0; i < file->functions.count; i++)
    if (file->functions.items[i]->name == name)
      return file->functions.items[i];
  return NULL;
}

Diag *schema_error(const SchemaFile *file, SchemaPlace place, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  Diag *diag = diag_error(file->session, code, "%s", arena_vprintf(file->arena, format, args));
  va_end(args);
  if (place.span.source) {
    diag_primary(diag, place.span, "%s", "");
  } else if (place.line && file->path[0]) {
    diag_where(diag, file->path, place.line, place.column);
    if (place.json)
      diag_note(diag, "in `%s` it is %s", file->document, schema_json_path(file->arena, place.json));
  } else if (place.json) {
    diag_where(diag, file->document, 0, 0);
    diag->message = arena_printf(&file->session->arena, "%s: %s", schema_json_path(file->arena, place.json), diag->message);
  }
  return diag;
}

bool schema_same_value(const SchemaNode *a, const SchemaNode *b)
{
  if (a->kind != b->kind || a->type.scalar != b->type.scalar)
    return false;
  switch (a->kind) {
  case SCHEMA_literal: {
    const SchemaLiteral *x = &SCHEMA_AS(literal, a)->value, *y = &SCHEMA_AS(literal, b)->value;
    return x->kind == LITERAL_INT && y->kind == LITERAL_INT && x->magnitude == y->magnitude && x->is_negative == y->is_negative;
  }
  case SCHEMA_var: return a->var == b->var;
  case SCHEMA_cast: return schema_same_value(SCHEMA_AS(cast, a)->value, SCHEMA_AS(cast, b)->value);
  case SCHEMA_binary_op:
    return SCHEMA_AS(binary_op, a)->op == SCHEMA_AS(binary_op, b)->op && schema_same_value(SCHEMA_AS(binary_op, a)->left, SCHEMA_AS(binary_op, b)->left) &&
           schema_same_value(SCHEMA_AS(binary_op, a)->right, SCHEMA_AS(binary_op, b)->right);
  default: return false;
  }
}

const SchemaVar *schema_assigned_by(const SchemaNode *node)
{
  if (node->kind == SCHEMA_let || node->kind == SCHEMA_for)
    return node->var;
  if (node->kind == SCHEMA_assign && SCHEMA_AS(assign, node)->target->kind == SCHEMA_var)
    return SCHEMA_AS(assign, node)->target->var;
  return NULL;
}
