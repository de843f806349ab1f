// kernel.h -- how loops over long rows are compiled.

#pragma once

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

// Marks a function whose plain loops are compiled for several instruction sets, the best of which is picked when the
// program starts. The bits are the same in all of them: nothing is fused or reordered (-ffp-contract=off).
// Empty where the loader cannot pick (other systems and CPUs), under the sanitizers, whose run-time is not there yet
// when the loader picks, and with -DKLR_NO_CLONES.
#if !defined KLR_NO_CLONES && defined __x86_64__ && defined __ELF__ && defined __GNUC__ &&                             \
    !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ && !__has_feature(address_sanitizer) &&              \
    !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer) &&                                            \
    !__has_feature(undefined_behavior_sanitizer)
#define KERNEL_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define KERNEL_CLONES
#endif

// A helper that must become part of each clone.
#define KERNEL_INLINE static inline __attribute__((always_inline))
