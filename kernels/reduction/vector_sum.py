from atlas_kernel import DeviceArray, f32, u32, get_global_id, atomic_add_f32


def vector_sum(a: DeviceArray[f32], result: DeviceArray[f32], n: u32):
    """Adds the sum of a to result[0], in a fixed order."""
    i = get_global_id()
    if i < n:
        atomic_add_f32(result, a[i])
