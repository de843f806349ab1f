"""Elementwise addition of two matrices, 128 rows at a time."""

import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def tensor_add(a, b):
    """a + b for two tensors of one shape (rows, columns) and dtype; rows need not be a multiple of 128."""
    assert a.shape == b.shape, "tensor_add needs two tensors of one shape"
    rows, columns = a.shape
    out = nl.ndarray(a.shape, dtype=a.dtype, buffer=nl.shared_hbm)
    for start in range(0, rows, nl.tile_size.pmax):
        end = min(start + nl.tile_size.pmax, rows)
        a_tile = nl.ndarray((end - start, columns), dtype=a.dtype, buffer=nl.sbuf)
        b_tile = nl.ndarray((end - start, columns), dtype=b.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=a_tile, src=a[start:end, :])
        nisa.dma_copy(dst=b_tile, src=b[start:end, :])
        nisa.tensor_tensor(dst=a_tile, data1=a_tile, data2=b_tile, op=nl.add)
        nisa.dma_copy(dst=out[start:end, :], src=a_tile)
    return out
