"""nki.language: the language's types and memories, and a library of tile functions written over nki.isa.

Functions that compute take tiles in SBUF or PSUM and return a new tile in SBUF, in the dtype of their operands unless
`dtype` says otherwise. Operands of different sizes broadcast as in NumPy. The names of elementwise functions also stand for
the operators that instructions take: `nisa.tensor_tensor(..., op=nl.add)`.
"""

import _klr

# ---- element types
bool_ = _klr.dtype("bool_")
bool = bool_
int8 = _klr.dtype("int8")
int16 = _klr.dtype("int16")
int32 = _klr.dtype("int32")
uint8 = _klr.dtype("uint8")
uint16 = _klr.dtype("uint16")
uint32 = _klr.dtype("uint32")
float16 = _klr.dtype("float16")
bfloat16 = _klr.dtype("bfloat16")
tfloat32 = _klr.dtype("tfloat32")
float32 = _klr.dtype("float32")
float8_e4m3 = _klr.dtype("float8_e4m3")
float8_e4m3fn = _klr.dtype("float8_e4m3fn")
float8_e5m2 = _klr.dtype("float8_e5m2")
float8_e8m0fnu = _klr.dtype("float8_e8m0fnu")
float8_e5m2_x4 = _klr.dtype("float8_e5m2_x4")
float8_e4m3fn_x4 = _klr.dtype("float8_e4m3fn_x4")
float4_e2m1fn_x4 = _klr.dtype("float4_e2m1fn_x4")

# ---- memories
sbuf = _klr.memory("sbuf")
psum = _klr.memory("psum")
hbm = _klr.memory("hbm")
private_hbm = _klr.memory("private_hbm")
shared_hbm = _klr.memory("shared_hbm")

# ---- operators that are no functions of this module
bypass = _klr.operator("bypass")
average = _klr.operator("average")
prelu = _klr.operator("prelu")


class tile_size:
    """Sizes of the target's memories and engines."""

    pmax = _klr.tile_size("pmax")
    psum_fmax = _klr.tile_size("psum_fmax")
    psum_bank_fmax = _klr.tile_size("psum_bank_fmax")
    psum_bank_fmax_bytes = _klr.tile_size("psum_bank_fmax_bytes")
    psum_num_banks = _klr.tile_size("psum_num_banks")
    psum_min_align = _klr.tile_size("psum_min_align")
    gemm_stationary_fmax = _klr.tile_size("gemm_stationary_fmax")
    gemm_moving_fmax = _klr.tile_size("gemm_moving_fmax")
    bn_stats_fmax = _klr.tile_size("bn_stats_fmax")
    sbuf_size_bytes = _klr.tile_size("sbuf_size_bytes")
    sbuf_fmax_bytes = _klr.tile_size("sbuf_fmax_bytes")
    sbuf_fmax = _klr.tile_size("sbuf_fmax")
    sbuf_min_align = _klr.tile_size("sbuf_min_align")
    total_available_sbuf_size = _klr.tile_size("total_available_sbuf_size")


# Base of classes whose fields are their class-level names, in order, set by a generated initialiser.
NKIObject = _klr.NKIObject

# What nl.ndarray gives, for annotations and isinstance.
NkiTensor = _klr.NkiTensor
dtype = _klr.DType

# ---- the first version of NKI
mgrid = _klr.removed("nl.mgrid", "index tensors with slices, `t[i * 128:(i + 1) * 128, :]`, or with `t.ap(pattern)`")
arange = _klr.removed("nl.arange", "index tensors with slices or `nl.ds(start, size)`; values come from `nisa.iota`")
par_dim = _klr.removed("nl.par_dim", "the first dimension of a tensor on chip is the partition: leave the mark out")
spmd_dim = _klr.removed("nl.spmd_dim", "launch on logical cores with `kernel[2](...)`")
nc = _klr.removed("nl.nc", "launch on logical cores with `kernel[2](...)`")
loop_reduce = _klr.removed("nl.loop_reduce", "accumulate with `nisa.tensor_tensor(dst=total, data1=total, data2=x, op=nl.add)`")
atomic_rmw = _klr.removed("nl.atomic_rmw", "`nisa.dma_compute(dst, [dst, src], nl.add)` adds in memory")
simulate_kernel = _klr.removed("nl.simulate_kernel", "`klr run FILE` runs a kernel")

# The language has functions of its own by these names; the builtins are meant where they are called with an underscore.
_range = range

