"""Tensors, views, instructions and device control flow as kernels see them: traced, and the core text or the error compared."""

import json
import re

import pytest
from conftest import run_klr

HEADER = "import nki\nimport nki.isa as nisa\nimport nki.language as nl\nimport nki.collectives as nccl\n"


def source_of(body, parameters="x", extra=""):
    lines = body.strip("\n").split("\n")
    return f"{HEADER}{extra}\n@nki.jit\ndef k({parameters}):\n" + "".join(f"    {line}\n" for line in lines)


def trace(tmp_path, source, *arguments):
    path = tmp_path / "k.py"
    path.write_text(source)
    return run_klr("trace", f"{path}:k", *arguments)


def trace_text(tmp_path, body, *arguments, parameters="x", extra=""):
    arguments = arguments or ("x=f32[128,64]",)
    result = trace(tmp_path, source_of(body, parameters, extra), *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def trace_error(tmp_path, body, *arguments, parameters="x", extra=""):
    """The first error, with its line counted from the first line of the body."""
    path = tmp_path / "k.py"
    source = source_of(body, parameters, extra)
    path.write_text(source)
    result = run_klr("trace", f"{path}:k", *(arguments or ("x=f32[128,64]",)), "--json")
    assert result.returncode == 1, result.stdout + result.stderr
    first = next(d for d in json.loads(result.stdout)["diagnostics"] if d["severity"] == "error")
    first["body_line"] = first["line"] - source[: source.index("def k(")].count("\n") - 1
    return first


# ---- what a kernel can ask of tensors, as assertions inside the kernel

ATTRIBUTES = """
t = nl.ndarray((128, 64), dtype=nl.float32, buffer=nl.sbuf)
assert t.shape == (128, 64) and t.strides == (64, 1) and t.offset == 0 and t.ndim == 2 and t.size == 128 * 64
assert t.dtype == nl.float32 and t.buffer == nl.sbuf and t.buffer != nl.psum and t.buffer in (nl.sbuf, nl.psum)
assert x.buffer == nl.hbm and x.dtype == nl.float32 and len(x.shape) == 2 and x.name == "x"
u = t[:, 16:32]
assert u.shape == (128, 16) and u.offset == 16 and u.get_pattern() == [[64, 128], [1, 16]]
assert t.slice(dim=1, start=8, end=24).get_pattern() == t.ap(pattern=[[64, 128], [1, 16]], offset=8).get_pattern()
assert t[:, ::2].shape == (128, 32) and t[0, ...].shape == (1, 64) and t[..., -1].shape == (128, 1)
assert t[:, nl.ds(8, 16)].offset == 8 and t[:, None, :].shape == (128, 1, 64)
d = nl.ds(8, 16)
assert t[0:32, d].shape == (32, 16)
v = t.reshape((128, 8, 8))
assert v.shape == (128, 8, 8) and v.permute((0, 2, 1)).strides == (64, 1, 8)
assert not v.permute((0, 2, 1)).is_contiguous() and v.is_contiguous() and t[0:64].is_contiguous()
assert v.flatten_dims(1, 2).shape == t.shape and v.reshape_dim(1, (2, -1)).shape == (128, 2, 4, 8)
assert t.expand_dim(1).broadcast(1, 4).shape == (128, 4, 64) and t.expand_dim(1).squeeze_dim(1).shape == (128, 64)
assert t.view(nl.uint8).shape == (128, 256) and t.view(nl.bfloat16).dtype == nl.bfloat16
assert t.rearrange(("p", ("h", "w")), ("p", "w", "h"), {"h": 4}).shape == (128, 16, 4)
assert x[3].shape == (64,) and x[3, 5].shape == (1,) and x.reshape((64, 128)).shape == (64, 128)
inner = t.ap(pattern=[[64, 128], [2, 32]])
assert inner.ap(pattern=[[64, 128], [1, 16]]).get_pattern() == [[64, 128], [1, 16]]
assert t.select(1, 3).shape == (128, 1) and x.select(0, 3).shape == (64,)
assert not t.is_indirect()
assert t == t and u != t
"""

POINTS = """
assert {nl.float8_e4m3: 240.0}[nl.float8_e4m3] == 240.0
assert str(nl.bfloat16) == "bfloat16" and str(nl.float8_e4m3) in ("float8e4", "float8_e4m3")
assert nl.bfloat16 in ("float32", "bfloat16") and nl.float32 != nl.int32
assert f"{x.dtype} {x.shape=}" == "float32 x.shape=(128, 64)"
assert x is not None
assert nisa.get_nc_version() >= nisa.nc_version.gen3 and nisa.get_nc_version() >= 3
assert nl.tile_size.pmax == 128 and nl.tile_size.total_available_sbuf_size > 2 ** 17
alloc = nl.ndarray
t = alloc((128, 64), dtype=x.dtype, buffer=nl.sbuf)
s = nl.ndarray((128, 64), dtype=x.dtype)
s[...] = t[...]
assert isinstance(3, int) and not isinstance(t, int)
assert nl.program_id(0) == 0 and nl.num_programs() == 1 and nl.program_ndim() == 0
"""


@pytest.mark.parametrize("body", [ATTRIBUTES, POINTS], ids=["attributes", "points"])
def test_what_kernels_ask(tmp_path, body):
    for line in body.strip().split("\n"):  # each line must hold; run them together and name the culprit
        assert line == line.strip()
    trace_text(tmp_path, body)


def test_a_tensor_store_is_a_copy(tmp_path):
    text = trace_text(tmp_path, """
s = nl.ndarray((128, 64), dtype=x.dtype, buffer=nl.sbuf)
t = nl.ndarray((128, 64), dtype=x.dtype, buffer=nl.sbuf)
s[...] = x[...]
t[:, 0:32] = s[:, 32:64]
t[:, 32:] = 1.0
""")
    assert re.search(r"nc_dma_copy s\.1.* = x", text) and re.search(r"nc_copy t\.1.* = s\.1", text)
    assert re.search(r"memset t\.1", text)


def test_tensors_are_named_after_their_variables(tmp_path):
    text = trace_text(tmp_path, """
for i in range(2):
    tile = nl.ndarray((128, 64), dtype=nl.float32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
y = nl.load(x)
out = nl.ndarray((128, 64), nl.float32, nl.shared_hbm, name="result")
nisa.dma_copy(dst=out, src=y)
return out
""")
    for name in ("tile.1", "tile.2", "y.1", "result"):
        assert re.search(rf"tensor {re.escape(name)}\b", text), text
    assert "-> (result)" in text and "inst.1" not in text.split("core")[0]


def test_instructions_can_be_ordered(tmp_path):
    text = trace_text(tmp_path, """
t = nl.ndarray((128, 64), dtype=nl.float32, buffer=nl.sbuf)
a = nisa.memset(t, 0.0, name="first")
b = nisa.memset(t, 1.0)
nisa.memset(t, 2.0, name="last").depends_on(a, b)
""")
    assert re.search(r"first.*last", text) and re.search(r"inst\.1.*last", text), text


SCHEDULED = """
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    tiles = []
    for i in range(3):
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x)
        nisa.activation(dst=tile, data=tile, op=nl.exp, name=f"act{i}")
        tiles.append(tile)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tiles[2])
    return out


one = kernel.with_schedule([("act1", "act0")])
both = one.with_schedule([("act2", ["act0", "act1"])])
cores = kernel[2].with_schedule([("act1", "act0")])
"""


@pytest.mark.parametrize("kernel, edges", [("kernel", []), ("one", ["act0 -> act1"]), ("cores", ["act0 -> act1"]),
                                           ("both", ["act0 -> act1", "act0 -> act2", "act1 -> act2"])])
def test_with_schedule_adds_edges(tmp_path, kernel, edges):
    file = tmp_path / "k.py"
    file.write_text(SCHEDULED)
    result = run_klr("trace", f"{file}:{kernel}", "x=f32[128,64]", "--print-after", "trace")
    assert result.returncode == 0, result.stderr
    assert re.findall(r"^edge (.*)", result.stdout, re.M) == edges
    assert run_klr("run", f"{file}:{kernel}", "x=ones:f32[128,64]").returncode == 0


KERNELS_IN_KERNELS = """
@nki.jit
def inner(dst, src, scale=2.0):
    nisa.tensor_scalar(dst=dst, data=src, op0=nl.multiply, operand0=scale)
    return dst


def pick(t, index):
    # the same helper takes a number or something known at run time
    return t.select(0, index) if isinstance(index, int) else t.ap([[64, 1], [1, 64]], scalar_offset=index, indirect_dim=0)


class Pool(nl.NKIObject):
    def take(self, shape, dtype=nl.float32, buffer=nl.sbuf, name=None):
        return nl.ndarray(shape, dtype=dtype, buffer=buffer, name=name)
"""


def test_kernels_call_kernels_and_helpers_take_both_kinds_of_index(tmp_path):
    text = trace_text(tmp_path, """
pool = Pool()
for alloc in (pool.take, nl.ndarray):
    t = alloc((128, 64), dtype=nl.float32, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
inner(t, t)
nki.jit(inner)(dst=t, src=t, scale=3.0)
one = nl.zeros((1, 1), nl.int32)
reg = nisa.register_alloc(one)
for index in (3, one, reg):
    nisa.dma_copy(dst=t[0:1, :], src=pick(x, index))
nisa.dma_copy(dst=x, src=x)
acc = nl.ndarray((64, 64), dtype=nl.float32, buffer=nl.psum)
for i in range(3):
    nisa.nc_matmul(acc, t, t)
""", extra=KERNELS_IN_KERNELS)
    assert text.count("tensor_scalar") == 2 and text.count("nc_matmul") == 3 and "accumulate" not in text
    assert "scalar=%reg.1" in text and "scalar=one.1" in text and "tensor_load %reg.1 = one.1" in text


def test_nested_arguments_are_inputs(tmp_path):
    text = trace_text(tmp_path, "return None", "x=f32[128,64]", "y=f32[2,2]", parameters="x, y, n=3, mode='a'")
    assert re.search(r"kernel k\(x, y\)", text)


# ---- errors: instruction arguments

T = "t = nl.ndarray((128, 64), dtype=nl.float32, buffer=nl.sbuf)\n"
ARGUMENT_ERRORS = [
    ("nisa.tensor_tensor(dst=t, data1=3.0, data2=t, op=nl.add)", "E0410",
     ["nisa.tensor_tensor", "`data1`", "float 3.0", "a tensor"]),
    ("nisa.tensor_tensor(dst=t, data1=t, data2=t, op='add')", "E0410", ["`op`", "an operator such as `nl.add`"]),
    ("nisa.tensor_tensor(dst=t, data1=t, data2=t, op=nl.exp)", "E0410", ["`op`", "function", "operator"]),
    ("nisa.activation(dst=t, op=nl.add, data=t)", "E0410", ["`op`", "activation function"]),
    ("nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0='1')", "E0410", ["`operand0`", "a number or a tensor"]),
    ("nisa.memset(dst=t, value=None)", "E0410", ["`value`", "None", "a number"]),
    ("nisa.memset(dst=t, value=0.0, engine='vector_engine')", "E0410", ["`engine`", "nki.isa.engine"]),
    ("nisa.memset(dst=t, value=0.0, name=3)", "E0410", ["`name`", "a str"]),
    ("nisa.nc_matmul(t, t, t, perf_mode=3)", "E0410", ["`perf_mode`", "matmul_perf_mode"]),
    ("nisa.iota(dst=t, pattern=[[1, 'n']])", "E0410", ["`pattern`"]),
    ("nisa.tensor_reduce(dst=t, op=nl.add, data=t, axis=0)", "E0410", ["nisa.tensor_reduce", "partition"]),
    ("nisa.dma_compute(t, [t, 4], nl.add)", "E0410", ["item 1 of `srcs`", "int 4"]),
    ("nl.add(1, 2)", "E0410", ["nl.add", "tile"]),
    ("nl.mgrid[0:128, 0:512]", "E0411", ["nl.mgrid", "slices"]),
    ("nl.arange(128)[:, None]", "E0411", ["nl.arange", "nl.ds"]),
    ("nl.par_dim(128)", "E0411", ["nl.par_dim"]),
    ("nisa.tensor_copy(dst=t, src=t, mask=None)", "E0303", ["mask", "slices"]),
    ("y = nisa.activation(op=nl.exp, data=t)", "E0303", ["dst", "instructions return nothing"]),
    ("nl.softmax(3)", "E0410", ["`nl.softmax`", "`x`", "int", "a tile in SBUF or PSUM"]),
    ("t[nl.float32]", "E0403", ["dtype"]),
    ("t[0:129]", "E0402", ["0:129", "128"]),
    ("t[128]", "E0402", ["128"]),
    ("t[:, 0:65]", "E0402", ["0:65", "64"]),
    ("t[0, 0, 0]", "E0403", ["3 indices", "(128, 64)"]),
    ("t.permute((1, 0))", "E0405", ["partition", "nc_transpose"]),
    ("t.reshape((64, 128))", "E0405", ["(64, 128)"]),
    ("t.reshape((128, 65))", "E0406", ["8192"]),
    ("t.reshape((128, 8, 8)).permute((0, 2, 1)).reshape((128, 64))", "E0404", ["memory"]),
    ("nisa.memset(dst=t.ap([[64, 128], [1, 65]]), value=0.0)", "E0409", ["`dst`", "8192"]),
    ("t.view('float99')", "E0408", ["float99"]),
    ("t.select('a', 1)", "E0406", ["`dim`", "str"]),
    ("t + 1", "E0318", ["nl.add"]),
    ("while t: pass", "E0318", ["condition"]),
    ("t < 3", "E0318", ["nl.less"]),
    ("nl.ndarray((129, 4), nl.float32)", "E0401", ["129", "128"]),
    ("nl.ndarray((128,), nl.float32)", "E0401", ["1 dimension"]),
    ("nl.ndarray((128, 0), nl.float32)", "E0401", ["0", "positive"]),
    ("nl.ndarray((128, 4), 'float33')", "E0401", ["float33"]),
    ("nl.ndarray((128, 4), nl.float32, buffer='sbuf')", "E0401", ["sbuf", "nl.sbuf"]),
    ("nl.ndarray((128, 2.5), nl.float32)", "E0401", ["2.5"]),
]


@pytest.mark.parametrize("line, code, texts", ARGUMENT_ERRORS, ids=[case[0] for case in ARGUMENT_ERRORS])
def test_errors_name_function_parameter_found_and_expected(tmp_path, line, code, texts):
    first = trace_error(tmp_path, T + line)
    whole = json.dumps(first)
    assert first["code"] == code and first["body_line"] == 2, whole
    for text in texts:
        assert text in whole, whole


def test_errors_in_the_library_point_at_the_call(tmp_path):
    first = trace_error(tmp_path, "y = nl.load(x)\nz = nl.softmax(y, axis=0)")
    assert first["body_line"] == 2 and "nl.softmax" in first["message"], first


def test_a_second_tensor_of_one_name(tmp_path):
    body = "a = nl.ndarray((1, 4), nl.float32, name='t')\nb = nl.ndarray((1, 4), nl.float32, name='t')"
    first = trace_error(tmp_path, body)
    assert first["code"] == "E0412" and first["body_line"] == 2


@pytest.mark.parametrize("body, texts", [
    ("t = nl.ndarray((128, 64), nl.float32, nl.sbuf)\nreturn t", ["`t.1`", "SBUF", "shared_hbm"]),
    ("return 3", ["int 3"]),
    ("out = nl.ndarray((128, 64), nl.float32, nl.shared_hbm)\nreturn out[0:64]", ["part"]),
])
def test_results_are_tensors_in_shared_memory(tmp_path, body, texts):
    first = trace_error(tmp_path, body)
    assert first["code"] == "E0413"
    for text in texts:
        assert text in json.dumps(first)


# ---- control flow on the device


def skeleton(text):
    """Labels and register operators of core 0, one a line; names as they are."""
    lines = []
    for line in text.split("\ncore 0")[1].split("\n"):
        words = line.strip().split(" ;")[0]
        if re.match(r"^[\w.]+( no_reorder)?:", words) or re.match(r"^(register|cmp_branch|tensor_load|tensor_store|jmp|br)", words):
            lines.append(words)
    return lines


def labels(text):
    return [line.split(":")[0].split(" ")[0] for line in skeleton(text) if re.match(r"^[\w.]+( no_reorder)?:", line)]


COUNT = """
n = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
count = nisa.register_alloc(0)
nisa.register_load(count, n)
"""


def test_a_counted_loop_has_registers_of_its_own(tmp_path):
    text = trace_text(tmp_path, COUNT + "for i in nl.dynamic_range(count):\n    nl.load(x[nl.ds(i, 1), :])\n")
    assert labels(text) == ["main.1", "label.1", "body.1", "exit.1"], text
    assert "reg.1" in text and "reg.3" in text  # count, then index and limit


def test_fori_loop_is_the_same_loop(tmp_path):
    body = "def step(i):\n    nl.load(x[nl.ds(i, 1)])\nnl.fori_loop(0, 4, step)"
    loop = "for i in nl.dynamic_range(0, 4):\n    nl.load(x[nl.ds(i, 1)])"
    text, other = (trace_text(tmp_path, b) for b in (body, loop))
    assert labels(text) == labels(other) == ["main.1", "label.1", "body.1", "exit.1"]


def test_while_on_a_register(tmp_path):
    text = trace_text(tmp_path, COUNT + "while count:\n    nisa.register_load(count, n)\n")
    assert labels(text) == ["main.1", "body.1", "exit.1"]


def test_while_loop_with_a_body_function(tmp_path):
    text = trace_text(tmp_path, COUNT + "def body(r):\n    nxt = nisa.register_alloc(0)\n    nisa.register_load(nxt, n)\n"
                      "    return nxt\nnl.while_loop(count, body)")
    assert labels(text) == ["main.1", "body.1", "exit.1"]


def test_if_on_a_register_and_comparisons(tmp_path):
    text = trace_text(tmp_path, COUNT + "if count:\n    nl.load(x)\nif count < 3:\n    nl.load(x)\nelse:\n    nl.load(x[0:4])\n")
    assert labels(text) == ["main.1", "then.1", "else.1", "end.1", "then.2", "else.2", "end.2"]
    assert "if %reg.1 < 3 goto then.2 else else.2" in text


def test_break_and_continue_of_a_device_loop(tmp_path):
    text = trace_text(tmp_path, COUNT + "for i in nl.dynamic_range(8):\n    if i == 3:\n        continue\n"
                      "    if count:\n        break\n    nl.load(x[nl.ds(i, 1)])\n")
    assert labels(text) == ["main.1", "label.1", "body.1", "then.1", "else.1", "end.1", "then.2", "else.2", "end.2",
                            "next.1", "exit.1"]


def test_nested_loops(tmp_path):
    text = trace_text(tmp_path, "for i in nl.dynamic_range(8):\n    for j in nl.dynamic_range(2):\n"
                      "        nl.load(x[nl.ds(i * 16, 16), :])\n")
    assert labels(text) == ["main.1", "label.1", "body.1", "label.2", "body.2", "exit.2", "exit.1"]
    assert "mult" in text


def test_slices_between_registers_that_differ_by_a_constant(tmp_path):
    text = trace_text(tmp_path, "for i in nl.dynamic_range(8):\n    y = nl.load(x[i * 16:(i + 1) * 16, :])\n    assert y.shape == (16, 64)")
    assert labels(text)[-1] == "exit.1"


def test_no_reorder_is_a_block(tmp_path):
    text = trace_text(tmp_path, "y = nl.load(x)\nwith nl.no_reorder():\n    z = nl.load(x)\nw = nl.load(x)")
    assert labels(text) == ["main.1", "label.1", "label.2"] and "no_reorder" in text


@pytest.mark.parametrize("body, code, line", [
    ("for i in nl.dynamic_range(8):\n    return None", "E0415", 4),
    ("for i in nl.dynamic_range(8):\n    if i:\n        return None", "E0415", 5),
    ("for j in range(3):\n    if count:\n        break", "E0415", 5),
    ("with nl.no_reorder():\n    for i in nl.dynamic_range(8):\n        pass", "E0415", 5),
    ("for i in nl.dynamic_range(8):\n    nisa.register_move(i, 3)", "E0416", 5),
    ("nisa.register_move(count, 'a')", "E0416", 4),
    ("count + count", "E0416", 4),
    ("x[count:8]", "E0403", 4),
    ("def body(i):\n    return 3\nnl.fori_loop(0, 4, body)", "E0410", 6),
])
def test_control_flow_that_cannot_be(tmp_path, body, code, line):
    first = trace_error(tmp_path, COUNT.strip("\n") + "\n" + body)
    assert first["code"] == code and first["body_line"] == line, first


def test_a_number_that_changes_in_a_device_loop_is_a_warning(tmp_path):
    result = trace(tmp_path, source_of("n = 0\nfor i in nl.dynamic_range(8):\n    n += 1"), "x=f32[128,64]")
    assert result.returncode == 0 and "W0401" in result.stderr


# ---- logical cores


def test_logical_cores_have_equal_names(tmp_path):
    text = trace_text(tmp_path, """
core = nl.program_id(0)
assert nl.num_programs(0) == 2 and nl.program_ndim() == 1
half = x.shape[0] // 2
out = nl.ndarray(x.shape, x.dtype, nl.shared_hbm)
tile = nl.load(x[core * half:(core + 1) * half])
nl.store(out[core * half:(core + 1) * half], tile)
return out
""", "x=f32[128,64]", "--lnc=2")
    core0, core1 = text.split("\ncore ")[1:3]
    assert core0.count("tile.1") == core1.count("tile.1") > 0 and "-> (out.1)" in text


def test_logical_cores_must_agree(tmp_path):
    first = trace_error(tmp_path, "if nl.program_id(0) == 0:\n    for i in nl.dynamic_range(2):\n        pass", "x=f32[128,64]",
                        "--lnc=2")
    assert first["code"] == "E0414"
    first = trace_error(tmp_path, "out = nl.ndarray((1 + nl.program_id(0), 4), x.dtype, nl.shared_hbm)\nreturn out",
                        "x=f32[128,64]", "--lnc=2")
    assert first["code"] == "E0414"


# ---- every function of the library can be called


def exported(module):
    import ast
    import pathlib

    tree = ast.parse((pathlib.Path(__file__).parents[2] / "nki" / module / "__init__.py").read_text())
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


UNARY = ("abs square exp log sqrt rsqrt tanh sigmoid relu gelu gelu_apprx_sigmoid gelu_apprx_tanh gelu_dx "
         "gelu_apprx_sigmoid_dx silu silu_dx softplus mish erf erf_dx reciprocal copy sin cos tan arctan ceil floor trunc "
         "negative sign logical_not").split()
BINARY = ("add subtract multiply divide maximum minimum power equal not_equal less less_equal greater greater_equal mod "
          "fmod logical_and logical_or logical_xor abs_max abs_min").split()
BITS = "bitwise_and bitwise_or bitwise_xor left_shift right_shift".split()


def test_elementwise_functions(tmp_path):
    body = ["y = nl.load(x)", "r = nl.load(x[:, 0:1])", "n = nl.copy(y, nl.int32)"]
    body += [f"assert nl.{f}(y).shape == y.shape" for f in UNARY]
    body += [f"assert nl.{f}(y, {other}).shape == y.shape" for f in BINARY for other in ("y", "2.0", "r")]
    body += [f"assert nl.{f}(n, {other}).dtype == nl.int32" for f in BITS for other in ("n", "3")]
    body += ["nl.invert(n)", "assert nl.add(y, y, dtype=nl.bfloat16).dtype == nl.bfloat16"]
    trace_text(tmp_path, "\n".join(body), "x=f32[128,64]", "--target", "trn3")


def test_other_functions_of_the_language(tmp_path):
    trace_text(tmp_path, """
y = nl.load(x)
for f in (nl.sum, nl.max, nl.min, nl.mean, nl.prod):
    assert f(y, axis=1).shape == (128, 1) and f(y, axis=[1], keepdims=True).shape == (128, 1)
    assert f(y.reshape((128, 8, 8)), axis=2).shape == (128, 8)
    assert f(y.reshape((128, 4, 4, 4)), axis=(2, 3)).shape == (128, 4)
assert nl.all(y, axis=1).shape == (128, 1) and nl.var(y, axis=1).shape == (128, 1)
assert nl.softmax(y).shape == y.shape and nl.rms_norm(y, y, 1, 64).shape == y.shape
assert nl.where(nl.greater(y, 0.0), y, 0.0).shape == y.shape
assert nl.zeros((128, 4), nl.int32).dtype == nl.int32 and nl.full((128, 4), 2.5, nl.float32).shape == (128, 4)
assert nl.zeros_like(y).shape == y.shape and nl.empty_like(y).buffer == nl.sbuf and nl.ones((1, 1), nl.float32).size == 1
assert nl.broadcast_to(y[0:1], (128, 64)).shape == (128, 64) and nl.broadcast_to(y[:, 0:1], (128, 64)).shape == (128, 64)
assert nl.expand_dims(y, 1).shape == (128, 1, 64)
assert nl.transpose(y).shape == (64, 128) and nl.transpose(y).buffer == nl.psum
assert nl.matmul(y, y, transpose_x=True).shape == (64, 64)
assert nl.matmul(y[0:64], y[0:64]).shape == (64, 64)
i = nl.shared_identity_matrix(128, nl.float32)
assert i.shape == (128, 128) and nl.shared_identity_matrix(128, nl.float32) == i
nl.device_print("y", y)
assert nl.gather_flattened(y, nl.zeros((128, 8), nl.uint32)).shape == (128, 8)
assert nl.rand((128, 8), nl.float32).shape == (128, 8) and nl.dropout(y, 0.5).shape == y.shape
nl.random_seed(nl.zeros((1, 1), nl.uint32))
assert [list(r(1, 4)) for r in (nl.affine_range, nl.sequential_range, nl.static_range, nl.range)] == [[1, 2, 3]] * 4
assert nl.is_sbuf(y.buffer) and nl.is_on_chip(nl.psum) and nl.is_hbm(x.buffer) and not nl.is_psum(y.buffer)
""")
