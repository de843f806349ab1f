from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_add(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], n: u32):
    """Add: C = A + B."""
    i = get_global_id()
    if i < n:
        C[i] = A[i] + B[i]
