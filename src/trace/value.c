#include "trace/ops.h"

#include <string.h>

// ---- text

static size_t count_code_points(Str text)
{
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
  return count;
}

Value value_str_own(Tracer *t, Str text)
{
  String *string = arena_new(&t->arena, String);
  string->text = text;
  string->code_points = count_code_points(text);
  return (Value){.tag = VALUE_STR, .string = string};
}

Value value_str(Tracer *t, Str text)
{
  return value_str_own(t, (Str){arena_strndup(&t->arena, text.data, text.len), text.len});
}

Value value_cstr(Tracer *t, const char *text)
{
  return value_str(t, str_from(text));
}

Value value_name(Tracer *t, const Name *name)
{
  Value v = value_str_own(t, name->str);
  v.string->name = name;
  return v;
}

Value value_bytes(Tracer *t, Str bytes)
{
  String *string = arena_new(&t->arena, String);
  string->text = (Str){arena_strndup(&t->arena, bytes.data, bytes.len), bytes.len};
  string->code_points = bytes.len;
  return (Value){.tag = VALUE_BYTES, .string = string};
}

const Name *string_name(Tracer *t, String *string)
{
  if (!string->name)
    string->name = name_intern(&t->session->names, string->text);
  return string->name;
}

const Name *tracer_name(Tracer *t, const char *text)
{
  return name_intern(&t->session->names, str_from(text));
}

bool value_is_str(Value v, const char *text)
{
  return v.tag == VALUE_STR && str_is(v.string->text, text);
}

// ---- sequences and other plain structures

Value value_tuple(Tracer *t, const Value *items, size_t count)
{
  Tuple *tuple = arena_alloc(&t->arena, sizeof(Tuple) + count * sizeof(Value));
  tuple->count = count;
  if (items && count)
    memcpy(tuple->items, items, count * sizeof *items);
  return (Value){.tag = VALUE_TUPLE, .tuple = tuple};
}

Value value_list(Tracer *t, const Value *items, size_t count)
{
  List *list = arena_new(&t->arena, List);
  if (count) {
    list->items = arena_array(&t->arena, Value, count);
    if (items)
      memcpy(list->items, items, count * sizeof *items);
    list->count = list->capacity = count;
  }
  return (Value){.tag = VALUE_LIST, .list = list};
}

void list_push(Tracer *t, List *list, Value item)
{
  vec_push(&t->arena, list, item);
}

Value value_range(Tracer *t, int64_t start, int64_t stop, int64_t step)
{
  Range *range = arena_new(&t->arena, Range);
  uint64_t length = 0;
  if (step > 0 && start < stop)
    length = ((uint64_t)stop - (uint64_t)start - 1) / (uint64_t)step + 1;
  else if (step < 0 && start > stop)
    length = ((uint64_t)start - (uint64_t)stop - 1) / (0 - (uint64_t)step) + 1;
  *range = (Range){start, stop, step, (int64_t)length};
  return (Value){.tag = VALUE_RANGE, .pointer = range};
}

Value value_slice(Tracer *t, Value start, Value stop, Value step)
{
  Slice *slice = arena_new(&t->arena, Slice);
  *slice = (Slice){start, stop, step};
  return (Value){.tag = VALUE_SLICE, .pointer = slice};
}

Value value_opaque(Tracer *t, const char *path, Span origin, Diag *reason)
{
  Opaque *opaque = arena_new(&t->arena, Opaque);
  *opaque = (Opaque){arena_strdup(&t->arena, path), origin, reason};
  return (Value){.tag = VALUE_OPAQUE, .opaque = opaque};
}

Value value_iterator(Tracer *t, const char *name, IteratorNext *next, Value source)
{
  Iterator *iterator = arena_new(&t->arena, Iterator);
  *iterator = (Iterator){.name = name, .next = next, .source = source};
  return (Value){.tag = VALUE_ITERATOR, .iterator = iterator};
}

bool value_sequence(Value v, const Value **items, size_t *count)
{
  v = value_unwrap(v);
  if (v.tag == VALUE_TUPLE) {
    *items = v.tuple->items;
    *count = v.tuple->count;
    return true;
  }
  if (v.tag == VALUE_LIST) {
    *items = v.list->items;
    *count = v.list->count;
    return true;
  }
  return false;
}

Value value_unwrap(Value v)
{
  while (v.tag == VALUE_INSTANCE && value_is_set(v.instance->held))
    v = v.instance->held;
  return v;
}

