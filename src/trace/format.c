// format.c -- format specifications, `%`, and str.format.

#include "base/number_text.h"
#include "trace/eval_internal.h"
#include "trace/methods.h"
#include "trace/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// [[fill]align][sign][z][#][0][width][grouping][.precision][type]
typedef struct Spec {
  char fill[5];
  char align, sign, grouping, type;
  bool alternate, zero, no_negative_zero;
  int64_t width, precision;  // -1: none
} Spec;

static bool is_align(char c)
{
  return c == '<' || c == '>' || c == '=' || c == '^';
}

static bool parse_number(const char **at, const char *end, int64_t *out)
{
  if (*at == end || **at < '0' || **at > '9')
    return false;
  int64_t value = 0;
  while (*at < end && **at >= '0' && **at <= '9' && value < 1000000000)
    value = value * 10 + (*(*at)++ - '0');
  *out = value;
  return true;
}

static bool parse_spec(Tracer *t, Str text, const char *type_name, Span span, Spec *spec)
{
  *spec = (Spec){.fill = " ", .width = -1, .precision = -1};
  const char *at = text.data, *end = text.data + text.len;
  uint32_t c;
  size_t first = at < end ? utf8_decode(at, end, &c) : 0;
  if (first && at + first < end && is_align(at[first])) {
    memcpy(spec->fill, at, first);
    spec->fill[first] = 0;
    spec->align = at[first];
    at += first + 1;
  } else if (at < end && is_align(*at)) {
    spec->align = *at++;
  }
  if (at < end && (*at == '+' || *at == '-' || *at == ' '))
    spec->sign = *at++;
  if (at < end && *at == 'z')
    spec->no_negative_zero = true, at++;
  if (at < end && *at == '#')
    spec->alternate = true, at++;
  if (at < end && *at == '0') {
    spec->zero = true, at++;
    if (!spec->align) {
      strcpy(spec->fill, "0");
      spec->align = '=';
    }
  }
  parse_number(&at, end, &spec->width);
  if (at < end && (*at == ',' || *at == '_'))
    spec->grouping = *at++;
  if (at < end && *at == '.') {
    at++;
    if (!parse_number(&at, end, &spec->precision))
      return RAISE(t, E_VALUE, span, "Format specifier missing precision");
  }
  if (spec->width > 100000000 || spec->precision > 100000000)
    return RAISE(t, E_VALUE, span, "Too many decimal digits in format string");
  if (at < end)
    spec->type = *at++;
  if (at < end)
    return RAISE(t, E_VALUE, span, "Invalid format specifier '%.*s' for object of type '%s'", STR_ARG(text), type_name);
  return true;
}

static void pad(StrBuf *out, const Spec *spec, Str text, char default_align, size_t sign_len)
{
  int64_t missing = spec->width - (int64_t)utf8_count(text);
  char align = spec->align ? spec->align : default_align;
  if (missing < 0)
    missing = 0;
  int64_t before = align == '>' ? missing : align == '^' ? missing / 2 : 0;
  if (align == '=') {
    strbuf_add(out, text.data, sign_len);
    for (int64_t i = 0; i < missing; i++)
      strbuf_puts(out, spec->fill);
    strbuf_add(out, text.data + sign_len, text.len - sign_len);
    return;
  }
  for (int64_t i = 0; i < before; i++)
    strbuf_puts(out, spec->fill);
  strbuf_add(out, text.data, text.len);
  for (int64_t i = before; i < missing; i++)
    strbuf_puts(out, spec->fill);
}

static bool format_text(Tracer *t, Str text, const Spec *spec, Span span, StrBuf *out)
{
  if (spec->type && spec->type != 's')
    return RAISE(t, E_VALUE, span, "Unknown format code '%c' for object of type 'str'", spec->type);
  if (spec->sign)
    return RAISE(t, E_VALUE, span, "Sign not allowed in string format specifier");
  if (spec->align == '=' && !spec->zero)
    return RAISE(t, E_VALUE, span, "'=' alignment not allowed in string format specifier");
  if (spec->grouping)
    return RAISE(t, E_VALUE, span, "Cannot specify '%c' with 's'.", spec->grouping);
  if (spec->precision >= 0 && (size_t)spec->precision < utf8_count(text)) {
    size_t len = 0;
    for (int64_t count = 0; len < text.len; len++)
      if (((unsigned char)text.data[len] & 0xC0) != 0x80 && count++ == spec->precision)
        break;
    text.len = len;
  }
  Spec copy = *spec;
  if (copy.align == '=')
    copy.align = '<';
  pad(out, &copy, text, '<', 0);
  return true;
}

