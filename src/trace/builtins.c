// builtins.c -- the names every Python module starts with.

#include "trace/class_kinds.h"
#include "trace/eval_internal.h"
#include "trace/methods.h"
#include "trace/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void builtins_init(Tracer *t);

#define ARG(i) (call->args[i])
#define HAS(i) (value_is_set(call->args[i]))

// ---- numbers

static bool b_abs(Tracer *t, const Call *call, Value *out)
{
  if (ARG(0).tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, ARG(0), t->builtins->__abs__, NULL, 0, call->span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  Value v = value_unwrap(ARG(0));
  if (value_is_int(v))
    *out = int_sign(v) < 0 ? int_negate(t, v) : v.tag == VALUE_BOOL ? value_int(v.integer) : v;
  else if (v.tag == VALUE_FLOAT)
    *out = value_float(fabs(v.real));
  else
    return RAISE(t, E_TYPE, call->span, "bad operand type for abs(): '%s'", value_type_name(t, ARG(0)));
  return true;
}

static bool b_round(Tracer *t, const Call *call, Value *out)
{
  bool has_digits = HAS(1) && ARG(1).tag != VALUE_NONE;
  if (ARG(0).tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, ARG(0), t->builtins->__round__, &call->args[1], has_digits, call->span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  Value v = value_unwrap(ARG(0));
  int64_t digits = 0;
  if (has_digits && !op_index(t, ARG(1), call->span, &digits))
    return false;
  if (value_is_int(v))
    return int_round_digits(t, v, digits, call->span, out);
  if (v.tag != VALUE_FLOAT)
    return RAISE(t, E_TYPE, call->span, "type %s doesn't define __round__ method", value_type_name(t, ARG(0)));
  if (!has_digits)
    return float_to_int(t, isfinite(v.real) ? rint(v.real) : v.real, call->span, out);
  double rounded = float_round_digits(v.real, digits);
  if (isinf(rounded) && isfinite(v.real))
    return RAISE(t, E_OVERFLOW, call->span, "rounded value too large to represent");
  *out = value_float(rounded);
  return true;
}

static bool b_divmod(Tracer *t, const Call *call, Value *out)
{
  if (ARG(0).tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, ARG(0), t->builtins->__divmod__, &call->args[1], 1, call->span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  Value pair[2];
  Value a = value_unwrap(ARG(0)), b = value_unwrap(ARG(1));
  bool numbers = (value_is_int(a) || a.tag == VALUE_FLOAT) && (value_is_int(b) || b.tag == VALUE_FLOAT);
  if (a.tag != VALUE_INSTANCE && !numbers && !value_is_native(a))
    return RAISE(t, E_TYPE, call->span, "unsupported operand type(s) for divmod(): '%s' and '%s'",
                 value_type_name(t, ARG(0)), value_type_name(t, ARG(1)));
  if (numbers && (a.tag == VALUE_FLOAT || b.tag == VALUE_FLOAT)) {
    double divisor;
    if (value_as_double(b, &divisor) && divisor == 0)
      return RAISE(t, E_ZERO_DIVISION, call->span, "float divmod()");
  }
  if (!op_binary(t, OPERATOR_FloorDiv, ARG(0), ARG(1), call->span, &pair[0]) ||
      !op_binary(t, OPERATOR_Mod, ARG(0), ARG(1), call->span, &pair[1]))
    return false;
  *out = value_tuple(t, pair, 2);
  return true;
}

static bool b_pow(Tracer *t, const Call *call, Value *out)
{
  if (!HAS(2) || ARG(2).tag == VALUE_NONE)
    return op_binary(t, OPERATOR_Pow, ARG(0), ARG(1), call->span, out);
  for (int i = 0; i < 3; i++)
    if (!value_is_int(value_unwrap(ARG(i))))
      return RAISE(t, E_TYPE, call->span, "pow() 3rd argument not allowed unless all arguments are integers");
  return int_power_mod(t, value_unwrap(ARG(0)), value_unwrap(ARG(1)), value_unwrap(ARG(2)), call->span, out);
}

static bool int_in_base(Tracer *t, const Call *call, int base, const char *prefix, Value *out)
{
  Value v = value_unwrap(ARG(0));
  if (!value_is_int(v)) {
    int64_t index;
    if (!op_index(t, ARG(0), call->span, &index))
      return false;
    v = value_int(index);
  }
  StrBuf digits = strbuf_new(&t->arena), text = strbuf_new(&t->arena);
  if (!int_add_text(t, v, base, call->span, &digits))
    return false;
  bool negative = digits.data[0] == '-';
  strbuf_printf(&text, "%s%s%s", negative ? "-" : "", prefix, digits.data + negative);
  *out = value_str(t, strbuf_str(&text));
  return true;
}

static bool b_bin(Tracer *t, const Call *call, Value *out) { return int_in_base(t, call, 2, "0b", out); }
static bool b_oct(Tracer *t, const Call *call, Value *out) { return int_in_base(t, call, 8, "0o", out); }
static bool b_hex(Tracer *t, const Call *call, Value *out) { return int_in_base(t, call, 16, "0x", out); }

static bool b_chr(Tracer *t, const Call *call, Value *out)
{
  int64_t c;
  char encoded[4];
  if (!op_index(t, ARG(0), call->span, &c))
    return false;
  if (c < 0 || c > 0x10FFFF)
    return RAISE(t, E_VALUE, call->span, "chr() arg not in range(0x110000)");
  *out = value_str(t, (Str){encoded, utf8_put((uint32_t)c, encoded)});
  return true;
}

static bool b_ord(Tracer *t, const Call *call, Value *out)
{
  Value v = value_unwrap(ARG(0));
  uint32_t c;
  if (v.tag != VALUE_STR)
    return RAISE(t, E_TYPE, call->span, "ord() expected string of length 1, but %s found", value_type_name(t, ARG(0)));
  if (v.string->code_points != 1)
    return RAISE(t, E_TYPE, call->span, "ord() expected a character, but string of length %zu found",
                 v.string->code_points);
  if (!utf8_decode(v.string->text.data, v.string->text.data + v.string->text.len, &c))
    c = 0xFFFD;
  *out = value_int(c);
  return true;
}

// ---- sequences

static bool b_len(Tracer *t, const Call *call, Value *out)
{
  int64_t length;
  if (!op_length(t, ARG(0), call->span, &length))
    return false;
  *out = value_int(length);
  return true;
}

// min and max: (iterable or several values, key, default).
static bool extreme(Tracer *t, const Call *call, const char *name, bool want_less, Value *out)
{
  Value key = value_undefined(), fallback = value_undefined();
  for (uint32_t k = 0; k < call->keyword_count; k++) {
    Str keyword = call->keywords[k]->str;
    Value value = call->args[call->positional + k];
    if (str_is(keyword, "key"))
      key = value.tag == VALUE_NONE ? value_undefined() : value;
    else if (str_is(keyword, "default"))
      fallback = value;
    else
      return RAISE(t, E_ARGUMENTS, call->span, "'%s' is an invalid keyword argument for %s()", keyword.data, name);
  }
  if (call->positional == 0)
    return RAISE(t, E_ARGUMENTS, call->span, "%s expected at least 1 argument, got 0", name);
  List collected = {0};
  const Value *items = call->args;
  size_t count = call->positional;
  if (count == 1) {
    if (!op_collect(t, call->args[0], call->span, &collected))
      return false;
    items = collected.items;
    count = collected.count;
  } else if (value_is_set(fallback)) {
    return RAISE(t, E_TYPE, call->span, "Cannot specify a default for %s() with multiple positional arguments", name);
  }
  if (count == 0) {
    if (!value_is_set(fallback))
      return RAISE(t, E_VALUE, call->span, "%s() arg is an empty sequence", name);
    *out = fallback;
    return true;
  }
  Value best = items[0], best_key = items[0];
  if (value_is_set(key) && !call_simple(t, key, &items[0], 1, call->span, &best_key))
    return false;
  for (size_t i = 1; i < count; i++) {
    Value item_key = items[i], better;
    if (value_is_set(key) && !call_simple(t, key, &items[i], 1, call->span, &item_key))
      return false;
    bool truth;
    if (!op_compare(t, want_less ? CMP_OP_Lt : CMP_OP_Gt, item_key, best_key, call->span, &better) ||
        !op_truth(t, better, call->span, &truth))
      return false;
    if (truth) {
      best = items[i];
      best_key = item_key;
    }
  }
  *out = best;
  return true;
}

static bool b_min(Tracer *t, const Call *call, Value *out) { return extreme(t, call, "min", true, out); }
static bool b_max(Tracer *t, const Call *call, Value *out) { return extreme(t, call, "max", false, out); }

static bool b_sum(Tracer *t, const Call *call, Value *out)
{
  Value iterator, total = HAS(1) ? ARG(1) : value_int(0), item;
  if (total.tag == VALUE_STR)
    return RAISE(t, E_TYPE, call->span, "sum() can't sum strings [use ''.join(seq) instead]");
  if (!op_iterate(t, ARG(0), call->span, &iterator))
    return false;
  for (;;) {
    bool done;
    if (!op_next(t, iterator, call->span, &item, &done))
      return false;
    if (done)
      break;
    if (!op_binary(t, OPERATOR_Add, total, item, call->span, &total))
      return false;
  }
  *out = total;
  return true;
}

static bool any_or_all(Tracer *t, const Call *call, bool stop_at, Value *out)
{
  Value iterator, item;
  if (!op_iterate(t, ARG(0), call->span, &iterator))
    return false;
  for (;;) {
    bool done, truth;
    if (!op_next(t, iterator, call->span, &item, &done))
      return false;
    if (done)
      break;
    if (!op_truth(t, item, call->span, &truth))
      return false;
    if (truth == stop_at) {
      *out = value_bool(stop_at);
      return true;
    }
  }
  *out = value_bool(!stop_at);
  return true;
}

static bool b_any(Tracer *t, const Call *call, Value *out) { return any_or_all(t, call, true, out); }
static bool b_all(Tracer *t, const Call *call, Value *out) { return any_or_all(t, call, false, out); }

static bool b_sorted(Tracer *t, const Call *call, Value *out)
{
  Value list = value_list(t, NULL, 0);
  bool reverse = false;
  *out = list;
  if (!op_collect(t, ARG(0), call->span, list.list))
    return false;
  if (HAS(2) && !op_truth(t, ARG(2), call->span, &reverse))
    return false;
  return list_sort(t, list.list, ARG(1), reverse, call->span);
}

static bool b_iter(Tracer *t, const Call *call, Value *out)
{
  return op_iterate(t, ARG(0), call->span, out);
}

static bool b_next(Tracer *t, const Call *call, Value *out)
{
  if (ARG(0).tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, ARG(0), t->builtins->__next__, NULL, 0, call->span, out);
    if (outcome == OUTCOME_ERROR && HAS(1) && exception_matches(t, "StopIteration")) {
      catch_exception(t);
      *out = ARG(1);
      return true;
    }
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  if (ARG(0).tag != VALUE_ITERATOR)
    return RAISE(t, E_TYPE, call->span, "'%s' object is not an iterator", value_type_name(t, ARG(0)));
  bool done;
  if (!op_next(t, ARG(0), call->span, out, &done))
    return false;
  if (!done)
    return true;
  if (HAS(1)) {
    *out = ARG(1);
    return true;
  }
  raise_error(t, E_STOP_ITERATION, call->span, "the iterator has no further value");
  attr_set(&t->arena, &t->exception.instance->attrs, t->builtins->args, value_tuple(t, NULL, 0));
  return false;
}

// ---- iterators as classes

static bool next_enumerate(Tracer *t, Iterator *it, Value *out, bool *done)
{
  Value item;
  if (!op_next(t, it->source, t->here, &item, done) || *done)
    return !value_is_set(t->exception);
  Value pair[2] = {it->extra, item};
  *out = value_tuple(t, pair, 2);
  return int_binary(t, OPERATOR_Add, it->extra, value_int(1), t->here, &it->extra);
}

static bool c_enumerate(Tracer *t, const Call *call, Value *out)
{
  Value source;
  if (!op_iterate(t, ARG(0), call->span, &source))
    return false;
  Value start = HAS(1) ? value_unwrap(ARG(1)) : value_int(0);
  if (!value_is_int(start))
    return RAISE(t, E_TYPE, call->span, "'%s' object cannot be interpreted as an integer", value_type_name(t, start));
  *out = value_iterator(t, "enumerate", next_enumerate, source);
  out->iterator->extra = start;
  return true;
}

static bool next_zip(Tracer *t, Iterator *it, Value *out, bool *done)
{
  const Tuple *sources = it->source.tuple;
  if (sources->count == 0) {
    *done = true;
    return true;
  }
  Value tuple = value_tuple(t, NULL, sources->count);
  for (size_t i = 0; i < sources->count; i++) {
    bool end;
    if (!op_next(t, sources->items[i], t->here, &tuple.tuple->items[i], &end))
      return false;
    if (!end)
      continue;
    *done = true;
    if (!it->step)
      return true;
    if (i > 0)
      return RAISE(t, E_VALUE, t->here, i > 1 ? "zip() argument %zu is shorter than arguments 1-%zu"
                                              : "zip() argument %zu is shorter than argument %zu", i + 1, i);
    for (size_t k = 1; k < sources->count; k++) {
      Value ignored;
      if (!op_next(t, sources->items[k], t->here, &ignored, &end))
        return false;
      if (!end)
        return RAISE(t, E_VALUE, t->here, k > 1 ? "zip() argument %zu is longer than arguments 1-%zu"
                                                : "zip() argument %zu is longer than argument %zu", k + 1, k);
    }
    return true;
  }
  *out = tuple;
  return true;
}

static bool iterators_of(Tracer *t, const Value *items, size_t count, Span span, Value *out)
{
  *out = value_tuple(t, NULL, count);
  for (size_t i = 0; i < count; i++)
    if (!op_iterate(t, items[i], span, &out->tuple->items[i]))
      return false;
  return true;
}

static bool c_zip(Tracer *t, const Call *call, Value *out)
{
  Value sources;
  bool strict = false;
  if (HAS(1) && !op_truth(t, ARG(1), call->span, &strict))
    return false;
  if (!iterators_of(t, ARG(0).tuple->items, ARG(0).tuple->count, call->span, &sources))
    return false;
  *out = value_iterator(t, "zip", next_zip, sources);
  out->iterator->step = strict;
  return true;
}

static bool next_map(Tracer *t, Iterator *it, Value *out, bool *done)
{
  const Tuple *sources = it->source.tuple;
  Value *args = stack_reserve(t, sources->count, t->here);
  bool ok = args != NULL;
  for (size_t i = 0; ok && i < sources->count && !*done; i++)
    ok = op_next(t, sources->items[i], t->here, &args[i], done);
  ok = ok && (*done || call_simple(t, it->extra, args, (uint32_t)sources->count, t->here, out));
  if (args)
    stack_release(t, args);
  return ok;
}

static bool c_map(Tracer *t, const Call *call, Value *out)
{
  Value sources;
  if (ARG(1).tuple->count == 0)
    return RAISE(t, E_ARGUMENTS, call->span, "map() must have at least two arguments.");
  if (!iterators_of(t, ARG(1).tuple->items, ARG(1).tuple->count, call->span, &sources))
    return false;
  *out = value_iterator(t, "map", next_map, sources);
  out->iterator->extra = ARG(0);
  return true;
}

static bool next_filter(Tracer *t, Iterator *it, Value *out, bool *done)
{
  for (;;) {
    Value verdict;
    bool truth;
    if (!op_next(t, it->source, t->here, out, done))
      return false;
    if (*done)
      return true;
    verdict = *out;
    if (it->extra.tag != VALUE_NONE && !call_simple(t, it->extra, out, 1, t->here, &verdict))
      return false;
    if (!op_truth(t, verdict, t->here, &truth))
      return false;
    if (truth)
      return true;
  }
}

static bool c_filter(Tracer *t, const Call *call, Value *out)
{
  Value source;
  if (!op_iterate(t, ARG(1), call->span, &source))
    return false;
  *out = value_iterator(t, "filter", next_filter, source);
  out->iterator->extra = ARG(0);
  return true;
}

static bool c_reversed(Tracer *t, const Call *call, Value *out)
{
  Value source = ARG(0);
  if (source.tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, source, t->builtins->__reversed__, NULL, 0, call->span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
    if (instance_special(source, t->builtins->__getitem__) && instance_special(source, t->builtins->__len__)) {
      int64_t length;
      Value list = value_list(t, NULL, 0), item;
      if (!op_length(t, source, call->span, &length))
        return false;
      while (length-- > 0) {
        if (!op_getitem(t, source, value_int(length), call->span, &item))
          return false;
        list_push(t, list.list, item);
      }
      return op_iterate(t, list, call->span, out);
    }
  }
  Value v = value_unwrap(source);
  bool ordered = v.tag == VALUE_LIST || v.tag == VALUE_TUPLE || v.tag == VALUE_STR || v.tag == VALUE_RANGE ||
                 v.tag == VALUE_DICT || v.tag == VALUE_DICT_VIEW || v.tag == VALUE_BYTES;
  bool is_enum = v.tag == VALUE_CLASS && (v.class->flags & CLASS_ENUM);
  if (!ordered && !is_enum)
    return RAISE(t, E_TYPE, call->span, "'%s' object is not reversible", value_type_name(t, source));
  Value list = value_list(t, NULL, 0);
  if (!op_collect(t, v, call->span, list.list))
    return false;
  Call inner = {.self = list, .span = call->span};
  Value ignored;
  for (const NativeMethod *m = list_methods; m->name; m++)
    if (strcmp(m->name, "reverse") == 0)
      m->function(t, &inner, &ignored);
  if (!op_iterate(t, list, call->span, out))
    return false;
  out->iterator->name = v.tag == VALUE_LIST ? "list_reverseiterator" : "reversed";
  return true;
}

// ---- text

static bool b_repr(Tracer *t, const Call *call, Value *out)
{
  StrBuf text = strbuf_new(&t->arena);
  if (!op_repr(t, ARG(0), call->span, &text))
    return false;
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool b_ascii(Tracer *t, const Call *call, Value *out)
{
  if (!b_repr(t, call, out))
    return false;
  *out = value_str(t, ascii_text(t, out->string->text));
  return true;
}

static bool b_format(Tracer *t, const Call *call, Value *out)
{
  StrBuf text = strbuf_new(&t->arena);
  Str spec = HAS(1) && ARG(1).tag == VALUE_STR ? ARG(1).string->text : STR("");
  if (!op_format(t, ARG(0), spec, call->span, &text))
    return false;
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool text_option(Tracer *t, Value v, Str standard, Span span, Str *out)
{
  *out = standard;
  if (!value_is_set(v) || v.tag == VALUE_NONE)
    return true;
  if (v.tag != VALUE_STR)
    return RAISE(t, E_TYPE, span, "sep must be None or a string, not %s", value_type_name(t, v));
  *out = v.string->text;
  return true;
}

// The interpreter around the trace evaluates the kernel instead (E_BREAKPOINT); without one nobody can stop.
static bool b_breakpoint(Tracer *t, const Call *call, Value *out)
{
  *out = value_none();
  if (t->host) {
    diag_help(raise_error(t, E_BREAKPOINT, call->span, "'breakpoint' in a kernel that is traced"),
              "run with NKI_EAGER=1, or without NKI_EAGER");
    t->exception.extra = 1;  // no handler may go on
    return false;
  }
  Diag *diag = warn_once(t, W_BREAKPOINT, call->span, "`breakpoint` stops in Python only");
  if (diag->helps.count == 0)
    diag_help(diag, "call the kernel with arrays from a script");
  return true;
}

static bool b_print(Tracer *t, const Call *call, Value *out)
{
  Str separator, end;
  StrBuf text = strbuf_new(&t->arena);
  if (!text_option(t, ARG(1), STR(" "), call->span, &separator) ||
      !text_option(t, ARG(2), STR("\n"), call->span, &end))
    return false;
  for (size_t i = 0; i < ARG(0).tuple->count; i++) {
    if (i)
      strbuf_add(&text, separator.data, separator.len);
    if (!op_str(t, ARG(0).tuple->items[i], call->span, &text))
      return false;
  }
  strbuf_add(&text, end.data, end.len);
  *out = value_none();
  bool to_stderr = HAS(3) && ARG(3).tag != VALUE_NONE;
  if (!text.data)
    return true;
  if (t->print && !to_stderr)
    strbuf_add(t->print, text.data, text.len);
  else
    fwrite(text.data, 1, text.len, t->prints_to_stdout && !to_stderr ? stdout : stderr);
  return true;
}

// ---- objects

static bool is_instance(Tracer *t, Value value, Value class, Span span, bool by_class, bool *out)
{
  if (class.tag == VALUE_TUPLE) {
    for (size_t i = 0; i < class.tuple->count && !*out; i++)
      if (!is_instance(t, value, class.tuple->items[i], span, by_class, out))
        return false;
    return true;
  }
  if (class.tag == VALUE_NONE) {
    *out |= value.tag == VALUE_NONE;
    return true;
  }
  if (class.tag == VALUE_OPAQUE) {
    return true;  // nothing we make is an instance of an unknown class
  }
  if (class.tag != VALUE_CLASS) {
    if (value_is_native(class) || class.tag == VALUE_BUILTIN || class.tag == VALUE_FUNCTION) {
      // `nl.ndarray` and the like: a function that names the kind of what it makes.
      Value type;
      if (op_find_attr(t, class, tracer_name(t, "__instance_type__"), span, &type) == OUTCOME_OK &&
          type.tag == VALUE_STR) {
        *out |= str_is(type.string->text, value_type_name(t, value));
        return true;
      }
      if (value_is_set(t->exception))
        return false;
    }
    return RAISE(t, E_TYPE, span, by_class ? "issubclass() arg 2 must be a class, a tuple of classes, or a union"
                                           : "isinstance() arg 2 must be a type, a tuple of types, or a union");
  }
  *out |= by_class ? class_is_subclass(value.class, class.class) || class.class == t->builtins->class_object
                   : value_is_instance(t, value, class.class);
  return true;
}

static bool b_isinstance(Tracer *t, const Call *call, Value *out)
{
  bool result = false;
  if (!is_instance(t, ARG(0), ARG(1), call->span, false, &result))
    return false;
  *out = value_bool(result);
  return true;
}

static bool b_issubclass(Tracer *t, const Call *call, Value *out)
{
  bool result = false;
  if (ARG(0).tag != VALUE_CLASS)
    return RAISE(t, E_TYPE, call->span, "issubclass() arg 1 must be a class");
  if (!is_instance(t, ARG(0), ARG(1), call->span, true, &result))
    return false;
  *out = value_bool(result);
  return true;
}

static bool b_callable(Tracer *t, const Call *call, Value *out)
{
  Value v = ARG(0);
  bool result = v.tag == VALUE_FUNCTION || v.tag == VALUE_METHOD || v.tag == VALUE_BUILTIN || v.tag == VALUE_CLASS ||
                instance_special(v, t->builtins->__call__) || (value_is_native(v) && v.object->type->call);
  *out = value_bool(result);
  return true;
}

static bool attribute_name(Tracer *t, const Call *call, const Name **out)
{
  if (ARG(1).tag != VALUE_STR)
    return RAISE(t, E_TYPE, call->span, "attribute name must be string, not '%s'", value_type_name(t, ARG(1)));
  *out = string_name(t, ARG(1).string);
  return true;
}

// An AttributeError raised on the way counts as a missing attribute, as in CPython.
static Outcome find_attr_softly(Tracer *t, const Call *call, const Name *name, Value *out)
{
  Outcome found = op_find_attr(t, ARG(0), name, call->span, out);
  if (found != OUTCOME_ERROR || !exception_matches(t, "AttributeError"))
    return found;
  catch_exception(t);
  return OUTCOME_MISSING;
}

static bool b_hasattr(Tracer *t, const Call *call, Value *out)
{
  const Name *name;
  Value ignored;
  if (!attribute_name(t, call, &name))
    return false;
  Outcome found = find_attr_softly(t, call, name, &ignored);
  *out = value_bool(found == OUTCOME_OK && ARG(0).tag != VALUE_OPAQUE);
  return found != OUTCOME_ERROR;
}

static bool b_getattr(Tracer *t, const Call *call, Value *out)
{
  const Name *name;
  if (!attribute_name(t, call, &name))
    return false;
  if (!HAS(2))
    return op_getattr(t, ARG(0), name, call->span, out);
  Outcome found = find_attr_softly(t, call, name, out);
  if (found == OUTCOME_MISSING)
    *out = ARG(2);
  return found != OUTCOME_ERROR;
}

static bool b_setattr(Tracer *t, const Call *call, Value *out)
{
  const Name *name;
  *out = value_none();
  return attribute_name(t, call, &name) && op_setattr(t, ARG(0), name, ARG(2), call->span);
}

static bool b_delattr(Tracer *t, const Call *call, Value *out)
{
  const Name *name;
  *out = value_none();
  return attribute_name(t, call, &name) && op_delattr(t, ARG(0), name, call->span);
}

static bool b_hash(Tracer *t, const Call *call, Value *out)
{
  uint64_t hash;
  if (!op_hash(t, ARG(0), call->span, &hash))
    return false;
  *out = value_int((int64_t)hash);
  return true;
}

static bool b_id(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = value_int((int64_t)((uint64_t)(uintptr_t)ARG(0).pointer & INT64_MAX));
  return true;
}

static bool b_globals(Tracer *t, const Call *call, Value *out)
{
  (void)call;
  Value dict = value_dict(t);
  const AttrTable *names = &t->frame->module->attrs;
  for (uint32_t i = 0; i < names->count; i++)
    if (names->items[i].value.tag > VALUE_LAZY &&
        !dict_set(t, dict.dict, value_name(t, names->items[i].name), names->items[i].value))
      return false;
  *out = dict;
  return true;
}

static bool b_vars(Tracer *t, const Call *call, Value *out)
{
  return op_getattr(t, ARG(0), t->builtins->__dict__, call->span, out);
}

static bool b_dir(Tracer *t, const Call *call, Value *out)
{
  Value list = value_list(t, NULL, 0);
  *out = list;
  const AttrTable *table = ARG(0).tag == VALUE_INSTANCE ? &ARG(0).instance->attrs
                           : ARG(0).tag == VALUE_MODULE ? &ARG(0).module->attrs
                                                        : NULL;
  for (uint32_t i = 0; table && i < table->count; i++)
    if (value_is_set(table->items[i].value))
      list_push(t, list.list, value_name(t, table->items[i].name));
  Class *class = ARG(0).tag == VALUE_CLASS ? ARG(0).class : value_class_of(t, ARG(0));
  for (uint32_t i = 0; i < class->mro_count; i++)
    for (uint32_t k = 0; k < class->mro[i]->attrs.count; k++)
      list_push(t, list.list, value_name(t, class->mro[i]->attrs.items[k].name));
  return list_sort(t, list.list, value_undefined(), false, call->span);
}

static bool b_exit(Tracer *t, const Call *call, Value *out)
{
  (void)out;
  Value code = HAS(0) ? ARG(0) : value_none();
  return raise_value(t, exception_new(t, exception_class(t, "SystemExit"), &code, 1), call->span);
}

static bool b_input(Tracer *t, const Call *call, Value *out)
{
  (void)out;
  return RAISE(t, E_UNSUPPORTED, call->span, "'input' has no meaning while tracing");
}

static bool b_import(Tracer *t, const Call *call, Value *out)
{
  Value name = ARG(0);
  if (name.tag != VALUE_STR)
    return RAISE(t, E_TYPE, call->span, "__import__() needs a string");
  ModuleObject *module = module_find(t, name.string->text);
  if (!module && (t->is_script || t->import_guards))
    return RAISE(t, E_IMPORT, call->span, "No module named '%s'", name.string->text.data);
  *out = module ? (Value){.tag = VALUE_MODULE, .module = module}
                : value_opaque(t, name.string->text.data, call->span, NULL);
  return true;
}

static const NativeMethod functions[] = {
  {"abs", b_abs, "x /"}, {"round", b_round, "number ndigits?"}, {"divmod", b_divmod, "x y /"},
  {"pow", b_pow, "base exp mod?"}, {"bin", b_bin, "number /"}, {"oct", b_oct, "number /"}, {"hex", b_hex, "number /"},
  {"chr", b_chr, "i /"}, {"ord", b_ord, "c /"}, {"len", b_len, "obj /"}, {"min", b_min, NULL}, {"max", b_max, NULL},
  {"sum", b_sum, "iterable / start?"}, {"any", b_any, "iterable /"}, {"all", b_all, "iterable /"},
  {"sorted", b_sorted, "iterable / * key? reverse?"}, {"iter", b_iter, "object sentinel? /"},
  {"next", b_next, "iterator default? /"}, {"repr", b_repr, "obj /"}, {"ascii", b_ascii, "obj /"},
  {"format", b_format, "value format_spec? /"}, {"breakpoint", b_breakpoint, NULL}, {"print", b_print, "*args sep? end? file? flush?"},
  {"isinstance", b_isinstance, "obj class_or_tuple /"}, {"issubclass", b_issubclass, "cls class_or_tuple /"},
  {"callable", b_callable, "obj /"}, {"hasattr", b_hasattr, "obj name /"}, {"getattr", b_getattr, "obj name default? /"},
  {"setattr", b_setattr, "obj name value /"}, {"delattr", b_delattr, "obj name /"}, {"hash", b_hash, "obj /"},
  {"id", b_id, "obj /"}, {"globals", b_globals, ""}, {"vars", b_vars, "obj /"}, {"dir", b_dir, "obj /"},
  {"exit", b_exit, "code? /"}, {"quit", b_exit, "code? /"}, {"input", b_input, "prompt? /"},
  {"__import__", b_import, "name globals? locals? fromlist? level?"},
  {NULL, NULL, NULL},
};

// ---- classes that can be called

static bool c_object(Tracer *t, const Call *call, Value *out)
{
  *out = instance_new(t, call->self.class);
  return true;
}

static bool o_new(Tracer *t, const Call *call, Value *out)
{
  if (call->self.tag != VALUE_CLASS)
    return RAISE(t, E_TYPE, call->span, "__new__(X): X is not a type object");
  return object_allocate(t, call->self.class, call, out);
}

static bool o_init(Tracer *t, const Call *call, Value *out)
{
  (void)t, (void)call;
  *out = value_none();
  return true;
}

static bool exception_init(Tracer *t, const Call *call, Value *out)
{
  attr_set(&t->arena, &call->self.instance->attrs, t->builtins->args, value_tuple(t, call->args, call->positional));
  *out = value_none();
  return true;
}

static bool o_setattr(Tracer *t, const Call *call, Value *out)
{
  *out = value_none();
  if (call->self.tag == VALUE_INSTANCE && ARG(0).tag == VALUE_STR) {
    attr_set(&t->arena, &call->self.instance->attrs, string_name(t, ARG(0).string), ARG(1));
    return true;
  }
  return RAISE(t, E_TYPE, call->span, "object.__setattr__ needs an instance and a name");
}

static bool o_getattribute(Tracer *t, const Call *call, Value *out)
{
  return ARG(0).tag == VALUE_STR ? op_getattr(t, call->self, string_name(t, ARG(0).string), call->span, out)
                                 : RAISE(t, E_TYPE, call->span, "attribute name must be string");
}

static bool o_repr(Tracer *t, const Call *call, Value *out)
{
  Value v = call->self;
  if (v.tag == VALUE_INSTANCE && !(v.instance->class->flags & (CLASS_DATACLASS | CLASS_EXCEPTION | CLASS_ENUM)) &&
      !value_is_set(v.instance->held)) {
    *out = value_cstr(t, arena_printf(&t->arena, "<%s.%s object>",
                                      v.instance->class->module ? v.instance->class->module->name->str.data : "builtins",
                                      v.instance->class->qualname));
    return true;
  }
  Call inner = {.args = &v, .positional = 1, .span = call->span};
  return b_repr(t, &inner, out);
}

static bool held_repr(Tracer *t, const Call *call, Value *out)
{
  Value v = value_unwrap(call->self);
  Call inner = {.args = &v, .positional = 1, .span = call->span};
  return b_repr(t, &inner, out);
}

static bool exception_str(Tracer *t, const Call *call, Value *out)
{
  Value *args = attr_find(&call->self.instance->attrs, t->builtins->args);
  StrBuf text = strbuf_new(&t->arena);
  if (args && args->tuple->count == 1 && !op_str(t, args->tuple->items[0], call->span, &text))
    return false;
  if (args && args->tuple->count > 1 && !op_repr(t, *args, call->span, &text))
    return false;
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool o_eq(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  Value a = call->self, b = ARG(0);
  if (value_unwrap(a).tag != VALUE_INSTANCE) {
    bool equal;
    if (!op_equal(t, value_unwrap(a), value_unwrap(b), call->span, &equal))
      return false;
    *out = value_bool(equal);
    return true;
  }
  *out = op_is(a, b) ? value_bool(true) : (Value){.tag = VALUE_NOT_IMPLEMENTED};
  return true;
}

static bool o_hash(Tracer *t, const Call *call, Value *out)
{
  Value v = value_unwrap(call->self);
  if (v.tag == VALUE_INSTANCE) {
    *out = value_int((int64_t)((uint64_t)(uintptr_t)v.pointer >> 4));
    return true;
  }
  Call inner = {.args = &v, .positional = 1, .span = call->span};
  return b_hash(t, &inner, out);
}

// Methods that user classes reach through super(), with what the built-in type does.
static bool held_getitem(Tracer *t, const Call *call, Value *out)
{
  return op_getitem(t, value_unwrap(call->self), ARG(0), call->span, out);
}

static bool held_setitem(Tracer *t, const Call *call, Value *out)
{
  *out = value_none();
  return op_setitem(t, value_unwrap(call->self), ARG(0), ARG(1), call->span);
}

static bool held_delitem(Tracer *t, const Call *call, Value *out)
{
  *out = value_none();
  return op_delitem(t, value_unwrap(call->self), ARG(0), call->span);
}

static bool held_contains(Tracer *t, const Call *call, Value *out)
{
  bool result;
  if (!op_contains(t, value_unwrap(call->self), ARG(0), call->span, &result))
    return false;
  *out = value_bool(result);
  return true;
}

static bool held_len(Tracer *t, const Call *call, Value *out)
{
  Value v = value_unwrap(call->self);
  Call inner = {.args = &v, .positional = 1, .span = call->span};
  return b_len(t, &inner, out);
}

static bool held_iter(Tracer *t, const Call *call, Value *out)
{
  return op_iterate(t, value_unwrap(call->self), call->span, out);
}

static bool held_add(Tracer *t, const Call *call, Value *out)
{
  return op_binary(t, OPERATOR_Add, value_unwrap(call->self), value_unwrap(ARG(0)), call->span, out);
}

static bool held_sub(Tracer *t, const Call *call, Value *out)
{
  return op_binary(t, OPERATOR_Sub, value_unwrap(call->self), value_unwrap(ARG(0)), call->span, out);
}

static bool held_mul(Tracer *t, const Call *call, Value *out)
{
  return op_binary(t, OPERATOR_Mult, value_unwrap(call->self), value_unwrap(ARG(0)), call->span, out);
}

static bool held_lt(Tracer *t, const Call *call, Value *out)
{
  return op_compare(t, CMP_OP_Lt, value_unwrap(call->self), value_unwrap(ARG(0)), call->span, out);
}

static bool held_init(Tracer *t, const Call *call, Value *out)
{
  Value held = value_unwrap(call->self);
  *out = value_none();
  if (call->positional == 0)
    return true;
  if (held.tag == VALUE_LIST) {
    held.list->count = 0;
    return op_collect(t, call->args[0], call->span, held.list);
  }
  if (held.tag == VALUE_DICT)
    return dict_fill(t, held.dict, call->args[0], call->span);
  if (held.tag == VALUE_SET)
    return set_fill(t, held.dict, call->args[0], call->span);
  return true;
}

static const NativeMethod held_methods[] = {
  {"__getitem__", held_getitem, "key /"}, {"__setitem__", held_setitem, "key value /"},
  {"__delitem__", held_delitem, "key /"}, {"__contains__", held_contains, "key /"}, {"__len__", held_len, ""},
  {"__iter__", held_iter, ""}, {"__add__", held_add, "value /"}, {"__mul__", held_mul, "value /"},
  {"__lt__", held_lt, "value /"}, {"__repr__", held_repr, ""}, {"__init__", held_init, NULL},
  {"__eq__", o_eq, "value /"}, {NULL, NULL, NULL},
};
static const NativeMethod number_methods[] = {
  {"__add__", held_add, "value /"}, {"__sub__", held_sub, "value /"}, {"__mul__", held_mul, "value /"},
  {"__lt__", held_lt, "value /"}, {"__repr__", held_repr, ""}, {"__eq__", o_eq, "value /"}, {NULL, NULL, NULL},
};

static bool o_format(Tracer *t, const Call *call, Value *out)
{
  Value args[2] = {call->self, ARG(0)};
  Call inner = {.args = args, .positional = 2, .span = call->span};
  return b_format(t, &inner, out);
}

static bool o_str(Tracer *t, const Call *call, Value *out)
{
  StrBuf text = strbuf_new(&t->arena);
  if (!op_str(t, call->self, call->span, &text))
    return false;
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static const NativeMethod object_methods[] = {
  {"__init__", o_init, NULL}, {"__setattr__", o_setattr, "name value /"}, {"__getattribute__", o_getattribute, "name /"},
  {"__repr__", o_repr, ""}, {"__str__", o_str, ""}, {"__eq__", o_eq, "other /"}, {"__hash__", o_hash, ""},
  {"__format__", o_format, "spec /"}, {NULL, NULL, NULL},
};
static const NativeMethod exception_methods[] = {
  {"__init__", exception_init, NULL}, {"__str__", exception_str, ""}, {NULL, NULL, NULL},
};

static bool c_type(Tracer *t, const Call *call, Value *out)
{
  if (!HAS(1)) {
    *out = value_class(value_class_of(t, ARG(0)));
    return true;
  }
  const Value *items;
  size_t count;
  if (ARG(0).tag != VALUE_STR || !value_sequence(ARG(1), &items, &count) || !HAS(2) || ARG(2).tag != VALUE_DICT)
    return RAISE(t, E_TYPE, call->span, "type() takes 1 or 3 arguments");
  Class **bases = arena_array(&t->arena, Class *, count);
  for (size_t i = 0; i < count; i++) {
    if (items[i].tag != VALUE_CLASS)
      return RAISE(t, E_TYPE, call->span, "bases must be types");
    bases[i] = items[i].class;
  }
  AttrTable names = {0};
  const Dict *dict = ARG(2).dict;
  for (uint32_t i = 0; i < dict->used; i++)
    if (dict->entries[i].key.tag == VALUE_STR)
      attr_set(&t->arena, &names, string_name(t, dict->entries[i].key.string), dict->entries[i].value);
  return class_make(t, string_name(t, ARG(0).string), bases, (uint32_t)count, &names, t->frame->module, call->span, out);
}

static bool c_bool(Tracer *t, const Call *call, Value *out)
{
  bool truth = false;
  if (HAS(0) && !op_truth(t, ARG(0), call->span, &truth))
    return false;
  *out = value_bool(truth);
  return true;
}

static bool c_int(Tracer *t, const Call *call, Value *out)
{
  if (!HAS(0)) {
    *out = value_int(0);
    return true;
  }
  Value v = ARG(0);
  if (v.tag == VALUE_INSTANCE) {
    const Name *names[] = {t->builtins->__int__, t->builtins->__index__, t->builtins->__trunc__};
    for (int i = 0; i < 3; i++) {
      Outcome outcome = call_special(t, v, names[i], NULL, 0, call->span, out);
      if (outcome != OUTCOME_MISSING)
        return outcome == OUTCOME_OK;
    }
  }
  v = value_unwrap(v);
  if (v.tag == VALUE_STR || v.tag == VALUE_BYTES) {
    int64_t base = 10;
    if (HAS(1) && !op_index(t, ARG(1), call->span, &base))
      return false;
    if (base != 0 && (base < 2 || base > 36))
      return RAISE(t, E_VALUE, call->span, "int() base must be >= 2 and <= 36, or 0");
    if (int_from_text(t, v.string->text, (int)base, out))
      return true;
    StrBuf text = strbuf_new(&t->arena);
    if (!op_repr(t, v, call->span, &text))
      return false;
    return RAISE(t, E_VALUE, call->span, "invalid literal for int() with base %d: %s", (int)base, strbuf_cstr(&text));
  }
  if (HAS(1))
    return RAISE(t, E_TYPE, call->span, "int() can't convert non-string with explicit base");
  if (value_is_int(v)) {
    *out = v.tag == VALUE_BOOL ? value_int(v.integer) : v;
    return true;
  }
  if (v.tag == VALUE_FLOAT)
    return float_to_int(t, v.real, call->span, out);
  if (v.tag == VALUE_OPAQUE)
    return raise_opaque(t, v, call->span, "converted to an int");
  return RAISE(t, value_is_native(v) && v.object->type->runtime_truth ? E_RUNTIME_VALUE : E_TYPE, call->span,
               "int() argument must be a string, a bytes-like object or a real number, not '%s'",
               value_type_name(t, ARG(0)));
}

static bool c_float(Tracer *t, const Call *call, Value *out)
{
  if (!HAS(0)) {
    *out = value_float(0);
    return true;
  }
  Value v = ARG(0);
  if (v.tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, v, t->builtins->__float__, NULL, 0, call->span, out);
    if (outcome == OUTCOME_MISSING && (outcome = call_special(t, v, t->builtins->__index__, NULL, 0, call->span, out)) == OUTCOME_OK)
      v = *out;
    else if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  v = value_unwrap(v);
  double d;
  if (v.tag == VALUE_STR) {
    if (!float_from_text(v.string->text, &d)) {
      StrBuf text = strbuf_new(&t->arena);
      if (!op_repr(t, v, call->span, &text))
        return false;
      return RAISE(t, E_VALUE, call->span, "could not convert string to float: %s", strbuf_cstr(&text));
    }
  } else if (value_is_int(v)) {
    if (!int_to_double(t, v, call->span, &d))
      return false;
  } else if (v.tag == VALUE_FLOAT) {
    d = v.real;
  } else if (v.tag == VALUE_OPAQUE) {
    return raise_opaque(t, v, call->span, "converted to a float");
  } else {
    return RAISE(t, E_TYPE, call->span, "float() argument must be a string or a real number, not '%s'",
                 value_type_name(t, ARG(0)));
  }
  *out = value_float(d);
  return true;
}

static bool c_str(Tracer *t, const Call *call, Value *out)
{
  StrBuf text = strbuf_new(&t->arena);
  if (HAS(0) && ARG(0).tag == VALUE_STR) {
    *out = ARG(0);
    return true;
  }
  if (HAS(0) && ARG(0).tag == VALUE_BYTES && HAS(1)) {
    *out = value_str(t, ARG(0).string->text);
    return true;
  }
  if (HAS(0) && !op_str(t, ARG(0), call->span, &text))
    return false;
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool c_bytes(Tracer *t, const Call *call, Value *out)
{
  if (HAS(0) && (ARG(0).tag == VALUE_STR || ARG(0).tag == VALUE_BYTES)) {
    *out = value_bytes(t, ARG(0).string->text);
    return true;
  }
  StrBuf text = strbuf_new(&t->arena);
  int64_t count;
  if (HAS(0) && value_as_int(ARG(0), &count)) {
    if (count < 0)
      return RAISE(t, E_VALUE, call->span, "negative count");
    for (int64_t i = 0; i < count && i < 100000000; i++)
      strbuf_putc(&text, 0);
  } else if (HAS(0)) {
    List items = {0};
    if (!op_collect(t, ARG(0), call->span, &items))
      return false;
    for (size_t i = 0; i < items.count; i++) {
      int64_t byte;
      if (!op_index(t, items.items[i], call->span, &byte))
        return false;
      if (byte < 0 || byte > 255)
        return RAISE(t, E_VALUE, call->span, "bytes must be in range(0, 256)");
      strbuf_putc(&text, (char)byte);
    }
  }
  *out = value_bytes(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

static bool c_list(Tracer *t, const Call *call, Value *out)
{
  Value list = value_list(t, NULL, 0);
  *out = list;
  return !HAS(0) || op_collect(t, ARG(0), call->span, list.list);
}

static bool c_tuple(Tracer *t, const Call *call, Value *out)
{
  List list = {0};
  if (HAS(0) && ARG(0).tag == VALUE_TUPLE) {
    *out = ARG(0);
    return true;
  }
  if (HAS(0) && !op_collect(t, ARG(0), call->span, &list))
    return false;
  *out = value_tuple(t, list.items, list.count);
  return true;
}

static bool c_dict(Tracer *t, const Call *call, Value *out)
{
  Value dict = value_dict(t);
  *out = dict;
  return (!HAS(0) || dict_fill(t, dict.dict, ARG(0), call->span)) && dict_fill(t, dict.dict, ARG(1), call->span);
}

static bool c_defaultdict(Tracer *t, const Call *call, Value *out)
{
  Value dict = value_dict(t);
  dict.dict->default_factory = HAS(0) ? ARG(0) : value_none();
  *out = dict;
  return (!HAS(1) || dict_fill(t, dict.dict, ARG(1), call->span)) && dict_fill(t, dict.dict, ARG(2), call->span);
}

// OrderedDict and Counter are instances that hold a dict.
static bool c_ordered_dict(Tracer *t, const Call *call, Value *out)
{
  *out = instance_new(t, call->self.class);
  out->instance->held = value_dict(t);
  Dict *dict = out->instance->held.dict;
  return (!HAS(0) || dict_fill(t, dict, ARG(0), call->span)) && dict_fill(t, dict, ARG(1), call->span);
}

static bool c_counter(Tracer *t, const Call *call, Value *out)
{
  *out = instance_new(t, call->self.class);
  out->instance->held = value_dict(t);
  Dict *dict = out->instance->held.dict;
  return (!HAS(0) || ARG(0).tag == VALUE_NONE || counter_fill(t, dict, ARG(0), call->span)) &&
         counter_fill(t, dict, ARG(1), call->span);
}

static bool c_set(Tracer *t, const Call *call, Value *out)
{
  Value set = value_set(t, false);
  *out = set;
  return !HAS(0) || set_fill(t, set.dict, ARG(0), call->span);
}

static bool c_frozenset(Tracer *t, const Call *call, Value *out)
{
  Value set = value_set(t, true);
  *out = set;
  return !HAS(0) || set_fill(t, set.dict, ARG(0), call->span);
}

static bool c_range(Tracer *t, const Call *call, Value *out)
{
  int64_t start = 0, stop, step = 1;
  if (!op_index(t, ARG(0), call->span, &stop))
    return false;
  if (HAS(1)) {
    start = stop;
    if (!op_index(t, ARG(1), call->span, &stop))
      return false;
  }
  if (HAS(2) && !op_index(t, ARG(2), call->span, &step))
    return false;
  if (step == 0)
    return RAISE(t, E_VALUE, call->span, "range() arg 3 must not be zero");
  *out = value_range(t, start, stop, step);
  return true;
}

static bool c_slice(Tracer *t, const Call *call, Value *out)
{
  Value start = value_none(), stop = ARG(0), step = HAS(2) ? ARG(2) : value_none();
  if (HAS(1)) {
    start = ARG(0);
    stop = ARG(1);
  }
  *out = value_slice(t, start, stop, step);
  return true;
}

static bool c_property(Tracer *t, const Call *call, Value *out)
{
  Descriptor *property = arena_new(&t->arena, Descriptor);
  *property = (Descriptor){{&property_type}, ARG(0), ARG(1), ARG(2)};
  for (int i = 0; i < 3; i++) {
    Value *part = i == 0 ? &property->get : i == 1 ? &property->set : &property->remove;
    if (part->tag == VALUE_NONE)
      *part = value_undefined();
  }
  *out = value_object(VALUE_OBJECT, &property->head);
  return true;
}

static bool wrap(Tracer *t, const Call *call, const NativeType *type, Value *out)
{
  Descriptor *descriptor = arena_new(&t->arena, Descriptor);
  *descriptor = (Descriptor){.head = {type}, .get = ARG(0)};
  *out = value_object(VALUE_OBJECT, &descriptor->head);
  return true;
}

static bool c_staticmethod(Tracer *t, const Call *call, Value *out) { return wrap(t, call, &staticmethod_type, out); }
static bool c_classmethod(Tracer *t, const Call *call, Value *out) { return wrap(t, call, &classmethod_type, out); }

static bool c_super(Tracer *t, const Call *call, Value *out)
{
  if (!HAS(0) || ARG(0).tag != VALUE_CLASS || !HAS(1))
    return RAISE(t, E_RUNTIME, call->span, "super(): no arguments");
  SuperObject *object = arena_new(&t->arena, SuperObject);
  *object = (SuperObject){{&super_type}, ARG(0).class, ARG(1)};
  *out = value_object(VALUE_OBJECT, &object->head);
  return true;
}

static bool c_auto(Tracer *t, const Call *call, Value *out)
{
  (void)call;
  NativeObject *object = arena_new(&t->arena, NativeObject);
  object->type = &auto_type;
  *out = value_object(VALUE_OBJECT, object);
  return true;
}

static bool type_mro(Tracer *t, const Call *call, Value *out)
{
  Value list = value_list(t, NULL, 0);
  for (uint32_t i = 0; i < call->self.class->mro_count; i++)
    list_push(t, list.list, value_class(call->self.class->mro[i]));
  *out = list;
  return true;
}

static const NativeMethod type_methods[] = {{"mro", type_mro, ""}, {NULL, NULL, NULL}};

static bool nt_replace(Tracer *t, const Call *call, Value *out)
{
  const Class *class = call->self.instance->class;
  const Tuple *old = call->self.instance->held.tuple;
  Value tuple = value_tuple(t, old->items, old->count);
  for (uint32_t k = 0; k < call->keyword_count; k++) {
    size_t i = 0;
    while (i < class->fields.count && class->fields.items[i].name != call->keywords[k])
      i++;
    if (i == class->fields.count)
      return RAISE(t, E_VALUE, call->span, "Got unexpected field names: ['%s']", call->keywords[k]->str.data);
    tuple.tuple->items[i] = call->args[call->positional + k];
  }
  *out = instance_new(t, call->self.instance->class);
  out->instance->held = tuple;
  return true;
}

static bool nt_asdict(Tracer *t, const Call *call, Value *out)
{
  *out = value_dict(t);
  const Class *class = call->self.instance->class;
  for (size_t i = 0; i < class->fields.count; i++)
    if (!dict_set(t, out->dict, value_name(t, class->fields.items[i].name), call->self.instance->held.tuple->items[i]))
      return false;
  return true;
}

const NativeMethod named_tuple_methods[] = {
  {"_replace", nt_replace, NULL}, {"_asdict", nt_asdict, ""}, {NULL, NULL, NULL},
};

typedef struct ClassRow {
  const char *name;
  ValueTag holds;
  const NativeMethod *methods;
  NativeFn *construct;
  const char *signature;
  uint32_t flags;
  bool hidden;  // not among the builtins
} ClassRow;

static const ClassRow class_rows[] = {
  {"object", VALUE_UNDEFINED, object_methods, c_object, "", 0, false},
  {"type", VALUE_UNDEFINED, type_methods, c_type, "object bases? dict? /", 0, false},
  {"int", VALUE_INT, int_methods, c_int, "x? / base?", 0, false},
  {"bool", VALUE_BOOL, NULL, c_bool, "x? /", 0, false},
  {"float", VALUE_FLOAT, float_methods, c_float, "x? /", 0, false},
  {"str", VALUE_STR, str_methods, c_str, "object? encoding? errors?", 0, false},
  {"bytes", VALUE_BYTES, bytes_methods, c_bytes, "source? encoding?", 0, false},
  {"tuple", VALUE_TUPLE, tuple_methods, c_tuple, "iterable? /", 0, false},
  {"list", VALUE_LIST, list_methods, c_list, "iterable? /", 0, false},
  {"dict", VALUE_DICT, dict_methods, c_dict, "source? / **items", 0, false},
  {"set", VALUE_SET, set_methods, c_set, "iterable? /", 0, false},
  {"frozenset", VALUE_FROZENSET, set_methods, c_frozenset, "iterable? /", 0, false},
  {"range", VALUE_UNDEFINED, range_methods, c_range, "start stop? step? /", 0, false},
  {"slice", VALUE_UNDEFINED, slice_methods, c_slice, "start stop? step? /", 0, false},
  {"enumerate", VALUE_UNDEFINED, NULL, c_enumerate, "iterable start?", 0, false},
  {"zip", VALUE_UNDEFINED, NULL, c_zip, "*iterables strict?", 0, false},
  {"map", VALUE_UNDEFINED, NULL, c_map, "func / *iterables", 0, false},
  {"filter", VALUE_UNDEFINED, NULL, c_filter, "function iterable /", 0, false},
  {"reversed", VALUE_UNDEFINED, NULL, c_reversed, "sequence /", 0, false},
  {"property", VALUE_UNDEFINED, NULL, c_property, "fget? fset? fdel? doc?", 0, false},
  {"staticmethod", VALUE_UNDEFINED, NULL, c_staticmethod, "function /", 0, false},
  {"classmethod", VALUE_UNDEFINED, NULL, c_classmethod, "function /", 0, false},
  {"super", VALUE_UNDEFINED, NULL, c_super, "type? object? /", 0, false},
  {"NoneType", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"ellipsis", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"NotImplementedType", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"function", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"method", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"builtin_function_or_method", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"module", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"iterator", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"opaque", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"dict_keys", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"dict_values", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"dict_items", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"Enum", VALUE_UNDEFINED, NULL, NULL, NULL, CLASS_ENUM, true},
  {"Flag", VALUE_UNDEFINED, NULL, NULL, NULL, CLASS_ENUM | CLASS_FLAG, true},
  {"NamedTuple", VALUE_TUPLE, named_tuple_methods, NULL, NULL, CLASS_NAMED_TUPLE, true},
  {"NKIObject", VALUE_UNDEFINED, NULL, NULL, NULL, CLASS_NKI_OBJECT, true},
  {"auto", VALUE_UNDEFINED, NULL, c_auto, NULL, 0, true},
  {"field", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"defaultdict", VALUE_UNDEFINED, NULL, c_defaultdict, "default_factory? source? / **items", 0, true},
  {"OrderedDict", VALUE_UNDEFINED, NULL, c_ordered_dict, "source? / **items", 0, true},
  {"Counter", VALUE_UNDEFINED, counter_methods, c_counter, "source? / **items", 0, true},
  {"ABC", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"TypedDict", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"Protocol", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"Generic", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
  {"partial", VALUE_UNDEFINED, NULL, NULL, NULL, 0, true},
};

// Base after class; Exception where none is named. In order, so that bases exist.
static const struct {
  const char *name, *base;
} exceptions[] = {
  {"BaseException", NULL}, {"SystemExit", "BaseException"}, {"KeyboardInterrupt", "BaseException"},
  {"GeneratorExit", "BaseException"}, {"Exception", "BaseException"}, {"ArithmeticError", "Exception"},
  {"ZeroDivisionError", "ArithmeticError"}, {"OverflowError", "ArithmeticError"},
  {"FloatingPointError", "ArithmeticError"}, {"AssertionError", "Exception"}, {"AttributeError", "Exception"},
  {"BufferError", "Exception"}, {"EOFError", "Exception"}, {"ImportError", "Exception"},
  {"ModuleNotFoundError", "ImportError"}, {"LookupError", "Exception"}, {"IndexError", "LookupError"},
  {"KeyError", "LookupError"}, {"MemoryError", "Exception"}, {"NameError", "Exception"},
  {"UnboundLocalError", "NameError"}, {"OSError", "Exception"}, {"FileNotFoundError", "OSError"},
  {"FileExistsError", "OSError"}, {"PermissionError", "OSError"}, {"TimeoutError", "OSError"},
  {"RuntimeError", "Exception"}, {"NotImplementedError", "RuntimeError"}, {"RecursionError", "RuntimeError"},
  {"StopIteration", "Exception"}, {"StopAsyncIteration", "Exception"}, {"SyntaxError", "Exception"},
  {"IndentationError", "SyntaxError"}, {"SystemError", "Exception"}, {"TypeError", "Exception"},
  {"ValueError", "Exception"}, {"UnicodeError", "ValueError"}, {"UnicodeDecodeError", "UnicodeError"},
  {"UnicodeEncodeError", "UnicodeError"}, {"Warning", "Exception"}, {"DeprecationWarning", "Warning"},
  {"UserWarning", "Warning"}, {"RuntimeWarning", "Warning"}, {"FutureWarning", "Warning"},
  {"SyntaxWarning", "Warning"}, {"PendingDeprecationWarning", "Warning"}, {"ResourceWarning", "Warning"},
};

static Class *known_class(Tracer *t, const char *name)
{
  Value *value = attr_find(&t->builtin_names, tracer_name(t, name));
  if (!value)
    value = attr_find(&t->hidden_names, tracer_name(t, name));
  return value ? value->class : NULL;
}

static Class *add_class(Tracer *t, const char *name, Class **bases, uint32_t base_count, uint32_t flags, bool hidden)
{
  Class *class = class_new(t, name, flags | CLASS_BUILTIN);
  class->bases = arena_array(&t->arena, Class *, base_count + 1);
  for (uint32_t i = 0; i < base_count; i++)
    class->bases[i] = bases[i];
  class->base_count = base_count;
  class_mro(t, class, (Span){0});
  attr_set(&t->arena, hidden ? &t->hidden_names : &t->builtin_names, class->name, value_class(class));
  return class;
}

static void add_classes(Tracer *t)
{
  Class *object = NULL;
  for (size_t i = 0; i < sizeof class_rows / sizeof *class_rows; i++) {
    const ClassRow *row = &class_rows[i];
    Class *base = strcmp(row->name, "bool") == 0 ? known_class(t, "int") : object;
    if (strcmp(row->name, "defaultdict") == 0 || strcmp(row->name, "OrderedDict") == 0 || strcmp(row->name, "Counter") == 0)
      base = known_class(t, "dict");
    if (strcmp(row->name, "NamedTuple") == 0)
      base = known_class(t, "tuple");
    if (strcmp(row->name, "Flag") == 0)
      base = known_class(t, "Enum");
    Class *class = add_class(t, row->name, &base, base ? 1 : 0, row->flags, row->hidden);
    if (!object)
      object = class;
    class->holds = row->holds;
    class->construct = row->construct;
    class->construct_signature = native_signature(t, row->signature);
    if (base && base->holds == VALUE_DICT)
      class->holds = VALUE_DICT;
    if (row->holds == VALUE_LIST || row->holds == VALUE_DICT || row->holds == VALUE_SET || row->holds == VALUE_TUPLE ||
        row->holds == VALUE_STR)
      class_add_methods(t, class, held_methods);
    if (row->holds == VALUE_INT || row->holds == VALUE_FLOAT)
      class_add_methods(t, class, number_methods);
    if (row->methods)
      class_add_methods(t, class, row->methods);
  }
  Class *bases[2] = {known_class(t, "int"), known_class(t, "Enum")};
  add_class(t, "IntEnum", bases, 2, CLASS_ENUM, true)->holds = VALUE_INT;
  bases[1] = known_class(t, "Flag");
  add_class(t, "IntFlag", bases, 2, CLASS_ENUM | CLASS_FLAG, true)->holds = VALUE_INT;
  bases[0] = known_class(t, "str");
  bases[1] = known_class(t, "Enum");
  add_class(t, "StrEnum", bases, 2, CLASS_ENUM, true)->holds = VALUE_STR;
  for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++) {
    Class *base = exceptions[i].base ? known_class(t, exceptions[i].base) : object;
    add_class(t, exceptions[i].name, &base, 1, CLASS_EXCEPTION, false);
  }
  class_add_methods(t, known_class(t, "BaseException"), exception_methods);
  Class *base = known_class(t, "AttributeError");
  add_class(t, "FrozenInstanceError", &base, 1, CLASS_EXCEPTION, true);
}

static void add_constants(Tracer *t)
{
  AttrTable *names = &t->builtin_names;
  attr_set(&t->arena, names, tracer_name(t, "NotImplemented"), (Value){.tag = VALUE_NOT_IMPLEMENTED});
  attr_set(&t->arena, names, tracer_name(t, "Ellipsis"), (Value){.tag = VALUE_ELLIPSIS});
  attr_set(&t->arena, names, tracer_name(t, "__debug__"), value_bool(true));
  for (const NativeMethod *f = functions; f->name; f++)
    attr_set(&t->arena, names, tracer_name(t, f->name),
             value_builtin(t, f->name, f->function, f->signature, value_undefined()));
  attr_set(&t->arena, names, tracer_name(t, "IOError"), value_class(known_class(t, "OSError")));
  attr_set(&t->arena, names, tracer_name(t, "EnvironmentError"), value_class(known_class(t, "OSError")));
}

void builtins_init(Tracer *t)
{
  Builtins *b = t->builtins = arena_new(&t->arena, Builtins);
#define X(name) b->name = tracer_name(t, #name);
  DUNDERS(X)
#undef X
  add_classes(t);
#define X(name) b->class_##name = known_class(t, #name);
  BUILTIN_CLASSES(X)
#undef X
  add_constants(t);
  // `object.__new__(cls)` and, through super(), that of built-in bases.
  Value make = value_builtin(t, "__new__", o_new, NULL, value_undefined());
  make.builtin->is_method = true;
  attr_set(&t->arena, &b->class_object->attrs, b->__new__, make);
  Value fromkeys = value_builtin(t, "fromkeys", m_dict_fromkeys, "iterable value? /", value_undefined());
  attr_set(&t->arena, &b->class_dict->attrs, tracer_name(t, "fromkeys"), fromkeys);
  Value *maketrans = attr_find(&b->class_str->attrs, tracer_name(t, "maketrans"));
  maketrans->builtin->is_method = false;
}
