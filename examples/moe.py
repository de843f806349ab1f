"""A mixture-of-experts layer: each token goes to the two best of eight experts, which are SwiGLU MLPs.

A router's scores choose the experts. For each expert the places of its tokens are listed on the device
(`nonzero_with_count`), and a loop whose length is known only there gathers 128 of them at a time, runs the expert, and
scatters the results to a slot for each token and choice. Last, the two slots of a token are added with their weights.
"""

import nki
import nki.isa as nisa
import nki.language as nl
from mlp import TILE, hidden_layer, output_layer

CHOICES = 2
EXPERTS = 8       # as many as nonzero_with_count lists at once, and as max8 ranks
LIST_STEP = 16    # it lists partitions 0, 16, 32, ...


def tile_of(shape, dtype, buffer=nl.sbuf):
    return nl.ndarray(shape, dtype=dtype, buffer=buffer)


def transposed(x, tokens):
    """(128 tokens, features) on chip as (128, features / 128, tokens)."""
    features = x.shape[1]
    x_t = tile_of((TILE, features // TILE, tokens), x.dtype)
    for i in range(features // TILE):
        turned = tile_of((TILE, tokens), x.dtype, nl.psum)
        nisa.nc_transpose(dst=turned, data=x[:, nl.ds(i * TILE, TILE)])
        nisa.tensor_copy(dst=x_t[:, i, :], src=turned)
    return x_t


def route(x, router, chosen, weights):
    """For each token its two best experts and their softmax, into (tokens, 2) tensors in HBM."""
    tokens, features = x.shape
    columns = tile_of((TILE, features // TILE, EXPERTS), router.dtype)
    nisa.dma_copy(dst=columns, src=router.ap([[EXPERTS, TILE], [TILE * EXPERTS, features // TILE], [1, EXPERTS]]))
    for t in range(tokens // TILE):
        rows = nl.ds(t * TILE, TILE)
        tile = tile_of((TILE, features), x.dtype)
        nisa.dma_copy(dst=tile, src=x[rows, :])
        x_t = transposed(tile, TILE)
        scores = tile_of((TILE, EXPERTS), nl.float32, nl.psum)
        for i in range(features // TILE):
            nisa.nc_matmul(dst=scores, stationary=x_t[:, i, :], moving=columns[:, i, :])
        ranked, best, index = tile_of((TILE, EXPERTS), nl.float32), tile_of((TILE, 8), nl.float32), tile_of((TILE, 8), nl.uint32)
        nisa.tensor_copy(dst=ranked, src=scores)
        nisa.max8(dst=best, src=ranked)
        nisa.nc_find_index8(dst=index, data=ranked, vals=best)
        nisa.dma_copy(dst=chosen[rows, :], src=index[:, 0:CHOICES])
        # The softmax of the best two; the largest comes first.
        peak, total, share = tile_of((TILE, 1), nl.float32), tile_of((TILE, 1), nl.float32), tile_of((TILE, CHOICES), nl.float32)
        nisa.tensor_scalar(dst=peak, data=best[:, 0:1], op0=nl.multiply, operand0=-1.0)
        nisa.activation_reduce(dst=share, op=nl.exp, data=best[:, 0:CHOICES], bias=peak, reduce_op=nl.add, reduce_res=total)
        nisa.tensor_scalar(dst=share, data=share, op0=nl.divide, operand0=total)
        nisa.dma_copy(dst=weights[rows, :], src=share)


def list_tokens(chosen, slots):
    """For expert e, on partition 16 e: the slots (token * 2 + choice) it was chosen for, -1 beyond, last their number."""
    ids, wanted = tile_of((nl.tile_size.pmax, slots), nl.int32), tile_of((nl.tile_size.pmax, 1), nl.int32)
    nisa.dma_copy(dst=ids, src=chosen.ap([[0, nl.tile_size.pmax], [1, slots]]))
    nisa.iota(dst=wanted, pattern=[[0, 1]], channel_multiplier=1)
    expert, is_chosen = tile_of((nl.tile_size.pmax, 1), nl.float32), tile_of((nl.tile_size.pmax, slots), nl.int32)
    nisa.tensor_scalar(dst=expert, data=wanted, op0=nl.multiply, operand0=1.0 / LIST_STEP)  # whole for listed partitions
    nisa.tensor_scalar(dst=is_chosen, data=ids, op0=nl.equal, operand0=expert)
    places = tile_of((nl.tile_size.pmax, slots + 1), nl.int32)
    nisa.nonzero_with_count(dst=places, src=is_chosen)
    return places


def tiles_of_expert(places, expert, slots):
    """How many tiles of 128 an expert's list has, as a register."""
    row = expert * LIST_STEP
    count = tile_of((1, 1), nl.int32)
    nisa.dma_copy(dst=count, src=places[row:row + 1, slots:slots + 1])
    nisa.tensor_scalar(dst=count, data=count, op0=nl.add, operand0=TILE - 1)
    nisa.tensor_scalar(dst=count, data=count, op0=nl.right_shift, operand0=7)
    register = nisa.register_alloc()
    nisa.register_load(register, count)
    return register


def run_expert(x, results, listed, i, w_gate, w_up, w_down):
    """Tile i of an expert's list: gathers its tokens, and scatters what becomes of them to their slots."""
    features = x.shape[1]
    slot, token = tile_of((TILE, 1), nl.int32), tile_of((TILE, 1), nl.int32)
    nisa.dma_copy(dst=slot, src=listed.ap([[1, TILE], [1, 1]], scalar_offset=i, indirect_dim=0))
    nisa.tensor_scalar(dst=token, data=slot, op0=nl.right_shift, operand0=1)  # -1 becomes a number beyond all tokens
    rows = tile_of((TILE, features), x.dtype)
    nisa.memset(dst=rows, value=0.0)
    nisa.dma_copy(dst=rows, src=x.ap([[features, TILE], [1, features]], vector_offset=token, indirect_dim=0),
                  oob_mode=nisa.oob_mode.skip)
    h_t = hidden_layer(transposed(rows, TILE), w_gate, w_up)
    y = tile_of((TILE, features), nl.float32)

    def store(row, column, sums):
        nisa.tensor_copy(dst=y[:, nl.ds(column * sums.shape[1], sums.shape[1])], src=sums)

    output_layer(h_t, w_down, store)
    nisa.dma_copy(dst=results.ap([[features, TILE], [1, features]], vector_offset=slot, indirect_dim=0), src=y,
                  oob_mode=nisa.oob_mode.skip)


@nki.jit
def moe(x, router, w_gate, w_up, w_down):
    """x (tokens, features), router (features, 8), w_gate and w_up (8, features, hidden), w_down (8, hidden, features);
    tokens, features and hidden multiples of 128, features beyond 512 of 512. Returns (tokens, features) in x's dtype."""
    tokens, features = x.shape
    slots = tokens * CHOICES
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    chosen = nl.ndarray((tokens, CHOICES), dtype=nl.uint32, buffer=nl.hbm)
    weights = nl.ndarray((tokens, CHOICES), dtype=nl.float32, buffer=nl.hbm)
    results = nl.ndarray((slots, features), dtype=nl.float32, buffer=nl.hbm)
    route(x, router, chosen, weights)
    places = list_tokens(chosen, slots)
    for expert in range(EXPERTS):
        row = expert * LIST_STEP
        listed = nl.ndarray((slots // TILE, TILE), dtype=nl.int32, buffer=nl.hbm)
        nisa.dma_copy(dst=listed, src=places[row:row + 1, 0:slots])

        def run_tile(i):
            run_expert(x, results, listed, i, w_gate[expert], w_up[expert], w_down[expert])

        nl.fori_loop(0, tiles_of_expert(places, expert, slots), run_tile)
    for t in range(tokens // TILE):
        rows = nl.ds(t * TILE, TILE)
        both, share = tile_of((TILE, CHOICES, features), nl.float32), tile_of((TILE, CHOICES), nl.float32)
        nisa.dma_copy(dst=both, src=results[nl.ds(t * TILE * CHOICES, TILE * CHOICES), :])
        nisa.dma_copy(dst=share, src=weights[rows, :])
        y = tile_of((TILE, features), x.dtype)
        nisa.tensor_scalar(dst=both[:, 0, :], data=both[:, 0, :], op0=nl.multiply, operand0=share[:, 0:1])
        nisa.scalar_tensor_tensor(dst=y, data=both[:, 1, :], op0=nl.multiply, operand0=share[:, 1:2], op1=nl.add,
                                  operand1=both[:, 0, :])
        nisa.dma_copy(dst=out[rows, :], src=y)
    return out
