"""nki.language: what its functions give, where the documents or plain mathematics fix it."""

import math

import numpy as np
from builder import ALL, SINCE_TRN2, TRN3, A, D, Instruction, M
from oracles.activation import activation
from oracles.alu import alu, bitwise, fold
from oracles.exact import function
from oracles.formats import Data, convert, narrow

NAN, INF = math.nan, math.inf


def result(dtype, f32):
    return Data(dtype, narrow(f32, dtype))


def nl(name):
    return f"nki.language.{name}"


math_ = Instruction("nl_math", "nki.language (elementwise functions)")
FIRST = [[1.5, -2.0, 0.0, -0.0, 3.0, 7.5, 1e10, -0.1], [-4.0, 5.0, 1.0, 2.0, -0.3, 6.0, 100.0, 2.5]]
SECOND = [[0.5, -2.0, -0.0, 1.0, -1.0, 2.0, 1e10, 0.2], [4.0, -3.0, 3.0, 2.0, 0.7, 6.0, -8.0, 2.5]]
for op in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "not_equal", "less", "less_equal", "greater",
           "greater_equal"):
    v = math_.vector(op, f"nl.{op} of two tiles", A if op == "divide" else D, source=nl(op))
    x, y = v.put("x", Data.of("float32", FIRST)), v.put("y", Data.of("float32", [[n or 2.0 for n in row] for row in SECOND]))
    v.step(f"out = nl.{op}(x, y)")
    v.expect("out", result("float32", alu(op, x.f32, y.f32)))
for op in ("abs_max", "abs_min"):
    v = math_.vector(op, f"nl.{op}: the operand itself with its sign", source=nl(op), targets=TRN3)
    x, y = v.put("x", Data.of("float32", FIRST)), v.put("y", Data.of("float32", SECOND))
    v.step(f"out = nl.{op}(x, y)")
    v.expect("out", result("float32", alu(op, x.f32, y.f32)))
v = math_.vector("power", "nl.power where the result is exact", source=nl("power"))
x, y = v.put("x", Data.of("float32", [[2, 3, 4, 1.5, 9]])), v.put("y", Data.of("float32", [[10, 4, 0.5, 2, 0.5]]))
v.step("out = nl.power(x, y)")
v.expect("out", result("float32", alu("power", x.f32, y.f32)))
v = math_.vector("number", "an operand may be a number, on either side", source=nl("subtract"))
x = v.put("x", Data.of("float32", FIRST))
v.step("out = nl.subtract(x, 2.5)", "other = nl.subtract(2.5, x)")
v.expect("out", result("float32", alu("subtract", x.f32, np.float32(2.5))))
v.expect("other", result("float32", alu("subtract", np.float32(2.5), x.f32)))
v = math_.vector("column", "a (P, 1) tile is repeated along the free dimension", source=nl("abs_max"))
x, y = v.random("x", "float32", (3, 7), floats=(-3, 3)), v.random("y", "float32", (3, 1), floats=(-3, 3))
v.step("out = nl.multiply(x, y)")
v.expect("out", result("float32", alu("multiply", x.f32, y.f32)))
v = math_.vector("dtype", "dtype says what the result is rounded to", source=nl("add"))
x, y = v.random("x", "float32", (3, 7), floats=(-3, 3)), v.random("y", "float32", (3, 7), floats=(-3, 3))
v.step("out = nl.add(x, y, dtype=nl.bfloat16)")
v.expect("out", result("bfloat16", alu("add", x.f32, y.f32)))
v = math_.vector("comparison_dtype", "a comparison gives 1 and 0 in the dtype of its operands, or in the one named", source=nl("less"))
x, y = v.random("x", "bfloat16", (3, 7), integers=(-2, 2)), v.random("y", "bfloat16", (3, 7), integers=(-2, 2))
v.step("out = nl.less(x, y)", "other = nl.less(x, y, dtype=nl.uint8)")
v.expect("out", result("bfloat16", alu("less", x.f32, y.f32)))
v.expect("other", result("uint8", alu("less", x.f32, y.f32)))
for op in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"):
    v = math_.vector(op, f"nl.{op} of integers" + (", zeros are shifted in" if op == "right_shift" else ""), source=nl(op))
    x = v.random("x", "int32", (2, 8), bits=True)
    y = v.random("y", "int32", (2, 8), **({"integers": (0, 31)} if "shift" in op else {"bits": True}))
    v.step(f"out = nl.{op}(x, y)")
    v.expect("out", Data("int32", bitwise(op, x, y, "int32")))
