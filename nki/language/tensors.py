"""Making tensors, moving them between memories, and changing their layout."""

import _klr
from .. import isa

from ._support import cast, dtype_or, fit, in_sbuf, is_number, need, new_tile, repeat_free, repeat_partition
from .elementwise import equal, multiply, right_shift
from .types import bool_, float32, is_hbm, is_on_chip, is_psum, psum, sbuf, tile_size, uint8, uint32

# ---- new tensors


def ndarray(shape, dtype, buffer=sbuf, name="", address=None):
    """A new tensor of `shape` in a memory; its contents are undefined until written.

    The first dimension of tensors in SBUF and PSUM is the partition. `address` = (partition, byte in the partition) places
    the tensor; without it the compiler does.
    """
    return _klr.ndarray(shape, dtype, buffer, name, address)


def full(shape, fill_value, dtype, buffer=sbuf, name=""):
    """A new tensor filled with a number. In HBM, the DMA engines write it from a tile."""
    if not is_number(fill_value):
        _klr.error(f"'fill_value' is {_klr.describe(fill_value)}; expected a number", "`nl.broadcast_to` repeats a tile")
    result = _klr.ndarray(shape, dtype, buffer, name, None)
    if _klr.is_integer(result.dtype):
        if fill_value != fill_value or fill_value - fill_value != 0:
            _klr.error(f"'fill_value' is {fill_value}, which {result.dtype} cannot hold")
        value = int(fill_value)
    else:
        value = float(fill_value)
    if is_on_chip(buffer):
        isa.memset(dst=result, value=value)
    else:
        _fill_hbm(result, value)
    return result


