"""Scalar kernels as Python objects: what their names mean in the running program, compiled at the first call, launched with arrays.

The text of a kernel is read, its body is never run. Names in it that are not its own are looked up where Python would: helpers,
constants, names of klr.schema under whatever name they have. Part of klr.schema."""

from __future__ import annotations

import difflib
import enum
import functools
import inspect
import operator
import os
import shutil
import tempfile
import threading
import types
import warnings
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, TypeVar, Union

import numpy as np

from klr import _arrays, _errors, _kernel_names, _live, _native

Sizes = Union[int, Sequence[int]]
_Self = TypeVar("_Self", bound="Launchable")
_VARIANTS = 64  # of a kernel with other options: kept, so that kernel[grid] costs little
DTYPES = ("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f32", "f64")
_BF16 = DTYPES.index("bf16")


# ---- errors

_CODES = {"index": "E1008", "library": "E1012", "name": "E1009"}
_CLASSES = {"type": _errors.KernelTypeError, "value": _errors.KernelValueError, "index": _errors.KernelIndexError, "name": _errors.KernelKeyError}


def error(kind, message, help=None, file=None, line=None):
    """An exception as those of diagnostics: "type", "value", "index", "name", "stale" or "library" say the class."""
    code = _CODES.get(kind, "E1009")
    text = f"error[{code}]: {message}"
    if file and line:
        text += f"\n  --> {file}:{line}"
    if help:
        text += f"\n   = help: {help}"
    diagnostic = {"severity": "error", "code": code, "message": message, "file": file, "line": line, "labels": [], "notes": [], "help": [help] if help else []}
    return _CLASSES.get(kind, _errors.Error)(text, [diagnostic])


def _refuse(kind, message, help=None, file=None, line=0):
    raise _errors.at_place(error(kind, message, help, file if line else None, line or None))


def _report(session, first):
    raise _errors.at_place(_errors.exception(session, first))


# ---- arguments that are neither NumPy's arrays nor Python's numbers

def _of_torch(value, where, is_written):
    import torch

    if not value.is_cpu or value.layout is not torch.strided:
        raise error("type", f"{where} is a torch tensor on {value.device} of layout {value.layout}",
                    "kernels take dense tensors on the CPU: x.cpu(), x.to_dense()")
    if value.requires_grad:
        if is_written and torch.is_grad_enabled():
            raise error("value", f"{where} is written, and it requires a gradient", "pass x.detach(), or call the kernel under torch.no_grad()")
        if torch.is_grad_enabled():
            warnings.warn(f"{where} requires a gradient, and what the kernel writes carries none: call it in the forward of a torch.autograd.Function, "
                          "or under torch.no_grad()", _errors.Warning, stacklevel=_errors.callers_level())
        value = value.detach()
    if value.is_neg():
        value = value.resolve_neg()
    if value.dtype is torch.bfloat16:
        return value.view(torch.int16).numpy().view(np.uint16), _BF16
    return value.numpy(), -1


def _of_array(value, where, is_written):
    """An array of some framework as (what has a buffer, its dtype or -1 when the buffer tells)."""
    kind = _arrays.framework(value)
    if kind == "torch":
        return _of_torch(value, where, is_written)
    if kind == "jax":
        if is_written:
            raise error("type", f"{where} is written, and jax arrays never are", "pass numpy.array(x), which is a copy")
        if _arrays.is_traced(value):
            raise error("type", f"{where} is traced by jax, and has no elements yet", "call the kernel outside of jax.jit, or by jax.pure_callback")
        value = np.asarray(value)
    elif kind == "dlpack":
        value = _arrays._dlpack_as_numpy(value)
    if isinstance(value, np.ma.MaskedArray):
        raise error("type", f"{where} is a masked array, and a kernel sees no mask", "fill it first, with .filled()")
    if value.dtype.name == "bfloat16" and value.dtype.isnative:
        return value.view(np.uint16), _BF16
    array = np.asarray(value)
    try:
        memoryview(array)
    except (ValueError, TypeError):
        raise error("type", f"{where} is an array of {value.dtype}, which kernels do not have", f"they have {', '.join(DTYPES)}") from None
    return array, -1


