"""Eager mode: CPython evaluates the kernel, and everything comes out as when it is traced."""

import bdb
import copy
import dataclasses
import importlib
import inspect
import os
import pickle
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
import zlib

import ml_dtypes
import numpy as np
import pytest

from conftest import HANGS_SECONDS, PACKAGE, ROOT, run_klr
from test_conformance import conformance, form
from test_same_bits import IDS, KERNELS

if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr  # noqa: E402
import klr.core  # noqa: E402
import klr.nki as nki  # noqa: E402
import klr.nki.isa as nisa  # noqa: E402
import klr.nki.language as nl  # noqa: E402
from klr import _alias, _eager, _jit  # noqa: E402
from klr._dtypes import numpy_dtype  # noqa: E402

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
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and same(vars(a), vars(b))
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
    n = 0
    for i in range(40_000_000):
        n += i
    nisa.dma_copy(dst=x, src=nl.full(x.shape, 1.0, x.dtype))
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
        with pytest.raises(error):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            kernel(x)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not x.any(), "the kernel went on to its end, or touched its argument before"
    is_short(x)
    assert (x == 1).all()


def test_other_threads_go_on_while_a_kernel_is_traced_and_run(monkeypatch):
    """Another thread ends the kernel, which it can only do when it is let run before the kernel's end."""
    monkeypatch.setenv("NKI_EAGER", "0")
    x, began = np.zeros((128, 64), np.float32), threading.Event()

    def interrupt():
        began.wait()
        for _ in range(3):
            time.sleep(0.02)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
    thread, before = threading.Thread(target=interrupt), signal.signal(signal.SIGALRM, raise_late)
    thread.start()
    try:
        with pytest.raises(Late):
            began.set()
            traces_long(x)
            thread.join()
    finally:
        thread.join()
        signal.signal(signal.SIGALRM, before)
    assert not x.any(), "the kernel went on to its end"


# ---- every instruction: the conformance vectors

def outcome(call, code):
    """What a call gives: its value, or the code of its error."""
    try:
        return call()
    except klr.Error as error:
        return error.code if code else str(error)


def as_numpy(words, dtype):
    return words.view(numpy_dtype(dtype)) if dtype != "tfloat32" else words.view(np.float32)


