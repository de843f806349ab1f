# run: trace x=f32[128,16]
import nki
import nki.collectives as ncc
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    ncc.all_reduce(srcs=[x], dsts=[t], replica_group=ncc.ReplicaGroup([[0, 1]]), op=nl.add)
    return x
