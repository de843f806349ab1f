from atlas_kernel import DeviceArray, f32, u32, get_global_id


def vector_min(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """c = the smaller of a and b, a NaN when one is."""
    i = get_global_id()
    if i < n:
        c[i] = min(a[i], b[i])