def _take_array(kernel, value, name, dtype, is_written):
    where = f"{kernel}: argument `{name}`"
    if _arrays.framework(value):
        found = _of_array(value, where, is_written)
        if is_written and _arrays.framework(value) == "torch":
            _arrays._count_write(value)
        return found
    try:
        memoryview(value)
        return value, -1
    except TypeError:
        pass
    numpy_name = np.dtype(bool).name if dtype == "bool" else _NUMPY[dtype]
    if hasattr(value, "__array__"):
        if is_written:
            raise error("type", f"{where} is written, and a {type(value).__name__} gives a copy of its elements", "pass an array")
        return _of_array(np.asarray(value), where, False)
    what = f"{value!r:.60}" if isinstance(value, (int, float, complex, str)) or value is None else f"a {type(value).__name__}"
    raise error("type", f"{where} is {what}, not an array", f"numpy.array(x, \"{numpy_name}\") makes one of it" if isinstance(value, (list, tuple)) else
                f"it takes an array of {numpy_name}")


_NUMPY = {"i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
          "f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64"}


def _take_number(kernel, value, name, dtype):
    if isinstance(value, np.generic) or (_arrays.framework(value) and getattr(value, "ndim", None) == 0):
        found = _arrays.number(value) if not isinstance(value, np.generic) else value.item()
        if isinstance(found, (bool, int, float)):
            return found
        if isinstance(found, (np.floating, np.generic)) and getattr(found, "dtype", np.dtype(object)).kind in "fV":
            return float(found)
        value = found
    try:
        return operator.index(value)
    except TypeError:
        pass
    what = f"an array of shape {tuple(value.shape)}" if _arrays.framework(value) else f"{value!r:.60}" if isinstance(value, (str, complex)) or value is None \
        else f"a {type(value).__name__}"
    raise error("type", f"{kernel}: argument `{name}` is {what}, not a number of type {dtype}")


_native.schema_hooks(_take_array, _take_number, _refuse, _report, np.ndarray)


# ---- what names mean

_BUILTINS = (abs, min, max, pow, round, range, bool, int, float)
_WORDS = {id(value): name for name, value in reversed(list(vars(_kernel_names).items())) if name in _kernel_names.__all__}
_NAMES = set(_kernel_names.__all__) | {value.__name__ for value in _BUILTINS}
_SCALARS = {np.dtype(numpy_name).type: name for name, numpy_name in _NUMPY.items() if name != "bf16"}
_SCALARS[np.bool_] = "bool"
_NOTHING = object()


class _Cell:
    """A variable of a closure, read as a dictionary of one name."""

    def __init__(self, cell):
        self._cell = cell

    def get(self, key, default=None):
        try:
            return self._cell.cell_contents
        except ValueError:
            return default


def _is_usable(value):
    """Whether a kernel can use it by name: what is kept of the variables around its definition."""
    return id(value) in _WORDS or isinstance(value, (types.ModuleType, bool, int, float, np.generic)) or _is_helper(value)


def _is_helper(value):
    return isinstance(value, types.FunctionType) and getattr(value, "__klr_inline__", False)


def _variable(function, name, around):
    """(where it is kept, value) of a name outside of the function's own; None: it has none."""
    code = function.__code__
    if name in code.co_freevars:
        cell = _Cell(function.__closure__[code.co_freevars.index(name)])
        return cell, cell.get(name, _NOTHING)
    if name in code.co_varnames or name in code.co_cellvars:
        return None
    if name in around and name not in code.co_names and "<locals>" in function.__qualname__:  # only annotations name it
        return around, around[name]
    scope = function.__globals__
    return (scope, scope[name]) if name in scope else None


