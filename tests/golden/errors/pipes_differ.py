# run: run x=randn:f32[2,128,16] --lnc 2
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    me = nl.program_id(0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    a = nl.ndarray(x.shape[1:], dtype=x.dtype, buffer=nl.sbuf)
    b = nl.ndarray(x.shape[1:], dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=a, src=x[me])
    nisa.sendrecv(src=a, dst=b, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=me)
    nisa.dma_copy(dst=out[me], src=b)
    return out
