from atlas_kernel import DeviceArray, f32, u32, get_global_id, atomic_add


def constraint_solve(
        variables: DeviceArray[f32], constraints: DeviceArray[f32], violation_count: DeviceArray[u32],
        is_satisfied: DeviceArray[u32], n: u32, m: u32, max_iterations: u32):
    """Whether n variables satisfy m constraints: row c of constraints [m, n + 1] says that the sum of its first n
    elements times the variables is at most its last. is_satisfied[c] is 1 or 0, and how many are violated is added
    to violation_count[0]. Constraints from max_iterations on are not looked at and count as satisfied. One thread
    is one constraint.
    """
    c = get_global_id()
    if c < m:
        satisfied = True
        if c < max_iterations:
            first = c * (n + 1)
            total = 0.0
            for j in range(n):
                total += constraints[first + j] * variables[j]
            satisfied = total <= constraints[first + n]
        is_satisfied[c] = u32(satisfied)
        atomic_add(violation_count, 0, u32(not satisfied))
