# run: trace x=f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    n = x.shape[0]
    return n(3)
