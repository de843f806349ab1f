// wide.h -- numbers of about 104 bits, as unevaluated sums of two doubles, and functions of them.
//
// This is the slow and sure way to a correctly rounded float32: when a double is too close to the midpoint of two
// floats to decide, the value is computed again here. Errors stay below 2^-90 of the result (of the largest term where
// terms cancel), while no input of any function in activation.def comes closer than 2^-65 to a midpoint without being
// one. The methods are the plain series, chosen to need no tables.

#pragma once

// hi + lo with |lo| at most half a unit in the last place of hi. Ranges here stay far from overflow and underflow.
typedef struct Wide {
  double hi, lo;
} Wide;

static inline Wide wide(double value) { return (Wide){value, 0}; }
Wide wide_add(Wide a, Wide b);
Wide wide_sub(Wide a, Wide b);
Wide wide_mul(Wide a, Wide b);
Wide wide_div(Wide a, Wide b);
Wide wide_neg(Wide a);
Wide wide_times(double power_of_two, Wide a);  // exact
Wide wide_sqrt(Wide a);                        // a > 0

extern const Wide wide_pi, wide_ln2;

Wide wide_exp(Wide x);    // |x| below 700
Wide wide_expm1(Wide x);  // accurate also near 0
Wide wide_log(double x);  // x positive and normal; accurate also near 1
Wide wide_log1p(Wide x);  // 0 <= x <= 1, accurate also near 0
Wide wide_sin(Wide x);    // |x| up to pi / 2
Wide wide_atan(double x);
Wide wide_erf(Wide x);    // accurate also near 0
Wide wide_erfc(Wide x);   // accurate also for large x, to 20

// The float32 nearest to `a`, ties to even.
float wide_round_f32(Wide a);
