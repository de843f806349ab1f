from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_leakyrelu(X: DeviceArray[f32], Y: DeviceArray[f32], n: u32, alpha: f32):
    """LeakyRelu: Y = alpha * X where X is negative, else X."""
    i = get_global_id()
    if i < n:
        Y[i] = alpha * X[i] if X[i] < 0.0 else X[i]
