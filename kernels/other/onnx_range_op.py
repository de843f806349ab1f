from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_range_op(Y: DeviceArray[f32], start: f32, delta: f32, n: u32):
    """Range: Y[i] = start + i * delta."""
    i = get_global_id()
    if i < n:
        Y[i] = start + f32(i) * delta
