"""What Python shows of an error in a kernel: the caller's lines, the kernel's, and nothing of the package."""

import functools
import linecache
import os
import pickle
import subprocess
import sys
import traceback
import warnings

import numpy as np
import pytest

from test_package import PACKAGE, array, load, store

import klr
import klr.core
import klr.frontend
import klr.nki as nki
import klr.nki.isa as nisa
import klr.nki.language as nl

pytestmark = pytest.mark.slow
FILE = os.path.abspath(__file__)


def broken(tile, depth):
    if depth == 0:
        nisa.tensor_tensor(dst=tile, data1=tile,
                           data2=tile[:, 0:1], op=nl.add)
    else:
        broken(tile, depth - 1)


@nki.jit
def deep(x):
    """Fails some calls below."""
    tile = load(x)
    ü = tile; broken(ü, 1)  # noqa: E702


@nki.jit
def unwritten(x):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    return store(tile)


def frames(call, kind=klr.Error):
    """[(file, function, text of the line)] of what `call` raises, without this function's own frame."""
    with pytest.raises(kind) as caught:
        call()
    found = [(f.filename, f.name, f.line) for f in traceback.extract_tb(caught.value.__traceback__)]
    while found and found[0][1] in ("frames", "<lambda>") and os.path.abspath(found[0][0]) == FILE:
        del found[0]
    return found


def in_package(found):
    return [f for f in found if os.sep + "klr" + os.sep in f[0]]


@pytest.mark.parametrize("eager", ["0", "1"])
def test_a_traceback_is_that_of_the_calls_in_the_kernel(eager, monkeypatch):
    monkeypatch.setenv("NKI_EAGER", eager)
    found = frames(lambda: deep(array(4, 3)))
    assert [name for _, name, _ in found] == ["deep", "broken", "broken"]
    assert found[-1][2] == "nisa.tensor_tensor(dst=tile, data1=tile,"
    assert not in_package(found)


