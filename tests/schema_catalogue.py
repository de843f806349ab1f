"""The kernels of kernels/: arguments of a size, and what NumPy says the result is.

CATALOGUE is a table "folder/name" -> Row. `arguments(random, n)` gives the kernel's arguments, or None when n means nothing to it; arrays
that are written come filled with a pattern, so what is to stay is seen. `reference(**arguments)` gives the written arrays by name, as
float64 (computed in float64 from the same float32 values), and as `scale`, where it matters, the magnitude of what was summed: errors are
measured in units of the last place of float32 at the larger of result and scale. `ulps` is how many are allowed; 0 means equal values.
"""

from collections import namedtuple

import numpy as np

Row = namedtuple("Row", "arguments reference ulps")
PATTERN = 7.25


def normal(random, n):
    return random.standard_normal(n).astype(np.float32)


def blank(n, dtype=np.float32):
    return np.full(max(n, 1), PATTERN).astype(dtype)


def fill(target, values):
    """`target` in float64 with its first elements replaced."""
    out = np.asarray(target, np.float64).copy()
    values = np.ravel(values)
    out[:values.size] = values
    return out


def erf(x):
    from math import erf as one
    return np.array([one(v) for v in np.ravel(x)]).reshape(np.shape(x))


def elementwise(inputs, output, function, make=normal, ulps=0, scale=None, count="n", **scalars):
    """A kernel of `inputs` (a string of names), `output`, n and `scalars`; all arrays of n elements."""
    names = inputs.split()

    def arguments(random, n):
        arrays = {name: make(random, max(n, 1)) for name in names}
        return {**arrays, output: blank(n + 3), count: n, **scalars}

    def reference(**given):
        n = given[count]
        values = [given[name][:n].astype(np.float64) for name in names] + [np.float64(np.float32(given[key])) for key in scalars]
        with np.errstate(all="ignore"):
            result = {output: fill(given[output], function(*values))}
            if scale:
                result["scale"] = fill(np.zeros(given[output].size), scale(*values))
        return result

    return Row(arguments, reference, ulps)


def positive(random, n):
    return np.abs(random.standard_normal(n)).astype(np.float32) + np.float32(0.01)


def wide(random, n):
    return (random.standard_normal(n) * 20).astype(np.float32)


def gelu(x):
    return x / 2 * (1 + erf(x * np.sqrt(0.5)))


def sizes(n):
    """Dimensions (m, n, k) of about n together, unlike each other."""
    return {0: (0, 3, 2), 1: (1, 1, 1), 7: (3, 7, 2)}.get(n, (9, 11, 13))



def gemm_arguments(random, size):
    m, n, k = sizes(size)
    return dict(A=normal(random, m * (k + 2) + 1), B=normal(random, k * (n + 1) + 1), C=blank(m * (n + 3) + 1), m=m, n=n, k=k, lda=k + 2, ldb=n + 1, ldc=n + 3)


def strided(array, rows, columns, stride):
    return np.float64(array[:rows * stride].reshape(rows, stride)[:, :columns])


def gemm_reference(A, B, C, m, n, k, lda, ldb, ldc):
    a, b = strided(A, m, k, lda), strided(B, k, n, ldb)
    out, scale = fill(C, []), np.zeros(C.size)
    for target, values in ((out, a @ b), (scale, abs(a) @ abs(b))):
        target[:m * ldc].reshape(m, ldc)[:, :n] = values
    return dict(C=out, scale=scale)


def gemv_arguments(random, size):
    m, n, _ = sizes(size)
    return dict(A=normal(random, m * (n + 2) + 1), x=normal(random, n), y=blank(m + 2), m=m, n=n, lda=n + 2)


def gemv_reference(A, x, y, m, n, lda):
    a = strided(A, m, n, lda)
    return dict(y=fill(y, a @ np.float64(x)), scale=fill(np.zeros(y.size), abs(a) @ abs(np.float64(x))))


def matmul_arguments(random, size):
    m, n, k = sizes(size)
    return dict(A=normal(random, m * k + 1), B=normal(random, k * n + 1), Y=blank(m * n + 1), M=m, N=n, K=k)


def matmul_reference(A, B, Y, M, N, K):
    a, b = strided(A, M, K, K), strided(B, K, N, N)
    return dict(Y=fill(Y, a @ b), scale=fill(np.zeros(Y.size), abs(a) @ abs(b)))


