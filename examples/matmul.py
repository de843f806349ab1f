"""Matrix multiplication in four steps: one tile, tiles, fewer loads, blocks that stay on chip.

The tensor engine contracts over partitions: `stationary` is (k, m), `moving` is (k, n), both with k <= 128, and the
float32 result (m, n) accumulates in PSUM. So the left matrix comes transposed: lhs_t is (K, M).
"""

import nki
import nki.isa as nisa
import nki.language as nl

TILE_K = nl.tile_size.pmax
TILE_M = nl.tile_size.gemm_stationary_fmax
TILE_N = nl.tile_size.gemm_moving_fmax


def load(source):
    """A tile of SBUF with what `source` holds."""
    tile = nl.ndarray(source.shape, dtype=source.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=source)
    return tile


def store(target, psum, dtype):
    """Moves a PSUM tile to HBM through SBUF, which is where it gets its dtype."""
    tile = nl.ndarray(psum.shape, dtype=dtype, buffer=nl.sbuf)
    nisa.tensor_copy(dst=tile, src=psum)
    nisa.dma_copy(dst=target, src=tile)


@nki.jit
def matmul_one_tile(lhs_t, rhs):
    """lhs_t (K <= 128, M <= 128), rhs (K, N <= 512): one instruction."""
    (k, m), (_, n) = lhs_t.shape, rhs.shape
    out = nl.ndarray((m, n), dtype=lhs_t.dtype, buffer=nl.shared_hbm)
    psum = nl.ndarray((m, n), dtype=nl.float32, buffer=nl.psum)
    nisa.nc_matmul(dst=psum, stationary=load(lhs_t), moving=load(rhs))
    store(out, psum, out.dtype)
    return out


@nki.jit
def matmul_tiled(lhs_t, rhs):
    """Any K, M, N that are multiples of 128, 128, 512: every product loads both of its tiles."""
    (K, M), (_, N) = lhs_t.shape, rhs.shape
    out = nl.ndarray((M, N), dtype=lhs_t.dtype, buffer=nl.shared_hbm)
    for m in nl.affine_range(M // TILE_M):
        for n in nl.affine_range(N // TILE_N):
            psum = nl.ndarray((TILE_M, TILE_N), dtype=nl.float32, buffer=nl.psum)
            for k in nl.sequential_range(K // TILE_K):
                left = load(lhs_t[nl.ds(k * TILE_K, TILE_K), nl.ds(m * TILE_M, TILE_M)])
                right = load(rhs[nl.ds(k * TILE_K, TILE_K), nl.ds(n * TILE_N, TILE_N)])
                nisa.nc_matmul(dst=psum, stationary=left, moving=right)
            store(out[nl.ds(m * TILE_M, TILE_M), nl.ds(n * TILE_N, TILE_N)], psum, out.dtype)
    return out


@nki.jit
def matmul_hoisted(lhs_t, rhs):
    """As matmul_tiled, but a row of left tiles is loaded once for all columns."""
    (K, M), (_, N) = lhs_t.shape, rhs.shape
    out = nl.ndarray((M, N), dtype=lhs_t.dtype, buffer=nl.shared_hbm)
    for m in nl.affine_range(M // TILE_M):
        left = []
        for k in range(K // TILE_K):
            left.append(load(lhs_t[nl.ds(k * TILE_K, TILE_K), nl.ds(m * TILE_M, TILE_M)]))
        for n in nl.affine_range(N // TILE_N):
            psum = nl.ndarray((TILE_M, TILE_N), dtype=nl.float32, buffer=nl.psum)
            for k in nl.sequential_range(K // TILE_K):
                right = load(rhs[nl.ds(k * TILE_K, TILE_K), nl.ds(n * TILE_N, TILE_N)])
                nisa.nc_matmul(dst=psum, stationary=left[k], moving=right)
            store(out[nl.ds(m * TILE_M, TILE_M), nl.ds(n * TILE_N, TILE_N)], psum, out.dtype)
    return out


def load_bands(source, start, width):
    """Columns [start, start + width) of a (K, ..) matrix as a list of (128, width) tiles."""
    bands = []
    for k in range(source.shape[0] // TILE_K):
        bands.append(load(source[nl.ds(k * TILE_K, TILE_K), nl.ds(start, width)]))
    return bands


@nki.jit
def matmul_blocked(lhs_t, rhs, tiles_in_m=4, tiles_in_n=2):
    """Blocks of tiles_in_m x tiles_in_n tiles: a block of each matrix is loaded once and used for the whole block."""
    (K, M), (_, N) = lhs_t.shape, rhs.shape
    block_m, block_n = TILE_M * tiles_in_m, TILE_N * tiles_in_n
    assert M % block_m == 0 and N % block_n == 0 and K % TILE_K == 0, f"{(M, N, K)=} is no whole number of blocks"
    out = nl.ndarray((M, N), dtype=lhs_t.dtype, buffer=nl.shared_hbm)
    for n in nl.affine_range(N // block_n):
        right = load_bands(rhs, n * block_n, block_n)
        for m in nl.affine_range(M // block_m):
            left = load_bands(lhs_t, m * block_m, block_m)
            for mm in nl.affine_range(tiles_in_m):
                for nn in nl.affine_range(tiles_in_n):
                    psum = nl.ndarray((TILE_M, TILE_N), dtype=nl.float32, buffer=nl.psum)
                    for k in range(K // TILE_K):
                        nisa.nc_matmul(dst=psum, stationary=left[k][:, nl.ds(mm * TILE_M, TILE_M)],
                                       moving=right[k][:, nl.ds(nn * TILE_N, TILE_N)])
                    store(out[nl.ds(m * block_m + mm * TILE_M, TILE_M), nl.ds(n * block_n + nn * TILE_N, TILE_N)],
                          psum, out.dtype)
    return out
