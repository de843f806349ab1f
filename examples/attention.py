"""Flash attention, forward: softmax(q k^T / sqrt(d)) v with a causal mask, one pass over the keys.

For each 128 queries a running maximum, a running sum and a running result are corrected as larger scores turn up, so
the score matrix never exists as a whole. Matrix products are bfloat16 in, float32 out.
"""

import nki
import nki.isa as nisa
import nki.language as nl

Q_TILE = nl.tile_size.pmax               # queries on the partitions
KV_TILE = nl.tile_size.gemm_moving_fmax  # keys of one score tile
LOWEST = -3.0e38


def load_transposed(source):
    """(rows, depth) in HBM as a (depth, rows) tile, turned by the DMA engines."""
    rows, depth = source.shape
    tile = nl.ndarray((depth, rows), dtype=source.dtype, buffer=nl.sbuf)
    nisa.dma_transpose(dst=tile, src=source)
    return tile


def small(value=None):
    """One float32 for each query, optionally set."""
    tile = nl.ndarray((Q_TILE, 1), dtype=nl.float32, buffer=nl.sbuf)
    if value is not None:
        nisa.memset(dst=tile, value=value)
    return tile


@nki.jit
def attention(q, k, v, causal=True):
    """q, k, v: (tokens, depth <= 128), tokens a multiple of 512. Returns (tokens, depth) in q's dtype."""
    tokens, depth = q.shape
    assert depth <= nl.tile_size.pmax, "the depth of a head is the contraction: at most 128"
    assert tokens % KV_TILE == 0, f"{tokens} tokens are no whole number of tiles of {KV_TILE}"
    chunks = KV_TILE // Q_TILE
    out = nl.ndarray(q.shape, dtype=q.dtype, buffer=nl.shared_hbm)

    keys = []
    for j in range(tokens // KV_TILE):
        keys.append(load_transposed(k[nl.ds(j * KV_TILE, KV_TILE), :]))
    values = nl.ndarray((Q_TILE, tokens // Q_TILE, depth), dtype=v.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=values, src=v.ap([[depth, Q_TILE], [Q_TILE * depth, tokens // Q_TILE], [1, depth]]))

    for i in nl.affine_range(tokens // Q_TILE):
        queries = load_transposed(q[nl.ds(i * Q_TILE, Q_TILE), :])
        peak, total = small(LOWEST), small(0.0)
        result = nl.ndarray((Q_TILE, depth), dtype=nl.float32, buffer=nl.sbuf)
        nisa.memset(dst=result, value=0.0)

        last = (i * Q_TILE + Q_TILE - 1) // KV_TILE if causal else tokens // KV_TILE - 1
        for j in range(last + 1):
            # Scores of 128 queries against 512 keys, scaled on their way out of PSUM.
            product = nl.ndarray((Q_TILE, KV_TILE), dtype=nl.float32, buffer=nl.psum)
            nisa.nc_matmul(dst=product, stationary=queries, moving=keys[j])
            scores = nl.ndarray((Q_TILE, KV_TILE), dtype=nl.float32, buffer=nl.sbuf)
            nisa.activation(dst=scores, op=nl.copy, data=product, scale=depth ** -0.5)
            if causal and j * KV_TILE + KV_TILE - 1 > i * Q_TILE:
                # query - key >= 0 keeps the score
                nisa.affine_select(dst=scores, pattern=[[-1, KV_TILE]], offset=i * Q_TILE - j * KV_TILE,
                                   channel_multiplier=1, on_true_tile=scores, on_false_value=LOWEST,
                                   cmp_op=nl.greater_equal)

            # The new maximum, and by how much older results shrink.
            highest = small()
            nisa.tensor_reduce(dst=highest, op=nl.maximum, data=scores, axis=1)
            nisa.tensor_tensor(dst=highest, data1=highest, data2=peak, op=nl.maximum)
            negated = small()
            nisa.tensor_scalar(dst=negated, data=highest, op0=nl.multiply, operand0=-1.0)
            shrink = small()
            nisa.activation(dst=shrink, op=nl.exp, data=peak, bias=negated)

            # Weights in bfloat16, their sum in float32.
            weights = nl.ndarray((Q_TILE, KV_TILE), dtype=q.dtype, buffer=nl.sbuf)
            added = small()
            nisa.activation_reduce(dst=weights, op=nl.exp, data=scores, bias=negated, reduce_op=nl.add,
                                   reduce_res=added)
            nisa.scalar_tensor_tensor(dst=total, data=total, op0=nl.multiply, operand0=shrink, op1=nl.add,
                                      operand1=added)

            # result = result * shrink + weights @ values, the keys contracted 128 at a time.
            partial = nl.ndarray((Q_TILE, depth), dtype=nl.float32, buffer=nl.psum)
            for c in range(chunks):
                turned_psum = nl.ndarray((Q_TILE, Q_TILE), dtype=q.dtype, buffer=nl.psum)
                nisa.nc_transpose(dst=turned_psum, data=weights[:, nl.ds(c * Q_TILE, Q_TILE)])
                turned = nl.ndarray((Q_TILE, Q_TILE), dtype=q.dtype, buffer=nl.sbuf)
                nisa.tensor_copy(dst=turned, src=turned_psum)
                nisa.nc_matmul(dst=partial, stationary=turned, moving=values[:, j * chunks + c, :])
            nisa.scalar_tensor_tensor(dst=result, data=result, op0=nl.multiply, operand0=shrink, op1=nl.add,
                                      operand1=partial)
            peak = highest

        nisa.reciprocal(dst=total, data=total)
        final = nl.ndarray((Q_TILE, depth), dtype=q.dtype, buffer=nl.sbuf)
        nisa.tensor_scalar(dst=final, data=result, op0=nl.multiply, operand0=total)
        nisa.dma_copy(dst=out[nl.ds(i * Q_TILE, Q_TILE), :], src=final)
    return out
