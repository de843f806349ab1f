"""How long arrays must be: what a launch asks for is never more than the interpreter finds to be enough, and for accesses that all threads make it is that."""

import random

import numpy as np
import pytest
from conftest import run_klr
from schema_library import Interpreted
from test_schema_native import HEAD, build

KERNELS = 60


class Program:
    """A kernel of one to three ids, or of none, that reads `a` at random indices."""

    def __init__(self, seed, name):
        self.random = random.Random(seed)
        self.dims = seed % 4
        self.names = [f"i{d}" for d in range(self.dims)] + ["n", "m", "s"]
        self.lines = [f"i{d} = get_global_id({d})" for d in range(self.dims)]
        bounds = ["n", "m", "n + 1"][:self.dims]
        form = self.random.randrange(3)
        if self.dims and form == 0:
            self.lines.append(f"if {' or '.join(f'i{d} >= {bound}' for d, bound in enumerate(bounds))}:\n        return")
        elif self.dims and form == 1:
            self.lines.append(f"if {' and '.join(f'i{d} < {bound}' for d, bound in enumerate(bounds))}:")
        self.has_guard = self.dims and form < 2
        self.indent = "    " if self.dims and form == 1 else ""
        self.loops = 0
        for _ in range(self.random.randint(1, 4)):
            self.statement("")
        self.text = f"def {name}(a: DeviceArray[i32], o: DeviceArray[i32], n: u32, m: u32, s: i32):\n" + "".join(f"    {line}\n" for line in self.lines)

    def index(self, depth):
        if depth <= 0 or self.random.random() < 0.2:
            return self.random.choice(self.names + [str(self.random.randint(0, 6))])
        form = self.random.randrange(10)
        a, b = self.index(depth - 1), self.index(depth - 1)
        if form == 0:
            return f"{self.random.choice(['i64', 'u32', 'i32', 'u8'])}({a})"
        if form == 1:
            return f"({a} // {self.random.choice(['n', 'm', '3', '2'])})"
        return f"({a} {self.random.choice('++*-')} {b})"

    def statement(self, more):
        form = self.random.randrange(8)
        put = lambda line: self.lines.append(self.indent + more + line)  # noqa: E731
        if form == 0 and len(more) < 8:
            name = f"k{self.loops}"
            self.loops += 1
            put(f"for {name} in range({self.random.choice(['n', 'm', '4', '1, m', 's, n', 'n, 0, -1', '0, n, 3', 'n, s'])}):")
            self.names.append(name)
            self.statement(more + "    ")
            if self.random.random() < 0.2:
                put(f"    if {self.index(1)} > 5:\n    {self.indent}{more}        break")
            self.names.remove(name)
        elif form == 1:
            put(f"if {self.index(1)} > 2:")
            put(f"    o[0] = a[{self.index(1)}]")
        elif form == 2:
            put(f"o[0] = 3 if {self.index(1)} > 2 and a[{self.index(1)}] > 0 else a[{self.index(1)}]")
        elif form == 3 and not more:
            name = f"v{len(self.lines)}"
            put(f"{name} = {self.index(2)}")
            self.names.append(name)
        else:
            put(f"o[0] = a[{self.index(2)}]")


def least_length(kernels, name, values, grid):
    """Of `a`, for the interpreter; None: no length is enough."""
    low, high = 0, 4000
    while low < high:
        middle = (low + high) // 2
        try:
            kernels.run(name, dict(values, a=np.zeros(middle, np.int32)), grid=grid)
            high = middle
        except ValueError as refused:
            assert "E1008" in str(refused), refused
            low = middle + 1
    return low if low < 4000 else None


