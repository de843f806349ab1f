"""klr.schema: scalar kernels of a running program, called with arrays."""

import array
import linecache
import math
import os
import sys
import threading
import types

import ml_dtypes
import numpy as np
import pytest

from conftest import ROOT

PACKAGE = os.path.join(ROOT, "build", "python")
if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr  # noqa: E402
import klr.schema as ks  # noqa: E402
from klr.schema import *  # noqa: E402,F403
from klr.schema import DeviceArray, atomic_add, bf16, f32, f64, get_global_id, i32, inline, kernel, u8, u32  # noqa: E402
from klr.schema import get_global_id as thread  # noqa: E402

pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime
random = np.random.default_rng(3)
SHIFT = 0.5


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
    assert saxpy.__doc__ == "y = s * x + y" and saxpy.info["grid"] == "n" and saxpy.info["line"] == 39
    assert [p["direction"] for p in saxpy.info["params"]] == ["in", "inout", "in", "in"]


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
