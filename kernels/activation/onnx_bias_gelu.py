from atlas_kernel import DeviceArray, f32, u32, get_global_id, inline, erf


@inline
def gelu_of_sum(x: f32):
    return 0.5 * x * (1.0 + erf(x * 0.7071067811865476))


def onnx_bias_gelu(X: DeviceArray[f32], Bias: DeviceArray[f32], Y: DeviceArray[f32], n: u32):
    """BiasGelu: Y = Gelu(X + Bias), Bias of n elements too."""
    i = get_global_id()
    if i < n:
        Y[i] = gelu_of_sum(X[i] + Bias[i])