def _fill_hbm(tensor, value):
    """Write a number to all of a tensor in HBM, up to 128 x 2048 elements at a time."""
    flat = tensor.reshape((tensor.size,))
    rows = tile_size.pmax if tensor.size >= tile_size.pmax else 1
    columns = _smaller(tensor.size // rows, 2048)
    tile = new_tile((rows, columns), tensor.dtype)
    isa.memset(dst=tile, value=value)
    done = 0
    while done < tensor.size:
        if tensor.size - done < rows * columns:
            rows, columns = 1, _smaller(tensor.size - done, columns)
        part = flat[done:done + rows * columns].reshape((rows, columns))
        isa.dma_copy(dst=part, src=tile[0:rows, 0:columns])
        done += rows * columns


def _smaller(a, b):
    return a if a < b else b


def zeros(shape, dtype, buffer=sbuf, name=""):
    """A new tensor filled with 0."""
    return full(shape, 0, dtype, buffer, name)


def ones(shape, dtype, buffer=sbuf, name=""):
    """A new tensor filled with 1."""
    return full(shape, 1, dtype, buffer, name)


def zeros_like(x, dtype=None, buffer=None, name=""):
    """A tensor of 0 with the shape, and unless given the dtype, of x; in SBUF unless `buffer` is given."""
    need(x, "x", "tensor")
    return full(x.shape, 0, dtype_or(dtype, x.dtype), sbuf if buffer is None else buffer, name)


def empty_like(x, dtype=None, buffer=None, name=""):
    """A tensor with undefined contents and the shape, and unless given the dtype and memory, of x."""
    need(x, "x", "tensor")
    return _klr.ndarray(x.shape, dtype_or(dtype, x.dtype), x.buffer if buffer is None else buffer, name, None)


def shared_constant(constant):
    """A tensor in shared HBM with constant data: the path of a .npy file, or an array given to the kernel."""
    return _klr.shared_constant(constant)


def shared_identity_matrix(n, dtype=uint8, dst=None):
    """An n x n identity in SBUF, n <= 128; one for all uses of a size and dtype, or written to `dst` if given."""
    if not isinstance(n, int) or not 1 <= n <= tile_size.pmax:
        _klr.error(f"'n' is {n}; expected an int, 1 to {tile_size.pmax}")
    if dst is None:
        return _klr.cached(("identity", n, str(dtype)), _identity, n, dtype)
    need(dst, "dst", "sbuf")
    if dst.shape != (n, n):
        _klr.error(f"'dst' has shape {dst.shape}; expected {(n, n)}")
    return _fill_identity(dst, n)


def _identity(n, dtype):
    return _fill_identity(new_tile((n, n), dtype), n)


def _fill_identity(result, n):
    ones_tile = full((n, n), 1, result.dtype)
    isa.affine_select(dst=result, pattern=[[-1, n]], channel_multiplier=1, on_true_tile=ones_tile, on_false_value=0.0,
                          cmp_op=equal)
    return result


# ---- random numbers


def random_seed(seed):
    """Seed the generator of `rand` and `dropout` from a (1, 1) tile of 32-bit integers."""
    need(seed, "seed", "tile")
    if seed.shape != (1, 1) or seed.dtype.itemsize != 4:
        _klr.error(f"'seed' is {_klr.describe(seed)} of {seed.dtype}; expected a (1, 1) tile of 32 bits",
                   "`nl.full((1, 1), 42, dtype=nl.int32)`")
    isa.set_rng_seed(src_seeds=seed)


def rand(shape, dtype, buffer=sbuf, name=""):
    """A new tensor of uniform random numbers in [0, 1): multiples of 2^-n for the n bits of the dtype's fraction."""
    result = _klr.ndarray(shape, dtype, buffer, name, None)
    if _klr.is_integer(result.dtype):
        _klr.error(f"'dtype' is {result.dtype}; random numbers in [0, 1) need a float dtype",
                   "`nisa.rng` gives random bits as integers")
    if not is_on_chip(buffer) and (len(result.shape) < 2 or result.shape[0] > tile_size.pmax):
        _klr.error(f"a tensor of shape {result.shape} in HBM cannot be filled by one tile",
                   "make tiles in SBUF and store them")
    digits = _klr.significant_bits(result.dtype)
    if digits < 2:
        _klr.error(f"'dtype' is {result.dtype}, which has no fractions", "make them in `nl.float32`")
    bits = new_tile(result.shape, uint32)
    isa.rng(dst=bits)
    isa.tensor_scalar(dst=bits, data=bits, op0=right_shift, operand0=32 - digits)
    tile = result if is_on_chip(buffer) else new_tile(result.shape, result.dtype)
    isa.tensor_scalar(dst=tile, data=bits, op0=multiply, operand0=2.0 ** -digits)
    if not is_on_chip(buffer):
        isa.dma_copy(dst=result, src=tile)
    return result


# ---- between memories


def _need_tile_shape(x):
    """A tile has at most 128 partitions and at least one free dimension."""
    if len(x.shape) < 2:
        _klr.error(f"'src' has shape {x.shape}; tiles have at least two dimensions",
                   f"`src.reshape((1, {x.shape[0]}))` is one partition")
    if x.shape[0] > tile_size.pmax:
        _klr.error(f"'src' has shape {x.shape}; a tile has at most {tile_size.pmax} partitions",
                   f"load {tile_size.pmax} rows at a time: `nl.load(src[i:i + {tile_size.pmax}])`")


def load(src, dtype=None):
    """A new SBUF tile with what `src` in HBM holds, converted to `dtype` on the way if given."""
    need(src, "src", "hbm")
    _need_tile_shape(src)
    tile = new_tile(src.shape, dtype_or(dtype, src.dtype))
    isa.dma_copy(dst=tile, src=src)
    return tile


def store(dst, value):
    """Copy a tile in SBUF to as many elements in HBM, converted to the dtype of `dst`."""
    need(dst, "dst", "hbm")
    need(value, "value", "sbuf")
    if dst.size != value.size:
        _klr.error(f"'value' has shape {value.shape}, 'dst' has {dst.shape}", "store slices of equal sizes")
    isa.dma_copy(dst=dst, src=value)


def load_transpose2d(src, dtype=None):
    """A new SBUF tile (columns, rows) with the transpose of `src` (rows, columns) in HBM; columns <= 128."""
    need(src, "src", "hbm")
    if len(src.shape) != 2:
        _klr.error(f"'src' has shape {src.shape}; expected two dimensions")
    if src.shape[1] > tile_size.pmax:
        _klr.error(f"'src' has shape {src.shape}; its columns become partitions, at most {tile_size.pmax}",
                   f"load {tile_size.pmax} columns at a time: `nl.load_transpose2d(src[:, i:i + {tile_size.pmax}])`")
    tile = new_tile((src.shape[1], src.shape[0]), src.dtype)
    isa.dma_transpose(dst=tile, src=src)
    return cast(tile, dtype_or(dtype, src.dtype))


def copy(x, dtype=None):
    """A new SBUF tile with the values of a tile in SBUF or PSUM; bits are kept unless `dtype` differs."""
    need(x, "x", "tile")
    result = new_tile(x.shape, dtype_or(dtype, x.dtype))
    isa.tensor_copy(dst=result, src=x)
    return result


# ---- layout


def ds(start, size):
    """The slice start : start + size; start may be a register."""
    return _klr.ds(start, size)


def expand_dims(x, axis):
    """A view of x with a new dimension of size 1 at `axis`; on chip not 0, the partition."""
    need(x, "x", "tensor")
    if not isinstance(axis, int) or not -len(x.shape) - 1 <= axis <= len(x.shape):
        _klr.error(f"'axis' is {axis}; a tensor of shape {x.shape} can be expanded at 0 to {len(x.shape)}")
    return x.expand_dim(axis + len(x.shape) + 1 if axis < 0 else axis)


def broadcast_to(x, shape, dtype=None):
    """A tile of `shape`, of the rank of x, that repeats x along its dimensions of size 1; x itself if nothing changes."""
    need(x, "x", "tile")
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if len(x.shape) != len(shape):
        _klr.error(f"a tile of shape {x.shape} cannot be broadcast to {shape}: the number of dimensions stays",
                   "insert dimensions of size 1 first: `x.expand_dim(1)`")
    for have, want in zip(x.shape, shape):
        if have != want and have != 1:
            _klr.error(f"a tile of shape {x.shape} cannot be broadcast to {shape}", "only dimensions of size 1 are repeated")
    if x.shape == shape:
        return cast(x, dtype_or(dtype, x.dtype))
    if x.shape[0] != shape[0]:
        return repeat_partition(x, shape, dtype_or(dtype, x.dtype))
    result = new_tile(shape, dtype_or(dtype, x.dtype))
    isa.tensor_copy(dst=result, src=repeat_free(x, shape))
    return result


def transpose(x, dtype=None):
    """The transpose of a (P, F) tile, P and F <= 128, in PSUM, by the tensor engine."""
    need(x, "x", "tile")
    if len(x.shape) != 2 or x.shape[1] > tile_size.pmax:
        _klr.error(f"'x' has shape {x.shape}; expected two dimensions of at most {tile_size.pmax}",
                   "transpose 128 x 128 elements at a time")
    source = in_sbuf(cast(x, dtype_or(dtype, x.dtype)))
    result = _klr.ndarray((x.shape[1], x.shape[0]), source.dtype, psum, None, None)
    isa.nc_transpose(dst=result, data=source, engine=isa.engine.tensor)
    return result


def matmul(x, y, transpose_x=False):
    """x @ y in float32, in PSUM; x.T @ y if transpose_x, which saves a transpose.

    x (M, K), or (K, M) if transpose_x, and y (K, N) are in SBUF; K <= 128, M <= 128, N <= 512.
    """
    need(x, "x", "sbuf")
    need(y, "y", "sbuf")
    if len(x.shape) != 2 or len(y.shape) != 2:
        _klr.error(f"'x' has shape {x.shape}, 'y' has {y.shape}; expected two dimensions each")
    rows, inner = (x.shape[1], x.shape[0]) if transpose_x else x.shape
    if inner != y.shape[0]:
        _klr.error(f"'x' has shape {x.shape}, 'y' has {y.shape}: {inner} is summed with {y.shape[0]}",
                   "x is (K, M) and y is (K, N)" if transpose_x else "x is (M, K) and y is (K, N)")
    if x.shape[1] > tile_size.gemm_stationary_fmax or y.shape[1] > tile_size.gemm_moving_fmax:
        _klr.error(f"'x' has shape {x.shape}, 'y' has {y.shape}; the free dimension of x is at most "
                   f"{tile_size.gemm_stationary_fmax}, that of y {tile_size.gemm_moving_fmax}", "multiply blocks of that size")
    stationary = x if transpose_x else in_sbuf(transpose(x))
    result = _klr.ndarray((rows, y.shape[1]), float32, psum, None, None)
    isa.nc_matmul(dst=result, stationary=stationary, moving=y)
    return result


def gather_flattened(data, indices, axis=0, dtype=None):
    """out[p, i] = data[p, indices[p, i]], indices counting the flattened free elements of a partition.

    `axis` has its default only: gathering is along the free dimensions.
    """
    need(data, "data", "tile")
    need(indices, "indices", "tile")
    if axis != 0:
        _klr.error(f"'axis' is {axis}; elements are gathered along the flattened free dimensions", "leave 'axis' out")
    if data.shape[0] != indices.shape[0]:
        _klr.error(f"'data' has shape {data.shape}, 'indices' has {indices.shape}; both have the same partitions")
    if not _klr.is_integer(indices.dtype):
        _klr.error(f"'indices' is a tile of {indices.dtype}; expected integers", "`nl.copy(indices, dtype=nl.uint32)`")
    if indices.dtype.itemsize == 4:
        indices = indices.view(uint32)
    result = new_tile(indices.shape, data.dtype)
    isa.nc_n_gather(dst=result, data=data, indices=cast(indices, uint32))
    return cast(result, dtype_or(dtype, data.dtype))


def device_print(print_prefix, tensor):
    """Print a prefix and a tensor's values when the kernel runs; the tensor is in SBUF or HBM."""
    if not isinstance(print_prefix, str):
        _klr.error(f"'print_prefix' is {_klr.describe(print_prefix)}; expected a str")
    need(tensor, "tensor", "tensor")
    if is_psum(tensor.buffer):
        _klr.error("'tensor' is in PSUM; expected a tensor in SBUF or HBM", "print a copy: `nl.copy(tensor)`")
    _klr.emit("device_print", None, src=tensor, print_prefix=print_prefix, buffer="stdout")
