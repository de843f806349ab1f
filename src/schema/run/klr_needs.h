/* klr_needs.h -- how many elements arrays need, worked out before a launch: the least and the largest value of an index over all threads. */

/* Of integers, both ends taken on; lo > hi: not known, or no thread asks. */
typedef struct KlrSpan {
  int64_t lo, hi;
} KlrSpan;

#define KLR_SPAN static inline __attribute__((unused)) KlrSpan
#define KLR_NO_SPAN ((KlrSpan){1, 0})

KLR_SPAN klr_span_in(KlrSpan a, int64_t lo, int64_t hi) { return a.lo < lo || a.hi > hi ? KLR_NO_SPAN : a; }
KLR_SPAN klr_span_if(KlrSpan loop, KlrSpan a) { return loop.lo > loop.hi ? KLR_NO_SPAN : a; }
KLR_SPAN klr_span_neg(KlrSpan a) { return a.lo > a.hi || a.lo == INT64_MIN ? KLR_NO_SPAN : (KlrSpan){-a.hi, -a.lo}; }

KLR_SPAN klr_span_add(KlrSpan a, KlrSpan b)
{
  KlrSpan out;
  return a.lo > a.hi || b.lo > b.hi || __builtin_add_overflow(a.lo, b.lo, &out.lo) || __builtin_add_overflow(a.hi, b.hi, &out.hi) ? KLR_NO_SPAN : out;
}

KLR_SPAN klr_span_sub(KlrSpan a, KlrSpan b)
{
  KlrSpan out;
  return a.lo > a.hi || b.lo > b.hi || __builtin_sub_overflow(a.lo, b.hi, &out.lo) || __builtin_sub_overflow(a.hi, b.lo, &out.hi) ? KLR_NO_SPAN : out;
}

static __attribute__((unused, noinline)) KlrSpan klr_span_mul(KlrSpan a, KlrSpan b)
{
  KlrSpan out = KLR_NO_SPAN;
  const int64_t x[4] = {a.lo, a.lo, a.hi, a.hi}, y[4] = {b.lo, b.hi, b.lo, b.hi};
  for (int i = 0; i < 4 && a.lo <= a.hi && b.lo <= b.hi; i++) {
    int64_t product;
    if (__builtin_mul_overflow(x[i], y[i], &product))
      return KLR_NO_SPAN;
    out.lo = i && out.lo < product ? out.lo : product;
    out.hi = i && out.hi > product ? out.hi : product;
  }
  return out;
}

/* By a positive number that is the same for all threads. */
static __attribute__((unused, noinline)) KlrSpan klr_span_floor_div(KlrSpan a, KlrSpan b)
{
  if (a.lo > a.hi || b.lo != b.hi || b.lo <= 0)
    return KLR_NO_SPAN;
  return (KlrSpan){a.lo / b.lo - (a.lo % b.lo < 0), a.hi / b.lo - (a.hi % b.lo < 0)};
}

/* What the name of a loop from `start` to `stop` becomes, which are the same for all threads. */
static __attribute__((unused, noinline)) KlrSpan klr_span_loop(KlrSpan start, KlrSpan stop, int64_t step)
{
  int64_t length;
  if (start.lo != start.hi || stop.lo != stop.hi || (step > 0 ? start.lo >= stop.lo : start.lo <= stop.lo) || __builtin_sub_overflow(stop.lo, start.lo, &length))
    return KLR_NO_SPAN;
  const int64_t last = start.lo + (length - (step > 0 ? 1 : -1)) / step * step;
  return step > 0 ? (KlrSpan){start.lo, last} : (KlrSpan){last, start.lo};
}

static inline __attribute__((unused)) void klr_span_need(uint64_t *needed, KlrSpan index)
{
  if (index.lo <= index.hi && index.hi >= 0 && (uint64_t)index.hi >= *needed)
    *needed = (uint64_t)index.hi + 1;
}
