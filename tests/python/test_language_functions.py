"""Every function of nki.language: its signature, its values against NumPy, and what it says to bad arguments.

Values: one kernel computes many expressions over random tiles of odd shapes and returns each as a tensor of its own.
"""

import ast
import glob
import json
import math
import os

import ml_dtypes
import numpy as np
import pytest
from conftest import ROOT, run_klr

HEADER = "import nki\nimport nki.isa as nisa\nimport nki.language as nl\n\n@nki.jit\ndef k({parameters}):\n"
RNG = np.random.default_rng(11)
BF16 = ml_dtypes.bfloat16

# Names, parameters and defaults as the documents give them.
UNARY = ["abs", "square", "logical_not", "invert", "exp", "log", "sqrt", "rsqrt", "tanh", "sigmoid", "relu", "gelu",
         "gelu_apprx_sigmoid", "gelu_apprx_tanh", "gelu_dx", "gelu_apprx_sigmoid_dx", "silu", "silu_dx", "softplus", "mish",
         "erf", "erf_dx", "reciprocal", "copy", "sin", "cos", "tan", "arctan", "ceil", "floor", "trunc", "negative", "sign",
         "transpose"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "abs_max", "abs_min", "power", "equal", "not_equal",
          "less", "less_equal", "greater", "greater_equal", "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift",
          "right_shift", "logical_and", "logical_or", "logical_xor", "fmod", "mod"]
SIGNATURES = {
    **{name: "buffer" for name in ("is_hbm", "is_on_chip", "is_psum", "is_sbuf")},
    **{name: "x, dtype=None" for name in UNARY},
    **{name: "x, y, dtype=None" for name in BINARY},
    **{name: "x, axis, dtype=None, keepdims=False" for name in ("sum", "max", "min", "mean", "prod", "var")},
    **{name: "shape, dtype, buffer=sbuf, name=''" for name in ("ones", "zeros", "rand")},
    **{name: "x, dtype=None, buffer=None, name=''" for name in ("zeros_like", "empty_like")},
    **{name: "start, stop=None, step=1" for name in ("affine_range", "sequential_range", "static_range", "dynamic_range")},
    "all": "x, axis, dtype=None",
    "softmax": "x, axis=-1, dtype=None",
    "rms_norm": "x, w, axis, n, epsilon=1e-06, dtype=None, compute_dtype=None",
    "where": "condition, x, y, dtype=None",
    "dropout": "x, rate, dtype=None",
    "full": "shape, fill_value, dtype, buffer=sbuf, name=''",
    "random_seed": "seed",
    "expand_dims": "x, axis",
    "broadcast_to": "x, shape, dtype=None",
    "matmul": "x, y, transpose_x=False",
    "no_reorder": "",
    "load_transpose2d": "src, dtype=None",
    "gather_flattened": "data, indices, axis=0, dtype=None",
    "ds": "start, size",
    "fori_loop": "lower, upper, body_fun, step=1",
    "while_loop": "init, body_fun",
    "ndarray": "shape, dtype, buffer=sbuf, name='', address=None",
    "load": "src, dtype=None",
    "store": "dst, value",
    "program_id": "axis=0",
    "num_programs": "axes=0",
    "program_ndim": "",
    "shared_constant": "constant",
    "shared_identity_matrix": "n, dtype=uint8, dst=None",
    "device_print": "print_prefix, tensor",
}


def definitions():
    """{name: FunctionDef} of the functions that the files of nki.language define."""
    found = {}
    for path in glob.glob(os.path.join(ROOT, "nki", "language", "*.py")):
        with open(path, encoding="utf-8") as text:
            for node in ast.parse(text.read()).body:
                if isinstance(node, ast.FunctionDef) and not os.path.basename(path).startswith("_support"):
                    found[node.name] = node
    return found


def test_every_function_has_its_signature_and_a_docstring():
    found = definitions()
    assert len(SIGNATURES) == 103
    for name, signature in SIGNATURES.items():
        assert ast.unparse(found[name].args) == signature, name
        assert ast.get_docstring(found[name]), name
    assert {name for name in found if not name.startswith("_")} == set(SIGNATURES)


def test_the_package_gives_every_name(tmp_path):
    names = [*SIGNATURES, "range", "tile_size", "NKIObject", "NkiTensor", "MemoryRegion", "bypass", "average", "prelu", "bool",
             "float8_e8m0fnu", "tfloat32", "float4_e2m1fn_x4", "DType"]
    (tmp_path / "k.py").write_text(HEADER.format(parameters="x") + "".join(f"    nl.{name}\n" for name in names))
    assert run_klr("trace", tmp_path / "k.py", "x=f32[4,4]").returncode == 0
    listed = json.loads(run_klr("list", "builtins", "--json").stdout)
    assert {f"nki.language.{name}" for name in SIGNATURES} <= {row["name"] for row in listed}


# ---- running


def argument(folder, name, array):
    """NAME=@FILE for an array of any dtype."""
    if array.dtype == BF16:
        np.save(folder / f"{name}.npy", array.astype(np.float32))
        return f"{name}=@{folder / name}.npy:bf16"
    if array.dtype.itemsize == 1 and array.dtype.kind == "V" or array.dtype in (ml_dtypes.float8_e4m3, ml_dtypes.float8_e5m2):
        np.save(folder / f"{name}.npy", array.astype(np.float32))
        return f"{name}=@{folder / name}.npy:{array.dtype.name}"
    np.save(folder / f"{name}.npy", array)
    return f"{name}=@{folder / name}.npy"


def source(parameters, lines):
    return HEADER.format(parameters=", ".join(parameters)) + "".join(f"    {line}\n" for line in lines)


def outputs(tmp_path, arrays, lines, count, *options):
    """Runs the lines, which end by returning `count` tensors: [(dtype, array)] with wide values."""
    (tmp_path / "k.py").write_text(source(arrays, lines))
    words = [argument(tmp_path, name, array) for name, array in arrays.items()]
    done = run_klr("run", tmp_path / "k.py", *words, "--out", tmp_path / "out", *options)
    assert done.returncode == 0, done.stderr
    index = json.loads((tmp_path / "out" / "outputs.json").read_text())
    rows = [row for row in (index["outputs"] if isinstance(index, dict) else index) if row.get("role") != "input"][:count]
    return [(row["dtype"], np.load(tmp_path / "out" / f"{row['name']}.npy")) for row in rows]


