"""What the kernels of tests/schema_published/ must compute: for each its arguments at a size, and the results in NumPy.

A case is a function of a random generator and a size; it gives the arguments, the arrays that come out, and the launch when the
kernel does not tell its grid. `ulps` is the largest distance that is allowed, in units of the last place (of the type of the array) of the
largest magnitude of the array, at least of 1, or of each element where `each` says so; 0 is equality.
"""

import base64
import hashlib
import itertools
import math
import zlib
from collections import deque
from typing import NamedTuple

import numpy as np
from ml_dtypes import bfloat16

CASES = {}


class Case(NamedTuple):
    file: str
    ulps: float
    each: bool
    make: object


def case(file, ulps=0.0, each=False, name=None):
    def add(make):
        key = name or make.__name__
        assert key not in CASES, key
        CASES[key] = Case(file, ulps, each, make)
        return make
    return add


def groups(count, local):
    """The launch of `count` groups, at least one, of `local` threads."""
    local = (local, 1, 1) if isinstance(local, int) else (*local, 1, 1)[:3]
    count = (count, 1, 1) if isinstance(count, int) else (*count, 1, 1)[:3]
    return dict(grid=tuple(max(1, many) * size for many, size in zip(count, local)), local=local)


def f32(r, *shape):
    return r.standard_normal(shape).astype(np.float32)


def f64(r, *shape):
    return r.standard_normal(shape)


def padded(array, multiple):
    return np.concatenate([array, np.zeros(-len(array) % multiple, array.dtype)])


# ---- PolyBench

@case("polybench", 8)
def gemm(r, n):
    A, B, C = f64(r, n, n + 2), f64(r, n + 2, n + 1), f64(r, n, n + 1)
    return dict(alpha=1.5, beta=1.2, C=C, A=A, B=B, ni=n, nj=n + 1, nk=n + 2), dict(C=1.5 * (A @ B) + 1.2 * C)


@case("polybench", 8)
def syrk(r, n):
    A, C = f64(r, n, n + 3), f64(r, n, n)
    return dict(alpha=1.5, beta=1.2, C=C, A=A, n=n, m=n + 3), dict(C=np.where(np.tri(n, dtype=bool), 1.5 * (A @ A.T) + 1.2 * C, C))


@case("polybench", 8)
def atax(r, n):
    A, x = f64(r, n, n + 1), f64(r, n + 1)
    return dict(A=A, x=x, y=f64(r, n + 1), tmp=f64(r, n), m=n, n=n + 1), dict(y=(A @ x) @ A, tmp=A @ x)


@case("polybench", 8)
def bicg(r, n):
    A, p, q = f64(r, n, n + 2), f64(r, n + 2), f64(r, n)
    return dict(A=A, s=f64(r, n + 2), q=f64(r, n), p=p, r=q, n=n, m=n + 2), dict(s=q @ A, q=A @ p)


@case("polybench", 8)
def mvt(r, n):
    A, x1, x2, y1, y2 = f64(r, n, n), *(f64(r, n) for _ in range(4))
    return dict(x1=x1, x2=x2, y1=y1, y2=y2, A=A, n=n), dict(x1=x1 + A @ y1, x2=x2 + y2 @ A)


@case("polybench", 8)
def gemver(r, n):
    A = f64(r, n, n)
    u1, v1, u2, v2, w, x, y, z = (f64(r, n) for _ in range(8))
    B = A + np.outer(u1, v1) + np.outer(u2, v2)
    X = x + 1.2 * (y @ B) + z
    return dict(A=A, u1=u1, v1=v1, u2=u2, v2=v2, w=w, x=x, y=y, z=z, alpha=1.5, beta=1.2, n=n), dict(A=B, x=X, w=w + 1.5 * (B @ X))


@case("polybench", 8)
def trmm(r, n):
    A, B = f64(r, n, n), f64(r, n, n + 2)
    return dict(alpha=1.5, A=A, B=B, m=n, n=n + 2), dict(B=1.5 * ((np.tril(A, -1).T + np.eye(n)) @ B))


@case("polybench", 8)
def symm(r, n):
    A, B, C = f64(r, n, n), f64(r, n, n + 1), f64(r, n, n + 1)
    return dict(alpha=1.5, beta=1.2, C=C, A=A, B=B, m=n, n=n + 1), dict(C=1.5 * ((np.tril(A) + np.tril(A, -1).T) @ B) + 1.2 * C)


@case("polybench", 8)
def doitgen(r, n):
    A, C4 = f64(r, 3, 2, n), f64(r, n, n)
    want = A @ C4
    return dict(A=A, C4=C4, total=f64(r, n), nr=3, nq=2, np=n), dict(A=want, total=want[-1, -1])


@case("polybench", 16)
def trisolv(r, n):
    L, b = np.tril(f64(r, n, n)) / max(n, 1) + 2 * np.eye(n), f64(r, n)
    return dict(L=L, x=f64(r, n), b=b, n=n), dict(x=np.linalg.solve(L, b))


@case("polybench", 16)
def lu(r, n):
    A = f64(r, n, n) + n * np.eye(n)
    want = A.copy()
    for k in range(n):  # by columns, not by rows as the kernel
        want[k + 1:, k] /= want[k, k]
        want[k + 1:, k + 1:] -= np.outer(want[k + 1:, k], want[k, k + 1:])
    return dict(A=A, n=n), dict(A=want)


@case("polybench", 16)
def cholesky(r, n):
    A = f64(r, n, n)
    A = A @ A.T + n * np.eye(n)
    return dict(A=A, n=n), dict(A=np.tril(np.linalg.cholesky(A)) + np.triu(A, 1))


@case("polybench", 64)
def gramschmidt(r, n):
    A = f64(r, n + 4, n) + 2 * np.eye(n + 4, n)
    Q, R = np.linalg.qr(A)
    signs = np.sign(np.diag(R))
    return dict(A=A, R=np.zeros((n, n)), Q=np.zeros((n + 4, n)), m=n + 4, n=n), dict(A=None, R=np.triu(R * signs[:, None]), Q=Q * signs)


@case("polybench", 64)
def durbin(r, n):
    row = 0.5**np.arange(1, n + 1) * r.uniform(0.5, 1, n)
    matrix = np.concatenate([[1.0], row])[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]
    return dict(r=row, y=f64(r, n), z=f64(r, n), n=n), dict(y=np.linalg.solve(matrix, -row) if n else np.zeros(0), z=None)


@case("polybench", 16)
def covariance(r, n):
    data = f64(r, n + 2, n)
    mean = data.mean(axis=0)
    return dict(data=data, mean=f64(r, n), cov=f64(r, n, n), n=n + 2, m=n), dict(data=data - mean, mean=mean, cov=np.cov(data, rowvar=False).reshape(n, n) if n else np.zeros((0, 0)))


@case("polybench", 16)
def correlation(r, n):
    data = f64(r, n + 5, n)
    mean, stddev = data.mean(axis=0), data.std(axis=0)
    want = (data - mean) / (math.sqrt(n + 5) * stddev)
    corr = want.T @ want
    np.fill_diagonal(corr, 1)
    return dict(data=data, mean=f64(r, n), stddev=f64(r, n), corr=f64(r, n, n), n=n + 5, m=n), dict(data=want, mean=mean, stddev=stddev, corr=corr)


@case("polybench", 8)
def jacobi_1d(r, n):
    A, B = f64(r, n), f64(r, n)
    a, b = A.copy(), B.copy()
    for _ in range(4):
        b[1:-1] = 0.33333 * (a[:-2] + a[1:-1] + a[2:]) if n > 2 else b[1:-1]
        a[1:-1] = 0.33333 * (b[:-2] + b[1:-1] + b[2:]) if n > 2 else a[1:-1]
    return dict(A=A, B=B, tsteps=4, n=n), dict(A=a, B=b)


@case("polybench", 4)
def jacobi_2d_step(r, n):
    A, B = f64(r, n, n), f64(r, n, n)
    want = B.copy()
    if n > 2:
        want[1:-1, 1:-1] = 0.2 * (A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1])
    return dict(A=A, B=B, n=n), dict(B=want)


@case("polybench", 4)
def heat_3d_step(r, n):
    n = min(n, 11)
    A, B = f64(r, n, n, n), f64(r, n, n, n)
    want, i = B.copy(), slice(1, -1)
    if n > 2:
        want[i, i, i] = (0.125 * (A[2:, i, i] - 2 * A[i, i, i] + A[:-2, i, i]) + 0.125 * (A[i, 2:, i] - 2 * A[i, i, i] + A[i, :-2, i])
                         + 0.125 * (A[i, i, 2:] - 2 * A[i, i, i] + A[i, i, :-2]) + A[i, i, i])
    return dict(A=A, B=B, n=n), dict(B=want)


@case("polybench", 8)
def fdtd_2d(r, n):
    ex, ey, hz, fict = f64(r, n, n + 1), f64(r, n, n + 1), f64(r, n, n + 1), f64(r, 3)
    x, y, z = ex.copy(), ey.copy(), hz.copy()
    for t in range(3):
        y[:1] = fict[t]
        y[1:] -= 0.5 * (z[1:] - z[:-1])
        x[:, 1:] -= 0.5 * (z[:, 1:] - z[:, :-1])
        z[:-1, :-1] -= 0.7 * (x[:-1, 1:] - x[:-1, :-1] + y[1:, :-1] - y[:-1, :-1])
    if not n:  # the row of the boundary is there all the same
        ey = f64(r, 1, 1)
        y = np.full((1, 1), fict[2])
    return dict(ex=ex, ey=ey, hz=hz, fict=fict, tmax=3, nx=n, ny=n + 1), dict(ex=x, ey=y, hz=z)


@case("polybench", 8)
def seidel_2d(r, n):
    A = f64(r, n, n)
    want = A.copy()
    for _ in range(2):
        for i in range(1, n - 1):
            above = want[i - 1, :-2] + want[i - 1, 1:-1] + want[i - 1, 2:] + want[i, 1:-1] + want[i, 2:] + want[i + 1, :-2] + want[i + 1, 1:-1] + want[i + 1, 2:]
            for j in range(1, n - 1):
                want[i, j] = (above[j - 1] + want[i, j - 1]) / 9
    return dict(A=A, tsteps=2, n=n), dict(A=want)


@case("polybench", 4096)
def adi(r, n):
    u, v, p, q = (f64(r, n, n) for _ in range(4))
    tsteps, wanted = 2, dict(u=u.copy(), v=None, p=None, q=None)
    U = wanted["u"]
    if n > 2:
        i = slice(1, n - 1)
        a, d = -(2.0 / tsteps * n * n) / 2, -(1.0 / tsteps * n * n) / 2
        b = e = 1.0 + 1.0 / tsteps * n * n

        def solve(low, middle, rhs):  # the tridiagonal system of each line, by a general solver
            m = n - 2
            matrix = np.eye(m) * middle + np.eye(m, k=1) * low + np.eye(m, k=-1) * low
            rhs = rhs.copy()
            rhs[0] -= low
            rhs[-1] -= low
            return np.linalg.solve(matrix, rhs)

        for _ in range(tsteps):
            V = np.zeros((n, n))
            V[0, i] = V[-1, i] = 1
            V[i, i] = solve(a, b, -d * U[i, :-2] + (1 + 2 * d) * U[i, i] - d * U[i, 2:])
            U[i, 0] = U[i, -1] = 1
            U[i, i] = solve(d, e, (-a * V[:-2, i] + (1 + 2 * a) * V[i, i] - a * V[2:, i]).T).T
    return dict(u=u, v=v, p=p, q=q, tsteps=tsteps, n=n), wanted


