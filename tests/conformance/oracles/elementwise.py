"""Elementwise instructions on Data: tensor_tensor, tensor_scalar and their relatives."""

import numpy as np

from .alu import BITS, alu, bitwise, whole
from .formats import Data, narrow


def sides(op, a, b, reverse=False):
    return alu(op, b, a) if reverse else alu(op, a, b)


def tensor_tensor(op, a, b, dtype, exact=False):
    """`exact`: the integer path."""
    if op in BITS:
        return Data(dtype, bitwise(op, a, b, dtype))
    return Data(dtype, whole(op, a, b, dtype) if exact else narrow(alu(op, a.f32, b.f32), dtype))


def tensor_scalar_f32(a, op0, operand0, op1=None, operand1=None, reverse0=False, reverse1=False):
    """float32 in, float32 out; operands are numbers or (P, 1) arrays."""
    value = sides(op0, a, np.asarray(operand0, np.float32), reverse0)
    return value if op1 is None else sides(op1, value, np.asarray(operand1, np.float32), reverse1)


def tensor_scalar(a, dtype, *arguments, **named):
    return Data(dtype, narrow(tensor_scalar_f32(a.f32, *arguments, **named), dtype))