def onnx_gemm_arguments(random, size):
    m, n, k = sizes(size)
    return dict(A=normal(random, m * k + 1), B=normal(random, k * n + 1), C=normal(random, m * n + 1), Y=blank(m * n + 1), M=m, N=n, K=k, alpha=1.5, beta=-0.75,
                transA=size % 2, transB=int(size > 1))


def onnx_gemm_reference(A, B, C, Y, M, N, K, alpha, beta, transA, transB):
    a = strided(A, K, M, M).T if transA else strided(A, M, K, K)
    b = strided(B, N, K, K).T if transB else strided(B, K, N, N)
    c = strided(C, M, N, N)
    return dict(Y=fill(Y, alpha * (a @ b) + beta * c), scale=fill(np.zeros(Y.size), alpha * (abs(a) @ abs(b)) + abs(beta * c)))


def attention_arguments(random, size):
    length, _, width = sizes(size)
    return dict(Q=normal(random, length * width + 1), K=normal(random, length * width + 1), Scores=blank(length * length + 1), seq_len=length, d_model=width)


def attention_reference(Q, K, Scores, seq_len, d_model):
    q, k = strided(Q, seq_len, d_model, d_model), strided(K, seq_len, d_model, d_model)
    return dict(Scores=fill(Scores, q @ k.T / np.sqrt(d_model)), scale=fill(np.zeros(Scores.size), abs(q) @ abs(k.T) / np.sqrt(d_model)))


def normalised(x, gain, shift, eps):
    """Layer norm of the last axis, and the magnitude of its terms."""
    if x.size == 0:
        return np.zeros(x.shape), np.zeros(x.shape)
    deviation = np.sqrt(x.var(-1, keepdims=True) + eps)
    centred = x - x.mean(-1, keepdims=True)
    magnitude = np.abs(x).max(-1, keepdims=True) + np.abs(centred).max(-1, keepdims=True)
    return centred / deviation * gain + shift, np.ones(x.shape) * magnitude / deviation * abs(gain) + abs(shift)


def layer_norm(x, gain, shift, out, rows, columns, eps):
    """A row for a kernel with these parameter names."""
    def arguments(random, size):
        m, n, _ = sizes(size)
        return {x: normal(random, m * n + 1) + np.float32(3), gain: normal(random, n), shift: normal(random, n), out: blank(m * n + 2), rows: m, columns: n, eps: 1e-3}

    def reference(**given):
        m, n = given[rows], given[columns]
        value, scale = normalised(strided(given[x], m, n, n), np.float64(given[gain]), np.float64(given[shift]), given[eps])
        return {out: fill(given[out], value), "scale": fill(np.zeros(given[out].size), scale)}

    return Row(arguments, reference, 16)


def skip_arguments(random, size):
    m, n, _ = sizes(size)
    extra = m * n + 2 if size else 2  # what does not fill a row stays
    return dict(X=normal(random, extra), Skip=normal(random, extra) + np.float32(2), Gamma=normal(random, n), Beta=normal(random, n), Y=blank(extra), n=m * n + (n > 2), hidden=n)


def skip_reference(X, Skip, Gamma, Beta, Y, n, hidden):
    rows = n // hidden
    value, scale = normalised(strided(X, rows, hidden, hidden) + strided(Skip, rows, hidden, hidden), np.float64(Gamma), np.float64(Beta), 1e-5)
    return dict(Y=fill(Y, value), scale=fill(np.zeros(Y.size), scale))


def image(size):
    return {0: (0, 3, 4, 5), 1: (1, 1, 1, 1), 7: (1, 2, 3, 5)}.get(size, (2, 3, 7, 9))


def planes(size):
    n, c, h, w = image(size)
    return dict(N=n, C=c, H=h, W=w), n * c * h * w


def batch_arguments(random, size):
    shape, count = planes(size)
    channel = {name: normal(random, shape["C"]) for name in ("scale", "bias", "mean")}
    return dict(X=normal(random, count + 1), **channel, var=positive(random, shape["C"]), Y=blank(count + 1), **shape, epsilon=1e-3)


def each_channel(a):
    return np.float64(a)[None, :, None, None]


