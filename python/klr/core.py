"""Kernels of the core language: read, look at, verify, run and write them.

    kernel = klr.core.read("k.klr")            # any form: .klr, text, JSON, S-expression
    for op in kernel.operators():
        print(op.line, op.kind, op.engine)
    y, = kernel.run(x)                          # one array for each of kernel.inputs, in order
    kernel.write("k.txt", form="text")

    b = klr.core.Builder("double")              # or made here, operator by operator
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from klr import _arrays, _errors, _native
from klr._build import OPERATORS, Builder, BuildError, FieldInfo, OperatorInfo
from klr._dtypes import numpy_dtype
from klr._tensors import Affine, Register, Tensor, View, views_of

FORMS = {"klr": 0, "text": 1, "json": 2, "sexp": 3}


class Span(NamedTuple):
    """A place in a source file: lines and columns from 1, the end exclusive; None for what is not known."""

    file: Optional[str]
    line: Optional[int]
    column: Optional[int]
    end_line: Optional[int]
    end_column: Optional[int]


class Field(NamedTuple):
    """A field of an operator: `kind` of ops.def, `role` "read", "write", "update" or "param", `value` as JSON gives it."""

    name: str
    kind: str
    role: str
    value: Any


class Operand(NamedTuple):
    """A tensor that an instruction reads or writes; `role` is "read", "write", "update" or "param"."""

    field: str
    role: str
    view: View


class Operator(NamedTuple):
    """An instruction: `kind` of ops.def, its own `name` or None, `text` as the text form has it, where it was written."""

    kind: str
    name: Optional[str]
    engine: str
    text: str
    span: Span
    fields: Dict[str, Field]

    @property
    def line(self) -> int:
        """Of the source; 0 when it is not known."""
        return self.span.line or 0

    @property
    def operands(self) -> List[Operand]:
        """Its tensor operands, in the order of its fields."""
        return [Operand(field.name, field.role, view) for field in self.fields.values() if "TENSOR" in field.kind
                or "OPERAND" in field.kind for view in views_of(field.value) if view is not None]

    @property
    def reads(self) -> List[View]:
        return [operand.view for operand in self.operands if operand.role in ("read", "update")]

    @property
    def writes(self) -> List[View]:
        return [operand.view for operand in self.operands if operand.role in ("write", "update")]


class Block(NamedTuple):
    """Instructions that run one after another; a branch is the last."""

    label: str
    operators: List[Operator]


def _operator(kind: str, name: Optional[str], engine: str, text: str, span: Tuple[Optional[str], int, int, int, int],
              fields: List[Tuple[str, str, str, str]]) -> Operator:
    known = Span(span[0], *(number or None for number in span[1:]))
    return Operator(kind, name, engine, text, known, {f[0]: Field(f[0], f[1], f[2], json.loads(f[3])) for f in fields})


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

    def blocks(self, core: int = 0) -> List[Block]:
        """The blocks of one logical core; it begins with the first."""
        return [Block(label, [_operator(*op) for op in body]) for label, body in self._handle.blocks(core)]

    def operators(self, core: int = 0) -> Iterator[Operator]:
        """The instructions of one logical core, over all blocks, in order."""
        for block in self.blocks(core):
            yield from block.operators

    @property
    def tensors(self) -> Dict[str, Tensor]:
        """Every tensor that the kernel takes, gives or touches, by name."""
        found = {tensor.name: tensor for tensor in self.inputs + self.outputs}
        for core in range(self.cores):
            for operator in self.operators(core):
                for operand in operator.operands:
                    found.setdefault(operand.view.tensor.name, operand.view.tensor)
        return found

    @_native.Entry
    def verify(self, target: str = "trn2") -> None:
        """Raise klr.Error unless the kernel keeps the rules of the core language and of the target."""
        first = len(_errors.read(self._session))
        _errors.report(self._session, not self._handle.verify(target), first)

    @_native.Entry
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

    @_native.Entry
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


@_native.Entry
def parse(data: Union[bytes, str], path: str = "<bytes>") -> Kernel:
    """A kernel from the bytes of any of its forms. Raises klr.Error."""
    session = _native.Session()
    handle = session.read(data.encode() if isinstance(data, str) else bytes(data), path)
    _errors.report(session, handle is None)
    return Kernel(session, handle)


@_native.Entry
def read(path: Union[str, "os.PathLike[str]"]) -> Kernel:
    """A kernel from a file in any of its forms. Raises OSError, klr.Error."""
    with open(path, "rb") as file:
        return parse(file.read(), os.fspath(path))


__all__: Sequence[str] = ["Tensor", "View", "Register", "Affine", "Span", "Field", "Operand", "Operator", "Block", "Kernel",
                          "parse", "read", "FORMS", "Builder", "BuildError", "OPERATORS", "OperatorInfo", "FieldInfo"]
