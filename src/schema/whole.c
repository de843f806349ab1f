// whole.c -- the statements that work on whole arrays, and the names of their operations.

#include "schema/whole.h"

typedef struct Operation {
  const char *name;
  SchemaBuiltin builtin;
  SchemaBinary binary;
  SchemaUnary unary;
} Operation;

#define BY_BUILTIN(name, builtin) {name, BUILTIN_##builtin, BINARY_COUNT, UNARY_COUNT}
#define BY_BINARY(name, binary) {name, BUILTIN_NONE, BINARY_##binary, UNARY_COUNT}
#define BY_UNARY(name, unary) {name, BUILTIN_NONE, BINARY_COUNT, UNARY_##unary}

static const Operation UNARY_OPERATIONS[] = {
    BY_BUILTIN("abs", abs), BY_UNARY("neg", neg), BY_BUILTIN("sqrt", sqrt), BY_BUILTIN("rsqrt", rsqrt), BY_BUILTIN("exp", exp),
    BY_BUILTIN("log", log), BY_BUILTIN("sin", sin), BY_BUILTIN("cos", cos), BY_BUILTIN("tan", tan), BY_BUILTIN("sigmoid", sigmoid),
    BY_BUILTIN("tanh", tanh), BY_BUILTIN("relu", relu), BY_BUILTIN("ceil", ceil), BY_BUILTIN("floor", floor),
    BY_BUILTIN("round", round), BY_BUILTIN("reciprocal", reciprocal), BY_BUILTIN("erf", erf), {0}};
static const Operation BINARY_OPERATIONS[] = {
    BY_BINARY("add", add), BY_BINARY("sub", sub), BY_BINARY("mul", mul), BY_BINARY("div", div), BY_BINARY("pow", pow),
    BY_BUILTIN("min", min), BY_BUILTIN("max", max), BY_BUILTIN("atan2", atan2), {0}};
static const Operation REDUCE_OPERATIONS[] = {
    BY_BINARY("sum", add), BY_BINARY("product", mul), BY_BUILTIN("min", min), BY_BUILTIN("max", max), {0}};

static const Operation *operations_of(SchemaKind kind)
{
  switch (kind) {
  case SCHEMA_parallel_map_unary: return UNARY_OPERATIONS;
  case SCHEMA_parallel_map_binary: return BINARY_OPERATIONS;
  case SCHEMA_parallel_reduce:
  case SCHEMA_parallel_scan: return REDUCE_OPERATIONS;
  default: return NULL;
  }
}

const char *schema_whole_operation(SchemaKind kind, size_t i)
{
  const Operation *operations = operations_of(kind);
  return operations ? operations[i].name : NULL;
}

static bool find_operation(const Operation *operations, Str name, SchemaWhole *whole)
{
  for (; operations->name; operations++)
    if (str_is(name, operations->name)) {
      whole->builtin = operations->builtin, whole->binary = operations->binary, whole->unary = operations->unary;
      whole->is_binary = operations->binary != BINARY_COUNT, whole->is_unary = operations->unary != UNARY_COUNT;
      return true;
    }
  return false;
}

static bool is_whole(SchemaKind kind)
{
  return operations_of(kind) || kind == SCHEMA_parallel_gather || kind == SCHEMA_parallel_scatter;
}

// What the operation is one of, for people.
static const char *wrong_operation(const Operation *operations)
{
  return operations == UNARY_OPERATIONS    ? "the operation is one of abs, neg, sqrt, rsqrt, exp, log, sin, cos, tan, sigmoid, tanh, relu, "
                                             "ceil, floor, round, reciprocal, erf"
         : operations == BINARY_OPERATIONS ? "the operation is one of add, sub, mul, div, min, max, pow, atan2"
                                           : "the operation is one of sum, product, min, max";
}

// Of the expressions the last is the count, the others are arrays, and the last of those is written.
const char *schema_whole_of(SchemaNode *node, SchemaWhole *whole)
{
  *whole = (SchemaWhole){.builtin = BUILTIN_NONE, .indices = 3};
  if (!is_whole(node->kind))
    return "this statement does not work on whole arrays";
  const Operation *operations = operations_of(node->kind);
  const SchemaKindInfo info = schema_kind_info(node->kind);
  Str operation = {0};
  for (uint32_t i = 0; i < info.field_count; i++) {
    void *field = schema_field(node, &info.fields[i]);
    if (info.fields[i].kind == SCHEMA_FIELD_TEXT)
      operation = *(Str *)field;
    else if (i + 1 == info.field_count)
      whole->count = field;
    else
      whole->arrays[whole->array_count++] = field;
  }
  whole->output = whole->array_count - 1;
  whole->indices = operations ? whole->array_count : 1;
  whole->operand_count = !operations ? 0 : operations == UNARY_OPERATIONS ? 1 : 2;
  whole->is_reduction = node->kind == SCHEMA_parallel_reduce;
  whole->is_scan = node->kind == SCHEMA_parallel_scan;
  return operations && !find_operation(operations, operation, whole) ? wrong_operation(operations) : NULL;
}

typedef struct Steady {
  const SchemaVar *known[64];
  uint32_t known_count;
  bool varies;
} Steady;

static void look_for_varying(SchemaNode *node, void *context)
{
  Steady *s = context;
  bool is_known = false;
  for (uint32_t i = 0; i < s->known_count; i++)
    is_known |= node->var == s->known[i];
  switch (node->kind) {
  case SCHEMA_literal:
  case SCHEMA_binary_op:
  case SCHEMA_unary_op:
  case SCHEMA_if_expr:
  case SCHEMA_cast: return;
  case SCHEMA_var: s->varies |= node->var->kind == VAR_LOCAL ? !is_known : node->var->type.is_array || node->var->assignments; return;
  case SCHEMA_call: s->varies |= node->builtin != BUILTIN_min && node->builtin != BUILTIN_max && node->builtin != BUILTIN_abs; return;
  default: s->varies = true;
  }
}

bool schema_whole_in_stages(const SchemaFunction *function)
{
  Steady s = {0};
  for (uint32_t i = 0; i < function->body.count; i++) {
    SchemaNode *node = function->body.items[i];
    SchemaWhole whole;
    if (!schema_whole_of(node, &whole)) {
      schema_walk(*whole.count, look_for_varying, &s);
    } else if (node->kind == SCHEMA_let && node->var->assignments == 1 && s.known_count < 64) {
      schema_walk(SCHEMA_AS(let, node)->value, look_for_varying, &s);
      s.known[s.known_count++] = node->var;
    } else {
      return false;
    }
  }
  return function->has_whole && !s.varies;
}
