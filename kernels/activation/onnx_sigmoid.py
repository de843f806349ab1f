from atlas_kernel import DeviceArray, f32, u32, get_global_id, exp


def onnx_sigmoid(X: DeviceArray[f32], Y: DeviceArray[f32], n: u32):
    """Sigmoid: Y = 1 / (1 + exp(-X))."""
    i = get_global_id()
    if i < n:
        small = exp(-abs(X[i]))  # never too large
        Y[i] = (1.0 if X[i] >= 0 else small) / (1.0 + small)