@case("polybench", 64)
def deriche_rows(r, n):
    image, alpha = f32(r, n, n + 1), 0.25
    x, e = image.astype(np.float64), math.exp
    k = (1 - e(-alpha))**2 / (1 + 2 * alpha * e(-alpha) - e(2 * alpha))
    a1, a2, a3, a4, b1, b2 = k, k * e(-alpha) * (alpha - 1), k * e(-alpha) * (alpha + 1), -k * e(-2 * alpha), 2**-alpha, -e(-2 * alpha)
    y1, y2 = np.zeros((n, n + 3)), np.zeros((n, n + 3))
    wide = np.pad(x, ((0, 0), (2, 2)))
    for j in range(n + 1):
        y1[:, j + 2] = a1 * wide[:, j + 2] + a2 * wide[:, j + 1] + b1 * y1[:, j + 1] + b2 * y1[:, j]
    for j in range(n, -1, -1):
        y2[:, j] = a3 * wide[:, j + 3] + a4 * wide[:, j + 4] + b1 * y2[:, j + 1] + b2 * y2[:, j + 2]
    y1, y2 = y1[:, 2:], y2[:, :-2]
    return dict(image=image, y1=f32(r, n, n + 1), y2=f32(r, n, n + 1), out=f32(r, n, n + 1), alpha=alpha, w=n + 1, h=n), dict(y1=y1, y2=y2, out=y1 + y2)


@case("polybench")
def floyd_warshall(r, n):
    path = r.integers(1, 1000, (n, n)).astype(np.int32)
    want = path.copy()
    for k in range(n):
        want = np.minimum(want, want[:, k, None] + want[k])
    return dict(path=path, n=n), dict(path=want)


@case("polybench")
def nussinov(r, n):
    seq = r.integers(0, 4, n).astype(np.int32)
    want = np.zeros((n, n), np.int32)
    for length in range(1, n):  # by diagonals
        for i in range(n - length):
            j = i + length
            pair = (want[i + 1, j - 1] if i + 1 <= j - 1 else 0) + (seq[i] + seq[j] == 3 if i < j - 1 else 0)
            want[i, j] = max([pair, *(want[i, k] + want[k + 1, j] for k in range(i, j))])
    return dict(seq=seq, table=np.zeros((n, n), np.int32), n=n), dict(table=want)


# ---- NPBench

@case("npbench")
def compute(r, n):
    x, y = r.integers(-100, 100, n), r.integers(-100, 100, n)
    return dict(array_1=x, array_2=y, out=np.zeros(n, np.int64), a=4, b=3, c=9, n=n), dict(out=np.clip(x, 2, 10) * 4 + y * 3 + 9)


@case("npbench", 16)
def go_fast_trace(r, n):
    a = f64(r, n, n)
    return dict(a=a, trace=np.zeros(1), n=n), dict(trace=np.tanh(np.diag(a)).sum(keepdims=True) + np.zeros(1))


@case("npbench", 1e6)
def mandelbrot1(r, n):
    xn, yn, turns = max(n, 2), n, 12
    c = np.linspace(-2.25, 0.75, xn) + 1j * np.linspace(-1.25, 1.25, max(yn, 2))[:yn, None]
    counts, z = np.zeros(c.shape, np.int64), np.zeros(c.shape, complex)
    for turn in range(turns):
        inside = np.abs(z) < 2.0
        counts[inside] = turn
        z[inside] = z[inside]**2 + c[inside]
    counts[counts == turns - 1] = 0
    zeros = np.zeros(c.shape)
    return (dict(N=counts * 0, Zr=zeros, Zi=zeros, xmin=-2.25, xmax=0.75, ymin=-1.25, ymax=-1.25 + 2.5 * (yn - 1 if yn > 1 else 0) / max(yn - 1, 1), xn=xn, yn=yn, maxiter=turns,
                 horizon=2.0), dict(N=counts if yn != 1 else None, Zr=z.real if yn != 1 else None, Zi=z.imag if yn != 1 else None))


@case("npbench", 64)
def nbody_acceleration(r, n):
    pos, mass = f64(r, n, 3), r.uniform(1, 2, n)
    apart = pos[None] - pos[:, None]
    inverse = ((apart**2).sum(-1) + 0.01)**-1.5
    return dict(pos=pos, mass=mass, acc=f64(r, n, 3), G=1.25, softening=0.1, n=n), dict(acc=1.25 * np.einsum("ijk,ij,j->ik", apart, inverse, mass))


@case("npbench")
def crc16(r, n):
    data = r.integers(0, 256, n).astype(np.uint8)
    table = []
    for byte in range(256):  # by a table, reflected
        for _ in range(8):
            byte = (byte >> 1) ^ (0x8408 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFF
    for byte in data.tolist():
        crc = (crc >> 8) ^ table[(crc ^ byte) & 255]
    crc = ~crc & 0xFFFF
    return dict(data=data, n=n, out=np.zeros(1, np.uint16)), dict(out=np.array([(crc << 8 | crc >> 8) & 0xFFFF], np.uint16))


@case("npbench", 16)
def azimint_naive(r, n):
    radius, data = r.uniform(0, 1, 40 * n), f64(r, 40 * n)
    rmax, npt = radius.max(initial=0), n
    bins = [np.logical_and(rmax * i / npt <= radius, radius < rmax * (i + 1) / npt) for i in range(npt)]
    with np.errstate(all="ignore"):
        want = np.array([data[inside].sum() / inside.sum() for inside in bins])
    return dict(data=data, radius=radius, res=np.zeros(n), rmax=rmax, npt=npt, n=40 * n), dict(res=want)


@case("npbench", 16)
def azimint_hist(r, n):
    radius, data = r.uniform(0, 1, 9 * n + 1), f64(r, 9 * n + 1)
    low, high = (radius.min(), radius.max()) if n else (0.0, 1.0)
    histu, histw = np.histogram(radius, 10, (low, high))[0], np.histogram(radius, 10, (low, high), weights=data)[0]
    return dict(data=data, radius=radius, histu=np.zeros(10, np.int64), histw=np.zeros(10), rmin=low, rmax=high, npt=10, n=9 * n + 1), dict(histu=histu, histw=histw)


@case("npbench", 16)
def hdiff(r, n):
    I, J, K = min(n, 5), min(n, 7), n
    x, coeff = f64(r, I + 4, J + 4, K), f64(r, I, J, K)
    lap = 4 * x[1:I + 3, 1:J + 3] - (x[2:I + 4, 1:J + 3] + x[:I + 2, 1:J + 3] + x[1:I + 3, 2:J + 4] + x[1:I + 3, :J + 2])
    flx = lap[1:, 1:J + 1] - lap[:-1, 1:J + 1]
    flx = np.where(flx * (x[2:I + 3, 2:J + 2] - x[1:I + 2, 2:J + 2]) > 0, 0, flx)
    fly = lap[1:I + 1, 1:] - lap[1:I + 1, :-1]
    fly = np.where(fly * (x[2:I + 2, 2:J + 3] - x[2:I + 2, 1:J + 2]) > 0, 0, fly)
    want = x[2:I + 2, 2:J + 2] - coeff * (flx[1:] - flx[:-1] + fly[:, 1:] - fly[:, :-1])
    return dict(in_field=x, out_field=f64(r, I, J, K), coeff=coeff, I=I, J=J, K=K), dict(out_field=want)


@case("npbench", 64)
def vadv(r, n):
    I, J, K = min(n, 3), min(n, 4), n + 2
    stage, u, pos, utens, wcon = f64(r, I, J, K), f64(r, I, J, K), f64(r, I, J, K), f64(r, I, J, K), r.uniform(-1, 1, (I + 1, J, K))
    want, dtr = stage.copy(), 3.0
    for i in range(I):
        for j in range(J):  # the tridiagonal matrix of a column, by a general solver
            w = 0.25 * (wcon[i + 1, j] + wcon[i, j]) * 0.5
            upper, lower = np.append(w[1:], 0), -np.append(0, w[1:])
            matrix = np.diag(dtr - lower - upper) + np.diag(upper[:-1], 1) + np.diag(lower[1:], -1)
            column = u[i, j]
            rhs = dtr * pos[i, j] + utens[i, j] + stage[i, j]
            rhs[1:] -= lower[1:] * (column[:-1] - column[1:])
            rhs[:-1] -= upper[:-1] * (column[1:] - column[:-1])
            want[i, j] = dtr * (np.linalg.solve(matrix, rhs) - pos[i, j])
    return (dict(utens_stage=stage, u_stage=u, wcon=wcon, u_pos=pos, utens=utens, ccol=f64(r, I, J, K), dcol=f64(r, I, J, K), dtr_stage=dtr, I=I, J=J, K=K),
            dict(utens_stage=want, ccol=None, dcol=None))


@case("npbench", 16)
def spmv(r, n):
    dense = np.where(r.random((n, n + 1)) < 0.2, f64(r, n, n + 1), 0)
    row, col = np.nonzero(dense)
    x = f64(r, n + 1)
    return (dict(A_row=np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.uint32), A_col=col.astype(np.uint32), A_val=dense[row, col], x=x, y=f64(r, n), n=n),
            dict(y=dense @ x))


@case("npbench", 16)
def arc_distance(r, n):
    a, b, c, d = (r.uniform(-1.5, 1.5, n) for _ in range(4))
    t = np.sin((c - a) / 2)**2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2)**2
    return dict(theta_1=a, phi_1=b, theta_2=c, phi_2=d, out=np.zeros(n), n=n), dict(out=2 * np.arctan2(np.sqrt(t), np.sqrt(1 - t)))


@case("npbench", 16)
def conv2d_bias(r, n):
    N, K, C_in, C_out = min(n, 2), 3, 2, 5
    H, W = min(n, 9) + 3, min(n, 6) + 3
    x, w, b = f32(r, N, H, W, C_in), f32(r, K, K, C_in, C_out), f32(r, C_out)
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), (K, K), axis=(1, 2))  # [N, y, x, C_in, K, K]
    want = np.einsum("nyxckl,klco->nyxo", windows, w.astype(np.float64)) + b
    return dict(input=x, weights=w, bias=b, output=f32(r, *want.shape), N=N, H=H, W=W, C_in=C_in, C_out=C_out, K=K), dict(output=want)


@case("npbench", 16)
def stockham_fft_pass(r, n):
    """The last of the passes of an FFT, whose first ones NumPy's transform stands for: s = n / 2 sequences of two."""
    n = 2 * n
    x = f64(r, n) + 1j * f64(r, n)
    half = n // 2
    s = max(half, 1)
    want = np.concatenate([x[:half] + x[half:], x[:half] - x[half:]])
    return dict(xr=x.real.copy(), xi=x.imag.copy(), yr=np.zeros(n), yi=np.zeros(n), s=s, n=n), dict(yr=want.real, yi=want.imag)


# ---- Numba

@case("numba_cuda", 16)
def matmul(r, n):
    A, B = f32(r, n, n + 2), f32(r, n + 2, n + 1)
    return dict(A=A, B=B, C=f32(r, n, n + 1), m=n, n=n + 1, k=n + 2), dict(C=A.astype(np.float64) @ B)


