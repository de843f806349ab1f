# run: run x=randn:f32[4,8] --ranks 2
import nki
import nki.collectives as ncc
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    packed = nl.ndarray((4, 8), dtype=nl.float8_e4m3fn_x4, buffer=nl.sbuf)
    nisa.memset(dst=packed, value=0)
    here = nl.ndarray((4, 8), dtype=nl.float8_e4m3fn_x4, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=here, src=packed)
    there = nl.ndarray((4, 8), dtype=nl.float8_e4m3fn_x4, buffer=nl.shared_hbm)
    ncc.all_reduce([here], [there], ncc.ReplicaGroup([[0, 1]]), nl.add)
    return there
