"""Every dtype: its words as float32 and back, by exact arithmetic (docs/numerics.md sections 1 and 2)."""

import math

import numpy as np

QUIET_NAN = 0x7FC00000

# exponent bits, fraction bits, bias, what stands at the top: IEEE infinities and NaNs, or one NaN, or numbers only
FLOATS = {
    "float32": (8, 23, 127, "ieee"), "bfloat16": (8, 7, 127, "ieee"), "float16": (5, 10, 15, "ieee"),
    "float8_e5m2": (5, 2, 15, "ieee"), "float8_e4m3": (4, 3, 7, "ieee"), "float8_e4m3fn": (4, 3, 7, "nan"),
    "float4_e2m1fn": (2, 1, 1, "numbers"),
}
INTEGERS = {"int8": (8, True), "int16": (16, True), "int32": (32, True), "uint8": (8, False), "uint16": (16, False),
            "uint32": (32, False)}
WORD = {4: np.uint8, 8: np.uint8, 16: np.uint16, 32: np.uint32}


def bits_of(dtype):
    if dtype in INTEGERS:
        return INTEGERS[dtype][0]
    if dtype == "tfloat32":
        return 32
    if dtype in ("bool_", "float8_e8m0fnu"):
        return 8
    exponent_bits, fraction_bits, _, _ = FLOATS[dtype]
    return 1 + exponent_bits + fraction_bits


def bits_f32(words):
    """Words of float32 as the floats, whatever they are."""
    return np.asarray(words, np.uint32).view(np.float32)


def quiet(values):
    """float32 results as engines write them: every NaN is the same one."""
    values = np.array(values, np.float32)
    words = values.view(np.uint32)
    words[np.isnan(values)] = QUIET_NAN
    return values


def number_of_word(word, dtype):
    """A word of a float format as a Python float, exactly."""
    exponent_bits, fraction_bits, bias, top = FLOATS[dtype]
    sign = -1.0 if word >> (exponent_bits + fraction_bits) else 1.0
    field, fraction = word >> fraction_bits & ((1 << exponent_bits) - 1), word & ((1 << fraction_bits) - 1)
    highest = (1 << exponent_bits) - 1
    if top == "ieee" and field == highest:
        return math.nan if fraction else sign * math.inf
    if top == "nan" and field == highest and fraction == (1 << fraction_bits) - 1:
        return math.nan
    if field == 0:
        return sign * math.ldexp(fraction, 1 - bias - fraction_bits)
    return sign * math.ldexp((1 << fraction_bits) + fraction, field - bias - fraction_bits)


def word_of_number(number, dtype):
    """The word nearest to a Python float (ties to even): overflow gives the infinity, or NaN, or the largest number."""
    exponent_bits, fraction_bits, bias, top = FLOATS[dtype]
    sign = (math.copysign(1.0, number) < 0) << (exponent_bits + fraction_bits)
    highest = (1 << exponent_bits) - 1
    if math.isnan(number):
        if top == "nan":
            return highest << fraction_bits | (1 << fraction_bits) - 1
        return highest << fraction_bits | 1 << (fraction_bits - 1)
    infinity = highest << fraction_bits | (0 if top == "ieee" else (1 << fraction_bits) - 1)  # or the NaN, or the largest
    if math.isinf(number):
        return sign | infinity
    if number == 0:
        return sign
    exponent = max(math.frexp(abs(number))[1] - 1, 1 - bias)
    steps = round(math.ldexp(abs(number), fraction_bits - exponent))  # Python rounds halves to even; the scaling is exact
    size = steps + ((exponent + bias - 1) << fraction_bits)           # a carry runs into the exponent by itself
    return sign | min(size, infinity)


