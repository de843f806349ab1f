"""nki.isa: the instructions of the NeuronCore.

Every function here is one instruction: its signature, its meaning, and how its arguments become the fields of an operator
of the core language. P is partitions (at most 128), F elements per partition. Engines compute in float32 and round to the
dtype of `dst`, unless a function says otherwise. `name` labels the instruction for profilers and changes nothing.
"""

import _klr
from . import constants
from .. import language as nl
from .constants import dge_mode, dma_engine, engine, matmul_perf_mode, nc_version, oob_mode, reduce_cmd

# What every instruction gives; `depends_on(*producers)` of it makes it run behind others.
NkiInstruction = _klr.NkiInstruction

# A 32-bit number known when the kernel runs: made by `register_alloc`, `nki.collectives.rank_id` and device loops; an index,
# a loop bound, a condition.
VirtualRegister = _klr.VirtualRegister


class NkiValidationError(Exception):
    """A broken constraint of the hardware. KLR reports these as diagnostics when the kernel is checked."""


unknown_engine = engine.unknown
tensor_engine = engine.tensor
vector_engine = engine.vector
scalar_engine = engine.scalar
gpsimd_engine = engine.gpsimd
dma_engine_queue = engine.dma

_FLOAT_MIN = -3.4028235e38


def _flag(value, parameter):
    if not isinstance(value, int):
        _klr.error(f"'{parameter}' is {_klr.describe(value)}; expected True or False", rule="argument-kind")
    return value


def _reverse(reverse0, reverse1):
    """Which of two operators has its operands swapped."""
    _flag(reverse1, "reverse1")
    if _flag(reverse0, "reverse0"):
        return "both" if reverse1 else "first"
    return "second" if reverse1 else "none"


def _member(value, kind, parameter):
    """A member of an enumeration; ints that stand for one, as before NKI 0.3, are warned about."""
    if isinstance(value, kind):
        return value
    if type(value) is int:
        for member in kind:
            if member.value == value:
                _klr.warn_old(f"`{parameter}` is the int {value}; ints are no longer accepted for enumerations",
                              f"`nki.isa.{kind.__name__}.{member.name}` is the same")
                return member
    _klr.error(f"'{parameter}' is {_klr.describe(value)}; expected a member of `nki.isa.{kind.__name__}`",
               "its members are " + ", ".join([f"`nki.isa.{kind.__name__}.{member.name}`" for member in kind]), "argument-kind")


def _oob_name(oob_mode):
    return _member(oob_mode, constants.oob_mode, "oob_mode").name


def _dge_value(dge_mode):
    return _member(dge_mode, constants.dge_mode, "dge_mode").value


def _list(value, parameter, of):
    """A list, tuple or range."""
    if not isinstance(value, (list, tuple, range)):
        _klr.error(f"'{parameter}' is {_klr.describe(value)}; expected a list of {of}", rule="argument-kind")
    return list(value)


def _tensor(value, parameter):
    if not isinstance(value, nl.NkiTensor):
        _klr.error(f"'{parameter}' is {_klr.describe(value)}; expected a tensor", rule="argument-kind")
    return value


def _int(value, parameter):
    if not isinstance(value, int):
        _klr.error(f"'{parameter}' is {_klr.describe(value)}; expected an int", rule="argument-kind")
    return value


def _pairs(pattern):
    """[[step, count], ...], outermost first."""
    for pair in _list(pattern, "pattern", "[step, count] pairs"):
        if len(_list(pair, "pattern", "[step, count] pairs")) != 2:
            _klr.error(f"'pattern' holds {pair}; expected [step, count] pairs")
    return [(step, count) for step, count in pattern]


# ---- moving data


def dma_copy(dst, src, priority=None, oob_mode=oob_mode.error, dge_mode=dge_mode.unknown, engine=engine.unknown, name=None):
    """Copy `src` to `dst`, element by element in order, by the DMA engines.

    Both are in HBM or SBUF and hold equally many elements; shapes may differ. Equal dtypes copy bits; others convert
    through float32. A view made with a scalar_offset or vector_offset is addressed at run time: an index out of bounds (a
    negative one too) is an error, or with oob_mode.skip its rows are not moved. Rows that are scattered to one place must be
    equal. `priority` 0 (urgent) to 3 needs NeuronCore-v4; dge_mode.hwdge needs NeuronCore-v3, equal dtypes and no vector_offset,
    and `engine`, sync or scalar, belongs to it.
    """
    return _klr.emit("nc_dma_copy", name, dst=dst, src=src, compute_op="none", oob_mode=_oob_name(oob_mode), dge_mode=_dge_value(dge_mode),
                     unique_indices=False, priority=priority, engine=engine)


