from atlas_kernel import DeviceArray, f32, u32, get_global_id, rsqrt


def vector_rsqrt(a: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """c = 1 / sqrt(a)."""
    i = get_global_id()
    if i < n:
        c[i] = rsqrt(a[i])
