"""`klr schema compile|check|dump`: one file, many, folders, standard input; texts and documents as people and programs ask for them."""

import glob
import json
import os
import subprocess

import numpy as np
import pytest
from conftest import KLR, ROOT, run_klr

import test_schema_compile
import test_schema_json
from test_schema_json import write

GOOD = "def one(x: DeviceArray[f32], n: u32):\n    x[0] = 1\n"
TWO = GOOD + "def two(x: DeviceArray[f32], n: u32):\n    x[0] = 2\n"
BAD = "def bad(x: DeviceArray[f32]):\n    x[0] = q\n    x[1] = r\n"


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / ".hidden").mkdir()
    (source / "a.py").write_text(GOOD)
    (source / "inner" / "b.py").write_text(TWO)
    for name in ("atlas_kernel.py", "__init__.py", ".x.py", ".hidden/y.py", "notes.txt"):
        (source / name).write_text("neither (")
    return source


def test_a_folder_at_once(folder, tmp_path):
    out = tmp_path / "new" / "out"
    result = run_klr("schema", "compile", folder, "-o", f"{out}/", "-v")
    assert result.returncode == 0, result.stderr
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == ["a.json", "inner/b.json"]
    assert "Found 2 kernel(s):\n  - one\n  - two\n" in result.stdout
    assert f"Compiled one -> {out}/a.json\n" in result.stdout and f"Compiled 2 kernels -> {out}/inner/b.json\n" in result.stdout
    assert (out / "a.json").read_text() == run_klr("schema", "compile", folder / "a.py").stdout


def test_documents_beside_their_sources(folder):
    result = run_klr("schema", "compile", folder)
    assert result.returncode == 0 and not result.stdout, result.stderr
    assert (folder / "a.json").exists() and (folder / "inner" / "b.json").exists()
    result = run_klr("schema", "check", folder)
    assert result.returncode == 0 and result.stdout.count("kernel") == 4, result.stdout


def test_each_file_by_itself(folder, tmp_path):
    (folder / "aa.py").write_text(BAD)
    (folder / "zz.py").write_text("def (")
    out = tmp_path / "out"
    result = run_klr("schema", "compile", folder, "-o", f"{out}/")
    assert result.returncode == 1
    assert "aa.py:2:12" in result.stderr and "aa.py:3:12" in result.stderr and "zz.py:1" in result.stderr
    assert sorted(p.name for p in out.rglob("*.json")) == ["a.json", "b.json"]
    result = run_klr("schema", "compile", folder, "--json")
    report = json.loads(result.stdout)
    assert result.returncode == 1 and [(os.path.basename(f["path"]), f["ok"]) for f in report["files"]] == \
        [("a.py", True), ("aa.py", False), ("b.py", True), ("zz.py", False)]
    assert [d["code"] for d in report["diagnostics"]][:2] == ["E1002"] * 2 and len(report["diagnostics"]) > 2 and report["files"][2]["kernels"] == ["one", "two"]
    assert report["files"][2]["output"] == str(folder / "inner" / "b.json") and "output" not in report["files"][1]