def run(tmp_path, arrays, expressions, *options):
    """The values of expressions over the loaded tiles; the arrays themselves have an underscore."""
    lines = [f"{name}_ = {name}; {name} = nl.load({name})" for name in arrays]
    for i, expression in enumerate(expressions):
        lines += [f"t{i} = {expression}", f"out{i} = nl.ndarray(t{i}.shape, t{i}.dtype, nl.shared_hbm)",
                  f"nl.store(out{i}, nl.copy(t{i}))"]
    lines.append("return (" + " ".join(f"out{i}," for i in range(len(expressions))) + ")")
    return outputs(tmp_path, arrays, lines, len(expressions), *options)


def close(found, wanted, name, relative, absolute):
    wanted = np.asarray(wanted, dtype=np.float64)
    assert found.shape == wanted.shape, name
    np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=relative, atol=absolute, err_msg=name)


# Half a unit in the last place of each dtype, and a little for the steps in float32.
ROUNDING = {np.dtype(np.float32): 2e-6, np.dtype(BF16): 2.0**-8 * 1.01, np.dtype(np.float16): 2.0**-11 * 1.01}
NAMES = {np.dtype(np.float32): "float32", np.dtype(BF16): "bfloat16", np.dtype(np.float16): "float16"}

erf = np.vectorize(math.erf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal(x):
    return (1 + erf(x / np.sqrt(2))) / 2


def density(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def softplus(x):
    return np.logaddexp(0, x)


# {name: (NumPy in float64, what x is mapped to first, its inverse in the kernel's argument)}
ANY = {
    "abs": np.abs, "square": np.square, "exp": np.exp, "tanh": np.tanh, "sigmoid": sigmoid, "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * normal(x), "gelu_dx": lambda x: normal(x) + x * density(x),
    "gelu_apprx_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "gelu_apprx_sigmoid": lambda x: x * sigmoid(1.702 * x),
    "gelu_apprx_sigmoid_dx": lambda x: sigmoid(1.702 * x) * (1 + 1.702 * x * (1 - sigmoid(1.702 * x))),
    "silu": lambda x: x * sigmoid(x), "silu_dx": lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))), "softplus": softplus,
    "mish": lambda x: x * np.tanh(softplus(x)), "erf": erf, "erf_dx": lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x),
    "reciprocal": lambda x: 1 / x, "copy": lambda x: x, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "ceil": np.ceil, "floor": np.floor, "trunc": np.trunc, "negative": np.negative, "sign": np.sign,
    "logical_not": lambda x: x == 0, "transpose": lambda x: x.T,
}
NARROW = {"arctan": np.arctan}  # specified between -pi/2 and pi/2
POSITIVE = {"log": np.log, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x)}


@pytest.mark.parametrize("target", ["trn1", "trn2", "trn3"])
@pytest.mark.parametrize("dtype", ROUNDING, ids=NAMES.values())
def test_functions_of_one_tile(tmp_path, dtype, target):
    shape = {"trn1": (32, 7), "trn2": (7, 61), "trn3": (128, 3)}[target]
    x = (RNG.standard_normal(shape) * 2 + 0.01).astype(dtype)
    p = (np.abs(RNG.standard_normal(shape)) + 0.25).astype(dtype)
    q = np.clip(x, -1.5, 1.5).astype(dtype)
    calls = {name: (function, operand) for functions, operand in [(ANY, "x"), (POSITIVE, "p"), (NARROW, "q")]
             for name, function in functions.items()}
    operands = {"x": x, "p": p, "q": q}
    found = run(tmp_path, operands, [f"nl.{n}({operand})" for n, (_, operand) in calls.items()], "--target", target)
    for name, (found_dtype, array) in zip(calls, found):
        function, operand = calls[name][0], operands[calls[name][1]]
        assert found_dtype == NAMES[np.dtype(dtype)], name
        wanted = function(operand.astype(np.float64))
        near = np.abs(wanted) < 20 if name == "tan" else np.ones(wanted.shape, bool)  # not at the poles
        assert array.shape == wanted.shape, name
        close(array[near], wanted[near], name, ROUNDING[np.dtype(dtype)] * (4 if name == "tan" else 1), 2e-6)


def test_the_result_has_the_dtype_asked_for(tmp_path):
    x = (RNG.standard_normal((5, 9)) * 3).astype(np.float32)
    cases = {"abs(x, dtype=nl.float16)": ("float16", np.abs(x).astype(np.float16)),
             "add(x, 1, nl.bfloat16)": ("bfloat16", (x + 1).astype(BF16).astype(np.float32)),
             "sum(x, 1, nl.int32)": ("int32", np.rint(x.astype(np.float32).sum(1, keepdims=True))),
             "greater(x, 0, dtype=nl.uint8)": ("uint8", x > 0), "floor(x, nl.int32)": ("int32", np.floor(x)),
             "where(nl.less(x, 0), 0, x, nl.int16)": ("int16", np.where(x < 0, 0, np.rint(x))),
             "load_transpose2d(x_, nl.bfloat16)": ("bfloat16", x.T.astype(BF16).astype(np.float32)),
             "load(x_, nl.float16)": ("float16", x.astype(np.float16)),
             "transpose(x, nl.bfloat16)": ("bfloat16", x.T.astype(BF16).astype(np.float32)),
             "broadcast_to(x[:, 0:1], (5, 4), nl.float16)": ("float16", np.broadcast_to(x[:, 0:1].astype(np.float16), (5, 4))),
             "gather_flattened(x, nl.full((5, 2), 3, nl.uint32), dtype=nl.float16)":
             ("float16", np.repeat(x[:, 3:4], 2, 1).astype(np.float16)),
             "zeros_like(x, nl.int8)": ("int8", np.zeros((5, 9))), "copy(x, nl.float16)": ("float16", x.astype(np.float16))}
    for (name, (dtype, wanted)), (found_dtype, array) in zip(cases.items(), run(tmp_path, {"x": x}, [f"nl.{n}" for n in cases])):
        assert found_dtype == dtype, name
        np.testing.assert_array_equal(array.astype(np.float64), np.asarray(wanted).astype(np.float64), name)


