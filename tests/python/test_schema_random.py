"""Random kernels: what a compiled library computes is what the interpreter computes, bit for bit.

Every kernel has scalars and arrays of five types, locals with declared types, loops, conditions, helpers' calls and casts. Expressions are made
with a kind in mind, `int` or `float`, and so are always well typed; KLR_RANDOM_SEED chooses others,
and KLR_RANDOM_COUNT says how many.
"""

import os
import random

import numpy as np
from schema_library import COMPILERS, cpu_has
from test_schema_interpret import run as interpret
from test_schema_native import build

KERNELS, N = int(os.environ.get("KLR_RANDOM_COUNT", "10")), 137
INTS, FLOATS = ["i32", "u32", "i64", "u64", "i16", "u8"], ["f32", "f64"]
ARRAYS = {"x": "f32", "p": "i32", "q": "u32", "s": "i16", "b": "u8"}
HELPERS = ("@inline\ndef pick(a, b):\n    if a > b:\n        return a - b\n    return b * 3\n"
           "@inline\ndef count_bits(a):\n    found = 0\n    rest = u32(a)\n    while rest != 0:\n        found += i32(rest & 1)\n        rest = rest >> 1\n    return found\n")


class Program:
    """Writes one kernel; `pick` functions draw from `self.random`."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.kinds = {"n": "int", "k": "int", "g": "float", "i": "int"}
        self.made = 0  # names so far: none is declared twice
        self.fixed = set(self.kinds)

    def choose(self, *options):
        return self.random.choice(options)

    def name(self, kind):
        return self.choose(*[name for name, has in self.kinds.items() if has == kind])

    def element(self, kind, depth):
        array = "x" if kind == "float" else self.choose("p", "q", "s", "b")
        return f"{array}[{self.choose('i', f'({self.integer(depth - 1)}) % n')}]"

    def number(self, depth):
        return self.choose(self.integer, self.floating)(depth)

    def integer(self, depth):
        if depth <= 0:
            name = self.name("int")  # literals stand beside names only: of literals alone some have no type that takes them
            return self.choose(name, name, f"({name} {self.choose('+', '-', '*', '//', '%', '&', '|', '^', '<<', '>>')} {self.random.randint(-9, 99)})")
        a, b = (lambda: self.integer(depth - 1)), (lambda: self.integer(depth - 2))
        form = self.random.randrange(12)
        if form < 5:
            return f"({a()} {self.choose('+', '-', '*', '//', '%', '&', '|', '^', '<<', '>>')} {b()})"
        if form == 5:
            return f"{self.choose('-', '~')}({a()})"
        if form == 6:
            return f"{self.choose(*INTS)}({self.number(depth - 1)})"
        if form == 7:
            return f"({a()} if {self.condition(depth - 1)} else {b()})"
        if form == 8:
            return f"{self.choose('min', 'max', 'pick')}({a()}, {b()})"
        if form == 9:
            return self.choose(f"abs({a()})", f"count_bits({a()})", f"(({a()}) ** {self.random.randint(0, 5)})")
        return self.element("int", depth)

    def floating(self, depth):
        if depth <= 0:
            return self.choose(self.name("float"), repr(round(self.random.uniform(-3, 3), 3)), self.name("float"))
        a, b = (lambda: self.floating(depth - 1)), (lambda: self.number(depth - 2))
        form = self.random.randrange(12)
        if form < 5:
            return f"({a()} {self.choose('+', '-', '*', '/', '//', '%')} {b()})"
        if form == 5:
            return f"({self.integer(depth - 1)} / {self.integer(depth - 2)})"
        if form == 6:
            return f"{self.choose(*FLOATS)}({self.number(depth - 1)})"
        if form == 7:
            return f"({a()} if {self.condition(depth - 1)} else {b()})"
        if form == 8:
            return f"{self.choose('min', 'max', 'pick', 'atan2')}({a()}, {b()})"
        if form == 9:
            function = self.choose("abs", "sqrt", "exp", "log", "sin", "floor", "round", "tanh", "erf", "sigmoid", "relu", "-")
            return f"{function}({a()})"
        return self.element("float", depth)

    def condition(self, depth):
        compare = f"{self.number(depth - 1)} {self.choose('<', '<=', '>', '>=', '==', '!=')} {self.number(depth - 1)}"
        if depth <= 0 or self.random.random() < 0.6:
            return f"({compare})"
        return self.choose(f"({compare} {self.choose('and', 'or')} {self.condition(depth - 1)})", f"(not {self.condition(depth - 1)})",
                           f"({self.integer(depth - 1)} <= {self.number(0)} < {self.number(0)})")

    def assignment(self):
        targets = [name for name in self.kinds if name not in self.fixed]
        if not targets or self.random.random() < 0.3:
            kind = self.choose("int", "float")
            self.made += 1
            name = f"v{self.made}"
            value = self.integer(3) if kind == "int" else self.number(3)
            text = f"{name}: {self.choose(*(INTS if kind == 'int' else FLOATS))} = {value}"
            self.kinds[name] = kind
            return text
        name = self.choose(*targets)
        if self.kinds[name] == "int":
            return f"{name} {self.choose('', '+', '-', '*', '^', '&', '//', '%', '>>')}= {self.integer(3)}"
        return f"{name} {self.choose('', '+', '-', '*', '/')}= {self.number(3)}"

    def block(self, lines, indent, depth, loops):
        known = dict(self.kinds)
        for _ in range(self.random.randint(1, 4)):
            form = self.random.random()
            if depth and form < 0.25:
                lines.append(f"{indent}if {self.condition(2)}:")
                self.block(lines, indent + "    ", depth - 1, loops)
                if self.random.random() < 0.5:
                    lines.append(f"{indent}else:")
                    self.block(lines, indent + "    ", depth - 1, loops)
            elif depth and form < 0.45:
                self.made += 1
                variable = f"j{self.made}"
                lines.append(f"{indent}for {variable} in range({self.choose('7, -3, -2', '5', '2, 9', 'i % 6', 'i % 4, 9, 3')}):")
                self.kinds[variable] = "int"
                self.fixed.add(variable)
                self.block(lines, indent + "    ", depth - 1, True)
                del self.kinds[variable]
            elif loops and form < 0.5:
                lines.append(f"{indent}if {self.condition(1)}:\n{indent}    {self.choose('break', 'continue')}")
            else:
                lines.append(indent + self.assignment())
        self.kinds = known  # what was first assigned in here may be unassigned after

    def write(self, name):
        parameters = [f"{array}: DeviceArray[{dtype}]" for array, dtype in ARRAYS.items()] + [f"o{array}: DeviceArray[{dtype}]" for array, dtype in ARRAYS.items()]
        lines = [f"def {name}({', '.join(parameters)}, n: u32, k: i64, g: f32):", "    i = get_global_id()", "    if i >= n:", "        return"]
        for _ in range(4):
            lines.append("    " + self.assignment())
        keep = dict(self.kinds)
        for _ in range(3):
            self.kinds = dict(keep)
            self.block(lines, "    ", 2, False)
        self.kinds = keep
        ints = " ^ ".join(f"i64({name})" for name, kind in keep.items() if kind == "int")
        floats = " + ".join(f"f32({name})" for name, kind in keep.items() if kind == "float")
        lines += [f"    ox[i] = f32({floats})", f"    op[i] = i32({ints})", f"    oq[i] = u32({self.number(3)})", f"    os[i] = i16({self.number(3)})", f"    ob[i] = u8({self.number(3)})"]
        return "\n".join(lines) + "\n"


def arguments(seed):
    draw = np.random.default_rng(seed)
    given = {"x": (draw.standard_normal(N) * 4).astype(np.float32)}
    for name, dtype in (("p", np.int32), ("q", np.uint32), ("s", np.int16), ("b", np.uint8)):
        info = np.iinfo(dtype)
        given[name] = np.where(draw.random(N) < 0.5, draw.integers(0, 9, N), draw.integers(info.min, info.max, N, endpoint=True)).astype(dtype)
    given["x"][3:6] = [0, -0.0, np.inf]
    return {**given, **{f"o{name}": np.zeros(N, value.dtype) for name, value in given.items()}, "n": N, "k": int(draw.integers(-99, 99)), "g": 0.375}


def test_bits(tmp_path):
    first = int(os.environ.get("KLR_RANDOM_SEED", "1"))
    texts = [Program(first * 1000 + number).write(f"k{number}") for number in range(KERNELS)]
    native = build(tmp_path, HELPERS + "".join(texts), compiler=COMPILERS[first % len(COMPILERS)])
    for number, text in enumerate(texts):
        given = arguments(number)
        want = interpret(tmp_path, HELPERS + text, f"k{number}", given)
        for isa in range(3):
            if cpu_has(isa):
                got, _ = native.run(f"k{number}", given, isa=isa)
                assert set(got) == set(want)
                for name in want:
                    same = got[name].view(f"u{got[name].itemsize}") == want[name].view(f"u{got[name].itemsize}")
                    if got[name].dtype == np.float32:
                        same |= np.isnan(got[name]) & np.isnan(want[name])  # the sign of a new NaN is the processor's
                    assert same.all(), (text, name, isa, got[name], want[name], given)
