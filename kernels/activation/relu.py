from atlas_kernel import DeviceArray, f32, u32, get_global_id


def relu(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    """b = a where it is positive, else 0; a NaN stays."""
    i = get_global_id()
    if i < n:
        b[i] = max(a[i], 0)
