from atlas_kernel import DeviceArray, f32, u32, get_global_id, exp


def onnx_softmax_exp(X: DeviceArray[f32], MaxVal: DeviceArray[f32], Y: DeviceArray[f32], n: u32):
    """The middle step of a softmax: Y = exp(X - MaxVal[0]). The largest element is to be found before, and the sum
    divided out after.
    """
    i = get_global_id()
    if i < n:
        Y[i] = exp(X[i] - MaxVal[0])
