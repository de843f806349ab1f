"""When a traced kernel may be used again: the key of its arguments, and what its trace has read of the program.

A trace is decided by the arguments and by what it reads on the way: global names, closures, defaults, the insides of
objects. `freeze` makes a key of the arguments in which equal means that the tracer sees the same. `Reads` keeps what else
was read as it was; `changed` compares. Objects are compared by identity, so that this is fast; plain values by value.
"""

import collections
import enum
import functools
import logging
import operator
import os
import struct
import sys
import types

import numpy as np

from klr import _arrays, _errors, _live

MISSING = object()
_pack = struct.Struct("d").pack
_PLAIN = frozenset((bool, int, str, bytes, type(None)))
_BY_IDENTITY = (type, types.ModuleType, types.BuiltinFunctionType, enum.Enum, logging.Logger, np.ufunc, np.dtype, _live.Constant)
PROGRAM, ARGUMENT, CAPTURED = range(3)  # enum Reach of _native.c


def same(a, b):
    """Whether the tracer sees the same in two objects. Containers are the same when they are one; their insides have
    entries of their own."""
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind in _PLAIN:
        return a == b
    if kind is float:
        return _pack(a) == _pack(b)
    if kind is tuple:
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.generic):
        return a.tobytes() == b.tobytes()
    return kind is types.MethodType and a.__func__ is b.__func__ and a.__self__ is b.__self__


def _same_items(now, then):
    return len(now) == len(then) and (all(map(operator.is_, now, then)) or all(map(same, now, then)))


def _same_dict(now, then):
    return _same_items(list(now), list(then)) and _same_items(list(now.values()), list(then.values()))


# ---- the key of arguments

class _Freezer:
    """Walks arguments. What is met again is named by its number, so that objects passed twice differ from equal ones."""

    def __init__(self):
        self.met, self.arrays, self.held, self.made = {}, [], [], []

    def object(self, value):
        """By identity; the key's owner keeps it alive."""
        self.held.append(value)
        return id(value)

    def items(self, values, reach):
        return tuple([self.value(item, reach) for item in values])

    def array(self, value, reach):
        if reach == CAPTURED:
            array = _arrays.as_numpy(value)
            return (array.dtype.str, array.shape, array.tobytes())
        self.arrays.append(value)
        return (_arrays.element_type(value), _arrays.shape_of(value))

    def function(self, value, reach):
        cells = tuple([self.cell(cell, CAPTURED) for cell in value.__closure__ or ()])
        return (self.object(value.__code__), self.object(value.__globals__), value.__defaults__ and self.items(value.__defaults__, CAPTURED),
                value.__kwdefaults__ and self.value(value.__kwdefaults__, CAPTURED), cells)

    def cell(self, cell, reach):
        try:
            return self.value(cell.cell_contents, reach)
        except ValueError:
            return None

    def value(self, value, reach):
        kind = type(value)
        if kind in _PLAIN:
            return (kind, value)
        if kind is float:
            return (kind, _pack(value))
        if kind is tuple:
            return (kind, self.items(value, reach))
        number = self.met.get(id(value))
        if number is not None:
            return ("again", number)
        self.met[id(value)] = len(self.met)
        if _arrays.framework(value):
            if not _arrays.shape_of(value):
                return ("number", self.value(_arrays.number(value), reach))
            return ("array", self.array(value, reach))
        if kind is list:
            return (kind, self.items(tuple(value), reach))
        if kind is dict:
            value = value.copy()
            return (kind, self.items(value, reach), self.items(value.values(), reach))
        if kind is set or kind is frozenset:
            return (kind, self.items(tuple(value), reach))
        if isinstance(value, np.generic):
            return (kind, value.tobytes())
        if kind is types.FunctionType:
            return ("function", self.function(value, reach))
        if kind is types.MethodType:
            return ("method", self.value(value.__func__, reach), self.value(value.__self__, reach))
        if kind in (np.dtype, range, slice):
            return (kind, repr(value))
        if isinstance(value, _BY_IDENTITY):
            return ("object", self.object(value))
        if kind is functools.partial:
            return ("partial", self.value(value.func, reach), self.value(value.args, reach), self.value(value.keywords, reach))
        if kind is functools._lru_cache_wrapper:
            return ("cached", self.value(value.__wrapped__, reach))
        if kind is types.MappingProxyType or kind is collections.deque:
            self.made.append(dict(value) if kind is types.MappingProxyType else list(value))
            return (kind, self.value(self.made[-1], reach))
        if isinstance(value, _live.kernel_class()):
            return ("kernel", value.lnc, self.value(value.function, reach))
        if kind is memoryview or (kind.__module__ == "array" and kind.__name__ == "array"):
            name = "a memoryview" if kind is memoryview else "an array.array"
            raise _errors.KernelTypeError(f"{name}, which no kernel takes: np.asarray(...) is an array of the same memory")
        attributes, held = _live.attributes_of(value), _live.held_value(value)
        self.made.append(held)  # so that its address is not another's meanwhile
        return ("instance", self.object(kind), self.items(attributes, reach), self.items(attributes.values(), reach),
                None if held is None else self.value(held, reach))


