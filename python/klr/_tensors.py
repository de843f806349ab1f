"""Tensors of a kernel and views of them: what operators read and write. Part of klr.core."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any, Iterator, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?<!\.)")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
# Where the core language calls a dtype otherwise than NKI does.
_NKI_NAMES = {"float8e4": "float8_e4m3", "float8e5": "float8_e5m2", "float32r": "tfloat32", "bool": "bool_"}
_CORE_NAMES = {nki: core for core, nki in _NKI_NAMES.items()}


def core_dtype(name: str) -> str:
    return _CORE_NAMES.get(name, name)


def quoted(text: str) -> str:
    """A name or a text as the text form writes it: in quotes where it has to be."""
    if _PLAIN.fullmatch(text) and text not in ("nan", "inf", "none"):
        return text
    return '"' + "".join(_ESCAPES.get(c, c if c >= " " else f"\\x{ord(c):02x}") for c in text) + '"'


@dataclasses.dataclass(frozen=True)
class Register:
    """A register of 32 bits, by name."""

    name: str

    def __str__(self) -> str:
        return "%" + quoted(self.name)


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor: `dtype` as NKI names it, `memory` where it lives. `tensor[0:64, 3]` is a view."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    memory: str

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def steps(self) -> Tuple[int, ...]:
        """Elements between neighbours of each dimension."""
        return tuple(math.prod(self.shape[i + 1:]) for i in range(len(self.shape)))

    def view(self) -> View:
        """All of it."""
        return View(self, 0, tuple(zip(self.steps, self.shape)))

    def __getitem__(self, index: Any) -> View:
        return self.view()[index]

    def pattern(self, pairs: Sequence[Tuple[int, int]], offset: int = 0, **run_time: Any) -> View:
        """The view of `pairs` (step, count) in elements; on chip the first pair is the partition. `run_time` as View has it."""
        return View(self, offset, tuple((int(step), int(count)) for step, count in pairs), **run_time)


@dataclasses.dataclass(frozen=True)
class View:
    """Element (k0, k1, ...) is number `offset + k0*step0 + k1*step1 + ...` of the row-major tensor.

    `scalar` (a register or a view of one element) is added at run time, times the step of dimension `dim` of the tensor;
    `vector` holds such a number for each row. `as_dtype` reads the same bytes as another dtype; offset and steps are then in
    its elements.
    """

    tensor: Tensor
    offset: int
    pattern: Tuple[Tuple[int, int], ...]
    scalar: Union[Register, "View", None] = None
    vector: Optional["View"] = None
    dim: int = 0
    as_dtype: Optional[str] = None

    @property
    def shape(self) -> Tuple[int, ...]:
        return tuple(count for _, count in self.pattern)

    @property
    def dtype(self) -> str:
        return self.as_dtype or self.tensor.dtype

    def indices(self) -> np.ndarray[Any, Any]:
        """The number of every element in its tensor, an array of the view's shape. Offsets of run time are not counted."""
        result = np.asarray(self.offset, dtype=np.int64)
        for step, count in self.pattern:
            result = result[..., None] + step * np.arange(count)
        return result

    def __getitem__(self, index: Any) -> View:
        """Integers drop their dimension, but the first on chip keeps one partition; slices and `...` are as in NumPy."""
        items = list(index) if isinstance(index, tuple) else [index]
        if items.count(Ellipsis) > 1:
            raise IndexError("an index has one `...` at most")
        if Ellipsis in items:
            at = items.index(Ellipsis)
            items[at:at + 1] = [slice(None)] * (len(self.pattern) - len(items) + 1)
        items += [slice(None)] * (len(self.pattern) - len(items))
        if len(items) != len(self.pattern):
            raise IndexError(f"`{self.tensor.name}` has {len(self.pattern)} dimensions here, not {len(items)}")
        offset, pairs = self.offset, []
        for number, (item, (step, count)) in enumerate(zip(items, self.pattern)):
            if isinstance(item, slice):
                start, stop, stride = item.indices(count)
                offset += start * step
                pairs.append((step * stride, len(range(start, stop, stride))))
                continue
            place = range(count)[item]
            offset += place * step
            if number == 0 and self.tensor.memory in ("sbuf", "psum"):
                pairs.append((step, 1))
        return dataclasses.replace(self, offset=offset, pattern=tuple(pairs))

    def __str__(self) -> str:
        """As the text form writes it."""
        parts = [str(self.offset), " " + ", ".join(f"{step}*{count}" for step, count in self.pattern)]
        if self.scalar is not None:
            parts.append(f" scalar={self.scalar}")
        if self.vector is not None:
            parts.append(f" vector={self.vector}")
        if self.scalar is not None or self.vector is not None:
            parts.append(f" dim={self.dim}")
        dtype = core_dtype(self.tensor.dtype) + (f">{core_dtype(self.as_dtype)}" if self.as_dtype else "")
        return f"{quoted(self.tensor.name)}{{{';'.join(parts)}}}:{dtype}@{self.tensor.memory}"


