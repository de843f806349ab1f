"""`parallel_scan` in blocks on many cores: the bits of going from left to right, as NumPy and plain Python compute them."""

import ctypes
import struct
import subprocess

import ml_dtypes
import numpy as np
import pytest
from conftest import ROOT, run_klr
from schema_library import BLOCK, COMPILERS, NAMES, Interpreted, Kernels, cpu_has
from test_schema_launch import Registry, api, array, number  # noqa: F401

TYPES = dict(zip(NAMES, [np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.float16, ml_dtypes.bfloat16, np.float32, np.float64]))
ROWS = [("bool", "sum"), ("i8", "sum"), ("i8", "product"), ("u16", "max"), ("i32", "sum"), ("i64", "product"), ("u64", "sum"),
        ("f16", "min"), ("bf16", "max"), ("f32", "max"), ("f64", "min")]
HEAD = "from atlas_kernel import *\n"


def text(name, op):
    return f"def {name}_{op}(x: DeviceArray[{name}], y: DeviceArray[{name}], n: u32):\n    parallel_scan(x, y, '{op}', n)\n"


TEXT = HEAD + "".join(text(name, op) for name, op in ROWS)
TEXT += "def chain(x: DeviceArray[i32], y: DeviceArray[i32], n: u32):\n    all = i32(n)\n    half = all // 2\n    parallel_scan(x, y, 'sum', all)\n    parallel_scan(y, y, 'max', half)\n    parallel_map_binary(y, x, y, 'sub', all)\n    parallel_scan(y, x, 'sum', half)\n"
TEXT += text("f32", "sum")
SIZES = [0, 1, 2, 15, 16, 17, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5]
LARGE = [120000, 120001, 30 * BLOCK - 1, 30 * BLOCK, 30 * BLOCK + 1, 150003]  # what is small stays on one core


def build(folder, text, *options):
    folder.mkdir()
    (folder / "k.py").write_text(text)
    result = run_klr("schema", "build", folder / "k.py", "-o", folder / "lib", *options, environment={"KLR_CACHE": str(folder / "cache")})
    assert result.returncode == 0, result.stderr
    return folder / "lib" / "k.so"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scan")


@pytest.fixture(scope="module")
def plain(folder):
    return build(folder / "plain", TEXT)


def bits(a):
    """As the harness takes arrays: bf16 has no type of its own there."""
    return a.view(np.uint16) if a.dtype == ml_dtypes.bfloat16 else a


def elements(name, n, seed=0):
    draw, dtype = np.random.default_rng(seed + n), np.dtype(TYPES[name])
    if name == "bool":
        return draw.random(n) < (0.0005 if seed else 0.9995)
    if name[0] in "iu":
        info = np.iinfo(dtype)
        return draw.integers(info.min, info.max, n, dtype, endpoint=True) | dtype.type(1)  # products of even numbers soon are 0
    x = (draw.standard_normal(n) * 100).astype(dtype)
    x[draw.random(n) < 0.01] = 0
    x[draw.random(n) < 0.5] *= dtype.type(-1)
    return x


def from_left_to_right(x, op):
    if x.dtype == np.bool_:
        return np.maximum.accumulate(x) if op in ("sum", "max") else np.minimum.accumulate(x)
    if x.dtype.kind in "iu":
        return {"sum": np.add, "product": np.multiply, "min": np.minimum, "max": np.maximum}[op].accumulate(x, dtype=x.dtype)
    raw, quiet = x.view(f"u{x.itemsize}"), {np.dtype(np.float16): 0x200, np.dtype(ml_dtypes.bfloat16): 0x40}.get(x.dtype, 0)
    # -0 is below +0; the first NaN stays; what is not f32 or f64 becomes quiet when it is computed with.
    top = 8 * x.itemsize - 1
    keys = np.where(raw >> top, ~raw, raw | (1 << top)).astype(raw.dtype)
    best = (np.minimum if op == "min" else np.maximum).accumulate(keys)
    out = np.where(best >> top, best ^ (1 << top), ~best).astype(raw.dtype)
    nans = np.flatnonzero((raw & (1 << top) - 1) > bits(np.array(np.inf, x.dtype)).view(raw.dtype))
    if len(nans):
        out[nans[0]:] = raw[nans[0]] | quiet
        if nans[0] == 0:
            out[0] = raw[0]
    return out.view(x.dtype)


