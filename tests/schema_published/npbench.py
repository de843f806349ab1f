"""Kernels of NPBench beyond PolyBench: images, weather, physics, sparse matrices, checksums."""

import math

from atlas_kernel import *


def compute(array_1: DeviceArray[i64], array_2: DeviceArray[i64], out: DeviceArray[i64], a: i64, b: i64, c: i64, n: u32):
    """NPBench compute: clip(array_1, 2, 10) * a + array_2 * b + c."""
    i = get_global_id()
    if i < n:
        out[i] = min(max(array_1[i], 2), 10) * a + array_2[i] * b + c


def go_fast_trace(a: DeviceArray[f64], trace: DeviceArray[f64], n: u32):
    """NPBench go_fast, the sum of tanh over the diagonal."""
    i = get_global_id()
    if i < n:
        atomic_add(trace, 0, tanh(a[i * n + i]))


def mandelbrot1(N: DeviceArray[i64], Zr: DeviceArray[f64], Zi: DeviceArray[f64], xmin: f64, xmax: f64, ymin: f64, ymax: f64, xn: i32, yn: i32, maxiter: i32, horizon: f64):
    """NPBench mandelbrot1: turns until |z| leaves the horizon."""
    i = get_global_id(0)
    j = get_global_id(1)
    if i >= xn or j >= yn:
        return
    cr = xmin + i * ((xmax - xmin) / (xn - 1))
    ci = ymin + j * ((ymax - ymin) / (yn - 1))
    zr: f64 = 0
    zi: f64 = 0
    last = 0
    for n in range(maxiter):
        if zr * zr + zi * zi >= horizon * horizon:
            break
        last = n
        zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
    N[j * xn + i] = 0 if last == maxiter - 1 else last
    Zr[j * xn + i] = zr
    Zi[j * xn + i] = zi


def nbody_acceleration(pos: DeviceArray[f64], mass: DeviceArray[f64], acc: DeviceArray[f64], G: f64, softening: f64, n: u32):
    """NPBench nbody, getAcc: the pull of all others on each star."""
    i = get_global_id()
    if i < n:
        ax = ay = az = f64(0)
        for j in range(n):
            dx = pos[3 * j] - pos[3 * i]
            dy = pos[3 * j + 1] - pos[3 * i + 1]
            dz = pos[3 * j + 2] - pos[3 * i + 2]
            inv_r3 = dx ** 2 + dy ** 2 + dz ** 2 + softening ** 2
            if inv_r3 > 0:
                inv_r3 = inv_r3 ** -1.5
            ax += G * (dx * inv_r3) * mass[j]
            ay += G * (dy * inv_r3) * mass[j]
            az += G * (dz * inv_r3) * mass[j]
        acc[3 * i], acc[3 * i + 1], acc[3 * i + 2] = ax, ay, az


def crc16(data: DeviceArray[u8], n: u32, out: DeviceArray[u16]):
    """NPBench crc16: CRC-16-CCITT, bit by bit."""
    poly = 0x8408
    crc = 0xFFFF
    for i in range(n):
        cur_byte = 0xFF & data[i]
        for _ in range(0, 8):
            if (crc & 0x0001) ^ (cur_byte & 0x0001):
                crc = (crc >> 1) ^ poly
            else:
                crc >>= 1
            cur_byte >>= 1
    crc = ~crc & 0xFFFF
    crc = (crc << 8) | ((crc >> 8) & 0xFF)
    out[0] = crc & 0xFFFF


def azimint_naive(data: DeviceArray[f64], radius: DeviceArray[f64], res: DeviceArray[f64], rmax: f64, npt: i32, n: i32):
    """NPBench azimint_naive: the mean of data in each ring."""
    i = get_global_id()
    if i < npt:
        r1 = rmax * i / npt
        r2 = rmax * (i + 1) / npt
        total: f64 = 0.0
        count = 0
        for j in range(n):
            if r1 <= radius[j] < r2:
                total += data[j]
                count += 1
        res[i] = total / count


def azimint_hist(data: DeviceArray[f64], radius: DeviceArray[f64], histu: DeviceArray[i64], histw: DeviceArray[f64], rmin: f64, rmax: f64, npt: i32, n: u32):
    """NPBench azimint_hist: counts and weights of the bins of radius."""
    i = get_global_id()
    if i < n:
        index = i32((radius[i] - rmin) * npt / (rmax - rmin))
        if index == npt:
            index = npt - 1
        atomic_add(histu, index, 1)
        atomic_add(histw, index, data[i])


@inline
def laplacian(a, at, across, down):
    return 4.0 * a[at] - (a[at + down] + a[at - down] + a[at + across] + a[at - across])


def hdiff(in_field: DeviceArray[f64], out_field: DeviceArray[f64], coeff: DeviceArray[f64], I: i32, J: i32, K: i32):
    """NPBench hdiff: horizontal diffusion of a weather model; in_field is [I + 4, J + 4, K]."""
    k, j, i = get_global_id(0), get_global_id(1), get_global_id(2)
    if k < K and j < J and i < I:
        down = (J + 4) * K
        at = ((i + 2) * (J + 4) + j + 2) * K + k
        here = laplacian(in_field, at, K, down)
        below = laplacian(in_field, at + down, K, down) - here
        flx_below = 0.0 if below * (in_field[at + down] - in_field[at]) > 0 else below
        above = here - laplacian(in_field, at - down, K, down)
        flx_above = 0.0 if above * (in_field[at] - in_field[at - down]) > 0 else above
        right = laplacian(in_field, at + K, K, down) - here
        fly_right = 0.0 if right * (in_field[at + K] - in_field[at]) > 0 else right
        left = here - laplacian(in_field, at - K, K, down)
        fly_left = 0.0 if left * (in_field[at] - in_field[at - K]) > 0 else left
        out_field[(i * J + j) * K + k] = in_field[at] - coeff[(i * J + j) * K + k] * (flx_below - flx_above + fly_right - fly_left)


