"""The Python package in the build tree: live functions traced and run, arguments, results, errors, the cache."""

import dataclasses
import enum
import os
import re
import runpy
import subprocess
import sys
import tempfile
import threading
import warnings

import ml_dtypes
import numpy as np
import pytest

from conftest import PACKAGE, ROOT

if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr  # noqa: E402
import klr.core  # noqa: E402
import klr.frontend  # noqa: E402
import klr.nki as nki  # noqa: E402
import klr.nki.collectives as collectives  # noqa: E402
import klr.nki.isa as nisa  # noqa: E402
import klr.nki.language as nl  # noqa: E402
from klr import neuron_dtypes, pytest_plugin  # noqa: E402
from klr._jit import Options  # noqa: E402

pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime
random = np.random.default_rng(11)
FACTOR = 2.0


class Mode(enum.Enum):
    PLUS = "plus"
    TIMES = "times"


@dataclasses.dataclass
class Config(nl.NKIObject):
    scale: float = 1.0
    shift = 0.0
    mode: Mode = Mode.PLUS


def array(*shape, dtype=np.float32):
    return random.standard_normal(shape).astype(dtype)


def load(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
    return t


def store(t):
    out = nl.ndarray(t.shape, dtype=t.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=t)
    return out


@nki.jit
def add(a, b):
    t = load(a)
    nisa.tensor_tensor(dst=t, data1=t, data2=load(b), op=nl.add)
    return store(t)


@nki.jit
def configured(x, config, times=1):
    t = load(x)
    for _ in range(times):
        if config.mode == Mode.PLUS:
            nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=config.scale)
        else:
            nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=config.scale)
    return store(t)


def test_a_kernel_is_called_with_arrays():
    a, b = array(128, 40), array(128, 40)
    assert np.array_equal(add(a, b), a + b)
    assert np.array_equal(nki.simulate(add)(a, b=b), a + b)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, ml_dtypes.float8_e4m3, np.int32, np.uint8])
def test_results_have_the_dtype_of_the_kernel(dtype):
    a = np.abs(random.standard_normal((64, 9)) * 3).astype(dtype)
    result = add(a, a)
    assert result.dtype == np.dtype(dtype)
    assert np.array_equal(result.astype(np.float32), (a.astype(np.float32) * 2).astype(dtype).astype(np.float32))


def test_objects_enums_defaults_and_keywords_reach_the_kernel():
    x = array(8, 5)
    assert np.array_equal(configured(x, Config(scale=2.5)), x + np.float32(2.5))
    assert np.array_equal(configured(x, Config(2.0, mode=Mode.TIMES), times=3), x * 8)
    assert np.array_equal(configured(x, config=Config(shift=3.0)), x + 1)


def test_the_generated_initialiser_is_that_of_nki():
    config = Config(3.0, 4.0)
    assert (config.scale, config.shift, config.mode) == (3.0, 4.0, Mode.PLUS)
    with pytest.raises(TypeError, match="unexpected"):
        Config(nothing=1)

    class Required(nl.NKIObject):
        width: int
        name = "n"

    assert (Required().width, Required(1).width, Required(1, "m").name) == (None, 1, "m")


def test_globals_are_read_when_the_kernel_is_called_again():
    @nki.jit
    def scaled(x):
        t = load(x)
        nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=FACTOR)
        return store(t)

    x = array(4, 4)
    global FACTOR
    assert np.array_equal(scaled(x), x * 2)
    FACTOR = 3.0
    try:
        assert np.array_equal(scaled(x), x * 3)
    finally:
        FACTOR = 2.0
    assert np.array_equal(scaled(x), x * 2)


def test_closures_and_local_classes_are_live():
    weight = 5.0

    class Local(nl.NKIObject):
        bias: float = 1.5

        def apply(self, t):
            nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=weight, op1=nl.add, operand1=self.bias)

    @nki.jit
    def kernel(x, how):
        t = load(x)
        how.apply(t)
        return store(t)

    x = array(16, 3)
    assert np.array_equal(kernel(x, Local()), x * 5 + np.float32(1.5))
    weight = 7.0
    assert np.array_equal(kernel(x, Local(bias=0.0)), x * 7)


def test_the_cache_keeps_what_nothing_changed():
    x = array(4, 4)
    traced = [configured._trace(configured.bind((x, Config()), {}), Options()) for _ in range(2)]
    assert traced[0][0] is traced[1][0]
    assert configured._trace(configured.bind((x, Config(scale=9.0)), {}), Options())[0] is not traced[0][0]


