"""The names by which scripts and test harnesses know NKI, in this process only: `nki`, `neuronxcc.nki`, `nki_cpu_simulator`,
`neuron_dtypes`."""

import importlib.util
import sys
import types

ALIASES = {
    "nki": "klr.nki", "nki.isa": "klr.nki.isa", "nki.isa.constants": "klr.nki.isa.constants",
    "nki.language": "klr.nki.language", "nki.collectives": "klr.nki.collectives", "nki.typing": "klr.nki.typing",
}


def is_installed(name):
    """Whether a package of that name is installed that is not ours."""
    if name in sys.modules:
        return not getattr(sys.modules[name], "__name__", "").startswith("klr.")
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def install(force=True):
    """Make the names importable. A vendor package of the same name is left alone unless `force`."""
    if not force and is_installed("nki"):
        raise ImportError("a package `nki` is installed; `python -m klr` runs a script with KLR in its place")
    for alias, name in ALIASES.items():
        sys.modules[alias] = importlib.import_module(name)
    neuronxcc = sys.modules.setdefault("neuronxcc", types.ModuleType("neuronxcc"))
    neuronxcc.__path__ = getattr(neuronxcc, "__path__", [])
    for alias, name in ALIASES.items():
        sys.modules["neuronxcc." + alias] = sys.modules[alias]
    neuronxcc.nki = sys.modules["nki"]