@case("numba_cuda", 16)
def fast_matmul(r, n):
    A, B, C = f32(r, n, n + 2), f32(r, n + 2, n + 1), f32(r, n, n + 1)
    tiles = -(-(n + 2) // 16)
    return dict(A=A, B=B, C=C, m=n, n=n + 1, k=n + 2), dict(C=A.astype(np.float64) @ B), groups((tiles, tiles), (16, 16))


@case("numba_cuda")
def array_sum(r, n):
    data = r.integers(-1000, 1000, n).astype(np.int32)
    want = data.copy()
    want[::16] = padded(data, 16).reshape(-1, 16).sum(axis=1)
    return dict(data=data, size=n), dict(data=want), groups(-(-n // 16), 16)


@case("numba_cuda", 4)
def solve_heat_equation(r, n):
    n += 2
    x = f64(r, n)
    return dict(data=x, next_data=np.zeros(n), k=0.25, size=n), dict(next_data=x + 0.25 * (np.pad(x, 1)[:-2] - 2 * x + np.pad(x, 1)[2:]))


def sessions(r, n):
    user = np.sort(r.integers(0, n // 4 + 1, n))
    time = np.concatenate([np.sort(r.integers(0, 20000, many)) for many in np.bincount(user, minlength=1)]) if n else np.zeros(0, np.int64)
    starts = np.ones(n, bool)
    starts[1:] = (user[1:] != user[:-1]) | (np.diff(time) > 3600)
    return user, time, np.where(starts, np.arange(n), -1)


@case("numba_cuda")
def session_starts(r, n):
    user, time, starts = sessions(r, n)
    return dict(user_id=user, timestamp=time, results=np.zeros(n, np.int64), session_timeout=3600, size=n), dict(results=starts)


@case("numba_cuda")
def session_labels(r, n):
    starts = sessions(r, n)[2]
    return dict(starts=starts, results=np.zeros(n, np.int64), size=n), dict(results=np.maximum.accumulate(starts))


class Xoroshiro:
    """xoroshiro128+ of many states, in uint64 arrays."""

    def __init__(self, r, n):
        self.first = r.integers(0, 2**64, (n, 2), dtype=np.uint64)
        self.s0, self.s1 = self.first[:, 0].copy(), self.first[:, 1].copy()

    def uniform(self):
        total, s1 = self.s0 + self.s1, self.s1 ^ self.s0
        self.s0 = (self.s0 << np.uint64(55) | self.s0 >> np.uint64(9)) ^ s1 ^ s1 << np.uint64(14)
        self.s1 = s1 << np.uint64(36) | s1 >> np.uint64(28)
        return ((total >> np.uint64(11)).astype(np.float64) * 2.0**-53).astype(np.float32)

    def last(self):
        return np.stack([self.s0, self.s1], axis=1)


@case("numba_cuda", 1)
def compute_pi(r, n):
    random = Xoroshiro(r, n)
    first, inside = random.first, np.zeros(n)
    for _ in range(50):
        x, y = random.uniform(), random.uniform()
        inside += x * x + y * y <= np.float32(1)
    return dict(rng_states=first, iterations=50, out=np.zeros(n, np.float32), n=n), dict(out=4 * inside / 50, rng_states=random.last())


@case("numba_cuda", 2)
def mc_integrator_kernel(r, n):
    random = Xoroshiro(r, n)
    first, draw = random.first, random.uniform()
    return dict(out=np.zeros(n, np.float32), rng_states=first, lower_lim=1.0, upper_lim=5.0, size=n), dict(out=1 / (draw * np.float32(4) + np.float32(1)), rng_states=random.last())


@case("numba_cuda")
def random_3d(r, n):
    X, Y, Z = min(n, 5), min(n, 6), min(n, 9)
    grid = (4, 2, 2)
    random, want = [Xoroshiro(r, 1) for _ in range(16)], np.zeros((X, Y, Z), np.float32)
    first = np.concatenate([one.first for one in random])
    for i in range(X):
        for j in range(Y):
            for k in range(Z):
                want[i, j, k] = random[(i % 2 * 2 + j % 2) * 4 + k % 4].uniform()[0]
    return dict(arr=want * 0, rng_states=first, X=X, Y=Y, Z=Z), dict(arr=want, rng_states=np.concatenate([one.last() for one in random])), dict(grid=grid, local=(2, 2, 1))


@case("numba_cuda")
def use_sm_chunk_copy(r, n):
    x = r.integers(0, 100, n).astype(np.int32)
    return dict(x=x, y=np.zeros(n, np.int32), n=n), dict(y=x), groups(-(-n // 16), 16)


@case("numba_cuda", 64)
def black_scholes(r, n):
    S, X, T, R, V = r.uniform(5, 30, n), r.uniform(1, 100, n), r.uniform(0.25, 10, n), 0.02, 0.3

    def normal(d):
        k = 1 / (1 + 0.2316419 * np.abs(d))
        tail = 1 / math.sqrt(2 * math.pi) * np.exp(-d * d / 2) * np.polyval([1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153, 0], k)
        return np.where(d > 0, 1 - tail, tail)

    d1 = (np.log(S / X) + (R + V * V / 2) * T) / (V * np.sqrt(T))
    d2 = d1 - V * np.sqrt(T)
    call = S * normal(d1) - X * np.exp(-R * T) * normal(d2)
    put = X * np.exp(-R * T) * (1 - normal(d2)) - S * (1 - normal(d1))
    return dict(callResult=np.zeros(n), putResult=np.zeros(n), S=S, X=X, T=T, R=R, V=V, n=n), dict(callResult=call, putResult=put)


@case("numba_cuda")
def transpose(r, n):
    a = f32(r, n, n + 3)
    return dict(a=a, b=f32(r, n + 3, n), rows=n, columns=n + 3), dict(b=a.T), groups((-(-(n + 3) // 8), -(-n // 8)), (8, 8))


@case("numba_cuda", 1, each=True)
def grid_stride_saxpy(r, n):
    x, y = f32(r, n), f32(r, n)
    return dict(out=f32(r, n), x=x, y=y, a=2.5, n=n), dict(out=np.float32(2.5) * x + y), groups(2, 8)


@case("numba_cuda")
def create_fractal(r, n):
    w, h, iters = n, n + 2, 20
    c = (-2.0 + np.arange(w) * (3.0 / max(w, 1))) + 1j * (-1.0 + np.arange(h) * (2.0 / h))[:, None]
    z, want = np.zeros(c.shape, complex), np.full(c.shape, iters, np.uint8)
    with np.errstate(all="ignore"):
        for i in range(iters):
            z = z * z + c
            want[(want == iters) & ((z.real**2 + z.imag**2) >= 4)] = i
    return dict(min_x=-2.0, max_x=1.0, min_y=-1.0, max_y=1.0, image=want * 0, width=w, height=h, iters=iters), dict(image=want), groups((2, 3), (3, 2))


def life(board):
    around = sum(np.roll(board, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)) - board
    return (around == 3) | (board != 0) & (around == 2)


@case("numba_cuda")
def game_of_life(r, n):
    board = r.integers(0, 2, (n, n + 1)).astype(np.uint8)
    return dict(board=board, new_board=board * 0 + 7, width=n + 1, height=n), dict(new_board=life(board).astype(np.uint8))


@case("numba_cuda")
def histogram(r, n):
    x = (r.integers(-2000, 2000, 7 * n) / 512).astype(np.float32)  # of a grid on which nothing is rounded
    inside = x[(x >= -2) & (x < 2)]
    return dict(x=x, xmin=-2.0, xmax=2.0, histogram_out=np.zeros(16, np.int32), nbins=16, n=len(x)), dict(histogram_out=_bins(x, inside)), groups(2, 16)


def _bins(x, inside):
    want = np.histogram(inside, 16, (-2, 2))[0].astype(np.int32)
    want[0] += ((x > -2.25) & (x < -2)).sum()  # what rounds towards 0 into the first bin
    return want


@case("numba_cuda")
def min_max(r, n):
    x = f32(r, 5 * n)
    start = np.array([np.inf, -np.inf], np.float32)
    return dict(x=x, min_max_array=start, n=len(x)), dict(min_max_array=np.array([x.min(initial=np.inf), x.max(initial=-np.inf)], np.float32)), groups(2, 8)


# ---- CUDA samples

@case("cuda_samples", 16)
def reduce_sequential(r, n):
    x = f32(r, 9 * n)
    each = [x[[i for i in range(len(x)) if i // 64 % 3 == group]].astype(np.float64).sum() for group in range(3)]
    return dict(g_idata=x, g_odata=np.zeros(3, np.float32), n=len(x)), dict(g_odata=np.array(each)), groups(3, 64)


@case("cuda_samples")
def scan_hillis_steele(r, n):
    x = r.integers(-10**9, 10**9, 3 * n).astype(np.int32)
    count = max(1, -(-len(x) // 64))
    scanned = np.cumsum(np.resize(padded(x, 64), (count, 64)) if n else np.zeros((1, 64)), axis=1).astype(np.int64).astype(np.int32)
    return dict(x=x, y=x * 0, sums=np.zeros(count, np.int32), n=len(x)), dict(y=scanned.ravel()[:len(x)], sums=scanned[:, -1]), groups(count, 64)


@case("cuda_samples", 16)
def scan_blelloch(r, n):
    x = f32(r, 3 * n + 1)
    whole = padded(x, 64).reshape(-1, 64).astype(np.float64)
    return dict(g_odata=x * 0, g_idata=x, n=len(x)), dict(g_odata=(np.cumsum(whole, axis=1) - whole).ravel()[:len(x)]), groups(len(whole), 32)


@case("cuda_samples")
def transpose_tile(r, n):
    a = f32(r, n, n + 5)
    return dict(odata=f32(r, n + 5, n), idata=a, width=n + 5, height=n), dict(odata=a.T), groups((-(-(n + 5) // 16), -(-n // 16)), (16, 4))


@case("cuda_samples")
def bitonic_sort_shared(r, n):
    count = min(n, 3) or 1
    keys = r.permutation(10**6)[:128 * count].astype(np.uint32).reshape(count, 128)
    order = np.argsort(keys, axis=1) if n % 2 else np.argsort(keys, axis=1)[:, ::-1]
    want = np.take_along_axis(keys, order, 1)
    return dict(d_key=keys, d_val=keys * 3, ascending=bool(n % 2)), dict(d_key=want, d_val=want * 3), groups(count, 64)


@case("cuda_samples")
def bitonic_merge_global(r, n):
    n = 1 << max(n, 2).bit_length()
    x = np.concatenate([np.sort(f32(r, n // 2)), np.sort(f32(r, n // 2))[::-1]])
    low, high = np.minimum(x[:n // 2], x[n // 2:]), np.maximum(x[:n // 2], x[n // 2:])
    return dict(d_key=x, size=2 * n, stride=n // 2, n=n), dict(d_key=np.concatenate([low, high]))


@case("cuda_samples", 16)
def convolution_rows(r, n):
    src, kernel = f32(r, n, n + 2), f32(r, 17)
    want = np.array([np.convolve(row.astype(np.float64), kernel, "full")[8:8 + n + 2] for row in src]).reshape(n, n + 2)
    return dict(d_dst=f32(r, n, n + 2), d_src=src, c_kernel=kernel, width=n + 2, height=n), dict(d_dst=want), groups((-(-(n + 2) // 16), -(-n // 4)), (16, 4))


@case("cuda_samples", 16)
def dct8x8(r, n):
    across = min(n, 3) or 1
    src = f32(r, 8, 8 * across)
    k = np.arange(8)
    A = np.cos((2 * k + 1) * k[:, None] * math.pi / 16) * np.where(k == 0, math.sqrt(1 / 8), 0.5)[:, None]
    want = np.concatenate([A @ src[:, 8 * i:8 * i + 8].astype(np.float64) @ A.T for i in range(across)], axis=1)
    return dict(dst=src * 0, src=src, stride=8 * across), dict(dst=want), groups((across, 1), (8, 8))


@case("cuda_samples", 64)
def nbody_tiles(r, n):
    pos, mass = f32(r, n, 3), r.uniform(1, 2, n).astype(np.float32)
    apart = pos[None].astype(np.float64) - pos[:, None]
    inverse = ((apart**2).sum(-1) + 0.0625)**-1.5
    return dict(pos=pos, mass=mass, acc=f32(r, n, 3), softening_squared=0.0625, n=n), dict(acc=np.einsum("ijk,ij,j->ik", apart, inverse, mass)), groups(-(-n // 32), 32)


@case("cuda_samples", 16)
def scalar_prod(r, n):
    A, B = f32(r, 5, n), f32(r, 5, n)
    return dict(d_C=f32(r, 5), d_A=A, d_B=B, vector_n=5, element_n=n), dict(d_C=(A.astype(np.float64) * B).sum(axis=1)), groups(2, 32)


@case("cuda_samples")
def histogram256(r, n):
    data = r.integers(0, 2**32, 3 * n, dtype=np.uint32)
    before = r.integers(0, 9, 256).astype(np.uint32)
    return dict(d_partial=before, d_data=data, data_count=len(data)), dict(d_partial=(before + np.bincount(data.view(np.uint8), minlength=256)).astype(np.uint32)), groups(3, 64)


@case("cuda_samples", 16)
def fast_walsh_transform(r, n):
    log2n = min(n, 7)
    x = f32(r, 2, 1 << log2n)
    H = np.ones((1, 1))
    for _ in range(log2n):
        H = np.block([[H, H], [H, -H]])
    return dict(d_output=x * 0, d_input=x, log2n=log2n), dict(d_output=x.astype(np.float64) @ H), groups(2, 32)


@case("cuda_samples", 16)
def haar_wavelet(r, n):
    count = min(n, 3) or 1
    x = f32(r, count, 64)
    want, rest = np.zeros((count, 64)), x.astype(np.float64)
    while rest.shape[1] > 1:
        half = rest.shape[1] // 2
        want[:, half:2 * half] = (rest[:, ::2] - rest[:, 1::2]) / math.sqrt(2)
        rest = (rest[:, ::2] + rest[:, 1::2]) / math.sqrt(2)
    return dict(id=x, od=np.zeros((count, 64), np.float32), approx=np.zeros(count, np.float32)), dict(od=want, approx=rest[:, 0]), groups(count, 32)


@case("cuda_samples", 64)
def binomial_options(r, n):
    n = max(n, 1)
    S, X = r.uniform(5, 30, n).astype(np.float32), r.uniform(1, 100, n).astype(np.float32)
    dt, riskfree, volatility = 0.05 / 32 * 64, 0.06, 0.1
    v_dt = np.float32(volatility * math.sqrt(dt))
    up, down, growth = math.exp(v_dt), math.exp(-v_dt), math.exp(riskfree * dt)
    pu, df = (growth - down) / (up - down), math.exp(-riskfree * dt)
    a, b = np.float32(pu * df), np.float32((1 - pu) * df)
    ends = np.maximum(S[:, None] * np.exp(float(v_dt) * (2.0 * np.arange(33) - 32)) - X[:, None], 0)
    weights = np.array([math.comb(32, k) * float(a)**k * float(b)**(32 - k) for k in range(33)])
    return dict(S=S, X=X, result=S * 0, v_dt=v_dt, pu_by_df=a, pd_by_df=b), dict(result=ends @ weights), groups(n, 32)


@case("cuda_samples")
def thread_fence_reduction(r, n):
    x = r.integers(-2**40, 2**40, 5 * n)
    count = max(1, -(-len(x) // 64))
    return dict(g_idata=x, g_odata=np.zeros(2, np.int64), retirement_count=np.zeros(1, np.uint32), n=len(x)), dict(g_odata=np.array([x.sum(), count]),
                                                                                                                     retirement_count=np.array([count], np.uint32)), groups(count, 64)


@case("cuda_samples")
def simple_atomics(r, n):
    start = np.array([0, 0, 5, -7, 9, 1, 1, -1], np.int32)
    want = start.copy()
    want[:2] += [10 * n, -10 * n]
    if n:
        want[3], want[4], want[7] = max(n - 1, -7), 0, 5
    return dict(g_odata=start, n=n), dict(g_odata=want)


@case("cuda_samples")
def sobel_filter(r, n):
    pixels = r.integers(0, 256, (n, n + 3)).astype(np.uint8)
    p = np.pad(pixels.astype(int), 1, mode="edge") if n else np.zeros((2, n + 5), int)
    smooth = p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]
    vert = smooth[:-2] - smooth[2:]
    smooth = p[:-2] + 2 * p[1:-1] + p[2:]
    horz = smooth[:, 2:] - smooth[:, :-2]
    return dict(pixels=pixels, out=pixels * 0, w=n + 3, h=n, scale=0.5), dict(out=np.clip((np.abs(horz) + np.abs(vert)) // 2, 0, 255).astype(np.uint8))


@case("cuda_samples", 0.51, each=True)
def sobol(r, n):
    vectors = (r.integers(0, 2**31, 32) * 2 + 1).astype(np.uint32)
    i = np.arange(n)
    gray = i ^ i >> 1
    X = np.zeros(n, np.uint32)
    for bit in range(32):
        X ^= np.where(gray >> bit & 1, vectors[bit], 0).astype(np.uint32)
    return dict(vectors=vectors, output=np.zeros(n, np.float32), n_vectors=n), dict(output=X.astype(np.float32) / 2.0**32)


@case("cuda_samples")
def line_of_sight(r, n):
    angles = f32(r, n)
    highest = np.maximum.accumulate(angles)
    visible = np.ones(n, bool)
    visible[1:] = angles[1:] > highest[:-1]
    return dict(angles=angles, scanned=angles * 0, visible=np.zeros(n, bool), n=n), dict(scanned=highest, visible=visible)


@case("cuda_samples")
def sturm_count(r, n):
    d, e = f32(r, n), f32(r, max(n - 1, 0))
    x = np.linspace(-4, 4, n + 1).astype(np.float32)
    values = np.linalg.eigvalsh(np.diag(d.astype(np.float64)) + np.diag(e.astype(np.float64), 1) + np.diag(e.astype(np.float64), -1)) if n else np.zeros(0)
    return dict(d=d, e2=np.concatenate([[0], e**2]).astype(np.float32)[:n], x=x, count=np.zeros(n + 1, np.uint32), n=n, m=n + 1), dict(count=(values < x[:, None]).sum(axis=1).astype(np.uint32))


# ---- PyTorch, Triton, language models

def bf16(r, *shape):
    return f32(r, *shape).astype(bfloat16)


def double(array):
    return array.astype(np.float64)


@case("torch_ops", 4)
def rope(r, n):
    heads, half = 3, 5
    q, angle = f32(r, n, heads, 2, half), np.outer(np.arange(n), 0.1**np.arange(half))
    c, s = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    z = (double(q[:, :, 0]) + 1j * q[:, :, 1]) * (double(c) + 1j * s)[:, None]
    return dict(q=q, cos_table=c, sin_table=s, out=q * 0, seq=n, heads=heads, dim=2 * half), dict(out=np.stack([z.real, z.imag], axis=2))


@case("torch_ops", 0.6, each=True)
def rms_norm(r, n):
    x, w = bf16(r, n, 2 * n + 1), bf16(r, 2 * n + 1)
    wide = double(x)
    return dict(x=x, weight=w, out=bf16(r, n, 2 * n + 1), eps=1e-5, rows=n, n=2 * n + 1), dict(out=wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5) * double(w))


def softmax(x):
    e = np.exp(double(x) - x.max(axis=1, keepdims=True, initial=-1e30))
    return e / e.sum(axis=1, keepdims=True)


@case("torch_ops", 16)
def softmax_online(r, n):
    x = 5 * f32(r, n, n + 2)
    return dict(x=x, y=x * 0, rows=n, n=n + 2), dict(y=softmax(x))


@case("torch_ops", 16)
def softmax_group(r, n):
    rows = min(n, 5) or 1
    x = 5 * f32(r, rows, 3 * n)
    return dict(x=x, y=x * 0, n=3 * n), dict(y=softmax(x)), groups(rows, 32)


@case("torch_ops", 16)
def cross_entropy(r, n):
    x, target = 3 * f32(r, n, n + 3), r.integers(0, n + 3, n)
    target[n // 2:n // 2 + 1] = -100
    want = np.where(target == -100, 0, -np.log(softmax(x))[np.arange(n), np.maximum(target, 0)])
    return dict(logits=x, target=target, losses=f32(r, n), ignore_index=-100, rows=n, n=n + 3), dict(losses=want)


@case("torch_ops", 32)
def layer_norm_backward(r, n):
    m = n + 2
    dy, x, w = f32(r, n, m), f32(r, n, m), f32(r, m)
    mean, rstd = x.mean(axis=1), (1 / np.sqrt(x.var(axis=1) + 1e-5)).astype(np.float32)
    xhat, wdy = (double(x) - double(mean)[:, None]) * double(rstd)[:, None], double(dy) * w
    dx = (wdy - (xhat * (xhat * wdy).mean(axis=1, keepdims=True) + wdy.mean(axis=1, keepdims=True))) * double(rstd)[:, None]
    zeros = np.zeros(m, np.float32)
    return dict(dy=dy, x=x, w=w, mean=mean, rstd=rstd, dx=x * 0, dw=zeros, db=zeros, rows=n, n=m), dict(dx=dx, dw=(dy * xhat).sum(axis=0), db=double(dy).sum(axis=0))


@case("torch_ops")
def quantize_int8(r, n):
    x = f32(r, n, n + 4)
    x[1:2] = 0
    amax = np.abs(x).max(axis=1)
    scales = np.where(amax > 0, amax / np.float32(127), 1).astype(np.float32)
    return dict(x=x, q=np.zeros(x.shape, np.int8), scales=scales * 0, rows=n, n=n + 4), dict(q=np.rint(x / scales[:, None]).astype(np.int8), scales=scales)


@case("torch_ops", 0.51, each=True)
def dequantize_int4(r, n):
    values, group = r.integers(0, 16, n), 7
    scales, zeros = r.uniform(0.1, 1, -(-n // group)).astype(np.float16), r.integers(0, 16, -(-n // group)).astype(np.uint8)
    pairs = padded(values, 2).reshape(-1, 2)
    which = np.arange(n) // group
    return (dict(packed=(pairs[:, 0] + 16 * pairs[:, 1]).astype(np.uint8), scales=scales, zeros=zeros, out=np.zeros(n, np.float16), group=group, n=n),
            dict(out=(values - zeros[which].astype(int)) * double(scales[which])))


@case("torch_ops", 1.5, each=True)
def int8_matmul(r, n):
    a, b = r.integers(-128, 128, (n, n + 9)).astype(np.int8), r.integers(-128, 128, (n + 9, n + 1)).astype(np.int8)
    sa, sb = f32(r, n), f32(r, n + 1)
    want = double(a.astype(int) @ b.astype(int)) * sa[:, None] * sb
    return dict(a=a, b=b, sa=sa, sb=sb, c=f32(r, n, n + 1), m=n, n=n + 1, k=n + 9), dict(c=want)


@case("torch_ops")
def argmax_rows(r, n):
    x = r.integers(0, 9, (n, n + 3)).astype(np.float32)
    return dict(x=x, index=np.zeros(n, np.int64), rows=n, n=n + 3), dict(index=x.argmax(axis=1))


@case("torch_ops")
def argmax_key(r, n):
    x = r.integers(0, 50, 9 * n).astype(np.uint32)
    want = [int(x.max()) << 32 | 0xFFFFFFFF - int(x.argmax())] if n else [0]
    return dict(x=x, key=np.zeros(1, np.uint64), n=len(x)), dict(key=np.array(want, np.uint64))


@case("torch_ops")
def embedding(r, n):
    weight, ids = f32(r, 10, n), r.integers(0, 10, 2 * n).astype(np.int32)
    return dict(weight=weight, ids=ids, out=f32(r, 2 * n, n), tokens=2 * n, dim=n), dict(out=weight[ids])


@case("torch_ops", 16)
def embedding_backward(r, n):
    dout, ids, want = f32(r, 3 * n, n), r.integers(0, 10, 3 * n).astype(np.int32), np.zeros((10, n))
    np.add.at(want, ids[ids != 4], dout[ids != 4])
    return dict(dout=dout, ids=ids, dweight=np.zeros((10, n), np.float32), padding_idx=4, tokens=3 * n, dim=n), dict(dweight=want)


@case("torch_ops", 16)
def adamw(r, n):
    p, g, m, v = f32(r, n), bf16(r, n), f32(r, n), f32(r, n)**2
    lr, b1, b2, decay, step = 1e-3, 0.9, 0.999, 0.01, 3
    M, V = b1 * double(m) + (1 - b1) * double(g), b2 * double(v) + (1 - b2) * double(g)**2
    P = p * (1 - lr * decay) - lr * (M / (1 - b1**step)) / (np.sqrt(V / (1 - b2**step)) + 1e-8)
    return (dict(p=p, g=g, m=m, v=v, p16=bf16(r, n), lr=lr, beta1=b1, beta2=b2, eps=1e-8, decay=decay, step=step, n=n), dict(p=P, m=M, v=None, p16=P))


@case("torch_ops", 0.6, each=True)
def swiglu(r, n):
    x = bf16(r, n, 2, 2 * n)
    gate, up = double(x[:, 0]), double(x[:, 1])
    return dict(gate_up=x, out=bf16(r, n, 2 * n), rows=n, n=2 * n), dict(out=gate / (1 + np.exp(-gate)) * up)


@case("torch_ops", 2)
def gelu_tanh(r, n):
    x = f32(r, 9 * n).astype(np.float16)
    v = double(x)
    return dict(x=x, y=x * 0, n=len(x)), dict(y=0.5 * v * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))))


def philox(seed, counter):
    c, k = [counter, 0, 0, 0], [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        first, second = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [second >> 32 ^ c[1] ^ k[0], second & 0xFFFFFFFF, first >> 32 ^ c[3] ^ k[1], first & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


@case("torch_ops", 1, each=True)
def dropout_seeded(r, n):
    assert philox(0x299f31d0_a4093822 << 0 & 0, 0) == [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]  # the published vector for zeros
    x, seed = f32(r, n), 0x123456789abcdef0
    keep = np.array([(philox(seed, i)[0] >> 8) / 2**24 > np.float32(0.3) for i in range(n)], bool)
    return dict(x=x, out=x * 0, p=0.3, seed=seed, n=n), dict(out=np.where(keep, x / (1 - np.float64(np.float32(0.3))), 0))


@case("torch_ops", 32)
def attention_row(r, n):
    q, k, v = f32(r, n, 7), f32(r, n + 2, 7), f32(r, n + 2, 7)
    s = np.where(np.tri(n, n + 2, dtype=bool), double(q) @ k.T * 0.375, -np.inf)
    return dict(q=q, k=k, v=v, out=q * 0, scale=0.375, queries=n, keys=n + 2, dim=7), dict(out=softmax(s) @ v)


@case("torch_ops")
def paged_gather(r, n):
    cache, table = f32(r, 12, 4, 3).astype(np.float16), r.permutation(12).astype(np.int32)
    length = min(n, 45)
    return dict(cache=cache, block_table=table, out=np.zeros((length, 3), np.float16), block_size=4, dim=3, length=length), dict(out=cache[table].reshape(-1, 3)[:length])


@case("torch_ops")
def max_pool_indices(r, n):
    planes, H, W, k, stride, pad = 2, n + 3, n + 5, 3, 2, 1
    x = r.integers(0, 30, (planes, H, W)).astype(np.float32)
    Ho, Wo = (H + 2 * pad - k) // stride + 1, (W + 2 * pad - k) // stride + 1
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf), (k, k), axis=(1, 2))[:, ::stride, ::stride]
    flat = windows.reshape(planes, Ho, Wo, k * k)
    best = flat.argmax(axis=3)
    at = (np.arange(Ho)[:, None] * stride - pad + best // k) * W + np.arange(Wo) * stride - pad + best % k
    return (dict(x=x, y=np.zeros((planes, Ho, Wo), np.float32), indices=at * 0, planes=planes, H=H, W=W, k=k, stride=stride, pad=pad, Ho=Ho, Wo=Wo), dict(y=flat.max(axis=3), indices=at))


@case("torch_ops", 256)
def upsample_bilinear(r, n):
    h, w, H, W = n + 1, n + 2, 2 * n + 3, 3 * n + 1
    x = f32(r, h, w)

    def weights(few, many):
        at = np.maximum((np.arange(many) + 0.5) * few / many - 0.5, 0)
        low = at.astype(int)
        matrix = np.zeros((many, few))
        np.add.at(matrix, (np.arange(many), low), 1 - (at - low))
        np.add.at(matrix, (np.arange(many), np.minimum(low + 1, few - 1)), at - low)
        return matrix

    return dict(x=x, y=np.zeros((H, W), np.float32), h=h, w=w, H=H, W=W), dict(y=weights(h, H) @ x @ weights(w, W).T)


@case("torch_ops")
def nms_mask(r, n):
    corner = r.integers(0, 20, (n, 2))
    boxes = np.concatenate([corner, corner + r.integers(1, 20, (n, 2))], axis=1).astype(np.float32)
    b, words = double(boxes), -(-n // 64)
    inside = np.clip(np.minimum(b[:, None, 2:], b[None, :, 2:]) - np.maximum(b[:, None, :2], b[None, :, :2]), 0, None).prod(axis=2)
    area = (b[:, 2:] - b[:, :2]).prod(axis=1)
    over = np.triu(inside / (area[:, None] + area - inside) > 0.4375, 1)
    bits = np.packbits(np.pad(over, ((0, 0), (0, words * 64 - n))), axis=1, bitorder="little").view(np.uint64)
    return dict(boxes=boxes, mask=bits * 0, threshold=0.4375, n=n, words=words), dict(mask=bits)


@case("torch_ops")
def bucketize(r, n):
    values, boundaries = r.integers(0, 50, 5 * n).astype(np.float32), np.sort(r.integers(0, 50, n)).astype(np.float32)
    return dict(values=values, boundaries=boundaries, out=np.zeros(5 * n, np.int64), n=5 * n, count=n), dict(out=np.searchsorted(boundaries, values))


@case("torch_ops", 16)
def cumsum_rows(r, n):
    x = f32(r, n, n + 4)
    return dict(x=x, y=f64(r, n, n + 4), rows=n, n=n + 4), dict(y=np.cumsum(double(x), axis=1))


@case("torch_ops")
def segment_sum(r, n):
    x, offsets = r.integers(-2**31, 2**31, 9 * n).astype(np.int32), np.sort(r.integers(0, 9 * n + 1, n + 1)).astype(np.uint32)
    return dict(x=x, offsets=offsets, out=np.zeros(n, np.int64), segments=n), dict(out=np.array([x[a:b].sum(dtype=np.int64) for a, b in zip(offsets, offsets[1:])], np.int64))


# ---- integers

M32, M64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


def u32s(r, *shape):
    return r.integers(0, 2**32, shape, dtype=np.uint32)


def mixed32(h):
    h = (h ^ h >> 16) * 0x85ebca6b & M32
    h = (h ^ h >> 13) * 0xc2b2ae35 & M32
    return h ^ h >> 16


def murmur(words, seed):
    h = seed
    for k in words:
        k = k * 0xcc9e2d51 & M32
        k = (k << 15 | k >> 17) & M32
        h ^= k * 0x1b873593 & M32
        h = (h << 13 | h >> 19) & M32
        h = (h * 5 + 0xe6546b64) & M32
    return mixed32(h ^ 4 * len(words))


@case("integers")
def murmur3_32(r, n):
    assert murmur([int.from_bytes(b"test", "little")], 0x9747b28c) == 0x704b81dc
    data, lengths = u32s(r, n, 5), r.integers(0, 6, n).astype(np.uint32)
    want = [murmur([int(word) for word in row[:length]], 0x9747b28c) for row, length in zip(data, lengths)]
    return dict(data=data, lengths=lengths, width=5, seed=0x9747b28c, out=u32s(r, n), n=n), dict(out=np.array(want, np.uint32))


@case("integers")
def splitmix64(r, n):
    def one(state):
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & M64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & M64
        return z ^ z >> 31
    seed = 0xFEDCBA9876543210
    assert one(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF
    return dict(out=np.zeros(n, np.uint64), seed=seed, n=n), dict(out=np.array([one(seed + (i + 1) * 0x9E3779B97F4A7C15 & M64) for i in range(n)], np.uint64))


@case("integers")
def pcg32(r, n):
    state, inc = r.integers(0, 2**64, n, dtype=np.uint64), r.integers(0, 2**64, n, dtype=np.uint64)
    now, want = [int(s) for s in state], np.zeros((n, 3), np.uint32)
    for draw in range(3):
        for i in range(n):
            shifted, turn = (now[i] >> 18 ^ now[i]) >> 27 & M32, now[i] >> 59
            want[i, draw] = (shifted >> turn | shifted << (32 - turn)) & M32
            now[i] = (now[i] * 6364136223846793005 + (int(inc[i]) | 1)) & M64
    return dict(state=state, inc=inc, out=want * 0, draws=3, n=n), dict(out=want, state=np.array(now, np.uint64))


@case("integers")
def popcount_words(r, n):
    x = u32s(r, n)
    return dict(x=x, out=np.zeros(n, np.uint8), n=n), dict(out=np.unpackbits(x.view(np.uint8)).reshape(n, 32).sum(axis=1).astype(np.uint8))


@case("integers")
def reverse_bits(r, n):
    x = u32s(r, n)
    return dict(x=x, out=x * 0, n=n), dict(out=np.array([int(f"{v:032b}"[::-1], 2) for v in x], np.uint32))


@case("integers")
def morton3d(r, n):
    p = r.uniform(-0.1, 1.1, (3, n)).astype(np.float32)
    cells = np.clip(p * 1024, 0, 1023).astype(int)
    want = [int("".join(a + b + c for a, b, c in zip(*(f"{v:010b}" for v in cell))), 2) for cell in cells.T]
    return dict(x=p[0], y=p[1], z=p[2], code=np.zeros(n, np.uint32), n=n), dict(code=np.array(want, np.uint32))


@case("integers")
def crc32(r, n):
    texts = [r.integers(0, 256, r.integers(0, 30)).astype(np.uint8) for _ in range(n)]
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.uint32)
    return (dict(data=np.concatenate([np.zeros(0, np.uint8), *texts]), offsets=offsets, out=np.zeros(n, np.uint32), n=n), dict(out=np.array([zlib.crc32(text.tobytes()) for text in texts], np.uint32)))


@case("integers")
def collatz(r, n):
    start, want = r.integers(1, 10**6, n).astype(np.uint64), []
    for v in start.tolist():
        steps = 0
        while v != 1:
            v, steps = (v // 2, steps + 1) if v % 2 == 0 else (3 * v + 1, steps + 1)
        want.append(steps)
    return dict(start=start, steps=np.zeros(n, np.uint32), n=n), dict(steps=np.array(want, np.uint32))


@case("integers")
def gcd_pairs(r, n):
    a, b = r.integers(-10**6, 10**6, n), r.integers(-50, 50, n) * 12
    return dict(a=a, b=b, out=a * 0, n=n), dict(out=np.gcd(a, b))


@case("integers")
def mod_pow(r, n):
    base, exponent = r.integers(0, 2**64, n, dtype=np.uint64), r.integers(0, 2**64, n, dtype=np.uint64)
    return dict(base=base, exponent=exponent, modulus=4294967291, out=base * 0, n=n), dict(out=np.array([pow(int(b), int(e), 4294967291) for b, e in zip(base, exponent)], np.uint64))


@case("integers")
def sieve(r, n):
    n *= 30
    want = np.array([i > 3 and any(i % d == 0 for d in range(2, math.isqrt(i) + 1)) for i in range(n)], bool)
    return dict(composite=np.zeros(n, bool), n=n), dict(composite=want)


@case("integers")
def levenshtein(r, n):
    a, b = r.integers(0, 3, n).astype(np.uint8), r.integers(0, 3, n + 1).astype(np.uint8)
    table = np.add.outer(np.arange(n + 1), np.arange(n + 2)).astype(np.int32)
    for i in range(n):
        for j in range(n + 1):
            table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + (a[i] != b[j]))
    return dict(a=a, b=b, row=np.zeros(n + 2, np.int32), out=np.zeros(1, np.int32), m=n, n=n + 1), dict(row=table[n], out=table[n, -1:])


@case("integers")
def hex_encode(r, n):
    data = r.integers(0, 256, n).astype(np.uint8)
    return dict(data=data, text=np.zeros(2 * n, np.uint8), n=n), dict(text=np.frombuffer(data.tobytes().hex().encode(), np.uint8))


@case("integers")
def utf8_count(r, n):
    text = "".join(chr(c) for c in r.choice([65, 0xe9, 0x20ac, 0x1f600], n))
    data = np.frombuffer(text.encode(), np.uint8)
    return dict(data=data, count=np.array([5], np.uint32), n=len(data)), dict(count=np.array([5 + n], np.uint32))


def graph(r, n):
    """n vertices, about 2n edges both ways, as compressed rows."""
    ends = r.integers(0, max(n, 1), (2, 2 * n if n else 0))
    source, target = np.concatenate([ends, ends[::-1]], axis=1)
    order = np.argsort(source, kind="stable")
    return source[order].astype(np.int32), target[order].astype(np.int32), np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n))]).astype(np.uint32)


@case("integers")
def bfs_frontier(r, n):
    source, target, row = graph(r, n)
    level = np.full(n, -1, np.int32)
    frontier = r.permutation(n)[:n // 4].astype(np.int32)
    level[frontier] = 0
    want, queue = level.copy(), []
    for v in frontier:
        for u in target[row[v]:row[v + 1]]:
            if want[u] < 0:
                want[u] = 1
                queue.append(u)
    return (dict(row=row, col=target, level=level, frontier=frontier, next=np.zeros(n, np.int32), next_count=np.zeros(1, np.uint32), depth=0, count=len(frontier)),
            dict(level=want, next=np.pad(np.array(queue, np.int32), (0, n - len(queue))), next_count=np.array([len(queue)], np.uint32)))


@case("integers")
def label_propagation(r, n):
    """From the labels that a search gives all but the last of its vertices: one round ends it."""
    source, target, row = graph(r, n)
    want = np.full(n, -1, np.int32)
    for start in range(n):
        queue = deque([start] if want[start] < 0 else [])
        while queue:
            v = queue.popleft()
            if want[v] < 0:
                want[v] = start
                queue.extend(target[row[v]:row[v + 1]])
    label = want.copy()
    lonely = [v for v in range(n) if want[v] != v and (want == want[v]).sum() > 1][-1:]
    label[lonely] = lonely
    return dict(source=source, target=target, label=label, changed=np.zeros(1, np.int32), edges=len(source)), dict(label=want, changed=np.array([len(lonely)], np.int32))


@case("integers")
def hash_insert(r, n):
    keys, size = r.integers(0, n + 1, 3 * n).astype(np.uint32), 1 << (n + 2).bit_length() + 1
    table, counts = np.full(size, M32, np.uint32), np.zeros(size, np.uint32)
    for key in keys.tolist():
        at = mixed32(key) & size - 1
        while table[at] not in (M32, key):
            at = (at + 1) % size
        table[at] = key
        counts[at] += 1
    return dict(keys=keys, table=table * 0 + np.uint32(M32), counts=counts * 0, mask=size - 1, n=3 * n), dict(table=table, counts=counts)


@case("integers")
def bellman_ford_round(r, n):
    source, target, _ = graph(r, n)
    weight, before = r.uniform(0, 1, len(source)).astype(np.float32), r.uniform(0, 9, n).astype(np.float32)
    want = before.copy()
    np.minimum.at(want, target, before[source] + weight)
    return (dict(source=source.astype(np.uint32), target=target.astype(np.uint32), weight=weight, distance=before.copy(), before=before, edges=len(source)), dict(distance=want))


@case("integers", 8)
def k_means_assign(r, n):
    x, centroids = f32(r, 5 * n, 3), f32(r, 4, 3)
    nearest = ((double(x)[:, None] - centroids)**2).sum(axis=2).argmin(axis=1)
    sums = np.zeros((4, 3))
    np.add.at(sums, nearest, x)
    return (dict(x=x, centroids=centroids, sums=sums * 0, counts=np.zeros(4, np.int32), nearest=np.zeros(5 * n, np.int32), k=4, dim=3, n=5 * n),
            dict(sums=sums, counts=np.bincount(nearest, minlength=4).astype(np.int32), nearest=nearest.astype(np.int32)))


@case("integers")
def radix_count(r, n):
    keys = u32s(r, 5 * n)
    return dict(keys=keys, counts=np.zeros(16, np.uint32), shift=8, n=5 * n), dict(counts=np.bincount(keys >> 8 & 15, minlength=16).astype(np.uint32))


@case("integers")
def radix_scatter(r, n):
    keys = u32s(r, 5 * n)
    digit = keys >> 8 & 15
    ends = np.cumsum(np.bincount(digit, minlength=16)).astype(np.uint32)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.uint32)
    return dict(keys=keys, sorted=keys * 0, starts=starts, shift=8, n=5 * n), dict(sorted=keys[np.argsort(digit, kind="stable")], starts=ends)


@case("integers")
def life_bits(r, n):
    cells = r.integers(0, 2, (n, 64)).astype(np.uint8)
    words = [np.packbits(some, axis=1, bitorder="little").view(np.uint64).ravel() for some in (cells, life(cells))]
    return dict(board=words[0], next=words[0] * 0, rows=n), dict(next=words[1])


@case("integers")
def xnor_gemm(r, n):
    signs = [r.integers(0, 2, (rows, 3 * 32)).astype(np.uint8) for rows in (n, n + 2)]
    a, b = (np.packbits(some, axis=1, bitorder="little").view(np.uint32) for some in signs)
    x, y = (2 * some.astype(np.int32) - 1 for some in signs)
    return dict(a=a, b=b, c=np.zeros((n, n + 2), np.int32), m=n, n=n + 2, words=3), dict(c=x @ y.T)


@case("integers")
def stochastic_bf16(r, n):
    x, random = f32(r, n), u32s(r, n)
    return dict(bits=x.view(np.uint32), random=random, out=np.zeros(n, np.uint16), n=n), dict(out=((x.view(np.uint32) + (random & 0xFFFF)) >> 16).astype(np.uint16))


@case("integers")
def radix_keys(r, n):
    x = f32(r, n) * np.float32(1e20)**r.integers(-1, 2, n).astype(np.float32)
    bits = x.view(np.uint32)
    want = np.where(bits >> 31, ~bits, bits | 0x80000000).astype(np.uint32)
    assert np.array_equal(x[np.argsort(want)], np.sort(x))
    return dict(x=x, keys=bits * 0, n=n), dict(keys=want)


@case("integers", 2**-8 * 2**24, each=True)
def fast_inverse_sqrt(r, n):
    x = np.exp(f32(r, n) * 9)
    return dict(x=x, y=x * 0, n=n), dict(y=1 / np.sqrt(double(x)))


@case("integers")
def lbvh_ranges(r, n):
    codes = np.sort(r.integers(0, 1 << 6, n) << 10).astype(np.uint32)
    names = [f"{code:032b}{i:032b}" for i, code in enumerate(codes)]  # with the place, so that all differ
    first, last = np.zeros(max(n - 1, 0), np.int32), np.zeros(max(n - 1, 0), np.int32)

    def split(low, high, is_left):
        """The inner node of low..high stands at that end of it where its parent was split."""
        if low == high:
            return
        at = high if is_left else low
        first[at], last[at] = low, high
        bit = next(k for k in range(64) if names[low][k] != names[high][k])
        middle = max(i for i in range(low, high) if names[i][bit] == "0")
        split(low, middle, True)
        split(middle + 1, high, False)

    if n:
        split(0, n - 1, False)
    return dict(codes=codes, first=first * 0, last=last * 0, n=n), dict(first=first, last=last)


@case("integers")
def atomic_max_by_bits(r, n):
    x = f32(r, n) - 3
    want = np.float32(x.max(initial=-np.inf)).view(np.int32)
    return dict(x=x, largest=np.array([np.iinfo(np.int32).min], np.int32), n=n), dict(largest=np.array([want if want >= 0 else want ^ 0x7fffffff], np.int32) if n else
                                                                                 np.array([np.iinfo(np.int32).min], np.int32))


# ---- Rodinia, Parboil, SHOC, Taichi

@case("rodinia", 8)
def hotspot(r, n):
    h, w = n, n + 3
    power, temp = r.uniform(0, 1, (h, w)).astype(np.float32), r.uniform(70, 90, (h, w)).astype(np.float32)
    wide = np.pad(double(temp), 1, mode="edge") if n else np.zeros((2, w + 2))
    want = temp + 0.25 * (power + (wide[2:, 1:-1] + wide[:-2, 1:-1] - 2.0 * temp) * 0.5 + (wide[1:-1, 2:] + wide[1:-1, :-2] - 2.0 * temp) * 0.375 + (80 - double(temp)) * 0.125)
    return (dict(power=power, temp_src=temp, temp_dst=temp * 0, grid_cols=w, grid_rows=h, step_div_Cap=0.25, Rx_1=0.375, Ry_1=0.5, Rz_1=0.125), dict(temp_dst=want),
            groups((-(-w // 14), -(-h // 14)), (16, 16)))


@case("rodinia")
def pathfinder(r, n):
    cols, steps = 4 * n, 5
    wall, src = r.integers(0, 10, (steps + 2, cols)).astype(np.int32), r.integers(0, 10, cols).astype(np.int32)
    want = src
    for row in wall[2:]:
        wide = np.pad(want, 1, mode="edge") if n else np.zeros(2, np.int32)
        want = (row + np.minimum(np.minimum(wide[:-2], wide[1:-1]), wide[2:])).astype(np.int32)
    return (dict(wall=wall, src=src, results=src * 0, cols=cols, start_step=2, iteration=steps), dict(results=want), groups(-(-cols // (64 - 2 * steps)), 64))


@case("rodinia", 16)
def lud_diagonal(r, n):
    dim = 16 * (min(n, 3) + 1)
    offset = dim - 16
    m = f32(r, dim, dim) + 16 * np.eye(dim, dtype=np.float32)
    block = double(m[offset:, offset:])
    for k in range(16):
        block[k + 1:, k] /= block[k, k]
        block[k + 1:, k + 1:] -= np.outer(block[k + 1:, k], block[k, k + 1:])
    want = double(m)
    want[offset:, offset:] = block
    return dict(m=m, matrix_dim=dim, offset=offset), dict(m=want), groups(1, 16)


@case("rodinia")
def needle_diagonal(r, n):
    """One of the diagonals, after those before it, and before those that follow."""
    blocks = min(n, 3) or 1
    cols = 16 * blocks + 1
    reference = r.integers(-4, 10, (cols, cols)).astype(np.int32)
    matrix = np.zeros((cols, cols), np.int32)
    matrix[0] = matrix[:, 0] = -3 * np.arange(cols)
    which = (np.arange(cols) - 1) // 16
    diagonal = np.add.outer(which, which)
    for y in range(1, cols):
        for x in range(1, cols):
            if diagonal[y, x] < blocks:
                matrix[y, x] = max(matrix[y - 1, x - 1] + reference[y, x], matrix[y, x - 1] - 3, matrix[y - 1, x] - 3)
    inside = (diagonal == blocks - 1) & (which[:, None] >= 0) & (which >= 0)
    return (dict(reference=reference, matrix=np.where(inside, 0, matrix).astype(np.int32), cols=cols, penalty=3, i=blocks, block_width=blocks), dict(matrix=matrix), groups(blocks, 16))


@case("rodinia", 1)
def gaussian_fan1(r, n):
    a = f32(r, n + 1, n + 1) + 3 * np.eye(n + 1, dtype=np.float32)
    t, want = n // 2, np.zeros((n + 1, n + 1))
    want[t + 1:, t] = double(a[t + 1:, t]) / a[t, t]
    return dict(m=a * 0, a=a, size=n + 1, t=t), dict(m=want)


@case("rodinia", 2)
def gaussian_fan2(r, n):
    a, b, m = f32(r, n + 1, n + 1), f32(r, n + 1), f32(r, n + 1, n + 1)
    t, A, B = n // 2, double(a), double(b)
    A[t + 1:, t:] -= np.outer(m[t + 1:, t], a[t, t:])
    B[t + 1:] -= double(m[t + 1:, t]) * b[t]
    return dict(m=m, a=a, b=b, size=n + 1, t=t), dict(a=A, b=B)


@case("rodinia", 8)
def backprop_layerforward(r, n):
    blocks = min(n, 4) or 1
    x, weights = f32(r, 16 * blocks + 1), f32(r, 16 * blocks + 1, 17)
    want = (double(weights[1:, 1:]) * x[1:, None]).reshape(blocks, 16, 16).sum(axis=1)
    return dict(input=x, weights=weights, partial_sum=np.zeros((blocks, 16), np.float32), n_in=16 * blocks, hid=16), dict(partial_sum=want), groups((1, blocks), (16, 16))


@case("rodinia")
def bfs_masks(r, n):
    source, target, row = graph(r, n)
    mask, cost = r.random(n) < 0.3, r.integers(1, 2, n).astype(np.int32)
    visited = mask | (r.random(n) < 0.3)
    reached = np.zeros(n, bool)
    reached[target[mask[source]]] = True
    reached &= ~visited
    return (dict(starts=row.astype(np.int32), edges=target, mask=mask, updating=np.zeros(n, bool), visited=visited, cost=cost, n=n),
            dict(mask=mask & False, updating=reached, cost=np.where(reached, 2, cost).astype(np.int32)))


@case("rodinia", 256)
def srad1(r, n):
    J = np.exp(r.uniform(0, 1, (n, n + 2))).astype(np.float32)
    Jc, wide = double(J), np.pad(double(J), 1, mode="edge") if n else np.zeros((2, n + 4))
    dN, dS, dW, dE = wide[:-2, 1:-1] - Jc, wide[2:, 1:-1] - Jc, wide[1:-1, :-2] - Jc, wide[1:-1, 2:] - Jc
    G2, L = (dN**2 + dS**2 + dW**2 + dE**2) / Jc**2, (dN + dS + dW + dE) / Jc
    q = (0.5 * G2 - L**2 / 16) / (1 + L / 4)**2
    c = np.clip(1 / (1 + (q - 0.5) / (0.5 * 1.5)), 0, 1)
    zero = J * 0
    return dict(J=J, c=zero, dN=zero, dS=zero, dW=zero, dE=zero, rows=n, cols=n + 2, q0sqr=0.5), dict(c=c, dN=dN, dS=dS, dW=dW, dE=dE)


@case("rodinia", 64)
def mri_q(r, n):
    k, x, phi = r.uniform(-1, 1, (3, n)).astype(np.float32), r.uniform(-1, 1, (3, 2 * n)).astype(np.float32), f32(r, n)
    want = (phi * np.exp(2j * math.pi * (double(x).T @ k))).sum(axis=1)
    return (dict(kx=k[0], ky=k[1], kz=k[2], phi_mag=phi, x=x[0], y=x[1], z=x[2], Qr=f32(r, 2 * n), Qi=f32(r, 2 * n), num_k=n, num_x=2 * n), dict(Qr=want.real, Qi=want.imag))


@case("rodinia")
def saturating_histogram(r, n):
    img, bins = r.integers(0, 3, 30 * n).astype(np.uint32), np.array([0, 250, 7], np.uint32)
    return dict(img=img, bins=bins, n=len(img)), dict(bins=np.minimum(bins + np.bincount(img, minlength=3), 255).astype(np.uint32))


@case("rodinia")
def tpacf(r, n):
    p = f64(r, 3, n)
    p /= np.sqrt((p**2).sum(axis=0))
    binb = np.cos(np.linspace(0, math.pi, 21))
    dots = (p.T @ p)[np.triu_indices(n, 1)]
    want = np.bincount(np.searchsorted(-binb, -dots, side="left").clip(0, 21), minlength=21)[:21]
    return dict(x=p[0], y=p[1], z=p[2], binb=binb, hist=np.zeros(21, np.uint64), n=n, nbins=20), dict(hist=want.astype(np.uint64)), groups(-(-n // 16), 16)


@case("rodinia", 64)
def lennard_jones(r, n):
    position = r.uniform(0, 4, (n, 3)).astype(np.float32)
    neighbors = (np.arange(n) + r.integers(1, max(n, 2), (5, n))) % max(n, 1)
    neighbors = np.where(neighbors == np.arange(n), (np.arange(n) + 1) % max(n, 1), neighbors).astype(np.int32)
    position[:, 0] += 3 * np.arange(n)  # none is too near to another
    apart = double(position)[None] - double(position)[neighbors]
    square = (apart**2).sum(axis=2, keepdims=True)
    with np.errstate(all="ignore"):
        six = square**-3.0
        force = np.where((square < 16) & (square > 0), apart / square * six * (1.5 * six - 2.0), 0).sum(axis=0)
    if n == 1:
        force = np.full((1, 3), np.nan)  # its own neighbour
    return (dict(position=position, force=position * 0, neighbors=neighbors, num_neighbors=5, cutsq=16.0, lj1=1.5, lj2=2.0, n=n), dict(force=force))


@case("rodinia", 16)
def lbm_collide(r, n):
    f = r.uniform(0.5, 1, (9, n, n + 1)).astype(np.float32)
    c = np.array([(q % 3 - 1, q // 3 - 1) for q in range(9)])
    w = np.array([4 / 9 if not x and not y else 1 / 9 if not x or not y else 1 / 36 for x, y in c])
    rho = double(f).sum(axis=0)
    u = np.einsum("qyx,qd->dyx", double(f), c) / rho
    cu = 3 * np.einsum("qd,dyx->qyx", c, u)
    out = f * (1 - 1.2) + 1.2 * w[:, None, None] * rho * (1 + cu + cu**2 / 2 - 1.5 * (u**2).sum(axis=0))
    return dict(f=f, g=f * 0, w=n + 1, h=n), dict(g=np.array([np.roll(plane, (y, x), (0, 1)) for plane, (x, y) in zip(out, c)]))


@case("rodinia", 1)
def julia(r, n):
    t = np.float32(0.75)
    z = 2 * (np.arange(2 * n)[:, None] / max(n, 1) - 1) + 2j * (np.arange(n) / max(n, 1) - 0.5)
    c, count = np.float64(np.float32(-0.8)) + 1j * (np.cos(t) * np.float32(0.2)), np.zeros(z.shape)
    with np.errstate(all="ignore"):
        for _ in range(50):
            going = np.abs(z) < 20
            count[going] += 1
            z[going] = z[going]**2 + c
    return dict(pixels=count.astype(np.float32) * 0, t=t, n=n), dict(pixels=1 - count * 0.02)


@case("rodinia", 64)
def mpm_p2g(r, n):
    grid, dt = 12, 2e-2
    dx = 1 / grid
    x, v, C, J = r.uniform(0.2, 0.8, (n, 2)), f64(r, n, 2), f64(r, n, 2, 2), r.uniform(0.9, 1.1, n)
    base = (x * grid - 0.5).astype(int)
    fx = x * grid - base
    w = np.stack([0.5 * (1.5 - fx)**2, 0.75 - (fx - 1)**2, 0.5 * (fx - 0.5)**2])
    volume = (dx / 2)**2
    affine = volume * C + (-dt * 4 * 400 * volume * (J - 1) / dx**2)[:, None, None] * np.eye(2)
    grid_v, grid_m = np.zeros((grid, grid, 2)), np.zeros((grid, grid))
    for i in range(3):
        for j in range(3):
            weight = w[i, :, 0] * w[j, :, 1]
            dpos = (np.array([i, j]) - fx) * dx
            np.add.at(grid_v, (base[:, 0] + i, base[:, 1] + j), weight[:, None] * (volume * v + np.einsum("pij,pj->pi", affine, dpos)))
            np.add.at(grid_m, (base[:, 0] + i, base[:, 1] + j), weight * volume)
    return dict(x=x, v=v, C=C, J=J, grid_v=grid_v * 0, grid_m=grid_m * 0, n_particles=n, n_grid=grid, dt=dt), dict(grid_v=grid_v, grid_m=grid_m)


@case("rodinia", 2**12)
def ray_march(r, n):
    """Rays that hit end within 0.001 of the surface, where the exact distance is."""
    axis = 2 * np.arange(n) / max(n, 1) - 1
    d = np.stack([*np.broadcast_arrays(axis, axis[:, None]), np.full((n, n), 1.5)])
    d /= np.sqrt((d**2).sum(axis=0))
    want, position = np.zeros((n, n)), np.zeros((n, n))
    alive = np.ones((n, n), bool)
    for _ in range(100):
        p = np.array([0, 1.5, -4.0])[:, None, None] + position * d
        near = np.minimum(np.sqrt((p[0])**2 + (p[1] - 1)**2 + p[2]**2) - 1, p[1])
        alive &= ~(near < 1e-3) & (position < 50)
        position += np.where(alive, near, 0)
    want = np.where(position < 50, position, np.inf)
    return dict(depth=np.zeros((n, n), np.float32), n=n), dict(depth=want)


# ---- language and speech models, ciphers, sorts

@case("models", 2)
def flash_attention(r, n):
    rows, keys = 8 * (min(n, 3) or 1), n + 1
    q, k, v = (f32(r, m, 8).astype(np.float16) for m in (rows, keys, keys))
    return dict(q=q, k=k, v=v, out=q * 0, scale=0.375, keys=keys), dict(out=softmax(double(q) @ double(k).T * 0.375) @ double(v)), groups((1, rows // 8), (8, 8))


@case("models", 32)
def welford_rows(r, n):
    rows = min(n, 4) or 1
    x = f32(r, rows, 2 * n + 1) + 10
    return (dict(x=x, mean_out=np.zeros(rows, np.float32), var_out=np.zeros(rows, np.float32), n=2 * n + 1), dict(mean_out=double(x).mean(axis=1), var_out=double(x).var(axis=1)),
            groups(rows, 32))


@case("models", 8)
def top_k_gating(r, n):
    logits = r.permutation(n * (n + 4)).reshape(n, n + 4).astype(np.float32) / 64
    best = np.argsort(-logits, axis=1)[:, :4]
    slots, loads = np.zeros((n, 4), np.int32), np.zeros(n + 4, np.int32)
    for t in range(n):
        for j, e in enumerate(best[t]):
            slots[t, j] = loads[e]
            loads[e] += 1
    zeros = np.zeros((n, 4), np.int32)
    return (dict(logits=logits, weights=zeros.astype(np.float32), experts=zeros, slots=zeros, loads=loads * 0, tokens=n, n=n + 4),
            dict(weights=softmax(np.take_along_axis(logits, best, 1)), experts=best.astype(np.int32), slots=slots, loads=loads))


@case("models", 64)
def selective_scan(r, n):
    L, D, N = min(n, 20), n, 4
    u, delta, A, B, C = f32(r, L, D), f32(r, L, D), -np.exp(f32(r, D, N)), f32(r, L, N), f32(r, L, N)
    step, state, want = np.log1p(np.exp(double(delta))), np.zeros((D, N)), np.zeros((L, D))
    for t in range(L):
        state = np.exp(step[t][:, None] * A) * state + (step[t] * u[t])[:, None] * B[t]
        want[t] = state @ C[t]
    return dict(u=u, delta=delta, A=A, B=B, C=C, y=f32(r, L, D), state=f32(r, D, N), length=L, channels=D, n=N), dict(y=want, state=state)


@case("models", 8)
def lstm_cell(r, n):
    gates, c = f32(r, n, 4, n + 3), f32(r, n, n + 3)
    i, f, o = (1 / (1 + np.exp(-double(gates[:, g]))) for g in (0, 1, 3))
    cell = f * c + i * np.tanh(double(gates[:, 2]))
    return dict(gates=gates, c=c, h=c * 0, batch=n, hidden=n + 3), dict(c=cell, h=o * np.tanh(cell))


@case("models", 64)
def ctc_alpha(r, n):
    """Against the sum over all ways, by matrices of how a letter follows another."""
    S, T, classes = n // 4, n // 2 + 3, 5
    labels, log_probs = r.integers(1, classes, S).astype(np.int32), np.log(r.dirichlet(np.ones(classes), T))
    text = np.zeros(2 * S + 1, int)
    text[1::2] = labels
    follows = np.eye(len(text)) + np.eye(len(text), k=1)
    for s in range(2, len(text)):
        follows[s - 2, s] = bool(text[s] and text[s] != text[s - 2])
    p = np.zeros(len(text))
    p[:2] = np.exp(log_probs[0, text[:2]])
    for t in range(1, T):
        p = (p @ follows) * np.exp(log_probs[t, text])
    with np.errstate(divide="ignore"):
        want = -np.log(p[-2:].sum())
    want = 1e30 if np.isinf(want) else want
    return (dict(log_probs=log_probs, labels=labels, alpha=np.zeros(2 * len(text)), loss=np.zeros(1), T=T, S=S, classes=classes), dict(alpha=None, loss=np.array([want])))


@case("models")
def im2col(r, n):
    channels, H, W, k, pad, stride, dilation = 2, n + 1, n + 4, 3, 2, 2, 2
    x = f32(r, channels, H, W)
    Ho, Wo = ((size + 2 * pad - dilation * (k - 1) - 1) // stride + 1 for size in (H, W))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (pad, pad), (pad, pad))), (5, 5), axis=(1, 2))[:, ::stride, ::stride, ::dilation, ::dilation]
    want = np.ascontiguousarray(windows.transpose(0, 3, 4, 1, 2))
    assert want.shape == (channels, k, k, Ho, Wo)
    return dict(image=x, columns=want * 0 + 7, channels=channels, H=H, W=W, k=k, pad=pad, stride=stride, dilation=dilation, Ho=Ho, Wo=Wo), dict(columns=want)


@case("models", 512)
def grid_sample(r, n):
    H, W = n + 1, n + 2
    image, grid = f32(r, H, W), r.uniform(-1.2, 1.2, (4 * n, 2)).astype(np.float32)
    x, y = ((double(grid) + 1) * [W, H] - 1).T / 2
    tent = np.maximum(0, 1 - np.abs(y[:, None] - np.arange(H)))[:, :, None] * np.maximum(0, 1 - np.abs(x[:, None] - np.arange(W)))[:, None]
    return dict(image=image, grid=grid, out=f32(r, 4 * n), H=H, W=W, n=4 * n), dict(out=(tent * image).sum(axis=(1, 2)))


@case("models", 64)
def int4_gemv(r, n):
    rows, groups_of = min(n, 5) or 1, n // 4 + 1
    columns = 32 * groups_of
    values, x = r.integers(-8, 8, (rows, columns)), f32(r, columns).astype(np.float16)
    scales = r.uniform(0.1, 1, (rows, groups_of)).astype(np.float16)
    packed = ((values & 15).reshape(rows, -1, 8) << 4 * np.arange(8)).sum(axis=2).astype(np.uint32)
    want = (values.reshape(rows, groups_of, 32) * double(scales)[:, :, None]).reshape(rows, columns) @ double(x)
    return dict(packed=packed, scales=scales, x=x, y=f32(r, rows), rows=rows, n=columns, group_size=32), dict(y=want), groups(rows, 32)


@case("models")
def odd_even_sort(r, n):
    rows, n = min(n, 3) or 1, min(n, 63)
    x = f64(r, rows, n)
    x[:, n // 2:n // 2 + 1] = np.nan
    want = np.sort(x, axis=1)
    return dict(x=x, n=n), dict(x=want), groups(rows, 64)


@case("models")
def sha256_blocks(r, n):
    texts = [r.integers(0, 256, r.integers(56, 119)).astype(np.uint8).tobytes() for _ in range(n)]  # two blocks each
    padded_texts = [text + b"\x80" + bytes(119 - len(text)) + (8 * len(text)).to_bytes(8, "big") for text in texts]
    primes = [p for p in range(2, 312) if all(p % d for d in range(2, p))][:64]
    k = [int((p**(1 / 3) % 1) * 2**32) for p in primes]
    k = [min((c for c in range(c - 9, c + 10) if (p << 96) - ((math.floor(p**(1 / 3)) << 32) + c)**3 >= 0), key=lambda c, p=p: (p << 96) - ((math.floor(p**(1 / 3)) << 32) + c)**3)
         for c, p in zip(k, primes)]
    first = [math.isqrt(p << 64) & M32 for p in primes[:8]]
    want = np.array([np.frombuffer(hashlib.sha256(text).digest(), ">u4").astype(np.uint32) for text in texts], np.uint32).reshape(n, 8)
    message = np.array([np.frombuffer(text, ">u4") for text in padded_texts], np.uint32).reshape(n, 32)
    return (dict(message=message, k=np.array(k, np.uint32), w=np.zeros(64 * n, np.uint32), digest=np.tile(np.array(first, np.uint32), (n, 1)), blocks=2, n=n), dict(w=None, digest=want))


@case("models")
def chacha20_blocks(r, n):
    """Blocks of any key must agree with columns and diagonals written down for one key; the published vector is checked first."""
    def block(key, nonce, counter):
        state = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, *key, counter & M32, *nonce]
        x = np.array(state, np.uint32).reshape(4, 4)
        for turn in range(20):
            if turn % 2:
                x = np.array([np.roll(row, -i) for i, row in enumerate(x)])
            a, b, c, d = x
            for one, two in ((16, 12), (8, 7)):
                a = a + b
                d = d ^ a
                d = d << np.uint32(one) | d >> np.uint32(32 - one)
                c = c + d
                b = b ^ c
                b = b << np.uint32(two) | b >> np.uint32(32 - two)
            x = np.array([a, b, c, d])
            if turn % 2:
                x = np.array([np.roll(row, i) for i, row in enumerate(x)])
        return x.ravel() + np.array(state, np.uint32)

    key = np.frombuffer(bytes(range(32)), np.uint32).tolist()
    assert block(key, [0x09000000, 0x4a000000, 0], 1)[0] == 0xe4e7f110  # RFC 8439, 2.3.2
    key, nonce = u32s(r, 8), u32s(r, 3)
    want = np.array([block(key.tolist(), nonce.tolist(), 0xFFFFFFFE + i) for i in range(n)], np.uint32).reshape(n, 16)
    return dict(key=key, nonce=nonce, counter=0xFFFFFFFE, out=want * 0, work=want * 0, n=n), dict(out=want, work=None)


@case("models")
def base64_encode(r, n):
    data = r.integers(0, 256, n).astype(np.uint8)
    letters = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
    want = np.frombuffer(base64.b64encode(data.tobytes()), np.uint8)
    return dict(data=data, alphabet=letters, text=want * 0, n=n), dict(text=want)


@case("models")
def viterbi(r, n):
    """Against all paths where there are few, and else against itself by distances that are whole numbers."""
    T, states, symbols = n + 1, 5, 3
    start, step, emit = (r.integers(-20, 0, shape).astype(np.float32) for shape in (states, (states, states), (states, symbols)))
    seen = r.integers(0, symbols, T).astype(np.int32)
    score, back, path = np.zeros((T, states)), np.zeros((T, states), np.int32), np.zeros(T, np.int32)
    score[0] = start + emit[:, seen[0]]
    for t in range(1, T):
        ways = score[t - 1][:, None] + step
        back[t], score[t] = ways.argmax(axis=0), ways.max(axis=0) + emit[:, seen[t]]
    path[-1] = score[-1].argmax()
    for t in range(T - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    if T <= 5:
        assert score[-1].max() == max(start[p[0]] + emit[p[0], seen[0]] + sum(step[a, b] + emit[b, s] for a, b, s in zip(p, p[1:], seen[1:])) for p in itertools.product(range(states), repeat=T))
    return (dict(log_start=start, log_step=step, log_emit=emit, seen=seen, score=score.astype(np.float32) * 0, back=back * 0, path=path * 0, T=T, states=states, symbols=symbols),
            dict(score=score.astype(np.float32), back=back, path=path), groups(1, 8))
