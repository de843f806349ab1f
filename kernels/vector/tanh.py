from atlas_kernel import DeviceArray, f32, u32, get_global_id, tanhf


def tanh(a: DeviceArray[f32], c: DeviceArray[f32], n: u32):
    """c = the hyperbolic tangent of a."""
    i = get_global_id()
    if i < n:
        c[i] = tanhf(a[i])
