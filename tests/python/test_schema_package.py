"""klr.schema: scalar kernels of a running program, called with arrays."""

import array
import ctypes
import json
import linecache
import math
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time

import ml_dtypes
import numpy as np
import pytest

from conftest import ROOT

PACKAGE = os.path.join(ROOT, "build", "python")
if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

sys.path.insert(0, os.path.join(ROOT, "tests"))
import klr  # noqa: E402
import klr.schema as ks  # noqa: E402
from klr.schema import *  # noqa: E402,F403
from klr.schema import DeviceArray, atomic_add, f32, f64, get_global_id, i32, inline, kernel, u8, u32  # noqa: E402
from klr.schema import get_global_id as thread  # noqa: E402
from schema_catalogue import CATALOGUE, distance  # noqa: E402

KERNELS = os.path.join(ROOT, "kernels")
pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime
random = np.random.default_rng(3)
SHIFT = 0.5


@pytest.fixture(scope="module", autouse=True)
def empty_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KLR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@inline
def clamp(v, low, high):
    return min(max(v, low), high)


@kernel
def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):
    """y = s * x + y"""
    i = get_global_id()
    if i < n:
        y[i] = s * x[i] + y[i]


@kernel
def shape(x: ks.DeviceArray[ks.f32], y: "DeviceArray[f32]", n: u32):
    i = thread(0)
    if i >= n:
        return
    y[i] = clamp(x[i], -1.0, 1.0) * math.pi + SHIFT


@kernel(interpret=True)
def count(x: DeviceArray[u8], bins: DeviceArray[u32], n: u32):
    i = get_global_id()
    if i < n:
        atomic_add(bins, u32(x[i]), u32(1))


def test_a_kernel_is_called_with_arrays():
    x, y = random.standard_normal(1001).astype(np.float32), random.standard_normal(1001).astype(np.float32)
    want = np.float32(2.5) * x + y
    assert saxpy(x, y, 2.5, len(x)) is None and np.array_equal(y, want)
    again = y.copy()
    saxpy(x, y, n=np.int64(1001), s=np.float32(-1))
    assert np.array_equal(y, -x + again)
    saxpy[10](x, y, 1, 1001)  # only ten threads
    assert np.array_equal(y[:10], (-x + again + x)[:10]) and np.array_equal(y[10:], (-x + again)[10:])
    two = np.zeros((7, 11), np.float32)
    saxpy.launch({"x": x[:77], "y": two, "s": 1, "n": 77}, threads=2, group=16)
    assert np.array_equal(two.reshape(-1), x[:77])
    assert saxpy.__doc__ == "y = s * x + y" and saxpy.info["grid"] == "n" and saxpy.info["line"] == saxpy.__wrapped__.__code__.co_firstlineno + 1
    assert [p["direction"] for p in saxpy.info["params"]] == ["in", "inout", "in", "in"]


@kernel
def functions(x: DeviceArray[f32], y: DeviceArray[f64], n: u32):
    i = get_global_id()
    if i < n:
        v = x[i]
        y[i] = exp(v) + sin(v) * tanh(v) - pow(abs(v), 1.7) + f64(v) / 3 + v * v * v + log1p(v * v)


def test_the_bits_of_the_interpreter():
    x = (random.standard_normal(1003) * 8).astype(np.float32)
    results = [np.zeros(1003) for _ in range(3)]
    for y, options in zip(results, ({}, {"interpret": True}, {"checked": True})):
        functions.launch((x, y, 1003), **options)
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes() and results[0].any()


def test_names_mean_what_they_mean_in_the_program(monkeypatch):
    x, y = random.standard_normal(100).astype(np.float32) * 2, np.zeros(100, np.float32)
    shape(x, y, 100)
    assert np.allclose(y, np.clip(x, -1, 1) * np.float32(math.pi) + 0.5, rtol=1e-6)
    monkeypatch.setitem(globals(), "SHIFT", -3)  # compiled anew
    shape(x, y, 100)
    assert np.allclose(y, np.clip(x, -1, 1) * np.float32(math.pi) - 3, rtol=1e-6)


def test_interpreted():
    x, bins = random.integers(0, 16, 999).astype(np.uint8), np.zeros(16, np.uint32)
    count(x, bins, 999)
    assert np.array_equal(bins, np.bincount(x, minlength=16))
    with pytest.raises(IndexError, match="16") as caught:
        count(np.full(4, 200, np.uint8), bins, 4)
    assert isinstance(caught.value, klr.Error) and caught.value.code == "E1008" and caught.value.diagnostics[0]["file"] == __file__


# ---- arguments

@kernel
def double_bytes(x: DeviceArray[u8], y: DeviceArray[u8], n: u32):
    i = get_global_id()
    if i < n:
        y[i] = x[i] * 2