def dma_transpose(dst, src, axes=None, priority=None, dge_mode=dge_mode.unknown, oob_mode=oob_mode.error, name=None):
    """Copy `src` (HBM or SBUF) to `dst` (SBUF) transposed, bits unchanged; both have one dtype.

    (i, j) becomes (j, i), (i, j, k) becomes (k, j, i), and (i, j, k, l) becomes (l, j, k, i). `axes` can only say that. With a
    vector_offset of uint32 indices in SBUF the rows of `src`, in HBM, are gathered first, partition first through the indices;
    oob_mode.skip leaves out those out of bounds.
    """
    rank = len(_tensor(src, "src").shape)
    standard = {2: (1, 0), 3: (2, 1, 0), 4: (3, 1, 2, 0)}
    if not (rank in standard):
        _klr.error(f"dma_transpose takes tensors of 2 to 4 dimensions, found shape {src.shape}", rule="dma_transpose.src.dimensions")
    if axes is not None:
        if not (tuple(_list(axes, "axes", "dimensions")) == standard[rank]):
            _klr.error(f"axes of a {rank}-dimensional dma_transpose are {standard[rank]}, found {axes}",
                       rule="dma_transpose.axes.order")
    turned = tuple([src.shape[i] for i in standard[rank]])
    if not (tuple(_tensor(dst, "dst").shape) == turned):
        _klr.error(f"dma_transpose of shape {src.shape} needs a dst of shape {turned}, found {dst.shape}",
                   rule="dma_transpose.dst.turned")
    return _klr.emit("dma_transpose", name, dst=dst, src=src, axes="None", dge_mode=_dge_value(dge_mode), oob_mode=_oob_name(oob_mode),
                     priority=priority)


def dma_compute(dst, srcs, reduce_op, scales=None, unique_indices=True, oob_mode=oob_mode.error, name=None):
    """`dst` = the elementwise sum of up to 16 tensors, in order, in float32, by the DMA engines. reduce_op is nl.add.

    `dst` and the sources are in HBM or SBUF and hold equally many elements; all `scales` are 1. With a vector_offset on one
    of exactly two sources it gathers, `dst + src[indices]`, or scatters, `dst[indices] + src`: the other source is dst, whose
    indices then do not repeat. Where an index is out of bounds, oob_mode.skip leaves the row of dst as it is.
    """
    if not (1 <= len(_list(srcs, "srcs", "1 to 16 tensors")) <= 16):
        _klr.error(f"dma_compute sums 1 to 16 tensors, found {len(srcs)}", rule="dma_compute.srcs.list")
    factors = [1.0] * len(srcs) if scales is None else _list(scales, "scales", "numbers")
    if not all([factor == 1 for factor in factors]):
        _klr.error(f"scales of dma_compute are all 1, found {factors}", "scale the tensors before, with nisa.tensor_scalar",
                   "dma_compute.scales.ones")
    if not _flag(unique_indices, "unique_indices") and any([_tensor(tensor, "srcs").is_indirect() for tensor in [dst, *srcs]]):
        _klr.error("unique_indices=False is not supported: indices of one dma_compute may not repeat",
                   rule="dma_compute.unique_indices.unique")
    return _klr.emit("dma_compute", name, dst=dst, srcs=srcs, scales=factors, reduce_op=reduce_op,
                     skips_oob=_oob_name(oob_mode) == "skip")


def tensor_copy(dst, src, engine=engine.unknown, name=None, dtype=None):
    """Copy a tile inside SBUF and PSUM. Equal dtypes copy bits; others convert through float32.

    On the vector engine, gpsimd (SBUF only) or, from NeuronCore-v3, the scalar engine.

    `dtype`, of earlier versions, rounds the values to another dtype on their way to dst.
    """
    return _klr.emit("nc_copy", name, dst=dst, src=src, engine=engine, dtype=dtype)


def tensor_copy_predicated(dst, src, predicate, reverse_pred=False, name=None):
    """Overwrite `dst` with `src`, a tile of its dtype or a number, where `predicate` (unsigned integers) is not zero.

    reverse_pred: where it is zero. Elsewhere `dst` keeps its value. `src` and `predicate` are not both in PSUM.
    """
    if isinstance(src, (int, float)):
        return _klr.emit("copy_predicated", name, dst=dst, src=dst, predicate=predicate, reverse_pred=reverse_pred, imm=src)
    else:
        return _klr.emit("copy_predicated", name, dst=dst, src=src, predicate=predicate, reverse_pred=reverse_pred)


