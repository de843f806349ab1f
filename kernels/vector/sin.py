from atlas_kernel import DeviceArray, f32, u32, get_global_id, sinf


def sin(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    """b = the sine of a, in radians."""
    i = get_global_id()
    if i < n:
        b[i] = sinf(a[i])
