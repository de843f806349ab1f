"""Kernels as Python objects: bound to arguments, traced, kept, run."""

import functools
import importlib
import inspect
import os
import pickle
import sys
import types

import numpy as np

from klr import _arrays, _cache, _eager, _errors, _library, _live, _native
from klr._dtypes import numpy_dtype

_KEPT = 128  # traced kernels of one function
_CORES = os.cpu_count() or 1


class Options:
    """How kernels run: target, logical cores, checks, threads. Environment variables of the vendor's simulator count.

    `poison`: what was never written is a warning and reads as NaN (4 in integers), as in the vendor's simulator.
    `zeros`: it reads as 0 instead, as on a device that was just started.
    `ocp_scales`: quantize_mx as in the OCP sample and the vendor's older references, not as documented.
    """

    def __init__(self, target=None, f32=None, checks=None, reference=False, lenient=False, strict=False, threads=0, seed=0,
                 poison=True, zeros=None, ocp_scales=None):
        self.target = target or _library.target()
        self.f32 = os.environ.get("NKI_PRECISE_FP", "1") in ("0", "false") if f32 is None else f32
        self.checks = os.environ.get("KLR_CHECKS", "all") != "none" if checks is None else checks
        self.reference, self.lenient, self.strict = reference, lenient, strict
        self.zeros = os.environ.get("KLR_UNWRITTEN") == "zero" if zeros is None else zeros
        self.ocp_scales = os.environ.get("KLR_MX_SCALES") == "ocp" if ocp_scales is None else ocp_scales
        self.threads, self.seed, self.poison = threads or _CORES, seed, poison


