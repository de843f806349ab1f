"""Random kernels whose threads run side by side: loops that all threads take equally often, over neighbouring elements, in rows of ids and of planes, and over
elements far from each other.

What the library computes is what the interpreter computes, bit for bit, in one piece and in several. KLR_RANDOM_SEED chooses other kernels, KLR_RANDOM_COUNT says how many.
"""

import os
import random

import numpy as np
import pytest
from schema_library import COMPILERS, Interpreted, cpu_has
from test_schema_native import HEAD, build

COUNT = int(os.environ.get("KLR_RANDOM_COUNT", "6"))
PARAMETERS = "x: DeviceArray[f32], q: DeviceArray[i32], o: DeviceArray[f32], p: DeviceArray[i64], n: u32, w: {w}, k: i32, m: u32, g: f32"
HEADS = {
    "line": "    i = get_global_id()\n    if i >= n:\n        return\n    column = i\n    row = k\n",
    "few": "    i = get_global_id()\n    if i >= n:\n        return\n    column = i\n    row = k\n",
    "rows": "    i = get_global_id()\n    if i < n:\n        row = i // w\n        column = i % w\n",
    "again": "    wide = max(w, 1)\n    i = get_global_id()\n    if i >= n:\n        return\n    column = i % wide\n    row = k + i // wide * 2\n",
    "plane": "    column, row = get_global_id(0), get_global_id(1)\n    if column < w and row < n // w:\n        i = row * w + column\n",
}
ROWS = 7  # of x and q