def memset(dst, value, engine=engine.unknown, name=None):
    """Fill `dst` (SBUF or PSUM) with a constant: an int for integer dtypes, a float for float dtypes.

    Packed x4 dtypes take 0 only. A value that dst's dtype cannot hold is unspecified.
    """
    _tensor(dst, "dst")
    if isinstance(value, int) and not (0 <= value <= 0x7fffffff):
        value = _word(dst.dtype, value)
    return _klr.emit("memset", name, dst=dst, value=value, dtype=dst.dtype, engine=engine)


def _word(dtype, value):
    """An int that 32 bits hold as `dtype` says: those of an unsigned dtype from 0 to 2^32 - 1, others signed."""
    low, high = (0, 0xffffffff) if dtype == nl.uint32 else (-0x80000000, 0x7fffffff)
    if low <= value <= high:
        return value
    _klr.unspecified("memset-range", f"value {value} does not fit {dtype}")
    return low if value < low else high


def iota(dst, pattern, offset=0, channel_multiplier=0, name=None):
    """dst[p, w, z, y, x] = offset + p * channel_multiplier + w*sw + z*sz + y*sy + x*sx, as int32, converted to dst's dtype.

    `pattern` is up to four [step, count] pairs, outermost first; the counts multiply to the elements of a partition. Values
    that leave 32 bits are unspecified.
    """
    return _klr.emit("iota", name, dst=dst, pattern=(_int(offset, "offset"), _pairs(pattern), _int(channel_multiplier, "channel_multiplier")))


def affine_select(dst, pattern, channel_multiplier, on_true_tile, on_false_value, cmp_op=nl.equal, offset=0, name=None):
    """Keep `on_true_tile` where the value that `iota` would have there compares true with 0; elsewhere a constant.

    Equal dtypes keep bits; others, and the float32 constant, are converted. cmp_op is a comparison.
    """
    return _klr.emit("nc_affine_select", name, dst=dst, pred=(_int(offset, "offset"), _pairs(pattern), _int(channel_multiplier, "channel_multiplier")),
                     on_true_tile=on_true_tile, on_false_value=on_false_value, cmp_op=cmp_op)


def nc_transpose(dst, data, engine=engine.unknown, name=None):
    """dst[j, i] = data[i, j] for a (P, F) tile.

    The tensor engine reads SBUF, writes PSUM and takes 128 x 128; the vector engine works on 32 x 32. Left open, a dst in
    PSUM is written by the tensor engine, another by the vector engine. Bits are kept; but on NeuronCore-v2 the tensor engine
    multiplies by an identity, and an infinity or NaN spoils other elements. 8-bit data there fill 16-bit elements, with zeros
    above, from NeuronCore-v3 on; bytes side by side are unspecified.
    """
    if _member(engine, constants.engine, "engine").name == "unknown":
        engine = tensor_engine if nl.is_psum(_tensor(dst, "dst").buffer) and nl.is_sbuf(_tensor(data, "data").buffer) else vector_engine
    return _klr.emit("transpose", name, dst=dst, src=data, engine=engine)


def nc_stream_shuffle(dst, src, shuffle_mask, name=None):
    """In each group of 32 partitions, dst[i] = src[mask[i]]; mask value 255 keeps the partition of `dst`.

    All of `src` is read before `dst` is written, so they may be one tile. Partitions beyond those of `src` are unspecified.
    """
    if not (len(_list(shuffle_mask, "shuffle_mask", "32 numbers")) == 32):
        _klr.error(f"nc_stream_shuffle needs 32 mask values, found {len(shuffle_mask)}", rule="nc_stream_shuffle.shuffle_mask.length")
    return _klr.emit("shuffle", name, dst=dst, src=src, shuffle_mask=list(shuffle_mask))


def local_gather(dst, src_buffer, index, num_elem_per_idx=1, num_valid_indices=None, name=None):
    """Gather along the free dimension; each group of 16 partitions shares the uint16 indices of its `index` rows.

    The indices of a group are taken partition first, num_valid_indices of them; number n selects num_elem_per_idx (1, 2, 4, 8, 16
    or 32) neighbours from element index[n] of each row on: dst[p, n, e] = src_buffer[p, index[n] + e]. Indices outside of a
    row, and what `dst` holds beyond the valid indices, are unspecified.
    """
    return _klr.emit("nc_local_gather", name, dst=dst, src=src_buffer, index=index, num_elem_per_idx=num_elem_per_idx,
                     num_valid_indicies=num_valid_indices)