def round_tf32(words):
    """float32 words with the fraction rounded to 10 bits, ties to even; NaN becomes the quiet one."""
    words = np.asarray(words, np.uint32).astype(np.int64)
    rounded = (words + 0xFFF + (words >> 13 & 1)) & ~0x1FFF
    is_nan = (words & 0x7FFFFFFF) > 0x7F800000
    return np.where(is_nan, QUIET_NAN, rounded).astype(np.uint32)


def widen(words, dtype):
    """Words of a dtype as the float32 an arithmetic instruction reads."""
    words = np.asarray(words)
    if dtype == "float32":
        return quiet(bits_f32(words))
    if dtype == "tfloat32":
        return quiet(bits_f32(words.astype(np.uint32) & np.uint32(0xFFFFE000)))
    if dtype in INTEGERS:
        return signed(words, dtype).astype(np.float32)  # NumPy rounds to nearest even
    if dtype == "bool_":
        return words.astype(np.float32)
    if dtype == "float8_e8m0fnu":
        flat = [math.nan if w == 255 else math.ldexp(1.0, int(w) - 127) for w in words.reshape(-1)]
    else:
        flat = [number_of_word(int(w), dtype) for w in words.reshape(-1)]
    return quiet(np.array(flat, np.float64).astype(np.float32)).reshape(words.shape)


def narrow(values, dtype):
    """float32 values as the words an instruction writes."""
    values = np.asarray(values, np.float32)
    if dtype == "float32":
        return quiet(values).view(np.uint32)
    if dtype == "tfloat32":
        return round_tf32(quiet(values).view(np.uint32))
    if dtype == "bool_":
        return (~(values == 0)).astype(np.uint8)
    if dtype in INTEGERS:
        bits, has_sign = INTEGERS[dtype]
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if has_sign else (0, (1 << bits) - 1)
        flat = [0 if math.isnan(v) else (low if v < 0 else high) if math.isinf(v) else min(max(round(v), low), high)
                for v in values.reshape(-1).tolist()]
        return np.array([v & ((1 << bits) - 1) for v in flat], WORD[bits]).reshape(values.shape)
    if dtype == "float8_e8m0fnu":
        return np.array([e8m0(v) for v in values.reshape(-1).tolist()], np.uint8).reshape(values.shape)
    flat = [word_of_number(v, dtype) for v in values.reshape(-1).tolist()]
    return np.array(flat, WORD[bits_of(dtype)]).reshape(values.shape)


def e8m0(number):
    """The nearest power of two as a byte, halves up; too small gives 0, and what has no such power 255."""
    if math.isnan(number) or number <= 0 or math.isinf(number):
        return 255
    mantissa, exponent = math.frexp(number)  # number = mantissa * 2^exponent, mantissa in [0.5, 1)
    power = exponent - 1 + (mantissa >= 0.75)
    return 255 if power > 127 else max(power + 127, 0)


def signed(words, dtype):
    """Words of an integer dtype as int64 values."""
    bits, has_sign = INTEGERS[dtype]
    values = np.asarray(words).astype(np.int64)
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values) if has_sign else values


def wrapped(values, dtype):
    """Integers of any size as words, modulo the dtype's range."""
    bits = bits_of(dtype)
    return (np.asarray(values).astype(object) & ((1 << bits) - 1)).astype(WORD[bits])


class Data:
    """Words and their dtype; `.f32` is what arithmetic reads."""

    def __init__(self, dtype, words):
        self.dtype, self.words = dtype, np.array(words, WORD[bits_of(dtype)])

    @classmethod
    def of(cls, dtype, values):
        """From numbers, rounded as a result of float32 arithmetic would be."""
        return cls(dtype, narrow(np.array(values, np.float64).astype(np.float32), dtype))

    @property
    def f32(self):
        return widen(self.words, self.dtype)

    @property
    def ints(self):
        return signed(self.words, self.dtype)

    @property
    def shape(self):
        return self.words.shape


def convert(words, source, to):
    """A copy between two dtypes: bits when they are equal, else through float32."""
    return np.array(words) if source == to else narrow(widen(words, source), to)
