"""Kernels of language and speech models, ciphers and sorts: more state in a thread, helpers in helpers, groups that work on rows."""

import math

from atlas_kernel import *

NEG_INF = -1e30
K = 4


def flash_attention(q: DeviceArray[f16], k: DeviceArray[f16], v: DeviceArray[f16], out: DeviceArray[f16], scale: f32, keys: u32):
    """FlashAttention: a group of 8 x 8 threads has 8 queries of 8 features; keys come by tiles, the softmax is online."""
    k_tile = shared_array(f32, 8 * 8)
    v_tile = shared_array(f32, 8 * 8)
    p_tile = shared_array(f32, 8 * 8)
    tx, ty = get_local_id(0), get_local_id(1)
    row = get_group_id(1) * 8 + ty
    m, l, acc = NEG_INF, 0.0, 0.0
    for start in range(0, keys, 8):
        inside = start + ty < keys
        k_tile[ty * 8 + tx] = k[(start + ty) * 8 + tx] if inside else 0.0
        v_tile[ty * 8 + tx] = v[(start + ty) * 8 + tx] if inside else 0.0
        barrier()
        s = 0.0
        for d in range(8):
            s += q[row * 8 + d] * k_tile[tx * 8 + d]
        p_tile[ty * 8 + tx] = s * scale if start + tx < keys else NEG_INF
        barrier()
        m_new = m
        for j in range(8):
            m_new = max(m_new, p_tile[ty * 8 + j])
        alpha = exp(m - m_new)
        l *= alpha
        acc *= alpha
        for j in range(8):
            p = exp(p_tile[ty * 8 + j] - m_new)
            l += p
            acc += p * v_tile[j * 8 + tx]
        m = m_new
        barrier()
    out[row * 8 + tx] = acc / l


def welford_rows(x: DeviceArray[f32], mean_out: DeviceArray[f32], var_out: DeviceArray[f32], n: u32):
    """Welford's mean and variance of a row by a group, parts merged as Chan does."""
    means = shared_array(f32, 32)
    m2s = shared_array(f32, 32)
    counts = shared_array(i32, 32)
    row, lane = get_group_id(), get_local_id()
    mean = m2 = 0.0
    count = 0
    for j in range(lane, n, 32):
        count += 1
        delta = x[row * n + j] - mean
        mean += delta / count
        m2 += delta * (x[row * n + j] - mean)
    means[lane], m2s[lane], counts[lane] = mean, m2, count
    barrier()
    for power in range(4, -1, -1):
        half = 1 << power
        if lane < half:
            a, b = counts[lane], counts[lane + half]
            if a + b > 0:
                delta = means[lane + half] - means[lane]
                means[lane] += delta * b / (a + b)
                m2s[lane] += m2s[lane + half] + delta * delta * a * b / (a + b)
                counts[lane] = a + b
        barrier()
    if lane == 0:
        mean_out[row] = means[0]
        var_out[row] = m2s[0] / n


def top_k_gating(logits: DeviceArray[f32], weights: DeviceArray[f32], experts: DeviceArray[i32], slots: DeviceArray[i32], loads: DeviceArray[i32], tokens: u32, n: u32):
    """A mixture of experts: the K best of each token by insertion, their softmax, and a place in each expert's queue."""
    t = get_global_id()
    if t >= tokens:
        return
    for j in range(K):
        weights[t * K + j] = -math.inf
        experts[t * K + j] = -1
    for e in range(n):
        value = logits[t * n + e]
        if value > weights[t * K + K - 1]:
            at = K - 1
            while at > 0 and weights[t * K + at - 1] < value:
                weights[t * K + at], experts[t * K + at] = weights[t * K + at - 1], experts[t * K + at - 1]
                at -= 1
            weights[t * K + at], experts[t * K + at] = value, e
    total = 0.0
    largest = weights[t * K]
    for j in range(K):
        weights[t * K + j] = exp(weights[t * K + j] - largest)
        total += weights[t * K + j]
    for j in range(K):
        weights[t * K + j] /= total
        slots[t * K + j] = atomic_add(loads, experts[t * K + j], 1)


def selective_scan(u: DeviceArray[f32], delta: DeviceArray[f32], A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], y: DeviceArray[f32], state: DeviceArray[f32],
                   length: i32, channels: i32, n: i32):
    """Mamba's selective scan, a channel a thread; softplus of the steps."""
    c = get_global_id()
    if c >= channels:
        return
    for s in range(n):
        state[c * n + s] = 0.0
    for t in range(length):
        raw = delta[t * channels + c]
        dt = raw if raw > 20 else log1p(exp(raw))
        total = 0.0
        for s in range(n):
            state[c * n + s] = exp(dt * A[c * n + s]) * state[c * n + s] + dt * B[t * n + s] * u[t * channels + c]
            total += state[c * n + s] * C[t * n + s]
        y[t * channels + c] = total