v = math_.vector("invert", "nl.invert of integers: all bits turned", source=nl("invert"))
x = v.random("x", "uint16", (2, 8), bits=True)
v.step("out = nl.invert(x)")
v.expect("out", Data("uint16", ~x.words))
for op in ("logical_and", "logical_or", "logical_xor"):
    v = math_.vector(op, f"nl.{op} of zeros and ones", source=nl(op))
    x, y = v.put("x", Data.of("float32", [[0, 0, 1, 1]])), v.put("y", Data.of("float32", [[0, 1, 0, 1]]))
    v.step(f"out = nl.{op}(x, y)")
    v.expect("out", result("float32", alu(op, x.f32, y.f32)))
v = math_.vector("logical_not", "nl.logical_not of zeros and ones", source=nl("logical_not"))
x = v.put("x", Data.of("float32", [[0, 1, 1, 0]]))
v.step("out = nl.logical_not(x)")
v.expect("out", Data.of("float32", [[1, 0, 0, 1]]))
for op in ("abs", "square", "sign", "relu", "negative"):
    v = math_.vector(op, f"nl.{op} of float32 numbers", source=nl(op))
    x = v.put("x", Data.of("float32", [[1.5, -2.0, 0.0, 3e20, -7.25, 0.1, -1e-20]]))
    v.step(f"out = nl.{op}(x)")
    v.expect("out", result("float32", -x.f32 if op == "negative" else activation(op, x.f32)))
MODERATE = [[-9.0, -3.5, -1.0, -0.25, 0.0, 0.125, 0.9, 1.5, 2.75, 6.0]]
for op in ("exp", "tanh", "sigmoid", "gelu", "gelu_dx", "gelu_apprx_tanh", "gelu_apprx_sigmoid", "gelu_apprx_sigmoid_dx", "silu", "silu_dx",
           "softplus", "mish", "erf", "erf_dx"):
    v = math_.vector(op, f"nl.{op} is the scalar engine's function, correctly rounded", A, source="docs/numerics.md 4")
    x = v.put("x", Data.of("float32", MODERATE))
    v.step(f"out = nl.{op}(x)")
    v.expect("out", result("float32", activation(op, x.f32)))
for op, values in (("log", [0.5, 1.0, 2.718, 1000.0]), ("sqrt", [0.0, 2.0, 9.0, 1e10]), ("rsqrt", [0.25, 2.0, 3.0, 1e10]),
                   ("reciprocal", [3.0, -0.1, 4.0, 1e10]), ("arctan", [0.0, 0.5, -1.5, 1.0])):
    v = math_.vector(op, f"nl.{op} is correctly rounded", A, source="docs/numerics.md 4")
    x = v.put("x", Data.of("float32", [values]))
    v.step(f"out = nl.{op}(x)")
    v.expect("out", result("float32", activation(op, x.f32)))
WHOLE = [[-2.5, -2.0, -1.5, -0.5, -0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 1e9, -8388607.5, 3e20]]
for op, call in (("floor", math.floor), ("ceil", math.ceil), ("trunc", math.trunc)):
    v = math_.vector(op, f"nl.{op}: {'the largest whole number not above' if op == 'floor' else 'the smallest not below' if op == 'ceil' else 'the whole part of'} x",
                     source=nl(op))
    x = v.put("x", Data.of("float32", [[n for n in WHOLE[0] if n != -0.0 and not (op != "floor" and -1 < n < 0)]]))
    v.step(f"out = nl.{op}(x)")
    v.expect("out", Data.of("float32", [[float(call(n)) for n in x.f32[0].tolist()]]))
