"""Operators of PyTorch, Triton's tutorials and of language models, a thread a row or an element."""

import math

from atlas_kernel import *


def rope(q: DeviceArray[f32], cos_table: DeviceArray[f32], sin_table: DeviceArray[f32], out: DeviceArray[f32], seq: u32, heads: u32, dim: u32):
    """Rotary position embedding, halves rotated: q is [seq, heads, dim]."""
    half = dim // 2
    i = get_global_id()
    if i < seq * heads * half:
        d = i % half
        h = i // half % heads
        s = i // (half * heads)
        at = (s * heads + h) * dim + d
        c, sn = cos_table[s * half + d], sin_table[s * half + d]
        x1, x2 = q[at], q[at + half]
        out[at] = x1 * c - x2 * sn
        out[at + half] = x2 * c + x1 * sn


def rms_norm(x: DeviceArray[bf16], weight: DeviceArray[bf16], out: DeviceArray[bf16], eps: f32, rows: u32, n: u32):
    """RMS norm of rows in bf16, sums in f32."""
    row = get_global_id()
    if row < rows:
        total = 0.0
        for j in range(n):
            total += x[row * n + j] * x[row * n + j]
        scale = rsqrt(total / n + eps)
        for j in range(n):
            out[row * n + j] = x[row * n + j] * scale * weight[j]


def softmax_online(x: DeviceArray[f32], y: DeviceArray[f32], rows: u32, n: u32):
    """Online softmax: largest element and sum in one pass."""
    row = get_global_id()
    if row >= rows:
        return
    m = float("-inf")
    d = 0.0
    for j in range(n):
        v = x[row * n + j]
        m_new = max(m, v)
        d = d * exp(m - m_new) + exp(v - m_new)
        m = m_new
    for j in range(n):
        y[row * n + j] = exp(x[row * n + j] - m) / d


def softmax_group(x: DeviceArray[f32], y: DeviceArray[f32], n: u32):
    """Triton's fused softmax: a group a row, two trees in shared memory."""
    part = shared_array(f32, 32)
    row = get_group_id()
    lane = get_local_id()
    largest = -math.inf
    for j in range(lane, n, 32):
        largest = max(largest, x[row * n + j])
    part[lane] = largest
    barrier()
    step = 16
    while step > 0:
        if lane < step:
            part[lane] = max(part[lane], part[lane + step])
        barrier()
        step //= 2
    largest = part[0]
    barrier()
    total = 0.0
    for j in range(lane, n, 32):
        y[row * n + j] = exp(x[row * n + j] - largest)
        total += y[row * n + j]
    part[lane] = total
    barrier()
    step = 16
    while step > 0:
        if lane < step:
            part[lane] += part[lane + step]
        barrier()
        step //= 2
    for j in range(lane, n, 32):
        y[row * n + j] /= part[0]


def cross_entropy(logits: DeviceArray[f32], target: DeviceArray[i64], losses: DeviceArray[f32], ignore_index: i64, rows: u32, n: u32):
    """Cross entropy of rows by log-sum-exp."""
    row = get_global_id()
    if row >= rows:
        return
    label = target[row]
    if label == ignore_index:
        losses[row] = 0.0
        return
    largest = -math.inf
    for j in range(n):
        largest = max(largest, logits[row * n + j])
    total = 0.0
    for j in range(n):
        total += exp(logits[row * n + j] - largest)
    losses[row] = log(total) + largest - logits[row * n + label]


