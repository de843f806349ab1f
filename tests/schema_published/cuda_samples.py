"""Kernels of the CUDA samples: groups, shared arrays, barriers."""

import math

from atlas_kernel import *

BLOCK = 64


def reduce_sequential(g_idata: DeviceArray[f32], g_odata: DeviceArray[f32], n: u32):
    """reduce: sequential addressing, the first addition at the load, a strided loop before."""
    sdata = shared_array(f32, BLOCK)
    tid = get_local_id(0)
    my_sum = 0.0
    for i in range(get_global_id(0), n, get_global_size(0)):
        my_sum += g_idata[i]
    sdata[tid] = my_sum
    barrier()
    s = BLOCK // 2
    while s > 0:
        if tid < s:
            my_sum = my_sum + sdata[tid + s]
            sdata[tid] = my_sum
        barrier()
        s >>= 1
    if tid == 0:
        g_odata[get_group_id(0)] = my_sum


def scan_hillis_steele(x: DeviceArray[i32], y: DeviceArray[i32], sums: DeviceArray[i32], n: u32):
    """scan, naive: inclusive in each group, two buffers in turn."""
    temp = shared_array(i32, 2 * BLOCK)
    thid = get_local_id(0)
    i = get_global_id(0)
    pout = 0
    pin = 1
    temp[pout * BLOCK + thid] = x[i] if i < n else 0
    barrier()
    offset = 1
    while offset < BLOCK:
        pout = 1 - pout
        pin = 1 - pout
        if thid >= offset:
            temp[pout * BLOCK + thid] = temp[pin * BLOCK + thid] + temp[pin * BLOCK + thid - offset]
        else:
            temp[pout * BLOCK + thid] = temp[pin * BLOCK + thid]
        barrier()
        offset *= 2
    if i < n:
        y[i] = temp[pout * BLOCK + thid]
    if thid == BLOCK - 1:
        sums[get_group_id(0)] = temp[pout * BLOCK + thid]


def scan_blelloch(g_odata: DeviceArray[f32], g_idata: DeviceArray[f32], n: u32):
    """scan, work-efficient (Blelloch): exclusive in each group of BLOCK elements, two a thread."""
    temp = shared_array(f32, BLOCK)
    thid = get_local_id(0)
    base = get_group_id(0) * BLOCK
    a = base + 2 * thid
    temp[2 * thid] = g_idata[a] if a < n else 0.0
    temp[2 * thid + 1] = g_idata[a + 1] if a + 1 < n else 0.0
    offset = 1
    d = BLOCK >> 1
    while d > 0:
        barrier()
        if thid < d:
            ai = offset * (2 * thid + 1) - 1
            bi = offset * (2 * thid + 2) - 1
            temp[bi] += temp[ai]
        offset *= 2
        d >>= 1
    if thid == 0:
        temp[BLOCK - 1] = 0
    d = 1
    while d < BLOCK:
        offset >>= 1
        barrier()
        if thid < d:
            ai = offset * (2 * thid + 1) - 1
            bi = offset * (2 * thid + 2) - 1
            t = temp[ai]
            temp[ai] = temp[bi]
            temp[bi] += t
        d *= 2
    barrier()
    if a < n:
        g_odata[a] = temp[2 * thid]
    if a + 1 < n:
        g_odata[a + 1] = temp[2 * thid + 1]


TILE_DIM = 16
BLOCK_ROWS = 4


def transpose_tile(odata: DeviceArray[f32], idata: DeviceArray[f32], width: u32, height: u32):
    """transpose, coalesced and without bank conflicts: a tile of 16 x 16 by 16 x 4 threads."""
    tile = shared_array(f32, TILE_DIM * (TILE_DIM + 1))
    tx, ty = get_local_id(0), get_local_id(1)
    x = get_group_id(0) * TILE_DIM + tx
    y = get_group_id(1) * TILE_DIM + ty
    for j in range(0, TILE_DIM, BLOCK_ROWS):
        if x < width and y + j < height:
            tile[(ty + j) * (TILE_DIM + 1) + tx] = idata[(y + j) * width + x]
    barrier()
    x = get_group_id(1) * TILE_DIM + tx
    y = get_group_id(0) * TILE_DIM + ty
    for j in range(0, TILE_DIM, BLOCK_ROWS):
        if x < height and y + j < width:
            odata[(y + j) * height + x] = tile[tx * (TILE_DIM + 1) + ty + j]


@inline
def comparator(keys, values, a, b, direction):
    if (keys[a] > keys[b]) == direction:
        keys[a], keys[b] = keys[b], keys[a]
        values[a], values[b] = values[b], values[a]


