# run: trace x=f32[128,512] --lnc 2 --target trn1
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    return x
