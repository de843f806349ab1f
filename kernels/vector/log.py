from atlas_kernel import DeviceArray, f32, u32, get_global_id, logf


def log(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    """b = the natural logarithm of a."""
    i = get_global_id()
    if i < n:
        b[i] = logf(a[i])
