// repr.c -- repr() and str() of values.

#include "base/number_text.h"
#include "syntax/repr.h"
#include "trace/eval_internal.h"
#include "trace/number.h"

#include <string.h>

static bool repr_items(Tracer *t, const Value *items, size_t count, Span span, StrBuf *out)
{
  for (size_t i = 0; i < count; i++) {
    if (i)
      strbuf_puts(out, ", ");
    if (!op_repr(t, items[i], span, out))
      return false;
  }
  return true;
}

static bool repr_dict(Tracer *t, const Dict *dict, Span span, StrBuf *out)
{
  strbuf_putc(out, '{');
  bool first = true;
  for (uint32_t i = 0; i < dict->used; i++) {
    if (!value_is_set(dict->entries[i].key))
      continue;
    if (!first)
      strbuf_puts(out, ", ");
    first = false;
    if (!op_repr(t, dict->entries[i].key, span, out))
      return false;
    strbuf_puts(out, ": ");
    if (!op_repr(t, dict->entries[i].value, span, out))
      return false;
  }
  strbuf_putc(out, '}');
  return true;
}

static bool repr_set_items(Tracer *t, const Dict *dict, Span span, StrBuf *out)
{
  bool first = true;
  for (uint32_t i = 0; i < dict->used; i++) {
    if (!value_is_set(dict->entries[i].key))
      continue;
    if (!first)
      strbuf_puts(out, ", ");
    first = false;
    if (!op_repr(t, dict->entries[i].key, span, out))
      return false;
  }
  return true;
}

static bool repr_container(Tracer *t, Value value, Span span, StrBuf *out)
{
  bool ok = true;
  switch ((ValueTag)value.tag) {
  case VALUE_TUPLE:
    strbuf_putc(out, '(');
    ok = repr_items(t, value.tuple->items, value.tuple->count, span, out);
    strbuf_puts(out, value.tuple->count == 1 ? ",)" : ")");
    return ok;
  case VALUE_LIST:
    strbuf_putc(out, '[');
    ok = repr_items(t, value.list->items, value.list->count, span, out);
    strbuf_putc(out, ']');
    return ok;
  case VALUE_DICT:
    if (value_is_set(value.dict->default_factory)) {
      strbuf_puts(out, "defaultdict(");
      ok = op_repr(t, value.dict->default_factory, span, out);
      strbuf_puts(out, ", ");
      ok = ok && repr_dict(t, value.dict, span, out);
      strbuf_putc(out, ')');
      return ok;
    }
    return repr_dict(t, value.dict, span, out);
  case VALUE_SET:
  case VALUE_FROZENSET:
    if (value.dict->count == 0) {
      strbuf_puts(out, value.tag == VALUE_SET ? "set()" : "frozenset()");
      return true;
    }
    strbuf_puts(out, value.tag == VALUE_SET ? "{" : "frozenset({");
    ok = repr_set_items(t, value.dict, span, out);
    strbuf_puts(out, value.tag == VALUE_SET ? "}" : "})");
    return ok;
  default: {
    static const char *const names[] = {"dict_keys([", "dict_values([", "dict_items(["};
    strbuf_puts(out, names[value.view->kind]);
    List items = {0};
    ok = op_collect(t, value, span, &items) && repr_items(t, items.items, items.count, span, out);
    strbuf_puts(out, "])");
    return ok;
  }
  }
}

static bool is_shown(Tracer *t, const void *object)
{
  for (const ReprMark *mark = t->repr; mark; mark = mark->outer)
    if (mark->object == object)
      return true;
  return false;
}

static const char *class_path(Tracer *t, const Class *class)
{
  if (!class->module)
    return class->name->str.data;
  return arena_printf(&t->arena, "%s.%s", class->module->name->str.data, class->qualname);
}

static bool exception_text(Tracer *t, Value value, bool as_repr, Span span, StrBuf *out)
{
  Value *args = attr_find(&value.instance->attrs, t->builtins->args);
  size_t count = args && args->tag == VALUE_TUPLE ? args->tuple->count : 0;
  if (!as_repr) {
    if (count == 0)
      return true;
    if (count > 1)
      return op_repr(t, *args, span, out);
    bool is_key = class_is_subclass(value.instance->class, exception_class(t, "KeyError"));
    return (is_key ? op_repr : op_str)(t, args->tuple->items[0], span, out);
  }
  strbuf_printf(out, "%s(", value.instance->class->name->str.data);
  bool ok = count == 0 || repr_items(t, args->tuple->items, count, span, out);
  strbuf_putc(out, ')');
  return ok;
}

