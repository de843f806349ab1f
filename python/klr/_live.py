"""What a live Python object is to the tracer: a tuple whose first item is a tag (see _native.c)."""

import collections
import enum
import functools
import linecache
import logging
import os
import re
import sys
import time
import types

import numpy as np

from klr import _arrays, _native
from klr._dtypes import nki_name
from klr._library import Constant, NKIObject

# Modules of Python and its libraries that the tracer has itself.
NATIVE = {"math", "numpy", "functools", "itertools", "operator", "collections", "collections.abc", "dataclasses", "enum",
          "typing", "typing_extensions", "numbers", "types", "abc", "copy", "os", "os.path", "posixpath", "sys", "logging",
          "warnings", "contextlib"}
DEBUGGERS = {"bdb", "pdb", "ipdb", "pudb", "pydevd", "_pydevd_bundle", "_pydev_bundle", "debugpy"}
_RENAMED = {"posixpath": "os.path", "_operator": "operator", "_functools": "functools", "_abc": "abc",
            "_collections": "collections", "_collections_abc": "collections.abc"}


def library_module(name):
    """"nki.isa" for what the package calls klr.nki.isa; None for modules that are not the library's."""
    if not name:
        return None
    if name == "klr.nki" or name.startswith("klr.nki."):
        return name[4:]
    if name == "nki" or name.startswith("nki."):
        module = sys.modules.get(name)
        return name if getattr(module, "__name__", "").startswith("klr.nki") else None
    return None


def native_module(name):
    name = _RENAMED.get(name, name)
    return name if name in NATIVE or name == "builtins" else None


def module_tuple(globals_):
    name = globals_.get("__name__") or "__main__"
    path = globals_.get("__file__") or ""
    return (globals_, name, path, "__path__" in globals_)


def kernel_class():
    from klr._jit import Kernel

    return Kernel


# ---- source texts
#
# A function's text is that of its file now, unless the file was changed after it was compiled and not loaded again: then
# the one that was read before, if it was, else none.

_texts = {}  # path: the texts it has held, the last one last


def _process_start():
    try:
        with open("/proc/self/stat") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


_STARTED = _process_start()


def _lines_of(path, globals_=None):
    try:
        return linecache.getlines(path, globals_)
    except (SyntaxError, UnicodeDecodeError):  # no text: Python 3.9 says so here
        return []


def _texts_of(path, globals_):
    linecache.checkcache(path)
    lines = _lines_of(path, globals_)
    texts = _texts.setdefault(path, [])
    if lines:
        text = "".join(lines)
        if not texts or texts[-1] != text:
            texts.append(text)
            del texts[:-8]
    return texts


def note_text(function):
    """Remember the text of a function that has just been compiled."""
    code = getattr(function, "__code__", None)
    if code is not None:
        _texts_of(code.co_filename, function.__globals__)