for op in ("mod", "fmod"):
    v = math_.vector(op, f"nl.{op}: the sign of {'the divisor, as in Python' if op == 'mod' else 'x, as in C'}", source=nl(op))
    x, y = v.put("x", Data.of("float32", [[7, -7, 7, -7, 5.5, 1, 6]])), v.put("y", Data.of("float32", [[3, 3, -3, -3, 2, 4, 4]]))
    v.step(f"out = nl.{op}(x, y)")
    v.expect("out", result("float32", alu("mod", x.f32, y.f32) if op == "mod" else np.fmod(x.f32, y.f32)))


def close(v, call, exact, within):
    """`out` is 1 where `call` differs from the numbers by no more than `within`."""
    v.put("y", Data.of("float32", exact))
    v.step(f"t = {call}", "d = nl.abs(nl.subtract(t, y))", f"nisa.tensor_scalar(dst=out, data=d, op0=nl.less_equal, operand0={within})")
    v.expect("out", Data.of("float32", np.ones(np.shape(exact))))


FAR = [[0.0, 1.0, -2.0, 3.0, 3.5, -4.0, 6.0, 9.0, -20.0, 50.0, 100.0]]
for op, call in (("sin", math.sin), ("cos", math.cos)):
    v = math_.vector(op, f"nl.{op} reduces its argument first: it is right beyond [-pi, pi], to 2e-5", source=nl("sin"))
    v.put("x", Data.of("float32", FAR))
    close(v, f"nl.{op}(x)", [[call(n) for n in FAR[0]]], 2e-5)
v = math_.vector("tan", "nl.tan, beyond [-pi, pi] too, to 1e-4", source=nl("tan"))
v.put("x", Data.of("float32", [[0.0, 1.0, -0.5, 3.0, 4.0, -6.0, 9.5]]))
close(v, "nl.tan(x)", [[math.tan(n) for n in (0.0, 1.0, -0.5, 3.0, 4.0, -6.0, 9.5)]], 1e-4)
v = math_.vector("where", "nl.where: x where the condition, a tile of ones and zeros, is not zero", source=nl("where"))
c, x, y = v.random("c", "float32", (3, 9), integers=(0, 1)), v.random("x", "float32", (3, 9), floats=(-3, 3)), v.random("y", "float32", (3, 9), floats=(-3, 3))
v.step("out = nl.where(c, x, y)")
v.expect("out", Data("float32", np.where(c.words != 0, x.words, y.words)))
for rate in ("0.0", "1.0"):
    v = math_.vector(f"dropout_{rate[0]}", f"nl.dropout with rate {rate}", source=nl("dropout"))
    x = v.random("x", "float32", (3, 9), floats=(-3, 3))
    v.step(f"out = nl.dropout(x, {rate})")
    v.expect("out", x if rate == "0.0" else Data("float32", np.zeros((3, 9))))

# ---- reductions

rd = Instruction("nl_reductions", "nki.language (reductions)")
for op, call in (("sum", "add"), ("max", "maximum"), ("min", "minimum")):
    v = rd.vector(op, f"nl.{op} along the last dimension", source=nl(op))
    x = v.random("x", "float32", (4, 13), integers=(-99, 99))
    v.step(f"out = nl.{op}(x, axis=1, keepdims=True)")
    v.expect("out", result("float32", fold(call, x.f32)[:, None]))