@pytest.fixture(scope="module")
def fill_of():
    """One kernel for each type: y[i] = value."""
    scope = {}
    text = "from klr.schema import *\n" + "".join(
        f"@kernel\ndef fill_{t}(y: DeviceArray[{t}], value: {t}, n: i64):\n    i = get_global_id()\n    if i < n:\n        y[i] = value\n" for t in TYPES)
    exec_text(text, scope, "<types>")
    return lambda t: scope["fill_" + t]


TYPES = {"bool": (np.bool_, True), "i8": (np.int8, -128), "i16": (np.int16, -32768), "i32": (np.int32, -2 ** 31), "i64": (np.int64, -2 ** 63),
         "u8": (np.uint8, 255), "u16": (np.uint16, 65535), "u32": (np.uint32, 2 ** 32 - 1), "u64": (np.uint64, 2 ** 64 - 1),
         "f16": (np.float16, 1.0009765625), "bf16": (ml_dtypes.bfloat16, 1.0078125), "f32": (np.float32, -1e-45), "f64": (np.float64, 1 / 3)}


def exec_text(text, scope, name):
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), scope)


@pytest.mark.parametrize("interpret", [True, False])
def test_every_type(fill_of, interpret):
    for name in TYPES if interpret else ("bool", "u64", "f16", "bf16"):
        dtype, value = TYPES[name]
        y = np.zeros(5, dtype)
        fill_of(name).launch((y, value, 4), interpret=interpret)
        assert np.array_equal(y, np.array([value] * 4 + [0], dtype)), name
        fill_of(name).launch((y, np.zeros(1, dtype)[0], np.int8(5)), interpret=interpret)
        assert not y.any(), name
        if dtype not in (np.bool_, np.float64) and np.dtype(dtype).kind in "iuf":
            is_float = np.dtype(dtype).kind == "f"
            with pytest.raises(ValueError if name != "f16" else (ValueError, TypeError), match="`value`.*no value of " + name):
                fill_of(name).launch((y, 1e60 if is_float else -2 ** 64 if value < 0 else -1, 1), interpret=interpret)


def test_whatever_has_a_buffer():
    want = bytes([2, 4, 6, 8])
    for x in (bytes([1, 2, 3, 4]), bytearray([1, 2, 3, 4]), array.array("B", [1, 2, 3, 4]), memoryview(b"1234")[:4], (ctypes.c_uint8 * 4)(1, 2, 3, 4)):
        y = bytearray(4)
        double_bytes(x, y, 4)
        assert y == (want if x != memoryview(b"1234") else bytes(2 * c for c in b"1234"))
    floats = array.array("f", [1, 2, 3])
    saxpy(floats, floats, 1.0, 3)
    assert list(floats) == [2, 4, 6]
    view = memoryview(np.arange(6, dtype=np.float32).reshape(2, 3))
    saxpy(view, view, 0.0, 6)


class Torch:
    """As much of a tensor as counts: no buffer, but DLPack."""

    def __init__(self, held):
        self.held = held

    def __dlpack__(self, **options):
        return self.held.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.held.__dlpack_device__()


def test_arrays_of_frameworks(monkeypatch):
    y = np.ones(4, np.float32)
    saxpy(Torch(np.arange(4, dtype=np.float32)), Torch(y), 2.0, 4)
    assert list(y) == [1, 3, 5, 7]
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    jnp = pytest.importorskip("jax.numpy")
    saxpy(jnp.arange(4, dtype=jnp.float32), y, np.float32(1), jnp.int32(4))
    assert list(y) == [1, 4, 7, 10]
    with pytest.raises(TypeError, match="argument `y` is written, and jax arrays never are"):
        saxpy(y, jnp.zeros(4, jnp.float32), 1.0, 4)


def test_torch_tensors(fill_of):
    torch = pytest.importorskip("torch")
    halves = torch.zeros(4, dtype=torch.bfloat16)
    before = halves._version
    fill_of("bf16")(halves, 1.5, 3)
    assert halves.tolist() == [1.5, 1.5, 1.5, 0] and halves._version > before
    with pytest.raises(ValueError, match="argument `y` do not lie"):
        saxpy(torch.ones(2, 2), torch.ones(2, 2).t(), 1.0, 4)
    x, y = torch.arange(4, dtype=torch.float32), torch.ones(4)
    saxpy(x, y, torch.tensor(2.0), 4)
    assert y.tolist() == [1, 3, 5, 7]
    with pytest.raises(klr.Error, match="`y` is written, and it requires a gradient"):
        saxpy(x, torch.ones(4, requires_grad=True), 1.0, 4)
    with pytest.raises(TypeError, match="`x` is an array of float64"):
        saxpy(x.double(), y, 1.0, 4)
    with pytest.warns(klr.Warning, match="`x` requires a gradient"):
        saxpy(torch.ones(4, requires_grad=True), y, 0.0, 4)


