/* klr_atomic_small.h -- the same of elements of 8 and 16 bits: computed as expressions of them are, in 32 bits, and stored back. */

#define KLR_ATOMICS_SMALL(tag, type, bits, wide, widen, narrow, least, most)                                           \
  KLR_ATOMIC_LOOP(klr_atomic_add_##tag, type, bits, narrow((wide)(widen(old) + widen(value))))                         \
  KLR_ATOMIC_LOOP(klr_atomic_sub_##tag, type, bits, narrow((wide)(widen(old) - widen(value))))                         \
  KLR_ATOMIC_LOOP(klr_atomic_min_##tag, type, bits, narrow(least(widen(old), widen(value))))                           \
  KLR_ATOMIC_LOOP(klr_atomic_max_##tag, type, bits, narrow(most(widen(old), widen(value))))                            \
  KLR_ATOMIC_LOOP(klr_atomic_exch_##tag, type, bits, value)                                                            \
  KLR_ATOMIC_CAS(tag, type, bits)

KLR_ATOMICS_SMALL(i8, int8_t, uint8_t, int32_t, (int32_t), (int8_t), klr_min_i32, klr_max_i32)
KLR_ATOMICS_SMALL(i16, int16_t, uint16_t, int32_t, (int32_t), (int16_t), klr_min_i32, klr_max_i32)
KLR_ATOMICS_SMALL(u8, uint8_t, uint8_t, int32_t, (int32_t), (uint8_t), klr_min_i32, klr_max_i32)
KLR_ATOMICS_SMALL(u16, uint16_t, uint16_t, int32_t, (int32_t), (uint16_t), klr_min_i32, klr_max_i32)
KLR_ATOMICS_SMALL(f16, uint16_t, uint16_t, float, klr_f16_to_f32, klr_f32_to_f16, klr_min_f32, klr_max_f32)
KLR_ATOMICS_SMALL(bf16, uint16_t, uint16_t, float, klr_bf16_to_f32, klr_f32_to_bf16, klr_min_f32, klr_max_f32)
