from atlas_kernel import DeviceArray, f32, u32, get_global_id, pow


def vector_pow(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """c = a to the power of b."""
    i = get_global_id()
    if i < n:
        c[i] = pow(a[i], b[i])