v = rd.vector("prod", "nl.prod: the product of each row", source=nl("prod"))
x = v.put("x", Data.of("float32", [[1, 2, 3, 4], [0.5, -2, 8, 1], [0, 5, 6, 7]]))
v.step("out = nl.prod(x, axis=1, keepdims=True)")
v.expect("out", Data.of("float32", [[24], [-8], [0]]))
v = rd.vector("all", "nl.all: 1 where no element of a row is zero", source=nl("all"))
x = v.put("x", Data.of("float32", [[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 0]]))
v.step("t = nl.all(x, axis=1)", "nisa.tensor_copy(dst=out, src=t.reshape((3, 1)))")
v.expect("out", Data.of("float32", [[1], [0], [0]]))
v = rd.vector("last_two", "the last two of three dimensions", source=nl("sum"))
x = v.random("x", "float32", (3, 4, 5), integers=(-99, 99))
v.step("t = nl.sum(x, axis=(1, 2))", "nisa.tensor_copy(dst=out, src=t.reshape((3, 1)))")
v.expect("out", result("float32", x.f32.sum(axis=(1, 2))[:, None]))
v = rd.vector("mean", "nl.mean: the sum over n, float32 on the way", source=nl("mean"))
x = v.random("x", "bfloat16", (3, 16), integers=(-99, 99))
v.step("out = nl.mean(x, axis=1, dtype=nl.float32, keepdims=True)")
v.expect("out", result("float32", fold("add", x.f32)[:, None] / np.float32(16)))
v = rd.vector("var", "nl.var: the population variance", source=nl("var"))
x = v.put("x", Data.of("float32", [[2, 4, 4, 4, 5, 5, 7, 9], [1, 1, 1, 1, 3, 3, 3, 3]]))
v.step("t = nl.var(x, axis=1)", "nisa.tensor_copy(dst=out, src=t.reshape((2, 1)))")
v.expect("out", Data.of("float32", [[4], [1]]))
v = rd.vector("softmax", "nl.softmax of equal elements is 1/n; an element far below the others is 0", source=nl("softmax"))
v.put("x", Data.of("float32", [[5.0] * 8, [1000.0] * 8, [3.0, -200.0] * 4]))
v.step("out = nl.softmax(x, axis=-1)")
v.expect("out", Data.of("float32", [[0.125] * 8, [0.125] * 8, [0.25, 0.0] * 4]))
v = rd.vector("softmax_values", "nl.softmax of other numbers, to 2e-6", source=nl("softmax"))
x = v.random("x", "float32", (3, 10), floats=(-3, 1))
exact = np.exp(x.f32.astype(np.float64))
close(v, "nl.softmax(x, axis=-1)", exact / exact.sum(axis=1, keepdims=True), 2e-6)
v = rd.vector("rms_norm", "nl.rms_norm: x / sqrt(mean(x^2) + epsilon) * w", source=nl("rms_norm"))
x = v.random("x", "float32", (3, 16), floats=(-2, 2))
w = v.random("w", "float32", (3, 16), floats=(-1, 1))
exact = x.f32.astype(np.float64) / np.sqrt((x.f32.astype(np.float64) ** 2).mean(axis=1, keepdims=True) + 0.5) * w.f32
close(v, "nl.rms_norm(x, w, 1, 16, epsilon=0.5)", exact, 1e-5)

# ---- tensors

tn = Instruction("nl_tensors", "nki.language (tensors)")
for name, call, value in (("zeros", "nl.zeros((3, 5), nl.float32)", 0.0), ("ones", "nl.ones((3, 5), nl.float32)", 1.0),
                          ("full", "nl.full((3, 5), 2.5, nl.float32)", 2.5)):
    v = tn.vector(name, f"nl.{name} of a shape and dtype", source=nl(name))
    v.step(f"out = {call}")
    v.expect("out", Data.of("float32", np.full((3, 5), value)))
v = tn.vector("zeros_like", "nl.zeros_like: shape and dtype of another", source=nl("zeros_like"))
v.random("x", "bfloat16", (3, 5), floats=(-3, 3))
v.step("out = nl.zeros_like(x)")
v.expect("out", Data.of("bfloat16", np.zeros((3, 5))))
for source, to in (("int32", "int32"), ("bfloat16", "bfloat16"), ("float32", "float16")):
    v = tn.vector(f"copy_{source}_{to}", f"nl.copy of {source}" + (": bits" if source == to else f" to {to}: through float32"),
                  M if source == "int32" else D, source="nki.language.copy; NKI release notes: bit-accurate since 0.6.0")
    x = v.random("x", source, (3, 9), **({"bits": True} if source == to else {"floats": (-3, 3)}))
    v.step(f"out = nl.copy(x, dtype=nl.{to})")
    v.expect("out", Data(to, convert(x.words, source, to)))