def is_sbuf(buffer):
    """Whether a memory is SBUF."""
    return buffer == sbuf


def is_psum(buffer):
    """Whether a memory is PSUM."""
    return buffer == psum


def is_on_chip(buffer):
    """Whether a memory is SBUF or PSUM."""
    return buffer == sbuf or buffer == psum


def is_hbm(buffer):
    """Whether a memory is HBM of any kind."""
    return buffer == hbm or buffer == private_hbm or buffer == shared_hbm


# ---- tensors


def ndarray(shape, dtype, buffer=sbuf, name="", address=None):
    """A new tensor of `shape` in a memory; its contents are undefined until written.

    The first dimension of tensors in SBUF and PSUM is the partition. `address` = (partition, byte in the partition) places
    the tensor; without it the compiler does.
    """
    return _klr.ndarray(shape, dtype, buffer, name, address)


def full(shape, fill_value, dtype, buffer=sbuf, name=""):
    """A new tile filled with a value."""
    tile = _klr.ndarray(shape, dtype, buffer, name, None)
    nisa.memset(dst=tile, value=int(fill_value) if _klr.is_integer(dtype) else float(fill_value))
    return tile


def zeros(shape, dtype, buffer=sbuf, name=""):
    """A new tile filled with 0."""
    return full(shape, 0, dtype, buffer, name)


def ones(shape, dtype, buffer=sbuf, name=""):
    """A new tile filled with 1."""
    return full(shape, 1, dtype, buffer, name)


def zeros_like(x, dtype=None, buffer=None, name=""):
    """A tile of 0 with the shape, and unless given the dtype and memory, of x."""
    return full(x.shape, 0, x.dtype if dtype is None else dtype, x.buffer if buffer is None else buffer, name)


def empty_like(x, dtype=None, buffer=None, name=""):
    """A tile with undefined contents and the shape, and unless given the dtype and memory, of x."""
    return _klr.ndarray(x.shape, x.dtype if dtype is None else dtype, x.buffer if buffer is None else buffer, name, None)


def load(src, dtype=None):
    """A new SBUF tile with what `src` in HBM holds."""
    tile = _klr.ndarray(src.shape, src.dtype if dtype is None else dtype, sbuf, None, None)
    nisa.dma_copy(dst=tile, src=src)
    return tile


def store(dst, value):
    """Copy a tile to HBM. A tile in PSUM goes through SBUF."""
    source = value
    if is_psum(value.buffer):
        source = _klr.ndarray(value.shape, dst.dtype, sbuf, None, None)
        nisa.tensor_copy(dst=source, src=value)
    nisa.dma_copy(dst=dst, src=source)


def load_transpose2d(src, dtype=None):
    """A new SBUF tile (columns, rows) with the transpose of `src` (rows, columns) in HBM."""
    tile = _klr.ndarray((src.shape[1], src.shape[0]), src.dtype, sbuf, None, None)
    nisa.dma_transpose(dst=tile, src=src)
    return tile if dtype is None else copy(tile, dtype)


def ds(start, size):
    """The slice start : start + size; start may be a register."""
    return _klr.ds(start, size)


def expand_dims(x, axis):
    """A view of x with a new dimension of size 1."""
    return x.expand_dim(axis + len(x.shape) + 1 if axis < 0 else axis)


def broadcast_to(x, shape, dtype=None):
    """A new tile of `shape` that repeats x along its dimensions of size 1."""
    if not (len(x.shape) == len(shape)):
        _klr.error(f"broadcast_to keeps the rank: {x.shape} to {shape}")
    for have, want in zip(x.shape, shape):
        if not (have == want or have == 1):
            _klr.error(f"a tile of shape {x.shape} cannot be broadcast to {shape}")
    result = _klr.ndarray(shape, x.dtype if dtype is None else dtype, sbuf, None, None)
    source = _repeat_free(x, shape)
    if x.shape[0] != shape[0]:  # the DMA engines read the one partition again for each
        source = _klr.repeat_partition(source, shape[0])
        nisa.dma_copy(dst=result, src=source)
    else:
        nisa.tensor_copy(dst=result, src=source)
    return result


def _repeat_free(x, shape):
    """A view of x with its free dimensions of size 1 repeated to `shape`."""
    for dim in _range(1, len(shape)):
        if x.shape[dim] != shape[dim]:
            x = x.broadcast(dim, shape[dim])
    return x


