"""Random kernels: what a compiled library computes is what the interpreter computes, bit for bit.

A kernel takes numbers and arrays of random types, and has locals with declared types, loops of all kinds, conditions, early returns, casts, helpers with
bodies of their own, and as its form says ids of one to three dimensions, groups with shared arrays and barriers, atomics, or statements over whole arrays.
Expressions are made with a kind in mind, `int` or `float`, and so are always well typed. Arrays hold the numbers where things go wrong:
least and largest integers, NaN, infinities, -0.0, what no integer holds. KLR_RANDOM_SEED chooses other kernels, and KLR_RANDOM_COUNT says how many.
"""

import os
import random

import ml_dtypes
import numpy as np
from schema_library import COMPILERS, Interpreted, cpu_has
from test_schema_native import HEAD, build

KERNELS = int(os.environ.get("KLR_RANDOM_COUNT", "7"))
INTS, FLOATS = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool"], ["f16", "bf16", "f32", "f64"]
NUMPY = {"i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64, "bool": np.bool_,
         "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
FORMS = ["guard", "return", "plane", "space", "group", "atomics", "whole"]
UNARY_FUNCTIONS = ["abs", "sqrt", "rsqrt", "exp", "expm1", "exp2", "log", "log1p", "sin", "cos", "tan", "atan", "sinh", "floor", "ceil", "trunc", "round", "tanh", "erf", "sigmoid", "relu",
                   "reciprocal", "-", "+"]
WHOLE_UNARY = "abs neg sqrt rsqrt exp log sin cos tan sigmoid tanh relu ceil floor round reciprocal erf".split()
MEMBERS = {"plane": 2, "space": 3}


class Program:
    """Writes one kernel, named `name`; what it draws comes from the seed."""

    def __init__(self, seed, name):
        self.random = random.Random(seed)
        self.form = FORMS[seed % len(FORMS)]
        self.text_name = name
        self.kinds = {"n": "int", "k": "int", "g": "float", "i": "int"}
        self.made = 0  # names so far: none is declared twice
        self.fixed = set(self.kinds)
        self.arrays = {"x": self.choose("f32", "f32", *FLOATS), "y": self.choose(*FLOATS), **{f"p{j}": self.choose(*INTS) for j in range(3)}}
        self.wide = {"k": self.choose("i8", "i32", "i64", "u64", "u16"), "g": self.choose("f32", "f64")}
        self.helpers = []
        self.in_helper = None
        self.shared = {}

    def choose(self, *options):
        return self.random.choice(options)

    def name(self, kind):
        return self.choose(*[name for name, has in self.kinds.items() if has == kind])

    def element(self, kind, depth):
        if self.in_helper or (self.form == "group" and self.random.random() < 0.5 and not self.shared.get(kind)):
            return self.name(kind)
        if self.form == "group" and self.shared.get(kind) and self.random.random() < 0.6:
            return f"{self.choose(*self.shared[kind])}[({self.integer(depth - 1)}) % 32]"
        arrays = [array for array, dtype in self.arrays.items() if (dtype in FLOATS) == (kind == "float")]
        return f"{self.choose(*arrays)}[{self.choose('i', 'i', f'({self.integer(depth - 1)}) % n')}]"

    def number(self, depth):
        return self.choose(self.integer, self.floating)(depth)

    def integer(self, depth):
        if depth <= 0:
            name = self.name("int")  # literals stand beside names only: of literals alone some have no type that takes them
            return self.choose(name, name, f"({name} {self.choose('+', '-', '*', '//', '%', '&', '|', '^', '<<', '>>')} {self.random.randint(-9, 99)})")
        a, b = (lambda: self.integer(depth - 1)), (lambda: self.integer(depth - 2))
        form = self.random.randrange(14)
        if form < 5:
            return f"({a()} {self.choose('+', '-', '*', '//', '%', '&', '|', '^', '<<', '>>')} {b()})"
        if form == 5:
            return f"{self.choose('-', '~')}({a()})"
        if form < 8:
            return f"{self.choose(*INTS[:-1])}({self.number(depth - 1)})"
        if form == 8:
            return f"({a()} if {self.condition(depth - 1)} else {b()})"
        if form == 9:
            return self.call("int", depth) or f"{self.choose('min', 'max')}({a()}, {b()})"
        if form == 10:
            return self.choose(f"abs({a()})", f"(({a()}) ** {self.random.randint(0, 5)})", f"i32({self.condition(depth - 1)})", f"(({a()}) ** ({b()} % 7))")
        return self.element("int", depth)

    def floating(self, depth):
        if depth <= 0:
            return self.choose(self.name("float"), repr(round(self.random.uniform(-3, 3), 3)), self.name("float"))
        a, b = (lambda: self.floating(depth - 1)), (lambda: self.number(depth - 2))
        form = self.random.randrange(13)
        if form < 5:
            return f"({a()} {self.choose('+', '-', '*', '/', '//', '%')} {b()})"
        if form == 5:
            return f"({self.integer(depth - 1)} / {self.integer(depth - 2)})"
        if form == 6:
            return f"{self.choose('f32', 'f64', 'f32', 'f16', 'bf16')}({self.number(depth - 1)})"
        if form == 7:
            return f"({a()} if {self.condition(depth - 1)} else {b()})"
        if form == 8:
            return self.call("float", depth) or f"{self.choose('min', 'max', 'atan2', 'pow')}({a()}, {b()})"
        if form == 9:
            return self.choose(f"fma({a()}, {b()}, {a()})", f"min({a()}, {b()}, {a()})", f"max({a()}, {b()})")
        if form == 10:
            return f"{self.choose(*UNARY_FUNCTIONS)}({a()})"
        return self.element("float", depth)

    def condition(self, depth):
        compare = f"{self.number(depth - 1)} {self.choose('<', '<=', '>', '>=', '==', '!=')} {self.number(depth - 1)}"
        if depth <= 0 or self.random.random() < 0.6:
            return self.choose(f"({compare})", f"({compare})", f"{self.choose('isnan', 'isinf')}({self.floating(depth - 1)})", f"bool({self.number(depth - 1)})")
        return self.choose(f"({compare} {self.choose('and', 'or')} {self.condition(depth - 1)})", f"(not {self.condition(depth - 1)})",
                           f"({self.integer(depth - 1)} <= {self.number(0)} < {self.number(0)})", f"({self.condition(0)} {self.choose('&', '|', '^', '==', '!=')} {self.condition(0)})")

    # ---- helpers

    def call(self, kind, depth):
        if self.in_helper:
            return None
        if len(self.helpers) < 3 and self.random.random() < 0.5:
            self.write_helper(kind)
        names = [name for name, has, _ in self.helpers if has == kind]
        return names and f"{self.choose(*names)}({self.integer(depth - 1)}, {self.floating(depth - 2)})"

    def write_helper(self, kind):
        """`a` is of the type of each call, or of one that it says."""
        kept = self.kinds, self.fixed, self.made
        name = f"{self.text_name}_h{len(self.helpers)}"
        self.kinds, self.fixed, self.in_helper = {"a": "int", "b": "float"}, {"a", "b"}, name
        says = self.choose("", ": " + self.choose("i32", "u64", "i16"))
        lines = ["@inline", f"def {name}(a{says}, b):"]
        lines += ["    " + self.assignment() for _ in range(2)]
        self.block(lines, "    ", 1, False)
        lines.append(f"    if {self.condition(1)}:\n        return {self.integer(2) if kind == 'int' else self.floating(2)}")
        lines.append(f"    return {self.integer(1) if kind == 'int' else self.floating(1)}")
        self.in_helper = None
        self.helpers.append((name, kind, "\n".join(lines) + "\n"))
        self.kinds, self.fixed = kept[0], kept[1]

    # ---- statements

    def assignment(self):
        targets = [name for name in self.kinds if name not in self.fixed]
        if not targets or self.random.random() < 0.3:
            kind = self.choose("int", "float")
            value = self.integer(3) if kind == "int" else self.number(3)
            self.made += 1
            name = f"v{self.made}"
            text = f"{name}: {self.choose(*INTS[:-1]) if kind == 'int' else self.choose('f32', 'f64')} = {value}"
            self.kinds[name] = kind
            return text
        name = self.choose(*targets)
        if self.kinds[name] == "int":
            return f"{name} {self.choose('', '+', '-', '*', '^', '&', '|', '//', '%', '>>', '<<')}= {self.integer(3)}"
        return f"{name} {self.choose('', '+', '-', '*', '/', '//', '%')}= {self.number(3)}"

    def counter(self, prefix):
        self.made += 1
        self.kinds[f"{prefix}{self.made}"] = "int"
        self.fixed.add(f"{prefix}{self.made}")
        return f"{prefix}{self.made}"

    def block(self, lines, indent, depth, loops):
        known = dict(self.kinds)
        for _ in range(self.random.randint(1, 4)):
            form = self.random.random()
            if depth and form < 0.22:
                lines.append(f"{indent}if {self.condition(2)}:")
                self.block(lines, indent + "    ", depth - 1, loops)
                if self.random.random() < 0.3:
                    lines.append(f"{indent}elif {self.condition(1)}:")
                    self.block(lines, indent + "    ", depth - 1, loops)
                if self.random.random() < 0.5:
                    lines.append(f"{indent}else:")
                    self.block(lines, indent + "    ", depth - 1, loops)
            elif depth and form < 0.38:
                bounds = self.choose("7, -3, -2", "5", "2, 9", f"({self.integer(1)}) % 6", f"({self.integer(0)}) % 4, 9, 3")
                variable = self.counter("j")
                lines.append(f"{indent}for {variable} in range({bounds}):")
                self.block(lines, indent + "    ", depth - 1, True)
                del self.kinds[variable]
            elif depth and form < 0.45:
                turns = self.counter("w")
                lines += [f"{indent}{turns} = 0", f"{indent}while {turns} < {self.random.randint(1, 6)} {self.choose('and', 'and not')} {self.condition(1)}:", f"{indent}    {turns} += 1"]
                self.block(lines, indent + "    ", depth - 1, True)
            elif loops and form < 0.5:
                lines.append(f"{indent}if {self.condition(1)}:\n{indent}    {self.choose('break', 'continue')}")
            elif form < 0.53 and not self.in_helper and self.form in ("return", "guard", "plane", "space"):
                lines.append(f"{indent}if {self.condition(1)}:\n{indent}    return")
            else:
                lines.append(indent + self.assignment())
        self.kinds = known  # what was first assigned in here may be unassigned after

    def body(self, lines, indent):
        for _ in range(4):
            lines.append(indent + self.assignment())
        keep = dict(self.kinds)
        for _ in range(3):
            self.kinds = dict(keep)
            self.block(lines, indent, 2, False)
        self.kinds = keep

    def stores(self, lines, indent):
        ints = " ^ ".join(f"i64({name})" for name, kind in self.kinds.items() if kind == "int")
        floats = " + ".join(f"f32({name})" for name, kind in self.kinds.items() if kind == "float")
        for array, dtype in self.arrays.items():
            value = self.choose(self.number(3), floats if dtype in FLOATS else ints)
            lines.append(f"{indent}o{array}[i] = {dtype}({value})")

    # ---- forms

    def write_threads(self, lines):
        if self.form == "guard":
            lines += ["    i = get_global_id()", "    if i < n:"]
        elif self.form in ("return", "atomics"):
            lines += ["    i = get_global_id()", "    if i >= n:", "        return"]
        else:
            ids, sizes = "cab"[:MEMBERS[self.form]], ["n", "3", "2"]
            for d, name in enumerate(ids):
                lines.append(f"    i{name} = get_global_id({d})")
                self.kinds[f"i{name}"] = "int"
                self.fixed.add(f"i{name}")
            bounds = [f"i{name} >= {size}" for name, size in zip(ids, ["n // 3" if self.form == "plane" else "n // 6", *sizes[1:]])]
            lines += [f"    if {' or '.join(bounds)}:", "        return"]
            lines.append("    i = " + ("ic * 3 + ia" if self.form == "plane" else "(ic * 3 + ia) * 2 + ib"))
        indent = "        " if self.form == "guard" else "    "
        self.body(lines, indent)
        if self.form == "atomics":
            self.write_atomics(lines, indent)
        self.stores(lines, indent)
        if self.form == "atomics":  # in a fixed order: no result, no loop, no other use
            for array in ("r", "s"):
                lines.append(f"{indent}atomic_{self.choose('add', 'min', 'max')}({array}, {self.random.randint(0, 3)}, {self.floating(2) if array == 'r' else self.integer(2)})")

    def write_atomics(self, lines, indent):
        """Integers in any order; what gives back a value on the thread's own element."""
        for _ in range(3):
            value, at = self.integer(2), f"({self.integer(1)}) % 8"
            lines.append(f"{indent}atomic_{self.choose('add', 'sub')}(t, {at}, {value})")
        lines.append(f"{indent}atomic_{self.choose('min', 'max')}(u, ({self.integer(1)}) % 8, {self.integer(2)})")
        for call in (f"atomic_exch(own, i, {self.integer(2)})", f"atomic_cas(own, i, {self.choose('own[i]', '0')}, {self.integer(2)})",
                     f"atomic_{self.choose('add', 'min', 'max', 'sub')}(own, i, {self.integer(2)})"):
            self.made += 1
            lines.append(f"{indent}v{self.made}: {self.choose('i64', 'u32')} = {call}")
            self.kinds[f"v{self.made}"] = "int"

    def write_group(self, lines):
        lines += ["    i = get_global_id()", "    local = get_local_id()", "    group = get_group_id()"]
        for name in ("local", "group"):
            self.kinds[name] = "int"
            self.fixed.add(name)
        types = {"sf": self.choose("f32", "f64", "f16", "bf16"), "si": self.choose(*INTS[:-1])}
        lines += [f"    {name} = shared_array({dtype}, 32)" for name, dtype in types.items()]
        self.body(lines, "    ")
        for phase in range(self.random.randint(1, 3)):
            loop = self.random.random() < 0.4
            indent, outside = "        " if loop else "    ", dict(self.kinds)
            if loop:
                lines.append(f"    for turn{phase} in range({self.random.randint(1, 3)}):")
                self.kinds[f"turn{phase}"] = "int"
                self.fixed.add(f"turn{phase}")
            lines += [f"{indent}sf[local] = {types['sf']}({self.floating(2)})", f"{indent}si[local] = {types['si']}({self.number(2)})", f"{indent}barrier()"]
            self.shared = {"float": ["sf"], "int": ["si"]}
            if loop and self.random.random() < 0.5:
                lines.append(f"{indent}if {self.choose('n', 'k', 'group', f'turn{phase}')} {self.choose('<', '>', '%')} {self.random.randint(1, 99)}:\n{indent}    {self.choose('break', 'continue')}")
            for _ in range(2):
                lines.append(indent + self.assignment())
            keep = dict(self.kinds)
            self.block(lines, indent, 1, False)
            self.kinds = keep
            self.shared = {}
            lines.append(f"{indent}barrier()")
            if loop:
                self.kinds = outside
        self.stores(lines, "    ")

    def write_whole(self, lines):
        floats = [name for name in ("x", "ox", "z")]
        for _ in range(7):
            count = self.choose("n", "n", "n // 2", "0", "1", "n - 5")
            a, b, c = (self.choose(*floats) for _ in range(3))
            lines.append("    " + self.choose(
                f"parallel_map_unary({a}, {c}, '{self.choose(*WHOLE_UNARY)}', {count})", f"parallel_map_binary({a}, {b}, {c}, '{self.choose('add', 'sub', 'mul', 'div', 'pow', 'min', 'max', 'atan2')}', {count})",
                f"parallel_reduce({a}, rx, '{self.choose('sum', 'product', 'min', 'max')}', {count})", f"parallel_scan({a}, {self.choose('ox', 'z')}, '{self.choose('sum', 'product', 'min', 'max')}', {count})",
                f"parallel_gather({self.choose('x', 'rx')}, zero, {self.choose('ox', 'z')}, {count})", f"parallel_gather(x, at, {self.choose('ox', 'z')}, n)", f"parallel_scatter(x, at, {self.choose('ox', 'z')}, n)",
                f"parallel_map_binary(p, op, op, '{self.choose('add', 'sub', 'mul', 'min', 'max')}', {count})", f"parallel_scan(p, op, '{self.choose('sum', 'product', 'min', 'max')}', {count})",
                f"parallel_reduce(p, rp, '{self.choose('sum', 'product', 'min', 'max')}', {count})", f"parallel_map_unary(p, op, '{self.choose('abs', 'neg')}', {count})"))

    def write(self):
        parameters, lines = [], []
        if self.form == "whole":
            dtype, whole = self.arrays["x"], self.choose("i32", "u32", "i64", "u64", "i16", "u8")
            self.whole_types = {"x": dtype, "ox": dtype, "z": dtype, "rx": dtype, "p": whole, "op": whole, "rp": whole, "at": self.choose("u32", "i64", "u16"), "zero": "u8"}
            parameters += [f"{name}: DeviceArray[{dtype}]" for name, dtype in self.whole_types.items()]
            self.write_whole(lines)
        else:
            self.atomic_types = {"r": self.choose("f32", "f64"), "s": self.choose("i32", "u64"), "t": self.choose("i32", "u32", "i64", "u64"), "u": self.choose("i32", "u32", "i64", "u64"),
                                 "own": self.choose("i32", "u32", "i64", "u64")}
            parameters += [f"{prefix}{name}: DeviceArray[{dtype}]" for prefix in ("", "o") for name, dtype in self.arrays.items()]
            if self.form == "atomics":
                parameters += [f"{name}: DeviceArray[{dtype}]" for name, dtype in self.atomic_types.items()]
            (self.write_group if self.form == "group" else self.write_threads)(lines)
        head = f"def {self.text_name}({', '.join(parameters)}, n: u32, k: {self.wide['k']}, g: {self.wide['g']}):"
        return "".join(text for _, _, text in self.helpers) + "\n".join([head, *lines]) + "\n"

    # ---- arguments

    def array(self, draw, dtype, count):
        numpy = NUMPY[dtype]
        if dtype == "bool":
            return draw.random(count) < 0.5
        if dtype in INTS:
            info = np.iinfo(numpy)
            some = np.where(draw.random(count) < 0.6, draw.integers(0, 9, count), 0).astype(numpy)
            wild = draw.integers(info.min, info.max, count, numpy, endpoint=True)
            wild[:6] = [info.min, info.max, 0, np.array(-1).astype(numpy), 1, info.max // 2]
            return np.where(some > 0, some, draw.permutation(wild))
        values = draw.standard_normal(count) * 10.0**draw.integers(-2, 3, count)
        values[:9] = [0, -0.0, np.inf, -np.inf, np.nan, 1e30, -3e9, 1e-40, 65519]
        with np.errstate(over="ignore"):
            return draw.permutation(values).astype(numpy)

    def arguments(self, seed, n):
        draw = np.random.default_rng(seed)
        given = {"n": n, "k": draw.integers(0, 99) * (1 if self.wide["k"][0] == "u" else draw.choice([-1, 1])), "g": float(draw.choice([0.375, -2.5, 1e20]))}
        if self.form == "whole":
            for name, dtype in self.whole_types.items():
                given[name] = draw.permutation(n).astype(NUMPY[dtype]) if name == "at" else np.zeros(n, np.uint8) if name == "zero" else self.array(draw, dtype, n)
            return given
        for name, dtype in self.arrays.items():
            given[name], given[f"o{name}"] = self.array(draw, dtype, n), np.zeros(n, NUMPY[dtype])
        if self.form == "atomics":
            given.update({name: self.array(draw, dtype, n if name == "own" else 12)[:n if name == "own" else 8] for name, dtype in self.atomic_types.items()})
        return given

    def launch(self, n):
        return dict(grid=(n, 1, 1), local=(32, 1, 1)) if self.form == "group" else {}

    def size(self):
        return {"group": 96, "plane": 39, "space": 42}.get(self.form, 37)


def same_bits(got, want):
    """A NaN for a NaN: which one is the processor's choice."""
    bits = f"u{got.itemsize}"
    same = got.view(bits) == want.view(bits)
    if got.dtype.kind not in "iub":
        same |= np.isnan(got.astype(np.float64)) & np.isnan(want.astype(np.float64))
    return same.all()


def try_programs(tmp_path, first, count, compiler, *options):
    programs = [Program(first + number, f"k{first + number}") for number in range(count)]
    texts = [program.write() for program in programs]
    native = build(tmp_path, "".join(texts), *options, compiler=compiler)
    for program, text in zip(programs, texts):
        interpreted = Interpreted(HEAD + text)
        assert Interpreted(interpreted.json, "k.json").json == interpreted.json
        n = program.size()
        given, launch = program.arguments(first, n), program.launch(n)
        want = interpreted.run(program.text_name, given, steps=10**7, **launch)
        for isa in range(3):
            if cpu_has(isa):
                got, fault = native.run(program.text_name, given, isa=isa, pieces=1 + isa, **launch)
                assert set(got) == set(want) and not fault.kind
                for name in want:
                    assert same_bits(got[name], want[name]), (text, name, isa, compiler, got[name], want[name], given)
    return programs


def test_bits(tmp_path):
    first = int(os.environ.get("KLR_RANDOM_SEED", "1")) * 1000
    programs = try_programs(tmp_path, first, KERNELS, COMPILERS[first // 1000 % len(COMPILERS)])
    assert KERNELS < len(FORMS) or {program.form for program in programs} == set(FORMS)
