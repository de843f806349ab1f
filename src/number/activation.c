// activation.c -- the functions' names, and their exact values from wide numbers.

#include "number/activation.h"

#include "base/bug.h"
#include "number/dtype.h"
#include "number/wide.h"

#include <math.h>

_Static_assert(ACTIVATION_FUNC_ABS == 0 && ACTIVATION_FUNC_LOG == 9 && ACTIVATION_FUNC_SIGN == 15 &&
                 ACTIVATION_FUNC_WIRE_COUNT == 25,
               "the first rows stand in wire order");

static const ActivationInfo infos[ACTIVATION_FUNC_COUNT] = {
#define ACTIVATION(enumerator, name, nki_name, least, most, formula)                                                   \
  [ACTIVATION_FUNC_##enumerator] = {name, nki_name, (float)(least), (float)(most), formula},
#include "number/activation.def"
};

const ActivationInfo *activation_info(ActivationFunc func)
{
  if ((unsigned)func >= ACTIVATION_FUNC_COUNT)
    bug("activation function %u", (unsigned)func);
  return &infos[func];
}

const char *activation_wire_name(ActivationFunc func)
{
  return activation_info(func)->name;
}

bool activation_from_nki_name(Str name, ActivationFunc *func)
{
  for (int i = 0; i < ACTIVATION_FUNC_COUNT; i++)
    if (str_is(name, infos[i].nki_name))
      return *func = (ActivationFunc)i, true;
  return false;
}

bool activation_from_wire_name(Str name, ActivationFunc *func)
{
  for (int i = 0; i < ACTIVATION_FUNC_COUNT; i++)
    if (str_is(name, infos[i].name))
      return *func = (ActivationFunc)i, true;
  return false;
}

bool activation_in_range(ActivationFunc func, float x)
{
  const ActivationInfo *info = activation_info(func);
  if (func == ACTIVATION_FUNC_RECIPROCAL && fabsf(x) < 0x1p-42f)
    return false;
  if (func == ACTIVATION_FUNC_SQRT && x == 0)
    return true;
  return x >= info->least && x <= info->most;
}

float activation_prelu(float x, float slope)
{
  return x >= 0 ? x : x == x ? slope * x : f32_from_bits(F32_NAN_BITS);
}

// The decimal constants of the formulas, exact to 106 bits.
static const Wide sigmoid_scale = {0x1.b3b645a1cac08p+0, 0x1.89374bc6a7efap-55};  // 1.702
static const Wide cube_scale = {0x1.6e4e26d4801f7p-5, 0x1.441355475a31ap-59};     // 0.044715

static Wide sigmoid(Wide x)
{
  return wide_div(wide(1), wide_add(wide(1), wide_exp(wide_neg(x))));
}

// s (1 + x (1 - s)); 1 - s is the sigmoid of -x.
static Wide silu_dx(Wide x)
{
  return wide_mul(sigmoid(x), wide_add(wide(1), wide_mul(x, sigmoid(wide_neg(x)))));
}

static Wide gelu_apprx_tanh(Wide x)
{
  Wide scale = wide_sqrt(wide_div(wide(2), wide_pi));
  Wide cube = wide_mul(wide_mul(x, x), x);
  Wide inner = wide_mul(scale, wide_add(x, wide_mul(cube_scale, cube)));
  if (inner.hi < -100)  // less than 2^-150
    return wide(-0x1p-200);
  if (inner.hi > 100)
    return x;
  return wide_mul(x, sigmoid(wide_times(2, inner)));
}

// Phi(x) = erfc(-x / sqrt(2)) / 2.
static Wide normal_distribution(Wide x)
{
  Wide z = wide_neg(wide_div(x, wide_sqrt(wide(2))));
  return wide_times(0.5, z.hi > 0 ? wide_erfc(z) : wide_sub(wide(2), wide_erfc(wide_neg(z))));
}

// phi(x) = e^(-x^2/2) / sqrt(2 pi).
static Wide normal_density(Wide x)
{
  return wide_div(wide_exp(wide_times(-0.5, wide_mul(x, x))), wide_sqrt(wide_times(2, wide_pi)));
}

// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|).
static Wide softplus(Wide x)
{
  Wide tail = wide_log1p(wide_exp(x.hi < 0 ? x : wide_neg(x)));
  return x.hi > 0 ? wide_add(x, tail) : tail;
}

// tanh(ln(1 + e)) = e (e + 2) / (e (e + 2) + 2), where e = e^x.
static Wide mish(Wide x)
{
  Wide e = wide_exp(x), product = wide_mul(e, wide_add(e, wide(2)));
  return wide_mul(x, wide_div(product, wide_add(product, wide(2))));
}

static Wide hyperbolic_tangent(Wide x)
{
  Wide e = wide_expm1(wide_times(2, x.hi < 0 ? wide_neg(x) : x));
  Wide result = wide_div(e, wide_add(e, wide(2)));
  return x.hi < 0 ? wide_neg(result) : result;
}

// sin up to pi; beyond, the cubic at pi goes on. Odd.
static Wide sine(Wide x)
{
  if (x.hi < 0)
    return wide_neg(sine(wide_neg(x)));
  if (x.hi <= 1.5)
    return wide_sin(x);
  Wide u = wide_sub(x, wide_pi);
  if (u.hi <= 0)
    return wide_neg(wide_sin(u));
  return wide_mul(u, wide_sub(wide_div(wide_mul(u, u), wide(6)), wide(1)));
}

// The value at a finite x other than 0, for functions that float32 arithmetic does not round correctly by itself.
static Wide exact(ActivationFunc func, double at)
{
  Wide x = wide(at);
  switch ((int)func) {
  case ACTIVATION_FUNC_ARCTAN: return wide_atan(at);
  case ACTIVATION_FUNC_ERF: return wide_erf(x);
  case ACTIVATION_FUNC_ERF_DX:
    return wide_div(wide_times(2, wide_exp(wide_neg(wide_mul(x, x)))), wide_sqrt(wide_pi));
  case ACTIVATION_FUNC_EXP: return wide_exp(x);
  case ACTIVATION_FUNC_GELU: return wide_mul(x, normal_distribution(x));
  case ACTIVATION_FUNC_GELU_APPRX_TANH: return gelu_apprx_tanh(x);
  case ACTIVATION_FUNC_GELU_DX: return wide_add(normal_distribution(x), wide_mul(x, normal_density(x)));
  case ACTIVATION_FUNC_LOG: return wide_log(at);
  case ACTIVATION_FUNC_MISH: return mish(x);
  case ACTIVATION_FUNC_RSQRT: return wide_div(wide(1), wide_sqrt(x));
  case ACTIVATION_FUNC_SIGMOID: return sigmoid(x);
  case ACTIVATION_FUNC_SILU: return wide_mul(x, sigmoid(x));
  case ACTIVATION_FUNC_SILU_DX: return silu_dx(x);
  case ACTIVATION_FUNC_SIN: return sine(x);
  case ACTIVATION_FUNC_SOFTPLUS: return softplus(x);
  case ACTIVATION_FUNC_TANH: return hyperbolic_tangent(x);
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID: return wide_mul(x, sigmoid(wide_mul(x, sigmoid_scale)));
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID_DX: return silu_dx(wide_mul(x, sigmoid_scale));
  }
  bug("activation function %s has no slow path", activation_wire_name(func));
}

// Beyond these inputs the function has reached its limit: clamped there, it rounds to the same float32, except that
// above `most` a `linear` function is x itself.
typedef struct Limits {
  double least, most;
  bool linear;
} Limits;

static Limits limits_of(ActivationFunc func)
{
  switch ((int)func) {
  case ACTIVATION_FUNC_ARCTAN: return (Limits){-0x1p40, 0x1p40, false};
  case ACTIVATION_FUNC_ERF: return (Limits){-8, 8, false};
  case ACTIVATION_FUNC_ERF_DX: return (Limits){-12, 12, false};
  case ACTIVATION_FUNC_GELU:
  case ACTIVATION_FUNC_GELU_APPRX_TANH: return (Limits){-16, 16, true};
  case ACTIVATION_FUNC_GELU_DX: return (Limits){-16, 16, false};
  case ACTIVATION_FUNC_EXP:
  case ACTIVATION_FUNC_SIGMOID:
  case ACTIVATION_FUNC_SILU_DX:
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID_DX: return (Limits){-120, 120, false};
  case ACTIVATION_FUNC_MISH:
  case ACTIVATION_FUNC_SILU:
  case ACTIVATION_FUNC_SOFTPLUS:
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID: return (Limits){-120, 120, true};
  case ACTIVATION_FUNC_TANH: return (Limits){-20, 20, false};
  }
  return (Limits){-INFINITY, INFINITY, false};
}

// f(0) is 0 with the sign of x.
static bool keeps_zero(ActivationFunc func)
{
  switch ((int)func) {
  case ACTIVATION_FUNC_ARCTAN:
  case ACTIVATION_FUNC_ERF:
  case ACTIVATION_FUNC_GELU:
  case ACTIVATION_FUNC_GELU_APPRX_TANH:
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID:
  case ACTIVATION_FUNC_MISH:
  case ACTIVATION_FUNC_SILU:
  case ACTIVATION_FUNC_SIN:
  case ACTIVATION_FUNC_TANH: return true;
  }
  return false;
}

// The results at x that no number of digits gives.
static bool special_value(ActivationFunc func, float x, float *result)
{
  Limits limits = limits_of(func);
  bool is_log = func == ACTIVATION_FUNC_LOG, is_rsqrt = func == ACTIVATION_FUNC_RSQRT;
  if (x != x || (x < 0 && (is_log || is_rsqrt)))
    *result = f32_from_bits(F32_NAN_BITS);
  else if (x == 0 && keeps_zero(func))
    *result = x;
  else if (x == 0 && (is_log || is_rsqrt))
    *result = is_log ? -INFINITY : copysignf(INFINITY, x);
  else if (isinf(x) && is_rsqrt)
    *result = 0;
  else if (isinf(x) && (is_log || func == ACTIVATION_FUNC_SIN))
    *result = x;
  else if (limits.linear && x > limits.most)
    *result = x;
  else
    return false;
  return true;
}

static float canonical(float x)
{
  return x == x ? x : f32_from_bits(F32_NAN_BITS);
}

float activation_exact_f32(ActivationFunc func, float x)
{
  float result;
  switch ((int)func) {  // these need no more than float32
  case ACTIVATION_FUNC_ABS: return canonical(fabsf(x));
  case ACTIVATION_FUNC_COPY: return canonical(x);
  case ACTIVATION_FUNC_RECIPROCAL: return canonical(1 / x);
  case ACTIVATION_FUNC_RELU: return x > 0 ? x : 0;
  case ACTIVATION_FUNC_SIGN: return x > 0 ? 1 : x < 0 ? -1 : canonical(x);
  case ACTIVATION_FUNC_SQRT: return canonical(sqrtf(x));
  case ACTIVATION_FUNC_SQUARE: return canonical(x * x);
  case ACTIVATION_FUNC_PRELU: return activation_prelu(x, 0);
  }
  if (special_value(func, x, &result))
    return result;
  Limits limits = limits_of(func);
  return wide_round_f32(exact(func, x < limits.least ? limits.least : x > limits.most ? limits.most : x));
}

float activation_f32(ActivationFunc func, float x)
{
  activation_row(func, 1, &x, &x);
  return x;
}