# ---- elementwise functions


def _wider(a, b):
    """The dtype that results of a and b share: equal, or the float one, or the wider one, or float32."""
    if a == b:
        return a
    return _klr.common_dtype(a, b)


def _is_number(x):
    return isinstance(x, (int, float))


def _together(x, y):
    """Both operands with one shape: NumPy's broadcasting, over the partitions by a copy."""
    rank = max_int(len(x.shape), len(y.shape))
    if not (len(x.shape) == len(y.shape)):
        _klr.error(f"operands have shapes {x.shape} and {y.shape}")
    shape = []
    for i in _range(rank):
        a, b = x.shape[i], y.shape[i]
        if not (a == b or a == 1 or b == 1):
            _klr.error(f"operands of shapes {x.shape} and {y.shape} do not broadcast")
        shape.append(b if a == 1 else a)
    return _fit(x, tuple(shape)), _fit(y, tuple(shape))


def max_int(a, b):
    """The larger of two numbers; `max` is a function over tiles here."""
    return a if a > b else b


def _fit(x, shape):
    if x.shape == shape:
        return x
    return broadcast_to(x, shape) if x.shape[0] != shape[0] else _repeat_free(x, shape)


def _binary(op, x, y, dtype, engine=None):
    """x op y for tiles and numbers, at least one of them a tile."""
    if _is_number(x) and _is_number(y):
        _klr.error("two numbers; at least one operand is a tile")
    engine = nisa.engine.unknown if engine is None else engine
    if _is_number(y):
        result = _klr.ndarray(x.shape, x.dtype if dtype is None else dtype, sbuf, None, None)
        nisa.tensor_scalar(dst=result, data=x, op0=op, operand0=y, engine=engine)
        return result
    if _is_number(x):
        result = _klr.ndarray(y.shape, y.dtype if dtype is None else dtype, sbuf, None, None)
        nisa.tensor_scalar(dst=result, data=y, op0=op, operand0=x, reverse0=True, engine=engine)
        return result
    result_dtype = _wider(x.dtype, y.dtype) if dtype is None else dtype
    x, y = _together(x, y)
    result = _klr.ndarray(x.shape, result_dtype, sbuf, None, None)
    nisa.tensor_tensor(dst=result, data1=x, data2=y, op=op, engine=engine)
    return result


def _activation(op, x, dtype):
    """op(x) by the scalar engine."""
    result = _klr.ndarray(x.shape, x.dtype if dtype is None else dtype, sbuf, None, None)
    nisa.activation(dst=result, op=op, data=x)
    return result


def _scaled(x, op, operand, dtype=None):
    """x op a number."""
    result = _klr.ndarray(x.shape, x.dtype if dtype is None else dtype, sbuf, None, None)
    nisa.tensor_scalar(dst=result, data=x, op0=op, operand0=operand)
    return result


def add(x, y, dtype=None):
    """x + y."""
    return _binary(add, x, y, dtype)


def subtract(x, y, dtype=None):
    """x - y."""
    return _binary(subtract, x, y, dtype)


def multiply(x, y, dtype=None):
    """x * y."""
    return _binary(multiply, x, y, dtype)


def divide(x, y, dtype=None):
    """x / y."""
    return _binary(divide, x, y, dtype)


def maximum(x, y, dtype=None):
    """The larger of x and y."""
    return _binary(maximum, x, y, dtype)


def minimum(x, y, dtype=None):
    """The smaller of x and y."""
    return _binary(minimum, x, y, dtype)


def abs_max(x, y, dtype=None):
    """The one of x and y with the larger magnitude; y when they are equal."""
    return _binary(abs_max, x, y, dtype)


def abs_min(x, y, dtype=None):
    """The one of x and y with the smaller magnitude; y when they are equal."""
    return _binary(abs_min, x, y, dtype)


def power(x, y, dtype=None):
    """x to the power y."""
    return _binary(power, x, y, dtype, nisa.engine.gpsimd)


def mod(x, y, dtype=None):
    """The remainder of x / y with the sign of y."""
    return _binary(mod, x, y, dtype)


def fmod(x, y, dtype=None):
    """The remainder of x / y with the sign of x."""
    whole = trunc(divide(x, y, float32))
    return subtract(x, multiply(whole, y, float32), _wider_of(x, y) if dtype is None else dtype)


