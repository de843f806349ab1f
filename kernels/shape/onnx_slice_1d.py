from atlas_kernel import DeviceArray, f32, i64, u32, get_global_id


def onnx_slice_1d(X: DeviceArray[f32], Y: DeviceArray[f32], start: u32, end: u32):
    """Slice: Y = X[start:end]; nothing when end is not above start."""
    i = get_global_id()
    if i < i64(end) - i64(start):
        Y[i] = X[start + i]
