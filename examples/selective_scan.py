"""The selective scan of a state-space model: a recurrence along time, one instruction a state and 128 channels."""

import nki
import nki.isa as nisa
import nki.language as nl


def load(source):
    tile = nl.ndarray(source.shape, dtype=nl.float32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=source)
    return tile


def load_row(source, row, partitions, length):
    """Row `row` of (states, length) in HBM, the same on every partition."""
    tile = nl.ndarray((partitions, length), dtype=nl.float32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=source.ap([[0, partitions], [1, length]], offset=row * length))
    return tile


@nki.jit
def selective_scan(delta, u, A, B, C):
    """delta, u (channels, time), A (channels, states), B, C (states, time). For each channel c and time t:

    h[s] = exp(delta[c,t] * A[c,s]) * h[s] + delta[c,t] * u[c,t] * B[s,t];  y[c,t] = sum over s of C[s,t] * h[s].
    """
    channels, time = delta.shape
    states = A.shape[1]
    out = nl.ndarray(delta.shape, dtype=delta.dtype, buffer=nl.shared_hbm)
    for start in range(0, channels, nl.tile_size.pmax):
        count = min(nl.tile_size.pmax, channels - start)
        rows = nl.ds(start, count)
        steps, rates = load(delta[rows, :]), load(A[rows, :])
        inputs = load(u[rows, :])
        nisa.tensor_tensor(dst=inputs, data1=inputs, data2=steps, op=nl.multiply)
        y = nl.ndarray((count, time), dtype=nl.float32, buffer=nl.sbuf)
        nisa.memset(dst=y, value=0.0)
        for s in range(states):
            decay = nl.ndarray((count, time), dtype=nl.float32, buffer=nl.sbuf)
            nisa.activation(dst=decay, op=nl.exp, data=steps, scale=rates[:, s:s + 1])
            drive = load_row(B, s, count, time)
            nisa.tensor_tensor(dst=drive, data1=drive, data2=inputs, op=nl.multiply)
            state = nl.ndarray((count, time), dtype=nl.float32, buffer=nl.sbuf)
            nisa.tensor_tensor_scan(dst=state, data0=decay, data1=drive, initial=0.0, op0=nl.multiply, op1=nl.add)
            nisa.tensor_tensor(dst=state, data1=state, data2=load_row(C, s, count, time), op=nl.multiply)
            nisa.tensor_tensor(dst=y, data1=y, data2=state, op=nl.add)
        nisa.dma_copy(dst=out[rows, :], src=y)
    return out
