# run: trace x=f32[128,512]
import neuronxcc.nki as nki
import neuronxcc.nki.language as nl


@nki.jit
def kernel(x):
    t = nl.load(x)
    return x
