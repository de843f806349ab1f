from atlas_kernel import DeviceArray, f32, u32, get_global_id, sqrt


def vector_sqrt(a: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """c = the square root of a."""
    i = get_global_id()
    if i < n:
        c[i] = sqrt(a[i])
