// dispatch.c -- picks the variant of each call.

#include "sim/kernels/variants.h"

#ifdef KLR_KERNEL_VARIANTS
#define CPU_HAS(feature) __builtin_cpu_supports(feature)
#define VARIANTS(V)                                                                                                    \
  V(avx512, CPU_HAS("avx512f") && CPU_HAS("avx512bw") && CPU_HAS("avx512vl") && CPU_HAS("avx512dq"))                    \
  V(avx2, CPU_HAS("avx2") && CPU_HAS("fma") && CPU_HAS("bmi2"))                                                                           \
  V(baseline, true)
#else
#define VARIANTS(V) V(baseline, true)
#endif

#define DECLARE(variant, runs)                                                                                         \
  extern const KernelVariant kernel_variant_##variant;
VARIANTS(DECLARE)

const KernelVariant *kernel_variant(size_t index)
{
#define COUNT_DOWN(variant, runs)                                                                                      \
  if ((runs) && index-- == 0)                                                                                          \
    return &kernel_variant_##variant;
  VARIANTS(COUNT_DOWN)
  return NULL;
}

bool kernel_saturates(AluOp op)
{
  switch ((int)op) {
  case ALU_OP_ADD:
  case ALU_OP_SUBTRACT:
  case ALU_OP_MULT:
  case ALU_OP_SQUARE:
  case ALU_OP_MAX:
  case ALU_OP_MIN:
  case ALU_OP_IS_EQUAL:
  case ALU_OP_NOT_EQUAL:
  case ALU_OP_IS_GE:
  case ALU_OP_IS_GT:
  case ALU_OP_IS_LE:
  case ALU_OP_IS_LT: return true;
  }
  return false;
}

#define KERNEL(name, parameters, arguments)                                                                            \
  void kernel_##name parameters                                                                                        \
  {                                                                                                                    \
    kernel_variant(0)->name arguments;                                                                                 \
  }
#include "sim/kernels/kernels.def"
