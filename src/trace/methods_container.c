// methods_container.c -- the methods of lists, tuples, dictionaries, sets, ranges and numbers.

#include "trace/eval_internal.h"
#include "trace/methods.h"
#include "trace/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LIST(call) ((call)->self.list)
#define DICT(call) ((call)->self.dict)

// ---- list

static bool none(Value *out)
{
  *out = value_none();
  return true;
}

static bool list_append(Tracer *t, const Call *call, Value *out)
{
  list_push(t, LIST(call), call->args[0]);
  return none(out);
}

static bool list_extend(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  if (!op_collect(t, call->args[0], call->span, &items))
    return false;
  for (size_t i = 0; i < items.count; i++)
    list_push(t, LIST(call), items.items[i]);
  return none(out);
}

static bool list_insert(Tracer *t, const Call *call, Value *out)
{
  int64_t at, count = (int64_t)LIST(call)->count;
  if (!op_index(t, call->args[0], call->span, &at))
    return false;
  at = at < 0 ? (at + count < 0 ? 0 : at + count) : at > count ? count : at;
  list_push(t, LIST(call), value_none());
  memmove(LIST(call)->items + at + 1, LIST(call)->items + at, (size_t)(count - at) * sizeof(Value));
  LIST(call)->items[at] = call->args[1];
  return none(out);
}

static void remove_at(List *list, size_t at)
{
  memmove(list->items + at, list->items + at + 1, (list->count - at - 1) * sizeof(Value));
  list->count--;
}

static bool list_pop(Tracer *t, const Call *call, Value *out)
{
  List *list = LIST(call);
  int64_t at = -1;
  if (value_is_set(call->args[0]) && !op_index(t, call->args[0], call->span, &at))
    return false;
  if (list->count == 0)
    return RAISE(t, E_INDEX, call->span, "pop from empty list");
  if (at < 0)
    at += (int64_t)list->count;
  if (at < 0 || at >= (int64_t)list->count)
    return RAISE(t, E_INDEX, call->span, "pop index out of range");
  *out = list->items[at];
  remove_at(list, (size_t)at);
  return true;
}

static bool find_item(Tracer *t, Value sequence, Value item, int64_t from, int64_t to, Span span, int64_t *out)
{
  const Value *items;
  size_t count;
  value_sequence(sequence, &items, &count);
  *out = -1;
  for (int64_t i = from; i < to && i < (int64_t)count; i++) {
    bool equal = op_is(items[i], item);
    if (!equal && !op_equal(t, items[i], item, span, &equal))
      return false;
    if (equal) {
      *out = i;
      return true;
    }
  }
  return true;
}

static bool list_remove(Tracer *t, const Call *call, Value *out)
{
  int64_t at;
  if (!find_item(t, call->self, call->args[0], 0, INT64_MAX, call->span, &at))
    return false;
  if (at < 0)
    return RAISE(t, E_VALUE, call->span, "list.remove(x): x not in list");
  remove_at(LIST(call), (size_t)at);
  return none(out);
}

static bool sequence_index(Tracer *t, const Call *call, Value *out)
{
  int64_t count, from = 0, to = INT64_MAX, at;
  if (!op_length(t, call->self, call->span, &count))
    return false;
  if (value_is_set(call->args[1]) && !op_index(t, call->args[1], call->span, &from))
    return false;
  if (value_is_set(call->args[2]) && !op_index(t, call->args[2], call->span, &to))
    return false;
  from = from < 0 ? (from + count < 0 ? 0 : from + count) : from;
  to = to < 0 ? to + count : to;
  if (!find_item(t, call->self, call->args[0], from, to, call->span, &at))
    return false;
  *out = value_int(at);
  if (at >= 0)
    return true;
  StrBuf text = strbuf_new(&t->arena);
  if (call->self.tag == VALUE_TUPLE)
    return RAISE(t, E_VALUE, call->span, "tuple.index(x): x not in tuple");
  if (!op_repr(t, call->args[0], call->span, &text))
    return false;
  return RAISE(t, E_VALUE, call->span, "%s is not in list", strbuf_cstr(&text));
}

