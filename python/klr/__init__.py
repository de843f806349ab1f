"""KLR: kernels for machine-learning hardware, traced, checked and run on any computer with the same bits everywhere.

    import klr.nki as nki, klr.nki.isa as nisa, klr.nki.language as nl

    @nki.jit
    def kernel(x): ...

    y = kernel(x)                  # NumPy, torch (CPU) or jax arrays
    y = nki.simulate(kernel[2])(x)  # on two logical cores

`klr.diff` names the first instruction and element at which two kernels, or a kernel and arrays, differ; `klr.shadow` runs a
kernel beside a twin in double precision. `klr.frontend` traces and writes kernels, `klr.core` reads and runs them;
`klr.schema` compiles scalar kernels, which say what one thread does, and launches them. `python -m klr SCRIPT` runs a script that says `import nki`.
"""

from typing import TYPE_CHECKING

try:
    import numpy as _numpy  # noqa: F401
except ImportError as error:
    raise ImportError("klr needs numpy: pip install numpy") from error

from klr import _library  # noqa: F401  finds klr.nki
from klr._errors import Error, Warning  # noqa: A004
from klr._native import version as __version__

if TYPE_CHECKING:
    from klr._diff import diff, shadow

__all__ = ["Error", "Warning", "__version__", "diff", "shadow"]


def __getattr__(name: str) -> object:
    if name in ("diff", "shadow"):
        from klr import _diff

        return getattr(_diff, name)
    raise AttributeError(f"module 'klr' has no attribute {name!r}")
