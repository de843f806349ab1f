from atlas_kernel import DeviceArray, f32, u32, get_global_id, sqrt

EPSILON = 1e-5


def onnx_skip_layer_norm(
        X: DeviceArray[f32], Skip: DeviceArray[f32], Gamma: DeviceArray[f32], Beta: DeviceArray[f32],
        Y: DeviceArray[f32], n: u32, hidden: u32):
    """SkipLayerNormalization: the layer norm of X + Skip, over rows of hidden elements; n elements in all. One
    thread is one row.
    """
    row = get_global_id()
    if row < n // hidden:
        first = row * hidden
        total = 0.0
        for i in range(hidden):
            total += X[first + i] + Skip[first + i]
        mean = total / hidden
        squares = 0.0
        for i in range(hidden):
            distance = X[first + i] + Skip[first + i] - mean
            squares += distance * distance
        scale = 1.0 / sqrt(squares / hidden + EPSILON)
        for i in range(hidden):
            Y[first + i] = (X[first + i] + Skip[first + i] - mean) * scale * Gamma[i] + Beta[i]
