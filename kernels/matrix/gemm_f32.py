from atlas_kernel import DeviceArray, f32, u32, get_global_id


def gemm_f32(
        A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], m: u32, n: u32, k: u32, lda: u32, ldb: u32,
        ldc: u32):
    """C = A B for A [m, k] and B [k, n], whose rows are lda, ldb and ldc elements apart. One thread is one element
    of C.
    """
    i = get_global_id()
    if i < m * n:
        row = i // n
        column = i % n
        total = 0.0
        for p in range(k):
            total += A[row * lda + p] * B[p * ldb + column]
        C[row * ldc + column] = total