def test_never_more_than_is_needed(tmp_path):
    programs = [Program(seed, f"k{seed}") for seed in range(KERNELS)]
    text = "".join(program.text for program in programs)
    kernels, library, exact, known = Interpreted(HEAD + text), build(tmp_path, text), 0, 0
    draw = random.Random(1)
    for seed, program in enumerate(programs):
        for _ in range(3):
            values = dict(o=np.zeros(1, np.int32), n=draw.randint(0, 5), m=draw.randint(0, 5), s=draw.randint(-3, 5))
            size = [values["n"], values["m"], values["n"] + 1][:program.dims] + [1] * (3 - program.dims)
            grid = size if program.has_guard else [draw.randint(1, 4) if d < program.dims else 1 for d in range(3)]
            if program.has_guard and draw.random() < 0.3:
                grid = [max(1, have + draw.randint(-2, 2)) if d < program.dims else 1 for d, have in enumerate(grid)]
            if 0 in grid:
                continue
            least = least_length(kernels, f"k{seed}", values, tuple(grid))
            if least is None or not library.infos[f"k{seed}"].stages[0].needed:
                continue
            needed = library.needed(f"k{seed}", dict(values, a=0), grid)[0]
            assert needed <= least, (program.text, values, grid, needed, least)
            exact, known = exact + (needed == least), known + 1
    assert known > 60 and exact > 0.7 * known, (exact, known)


PLANE = """def mm(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], m: u32, n: u32, k: u32):
    column, row = get_global_id(0), get_global_id(1)
    if row >= m or column >= n:
        return
    total = 0.0
    for p in range(k):
        total += A[row * k + p] * B[p * n + column]
    C[row * n + column] = total
def dot(x: DeviceArray[f32], r: DeviceArray[f32], n: u32):
    i = get_global_id()
    if i < n:
        atomic_add(r, 0, x[i])
def first(r: DeviceArray[f64], n: i32):
    r[2] = n
def free(x: DeviceArray[i32]):
    x[get_global_id() + 1] += 1
"""


@pytest.mark.parametrize("words, told", [
    ("mm A=ones:f32[11] B=ones:f32[20] C=ones:f32[15] m=3 n=5 k=4", "`A` has 11 elements, 12 are needed"), ("mm A=ones:f32[12] B=ones:f32[19] C=ones:f32[15] m=3 n=5 k=4", "`B` has 19 elements, 20 are"),
    ("mm A=ones:f32[12] B=ones:f32[20] C=ones:f32[14] m=3 n=5 k=4", "`C` has 14 elements, 15 are"), ("mm A=ones:f32[12] B=ones:f32[20] C=ones:f32[15] m=3 n=5 k=4", ""),
    ("mm A=ones:f32[0] B=ones:f32[0] C=ones:f32[15] m=3 n=5 k=0", ""), ("mm A=ones:f32[0] B=ones:f32[0] C=ones:f32[0] m=0 n=5 k=3", ""), ("dot x=ones:f32[4] r=ones:f32[0] n=4", "`r` has 0 elements, 1 are"),
    ("dot x=ones:f32[4] r=ones:f32[0] n=0", ""), ("dot x=ones:f32[4] r=ones:f32[1] n=4", ""), ("first r=ones:f64[2] n=4", "`r` has 2 elements, 3 are"), ("free x=ones:i32[4] --grid 4", "`x` has 4 elements, 5 are"),
    ("free x=ones:i32[5] --grid 4", "")])
def test_short_arrays_are_refused_before_anything_runs(planes, words, told):
    done = run_klr("schema", "run", planes, *words.split())
    assert (done.returncode == 1 and "error[E1009]" in done.stderr and told in done.stderr) if told else done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def planes(tmp_path_factory):
    return build(tmp_path_factory.mktemp("planes"), PLANE).path


def test_a_checked_build_says_which_access_it_is(tmp_path):
    path = build(tmp_path, PLANE, "--checked").path
    done = run_klr("schema", "run", path, "mm", "A=ones:f32[11]", "B=ones:f32[20]", "C=ones:f32[15]", "m=3", "n=5", "k=4")
    assert done.returncode == 1 and "error[E1008]: mm: index 11 is outside of `A`, which has 11 elements, in thread 10" in done.stderr, done.stderr
