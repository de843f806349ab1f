// read_json.c -- scalar kernels from JSON of version 1.0 and 1.1: the trust boundary.
//
// Driven by the table of nodes: a node's object has its "type", its fields and nothing else. What a document says beyond the
// tree (types of expressions, directions, results) is kept as claims, which hold or not once the checker has found its own.

#include "schema/json.h"
#include "base/bug.h"
#include "schema/check.h"
#include "syntax/unicode.h"

#include <jansson.h>
#include <stdlib.h>

// A place in the document, from the inside out: "$.kernels[0].body[2]". The root has no `up`.
struct JsonPath {
  const JsonPath *up;
  const char *key;  // NULL: `index`
  size_t index;
};

// Something a document says that the checker finds too; one of the three pointers is set.
typedef struct Claim {
  const SchemaNode *node;
  const SchemaVar *param;
  const SchemaFunction *function;
  Scalar scalar;              // of `node` and `function`
  SchemaDirection direction;  // of `param`
  const JsonPath *at;
} Claim;

struct SchemaClaims {
  Vec(Claim) list;
};

typedef struct Reader {
  Session *session;
  Arena *arena;
  const char *path;
  SchemaFile *file;
  uint32_t depth, without_casts;  // levels around the node that is read
  bool is_10;  // the document's version
  bool failed;
} Reader;

// ---- places and reports

static const JsonPath *below(Reader *r, const JsonPath *up, const char *key)
{
  JsonPath *path = arena_new(r->arena, JsonPath);
  *path = (JsonPath){.up = up, .key = arena_strdup(r->arena, key)};
  return path;
}

static const JsonPath *item(Reader *r, const JsonPath *up, size_t index)
{
  JsonPath *path = arena_new(r->arena, JsonPath);
  *path = (JsonPath){.up = up, .index = index};
  return path;
}

// Text of the document as a message shows it: at most 60 bytes, without control characters.
static const char *shown(Arena *arena, const char *text)
{
  StrBuf out = strbuf_new(arena);
  const char *end = text + strlen(text);
  strbuf_puts(&out, "");
  while (text < end) {
    uint32_t code_point;
    size_t len = utf8_decode(text, end, &code_point);
    if (out.len + len > 60) {
      strbuf_puts(&out, "...");
      break;
    }
    if (len == 0 || code_point < 32 || code_point == 127)
      strbuf_putc(&out, '?');
    else
      strbuf_add(&out, text, len);
    text += len ? len : 1;
  }
  return strbuf_cstr(&out);
}

static void path_text(Arena *arena, const JsonPath *path, StrBuf *out)
{
  if (!path->up) {
    strbuf_putc(out, '$');
    return;
  }
  path_text(arena, path->up, out);
  if (path->key)
    strbuf_printf(out, ".%s", shown(arena, path->key));
  else
    strbuf_printf(out, "[%zu]", path->index);
}

const char *schema_json_path(Arena *arena, const JsonPath *path)
{
  StrBuf text = strbuf_new(arena);
  path_text(arena, path, &text);
  return strbuf_cstr(&text);
}

static Diag *report(Session *session, Arena *arena, const char *document, const JsonPath *at, const char *text)
{
  Diag *diag = diag_error(session, E_SCHEMA_JSON, "%s: %s", schema_json_path(arena, at), text);
  diag_where(diag, document, 0, 0);
  return diag;
}

