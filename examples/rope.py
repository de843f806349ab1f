"""Rotary position embedding: each head's two halves are rotated by position-dependent angles."""

import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def rope(x, cos, sin):
    """x (positions, 2 * half), cos and sin (positions, half); the halves are (x1*cos - x2*sin, x2*cos + x1*sin)."""
    positions, width = x.shape
    half = width // 2
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for start in range(0, positions, nl.tile_size.pmax):
        count = min(nl.tile_size.pmax, positions - start)
        rows = nl.ds(start, count)
        tile = nl.ndarray((count, width), dtype=nl.float32, buffer=nl.sbuf)
        angles = nl.ndarray((count, 2, half), dtype=nl.float32, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x[rows, :])
        nisa.dma_copy(dst=angles[:, 0, :], src=cos[rows, :])
        nisa.dma_copy(dst=angles[:, 1, :], src=sin[rows, :])
        first, second = tile[:, 0:half], tile[:, half:width]
        result = nl.ndarray((count, width), dtype=x.dtype, buffer=nl.sbuf)
        a = nl.ndarray((count, half), dtype=nl.float32, buffer=nl.sbuf)
        b = nl.ndarray((count, half), dtype=nl.float32, buffer=nl.sbuf)
        nisa.tensor_tensor(dst=a, data1=first, data2=angles[:, 0, :], op=nl.multiply)
        nisa.tensor_tensor(dst=b, data1=second, data2=angles[:, 1, :], op=nl.multiply)
        nisa.tensor_tensor(dst=result[:, 0:half], data1=a, data2=b, op=nl.subtract)
        nisa.tensor_tensor(dst=a, data1=second, data2=angles[:, 0, :], op=nl.multiply)
        nisa.tensor_tensor(dst=b, data1=first, data2=angles[:, 1, :], op=nl.multiply)
        nisa.tensor_tensor(dst=result[:, half:width], data1=a, data2=b, op=nl.add)
        nisa.dma_copy(dst=out[rows, :], src=result)
    return out
