# run: trace x=f32[128,25600]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    ones = nl.ndarray((128, 1), dtype=nl.float32, buffer=nl.sbuf, address=(0, 98304))
    twos = nl.ndarray((128, 1), dtype=nl.float32, buffer=nl.sbuf, address=(0, 180224))
    nisa.memset(dst=ones, value=1.0)
    nisa.memset(dst=twos, value=2.0)
    tile = nl.ndarray((128, 25600), dtype=nl.float32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    nisa.tensor_scalar(dst=tile, data=tile, op0=nl.add, operand0=ones, op1=nl.multiply, operand1=twos)
    nisa.dma_copy(dst=out, src=tile)
    return out