static Diag *refuse(Reader *r, const JsonPath *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

static Diag *refuse(Reader *r, const JsonPath *at, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(r->arena, format, args);
  va_end(args);
  Diag *diag = report(r->session, r->arena, r->path, at, text);
  if (!r->failed)
    diag_help(diag, "docs/schema.md says what documents hold; `klr schema format` prints it as a JSON Schema, which editors understand");
  r->failed = true;
  return diag;
}

// ---- values

static const char *what_is(json_type type)
{
  switch (type) {
  case JSON_OBJECT: return "an object";
  case JSON_ARRAY: return "an array";
  case JSON_STRING: return "a text";
  case JSON_INTEGER:
  case JSON_REAL: return "a number";
  case JSON_TRUE:
  case JSON_FALSE: return "a truth value";
  case JSON_NULL: return "null";
  }
  return "nothing";
}

static bool expect(Reader *r, const json_t *value, json_type type, const JsonPath *at)
{
  if (json_typeof(value) == type)
    return true;
  refuse(r, at, "this is %s, where %s is expected", what_is(json_typeof(value)), what_is(type));
  return false;
}

// A member of `object`; NULL after reporting when it is missing or of another type.
static json_t *member(Reader *r, const json_t *object, const char *key, json_type type, const JsonPath *at)
{
  json_t *value = json_object_get(object, key);
  if (!value) {
    refuse(r, at, "the field `%s` is missing", key);
    return NULL;
  }
  return expect(r, value, type, below(r, at, key)) ? value : NULL;
}

// Reports every field of `object` that is not among `keys`.
static void check_keys(Reader *r, json_t *object, const char *const *keys, size_t count, const JsonPath *at)
{
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) {
    bool known = false;
    for (size_t i = 0; i < count && !known; i++)
      known = strcmp(key, keys[i]) == 0;
    if (!known)
      diag_suggest(refuse(r, below(r, at, key), "this field is not known%s", r->is_10 ? " in version 1.0" : ""), str_from(key), keys, count);
  }
}

static Str text_of(Reader *r, const json_t *value)
{
  return (Str){arena_strndup(r->arena, json_string_value(value), json_string_length(value)), json_string_length(value)};
}

static bool may_stand_in_name(uint32_t c, bool is_first)
{
  if (c >= 128)
    return is_first ? unicode_is_name_start(c) : unicode_is_name_part(c);
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!is_first && c >= '0' && c <= '9');
}

static bool is_identifier(Str text)
{
  const char *at = text.data, *end = text.data + text.len;
  while (at < end) {
    uint32_t c;
    size_t len = utf8_decode(at, end, &c);
    if (!len || !may_stand_in_name(c, at == text.data))
      return false;
    at += len;
  }
  return text.len > 0;
}

static const Name *name_of(Reader *r, const json_t *value, const JsonPath *at)
{
  if (!expect(r, value, JSON_STRING, at))
    return NULL;
  Str text = text_of(r, value);
  if (!is_identifier(text)) {
    refuse(r, at, "`%s` is no name", shown(r->arena, text.data));
    return NULL;
  }
  return name_intern(&r->session->names, text);
}

static Scalar scalar_of(Reader *r, const json_t *value, const JsonPath *at)
{
  Scalar scalar = SCALAR_NONE;
  if (!expect(r, value, JSON_STRING, at) || scalar_find(str_from(json_string_value(value)), &scalar))
    return scalar;
  const char *names[SCALAR_COUNT];
  for (int i = 0; i < SCALAR_COUNT; i++)
    names[i] = scalar_name((Scalar)i);
  Diag *diag = refuse(r, at, "`%s` is no type of scalar kernels", shown(r->arena, json_string_value(value)));
  diag_suggest(diag, str_from(json_string_value(value)), names, SCALAR_COUNT);
  return SCALAR_NONE;
}

// {"kind": "scalar", "type": "f32"} or {"kind": "device_array", "element_type": {"kind": "scalar", ...}}
static SchemaType type_of(Reader *r, json_t *value, const JsonPath *at, bool is_element)
{
  SchemaType none = {SCALAR_NONE, false};
  json_t *kind = expect(r, value, JSON_OBJECT, at) ? member(r, value, "kind", JSON_STRING, at) : NULL;
  if (!kind)
    return none;
  if (strcmp(json_string_value(kind), "scalar") == 0) {
    check_keys(r, value, (const char *const[]){"kind", "type"}, 2, at);
    json_t *name = member(r, value, "type", JSON_STRING, at);
    return name ? (SchemaType){scalar_of(r, name, below(r, at, "type")), false} : none;
  }
  if (!is_element && strcmp(json_string_value(kind), "device_array") == 0) {
    check_keys(r, value, (const char *const[]){"kind", "element_type"}, 2, at);
    json_t *element = member(r, value, "element_type", JSON_OBJECT, at);
    return element ? (SchemaType){type_of(r, element, below(r, at, "element_type"), true).scalar, true} : none;
  }
  refuse(r, below(r, at, "kind"), "`%s` is no kind of type here; %s", shown(r->arena, json_string_value(kind)),
         is_element ? "elements are `scalar`" : "there are `scalar` and `device_array`");
  return none;
}

