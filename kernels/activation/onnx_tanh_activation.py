from atlas_kernel import DeviceArray, f32, u32, get_global_id, tanh


def onnx_tanh_activation(X: DeviceArray[f32], Y: DeviceArray[f32], n: u32):
    """Tanh: Y = the hyperbolic tangent of X."""
    i = get_global_id()
    if i < n:
        Y[i] = tanh(X[i])
