"""Diagnostics as Python exceptions and warnings."""

import ast
import builtins
import functools
import json
import linecache
import sys
import types
import warnings
from typing import Any, Dict, Iterable, Optional

from klr import _native


class Warning(UserWarning):  # noqa: A001
    """Something in a kernel that is probably not meant; `diagnostic` is its data."""

    diagnostic: Optional[Dict[str, Any]] = None
    is_of_caller = True


class Error(Exception):
    """What went wrong in a kernel. `diagnostics` are dictionaries: code, message, file, line, column, labels, help."""

    is_of_caller = True
    only_python_can = False  # evaluate the kernel

    def __init__(self, text: str, diagnostics: Iterable[Dict[str, Any]] = ()):
        Exception.__init__(self, text)  # not that of a class which the kernel raises
        self.diagnostics = list(diagnostics)

    @property
    def code(self) -> Optional[str]:
        """The stable code of the first error, such as "E0602"; `klr explain CODE` tells more."""
        errors = [d for d in self.diagnostics if d.get("severity") == "error"]
        return errors[0]["code"] if errors else None


class KernelTypeError(Error, TypeError):
    pass


class KernelValueError(Error, ValueError):
    pass


class KernelAssertionError(Error, AssertionError):
    pass


class KernelNameError(Error, NameError):
    pass


class KernelAttributeError(Error, AttributeError):
    pass


class KernelIndexError(Error, IndexError):
    pass


class KernelKeyError(Error, KeyError):
    __str__ = Exception.__str__


class KernelRecursionError(Error, RecursionError):
    pass


# Errors that Python has a class for are also of that class.
_CLASSES = {
    "E0201": KernelNameError, "E0202": KernelNameError, "E0301": KernelTypeError, "E0302": KernelAttributeError,
    "E0303": KernelTypeError, "E0304": KernelValueError, "E0305": KernelIndexError, "E0306": KernelKeyError,
    "E0309": KernelAssertionError, "E0312": KernelRecursionError, "E1002": KernelNameError, "E1003": KernelTypeError, "E1005": KernelTypeError,
    "E1008": KernelIndexError, "E1009": KernelValueError,
}
BREAKPOINT = "E0320"
_RAISED = "E0310"  # by the kernel itself: "ValueError: the text"


@functools.lru_cache(maxsize=64)
def _class_of(raised):
    """Errors that are also of the class that a kernel raised."""
    members = {"__str__": Exception.__str__, "__module__": __name__, "__reduce__": lambda self: (_again, (raised, *self.args, self.diagnostics))}
    return type("Kernel" + raised.__name__, (Error, raised), members)


def _again(raised, text, diagnostics):
    try:
        return _class_of(raised)(text, diagnostics)
    except Exception:  # a class that cannot be made so
        return Error(text, diagnostics)


def _made(errors, text, found, home):
    if errors and errors[0]["code"] == _RAISED:
        name = errors[0]["message"].partition(":")[0]
        raised = (home or {}).get(name, getattr(builtins, name, None))
        if isinstance(raised, type) and issubclass(raised, Exception):
            return _again(raised, text, found)
    return (_CLASSES.get(errors[0]["code"], Error) if errors else Error)(text, found)


def read(session):
    """Every diagnostic of a session, as dictionaries."""
    return json.loads(session.diagnostics(True, False))


# ---- tracebacks
#
# A kernel that is traced has no frames of its own. Those that Python shows come from code made for the purpose: functions
# with the names and lines of the kernel's, which call each other where the kernel's did and raise at its line.

_DEEPEST = 64  # calls shown


