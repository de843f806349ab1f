import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def normalise(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.ndarray(x.shape, dtype=nl.float32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    peak = nl.ndarray((128, 1), dtype=nl.float32, buffer=nl.sbuf)
    nisa.tensor_reduce(dst=peak, op=nl.maximum, data=tile, axis=1)
    nisa.tensor_tensor(dst=tile, data1=tile, data2=peak, op=nl.subtract)
    nisa.dma_copy(dst=out, src=tile)
    return out
