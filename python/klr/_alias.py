"""The names by which scripts and test harnesses know NKI, in this process only: `nki`, `neuronxcc.nki`,
`nki_cpu_simulator`, `neuron_dtypes`."""

import importlib
import importlib.util
import sys
import types

PARTS = ["", ".isa", ".isa.constants", ".language", ".collectives", ".typing"]


def is_installed(name):
    """Whether a package of that name is importable that is not ours."""
    if name in sys.modules:
        return not getattr(sys.modules[name], "__name__", "").startswith("klr.")
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _module(name, **names):
    module = types.ModuleType(name)
    module.__path__ = []
    module.__dict__.update(names)
    return module


def _static_cast(array, dtype):
    from klr import neuron_dtypes

    return neuron_dtypes.static_cast(array, dtype)


def install(force=True):
    """Make the names importable. A vendor package of the same name is left alone unless `force`."""
    if not force and is_installed("nki"):
        raise ImportError("a package `nki` is installed; `python -m klr` runs a script with KLR in its place")
    library = {part: importlib.import_module("klr.nki" + part) for part in PARTS}
    sys.modules["neuron_dtypes"] = importlib.import_module("klr.neuron_dtypes")
    library[""].cpu_simulate = library[""].simulate
    extra = {".builtin": _module("nki.builtin"), ".compiler": _module("nki.compiler"), ".tensor": _module("nki.tensor"),
             ".language.dtypes": library[".language"]}
    for root in ("nki", "neuronxcc.nki", "nki_cpu_simulator.nki"):
        for part, module in {**library, **extra}.items():
            sys.modules[root + part] = module
    for name in ("compiler", "builtin", "tensor"):
        setattr(library[""], name, extra["." + name])
    library[".language"].dtypes = library[".language"]
    sys.modules["neuronxcc"] = _module("neuronxcc", nki=library[""])
    sys.modules["nki_cpu_simulator"] = _module("nki_cpu_simulator", nki=library[""])
    for name in ("neuronxcc.starfish", "neuronxcc.starfish.support"):
        sys.modules[name] = _module(name)
    sys.modules["neuronxcc.starfish.support.dtype"] = _module("neuronxcc.starfish.support.dtype", static_cast=_static_cast)
