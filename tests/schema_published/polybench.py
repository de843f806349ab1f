"""Loop kernels of PolyBench and its NumPy form, NPBench: linear algebra, stencils, dynamic programming. Matrices lie row after row."""

from atlas_kernel import DeviceArray, f32, f64, get_global_id, i32, inline, sqrt, exp


def gemm(alpha: f64, beta: f64, C: DeviceArray[f64], A: DeviceArray[f64], B: DeviceArray[f64], ni: i32, nj: i32, nk: i32):
    """PolyBench gemm: C = alpha A B + beta C."""
    i, j = get_global_id(0), get_global_id(1)
    if i < ni and j < nj:
        C[i * nj + j] *= beta
        for k in range(nk):
            C[i * nj + j] += alpha * A[i * nk + k] * B[k * nj + j]


def syrk(alpha: f64, beta: f64, C: DeviceArray[f64], A: DeviceArray[f64], n: i32, m: i32):
    """PolyBench syrk: the lower triangle of C = alpha A A' + beta C."""
    i = get_global_id()
    if i < n:
        for j in range(i + 1):
            C[i * n + j] *= beta
            for k in range(m):
                C[i * n + j] += alpha * A[i * m + k] * A[j * m + k]


def atax(A: DeviceArray[f64], x: DeviceArray[f64], y: DeviceArray[f64], tmp: DeviceArray[f64], m: i32, n: i32):
    """PolyBench atax: y = A' (A x)."""
    for i in range(n):
        y[i] = 0
    for i in range(m):
        tmp[i] = 0.0
        for j in range(n):
            tmp[i] = tmp[i] + A[i * n + j] * x[j]
        for j in range(n):
            y[j] = y[j] + A[i * n + j] * tmp[i]


def bicg(A: DeviceArray[f64], s: DeviceArray[f64], q: DeviceArray[f64], p: DeviceArray[f64], r: DeviceArray[f64], n: i32, m: i32):
    """PolyBench bicg: s = r A and q = A p."""
    for i in range(m):
        s[i] = 0
    for i in range(n):
        q[i] = 0.0
        for j in range(m):
            s[j] = s[j] + r[i] * A[i * m + j]
            q[i] = q[i] + A[i * m + j] * p[j]


def mvt(x1: DeviceArray[f64], x2: DeviceArray[f64], y1: DeviceArray[f64], y2: DeviceArray[f64], A: DeviceArray[f64], n: i32):
    """PolyBench mvt: x1 += A y1 and x2 += A' y2."""
    i = get_global_id()
    if i < n:
        for j in range(n):
            x1[i] = x1[i] + A[i * n + j] * y1[j]
        for j in range(n):
            x2[i] = x2[i] + A[j * n + i] * y2[j]


def gemver(A: DeviceArray[f64], u1: DeviceArray[f64], v1: DeviceArray[f64], u2: DeviceArray[f64], v2: DeviceArray[f64], w: DeviceArray[f64],
           x: DeviceArray[f64], y: DeviceArray[f64], z: DeviceArray[f64], alpha: f64, beta: f64, n: i32):
    """PolyBench gemver: A += u1 v1' + u2 v2', x = beta A' y + z, w = alpha A x."""
    for i in range(n):
        for j in range(n):
            A[i * n + j] = A[i * n + j] + u1[i] * v1[j] + u2[i] * v2[j]
    for i in range(n):
        for j in range(n):
            x[i] = x[i] + beta * A[j * n + i] * y[j]
    for i in range(n):
        x[i] = x[i] + z[i]
    for i in range(n):
        for j in range(n):
            w[i] = w[i] + alpha * A[i * n + j] * x[j]


def trmm(alpha: f64, A: DeviceArray[f64], B: DeviceArray[f64], m: i32, n: i32):
    """PolyBench trmm: B = alpha A' B, A lower triangular with ones on the diagonal."""
    for i in range(m):
        for j in range(n):
            for k in range(i + 1, m):
                B[i * n + j] += A[k * m + i] * B[k * n + j]
            B[i * n + j] = alpha * B[i * n + j]


def symm(alpha: f64, beta: f64, C: DeviceArray[f64], A: DeviceArray[f64], B: DeviceArray[f64], m: i32, n: i32):
    """PolyBench symm: C = alpha A B + beta C, of the symmetric A only the lower triangle."""
    for i in range(m):
        for j in range(n):
            temp2: f64 = 0
            for k in range(i):
                C[k * n + j] += alpha * B[i * n + j] * A[i * m + k]
                temp2 += B[k * n + j] * A[i * m + k]
            C[i * n + j] = beta * C[i * n + j] + alpha * B[i * n + j] * A[i * m + i] + alpha * temp2


