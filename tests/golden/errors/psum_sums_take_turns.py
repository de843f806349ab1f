# run: run w=randn:bf16[512,128] x=randn:bf16[512,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(w, x):
    out = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.shared_hbm)
    acc = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.psum)
    for k in range(4):
        weights = nl.load(w[k * 128 : (k + 1) * 128, :])
        rows = nl.load(x[k * 128 : (k + 1) * 128, :])
        for j in range(4):
            columns = nl.ds(j * 128, 128)
            nisa.nc_matmul(dst=acc[:, columns], stationary=weights, moving=rows[:, columns], accumulate=k > 0)
    nl.store(out, nl.copy(acc))
    return out