def _wider_of(x, y):
    if _is_number(x):
        return y.dtype
    return x.dtype if _is_number(y) else _wider(x.dtype, y.dtype)


def equal(x, y, dtype=None):
    """1 where x == y, else 0."""
    return _binary(equal, x, y, dtype)


def not_equal(x, y, dtype=None):
    """1 where x != y, else 0."""
    return _binary(not_equal, x, y, dtype)


def less(x, y, dtype=None):
    """1 where x < y, else 0."""
    return _binary(less, x, y, dtype)


def less_equal(x, y, dtype=None):
    """1 where x <= y, else 0."""
    return _binary(less_equal, x, y, dtype)


def greater(x, y, dtype=None):
    """1 where x > y, else 0."""
    return _binary(greater, x, y, dtype)


def greater_equal(x, y, dtype=None):
    """1 where x >= y, else 0."""
    return _binary(greater_equal, x, y, dtype)


def bitwise_and(x, y, dtype=None):
    """x & y, bit by bit."""
    return _binary(bitwise_and, x, y, dtype)


def bitwise_or(x, y, dtype=None):
    """x | y, bit by bit."""
    return _binary(bitwise_or, x, y, dtype)


def bitwise_xor(x, y, dtype=None):
    """x ^ y, bit by bit."""
    return _binary(bitwise_xor, x, y, dtype)


def left_shift(x, y, dtype=None):
    """x << y."""
    return _binary(left_shift, x, y, dtype)


def right_shift(x, y, dtype=None):
    """x >> y, filled with zeros."""
    return _binary(right_shift, x, y, dtype)


def logical_and(x, y, dtype=None):
    """1 where x and y are not 0, else 0."""
    return _binary(logical_and, x, y, dtype)


def logical_or(x, y, dtype=None):
    """1 where x or y is not 0, else 0."""
    return _binary(logical_or, x, y, dtype)


def logical_xor(x, y, dtype=None):
    """1 where exactly one of x and y is not 0, else 0."""
    return _binary(logical_xor, x, y, dtype)


def logical_not(x, dtype=None):
    """1 where x is 0, else 0."""
    return _scaled(x, equal, 0, dtype)


def invert(x, dtype=None):
    """~x, bit by bit."""
    return _scaled(x, bitwise_xor, -1, dtype)


def abs(x, dtype=None):
    """The magnitude of x."""
    return _activation(abs, x, dtype)


def negative(x, dtype=None):
    """-x."""
    return _scaled(x, multiply, -1.0, dtype)


def square(x, dtype=None):
    """x * x."""
    return _activation(square, x, dtype)


def copy(x, dtype=None):
    """A new SBUF tile with the values of x, perhaps in another dtype."""
    result = _klr.ndarray(x.shape, x.dtype if dtype is None else dtype, sbuf, None, None)
    nisa.tensor_copy(dst=result, src=x)
    return result


def reciprocal(x, dtype=None):
    """1 / x."""
    result = _klr.ndarray(x.shape, x.dtype if dtype is None else dtype, sbuf, None, None)
    nisa.reciprocal(dst=result, data=x)
    return result


def exp(x, dtype=None):
    """e to the power x."""
    return _activation(exp, x, dtype)


def log(x, dtype=None):
    """The natural logarithm."""
    return _activation(log, x, dtype)


def sqrt(x, dtype=None):
    """The square root."""
    return _activation(sqrt, x, dtype)


def rsqrt(x, dtype=None):
    """1 / sqrt(x)."""
    return _activation(rsqrt, x, dtype)


def tanh(x, dtype=None):
    """The hyperbolic tangent."""
    return _activation(tanh, x, dtype)


def sigmoid(x, dtype=None):
    """1 / (1 + e^-x)."""
    return _activation(sigmoid, x, dtype)


def relu(x, dtype=None):
    """max(x, 0)."""
    return _activation(relu, x, dtype)


def gelu(x, dtype=None):
    """x times the normal distribution function of x."""
    return _activation(gelu, x, dtype)


def gelu_dx(x, dtype=None):
    """The derivative of gelu."""
    return _activation(gelu_dx, x, dtype)


def gelu_apprx_tanh(x, dtype=None):
    """gelu by its tanh approximation."""
    return _activation(gelu_apprx_tanh, x, dtype)


def gelu_apprx_sigmoid(x, dtype=None):
    """x * sigmoid(1.702 x)."""
    return _activation(gelu_apprx_sigmoid, x, dtype)


