"""The computing instructions of nki.isa against NumPy and ml_dtypes, on every generation that has them.

Each kernel runs twice, with the fast executors and with the reference, and both must agree to the bit. Expected values
are computed here from what the instruction is documented to do, in float32 and in the stated order.
"""
import json
import math

import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

NUMPY = {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16, "float8_e4m3": ml_dtypes.float8_e4m3,
         "float8_e5m2": ml_dtypes.float8_e5m2, "float8_e4m3fn": ml_dtypes.float8_e4m3fn, "int32": np.int32,
         "uint32": np.uint32, "int16": np.int16, "uint16": np.uint16, "int8": np.int8, "uint8": np.uint8}
TARGETS = ["trn1", "trn2", "trn3"]
UNSPECIFIED = "E0540"
random = np.random.default_rng(20)


def dtype_of(array):
    return next(name for name, dtype in NUMPY.items() if array.dtype == dtype)


def data(dtype, *shape, low=-4.0, high=4.0):
    """Random numbers with few bits, so that different roundings and orders show."""
    dtype = np.dtype(NUMPY[dtype])
    if dtype.kind in "iu":
        return random.integers(max(low, np.iinfo(dtype).min), min(high, np.iinfo(dtype).max), shape, endpoint=True).astype(dtype)
    return random.uniform(low, high, shape).astype(np.float32).astype(dtype)


def f32(array):
    return np.asarray(array).astype(np.float32)


def rounded(values, dtype):
    """float32 written as a dtype: rounded to nearest even; integers saturate and NaN is 0."""
    values, dtype = f32(values), np.dtype(NUMPY[dtype])
    if dtype.kind not in "iu":
        with np.errstate(over="ignore"):
            return values.astype(dtype)
    limits = np.iinfo(dtype)
    exact = np.where(np.isnan(values), 0, np.rint(values.astype(np.float64)))
    return np.clip(exact, limits.min, limits.max).astype(np.int64).astype(dtype)


def same(found, expected):
    """Equal bits, but for which NaN it is."""
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if found.dtype.kind in "iu":
        np.testing.assert_array_equal(found, expected)
        return
    nan = np.isnan(f32(expected))
    np.testing.assert_array_equal(np.isnan(f32(found)), nan)
    unit = np.dtype(f"u{found.dtype.itemsize}")
    found, expected = [np.where(nan, 0, array.view(unit)) for array in (found, expected)]
    np.testing.assert_array_equal(found, expected)


def load(path, dtype):
    """An .npy file, of dtypes that NumPy does not read by itself too."""
    contents = path.read_bytes()
    start = 10 + int.from_bytes(contents[8:10], "little")
    shape = eval(contents[10:start], {})["shape"]
    return np.frombuffer(contents[start:], dtype=NUMPY[dtype]).reshape(shape)


class Run:
    """Kernels of one body: inputs are tiles of their names, outputs tiles that the body writes."""

    def __init__(self, folder):
        self.folder = folder

    def source(self, body, inputs, outputs):
        lines = ["import nki", "import nki.isa as nisa", "import nki.language as nl", "", "", "@nki.jit",
                 f"def k({', '.join(inputs)}):"]
        for name, array in inputs.items():
            lines += [f"    {name}_hbm = {name}",
                      f"    {name} = nl.ndarray({tuple(array.shape)}, dtype=nl.{dtype_of(array)}, buffer=nl.sbuf)",
                      f"    nisa.dma_copy(dst={name}, src={name}_hbm)"]
        for name, (shape, dtype, *space) in outputs.items():
            lines += [f"    {name} = nl.ndarray({tuple(shape)}, dtype=nl.{dtype}, buffer=nl.{space[0] if space else 'sbuf'})"]
        lines += ["    " + line for line in body.strip().split("\n")]
        for name, (shape, dtype, *space) in outputs.items():
            if space and space[0] == "psum":
                lines += [f"    {name}_s = nl.ndarray({tuple(shape)}, dtype=nl.{dtype}, buffer=nl.sbuf)",
                          f"    nisa.tensor_copy(dst={name}_s, src={name}, engine=nisa.engine.vector)",
                          f"    {name} = {name}_s"]
            lines += [f"    {name}_out = nl.ndarray({tuple(shape)}, dtype=nl.{dtype}, buffer=nl.shared_hbm)",
                      f"    nisa.dma_copy(dst={name}_out, src={name})"]
        lines += [f"    return {', '.join(name + '_out' for name in outputs)}"]
        return "\n".join(lines) + "\n"

    def start(self, body, inputs, outputs, options):
        file = self.folder / "k.py"
        file.write_text(self.source(body, inputs, outputs))
        arguments = []
        for name, array in inputs.items():
            np.save(self.folder / f"{name}.npy", np.ascontiguousarray(array))
            arguments.append(f"{name}=@{self.folder / name}.npy:{dtype_of(array)}")
        return run_klr("run", file, *arguments, "--out", self.folder / "out", "--raw", *options)

    def once(self, body, inputs, outputs, options):
        result = self.start(body, inputs, outputs, options)
        assert result.returncode == 0, result.stderr + self.source(body, inputs, outputs)
        entries = json.loads((self.folder / "out" / "outputs.json").read_text())["outputs"]
        arrays = [load(self.folder / "out" / entry["file"], dtype)
                  for entry, (_, dtype, *_) in zip(entries, outputs.values())]
        return arrays, result.stderr

    def __call__(self, body, outputs, target="trn2", options=(), **inputs):
        options = ["--target", target, *options]
        fast, _ = self.once(body, inputs, outputs, options)
        slow, _ = self.once(body, inputs, outputs, [*options, "--reference"])
        for a, b in zip(fast, slow):
            assert a.tobytes() == b.tobytes()
        return fast[0] if len(fast) == 1 else fast

    def refused(self, body, outputs, code, *words, target="trn2", **inputs):
        """Stops with an error of that code that says these words, with the fast executors and the reference."""
        for options in [], ["--reference"]:
            result = self.start(body, inputs, outputs, ["--target", target, *options])
            assert result.returncode == 1 and f"error[{code}]" in result.stderr, result.stderr
            for word in words:
                assert word in result.stderr, result.stderr

    def open(self, gap, body, outputs, target="trn2", **inputs):
        """A use that the documents leave open: stops and names the gap; the values that --lenient goes on with."""
        self.refused(body, outputs, UNSPECIFIED, f"`{gap}`", target=target, **inputs)
        options = ["--target", target, "--lenient"]
        fast, told = self.once(body, inputs, outputs, options)
        assert f"warning[{UNSPECIFIED.replace('E', 'W')}]" in told and f"`{gap}`" in told, told
        slow, _ = self.once(body, inputs, outputs, [*options, "--reference"])
        for a, b in zip(fast, slow):
            assert a.tobytes() == b.tobytes()
        return fast[0] if len(fast) == 1 else fast


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


# ---- topk

