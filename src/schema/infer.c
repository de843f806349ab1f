// infer.c -- the types of expressions that are not finished yet, and of local names: nothing is reported here.

#include "schema/checker.h"
#include "base/bug.h"

// ---- names

SchemaVar *checker_find_var(const Checker *c, const Name *name)
{
  SchemaVar *var = map_get(&c->state->names, name->str);
  for (size_t i = 0; !var && i < c->file->constants.count; i++)
    if (c->file->constants.items[i]->name == name)
      var = c->file->constants.items[i];
  return var;
}

// ---- what an operation makes of its operands' types. SCALAR_NONE: not known (yet), or wrong.

// The common type, wider when a literal is no value of it: `u32 + -1` is i64.
Scalar checker_common(const SchemaNode *left, const SchemaNode *right, Scalar a, Scalar b)
{
  Scalar type = schema_common_type(a, b);
  const SchemaNode *literal = a == SCALAR_WEAK_INT ? left : b == SCALAR_WEAK_INT ? right : NULL;
  if (literal && literal->kind == SCHEMA_literal && scalar_is_integer(type) &&
      !schema_literal_fits(&SCHEMA_AS(literal, literal)->value, type))
    return SCALAR_I64;
  return type;
}

static bool has_64_bits(Scalar scalar)
{
  return scalar < SCALAR_COUNT && scalar_info(scalar)->bytes == 8;
}

static Scalar divide_type(Scalar a, Scalar b, Scalar common)
{
  if (common == SCALAR_NONE || schema_is_real(common))
    return common;
  if (common == SCALAR_WEAK_INT)
    return SCALAR_WEAK_FLOAT;
  return has_64_bits(a) || has_64_bits(b) ? SCALAR_F64 : SCALAR_F32;
}

// What both operands are brought to.
Scalar checker_operand_type(SchemaBinary op, const SchemaNode *left, const SchemaNode *right, Scalar a, Scalar b)
{
  SchemaOpClass class = schema_binary_info(op)->class;
  if (class == OP_CLASS_LOGIC)
    return SCALAR_BOOL;
  if (a == SCALAR_BOOL && b == SCALAR_BOOL && (class == OP_CLASS_INTEGER || class == OP_CLASS_COMPARE))
    return SCALAR_BOOL;
  Scalar common = checker_common(left, right, a, b);
  return class == OP_CLASS_DIVIDE ? divide_type(a, b, common) : common;
}

Scalar checker_binary_type(SchemaBinary op, const SchemaNode *left, const SchemaNode *right, Scalar a, Scalar b)
{
  switch (schema_binary_info(op)->class) {
  case OP_CLASS_COMPARE:
  case OP_CLASS_LOGIC: return SCALAR_BOOL;
  case OP_CLASS_SHIFT: return a == SCALAR_WEAK_INT || a == SCALAR_NONE ? a : schema_promoted(a);
  case OP_CLASS_ARITHMETIC:
  case OP_CLASS_DIVIDE:
  case OP_CLASS_INTEGER: return checker_operand_type(op, left, right, a, b);
  }
  bug("operator %d", (int)op);
}

Scalar checker_unary_type(SchemaUnary op, Scalar operand)
{
  if (schema_unary_info(op)->class == OP_CLASS_LOGIC)
    return SCALAR_BOOL;
  if (operand == SCALAR_BOOL && op == UNARY_inv)
    return SCALAR_I32;
  return operand == SCALAR_NONE || schema_is_weak(operand) ? operand : schema_promoted(operand);
}

static Scalar common_of_arguments(Checker *c, SchemaList args)
{
  Scalar type = args.count ? checker_type_of(c, args.items[0]) : SCALAR_NONE;
  type = type == SCALAR_NONE || schema_is_weak(type) ? type : schema_promoted(type);
  for (uint32_t i = 1; i < args.count; i++)
    type = checker_common(args.items[0], args.items[i], type, checker_type_of(c, args.items[i]));
  return type;
}

// The arguments' type of a builtin whose arguments are values, given their common one.
Scalar checker_argument_type(SchemaBuiltin builtin, Scalar common)
{
  SchemaCallClass class = schema_builtin_info(builtin)->class;
  if ((class == CALL_CLASS_FLOAT || class == CALL_CLASS_TEST) && common != SCALAR_NONE && !schema_is_real(common))
    return common == SCALAR_WEAK_INT ? SCALAR_WEAK_FLOAT : SCALAR_F32;
  return common;
}