def test_a_traceback_points_at_the_columns():
    if sys.version_info < (3, 11):
        pytest.skip("Python shows no columns")
    with pytest.raises(klr.Error) as caught:
        deep(array(4, 3))
    last = list(traceback.walk_tb(caught.value.__traceback__))[-3:]
    places = [list(frame.f_code.co_positions())[frame.f_lasti // 2] for frame, _ in last]
    line = linecache.getline(FILE, places[0][0]).encode()
    assert line[places[0][2]:places[0][3]].decode() == "broken(ü, 1)"
    assert (places[2][1] - places[2][0], linecache.getline(FILE, places[2][1])[:places[2][3]].strip()) == \
        (1, "data2=tile[:, 0:1], op=nl.add)")
    code = last[0][0].f_code
    assert linecache.getline(FILE, code.co_firstlineno).strip() == "@nki.jit"  # what pytest and notebooks show of it begins here


def test_wrong_calls_end_at_the_call():
    assert frames(lambda: deep(), TypeError) == []
    assert frames(lambda: deep(array(4, 3), 1), TypeError) == []
    assert frames(lambda: deep(np.zeros((4, 3))), klr.Error) == []
    assert frames(lambda: nki.jit(store)(x=array(2, 2), tile=1), TypeError) == []


def test_other_ways_in_hide_the_package_too():
    x = array(4, 3)
    for call in (lambda: deep.trace(x), lambda: deep.ranks([(x,), (x,)]), lambda: klr.diff(deep, deep, x), lambda: klr.shadow(deep, x),
                 lambda: klr.frontend.Kernel(deep).specialize((x,))):
        assert [name for _, name, _ in frames(call)] == ["deep", "broken", "broken"]
    assert frames(lambda: klr.core.parse("kernel")) == []
    assert klr.core.Kernel.run.__name__ == "run" and "one array for each input" in klr.core.Kernel.run.__doc__
    assert pickle.loads(pickle.dumps(klr.core.read)) is klr.core.read


def test_faults_of_the_package_keep_their_frames(monkeypatch):
    def fault(*_):
        raise RuntimeError("a fault")
    assert [f[1] for f in frames(lambda: klr.frontend.Kernel(deep).specialize(3), TypeError)][0] == "specialize"
    monkeypatch.setattr(klr._jit._cache, "freeze", fault)
    assert [f[1] for f in frames(lambda: deep(array(4, 3)), RuntimeError)] == ["fault"]
    monkeypatch.setenv("KLR_TRACEBACK", "full")
    assert [f[1] for f in frames(lambda: deep(), TypeError)] == ["__call__", "bind", "_bind_any"]
    assert [f[1] for f in frames(lambda: deep(array(4, 3)), RuntimeError)] == ["__call__", "_find", "fault"]


def test_a_warning_that_is_an_error_ends_at_its_line():
    with warnings.catch_warnings():
        warnings.simplefilter("error", klr.Warning)
        found = frames(lambda: unwritten(array(4, 3)), klr.Warning)
        assert [name for _, name, _ in found] == ["unwritten", "store"] and not in_package(found)
        with pytest.raises(klr.Warning) as caught:
            unwritten(array(4, 3))
        again = pickle.loads(pickle.dumps(caught.value))
        assert again.diagnostic["code"] == "W0602" and str(again) == str(caught.value)


def test_a_warning_is_given_whatever_module_its_line_is_in():
    """Of a helper's module, of the kernel's, and where the module has no file, as in notebooks."""
    x = array(4, 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            unwritten(x)
    assert [(os.path.basename(w.filename), w.category) for w in caught] == [("test_package.py", klr.Warning)]  # once at its line
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", module="test_package$")
        unwritten(x)
    assert len(caught) == 1
    text = ("import klr.nki as nki, klr.nki.language as nl, klr.nki.isa as nisa\n@nki.jit\ndef cell(x):\n"
            "    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)\n"
            "    nisa.dma_copy(dst=out, src=nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf))\n    return out\n")
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(True), "<cell 1>")
    names = {"__name__": "__main__"}
    exec(compile(text, "<cell 1>", "exec"), names)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        names["cell"](x)
    assert [(w.filename, w.lineno) for w in caught] == [("<cell 1>", 5)]


def test_an_error_is_not_hidden_by_a_warning_that_is_one():
    @nki.jit
    def both(x):
        assert x.shape[0] == 2, "warned of, and wrong"
        raise ValueError("not here")

    with warnings.catch_warnings():
        warnings.simplefilter("error", klr.Warning)
        with pytest.raises(AssertionError, match="warned of, and wrong"):
            both(array(4, 3))
        with pytest.raises(ValueError, match="not here"):
            both(array(2, 3))


def test_ctrl_c_ends_at_the_call(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os, signal, threading, numpy as np, klr.nki as nki, klr.nki.language as nl\n"
                      "@nki.jit\ndef long(x):\n  t, text = nl.load(x), 'a' * 10 ** 7\n  for i in range(4 * 10 ** 7):\n    'b' in text\n  nl.store(x, t)\n"  # hours
                      "signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background\n"
                      "threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
                      "long(np.ones((4, 3), np.float32))\n")
    done = subprocess.run([sys.executable, script], env={**os.environ, "PYTHONPATH": PACKAGE}, text=True, capture_output=True)
    assert done.stderr.rstrip().endswith("KeyboardInterrupt") and "_jit.py" not in done.stderr and "line 10" in done.stderr


# ---- arguments by place

def times(x, factor):
    tile = load(x)
    nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=factor)
    return store(tile)


def by_place(x, factor, /, *, more=1.0):
    return times(x, factor * more)


def rest(*tensors, factor=2.0):
    return tuple(times(x, factor) for x in tensors)


def any_of(x, *more, factor=1.0, **others):
    return tuple(times(t, factor) for t in [x, *more, *others.values()])


def unnamed(function):
    def wrapper(*arguments, **keywords):
        return function(*arguments, **keywords)
    return wrapper


@pytest.mark.filterwarnings("ignore::klr.Warning")
@pytest.mark.parametrize("eager", ["0", "1"])
def test_arguments_without_names(eager, monkeypatch):
    monkeypatch.setenv("NKI_EAGER", eager)
    x, y, z = array(4, 3), array(4, 3), array(2, 5)
    assert np.array_equal(nki.jit(by_place)(x, 2.0, more=3.0), x * 6)
    assert np.array_equal(nki.jit(by_place)(x, 2.0), x * 2)
    with pytest.raises(TypeError, match="positional.only"):
        nki.jit(by_place)(x=x, factor=2.0)
    kernel = nki.jit(rest)
    assert kernel() == () and all(np.array_equal(a, b * 2) for a, b in zip(kernel(x, y), (x, y)))
    a, b = kernel(x, z, factor=3.0)
    assert np.array_equal(a, x * 3) and np.array_equal(b, z * 3)
    many = nki.jit(any_of)
    assert [r.shape for r in many(x, y, factor=2.0, other=z)] == [(4, 3), (4, 3), (2, 5)]
    assert np.array_equal(many(x, y, factor=2.0, other=z)[2], z * 2) and np.array_equal(many(x=x, other=z)[1], z)
    with pytest.raises(TypeError, match="multiple values|called `more.0`"):
        many(x, x, **{"more.0": x})
    assert np.array_equal(nki.jit(unnamed(times))(x, factor=5.0), x * 5)
    assert np.array_equal(nki.jit(functools.wraps(by_place)(unnamed(by_place)))(x, 5.0), x * 5)
    if eager == "0":
        assert [t.name for t in many.trace(x, y, other=z).inputs] == ["x", "more.0", "other"]


# ---- methods and pickles

class Model:
    def __init__(self, factor):
        self.factor = factor

    @nki.jit
    def run(self, x):
        return times(x, self.factor)

    @nki.jit
    @staticmethod
    def plain(x):
        return times(x, 4.0)


def hidden(x):
    return times(x, 2.0)


kernel_of_hidden = nki.jit(hidden)
partly = nki.jit(times)
times_kernel = partly


@nki.jit
def preset(x, factor):
    return times(x, factor)


def test_a_static_method_under_the_decorator():
    x = array(4, 3)
    assert np.array_equal(Model.plain(x), x * 4) and np.array_equal(Model(1.0).plain(x), x * 4)


def test_kernels_are_pickled_as_functions_are():
    x = array(4, 3)
    assert pickle.loads(pickle.dumps(preset)) is preset
    assert np.array_equal(pickle.loads(pickle.dumps(Model(3.0).run))(x), x * 3)
    assert repr(pickle.loads(pickle.dumps(preset[2]))) == "<kernel preset[2]>"
    for unreachable in (kernel_of_hidden, nki.jit(lambda x: x)):  # their names mean something else, or nothing
        with pytest.raises(pickle.PicklingError, match="is not this kernel"):
            pickle.dumps(unreachable)
