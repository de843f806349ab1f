"""Average pooling without moving data: an access pattern lays each window's elements side by side."""

import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def avgpool(x, pool=2):
    """Mean over pool x pool windows of x (channels <= 128, height, width), height and width multiples of pool."""
    channels, height, width = x.shape
    assert height % pool == 0 and width % pool == 0, f"{height} x {width} is no whole number of {pool} x {pool} windows"
    out = nl.ndarray((channels, height // pool, width // pool), dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    windows = tile.ap([[height * width, channels],      # channel
                       [pool * width, height // pool],  # row of windows
                       [pool, width // pool],           # window of the row
                       [width, pool], [1, pool]])       # inside the window
    total = nl.ndarray(out.shape, dtype=nl.float32, buffer=nl.sbuf)
    nisa.tensor_reduce(dst=total, op=nl.add, data=windows, axis=(3, 4))
    mean = nl.ndarray(out.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.tensor_scalar(dst=mean, data=total, op0=nl.multiply, operand0=1.0 / (pool * pool))
    nisa.dma_copy(dst=out, src=mean)
    return out