def gelu_apprx_sigmoid_dx(x, dtype=None):
    """The derivative of gelu_apprx_sigmoid."""
    return _activation(gelu_apprx_sigmoid_dx, x, dtype)


def silu(x, dtype=None):
    """x * sigmoid(x)."""
    return _activation(silu, x, dtype)


def silu_dx(x, dtype=None):
    """The derivative of silu."""
    return _activation(silu_dx, x, dtype)


def softplus(x, dtype=None):
    """log(1 + e^x)."""
    return _activation(softplus, x, dtype)


def mish(x, dtype=None):
    """x * tanh(softplus(x))."""
    return _activation(mish, x, dtype)


def erf(x, dtype=None):
    """The error function."""
    return _activation(erf, x, dtype)


def erf_dx(x, dtype=None):
    """The derivative of erf."""
    return _activation(erf_dx, x, dtype)


def arctan(x, dtype=None):
    """The inverse tangent."""
    return _activation(arctan, x, dtype)


def sign(x, dtype=None):
    """-1, 0 or 1."""
    return _activation(sign, x, dtype)


def _whole_turns_removed(x, shift):
    """x + shift - 2 pi k in [-pi, pi], 2 pi in three pieces so that the products with k are exact."""
    turns = _klr.ndarray(x.shape, int32, sbuf, None, None)
    nisa.tensor_scalar(dst=turns, data=x, op0=add, operand0=shift, op1=multiply, operand1=0.15915494309189535)
    angle = copy(x, float32)
    for piece in (-6.28125, -0.0019340515136718750, -1.2556659146e-06):
        nisa.scalar_tensor_tensor(dst=angle, data=turns, op0=multiply, operand0=piece, op1=add, operand1=angle)
    if shift != 0:
        nisa.tensor_scalar(dst=angle, data=angle, op0=add, operand0=shift)
    return angle


def sin(x, dtype=None):
    """The sine of any finite angle: whole turns are removed first."""
    return _activation(sin, _whole_turns_removed(x, 0.0), x.dtype if dtype is None else dtype)


def cos(x, dtype=None):
    """The cosine of any finite angle."""
    return _activation(sin, _whole_turns_removed(x, 1.5707963267948966), x.dtype if dtype is None else dtype)


def tan(x, dtype=None):
    """The tangent of any finite angle."""
    return divide(sin(x, float32), cos(x, float32), x.dtype if dtype is None else dtype)


def _rounded(x, dtype, correction):
    """x rounded to a whole number: nearest, corrected by `correction(result, nearest, x)`. Beyond 2^23 floats are whole."""
    wide = copy(x, float32)
    nearest = copy(copy(wide, int32), float32)
    rounded = correction(nearest, wide)
    small = _klr.ndarray(x.shape, uint8, sbuf, None, None)
    nisa.tensor_scalar(dst=small, data=abs(wide), op0=less, operand0=8388608.0)
    nisa.tensor_copy_predicated(dst=wide, src=rounded, predicate=small)
    return copy(wide, x.dtype if dtype is None else dtype)


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


def where(condition, x, y, dtype=None):
    """x where condition is not 0, else y."""
    result_dtype = _wider_of(x, y) if dtype is None else dtype
    predicate = _klr.ndarray(condition.shape, uint8, sbuf, None, None)
    nisa.tensor_scalar(dst=predicate, data=condition, op0=not_equal, operand0=0.0)
    result = _klr.ndarray(condition.shape, result_dtype, sbuf, None, None)
    if _is_number(y):
        nisa.memset(dst=result, value=int(y) if _klr.is_integer(result_dtype) else float(y))
    else:
        nisa.tensor_copy(dst=result, src=_fit(y, condition.shape))
    if _is_number(x):
        nisa.tensor_copy_predicated(dst=result, src=x, predicate=predicate)
    else:
        chosen = x if x.dtype == result_dtype else copy(x, result_dtype)
        nisa.tensor_copy_predicated(dst=result, src=_fit(chosen, condition.shape), predicate=predicate)
    return result


# ---- reductions


def _axes(x, axis):
    """The axes as a list of free dimensions, ascending."""
    rank = len(x.shape)
    axes = sorted([a + rank if a < 0 else a for a in (axis if isinstance(axis, (tuple, list)) else (axis,))])
    if not (len(axes) > 0 and axes[0] > 0):
        _klr.error(f"the partition, axis 0, cannot be reduced by this function; found axis {axis}")
    if not (axes[-1] < rank):
        _klr.error(f"axis {axis} is no axis of a tile of shape {x.shape}")
    return axes


