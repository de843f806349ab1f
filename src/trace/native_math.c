// native_math.c -- module `math`: every function correctly rounded, so that no C library shows; and the little of numpy
// that kernels use while they are traced.

#include "trace/eval_internal.h"
#include "trace/natives.h"
#include "trace/number.h"

#include <float.h>
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <string.h>

#define ARG(i) (call->args[i])
#define HAS(i) (value_is_set(call->args[i]))

static bool real_arg(Tracer *t, const Call *call, uint32_t i, double *out)
{
  Value v = call->args[i];
  if (v.tag == VALUE_INSTANCE) {
    Value converted;
    Outcome outcome = call_special(t, v, t->builtins->__float__, NULL, 0, call->span, &converted);
    if (outcome == OUTCOME_ERROR)
      return false;
    if (outcome == OUTCOME_OK)
      v = converted;
  }
  v = value_unwrap(v);
  if (v.tag == VALUE_FLOAT) {
    *out = v.real;
    return true;
  }
  if (value_is_int(v))
    return int_to_double(t, v, call->span, out);
  if (v.tag == VALUE_OPAQUE)
    return raise_opaque(t, v, call->span, "computed with");
  return RAISE(t, E_TYPE, call->span, "must be real number, not %s", value_type_name(t, call->args[i]));
}

static bool int_arg(Tracer *t, const Call *call, uint32_t i, Value *out)
{
  *out = value_unwrap(call->args[i]);
  if (value_is_int(*out))
    return true;
  int64_t index;
  if (!op_index(t, call->args[i], call->span, &index))
    return false;
  *out = value_int(index);
  return true;
}

// ---- functions of one real number

