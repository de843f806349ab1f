# run: trace x=f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    tiles = [x[i * 128:(i + 1) * 128, :] for i in range(2)]
    return x
