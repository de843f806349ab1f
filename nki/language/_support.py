"""What the functions of nki.language share: reading operands, choosing dtypes, broadcasting.

Arguments are checked here, so that a mistake is reported for the function and parameter that the user wrote.
`need` gives the operand back: "tile" in SBUF or PSUM, "sbuf" in SBUF only, "hbm", "operand" a tile or a number.
"""

import _klr
from .. import isa

from .types import bool_, float32, hbm, int32, is_hbm, is_on_chip, is_psum, psum, sbuf, uint8, uint32

need = _klr.need


def is_number(x):
    """Whether an operand is a compile-time number."""
    return _klr.kind(x) == "number"


def new_tile(shape, dtype):
    """A tile in SBUF for a result."""
    return _klr.ndarray(shape, dtype, sbuf, None, None)


def dtype_or(dtype, default):
    """The dtype asked for, or the default when none was."""
    return default if dtype is None else dtype


def wider(a, b):
    """The dtype that results of two tiles share: equal, or the float one, or the wider one, or float32."""
    return a if a == b else _klr.common_dtype(a, b)


def dtype_of_two(x, y):
    """The dtype of a result of two operands of which at least one is a tile."""
    if is_number(x):
        return y.dtype
    return x.dtype if is_number(y) else wider(x.dtype, y.dtype)


def is_exact(dtype):
    """Whether tensor_tensor computes in this dtype without going through float32."""
    return dtype == int32 or dtype == uint32


def common_shape(tiles):
    """The shape that tiles of one rank broadcast to: in each dimension they are equal, or 1."""
    shape = list(tiles[0].shape)
    for tile in tiles:
        if len(tile.shape) != len(shape):
            _klr.error(f"operands of shapes {tiles[0].shape} and {tile.shape} have different numbers of dimensions",
                       "insert dimensions of size 1 where they are missing: `x.expand_dim(1)`")
        for i in range(len(shape)):
            if shape[i] == 1:
                shape[i] = tile.shape[i]
            elif tile.shape[i] != 1 and tile.shape[i] != shape[i]:
                _klr.error(f"operands of shapes {tiles[0].shape} and {tile.shape} do not broadcast: dimension {i} is "
                           f"{shape[i]} and {tile.shape[i]}", "sizes are equal, or one of them is 1")
    return tuple(shape)


def repeat_free(x, shape):
    """A view of x with its free dimensions of size 1 repeated to `shape`."""
    for dim in range(1, len(shape)):
        if x.shape[dim] != shape[dim]:
            x = x.broadcast(dim, shape[dim])
    return x


def cast(x, dtype):
    """x in another dtype: itself when it has that already, else a new tile in SBUF."""
    if x.dtype == dtype:
        return x
    result = new_tile(x.shape, dtype)
    isa.tensor_copy(dst=result, src=x)
    return result


def in_sbuf(x):
    """x, or a copy of it in SBUF when it is in PSUM."""
    if not is_psum(x.buffer):
        return x
    result = new_tile(x.shape, x.dtype)
    isa.tensor_copy(dst=result, src=x)
    return result


def repeat_partition(x, shape, dtype):
    """A new tile of `shape` in SBUF; the DMA engines read the one partition of x again for each."""
    result = new_tile(shape, x.dtype)
    isa.dma_copy(dst=result, src=_klr.repeat_partition(repeat_free(in_sbuf(x), shape), shape[0]))
    return cast(result, dtype)


def fit(x, shape):
    """x with the values that broadcasting to `shape` gives: a view, or a new tile when partitions are repeated."""
    if x.shape == shape:
        return x
    return repeat_partition(x, shape, x.dtype) if x.shape[0] != shape[0] else repeat_free(x, shape)


def binary(op, x, y, dtype, engine=None):
    """x op y elementwise for tiles and numbers, at least one of them a tile."""
    need(x, "x", "operand")
    need(y, "y", "operand")
    if is_number(x) and is_number(y):
        _klr.error("'x' and 'y' are both numbers; at least one operand is a tile", "compute with numbers in Python itself")
    engine = isa.engine.unknown if engine is None else engine
    result_dtype = dtype_or(dtype, dtype_of_two(x, y))
    if is_number(y):
        result = new_tile(x.shape, result_dtype)
        isa.tensor_scalar(dst=result, data=x, op0=op, operand0=y, engine=engine)
        return result
    if is_number(x):
        result = new_tile(y.shape, result_dtype)
        isa.tensor_scalar(dst=result, data=y, op0=op, operand0=x, reverse0=True, engine=engine)
        return result
    shape = common_shape([x, y])
    result = new_tile(shape, result_dtype)
    isa.tensor_tensor(dst=result, data1=fit(x, shape), data2=fit(y, shape), op=op, engine=engine)
    return result


def activation(op, x, dtype):
    """op(x) by the scalar engine."""
    need(x, "x", "tile")
    result = new_tile(x.shape, dtype_or(dtype, x.dtype))
    isa.activation(dst=result, op=op, data=x)
    return result


def scaled(x, op, operand, dtype=None):
    """x op a number."""
    result = new_tile(x.shape, dtype_or(dtype, x.dtype))
    isa.tensor_scalar(dst=result, data=x, op0=op, operand0=operand)
    return result


def need_integers(x, parameter):
    """Operators on bits take ints and integer dtypes."""
    if is_number(x):
        if isinstance(x, float):
            _klr.error(f"'{parameter}' is {x}; operators on bits take integers")
    elif _klr.kind(x) == "tensor" and not _klr.is_integer(x.dtype):
        _klr.error(f"'{parameter}' is a tile of {x.dtype}; operators on bits take integer dtypes",
                   "reinterpret the bits of floats: `x.view(nl.int32)`")