// [line, column, end_line, end_column]
static SchemaPlace place_of(Reader *r, const json_t *object, const JsonPath *up)
{
  SchemaPlace place = {.json = up};
  json_t *value = r->is_10 ? NULL : json_object_get(object, "at");
  if (!value)
    return place;
  const JsonPath *at = below(r, up, "at");
  uint32_t *const numbers[] = {&place.line, &place.column, &place.end_line, &place.end_column};
  bool ok = json_is_array(value) && json_array_size(value) == 4;
  for (size_t i = 0; ok && i < 4; i++) {
    const json_t *number = json_array_get(value, i);
    ok = json_is_integer(number) && json_integer_value(number) >= (i % 2 == 0) && json_integer_value(number) <= INT32_MAX;
    *numbers[i] = ok ? (uint32_t)json_integer_value(number) : 0;
  }
  if (!ok)
    refuse(r, at, "a place is [line, column, end_line, end_column], lines from 1");
  return place;
}

// ---- literals

// An integer as text, for those that many readers of JSON have no number for. False: it is none, or has more than 64 bits.
static bool long_integer(Str text, SchemaLiteral *out)
{
  bool is_negative = text.len && text.data[0] == '-';
  uint64_t magnitude = 0;
  for (size_t i = is_negative; i < text.len; i++) {
    uint64_t digit = (uint64_t)(unsigned char)text.data[i] - '0';
    if (digit > 9 || magnitude > (UINT64_MAX - digit) / 10)
      return false;
    magnitude = 10 * magnitude + digit;
  }
  *out = (SchemaLiteral){.kind = LITERAL_INT, .is_negative = is_negative && magnitude, .magnitude = magnitude};
  return text.len > is_negative;
}

static bool special_real(Str text, double *out)
{
  static const char *const NAMES[] = {"nan", "inf", "-inf"};
  for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
    if (str_is(text, NAMES[i]))
      return *out = strtod(NAMES[i], NULL), true;
  return false;
}

static void literal_of(Reader *r, const json_t *value, const JsonPath *at, SchemaLiteral *out)
{
  switch (json_typeof(value)) {
  case JSON_TRUE:
  case JSON_FALSE: *out = (SchemaLiteral){.kind = LITERAL_BOOL, .magnitude = json_is_true(value)}; return;
  case JSON_INTEGER: {
    json_int_t number = json_integer_value(value);
    *out = (SchemaLiteral){.kind = LITERAL_INT, .is_negative = number < 0, .magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number};
    return;
  }
  case JSON_REAL: *out = (SchemaLiteral){.kind = LITERAL_FLOAT, .real = json_real_value(value)}; return;
  case JSON_STRING: {
    Str text = text_of(r, value);
    double real;
    if (special_real(text, &real))
      *out = (SchemaLiteral){.kind = LITERAL_FLOAT, .real = real};
    else if (!long_integer(text, out))
      refuse(r, at, "the text `%s` is no literal: it is \"nan\", \"inf\", \"-inf\" or an integer of at most 64 bits", shown(r->arena, text.data));
    return;
  }
  default: refuse(r, at, "a literal is a number or a truth value, not %s", what_is(json_typeof(value)));
  }
}

// A literal that says its type has no need to take one from where it stands.
static void type_literal(Reader *r, SchemaNode *node, Scalar dtype, const JsonPath *at)
{
  SchemaLiteral *value = &SCHEMA_AS(literal, node)->value;
  bool is_real = dtype == SCALAR_F32 || dtype == SCALAR_F64;
  if (value->kind == LITERAL_INT && is_real)
    *value = (SchemaLiteral){.kind = LITERAL_FLOAT, .real = value->is_negative ? -(double)value->magnitude : (double)value->magnitude};
  bool fits = value->kind == LITERAL_BOOL    ? dtype == SCALAR_BOOL
              : value->kind == LITERAL_FLOAT ? is_real
                                             : scalar_is_integer(dtype);
  if (fits && schema_literal_fits(value, dtype))
    node->type.scalar = dtype;
  else
    refuse(r, at, "this literal is no value of type `%s`", scalar_name(dtype));
}

// ---- nodes

static SchemaNode *node_of(Reader *r, json_t *value, bool is_statement, const JsonPath *at);