// Digits with separators; zero padding counts towards `width` and gets separators too.
static void group(StrBuf *out, Str digits, char separator, int every, int64_t least_len)
{
  size_t count = digits.len;
  int64_t total = (int64_t)count + ((int64_t)count - 1) / every;
  size_t zeros = 0;
  while (total < least_len) {
    zeros++;
    int64_t all = (int64_t)(count + zeros);
    total = all + (all - 1) / every;
  }
  size_t all = count + zeros;
  for (size_t i = 0; i < all; i++) {
    if (i && (all - i) % (size_t)every == 0)
      strbuf_putc(out, separator);
    strbuf_putc(out, i < zeros ? '0' : digits.data[i - zeros]);
  }
}

// sign, prefix, integer digits, rest -> padded result.
static void assemble(Tracer *t, const Spec *spec, bool negative, const char *prefix, Str digits, Str rest, int every,
                     StrBuf *out)
{
  StrBuf text = strbuf_new(&t->arena);
  if (negative)
    strbuf_putc(&text, '-');
  else if (spec->sign == '+' || spec->sign == ' ')
    strbuf_putc(&text, spec->sign);
  strbuf_puts(&text, prefix);
  size_t head = text.len;
  if (spec->grouping) {
    bool zero_fill = spec->align == '=' && strcmp(spec->fill, "0") == 0;
    group(&text, digits, spec->grouping, every, zero_fill ? spec->width - (int64_t)head - (int64_t)rest.len : 0);
  } else {
    strbuf_add(&text, digits.data, digits.len);
  }
  strbuf_add(&text, rest.data, rest.len);
  pad(out, spec, strbuf_str(&text), '>', head);
}

static bool format_float(Tracer *t, double value, const Spec *spec, const char *type_name, Span span, StrBuf *out);

static bool format_int(Tracer *t, Value value, const Spec *spec, Span span, StrBuf *out)
{
  int base = 10;
  const char *prefix = "";
  switch (spec->type) {
  case 0:
  case 'd':
  case 'n': break;
  case 'b': base = 2, prefix = "0b"; break;
  case 'o': base = 8, prefix = "0o"; break;
  case 'x': base = 16, prefix = "0x"; break;
  case 'X': base = 16, prefix = "0X"; break;
  case 'c': {
    char text[4];
    if (value.tag == VALUE_BIG_INT)
      return RAISE(t, E_OVERFLOW, span, "Python int too large to convert to C long");
    if (value.tag != VALUE_INT || value.integer < 0 || value.integer > 0x10FFFF)
      return RAISE(t, E_OVERFLOW, span, "%%c arg not in range(0x110000)");
    Spec copy = *spec;
    copy.type = 0;
    pad(out, &copy, (Str){text, utf8_put((uint32_t)value.integer, text)}, '<', 0);
    return true;
  }
  case 'e': case 'E': case 'f': case 'F': case 'g': case 'G': case '%': {
    double d;
    return int_to_double(t, value, span, &d) && format_float(t, d, spec, "int", span, out);
  }
  default: return RAISE(t, E_VALUE, span, "Unknown format code '%c' for object of type 'int'", spec->type);
  }
  if (spec->precision >= 0)
    return RAISE(t, E_VALUE, span, "Precision not allowed in integer format specifier");
  if (spec->grouping == ',' && base != 10)
    return RAISE(t, E_VALUE, span, "Cannot specify ',' with '%c'.", spec->type);
  StrBuf digits = strbuf_new(&t->arena);
  if (!int_add_text(t, value, base, span, &digits))
    return false;
  Str text = strbuf_str(&digits);
  bool negative = text.data[0] == '-';
  text.data += negative, text.len -= negative;
  if (spec->type == 'X')
    for (size_t i = 0; i < text.len; i++)
      if (text.data[i] >= 'a')
        ((char *)text.data)[i] -= 32;
  assemble(t, spec, negative, spec->alternate ? prefix : "", text, STR(""), base == 10 ? 3 : 4, out);
  return true;
}

// The exponent of printf has at least two digits, as Python's has.
static char *print_double(Tracer *t, const char *format, int64_t precision, double magnitude)
{
  int needed = snprintf(NULL, 0, format, (int)precision, magnitude);
  char *text = arena_alloc(&t->arena, (size_t)needed + 1);
  snprintf(text, (size_t)needed + 1, format, (int)precision, magnitude);
  return text;
}

