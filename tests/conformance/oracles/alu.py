"""The ALU operators in float32, one rounding each, on bits, and on whole numbers (docs/numerics.md section 3)."""

import math
from fractions import Fraction

import numpy as np

from .exact import power, round_f32
from .formats import INTEGERS, bits_of, quiet, signed, wrapped


def where_greater(a, b, x, y):
    """x where a > b or only b is NaN, else y."""
    return np.where((a > b) | (np.isnan(b) & ~np.isnan(a)), x, y)


def truth(x):
    return ~(x == 0)


def modulo(a, b):
    """Python's %: the sign of the divisor, the exact remainder rounded once."""
    def one(x, y):
        if math.isnan(x) or math.isnan(y) or math.isinf(x) or y == 0:
            return math.nan
        if math.isinf(y):
            return y if x != 0 and (x < 0) != (y < 0) else math.copysign(x, y) if x == 0 else x
        rest = Fraction(x) - Fraction(y) * math.floor(Fraction(x) / Fraction(y))
        return round_f32(rest) if rest else math.copysign(0.0, y)
    return np.vectorize(one, otypes=[np.float32])(a, b)


def reciprocal(x):
    return np.float32(1) / x


BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "maximum": lambda a, b: where_greater(a, b, a, b),
    "minimum": lambda a, b: where_greater(-a, -b, a, b),
    "equal": lambda a, b: a == b, "not_equal": lambda a, b: a != b, "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b, "less": lambda a, b: a < b, "less_equal": lambda a, b: a <= b,
    "logical_and": lambda a, b: truth(a) & truth(b), "logical_or": lambda a, b: truth(a) | truth(b),
    "logical_xor": lambda a, b: truth(a) ^ truth(b),
    "abs_max": lambda a, b: where_greater(abs(a), abs(b), a, b), "abs_min": lambda a, b: where_greater(-abs(a), -abs(b), a, b),
    "mod": modulo, "power": lambda a, b: np.vectorize(power, otypes=[np.float32])(a, b),
}
UNARY = {
    "abs": np.abs, "square": lambda x: x * x, "relu": lambda x: where_greater(x, np.zeros_like(x), x, np.zeros_like(x)),
    "reciprocal": reciprocal,
    "rsqrt": lambda x: np.vectorize(rsqrt, otypes=[np.float32])(x),
    "logical_not": lambda x: x == 0,
}


def rsqrt(x):
    """1 / sqrt(x), rounded once."""
    if math.isnan(x) or x < 0:
        return math.nan
    if x == 0:
        return math.copysign(math.inf, x)
    if math.isinf(x):
        return 0.0
    square = 1 / Fraction(x)
    shift = 200 - square.numerator.bit_length() // 2 + square.denominator.bit_length() // 2
    root = math.isqrt(square.numerator * 4**shift // square.denominator)
    # the root is irrational or a power of two: a sticky bit decides every rounding but that of exact ones
    exact = Fraction(root, 2**shift) ** 2 == square
    return round_f32(Fraction(2 * root + (not exact), 2 ** (shift + 1)))


def alu(op, a, b=None):
    """`a op b` of float32 arrays as float32; NaN results are the quiet one."""
    with np.errstate(all="ignore"):
        result = UNARY[op](np.asarray(a, np.float32)) if op in UNARY else BINARY[op](*np.broadcast_arrays(
            np.asarray(a, np.float32), np.asarray(b, np.float32)))
    return quiet(np.asarray(result, np.float32))


BITS = {
    "bitwise_and": lambda a, b, n: a & b, "bitwise_or": lambda a, b, n: a | b, "bitwise_xor": lambda a, b, n: a ^ b,
    "left_shift": lambda a, b, n: a << b if 0 <= b < n else 0,
    "right_shift": lambda a, b, n: (a & ((1 << n) - 1)) >> b if 0 <= b < n else 0,
}


def bitwise(op, a, b, to):
    """Bit operators on Data of integers: extended by their types to the widest of both and of the result's dtype."""
    width = max(bits_of(a.dtype), bits_of(to), *([bits_of(b.dtype)] if b is not None else []))
    if op == "invert":
        return wrapped(~a.ints, to)
    first, second = np.broadcast_arrays(a.ints, b.ints)
    flat = [BITS[op](int(x), int(y) & ((1 << width) - 1) if "shift" in op else int(y), width)
            for x, y in zip(first.reshape(-1), second.reshape(-1))]
    return wrapped(np.array(flat, object).reshape(first.shape), to)


def truncated(a, b):
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def whole_power(a, b):
    if b >= 0:
        return a**b if b < 64 or abs(a) <= 1 else pow(a, b, 1 << 32)
    return {1: 1, -1: 1 if b % 2 == 0 else -1}.get(a, 0)


WHOLE = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "divide": truncated,
    "maximum": max, "minimum": min, "equal": lambda a, b: int(a == b), "not_equal": lambda a, b: int(a != b),
    "greater": lambda a, b: int(a > b), "greater_equal": lambda a, b: int(a >= b), "less": lambda a, b: int(a < b),
    "less_equal": lambda a, b: int(a <= b), "mod": lambda a, b: 0 if b == 0 else a % b, "power": whole_power,
    "logical_and": lambda a, b: int(a != 0 and b != 0), "logical_or": lambda a, b: int(a != 0 or b != 0),
    "logical_xor": lambda a, b: int((a != 0) != (b != 0)),
    "abs_max": lambda a, b: a if abs(a) > abs(b) else b, "abs_min": lambda a, b: a if abs(a) < abs(b) else b,
}


def whole(op, a, b, to):
    """Exact 32-bit integers, modulo 2^32: the integer path of tensor_tensor."""
    flat = [WHOLE[op](int(x), int(y)) for x, y in zip(a.ints.reshape(-1), b.ints.reshape(-1))]
    return wrapped(np.array(flat, object).reshape(a.shape), to)


IDENTITY = {"add": 0.0, "subtract": 0.0, "multiply": 1.0, "maximum": -math.inf, "minimum": math.inf, "abs_max": 0.0,
            "abs_min": math.inf}


def fold(op, values, start=None):
    """Left to right over the last axis, one rounding a step; from `start`, or from the first element."""
    values = np.asarray(values, np.float32)
    i = 0
    if start is None:
        state, i = values[..., 0], 1
    else:
        state = np.broadcast_to(np.asarray(start, np.float32), values.shape[:-1])
    for k in range(i, values.shape[-1]):
        state = alu(op, state, values[..., k])
    return quiet(state)


__all__ = ["INTEGERS", "alu", "bitwise", "fold", "signed", "whole", "IDENTITY"]