bool value_as_int(Value v, int64_t *out)
{
  v = value_unwrap(v);
  if (v.tag != VALUE_INT && v.tag != VALUE_BOOL)
    return false;
  *out = v.integer;
  return true;
}

// ---- dictionaries

Value value_dict(Tracer *t)
{
  return (Value){.tag = VALUE_DICT, .dict = arena_new(&t->arena, Dict)};
}

Value value_set(Tracer *t, bool frozen)
{
  return (Value){.tag = frozen ? VALUE_FROZENSET : VALUE_SET, .dict = arena_new(&t->arena, Dict)};
}

enum { LINEAR_ENTRIES = 8 };

static uint32_t mix(uint64_t hash)
{
  hash *= 0x9E3779B97F4A7C15u;
  return (uint32_t)(hash >> 32);
}

static void dict_rebuild(Tracer *t, Dict *dict)
{
  uint32_t live = 0;
  for (uint32_t i = 0; i < dict->used; i++)
    if (value_is_set(dict->entries[i].key))
      dict->entries[live++] = dict->entries[i];
  dict->used = live;
  if (dict->used == dict->capacity) {
    uint32_t capacity = dict->capacity ? dict->capacity * 2 : 4;
    dict->entries = arena_grow(&t->arena, dict->entries, dict->capacity * sizeof *dict->entries,
                               capacity * sizeof *dict->entries);
    dict->capacity = capacity;
  }
  if (dict->capacity <= LINEAR_ENTRIES)
    return;
  uint32_t slot_count = dict->capacity * 2;
  if (slot_count != dict->slot_count) {
    dict->slots = arena_array(&t->arena, uint32_t, slot_count);
    dict->slot_count = slot_count;
  } else {
    memset(dict->slots, 0, slot_count * sizeof *dict->slots);
  }
  for (uint32_t i = 0; i < dict->used; i++) {
    uint32_t slot = mix(dict->entries[i].hash) & (slot_count - 1);
    while (dict->slots[slot])
      slot = (slot + 1) & (slot_count - 1);
    dict->slots[slot] = i + 1;
  }
}

static Outcome same_key(Tracer *t, const DictEntry *entry, uint64_t hash, Value key)
{
  if (entry->hash != hash || !value_is_set(entry->key))
    return OUTCOME_MISSING;
  Value other = entry->key;
  if (other.tag == key.tag) {
    if (other.pointer == key.pointer && key.tag != VALUE_FLOAT)
      return OUTCOME_OK;
    if (key.tag == VALUE_STR)
      return str_equal(other.string->text, key.string->text) ? OUTCOME_OK : OUTCOME_MISSING;
    if (key.tag == VALUE_INT)
      return OUTCOME_MISSING;
  }
  bool equal;
  if (op_is(other, key))
    return OUTCOME_OK;
  if (!op_equal(t, other, key, (Span){0}, &equal))
    return OUTCOME_ERROR;
  return equal ? OUTCOME_OK : OUTCOME_MISSING;
}

// The entry of `key`, or NULL with OUTCOME_MISSING.
static Outcome dict_find(Tracer *t, const Dict *dict, uint64_t hash, Value key, DictEntry **out)
{
  if (dict->slot_count == 0) {
    for (uint32_t i = 0; i < dict->used; i++) {
      Outcome same = same_key(t, &dict->entries[i], hash, key);
      if (same != OUTCOME_MISSING) {
        *out = &dict->entries[i];
        return same;
      }
    }
    return OUTCOME_MISSING;
  }
  for (uint32_t slot = mix(hash) & (dict->slot_count - 1); dict->slots[slot]; slot = (slot + 1) & (dict->slot_count - 1)) {
    DictEntry *entry = &dict->entries[dict->slots[slot] - 1];
    Outcome same = same_key(t, entry, hash, key);
    if (same != OUTCOME_MISSING) {
      *out = entry;
      return same;
    }
  }
  return OUTCOME_MISSING;
}

Outcome dict_get(Tracer *t, const Dict *dict, Value key, Value *out)
{
  uint64_t hash;
  if (!op_hash(t, key, (Span){0}, &hash))
    return OUTCOME_ERROR;
  DictEntry *entry = NULL;
  Outcome found = dict_find(t, dict, hash, key, &entry);
  if (found == OUTCOME_OK)
    *out = entry->value;
  return found;
}

