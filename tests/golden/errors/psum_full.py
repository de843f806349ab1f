# run: trace w=bf16[128,128] x=bf16[128,4608]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(w, x):
    out = nl.ndarray((128, 4608), dtype=nl.float32, buffer=nl.shared_hbm)
    weights = nl.load(w)
    sums = []
    for i in range(9):
        acc = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.psum)
        nisa.nc_matmul(dst=acc, stationary=weights, moving=nl.load(x[:, i * 512 : (i + 1) * 512]))
        sums.append(acc)
    for i in range(9):
        nl.store(out[:, i * 512 : (i + 1) * 512], nl.copy(sums[i]))
    return out
