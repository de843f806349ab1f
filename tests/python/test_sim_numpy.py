"""Operators of the core language against NumPy: kernels as text, run by the program, results compared bit for bit."""
import json
import re

import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

NUMPY = {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16, "float8e4": ml_dtypes.float8_e4m3,
         "float8e5": ml_dtypes.float8_e5m2, "float8_e4m3fn": ml_dtypes.float8_e4m3fn, "int32": np.int32,
         "uint32": np.uint32, "int16": np.int16, "uint16": np.uint16, "int8": np.int8, "uint8": np.uint8}
ARGUMENT = {"float8e4": "float8_e4m3", "float8e5": "float8_e5m2"}  # dtypes as arguments name them
random = np.random.default_rng(7)


def data(dtype, *shape, low=-4.0, high=4.0):
    return np.round(random.uniform(low, high, shape), 3).astype(NUMPY[dtype])


class Kernel:
    """A kernel whose inputs `x` stand in SBUF tiles `x.s` and whose outputs are what its body leaves in `out.s`."""

    def __init__(self, tmp_path):
        self.path, self.inputs, self.outputs, self.tensors, self.body = tmp_path, {}, {}, [], []

    def input(self, name, dtype, array):
        self.inputs[name] = (dtype, array.reshape(array.shape[0], -1))
        return self

    def output(self, name, dtype, *shape, space="sbuf"):
        self.outputs[name] = (dtype, shape, space)
        return self

    def text(self):
        tensors, first, last = list(self.tensors), [], []
        for name, (dtype, array) in self.inputs.items():
            shape = ", ".join(map(str, array.shape))
            tensors += [f"tensor {name}: {dtype}[{shape}] @shared_hbm", f"tensor {name}.s: {dtype}[{shape}] @sbuf"]
            first.append(f"  nc_dma_copy {name}.s = {name} oob_mode=$error")
        for name, (dtype, shape, space) in self.outputs.items():
            shape = ", ".join(map(str, shape))
            tensors += [f"tensor {name}: {dtype}[{shape}] @shared_hbm", f"tensor {name}.s: {dtype}[{shape}] @{space}"]
            tile = f"{name}.s"
            if space == "psum":
                tile = f"{name}.c"
                tensors.append(f"tensor {tile}: {dtype}[{shape}] @sbuf")
                last.append(f"  nc_copy {tile} = {name}.s engine=dve")
            last.append(f"  nc_dma_copy {name} = {tile} oob_mode=$error")
        head = f"kernel k({', '.join(self.inputs)}) -> ({', '.join(self.outputs)})"
        return "\n".join([head, *tensors, "core 0", "main:", *first, *self.body, *last, ""])

    def run(self, *options):
        file, out = self.path / "k.klrtext", self.path / "out"
        file.write_text(self.text())
        arguments = []
        for name, (dtype, array) in self.inputs.items():
            np.save(self.path / f"{name}.npy", array.astype(np.float32) if array.dtype.kind in "Vf" else array)
            arguments.append(f"{name}=@{self.path / name}.npy:{ARGUMENT.get(dtype, dtype)}")
        result = run_klr("run", file, *arguments, "--out", out, *options)
        assert result.returncode == 0, result.stderr + "\n" + self.text()
        arrays = [np.load(out / f"{name}.npy") for name in self.outputs]
        return arrays[0] if len(arrays) == 1 else arrays

    def both(self):
        """With the fast executors; the reference must agree to the bit."""
        fast, reference = self.run(), self.run("--reference")
        for a, b in zip(fast, reference) if isinstance(fast, list) else [(fast, reference)]:
            assert a.tobytes() == b.tobytes()
        return fast


@pytest.fixture
def kernel(tmp_path):
    return Kernel(tmp_path)


def f32(array):
    return array.astype(np.float32)


def narrowed(values, dtype):
    """float32 rounded once to a dtype, as results are written; shown as float32 again when NumPy lacks the dtype."""
    result = f32(values).astype(NUMPY[dtype])
    return f32(result) if result.dtype.kind == "V" or dtype.startswith(("bfloat", "float8")) else result


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float8e4", "float8e5", "float8_e4m3fn"])
@pytest.mark.parametrize("op, meaning", [("add", np.add), ("mult", np.multiply), ("subtract", np.subtract),
                                         ("divide", np.divide), ("is_gt", np.greater)])