static bool sequence_count(Tracer *t, const Call *call, Value *out)
{
  const Value *items;
  size_t count;
  int64_t total = 0;
  value_sequence(call->self, &items, &count);
  for (size_t i = 0; i < count; i++) {
    bool equal = op_is(items[i], call->args[0]);
    if (!equal && !op_equal(t, items[i], call->args[0], call->span, &equal))
      return false;
    total += equal;
  }
  *out = value_int(total);
  return true;
}

static bool list_clear(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  LIST(call)->count = 0;
  return none(out);
}

static bool list_copy(Tracer *t, const Call *call, Value *out)
{
  *out = value_list(t, LIST(call)->items, LIST(call)->count);
  return true;
}

static bool list_reverse(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  List *list = LIST(call);
  for (size_t i = 0; i < list->count / 2; i++) {
    Value swap = list->items[i];
    list->items[i] = list->items[list->count - 1 - i];
    list->items[list->count - 1 - i] = swap;
  }
  return none(out);
}

typedef struct SortItem {
  Value key, value;
} SortItem;

// Merge sort: stable, and one comparison (`later < earlier`) decides.
static bool merge_sort(Tracer *t, SortItem *items, SortItem *spare, size_t count, Span span)
{
  if (count < 2)
    return true;
  size_t half = count / 2;
  if (!merge_sort(t, items, spare, half, span) || !merge_sort(t, items + half, spare, count - half, span))
    return false;
  memcpy(spare, items, half * sizeof *items);
  size_t a = 0, b = half, to = 0;
  while (a < half && b < count) {
    bool less;
    if (!op_less(t, items[b].key, spare[a].key, span, &less))
      return false;
    items[to++] = less ? items[b++] : spare[a++];
  }
  while (a < half)
    items[to++] = spare[a++];
  return true;
}

bool list_sort(Tracer *t, List *list, Value key, bool reverse, Span span)
{
  size_t count = list->count;
  SortItem *items = arena_array(&t->arena, SortItem, count), *spare = arena_array(&t->arena, SortItem, count);
  for (size_t i = 0; i < count; i++) {
    Value item = list->items[reverse ? count - 1 - i : i];
    items[i].value = items[i].key = item;
    if (value_is_set(key) && key.tag != VALUE_NONE && !call_simple(t, key, &item, 1, span, &items[i].key))
      return false;
  }
  if (!merge_sort(t, items, spare, count, span))
    return false;
  for (size_t i = 0; i < count; i++)
    list->items[reverse ? count - 1 - i : i] = items[i].value;
  return true;
}

static bool m_sort(Tracer *t, const Call *call, Value *out)
{
  bool reverse = false;
  if (value_is_set(call->args[1]) && !op_truth(t, call->args[1], call->span, &reverse))
    return false;
  return list_sort(t, LIST(call), call->args[0], reverse, call->span) && none(out);
}

const NativeMethod list_methods[] = {
  {"append", list_append, "object /"}, {"extend", list_extend, "iterable /"}, {"insert", list_insert, "index object /"},
  {"pop", list_pop, "index? /"}, {"remove", list_remove, "value /"}, {"index", sequence_index, "value start? stop? /"},
  {"count", sequence_count, "value /"}, {"clear", list_clear, ""}, {"copy", list_copy, ""},
  {"reverse", list_reverse, ""}, {"sort", m_sort, "* key? reverse?"}, {NULL, NULL, NULL},
};

const NativeMethod tuple_methods[] = {
  {"index", sequence_index, "value start? stop? /"}, {"count", sequence_count, "value /"}, {NULL, NULL, NULL},
};

// ---- dict

static bool dict_get_or(Tracer *t, const Call *call, Value *out)
{
  Outcome found = dict_get(t, DICT(call), call->args[0], out);
  if (found == OUTCOME_MISSING)
    *out = value_is_set(call->args[1]) ? call->args[1] : value_none();
  return found != OUTCOME_ERROR;
}

