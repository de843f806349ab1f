// methods.h -- tables of the methods of built-in types; each ends with a NULL name.

#pragma once
#include "trace/value.h"

extern const NativeMethod str_methods[], bytes_methods[], list_methods[], tuple_methods[], dict_methods[], set_methods[],
  int_methods[], float_methods[], range_methods[], slice_methods[], defaultdict_methods[], counter_methods[],
  named_tuple_methods[];

// Sorts in place, stable; `key` and `reverse` as list.sort takes them.
bool list_sort(Tracer *t, List *list, Value key, bool reverse, Span span);

// From a mapping or an iterable of pairs; from any iterable; counting what an iterable gives.
bool dict_fill(Tracer *t, Dict *dict, Value source, Span span);
bool set_fill(Tracer *t, Dict *set, Value iterable, Span span);
bool counter_fill(Tracer *t, Dict *dict, Value source, Span span);
bool m_dict_fromkeys(Tracer *t, const Call *call, Value *out);

// `format % args` and `format.format(...)`.
bool text_percent(Tracer *t, Str format, Value args, Span span, Value *out);
bool text_format(Tracer *t, Str format, const Call *call, Value *out);
