"""klr.diff and klr.shadow: what the commands tell, for live kernels and arrays."""

import os
import re
import runpy
import sys
import threading

import ml_dtypes
import numpy as np
import pytest

from conftest import PACKAGE, ROOT

if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr  # noqa: E402
import klr.frontend  # noqa: E402
import klr.nki as nki  # noqa: E402
import klr.nki.isa as nisa  # noqa: E402
import klr.nki.language as nl  # noqa: E402

pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime
X = np.random.default_rng(2).standard_normal((16, 24)).astype(np.float32)


@nki.jit
def scale(x, factor=2.0):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=factor)  # scaled
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    other = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    nisa.dma_copy(dst=other, src=x)
    return out, other


@nki.jit
def scale_and_add(x, factor=2.0):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=factor, op1=nl.add, operand1=1e-6)  # added
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    other = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    nisa.dma_copy(dst=other, src=x)
    return out, other


def line_of(mark):
    with open(__file__) as file:
        return 1 + [line.rstrip().endswith(f"# {mark}") for line in file].index(True)


def test_two_kernels():
    report = klr.diff(scale, scale_and_add, X, 3.0)
    mine, other = X * np.float32(3), X * np.float32(3) + np.float32(1e-6)
    assert report and not report.same
    assert report.first.a.line == line_of("scaled") and report.first.b.line == line_of("added")
    assert report.first.a.file == report.first.b.file == __file__ and report.first.a.function == "nisa.tensor_scalar"
    assert report.first.differing == (mine != other).sum() and report.first.compared == X.size
    p, e = np.argwhere(mine != other)[0]
    assert report.first.element.a.value == float(mine[p, e]) and report.first.element.b.value == float(other[p, e])
    assert [r.differing for r in report.results] == [(mine != other).sum(), 0]
    assert "first difference" in str(report) and "tensor_scalar" in repr(report)
    assert not klr.diff(scale, scale_and_add, X, 3.0, atol=2e-6)
    assert not klr.diff(scale, scale, X, 3.0, options_b={"reference": True})
    assert klr.diff(scale, scale, X.astype(ml_dtypes.bfloat16), kwargs={"factor": 3.1}, options_b={"f32": True})


def test_arguments_stay_as_they_are_and_the_kernel_may_be_read():
    read_only = X.copy()
    read_only.flags.writeable = False
    traced = klr.frontend.deserialize(klr.frontend.Kernel(scale).specialize((X, 2.0)).to_bytes())
    assert not klr.diff(traced, traced, read_only)
    report = klr.diff(scale, traced, read_only)
    assert not report and report.instructions.compared == 4
    with pytest.raises(TypeError, match="takes 1 arrays, not 0"):
        klr.diff(traced, traced)


def test_a_kernel_against_arrays():
    out, other = scale(X, 3.0)
    assert not klr.diff(scale, (out, other), X, 3.0)
    assert klr.diff.first_difference(scale, (X, 3.0), [out, other]) is None
    wrong = out.copy()
    wrong[5, 6] += 1
    report = klr.diff.first_difference(scale, (X, 3.0), (wrong, other), rtol=1e-3)
    assert report.first.element.a.place == "out.1[5, 6]" and report.first.element.b.value == float(wrong[5, 6])
    assert report.chain[0].a.line == line_of("scaled") and report.chain[0].operands[0].a.value == float(X[5, 6])
    tile = X.astype(np.float64) * 3
    assert not klr.diff(scale, {"tile": tile}, X, 3.0)
    tile[0, 1] = -9
    assert klr.diff(scale, {"tile": tile}, X, 3.0).first.a.line == line_of("scaled")
    with pytest.raises(TypeError, match="2 results, and 1"):
        klr.diff(scale, out, X)
    with pytest.raises(TypeError, match="complex"):
        klr.diff(scale, {"tile": tile.astype(complex)}, X)


def test_errors_are_those_of_the_run():
    @nki.jit
    def stale(x):
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=tile)
        return out

    for a, b in ((stale, stale), (scale, stale), (stale, scale)):
        with pytest.raises(klr.Error) as caught:
            klr.diff(a, b, X, options={"poison": False})
        assert caught.value.code == "E0602"
    with pytest.raises(klr.Error):
        klr.shadow(stale, X, options={"poison": False})
    with pytest.raises(TypeError):
        klr.diff(3, scale, X)


def test_shadow():
    x = X.astype(ml_dtypes.bfloat16)
    report = klr.shadow(scale, x, factor=3.3)
    out, other = scale(x, 3.3)
    assert (report.output[0] == out).all() and (report.output[1] == other).all()
    exact = x.astype(np.float64) * np.float64(np.float32(3.3))
    error = np.linalg.norm(out.astype(np.float64) - exact) / np.linalg.norm(exact)
    assert report.results[0].error.relative == pytest.approx(error, rel=1e-6) and report.results[1].error.relative == 0
    place, = report.places
    assert place.line == line_of("scaled") and place.added.relative == pytest.approx(error, rel=1e-6)
    assert "float64" in str(report) and "1 places" in repr(report) and report.data["places"][0]["times"] == 1


def test_threads_compare_at_once():
    found = []
    workers = [threading.Thread(target=lambda: found.append(klr.diff(scale, scale_and_add, X, 3.0).data)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4 and all(one == found[0] for one in found)


def test_the_page_runs(tmp_path):
    with open(os.path.join(ROOT, "docs", "diff.md")) as file:
        code, = re.findall(r"```python\n(.*?)```", file.read(), flags=re.S)
    (tmp_path / "page.py").write_text(code)
    runpy.run_path(str(tmp_path / "page.py"))
