#include "trace/number.h"

#include <errno.h>
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INT_BITS = 1 << 26, MAX_TEXT_DIGITS = 4300 };

// ---- views of integers as GMP numbers

bool int_view(Value v, IntView *view)
{
  if (v.tag == VALUE_INT || v.tag == VALUE_BOOL) {
    view->limb = v.integer < 0 ? 0 - (unsigned long)v.integer : (unsigned long)v.integer;
    mpz_roinit_n(view->z, &view->limb, v.integer < 0 ? -1 : v.integer > 0);
    return true;
  }
  if (v.tag == VALUE_BIG_INT) {
    mpz_roinit_n(view->z, v.big->limbs, v.big->size);
    return true;
  }
  return false;
}

Value int_from_mpz(Tracer *t, mpz_srcptr z)
{
  if (mpz_fits_slong_p(z))
    return value_int(mpz_get_si(z));
  size_t count = mpz_size(z);
  BigInt *big = arena_alloc(&t->arena, sizeof *big + count * sizeof(mp_limb_t));
  memcpy(big->limbs, mpz_limbs_read(z), count * sizeof(mp_limb_t));
  big->size = mpz_sgn(z) < 0 ? -(int32_t)count : (int32_t)count;
  return (Value){.tag = VALUE_BIG_INT, .big = big};
}

Value int_from_u64(Tracer *t, uint64_t v)
{
  if (v <= INT64_MAX)
    return value_int((int64_t)v);
  mpz_t z;
  mpz_init_set_ui(z, v);
  Value result = int_from_mpz(t, z);
  mpz_clear(z);
  return result;
}

int int_compare(Value left, Value right)
{
  if (left.tag != VALUE_BIG_INT && right.tag != VALUE_BIG_INT)
    return (left.integer > right.integer) - (left.integer < right.integer);
  IntView a, b;
  int_view(left, &a);
  int_view(right, &b);
  int order = mpz_cmp(a.z, b.z);
  return (order > 0) - (order < 0);
}

int int_sign(Value v)
{
  if (v.tag == VALUE_BIG_INT)
    return v.big->size < 0 ? -1 : 1;
  return (v.integer > 0) - (v.integer < 0);
}

size_t int_bit_length(Value v)
{
  IntView a;
  int_view(v, &a);
  return mpz_sgn(a.z) ? mpz_sizeinbase(a.z, 2) : 0;
}

int int_compare_double(Value i, double d)
{
  if (isinf(d))
    return d > 0 ? -1 : 1;
  IntView a;
  int_view(i, &a);
  int order = mpz_cmp_d(a.z, d);
  return (order > 0) - (order < 0);
}

bool value_as_double(Value v, double *out)
{
  v = value_unwrap(v);
  if (v.tag == VALUE_FLOAT)
    *out = v.real;
  else if (v.tag == VALUE_INT || v.tag == VALUE_BOOL)
    *out = (double)v.integer;
  else
    return v.tag == VALUE_BIG_INT && int_to_double(NULL, v, (Span){0}, out);
  return true;
}

// ---- exact arithmetic

static Value finish(Tracer *t, mpz_t z)
{
  Value result = int_from_mpz(t, z);
  mpz_clear(z);
  return result;
}

static bool too_large(Tracer *t, Span span)
{
  return RAISE(t, E_NUMBER_TOO_LARGE, span, "an integer of more than %d bits", (int)MAX_INT_BITS);
}

Value int_negate(Tracer *t, Value v)
{
  if (v.tag != VALUE_BIG_INT && v.integer != INT64_MIN)
    return value_int(-v.integer);
  IntView a;
  int_view(v, &a);
  mpz_t z;
  mpz_init(z);
  mpz_neg(z, a.z);
  return finish(t, z);
}

Value int_invert(Tracer *t, Value v)
{
  if (v.tag != VALUE_BIG_INT)
    return value_int(~v.integer);
  IntView a;
  int_view(v, &a);
  mpz_t z;
  mpz_init(z);
  mpz_com(z, a.z);
  return finish(t, z);
}

