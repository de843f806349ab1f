"""`klr schema build`: compiled kernels compute the interpreter's bits, with every instruction set and however the work is cut."""

import ctypes
import os
import subprocess

import numpy as np
import pytest
from conftest import run_klr
from schema_library import COMPILERS, Interpreted, Kernels, cpu_has
from test_schema_interpret import run as interpret

HEAD = "from atlas_kernel import *\n"


def build(tmp_path, text, *options, compiler=None):
    (tmp_path / "k.py").write_text(HEAD + text)
    chosen = ["--compiler", compiler] if compiler else []
    result = run_klr("schema", "build", tmp_path / "k.py", "-o", tmp_path / "lib", *options, *chosen, environment={"KLR_CACHE": str(tmp_path / "cache")})
    assert result.returncode == 0, result.stderr
    return Kernels(tmp_path / "lib" / "k.so")


def f32(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


GUARD = "    i = get_global_id()\n    if i < n:\n        "
N = 10007
# name, text, arguments, options of the launch
KERNELS = [
    ("saxpy", f"def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):\n{GUARD}y[i] = s * x[i] + y[i]\n",
     dict(x=f32(N), y=f32(N, 1), s=2.5, n=N), {}),
    ("math", f"@inline\ndef gelu(v):\n    return 0.5 * v * (1.0 + tanh(0.7978845608 * (v + 0.044715 * v * v * v)))\n"
             f"def math(x: DeviceArray[f32], y: DeviceArray[f32], n: u32):\n{GUARD}y[i] = gelu(x[i]) + exp(-x[i]) * sin(x[i] * 100) + log(abs(x[i])) + erf(x[i]) + pow(abs(x[i]), 0.3)\n",
     dict(x=f32(N), y=f32(N, 1), n=N), {}),
    ("dot", f"def dot(a: DeviceArray[f32], b: DeviceArray[f32], r: DeviceArray[f32], n: u32):\n{GUARD}atomic_add_f32(r, a[i] * b[i])\n",
     dict(a=f32(N), b=f32(N, 1), r=np.ones(1, np.float32), n=N), {}),
    ("extremes", f"def extremes(a: DeviceArray[f32], r: DeviceArray[f32], c: DeviceArray[i32], n: u32):\n{GUARD}atomic_min(r, 0, a[i])\n        atomic_add(c, 2, i32(a[i] * 10))\n",
     dict(a=f32(N), r=np.full(1, 9, np.float32), c=np.zeros(3, np.int32), n=N), {}),
    ("mm", "def mm(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], m: u32, n: u32, k: u32):\n    column, row = get_global_id(0), get_global_id(1)\n"
           "    if row >= m or column >= n:\n        return\n    total = 0.0\n    for p in range(k):\n        total += A[row * k + p] * B[p * n + column]\n    C[row * n + column] = total\n",
     dict(A=f32(17 * 9), B=f32(9 * 23), C=f32(17 * 23), m=17, n=23, k=9), {}),
    ("histogram", f"def histogram(a: DeviceArray[u8], h: DeviceArray[u32], n: u32):\n{GUARD}atomic_add(h, a[i], 1)\n",
     dict(a=np.random.default_rng(3).integers(0, 256, N).astype(np.uint8), h=np.zeros(256, np.uint32), n=N), {}),
    ("tallies", f"def tallies(a: DeviceArray[u8], h: DeviceArray[i64], m: DeviceArray[f32], n: u32):\n{GUARD}for k in range(3):\n            atomic_sub(h, a[i] % 7 + k, i)\n"
                "            atomic_add(h, k, a[i])\n        if a[i] > 9:\n            atomic_max(m, a[i], a[i] * 0.5)\n",
     dict(a=np.random.default_rng(4).integers(0, 256, N).astype(np.uint8), h=np.arange(10), m=np.zeros(256, np.float32), n=N), {}),
    *[(f"plane{more}", f"def plane{more}(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], m: u32, n: u32, k: i32):\n    column = get_global_id(0)\n    row = get_global_id(1)\n"
       "    if column < n and row < m:\n        total = 0.0\n        for p in range(k):\n            total += A[row * k + p] * B[p * n + column]\n        C[row * n + column] += total\n",
       dict(A=f32(47 * 9), B=f32(9 * 150), C=f32(47 * 150, 1), m=47, n=150, k=9), dict(grid=(150 + more, 47 + more, 1)) if more else {}) for more in (0, 7)],
    ("cube", "def cube(A: DeviceArray[f32], C: DeviceArray[f32], w: u32, h: u32, d: u32):\n    x, y, z = get_global_id(), get_global_id(1), get_global_id(2)\n    if x >= w or y >= h or z >= d:\n        return\n"
             "    total = 0.0\n    for j in range(h):\n        total += A[(z * h + j) * w + x] * y\n    C[(z * h + y) * w + x] = total\n",
     dict(A=f32(70 * 5 * 4), C=f32(70 * 5 * 4), w=70, h=5, d=4), dict(grid=(71, 7, 5))),
    # Rows of ids, strips of threads, and what keeps threads apart.
    ("product", "def product(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], m: u32, n: u32, k: u32):\n    i = get_global_id()\n    if i < m * n:\n        row = i // n\n        column = i % n\n"
                "        total = 0.0\n        for p in range(k):\n            total += A[row * k + p] * B[p * n + column]\n        C[row * n + column] = total\n",
     dict(A=f32(17 * 9), B=f32(9 * 150), C=f32(17 * 150), m=17, n=150, k=9), {}),
    ("window", "def window(X: DeviceArray[f32], W: DeviceArray[f32], Y: DeviceArray[f32], high: i32, wide: i32, k: i32):\n    columns = max(wide - k + 1, 0)\n    rows = max(high - k + 1, 0)\n"
               "    i = get_global_id()\n    if i < rows * columns:\n        top = i // columns\n        left = i % columns\n        total = 0.0\n        seen: f64 = 0.0\n        for y in range(k - 1, -1, -1):\n"
               "            start = (top + y) * wide\n            near = start + left\n            for x in range(0, k, 2):\n                v = X[near + x]\n                if v > 0.0 and top > 2:\n                    total += v * W[y * k + x]\n"
               "                else:\n                    seen += v\n            total -= start\n        for x in range(2):\n            Y[i] = f32(seen) + total * x + i // columns\n",
     dict(X=f32(40 * 140), W=f32(25), Y=f32(36 * 136), high=40, wide=140, k=5), {}),
    ("halves", f"def halves(X: DeviceArray[f32], Y: DeviceArray[i64], Z: DeviceArray[f32], n: u32, d: i32):\n{GUARD}a = i // d\n        b = i % d\n        if b == 3:\n            Z[i] = X[i] * a\n        total = 0\n"
               "        for t in range(n % 7):\n            k = t * 2\n            total += k + i32(b)\n            Z[i] += X[i]\n        j = 5\n        for j in range(3):\n            if total > 100:\n                break\n            total += 40\n"
               "        last = 0\n        for j in range(3):\n            last += total % (j + 2)\n        Y[i] = total + j * a + last\n",
     dict(X=f32(N), Y=np.zeros(N, np.int64), Z=f32(N, 1), n=N, d=77), {}),
    ("backwards", f"def backwards(Y: DeviceArray[i64], n: u32, d: i64):\n{GUARD}Y[i] = i // d * 1000 + i % d\n", dict(Y=np.zeros(N, np.int64), n=N, d=-5), {}),
    ("nowhere", f"def nowhere(Y: DeviceArray[i64], n: u32, d: i64):\n{GUARD}total = 0\n        for j in range(3):\n            total += j + i % d\n        Y[i] = i // d * 1000 + i % d + total\n",
     dict(Y=np.zeros(N, np.int64), n=N, d=0), {}),
    ("column", "def column(X: DeviceArray[f32], Y: DeviceArray[f32], n: u32, k: u32):\n    i = get_global_id()\n    if i >= n:\n        return\n    low, high = 0.0, X[i]\n    for p in range(k):\n        low = min(low, X[p * n + i])\n"
               "        high += low\n    Y[i] = low * high\n",
     dict(X=f32(7 * 200), Y=f32(200), n=200, k=7), {}),
    ("sums", "def sums(x: DeviceArray[f32], out: DeviceArray[f32], n: u32):\n    part = shared_array(f32, 64)\n    i = get_global_id()\n    local = get_local_id()\n"
             "    part[local] = x[i] if i < n else 0.0\n    barrier()\n    half = get_local_size() // 2\n    while half > 0:\n        if local < half:\n            part[local] += part[local + half]\n"
             "        barrier()\n        half = half // 2\n    if local == 0:\n        out[get_group_id()] = part[0]\n",
     dict(x=f32(300), out=np.zeros(5, np.float32), n=300), dict(grid=(320, 1, 1), local=(64, 1, 1))),
    ("whole", "def whole(a: DeviceArray[f32], b: DeviceArray[f32], i: DeviceArray[u32], o: DeviceArray[f32], r: DeviceArray[f32], n: u32):\n    half = n // 2\n    parallel_map_binary(a, b, o, 'max', n)\n"
              "    parallel_map_unary(o, o, 'exp', half)\n    parallel_reduce(o, r, 'sum', n)\n    parallel_scan(o, b, 'sum', half)\n    parallel_gather(b, i, o, n)\n",
     dict(a=f32(9000), b=f32(9000, 1), i=np.random.default_rng(1).permutation(9000).astype(np.uint32), o=f32(9000), r=f32(1), n=9000), {}),
    ("parts", "def parts(h: DeviceArray[f16], g: DeviceArray[f16], b: DeviceArray[u8], s: DeviceArray[u8], d: DeviceArray[i64], i: DeviceArray[i32], n: i32):\n    some = max(n - 7, 0)\n"
              "    parallel_reduce(h, g, 'min', n)\n    parallel_map_binary(h, h, h, 'div', some)\n    parallel_reduce(b, s, 'sum', some)\n    parallel_scan(d, d, 'product', n)\n"
              "    parallel_gather(d, i, d, some)\n    parallel_scatter(b, i, b, n)\n    parallel_reduce(d, d, 'max', n - n)\n",
     dict(h=f32(9000).astype(np.float16), g=np.zeros(1, np.float16), b=np.arange(9000).astype(np.uint8), s=np.zeros(2, np.uint8), d=np.arange(1, 9001) * 3,
          i=np.random.default_rng(2).integers(0, 9000, 9000).astype(np.int32), n=9000), {}),
    ("mixed", "def mixed(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):\n    parallel_scan(a, b, 'sum', n)\n    many = i32(b[3] * 10)\n    if many > 3:\n        a[0] = 7.0\n    parallel_map_unary(a, b, 'neg', many)\n",
     dict(a=np.abs(f32(100)), b=f32(100), n=99), {}),
    ("narrow", f"def narrow(x: DeviceArray[f16], y: DeviceArray[i8], z: DeviceArray[f64], n: u32):\n{GUARD}x[i] = x[i] * 1.5\n        y[i] = y[i] * y[i] + i\n        z[i] = z[i] / 3 + x[i] // 0.7 + i % 7\n",
     dict(x=f32(N).astype(np.float16), y=np.random.default_rng(5).integers(-128, 128, N).astype(np.int8), z=f32(N).astype(np.float64), n=N), {}),
    # What a compiler knows of the C library's functions, it must not use: the interpreter calls them.
    ("powers", f"def powers(x: DeviceArray[f64], y: DeviceArray[f64], h: DeviceArray[f32], g: DeviceArray[f32], n: u32):\n{GUARD}y[i] = 2.0 ** x[i] + x[i] ** 2 + 10.0 ** x[i] + abs(x[i]) ** 0.5\n"
               "        y[i] += x[i] ** -1 + x[i] ** 3 + exp(f64(1.2345)) * pow(f64(0.7), 0.3) + sin(x[i]) * cos(x[i]) + log(exp(x[i]))\n"
               "        g[i] = h[i] ** 2 + 4.0 ** h[i]\n        g[i] += h[i] ** (i % 6 - 2) - h[i] ** 0.5 * h[i] ** 3 + h[i] ** -1.5\n",
     dict(x=f32(N).astype(np.float64) * 3, y=np.zeros(N), h=f32(N, 1), g=f32(N), n=N), {}),
    ("bits", f"def bits(x: DeviceArray[u32], s: DeviceArray[i64], h: DeviceArray[f16], y: DeviceArray[u64], z: DeviceArray[f32], n: u32):\n{GUARD}y[i] = popcount(x[i]) + 100 * clz(x[i]) + 10000 * ctz(x[i])\n"
             "        y[i] += (popcount(s[i]) + 100 * clz(s[i]) + 10000 * ctz(s[i])) << 32\n        y[i] ^= as_u64(f64(s[i])) ^ as_u64(as_f64(s[i]))\n        u = as_u32(h[i]) & 0x80000000 | 0x3f800000\n"
             "        z[i] = as_f32(u) * as_i32(as_f32(x[i] & 0x7effffff)) + as_f32(0x40490fdb)\n",
     dict(x=(np.random.default_rng(6).integers(0, 2**32, N) >> np.random.default_rng(7).integers(0, 33, N)).astype(np.uint32),
          s=np.random.default_rng(8).integers(-2**63, 2**63, N) >> np.random.default_rng(9).integers(0, 64, N), h=f32(N).astype(np.float16), y=np.zeros(N, np.uint64), z=f32(N), n=N), {}),
    ("control", "@inline\ndef collatz(v):\n    steps = 0\n    while True:\n        if v <= 1:\n            return steps\n        v = v // 2 if v % 2 == 0 else 3 * v + 1\n        steps += 1\n"
                "def control(o: DeviceArray[i32], n: u32, m: i32):\n    i = get_global_id()\n    if i >= n:\n        return\n    total = 0\n    m += i32(i)\n    for j in range(i + 20, -1, -3):\n"
                "        if j % 5 == 0:\n            continue\n        if j == 8:\n            break\n        if j == 2 and i == 7:\n            return\n        total += j\n    o[i] = collatz(i + 1) * 1000 + total + (m << 3) ** 2\n",
     dict(o=np.zeros(300, np.int32), n=300, m=5), {}),
]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_bits(tmp_path, compiler):
    if len(KERNELS) != len({name for name, _, _, _ in KERNELS}):
        raise AssertionError("two kernels of one name")
    helpers = "".join(text for _, text, _, _ in KERNELS)
    kernels = build(tmp_path, helpers, compiler=compiler)
    for name, _, arguments, launch in KERNELS:
        options = [word for key, option in (("grid", "--grid"), ("local", "--group")) if key in launch for word in (option, ",".join(map(str, launch[key])))]
        want = interpret(tmp_path, helpers, name, arguments, *options)
        for isa in range(3):
            for pieces in (1, 3):
                if cpu_has(isa):
                    got, _ = kernels.run(name, arguments, isa=isa, pieces=pieces, **launch)
                    assert set(got) == set(want)
                    for key in want:
                        assert got[key].tobytes() == want[key].tobytes(), (name, key, isa, pieces)


def test_functions_of_bits(tmp_path):
    name, text, arguments, _ = next(row for row in KERNELS if row[0] == "bits")
    got, _ = build(tmp_path, text).run(name, arguments)

    def counted(v, bits):
        v = int(v) % 2**bits
        return v.bit_count() + 100 * (bits - v.bit_length()) + 10000 * ((v & -v).bit_length() - 1 if v else bits)

    for x, s, y in list(zip(arguments["x"], arguments["s"], got["y"]))[:2000]:
        assert y == (counted(x, 32) + (counted(s, 64) << 32)) % 2**64 ^ int(s.astype(np.float64).view(np.uint64)) ^ int(s.view(np.uint64)), (x, s)
    signs = np.where(np.signbit(arguments["h"]), np.float32(-1), np.float32(1))
    assert np.array_equal(got["z"], signs * (arguments["x"] & 0x7effffff).astype(np.float32) + np.float32(np.pi))


def test_narrow_types(tmp_path):
    name, text, arguments, _ = next(row for row in KERNELS if row[0] == "narrow")
    got, _ = build(tmp_path, text).run(name, arguments)
    i = np.arange(N)
    x = (arguments["x"].astype(np.float32) * np.float32(1.5)).astype(np.float16)
    wide = x.astype(np.float32)
    assert np.array_equal(got["x"], x)
    assert np.array_equal(got["y"], (arguments["y"].astype(np.int64) ** 2 + i).astype(np.int8))
    assert np.array_equal(got["z"], (arguments["z"] / 3 + (wide // np.float32(0.7)).astype(np.float64)) + i % 7)


def test_accesses_are_checked_on_request(tmp_path):
    kernels = build(tmp_path, f"def k(x: DeviceArray[f32], n: u32):\n{GUARD}x[i + 1] = 1.0\n", "--checked")
    assert kernels.infos["k"].is_checked
    got, fault = kernels.run("k", dict(x=np.zeros(5, np.float32), n=5))
    assert (fault.kind, fault.line, fault.param, fault.index, fault.count, fault.thread) == (1, 5, 0, 5, 5, 4)
    assert got["x"].tolist() == [0, 1, 1, 1, 1]


def test_accesses_of_strips_are_checked(tmp_path):
    name, text, arguments, _ = next(row for row in KERNELS if row[0] == "column")
    got, fault = build(tmp_path, text, "--checked").run(name, dict(arguments, X=f32(1350)))
    assert (fault.kind, fault.param, fault.index, fault.count, fault.thread) == (1, 0, 1350, 1350, 150)
    want = interpret(tmp_path, HEAD + text, name, arguments)
    assert np.array_equal(got["Y"][:150], want["Y"][:150])


def test_a_launch_knows_how_long_arrays_must_be(tmp_path):
    kernels = build(tmp_path, f"def k(x: DeviceArray[f32], y: DeviceArray[f32], z: DeviceArray[f32], n: u32):\n{GUARD}x[i] = y[i + 1]\n        if x[i] > 0:\n            z[i] = 1\n")
    assert kernels.needed("k", dict(n=100), 100) == [100, 101, 0, 0]  # some threads reach `z`, nobody knows which


def test_what_was_built_is_kept(tmp_path):
    (tmp_path / "k.py").write_text(HEAD + "def k(x: DeviceArray[f32]):\n    x[0] = 1.0\n")
    environment = {"KLR_CACHE": str(tmp_path / "cache")}
    for kept in (False, True):
        result = run_klr("schema", "build", tmp_path / "k.py", "-o", tmp_path / "lib", environment=environment)
        assert result.returncode == 0 and ("from the cache" in result.stdout) == kept
    assert "1 library, " in run_klr("schema", "cache", "ls", environment=environment).stdout
    assert "1 library removed" in run_klr("schema", "cache", "clear", environment=environment).stdout
    result = run_klr("schema", "build", tmp_path / "k.py", "-o", tmp_path / "lib", "--checked", environment={**environment, "KLR_CACHE": "/proc/none"})
    assert result.returncode == 0, "a cache that cannot be written is no error"


def test_a_compiler_that_is_missing_or_fails(tmp_path):
    (tmp_path / "k.py").write_text(HEAD + "def k(x: DeviceArray[f32]):\n    x[0] = 1.0\n")
    result = run_klr("schema", "build", tmp_path / "k.py", "-o", tmp_path / "lib", "--compiler", "nosuchcc")
    assert result.returncode == 1 and "E1010" in result.stderr and "nosuchcc" in result.stderr
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho k.py:3: it hurts >&2\nexit 1\n")
    broken.chmod(0o755)
    result = run_klr("schema", "build", tmp_path / "k.py", "-o", tmp_path / "lib", "--compiler", broken, environment={"KLR_CACHE": str(tmp_path / "c")})
    assert result.returncode == 1 and "E1010" in result.stderr and "it hurts" in result.stderr
    assert os.listdir(tmp_path / "lib") == []


def test_the_text_compiles_without_warnings_and_leads_back(tmp_path):
    rows = ["saxpy", "dot", "product", "window", "column", "tallies", "plane0", "cube", "mm"]
    (tmp_path / "k.py").write_text(HEAD + "".join(text for name, text, _, _ in KERNELS if name in rows))
    assert run_klr("schema", "build", tmp_path / "k.py", "-o", tmp_path / "c", "--emit-c").returncode == 0
    text = (tmp_path / "c" / "k.c").read_text()
    assert f'#line 3 "{tmp_path}/k.py"' in text
    assert all(f"kernel_{name}_strip(" in text for name in ("product", "window", "column", "plane0", "cube"))
    for compiler in COMPILERS:
        result = subprocess.run([compiler, "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", tmp_path / "c" / "k.c"], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("params, layout, values", [
    ("x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32", "<QQfI", lambda x, y: (x, y, 2.0, 50)),
    ("s: f32, x: DeviceArray[f32], n: u32, y: DeviceArray[f32]", "<fxxxxQIxxxxQ", lambda x, y: (2.0, x, 50, y)),
])
def test_older_launchers_are_served(tmp_path, params, layout, values):
    import struct
    kernels = build(tmp_path, f"def k({params}):\n{GUARD}y[i] = s * x[i] + y[i]\n")
    x, y = f32(50), f32(50, 1)
    packed = struct.pack(layout, *values(x.ctypes.data, y.ctypes.data))
    want = np.float32(2) * x + y
    kernels.loaded.atlas_kernel_name.restype = ctypes.c_char_p
    assert kernels.loaded.atlas_kernel_abi_version() == 1 and kernels.loaded.atlas_kernel_name() == b"k"
    assert kernels.loaded.atlas_kernel_execute(None, packed, ctypes.c_size_t(len(packed)), None) == 0
    assert np.array_equal(y, want)
    error = ctypes.c_char_p()
    assert kernels.loaded.atlas_kernel_execute(None, packed, ctypes.c_size_t(len(packed) - 1), ctypes.byref(error)) == 1 and b"short" in error.value
    for change, told in ((0, b"no address"), (2, b"no multiple")):  # an array of nowhere, and one between two elements
        wrong = bytearray(packed)
        at = [i for i in range(0, len(wrong) - 7, 8) if int.from_bytes(wrong[i:i + 8], "little") == y.ctypes.data][0]
        wrong[at:at + 8] = (change and y.ctypes.data + change).to_bytes(8, "little")
        assert kernels.loaded.atlas_kernel_execute(None, bytes(wrong), ctypes.c_size_t(len(wrong)), ctypes.byref(error)) == 1 and told in error.value


def test_older_launchers_give_a_grid(tmp_path):
    kernels = build(tmp_path, "def k(x: DeviceArray[i32]):\n    x[get_global_id()] = 7\n")
    x = np.zeros(6, np.int32)
    packed = x.ctypes.data.to_bytes(8, "little")
    groups = (ctypes.c_uint32 * 6)
    assert kernels.loaded.atlas_kernel_execute(groups(2, 1, 1, 2, 1, 1), packed, ctypes.c_size_t(8), None) == 0
    assert x.tolist() == [7, 7, 7, 7, 0, 0]
    error = ctypes.c_char_p()
    for config in (groups(2, 2, 1, 1, 1, 1), groups(2, 1, 1, 1, 1, 2)):
        assert kernels.loaded.atlas_kernel_execute(config, packed, ctypes.c_size_t(8), ctypes.byref(error)) == 1 and b"more dimensions" in error.value
    assert x.tolist() == [7, 7, 7, 7, 0, 0]


INTEGERS = {"i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64}


def wrapped(value, bits, signed):
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def integer_reference(op, a, b, bits, signed):
    """In Python's whole numbers, wrapped to the type that is computed in."""
    least = -(1 << (bits - 1)) if signed else 0
    if op in ("//", "%"):
        value = 0 if b == 0 else least if (op, a, b) == ("//", least, -1) and signed else a // b if op == "//" else a % b
    elif op in ("<<", ">>"):
        gone = b < 0 or b >= bits
        value = (-1 if a < 0 and op == ">>" else 0) if gone else a << b if op == "<<" else a >> b
    elif op == "**":
        value = pow(a, b, 1 << bits) if b >= 0 else (1 if a == 1 else (-1 if b % 2 else 1) if a == -1 else 0)
    else:
        value = {"+": a + b, "-": a - b, "*": a * b, "&": a & b, "|": a | b, "^": a ^ b}[op]
    return wrapped(value, bits, signed)


def test_integers_at_their_ends(tmp_path):
    """Every operator on the least, the largest and the numbers around 0, in every type, against Python."""
    ops = ["+", "-", "*", "//", "%", "<<", ">>", "**", "&", "|", "^"]
    text, cases = "", {}
    for name, dtype in INTEGERS.items():
        info = np.iinfo(dtype)
        values = sorted({value for value in (info.min, info.min + 1, -65, -64, -33, -3, -2, -1, 0, 1, 2, 3, 31, 32, 33, 63, 64, 65, info.max - 1, info.max) if info.min <= value <= info.max})
        a, b = (np.array(side, dtype) for side in zip(*[(x, y) for x in values for y in values]))
        cases[name] = dict(a=a, b=b, n=len(a), **{f"o{i}": np.zeros(len(a), dtype) for i in range(len(ops) + 3)})
        stores = "".join(f"        o{i}[i] = a[i] {op} b[i]\n" for i, op in enumerate(ops)) + f"        o{len(ops)}[i] = -a[i]\n        o{len(ops) + 1}[i] = ~a[i]\n        o{len(ops) + 2}[i] = abs(a[i])\n"
        text += f"def k_{name}({''.join(f'{key}: DeviceArray[{name}], ' for key in cases[name] if key != 'n')}n: u32):\n    i = get_global_id()\n    if i < n:\n{stores}"
    native, interpreted = build(tmp_path, text), Interpreted(HEAD + text)
    for name, given in cases.items():
        bits, signed = 8 * given["a"].itemsize, name[0] == "i"
        wide, wide_signed = (bits, signed) if bits >= 32 else (32, True)
        pairs = [(int(x), int(y)) for x, y in zip(given["a"], given["b"])]
        want = {f"o{i}": [integer_reference(op, x, y, wide, wide_signed) for x, y in pairs] for i, op in enumerate(ops)}
        want.update({f"o{len(ops)}": [-x for x, _ in pairs], f"o{len(ops) + 1}": [~x for x, _ in pairs], f"o{len(ops) + 2}": [abs(x) for x, _ in pairs]})
        got = interpreted.run(f"k_{name}", given)
        for key, values in want.items():
            right = np.array([wrapped(value, bits, signed) for value in values], INTEGERS[name])
            assert np.array_equal(got[key], right), (name, key, [(p, int(g), int(r)) for p, g, r in zip(pairs, got[key], right) if g != r][:5])
        for isa in range(3):
            if cpu_has(isa):
                assert all(array.tobytes() == got[key].tobytes() for key, array in native.run(f"k_{name}", given, isa=isa)[0].items()), (name, isa)


def test_integers_are_compared_by_their_values(tmp_path):
    """Of every two types, the least, the largest and the numbers around the ends of others, against Python."""
    names = list(INTEGERS)
    ends = sorted({end + more for end in (0, -128, 127, 255, -(1 << 31), 1 << 31, 1 << 32, -(1 << 63), 1 << 63, 1 << 64) for more in (-1, 0, 1)})
    values = {name: np.array([value for value in ends if np.iinfo(INTEGERS[name]).min <= value <= np.iinfo(INTEGERS[name]).max], INTEGERS[name]) for name in names}
    fixed = [("c < {}", lambda x, y: [y < x]), ("{} == c", lambda x, y: [x == y]), ("{} > -1", lambda x, y: [x > -1]), ("-9223372036854775808 <= {}", lambda x, y: [True]), ("-1 < {} <= c", lambda x, y: [-1 < x <= y])]
    text, cases = "", {}
    for one, others in {"u64": names, "i64": ["u64", "u32"], "i8": ["u64", "u8"], "u16": ["u64", "i32"]}.items():
        lines = "".join(f"        x_{other} = {other}[i]\n        y[i * {len(others)} + {k}] = {' + '.join(f'({1 << bit} if a[i] {op} x_{other} else 0)' for bit, op in enumerate(('<', '<=', '>', '>=', '==', '!=')))}\n"
                        for k, other in enumerate(others))
        lines += "".join(f"        z[i * {len(fixed)} + {k}] = {condition.format('a[i]')}\n" for k, (condition, _) in enumerate(fixed))
        arrays = "".join(f"{other}: DeviceArray[{other}], " for other in others)
        text += f"def k_{one}(a: DeviceArray[{one}], {arrays}y: DeviceArray[u8], z: DeviceArray[bool], c: u64, n: u64):\n    i = get_global_id()\n    if i < n:\n{lines}".replace(f"{one}[i]", f"of_{one}[i]").replace(
            f" {one}: DeviceArray", f" of_{one}: DeviceArray")
        longest = max(len(values[other]) for other in others)
        count = len(values[one]) * longest
        given = {"a": np.repeat(values[one], longest), "y": np.zeros(count * len(others), np.uint8), "z": np.zeros(count * len(fixed), np.bool_), "c": (1 << 63) + 1, "n": count}
        given.update({f"of_{other}" if other == one else other: np.resize(values[other], count) for other in others})
        cases[one] = others, given
    native, interpreted = build(tmp_path, text), Interpreted(HEAD + text)
    for one, (others, given) in cases.items():
        right = np.zeros((given["n"], len(others)), np.uint8)
        for k, other in enumerate(others):
            for i, (x, y) in enumerate(zip(given["a"].tolist(), given[f"of_{other}" if other == one else other].tolist())):
                right[i, k] = sum(is_so << bit for bit, is_so in enumerate((x < y, x <= y, x > y, x >= y, x == y, x != y)))
        right_fixed = np.array([[bool(of(x, given["c"])[0]) for _, of in fixed] for x in given["a"].tolist()])
        for run in [lambda: interpreted.run(f"k_{one}", given)] + [lambda isa=isa: native.run(f"k_{one}", given, isa=isa)[0] for isa in range(3) if cpu_has(isa)]:
            got = run()
            assert np.array_equal(got["y"].reshape(right.shape), right) and np.array_equal(got["z"].reshape(right_fixed.shape), right_fixed), one


def test_ids_in_few_bits_begin_anew(tmp_path):
    """The guard gives the grid, but is no bound of a larger one."""
    text = "".join(f"def {name}(x: DeviceArray[i32], n: i32):\n    j = get_global_id()\n    i: {name} = j{more}\n    if i < n:\n        x[j] = 1\n" for name, more in (("u8", ""), ("i8", " + 3"), ("u32", "")))
    native, interpreted, j = build(tmp_path, text), Interpreted(HEAD + text), np.arange(600)
    want = {"u8": j.astype(np.uint8) < 5, "i8": (j + 3).astype(np.int8) < 5, "u32": j < 5}
    for name, right in want.items():
        for got in (native.run(name, dict(x=np.zeros(600, np.int32), n=5), grid=(600, 1, 1))[0], interpreted.run(name, dict(x=np.zeros(600, np.int32), n=5), grid=(600, 1, 1))):
            assert np.array_equal(got["x"] == 1, right), name


IN_ORDER = ["next(a) * 10 + next(a)", "a[0] - atomic_add(a, 0, 1)", "atomic_add(a, 0, 3) - a[0] * 7", "max(atomic_add(a, 0, 1), 20 - atomic_add(a, 0, 1) * 3)", "mix(next(a), a[0], next(a))",
            "1 if atomic_add(a, 0, 1) < atomic_add(a, 0, 1) else 2", "1 if u64(next(a)) > i64(next(a)) else 2", "min(a[0], atomic_sub(a, 0, 5), a[0] + 1, atomic_add(a, 0, 2))", "a[next(a) % 4] * 100 + a[0]",
            "atomic_add(a, next(a) % 4, next(a)) + a[1]", "(next(a) if a[0] % 2 == 1 else 3) + a[0] * next(a)", "next(a) - (next(a) - (next(a) - next(a)))", "1 if next(a) > a[0] or next(a) < a[0] else 0"]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_operands_are_computed_from_left_to_right(tmp_path, compiler):
    """As Python does: the same text with atomics that are functions."""
    lines = [f"o[{k}] = {text}" for k, text in enumerate(IN_ORDER)]
    lines += ["o[20 + next(a) % 8] = next(a)", "o[30 + a[0] % 4] = next(a)", "o[34] += next(a) + o[34 + next(a) % 1]", "atomic_add(o, 35 + next(a) % 3, next(a))"]
    text = ("@inline\ndef next(x):\n    return atomic_add(x, 0, 1)\n@inline\ndef mix(p, q, r):\n    return p * 10000 + q * 100 + r\n"
            "def k(a: DeviceArray[i32], o: DeviceArray[i32]):\n    i = get_global_id()\n    if i < 1:\n" + "".join(f"        {line}\n" for line in lines))
    a, o = [5, 11, 17, 23], [2] * 40

    def atomic_add(x, i, value):
        x[i], old = x[i] + value, x[i]
        return old

    scope = {"a": a, "o": o, "atomic_add": atomic_add, "atomic_sub": lambda x, i, value: atomic_add(x, i, -value), "next": lambda x: atomic_add(x, 0, 1), "mix": lambda p, q, r: p * 10000 + q * 100 + r,
             "u64": int, "i64": int}
    for line in lines:
        exec(line, scope)
    given = dict(a=np.array([5, 11, 17, 23], np.int32), o=np.full(40, 2, np.int32))
    for got in (Interpreted(HEAD + text).run("k", given), build(tmp_path, text, compiler=compiler).run("k", given, grid=(1, 1, 1))[0]):
        assert got["o"].tolist() == o and got["a"].tolist() == a


def test_a_bound_may_be_any_u64(tmp_path):
    text = ("def below(x: DeviceArray[i32], n: u64):\n    i = get_global_id()\n    if i < n:\n        x[i] = 1\ndef up_to(x: DeviceArray[i32], n: u64):\n    i = get_global_id()\n    if n + 1 < i:\n        return\n    x[i] = 1\n"
            "def plane(x: DeviceArray[i32], n: u64, m: u64):\n    i, j = get_global_id(), get_global_id(1)\n    if i >= n or m <= j:\n        return\n    x[j * n + i] = 1\n"
            "def sums(x: DeviceArray[f32], y: DeviceArray[f32], n: u64, k: u64):\n    i = get_global_id()\n    if i < n:\n        total = 0.0\n        for j in range(k):\n            total += x[j * n + i]\n        y[i] = total\n")
    kernels, interpreted = build(tmp_path, text), Interpreted(HEAD + text)
    assert "kernel_sums_strip(" in run_klr("schema", "build", tmp_path / "k.py", "--emit-c", "-o", "-").stdout
    assert [line for line in run_klr("schema", "dump", tmp_path / "k.py").stdout.split("\n") if "# grid" in line][0].strip().startswith("# grid n;")
    given = dict(x=np.zeros(20, np.int32), n=7)
    for run in (lambda *a, **k: kernels.run(*a, **k)[0], interpreted.run):
        assert run("below", given)["x"].tolist() == [1] * 7 + [0] * 13
        assert run("up_to", given, grid=(20, 1, 1))["x"].tolist() == [1] * 9 + [0] * 11
        assert run("plane", dict(given, n=4, m=5))["x"].tolist() == [1] * 20
        for n in (1 << 63, (1 << 64) - 1):  # no longer negative
            assert run("below", dict(given, n=n), grid=(20, 1, 1))["x"].all()
        assert run("sums", dict(x=f32(600), y=np.zeros(200, np.float32), n=200, k=3))["y"].tobytes() == f32(600).reshape(3, 200).cumsum(0, dtype=np.float32)[2].tobytes()
    for way in ([tmp_path / "lib"], [tmp_path / "k.py"]):
        told = run_klr("schema", "run", *way, "below", "x=zeros:i32[20]", f"n={(1 << 63) + 5}")
        assert told.returncode == 1 and "2^48 threads" in told.stderr, told.stderr


@pytest.mark.parametrize("name, dtype", [("f32", np.float32), ("f64", np.float64)])
def test_floats_at_their_ends(tmp_path, name, dtype):
    """Casts to every integer, min and max, floor division and remainder of zeros, infinities, NaN and numbers that no integer holds."""
    values = np.array([0, -0.0, 0.5, -0.5, 1, -1, 1.5, -2.5, 127.9, -128.9, 255.5, 256, -0.9, 32768, 65536.5, 2.0**31, -2.0**31, 2.0**31 - 64, 2.0**32, 2.0**63, -2.0**63, 2.0**64, 1.8e19,
                       1e30, -1e30, 1e-40, np.inf, -np.inf, np.nan], dtype)
    a, b = (np.array(side, dtype) for side in zip(*[(x, y) for x in values for y in values]))
    given = dict(a=a, b=b, n=len(a), **{f"c_{key}": np.zeros(len(a), of) for key, of in INTEGERS.items()}, **{key: np.zeros(len(a), dtype) for key in ("least", "most", "quotient", "rest")},
                 truth=np.zeros(len(a), np.uint8))
    arrays = {"a": name, "b": name, **{f"c_{key}": key for key in INTEGERS}, "least": name, "most": name, "quotient": name, "rest": name, "truth": "u8"}
    text = (f"def k({''.join(f'{key}: DeviceArray[{of}], ' for key, of in arrays.items())}n: u32):\n    i = get_global_id()\n    if i < n:\n"
            + "".join(f"        c_{key}[i] = {key}(a[i])\n" for key in INTEGERS)
            + "        least[i] = min(a[i], b[i])\n        most[i] = max(a[i], b[i])\n        quotient[i] = a[i] // b[i]\n        rest[i] = a[i] % b[i]\n        truth[i] = u8(bool(a[i])) + 2 * u8(a[i] < b[i])\n")
    native, got = build(tmp_path, text), Interpreted(HEAD + text).run("k", given)
    for key, of in INTEGERS.items():
        info = np.iinfo(of)
        want = [0 if np.isnan(x) else info.max if x >= info.max else info.min if x <= info.min else int(x) for x in a.astype(float)]
        assert got[f"c_{key}"].tolist() == want, key
    nan = np.isnan(a) | np.isnan(b)
    assert np.array_equal(np.isnan(got["least"]), nan) and np.array_equal(np.isnan(got["most"]), nan)
    order = [(x, not np.signbit(x)) <= (y, not np.signbit(y)) for x, y in zip(a, b)]  # -0.0 before 0.0
    assert (np.where(order, a, b).tobytes() == np.where(nan, np.where(order, a, b), got["least"]).tobytes() and
            np.where(order, b, a).tobytes() == np.where(nan, np.where(order, b, a), got["most"]).tobytes())
    assert got["truth"].tolist() == [int(x != 0) + 2 * int(x < y) for x, y in zip(a, b)]
    with np.errstate(all="ignore"):
        finite = np.isfinite(a) & np.isfinite(b) & (b != 0)
        python = [(float(x) % float(y)) if good else 0 for x, y, good in zip(a, b, finite)]
        close = finite & (np.abs(a) < 1e9) & (np.abs(b) > 1e-3)
        assert np.allclose(got["rest"][close].astype(float), np.array(python)[close], rtol=1e-5, atol=1e-5)
        assert np.array_equal(np.isnan(got["rest"])[finite], np.zeros(finite.sum(), bool)) and np.isnan(got["rest"][~np.isfinite(a)]).all()
        assert np.array_equal(got["quotient"][close], np.floor_divide(a, b)[close])
    for isa in range(3):
        if cpu_has(isa):
            for key, array in native.run("k", given, isa=isa)[0].items():
                both_nan = np.isnan(array.astype(float)) & np.isnan(got[key].astype(float))
                assert np.array_equal(array.view(f"u{array.itemsize}")[~both_nan], got[key].view(f"u{array.itemsize}")[~both_nan]), (key, isa)