class Program:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.form = self.choose(*HEADS)
        self.width = self.choose(1, 3, 64, 65, 130, 200)
        self.n = self.random.randint(1, 5) * self.width + (0 if self.form == "plane" else self.random.randint(0, self.width - 1))
        self.turns, self.steady, self.floats, self.ints, self.made = [], ["k", "m", "row"], ["g"], [], 0

    def choose(self, *options):
        return self.random.choice(options)

    def same(self, depth=2):
        """An integer that is the same for a row's threads."""
        if depth == 0:
            return self.choose(*self.steady, *self.turns, *self.turns, str(self.random.randint(0, 9)))
        a, b = self.same(depth - 1), self.same(0)
        return self.choose(f"({a} {self.choose('+', '-', '*', '//', '%', '&', '^')} {b})", f"{self.choose('min', 'max')}({a}, {b})", a)

    def near(self):
        if self.form == "few":
            return f"{self.choose('x', 'x', 'q')}[(i * {self.random.randint(2, 9)} + i64({self.same()})) % ({ROWS} * n)]"
        return f"{self.choose('x', 'x', 'q')}[i64({self.same()}) % {ROWS} * {'n' if self.form == 'line' else 'w'} + column]"

    def value(self, depth=2):
        if depth == 0:
            return self.choose(self.near(), self.near(), *self.floats, *self.ints, self.same(0), "i", "column", "o[i]", "p[i]")
        a, b = self.value(depth - 1), self.value(depth - 1)
        return self.choose(f"({a} {self.choose('+', '-', '*')} {b})", f"{self.choose('min', 'max')}({a}, {b})", f"({a} if {self.value(0)} < {b} else {self.value(0)})", f"f32({a})")

    def step(self, lines, indent):
        form = self.choose(0.1, 0.55, 0.9) if self.form == "few" else self.random.random()
        if form < 0.5:
            lines.append(f"{indent}{self.choose(*self.sums)} {self.choose('+', '-')}= {self.value()}")
        elif form < 0.6:
            lines.append(f"{indent}{self.choose(*self.ints)} {self.choose('+', '^')}= {self.choose('i64', 'i32')}({self.value()})")
        elif form < 0.7:
            lines += [f"{indent}if {self.value(1)} > {self.value(0)}:", f"{indent}    {self.choose(*self.sums)} += {self.value(1)}", f"{indent}else:", f"{indent}    o[i] = f32({self.value(1)})"]
        elif form < 0.8:
            lines.append(f"{indent}p[i] = i64({self.value()})")
        else:
            self.made += 1
            name = f"v{self.made}"
            is_same = self.random.random() < 0.5
            lines.append(f"{indent}{name} = {self.same() if is_same else self.value(1)}")
            (self.steady if is_same else self.floats).append(name)

    def loop(self, lines, indent, depth):
        turn = f"t{len(self.turns)}"
        bounds = self.choose("k", "m % 5", "6, -2, -3", "1, 9, 4", *[f"{name} % 4, 4" for name in self.turns], "min(k, 3)")
        lines.append(f"{indent}for {turn} in range({bounds}):")
        self.turns.append(turn)
        known = list(self.steady), list(self.floats)
        for _ in range(self.random.randint(1, 3)):
            self.step(lines, indent + "    ")
        lines.append(f"{indent}    {self.choose(*self.sums)} += {self.near()}")
        if depth and self.random.random() < 0.5:
            self.loop(lines, indent + "    ", depth - 1)
        if self.random.random() < 0.3:
            self.step(lines, indent + "    ")
        self.steady, self.floats = known
        self.turns.pop()

    def write(self, name):
        lines, head = [], HEADS[self.form]
        indent = "        " if head.splitlines()[-1].startswith("        ") and self.form in ("rows", "plane") else "    "
        self.sums = ["a", "b", "c"]
        lines += [f"{indent}a, b, c = 0.0, g, f64(column)", f"{indent}d: i64 = row", f"{indent}e: i32 = i32(column)"]
        self.floats += self.sums
        self.ints += ["d", "e"]
        for _ in range(self.random.randint(1, 3)):
            self.loop(lines, indent, 2)
            self.step(lines, indent)
        lines += [f"{indent}o[i] = f32(a + b * c)", f"{indent}p[i] = p[i] ^ d ^ e"]
        kind = self.choose("u32", "i32", "i64")
        return f"def {name}({PARAMETERS.format(w=kind)}):\n{head}" + "\n".join(lines) + "\n"

    def arguments(self, seed):
        draw = np.random.default_rng(seed)
        size = ROWS * max(self.width, self.n)
        return dict(x=draw.standard_normal(size).astype(np.float32), q=draw.integers(-9, 9, size).astype(np.int32), o=draw.standard_normal(self.n).astype(np.float32),
                    p=draw.integers(-99, 99, self.n), n=self.n, w=self.width, k=int(draw.integers(0, 7)), m=int(draw.integers(0, 99)), g=0.375)

    def launch(self):
        beyond = self.random.randint(0, 9)
        return dict(grid=(self.width + beyond, self.n // self.width + beyond, 1)) if self.form == "plane" and beyond else {}


def test_bits(tmp_path):
    first = int(os.environ.get("KLR_RANDOM_SEED", "1")) * 1000
    programs = [(Program(first + number), f"k{number}") for number in range(COUNT)]
    texts = [program.write(name) for program, name in programs]
    compiler = COMPILERS[first // 1000 % len(COMPILERS)]
    native = build(tmp_path, "".join(texts), compiler=compiler)
    assert len([line for line in emitted(tmp_path) if line.startswith("KLR_BODY") and "_strip(" in line]) > COUNT / 2
    for (program, name), text in zip(programs, texts):
        given, launch = program.arguments(first), program.launch()
        want = Interpreted(HEAD + text).run(name, given, steps=10**7, **launch)
        for isa in range(3):
            for pieces in (1, 3):
                if cpu_has(isa):
                    got, _ = native.run(name, given, isa=isa, pieces=pieces, **launch)
                    for key in want:
                        assert np.array_equal(got[key], want[key], equal_nan=key == "o"), (text, key, isa, pieces, compiler, given)


# As GCC 12 unrolls it, SLP vectors lose what is left of `b` after it was narrowed.
NARROWED = """def k(x: DeviceArray[f32], o: DeviceArray[f32], p: DeviceArray[i64], n: u32, k: i32, m: u32, g: f32):
    i = get_global_id()
    if i >= n:
        return
    a, b, c = 0.0, g, f64(i)
    d: i64 = k
    for t in range(min(k, 3)):
        b += x[(i * 9 + max(k, 8)) % (7 * n)]
    b -= f32(b)
    for t in range(1, 9, 4):
        a += x[(i * 9 + k * m) % (7 * n)]
    for t in range(6, -2, -3):
        d ^= i64(max(g, x[(i * 6 + max(m - t, t)) % (7 * n)] + p[i]))
        for u in range(t % 4, 4):
            b += (c + g) if i < f32(t) else p[i]
    o[i] = f32(a + b * c)
"""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_sums_that_are_narrowed_in_between(tmp_path, compiler):
    native, draw = build(tmp_path, NARROWED, compiler=compiler), np.random.default_rng(7)
    given = dict(x=draw.standard_normal(7 * 3000).astype(np.float32), o=np.zeros(3000, np.float32), p=draw.integers(-99, 99, 3000), n=3000, k=5, m=72, g=0.375)
    want = Interpreted(HEAD + NARROWED).run("k", given, steps=10**7)["o"]
    for isa in filter(cpu_has, range(3)):
        assert native.run("k", given, isa=isa)[0]["o"].tobytes() == want.tobytes()


def emitted(tmp_path):
    from conftest import run_klr
    assert run_klr("schema", "build", tmp_path / "k.py", "-o", tmp_path / "c", "--emit-c").returncode == 0
    return (tmp_path / "c" / "k.c").read_text().splitlines()
