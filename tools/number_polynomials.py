"""Writes src/number/polynomials.h: the polynomials of the fast paths, interpolated at Chebyshev points.

    python tools/number_polynomials.py > src/number/polynomials.h       (needs mpmath; only to change them)

Each row says what is approximated, where, and by how many coefficients; the error printed beside it is the largest one
relative to the weight, measured after rounding the coefficients to doubles.
"""

import mpmath as mp

mp.mp.prec = 240


def erfcx_scaled(t):
    """e^(x^2/2) Phi(-x) (x + 4) where t = (x - 4) / (x + 4), so x = 4 (1 + t) / (1 - t)."""
    x = 4 * (1 + t) / (1 - t)
    return mp.exp(x * x / 2) * mp.erfc(x / mp.sqrt(2)) / 2 * (x + 4)


def even(f, limit=1):
    """f(sqrt(z)) / sqrt(z), for odd f with slope `limit` at 0."""
    return lambda z: f(mp.sqrt(z)) / mp.sqrt(z) if z > mp.mpf(10) ** -40 else mp.mpf(limit)


# name, formula, function, from, to, coefficients
ROWS = [
    ("exp2", "2^z", lambda z: mp.mpf(2) ** z, -0.5, 0.5, 10),
    ("exp2m1", "(2^z - 1) / z", lambda z: mp.expm1(z * mp.log(2)) / z if z else mp.log(2), -0.5, 0.5, 10),
    ("atanh", "2 atanh(sqrt z) / sqrt z", even(lambda x: 2 * mp.atanh(x), 2), 0, mp.mpf(1) / 9, 10),
    ("atan", "atan(sqrt z) / sqrt z", even(mp.atan), 0, 1, 18),
    ("sin", "sin(sqrt z) / sqrt z", even(mp.sin), 0, (mp.pi / 2) ** 2, 8),
    ("erf", "erf(sqrt z) / sqrt z", even(mp.erf, 2 / mp.sqrt(mp.pi)), 0, 1, 11),
    ("normal_tail", "e^(x^2/2) Phi(-x) (x + 4), z = (x - 4)/(x + 4)", erfcx_scaled, -1, mp.mpf(3) / 5, 19),
]


def interpolate(f, low, high, count):
    """Coefficients of the polynomial through f at the Chebyshev points of [low, high]."""
    middle, half = (mp.mpf(high) + low) / 2, (mp.mpf(high) - low) / 2
    nodes = [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    matrix = mp.matrix(count, count)
    for i, node in enumerate(nodes):
        for j in range(count):
            matrix[i, j] = node**j
    return [float(c) for c in mp.lu_solve(matrix, mp.matrix([f(node) for node in nodes]))]


def error(f, coefficients, low, high):
    worst = mp.mpf(0)
    for i in range(401):
        z = low + (mp.mpf(high) - low) * i / 400
        worst = max(worst, abs(mp.polyval([mp.mpf(c) for c in reversed(coefficients)], z) / f(z) - 1))
    return worst


def evaluation(coefficients):
    """Lines of C: neighbours are joined, then neighbours of those, so that few steps wait for each other."""
    terms, power, level = [c.hex() for c in coefficients], "z", "a"
    while len(terms) > 1:
        if power != "z":
            half = "z" if power == "z2" else f"z{int(power[1:]) // 2}"
            yield f"  double {power} = {half} * {half};"
        pairs = [terms[i:i + 2] for i in range(0, len(terms), 2)]
        for i, pair in enumerate(pairs):
            if len(pair) == 2:
                yield f"  double {level}{i} = {pair[1]} * {power} + {pair[0]};"
        terms = [f"{level}{i}" if len(pair) == 2 else pair[0] for i, pair in enumerate(pairs)]
        power, level = "z2" if power == "z" else f"z{2 * int(power[1:])}", chr(ord(level) + 1)
    yield f"  return {terms[0]};"


print("""// polynomials.h -- the polynomials of the fast paths. Written by tools/number_polynomials.py.

#pragma once
#include "base/kernel.h"
""")
for name, formula, f, low, high, count in ROWS:
    coefficients = interpolate(f, low, high, count)
    bits = float(-mp.log(error(f, coefficients, low, high), 2))
    print(f"// {formula}, for z from {float(low):.6g} to {float(high):.6g}; relative error 2^-{bits:.1f}.")
    print(f"KERNEL_INLINE double poly_{name}(double z)\n{{")
    print(*evaluation(coefficients), "}\n", sep="\n")
