"""ALU operators on floats, bits and integers against NumPy, Python and MPFR."""

import math

import numpy as np
import pytest

from number_library import SPECIAL, NumberLibrary

pytestmark = pytest.mark.slow  # calls a library, not the program


@pytest.fixture(scope="module")
def number():
    return NumberLibrary()


def pairs(seed=1, count=1 << 18):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 1 << 32, count, dtype=np.uint32).view(np.float32)
    y = rng.integers(0, 1 << 32, count, dtype=np.uint32).view(np.float32)
    small = (rng.integers(-20, 20, (2, count)) / 4).astype(np.float32)
    special = np.array(np.meshgrid(SPECIAL, SPECIAL), np.float32).reshape(2, -1)
    return np.concatenate([x, small[0], special[0]]), np.concatenate([y, small[1], special[1]])


def truth(condition):
    return condition.astype(np.float32)


F32 = {
    "abs": lambda x, y: np.abs(x),
    "add": lambda x, y: x + y,
    "average": lambda x, y: (x + y) * np.float32(0.5),
    "bypass": lambda x, y: x,
    "divide": lambda x, y: x / y,
    "is_equal": lambda x, y: truth(x == y),
    "is_ge": lambda x, y: truth(x >= y),
    "is_gt": lambda x, y: truth(x > y),
    "is_le": lambda x, y: truth(x <= y),
    "is_lt": lambda x, y: truth(x < y),
    "not_equal": lambda x, y: truth(x != y),
    "logical_and": lambda x, y: truth(np.logical_and(x, y)),
    "logical_or": lambda x, y: truth(np.logical_or(x, y)),
    "logical_xor": lambda x, y: truth(np.logical_xor(x, y)),
    "logical_not": lambda x, y: truth(np.logical_not(x)),
    "max": lambda x, y: np.where((x > y) | np.isnan(y), x, y),
    "min": lambda x, y: np.where((x < y) | np.isnan(y), x, y),
    "mod": np.mod,
    "mult": lambda x, y: x * y,
    "subtract": lambda x, y: x - y,
    "abs_max": lambda x, y: np.where((np.abs(x) > np.abs(y)) | np.isnan(y), x, y),
    "abs_min": lambda x, y: np.where((np.abs(x) < np.abs(y)) | np.isnan(y), x, y),
    "square": lambda x, y: x * x,
    "relu": lambda x, y: np.where(x > 0, x, np.float32(0)),
    "reciprocal": lambda x, y: np.float32(1) / x,
}


@pytest.mark.parametrize("name", F32)
def test_float_operators(number, name):
    x, y = pairs()
    with np.errstate(all="ignore"):
        expected = F32[name](x, y)
    ours = number.binary("number_alu_f32", [number.c.number_alu_of(name.encode())], x, y)
    same = (ours.view(np.uint32) == expected.view(np.uint32)) | (np.isnan(ours) & np.isnan(expected))
    wrong = np.flatnonzero(~same)
    assert not wrong.size, [(x[i], y[i], ours[i], expected[i]) for i in wrong[:5]]


def power_operands():
    rng = np.random.default_rng(8)
    count = 1 << 16
    base = rng.integers(0, 0x7F800000, count, dtype=np.uint32).view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        matching = (rng.uniform(-104, 89, count) / np.log(base.astype(np.float64) + 1e-300)).astype(np.float32)
    whole = rng.integers(-(1 << 14), 1 << 14, count).astype(np.float32)  # squares and cubes with 26 to 42 bits: ties
    exponents = rng.choice(np.array([2, 3, 4, 5, -1, -2, 0.5, 1.5, -0.5, 0.25], np.float32), count)
    special = np.array(np.meshgrid(np.concatenate([SPECIAL, [2, -2, 0.5, -0.5, 3]]),
                                   np.concatenate([SPECIAL, [2, 3, -3, 0.5, 1e9, 16777215, -16777216]])),
                       np.float32).reshape(2, -1)
    x, y = pairs(seed=9, count=1 << 14)
    return np.concatenate([base, whole, special[0], x]), np.concatenate([matching, exponents, special[1], y])