FLOATS = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "maximum": np.maximum,
    "minimum": np.minimum, "mod": np.mod, "fmod": np.fmod, "equal": np.equal, "not_equal": np.not_equal, "less": np.less,
    "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal, "logical_and": np.logical_and,
    "logical_or": np.logical_or, "logical_xor": np.logical_xor,
}
OPERANDS = {"tile": "y", "column": "y[:, 0:1]", "row": "y[0:1]", "one": "y[0:1, 3:4]", "number": "1.5", "int": "2"}


@pytest.mark.parametrize("other", OPERANDS)
@pytest.mark.parametrize("dtype", ROUNDING, ids=NAMES.values())
def test_functions_of_two_broadcast(tmp_path, dtype, other):
    x = (RNG.integers(-9, 9, (13, 21)) / 2).astype(dtype)
    y = (RNG.integers(1, 7, (13, 21)) * RNG.choice([-1, 1], (13, 21))).astype(dtype)
    expression = OPERANDS[other]
    value = {"number": 1.5, "int": 2}.get(other)
    value = eval(expression, {"y": y.astype(np.float64)}) if value is None else value
    names = [f"nl.{f}(x, {expression})" for f in FLOATS] + [f"nl.{f}({expression}, x)" for f in ("subtract", "less", "fmod")]
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        wanted = [function(wide, value) for function in FLOATS.values()]
        wanted += [np.subtract(value, wide), np.less(value, wide), np.fmod(value, wide)]
        for name, result, (found_dtype, array) in zip(names, wanted, run(tmp_path, {"x": x, "y": y}, names)):
            assert found_dtype == NAMES[np.dtype(dtype)], name
            finite = np.isfinite(result)
            assert array.shape == result.shape, name
            close(array[finite], np.broadcast_to(result, array.shape)[finite], name, ROUNDING[np.dtype(dtype)], 1e-6)


def test_two_tiles_of_different_dtypes(tmp_path):
    x = RNG.standard_normal((6, 5)).astype(np.float32)
    arrays = {"x": x, "h": x.astype(np.float16), "b": x.astype(BF16), "i": RNG.integers(-9, 9, (6, 5)).astype(np.int32)}
    cases = {"add(x, h)": "float32", "add(b, i)": "bfloat16", "multiply(h, b)": "float32", "add(i, x)": "float32"}
    for (name, dtype), (found, _) in zip(cases.items(), run(tmp_path, arrays, [f"nl.{n}" for n in cases])):
        assert found == dtype, name


def test_each_operand_repeats_what_the_other_has(tmp_path):
    x, y = RNG.standard_normal((11, 1)).astype(np.float32), RNG.standard_normal((1, 17)).astype(np.float32)
    ((_, found),) = run(tmp_path, {"x": x, "y": y}, ["nl.add(x, y)"])
    np.testing.assert_array_equal(found, x + y)


def test_three_dimensions(tmp_path):
    x, y = RNG.standard_normal((9, 4, 6)).astype(np.float32), RNG.standard_normal((9, 1, 6)).astype(np.float32)
    found = run(tmp_path, {"x": x, "y": y}, ["nl.multiply(x, y)", "nl.exp(y)", "nl.where(nl.less(x, y), x, 1.0)"])
    for (_, array), wanted in zip(found, [x * y, np.exp(y), np.where(x < y, x, 1)]):
        close(array, wanted, "", 2e-7, 0)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int16, np.uint8, np.int8])
def test_integers(tmp_path, dtype):
    information = np.iinfo(dtype)
    low, high = (information.min // 4 + 5, information.max // 4) if information.bits == 32 else (max(information.min, -11), 11)
    x = RNG.integers(low, high, (10, 19)).astype(dtype)
    y = RNG.integers(1, 5, (10, 19)).astype(dtype)
    bits = dtype().itemsize * 8
    unsigned = np.dtype(f"u{dtype().itemsize}")
    cases = {
        "add(x, y)": x + y, "subtract(nl.maximum(x, y), y)": np.maximum(x, y) - y, "maximum(x, y)": np.maximum(x, y), "minimum(x, y)": np.minimum(x, y),
        "less(x, y)": x < y, "equal(x, x)": x == x, "bitwise_and(x, y)": x & y, "bitwise_or(x, y)": x | y,
        "bitwise_xor(x, y)": x ^ y, "bitwise_and(x, 6)": x & dtype(6), "invert(x)": ~x, "left_shift(y, 2)": y << dtype(2),
        "left_shift(y, y)": y << y, "right_shift(x, 1)": (x.view(unsigned) >> 1).view(dtype),
        "floor(x)": x, "ceil(x)": x, "trunc(x)": x, "copy(x)": x, "logical_not(nl.less(x, y))": ~(x < y),
        "logical_and(x, y)": (x != 0) & (y != 0),
    }
    if information.min < 0:
        cases |= {"negative(x)": -x, "sign(x)": np.sign(x)}
    if bits == 32:
        cases |= {"multiply(y, y)": y * y, "fmod(x, y)": np.fmod(x, y), "mod(x, y)": np.mod(x, y)}
    for (name, wanted), (found_dtype, array) in zip(cases.items(), run(tmp_path, {"x": x, "y": y}, [f"nl.{n}" for n in cases])):
        assert found_dtype == np.dtype(dtype).name, name
        np.testing.assert_array_equal(array.astype(np.int64), np.asarray(wanted).astype(np.int64), name)


def test_power(tmp_path):
    x, y = np.abs(RNG.standard_normal((9, 8))).astype(np.float32) + 0.1, RNG.standard_normal((9, 8)).astype(np.float32)
    cases = {"power(x, y)": x.astype(float)**y, "power(x, 2.0)": x.astype(float)**2, "power(2.0, y)": 2.0**y.astype(float)}
    for (name, wanted), (_, array) in zip(cases.items(), run(tmp_path, {"x": x, "y": y}, [f"nl.{n}" for n in cases])):
        close(array, wanted, name, 1e-6, 0)


def test_the_larger_and_smaller_magnitude(tmp_path):
    x, y = (RNG.integers(-4, 5, (16, 9)).astype(np.float32) for _ in range(2))
    found = run(tmp_path, {"x": x, "y": y}, ["nl.abs_max(x, y)", "nl.abs_min(x, y)", "nl.abs_max(x, -2.0)"], "--target", "trn3")
    for (_, array), wanted in zip(found, [np.where(abs(x) > abs(y), x, y), np.where(abs(x) < abs(y), x, y),
                                          np.where(abs(x) > 2, x, -2)]):
        np.testing.assert_array_equal(array, wanted)


def test_fmod_is_exact(tmp_path):
    x = np.array([[5.5, -5.5, 1e8, -1e30, 0.3, 7, -7, np.inf, 3]], dtype=np.float32)
    y = np.array([[3, 3, 0.3, 7, 1e-3, np.inf, 2, 2, -np.inf]], dtype=np.float32)
    ((_, found),) = run(tmp_path, {"x": x, "y": y}, ["nl.fmod(x, y)"])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found, np.fmod(x, y))