def test_tensor_tensor(kernel, dtype, op, meaning):
    x, y = data("float32", 9, 70), data("bfloat16", 9, 70)
    y[y == 0] = 1
    kernel.input("x", "float32", x).input("y", "bfloat16", y).output("out", dtype, 9, 70)
    kernel.body = [f"  tensor_tensor out.s = x.s, y.s op={op} engine=dve"]
    np.testing.assert_array_equal(kernel.both(), narrowed(meaning(x, f32(y)), dtype))


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_integers_of_gpsimd_wrap(kernel, dtype):
    x = random.integers(0, 2**32, (5, 33), dtype=np.uint64).astype(NUMPY[dtype])
    y = random.integers(0, 2**32, (5, 33), dtype=np.uint64).astype(NUMPY[dtype])
    kernel.input("x", dtype, x).input("y", dtype, y).output("out", dtype, 5, 33)
    kernel.body = ["  tensor_tensor out.s = x.s, y.s op=mult engine=pool"]
    np.testing.assert_array_equal(kernel.both(), x * y)


@pytest.mark.parametrize("op, meaning", [("bitwise_and", np.bitwise_and), ("bitwise_xor", np.bitwise_xor),
                                         ("logical_shift_left", np.left_shift)])
def test_bits(kernel, op, meaning):
    x, y = random.integers(0, 2**16, (4, 50)).astype(np.uint16), random.integers(0, 15, (4, 50)).astype(np.uint16)
    kernel.input("x", "uint16", x).input("y", "uint16", y).output("out", "uint16", 4, 50)
    kernel.body = [f"  tensor_tensor out.s = x.s, y.s op={op} engine=dve"]
    np.testing.assert_array_equal(kernel.both(), meaning(x, y))


def test_tensor_scalar(kernel):
    x, column = data("float32", 12, 40), data("float32", 12, 1)
    kernel.input("x", "float32", x).input("c", "float32", column).output("out", "bfloat16", 12, 40)
    kernel.body = ["  tensor_scalar out.s = x.s imm0=1.5 op0=subtract imm1=c.s op1=mult reverse=first engine=dve"]
    np.testing.assert_array_equal(kernel.both(), narrowed((np.float32(1.5) - x) * column, "bfloat16"))


def test_scalar_tensor_tensor(kernel):
    x, y, column = data("float16", 12, 40), data("float32", 12, 40), data("float32", 12, 1)
    kernel.input("x", "float16", x).input("y", "float32", y).input("c", "float32", column)
    kernel.output("out", "float32", 12, 40)
    kernel.body = ["  nc_scalar_tensor_tensor out.s = x.s src0=c.s src1=y.s op0=mult op1=max"]
    np.testing.assert_array_equal(kernel.both(), np.maximum(f32(x) * column, y))


@pytest.mark.parametrize("columns", [1, 7, 512, 1500])
def test_sums_run_left_to_right(kernel, columns):
    x = data("float32", 20, columns, low=-1000, high=1000)
    kernel.input("x", "float32", x).output("out", "float32", 20, 1)
    kernel.body = ["  tensor_reduce out.s = x.s op=add op_dim=X"]
    np.testing.assert_array_equal(kernel.both(), np.add.accumulate(x, axis=1, dtype=np.float32)[:, -1:])


def test_reduction_of_one_dimension_of_two(kernel):
    x = data("bfloat16", 6, 5 * 8)
    kernel.input("x", "bfloat16", x).output("out", "float32", 6, 5)
    kernel.body = ["  tensor_reduce out.s = x.s{0; 40*6, 8*5, 1*8} op=max op_dim=X negated=true"]
    np.testing.assert_array_equal(kernel.both(), -f32(x).reshape(6, 5, 8).max(axis=2))


def test_scan(kernel):
    a, b, start = data("float32", 7, 60, low=-1, high=1), data("float32", 7, 60), data("float32", 7, 1)
    kernel.input("a", "float32", a).input("b", "float32", b).input("s", "float32", start).output("out", "float32", 7, 60)
    kernel.body = ["  tensor_tensor_scan out.s = a.s, b.s op0=mult op1=add imm0=s.s"]
    expected, state = np.empty_like(a), start[:, 0]
    for i in range(60):
        state = a[:, i] * state + b[:, i]
        expected[:, i] = state
    np.testing.assert_array_equal(kernel.both(), expected)


def test_activation_and_its_sum(kernel):
    x, bias = data("float32", 10, 90), data("float32", 10, 1)
    kernel.input("x", "float32", x).input("b", "float32", bias)
    kernel.output("out", "bfloat16", 10, 90).output("total", "float32", 10, 1)
    kernel.body = ["  activation_reduce out.s = x.s activation_func=exp scale=0.5 bias=b.s reduce_op=add reduce_res=total.s"]
    out, total = kernel.both()
    exact = f32(np.exp((x * np.float32(0.5) + bias).astype(np.float64)))
    np.testing.assert_array_equal(out, narrowed(exact, "bfloat16"))
    np.testing.assert_array_equal(total, np.add.accumulate(exact, axis=1, dtype=np.float32)[:, -1:])


