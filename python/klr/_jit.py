"""Kernels as Python objects: bound to arguments, traced, kept, run."""

import functools
import inspect
import os
import threading

import numpy as np

from klr import _arrays, _errors, _library, _live, _native
from klr._dtypes import numpy_dtype


class Traced:
    """A kernel specialised to its arguments: a `.klr` kernel, the order of its inputs, the form of its result."""

    def __init__(self, session, handle, inputs, result, seen):
        self.session, self.handle, self.inputs, self.result, self.seen = session, handle, inputs, result, seen


def _flag(name):
    return os.environ.get(name, "") not in ("", "0", "false", "False")


class Options:
    """How kernels run: target, logical cores, checks, threads. Environment variables of the vendor's simulator count."""

    def __init__(self, target=None, f32=None, checks=True, reference=False, lenient=False, strict=False, threads=0, seed=0):
        self.target = target or _library.target()
        self.f32 = os.environ.get("NKI_PRECISE_FP", "1") in ("0", "false") if f32 is None else f32
        self.checks, self.reference, self.lenient, self.strict = checks, reference, lenient, strict
        self.threads, self.seed = threads or os.cpu_count() or 1, seed


class Kernel:
    """A function marked with @nki.jit. Called with arrays it runs; `kernel[lnc]` runs on that many logical cores."""

    def __init__(self, function, lnc=None, options=None):
        if isinstance(function, Kernel):
            function, lnc = function.function, lnc or function.lnc
        if not callable(function):
            raise TypeError(f"nki.jit takes a function, not {type(function).__name__}")
        self.function = function
        self.lnc = lnc
        self.options = options
        self._cache = {}
        self._lock = threading.Lock()
        functools.update_wrapper(self, function)

    def __getitem__(self, lnc):
        if isinstance(lnc, tuple) and len(lnc) == 1:
            lnc = lnc[0]
        if not isinstance(lnc, (int, np.integer)) or lnc < 1:
            raise TypeError(f"kernel[lnc] takes the number of logical cores, not {lnc!r}")
        other = Kernel(self.function, int(lnc), self.options)
        other._cache, other._lock = self._cache, self._lock
        return other

    def __repr__(self):
        return f"<kernel {self.__qualname__}{f'[{self.lnc}]' if self.lnc else ''}>"

    def __reduce__(self):
        return (_by_name, (self.__module__, self.__qualname__, self.lnc))

    def bind(self, arguments, keywords):
        """{parameter: value}, defaults left out."""
        bound = inspect.signature(self.function).bind(*arguments, **keywords)
        values = dict(bound.arguments)
        for parameter in inspect.signature(self.function).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                values.update(values.pop(parameter.name, {}))
            elif parameter.kind is parameter.VAR_POSITIONAL and values.get(parameter.name):
                raise TypeError(f"a kernel's arguments need names; `*{parameter.name}` takes some without")
        return values

    def trace(self, *arguments, **keywords):
        """The kernel specialised to these arguments, from the cache when nothing it depends on has changed."""
        return self._trace(self.bind(arguments, keywords), self.options or Options())

    def _trace(self, values, options):
        key = (self.lnc, options.target, options.strict, options.lenient, freeze(values, True))
        with self._lock:
            known = self._cache.get(key)
            if known and not known.seen.changed():
                return known, _order(values, known.inputs)
        session = _native.Session()
        seen = Seen()
        found = session.trace(seen.describe, seen.add, self.function, values, options.target, self.lnc or 0, options.strict,
                              options.lenient)
        _errors.report(session, found is None)
        handle, inputs, result = found
        traced = Traced(session, handle, _places(values, inputs), result, seen)
        seen.close()
        with self._lock:
            self._cache[key] = traced
        return traced, inputs

    def __call__(self, *arguments, **keywords):
        options = self.options or Options()
        traced, inputs = self._trace(self.bind(arguments, keywords), options)
        return run(traced, inputs, options)


def _by_name(module, qualname, lnc):
    import importlib

    found = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found[lnc] if lnc else found


