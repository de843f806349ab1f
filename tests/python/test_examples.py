"""Every kernel of examples/ against a NumPy reference, at its usual shape and at awkward ones."""

import json

import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

BF16 = ml_dtypes.bfloat16
RNG = np.random.default_rng(7)


def f32(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def save(path, array):
    """.npy for `klr`: bfloat16 goes as float32 and is converted back on load, which is exact."""
    if array.dtype == BF16:
        np.save(path, array.astype(np.float32))
        return f"@{path}:bf16"
    np.save(path, array)
    return f"@{path}"


def run_example(tmp_path, kernel, arrays, *options, **literals):
    """Runs examples/<kernel> and returns its results in order of return, widened to float32 where NumPy lacks the type."""
    arguments = [f"{name}={save(tmp_path / (name + '.npy'), array)}" for name, array in arrays.items()]
    arguments += [f"{name}={value!r}" for name, value in literals.items()]
    out = tmp_path / "out"
    result = run_klr("run", f"examples/{kernel}", *arguments, "--out", out, *options)
    assert result.returncode == 0, result.stderr
    listing = json.loads((out / "outputs.json").read_text())
    return [np.load(out / entry["file"]) for entry in listing["outputs"] if entry["role"] == "output"]


@pytest.mark.parametrize("shape", [(128, 512), (300, 77), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, BF16])
def test_tensor_add(tmp_path, shape, dtype):
    a, b = f32(*shape).astype(dtype), f32(*shape).astype(dtype)
    (got,) = run_example(tmp_path, "tensor_add.py", {"a": a, "b": b})
    np.testing.assert_array_equal(got, (a.astype(np.float32) + b.astype(np.float32)).astype(dtype).astype(np.float32))


def test_transpose(tmp_path):
    x = f32(256, 384)
    (got,) = run_example(tmp_path, "transpose.py", {"x": x})
    np.testing.assert_array_equal(got, x.T)


@pytest.mark.parametrize("kernel, K, M, N", [("matmul_one_tile", 128, 64, 512), ("matmul_one_tile", 37, 5, 11),
                                            ("matmul_tiled", 256, 256, 1024), ("matmul_hoisted", 256, 256, 1024),
                                            ("matmul_blocked", 256, 512, 1024)])
@pytest.mark.parametrize("dtype", [np.float32, BF16])
def test_matmul(tmp_path, kernel, K, M, N, dtype):
    lhs_t, rhs = f32(K, M).astype(dtype), f32(K, N).astype(dtype)
    (got,) = run_example(tmp_path, f"matmul.py:{kernel}", {"lhs_t": lhs_t, "rhs": rhs})
    want = lhs_t.astype(np.float64).T @ rhs.astype(np.float64)
    tolerance = 2e-6 if dtype == np.float32 else 5e-3
    assert np.abs(got - want).max() <= tolerance * np.abs(want).max()


def test_the_four_matmuls_agree_bit_for_bit(tmp_path):
    lhs_t, rhs = f32(256, 512), f32(256, 1024)
    results = [run_example(tmp_path, f"matmul.py:{kernel}", {"lhs_t": lhs_t, "rhs": rhs})[0]
               for kernel in ("matmul_tiled", "matmul_hoisted", "matmul_blocked")]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("shape, pool", [((8, 6, 6), 2), ((128, 9, 12), 3), ((1, 4, 4), 4)])
def test_avgpool(tmp_path, shape, pool):
    x = f32(*shape)
    (got,) = run_example(tmp_path, "avgpool.py", {"x": x}, pool=pool)
    c, h, w = shape
    want = x.astype(np.float64).reshape(c, h // pool, pool, w // pool, pool).mean(axis=(2, 4))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(128, 512), (200, 1000), (3, 1)])
def test_softmax(tmp_path, shape):
    x = f32(*shape) * 5
    (got,) = run_example(tmp_path, "softmax.py", {"x": x})
    e = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    np.testing.assert_allclose(got, e / e.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-9)  # 512 float32 additions in a row


@pytest.mark.parametrize("shape", [(128, 512), (130, 96)])
def test_rmsnorm(tmp_path, shape):
    x, weight = f32(*shape), f32(1, shape[1])
    (got,) = run_example(tmp_path, "norms.py:rmsnorm", {"x": x, "weight": weight})
    wide = x.astype(np.float64)
    want = wide / np.sqrt((wide ** 2).mean(axis=1, keepdims=True) + 1e-6) * weight
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(128, 1024), (130, 96), (5, 7)])
def test_layernorm(tmp_path, shape):
    x, weight, bias = f32(*shape), f32(1, shape[1]), f32(1, shape[1])
    (got,) = run_example(tmp_path, "norms.py:layernorm", {"x": x, "weight": weight, "bias": bias})
    wide = x.astype(np.float64)
    mean, var = wide.mean(axis=1, keepdims=True), wide.var(axis=1, keepdims=True)
    np.testing.assert_allclose(got, (wide - mean) / np.sqrt(var + 1e-5) * weight + bias, rtol=1e-5, atol=2e-5)


