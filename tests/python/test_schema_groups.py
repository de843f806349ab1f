"""Random kernels with groups: shared arrays, barriers in loops and conditions that all threads take alike, names of the group and names of a thread.

What the library computes is what the interpreter computes, bit for bit, in one piece and in several. Shared arrays are either written, each thread its own
element, or read, anywhere, between two barriers. KLR_RANDOM_SEED chooses other kernels, KLR_RANDOM_COUNT says how many.
"""

import os
import random

import numpy as np
from schema_library import COMPILERS, Interpreted, cpu_has
from test_schema_native import HEAD, build

COUNT = int(os.environ.get("KLR_RANDOM_COUNT", "6"))
SIZE = 64  # of shared arrays, and of the largest group
PARAMETERS = "x: DeviceArray[f32], o: DeviceArray[f32], p: DeviceArray[i64], n: u32, m: i32, g: f32"
HEADS = {
    "line": "    i = get_global_id()\n    t = get_local_id()\n    b = get_group_id()\n",
    "plane": "    x0, y0 = get_global_id(0), get_global_id(1)\n    i = y0 * get_global_size(0) + x0\n    t = get_local_id(1) * get_local_size(0) + get_local_id(0)\n"
             "    b = get_group_id(1) * 3 + get_group_id(0)\n",
}