X, Y = np.zeros(8, np.float32), np.zeros(8, np.float32)
FROZEN = np.zeros(8, np.float32)
FROZEN.flags.writeable = False
BAD = [
    ((X, Y, 1.0), {}, TypeError, "not given: `n`"),
    ((), {}, TypeError, "not given: `x`, `y`, `s`, `n`"),
    ((X, Y, 1.0, 8, 9), {}, TypeError, "takes 4 arguments, not 5"),
    ((X, Y, 1.0, 8), {"n": 8}, TypeError, "`n` is given twice"),
    ((X, Y, 1.0), {"m": 8}, TypeError, "no parameter `m`"),
    ((X, Y, 1.0, 9), {}, ValueError, "`x` has 8 elements, 9 are needed"),
    ((X, Y[:7], 1.0, 8), {}, ValueError, "`y` has 7 elements, 8 are needed"),
    ((X, Y[::2], 1.0, 4), {}, ValueError, "argument `y` do not lie one after the other"),
    ((np.asfortranarray(np.zeros((2, 4), np.float32)), Y, 1.0, 8), {}, ValueError, "argument `x` do not lie"),
    ((X[::-1], Y, 1.0, 8), {}, ValueError, "argument `x` do not lie"),
    ((X, FROZEN, 1.0, 8), {}, ValueError, "argument `y`, which may only be read"),
    ((X, bytes(32), 1.0, 8), {}, TypeError, "argument `y` is an array of uint8, not float32"),
    ((X.astype(np.float64), Y, 1.0, 8), {}, TypeError, "argument `x` is an array of float64, not float32"),
    ((X.astype(">f4"), Y, 1.0, 8), {}, TypeError, "argument `x` is an array of elements with format `>f`"),
    ((X.astype(np.complex64), Y, 1.0, 8), {}, TypeError, "argument `x` is an array of elements with format `Zf`"),
    ((np.zeros(8, "datetime64[s]"), Y, 1.0, 8), {}, TypeError, "argument `x` is an array of datetime64"),
    ((np.zeros(8, [("a", "f4")]), Y, 1.0, 8), {}, TypeError, "argument `x`"),
    ((np.ma.masked_array(X), Y, 1.0, 8), {}, TypeError, "argument `x` is a masked array"),
    ((np.frombuffer(bytes(33), np.uint8)[1:].view(np.float32), Y, 1.0, 8), {}, ValueError, "argument `x` does not begin at a multiple of 4"),
    (([1.0], Y, 1.0, 1), {}, TypeError, "argument `x` is a list, not an array"),
    ((2.0, Y, 1.0, 1), {}, TypeError, "argument `x` is 2.0, not an array"),
    ((None, Y, 1.0, 1), {}, TypeError, "argument `x` is None, not an array"),
    ((X, X[1:], 1.0, 4), {}, ValueError, "argument `y`, which shares memory with `x`"),
    ((X, Y, X, 8), {}, TypeError, "argument `s` is an array of shape \\(8,\\), not a number"),
    ((X, Y, "1", 8), {}, TypeError, "argument `s` is '1', not a number"),
    ((X, Y, 1j, 8), {}, TypeError, "argument `s` is 1j, not a number"),
    ((X, Y, True, 8), {}, TypeError, "argument `s` is True, which is no value of f32"),
    ((X, Y, 1e39, 8), {}, ValueError, "argument `s` is 1e[+]39, which is no value of f32"),
    ((X, Y, 10 ** 400, 8), {}, ValueError, "argument `s`"),
    ((X, Y, 1.0, -1), {}, ValueError, "argument `n` is -1, which is no value of u32"),
    ((X, Y, 1.0, 2 ** 32), {}, ValueError, "argument `n` is 4294967296, which is no value of u32"),
    ((X, Y, 1.0, 2.0), {}, TypeError, "argument `n` is 2.0, which is no value of u32"),
    ((X, Y, 1.0, np.float32(2)), {}, TypeError, "argument `n` is 2.0, which is no value of u32"),
    ((X, Y, 1.0, np.int64(-5)), {}, ValueError, "argument `n` is -5"),
]


def test_bad_arguments():
    for arguments, named, kind, text in BAD:
        with pytest.raises(kind, match=text) as caught:
            saxpy(*arguments, **named)
        assert isinstance(caught.value, klr.Error) and caught.value.code == "E1009" and "saxpy" in str(caught.value), text
        assert caught.value.diagnostics[0]["message"] in str(caught.value)
        if "elements, " not in text:
            with pytest.raises(kind, match=text):
                saxpy.launch(arguments, interpret=True) if not named else saxpy(*arguments, **named)
    assert [str(entry.path) for entry in caught.traceback] == [__file__]
    assert not X.any() and not Y.any()
    for grid in (0.5, "8", (1, 2, 3, 4), (), -1, 2 ** 60):
        with pytest.raises(klr.Error, match="grid is one to three sizes"):
            saxpy[grid]
    saxpy[0](X, Y + 1, 1.0, 8)  # no thread at all
    saxpy(X[:0], Y[:0], 1.0, 0)
    with pytest.raises(ValueError, match="65536"):
        saxpy.launch((X, Y, 1.0, 8), group=10 ** 6)
    async def later(x: DeviceArray[f32]):
        x[0] = 1.0

    for wrong in (lambda x: x, later, 3, np.exp, Torch):
        with pytest.raises(TypeError, match="made by `def`"):
            kernel(wrong)


