import numpy as np
import nki, nki.isa as nisa, nki.language as nl

@nki.jit
def halve(x):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=0.5)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    return out

x = np.arange(6, dtype=np.float32).reshape(2, 3)
print(halve(x))

def test_halve(klr):
    klr.check(halve, (x,), x / 3)
