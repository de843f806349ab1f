"""What a live Python object is to the tracer: a tuple whose first item is a tag (see _native.c)."""

import enum
import functools
import linecache
import sys
import types

import numpy as np

from klr import _arrays
from klr._dtypes import nki_name
from klr._library import Constant

# Modules of Python and its libraries that the tracer has itself.
NATIVE = {"math", "numpy", "functools", "itertools", "operator", "collections", "collections.abc", "dataclasses", "enum",
          "typing", "typing_extensions", "numbers", "types", "abc", "copy", "os", "os.path", "posixpath", "sys", "logging",
          "warnings", "contextlib"}
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


def source_text(path):
    lines = linecache.getlines(path)
    return "".join(lines) if lines else None


def _function(f):
    module = getattr(f, "__module__", None)
    library, native = library_module(module), native_module(module)
    if library:
        return ("library", library, f.__qualname__)
    if native and "<locals>" not in f.__qualname__:
        return ("library", native, f.__qualname__)
    code = f.__code__
    cells = dict(zip(code.co_freevars, f.__closure__ or ()))
    return ("function", module_tuple(f.__globals__), code.co_filename, source_text(code.co_filename), code.co_name,
            code.co_firstlineno, f.__defaults__, f.__kwdefaults__, cells)


def _functions_of(cls):
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
    functions = list(_functions_of(cls))
    globals_ = functions[0].__globals__ if functions else vars(module) if module else {"__name__": cls.__module__}
    path = functions[0].__code__.co_filename if functions else getattr(module, "__file__", None)
    if path is None:
        path = _cell_of_notebook(cls)
    free = {}
    for f in functions:
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            try:
                free.setdefault(name, cell.cell_contents)
            except ValueError:
                pass
    free.pop("__class__", None)
    return ("class", module_tuple(globals_), path or "", source_text(path) if path else None, cls.__qualname__, free)


def _cell_of_notebook(cls):
    """The notebook cell that defines a class without methods."""
    for path, entry in reversed(list(linecache.cache.items())):
        if len(entry) > 2 and any(line.startswith(f"class {cls.__name__}") for line in entry[2]):
            return path
    return None


def _attributes(obj):
    found = {}
    for cls in reversed(type(obj).__mro__):
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(obj, name):
                found[name] = getattr(obj, name)
    found.update(getattr(obj, "__dict__", {}))
    return found


def _instance(obj):
    cls = type(obj)
    held = None
    for kind in (int, float, str, bytes, tuple, list, dict, set, frozenset):
        if isinstance(obj, kind):
            if cls.__flags__ & (1 << 9) == 0 and native_module(cls.__module__):
                return ("value", kind(obj))
            held = kind(obj)
            break
    return ("instance", cls, _attributes(obj), held)


def describe(obj, in_arguments):
    from klr._jit import Kernel

    if isinstance(obj, Kernel):
        return ("kernel", obj.function, obj.lnc or 0)
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
        return ("value", obj.item())
    if isinstance(obj, types.FunctionType):
        return _function(obj)
    if isinstance(obj, enum.Enum):
        return ("member", type(obj), obj.name)
    if isinstance(obj, Constant):
        return ("constant", obj.group, obj.name)
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
        array = _arrays.as_numpy(obj)
        name = nki_name(array.dtype)
        if not in_arguments:
            shape = tuple(array.shape)
            return ("array", name, shape, array.tobytes()) if name and 0 < len(shape) <= 16 else (
                "opaque", f"an array of shape {shape} and dtype {array.dtype} outside of the arguments")
        if name is None:
            raise TypeError(f"an array of dtype {array.dtype}, which NKI does not have; convert it, for example with "
                            f".astype(np.{'int32' if array.dtype.kind in 'iu' else 'float32'})")
        return ("tensor", name, tuple(array.shape))
    if isinstance(obj, functools.partial) or native_module(type(obj).__module__) and not _attributes(obj) \
            and not isinstance(obj, (int, float, str, bytes, tuple, list, dict, set, frozenset)):
        return ("opaque", f"{type(obj).__module__}.{type(obj).__qualname__}")
    return _instance(obj)
