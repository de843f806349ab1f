"""`klr schema run`: what scalar kernels compute, against NumPy and plain Python."""

import json

import numpy as np
import pytest
from conftest import run_klr

HEAD = "from atlas_kernel import *\n"


def run(tmp_path, text, name, arguments, *options):
    """Runs kernel `name`; arrays are passed as files. Returns its written arrays by name."""
    (tmp_path / "k.py").write_text(HEAD + text)
    given = []
    for key, value in arguments.items():
        if isinstance(value, np.ndarray):
            np.save(tmp_path / f"{key}.npy", value)
            value = f"@{tmp_path / key}.npy"
        given.append(f"{key}={value}")
    result = run_klr("schema", "run", tmp_path / "k.py", name, *given, *options, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    outputs = json.loads((tmp_path / "out" / "outputs.json").read_text())["outputs"]
    return {output["name"]: np.load(tmp_path / "out" / output["file"]) for output in outputs}


def refuse(tmp_path, text, name, *arguments):
    (tmp_path / "k.py").write_text(HEAD + text)
    result = run_klr("schema", "run", tmp_path / "k.py", name, *arguments)
    assert result.returncode == 1 and not result.stdout
    return result.stderr


def f32(*shape):
    return np.random.default_rng(len(shape) + sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("n", [0, 1, 7, 1000])
def test_saxpy(tmp_path, n):
    x, y = f32(max(n, 1)), f32(max(n, 1)) + 1
    got = run(tmp_path, "def k(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):\n    i = get_global_id()\n    if i < n:\n"
                        "        y[i] = s * x[i] + y[i]\n", "k", {"x": x, "y": y, "s": 2.5, "n": n})
    want = y.copy()
    want[:n] = np.float32(2.5) * x[:n] + y[:n]
    assert np.array_equal(got["y"], want)


def blocks(values, neutral, op):
    """The fixed order: blocks of 4096, 16 lanes, joined by distance 8, 4, 2, 1."""
    total = neutral
    for start in range(0, len(values), 4096):
        lanes = [neutral] * 16
        for i, value in enumerate(values[start:start + 4096]):
            lanes[i % 16] = op(lanes[i % 16], value)
        distance = 8
        while distance:
            for lane in range(distance):
                lanes[lane] = op(lanes[lane], lanes[lane + distance])
            distance //= 2
        total = op(total, lanes[0])
    return total


def test_sums_are_in_the_fixed_order(tmp_path):
    a, b = f32(9001), f32(9001) * 3
    text = ("def dot(a: DeviceArray[f32], b: DeviceArray[f32], r: DeviceArray[f32], n: u32):\n    i = get_global_id()\n    if i < n:\n"
            "        atomic_add_f32(r, a[i] * b[i])\n        atomic_max(b, 9000, 0.0)\n"
            "def whole(a: DeviceArray[f32], r: DeviceArray[f32], n: u32):\n    parallel_reduce(a, r, 'sum', n)\n")
    text = text.replace("        atomic_max(b, 9000, 0.0)\n", "")
    got = run(tmp_path, text, "dot", {"a": a, "b": b, "r": np.zeros(1, np.float32), "n": 9001})["r"][0]
    assert got == blocks(list(a * b), np.float32(0), lambda x, y: x + y)
    assert run(tmp_path, text, "whole", {"a": a, "r": np.ones(1, np.float32), "n": 9001})["r"][0] == blocks(list(a), np.float32(0), lambda x, y: x + y)


def test_matrix_product(tmp_path):
    m, n, k = 5, 7, 9
    a, b = f32(m * k), f32(k * n)
    got = run(tmp_path, "def mm(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], m: u32, n: u32, k: u32):\n"
                        "    column, row = get_global_id(0), get_global_id(1)\n    if row >= m or column >= n:\n        return\n    total = 0.0\n"
                        "    for p in range(k):\n        total += A[row * k + p] * B[p * n + column]\n    C[row * n + column] = total\n",
              "mm", {"A": a, "B": b, "C": np.zeros(m * n, np.float32), "m": m, "n": n, "k": k})["C"].reshape(m, n)
    want = np.zeros((m, n), np.float32)
    for p in range(k):
        want += a.reshape(m, k)[:, p:p + 1] * b.reshape(k, n)[p]
    assert np.array_equal(got, want)


def test_groups_meet_at_barriers(tmp_path):
    n = 300
    x = f32(n)
    got = run(tmp_path, "def sums(x: DeviceArray[f32], out: DeviceArray[f32], n: u32):\n    part = shared_array(f32, 64)\n    i = get_global_id()\n"
                        "    local = get_local_id()\n    part[local] = x[i] if i < n else 0.0\n    barrier()\n    half = get_local_size() // 2\n"
                        "    while half > 0:\n        if local < half:\n            part[local] += part[local + half]\n        barrier()\n        half = half // 2\n"
                        "    if local == 0:\n        out[get_group_id()] = part[0]\n", "sums",
              {"x": x, "out": np.zeros(5, np.float32), "n": n}, "--grid", "320", "--group", "64")["out"]
    want = np.zeros((5, 64), np.float32)
    want.reshape(-1)[:n] = x
    for half in (32, 16, 8, 4, 2, 1):
        want[:, :half] += want[:, half:2 * half]
    assert np.array_equal(got, want[:, 0])


@pytest.mark.parametrize("form, reference", [
    ("parallel_map_unary(a, o, 'relu', n)", lambda a, b, i: np.maximum(a, 0)), ("parallel_map_unary(a, o, 'neg', n)", lambda a, b, i: -a),
    ("parallel_map_binary(a, b, o, 'sub', n)", lambda a, b, i: a - b), ("parallel_map_binary(a, b, o, 'max', n)", lambda a, b, i: np.maximum(a, b)),
    ("parallel_scan(a, o, 'sum', n)", lambda a, b, i: np.add.accumulate(a)), ("parallel_scan(a, o, 'max', n)", lambda a, b, i: np.maximum.accumulate(a)),
    ("parallel_gather(a, i, o, n)", lambda a, b, i: a[i]), ("parallel_scatter(a, i, o, n)", lambda a, b, i: a[np.argsort(i)]),
])
def test_whole_arrays(tmp_path, form, reference):
    a, b, i = f32(50), f32(50) * 2, np.random.default_rng(1).permutation(50).astype(np.uint32)
    text = f"def k(a: DeviceArray[f32], b: DeviceArray[f32], i: DeviceArray[u32], o: DeviceArray[f32], n: u32):\n    {form}\n"
    got = run(tmp_path, text, "k", {"a": a, "b": b, "i": i, "o": np.zeros(50, np.float32), "n": 50})["o"]
    assert np.array_equal(got, reference(a, b, i))


# expression over i32 s, u32 u and f32 f, with the value Python or NumPy has for it
S, U, F = np.array([7, -7, 2**31 - 1, -2**31, 0, 1, -1], np.int32), np.array([3, 2**32 - 1, 0, 1, 2**31, 5, 6], np.uint32), np.array([2.5, -2.5, 3e9, -3e9, np.nan, np.inf, -0.0], np.float32)


def wrap(value, bits=32):
    value = int(value) & (2**bits - 1)
    return value - 2**bits if value >> (bits - 1) else value


VALUES = [
    ("s + 1", lambda s, u, f: wrap(s + 1)), ("s * s", lambda s, u, f: wrap(s * s)), ("s // 2", lambda s, u, f: s // 2), ("s % 3", lambda s, u, f: s % 3),
    ("-s // 2", lambda s, u, f: wrap(-s) // 2), ("s // (s - s)", lambda s, u, f: 0), ("s % (s - s)", lambda s, u, f: 0), ("i32(u)", lambda s, u, f: wrap(u)),
    ("i32(f)", lambda s, u, f: 0 if f != f else max(-2**31, min(2**31 - 1, int(f) if abs(f) < 1e30 else 2**40 if f > 0 else -2**40))),
    ("u8(f)", lambda s, u, f: 0 if f != f else max(0, min(255, int(f) if abs(f) < 1e30 else 2**40 if f > 0 else -2**40))),
    ("i32(s < u)", lambda s, u, f: int(s < u)), ("i32(s + u)", lambda s, u, f: wrap(s + u)), ("s << 3", lambda s, u, f: wrap(s << 3)), ("s << 40", lambda s, u, f: 0),
    ("s >> 1", lambda s, u, f: s >> 1), ("i32(u >> 31)", lambda s, u, f: u >> 31), ("~s", lambda s, u, f: ~s), ("s & 12 | 3 ^ s", lambda s, u, f: s & 12 | 3 ^ s),
    ("s ** 3", lambda s, u, f: wrap(s ** 3)), ("abs(s)", lambda s, u, f: wrap(abs(s))), ("min(s, 3)", lambda s, u, f: min(s, 3)), ("i32(not s)", lambda s, u, f: int(not s)),
    ("i32(0 <= s <= 7)", lambda s, u, f: int(0 <= s <= 7)), ("s if f > 0 else -1", lambda s, u, f: s if f > 0 else -1), ("i8(s)", lambda s, u, f: wrap(s, 8)),
    ("i32(s and u)", lambda s, u, f: int(bool(s and u))), ("i32(isnan(f))", lambda s, u, f: int(f != f)), ("i32(u - 1)", lambda s, u, f: wrap(u - 1)),
]


@pytest.mark.parametrize("expression, value", VALUES, ids=[e for e, _ in VALUES])
def test_values(tmp_path, expression, value):
    got = run(tmp_path, f"def k(a: DeviceArray[i32], b: DeviceArray[u32], c: DeviceArray[f32], o: DeviceArray[i32], n: u32):\n    i = get_global_id()\n    if i < n:\n"
                        f"        s = a[i]\n        u = b[i]\n        f = c[i]\n        o[i] = {expression}\n", "k",
              {"a": S, "b": U, "c": F, "o": np.zeros(7, np.int32), "n": 7})["o"]
    assert got.tolist() == [value(int(s), int(u), float(f)) for s, u, f in zip(S, U, F)]


def test_narrow_floats_are_computed_in_f32(tmp_path):
    x = f32(100).astype(np.float16)
    got = run(tmp_path, "def k(x: DeviceArray[f16], n: u32):\n    i = get_global_id()\n    if i < n:\n        x[i] = x[i] * x[i] + 0.1\n", "k", {"x": x, "n": 100})["x"]
    wide = x.astype(np.float32)
    assert np.array_equal(got, (wide * wide + np.float32(0.1)).astype(np.float16))


def test_control_flow(tmp_path):
    got = run(tmp_path, "@inline\ndef collatz(v):\n    steps = 0\n    while True:\n        if v <= 1:\n            return steps\n        v = v // 2 if v % 2 == 0 else 3 * v + 1\n        steps += 1\n"
                        "def k(o: DeviceArray[i32], n: u32):\n    i = get_global_id()\n    if i < n:\n        total = 0\n        for j in range(i + 20, -1, -3):\n            if j % 5 == 0:\n                continue\n"
                        "            if j == 8:\n                break\n            total += j\n        o[i] = collatz(i + 1) * 1000 + total\n", "k", {"o": np.zeros(30, np.int32), "n": 30})["o"]

    def collatz(v):
        steps = 0
        while v > 1:
            v, steps = (v // 2 if v % 2 == 0 else 3 * v + 1), steps + 1
        return steps

    def total(i):
        result = 0
        for j in range(i + 20, -1, -3):
            if j % 5 == 0:
                continue
            if j == 8:
                break
            result += j
        return result

    assert got.tolist() == [collatz(i + 1) * 1000 + total(i) for i in range(30)]


def test_atomics_give_the_old_value(tmp_path):
    got = run(tmp_path, "def k(c: DeviceArray[u32], o: DeviceArray[u32], n: u32):\n    i = get_global_id()\n    if i < n:\n        o[i] = atomic_add(c, i % 3, 2)\n"
                        "        old = atomic_cas(c, 3, i, i + 1)\n", "k", {"c": np.zeros(4, np.uint32), "o": np.zeros(10, np.uint32), "n": 10})
    assert got["c"].tolist() == [8, 6, 6, 10] and got["o"].tolist() == [0, 0, 0, 2, 2, 2, 4, 4, 4, 6]


OUT = "def k(x: DeviceArray[f32], n: u32):\n    i = get_global_id()\n    if i < n:\n        x[i + 1] = 1.0\n"


def test_an_access_outside_names_array_element_and_thread(tmp_path):
    text = refuse(tmp_path, OUT, "k", "x=zeros:f32[5]", "n=5")
    assert "E1008" in text and "element 5 of `x`, which has 5" in text and "thread 4 of kernel `k`" in text and "k.py:5:" in text


@pytest.mark.parametrize("arguments, part", [
    (["x=zeros:i32[5]", "n=5"], "int32"), (["x=zeros:f32[5]"], "`n` is missing"), (["x=zeros:f32[5]", "n=-1"], "no value of `u32`"), (["x=3", "n=5"], "no array"),
    (["x=zeros:f32[5]", "n=zeros:f32[1]"], "a number is wanted"), (["x=zeros:f32[5]", "n=1.5"], "no value"), (["x=zeros:f32[5]", "n=1", "m=2"], "no parameter `m`"),
])
def test_wrong_arguments(tmp_path, arguments, part):
    text = refuse(tmp_path, OUT, "k", *arguments)
    assert "E1009" in text and part in text


def test_a_kernel_without_a_guard_needs_a_grid(tmp_path):
    text = "def k(x: DeviceArray[f32]):\n    x[get_global_id()] = 1.0\n"
    assert "E1009" in refuse(tmp_path, text, "k", "x=zeros:f32[5]")
    assert run(tmp_path, text, "k", {"x": np.zeros(5, np.float32)}, "--grid", "4")["x"].tolist() == [1, 1, 1, 1, 0]
    told = refuse(tmp_path, text, "k", "x=zeros:f32[5]", "--grid", "4,3")
    assert "E1009" in told and "a grid of 2 dimensions, and `k` asks for ids in 1" in told and "k.py:2:" in told


def test_an_endless_loop_is_given_up(tmp_path):
    assert "limit" in refuse(tmp_path, "def k(x: DeviceArray[f32]):\n    while True:\n        x[0] = 1.0\n", "k", "x=zeros:f32[1]", "--max-steps", "1000")


def test_helpers_of_helpers_values(tmp_path):
    text = ("@inline\ndef twice(a):\n    return a * 2\ndef k(y: DeviceArray[f32], n: u32):\n    i = get_global_id()\n    if i < n:\n"
            "        y[i] = twice(twice(i)) + twice(twice(0.25) + max(twice(n), 1))\n")
    got = run(tmp_path, text, "k", {"y": np.zeros(3, np.float32), "n": 3})["y"]
    assert got.tolist() == [13.0, 17.0, 21.0]