Value int_gcd(Tracer *t, Value left, Value right)
{
  IntView a, b;
  int_view(left, &a);
  int_view(right, &b);
  mpz_t z;
  mpz_init(z);
  mpz_gcd(z, a.z, b.z);
  return finish(t, z);
}

// The double nearest to a / b, ties to even, subnormal results included.
static double rounded_quotient(mpz_srcptr a, mpz_srcptr b)
{
  mpfr_prec_t bits_a = (mpfr_prec_t)mpz_sizeinbase(a, 2), bits_b = (mpfr_prec_t)mpz_sizeinbase(b, 2);
  mpfr_t x, y, q;
  mpfr_init2(x, bits_a < 2 ? 2 : bits_a);
  mpfr_init2(y, bits_b < 2 ? 2 : bits_b);
  mpfr_init2(q, 53);
  mpfr_exp_t old_min = mpfr_get_emin(), old_max = mpfr_get_emax();
  mpfr_set_z(x, a, MPFR_RNDN);
  mpfr_set_z(y, b, MPFR_RNDN);
  mpfr_set_emin(-1073);
  mpfr_set_emax(1024);
  int inexact = mpfr_div(q, x, y, MPFR_RNDN);
  mpfr_subnormalize(q, inexact, MPFR_RNDN);
  double result = mpfr_get_d(q, MPFR_RNDN);
  mpfr_set_emin(old_min);
  mpfr_set_emax(old_max);
  mpfr_clears(x, y, q, (mpfr_ptr)NULL);
  return result;
}

bool int_to_double(Tracer *t, Value v, Span span, double *out)
{
  if (v.tag != VALUE_BIG_INT) {
    *out = (double)v.integer;
    return true;
  }
  IntView a;
  int_view(v, &a);
  mpz_t one;
  mpz_init_set_ui(one, 1);
  *out = rounded_quotient(a.z, one);
  mpz_clear(one);
  if (!isinf(*out))
    return true;
  return t ? RAISE(t, E_OVERFLOW, span, "int too large to convert to float") : false;
}

static bool true_divide(Tracer *t, Value left, Value right, Span span, Value *out)
{
  const int64_t exact = (int64_t)1 << 53;
  if (int_sign(right) == 0)
    return RAISE(t, E_ZERO_DIVISION, span, "division by zero");
  if (left.tag != VALUE_BIG_INT && right.tag != VALUE_BIG_INT && left.integer <= exact && left.integer >= -exact &&
      right.integer <= exact && right.integer >= -exact) {
    *out = value_float((double)left.integer / (double)right.integer);
    return true;
  }
  IntView a, b;
  int_view(left, &a);
  int_view(right, &b);
  double d = rounded_quotient(a.z, b.z);
  if (isinf(d))
    return RAISE(t, E_OVERFLOW, span, "integer division result too large for a float");
  *out = value_float(d);
  return true;
}

static bool int_power(Tracer *t, Value left, Value right, Span span, Value *out)
{
  if (int_sign(right) < 0) {
    double x, y;
    if (!int_to_double(t, left, span, &x) || !int_to_double(t, right, span, &y))
      return false;
    return float_binary(t, OPERATOR_Pow, x, y, span, out);
  }
  bool trivial = left.tag != VALUE_BIG_INT && left.integer >= -1 && left.integer <= 1;
  if (right.tag == VALUE_BIG_INT && !trivial)
    return too_large(t, span);
  if (trivial) {
    bool odd = right.tag == VALUE_BIG_INT ? right.big->limbs[0] & 1 : right.integer & 1;
    *out = value_int(int_sign(right) == 0 ? 1 : left.integer < 0 ? (odd ? -1 : 1) : left.integer);
    return true;
  }
  if ((double)int_bit_length(left) * (double)right.integer > MAX_INT_BITS)
    return too_large(t, span);
  IntView a;
  int_view(left, &a);
  mpz_t z;
  mpz_init(z);
  mpz_pow_ui(z, a.z, (unsigned long)right.integer);
  *out = finish(t, z);
  return true;
}