@kernel
def beyond(x: DeviceArray[f32], at: i32, n: u32):
    i = get_global_id()
    if i < n:
        x[i + at] = 1.0


@kernel
def unguarded(x: DeviceArray[f32]):
    x[get_global_id()] = 1.0


def test_a_kernel_without_a_guard():
    x = np.zeros(4, np.float32)
    for options in ({}, {"interpret": True}):
        with pytest.raises(ValueError, match="threads"):
            unguarded.launch([x], **options)
    unguarded[2](x)
    unguarded.launch([x[3:]], grid=(1, 1, 1), interpret=True)
    assert list(x) == [1, 1, 0, 1] and unguarded.info["grid"] is None
    for threads in (-1, 2.5, "2"):
        with pytest.raises(klr.Error, match="threads is a number"):
            unguarded.launch([x], threads=threads)
        with pytest.raises(klr.Error, match="threads is a number"):
            kernel(threads=threads)


def test_checked_launches():
    x = np.zeros(4, np.float32)
    for options in ({"checked": True}, {"interpret": True}):
        with pytest.raises(IndexError, match="`x`") as caught:
            beyond.launch((x, 2, 4), **options)
        assert caught.value.code == "E1008" and "thread 2" in str(caught.value), caught.value
        assert caught.value.diagnostics[0]["line"] == beyond.info["line"] + 3
    beyond.launch((x, 0, 4), checked=True)
    assert x.all()


# ---- where kernels and their names come from

def test_kernels_inside_of_functions():
    from klr.schema import f32 as Real
    import klr.schema as names
    scale = 2

    @kernel
    def local(x: DeviceArray[Real], n: names.i32):
        i = names.get_global_id()
        if i < n:
            x[i] = names.sqrt(x[i]) * scale

    x = np.full(3, 4, np.float32)
    local(x, 3)
    assert list(x) == [4] * 3
    scale = 3
    local(x, 3)
    assert list(x) == [6] * 3
    assert "local" in repr(local) and local.info["name"] == "local"


def test_helpers_of_other_modules(tmp_path, monkeypatch):
    (tmp_path / "some_helpers.py").write_text("""from klr.schema import inline
import enum
import numpy as np
table = np.arange(3)
LIMIT = np.float32(0.5)
class Config:
    steps = 3
class Way(enum.IntEnum):
    UP = 0
@inline
def clamp(v):
    return twice(min(v, LIMIT))
@inline
def twice(v):
    return v * 2
""")
    monkeypatch.syspath_prepend(tmp_path)
    import some_helpers
    from some_helpers import twice as sqrt
    LIMIT = 100  # means nothing to the helpers

    @kernel
    def local(x: DeviceArray[f32], n: u32):
        i = get_global_id()
        if i < n:
            x[i] = sqrt(some_helpers.clamp(clamp(x[i], 0.25, 8.0))) + some_helpers.Config.steps + some_helpers.Way.UP

    x = np.array([0, 9], np.float32)
    local(x, 2)
    assert list(x) == [2 * 2 * 0.25 + 3, 2 * 2 * 0.5 + 3]
    some_helpers.LIMIT = 1
    x[:] = 9
    local(x, 2)
    assert list(x) == [7, 7]
    some_helpers.Config.steps = 5
    local(x, 2)
    assert list(x) == [9, 9]
    some_helpers.Config = type("Config", (some_helpers.Config,), {})
    some_helpers.Config.steps = 6
    local(x, 2)
    assert list(x) == [10, 10]
    document = local.document()
    assert document["version"] == "1.1" and [k["name"] for k in document["kernels"]] == ["local"] and len(document["functions"]) == 3
    assert ks.compile(document) == document


def test_a_notebook_and_a_prompt():
    scope = {}
    exec_text("from klr.schema import *\nimport klr.schema as ks\nK = 5\n@inline\ndef add(a, b):\n    return a + b\n", scope, "<cell 1>")
    exec_text("@ks.kernel(threads=1)\ndef cell(x: ks.DeviceArray[ks.i32], n: u32):\n    i = ks.get_global_id()\n    if i < n:\n        x[i] = add(x[i], K)\n",
              scope, "<cell 2>")
    x = np.arange(3, dtype=np.int32)
    scope["cell"](x, 3)
    assert list(x) == [5, 6, 7]
    exec_text("@inline\ndef add(a, b):\n    return a - b\n", scope, "<cell 3>")  # the cell is run again, changed
    scope["cell"](x, 3)
    assert list(x) == [0, 1, 2]
    exec("from klr.schema import *\n@kernel\ndef lost(x: DeviceArray[f32]):\n    x[0] = 1\n", scope)
    with pytest.raises(klr.Error, match="source text of `lost` is not at hand"):
        scope["lost"](np.zeros(1, np.float32))