def lstm_cell(gates: DeviceArray[f32], c: DeviceArray[f32], h: DeviceArray[f32], batch: u32, hidden: u32):
    """LSTM: the four gates of a cell, after the products."""
    j, b = get_global_id(0), get_global_id(1)
    if b < batch and j < hidden:
        base = b * 4 * hidden + j
        i, f, g, o = sigmoid(gates[base]), sigmoid(gates[base + hidden]), tanh(gates[base + 2 * hidden]), sigmoid(gates[base + 3 * hidden])
        at = b * hidden + j
        c[at] = f * c[at] + i * g
        h[at] = o * tanh(c[at])


@inline
def log_add(a, b):
    if a <= NEG_INF:
        return b
    if b <= NEG_INF:
        return a
    return max(a, b) + log1p(exp(-abs(a - b)))


def ctc_alpha(log_probs: DeviceArray[f64], labels: DeviceArray[i32], alpha: DeviceArray[f64], loss: DeviceArray[f64], T: i32, S: i32, classes: i32):
    """CTC's forward variables of one text, blank is 0; alpha has two rows in turn."""
    width = 2 * S + 1
    for s in range(2 * width):
        alpha[s] = NEG_INF
    alpha[0] = log_probs[0]
    if S > 0:
        alpha[1] = log_probs[labels[0]]
    for t in range(1, T):
        now, before = t % 2 * width, (t - 1) % 2 * width
        for s in range(width):
            label = labels[s // 2] if s % 2 else 0
            total = alpha[before + s]
            if s >= 1:
                total = log_add(total, alpha[before + s - 1])
            if s >= 2 and s % 2 and label != labels[s // 2 - 1]:
                total = log_add(total, alpha[before + s - 2])
            alpha[now + s] = total + log_probs[t * classes + label]
    last = (T - 1) % 2 * width
    loss[0] = -(log_add(alpha[last + width - 1], alpha[last + width - 2]) if S > 0 else alpha[last])


def im2col(image: DeviceArray[f32], columns: DeviceArray[f32], channels: i32, H: i32, W: i32, k: i32, pad: i32, stride: i32, dilation: i32, Ho: i32, Wo: i32):
    """Caffe's im2col."""
    index = get_global_id()
    if index < channels * Ho * Wo:
        w_out = index % Wo
        h_index = index // Wo
        h_out = h_index % Ho
        channel = h_index // Ho
        for i in range(k):
            for j in range(k):
                h = h_out * stride - pad + i * dilation
                w = w_out * stride - pad + j * dilation
                to = ((channel * k * k + i * k + j) * Ho + h_out) * Wo + w_out
                columns[to] = image[(channel * H + h) * W + w] if h >= 0 and w >= 0 and h < H and w < W else 0


@inline
def within(x, y, W, H):
    return 0 <= x < W and 0 <= y < H


def grid_sample(image: DeviceArray[f32], grid: DeviceArray[f32], out: DeviceArray[f32], H: i32, W: i32, n: u32):
    """grid_sample: bilinear, zeros outside, align_corners=False."""
    i = get_global_id()
    if i < n:
        x = ((grid[2 * i] + 1) * W - 1) / 2
        y = ((grid[2 * i + 1] + 1) * H - 1) / 2
        x0, y0 = i32(floor(x)), i32(floor(y))
        wx, wy = x - x0, y - y0
        total = 0.0
        for corner in range(4):
            cx, cy = x0 + corner % 2, y0 + corner // 2
            weight = (wx if corner % 2 else 1 - wx) * (wy if corner // 2 else 1 - wy)
            if within(cx, cy, W, H):
                total += weight * image[cy * W + cx]
        out[i] = total


def int4_gemv(packed: DeviceArray[u32], scales: DeviceArray[f16], x: DeviceArray[f16], y: DeviceArray[f32], rows: u32, n: u32, group_size: u32):
    """A quantised linear layer: eight signed nibbles a word, a scale a group; a row a group of threads."""
    part = shared_array(f32, 32)
    row, lane = get_group_id(), get_local_id()
    total = 0.0
    for word in range(lane, n // 8, 32):
        bits = packed[row * (n // 8) + word]
        scale = scales[row * (n // group_size) + word * 8 // group_size]
        for b in range(8):
            nibble = i32(bits >> (4 * b) & 0xF)
            total += (nibble - 16 if nibble > 7 else nibble) * scale * x[word * 8 + b]
    part[lane] = total
    barrier()
    step = 16
    while step:
        if lane < step:
            part[lane] += part[lane + step]
        barrier()
        step >>= 1
    if lane == 0:
        y[row] = part[0]


def odd_even_sort(x: DeviceArray[f64], n: u32):
    """Odd-even transposition sort of rows of up to 64 in shared memory, NaNs last."""
    s = shared_array(f64, 64)
    row, t = get_group_id(), get_local_id()
    if t < n:
        s[t] = x[row * n + t]
    barrier()
    for phase in range(n):
        left = 2 * t + phase % 2
        if left + 1 < n:
            a, b = s[left], s[left + 1]
            if a > b or (isnan(a) and not isnan(b)):
                s[left], s[left + 1] = b, a
        barrier()
    if t < n:
        x[row * n + t] = s[t]


@device
def rotr(x, n):
    return (x >> n) | (x << (32 - n))


@device
def big_sigma(x, a, b, c):
    return rotr(x, a) ^ rotr(x, b) ^ rotr(x, c)


@device
def small_sigma(x, a, b, c):
    return rotr(x, a) ^ rotr(x, b) ^ (x >> c)


def sha256_blocks(message: DeviceArray[u32], k: DeviceArray[u32], w: DeviceArray[u32], digest: DeviceArray[u32], blocks: u32, n: u32):
    """SHA-256 of padded messages of big-endian words; digest holds the first state, w is room for the schedule."""
    i = get_global_id()
    if i >= n:
        return
    for block in range(blocks):
        for t in range(16):
            w[i * 64 + t] = message[(i * blocks + block) * 16 + t]
        for t in range(16, 64):
            w[i * 64 + t] = small_sigma(w[i * 64 + t - 2], 17, 19, 10) + w[i * 64 + t - 7] + small_sigma(w[i * 64 + t - 15], 7, 18, 3) + w[i * 64 + t - 16]
        a, b, c, d = digest[8 * i], digest[8 * i + 1], digest[8 * i + 2], digest[8 * i + 3]
        e, f, g, h = digest[8 * i + 4], digest[8 * i + 5], digest[8 * i + 6], digest[8 * i + 7]
        for t in range(64):
            t1 = h + big_sigma(e, 6, 11, 25) + ((e & f) ^ (~e & g)) + k[t] + w[i * 64 + t]
            t2 = big_sigma(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c))
            h, g, f, e, d, c, b, a = g, f, e, d + t1, c, b, a, t1 + t2
        digest[8 * i] += a
        digest[8 * i + 1] += b
        digest[8 * i + 2] += c
        digest[8 * i + 3] += d
        digest[8 * i + 4] += e
        digest[8 * i + 5] += f
        digest[8 * i + 6] += g
        digest[8 * i + 7] += h


@device
def quarter_round(s, base, a, b, c, d):
    s[base + a] += s[base + b]
    s[base + d] = rotr(s[base + d] ^ s[base + a], 16)
    s[base + c] += s[base + d]
    s[base + b] = rotr(s[base + b] ^ s[base + c], 20)
    s[base + a] += s[base + b]
    s[base + d] = rotr(s[base + d] ^ s[base + a], 24)
    s[base + c] += s[base + d]
    s[base + b] = rotr(s[base + b] ^ s[base + c], 25)


def chacha20_blocks(key: DeviceArray[u32], nonce: DeviceArray[u32], counter: u32, out: DeviceArray[u32], work: DeviceArray[u32], n: u32):
    """ChaCha20 (RFC 8439): block i of the key stream."""
    i = get_global_id()
    if i >= n:
        return
    base = 16 * i
    work[base], work[base + 1], work[base + 2], work[base + 3] = 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574
    for j in range(8):
        work[base + 4 + j] = key[j]
    work[base + 12] = counter + u32(i)
    for j in range(3):
        work[base + 13 + j] = nonce[j]
    for j in range(16):
        out[base + j] = work[base + j]
    for _ in range(10):
        for j in range(4):
            quarter_round(work, base, j, 4 + j, 8 + j, 12 + j)
        for j in range(4):
            quarter_round(work, base, j, 4 + (j + 1) % 4, 8 + (j + 2) % 4, 12 + (j + 3) % 4)
    for j in range(16):
        out[base + j] += work[base + j]


def base64_encode(data: DeviceArray[u8], alphabet: DeviceArray[u8], text: DeviceArray[u8], n: i32):
    """Three bytes become four letters, with = at the end."""
    i = get_global_id()
    if i < (n + 2) // 3:
        bits = i32(data[3 * i]) << 16
        if 3 * i + 1 < n:
            bits |= data[3 * i + 1] << 8
        if 3 * i + 2 < n:
            bits |= data[3 * i + 2]
        for j in range(4):
            text[4 * i + j] = alphabet[bits >> (18 - 6 * j) & 63] if 3 * i + j <= n else 61


def viterbi(log_start: DeviceArray[f32], log_step: DeviceArray[f32], log_emit: DeviceArray[f32], seen: DeviceArray[i32], score: DeviceArray[f32], back: DeviceArray[i32], path: DeviceArray[i32],
            T: i32, states: i32, symbols: i32):
    """Viterbi's most likely path: threads of a group are states, a barrier a step, one thread walks back."""
    s = get_local_id()
    if s < states:
        score[s] = log_start[s] + log_emit[s * symbols + seen[0]]
    barrier()
    for t in range(1, T):
        if s < states:
            best, where = -math.inf, 0
            for r in range(states):
                candidate = score[(t - 1) * states + r] + log_step[r * states + s]
                if candidate > best:
                    best, where = candidate, r
            score[t * states + s] = best + log_emit[s * symbols + seen[t]]
            back[t * states + s] = where
        barrier()
    if s == 0:
        last = 0
        for r in range(states):
            if score[(T - 1) * states + r] > score[(T - 1) * states + last]:
                last = r
        for t in range(T - 1, -1, -1):
            path[t] = last
            last = back[t * states + last]
