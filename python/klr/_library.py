"""The functions that the NKI library calls, for a library that Python itself has imported.

What the library declares when it is imported (element types, memories, operators, classes) exists here as plain objects.
Instructions belong to a kernel: called outside one they say so.
"""

import contextlib
import importlib.machinery
import inspect
import os
import sys
import threading
import types

import numpy as np

from klr import _native
from klr._dtypes import DTYPES

DType = np.dtype
_constants = {}


class Constant:
    """A memory, an operator: known by its group and name."""

    __slots__ = ("group", "name")

    def __init__(self, group, name):
        self.group = group
        self.name = name

    def __repr__(self):
        return self.name

    def __reduce__(self):
        return (_constant, (self.group, self.name))


def _constant(group, name):
    return _constants.setdefault((group, name), Constant(group, name))


def memory(name):
    return _constant("memory", name)


def operator(name):
    return _constant("operator", name)


def dtype(name):
    return DTYPES[name]


def common_dtype(a, b):
    return a if a == b else np.promote_types(a, b)


def is_integer(dtype):
    return np.dtype(dtype).kind in "iub"


_running = threading.local()  # .target: of the kernel that Python evaluates in this thread


@contextlib.contextmanager
def running(target):
    """What asks for the target in this block is told this one."""
    before, _running.target = getattr(_running, "target", None), target
    try:
        yield
    finally:
        _running.target = before


def target():
    """The target of the kernel that Python evaluates here, else of kernels that name none: what the vendor's environment
    variables say, else trn2."""
    return getattr(_running, "target", None) or os.environ.get("NEURON_PLATFORM_TARGET_OVERRIDE") or os.environ.get("NKI_NC_VERSION") or "trn2"


_sizes = {}


class tile_size:
    """A member of nl.tile_size: an int that follows the target."""

    def __init__(self, name):
        self.name = name

    def __get__(self, instance, owner):
        key = (target(), self.name)
        if key not in _sizes:
            _sizes[key] = _native.Session().evaluate(f"nl.tile_size.{self.name}", key[0])
        return _sizes[key]


def generation():
    return _native.Session().evaluate("nisa.get_nc_version().value", target())


def jit(function):
    from klr._jit import Kernel

    return Kernel(function)


def simulate(kernel):
    from klr._jit import Kernel

    return kernel if isinstance(kernel, Kernel) else Kernel(kernel)


class _Removed:
    def __init__(self, name, help):
        self.name, self.help = name, help

    def _raise(self, *_arguments, **_keywords):
        raise AttributeError(f"{self.name} is no longer part of NKI; use {self.help}")

    __call__ = __getitem__ = _raise


def removed(name, help):
    return _Removed(name, help)


class _NkiMeta(type):
    """Gives classes without an initialiser of their own the one NKI generates.

    Its fields are the names of the class and its bases, annotated or not, in order of definition; each defaults to the
    class's value, or to None. @dataclass changes nothing about it.
    """

    def __call__(cls, *arguments, **keywords):
        if not cls._klr_generated():
            return super().__call__(*arguments, **keywords)
        fields = cls._klr_fields()
        self = cls.__new__(cls)
        if len(arguments) > len(fields):
            raise TypeError(f"{cls.__name__}() takes at most {len(fields)} arguments ({len(arguments)} given)")
        values = dict(zip(fields, arguments))
        for name, value in keywords.items():
            if name not in fields or name in values:
                raise TypeError(f"{cls.__name__}() got an unexpected or repeated argument '{name}'")
            values[name] = value
        for name in fields:
            object.__setattr__(self, name, values[name] if name in values else _default(cls, name))
        if hasattr(self, "__post_init__"):
            self.__post_init__()
        return self

    def _klr_generated(cls):
        init = cls.__init__
        if init is object.__init__:
            return True
        code = getattr(init, "__code__", None)
        return code is not None and code.co_filename.startswith("<") and code.co_filename == "<string>"

    def _klr_fields(cls):
        fields = {}
        for base in reversed(cls.__mro__):
            if base is object or base.__name__ == "NKIObject":
                continue
            for name in _names_in_order(base):
                fields.setdefault(name, None)
        return fields


def _names_in_order(cls):
    annotated = list(cls.__dict__.get("__annotations__", {}))
    plain = [n for n, v in cls.__dict__.items()
             if not n.startswith("__") and n not in annotated and not inspect.isroutine(v)
             and not isinstance(v, (property, type, staticmethod, classmethod)) and not n.startswith("_abc_")]
    order = list(cls.__dict__)
    result = list(annotated)
    for name in plain:
        after = [n for n in annotated if n in cls.__dict__ and order.index(n) < order.index(name)]
        result.insert(result.index(after[-1]) + 1 if after else len(result), name)
    return result


def _default(cls, name):
    spec = getattr(cls, "__dataclass_fields__", {}).get(name)
    if spec is not None:
        import dataclasses

        if spec.default is not dataclasses.MISSING:
            return spec.default
        if spec.default_factory is not dataclasses.MISSING:
            return spec.default_factory()
    return getattr(cls, name, None)


class NKIObject(metaclass=_NkiMeta):
    """Base of the classes that kernels use."""


class NkiInstruction(_native.Held):
    """What instructions give inside a kernel."""

    __slots__ = ()


class VirtualRegister(_native.Held):
    """A number known when the kernel runs."""

    __slots__ = ()


class NkiTensor(_native.Held):
    """A tensor of a kernel."""

    __slots__ = ()

    def __class_getitem__(cls, shape):
        """`tensor[128, 512]` in an annotation: the shape documents."""
        return cls


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)

    def function(*_arguments, **_keywords):
        raise RuntimeError("instructions belong to a kernel: mark the function with @nki.jit and call it with arrays")

    function.__name__ = function.__qualname__ = name
    return globals().setdefault(name, _native.Function(function, "_klr", name))


# ---- the library's own functions

class _Loader(importlib.machinery.SourceFileLoader):
    """Functions of the library, as soon as a module of it has them, become those of the kernel that calls them."""

    def exec_module(self, module):
        super().exec_module(module)
        for name, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and value.__module__ == module.__name__ and not name.startswith("_") \
                    and "body_fun" not in value.__code__.co_varnames[:value.__code__.co_argcount]:
                setattr(module, name, _native.Function(value, module.__name__[4:], value.__qualname__))


class _Finder:
    """Finds klr.nki, where Python would."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "klr.nki" and not name.startswith("klr.nki."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


sys.meta_path.insert(0, _Finder)