class Traced:
    """A kernel specialised to its arguments: its inputs, outputs and the form of its result."""

    def __init__(self, session, handle, places, result, reads, kept):
        self.session, self.handle, self.places, self.result = session, handle, places, result
        self.reads, self.kept = reads, kept
        self.names = [spec[0] for spec in handle.inputs()]
        self.written = handle.written()
        self.outputs = [(name, tuple(shape), numpy_dtype(dtype)) for name, dtype, shape, _ in handle.outputs()]
        self.aliases = [self.names.index(name) if name in self.names else None for name, _, _ in self.outputs]
        self.warnings = [d for d in _errors.read(session) if d["severity"] == "warning"] if session.count() else []

    def inputs(self, arrays):
        return [arrays[place] for place in self.places]

    def with_result(self, result):
        """The same with its result in another form."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__, result=result)
        return other


def _checked(function):
    """A function that can be a kernel. Raises TypeError for what cannot."""
    if isinstance(function, staticmethod):
        function = function.__func__
    if isinstance(function, classmethod):
        raise TypeError("nki.jit takes a function: write @classmethod above @nki.jit")
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"nki.jit takes a function, not {'a class' if isinstance(function, type) else type(function).__name__}")
    inner = inspect.unwrap(function)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        raise TypeError(f"a kernel cannot be an async function: `{inner.__name__}` is one")
    if inspect.isgeneratorfunction(inner):
        raise TypeError(f"a kernel cannot be a generator: `{inner.__name__}` yields; return its results")
    if isinstance(function, (types.BuiltinFunctionType, np.ufunc)):
        raise TypeError(f"nki.jit takes a function written in Python, not the built-in `{function.__name__}`")
    return function


class Arguments(dict):
    """{parameter: value} of a call in their order, the first `positional` of which are given by place; those of `*rest` are
    named `rest.0`, `rest.1`, ... Defaults are left out."""

    positional = 0

    def apply(self, function):
        """The result of a call of `function` with these arguments."""
        values = list(self.values())
        return function(*values[:self.positional], **dict(list(self.items())[self.positional:]))

    def changed(self, change):
        """The same arguments with `change` of each value."""
        made = Arguments((name, change(value)) for name, value in self.items())
        made.positional = self.positional
        return made


class Kernel:
    """A function marked with @nki.jit. Called with arrays it runs; `kernel[lnc]` runs on that many logical cores."""

    def __init__(self, function, lnc=None, options=None):
        self.preset = ((), {})
        self.is_static = isinstance(function, staticmethod)
        while isinstance(function, functools.partial):
            self.preset = (function.args + self.preset[0], {**function.keywords, **self.preset[1]})
            function = function.func
        if isinstance(function, Kernel):
            lnc = lnc or function.lnc
            self.preset = (function.preset[0] + self.preset[0], {**function.preset[1], **self.preset[1]})
            function = function.function
        self.function = _checked(function)
        self.lnc = lnc
        self.options = options
        self._cache = {}
        self._simple = None
        functools.update_wrapper(self, self.function)
        _live.note_text(inspect.unwrap(self.function))

    def _like(self, **changes):
        """The same kernel with some attributes changed; what was traced is shared."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.__dict__.update(changes)
        return other

    def __getitem__(self, lnc):
        if isinstance(lnc, tuple) and len(lnc) == 1:
            lnc = lnc[0]
        if not isinstance(lnc, (int, np.integer)) or isinstance(lnc, bool) or lnc < 1:
            raise TypeError(f"kernel[lnc] takes the number of logical cores, not {lnc!r}")
        return self._like(lnc=int(lnc))

    def __get__(self, instance, owner=None):
        """As a method: the object is the first argument."""
        return self if instance is None or self.is_static else self._like(preset=((instance, *self.preset[0]), self.preset[1]))

    def __repr__(self):
        name = getattr(self, "__qualname__", type(self.function).__name__)
        return f"<kernel {name}{f'[{self.lnc}]' if self.lnc else ''}>"

    def __reduce__(self):
        plain = inspect.unwrap(self.function)
        found = _named(plain.__module__, plain.__qualname__)
        if not isinstance(found, Kernel) or found.function is not self.function:
            raise pickle.PicklingError(f"{self!r} cannot be pickled: `{plain.__module__}.{plain.__qualname__}` is not this kernel")
        return (_by_name, (plain.__module__, plain.__qualname__, self.lnc, self.preset, self.options))

    def bound_function(self):
        """What tracing calls for this kernel in another one."""
        arguments, keywords = self.preset
        if not arguments and not keywords:
            return self.function
        if len(arguments) == 1 and not keywords:
            return types.MethodType(self.function, arguments[0])
        return functools.partial(self.function, *arguments, **keywords)

    # ---- arguments

    def _simple_names(self):
        """Names of the parameters, when all of them are ordinary; kept until the function's code is another."""
        code = getattr(self.function, "__code__", None)
        known = self._simple
        if known is None or known[0] is not code:
            parameters = inspect.signature(self.function).parameters.values()
            ordinary = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
            required = sum(1 for p in parameters if p.default is p.empty)
            self._simple = known = (code, tuple(p.name for p in parameters) if ordinary else None, required)
        return known[1:]

    def bind(self, arguments, keywords):
        """The Arguments of a call. Raises TypeError when they do not fit."""
        if self.preset[0] or self.preset[1]:
            arguments, keywords = (*self.preset[0], *arguments), {**self.preset[1], **keywords}
        names, required = self._simple_names()
        if names is not None and not keywords and required <= len(arguments) <= len(names):
            return Arguments(zip(names, arguments))
        return self._bind_any(arguments, keywords)

    def _bind_any(self, arguments, keywords):
        signature = inspect.signature(self.function)
        try:
            bound = signature.bind(*arguments, **keywords)
        except TypeError as error:
            raise _errors.of_caller(TypeError(f"{getattr(self, '__name__', 'kernel')}(): {error}")) from None
        values = Arguments()
        by_place = any(p.kind is p.VAR_POSITIONAL and p.name in bound.arguments for p in signature.parameters.values())
        for name, value in bound.arguments.items():
            kind = signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                values.update((f"{name}.{i}", item) for i, item in enumerate(value))
                values.positional = len(values)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                twice = sorted(values.keys() & value.keys())
                if twice:
                    raise _errors.of_caller(TypeError(f"two arguments of a kernel are called `{twice[0]}`"))
                values.update(value)
            else:
                values[name] = value
                if kind is inspect.Parameter.POSITIONAL_ONLY or (by_place and kind is inspect.Parameter.POSITIONAL_OR_KEYWORD):
                    values.positional = len(values)
        return values

    # ---- tracing and running

    @_native.Entry
    def trace(self, *arguments, **keywords):
        """The kernel for these arguments as a klr.core.Kernel, to look at, verify, write or run. Nothing runs."""
        from klr import core

        traced, _ = self._trace(self.bind(arguments, keywords), self.options or Options())
        return core.Kernel(traced.session, traced.handle)

    def _trace(self, values, options):
        """(Traced, the arrays of its inputs), from the cache when nothing it depends on has changed. Raises klr.Error."""
        traced, arrays = self._find(values, options)
        return traced, traced.inputs(arrays)

    def _find(self, values, options):
        frozen, arrays, kept, met = _cache.freeze(values)
        kept.append(self.function)
        key = (id(self.function), self.lnc, options.target, options.strict, options.lenient, frozen)
        known = self._cache.get(key)
        if known is None or known.reads.changed(met):
            known = self._trace_anew(values, arrays, kept, options)
            if known.reads.keeps:
                self._keep(key, known)
        if known.warnings:
            _errors.warn(known.warnings, self._home())
        return known, arrays

    def _trace_anew(self, values, arrays, kept, options):
        session, reads = _native.Session(), _cache.Reads()
        found = session.trace(reads, self.function, values, values.positional, options.target, self.lnc or 0, options.strict, options.lenient)
        if found is None:
            try:
                _errors.report(session, True, home=self._home())
            except _errors.Error as error:
                error.only_python_can = error.code == _errors.BREAKPOINT or reads.has_no_text
                raise
        handle, inputs, result = found
        places = {id(array): i for i, array in enumerate(arrays)}
        return Traced(session, handle, [places[id(array)] for array in inputs], result, reads, kept)

    def _keep(self, key, traced):
        while len(self._cache) >= _KEPT:  # the oldest; other threads may be quicker
            try:
                self._cache.pop(next(iter(self._cache)), None)
            except (StopIteration, RuntimeError):
                break
        self._cache[key] = traced

    def _home(self):
        return getattr(inspect.unwrap(self.function), "__globals__", None)

    @_native.Entry
    def __call__(self, *arguments, **keywords):
        """Run the kernel: its results in the form that it returns."""
        if _native.in_kernel():
            return self.bound_function()(*arguments, **keywords)
        options = self.options or Options()
        values = self.bind(arguments, keywords)
        if _eager.wanted() and not _any_traced(values):
            return self._run_eagerly(values, options)[0]
        try:
            traced, arrays = self._find(values, options)
        except _errors.Error as error:
            if not error.only_python_can or _eager.asked() is False or _any_traced(values):
                raise
            traced = None
        if traced is None:
            return self._run_eagerly(values, options)[0]
        inputs = traced.inputs(arrays)
        if any(map(_arrays.is_traced, inputs)):
            from klr import _in_jax

            return _in_jax.call(traced, inputs, options)
        return run(traced, inputs, options, self._home())

    def _run_eagerly(self, values, options):
        """The result, and the kernel that the call was, without loops and branches."""
        with _eager.Call(self.function, self.lnc, values, options, self._home()) as call:
            handle, inputs, result = call.evaluate()
            traced = Traced(call.session, handle, [], result, None, None)
            worker = _Worker(traced, inputs)
            call.give([_arrays.address(a.memory) for a in worker.arguments], [_arrays.address(o) for o in worker.outputs])
            return worker.result(worker.finish()), traced

    @_native.Entry
    def ranks(self, calls):
        """Run on as many ranks as there are `calls`, which meet in collectives: for each the arguments as a tuple, or by
        name as a dict. Arrays may differ in what they hold and in nothing else. A list of the results."""
        options = self.options or Options()
        bound = [self.bind((), call) if isinstance(call, dict) else self.bind(tuple(call), {}) for call in calls]
        if not bound:
            raise ValueError("a kernel runs on one rank at least")
        traced = home = None
        inputs = []
        for rank, values in enumerate(bound):
            found, arrays = self._find(values, options)
            if traced is not None and found is not traced and found.handle.write(0) != traced.handle.write(0):
                raise ValueError(f"the arguments of rank {rank} differ from those of rank 0 in more than what arrays hold")
            traced, home = found, self._home()
            inputs.append(traced.inputs(arrays))
        return run_ranks(traced, inputs, options, home)


