"""Softmax over the rows of a matrix: one exponential pass that also sums."""

import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def softmax(x):
    """exp(x - max(x)) / sum over each row of x (rows, columns)."""
    rows, columns = x.shape
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for start in range(0, rows, nl.tile_size.pmax):
        end = min(start + nl.tile_size.pmax, rows)
        count = end - start
        tile = nl.ndarray((count, columns), dtype=nl.float32, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x[start:end, :])
        peak = nl.ndarray((count, 1), dtype=nl.float32, buffer=nl.sbuf)
        nisa.tensor_reduce(dst=peak, op=nl.maximum, data=tile, axis=1, negate=True)
        total = nl.ndarray((count, 1), dtype=nl.float32, buffer=nl.sbuf)
        nisa.activation_reduce(dst=tile, op=nl.exp, data=tile, bias=peak, reduce_op=nl.add, reduce_res=total)
        scale = nl.ndarray((count, 1), dtype=nl.float32, buffer=nl.sbuf)
        nisa.reciprocal(dst=scale, data=total)
        result = nl.ndarray((count, columns), dtype=x.dtype, buffer=nl.sbuf)
        nisa.tensor_scalar(dst=result, data=tile, op0=nl.multiply, operand0=scale)
        nisa.dma_copy(dst=out[start:end, :], src=result)
    return out
