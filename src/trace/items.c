// items.c -- subscripts, slices and iteration.

#include "trace/eval_internal.h"
#include "trace/number.h"

#include <string.h>

// ---- slices

static bool slice_part(Tracer *t, Value value, Span span, int64_t *out)
{
  Value v = value_unwrap(value);
  if (v.tag == VALUE_BIG_INT) {
    *out = int_sign(v) < 0 ? INT64_MIN : INT64_MAX;
    return true;
  }
  if (value_as_int(v, out))
    return true;
  if (value.tag == VALUE_INSTANCE && instance_special(value, t->builtins->__index__))
    return op_index(t, value, span, out);
  return RAISE(t, E_TYPE, span, "slice indices must be integers or None or have an __index__ method");
}

static int64_t clamp(int64_t at, int64_t length, int64_t low, int64_t high)
{
  if (at < 0) {
    at = at < -length ? low : at + length;
    return at < low ? low : at;
  }
  return at > high ? high : at;
}

bool slice_indices(Tracer *t, const Slice *slice, int64_t length, Span span, Range *out)
{
  int64_t step = 1;
  if (slice->step.tag != VALUE_NONE && !slice_part(t, slice->step, span, &step))
    return false;
  if (step == 0)
    return RAISE(t, E_VALUE, span, "slice step cannot be zero");
  if (step < -INT64_MAX)
    step = -INT64_MAX;
  int64_t low = step < 0 ? -1 : 0, high = step < 0 ? length - 1 : length;
  int64_t start = step < 0 ? high : low, stop = step < 0 ? low : high;
  if (slice->start.tag != VALUE_NONE) {
    if (!slice_part(t, slice->start, span, &start))
      return false;
    start = clamp(start, length, low, high);
  }
  if (slice->stop.tag != VALUE_NONE) {
    if (!slice_part(t, slice->stop, span, &stop))
      return false;
    stop = clamp(stop, length, low, high);
  }
  int64_t count = 0;
  if (step > 0 && start < stop)
    count = (stop - start - 1) / step + 1;
  else if (step < 0 && start > stop)
    count = (start - stop - 1) / -step + 1;
  *out = (Range){start, stop, step, count};
  return true;
}

// Bytes of the code points [start, start + count) with steps, in a new text.
static Value text_slice(Tracer *t, Value string, const Range *range)
{
  Str text = string.string->text;
  if (string.string->code_points == text.len) {
    if (range->step == 1 && range->length > 0) {
      Str piece = {text.data + range->start, (size_t)range->length};
      return string.tag == VALUE_STR ? value_str(t, piece) : value_bytes(t, piece);
    }
    char *out = arena_alloc(&t->arena, (size_t)range->length + 1);
    for (int64_t i = 0; i < range->length; i++)
      out[i] = text.data[range->start + i * range->step];
    Str piece = {out, (size_t)range->length};
    return string.tag == VALUE_STR ? value_str_own(t, piece) : value_bytes(t, piece);
  }
  uint32_t *offsets = arena_array(&t->arena, uint32_t, string.string->code_points + 1);
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    if (((unsigned char)text.data[i] & 0xC0) != 0x80)
      offsets[count++] = (uint32_t)i;
  offsets[count] = (uint32_t)text.len;
  StrBuf out = strbuf_new(&t->arena);
  strbuf_add(&out, "", 0);
  for (int64_t i = 0; i < range->length; i++) {
    int64_t at = range->start + i * range->step;
    strbuf_add(&out, text.data + offsets[at], offsets[at + 1] - offsets[at]);
  }
  return value_str(t, strbuf_str(&out));
}

static bool get_slice(Tracer *t, Value object, const Slice *slice, Span span, Value *out)
{
  int64_t length;
  Range range;
  if (!op_length(t, object, span, &length) || !slice_indices(t, slice, length, span, &range))
    return false;
  if (object.tag == VALUE_STR || object.tag == VALUE_BYTES) {
    *out = text_slice(t, object, &range);
    return true;
  }
  if (object.tag == VALUE_RANGE) {
    const Range *r = object.pointer;
    *out = value_range(t, r->start + range.start * r->step, r->start + range.stop * r->step, r->step * range.step);
    return true;
  }
  Value result = object.tag == VALUE_LIST ? value_list(t, NULL, (size_t)range.length)
                                          : value_tuple(t, NULL, (size_t)range.length);
  Value *to = object.tag == VALUE_LIST ? result.list->items : result.tuple->items;
  const Value *from = object.tag == VALUE_LIST ? object.list->items : object.tuple->items;
  for (int64_t i = 0; i < range.length; i++)
    to[i] = from[range.start + i * range.step];
  *out = result;
  return true;
}

