from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_transpose(X: DeviceArray[f32], Y: DeviceArray[f32], M: u32, N: u32):
    """Transpose: Y [N, M] of X [M, N]. One thread is one element of X."""
    i = get_global_id()
    if i < M * N:
        Y[i % N * M + i // N] = X[i]