def _any_traced(values):
    return any(map(_arrays.is_traced, _cache.freeze(values)[1]))


def _named(module, qualname):
    """The object of that name, or None."""
    found = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _by_name(module, qualname, lnc, preset=((), {}), options=None):
    """What pickle wrote of a kernel. A kernel without arguments of its own is the very object of that name."""
    importlib.import_module(module)
    found = _named(module, qualname)
    if preset == ((), {}) and options is None:
        return found[lnc] if lnc else found
    return found._like(lnc=lnc, preset=preset, options=options)


def run(traced, inputs, options, home=None):
    """Run a traced kernel on the objects of its inputs, in order; the result in the form that the kernel returns."""
    return run_ranks(traced, [inputs], options, home)[0]


def run_ranks(traced, inputs, options, home=None):
    """The same on several ranks at once, `inputs` and results a list of them."""
    ranks = [_Worker(traced, own) for own in inputs]
    if len(ranks) > 1 and True in traced.written:
        _arrays.check_apart([a for rank in ranks for a in rank.arguments],
                            [f"{name} of rank {number}" for number in range(len(ranks)) for name in traced.names])
    addresses = lambda arrays: [_arrays.address(array) for array in arrays]
    session = _native.Session()
    ok = traced.handle.run(session, addresses(a.memory for rank in ranks for a in rank.arguments),
                           addresses(array for rank in ranks for array in rank.outputs), options.target, options.f32,
                           options.checks, options.reference, options.lenient, options.poison, options.threads, options.seed,
                           len(ranks), options.zeros, options.ocp_scales)
    values = [rank.finish() for rank in ranks] if ok else None
    if not ok or session.count():
        _errors.report(session, not ok, home=home)
    return [rank.result(own) for rank, own in zip(ranks, values)]