static bool enum_text(Tracer *t, Value value, bool as_repr, Span span, StrBuf *out)
{
  Class *class = value.instance->class;
  Value *name = attr_find(&value.instance->attrs, t->builtins->_name_);
  Value *content = attr_find(&value.instance->attrs, t->builtins->_value_);
  const char *text = name && name->tag == VALUE_STR ? name->string->text.data : NULL;
  bool shows_value = class_is_subclass(class, t->builtins->class_IntEnum) ||
                     class_is_subclass(class, t->builtins->class_StrEnum) ||
                     class_is_subclass(class, t->builtins->class_IntFlag);
  if (!as_repr && shows_value && content)
    return op_str(t, *content, span, out);
  if (as_repr)
    strbuf_putc(out, '<');
  if (text)
    strbuf_printf(out, "%s.%s", class->name->str.data, text);
  else
    strbuf_printf(out, class->flags & CLASS_FLAG && !as_repr ? "%s(0)" : "%s", class->name->str.data);
  if (!as_repr)
    return true;
  strbuf_puts(out, ": ");
  bool ok = !content || op_repr(t, *content, span, out);
  strbuf_putc(out, '>');
  return ok;
}

static bool text_of_special(Tracer *t, Value value, const Name *name, Span span, StrBuf *out, Outcome *outcome)
{
  Value result;
  *outcome = call_special(t, value, name, NULL, 0, span, &result);
  if (*outcome != OUTCOME_OK)
    return *outcome == OUTCOME_MISSING;
  if (result.tag != VALUE_STR)
    return RAISE(t, E_TYPE, span, "%s returned non-string (type %s)", name->str.data, value_type_name(t, result));
  strbuf_add(out, result.string->text.data, result.string->text.len);
  return true;
}

static bool repr_named_tuple(Tracer *t, Value value, Span span, StrBuf *out)
{
  const Class *class = value.instance->class;
  strbuf_printf(out, "%s(", class->name->str.data);
  for (size_t i = 0; i < class->fields.count; i++) {
    strbuf_printf(out, "%s%s=", i ? ", " : "", class->fields.items[i].name->str.data);
    if (!op_repr(t, value.instance->held.tuple->items[i], span, out))
      return false;
  }
  strbuf_putc(out, ')');
  return true;
}

static bool repr_instance(Tracer *t, Value value, Span span, StrBuf *out)
{
  Class *class = value.instance->class;
  Outcome outcome;
  if (!text_of_special(t, value, t->builtins->__repr__, span, out, &outcome))
    return false;
  if (outcome == OUTCOME_OK)
    return true;
  if (class->flags & CLASS_ENUM)
    return enum_text(t, value, true, span, out);
  if (class->flags & CLASS_EXCEPTION)
    return exception_text(t, value, true, span, out);
  if (class->flags & CLASS_NAMED_TUPLE && value_is_set(value.instance->held))
    return repr_named_tuple(t, value, span, out);
  if ((class->flags & CLASS_DATACLASS) && !class->no_repr)
    return dataclass_repr(t, value, span, out);
  Value held = value_unwrap(value);
  if (held.tag != VALUE_INSTANCE) {
    bool named = held.tag == VALUE_DICT && class_is_subclass(class, t->builtins->class_OrderedDict);
    named |= held.tag == VALUE_DICT && class_is_subclass(class, t->builtins->class_Counter);
    if (!named)
      return op_repr(t, held, span, out);
    bool counter = class_is_subclass(class, t->builtins->class_Counter);
    strbuf_printf(out, "%s(", class->name->str.data);
    bool ok = true;
    if (held.dict->count && !counter) {
      strbuf_putc(out, '[');
      bool first = true;
      for (uint32_t i = 0; ok && i < held.dict->used; i++) {
        if (!value_is_set(held.dict->entries[i].key))
          continue;
        Value pair[2] = {held.dict->entries[i].key, held.dict->entries[i].value};
        strbuf_puts(out, first ? "" : ", ");
        first = false;
        ok = op_repr(t, value_tuple(t, pair, 2), span, out);
      }
      strbuf_putc(out, ']');
    } else if (held.dict->count) {
      Value sorted;
      ok = call_method(t, value, "_sorted", NULL, 0, span, &sorted) == OUTCOME_OK && op_repr(t, sorted, span, out);
    }
    strbuf_putc(out, ')');
    return ok;
  }
  strbuf_printf(out, "<%s object>", class_path(t, class));
  return true;
}

