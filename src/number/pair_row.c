// pair_row.c -- rows of functions with pairs of floats: a value and what it lost, good to 2^-34 or so.
//
// Where the two ends of value +- doubt round to the same float, that is the correctly rounded result. The other
// elements, one in some hundreds, and those out of a function's usual range are listed and computed in another way. Each
// doubt is more than the largest error: every input was tried (tests/long/test_number_exhaustive.py).

#include "number/pair_row.h"

#if defined __x86_64__ && defined __GNUC__ && !defined KLR_NO_CLONES
#include "number/pair.h"

#include <string.h>

// Sixteen elements on their way through the stages of a function. A stage runs over many vectors before the next one
// does: the steps that wait for each other are then so few that the CPU finds enough to do beside them.
typedef struct Lanes {
  __m512 x, power, exponent;  // the value is multiplied by 2^floor(exponent) after it is rounded
  Pair value;
  union {
    PairExp exp;
    PairLog log;
    Pair start;
  };
  __mmask16 unusual;  // where the value cannot be had
} Lanes;

#define STAGE PAIR_FUNCTION void
#define USES_AVX512 __attribute__((target("avx512f,avx512dq")))
#define ZERO _mm512_setzero_ps()

// Below, what a result's low part holds may get lost.
#define TINY 0x1p-60f

PAIR_FUNCTION Pair only(__m512 x)
{
  return (Pair){x, ZERO};
}

PAIR_FUNCTION __m512 negated(__m512 x)
{
  return _mm512_xor_ps(x, ALL(-0.0f));
}

PAIR_FUNCTION Pair with_sign_of(Pair value, __m512 x)
{
  __m512 sign = _mm512_and_ps(x, ALL(-0.0f));
  return (Pair){_mm512_xor_ps(value.high, sign), _mm512_xor_ps(value.low, sign)};
}

// Lanes that are not from `least` to `most`, NaN among them.
PAIR_FUNCTION __mmask16 outside(__m512 x, float least, float most)
{
  return _mm512_cmp_ps_mask(x, ALL(least), _CMP_NGE_UQ) | _mm512_cmp_ps_mask(x, ALL(most), _CMP_NLE_UQ);
}

// Lanes that are not positive, finite and normal.
PAIR_FUNCTION __mmask16 not_normal(__m512 x)
{
  __m512i above = _mm512_sub_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x00800000));
  return _mm512_cmpge_epu32_mask(above, _mm512_set1_epi32(0x7F000000));
}

STAGE nothing(Lanes *l)
{
  (void)l;
}

// ---- e^x; results that are zero and infinite come from the exponent, subnormal ones are not usual
STAGE exp_start(Lanes *l)
{
  l->exp = pair_exp_parts(only(_mm512_min_ps(_mm512_max_ps(l->x, ALL(-110)), ALL(90))));
  l->exponent = l->exp.exponent;
  l->unusual = _mm512_cmp_ps_mask(_mm512_abs_ps(_mm512_add_ps(l->x, ALL(95.5f))), ALL(8.5f), _CMP_NGE_UQ);
}

STAGE exp_end(Lanes *l)
{
  l->value = pair_exp_sum(l->exp.factor, l->exp);
}

// ---- with t = e^-|x|, for |x| up to 60: 1 / (1 + t), or t / (1 + t) for negative x
STAGE falling_start(Lanes *l)
{
  l->exp = pair_exp_scaled(pair_exp_parts(only(_mm512_max_ps(negated(_mm512_abs_ps(l->x)), ALL(-60)))));
  l->unusual = outside(l->x, -60, 0x1p127f);
}

STAGE falling_end(Lanes *l)
{
  l->value = pair_settled(pair_exp_sum(l->exp.factor, l->exp));
}

STAGE sigmoid_end(Lanes *l)
{
  Pair t = l->value, below = pair_more(pair_sum(ALL(1), t.high), t.low);
  l->value = pair_divide(pair_select(_mm512_cmp_ps_mask(l->x, ZERO, _CMP_LT_OQ), t, only(ALL(1))), below);
}

