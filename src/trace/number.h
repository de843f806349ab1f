// number.h -- arithmetic of Python's ints and floats, exact: unbounded integers, floor division, correctly rounded
// results where a C library would be free to choose.

#pragma once
#include "trace/tracer.h"

#include <gmp.h>

// An int or bool of any size; `storage` must live as long as `out` is read. False when `v` is not one.
typedef struct IntView {
  mpz_t z;
  unsigned long limb;
} IntView;
bool int_view(Value v, IntView *view);
Value int_from_mpz(Tracer *t, mpz_srcptr z);  // copies; small results are VALUE_INT
Value int_from_u64(Tracer *t, uint64_t v);
static inline bool value_is_int(Value v) { return v.tag == VALUE_INT || v.tag == VALUE_BOOL || v.tag == VALUE_BIG_INT; }

// Both operands ints (or bools). False after raising.
bool int_binary(Tracer *t, Operator op, Value left, Value right, Span span, Value *out);
int int_compare(Value left, Value right);  // -1, 0, 1
Value int_negate(Tracer *t, Value v);
Value int_invert(Tracer *t, Value v);
int int_sign(Value v);
// Digits in base 2, 8, 10 or 16 without a prefix, with "-" when negative. False after raising (too many digits).
bool int_add_text(Tracer *t, Value v, int base, Span span, StrBuf *out);
// Text as int(text, base) reads it: spaces, sign, prefix, underscores. False when it is not a number of that base.
bool int_from_text(Tracer *t, Str text, int base, Value *out);
bool int_to_double(Tracer *t, Value v, Span span, double *out);  // OverflowError when too large
bool int_power_mod(Tracer *t, Value base, Value exponent, Value modulus, Span span, Value *out);
Value int_gcd(Tracer *t, Value a, Value b);
size_t int_bit_length(Value v);

bool float_binary(Tracer *t, Operator op, double left, double right, Span span, Value *out);
bool float_to_int(Tracer *t, double d, Span span, Value *out);      // truncates; nan and inf raise
int int_compare_double(Value i, double d);                          // exact; d is not nan
double float_round_digits(double d, int64_t digits);                // round half to even on the exact decimal value
bool int_round_digits(Tracer *t, Value v, int64_t digits, Span span, Value *out);  // digits < 0
bool float_from_text(Str text, double *out);                        // as float(text)
double float_pow(double x, double y);                               // correctly rounded