def same(got, want):
    return bits(np.asarray(got)).tobytes() == bits(want).tobytes()


@pytest.mark.parametrize("name, op", ROWS)
def test_blocks_have_the_bits_of_one_go(plain, name, op):
    kernels, reference = Kernels(plain), Interpreted(TEXT)
    assert len(kernels.infos[f"{name}_{op}"].stages[:2]) == kernels.infos[f"{name}_{op}"].stage_count == 2
    for n in SIZES:
        for seed in (0, 1):
            x = elements(name, n, seed)
            want = from_left_to_right(x, op)
            given = dict(x=bits(x), y=np.zeros_like(bits(x)), n=n)
            assert same(reference.run(f"{name}_{op}", given)["y"], want), n
            for isa in range(3):
                for pieces in (1, 2, 7) if cpu_has(isa) else ():
                    got, _ = kernels.run(f"{name}_{op}", given, isa=isa, pieces=pieces)
                    assert same(got["y"], want), (n, isa, pieces)


@pytest.mark.parametrize("name, op", ROWS)
def test_launches(plain, api, name, op):  # noqa: F811
    with Registry(api) as registry:
        assert registry.load(plain), registry.error()
        kernel = registry.find(f"{name}_{op}")
        for n in SIZES + LARGE:
            x = elements(name, n)
            want, kind = from_left_to_right(x, op), NAMES.index(name)
            for threads in (1, 2, 7):
                for in_place in (False, True):
                    y = x.copy() if in_place else np.zeros(n + 1, x.dtype)  # the last one is nobody's
                    source = y if in_place else x
                    assert registry.launch(kernel, [array(source, kind), array(y, kind, count=len(source) if in_place else n), number(n)], threads), registry.error()
                    assert same(y[:n], want) and (in_place or not y[n]), (n, threads, in_place)


def test_of_several_nans_the_first_stays(plain, api):  # noqa: F811
    rows = [("f16", "min", np.uint16, 0x7c01, 0xfe55), ("bf16", "max", np.uint16, 0x7f81, 0xffd5), ("f32", "max", np.uint32, 0x7fc00001, 0xffc01234), ("f64", "min", np.uint64, 0x7ff8 << 48 | 5, 0xfff8 << 48 | 77)]
    with Registry(api) as registry:
        assert registry.load(plain)
        for name, op, raw, first, second in rows:
            for places in ((0, 1), (5, 17), (40, 21), (BLOCK - 1, BLOCK), (BLOCK, 4 * BLOCK), (2 * BLOCK + 33, 2 * BLOCK + 16), (8 * BLOCK + 20, 9 * BLOCK), (29 * BLOCK, 29 * BLOCK + 9)):
                x = elements(name, 30 * BLOCK + 3)
                bits(x).view(raw)[min(places)], bits(x).view(raw)[max(places)] = first, second
                for threads in (1, 3):
                    y = np.zeros_like(x)
                    assert registry.launch(registry.find(f"{name}_{op}"), [array(x, NAMES.index(name)), array(y, NAMES.index(name)), number(len(x))], threads)
                    assert same(y, from_left_to_right(x, op)), (name, places, threads)


