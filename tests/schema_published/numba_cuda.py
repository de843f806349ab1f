"""Kernels of Numba's CUDA guide and tests: shared memory, random numbers in the kernel, sessions, finance."""

import math

from atlas_kernel import *

TPB = 16


def matmul(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], m: i32, n: i32, k: i32):
    """Numba's matmul: one thread an element."""
    i, j = get_global_id(0), get_global_id(1)
    if i < m and j < n:
        tmp = 0.
        for p in range(k):
            tmp += A[i * k + p] * B[p * n + j]
        C[i * n + j] = tmp


def fast_matmul(A: DeviceArray[f32], B: DeviceArray[f32], C: DeviceArray[f32], m: i32, n: i32, k: i32):
    """Numba's fast_matmul: tiles of TPB x TPB in shared memory."""
    sA = shared_array(f32, TPB * TPB)
    sB = shared_array(f32, TPB * TPB)
    x = get_global_id(0)
    y = get_global_id(1)
    tx = get_local_id(0)
    ty = get_local_id(1)
    bpg = (k + TPB - 1) // TPB
    tmp = f32(0.0)
    for i in range(bpg):
        sA[ty * TPB + tx] = 0
        sB[ty * TPB + tx] = 0
        if y < m and tx + i * TPB < k:
            sA[ty * TPB + tx] = A[y * k + tx + i * TPB]
        if x < n and ty + i * TPB < k:
            sB[ty * TPB + tx] = B[(ty + i * TPB) * n + x]
        barrier()
        for j in range(TPB):
            tmp += sA[ty * TPB + j] * sB[j * TPB + tx]
        barrier()
    if y < m and x < n:
        C[y * n + x] = tmp


def array_sum(data: DeviceArray[i32], size: u32):
    """Numba's shared memory reduction, interleaved: each group leaves its sum in its first element."""
    shr = shared_array(i32, 1024)
    tid = get_local_id(0)
    i = get_global_id(0)
    shr[tid] = data[i] if i < size else 0
    barrier()
    s = 1
    while s < get_local_size(0):
        if tid % (2 * s) == 0:
            shr[tid] += shr[tid + s]
        s *= 2
        barrier()
    if tid == 0 and i < size:
        data[i] = shr[tid]


def solve_heat_equation(data: DeviceArray[f64], next_data: DeviceArray[f64], k: f64, size: u32):
    """Numba's Laplace example, one step: heat in a rod whose walls are cold."""
    i = get_global_id()
    if i >= size:
        return
    curr_temp = data[i]
    if i == 0:
        next_temp = curr_temp + k * (data[i + 1] - 2 * curr_temp)
    elif i == size - 1:
        next_temp = curr_temp + k * (data[i - 1] - 2 * curr_temp)
    else:
        next_temp = curr_temp + k * (data[i - 1] - 2 * curr_temp + data[i + 1])
    next_data[i] = next_temp


def session_starts(user_id: DeviceArray[i64], timestamp: DeviceArray[i64], results: DeviceArray[i64], session_timeout: i64, size: i64):
    """Numba's sessionization, before its grid-wide barrier: where a session begins."""
    gid = get_global_id()
    if gid >= size:
        return
    is_first_datapoint = gid == 0
    if not is_first_datapoint:
        new_user = user_id[gid] != user_id[gid - 1]
        timed_out = timestamp[gid] - timestamp[gid - 1] > session_timeout
        is_sess_boundary = new_user or timed_out
    else:
        is_sess_boundary = True
    results[gid] = gid if is_sess_boundary else -1


def session_labels(starts: DeviceArray[i64], results: DeviceArray[i64], size: i64):
    """Numba's sessionization, after the barrier: the thread of a start labels what follows."""
    gid = get_global_id()
    if gid >= size:
        return
    if starts[gid] == gid:
        results[gid] = gid
        look_ahead = 1
        while gid + look_ahead < size and starts[gid + look_ahead] < 0:
            results[gid + look_ahead] = gid
            look_ahead += 1


@device
def rotl(x, k):
    return (x << k) | (x >> (64 - k))


