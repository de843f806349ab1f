"""Two runs compared, a run held against arrays, a run beside its twin in double precision."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from klr import _arrays, _errors, _jit, _native, core
from klr._dtypes import nki_name, numpy_dtype


class Report:
    """What `klr.diff` found: true when there is a difference, and readable as text.

    `first` is None or has `a`, `b` (the instructions: `file`, `line`, `text`, `function`, `number`, ...; `b` is None when held
    against arrays), `operand`, `element.a`, `element.b` (`place`, `value`, `bits`, `dtype`), `element.ulps`, `compared`,
    `differing`, `max_ulps`, `max_error` and `operands`. `results` has a tally of each result, `chain` the instructions that
    lead to `first`; `data` is all of it as dictionaries.
    """

    def __init__(self, text: str):
        self.data: Dict[str, Any] = json.loads(text)
        found = json.loads(text, object_hook=lambda d: SimpleNamespace(**d))
        self.same: bool = found.same
        self.first = getattr(found, "first", None)
        self.parted = getattr(found, "parted", None)
        self.chain, self.results, self.instructions = found.chain, found.results, found.instructions
        self._text: str = found.text

    def __bool__(self) -> bool:
        return not self.same

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "<klr.diff: the same>" if self.same else f"<klr.diff: {self._text.splitlines()[0]}>"


class Shadow:
    """What `klr.shadow` found, readable as text.

    `output` is what the kernel returns. `results` say how far each result is from its twin: `error.relative` (norms),
    `error.max`, `error.max_ulps`, `worst`, `actual`, `exact`. `places` are the instructions that add error, the worst first:
    `file`, `line`, `text`, `function`, `added`, `carried`, `total`, `amplified`, `times`. `not_followed` are those after which
    the twin goes on from the run's own values. `data` is all of it as dictionaries.
    """

    def __init__(self, text: str, output: Any):
        self.data: Dict[str, Any] = json.loads(text)["report"]
        found = json.loads(text, object_hook=lambda d: SimpleNamespace(**d))
        self.output = output
        self.results, self.places, self.not_followed = found.report.results, found.report.places, found.report.not_followed
        self._text: str = found.text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<klr.shadow: {len(self.places)} places add error>"


class _Side(NamedTuple):
    arguments: tuple  # as the extension takes them
    session: Any
    memory: List[np.ndarray]  # stays alive as long
    handle: Any
    result: Any               # form of the result; None: a list


def _memory(value: Any) -> np.ndarray:
    array = _arrays.as_numpy(value)
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True, subok=False)


def _side(kernel: Any, args: Sequence[Any], kwargs: Optional[Mapping[str, Any]], options: Dict[str, Any]) -> _Side:
    if isinstance(kernel, core.Kernel):
        if kwargs:
            raise TypeError(f"`{kernel.name}` takes its arrays in order, not by name")
        if len(args) != len(kernel.inputs):
            raise TypeError(f"`{kernel.name}` takes {len(kernel.inputs)} arrays, not {len(args)}")
        handle, inputs, result = kernel._handle, args, None
        chosen = _jit.Options(**options)
    elif callable(kernel):
        jit = kernel if isinstance(kernel, _jit.Kernel) else _jit.Kernel(kernel)
        chosen = _jit.Options(**options) if options or not jit.options else jit.options
        traced, inputs = jit._trace(jit.bind(tuple(args), dict(kwargs or {})), chosen)
        handle, result = traced.handle, traced.result
    else:
        raise TypeError(f"a kernel is a function of nki.jit or a klr.core.Kernel, not {type(kernel).__name__}")
    memory = [_memory(value) for value in inputs]
    for array, (name, dtype, shape, _) in zip(memory, handle.inputs()):
        if array.dtype != numpy_dtype(dtype) or array.size != int(np.prod(shape, dtype=np.int64)):
            raise TypeError(f"`{name}` is {dtype} {tuple(shape)}, not {array.dtype} {array.shape}")
    session = _native.Session()
    arguments = (handle, session, [_arrays.address(m) for m in memory], chosen.target, chosen.f32, chosen.checks,
                 chosen.reference, chosen.lenient, chosen.poison, chosen.threads or os.cpu_count() or 1, chosen.seed)
    return _Side(arguments, session, memory, handle, result)


def _flat(value: Any) -> List[Any]:
    if isinstance(value, (tuple, list)) and not _arrays.framework(value):
        return [item for part in value for item in _flat(part)]
    return [] if value is None else [value]


def _named(side: _Side, expected: Any) -> Dict[str, Any]:
    if isinstance(expected, Mapping):
        return dict(expected)
    given, names = _flat(expected), [spec[0] for spec in side.handle.outputs()]
    if len(given) != len(names):
        raise TypeError(f"the kernel has {len(names)} results, and {len(given)} arrays are given for them")
    return dict(zip(names, given))


def _device_array(name: str, value: Any) -> np.ndarray:
    """The array in a dtype that the device has: float64 becomes float32."""
    array = _memory(value if _arrays.framework(value) else np.asarray(value))
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if nki_name(array.dtype) is None and array.dtype not in (np.int64, np.uint64):
        raise TypeError(f"the array for `{name}` is {array.dtype}, which the device does not have")
    return array


@_native.Entry
def diff(a: Any, b: Any, *args: Any, kwargs: Optional[Mapping[str, Any]] = None, rtol: float = 0.0, atol: float = 0.0,
         ulps: float = 0.0, options: Optional[Mapping[str, Any]] = None, options_b: Optional[Mapping[str, Any]] = None) -> Report:
    """The first instruction and element at which two runs differ. Raises klr.Error when a run fails.

    `a` is a kernel (of nki.jit, or a klr.core.Kernel), `b` another one (or the same under `options_b`) that is run on the same
    arguments in lock step; or arrays: one for each result, or a dict of them by the name of a tensor, tiles too. Elements are
    the same when their bits are, when |a - b| <= atol + rtol * |b|, or when at most `ulps` steps of the dtype lie between them.
    `options`: target, f32, checks, reference, lenient, strict, threads, seed, poison.
    """
    given = dict(options or {})
    first = _side(a, args, kwargs, given)
    if callable(b) or isinstance(b, core.Kernel):
        second = _side(b, args, kwargs, {**given, **(options_b or {})})
        text = _native.diff(first.arguments, second.arguments, float(rtol), float(atol), float(ulps))
        if text is None and not _native_errors(first.session):
            _errors.report(second.session, True)
    else:
        memory = {name: _device_array(name, value) for name, value in _named(first, b).items()}
        arrays = [(name, nki_name(m.dtype) or m.dtype.name, m.shape, _arrays.address(m)) for name, m in memory.items()]
        text = _native.diff_arrays(first.arguments, arrays, float(rtol), float(atol), float(ulps))
    _errors.report(first.session, text is None)
    return Report(text)


def _native_errors(session: Any) -> bool:
    return any(d["severity"] == "error" for d in _errors.read(session))


@_native.Entry
def first_difference(kernel: Any, args: Sequence[Any], expected: Any, rtol: float = 0.0, atol: float = 0.0, ulps: float = 0.0,
                     kwargs: Optional[Mapping[str, Any]] = None, **options: Any) -> Optional[Report]:
    """The report of `klr.diff(kernel, expected, *args)` when there is a difference, else None: for helpers of tests."""
    report = diff(kernel, expected, *args, kwargs=kwargs, rtol=rtol, atol=atol, ulps=ulps, options=options)
    return report if report else None


diff.first_difference = first_difference  # type: ignore[attr-defined]


@_native.Entry
def shadow(kernel: Any, *args: Any, options: Optional[Mapping[str, Any]] = None, **kwargs: Any) -> Shadow:
    """Run a kernel beside a twin in double precision: how far its results are from it, and where error enters.

    Arguments are left as they are. Raises klr.Error when the run fails.
    """
    side = _side(kernel, args, kwargs, dict(options or {}))
    outputs = [np.empty(shape, numpy_dtype(dtype)) for _, dtype, shape, _ in side.handle.outputs()]
    text = _native.shadow(side.arguments, [_arrays.address(o) for o in outputs])
    _errors.report(side.session, text is None)
    return Shadow(text, outputs if isinstance(kernel, core.Kernel) else _jit.form(side.result, outputs))