@pytest.mark.parametrize("stationary, moving", [("bfloat16", "bfloat16"), ("float8e5", "float8e4"), ("float16", "bfloat16")])
def test_matmul_adds_in_order(kernel, stationary, moving):
    a, b = data(stationary, 50, 20), data(moving, 50, 33)
    kernel.input("a", stationary, a).input("b", moving, b).output("out", "float32", 20, 33, space="psum")
    kernel.body = ["  nc_matmul out.s = a.s, b.s", "  nc_matmul out.s = a.s, b.s"]
    total = np.zeros((20, 33), np.float32)
    for k in range(50):  # products of these dtypes are exact in float32
        total = total + np.outer(f32(a)[k], f32(b)[k])
    np.testing.assert_array_equal(kernel.both(), total + total)


def test_matmul_of_float32_rounds_once(kernel):
    a, b = random.standard_normal((9, 5)).astype(np.float32), random.standard_normal((9, 6)).astype(np.float32)
    kernel.input("a", "float32", a).input("b", "float32", b).output("out", "float32", 5, 6, space="psum")
    kernel.body = ["  nc_matmul out.s = a.s, b.s"]
    from fractions import Fraction
    expected = np.zeros((5, 6), np.float32)
    for m in range(5):
        for n in range(6):
            total = np.float32(0)
            for k in range(9):
                exact = Fraction(float(a[k, m])) * Fraction(float(b[k, n])) + Fraction(float(total))
                total = nearest_f32(exact)
            expected[m, n] = total
    np.testing.assert_array_equal(kernel.both(), expected)


def nearest_f32(exact):
    """The float32 nearest to a fraction, ties to even."""
    guess = np.float32(float(exact))
    near = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    from fractions import Fraction
    return min(near, key=lambda v: (abs(Fraction(float(v)) - exact), int(v.view(np.uint32)) & 1))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8", "int16"])
def test_transposes(kernel, dtype):
    x = (data(dtype, 24, 31) if dtype[0] in "fb" else random.integers(0, 100, (24, 31)).astype(NUMPY[dtype]))
    kernel.input("x", dtype, x).output("out", dtype, 31, 24)
    kernel.body = ["  transpose out.s = x.s engine=dve"]
    expected = f32(x) if dtype == "bfloat16" else x
    np.testing.assert_array_equal(kernel.both(), expected.T)


def test_dma_transpose_of_three_dimensions(kernel):
    x = random.integers(0, 1000, (4, 6 * 10)).astype(np.int32)
    kernel.input("x", "int32", x).output("out", "int32", 10, 6 * 4)
    kernel.body = ["  dma_transpose out.s{0; 24*10, 4*6, 1*4} = x.s{0; 60*4, 10*6, 1*10} oob_mode=$error"]
    np.testing.assert_array_equal(kernel.both(), x.reshape(4, 6, 10).transpose(2, 1, 0).reshape(10, 24))


