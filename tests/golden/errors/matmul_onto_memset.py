# run: run w=randn:bf16[128,128] x=randn:bf16[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(w, x):
    out = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.shared_hbm)
    acc = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.psum)
    nisa.memset(dst=acc, value=0.0)
    nisa.nc_matmul(dst=acc, stationary=nl.load(w), moving=nl.load(x), accumulate=True)
    nl.store(out, nl.copy(acc))
    return out
