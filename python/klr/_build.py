"""Kernels made in Python, operator by operator. Part of klr.core."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from klr import _native
from klr._dtypes import nki_name
from klr._errors import Error
from klr._tensors import Affine, Register, Tensor, View, core_dtype, quoted

if TYPE_CHECKING:
    from klr.core import Kernel

_MEMORIES = ("hbm", "shared_hbm", "private_hbm", "sbuf", "psum")
# Sums whose members are written `$member`.
_SUMS = ("DMA_BOUNDS", "INDEX_MISS", "REPLICA_GROUP")
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


class BuildError(Error, ValueError):
    """A kernel that cannot be made: no such operator or field, a value of another kind."""


class FieldInfo(NamedTuple):
    """A field of an operator in general; `place` in the text form: "written", "read" or "attribute"."""

    name: str
    kind: str
    role: str
    doc: str
    place: str
    is_optional: bool


class OperatorInfo(NamedTuple):
    """An operator in general; `engine` is "any" where its field `engine` decides."""

    name: str
    engine: str
    doc: str
    fields: Dict[str, FieldInfo]


OPERATORS: Dict[str, OperatorInfo] = {
    name: OperatorInfo(name, engine, doc, {f[0]: FieldInfo(*f) for f in fields}) for name, engine, doc, fields in _native.kinds()}

Value = Union[Tensor, View, Register, Affine, bool, int, float, str, Sequence[Any], None]


def _nearest(name: str, names: Sequence[str]) -> str:
    import difflib

    found = difflib.get_close_matches(name, names, 1)
    return f"; did you mean `{found[0]}`?" if found else ""


def _number(value: float) -> str:
    narrow = np.float32(value)
    if np.isnan(narrow):
        return "nan"
    return str(narrow) if np.isfinite(narrow) else ("inf" if narrow > 0 else "-inf")


def _item(value: Any, kind: str) -> str:
    """One value as the text form writes it."""
    if isinstance(value, Tensor):
        return str(value.view())
    if isinstance(value, (View, Register, Affine)):
        return str(value)
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return _number(float(value)) if kind == "F32" else str(int(value))
    if isinstance(value, (float, np.floating)):
        return _number(float(value))
    if isinstance(value, str):
        if kind.endswith("DTYPE"):
            return core_dtype(value)
        if value.startswith("$") and "STRING" not in kind:
            return value
        return "$" + value if kind in _SUMS else quoted(value)
    if isinstance(value, (tuple, list)):
        if "PAIR" in kind:
            return "[" + ", ".join(f"{step}*{count}" for step, count in value) + "]"
        return "[" + ", ".join(_item(item, kind.replace("LIST_", "", 1)) for item in value) + "]"
    name = nki_name(value) if "DTYPE" in kind else None
    if name is None:
        raise BuildError(f"{value!r} is no value of a field: fields hold tensors, views, registers, numbers, names and lists of them")
    return core_dtype(name)


class Builder:
    """A kernel under construction.

        b = Builder("double")
        x = b.input("x", "float32", (128, 64))
        y = b.output("y", "float32", (128, 64))
        t = b.tensor("t", "float32", (128, 64))              # in SBUF
        b.op("nc_dma_copy", dst=t, src=x, oob_mode="error")
        b.op("tensor_scalar", dst=t, src=t, imm0=2.0, op0="mult")
        b.op("nc_dma_copy", dst=y, src=t, oob_mode="error")
        kernel = b.build(target="trn2")                      # verified; klr.Error says what is wrong

    Fields are those of docs/ops.md and of `klr.core.OPERATORS`; names of members are those of the core language. Blocks,
    branches and further logical cores are begun with `block`, `goto`, `branch` and `core`.
    """

    def __init__(self, name: str):
        self.name = name
        self._tensors: Dict[str, Tensor] = {}
        self._inputs: List[Tensor] = []
        self._outputs: List[Tensor] = []
        self._lines: List[str] = ["core 0", "main:"]
        self._places: List[Optional[Tuple[str, int]]] = [None, None]  # where in Python each line comes from
        self._cores = 1

    def tensor(self, name: str, dtype: Any, shape: Sequence[int], memory: str = "sbuf") -> Tensor:
        """A tensor of the kernel's own. In SBUF and PSUM the first dimension is the partition."""
        if name in self._tensors:
            raise BuildError(f"there is a tensor `{name}` already: {self._tensors[name]}")
        if memory not in _MEMORIES:
            raise BuildError(f"`{memory}` is no memory: {', '.join(_MEMORIES)}")
        word = dtype if isinstance(dtype, str) else nki_name(dtype)
        if word is None:
            raise BuildError(f"{dtype!r} is no dtype of NKI")
        sizes = tuple(int(size) for size in shape)
        if not sizes or min(sizes) < 1:
            raise BuildError(f"tensor `{name}` has shape {sizes}: it takes 1 or more dimensions of 1 or more elements")
        made = Tensor(name, word, sizes, memory)
        self._tensors[name] = made
        return made

    def input(self, name: str, dtype: Any, shape: Sequence[int]) -> Tensor:
        """A tensor in HBM that the caller gives."""
        made = self.tensor(name, dtype, shape, "hbm")
        self._inputs.append(made)
        return made

    def output(self, name: str, dtype: Any, shape: Sequence[int]) -> Tensor:
        """A tensor in HBM that the caller receives."""
        made = self.tensor(name, dtype, shape, "shared_hbm")
        self._outputs.append(made)
        return made

    def register(self, name: str) -> Register:
        return Register(name)

    def _add(self, line: str) -> None:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back
        self._lines.append(line)
        self._places.append((frame.f_code.co_filename, frame.f_lineno) if line.startswith("  ") else None)

    def op(self, kind: str, name: Optional[str] = None, **fields: Value) -> None:
        """Append an instruction. A field that is None is left out; `name` labels it."""
        info = OPERATORS.get(kind)
        if info is None:
            raise BuildError(f"there is no operator `{kind}`{_nearest(kind, list(OPERATORS))}")
        for field in fields:
            if field not in info.fields:
                raise BuildError(f"`{kind}` has no field `{field}`{_nearest(field, list(info.fields))} "
                                 f"(its fields: {', '.join(info.fields)})")
        places: Dict[str, List[str]] = {"written": [], "read": [], "attribute": []}
        for field_info in info.fields.values():
            value = fields.get(field_info.name)
            if value is None:
                if field_info.place != "attribute":
                    raise BuildError(f"`{kind}` needs `{field_info.name}`: {field_info.doc}")
                continue
            text = _item(value, field_info.kind)
            places[field_info.place].append(text if field_info.place != "attribute" else f"{field_info.name}={text}")
        sides = ", ".join(places["written"])
        if places["read"]:
            sides += (" = " if sides else "") + ", ".join(places["read"])
        attributes = places["attribute"] + ([f"name={quoted(name)}"] if name else [])
        self._add("  " + " ".join(part for part in [kind, sides, *attributes] if part))

    def block(self, label: str) -> None:
        """Begin a block; branches name it. The one before goes on here unless it ends with a branch."""
        if not self._lines[-1].startswith(("  goto ", "  if ")):
            self.goto(label)
        self._add(f"{quoted(label)}:")

    def goto(self, label: str) -> None:
        self._add(f"  goto {quoted(label)}")

    def branch(self, left: Register, comparison: str, right: Union[Register, int], then: str, otherwise: str) -> None:
        """End the block: to `then` when `left comparison right` holds, else to `otherwise`."""
        if comparison not in _COMPARISONS:
            raise BuildError(f"`{comparison}` is no comparison: {' '.join(_COMPARISONS)}")
        self._add(f"  if {left} {comparison} {right} goto {quoted(then)} else {quoted(otherwise)}")

    def core(self, label: str = "main") -> None:
        """Begin the next logical core."""
        self._add(f"core {self._cores}")
        self._add(f"{quoted(label)}:")
        self._cores += 1

    def text(self, positions: bool = False) -> str:
        """The kernel in the text form, as it is so far; with the lines of Python that added its instructions."""
        def names(tensors: Sequence[Tensor]) -> str:
            return ", ".join(quoted(t.name) for t in tensors)

        lines = [f"kernel {quoted(self.name)}({names(self._inputs)}) -> ({names(self._outputs)})"]
        lines += [f"tensor {quoted(t.name)}: {core_dtype(t.dtype)}[{', '.join(map(str, t.shape))}] @{t.memory}" for t in self._tensors.values()]
        file = None
        for line, place in zip(["", *self._lines], [None, *self._places]):
            if positions and place:
                if place[0] != file:
                    file = place[0]
                    lines.append(f'file "{quoted(file).strip(chr(34))}"')
                line += f" ;{place[1]}:0"
            lines.append(line)
        return "\n".join(lines) + "\n"

    def build(self, target: Optional[str] = None) -> Kernel:
        """The kernel as a klr.core.Kernel; verified when a target is named. Raises klr.Error."""
        from klr import core

        kernel = core.parse(self.text(positions=True), f"<{self.name}>")
        if target is not None:
            kernel.verify(target)
        # Read from bytes, where instructions come from is Python, no longer this text.
        return core.parse(kernel.to_bytes(), f"<{self.name}>")


__all__: Tuple[str, ...] = ("Builder", "BuildError", "FieldInfo", "OperatorInfo", "OPERATORS")