// ---- reading

static bool index_error(Tracer *t, const char *what, int64_t index, int64_t length, Span span)
{
  Diag *diag = raise_error(t, E_INDEX, span, "%s index out of range", what);
  diag_primary(diag, diag->primary.span, "index %lld of %lld items", (long long)index, (long long)length);
  return false;
}

static bool sequence_index(Tracer *t, const char *what, Value key, int64_t length, Span span, int64_t *out)
{
  if (value_unwrap(key).tag != VALUE_INT && value_unwrap(key).tag != VALUE_BOOL && value_unwrap(key).tag != VALUE_BIG_INT &&
      !(key.tag == VALUE_INSTANCE && instance_special(key, t->builtins->__index__))) {
    if (key.tag == VALUE_OPAQUE)
      return raise_opaque(t, key, span, "used as an index");
    if (value_is_native(key) && key.object->type->runtime_truth)
      return RAISE(t, E_RUNTIME_VALUE, span, "a %s cannot be indexed by '%s', which is known only on the device", what,
                   key.object->type->name);
    if (strcmp(what, "string") == 0)
      return RAISE(t, E_TYPE, span, "string indices must be integers, not '%s'", value_type_name(t, key));
    return RAISE(t, E_TYPE, span, "%s indices must be integers or slices, not %s", what, value_type_name(t, key));
  }
  int64_t index;
  if (!op_index(t, key, span, &index))
    return false;
  *out = index < 0 ? index + length : index;
  return (*out >= 0 && *out < length) || index_error(t, what, index, length, span);
}

static bool dict_missing(Tracer *t, Value object, Dict *dict, Value key, Span span, Value *out)
{
  if (object.tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, object, t->builtins->__missing__, &key, 1, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
    if (object.instance->class->mro_count > 1 && class_is_subclass(object.instance->class, t->builtins->class_Counter)) {
      *out = value_int(0);
      return true;
    }
  }
  if (value_is_set(dict->default_factory) && dict->default_factory.tag != VALUE_NONE)
    return call_simple(t, dict->default_factory, NULL, 0, span, out) && dict_set(t, dict, key, *out);
  if (!raise_key_error(t, key, span) && dict->count && dict->count <= 200 && key.tag == VALUE_STR &&
      t->exception.tag == VALUE_INSTANCE && t->exception.instance->diag) {
    Vec(const char *) names = {0};
    for (uint32_t i = 0; i < dict->used; i++)
      if (dict->entries[i].key.tag == VALUE_STR)
        vec_push(&t->arena, &names, dict->entries[i].key.string->text.data);
    diag_suggest(t->exception.instance->diag, key.string->text, names.items, names.count);
  }
  return false;
}