static bool dict_view(Tracer *t, const Call *call, DictViewKind kind, Value *out)
{
  DictView *view = arena_new(&t->arena, DictView);
  *view = (DictView){kind, DICT(call)};
  *out = (Value){.tag = VALUE_DICT_VIEW, .view = view};
  return true;
}

static bool dict_keys(Tracer *t, const Call *call, Value *out) { return dict_view(t, call, DICT_KEYS, out); }
static bool dict_values(Tracer *t, const Call *call, Value *out) { return dict_view(t, call, DICT_VALUES, out); }
static bool dict_items(Tracer *t, const Call *call, Value *out) { return dict_view(t, call, DICT_ITEMS, out); }

static bool dict_pop(Tracer *t, const Call *call, Value *out)
{
  Outcome found = dict_get(t, DICT(call), call->args[0], out);
  if (found == OUTCOME_OK)
    return dict_delete(t, DICT(call), call->args[0]) == OUTCOME_OK;
  if (found == OUTCOME_MISSING && value_is_set(call->args[1])) {
    *out = call->args[1];
    return true;
  }
  return found == OUTCOME_MISSING && raise_key_error(t, call->args[0], call->span);
}

static bool dict_popitem(Tracer *t, const Call *call, Value *out)
{
  Dict *dict = DICT(call);
  bool last = true;
  if (value_is_set(call->args[0]) && !op_truth(t, call->args[0], call->span, &last))
    return false;
  for (uint32_t i = 0; i < dict->used; i++) {
    DictEntry *entry = &dict->entries[last ? dict->used - 1 - i : i];
    if (!value_is_set(entry->key))
      continue;
    Value pair[2] = {entry->key, entry->value};
    *out = value_tuple(t, pair, 2);
    return dict_delete(t, dict, pair[0]) == OUTCOME_OK;
  }
  Value text = value_cstr(t, "popitem(): dictionary is empty");
  return raise_key_error(t, text, call->span);
}

static bool dict_setdefault(Tracer *t, const Call *call, Value *out)
{
  Outcome found = dict_get(t, DICT(call), call->args[0], out);
  if (found != OUTCOME_MISSING)
    return found == OUTCOME_OK;
  *out = value_is_set(call->args[1]) ? call->args[1] : value_none();
  return dict_set(t, DICT(call), call->args[0], *out);
}

// From a mapping or an iterable of pairs.
bool dict_fill(Tracer *t, Dict *dict, Value source, Span span)
{
  Value mapping = value_unwrap(source);
  if (mapping.tag == VALUE_DICT) {
    for (uint32_t i = 0; i < mapping.dict->used; i++)
      if (value_is_set(mapping.dict->entries[i].key) &&
          !dict_set(t, dict, mapping.dict->entries[i].key, mapping.dict->entries[i].value))
        return false;
    return true;
  }
  List pairs = {0};
  if (!op_collect(t, source, span, &pairs))
    return false;
  for (size_t i = 0; i < pairs.count; i++) {
    List pair = {0};
    if (!op_collect(t, pairs.items[i], span, &pair)) {
      if (!exception_matches(t, "TypeError"))
        return false;
      catch_exception(t);
      return RAISE(t, E_TYPE, span, "cannot convert dictionary update sequence element #%zu to a sequence", i);
    }
    if (pair.count != 2)
      return RAISE(t, E_VALUE, span, "dictionary update sequence element #%zu has length %zu; 2 is required", i,
                   pair.count);
    if (!dict_set(t, dict, pair.items[0], pair.items[1]))
      return false;
  }
  return true;
}

static bool dict_update(Tracer *t, const Call *call, Value *out)
{
  if (value_is_set(call->args[0]) && !dict_fill(t, DICT(call), call->args[0], call->span))
    return false;
  return dict_fill(t, DICT(call), call->args[1], call->span) && none(out);
}

static bool m_dict_clear(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  dict_clear(DICT(call));
  return none(out);
}

static bool dict_copy(Tracer *t, const Call *call, Value *out)
{
  *out = value_dict(t);
  out->dict->default_factory = DICT(call)->default_factory;
  return dict_fill(t, out->dict, call->self, call->span);
}

