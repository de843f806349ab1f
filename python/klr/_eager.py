"""Kernels that CPython itself evaluates, one operator at a time (see _eager.c).

What a kernel calls of the library is evaluated by the tracer, and runs at once on the simulator that traced kernels run on.
So there are values to look at, `breakpoint()` stops, `print` prints numbers, and a debugger steps through the kernel.
"""

import ast
import copy
import linecache
import os
import sys
import threading

import numpy as np

from klr import _arrays, _cache, _errors, _library, _live, _native
from klr._dtypes import numpy_dtype

# ---- when

def debugger_is_attached():
    """Whether a debugger traces this thread. Tools that measure coverage or time use the same door and do not count."""
    trace = sys.gettrace()
    owners = [trace, type(trace), *type(getattr(trace, "__self__", None)).__mro__]
    if trace and any((getattr(o, "__module__", None) or "").partition(".")[0] in _live.DEBUGGERS for o in owners):
        return True
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None


def asked():
    """What NKI_EAGER says: True, False, or None for nothing."""
    flag = os.environ.get("NKI_EAGER", "")
    return flag not in ("0", "false", "False") if flag else None


def wanted():
    """Whether kernels run eagerly: NKI_EAGER says so, or it says nothing and a debugger is attached."""
    flag = asked()
    return debugger_is_attached() if flag is None else flag


# ---- values

class Value(_native.Held):
    """What only the tracer knows, while a kernel runs eagerly."""

    __slots__ = ()
    __array_ufunc__ = None

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


class NkiTensor(_library.NkiTensor, Value):
    """A tensor of a kernel that runs eagerly: np.asarray(tensor) gives its elements as they are now."""

    __slots__ = ()

    def _look(self):
        name, memory, dtype, shape, data, unwritten = self._read()
        return name, memory, np.frombuffer(data, numpy_dtype(dtype)).reshape(shape), unwritten

    def __array__(self, dtype=None, copy=None):
        array = self._look()[2].copy()
        return array if dtype is None else array.astype(dtype)

    def __repr__(self):
        try:
            name, memory, array, unwritten = self._look()
        except RuntimeError:
            return "<tensor of a kernel that has ended>"
        missing = f", {unwritten} of {array.size} elements were never written" if unwritten else ""
        head = f"{name}: {memory} {array.dtype.name}{list(array.shape)}{missing}"
        return head if unwritten == array.size else f"{head}\n{np.array2string(array, threshold=64, edgeitems=3)}"

    __str__ = __repr__

    def __format__(self, spec):
        return format(str(self), spec)


class Instruction(_library.NkiInstruction, Value):
    """What an instruction gives, in a kernel that runs eagerly."""

    __slots__ = ()


class Register(_library.VirtualRegister, Value):
    """A register of a kernel that runs eagerly: np.asarray(register) gives what it holds now."""

    __slots__ = ()

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._number(), dtype)

    def __repr__(self):
        try:
            return f"{super().__repr__()} = {self._number()}"
        except (_errors.Error, RuntimeError):
            return super().__repr__()

    __str__ = __repr__


# ---- places

_offsets = {}


def _line_offsets(path):
    """The text of a file, and where its lines start, in bytes; None when it is not at hand."""
    lines = linecache.getlines(path)
    if not lines:
        return None
    known = _offsets.get(path)
    if known is None or known[0] is not lines:
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line.encode()))
        known = _offsets[path] = (lines, "".join(lines).encode(), starts)
    return known[1:]


