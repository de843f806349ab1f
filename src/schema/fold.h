// fold.h -- what expressions of numbers are, as Python computes them.

#pragma once
#include "schema/schema.h"

// The number that an expression of literals is; false: it has something else in it, or its number is none that a literal can hold: an integer of more than
// 64 bits, an infinity, a division by 0.
bool schema_fold(const SchemaNode *node, SchemaLiteral *out);

double schema_literal_double(const SchemaLiteral *literal);  // of an integer or a float