def snake(list_, columns):
    """Element e in partition e % 16, column e // 16."""
    tile = np.zeros((16, columns), dtype=list_.dtype)
    for e, value in enumerate(list_):
        tile[e % 16, e // 16] = value
    return tile


def largest(values, k):
    """The k largest in ascending order and their numbers; ties take lower numbers."""
    best = sorted(range(len(values)), key=lambda e: (-float(values[e]), e))[:k]
    best.sort(key=lambda e: (float(values[e]), e))
    return values[best], np.array(best, dtype=np.uint32)


TOPK = """nisa.memset(dst=v, value=0.0)
nisa.memset(dst=i, value=0)
nisa.topk(val_dst=v, idx_dst=i, src=x, n={n})"""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("groups, n, k", [(1, 8, 1), (2, 42, 8), (8, 100, 37), (3, 16, 16)])
def test_topk(run, target, groups, n, k):
    columns = -(-n // 16)
    lists = data("bfloat16", groups, n, low=-3, high=3)
    lists[0, n // 2] = lists[0, 0]  # a tie
    x = np.concatenate([snake(row, columns) for row in lists])
    v, i = run(TOPK.format(n=n), {"v": ((16 * groups, k), "bfloat16"), "i": ((16 * groups, k), "uint32")}, target, x=x)
    for group, row in enumerate(lists):
        values, numbers = largest(row, k)
        same(v[16 * group:16 * group + 16], snake(values, k))
        same(i[16 * group:16 * group + 16], snake(numbers, k))


def test_topk_of_special_values(run):
    """Zeros of both signs are equal, infinities the ends; many ties."""
    values = np.array([0, -0.0, np.inf, -np.inf, 1, -1, 1e-40, -1e-40, 3e38, -3e38], np.float32)
    row = random.choice(values, 333).astype(ml_dtypes.bfloat16)
    for k in [1, 7, 160, 333]:
        v, i = run(TOPK.format(n=333), {"v": ((16, k), "bfloat16"), "i": ((16, k), "uint32")}, x=snake(row, 21))
        expected, numbers = largest(row, k)
        same(v, snake(expected, k))
        same(i, snake(numbers, k))


def test_topk_ties_take_lower_numbers(run):
    x = np.full((16, 2), 1.5, dtype=ml_dtypes.bfloat16)
    _, i = run(TOPK.format(n=30), {"v": ((16, 5), "bfloat16"), "i": ((16, 5), "uint32")}, x=x)
    np.testing.assert_array_equal(i[:5, 0], [0, 1, 2, 3, 4])


def test_topk_leaves_the_rest_alone(run):
    x = snake(data("bfloat16", 20), 2)
    body = "nisa.memset(dst=v, value=-7.0)\nnisa.memset(dst=i, value=9)\nnisa.topk(val_dst=v, idx_dst=i, src=x, n=20)"
    v, i = run(body, {"v": ((16, 3), "bfloat16"), "i": ((16, 3), "uint32")}, x=x)
    assert (f32(v[3:]) == -7).all() and (f32(v[:, 1:]) == -7).all() and (i[3:] == 9).all()


def test_topk_reads_only_its_elements(run):
    body = ("t = nl.ndarray((16, 4), dtype=nl.bfloat16, buffer=nl.sbuf)\nnisa.tensor_copy(dst=t[:, 0:2], src=x)\n"
            "nisa.memset(dst=v, value=0.0)\nnisa.memset(dst=i, value=0)\nnisa.topk(val_dst=v, idx_dst=i, src=t, n={})")
    outputs = {"v": ((16, 2), "bfloat16"), "i": ((16, 2), "uint32")}
    x = data("bfloat16", 16, 2)
    run(body.format(32), outputs, x=x)
    run.refused(body.format(33), outputs, "E0602", "[0, 2]", x=x)


def test_topk_of_nan_is_open(run):
    x = np.arange(32, dtype=np.float32).reshape(2, 16).T.astype(ml_dtypes.bfloat16)
    x[3, 1] = np.nan
    v, i = run.open("topk-nan", TOPK.format(n=32), {"v": ((16, 2), "bfloat16"), "i": ((16, 2), "uint32")}, x=x)
    np.testing.assert_array_equal(f32(v[:2, 0]), [30, 31])
    v, i = run.open("topk-nan", TOPK.format(n=32), {"v": ((16, 32), "bfloat16"), "i": ((16, 32), "uint32")}, x=x)
    assert np.isnan(f32(v[0, 0])) and i[0, 0] == 19


# ---- operators

ARITHMETIC = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply,
    "maximum": lambda x, y: np.where(x > y, x, y), "minimum": lambda x, y: np.where(x < y, x, y),
    "equal": np.equal, "not_equal": np.not_equal, "greater_equal": np.greater_equal, "greater": np.greater,
    "less_equal": np.less_equal, "less": np.less,
    "logical_and": lambda x, y: (x != 0) & (y != 0), "logical_or": lambda x, y: (x != 0) | (y != 0),
    "logical_xor": lambda x, y: (x != 0) ^ (y != 0),
    "abs_max": lambda x, y: np.where(np.abs(x) > np.abs(y), x, y),
    "abs_min": lambda x, y: np.where(np.abs(x) < np.abs(y), x, y),
}
UNARY = {"abs": np.abs, "square": np.square, "relu": lambda x: np.where(x > 0, x, 0),
         "rsqrt": lambda x: np.float32(1 / np.sqrt(x.astype(np.float64))), "reciprocal": lambda x: np.float32(1) / x}
BITS = {"bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
        "left_shift": np.left_shift, "right_shift": lambda x, y: (unsigned(x) >> unsigned(y)).view(x.dtype)}


def unsigned(array):
    return array.view(f"u{array.dtype.itemsize}")


def apply(op, x, y):
    return f32(ARITHMETIC[op](f32(x), f32(y)))


@pytest.mark.parametrize("op", ARITHMETIC)
def test_tensor_tensor_is_float32_arithmetic(run, op):
    target = "trn3" if op.startswith("abs_") else random.choice(TARGETS)
    x, y = data("bfloat16", 7, 33, low=-3, high=3), data("float32", 7, 33, low=-3, high=3)
    y[:, ::5] = f32(x[:, ::5])  # equal ones
    y[:, ::7] = 0
    for dtype in ["float32", "float16", "int8"]:
        result = run(f"nisa.tensor_tensor(dst=o, data1=x, data2=y, op=nl.{op})", {"o": ((7, 33), dtype)}, target, x=x, y=y)
        same(result, rounded(apply(op, x, y), dtype))


@pytest.mark.parametrize("dtype", sorted(NUMPY))
def test_tensor_tensor_takes_every_dtype(run, dtype):
    x, y = data(dtype, 5, 17), data(dtype, 5, 17)
    result = run("nisa.tensor_tensor(dst=o, data1=x, data2=y, op=nl.multiply, engine=nisa.engine.vector)",
                 {"o": ((5, 17), dtype)}, random.choice(TARGETS), x=x, y=y)
    same(result, rounded(f32(x) * f32(y), dtype))


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
@pytest.mark.parametrize("op", ["add", "subtract", "multiply", "maximum", "minimum", "less", "equal"])
@pytest.mark.parametrize("engine", ["unknown", "gpsimd"])
def test_integers_are_exact_on_gpsimd(run, dtype, op, engine):
    limits = np.iinfo(dtype)
    x, y = (random.integers(limits.min, limits.max, (3, 21), endpoint=True).astype(dtype) for _ in "xy")
    y[:, ::4] = x[:, ::4]
    result = run(f"nisa.tensor_tensor(dst=o, data1=x, data2=y, op=nl.{op}, engine=nisa.engine.{engine})",
                 {"o": ((3, 21), dtype)}, x=x, y=y)
    with np.errstate(over="ignore"):
        same(result, np.asarray(ARITHMETIC[op](x, y)).astype(dtype))


@pytest.mark.parametrize("where", ["engine", "psum", "mixed"])
def test_integers_elsewhere_go_through_float32(run, where):
    x, y = np.full((2, 8), 2**24 + 1, np.int32), np.full((2, 8), 2, np.int32)
    body = {"engine": "nisa.tensor_tensor(dst=o, data1=x, data2=y, op=nl.add, engine=nisa.engine.vector)",
            "psum": "p = nl.ndarray((2, 8), dtype=nl.int32, buffer=nl.psum)\nnisa.tensor_copy(dst=p, src=x)\n"
                    "nisa.tensor_tensor(dst=o, data1=p, data2=y, op=nl.add)",
            "mixed": "f = nl.ndarray((2, 8), dtype=nl.float32, buffer=nl.sbuf)\nnisa.tensor_copy(dst=f, src=y)\n"
                     "nisa.tensor_tensor(dst=o, data1=x, data2=f, op=nl.add)"}[where]
    same(run(body, {"o": ((2, 8), "int32")}, x=x, y=y), np.full((2, 8), 2**24 + 2, np.int32))


@pytest.mark.parametrize("op", BITS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint32"])
def test_bit_operators_see_bits(run, op, dtype):
    limits, width = np.iinfo(dtype), np.iinfo(dtype).bits
    x = random.integers(limits.min, limits.max, (5, 19), endpoint=True).astype(dtype)
    y = random.integers(0, width - 1, (5, 19), endpoint=True).astype(dtype)
    expected = BITS[op](x, y).astype(dtype)
    same(run(f"nisa.tensor_tensor(dst=o, data1=x, data2=y, op=nl.{op})", {"o": ((5, 19), dtype)}, x=x, y=y), expected)
    if dtype != "uint32":  # constants are int32
        count = int(y[0, 0])
        result = run(f"nisa.tensor_scalar(dst=o, data=x, op0=nl.{op}, operand0={count}, op1=nl.bitwise_xor, operand1=3)",
                     {"o": ((5, 19), dtype)}, x=x)
        same(result, BITS[op](x, x.dtype.type(count)).astype(dtype) ^ x.dtype.type(3))


@pytest.mark.parametrize("dtype, count", [("uint32", 32), ("int32", -1), ("uint8", 8)])
@pytest.mark.parametrize("op", ["left_shift", "right_shift"])
def test_shifts_by_the_width_are_open(run, dtype, count, op):
    x, y = data(dtype, 4, 9, low=1, high=100), np.full((4, 9), 1, dtype)
    y[2, 5] = count
    result = run.open("shift-count", f"nisa.tensor_tensor(dst=o, data1=x, data2=y, op=nl.{op})", {"o": ((4, 9), dtype)},
                      x=x, y=y)
    expected = BITS[op](x, np.full_like(x, 1))
    expected[2, 5] = 0
    same(result, expected)


def test_constant_shifts_by_the_width_are_open(run):
    result = run.open("shift-count", "nisa.tensor_scalar(dst=o, data=x, op0=nl.left_shift, operand0=32)",
                      {"o": ((2, 3), "uint32")}, x=data("uint32", 2, 3, high=9))
    same(result, np.zeros((2, 3), np.uint32))


@pytest.mark.parametrize("form", ["tensor_tensor(dst=o, data1=x, data2=y, op=nl.power)",
                                  "tensor_scalar(dst=o, data=x, op0=nl.power, operand0=0.5)",
                                  "tensor_scalar(dst=o, data=x, op0=nl.multiply, operand0=1.0, op1=nl.power, operand1=0.5)"])
def test_power(run, form):
    x = data("float32", 3, 11, low=0.1, high=9)
    y = np.full((3, 11), 0.5, np.float32)
    same(run(f"nisa.{form}", {"o": ((3, 11), "float32")}, x=x, y=y), np.sqrt(x))
    x[1, 4] = -2
    with np.errstate(invalid="ignore"):
        same(run.open("power-domain", f"nisa.{form}", {"o": ((3, 11), "float32")}, x=x, y=y), np.sqrt(x))


@pytest.mark.parametrize("reverse0, reverse1", [(False, False), (True, False), (False, True), (True, True)])
def test_tensor_scalar_order_of_operands(run, reverse0, reverse1):
    x, column = data("float16", 40, 13), data("float32", 40, 1)
    inner = np.float32(1.5) - f32(x) if reverse0 else f32(x) - np.float32(1.5)
    outer = column - inner if reverse1 else inner - column
    body = (f"nisa.tensor_scalar(dst=o, data=x, op0=nl.subtract, operand0=1.5, reverse0={reverse0}, op1=nl.subtract, "
            f"operand1=c, reverse1={reverse1})")
    same(run(body, {"o": ((40, 13), "bfloat16")}, x=x, c=column), rounded(outer, "bfloat16"))


@pytest.mark.parametrize("op", UNARY)
def test_unary_operators(run, op):
    x = data("float32", 6, 25, low=0.25, high=4) if op == "rsqrt" else data("float32", 6, 25)
    for operand in ["None", "0"]:
        result = run(f"nisa.tensor_scalar(dst=o, data=x, op0=nl.{op}, operand0={operand}, op1=nl.add, operand1=1.0)",
                     {"o": ((6, 25), "float32")}, x=x)
        same(result, f32(UNARY[op](x)) + np.float32(1))


@pytest.mark.parametrize("reverse0, reverse1", [(False, True), (True, False)])
def test_scalar_tensor_tensor(run, reverse0, reverse1):
    x, y, column = data("bfloat16", 33, 10), data("float32", 33, 10), data("float32", 33, 1)
    inner = column - f32(x) if reverse0 else f32(x) - column
    outer = y - inner if reverse1 else inner - y
    for operand, expected in [("c", outer), ("-2.0", None)]:
        if expected is None:
            inner = -2 - f32(x) if reverse0 else f32(x) + 2
            expected = y - inner if reverse1 else inner - y
        body = (f"nisa.scalar_tensor_tensor(dst=o, data=x, op0=nl.subtract, operand0={operand}, op1=nl.subtract, operand1=y, "
                f"reverse0={reverse0}, reverse1={reverse1})")
        same(run(body, {"o": ((33, 10), "float32")}, random.choice(TARGETS), x=x, y=y, c=column), expected)


# ---- scans and reductions

@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("initial", ["0.5", "c"])
@pytest.mark.parametrize("reverse0, reverse1", [(False, False), (True, True)])
def test_tensor_tensor_scan(run, dtype, initial, reverse0, reverse1):
    x, y, c = data("float16", 5, 40, low=-1, high=1), data("float32", 5, 40), data("float32", 5, 1)
    state, expected = c[:, 0].copy() if initial == "c" else np.full(5, 0.5, np.float32), np.empty((5, 40), np.float32)
    for i in range(40):
        state = state - f32(x[:, i]) if reverse0 else f32(x[:, i]) - state
        state = y[:, i] - state if reverse1 else state - y[:, i]
        expected[:, i] = state
    body = (f"nisa.tensor_tensor_scan(dst=o, data0=x, data1=y, initial={initial}, op0=nl.subtract, op1=nl.subtract, "
            f"reverse0={reverse0}, reverse1={reverse1})")
    same(run(body, {"o": ((5, 40), dtype)}, random.choice(TARGETS), x=x, y=y, c=c), rounded(expected, dtype))


def test_scan_of_several_dimensions_runs_on(run):
    x, y = data("float32", 3, 4, 5, low=-1, high=1), data("float32", 3, 4, 5)
    body = "nisa.tensor_tensor_scan(dst=o, data0=x, data1=y, initial=0.0, op0=nl.multiply, op1=nl.add)"
    expected, state = np.empty((3, 20), np.float32), np.zeros(3, np.float32)
    for i in range(20):
        state = x.reshape(3, 20)[:, i] * state + y.reshape(3, 20)[:, i]
        expected[:, i] = state
    same(run(body, {"o": ((3, 4, 5), "float32")}, x=x, y=y), expected.reshape(3, 4, 5))


FOLDS = {"add": (0, np.add), "subtract": (0, np.subtract), "multiply": (1, np.multiply), "maximum": (-np.inf, np.maximum),
         "minimum": (np.inf, np.minimum)}


@pytest.mark.parametrize("op1", FOLDS)
def test_tensor_scalar_cumulative(run, op1):
    x, c, start = data("bfloat16", 6, 20, low=-2, high=2), data("float32", 6, 1), data("float32", 6, 1)
    call = "nisa.tensor_scalar_cumulative(dst={}, src={}, op0=nl.add, op1=nl.{}, imm0=c{})"
    body = "\n".join([call.format("o[:, 0:10]", "x[:, 0:10]", op1, ""),
                      call.format("o[:, 10:20]", "x[:, 10:20]", op1, ", reduce_cmd=nisa.reduce_cmd.reduce"),
                      call.format("l", "x", op1, ", imm1=s, reduce_cmd=nisa.reduce_cmd.load_reduce"),
                      call.format("h", "x", op1, ", imm1=2.5, reduce_cmd=nisa.reduce_cmd.load_reduce")])
    outputs = {name: ((6, 20), "float16" if name == "h" else "float32") for name in "olh"}
    found = run(body, outputs, random.choice(TARGETS), x=x, c=c, s=start)
    for result, first in zip(found, [FOLDS[op1][0], start[:, 0], 2.5]):
        lane, expected = np.broadcast_to(np.float32(first), 6), np.empty((6, 20), np.float32)
        for i in range(20):
            lane = FOLDS[op1][1](f32(x[:, i]) + c[:, 0], lane)
            expected[:, i] = lane
        with np.errstate(over="ignore"):
            same(result, expected.astype(result.dtype))


@pytest.mark.parametrize("op", ["add", "subtract", "multiply", "maximum", "minimum"])
@pytest.mark.parametrize("shape, axis", [((9, 50), 1), ((4, 3, 5, 6), (2, 3)), ((4, 3, 5, 6), [3]), ((4, 3, 5, 6), (1, 2, 3)),
                                         ((4, 3, 7), -1)])
def test_tensor_reduce_sequential_order(run, op, shape, axis):
    """Reductions run from left to right with one rounding a step, as measured for add on the device."""
    x = data("float32", *shape, low=-1.5, high=1.5)
    axes = axis if isinstance(axis, (tuple, list)) else [axis % len(shape)]
    kept = shape[:min(axes)]
    rows = x.reshape(*kept, -1)
    expected = rows[..., 0]
    for i in range(1, rows.shape[-1]):
        expected = FOLDS[op][1](expected, rows[..., i])
    for negate, keep in [(False, False), (True, True)]:
        out = (*kept, *[1] * len(axes)) if keep else kept if len(kept) > 1 else (*kept, 1)
        result = run(f"nisa.tensor_reduce(dst=o, op=nl.{op}, data=x, axis={axis}, negate={negate}, keepdims={keep})",
                     {"o": (out, "float32")}, random.choice(TARGETS), x=x)
        same(result, (-expected if negate else expected).reshape(out))


@pytest.mark.parametrize("op", ["bitwise_and", "bitwise_or", "bitwise_xor"])
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_reductions_of_bits(run, op, dtype):
    limits = np.iinfo(dtype)
    x = random.integers(limits.min, limits.max, (20, 5), endpoint=True).astype(dtype)
    same(run(f"nisa.tensor_reduce(dst=o, op=nl.{op}, data=x, axis=1)", {"o": ((20, 1), dtype)}, x=x),
         BITS[op].reduce(x, axis=1, keepdims=True))
    if op != "bitwise_xor":
        same(run(f"nisa.tensor_partition_reduce(dst=o, op=nl.{op}, data=x)", {"o": ((1, 5), dtype)}, x=x),
             BITS[op].reduce(x, axis=0, keepdims=True))


@pytest.mark.parametrize("op, meaning", [("logical_and", np.all), ("logical_or", np.any),
                                         ("logical_xor", lambda x, **axis: (x != 0).sum(**axis) % 2)])
@pytest.mark.parametrize("columns", [1, 2, 9])
def test_logical_reductions_give_0_or_1(run, op, meaning, columns):
    x = data("float32", 30, columns)
    x[random.random(x.shape) < 0.3] = 0
    same(run(f"nisa.tensor_reduce(dst=o, op=nl.{op}, data=x, axis=1)", {"o": ((30, 1), "float32")}, x=x),
         f32(meaning(x, axis=1, keepdims=True)))


@pytest.mark.parametrize("op", ["add", "average", "maximum"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int16"])
def test_tensor_partition_reduce(run, op, dtype):
    x = data(dtype, 100, 13, low=-9, high=9)
    expected = f32(x[0])
    for p in range(1, 100):
        expected = np.maximum(expected, f32(x[p])) if op == "maximum" else expected + f32(x[p])
    if op == "average":
        expected = expected / np.float32(100)
    result = run(f"nisa.tensor_partition_reduce(dst=o, op=nl.{op}, data=x)", {"o": ((1, 13), dtype)}, random.choice(TARGETS), x=x)
    same(result[0], rounded(expected, dtype))


def test_large_integer_sums_over_partitions_are_open(run):
    x = np.full((3, 2), 2**23, np.int32)
    body = "nisa.tensor_partition_reduce(dst=o, op=nl.{}, data=x)"
    same(run(body.format("add"), {"o": ((1, 2), "int32")}, x=x[:2]), np.full((1, 2), 2**24, np.int32))
    same(run(body.format("maximum"), {"o": ((1, 2), "int32")}, x=x), np.full((1, 2), 2**23, np.int32))
    x[2] = 1
    same(run.open("partition-integers", body.format("add"), {"o": ((1, 2), "int32")}, x=x), np.full((1, 2), 2**24, np.int32))


# ---- selections, exponentials, activations and their accumulators

def folded(values, op, start):
    """Lanes after a row's values, left to right."""
    lanes = np.broadcast_to(np.float32(start), values.shape[0])
    with np.errstate(over="ignore"):
        for i in range(values.shape[1]):
            lanes = FOLDS[op][1](lanes, values[:, i])
    return lanes.reshape(-1, 1)


@pytest.mark.parametrize("reduce_op", ["add", "multiply", "maximum", "minimum"])
def test_tensor_scalar_reduce(run, reduce_op):
    x, c, start = data("bfloat16", 12, 30, low=-2, high=2), data("float32", 12, 1), data("float32", 12, 1)
    call = "nisa.tensor_scalar_reduce(dst=o, data=x, op0=nl.add, operand0=c, reduce_op=nl.{}{})"
    body = "\n".join([call.format(reduce_op, ", reduce_res=a"),
                      call.format(reduce_op, ", reduce_cmd=nisa.reduce_cmd.reduce"),
                      call.format(reduce_op, ", reduce_res=b, reduce_res_negate=True, reduce_cmd=nisa.reduce_cmd.reduce"),
                      call.format(reduce_op, ", reduce_res=l, reduce_init=s, reduce_cmd=nisa.reduce_cmd.load_reduce"),
                      call.format(reduce_op, ", reduce_res=n, reduce_init=0.75, reduce_cmd=nisa.reduce_cmd.load_reduce")])
    outputs = {"o": ((12, 30), "float16"), **{name: ((12, 1), "float32") for name in "abln"}}
    o, a, b, l, n = run(body, outputs, random.choice(TARGETS), x=x, c=c, s=start)
    values = f32(x) + c
    same(o, rounded(values, "float16"))
    once = folded(values, reduce_op, FOLDS[reduce_op][0])
    same(a, once)
    same(b, -folded(np.concatenate([values] * 3, axis=1), reduce_op, FOLDS[reduce_op][0]))
    same(l, folded(values, reduce_op, start[:, 0]))
    same(n, folded(values, reduce_op, 0.75))


def test_unary_tensor_scalar_reduce(run):
    x = data("float32", 4, 6)
    o, r = run("nisa.tensor_scalar_reduce(dst=o, data=x, op0=nl.abs, operand0=None, reduce_op=nl.add, reduce_res=r)",
               {"o": ((4, 6), "float32"), "r": ((4, 1), "float32")}, x=x)
    same(o, np.abs(x))
    same(r, folded(np.abs(x), "add", 0))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("on_false", ["-5.5", "c"])
def test_select_reduce(run, reverse, on_false):
    x, p, c = data("bfloat16", 9, 24), data("uint8", 9, 24, high=2), data("float32", 9, 1)
    other = c if on_false == "c" else np.float32(-5.5)
    values = f32(np.where((p != 0) != reverse, f32(x), other))
    call = (f"nisa.select_reduce(dst={{}}, predicate=p[:, {{}}], on_true=x[:, {{}}], on_false={on_false}, reverse_pred={reverse}, "
            "reduce_cmd=nisa.reduce_cmd.{}, reduce_res={})")
    body = "\n".join(["nisa.select_reduce(dst=i, predicate=p, on_true=x, on_false=" + on_false + f", reverse_pred={reverse})",
                      call.format("o[:, 0:11]", "0:11", "0:11", "reset_reduce", "None"),
                      call.format("o[:, 11:24]", "11:24", "11:24", "reduce", "r")])
    outputs = {"i": ((9, 24), "float16"), "o": ((9, 24), "float32"), "r": ((9, 1), "float32")}
    i, o, r = run(body, outputs, random.choice(TARGETS), x=x, p=p, c=c)
    same(i, rounded(values, "float16"))
    same(o, values)
    same(r, values.max(axis=1, keepdims=True))


def test_select_reduce_of_nan_is_open(run):
    x, p = data("float32", 3, 9), np.ones((3, 9), np.uint8)
    x[1, 2], p[0, 0], x[0, 0] = np.nan, 0, np.nan
    call = "nisa.select_reduce(dst=o, predicate=p, on_true=x, on_false=0.0{})"
    values = np.where(p, x, 0).astype(np.float32)
    same(run(call.format(""), {"o": ((3, 9), "float32")}, x=x, p=p), values)  # nothing is reduced
    o, r = run.open("select-reduce-nan", call.format(", reduce_res=r, reduce_cmd=nisa.reduce_cmd.reset_reduce"),
                    {"o": ((3, 9), "float32"), "r": ((3, 1), "float32")}, x=x, p=p)
    same(r, np.nanmax(values, axis=1, keepdims=True))


LOWEST = np.float32(-3.4028235e38)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float8_e5m2", "float8_e4m3"])
def test_range_select_fills_narrow_dtypes_with_infinity(run, dtype):
    x = data("float32", 10, 30)
    low, high = f32(random.integers(0, 20, (10, 1))), f32(random.integers(10, 40, (10, 1)))
    low[3], high[3] = 100, 0  # nothing is kept
    body = ("nisa.range_select(dst=o, on_true_tile=x, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b, "
            "range_start=5, reduce_res=r)")
    pos = np.arange(30, dtype=np.float32) + 5
    values = np.where((pos >= low) & (pos < high), x, LOWEST)
    o, r = run(body, {"o": ((10, 30), dtype), "r": ((10, 1), "float32")}, random.choice(["trn2", "trn3"]), x=x, a=low, b=high)
    same(o, rounded(values, dtype))
    same(r, values.max(axis=1, keepdims=True))
    assert dtype == "float32" or (f32(o[3]) == -np.inf).all()


def test_range_select_fill_of_e4m3fn_is_open(run):
    x, low, high = data("float32", 2, 8), np.zeros((2, 1), np.float32), np.full((2, 1), 8, np.float32)
    body = "nisa.range_select(dst=o, on_true_tile=x, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b)"
    same(run(body, {"o": ((2, 8), "float8_e4m3fn")}, x=x, a=low, b=high), rounded(x, "float8_e4m3fn"))
    high[1] = 3
    result = run.open("range-select-e4m3fn", body, {"o": ((2, 8), "float8_e4m3fn")}, x=x, a=low, b=high)
    assert np.isnan(f32(result[1, 3:])).all() and not np.isnan(f32(result[0])).any()


def test_range_select_honours_reduce_cmd(run):
    x, low, high = data("float32", 4, 20), np.zeros((4, 1), np.float32), np.full((4, 1), 99, np.float32)
    call = ("nisa.range_select(dst=o, on_true_tile=x{}, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b{})")
    part = "[:, {}]"
    body = "\n".join([call.format(part.format("0:10"), ", reduce_cmd=nisa.reduce_cmd.reset_reduce").replace("dst=o", "dst=o[:, 0:10]"),
                      call.format(part.format("10:20"), ", reduce_cmd=nisa.reduce_cmd.reduce, reduce_res=r").replace("dst=o", "dst=o[:, 10:20]"),
                      call.format("", ", reduce_cmd=nisa.reduce_cmd.reset_reduce, reduce_res=s")])
    o, r, s = run(body, {"o": ((4, 20), "float32"), "r": ((4, 1), "float32"), "s": ((4, 1), "float32")}, x=x, a=low, b=high)
    same(r, x.max(axis=1, keepdims=True))
    same(s, r)


def exp(x):
    """The correctly rounded float32, but for a double's own error."""
    with np.errstate(over="ignore"):
        return np.exp(np.float64(x)).astype(np.float32)


def test_exponential(run):
    x, peak, start = data("bfloat16", 8, 30), data("float32", 8, 1), data("float32", 8, 1)
    call = "nisa.exponential(dst={}, src=x{}, max_value={}{})"
    body = "\n".join([call.format("i", "", "2.5", ""),
                      call.format("o[:, 0:14]", "[:, 0:14]", "m", ", reduce_cmd=nisa.reduce_cmd.reset_reduce"),
                      call.format("o[:, 14:30]", "[:, 14:30]", "m", ", reduce_cmd=nisa.reduce_cmd.reduce, reduce_res=a"),
                      call.format("o", "", "m", ", reduce_cmd=nisa.reduce_cmd.load_reduce, reduce_init=s, reduce_res=b"),
                      call.format("o", "", "m", ", reduce_cmd=nisa.reduce_cmd.load_reduce, reduce_init=3.0, reduce_res=c")])
    outputs = {"i": ((8, 30), "float16"), "o": ((8, 30), "float32"), **{name: ((8, 1), "float32") for name in "abc"}}
    i, o, a, b, c = run(body, outputs, "trn3", x=x, m=peak, s=start)
    values = exp(f32(x) - peak)
    same(i, rounded(exp(f32(x) - np.float32(2.5)), "float16"))
    same(o, values)
    same(a, folded(values, "add", 0))
    same(b, folded(values, "add", start[:, 0]))
    same(c, folded(values, "add", 3))


@pytest.mark.parametrize("target", TARGETS)
def test_activation_scale_bias_and_sum(run, target):
    x, scale, bias = data("bfloat16", 20, 18), data("float32", 20, 1), data("float16", 20, 1)
    body = ("nisa.activation(dst=o, op=nl.exp, data=x, scale=s, bias=b, reduce_op=nl.add, reduce_res=r, "
            "reduce_cmd=nisa.reduce_cmd.reset_reduce)\n"
            "nisa.activation_reduce(dst=p, op=nl.square, data=x, reduce_op=nl.add, reduce_res=q, scale=0.5)")
    outputs = {"o": ((20, 18), "bfloat16"), "r": ((20, 1), "float32"), "p": ((20, 18), "float32"), "q": ((20, 1), "bfloat16")}
    o, r, p, q = run(body, outputs, target, x=x, s=scale, b=bias)
    values = exp(f32(x) * scale + f32(bias))
    same(o, rounded(values, "bfloat16"))
    same(r, folded(values, "add", 0))  # of the values before they were rounded to bfloat16
    squares = (f32(x) * np.float32(0.5)) ** 2
    same(p, squares)
    same(q, rounded(folded(squares, "add", 0), "bfloat16"))


def test_activation_accumulator_persists(run):
    """idle, the default command, keeps the register; reset only clears; reduce goes on; a result can be read at any time."""
    x = data("float32", 6, 10)
    call = "nisa.activation(dst=o, op=nl.copy, data=x{})"
    command = ", reduce_op=nl.add, reduce_cmd=nisa.reduce_cmd.{}"
    body = "\n".join([call.format(command.format("reset_reduce")), call.format(""), call.format(command.format("reduce")),
                      call.format(", reduce_res=a"), call.format(command.format("reset")), call.format(", reduce_res=b"),
                      call.format(command.format("reduce") + ", reduce_res=c")])
    o, a, b, c = run(body, {"o": ((6, 10), "float32"), **{name: ((6, 1), "float32") for name in "abc"}}, x=x)
    same(a, folded(np.concatenate([x, x], axis=1), "add", 0))
    same(b, np.zeros((6, 1), np.float32))
    same(c, folded(x, "add", 0))


def test_activation_reduce_res_aliasing_dst_keeps_the_reduction(run):
    x = data("float32", 5, 12)
    result = run("nisa.activation(dst=o, op=nl.copy, data=x, reduce_op=nl.add, reduce_res=o[:, 0:1], "
                 "reduce_cmd=nisa.reduce_cmd.reset_reduce)", {"o": ((5, 12), "float32")}, x=x)
    same(result, np.concatenate([folded(x, "add", 0), x[:, 1:]], axis=1))


@pytest.mark.parametrize("function, limits", [("log", (2.0**-64, 2.0**64)), ("sqrt", (2.0**-116, 2.0**118)),
                                              ("rsqrt", (2.0**-87, 2.0**97)), ("arctan", (-1.57, 1.57)),
                                              ("reciprocal", (2.0**-42, 2.0**42))])
def test_activation_outside_its_range_is_open(run, function, limits):
    formula = {"log": np.log, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "arctan": np.arctan, "reciprocal": lambda x: 1 / x}
    call = f"nisa.activation(dst=o, op=nl.{function}, data=x)"
    x = np.array([[1, *limits, 0.5]], np.float32)
    same(run(call, {"o": ((1, 4), "float32")}, x=x), formula[function](x.astype(np.float64)).astype(np.float32))
    for value in [limits[1] * 2, limits[0] / 4 if function != "arctan" else -3]:
        x[0, 2] = value
        result = run.open("activation-range", call, {"o": ((1, 4), "float32")}, x=x)
        same(result, formula[function](x.astype(np.float64)).astype(np.float32))


def test_square_root_of_zero(run):
    same(run("nisa.activation(dst=o, op=nl.sqrt, data=x)", {"o": ((1, 2), "float32")}, x=np.zeros((1, 2), np.float32)),
         np.zeros((1, 2), np.float32))


def test_sin_continues_a_cubic(run):
    x = np.array([[9, -9, 1]], np.float32)
    result = run("nisa.activation(dst=o, op=nl.sin, data=x)", {"o": ((1, 3), "float32")}, x=x)
    assert abs(result[0, 0] - 27.65) < 0.01 and result[0, 1] == -result[0, 0] and abs(result[0, 2] - np.sin(1)) < 1e-7


def test_prelu_of_activation_has_no_slope(run):
    x = np.abs(data("float32", 3, 8))
    call = "nisa.activation(dst=o, op=nl.prelu, data=x)"
    same(run(call, {"o": ((3, 8), "float32")}, x=x), x)
    x[1, 1] = -2
    same(run.open("prelu-slope", call, {"o": ((3, 8), "float32")}, x=x), np.where(x >= 0, x, -np.float32(0)))


ACTIVATE2 = [("multiply", "add"), ("multiply", "subtract"), ("multiply", "bypass"), ("add", "bypass"), ("subtract", "bypass"),
             ("bypass", "bypass")]


@pytest.mark.parametrize("op0, op1", ACTIVATE2)
@pytest.mark.parametrize("reverse", [False, True])
def test_activate2(run, op0, op1, reverse):
    x, a, b = data("bfloat16", 7, 16), data("float32", 7, 1), data("float32", 7, 1)

    def step(op, value, other):
        if op == "bypass":
            return value
        return ARITHMETIC[op](other, value) if reverse else ARITHMETIC[op](value, other)
    values = step(op1, step(op0, f32(x), a), b)
    swap = "".join(f", reverse{i}=True" for i, op in enumerate([op0, op1]) if reverse and op != "bypass")
    result = run(f"nisa.activate2(dst=o, op=nl.relu, data=x, imm0=a, imm1=b, op0=nl.{op0}, op1=nl.{op1}{swap})",
                 {"o": ((7, 16), "float16")}, "trn3", x=x, a=a, b=b)
    same(result, rounded(np.maximum(values, 0), "float16"))


@pytest.mark.parametrize("slope", ["0.25", "c"])
def test_activate2_prelu(run, slope):
    x, c = data("float32", 5, 9), data("float32", 5, 1)
    result = run(f"nisa.activate2(dst=o, op=nl.prelu, data=x, imm0=2.0, imm1=0.0, op0=nl.multiply, op1=nl.bypass, relu_param={slope})",
                 {"o": ((5, 9), "float32")}, "trn3", x=x, c=c)
    values = x * np.float32(2)
    same(result, np.where(values >= 0, values, values * (c if slope == "c" else np.float32(0.25))))


@pytest.mark.parametrize("op", ["add", "maximum", "minimum", "abs_max", "abs_min"])
def test_activate2_reduces(run, op):
    x = data("float32", 6, 15)
    call = f"nisa.activate2(dst=o, op=nl.copy, data=x{{}}, imm0=0.0, imm1=0.0, op0=nl.bypass, op1=nl.bypass, reduce_op=nl.{op}, reduce_cmd=nisa.reduce_cmd.{{}}{{}})"
    body = "\n".join([call.format("", "reset_reduce", ", reduce_res=a"), call.format("", "reduce", ""),
                      call.format("", "idle", ", reduce_res=b"), call.format("", "reset", ", reduce_res=c")])
    o, a, b, c = run(body, {"o": ((6, 15), "float32"), **{name: ((6, 1), "float32") for name in "abc"}}, "trn3", x=x)
    start = {"abs_max": 0, "abs_min": np.inf}.get(op)
    start = FOLDS[op][0] if start is None else start
    lanes = np.full(6, start, np.float32)
    for i in range(15):
        lanes = f32(ARITHMETIC[op](lanes, x[:, i]))
    same(a, lanes.reshape(6, 1))
    for i in range(15):
        lanes = f32(ARITHMETIC[op](lanes, x[:, i]))
    same(b, lanes.reshape(6, 1))
    same(c, np.full((6, 1), start, np.float32))


def test_activate2_says_how_it_reduces(run):
    call = "nisa.activate2(dst=o, op=nl.copy, data=x, imm0=0.0, imm1=0.0, op0=nl.bypass, op1=nl.bypass, reduce_cmd=nisa.reduce_cmd.{})"
    x = np.ones((2, 4), np.float32)
    run(call.format("idle"), {"o": ((2, 4), "float32")}, "trn3", x=x)
    for command in ["reset", "reduce", "reset_reduce"]:
        run.refused(call.format(command), {"o": ((2, 4), "float32")}, "E0410", "reduce_op", target="trn3", x=x)


def test_activate2_range_is_open(run):
    run.open("activation-range", "nisa.activate2(dst=o, op=nl.log, data=x, imm0=0.0, imm1=0.0, op0=nl.multiply, op1=nl.bypass)",
             {"o": ((1, 4), "float32")}, "trn3", x=np.ones((1, 4), np.float32))


DISTURB = {"select_reduce": "nisa.select_reduce(dst=o, predicate=p, on_true=x, on_false=0.0{})",
           "exponential": "nisa.exponential(dst=o, src=x{})"}


@pytest.mark.parametrize("first", DISTURB)
@pytest.mark.parametrize("second", ["tensor_scalar_reduce", "tensor_scalar_cumulative", "exponential"])
def test_idle_disturbs_the_vector_accumulator(run, first, second):
    x, p = data("float32", 4, 6, low=-1, high=1), np.ones((4, 6), np.uint8)
    reads = {"tensor_scalar_reduce": "nisa.tensor_scalar_reduce(dst=o, data=x, op0=nl.add, operand0=0.0, reduce_op=nl.add, "
                                     "reduce_res=r, reduce_cmd=nisa.reduce_cmd.{})",
             "tensor_scalar_cumulative": "nisa.tensor_scalar_cumulative(dst=o, src=x, op0=nl.add, op1=nl.add, imm0=0.0, "
                                         "reduce_cmd=nisa.reduce_cmd.{})\nnisa.tensor_copy(dst=r, src=o[:, 5:6])",
             "exponential": "nisa.exponential(dst=o, src=x, reduce_res=r, reduce_cmd=nisa.reduce_cmd.{})\n"
                            "nisa.tensor_copy(dst=o, src=x)"}[second]
    values = exp(x) if second == "exponential" else x
    outputs = {"o": ((4, 6), "float32"), "r": ((4, 1), "float32")}
    reset, idle = reads.format("reset_reduce"), DISTURB[first].format("")
    _, r = run("\n".join([reset, reads.format("reduce")]), outputs, "trn3", x=x, p=p)
    same(r, folded(np.concatenate([values, values], axis=1), "add", 0))
    _, r = run("\n".join([idle, reset]), outputs, "trn3", x=x, p=p)
    same(r, folded(values, "add", 0))
    _, r = run.open("accumulator-idle", "\n".join([reset, idle, reads.format("reduce")]), outputs, "trn3", x=x, p=p)
    same(r, folded(np.concatenate([values, values], axis=1), "add", 0))  # as if idle had left it alone


@pytest.mark.parametrize("call", DISTURB)
def test_reading_what_idle_leaves_is_open(run, call):
    run.open("accumulator-idle", DISTURB[call].format(", reduce_res=r"), {"r": ((4, 1), "float32"), "o": ((4, 6), "float32")},
             "trn3", x=data("float32", 4, 6), p=np.ones((4, 6), np.uint8))


def test_accumulators_that_nothing_set_are_open(run):
    x = data("float32", 4, 6)
    for call in ["nisa.activation(dst=o, op=nl.copy, data=x, reduce_op=nl.add, reduce_res=r, reduce_cmd=nisa.reduce_cmd.reduce)",
                 "nisa.tensor_scalar_reduce(dst=o, data=x, op0=nl.add, operand0=0.0, reduce_op=nl.add, reduce_res=r, "
                 "reduce_cmd=nisa.reduce_cmd.reduce)"]:
        _, r = run.open("accumulator-unset", call, {"o": ((4, 6), "float32"), "r": ((4, 1), "float32")}, x=x)
        same(r, folded(x, "add", 0))


def test_accumulators_of_other_partitions_are_open(run):
    x = data("float32", 64, 6)
    call = "nisa.activation(dst=o[{0}], op=nl.copy, data=x[{0}], reduce_op=nl.add, reduce_res=r[{0}], reduce_cmd=nisa.reduce_cmd.{1})"
    outputs = {"o": ((64, 6), "float32"), "r": ((64, 1), "float32")}
    body = "\n".join([call.format("0:32", "reset_reduce"), call.format("32:64", "reset_reduce"), call.format("32:64", "reduce")])
    _, r = run(body, outputs, x=x)
    same(r[32:], folded(np.concatenate([x[32:], x[32:]], axis=1), "add", 0))
    body = "\n".join([call.format("0:32", "reset_reduce"), call.format("32:64", "reduce")])
    _, r = run.open("accumulator-lane", body, outputs, x=x)
    same(r[32:], folded(np.concatenate([x[:32], x[32:]], axis=1), "add", 0))


# ---- conversions at the end of every instruction

@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
@pytest.mark.parametrize("target", TARGETS)
def test_fp32_to_int_casts_round_to_nearest_even_and_saturate(run, dtype, target):
    x = np.array([[0.5, 1.5, 2.5, -0.5, -1.5, 127.5, 255.5, -128.5, 3e9, -3e9, 1e20, -1e20, np.inf, -np.inf, np.nan, 65535.5]], np.float32)
    expected = rounded(x, dtype)
    same(run("nisa.tensor_copy(dst=o, src=x)", {"o": ((1, 16), dtype)}, target, x=x), expected)
    same(run("nisa.activation(dst=o, op=nl.copy, data=x)", {"o": ((1, 16), dtype)}, target, x=x), expected)
    same(run("nisa.tensor_scalar(dst=o, data=x, op0=nl.multiply, operand0=1.0)", {"o": ((1, 16), dtype)}, target, x=x), expected)


def test_quantities_through_the_scalar_engine_go_by_float32(run):
    x = np.array([[2**24 + 1, -2**24 - 1, 2**31 - 1, 2**23 + 1]], np.int32)
    lossy = rounded(f32(x), "int32")
    same(run("nisa.activation(dst=o, op=nl.copy, data=x)", {"o": ((1, 4), "int32")}, x=x), lossy)
    same(run("nisa.tensor_copy(dst=o, src=x, engine=nisa.engine.vector)", {"o": ((1, 4), "int32")}, x=x), x)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e5m2", "float8_e4m3", "float8_e4m3fn"])
def test_narrow_results_overflow(run, dtype):
    x = np.array([[1e30, -1e30, 448, 449, 480, 240, 248, 250, 65519, 65520, 3.39e38, -3.4e38, 61439, 61440]], np.float32)
    same(run("nisa.tensor_scalar(dst=o, data=x, op0=nl.multiply, operand0=1.0)", {"o": ((1, 14), dtype)}, x=x), rounded(x, dtype))


def test_reciprocal(run):
    x = np.concatenate([data("float32", 3, 20), np.array([[0, -0.0, np.inf, np.nan, 1e-44, 3e38] * 3 + [1, 2]], np.float32)])
    with np.errstate(all="ignore"):
        expected = np.float32(1) / x
    for dtype in ["float32", "bfloat16"]:
        same(run("nisa.reciprocal(dst=o, data=x)", {"o": ((4, 20), dtype)}, random.choice(TARGETS), x=x), rounded(expected, dtype))


# ---- the eights

def matched(data, vals, order):
    """For each slot in that order the first place of its value that no other slot took."""
    taken, places = set(), np.full(8, 0xFFFFFFFF, np.uint32)
    for j in order:
        for i, value in enumerate(data):
            if value == vals[j] and i not in taken:
                taken.add(i)
                places[j] = i
                break
    return places


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8"])
def test_max8_keeps_duplicates(run, dtype):
    x = data(dtype, 11, 40, low=-3, high=3) if dtype == "int32" else data(dtype, 11, 40, low=0, high=9)
    result = run("nisa.max8(dst=o, src=x)", {"o": ((11, 8), dtype)}, random.choice(TARGETS), x=x)
    same(f32(result), np.sort(f32(x), axis=1)[:, ::-1][:, :8].copy())


def test_max8_of_nan_is_open(run):
    x = np.arange(10, dtype=np.float32).reshape(1, 10)
    x[0, 9] = np.nan
    same(run.open("max8-nan", "nisa.max8(dst=o, src=x)", {"o": ((1, 8), "float32")}, x=x), np.arange(8, 0, -1, dtype=np.float32).reshape(1, 8))


@pytest.mark.parametrize("dtype", ["uint32", "uint16"])
def test_nc_find_index8_unmatched_slots_are_all_ones_and_duplicates_advance(run, dtype):
    x = data("int16", 9, 50, low=0, high=12).astype(np.float32)
    vals = data("int16", 9, 8, low=0, high=14).astype(np.float32)
    vals[0] = 5  # the same eight times
    result = run("nisa.nc_find_index8(dst=o, data=x, vals=v)", {"o": ((9, 8), dtype)}, random.choice(TARGETS), x=x, v=vals)
    expected = np.array([matched(row, wanted, range(8)) for row, wanted in zip(x, vals)])
    same(result, expected.astype(dtype))
    assert (result == np.iinfo(dtype).max).any()


def test_nc_match_replace8_scans_in_reverse(run):
    x = np.array([[1, 2, 3, 4, 8, 8, 8, 8, 8, 8, 8]], np.float32)
    vals = np.array([[3, 8, 8, 8, 8, 8, 8, 8]], np.float32)
    o, i = run("nisa.nc_match_replace8(dst=o, data=x, vals=v, imm=-1.0, dst_idx=i)",
               {"o": ((1, 11), "float32"), "i": ((1, 8), "uint32")}, x=x, v=vals)
    np.testing.assert_array_equal(i[0], [2, 10, 9, 8, 7, 6, 5, 4])  # the documents' example
    np.testing.assert_array_equal(o[0], [1, 2, -1, 4, *[-1] * 7])


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nc_match_replace8(run, in_place, dtype):
    x, vals = (data("int16", 20, n, low=0, high=20).astype(NUMPY[dtype]) for n in (60, 8))
    body = "nisa.nc_match_replace8(dst=o, data=x, vals=v, imm=-7.5)"
    if in_place:
        body = "nisa.tensor_copy(dst=o, src=x)\n" + body.replace("data=x", "data=o")
    result = run(body, {"o": ((20, 60), dtype)}, random.choice(TARGETS), x=x, v=vals)
    expected = x.copy()
    for row, values, wanted in zip(expected, x, vals):
        places = matched(values, wanted, reversed(range(8)))
        row[places[places < 60]] = -7.5
    same(result, expected)


def test_places_of_values_that_do_not_occur_are_open(run):
    x, vals = np.arange(8, dtype=np.float32).reshape(1, 8), np.arange(1, 9, dtype=np.float32).reshape(1, 8)
    body = "nisa.nc_match_replace8(dst=o, data=x, vals=v, imm=-1.0{})"
    same(run(body.format(""), {"o": ((1, 8), "float32")}, x=x, v=vals), np.array([[0, *[-1] * 7]], np.float32))
    _, i = run.open("match-index", body.format(", dst_idx=i"), {"o": ((1, 8), "float32"), "i": ((1, 8), "uint32")}, x=x, v=vals)
    np.testing.assert_array_equal(i[0], [1, 2, 3, 4, 5, 6, 7, 0xFFFFFFFF])


def test_looking_for_nan_is_open(run):
    x, vals = np.arange(8, dtype=np.float32).reshape(1, 8), np.arange(8, dtype=np.float32).reshape(1, 8)
    x[0, 3] = vals[0, 3] = np.nan
    i = run.open("find-nan", "nisa.nc_find_index8(dst=i, data=x, vals=v)", {"i": ((1, 8), "uint32")}, x=x, v=vals)
    np.testing.assert_array_equal(i[0], [0, 1, 2, 0xFFFFFFFF, 4, 5, 6, 7])
    run.open("find-nan", "nisa.nc_match_replace8(dst=o, data=x, vals=v, imm=0.0)", {"o": ((1, 8), "float32")}, x=x, v=vals)


# ---- statistics

def statistics(values):
    count, total, squares = np.float32(0), np.float32(0), np.float32(0)
    for value in values:
        count, total = count + np.float32(1), total + value
    mean = total / count
    for value in values:
        squares = squares + (value - mean) * (value - mean)
    return [count, mean, squares]


@pytest.mark.parametrize("columns", [2, 3, 64, 511])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bn_stats_and_bn_aggr(run, columns, dtype):
    x = data(dtype, 6, columns)
    body = "nisa.bn_stats(dst=s, data=x)\nnisa.bn_aggr(dst=a, data=s)"
    s, a = run(body, {"s": ((6, 6), "float32"), "a": ((6, 2), "float32")}, random.choice(TARGETS), x=x)
    same(s, np.array([statistics(f32(row[0::2])) + statistics(f32(row[1::2])) for row in x], np.float32))
    np.testing.assert_allclose(a[:, 0], f32(x).mean(axis=1, dtype=np.float64), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(a[:, 1], f32(x).var(axis=1, dtype=np.float64), rtol=1e-5, atol=1e-5)


def test_statistics_of_nothing_are_open(run):
    x = data("float32", 2, 1)
    s = run.open("bn-stats-empty", "nisa.bn_stats(dst=s, data=x)", {"s": ((2, 6), "float32")}, x=x)
    same(s, np.array([[1, value, 0, 0, 0, 0] for value in x[:, 0]], np.float32))
    triples = np.zeros((2, 6), np.float32)
    triples[0] = [2, 1, 3, 0, 0, 0]
    a = run.open("bn-aggr-empty", "nisa.bn_aggr(dst=a, data=x)", {"a": ((2, 2), "float32")}, x=triples)
    same(a, np.array([[1, 1.5], [0, 0]], np.float32))


# ---- GpSimd

@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_sequence_bounds(run, dtype):
    ids = np.array([[0, 1, 1, 2, 2, 2, 0, 0, 3, 1, 1, 0, 7]], NUMPY[dtype])
    n = ids.size
    result = run("nisa.sequence_bounds(dst=o, segment_ids=x)", {"o": ((1, 2, n), dtype)}, random.choice(TARGETS), x=ids)
    start, end = [], []
    for i, number in enumerate(ids[0]):
        same_run = [j for j in range(n) if all(ids[0, k] == number for k in range(min(i, j), max(i, j) + 1))]
        start.append(n if number == 0 else same_run[0])
        end.append(-1 if number == 0 else same_run[-1] + 1)
    same(result, np.array([[start, end]], NUMPY[dtype]))


def test_sequence_bounds_tells_large_numbers_apart(run):
    ids = np.array([[2**24, 2**24 + 1, 2**24 + 1, 5]], np.int32)
    same(run("nisa.sequence_bounds(dst=o, segment_ids=x)", {"o": ((1, 2, 4), "int32")}, x=ids),
         np.array([[[0, 1, 1, 3], [1, 3, 3, 4]]], np.int32))


@pytest.mark.parametrize("value", [-1, 0.5])
def test_sequence_bounds_takes_natural_numbers(run, value):
    run.refused("nisa.sequence_bounds(dst=o, segment_ids=x)", {"o": ((1, 2, 3), "float32")}, "E0613", "[0, 1]",
                x=np.array([[1, value, 2]], np.float32))


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("partitions", [1, 33, 128])
def test_nonzero_with_count(run, dtype, partitions):
    x = data(dtype, partitions, 23)
    x[random.random(x.shape) < 0.4] = 0
    body = "nisa.memset(dst=o, value=77)\nnisa.nonzero_with_count(dst=o, src=x, index_offset=16, padding_val=-3)"
    result = run(body, {"o": ((partitions, 24), "int32")}, random.choice(["trn2", "trn3"]), x=x)
    expected = np.full((partitions, 24), 77, np.int32)
    for p in range(0, partitions, 16):
        found = np.flatnonzero(x[p]) + 16
        expected[p] = [*found, *[-3] * (23 - len(found)), len(found)]
    same(result, expected)


def test_nonzero_with_count_reads_every_sixteenth_partition_only(run):
    body = ("t = nl.ndarray((32, 5), dtype=nl.float32, buffer=nl.sbuf)\nnisa.dma_copy(dst=t[0:1], src=x_hbm[0:1])\n"
            "nisa.dma_copy(dst=t[16:17], src=x_hbm[1:2])\nnisa.memset(dst=o, value=0)\nnisa.nonzero_with_count(dst=o, src=t)")
    x = np.array([[0, 1, 0, 2, np.nan], [-0.0, 0, 0, 0, 5]], np.float32)
    result = run(body, {"o": ((32, 6), "int32")}, x=x)
    np.testing.assert_array_equal(result[[0, 16]], [[1, 3, 4, -1, -1, 3], [4, -1, -1, -1, -1, 1]])


# ---- random numbers

@pytest.mark.parametrize("target, engine, words", [("trn2", "gpsimd", 6), ("trn3", "gpsimd", 6), ("trn3", "vector", 24)])
def test_random_state_round_trip(run, target, engine, words):
    body = f"""nisa.rand_get_state(dst=a, engine=nisa.engine.{engine})
nisa.rng(dst=x1, engine=nisa.engine.{engine})
nisa.rand_get_state(dst=b, engine=nisa.engine.{engine})
nisa.rand_set_state(src_seeds=a, engine=nisa.engine.{engine})
nisa.rng(dst=x2, engine=nisa.engine.{engine})
nisa.rand_get_state(dst=c, engine=nisa.engine.{engine})"""
    outputs = {name: ((128, words), "uint32") for name in "abc"} | {name: ((128, 13), "uint32") for name in ["x1", "x2"]}
    a, b, c, x1, x2 = run(body, outputs, target)
    np.testing.assert_array_equal(x1, x2)
    np.testing.assert_array_equal(b, c)
    assert (a != b).any() and len(np.unique(x1)) > 1600


@pytest.mark.parametrize("engine", ["vector", "gpsimd"])
def test_the_seed_of_a_run(run, engine):
    body, outputs = f"nisa.rng(dst=o, engine=nisa.engine.{engine})", {"o": ((5, 9), "uint32")}
    first = run(body, outputs)
    np.testing.assert_array_equal(first, run(body, outputs, options=["--seed", "0"]))
    second = run(body, outputs, options=["--seed", "9"])
    assert (first != second).all()
    np.testing.assert_array_equal(second, run(body, outputs, options=["--seed", "9"]))
    seeded = ("s = nl.ndarray((1, 1), dtype=nl.uint32, buffer=nl.sbuf)\nnisa.memset(dst=s, value=9)\n"
              "nisa.set_rng_seed(src_seeds=s)\n" + body)
    if engine == "vector":
        np.testing.assert_array_equal(second, run(seeded, outputs))
    else:  # the seed of the vector engine changes nothing
        np.testing.assert_array_equal(first, run(seeded, outputs))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8"])
def test_dropout_at_its_ends(run, dtype):
    x, p = data(dtype, 10, 30, low=1, high=9), np.array([[0], [1]] * 5, np.float32)
    for call, expected in [("0.0", x), ("1.0", np.zeros_like(x)), ("p", np.where(p == 0, f32(x), 0).astype(x.dtype))]:
        same(run(f"nisa.dropout(dst=o, data=x, prob={call})", {"o": ((10, 30), dtype)}, random.choice(TARGETS), x=x, p=p), expected)


def test_dropout_in_between(run):
    x = np.full((128, 400), 3, np.float32)
    result = run("nisa.dropout(dst=o, data=x, prob=0.3)", {"o": ((128, 400), "float32")}, x=x)
    assert set(np.unique(result)) == {0, 3} and abs((result == 0).mean() - 0.3) < 0.01  # kept elements are not scaled


def test_rand2_lies_between_its_bounds(run):
    low, high = data("float32", 128, 1, low=-5, high=0), data("float32", 128, 1, low=1, high=9)
    result = run("nisa.rand2(dst=o, min=a, max=b)", {"o": ((128, 200), "float32")}, "trn3", a=low, b=high)
    place = (result - low) / (high - low)
    assert place.min() >= 0 and place.max() <= 1 and abs(place.mean() - 0.5) < 0.01
    run.refused("nisa.rand2(dst=o, min=b, max=a)", {"o": ((128, 200), "float32")}, "E0613", "min < max", target="trn3", a=low, b=high)


# ---- printing

def test_device_print(run):
    x = np.array([[1, 2.5], [-3, 1e-30]], np.float32)
    body = """nl.device_print("tile:", x)
nl.device_print("one", x[1:2, 0:1])
nisa.iota(dst=i, pattern=[[2, 2], [1, 2]], channel_multiplier=10)
nl.device_print("", i)
nisa.tensor_copy(dst=o, src=x)"""
    outputs = {"o": ((2, 2), "float32"), "i": ((2, 2, 2), "int32")}
    for options in [], ["--reference"]:
        result = run.start(body, {"x": x}, outputs, options)
        assert result.stderr == ("tile: x.1[2, 2]: float32\n [[1, 2.5],\n  [-3, 1e-30]]\n"
                                 "one x.1[1, 1]: float32\n [[-3]]\n"
                                 " i.1[2, 2, 2]: int32\n [[[0, 1],\n   [2, 3]],\n  [[10, 11],\n   [12, 13]]]\n")
    result = run.start(body, {"x": x}, outputs, ["--json"])
    prints = json.loads(result.stdout)["prints"]
    assert [entry["prefix"] for entry in prints] == ["tile:", "one", ""]
    assert prints[0]["values"] == [1, 2.5, -3, float(x[1, 1])] and prints[2]["values"] == [0, 1, 2, 3, 10, 11, 12, 13]
    assert prints[1] == {"prefix": "one", "rank": 0, "core": 0, "tensor": "x.1", "dtype": "float32", "shape": [1, 1], "values": [-3]}


# ---- every activation function on every generation

def normal(x):
    return 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slope_of_silu(x):
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)))


FUNCTIONS = {
    "copy": lambda x: x, "square": np.square, "sigmoid": sigmoid, "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * normal(x), "gelu_dx": lambda x: normal(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    "gelu_apprx_tanh": lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "gelu_apprx_sigmoid": lambda x: x * sigmoid(1.702 * x), "gelu_apprx_sigmoid_dx": lambda x: slope_of_silu(1.702 * x),
    "silu": lambda x: x * sigmoid(x), "silu_dx": slope_of_silu, "tanh": np.tanh, "softplus": lambda x: np.log1p(np.exp(x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))), "erf": np.vectorize(math.erf),
    "erf_dx": lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x), "exp": np.exp, "log": lambda x: np.log(np.abs(x)),
    "sin": np.sin, "arctan": np.arctan, "sqrt": lambda x: np.sqrt(np.abs(x)), "rsqrt": lambda x: 1 / np.sqrt(np.abs(x)),
    "reciprocal": lambda x: 1 / x, "sign": np.sign, "abs": np.abs,
}
POSITIVE = {"log", "sqrt", "rsqrt"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_activation_functions(run, function):
    x = data("float32", 9, 35, low=-1.5, high=1.5)
    if function in POSITIVE:
        x = np.abs(x) + np.float32(0.01)
    expected = FUNCTIONS[function](x.astype(np.float64))
    calls = [("trn1", f"nisa.activation(dst=o, op=nl.{function}, data=x)"), ("trn2", f"nisa.activation(dst=o, op=nl.{function}, data=x)"),
             ("trn3", f"nisa.activate2(dst=o, op=nl.{function}, data=x, imm0=0.0, imm1=0.0, op0=nl.bypass, op1=nl.bypass)")]
    results = [run(call, {"o": ((9, 35), "float32")}, target, x=x) for target, call in calls]
    np.testing.assert_allclose(results[0], expected, rtol=2e-7, atol=1e-12)
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()
