"""nki.language: the language's types and memories, and a library of tile functions written over nki.isa.

Functions that compute take tiles in SBUF or PSUM and return a new tile in SBUF, in the dtype of their operands unless
`dtype` says otherwise. Operands of different sizes broadcast as in NumPy. The names of elementwise functions also stand for
the operators that instructions take: `nisa.tensor_tensor(..., op=nl.add)`.
"""

from .types import *
from .elementwise import (
    abs, abs_max, abs_min, add, arctan, bitwise_and, bitwise_or, bitwise_xor, ceil, cos, divide, dropout, equal, erf, erf_dx,
    exp, floor, fmod, gelu, gelu_apprx_sigmoid, gelu_apprx_sigmoid_dx, gelu_apprx_tanh, gelu_dx, greater, greater_equal, invert,
    left_shift, less, less_equal, log, logical_and, logical_not, logical_or, logical_xor, maximum, minimum, mish, mod, multiply,
    negative, not_equal, power, reciprocal, relu, right_shift, rsqrt, sigmoid, sign, silu, silu_dx, sin, softplus, sqrt, square,
    subtract, tan, tanh, trunc, where)
from .reductions import all, max, mean, min, prod, rms_norm, softmax, sum, var
from .tensors import (
    broadcast_to, copy, device_print, ds, empty_like, expand_dims, full, gather_flattened, load, load_transpose2d, matmul,
    ndarray, ones, rand, random_seed, shared_constant, shared_identity_matrix, store, transpose, zeros, zeros_like)
from .control import (
    affine_range, dynamic_range, fori_loop, no_reorder, num_programs, program_id, program_ndim, sequential_range, static_range,
    while_loop)

range = range
