// reduce.h -- the atomics of a kernel that are summed in a fixed order: docs/schema.md, "Threads", "Reductions".

#pragma once
#include "schema/schema.h"

// Ids are taken in blocks of this many (KLR_BLOCK of klr_kernel_abi.h), each by this many lanes.
enum { SCHEMA_BLOCK = 4096, SCHEMA_LANES = 16 };

typedef struct SchemaReduction {
  const SchemaNode *statement;  // the `perform` node
  const SchemaVar *array;       // a parameter, not touched otherwise
  SchemaNode *index;            // over literals and scalar parameters
  SchemaNode *value;            // of the element's type
  SchemaBuiltin op;             // atomic_add, atomic_min or atomic_max
  Scalar type;
} SchemaReduction;

typedef Vec(SchemaReduction) SchemaReductions;

// In source order, in the file's arena. Kernels with barriers or whole-array statements have none.
SchemaReductions schema_find_reductions(const SchemaFile *file, const SchemaFunction *function);