def nc_n_gather(dst, data, indices, name=None):
    """dst[p, i] = data[p, indices[p, i]], indices (uint32) counting the flattened free elements of a partition; one outside is unspecified."""
    return _klr.emit("nc_n_gather", name, dst=dst, data=data, indices=indices)


# ---- the tensor engine


def nc_matmul(dst, stationary, moving, is_stationary_onezero=False, is_moving_onezero=False, is_transpose=False,
              accumulate=None, tile_position=(), tile_size=(), perf_mode=matmul_perf_mode.none, name=None):
    """dst[m, n] (+)= sum over k of stationary[k, m] * moving[k, n], k on the partitions, in float32, k ascending.

    stationary (K <= 128, M <= 128) and moving (K, N <= 512) are in SBUF, dst (M, N) in PSUM. accumulate=True adds to dst,
    False overwrites it; None overwrites what was not written since the tile was allocated and adds to the rest.
    float32 and tfloat32 go only with each other, float8_e4m3 not with float8_e4m3fn. is_transpose: `moving` is an identity and
    bits of `stationary` are kept, from NeuronCore-v3 on. perf_mode double_row (from NeuronCore-v3): 8-bit operands (K, 2, M) and
    (K, 2, N), both halves contracted. tile_position and tile_size choose a part of the array and change no value. The onezero
    hints, about float32 tiles, must be true.
    """
    return _klr.emit("nc_matmul", name, dst=dst, stationary=stationary, moving=moving,
                     is_stationary_one_zero=is_stationary_onezero, is_moving_zero=is_moving_onezero, is_transpose=is_transpose,
                     tile_position=tile_position, tile_size=tile_size, perf_mode=perf_mode, accumulate=accumulate)


def nc_matmul_mx(dst, stationary, moving, stationary_scale, moving_scale, tile_position=None, tile_size=None,
                 accumulate=None, name=None):
    """As nc_matmul for MX operands: packed x4 tiles, each group of 8 partitions x 4 elements with its own power-of-two scale.

    NeuronCore-v4. K, a multiple of 32, is on the partitions and in the four elements of a unit; both are contracted, in float32.
    The scales of partitions 32q to 32q + 31 are rows 32q to 32q + 3 of a scale tile, one byte (2^(scale - 127), 255 is NaN) for 8
    partitions of a column; the tile may begin at row 4, 8 or 12 of a quadrant. `dst` is float32 or bfloat16 in PSUM.
    """
    return _klr.emit("nc_matmul_mx", name, dst=dst, stationary=stationary, moving=moving, stationary_scale=stationary_scale,
                     moving_scale=moving_scale, tile_position=tile_position, tile_size=tile_size,
                     accumulate=accumulate)


# ---- elementwise


def tensor_tensor(dst, data1, data2, op, engine=engine.unknown, name=None):
    """dst = data1 op data2, elementwise over tiles of equally many elements a partition.

    Arithmetic is in float32, each result rounded once to dst; when all three are int32 or uint32 in SBUF and the vector engine
    is not asked for, it is exact on gpsimd and wraps. Bit operators take integer dtypes and work on bits: shifts fill with
    zeros, and by the width or more they are left open. nl.power runs on gpsimd.
    """
    return _klr.emit("tensor_tensor", name, dst=dst, src0=data1, src1=data2, op=op, engine=engine)


def tensor_scalar(dst, data, op0, operand0, reverse0=False, op1=None, operand1=None, reverse1=False, engine=engine.unknown,
                  name=None):
    """dst = (data op0 operand0) op1 operand1; operands are numbers or (P, 1) tiles, one value a partition.

    reverse0 computes operand0 op0 data, reverse1 operand1 op1 the first result. op1=None leaves the second step out; operands of
    operators of one operand (nl.abs, nl.rsqrt, ...) are None or 0. Arithmetic is in float32 with one rounding at the end; bit
    operators take integers, see bits, and do not mix with arithmetic.
    """
    operand0 = 0 if operand0 is None else operand0
    operand1 = 0 if op1 is not None and operand1 is None else operand1
    return _klr.emit("tensor_scalar", name, dst=dst, src=data, imm0=operand0, op0=op0, imm1=operand1, op1=op1,
                     reverse=_reverse(reverse0, reverse1), engine=engine)


def scalar_tensor_tensor(dst, data, op0, operand0, op1, operand1, reverse0=False, reverse1=False, name=None, dtype=None):
    """dst = (data op0 operand0) op1 operand1 with operand0 a number or (P, 1) and operand1 a tile like `data`.

    Both operators are arithmetic, in float32; reverse0 and reverse1 change the sides of their operands.
    """
    return _klr.emit("nc_scalar_tensor_tensor", name, dst=dst, data=data, src0=operand0, src1=operand1, op0=op0, op1=op1,
                     reverse_operands=_reverse(reverse0, reverse1), dtype=dtype)