def test_rope(tmp_path):
    x = f32(200, 64)
    angle = np.arange(200)[:, None] / 10000 ** (np.arange(32)[None, :] / 32)
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    (got,) = run_example(tmp_path, "rope.py", {"x": x, "cos": cos, "sin": sin})
    first, second = x[:, :32], x[:, 32:]
    want = np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=1)
    np.testing.assert_array_equal(got, want)  # float32 products and sums, in the same order


def attention_reference(q, k, v, causal):
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    scores = q @ k.T / np.sqrt(q.shape[1])
    if causal:
        scores[np.triu_indices(len(q), 1)] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights @ v / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("tokens, depth, causal", [(1024, 128, True), (512, 64, False), (512, 96, True)])
def test_attention(tmp_path, tokens, depth, causal):
    q, k, v = (f32(tokens, depth).astype(BF16) for _ in range(3))
    (got,) = run_example(tmp_path, "attention.py", {"q": q, "k": k, "v": v}, causal=causal)
    want = attention_reference(q, k, v, causal)
    assert np.abs(got - want).max() <= 1.5e-2  # bfloat16 weights and results
    assert np.linalg.norm(got - want) <= 4e-3 * np.linalg.norm(want)


@pytest.mark.parametrize("heads, tokens, depth", [(2, 512, 64), (1, 2560, 128)])
def test_attention_fwd(tmp_path, heads, tokens, depth):
    q, k, v = (f32(heads, tokens, depth).astype(BF16) for _ in range(3))
    (got,) = run_example(tmp_path, "attention_fwd.py", {"q": q, "k": k, "v": v})
    for head in range(heads):
        want = attention_reference(q[head], k[head], v[head], False)
        assert np.abs(got[head] - want).max() <= 1e-2  # bfloat16 weights and results
        assert np.linalg.norm(got[head] - want) <= 4e-3 * np.linalg.norm(want)


def swiglu(x, w_gate, w_up, w_down):
    """In float64; the hidden layer is rounded to bfloat16, as on the device."""
    gate, up = x.astype(np.float64) @ w_gate.astype(np.float64), x.astype(np.float64) @ w_up.astype(np.float64)
    hidden = (gate / (1 + np.exp(-gate)) * up).astype(np.float32).astype(BF16).astype(np.float64)
    return hidden @ w_down.astype(np.float64)


@pytest.mark.parametrize("tokens, features, hidden, block", [(128, 128, 256, 512), (512, 1024, 384, 256)])
def test_mlp(tmp_path, tokens, features, hidden, block):
    x, w_gate, w_up, w_down = (array.astype(BF16) for array in (
        f32(tokens, features), f32(features, hidden) / 16, f32(features, hidden) / 16, f32(hidden, features) / 16))
    (got,) = run_example(tmp_path, "mlp.py", {"x": x, "w_gate": w_gate, "w_up": w_up, "w_down": w_down}, block=block)
    want = swiglu(x, w_gate, w_up, w_down)
    assert np.linalg.norm(got - want) <= 4e-3 * np.linalg.norm(want)


