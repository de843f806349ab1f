"""`klr diff`: the first instruction and element that differ, against NumPy."""

import json
import random

import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

HEAD = """import nki
import nki.isa as nisa
import nki.language as nl

@nki.jit
def k(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    u = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
"""
TAIL = """    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=u)
    return out
"""
SCALE = "    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=3.0)\n"
ADD = "    nisa.tensor_scalar(dst=u, data=t, op0=nl.add, operand0=0.1)\n"


def write(path, *lines, head=HEAD, tail=TAIL):
    path.write_text(head + "".join(lines) + tail)
    return path


def diff(*arguments, status=1):
    result = run_klr("diff", *arguments, "--json")
    assert result.returncode == status, result.stdout + result.stderr
    return json.loads(result.stdout)


def line_of(path, text):
    return 1 + [text in line for line in path.read_text().splitlines()].index(True)


@pytest.fixture
def x(tmp_path):
    values = np.random.default_rng(5).standard_normal((64, 48)).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    return values


def test_names_the_edited_instruction(tmp_path, x):
    a = write(tmp_path / "a.py", SCALE, ADD)
    b = write(tmp_path / "b.py", SCALE, ADD.replace("0.1", "0.1000001"))
    found = diff(a, b, f"x=@{tmp_path}/x.npy")
    mine, other = x * np.float32(3) + np.float32(0.1), x * np.float32(3) + np.float32(0.1000001)
    differs = mine != other
    p, e = np.argwhere(differs)[0]
    ulps = np.abs(mine.view(np.int32).astype(np.int64) - other.view(np.int32))
    sign = np.signbit(mine) != np.signbit(other)
    assert not sign.any()
    first = found["first"]
    assert first["a"]["line"] == first["b"]["line"] == line_of(a, "nl.add")
    assert first["a"]["kind"] == "tensor_scalar" and first["a"]["number"] == 3 and first["a"]["file"] == str(a)
    assert first["element"]["a"] == {"place": f"u.1[{p}, {e}]", "dtype": "float32", "value": float(mine[p, e]),
                                     "bits": f"0x{mine[p, e].view(np.uint32):08x}"}
    assert first["element"]["b"]["value"] == float(other[p, e]) and first["element"]["ulps"] == ulps[p, e]
    assert (first["differing"], first["compared"], first["max_ulps"]) == (differs.sum(), x.size, ulps.max())
    assert [o["name"] for o in first["operands"]] == ["data"] and first["operands"][0]["differing"] == 0
    assert first["operands"][0]["a"]["value"] == float((x * np.float32(3))[p, e])
    assert found["instructions"] == {"a": 4, "b": 4, "compared": 4, "differing": 2, "only_a": 0, "only_b": 0}
    result, = found["results"]
    worst = np.unravel_index(np.argmax(np.where(differs, ulps, -1)), x.shape)
    assert result["differing"] == differs.sum() and result["worst"]["a"]["value"] == float(mine[worst])
    assert result["max_error"] == float(np.abs(mine.astype(np.float64) - other).max())


def test_text_says_it_in_words(tmp_path, x):
    a, b = write(tmp_path / "a.py", SCALE, ADD), write(tmp_path / "b.py", SCALE, ADD.replace("add", "subtract"))
    result = run_klr("diff", a, b, f"x=@{tmp_path}/x.npy")
    assert result.returncode == 1
    assert "first difference: `nisa.tensor_scalar`" in result.stdout
    assert f"{b}:{line_of(b, 'nl.subtract')}" in result.stdout and "op0=nl.subtract" in result.stdout


def test_the_same_is_the_same(tmp_path, x):
    a = write(tmp_path / "a.py", SCALE, ADD)
    found = diff(a, "--reference-b", f"x=@{tmp_path}/x.npy", status=0)
    assert found["same"] and found["first"] is None and found["instructions"]["differing"] == 0
    assert "no difference" in run_klr("diff", a, a, f"x=@{tmp_path}/x.npy").stdout


