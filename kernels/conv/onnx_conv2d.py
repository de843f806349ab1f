from atlas_kernel import DeviceArray, f32, i64, u32, get_global_id


def onnx_conv2d(
        X: DeviceArray[f32], W: DeviceArray[f32], Y: DeviceArray[f32], H_in: u32, W_in: u32, K_h: u32, K_w: u32):
    """Conv of one channel, without padding, with steps of 1: X [H_in, W_in], W [K_h, K_w], Y [H_in - K_h + 1, W_in
    - K_w + 1]; nothing when W is larger than X. One thread is one element of Y.
    """
    rows = max(i64(H_in) - i64(K_h) + 1, 0)
    columns = max(i64(W_in) - i64(K_w) + 1, 0)
    i = get_global_id()
    if i < rows * columns:
        top = i // columns
        left = i % columns
        total = 0.0
        for y in range(K_h):
            for x in range(K_w):
                total += X[(top + y) * W_in + left + x] * W[y * K_w + x]
        Y[i] = total