def tensor_tensor_scan(dst, data0, data1, initial, op0, op1, reverse0=False, reverse1=False, name=None):
    """Along each row: state = (data0[i] op0 state) op1 data1[i], dst[i] = state; the state starts as `initial`, in float32.

    `initial` is a number or a (P, 1) tile. The state is not rounded to dst, each output is. Several free dimensions are one row, the
    last the fastest. reverse0 computes state op0 data0[i], reverse1 data1[i] op1 the first result.
    """
    return _klr.emit("tensor_tensor_scan", name, dst=dst, src0=data0, src1=data1, op0=op0, op1=op1,
                     reverse_operands=_reverse(reverse0, reverse1), imm0=initial, accumulator_cmd=reduce_cmd.idle)


def tensor_scalar_cumulative(dst, src, op0, op1, imm0, imm1=None, reduce_cmd=reduce_cmd.reset_reduce, name=None):
    """Along each row: acc = (src[i] op0 imm0) op1 acc, dst[i] = acc, in the vector engine's accumulators.

    reduce_cmd: reset_reduce starts from op1's identity (0, 1, -inf, +inf), load_reduce from imm1, reduce from what the accumulators
    hold. op1 is add, subtract, multiply, maximum or minimum; imm0 and imm1 are numbers or (P, 1) tiles.
    """
    return _klr.emit("tensor_scalar_cumulative", name, dst=dst, src=src, op0=op0, op1=op1, imm0=imm0, imm1=imm1,
                     reduce_cmd=reduce_cmd, reverse="none")


def reciprocal(dst, data, name=None):
    """dst = 1 / data in float32, by the vector engine: the reciprocal of 0 is infinite."""
    return _klr.emit("reciprocal", name, dst=dst, src=data)


def exponential(dst, src, max_value=0.0, reduce_res=None, reduce_cmd=reduce_cmd.idle, reduce_init=0.0, name=None):
    """dst = exp(src - max_value) on the vector engine, and with a reduce command the sum of each row in the accumulators.

    max_value is a number or (P, 1). reduce_cmd: reset_reduce starts from 0, load_reduce from reduce_init, reduce from what the
    accumulators hold; reduce_res (P, 1), when given, receives them. idle, the default, disturbs them.
    """
    return _klr.emit("exponential", name, dst=dst, src=src, max_value=max_value, reduce_res=reduce_res, reducecmd=reduce_cmd,
                     reduce_init=reduce_init)


# ---- the scalar engine


def activation(dst, op, data, bias=None, scale=1.0, reduce_op=None, reduce_res=None, reduce_cmd=reduce_cmd.idle, name=None):
    """dst = op(data * scale + bias) by the scalar engine; bias and scale are numbers or (P, 1) tiles, one value a partition.

    Every step is rounded to float32. The engine's accumulators, one a partition, keep their values from one call to the next:
    reduce_cmd idle leaves them alone, reset clears them, reduce adds the row's float32 results (reduce_op is nl.add), reset_reduce
    does both. reduce_res (P, 1), when given, receives them. log, sqrt, rsqrt, reciprocal and arctan have documented ranges of input;
    sin continues a cubic outside of [-pi, pi].
    """
    return _klr.emit("nc_activate", name, dst=dst, src=data, accumulator_cmd=reduce_cmd, activation_func=op, scale=scale,
                     bias=_bias(bias, dst, name, "activation"), reduce_op=reduce_op, reduce_res=reduce_res)


def activation_reduce(dst, op, data, reduce_op, reduce_res, bias=None, scale=1.0, name=None):
    """activation whose rows are also summed into reduce_res (P, 1), starting anew; None leaves the sum in the accumulators."""
    return _klr.emit("activation_reduce", name, dst=dst, src=data, accumulator_cmd=reduce_cmd.reset_reduce, activation_func=op,
                     scale=scale, bias=_bias(bias, dst, name, "activation_reduce"), reduce_op=reduce_op, reduce_res=reduce_res)


def _bias(bias, dst, name, function):
    """The operator takes a tile: a constant other than 0 becomes one, (P, 1) float32."""
    if bias is None or (isinstance(bias, (int, float)) and bias == 0):
        return None
    if not isinstance(bias, (int, float)):
        return bias
    if _klr.generation() < 3:
        _klr.error("bias is a constant; on NeuronCore-v2 it is a (P, 1) tile", "fill one with nisa.memset and pass it",
                   f"{function}.bias.vector")
    tile = nl.ndarray((dst.shape[0], 1), dtype=nl.float32, buffer=nl.sbuf)
    memset(dst=tile, value=float(bias))
    return tile


