"""Kernels of Rodinia, Parboil, SHOC and Taichi's examples: tiles with halos, wavefronts, particles on grids."""

import math

from atlas_kernel import *

BLOCK_SIZE = 16


def hotspot(power: DeviceArray[f32], temp_src: DeviceArray[f32], temp_dst: DeviceArray[f32], grid_cols: i32, grid_rows: i32, step_div_Cap: f32, Rx_1: f32, Ry_1: f32, Rz_1: f32):
    """Rodinia hotspot: the heat of a chip, a tile with its rim in shared memory."""
    temp_on_cuda = shared_array(f32, BLOCK_SIZE * BLOCK_SIZE)
    power_on_cuda = shared_array(f32, BLOCK_SIZE * BLOCK_SIZE)
    amb_temp = 80.0
    small = BLOCK_SIZE - 2
    bx, by = get_group_id(0), get_group_id(1)
    tx, ty = get_local_id(0), get_local_id(1)
    blkY = small * by - 1
    blkX = small * bx - 1
    yidx, xidx = blkY + ty, blkX + tx
    if 0 <= yidx < grid_rows and 0 <= xidx < grid_cols:
        temp_on_cuda[ty * BLOCK_SIZE + tx] = temp_src[yidx * grid_cols + xidx]
        power_on_cuda[ty * BLOCK_SIZE + tx] = power[yidx * grid_cols + xidx]
    barrier()
    validYmin = -blkY if blkY < 0 else 0
    validYmax = BLOCK_SIZE - 1 - (blkY + BLOCK_SIZE - grid_rows) if blkY + BLOCK_SIZE - 1 > grid_rows - 1 else BLOCK_SIZE - 1
    validXmin = -blkX if blkX < 0 else 0
    validXmax = BLOCK_SIZE - 1 - (blkX + BLOCK_SIZE - grid_cols) if blkX + BLOCK_SIZE - 1 > grid_cols - 1 else BLOCK_SIZE - 1
    N = max(ty - 1, validYmin)
    S = min(ty + 1, validYmax)
    W = max(tx - 1, validXmin)
    E = min(tx + 1, validXmax)
    if 1 <= tx <= BLOCK_SIZE - 2 and 1 <= ty <= BLOCK_SIZE - 2 and validXmin <= tx <= validXmax and validYmin <= ty <= validYmax:
        at = ty * BLOCK_SIZE + tx
        here = temp_on_cuda[at]
        temp_dst[yidx * grid_cols + xidx] = here + step_div_Cap * (
            power_on_cuda[at] + (temp_on_cuda[S * BLOCK_SIZE + tx] + temp_on_cuda[N * BLOCK_SIZE + tx] - 2.0 * here) * Ry_1
            + (temp_on_cuda[ty * BLOCK_SIZE + E] + temp_on_cuda[ty * BLOCK_SIZE + W] - 2.0 * here) * Rx_1 + (amb_temp - here) * Rz_1)


def pathfinder(wall: DeviceArray[i32], src: DeviceArray[i32], results: DeviceArray[i32], cols: i32, start_step: i32, iteration: i32):
    """Rodinia pathfinder: dynamic programming over rows, several a launch, blocks overlap by a halo."""
    prev = shared_array(i32, 64)
    result = shared_array(i32, 64)
    bx, tx = get_group_id(0), get_local_id(0)
    small_block_cols = 64 - iteration * 2
    blkX = small_block_cols * bx - iteration
    xidx = blkX + tx
    validXmin = -blkX if blkX < 0 else 0
    validXmax = 63 - (blkX + 63 - cols + 1) if blkX + 63 > cols - 1 else 63
    W = max(tx - 1, validXmin)
    E = min(tx + 1, validXmax)
    isValid = validXmin <= tx <= validXmax
    if 0 <= xidx < cols:
        prev[tx] = src[xidx]
    barrier()
    computed = False
    for i in range(iteration):
        computed = False
        if i + 1 <= tx <= 64 - i - 2 and isValid:
            computed = True
            shortest = min(prev[W], prev[tx], prev[E])
            result[tx] = shortest + wall[cols * (start_step + i) + xidx]
        barrier()
        if i == iteration - 1:
            break
        if computed:
            prev[tx] = result[tx]
        barrier()
    if computed:
        results[xidx] = result[tx]