SchemaVar *checker_array_of(Checker *c, const SchemaNode *node)
{
  if (node->kind != SCHEMA_var)
    return NULL;
  SchemaVar *var = checker_find_var(c, SCHEMA_AS(var, node)->name);
  return var && var->type.is_array ? var : NULL;
}

static Scalar builtin_type(Checker *c, SchemaBuiltin builtin, SchemaList args)
{
  switch (schema_builtin_info(builtin)->class) {
  case CALL_CLASS_ID: return SCALAR_I64;
  case CALL_CLASS_BARRIER: return SCALAR_NONE;
  case CALL_CLASS_TEST: return SCALAR_BOOL;
  case CALL_CLASS_AS: return schema_as_type(builtin);
  case CALL_CLASS_FLOAT:
  case CALL_CLASS_INTEGER:
  case CALL_CLASS_NUMBER: return checker_argument_type(builtin, common_of_arguments(c, args));
  case CALL_CLASS_ATOMIC: {
    SchemaVar *array = args.count ? checker_array_of(c, args.items[0]) : NULL;
    return !array ? SCALAR_NONE : scalar_is_float(array->type.scalar) ? schema_promoted(array->type.scalar) : array->type.scalar;
  }
  }
  bug("builtin %d", (int)builtin);
}

// ---- helpers

bool checker_calls_file(const Checker *c, const Name *name)
{
  bool at_zero;
  const FunctionState *state = map_get(&c->functions, name->str);
  return state && (!state->function->is_kernel || schema_builtin_find(name->str, &at_zero) == BUILTIN_NONE);
}

static Scalar call_type(Checker *c, const Name *name, SchemaList args)
{
  bool at_zero;
  if (!checker_calls_file(c, name)) {
    SchemaBuiltin builtin = schema_builtin_find(name->str, &at_zero);
    return builtin == BUILTIN_NONE ? SCALAR_NONE : builtin_type(c, builtin, args);
  }
  FunctionState *helper = checker_helper(c, name, args);
  if (!helper || helper->progress == PROGRESS_UNDERWAY || !checker_check_function(c, helper))
    return SCALAR_NONE;
  Scalar returns = helper->function->returns.scalar;
  return scalar_is_float(returns) ? schema_promoted(returns) : returns;
}

static Scalar type_of_node(Checker *c, SchemaNode *node)
{
  switch (node->kind) {
  case SCHEMA_literal:
    if (node->type.scalar != SCALAR_NONE)
      return node->type.scalar;
    switch (SCHEMA_AS(literal, node)->value.kind) {
    case LITERAL_BOOL: return SCALAR_BOOL;
    case LITERAL_INT: return SCALAR_WEAK_INT;
    case LITERAL_FLOAT: return SCALAR_WEAK_FLOAT;
    }
    break;
  case SCHEMA_var: {
    SchemaVar *var = checker_find_var(c, SCHEMA_AS(var, node)->name);
    if (!var || var->type.is_array)
      return SCALAR_NONE;
    return var->kind == VAR_CONSTANT && var->type.scalar == SCALAR_NONE ? checker_type_of(c, (SchemaNode *)var->value) : var->type.scalar;
  }
  case SCHEMA_index: {
    SchemaVar *array = checker_array_of(c, SCHEMA_AS(index, node)->array);
    Scalar element = array ? array->type.scalar : SCALAR_NONE;
    return element == SCALAR_F16 || element == SCALAR_BF16 ? SCALAR_F32 : element;
  }
  case SCHEMA_binary_op: {
    Schema_binary_op *e = SCHEMA_AS(binary_op, node);
    return checker_binary_type(e->op, e->left, e->right, checker_type_of(c, e->left), checker_type_of(c, e->right));
  }
  case SCHEMA_unary_op: return checker_unary_type(SCHEMA_AS(unary_op, node)->op, checker_type_of(c, SCHEMA_AS(unary_op, node)->operand));
  case SCHEMA_if_expr: {
    Schema_if_expr *e = SCHEMA_AS(if_expr, node);
    Scalar a = checker_type_of(c, e->then_value), b = checker_type_of(c, e->else_value);
    return a == SCALAR_BOOL && b == SCALAR_BOOL ? a : checker_common(e->then_value, e->else_value, a, b);
  }
  case SCHEMA_cast: return SCHEMA_AS(cast, node)->to;
  case SCHEMA_call:
    if (node->callee)  // finished: it has the name of an instance, which no call in the file has
      return node->type.scalar;
    return call_type(c, SCHEMA_AS(call, node)->function, SCHEMA_AS(call, node)->args);
  default: break;
  }
  bug("`%s` is no expression", schema_kind_info(node->kind).json);
}