STAGE silu_end(Lanes *l)
{
  sigmoid_end(l);
  l->value = pair_times(l->value, l->x);
  l->unusual |= _mm512_cmp_ps_mask(_mm512_abs_ps(l->x), ALL(TINY), _CMP_LT_OQ);
}

// ---- max(x, 0) + ln(1 + t). The logarithm takes small t as it is, since 1 + t loses too much of it
STAGE softplus_middle(Lanes *l)
{
  falling_end(l);
  Pair t = l->value;
  __mmask16 is_small = _mm512_cmp_ps_mask(t.high, ALL(0x1p-5f), _CMP_LT_OQ);
  PairLog parts = pair_log_parts(pair_more(pair_sum(ALL(1), t.high), t.low));
  l->log = (PairLog){pair_select(is_small, only(ZERO), parts.start), pair_select(is_small, t, parts.rest)};
}

STAGE softplus_end(Lanes *l)
{
  Pair tail = pair_log_sum(l->log);
  __m512 line = _mm512_max_ps(l->x, ZERO);
  l->value = pair_more(pair_sum(_mm512_max_ps(line, tail.high), _mm512_min_ps(line, tail.high)), tail.low);
}

// ---- with e = e^2|x| - 1: e / (e + 2)
STAGE tanh_start(Lanes *l)
{
  __m512 a = _mm512_abs_ps(l->x);
  l->exp = pair_exp_scaled(pair_exp_parts(only(_mm512_min_ps(_mm512_add_ps(a, a), ALL(19)))));
  l->unusual = outside(a, 0x1p-7f, __builtin_inff());  // below, e is less exact
}

STAGE tanh_middle(Lanes *l)
{
  l->value = pair_settled(pair_exp_sum(_mm512_sub_ps(l->exp.factor, ALL(1)), l->exp));
}

STAGE tanh_end(Lanes *l)
{
  Pair e = l->value, below = pair_sum(_mm512_max_ps(e.high, ALL(2)), _mm512_min_ps(e.high, ALL(2)));
  l->value = with_sign_of(pair_divide(e, pair_more(below, e.low)), l->x);
}

// ---- ln x
STAGE log_start(Lanes *l)
{
  l->log = pair_log_parts(only(l->x));
  l->unusual = not_normal(l->x);
}

STAGE log_end(Lanes *l)
{
  l->value = pair_log_sum(l->log);
}

// ---- x^y = e^(y ln x), for |y ln x| up to 60
STAGE pow_middle(Lanes *l)
{
  Pair z = pair_times(pair_log_sum(l->log), l->power);
  l->unusual |= outside(_mm512_abs_ps(z.high), 0, 60);
  l->exp = pair_exp_scaled(pair_exp_parts(z));
}

// ---- 1 / sqrt x: a step of Newton's method, to the second order
STAGE rsqrt(Lanes *l)
{
  __m512 y = _mm512_rsqrt14_ps(l->x);
  Pair t = pair_product(l->x, y);
  __m512 e = _mm512_fnmadd_ps(t.low, y, _mm512_fnmadd_ps(t.high, y, ALL(1)));
  l->value = (Pair){y, _mm512_mul_ps(y, _mm512_mul_ps(e, _mm512_fmadd_ps(e, ALL(0.375f), ALL(0.5f))))};
  l->unusual = not_normal(l->x);
}

// The multiple of 1/16 nearest to x; *index: how many.
PAIR_FUNCTION __m512 sixteenths(__m512 x, __m512i *index)
{
  __m512 shifted = _mm512_add_ps(x, ALL(0x1.8p19f));
  *index = _mm512_castps_si512(shifted);
  return _mm512_sub_ps(shifted, ALL(0x1.8p19f));
}

// ---- arctan a = arctan c + arctan q, where c is near a and q = (a - c) / (1 + a c)
STAGE arctan_start(Lanes *l)
{
  __m512i index;
  __m512 a = _mm512_abs_ps(l->x), c = sixteenths(a, &index), below = _mm512_fmadd_ps(a, c, ALL(1));
  Pair exact = {below, _mm512_fmadd_ps(a, c, _mm512_sub_ps(ALL(1), below))};
  l->value = pair_divide(only(_mm512_sub_ps(a, c)), exact);
  l->start = (Pair){look_up(arctan_of, index), look_up(arctan_of_low, index)};
  l->unusual = outside(a, TINY, 1.96f);
}