def test_power_is_correctly_rounded(number):
    x, y = power_operands()
    ours = number.binary("number_alu_f32", [number.c.number_alu_of(b"pow")], x, y)
    expected = number.binary("number_oracle_pow", [], x, y)
    same = (ours.view(np.uint32) == expected.view(np.uint32)) | (np.isnan(ours) & np.isnan(expected))
    wrong = np.flatnonzero(~same)
    assert not wrong.size, [(float(x[i]).hex(), float(y[i]).hex(), float(ours[i]).hex(), float(expected[i]).hex())
                            for i in wrong[:5]]


def words(seed, bits=32, count=1 << 12):
    rng = np.random.default_rng(seed)
    corners = [0, 1, 2, 3, (1 << bits) - 1, (1 << bits) - 2, 1 << (bits - 1), (1 << (bits - 1)) - 1, bits, bits - 1]
    x = np.concatenate([rng.integers(0, 1 << bits, count), np.repeat(corners, len(corners))])
    y = np.concatenate([rng.integers(0, 1 << bits, count) >> rng.integers(0, bits, count),
                        np.tile(corners, len(corners))])
    return x.astype(np.uint32), y.astype(np.uint32)


BITS = {
    "bitwise_and": lambda n, x, y: x & y,
    "bitwise_or": lambda n, x, y: x | y,
    "bitwise_xor": lambda n, x, y: x ^ y,
    "bitwise_not": lambda n, x, y: ~x,
    "arith_shift_left": lambda n, x, y: x << min(y, 99),
    "logical_shift_left": lambda n, x, y: x << min(y, 99),
    "logical_shift_right": lambda n, x, y: x >> min(y, 99),
    "arith_shift_right": lambda n, x, y: (x - (x >> (n - 1) << n)) >> min(y, 99),
    "logical_and": lambda n, x, y: bool(x) and bool(y),
    "logical_or": lambda n, x, y: bool(x) or bool(y),
    "logical_xor": lambda n, x, y: bool(x) != bool(y),
    "logical_not": lambda n, x, y: not x,
    "bypass": lambda n, x, y: x,
}


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("name", BITS)
def test_bit_operators(number, name, bits):
    x, y = words(3, bits)
    ours = number.binary("number_alu_bits", [number.c.number_alu_of(name.encode()), bits], x, y)
    expected = [int(BITS[name](bits, int(a), int(b))) % (1 << bits) for a, b in zip(x, y)]
    assert ours.tolist() == expected


def truncated(a, b):
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def integer_power(a, b):
    if b < 0:
        return {1: 1, -1: 1 - 2 * (b & 1)}.get(a, 0)
    return pow(a, b, 1 << 32)


INTEGER = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "mult": lambda a, b: a * b,
    "divide": truncated,
    "mod": lambda a, b: a % b if b else 0,
    "pow": integer_power,
    "max": max,
    "min": min,
    "abs": lambda a, b: abs(a),
    "abs_max": lambda a, b: a if abs(a) > abs(b) else b,
    "abs_min": lambda a, b: a if abs(a) < abs(b) else b,
    "square": lambda a, b: a * a,
    "relu": lambda a, b: max(a, 0),
    "is_equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "is_ge": lambda a, b: a >= b,
    "is_gt": lambda a, b: a > b,
    "is_le": lambda a, b: a <= b,
    "is_lt": lambda a, b: a < b,
    "logical_xor": lambda a, b: bool(a) != bool(b),
    "bitwise_xor": lambda a, b: a ^ b,
    "bypass": lambda a, b: a,
}


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("name", INTEGER)
def test_exact_integers(number, name, signed):
    x, y = words(4)
    ours = number.binary("number_alu_int32", [number.c.number_alu_of(name.encode()), signed], x, y)
    view = np.int32 if signed else np.uint32
    expected = [int(INTEGER[name](a, b)) % (1 << 32) for a, b in zip(x.view(view).tolist(), y.view(view).tolist())]
    assert ours.tolist() == expected
