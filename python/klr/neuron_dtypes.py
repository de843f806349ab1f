"""The element types and conversions that test harnesses of NKI kernels import as `neuron_dtypes`."""

import numpy as np
import ml_dtypes

from klr._dtypes import DTYPES, nki_name

bfloat16 = DTYPES["bfloat16"]
float8_e4m3 = DTYPES["float8_e4m3"]
float8_e4m3fn = DTYPES["float8_e4m3fn"]
float8_e5m2 = DTYPES["float8_e5m2"]
float8_e8m0fnu = DTYPES["float8_e8m0fnu"]
float8_e5m2_x4 = DTYPES["float8_e5m2_x4"]
float8_e4m3fn_x4 = DTYPES["float8_e4m3fn_x4"]
float4_e2m1fn_x4 = DTYPES["float4_e2m1fn_x4"]

_ELEMENTS = {float8_e5m2_x4: DTYPES["float8_e5m2"], float8_e4m3fn_x4: DTYPES["float8_e4m3fn"],
             float4_e2m1fn_x4: np.dtype(ml_dtypes.float4_e2m1fn)}


def _pack(array, dtype):
    if array.shape[-1] % 4:
        raise ValueError(f"the last dimension of {array.shape} is packed by fours")
    element = _ELEMENTS[dtype]
    limit = float(ml_dtypes.finfo(element).max)
    narrow = np.clip(array.astype(np.float32), -limit, limit).astype(element)
    units = narrow.view(np.uint8).reshape(array.shape[:-1] + (array.shape[-1] // 4, 4))
    bits = 4 if dtype == float4_e2m1fn_x4 else 8
    carrier = np.uint16 if bits == 4 else np.uint32
    packed = sum(units[..., i].astype(carrier) << carrier(bits * i) for i in range(4)).astype(carrier)
    return np.ascontiguousarray(packed).view(dtype)


def _unpack(array):
    element = _ELEMENTS[array.dtype]
    bits = 4 if array.dtype == float4_e2m1fn_x4 else 8
    carrier = np.uint16 if bits == 4 else np.uint32
    packed = np.ascontiguousarray(array).view(carrier)
    units = [((packed >> carrier(bits * i)) & carrier((1 << bits) - 1)).astype(np.uint8) for i in range(4)]
    wide = np.stack(units, axis=-1).view(element).astype(np.float32)
    return wide.reshape(array.shape[:-1] + (array.shape[-1] * 4,))


def static_cast(array, dtype):
    """`array` in another dtype: packed types take four elements of the last dimension, or give them back."""
    array, dtype = np.asarray(array), np.dtype(dtype)
    if array.dtype == dtype:
        return array
    if array.dtype in _ELEMENTS:
        array = _unpack(array)
    if dtype in _ELEMENTS:
        return _pack(array, dtype)
    return array.astype(dtype)


def sizeinbytes(dtype):
    """Bytes of one element; of a packed type's unit."""
    return np.dtype(dtype).itemsize


def finfo(dtype):
    """ml_dtypes.finfo, of the elements for packed types."""
    dtype = np.dtype(dtype)
    return ml_dtypes.finfo(_ELEMENTS.get(dtype, dtype))


def is_float_type(dtype):
    """Whether elements are floating-point numbers."""
    dtype = np.dtype(dtype)
    return dtype in _ELEMENTS or dtype.kind == "f" or (nki_name(dtype) or "").startswith(("float", "bfloat", "tfloat"))