STAGE arctan_end(Lanes *l)
{
  Pair q = l->value;
  __m512 square = _mm512_mul_ps(q.high, q.high);
  __m512 series = _mm512_fmadd_ps(square, ALL(-0x1.24924ap-3f), ALL(0x1.99999ap-3f));
  series = _mm512_fmadd_ps(square, series, ALL(-0x1.555556p-2f));
  __m512 low = _mm512_fmadd_ps(_mm512_mul_ps(q.high, square), series, q.low);
  l->value = with_sign_of(pair_more(pair_sum(l->start.high, q.high), _mm512_add_ps(low, l->start.low)), l->x);
}

// ---- sin w, where w is |x| or pi - |x|: sin c cos d + cos c sin d with d = w - c
STAGE sin_start(Lanes *l)
{
  const __m512 pi = ALL(0x1.921fb6p+1f), pi_low = ALL(-0x1.777a5cp-24f);
  __m512 a = _mm512_abs_ps(l->x);
  __mmask16 is_low = _mm512_cmp_ps_mask(a, ALL(1.5f), _CMP_LT_OQ);
  l->value = pair_select(is_low, only(a), pair_sum(_mm512_sub_ps(pi, a), pi_low));
  l->unusual = outside(a, TINY, 0x1.921fb4p+1f);
}

STAGE sin_end(Lanes *l)
{
  __m512i index;
  __m512 c = sixteenths(l->value.high, &index), d = _mm512_sub_ps(l->value.high, c), square = _mm512_mul_ps(d, d);
  __m512 cos_less = _mm512_mul_ps(square, _mm512_fmadd_ps(square, ALL(0x1.555556p-5f), ALL(-0.5f)));
  __m512 sin_less = _mm512_fmadd_ps(square, ALL(0x1.111112p-7f), ALL(-0x1.555556p-3f));
  sin_less = _mm512_mul_ps(_mm512_mul_ps(d, square), sin_less);
  __m512 sin_c = look_up(sin_of, index), cos_c = look_up(cos_of, index);
  Pair slope = pair_product(cos_c, d), sum = pair_sum(sin_c, slope.high);
  __m512 low = _mm512_fmadd_ps(look_up(cos_of_low, index), d, _mm512_add_ps(look_up(sin_of_low, index), slope.low));
  low = _mm512_fmadd_ps(l->value.low, _mm512_fnmadd_ps(sin_c, d, cos_c), low);
  low = _mm512_fmadd_ps(cos_c, sin_less, _mm512_fmadd_ps(sin_c, cos_less, low));
  l->value = with_sign_of(pair_more(sum, low), l->x);
}

// ---- rows

// An end of value +- doubt, rounded; `doubt` is relative to the value.
PAIR_FUNCTION __m512 end(Pair value, __m512 doubt)
{
  return _mm512_add_ps(value.high, _mm512_fmadd_ps(value.high, doubt, value.low));
}

enum { CHUNK_VECTORS = 32, CHUNK = CHUNK_VECTORS * VECTOR };

// Up to CHUNK_VECTORS whole vectors; waiting[v] has the lanes of vector v whose results are not decided. There is no
// branch on values.
typedef void Vectors(size_t vectors, float *dst, const float *src, uint16_t *waiting);
#define VECTORS(name, stage1, stage2, stage3, doubt, is_scaled)                                                        \
  USES_AVX512 static void name(size_t vectors, float *dst, const float *src, uint16_t *waiting)                        \
  {                                                                                                                    \
    Lanes lanes[CHUNK_VECTORS];                                                                                        \
    for (size_t v = 0; v < vectors; v++) {                                                                             \
      lanes[v].x = _mm512_loadu_ps(src + v * VECTOR);                                                                  \
      stage1(&lanes[v]);                                                                                               \
    }                                                                                                                  \
    for (size_t v = 0; v < vectors; v++)                                                                               \
      stage2(&lanes[v]);                                                                                               \
    for (size_t v = 0; v < vectors; v++) {                                                                             \
      Lanes *l = &lanes[v];                                                                                            \
      stage3(l);                                                                                                       \
      __m512 low = end(l->value, ALL(-(doubt))), high = end(l->value, ALL(doubt));                                     \
      waiting[v] = l->unusual | _mm512_cmp_ps_mask(low, high, _CMP_NEQ_UQ);                                            \
      _mm512_storeu_ps(dst + v * VECTOR, (is_scaled) ? _mm512_scalef_ps(low, l->exponent) : low);                      \
    }                                                                                                                  \
  }