v = tn.vector("load_store", "nl.load casts on its way; nl.store writes to HBM", source=nl("load"))
x = v.random("x", "float32", (4, 6), space="hbm", floats=(-3, 3))
v.step("t = nl.load(x, dtype=nl.bfloat16)", "nl.store(out, t)")
v.expect("out", result("bfloat16", x.f32), space="hbm")
v = tn.vector("load_transpose2d", "nl.load_transpose2d: the transposed matrix in SBUF", source=nl("load_transpose2d"))
x = v.random("x", "bfloat16", (16, 10), space="hbm", bits=True)
v.step("out = nl.load_transpose2d(x)")
v.expect("out", Data("bfloat16", x.words.T))
v = tn.vector("transpose", "nl.transpose: the result is in PSUM", source=nl("transpose"))
x = v.random("x", "bfloat16", (20, 10), floats=(-3, 3))
v.step("out = nl.transpose(x)")
v.expect("out", Data("bfloat16", x.words.T), space="psum")
v = tn.vector("matmul", "nl.matmul(x, y) = x @ y, in float32 in PSUM", source=nl("matmul"))
x, y = v.random("x", "bfloat16", (6, 16), integers=(-8, 8)), v.random("y", "bfloat16", (16, 5), integers=(-8, 8))
v.step("out = nl.matmul(x, y)")
v.expect("out", result("float32", x.f32 @ y.f32), space="psum")
v = tn.vector("matmul_transposed", "nl.matmul(x, y, transpose_x=True) = x.T @ y", source=nl("matmul"))
x, y = v.random("x", "bfloat16", (16, 6), integers=(-8, 8)), v.random("y", "bfloat16", (16, 5), integers=(-8, 8))
v.step("out = nl.matmul(x, y, transpose_x=True)")
v.expect("out", result("float32", x.f32.T @ y.f32), space="psum")
v = tn.vector("gather_flattened", "nl.gather_flattened: out[p, i] = data[p, indices[p, i]]", source=nl("gather_flattened"))
x, index = v.random("x", "float32", (4, 9), bits=True), v.random("index", "uint32", (4, 6), integers=(0, 8))
v.step("out = nl.gather_flattened(x, index)")
v.expect("out", Data("float32", np.take_along_axis(x.words, index.words.astype(int), 1)))
v = tn.vector("broadcast_to", "nl.broadcast_to along the free dimension, and from one partition to several", source=nl("broadcast_to"))
x, y = v.random("x", "float32", (4, 1), integers=(-99, 99)), v.random("y", "float32", (1, 5), integers=(-99, 99))
v.step("out = nl.broadcast_to(x, (4, 5))", "other = nl.broadcast_to(y, (4, 5))")
v.expect("out", result("float32", np.broadcast_to(x.f32, (4, 5))))
v.expect("other", result("float32", np.broadcast_to(y.f32, (4, 5))))
v = tn.vector("expand_dims", "nl.expand_dims: a view with one more dimension of size 1", source=nl("expand_dims"))
x = v.random("x", "float32", (4, 6), bits=True)
v.step("nisa.tensor_copy(dst=out, src=nl.expand_dims(x, 2))")
v.expect("out", Data("float32", x.words[:, :, None]))
v = tn.vector("identity", "nl.shared_identity_matrix: ones on the diagonal", source=nl("shared_identity_matrix"))
v.step("out = nl.shared_identity_matrix(12, dtype=nl.bfloat16)")
v.expect("out", Data.of("bfloat16", np.eye(12)))
v = tn.vector("rand_range", "nl.rand: numbers from 0 to below 1", source=nl("rand"))
v.step("r = nl.rand((64, 40), nl.float32)", "low = nl.greater_equal(r, 0.0)", "high = nl.less(r, 1.0)", "both = nl.logical_and(low, high)",
       "out = nl.sum(both, axis=1, keepdims=True)")