static SchemaList list_of(Reader *r, json_t *value, bool are_statements, const JsonPath *at)
{
  SchemaList list = {0};
  if (!expect(r, value, JSON_ARRAY, at))
    return list;
  list.items = arena_array(r->arena, SchemaNode *, json_array_size(value) + 1);
  for (size_t i = 0; i < json_array_size(value); i++)
    list.items[list.count++] = node_of(r, json_array_get(value, i), are_statements, item(r, at, i));
  return list;
}

// The operator called `value`, an index into a table that `info` reads; 0 after reporting.
static uint32_t operator_of(Reader *r, const json_t *value, const JsonPath *at, bool is_binary)
{
  const char *names[(int)BINARY_COUNT + (int)UNARY_COUNT];
  uint32_t count = is_binary ? (uint32_t)BINARY_COUNT : (uint32_t)UNARY_COUNT;
  if (!expect(r, value, JSON_STRING, at))
    return 0;
  const char *text = json_string_value(value);
  for (uint32_t i = 0; i < count; i++) {
    names[i] = is_binary ? schema_binary_info((SchemaBinary)i)->name : schema_unary_info((SchemaUnary)i)->name;
    if (strcmp(text, names[i]) == 0)
      return i;
  }
  if (strcmp(text, "unknown") == 0) {
    Diag *diag = refuse(r, at, "the operator is `unknown`: what wrote this document met one in the Python source that it did not know");
    diag_help(diag, "compile the Python source again: klr schema compile FILE.py");
    return 0;
  }
  diag_suggest(refuse(r, at, "there is no operator `%s` of %s", shown(r->arena, text), is_binary ? "two operands" : "one operand"),
               str_from(text), names, count);
  return 0;
}

static void field_of(Reader *r, SchemaNode *node, const SchemaFieldInfo *info, json_t *value, const JsonPath *at)
{
  void *field = schema_field(node, info);
  switch (info->kind) {
  case SCHEMA_FIELD_NAME: *(const Name **)field = name_of(r, value, at); return;
  case SCHEMA_FIELD_EXPR:
  case SCHEMA_FIELD_OPT_EXPR: *(SchemaNode **)field = node_of(r, value, false, at); return;
  case SCHEMA_FIELD_EXPRS: *(SchemaList *)field = list_of(r, value, false, at); return;
  case SCHEMA_FIELD_STMTS:
  case SCHEMA_FIELD_OPT_STMTS: *(SchemaList *)field = list_of(r, value, true, at); return;
  case SCHEMA_FIELD_TEXT:
    if (expect(r, value, JSON_STRING, at))
      *(Str *)field = text_of(r, value);
    return;
  case SCHEMA_FIELD_LITERAL: literal_of(r, value, at, field); return;
  case SCHEMA_FIELD_SCALAR:
  case SCHEMA_FIELD_OPT_SCALAR: *(Scalar *)field = scalar_of(r, value, at); return;
  case SCHEMA_FIELD_BINARY: *(SchemaBinary *)field = (SchemaBinary)operator_of(r, value, at, true); return;
  case SCHEMA_FIELD_UNARY: *(SchemaUnary *)field = (SchemaUnary)operator_of(r, value, at, false); return;
  }
}

enum { MOST_KEYS = 16 };

static void fields_of(Reader *r, SchemaNode *node, json_t *object, const JsonPath *at)
{
  SchemaKindInfo info = schema_kind_info(node->kind);
  const char *keys[MOST_KEYS] = {"type"};
  size_t count = 1;
  if (info.field_count + 3 > MOST_KEYS)
    bug("`%s` has %u fields", info.json, info.field_count);
  for (uint32_t i = 0; i < info.field_count; i++) {
    const SchemaFieldInfo *field = &info.fields[i];
    if (r->is_10 && field->kind == SCHEMA_FIELD_OPT_SCALAR)
      continue;  // version 1.0 has no types in statements
    keys[count++] = field->json;
    json_t *value = json_object_get(object, field->json);
    if (value && !(schema_field_is_optional(field->kind) && json_is_null(value)))
      field_of(r, node, field, value, below(r, at, field->json));
    else if (!schema_field_is_optional(field->kind))
      refuse(r, at, "`%s` lacks its field `%s`", info.json, field->json);
  }
  if (!r->is_10 && !info.is_statement)
    keys[count++] = "dtype";
  if (!r->is_10)
    keys[count++] = "at";
  check_keys(r, object, keys, count, at);
}