static bool dict_fromkeys(Tracer *t, const Call *call, Value *out)
{
  List keys = {0};
  // dict.fromkeys(keys): called through the class, `self` is the first argument.
  if (!op_collect(t, call->args[0], call->span, &keys))
    return false;
  *out = value_dict(t);
  for (size_t i = 0; i < keys.count; i++)
    if (!dict_set(t, out->dict, keys.items[i], value_is_set(call->args[1]) ? call->args[1] : value_none()))
      return false;
  return true;
}

static bool dict_move_to_end(Tracer *t, const Call *call, Value *out)
{
  Value value;
  bool last = true;
  Outcome found = dict_get(t, DICT(call), call->args[0], &value);
  if (found != OUTCOME_OK)
    return found == OUTCOME_MISSING && raise_key_error(t, call->args[0], call->span);
  if (value_is_set(call->args[1]) && !op_truth(t, call->args[1], call->span, &last))
    return false;
  dict_delete(t, DICT(call), call->args[0]);
  if (last)
    return dict_set(t, DICT(call), call->args[0], value) && none(out);
  Value copy;
  Call inner = {.self = call->self, .span = call->span};
  if (!dict_copy(t, &inner, &copy))
    return false;
  dict_clear(DICT(call));
  return dict_set(t, DICT(call), call->args[0], value) && dict_fill(t, DICT(call), copy, call->span) && none(out);
}

bool m_dict_fromkeys(Tracer *t, const Call *call, Value *out) { return dict_fromkeys(t, call, out); }

const NativeMethod dict_methods[] = {
  {"get", dict_get_or, "key default? /"}, {"keys", dict_keys, ""}, {"values", dict_values, ""},
  {"items", dict_items, ""}, {"pop", dict_pop, "key default? /"}, {"popitem", dict_popitem, "last?"},
  {"setdefault", dict_setdefault, "key default? /"}, {"update", dict_update, "other? / **items"},
  {"clear", m_dict_clear, ""}, {"copy", dict_copy, ""}, {"move_to_end", dict_move_to_end, "key last?"},
  {NULL, NULL, NULL},
};

// ---- Counter

static bool counter_add(Tracer *t, Dict *dict, Value source, int sign, Span span)
{
  Value mapping = value_unwrap(source);
  List items = {0};
  if (mapping.tag != VALUE_DICT && !op_collect(t, source, span, &items))
    return false;
  size_t count = mapping.tag == VALUE_DICT ? mapping.dict->used : items.count;
  for (size_t i = 0; i < count; i++) {
    Value key = mapping.tag == VALUE_DICT ? mapping.dict->entries[i].key : items.items[i];
    Value amount = mapping.tag == VALUE_DICT ? mapping.dict->entries[i].value : value_int(1), old = value_int(0);
    if (!value_is_set(key))
      continue;
    if (dict_get(t, dict, key, &old) == OUTCOME_ERROR ||
        !op_binary(t, sign < 0 ? OPERATOR_Sub : OPERATOR_Add, old, amount, span, &amount) ||
        !dict_set(t, dict, key, amount))
      return false;
  }
  return true;
}

static bool counter_update(Tracer *t, const Call *call, Value *out)
{
  return counter_add(t, DICT(call), call->args[0], 1, call->span) && none(out);
}

static bool counter_subtract(Tracer *t, const Call *call, Value *out)
{
  return counter_add(t, DICT(call), call->args[0], -1, call->span) && none(out);
}