class Program:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.form = self.choose(*HEADS)
        self.ones, self.ints, self.floats = ["m", "b", "n"], ["t", "i"], ["g"]
        self.sums, self.counts, self.made = ["a", "c"], ["d"], 0
        self.phase = {}  # of a shared array since the last barrier: "w" or "r"

    def choose(self, *options):
        return self.random.choice(options)

    def name(self):
        self.made += 1
        return f"v{self.made}"

    def one(self, depth=1):
        """An integer that is the same for all threads of a group."""
        if depth == 0:
            return self.choose(*self.ones, str(self.random.randint(0, 9)), "get_local_size()", "get_num_groups()")
        return f"({self.one(depth - 1)} {self.choose('+', '-', '*', '//', '%')} {self.one(0)})"

    def integer(self, depth=1):
        if depth == 0:
            return self.choose(*self.ints, *self.ones, *self.counts, "t", "i")
        return f"({self.integer(depth - 1)} {self.choose('+', '-', '*', '%')} {self.integer(0)})"

    def index(self):
        return f"i64({self.integer()}) % {SIZE}"

    def value(self, depth=2):
        if depth == 0:
            options = [*self.floats, *self.sums, f"f32({self.integer(0)})", f"x[i64({self.integer()}) % 97]", "o[i]"]
            for array in ("s", "u"):
                if self.phase.setdefault(array, "r") == "r":
                    options += [f"{array}[{self.index()}]"] * 2
            return self.choose(*options)
        a, b = self.value(depth - 1), self.value(0)
        return self.choose(f"({a} {self.choose('+', '-', '*')} {b})", f"{self.choose('min', 'max')}({a}, {b})", f"({a} if {self.integer()} < {self.integer(0)} else {b})")

    def plain(self, lines, indent, depth=1):
        """A statement that each thread runs for itself."""
        form = self.random.randint(0, 6)
        if form == 0:
            lines.append(f"{indent}{self.choose(*self.sums)} {self.choose('+', '-')}= {self.value()}")
        elif form == 1:
            lines.append(f"{indent}{self.choose(*self.counts)} {self.choose('+', '^', '-')}= {self.integer()}")
        elif form == 2:
            lines.append(f"{indent}o[i] = {self.value()}")
        elif form == 3 and depth:
            lines.append(f"{indent}if {self.integer()} < {self.integer(0)}:")
            kept = list(self.ints), list(self.floats)
            for _ in range(self.random.randint(1, 2)):
                self.plain(lines, indent + "    ", depth - 1)
            self.ints, self.floats = kept
        elif form == 4 and depth:
            turn, bound = self.name(), self.choose("3", f"{self.one()} % 4", f"{self.integer()} % 4")
            lines.append(f"{indent}for {turn} in range({bound}):")
            kept = list(self.ints), list(self.floats)
            self.ints.append(turn)
            lines.append(f"{indent}    {self.choose(*self.sums)} += {self.value()}")
            if self.random.random() < 0.4:
                self.plain(lines, indent + "    ", depth - 1)
            self.ints, self.floats = kept
        else:
            name = self.name()
            is_float = self.random.random() < 0.5
            lines.append(f"{indent}{name} = {self.value() if is_float else self.integer()}")
            (self.floats if is_float else self.ints).append(name)

    def share(self, lines, indent):
        array = self.choose("s", "u")
        if self.phase.setdefault(array, "w") == "w":
            lines.append(f"{indent}{array}[t] = {self.value()}")

    def barrier(self, lines, indent):
        lines.append(f"{indent}barrier()")
        self.phase = {}

    def around(self, lines, indent, depth):
        """Statements of the whole group."""
        for _ in range(self.random.randint(2, 5)):
            form = self.random.randint(0, 9)
            if form < 2:
                self.share(lines, indent)
            elif form < 5:
                self.plain(lines, indent)
            elif form == 5:
                name = self.choose("w", "w", self.name())
                lines.append(f"{indent}{name} = {self.one()}")
                self.ones.append(name)
            elif form == 6:
                self.barrier(lines, indent)
            elif depth:
                self.nest(lines, indent, depth - 1)

    def nest(self, lines, indent, depth):
        inner, form = indent + "    ", self.choose("for", "while", "if")
        kept = list(self.ones), list(self.ints), list(self.floats)
        self.barrier(lines, indent)
        turn = self.name()
        if form == "for":
            lines.append(f"{indent}for {turn} in range({self.one()} % 4, {self.choose('2', '3')}):")
        elif form == "while":
            lines += [f"{indent}{turn} = {self.choose('3', 'i64(' + self.one() + ') % 5')}", f"{indent}while {turn} > 0:"]
        else:
            lines.append(f"{indent}if {self.one()} % 3 < 2:")
        if form != "if":
            self.ones.append(turn)
        if form == "while":
            lines.append(f"{inner}{turn} {self.choose('//= 2', '-= 2', '= ' + turn + ' // 3')}")
        self.around(lines, inner, depth)
        if form != "if" and self.random.random() < 0.4:
            lines.append(f"{inner}if {self.one()} % 5 == 1:")
            self.barrier(lines, inner + "    ")
            lines.append(f"{inner}    {self.choose('break', 'continue')}")
        self.barrier(lines, inner)
        self.ones, self.ints, self.floats = kept

    def write(self, name):
        lines = ["    s = shared_array(f32, 64)", "    u = shared_array(f32, 64)"]
        body = ["    a, c = 0.5, g", "    d: i64 = t", f"    w = {self.one()}"]
        self.ones.append("w")
        self.around(body, "    ", 1)
        self.nest(body, "    ", 1)
        self.around(body, "    ", 1)
        if self.random.random() < 0.5:
            body += ["    if t % 3 == 1:", "        p[i] = d", "        return"]
        body += ["    o[i] = a * 0.5 + c", "    p[i] = p[i] ^ d"]
        return f"def {name}({PARAMETERS}):\n" + "\n".join(lines) + "\n" + HEADS[self.form] + "\n".join(body) + "\n"

    def launch(self):
        if self.form == "line":
            n, local = self.random.randint(1, 300), (self.random.randint(1, SIZE), 1, 1)
            return n, dict(grid=(n, 1, 1), local=local)
        wide, high = self.random.randint(1, 8), self.random.randint(1, 8)
        grid = self.random.randint(1, 20), self.random.randint(1, 20)
        return grid[0] * grid[1], dict(grid=(*grid, 1), local=(wide, high, 1))


def test_bits(tmp_path):
    first = int(os.environ.get("KLR_RANDOM_SEED", "1")) * 1000
    programs = [(Program(first + number), f"k{number}") for number in range(COUNT)]
    texts = [program.write(name) for program, name in programs]
    compiler = COMPILERS[first // 1000 % len(COMPILERS)]
    native = build(tmp_path, "".join(texts), compiler=compiler)
    for (program, name), text in zip(programs, texts):
        draw = np.random.default_rng(first)
        for _ in range(3):
            n, launch = program.launch()
            given = dict(x=draw.standard_normal(97).astype(np.float32), o=draw.standard_normal(n).astype(np.float32), p=draw.integers(-99, 99, n), n=n, m=int(draw.integers(0, 9)),
                         g=0.375)
            want = Interpreted(HEAD + text).run(name, given, steps=10**7, **launch)
            for isa in filter(cpu_has, range(3)):
                for pieces in (1, 3):
                    got, _ = native.run(name, given, isa=isa, pieces=pieces, **launch)
                    for key in want:
                        assert np.array_equal(got[key], want[key], equal_nan=key == "o"), (text, key, isa, pieces, compiler, launch, given)