def source_of(function):
    """(function, path, name, line, text) of a function. Raises when its text is not at hand."""
    code = function.__code__
    try:
        text = _live.source_text(code, function.__globals__)
    except _live.SourceChanged as changed:
        raise error("value", str(changed)) from None
    if text is None:
        raise error("value", f"the source text of `{function.__name__}` is not at hand ('{code.co_filename}')",
                    "define it in a file or a notebook cell, or run `python -m klr -c` instead of `python -c`; text that exec() runs can be put into "
                    "linecache.cache under its file name")
    return function, code.co_filename, code.co_name, code.co_firstlineno, text


def _describe(value, name):
    """What a value of the program is to a kernel: see _schema.c, read_meaning."""
    if id(value) in _WORDS:
        return ("word", _WORDS[id(value)])
    if isinstance(value, types.ModuleType):
        return ("module",)
    if isinstance(value, (bool, int, float)):
        return ("number", value)
    if isinstance(value, np.generic):
        item = value.item()
        return ("number", item if isinstance(item, (bool, int, float)) else float(value)) if value.dtype.kind in "biufV" else None
    if isinstance(value, Kernel):
        return ("refused", "a kernel, and no other function calls kernels", "with the decorator `@inline` instead it is a helper")
    if _is_helper(value):
        return ("helper", *source_of(value))
    if isinstance(value, type) and value in _SCALARS:
        return ("word", _SCALARS[value])
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)):
        own = value.__name__
        if any(value is builtin for builtin in _BUILTINS):
            return None if name in _NAMES else ("word", own)
        if own in _NAMES and (isinstance(value, (types.BuiltinFunctionType, np.ufunc)) or value.__module__ == "atlas_kernel"):
            return ("word", own)
    if isinstance(value, types.FunctionType):
        return ("refused", "a function that kernels cannot call", "the decorator `@klr.schema.inline` makes it a helper")
    if _arrays.framework(value):
        return ("refused", "an array of the program", "a kernel gets its arrays as arguments")
    if value is None or isinstance(value, (list, tuple, dict, set, frozenset, str, bytes, bytearray, complex)):
        return ("refused", "None" if value is None else f"a {type(value).__name__} of the program", "numbers can be read by name; arrays are arguments of the kernel")
    return None


def _attribute(owner, name):
    """(the dictionary that has it, value) of an attribute that nothing computes; None: there is none."""
    if isinstance(owner, types.ModuleType):
        value = getattr(owner, name, _NOTHING)  # perhaps made when it is asked for
        return None if value is _NOTHING else (vars(owner), value)
    if isinstance(owner, enum.EnumMeta) and name in owner.__members__:
        return owner.__members__, owner.__members__[name]
    holders = [getattr(owner, "__dict__", {})] if not isinstance(owner, type) else []
    for holder in holders + [vars(base) for base in (owner if isinstance(owner, type) else type(owner)).__mro__]:
        if name in holder:
            return holder, holder[name]
    return None


class _Names:
    """What names mean in a kernel and its helpers, and what was read for it."""

    def __init__(self, around):
        self.around = around
        self.reads = []

    def meaning(self, function, dotted):
        first, *rest = dotted.split(".")
        found = _variable(function, first, self.around)
        if found is None or found[1] is _NOTHING:
            return None
        reads = [(found[0], first, found[1])]
        for part in rest:
            found = _attribute(reads[-1][2], part)
            if found is None:
                return None
            reads.append((found[0], part, found[1]))
        meaning = _describe(found[1], dotted)
        if meaning and meaning[0] in ("number", "helper"):
            self.reads.extend(reads)
        return meaning


# ---- from a function to what runs

def _load(document, checked):
    """The kernels of a document in a registry of their own; None: there is no compiler, `said` of it is the second item."""
    session, native = document
    first = session.count()
    folder = tempfile.mkdtemp(prefix="klr-")
    try:
        path = os.path.join(folder, "kernel.so")
        if native.build(path, checked, None, True) is None:
            failure = _errors.exception(session, first)
            if failure.code == "E1010" and failure.diagnostics[-1]["message"].startswith("there is no"):
                return None, failure.diagnostics[-1]["message"]
            raise failure
        registry = _native.Registry()
        registry.load(path, False, True)  # the folder is this user's alone
        return registry, None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_warned = []


