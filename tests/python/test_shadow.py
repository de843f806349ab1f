"""`klr run --shadow f64`: the twin in double precision, operator by operator against NumPy's float64."""

import json
from math import erf as _erf

import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

P, F = 32, 48
HEAD = f"""import nki
import nki.isa as nisa
import nki.language as nl

@nki.jit
def k(x, y):
    t = nl.ndarray(({P}, {F}), dtype=nl.bfloat16, buffer=nl.sbuf)
    w = nl.ndarray(({P}, {F}), dtype=nl.float32, buffer=nl.sbuf)
    col = nl.ndarray(({P}, 1), dtype=nl.float32, buffer=nl.sbuf)
    row = nl.ndarray(({P}, 8), dtype=nl.float32, buffer=nl.sbuf)
    mask = nl.ndarray(({P}, {F}), dtype=nl.uint8, buffer=nl.sbuf)
    nisa.dma_copy(dst=w, src=x)
    nisa.tensor_scalar(dst=t, data=w, op0=nl.multiply, operand0=1.1)
    nisa.dma_copy(dst=w, src=y)
    nisa.tensor_scalar(dst=mask, data=w, op0=nl.greater, operand0=0.0)
    nisa.tensor_copy(dst=col, src=t[:, 3:4])
"""


def run(tmp_path, body, result, x, y, *options, dtype="float32", status=0):
    """The kernel's body after HEAD; `result` is a tile that is stored. (actual result, the report)"""
    path = tmp_path / "k.py"
    path.write_text(HEAD + "".join(f"    {line}\n" for line in body)
                    + f"    out = nl.ndarray({result}.shape, dtype=nl.{dtype}, buffer=nl.shared_hbm)\n"
                    + f"    nisa.dma_copy(dst=out, src={result})\n    return out\n")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    found = run_klr("run", path, f"x=@{tmp_path}/x.npy", f"y=@{tmp_path}/y.npy", "--shadow", "f64", "--json", "--lenient",
                    "--out", tmp_path / "out", *options)
    assert found.returncode == status, found.stdout + found.stderr
    return np.load(tmp_path / "out/out.1.npy"), json.loads(found.stdout)["shadow"]


def arrays():
    draw = np.random.default_rng(7)
    return (draw.standard_normal((P, F)).astype(np.float32), (draw.uniform(0.5, 2, (P, F)) * draw.choice([-1, 1], (P, F)))
            .astype(np.float32))


X, Y = arrays()
T = X.astype(np.float64) * np.float64(np.float32(1.1))  # what t would be without rounding
RAW = (X * np.float32(1.1)).astype(ml_dtypes.bfloat16)  # what it is
W = Y.astype(np.float64)
COL = T[:, 3:4]
erf = np.vectorize(_erf)


def same(report, actual, exact):
    """The report's only result is as far from `exact` as NumPy says."""
    result, = report["results"]
    actual, exact = actual.astype(np.float64).reshape(-1), np.asarray(exact, np.float64).reshape(-1)
    error = np.abs(actual - exact)
    assert np.linalg.norm(error) > 0, "the test cannot tell"
    assert result["error"]["relative"] == pytest.approx(np.linalg.norm(error) / np.linalg.norm(exact), rel=1e-6)
    assert result["error"]["max"] == pytest.approx(error.max(), rel=1e-6)
    assert result["actual"] == actual[error.argmax()] or error[error.argmax()] == pytest.approx(np.sort(error)[-2], rel=1e-9)
    assert result["exact"] == pytest.approx(result["actual"], abs=2 * error.max())
    assert not report["not_followed"]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def stats(x):
    return np.concatenate([np.stack([np.full(len(x), h.shape[1]), h.mean(1), h.var(1) * h.shape[1]], 1)
                           for h in (x[:, ::2], x[:, 1::2])], 1)


def scan(state, x, y):
    out = np.empty_like(x)
    for i in range(x.shape[1]):
        state = x[:, i] * state + y[:, i]
        out[:, i] = state
    return out