def test_inserted_instructions_just_run(tmp_path, x):
    a, b = write(tmp_path / "a.py", ADD), write(tmp_path / "b.py", SCALE, ADD)
    found = diff(a, b, f"x=@{tmp_path}/x.npy")
    assert found["instructions"]["only_b"] == 1 and found["instructions"]["only_a"] == 0
    assert found["first"]["b"]["line"] == line_of(b, "nl.add") == found["first"]["a"]["line"] + 1
    assert found["first"]["operands"][0]["differing"] == x.size  # its operand was changed by what A does not have


def test_tolerances(tmp_path, x):
    a, b = write(tmp_path / "a.py", ADD), write(tmp_path / "b.py", ADD.replace("0.1", "0.1000001"))
    given = [a, b, f"x=@{tmp_path}/x.npy"]
    most = diff(*given)["first"]["max_ulps"]
    assert diff(*given, "--ulps", int(most), status=0)["same"]
    assert not diff(*given, "--ulps", int(most) - 1)["same"]
    assert diff(*given, "--atol", "3e-7", status=0)["same"]
    mine, other = x + np.float32(0.1), x + np.float32(0.1000001)
    near = np.abs(mine.astype(np.float64) - other) <= 1e-7 * np.abs(other.astype(np.float64))
    assert diff(*given, "--rtol", "1e-7")["first"]["differing"] == (~near).sum() > 0


def test_other_dtypes_compare_by_value(tmp_path):
    a = write(tmp_path / "a.py", SCALE, ADD)
    given = [a, "x=randn:bf16[16,32]", "--fp-b", "f32"]
    found = diff(*given)
    assert found["first"]["a"]["line"] == line_of(a, "nl.multiply")  # the copy of x is exact in both
    assert found["first"]["element"]["a"]["dtype"] == "bfloat16"
    assert found["first"]["element"]["b"]["dtype"] == "float32" and 0 < found["first"]["max_ulps"] <= 0.5


def test_control_that_parts(tmp_path):
    text = """import nki
import nki.isa as nisa
import nki.language as nl

@nki.jit
def k(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
    for i in nl.dynamic_range(LIMIT):
        nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=1.0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=t)
    return out
"""
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text(text.replace("LIMIT", "3"))
    b.write_text(text.replace("LIMIT", "5"))
    found = diff(a, b, "x=arange:f32[4,4]")
    assert "first" not in found and found["parted"]["a"]["line"] == 12 and found["parted"]["b"]["line"] in (9, 10)
    assert found["results"][0]["max_error"] == 2
    assert "different ways" in run_klr("diff", a, b, "x=arange:f32[4,4]").stdout


def test_targets():
    found = diff("examples/softmax.py", "--target-b", "trn1", "x=randn:f32[128,64]", status=0)
    assert (found["a"]["target"], found["b"]["target"]) == ("trn2", "trn1")


# ---- arrays

def test_a_run_against_arrays(tmp_path, x):
    a = write(tmp_path / "a.py", SCALE, ADD)
    given = f"x=@{tmp_path}/x.npy"
    assert run_klr("run", a, given, "--out", tmp_path / "out").returncode == 0
    assert diff(a, tmp_path / "out", given, status=0)["same"]
    other = np.load(tmp_path / "out/out.1.npy")
    wrong = other.copy()
    wrong[7, 9] = np.nextafter(wrong[7, 9], np.float32(9))
    wrong[8, 1] += 1
    np.save(tmp_path / "out/out.1.npy", wrong)
    found = diff(a, tmp_path / "out", given)
    first = found["first"]
    assert first["element"]["a"]["place"] == "out.1[7, 9]" and first["element"]["ulps"] == 1
    assert first["a"]["kind"] == "nc_dma_copy" and first["a"]["line"] == line_of(a, "dst=out") and first["b"] is None
    assert first["differing"] == 2
    chain = found["chain"]
    assert [step["a"]["line"] for step in chain] == [line_of(a, "nl.add"), line_of(a, "nl.multiply"), line_of(a, "src=x")]
    assert [step["element"]["a"]["place"] for step in chain] == ["u.1[7, 9]", "t.1[7, 9]", "t.1[7, 9]"]
    assert chain[1]["operands"][0]["a"]["value"] == float(x[7, 9])  # what t held before it was written over
    assert chain[2]["operands"][0]["a"] == {"place": "x[7, 9]", "dtype": "float32", "value": float(x[7, 9]),
                                            "bits": f"0x{x[7, 9].view(np.uint32):08x}"}
    text = run_klr("diff", a, tmp_path / "out", given).stdout
    assert "which `nisa.tensor_scalar` wrote" in text and "out.1[7, 9]" in text