def _warn_of_interpreter(said):
    if not _warned:
        _warned.append(said)
        text = f"{said}: scalar kernels are interpreted, which is slow; install gcc or clang, or name one by KLR_CC"
        warnings.warn(_errors.Warning(text), stacklevel=_errors.callers_level())


class _Interpreter:
    """A launcher that interprets; its document is used by one thread at a time."""

    def __init__(self, launcher, lock):
        self.launcher, self.lock = launcher, lock

    def __call__(self, *arguments, **named):
        with self.lock:
            self.launcher(*arguments, **named)

    def with_launch(self, grid, group, threads):
        return _Interpreter(self.launcher.with_launch(grid, group, threads), self.lock)


class Program:
    """A kernel's function, read and compiled when it is needed, and anew when a constant or a helper has changed."""

    def __init__(self, function, around):
        self.function, self.around = function, around
        self.lock = threading.RLock()
        self.reads = ()
        self.launchers = {}
        self.variants = {}  # kernels with other options
        self.made = None  # (session, _native.Document)

    def has_changed(self):
        for where, key, value in self.reads:
            if where.get(key) is not value:
                return True
        return False

    def forget(self):
        with self.lock:
            self.made, self.reads, self.launchers = None, (), {}

    def read(self):
        """(session, _native.Document, reads), of which one thread at a time may make use."""
        session, names = _native.Session(), _Names(self.around)
        native = _native.schema_trace(session, names.meaning, source_of(self.function))
        _errors.report(session, native is None, home=self.function.__globals__)
        return session, native, tuple(names.reads)

    def launcher(self, checked, interpret):
        """What runs it; `made` is then something else than before when the program has changed."""
        with self.lock:
            if self.made is None or self.has_changed():
                session, native, self.reads = self.read()
                self.made, self.launchers = (session, native), {}
            key = "interpret" if interpret else checked
            found = self.launchers.get(key)
            if found is None:
                found = self.launchers[key] = self._make(checked, interpret)
            return found

    def _make(self, checked, interpret):
        name = self.function.__code__.co_name
        if not interpret:
            registry, said = _load(self.made, checked)
            if registry is not None:
                return registry.find(name)
            _warn_of_interpreter(said)
        return _Interpreter(self.read()[1].launcher(name), threading.Lock())  # its document is used at the same time as `made`


# ---- launching

def _sizes(sizes, what):
    """One to three sizes as a tuple."""
    if sizes is None:
        return ()
    try:
        found = tuple(operator.index(size) for size in (sizes if isinstance(sizes, (tuple, list)) else (sizes,)))
    except TypeError:
        raise error("type", f"{what} is one to three sizes, not {sizes!r:.60}") from None
    if not 1 <= len(found) <= 3 or min(found) < (what != "grid") or max(found) > 1 << 48:
        raise error("value", f"{what} is one to three sizes from {int(what != 'grid')} to 2^48, not {sizes!r:.60}")
    return found


def threads_of(threads):
    if isinstance(threads, int) and 0 <= threads < 1 << 32:
        return int(threads)
    raise error("value", f"threads is a number from 0 (all) on, not {threads!r:.60}")