@pytest.mark.parametrize("name", form.files())
def test_conformance_vectors(nki_names, tmp_path, name):
    for number, vector in enumerate(form.read_file(name)["vectors"]):
        if "ranks" in vector:
            continue  # always traced
        path = tmp_path / f"vector_{number}" / "vector.py"
        path.parent.mkdir()
        path.write_text(form.kernel_source(vector))
        conformance.save_constants(vector, path.parent)
        module = runpy.run_path(str(path))
        kernel = next(value for value in module.values() if isinstance(value, _jit.Kernel))[vector.get("cores", 1)]
        options = _jit.Options(target=vector["targets"][-1])
        values = {tile + "_in": as_numpy(form.expand(vector["tiles"][tile], "data"), vector["tiles"][tile]["dtype"])
                  for tile in form.inputs(vector)}
        other, third = copy.deepcopy(values), copy.deepcopy(values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            want = outcome(lambda: traced_call(kernel, values, options), True)
            got = outcome(lambda: eager_call(kernel, other, options), True)
        label = f"{vector['id']}: {vector['shows']}"
        if isinstance(want, str) or isinstance(got, str):
            assert got == want, label
            continue
        assert same(got[0], want[0]) and same(other, values), label
        if not has_branches(want[1]):
            assert str(got[1]) == str(want[1]), label


def traced_call(kernel, values, options):
    traced, inputs = kernel._trace(kernel.bind((), values), options)
    return _jit.run(traced, inputs, options), klr.core.Kernel(traced.session, traced.handle)


def eager_call(kernel, values, options):
    result, eager = kernel._run_eagerly(kernel.bind((), values), options)
    return result, klr.core.Kernel(eager.session, eager.handle)


def has_branches(kernel):
    return any(op.kind == "cmp_branch" for core in range(kernel.cores) for op in kernel.operators(core))


# ---- values to look at

seen = []


@nki.jit
def looks(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    seen.append(repr(t))
    nisa.memset(dst=t[0:2, :], value=3.0)
    seen.append(np.asarray(t))
    nisa.dma_copy(dst=t, src=x)
    seen.append(np.asarray(t[1:3, ::2]))
    seen.append(repr(x))
    r = nisa.register_alloc(5)
    seen.append((np.asarray(r + 2), repr(r), bool(r > 4), bool(r > 5)))
    print("here", t[0:1, 0:2])
    return x


def test_values(monkeypatch, capsys):
    monkeypatch.setenv("NKI_EAGER", "1")
    seen.clear()
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    looks(x)
    assert seen[0] == "t.1: sbuf float32[4, 3], 12 of 12 elements were never written"
    assert (seen[1][:2] == 3).all() and np.isnan(seen[1][2:]).all()
    assert (seen[2] == x[1:3, ::2]).all()
    assert seen[3].startswith("x: hbm float32[4, 3]\n[[ 0.  1.  2.]") or seen[3].startswith("x: shared_hbm"), seen[3]
    assert seen[4][0] == 7 and seen[4][1].endswith(" = 5") and seen[4][2:] == (True, False)
    assert capsys.readouterr().out == "here t.1: sbuf float32[1, 2]\n[[0. 1.]]\n"


def test_values_end_with_the_kernel(monkeypatch):
    monkeypatch.setenv("NKI_EAGER", "1")
    kept = []

    @nki.jit
    def keeps(x):
        kept.append(nl.load(x))
        return x
    keeps(np.zeros((2, 2), np.float32))
    with pytest.raises(RuntimeError, match="the kernel has ended"):
        np.asarray(kept[0])
    with pytest.raises(RuntimeError, match="the kernel has ended"):
        kept[0][0:1]
    assert repr(kept[0]) == "<tensor of a kernel that has ended>"
    with pytest.raises(TypeError, match="nl.ndarray"):
        nl.NkiTensor()


# ---- errors

@nki.jit
def misfits(x):
    t = nl.load(x)
    u = nl.ndarray((4, 2), dtype=nl.float32, buffer=nl.sbuf)
    nisa.memset(dst=u, value=1.0)
    return helps(t, u)


def helps(t, u):
    nisa.tensor_tensor(dst=t, data1=t, data2=u, op=nl.add)  # the line of the error
    return t


@nki.jit
def returns_a_tile(x):
    return nl.load(x)


@nki.jit
def goes_on(x):
    t = nl.load(x)
    caught = []
    for wrong in (lambda: t.nothing, lambda: nisa.memset(t), lambda: t[0, 0, 0]):
        try:
            wrong()
        except (AttributeError, TypeError, RuntimeError) as error:
            caught.append(error)
    assert len(caught) == 3
    nisa.dma_copy(dst=x, src=nl.add(t, 1.0))
    return x


def test_errors_are_raised_at_the_line(monkeypatch):
    monkeypatch.setenv("NKI_EAGER", "1")
    x = np.zeros((4, 3), np.float32)
    with pytest.raises(klr.Error) as caught:
        misfits(x)
    assert caught.value.code == "E0515"
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames[-2:]] == ["misfits", "helps"] and "the line of the error" in frames[-1].line
    with pytest.raises(klr.Error) as caught:
        returns_a_tile(x)
    assert caught.value.code == "E0413" and traceback.extract_tb(caught.value.__traceback__)[-1].filename == __file__
    assert (goes_on(x) == 1).all() and (x == 1).all()


def test_a_failed_call_leaves_everything_as_it_was(monkeypatch):
    monkeypatch.setenv("NKI_EAGER", "1")
    x = np.zeros((4, 3), np.float32)

    @nki.jit
    def fails(x):
        nisa.dma_copy(dst=x, src=nl.add(nl.load(x), 1.0))
        raise LookupError("mine")
    with pytest.raises(LookupError, match="mine"):
        fails(x)
    assert not x.any()
    assert (is_short(x) == 1).all()


# ---- logical cores

@nki.jit
def exchanges(x):
    me = nl.program_id(0)
    t = nl.load(x[me])
    u = nl.ndarray(t.shape, dtype=t.dtype, buffer=nl.sbuf)
    nisa.sendrecv(src=t, dst=u, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=0)
    buf = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=buf[me], src=nl.multiply(u, 2.0))
    nisa.core_barrier(data=buf, cores=(0, 1))
    nisa.dma_copy(dst=out[me], src=buf[1 - me])
    return out


