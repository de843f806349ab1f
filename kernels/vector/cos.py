from atlas_kernel import DeviceArray, f32, u32, get_global_id, cosf


def cos(a: DeviceArray[f32], b: DeviceArray[f32], n: u32):
    """b = the cosine of a, in radians."""
    i = get_global_id()
    if i < n:
        b[i] = cosf(a[i])