class Launchable:
    """What is called with arguments, and how: the parts that kernels of the program and of libraries share."""

    def _like(self: _Self, **options: Any) -> _Self:
        raise NotImplementedError

    def __call__(self, *arguments: Any, **named: Any) -> None:
        raise NotImplementedError

    @_native.Entry
    def __getitem__(self: _Self, grid: Sizes) -> _Self:
        """The kernel on a grid of its own: `kernel[1000](...)`, `kernel[640, 480](...)`."""
        return self._like(grid=_sizes(grid, "grid"))

    @_native.Entry
    def launch(self, arguments: Union[Sequence[Any], Mapping[str, Any]] = (), *, grid: Optional[Sizes] = None, group: Optional[Sizes] = None,
               threads: Optional[int] = None, checked: Optional[bool] = None, interpret: Optional[bool] = None) -> None:
        """Call with a sequence or a mapping of arguments.

        grid: threads, one to three sizes; from the kernel's guard when left out. group: threads of a group (256). threads: cores to use
        at most (KLR_THREADS, else all). checked: verify every access. interpret: run in the interpreter, which verifies too.
        """
        kernel = self._like(grid=None if grid is None else _sizes(grid, "grid"), group=None if group is None else _sizes(group, "group"),
                            threads=None if threads is None else threads_of(threads), checked=checked, interpret=interpret)
        if hasattr(arguments, "keys"):
            kernel(**{name: arguments[name] for name in arguments.keys()})
        else:
            kernel(*arguments)


