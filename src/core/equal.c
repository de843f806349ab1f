// equal.c -- comparison and hash of any core value, by its description.

#include "base/bug.h"
#include "core/core.h"

#include <string.h>

static const void *list_item(const void *items, const TypeInfo *of, uint32_t index)
{
  return (const char *)items + (size_t)of->bytes * index;
}

// Every list type has this layout.
typedef struct AnyList {
  const void *items;
  uint32_t count;
} AnyList;

static bool fields_equal(const FieldInfo *fields, uint32_t count, const void *a, const void *b)
{
  for (uint32_t i = 0; i < count; i++)
    if (!core_equal(fields[i].type, (const char *)a + fields[i].offset, (const char *)b + fields[i].offset))
      return false;
  return true;
}

static const CtorInfo *ctor_of(const TypeInfo *type, uint32_t number)
{
  for (uint32_t i = 0; i < type->member_count; i++)
    if (type->ctors[i].number == number)
      return &type->ctors[i];
  bug("%s has no constructor %u", type->name, number);
}

static bool texts_equal(const char *a, const char *b)
{
  return a == b || (a && b && strcmp(a, b) == 0);
}

bool core_equal(const TypeInfo *type, const void *a, const void *b)
{
  if (a == b)
    return true;
  switch (type->form) {
  case FORM_BOOL: case FORM_NAT: case FORM_NAT32: case FORM_INT: case FORM_INT32: case FORM_F32: case FORM_ENUM:
    return memcmp(a, b, type->bytes) == 0;  // floats by their bits
  case FORM_STRING: case FORM_OPT_STRING:
    return texts_equal(*(const char *const *)a, *(const char *const *)b);
  case FORM_SAME:
    return core_equal(type->of, a, b);
  case FORM_REF:
    return core_equal(type->of, *(const void *const *)a, *(const void *const *)b);
  case FORM_BOXED: {
    const void *x = *(const void *const *)a, *y = *(const void *const *)b;
    return x == y || (x && y && core_equal(type->of, x, y));
  }
  case FORM_OPTION: {
    bool has_a = *(const bool *)a, has_b = *(const bool *)b;
    return has_a == has_b && (!has_a || core_equal(type->of, (const char *)a + type->value_offset,
                                                   (const char *)b + type->value_offset));
  }
  case FORM_LIST: {
    const AnyList *x = a, *y = b;
    if (x->count != y->count)
      return false;
    for (uint32_t i = 0; i < x->count; i++)
      if (!core_equal(type->of, list_item(x->items, type->of, i), list_item(y->items, type->of, i)))
        return false;
    return true;
  }
  case FORM_STRUCT: {
    uint32_t count;
    const FieldInfo *fields = type->fields(&count);
    return fields_equal(fields, count, a, b);
  }
  case FORM_SUM: {
    uint32_t x = *(const uint32_t *)a;
    if (x != *(const uint32_t *)b)
      return false;
    const CtorInfo *ctor = ctor_of(type, x);
    return !ctor->type || core_equal(ctor->type, (const char *)a + type->value_offset,
                                     (const char *)b + type->value_offset);
  }
  case FORM_OPERATOR: {
    const Op *x = *(const Op *const *)a, *y = *(const Op *const *)b;
    if (x->kind != y->kind)
      return false;
    uint32_t count;
    const FieldInfo *fields = op_info(x->kind)->fields(&count);
    return fields_equal(fields, count, x, y);
  }
  }
  bug("form %d", (int)type->form);
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
  hash = (hash ^ more) * UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ hash >> 29;
}

static uint64_t hash_fields(const FieldInfo *fields, uint32_t count, const void *value)
{
  uint64_t hash = count;
  for (uint32_t i = 0; i < count; i++)
    hash = mix(hash, core_hash(fields[i].type, (const char *)value + fields[i].offset));
  return hash;
}

uint64_t core_hash(const TypeInfo *type, const void *value)
{
  switch (type->form) {
  case FORM_BOOL: case FORM_NAT: case FORM_NAT32: case FORM_INT: case FORM_INT32: case FORM_F32: case FORM_ENUM: {
    uint64_t bits = 0;
    memcpy(&bits, value, type->bytes);
    return mix(1, bits);
  }
  case FORM_STRING: case FORM_OPT_STRING: {
    const char *text = *(const char *const *)value;
    return text ? str_hash(str_from(text)) : 0;
  }
  case FORM_SAME:
    return core_hash(type->of, value);
  case FORM_REF: case FORM_BOXED: {
    const void *inner = *(const void *const *)value;
    return inner ? core_hash(type->of, inner) : 0;
  }
  case FORM_OPTION:
    return *(const bool *)value ? mix(3, core_hash(type->of, (const char *)value + type->value_offset)) : 2;
  case FORM_LIST: {
    const AnyList *list = value;
    uint64_t hash = list->count;
    for (uint32_t i = 0; i < list->count; i++)
      hash = mix(hash, core_hash(type->of, list_item(list->items, type->of, i)));
    return hash;
  }
  case FORM_STRUCT: {
    uint32_t count;
    const FieldInfo *fields = type->fields(&count);
    return hash_fields(fields, count, value);
  }
  case FORM_SUM: {
    uint32_t number = *(const uint32_t *)value;
    const CtorInfo *ctor = ctor_of(type, number);
    return mix(number + 5, ctor->type ? core_hash(ctor->type, (const char *)value + type->value_offset) : 0);
  }
  case FORM_OPERATOR: {
    const Op *op = *(const Op *const *)value;
    uint32_t count;
    const FieldInfo *fields = op_info(op->kind)->fields(&count);
    return mix(op->kind, hash_fields(fields, count, op));
  }
  }
  bug("form %d", (int)type->form);
}