def test_several_in_a_kernel_and_sums_of_floats(plain, api):  # noqa: F811
    n = 250001
    x, f = elements("i32", n), elements("f32", n)
    want_y = from_left_to_right(x, "sum")
    want_y[:n // 2] = np.maximum.accumulate(want_y[:n // 2])
    want_y -= x
    want_x = x.copy()
    want_x[:n // 2] = from_left_to_right(want_y[:n // 2], "sum")
    with Registry(api) as registry:
        assert registry.load(plain)
        for threads in (1, 2, 7):
            a, b, c = x.copy(), np.zeros_like(x), np.zeros_like(f)
            assert registry.launch(registry.find("chain"), [array(a, 3), array(b, 3), number(n)], threads)
            assert same(a, want_x) and same(b, want_y)
            assert registry.launch(registry.find("f32_sum"), [array(f), array(c), number(n)], threads)
            assert same(c, f.cumsum(dtype=np.float32))
            for count in (-1, -100000):
                assert registry.launch(registry.find("chain"), [array(a, 3), array(b, 3), number(count & 0xffffffff)], threads) and same(a, want_x) and same(b, want_y)


@pytest.mark.parametrize("n", [0, 5, BLOCK + 1, 40000])
def test_older_launchers(folder, n):
    path = folder / "older" / "lib" / "k.so"
    if not path.exists():
        build(folder / "older", HEAD + text("i16", "sum"))
    x = elements("i16", n)
    y = np.zeros_like(x)
    packed = struct.pack("<QQI", x.ctypes.data, y.ctypes.data, n)
    assert Kernels(path).loaded.atlas_kernel_execute(None, packed, ctypes.c_size_t(len(packed)), None) == 0
    assert same(y, from_left_to_right(x, "sum"))


def test_the_checked_build(folder, api):  # noqa: F811
    path, n = build(folder / "checked", HEAD + text("i32", "sum") + text("i32", "min"), "--checked"), 40001
    with Registry(api) as registry:
        assert registry.load(path), registry.error()
        for threads in (1, 2):
            x, y = elements("i32", n), np.zeros(n, np.int32)
            for name in ("i32_sum", "i32_min"):
                assert registry.launch(registry.find(name), [array(x, 3), array(y, 3), number(n)], threads) and same(y, from_left_to_right(x, name[4:]))
            assert not registry.launch(registry.find("i32_sum"), [array(x, 3), array(y[:n - 1].copy(), 3), number(n)], threads) and "are needed" in registry.error()
    # One who does not ask what is needed is told where it ends.
    kernels = Kernels(path)
    for pieces in (1, 3):
        for short in (5000, 8192, 9000):
            given = dict(x=np.ones(short, np.int32), y=np.zeros(9001, np.int32), n=9001)
            assert [getattr(kernels.run("i32_sum", given, pieces=pieces)[1], field) for field in ("kind", "param", "index", "count")] == [1, 0, short, short]
            given = dict(x=np.ones(9001, np.int32), y=np.zeros(short, np.int32), n=9001)
            got, fault = kernels.run("i32_sum", given, pieces=pieces)
            assert (fault.kind, fault.param, fault.index, fault.count) == (1, 1, short, short) and same(got["y"], np.arange(1, short + 1, dtype=np.int32))


def test_a_library_from_before_there_were_two_stages(folder, api):  # noqa: F811
    """Its stages are shorter than those of today."""
    there = folder / "before"
    there.mkdir()
    (there / "k.py").write_text(HEAD + "".join(f"def {name}(x: DeviceArray[i32], r: DeviceArray[i32], n: u32):\n    parallel_reduce(x, r, '{op}', n)\n"
                                                                      f"    parallel_map_unary(x, x, 'neg', n)\n" for name, op in (("total", "sum"), ("least", "min"))))
    assert run_klr("schema", "build", there / "k.py", "--emit-c", "-o", there).returncode == 0
    c = (there / "k.c").read_text()
    start, end = c.index("  /* As `bodies`, and faster"), c.index("} KlrKernelStage;")
    assert "is_for_many;" in c[start:end]
    (there / "k.c").write_text(c[:start] + c[end:c.index("/* What every stage has,")] + c[c.index("typedef struct KlrKernelInfo"):])
    subprocess.run([COMPILERS[0], "-std=gnu17", "-O1", "-shared", "-fPIC", there / "k.c", "-o", there / "k.so"], check=True, cwd=ROOT)
    with Registry(api) as registry:
        assert registry.load(there / "k.so"), registry.error()
        for threads in (1, 2):
            x, r = np.arange(70000, dtype=np.int32) - 3, np.zeros(1, np.int32)
            assert registry.launch(registry.find("least"), [array(x, 3), array(r, 3), number(70000)], threads) and r[0] == -3
            assert same(x, 3 - np.arange(70000, dtype=np.int32))