def test_whole_numbers_at_the_ends(tmp_path):
    x = np.array([[-3, -2.5, -0.5, 0, 0.5, 2.5, 8388607.5, 8388609, -16777218, 3e9, -1e20, np.inf, -np.inf, np.nan]],
                 dtype=np.float32)
    names = ["floor", "ceil", "trunc"]
    for name, (_, array) in zip(names, run(tmp_path, {"x": x}, [f"nl.{f}(x)" for f in names])):
        np.testing.assert_array_equal(array, getattr(np, name)(x), name)


def test_angles_of_any_number(tmp_path):
    x = np.array([[0, -0.0, 1, -1, 1.0001, 1e-30, 1e30, -1e30, np.inf, -np.inf, 0.5, -3, 100, 7e-39, np.nan]], dtype=np.float32)
    big = np.array([[0, 1e3, -1e4, 3.14159, 6.2831853, 1e5, -7, 100000.5, 1.5707964]], dtype=np.float32)
    (_, angle), (_, sine), (_, cosine) = run(tmp_path, {"x": x, "b": big}, ["nl.arctan(x)", "nl.sin(b)", "nl.cos(b)"])
    np.testing.assert_allclose(angle, np.arctan(x), rtol=3e-7, atol=0)
    np.testing.assert_allclose(sine, np.sin(big.astype(float)), atol=1e-6)
    np.testing.assert_allclose(cosine, np.cos(big.astype(float)), atol=1e-6)


# ---- reductions


@pytest.mark.parametrize("dtype", ROUNDING, ids=NAMES.values())
def test_reductions(tmp_path, dtype):
    x = RNG.standard_normal((17, 3, 5)).astype(dtype)
    wide = x.astype(np.float64)
    cases = {}
    for name, function in {"sum": np.sum, "max": np.max, "min": np.min, "mean": np.mean, "prod": np.prod}.items():
        for axis, axes in {"2": 2, "-1": 2, "(1, 2)": (1, 2), "[-2, -1]": (1, 2), "[2]": 2}.items():
            cases[f"{name}(x, {axis}, keepdims=True)"] = function(wide, axis=axes, keepdims=True)
            flat = function(wide, axis=axes)
            cases[f"{name}(x, axis={axis})"] = flat if flat.ndim > 1 else flat[:, None]
    cases["var(x, axis=2)"] = cases["var(x, -1, keepdims=True)"] = wide.var(2, keepdims=True)
    cases["var(x, (1, 2))"] = wide.var((1, 2), keepdims=True)
    for (name, wanted), (found_dtype, array) in zip(cases.items(), run(tmp_path, {"x": x}, [f"nl.{n}" for n in cases])):
        assert found_dtype == NAMES[np.dtype(dtype)], name
        close(array, wanted, name, ROUNDING[np.dtype(dtype)], 1e-5)


def test_all(tmp_path):
    x = RNG.integers(0, 4, (25, 6)).astype(np.float32)
    cases = {"all(x, 1)": (x != 0).all(1)[:, None], "all(x[:, 0:1], axis=1)": x[:, 0:1] != 0,
             "all(nl.copy(x, nl.int32), axis=-1, dtype=nl.uint8)": (x != 0).all(1)[:, None]}
    for (name, wanted), (_, array) in zip(cases.items(), run(tmp_path, {"x": x}, [f"nl.{n}" for n in cases])):
        np.testing.assert_array_equal(array, wanted, name)


@pytest.mark.parametrize("dtype", ROUNDING, ids=NAMES.values())
@pytest.mark.parametrize("target", ["trn1", "trn3"])
def test_softmax_and_rms_norm(tmp_path, dtype, target):
    x = (RNG.standard_normal((19, 4, 7)) * 3).astype(dtype)
    w = RNG.standard_normal((1, 4, 7)).astype(dtype)
    wide, weight = x.astype(np.float64), w.astype(np.float64)

    def softmax(axes):
        e = np.exp(wide - wide.max(axes, keepdims=True))
        return e / e.sum(axes, keepdims=True)

    cases = {"softmax(x)": softmax(2), "softmax(x, axis=(1, 2))": softmax((1, 2)),
             "rms_norm(x, w, 2, 7)": wide / np.sqrt((wide**2).sum(2, keepdims=True) / 7 + 1e-6) * weight,
             "rms_norm(x, w, (1, 2), 28, epsilon=0.5)": wide / np.sqrt((wide**2).sum((1, 2), keepdims=True) / 28 + 0.5) * weight}
    found = run(tmp_path, {"x": x, "w": w}, [f"nl.{n}" for n in cases], "--target", target)
    for (name, wanted), (found_dtype, array) in zip(cases.items(), found):
        assert found_dtype == NAMES[np.dtype(dtype)], name
        close(array, wanted, name, ROUNDING[np.dtype(dtype)] * 1.1, 1e-6)


