"""What goes wrong for users: each case has its code, its place, a text that says what was found, and its exit status;
nothing partial is left behind."""

import json

import numpy as np
import pytest
from conftest import run_klr

HEADER = "import nki\nimport nki.isa as nisa\nimport nki.language as nl\n\n\n"


def kernel(body, parameters="x"):
    return f"{HEADER}@nki.jit\ndef k({parameters}):\n" + "".join(f"    {line}\n" for line in body.strip().split("\n"))


X = "x=randn:f32[128,64]"
OUT = "out = nl.ndarray((128, 64), dtype=nl.float32, buffer=nl.shared_hbm)"
TILE = "t = nl.ndarray((128, 64), dtype=nl.float32, buffer=nl.sbuf)"
COPY = kernel(f"{OUT}\n{TILE}\nnisa.dma_copy(dst=t, src=x)\nnisa.dma_copy(dst=out, src=t)\nreturn out")

# name, source, arguments, code, line (None: no place), texts that must appear
CASES = [
    ("unknown argument", COPY, [X, "y=3"], "E0902", None, ["`y`", "`x`"]),
    ("missing argument", COPY, [], "E0902", 7, ["`x`", "missing"]),
    ("no value", COPY, ["x"], "E0902", None, ["NAME=VALUE"]),
    ("unknown dtype", COPY, ["x=randn:f31[128,64]"], "E0902", None, ["f31", "did you mean `f32`"]),
    ("bad shape", COPY, ["x=randn:f32[128,-1]"], "E0902", None, ["whole numbers"]),
    ("no dimensions", COPY, ["x=randn:f32[]"], "E0902", None, ["no dimensions"]),
    ("no elements", COPY, ["x=randn:f32[128,0]"], "E0902", None, ["size 0"]),
    ("larger than any memory", COPY, ["x=randn:f32[99999999999,9]"], "E0902", None, ["larger"]),
    ("more bytes than a number holds", COPY, ["x=zeros:f32[4294967296,4294967296,2]"], "E0902", None, ["larger"]),
    ("shape without data", COPY, ["x=f32[128,64]"], "E0902", None, ["data"]),
    ("missing file", COPY, ["x=@nowhere.npy"], "E0001", None, ["nowhere.npy", "No such file"]),
    ("wrong shape", COPY, ["x=randn:f32[128,65]"], None, 10, ["64", "65"]),
    ("too many partitions", kernel(f"t = nl.ndarray((200, 64), dtype=nl.float32, buffer=nl.sbuf)\n"
                                   "nisa.memset(dst=t, value=0.0)\nreturn x"), [X], None, 8, ["200", "128"]),
    ("never written", kernel(f"{OUT}\n{TILE}\nnisa.dma_copy(dst=out, src=t)\nreturn out"), [X], None, 10,
     ["never written", "`t"]),
    ("output never written", kernel(f"{OUT}\nreturn out"), [X], None, 8, ["out"]),
    ("slice out of range", kernel(f"{OUT}\n{TILE}\nnisa.dma_copy(dst=t, src=x[0:129, :])\nreturn out"), [X], None, 10,
     ["129", "128"]),
    ("unknown nisa function", kernel(f"{TILE}\nnisa.tensor_tesnor(dst=t, data1=t, data2=t, op=nl.add)"), [X], None, 9,
     ["tensor_tesnor", "did you mean `tensor_tensor`"]),
    ("unknown keyword", kernel(f"{TILE}\nnisa.memset(dst=t, valeu=0.0)"), [X], None, 9, ["valeu"]),
    ("recursion without end", HEADER + "def f(n):\n    return f(n + 1)\n\n\n@nki.jit\ndef k(x):\n    f(0)\n", [X], None, 7,
     ["recursion", "f"]),
    ("loop without end", kernel("while True:\n    pass"), [X, "--max-steps=100000"], None, 8, ["--max-steps"]),
    ("instructions without end", kernel(f"{TILE}\nwhile True:\n    nisa.memset(dst=t, value=0.0)"),
     [X, "--max-steps=2000000"], None, 9,
     ["--max-steps", "unrolled"]),
    ("device loop without end", kernel(f"{TILE}\nnisa.memset(dst=t, value=0.0)\nr = nisa.register_alloc(1)\nwhile r:\n"
                                       "    nisa.memset(dst=t, value=1.0)\nreturn x"), [X, "--max-steps=50000"], "E0609",
     None, ["--max-steps", "k.py:11"]),
    ("name not defined", kernel("return y"), [X], "E0201", 8, ["`y`"]),
    ("assertion", kernel("assert x.shape[0] == 7, f'found {x.shape[0]} rows'"), [X], None, 8, ["found 128 rows"]),
    ("syntax error", "def k(x:\n    return x\n", [X], "E01", 1, []),
]


@pytest.mark.parametrize("name, source, arguments, code, line, texts", CASES, ids=[case[0] for case in CASES])
def test_error(tmp_path, name, source, arguments, code, line, texts):
    path = tmp_path / "k.py"
    path.write_text(source)
    options = [a for a in arguments if a.startswith("--")]
    arguments = [a for a in arguments if not a.startswith("--")]
    text = run_klr("run", path, *arguments, *options, "--out", tmp_path / "out")
    assert text.returncode == 1, text.stdout + text.stderr
    assert text.stdout == "" and not (tmp_path / "out").exists() and not list(tmp_path.glob("*.tmp"))
    for wanted in texts:
        assert wanted in text.stderr, text.stderr
    result = run_klr("run", path, *arguments, *options, "--json")
    document = json.loads(result.stdout)
    assert result.returncode == 1 and document["ok"] is False
    first = document["diagnostics"][0]
    if code:
        assert first["code"].startswith(code), first
    if line:
        assert first["file"] == str(path) and first["line"] == line, first
    explained = run_klr("explain", first["code"])
    assert explained.returncode == 0 and first["code"] in explained.stdout