def test_tiles_by_name_in_the_order_of_the_run(tmp_path, x):
    a = write(tmp_path / "a.py", SCALE, ADD)
    folder = tmp_path / "dump"
    folder.mkdir()
    t = x.astype(np.float64) * 3
    t[3, 4] *= 2
    np.save(folder / "t.npy", t)
    np.save(folder / "u.npy", x)
    np.save(folder / "other.npy", x)
    found = diff(a, folder, f"x=@{tmp_path}/x.npy")
    assert found["first"]["element"]["a"]["place"] == "t.1[3, 4]"  # before u, which is written later
    by_name = {r["name"]: r for r in found["results"]}
    assert by_name["t"]["differing"] == 1 and by_name["u"]["differing"] == x.size
    assert by_name["other"]["not_compared"] == "the kernel has no such tensor"


def test_narrow_arrays(tmp_path):
    a = write(tmp_path / "a.py", SCALE, ADD)
    given = "x=randn:bf16[16,32]"
    for name, raw in ("wide", ()), ("raw", ("--raw",)):
        assert run_klr("run", a, given, "--out", tmp_path / name, *raw).returncode == 0
        assert diff(a, tmp_path / name, given, status=0)["same"]
    found = diff(tmp_path / "wide", tmp_path / "raw", status=0)
    assert found["results"][0]["compared"] == 512
    exact = np.load(tmp_path / "wide/out.1.npy").astype(np.float64)
    np.save(tmp_path / "y.npy", exact * (1 + 2.0 ** -12))  # rounds to the same bfloat16 but for some
    wanted = (exact * (1 + 2.0 ** -12)).astype(np.float32).astype(ml_dtypes.bfloat16)
    found = diff(a, tmp_path / "y.npy", given, status=0 if (wanted == exact).all() else 1)
    assert found["results"][0]["differing"] == (wanted != exact).sum()


def test_arrays_against_arrays(tmp_path, x):
    for name in "a", "b":
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "y.npy", x)
    np.save(tmp_path / "b/z.npy", x)
    changed = x.copy()
    changed[63, 47] = np.nan
    np.save(tmp_path / "b/y.npy", changed)
    found = diff(tmp_path / "a", tmp_path / "b")
    y, z = found["results"]
    assert y["first"]["a"]["place"] == "y[63, 47]" and y["differing"] == 1 and y["max_ulps"] is None
    assert z["not_compared"] == "it is only in B"
    assert diff(tmp_path / "a/y.npy", tmp_path / "b/z.npy", status=0)["same"]


def test_dumps_of_every_tensor(tmp_path, x):
    a, given = write(tmp_path / "a.py", SCALE, ADD), f"x=@{tmp_path}/x.npy"
    dumped = run_klr("run", a, given, "--dump", tmp_path / "dump")
    assert dumped.returncode == 0 and "out.1" in dumped.stdout
    t, u = (np.load(tmp_path / f"dump/{name}.1.npy") for name in "tu")
    assert (t == x * np.float32(3)).all() and (u == t + np.float32(0.1)).all()
    assert sorted(p.name for p in (tmp_path / "dump").iterdir()) == ["out.1.npy", "t.1.npy", "u.1.npy"]
    assert diff(a, tmp_path / "dump", given, status=0)["same"]
    b = write(tmp_path / "b.py", SCALE.replace("3.0", "3.5"), ADD)
    found = diff(b, tmp_path / "dump", given)
    assert found["first"]["a"]["line"] == line_of(b, "3.5") and found["first"]["differing"] == x.size
    assert [r["name"] for r in found["results"]] == ["out.1", "t.1", "u.1"]