@device
def xoroshiro128p_next(states, index):
    s0 = states[2 * index]
    s1 = states[2 * index + 1]
    result = s0 + s1
    s1 ^= s0
    states[2 * index] = rotl(s0, 55) ^ s1 ^ (s1 << 14)
    states[2 * index + 1] = rotl(s1, 36)
    return result


@device
def uint64_to_unit_float32(x):
    return f32(f64(x >> 11) * (1.0 / (1 << 53)))


@device
def xoroshiro128p_uniform_float32(states, index):
    return uint64_to_unit_float32(xoroshiro128p_next(states, index))


def compute_pi(rng_states: DeviceArray[u64], iterations: i32, out: DeviceArray[f32], n: u32):
    """Numba's random number example: pi by counting points in a circle, xoroshiro128+ a thread."""
    thread_id = get_global_id(0)
    if thread_id < n:
        inside = 0
        for i in range(iterations):
            x = xoroshiro128p_uniform_float32(rng_states, thread_id)
            y = xoroshiro128p_uniform_float32(rng_states, thread_id)
            if x ** 2 + y ** 2 <= 1.0:
                inside += 1
        out[thread_id] = 4.0 * inside / iterations


def mc_integrator_kernel(out: DeviceArray[f32], rng_states: DeviceArray[u64], lower_lim: f32, upper_lim: f32, size: u32):
    """Numba's Monte Carlo integration of 1 / x."""
    gid = get_global_id(0)
    if gid < size:
        samp = xoroshiro128p_uniform_float32(rng_states, gid)
        samp = samp * (upper_lim - lower_lim) + lower_lim
        out[gid] = 1.0 / samp


def random_3d(arr: DeviceArray[f32], rng_states: DeviceArray[u64], X: i32, Y: i32, Z: i32):
    """Numba's random_3d: strided loops over three dimensions by a smaller grid."""
    startx, starty, startz = get_global_id(0), get_global_id(1), get_global_id(2)
    stridex, stridey, stridez = get_global_size(0), get_global_size(1), get_global_size(2)
    tid = (startz * stridey * stridex) + (starty * stridex) + startx
    for i in range(startz, X, stridez):
        for j in range(starty, Y, stridey):
            for k in range(startx, Z, stridex):
                arr[(i * Y + j) * Z + k] = xoroshiro128p_uniform_float32(rng_states, tid)


def use_sm_chunk_copy(x: DeviceArray[i32], y: DeviceArray[i32], n: i32):
    """Numba's test of shared memory: a group loads a chunk, one thread of it writes it."""
    sm = shared_array(i32, 16)
    tx = get_local_id(0)
    bx = get_group_id(0)
    bd = get_local_size(0)
    i = bx * bd + tx
    if i < n:
        sm[tx] = x[i]
    barrier()
    if tx == 0:
        for j in range(bd):
            if bd * bx + j < n:
                y[bd * bx + j] = sm[j]


A1 = 0.31938153
A2 = -0.356563782
A3 = 1.781477937
A4 = -1.821255978
A5 = 1.330274429
RSQRT2PI = 0.39894228040143267793994605993438


@device
def cnd(d):
    K = 1.0 / (1.0 + 0.2316419 * abs(d))
    ret_val = RSQRT2PI * math.exp(-0.5 * d * d) * (K * (A1 + K * (A2 + K * (A3 + K * (A4 + K * A5)))))
    if d > 0:
        ret_val = 1.0 - ret_val
    return ret_val


def black_scholes(callResult: DeviceArray[f64], putResult: DeviceArray[f64], S: DeviceArray[f64], X: DeviceArray[f64], T: DeviceArray[f64], R: f64, V: f64, n: u32):
    """Numba's Black-Scholes (of the CUDA samples): European options, the polynomial of the normal distribution."""
    i = get_global_id()
    if i >= n:
        return
    sqrtT = math.sqrt(T[i])
    d1 = (math.log(S[i] / X[i]) + (R + 0.5 * V * V) * T[i]) / (V * sqrtT)
    d2 = d1 - V * sqrtT
    cndd1 = cnd(d1)
    cndd2 = cnd(d2)
    expRT = math.exp((-1. * R) * T[i])
    callResult[i] = S[i] * cndd1 - X[i] * expRT * cndd2
    putResult[i] = X[i] * expRT * (1.0 - cndd2) - S[i] * (1.0 - cndd1)


