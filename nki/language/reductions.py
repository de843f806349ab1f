"""Reductions of the last free dimensions of a tile, and what is computed with them.

`axis` is an int or several: the last dimension, or the last ones, never 0, the partition. A reduced dimension
disappears, or stays with size 1 if `keepdims`; a tile keeps at least one free dimension. Sums go left to right in
float32; results have the dtype of the tile unless `dtype` says otherwise.
"""

import _klr
from .. import isa

from ._support import activation, binary, common_shape, dtype_or, fit, need, new_tile, scaled
from .elementwise import add, exp, logical_and, maximum, minimum, multiply, not_equal, reciprocal, rsqrt, square
from .elementwise import subtract
from .types import float32


def _axes(x, axis):
    """The axes as a list of the last dimensions, ascending."""
    rank = len(x.shape)
    given = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    for a in given:
        if not isinstance(a, int):
            _klr.error(f"'axis' is {axis}; expected an int or a tuple of ints")
        if not -rank <= a < rank:
            _klr.error(f"axis {a} of a tile of shape {x.shape}", f"its free dimensions are 1 to {rank - 1}")
    axes = sorted([a + rank if a < 0 else a for a in given])
    if axes and axes[0] == 0:
        _klr.error(f"axis 0 of a tile of shape {x.shape} is the partition, which this function cannot reduce",
                   "transpose the tile first, or use a matrix product with ones or `nisa.tensor_partition_reduce`")
    if not axes or axes != list(range(rank - len(axes), rank)):
        order = tuple([i for i in range(rank) if i not in axes] + axes)
        _klr.error(f"axis {axis} of a tile of shape {x.shape}; the axes are the last dimensions",
                   f"bring them to the end: `x.permute({order})`" if axes else "name at least one axis")
    return axes


def _reduce(op, x, axis, dtype, keepdims):
    need(x, "x", "tile")
    axes = _axes(x, axis)
    kept = tuple(x.shape[0:axes[0]])
    result = new_tile(kept + (1,) * len(axes), dtype_or(dtype, x.dtype))
    isa.tensor_reduce(dst=result, op=op, data=x, axis=tuple(axes))
    if keepdims:
        return result
    return result.reshape(kept if len(kept) > 1 else kept + (1,))


def sum(x, axis, dtype=None, keepdims=False):
    """The sum along the last axes."""
    return _reduce(add, x, axis, dtype, keepdims)


def prod(x, axis, dtype=None, keepdims=False):
    """The product along the last axes."""
    return _reduce(multiply, x, axis, dtype, keepdims)


def max(x, axis, dtype=None, keepdims=False):
    """The largest element along the last axes."""
    return _reduce(maximum, x, axis, dtype, keepdims)


def min(x, axis, dtype=None, keepdims=False):
    """The smallest element along the last axes."""
    return _reduce(minimum, x, axis, dtype, keepdims)


def all(x, axis, dtype=None):
    """1 where every element along the last axes is not 0, else 0."""
    need(x, "x", "tile")
    return _reduce(logical_and, not_equal(x, 0), axis, dtype_or(dtype, x.dtype), False)


def _count(x, axis):
    count = 1
    for a in _axes(x, axis):
        count *= x.shape[a]
    return count


def mean(x, axis, dtype=None, keepdims=False):
    """The mean along the last axes, in float32."""
    total = _reduce(add, x, axis, float32, keepdims)
    return scaled(total, multiply, 1.0 / _count(x, axis), dtype_or(dtype, x.dtype))


def var(x, axis, dtype=None, keepdims=False):
    """The population variance along the last axes, in float32; the dimensions stay, with size 1, as if `keepdims`."""
    deviation = subtract(x, mean(x, axis, float32, True), float32)
    total = _reduce(add, square(deviation), axis, float32, True)
    return scaled(total, multiply, 1.0 / _count(x, axis), dtype_or(dtype, x.dtype))


def softmax(x, axis=-1, dtype=None):
    """exp(x - max) / sum along the last axes, in float32."""
    shifted = exp(subtract(x, max(x, axis, float32, True), float32))
    return multiply(shifted, reciprocal(sum(shifted, axis, float32, True)), dtype_or(dtype, x.dtype))


def rms_norm(x, w, axis, n, epsilon=1e-6, dtype=None, compute_dtype=None):
    """x / sqrt(sum(x * x) / n + epsilon) * w along the last axes; w is a tile that broadcasts to x.

    Intermediate results are in `compute_dtype`, float32 unless given.
    """
    need(x, "x", "tile")
    need(w, "w", "tile")
    wide = dtype_or(compute_dtype, float32)
    if common_shape([x, w]) != x.shape:
        _klr.error(f"'w' has shape {w.shape}, which does not broadcast to that of 'x', {x.shape}")
    total = sum(square(x, wide), axis, wide, True)
    scale = new_tile(total.shape, wide)
    isa.tensor_scalar(dst=scale, data=total, op0=multiply, operand0=1.0 / n, op1=add, operand1=epsilon)
    return multiply(multiply(x, rsqrt(scale), wide), w, dtype_or(dtype, x.dtype))
