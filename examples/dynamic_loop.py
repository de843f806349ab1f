"""A loop whose length is data: sums the first n tiles of x, n read from a tensor on the device."""

import nki
import nki.isa as nisa
import nki.language as nl


def read_count(count):
    """The one int32 of `count` in HBM as a register."""
    tile = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=count)
    register = nisa.register_alloc()
    nisa.register_load(register, tile)
    return register


@nki.jit
def sum_first(x, count):
    """x (tiles, 128, columns) float32, count (1, 1) int32 with 0 <= count <= tiles. Returns (128, columns)."""
    tiles, rows, columns = x.shape
    out = nl.ndarray((rows, columns), dtype=x.dtype, buffer=nl.shared_hbm)
    total = nl.ndarray((rows, columns), dtype=nl.float32, buffer=nl.sbuf)
    nisa.memset(dst=total, value=0.0)
    n = read_count(count)
    for i in nl.dynamic_range(n):
        tile = nl.ndarray((rows, columns), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x.ap([[columns, rows], [1, columns]], scalar_offset=i, indirect_dim=0))
        nisa.tensor_tensor(dst=total, data1=total, data2=tile, op=nl.add)
    nisa.dma_copy(dst=out, src=total)
    return out
