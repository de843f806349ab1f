"""Flash attention, forward, for several heads: blocks of 2048 keys, softmax straight out of PSUM.

Where attention.py keeps each step apart, this kernel is shaped like one in production: the scores of 128 queries against
up to 2048 keys fill half of PSUM, one instruction finds their maximum there and another makes bfloat16 weights and their
sum of them, and four transposes share a copy.
"""

import nki
import nki.isa as nisa
import nki.language as nl

TILE = nl.tile_size.pmax                 # queries on the partitions; keys of one contraction
WIDE = nl.tile_size.gemm_moving_fmax     # keys of one product of scores
BLOCK = 4 * WIDE                         # keys looked at together


def column(value=None):
    """One float32 for each query, optionally set."""
    tile = nl.ndarray((TILE, 1), dtype=nl.float32, buffer=nl.sbuf)
    if value is not None:
        nisa.memset(dst=tile, value=value)
    return tile


def turned(source, dtype):
    """(rows, depth) in HBM as (depth, rows) on chip, turned by the DMA engines."""
    rows, depth = source.shape
    tile = nl.ndarray((depth, rows), dtype=dtype, buffer=nl.sbuf)
    nisa.dma_transpose(dst=tile, src=source)
    return tile


def weights_times_values(weights, values, first, chunks, depth):
    """The (TILE, depth) product in PSUM of weights (TILE, chunks * TILE) and the values from chunk `first` on."""
    product = nl.ndarray((TILE, depth), dtype=nl.float32, buffer=nl.psum)
    for four in range(0, chunks, 4):
        count = min(4, chunks - four)
        across = nl.ndarray((TILE, count * TILE), dtype=weights.dtype, buffer=nl.psum)
        for c in range(count):
            nisa.nc_transpose(dst=across[:, nl.ds(c * TILE, TILE)], data=weights[:, nl.ds((four + c) * TILE, TILE)])
        columns = nl.ndarray((TILE, count * TILE), dtype=weights.dtype, buffer=nl.sbuf)
        nisa.tensor_copy(dst=columns, src=across)
        for c in range(count):
            nisa.nc_matmul(dst=product, stationary=columns[:, nl.ds(c * TILE, TILE)], moving=values[:, first + four + c, :])
    return product


def one_block(queries, keys, values, start, width, scale, state):
    """Takes keys [start, start + width) into (peak, total, result), which it returns anew."""
    peak, total, result = state
    depth = result.shape[1]
    scores = nl.ndarray((TILE, width), dtype=nl.float32, buffer=nl.psum)
    for w in range(0, width, WIDE):
        nisa.nc_matmul(dst=scores[:, nl.ds(w, WIDE)], stationary=queries, moving=keys[:, nl.ds(start + w, WIDE)])

    # highest = max(peak, scores), all times -scale: the bias of the exponentials.
    highest, shrink, added = column(), column(), column()
    nisa.tensor_reduce(dst=highest, op=nl.maximum, data=scores, axis=1)
    nisa.tensor_scalar(dst=highest, data=highest, op0=nl.multiply, operand0=-scale, op1=nl.minimum, operand1=peak)
    nisa.activation(dst=shrink, op=nl.exp, data=peak, scale=-1.0, bias=highest)

    weights = nl.ndarray((TILE, width), dtype=queries.dtype, buffer=nl.sbuf)
    nisa.activation_reduce(dst=weights, op=nl.exp, data=scores, scale=scale, bias=highest, reduce_op=nl.add, reduce_res=added)
    nisa.scalar_tensor_tensor(dst=total, data=total, op0=nl.multiply, operand0=shrink, op1=nl.add, operand1=added)
    product = weights_times_values(weights, values, start // TILE, width // TILE, depth)
    nisa.scalar_tensor_tensor(dst=result, data=result, op0=nl.multiply, operand0=shrink, op1=nl.add, operand1=product)
    return highest, total, result


@nki.jit
def attention_fwd(q, k, v):
    """q, k, v: (heads, tokens, depth <= 128), tokens a multiple of 512. Returns softmax(q k^T / sqrt(depth)) v in q's dtype.
    """
    heads, tokens, depth = q.shape
    assert depth <= TILE, "the depth of a head is the contraction: at most 128"
    assert tokens % WIDE == 0, f"{tokens} tokens are no whole number of tiles of {WIDE}"
    out = nl.ndarray(q.shape, dtype=q.dtype, buffer=nl.shared_hbm)
    for head in range(heads):
        keys = turned(k[head], k.dtype)
        values = nl.ndarray((TILE, tokens // TILE, depth), dtype=v.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=values, src=v[head].ap([[depth, TILE], [TILE * depth, tokens // TILE], [1, depth]]))
        for i in range(tokens // TILE):
            rows = nl.ds(i * TILE, TILE)
            queries = turned(q[head, rows, :], q.dtype)
            result = nl.ndarray((TILE, depth), dtype=nl.float32, buffer=nl.sbuf)
            nisa.memset(dst=result, value=0.0)
            state = column(3.0e38), column(0.0), result  # of the peak its negation times the scale is kept
            for start in range(0, tokens, BLOCK):
                state = one_block(queries, keys, values, start, min(BLOCK, tokens - start), depth ** -0.5, state)
            _, total, result = state
            nisa.reciprocal(dst=total, data=total)
            final = nl.ndarray((TILE, depth), dtype=q.dtype, buffer=nl.sbuf)
            nisa.tensor_scalar(dst=final, data=result, op0=nl.multiply, operand0=total)
            nisa.dma_copy(dst=out[head, rows, :], src=final)
    return out
