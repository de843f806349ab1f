"""From a Python function to a kernel of the core language.

    kernel = klr.frontend.Kernel(function)
    kernel.specialize((x, y), {"scale": 2.0})
    kernel.trace("k.klr")                      # writes the file; gives its summary
    data = kernel.serialize()                  # bytes; klr.frontend.deserialize(data) is a klr.core.Kernel
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from klr import _native, core
from klr._jit import Kernel as _Jit
from klr._jit import Options


class Kernel:
    """A function to be traced. `specialize` fixes its arguments."""

    def __init__(self, function: Any):
        self._jit = _Jit(function)
        self._traced: Optional[core.Kernel] = None

    @_native.Entry
    def specialize(self, args: Optional[Sequence[Any]] = None, kwargs: Optional[Dict[str, Any]] = None,
                   target: Optional[str] = None, lnc: Optional[int] = None) -> core.Kernel:
        """Trace with these arguments, arrays giving dtypes and shapes. Raises klr.Error."""
        jit = self._jit[lnc] if lnc else self._jit
        values = jit.bind(tuple(args or ()), dict(kwargs or {}))
        traced, _ = jit._trace(values, Options(target=target))
        made = core.Kernel(traced.session, traced.handle)
        self._traced = made
        return made

    def _need(self) -> core.Kernel:
        if self._traced is None:
            raise RuntimeError("call specialize() first: a kernel is traced for given arguments")
        return self._traced

    def trace(self, path: Optional[str] = None) -> Dict[str, Any]:
        """Write the specialised kernel to `path`; its name, inputs and outputs."""
        kernel = self._need()
        if path is not None:
            kernel.write(path)
        return {"name": kernel.name, "cores": kernel.cores, "inputs": [vars(t) for t in kernel.inputs],
                "outputs": [vars(t) for t in kernel.outputs]}

    def serialize(self) -> bytes:
        """The specialised kernel as the bytes of a .klr file."""
        return self._need().to_bytes()


@_native.Entry
def deserialize(data: bytes) -> core.Kernel:
    """The kernel that `serialize` wrote."""
    return core.parse(data)
