"""Rows of conversions give the bits of the one-element conversions, in every build and at odd lengths."""

import os

import numpy as np
import pytest

from conftest import ROOT
from number_library import FLOATS, INTEGERS, NumberLibrary, numpy_dtype, sample_f32

pytestmark = pytest.mark.slow  # calls a library, not the program
SAMPLE = sample_f32(1 << 20, seed=3)
BUILDS = [build for build in ("build", "build-clang", "build-baseline")
          if os.path.exists(os.path.join(ROOT, build, "tests", "number", "libnumber_test.so"))]
NUMBERED = {name: None for name in FLOATS + INTEGERS + ["bool"]} | {"tfloat32": 6}


@pytest.fixture(scope="module", params=BUILDS)
def number(request):
    return NumberLibrary(request.param)


def type_of(number, name):
    if name == "tfloat32":
        return NUMBERED[name], np.dtype(np.uint32)
    return number.dtype(name), numpy_dtype(name)


@pytest.mark.parametrize("name", NUMBERED)
def test_rows_widen_like_elements(number, name):
    dtype, numpy_type = type_of(number, name)
    raw = np.frombuffer(SAMPLE.tobytes(), f"u{numpy_type.itemsize}")[: 1 << 21]
    if numpy_type.itemsize < 4:
        raw = np.concatenate([np.arange(1 << (8 * numpy_type.itemsize), dtype=raw.dtype), raw])
    rows = number.to_f32(dtype, raw, "number_row_to_f32")
    elements = number.to_f32(dtype, raw)
    wrong = np.flatnonzero(rows.view(np.uint32) != elements.view(np.uint32))
    assert not wrong.size, [(hex(raw[i]), rows[i], elements[i]) for i in wrong[:5]]


@pytest.mark.parametrize("name", NUMBERED)
def test_rows_narrow_like_elements(number, name):
    dtype, numpy_type = type_of(number, name)
    unit = f"u{numpy_type.itemsize}"
    rows = number.from_f32(dtype, SAMPLE, unit, "number_row_from_f32")
    elements = number.from_f32(dtype, SAMPLE, unit)
    wrong = np.flatnonzero(rows != elements)
    assert not wrong.size, [(float(SAMPLE[i]).hex(), hex(rows[i]), hex(elements[i])) for i in wrong[:5]]


@pytest.mark.parametrize("count", [0, 1, 3, 7, 8, 9, 31, 33])
def test_rows_of_any_length_write_only_themselves(number, count):
    for name in NUMBERED:
        dtype, numpy_type = type_of(number, name)
        padded = np.full(64 * numpy_type.itemsize + 3, 0xA5, np.uint8)
        number.row_from_f32_at(dtype, count, padded[3:], SAMPLE)
        expected = number.from_f32(dtype, SAMPLE[:count], f"u{numpy_type.itemsize}").tobytes()
        assert padded[3 : 3 + len(expected)].tobytes() == expected
        assert (padded[:3] == 0xA5).all() and (padded[3 + len(expected) :] == 0xA5).all()
