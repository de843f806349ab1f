"""Kernels of the core language: read, look at, verify, run and write them.

    kernel = klr.core.read("k.klr")            # any form: .klr, text, JSON, S-expression
    for op in kernel.operators():
        print(op.line, op.kind, op.engine)
    y, = kernel.run(x)                          # one array for each of kernel.inputs, in order
    kernel.write("k.txt", form="text")
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from klr import _arrays, _errors, _native
from klr._dtypes import numpy_dtype

FORMS = {"klr": 0, "text": 1, "json": 2, "sexp": 3}


class Tensor(NamedTuple):
    """An input or output: `dtype` is NKI's name, `memory` where it lives."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    memory: str


class Field(NamedTuple):
    """A field of an operator: `kind` of ops.def, `role` "read", "write", "update" or "param", `value` as JSON gives it."""

    name: str
    kind: str
    role: str
    value: Any


class Operator(NamedTuple):
    """An instruction: `kind` of ops.def, its own `name` or None, `line` of the source, `text` as the text form has it."""

    kind: str
    name: Optional[str]
    engine: str
    line: int
    text: str
    fields: Dict[str, Field]


class Kernel:
    """A kernel of the core language. `read`, `parse` and `klr.frontend` make them."""

    def __init__(self, session: Any, handle: Any):
        self._session, self._handle = session, handle

    @property
    def name(self) -> str:
        return self._handle.name()

    @property
    def inputs(self) -> List[Tensor]:
        return [Tensor(*t) for t in self._handle.inputs()]

    @property
    def outputs(self) -> List[Tensor]:
        return [Tensor(*t) for t in self._handle.outputs()]

    @property
    def cores(self) -> int:
        """Logical cores."""
        return self._handle.core_count()

    def operators(self, core: int = 0) -> Iterator[Operator]:
        """The instructions of one logical core, over all blocks, in order."""
        for kind, name, engine, line, text, fields in self._handle.operators(core):
            yield Operator(kind, name, engine, line, text,
                           {f[0]: Field(f[0], f[1], f[2], json.loads(f[3])) for f in fields})

    def verify(self, target: str = "trn2") -> None:
        """Raise klr.Error unless the kernel keeps the rules of the core language and of the target."""
        first = len(_errors.read(self._session))
        _errors.report(self._session, not self._handle.verify(target), first)

    def run(self, *arrays: Any, target: str = "trn2", f32: bool = False, checks: bool = True, reference: bool = False,
            lenient: bool = False, threads: int = 0, seed: int = 0) -> List[np.ndarray]:
        """Run on one array for each input; the outputs, in order. Inputs that the kernel writes are updated in place."""
        specs = self.inputs
        if len(arrays) != len(specs):
            raise TypeError(f"`{self.name}` takes {len(specs)} arrays, not {len(arrays)}")
        arguments = [_arrays.Argument(a, spec.name, written)
                     for a, spec, written in zip(arrays, specs, self._handle.written())]
        for argument, spec in zip(arguments, specs):
            if argument.memory.shape != spec.shape or argument.memory.dtype != numpy_dtype(spec.dtype):
                raise TypeError(f"`{spec.name}` is {spec.dtype} {spec.shape}, not {argument.memory.dtype} "
                                f"{argument.memory.shape}")
        _arrays.check_apart(arguments, [spec.name for spec in specs])
        results = [np.empty(t.shape, numpy_dtype(t.dtype)) for t in self.outputs]
        session = _native.Session()
        ok = self._handle.run(session, [_arrays.address(a.memory) for a in arguments],
                              [_arrays.address(r) for r in results], target, f32, checks, reference, lenient, False,
                              threads or os.cpu_count() or 1, seed)
        _errors.report(session, not ok)
        for argument in arguments:
            argument.finish()
        return results

    def to_bytes(self, form: str = "klr") -> bytes:
        """The kernel as "klr", "text", "json" or "sexp"."""
        if form not in FORMS:
            raise ValueError(f"`{form}` is no form: {', '.join(FORMS)}")
        first = len(_errors.read(self._session))
        found = self._handle.write(FORMS[form])
        _errors.report(self._session, found is None, first)
        return found

    def write(self, path: Union[str, "os.PathLike[str]"], form: str = "klr") -> None:
        """Write one of the forms to a file; the files of its constants go beside it, in the folder `shared_constants`."""
        data, folder = self.to_bytes(form), os.path.dirname(os.fspath(path))
        for name, contents in self._handle.constants():
            beside = os.path.join(folder, name)
            if contents is not None:
                os.makedirs(os.path.dirname(beside), exist_ok=True)
                with open(beside, "wb") as file:
                    file.write(contents)
        with open(path, "wb") as file:
            file.write(data)

    def __str__(self) -> str:
        return self.to_bytes("text").decode()

    def __repr__(self) -> str:
        return f"<klr kernel {self.name}: {len(self.inputs)} inputs, {len(self.outputs)} outputs, {self.cores} cores>"


def parse(data: Union[bytes, str], path: str = "<bytes>") -> Kernel:
    """A kernel from the bytes of any of its forms. Raises klr.Error."""
    session = _native.Session()
    handle = session.read(data.encode() if isinstance(data, str) else bytes(data), path)
    _errors.report(session, handle is None)
    return Kernel(session, handle)


def read(path: Union[str, "os.PathLike[str]"]) -> Kernel:
    """A kernel from a file in any of its forms. Raises OSError, klr.Error."""
    with open(path, "rb") as file:
        return parse(file.read(), os.fspath(path))


__all__: Sequence[str] = ["Tensor", "Field", "Operator", "Kernel", "parse", "read", "FORMS"]