v.expect("out", Data.of("float32", np.full((64, 1), 40.0)))
v = tn.vector("random_seed", "nl.random_seed: the same seed gives the same numbers", source=nl("random_seed"))
v.put("seed", Data("int32", [[77]]))
v.step("nl.random_seed(seed)", "a = nl.rand((8, 9), nl.float32)", "nl.random_seed(seed)", "b = nl.rand((8, 9), nl.float32)",
       "out = nl.equal(a, b)")
v.expect("out", Data.of("float32", np.ones((8, 9))))

# ---- views of tensors

vw = Instruction("nl_views", "nki.language (views)", source="nki.language.NkiTensor")
for name, view, expected in (
        ("slice", "x[:, 1:3, 0:6:2]", lambda w: w[:, 1:3, 0:6:2]), ("integer", "x[:, 2, :]", lambda w: w[:, 2]),
        ("negative", "x[:, -1, -3:-1]", lambda w: w[:, -1, -3:-1]), ("ellipsis", "x[..., 2:4]", lambda w: w[..., 2:4]),
        ("permute", "x.permute((0, 2, 1))", lambda w: w.transpose(0, 2, 1)), ("reshape", "x.reshape((4, 24))", lambda w: w.reshape(4, 24)),
        ("reshape_dim", "x.reshape_dim(2, (3, -1))", lambda w: w.reshape(4, 4, 3, 2)),
        ("flatten_dims", "x.flatten_dims(1, 2)", lambda w: w.reshape(4, 24)), ("ds", "x[:, nl.ds(1, 2), :]", lambda w: w[:, 1:3]),
        ("broadcast", "x[:, 0:1, :].broadcast(1, 3)", lambda w: np.repeat(w[:, :1], 3, axis=1)),
        ("expand_dim", "x.expand_dim(1)", lambda w: w[:, None]), ("squeeze_dim", "x[:, 1:2, :].squeeze_dim(1)", lambda w: w[:, 1]),
        ("slice_method", "x.slice(2, 1, 6, 2)", lambda w: w[:, :, 1:6:2]), ("select", "x.select(1, 3)", lambda w: w[:, 3]),
        ("ap", "x.ap(pattern=[[24, 4], [1, 6], [6, 3]], offset=6)", lambda w: w[:, 1:4].transpose(0, 2, 1)),
        ("rearrange", "x.rearrange(('p', 'a', 'b'), ('p', 'b', 'a'))", lambda w: w.transpose(0, 2, 1))):
    v = vw.vector(name, f"the view {view} of a (4, 4, 6) tile")
    x = v.random("x", "float32", (4, 4, 6), bits=True)
    v.step(f"nisa.tensor_copy(dst=out, src={view})")
    v.expect("out", Data("float32", expected(x.words)))
v = vw.vector("view", "view(dtype) reads the bits anew: the last dimension is scaled")
x = v.random("x", "uint32", (4, 6), bits=True)
v.step("nisa.tensor_copy(dst=out, src=x.view(nl.uint16))")
v.expect("out", Data("uint16", x.words.view(np.uint16)))
v = vw.vector("written", "a view may be written through: elements outside of it stay")
x, y = v.random("x", "float32", (4, 3, 2), bits=True), v.random("out", "float32", (4, 4, 6), bits=True)
v.step("nisa.tensor_copy(dst=out[:, 1:4, 1:6:4], src=x)")
expected = y.words.copy()
expected[:, 1:4, 1:6:4] = x.words
v.expect("out", Data("float32", expected))
v = vw.vector("partition_integer", "an integer on the partition dimension of a tile on chip keeps size 1")
x = v.random("x", "float32", (64, 6), bits=True)
v.step("nisa.tensor_copy(dst=out, src=x[32, :])")
v.expect("out", Data("float32", x.words[32:33]))

