# run: trace x=f32[128,512] --max-steps 20000
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    n = 0
    while True:
        n += 1
    return x