def test_patterns(kernel):
    x = data("float32", 8, 30)
    kernel.input("x", "float32", x).output("index", "int32", 8, 30).output("out", "float32", 8, 30)
    kernel.body = ["  iota index.s pattern=(-5 + 3*p; 10*6, -2*5)",
                   "  nc_affine_select out.s = x.s pred=(0 + 1*p; -1*30) on_false_value=-9984.0 cmp_op=is_ge"]
    index, out = kernel.both()
    p, i = np.indices((8, 30))
    np.testing.assert_array_equal(index, -5 + 3 * p + 10 * (i // 5) - 2 * (i % 5))
    np.testing.assert_array_equal(out, np.where(p - i >= 0, x, np.float32(-9984)))


def test_statistics(kernel):
    x = data("float32", 16, 101)
    kernel.input("x", "float32", x).output("out", "float32", 16, 2)
    kernel.tensors = ["tensor stats: float32[16, 6] @sbuf"]
    kernel.body = ["  batch_norm_stats stats = x.s", "  batch_norm_aggregate out.s = stats"]
    out = kernel.both()
    np.testing.assert_allclose(out[:, 0], x.astype(np.float64).mean(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out[:, 1], x.astype(np.float64).var(axis=1), rtol=1e-5)


def test_eights(kernel):
    x = np.round(data("float32", 11, 64), 1)  # many equal values
    kernel.input("x", "float32", x).output("best", "float32", 11, 8).output("at", "uint32", 11, 8)
    kernel.output("out", "float32", 11, 64)
    kernel.body = ["  max8 best.s = x.s", "  find_index8 at.s = x.s, best.s",
                   "  match_replace8 out.s = x.s, best.s replace_value=-99.0"]
    best, at, out = kernel.both()
    order = np.argsort(-x, axis=1, kind="stable")[:, :8]
    np.testing.assert_array_equal(best, np.take_along_axis(x, order, axis=1))
    np.testing.assert_array_equal(at, order)
    expected = x.copy()
    np.put_along_axis(expected, order, np.float32(-99), axis=1)
    np.testing.assert_array_equal(out, expected)


def test_selections(kernel):
    x, y, mask = data("float32", 6, 40), data("float32", 6, 40), random.integers(0, 2, (6, 40)).astype(np.uint8)
    low, high = random.integers(0, 20, (6, 1)).astype(np.float32), random.integers(10, 40, (6, 1)).astype(np.float32)
    kernel.input("x", "float32", x).input("y", "float32", y).input("m", "uint8", mask)
    kernel.input("low", "float32", low).input("high", "float32", high)
    kernel.output("copied", "float32", 6, 40).output("selected", "float32", 6, 40).output("most", "float32", 6, 1)
    kernel.output("ranged", "bfloat16", 6, 40)
    kernel.body = ["  nc_copy copied.s = y.s", "  copy_predicated copied.s = x.s, m.s",
                   "  select_reduce selected.s = m.s, x.s on_false=-7.0 reduce_cmd=ZeroAccumulate reduce_op=max "
                   "reduce_res=most.s",
                   "  nc_range_select ranged.s = low.s, high.s, x.s comp_op0=is_ge comp_op1=is_lt range_start=0 "
                   "on_false_value=-3.4028235e+38"]
    copied, selected, most, ranged = kernel.both()
    np.testing.assert_array_equal(copied, np.where(mask != 0, x, y))
    np.testing.assert_array_equal(selected, np.where(mask != 0, x, np.float32(-7)))
    np.testing.assert_array_equal(most[:, 0], selected.max(axis=1))
    pos = np.arange(40)
    inside = (pos >= low) & (pos < high)
    np.testing.assert_array_equal(ranged, np.where(inside, narrowed(x, "bfloat16"), -np.inf))


@pytest.mark.parametrize("dtype", sorted(NUMPY))
def test_dma_converts_through_float32(kernel, dtype):
    x = data("float32", 5, 200, low=-100, high=100)
    kernel.input("x", "float32", x)
    kernel.outputs = {}
    kernel.tensors = [f"tensor t: {dtype}[5, 200] @sbuf"]
    kernel.output("out", "float32", 5, 200)
    kernel.body = ["  nc_dma_copy t = x oob_mode=$error", "  nc_dma_copy out.s = t oob_mode=$error"]
    if np.dtype(NUMPY[dtype]).kind in "iu":
        info = np.iinfo(NUMPY[dtype])
        expected = f32(np.clip(np.rint(x.astype(np.float64)), info.min, info.max))
    else:
        expected = f32(x.astype(NUMPY[dtype]))
    np.testing.assert_array_equal(kernel.both(), expected)


def test_dma_rearranges(kernel):
    x = random.integers(0, 10**6, (6, 20)).astype(np.int32)
    kernel.input("x", "int32", x).output("out", "int32", 4, 30)
    kernel.body = ["  nc_dma_copy out.s{0; 30*4, 1*30} = x{0; 1*20, 20*6} oob_mode=$error"]  # column by column
    np.testing.assert_array_equal(kernel.both(), x.T.reshape(4, 30))


def test_uninitialised_reads_are_named(kernel, tmp_path):
    x = data("float32", 8, 10)
    kernel.input("x", "float32", x).output("out", "float32", 8, 10)
    kernel.body = ["  nc_copy out.s[0:8, 0:9] = x.s[0:8, 0:9]", "  reciprocal out.s = out.s"]
    (tmp_path / "k.klrtext").write_text(kernel.text())
    np.save(tmp_path / "x.npy", x)
    result = run_klr("run", tmp_path / "k.klrtext", f"x=@{tmp_path}/x.npy", "--json")
    assert result.returncode == 1
    text = json.dumps(json.loads(result.stdout))
    assert "E0602" in text and "[0, 9]" in text and "reciprocal" in text
    line = kernel.text().split("\n").index("  reciprocal out.s = out.s") + 1
    assert re.search(rf'"line": {line}\b', text)


def test_what_was_not_written_travels(kernel, tmp_path):
    """Computing with it is fine as long as no result, index or sum over partitions depends on it."""
    x = data("float32", 8, 10)
    np.save(tmp_path / "x.npy", x)
    kernel.input("x", "float32", x).output("out", "float32", 8, 9)
    kernel.tensors = ["tensor t: float32[8, 10] @sbuf", "tensor u: float32[8, 10] @sbuf"]
    body = ["  nc_copy t[0:8, 0:9] = x.s[0:8, 0:9]", "  reciprocal u = t", "  tensor_tensor u = u, t op=mult",
            "  nc_copy out.s[0:8, 0:9] = u[0:8, 0:9]"]

    def run(lines):
        kernel.body = lines
        (tmp_path / "k.klrtext").write_text(kernel.text())
        results = [run_klr("run", tmp_path / "k.klrtext", f"x=@{tmp_path}/x.npy", *options)
                   for options in ([], ["--reference"])]
        codes = [re.findall(r"^\w+\[(\w+)\]", result.stderr, re.M) for result in results]
        assert codes[0] == codes[1], results
        return codes[0]

    assert run(body) == []
    assert run(body[:3] + ["  nc_copy out.s[0:8, 0:9] = u[0:8, 1:10]"]) == ["E0602"]
    # A row's sum depends on all of the row, and a forgotten tile is told at once.
    assert run(body[:2] + ["  tensor_reduce out.s[0:8, 0:1] = u op=add op_dim=X", *body[2:3],
                           "  nc_copy out.s[0:8, 1:9] = u[0:8, 1:9]"]) == ["E0602"]
    assert run(["  reciprocal u = t", "  nc_copy out.s[0:8, 0:9] = u[0:8, 0:9]"]) == ["E0602"]
    # From one column on in a scan, all of a row in the eight largest, whole partitions in a shuffle.
    scan = body[:1] + ["  tensor_tensor_scan u = t, t op0=mult op1=add imm0=0.0"]
    assert run([*scan, "  nc_copy out.s[0:8, 0:9] = u[0:8, 0:9]"]) == []
    half = ["  nc_copy t[0:8, 0:5] = x.s[0:8, 0:5]", "  nc_copy t[0:8, 6:10] = x.s[0:8, 6:10]"]
    copies = lambda first, end: f"  nc_copy out.s[0:8, 0:{end - first}] = u[0:8, {first}:{end}]"
    full = "  nc_copy out.s = x.s[0:8, 0:9]"
    assert run([*half, scan[1], full, copies(0, 5)]) == []
    assert run([*half, scan[1], full, copies(6, 10)]) == ["E0602"]
    mask = "[" + ", ".join([*["255"] * 7, "5", *["255"] * 24]) + "]"
    upper = ["  nc_copy t[0:8, 0:4] = x.s[0:8, 0:4]", "  nc_copy t[0:4, 4:10] = x.s[0:4, 4:10]", "  nc_copy u = x.s", full]
    shuffle = f"  shuffle u = t shuffle_mask={mask}"
    assert run([*upper, shuffle, "  nc_copy out.s[0:7, 0:9] = u[0:7, 1:10]"]) == []
    assert run([*upper, shuffle, "  nc_copy out.s[0:8, 0:4] = u[0:8, 0:4]"]) == []
    assert run([*upper, shuffle, "  nc_copy out.s[0:8, 0:9] = u[0:8, 0:9]"]) == ["E0602"]


@pytest.mark.parametrize("example, arguments", [
    ("attention.py", [f"{name}=randn:bf16[512,64]" for name in "qkv"]),
    ("softmax.py", ["x=randn:f32[256,384]"]),
    ("topk.py", ["x=randn:f32[128,300]"]),
    ("norms.py:layernorm", ["x=randn:bf16[128,256]", "weight=randn:f32[1,256]", "bias=randn:f32[1,256]"])])
def test_bits_do_not_depend_on_threads_or_executors(tmp_path, example, arguments):
    results = []
    for number, options in enumerate([["--threads", 1], ["--threads", 2], ["--reference"]]):
        out = tmp_path / str(number)
        result = run_klr("run", f"examples/{example}", *arguments, "--out", out, *options)
        assert result.returncode == 0, result.stderr
        results.append({path.name: path.read_bytes() for path in sorted(out.glob("*.npy"))})
    assert results[0] and results[0] == results[1] == results[2]
