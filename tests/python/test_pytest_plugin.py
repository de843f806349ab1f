"""The pytest plugin: its options, its fixture, and what it says about results that differ."""

import os
import sys

import ml_dtypes
import numpy as np
import pytest

from conftest import PACKAGE

if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

from klr import _compare  # noqa: E402

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime

KERNEL = """
import numpy as np
import pytest
import klr.nki as nki
import klr.nki.isa as nisa
import klr.nki.language as nl

@nki.jit
def double(x, dtype=None):
    out = nl.ndarray(x.shape, dtype=dtype or x.dtype, buffer=nl.shared_hbm)
    for half in range(2):
        tile = nl.ndarray((2, x.shape[1]), dtype=dtype or x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x[2 * half:2 * half + 2])
        nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=2.0 + 0.5 * half)
        nisa.dma_copy(dst=out[2 * half:2 * half + 2], src=tile)  # the store
    return out

x = np.arange(12, dtype=np.float32).reshape(4, 3)
"""


def run(pytester, text, *options, **environment):
    """Outcome of a test file under the plugin, in a process of its own."""
    pytester.makepyfile(test_it=text)
    for name, value in {"PYTHONPATH": PACKAGE, "PYTEST_ADDOPTS": "", **environment}.items():
        pytester._monkeypatch.setenv(name, value)
    return pytester.runpytest_subprocess("-p", "klr.pytest_plugin", "-p", "no:cacheprovider", *options)


def test_the_fixture_runs_and_checks(pytester):
    result = run(pytester, KERNEL + """
def test_run(klr):
    assert klr.run(double, x).shape == (4, 3)

def test_check(klr):
    want = x * np.array([[2], [2], [2.5], [2.5]], np.float32)
    assert klr.check(double, (x,), want) is not None
    klr.check(double, x, lambda x: want)
    klr.check(double, (x,), want * 1.01, rtol=0.02)
    klr.check(double, (x,), np.nextafter(want, np.float32(99)), ulps=1)

def test_differs(klr):
    klr.check(double, (x,), x * 2)

def test_shape(klr):
    klr.check(double, (x,), x[:2])

def test_parts(klr):
    klr.check(double, (x,), (x, x))

@nki.jit
def halved(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for half in range(2):
        tile = nl.ndarray((2, x.shape[1]), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x[2 * half:2 * half + 2])
        nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=2.0 + 0.25 * half)
        nisa.dma_copy(dst=out[2 * half:2 * half + 2], src=tile)
    return out

def test_same(klr):
    klr.same(double, double, (x,))
    klr.same(double, halved, (x,), rtol=0.2)

def test_not_same(klr):
    klr.same(double, halved, (x,))
""")
    result.assert_outcomes(passed=3, failed=4)
    result.stdout.fnmatch_lines([
        "E*kernel `double`: the result, float32[[]4, 3], differs in 6 of 12 elements*",
        "E*first: [[]2, 0] is 15.0, expected 12.0 (3145728 ULPs apart)",
        "E*worst: [[]3, 2] is 27.5, expected 22.0*",
        "E*first difference: `nisa.dma_copy`",
        "E*test_it.py:14  (instruction 6)",
        "E*nisa.dma_copy(dst=out[[]2 * half:2 * half + 2], src=tile)*",
        "E*which `nisa.tensor_scalar` wrote",
        "E*test_it.py:13  (instruction 5)",
    ])
    result.stdout.fnmatch_lines(["*has shape (4, 3), expected is (2, 3)*", "*has 1 parts, 2 are expected*"])
    result.stdout.fnmatch_lines(["E*AssertionError: first difference: `nisa.tensor_scalar`", "E*2.0 + 0.5 * half*", "E*2.0 + 0.25 * half*"])
    assert "pytest_plugin.py:" not in result.stdout.str()


def test_the_target_and_the_checks_are_options(pytester):
    text = KERNEL + """
@nki.jit
def columns(x):
    tile = nl.ndarray((nl.tile_size.pmax, 4), dtype=nl.float32, buffer=nl.sbuf)
    out = nl.ndarray((1, 4 + nisa.get_nc_version().value), dtype=nl.float32, buffer=nl.shared_hbm)
    nisa.memset(dst=tile, value=0)
    nisa.dma_copy(dst=out[:, 0:4], src=tile[0:1, :])
    return out

@nki.jit
def unwritten(x):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    return out

def test_it(klr, recwarn):
    print("generation", klr.run(columns, x).shape)
    klr.run(unwritten, x)
    print("warnings", len([w for w in recwarn if "ninitiali" in str(w.message) or "written" in str(w.message)]))
"""
    plain = run(pytester, text, "-s")
    plain.assert_outcomes(passed=1)
    other = run(pytester, text, "-s", "--klr-target", "trn3", "--klr-checks", "none")
    other.assert_outcomes(passed=1)
    other.stdout.fnmatch_lines(["klr: *, target trn3, checks none"])
    shape = [line for line in plain.outlines if "generation" in line], [line for line in other.outlines if "generation" in line]
    assert shape[0] != shape[1]
    assert "warnings 0" in other.stdout.str() and "warnings 0" not in plain.stdout.str()


def test_tests_that_import_nki(pytester):
    text = KERNEL.replace("klr.nki", "nki").replace("import nki as nki", "import nki") + """
def test_it(klr):
    assert klr.run(double, x).shape == (4, 3)
"""
    assert run(pytester, text).ret != 0
    run(pytester, text, "--klr-nki").assert_outcomes(passed=1)
    run(pytester, text, KLR_NKI="1").assert_outcomes(passed=1)
    assert run(pytester, text, "--klr-target", "tpu").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3])
def test_ulps_are_steps_of_the_dtype(dtype):
    size = np.dtype(dtype).itemsize
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 256, (300, size), dtype=np.uint8).view(f"u{size}").reshape(-1)
    values = bits.view(dtype)
    values = np.sort(values[np.isfinite(values.astype(np.float64))].astype(np.float64)).astype(dtype)
    every = np.arange(2 ** (8 * size), dtype=np.uint32).astype(f"u{size}").view(dtype) if size < 4 else None
    if every is None:
        up = np.nextafter(values, np.float32(np.inf))
        assert set(_compare.ulps_between(values, up)) == {1.0}
        return
    with np.errstate(invalid="ignore"):
        every = every.astype(np.float64)
    finite = np.unique(every[np.isfinite(every)])  # both zeros are one
    a, b = values[:-1], values[1:]
    between = np.searchsorted(finite, b.astype(np.float64)) - np.searchsorted(finite, a.astype(np.float64))
    assert np.array_equal(_compare.ulps_between(a, b), between)


def test_nan_and_infinity():
    a = np.array([np.nan, np.inf, 1, np.nan], np.float32)
    assert _compare._array_report(a, a, None, None, 0) is None
    text, _ = _compare._array_report(a, np.array([np.nan, 1, 1, 2], np.float32), None, None, 0)
    assert "first: [1] is inf" in text and "differs in 2 of 4" in text and "one of them is NaN" in text
    assert _compare._array_report(np.array([3e38], np.float32), np.array([np.inf], np.float32), 1.0, None, 0) is not None


def test_integers_are_exact_by_default():
    a = np.array([1, 2, 3], np.int32)
    assert _compare._array_report(a, a, None, None, 0) is None
    assert _compare._array_report(a, a + 1, None, None, 0)[0].startswith("differs in 3 of 3")
    assert _compare._array_report(a, a + 1, None, 1, 0) is None
