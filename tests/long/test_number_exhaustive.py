"""All 2^32 float32 inputs: every activation function correctly rounded, every narrowing as in ml_dtypes.

KLR_STRIDE=N takes every N-th input of the activation functions, 257 unless it is set: an odd N still meets all sizes of
numbers. With KLR_STRIDE=1 each function takes some minutes. Narrowing always takes every input, a minute a type.
"""

import ctypes
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
from number_library import ACTIVATIONS, FLOATS, NumberLibrary, bits_of, numpy_dtype

STRIDE = int(os.environ.get("KLR_STRIDE", "257"))
BLOCK = 1 << 22


@pytest.fixture(scope="module")
def number():
    library = NumberLibrary()
    library.c.oracle_count_wrong.restype = ctypes.c_uint64
    return library


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_input_is_correctly_rounded(number, name):
    func = number.c.number_activation_of(name.encode())
    total = -(-(1 << 32) // STRIDE)

    def count_wrong(block):
        example = ctypes.c_uint32()
        count = ctypes.c_uint64(min(BLOCK, total - block))
        wrong = number.c.oracle_count_wrong(func, ctypes.c_uint32(block * STRIDE), count, ctypes.c_uint32(STRIDE),
                                            ctypes.byref(example))
        return wrong, example.value

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(count_wrong, range(0, total, BLOCK)))
    wrong = sum(count for count, _ in results)
    assert wrong == 0, f"{wrong} wrong, such as {next(hex(bits) for count, bits in results if count)}"


@pytest.mark.parametrize("name", FLOATS)
def test_every_narrowing_is_that_of_ml_dtypes(number, name):
    dtype = numpy_dtype(name)
    for block in range(0, 1 << 32, BLOCK):
        bits = np.uint64(block) + np.arange(BLOCK, dtype=np.uint64)
        values = bits.astype(np.uint32).view(np.float32)
        ours = bits_of(number.from_f32(number.dtype(name), values, dtype, "number_row_from_f32"))
        with np.errstate(all="ignore"):
            theirs = bits_of(values.astype(dtype))
        skipped = np.isnan(values)
        if name == "float8_e8m0fnu":  # ml_dtypes rounds these up to 2^-126, though 2^-127 is nearer
            skipped |= (values > 2.0**-127) & (values < 1.5 * 2.0**-127)
        wrong = np.flatnonzero((ours != theirs) & ~skipped)
        assert not wrong.size, (float(values[wrong[0]]).hex(), hex(ours[wrong[0]]), hex(theirs[wrong[0]]))