def lud_diagonal(m: DeviceArray[f32], matrix_dim: i32, offset: i32):
    """Rodinia lud: the block on the diagonal, in shared memory."""
    shadow = shared_array(f32, BLOCK_SIZE * BLOCK_SIZE)
    tx = get_local_id(0)
    for i in range(BLOCK_SIZE):
        shadow[i * BLOCK_SIZE + tx] = m[(offset + i) * matrix_dim + offset + tx]
    barrier()
    for i in range(BLOCK_SIZE - 1):
        if tx > i:
            for j in range(i):
                shadow[tx * BLOCK_SIZE + i] -= shadow[tx * BLOCK_SIZE + j] * shadow[j * BLOCK_SIZE + i]
            shadow[tx * BLOCK_SIZE + i] /= shadow[i * BLOCK_SIZE + i]
        barrier()
        if tx > i:
            for j in range(i + 1):
                shadow[(i + 1) * BLOCK_SIZE + tx] -= shadow[(i + 1) * BLOCK_SIZE + j] * shadow[j * BLOCK_SIZE + tx]
        barrier()
    for i in range(1, BLOCK_SIZE):
        m[(offset + i) * matrix_dim + offset + tx] = shadow[i * BLOCK_SIZE + tx]


def needle_diagonal(reference: DeviceArray[i32], matrix: DeviceArray[i32], cols: i32, penalty: i32, i: i32, block_width: i32):
    """Rodinia nw: blocks of one diagonal of Needleman and Wunsch's table, each by a wavefront in shared memory."""
    temp = shared_array(i32, (BLOCK_SIZE + 1) * (BLOCK_SIZE + 1))
    ref = shared_array(i32, BLOCK_SIZE * BLOCK_SIZE)
    bx, tx = get_group_id(0), get_local_id(0)
    b_index_x = bx
    b_index_y = i - 1 - bx
    index = cols * BLOCK_SIZE * b_index_y + BLOCK_SIZE * b_index_x + tx + (cols + 1)
    index_n = cols * BLOCK_SIZE * b_index_y + BLOCK_SIZE * b_index_x + tx + 1
    index_w = cols * BLOCK_SIZE * b_index_y + BLOCK_SIZE * b_index_x + cols
    index_nw = cols * BLOCK_SIZE * b_index_y + BLOCK_SIZE * b_index_x
    if tx == 0:
        temp[tx * (BLOCK_SIZE + 1)] = matrix[index_nw]
    for ty in range(BLOCK_SIZE):
        ref[ty * BLOCK_SIZE + tx] = reference[index + cols * ty]
    barrier()
    temp[(tx + 1) * (BLOCK_SIZE + 1)] = matrix[index_w + cols * tx]
    barrier()
    temp[tx + 1] = matrix[index_n]
    barrier()
    for m in range(BLOCK_SIZE):
        if tx <= m:
            x = tx + 1
            y = m - tx + 1
            temp[y * 17 + x] = max(temp[(y - 1) * 17 + x - 1] + ref[(y - 1) * 16 + x - 1], temp[y * 17 + x - 1] - penalty, temp[(y - 1) * 17 + x] - penalty)
        barrier()
    for m in range(BLOCK_SIZE - 2, -1, -1):
        if tx <= m:
            x = tx + BLOCK_SIZE - m
            y = BLOCK_SIZE - tx
            temp[y * 17 + x] = max(temp[(y - 1) * 17 + x - 1] + ref[(y - 1) * 16 + x - 1], temp[y * 17 + x - 1] - penalty, temp[(y - 1) * 17 + x] - penalty)
        barrier()
    for ty in range(BLOCK_SIZE):
        matrix[index + ty * cols] = temp[(ty + 1) * 17 + tx + 1]