def _position(frame):
    """(line, last line, column, last column) of what the frame is doing; columns in bytes."""
    code = frame.f_code
    if hasattr(code, "co_positions"):
        place = list(code.co_positions())[frame.f_lasti // 2]
        if None not in place:
            return place
    calls = [node for node in ast.walk(ast.parse("".join(linecache.getlines(code.co_filename))))
             if isinstance(node, ast.Call) and node.lineno == frame.f_lineno]
    if calls:
        return calls[0].lineno, calls[0].end_lineno, calls[0].col_offset, calls[0].end_col_offset
    return frame.f_lineno, frame.f_lineno, 0, len(linecache.getline(code.co_filename, frame.f_lineno).rstrip().encode())


class Hooks(_cache.Reads):
    """What the extension asks about Python's side of a call. What the call reads is not kept: it is read again next time."""

    value_type, tensor_type, register_type, instruction_type = Value, NkiTensor, Register, Instruction

    def __init__(self, session, home):
        super().__init__()
        self.session, self.home = session, home
        self.kept = {}
        self.turns = None

    def describe(self, value, reach):
        return _live.describe(value, reach == _cache.ARGUMENT)

    def keep(self, code):
        self.kept[id(code)] = code

    def place(self, frame):
        name = frame.f_globals.get("__name__") or ""
        if name == "klr" or name.startswith("klr."):
            return None
        path = frame.f_code.co_filename
        found = _line_offsets(path)
        if found is None:
            return path, b"", 0, 0
        text, starts = found
        line, last, column, end = _position(frame)
        return path, text, starts[line - 1] + column, starts[last - 1] + end

    def failed(self, first, raised):
        return _errors.exception(self.session, first, self.home, raised)

    def warned(self, first):
        _errors.report(self.session, False, first, self.home)

    def dtype(self, name):
        return numpy_dtype(name)

    def constant(self, group, name):
        return _library._constant(group, name)

    def member(self, module, qualname, name):
        found = sys.modules["klr." + module if module.startswith("nki") else module]
        for part in qualname.split("."):
            found = getattr(found, part)
        return found[name]

    def loop(self, values):
        index, goes_on = values._loop_begin()
        while goes_on:
            yield index
            values._loop_next(index)

    def wait(self, core):
        self.turns.wait(core)


# ---- logical cores take turns

class _Stopped(BaseException):
    """Another core has failed."""


class Turns:
    """Runs `body` once for each core, core 0 in this thread: each until it waits for another or ends, in their order."""

    def __init__(self, eager, cores, body):
        self.eager, self.cores, self.body = eager, cores, body
        self.condition = threading.Condition()
        self.turn, self.ended, self.error = 0, set(), None
        self.results = {}

    def run(self):
        trace = sys.gettrace()
        threads = [threading.Thread(target=self._other, args=(core, trace), daemon=True, name=f"core {core}")
                   for core in range(1, self.cores)]
        for thread in threads:
            thread.start()
        try:
            self._core(0)
            with self.condition:
                while len(self.ended) < self.cores and self.error is None:
                    self.condition.wait()
            if self.error is not None:
                raise self.error
        except BaseException as error:
            self._stop(error)
            raise
        for thread in threads:
            thread.join()
        return self.results

    def _other(self, core, trace):
        sys.settrace(trace)
        try:
            self._await(core)
            self._core(core)
        except _Stopped:
            pass
        except BaseException as error:
            self._stop(error)

    def _core(self, core):
        self.eager.begin_core(core)
        try:
            self.results[core] = self.body(core)
        finally:
            self.eager.leave()
        self.ended.add(core)
        self._hand_on(core)

    def _stop(self, error):
        with self.condition:
            self.error = self.error or error
            self.condition.notify_all()

    def _hand_on(self, core):
        order = [(core + 1 + i) % self.cores for i in range(self.cores)]
        ready = [c for c in order if c not in self.ended and not self.eager.waits(c)]
        if not ready and len(self.ended) < self.cores:
            self.eager.deadlock()
        with self.condition:
            self.turn = ready[0] if ready else None
            self.condition.notify_all()

    def _await(self, core):
        with self.condition:
            while self.turn != core and self.error is None:
                self.condition.wait()
        if self.error is not None:
            raise self.error if core == 0 else _Stopped

    def wait(self, core):
        self._hand_on(core)
        self._await(core)
        self.eager.switch_core(core)


# ---- a call

def _replace(value, tensors, known):
    """The value with tensors in place of arrays; what holds none stays the same object."""
    if id(value) in tensors:
        return tensors[id(value)]
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = value
    if isinstance(value, (tuple, list)):
        items = [_replace(item, tensors, known) for item in value]
        if any(a is not b for a, b in zip(items, value)):
            known[id(value)] = type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    elif isinstance(value, dict):
        items = {key: _replace(item, tensors, known) for key, item in value.items()}
        if any(items[key] is not value[key] for key in items):
            known[id(value)] = items
    elif not isinstance(value, type) and not callable(value) and not _arrays.framework(value):
        parts = {name: _replace(item, tensors, known) for name, item in _live.attributes_of(value).items()}
        changed = {name: item for name, item in parts.items() if item is not getattr(value, name, item)}
        if changed:
            known[id(value)] = made = copy.copy(value)
            for name, item in changed.items():
                object.__setattr__(made, name, item)
    return known[id(value)]


class Call:
    """One call of a kernel that this interpreter evaluates."""

    def __init__(self, function, lnc, values, options, home):
        self.function, self.lnc, self.values, self.options = function, lnc, values, options
        self.session = _native.Session()
        self.hooks = Hooks(self.session, home)
        self.eager = _native.Eager(self.session, self.hooks, function, values, options.target, lnc or 0, options.strict,
                                   options.lenient)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.eager.abandon()

    def evaluate(self):
        """(handle, the arrays of its inputs, the form of the result). Raises what the function or the library raises."""
        options = self.options
        pairs = self.eager.inputs()
        inputs = [value for value, _ in pairs]
        memory = [_arrays.Argument(value, "", False).memory for value in inputs]
        self.eager.start([_arrays.address(array) for array in memory], options.f32, options.checks, options.reference,
                         options.poison, options.threads, options.seed, options.zeros, options.ocp_scales)
        tensors, known = {id(value): tensor for value, tensor in pairs}, {}
        given = self.values.changed(lambda value: _replace(value, tensors, known))
        del tensors, pairs, known
        form = self._run_cores(lambda core: self._evaluate_core(given))
        handle = self._at_function(self.eager.close)
        self.written = handle.written()
        return handle, inputs, form

    def _evaluate_core(self, given):
        with _library.running(self.options.target):
            return self._at_function(self.eager.end_core, given.apply(self.function))

    def _at_function(self, work, *arguments):
        """What the function returned is wrong, or what it did in all: the traceback ends at the function itself."""
        try:
            return work(*arguments)
        except _errors.Error as error:
            raise _errors.at_place(error) from None

    def _run_cores(self, body):
        if (self.lnc or 1) > 1:
            self.hooks.turns = Turns(self.eager, self.lnc, body)
            return self.hooks.turns.run()[0]
        self.eager.begin_core(0)
        try:
            return body(0)
        finally:
            self.eager.leave()

    def give(self, inputs, outputs):
        """Fills memory, as (address, bytes): of arguments that the kernel wrote, and of its outputs."""
        self.eager.give([memory if written else (0, 0) for memory, written in zip(inputs, self.written)], outputs)
