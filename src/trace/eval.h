// eval.h -- evaluating expressions and statements, and calling values.

#pragma once
#include "trace/tracer.h"

bool eval_expr(Tracer *t, Frame *frame, const Expr *expr, Value *out);
Completion eval_block(Tracer *t, Frame *frame, const StmtList *statements);

// Binds `value` to a target: name, attribute, subscript, tuple, starred. False after raising.
bool eval_assign(Tracer *t, Frame *frame, const Expr *target, Value value);

// Calls anything callable. `call->self` is ignored.
bool call_value(Tracer *t, Value callee, const Call *call, Value *out);
// With positional arguments only.
bool call_simple(Tracer *t, Value callee, const Value *args, uint32_t count, Span span, Value *out);
// A method of `self`; OUTCOME_MISSING when it has none of that name.
Outcome call_method(Tracer *t, Value self, const char *name, const Value *args, uint32_t count, Span span, Value *out);
