#include "number/activation.h"

const char *activation_wire_name(ActivationFunc op)
{
  static const char *const names[] = {
      "abs",
      "arctan",
      "copy",
      "erf",
      "erf_dx",
      "exp",
      "gelu",
      "gelu_apprx_tanh",
      "gelu_dx",
      "log",
      "mish",
      "reciprocal",
      "relu",
      "rsqrt",
      "sigmoid",
      "sign",
      "silu",
      "silu_dx",
      "sin",
      "softplus",
      "sqrt",
      "square",
      "tanh",
      "gelu_apprx_sigmoid",
      "gelu_apprx_sigmoid_dx",
  };
  return names[op];
}