def layer_norm_backward(dy: DeviceArray[f32], x: DeviceArray[f32], w: DeviceArray[f32], mean: DeviceArray[f32], rstd: DeviceArray[f32], dx: DeviceArray[f32],
                        dw: DeviceArray[f32], db: DeviceArray[f32], rows: u32, n: u32):
    """Triton's layer norm, backward: dx of a row, dw and db summed over rows by atomics."""
    row = get_global_id()
    if row < rows:
        c1 = c2 = 0.0
        for j in range(n):
            xhat = (x[row * n + j] - mean[row]) * rstd[row]
            wdy = w[j] * dy[row * n + j]
            c1 += xhat * wdy
            c2 += wdy
        c1 /= n
        c2 /= n
        for j in range(n):
            xhat = (x[row * n + j] - mean[row]) * rstd[row]
            wdy = w[j] * dy[row * n + j]
            dx[row * n + j] = (wdy - (xhat * c1 + c2)) * rstd[row]
            atomic_add(dw, j, dy[row * n + j] * xhat)
            atomic_add(db, j, dy[row * n + j])


def quantize_int8(x: DeviceArray[f32], q: DeviceArray[i8], scales: DeviceArray[f32], rows: u32, n: u32):
    """Symmetric int8 of rows, by the largest magnitude."""
    row = get_global_id()
    if row < rows:
        amax = 0.0
        for j in range(n):
            amax = max(amax, abs(x[row * n + j]))
        scale = amax / 127.0 if amax > 0 else 1.0
        scales[row] = scale
        for j in range(n):
            q[row * n + j] = i8(max(-127.0, min(127.0, round(x[row * n + j] / scale))))


def dequantize_int4(packed: DeviceArray[u8], scales: DeviceArray[f16], zeros: DeviceArray[u8], out: DeviceArray[f16], group: u32, n: u32):
    """int4 in pairs, low nibble first, a scale and a zero point for each group of elements."""
    i = get_global_id()
    if i < n:
        nibble = (packed[i >> 1] >> ((i & 1) * 4)) & 0xF
        g = i // group
        out[i] = (i32(nibble) - zeros[g]) * scales[g]


def int8_matmul(a: DeviceArray[i8], b: DeviceArray[i8], sa: DeviceArray[f32], sb: DeviceArray[f32], c: DeviceArray[f32], m: u32, n: u32, k: u32):
    """Products of int8 summed in int32, scaled by row and column."""
    col, row = get_global_id(0), get_global_id(1)
    if row < m and col < n:
        acc = 0
        for p in range(k):
            acc += a[row * k + p] * b[p * n + col]
        c[row * n + col] = acc * sa[row] * sb[col]


def argmax_rows(x: DeviceArray[f32], index: DeviceArray[i64], rows: u32, n: u32):
    """argmax of rows: the first of the largest."""
    row = get_global_id()
    if row < rows:
        best = -math.inf
        where = 0
        for j in range(n):
            if x[row * n + j] > best:
                best = x[row * n + j]
                where = j
        index[row] = where


def argmax_key(x: DeviceArray[u32], key: DeviceArray[u64], n: u32):
    """argmax by one atomic: value and place packed into 64 bits."""
    i = get_global_id()
    if i < n:
        atomic_max(key, 0, (u64(x[i]) << 32) | (0xFFFFFFFF - u64(i)))


def embedding(weight: DeviceArray[f32], ids: DeviceArray[i32], out: DeviceArray[f32], tokens: u32, dim: u32):
    """Rows of a table by index."""
    d, t = get_global_id(0), get_global_id(1)
    if t < tokens and d < dim:
        out[t * dim + d] = weight[ids[t] * dim + d]


def embedding_backward(dout: DeviceArray[f32], ids: DeviceArray[i32], dweight: DeviceArray[f32], padding_idx: i32, tokens: u32, dim: u32):
    """The gradient of an embedding: rows added where they came from."""
    i = get_global_id()
    if i < tokens * dim:
        t = i // dim
        d = i % dim
        if ids[t] != padding_idx:
            atomic_add(dweight, ids[t] * dim + d, dout[i])