@pytest.mark.parametrize("kernel, arguments", [
    ("attention_fwd.py", ["q=randn:bf16[1,512,32]", "k=randn:bf16[1,512,32]", "v=randn:bf16[1,512,32]"]),
    ("dynamic_loop.py", ["x=randn:f32[3,128,20]", "count=randint(2,3):i32[1,1]"]),
    ("lnc2.py", ["x=randn:f32[140,33]", "factor=0.3", "--lnc", "2"]),
    ("topk.py", ["x=randn:f32[9,77]", "k=16"])])
def test_examples_are_like_themselves(tmp_path, kernel, arguments):
    path = f"examples/{kernel}"
    assert run_klr("run", path, *arguments, "--dump", tmp_path / "dump").returncode == 0
    assert diff(path, tmp_path / "dump", *arguments, status=0)["same"]
    found = diff(path, "--reference-b", *arguments, status=0)
    assert found["instructions"]["compared"] and not found["instructions"]["only_a"] + found["instructions"]["only_b"]


@pytest.mark.parametrize("arguments", [
    [], ["nothing.py"], ["k.py", "d", "--rtol", "-1"], ["k.py", "x=f32[4,4]"], ["d", "k.py", "x=zeros:f32[4,4]"],
    ["k.py", "empty", "x=zeros:f32[4,4]"], ["d", "d", "x=3"], ["k.py", "bad", "x=zeros:f32[4,4]"],
    ["k.py", "k.py", "x=zeros:f32[129,4]"], ["k.py", "--fp-b", "f99", "x=zeros:f32[4,4]"]])
def test_what_cannot_be_compared(tmp_path, arguments):
    write(tmp_path / "k.py", SCALE, ADD)
    for name in "d", "empty", "bad":
        (tmp_path / name).mkdir()
    np.save(tmp_path / "d/y.npy", np.zeros(3))
    np.save(tmp_path / "bad/u.npy", np.zeros((4, 4), complex))
    result = run_klr("diff", *arguments, cwd=tmp_path)
    assert result.returncode == 2 and "error[" in result.stderr and not result.stdout


# ---- alignment

def longest_common(a, b):
    row = [0] * (len(b) + 1)
    for i in a:
        last = 0
        for j, other in enumerate(b):
            last, row[j + 1] = row[j + 1], last + 1 if i == other else max(row[j], row[j + 1])
    return row[-1]


def test_alignment_is_a_longest_common_subsequence(tmp_path):
    draw = random.Random(11)
    for count, letters in (0, 1), (5, 2), (12, 2), (30, 3), (60, 4), (200, 40), (8, 8), (40, 2):
        words = [[draw.randrange(1, letters + 1) for _ in range(draw.randrange(count + 1))] for _ in range(2)]
        for name, word in zip("ab", words):
            (tmp_path / f"{name}.py").write_text(HEAD.replace("    u = ", "    w = ").replace("nisa.dma", "0 and nisa.dma")
                                                 .replace("(x):", "(x):\n    big = nl.ndarray((4, 99), dtype=nl.int32, buffer=nl.sbuf)")
                                                 + "".join(f"    nisa.memset(dst=big[:, 0:{n}], value={n})\n" for n in word)
                                                 + "    return x\n")
        found = diff(tmp_path / "a.py", tmp_path / "b.py", "x=zeros:i32[4,4]", status=0)
        common = longest_common(*words)
        assert found["instructions"]["compared"] == common
        assert (found["instructions"]["only_a"], found["instructions"]["only_b"]) == tuple(len(w) - common for w in words)
