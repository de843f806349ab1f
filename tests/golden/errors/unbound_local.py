# run: trace x=f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    if x.shape[0] > 128:
        scale = 2.0
    return x if scale > 1.0 else x