# ---- control

ct = Instruction("nl_control", "nki.language (loops and launches)")
LOOP = "nisa.tensor_scalar(dst=out, data=out, op0=nl.add, operand0=1.0)"
for name in ("static_range", "affine_range", "sequential_range", "dynamic_range"):
    v = ct.vector(name, f"nl.{name}(2, 9, 3): the body runs 3 times", source=nl(name))
    x = v.random("out", "float32", (2, 4), integers=(-9, 9))
    v.step(f"for i in nl.{name}(2, 9, 3):\n    {LOOP}")
    v.expect("out", result("float32", x.f32 + 3))
v = ct.vector("dynamic_range_register", "a device loop whose bound stands in a register, and an index that chooses a row", source=nl("dynamic_range"))
x = v.random("x", "float32", (6, 4), space="hbm", integers=(-99, 99))
v.put("bound", Data("int32", [[5]]))
v.tile("t", "float32", (1, 4))
v.step("r = nisa.register_alloc()", "nisa.register_load(dst=r, src=bound)", "nisa.memset(dst=out, value=0.0)",
       "for i in nl.dynamic_range(1, r):\n    nisa.dma_copy(dst=t, src=x.ap(pattern=[[4, 1], [1, 4]], scalar_offset=i, indirect_dim=0))\n"
       "    nisa.tensor_tensor(dst=out, data1=out, data2=t, op=nl.add)")
v.expect("out", result("float32", x.f32[1:5].sum(axis=0, keepdims=True)))
v = ct.vector("fori_loop", "nl.fori_loop(lower, upper, body, step): the body is given the index", source=nl("fori_loop"))
x = v.random("x", "float32", (6, 4), space="hbm", integers=(-99, 99))
v.tile("t", "float32", (1, 4))
v.step("nisa.memset(dst=out, value=0.0)",
       "def body(i):\n    nisa.dma_copy(dst=t, src=x.ap(pattern=[[4, 1], [1, 4]], scalar_offset=i, indirect_dim=0))\n"
       "    nisa.tensor_tensor(dst=out, data1=out, data2=t, op=nl.add)", "nl.fori_loop(0, 6, body, step=2)")
v.expect("out", result("float32", x.f32[0:6:2].sum(axis=0, keepdims=True)))
v = ct.vector("while_loop", "nl.while_loop: the condition is tested first; the body gives the next", source=nl("while_loop"))
v.put("count", Data("int32", [[3]]))
x = v.random("out", "float32", (1, 4), integers=(-9, 9))
v.step("r = nisa.register_alloc()", "nisa.register_load(dst=r, src=count)",
       f"def body(c):\n    {LOOP}\n    nisa.tensor_scalar(dst=count, data=count, op0=nl.subtract, operand0=1.0)\n"
       "    again = nisa.register_alloc()\n    nisa.register_load(dst=again, src=count)\n    return again", "nl.while_loop(r, body)")
v.expect("out", result("float32", x.f32 + 3))
v = ct.vector("while_loop_never", "nl.while_loop whose condition is 0 at first: the body never runs", source=nl("while_loop"))
v.put("count", Data("int32", [[0]]))
x = v.random("out", "float32", (1, 4), integers=(-9, 9))
v.step("r = nisa.register_alloc()", "nisa.register_load(dst=r, src=count)",
       f"def body(c):\n    {LOOP}\n    again = nisa.register_alloc(0)\n    return again", "nl.while_loop(r, body)")
v.expect("out", x)
v = ct.vector("while_register", "`while` on a register: the loop ends when it is 0", source="nki.isa.VirtualRegister")
v.put("count", Data("int32", [[4]]))
x = v.random("out", "float32", (1, 4), integers=(-9, 9))
v.step("r = nisa.register_alloc()", "nisa.register_load(dst=r, src=count)",
       f"while r:\n    {LOOP}\n    nisa.tensor_scalar(dst=count, data=count, op0=nl.subtract, operand0=1.0)\n"
       "    nisa.register_load(dst=r, src=count)")
