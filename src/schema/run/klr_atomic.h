/* klr_atomic.h -- atomic changes of array elements, as scalar kernels have them; each gives the element from before. */

#ifndef KLR_ATOMIC_H
#define KLR_ATOMIC_H

/* By comparison and exchange of the element's bits, until nobody has come between. */
#define KLR_ATOMIC_LOOP(name, type, bits, new_value)                                                                   \
  static inline __attribute__((unused)) type name(type *at, type value)                                                \
  {                                                                                                                    \
    bits before = __atomic_load_n((bits *)at, __ATOMIC_RELAXED), after;                                                \
    type old;                                                                                                          \
    do {                                                                                                               \
      memcpy(&old, &before, sizeof old);                                                                               \
      type next = (new_value);                                                                                         \
      memcpy(&after, &next, sizeof after);                                                                             \
    } while (!__atomic_compare_exchange_n((bits *)at, &before, after, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));         \
    return old;                                                                                                        \
  }

#define KLR_ATOMICS(tag, type, bits)                                                                                   \
  KLR_ATOMIC_LOOP(klr_atomic_min_##tag, type, bits, klr_min_##tag(old, value))                                         \
  KLR_ATOMIC_LOOP(klr_atomic_max_##tag, type, bits, klr_max_##tag(old, value))                                         \
  KLR_ATOMIC_LOOP(klr_atomic_exch_##tag, type, bits, value)                                                            \
  KLR_ATOMIC_CAS(tag, type, bits)

#define KLR_ATOMIC_CAS(tag, type, bits)                                                                                \
  static inline __attribute__((unused)) type klr_atomic_cas_##tag(type *at, type expected, type value)                 \
  {                                                                                                                    \
    bits before, after;                                                                                                \
    memcpy(&before, &expected, sizeof before), memcpy(&after, &value, sizeof after);                                   \
    __atomic_compare_exchange_n((bits *)at, &before, after, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);                    \
    memcpy(&expected, &before, sizeof before);                                                                         \
    return expected;                                                                                                   \
  }

#define KLR_ATOMIC_SUMS(tag, type)                                                                                     \
  static inline __attribute__((unused)) type klr_atomic_add_##tag(type *at, type value)                                \
  {                                                                                                                    \
    return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);                                                            \
  }                                                                                                                    \
  static inline __attribute__((unused)) type klr_atomic_sub_##tag(type *at, type value)                                \
  {                                                                                                                    \
    return __atomic_fetch_sub(at, value, __ATOMIC_RELAXED);                                                            \
  }

KLR_ATOMICS(i32, int32_t, uint32_t)
KLR_ATOMICS(i64, int64_t, uint64_t)
KLR_ATOMICS(u32, uint32_t, uint32_t)
KLR_ATOMICS(u64, uint64_t, uint64_t)
KLR_ATOMICS(f32, float, uint32_t)
KLR_ATOMICS(f64, double, uint64_t)
KLR_ATOMIC_SUMS(i32, int32_t)
KLR_ATOMIC_SUMS(i64, int64_t)
KLR_ATOMIC_SUMS(u32, uint32_t)
KLR_ATOMIC_SUMS(u64, uint64_t)
KLR_ATOMIC_LOOP(klr_atomic_add_f32, float, uint32_t, old + value)
KLR_ATOMIC_LOOP(klr_atomic_sub_f32, float, uint32_t, old - value)
KLR_ATOMIC_LOOP(klr_atomic_add_f64, double, uint64_t, old + value)
KLR_ATOMIC_LOOP(klr_atomic_sub_f64, double, uint64_t, old - value)

#endif
