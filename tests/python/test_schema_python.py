"""Random statements mean what they mean in CPython, which runs the same text: nested loops with breaks and turns left out, conditions, early returns, tuples, elements.

Expressions that change elements are computed in Python's order. Numbers stay small, so nothing wraps. A division by 0 raises in Python and gives 0 in a kernel: such runs are left out.
"""

import random

import numpy as np
import pytest
from schema_library import COMPILERS, Interpreted
from test_schema_native import HEAD, build

PROGRAMS, COMPILED, NAMES = 60, 8, 30


class Program:
    """Writes a kernel over `x`, ten numbers, and `n`."""

    def __init__(self, seed, name):
        self.random = random.Random(seed)
        self.names, self.made, self.loops, self.lines = ["p", "q", "r"], 0, 0, []
        for one in self.names:
            self.put(0, f"{one} = {self.random.randint(-5, 9)} + n * 0")
        for one in range(NAMES):
            self.put(0, f"k{one} = n * 0")
        for _ in range(self.random.randint(3, 7)):
            self.statement(0)
        for i, one in enumerate(self.names):
            self.put(0, f"x[{i % 9}] = (x[{i % 9}] * 31 + {one}) % 10007")
        self.name, self.text = name, f"def {name}(x: DeviceArray[i64], n: i64):\n" + "".join(f"    {line}\n" for line in self.lines)

    def put(self, depth, line):
        self.lines.append("    " * depth + line)

    def number(self, depth=2):
        choose = self.random.choice
        if depth <= 0 or self.random.random() < 0.25:
            return choose(self.names + ["n", str(self.random.randint(0, 9)), f"x[{self.random.randint(0, 8)}]"])
        a, b = self.number(depth - 1), self.number(depth - 1)
        return choose([f"({a} {choose(['+', '-', '*', '//', '%', '&', '|', '^'])} {b})"] * 6 +
                      [f"({a} if {self.condition(depth - 1)} else {b})", f"(-{a})", f"(~{a})", f"{choose(['min', 'max'])}({a}, {b})", f"abs({a})", f"x[({a}) % 9]"])

    def condition(self, depth=1):
        choose, number = self.random.choice, self.number
        form = self.random.randrange(6)
        if form < 2:
            return f"{number(depth)} {choose(['<', '<=', '>', '>=', '==', '!='])} {number(depth)}"
        if form == 2:
            return f"{number(depth)} {choose(['<', '<='])} {number(depth)} {choose(['<', '==', '!='])} {number(depth)}"
        if form == 3:
            return f"({self.condition(0)} {choose(['and', 'or'])} {self.condition(0)})"
        return f"not {number(0)}" if form == 4 else number(depth)

    def loop(self, depth, head, after=""):
        self.put(depth, head)
        self.loops += 1
        if after:
            self.put(depth + 1, after)
        for _ in range(self.random.randint(1, 3)):
            self.statement(depth + 1)
        self.loops -= 1

    def statement(self, depth):
        choose, name, number = self.random.choice, self.random.choice(self.names), self.number
        form = self.random.randrange(5 if depth > 3 else 16)
        if form < 3 or form == 15:
            self.put(depth, f"{name} = ({number()}) % 97")
        elif form == 3:
            self.put(depth, f"x[({number(1)}) % 9] {choose(['=', '+=', '-='])} {number(1)} % 50")
        elif form == 4:
            other = self.random.choice([one for one in self.names if one != name])  # some CPythons get `a, a = 1, 2` wrong
            self.put(depth, choose([f"{name}, {other} = ({number(1)}) % 31, ({number(1)}) % 29", f"{name} = {other} = ({number(1)}) % 31",
                                    f"{name} {choose(['+=', '-=', '^=', '|=', '&='])} {number(1)} % 13", f"x[{name} % 9], {other} = {other} % 77, x[{other} % 9] % 77"]))
        elif form < 8:
            self.put(depth, f"if {self.condition()}:")
            self.statement(depth + 1)
            for word in [f"elif {self.condition()}:"] * (self.random.random() < 0.3) + ["else:"] * (self.random.random() < 0.5):
                self.put(depth, word)
                self.statement(depth + 1)
        elif form < 12 and self.loops < 3 and self.made < NAMES:
            counter, self.made = f"k{self.made}", self.made + 1
            if form < 11:
                self.names.append(counter)
                self.loop(depth, f"for {counter} in range({choose(['5', 'n', '2, 8', '7, 0, -2', '-3, n, 2', 'p, q', 'q % 6', 'p, p + 4', 'r, -4, -3'])}):")
            else:
                self.put(depth, f"{counter} = 0")
                self.loop(depth, f"while {counter} < {self.random.randint(1, 6)}{choose(['', ' and p < 90', ' or False'])}:", f"{counter} += 1")
        elif form in (12, 13) and self.loops:
            self.put(depth, f"if {self.condition()}:")
            self.put(depth + 1, choose(["break", "continue"]))
        elif form == 14:
            self.put(depth, f"if {self.condition()} and n == 3:")
            self.put(depth + 1, "return")
        else:
            self.put(depth, "pass")


