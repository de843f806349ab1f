"""Arrays of NumPy, torch (CPU), jax and what else speaks DLPack: in as contiguous memory, out as what the caller uses."""

import sys
import warnings

import numpy as np

from klr import _errors
from klr._dtypes import nki_name, numpy_dtype


def framework(value):
    """"numpy", "torch", "jax", "dlpack" for arrays of others that share their memory so, or None for what is no array."""
    if isinstance(value, np.ndarray):
        return "numpy"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return "torch"
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(value, jax.Array):
        return "jax"
    return "dlpack" if hasattr(type(value), "__dlpack__") and not isinstance(value, type) else None


def shape_of(value):
    return tuple(value.shape) if framework(value) != "dlpack" else _dlpack_as_numpy(value).shape


def is_traced(value):
    """Whether an array stands for others: under jax.jit, jax.vmap, jax.grad."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.core.Tracer)


# ---- element types

# torch's names of types that NumPy has not, and the types of torch and NumPy that carry their bits.
_CARRIED = {"bfloat16": ("int16", np.int16), "float8_e4m3fn": ("uint8", np.uint8), "float8_e5m2": ("uint8", np.uint8),
            "float8_e8m0fnu": ("uint8", np.uint8)}
_SHARED = {"bool": "bool_", "uint8": "uint8", "int8": "int8", "int16": "int16", "int32": "int32", "float16": "float16",
           "float32": "float32", "uint16": "uint16", "uint32": "uint32"}
_INSTEAD = {"i": "int32", "u": "uint32", "f": "float32"}


def _refuse(text):
    raise _errors.KernelTypeError(text)


def _unknown_type(dtype, instead, how):
    _refuse(f"an array of dtype {dtype}, which NKI does not have; " +
            (f"convert it, for example with {how(instead)}" if instead else "a kernel takes numbers of up to 32 bits"))


def _numpy_type(value):
    if isinstance(value, np.ma.MaskedArray):
        _refuse("a masked array: a kernel sees no mask; fill it first, with .filled()")
    name = _numpy_names.get(value.dtype)
    if name is None:
        name = nki_name(value.dtype)
        if name is None:
            _unknown_type(value.dtype, _INSTEAD.get(value.dtype.kind), lambda instead: f".astype(np.{instead})")
        _numpy_names[value.dtype] = name
    return name


_numpy_names = {}
_torch_names = {}


def torch_name(dtype):
    """The NKI name of a torch.dtype, or None."""
    known = str(dtype).partition(".")[2]
    return _SHARED.get(known) or (known if known in _CARRIED else None)


def _torch_type(value):
    torch = sys.modules["torch"]
    if not value.is_cpu:
        _refuse("a torch tensor on the meta device, which has a shape and no data" if value.is_meta else
                f"a torch tensor on {value.device}: move it with .cpu() first")
    if value.layout is not torch.strided or value.is_nested:
        _refuse(f"a torch tensor of layout {value.layout if not value.is_nested else 'nested'}: make it dense first, with .to_dense()")
    name = _torch_names.get(value.dtype)
    if name is None:
        name = torch_name(value.dtype)
        if name is None:
            kind = "f" if value.dtype.is_floating_point else None if value.dtype.is_complex or "q" in str(value.dtype) else "i"
            _unknown_type(value.dtype, _INSTEAD.get(kind), lambda instead: f".to(torch.{instead})")
        _torch_names[value.dtype] = name
    return name


def element_type(value):
    """The NKI name of an array's elements. Raises a TypeError that says why when no kernel takes the array."""
    kind = framework(value)
    if kind == "numpy":
        return _numpy_type(value)
    if kind == "torch":
        return _torch_type(value)
    if kind == "dlpack":
        return _numpy_type(_dlpack_as_numpy(value))
    name = nki_name(value.dtype)
    if name is None:
        _unknown_type(value.dtype, _INSTEAD.get(getattr(value.dtype, "kind", "")), lambda instead: f".astype(jnp.{instead})")
    return name


# ---- in

def _torch_as_numpy(value):
    import torch

    name = _torch_type(value)
    if value.requires_grad:
        value = value.detach()
    if value.is_neg():
        value = value.resolve_neg()
    try:
        if name in _CARRIED:
            return value.view(getattr(torch, _CARRIED[name][0])).numpy().view(numpy_dtype(name))
        return value.numpy()
    except (RuntimeError, TypeError) as error:
        wrapped = getattr(torch._C, "_functorch", None)
        if wrapped is not None and wrapped.is_functorch_wrapped_tensor(value):
            _refuse("a tensor of torch.func (vmap, grad): call the kernel in a torch.autograd.Function with a vmap rule, or in a loop")
        raise _errors.KernelTypeError(f"a torch tensor of class {type(value).__name__} without memory of its own: {error}") from error


def _dlpack_as_numpy(value):
    try:
        return np.from_dlpack(value)
    except (RuntimeError, TypeError, ValueError, BufferError, AttributeError) as error:
        raise _errors.KernelTypeError(f"an array of {type(value).__module__}.{type(value).__name__} that NumPy cannot read: {error}") from error