def run(traced, inputs, options):
    """Run a traced kernel on the objects of its inputs, in order; the result in the form that the kernel returns."""
    handle = traced.handle
    arguments = [_arrays.Argument(value) for value in inputs]
    specs = handle.inputs()
    outputs = [np.empty(shape, numpy_dtype(dtype)) for _, dtype, shape, _ in handle.outputs()]
    session = _native.Session()
    ok = handle.run(session, [_arrays.address(a.memory) for a in arguments], [_arrays.address(o) for o in outputs],
                    options.target, options.f32, options.checks, options.reference, options.lenient, options.threads,
                    options.seed)
    _errors.report(session, not ok)
    for argument, spec in zip(arguments, specs):
        argument.finish(spec[0])
    kinds = {a.kind for a in arguments} - {"numpy"}
    kind = kinds.pop() if len(kinds) == 1 else "numpy"
    names = {spec[0]: argument.value for argument, spec in zip(arguments, specs)}
    results = [names[name] if name in names else _arrays.like(array, kind)
               for array, (name, _, _, _) in zip(outputs, handle.outputs())]
    return _form(traced.result, results)


def _form(form, results):
    if form is None:
        return None
    if isinstance(form, int):
        return results[form]
    return (tuple if form[0] == "tuple" else list)(_form(item, results) for item in form[1])


# ---- where a kernel's inputs stand among its arguments, so that a kept kernel finds those of the next call

def _walk(value, path, found):
    if _arrays.framework(value):
        found.setdefault(id(value), path)
    elif isinstance(value, (tuple, list)):
        for i, item in enumerate(value):
            _walk(item, path + (("item", i),), found)
    elif isinstance(value, dict):
        for key, item in value.items():
            _walk(item, path + (("item", key),), found)
    elif hasattr(value, "__dict__") and not isinstance(value, (type, Kernel)) and not callable(value):
        for name, item in vars(value).items():
            _walk(item, path + (("attribute", name),), found)


def _places(values, inputs):
    found = {}
    _walk(values, (), found)
    return [found[id(value)] for value in inputs]


def _order(values, places):
    inputs = []
    for path in places:
        value = values
        for kind, name in path:
            value = value[name] if kind == "item" else vars(value)[name]
        inputs.append(value)
    return inputs


# ---- what a traced kernel depends on

def freeze(value, in_arguments=False, depth=0):
    """A value that is equal and hashable as long as the tracer would see the same in `value`."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
        return (type(value), repr(value))
    if in_arguments and _arrays.framework(value):
        return ("array", tuple(value.shape), str(value.dtype))
    if depth > 8:
        return ("object", id(value))
    if isinstance(value, (tuple, list, set, frozenset)):
        return (type(value), tuple(freeze(item, in_arguments, depth + 1) for item in value))
    if isinstance(value, dict):
        return (dict, tuple((freeze(k, False, depth + 1), freeze(v, in_arguments, depth + 1)) for k, v in value.items()))
    if inspect.isfunction(value):
        cells = tuple(_cell(cell, depth) for cell in value.__closure__ or ())
        return ("function", value.__code__, freeze(value.__defaults__, False, depth + 1), cells)
    if isinstance(value, Kernel):
        return ("kernel", value.lnc, freeze(value.function, False, depth + 1))
    if isinstance(value, type) or inspect.ismodule(value) or callable(value) or not hasattr(value, "__dict__"):
        return ("object", id(value))
    return (type(value), freeze(vars(value), in_arguments, depth + 1))


def _cell(cell, depth):
    try:
        return freeze(cell.cell_contents, False, depth + 1)
    except ValueError:
        return None


class Seen:
    """The global names a trace has looked up, and what they held."""

    def __init__(self):
        self.names = {}
        self.objects = []

    def describe(self, value, in_arguments):
        return _live.describe(value, in_arguments)

    def add(self, scope, name):
        self.names[(id(scope), name)] = scope

    def close(self):
        self.values = {key: freeze(scope[key[1]]) for key, scope in self.names.items()}

    def changed(self):
        return any(key[1] not in scope or freeze(scope[key[1]]) != self.values[key]
                   for key, scope in self.names.items())
