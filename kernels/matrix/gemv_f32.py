from atlas_kernel import DeviceArray, f32, u32, get_global_id


def gemv_f32(A: DeviceArray[f32], x: DeviceArray[f32], y: DeviceArray[f32], m: u32, n: u32, lda: u32):
    """y = A x for A [m, n], whose rows are lda elements apart. One thread is one row."""
    row = get_global_id()
    if row < m:
        total = 0.0
        for j in range(n):
            total += A[row * lda + j] * x[j]
        y[row] = total
