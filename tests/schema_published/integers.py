"""Published integer algorithms: hashes, generators, bits, graphs, strings; atomics of all kinds."""

from atlas_kernel import *


@inline
def fmix32(h):
    h ^= h >> 16
    h *= 0x85ebca6b
    h ^= h >> 13
    h *= 0xc2b2ae35
    h ^= h >> 16
    return h


def murmur3_32(data: DeviceArray[u32], lengths: DeviceArray[u32], width: u32, seed: u32, out: DeviceArray[u32], n: u32):
    """MurmurHash3 x86_32 of keys of whole words."""
    i = get_global_id()
    if i < n:
        h = seed
        for j in range(lengths[i]):
            k = data[i * width + j]
            k *= 0xcc9e2d51
            k = (k << 15) | (k >> 17)
            k *= 0x1b873593
            h ^= k
            h = (h << 13) | (h >> 19)
            h = h * 5 + 0xe6546b64
        h ^= lengths[i] * 4
        out[i] = fmix32(h)


def splitmix64(out: DeviceArray[u64], seed: u64, n: u32):
    """SplitMix64: number i of the stream."""
    i = get_global_id()
    if i < n:
        z = seed + (u64(i) + 1) * 0x9E3779B97F4A7C15
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB
        out[i] = z ^ (z >> 31)


def pcg32(state: DeviceArray[u64], inc: DeviceArray[u64], out: DeviceArray[u32], draws: u32, n: u32):
    """PCG XSH-RR 64/32: `draws` numbers of each of n generators."""
    i = get_global_id()
    if i < n:
        for j in range(draws):
            old = state[i]
            state[i] = old * 6364136223846793005 + (inc[i] | 1)
            xorshifted = u32(((old >> 18) ^ old) >> 27)
            rot = u32(old >> 59)
            out[i * draws + j] = (xorshifted >> rot) | (xorshifted << (-rot & 31))


def popcount_words(x: DeviceArray[u32], out: DeviceArray[u8], n: u32):
    """Hacker's Delight: bits that are set."""
    i = get_global_id()
    if i < n:
        v = x[i]
        v = v - ((v >> 1) & 0x55555555)
        v = (v & 0x33333333) + ((v >> 2) & 0x33333333)
        out[i] = (((v + (v >> 4)) & 0x0F0F0F0F) * 0x01010101) >> 24


def reverse_bits(x: DeviceArray[u32], out: DeviceArray[u32], n: u32):
    """Hacker's Delight: bits in reverse."""
    i = get_global_id()
    if i < n:
        v = x[i]
        v = ((v >> 1) & 0x55555555) | ((v & 0x55555555) << 1)
        v = ((v >> 2) & 0x33333333) | ((v & 0x33333333) << 2)
        v = ((v >> 4) & 0x0F0F0F0F) | ((v & 0x0F0F0F0F) << 4)
        v = ((v >> 8) & 0x00FF00FF) | ((v & 0x00FF00FF) << 8)
        out[i] = (v >> 16) | (v << 16)


@inline
def expand_bits(v):
    v = (v * 0x00010001) & 0xFF0000FF
    v = (v * 0x00000101) & 0x0F00F00F
    v = (v * 0x00000011) & 0xC30C30C3
    v = (v * 0x00000005) & 0x49249249
    return v


def morton3d(x: DeviceArray[f32], y: DeviceArray[f32], z: DeviceArray[f32], code: DeviceArray[u32], n: u32):
    """Karras' 30-bit Morton code of points of the unit cube."""
    i = get_global_id()
    if i < n:
        xx = expand_bits(u32(min(max(x[i] * 1024.0, 0.0), 1023.0)))
        yy = expand_bits(u32(min(max(y[i] * 1024.0, 0.0), 1023.0)))
        zz = expand_bits(u32(min(max(z[i] * 1024.0, 0.0), 1023.0)))
        code[i] = xx * 4 + yy * 2 + zz


def crc32(data: DeviceArray[u8], offsets: DeviceArray[u32], out: DeviceArray[u32], n: u32):
    """CRC-32 of many texts, bit by bit."""
    i = get_global_id()
    if i >= n:
        return
    crc = u32(0xFFFFFFFF)
    for j in range(offsets[i], offsets[i + 1]):
        crc ^= data[j]
        for k in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 & -(crc & 1))
    out[i] = ~crc


def collatz(start: DeviceArray[u64], steps: DeviceArray[u32], n: u32):
    """The Collatz sequence's length."""
    i = get_global_id()
    if i < n:
        v = start[i]
        count = 0
        while v != 1:
            v = 3 * v + 1 if v & 1 else v >> 1
            count += 1
        steps[i] = count


def gcd_pairs(a: DeviceArray[i64], b: DeviceArray[i64], out: DeviceArray[i64], n: u32):
    """Euclid."""
    i = get_global_id()
    if i < n:
        x, y = abs(a[i]), abs(b[i])
        while y:
            x, y = y, x % y
        out[i] = x


