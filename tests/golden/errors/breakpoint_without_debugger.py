# run: run x=zeros:f32[4,8]
import nki
import nki.language as nl


@nki.jit
def kernel(x):
    t = nl.load(x)
    breakpoint()
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, t)
    return out
