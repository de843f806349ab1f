"""What a user of klr.core and klr.frontend writes with types; mypy --strict has nothing to say about it."""

from __future__ import annotations
import numpy as np
import klr
from klr import core, frontend


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
