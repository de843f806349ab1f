"""The functions of nki.language, run, against NumPy: one kernel that returns a tensor for each function."""

import json
import math

import numpy as np
import pytest
from conftest import run_klr

HEADER = "import nki\nimport nki.isa as nisa\nimport nki.language as nl\n\n@nki.jit\ndef k({parameters}):\n"


def run(tmp_path, arrays, results):
    """results: expressions over the loaded tiles. Gives one array for each."""
    lines = [f"{name}_ = {name}\n    {name} = nl.load({name})" for name in arrays]
    for i, expression in enumerate(results):
        lines += [f"t{i} = {expression}", f"out{i} = nl.ndarray(t{i}.shape, t{i}.dtype, nl.shared_hbm)",
                  f"nl.store(out{i}, nl.copy(t{i}))"]
    lines.append("return " + ", ".join(f"out{i}" for i in range(len(results))) + ",")
    path = tmp_path / "k.py"
    path.write_text(HEADER.format(parameters=", ".join(arrays)) + "".join(f"    {line}\n" for line in lines))
    arguments = []
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        arguments.append(f"{name}=@{tmp_path / name}.npy")
    done = run_klr("run", path, *arguments, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    index = json.loads((tmp_path / "out" / "outputs.json").read_text())
    names = [entry["name"] for entry in (index["outputs"] if isinstance(index, dict) else index)]
    return [np.load(tmp_path / "out" / f"{name}.npy") for name in names[: len(results)]]


RNG = np.random.default_rng(7)
X = (RNG.standard_normal((32, 24)) * 3).astype(np.float32)
Y = (RNG.standard_normal((32, 24)) * 2 + 0.1).astype(np.float32)
P = np.abs(X) + 0.5
C = Y[:, 0:1].copy()

erf = np.vectorize(math.erf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


UNARY = {
    "abs": np.abs, "square": np.square, "exp": np.exp, "tanh": np.tanh, "sigmoid": sigmoid, "negative": np.negative,
    "relu": lambda x: np.maximum(x, 0), "gelu": lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "silu": lambda x: x * sigmoid(x), "softplus": lambda x: np.log1p(np.exp(x)), "erf": erf, "sign": np.sign,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "logical_not": lambda x: x == 0, "copy": lambda x: x, "reciprocal": lambda x: 1 / x,
    "gelu_apprx_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "gelu_apprx_sigmoid": lambda x: x * sigmoid(1.702 * x), "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "silu_dx": lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))), "erf_dx": lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x),
}
POSITIVE = {"log": np.log, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x)}
BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "maximum": np.maximum,
    "minimum": np.minimum, "mod": np.mod, "fmod": np.fmod, "equal": np.equal, "not_equal": np.not_equal, "less": np.less,
    "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal, "logical_and": np.logical_and,
    "logical_or": np.logical_or, "logical_xor": np.logical_xor,
}


def close(found, wanted, tolerance=2e-5):
    wanted = np.asarray(wanted, dtype=np.float64)
    np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=tolerance, atol=tolerance)


def test_functions_of_one_tile(tmp_path):
    found = run(tmp_path, {"x": X, "p": P}, [f"nl.{f}(x)" for f in UNARY] + [f"nl.{f}(p)" for f in POSITIVE])
    for (name, function), array in zip([*UNARY.items(), *POSITIVE.items()], found):
        wide = (P if name in POSITIVE else X).astype(np.float64)
        try:
            close(array, function(wide), 2e-4 if name == "tan" else 2e-5)
        except AssertionError as error:
            raise AssertionError(f"nl.{name}") from error


def test_whole_numbers_stay_whole(tmp_path):
    whole = np.array([[-3, -2.5, -2, -1.5, -0.5, 0, 0.5, 1.5, 2, 2.5, 3, 8388609, -16777218, 3e9, -1e20]], dtype=np.float32)
    names = ["floor", "ceil", "trunc"]
    for name, array in zip(names, run(tmp_path, {"x": whole}, [f"nl.{f}(x)" for f in names])):
        np.testing.assert_array_equal(array, getattr(np, name)(whole))


@pytest.mark.parametrize("other, value", [("y", Y), ("c", C), ("1.5", 1.5)], ids=["tile", "column", "number"])
def test_functions_of_two(tmp_path, other, value):
    found = run(tmp_path, {"x": X, "y": Y, "c": C}, [f"nl.{f}(x, {other})" for f in BINARY] + [f"nl.subtract({other}, x)"])
    for (name, function), array in zip([*BINARY.items(), ("", lambda x, y: y - x)], found):
        try:
            close(array, function(X.astype(np.float64), value))
        except AssertionError as error:
            raise AssertionError(f"nl.{name}") from error


def test_bits(tmp_path):
    a = RNG.integers(-1000, 1000, (16, 8)).astype(np.int32)
    b = RNG.integers(0, 8, (16, 8)).astype(np.int32)
    names = {"bitwise_and(a, b)": a & b, "bitwise_or(a, b)": a | b, "bitwise_xor(a, 5)": a ^ 5, "left_shift(a, b)": a << b,
             "right_shift(a, b)": (a.view(np.uint32) >> b.astype(np.uint32)).view(np.int32), "invert(a)": ~a}
    for (name, wanted), array in zip(names.items(), run(tmp_path, {"a": a, "b": b}, [f"nl.{n}" for n in names])):
        np.testing.assert_array_equal(array, wanted, name)


