# run: run x=randn:f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    t = nl.ndarray((128, 512), dtype=x.dtype, buffer=nl.sbuf)
    index = nl.ndarray((128, 1), dtype=nl.int32, buffer=nl.sbuf)
    nisa.iota(dst=index, pattern=[[0, 1]], offset=1, channel_multiplier=1)
    nisa.dma_copy(dst=t, src=x.ap(pattern=[[512, 128], [1, 512]], vector_offset=index))
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=t)
    return out
