from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_gemm(
        A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], Y: DeviceArray[f32], M: u32, N: u32, K: u32,
        alpha: f32, beta: f32, transA: u32, transB: u32):
    """Gemm: Y [M, N] = alpha A' B' + beta C. A' is A [M, K], or the transpose of A [K, M] when transA is not 0; B'
    alike. C is [M, N].
    """
    i = get_global_id()
    if i < M * N:
        row = i // N
        column = i % N
        total = 0.0
        for p in range(K):
            left = A[p * M + row] if transA else A[row * K + p]
            right = B[column * K + p] if transB else B[p * N + column]
            total += left * right
        Y[i] = alpha * total + beta * C[i]