static bool int_shift(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  if (int_sign(right) < 0)
    return RAISE(t, E_VALUE, span, "negative shift count");
  if (op == OPERATOR_RShift) {
    if (right.tag == VALUE_BIG_INT || right.integer >= MAX_INT_BITS) {
      *out = value_int(int_sign(left) < 0 ? -1 : 0);
      return true;
    }
    if (left.tag != VALUE_BIG_INT) {
      *out = value_int(right.integer > 63 ? (left.integer < 0 ? -1 : 0) : left.integer >> right.integer);
      return true;
    }
  } else {
    if (int_sign(left) == 0) {
      *out = value_int(0);
      return true;
    }
    if (right.tag == VALUE_BIG_INT || right.integer + (int64_t)int_bit_length(left) > MAX_INT_BITS)
      return too_large(t, span);
  }
  IntView a;
  int_view(left, &a);
  mpz_t z;
  mpz_init(z);
  if (op == OPERATOR_RShift)
    mpz_fdiv_q_2exp(z, a.z, (unsigned long)right.integer);
  else
    mpz_mul_2exp(z, a.z, (unsigned long)right.integer);
  *out = finish(t, z);
  return true;
}

static bool small_binary(Operator op, int64_t a, int64_t b, int64_t *out)
{
  switch (op) {
  case OPERATOR_Add: return !__builtin_add_overflow(a, b, out);
  case OPERATOR_Sub: return !__builtin_sub_overflow(a, b, out);
  case OPERATOR_Mult: return !__builtin_mul_overflow(a, b, out);
  case OPERATOR_FloorDiv:
  case OPERATOR_Mod: {
    if (b == 0 || (a == INT64_MIN && b == -1))
      return false;
    int64_t quotient = a / b, rest = a % b;
    bool adjust = rest != 0 && (rest < 0) != (b < 0);
    *out = op == OPERATOR_Mod ? (adjust ? rest + b : rest) : quotient - adjust;
    return true;
  }
  case OPERATOR_BitOr: *out = a | b; return true;
  case OPERATOR_BitXor: *out = a ^ b; return true;
  case OPERATOR_BitAnd: *out = a & b; return true;
  default: return false;
  }
}

bool int_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out)
{
  if (left.tag != VALUE_BIG_INT && right.tag != VALUE_BIG_INT) {
    int64_t result;
    if (small_binary(op, left.integer, right.integer, &result)) {
      if (left.tag == VALUE_BOOL && right.tag == VALUE_BOOL &&
          (op == OPERATOR_BitAnd || op == OPERATOR_BitOr || op == OPERATOR_BitXor))
        *out = value_bool(result);
      else
        *out = value_int(result);
      return true;
    }
  }
  if (op == OPERATOR_Div)
    return true_divide(t, left, right, span, out);
  if (op == OPERATOR_Pow)
    return int_power(t, left, right, span, out);
  if (op == OPERATOR_LShift || op == OPERATOR_RShift)
    return int_shift(t, op, left, right, span, out);
  if ((op == OPERATOR_FloorDiv || op == OPERATOR_Mod) && int_sign(right) == 0)
    return RAISE(t, E_ZERO_DIVISION, span, op == OPERATOR_Mod ? "integer modulo by zero" : "integer division or modulo by zero");
  if (op == OPERATOR_Mult && int_bit_length(left) + int_bit_length(right) > MAX_INT_BITS)
    return too_large(t, span);
  IntView a, b;
  int_view(left, &a);
  int_view(right, &b);
  mpz_t z;
  mpz_init(z);
  switch (op) {
  case OPERATOR_Add: mpz_add(z, a.z, b.z); break;
  case OPERATOR_Sub: mpz_sub(z, a.z, b.z); break;
  case OPERATOR_Mult: mpz_mul(z, a.z, b.z); break;
  case OPERATOR_FloorDiv: mpz_fdiv_q(z, a.z, b.z); break;
  case OPERATOR_Mod: mpz_fdiv_r(z, a.z, b.z); break;
  case OPERATOR_BitOr: mpz_ior(z, a.z, b.z); break;
  case OPERATOR_BitXor: mpz_xor(z, a.z, b.z); break;
  default: mpz_and(z, a.z, b.z); break;
  }
  *out = finish(t, z);
  return true;
}