@functools.lru_cache(maxsize=64)
def _functions(text):
    """(first line, last line, first line of the decorators, name) of every function of a text, outer ones first."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            decorators = [d.lineno for d in getattr(node, "decorator_list", ())]
            found.append((node.lineno, node.end_lineno, min([node.lineno, *decorators]), getattr(node, "name", "<lambda>")))
    return found


def _function_at(file, line):
    """(name, first line) of the function that a line is in."""
    inside = [f for f in _functions("".join(linecache.getlines(file))) if f[0] <= line <= f[1]]
    return (inside[-1][3], inside[-1][2]) if inside else ("kernel", line)


def _columns(place):
    """(line, column, last line, column behind), columns in bytes from 0; all of the line when only that is known."""
    line = place["line"]
    if place.get("end_line"):
        return line, place["column"] - 1, place["end_line"], place["end_column"] - 1
    text = linecache.getline(place["file"], line).rstrip()
    return line, len(text) - len(text.lstrip()), line, len(text.encode())


def _frame_function(place, statement, names):
    """A function that executes `statement`, text, at the place of a diagnostic or of a call in it."""
    name, first = _function_at(place["file"], place["line"])
    tree = ast.parse(f"def f():\n  {statement}")
    function = tree.body[0]
    for node in ast.walk(function.body[0]):
        if hasattr(node, "lineno"):
            node.lineno, node.col_offset, node.end_lineno, node.end_col_offset = _columns(place)
    function.name, function.lineno, function.end_lineno = name, first, _columns(place)[2]
    code = compile(tree, place["file"], "exec")
    return types.FunctionType(next(c for c in code.co_consts if isinstance(c, types.CodeType)), names)


def _at_place(error, diagnostic):
    """The error with a traceback that ends in the kernel's own line, below those of the calls that led there."""
    places = [place for place in [diagnostic, *diagnostic.get("calls", ())]
              if place.get("file") and place.get("line") and linecache.getline(place["file"], place["line"])]
    if not places or places[0] is not diagnostic:
        return error
    function = None
    for place in places[:_DEEPEST]:
        names = {"error": error, "call": function, "__name__": "kernel", "__builtins__": {}}
        function = _frame_function(place, "call()" if function else "raise error", names)
    try:
        function()
    except Exception as raised:
        trace = raised.__traceback__
        return raised.with_traceback(trace.tb_next if isinstance(trace, types.TracebackType) else None)


def at_place(error):
    """The error with a traceback that ends where its first diagnostic points."""
    return _at_place(error.with_traceback(None), next((d for d in error.diagnostics if d["severity"] == "error"), {}))


def _is_own(module):
    return module.partition(".")[0] == "klr" or module == "torch._dynamo.eval_frame"  # by which _entry.c calls the package


def callers_level():
    """The `stacklevel` with which the caller of this function warns at the line that called into the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and _is_own(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    return level


def of_caller(error):
    """An error about how the package is called: its traceback ends at the call."""
    error.is_of_caller = True
    return error


def _globals_of(file, home):
    """The globals of the module whose text `file` is: those of the kernel, unless another module is from there."""
    if home is None or home.get("__file__", file) != file:
        for module in list(sys.modules.values()):
            names = getattr(module, "__dict__", {})
            if names.get("__file__") == file:
                return names
    return home


def warn(diagnostics, home=None):
    """Give warnings as Python's, at the kernel's lines. `home` is the dictionary of globals of the kernel. One that the filters
    make an error has a traceback as errors have."""
    for diagnostic in diagnostics:
        warning = Warning(f"[{diagnostic['code']}] {diagnostic['message']}")
        warning.diagnostic = diagnostic
        file = diagnostic.get("file") or "<kernel>"
        names = _globals_of(file, home)
        names = {"__name__": "kernel"} if names is None else names
        try:
            warnings.warn_explicit(warning, None, file, diagnostic.get("line") or 1, names.get("__name__") or "kernel",
                                   names.setdefault("__warningregistry__", {}))
        except Warning as raised:
            raise _at_place(raised.with_traceback(None), diagnostic) from None


def exception(session, first=0, home=None, raised=None):
    """The errors of `session` after the first `first` diagnostics as an exception that is not yet raised. `home`: as for warn;
    `raised`: the name of Python's class that a kernel's own `except` knows it by."""
    found = read(session)[first:]
    errors = [d for d in found if d["severity"] == "error"]
    error = _made(errors, session.diagnostics(False, True).rstrip(), found, home)
    kind = getattr(builtins, raised or "", None)
    if isinstance(kind, type) and issubclass(kind, Exception) and not isinstance(error, kind):
        return _again(kind, str(error), found)
    return error


def report(session, failed, first=0, home=None):
    """Give the warnings of `session` after the first `first` diagnostics; raise its errors when it `failed`."""
    try:
        warn([d for d in read(session)[first:] if d["severity"] == "warning"], home)
    except Warning:
        if not failed:
            raise
    if failed:
        error = exception(session, first, home)
        errors = [d for d in error.diagnostics if d["severity"] == "error"]
        raise _at_place(error, errors[0] if errors else {})
