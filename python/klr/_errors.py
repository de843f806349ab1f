"""Diagnostics as Python exceptions and warnings."""

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

    diagnostic = None


class Error(Exception):
    """What went wrong in a kernel. `diagnostics` are dictionaries: code, message, file, line, column, labels, help."""

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


def _at_place(error, diagnostic):
    """The error with a traceback that ends in the kernel's own line."""
    file, line = diagnostic.get("file"), diagnostic.get("line")
    if not file or not line or not linecache.getline(file, line):
        return error
    name = "kernel"
    code = compile("\n" * (line - 1) + "raise error", file, "exec")
    code = code.replace(co_name=name)
    try:
        exec(code, {"error": error})
    except Error as raised:
        trace = raised.__traceback__
        return raised.with_traceback(trace.tb_next if isinstance(trace, types.TracebackType) else None)
    return error


def at_place(error):
    """The error with a traceback that ends where its first diagnostic points."""
    return _at_place(error.with_traceback(None), next((d for d in error.diagnostics if d["severity"] == "error"), {}))


def callers_level():
    """The `stacklevel` with which the caller of this function warns at the line that called into the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "klr":
        frame, level = frame.f_back, level + 1
    return level


def warn(diagnostics, home=None):
    """Give warnings as Python's, at the kernel's lines. `home` is the dictionary of globals of the kernel."""
    registry = None if home is None else home.setdefault("__warningregistry__", {})
    for diagnostic in diagnostics:
        warning = Warning(f"[{diagnostic['code']}] {diagnostic['message']}")
        warning.diagnostic = diagnostic
        file = diagnostic.get("file") or "<kernel>"
        module = home.get("__name__") if home is not None and home.get("__file__") == file else None
        warnings.warn_explicit(warning, None, file, diagnostic.get("line") or 1, module, registry)


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
    warn([d for d in read(session)[first:] if d["severity"] == "warning"], home)
    if failed:
        error = exception(session, first, home)
        errors = [d for d in error.diagnostics if d["severity"] == "error"]
        raise _at_place(error, errors[0] if errors else {})
