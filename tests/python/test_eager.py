"""Eager mode: CPython evaluates the kernel, and everything comes out as when it is traced."""

import copy
import importlib
import os
import re
import signal
import sys
import threading
import time
import zlib

import ml_dtypes
import numpy as np
import pytest

from conftest import ROOT
from test_same_bits import IDS, KERNELS

PACKAGE = os.path.join(ROOT, "build", "python")
if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr  # noqa: E402
import klr.core  # noqa: E402
import klr.nki as nki  # noqa: E402
import klr.nki.isa as nisa  # noqa: E402
import klr.nki.language as nl  # noqa: E402
from klr import _alias, _jit  # noqa: E402

pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime

DTYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "i32": np.int32}


def run_both(kernel, *arguments, target=None, **keywords):
    """The result of a traced and of an eager call, which have the same bits; and both kernels."""
    options = _jit.Options(target=target)
    other = copy.deepcopy((arguments, keywords))
    traced, inputs = kernel._trace(kernel.bind(arguments, keywords), options)
    want = _jit.run(traced, inputs, options)
    got, eager = kernel._run_eagerly(kernel.bind(*other), options)
    assert same(got, want)
    assert same(other, (arguments, keywords)), "arguments were left in another state"
    return want, klr.core.Kernel(traced.session, traced.handle), klr.core.Kernel(eager.session, eager.handle)


def same(a, b):
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b


def made(text, seed):
    """What `randn:bf16[3,4]` of the command line means, or a literal."""
    match = re.fullmatch(r"(\w+)(?:\((.*?)\))?:(\w+)\[(.*)\]", text)
    if not match:
        return eval(text)
    kind, bounds, dtype, sizes = match.groups()
    random = np.random.default_rng(seed)
    shape = [int(size) for size in sizes.split(",")]
    values = {"randn": lambda: random.standard_normal(shape), "uniform": lambda: random.random(shape),
              "randint": lambda: random.integers(*map(int, bounds.split(",")), shape)}[kind]()
    return values.astype(np.float32).astype(DTYPES[dtype])


@pytest.fixture
def nki_names():
    """`import nki` is this package, for one test."""
    before = dict(sys.modules)
    _alias.install()
    sys.path.insert(0, os.path.join(ROOT, "examples"))
    yield
    sys.path.remove(os.path.join(ROOT, "examples"))
    for name in set(sys.modules) - set(before):
        if os.path.exists(os.path.join(ROOT, "examples", name + ".py")) or name.partition(".")[0] in ("nki", "neuronxcc", "nki_cpu_simulator", "neuron_dtypes"):
            del sys.modules[name]


@pytest.mark.parametrize("kernel, arguments, options", KERNELS, ids=IDS)
def test_examples(nki_names, kernel, arguments, options):
    file, _, name = kernel.partition(":")
    module = importlib.import_module(file[:-3])
    kernels = [value for value in vars(module).values() if isinstance(value, _jit.Kernel)]
    found = getattr(module, name) if name else kernels[0]
    settings = dict(zip(options[::2], options[1::2]))
    if "--lnc" in settings:
        found = found[int(settings["--lnc"])]
    values = {a.partition("=")[0]: made(a.partition("=")[2], zlib.crc32(a.encode())) for a in arguments}
    _, traced, eager = run_both(found, target=settings.get("--target"), **values)
    if file not in ("dynamic_loop.py", "moe.py"):
        assert str(eager) == str(traced)


# ---- interrupts

@nki.jit
def runs_long(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)

    def body(i):
        nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=1.0)
        nisa.dma_copy(dst=x, src=t)
    nl.fori_loop(0, 50_000_000, body)
    return x


@nki.jit
def traces_long(x):
    nisa.dma_copy(dst=x, src=x)
    n = 0
    for i in range(40_000_000):
        n += i
    return x


@nki.jit
def is_short(x):
    t = nl.load(x)
    nisa.dma_copy(dst=x, src=nl.add(t, 1.0))
    return x


class Late(Exception):
    pass


def raise_late(number, frame):
    raise Late


@pytest.mark.parametrize("eager", ["0", "1"])
@pytest.mark.parametrize("kernel", [runs_long, traces_long], ids=["run", "trace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, Late])
def test_signals_end_a_call(monkeypatch, eager, kernel, error):
    monkeypatch.setenv("NKI_EAGER", eager)
    x = np.zeros((128, 64), np.float32)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler if error is KeyboardInterrupt else raise_late)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        start = time.monotonic()
        with pytest.raises(error):
            kernel(x)
        assert time.monotonic() - start < 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not x.any(), "an argument was touched"
    is_short(x)
    assert (x == 1).all()


def test_other_threads_go_on_while_a_kernel_is_traced_and_run(monkeypatch):
    monkeypatch.setenv("NKI_EAGER", "0")
    ticks, x = [], np.zeros((128, 64), np.float32)
    stop = threading.Event()

    def tick():
        while not stop.wait(0.02):
            ticks.append(time.monotonic())
    thread = threading.Thread(target=tick)
    thread.start()
    try:
        start = time.monotonic()
        traces_long(x)
    finally:
        stop.set()
        thread.join()
    assert len([t for t in ticks if t < start + 0.3]) >= 2
