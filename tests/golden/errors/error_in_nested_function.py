# run: trace x=f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


def twice(dst, data):
    nisa.tensor_scalar(dst=dst, data=data, op0=nl.multiply, operand0=2.0)


@nki.jit
def kernel(x):
    t = nl.ndarray((128, 512), dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
    def inner(tile):
        return twice(tile[:, 0:256], t)

    inner(t)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=t)
    return out
