"""The kernels of kernels/: arguments of a size, and what NumPy says the result is.

CATALOGUE is a table "folder/name" -> Row. `arguments(random, n)` gives the kernel's arguments; arrays that are written come filled
with a pattern, so what is to stay is seen. `reference(**arguments)` gives the written arrays by name, computed in numpy.longdouble from the
same values, and as `scale`, where it matters, the magnitude of what was summed: errors are measured in units of the last place of the type
that is computed in at the larger of result and scale. `ulps` is how many are allowed; 0 means equal values. `kinds` says which element
types stand for f32 in the kernel's text: "f" the other floats, "i" integers too, "s" those that atomics are for.
 `summed(arguments)`
is how many terms a thread adds one after the other where that grows with n: beyond 1000 the bound grows with its root.

`retype(key, text, arguments, dtype)` gives text and arguments of the kernel with another element type; `distance` takes what came of it.
"""

import re
from collections import namedtuple

import ml_dtypes
import numpy as np

Row = namedtuple("Row", "arguments reference ulps kinds summed", defaults=["f", None])
PATTERN = 7.25
WIDE = np.longdouble
TYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
         "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64}


def up(values):
    """As numbers that hold all of every type."""
    values = np.asarray(values)
    return values.astype(np.float32).astype(WIDE) if values.dtype == ml_dtypes.bfloat16 else values.astype(WIDE)


def compute_type(dtype):
    return np.float64 if dtype == np.float64 else np.float32


def normal(random, n):
    return random.standard_normal(n).astype(np.float32)


def blank(n, dtype=np.float32):
    return np.full(max(n, 1), PATTERN).astype(dtype)


def fill(target, values):
    """`target` with its first elements replaced."""
    out = up(target)
    values = np.ravel(up(values))
    out[:values.size] = values
    return out


def erf(x):
    from math import erf as one
    return np.array([one(v) for v in np.ravel(x)], WIDE).reshape(np.shape(x))


def elementwise(inputs, output, function, make=normal, ulps=0, scale=None, count="n", kinds="f", **scalars):
    """A kernel of `inputs` (a string of names), `output`, n and `scalars`; all arrays of n elements."""
    names = inputs.split()

    def arguments(random, n):
        arrays = {name: make(random, max(n, 1)) for name in names}
        return {**arrays, output: blank(n + 3), count: n, **scalars}

    def reference(**given):
        n = given[count]
        values = [up(given[name][:n]) for name in names] + [up(given[key]) for key in scalars]
        with np.errstate(all="ignore"):
            result = {output: fill(given[output], function(*values))}
            if scale:
                result["scale"] = fill(np.zeros(given[output].size), scale(*values))
        return result

    return Row(arguments, reference, ulps, kinds)


def positive(random, n):
    return np.abs(random.standard_normal(n)).astype(np.float32) + np.float32(0.01)


def wide(random, n):
    return (random.standard_normal(n) * 20).astype(np.float32)


def gelu(x):
    return x / 2 * (1 + erf(x * np.sqrt(WIDE(0.5))))


def sizes(n):
    """Dimensions (m, n, k) of about n together, unlike each other."""
    root = int(n**0.5)
    return {0: (0, 3, 2), 1: (1, 1, 1), 7: (3, 7, 2)}.get(n, (root, root + 2, 13))


def gemm_arguments(random, size):
    m, n, k = sizes(size)
    return dict(A=normal(random, m * (k + 2) + 1), B=normal(random, k * (n + 1) + 1), C=blank(m * (n + 3) + 1), m=m, n=n, k=k, lda=k + 2, ldb=n + 1, ldc=n + 3)


def strided(array, rows, columns, stride):
    return up(array[:rows * stride].reshape(rows, stride)[:, :columns])


def gemm_reference(A, B, C, m, n, k, lda, ldb, ldc):
    a, b = strided(A, m, k, lda), strided(B, k, n, ldb)
    out, scale = fill(C, []), np.zeros(C.size, WIDE)
    for target, values in ((out, a @ b), (scale, abs(a) @ abs(b))):
        target[:m * ldc].reshape(m, ldc)[:, :n] = values
    return dict(C=out, scale=scale)