def test_rms_norm_computes_in_the_dtype_asked_for(tmp_path):
    x = RNG.standard_normal((4, 50)).astype(np.float32)
    w = np.ones((4, 50), dtype=np.float32)
    (_, wide), (_, narrow) = run(tmp_path, {"x": x, "w": w}, ["nl.rms_norm(x, w, 1, 50)",
                                                             "nl.rms_norm(x, w, 1, 50, compute_dtype=nl.bfloat16)"])
    wanted = x / np.sqrt((x.astype(float)**2).mean(1, keepdims=True))
    close(wide, wanted, "float32", 2e-6, 1e-5)
    close(narrow, wanted, "bfloat16", 0.03, 1e-3)
    assert np.abs(narrow - wide).max() > 1e-4


# ---- moving and making


@pytest.mark.parametrize("target", ["trn1", "trn2", "trn3"])
def test_tensors_are_made_and_moved(tmp_path, target):
    x = RNG.standard_normal((37, 53)).astype(np.float32)
    y = RNG.standard_normal((53, 29)).astype(np.float32)
    i = RNG.integers(0, 53, (37, 11)).astype(np.uint32)
    cases = {
        "load(x_)": x, "load(x_[3:9, 1:20:3])": x[3:9, 1:20:3], "load_transpose2d(x_)": x.T, "transpose(x)": x.T,
        "transpose(nl.transpose(x))": x, "copy(x)": x, "expand_dims(x, 1)": x[:, None], "expand_dims(x, -1)": x[:, :, None],
        "expand_dims(x, 2)": x[:, :, None], "broadcast_to(x[5:6], (37, 53))": np.broadcast_to(x[5:6], (37, 53)),
        "broadcast_to(x[:, 5:6], (37, 4))": np.broadcast_to(x[:, 5:6], (37, 4)),
        "broadcast_to(x[5:6, 6:7], (128, 3))": np.broadcast_to(x[5:6, 6:7], (128, 3)), "broadcast_to(x, (37, 53))": x,
        "broadcast_to(nl.transpose(x)[0:1], (7, 37))": np.broadcast_to(x.T[0:1], (7, 37)),
        "matmul(x, y)": x.astype(float) @ y, "matmul(y, y, transpose_x=True)": y.T.astype(float) @ y,
        "gather_flattened(x, i)": np.take_along_axis(x, i.astype(int), 1),
        "gather_flattened(x, nl.copy(i, nl.int32))": np.take_along_axis(x, i.astype(int), 1),
        "gather_flattened(data=x.reshape((37, 53, 1)), indices=i)": np.take_along_axis(x, i.astype(int), 1),
        "zeros((3, 4), nl.float32)": np.zeros((3, 4)), "ones((3, 4, 2), nl.float32)": np.ones((3, 4, 2)),
        "full((3, 4), -2.5, nl.float32)": np.full((3, 4), -2.5), "full((5, 2), 7, dtype=nl.float32, buffer=nl.psum)":
        np.full((5, 2), 7), "zeros_like(x)": np.zeros((37, 53)), "shared_identity_matrix(13, nl.float32)": np.eye(13),
        "shared_identity_matrix(n=128, dtype=nl.float32)": np.eye(128),
        "shared_identity_matrix(4, dst=nl.ndarray((4, 4), nl.float32))": np.eye(4),
        "load(nl.full((1000, 300), 3.5, nl.float32, buffer=nl.private_hbm)[0:128])": np.full((128, 300), 3.5),
        "load(nl.zeros((7,), nl.float32, buffer=nl.hbm).reshape((1, 7)))": np.zeros((1, 7)),
        "where(nl.greater(x[:, 0:1], 0), x, 0.0)": np.where(x[:, 0:1] > 0, x, 0), "where(nl.less(x, 0), 1.0, 2.0)":
        np.where(x < 0, 1, 2), "where(nl.less(x, 0, nl.uint8), x[0:1], x)": np.where(x < 0, x[0:1], x),
        "dropout(x, 0)": x, "dropout(x, 1.0)": np.zeros_like(x),
    }
    found = run(tmp_path, {"x": x, "y": y, "i": i}, [f"nl.{n}" for n in cases], "--target", target)
    for (name, wanted), (_, array) in zip(cases.items(), found):
        close(array, wanted, name, 2e-6, 1e-5)


def test_a_large_fill_in_hbm_reaches_every_element(tmp_path):
    lines = ["a = nl.full((700, 1001), 3, nl.int32, buffer=nl.shared_hbm)", "b = nl.ones((127,), nl.bfloat16, nl.shared_hbm)",
             "c = nl.zeros_like(a, buffer=nl.shared_hbm)", "d = nl.empty_like(b)", "nl.store(d, nl.full((1, 127), 2, d.dtype))",
             "return a, b, c, d"]
    found = outputs(tmp_path, {"x": np.zeros((1, 1), np.float32)}, lines, 4)
    for (dtype, array), (wanted, shape, value) in zip(found, [("int32", (700, 1001), 3), ("bfloat16", (127,), 1),
                                                              ("int32", (700, 1001), 0), ("bfloat16", (127,), 2)]):
        assert dtype == wanted and array.shape == shape and (array == value).all()


def test_store_converts_and_reaches_slices(tmp_path):
    x = (RNG.standard_normal((8, 6)) * 9).astype(np.float32)
    lines = ["a = nl.zeros((8, 12), nl.bfloat16, buffer=nl.shared_hbm)", "nl.store(a[:, 1:12:2], nl.load(x))",
             "b = nl.ndarray((2, 8, 6), nl.int32, buffer=nl.shared_hbm)", "nl.store(b[1], nl.load(x))",
             "nl.store(dst=b[0], value=nl.zeros((8, 6), nl.int32))", "return a, b"]
    (_, a), (_, b) = outputs(tmp_path, {"x": x}, lines, 2)
    np.testing.assert_array_equal(a[:, 1::2], x.astype(BF16).astype(np.float32))
    assert (a[:, 0::2] == 0).all() and (b[0] == 0).all()
    np.testing.assert_array_equal(b[1], np.rint(x))


