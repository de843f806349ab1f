// checker.h -- what the files of the checker know of each other: check.c finishes trees and asks infer.c for types.

#pragma once
#include "schema/check.h"

typedef enum Progress { PROGRESS_NONE, PROGRESS_UNDERWAY, PROGRESS_DONE } Progress;

typedef struct FunctionState FunctionState;

struct FunctionState {
  SchemaFunction *function;
  Map names;  // parameters and locals: SchemaVar * by name
  Progress progress;
  bool failed;
  bool is_generic;  // a helper whose parameters have no types: never checked itself
  Vec(FunctionState *) instances;  // of a generic one, for each tuple of types it is called with
};

typedef struct Checker {
  SchemaFile *file;
  Arena *arena;
  Map functions;        // FunctionState * by the name that calls have
  Map made;             // names of instances
  FunctionState *state; // of the function being checked
  SchemaFunction *function;
  uint32_t loops, depth;  // around the statement being finished
  uint64_t shared_bytes;  // of the function's shared arrays so far
  uint32_t nested;      // of our own calls, with those of the callers whose helper is checked
  uint32_t entered;     // `nested` where the function began
  bool changed;         // a type became wider in this round
  bool failed;
} Checker;

// ---- infer.c: types before a tree is finished; SCALAR_NONE: not known (yet), or wrong. Reports nothing.

SchemaVar *checker_find_var(const Checker *c, const Name *name);     // a parameter, local or constant; NULL: none
SchemaVar *checker_array_of(Checker *c, const SchemaNode *node);     // the array that an expression names; NULL: it names none
bool checker_calls_file(const Checker *c, const Name *name);         // whether a call means a function of the file: no kernel that is called as a builtin is
Scalar checker_type_of(Checker *c, SchemaNode *node);
Scalar checker_settled(Scalar scalar);                               // of a literal that nothing stands beside
Scalar checker_alone(SchemaNode *node, Scalar scalar);               // the same of an expression of literals: i64 when one of them needs it

// The common type, wider when a literal is no value of it: `u32 + -1` is i64.
Scalar checker_common(const SchemaNode *left, const SchemaNode *right, Scalar a, Scalar b);
Scalar checker_operand_type(SchemaBinary op, const SchemaNode *left, const SchemaNode *right, Scalar a, Scalar b);  // what both operands are brought to
Scalar checker_binary_type(SchemaBinary op, const SchemaNode *left, const SchemaNode *right, Scalar a, Scalar b);
Scalar checker_unary_type(SchemaUnary op, Scalar operand);
Scalar checker_argument_type(SchemaBuiltin builtin, Scalar common);  // of a builtin whose arguments are values of a common type

// Finds the types of the function's locals and, when it is not written down, of its result: every assignment widens its name's type until
// nothing changes.
void checker_infer_locals(Checker *c);

// ---- check.c

// The function that a call of `name` means: itself, or its instance for the arguments' types. NULL: one of them is not known.
FunctionState *checker_helper(Checker *c, const Name *name, SchemaList args);

// Checks a function and, first, the helpers it calls. False when it has errors; they are reported once.
bool checker_check_function(Checker *c, FunctionState *state);