def batch_reference(X, scale, bias, mean, var, Y, N, C, H, W, epsilon):
    x = np.float64(X[:N * C * H * W]).reshape(N, C, H, W)
    factor = each_channel(scale) / np.sqrt(each_channel(var) + epsilon)
    magnitude = (abs(x) + abs(each_channel(mean))) * abs(factor) + abs(each_channel(bias))
    return dict(Y=fill(Y, (x - each_channel(mean)) * factor + each_channel(bias)), scale=fill(np.zeros(Y.size), magnitude))


def instance_arguments(random, size):
    shape, count = planes(size)
    return dict(X=normal(random, count + 1), scale=normal(random, shape["C"]), bias=normal(random, shape["C"]), Y=blank(count + 1), **shape, epsilon=1e-3)


def instance_reference(X, scale, bias, Y, N, C, H, W, epsilon):
    x = np.float64(X[:N * C * H * W]).reshape(N, C, H * W)
    value, magnitude = normalised(x, np.float64(scale)[None, :, None], np.float64(bias)[None, :, None], epsilon)
    return dict(Y=fill(Y, value), scale=fill(np.zeros(Y.size), magnitude))


def rows_arguments(random, size):
    m, n, _ = sizes(size)
    return dict(X=normal(random, m * n + 1), Y=blank(m + 2), batch_size=m, features=n)


def rows_reference(mean):
    def reference(X, Y, batch_size, features):
        x = strided(X, batch_size, features, features)
        divisor = features if mean else 1
        return dict(Y=fill(Y, x.sum(1) / divisor), scale=fill(np.zeros(Y.size), abs(x).sum(1) / divisor))
    return reference


def pool_arguments(random, size):
    shape, count = planes(size)
    kernel = 1 if size == 1 else 2
    return dict(X=normal(random, count + 1), Y=blank(count + 1), **shape, kernel_size=kernel)


