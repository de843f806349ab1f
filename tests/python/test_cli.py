"""The subcommands on real kernels: what they print, what they write, and that every written form reads back."""

import json
import os
import subprocess

import numpy as np
import pytest
from conftest import KLR, ROOT, run_klr

SOFTMAX = ("examples/softmax.py", "x=f32[200,64]")


def ok(*arguments, **options):
    result = run_klr(*arguments, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "softmax.klr"
    ok("trace", *SOFTMAX, "-o", path)
    return path


def test_run_prints_a_summary_and_writes_arrays(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
    text = ok("run", "examples/softmax.py", f"x=@{tmp_path}/x.npy", "--out", tmp_path / "out")
    assert "softmax on trn2" in text and "float32[3,4]" in text
    listing = json.loads((tmp_path / "out" / "outputs.json").read_text())
    (entry,) = listing["outputs"]
    assert entry["shape"] == [3, 4] and entry["dtype"] == "float32" and entry["role"] == "output"
    assert sorted(os.listdir(tmp_path / "out")) == sorted([entry["file"], "outputs.json"])
    assert np.allclose(np.load(tmp_path / "out" / entry["file"]).sum(axis=1), 1)


def test_run_as_json_is_one_document():
    report = json.loads(ok("run", "examples/softmax.py", "x=randn:f32[128,512]", "--json"))
    assert report["ok"] and report["kernel"].endswith("softmax") and report["target"] == "trn2"
    assert report["operators"] > 0 and report["outputs"][0]["shape"] == [128, 512]
    assert report["diagnostics"] == [] and report["seconds"]["run"] > 0


def test_random_arguments_depend_on_the_seed_only():
    runs = [ok("run", "examples/softmax.py", "x=randn:f32[8,8]", "--seed", seed, "--json") for seed in (1, 1, 2)]
    means = [json.loads(run)["outputs"][0]["max"] for run in runs]
    assert means[0] == means[1] != means[2]


def test_trace_prints_core_and_writes_klr(traced):
    text = ok("trace", *SOFTMAX)
    assert text.startswith("kernel ") and "activation_reduce" in text and "tensor x: float32[200, 64]" in text
    assert ok("dump", traced) == text
    assert traced.read_bytes()[:3] == b"\xd9\xd9\xf7"


@pytest.mark.parametrize("form", ["text", "json", "sexp", "klr"])
def test_every_form_reads_back_to_the_same_file(traced, tmp_path, form):
    again = tmp_path / f"again.{form}"
    ok("dump", traced, "--as", form, "-o", again)
    ok("dump", again, "--as", "klr", "-o", tmp_path / "back.klr")
    if form == "text":  # the text form leaves positions out
        assert ok("dump", tmp_path / "back.klr") == ok("dump", traced)
    else:
        assert (tmp_path / "back.klr").read_bytes() == traced.read_bytes()


def test_dump_names_every_byte(traced):
    lines = ok("dump", traced, "--as", "bytes").splitlines()
    assert "magic" in " ".join(lines[:3]).lower() or "KLRFile" in " ".join(lines[:3])
    assert len(lines) > 100


def test_a_traced_file_runs_to_the_same_bits(traced, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(3).standard_normal((200, 64)).astype(np.float32))
    results = []
    for index, file in enumerate(("examples/softmax.py", traced)):
        ok("run", file, f"x=@{tmp_path}/x.npy", "--out", tmp_path / str(index))
        entry = json.loads((tmp_path / str(index) / "outputs.json").read_text())["outputs"][0]
        results.append(np.load(tmp_path / str(index) / entry["file"]))
    np.testing.assert_array_equal(results[0], results[1])


def test_verify_says_yes(traced):
    for target in ("trn1", "trn2", "trn3"):
        assert "is right for " + target in ok("verify", traced, "--target", target)


def test_info_describes_files(traced, tmp_path):
    text = ok("info", traced)
    assert "inputs      x: float32[200,64]" in text and "activation_reduce" in text
    assert json.loads(ok("info", traced, "--json"))["counts"]["activation_reduce"] == 2
    assert "matmul_tiled(lhs_t, rhs)" in ok("info", "examples/matmul.py")
    ok("gather", "examples/matmul.py:matmul_tiled", "-o", tmp_path / "g")
    assert "matmul.matmul_tiled" in ok("info", tmp_path / "g")


@pytest.mark.parametrize("form", ["klr", "json"])
def test_gathered_sources_trace_elsewhere(tmp_path, form):
    package = tmp_path / "here" / "pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .tiles import load\n")
    (package / "tiles.py").write_text("import nki.isa as nisa\nimport nki.language as nl\nfrom . import sizes\n\n\n"
                                      "def load(x):\n    t = nl.ndarray(sizes.SHAPE, dtype=x.dtype, buffer=nl.sbuf)\n"
                                      "    nisa.dma_copy(dst=t, src=x)\n    return t\n")
    (package / "sizes.py").write_text("SHAPE = (2 ** 7, 64)\n")
    (tmp_path / "here" / "k.py").write_text(
        "import nki\nimport nki.isa as nisa\nimport nki.language as nl\nfrom pkg import load\n\n\n@nki.jit\ndef k(x):\n"
        "    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)\n    nisa.dma_copy(dst=out, src=load(x))\n"
        "    return out\n")
    gathered = tmp_path / "elsewhere"
    ok("gather", tmp_path / "here" / "k.py", "--as", form, "-o", gathered)
    direct = ok("trace", tmp_path / "here" / "k.py", "x=f32[128,64]")
    (tmp_path / "here").rename(tmp_path / "gone")
    assert ok("trace", gathered, "x=f32[128,64]") == direct
    report = json.loads(ok("run", gathered, "x=ones:f32[128,64]", "--json"))
    assert report["outputs"][0]["min"] == report["outputs"][0]["max"] == 1.0


def test_standard_input_and_output(traced):
    result = subprocess.run([KLR, "dump", "-", "--as", "json"], input=traced.read_bytes(), capture_output=True)
    assert result.returncode == 0 and json.loads(result.stdout)
    source = open(os.path.join(ROOT, "examples", "softmax.py"), encoding="utf-8").read()
    assert ok("trace", "-", "x=f32[200,64]", stdin=source).startswith("kernel ")


def test_print_after_shows_stages_on_stderr():
    result = run_klr("run", "examples/softmax.py", "x=randn:f32[8,8]", "--print-after", "trace")
    assert result.returncode == 0 and "activation_reduce" in result.stderr and "activation_reduce" not in result.stdout


def test_trace_only_runs_nothing():
    assert "traced and verified" in ok("run", "examples/softmax.py", "x=f32[8,8]", "--trace-only")


@pytest.mark.parametrize("table", ["operators", "enums", "dtypes", "activations", "alu", "errors", "builtins", "targets", "schema"])
def test_lists_as_text_and_json(table):
    assert len(ok("list", table).splitlines()) >= 3
    assert len(json.loads(ok("list", table, "--json"))) >= 3


@pytest.mark.parametrize("what, text", [("nc_matmul", "stationary"), ("nisa.activation", "scale"), ("nl.softmax", "axis"),
                                        ("trn3", "gen4"), ("E0901", "command line")])
def test_explain(what, text):
    assert text in ok("explain", what)
    assert json.loads(ok("explain", what, "--json"))


def test_explain_says_what_an_operator_means_and_how_sure_that_is():
    text = ok("explain", "batch_norm_stats")
    assert "squared distances from the mean" in text and "Checked:" in text and "A assumed" in text
    assert set(json.loads(ok("explain", "nc_matmul", "--json"))) >= {"meaning", "rules", "choices", "fields"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_every_command(shell, tmp_path):
    script = ok("completion", shell)
    assert all(command in script for command in ("run", "trace", "gather", "dump", "explain"))
    if shell == "bash":
        (tmp_path / "klr.bash").write_text(script)
        done = subprocess.run(["bash", "-c", f"source {tmp_path}/klr.bash; COMP_WORDS=(klr tr); COMP_CWORD=1; _klr; "
                               "echo ${COMPREPLY[@]}"], capture_output=True, text=True)
        assert done.stdout.strip() == "trace"


def test_a_copy_of_a_tensor_to_itself_is_a_fence(tmp_path):
    (tmp_path / "k.py").write_text(
        "import nki\nimport nki.isa as nisa\nimport nki.language as nl\n\n\n@nki.jit\ndef k(x):\n"
        "    out = nl.ndarray((2, 4), dtype=x.dtype, buffer=nl.shared_hbm)\n    nisa.dma_copy(dst=out[0:1, :], src=x[0:1, :])\n"
        "    nisa.dma_copy(dst=out, src=out)\n    nisa.dma_copy(dst=out[1:2, :], src=x[1:2, :])\n    return out\n")
    for options in ([], ["--reference"]):
        ok("run", tmp_path / "k.py", "x=ones:f32[2,4]", *options)


@pytest.mark.parametrize("arguments, status", [
    ("run examples/softmax.py x=randn:f32[8,8]", 0), ("run examples/softmax.py x=f32[8,8] --trace-only", 0),
    ("trace examples/softmax.py x=f32[8,8]", 0), ("gather examples/softmax.py", 0), ("parse examples/softmax.py", 0),
    ("info examples/softmax.py", 0), ("list targets", 0), ("explain E0001", 0), ("completion bash", 0),
    ("run nowhere.py", 1), ("verify nowhere.klr", 1), ("dump nowhere.klr", 1), ("frobnicate", 2), ("run", 2),
    ("trace examples/softmax.py x=f32[8,8] --target trn9", 2)])
def test_json_is_one_document_for_every_command(arguments, status):
    result = run_klr(*arguments.split(), "--json")
    assert result.returncode == status
    document = json.loads(result.stdout)
    if status:
        assert document["ok"] is False and document["diagnostics"][0]["code"].startswith("E")


def test_json_keeps_warnings(tmp_path):
    (tmp_path / "k.py").write_text("import nki\nimport nki.language as nl\n\n\n@nki.jit\ndef k(x):\n    f = lambda t: t\n"
                                   "    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)\n"
                                   "    nl.store(out, f(nl.load(x)))\n    return out\n")
    report = json.loads(ok("run", tmp_path / "k.py", "x=ones:f32[2,2]", "--json"))
    assert [d["code"] for d in report["diagnostics"]] == ["W0301"] and report["diagnostics"][0]["line"] == 7
    result = run_klr("trace", tmp_path / "k.py", "x=f32[2,2]", "--json")
    document = json.loads(result.stdout)
    assert document["lnc"] and result.stderr == "" and [d["code"] for d in document["diagnostics"]] == ["W0301"]
    (tmp_path / "k.json").write_text(result.stdout)  # reads as the kernel it is
    assert ok("dump", tmp_path / "k.json", "--as", "json") == ok("trace", tmp_path / "k.py", "x=f32[2,2]", "--as", "json")
    gathered = json.loads(ok("gather", tmp_path / "k.py", "--json"))
    assert list(gathered) == ["sources"]  # nothing to tell
    assert run_klr("run", tmp_path / "k.py", "x=ones:f32[2,2]", "--strict").returncode == 1
