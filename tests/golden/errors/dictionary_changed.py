# run: trace x=f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    d = {"a": 1}
    for key in d:
        d[key + "b"] = 2
    return x
