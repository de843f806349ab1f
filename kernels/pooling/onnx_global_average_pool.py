from atlas_kernel import DeviceArray, f32, u32, get_global_id


def onnx_global_average_pool(X: DeviceArray[f32], Y: DeviceArray[f32], N: u32, C: u32, H: u32, W: u32):
    """GlobalAveragePool: the mean of each plane [H, W] of X [N, C, H, W]. One thread is one plane."""
    plane = H * W
    image = get_global_id()
    if image < N * C:
        total = 0.0
        for i in range(plane):
            total += X[image * plane + i]
        Y[image] = total / plane