def test_damaged_npy_files_are_refused(tmp_path):
    (tmp_path / "k.py").write_text(COPY)
    np.save(tmp_path / "x.npy", np.zeros((128, 64), dtype=np.float32))
    whole = (tmp_path / "x.npy").read_bytes()
    for damaged in (whole[:5], whole[:40], whole[:-1], whole + b"x", b"", whole.replace(b"<f4", b"<q4")):
        (tmp_path / "x.npy").write_bytes(damaged)
        result = run_klr("run", tmp_path / "k.py", f"x=@{tmp_path}/x.npy")
        assert result.returncode == 1 and "error[E0" in result.stderr and "x.npy" in result.stderr


def test_damaged_klr_files_are_refused(tmp_path):
    (tmp_path / "k.py").write_text(COPY)
    assert run_klr("trace", tmp_path / "k.py", "x=f32[128,64]", "-o", tmp_path / "k.klr").returncode == 0
    whole = (tmp_path / "k.klr").read_bytes()
    assert run_klr("run", tmp_path / "k.klr", X).returncode == 0
    for length in range(0, len(whole), 37):
        (tmp_path / "cut.klr").write_bytes(whole[:length])
        result = run_klr("run", tmp_path / "cut.klr", X)
        assert result.returncode == 1 and "error[E07" in result.stderr, (length, result.stderr)


def test_a_klr_file_keeps_its_shapes(tmp_path):
    (tmp_path / "k.py").write_text(COPY)
    run_klr("trace", tmp_path / "k.py", "x=f32[128,64]", "-o", tmp_path / "k.klr")
    for argument in ("x=randn:f32[128,65]", "x=randn:bf16[128,64]", "y=randn:f32[128,64]"):
        result = run_klr("run", tmp_path / "k.klr", argument)
        assert result.returncode == 1 and "E0902" in result.stderr


def test_an_output_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "k.py").write_text(COPY)
    (tmp_path / "file").write_text("")
    result = run_klr("run", tmp_path / "k.py", X, "--out", tmp_path / "file" / "out")
    assert result.returncode == 1 and "E0002" in result.stderr
    assert (tmp_path / "file").read_text() == ""


def test_a_kernel_must_be_chosen_among_several(tmp_path):
    result = run_klr("run", "examples/matmul.py", "lhs_t=f32[128,128]", "rhs=f32[128,512]")
    assert result.returncode == 1 and "matmul_tiled" in result.stderr
    result = run_klr("run", "examples/matmul.py:matmul_tield", "lhs_t=f32[128,128]", "rhs=f32[128,512]")
    assert result.returncode == 1 and "matmul_tiled" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["run"], ["runn"], ["run", "k.py", "--targt", "trn2"], ["explain"],
                                       ["run", "examples/softmax.py", "--target", "trn9"], ["list", "nothing"],
                                       ["run", "examples/softmax.py", "x=randn:f32[8,8]", "--fp", "f16"]])
def test_wrong_usage_has_status_2(arguments):
    result = run_klr(*arguments)
    assert result.returncode == 2


@pytest.mark.parametrize("command", ["run", "trace", "gather", "parse", "info", "verify", "dump", "list", "explain",
                                     "completion"])
def test_every_command_has_help_with_examples(command):
    result = run_klr(command, "--help")
    assert result.returncode == 0 and "Usage:" in result.stdout and "Examples:" in result.stdout
    assert "--help" in result.stdout and result.stderr == ""


@pytest.mark.parametrize("array, step", [(np.asfortranarray(np.ones((3, 4), np.float32)), "ascontiguousarray"),
                                         (np.ones((2, 2), ">f4"), "newbyteorder"),
                                         (np.ones((2, 2), np.complex64), "astype(numpy.float32)")])
def test_arrays_that_cannot_be_taken_say_how_to_save_them(tmp_path, array, step):
    (tmp_path / "k.py").write_text(COPY)
    np.save(tmp_path / "x.npy", array)
    result = run_klr("run", tmp_path / "k.py", f"x=@{tmp_path}/x.npy")
    assert result.returncode == 1 and "E0003" in result.stderr and step in result.stderr


@pytest.mark.parametrize("shape", ["(2, 1 << 31)", "(4, 1 << 31, 17)", "(128, 70000, 70000)"])
@pytest.mark.parametrize("memory", ["sbuf", "psum", "shared_hbm"])
def test_tensors_that_access_patterns_cannot_step_over(tmp_path, shape, memory):
    (tmp_path / "k.py").write_text(COPY.split("@nki.jit")[0] + f"""
@nki.jit
def large(x):
    t = nl.ndarray({shape}, dtype=nl.float32, buffer=nl.{memory})
    return x
""")
    result = run_klr("trace", tmp_path / "k.py", "x=f32[4,4]")
    assert result.returncode == 1 and "E0404" in result.stderr and "k.py:" in result.stderr, result.stderr


@pytest.mark.parametrize("shape", ["2,3000000000", "2,2,2147483648", "1,65536,65536"])
def test_arguments_that_access_patterns_cannot_step_over(tmp_path, shape):
    (tmp_path / "k.py").write_text(COPY)
    result = run_klr("trace", tmp_path / "k.py", f"x=i8[{shape}]")
    assert result.returncode == 1 and "E0902" in result.stderr and "32 bits" in result.stderr, result.stderr
