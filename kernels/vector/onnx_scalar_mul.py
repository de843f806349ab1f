from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_scalar_mul(Input: DeviceArray[f32], Output: DeviceArray[f32], n: u32, scalar: f32):
    """Output = scalar * Input."""
    i = get_global_id()
    if i < n:
        Output[i] = scalar * Input[i]