Scalar checker_type_of(Checker *c, SchemaNode *node)
{
  c->nested++;
  Scalar type = type_of_node(c, node);
  c->nested--;
  return type;
}

// ---- finding the types of locals

Scalar checker_settled(Scalar scalar)
{
  return scalar == SCALAR_WEAK_INT ? SCALAR_I32 : scalar == SCALAR_WEAK_FLOAT ? SCALAR_F32 : scalar;
}

// ---- finding the types of locals

static void look_for_long(SchemaNode *node, void *context)
{
  if (node->kind == SCHEMA_literal && SCHEMA_AS(literal, node)->value.kind == LITERAL_INT)
    *(bool *)context |= !schema_literal_fits(&SCHEMA_AS(literal, node)->value, SCALAR_I32);
  if (node->kind == SCHEMA_binary_op && SCHEMA_AS(binary_op, node)->op == BINARY_shl)
    *(bool *)context |= SCHEMA_AS(binary_op, node)->right->kind != SCHEMA_literal;  // 1 << n
}

Scalar checker_alone(SchemaNode *node, Scalar scalar)
{
  bool is_long = false;
  if (scalar == SCALAR_WEAK_INT)
    schema_walk(node, look_for_long, &is_long);
  return is_long ? SCALAR_I64 : checker_settled(scalar);
}

// `var` is assigned a value of type `scalar`.
static void widen(Checker *c, SchemaVar *var, SchemaNode *value, Scalar scalar)
{
  if (var->kind != VAR_LOCAL || var->is_declared || scalar == SCALAR_NONE)
    return;
  Scalar was = var->type.scalar;
  Scalar wider = scalar == SCALAR_BOOL || schema_is_weak(scalar) ? scalar : schema_promoted(scalar);
  if (was != SCALAR_NONE && !(was == SCALAR_BOOL && wider == SCALAR_BOOL))
    wider = checker_common(value, value, was, wider);
  if (wider == SCALAR_WEAK_INT && checker_alone(value, wider) == SCALAR_I64)
    wider = SCALAR_I64;
  if (wider != was)
    c->changed = true;
  var->type.scalar = wider;
}

// A statement that assigns a name, or returns a value.
typedef struct Giving {
  SchemaNode *node, *value;
  SchemaVar *var;  // NULL: the result
} Giving;

// Givings are looked at in their order, again and again, until no type changes; those that a change cannot touch are
// passed over. A key is the round above the giving's number: the least is next.
typedef struct Inference {
  Checker *c;
  Vec(Giving) givings;
  uint32_t *touched, *first;  // givings that local `i` is read or assigned by: touched[first[i]] to touched[first[i + 1] - 1]
  Vec(uint64_t) heap;
  bool *is_waiting;
  SchemaVar result;  // of the function
  bool is_counting;
} Inference;

static void wait_for(Inference *in, uint64_t key)
{
  if (in->is_waiting[(uint32_t)key])
    return;
  in->is_waiting[(uint32_t)key] = true;
  vec_push(in->c->arena, &in->heap, key);
  uint64_t *keys = in->heap.items;
  for (size_t at = in->heap.count - 1; at && keys[(at - 1) / 2] > keys[at]; at = (at - 1) / 2) {
    uint64_t above = keys[(at - 1) / 2];
    keys[(at - 1) / 2] = keys[at], keys[at] = above;
  }
}

static uint64_t take_next(Inference *in)
{
  uint64_t *keys = in->heap.items, next = keys[0], last = vec_pop(&in->heap);
  size_t count = in->heap.count, at = 0;
  for (size_t below; (below = 2 * at + 1) < count; at = below) {
    below += below + 1 < count && keys[below + 1] < keys[below];
    if (keys[below] >= last)
      break;
    keys[at] = keys[below];
  }
  if (count)
    keys[at] = last;
  in->is_waiting[(uint32_t)next] = false;
  return next;
}

