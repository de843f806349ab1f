import nki

tile = nl.ndarray((128, 512), dtype=nl.float32
nisa.memset(tile, value=0)

def kernel(x):
    y = load(x[0]
    return y