def test_a_name_that_globals_lack_is_remembered_once():
    @nki.jit
    def clamped(x):
        t = load(x)
        for i in range(300):
            low = min(i, 2)
            nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=float(max(low, int(FACTOR))))
        return store(t)

    traced, _ = clamped._trace(clamped.bind((array(2, 2),), {}), Options())
    lacking = [name for scope, name, value in traced.reads.names if name not in scope]
    assert sorted(lacking) == ["float", "int", "max", "min", "range"]
    globals()["max"] = lambda a, b: b - a  # the trace depends on them not being there
    try:
        assert clamped._trace(clamped.bind((array(2, 2),), {}), Options())[0] is not traced
    finally:
        del globals()["max"]
    assert clamped._trace(clamped.bind((array(2, 2),), {}), Options())[0].reads.names


def test_results_keep_the_form_the_kernel_returns():
    @nki.jit
    def three(x):
        t = load(x)
        return store(t), None, [store(t)][0]

    @nki.jit
    def nothing(x):
        nisa.dma_copy(dst=x[0:1, :], src=x[1:2, :])

    x = array(4, 6)
    first, second, third = three(x)
    assert second is None and np.array_equal(first, x) and np.array_equal(third, x)
    y = x.copy()
    assert nothing(y) is None
    assert np.array_equal(y[0], x[1])


@nki.jit
def negate_in_place(x):
    t = load(x)
    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=-1.0)
    nisa.dma_copy(dst=x, src=t)
    return x


def test_arguments_are_updated_in_place():
    x = array(6, 8)
    before = x.copy()
    assert negate_in_place(x) is x
    assert np.array_equal(x, -before)


def test_arrays_that_are_not_contiguous_or_of_another_byte_order():
    wide = array(6, 16)
    view, before = wide[:, ::2], wide.copy()
    negate_in_place(view)
    assert np.array_equal(wide[:, ::2], -before[:, ::2]) and np.array_equal(wide[:, 1::2], before[:, 1::2])
    swapped = before.astype(">f4")
    negate_in_place(swapped)
    assert np.array_equal(swapped, -before)
    turned = np.asfortranarray(before)
    negate_in_place(turned)
    assert np.array_equal(turned, -before)


def test_arrays_that_cannot_be_written():
    x = array(6, 8)
    x.flags.writeable = False
    before = x.copy()
    assert np.array_equal(add(x, x), before * 2)
    with pytest.raises(ValueError, match="read-only"):
        negate_in_place(x)
    assert np.array_equal(x, before)


def test_arrays_that_no_kernel_takes():
    with pytest.raises(klr.Error, match="int64"):
        add(np.zeros((4, 4), np.int64), np.zeros((4, 4), np.int64))
    with pytest.raises(klr.Error, match="size 0"):
        add(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32))
    assert np.array_equal(add(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32)), np.full((2, 2), 2, np.float32))


def test_an_error_is_an_exception_at_the_kernels_line():
    with pytest.raises(klr.Error) as caught:
        add(array(128, 8), array(64, 8))
    error = caught.value
    assert error.code == "E0515"
    assert error.diagnostics[0]["file"] == __file__
    last = caught.tb
    while last.tb_next:
        last = last.tb_next
    line = open(__file__).read().splitlines()[last.tb_lineno - 1]
    assert "dma_copy" in line or "tensor_tensor" in line
    assert "error[E0515]" in str(error)


def test_a_kernel_that_raises():
    @nki.jit
    def wrong(x):
        assert x.shape[0] == 3, "three rows"
        raise ValueError("never")

    with pytest.raises(AssertionError, match="three rows"):
        wrong(array(4, 4))
    with pytest.raises(klr.Error, match="never"):
        wrong(array(3, 4))


def test_warnings_go_through_warnings():
    @nki.jit
    def old(x):
        t = load(x)
        for _ in nl.affine_range(1):
            nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=1.0)
        return store(t)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old(array(4, 4))
    assert any("affine_range" in str(w.message) and w.filename == __file__ for w in caught)


def test_logical_cores():
    @nki.jit
    def halves(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        rows = x.shape[0] // nl.num_programs(0)
        start = nl.program_id(0) * rows
        t = nl.ndarray((rows, x.shape[1]), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=t, src=x[start:start + rows, :])
        nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=1.0 + nl.program_id(0))
        nisa.dma_copy(dst=out[start:start + rows, :], src=t)
        return out

    x = array(8, 4)
    assert np.array_equal(halves(x), x + 1)
    assert np.array_equal(halves[2](x), x + np.repeat([1, 2], 4)[:, None].astype(np.float32))
    with pytest.raises(TypeError):
        halves["two"]