def mod_pow(base: DeviceArray[u64], exponent: DeviceArray[u64], modulus: u64, out: DeviceArray[u64], n: u32):
    """Square and multiply, a modulus below 2^32."""
    i = get_global_id()
    if i < n:
        result: u64 = 1
        b = base[i] % modulus
        e = exponent[i]
        while e > 0:
            if e & 1:
                result = result * b % modulus
            b = b * b % modulus
            e >>= 1
        out[i] = result % modulus


def sieve(composite: DeviceArray[bool], n: u32):
    """Eratosthenes."""
    i = 2
    while i * i < n:
        if not composite[i]:
            for j in range(i * i, n, i):
                composite[j] = True
        i += 1


def levenshtein(a: DeviceArray[u8], b: DeviceArray[u8], row: DeviceArray[i32], out: DeviceArray[i32], m: i32, n: i32):
    """Edit distance with one row."""
    for j in range(n + 1):
        row[j] = j
    for i in range(1, m + 1):
        previous = row[0]
        row[0] = i
        for j in range(1, n + 1):
            old = row[j]
            cost = 0 if a[i - 1] == b[j - 1] else 1
            row[j] = min(old + 1, row[j - 1] + 1, previous + cost)
            previous = old
    out[0] = row[n]



def hex_encode(data: DeviceArray[u8], text: DeviceArray[u8], n: u32):
    """Two hexadecimal digits a byte."""
    i = get_global_id()
    if i < n:
        high, low = data[i] >> 4, data[i] & 15
        text[2 * i] = high + (48 if high < 10 else 87)
        text[2 * i + 1] = low + (48 if low < 10 else 87)


def utf8_count(data: DeviceArray[u8], count: DeviceArray[u32], n: u32):
    """Characters of UTF-8: bytes that continue none."""
    i = get_global_id()
    if i < n:
        if (data[i] & 0xC0) != 0x80:
            atomic_add(count, 0, 1)


def bfs_frontier(row: DeviceArray[u32], col: DeviceArray[i32], level: DeviceArray[i32], frontier: DeviceArray[i32], next: DeviceArray[i32], next_count: DeviceArray[u32], depth: i32,
                 count: u32):
    """Breadth-first search, one level: who is first to claim a vertex puts it in the queue."""
    i = get_global_id()
    if i < count:
        v = frontier[i]
        for e in range(row[v], row[v + 1]):
            u = col[e]
            if atomic_cas(level, u, -1, depth + 1) == -1:
                at = atomic_add(next_count, 0, 1)
                next[at] = u


def label_propagation(source: DeviceArray[i32], target: DeviceArray[i32], label: DeviceArray[i32], changed: DeviceArray[i32], edges: u32):
    """Connected components, one round: the least label goes along edges."""
    e = get_global_id()
    if e < edges:
        a, b = label[source[e]], label[target[e]]
        if a < b:
            atomic_min(label, target[e], a)
            atomic_exch(changed, 0, 1)
        elif b < a:
            atomic_min(label, source[e], b)
            atomic_exch(changed, 0, 1)


def hash_insert(keys: DeviceArray[u32], table: DeviceArray[u32], counts: DeviceArray[u32], mask: u32, n: u32):
    """A hash table with open addressing: a slot is claimed by compare and swap."""
    i = get_global_id()
    if i < n:
        key = keys[i]
        slot = fmix32(key) & mask
        while True:
            previous = atomic_cas(table, slot, 0xFFFFFFFF, key)
            if previous == 0xFFFFFFFF or previous == key:
                break
            slot = (slot + 1) & mask
        atomic_add(counts, slot, 1)


def bellman_ford_round(source: DeviceArray[u32], target: DeviceArray[u32], weight: DeviceArray[f32], distance: DeviceArray[f32], before: DeviceArray[f32], edges: u32):
    """Shortest paths, one round of relaxed edges."""
    e = get_global_id()
    if e < edges:
        atomic_min(distance, target[e], before[source[e]] + weight[e])


def k_means_assign(x: DeviceArray[f32], centroids: DeviceArray[f32], sums: DeviceArray[f64], counts: DeviceArray[i32], nearest: DeviceArray[i32], k: u32, dim: u32, n: u32):
    """k-means, one step: the nearest centroid, and the sums for the next ones."""
    i = get_global_id()
    if i < n:
        best = 3.0e38
        where = 0
        for c in range(k):
            d2 = 0.0
            for d in range(dim):
                diff = x[i * dim + d] - centroids[c * dim + d]
                d2 += diff * diff
            if d2 < best:
                best = d2
                where = c
        nearest[i] = where
        atomic_add(counts, where, 1)
        for d in range(dim):
            atomic_add(sums, where * dim + d, x[i * dim + d])


