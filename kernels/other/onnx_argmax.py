from atlas_kernel import DeviceArray, f32, u32, isnan


def onnx_argmax(X: DeviceArray[f32], Y: DeviceArray[u32], n: u32):
    """ArgMax: Y[0] = where the largest of n elements is, the first of equals, or the first NaN. One thread does
    all; without elements Y stays.
    """
    if n > 0:
        best = X[0]
        where = 0
        for i in range(1, n):
            if X[i] > best or (isnan(X[i]) and not isnan(best)):
                best = X[i]
                where = i
        Y[0] = where
