// ops.h -- what Python's operators and protocols do with values. All return false (OUTCOME_ERROR) after raising.

#pragma once
#include "trace/tracer.h"

bool op_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out);
bool op_inplace(Tracer *t, Operator op, Value left, Value right, Span span, Value *out);  // `left op= right`
bool op_unary(Tracer *t, UnaryOp op, Value operand, Span span, Value *out);
bool op_compare(Tracer *t, CmpOp op, Value left, Value right, Span span, Value *out);
bool op_equal(Tracer *t, Value left, Value right, Span span, bool *out);
bool op_less(Tracer *t, Value left, Value right, Span span, bool *out);
bool op_is(Value left, Value right);
bool op_contains(Tracer *t, Value container, Value item, Span span, bool *out);
bool op_truth(Tracer *t, Value value, Span span, bool *out);
bool op_hash(Tracer *t, Value value, Span span, uint64_t *out);
bool op_length(Tracer *t, Value value, Span span, int64_t *out);

bool op_getattr(Tracer *t, Value object, const Name *name, Span span, Value *out);
Outcome op_find_attr(Tracer *t, Value object, const Name *name, Span span, Value *out);  // MISSING: no such attribute
bool op_setattr(Tracer *t, Value object, const Name *name, Value value, Span span);
bool op_delattr(Tracer *t, Value object, const Name *name, Span span);
bool op_getitem(Tracer *t, Value object, Value key, Span span, Value *out);
bool op_setitem(Tracer *t, Value object, Value key, Value value, Span span);
bool op_delitem(Tracer *t, Value object, Value key, Span span);

// An iterator over any iterable, and its next value (*done: there is none).
bool op_iterate(Tracer *t, Value iterable, Span span, Value *iterator);
bool op_next(Tracer *t, Value iterator, Span span, Value *out, bool *done);
// All items of an iterable, as a new list.
bool op_collect(Tracer *t, Value iterable, Span span, List *list);

bool op_repr(Tracer *t, Value value, Span span, StrBuf *out);
bool op_str(Tracer *t, Value value, Span span, StrBuf *out);
bool op_format(Tracer *t, Value value, Str spec, Span span, StrBuf *out);

// start, stop, step and length of a slice over `length` items, as slice.indices gives them.
bool slice_indices(Tracer *t, const Slice *slice, int64_t length, Span span, Range *out);
// An index as __index__ gives it: ints, bools, enum members of IntEnum, objects with __index__.
bool op_index(Tracer *t, Value value, Span span, int64_t *out);

Class *value_class_of(Tracer *t, Value value);
bool class_is_subclass(const Class *class, const Class *base);
bool value_is_instance(Tracer *t, Value value, const Class *class);
