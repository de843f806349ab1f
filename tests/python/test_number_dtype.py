"""Conversions of every element type against NumPy and ml_dtypes: all codes one way, a stratified sample the other."""

import numpy as np
import pytest

from number_library import FLOATS, INTEGERS, NumberLibrary, bits_of, numpy_dtype, sample_f32

pytestmark = pytest.mark.slow  # calls a library, not the program
SAMPLE = sample_f32()


@pytest.fixture(scope="module")
def number():
    return NumberLibrary()


def same_values(ours, theirs):
    """Equal bits, or NaN in both."""
    return (ours.view(np.uint32) == theirs.view(np.uint32)) | (np.isnan(ours) & np.isnan(theirs))


@pytest.mark.parametrize("name", [name for name in FLOATS + INTEGERS if numpy_dtype(name).itemsize <= 2])
def test_every_code_widens_as_in_ml_dtypes(number, name):
    dtype = numpy_dtype(name)
    codes = np.arange(16 if name == "float4_e2m1fn" else 1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    ours = number.to_f32(number.dtype(name), codes)
    theirs = codes.view(dtype).astype(np.float32)
    assert same_values(ours, theirs).all()
    assert (ours.view(np.uint32)[np.isnan(ours)] == 0x7FC00000).all()


@pytest.mark.parametrize("name", FLOATS)
def test_narrowing_is_that_of_ml_dtypes(number, name):
    dtype = numpy_dtype(name)
    ours = bits_of(number.from_f32(number.dtype(name), SAMPLE, dtype))
    with np.errstate(all="ignore"):
        theirs = bits_of(SAMPLE.astype(dtype))
    nan = np.isnan(SAMPLE)
    skipped = nan
    if name == "float8_e8m0fnu":  # ml_dtypes rounds these up to 2^-126, though 2^-127 is nearer
        skipped = nan | ((SAMPLE > 2.0**-127) & (SAMPLE < 1.5 * 2.0**-127))
    wrong = np.flatnonzero((ours != theirs) & ~skipped)
    assert not wrong.size, [(float(SAMPLE[i]).hex(), hex(ours[i]), hex(theirs[i])) for i in wrong[:5]]
    assert len(set(ours[nan])) == 1
    if name != "float4_e2m1fn":
        assert np.isnan(ours[nan][:1].view(dtype).astype(np.float32)).all()


@pytest.mark.parametrize("name", INTEGERS)
def test_floats_become_the_nearest_integer_saturated(number, name):
    dtype = numpy_dtype(name)
    ours = number.from_f32(number.dtype(name), SAMPLE, dtype)
    limits = np.iinfo(dtype)
    # longdouble holds every int64 and uint64.
    values = np.where(np.isnan(SAMPLE), np.float32(0), SAMPLE).astype(np.longdouble)
    values = np.rint(np.nan_to_num(values, posinf=1e30, neginf=-1e30))
    theirs = np.clip(values, np.longdouble(limits.min), np.longdouble(limits.max)).astype(dtype)
    assert (ours == theirs).all()


@pytest.mark.parametrize("name", ["int32", "uint32", "int64", "uint64"])
def test_wide_integers_round_to_nearest_even(number, name):
    dtype = numpy_dtype(name)
    rng = np.random.default_rng(2)
    values = rng.integers(0, 1 << 64, 1 << 18, dtype=np.uint64) >> rng.integers(0, 64, 1 << 18, dtype=np.uint64)
    values = values.astype(dtype) if dtype.itemsize == 4 else values.view(dtype)
    assert (number.to_f32(number.dtype(name), values) == values.astype(np.float32)).all()


def test_tfloat32_keeps_ten_fraction_bits(number):
    tfloat32 = 6
    ours = number.from_f32(tfloat32, SAMPLE, np.uint32)
    finite = np.isfinite(SAMPLE)
    exponent = np.maximum(np.frexp(SAMPLE[finite].astype(np.float64))[1] - 1, -126)
    unit = np.ldexp(1.0, exponent - 10)
    expected = np.rint(SAMPLE[finite] / unit) * unit
    with np.errstate(over="ignore"):
        assert (ours[finite].view(np.float32) == expected.astype(np.float32)).all()
    assert (ours & 0x1FFF == 0).all()