def _reduce(op, x, axis, dtype, keepdims):
    """The reduction of the free dimensions `axis`, which are brought to the end first."""
    axes = _axes(x, axis)
    kept = [i for i in _range(len(x.shape)) if i not in axes]
    kept_shape = tuple([1 if i in axes else x.shape[i] for i in _range(len(x.shape))])
    order = tuple(kept + axes)
    view = x if order == tuple(_range(len(x.shape))) else x.permute(order)
    result = _klr.ndarray(kept_shape, x.dtype if dtype is None else dtype, sbuf, None, None)
    nisa.tensor_reduce(dst=result, op=op, data=view, axis=tuple(_range(len(kept), len(x.shape))))
    if keepdims or len(kept) == 1:
        # a tile has at least one free dimension
        return result if keepdims else result.reshape((x.shape[0], 1))
    return result.reshape(tuple([x.shape[i] for i in kept]))


def sum(x, axis, dtype=None, keepdims=False):
    """The sum along free axes, left to right."""
    return _reduce(add, x, axis, dtype, keepdims)


def prod(x, axis, dtype=None, keepdims=False):
    """The product along free axes, left to right."""
    return _reduce(multiply, x, axis, dtype, keepdims)


def max(x, axis, dtype=None, keepdims=False):
    """The largest element along free axes."""
    return _reduce(maximum, x, axis, dtype, keepdims)


def min(x, axis, dtype=None, keepdims=False):
    """The smallest element along free axes."""
    return _reduce(minimum, x, axis, dtype, keepdims)


def all(x, axis, dtype=None):
    """1 where every element along free axes is not 0, else 0."""
    return _reduce(logical_and, x, axis, dtype, False)


def _count(x, axis):
    count = 1
    for a in _axes(x, axis):
        count *= x.shape[a]
    return count


def mean(x, axis, dtype=None, keepdims=False):
    """The mean along free axes, in float32."""
    total = _reduce(add, x, axis, float32, keepdims)
    return _scaled(total, multiply, 1.0 / _count(x, axis), x.dtype if dtype is None else dtype)


def var(x, axis, dtype=None, keepdims=False):
    """The population variance along free axes, in float32; the dimensions stay, with size 1."""
    deviation = subtract(x, mean(x, axis, float32, True), float32)
    total = _reduce(add, square(deviation), axis, float32, True)
    return _scaled(total, multiply, 1.0 / _count(x, axis), x.dtype if dtype is None else dtype)


def softmax(x, axis=-1, dtype=None):
    """exp(x - max) / sum along free axes."""
    shifted = exp(subtract(x, max(x, axis, float32, True), float32))
    return multiply(shifted, reciprocal(sum(shifted, axis, float32, True)), x.dtype if dtype is None else dtype)


def rms_norm(x, w, axis, n, epsilon=1e-6, dtype=None, compute_dtype=None):
    """x / sqrt(sum(x * x) / n + epsilon) * w."""
    wide = float32 if compute_dtype is None else compute_dtype
    total = sum(square(x, wide), axis, wide, True)
    scale = rsqrt(_scaled(_scaled(total, multiply, 1.0 / n, wide), add, epsilon, wide))
    return multiply(multiply(x, scale, wide), w, x.dtype if dtype is None else dtype)


# ---- matrices


def matmul(x, y, transpose_x=False):
    """x @ y, or x.T @ y when x is (K, M) already; K <= 128, M <= 128, N <= 512. The result is float32 in PSUM."""
    stationary = x if transpose_x else copy(transpose(x))
    result = _klr.ndarray((stationary.shape[1], y.shape[1]), float32, psum, None, None)
    nisa.nc_matmul(dst=result, stationary=stationary, moving=y)
    return result


def transpose(x, dtype=None):
    """The transpose of a (P, F) tile, P and F <= 128, in PSUM."""
    source = x if dtype is None else copy(x, dtype)
    result = _klr.ndarray((x.shape[1], x.shape[0]), source.dtype, psum, None, None)
    nisa.nc_transpose(dst=result, data=source)
    return result