def test_many_threads_call_at_once():
    inputs = [array(128, 64) for _ in range(8)]
    results = [None] * 8

    def work(i):
        results[i] = configured(inputs[i], Config(scale=float(i % 3)))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        assert np.array_equal(results[i], inputs[i] + np.float32(i % 3))


def test_the_frontend_writes_what_core_reads(tmp_path):
    a, b = array(16, 8), array(16, 8)
    kernel = klr.frontend.Kernel(add.function)
    with pytest.raises(RuntimeError):
        kernel.serialize()
    kernel.specialize((a, b))
    info = kernel.trace(tmp_path / "add.klr")
    assert [t["name"] for t in info["inputs"]] == ["a", "b"]
    for again in (klr.core.read(tmp_path / "add.klr"), klr.frontend.deserialize(kernel.serialize())):
        again.verify()
        assert np.array_equal(again.run(a, b)[0], a + b)
        kinds = [op.kind for op in again.operators()]
        assert kinds == ["nc_dma_copy", "nc_dma_copy", "tensor_tensor", "nc_dma_copy"]
        assert str(klr.core.parse(str(again))) == str(again)  # texts do not keep the places in the source
    with pytest.raises(klr.Error):
        klr.core.parse(b"nothing of ours")
    with pytest.raises(TypeError):
        again.run(a)
    with pytest.raises(IndexError):
        list(again.operators(3))


def test_host_types_are_numpy_dtypes():
    assert str(nl.bfloat16) == "bfloat16" and np.zeros(2, nl.bfloat16).dtype == ml_dtypes.bfloat16
    assert {nl.float8_e4m3: 1}[np.dtype(ml_dtypes.float8_e4m3)] == 1
    assert nl.float32 in (np.float32,) and nl.float8_e4m3fn_x4.itemsize == 4 and nl.float4_e2m1fn_x4.itemsize == 2
    assert isinstance(nl.tile_size.pmax, int) and nl.tile_size.pmax == 128
    assert nl.float8_e5m2_x4 != nl.float8_e4m3fn_x4 != np.dtype(np.uint32)


def test_packed_types_go_both_ways():
    x = np.clip(random.standard_normal((8, 16)) * 4, -6, 6).astype(np.float32)
    for packed, element in ((neuron_dtypes.float8_e4m3fn_x4, ml_dtypes.float8_e4m3fn),
                            (neuron_dtypes.float4_e2m1fn_x4, ml_dtypes.float4_e2m1fn)):
        units = neuron_dtypes.static_cast(x, packed)
        assert units.shape == (8, 4) and units.dtype == packed
        assert np.array_equal(neuron_dtypes.static_cast(units, np.float32), x.astype(element).astype(np.float32))


def test_other_buffers_are_named():
    import array as standard

    for wrong in (memoryview(array(2, 2)), standard.array("f", [1, 2])):
        with pytest.raises(TypeError, match="argument `b` is an? (memoryview|array.array), which no kernel takes: np.asarray") as caught:
            add(array(2, 2), wrong)
        assert isinstance(caught.value, klr.Error)
    assert np.array_equal(add(array(2, 2) * 0, np.asarray(memoryview(np.ones((2, 2), np.float32)))), np.ones((2, 2)))


def test_a_vendor_package_stays_what_it_is_and_the_warning_names_the_import(tmp_path):
    (tmp_path / "nki").mkdir()
    (tmp_path / "nki" / "__init__.py").write_text("WHO = 'vendor'\n")
    script = tmp_path / "script.py"
    script.write_text("import klr_nki\n\nimport nki\nimport klr.nki\nprint(nki.WHO, klr.nki.__name__)\n")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([PACKAGE, os.path.join(ROOT, "python", "nki_alias")]))
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert done.stdout == "vendor klr.nki\n", done.stderr
    assert f"{script}:3: UserWarning: `import nki` gives the package installed at {tmp_path / 'nki'}" in done.stderr


def test_instructions_outside_of_kernels_say_so():
    with pytest.raises(RuntimeError, match="kernel"):
        nl.ndarray((4, 4), nl.float32)


