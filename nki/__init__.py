"""NKI, the Neuron Kernel Interface: `nki.isa` declares the instructions, `nki.language` is written over them."""

import _klr
# nki.isa first: its signatures use the operators of nki.language, whose functions use nki.isa only when called.
from . import isa, language
from . import dtype


def jit(kernel=None, **options):
    """Mark a function as a kernel. Options of the vendor's compiler are accepted and have no effect here."""
    if kernel is None:
        return jit
    return _klr.jit(kernel)


def simulate(kernel):
    """The kernel as a function of arrays that runs on the simulator, wherever `kernel(...)` would run."""
    return _klr.simulate(kernel)
