"""KLR: kernels for machine-learning hardware, traced, checked and run on any computer with the same bits everywhere.

    import klr.nki as nki, klr.nki.isa as nisa, klr.nki.language as nl

    @nki.jit
    def kernel(x): ...

    y = kernel(x)                  # NumPy, torch (CPU) or jax arrays
    y = nki.simulate(kernel[2])(x)  # on two logical cores

`klr.frontend` traces and writes kernels, `klr.core` reads and runs them; `python -m klr SCRIPT` runs a script that says
`import nki`.
"""

try:
    import numpy as _numpy  # noqa: F401
except ImportError as error:
    raise ImportError("klr needs numpy: pip install numpy") from error

from klr import _library  # noqa: F401  finds klr.nki
from klr._errors import Error, Warning  # noqa: A004
from klr._native import version as __version__

__all__ = ["Error", "Warning", "__version__"]
