"""Kernels as data in Python: read, walked, built, verified, run, written."""

import os
import sys

import numpy as np
import pytest

from conftest import PACKAGE, ROOT, run_klr

if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr  # noqa: E402
import klr.core as core  # noqa: E402

pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime


@pytest.fixture(scope="module")
def forms():
    with open(os.path.join(ROOT, "tests", "golden", "core", "forms.klrtext"), "rb") as file:
        return file.read()


@pytest.fixture(scope="module")
def softmax(tmp_path_factory):
    """A traced kernel, read from its file, and that file."""
    path = tmp_path_factory.mktemp("core") / "softmax.klr"
    done = run_klr("trace", "examples/softmax.py", "x=f32[128,64]", "-o", path)
    assert done.returncode == 0, done.stderr
    return core.read(path), path


def small(name="double"):
    b = core.Builder(name)
    x, y = b.input("x", "float32", (256, 64)), b.output("y", "float32", (256, 1))
    t, s = b.tensor("t", np.float32, (128, 64)), b.tensor("s", "float32", (128, 1))
    i = b.register("i")
    b.op("register_move", dst=i, imm=0)
    b.block("body")
    b.op("nc_dma_copy", dst=t, src=x.pattern([(64, 128), (1, 64)], scalar=i), oob_mode="error")
    b.op("tensor_scalar", dst=t, src=t, imm0=2, op0="mult", reverse="none")
    b.op("tensor_reduce", dst=s, src=t, op="max", op_dim="X", name="largest")
    b.op("nc_dma_copy", dst=y.pattern([(1, 128), (1, 1)], scalar=i), src=s, oob_mode="error")
    b.op("register_alu_op", dst=i, src=i, imm=128, op="add")
    b.branch(i, "<", 256, "body", "exit")
    b.block("exit")
    return b


def test_a_built_kernel_runs_in_every_form():
    kernel = small().build("trn2")
    x = np.random.default_rng(3).standard_normal((256, 64)).astype(np.float32)
    for form in core.FORMS:
        again = core.parse(kernel.to_bytes(form))
        again.verify("trn3")
        result, = again.run(x)
        assert np.array_equal(result, (2 * x).max(axis=1, keepdims=True)), form
    assert [block.label for block in kernel.blocks()] == ["main", "body", "exit"]
    assert [len(block.operators) for block in kernel.blocks()] == [2, 6, 0]
    assert kernel.tensors["s"] == core.Tensor("s", "float32", (128, 1), "sbuf")


def test_instructions_of_a_built_kernel_come_from_python():
    largest = [op for op in small().build().operators() if op.name == "largest"][0]
    assert largest.span.file == __file__
    with open(__file__, encoding="utf-8") as file:
        assert 'name="largest"' in file.readlines()[largest.line - 1]


def test_walking_a_traced_kernel(softmax):
    kernel, _ = softmax
    operators = list(kernel.operators())
    first, last = operators[0], operators[-1]
    assert first.kind == "nc_dma_copy" and first.span.file.endswith("softmax.py") and first.span.column
    assert [view.tensor.name for view in first.reads] == [kernel.inputs[0].name]
    assert [view.tensor for view in last.writes] == [kernel.tensors[kernel.outputs[0].name]]
    for op in operators:
        assert set(op.fields) == set(core.OPERATORS[op.kind].fields)
        assert {o.field for o in op.operands} <= set(op.fields)
        for view in op.reads + op.writes:
            indices = view.indices()
            assert indices.shape == view.shape and 0 <= indices.min() and indices.max() < view.tensor.elements


def views_read_back(operands):
    """Each operand printed by a kernel of its own text: its view, as it is read again."""
    found = []
    for number, operand in enumerate(operands):
        b = core.Builder("k")
        todo = [operand.view]
        while todo:
            view = todo.pop()
            t = view.tensor
            if t.name not in b._tensors:
                b.tensor(t.name, t.dtype, t.shape, t.memory)
            todo += [v for v in (view.vector, view.scalar) if isinstance(v, core.View)]
        b.op("device_print", src=operand.view, print_prefix=f"number {number}", buffer="stdout")
        found.append(next(b.build().operators()).reads[0])
    return found


def test_views_are_written_as_they_were_read(softmax, forms):
    kernels = [softmax[0], core.parse(forms)]
    for kernel in kernels:
        operands = [o for op in kernel.operators() for o in op.operands]
        assert len(operands) > 10
        assert views_read_back(operands) == [o.view for o in operands]


@pytest.mark.parametrize("index", [
    np.s_[:], np.s_[3], np.s_[0:64, 1:10:3], np.s_[..., 4], np.s_[10:2:-2, 1, ::2], np.s_[-1, ..., -1], np.s_[5:5], np.s_[:, 7:],
])
def test_views_index_as_numpy_does(index):
    numbers = np.arange(128 * 8 * 6).reshape(128, 8, 6)
    on_chip = core.Tensor("t", "float32", (128, 8, 6), "sbuf")
    in_hbm = core.Tensor("t", "float32", (128, 8, 6), "hbm")
    assert np.array_equal(in_hbm[index].indices(), numbers[index])
    first = index[0] if isinstance(index, tuple) else index
    want = numbers[index]
    assert np.array_equal(on_chip[index].indices(), want[None] if isinstance(first, int) else want)
    assert np.array_equal(in_hbm[2:100, 1:].__getitem__(np.s_[::3, 2]).indices(), numbers[2:100, 1:][::3, 2])


