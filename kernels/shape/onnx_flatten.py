from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_flatten(X: DeviceArray[f32], Y: DeviceArray[f32], n: u32):
    """Flatten: the elements of X in their order; the new shape is the caller's."""
    i = get_global_id()
    if i < n:
        Y[i] = X[i]