def doitgen(A: DeviceArray[f64], C4: DeviceArray[f64], total: DeviceArray[f64], nr: i32, nq: i32, np: i32):
    """PolyBench doitgen: A[r, q, :] = A[r, q, :] C4."""
    for r in range(nr):
        for q in range(nq):
            for p in range(np):
                total[p] = 0.0
                for s in range(np):
                    total[p] += A[(r * nq + q) * np + s] * C4[s * np + p]
            for p in range(np):
                A[(r * nq + q) * np + p] = total[p]


def trisolv(L: DeviceArray[f64], x: DeviceArray[f64], b: DeviceArray[f64], n: i32):
    """PolyBench trisolv: forward substitution, L x = b."""
    for i in range(n):
        x[i] = b[i]
        for j in range(i):
            x[i] -= L[i * n + j] * x[j]
        x[i] = x[i] / L[i * n + i]


def lu(A: DeviceArray[f64], n: i32):
    """PolyBench lu: in place, without pivots."""
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i * n + j] -= A[i * n + k] * A[k * n + j]
            A[i * n + j] /= A[j * n + j]
        for j in range(i, n):
            for k in range(i):
                A[i * n + j] -= A[i * n + k] * A[k * n + j]


def cholesky(A: DeviceArray[f64], n: i32):
    """PolyBench cholesky: the lower triangle, in place."""
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i * n + j] -= A[i * n + k] * A[j * n + k]
            A[i * n + j] /= A[j * n + j]
        for k in range(i):
            A[i * n + i] -= A[i * n + k] * A[i * n + k]
        A[i * n + i] = sqrt(A[i * n + i])


def gramschmidt(A: DeviceArray[f64], R: DeviceArray[f64], Q: DeviceArray[f64], m: i32, n: i32):
    """PolyBench gramschmidt: A = Q R by the modified Gram-Schmidt process."""
    for k in range(n):
        nrm: f64 = 0.0
        for i in range(m):
            nrm += A[i * n + k] * A[i * n + k]
        R[k * n + k] = sqrt(nrm)
        for i in range(m):
            Q[i * n + k] = A[i * n + k] / R[k * n + k]
        for j in range(k + 1, n):
            R[k * n + j] = 0.0
            for i in range(m):
                R[k * n + j] += Q[i * n + k] * A[i * n + j]
            for i in range(m):
                A[i * n + j] = A[i * n + j] - Q[i * n + k] * R[k * n + j]


def durbin(r: DeviceArray[f64], y: DeviceArray[f64], z: DeviceArray[f64], n: i32):
    """PolyBench durbin: Yule-Walker equations by Durbin's recursion."""
    if n == 0:
        return
    y[0] = -r[0]
    beta: f64 = 1.0
    alpha = -r[0]
    for k in range(1, n):
        beta = (1 - alpha * alpha) * beta
        total: f64 = 0.0
        for i in range(k):
            total += r[k - i - 1] * y[i]
        alpha = -(r[k] + total) / beta
        for i in range(k):
            z[i] = y[i] + alpha * y[k - i - 1]
        for i in range(k):
            y[i] = z[i]
        y[k] = alpha


def covariance(data: DeviceArray[f64], mean: DeviceArray[f64], cov: DeviceArray[f64], n: i32, m: i32):
    """PolyBench covariance of the m columns of data [n, m]."""
    for j in range(m):
        mean[j] = 0.0
        for i in range(n):
            mean[j] += data[i * m + j]
        mean[j] /= n
    for i in range(n):
        for j in range(m):
            data[i * m + j] -= mean[j]
    for i in range(m):
        for j in range(i, m):
            cov[i * m + j] = 0.0
            for k in range(n):
                cov[i * m + j] += data[k * m + i] * data[k * m + j]
            cov[i * m + j] /= n - 1.0
            cov[j * m + i] = cov[i * m + j]


