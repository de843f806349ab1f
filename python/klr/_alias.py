"""The names by which scripts and test harnesses know NKI: `nki`, `neuronxcc.nki`, `nki_cpu_simulator`, `neuron_dtypes`; and those of
scalar kernels: `atlas_kernel`, `atlas_compile`, and `compiler`, where nothing else is called so.

A finder gives the modules of this package under those names, the very same objects. `install()` puts it first, for a
process that shall run on KLR whatever is installed; `find_spec` is what the opt-in distribution `klr-nki` asks, and there an
installed package of the name comes first.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import types
import warnings

ROOTS = ("nki", "neuronxcc", "nki_cpu_simulator", "neuron_dtypes", "atlas_kernel", "atlas_compile")
_LAST = ("compiler",)  # too common a name to come before anything else
_WHOLE = {"neuron_dtypes": "klr.neuron_dtypes", "neuronxcc.starfish.support.dtype": "klr._alias", "atlas_kernel": "klr._kernel_names",
          "atlas_compile": "klr._atlas_compile", "compiler": "klr._atlas_compile"}
# Packages that only hold others.
_HOLLOW = ("neuronxcc", "nki_cpu_simulator", "neuronxcc.starfish", "neuronxcc.starfish.support")
_HOLLOW_PARTS = (".builtin", ".compiler", ".tensor")
_LIBRARY = ("nki", "neuronxcc.nki", "nki_cpu_simulator.nki")


def static_cast(array, dtype):
    """neuron_dtypes.static_cast."""
    from klr import neuron_dtypes

    return neuron_dtypes.static_cast(array, dtype)


def _meant(name):
    """The module of this package that is known as `name`; "" for one that only holds others; None: there is no such."""
    if name in _WHOLE:
        return _WHOLE[name]
    if name in _HOLLOW:
        return ""
    for root in _LIBRARY:
        part = name[len(root):]
        if name.startswith(root) and part[:1] in ("", "."):
            if part in _HOLLOW_PARTS:
                return ""
            if part == ".compiler.frontend":
                return "klr._compiler"
            found = "klr.nki" + ("" if part == "" else ".language" if part == ".language.dtypes" else part)
            return found if importlib.util.find_spec(found) else None
    return None


class _Loader:
    """Gives a module that exists already, or an empty package."""

    def create_module(self, spec):
        meant = _meant(spec.name)
        if not meant:
            module = types.ModuleType(spec.name)
            module.__path__ = []
            return module
        module = importlib.import_module(meant)
        self.own_spec = module.__spec__
        return module

    def get_code(self, name):
        """What `python -m NAME` runs: a module that is a program has a function main."""
        meant = _meant(name)
        return compile(f"import sys\nfrom {meant} import main\nsys.exit(main())\n", f"<{name}>", "exec")

    def exec_module(self, module):
        name = module.__spec__.name
        if _meant(name):
            module.__spec__ = self.own_spec  # the import system has put that of the alias there
        if name in _LIBRARY:
            module.cpu_simulate = module.simulate
            for part in (".language.dtypes",) + _HOLLOW_PARTS:
                importlib.import_module(name + part)
        elif name + ".nki" in _LIBRARY:
            importlib.import_module(name + ".nki")


class Finder:
    """Finds this package's modules under the names of ROOTS, before anything else does."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in ROOTS or _meant(name) is None:
            return None
        return _spec(name)


class LastFinder:
    """Finds this package's modules under the names of _LAST, when nobody else has found one."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return _spec(name) if name in _LAST else None


def _spec(name):
    return importlib.machinery.ModuleSpec(name, _Loader(), is_package=_WHOLE.get(name) != "klr._atlas_compile")


def install():
    """Let the names mean this package from here on, in this process; what was imported under them before is forgotten."""
    if Finder not in sys.meta_path:
        for name in [n for n in sys.modules if n.partition(".")[0] in ROOTS]:
            del sys.modules[name]
        sys.meta_path.insert(0, Finder)
        sys.meta_path.append(LastFinder)


def _is_own_source(spec):
    """Whether what was found is a module of a checkout of this project."""
    try:
        with open(spec.origin, encoding="utf-8") as file:
            text = file.read(2000)
            return "\nimport _klr\n" in text or "It is also what `klr.schema` exports." in text
    except (OSError, TypeError, UnicodeDecodeError):
        return False


def _elsewhere(name, path, asking):
    """The spec of another package called `name`, or None."""
    for finder in sys.meta_path:
        if finder is not asking and finder is not Finder and hasattr(finder, "find_spec"):
            spec = finder.find_spec(name, path, None)
            if spec is not None and not _is_own_source(spec):
                return spec
    return None


def find_spec(name, path, asking):
    """What the finder `asking` of `klr-nki` answers. A package of the name that is not ours wins, and a warning says so."""
    root, _, part = name.partition(".")
    if root not in ROOTS:
        return None
    if part:
        loader = getattr(getattr(sys.modules.get(root), "__spec__", None), "loader", None)
        ours = isinstance(loader, _Loader) or getattr(sys.modules.get(root), "__name__", "").startswith("klr.")
        return Finder.find_spec(name) if ours else None
    other = _elsewhere(name, path, asking)
    if other is None:
        return Finder.find_spec(name)
    place = os.path.dirname(other.origin) if other.origin else next(iter(other.submodule_search_locations or []), "?")
    warnings.warn(f"`import {name}` gives the package installed at {place}, not KLR's: klr-nki leaves it alone; "
                  "`python -m klr SCRIPT` runs on KLR", UserWarning, stacklevel=3)  # the line of the import
    return None