@pytest.mark.parametrize("target", ["trn1", "trn2", "trn3"])
@pytest.mark.parametrize("dtype, digits", [("float32", 24), ("bfloat16", 8), ("float16", 11), ("float8_e5m2", 3)])
def test_random_numbers(tmp_path, dtype, digits, target):
    lines = ["seed = nl.full((1, 1), 42, dtype=nl.int32)", "results = []", "for buffer in (nl.sbuf, nl.psum, nl.sbuf):",
             "    nl.random_seed(seed)", f"    a = nl.rand((128, 64), dtype=nl.{dtype}, buffer=buffer)",
             "    out = nl.ndarray((128, 64), nl.float32, nl.shared_hbm)", "    nl.store(out, nl.copy(a, nl.float32))",
             "    results.append(out)", f"b = nl.rand((128, 64), nl.{dtype}, nl.shared_hbm)", "return results + [b]"]
    (_, a), (_, p), (_, again), (_, b) = outputs(tmp_path, {"x": np.zeros((1, 1), np.float32)}, lines, 4, "--target", target)
    np.testing.assert_array_equal(a, p)
    np.testing.assert_array_equal(a, again)
    assert (a != b).any()
    assert (a >= 0).all() and (a < 1).all()
    np.testing.assert_array_equal(a, np.floor(a * 2.0**digits) / 2.0**digits)
    assert abs(a.mean() - (1 - 2.0**-digits) / 2) < 0.02 and abs(a.std() - 12**-0.5) < 0.02 + 2.0**-digits


@pytest.mark.parametrize("rate", ["0.3", "r"])
def test_dropout(tmp_path, rate):
    x = RNG.standard_normal((128, 200)).astype(np.float32) + 10
    r = np.linspace(0, 1, 128, dtype=np.float32)[:, None]
    ((_, found),) = run(tmp_path, {"x": x, "r": r}, [f"nl.dropout(x, {rate})"])
    kept = found != 0
    np.testing.assert_array_equal(found[kept], x[kept])
    share = 1 - kept.mean(1)
    assert (np.abs(share - (0.3 if rate == "0.3" else r[:, 0])) < 0.2).all() and abs(share.mean() - (0.3, 0.5)[rate == "r"]) < 0.02


# ---- predicates, ranges, launches


def test_predicates_ranges_and_launches(tmp_path):
    lines = [
        "t = nl.ndarray((4, 4), nl.float32)", "assert nl.is_sbuf(t.buffer) and not nl.is_psum(t.buffer)",
        "assert nl.is_hbm(x.buffer) and nl.is_hbm(nl.hbm) and nl.is_hbm(nl.private_hbm) and nl.is_hbm(nl.shared_hbm)",
        "assert nl.is_on_chip(nl.psum) and nl.is_on_chip(nl.sbuf) and not nl.is_on_chip(nl.shared_hbm)",
        "assert nl.is_psum(nl.MemoryRegion.psum) and not nl.is_sbuf(nl.hbm)",
        "for r in (nl.affine_range, nl.sequential_range, nl.static_range, nl.range):",
        "    assert list(r(4)) == [0, 1, 2, 3] and list(r(1, 4)) == [1, 2, 3] and list(r(1, 9, 3)) == [1, 4, 7]",
        "    assert list(r(3, 0, -1)) == [3, 2, 1] and list(r(0)) == []",
        "assert nl.program_id() == nl.program_id(axis=0) and nl.program_id(0) in (0, 1)",
        "assert nl.num_programs() == nl.num_programs(axes=(0,)) == nl.num_programs([0])",
        "assert (nl.num_programs(0), nl.program_ndim()) == (cores, axes)",
        "assert isinstance(t, nl.NkiTensor) and isinstance(x, nl.NkiTensor) and not isinstance(3, nl.NkiTensor)",
        "assert isinstance(nl.float32, nl.dtype)", "from nki.typing import tensor, mutable_tensor",
        "assert isinstance(t, tensor) and isinstance(x, (int, mutable_tensor)) and not isinstance(3, tensor[128, 512])",
        "with nl.no_reorder():", "    a = nl.add(nl.full((4, 4), 3.0, nl.float32), 2.0)",
        "out = nl.ndarray((4, 4), nl.float32, nl.shared_hbm)", "nl.store(out, a)",
        "assert nl.equal(a, nl.full((4, 4), 5.0, nl.float32))", "return out"]
    for cores, axes, options in ((1, 0, ()), (1, 1, ("--lnc", "1")), (2, 1, ("--lnc", "2"))):
        found = outputs(tmp_path, {"x": np.zeros((1, 1), np.float32)}, [f"cores, axes = {cores}, {axes}", *lines], 1, *options)
        assert (found[0][1] == 5).all()


def test_the_device_prints(tmp_path):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    (tmp_path / "k.py").write_text(source(["x"], ["nl.device_print('here', nl.load(x))", "nl.device_print('there', x)"]))
    done = run_klr("run", tmp_path / "k.py", argument(tmp_path, "x", x))
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout + done.stderr for word in ("here", "there", "5"))


def test_sizes_of_each_generation(tmp_path):
    sizes = {"pmax": (128,) * 3, "psum_bank_fmax": (512,) * 3, "psum_fmax": (512,) * 3, "psum_bank_fmax_bytes": (2048,) * 3,
             "psum_num_banks": (8,) * 3, "gemm_stationary_fmax": (128,) * 3, "gemm_moving_fmax": (512,) * 3,
             "bn_stats_fmax": (512,) * 3, "sbuf_size_bytes": (25165824, 29360128, 33554432)}
    lines = [f"print(nl.tile_size.{name})" for name in sizes]
    lines += ["s = nl.tile_size", "assert s.sbuf_fmax * 4 == s.sbuf_fmax_bytes == s.total_available_sbuf_size",
              "assert 0 < s.sbuf_fmax_bytes * 128 < s.sbuf_size_bytes", "assert s.psum_min_align > 0 and s.sbuf_min_align > 0"]
    (tmp_path / "k.py").write_text(source(["x"], lines))
    for i, target in enumerate(("trn1", "trn2", "trn3")):
        done = run_klr("run", tmp_path / "k.py", "x=zeros:f32[1,1]", "--target", target, "--trace-only")
        assert done.returncode == 0, done.stderr
        assert [int(word) for word in (done.stderr + done.stdout).split() if word.isdigit()][:len(sizes)] == [s[i] for s in sizes.values()]


