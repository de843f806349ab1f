"""The k largest values of each row and where they stand, eight at a time."""

import nki
import nki.isa as nisa
import nki.language as nl

LOWEST = -3.0e38


@nki.jit
def topk(x, k=16):
    """x (rows <= 128, columns) float32, k a multiple of 8. Returns (rows, k) values, descending, and uint32 indices."""
    rows, columns = x.shape
    assert k % 8 == 0, f"max8 finds eight at a time: {k=} is no multiple of 8"
    values_out = nl.ndarray((rows, k), dtype=x.dtype, buffer=nl.shared_hbm)
    indices_out = nl.ndarray((rows, k), dtype=nl.uint32, buffer=nl.shared_hbm)
    tile = nl.ndarray((rows, columns), dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    values = nl.ndarray((rows, k), dtype=x.dtype, buffer=nl.sbuf)
    indices = nl.ndarray((rows, k), dtype=nl.uint32, buffer=nl.sbuf)
    for i in range(0, k, 8):
        best = values[:, i:i + 8]
        nisa.max8(dst=best, src=tile)
        nisa.nc_find_index8(dst=indices[:, i:i + 8], data=tile, vals=best)
        # Take them out, so that the next round finds the next eight.
        rest = nl.ndarray((rows, columns), dtype=x.dtype, buffer=nl.sbuf)
        nisa.nc_match_replace8(dst=rest, data=tile, vals=best, imm=LOWEST)
        tile = rest
    nisa.dma_copy(dst=values_out, src=values)
    nisa.dma_copy(dst=indices_out, src=indices)
    return values_out, indices_out