def test_moe(tmp_path):
    tokens, features, hidden, experts = 384, 256, 128, 8
    x, router = f32(tokens, features).astype(BF16), f32(features, experts).astype(BF16)
    router[:, 3], router[:, 5] = BF16(0), router[:, 5] * BF16(3)  # few tokens for one expert, many for another
    w_gate, w_up, w_down = (array.astype(BF16) for array in (
        f32(experts, features, hidden) / 16, f32(experts, features, hidden) / 16, f32(experts, hidden, features) / 16))
    arrays = {"x": x, "router": router, "w_gate": w_gate, "w_up": w_up, "w_down": w_down}
    (got,) = run_example(tmp_path, "moe.py", arrays, "--target", "trn3")
    scores = x.astype(np.float64) @ router.astype(np.float64)
    best = np.argsort(-scores, axis=1)[:, :2]
    want, counts = np.zeros((tokens, features)), np.zeros(experts, int)
    for t in range(tokens):
        share = np.exp(scores[t, best[t]] - scores[t, best[t, 0]])
        for choice, expert in enumerate(best[t]):
            counts[expert] += 1
            want[t] += share[choice] / share.sum() * swiglu(x[t:t + 1], w_gate[expert], w_up[expert], w_down[expert])[0]
    assert counts.min() < 128 < counts.max()  # one tile for some, two for others
    assert np.linalg.norm(got - want) <= 5e-3 * np.linalg.norm(want)


def test_selective_scan(tmp_path):
    channels, time, states = 140, 64, 4
    delta, u = np.abs(f32(channels, time)) * 0.1, f32(channels, time)
    A, B, C = -np.abs(f32(channels, states)), f32(states, time), f32(states, time)
    (got,) = run_example(tmp_path, "selective_scan.py", {"delta": delta, "u": u, "A": A, "B": B, "C": C})
    h, want = np.zeros((channels, states)), np.zeros((channels, time))
    for t in range(time):
        d = delta[:, t:t + 1].astype(np.float64)
        h = np.exp(d * A) * h + d * u[:, t:t + 1] * B[None, :, t]
        want[:, t] = (h * C[None, :, t]).sum(axis=1)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape, k", [((128, 300), 16), ((5, 64), 8)])
def test_topk(tmp_path, shape, k):
    x = f32(*shape)
    x[:, 3] = x[:, 10]  # a tie: the lower index comes first
    values, indices = run_example(tmp_path, "topk.py", {"x": x}, k=k)
    order = np.argsort(-x, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(values, np.take_along_axis(x, order, axis=1))
    np.testing.assert_array_equal(indices, order)


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_dynamic_loop(tmp_path, count):
    x = f32(5, 128, 64)
    (got,) = run_example(tmp_path, "dynamic_loop.py", {"x": x, "count": np.array([[count]], dtype=np.int32)})
    want = np.zeros((128, 64), dtype=np.float32)
    for i in range(count):
        want = want + x[i]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_composed(tmp_path, activation):
    from math import erf

    x_t, w1, b1, w2, b2 = f32(96, 200), f32(96, 64), f32(64, 1), f32(64, 10), f32(10, 1)
    (got,) = run_example(tmp_path, "composed.py:mlp", {"x_t": x_t, "w1": w1, "b1": b1, "w2": w2, "b2": b2},
                         activation=activation)
    functions = {"relu": lambda z: np.maximum(z, 0), "silu": lambda z: z / (1 + np.exp(-z)),
                 "gelu": lambda z: z * (1 + np.vectorize(erf)(z / np.sqrt(2))) / 2}
    hidden = functions[activation](w1.T.astype(np.float64) @ x_t + b1)
    np.testing.assert_allclose(got, w2.T @ hidden + b2, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("cores", [1, 2])
def test_lnc2(tmp_path, cores):
    x = f32(300, 40)
    (got,) = run_example(tmp_path, "lnc2.py", {"x": x}, "--lnc", cores, factor=3.0)
    np.testing.assert_array_equal(got, x * np.float32(3))


def test_the_reference_executors_and_thread_counts_give_the_same_bits(tmp_path):
    q, k, v = (f32(512, 64).astype(BF16) for _ in range(3))
    arrays = {"q": q, "k": k, "v": v}
    (fast,) = run_example(tmp_path, "attention.py", arrays, "--threads", 1)
    for options in (["--threads", 2], ["--reference"], ["--checks", "none"]):
        (other,) = run_example(tmp_path, "attention.py", arrays, *options)
        np.testing.assert_array_equal(fast, other, err_msg=str(options))