static bool counter_most_common(Tracer *t, const Call *call, Value *out)
{
  const Dict *dict = DICT(call);
  Value pairs = value_list(t, NULL, 0);
  int64_t limit = INT64_MAX;
  if (call->positional && value_is_set(call->args[0]) && call->args[0].tag != VALUE_NONE &&
      !op_index(t, call->args[0], call->span, &limit))
    return false;
  for (uint32_t i = 0; i < dict->used; i++) {
    if (!value_is_set(dict->entries[i].key))
      continue;
    Value pair[2] = {dict->entries[i].key, dict->entries[i].value};
    list_push(t, pairs.list, value_tuple(t, pair, 2));
  }
  // Stable, by count, largest first.
  for (size_t i = 1; i < pairs.list->count; i++)
    for (size_t k = i; k > 0; k--) {
      bool less;
      Value *a = &pairs.list->items[k - 1], *b = &pairs.list->items[k];
      if (!op_less(t, a->tuple->items[1], b->tuple->items[1], call->span, &less))
        return false;
      if (!less)
        break;
      Value swap = *a;
      *a = *b;
      *b = swap;
    }
  if ((int64_t)pairs.list->count > limit)
    pairs.list->count = limit < 0 ? 0 : (size_t)limit;
  *out = pairs;
  return true;
}

static bool counter_sorted(Tracer *t, const Call *call, Value *out)
{
  Value pairs;
  Call inner = *call;
  inner.positional = 0;
  if (!counter_most_common(t, &inner, &pairs))
    return false;
  *out = value_dict(t);
  return dict_fill(t, out->dict, pairs, call->span);
}

static bool counter_elements(Tracer *t, const Call *call, Value *out)
{
  Value list = value_list(t, NULL, 0);
  for (uint32_t i = 0; i < DICT(call)->used; i++) {
    const DictEntry *entry = &DICT(call)->entries[i];
    for (int64_t k = 0; value_is_set(entry->key) && entry->value.tag == VALUE_INT && k < entry->value.integer; k++)
      list_push(t, list.list, entry->key);
  }
  return op_iterate(t, list, call->span, out);
}

static bool counter_total(Tracer *t, const Call *call, Value *out)
{
  *out = value_int(0);
  for (uint32_t i = 0; i < DICT(call)->used; i++)
    if (value_is_set(DICT(call)->entries[i].key) &&
        !op_binary(t, OPERATOR_Add, *out, DICT(call)->entries[i].value, call->span, out))
      return false;
  return true;
}

bool counter_fill(Tracer *t, Dict *dict, Value source, Span span)
{
  return counter_add(t, dict, source, 1, span);
}

const NativeMethod counter_methods[] = {
  {"update", counter_update, "iterable /"}, {"subtract", counter_subtract, "iterable /"},
  {"most_common", counter_most_common, "n?"}, {"elements", counter_elements, ""}, {"total", counter_total, ""},
  {"_sorted", counter_sorted, ""}, {NULL, NULL, NULL},
};

// ---- set

static bool set_add(Tracer *t, const Call *call, Value *out)
{
  return dict_set(t, DICT(call), call->args[0], value_none()) && none(out);
}

static bool set_remove(Tracer *t, const Call *call, Value *out)
{
  Outcome found = dict_delete(t, DICT(call), call->args[0]);
  if (found == OUTCOME_MISSING)
    return raise_key_error(t, call->args[0], call->span);
  return found == OUTCOME_OK && none(out);
}

static bool set_discard(Tracer *t, const Call *call, Value *out)
{
  return dict_delete(t, DICT(call), call->args[0]) != OUTCOME_ERROR && none(out);
}

static bool set_pop(Tracer *t, const Call *call, Value *out)
{
  for (uint32_t i = 0; i < DICT(call)->used; i++) {
    if (!value_is_set(DICT(call)->entries[i].key))
      continue;
    *out = DICT(call)->entries[i].key;
    return dict_delete(t, DICT(call), *out) == OUTCOME_OK;
  }
  return raise_key_error(t, value_cstr(t, "pop from an empty set"), call->span);
}

bool set_fill(Tracer *t, Dict *set, Value iterable, Span span)
{
  List items = {0};
  if (!op_collect(t, iterable, span, &items))
    return false;
  for (size_t i = 0; i < items.count; i++)
    if (!dict_set(t, set, items.items[i], value_none()))
      return false;
  return true;
}

