"""RMSNorm and LayerNorm over the rows of a matrix."""

import nki
import nki.isa as nisa
import nki.language as nl

P = nl.tile_size.pmax


def broadcast_rows(vector, rows):
    """(1, columns) in HBM to (rows, columns) in SBUF: the DMA reads the one row again for every partition."""
    columns = vector.shape[1]
    tile = nl.ndarray((rows, columns), dtype=nl.float32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=vector.ap([[0, rows], [1, columns]]))
    return tile


def inverse_root(variance, eps):
    """1 / sqrt(variance + eps) for a (rows, 1) tile."""
    result = nl.ndarray(variance.shape, dtype=nl.float32, buffer=nl.sbuf)
    nisa.tensor_scalar(dst=result, data=variance, op0=nl.add, operand0=eps)
    nisa.activation(dst=result, op=nl.rsqrt, data=result)
    return result


@nki.jit
def rmsnorm(x, weight, eps=1e-6):
    """x / sqrt(mean(x * x) + eps) * weight for x (rows, columns) and weight (1, columns)."""
    rows, columns = x.shape
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    gain = broadcast_rows(weight, min(rows, P))
    for start in range(0, rows, P):
        count = min(P, rows - start)
        tile = nl.ndarray((count, columns), dtype=nl.float32, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x[start:start + count, :])
        squares = nl.ndarray((count, columns), dtype=nl.float32, buffer=nl.sbuf)
        mean = nl.ndarray((count, 1), dtype=nl.float32, buffer=nl.sbuf)
        nisa.activation_reduce(dst=squares, op=nl.square, data=tile, reduce_op=nl.add, reduce_res=mean)
        nisa.tensor_scalar(dst=mean, data=mean, op0=nl.multiply, operand0=1.0 / columns)
        result = nl.ndarray((count, columns), dtype=x.dtype, buffer=nl.sbuf)
        nisa.scalar_tensor_tensor(dst=result, data=tile, op0=nl.multiply, operand0=inverse_root(mean, eps),
                                  op1=nl.multiply, operand1=gain[0:count, :])
        nisa.dma_copy(dst=out[start:start + count, :], src=result)
    return out


@nki.jit
def layernorm(x, weight, bias, eps=1e-5):
    """(x - mean) / sqrt(var + eps) * weight + bias over each row; statistics by bn_stats in pieces of 512."""
    rows, columns = x.shape
    piece = min(columns, nl.tile_size.bn_stats_fmax)
    assert columns % piece == 0, f"{columns} columns are no whole number of pieces of {piece}"
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    gain = broadcast_rows(weight, min(rows, P))
    shift = broadcast_rows(bias, min(rows, P))
    for start in range(0, rows, P):
        count = min(P, rows - start)
        tile = nl.ndarray((count, columns), dtype=nl.float32, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x[start:start + count, :])
        stats = nl.ndarray((count, 6 * (columns // piece)), dtype=nl.float32, buffer=nl.sbuf)
        for i in range(columns // piece):
            nisa.bn_stats(dst=stats[:, nl.ds(6 * i, 6)], data=tile[:, nl.ds(piece * i, piece)])
        moments = nl.ndarray((count, 2), dtype=nl.float32, buffer=nl.sbuf)
        nisa.bn_aggr(dst=moments, data=stats)
        nisa.tensor_scalar(dst=tile, data=tile, op0=nl.subtract, operand0=moments[:, 0:1],
                           op1=nl.multiply, operand1=inverse_root(moments[:, 1:2], eps))
        nisa.tensor_tensor(dst=tile, data1=tile, data2=gain[0:count, :], op=nl.multiply)
        result = nl.ndarray((count, columns), dtype=x.dtype, buffer=nl.sbuf)
        nisa.tensor_tensor(dst=result, data1=tile, data2=shift[0:count, :], op=nl.add)
        nisa.dma_copy(dst=out[start:start + count, :], src=result)
    return out
