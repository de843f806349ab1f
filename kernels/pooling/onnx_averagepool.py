from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_averagepool(X: DeviceArray[f32], Y: DeviceArray[f32], N: u32, C: u32, H: u32, W: u32, kernel_size: u32):
    """AveragePool of X [N, C, H, W] by squares of kernel_size that do not overlap; what is left at the ends is not
    used. Y is [N, C, H // kernel_size, W // kernel_size]. One thread is one element of Y.
    """
    rows = H // kernel_size
    columns = W // kernel_size
    i = get_global_id()
    if i < N * C * rows * columns:
        image = i // (rows * columns)
        top = i // columns % rows * kernel_size
        left = i % columns * kernel_size
        total = 0.0
        for y in range(kernel_size):
            for x in range(kernel_size):
                total += X[(image * H + top + y) * W + left + x]
        Y[i] = total / (kernel_size * kernel_size)
