# run: run x=randn:f32[2,128,16] --lnc 2
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    me = nl.program_id(0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    t = nl.ndarray(x.shape[1:], dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x[me])
    nisa.dma_copy(dst=out[me], src=t)
    if me == 0:
        nisa.core_barrier(data=out, cores=(0, 1))
    else:
        nisa.memset(dst=t, value=0.0)
    return out
