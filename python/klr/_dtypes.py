"""Element types: NKI's names and what NumPy calls them.

Types are NumPy dtypes, those of ml_dtypes among them. The packed types hold four elements in one unit; NumPy sees a
structure of one field, so that they differ from plain integers.
"""

import numpy as np

try:
    import ml_dtypes
except ImportError as error:
    raise ImportError("klr needs ml_dtypes for bfloat16 and the 8-bit floats: pip install ml_dtypes") from error


def _packed(name, unit):
    return np.dtype([(name, unit)])


DTYPES = {
    "bool_": np.dtype(np.bool_),
    "int8": np.dtype(np.int8), "int16": np.dtype(np.int16), "int32": np.dtype(np.int32),
    "uint8": np.dtype(np.uint8), "uint16": np.dtype(np.uint16), "uint32": np.dtype(np.uint32),
    "float16": np.dtype(np.float16), "float32": np.dtype(np.float32),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3": np.dtype(ml_dtypes.float8_e4m3),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e8m0fnu": np.dtype(ml_dtypes.float8_e8m0fnu),
    "float8_e5m2_x4": _packed("float8_e5m2_x4", "<u4"),
    "float8_e4m3fn_x4": _packed("float8_e4m3fn_x4", "<u4"),
    "float4_e2m1fn_x4": _packed("float4_e2m1fn_x4", "<u2"),
}
# Stored as float32; a dtype of its own, so that the library can name it.
DTYPES["tfloat32"] = np.dtype([("tfloat32", "<f4")])

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def nki_name(dtype):
    """The NKI name of a NumPy dtype, or None."""
    try:
        return _NAMES.get(np.dtype(dtype).newbyteorder("="))
    except TypeError:
        return None


def numpy_dtype(name):
    """The NumPy dtype of an NKI name; names of the core language are understood too."""
    return DTYPES[{"float8e4": "float8_e4m3", "float8e5": "float8_e5m2", "float32r": "tfloat32"}.get(name, name)]
