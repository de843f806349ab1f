// class_kinds.h -- what the built-in modules share about enumerations, data classes and named tuples.

#pragma once
#include "trace/object.h"

// What `dataclasses.field(...)` gives, until the class is made.
typedef struct FieldObject {
  NativeObject head;
  ClassField field;
} FieldObject;
extern const NativeType field_type, auto_type;

bool object_allocate(Tracer *t, Class *class, const Call *call, Value *out);
bool named_tuple_make(Tracer *t, const char *name, const Name *const *names, size_t count, const Value *defaults,
                      size_t default_count, Span span, Value *out);
bool named_tuple_init(Tracer *t, Class *class, Value self, const Call *call);
