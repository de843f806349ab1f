from atlas_kernel import DeviceArray, f32, u32, get_global_id, sqrt


def onnx_batch_normalization(
        X: DeviceArray[f32], scale: DeviceArray[f32], bias: DeviceArray[f32], mean: DeviceArray[f32],
        var: DeviceArray[f32], Y: DeviceArray[f32], N: u32, C: u32, H: u32, W: u32, epsilon: f32):
    """BatchNormalization of X [N, C, H, W] with the given mean and variance of each channel. One thread is one
    element.
    """
    plane = H * W
    i = get_global_id()
    if i < N * C * plane:
        c = i // plane % C
        Y[i] = (X[i] - mean[c]) / sqrt(var[c] + epsilon) * scale[c] + bias[c]