def activate2(dst, op, data, imm0, imm1, op0, op1, relu_param=0.0, reverse0=False, reverse1=False, reduce_op=None,
              reduce_res=None, reduce_cmd=reduce_cmd.idle, name=None):
    """dst = op((data op0 imm0) op1 imm1) on the scalar engine, optionally reduced in its accumulators as in `activation`.

    (op0, op1) is one of (multiply, add), (multiply, subtract), (multiply, bypass), (add, bypass), (subtract, bypass), (bypass,
    bypass); imm0, imm1 and relu_param, the slope of nl.prelu, are numbers or (P, 1). reduce_op is add, maximum, minimum, abs_max or
    abs_min; a reset starts from its identity.
    """
    if reduce_op is None and _member(reduce_cmd, constants.reduce_cmd, "reduce_cmd").name != "idle":
        _klr.error(f"{reduce_cmd} needs a reduce_op", "`reduce_op=nl.add`, for example", "activate2.reduce_op.needed")
    return _klr.emit("activate2", name, dst=dst, src=data, op0=op0, op1=op1, imm0=imm0, imm1=imm1, activation_func=op,
                     relu_param=relu_param, reduce_op=nl.bypass if reduce_op is None else reduce_op, reduce_res=reduce_res,
                     reduce_cmd=reduce_cmd, reverse0=reverse0, reverse1=reverse1)


# ---- reductions, selections, statistics


