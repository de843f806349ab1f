# run: trace x=f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    i = nisa.register_alloc(3)
    j = i / 2
    return x