def freeze(values):
    """(key, arrays, kept, met): a hashable key of {parameter: value}; the arrays in it, each once; what must live as long as
    the key is in use; the addresses of the objects in it. Raises TypeError for arrays that no kernel takes."""
    freezer, name = _Freezer(), None
    try:
        key = []
        for name, value in values.items():
            key.append((name, freezer.value(value, ARGUMENT)))
        return tuple(key), freezer.arrays, freezer.held, freezer.met
    except RecursionError:
        raise RecursionError(f"argument `{name}` is nested too deeply for a kernel") from None
    except _errors.KernelTypeError as error:
        raise _errors.KernelTypeError(f"argument `{name}` is {error}") from error.__cause__


# ---- what was read besides

class Reads:
    """What a trace reads of the program, as it was. The tracer calls the methods."""

    def __init__(self):
        self.insides = set()  # addresses of the containers and objects read
        self.keeps = True  # False: the trace depends on what cannot be compared
        self.has_no_text = False  # of a function that the trace came to
        self.names, self.checks, self.environment = [], [], None

    # ---- during the trace

    def describe(self, value, reach):
        what = _live.describe(value, reach != CAPTURED and reach != PROGRAM)
        if what[0] == "function" and what[3] is None:
            self.has_no_text = True
        if reach == PROGRAM or what[0] == "class":
            self._remember(value, what)
        return what

    def name(self, scope, name, value=MISSING):
        self.names.append((scope, name, value))

    def container(self, value, copy):
        self.insides.add(id(value))
        self.checks.append((_container_differs, value, copy))

    def cell(self, cell, value=MISSING):
        self.checks.append((_cell_differs, cell, value))

    def module(self, name, found=None):
        if _live.library_module("klr." + name) or name.partition(".")[0] == "nki":
            return
        if found is None and name.rpartition(".")[0] not in sys.modules:
            self.keeps = False  # the tracer may find it in a folder
        self.checks.append((_module_differs, name, found))

    def file(self, path):
        self.checks.append((_file_differs, path, _file_now(path)))

    def finish(self, is_entangled, reads_environment, reads_files):
        self.keeps = self.keeps and not is_entangled and not reads_files
        if reads_environment:
            self.checks.append((_environment_differs, None, _environment_now()))

    def _remember(self, value, what):
        kind = what[0]
        if kind == "function":
            self.checks.append((_function_differs, value, _function_now(value)))
            if value.__kwdefaults__:
                self.container(value.__kwdefaults__, dict(value.__kwdefaults__))
        elif kind == "class":
            self.checks.append((_class_differs, value, (dict(vars(value)), value.__bases__)))
            for function in _live.functions_of(value):
                self.checks.append((_function_differs, function, _function_now(function)))
                for cell in function.__closure__ or ():
                    self.checks.append((_cell_differs, cell, _cell_now(cell)))
        elif kind == "instance":
            self.insides.add(id(value))
            self.checks.append((_instance_differs, value, (type(value), dict(what[2]), _live.held_items(value))))
        elif kind in ("value", "call") and not isinstance(value, (np.generic, type)):
            self.insides.add(id(value))
            self.checks.append((_parts_differ, value, _live.parts_of(value)))
        elif kind == "array":
            self.checks.append((_array_differs, value, what[3]))
        elif kind == "kernel":
            self.checks.append((_kernel_differs, value, value.function))
        elif kind == "opaque" and _arrays.framework(value):
            self.checks.append((_type_differs, value, (_arrays.element_type(value), _arrays.shape_of(value))))

    # ---- at later calls

    def changed(self, met):
        """Whether the trace would come out differently. `met`: addresses of the objects in the arguments now; the kernel
        may reach them in other ways too, as it could not when it was traced."""
        if self.insides and not self.insides.isdisjoint(met):
            return True
        for scope, name, then in self.names:
            now = scope.get(name, MISSING)
            if now is not then and not same(now, then):
                return True
        for differs, value, then in self.checks:
            if differs(value, then):
                return True
        return False


def _container_differs(value, then):
    try:
        return not (_same_dict(value, then) if type(then) is dict else _same_items(tuple(value), then))
    except RuntimeError:  # it changes this very moment
        return True


def _cell_now(cell):
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def _cell_differs(cell, then):
    now = _cell_now(cell)
    return now is not then and not same(now, then)


def _module_differs(name, then):
    return sys.modules.get(name) is not then


def _file_now(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _file_differs(path, then):
    return _file_now(path) != then


def _environment_now():
    return (dict(os.environ), os.getcwd())


def _environment_differs(_, then):
    return _environment_now() != then


def _function_now(f):
    return (f.__code__, f.__defaults__, f.__kwdefaults__)


def _function_differs(f, then):
    return f.__code__ is not then[0] or f.__defaults__ is not then[1] or f.__kwdefaults__ is not then[2]


def _class_differs(cls, then):
    return not _same_dict(vars(cls), then[0]) or cls.__bases__ != then[1]


def _instance_differs(value, then):
    return type(value) is not then[0] or not _same_dict(_live.attributes_of(value), then[1]) or \
        not _same_items(_live.held_items(value), then[2])


def _parts_differ(value, then):
    try:
        return not _same_items(_live.parts_of(value), then)
    except RuntimeError:
        return True


def _array_differs(value, then):
    return _arrays.as_numpy(value).tobytes() != then


def _type_differs(value, then):
    return (_arrays.element_type(value), _arrays.shape_of(value)) != then


def _kernel_differs(kernel, then):
    return kernel.function is not then
