"""The number room, called on NumPy arrays through the shared library that the build makes for tests."""

import ctypes
import os

import ml_dtypes
import numpy as np

from conftest import ROOT

FLOATS = ["bfloat16", "float8_e3m4", "float8_e4m3", "float8_e5m2", "float8_e4m3fn", "float16", "float32",
          "float8_e8m0fnu", "float4_e2m1fn"]
ACTIVATIONS = ["abs", "arctan", "copy", "erf", "erf_dx", "exp", "gelu", "gelu_apprx_tanh", "gelu_dx", "log", "mish",
               "reciprocal", "relu", "rsqrt", "sigmoid", "sign", "silu", "silu_dx", "sin", "softplus", "sqrt", "square",
               "tanh", "gelu_apprx_sigmoid", "gelu_apprx_sigmoid_dx"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def numpy_dtype(name):
    return np.dtype(getattr(ml_dtypes, name, None) or name)


class NumberLibrary:
    def __init__(self, build="build"):
        self.c = ctypes.CDLL(os.path.join(ROOT, build, "tests", "number", "libnumber_test.so"))

    def dtype(self, name):
        return self.c.number_dtype_of(name.encode())

    def to_f32(self, dtype, source, function="number_dtype_to_f32"):
        """float32 values of the elements of `source`, an array of the type numbered `dtype`."""
        source = np.ascontiguousarray(source)
        out = np.empty(source.size, np.float32)
        getattr(self.c, function)(dtype, ctypes.c_size_t(source.size), out.ctypes.data_as(ctypes.c_void_p),
                                  source.ctypes.data_as(ctypes.c_void_p))
        return out

    def from_f32(self, dtype, values, numpy_type, function="number_dtype_from_f32"):
        values = np.ascontiguousarray(values, np.float32)
        out = np.empty(values.size, numpy_type)
        getattr(self.c, function)(dtype, ctypes.c_size_t(values.size), out.ctypes.data_as(ctypes.c_void_p),
                                  values.ctypes.data_as(ctypes.c_void_p))
        return out

    def activation(self, name, values, function="number_activation_row"):
        values = np.ascontiguousarray(values, np.float32)
        out = np.empty_like(values)
        getattr(self.c, function)(self.c.number_activation_of(name.encode()), ctypes.c_size_t(values.size),
                                  out.ctypes.data_as(ctypes.c_void_p), values.ctypes.data_as(ctypes.c_void_p))
        return out

    def activation_in_place(self, name, values):
        at = values.ctypes.data_as(ctypes.c_void_p)
        self.c.number_activation_row(self.c.number_activation_of(name.encode()), ctypes.c_size_t(values.size), at, at)

    def binary(self, function, first, x, y):
        """function(*first, n, result, x, y) for arrays x and y of one 32-bit type."""
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        out = np.empty_like(x)
        getattr(self.c, function)(*first, ctypes.c_size_t(x.size),
                                  *(array.ctypes.data_as(ctypes.c_void_p) for array in (out, x, y)))
        return out

    def row_from_f32_at(self, dtype, count, target, values):
        """Writes `count` values into the bytes of `target`."""
        self.c.number_row_from_f32(dtype, ctypes.c_size_t(count), target.ctypes.data_as(ctypes.c_void_p),
                                   values.ctypes.data_as(ctypes.c_void_p))


def bits_of(array):
    return array.view(f"u{array.itemsize}")


def sample_f32(count=1 << 21, seed=1):
    """`count` float32 values: random bits, and the neighbours of every boundary of the narrower types."""
    rng = np.random.default_rng(seed)
    random = rng.integers(0, 1 << 32, count, dtype=np.uint32)
    centres = [np.arange(1 << 16, dtype=np.uint32) << 16]  # every bfloat16, and its ties below
    for name in FLOATS:
        if name in ("bfloat16", "float32"):
            continue
        dtype = numpy_dtype(name)
        codes = np.arange(1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype)
        values = np.unique(codes.astype(np.float64)[np.isfinite(codes.astype(np.float64))])
        midpoints = (values[1:] + values[:-1]) / 2
        centres.append(np.concatenate([values, midpoints]).astype(np.float32).view(np.uint32))
    integers = np.arange(-70000, 70000, dtype=np.float64) / 2
    powers = 2.0 ** np.arange(-149, 128)
    centres.append(np.concatenate([integers, powers, -powers]).astype(np.float32).view(np.uint32))
    centres = np.concatenate(centres)
    near = (centres[:, None] + np.arange(-2, 3).astype(np.uint32)[None, :]).ravel()
    ties = (centres[:, None] + np.array([0x7FFF, 0x8000, 0x8001], np.uint32)[None, :]).ravel()
    return np.concatenate([random, near, ties]).view(np.float32)


SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 2.0**-149, -(2.0**-149), 3 * 2.0**-149, -3 * 2.0**-149,
                    2.0**-126, -(2.0**-126), 3.4028235e38, -3.4028235e38, 3.1415925, 3.1415927, -3.1415925, -3.1415927,
                    1.5707964, 0.7071068, 0.70710677, 1.4142135, 88.72283, 88.72284, -87.33654, -103.97207, -103.97208,
                    -1.2784645, -0.75179625, 9.0, 5.5910654, 16.0, -16.0, 20.0, 120.0, -120.0], np.float32)


def inputs_for_activations(count, seed):
    """`count` float32 values: half random bits, half of sizes from 2^-24 to 2^8, and the neighbours of special ones."""
    rng = np.random.default_rng(seed)
    random = rng.integers(0, 1 << 32, count // 2, dtype=np.uint32).view(np.float32)
    sized = rng.uniform(-1, 1, count // 2) * 2.0 ** rng.integers(-24, 9, count // 2)
    powers = 2.0 ** np.arange(-149, 128)
    near = np.concatenate([SPECIAL, powers, -powers]).astype(np.float32).view(np.uint32)
    near = (near[:, None] + np.arange(-3, 4).astype(np.uint32)[None, :]).ravel().view(np.float32)
    return np.concatenate([SPECIAL, near, random, sized.astype(np.float32)])