bool int_power_mod(Tracer *t, Value base, Value exponent, Value modulus, Span span, Value *out)
{
  IntView a, b, m;
  int_view(base, &a);
  int_view(exponent, &b);
  int_view(modulus, &m);
  if (mpz_sgn(m.z) == 0)
    return RAISE(t, E_VALUE, span, "pow() 3rd argument cannot be 0");
  mpz_t z, inverse;
  mpz_init(z);
  mpz_init_set(inverse, a.z);
  if (mpz_sgn(b.z) < 0 && !mpz_invert(inverse, a.z, m.z)) {
    mpz_clears(z, inverse, (mpz_ptr)NULL);
    return RAISE(t, E_VALUE, span, "base is not invertible for the given modulus");
  }
  mpz_t positive;
  mpz_init(positive);
  mpz_abs(positive, b.z);
  mpz_powm(z, inverse, positive, m.z);
  mpz_fdiv_r(z, z, m.z);
  mpz_clears(inverse, positive, (mpz_ptr)NULL);
  *out = finish(t, z);
  return true;
}

// ---- integers and text

bool int_add_text(Tracer *t, Value v, int base, Span span, StrBuf *out)
{
  if (v.tag != VALUE_BIG_INT && base == 10) {
    strbuf_printf(out, "%lld", (long long)v.integer);
    return true;
  }
  IntView a;
  int_view(v, &a);
  size_t digits = mpz_sizeinbase(a.z, base);
  if (base == 10 && digits > MAX_TEXT_DIGITS + 1)
    return RAISE(t, E_VALUE, span, "Exceeds the limit (%d digits) for integer string conversion; use "
                 "sys.set_int_max_str_digits() to increase the limit", (int)MAX_TEXT_DIGITS);
  char *text = arena_alloc(&t->arena, digits + 2);
  mpz_get_str(text, base, a.z);
  strbuf_puts(out, text);
  return true;
}

static bool is_space(char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

static Str trim(Str text)
{
  while (text.len && is_space(text.data[0]))
    text.data++, text.len--;
  while (text.len && is_space(text.data[text.len - 1]))
    text.len--;
  return text;
}

static int digit_value(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z')
    return c - 'A' + 10;
  return 99;
}

bool int_from_text(Tracer *t, Str text, int base, Value *out)
{
  text = trim(text);
  bool negative = false;
  if (text.len && (text.data[0] == '-' || text.data[0] == '+')) {
    negative = text.data[0] == '-';
    text.data++, text.len--;
  }
  bool after_prefix = false;
  if (text.len > 2 && text.data[0] == '0') {
    char c = text.data[1] | 0x20;
    int prefix = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    if (prefix && (base == prefix || base == 0)) {
      base = prefix;
      text.data += 2, text.len -= 2;
      after_prefix = true;
    }
  }
  bool zero_only = base == 0 && text.len > 1 && text.data[0] == '0';
  if (base == 0)
    base = 10;
  char *digits = arena_alloc(&t->arena, text.len + 1);
  size_t count = 0;
  bool last_was_digit = after_prefix;
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '_') {
      if (!last_was_digit)
        return false;
      last_was_digit = false;
      continue;
    }
    if (digit_value(text.data[i]) >= base || (zero_only && text.data[i] != '0'))
      return false;
    digits[count++] = text.data[i];
    last_was_digit = true;
  }
  if (count == 0 || !last_was_digit)
    return false;
  mpz_t z;
  mpz_init(z);
  mpz_set_str(z, digits, base);
  if (negative)
    mpz_neg(z, z);
  *out = finish(t, z);
  return true;
}

