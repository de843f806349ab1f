# run: run --lenient x=randn:f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    t = nl.ndarray((128, 512), dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
    index = nl.ndarray((128, 4), dtype=nl.uint32, buffer=nl.sbuf)
    nisa.iota(dst=index, pattern=[[1, 4]], offset=510, channel_multiplier=0)
    gathered = nl.ndarray((128, 4), dtype=x.dtype, buffer=nl.sbuf)
    nisa.nc_n_gather(dst=gathered, data=t, indices=index)
    out = nl.ndarray((128, 4), dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=gathered)
    return out