VECTORS(arctan_vectors, arctan_start, nothing, arctan_end, 0x1p-33f, false)
VECTORS(exp_vectors, exp_start, nothing, exp_end, 0x1p-35f, true)
VECTORS(log_vectors, log_start, nothing, log_end, 0x1p-33f, false)
VECTORS(rsqrt_vectors, rsqrt, nothing, nothing, 0x1p-35f, false)
VECTORS(sigmoid_vectors, falling_start, falling_end, sigmoid_end, 0x1p-33f, false)
VECTORS(silu_vectors, falling_start, falling_end, silu_end, 0x1p-33f, false)
VECTORS(sin_vectors, sin_start, nothing, sin_end, 0x1p-32f, false)
VECTORS(softplus_vectors, falling_start, softplus_middle, softplus_end, 0x1p-32f, false)
VECTORS(tanh_vectors, tanh_start, tanh_middle, tanh_end, 0x1p-31f, false)

static Vectors *const functions[ACTIVATION_FUNC_COUNT] = {
    [ACTIVATION_FUNC_ARCTAN] = arctan_vectors,   [ACTIVATION_FUNC_EXP] = exp_vectors,
    [ACTIVATION_FUNC_LOG] = log_vectors,         [ACTIVATION_FUNC_RSQRT] = rsqrt_vectors,
    [ACTIVATION_FUNC_SIGMOID] = sigmoid_vectors, [ACTIVATION_FUNC_SILU] = silu_vectors,
    [ACTIVATION_FUNC_SIN] = sin_vectors,         [ACTIVATION_FUNC_SOFTPLUS] = softplus_vectors,
    [ACTIVATION_FUNC_TANH] = tanh_vectors,
};

// Which of n elements wait; gives their number.
USES_AVX512 static size_t list_waiting(const uint16_t *waiting, size_t n, uint32_t *place)
{
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  size_t count = 0;
  for (size_t i = 0; i < n; i += VECTOR) {
    __mmask16 which = n - i < VECTOR ? waiting[i / VECTOR] & (__mmask16)((1u << (n - i)) - 1) : waiting[i / VECTOR];
    if (!which)
      continue;
    __m512i places = _mm512_add_epi32(lane, _mm512_set1_epi32((int)i));
    _mm512_storeu_si512(place + count, _mm512_maskz_compress_epi32(which, places));
    count += (size_t)__builtin_popcount(which);
  }
  return count;
}

// Computes the waiting ones of n elements in another way, side by side; whole vectors are faster.
static void settle_waiting(const uint16_t *waiting, size_t n, float *dst, const float *src, SettleRow *settle)
{
  uint32_t place[CHUNK + VECTOR];
  float x[CHUNK + VECTOR];
  size_t count = list_waiting(waiting, n, place), whole = count;
  for (size_t i = 0; i < count; i++)
    x[i] = src[place[i]];
  while (whole % VECTOR)
    x[whole++] = 1;
  if (whole)
    settle(whole, x, x);
  for (size_t i = 0; i < count; i++)
    dst[place[i]] = x[i];
}

static bool has_avx512(void)
{
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
}