@nki.jit
def deadlocks(x):
    if nl.program_id(0) == 0:
        nisa.core_barrier(data=x, cores=(0, 1))
    return x


@nki.jit
def fails_on_core_1(x):
    t = nl.load(x[nl.program_id(0)])
    if nl.program_id(0) == 1:
        raise LookupError("core 1")
    nisa.core_barrier(data=x, cores=(0, 1))
    return x


@nki.jit
def shares_unevenly(x):
    rows = 3 if nl.program_id(0) == 0 else 2
    first = 3 * nl.program_id(0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.ndarray((rows, x.shape[1]), dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x[first:first + rows])
    nisa.dma_copy(dst=out[first:first + rows], src=tile)
    return out


def test_tensors_of_one_name_on_each_core():
    x = np.arange(20, dtype=np.float32).reshape(5, 4)
    want, traced, eager = run_both(shares_unevenly[2], x)
    assert (want == x).all() and str(eager) == str(traced)


def test_logical_cores_take_turns(monkeypatch):
    x = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    want, _, _ = run_both(exchanges[2], x)
    assert (want == 2 * x).all()
    monkeypatch.setenv("NKI_EAGER", "1")
    threads = threading.active_count()
    for kernel, error in ((deadlocks, klr.Error), (fails_on_core_1, LookupError)):
        with pytest.raises(error) as caught:
            kernel[2](x)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "fails_on_core_1"
    assert (exchanges[2](x) == 2 * x).all()
    for thread in threading.enumerate():
        if thread.name.startswith("core "):
            thread.join(HANGS_SECONDS)
    assert threading.active_count() == threads


# ---- what kernels are made of

@dataclasses.dataclass
class Settings(nl.NKIObject):
    weight: object = None
    scale: float = 1.0


@nki.jit
def inner(tile, scale):
    return nl.multiply(tile, scale)


@nki.jit
def composed(settings, parts, options, steps=3):
    tile = inner(nl.load(settings.weight), settings.scale)
    for part in parts:
        tile = nl.add(tile, nl.load(part))
    acc = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.sbuf)
    nisa.memset(dst=acc, value=0.0)

    def step(i):
        nisa.tensor_tensor(dst=acc, data1=acc, data2=tile, op=nl.add)
    nl.fori_loop(0, steps, step)
    out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=options["buffer"])
    nl.store(out, acc)
    return out, settings.weight


def test_arguments_and_helpers():
    one = np.ones((4, 3), np.float32)
    (out, weight), _, _ = run_both(composed, Settings(one, 2.0), (one * 3, one * 4), {"buffer": nl.shared_hbm})
    assert (out == 27).all() and (weight == 1).all()


@nki.jit
def counts_down(x):
    t = nl.load(x)
    r = nisa.register_alloc(3)
    left = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
    nisa.memset(dst=left, value=3)
    n = nisa.register_alloc(3)
    while n:
        nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=2.0)
        nisa.tensor_scalar(dst=left, data=left, op0=nl.subtract, operand0=1)
        nisa.register_load(n, left)
    if r == 3:
        nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=1.0)
    else:
        nisa.memset(dst=t, value=0.0)
    nisa.dma_copy(dst=x, src=t)
    return x


def test_control_flow_over_registers():
    want, _, _ = run_both(counts_down, np.ones((4, 3), np.float32))
    assert (want == 9).all()


@nki.jit
def many_tiles(x):
    tile = nl.load(x)
    for _ in range(400):
        tile = nl.add(tile, 1.0)
    nisa.dma_copy(dst=x, src=tile)
    return x


def test_memory_of_tiles_that_nothing_holds_is_used_again(monkeypatch):
    import resource

    monkeypatch.setenv("NKI_EAGER", "1")
    x = np.zeros((128, 8192), np.float32)  # 4 MiB, 400 times over
    many_tiles(x)
    assert (x == 400).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_000_000