def correlation(data: DeviceArray[f64], mean: DeviceArray[f64], stddev: DeviceArray[f64], corr: DeviceArray[f64], n: i32, m: i32):
    """PolyBench correlation of the m columns of data [n, m]."""
    eps = 0.1
    for j in range(m):
        mean[j] = 0.0
        for i in range(n):
            mean[j] += data[i * m + j]
        mean[j] /= n
        stddev[j] = 0.0
        for i in range(n):
            stddev[j] += (data[i * m + j] - mean[j]) ** 2
        stddev[j] = sqrt(stddev[j] / n)
        stddev[j] = 1.0 if stddev[j] <= eps else stddev[j]
    for i in range(n):
        for j in range(m):
            data[i * m + j] = (data[i * m + j] - mean[j]) / (sqrt(f64(n)) * stddev[j])
    for i in range(m):
        corr[i * m + i] = 1.0
        for j in range(i + 1, m):
            total: f64 = 0
            for k in range(n):
                total += data[k * m + i] * data[k * m + j]
            corr[i * m + j] = corr[j * m + i] = total


def jacobi_1d(A: DeviceArray[f64], B: DeviceArray[f64], tsteps: i32, n: i32):
    """PolyBench jacobi-1d: two sweeps a step."""
    for t in range(tsteps):
        for i in range(1, n - 1):
            B[i] = 0.33333 * (A[i - 1] + A[i] + A[i + 1])
        for i in range(1, n - 1):
            A[i] = 0.33333 * (B[i - 1] + B[i] + B[i + 1])


def jacobi_2d_step(A: DeviceArray[f64], B: DeviceArray[f64], n: i32):
    """PolyBench jacobi-2d, one sweep, a thread an element of the inside."""
    j = get_global_id(0) + 1
    i = get_global_id(1) + 1
    if i < n - 1 and j < n - 1:
        B[i * n + j] = 0.2 * (A[i * n + j] + A[i * n + j - 1] + A[i * n + j + 1] + A[(i + 1) * n + j] + A[(i - 1) * n + j])


def heat_3d_step(A: DeviceArray[f64], B: DeviceArray[f64], n: i32):
    """PolyBench heat-3d, one sweep."""
    k = get_global_id(0)
    j = get_global_id(1)
    i = get_global_id(2)
    if 0 < i < n - 1 and 0 < j < n - 1 and 0 < k < n - 1:
        here = (i * n + j) * n + k
        B[here] = (0.125 * (A[here + n * n] - 2.0 * A[here] + A[here - n * n]) + 0.125 * (A[here + n] - 2.0 * A[here] + A[here - n])
                   + 0.125 * (A[here + 1] - 2.0 * A[here] + A[here - 1]) + A[here])


def fdtd_2d(ex: DeviceArray[f64], ey: DeviceArray[f64], hz: DeviceArray[f64], fict: DeviceArray[f64], tmax: i32, nx: i32, ny: i32):
    """PolyBench fdtd-2d: finite differences of Maxwell's equations in time."""
    for t in range(tmax):
        for j in range(ny):
            ey[j] = fict[t]
        for i in range(1, nx):
            for j in range(ny):
                ey[i * ny + j] = ey[i * ny + j] - 0.5 * (hz[i * ny + j] - hz[(i - 1) * ny + j])
        for i in range(nx):
            for j in range(1, ny):
                ex[i * ny + j] = ex[i * ny + j] - 0.5 * (hz[i * ny + j] - hz[i * ny + j - 1])
        for i in range(nx - 1):
            for j in range(ny - 1):
                hz[i * ny + j] = hz[i * ny + j] - 0.7 * (ex[i * ny + j + 1] - ex[i * ny + j] + ey[(i + 1) * ny + j] - ey[i * ny + j])


def seidel_2d(A: DeviceArray[f64], tsteps: i32, n: i32):
    """PolyBench seidel-2d: Gauss-Seidel over nine points, in place."""
    for t in range(tsteps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i * n + j] = (A[(i - 1) * n + j - 1] + A[(i - 1) * n + j] + A[(i - 1) * n + j + 1] + A[i * n + j - 1] + A[i * n + j] + A[i * n + j + 1]
                                + A[(i + 1) * n + j - 1] + A[(i + 1) * n + j] + A[(i + 1) * n + j + 1]) / 9.0


