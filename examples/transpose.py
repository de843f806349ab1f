"""Transposes a matrix with the tensor engine, one 128 x 128 block at a time."""

import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def transpose(x):
    """x.T for a float32 matrix; both sides are multiples of 128."""
    rows, columns = x.shape
    tile = nl.tile_size.pmax
    assert rows % tile == 0 and columns % tile == 0, "transpose works on whole 128 x 128 blocks"
    out = nl.ndarray((columns, rows), dtype=x.dtype, buffer=nl.shared_hbm)
    for r in range(0, rows, tile):
        band = nl.ndarray((tile, columns), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=band, src=x[r:r + tile, :])
        for c in range(0, columns, tile):
            turned = nl.ndarray((tile, tile), dtype=x.dtype, buffer=nl.psum)
            nisa.nc_transpose(dst=turned, data=band[:, c:c + tile])
            block = nl.ndarray((tile, tile), dtype=x.dtype, buffer=nl.sbuf)
            nisa.tensor_copy(dst=block, src=turned)
            nisa.dma_copy(dst=out[c:c + tile, r:r + tile], src=block)
    return out