def test_functions_of_the_library_are_functions():
    assert nl.add.__name__ == "add" and nl.add.__doc__
    assert pickle.loads(pickle.dumps(nl.add)) is nl.add and copy.deepcopy(nl.add) is nl.add
    assert list(inspect.signature(nisa.memset).parameters)[:2] == ["dst", "value"]
    assert inspect.isroutine(nl.add)
    with pytest.raises(RuntimeError, match="nki.jit"):
        nisa.memset(None, 1)


# ---- debuggers

SCRIPT = """
import numpy as np
import klr.nki as nki, klr.nki.isa as nisa, klr.nki.language as nl

@nki.jit
def kernel(x):
    t = nl.load(x)
    STOP
    u = nl.add(t, 1.0)
    nisa.dma_copy(dst=x, src=u)
    return x

print(kernel(np.ones((1, 3), np.float32)))
"""


def session(tmp_path, stop, typed, *options, **environment):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.replace("STOP", stop))
    environment = {**os.environ, "PYTHONPATH": PACKAGE, **environment}
    return subprocess.run([sys.executable, *options, str(path)], input=typed, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("stop", ["breakpoint()", "import pdb; pdb.set_trace()"])
def test_breakpoints_stop(tmp_path, stop):
    ran = session(tmp_path, stop, "n\nprint(np.asarray(u))\nnisa.memset(dst=u, value=7.0)\nc\n", NKI_EAGER="1")
    assert "[[2. 2. 2.]]" in ran.stdout and ran.stdout.endswith("[[7. 7. 7.]]\n"), ran.stdout + ran.stderr


def test_a_breakpoint_in_a_traced_kernel(tmp_path):
    ran = session(tmp_path, "breakpoint()", "p t\nc\n", NKI_EAGER="")
    assert "t.1: sbuf float32[1, 3]" in ran.stdout, ran.stdout + ran.stderr
    ran = session(tmp_path, "breakpoint()", "", NKI_EAGER="0")
    assert "error[E0320]" in ran.stderr


def test_a_breakpoint_for_the_program_is_a_warning(tmp_path):
    (tmp_path / "k.py").write_text("import nki\n\n\n@nki.jit\ndef k(x):\n    breakpoint()\n    return x\n")
    ran = run_klr("trace", tmp_path / "k.py", "x=f32[2,2]")
    assert ran.returncode == 0 and "warning[W0321]" in ran.stderr


def test_kernels_are_eager_under_a_debugger(tmp_path):
    ran = session(tmp_path, "pass", "b 9\nc\np t\nq\n", "-m", "pdb", NKI_EAGER="")
    assert "t.1: sbuf float32[1, 3]" in ran.stdout, ran.stdout + ran.stderr


def test_tools_that_trace_without_being_debuggers(monkeypatch):
    monkeypatch.delenv("NKI_EAGER", raising=False)
    before = sys.gettrace()
    try:
        sys.settrace(lambda *_: None)
        assert not _eager.wanted()
        debugger = bdb.Bdb()
        debugger.reset()
        sys.settrace(debugger.trace_dispatch)
        assert _eager.wanted()
    finally:
        sys.settrace(before)


def test_the_session_of_the_page(tmp_path):
    with open(os.path.join(ROOT, "docs", "python.md")) as file:
        page = file.read()
    (script,), (shown,) = re.findall(r"```py\n(.*?)```", page, re.S), re.findall(r"```text\n\$ python look.py\n(.*?)```", page, re.S)
    typed = re.findall(r"^\(Pdb\) (.*)$", shown, re.M)
    (tmp_path / "look.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": PACKAGE, "NKI_EAGER": ""}
    ran = subprocess.run([sys.executable, "look.py"], input="\n".join(typed) + "\n", capture_output=True, text=True, env=environment,
                         cwd=tmp_path)
    told = ran.stdout.replace(str(tmp_path) + os.sep, "")
    assert told.split() == re.sub(r"(?m)^\(Pdb\) .*$", "(Pdb)", shown).split(), ran.stderr
