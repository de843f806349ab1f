# run: trace w=bf16[128,128] x=bf16[128,128]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(w, x):
    out = nl.ndarray((128, 128), dtype=nl.float32, buffer=nl.shared_hbm)
    acc = nl.ndarray((128, 128), dtype=nl.float32, buffer=nl.psum, address=(0, 3072))
    nisa.nc_matmul(dst=acc, stationary=nl.load(w), moving=nl.load(x))
    nl.store(out, nl.copy(acc))
    return out
