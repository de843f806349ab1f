from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_concat(A: DeviceArray[f32], B: DeviceArray[f32], Y: DeviceArray[f32], M: u32, K: u32, N: u32):
    """Concat of rows: Y [M + K, N] is A [M, N], then B [K, N]. One thread is one element of Y."""
    i = get_global_id()
    if i < (M + K) * N:
        Y[i] = A[i] if i < M * N else B[i - M * N]
