from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_relu(X: DeviceArray[f32], Y: DeviceArray[f32], n: u32):
    """Relu: Y = X where it is positive, else 0; a NaN stays."""
    i = get_global_id()
    if i < n:
        Y[i] = max(X[i], 0)