static bool set_combine(Tracer *t, const Call *call, Operator op, Value *out)
{
  Value result = call->self;
  for (uint32_t i = 0; i < call->positional; i++) {
    Value other = value_set(t, false);
    if (!set_fill(t, other.dict, call->args[i], call->span) || !op_binary(t, op, result, other, call->span, &result))
      return false;
  }
  if (call->positional == 0 && !op_binary(t, OPERATOR_BitOr, call->self, value_set(t, false), call->span, &result))
    return false;
  *out = result;
  return true;
}

static bool set_union(Tracer *t, const Call *call, Value *out) { return set_combine(t, call, OPERATOR_BitOr, out); }
static bool set_and(Tracer *t, const Call *call, Value *out) { return set_combine(t, call, OPERATOR_BitAnd, out); }
static bool set_minus(Tracer *t, const Call *call, Value *out) { return set_combine(t, call, OPERATOR_Sub, out); }
static bool set_xor(Tracer *t, const Call *call, Value *out) { return set_combine(t, call, OPERATOR_BitXor, out); }

static bool set_change(Tracer *t, const Call *call, Operator op, Value *out)
{
  Value result;
  if (!set_combine(t, call, op, &result))
    return false;
  *DICT(call) = *result.dict;
  return none(out);
}

static bool set_update(Tracer *t, const Call *call, Value *out) { return set_change(t, call, OPERATOR_BitOr, out); }
static bool set_and_update(Tracer *t, const Call *call, Value *out) { return set_change(t, call, OPERATOR_BitAnd, out); }
static bool set_minus_update(Tracer *t, const Call *call, Value *out) { return set_change(t, call, OPERATOR_Sub, out); }

static bool set_copy(Tracer *t, const Call *call, Value *out)
{
  return op_binary(t, OPERATOR_BitOr, call->self, value_set(t, false), call->span, out);
}

static bool set_relation(Tracer *t, const Call *call, CmpOp op, Value *out)
{
  Value other = value_set(t, false);
  return set_fill(t, other.dict, call->args[0], call->span) && op_compare(t, op, call->self, other, call->span, out);
}

static bool set_issubset(Tracer *t, const Call *call, Value *out) { return set_relation(t, call, CMP_OP_LtE, out); }
static bool set_issuperset(Tracer *t, const Call *call, Value *out) { return set_relation(t, call, CMP_OP_GtE, out); }

static bool set_isdisjoint(Tracer *t, const Call *call, Value *out)
{
  Value common;
  if (!set_combine(t, call, OPERATOR_BitAnd, &common))
    return false;
  *out = value_bool(common.dict->count == 0);
  return true;
}

const NativeMethod set_methods[] = {
  {"add", set_add, "element /"}, {"remove", set_remove, "element /"}, {"discard", set_discard, "element /"},
  {"pop", set_pop, ""}, {"clear", m_dict_clear, ""}, {"copy", set_copy, ""},
  {"union", set_union, NULL}, {"intersection", set_and, NULL}, {"difference", set_minus, NULL},
  {"symmetric_difference", set_xor, NULL}, {"update", set_update, NULL},
  {"intersection_update", set_and_update, NULL}, {"difference_update", set_minus_update, NULL},
  {"issubset", set_issubset, "other /"}, {"issuperset", set_issuperset, "other /"},
  {"isdisjoint", set_isdisjoint, "other /"}, {NULL, NULL, NULL},
};

// ---- numbers, ranges, slices

static bool int_bits(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = value_int((int64_t)int_bit_length(call->self));
  return true;
}

static bool int_bit_count(Tracer *t, const Call *call, Value *out)
{
  IntView view;
  (void)t;
  int_view(call->self, &view);
  mpz_t magnitude;
  mpz_init(magnitude);
  mpz_abs(magnitude, view.z);
  *out = value_int((int64_t)mpz_popcount(magnitude));
  mpz_clear(magnitude);
  return true;
}

static bool int_self(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = call->self.tag == VALUE_BOOL ? value_int(call->self.integer) : call->self;
  return true;
}

static bool int_is_integer(Tracer *t, const Call *call, Value *out)
{
  (void)t, (void)call;
  *out = value_bool(true);
  return true;
}

static bool int_ratio(Tracer *t, const Call *call, Value *out)
{
  Value pair[2] = {call->self, value_int(1)};
  *out = value_tuple(t, pair, 2);
  return true;
}