typedef int Mpfr1(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
typedef int Mpfr2(mpfr_ptr, mpfr_srcptr, mpfr_srcptr, mpfr_rnd_t);

static double rounded1(Mpfr1 *function, double x)
{
  mpfr_t a;
  mpfr_exp_t old_min = mpfr_get_emin(), old_max = mpfr_get_emax();
  mpfr_init2(a, 53);
  mpfr_set_d(a, x, MPFR_RNDN);
  mpfr_set_emin(-1073);
  mpfr_set_emax(1024);
  int inexact = function(a, a, MPFR_RNDN);
  mpfr_subnormalize(a, inexact, MPFR_RNDN);
  double result = mpfr_get_d(a, MPFR_RNDN);
  mpfr_set_emin(old_min);
  mpfr_set_emax(old_max);
  mpfr_clear(a);
  return result;
}

static double rounded2(Mpfr2 *function, double x, double y)
{
  mpfr_t a, b;
  mpfr_exp_t old_min = mpfr_get_emin(), old_max = mpfr_get_emax();
  mpfr_inits2(53, a, b, (mpfr_ptr)NULL);
  mpfr_set_d(a, x, MPFR_RNDN);
  mpfr_set_d(b, y, MPFR_RNDN);
  mpfr_set_emin(-1073);
  mpfr_set_emax(1024);
  int inexact = function(a, a, b, MPFR_RNDN);
  mpfr_subnormalize(a, inexact, MPFR_RNDN);
  double result = mpfr_get_d(a, MPFR_RNDN);
  mpfr_set_emin(old_min);
  mpfr_set_emax(old_max);
  mpfr_clears(a, b, (mpfr_ptr)NULL);
  return result;
}

static bool checked(Tracer *t, const Call *call, double x, double result, Value *out)
{
  if (isnan(result) && !isnan(x))
    return RAISE(t, E_VALUE, call->span, "math domain error");
  if (isinf(result) && isfinite(x))
    return RAISE(t, E_OVERFLOW, call->span, "math range error");
  *out = value_float(result);
  return true;
}

#define REAL(name, function)                                                                                           \
  static bool m_##name(Tracer *t, const Call *call, Value *out)                                                        \
  {                                                                                                                    \
    double x;                                                                                                          \
    return real_arg(t, call, 0, &x) && checked(t, call, x, rounded1(function, x), out);                                \
  }
REAL(exp, mpfr_exp)
REAL(exp2, mpfr_exp2)
REAL(expm1, mpfr_expm1)
REAL(sin, mpfr_sin)
REAL(cos, mpfr_cos)
REAL(tan, mpfr_tan)
REAL(asin, mpfr_asin)
REAL(acos, mpfr_acos)
REAL(atan, mpfr_atan)
REAL(sinh, mpfr_sinh)
REAL(cosh, mpfr_cosh)
REAL(tanh, mpfr_tanh)
REAL(asinh, mpfr_asinh)
REAL(acosh, mpfr_acosh)
REAL(erf, mpfr_erf)
REAL(erfc, mpfr_erfc)
REAL(cbrt, mpfr_cbrt)

static bool m_atanh(Tracer *t, const Call *call, Value *out)
{
  double x;
  if (!real_arg(t, call, 0, &x))
    return false;
  if (fabs(x) >= 1)
    return RAISE(t, E_VALUE, call->span, "math domain error");
  return checked(t, call, x, rounded1(mpfr_atanh, x), out);
}

static bool m_gamma(Tracer *t, const Call *call, Value *out)
{
  double x;
  if (!real_arg(t, call, 0, &x))
    return false;
  if (x == 0 || (x < 0 && x == floor(x)))
    return RAISE(t, E_VALUE, call->span, "math domain error");
  return checked(t, call, x, rounded1(mpfr_gamma, x), out);
}

static int lgamma_abs(mpfr_ptr out, mpfr_srcptr x, mpfr_rnd_t rounding)
{
  int sign;
  return mpfr_lgamma(out, &sign, x, rounding);
}

static bool m_lgamma(Tracer *t, const Call *call, Value *out)
{
  double x;
  if (!real_arg(t, call, 0, &x))
    return false;
  if (x <= 0 && x == floor(x))
    return RAISE(t, E_VALUE, call->span, "math domain error");
  return checked(t, call, x, rounded1(lgamma_abs, x), out);
}

static bool m_sqrt(Tracer *t, const Call *call, Value *out)
{
  double x;
  return real_arg(t, call, 0, &x) && checked(t, call, x, sqrt(x), out);
}

// The logarithm of a real number or of an int of any size.
static bool logarithm(Tracer *t, const Call *call, uint32_t i, Mpfr1 *function, double *out)
{
  Value v = value_unwrap(call->args[i]);
  double x = 0;
  if (v.tag == VALUE_BIG_INT && int_sign(v) > 0) {
    IntView view;
    int_view(v, &view);
    mpfr_t a, r;
    mpfr_init2(a, (mpfr_prec_t)mpz_sizeinbase(view.z, 2) + 2);
    mpfr_init2(r, 53);
    mpfr_set_z(a, view.z, MPFR_RNDN);
    function(r, a, MPFR_RNDN);
    *out = mpfr_get_d(r, MPFR_RNDN);
    mpfr_clears(a, r, (mpfr_ptr)NULL);
    return true;
  }
  if (!real_arg(t, call, i, &x))
    return false;
  if (x <= 0)
    return RAISE(t, E_VALUE, call->span, "math domain error");
  *out = rounded1(function, x);
  return true;
}

static bool m_log(Tracer *t, const Call *call, Value *out)
{
  double a, b;
  if (!logarithm(t, call, 0, mpfr_log, &a))
    return false;
  if (!HAS(1)) {
    *out = value_float(a);
    return true;
  }
  if (!logarithm(t, call, 1, mpfr_log, &b))
    return false;
  if (b == 0)
    return RAISE(t, E_ZERO_DIVISION, call->span, "float division by zero");
  *out = value_float(a / b);
  return true;
}

static bool one_logarithm(Tracer *t, const Call *call, Mpfr1 *function, Value *out)
{
  double a;
  if (!logarithm(t, call, 0, function, &a))
    return false;
  *out = value_float(a);
  return true;
}

static bool m_log2(Tracer *t, const Call *call, Value *out) { return one_logarithm(t, call, mpfr_log2, out); }
static bool m_log10(Tracer *t, const Call *call, Value *out) { return one_logarithm(t, call, mpfr_log10, out); }

static bool m_log1p(Tracer *t, const Call *call, Value *out)
{
  double x;
  if (!real_arg(t, call, 0, &x))
    return false;
  if (x <= -1)
    return RAISE(t, E_VALUE, call->span, "math domain error");
  *out = value_float(rounded1(mpfr_log1p, x));
  return true;
}

// ---- functions of two

static bool m_pow(Tracer *t, const Call *call, Value *out)
{
  double x, y;
  if (!real_arg(t, call, 0, &x) || !real_arg(t, call, 1, &y))
    return false;
  if ((x == 0 && y < 0) || (x < 0 && isfinite(x) && isfinite(y) && y != floor(y)))
    return RAISE(t, E_VALUE, call->span, "math domain error");
  double result = float_pow(x, y);
  if (isinf(result) && isfinite(x) && isfinite(y))
    return RAISE(t, E_OVERFLOW, call->span, "math range error");
  *out = value_float(result);
  return true;
}

static bool m_atan2(Tracer *t, const Call *call, Value *out)
{
  double y, x;
  if (!real_arg(t, call, 0, &y) || !real_arg(t, call, 1, &x))
    return false;
  *out = value_float(rounded2(mpfr_atan2, y, x));
  return true;
}

static bool m_fmod(Tracer *t, const Call *call, Value *out)
{
  double x, y;
  if (!real_arg(t, call, 0, &x) || !real_arg(t, call, 1, &y))
    return false;
  double result = fmod(x, y);
  if (isnan(result) && !isnan(x) && !isnan(y))
    return RAISE(t, E_VALUE, call->span, "math domain error");
  *out = value_float(result);
  return true;
}

static bool m_remainder(Tracer *t, const Call *call, Value *out)
{
  double x, y;
  if (!real_arg(t, call, 0, &x) || !real_arg(t, call, 1, &y))
    return false;
  double result = remainder(x, y);
  if (isnan(result) && !isnan(x) && !isnan(y))
    return RAISE(t, E_VALUE, call->span, "math domain error");
  *out = value_float(result);
  return true;
}

static bool m_copysign(Tracer *t, const Call *call, Value *out)
{
  double x, y;
  if (!real_arg(t, call, 0, &x) || !real_arg(t, call, 1, &y))
    return false;
  *out = value_float(copysign(x, y));
  return true;
}

static bool m_hypot(Tracer *t, const Call *call, Value *out)
{
  double total = 0, x;
  for (uint32_t i = 0; i < call->positional; i++) {
    if (!real_arg(t, call, i, &x))
      return false;
    total = rounded2(mpfr_hypot, total, x);
  }
  *out = value_float(fabs(total));
  return true;
}

static bool m_ldexp(Tracer *t, const Call *call, Value *out)
{
  double x;
  int64_t e;
  if (!real_arg(t, call, 0, &x) || !op_index(t, ARG(1), call->span, &e))
    return false;
  double result = ldexp(x, e > 5000 ? 5000 : e < -5000 ? -5000 : (int)e);
  if (isinf(result) && isfinite(x))
    return RAISE(t, E_OVERFLOW, call->span, "math range error");
  *out = value_float(result);
  return true;
}

static bool m_frexp(Tracer *t, const Call *call, Value *out)
{
  double x;
  int e = 0;
  if (!real_arg(t, call, 0, &x))
    return false;
  Value pair[2] = {value_float(isfinite(x) ? frexp(x, &e) : x), value_none()};
  pair[1] = value_int(e);
  *out = value_tuple(t, pair, 2);
  return true;
}

static bool m_modf(Tracer *t, const Call *call, Value *out)
{
  double x, whole;
  if (!real_arg(t, call, 0, &x))
    return false;
  double part = modf(x, &whole);
  Value pair[2] = {value_float(part), value_float(whole)};
  *out = value_tuple(t, pair, 2);
  return true;
}

static bool m_isclose(Tracer *t, const Call *call, Value *out)
{
  double a, b, relative = 1e-9, absolute = 0;
  if (!real_arg(t, call, 0, &a) || !real_arg(t, call, 1, &b) || (HAS(2) && !real_arg(t, call, 2, &relative)) ||
      (HAS(3) && !real_arg(t, call, 3, &absolute)))
    return false;
  double difference = fabs(a - b);
  bool close = a == b || (!isinf(a) && !isinf(b) && (difference <= fabs(relative * b) ||
                                                     difference <= fabs(relative * a) || difference <= absolute));
  *out = value_bool(close);
  return true;
}

// ---- rounding to integers

static bool to_integer(Tracer *t, const Call *call, const char *special, double (*round_to)(double), Value *out)
{
  if (ARG(0).tag == VALUE_INSTANCE) {
    Outcome outcome = call_special(t, ARG(0), tracer_name(t, special), NULL, 0, call->span, out);
    if (outcome != OUTCOME_MISSING)
      return outcome == OUTCOME_OK;
  }
  Value v = value_unwrap(ARG(0));
  if (value_is_int(v)) {
    *out = v.tag == VALUE_BOOL ? value_int(v.integer) : v;
    return true;
  }
  double x;
  return real_arg(t, call, 0, &x) && float_to_int(t, isfinite(x) ? round_to(x) : x, call->span, out);
}

static bool m_floor(Tracer *t, const Call *call, Value *out) { return to_integer(t, call, "__floor__", floor, out); }
static bool m_ceil(Tracer *t, const Call *call, Value *out) { return to_integer(t, call, "__ceil__", ceil, out); }
static bool m_trunc(Tracer *t, const Call *call, Value *out) { return to_integer(t, call, "__trunc__", trunc, out); }

static bool m_fabs(Tracer *t, const Call *call, Value *out)
{
  double x;
  if (!real_arg(t, call, 0, &x))
    return false;
  *out = value_float(fabs(x));
  return true;
}

static bool classify(Tracer *t, const Call *call, int kind, Value *out)
{
  double x;
  if (!real_arg(t, call, 0, &x))
    return false;
  *out = value_bool(kind == 0 ? isnan(x) : kind == 1 ? isinf(x) : isfinite(x));
  return true;
}

static bool m_isnan(Tracer *t, const Call *call, Value *out) { return classify(t, call, 0, out); }
static bool m_isinf(Tracer *t, const Call *call, Value *out) { return classify(t, call, 1, out); }
static bool m_isfinite(Tracer *t, const Call *call, Value *out) { return classify(t, call, 2, out); }

static bool scaled(Tracer *t, const Call *call, bool to_degrees, Value *out)
{
  double x;
  if (!real_arg(t, call, 0, &x))
    return false;
  const double pi = 3.14159265358979323846;
  *out = value_float(to_degrees ? x * (180.0 / pi) : x * (pi / 180.0));
  return true;
}

static bool m_degrees(Tracer *t, const Call *call, Value *out) { return scaled(t, call, true, out); }
static bool m_radians(Tracer *t, const Call *call, Value *out) { return scaled(t, call, false, out); }

// ---- integers

static bool m_gcd(Tracer *t, const Call *call, Value *out)
{
  *out = value_int(0);
  for (uint32_t i = 0; i < call->positional; i++) {
    Value v;
    if (!int_arg(t, call, i, &v))
      return false;
    *out = int_gcd(t, *out, v);
  }
  return true;
}

static bool m_lcm(Tracer *t, const Call *call, Value *out)
{
  *out = value_int(1);
  for (uint32_t i = 0; i < call->positional; i++) {
    Value v, divisor;
    if (!int_arg(t, call, i, &v))
      return false;
    if (int_sign(v) == 0 || int_sign(*out) == 0) {
      *out = value_int(0);
      continue;
    }
    divisor = int_gcd(t, *out, v);
    if (!int_binary(t, OPERATOR_FloorDiv, v, divisor, call->span, &v) ||
        !int_binary(t, OPERATOR_Mult, *out, v, call->span, out))
      return false;
    if (int_sign(*out) < 0)
      *out = int_negate(t, *out);
  }
  return true;
}

static bool m_factorial(Tracer *t, const Call *call, Value *out)
{
  Value v;
  if (!int_arg(t, call, 0, &v))
    return false;
  if (int_sign(v) < 0)
    return RAISE(t, E_VALUE, call->span, "factorial() not defined for negative values");
  if (v.tag == VALUE_BIG_INT || v.integer > 1000000)
    return RAISE(t, E_OVERFLOW, call->span, "factorial() argument is too large");
  mpz_t z;
  mpz_init(z);
  mpz_fac_ui(z, (unsigned long)v.integer);
  *out = int_from_mpz(t, z);
  mpz_clear(z);
  return true;
}

static bool m_comb(Tracer *t, const Call *call, Value *out)
{
  Value n, k;
  if (!int_arg(t, call, 0, &n) || !int_arg(t, call, 1, &k))
    return false;
  if (int_sign(n) < 0 || int_sign(k) < 0)
    return RAISE(t, E_VALUE, call->span, "%s must be a non-negative integer", int_sign(n) < 0 ? "n" : "k");
  if (n.tag == VALUE_BIG_INT || k.tag == VALUE_BIG_INT || n.integer > 10000000)
    return RAISE(t, E_OVERFLOW, call->span, "comb() arguments are too large");
  mpz_t z;
  mpz_init(z);
  mpz_bin_uiui(z, (unsigned long)n.integer, (unsigned long)k.integer);
  *out = int_from_mpz(t, z);
  mpz_clear(z);
  return true;
}

static bool m_perm(Tracer *t, const Call *call, Value *out)
{
  Value n, k;
  if (!int_arg(t, call, 0, &n))
    return false;
  if (HAS(1) && ARG(1).tag != VALUE_NONE) {
    if (!int_arg(t, call, 1, &k))
      return false;
  } else {
    k = n;
  }
  if (int_sign(n) < 0 || int_sign(k) < 0)
    return RAISE(t, E_VALUE, call->span, "%s must be a non-negative integer", int_sign(n) < 0 ? "n" : "k");
  *out = value_int(int_compare(k, n) <= 0);
  for (int64_t i = 0; int_sign(*out) && i < k.integer; i++)
    if (!int_binary(t, OPERATOR_Mult, *out, value_int(n.integer - i), call->span, out))
      return false;
  return true;
}

static bool m_isqrt(Tracer *t, const Call *call, Value *out)
{
  Value v;
  IntView view;
  if (!int_arg(t, call, 0, &v))
    return false;
  if (int_sign(v) < 0)
    return RAISE(t, E_VALUE, call->span, "isqrt() argument must be nonnegative");
  int_view(v, &view);
  mpz_t z;
  mpz_init(z);
  mpz_sqrt(z, view.z);
  *out = int_from_mpz(t, z);
  mpz_clear(z);
  return true;
}

static bool m_prod(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  if (!op_collect(t, ARG(0), call->span, &items))
    return false;
  *out = HAS(1) ? ARG(1) : value_int(1);
  for (size_t i = 0; i < items.count; i++)
    if (!op_binary(t, OPERATOR_Mult, *out, items.items[i], call->span, out))
      return false;
  return true;
}

// Exact: the sum is kept in a number wide enough for every double.
static bool m_fsum(Tracer *t, const Call *call, Value *out)
{
  List items = {0};
  if (!op_collect(t, ARG(0), call->span, &items))
    return false;
  mpfr_t total, each;
  mpfr_init2(total, 2200);
  mpfr_init2(each, 64);
  mpfr_set_zero(total, 1);
  bool ok = true;
  for (size_t i = 0; ok && i < items.count; i++) {
    double x;
    Call inner = {.args = &items.items[i], .positional = 1, .span = call->span};
    ok = real_arg(t, &inner, 0, &x);
    mpfr_set_d(each, ok ? x : 0, MPFR_RNDN);
    mpfr_add(total, total, each, MPFR_RNDN);
  }
  *out = value_float(mpfr_get_d(total, MPFR_RNDN));
  mpfr_clears(total, each, (mpfr_ptr)NULL);
  return ok;
}

static const NativeMethod math_functions[] = {
  {"exp", m_exp, "x /"}, {"exp2", m_exp2, "x /"}, {"expm1", m_expm1, "x /"}, {"log", m_log, "x base? /"},
  {"log2", m_log2, "x /"}, {"log10", m_log10, "x /"}, {"log1p", m_log1p, "x /"}, {"sqrt", m_sqrt, "x /"},
  {"cbrt", m_cbrt, "x /"}, {"sin", m_sin, "x /"}, {"cos", m_cos, "x /"}, {"tan", m_tan, "x /"},
  {"asin", m_asin, "x /"}, {"acos", m_acos, "x /"}, {"atan", m_atan, "x /"}, {"atan2", m_atan2, "y x /"},
  {"sinh", m_sinh, "x /"}, {"cosh", m_cosh, "x /"}, {"tanh", m_tanh, "x /"}, {"asinh", m_asinh, "x /"},
  {"acosh", m_acosh, "x /"}, {"atanh", m_atanh, "x /"}, {"erf", m_erf, "x /"}, {"erfc", m_erfc, "x /"},
  {"gamma", m_gamma, "x /"}, {"lgamma", m_lgamma, "x /"}, {"pow", m_pow, "x y /"}, {"fmod", m_fmod, "x y /"},
  {"remainder", m_remainder, "x y /"}, {"copysign", m_copysign, "x y /"}, {"hypot", m_hypot, NULL},
  {"ldexp", m_ldexp, "x i /"}, {"frexp", m_frexp, "x /"}, {"modf", m_modf, "x /"},
  {"isclose", m_isclose, "a b * rel_tol? abs_tol?"}, {"floor", m_floor, "x /"}, {"ceil", m_ceil, "x /"},
  {"trunc", m_trunc, "x /"}, {"fabs", m_fabs, "x /"}, {"isnan", m_isnan, "x /"}, {"isinf", m_isinf, "x /"},
  {"isfinite", m_isfinite, "x /"}, {"degrees", m_degrees, "x /"}, {"radians", m_radians, "x /"}, {"gcd", m_gcd, NULL},
  {"lcm", m_lcm, NULL}, {"factorial", m_factorial, "x /"}, {"comb", m_comb, "n k /"}, {"perm", m_perm, "n k? /"},
  {"isqrt", m_isqrt, "n /"}, {"prod", m_prod, "iterable / * start?"}, {"fsum", m_fsum, "seq /"},
  {NULL, NULL, NULL},
};

static void math_init(Tracer *t, ModuleObject *module)
{
  module_set(t, module, "pi", value_float(3.14159265358979323846));
  module_set(t, module, "e", value_float(2.71828182845904523536));
  module_set(t, module, "tau", value_float(6.28318530717958647692));
  module_set(t, module, "inf", value_float((double)INFINITY));
  module_set(t, module, "nan", value_float((double)NAN));
}

const NativeModule native_math = {"math", math_functions, math_init, NULL};

// ---- numpy

typedef struct NumberType {
  const char *name;
  bool is_float;
  int bits;
  double max, tiny, eps;  // floats
} NumberType;

static const NumberType number_types[] = {
  {"float64", true, 64, DBL_MAX, DBL_MIN, DBL_EPSILON}, {"float32", true, 32, (double)FLT_MAX, (double)FLT_MIN, (double)FLT_EPSILON},
  {"float16", true, 16, 65504.0, 6.103515625e-05, 0.0009765625},
  {"bfloat16", true, 16, 3.3895313892515355e38, 1.1754943508222875e-38, 0.0078125},
  {"int8", false, 8, 0, 0, 0}, {"int16", false, 16, 0, 0, 0}, {"int32", false, 32, 0, 0, 0}, {"int64", false, 64, 0, 0, 0},
  {"uint8", false, -8, 0, 0, 0}, {"uint16", false, -16, 0, 0, 0}, {"uint32", false, -32, 0, 0, 0},
  {"uint64", false, -64, 0, 0, 0}, {"bool_", false, 1, 0, 0, 0},
};

static const NumberType *number_type(Tracer *t, Value v, Span span)
{
  StrBuf text = strbuf_new(&t->arena);
  if (v.tag == VALUE_CLASS)
    strbuf_puts(&text, v.class == t->builtins->class_float ? "float64" : v.class->name->str.data);
  else if (v.tag == VALUE_FLOAT)
    strbuf_puts(&text, "float64");
  else if (!op_str(t, v, span, &text))
    return NULL;
  for (size_t i = 0; i < sizeof number_types / sizeof *number_types; i++)
    if (text.data && strcmp(text.data, number_types[i].name) == 0)
      return &number_types[i];
  raise_error(t, E_VALUE, span, "'%s' is not a data type numpy knows here", strbuf_cstr(&text));
  return NULL;
}

static bool np_finfo(Tracer *t, const Call *call, Value *out)
{
  const NumberType *type = number_type(t, ARG(0), call->span);
  if (!type)
    return false;
  if (!type->is_float)
    return RAISE(t, E_VALUE, call->span, "data type %s not inexact", type->name);
  *out = instance_new(t, t->builtins->class_object);
  AttrTable *attrs = &out->instance->attrs;
  attr_set(&t->arena, attrs, tracer_name(t, "max"), value_float(type->max));
  attr_set(&t->arena, attrs, tracer_name(t, "min"), value_float(-type->max));
  attr_set(&t->arena, attrs, tracer_name(t, "eps"), value_float(type->eps));
  attr_set(&t->arena, attrs, tracer_name(t, "tiny"), value_float(type->tiny));
  attr_set(&t->arena, attrs, tracer_name(t, "smallest_normal"), value_float(type->tiny));
  attr_set(&t->arena, attrs, tracer_name(t, "bits"), value_int(type->bits));
  return true;
}

static bool np_iinfo(Tracer *t, const Call *call, Value *out)
{
  const NumberType *type = number_type(t, ARG(0), call->span);
  if (!type)
    return false;
  if (type->is_float)
    return RAISE(t, E_VALUE, call->span, "Invalid integer data type '%s'.", type->name);
  *out = instance_new(t, t->builtins->class_object);
  AttrTable *attrs = &out->instance->attrs;
  int bits = type->bits < 0 ? -type->bits : type->bits;
  uint64_t max = type->bits < 0 ? UINT64_MAX >> (64 - bits) : UINT64_MAX >> (65 - bits);
  attr_set(&t->arena, attrs, tracer_name(t, "max"), int_from_u64(t, max));
  attr_set(&t->arena, attrs, tracer_name(t, "min"), value_int(type->bits < 0 ? 0 : -(int64_t)max - 1));
  attr_set(&t->arena, attrs, tracer_name(t, "bits"), value_int(bits));
  return true;
}

static bool np_number(Tracer *t, const Call *call, Value *out)
{
  Value v = HAS(0) ? ARG(0) : value_int(0);
  const char *name = call->self.class->name->str.data;
  bool to_float = strncmp(name, "float", 5) == 0;
  if (strcmp(name, "bool_") == 0) {
    bool truth;
    if (!op_truth(t, v, call->span, &truth))
      return false;
    *out = value_bool(truth);
    return true;
  }
  Class *class = to_float ? t->builtins->class_float : t->builtins->class_int;
  if (!call_simple(t, value_class(class), &v, 1, call->span, out))
    return false;
  if (strcmp(name, "float32") == 0)
    out->real = (double)(float)out->real;
  return true;
}

static bool np_array_free(Tracer *t, const Call *call, Operator op, Value *out)
{
  return op_binary(t, op, ARG(0), ARG(1), call->span, out);
}

static bool np_power(Tracer *t, const Call *call, Value *out) { return np_array_free(t, call, OPERATOR_Pow, out); }

static bool as_float(Tracer *t, const Call *call, double (*round_to)(double), Value *out)
{
  double x;
  if (!real_arg(t, call, 0, &x))
    return false;
  *out = value_float(round_to(x));
  return true;
}

static bool np_ceil(Tracer *t, const Call *call, Value *out) { return as_float(t, call, ceil, out); }
static bool np_floor(Tracer *t, const Call *call, Value *out) { return as_float(t, call, floor, out); }
static bool np_rint(Tracer *t, const Call *call, Value *out) { return as_float(t, call, rint, out); }

static bool np_dtype(Tracer *t, const Call *call, Value *out)
{
  (void)t;
  *out = ARG(0);
  return true;
}

static bool np_abs(Tracer *t, const Call *call, Value *out)
{
  return call_simple(t, *attr_find(&t->builtin_names, tracer_name(t, "abs")), call->args, 1, call->span, out);
}

static bool np_minimum(Tracer *t, const Call *call, Value *out)
{
  return call_simple(t, *attr_find(&t->builtin_names, tracer_name(t, "min")), call->args, 2, call->span, out);
}

static bool np_maximum(Tracer *t, const Call *call, Value *out)
{
  return call_simple(t, *attr_find(&t->builtin_names, tracer_name(t, "max")), call->args, 2, call->span, out);
}

static const NativeMethod numpy_functions[] = {
  {"finfo", np_finfo, "dtype"}, {"iinfo", np_iinfo, "dtype"}, {"prod", m_prod, "a / start?"}, {"ceil", np_ceil, "x /"},
  {"floor", np_floor, "x /"}, {"rint", np_rint, "x /"}, {"sqrt", m_sqrt, "x /"}, {"exp", m_exp, "x /"},
  {"log", m_log, "x base? /"}, {"log2", m_log2, "x /"}, {"log10", m_log10, "x /"}, {"sin", m_sin, "x /"},
  {"cos", m_cos, "x /"}, {"tanh", m_tanh, "x /"}, {"power", np_power, "x y /"}, {"isnan", m_isnan, "x /"},
  {"isinf", m_isinf, "x /"}, {"isfinite", m_isfinite, "x /"}, {"gcd", m_gcd, NULL}, {"lcm", m_lcm, NULL},
  {"dtype", np_dtype, "dtype"}, {"abs", np_abs, "x /"}, {"minimum", np_minimum, "a b /"},
  {"maximum", np_maximum, "a b /"}, {NULL, NULL, NULL},
};

static void numpy_init(Tracer *t, ModuleObject *module)
{
  math_init(t, module);
  module_set(t, module, "newaxis", value_none());
  for (size_t i = 0; i < sizeof number_types / sizeof *number_types; i++) {
    Class *class = class_new(t, number_types[i].name, CLASS_BUILTIN);
    class->bases = &t->builtins->class_object;
    class->base_count = 1;
    class_mro(t, class, (Span){0});
    class->construct = np_number;
    class->construct_signature = native_signature(t, "x? /");
    module_set(t, module, number_types[i].name, value_class(class));
  }
}

static Outcome numpy_unknown(Tracer *t, ModuleObject *module, const Name *name, Value *out)
{
  *out = value_opaque(t, arena_printf(&t->arena, "%s.%s", module->name->str.data, name->str.data), (Span){0}, NULL);
  return OUTCOME_OK;
}

const NativeModule native_numpy = {"numpy", numpy_functions, numpy_init, numpy_unknown};