static char *float_digits(Tracer *t, double magnitude, const Spec *spec)
{
  bool alternate = spec->alternate;
  int64_t precision = spec->precision < 0 ? 6 : spec->precision;
  switch (spec->type) {
  case 'e': return print_double(t, alternate ? "%#.*e" : "%.*e", precision, magnitude);
  case 'E': return print_double(t, alternate ? "%#.*E" : "%.*E", precision, magnitude);
  case 'f':
  case 'F': return print_double(t, alternate ? "%#.*f" : "%.*f", precision, magnitude);
  case '%': return print_double(t, "%.*f%%", precision, magnitude * 100);
  case 'g':
  case 'n': return print_double(t, alternate ? "%#.*g" : "%.*g", precision, magnitude);
  case 'G': return print_double(t, alternate ? "%#.*G" : "%.*G", precision, magnitude);
  default: break;
  }
  if (spec->precision < 0) {
    StrBuf text = strbuf_new(&t->arena);
    number_add_repr(&text, magnitude);
    return (char *)strbuf_cstr(&text);
  }
  // Without a type: like 'g', but at least one digit follows the point, and the exponent form begins one digit earlier.
  precision = spec->precision ? spec->precision : 1;
  char *text = print_double(t, "%.*g", precision, magnitude);
  int exponent = 0;
  char *scientific = print_double(t, "%.*e", precision - 1, magnitude), *e = strchr(scientific, 'e');
  if (e)
    exponent = atoi(e + 1);
  if (e && exponent >= precision - 1 && precision <= 17 && exponent == precision - 1) {
    // 'g' shows an integer here; Python switches to the exponent form.
    char *mantissa_end = e;
    while (mantissa_end > scientific && mantissa_end[-1] == '0')
      mantissa_end--;
    if (mantissa_end > scientific && mantissa_end[-1] == '.')
      mantissa_end--;
    if (!strchr(scientific, '.'))
      mantissa_end = e;
    return arena_printf(&t->arena, "%.*s%s", (int)(mantissa_end - scientific), scientific, e);
  }
  if (!strchr(text, '.') && !strchr(text, 'e') && text[0] >= '0' && text[0] <= '9')
    return arena_printf(&t->arena, "%s.0", text);
  return text;
}

static bool format_float(Tracer *t, double value, const Spec *spec, const char *type_name, Span span, StrBuf *out)
{
  if (spec->type && !strchr("eEfFgGn%", spec->type))
    return RAISE(t, E_VALUE, span, "Unknown format code '%c' for object of type '%s'", spec->type, type_name);
  bool negative = signbit(value) && !isnan(value);
  char *text;
  if (!isfinite(value)) {
    bool upper = spec->type == 'E' || spec->type == 'F' || spec->type == 'G';
    text = arena_printf(&t->arena, "%s%s", isnan(value) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf"),
                        spec->type == '%' ? "%" : "");
  } else {
    text = float_digits(t, fabs(value), spec);
    if (spec->no_negative_zero && negative && strspn(text, "0.%") == strlen(text))
      negative = false;
  }
  size_t whole = strspn(text, "0123456789");
  if (whole == 0)
    whole = strlen(text);
  assemble(t, spec, negative, "", (Str){text, whole}, str_from(text + whole), 3, out);
  return true;
}