v.expect("out", result("float32", x.f32 + 4))
v = ct.vector("one_program", "without a grid there is one program: number 0 of 1", source=nl("num_programs"))
v.step("nisa.memset(dst=out[:, 0:1], value=float(nl.program_id(0)))", "nisa.memset(dst=out[:, 1:2], value=float(nl.num_programs(0)))")
v.expect("out", Data.of("float32", [[0.0, 1.0]]))
v = ct.vector("two_programs", "kernel[2]: programs 0 and 1 of 2", source=nl("program_id"), targets=SINCE_TRN2, cores=2)
v.step("core = nl.program_id(0)", "t = nl.ndarray((1, 2), dtype=nl.float32, buffer=nl.sbuf)", "nisa.memset(dst=t[:, 0:1], value=float(core))",
       "nisa.memset(dst=t[:, 1:2], value=float(nl.num_programs(0)))", "nisa.dma_copy(dst=out[nl.ds(core, 1), :], src=t)")
v.expect("out", Data.of("float32", [[0.0, 2.0], [1.0, 2.0]]), space="hbm")
v = ct.vector("no_reorder", "nl.no_reorder keeps program order and changes no value", source=nl("no_reorder"))
x = v.random("out", "float32", (2, 4), integers=(-9, 9))
v.step(f"with nl.no_reorder():\n    {LOOP}\n    nisa.tensor_scalar(dst=out, data=out, op0=nl.multiply, operand0=2.0)")
v.expect("out", result("float32", (x.f32 + 1) * 2))
v = tn.vector("regions", "is_sbuf, is_psum, is_on_chip, is_hbm of the memories of tensors", source=nl("is_sbuf"))
x = v.random("x", "float32", (2, 2), space="hbm", bits=True)
y = v.random("y", "float32", (2, 2), space="psum", bits=True)
v.step("facts = [nl.is_sbuf(out.buffer), nl.is_psum(y.buffer), nl.is_on_chip(y.buffer), nl.is_hbm(x.buffer), nl.is_psum(out.buffer), "
       "nl.is_on_chip(x.buffer), nl.is_hbm(out.buffer)]",
       "for i in nl.static_range(7):\n    nisa.memset(dst=out[:, i:i + 1], value=1.0 if facts[i] else 0.0)")
v.expect("out", Data.of("float32", [[1, 1, 1, 1, 0, 0, 0]]))
v = tn.vector("sizes", "tile_size: 128 partitions, banks of 512 float32 elements, 8 banks, 128 stationary and 512 moving columns, 512 for bn_stats",
              source="nki.language.tile_size")
v.step("sizes = [nl.tile_size.pmax, nl.tile_size.psum_bank_fmax, nl.tile_size.psum_num_banks, nl.tile_size.gemm_stationary_fmax, "
       "nl.tile_size.gemm_moving_fmax, nl.tile_size.bn_stats_fmax, nl.tile_size.psum_bank_fmax_bytes]",
       "for i in nl.static_range(7):\n    nisa.memset(dst=out[:, i:i + 1], value=sizes[i])")
v.expect("out", Data("int32", [[128, 512, 8, 128, 512, 512, 2048]]))
v = tn.vector("empty_like", "nl.empty_like: a tile of the shape and dtype of another, for something to be written to it", source=nl("empty_like"))
x = v.random("x", "bfloat16", (3, 5), bits=True)
v.step("out = nl.empty_like(x)", "nisa.tensor_copy(dst=out, src=x)")
v.expect("out", x)
v = ct.vector("program_ndim", "without a grid there are no axes", source=nl("program_ndim"))
v.step("nisa.memset(dst=out, value=float(nl.program_ndim()))")
v.expect("out", Data.of("float32", [[0.0]]))
