"""Functions of one or two operands, element by element.

Operands are tiles in SBUF or PSUM, or numbers; results are new tiles in SBUF. Sizes of two tiles are equal in each
dimension, or one of them is 1, as in NumPy; partitions are repeated by the DMA engines. Results have the dtype of the
operand, or of two operands the wider, unless `dtype` says otherwise. Engines compute in float32; only additions,
subtractions, products and comparisons of two int32 or uint32 tiles in SBUF are exact integers.
"""

import _klr
from .. import isa

from ._support import (activation, binary, cast, common_shape, dtype_of_two, dtype_or, fit, is_exact, is_number,
                       need, need_integers, new_tile, scaled)
from .types import bool_, float32, int32, is_psum, sbuf, uint8, uint16, uint32

# ---- arithmetic


def add(x, y, dtype=None):
    """x + y."""
    return binary(add, x, y, dtype)


def subtract(x, y, dtype=None):
    """x - y."""
    return binary(subtract, x, y, dtype)


def multiply(x, y, dtype=None):
    """x * y."""
    return binary(multiply, x, y, dtype)


def divide(x, y, dtype=None):
    """x / y."""
    return binary(divide, x, y, dtype)


def maximum(x, y, dtype=None):
    """The larger of x and y; if one is NaN, the other."""
    return binary(maximum, x, y, dtype)


def minimum(x, y, dtype=None):
    """The smaller of x and y; if one is NaN, the other."""
    return binary(minimum, x, y, dtype)


def abs_max(x, y, dtype=None):
    """The one of x and y with the larger magnitude; y when they are equal. NeuronCore-v4."""
    _need_v4()
    return binary(abs_max, x, y, dtype)


def abs_min(x, y, dtype=None):
    """The one of x and y with the smaller magnitude; y when they are equal. NeuronCore-v4."""
    _need_v4()
    return binary(abs_min, x, y, dtype)


def _need_v4():
    if _klr.generation() < 4:
        _klr.error(f"magnitudes are compared on NeuronCore-v4 and later; the target is v{_klr.generation()}",
                   "run for it with `--target trn3`, or compare `nl.abs` of both and choose with `nl.where`")


def power(x, y, dtype=None):
    """x to the power y, by the gpsimd engine."""
    return binary(power, x, y, dtype, isa.engine.gpsimd)


def mod(x, y, dtype=None):
    """The remainder of x / y with the sign of y, as Python's %."""
    return binary(mod, x, y, dtype)


def fmod(x, y, dtype=None):
    """The remainder of x / y with the sign of x, as C's fmod."""
    need(x, "x", "operand")
    need(y, "y", "operand")
    result_dtype = dtype
    if dtype is None and not (is_number(x) and is_number(y)):
        result_dtype = dtype_of_two(x, y)
    if not is_number(x) and not is_number(y) and is_exact(x.dtype) and x.dtype == y.dtype:
        remainder = binary(mod, x, y, x.dtype)  # off by y where its sign is not that of x
        wrong = binary(less, binary(multiply, sign(remainder), sign(x), x.dtype), 0, x.dtype)
        return binary(subtract, remainder, binary(multiply, wrong, y, x.dtype), result_dtype)
    magnitude = binary(mod, _magnitude(x), _magnitude(y), float32)
    return binary(multiply, magnitude, (-1.0 if x < 0 else 1.0) if is_number(x) else sign(x, float32), result_dtype)


def _magnitude(x):
    if is_number(x):
        return -x if x < 0 else x
    return abs(x, float32)


# ---- comparisons


def equal(x, y, dtype=None):
    """1 where x == y, else 0."""
    return binary(equal, x, y, dtype)


def not_equal(x, y, dtype=None):
    """1 where x != y, else 0."""
    return binary(not_equal, x, y, dtype)


def less(x, y, dtype=None):
    """1 where x < y, else 0."""
    return binary(less, x, y, dtype)


def less_equal(x, y, dtype=None):
    """1 where x <= y, else 0."""
    return binary(less_equal, x, y, dtype)


def greater(x, y, dtype=None):
    """1 where x > y, else 0."""
    return binary(greater, x, y, dtype)


def greater_equal(x, y, dtype=None):
    """1 where x >= y, else 0."""
    return binary(greater_equal, x, y, dtype)


# ---- bits and truth


def _bits(op, x, y, dtype):
    need_integers(x, "x")
    need_integers(y, "y")
    return binary(op, x, y, dtype)


def bitwise_and(x, y, dtype=None):
    """x & y, bit by bit, of integers."""
    return _bits(bitwise_and, x, y, dtype)


def bitwise_or(x, y, dtype=None):
    """x | y, bit by bit, of integers."""
    return _bits(bitwise_or, x, y, dtype)


def bitwise_xor(x, y, dtype=None):
    """x ^ y, bit by bit, of integers."""
    return _bits(bitwise_xor, x, y, dtype)


def invert(x, dtype=None):
    """~x, bit by bit, of integers: x ^ -1."""
    need(x, "x", "tile")
    need_integers(x, "x")
    return binary(bitwise_xor, x, -1, dtype)