static bool repr_other(Tracer *t, Value value, Span span, StrBuf *out)
{
  switch ((ValueTag)value.tag) {
  case VALUE_NONE: strbuf_puts(out, "None"); return true;
  case VALUE_BOOL: strbuf_puts(out, value.boolean ? "True" : "False"); return true;
  case VALUE_INT:
  case VALUE_BIG_INT: return int_add_text(t, value, 10, span, out);
  case VALUE_FLOAT: number_add_repr(out, value.real); return true;
  case VALUE_STR: repr_add_str(out, value.string->text); return true;
  case VALUE_BYTES: repr_add_bytes(out, value.string->text); return true;
  case VALUE_ELLIPSIS: strbuf_puts(out, "Ellipsis"); return true;
  case VALUE_NOT_IMPLEMENTED: strbuf_puts(out, "NotImplemented"); return true;
  case VALUE_RANGE: {
    const Range *range = value.pointer;
    strbuf_printf(out, "range(%lld, %lld", (long long)range->start, (long long)range->stop);
    if (range->step != 1)
      strbuf_printf(out, ", %lld", (long long)range->step);
    strbuf_putc(out, ')');
    return true;
  }
  case VALUE_SLICE: {
    const Slice *slice = value.pointer;
    Value parts[3] = {slice->start, slice->stop, slice->step};
    strbuf_puts(out, "slice(");
    bool ok = repr_items(t, parts, 3, span, out);
    strbuf_putc(out, ')');
    return ok;
  }
  case VALUE_FUNCTION: strbuf_printf(out, "<function %s>", value.function->qualname); return true;
  case VALUE_METHOD: {
    strbuf_puts(out, "<bound method>");
    return true;
  }
  case VALUE_BUILTIN:
    strbuf_printf(out, value_is_set(value.builtin->self) ? "<built-in method %s>" : "<built-in function %s>",
                  value.builtin->name);
    return true;
  case VALUE_CLASS:
    strbuf_printf(out, value.class->flags & CLASS_ENUM ? "<enum '%s'>" : "<class '%s'>",
                  value.class->flags & CLASS_ENUM ? value.class->name->str.data : class_path(t, value.class));
    return true;
  case VALUE_MODULE: strbuf_printf(out, "<module '%s'>", value.module->name->str.data); return true;
  case VALUE_ITERATOR: strbuf_printf(out, "<%s object>", value.iterator->name); return true;
  case VALUE_OPAQUE: return raise_opaque(t, value, span, "shown");
  case VALUE_TENSOR:
  case VALUE_REGISTER:
  case VALUE_DTYPE:
  case VALUE_OBJECT:
    if (value.object->type->repr)
      value.object->type->repr(t, value, out);
    else
      strbuf_printf(out, "<%s>", value.object->type->name);
    return true;
  default: strbuf_puts(out, "<?>"); return true;
  }
}

bool op_repr(Tracer *t, Value value, Span span, StrBuf *out)
{
  bool container = (value.tag >= VALUE_TUPLE && value.tag <= VALUE_DICT_VIEW) || value.tag == VALUE_INSTANCE;
  if (!container)
    return repr_other(t, value, span, out);
  if (is_shown(t, value.pointer)) {
    strbuf_puts(out, value.tag == VALUE_LIST ? "[...]" : value.tag == VALUE_DICT ? "{...}" : value.tag == VALUE_TUPLE ? "(...)" : "...");
    return true;
  }
  if (!check_stack(t, span))
    return false;
  ReprMark mark = {t->repr, value.pointer};
  t->repr = &mark;
  bool ok = value.tag == VALUE_INSTANCE ? repr_instance(t, value, span, out) : repr_container(t, value, span, out);
  t->repr = mark.outer;
  return ok;
}

bool op_str(Tracer *t, Value value, Span span, StrBuf *out)
{
  if (value.tag == VALUE_STR) {
    strbuf_add(out, value.string->text.data, value.string->text.len);
    return true;
  }
  if (value_is_native(value) && value.object->type->str) {
    value.object->type->str(t, value, out);
    return true;
  }
  if (value.tag != VALUE_INSTANCE)
    return op_repr(t, value, span, out);
  Outcome outcome;
  if (!text_of_special(t, value, t->builtins->__str__, span, out, &outcome))
    return false;
  if (outcome == OUTCOME_OK)
    return true;
  uint32_t flags = value.instance->class->flags;
  if (flags & CLASS_ENUM)
    return enum_text(t, value, false, span, out);
  if (flags & CLASS_EXCEPTION && !instance_special(value, t->builtins->__repr__))
    return exception_text(t, value, false, span, out);
  if (flags & CLASS_EXCEPTION)
    return exception_text(t, value, false, span, out);
  Value held = value_unwrap(value);
  if (held.tag == VALUE_STR)
    return op_str(t, held, span, out);
  return op_repr(t, value, span, out);
}

Str ascii_text(Tracer *t, Str text)
{
  StrBuf out = strbuf_new(&t->arena);
  strbuf_add(&out, "", 0);
  for (size_t i = 0; i < text.len;) {
    uint32_t c = (unsigned char)text.data[i];
    size_t len = c < 0x80 ? 1 : utf8_decode(text.data + i, text.data + text.len, &c);
    if (len == 0) {  // a lone surrogate
      c = 0xD000 | ((uint32_t)(unsigned char)text.data[i + 1] & 0x3F) << 6 | ((unsigned char)text.data[i + 2] & 0x3F);
      len = 3;
    }
    if (c < 0x80)
      strbuf_putc(&out, (char)c);
    else
      strbuf_printf(&out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
    i += len;
  }
  return out.data ? strbuf_str(&out) : STR("");
}
