"""The computing instructions of nki.isa against NumPy and ml_dtypes, on every generation that has them.

Each kernel runs twice, with the fast executors and with the reference, and both must agree to the bit. Expected values
are computed here from what the instruction is documented to do, in float32 and in the stated order.
"""
import json

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
        arrays = [np.load(self.folder / "out" / entry["file"]).view(NUMPY[dtype])
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
