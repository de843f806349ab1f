# run: trace x=f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    assert x.shape[1] % 128 == 0 and x.shape[0] == 64, f"unexpected shape {x.shape}"
    return x