def left_shift(x, y, dtype=None):
    """x << y of integers."""
    return _bits(left_shift, x, y, dtype)


def right_shift(x, y, dtype=None):
    """x >> y of integers, filled with zeros."""
    return _bits(right_shift, x, y, dtype)


def logical_and(x, y, dtype=None):
    """1 where x and y are not 0, else 0."""
    return binary(logical_and, x, y, dtype)


def logical_or(x, y, dtype=None):
    """1 where x or y is not 0, else 0."""
    return binary(logical_or, x, y, dtype)


def logical_xor(x, y, dtype=None):
    """1 where exactly one of x and y is not 0, else 0."""
    return binary(logical_xor, x, y, dtype)


def logical_not(x, dtype=None):
    """1 where x is 0, else 0: the exclusive or with 1."""
    need(x, "x", "tile")
    return binary(logical_xor, x, 1, dtype)


# ---- one operand


def abs(x, dtype=None):
    """The magnitude of x."""
    return activation(abs, x, dtype)


def negative(x, dtype=None):
    """-x."""
    need(x, "x", "tile")
    if is_exact(x.dtype) and not is_psum(x.buffer):
        zero = new_tile(x.shape, x.dtype)
        isa.memset(dst=zero, value=0)
        return binary(subtract, zero, x, dtype)
    return scaled(x, multiply, -1.0, dtype)


def square(x, dtype=None):
    """x * x."""
    return activation(square, x, dtype)


def reciprocal(x, dtype=None):
    """1 / x, by the vector engine."""
    need(x, "x", "tile")
    result = new_tile(x.shape, dtype_or(dtype, x.dtype))
    isa.reciprocal(dst=result, data=x)
    return result


def exp(x, dtype=None):
    """e to the power x."""
    return activation(exp, x, dtype)


def log(x, dtype=None):
    """The natural logarithm; the device is specified for 2^-64 to 2^64."""
    return activation(log, x, dtype)


def sqrt(x, dtype=None):
    """The square root; the device is specified for 2^-116 to 2^118."""
    return activation(sqrt, x, dtype)


def rsqrt(x, dtype=None):
    """1 / sqrt(x), by the gpsimd engine: x is in SBUF."""
    need(x, "x", "sbuf")
    result = new_tile(x.shape, dtype_or(dtype, x.dtype))
    isa.tensor_scalar(dst=result, data=x, op0=rsqrt, operand0=0.0, engine=isa.engine.gpsimd)
    return result


def tanh(x, dtype=None):
    """The hyperbolic tangent."""
    return activation(tanh, x, dtype)


def sigmoid(x, dtype=None):
    """1 / (1 + e^-x)."""
    return activation(sigmoid, x, dtype)


def relu(x, dtype=None):
    """max(x, 0)."""
    return activation(relu, x, dtype)


def gelu(x, dtype=None):
    """x times the normal distribution function of x."""
    return activation(gelu, x, dtype)


def gelu_dx(x, dtype=None):
    """The derivative of gelu."""
    return activation(gelu_dx, x, dtype)


def gelu_apprx_tanh(x, dtype=None):
    """gelu by its tanh approximation."""
    return activation(gelu_apprx_tanh, x, dtype)


def gelu_apprx_sigmoid(x, dtype=None):
    """x * sigmoid(1.702 x)."""
    return activation(gelu_apprx_sigmoid, x, dtype)


def gelu_apprx_sigmoid_dx(x, dtype=None):
    """The derivative of gelu_apprx_sigmoid."""
    return activation(gelu_apprx_sigmoid_dx, x, dtype)


def silu(x, dtype=None):
    """x * sigmoid(x)."""
    return activation(silu, x, dtype)


def silu_dx(x, dtype=None):
    """The derivative of silu."""
    return activation(silu_dx, x, dtype)


def softplus(x, dtype=None):
    """log(1 + e^x)."""
    return activation(softplus, x, dtype)


def mish(x, dtype=None):
    """x * tanh(softplus(x))."""
    return activation(mish, x, dtype)


def erf(x, dtype=None):
    """The error function."""
    return activation(erf, x, dtype)


def erf_dx(x, dtype=None):
    """The derivative of erf."""
    return activation(erf_dx, x, dtype)


def arctan(x, dtype=None):
    """The inverse tangent of any number: beyond 1 as a quarter turn less that of the reciprocal."""
    need(x, "x", "tile")
    wide = new_tile(x.shape, float32)
    isa.tensor_copy(dst=wide, src=x)
    is_large = greater(abs(wide), 1.0, uint8)
    inverse = reciprocal(wide)
    isa.tensor_copy_predicated(dst=wide, src=inverse, predicate=is_large)
    near = activation(arctan, wide, float32)
    far = subtract(multiply(sign(x, float32), 1.5707963267948966), near)
    isa.tensor_copy_predicated(dst=near, src=far, predicate=is_large)
    return cast(near, dtype_or(dtype, x.dtype))


