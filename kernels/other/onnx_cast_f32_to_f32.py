from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_cast_f32_to_f32(X: DeviceArray[f32], Y: DeviceArray[f32], n: u32):
    """Cast to the type that it has: Y = X."""
    i = get_global_id()
    if i < n:
        Y[i] = X[i]
