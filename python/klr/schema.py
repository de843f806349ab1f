"""Scalar kernels: what one thread does with numbers and array elements, compiled and run on all cores.

    from klr.schema import *

    @kernel
    def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):
        i = get_global_id()
        if i < n:
            y[i] = s * x[i] + y[i]

    saxpy(x, y, 2.0, len(x))                   # compiled at the first call, kept by content
    saxpy[1000](x, y, s=2.0, n=len(x))         # a grid of its own
    saxpy.launch((x, y, 2.0, len(x)), threads=2, checked=True)

Ahead of time: `compile`, `check` and `build` make documents and libraries of files; a `Registry` loads libraries from a folder
and launches their kernels by name. `interpret` runs a kernel in the interpreter. docs/schema.md is the language.
"""

from __future__ import annotations

import json
import os
import sys
import types
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union, overload

from klr import _errors, _kernel_names, _native, _scalar
from klr._kernel_names import *  # noqa: F401,F403
from klr._scalar import Kernel as Kernel
from klr._scalar import LibraryKernel as LibraryKernel

Path = Union[str, "os.PathLike[str]"]
Sizes = Union[int, Sequence[int]]

__all__ = ["kernel"]
__all__ += _kernel_names.__all__


@overload
def kernel(function: Callable[..., Any]) -> Kernel: ...
@overload
def kernel(*, checked: bool = ..., interpret: bool = ..., grid: Optional[Sizes] = ..., group: Optional[Sizes] = ...,
           threads: int = ...) -> Callable[[Callable[..., Any]], Kernel]: ...


def kernel(function: Any = None, *, checked: bool = False, interpret: bool = False, grid: Optional[Sizes] = None,
           group: Optional[Sizes] = None, threads: int = 0) -> Any:
    """Make a function a scalar kernel, `@kernel` or `@kernel(checked=True)`. The options are those of `Kernel.launch`.

    The function's text is compiled at the first call; the function itself is never run.
    """
    options = {"checked": checked, "interpret": interpret, "grid": None if grid is None else _scalar._sizes(grid, "grid"),
               "group": None if group is None else _scalar._sizes(group, "group"), "threads": _scalar.threads_of(threads)}
    frame = sys._getframe(1)
    if function is None:
        return lambda decorated: _scalar.make(decorated, frame, options)
    return _scalar.make(function, frame, options)


# ---- ahead of time

Source = Union[Path, Kernel, Callable[..., Any], Mapping[str, Any]]


def _read(what: Source) -> Tuple[Any, Any]:
    """(session, document) of a file, a kernel, a function, or a document."""
    if isinstance(what, (str, os.PathLike)):
        path = os.fspath(what)
        try:
            with open(path, "rb") as file:
                return _scalar.read_text(file.read(), path, path.endswith(".json"))
        except OSError as failure:
            raise _scalar.error("value", f"cannot read `{path}`: {failure.strerror}") from None
    if isinstance(what, Mapping):
        return _scalar.read_text(json.dumps(what), "<document>", True)
    if isinstance(what, Kernel):
        return what._program.read()[:2]
    if isinstance(what, types.FunctionType):
        return Kernel(what)._program.read()[:2]
    raise _errors.of_caller(TypeError(f"a path, a kernel, a function or a document, not {what!r:.80}"))


@_native.Entry
def compile(what: Source) -> Dict[str, Any]:  # noqa: A001
    """The document (JSON schema, version 1.1) of a file of kernels (.py or .json), of a kernel or function, or of a document of any
    version. Raises klr.Error with everything that is wrong."""
    found: Dict[str, Any] = json.loads(_read(what)[1].json())
    return found


@_native.Entry
def compile_text(what: Source) -> str:
    """The same as text, two blanks a level, byte for byte what `klr schema compile` writes."""
    text: str = _read(what)[1].json()
    return text


@_native.Entry
def check(what: Source) -> List[Dict[str, Any]]:
    """Descriptions of the kernels: name, doc, path, line, dims, params (name, dtype, is_array, direction) and grid, the threads that
    the guard asks for. Raises klr.Error with everything that is wrong."""
    rows: List[Dict[str, Any]] = _read(what)[1].kernels()
    return rows


class Built(NamedTuple):
    """A library that `build` has made."""

    path: str
    kernels: int
    from_cache: bool
    seconds: float


def _stem(what: Source, document: Any) -> str:
    if isinstance(what, (str, os.PathLike)):
        return os.path.splitext(os.path.basename(os.fspath(what)))[0]
    kernels = document.kernels()
    return str(kernels[0]["name"]) if kernels else "kernels"


