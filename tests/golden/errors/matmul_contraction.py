# run: trace x=f32[128,512] w=f32[64,128]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x, w):
    t = nl.ndarray((128, 512), dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
    weights = nl.ndarray((64, 128), dtype=w.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=weights, src=w)
    acc = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.psum)
    nisa.nc_matmul(dst=acc, stationary=weights, moving=t)
    nisa.tensor_copy(dst=t, src=acc)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=t)
    return out
