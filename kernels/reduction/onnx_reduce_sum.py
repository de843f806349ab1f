from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_reduce_sum(X: DeviceArray[f32], Y: DeviceArray[f32], batch_size: u32, features: u32):
    """ReduceSum of the rows of X [batch_size, features]. One thread is one row."""
    row = get_global_id()
    if row < batch_size:
        total = 0.0
        for i in range(features):
            total += X[row * features + i]
        Y[row] = total