BET_M = 0.5
BET_P = 0.5


def vadv(utens_stage: DeviceArray[f64], u_stage: DeviceArray[f64], wcon: DeviceArray[f64], u_pos: DeviceArray[f64], utens: DeviceArray[f64],
         ccol: DeviceArray[f64], dcol: DeviceArray[f64], dtr_stage: f64, I: i32, J: i32, K: i32):
    """NPBench vadv: vertical advection, Thomas' algorithm in each column; wcon is [I + 1, J, K]."""
    j = get_global_id(0)
    i = get_global_id(1)
    if i >= I or j >= J:
        return
    at = (i * J + j) * K
    down = J * K
    for k in range(K):
        as_ = cs = acol = f64(0)
        bcol = dtr_stage
        correction_term: f64 = 0.0
        ccol[at + k] = 0.0
        if k > 0:
            gav = -0.25 * (wcon[at + down + k] + wcon[at + k])
            as_ = gav * BET_M
            acol = gav * BET_P
            bcol -= acol
            correction_term = -as_ * (u_stage[at + k - 1] - u_stage[at + k])
        if k < K - 1:
            gcv = 0.25 * (wcon[at + down + k + 1] + wcon[at + k + 1])
            cs = gcv * BET_M
            ccol[at + k] = gcv * BET_P
            bcol -= ccol[at + k]
            correction_term -= cs * (u_stage[at + k + 1] - u_stage[at + k])
        dcol[at + k] = dtr_stage * u_pos[at + k] + utens[at + k] + utens_stage[at + k] + correction_term
        if k == 0:
            divided = 1.0 / bcol
            ccol[at] *= divided
            dcol[at] *= divided
        else:
            divided = 1.0 / (bcol - ccol[at + k - 1] * acol)
            ccol[at + k] *= divided
            dcol[at + k] = (dcol[at + k] - dcol[at + k - 1] * acol) * divided
    datacol: f64 = 0.0
    for k in range(K - 1, -1, -1):
        datacol = dcol[at + k] - ccol[at + k] * datacol
        utens_stage[at + k] = dtr_stage * (datacol - u_pos[at + k])


def spmv(A_row: DeviceArray[u32], A_col: DeviceArray[u32], A_val: DeviceArray[f64], x: DeviceArray[f64], y: DeviceArray[f64], n: u32):
    """NPBench spmv: a sparse matrix of compressed rows times a vector."""
    i = get_global_id()
    if i < n:
        total: f64 = 0.0
        for j in range(A_row[i], A_row[i + 1]):
            total += A_val[j] * x[A_col[j]]
        y[i] = total


def arc_distance(theta_1: DeviceArray[f64], phi_1: DeviceArray[f64], theta_2: DeviceArray[f64], phi_2: DeviceArray[f64], out: DeviceArray[f64], n: u32):
    """NPBench arc_distance (of Pythran): the haversine of pairs of points."""
    i = get_global_id()
    if i < n:
        temp = sin((theta_2[i] - theta_1[i]) / 2) ** 2 + cos(theta_1[i]) * cos(theta_2[i]) * sin((phi_2[i] - phi_1[i]) / 2) ** 2
        out[i] = 2 * atan2(sqrt(temp), sqrt(1 - temp))


def conv2d_bias(input: DeviceArray[f32], weights: DeviceArray[f32], bias: DeviceArray[f32], output: DeviceArray[f32], N: u32, H: u32, W: u32, C_in: u32, C_out: u32, K: u32):
    """NPBench conv2d_bias: [N, H, W, C_in] with [K, K, C_in, C_out], no padding."""
    H_out = H - K + 1
    W_out = W - K + 1
    i = get_global_id()
    if i < N * H_out * W_out * C_out:
        c = i % C_out
        x = i // C_out % W_out
        y = i // (C_out * W_out) % H_out
        n = i // (C_out * W_out * H_out)
        total = 0.0
        for ky in range(K):
            for kx in range(K):
                for ci in range(C_in):
                    total += input[((n * H + y + ky) * W + x + kx) * C_in + ci] * weights[((ky * K + kx) * C_in + ci) * C_out + c]
        output[i] = total + bias[c]


def stockham_fft_pass(xr: DeviceArray[f64], xi: DeviceArray[f64], yr: DeviceArray[f64], yi: DeviceArray[f64], s: u32, n: u32):
    """A pass of Stockham's FFT of radix 2: `s` sequences lie side by side, n elements all in all."""
    i = get_global_id()
    half = n // 2
    if i < half:
        q = i % s
        p = i // s
        m = half // s
        angle = -2.0 * math.pi * p / (2.0 * m)
        wr, wi = cos(angle), sin(angle)
        ar, ai = xr[q + s * p], xi[q + s * p]
        br, bi = xr[q + s * (p + m)], xi[q + s * (p + m)]
        yr[q + s * (2 * p)], yi[q + s * (2 * p)] = ar + br, ai + bi
        dr, di = ar - br, ai - bi
        yr[q + s * (2 * p + 1)], yi[q + s * (2 * p + 1)] = dr * wr - di * wi, dr * wi + di * wr