def tensor_reduce(dst, op, data, axis, negate=False, keepdims=False, name=None):
    """Reduce the last dimensions of `data`, named by `axis` (an int or several, ending with the last), left to right.

    Arithmetic begins with the first element, in float32; bit operators fold the bits of integers; logical ones give 0 or 1. dst
    holds one element for what is left of each row; keepdims leaves the reduced dimensions with size 1. negate: the results times
    -1.
    """
    rank = len(_tensor(data, "data").shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    if not all([isinstance(a, int) for a in axes]):
        _klr.error(f"'axis' is {_klr.describe(axis)}; expected an int or a list of ints", rule="argument-kind")
    axes = sorted([a + rank if a < 0 else a for a in axes])
    first = rank - len(axes)
    if first < 1 or axes != list(range(first, rank)):
        _klr.error(f"axis {axis} of a tensor of shape {data.shape}; the axes are the last dimensions, never the partition",
                   rule="tensor_reduce.axis.innermost")
    return _klr.emit("tensor_reduce", name, dst=dst, src=data, op=op, op_dim="XYZW"[0:len(axes)], negated=negate,
                     keepdims=keepdims)


def tensor_scalar_reduce(dst, data, op0, operand0, reduce_op, reduce_res=None, reverse0=False,
                         reduce_cmd=reduce_cmd.reset_reduce, reduce_init=None, reduce_res_negate=False, name=None):
    """dst = data op0 operand0, and its rows reduced with reduce_op (add, multiply, maximum, minimum) in the accumulators.

    reduce_cmd starts the vector engine's accumulators anew, goes on with what they hold, or loads reduce_init, a number or
    (P, 1) tile, first. reduce_res (P, 1) receives them, with reduce_res_negate their negation; they keep their values.
    """
    operand0 = 0 if operand0 is None else operand0
    if reduce_res is None:
        reduce_res = nl.ndarray((_tensor(dst, "dst").shape[0], 1), dtype=nl.float32, buffer=nl.sbuf)
    is_number = reduce_init is None or isinstance(reduce_init, (int, float))
    return _klr.emit("tensor_scalar_reduce", name, dst=dst, src=data, operand0=operand0, op0=op0, reverse0=reverse0,
                     reduce_op=reduce_op, reduce_res=reduce_res, reduce_cmd=reduce_cmd,
                     reduce_init=reduce_init if is_number else None, reduce_res_negate=reduce_res_negate,
                     reduce_init_tile=None if is_number else reduce_init)


def tensor_partition_reduce(dst, op, data, name=None):
    """dst[0, i] = the reduction of data[p, i] over the partitions, in order, by gpsimd.

    op is add, average or maximum in float32, or bitwise_and or bitwise_or on the bits of integers. Sums of 32-bit integers beyond
    2^24 are left open.
    """
    return _klr.emit("tensor_partition_reduce", name, dst=dst, op=op, data=data)


def select_reduce(dst, predicate, on_true, on_false, reduce_res=None, reduce_cmd=reduce_cmd.idle, reduce_op=nl.maximum,
                  reverse_pred=False, name=None):
    """dst = on_true where predicate is not zero, else on_false (a number or (P, 1)); optionally each row's maximum.

    reverse_pred: where predicate is zero. reduce_cmd: reset_reduce starts the vector engine's accumulators from -inf, reduce goes on
    with what they hold; reduce_res (P, 1), when given, receives them. idle, the default, disturbs them.
    """
    return _klr.emit("select_reduce", name, dst=dst, predicate=predicate, on_true=on_true, on_false=on_false,
                     reduce_res=reduce_res, reduce_cmd=reduce_cmd, reduce_op=reduce_op, reverse_pred=reverse_pred)


def range_select(dst, on_true_tile, comp_op0, comp_op1, bound0, bound1, reduce_cmd=reduce_cmd.reset_reduce, reduce_res=None,
                 reduce_op=nl.maximum, range_start=0, on_false_value=_FLOAT_MIN, name=None):
    """Keep elements whose position (range_start + flat free index) passes both comparisons with bound0 and bound1 (P, 1).

    Others become the lowest float32 (-inf in narrower dtypes; left open in float8_e4m3fn). Positions are compared in float32.
    reduce_cmd says what happens to the vector engine's accumulators, which take each row's maximum; reduce_res (P, 1), when given,
    receives them.
    """
    return _klr.emit("nc_range_select", name, dst=dst, reduce_command=reduce_cmd, reduce_res=reduce_res, reduce_op=reduce_op,
                     comp_op0=comp_op0, comp_op1=comp_op1, bound0=bound0, bound1=bound1, range_start=range_start,
                     on_true_tile=on_true_tile, on_false_value=on_false_value)


def max8(dst, src, name=None):
    """dst (P, 8) = the eight largest of each row, descending, equal values kept; rows of 8 to 16384 elements."""
    return _klr.emit("max8", name, dst=dst, src=src)


def nc_find_index8(dst, data, vals, name=None):
    """dst (P, 8) = where each of vals (P, 8) stands in its row: the first place no equal value before it has taken.

    A value that does not occur gives all ones. Rows have 8 to 16384 elements; dst is uint16 or uint32.
    """
    return _klr.emit("find_index8", name, dst=dst, src=data, vals=vals)


def nc_match_replace8(dst, data, vals, imm, dst_idx=None, name=None):
    """dst = data with an occurrence of each of vals (P, 8) replaced by imm; dst_idx (P, 8), when given, receives where.

    Values are taken from the last to the first, each at the first place that none has taken: equal values have descending places in
    dst_idx, unlike nc_find_index8. dst may be data.
    """
    return _klr.emit("match_replace8", name, dst=dst, src=data, vals=vals, replace_value=imm, dst_idx=dst_idx)


def bn_stats(dst, data, name=None):
    """dst (P, 6) = count, mean, sum of squared deviations of the even and then of the odd elements of each row (2 to 512)."""
    return _klr.emit("batch_norm_stats", name, dst=dst, src=data)


def bn_aggr(dst, data, name=None):
    """dst (P, 2) = mean and (population) variance of what the triples (count, mean, variance * count) of each row describe."""
    return _klr.emit("batch_norm_aggregate", name, dst=dst, src=data)


def sequence_bounds(dst, segment_ids, name=None):
    """dst (1, 2, n) = start and end of the run of equal ids each of segment_ids (1, n) belongs to; id 0 is padding: n and -1.

    The end is one past the last element of the run. Ids are integers, none negative, in float32 or int32.
    """
    return _klr.emit("sequence_bounds", name, dst=dst, segment_ids=segment_ids)


def nonzero_with_count(dst, src, index_offset=0, padding_val=-1, name=None):
    """On partitions 0, 16, .., 112: the positions of elements that are not zero, padding, and last their number.

    src (P, T) is float32 or int32, dst (P, T + 1) int32: the positions plus index_offset, padding_val up to T numbers, the count.
    Other partitions are neither read nor written.
    """
    return _klr.emit("nonzero_with_count", name, dst=dst, src=src, index_offset=index_offset, padding_val=padding_val)


def quantize_mx(dst, src, dst_scale, name=None):
    """Quantise groups of 8 partitions x 4 elements to packed 8-bit floats with a shared power-of-two scale.

    NeuronCore-v4. The exponent of a group's scale is floor(log2(largest magnitude)) - 7 for float8_e4m3fn_x4 and - 14 for
    float8_e5m2_x4, at least -127; scales stand as nc_matmul_mx reads them. Infinities and NaNs are unspecified.
    """
    return _klr.emit("quantize_mx", name, dst=dst, src=src, dst_scale=dst_scale)


def topk(val_dst, idx_dst, src, n, name=None):
    """The K largest of the first n elements of each group of 16 partitions, in ascending order, with their numbers.

    A group is a snake: element e stands in its partition e % 16, column e // 16. `val_dst` (P, K) and `idx_dst` (P, K) uint32
    are snakes too: result e goes to partition e % 16, column e // 16, and the columns behind keep what they held. Of equal
    values those with lower numbers are taken. P is a multiple of 16, 8 <= n < 65536, 1 <= K <= n, K < 32768; src is bfloat16.
    """
    return _klr.emit("topk", name, val_dst=val_dst, idx_dst=idx_dst, src=src, n=n)


# ---- random numbers


def dropout(dst, data, prob, name=None):
    """dst = data with elements set to 0 with probability `prob` (a number or (P, 1), 0 to 1); what is kept is not scaled."""
    return _klr.emit("dropout", name, dst=dst, src=data, threshold_type="DropRate", threshold=prob)


def rng(dst, engine=engine.vector, name=None):
    """32 random bits an element from the engine's generators, the low bits for narrower integer dtypes."""
    return _klr.emit("rng", name, dst=dst, engine=engine)


def rand2(dst, min, max, name=None):
    """Uniform random numbers between min and max (numbers or (P, 1), min < max), in float32 and rounded to dst."""
    return _klr.emit("rand2", name, dst=dst, min=min, max=max)


def set_rng_seed(src_seeds, name=None):
    """Seed the vector engine's generators from a (1, 1) 32-bit tile; without it they start from that of `klr run --seed`, 0."""
    return _klr.emit("set_rng_seed", name, src=src_seeds)


def rand_set_state(src_seeds, engine=engine.gpsimd, name=None):
    """Load the generators' words, one row a lane: 6 on gpsimd, 4 states of 6 on the vector engine (from NeuronCore-v4)."""
    return _klr.emit("rand_set_state", name, src=src_seeds, engine=engine)


def rand_get_state(dst, engine=engine.gpsimd, name=None):
    """Store the generators' words, one row a lane: 6 on gpsimd, 4 states of 6 on the vector engine (from NeuronCore-v4)."""
    return _klr.emit("rand_get_state", name, dst=dst, engine=engine)


# ---- cores


def core_barrier(data, cores, engine=engine.gpsimd, name=None):
    """Wait until the named logical cores have arrived; accesses to `data` (shared HBM) are ordered around it."""
    cores = [cores] if isinstance(cores, int) else _list(cores, "cores", "numbers")
    return _klr.emit("core_barrier", name, data=data, cores=cores, engine=engine)


def sendrecv(src, dst, send_to_rank, recv_from_rank, pipe_id, dma_engine=dma_engine.dma, name=None):
    """Send `src` to one logical core and receive `dst` from one; tiles of one shape and dtype in SBUF."""
    return _klr.emit("send_recv", name, dst=dst, src=src, send_to_rank=send_to_rank, recv_from_rank=recv_from_rank,
                     pipe_id=pipe_id,
                     use_gpsimd_dma=_member(dma_engine, constants.dma_engine, "dma_engine").name == "gpsimd_dma")


# ---- registers


def register_alloc(x=None):
    """A new 32-bit register: unset, set to an int, or loaded from a one-element tensor."""
    return _klr.register_alloc(x)


def register_move(dst, src):
    """dst = src, an int or another register."""
    _klr.register_move(dst, src)


def register_load(dst, src):
    """dst = the one element of `src`, in SBUF or HBM: integers extended to 32 bits by their dtype, floats as float32."""
    _klr.register_load(dst, src)


def register_store(dst, src):
    """The one element of `dst`, in SBUF or HBM, = the register src: the low bits of an integer into an integer dtype."""
    _klr.register_store(dst, src)


def get_nc_version():
    """The NeuronCore generation this kernel is made for."""
    return nc_version(_klr.generation())


def get_nc_sub_version():
    """The silicon revision inside the generation; 0 is the first."""
    return 0


# ---- earlier versions
tensor_copy_dynamic_src = _klr.removed("nisa.tensor_copy_dynamic_src", "`nisa.tensor_copy(dst, src.select(dim, index))`")
tensor_copy_dynamic_dst = _klr.removed("nisa.tensor_copy_dynamic_dst", "`nisa.tensor_copy(dst.select(dim, index), src)`")