HELPERS = """@inline
def bump(a: DeviceArray[i64], v: i64):
    a[9] = (a[9] * 3 + v) % 1009
    return a[9]
@inline
def two(a: DeviceArray[i64], u, v):
    a[8] += u
    if u > v:
        return bump(a, u) - v
    return bump(a, v) + u
"""


class Effects:
    """A kernel whose expressions change elements that others of them read."""

    def __init__(self, seed, name):
        self.random = random.Random(seed)
        self.name = name
        first = "x[(n ^ x[8]) % 10] -= two(x, x[1] % 50, n % 50) % 100"  # the index is that of before
        statements = [first if seed == 0 else self.statement()] + [self.statement() for _ in range(2)]
        self.text = f"def {name}(x: DeviceArray[i64], n: i64):\n    p = n * 1\n" + "".join(f"    {statement}\n" for statement in statements) + "    x[0] = (x[0] + p) % 100003\n"

    def number(self, depth=3):
        choose = self.random.choice
        if depth <= 0:
            return choose(["n", str(self.random.randint(0, 9)), f"x[{self.random.randint(0, 9)}]", f"bump(x, {self.random.randint(0, 5)})", "p"])
        a, b = self.number(depth - 1), self.number(depth - 1)
        return choose([f"({a} {choose('+-*&|^')} {b})"] * 4 + [f"bump(x, ({a}) % 50)", f"two(x, ({a}) % 50, ({b}) % 50)", f"({a} if {self.condition(depth - 1)} else {b})", f"(-{a})",
                       f"{choose(['min', 'max'])}({a}, {b})", f"x[({a}) % 10]", f"abs({a})", f"({a} % 7)", f"atomic_add(x, ({a}) % 8, ({b}) % 40)"])

    def condition(self, depth):
        number = self.number
        return self.random.choice([f"({number(depth)} < {number(depth)})", f"(n > 2 {self.random.choice(['and', 'or'])} ({number(depth - 1)} > {number(depth - 1)}))", f"(not {number(depth - 1)})"])

    def statement(self):
        number = self.number
        return self.random.choice([f"x[({number(1)}) % 10] {self.random.choice(['+=', '-=', '='])} ({number(2)}) % 100", f"p, x[({number(1)}) % 10] = ({number(2)}) % 100, ({number(2)}) % 100",
                                   f"x[({number(1)}) % 10] = x[({number(1)}) % 10] = ({number(1)}) % 100", f"if {self.condition(2)}:\n        p = ({number(2)}) % 100", f"p = ({number(3)}) % 1000",
                                   f"for k in range(({number(1)}) % 3, ({number(1)}) % 5):\n        p = (p + {number(2)}) % 1000", f"two(x, ({number(1)}) % 9, ({number(2)}) % 9)"])


def atomic_add(x, i, value):
    old = x[i]
    x[i] = old + value
    return old


def in_python(program, start, n):
    """The numbers that CPython leaves; None: it raises."""
    names, x = {"DeviceArray": {int: list}, "i64": int, "inline": lambda function: function, "atomic_add": atomic_add}, list(start)
    exec(compile(HELPERS + program.text, program.name, "exec"), names)  # noqa: S102
    try:
        names[program.name](x, n)
    except ZeroDivisionError:
        return None
    return x


@pytest.mark.parametrize("kind", [Program, Effects])
@pytest.mark.parametrize("how", ["interpreted", *COMPILERS])
def test_statements_as_in_python(tmp_path, how, kind):
    programs, compared = [kind(seed, f"f{seed}") for seed in range(PROGRAMS if how == "interpreted" else COMPILED)], 0
    text = HELPERS + "".join(program.text for program in programs)
    library = Interpreted(HEAD + text) if how == "interpreted" else build(tmp_path, text, compiler=how)
    for program in programs:
        for n in (0, 1, 3, -2, 7):
            start = [(7 * i + n) % 11 for i in range(10)]
            want = in_python(program, start, n)
            if want is None:
                continue
            found = library.run(program.name, dict(x=np.array(start, np.int64), n=n))
            found = found if how == "interpreted" else found[0]
            assert found["x"].tolist() == want, (program.text, n)
            compared += 1
    assert compared > 2 * len(programs)