def pool_reference(X, Y, N, C, H, W, kernel_size):
    k = kernel_size
    x = np.float64(X[:N * C * H * W]).reshape(N, C, H, W)[:, :, :H // k * k, :W // k * k].reshape(N, C, H // k, k, W // k, k)
    return dict(Y=fill(Y, x.mean((3, 5))), scale=fill(np.zeros(Y.size), abs(x).sum((3, 5)) / (k * k)))


def global_pool_arguments(random, size):
    shape, count = planes(size)
    return dict(X=normal(random, count + 1), Y=blank(shape["N"] * shape["C"] + 1), **shape)


def global_pool_reference(X, Y, N, C, H, W):
    x = np.float64(X[:N * C * H * W]).reshape(N, C, H * W)
    return dict(Y=fill(Y, x.mean(2)), scale=fill(np.zeros(Y.size), abs(x).mean(2)))


def transpose_arguments(random, size):
    m, n, _ = sizes(size)
    return dict(X=normal(random, m * n + 1), Y=blank(m * n + 1), M=m, N=n)


def concat_arguments(random, size):
    m, n, k = sizes(size)
    return dict(A=normal(random, m * n + 1), B=normal(random, k * n + 1), Y=blank((m + k) * n + 1), M=m, K=k, N=n)


def slice_arguments(random, size):
    return dict(X=normal(random, size + 5), Y=blank(size + 1), start=3, end=3 + size if size else 1)


def gather_arguments(random, size):
    return dict(X=normal(random, 50), Indices=random.integers(0, 50, size + 1).astype(np.uint32), Y=blank(size + 2), m=size)


def conv_arguments(random, size):
    rows, columns, window_rows, window_columns = {0: (2, 9, 3, 2), 1: (1, 1, 1, 1), 7: (3, 4, 2, 2)}.get(size, (11, 13, 3, 4))
    return dict(X=normal(random, rows * columns), W=normal(random, window_rows * window_columns), Y=blank(rows * columns + 1), H_in=rows, W_in=columns, K_h=window_rows, K_w=window_columns)


def conv_reference(X, W, Y, H_in, W_in, K_h, K_w):
    rows, columns = max(H_in - K_h + 1, 0), max(W_in - K_w + 1, 0)
    x, w = np.float64(X).reshape(H_in, W_in), np.float64(W).reshape(K_h, K_w)
    value, scale = np.zeros((rows, columns)), np.zeros((rows, columns))
    for i in range(K_h):
        for j in range(K_w):
            part = x[i:i + rows, j:j + columns][:rows, :columns] * w[i, j]
            value += part
            scale += abs(part)
    return dict(Y=fill(Y, value), scale=fill(np.zeros(Y.size), scale))


def argmax_arguments(random, size):
    x = np.round(normal(random, max(size, 1)) * 2)  # some are equal
    if size > 50:
        x[41] = x[47] = np.nan
    return dict(X=x, Y=blank(2, np.uint32), n=size)


def total_reference(result, n, a, b=None):
    terms = np.float64(a[:n]) * (1 if b is None else np.float64(b[:n]))
    return dict(result=fill(result, [result[0] + terms.sum()]), scale=fill(np.zeros(result.size), [abs(result[0]) + abs(terms).sum()]))


def binary(function, **options):
    return elementwise("a b", "c", function, **options)


def unary(function, output="c", **options):
    return elementwise("a", output, function, **options)


def onnx(function, **options):
    return elementwise("X", "Y", function, **options)


COPY = onnx(lambda x: x, make=wide)
HALF = 0.5000001  # a single operation, rounded once

CATALOGUE = {
    "vector/vector_add": binary(np.add, ulps=HALF),
    "vector/vector_sub": binary(np.subtract, ulps=HALF),
    "vector/vector_mul": binary(np.multiply, ulps=HALF),
    "vector/vector_div": binary(np.divide, ulps=HALF),
    "vector/vector_min": binary(np.minimum),
    "vector/vector_max": binary(np.maximum),
    "vector/vector_pow": binary(np.power, make=positive, ulps=1),
    "vector/vector_abs": unary(np.abs),
    "vector/vector_neg": unary(np.negative),
    "vector/vector_sqrt": unary(np.sqrt, ulps=HALF),  # half of the arguments are negative
    "vector/vector_rsqrt": unary(lambda a: 1 / np.sqrt(a), make=positive, ulps=1.5),
    "vector/sin": unary(np.sin, "b", make=wide, ulps=1),
    "vector/cos": unary(np.cos, "b", make=wide, ulps=1),
    "vector/exp": unary(np.exp, "b", make=wide, ulps=1),
    "vector/log": unary(np.log, "b", make=positive, ulps=1),
    "vector/onnx_add": elementwise("A B", "C", np.add, ulps=HALF),
    "vector/onnx_sub": elementwise("A B", "C", np.subtract, ulps=HALF),
    "vector/onnx_mul": elementwise("A B", "C", np.multiply, ulps=HALF),
    "vector/onnx_div": elementwise("A B", "C", np.divide, ulps=HALF),
    "vector/onnx_scalar_mul": elementwise("Input", "Output", np.multiply, ulps=HALF, scalar=-1.75),
    "activation/relu": unary(lambda a: np.maximum(a, 0), "b"),
    "activation/sigmoid": unary(lambda a: 1 / (1 + np.exp(-a)), make=wide, ulps=3),
    "activation/tanh_activation": unary(np.tanh, ulps=1),
    "activation/onnx_relu": onnx(lambda x: np.maximum(x, 0)),
    "activation/onnx_sigmoid": onnx(lambda x: 1 / (1 + np.exp(-x)), make=wide, ulps=3),
    "activation/onnx_tanh_activation": onnx(np.tanh, ulps=1),
    "activation/onnx_gelu": onnx(gelu, ulps=2, scale=np.abs),
    "activation/onnx_bias_gelu": elementwise("X Bias", "Y", lambda x, b: gelu(x + b), ulps=4, scale=lambda x, b: abs(x) + abs(b)),
    "activation/onnx_leakyrelu": onnx(lambda x, alpha: np.where(x < 0, alpha * x, x), ulps=HALF, alpha=0.01),
    "activation/onnx_softmax_exp": Row(
        lambda random, n: dict(X=normal(random, n + 1), MaxVal=np.float32([2.5]), Y=blank(n + 1), n=n),
        lambda X, MaxVal, Y, n: dict(Y=fill(Y, np.exp(np.float64(X[:n] - MaxVal[0])))), 1),
    "normalization/layer_norm": layer_norm("input", "gamma", "beta", "output", "num_positions", "hidden_dim", "eps"),
    "normalization/onnx_layer_norm": layer_norm("X", "scale", "bias", "Y", "batch_size", "features", "epsilon"),
    "normalization/onnx_skip_layer_norm": Row(skip_arguments, skip_reference, 16),
    "normalization/onnx_batch_normalization": Row(batch_arguments, batch_reference, 4),
    "normalization/onnx_instance_normalization": Row(instance_arguments, instance_reference, 16),
    "reduction/vector_sum": Row(lambda random, n: dict(a=normal(random, n + 1), result=np.float32([0.5, 3]), n=n), lambda a, result, n: total_reference(result, n, a), 2),
    "reduction/vector_dot": Row(lambda random, n: dict(a=normal(random, n + 1), b=normal(random, n + 1), result=np.float32([0, 3]), n=n),
                                lambda a, b, result, n: total_reference(result, n, a, b), 2),
    "reduction/onnx_reduce_sum": Row(rows_arguments, rows_reference(False), 4),
    "reduction/onnx_reduce_mean": Row(rows_arguments, rows_reference(True), 4),
    "matrix/gemv_f32": Row(gemv_arguments, gemv_reference, 4),
    "matrix/gemm_f32": Row(gemm_arguments, gemm_reference, 4),
    "matrix/onnx_matmul": Row(matmul_arguments, matmul_reference, 4),
    "matrix/onnx_gemm": Row(onnx_gemm_arguments, onnx_gemm_reference, 4),
    "matrix/onnx_attention_scores": Row(attention_arguments, attention_reference, 4),
    "pooling/onnx_averagepool": Row(pool_arguments, pool_reference, 3),
    "pooling/onnx_global_average_pool": Row(global_pool_arguments, global_pool_reference, 6),
    "shape/onnx_reshape": COPY,
    "shape/onnx_flatten": COPY,
    "shape/onnx_squeeze": COPY,
    "shape/onnx_unsqueeze": COPY,
    "shape/onnx_transpose": Row(transpose_arguments, lambda X, Y, M, N: dict(Y=fill(Y, X[:M * N].reshape(M, N).T)), 0),
    "shape/onnx_concat": Row(concat_arguments, lambda A, B, Y, M, K, N: dict(Y=fill(Y, np.concatenate([A[:M * N], B[:K * N]]))), 0),
    "shape/onnx_slice_1d": Row(slice_arguments, lambda X, Y, start, end: dict(Y=fill(Y, X[start:end])), 0),
    "shape/onnx_gather": Row(gather_arguments, lambda X, Indices, Y, m: dict(Y=fill(Y, X[Indices[:m]])), 0),
    "conv/onnx_conv2d": Row(conv_arguments, conv_reference, 4),
    "other/onnx_argmax": Row(argmax_arguments, lambda X, Y, n: dict(Y=fill(Y, [np.argmax(X)] if n else [])), 0),
    "other/onnx_range_op": Row(lambda random, n: dict(Y=blank(n + 1), start=-3.5, delta=0.3, n=n),
                               lambda Y, start, delta, n: dict(Y=fill(Y, start + np.arange(n) * np.float64(np.float32(delta))), scale=np.full(Y.size, abs(start) + delta * n)), 1),
    "other/onnx_constant_fill": Row(lambda random, n: dict(Y=blank(n + 1), value=-0.1, n=n), lambda Y, value, n: dict(Y=fill(Y, np.full(n, np.float32(value)))), 0),
    "other/onnx_cast_f32_to_f32": COPY,
    "other/onnx_shape_to_tensor": Row(lambda random, n: dict(Shape=random.integers(0, 2**32, n + 1).astype(np.uint32), Y=blank(n + 1, np.uint32), rank=n),
                                      lambda Shape, Y, rank: dict(Y=fill(Y, Shape[:rank])), 0),
}


def distance(got, want, scale):
    """The largest error in units of the last place of float32; NaN and infinity must stand where they are expected."""
    got = np.asarray(got, np.float64)
    want = np.asarray(want, np.float64)
    with np.errstate(over="ignore"):
        special = ~np.isfinite(np.float32(want))
    if not np.array_equal(np.isnan(got), np.isnan(want)) or not np.array_equal(got[np.isinf(got)], np.float32(want)[np.isinf(got)]) or not np.array_equal(special, ~np.isfinite(got)):
        return np.inf
    size = np.maximum(np.abs(want), 0 if scale is None else np.abs(scale))[~special]
    unit = np.exp2(np.maximum(np.floor(np.log2(np.maximum(size, 2.0**-126))), -126) - 23)
    error = np.abs(got[~special] - want[~special]) / unit
    return error.max(initial=0)