def adamw(p: DeviceArray[f32], g: DeviceArray[bf16], m: DeviceArray[f32], v: DeviceArray[f32], p16: DeviceArray[bf16], lr: f32, beta1: f32, beta2: f32, eps: f32, decay: f32,
          step: i32, n: u32):
    """AdamW with gradients and a copy of the parameters in bf16."""
    i = get_global_id()
    if i >= n:
        return
    grad = g[i]
    p[i] *= 1 - lr * decay
    m[i] = beta1 * m[i] + (1 - beta1) * grad
    v[i] = beta2 * v[i] + (1 - beta2) * grad * grad
    mhat = m[i] / (1 - beta1 ** step)
    vhat = v[i] / (1 - beta2 ** step)
    p[i] -= lr * mhat / (sqrt(vhat) + eps)
    p16[i] = p[i]


def swiglu(gate_up: DeviceArray[bf16], out: DeviceArray[bf16], rows: u32, n: u32):
    """SwiGLU: silu(gate) * up, both in one array."""
    j, row = get_global_id(0), get_global_id(1)
    if row < rows and j < n:
        gate = gate_up[row * 2 * n + j]
        up = gate_up[row * 2 * n + n + j]
        out[row * n + j] = gate / (1.0 + exp(-gate)) * up


def gelu_tanh(x: DeviceArray[f16], y: DeviceArray[f16], n: u32):
    """GELU, the form with tanh, in f16."""
    i = get_global_id()
    if i < n:
        v = f32(x[i])
        y[i] = 0.5 * v * (1 + tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ** 3)))


@inline
def mulhi(a, b):
    return u32((u64(a) * u64(b)) >> 32)


@inline
def philox(seed, counter):
    c0, c1, c2, c3 = u32(counter), u32(0), u32(0), u32(0)
    k0, k1 = u32(seed), u32(seed >> 32)
    for _ in range(10):
        hi0, lo0 = mulhi(u32(0xD2511F53), c0), c0 * 0xD2511F53
        hi1, lo1 = mulhi(u32(0xCD9E8D57), c2), c2 * 0xCD9E8D57
        c0, c1, c2, c3 = hi1 ^ c1 ^ k0, lo1, hi0 ^ c3 ^ k1, lo0
        k0 += 0x9E3779B9
        k1 += 0xBB67AE85
    return c0


def dropout_seeded(x: DeviceArray[f32], out: DeviceArray[f32], p: f32, seed: u64, n: u32):
    """Triton's low-memory dropout: Philox 4x32-10 by the element's number."""
    i = get_global_id()
    if i < n:
        random = (philox(seed, u64(i)) >> 8) * (1.0 / 16777216)
        out[i] = x[i] / (1 - p) if random > p else 0.0


def attention_row(q: DeviceArray[f32], k: DeviceArray[f32], v: DeviceArray[f32], out: DeviceArray[f32], scale: f32, queries: u32, keys: u32, dim: u32):
    """Causal attention of one head with an online softmax; the accumulator is the output row."""
    i = get_global_id()
    if i >= queries:
        return
    m = -math.inf
    l = 0.0
    for d in range(dim):
        out[i * dim + d] = 0
    for j in range(min(i + 1, keys)):
        s = 0.0
        for d in range(dim):
            s += q[i * dim + d] * k[j * dim + d]
        s *= scale
        m_new = max(m, s)
        alpha = exp(m - m_new)
        p = exp(s - m_new)
        l = l * alpha + p
        for d in range(dim):
            out[i * dim + d] = out[i * dim + d] * alpha + p * v[j * dim + d]
        m = m_new
    for d in range(dim):
        out[i * dim + d] /= l