static void collect_giving(SchemaNode *node, void *context)
{
  Inference *in = context;
  Checker *c = in->c;
  Giving giving = {.node = node};
  if (node->kind == SCHEMA_let) {
    giving.value = SCHEMA_AS(let, node)->value, giving.var = node->var;
  } else if (node->kind == SCHEMA_assign && SCHEMA_AS(assign, node)->target->kind == SCHEMA_var) {
    giving.value = SCHEMA_AS(assign, node)->value;
    giving.var = checker_find_var(c, SCHEMA_AS(var, SCHEMA_AS(assign, node)->target)->name);
  } else if (node->kind == SCHEMA_for) {
    giving.value = SCHEMA_AS(for, node)->start, giving.var = node->var;
  } else if (node->kind == SCHEMA_return && !c->function->has_declared_return) {
    giving.value = SCHEMA_AS(return, node)->value, giving.var = &in->result;
  }
  bool is_open = giving.var && giving.var->kind == VAR_LOCAL && !giving.var->is_declared;
  if (giving.value && is_open)
    vec_push(c->arena, &in->givings, giving);
}

typedef struct Reading {
  Inference *in;
  uint32_t number;
} Reading;

static void note_touch(const Reading *reading, const SchemaVar *var)
{
  Inference *in = reading->in;
  if (!var || var->kind != VAR_LOCAL || var == &in->result)
    return;
  if (in->is_counting)
    in->first[var->index]++;
  else
    in->touched[--in->first[var->index]] = reading->number;
}

static void note_reading(SchemaNode *node, void *context)
{
  const Reading *reading = context;
  if (node->kind == SCHEMA_var)
    note_touch(reading, checker_find_var(reading->in->c, SCHEMA_AS(var, node)->name));
}

static void note_readings(Inference *in)
{
  for (uint32_t i = 0; i < in->givings.count; i++) {
    Reading reading = {in, i};
    note_touch(&reading, in->givings.items[i].var);
    schema_walk(in->givings.items[i].value, note_reading, &reading);
  }
}

// Fills in `touched` and `first`: how often each local is touched, the sums of that, then the numbers, from behind.
static void index_readings(Inference *in)
{
  size_t locals = in->c->function->locals.count;
  in->first = arena_array(in->c->arena, uint32_t, locals + 1);
  in->is_counting = true;
  note_readings(in);
  for (size_t i = 1; i <= locals; i++)
    in->first[i] += in->first[i - 1];
  in->touched = arena_array(in->c->arena, uint32_t, in->first[locals] + 1);
  in->is_counting = false;
  note_readings(in);
}

// The type of `var` changed while giving `number` of `round` was looked at.
static void spread(Inference *in, const SchemaVar *var, uint64_t round, uint32_t number)
{
  if (var == &in->result)
    return;
  for (uint32_t i = in->first[var->index]; i < in->first[var->index + 1]; i++)
    wait_for(in, (in->touched[i] > number ? round : round + 1) << 32 | in->touched[i]);
}

static uint64_t widen_all(Inference *in)
{
  uint64_t round = 0;
  while (in->heap.count) {
    uint64_t next = take_next(in);
    Giving *giving = &in->givings.items[(uint32_t)next];
    round = next >> 32;
    in->c->changed = false;
    widen(in->c, giving->var, giving->value, giving->node->kind == SCHEMA_for ? SCALAR_I64 : checker_type_of(in->c, giving->value));
    if (in->c->changed)
      spread(in, giving->var, round, (uint32_t)next);
  }
  return round;
}

void checker_infer_locals(Checker *c)
{
  SchemaFunction *function = c->function;
  Inference in = {.c = c, .result = {.kind = VAR_LOCAL, .type = function->returns}};
  schema_walk_list(function->body, collect_giving, &in);
  in.is_waiting = arena_array(c->arena, bool, in.givings.count + 1);
  index_readings(&in);
  for (uint64_t i = 0; i < in.givings.count; i++)
    wait_for(&in, i);
  while (in.heap.count) {
    uint64_t round = widen_all(&in) + 1;
    // What only literals were assigned to takes its type now; that may widen what depends on it.
    for (size_t i = 0; i < function->locals.count; i++) {
      SchemaVar *var = function->locals.items[i];
      if (schema_is_weak(var->type.scalar)) {
        var->type.scalar = checker_settled(var->type.scalar);
        spread(&in, var, round, UINT32_MAX);
      }
    }
    if (schema_is_weak(in.result.type.scalar)) {
      in.result.type.scalar = checker_settled(in.result.type.scalar);
      for (uint32_t i = 0; i < in.givings.count; i++)
        if (in.givings.items[i].var == &in.result)
          wait_for(&in, (round + 1) << 32 | i);
    }
  }
  if (!function->has_declared_return)
    function->returns = in.result.type;
}
