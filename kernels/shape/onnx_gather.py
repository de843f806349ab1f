from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_gather(X: DeviceArray[f32], Indices: DeviceArray[u32], Y: DeviceArray[f32], m: u32):
    """Gather: Y = X[Indices], of m indices."""
    i = get_global_id()
    if i < m:
        Y[i] = X[Indices[i]]
