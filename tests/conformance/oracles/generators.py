"""The random numbers of docs/numerics.md section 10: XORWOW, and SplitMix64 to seed it."""

import numpy as np

from .alu import alu

WORD, LONG = (1 << 32) - 1, (1 << 64) - 1


def xorwow(state):
    """(32 random bits, the next state) from the words x, y, z, w, v, d."""
    x, y, z, w, v, d = state
    t = x ^ (x >> 2)
    new = (v ^ (v << 4) ^ t ^ (t << 1)) & WORD
    d = (d + 362437) & WORD
    return (new + d) & WORD, (y, z, w, v, new, d)


def split_mix(counter):
    """64 random bits for a counter that was just increased."""
    z = (counter ^ (counter >> 30)) * 0xBF58476D1CE4E5B9 & LONG
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & LONG
    return z ^ (z >> 31)


def first_state(seed, generator):
    """The state that seed s gives to a generator: three outputs of SplitMix64, low word first, lowest bit of the first set."""
    counter, words = seed << 32 | generator, []
    for _ in range(3):
        counter = (counter + 0x9E3779B97F4A7C15) & LONG
        z = split_mix(counter)
        words += [z & WORD, z >> 32]
    words[0] |= 1
    return tuple(words)


class Lanes:
    """The generators of an engine: four for each lane of the vector engine, one for each of GpSimd."""

    def __init__(self, engine, seed=0):
        self.each = 4 if engine == "vector" else 1
        first = 0 if engine == "vector" else 512
        self.states = [[first_state(seed, first + self.each * p + g) for g in range(self.each)] for p in range(128)]

    def load(self, words):
        for p, row in enumerate(words):
            self.states[p] = [tuple(int(w) for w in row[6 * g:6 * g + 6]) for g in range(self.each)]

    def words(self, partitions):
        return np.array([[w for state in self.states[p] for w in state] for p in range(partitions)], np.uint32)

    def bits(self, partitions, columns):
        """The next numbers: element i of a row from generator i mod `each`."""
        out = np.zeros((partitions, columns), np.uint32)
        for p in range(partitions):
            for i in range(columns):
                out[p, i], self.states[p][i % self.each] = xorwow(self.states[p][i % self.each])
        return out

    def uniform(self, partitions, columns):
        return (self.bits(partitions, columns) >> 8).astype(np.float32) * np.float32(2.0 ** -24)


def between(low, high, uniform):
    """rand2: low + u * (high - low), each step rounded to float32."""
    span = alu("subtract", np.float32(high), np.float32(low))
    return alu("add", np.float32(low), alu("multiply", uniform, span))