static bool kind_of(Reader *r, const json_t *object, bool is_statement, const JsonPath *at, SchemaKind *out)
{
  const json_t *type = member(r, object, "type", JSON_STRING, at);
  if (!type)
    return false;
  Str text = str_from(json_string_value(type));
  const char *what = is_statement ? "statement" : "expression", *names[SCHEMA_KIND_COUNT];
  size_t count = 0;
  if (schema_kind_find(text, is_statement, out)) {
    if (!r->is_10 || schema_kind_info(*out).since <= 10)
      return true;
    refuse(r, below(r, at, "type"), "version 1.0 has no `%s`", text.data);
    return false;
  }
  for (SchemaKind kind = 0; kind < SCHEMA_KIND_COUNT; kind++)
    if (schema_kind_info(kind).is_statement == is_statement)
      names[count++] = schema_kind_info(kind).json;
  diag_suggest(refuse(r, below(r, at, "type"), "there is no %s `%s`", what, shown(r->arena, text.data)), text, names, count);
  return false;
}

static void claim(Reader *r, Claim claim)
{
  vec_push(r->arena, &r->file->claims->list, claim);
}

// What version 1.0 says otherwise: a cast is a call of the type, and a negative step is the negative of a literal.
static SchemaNode *older_node(Reader *r, SchemaNode *node)
{
  if (node->kind == SCHEMA_call) {
    const Schema_call *call = SCHEMA_AS(call, node);
    Scalar to;
    if (!call->function || call->args.count != 1 || !call->args.items[0] || !scalar_find(call->function->str, &to))
      return node;
    SchemaNode *cast = schema_node(r->arena, SCHEMA_cast, node->place);
    SCHEMA_AS(cast, cast)->to = to;
    SCHEMA_AS(cast, cast)->value = call->args.items[0];
    return cast;
  }
  SchemaNode *step = node->kind == SCHEMA_for ? SCHEMA_AS(for, node)->step : NULL;
  if (!step || step->kind != SCHEMA_unary_op || SCHEMA_AS(unary_op, step)->op != UNARY_neg)
    return node;
  SchemaNode *operand = SCHEMA_AS(unary_op, step)->operand;
  SchemaLiteral *literal = operand && operand->kind == SCHEMA_literal ? &SCHEMA_AS(literal, operand)->value : NULL;
  if (literal && literal->kind == LITERAL_INT && literal->magnitude) {
    literal->is_negative = !literal->is_negative;
    SCHEMA_AS(for, node)->step = operand;
  }
  return node;
}

// NULL after reporting.
static SchemaNode *node_of(Reader *r, json_t *value, bool is_statement, const JsonPath *at)
{
  SchemaKind kind;
  if (!expect(r, value, JSON_OBJECT, at) || !kind_of(r, value, is_statement, at, &kind))
    return NULL;
  bool counts = kind != SCHEMA_cast;
  if (r->depth >= SCHEMA_DEEPEST_CHECKED || (counts && r->without_casts >= SCHEMA_DEEPEST)) {
    refuse(r, at, "expressions and statements are nested deeper than %d levels", SCHEMA_DEEPEST);
    return NULL;
  }
  r->depth++, r->without_casts += counts;
  SchemaNode *node = schema_node(r->arena, kind, place_of(r, value, at));
  fields_of(r, node, value, at);
  r->depth--, r->without_casts -= counts;
  if (r->is_10)
    return older_node(r, node);
  json_t *dtype = is_statement ? NULL : json_object_get(value, "dtype");
  if (dtype) {
    const JsonPath *place = below(r, at, "dtype");
    Scalar scalar = scalar_of(r, dtype, place);
    if (kind == SCHEMA_literal && scalar != SCALAR_NONE)
      type_literal(r, node, scalar, at);
    claim(r, (Claim){.node = node, .scalar = scalar, .at = place});
  }
  return node;
}

// ---- functions

static void direction_of(Reader *r, const SchemaVar *param, const json_t *value, const JsonPath *at)
{
  if (!expect(r, value, JSON_STRING, at))
    return;
  for (int i = 0; i <= DIRECTION_INOUT; i++)
    if (strcmp(json_string_value(value), schema_direction_name((SchemaDirection)i)) == 0) {
      claim(r, (Claim){.param = param, .direction = (SchemaDirection)i, .at = at});
      return;
    }
  diag_help(refuse(r, at, "`%s` is no direction", shown(r->arena, json_string_value(value))), "there are none, in, out and inout");
}