class Kernel(Launchable):
    """A scalar kernel: called with arrays and numbers, in order or by name, it runs; arrays are written in place, the result is None.

    Arrays are NumPy's, or anything else that has the buffer protocol (array.array, bytearray, memoryview, ...), torch tensors on the
    CPU, and jax arrays that are only read; of the parameter's type, contiguous, of any shape. What does not fit is a klr.Error that
    names the parameter, and nothing has run.
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any], *, checked: bool = False, interpret: bool = False, grid: Any = None, group: Any = None,
                 threads: int = 0, around: Optional[Dict[str, Any]] = None, program: Optional[Program] = None):
        if isinstance(function, Kernel):
            function = function.__wrapped__
        if not isinstance(function, types.FunctionType) or function.__name__ == "<lambda>" or inspect.iscoroutinefunction(function):
            raise _errors.of_caller(TypeError(f"a kernel is a function made by `def`, not {function!r:.80}"))
        functools.update_wrapper(self, function)
        self.checked, self.interpret, self.grid, self.group, self.threads = bool(checked), bool(interpret), grid or (), group or (), threads or 0
        self._program = program or Program(function, around or {})
        self._launcher = None
        self._made = _NOTHING

    def _like(self, checked: Any = None, interpret: Any = None, grid: Any = None, group: Any = None, threads: Any = None) -> Kernel:  # type: ignore[override]
        key = (self.checked if checked is None else bool(checked), self.interpret if interpret is None else bool(interpret),
               self.grid if grid is None else grid, self.group if group is None else group, self.threads if threads is None else threads)
        program = self._program
        known = program.variants.get(key)
        if known is None:
            if len(program.variants) >= _VARIANTS:
                program.variants.clear()
            known = Kernel(self.__wrapped__, program=program, checked=key[0], interpret=key[1], grid=key[2], group=key[3], threads=key[4])
            program.variants[key] = known
        return known

    @_native.Entry
    def __call__(self, *arguments: Any, **named: Any) -> None:
        program = self._program
        for where, key, value in program.reads:
            if where.get(key) is not value:
                program.forget()
                break
        if self._made is not program.made:
            self._prepare()
        self._launcher(*arguments, **named)

    def _prepare(self):
        program = self._program
        with program.lock:
            launcher = program.launcher(self.checked, self.interpret)
            if self.grid or self.group or self.threads:
                launcher = launcher.with_launch(self.grid, self.group, self.threads)
            self._launcher, self._made = launcher, program.made
            return launcher

    def __get__(self, instance: Any, owner: Any = None) -> Kernel:
        return self

    def __repr__(self):
        grid = f"[{', '.join(map(str, self.grid))}]" if self.grid else ""
        return f"<scalar kernel {self.__qualname__}{grid}{inspect.signature(self.__wrapped__)}>"

    def __reduce__(self):
        return _by_name, (self.__module__, self.__qualname__, {name: getattr(self, name) for name in ("checked", "interpret", "grid", "group", "threads")})

    @_native.Entry
    def compile(self) -> Kernel:
        """Compile now, not at the first call. Raises klr.Error."""
        self._prepare()
        return self

    @property
    @_native.Entry
    def info(self) -> Dict[str, Any]:
        """Name, doc, path, line, parameters (name, dtype, direction) and the grid that its guard gives, as a dictionary."""
        return next(row for row in self._program.read()[1].kernels() if row["name"] == self.__wrapped__.__code__.co_name)

    @_native.Entry
    def document(self) -> Dict[str, Any]:
        """The JSON schema, as a dictionary."""
        import json

        found: Dict[str, Any] = json.loads(self._program.read()[1].json())
        return found

    @_native.Entry
    def c_text(self) -> str:
        """The C that it is compiled from."""
        session, native, _ = self._program.read()
        first, text = session.count(), native.c_text()
        _errors.report(session, text is None, first)
        return text


def _by_name(module, qualname, options):
    import importlib

    found = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found._like(**options) if isinstance(found, Kernel) else Kernel(found, **options)


def around_of(frame, function):
    """Variables of the functions around a definition that its annotations may name."""
    if "<locals>" not in function.__qualname__:
        return {}
    return {name: value for name, value in frame.f_locals.items() if _is_usable(value)}


def make(function, frame, options):
    if isinstance(function, types.FunctionType):
        _live.note_text(function)
        options = dict(options, around=around_of(frame, function))
    return Kernel(function, **options)


# ---- kernels of libraries

class LibraryKernel(Launchable):
    """A kernel of a registry: called as klr.schema.Kernel. One that was unloaded or replaced raises."""

    def __init__(self, name: str, launcher: Any, **options: Any):
        self.__name__, self._base, self._options = name, launcher, options
        self._launcher = launcher
        if options.get("checked") and not launcher.info()["checked"]:
            raise error("value", f"{name}: its library was built without checks", "build it with checked=True, or launch it with interpret=True")
        if options.get("interpret"):
            self._launcher = self._interpreter()
        if options.get("grid") or options.get("group") or options.get("threads"):
            self._launcher = self._launcher.with_launch(options.get("grid") or (), options.get("group") or (), options.get("threads") or 0)

    def _like(self, **options):
        return LibraryKernel(self.__name__, self._base, **dict(self._options, **{name: value for name, value in options.items() if value is not None}))

    def _interpreter(self):
        info = self._base.info()
        session, native = read_text(info["schema"], f"{info['library']}:{self.__name__}", True)
        return _Interpreter(native.launcher(self.__name__), threading.Lock())

    @_native.Entry
    def __call__(self, *arguments: Any, **named: Any) -> None:
        self._launcher(*arguments, **named)

    @property
    @_native.Entry
    def info(self) -> Dict[str, Any]:
        """Name, doc, path and line of the source, parameters (name, dtype, direction), the grid that the guard gives, the library's path,
        whether it was built with checks, the schema and its hash, as a dictionary. Raises when the kernel was unloaded or replaced."""
        return _with_grid(self._base.info())

    def __repr__(self):
        try:
            info = self._base.info()
        except _errors.Error:
            return f"<scalar kernel {self.__name__}, which is not, or no longer, loaded>"
        params = ", ".join(f"{p['name']}: {p['dtype']}{'[]' if p['is_array'] else ''}" for p in info["params"])
        return f"<scalar kernel {self.__name__}({params}) of {info['library']}>"


def _with_grid(info):
    """The grid that the guard gives is read from the schema."""
    try:
        _, native = read_text(info["schema"], info["name"], True)
        info["grid"] = next(row["grid"] for row in native.kernels() if row["name"] == info["name"])
    except (_errors.Error, StopIteration):
        info["grid"] = None
    return info


def read_text(text, path, is_json):
    """(session, _native.Document) of a checked text. Raises."""
    session = _native.Session()
    native = _native.schema_read(session, is_json, path, text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    _errors.report(session, native is None)
    return session, native


def suggest(name, names):
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean `{near[0]}`?" if near else f"its kernels: {', '.join(names)}" if names else None
