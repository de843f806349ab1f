# run: trace x=f32[128,512]
import nki
from nki.language import ndaray


@nki.jit
def kernel(x):
    t = ndaray((128, 512))
    return x