def _build_one(what: Source, folder: str, checked: bool, compiler: Optional[str]) -> Built:
    session, document = _read(what)
    first, path = session.count(), os.path.join(folder, _stem(what, document) + ".so")
    made = document.build(path, checked, compiler, False)
    _errors.report(session, made is None, first)
    return Built(path, len(document.kernels()), made[0], made[1])


@_native.Entry
def build(files: Union[Source, Iterable[Source]], folder: Path, *, checked: bool = False, compiler: Optional[str] = None) -> List[Built]:
    """Build a library of each file (or kernel, function, document) in `folder`, which is made when it is not there.

    `checked`: every access is verified. All are tried; when one fails, klr.Error has the diagnostics of all that failed.
    """
    is_one = isinstance(files, (str, os.PathLike, Mapping, Kernel, types.FunctionType))
    sources: Iterable[Any] = [files] if is_one else files  # type: ignore[assignment]
    os.makedirs(folder, exist_ok=True)
    built, failures = [], []
    for what in sources:
        try:
            built.append(_build_one(what, os.fspath(folder), checked, compiler))
        except _errors.Error as failure:
            failures.append(failure)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise _errors.Error("\n\n".join(str(f) for f in failures), [d for f in failures for d in f.diagnostics])
    return built


@_native.Entry
def interpret(what: Source, name: Optional[str] = None, arguments: Union[Sequence[Any], Mapping[str, Any]] = (), *,
              grid: Optional[Sizes] = None, group: Optional[Sizes] = None) -> None:
    """Run a kernel in the interpreter: every access is verified, the first that is wrong ends the run with its place and thread.
    `name` may be left out of what holds one kernel. Arrays are written in place."""
    session, document = _read(what)
    names = [row["name"] for row in document.kernels()]
    if name is None and len(names) == 1:
        name = names[0]
    launcher = document.launcher(name) if name else None
    if launcher is None:
        raise _scalar.error("name", f"there is no kernel `{name}`" if name else "which kernel? there are several", _scalar.suggest(name or "", names))
    launcher = launcher.with_launch(_scalar._sizes(grid, "grid"), _scalar._sizes(group, "group"), 0)
    if isinstance(arguments, Mapping):
        launcher(**arguments)
    else:
        launcher(*arguments)


# ---- libraries

class LoadResult(NamedTuple):
    """What became of a file of a folder. `error`: why it was not loaded, or None."""

    path: str
    kernels: int
    error: Optional[str]


class Registry:
    """Compiled kernels by name.

        registry = Registry("kernels/")
        registry["vector_add"](a, b, c, n)
        list(registry), registry["vector_add"].info, registry.results

    One bad file never hides the good ones: `results` has a row for each file of the last folder. A kernel whose name another library has
    taken is an error of its file; with `replace` the new one counts, and what was got of the old one raises when it is called.
    Libraries are code: load none that you do not trust. Files and folders that everyone may write to are refused unless `allow_writable`.
    """

    def __init__(self, folder: Optional[Path] = None, *, replace: bool = False, allow_writable: bool = False):
        self._registry = _native.Registry()
        self.results: List[LoadResult] = []
        if folder is not None:
            self.scan(folder, replace=replace, allow_writable=allow_writable)

    @_native.Entry
    def scan(self, folder: Path, *, replace: bool = False, allow_writable: bool = False) -> List[LoadResult]:
        """Load every library of a folder, by name in ascending order. Raises klr.Error only when the folder cannot be read."""
        self.results = [LoadResult(*row) for row in self._registry.scan(os.fspath(folder), replace, allow_writable)]
        return self.results

    @_native.Entry
    def load(self, path: Path, *, replace: bool = False, allow_writable: bool = False) -> None:
        """Load one library. Raises klr.Error."""
        self._registry.load(os.fspath(path), replace, allow_writable)

    @_native.Entry
    def unload(self, path: Path) -> None:
        """Take a library's kernels away, when its launches have ended."""
        self._registry.unload(os.fspath(path))

    @_native.Entry
    def __getitem__(self, name: str) -> LibraryKernel:
        """The kernel of a name, to be called; KeyError when there is none."""
        launcher = self._registry.find(name)
        if launcher is None:
            refused = [f"{row.path}: {row.error}" for row in self.results if row.error]
            raise _scalar.error("name", f"there is no kernel `{name}`" + (f"; not loaded: {'; '.join(refused)}" if refused else ""),
                                _scalar.suggest(name, list(self)))
        return LibraryKernel(name, launcher)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._registry.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.names())

    def __len__(self) -> int:
        return len(self._registry.names())
