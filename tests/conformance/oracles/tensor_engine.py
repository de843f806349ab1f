"""Matrix products and MX formats: exact products, k ascending, one float32 rounding an addition (docs/numerics.md 6)."""

import math
from fractions import Fraction

import numpy as np

from .exact import round_f32
from .formats import number_of_word, word_of_number

ELEMENT = {"float8_e5m2_x4": ("float8_e5m2", 8), "float8_e4m3fn_x4": ("float8_e4m3fn", 8), "float4_e2m1fn_x4": ("float4_e2m1fn", 4)}


def fma(a, b, total):
    """a * b + total rounded once to float32; a, b are floats or fractions, total a float."""
    if not all(isinstance(n, Fraction) or math.isfinite(n) for n in (a, b, total)):
        return float(a) * float(b) + total
    return round_f32(Fraction(a) * Fraction(b) + Fraction(total))


def product(a, b):
    """sum over k of a[k, m] * b[k, n] for matrices of float32 or of lists of fractions: float32 (M, N)."""
    a, b = ([[n if isinstance(n, Fraction) else float(n) for n in row] for row in x] for x in (a, b))
    out = np.zeros((len(a[0]), len(b[0])), np.float32)
    for m in range(out.shape[0]):
        for n in range(out.shape[1]):
            total = 0.0
            for k in range(len(a)):
                total = fma(a[k][m], b[k][n], total)
            out[m, n] = total
    return out


def whole_product(a, b):
    """The same for small whole numbers, where nothing rounds."""
    return (a.astype(np.float64).T @ b.astype(np.float64)).astype(np.float32)


def unpack(word, dtype):
    """The four numbers of a packed word, element 0 from the low bits."""
    element, bits = ELEMENT[dtype]
    return [number_of_word(int(word) >> (bits * q) & ((1 << bits) - 1), element) for q in range(4)]


def scaled(words, dtype, scales):
    """(4 P, F) rows of fractions, or NaN: elements times 2^(scale - 127). scales[p // 8][f] belongs to partition p."""
    rows = []
    for p in range(words.shape[0]):
        numbers = [unpack(w, dtype) for w in words[p]]
        for q in range(4):
            row = []
            for f in range(words.shape[1]):
                scale, number = int(scales[p // 8][f]), numbers[f][q]
                plain = scale != 255 and math.isfinite(number)
                row.append(Fraction(number) * Fraction(2) ** (scale - 127) if plain else math.nan if scale == 255 else number)
            rows.append(row)
    return rows


def matmul_mx(stationary, stationary_dtype, stationary_scales, moving, moving_dtype, moving_scales):
    return product(scaled(stationary, stationary_dtype, stationary_scales), scaled(moving, moving_dtype, moving_scales))


def spread(scales, partitions):
    """Rows of scales, one for 8 partitions, as they stand in a tile of `partitions` rows: four at the start of each quadrant."""
    tile = np.zeros((partitions, scales.shape[1]), np.uint8)
    for g, row in enumerate(scales):
        tile[32 * (g // 4) + g % 4] = row
    return tile


def quantize(values, dtype):
    """(packed words, scales): values (P, F) of float32, groups of 8 partitions by 4 elements."""
    element, bits = ELEMENT[dtype]
    top = {"float8_e4m3fn_x4": 8, "float8_e5m2_x4": 15}[dtype]
    partitions, columns = values.shape
    words = np.zeros((partitions, columns // 4), np.uint32)
    scales = np.zeros((partitions // 8, columns // 4), np.uint8)
    for g in range(partitions // 8):
        for c in range(columns // 4):
            block = values[8 * g:8 * g + 8, 4 * c:4 * c + 4].astype(np.float64)
            largest = float(np.max(np.abs(block)))
            if not math.isfinite(largest):
                scales[g, c] = 255
                exponent = None
            else:
                exponent = -127 if largest == 0 else max(math.frexp(largest)[1] - 1 - (top - 1), -127)
                scales[g, c] = exponent + 127
            for p in range(8):
                for q in range(4):
                    number = math.nan if exponent is None else math.ldexp(float(block[p, q]), -exponent)
                    words[8 * g + p, c] |= np.uint32(word_of_number(number, element) << (bits * q))
    return words, scales
