// fold.c -- numbers that the front end computes. See fold.h.

#include "schema/fold.h"

#include <math.h>

static bool as_int64(const SchemaLiteral *literal, int64_t *out)
{
  if (literal->kind != LITERAL_INT || literal->magnitude > INT64_MAX)
    return false;
  *out = literal->is_negative ? -(int64_t)literal->magnitude : (int64_t)literal->magnitude;
  return true;
}

double schema_literal_double(const SchemaLiteral *literal)
{
  if (literal->kind == LITERAL_FLOAT)
    return literal->real;
  return literal->is_negative ? -(double)literal->magnitude : (double)literal->magnitude;
}

static bool int_literal(int64_t value, SchemaLiteral *out)
{
  *out = (SchemaLiteral){.kind = LITERAL_INT, .is_negative = value < 0, .magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value};
  return true;
}

static bool float_literal(double value, SchemaLiteral *out)
{
  *out = (SchemaLiteral){.kind = LITERAL_FLOAT, .real = value};
  return isfinite(value);
}

// Of numbers that are not below 0, and may have 64 bits.
static bool fold_naturals(SchemaBinary op, uint64_t a, uint64_t b, SchemaLiteral *out)
{
  uint64_t value = 1;
  bool fits = true;
  switch (op) {
  case BINARY_add: fits = !__builtin_add_overflow(a, b, &value); break;
  case BINARY_sub: fits = a >= b, value = a - b; break;
  case BINARY_mul: fits = !__builtin_mul_overflow(a, b, &value); break;
  case BINARY_floor_div: fits = b > 0, value = b ? a / b : 0; break;
  case BINARY_mod: fits = b > 0, value = b ? a % b : 0; break;
  case BINARY_bit_and: value = a & b; break;
  case BINARY_bit_or: value = a | b; break;
  case BINARY_bit_xor: value = a ^ b; break;
  case BINARY_shl: fits = a == 0 || (b < 64 && a <= UINT64_MAX >> b), value = fits && b < 64 ? a << b : 0; break;
  case BINARY_shr: value = b < 64 ? a >> b : 0; break;
  case BINARY_pow:
    for (uint64_t i = 0; i < b && a > 1 && fits; i++)
      fits = !__builtin_mul_overflow(value, a, &value);
    value = a > 1 || b == 0 ? value : a;
    break;
  default: return false;
  }
  *out = (SchemaLiteral){.kind = LITERAL_INT, .magnitude = value};
  return fits;
}

static bool fold_ints(SchemaBinary op, int64_t a, int64_t b, SchemaLiteral *out)
{
  int64_t value = 1;
  switch (op) {
  case BINARY_add: return !__builtin_add_overflow(a, b, &value) && int_literal(value, out);
  case BINARY_sub: return !__builtin_sub_overflow(a, b, &value) && int_literal(value, out);
  case BINARY_mul: return !__builtin_mul_overflow(a, b, &value) && int_literal(value, out);
  case BINARY_div: return b != 0 && float_literal((double)a / (double)b, out);
  case BINARY_floor_div: return b > 0 && int_literal(a / b - (a % b < 0), out);
  case BINARY_mod: return b > 0 && int_literal(a % b + (a % b < 0 ? b : 0), out);
  case BINARY_bit_and: return int_literal(a & b, out);
  case BINARY_bit_or: return int_literal(a | b, out);
  case BINARY_bit_xor: return int_literal(a ^ b, out);
  case BINARY_shl:
    value = a;
    for (int64_t i = 0; i < b; i++)
      if (__builtin_mul_overflow(value, 2, &value))
        return false;
    return b >= 0 && int_literal(value, out);
  case BINARY_shr: return b >= 0 && int_literal(b > 62 ? -(a < 0) : a >= 0 ? a >> b : ~(~a >> b), out);
  case BINARY_pow:
    if (b < 0 || b > 64)
      return false;
    for (int64_t i = 0; i < b; i++)
      if (__builtin_mul_overflow(value, a, &value))
        return false;
    return int_literal(value, out);
  default: return false;
  }
}

static bool fold_floats(SchemaBinary op, double a, double b, SchemaLiteral *out)
{
  switch (op) {
  case BINARY_add: return float_literal(a + b, out);
  case BINARY_sub: return float_literal(a - b, out);
  case BINARY_mul: return float_literal(a * b, out);
  case BINARY_div: return b != 0 && float_literal(a / b, out);
  default: return false;
  }
}

bool schema_fold(const SchemaNode *node, SchemaLiteral *out)
{
  SchemaLiteral a, b;
  int64_t m = 0, n = 0;
  if (node->kind == SCHEMA_literal) {
    *out = SCHEMA_AS(literal, node)->value;
    return true;
  }
  if (node->kind == SCHEMA_unary_op) {
    const SchemaUnary op = SCHEMA_AS(unary_op, node)->op;
    if (!schema_fold(SCHEMA_AS(unary_op, node)->operand, &a) || a.kind == LITERAL_BOOL || op == UNARY_not)
      return false;
    if (a.kind == LITERAL_FLOAT)
      return op != UNARY_inv && float_literal(op == UNARY_neg ? -a.real : a.real, out);
    return as_int64(&a, &m) && int_literal(op == UNARY_neg ? -m : op == UNARY_inv ? ~m : m, out);
  }
  if (node->kind != SCHEMA_binary_op || !schema_fold(SCHEMA_AS(binary_op, node)->left, &a) || !schema_fold(SCHEMA_AS(binary_op, node)->right, &b) ||
      a.kind == LITERAL_BOOL || b.kind == LITERAL_BOOL)
    return false;
  const SchemaBinary op = SCHEMA_AS(binary_op, node)->op;
  if (a.kind == LITERAL_INT && b.kind == LITERAL_INT && !a.is_negative && !b.is_negative && fold_naturals(op, a.magnitude, b.magnitude, out))
    return true;
  if (a.kind == LITERAL_INT && b.kind == LITERAL_INT)
    return as_int64(&a, &m) && as_int64(&b, &n) && fold_ints(op, m, n, out);
  return fold_floats(op, schema_literal_double(&a), schema_literal_double(&b), out);
}
