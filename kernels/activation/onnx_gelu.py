from atlas_kernel import DeviceArray, f32, u32, get_global_id, inline, erf


@inline
def gelu(x: f32):
    return 0.5 * x * (1.0 + erf(x * 0.7071067811865476))


def onnx_gelu(X: DeviceArray[f32], Y: DeviceArray[f32], n: u32):
    """Gelu: Y = X / 2 * (1 + erf(X / sqrt(2)))."""
    i = get_global_id()
    if i < n:
        Y[i] = gelu(X[i])