TABLE = np.arange(3)


def plain(v):
    return v


def calls_itself(depth):
    return calls_itself(depth) if depth else 0


inline(calls_itself)
REFUSED = [
    ("x[0] = TABLE[0]", NameError, "`TABLE` is an array of the program"),
    ("x[0] = plain(x[0])", NameError, "`plain` is a function that kernels cannot call"),
    ("x[0] = saxpy(x[0])", NameError, "`saxpy` is a kernel"),
    ("x[0] = nowhere", NameError, "name `nowhere` is not defined"),
    ("x[0] = BIG", NameError, "a number of more than 64 bits"),
    ("x[0] = calls_itself(1)", TypeError, "calls itself"),
    ("x[0] = clamp(x[0])", TypeError, "takes 3 arguments"),
    ("with open('f') as f: pass", klr.Error, "`with` is not part of scalar kernels"),
    ("n = x", klr.Error, "array"),
]


def test_what_kernels_cannot_use():
    scope = dict(globals(), BIG=10 ** 30)
    for i, (line, kind, text) in enumerate(REFUSED):
        exec_text(f"@kernel\ndef bad(x: DeviceArray[f32], n: u32):\n    {line}\n", scope, f"<refused {i}>")
        with pytest.raises(kind, match=text) as caught:
            scope["bad"](X, 1)
        assert isinstance(caught.value, klr.Error), line
        assert not [str(entry.path) for entry in caught.traceback if os.sep + "klr" + os.sep in str(entry.path)], line
        if "calls_itself" not in line:
            assert (caught.value.diagnostics[0]["file"], caught.value.diagnostics[0]["line"]) == (f"<refused {i}>", 3), line
            assert "<refused" in str(caught.traceback[-1].path), line
    for name in ("get_global_id", "atomic_add", "barrier", "parallel_scan"):
        with pytest.raises((RuntimeError, TypeError), match="klr.schema.kernel|argument"):
            getattr(ks, name)() if name in ("get_global_id", "barrier") else getattr(ks, name)(X, 0, 1)
    assert ks.f32(2.5) == 2.5 and ks.i32(7.9) == 7 and max(1, 2) == 2


# ---- threads, processes, signals

def test_many_threads():
    @kernel
    def slow(x: DeviceArray[f64], y: DeviceArray[f64], n: u32):
        i = get_global_id()
        if i < n:
            y[i] = x[i] * 3.0

    failures = []

    def work(seed):
        try:
            x = np.random.default_rng(seed).standard_normal(40000 + seed)
            for turn in range(30):
                y = np.zeros_like(x)
                (slow[len(x)] if turn % 2 else slow)(x, y, len(x))
                assert np.array_equal(y, x * 3)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures


def test_processes(tmp_path):
    script = tmp_path / "forks.py"
    script.write_text("""
import multiprocessing
import numpy as np
from klr.schema import *

@kernel
def double(x: DeviceArray[f32], n: u32):
    i = get_global_id()
    if i < n:
        x[i] *= 2.0

def work(queue=None):
    x = np.ones(3000000, np.float32)
    double.launch((x, len(x)), threads=2)
    assert (x == 2).all()
    if queue:
        queue.put("child")

work()
context = multiprocessing.get_context("fork")
queue = context.Queue()
child = context.Process(target=work, args=(queue,))
child.start()
print(queue.get(timeout=3600))
child.join()
work()
""")
    done = subprocess.run([sys.executable, script], env={**os.environ, "PYTHONPATH": PACKAGE}, capture_output=True, text=True, timeout=3600)
    assert done.stdout == "child\n", done.stderr
    again = pickle.loads(pickle.dumps(saxpy[3]))
    y = np.zeros(8, np.float32)
    again(X + 1, y, 1.0, 8)
    assert list(y) == [1] * 3 + [0] * 5


def test_the_lock_is_released():
    @kernel
    def spin(x: DeviceArray[f64], turns: i32):
        for k in range(turns):
            x[0] = x[0] * 0.999 + 1.0

    x, ticks, ended = np.zeros(1), [], threading.Event()
    spin(x, 1)

    def tick():
        while not ended.wait(0.001):
            ticks.append(time.perf_counter())

    other = threading.Thread(target=tick)
    other.start()
    inside, turns = 0, 10 ** 7
    while not inside and turns < 10 ** 9:  # ticks in the middle of one call
        start = time.perf_counter()
        spin(x, turns)
        length = time.perf_counter() - start
        inside, turns = sum(length / 4 < t - start < length * 3 / 4 for t in ticks), turns * 2
    ended.set()
    other.join()
    assert inside