bool op_format(Tracer *t, Value value, Str text, Span span, StrBuf *out)
{
  if (value.tag == VALUE_INSTANCE) {
    Value spec = value_str(t, text), result;
    Outcome outcome = call_special(t, value, t->builtins->__format__, &spec, 1, span, &result);
    if (outcome == OUTCOME_ERROR)
      return false;
    if (outcome == OUTCOME_OK) {
      if (result.tag != VALUE_STR)
        return RAISE(t, E_TYPE, span, "__format__ must return a str, not %s", value_type_name(t, result));
      strbuf_add(out, result.string->text.data, result.string->text.len);
      return true;
    }
  }
  if (text.len == 0)
    return op_str(t, value, span, out);
  if (value.tag == VALUE_INSTANCE) {
    bool is_text = (value.instance->class->flags & CLASS_ENUM) != 0 && value_unwrap(value).tag != VALUE_INT;
    Value held = value_unwrap(value);
    if (is_text) {
      StrBuf shown = strbuf_new(&t->arena);
      if (!op_str(t, value, span, &shown))
        return false;
      held = value_str(t, strbuf_str(&shown));
    }
    value = held;
  }
  Spec spec;
  const char *type = value_type_name(t, value);
  switch ((ValueTag)value.tag) {
  case VALUE_BOOL:
  case VALUE_INT:
  case VALUE_BIG_INT:
    if (!parse_spec(t, text, type, span, &spec))
      return false;
    if (value.tag == VALUE_BOOL && !spec.type)  // bool has int's format
      return format_int(t, value_int(value.integer), &spec, span, out);
    return format_int(t, value.tag == VALUE_BOOL ? value_int(value.integer) : value, &spec, span, out);
  case VALUE_FLOAT:
    return parse_spec(t, text, type, span, &spec) && format_float(t, value.real, &spec, "float", span, out);
  case VALUE_STR:
    return parse_spec(t, text, type, span, &spec) && format_text(t, value.string->text, &spec, span, out);
  default: break;
  }
  if (value_is_native(value)) {
    StrBuf shown = strbuf_new(&t->arena);
    return op_str(t, value, span, &shown) && parse_spec(t, text, type, span, &spec) &&
           format_text(t, strbuf_str(&shown), &spec, span, out);
  }
  return RAISE(t, E_TYPE, span, "unsupported format string passed to %s.__format__", type);
}

// ---- the % operator

typedef struct Percent {
  Tracer *t;
  Span span;
  Value args;
  size_t next;
  bool is_tuple;
} Percent;

static bool next_arg(Percent *p, Value *out)
{
  if (p->is_tuple ? p->next < p->args.tuple->count : p->next == 0) {
    *out = p->is_tuple ? p->args.tuple->items[p->next] : p->args;
    p->next++;
    return true;
  }
  return RAISE(p->t, E_TYPE, p->span, "not enough arguments for format string");
}

static bool star(Percent *p, const char **at, const char *end, int64_t *out)
{
  if (*at < end && **at == '*') {
    ++*at;
    Value arg;
    if (!next_arg(p, &arg))
      return false;
    return value_as_int(arg, out) || RAISE(p->t, E_TYPE, p->span, "* wants int");
  }
  parse_number(at, end, out);
  return true;
}

static bool percent_number(Percent *p, Value value, Spec *spec, char type, StrBuf *out)
{
  Tracer *t = p->t;
  Value v = value_unwrap(value);
  if (type == 'i' || type == 'u')
    type = 'd';
  if (strchr("eEfFgG", type)) {
    double d;
    if (value_is_int(v)) {
      if (!int_to_double(t, v, p->span, &d))
        return false;
    } else if (v.tag == VALUE_FLOAT) {
      d = v.real;
    } else {
      return RAISE(t, E_TYPE, p->span, "must be real number, not %s", value_type_name(t, value));
    }
    spec->type = type;
    return format_float(t, d, spec, "float", p->span, out);
  }
  if (v.tag == VALUE_FLOAT && type == 'd') {
    if (!float_to_int(t, v.real, p->span, &v))
      return false;
  } else if (!value_is_int(v)) {
    return RAISE(t, E_TYPE, p->span, "%%%c format: %s is required, not %s", type,
                 type == 'd' ? "a real number" : "an integer", value_type_name(t, value));
  }
  StrBuf digits = strbuf_new(&t->arena);
  if (!int_add_text(t, v, type == 'd' ? 10 : type == 'o' ? 8 : 16, p->span, &digits))
    return false;
  Str text = strbuf_str(&digits);
  bool negative = text.data[0] == '-';
  text.data += negative, text.len -= negative;
  StrBuf padded = strbuf_new(&t->arena);
  for (int64_t i = (int64_t)text.len; i < spec->precision; i++)
    strbuf_putc(&padded, '0');
  for (size_t i = 0; i < text.len; i++)
    strbuf_putc(&padded, type == 'X' && text.data[i] >= 'a' ? (char)(text.data[i] - 32) : text.data[i]);
  const char *prefix = !spec->alternate ? "" : type == 'x' ? "0x" : type == 'X' ? "0X" : type == 'o' ? "0o" : "";
  assemble(t, spec, negative, prefix, strbuf_str(&padded), STR(""), 3, out);
  return true;
}

