from atlas_kernel import DeviceArray, f32, u32, get_global_id, inline


@inline
def double_well(x):
    height = x * x - 1.0
    return height * height


def minimize_energy(
        state: DeviceArray[f32], energy: DeviceArray[f32], best_state: DeviceArray[f32], temperature: f32, n: u32,
        max_iterations: u32):
    """Annealing by threshold acceptance, for each of n states by itself: the energy of x is (x^2 - 1)^2. In each of
    max_iterations steps the state tries a move of at most 0.25, the same in every run, and takes it when the energy rises
    by less than the temperature, which falls in equal steps to 0. state becomes the last, best_state the best one, energy
    the energy of that. One thread is one state.
    """
    i = get_global_id()
    if i < n:
        x = state[i]
        now = double_well(x)
        best = x
        least = now
        for k in range(max_iterations):
            bits = u32(i) * 2654435761 + u32(k) * 2246822519 + 374761393
            bits = (bits ^ (bits >> 15)) * 3266489917
            bits = bits ^ (bits >> 13)
            move = (f32(bits >> 8) * 0.000000059604644775390625 - 0.5) * 0.5
            threshold = temperature * f32(max_iterations - k) / f32(max_iterations)
            there = double_well(x + move)
            if there - now < threshold:
                x = x + move
                now = there
            if now < least:
                best = x
                least = now
        state[i] = x
        best_state[i] = best
        energy[i] = least