bool op_getitem(Tracer *t, Value object, Value key, Span span, Value *out)
{
  Value original = object;
  if (object.tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, object, t->builtins->__getitem__, &key, 1, span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
    object = value_unwrap(object);
  }
  int64_t index;
  switch ((ValueTag)object.tag) {
  case VALUE_LIST:
  case VALUE_TUPLE:
  case VALUE_STR:
  case VALUE_BYTES:
  case VALUE_RANGE:
    if (key.tag == VALUE_SLICE)
      return get_slice(t, object, key.pointer, span, out);
    break;
  default: break;
  }
  switch ((ValueTag)object.tag) {
  case VALUE_LIST:
    if (!sequence_index(t, "list", key, (int64_t)object.list->count, span, &index))
      return false;
    *out = object.list->items[index];
    return true;
  case VALUE_TUPLE:
    if (!sequence_index(t, "tuple", key, (int64_t)object.tuple->count, span, &index))
      return false;
    *out = object.tuple->items[index];
    return true;
  case VALUE_STR:
  case VALUE_BYTES: {
    if (!sequence_index(t, object.tag == VALUE_STR ? "string" : "index", key, (int64_t)object.string->code_points, span,
                        &index))
      return false;
    Range one = {index, index + 1, 1, 1};
    *out = object.tag == VALUE_STR ? text_slice(t, object, &one)
                                   : value_int((unsigned char)object.string->text.data[index]);
    return true;
  }
  case VALUE_RANGE: {
    const Range *range = object.pointer;
    if (!sequence_index(t, "range object", key, range->length, span, &index))
      return false;
    *out = value_int(range->start + index * range->step);
    return true;
  }
  case VALUE_DICT: {
    Outcome found = dict_get(t, object.dict, key, out);
    if (found != OUTCOME_MISSING)
      return found == OUTCOME_OK;
    return dict_missing(t, original, object.dict, key, span, out);
  }
  case VALUE_OPAQUE:
    if (is_module_level(t)) {
      *out = value_opaque(t, object.opaque->path, object.opaque->origin, object.opaque->reason);
      return true;
    }
    return raise_opaque(t, object, span, "indexed");
  case VALUE_CLASS: {
    if (object.class->flags & CLASS_ENUM) {
      if (key.tag == VALUE_STR) {
        Value *member = attr_find(&object.class->attrs, string_name(t, key.string));
        if (member && value_is_instance(t, *member, object.class)) {
          *out = *member;
          return true;
        }
      }
      return raise_key_error(t, key, span);
    }
    Value *special = class_find(object.class, t->builtins->__class_getitem__);
    if (special && special->tag != VALUE_NONE) {
      Value method;
      return op_getattr(t, object, t->builtins->__class_getitem__, span, &method) &&
             call_simple(t, method, &key, 1, span, out);
    }
    *out = object;  // list[int] and the like: only annotations
    return true;
  }
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (object.object->type->getitem) {
      Outcome outcome = object.object->type->getitem(t, object, key, span, out);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    }
    break;
  default: break;
  }
  return RAISE(t, E_TYPE, span, "'%s' object is not subscriptable", value_type_name(t, original));
}

// ---- writing

static bool set_slice(Tracer *t, List *list, const Slice *slice, Value value, Span span)
{
  Range range;
  List items = {0};
  if (!slice_indices(t, slice, (int64_t)list->count, span, &range))
    return false;
  if (!op_collect(t, value, span, &items))
    return false;
  if (range.step != 1) {
    if ((int64_t)items.count != range.length)
      return RAISE(t, E_VALUE, span, "attempt to assign sequence of size %zu to extended slice of size %lld",
                   items.count, (long long)range.length);
    for (int64_t i = 0; i < range.length; i++)
      list->items[range.start + i * range.step] = items.items[i];
    return true;
  }
  size_t start = (size_t)range.start, end = start + (size_t)range.length, tail = list->count - end;
  List result = {0};
  for (size_t i = 0; i < start; i++)
    list_push(t, &result, list->items[i]);
  for (size_t i = 0; i < items.count; i++)
    list_push(t, &result, items.items[i]);
  for (size_t i = 0; i < tail; i++)
    list_push(t, &result, list->items[end + i]);
  *list = result;
  return true;
}

bool op_setitem(Tracer *t, Value object, Value key, Value value, Span span)
{
  Value original = object;
  if (object.tag == VALUE_INSTANCE) {
    Value args[2] = {key, value}, ignored;
    Outcome outcome = call_special(t, object, t->builtins->__setitem__, args, 2, span, &ignored);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
    object = value_unwrap(object);
  }
  int64_t index;
  switch ((ValueTag)object.tag) {
  case VALUE_LIST:
    if (key.tag == VALUE_SLICE)
      return set_slice(t, object.list, key.pointer, value, span);
    if (key.tag == VALUE_INT) {
      index = key.integer < 0 ? key.integer + (int64_t)object.list->count : key.integer;
      if (index < 0 || index >= (int64_t)object.list->count)
        return index_error(t, "list assignment", key.integer, (int64_t)object.list->count, span);
    } else if (!sequence_index(t, "list", key, (int64_t)object.list->count, span, &index)) {
      return false;
    }
    object.list->items[index] = value;
    return true;
  case VALUE_DICT: return dict_set(t, object.dict, key, value);
  case VALUE_OPAQUE: return raise_opaque(t, object, span, "changed");
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (object.object->type->setitem) {
      Outcome outcome = object.object->type->setitem(t, object, key, value, span);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    }
    break;
  default: break;
  }
  return RAISE(t, E_TYPE, span, "'%s' object does not support item assignment", value_type_name(t, original));
}

