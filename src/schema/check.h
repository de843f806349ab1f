// check.h -- gives a tree from Python or JSON its meaning, or refuses it.

#pragma once
#include "schema/schema.h"

// Resolves names, finds every type, writes a `cast` wherever a type changes, and checks the rest of docs/schema.md: calls, definite
// assignment, circles of calls, barriers. Helpers without annotations become one function for each tuple of types they are called with.
// Fills in what schema.h marks as the checker's. False after reporting every error it finds. A checked file checks again unchanged.
bool schema_check(SchemaFile *file);

// ---- the parts

// The common type of two operands (docs/schema.md, "The type of an expression"); weak with weak stays weak.
Scalar schema_common_type(Scalar a, Scalar b);
Scalar schema_promoted(Scalar scalar);  // what arithmetic on it is done in: narrow integers and bool i32, f16 and bf16 f32
bool schema_is_weak(Scalar scalar);              // a literal's, not known yet
bool schema_is_real(Scalar scalar);              // a float, or a float literal
bool schema_literal_fits(const SchemaLiteral *literal, Scalar scalar);

// flow.c: reads of names that may have no value yet, and helpers that may end without one. Reports; false if any.
bool schema_check_flow(SchemaFile *file, SchemaFunction *function);

// grid.c: fills in function->grid from its guard.
void schema_find_grid(SchemaFile *file, SchemaFunction *function);

// uniform.c: barriers stand where all threads of a group come by. Reports; false if not.
bool schema_check_barriers(SchemaFile *file, SchemaFunction *function);