bool pair_row(ActivationFunc func, size_t n, float *dst, const float *src, SettleRow *settle)
{
  Vectors *run = functions[func];
  if (!run || !has_avx512())
    return false;
  for (size_t at = 0; at < n; at += CHUNK) {
    size_t count = n - at < CHUNK ? n - at : CHUNK, vectors = count / VECTOR, left = count % VECTOR;
    float kept[CHUNK], last[VECTOR] = {0}, *to = dst + at;
    uint16_t waiting[CHUNK_VECTORS + 1];
    const float *from = src == dst ? memcpy(kept, src + at, count * sizeof *src) : src + at;
    run(vectors, to, from, waiting);
    if (left) {
      memcpy(last, from + vectors * VECTOR, left * sizeof *last);
      run(1, last, last, waiting + vectors);
      memcpy(to + vectors * VECTOR, last, left * sizeof *last);
    }
    settle_waiting(waiting, count, to, from, settle);
  }
  return true;
}

// Up to CHUNK_VECTORS whole vectors, as above. The error of the logarithm, below 2^-40 but for what grows with the power,
// counts as often as y says; pairs of inputs cannot all be tried, so the doubt is four times what follows from that.
USES_AVX512 static void pow_vectors(size_t vectors, float *dst, const float *x, const float *y, size_t step,
                                    uint16_t *waiting)
{
  Lanes lanes[CHUNK_VECTORS];
  for (size_t v = 0; v < vectors; v++) {
    lanes[v].x = _mm512_loadu_ps(x + v * VECTOR);
    lanes[v].power = step ? _mm512_loadu_ps(y + v * VECTOR) : ALL(*y);
    log_start(&lanes[v]);
  }
  for (size_t v = 0; v < vectors; v++)
    pow_middle(&lanes[v]);
  for (size_t v = 0; v < vectors; v++) {
    Lanes *l = &lanes[v];
    exp_end(l);
    __m512 doubt = _mm512_fmadd_ps(_mm512_abs_ps(l->power), ALL(0x1p-38f), ALL(0x1p-32f));
    __m512 low = end(l->value, negated(doubt)), high = end(l->value, doubt);
    waiting[v] = l->unusual | _mm512_cmp_ps_mask(low, high, _CMP_NEQ_UQ);
    _mm512_storeu_ps(dst + v * VECTOR, low);
  }
}

static void pow_chunk(size_t n, float *dst, const float *x, const float *y, size_t step, SettlePow *settle)
{
  uint16_t waiting[CHUNK_VECTORS];
  uint32_t place[CHUNK + VECTOR];
  float value[CHUNK], left_x[CHUNK] = {0}, left_y[CHUNK];
  size_t vectors = n / VECTOR, left = n % VECTOR;
  pow_vectors(vectors, value, x, y, step, waiting);
  if (left) {
    memcpy(left_x, x + vectors * VECTOR, left * sizeof *x);
    memcpy(left_y, y + step * vectors * VECTOR, (step ? left : 1) * sizeof *y);
    pow_vectors(1, value + vectors * VECTOR, left_x, left_y, step, waiting + vectors);
  }
  size_t count = list_waiting(waiting, n, place);
  for (size_t i = 0; i < count; i++) {
    left_x[i] = x[place[i]];
    left_y[i] = y[step * place[i]];
  }
  settle(count, left_x, left_x, left_y, 1);
  memcpy(dst, value, n * sizeof *dst);
  for (size_t i = 0; i < count; i++)
    dst[place[i]] = left_x[i];
}

bool pair_pow(size_t n, float *dst, const float *x, const float *y, size_t step, SettlePow *settle)
{
  if (!has_avx512())
    return false;
  for (size_t at = 0; at < n; at += CHUNK)
    pow_chunk(n - at < CHUNK ? n - at : CHUNK, dst + at, x + at, y + step * at, step, settle);
  return true;
}

#else

bool pair_row(ActivationFunc func, size_t n, float *dst, const float *src, SettleRow *settle)
{
  (void)func, (void)n, (void)dst, (void)src, (void)settle;
  return false;
}

bool pair_pow(size_t n, float *dst, const float *x, const float *y, size_t step, SettlePow *settle)
{
  (void)n, (void)dst, (void)x, (void)y, (void)step, (void)settle;
  return false;
}

#endif