def radix_count(keys: DeviceArray[u32], counts: DeviceArray[u32], shift: u32, n: u32):
    """Radix sort: counts of a digit of 4 bits."""
    i = get_global_id()
    if i < n:
        atomic_add(counts, (keys[i] >> shift) & 0xF, 1)


def radix_scatter(keys: DeviceArray[u32], sorted: DeviceArray[u32], starts: DeviceArray[u32], shift: u32, n: u32):
    """Radix sort: the stable scatter, one thread."""
    for i in range(n):
        digit = (keys[i] >> shift) & 0xF
        sorted[starts[digit]] = keys[i]
        starts[digit] += 1


def life_bits(board: DeviceArray[u64], next: DeviceArray[u64], rows: u32):
    """The game of life, 64 cells a word, neighbours added by full adders; rows and columns wrap around."""
    y = get_global_id()
    if y < rows:
        up, here, down = board[(y + rows - 1) % rows], board[y], board[(y + 1) % rows]
        s0 = s1 = s2 = u64(0)
        for k in range(8):
            row = up if k < 3 else (down if k < 6 else here)
            side = k % 3 if k < 6 else (k - 6) * 2
            bits = row
            if side == 0:
                bits = (row << 1) | (row >> 63)
            elif side == 2:
                bits = (row >> 1) | (row << 63)
            carry0 = s0 & bits
            s0 ^= bits
            carry1 = s1 & carry0
            s1 ^= carry0
            s2 |= carry1
        next[y] = ~s2 & s1 & (s0 | here)


def xnor_gemm(a: DeviceArray[u32], b: DeviceArray[u32], c: DeviceArray[i32], m: u32, n: u32, words: u32):
    """Binary neural networks: dot products of signs by xnor and counted bits."""
    j, i = get_global_id(0), get_global_id(1)
    if i < m and j < n:
        total = 0
        for w in range(words):
            v = ~(a[i * words + w] ^ b[j * words + w])
            v = v - ((v >> 1) & 0x55555555)
            v = (v & 0x33333333) + ((v >> 2) & 0x33333333)
            total += i32((((v + (v >> 4)) & 0x0F0F0F0F) * 0x01010101) >> 24)
        c[i * n + j] = 2 * total - 32 * i32(words)


def stochastic_bf16(bits: DeviceArray[u32], random: DeviceArray[u32], out: DeviceArray[u16], n: u32):
    """Stochastic rounding of the bits of floats to bfloat16: random low bits are added, then cut."""
    i = get_global_id()
    if i < n:
        out[i] = u16((bits[i] + (random[i] & 0xFFFF)) >> 16)


@inline
def float_flip(f):
    return f ^ (u32(-i32(f >> 31)) | 0x80000000)


def radix_keys(x: DeviceArray[f32], keys: DeviceArray[u32], n: u32):
    """Herf's radix tricks: bits of floats that sort as unsigned integers do."""
    i = get_global_id()
    if i < n:
        keys[i] = float_flip(as_u32(x[i]))


def fast_inverse_sqrt(x: DeviceArray[f32], y: DeviceArray[f32], n: u32):
    """Quake's inverse square root, one step of Newton's."""
    i = get_global_id()
    if i < n:
        x2 = x[i] * 0.5
        guess = as_f32(0x5f3759df - (as_i32(x[i]) >> 1))
        y[i] = guess * (1.5 - x2 * guess * guess)


@inline
def common_prefix(codes, i, j, n):
    if j < 0 or j >= n:
        return -1
    if codes[i] == codes[j]:
        return 32 + i32(clz(u32(i) ^ u32(j)))
    return i32(clz(codes[i] ^ codes[j]))


def lbvh_ranges(codes: DeviceArray[u32], first: DeviceArray[i32], last: DeviceArray[i32], n: i32):
    """Karras' binary radix tree: the leaves below each of its n - 1 inner nodes, from sorted Morton codes."""
    i = get_global_id()
    if i < n - 1:
        forward = common_prefix(codes, i, i + 1, n) - common_prefix(codes, i, i - 1, n)
        d = 1 if forward > 0 else -1
        least = common_prefix(codes, i, i - d, n)
        length = 2
        while common_prefix(codes, i, i + length * d, n) > least:
            length *= 2
        far = 0
        t = length // 2
        while t >= 1:
            if common_prefix(codes, i, i + (far + t) * d, n) > least:
                far += t
            t //= 2
        j = i + far * d
        first[i], last[i] = min(i, j), max(i, j)


def atomic_max_by_bits(x: DeviceArray[f32], largest: DeviceArray[i32], n: u32):
    """The largest of floats by an atomic on integers, the trick of CUDA's forums: positive floats are ordered as their bits."""
    i = get_global_id()
    if i < n:
        bits = as_i32(x[i])
        atomic_max(largest, 0, bits if bits >= 0 else bits ^ 0x7fffffff)