def gaussian_fan1(m: DeviceArray[f32], a: DeviceArray[f32], size: i32, t: i32):
    """Rodinia gaussian: the multipliers of a column."""
    i = get_global_id(0)
    if i >= size - 1 - t:
        return
    m[size * (i + t + 1) + t] = a[size * (i + t + 1) + t] / a[size * t + t]


def gaussian_fan2(m: DeviceArray[f32], a: DeviceArray[f32], b: DeviceArray[f32], size: i32, t: i32):
    """Rodinia gaussian: the rest of the matrix and the right side."""
    if get_global_id(0) >= size - 1 - t:
        return
    if get_global_id(1) >= size - t:
        return
    xidx = get_global_id(0)
    yidx = get_global_id(1)
    a[size * (xidx + 1 + t) + yidx + t] -= m[size * (xidx + 1 + t) + t] * a[size * t + yidx + t]
    if yidx == 0:
        b[xidx + 1 + t] -= m[size * (xidx + 1 + t) + t] * b[t]


def backprop_layerforward(input: DeviceArray[f32], weights: DeviceArray[f32], partial_sum: DeviceArray[f32], n_in: i32, hid: i32):
    """Rodinia backprop: products of 16 inputs and 16 hidden units, summed by a tree in shared memory."""
    input_node = shared_array(f32, 16)
    weight_matrix = shared_array(f32, 16 * 16)
    by = get_group_id(1)
    tx, ty = get_local_id(0), get_local_id(1)
    index = (hid + 1) * 16 * by + (hid + 1) * ty + tx + 1 + (hid + 1)
    index_in = 16 * by + ty + 1
    if tx == 0:
        input_node[ty] = input[index_in]
    barrier()
    weight_matrix[ty * 16 + tx] = weights[index]
    barrier()
    weight_matrix[ty * 16 + tx] = weight_matrix[ty * 16 + tx] * input_node[ty]
    barrier()
    for i in range(1, 5):
        power_two = i32(2 ** i)
        if ty % power_two == 0:
            weight_matrix[ty * 16 + tx] = weight_matrix[ty * 16 + tx] + weight_matrix[(ty + power_two // 2) * 16 + tx]
        barrier()
    if ty == 0:
        partial_sum[by * hid + tx] = weight_matrix[tx]


def bfs_masks(starts: DeviceArray[i32], edges: DeviceArray[i32], mask: DeviceArray[bool], updating: DeviceArray[bool], visited: DeviceArray[bool], cost: DeviceArray[i32], n: i32):
    """Rodinia bfs, Kernel: vertices of the frontier mark their neighbours."""
    tid = get_global_id()
    if tid < n and mask[tid]:
        mask[tid] = False
        for i in range(starts[tid], starts[tid + 1]):
            id = edges[i]
            if not visited[id]:
                cost[id] = cost[tid] + 1
                updating[id] = True


def srad1(J: DeviceArray[f32], c: DeviceArray[f32], dN: DeviceArray[f32], dS: DeviceArray[f32], dW: DeviceArray[f32], dE: DeviceArray[f32], rows: i32, cols: i32, q0sqr: f32):
    """Rodinia srad, first kernel: diffusion coefficients of an ultrasound image."""
    j, i = get_global_id(0), get_global_id(1)
    if i < rows and j < cols:
        k = i * cols + j
        Jc = J[k]
        dN[k] = J[max(i - 1, 0) * cols + j] - Jc
        dS[k] = J[min(i + 1, rows - 1) * cols + j] - Jc
        dW[k] = J[i * cols + max(j - 1, 0)] - Jc
        dE[k] = J[i * cols + min(j + 1, cols - 1)] - Jc
        G2 = (dN[k] * dN[k] + dS[k] * dS[k] + dW[k] * dW[k] + dE[k] * dE[k]) / (Jc * Jc)
        L = (dN[k] + dS[k] + dW[k] + dE[k]) / Jc
        num = (0.5 * G2) - ((1.0 / 16.0) * (L * L))
        den = 1 + (.25 * L)
        qsqr = num / (den * den)
        den = (qsqr - q0sqr) / (q0sqr * (1 + q0sqr))
        c[k] = 1.0 / (1.0 + den)
        if c[k] < 0:
            c[k] = 0
        elif c[k] > 1:
            c[k] = 1


def mri_q(kx: DeviceArray[f32], ky: DeviceArray[f32], kz: DeviceArray[f32], phi_mag: DeviceArray[f32], x: DeviceArray[f32], y: DeviceArray[f32], z: DeviceArray[f32], Qr: DeviceArray[f32],
          Qi: DeviceArray[f32], num_k: i32, num_x: i32):
    """Parboil mri-q: the Q matrix of a reconstruction."""
    i = get_global_id()
    if i < num_x:
        qr = qi = 0.0
        for k in range(num_k):
            exp_arg = 6.2831853071795864769 * (kx[k] * x[i] + ky[k] * y[i] + kz[k] * z[i])
            qr += phi_mag[k] * cos(exp_arg)
            qi += phi_mag[k] * sin(exp_arg)
        Qr[i], Qi[i] = qr, qi


def saturating_histogram(img: DeviceArray[u32], bins: DeviceArray[u32], n: u32):
    """Parboil histo: counts that stop at 255, by compare and swap."""
    i = get_global_id()
    if i < n:
        bin = img[i]
        old = atomic_add(bins, bin, 0)
        while old < 255:
            seen = atomic_cas(bins, bin, old, old + 1)
            if seen == old:
                break
            old = seen


def tpacf(x: DeviceArray[f64], y: DeviceArray[f64], z: DeviceArray[f64], binb: DeviceArray[f64], hist: DeviceArray[u64], n: i32, nbins: i32):
    """Parboil tpacf: the angles of all pairs of points, binned by a binary search into counts of the group."""
    warp_hists = shared_array(u64, 32)
    tid = get_local_id()
    for b in range(tid, 32, get_local_size()):
        warp_hists[b] = 0
    barrier()
    i = get_global_id()
    if i < n:
        for j in range(i + 1, n):
            dot = x[i] * x[j] + y[i] * y[j] + z[i] * z[j]
            lo, hi = 0, nbins
            while hi > lo + 1:
                k = (lo + hi) // 2
                if dot >= binb[k]:
                    hi = k
                else:
                    lo = k
            bin_index = hi - 1 if dot >= binb[lo] else hi
            atomic_add(warp_hists, bin_index if bin_index >= 0 else 0, 1)
    barrier()
    for b in range(tid, nbins + 1, get_local_size()):
        atomic_add(hist, b, warp_hists[b])


def lennard_jones(position: DeviceArray[f32], force: DeviceArray[f32], neighbors: DeviceArray[i32], num_neighbors: i32, cutsq: f32, lj1: f32, lj2: f32, n: i32):
    """SHOC md: forces of Lennard and Jones over a list of neighbours, which lies transposed."""
    idx = get_global_id()
    if idx < n:
        fx = fy = fz = 0.0
        for j in range(num_neighbors):
            jidx = neighbors[j * n + idx]
            delx = position[3 * idx] - position[3 * jidx]
            dely = position[3 * idx + 1] - position[3 * jidx + 1]
            delz = position[3 * idx + 2] - position[3 * jidx + 2]
            r2inv = delx * delx + dely * dely + delz * delz
            if r2inv < cutsq:
                r2inv = 1.0 / r2inv
                r6inv = r2inv * r2inv * r2inv
                f = r2inv * r6inv * (lj1 * r6inv - lj2)
                fx += delx * f
                fy += dely * f
                fz += delz * f
        force[3 * idx], force[3 * idx + 1], force[3 * idx + 2] = fx, fy, fz


OMEGA = 1.2


def lbm_collide(f: DeviceArray[f32], g: DeviceArray[f32], w: i32, h: i32):
    """Lattice Boltzmann D2Q9 (Parboil lbm is D3Q19): collision, and streaming on a torus; the nine planes one after the other."""
    x, y = get_global_id(0), get_global_id(1)
    if x >= w or y >= h:
        return
    cell = y * w + x
    plane = w * h
    rho = ux = uy = 0.0
    for q in range(9):
        v = f[q * plane + cell]
        rho += v
        ux += v * (q % 3 - 1)
        uy += v * (q // 3 - 1)
    ux /= rho
    uy /= rho
    for q in range(9):
        cx, cy = q % 3 - 1, q // 3 - 1
        weight = 4 / 9 if q == 4 else (1 / 9 if cx == 0 or cy == 0 else 1 / 36)
        cu = 3.0 * (cx * ux + cy * uy)
        feq = weight * rho * (1 + cu + 0.5 * cu * cu - 1.5 * (ux ** 2 + uy ** 2))
        to = (y + cy) % h * w + (x + cx) % w
        g[q * plane + to] = f[q * plane + cell] * (1 - OMEGA) + OMEGA * feq


def julia(pixels: DeviceArray[f32], t: f32, n: i32):
    """Taichi's fractal example: a Julia set whose parameter moves."""
    j, i = get_global_id(0), get_global_id(1)
    if i < 2 * n and j < n:
        cr, ci = -0.8, cos(t) * 0.2
        zr, zi = (i / n - 1) * 2, (j / n - 0.5) * 2
        iterations = 0
        while sqrt(zr * zr + zi * zi) < 20 and iterations < 50:
            zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
            iterations += 1
        pixels[i * n + j] = 1 - iterations * 0.02


@inline
def fract_weight(fx, k):
    if k == 0:
        return 0.5 * (1.5 - fx) ** 2
    if k == 1:
        return 0.75 - (fx - 1) ** 2
    return 0.5 * (fx - 0.5) ** 2


def mpm_p2g(x: DeviceArray[f64], v: DeviceArray[f64], C: DeviceArray[f64], J: DeviceArray[f64], grid_v: DeviceArray[f64], grid_m: DeviceArray[f64], n_particles: i32, n_grid: i32, dt: f64):
    """Taichi's mpm88: particles to grid with quadratic weights, by atomics."""
    p = get_global_id()
    if p < n_particles:
        dx = 1 / f64(n_grid)
        p_vol = (dx * 0.5) ** 2
        bx, by = i32(x[2 * p] / dx - 0.5), i32(x[2 * p + 1] / dx - 0.5)
        fx, fy = x[2 * p] / dx - bx, x[2 * p + 1] / dx - by
        stress = -dt * 4 * 400.0 * p_vol * (J[p] - 1) / dx ** 2
        a00, a01 = stress + p_vol * C[4 * p], p_vol * C[4 * p + 1]
        a10, a11 = p_vol * C[4 * p + 2], stress + p_vol * C[4 * p + 3]
        for i in range(3):
            for j in range(3):
                dposx, dposy = (i - fx) * dx, (j - fy) * dx
                weight = fract_weight(fx, i) * fract_weight(fy, j)
                at = (bx + i) * n_grid + by + j
                atomic_add(grid_v, 2 * at, weight * (p_vol * v[2 * p] + a00 * dposx + a01 * dposy))
                atomic_add(grid_v, 2 * at + 1, weight * (p_vol * v[2 * p + 1] + a10 * dposx + a11 * dposy))
                atomic_add(grid_m, at, weight * p_vol)


@device
def sdf(px, py, pz):
    ball = sqrt(px * px + (py - 1.0) * (py - 1.0) + pz * pz) - 1.0
    return min(ball, py)


def ray_march(depth: DeviceArray[f32], n: i32):
    """Taichi's sdf renderer: sphere tracing of a ball on a plane."""
    u, v = get_global_id(0), get_global_id(1)
    if not (u < n and v < n):
        return
    dx, dy = 2.0 * u / n - 1, 2.0 * v / n - 1
    dz = 1.5
    norm = rsqrt(dx ** 2 + dy ** 2 + dz ** 2)
    dx, dy, dz = dx * norm, dy * norm, dz * norm
    dist = 0.0
    step = 0
    while step < 100 and dist < 50:
        d = sdf(dist * dx, 1.5 + dist * dy, dist * dz - 4.0)
        if d < 1e-3:
            break
        dist += d
        step += 1
    depth[v * n + u] = dist if dist < 50 else math.inf