class _Worker:
    """The arrays of one rank of a run."""

    def __init__(self, traced, inputs):
        self.traced = traced
        self.arguments = [_arrays.Argument(value, name, written)
                          for value, name, written in zip(inputs, traced.names, traced.written)]
        check_writes(traced, self.arguments)
        self.outputs = [self.arguments[alias].memory if alias is not None and traced.written[alias] else np.empty(shape, dtype)
                        for (_, shape, dtype), alias in zip(traced.outputs, traced.aliases)]

    def finish(self):
        """The values of the arguments after the run."""
        return [argument.finish() for argument in self.arguments]

    def result(self, values):
        kinds = {argument.kind for argument in self.arguments}
        if "torch" in kinds:
            _arrays.warn_of_gradients(self.arguments, self.traced.names)
        kind = kinds.pop() if len(kinds) == 1 else "numpy"
        return form(self.traced.result, [_arrays.like(array, kind) if alias is None else values[alias]
                                         for array, alias in zip(self.outputs, self.traced.aliases)])


def check_writes(traced, arguments):
    """What the kernel writes must be there to be written, each element in one place."""
    if True not in traced.written:
        return
    for i, argument in enumerate(arguments):
        if argument.is_written and argument.kind == "jax" and i not in traced.aliases:
            raise _errors.KernelTypeError(f"the kernel writes its argument `{traced.names[i]}` and does not return it; jax arrays cannot be "
                                          "written: return it, and the result is a new array")
    _arrays.check_apart(arguments, traced.names)


def form(shape, results):
    """`results` in the form that the kernel returns: one, None, or a tuple or list of them."""
    if shape is None:
        return None
    if isinstance(shape, int):
        return results[shape]
    return (tuple if shape[0] == "tuple" else list)(form(item, results) for item in shape[1])