def test_views_refuse_what_numpy_refuses():
    t = core.Tensor("t", "float32", (4, 6), "hbm")
    for index in (np.s_[4], np.s_[0, 6], np.s_[0, 0, 0], np.s_[..., ...]):
        with pytest.raises(IndexError):
            t[index]


def test_the_table_of_operators_is_that_of_the_documentation():
    with open(os.path.join(ROOT, "docs", "ops.md"), encoding="utf-8") as file:
        named = [line[3:].strip() for line in file if line.startswith("## ")]
    assert [name for name in named if name in core.OPERATORS] == list(core.OPERATORS)
    assert core.OPERATORS["nc_matmul"].fields["stationary"].role == "read"


def test_fields_of_every_kind_are_written():
    b = core.Builder("every kind")
    t, idx = b.tensor("t 1", "bfloat16", (128, 16)), b.tensor("i", "uint32", (128, 1))
    h = b.input("h", "bfloat16", (512, 16))
    b.op("nc_dma_copy", dst=t, src=h.pattern([(16, 128), (1, 16)], vector=idx.view()), oob_mode="skip", unique_indices=True)
    b.op("iota", dst=idx, pattern=core.Affine(((0, 1),), offset=3, multiplier=-2))
    b.op("nc_activate", dst=t, src=t, accumulator_cmd="Idle", activation_func="exp", scale=0.1, bias=idx[:, 0:1])
    b.op("dma_compute", dst=h, srcs=[h, h], scales=[1.0, -0.5], reduce_op="add")
    b.op("nc_copy", dst=t, src=t, dtype=np.float16, engine="dve")
    kernel = b.build()
    ops = list(kernel.operators())
    assert ops[0].reads[0].vector == idx.view() and ops[0].fields["oob_mode"].value == "skip"
    assert ops[1].fields["pattern"].value["channelMultiplier"] == -2
    assert ops[2].fields["scale"].value == {"imm": {"i": {"float": {"f": pytest.approx(0.1)}}}}
    assert [view.tensor.name for view in ops[3].reads] == ["h", "h"]
    assert ops[4].fields["dtype"].value == "float16"


@pytest.mark.parametrize("make, said", [
    (lambda b, t: b.op("tensor_scaler", dst=t), "did you mean `tensor_scalar`"),
    (lambda b, t: b.op("tensor_scalar", dst=t), "needs `src`"),
    (lambda b, t: b.op("tensor_scalar", dts=t), "did you mean `dst`"),
    (lambda b, t: b.op("nc_copy", dst=t, src=object()), "is no value of a field"),
    (lambda b, t: b.tensor("t", "float32", (1, 2)), "there is a tensor `t` already"),
    (lambda b, t: b.tensor("u", "float32", (1, 0)), "1 or more"),
    (lambda b, t: b.tensor("u", "float32", (1, 2), "cache"), "`cache` is no memory"),
    (lambda b, t: b.tensor("u", "float64", (1, 2)), "float64"),
    (lambda b, t: b.tensor("u", np.float64, (1, 2)), "float64"),
    (lambda b, t: b.branch(b.register("i"), "<>", 1, "a", "b"), "no comparison"),
    (lambda b, t: b.op("tensor_scalar", dst=t, src=t, imm0=1, op0="multi"), "did you mean `mult`"),
    (lambda b, t: b.op("tensor_scalar", dst=t, src=t, op0="mult"), "imm0"),
    (lambda b, t: b.goto("nowhere"), "nowhere"),
    (lambda b, t: b.op("nc_copy", dst=t, src=b.tensor("u", "float32", (4, 9))), "4x8"),
])
def test_what_cannot_be_built_says_why(make, said):
    b = core.Builder("bad")
    t = b.tensor("t", "float32", (4, 8))
    with pytest.raises(klr.Error, match="(?s)" + said.replace("(", "\\(")):
        make(b, t)
        b.build("trn2")


def test_what_cannot_be_read_says_why(tmp_path, softmax):
    for data in (b"", b"kernel k(", b"\xd9\xd9\xf7", softmax[1].read_bytes()[:200], "kernel k() -> ()\ncore 0\nm:\n  nothing\n"):
        with pytest.raises(klr.Error) as raised:
            core.parse(data)
        assert raised.value.code
    with pytest.raises(OSError):
        core.read(tmp_path / "nowhere.klr")
    with pytest.raises(ValueError, match="xml"):
        softmax[0].to_bytes("xml")
    with pytest.raises(IndexError):
        softmax[0].blocks(2)


def test_running_with_other_arrays_says_what_is_expected(softmax):
    kernel, _ = softmax
    with pytest.raises(TypeError, match="takes 1 arrays, not 0"):
        kernel.run()
    with pytest.raises(TypeError, match=r"float32 \(128, 64\)"):
        kernel.run(np.zeros((64, 128), np.float32))


def test_a_failing_run_of_a_built_kernel_names_the_line():
    b = core.Builder("reads nothing")
    t, y = b.tensor("t", "float32", (4, 8)), b.output("y", "float32", (4, 8))
    b.op("nc_dma_copy", dst=y, src=t, oob_mode="error")
    with pytest.raises(klr.Error, match="never written|uninitiali|was not written") as raised:
        b.build().run()
    assert raised.value.diagnostics[0]["file"] == __file__

