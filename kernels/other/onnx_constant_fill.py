from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_constant_fill(Y: DeviceArray[f32], value: f32, n: u32):
    """ConstantOfShape: every element is value."""
    i = get_global_id()
    if i < n:
        Y[i] = value
