from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_matmul(A: DeviceArray[f32], B: DeviceArray[f32], Y: DeviceArray[f32], M: u32, N: u32, K: u32):
    """MatMul: Y [M, N] = A [M, K] B [K, N]. One thread is one element of Y."""
    i = get_global_id()
    if i < M * N:
        row = i // N
        column = i % N
        total = 0.0
        for p in range(K):
            total += A[row * K + p] * B[p * N + column]
        Y[i] = total
