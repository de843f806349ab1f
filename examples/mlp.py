"""A transformer's MLP, SwiGLU: (silu(x W_gate) * (x W_up)) W_down, in bfloat16 with float32 sums.

The hidden layer of a block of tokens stays on chip, features on the partitions, which is how both of its products want
it: it comes out of the first that way and goes into the second as the stationary matrix.
"""

import nki
import nki.isa as nisa
import nki.language as nl

TILE = nl.tile_size.pmax              # features of one contraction; rows of one result
WIDE = nl.tile_size.gemm_moving_fmax  # columns of one result


def load_turned(x):
    """(tokens, features) in HBM as (128, features / 128, tokens): feature 128 i + p at [p, i]."""
    tokens, features = x.shape
    tile = nl.ndarray((TILE, features // TILE, tokens), dtype=x.dtype, buffer=nl.sbuf)
    for i in range(features // TILE):
        nisa.dma_transpose(dst=tile[:, i, :], src=x[:, nl.ds(i * TILE, TILE)])
    return tile


def load_columns(weights, start):
    """Columns [start, start + 128) of (features, ..) weights as (128, features / 128, 128)."""
    features, width = weights.shape
    tile = nl.ndarray((TILE, features // TILE, TILE), dtype=weights.dtype, buffer=nl.sbuf)
    columns = weights[:, nl.ds(start, TILE)]
    nisa.dma_copy(dst=tile, src=columns.ap([[width, TILE], [TILE * width, features // TILE], [1, TILE]]))
    return tile


def project(x_t, weights, start):
    """(weights[:, start:start + 128])^T x in PSUM: 128 features by all tokens of x_t."""
    columns = load_columns(weights, start)
    product = nl.ndarray((TILE, x_t.shape[2]), dtype=nl.float32, buffer=nl.psum)
    for i in range(x_t.shape[1]):
        nisa.nc_matmul(dst=product, stationary=columns[:, i, :], moving=x_t[:, i, :])
    return product


def hidden_layer(x_t, w_gate, w_up):
    """silu(x W_gate) * (x W_up) as (128, hidden / 128, tokens)."""
    tokens, hidden = x_t.shape[2], w_gate.shape[1]
    h_t = nl.ndarray((TILE, hidden // TILE, tokens), dtype=x_t.dtype, buffer=nl.sbuf)
    for f in range(hidden // TILE):
        gate, up = project(x_t, w_gate, f * TILE), project(x_t, w_up, f * TILE)
        active = nl.ndarray((TILE, tokens), dtype=nl.float32, buffer=nl.sbuf)
        nisa.activation(dst=active, op=nl.silu, data=gate)
        nisa.tensor_tensor(dst=h_t[:, f, :], data1=active, data2=up, op=nl.multiply)
    return h_t


def output_layer(h_t, w_down, store):
    """Calls store(row, column, tile) with each tile in PSUM of h W_down, up to (128, 512)."""
    tokens, features = h_t.shape[2], w_down.shape[1]
    width = min(WIDE, features)
    for column in range(features // width):
        sums = []
        for row in range(tokens // TILE):
            sums.append(nl.ndarray((TILE, width), dtype=nl.float32, buffer=nl.psum))
        for f in range(h_t.shape[1]):
            weights = nl.ndarray((TILE, width), dtype=w_down.dtype, buffer=nl.sbuf)
            nisa.dma_copy(dst=weights, src=w_down[nl.ds(f * TILE, TILE), nl.ds(column * width, width)])
            for row in range(tokens // TILE):
                nisa.nc_matmul(dst=sums[row], stationary=h_t[:, f, nl.ds(row * TILE, TILE)], moving=weights)
        for row in range(tokens // TILE):
            store(row, column, sums[row])


@nki.jit
def mlp(x, w_gate, w_up, w_down, block=WIDE):
    """x (tokens, features), w_gate and w_up (features, hidden), w_down (hidden, features); tokens a multiple of `block` or
    fewer, the others of 128, features beyond 512 of 512. Returns (tokens, features) in x's dtype."""
    (tokens, features), hidden = x.shape, w_gate.shape[1]
    block = min(block, tokens)
    assert tokens % block == 0 and block % TILE == 0, f"{tokens} tokens are no whole number of blocks of {block}"
    assert features % TILE == 0 and hidden % TILE == 0 and (features <= WIDE or features % WIDE == 0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for b in range(tokens // block):
        h_t = hidden_layer(load_turned(x[nl.ds(b * block, block), :]), w_gate, w_up)

        def store(row, column, sums):
            tile = nl.ndarray(sums.shape, dtype=x.dtype, buffer=nl.sbuf)
            nisa.tensor_copy(dst=tile, src=sums)
            width = sums.shape[1]
            nisa.dma_copy(dst=out[nl.ds(b * block + row * TILE, TILE), nl.ds(column * width, width)], src=tile)

        output_layer(h_t, w_down, store)
    return out
