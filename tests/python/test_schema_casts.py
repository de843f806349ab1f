"""Every cast of numbers, stored and taken back as the other kind, against exact rational arithmetic: interpreted, and compiled for each instruction set."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from schema_library import COMPILERS, Interpreted, cpu_has
from test_schema_native import HEAD, build

INTS = {"i8": (np.int8, 8), "i16": (np.int16, 16), "i32": (np.int32, 32), "i64": (np.int64, 64), "u8": (np.uint8, 8), "u16": (np.uint16, 16), "u32": (np.uint32, 32), "u64": (np.uint64, 64)}
# dtype, digits of the significand, least exponent, largest exponent
FLOATS = {"f16": (np.float16, 11, -14, 15), "bf16": (ml_dtypes.bfloat16, 8, -126, 127), "f32": (np.float32, 24, -126, 127), "f64": (np.float64, 53, -1022, 1023)}


def rounded(value, name):
    """An exact number as the nearest of a float type, ties to even; the sign of a zero is the caller's."""
    _, digits, least, most = FLOATS[name]
    if value == 0:
        return 0.0
    exponent = math.frexp(float(value))[1] - 1 if abs(value) > Fraction(1, 2**1000) else least
    while abs(value) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (max(exponent, least) - digits + 1)
    found = round(value / unit) * unit  # Fraction rounds ties to even
    return math.copysign(math.inf, found) if abs(found) >= Fraction(2) ** (most + 1) else float(found)


def expected(value, source, target):
    if source in INTS or source == "bool":
        exact = Fraction(int(value))
    else:
        value = float(value)
        if target == "bool":
            return value != 0
        if target in FLOATS:
            if math.isnan(value) or math.isinf(value):
                return value
            return math.copysign(rounded(Fraction(value), target), value)
        if math.isnan(value):
            return 0
        exact = Fraction(math.trunc(value)) if math.isfinite(value) else value
    if target == "bool":
        return exact != 0
    if target in FLOATS:
        return rounded(exact, target)
    bits = INTS[target][1]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if target[0] == "i" else (0, (1 << bits) - 1)
    if source in FLOATS:
        return int(max(low, min(high, exact)))
    number = int(exact) % (1 << bits)
    return number - (1 << bits) if number > high else number


def values(name):
    if name == "bool":
        return np.array([False, True] * 20)
    if name in INTS:
        dtype, bits = INTS[name]
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        found = [low, low + 1, high, high - 1, 0, 1, 2, 7]
        for power in range(4, bits):  # what lies beside the middle of two floats
            for digits in (8, 11, 24, 53):
                middle = (1 << power) + (1 << max(power - digits, 0))
                found += [sign * (middle + more) for sign in (1, -1) for more in (-1, 0, 1) if low <= sign * (middle + more) <= high]
        return np.array(found, dtype)
    dtype, digits, least, most = FLOATS[name]
    found = [0.0, -0.0, 0.3, -0.3, 0.99, -0.99, 1.0, -1.0, 1.5, -2.5, math.inf, -math.inf, math.nan]
    for exponent in (-150, -149, -134, -126, -25, -24, -15, -14, -1, 0, 7, 15, 16, 31, 63, 64, 127):
        for part in (8, 11, 24):
            for more in (-1, 0, 1):
                for sign in (1, -1):
                    found.append(sign * math.ldexp(1 + 2.0**-part + more * 2.0**-51, exponent))
                    found.append(sign * math.ldexp(1 + 3 * 2.0**-part + more * 2.0**-31, exponent))
                    found.append(sign * math.ldexp(2 - 2.0**-part + more * 2.0**-40, exponent))
    with np.errstate(over="ignore"):
        return np.array(found).astype(dtype)


NAMES = ["bool", *INTS, *FLOATS]
VALUES = {name: values(name) for name in NAMES}
NUMPY = {"bool": np.bool_, **{name: INTS[name][0] for name in INTS}, **{name: FLOATS[name][0] for name in FLOATS}}


def text_of(pairs):
    """What is cast and stored, and what is cast and becomes the number from before: some compilers round the float in place of both."""
    return "".join(f"def {a}_{b}(x: DeviceArray[{a}], y: DeviceArray[{b}], z: DeviceArray[{a}], n: u32):\n    i = get_global_id()\n    if i < n:\n"
                   f"        y[i] = {b}(x[i])\n        z[i] = {a}({b}(x[i]))\n" for a, b in pairs)


PAIRS = [(a, b) for a in NAMES for b in NAMES]
# Those that are more than a conversion of C.
COMPILED = [(a, b) for a in ("f32", "f64") for b in INTS] + [(a, b) for a in ("i32", "u32", "i64", "u64", "f32", "f64") for b in ("f16", "bf16")] + [("f16", "i32"), ("bf16", "i64")]


@pytest.fixture(scope="module")
def wanted():
    found = {}
    for a, b in PAIRS:
        there = [expected(value, a, b) for value in VALUES[a].tolist()]
        found[a, b] = {"y": (b, there), "z": (a, [expected(value, b, a) for value in there])}
    return found


def check(run, pairs, wanted, where):
    for a, b in pairs:
        columns = wanted[a, b]
        array = VALUES[a]
        shown = {"x": array, "y": np.zeros(len(array), NUMPY[b]), "z": np.zeros(len(array), NUMPY[a]), "n": len(array)}
        found = run(f"{a}_{b}", {key: value.view(np.uint16) if getattr(value, "dtype", None) == ml_dtypes.bfloat16 else value for key, value in shown.items()})
        for key, (name, want) in columns.items():
            got, want = found[key].view(NUMPY[name]), np.array(want, NUMPY[name])
            same = got == want
            if name in FLOATS:
                same = (same & (np.signbit(got) == np.signbit(want))) | (np.isnan(got) & np.isnan(want))
            assert same.all(), (where, a, b, key, [(x, one, other) for x, one, other in zip(array[~same], got[~same], want[~same])][:3])


def test_interpreted(wanted):
    check(Interpreted(HEAD + text_of(PAIRS)).run, PAIRS, wanted, "interpreter")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_compiled(tmp_path, wanted, compiler):
    library = build(tmp_path, text_of(COMPILED), compiler=compiler)
    for isa in (0, 1, 2):
        if cpu_has(isa):
            check(lambda name, values, isa=isa: library.run(name, values, isa=isa)[0], COMPILED, wanted, (compiler, isa))
