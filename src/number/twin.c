#include "number/twin.h"

#include "base/bug.h"

#include <math.h>

bool alu_decides(AluOp op)
{
  switch ((int)op) {
  case ALU_OP_IS_EQUAL:
  case ALU_OP_IS_GE:
  case ALU_OP_IS_GT:
  case ALU_OP_IS_LE:
  case ALU_OP_IS_LT:
  case ALU_OP_NOT_EQUAL:
  case ALU_OP_LOGICAL_AND:
  case ALU_OP_LOGICAL_OR:
  case ALU_OP_LOGICAL_XOR:
  case ALU_OP_LOGICAL_NOT: return true;
  }
  return false;
}

static double modulo(double x, double y)
{
  double rest = fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

double alu_f64(AluOp op, double x, double y)
{
  switch ((int)op) {
  case ALU_OP_ABS: return fabs(x);
  case ALU_OP_ADD: return x + y;
  case ALU_OP_AVERAGE: return (x + y) * 0.5;
  case ALU_OP_BYPASS: return x;
  case ALU_OP_DIVIDE: return x / y;
  case ALU_OP_IS_EQUAL: return x == y;
  case ALU_OP_IS_GE: return x >= y;
  case ALU_OP_IS_GT: return x > y;
  case ALU_OP_IS_LE: return x <= y;
  case ALU_OP_IS_LT: return x < y;
  case ALU_OP_LOGICAL_AND: return x != 0 && y != 0;
  case ALU_OP_LOGICAL_OR: return x != 0 || y != 0;
  case ALU_OP_LOGICAL_XOR: return (x != 0) != (y != 0);
  case ALU_OP_MAX: return x > y || isnan(y) ? x : y;
  case ALU_OP_MIN: return x < y || isnan(y) ? x : y;
  case ALU_OP_MOD: return modulo(x, y);
  case ALU_OP_MULT: return x * y;
  case ALU_OP_NOT_EQUAL: return x != y;
  case ALU_OP_POW: return pow(x, y);
  case ALU_OP_RSQRT: return 1 / sqrt(x);
  case ALU_OP_SUBTRACT: return x - y;
  case ALU_OP_ABS_MAX: return fabs(x) > fabs(y) || isnan(y) ? x : y;
  case ALU_OP_ABS_MIN: return fabs(x) < fabs(y) || isnan(y) ? x : y;
  case ALU_OP_SQUARE: return x * x;
  case ALU_OP_RELU: return x > 0 ? x : 0;
  case ALU_OP_RECIPROCAL: return 1 / x;
  case ALU_OP_LOGICAL_NOT: return x == 0;
  }
  bug("ALU operator %s on doubles", alu_wire_name(op));
}

static const double pi = 3.14159265358979323846;

static double sigmoid(double x)
{
  return 1 / (1 + exp(-x));
}

static double normal_distribution(double x)
{
  return 0.5 * erfc(-x / sqrt(2));
}

static double silu_dx(double x)
{
  return sigmoid(x) * (1 + x * sigmoid(-x));
}

static double softplus(double x)
{
  return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

// Beyond pi the hardware goes on with a cubic.
static double sine(double x)
{
  double u = fabs(x) - pi, beyond = u * u * u / 6 - u;
  return u <= 0 ? sin(x) : x < 0 ? -beyond : beyond;
}

double activation_f64(ActivationFunc func, double x, double slope)
{
  switch (func) {
  case ACTIVATION_FUNC_ABS: return fabs(x);
  case ACTIVATION_FUNC_ARCTAN: return atan(x);
  case ACTIVATION_FUNC_COPY: return x;
  case ACTIVATION_FUNC_ERF: return erf(x);
  case ACTIVATION_FUNC_ERF_DX: return 2 / sqrt(pi) * exp(-x * x);
  case ACTIVATION_FUNC_EXP: return exp(x);
  case ACTIVATION_FUNC_GELU: return x * normal_distribution(x);
  case ACTIVATION_FUNC_GELU_APPRX_TANH: return x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x * x * x));
  case ACTIVATION_FUNC_GELU_DX: return normal_distribution(x) + x * exp(-x * x / 2) / sqrt(2 * pi);
  case ACTIVATION_FUNC_LOG: return log(x);
  case ACTIVATION_FUNC_MISH: return x * tanh(softplus(x));
  case ACTIVATION_FUNC_RECIPROCAL: return 1 / x;
  case ACTIVATION_FUNC_RELU: return x > 0 ? x : 0;
  case ACTIVATION_FUNC_RSQRT: return 1 / sqrt(x);
  case ACTIVATION_FUNC_SIGMOID: return sigmoid(x);
  case ACTIVATION_FUNC_SIGN: return (x > 0) - (x < 0);
  case ACTIVATION_FUNC_SILU: return x * sigmoid(x);
  case ACTIVATION_FUNC_SILU_DX: return silu_dx(x);
  case ACTIVATION_FUNC_SIN: return sine(x);
  case ACTIVATION_FUNC_SOFTPLUS: return softplus(x);
  case ACTIVATION_FUNC_SQRT: return sqrt(x);
  case ACTIVATION_FUNC_SQUARE: return x * x;
  case ACTIVATION_FUNC_TANH: return tanh(x);
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID: return x * sigmoid(1.702 * x);
  case ACTIVATION_FUNC_GELU_APPRX_SIGMOID_DX: return silu_dx(1.702 * x);
  case ACTIVATION_FUNC_PRELU: return x >= 0 ? x : slope * x;
  case ACTIVATION_FUNC_COUNT: break;
  }
  bug("activation function %d", (int)func);
}