Outcome dict_get_str(Tracer *t, const Dict *dict, const char *key, Value *out)
{
  for (uint32_t i = 0; i < dict->used; i++)
    if (value_is_str(dict->entries[i].key, key)) {
      *out = dict->entries[i].value;
      return OUTCOME_OK;
    }
  (void)t;
  return OUTCOME_MISSING;
}

bool dict_set(Tracer *t, Dict *dict, Value key, Value value)
{
  uint64_t hash;
  if (!op_hash(t, key, (Span){0}, &hash))
    return false;
  DictEntry *entry = NULL;
  Outcome found = dict_find(t, dict, hash, key, &entry);
  if (found == OUTCOME_ERROR)
    return false;
  if (found == OUTCOME_OK) {
    entry->value = value;
    return true;
  }
  if (dict->used == dict->capacity)
    dict_rebuild(t, dict);
  dict->entries[dict->used++] = (DictEntry){hash, key, value};
  dict->count++;
  if (dict->slot_count) {
    uint32_t slot = mix(hash) & (dict->slot_count - 1);
    while (dict->slots[slot])
      slot = (slot + 1) & (dict->slot_count - 1);
    dict->slots[slot] = dict->used;
  }
  return true;
}

Outcome dict_delete(Tracer *t, Dict *dict, Value key)
{
  uint64_t hash;
  if (!op_hash(t, key, (Span){0}, &hash))
    return OUTCOME_ERROR;
  DictEntry *entry = NULL;
  Outcome found = dict_find(t, dict, hash, key, &entry);
  if (found != OUTCOME_OK)
    return found;
  entry->key = entry->value = value_undefined();  // its slot stays, so that searches go on past it
  dict->count--;
  if (entry == &dict->entries[dict->used - 1] && dict->slot_count == 0)
    dict->used--;
  return OUTCOME_OK;
}

void dict_clear(Dict *dict)
{
  dict->used = dict->count = 0;
  if (dict->slot_count)
    memset(dict->slots, 0, dict->slot_count * sizeof *dict->slots);
}

// ---- attribute tables

static uint32_t attr_hash(const Name *name)
{
  return mix(name->hash);
}

static Attr *attr_entry(const AttrTable *table, const Name *name)
{
  if (table->slot_count == 0) {
    for (uint32_t i = 0; i < table->count; i++)
      if (table->items[i].name == name)
        return &table->items[i];
    return NULL;
  }
  for (uint32_t slot = attr_hash(name) & (table->slot_count - 1); table->slots[slot];
       slot = (slot + 1) & (table->slot_count - 1))
    if (table->items[table->slots[slot] - 1].name == name)
      return &table->items[table->slots[slot] - 1];
  return NULL;
}

Value *attr_find(const AttrTable *table, const Name *name)
{
  Attr *attr = attr_entry(table, name);
  return attr && value_is_set(attr->value) ? &attr->value : NULL;
}

uint32_t attr_reserve(Arena *arena, AttrTable *table, const Name *name)
{
  Attr *attr = attr_entry(table, name);
  if (attr)
    return (uint32_t)(attr - table->items);
  if (table->count == table->capacity) {
    uint32_t capacity = table->capacity ? table->capacity * 2 : 4;
    table->items = arena_grow(arena, table->items, table->capacity * sizeof *table->items,
                              capacity * sizeof *table->items);
    table->capacity = capacity;
    if (capacity > LINEAR_ENTRIES) {
      table->slot_count = capacity * 2;
      table->slots = arena_array(arena, uint32_t, table->slot_count);
      for (uint32_t i = 0; i < table->count; i++) {
        uint32_t slot = attr_hash(table->items[i].name) & (table->slot_count - 1);
        while (table->slots[slot])
          slot = (slot + 1) & (table->slot_count - 1);
        table->slots[slot] = i + 1;
      }
    }
  }
  table->items[table->count] = (Attr){.name = name};
  if (table->slot_count) {
    uint32_t slot = attr_hash(name) & (table->slot_count - 1);
    while (table->slots[slot])
      slot = (slot + 1) & (table->slot_count - 1);
    table->slots[slot] = table->count + 1;
  }
  return table->count++;
}

void attr_set(Arena *arena, AttrTable *table, const Name *name, Value value)
{
  uint32_t index = attr_reserve(arena, table, name);
  table->items[index].value = value;
}
