// variants.h -- the same kernels, compiled for several instruction sets.
//
// Every file of meson.build's `variant_src` is compiled once per variant, with KERNEL_VARIANT set to its name and the
// compiler told which instructions it may use; KERNEL_NAME keeps the copies apart. All copies of a kernel have the same
// bits, and tests call each copy that this CPU can run. The choice is made anew at every call, from what the compiler's
// run-time library found out about the CPU at start.

#pragma once
#include "sim/kernels/kernels.h"

typedef struct KernelVariant {
  const char *name;
#define KERNEL(name, parameters, arguments) void(*name) parameters;
#include "sim/kernels/kernels.def"
} KernelVariant;

// Variant `index`, the widest first, or NULL if there are fewer that can run here. The last is the baseline.
const KernelVariant *kernel_variant(size_t index);

#define KERNEL_JOIN_(name, variant) kernel_##name##_##variant
#define KERNEL_JOIN(name, variant) KERNEL_JOIN_(name, variant)
#define KERNEL_NAME(name) KERNEL_JOIN(name, KERNEL_VARIANT)

#ifdef KERNEL_VARIANT
#define KERNEL(name, parameters, arguments) void KERNEL_NAME(name) parameters;
#include "sim/kernels/kernels.def"
#endif