def transpose(a: DeviceArray[f32], b: DeviceArray[f32], rows: i32, columns: i32):
    """Numba's transpose by a tile in shared memory, padded against bank conflicts."""
    tile = shared_array(f32, 8 * (8 + 1))
    tx = get_local_id(0)
    ty = get_local_id(1)
    bx = get_group_id(0) * get_local_size(0)
    by = get_group_id(1) * get_local_size(1)
    x = by + tx
    y = bx + ty
    if by + ty < rows and bx + tx < columns:
        tile[ty * 9 + tx] = a[(by + ty) * columns + bx + tx]
    barrier()
    if y < columns and x < rows:
        b[y * rows + x] = tile[tx * 9 + ty]


def grid_stride_saxpy(out: DeviceArray[f32], x: DeviceArray[f32], y: DeviceArray[f32], a: f32, n: i32):
    """Numba's grid-stride loop: a grid of any size covers n elements."""
    start = get_global_id(0)
    stride = get_global_size(0)
    for i in range(start, n, stride):
        out[i] = a * x[i] + y[i]


@inline
def mandel(x, y, max_iters):
    real = 0.0
    imag = 0.0
    for i in range(max_iters):
        real, imag = real * real - imag * imag + x, 2.0 * real * imag + y
        if real * real + imag * imag >= 4:
            return i
    return max_iters


def create_fractal(min_x: f64, max_x: f64, min_y: f64, max_y: f64, image: DeviceArray[u8], width: i32, height: i32, iters: i32):
    """Numba's Mandelbrot set: strided over a grid of two dimensions."""
    pixel_size_x = (max_x - min_x) / width
    pixel_size_y = (max_y - min_y) / height
    startX, startY = get_global_id(0), get_global_id(1)
    gridX = get_num_groups(0) * get_local_size(0)
    gridY = get_num_groups(1) * get_local_size(1)
    for x in range(startX, width, gridX):
        real = min_x + x * pixel_size_x
        for y in range(startY, height, gridY):
            imag = min_y + y * pixel_size_y
            image[y * width + x] = mandel(real, imag, iters)


def game_of_life(board: DeviceArray[u8], new_board: DeviceArray[u8], width: i32, height: i32):
    """Conway's game of life on a torus, a thread a cell."""
    x, y = get_global_id(0), get_global_id(1)
    if x < width and y < height:
        alive = 0
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                if dx != 0 or dy != 0:
                    alive += board[(y + dy) % height * width + (x + dx) % width]
        here = board[y * width + x] != 0
        new_board[y * width + x] = u8(1) if alive == 3 or (here and alive == 2) else u8(0)


def histogram(x: DeviceArray[f32], xmin: f32, xmax: f32, histogram_out: DeviceArray[i32], nbins: i32, n: i32):
    """Numba's histogram by atomics, strided."""
    bin_width = (xmax - xmin) / nbins
    start = get_global_id()
    stride = get_global_size()
    for i in range(start, n, stride):
        bin_number = i32((x[i] - xmin) / bin_width)
        if bin_number >= 0 and bin_number < nbins:
            atomic_add(histogram_out, bin_number, 1)


def min_max(x: DeviceArray[f32], min_max_array: DeviceArray[f32], n: i32):
    """Numba's min_max: the extremes of each thread's share, then atomics."""
    start = get_global_id()
    stride = get_global_size()
    if start < n:
        local_min = x[start]
        local_max = x[start]
        for i in range(start + stride, n, stride):
            element = x[i]
            local_min = min(element, local_min)
            local_max = max(element, local_max)
        atomic_min(min_max_array, 0, local_min)
        atomic_max(min_max_array, 1, local_max)
