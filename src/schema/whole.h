// whole.h -- the statements that work on whole arrays: what they have in common.

#pragma once
#include "schema/schema.h"

typedef struct SchemaWhole {
  SchemaNode **arrays[3];  // the node's own fields, so that they can be replaced
  uint32_t array_count;
  uint32_t output;         // which of the arrays is written
  uint32_t indices;        // which holds indices; array_count: none
  SchemaNode **count;
  bool is_reduction, is_scan;
  uint32_t operand_count;  // of the operation: 1, 2, or 0 for none
  SchemaBuiltin builtin;   // the operation: a builtin ...
  SchemaBinary binary;     // ... or, when `is_binary`, an operator
  SchemaUnary unary;       // ... or, when `is_unary`
  bool is_binary, is_unary;
} SchemaWhole;

// The name of operation `i` of a kind of statement; NULL: there are no more.
const char *schema_whole_operation(SchemaKind kind, size_t i);

// Fills in `*whole` and returns NULL; else what is wrong, for people: the node is no such statement, or its operation is none.
const char *schema_whole_of(SchemaNode *node, SchemaWhole *whole);

// Whether the statements of a kernel that works on whole arrays can be stages of a launch, each on all cores: besides them it only gives names, once each,
// to values that are the same at any time.
bool schema_whole_in_stages(const SchemaFunction *function);
