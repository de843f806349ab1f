# run: run x=randn:f32[128,65536]
import nki
import nki.isa as nisa
import nki.language as nl


def load(x, i):
    tile = nl.ndarray((128, 8192), dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x[:, i * 8192 : (i + 1) * 8192])
    return tile


@nki.jit
def kernel(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tiles = []
    for i in range(8):
        tiles.append(load(x, i))
    scale = nl.ndarray((128, 1), dtype=nl.float32, buffer=nl.sbuf)
    nisa.memset(dst=scale, value=2.0)
    for i in range(8):
        nisa.tensor_scalar(dst=tiles[i], data=tiles[i], op0=nl.multiply, operand0=scale)
        nisa.dma_copy(dst=out[:, i * 8192 : (i + 1) * 8192], src=tiles[i])
    return out