bool int_round_digits(Tracer *t, Value v, int64_t digits, Span span, Value *out)
{
  if (digits >= 0) {
    *out = v.tag == VALUE_BOOL ? value_int(v.integer) : v;
    return true;
  }
  if (-digits > (int64_t)int_bit_length(v) + 1) {
    *out = value_int(0);
    return true;
  }
  (void)span;
  IntView a;
  int_view(v, &a);
  mpz_t unit, quotient, rest, twice;
  mpz_inits(unit, quotient, rest, twice, (mpz_ptr)NULL);
  mpz_ui_pow_ui(unit, 10, (unsigned long)-digits);
  mpz_fdiv_qr(quotient, rest, a.z, unit);
  mpz_mul_2exp(twice, rest, 1);
  int order = mpz_cmp(twice, unit);
  if (order > 0 || (order == 0 && mpz_odd_p(quotient)))
    mpz_add_ui(quotient, quotient, 1);
  mpz_mul(quotient, quotient, unit);
  mpz_clears(unit, rest, twice, (mpz_ptr)NULL);
  *out = finish(t, quotient);
  return true;
}

// ---- floats

double float_pow(double x, double y)
{
  // IEEE's exact cases do not depend on a library; everything else is rounded by MPFR.
  mpfr_t a, b;
  mpfr_exp_t old_min = mpfr_get_emin(), old_max = mpfr_get_emax();
  mpfr_init2(a, 53);
  mpfr_init2(b, 53);
  mpfr_set_d(a, x, MPFR_RNDN);
  mpfr_set_d(b, y, MPFR_RNDN);
  mpfr_set_emin(-1073);
  mpfr_set_emax(1024);
  int inexact = mpfr_pow(a, a, b, MPFR_RNDN);
  mpfr_subnormalize(a, inexact, MPFR_RNDN);
  double result = mpfr_get_d(a, MPFR_RNDN);
  mpfr_set_emin(old_min);
  mpfr_set_emax(old_max);
  mpfr_clears(a, b, (mpfr_ptr)NULL);
  return result;
}

// Quotient rounded down and remainder with the divisor's sign, as CPython computes them.
static void float_divmod(double x, double y, double *quotient, double *rest)
{
  double mod = fmod(x, y);
  double div = (x - mod) / y;
  if (mod != 0) {
    if ((y < 0) != (mod < 0)) {
      mod += y;
      div -= 1.0;
    }
  } else {
    mod = copysign(0.0, y);
  }
  double floored;
  if (div != 0) {
    floored = floor(div);
    if (div - floored > 0.5)
      floored += 1.0;
  } else {
    floored = copysign(0.0, x / y);
  }
  *quotient = floored;
  *rest = mod;
}

static bool power(Tracer *t, double x, double y, Span span, Value *out)
{
  if (x == 0 && y < 0)
    return RAISE(t, E_ZERO_DIVISION, span, "0.0 cannot be raised to a negative power");
  if (x < 0 && isfinite(x) && isfinite(y) && y != floor(y))
    return RAISE(t, E_VALUE, span, "a negative number raised to a fraction is complex");
  double result = float_pow(x, y);
  if (isinf(result) && isfinite(x) && isfinite(y))
    return RAISE(t, E_OVERFLOW, span, "(34, 'Numerical result out of range')");
  *out = value_float(result);
  return true;
}

