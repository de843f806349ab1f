from atlas_kernel import DeviceArray, f32, u32, get_global_id, sqrt


def onnx_attention_scores(
        Q: DeviceArray[f32], K: DeviceArray[f32], Scores: DeviceArray[f32], seq_len: u32, d_model: u32):
    """Scores [seq_len, seq_len] = Q K^T / sqrt(d_model), for Q and K [seq_len, d_model]. One thread is one score."""
    i = get_global_id()
    if i < seq_len * seq_len:
        query = i // seq_len
        key = i % seq_len
        total = 0.0
        for d in range(d_model):
            total += Q[query * d_model + d] * K[key * d_model + d]
        Scores[i] = total / sqrt(f32(d_model))