def gemv_arguments(random, size):
    m, n, _ = sizes(size)
    return dict(A=normal(random, m * (n + 2) + 1), x=normal(random, n), y=blank(m + 2), m=m, n=n, lda=n + 2)


def gemv_reference(A, x, y, m, n, lda):
    a = strided(A, m, n, lda)
    return dict(y=fill(y, a @ up(x)), scale=fill(np.zeros(y.size), abs(a) @ abs(up(x))))


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
    return dict(Scores=fill(Scores, q @ k.T / np.sqrt(up(d_model))), scale=fill(np.zeros(Scores.size), abs(q) @ abs(k.T) / np.sqrt(up(d_model))))


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
        value, scale = normalised(strided(given[x], m, n, n), up(given[gain]), up(given[shift]), given[eps])
        return {out: fill(given[out], value), "scale": fill(np.zeros(given[out].size), scale)}

    return Row(arguments, reference, 16)


def skip_arguments(random, size):
    m, n, _ = sizes(size)
    extra = m * n + 2 if size else 2  # what does not fill a row stays
    return dict(X=normal(random, extra), Skip=normal(random, extra) + np.float32(2), Gamma=normal(random, n), Beta=normal(random, n), Y=blank(extra), n=m * n + (n > 2), hidden=n)


def skip_reference(X, Skip, Gamma, Beta, Y, n, hidden):
    rows = n // hidden
    value, scale = normalised(strided(X, rows, hidden, hidden) + strided(Skip, rows, hidden, hidden), up(Gamma), up(Beta), 1e-5)
    return dict(Y=fill(Y, value), scale=fill(np.zeros(Y.size), scale))


def image(size):
    return {0: (0, 3, 4, 5), 1: (1, 1, 1, 1), 7: (1, 2, 3, 5)}.get(size, (2, 3, int((size / 6)**0.5) + 1, int((size / 6)**0.5) + 3))


def planes(size):
    n, c, h, w = image(size)
    return dict(N=n, C=c, H=h, W=w), n * c * h * w


def batch_arguments(random, size):
    shape, count = planes(size)
    channel = {name: normal(random, shape["C"]) for name in ("scale", "bias", "mean")}
    return dict(X=normal(random, count + 1), **channel, var=positive(random, shape["C"]), Y=blank(count + 1), **shape, epsilon=1e-3)


def each_channel(a):
    return up(a)[None, :, None, None]


def batch_reference(X, scale, bias, mean, var, Y, N, C, H, W, epsilon):
    x = up(X[:N * C * H * W]).reshape(N, C, H, W)
    factor = each_channel(scale) / np.sqrt(each_channel(var) + epsilon)
    magnitude = (abs(x) + abs(each_channel(mean))) * abs(factor) + abs(each_channel(bias))
    return dict(Y=fill(Y, (x - each_channel(mean)) * factor + each_channel(bias)), scale=fill(np.zeros(Y.size), magnitude))


def instance_arguments(random, size):
    shape, count = planes(size)
    return dict(X=normal(random, count + 1), scale=normal(random, shape["C"]), bias=normal(random, shape["C"]), Y=blank(count + 1), **shape, epsilon=1e-3)