def test_ctrl_c_ends_the_interpreter():
    @kernel(interpret=True)
    def forever(x: DeviceArray[i32]):
        while x[0] == 0:
            pass

    def stop(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            forever(np.zeros(1, np.int32))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_without_a_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("KLR_CC", "/nowhere/cc")
    monkeypatch.setattr(klr._scalar, "_warned", [])

    @kernel
    def first(x: DeviceArray[f32]):
        x[0] = 1.0

    @kernel
    def second(x: DeviceArray[f32]):
        x[0] += 1.0

    x = np.zeros(1, np.float32)
    with pytest.warns(klr.Warning, match="/nowhere/cc.*interpreted") as caught:
        first(x)
        second(x)
    assert x[0] == 2 and len(caught) == 1 and caught[0].filename == __file__
    with pytest.raises(klr.Error, match="/nowhere/cc") as failed:
        ks.build(second, tmp_path)
    assert failed.value.code == "E1010"


# ---- ahead of time

def test_one_file_both_ways(tmp_path):
    path = tmp_path / "both.py"
    path.write_text("""
import numpy as np
import klr.schema as ks
from klr.schema import inline as helper

@ks.inline
def half(v):
    return v / 2

@helper
def third(v):
    return v / 3

@ks.kernel(checked=True, grid=3)
def go(x: ks.DeviceArray[np.float32], n: ks.u32):
    i = ks.get_global_id()
    if i < n:
        x[i] = half(x[i]) + third(x[i]) + np.float32(1)

if __name__ == "__main__":
    x = np.ones(6, np.float32)
    go(x, 6)
    document, ours = ks.compile(__file__), go.document()
    assert [f["body"] for f in document["functions"]] == [f["body"] for f in ours["functions"]]
    assert document["kernels"] == ours["kernels"]
    print(x[2:4], go.grid)
""")
    done = subprocess.run([sys.executable, path], env={**os.environ, "PYTHONPATH": PACKAGE}, capture_output=True, text=True)
    assert done.stdout == "[1.8333334 1.       ] (3,)\n", done.stderr


def test_documents():
    path = os.path.join(KERNELS, "vector", "vector_add.py")
    document = ks.compile(path)
    assert document == json.loads(ks.compile_text(path)) and [k["name"] for k in document["kernels"]] == ["vector_add"]
    assert ks.check(path)[0]["grid"] == "n" and ks.check(document)[0]["params"][2]["direction"] == "out"
    c = np.zeros(2, np.float32)
    ks.interpret(document, None, (X + 1, X + 2, c, 2))
    assert list(c) == [3, 3]
    ks.interpret(path, "vector_add", {"a": X, "b": X, "c": c, "n": 2}, grid=1)
    assert list(c) == [0, 3]
    assert ks.compile(saxpy)["kernels"][0]["doc"] == "y = s * x + y" and "#line" in saxpy.c_text()
    assert ks.check(os.path.join(KERNELS, "shape", "onnx_transpose.py"))[0]["grid"] == "M * N"
    for what, text in (("/nowhere.py", "cannot read"), ({"version": "9"}, "version"), (__file__, "file of kernels")):
        with pytest.raises(klr.Error, match=text):
            ks.compile(what)
    with pytest.raises(KeyError, match="there is no kernel `vector_ad`"):
        ks.interpret(path, "vector_ad")


def test_registries(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.json"
    text = "from atlas_kernel import *\ndef one(x: DeviceArray[f32], n: u32):\n    'Sets.'\n    i = get_global_id()\n    if i < n:\n        x[i] = {}.0\n"
    one.write_text(text.format(1))
    two.write_text(ks.compile_text(one).replace('"name": "one"', '"name": "two"'))
    built = ks.build([one, str(two), saxpy], tmp_path / "lib")
    assert [os.path.basename(b.path) for b in built] == ["one.so", "two.so", "saxpy.so"] and [b.kernels for b in built] == [1, 1, 1]
    (tmp_path / "lib" / "broken.so").write_bytes(b"no library")
    registry = ks.Registry(tmp_path / "lib")
    assert list(registry) == ["one", "saxpy", "two"] and len(registry) == 3 and "one" in registry and "three" not in registry
    assert [(os.path.basename(r.path), r.kernels, bool(r.error)) for r in registry.results] == [
        ("broken.so", 0, True), ("one.so", 1, False), ("saxpy.so", 1, False), ("two.so", 1, False)]
    handle = registry["one"]
    x = np.zeros(4, np.float32)
    handle(x, n=3)
    handle[1](x[3:], 1)
    handle.launch((x, 4), interpret=True)
    assert x.all() and handle.info["grid"] == "n" and handle.info["doc"] == "Sets." and not handle.info["checked"]
    assert "one(x: f32[], n: u32)" in repr(handle)
    for call, kind, words in ((lambda: registry["on"], KeyError, "did you mean `one`.*|not loaded"), (lambda: handle(x, 5), ValueError, "5 are needed"),
                              (lambda: handle(x.astype(int), 4), TypeError, "`x`"), (lambda: registry.load(tmp_path / "lib" / "broken.so"), klr.Error, "broken"),
                              (lambda: registry.load(built[0].path), klr.Error, "loaded already"), (lambda: ks.Registry("/nowhere"), klr.Error, "nowhere"),
                              (lambda: handle.launch((x, 1), checked=True), ValueError, "without checks"),
                              (lambda: registry.unload("/nowhere.so"), klr.Error, "nowhere")):
        with pytest.raises(kind, match=words):
            call()
    one.write_text(text.format(7))
    ks.build(one, tmp_path / "lib", checked=True)
    registry.load(built[0].path, replace=True)
    with pytest.raises(klr.Error, match="no longer, loaded"):
        handle(x, 4)
    registry["one"].launch((x, 4), checked=True)
    assert (x == 7).all()
    registry.unload(built[0].path)
    assert list(registry) == ["saxpy", "two"]
    one.write_text(text.replace("{}", "nowhere"))
    (tmp_path / "three.py").write_text(text.format(3).replace("one", "three"))
    with pytest.raises(klr.Error, match="nowhere"):
        ks.build([one, tmp_path / "three.py"], tmp_path / "lib")
    assert registry.scan(tmp_path / "lib", replace=True)[-2].kernels == 1 and "three" in registry


def test_the_catalogue(tmp_path):
    """Interpreted and compiled, against NumPy."""
    rest = [key for key in CATALOGUE if key.split("/")[0] in ("matrix", "reduction", "other")]
    text = "".join(open(os.path.join(KERNELS, key + ".py"), encoding="utf-8").read() for key in rest)
    (tmp_path / "rest.py").write_text(text)
    ks.build(tmp_path / "rest.py", tmp_path)
    registry = ks.Registry(tmp_path)
    assert len(registry) == len(rest) > 10
    for number, (key, row) in enumerate(CATALOGUE.items()):
        given = row.arguments(np.random.default_rng(number), 37)
        given = {name: np.float32(value) if isinstance(value, float) else value for name, value in given.items()}
        want = row.reference(**given)
        name, scale = os.path.basename(key), want.pop("scale", None)
        if name in registry:
            registry[name](**given)
        else:
            ks.interpret(os.path.join(KERNELS, key + ".py"), name, given)
        for array_name, values in want.items():
            assert distance(given[array_name], values, scale) <= row.ulps, (key, array_name)


LISTED = [1, 2]


def test_what_is_no_number_is_refused_by_name(tmp_path):
    @kernel
    def reads(x: DeviceArray[f32]):
        x[0] = LISTED
    with pytest.raises(klr.Error, match="`LISTED` is a list of the program"):
        reads(np.zeros(1, np.float32))


def test_a_kernel_that_is_gone_can_be_shown(tmp_path):
    (tmp_path / "k.py").write_text("from atlas_kernel import *\ndef k(x: DeviceArray[f32]):\n    x[0] = 1\n")
    ks.build(tmp_path / "k.py", tmp_path)
    registry = ks.Registry(tmp_path)
    gone = registry["k"]
    assert repr(gone).startswith("<scalar kernel k(x: f32[]) of ")
    registry.unload(tmp_path / "k.so")
    assert repr(gone) == "<scalar kernel k, which is not, or no longer, loaded>"


@pytest.mark.parametrize("dtype, numpy_dtype", [("i8", np.int8), ("u16", np.uint16), ("f16", np.float16), ("bf16", ml_dtypes.bfloat16)])
def test_small_atomics_on_many_threads(tmp_path, dtype, numpy_dtype):
    """Neighbours in one word are changed at the same time; nothing is lost, in arrays of the launch and in those of groups."""
    (tmp_path / "k.py").write_text(f"""
from klr.schema import *

def k(a: DeviceArray[{dtype}], seen: DeviceArray[f32], out: DeviceArray[{dtype}], n: u32):
    s = shared_array({dtype}, 4)
    i = get_global_id()
    if get_local_id() < 4:
        s[get_local_id()] = 0
    barrier()
    if i < n:
        seen[i] = f32(atomic_add(a, i % 5, 1 if i % 7 else -1)) + f32(atomic_max(a, 5, 3)) * 0 + f32(atomic_cas(a, 6, 0, 9)) * 0
        atomic_sub(s, i % 4, 1)
        atomic_min(a, 7, 100 - i % 90)
        atomic_exch(a, 8 + i % 2, 2)
    barrier()
    if get_local_id() < 4:
        out[get_group_id() * 4 + get_local_id()] = s[get_local_id()]
""")
    n, group = 60 * 700, 60
    want = np.zeros(5)
    np.add.at(want, np.arange(n) % 5, np.where(np.arange(n) % 7, 1, -1))
    if dtype != "u16":
        n, want = 600, np.zeros(5)  # a float of few digits counts no further
        np.add.at(want, np.arange(n) % 5, np.where(np.arange(n) % 7, 1, -1))
    assert ks.compile_text(tmp_path / "k.py") == ks.compile_text(json.loads(ks.compile_text(tmp_path / "k.py")))
    ks.build(tmp_path / "k.py", tmp_path / "lib")
    for run in (ks.Registry(tmp_path / "lib")["k"].launch, lambda arguments, **options: ks.interpret(tmp_path / "k.py", "k", arguments, grid=options["grid"], group=options["group"])):
        a, seen, out = np.zeros(10, numpy_dtype), np.zeros(n, np.float32), np.zeros(n // group * 4, numpy_dtype)
        a[7] = 100
        run((a, seen, out, n), grid=n, group=group)
        assert a.astype(float).tolist() == [*want.astype(numpy_dtype).astype(float), 3, 9, 11, 2, 2]
        assert (out.astype(np.int64) == np.array(-group // 4).astype(np.int64 if dtype != "u16" else np.uint16)).all()


# ---- the names of older scripts

def test_drop_ins(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(r"""
import json, numpy as np
from atlas_kernel import DeviceArray, f32, u32, get_global_id, inline, sqrt
from atlas_compile import AtlasCompiler, atlas_kernel, compile_to_json

@inline
def half(v):
    return v / 2

def vector_add(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        c[idx] = half(a[idx]) + sqrt(b[idx])

text = compile_to_json(vector_add, "vector_add.json")
assert open("vector_add.json").read() == text
document = AtlasCompiler().compile_function(vector_add)
assert document == json.loads(text) and document["kernels"][0]["name"] == "vector_add"
assert AtlasCompiler().compile_function(vector_add, "def vector_add(n: i32):\n    pass\n")["kernels"][0]["params"][0]["name"] == "n"
run = atlas_kernel(vector_add)
c = np.zeros(3, np.float32)
run(np.full(3, 8, np.float32), np.full(3, 9, np.float32), c, 3)
print(c, compile_to_json(run) == text, get_global_id.__module__)
""")
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    done = subprocess.run([sys.executable, "-m", "klr", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "[7. 7. 7.] True klr._kernel_names\n", done.stderr
    unasked = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "No module named 'atlas_kernel'" in unasked.stderr
    (tmp_path / "atlas_kernel.py").write_text("WHO = 'own'\n")  # the opt-in package leaves a user's module alone
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), os.path.join(ROOT, "python", "nki_alias"), PACKAGE])
    done = subprocess.run([sys.executable, "-c", "import klr_nki, atlas_kernel, atlas_compile; print(atlas_kernel.WHO, atlas_compile.__name__)"], cwd=tmp_path,
                          env=environment, capture_output=True, text=True)
    assert done.stdout == "own klr._atlas_compile\n" and "not KLR's" in done.stderr, done.stderr


SEED = """from atlas_kernel import DeviceArray, f32, u32, get_global_id
from compiler import compile_to_json

def my_kernel(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    idx = get_global_id()
    if idx < n:
        a[idx] = a[idx] + b[idx]

if __name__ == "__main__":
    json_schema = compile_to_json(my_kernel, output_path="my_kernel.json")
"""


def test_the_older_compiler_as_module_and_as_program(tmp_path):
    def klr(*words):
        return subprocess.run([sys.executable, "-m", "klr", *words], cwd=tmp_path, env={**os.environ, "PYTHONPATH": PACKAGE}, capture_output=True, text=True)
    (tmp_path / "my.py").write_text(SEED)
    assert klr("my.py").returncode == 0
    written = (tmp_path / "my_kernel.json").read_text()
    assert json.loads(written)["kernels"][0]["name"] == "my_kernel"
    done = klr("-m", "atlas_compile", "my.py", "-v")
    assert (done.returncode, done.stdout) == (0, "Found 1 kernel(s):\n  - my_kernel\nCompiled my_kernel -> my.json\n"), done.stderr
    assert json.loads((tmp_path / "my.json").read_text())["kernels"] == json.loads(written)["kernels"]
    assert klr("-m", "atlas_compile", "my.py", "--output", "new/inner/x.json").returncode == 0 and (tmp_path / "new/inner/x.json").exists()
    done = klr("-m", "atlas_compile", "nothing.py")
    assert done.returncode == 1 and done.stderr == "atlas_compile: nothing.py: No such file or directory\n"
    assert klr("-m", "atlas_compile", "my.json").returncode == 2  # would replace itself
    (tmp_path / "bad.py").write_text("x = print(3)\n")
    done = klr("-m", "atlas_compile", "bad.py")
    assert done.returncode == 1 and "error[E1001]" in done.stderr and "Traceback" not in done.stderr and not (tmp_path / "bad.json").exists()
    (tmp_path / "compiler.py").write_text("compile_to_json = lambda *a, **k: print('own')\n")  # a module of the name that is theirs comes first
    assert klr("my.py").stdout == "own\n"


def test_the_page(tmp_path):
    with open(os.path.join(ROOT, "docs", "schema.md"), encoding="utf-8") as file:
        page = file.read()
    blocks = re.findall(r"```python\n(.*?)```", page[page.index("## From Python"):], re.S)
    assert len(blocks) == 2
    (tmp_path / "page.py").write_text("\n".join(blocks))
    subprocess.run([sys.executable, tmp_path / "page.py"], env={**os.environ, "PYTHONPATH": PACKAGE}, check=True)