bool op_delitem(Tracer *t, Value object, Value key, Span span)
{
  Value original = object;
  if (object.tag == VALUE_INSTANCE) {
    Value ignored;
    Outcome outcome = call_special(t, object, t->builtins->__delitem__, &key, 1, span, &ignored);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
    object = value_unwrap(object);
  }
  if (object.tag == VALUE_DICT) {
    Outcome found = dict_delete(t, object.dict, key);
    return found == OUTCOME_OK || (found == OUTCOME_MISSING && raise_key_error(t, key, span));
  }
  if (object.tag != VALUE_LIST)
    return RAISE(t, E_TYPE, span, "'%s' object does not support item deletion", value_type_name(t, original));
  List *list = object.list;
  Range range;
  if (key.tag == VALUE_SLICE) {
    if (!slice_indices(t, key.pointer, (int64_t)list->count, span, &range))
      return false;
  } else {
    int64_t index;
    if (key.tag == VALUE_INT) {
      index = key.integer < 0 ? key.integer + (int64_t)list->count : key.integer;
      if (index < 0 || index >= (int64_t)list->count)
        return index_error(t, "list assignment", key.integer, (int64_t)list->count, span);
    } else if (!sequence_index(t, "list", key, (int64_t)list->count, span, &index)) {
      return false;
    }
    range = (Range){index, index + 1, 1, 1};
  }
  if (range.step < 0)
    range = (Range){range.start + (range.length - 1) * range.step, 0, -range.step, range.length};
  size_t kept = 0;
  for (size_t i = 0; i < list->count; i++) {
    int64_t from = (int64_t)i - range.start;
    bool drop = range.length && from >= 0 && from % range.step == 0 && from / range.step < range.length;
    if (!drop)
      list->items[kept++] = list->items[i];
  }
  list->count = kept;
  return true;
}

// ---- iteration

static bool next_list(Tracer *t, Iterator *it, Value *out, bool *done)
{
  (void)t;
  const List *list = it->source.list;
  if ((size_t)it->index < list->count)
    *out = list->items[it->index++];
  else
    *done = true;
  return true;
}

static bool next_tuple(Tracer *t, Iterator *it, Value *out, bool *done)
{
  (void)t;
  const Tuple *tuple = it->source.tuple;
  if ((size_t)it->index < tuple->count)
    *out = tuple->items[it->index++];
  else
    *done = true;
  return true;
}

static bool next_range(Tracer *t, Iterator *it, Value *out, bool *done)
{
  (void)t;
  if (it->index >= it->stop) {
    *done = true;
    return true;
  }
  const Range *range = it->source.pointer;
  *out = value_int(range->start + it->index++ * range->step);
  return true;
}

static bool next_text(Tracer *t, Iterator *it, Value *out, bool *done)
{
  Str text = it->source.string->text;
  if ((size_t)it->index >= text.len) {
    *done = true;
    return true;
  }
  if (it->source.tag == VALUE_BYTES) {
    *out = value_int((unsigned char)text.data[it->index++]);
    return true;
  }
  size_t start = (size_t)it->index, end = start + 1;
  while (end < text.len && ((unsigned char)text.data[end] & 0xC0) == 0x80)
    end++;
  it->index = (int64_t)end;
  *out = value_str(t, (Str){text.data + start, end - start});
  return true;
}

static bool next_dict(Tracer *t, Iterator *it, Value *out, bool *done)
{
  const Dict *dict = it->source.dict;
  if (it->stop != dict->count)
    return RAISE(t, E_RUNTIME, t->here, "%s changed size during iteration",
                 it->source.tag == VALUE_DICT ? "dictionary" : "Set");
  while ((uint32_t)it->index < dict->used && !value_is_set(dict->entries[it->index].key))
    it->index++;
  if ((uint32_t)it->index >= dict->used) {
    *done = true;
    return true;
  }
  const DictEntry *entry = &dict->entries[it->index++];
  if (it->step == DICT_ITEMS) {
    Value pair[2] = {entry->key, entry->value};
    *out = value_tuple(t, pair, 2);
  } else {
    *out = it->step == DICT_KEYS ? entry->key : entry->value;
  }
  return true;
}

static bool next_user(Tracer *t, Iterator *it, Value *out, bool *done)
{
  Outcome outcome = call_special(t, it->source, t->builtins->__next__, NULL, 0, t->here, out);
  if (outcome == OUTCOME_OK)
    return true;
  if (outcome == OUTCOME_MISSING)
    return RAISE(t, E_TYPE, t->here, "'%s' object is not an iterator", value_type_name(t, it->source));
  if (!exception_matches(t, "StopIteration"))
    return false;
  catch_exception(t);
  *done = true;
  return true;
}

