// variant.c -- one variant's kernels as a table.

#include "sim/kernels/variants.h"

extern const KernelVariant KERNEL_NAME(variant);

#define KERNEL_TEXT_(text) #text
#define KERNEL_TEXT(text) KERNEL_TEXT_(text)

const KernelVariant KERNEL_NAME(variant) = {
    KERNEL_TEXT(KERNEL_VARIANT),
#define KERNEL(name, parameters, arguments) KERNEL_NAME(name),
#include "sim/kernels/kernels.def"
};