@dataclasses.dataclass(frozen=True)
class Affine:
    """A number for each position: `offset + partition * multiplier + sum of index * step` over `pattern`, (step, count) each."""

    pattern: Tuple[Tuple[int, int], ...]
    offset: int = 0
    multiplier: int = 0

    def __str__(self) -> str:
        return f"({self.offset}+{self.multiplier}*p; {', '.join(f'{s}*{n}' for s, n in self.pattern)})"


# ---- from the JSON form

def tensor_of(json: Mapping[str, Any]) -> Tensor:
    shape = (json["shape"]["parDim"], *json["shape"]["freeDims"])
    return Tensor(json["name"], _NKI_NAMES.get(json["dtype"], json["dtype"]), shape, json["address"]["memory"])


def _pairs(pattern: Sequence[Mapping[str, int]]) -> Tuple[Tuple[int, int], ...]:
    return tuple((pair["step"], pair["num"]) for pair in pattern)


def _indexed(tensor: Tensor, indexes: Sequence[Mapping[str, Any]]) -> View:
    offset, pairs = 0, []
    for step, index in zip(tensor.steps, indexes):
        if "coord" in index:
            offset += step * int(index["coord"]["e"])
        else:
            cut = index["slice"]["slice"]
            offset += step * int(cut["l"])
            pairs.append((step * cut["step"], len(range(cut["l"], cut["u"], cut["step"]))))
    return View(tensor, offset, tuple(pairs))


def access_of(json: Mapping[str, Any]) -> View:
    """The view of an access."""
    (form, holds), = json.items()
    if form == "simple":
        return tensor_of(holds["tensor"]).view()
    access = holds["access"]
    tensor = tensor_of(access["tensor"])
    if form == "basic":
        return _indexed(tensor, access["indexes"])
    if form == "pattern":
        row = math.prod(tensor.shape[1:])
        pairs = ((row, access["parNum"]), *_pairs(access["pattern"]))
        return View(tensor, access["parOffset"] * row + access["freeOffset"], pairs)
    scalar = access.get("scalarOffset")
    vector = access.get("vectorOffset")
    override = access.get("dtypeOverride")
    index: Union[Register, View, None] = None
    if scalar is not None:
        index = Register(scalar["reg"]["r"]) if "reg" in scalar else access_of(scalar["acc"]["a"])
    return View(tensor, access["offset"], _pairs(access["pattern"]), index,
                access_of(vector) if vector is not None else None, access["indirectDim"], _NKI_NAMES.get(override, override))


def views_of(json: Any) -> Iterator[Optional[View]]:
    """The tensor operands in a field's value, whatever its kind; None for a form that only old files hold."""
    if isinstance(json, list):
        for item in json:
            yield from views_of(item)
    elif isinstance(json, dict) and len(json) == 1:
        (form, holds), = json.items()
        if form == "abstract":
            yield access_of(holds["access"])
        elif form == "tile":
            yield from views_of(holds["t"])
        elif form in ("sbuf", "psum", "hbm"):
            yield None