// The old protocol: __getitem__ with 0, 1, 2, ... until IndexError.
static bool next_getitem(Tracer *t, Iterator *it, Value *out, bool *done)
{
  if (op_getitem(t, it->source, value_int(it->index), t->here, out)) {
    it->index++;
    return true;
  }
  if (!exception_matches(t, "IndexError") && !exception_matches(t, "StopIteration"))
    return false;
  catch_exception(t);
  *done = true;
  return true;
}

static Value dict_iterator(Tracer *t, Value dict, DictViewKind kind)
{
  static const char *const names[] = {"dict_keyiterator", "dict_valueiterator", "dict_itemiterator"};
  Value iterator = value_iterator(t, names[kind], next_dict, dict);
  iterator.iterator->stop = dict.dict->count;
  iterator.iterator->step = kind;
  return iterator;
}

bool op_iterate(Tracer *t, Value iterable, Span span, Value *out)
{
  switch ((ValueTag)iterable.tag) {
  case VALUE_ITERATOR: *out = iterable; return true;
  case VALUE_LIST: *out = value_iterator(t, "list_iterator", next_list, iterable); return true;
  case VALUE_TUPLE: *out = value_iterator(t, "tuple_iterator", next_tuple, iterable); return true;
  case VALUE_STR:
  case VALUE_BYTES: *out = value_iterator(t, "str_iterator", next_text, iterable); return true;
  case VALUE_DICT: *out = dict_iterator(t, iterable, DICT_KEYS); return true;
  case VALUE_SET:
  case VALUE_FROZENSET: *out = dict_iterator(t, iterable, DICT_KEYS); return true;
  case VALUE_DICT_VIEW:
    *out = dict_iterator(t, (Value){.tag = VALUE_DICT, .dict = iterable.view->dict}, iterable.view->kind);
    return true;
  case VALUE_RANGE:
    *out = value_iterator(t, "range_iterator", next_range, iterable);
    out->iterator->stop = ((const Range *)iterable.pointer)->length;
    return true;
  case VALUE_INSTANCE: {
    Value result;
    Outcome outcome = call_special(t, iterable, t->builtins->__iter__, NULL, 0, span, &result);
    if (outcome == OUTCOME_ERROR)
      return false;
    if (outcome == OUTCOME_OK) {
      if (result.tag == VALUE_INSTANCE) {
        *out = value_iterator(t, "iterator", next_user, result);
        return true;
      }
      return op_iterate(t, result, span, out);
    }
    Value held = value_unwrap(iterable);
    if (held.tag != VALUE_INSTANCE && !(iterable.instance->class->flags & CLASS_ENUM && held.tag != VALUE_STR))
      return op_iterate(t, held, span, out);
    if (instance_special(iterable, t->builtins->__getitem__)) {
      *out = value_iterator(t, "iterator", next_getitem, iterable);
      return true;
    }
    break;
  }
  case VALUE_CLASS:
    if (iterable.class->flags & CLASS_ENUM) {
      Value members = value_list(t, iterable.class->members.items, iterable.class->members.count);
      return op_iterate(t, members, span, out);
    }
    break;
  case VALUE_OPAQUE: return raise_opaque(t, iterable, span, "iterated over");
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (iterable.object->type->iterate) {
      Value inner;
      Outcome outcome = iterable.object->type->iterate(t, iterable, span, &inner);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK && op_iterate(t, inner, span, out);
    }
    break;
  default: break;
  }
  return RAISE(t, E_TYPE, span, "'%s' object is not iterable", value_type_name(t, iterable));
}

bool op_next(Tracer *t, Value iterator, Span span, Value *out, bool *done)
{
  Iterator *it = iterator.iterator;
  *done = false;
  if (it->exhausted) {
    *done = true;
    return true;
  }
  (void)span;
  if (!it->next(t, it, out, done))
    return false;
  it->exhausted = *done;
  return true;
}

bool op_collect(Tracer *t, Value iterable, Span span, List *list)
{
  if (iterable.tag == VALUE_LIST || iterable.tag == VALUE_TUPLE) {
    const Value *items;
    size_t count;
    value_sequence(iterable, &items, &count);
    for (size_t i = 0; i < count; i++)
      list_push(t, list, items[i]);
    return true;
  }
  Value iterator;
  if (!op_iterate(t, iterable, span, &iterator))
    return false;
  for (;;) {
    Value item;
    bool done;
    if (!op_next(t, iterator, span, &item, &done))
      return false;
    if (done)
      return true;
    if (!count_step(t, span))
      return false;
    list_push(t, list, item);
  }
}