// `item` is that of numpy's scalars, which are plain numbers here.
const NativeMethod int_methods[] = {
  {"bit_length", int_bits, ""}, {"bit_count", int_bit_count, ""}, {"conjugate", int_self, ""},
  {"is_integer", int_is_integer, ""}, {"as_integer_ratio", int_ratio, ""}, {"item", int_self, ""}, {NULL, NULL, NULL},
};

static bool float_is_integer(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = value_bool(isfinite(call->self.real) && call->self.real == floor(call->self.real));
  return true;
}

static bool float_hex(Tracer *t, const Call *call, Value *out)
{
  double d = call->self.real;
  if (!isfinite(d) || d == 0) {
    *out = value_cstr(t, isnan(d) ? "nan" : isinf(d) ? (d < 0 ? "-inf" : "inf") : signbit(d) ? "-0x0.0p+0" : "0x0.0p+0");
    return true;
  }
  uint64_t bits;
  memcpy(&bits, &d, sizeof bits);
  int exponent = (int)(bits >> 52 & 0x7FF);
  *out = value_cstr(t, arena_printf(&t->arena, "%s0x%d.%013llxp%+d", signbit(d) ? "-" : "", exponent ? 1 : 0,
                                    (unsigned long long)(bits & 0xFFFFFFFFFFFFFu), exponent ? exponent - 1023 : -1022));
  return true;
}

static bool float_ratio(Tracer *t, const Call *call, Value *out)
{
  double d = call->self.real;
  Value pair[2];
  int exponent;
  if (!isfinite(d))
    return RAISE(t, isnan(d) ? E_VALUE : E_OVERFLOW, call->span, "cannot convert %s to integer ratio",
                 isnan(d) ? "NaN" : "Infinity");
  double fraction = frexp(d, &exponent);
  for (int i = 0; i < 60 && fraction != floor(fraction); i++) {
    fraction *= 2;
    exponent--;
  }
  if (!float_to_int(t, fraction, call->span, &pair[0]))
    return false;
  pair[1] = value_int(1);
  Value power = value_int(exponent < 0 ? -exponent : exponent);
  if (!int_binary(t, OPERATOR_LShift, pair[exponent < 0], power, call->span, &pair[exponent < 0]))
    return false;
  *out = value_tuple(t, pair, 2);
  return true;
}

const NativeMethod float_methods[] = {
  {"is_integer", float_is_integer, ""}, {"hex", float_hex, ""}, {"as_integer_ratio", float_ratio, ""},
  {"conjugate", int_self, ""}, {"item", int_self, ""}, {NULL, NULL, NULL},
};

static bool range_index(Tracer *t, const Call *call, Value *out)
{
  bool inside;
  if (!op_contains(t, call->self, call->args[0], call->span, &inside))
    return false;
  const Range *range = call->self.pointer;
  int64_t at;
  if (!inside || !value_as_int(call->args[0], &at))
    return RAISE(t, E_VALUE, call->span, "value is not in range");
  *out = value_int((at - range->start) / range->step);
  return true;
}

static bool range_count(Tracer *t, const Call *call, Value *out)
{
  bool inside;
  if (!op_contains(t, call->self, call->args[0], call->span, &inside))
    return false;
  *out = value_int(inside);
  return true;
}

const NativeMethod range_methods[] = {
  {"index", range_index, "value /"}, {"count", range_count, "value /"}, {NULL, NULL, NULL},
};

static bool m_slice_indices(Tracer *t, const Call *call, Value *out)
{
  int64_t length;
  Range range;
  if (!op_index(t, call->args[0], call->span, &length) ||
      !slice_indices(t, call->self.pointer, length, call->span, &range))
    return false;
  Value parts[3] = {value_int(range.start), value_int(range.stop), value_int(range.step)};
  *out = value_tuple(t, parts, 3);
  return true;
}

const NativeMethod slice_methods[] = {{"indices", m_slice_indices, "length /"}, {NULL, NULL, NULL}};