static void param_of(Reader *r, SchemaFunction *function, json_t *object, const JsonPath *at)
{
  if (!expect(r, object, JSON_OBJECT, at))
    return;
  json_t *name = member(r, object, "name", JSON_STRING, at), *type = member(r, object, "type", JSON_OBJECT, at);
  if (!name || !type)
    return;
  SchemaVar *param = arena_new(r->arena, SchemaVar);
  *param = (SchemaVar){.name = name_of(r, name, below(r, at, "name")), .kind = VAR_PARAMETER,
                       .type = type_of(r, type, below(r, at, "type"), false), .place = {.json = at},
                       .index = (uint32_t)function->params.count};
  json_t *direction = r->is_10 ? NULL : json_object_get(object, "direction");
  if (direction && param->type.is_array)
    direction_of(r, param, direction, below(r, at, "direction"));
  check_keys(r, object, (const char *const[]){"name", "type", "direction"}, !r->is_10 && param->type.is_array ? 3 : 2, at);
  vec_push(r->arena, &function->params, param);
}

static void returns_of(Reader *r, SchemaFunction *function, json_t *value, const JsonPath *at)
{
  if (!json_is_null(value))
    function->returns = type_of(r, value, at, false);
  if (function->returns.is_array)
    refuse(r, at, "a function returns a number, not an array");
  function->has_declared_return = function->returns.scalar != SCALAR_NONE;
  claim(r, (Claim){.function = function, .scalar = function->returns.scalar, .at = at});
}

static void function_of(Reader *r, json_t *object, bool is_kernel, const JsonPath *at)
{
  static const char *const KEYS[] = {"name", "params", "body", "doc", "at", "returns"};
  if (!expect(r, object, JSON_OBJECT, at))
    return;
  check_keys(r, object, KEYS, r->is_10 ? 3 : is_kernel ? 5 : 6, at);
  json_t *name = member(r, object, "name", JSON_STRING, at), *params = member(r, object, "params", JSON_ARRAY, at),
         *body = member(r, object, "body", JSON_ARRAY, at);
  if (!name || !params || !body)
    return;
  SchemaFunction *function = arena_new(r->arena, SchemaFunction);
  *function = (SchemaFunction){.name = name_of(r, name, below(r, at, "name")), .is_kernel = is_kernel, .doc = STR(""),
                               .returns = {SCALAR_NONE, false}, .place = place_of(r, object, at)};
  for (size_t i = 0; i < json_array_size(params); i++)
    param_of(r, function, json_array_get(params, i), item(r, below(r, at, "params"), i));
  json_t *doc = r->is_10 ? NULL : json_object_get(object, "doc"), *returns = r->is_10 || is_kernel ? NULL : json_object_get(object, "returns");
  if (doc && expect(r, doc, JSON_STRING, below(r, at, "doc")))
    function->doc = text_of(r, doc);
  if (returns)
    returns_of(r, function, returns, below(r, at, "returns"));
  function->body = list_of(r, body, true, below(r, at, "body"));
  vec_push(r->arena, &r->file->functions, function);
}

// ---- documents

static void functions_of(Reader *r, const json_t *document, const char *key, bool are_kernels, const JsonPath *root)
{
  if (!are_kernels && !json_object_get(document, key))
    return;
  json_t *list = member(r, document, key, JSON_ARRAY, root);
  for (size_t i = 0; list && i < json_array_size(list); i++)
    function_of(r, json_array_get(list, i), are_kernels, item(r, below(r, root, key), i));
}

static bool is_hash(Str text)
{
  for (size_t i = 0; i < text.len; i++)
    if (!strchr("0123456789abcdef", text.data[i]))
      return false;
  return text.len == 0 || text.len == 16;
}

static void source_of(Reader *r, json_t *source, const JsonPath *at)
{
  if (!expect(r, source, JSON_OBJECT, at))
    return;
  check_keys(r, source, (const char *const[]){"path", "hash"}, 2, at);
  json_t *path = member(r, source, "path", JSON_STRING, at), *hash = member(r, source, "hash", JSON_STRING, at);
  if (!path || !hash)
    return;
  r->file->path = text_of(r, path).data;
  r->file->source_hash = text_of(r, hash);
  for (const char *c = r->file->path; *c; c++)
    if ((unsigned char)*c < 32) {
      refuse(r, below(r, at, "path"), "a path has no control characters");
      break;
    }
  if (!is_hash(r->file->source_hash))
    refuse(r, below(r, at, "hash"), "a hash has 16 hexadecimal digits");
}

