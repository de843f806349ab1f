from atlas_kernel import DeviceArray, f32, u32, get_global_id, sqrt


def onnx_layer_norm(
        X: DeviceArray[f32], scale: DeviceArray[f32], bias: DeviceArray[f32], Y: DeviceArray[f32], batch_size: u32,
        features: u32, epsilon: f32):
    """LayerNormalization of the rows of X [batch_size, features]. One thread is one row."""
    row = get_global_id()
    if row < batch_size:
        first = row * features
        total = 0.0
        for i in range(features):
            total += X[first + i]
        mean = total / features
        squares = 0.0
        for i in range(features):
            distance = X[first + i] - mean
            squares += distance * distance
        scale_of_row = 1.0 / sqrt(squares / features + epsilon)
        for i in range(features):
            Y[first + i] = (X[first + i] - mean) * scale_of_row * scale[i] + bias[i]