OPERATORS = {
    "copy": ("nisa.tensor_copy(dst=w, src=t)", T),
    "multiply": ("nisa.tensor_tensor(dst=w, data1=t, data2=w, op=nl.multiply)", T * W),
    "divide": ("nisa.tensor_tensor(dst=w, data1=t, data2=w, op=nl.divide)", T / W),
    "maximum": ("nisa.tensor_tensor(dst=w, data1=t, data2=w, op=nl.maximum)", np.maximum(T, W)),
    "reversed": ("nisa.tensor_scalar(dst=w, data=t, op0=nl.subtract, operand0=2.5, reverse0=True, op1=nl.multiply, operand1=col)",
                 (2.5 - T) * COL),
    "column": ("nisa.tensor_scalar(dst=w, data=t, op0=nl.add, operand0=col)", T + COL),
    "scalar_tensor_tensor": ("nisa.scalar_tensor_tensor(dst=w, data=t, op0=nl.multiply, operand0=col, op1=nl.subtract, "
                             "operand1=w)", T * COL - W),
    "reciprocal": ("nisa.reciprocal(dst=w, data=t)", 1 / T),
    "memset": ("nisa.memset(dst=t, value=0.3)", np.full((P, F), np.float64(np.float32(0.3))), "t", "bfloat16"),
    "reduce": ("nisa.tensor_reduce(dst=col, op=nl.add, data=t, axis=1, negate=True)", -T.sum(1, keepdims=True), "col"),
    "reduce_max": ("nisa.tensor_reduce(dst=col, op=nl.maximum, data=t, axis=1)", T.max(1, keepdims=True), "col"),
    "scan": ("nisa.tensor_tensor_scan(dst=w, data0=t, data1=w, initial=0.5, op0=nl.multiply, op1=nl.add)",
             scan(np.full(P, 0.5), T, W)),
    "exp": ("nisa.activation(dst=w, op=nl.exp, data=t, bias=col, scale=0.5)", np.exp(T * 0.5 + COL)),
    "tanh": ("nisa.activation(dst=w, op=nl.tanh, data=t)", np.tanh(T)),
    "erf": ("nisa.activation(dst=w, op=nl.erf, data=t)", erf(T)),
    "gelu": ("nisa.activation(dst=w, op=nl.gelu, data=t)", T * 0.5 * (1 + erf(T / np.sqrt(2)))),
    "silu": ("nisa.activation(dst=w, op=nl.silu, data=t)", T * sigmoid(T)),
    "softplus": ("nisa.activation(dst=w, op=nl.softplus, data=t)", np.log1p(np.exp(T))),
    "mish": ("nisa.activation(dst=w, op=nl.mish, data=t)", T * np.tanh(np.log1p(np.exp(T)))),
    "square": ("nisa.activation(dst=w, op=nl.square, data=t)", T * T),
    "activation_reduce": ("nisa.activation_reduce(dst=w, op=nl.exp, data=t, reduce_op=nl.add, reduce_res=col)",
                          np.exp(T).sum(1, keepdims=True), "col"),
    "scalar_reduce": ("nisa.tensor_scalar_reduce(dst=w, data=t, op0=nl.multiply, operand0=2.0, reduce_op=nl.add, reduce_res=col)",
                      (2 * T).sum(1, keepdims=True), "col"),
    "select": ("nisa.affine_select(dst=w, pattern=[[-1, 48]], offset=0, channel_multiplier=1, on_true_tile=t, on_false_value=-7.0, "
               "cmp_op=nl.greater_equal)", np.where(np.arange(P)[:, None] >= np.arange(F), T, -7)),
    "copy_predicated": ("tf = nl.ndarray((32, 48), dtype=nl.float32, buffer=nl.sbuf); nisa.tensor_copy(dst=tf, src=t); "
                        "nisa.tensor_copy_predicated(dst=w, src=tf, predicate=mask)", np.where(W > 0, T, W)),
    "stats": ("st = nl.ndarray((32, 6), dtype=nl.float32, buffer=nl.sbuf); nisa.bn_stats(dst=st, data=t)", stats(T), "st"),
    "aggregate": ("st = nl.ndarray((32, 6), dtype=nl.float32, buffer=nl.sbuf); nisa.bn_stats(dst=st, data=t); "
                  "nisa.bn_aggr(dst=row[:, 0:2], data=st)", np.stack([T.mean(1), T.var(1)], 1), "row[:, 0:2]"),
    "max8": ("nisa.max8(dst=row, src=t)", -np.sort(-T, 1)[:, :8], "row"),
    "matmul": ("ps = nl.ndarray((48, 48), dtype=nl.float32, buffer=nl.psum); wb = nl.ndarray((32, 48), dtype=nl.bfloat16, "
               "buffer=nl.sbuf); nisa.tensor_copy(dst=wb, src=w); nisa.nc_matmul(dst=ps, stationary=t, moving=wb); "
               "nisa.nc_matmul(dst=ps, stationary=t, moving=t); big = nl.ndarray((48, 48), dtype=nl.float32, buffer=nl.sbuf); "
               "nisa.tensor_copy(dst=big, src=ps)", T.T @ W + T.T @ T, "big"),
    "transpose": ("tt = nl.ndarray((32, 32), dtype=nl.bfloat16, buffer=nl.sbuf); nisa.nc_transpose(dst=tt, data=t[:, 0:32], "
                  "engine=nisa.vector_engine)", T[:, :32].T, "tt", "bfloat16"),
    "dma_transpose": ("tt = nl.ndarray((48, 32), dtype=nl.bfloat16, buffer=nl.sbuf); nisa.dma_transpose(dst=tt, src=t)", T.T, "tt",
                      "bfloat16"),
    "exponential": ("ex = nl.ndarray((32, 48), dtype=nl.bfloat16, buffer=nl.sbuf); nisa.exponential(dst=ex, src=t, max_value=col, "
                    "reduce_cmd=nisa.reduce_cmd.reset_reduce, reduce_res=row[:, 0:1])", np.exp(T - COL).sum(1, keepdims=True),
                    "row[:, 0:1]"),
    "activate2": ("nisa.activate2(dst=w, op=nl.prelu, data=t, imm0=2.0, imm1=col, op0=nl.multiply, op1=nl.subtract, relu_param=0.25)",
                  np.where(2 * T >= COL, 2 * T - COL, 0.25 * (2 * T - COL))),
    "select_reduce": ("tf = nl.ndarray((32, 48), dtype=nl.float32, buffer=nl.sbuf); nisa.tensor_copy(dst=tf, src=t); "
                      "nisa.select_reduce(dst=w, predicate=mask, on_true=tf, on_false=-9.5, reduce_cmd=nisa.reduce_cmd.reset_reduce, "
                      "reduce_res=col)", np.where(W > 0, T, -9.5).max(1, keepdims=True), "col"),
    "range_select": ("lo = nl.ndarray((32, 1), dtype=nl.float32, buffer=nl.sbuf); hi = nl.ndarray((32, 1), dtype=nl.float32, "
                     "buffer=nl.sbuf); nisa.memset(dst=lo, value=4.0); nisa.memset(dst=hi, value=30.0); tf = nl.ndarray((32, 48), "
                     "dtype=nl.float32, buffer=nl.sbuf); nisa.tensor_copy(dst=tf, src=t); nisa.range_select(dst=w, on_true_tile=tf, "
                     "comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=lo, bound1=hi, reduce_res=col)",
                     T[:, 4:30].max(1, keepdims=True), "col"),
    "cumulative": ("nisa.tensor_scalar_cumulative(dst=w, src=t, op0=nl.multiply, op1=nl.add, imm0=0.75)", np.cumsum(T * 0.75, 1)),
    "partition_reduce": ("line = nl.ndarray((1, 48), dtype=nl.float32, buffer=nl.sbuf); nisa.tensor_partition_reduce(dst=line, "
                         "op=nl.add, data=t)", T.sum(0, keepdims=True), "line"),
    "n_gather": ("idx = nl.ndarray((32, 48), dtype=nl.uint32, buffer=nl.sbuf); nisa.iota(dst=idx, pattern=[[-1, 48]], offset=47); "
                 "nisa.nc_n_gather(dst=t, data=t, indices=idx)", T[:, ::-1], "t", "bfloat16"),
    "dma_compute": ("tb = nl.ndarray((32, 48), dtype=nl.bfloat16, buffer=nl.sbuf); nisa.tensor_copy(dst=tb, src=w); "
                    "nisa.dma_compute(dst=tb, srcs=[t, tb], reduce_op=nl.add)", T + W, "tb", "bfloat16"),
    "shuffle": ("nisa.nc_stream_shuffle(dst=t, src=t, shuffle_mask=[31 - i for i in range(32)])", T[::-1], "t", "bfloat16"),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_those_of_float64(tmp_path, name):
    options = ["--target", "trn3"] if name in ("exponential", "activate2") else []
    code, exact, *rest = OPERATORS[name]
    result, dtype = (rest + ["w", "float32"][len(rest):])[:2]
    actual, report = run(tmp_path, code.split("; "), result, X, Y, *options, dtype=dtype)
    same(report, actual.reshape(exact.shape), exact)


def place(report, text):
    found, = [p for p in report["places"] if text in p["text"]]
    return found


def test_what_an_instruction_adds_and_what_it_carries(tmp_path):
    actual, report = run(tmp_path, ["nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=3.0)",
                                    "nisa.tensor_scalar(dst=w, data=t, op0=nl.subtract, operand0=3.0)"], "w", X, Y)
    def part(found, exact):
        return np.linalg.norm(np.asarray(found, np.float64) - exact) / np.linalg.norm(exact)

    first = place(report, "operand0=1.1")
    assert first["added"]["relative"] == pytest.approx(part(RAW, T), rel=1e-6) and first["carried"]["relative"] == 0
    assert first["added"]["max_ulps"] <= 0.5 and first["amplified"] is None and first["operand"] == "dst"
    second = place(report, "nl.add")
    raw = np.float64(RAW) + 3
    rounded = raw.astype(np.float32).astype(ml_dtypes.bfloat16)
    local = np.linalg.norm(np.float64(rounded) - raw) / np.linalg.norm(raw)
    assert second["added"]["relative"] == pytest.approx(local, rel=1e-6)
    assert second["carried"]["relative"] == pytest.approx(part(raw, T + 3), rel=1e-6)
    assert second["total"]["relative"] == pytest.approx(part(rounded, T + 3), rel=1e-6)
    assert second["operands"] == pytest.approx(part(RAW, T), rel=1e-6)
    assert second["amplified"] == pytest.approx(part(raw, T + 3) / part(RAW, T), rel=1e-6)
    # Taking 3 away again adds nothing, but what was lost now counts for more: nothing to list among what adds.
    assert not [p for p in report["places"] if "subtract" in p["text"]]
    assert report["results"][0]["error"]["relative"] == pytest.approx(part(actual, T), rel=1e-6)
    assert [p["added"]["relative"] for p in report["places"]] == sorted((p["added"]["relative"] for p in report["places"]),
                                                                       reverse=True)


def test_comparisons_and_integers_follow_the_run(tmp_path):
    edge = X.copy()
    edge[:] = np.float32(1 / 1.1)  # 1.1 x is just about 1: rounding decides
    code = ["nisa.tensor_scalar(dst=w, data=t, op0=nl.greater_equal, operand0=1.0)"]
    actual, report = run(tmp_path, code, "w", edge, Y)
    assert (actual == 1).all() and report["results"][0]["error"]["max"] == 0
    code = ["ints = nl.ndarray((32, 48), dtype=nl.int32, buffer=nl.sbuf)", "nisa.tensor_scalar(dst=ints, data=t, op0=nl.multiply, "
            "operand0=100.0)", "nisa.tensor_copy(dst=w, src=ints)"]
    actual, report = run(tmp_path, code, "w", X, Y)
    assert report["results"][0]["error"]["max"] == 0


def test_what_is_not_followed_is_said(tmp_path):
    code = ["idx = nl.ndarray((32, 8), dtype=nl.uint32, buffer=nl.sbuf)", "nisa.max8(dst=row, src=t)",
            "nisa.nc_match_replace8(dst=w, data=t, vals=row, imm=0.0)"]
    actual, report = run(tmp_path, code, "w", X, Y)
    assert [p["kind"] for p in report["not_followed"]] == ["match_replace8"]
    assert report["results"][0]["error"]["max"] == 0  # the twin begins anew
    result = run_klr("run", tmp_path / "k.py", f"x=@{tmp_path}/x.npy", f"y=@{tmp_path}/y.npy", "--shadow", "f64")
    assert "not followed" in result.stdout and "k.py:19  nisa.nc_match_replace8" in result.stdout


def test_what_is_not_finite_is_counted(tmp_path):
    code = ["h = nl.ndarray((32, 48), dtype=nl.float16, buffer=nl.sbuf)",
            "nisa.tensor_scalar(dst=h, data=t, op0=nl.multiply, operand0=60000.0)", "nisa.tensor_copy(dst=w, src=h)"]
    actual, report = run(tmp_path, code, "w", X, Y)
    count = np.isinf(actual).sum()
    assert 0 < count == report["results"][0]["not_finite"] == place(report, "60000")["not_finite"]


def test_loops_show_their_worst(tmp_path):
    code = ["for i in range(4):", "    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=1.0 + i / 7)"]
    actual, report = run(tmp_path, code, "t", X, Y, dtype="bfloat16")
    found = place(report, "1.0 + i / 7")
    assert found["times"] == 4
    value, most = np.float64(RAW), 0
    for i in range(4):
        exact = value * np.float64(np.float32(1 + i / 7))
        value = np.float64(exact.astype(np.float32).astype(ml_dtypes.bfloat16))
        most = max(most, np.linalg.norm(value - exact) / np.linalg.norm(exact))
    assert found["added"]["relative"] == pytest.approx(most, rel=1e-3)


@pytest.mark.parametrize("kernel, arguments", [
    ("attention_fwd.py", ["q=randn:bf16[1,512,32]", "k=randn:bf16[1,512,32]", "v=randn:bf16[1,512,32]"]),
    ("selective_scan.py", ["delta=uniform:f32[130,20]", "u=randn:f32[130,20]", "A=randn:f32[130,3]", "B=randn:f32[3,20]",
                           "C=randn:f32[3,20]"]),
    ("lnc2.py", ["x=randn:f32[140,33]", "factor=0.3", "--lnc", "2"])])
def test_the_run_itself_does_not_change(tmp_path, kernel, arguments):
    for name, more in ("plain", []), ("shadow", ["--shadow", "f64"]):
        assert run_klr("run", f"examples/{kernel}", *arguments, "--out", tmp_path / name, *more).returncode == 0
    for path in (tmp_path / "plain").glob("*.npy"):
        assert path.read_bytes() == (tmp_path / "shadow" / path.name).read_bytes()


def test_attention_against_numpy(tmp_path):
    shape = (1, 512, 32)
    draw = np.random.default_rng(3)
    given = {}
    for name in "qkv":
        given[name] = draw.standard_normal(shape).astype(ml_dtypes.bfloat16).astype(np.float32)
        np.save(tmp_path / f"{name}.npy", given[name])
    found = run_klr("run", "examples/attention_fwd.py", *[f"{n}=@{tmp_path}/{n}.npy:bf16" for n in "qkv"], "--shadow", "f64",
                    "--json", "--out", tmp_path / "out")
    report = json.loads(found.stdout)["shadow"]
    q, k, v = (given[n][0].astype(np.float64) for n in "qkv")
    scores = q @ k.T / np.sqrt(32)
    weights = np.exp(scores - scores.max(1, keepdims=True))
    exact = weights / weights.sum(1, keepdims=True) @ v
    error = np.load(tmp_path / "out/out.1.npy")[0].astype(np.float64) - exact
    assert report["results"][0]["error"]["relative"] == pytest.approx(np.linalg.norm(error) / np.linalg.norm(exact), rel=1e-4)
    assert not report["not_followed"]


def test_other_shadows_are_refused():
    result = run_klr("run", "examples/softmax.py", "x=randn:f32[4,4]", "--shadow", "f32")
    assert result.returncode == 2 and "--shadow is f64" in result.stderr