def as_numpy(value):
    """The elements of an array as NumPy sees them, sharing memory where it can."""
    kind = framework(value)
    if kind == "torch":
        return _torch_as_numpy(value)
    return _dlpack_as_numpy(value) if kind == "dlpack" else np.asarray(value)


def number(value):
    """The number in an array without dimensions."""
    if isinstance(value, np.ma.MaskedArray):
        _refuse("a masked array: a kernel sees no mask; fill it first, with .filled()")
    if is_traced(value):
        _refuse("a number that jax traces, and the kernel needs its value now: make it static (static_argnums), or an array of one element")
    if framework(value) == "torch" and value.is_meta:
        _refuse("a torch tensor on the meta device, which has a shape and no data")
    found = (_dlpack_as_numpy(value) if framework(value) == "dlpack" else value).item()
    return float(found) if isinstance(found, np.generic) else found


def constant(value):
    """An array outside of the arguments as NumPy's, or None for one that a kernel cannot hold."""
    if is_traced(value):
        return None
    try:
        element_type(value)
        array = as_numpy(value)
    except TypeError:
        return None
    return array if 0 < array.ndim <= 16 else None


def _overlaps_itself(array):
    """Whether several elements may lie in one place."""
    extent = array.itemsize
    for stride, count in sorted((abs(s), n) for s, n in zip(array.strides, array.shape) if n > 1):
        if stride < extent:
            return True
        extent += stride * (count - 1)
    return False


def warn_of_gradients(arguments, names):
    """Results of a kernel carry no gradients: say so when torch would expect them to."""
    torch = sys.modules["torch"]
    if not torch.is_grad_enabled():
        return
    for argument, name in zip(arguments, names):
        if argument.kind == "torch" and argument.value.requires_grad:
            warnings.warn(f"argument `{name}` requires a gradient, and the kernel's results carry none: call it in the forward "
                          "of a torch.autograd.Function, or under torch.no_grad()", _errors.Warning, stacklevel=_errors.callers_level())
            return


def _check_gradient(value, name):
    """torch would take what the kernel writes for the value it had before."""
    import torch

    if value.requires_grad and torch.is_grad_enabled():
        raise _errors.KernelValueError(f"the kernel writes its argument `{name}`, which requires a gradient: pass x.detach(), or call it "
                                       "under torch.no_grad()")


class Argument:
    """One array of a call: contiguous memory in native byte order to run on, and the way back."""

    __slots__ = ("value", "kind", "array", "memory", "is_written")

    def __init__(self, value, name, is_written):
        self.value, self.is_written = value, is_written
        self.kind = framework(value)
        self.array = array = value if type(value) is np.ndarray else as_numpy(value)
        if is_written:
            self._check_writable(name)
        if array.flags.c_contiguous and array.dtype.isnative and (not is_written or self.kind != "jax"):
            self.memory = array
        else:
            self.memory = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True, subok=False)

    def _check_writable(self, name):
        if self.kind == "torch":
            _check_gradient(self.value, name)
        if self.kind == "jax":
            return
        if not self.array.flags.writeable:
            raise _errors.KernelValueError(f"the kernel writes its argument `{name}`, a read-only array: pass a copy")
        if not self.array.flags.c_contiguous and _overlaps_itself(self.array):
            raise _errors.KernelValueError(f"the kernel writes its argument `{name}`, of which several elements lie in one place: "
                                           "pass a copy")

    def finish(self):
        """What the kernel wrote, brought back into the caller's array when it ran on a copy; the array as a result."""
        if self.is_written and self.kind == "jax":
            return like(self.memory, "jax")
        if self.is_written:
            if self.memory is not self.array:
                self.array[...] = self.memory
            if self.kind == "torch":
                _count_write(self.value)
        return self.value


def _count_write(value):
    """As torch's own operations in place do, so that autograd notices."""
    import torch

    increment = getattr(torch.autograd.graph, "increment_version", None)
    if increment is not None and not value.is_inference():
        increment(value)


def check_apart(arguments, names):
    """Raise when memory that the kernel writes is also that of another argument: which order would it be written in?"""
    for i, a in enumerate(arguments):
        if not a.is_written or a.kind == "jax":
            continue
        for k, b in enumerate(arguments):
            if k != i and np.may_share_memory(a.array, b.array) and _share(a.array, b.array):
                raise _errors.KernelValueError(f"the kernel writes its argument `{names[i]}`, which shares memory with `{names[k]}`: "
                                               "pass a copy of one, or the same array for both")


def _share(a, b):
    try:
        return np.shares_memory(a, b, max_work=100000)
    except Exception:  # too hard to say
        return True


def address(array):
    """(address, bytes) of contiguous memory."""
    return array.__array_interface__["data"][0], array.nbytes


# ---- out

def like(array, kind):
    """A result as an array of the caller's framework."""
    if kind == "torch":
        import torch

        name = nki_name(array.dtype)
        carried = _CARRIED.get(name)
        if carried and hasattr(torch, name):
            return torch.from_numpy(array.view(carried[1])).view(getattr(torch, name))
        if name not in _SHARED.values() or (name.startswith("uint") and not hasattr(torch, name)):
            return array  # torch has no such type
        return torch.from_numpy(array)
    if kind == "jax":
        import jax.numpy

        return jax.numpy.asarray(array)
    return array
