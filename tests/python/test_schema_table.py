"""Every statement and expression of Python in a scalar kernel: compiled, with the result that Python has, or refused at its place with a reason and
a hint; never passed over."""

import ast
import json
import math
import types

import numpy as np
import pytest
from conftest import run_klr

HEAD = "from atlas_kernel import *\nimport math\nSIZE = 8\nHALF: f32 = SIZE / 16\nMASK = ~SIZE & 0xff | 1 << 10\nBACK = -2\n"
SIGNATURE = "x: DeviceArray[f32], y: DeviceArray[i32], n: i32, f: f32, t: bool"

# statements that leave their result in q; what they mean is what CPython computes
COMPILED = r"""
q = 3
q = 1\nq = 2.5
x[1] = 4.5\nq = x[1]
q = 1\nq += n\nq *= 3\nq -= 1
x[0] = 3\nx[0] += 2\nx[0] *= f\nq = x[0]
y[0] = 17\ny[0] //= 3\ny[0] **= 2\ny[0] %= 7\ny[0] <<= 3\ny[0] >>= 1\ny[0] |= 1\ny[0] &= 0xd\ny[0] ^= 5\nq = y[0]
if n > 3:\n    q = 1\nelse:\n    q = 2
if n > 30:\n    q = 1\nelif n > 4:\n    q = 2\nelse:\n    q = 3
q = 0\nif t:\n    if n:\n        q = 5
q = 0\nfor v in range(n):\n    q += v
q = 0\nfor v in range(2, n):\n    q += v * v
q = 0\nfor v in range(n, -3, -2):\n    q = q * 10 + v
q = 0\nfor v in range(3, 3):\n    q = 1
q = 0\nfor v in range(9, 0, BACK):\n    q += v
q = 0\nfor v in range(1, 3 * n, n):\n    q = q * 10 + v
q = 0\nfor v in range(2 * n, -n, -n // 2):\n    q = q * 10 + v
q = 0\nfor v in range(n, -n, n):\n    q += 1
q = 0\nfor v in range(0, 2, n):\n    q += 1\n    v = 7
q = 0\nfor v in range(0, 9 * n, n - 1):\n    n = 2\n    if v % 3 == 1:\n        continue\n    q = q * 10 + v\n    if v > 40:\n        break
_t1 = 3\nq = 0\nfor v in range(0, 9 * n, n):\n    _t1, q = q + v, _t1 + 1
q = f * (1 << 3)
q = f * (1 << n + 30)
q = 1 << 8 * n
m: u64 = 0\nfor b in range(60):\n    m |= 1 << b\nq = f64(m)
q = (n | 1 << 4) + (-1 << n * 2) + (7 >> n - 4)
q = 5 if 1 << n * 7 > 10 ** 9 else 6
q = 1.0 / (1 << 40)
q = f + (6 & 3 | 8) - ~4 + 2 ** 40
q = f * (1 << (2 if t else 3))
q = (n & ~(1 << 2)) + (1 << 63 >> 60)
q = float("inf")
q = popcount(n) + 10 * clz(n) + 1000 * ctz(n << 3) + popcount(-1)
q = as_u32(f) + as_i32(-1.5) % 1000 + as_f32(1078530011) * 2 + as_f64(as_i64(2.5))
q = -float("-Infinity") + f
q = 0\nfor v in range(3):\n    v = 10\n    q += 1
q = 0\nfor v in range(5):\n    q = v * 2
q = 0\nwhile q < n:\n    q += 2
q = 0\nwhile True:\n    q += 1\n    if q > n:\n        break
q = 0\nfor v in range(10):\n    if v % 3 == 1:\n        continue\n    if v > 7:\n        break\n    q += v
q = 0\nfor v in range(4):\n    for w in range(v):\n        if w == 2:\n            break\n        q += w + 10 * v
pass\nq = 1
...\n"a text"\nq = 1
q: f64 = 1
q: i64 = n\nq = q + 1
a, b = 1, 2\nq = a * 10 + b
a, b = n, 3\na, b = b, a\nq = a * 10 + b
[a, b] = 5, n\nq = a - b
q = r = n\nq += r
x[0] = x[1] = n\nq = x[0] + x[1]
a = x[2] = f\nq = a + x[2]
q = n + 2 - 3 * 4
q = n / 2 + f / 4
q = n % 3 + -n % 3 + n % -3
q = n // 2 + -n // 2 + n // -2
q = f // 0.5 + -f // 0.75 + f % 0.75
q = n ** 3 + 2 ** n + f ** 2
q = n & 3 | 8 ^ n
q = (n << 4) + (n >> 1) + (-n >> 1)
q = ~n + -n + +n
q = -f + +f - -f
q = 1 if n < 6 else 2
q = f if t else n
q = 1 if n < 3 else 2 if n < 5 else 3
q = f if n < 3 else 2.5 if not t else 7.25
q = (n > 3 and t) + (n > 30 or t) * 2 + (not t) * 4
q = 1 if t and n and f else 0
q = (0 < n < 9) + (n < 3 < 4) * 2 + (0 <= n <= n == n != 4 > 3) * 4
q = (n < 5) + (n <= 5) * 2 + (n > 5) * 4 + (n >= 5) * 8 + (n == 5) * 16 + (n != 5) * 32
q = True + False
q = 1_000 + 0x1f + 0o17 + 0b101
q = 5000000000 // 3
q = 5000000000 // 3 > 1666666665
q = abs(-5000000000) + f64(3000000000 - 1)
q = twice(5000000000 + 1)
q = 1.5e3 + .25
q = f64(u64(0b1000000000000000000000000000000000000000000000000000000000000001) >> 1)
q = f64(u64(0o1777777777777777777777) // 2)
q = math.pi > 3.14
q = math.inf > 1e30
q = SIZE + HALF + MASK
q = abs(-n) + abs(-f) + min(n, 3) + max(f, 2, 9) + min(4, 3, n)
q = round(2.5) + round(3.5) + math.floor(-f) + math.ceil(f)
q = sqrt(16.0) + math.sqrt(n * n) + exp(0.0) + log(1.0)
q = i32(7.9) + i32(-7.9) + u8(300) + i8(200) + bool(f) + int(f) + float(n)
q = f32(n) / 2
q = twice(n) + twice(f) + twice(twice(2))
fill(x, 4.5)\nq = x[3]
q = first(n, f)
q = collatz(27)
s = 0\nfor sum in range(3):\n    s += sum\nq = s
""".strip("\n").splitlines()

