from atlas_kernel import DeviceArray, f32, u32, get_global_id, exp


def sigmoid(a: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """c = 1 / (1 + exp(-a))."""
    i = get_global_id()
    if i < n:
        small = exp(-abs(a[i]))  # never too large
        c[i] = (1.0 if a[i] >= 0 else small) / (1.0 + small)