def paged_gather(cache: DeviceArray[f16], block_table: DeviceArray[i32], out: DeviceArray[f16], block_size: u32, dim: u32, length: u32):
    """Keys of a sequence out of a paged cache."""
    i = get_global_id()
    if i < length * dim:
        t = i // dim
        d = i % dim
        out[i] = cache[(block_table[t // block_size] * block_size + t % block_size) * dim + d]


def max_pool_indices(x: DeviceArray[f32], y: DeviceArray[f32], indices: DeviceArray[i64], planes: i32, H: i32, W: i32, k: i32, stride: i32, pad: i32, Ho: i32, Wo: i32):
    """max_pool2d with indices, padding and stride."""
    w, h, c = get_global_id(0), get_global_id(1), get_global_id(2)
    if w >= Wo or h >= Ho or c >= planes:
        return
    best = -math.inf
    where = 0
    for i in range(max(h * stride - pad, 0), min(h * stride - pad + k, H)):
        for j in range(max(w * stride - pad, 0), min(w * stride - pad + k, W)):
            value = x[(c * H + i) * W + j]
            if value > best or isnan(value):
                best = value
                where = i * W + j
    y[(c * Ho + h) * Wo + w] = best
    indices[(c * Ho + h) * Wo + w] = where


def upsample_bilinear(x: DeviceArray[f32], y: DeviceArray[f32], h: i32, w: i32, H: i32, W: i32):
    """Bilinear interpolation, align_corners=False."""
    X, Y = get_global_id(0), get_global_id(1)
    if X < W and Y < H:
        sy = max((Y + 0.5) * h / H - 0.5, 0)
        sx = max((X + 0.5) * w / W - 0.5, 0)
        y0, x0 = int(sy), int(sx)
        y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
        fy, fx = sy - y0, sx - x0
        top = x[y0 * w + x0] * (1 - fx) + x[y0 * w + x1] * fx
        bottom = x[y1 * w + x0] * (1 - fx) + x[y1 * w + x1] * fx
        y[Y * W + X] = top * (1 - fy) + bottom * fy


def nms_mask(boxes: DeviceArray[f32], mask: DeviceArray[u64], threshold: f32, n: u32, words: u32):
    """torchvision's nms: bit j of row i says that box j overlaps box i too much."""
    word, i = get_global_id(0), get_global_id(1)
    if i < n and word < words:
        bits: u64 = 0
        for b in range(64):
            j = word * 64 + b
            if i < j < n:
                left, right = max(boxes[4 * i], boxes[4 * j]), min(boxes[4 * i + 2], boxes[4 * j + 2])
                top, bottom = max(boxes[4 * i + 1], boxes[4 * j + 1]), min(boxes[4 * i + 3], boxes[4 * j + 3])
                inter = max(right - left, 0) * max(bottom - top, 0)
                area_i = (boxes[4 * i + 2] - boxes[4 * i]) * (boxes[4 * i + 3] - boxes[4 * i + 1])
                area_j = (boxes[4 * j + 2] - boxes[4 * j]) * (boxes[4 * j + 3] - boxes[4 * j + 1])
                if inter / (area_i + area_j - inter) > threshold:
                    bits |= 1 << b
        mask[i * words + word] = bits


def bucketize(values: DeviceArray[f32], boundaries: DeviceArray[f32], out: DeviceArray[i64], n: u32, count: u32):
    """torch.bucketize(right=False): a binary search for each value."""
    i = get_global_id()
    if i < n:
        lo, hi = 0, count
        while lo < hi:
            mid = (lo + hi) // 2
            if boundaries[mid] < values[i]:
                lo = mid + 1
            else:
                hi = mid
        out[i] = lo


def cumsum_rows(x: DeviceArray[f32], y: DeviceArray[f64], rows: u32, n: u32):
    """Sums along rows, in f64."""
    row = get_global_id()
    if row < rows:
        total: f64 = 0
        for j in range(n):
            total += x[row * n + j]
            y[row * n + j] = total


def segment_sum(x: DeviceArray[i32], offsets: DeviceArray[u32], out: DeviceArray[i64], segments: u32):
    """Sums of ragged segments."""
    s = get_global_id()
    if s < segments:
        total = i64(0)
        for j in range(offsets[s], offsets[s + 1]):
            total += x[j]
        out[s] = total