def instance_reference(X, scale, bias, Y, N, C, H, W, epsilon):
    x = up(X[:N * C * H * W]).reshape(N, C, H * W)
    value, magnitude = normalised(x, up(scale)[None, :, None], up(bias)[None, :, None], epsilon)
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
    x = up(X[:N * C * H * W]).reshape(N, C, H, W)[:, :, :H // k * k, :W // k * k].reshape(N, C, H // k, k, W // k, k)
    return dict(Y=fill(Y, x.mean((3, 5))), scale=fill(np.zeros(Y.size), abs(x).sum((3, 5)) / (k * k)))


def global_pool_arguments(random, size):
    shape, count = planes(size)
    return dict(X=normal(random, count + 1), Y=blank(shape["N"] * shape["C"] + 1), **shape)


def global_pool_reference(X, Y, N, C, H, W):
    x = up(X[:N * C * H * W]).reshape(N, C, H * W)
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
    rows, columns, window_rows, window_columns = {0: (2, 9, 3, 2), 1: (1, 1, 1, 1), 7: (3, 4, 2, 2)}.get(size, (int(size**0.5) + 1, int(size**0.5) + 3, 3, 4))
    return dict(X=normal(random, rows * columns), W=normal(random, window_rows * window_columns), Y=blank(rows * columns + 1), H_in=rows, W_in=columns, K_h=window_rows, K_w=window_columns)


def conv_reference(X, W, Y, H_in, W_in, K_h, K_w):
    rows, columns = max(H_in - K_h + 1, 0), max(W_in - K_w + 1, 0)
    x, w = up(X).reshape(H_in, W_in), up(W).reshape(K_h, K_w)
    value, scale = np.zeros((rows, columns), WIDE), np.zeros((rows, columns), WIDE)
    for i in range(K_h):
        for j in range(K_w):
            part = x[i:i + rows, j:j + columns][:rows, :columns] * w[i, j]
            value += part
            scale += abs(part)
    return dict(Y=fill(Y, value), scale=fill(np.zeros(Y.size), scale))


def search_arguments(random, size):
    data = np.round(normal(random, size + 1) * 3)
    return dict(data=data, target=1.0, results=blank(size + 1), total_results=np.uint32([5, 9]), n=size, max_iterations=size - size // 4)


def search_reference(data, target, results, total_results, n, max_iterations):
    found = (np.arange(n) < max_iterations) & (data[:n] == target)
    return dict(results=fill(results, found), total_results=fill(total_results, [total_results[0] + found.sum()]))


def path_arguments(random, size):
    nodes, depth = sizes(size)[0], min(sizes(size)[2], 6)
    edges = np.maximum(random.standard_normal(nodes * nodes + 1), 0).astype(np.float32)
    return dict(adjacency=edges, path_weights=blank((depth + 1) * nodes + 1), visited=blank((depth + 1) * nodes + 1, np.uint32), start=nodes // 3, target=nodes // 2, n=nodes,
                max_depth=depth, total_paths=np.uint32([4, 9]))


def path_reference(adjacency, path_weights, visited, start, target, n, max_depth, total_paths):
    weights, counts = path_weights.copy(), visited.copy()
    if start < n and target < n:
        edges = adjacency[:n * n].reshape(n, n).astype(compute_type(adjacency.dtype))
        edges[edges <= 0] = np.inf
        rows, numbers = weights[:(max_depth + 1) * n].reshape(-1, n), counts[:(max_depth + 1) * n].reshape(-1, n)
        rows[0], numbers[0] = np.inf, 0
        rows[0, start], numbers[0, start] = 0, 1
        for d in range(max_depth):
            rows[d + 1] = (rows[d].astype(edges.dtype)[:, None] + edges).min(0)
            numbers[d + 1] = (numbers[d][:, None] * np.isfinite(edges).astype(np.uint32)).sum(0, dtype=np.uint32)
        total_paths = np.uint32([(int(total_paths[0]) + int(numbers[:, target].sum(dtype=np.uint64))) % 2**32, *total_paths[1:]])
    return dict(path_weights=up(weights), visited=up(counts), total_paths=up(total_paths))


def constraint_arguments(random, size):
    m, n, _ = sizes(size)
    return dict(variables=normal(random, n), constraints=normal(random, m * (n + 1) + 1), violation_count=np.uint32([6, 9]), is_satisfied=blank(m + 1, np.uint32), n=n, m=m,
                max_iterations=m - m // 5)


def constraint_reference(variables, constraints, violation_count, is_satisfied, n, m, max_iterations):
    number = compute_type(variables.dtype)
    rows, total = constraints[:m * (n + 1)].reshape(m, n + 1).astype(number), np.zeros(m, number)
    for j in range(n):
        total += rows[:, j] * variables[j].astype(number)
    satisfied = (total <= rows[:, n]) | (np.arange(m) >= max_iterations)
    return dict(is_satisfied=fill(is_satisfied, satisfied), violation_count=fill(violation_count, [violation_count[0] + (~satisfied).sum()]))


def energy_arguments(random, size):
    return dict(state=normal(random, size + 1), energy=blank(size + 1), best_state=blank(size + 1), temperature=0.5, n=size, max_iterations=9)


def energy_reference(state, energy, best_state, temperature, n, max_iterations):
    number = compute_type(state.dtype)

    def well(x):
        height = x * x - number(1)
        return height * height

    x = state[:n].astype(number)
    now, best = well(x), x.copy()
    least = now.copy()
    for k in range(max_iterations):
        bits = (np.arange(n, dtype=np.uint64) * 2654435761 + k * 2246822519 + 374761393).astype(np.uint32)
        bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(3266489917)
        bits = bits ^ (bits >> np.uint32(13))
        move = ((bits >> np.uint32(8)).astype(number) * number(2.0**-24) - number(0.5)) * number(0.5)
        threshold = number(temperature) * number(max_iterations - k) / number(max_iterations)
        there = well(x + move)
        taken = there - now < threshold
        x, now = np.where(taken, x + move, x), np.where(taken, there, now)
        better = now < least
        best, least = np.where(better, x, best), np.where(better, now, least)
    return dict(state=fill(state, x), best_state=fill(best_state, best), energy=fill(energy, least))


def argmax_arguments(random, size):
    x = np.round(normal(random, max(size, 1)) * 2)  # some are equal
    if size > 50:
        x[41] = x[47] = np.nan
    return dict(X=x, Y=blank(2, np.uint32), n=size)


def total_reference(result, n, a, b=None):
    terms = up(a[:n]) * (WIDE(1) if b is None else up(b[:n]))
    return dict(result=fill(result, [result[0] + terms.sum()]), scale=fill(np.zeros(result.size), [abs(result[0]) + abs(terms).sum()]))


def binary(function, **options):
    return elementwise("a b", "c", function, **options)


def unary(function, output="c", **options):
    return elementwise("a", output, function, **options)


def onnx(function, **options):
    return elementwise("X", "Y", function, **options)


COPY = onnx(lambda x: x, make=wide, kinds="i")
HALF = 0.5000001  # a single operation, rounded once

CATALOGUE = {
    "vector/vector_add": binary(np.add, ulps=HALF, kinds="i"),
    "vector/vector_sub": binary(np.subtract, ulps=HALF, kinds="i"),
    "vector/vector_mul": binary(np.multiply, ulps=HALF, kinds="i"),
    "vector/vector_div": binary(np.divide, ulps=HALF),
    "vector/vector_min": binary(np.minimum, kinds="i"),
    "vector/vector_max": binary(np.maximum, kinds="i"),
    "vector/vector_pow": binary(np.power, make=positive, ulps=1),
    "vector/vector_abs": unary(np.abs, kinds="i"),
    "vector/vector_neg": unary(np.negative, kinds="i"),
    "vector/vector_sqrt": unary(np.sqrt, ulps=HALF),  # half of the arguments are negative
    "vector/vector_rsqrt": unary(lambda a: 1 / np.sqrt(a), make=positive, ulps=1.5),
    "vector/sin": unary(np.sin, "b", make=wide, ulps=1),
    "vector/tanh": unary(np.tanh, ulps=1),
    "vector/cos": unary(np.cos, "b", make=wide, ulps=1),
    "vector/exp": unary(np.exp, "b", make=wide, ulps=1),
    "vector/log": unary(np.log, "b", make=positive, ulps=1),
    "vector/onnx_add": elementwise("A B", "C", np.add, ulps=HALF, kinds="i"),
    "vector/onnx_sub": elementwise("A B", "C", np.subtract, ulps=HALF, kinds="i"),
    "vector/onnx_mul": elementwise("A B", "C", np.multiply, ulps=HALF, kinds="i"),
    "vector/onnx_div": elementwise("A B", "C", np.divide, ulps=HALF),
    "vector/onnx_scalar_mul": elementwise("Input", "Output", np.multiply, ulps=HALF, scalar=-1.75),
    "activation/relu": unary(lambda a: np.maximum(a, 0), "b", kinds="i"),
    "activation/sigmoid": unary(lambda a: 1 / (1 + np.exp(-a)), make=wide, ulps=3),
    "activation/tanh_activation": unary(np.tanh, ulps=1),
    "activation/onnx_relu": onnx(lambda x: np.maximum(x, 0), kinds="i"),
    "activation/onnx_sigmoid": onnx(lambda x: 1 / (1 + np.exp(-x)), make=wide, ulps=3),
    "activation/onnx_tanh_activation": onnx(np.tanh, ulps=1),
    "activation/onnx_gelu": onnx(gelu, ulps=2, scale=np.abs),
    "activation/onnx_bias_gelu": elementwise("X Bias", "Y", lambda x, b: gelu(x + b), ulps=4, scale=lambda x, b: abs(x) + abs(b)),
    "activation/onnx_leakyrelu": onnx(lambda x, alpha: np.where(x < 0, alpha * x, x), ulps=HALF, alpha=0.01),
    "activation/onnx_softmax_exp": Row(
        lambda random, n: dict(X=normal(random, n + 1), MaxVal=np.float32([2.5]), Y=blank(n + 1), n=n),
        lambda X, MaxVal, Y, n: dict(Y=fill(Y, np.exp(up(X[:n].astype(compute_type(X.dtype)) - MaxVal[0].astype(compute_type(X.dtype)))))), 1),
    "normalization/layer_norm": layer_norm("input", "gamma", "beta", "output", "num_positions", "hidden_dim", "eps"),
    "normalization/onnx_layer_norm": layer_norm("X", "scale", "bias", "Y", "batch_size", "features", "epsilon"),
    "normalization/onnx_skip_layer_norm": Row(skip_arguments, skip_reference, 16),
    "normalization/onnx_batch_normalization": Row(batch_arguments, batch_reference, 4),
    "normalization/onnx_instance_normalization": Row(instance_arguments, instance_reference, 16, summed=lambda given: given["H"] * given["W"]),
    "reduction/vector_sum": Row(lambda random, n: dict(a=normal(random, n + 1), result=np.float32([0.5, 3]), n=n), lambda a, result, n: total_reference(result, n, a), 2, "s"),
    "reduction/vector_dot": Row(lambda random, n: dict(a=normal(random, n + 1), b=normal(random, n + 1), result=np.float32([0, 3]), n=n),
                                lambda a, b, result, n: total_reference(result, n, a, b), 2, "s"),
    "reduction/onnx_reduce_sum": Row(rows_arguments, rows_reference(False), 4),
    "reduction/onnx_reduce_mean": Row(rows_arguments, rows_reference(True), 4),
    "matrix/gemv_f32": Row(gemv_arguments, gemv_reference, 4),
    "matrix/gemm_f32": Row(gemm_arguments, gemm_reference, 4),
    "matrix/onnx_matmul": Row(matmul_arguments, matmul_reference, 4),
    "matrix/onnx_gemm": Row(onnx_gemm_arguments, onnx_gemm_reference, 6),
    "matrix/onnx_attention_scores": Row(attention_arguments, attention_reference, 5),
    "pooling/onnx_averagepool": Row(pool_arguments, pool_reference, 3),
    "pooling/onnx_global_average_pool": Row(global_pool_arguments, global_pool_reference, 6, summed=lambda given: given["H"] * given["W"]),
    "shape/onnx_reshape": COPY,
    "shape/onnx_flatten": COPY,
    "shape/onnx_squeeze": COPY,
    "shape/onnx_unsqueeze": COPY,
    "shape/onnx_transpose": Row(transpose_arguments, lambda X, Y, M, N: dict(Y=fill(Y, X[:M * N].reshape(M, N).T)), 0, "i"),
    "shape/onnx_concat": Row(concat_arguments, lambda A, B, Y, M, K, N: dict(Y=fill(Y, np.concatenate([A[:M * N], B[:K * N]]))), 0, "i"),
    "shape/onnx_slice_1d": Row(slice_arguments, lambda X, Y, start, end: dict(Y=fill(Y, X[start:end])), 0, "i"),
    "shape/onnx_gather": Row(gather_arguments, lambda X, Indices, Y, m: dict(Y=fill(Y, X[Indices[:m]])), 0, "i"),
    "conv/onnx_conv2d": Row(conv_arguments, conv_reference, 4),
    "quantum/quantum_search": Row(search_arguments, search_reference, 0),
    "quantum/optimal_path": Row(path_arguments, path_reference, 0),
    "quantum/constraint_solve": Row(constraint_arguments, constraint_reference, 0),
    "quantum/minimize_energy": Row(energy_arguments, energy_reference, 0),
    "other/onnx_argmax": Row(argmax_arguments, lambda X, Y, n: dict(Y=fill(Y, [np.argmax(X[:n])] if n else [])), 0),
    "other/onnx_range_op": Row(lambda random, n: dict(Y=blank(n + 1), start=-3.5, delta=0.3, n=n),
                               lambda Y, start, delta, n: dict(Y=fill(Y, start + np.arange(n) * up(delta)), scale=np.full(Y.size, abs(start) + delta * n)), 1),
    "other/onnx_constant_fill": Row(lambda random, n: dict(Y=blank(n + 1), value=-0.1, n=n), lambda Y, value, n: dict(Y=fill(Y, np.full(n, value))), 0),
    "other/onnx_cast_f32_to_f32": COPY,
    "other/onnx_shape_to_tensor": Row(lambda random, n: dict(Shape=random.integers(0, 2**32, n + 1).astype(np.uint32), Y=blank(n + 1, np.uint32), rank=n),
                                      lambda Shape, Y, rank: dict(Y=fill(Y, Shape[:rank])), 0),
}


def types_of(row):
    """The element types that a kernel is also right for."""
    if row.kinds == "s":
        return ["f64", "i32", "u64", "u32", "i64"]
    return ["f64", "f16", "bf16"] + (["i32", "u8", "i64", "u16", "i8", "u64", "i16", "u32"] if row.kinds == "i" else [])


def retype(key, text, arguments, dtype):
    """The kernel for arrays of `dtype`, and its arguments; numbers are float32, as they are for f16 and bf16, or float64, or integers."""
    number = "f64" if dtype == "f64" else "f32" if dtype in ("f16", "bf16", "f32") else dtype
    is_integer = number not in ("f32", "f64")
    text = re.sub(r"DeviceArray\[f32\]", f"DeviceArray[{dtype}]", text)
    text = re.sub(r"(?<!\w)f32(?=[,)\n])", number, text)  # of parameters
    if dtype == "f64":
        text = re.sub(r"(?<!\w)f32(?!\w)", "f64", text)
    text = re.sub(r"^from atlas_kernel import .*\n", "from atlas_kernel import *\n", text, flags=re.M)
    changed = {}
    for name, value in arguments.items():
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            value = (np.abs(value) if dtype[0] == "u" else value) * 20 if is_integer else value
            value = value.astype(np.int64).astype(TYPES[dtype]) if is_integer else value.astype(TYPES[dtype])
            if dtype == "f64" and key != "quantum/quantum_search":
                value = value * (1 + 2.0**-40)  # no float32
        elif isinstance(value, float):
            value = TYPES[number](value)
        changed[name] = value
    return text, changed


# Bits of the significand behind the point, and the least exponent.
SHAPES = {np.dtype(np.float16): (10, -14), np.dtype(ml_dtypes.bfloat16): (7, -126), np.dtype(np.float32): (23, -126), np.dtype(np.float64): (52, -1022)}


def units(size, dtype):
    bits, least = SHAPES[np.dtype(dtype)]
    exponent = np.frexp(np.maximum(size, WIDE(2)**least))[1] - 1
    return np.ldexp(WIDE(1), np.maximum(exponent, least) - bits)


def distance(got, want, scale=None):
    """The largest error in units of the last place of the type that is computed in, beyond the rounding to a narrower type of memory; NaN and infinity must stand
    where they are expected. Integers are equal modulo their width or infinitely far."""
    dtype = got.dtype
    if dtype not in SHAPES:
        return 0 if np.array_equal(got, wrap(want, dtype)) else np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = want.astype(np.float64).astype(dtype)
    special = ~np.isfinite(rounded.astype(np.float64))
    got_wide = up(got)
    if not np.array_equal(special, ~np.isfinite(got_wide)) or not np.array_equal(got[special].astype(np.float64), rounded[special].astype(np.float64), equal_nan=True):
        return np.inf
    size = np.abs(want[~special])
    error = np.abs(got_wide[~special] - want[~special])
    number = compute_type(dtype)
    if np.dtype(number) != dtype:
        error = np.maximum(error - units(size, dtype) * WIDE(0.50001), 0)
    return float((error / units(np.maximum(size, 0 if scale is None else np.abs(scale)[~special]), number)).max(initial=0))


def wrap(values, dtype):
    """Whole numbers modulo the width of the type."""
    return np.array([int(value) & (2**64 - 1) for value in values], np.uint64).astype(dtype)