def test_scripts_that_say_import_nki(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys, nki, nki.isa as nisa, nki.language as nl, numpy as np, neuronxcc.nki\n"
                      "@nki.jit\n"
                      "def k(x):\n"
                      "    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)\n"
                      "    nisa.dma_copy(dst=out, src=x)\n"
                      "    return out\n"
                      "print(k(np.arange(6, dtype=np.float32).reshape(2, 3)).sum(), sys.argv[1:])\n")
    environment = dict(os.environ, PYTHONPATH=PACKAGE)
    done = subprocess.run([sys.executable, "-m", "klr", script, "--flag"], env=environment, capture_output=True, text=True)
    assert done.stdout == "15.0 ['--flag']\n", done.stderr
    plain = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert "No module named 'nki'" in plain.stderr
    script.write_text("import sys\ndef fails():\n    raise OSError(sys.argv)\nfails()\n")
    failed = subprocess.run([sys.executable, "-m", "klr", script, "x"], env=environment, capture_output=True, text=True)
    assert failed.returncode == 1 and failed.stderr.splitlines()[1].startswith(f'  File "{script}", line 4')  # no line of ours
    assert failed.stderr.count("  File ") == 2 and failed.stderr.endswith(f"OSError: ['{script}', 'x']\n")
    piped = subprocess.run([sys.executable, "-m", "klr", "-", "y"], input="import nki, sys\nprint(sys.argv)\nnki.nothing()\n",
                           env=environment, capture_output=True, text=True)
    assert (piped.returncode, piped.stdout) == (1, "['-', 'y']\n") and "    nki.nothing()\n" in piped.stderr
    helped = subprocess.run([sys.executable, "-m", "klr", "--help"], env=environment, capture_output=True, text=True)
    assert "usage: python -m klr SCRIPT" in helped.stdout


def test_annotations_with_shapes_document():
    import klr.nki.typing as nt

    @nki.jit
    def annotated(x: nt.tensor[128, 4], y: nt.mutable_tensor = None) -> nt.tensor[nl.float32, 128, 4]:
        assert isinstance(x, nt.tensor) and not isinstance(3, nt.tensor)
        t: nt.tensor[128, 4] = load(x)
        assert isinstance(t, nt.tensor)
        return store(t)

    x = array(128, 4)
    assert np.array_equal(annotated(x), x)
    assert not isinstance(x, nt.tensor)


def test_the_examples_of_the_page_run():
    page = open(os.path.join(ROOT, "docs", "python.md")).read()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) >= 7
    # One text, as the page tells one story; in a file, because kernels need theirs.
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "page.py")
        with open(path, "w") as file:
            file.write("\n".join(blocks))
        page = runpy.run_path(path)
        page["test_scale"](pytest_plugin.Runner())


TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)
NARROW = np.array([[1.5, -3, 240]]).astype(ml_dtypes.float8_e4m3fn)


@nki.jit
def with_constants(x, path):
    assert TABLE.shape == (4, 3) and TABLE.dtype == nl.float32 and TABLE.ndim == 2 and TABLE.size == 12
    table = nl.load(nl.shared_constant(TABLE))
    narrow = nl.load(nl.shared_constant(NARROW), dtype=nl.float32)
    saved = nl.load(nl.shared_constant(path))
    return store(nl.add(nl.load(x), table)), store(narrow), store(saved)


def test_constants_are_arrays_of_the_program_or_files(tmp_path):
    np.save(tmp_path / "saved.npy", np.ascontiguousarray(TABLE.T))
    x = array(4, 3)
    for _ in range(2):  # the second from the cache
        total, narrow, saved = nki.simulate(with_constants)(x, str(tmp_path / "saved.npy"))
        np.testing.assert_array_equal(total, x + TABLE)
        np.testing.assert_array_equal(narrow, NARROW.astype(np.float32))
        np.testing.assert_array_equal(saved, TABLE.T)
    kernel = klr.frontend.Kernel(with_constants).specialize([x, str(tmp_path / "saved.npy")])
    (tmp_path / "made").mkdir()
    kernel.write(tmp_path / "made" / "k.klr")
    assert len(list((tmp_path / "made" / "shared_constants").iterdir())) == 3
    (tmp_path / "made").rename(tmp_path / "moved")
    (total, narrow, saved) = klr.core.read(tmp_path / "moved" / "k.klr").run(x)
    np.testing.assert_array_equal(total, x + TABLE)
    np.testing.assert_array_equal(saved, TABLE.T)


@nki.jit
def shared_sum(x, groups, count):
    own = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    total = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=own, src=x)
    collectives.all_reduce([own], [total], collectives.ReplicaGroup(groups), nl.add)
    nisa.dma_copy(dst=count, src=own[0:1, 0:1])
    return total