bool float_binary(Tracer *t, Operator op, double x, double y, Span span, Value *out)
{
  double quotient, rest;
  switch (op) {
  case OPERATOR_Add: *out = value_float(x + y); return true;
  case OPERATOR_Sub: *out = value_float(x - y); return true;
  case OPERATOR_Mult: *out = value_float(x * y); return true;
  case OPERATOR_Div:
    if (y == 0)
      return RAISE(t, E_ZERO_DIVISION, span, "float division by zero");
    *out = value_float(x / y);
    return true;
  case OPERATOR_FloorDiv:
    if (y == 0)
      return RAISE(t, E_ZERO_DIVISION, span, "float floor division by zero");
    float_divmod(x, y, &quotient, &rest);
    *out = value_float(quotient);
    return true;
  case OPERATOR_Mod:
    if (y == 0)
      return RAISE(t, E_ZERO_DIVISION, span, "float modulo");
    float_divmod(x, y, &quotient, &rest);
    *out = value_float(rest);
    return true;
  case OPERATOR_Pow: return power(t, x, y, span, out);
  default: return RAISE(t, E_TYPE, span, "unsupported operand type(s) for bit operation: 'float' and 'float'");
  }
}

bool float_to_int(Tracer *t, double d, Span span, Value *out)
{
  if (isnan(d))
    return RAISE(t, E_VALUE, span, "cannot convert float NaN to integer");
  if (isinf(d))
    return RAISE(t, E_OVERFLOW, span, "cannot convert float infinity to integer");
  if (d >= -9.2e18 && d <= 9.2e18) {
    *out = value_int((int64_t)d);
    return true;
  }
  mpz_t z;
  mpz_init(z);
  mpz_set_d(z, d);
  *out = finish(t, z);
  return true;
}

double float_round_digits(double d, int64_t digits)
{
  if (!isfinite(d) || d == 0 || digits > 323)
    return d;
  if (digits < -308)
    return copysign(0.0, d);
  char text[800];
  if (digits >= 0) {
    snprintf(text, sizeof text, "%.*f", (int)digits, d);
    return strtod(text, NULL);
  }
  // Round the exact value to a multiple of 10^-digits.
  mpz_t unit, quotient, rest, whole;
  mpz_inits(unit, quotient, rest, whole, (mpz_ptr)NULL);
  mpz_ui_pow_ui(unit, 10, (unsigned long)-digits);
  double magnitude = fabs(d), integral = floor(magnitude);
  mpz_set_d(whole, integral);
  mpz_fdiv_qr(quotient, rest, whole, unit);
  mpz_mul_2exp(rest, rest, 1);
  int order = mpz_cmp(rest, unit);
  if (order > 0 || (order == 0 && (magnitude > integral || mpz_odd_p(quotient))))
    mpz_add_ui(quotient, quotient, 1);
  mpz_mul(quotient, quotient, unit);
  mpz_set_ui(unit, 1);
  double result = rounded_quotient(quotient, unit);
  mpz_clears(unit, quotient, rest, whole, (mpz_ptr)NULL);
  return copysign(result, d);
}

bool float_from_text(Str text, double *out)
{
  text = trim(text);
  char buffer[512];
  size_t count = 0;
  bool last_digit = false, seen_digit = false;
  size_t start = text.len && (text.data[0] == '-' || text.data[0] == '+');
  Str word = {text.data + start, text.len - start};
  static const char *const words[] = {"inf", "infinity", "nan"};
  for (size_t i = 0; i < 3; i++) {
    bool same = word.len == strlen(words[i]);
    for (size_t k = 0; same && k < word.len; k++)
      same = (word.data[k] | 0x20) == words[i][k];
    if (same) {
      double value = i == 2 ? (double)NAN : (double)INFINITY;
      *out = start && text.data[0] == '-' ? -value : value;
      return true;
    }
  }
  if (text.len >= sizeof buffer)
    return false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    bool digit = c >= '0' && c <= '9';
    if (c == '_') {
      if (!last_digit || i + 1 >= text.len || text.data[i + 1] < '0' || text.data[i + 1] > '9')
        return false;
      last_digit = false;
      continue;
    }
    if (!digit && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-')
      return false;
    buffer[count++] = c;
    last_digit = digit;
    seen_digit |= digit;
  }
  buffer[count] = 0;
  char *end;
  *out = strtod(buffer, &end);
  return seen_digit && end == buffer + count;
}