// The version of one document; 0 after reporting.
static int version_of(Reader *r, json_t *document, const JsonPath *at)
{
  json_t *version = expect(r, document, JSON_OBJECT, at) ? member(r, document, "version", JSON_STRING, at) : NULL;
  if (!version)
    return 0;
  Str text = str_from(json_string_value(version));
  if (str_is(text, "1.0"))
    return 10;
  if (str_is(text, "1.1"))
    return 11;
  refuse(r, below(r, at, "version"), "version `%s` is not known; 1.0 and 1.1 are", shown(r->arena, text.data));
  return 0;
}

static void document_10(Reader *r, json_t *document, const JsonPath *at)
{
  r->is_10 = true;
  r->file->version = 10;
  check_keys(r, document, (const char *const[]){"version", "kernel"}, 2, at);
  json_t *kernel = member(r, document, "kernel", JSON_OBJECT, at);
  if (kernel)
    function_of(r, kernel, true, below(r, at, "kernel"));
}

static void document_11(Reader *r, json_t *document, const JsonPath *at)
{
  check_keys(r, document, (const char *const[]){"version", "source", "functions", "kernels"}, 4, at);
  if (json_object_get(document, "source"))
    source_of(r, json_object_get(document, "source"), below(r, at, "source"));
  functions_of(r, document, "functions", false, at);
  functions_of(r, document, "kernels", true, at);
}

static void root_of(Reader *r, json_t *root)
{
  const JsonPath *top = arena_new(r->arena, JsonPath);
  if (json_is_array(root)) {
    for (size_t i = 0; i < json_array_size(root); i++) {
      const JsonPath *at = item(r, top, i);
      int version = version_of(r, json_array_get(root, i), at);
      if (version == 10)
        document_10(r, json_array_get(root, i), at);
      else if (version)
        refuse(r, below(r, at, "version"), "an array holds documents of version 1.0 only; one of 1.1 holds all kernels of a file");
    }
  } else {
    int version = version_of(r, root, top);
    if (version == 10)
      document_10(r, root, top);
    else if (version)
      document_11(r, root, top);
  }
  if (!r->failed && !r->file->functions.count)
    refuse(r, top, "this document holds no kernel");
}

SchemaFile *schema_read_json(Session *session, Arena *arena, Str text, const char *path)
{
  json_error_t error;
  json_t *root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
  if (!root) {
    Diag *diag = diag_error(session, E_SCHEMA_JSON, "not JSON: %s", shown(arena, error.text));
    diag_where(diag, path, error.line > 0 ? (uint32_t)error.line : 0, error.column > 0 ? (uint32_t)error.column - 1 : 0);
    return NULL;
  }
  Reader r = {.session = session, .arena = arena, .path = path, .file = schema_file_new(session, arena, "")};
  r.file->claims = arena_new(arena, SchemaClaims);
  r.file->document = path;
  r.file->source_hash = STR("");
  root_of(&r, root);
  json_decref(root);
  return r.failed ? NULL : r.file;
}

// ---- claims

// What was claimed and what was found, when they differ; NULL when they agree.
static const char *disagreement(Arena *arena, const Claim *claim)
{
  if (claim->param) {
    SchemaDirection found = claim->param->direction;
    return found == claim->direction
               ? NULL
               : arena_printf(arena, "the direction is said to be `%s`, and is `%s`", schema_direction_name(claim->direction), schema_direction_name(found));
  }
  SchemaType found = claim->node ? claim->node->type : claim->function->returns;
  if (found.scalar == claim->scalar && !found.is_array)
    return NULL;
  return arena_printf(arena, "the type is said to be `%s`, and is %s`%s`", scalar_name(claim->scalar), found.is_array ? "an array of " : "",
                      scalar_name(found.scalar));
}

bool schema_claims_hold(const SchemaFile *file)
{
  bool ok = true;
  for (size_t i = 0; file->claims && i < file->claims->list.count; i++) {
    const Claim *claim = &file->claims->list.items[i];
    const char *text = disagreement(file->arena, claim);
    if (text)
      report(file->session, file->arena, file->document, claim->at, text);
    ok &= !text;
  }
  return ok;
}