def sign(x, dtype=None):
    """-1, 0 or 1."""
    return activation(sign, x, dtype)


def _whole_turns_removed(x, shift):
    """x + shift - 2 pi k in [-pi, pi], 2 pi in three pieces so that the products with k are exact."""
    turns = new_tile(x.shape, int32)
    isa.tensor_scalar(dst=turns, data=x, op0=add, operand0=shift, op1=multiply, operand1=0.15915494309189535)
    angle = new_tile(x.shape, float32)
    isa.tensor_copy(dst=angle, src=x)
    for piece in (-6.28125, -0.0019340515136718750, -1.2556659146e-06):
        isa.scalar_tensor_tensor(dst=angle, data=turns, op0=multiply, operand0=piece, op1=add, operand1=angle)
    if shift != 0:
        isa.tensor_scalar(dst=angle, data=angle, op0=add, operand0=shift)
    return angle


def sin(x, dtype=None):
    """The sine of any finite angle: whole turns are removed first."""
    need(x, "x", "tile")
    return activation(sin, _whole_turns_removed(x, 0.0), dtype_or(dtype, x.dtype))


def cos(x, dtype=None):
    """The cosine of any finite angle: the sine a quarter turn on."""
    need(x, "x", "tile")
    return activation(sin, _whole_turns_removed(x, 1.5707963267948966), dtype_or(dtype, x.dtype))


def tan(x, dtype=None):
    """The tangent of any finite angle: sine over cosine."""
    need(x, "x", "tile")
    return divide(sin(x, float32), cos(x, float32), dtype_or(dtype, x.dtype))


# ---- whole numbers


def _rounded(x, dtype, correction):
    """x rounded to a whole number: nearest, corrected by `correction(nearest, x)`. Beyond 2^23 floats are whole."""
    need(x, "x", "tile")
    result_dtype = dtype_or(dtype, x.dtype)
    if _klr.is_integer(x.dtype):
        result = new_tile(x.shape, result_dtype)
        isa.tensor_copy(dst=result, src=x)
        return result
    wide = new_tile(x.shape, float32)
    isa.tensor_copy(dst=wide, src=x)
    rounded = correction(cast(cast(wide, int32), float32), wide)
    small = new_tile(x.shape, uint8)
    isa.tensor_scalar(dst=small, data=abs(wide), op0=less, operand0=8388608.0)
    isa.tensor_copy_predicated(dst=wide, src=rounded, predicate=small)
    return cast(wide, result_dtype)


def _floor_of(nearest, x):
    return subtract(nearest, greater(nearest, x, float32))


def _ceil_of(nearest, x):
    return add(nearest, less(nearest, x, float32))


def _trunc_of(nearest, x):
    return multiply(_floor_of(abs(nearest), abs(x)), sign(x))


def floor(x, dtype=None):
    """The largest whole number not above x."""
    return _rounded(x, dtype, _floor_of)


def ceil(x, dtype=None):
    """The smallest whole number not below x."""
    return _rounded(x, dtype, _ceil_of)


def trunc(x, dtype=None):
    """x without its fraction."""
    return _rounded(x, dtype, _trunc_of)


# ---- choices


def where(condition, x, y, dtype=None):
    """x where condition is not 0, else y; x and y are tiles or numbers, and all three broadcast.

    The result has the dtype of x and y, of the condition when both are numbers.
    """
    need(condition, "condition", "tile")
    need(x, "x", "operand")
    need(y, "y", "operand")
    both_numbers = is_number(x) and is_number(y)
    result_dtype = dtype_or(dtype, condition.dtype if both_numbers else dtype_of_two(x, y))
    shape = common_shape([condition] + [tile for tile in (x, y) if not is_number(tile)])
    predicate = new_tile(condition.shape, uint8)
    isa.tensor_scalar(dst=predicate, data=condition, op0=not_equal, operand0=0.0)
    result = new_tile(shape, result_dtype)
    if is_number(y):
        isa.memset(dst=result, value=int(y) if _klr.is_integer(result_dtype) else float(y))
    else:
        isa.tensor_copy(dst=result, src=fit(y, shape))
    chosen = x if is_number(x) else fit(cast(x, result_dtype), shape)
    isa.tensor_copy_predicated(dst=result, src=chosen, predicate=fit(predicate, shape))
    return result


def dropout(x, rate, dtype=None):
    """x with elements set to 0 with probability `rate`, a number or a (P, 1) tile; nothing is rescaled."""
    need(x, "x", "tile")
    need(rate, "rate", "operand")
    if is_number(rate) and not 0 <= rate <= 1:
        _klr.error(f"'rate' is {rate}; expected a probability, 0 to 1")
    if not is_number(rate) and rate.shape != (x.shape[0], 1):
        _klr.error(f"'rate' has shape {rate.shape}; expected {(x.shape[0], 1)}, one probability a partition")
    result = new_tile(x.shape, x.dtype)
    isa.dropout(dst=result, data=x, prob=rate)
    return cast(result, dtype_or(dtype, x.dtype))
