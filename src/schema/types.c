// types.c -- which type an operation has: docs/schema.md, "The type of an expression".

#include "schema/check.h"

#include <math.h>

Scalar schema_promoted(Scalar scalar)
{
  if (scalar_is_float(scalar))
    return scalar == SCALAR_F64 ? SCALAR_F64 : SCALAR_F32;
  if (scalar == SCALAR_BOOL || (scalar_is_integer(scalar) && scalar_info(scalar)->bytes < 4))
    return SCALAR_I32;
  return scalar;
}

bool schema_is_weak(Scalar scalar)
{
  return scalar == SCALAR_WEAK_INT || scalar == SCALAR_WEAK_FLOAT;
}

bool schema_is_real(Scalar scalar)
{
  return scalar_is_float(scalar) || scalar == SCALAR_WEAK_FLOAT;
}

static Scalar common_of_integers(Scalar a, Scalar b)
{
  if (a == b)
    return a;
  bool both_unsigned = !scalar_is_signed(a) && !scalar_is_signed(b);
  return both_unsigned ? SCALAR_U64 : SCALAR_I64;  // equal ones are gone, so one has 64 bits or the signs differ
}

Scalar schema_common_type(Scalar a, Scalar b)
{
  if (a == SCALAR_NONE || b == SCALAR_NONE)
    return SCALAR_NONE;
  if (schema_is_weak(a) && schema_is_weak(b))
    return a == b ? a : SCALAR_WEAK_FLOAT;
  if (schema_is_weak(b)) {
    Scalar weak = b;
    b = a, a = weak;
  }
  b = schema_promoted(b);
  if (a == SCALAR_WEAK_INT)
    return b;
  if (a == SCALAR_WEAK_FLOAT)
    return scalar_is_float(b) ? b : SCALAR_F32;
  a = schema_promoted(a);
  if (scalar_is_float(a) && scalar_is_float(b))
    return a == SCALAR_F64 ? a : b;
  if (scalar_is_float(a) || scalar_is_float(b))
    return scalar_is_float(a) ? a : b;
  return common_of_integers(a, b);
}

bool schema_literal_fits(const SchemaLiteral *literal, Scalar scalar)
{
  if (literal->kind == LITERAL_BOOL)
    return true;
  if (scalar_is_float(scalar)) {
    double value = literal->kind == LITERAL_FLOAT ? literal->real
                   : literal->is_negative         ? -(double)literal->magnitude
                                                  : (double)literal->magnitude;
    // From here on the nearest value is an infinity.
    const double end = scalar == SCALAR_F16 ? 65520 : scalar == SCALAR_BF16 ? 0x1.ffp127 : 0x1.ffffffp127;
    return scalar == SCALAR_F64 || !isfinite(value) || fabs(value) < end;
  }
  if (literal->kind == LITERAL_FLOAT)
    return false;
  if (scalar == SCALAR_BOOL)
    return literal->magnitude <= 1 && !literal->is_negative;
  uint32_t bits = 8 * scalar_info(scalar)->bytes;
  if (!scalar_is_signed(scalar))
    return (!literal->is_negative || literal->magnitude == 0) && (bits == 64 || literal->magnitude >> bits == 0);
  uint64_t half = UINT64_C(1) << (bits - 1);
  return literal->is_negative ? literal->magnitude <= half : literal->magnitude < half;
}