static bool percent_one(Percent *p, const char **at, const char *end, StrBuf *out)
{
  Tracer *t = p->t;
  Spec spec = {.fill = " ", .width = -1, .precision = -1};
  Value value = value_undefined();
  if (*at < end && **at == '(') {
    const char *start = ++*at;
    int depth = 1;
    while (*at < end && depth) {
      depth += (**at == '(') - (**at == ')');
      ++*at;
    }
    if (depth)
      return RAISE(t, E_VALUE, p->span, "incomplete format key");
    Value mapping = value_unwrap(p->args);
    if (mapping.tag != VALUE_DICT)
      return RAISE(t, E_TYPE, p->span, "format requires a mapping");
    if (!op_getitem(t, mapping, value_str(t, (Str){start, (size_t)(*at - start - 1)}), p->span, &value))
      return false;
    p->next = 1;
  }
  for (; *at < end && strchr("-+ #0", **at); ++*at) {
    if (**at == '-')
      spec.align = '<';
    else if (**at == '+')
      spec.sign = '+';
    else if (**at == ' ' && spec.sign != '+')
      spec.sign = ' ';
    else if (**at == '#')
      spec.alternate = true;
    else if (**at == '0')
      spec.zero = true;
  }
  if (!star(p, at, end, &spec.width))
    return false;
  if (spec.width < -1) {
    spec.align = '<';
    spec.width = -spec.width;
  }
  if (*at < end && **at == '.') {
    ++*at;
    spec.precision = 0;
    if (!star(p, at, end, &spec.precision))
      return false;
    if (spec.precision < 0)
      spec.precision = 0;
  }
  while (*at < end && strchr("hlL", **at))
    ++*at;
  if (*at == end)
    return RAISE(t, E_VALUE, p->span, "incomplete format");
  char type = *(*at)++;
  if (type == '%') {
    strbuf_putc(out, '%');
    return true;
  }
  if (!strchr("diuoxXeEfFgGcrsa", type))
    return RAISE(t, E_VALUE, p->span, "unsupported format character '%c' (0x%x) at index %d", type,
                 (unsigned)(unsigned char)type, 0);
  if (!value_is_set(value) && !next_arg(p, &value))
    return false;
  if (!strchr("crsa", type)) {
    if (spec.zero && !spec.align) {
      spec.align = '=';
      strcpy(spec.fill, "0");
    }
    return percent_number(p, value, &spec, type, out);
  }
  StrBuf text = strbuf_new(&t->arena);
  if (type == 'c') {
    Value v = value_unwrap(value);
    char encoded[4];
    if (v.tag == VALUE_INT && v.integer >= 0 && v.integer <= 0x10FFFF)
      strbuf_add(&text, encoded, utf8_put((uint32_t)v.integer, encoded));
    else if (v.tag == VALUE_STR && v.string->code_points == 1)
      strbuf_add(&text, v.string->text.data, v.string->text.len);
    else
      return RAISE(t, E_TYPE, p->span, "%%c requires int or char");
  } else if (!(type == 's' ? op_str : op_repr)(t, value, p->span, &text)) {
    return false;
  }
  Str shown = text.data ? strbuf_str(&text) : STR("");
  if (type == 'a')
    shown = ascii_text(t, shown);
  spec.type = 0;
  spec.sign = 0;
  if (!spec.align)
    spec.align = '>';
  return format_text(t, shown, &spec, p->span, out);
}


bool text_percent(Tracer *t, Str format, Value args, Span span, Value *out)
{
  Percent p = {.t = t, .span = span, .args = args, .is_tuple = args.tag == VALUE_TUPLE};
  StrBuf text = strbuf_new(&t->arena);
  strbuf_add(&text, "", 0);
  const char *at = format.data, *end = format.data + format.len;
  while (at < end) {
    if (*at != '%') {
      strbuf_putc(&text, *at++);
      continue;
    }
    at++;
    if (!percent_one(&p, &at, end, &text))
      return false;
  }
  bool unused = p.is_tuple ? p.next < args.tuple->count : p.next == 0 && value_unwrap(args).tag != VALUE_DICT;
  if (unused)
    return RAISE(t, E_TYPE, span, "not all arguments converted during string formatting");
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}

// ---- str.format

typedef struct Fields {
  Tracer *t;
  const Call *call;
  int64_t automatic;  // next automatic number; -1: numbered by hand
} Fields;

