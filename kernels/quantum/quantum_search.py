from atlas_kernel import DeviceArray, f32, u32, get_global_id, atomic_add


def quantum_search(
        data: DeviceArray[f32], target: f32, results: DeviceArray[f32], total_results: DeviceArray[u32], n: u32,
        max_iterations: u32):
    """Looks for target among the first max_iterations of n elements: results is 1 where it is and 0 elsewhere, and
    how often it was found is added to total_results[0].
    """
    i = get_global_id()
    if i < n:
        found = i < max_iterations and data[i] == target
        results[i] = f32(found)
        atomic_add(total_results, 0, u32(found))