def test_ranks_meet_in_collectives():
    arrays, counts = [array(4, 8) for _ in range(4)], [np.zeros((1, 1), np.float32) for _ in range(4)]
    groups = [[0, 2], [1, 3]]
    for _ in range(2):  # the second from the cache
        totals = shared_sum.ranks([{"x": x, "groups": groups, "count": count} for x, count in zip(arrays, counts)])
        for rank, total in enumerate(totals):
            np.testing.assert_allclose(total, arrays[rank] + arrays[(rank + 2) % 4], rtol=1e-6)
        assert [c[0, 0] for c in counts] == [x[0, 0] for x in arrays]
    totals = shared_sum[2].ranks([(x, [list(g) for g in groups], c) for x, c in zip(arrays, counts)])
    np.testing.assert_allclose(totals[3], arrays[3] + arrays[1], rtol=1e-6)
    with pytest.raises(ValueError, match="rank 1 differ from those of rank 0"):
        shared_sum.ranks([(arrays[0], [[0, 1]], counts[0]), (arrays[1], [[1, 0]], counts[1])])
    with pytest.raises(ValueError, match="`count of rank 0`, which shares memory with `count of rank 1`"):
        shared_sum.ranks([(x, [[0, 1]], counts[0]) for x in arrays[:2]])
    with pytest.raises(ValueError, match="one rank at least"):
        shared_sum.ranks([])
    before = counts[0].copy()
    with pytest.raises(klr.Error) as error:  # rank 3 does not exist
        shared_sum.ranks(list(zip(arrays[:2], [groups, groups], counts[:2])))
    assert error.value.code == "E0623" and np.array_equal(counts[0], before)


def test_harnesses_trace_through_the_vendors_front_end(tmp_path):
    script = tmp_path / "s.py"
    script.write_text("""
import sys
import numpy as np
import nki
import nki.isa as nisa
import nki.language as nl
from nki.compiler.frontend import NKIFrontend, ParserFrontend

@nki.jit
def twice(x):
    out = nl.ndarray(x.shape, x.dtype, nl.shared_hbm)
    nl.store(out, nl.add(nl.load(x), nl.load(x)))
    return out

front = ParserFrontend()
assert isinstance(front, NKIFrontend)
made = front.compile(twice, inputs={"x": np.ones((4, 4), np.float32)}, target="trn2", lnc=1, artifacts_dir=sys.argv[1],
                     dump_python_ast=False, output_names=["out"])
made.module.operation.print(enable_debug_info=True)
try:
    front.compile(twice, inputs={"x": np.ones((129, 4), np.float32)}, target="trn2", lnc=1)
except Exception as error:
    print(error)
""")
    done = subprocess.run([sys.executable, "-m", "klr", str(script), str(tmp_path)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": PACKAGE}, check=True)
    assert "tensor_tensor" in done.stdout and "load 128 rows at a time" in done.stdout
    assert (tmp_path / "kernel.klrtext").read_text() in done.stdout


@nki.jit
def first_column(x):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile[:, 0:1], src=x[:, 0:1])
    return store(tile)


def test_what_was_never_written_can_read_as_zero(monkeypatch):
    for dtype, poison in ((np.float32, np.nan), (np.int32, 4)):
        x = np.arange(1, 13, dtype=dtype).reshape(4, 3)
        for setting, value in (("nan", poison), ("zero", 0)):
            monkeypatch.setenv("KLR_UNWRITTEN", setting)
            with pytest.warns(klr.Warning, match="never written"):
                y = first_column(x)
            np.testing.assert_array_equal(y, np.where([True, False, False], x, np.asarray(value, dtype)))


def quantized_scales(x):
    data = nl.ndarray((32, 1), dtype=nl.float8_e4m3fn_x4, buffer=nl.sbuf)
    scale = nl.ndarray((4, 1), dtype=nl.uint8, buffer=nl.sbuf)
    nisa.quantize_mx(dst=data, src=nl.load(x), dst_scale=scale)
    return store(scale)


@pytest.mark.parametrize("eager", ["0", "1"])
def test_scales_of_the_ocp_sample(monkeypatch, eager):
    monkeypatch.setenv("NKI_EAGER", eager)
    monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", "trn3")
    x = np.ones((32, 4), ml_dtypes.bfloat16)
    assert (nki.jit(quantized_scales)(x) == 127 - 7).all()
    monkeypatch.setenv("KLR_MX_SCALES", "ocp")
    assert (nki.jit(quantized_scales)(x) == 127 - 8).all()
