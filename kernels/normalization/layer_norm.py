from atlas_kernel import DeviceArray, f32, u32, get_global_id, sqrt


def layer_norm(
        input: DeviceArray[f32], gamma: DeviceArray[f32], beta: DeviceArray[f32], output: DeviceArray[f32],
        num_positions: u32, hidden_dim: u32, eps: f32):
    """Each row of input [num_positions, hidden_dim] less its mean, over the root of its variance plus eps, times
    gamma, plus beta. One thread is one row.
    """
    row = get_global_id()
    if row < num_positions:
        first = row * hidden_dim
        total = 0.0
        for i in range(hidden_dim):
            total += input[first + i]
        mean = total / hidden_dim
        squares = 0.0
        for i in range(hidden_dim):
            distance = input[first + i] - mean
            squares += distance * distance
        scale_of_row = 1.0 / sqrt(squares / hidden_dim + eps)
        for i in range(hidden_dim):
            output[first + i] = (input[first + i] - mean) * scale_of_row * gamma[i] + beta[i]
