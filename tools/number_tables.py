"""Writes src/number/pair_tables.h: what the functions in pairs of floats look up.

    python tools/number_tables.py > src/number/pair_tables.h       (needs mpmath; only to change them)

Each table has 32 entries. A value is the sum of two floats where a second table says `_low`.
"""

import mpmath as mp

mp.mp.prec = 200
COUNT = 32


def rounded(x, bits=24):
    """The float nearest to x, or a nearer number of fewer bits."""
    if x == 0:
        return mp.mpf(0)
    scale = mp.mpf(2) ** (bits - 1 - int(mp.floor(mp.log(abs(x), 2))))
    return mp.nint(x * scale) / scale


def on_grid(x, step):
    return mp.nint(x / step) * step


def hexadecimal(x):
    return float(x).hex().replace("0000000p", "p") + "f" if x else "0"


def table(name, comment, values):
    lines, line = [], " "
    for value in values:
        text = f" {hexadecimal(value)},"
        if len(line) + len(text) > 110:
            lines.append(line)
            line = " "
        line += text
    print(f"// {comment}\nstatic const float {name}[2 * VECTOR] = {{\n" + "\n".join(lines + [line]) + "\n};\n")


def pair(name, comment, values, high=rounded):
    highs = [high(value) for value in values]
    table(name, comment, highs)
    table(name + "_low", "What was lost.", [rounded(value - first) for value, first in zip(values, highs)])


def middle(i):
    """Of the numbers with the top bits i after the leading one: from 1 on for i < 16, else from 3/4 on."""
    return (1 + (mp.mpf(i) + mp.mpf(1) / 2) / COUNT) / (2 if i >= COUNT // 2 else 1)


def main():
    print("// pair_tables.h -- what the functions in pairs of floats look up. Written by tools/number_tables.py.\n")
    print("#pragma once\n")
    pair("exp_factor", "2^(i/32).", [mp.mpf(2) ** (mp.mpf(i) / COUNT) for i in range(COUNT)])
    inverses = [mp.mpf(1) if i in (0, COUNT - 1) else rounded(1 / middle(i), 9) for i in range(COUNT)]
    table("log_inverse", "About 1/m for m with the top bits i after the leading one, from 3/4 to 3/2; 1 next to 1.",
          inverses)
    pair("log_of", "The logarithm of 1 / log_inverse, in multiples of 2^-16.", [-mp.log(x) for x in inverses],
         lambda x: on_grid(x, mp.mpf(2) ** -16))
    pair("arctan_of", "arctan(i/16).", [mp.atan(mp.mpf(i) / 16) for i in range(COUNT)])
    pair("sin_of", "sin(i/16).", [mp.sin(mp.mpf(i) / 16) for i in range(COUNT)])
    pair("cos_of", "cos(i/16).", [mp.cos(mp.mpf(i) / 16) for i in range(COUNT)])


if __name__ == "__main__":
    main()
