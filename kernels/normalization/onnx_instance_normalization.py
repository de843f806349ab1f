from atlas_kernel import DeviceArray, f32, u32, get_global_id, sqrt


def onnx_instance_normalization(
        X: DeviceArray[f32], scale: DeviceArray[f32], bias: DeviceArray[f32], Y: DeviceArray[f32], N: u32, C: u32,
        H: u32, W: u32, epsilon: f32):
    """InstanceNormalization: each plane [H, W] of X [N, C, H, W] by its own mean and variance. One thread is one
    plane.
    """
    plane = H * W
    image = get_global_id()
    if image < N * C:
        c = image % C
        first = image * plane
        total = 0.0
        for i in range(plane):
            total += X[first + i]
        mean = total / plane
        squares = 0.0
        for i in range(plane):
            distance = X[first + i] - mean
            squares += distance * distance
        factor = scale[c] / sqrt(squares / plane + epsilon)
        for i in range(plane):
            Y[first + i] = (X[first + i] - mean) * factor + bias[c]
