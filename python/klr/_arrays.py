"""Arrays of NumPy, torch (CPU) and jax: in as contiguous memory, out as what the caller uses."""

import sys

import numpy as np

from klr._dtypes import nki_name, numpy_dtype


def framework(value):
    """"numpy", "torch", "jax", or None for what is no array."""
    if isinstance(value, np.ndarray):
        return "numpy"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return "torch"
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(value, jax.Array):
        return "jax"
    return None


def _torch_names():
    import torch

    names = {"bfloat16": "uint16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8", "float8_e8m0fnu": "uint8"}
    return {getattr(torch, name): (name, carrier) for name, carrier in names.items() if hasattr(torch, name)}


def as_numpy(value):
    """The elements of an array as NumPy sees them, sharing memory where it can."""
    kind = framework(value)
    if kind == "torch":
        import torch

        if value.device.type != "cpu":
            raise TypeError(f"a torch tensor on {value.device}: move it with .cpu() first")
        value = value.detach()
        carried = _torch_names().get(value.dtype)
        if carried:
            signed = {"uint16": torch.int16, "uint8": torch.uint8}[carried[1]]
            return value.view(signed).numpy().view(numpy_dtype(carried[0]))
        return value.numpy()
    return np.asarray(value)


def like(array, kind):
    """A result as an array of the caller's framework."""
    if kind == "torch":
        import torch

        for dtype, (name, carrier) in _torch_names().items():
            if nki_name(array.dtype) == name:
                signed = {"uint16": np.int16, "uint8": np.uint8}[carrier]
                return torch.from_numpy(array.view(signed)).view(dtype)
        return torch.from_numpy(array)
    if kind == "jax":
        import jax.numpy

        return jax.numpy.asarray(array)
    return array


class Argument:
    """One array of a call: contiguous memory in native byte order to run on, and the way back."""

    def __init__(self, value):
        self.value = value
        self.kind = framework(value)
        self.array = as_numpy(value)
        native = self.array.dtype.newbyteorder("=")
        self.memory = np.ascontiguousarray(self.array, dtype=native).reshape(self.array.shape)
        self.is_copy = self.memory is not self.array and not np.shares_memory(self.memory, self.array)
        if not self.is_copy and not self.memory.flags.writeable:
            self.memory = self.memory.copy()
            self.is_copy = True
        self.before = self.memory.copy() if self.is_copy else None

    def finish(self, name):
        """Bring what the kernel wrote back into the caller's array, when it ran on a copy."""
        if not self.is_copy or self.memory.tobytes() == self.before.tobytes():
            return
        if self.kind == "jax":
            raise TypeError(f"the kernel writes its argument `{name}`, and jax arrays cannot be written: "
                            "return a new tensor instead")
        if not self.array.flags.writeable:
            raise ValueError(f"the kernel writes its argument `{name}`, a read-only array: pass a copy")
        self.array[...] = self.memory


def address(array):
    """(address, bytes) of contiguous memory."""
    return array.ctypes.data, array.nbytes
