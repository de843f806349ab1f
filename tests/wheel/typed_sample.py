"""What a user of klr, klr.nki, klr.core, klr.frontend and klr.schema writes with types; mypy --strict has nothing to say about it."""

from __future__ import annotations
from typing import Any

import numpy as np
import klr
import klr.nki as nki
from klr import core, frontend, schema
from klr.schema import DeviceArray, f32, get_global_id, inline, kernel, shared_array, u32


class Model:
    @nki.jit
    def forward(self, x: object, factor: float = 2.0) -> object:
        return x


@nki.jit(mode="simulation")
def whole(x: object) -> object:
    return x


def run(x: np.ndarray[Any, Any]) -> core.Kernel:
    results = whole(x), whole[2](x), nki.simulate(Model().forward)(x, 3.0), whole.ranks([(x,), {"x": x}])
    report = klr.diff(whole, results[0], x)
    if report:
        print(report.first, [place.line for place in klr.shadow(whole, x).places])
    return whole.trace(x)


def f(path: str) -> list[str]:
    kernel = core.read(path)
    kernel.verify("trn2")
    names: list[str] = []
    for block in kernel.blocks():
        for op in block.operators:
            for operand in op.operands:
                shape: tuple[int, ...] = operand.view.shape
                names.append(f"{op.kind} {operand.role} {shape} {op.span.line}")
    out = kernel.run(np.zeros((2, 3), np.float32), target="trn3")[0]
    print(out.shape)
    return names


def g() -> core.Kernel:
    b = core.Builder("k")
    t: core.Tensor = b.tensor("t", "float32", (4, 4))
    b.op("nc_copy", dst=t[0:2], src=t)
    try:
        return b.build("trn2")
    except klr.Error as error:
        print(error.code, error.diagnostics)
        raise


def h(function: object) -> bytes:
    kernel = frontend.Kernel(function)
    traced: core.Kernel = kernel.specialize((np.zeros((2, 2)),), {"n": 3}, target="trn2", lnc=2)
    again: core.Kernel = frontend.deserialize(kernel.serialize())
    print(kernel.trace("x.klr")["name"], traced.name, again.name)
    return kernel.serialize()


@inline
def limited(v: f32) -> f32:
    return min(v, 1.0)


@kernel
def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32) -> None:
    i = get_global_id()
    if i < n:
        y[i] = limited(s * x[i]) + y[i]


@kernel(checked=True)
def first(x: DeviceArray[f32]) -> None:
    part = shared_array(f32, 4)
    part[0] = x[0]


def s() -> None:
    x = np.ones(3, np.float32)
    saxpy(x, x, 2.0, n=3)
    saxpy[3].launch((x, x, 2.0, 3), threads=1, group=[4, 1])
    grid: str = saxpy.info["grid"]
    rows: list[schema.Built] = schema.build([saxpy, "k.py"], "libraries")
    registry = schema.Registry("libraries")
    registry["saxpy"](x, x, 2.0, 3)
    for result in registry.results:
        print(result.error, grid, rows[0].seconds, list(registry), schema.compile(saxpy)["version"])
