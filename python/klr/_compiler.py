"""`nki.compiler.frontend` as harnesses call it: a kernel is traced for its arguments and checked, and nothing is run.

    result = ParserFrontend().compile(kernel, inputs={"x": x}, target="trn2", lnc=2, artifacts_dir=folder)
    result.module.operation.print(file=...)     # the kernel's text
"""

from __future__ import annotations

import sys
from typing import Any, Dict, Optional, Sequence

from klr import core, frontend


class _Operation:
    """What prints itself."""

    def __init__(self, kernel: core.Kernel):
        self._kernel = kernel

    def print(self, file: Any = None, **ways: Any) -> None:
        (file or sys.stdout).write(str(self._kernel))


class _Module:
    def __init__(self, kernel: core.Kernel):
        self.operation = _Operation(kernel)


class Compiled:
    """A traced kernel: `kernel` is a klr.core.Kernel."""

    def __init__(self, kernel: core.Kernel, output_names: Sequence[str]):
        self.kernel, self.module, self.output_names = kernel, _Module(kernel), list(output_names)


class NKIFrontend:
    """From a kernel and its arguments to one that is checked."""

    def compile(self, kernel: Any, inputs: Optional[Dict[str, Any]] = None, target: Optional[str] = None, lnc: Optional[int] = None,
                artifacts_dir: Optional[str] = None, dump_python_ast: bool = False,
                output_names: Optional[Sequence[str]] = None) -> Compiled:
        """Trace `kernel` for these arguments; with `artifacts_dir` its text is written there. Raises klr.Error."""
        made = frontend.Kernel(kernel).specialize((), inputs or {}, target=target, lnc=lnc)
        if artifacts_dir is not None:
            made.write(f"{artifacts_dir}/kernel.klrtext", "text")
        return Compiled(made, output_names or [])


class ParserFrontend(NKIFrontend):
    """The source is read by KLR's own parser; there is no other way here."""
