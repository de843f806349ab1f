from atlas_kernel import DeviceArray, f32, u32, get_global_id, expf


def exp(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    """b = e to the power of a."""
    i = get_global_id()
    if i < n:
        b[i] = expf(a[i])