def test_reductions(tmp_path):
    x = X.reshape(32, 4, 6)
    cases = {
        "sum(x, axis=2)": x.sum(2), "sum(x, axis=[1, 2])": x.sum((1, 2))[:, None], "max(x, axis=-1, keepdims=True)": x.max(2, keepdims=True), "min(x, axis=(1, 2), keepdims=True)":
        x.min((1, 2), keepdims=True), "mean(x, axis=-1)": x.mean(2), "prod(x, axis=2)": x.prod(2),
        "all(x, axis=2)": (x != 0).all(2), "var(x, axis=[1, 2])": x.var((1, 2), keepdims=True),
    }
    for (name, wanted), array in zip(cases.items(), run(tmp_path, {"x": x}, [f"nl.{n}" for n in cases])):
        assert array.shape == wanted.shape, name
        close(array, wanted, 1e-4)


def test_composites(tmp_path):
    w = RNG.standard_normal((32, 24)).astype(np.float32)
    e = np.exp(X - X.max(1, keepdims=True))
    cases = {
        "softmax(x)": e / e.sum(1, keepdims=True),
        "rms_norm(x, w, 1, 24)": X / np.sqrt((X * X).sum(1, keepdims=True) / 24 + 1e-6) * w,
        "where(nl.greater(x, 0.0), x, w)": np.where(X > 0, X, w), "where(nl.greater(x, 0.0), 1.0, x)": np.where(X > 0, 1, X),
        "broadcast_to(x[3:4], (32, 24))": np.broadcast_to(X[3:4], (32, 24)),
        "broadcast_to(x[:, 5:6], (32, 24))": np.broadcast_to(X[:, 5:6], (32, 24)),
        "transpose(x)": X.T, "matmul(x, w, transpose_x=True)": X.T @ w, "matmul(x[:, 0:16], w[0:16])": X[:, :16] @ w[:16],
        "shared_identity_matrix(16, nl.float32)": np.eye(16), "expand_dims(x, 1)": X[:, None],
        "full((4, 3), 2.5, nl.float32)": np.full((4, 3), 2.5), "ones((4, 3), nl.int32)": np.ones((4, 3)),
        "load_transpose2d(x_)": X.T, "add(x, 1.0, dtype=nl.int32)": np.clip(np.rint(X + 1), -2**31, 2**31 - 1),
    }
    for (name, wanted), array in zip(cases.items(), run(tmp_path, {"x": X, "w": w}, [f"nl.{n}" for n in cases])):
        assert array.shape == wanted.shape, name
        close(array, wanted, 1e-4)


LOOPS = """import nki
import nki.isa as nisa
import nki.language as nl


def add(total, row):
    tile = nl.load(row)
    nisa.tensor_tensor(dst=total, data1=total, data2=tile, op=nl.add)


@nki.jit
def k(x, count):
    n = nisa.register_alloc(nl.load(count))
    total = [nl.zeros((1, x.shape[1]), nl.float32) for _ in range(4)]
    for i in nl.dynamic_range(2, n):
        if i == 5:
            continue
        for j in nl.dynamic_range(2):
            if j < 1:
                add(total[0], x[nl.ds(i, 1), :])
        if i >= 8:
            break
        add(total[0], x[i:i + 1, :])
    nl.fori_loop(0, n, lambda i: add(total[1], x[nl.ds(i * 2, 1)]), 3)
    left = nl.copy(nl.load(count))
    def body(r):
        add(total[2], x[nl.ds(r, 1)])
        nisa.tensor_scalar(dst=left, data=left, op0=nl.subtract, operand0=1.0)
        return nisa.register_alloc(left)
    nl.while_loop(n, body)
    r = nisa.register_alloc(0)
    while r < n:
        add(total[3], x.select(0, r).expand_dim(0))
        nisa.register_move(r, r + 1)
    out = nl.ndarray((4, x.shape[1]), nl.float32, nl.shared_hbm)
    for i in range(4):
        nl.store(out[i:i + 1], total[i])
    return out
"""


@pytest.mark.parametrize("count", [0, 1, 3, 6, 9, 12])
def test_loops_on_the_device(tmp_path, count):
    x = RNG.integers(-9, 9, (32, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "count.npy", np.array([[count]], dtype=np.int32))
    (tmp_path / "k.py").write_text(LOOPS)
    done = run_klr("run", tmp_path / "k.py", f"x=@{tmp_path}/x.npy", f"count=@{tmp_path}/count.npy", "--out",
                   tmp_path / "out")
    assert done.returncode == 0, done.stderr
    wanted = np.zeros((4, 5))
    for i in range(2, count):
        if i == 5:
            continue
        wanted[0] += x[i]
        if i >= 8:
            break
        wanted[0] += x[i]
    for i in range(0, count, 3):
        wanted[1] += x[i * 2]
    for i in range(count, 0, -1):
        wanted[2] += x[i]
    for i in range(count):
        wanted[3] += x[i]
    np.testing.assert_array_equal(np.load(next((tmp_path / "out").glob("out*.npy"))), wanted)