def bitonic_sort_shared(d_key: DeviceArray[u32], d_val: DeviceArray[u32], ascending: bool):
    """sortingNetworks, bitonicSortShared: 128 pairs a group of 64 threads."""
    s_key = shared_array(u32, 2 * BLOCK)
    s_val = shared_array(u32, 2 * BLOCK)
    tid = get_local_id(0)
    at = get_group_id(0) * 2 * BLOCK + tid
    s_key[tid] = d_key[at]
    s_val[tid] = d_val[at]
    s_key[tid + BLOCK] = d_key[at + BLOCK]
    s_val[tid + BLOCK] = d_val[at + BLOCK]
    size = 2
    while size < 2 * BLOCK:
        ddd = ascending ^ ((tid & (size // 2)) != 0)
        stride = size // 2
        while stride > 0:
            barrier()
            pos = 2 * tid - (tid & (stride - 1))
            comparator(s_key, s_val, pos, pos + stride, ddd)
            stride >>= 1
        size <<= 1
    stride = BLOCK
    while stride > 0:
        barrier()
        pos = 2 * tid - (tid & (stride - 1))
        comparator(s_key, s_val, pos, pos + stride, ascending)
        stride >>= 1
    barrier()
    d_key[at] = s_key[tid]
    d_val[at] = s_val[tid]
    d_key[at + BLOCK] = s_key[tid + BLOCK]
    d_val[at + BLOCK] = s_val[tid + BLOCK]


def bitonic_merge_global(d_key: DeviceArray[f32], size: u32, stride: u32, n: u32):
    """sortingNetworks, bitonicMergeGlobal: one step of a sort of n elements, a power of two."""
    i = get_global_id()
    if i < n // 2:
        comparator_i = i & (n // 2 - 1)
        ddd = (comparator_i & (size // 2)) == 0
        pos = 2 * i - (i & (stride - 1))
        if (d_key[pos] > d_key[pos + stride]) == ddd:
            d_key[pos], d_key[pos + stride] = d_key[pos + stride], d_key[pos]


RADIUS = 8


def convolution_rows(d_dst: DeviceArray[f32], d_src: DeviceArray[f32], c_kernel: DeviceArray[f32], width: i32, height: i32):
    """convolutionSeparable: rows, a tile with its halo in shared memory."""
    s_data = shared_array(f32, 4 * (16 + 2 * RADIUS))
    tx, ty = get_local_id(0), get_local_id(1)
    x = get_global_id(0)
    y = get_global_id(1)
    row = ty * (16 + 2 * RADIUS)
    for i in range(tx, 16 + 2 * RADIUS, 16):
        column = get_group_id(0) * 16 + i - RADIUS
        s_data[row + i] = d_src[y * width + column] if 0 <= column < width and y < height else 0.0
    barrier()
    if x < width and y < height:
        total = 0.0
        for j in range(-RADIUS, RADIUS + 1):
            total += c_kernel[RADIUS - j] * s_data[row + tx + RADIUS + j]
        d_dst[y * width + x] = total


def dct8x8(dst: DeviceArray[f32], src: DeviceArray[f32], stride: u32):
    """dct8x8: the cosine transform of blocks, A X A' by two products in shared memory."""
    block = shared_array(f32, 64)
    local = shared_array(f32, 64)
    tx, ty = get_local_id(0), get_local_id(1)
    at = (get_group_id(1) * 8 + ty) * stride + get_group_id(0) * 8 + tx
    block[ty * 8 + tx] = src[at]
    barrier()
    total = 0.0
    for i in range(8):
        scale = sqrt(0.125) if ty == 0 else 0.5
        total += scale * cos((2 * i + 1) * f32(ty) * (math.pi / 16)) * block[i * 8 + tx]
    local[ty * 8 + tx] = total
    barrier()
    total = 0.0
    for i in range(8):
        scale = sqrt(0.125) if tx == 0 else 0.5
        total += local[ty * 8 + i] * (scale * cos((2 * i + 1) * f32(tx) * (math.pi / 16)))
    dst[at] = total


def nbody_tiles(pos: DeviceArray[f32], mass: DeviceArray[f32], acc: DeviceArray[f32], softening_squared: f32, n: u32):
    """nbody: bodies pass through shared memory, a tile of 32 at a time."""
    shared_x = shared_array(f32, 32)
    shared_y = shared_array(f32, 32)
    shared_z = shared_array(f32, 32)
    shared_m = shared_array(f32, 32)
    index = get_global_id(0)
    tid = get_local_id(0)
    inside = index < n
    x = pos[3 * index] if inside else 0.0
    y = pos[3 * index + 1] if inside else 0.0
    z = pos[3 * index + 2] if inside else 0.0
    ax = ay = az = 0.0
    for tile in range((n + 31) // 32):
        other = tile * 32 + tid
        if other < n:
            shared_x[tid], shared_y[tid], shared_z[tid], shared_m[tid] = pos[3 * other], pos[3 * other + 1], pos[3 * other + 2], mass[other]
        else:
            shared_x[tid], shared_y[tid], shared_z[tid], shared_m[tid] = 0.0, 0.0, 0.0, 0.0
        barrier()
        for counter in range(32):
            rx = shared_x[counter] - x
            ry = shared_y[counter] - y
            rz = shared_z[counter] - z
            dist_sqr = rx * rx + ry * ry + rz * rz + softening_squared
            inv_dist = rsqrt(dist_sqr)
            s = shared_m[counter] * (inv_dist * inv_dist * inv_dist)
            ax += rx * s
            ay += ry * s
            az += rz * s
        barrier()
    if inside:
        acc[3 * index], acc[3 * index + 1], acc[3 * index + 2] = ax, ay, az


def scalar_prod(d_C: DeviceArray[f32], d_A: DeviceArray[f32], d_B: DeviceArray[f32], vector_n: u32, element_n: u32):
    """scalarProd: a group takes vectors in turn, lanes accumulate, then a tree."""
    accum_result = shared_array(f32, 32)
    tid = get_local_id(0)
    for vec in range(get_group_id(0), vector_n, get_num_groups(0)):
        vector_base = element_n * vec
        vector_end = vector_base + element_n
        total = 0.0
        for pos in range(vector_base + tid, vector_end, get_local_size(0)):
            total += d_A[pos] * d_B[pos]
        accum_result[tid] = total
        stride = 16
        while stride > 0:
            barrier()
            if tid < stride:
                accum_result[tid] += accum_result[stride + tid]
            stride >>= 1
        barrier()
        if tid == 0:
            d_C[vec] = accum_result[0]
        barrier()


def histogram256(d_partial: DeviceArray[u32], d_data: DeviceArray[u32], data_count: u32):
    """histogram256: four bytes a word are counted in shared memory by atomics, then added."""
    s_hist = shared_array(u32, 256)
    tid = get_local_id(0)
    for i in range(tid, 256, get_local_size(0)):
        s_hist[i] = 0
    barrier()
    for pos in range(get_global_id(0), data_count, get_global_size(0)):
        data = d_data[pos]
        atomic_add(s_hist, (data >> 0) & 0xFF, 1)
        atomic_add(s_hist, (data >> 8) & 0xFF, 1)
        atomic_add(s_hist, (data >> 16) & 0xFF, 1)
        atomic_add(s_hist, (data >> 24) & 0xFF, 1)
    barrier()
    for bin in range(tid, 256, get_local_size(0)):
        atomic_add(d_partial, bin, s_hist[bin])


def fast_walsh_transform(d_output: DeviceArray[f32], d_input: DeviceArray[f32], log2n: u32):
    """fastWalshTransform: butterflies of a vector of up to 128 in shared memory."""
    s_data = shared_array(f32, 128)
    n = 1 << log2n
    base = get_group_id(0) << log2n
    tid = get_local_id(0)
    for pos in range(tid, n, get_local_size(0)):
        s_data[pos] = d_input[base + pos]
    stride = n >> 1
    while stride > 0:
        barrier()
        for item in range(tid, n >> 1, get_local_size(0)):
            lo = item & (stride - 1)
            i0 = ((item - lo) << 1) + lo
            i1 = i0 + stride
            D0 = s_data[i0]
            D1 = s_data[i1]
            s_data[i0] = D0 + D1
            s_data[i1] = D0 - D1
        stride >>= 1
    barrier()
    for pos in range(tid, n, get_local_size(0)):
        d_output[base + pos] = s_data[pos]


def haar_wavelet(id: DeviceArray[f32], od: DeviceArray[f32], approx: DeviceArray[f32]):
    """dwtHaar1D: all levels of 64 samples a group."""
    shared = shared_array(f32, BLOCK)
    tid = get_local_id(0)
    bid = get_group_id(0)
    shared[2 * tid] = id[bid * BLOCK + 2 * tid]
    shared[2 * tid + 1] = id[bid * BLOCK + 2 * tid + 1]
    barrier()
    INV_SQRT_2 = 0.70710678118654752440
    threads = BLOCK // 2
    while threads > 0:
        data0 = 0.0
        data1 = 0.0
        if tid < threads:
            data0 = shared[2 * tid]
            data1 = shared[2 * tid + 1]
            od[bid * BLOCK + threads + tid] = (data0 - data1) * INV_SQRT_2
        barrier()
        if tid < threads:
            shared[tid] = (data0 + data1) * INV_SQRT_2
        barrier()
        threads //= 2
    if tid == 0:
        approx[bid] = shared[0]


def binomial_options(S: DeviceArray[f32], X: DeviceArray[f32], result: DeviceArray[f32], v_dt: f32, pu_by_df: f32, pd_by_df: f32):
    """binomialOptions: an option a group, the tree's columns in shared memory, 32 steps."""
    call = shared_array(f32, 33)
    tid = get_local_id(0)
    option = get_group_id(0)
    d = S[option] * exp(v_dt * (2.0 * tid - 32)) - X[option]
    call[tid] = d if d > 0 else 0.0
    if tid == 0:
        last = S[option] * exp(v_dt * (2.0 * 32 - 32)) - X[option]
        call[32] = max(last, 0.0)
    barrier()
    for i in range(32, 0, -1):
        value = 0.0
        if tid < i:
            value = pu_by_df * call[tid + 1] + pd_by_df * call[tid]
        barrier()
        if tid < i:
            call[tid] = value
        barrier()
    if tid == 0:
        result[option] = call[0]


def thread_fence_reduction(g_idata: DeviceArray[i64], g_odata: DeviceArray[i64], retirement_count: DeviceArray[u32], n: u32):
    """threadFenceReduction's counting of groups: each adds its part, the last to come says how many there were."""
    part = shared_array(i64, BLOCK)
    tid = get_local_id()
    i = get_global_id()
    part[tid] = g_idata[i] if i < n else 0
    barrier()
    step = BLOCK // 2
    while step:
        if tid < step:
            part[tid] += part[tid + step]
        barrier()
        step //= 2
    if tid == 0:
        atomic_add(g_odata, 0, part[0])
        ticket = atomic_add(retirement_count, 0, 1)
        if ticket == get_num_groups() - 1:
            atomic_exch(g_odata, 1, get_num_groups())


def simple_atomics(g_odata: DeviceArray[i32], n: u32):
    """simpleAtomicIntrinsics: each atomic on a cell of its own."""
    tid = get_global_id()
    if tid < n:
        atomic_add(g_odata, 0, 10)
        atomic_sub(g_odata, 1, 10)
        atomic_max(g_odata, 3, tid)
        atomic_min(g_odata, 4, tid)
        atomic_cas(g_odata, 7, -1, 5)


def sobel_filter(pixels: DeviceArray[u8], out: DeviceArray[u8], w: i32, h: i32, scale: f32):
    """SobelFilter: the gradient of bytes, clamped at the rim."""
    x, y = get_global_id(0), get_global_id(1)
    if x >= w or y >= h:
        return
    left = max(x - 1, 0)
    right = min(x + 1, w - 1)
    up = max(y - 1, 0) * w
    down = min(y + 1, h - 1) * w
    mid = y * w
    horz = pixels[up + right] + 2 * pixels[mid + right] + pixels[down + right] - pixels[up + left] - 2 * pixels[mid + left] - pixels[down + left]
    vert = pixels[up + left] + 2 * pixels[up + x] + pixels[up + right] - pixels[down + left] - 2 * pixels[down + x] - pixels[down + right]
    total = i32(scale * (abs(horz) + abs(vert)))
    if total < 0:
        total = 0
    elif total > 0xff:
        total = 0xff
    out[mid + x] = total


def sobol(vectors: DeviceArray[u32], output: DeviceArray[f32], n_vectors: u32):
    """SobolQRNG: element i of a dimension, the xor of its direction vectors by the bits of Gray's code."""
    i = get_global_id()
    if i < n_vectors:
        g = i ^ (i >> 1)
        X = u32(0)
        k = 0
        while g != 0:
            if g & 1:
                X ^= vectors[k]
            g >>= 1
            k += 1
        output[i] = X * 2.3283064365386963e-10


def line_of_sight(angles: DeviceArray[f32], scanned: DeviceArray[f32], visible: DeviceArray[bool], n: u32):
    """lineOfSight: a scan for the largest angle, then who is above all before."""
    parallel_scan(angles, scanned, "max", n)
    for i in range(n):
        visible[i] = i == 0 or angles[i] > scanned[i - 1]


def sturm_count(d: DeviceArray[f32], e2: DeviceArray[f32], x: DeviceArray[f32], count: DeviceArray[u32], n: u32, m: u32):
    """eigenvalues: how many eigenvalues of a tridiagonal matrix are less than each x."""
    i = get_global_id()
    if i < m:
        delta = 1.0
        below = 0
        for k in range(n):
            delta = d[k] - x[i] - (e2[k] / delta if k > 0 else 0.0)
            if delta < 0:
                below += 1
        count[i] = below