# ---- bad arguments: at least one for every function that can be given one

T = "t = nl.load(x)"
TILE = "a tile in SBUF or PSUM"
BAD = {
    **{f"nl.{name}(x)": ("E0410", [f"`nl.{name}`", "`x`", "in HBM", "nl.load"]) for name in UNARY},
    **{f"nl.{name}(t, 'a')": ("E0410", [f"`nl.{name}`", "`y`", "str"]) for name in BINARY if "bit" not in name and "shift" not in name and "abs" not in name},
    **{f"nl.{name}(t, t[:, 0:3])": ("E0410", [f"`nl.{name}`", "(4, 6)", "(4, 3)", "dimension 1"]) for name in BINARY
       if "bit" not in name and "shift" not in name and "abs" not in name and name != "fmod"},
    **{f"nl.{name}(t, 1)": ("E0410", [f"`nl.{name}`", "`x`", "float32", "integer"]) for name in
       ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift")},
    **{f"nl.{name}(t, 0)": ("E0410", [f"`nl.{name}`", "axis 0", "partition"]) for name in
       ("sum", "max", "min", "mean", "prod", "var", "all", "softmax")},
    **{f"nl.{name}(t.reshape((4, 2, 3)), axis=1)": ("E0410", [f"`nl.{name}`", "last dimensions", "permute((0, 2, 1))"])
       for name in ("sum", "max", "min", "mean", "prod", "var", "all", "softmax")},
    **{f"nl.{name}((4, 4), 'float33')": ("E0401", ["float33"]) for name in ("ones", "zeros", "rand", "ndarray")},
    **{f"nl.{name}((200, 4), nl.float32)": ("E0401", ["200", "128"]) for name in ("ones", "zeros", "rand", "ndarray")},
    **{f"nl.{name}(3)": ("E0410", [f"`nl.{name}`", "`x`", "tensor"]) for name in ("zeros_like", "empty_like")},
    **{f"nl.{name}(nisa.register_alloc(3))": ("E0410", [f"`nl.{name}`", "register", "fori_loop"]) for name in
       ("affine_range", "sequential_range", "static_range")},
    "nl.abs_max(t, t)": ("E0410", ["`nl.abs_max`", "v4", "trn3"]), "nl.abs_min(t, 3)": ("E0410", ["`nl.abs_min`", "v4"]),
    "nl.invert(t)": ("E0410", ["`nl.invert`", "float32", "integer"]),
    "nl.rsqrt(nl.transpose(t))": ("E0410", ["`nl.rsqrt`", "in PSUM", "a tile in SBUF", "nl.copy"]),
    "nl.add(1, 2)": ("E0410", ["`nl.add`", "numbers"]),
    "nl.add(t, t.reshape((4, 2, 3)))": ("E0410", ["(4, 6)", "(4, 2, 3)", "expand_dim"]),
    "nl.sum(t, 5)": ("E0410", ["axis 5", "(4, 6)"]), "nl.sum(t, 'a')": ("E0410", ["axis"]), "nl.sum(t, ())": ("E0410", ["axis"]),
    "nl.softmax(x)": ("E0410", ["`nl.softmax`", "in HBM"]), "nl.rms_norm(t, 3, 1, 6)": ("E0410", ["`nl.rms_norm`", "`w`"]),
    "nl.rms_norm(t, t[:, 0:5], 1, 6)": ("E0410", ["(4, 5)"]),
    "nl.where(True, t, t)": ("E0410", ["`nl.where`", "`condition`"]), "nl.where(t, x, 0)": ("E0410", ["`x`", "in HBM"]),
    "nl.dropout(t, 1.5)": ("E0410", ["`rate`", "1.5", "0 to 1"]), "nl.dropout(t, t)": ("E0410", ["`rate`", "(4, 1)"]),
    "nl.full((4, 4), t, nl.float32)": ("E0410", ["`fill_value`", "number"]),
    "nl.full((4, 4), float('nan'), nl.int32)": ("E0410", ["`fill_value`", "nan", "int32"]),
    "nl.rand((4, 4), nl.int32)": ("E0410", ["`nl.rand`", "int32", "nisa.rng"]),
    "nl.random_seed(t)": ("E0410", ["`nl.random_seed`", "(1, 1)"]), "nl.random_seed(42)": ("E0410", ["`seed`"]),
    "nl.expand_dims(t, 9)": ("E0410", ["`nl.expand_dims`", "9"]), "nl.expand_dims(t, 0)": ("E0405", ["partition"]),
    "nl.broadcast_to(t, (4, 7))": ("E0410", ["(4, 6)", "(4, 7)"]), "nl.broadcast_to(t, (4, 6, 1))": ("E0410", ["dimensions"]),
    "nl.matmul(t, x)": ("E0410", ["`y`", "in HBM"]), "nl.matmul(t, t)": ("E0410", ["(4, 6)", "6 is summed with 4"]),
    "nl.matmul(t, t.reshape((4, 2, 3)), transpose_x=True)": ("E0410", ["two dimensions"]),
    "nl.transpose(nl.zeros((4, 200), nl.float32))": ("E0410", ["(4, 200)", "128"]),
    "nl.transpose(t.reshape((4, 2, 3)))": ("E0410", ["two dimensions"]),
    "nl.no_reorder(3)": ("E0303", ["no_reorder"]), "nl.program_ndim(1)": ("E0303", ["program_ndim"]),
    "nl.program_id(2)": ("E0410", ["nl.program_id", "2"]), "nl.num_programs(2)": ("E0410", ["nl.num_programs", "2"]),
    "nl.load(t)": ("E0410", ["`nl.load`", "`src`", "in SBUF", "HBM"]), "nl.load(x.reshape((24,)))": ("E0410", ["reshape((1, 24))"]),
    "nl.load(nl.ndarray((200, 2), nl.float32, nl.hbm))": ("E0410", ["200", "128"]),
    "nl.load_transpose2d(t)": ("E0410", ["`src`", "in SBUF"]), "nl.load_transpose2d(x.reshape((2, 3, 4)))": ("E0410", ["two"]),
    "nl.store(t, t)": ("E0410", ["`nl.store`", "`dst`", "HBM"]), "nl.store(x, 3)": ("E0410", ["`value`", "int"]),
    "nl.store(x, nl.transpose(t))": ("E0410", ["`value`", "in PSUM", "nl.copy"]), "nl.store(x, t[:, 0:3])": ("E0410", ["(4, 3)"]),
    "nl.gather_flattened(t, t)": ("E0410", ["`indices`", "float32", "uint32"]),
    "nl.gather_flattened(t, nl.zeros((3, 2), nl.uint32))": ("E0410", ["(3, 2)", "partitions"]),
    "nl.gather_flattened(t, nl.zeros((4, 2), nl.uint32), axis=1)": ("E0410", ["`axis`", "1"]),
    "t[:, nl.ds(0, 9)]": ("E0402", ["9", "6"]), "nl.ds(0)": ("E0303", ["size"]),
    "nl.fori_loop(0, 4, 3)": ("E0410", ["`body_fun`", "function"]),
    "nl.fori_loop(0, 4, lambda i: 3)": ("E0410", ["`nl.fori_loop`", "returns nothing"]),
    "nl.fori_loop(0, 4, lambda i: None, -1)": ("E0", ["step"]), "nl.while_loop(1, lambda r: r)": ("E0410", ["`init`", "register"]),
    "nl.while_loop(nisa.register_alloc(1), lambda r: 0)": ("E0410", ["`nl.while_loop`", "register"]),
    "for i in nl.dynamic_range(4, 'a'): nl.zeros((1, 1), nl.int8)": ("E0415", ["str `a`"]), "nl.ndarray((4, 4), nl.float32, buffer='sbuf')": ("E0401", ["nl.sbuf"]),
    "nl.shared_constant(3)": ("E0410", ["`nl.shared_constant`", "int"]),
    "nl.shared_identity_matrix(200)": ("E0410", ["`n`", "200", "128"]),
    "nl.shared_identity_matrix(4, dst=t)": ("E0410", ["(4, 6)", "(4, 4)"]),
    "nl.device_print(3, t)": ("E0410", ["`print_prefix`", "str"]), "nl.device_print('a', 3)": ("E0410", ["`tensor`"]),
    "nl.device_print('a', nl.transpose(t))": ("E0410", ["PSUM", "nl.copy"]),
    "nl.NkiTensor((4, 4), nl.float32, None)": ("E0410", ["`nl.NkiTensor`", "nl.ndarray"]),
    "nl.is_hbm()": ("E0303", ["buffer"]), "nl.is_sbuf()": ("E0303", ["buffer"]), "nl.is_psum()": ("E0303", ["buffer"]),
    "nl.is_on_chip()": ("E0303", ["buffer"]),
}


@pytest.mark.parametrize("line", BAD)
def test_bad_arguments_are_named_at_the_users_line(tmp_path, line):
    code, texts = BAD[line]
    (tmp_path / "k.py").write_text(source(["x"], [T, line]))
    done = run_klr("trace", tmp_path / "k.py", "x=f32[4,6]", "--json")
    assert done.returncode == 1, done.stdout
    errors = [d for d in json.loads(done.stdout)["diagnostics"] if d["severity"] == "error"]
    first = json.dumps(errors[0])
    assert errors[0]["code"].startswith(code), first
    assert errors[0]["line"] == 8 and errors[0]["file"].endswith("k.py"), first
    for text in texts:
        assert text in json.loads(first)["message"] + first, first


def test_every_function_is_given_something_bad():
    met = {line.split("nl.")[1].split("(")[0] for line in BAD} | {"ds"}
    assert set(SIGNATURES) <= met


def test_what_is_deprecated_says_so_once(tmp_path):
    lines = ["for i in nl.affine_range(3):", "    for j in nl.affine_range(2):", "        pass",
             "for i in nl.dynamic_range(3):", "    nl.zeros((1, 1), nl.float32)"]
    (tmp_path / "k.py").write_text(source(["x"], lines))
    done = run_klr("run", tmp_path / "k.py", "x=zeros:f32[4,6]", "--json", "--strict")
    warnings = [d for d in json.loads(done.stdout)["diagnostics"] if d["code"] == "W0402"]
    assert done.returncode == 0 and [d["line"] for d in warnings] == [7, 10], done.stdout
    assert "range" in warnings[0]["help"][0] and "fori_loop" in warnings[1]["help"][0]


def test_an_assertion_about_elements_is_not_checked(tmp_path):
    (tmp_path / "k.py").write_text(source(["x"], [T, "assert nl.equal(t, 0)", "assert nl.equal(t, 0) and True"]))
    done = run_klr("run", tmp_path / "k.py", "x=zeros:f32[4,6]", "--json")
    codes = [(d["code"], d["line"]) for d in json.loads(done.stdout)["diagnostics"]]
    assert codes == [("W0403", 8), ("W0305", 9)]


def test_ints_for_enumerations_are_of_an_older_nki(tmp_path):
    lines = ["t = nl.ndarray(x.shape, x.dtype)", "nisa.dma_copy(dst=t, src=x, dge_mode=2, oob_mode=0)"]
    (tmp_path / "k.py").write_text(source(["x"], lines))
    for options, severity, status in (((), "warning", 0), (("--strict",), "error", 1)):
        done = run_klr("run", tmp_path / "k.py", "x=zeros:f32[4,6]", "--json", *options)
        found = [(d["code"], d["severity"], d["line"]) for d in json.loads(done.stdout)["diagnostics"]]
        assert done.returncode == status and ("W0404", severity, 8) in found, done.stdout
    for argument, text in (("dge_mode=9", "int 9"), ("oob_mode='skip'", "str `skip`"), ("dge_mode=None", "None")):
        (tmp_path / "k.py").write_text(source(["x"], [lines[0], f"nisa.dma_copy(dst=t, src=x, {argument})"]))
        (error,) = json.loads(run_klr("run", tmp_path / "k.py", "x=zeros:f32[4,6]", "--json").stdout)["diagnostics"]
        assert error["code"] == "E0410" and text in error["message"] and "nki.isa.oob_mode.skip" in str(error["help"]) or (
            "nki.isa.dge_mode.none" in str(error["help"]))