@functools.lru_cache(maxsize=64)
def _codes(text, path):
    """{(name, line): [code]} of all functions of a text."""
    found = {}
    try:
        waiting = [compile(text, path, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        return found
    while waiting:
        code = waiting.pop()
        found.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        waiting.extend(item for item in code.co_consts if isinstance(item, types.CodeType))
    return found


def _fits(text, code, globals_):
    codes = _codes(text, code.co_filename).get((code.co_name, code.co_firstlineno), ())
    if "@pytest_ar" in globals_:  # its assert statements were rewritten
        return any(c.co_varnames[:c.co_argcount] == code.co_varnames[:code.co_argcount] for c in codes)
    return code in codes


def source_text(code, globals_):
    """The text that `code` was compiled from, or None."""
    path = code.co_filename
    texts = _texts_of(path, globals_)
    if not texts:
        return None
    try:
        is_old = os.stat(path).st_mtime < _STARTED - 2
    except OSError:
        is_old = True  # of a notebook, an archive
    if is_old and len(texts) == 1:
        return texts[0]
    for text in reversed(texts):
        if _fits(text, code, globals_):
            return text
    raise SourceChanged(f"the source text of {code.co_name}() in {path} has changed since it was loaded: reload its module "
                        "(importlib.reload) or start again")


class SourceChanged(RuntimeError):
    """A function whose text is not known for certain."""


def _check_alone(code, text):
    """Before Python 3.11 lambdas on one line cannot be told apart."""
    if code.co_name == "<lambda>" and not hasattr(code, "co_positions") \
            and len(_codes(text, code.co_filename).get((code.co_name, code.co_firstlineno), ())) > 1:
        raise SourceChanged(f"several lambdas stand on line {code.co_firstlineno} of {code.co_filename}: write one a line")


def _column(code):
    """Where the body of a lambda starts on its line, in bytes; -1 where Python does not tell."""
    if code.co_name != "<lambda>" or not hasattr(code, "co_positions"):
        return -1
    starts = [(line, start) for line, _, start, end in code.co_positions() if None not in (line, start, end) and (start or end)]
    return min(starts)[1] if starts else -1


def _function(f):
    module = getattr(f, "__module__", None)
    library, native = library_module(module), native_module(module)
    if library:
        return ("library", library, f.__qualname__)
    if native and "<locals>" not in f.__qualname__:
        return ("library", native, f.__qualname__)
    code = f.__code__
    cells = dict(zip(code.co_freevars, f.__closure__ or ()))
    text = source_text(code, f.__globals__)
    _check_alone(code, text)
    return ("function", module_tuple(f.__globals__), code.co_filename, text, code.co_name,
            code.co_firstlineno, f.__defaults__, f.__kwdefaults__, cells, _column(code))


def functions_of(cls):
    """The functions that the statement of a class defines."""
    for value in vars(cls).values():
        value = getattr(value, "__func__", value)
        value = getattr(value, "fget", value)
        if isinstance(value, types.FunctionType) and value.__code__.co_filename != "<string>" \
                and value.__globals__.get("__name__") == cls.__module__:
            yield value


def _class(cls):
    library, native = library_module(cls.__module__), native_module(cls.__module__)
    if cls.__module__ == "klr._library":
        return ("library", "_klr", cls.__qualname__)
    if library:
        return ("library", library, cls.__qualname__)
    if native == "builtins":
        return ("builtin", cls.__qualname__)
    if native:
        return ("library", native, cls.__qualname__)
    module = sys.modules.get(cls.__module__)
    functions = list(functions_of(cls))
    globals_ = functions[0].__globals__ if functions else vars(module) if module else {"__name__": cls.__module__}
    path = functions[0].__code__.co_filename if functions else getattr(module, "__file__", None)
    if not functions and not _defines(_lines_of(path) if path else (), cls):
        path = _cell_of_notebook(cls) or path
    free = {}
    for f in functions:
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            try:
                free.setdefault(name, cell.cell_contents)
            except ValueError:
                pass
    free.pop("__class__", None)
    if "<locals>" in cls.__qualname__:
        for base in cls.__bases__:
            free.setdefault(base.__name__, base)
    return ("class", module_tuple(globals_), path or "", _text_of_class(functions, path, globals_), cls.__qualname__, free,
            _attributes_of_class(cls), isinstance(cls, type(NKIObject)) and not hasattr(cls, "__dataclass_fields__"))


def _text_of_class(functions, path, globals_):
    if functions:
        return source_text(functions[0].__code__, globals_)
    texts = _texts_of(path, globals_) if path else None
    return texts[-1] if texts else None


_DATA = (bool, int, float, str, bytes, tuple, list, dict, set, frozenset, np.generic, np.dtype, enum.Enum, type(None))


def _inner(value):
    """The function in a staticmethod, classmethod or property; others as they are."""
    return value.__func__ if isinstance(value, (staticmethod, classmethod)) else value.fget if type(value) is property else value


def _is_as_written(cls, name, function):
    """Whether a function of a class is what the statement of the class gives, defaults included."""
    if function.__code__.co_filename == "<string>":  # made by a decorator
        return True
    if function.__qualname__ != f"{cls.__qualname__}.{name}" or function.__module__ != cls.__module__:
        return False
    if hasattr(function, "__wrapped__"):
        return True
    return function.__code__.co_name == name and not function.__defaults__ and not function.__kwdefaults__


def _attributes_of_class(cls):
    """Attributes that may differ from what the statement of the class gives: data, classes, and functions from elsewhere."""
    found = {}
    for name, value in vars(cls).items():
        is_special = name.startswith("__") and name.endswith("__")
        if name.startswith("_abc_") or issubclass(cls, enum.Enum):
            continue
        function = _inner(value)
        if isinstance(function, types.FunctionType):
            if not _is_as_written(cls, name, function):
                found[name] = value
        elif not is_special and (isinstance(value, (*_DATA, type)) or not (
                hasattr(value, "__get__") or callable(value) or native_module(type(value).__module__))):
            found[name] = value
    return found


def _defines(lines, cls):
    statement = re.compile(rf"\s*class\s+{re.escape(cls.__name__)}\b")
    return any(map(statement.match, lines))


def _cell_of_notebook(cls):
    """The last notebook cell that defines a class without methods."""
    for path, entry in reversed(list(linecache.cache.items())):
        if len(entry) > 2 and _defines(entry[2], cls) and not os.path.exists(path):
            return path
    return None


def attributes_of(obj):
    """{name: value} of an object's own attributes."""
    found = {}
    for cls in reversed(type(obj).__mro__):
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(obj, name):
                found[name] = getattr(obj, name)
    found.update(getattr(obj, "__dict__", {}))
    return found


def held_value(obj):
    """What an object of a class derived from a built-in one wraps, as an object of that class; None: nothing."""
    for kind in (int, float, str, bytes, tuple, list, dict, set, frozenset):
        if isinstance(obj, kind):
            return kind(obj)
    return None


def held_items(obj):
    held = held_value(obj)
    if isinstance(held, dict):
        return [*held, *held.values()]
    return list(held) if isinstance(held, (tuple, list, set, frozenset)) else [held]


def _made(obj):
    """Objects of Python's libraries that have no text: how the tracer comes to the same; None for others."""
    kind = type(obj)
    if kind is types.SimpleNamespace:
        return ("instance", object, vars(obj), None)
    if kind is staticmethod or kind is classmethod or kind is property:
        return ("call", kind, (_inner(obj),), {}) if _inner(obj) else None
    if kind is functools.partial:
        return ("call", functools.partial, (obj.func, *obj.args), obj.keywords)
    if kind is collections.defaultdict:
        return ("call", collections.defaultdict, (obj.default_factory, dict(obj)), {})
    if kind is collections.deque:
        return ("value", list(obj))
    if kind is types.MappingProxyType:
        return ("value", dict(obj))
    if kind is functools._lru_cache_wrapper:
        return ("value", obj.__wrapped__)
    if isinstance(obj, logging.Logger):
        return ("call", logging.getLogger, (obj.name,), {})
    if isinstance(obj, type) and issubclass(obj, tuple) and "_field_defaults" in vars(obj) and not vars(obj).get("__annotations__"):
        return ("call", collections.namedtuple, (obj.__name__, obj._fields), {"defaults": tuple(obj._field_defaults.values())})
    return None


def parts_of(obj):
    """What an object of Python's libraries holds, as a list to compare with."""
    if isinstance(obj, functools.partial):
        return [obj.func, *obj.args, *obj.keywords, *obj.keywords.values()]
    if isinstance(obj, types.MappingProxyType):
        return [*obj, *obj.values()]
    if isinstance(obj, collections.deque):
        return list(obj)
    return held_items(obj)


def _instance(obj):
    cls, held = type(obj), held_value(obj)
    if held is not None and cls.__flags__ & (1 << 9) == 0 and native_module(cls.__module__):
        return ("value", held)
    return ("instance", cls, attributes_of(obj), held)


def _scalar(obj):
    """A NumPy scalar as Python's: item() of wide and of narrow floats gives the scalar itself."""
    value = obj.item()
    if isinstance(value, np.generic):
        try:
            value = float(value)
        except (TypeError, ValueError):
            return ("opaque", f"numpy {type(obj).__name__}")
    return ("value", value)


def _foreign_type(obj):
    """The NKI name of torch.float32, jnp.float32 and the like; None for other objects."""
    if type(obj).__module__ == "torch" and type(obj).__name__ == "dtype":
        return _arrays.torch_name(obj)
    if type(obj).__module__.startswith("jax.") and isinstance(obj, type):
        return nki_name(getattr(obj, "dtype", None))
    return None


def _flags(obj):
    """Several members of an enum.Flag at once: the number, if that is what they are."""
    return ("value", int(obj)) if isinstance(obj, int) else ("opaque", repr(obj))


def describe(obj, in_arguments):
    """The tuple for one object; arrays are tensors when `in_arguments`."""
    if isinstance(obj, kernel_class()):
        return ("kernel", obj.bound_function(), obj.lnc or 0)
    if isinstance(obj, types.ModuleType):
        name = obj.__name__
        if name in ("_klr", "klr._library"):
            return ("library", "_klr", "")
        if library_module(name):
            return ("library", library_module(name), "")
        if native_module(name):
            return ("library", native_module(name), "")
        if name.partition(".")[0] in ("torch", "jax", "jaxlib", "tensorflow"):
            return ("opaque", name)
        return ("module", module_tuple(vars(obj)))
    if isinstance(obj, np.dtype) or (isinstance(obj, type) and issubclass(obj, np.generic)):
        name = nki_name(obj)
        return ("dtype", name) if name else ("opaque", f"numpy dtype {np.dtype(obj)}")
    if isinstance(obj, np.generic):
        return _scalar(obj)
    name = _foreign_type(obj)
    if name:
        return ("dtype", name)
    if isinstance(obj, types.FunctionType):
        if obj.__name__ in ("set_trace", "breakpoint") and (obj.__module__ or "").partition(".")[0] in DEBUGGERS:
            return ("builtin", "breakpoint")
        return _function(obj)
    if isinstance(obj, _native.Function):
        return _function(obj.__wrapped__)
    if isinstance(obj, enum.Enum):
        return ("member", type(obj), obj.name) if obj.name in type(obj).__members__ else _flags(obj)
    if obj is os.environ:
        return ("attribute", os, "environ")
    if isinstance(obj, Constant):
        return ("constant", obj.group, obj.name)
    made = _made(obj)
    if made:
        return made
    if isinstance(obj, type):
        return _class(obj)
    if isinstance(obj, types.MethodType):
        return ("method", obj.__func__, obj.__self__)
    if isinstance(obj, types.BuiltinFunctionType) or isinstance(obj, np.ufunc):
        owner = "numpy" if isinstance(obj, np.ufunc) else getattr(obj, "__module__", None)
        if owner == "builtins":
            return ("builtin", obj.__name__)
        native = native_module(owner)
        return ("library", native, obj.__name__) if native else ("opaque", f"{owner}.{obj.__name__}")
    if _arrays.framework(obj):
        shape = _arrays.shape_of(obj)
        if not shape and not _arrays.is_traced(obj):
            return ("value", _arrays.number(obj))
        if in_arguments:
            return ("tensor", _arrays.element_type(obj), shape)
        array = _arrays.constant(obj)
        if array is None:
            return ("opaque", f"an array of shape {shape} and dtype {getattr(obj, 'dtype', None)} outside of the arguments")
        return ("array", nki_name(array.dtype), tuple(array.shape), array.tobytes())
    if native_module(type(obj).__module__) and not attributes_of(obj) \
            and not isinstance(obj, (int, float, str, bytes, tuple, list, dict, set, frozenset)):
        return ("opaque", f"{type(obj).__module__}.{type(obj).__qualname__}")
    return _instance(obj)
