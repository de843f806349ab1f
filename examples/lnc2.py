"""Two logical cores, one kernel: each scales its half of the rows. Launch with two cores: `klr run ... --lnc 2`."""

import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def scale(x, factor=2.0):
    """x * factor for x (rows, columns); the rows are divided among the cores."""
    rows, columns = x.shape
    cores, core = nl.num_programs(0), nl.program_id(0)
    assert rows % cores == 0, f"{rows} rows cannot be divided among {cores} cores"
    share = rows // cores
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for start in range(core * share, (core + 1) * share, nl.tile_size.pmax):
        count = min(nl.tile_size.pmax, (core + 1) * share - start)
        tile = nl.ndarray((count, columns), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x[nl.ds(start, count), :])
        nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=factor)
        nisa.dma_copy(dst=out[nl.ds(start, count), :], src=tile)
    return out