static bool field_value(Fields *f, Str name, Value *out)
{
  Tracer *t = f->t;
  const Call *call = f->call;
  size_t head = 0;
  while (head < name.len && name.data[head] != '.' && name.data[head] != '[')
    head++;
  Str first = {name.data, head};
  int64_t number = -1;
  const char *at = first.data;
  if (first.len == 0) {
    if (f->automatic < 0)
      return RAISE(t, E_VALUE, call->span,
                   "cannot switch from manual field specification to automatic field numbering");
    number = f->automatic++;
  } else if (parse_number(&at, first.data + first.len, &number) && at == first.data + first.len) {
    if (f->automatic > 0)
      return RAISE(t, E_VALUE, call->span,
                   "cannot switch from automatic field numbering to manual field specification");
    f->automatic = -1;
  } else {
    number = -1;
  }
  if (number >= 0) {
    if (number >= (int64_t)call->positional)
      return RAISE(t, E_INDEX, call->span, "Replacement index %lld out of range for positional args tuple",
                   (long long)number);
    *out = call->args[number];
  } else {
    uint32_t k = 0;
    while (k < call->keyword_count && !str_equal(call->keywords[k]->str, first))
      k++;
    if (k == call->keyword_count)
      return raise_key_error(t, value_str(t, first), call->span);
    *out = call->args[call->positional + k];
  }
  for (size_t i = head; i < name.len;) {
    size_t start = ++i;
    if (name.data[start - 1] == '.') {
      while (i < name.len && name.data[i] != '.' && name.data[i] != '[')
        i++;
      if (i == start)
        return RAISE(t, E_VALUE, call->span, "Empty attribute in format string");
      const Name *attribute = name_intern(&t->session->names, (Str){name.data + start, i - start});
      if (!op_getattr(t, *out, attribute, call->span, out))
        return false;
      continue;
    }
    while (i < name.len && name.data[i] != ']')
      i++;
    Str key = {name.data + start, i - start};
    if (i < name.len)
      i++;
    int64_t index;
    at = key.data;
    Value key_value = parse_number(&at, key.data + key.len, &index) && at == key.data + key.len ? value_int(index)
                                                                                               : value_str(t, key);
    if (!op_getitem(t, *out, key_value, call->span, out))
      return false;
  }
  return true;
}

static bool expand(Fields *f, Str format, int depth, StrBuf *out)
{
  Tracer *t = f->t;
  for (size_t i = 0; i < format.len;) {
    char c = format.data[i];
    if (c != '{' && c != '}') {
      strbuf_putc(out, c);
      i++;
      continue;
    }
    if (i + 1 < format.len && format.data[i + 1] == c && depth == 0) {
      strbuf_putc(out, c);
      i += 2;
      continue;
    }
    if (c == '}')
      return RAISE(t, E_VALUE, f->call->span, "Single '}' encountered in format string");
    size_t start = ++i, level = 1, name_end = 0;
    for (; i < format.len && level; i++) {
      if (format.data[i] == '{')
        level++;
      else if (format.data[i] == '}')
        level--;
      else if (!name_end && level == 1 && (format.data[i] == ':' || format.data[i] == '!'))
        name_end = i;
    }
    if (level)
      return RAISE(t, E_VALUE, f->call->span,
                   start == format.len ? "Single '{' encountered in format string" : "expected '}' before end of string");
    size_t end = i - 1;
    if (!name_end)
      name_end = end;
    Value value;
    if (!field_value(f, (Str){format.data + start, name_end - start}, &value))
      return false;
    size_t at = name_end;
    if (at < end && format.data[at] == '!') {
      char conversion = at + 1 < end ? format.data[at + 1] : 0;
      StrBuf text = strbuf_new(&t->arena);
      if (conversion != 's' && conversion != 'r' && conversion != 'a')
        return RAISE(t, E_VALUE, f->call->span, "Unknown conversion specifier '%c'", conversion);
      if (!(conversion == 's' ? op_str : op_repr)(t, value, f->call->span, &text))
        return false;
      Str shown = text.data ? strbuf_str(&text) : STR("");
      value = value_str(t, conversion == 'a' ? ascii_text(t, shown) : shown);
      at += 2;
    }
    StrBuf spec = strbuf_new(&t->arena);
    if (at < end && format.data[at] == ':' &&
        !expand(f, (Str){format.data + at + 1, end - at - 1}, depth + 1, &spec))
      return false;
    if (!op_format(t, value, spec.data ? strbuf_str(&spec) : STR(""), f->call->span, out))
      return false;
  }
  return true;
}


bool text_format(Tracer *t, Str format, const Call *call, Value *out)
{
  Fields f = {.t = t, .call = call};
  StrBuf text = strbuf_new(&t->arena);
  if (!expand(&f, format, 0, &text))
    return false;
  *out = value_str(t, text.data ? strbuf_str(&text) : STR(""));
  return true;
}