HELPERS = """
@inline
def twice(v):
    w = v + v
    return w
@inline
def fill(a: DeviceArray[f32], value: f32):
    for k in range(4):
        a[k] = value
@inline
def first(a, b):
    if a > 3:
        return a + b
    return b
@inline
def collatz(v: i64) -> i64:
    count = 0
    while v != 1:
        v = v // 2 if v % 2 == 0 else 3 * v + 1
        count += 1
    return count
"""


def rows_as_functions():
    rows = [row.encode().decode("unicode_escape") for row in COMPILED]
    functions = "".join(f"@inline\ndef row{i}({SIGNATURE}):\n" + "".join(f"    {line}\n" for line in row.splitlines()) + "    return f64(q)\n"
                        for i, row in enumerate(rows))
    return rows, HEAD + HELPERS + functions


class Wrapped(list):
    """What a cast to an integer type does."""


def python_names():
    def wrapping(bits, signed):
        def cast(v):
            v = int(v) % 2**bits
            return v - 2**bits if signed and v >= 2**(bits - 1) else v
        return cast
    names = {"f32": float, "f64": float, "bool": bool, "u8": wrapping(8, False), "i8": wrapping(8, True), "i32": wrapping(32, True), "i64": wrapping(64, True), "u64": wrapping(64, False),
             "popcount": lambda v: bin(v % 2**32).count("1"), "clz": lambda v: 32 - v.bit_length(),
             "ctz": lambda v: (v & -v).bit_length() - 1, "as_u32": lambda v: int(np.float32(v).view(np.uint32)), "as_i32": lambda v: int(np.float32(v).view(np.int32)),
             "as_f32": lambda v: float(np.uint32(v).view(np.float32)), "as_i64": lambda v: int(np.float64(v).view(np.int64)), "as_f64": lambda v: float(np.int64(v).view(np.float64)),
             "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "inline": lambda f: f, "DeviceArray": list, "math": math}
    return names


def test_what_is_compiled_means_what_it_means_in_python(tmp_path):
    rows, text = rows_as_functions()
    kernel = f"def k(out: DeviceArray[f64], {SIGNATURE}):\n" + "".join(f"    out[{i}] = row{i}(x, y, n, f, t)\n" for i in range(len(rows)))
    (tmp_path / "k.py").write_text(text + kernel)
    result = run_klr("schema", "run", tmp_path / "k.py", "k", f"out=zeros:f64[{len(rows)}]", "x=zeros:f32[8]", "y=zeros:i32[8]", "n=5", "f=2.25", "t=True", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    ours = np.load(tmp_path / "out.npy")
    module = types.ModuleType("reference")
    module.__dict__.update(python_names())
    exec(compile(text.replace("from atlas_kernel import *\n", ""), "reference", "exec"), module.__dict__)  # noqa: S102
    assert len(rows) > 60
    for i, row in enumerate(rows):
        expected = module.__dict__[f"row{i}"]([0.0] * 8, [0] * 8, 5, 2.25, True)
        assert ours[i] == expected or (i and abs(ours[i] - expected) < 1e-6 * abs(expected)), (row, ours[i], expected)


# statements | code | a part of the reason | a part of the hint
REFUSED = r"""
while n:\n    break\nelse:\n    pass | E1001 | `else` | before the loop
for v in range(3):\n    pass\nelse:\n    pass | E1001 | `else` | before the loop
for v in x:\n    pass | E1001 | range | for k in range(n)
for v in enumerate(x):\n    pass | E1001 | range | for k in range(n)
for a, b in range(3):\n    pass | E1001 | one name | for k in range(n)
for x[0] in range(3):\n    pass | E1001 | one name | for k in range(n)
for v in range(3, 0, f):\n    pass | E1003 | `f32` | cast it
q = 1 << 64 | E1006 | 64 bits | 1e20
q = cuda.grid(1) | E1005 | have a name | get_global_id(0)
q = cuda.threadIdx.x | E1001 | attributes | get_local_id(0)
q, f = cuda.grid(2) | E1001 | as many values | get_global_id(1)
cuda.syncthreads() | E1005 | have a name | barrier()
s = cuda.shared.array(16, f32) | E1005 | have a name | shared_array(f32, 256)
cuda.atomic.add(y, 0, 1) | E1005 | have a name | atomic_add(array, index, value)
q = x[0].view(u32) | E1005 | have a name | as_u32(x)
q = np.where(t, 1, 2) | E1005 | have a name | `x if condition else y`
q = program_idx(0) | E1002 | program_idx | klr list schema
for v in prange(n):\n    pass | E1001 | range | get_global_id()
q = popcount(f) | E1003 | for integers | as_u32(x)
q = as_u32(f64(f)) | E1003 | 32 bits | as_u64
q = clz() | E1005 | 1 argument | bits are 0
q = n + (1 << 64) - 1 | E1006 | 64 bits | 1e20
for v in range(3, 0, 0):\n    pass | E1001 | step | `while`
for v in range():\n    pass | E1005 | 1 to 3 arguments | range(start, stop)
for v in range(n=3):\n    pass | E1005 | not by name | in its place
async def g():\n    pass | E1001 | inside a function | `@inline`
def g():\n    pass | E1001 | inside a function | `@inline`
class A:\n    pass | E1001 | a class | one number
assert n | E1001 | `assert` | return
with f:\n    pass | E1001 | `with` | by itself
try:\n    pass\nexcept ValueError:\n    pass | E1001 | `try` | raises
raise ValueError | E1001 | `raise` | array
import os | E1001 | import | top of the file
from os import path | E1001 | import | top of the file
global q | E1001 | `global` | constants
nonlocal q | E1001 | `nonlocal` | written
del x | E1001 | `del` | given back
match n:\n    case 1:\n        pass | E1001 | `match` | `elif`
type Q = int | E1001 | `type` | itself
return 1 | E1001 | no value | out[i]
return 1, 2 | E1001 | one value, not 2 | a function for each
break | E1001 | outside | return
continue | E1001 | outside | return
f | E1001 | not used | assign it
n + 1 | E1001 | not used | assign it
yield 1 | E1001 | not used | assign it
sqrt(f) | E1001 | not used | assign it
g(f) | E1002 | `g` | `@inline`
print(n) | E1002 | `print` | to an array
q: f32 | E1001 | without a value | = 0
q: str = 1 | E1003 | no type | types are
q: "f31" = 1 | E1003 | no type | did you mean `f32`
q: DeviceArray[f32] = x | E1001 | numbers | f64
x: f32 = 1 | E1003 | a parameter | annotation
x[0]: f32 = 1 | E1001 | only names | f64
a, *b = 1, 2 | E1001 | only names | out[i]
a, b = x | E1001 | as many values | one assignment
a, b = 1, 2, 3 | E1001 | as many values | one assignment
o.attr = 1 | E1001 | only names | out[i]
o.attr += 1 | E1001 | only names | out[i]
x += 1 | E1003 | an array | a[i]
x = 1 | E1003 | an array | a[i]
n = 1.5 | E1003 | `i32` | rounds towards 0
t = 1 | E1003 | `bool` | compare
q = r | E1002 | `r` | parameter
q += 1 | E1004 | `q` | before
if n:\n    q = 1\nf = q | E1004 | `q` | every way
for v in range(n):\n    q = 1\nf = q | E1004 | `q` | every way
q = n in x | E1001 | `in` | a loop
q = n not in x | E1001 | `in` | a loop
q = n is f | E1001 | `is` | a == b
q = n is not f | E1001 | `is` | a == b
q = 1 < atomic_add(x, 0, 1.0) < 3 | E1001 | in the middle | to a name
q = n @ n | E1001 | matrices | a loop
x[0] @= n | E1001 | matrices | a loop
q = f << 1 | E1003 | integers | i32(x)
q = ~f | E1003 | integers | i32(x)
q = x[0:2] | E1001 | a slice | loop
q = x[0, 1] | E1001 | two indices | row * columns
q = x[...] | E1001 | numbers | write a number
q = x[1.5] | E1003 | a float | `//`
q: i8 = 300 | E1006 | `i8` | 127
q: f32 = 1\nq: f64 = 2 | E1003 | declared | two names
q = x[f] | E1003 | a float | `//`
q = x[t] | E1003 | `bool` | i64(x)
q = n[0] | E1003 | only arrays | DeviceArray
q = x | E1003 | an array | a[i]
q = x.shape | E1001 | attributes | length
q = SIZE\nSIZE = 3 | E1004 | `SIZE` | every way
SIZE += 1 | E1004 | `SIZE` | every way
for v in range(n):\n    q = SIZE\n    SIZE = 3 | E1004 | `SIZE` | every way
q = x[-1] | E1006 | outside | a[n - 1]
atomic_add(y, -2, 1) | E1006 | outside | a[n - 1]
q = x[0][1] | E1003 | only arrays | row * columns
s = shared_array(f32, (16, 16)) | E1001 | two sizes | 16 * 16
s = shared_array(16, f32) | E1005 | the type first | shared_array(f32, 256)
q = len(x) | E1002 | `len` | `n: u32`
q = (lambda: 1)() | E1005 | have a name | own name
q = lambda: 1 | E1001 | a lambda | `@inline`
q = [v for v in range(3)] | E1001 | a comprehension | a loop
q = {v for v in range(3)} | E1001 | a comprehension | a loop
q = {v: v for v in range(3)} | E1001 | a comprehension | a loop
q = sum(v for v in range(3)) | E1001 | a generator | a loop
q = (r := 3) | E1001 | `:=` | before
q = f"{n}" | E1001 | an f-string | numbers
q = "a" | E1001 | numbers | write a number
q = b"a" | E1001 | numbers | write a number
q = None | E1001 | numbers | write a number
q = 1j | E1001 | numbers | write a number
q = [1] | E1001 | a list | one number
q = (1,) | E1001 | a tuple | by itself
q = {} | E1001 | a dict | one number
q = {1} | E1001 | a set | one number
q = *x | E1001 | `*` | write out
q = await f | E1001 | `await` | barrier
q = (yield) | E1001 | `yield` | out[i]
q = (yield from x) | E1001 | `yield from` | out[i]
q = 99999999999999999999 | E1006 | 64 bits | u64
q = 18446744073709551615 | E1006 | `i64` | 9223372036854775807
q = 1e39 | E1006 | `f32` | f64
q = 1e999 | E1006 | too large | math.inf
y[0] = 3000000000 | E1006 | `i32` | 2147483647
y[0] = 1.5 | E1003 | float literal | i32(x)
q = math.foo | E1001 | attributes | math.pi
q = np.exp(f) | E1005 | have a name | module
q = x.sum() | E1005 | have a name | in a loop
q = x.item() | E1005 | have a name | module
q = n(3) | E1005 | a number here | another name
q = pow(f) | E1005 | 2 arguments | power
q = pow(f, y=2) | E1005 | not by name | in its place
q = pow(*x) | E1001 | `*` | write out
q = get_global_id(3) | E1005 | 0, 1 or 2 | dimension 1
q = get_global_id(n) | E1005 | 0, 1 or 2 | dimension 1
q = f32() | E1005 | 1 argument | f32(x)
q = str(n) | E1002 | `str` | klr list schema
q = barrier() | E1003 | no value | of its own
q = shared_array(f32, n) | E1001 | size | constant
q = shared_array(DeviceArray[f32], 4) | E1003 | are numbers | shared_array(f32
q = r = shared_array(f32, 4) | E1005 | shared_array(TYPE | part =
q = shared_array(f32, 4, zero=1) | E1005 | shared_array(TYPE | part =
q: f32 = shared_array(f32, 4) | E1001 | no annotation | part =
q = shared_array(f64, 2 ** 20)\nr = shared_array(f64, 2 ** 20)\ns = shared_array(u8, 1) | E1001 | more than 16777216 bytes | for each
if n:\n    q = shared_array(f32, 4) | E1001 | top of | before
if get_local_id():\n    barrier() | E1007 | barrier | outside
atomic_add(n, 0, 1) | E1003 | element of an array | atomic_add(array
atomic_add(x[0], 1) | E1005 | 3 arguments | wrap
atomic_add_f32(x, 0, 1) | E1005 | 2 arguments | the index is 0
atomic_foo(x, 0, 1) | E1002 | `atomic_foo` | klr list schema
parallel_reduce(x, x, "cube", n) | E1005 | sum, product | quotes
parallel_reduce(x, x, n, n) | E1005 | a text | parallel_reduce(input, output, operation, count)
parallel_reduce(x, x, "sum") | E1005 | 4 arguments | parallel_reduce(input, output, operation, count)
parallel_gather(x, x, x, n) | E1003 | integers | DeviceArray[u32]
parallel_map_unary(x, y, "abs", n) | E1003 | one type | element by element
for v in range(3):\n    parallel_reduce(x, x, "sum", n) | E1001 | top of | outside
q = parallel_reduce(x, x, "sum", n) | E1001 | numbers | write a number
""".strip("\n").splitlines()


def split(row):
    statements, *rest = (part.strip(" ") for part in row.rsplit(" | ", 3))
    return [statements.encode().decode("unicode_escape"), *rest]


@pytest.mark.parametrize("row", REFUSED, ids=[row.split(" | ")[0] for row in REFUSED])
def test_what_is_refused(tmp_path, row):
    statements, code, reason, hint = split(row)
    text = HEAD + f"def k({SIGNATURE}):\n" + "".join(f"    {line}\n" for line in statements.splitlines())
    (tmp_path / "k.py").write_text(text)
    result = run_klr("schema", "check", tmp_path / "k.py", "--json")
    assert result.returncode == 1
    diags = json.loads(result.stdout)["diagnostics"]
    found = [d for d in diags if d["code"] == code and reason in d["message"]]
    assert found, diags
    first = text.count("\n") - len(statements.splitlines()) + 1
    assert found[0]["file"].endswith("k.py") and first <= found[0]["line"] <= first + len(statements.splitlines()), found[0]
    hints = " ".join(found[0].get("help", []) + found[0].get("notes", []))
    assert hint in hints, found[0]


# ---- the top of a file

TOP = r"""
def k(x): pass | E1003 | no type | DeviceArray
def k(x: DeviceArray): pass | E1003 | no type | what it holds
def k(x: list[f32]): pass | E1003 | no type | DeviceArray
def k(x: DeviceArray[DeviceArray[f32]]): pass | E1003 | no type | types are
def k(x: f32 = 3): pass | E1001 | default | constant
def k(*x: f32): pass | E1001 | `*` | of its own
def k(*, x: f32): pass | E1001 | `*` | of its own
def k(**x: f32): pass | E1001 | `**` | of its own
def k[T](x: f32): pass | E1001 | type parameters | helper
def k(x: f32) -> f32: return x | E1001 | returns no value | out[i]
async def k(x: f32): pass | E1001 | functions, imports and constants | __main__
class A: pass | E1001 | functions, imports and constants | __main__
for i in range(3): pass | E1001 | functions, imports and constants | __main__
print(3) | E1001 | functions, imports and constants | __main__
X = f(3) | E1001 | only numbers | NAME = 3.5
X = 1 / 0 | E1001 | only numbers | NAME = 3.5
X = 2 ** 100 | E1001 | only numbers | NAME = 3.5
X: u8 = 300 | E1006 | no value of the type | another
X: i32 = 1.5 | E1006 | no value of the type | another
X = 3; X = 4 | E1002 | twice | another name
X, Y = 1, 2 | E1001 | only numbers | NAME = 3.5
@cached\ndef k(x: f32): pass | E1001 | decorator | `@kernel`
def k(x: f32, x: f32): pass | E1002 | two parameters | another name
def k(x: f32): pass\ndef k(y: f32): pass | E1002 | two functions | another name
def k(x: f32): k(x) | E1005 | is a kernel | `@inline`
@inline\ndef g(a) -> None: return a\ndef k(x: DeviceArray[f32]): x[0] = g(1) | E1003 | returns nothing | leave out
@inline\ndef g(a: f32): pass\ndef k(x: DeviceArray[f32]): x[0] = g(1) | E1003 | returns no value | of its own
@inline\ndef g(a): return g(a)\ndef k(x: DeviceArray[f32]): x[0] = g(1) | E1005 | calls itself | a loop
@inline\ndef g(a): return h(a)\n@inline\ndef h(a): return g(a)\ndef k(x: DeviceArray[f32]): x[0] = g(1) | E1005 | calls itself | a loop
@inline\ndef g(a: f32) -> f32: return h(a)\n@inline\ndef h(a: f32) -> f32: return g(a)\ndef k(x: f32): pass | E1005 | calls itself | a loop
@inline\ndef g(a, b): return a\ndef k(x: DeviceArray[f32]): x[0] = g(1) | E1005 | 2 arguments | `a`, `b`
@inline\ndef g(a, b): return a\ndef k(x: DeviceArray[f32]): x[0] = g(1, 2, 3) | E1005 | 2 arguments | `a`, `b`
@inline\ndef g(a): return a + x\ndef k(x: DeviceArray[f32]): x[0] = g(1) | E1002 | `x` | parameter
@inline\ndef g(a: DeviceArray[f64]): a[0] = 1\ndef k(x: DeviceArray[f32]): g(x) | E1003 | array of `f64` | such an array
@inline\ndef g(a: f32): return a\ndef k(x: DeviceArray[f32]): x[0] = g(x) | E1003 | not an array | a[i]
@inline\ndef g(a):\n  barrier()\n  return a\ndef k(x: DeviceArray[f32]): x[0] = g(1) | E1007 | a helper | outside
from config import BLOCK\ndef k(x: DeviceArray[f32]): x[0] = BLOCK | E1002 | imported | at the top of this file
from tools import f as g\ndef k(x: DeviceArray[f32]): x[0] = g(1) | E1002 | the function `f` is imported | @inline
def k(h: DeviceArray[f16]): h[0] = 65520.0 | E1006 | `f16` | f16 goes to 65504
def k(h: DeviceArray[bf16]): h[0] = -3.4e38 | E1006 | `bf16` | bf16 to 3.3895314e38
def k(x: DeviceArray[f64]): x[0] = 0b1_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000 | E1006 | 64 bits | u64
if SIZE:\n    import math\n    SIZE = 4\ndef k(x: f32): pass | E1001 | functions, imports and constants | __main__
pass | E1001 | no kernel | parameters all have types
""".strip("\n").splitlines()


@pytest.mark.parametrize("row", TOP, ids=[row.split(" | ")[0] for row in TOP])
def test_files_that_are_refused(tmp_path, row):
    text, code, reason, hint = split(row)
    (tmp_path / "k.py").write_text(text + "\n")
    result = run_klr("schema", "check", tmp_path / "k.py", "--json")
    found = [d for d in json.loads(result.stdout)["diagnostics"] if d["code"] == code and reason in d["message"]]
    assert result.returncode == 1 and found, result.stdout
    assert hint in " ".join(found[0].get("help", []) + found[0].get("notes", [])), found[0]


def test_what_stands_around_kernels(tmp_path):
    """Imports that depend on something, numbers that are imported, constants below the function that reads them."""
    text = ("try:\n    from atlas_kernel import *\nexcept ImportError:\n    pass\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nothing\n"
            "from math import pi, inf as INFINITE\nfrom numpy import float32 as single\n"
            "def k(x: DeviceArray[single]):\n    x[0] = pi\n    x[1] = -INFINITE\n    x[2] = BELOW\n    pi = 3\n    x[3] = pi\nBELOW = 2.5\n")
    (tmp_path / "k.py").write_text(text.replace("    pi = 3\n    x[3] = pi\n", "    x[3] = single(3)\n"))
    result = run_klr("schema", "run", tmp_path / "k.py", "k", "x=zeros:f32[4]", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert np.load(tmp_path / "x.npy").tolist() == np.float32([math.pi, -math.inf, 2.5, 3]).tolist()
    (tmp_path / "k.py").write_text(text)  # a name that is assigned is the function's own, everywhere in it
    result = run_klr("schema", "check", tmp_path / "k.py")
    assert result.returncode == 1 and "E1004" in result.stderr


def test_a_helper_may_be_called_as_a_type(tmp_path):
    text = "@inline\ndef f16(v):\n    return v * 3\ndef f32(x: DeviceArray[f64]):\n    x[0] = f16(2.5)\n    x[1] = f32(7.75)\n"  # a kernel is never called
    (tmp_path / "k.py").write_text(HEAD + text)
    result = run_klr("schema", "run", tmp_path / "k.py", "f32", "x=zeros:f64[2]", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert np.load(tmp_path / "x.npy").tolist() == [7.5, 7.75]


def test_every_kind_of_python_is_in_the_table():
    """Each statement and expression that CPython's grammar has."""
    texts = [HEAD + HELPERS] + [row.encode().decode("unicode_escape") for row in COMPILED] + [split(row)[0] for row in REFUSED + TOP]
    met = set()
    for text in texts:
        try:
            tree = ast.parse("async def f():\n" + "".join(f"  {line}\n" for line in text.splitlines()))
        except SyntaxError:
            continue  # of a newer Python
        met |= {type(node) for node in ast.walk(tree)}
    wanted = {kind for base in (ast.stmt, ast.expr, ast.operator, ast.unaryop, ast.cmpop, ast.boolop) for kind in base.__subclasses__()}
    wanted = {kind for kind in wanted if kind.__name__ in dir(ast) and kind.__module__ == "ast"}
    unusual = {"AsyncFor", "AsyncWith", "TryStar", "TypeAlias", "FormattedValue", "TemplateStr", "Interpolation", "Num", "Str", "Bytes", "NameConstant", "Ellipsis",
               "Index", "ExtSlice", "Suite", "Param", "AugLoad", "AugStore"}
    assert {kind.__name__ for kind in wanted - met} <= unusual


ATOMICS = {"add": lambda old, x: old + x, "sub": lambda old, x: old - x, "min": min, "max": max, "exch": lambda old, x: x}


@pytest.mark.parametrize("name, dtype", [("i8", np.int8), ("i16", np.int16), ("u8", np.uint8), ("u16", np.uint16), ("f16", np.float16), ("i32", np.int32), ("u32", np.uint32), ("i64", np.int64), ("u64", np.uint64), ("f32", np.float32), ("f64", np.float64)])
@pytest.mark.filterwarnings("ignore:overflow")
def test_atomics_of_every_width_on_any_index(tmp_path, name, dtype):
    """Each gives what was there; the next thread finds what it left."""
    text = HEAD + f"def k(a: DeviceArray[{name}], old: DeviceArray[{name}], v: DeviceArray[{name}], n: u32):\n    i = get_global_id()\n    if i < n:\n"
    for row, op in enumerate(ATOMICS):
        text += f"        old[{row} * n + i] = atomic_{op}(a, {row} + n * i % 1, v[i])\n"
    text += f"        old[5 * n + i] = atomic_cas(a, 5 + i - i, {name}(4), v[i])\n"
    (tmp_path / "k.py").write_text(text)
    values = np.array([3, 9, 4, 120, 0, 4, 100], dtype)  # a byte wraps
    start = np.full(6, 4, dtype)
    for key, array in (("a", start), ("v", values), ("old", np.zeros(42, dtype))):
        np.save(tmp_path / f"{key}.npy", array)
    result = run_klr("schema", "run", tmp_path / "k.py", "k", *(f"{key}=@{tmp_path}/{key}.npy" for key in ("a", "old", "v")), "n=7", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    cells, old = start.copy(), np.load(tmp_path / "out" / "old.npy").reshape(6, 7)
    for i, value in enumerate(values):
        for row, op in enumerate(ATOMICS.values()):
            assert old[row, i] == cells[row]
            with np.errstate(over="ignore"):
                cells[row] = op(cells[row], value)
        assert old[5, i] == cells[5]
        cells[5] = value if cells[5] == 4 else cells[5]
    assert np.load(tmp_path / "out" / "a.npy").tolist() == cells.tolist()