def gather_flattened(data, indices, axis=0, dtype=None):
    """out[p, i] = data[p, indices[p, i]], indices counting the flattened free elements of a partition."""
    result = _klr.ndarray(indices.shape, data.dtype if dtype is None else dtype, sbuf, None, None)
    nisa.nc_n_gather(dst=result, data=data, indices=indices)
    return result


def shared_identity_matrix(n, dtype=uint8, dst=None):
    """An n x n identity in SBUF; one for all uses of a size and dtype unless `dst` is given."""
    if dst is None:
        return _klr.cached(("identity", n, str(dtype)), _identity, n, dtype)
    return _fill_identity(dst, n, dtype)


def _identity(n, dtype):
    return _fill_identity(_klr.ndarray((n, n), dtype, sbuf, None, None), n, dtype)


def _fill_identity(result, n, dtype):
    row = full((n, n), 1, dtype)
    nisa.affine_select(dst=result, pattern=[[-1, n]], channel_multiplier=1, on_true_tile=row, on_false_value=0.0,
                       cmp_op=equal)
    return result


def shared_constant(constant):
    """A constant tensor in HBM: the name of an .npy file."""
    return _klr.shared_constant(constant)


# ---- random numbers


def random_seed(seed):
    """Seed the generator of `rand` from a (1, 1) 32-bit tile."""
    nisa.set_rng_seed(src_seeds=seed)


def rand(shape, dtype, buffer=sbuf, name=""):
    """A tile of uniform random numbers in [0, 1)."""
    result = _klr.ndarray(shape, dtype, buffer, name, None)
    if _klr.generation() >= 4:
        nisa.rand2(dst=result, min=0.0, max=1.0)
        return result
    bits = _klr.ndarray(shape, uint32, sbuf, None, None)  # 24 of them are the fraction
    nisa.rng(dst=bits)
    nisa.tensor_scalar(dst=bits, data=bits, op0=right_shift, operand0=8)
    nisa.tensor_scalar(dst=result, data=bits, op0=multiply, operand0=2.0 ** -24)
    return result


def dropout(x, rate, dtype=None):
    """x with elements set to 0 with probability `rate`, not rescaled."""
    result = _klr.ndarray(x.shape, x.dtype if dtype is None else dtype, sbuf, None, None)
    nisa.dropout(dst=result, data=x, prob=rate)
    return result


# ---- loops and launches


def affine_range(start, stop=None, step=1):
    """range(start, stop, step); the loop is unrolled."""
    return _range(start) if stop is None else range(start, stop, step)


def sequential_range(start, stop=None, step=1):
    """range(start, stop, step); the loop is unrolled."""
    return _range(start) if stop is None else range(start, stop, step)


def static_range(start, stop=None, step=1):
    """range(start, stop, step); the loop is unrolled."""
    return _range(start) if stop is None else range(start, stop, step)


def dynamic_range(start, stop=None, step=1):
    """A loop that runs on the device: bounds are ints or registers, the loop variable is a register."""
    return _klr.dynamic_range(0, start, step) if stop is None else _klr.dynamic_range(start, stop, step)


def fori_loop(lower, upper, body_fun, step=1):
    """body_fun(i) for i in _range(lower, upper, step), on the device; i is a register."""
    for i in _klr.dynamic_range(lower, upper, step):
        if body_fun(i) is not None:
            _klr.error("the body returns a value; it is called for each i and returns nothing")


def while_loop(init, body_fun):
    """r = init; while r is not 0: r = body_fun(r), on the device; r is a register."""
    condition = _klr.register_alloc(init)
    while condition:
        following = body_fun(condition)
        if _klr.kind(following) != "register":
            _klr.error(f"the body returns {following}; it returns the register that decides about the next iteration")
        _klr.register_move(condition, following)


def no_reorder():
    """A context in which instructions keep their order: `with nl.no_reorder():`."""
    return _klr.no_reorder()


def program_id(axis=0):
    """The index of this logical core in the launch."""
    return _klr.program_id(axis)


def num_programs(axes=0):
    """The number of logical cores of the launch, 1 without a grid."""
    return _klr.num_programs(axes)


def program_ndim():
    """The number of axes of the launch grid, 0 without one."""
    return _klr.program_ndim()


def device_print(print_prefix, tensor):
    """Print a tensor's values when the kernel runs."""
    _klr.emit("device_print", None, src=tensor, print_prefix=print_prefix, buffer="stdout")


# Last, because nki.isa uses the operators above in its signatures.
import nki.isa as nisa

range = _range
