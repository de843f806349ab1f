"""The scalar engine's functions on float32 arrays, each value rounded once."""

import math
from fractions import Fraction

import numpy as np

from .alu import alu, rsqrt
from .exact import FUNCTIONS, function, round_f32
from .formats import quiet


def sqrt(x):
    if math.isnan(x) or x < 0:
        return math.nan
    if x == 0 or math.isinf(x):
        return x
    square = Fraction(x)
    shift = 200
    root = math.isqrt(square.numerator * 4**shift // square.denominator)
    exact = Fraction(root, 2**shift) ** 2 == square
    return round_f32(Fraction(2 * root + (not exact), 2 ** (shift + 1)))


def reciprocal(x):
    if math.isnan(x):
        return math.nan
    if x == 0:
        return math.copysign(math.inf, x)
    return math.copysign(0.0, x) if math.isinf(x) else round_f32(1 / Fraction(x))


def sign(x):
    return math.nan if math.isnan(x) else float(x > 0) - float(x < 0) if x else x


SIMPLE = {"copy": lambda x: x, "abs": abs, "sign": sign, "sqrt": sqrt, "rsqrt": rsqrt, "reciprocal": reciprocal,
          "relu": lambda x: x if x > 0 else 0.0}


def activation(name, values, slope=None):
    """f(values) for float32 values; `slope` is prelu's."""
    values = np.asarray(values, np.float32)
    if name == "square":
        return alu("square", values)
    if name == "prelu":
        return np.where(values >= 0, values, alu("multiply", values, np.asarray(slope, np.float32)))
    call = SIMPLE[name] if name in SIMPLE else lambda x: function(name, x)
    with np.errstate(all="ignore"):
        return quiet(np.vectorize(lambda x: call(float(x)), otypes=[np.float64])(values).astype(np.float32))


ALL_FUNCTIONS = sorted({*FUNCTIONS, *SIMPLE, "square"})