def adi(u: DeviceArray[f64], v: DeviceArray[f64], p: DeviceArray[f64], q: DeviceArray[f64], tsteps: i32, n: i32):
    """PolyBench adi: alternating directions implicit."""
    DX = 1.0 / f64(n)
    DT = 1.0 / f64(tsteps)
    mul1 = 2.0 * DT / (DX * DX)
    mul2 = 1.0 * DT / (DX * DX)
    a = -mul1 / 2.0
    b = 1.0 + mul2
    c = a
    d = -mul2 / 2.0
    e = 1.0 + mul2
    f = d
    for t in range(1, tsteps + 1):
        for i in range(1, n - 1):
            v[0 * n + i] = 1.0
            p[i * n + 0] = 0.0
            q[i * n + 0] = v[0 * n + i]
            for j in range(1, n - 1):
                p[i * n + j] = -c / (a * p[i * n + j - 1] + b)
                q[i * n + j] = (-d * u[j * n + i - 1] + (1.0 + 2.0 * d) * u[j * n + i] - f * u[j * n + i + 1] - a * q[i * n + j - 1]) / (a * p[i * n + j - 1] + b)
            v[(n - 1) * n + i] = 1.0
            for j in range(n - 2, 0, -1):
                v[j * n + i] = p[i * n + j] * v[(j + 1) * n + i] + q[i * n + j]
        for i in range(1, n - 1):
            u[i * n + 0] = 1.0
            p[i * n + 0] = 0.0
            q[i * n + 0] = u[i * n + 0]
            for j in range(1, n - 1):
                p[i * n + j] = -f / (d * p[i * n + j - 1] + e)
                q[i * n + j] = (-a * v[(i - 1) * n + j] + (1.0 + 2.0 * a) * v[i * n + j] - c * v[(i + 1) * n + j] - d * q[i * n + j - 1]) / (d * p[i * n + j - 1] + e)
            u[i * n + n - 1] = 1.0
            for j in range(n - 2, 0, -1):
                u[i * n + j] = p[i * n + j] * u[i * n + j + 1] + q[i * n + j]


def deriche_rows(image: DeviceArray[f32], y1: DeviceArray[f32], y2: DeviceArray[f32], out: DeviceArray[f32], alpha: f32, w: i32, h: i32):
    """PolyBench deriche, its horizontal pass: a recursive filter from both sides, a thread a row."""
    i = get_global_id()
    if i >= h:
        return
    k = (1.0 - exp(-alpha)) * (1.0 - exp(-alpha)) / (1.0 + 2.0 * alpha * exp(-alpha) - exp(2.0 * alpha))
    a1 = k
    a2 = k * exp(-alpha) * (alpha - 1.0)
    a3 = k * exp(-alpha) * (alpha + 1.0)
    a4 = -k * exp(-2.0 * alpha)
    b1 = 2.0 ** -alpha
    b2 = -exp(-2.0 * alpha)
    ym1 = ym2 = xm1 = 0.0
    for j in range(w):
        y1[i * w + j] = a1 * image[i * w + j] + a2 * xm1 + b1 * ym1 + b2 * ym2
        xm1 = image[i * w + j]
        ym2 = ym1
        ym1 = y1[i * w + j]
    yp1 = yp2 = xp1 = xp2 = 0.0
    for j in range(w - 1, -1, -1):
        y2[i * w + j] = a3 * xp1 + a4 * xp2 + b1 * yp1 + b2 * yp2
        xp2 = xp1
        xp1 = image[i * w + j]
        yp2 = yp1
        yp1 = y2[i * w + j]
    for j in range(w):
        out[i * w + j] = y1[i * w + j] + y2[i * w + j]


def floyd_warshall(path: DeviceArray[i32], n: i32):
    """PolyBench floyd-warshall: all shortest paths."""
    for k in range(n):
        for i in range(n):
            for j in range(n):
                path[i * n + j] = min(path[i * n + j], path[i * n + k] + path[k * n + j])


@inline
def match(b1, b2):
    return 1 if b1 + b2 == 3 else 0


def nussinov(seq: DeviceArray[i32], table: DeviceArray[i32], n: i32):
    """PolyBench nussinov: the folding of an RNA sequence by dynamic programming."""
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            if j - 1 >= 0:
                table[i * n + j] = max(table[i * n + j], table[i * n + j - 1])
            if i + 1 < n:
                table[i * n + j] = max(table[i * n + j], table[(i + 1) * n + j])
            if j - 1 >= 0 and i + 1 < n:
                if i < j - 1:
                    table[i * n + j] = max(table[i * n + j], table[(i + 1) * n + j - 1] + match(seq[i], seq[j]))
                else:
                    table[i * n + j] = max(table[i * n + j], table[(i + 1) * n + j - 1])
            for k in range(i + 1, j):
                table[i * n + j] = max(table[i * n + j], table[i * n + k] + table[(k + 1) * n + j])