def test_standard_input():
    for text in (GOOD, run_klr("schema", "compile", os.path.join(ROOT, "kernels", "vector", "exp.py")).stdout):
        result = subprocess.run([KLR, "schema", "compile", "-"], input=text, capture_output=True, text=True, check=False)
        assert result.returncode == 0 and json.loads(result.stdout)["kernels"], result.stderr
    result = subprocess.run([KLR, "schema", "check", "-"], input=BAD, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "error[E1002]" in result.stderr


def test_report(tmp_path):
    result = run_klr("schema", "compile", write(tmp_path / "k.py", TWO), "--json")
    report = json.loads(result.stdout)
    assert report["files"][0]["document"] == json.loads(run_klr("schema", "compile", tmp_path / "k.py").stdout)
    assert report["files"][0]["kernels"] == ["one", "two"] and report["diagnostics"] == []
    result = run_klr("schema", "check", tmp_path / "k.py", write(tmp_path / "bad.py", BAD), "--json")
    report = json.loads(result.stdout)
    assert result.returncode == 1 and [f["ok"] for f in report["files"]] == [True, False] and [d["code"] for d in report["diagnostics"]] == ["E1002"] * 2


def test_verbose_does_not_disturb_the_document(tmp_path):
    result = run_klr("schema", "compile", write(tmp_path / "k.py", GOOD), "-v")
    assert json.loads(result.stdout) and result.stderr == "Found 1 kernel(s):\n  - one\n"
    result = run_klr("schema", "compile", tmp_path / "k.py", "--output", tmp_path / "o.json", "--verbose")
    assert result.stdout == f"Found 1 kernel(s):\n  - one\nCompiled one -> {tmp_path}/o.json\n"


def test_misuse(folder, tmp_path):
    (tmp_path / "k.py").write_text(GOOD)
    document = write(tmp_path / "k.json", run_klr("schema", "compile", tmp_path / "k.py").stdout)
    (tmp_path / "empty").mkdir()
    for status, arguments, part in [
            (2, ["compile"], "takes files or folders"), (2, ["compile", folder, "-o", document], "is none"), (2, ["check"], "takes files"),
            (2, ["compile", tmp_path / "k.py", folder / "a.py", "-", "-o", tmp_path], "standard input has no name"),
            (2, ["compile", tmp_path / "k.py", tmp_path / "k.py", "-o", tmp_path / "empty"], "would both be"), (2, ["compile", document, tmp_path / "k.py"], "would replace it"),
            (2, ["dump", document, "--as", "klr"], "text or json"), (2, ["dump"], "one file"), (2, ["format", "x"], "no arguments"),
            (1, ["compile", tmp_path / "empty"], "holds no files of kernels"), (1, ["compile", tmp_path / "nosuch.py"], "cannot read"),
            (1, ["compile", tmp_path / "k.py", "-o", document / "x.json"], "cannot")]:
        result = run_klr("schema", *arguments)
        assert result.returncode == status and part in result.stderr, (arguments, result.stderr)
    assert document.read_text() and not list((tmp_path / "empty").iterdir())


# ---- dump

def bare(value):
    """A document without what a text of it cannot say."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items() if key not in ("at", "source", "doc")}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


def test_a_dump_is_the_same_kernel(tmp_path):
    """Compiled again it is the same tree: all of the catalogue, and all that the other tests have."""
    everything = test_schema_json.HEAD + "import math\n" + "".join(
        f"def k{i}({test_schema_compile.PARAMS}):\n    v = {expression}\n    x[0] = f32(v)\n" for i, (expression, _) in enumerate(test_schema_compile.TYPED))
    (tmp_path / "many.py").write_text(test_schema_json.TEXT)
    (tmp_path / "typed.py").write_text(everything)
    paths = glob.glob(os.path.join(ROOT, "kernels", "*", "*.py"))[::4] + [tmp_path / "many.py", tmp_path / "typed.py"]
    for path in paths:
        text = run_klr("schema", "dump", path)
        assert text.returncode == 0, text.stderr
        again = run_klr("schema", "compile", write(tmp_path / "dump.py", text.stdout))
        assert again.returncode == 0, (text.stdout, again.stderr)
        assert bare(json.loads(again.stdout)) == bare(json.loads(run_klr("schema", "compile", path).stdout)), text.stdout


def test_what_a_dump_says(tmp_path):
    text = ("@inline\ndef sq(v):\n    return v * v\ndef k(x: DeviceArray[f32], y: DeviceArray[f16], n: u32):\n    '''Doubles.'''\n    i = get_global_id()\n"
            "    if i < n:\n        x[i] += sq(y[i]) * (1 - n) ** 2\n        atomic_add(x, 0, -x[i])\n")
    assert run_klr("schema", "dump", write(tmp_path / "k.py", text)).stdout == (
        "from atlas_kernel import *\n\n@inline\ndef sq_f32(v: f32) -> f32:\n    return v * v\n\n# Doubles.\ndef k(x: DeviceArray[f32], y: DeviceArray[f16], n: u32):\n"
        "    # grid n; `x` read and written, `y` read; atomics\n    i: i64 = get_global_id()\n    if i < i64(n):\n"
        "        x[i] = x[i] + sq_f32(f32(y[i])) * f32((1 - n) ** 2)\n        atomic_add(x, 0, -x[i])\n")
    document = write(tmp_path / "k.json", run_klr("schema", "compile", tmp_path / "k.py").stdout)
    assert run_klr("schema", "dump", document).stdout == run_klr("schema", "dump", tmp_path / "k.py").stdout
    assert run_klr("schema", "dump", tmp_path / "k.py", "--as", "json").stdout == document.read_text()


def test_folders_are_built_and_no_library_takes_anothers_place(tmp_path):
    for folder, name in (("a", "first"), ("b", "second")):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / f"{name}.py").write_text(f"def {name}(a: DeviceArray[f32], n: u32):\n    i = get_global_id()\n    if i < n:\n        a[i] = 1\n")
    environment = {"KLR_CACHE": str(tmp_path / "cache")}
    built = run_klr("schema", "build", tmp_path / "in", "-o", tmp_path / "lib", environment=environment)
    assert built.returncode == 0 and sorted(os.listdir(tmp_path / "lib")) == ["first.so", "second.so"], built.stderr
    os.rename(tmp_path / "in" / "b" / "second.py", tmp_path / "in" / "b" / "first.py")
    refused = run_klr("schema", "build", tmp_path / "in", "-o", tmp_path / "other", environment=environment)
    assert refused.returncode == 1 and not (tmp_path / "other").exists()
    assert "a/first.py` and `" in refused.stderr and "would both be written to" in refused.stderr
    shown = run_klr("schema", "build", tmp_path / "in" / "a" / "first.py", "--emit-c", "-o", "-")
    assert shown.returncode == 0 and "klr_kernel_library" in shown.stdout
    wrong = run_klr("schema", "build", tmp_path / "in", "-o", "-")
    assert wrong.returncode == 2 and "for the C text of one file" in wrong.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with documents and one with their libraries, built at once from folders that are not there yet."""
    base = tmp_path_factory.mktemp("built")
    (base / "k.py").write_text("from atlas_kernel import *\ndef free(x: DeviceArray[i32]):\n    x[get_global_id()] += 1\n"
                               "def some(o: DeviceArray[f64], x: f32, u: u64, h: f16, t: bool):\n    o[0] = x\n    o[1] = u\n    o[2] = h\n    o[3] = t\n")
    (base / "compiler.py").write_text("print('of an older tree')\n")
    environment = {"KLR_CACHE": str(base / "cache")}
    assert run_klr("schema", "compile", base, "-o", f"{base}/documents/").returncode == 0
    done = run_klr("schema", "build", base / "documents", "-o", base / "a" / "b", "--checked", "--json", environment=environment)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["diagnostics"] == []
    (row,) = report["files"]
    assert row["kernels"] == ["free", "some"] and row["ok"] and row["checked"] and not row["from_cache"] and row["output"].endswith("/a/b/k.so")
    return base, environment


def test_a_report_of_builds_and_of_the_cache(built):
    base, environment = built
    done = run_klr("schema", "build", base / "nothing.py", base / "k.py", "-o", base / "again", "--checked", "--json", environment=environment)
    report = json.loads(done.stdout)
    assert done.returncode == 1 and [row["ok"] for row in report["files"]] == [False, True] and report["diagnostics"][0]["code"] == "E0001"
    done = run_klr("schema", "build", base / "k.py", "--emit-c", "-o", "-", "--json", environment=environment)
    assert "#line 3 " in json.loads(done.stdout)["files"][0]["text"]
    kept = json.loads(run_klr("schema", "cache", "ls", "--json", environment=environment).stdout)
    assert kept["folder"] == environment["KLR_CACHE"] and sum(row["bytes"] for row in kept["libraries"]) == kept["bytes"] > 0
    assert json.loads(run_klr("schema", "cache", "clear", "--json", environment=environment).stdout) == {"removed": len(kept["libraries"]), "diagnostics": []}


def test_options_of_other_steps_are_refused(built):
    base, _ = built
    for words in (["compile", base / "k.py", "--grid", "3"], ["check", base / "k.py", "-v"], ["list", base / "a" / "b", "--checked"], ["cache", "ls", "-o", "x"],
                  ["run", base / "k.py", "free", "--emit-c"], ["build", base / "k.py", "-o", base / "x", "--interpret"]):
        done = run_klr("schema", *words)
        assert done.returncode == 2 and f"`klr schema {words[0]}` has no option" in done.stderr, done.stderr
    done = run_klr("schema", "build", "-", "-o", base / "x", stdin="")
    assert done.returncode == 2 and "standard input has no name" in done.stderr and not (base / "x").exists()


def test_one_bad_file_does_not_hide_the_good_ones(built, tmp_path):
    base, _ = built
    (tmp_path / "k.so").write_bytes((base / "a" / "b" / "k.so").read_bytes())
    (tmp_path / "bad.so").write_text("no library")
    done = run_klr("schema", "run", tmp_path, "free", "x=zeros:i32[3]", "--grid", "3")
    assert done.returncode == 0 and "warning[E1012]" in done.stderr and "bad.so: it is no ELF file" in done.stderr and "min 1  max 1" in done.stdout
    done = run_klr("schema", "run", tmp_path, "nothing", "--json")
    told = json.loads(done.stdout)["diagnostics"]
    assert done.returncode == 1 and [d["code"] for d in told] == ["E1012", "E1009"] and all(d["help"] or d["notes"] for d in told)
    done = run_klr("schema", "run", tmp_path, "free", "x=zeros:i32[3]", "--grid", "4")
    assert done.returncode == 1 and "error[E1008]: free: index 3 is outside of `x`" in done.stderr and "k.py:3" in done.stderr, done.stderr


@pytest.mark.parametrize("word, value", [("x=inf", np.inf), ("x=-inf", -np.inf), ("x=nan", np.nan), ("u=18446744073709551615", 2.0**64), ("u=0xffffffffffffffff", 2.0**64),
                                         ("h=65519", 65504.0), ("h=65520", None), ("h=-70000", None), ("x=3.5e38", None), ("x=1e400", None), ("x=", None), ("u=18446744073709551616", None),
                                         ("t=2", None), ("t=yes", None), ("t=True", 1.0), ("n=3", None)])
def test_numbers_of_the_command_line(built, tmp_path, word, value):
    base, _ = built
    name = word.split("=")[0]
    others = [one for one in ("x=0", "u=0", "h=0", "t=0") if not one.startswith(name)]
    for where in (base / "k.py", base / "a" / "b"):
        done = run_klr("schema", "run", where, "some", "o=zeros:f64[4]", *others, word, "--out", tmp_path)
        if value is None:
            assert done.returncode == 1 and "error[E1009]" in done.stderr and "= help: " in done.stderr, done.stderr
        else:
            assert done.returncode == 0, done.stderr
            assert np.array_equal(np.load(tmp_path / "o.npy")["xuht".index(name)], value, equal_nan=True)
