"""The conformance vectors: the files are what the cases make, follow their format, and the program passes all of them."""

import copy
import fnmatch
import json
import os
import re
import subprocess
import sys

import pytest
from conftest import KLR, ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
import conformance  # noqa: E402

form = conformance.form
ELSEWHERE = set()  # gaps that no vector of this format can show


def command(*arguments):
    return subprocess.run([sys.executable, os.path.join(ROOT, "tools", "conformance.py"), *arguments], capture_output=True, text=True)


@pytest.mark.slow
def test_the_files_are_what_the_cases_make():
    result = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "conformance", "generate.py"), "--check"],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_files_follow_their_format(capsys):
    assert conformance.check_files(), capsys.readouterr().out


@pytest.mark.parametrize("name", form.files())
def test_klr_passes(name):
    """On every target the vectors name with the fast executors (on the last under a sanitizer); there with the reference, too."""
    chosen = form.read_file(name)["vectors"]
    last = [dict(vector, targets=vector["targets"][-1:]) for vector in chosen]
    run = [vector for vector in last if "refused" not in vector or vector["refused"]["klr"].startswith("E06")]
    bad = [(vector["id"], failures) for vectors, path in ((last if "asan" in KLR else chosen, "fast"), (run, "reference"))
           for vector, failures in conformance.run_all(KLR, vectors, (path,)) if failures]
    assert not bad, "\n".join(f"{name}: {what}" for name, what in bad)


def with_another_bit(vector):
    """A copy of the vector that expects one bit of one word to be different: of the last output on the last rank, or printed."""
    wrong = copy.deepcopy(vector)
    names = form.outputs(wrong)
    tile, key = (wrong["tiles"][names[-1]], "expect") if names else (wrong["prints"][-1], "words")
    words = form.expand(tile, key, -1)
    words.flat[words.size // 2] ^= 1
    rows = form.rows(words, tile["dtype"])
    if isinstance(tile[key], dict):
        tile[key]["ranks"][-1] = rows
    else:
        tile[key] = rows
    return wrong


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_one_wrong_bit_is_found(path):
    runs = [v for v in form.read_all() if "refused" not in v]
    chosen = runs[::23] + [v for v in runs if "ranks" in v][::7] + [v for v in runs if "prints" in v][::5]
    for vector in chosen:
        wrong = with_another_bit(vector)
        failures = conformance.run_vector(KLR, wrong, (path,))
        assert len(failures) == len(wrong["targets"]), vector["id"]
        assert "1 elements" in failures[0][2]


def test_what_must_be_refused_and_runs_is_found():
    vector = dict(next(form.read_all(["tensor_tensor.add"])), refused={"why": "so that it fails", "klr": "E0100"})
    assert "ran, but must be refused" in conformance.run_vector(KLR, vector, ("fast",))[0][2]


def test_another_error_than_the_expected_is_found():
    vector = dict(next(form.read_all(["tensor_tensor.add"])), refused={"why": "so that it fails", "klr": "E0100"},
                  steps=["nisa.tensor_tensor(dst=out, data1=x, data2=nothing, op=nl.add)"])
    assert "not with E0100" in conformance.run_vector(KLR, vector, ("fast",))[0][2]


@pytest.mark.parametrize("change, words", [
    (lambda lines: lines.pop(), "expected ['before']"), (lambda lines: lines.reverse(), "expected ['after', 'before']"),
    (lambda lines: lines[1].update(prefix="later"), "expected ['before', 'later']"), (lambda lines: lines[0].update(dtype="int32"), "as float32[1, 2]"),
])
def test_other_prints_than_the_expected_are_found(change, words):
    vector = next(form.read_all(["nl_device_print.order"]))
    assert not conformance.run_vector(KLR, vector, ("fast",))
    change(vector["prints"])
    assert words in conformance.run_vector(KLR, vector, ("fast",))[0][2]


def test_malformed_vectors_are_found():
    schema, document = form.read_file("schema.json"), form.read_file("tensor_tensor.json")
    for change in (lambda v: v.pop("shows"), lambda v: v.update(provenance="guessed"), lambda v: v.update(extra=1),
                   lambda v: v.update(targets=[]), lambda v: v["tiles"]["x"].update(dtype="float64"),
                   lambda v: v["tiles"]["x"].update(data={"lcg": 1, "as": "primes"}),
                   lambda v: v["tiles"]["x"].update(shape=[2, 0])):
        wrong = copy.deepcopy(document)
        change(wrong["vectors"][0])
        assert list(form.check_schema(wrong, schema)), change
    for change in (lambda v: v["tiles"]["x"].update(data=["00"]), lambda v: v["tiles"]["x"].update(shape=[1, 7]),
                   lambda v: v.update(steps=["import os"]), lambda v: v.update(steps=["nisa.memset(dst=missing, value=0)"]),
                   lambda v: v["tiles"]["out"].pop("expect"), lambda v: v["tiles"]["x"].update(constant=True),
                   lambda v: v["tiles"]["x"].update(data={"ranks": [{"lcg": 1, "as": "bits"}] * 2}),
                   lambda v: v.update(prints=[{"prefix": "", "dtype": "int8", "shape": [2], "words": ["00"]}]),
                   lambda v: v.update(prints=[{"prefix": "", "dtype": "int8", "shape": [1], "words": ["00"], "rank": 1}])):
        wrong = copy.deepcopy(document["vectors"][0])
        change(wrong)
        assert list(form.check_vector(wrong)), change


def test_the_cover_names_every_vector_and_no_other():
    with open(os.path.join(form.FOLDER, "cover.md"), encoding="utf-8") as text:
        rows = re.findall(r"^\| (.+?) \| (.+?) \|$", text.read(), flags=re.M)
    named = [name for behaviour, names in rows if behaviour not in ("behaviour", "gap") and not names.startswith("no vector") for name in names.split(", ")]
    vectors = [vector["id"] for vector in form.read_all()]
    assert len(named) > 100 and not [name for name in named if not fnmatch.filter(vectors, name)]
    assert not set(vectors) - {vector for name in named for vector in fnmatch.filter(vectors, name)}


# Rules that no vector breaks: what only files can hold, numbers that no member of an enumeration has, and what cannot be
# written down without breaking another rule before.
ONLY_IN_FILES = {"dma_copy.src.scalar-index", "nc_matmul.stationary-columns", "nc_matmul_mx.stationary-columns",
                 "nc_matmul_mx.stationary.indirect-pairs", "nc_matmul_mx.stationary.indirect-start", "nc_transpose.data.engine-memory",
                 "register_load.src.space", "register_store.dst.space","dma_compute.srcs.count", "dma_copy.dge_mode.range", "dma_transpose.dge_mode.range", "dma_copy.src.one-offset",
                 "dma_copy.src.gather-memory", "register_load.src.one-element", "register_store.dst.one-element",
                 "register_load.src.dtype", "register_store.dst.dtype", "dma_transpose.src.same-elements"}


def test_every_rule_of_an_instruction_is_broken_by_a_vector(monkeypatch):
    named, errors_of = set(), conformance.errors_of

    def collect(document):
        named.update(note[len("rule: "):] for found in document["diagnostics"] for note in found["notes"] if note.startswith("rule: "))
        return errors_of(document)
    monkeypatch.setattr(conformance, "errors_of", collect)
    refused = [dict(vector, targets=vector["targets"][:1]) for vector in form.read_all() if "refused" in vector]
    for _, failures in conformance.run_all(KLR, refused, ("fast",)):
        assert not failures
    rules = json.loads(subprocess.run([KLR, "list", "rules", "--json"], capture_output=True, text=True).stdout)
    asked = {rule["name"] for rule in rules if rule["function"] and not rule["tolerated"] and not rule["function"].startswith("core.")}
    assert len(asked) > 450 and not asked - named - ONLY_IN_FILES, sorted(asked - named - ONLY_IN_FILES)


def test_every_use_that_is_left_open_has_a_vector():
    with open(os.path.join(ROOT, "src", "machine", "gaps.def"), encoding="utf-8") as text:
        gaps = re.findall(r'^GAP\(\w+, "([\w-]+)", "[\w .]+", USE,', text.read(), flags=re.M)
    shown = {vector.get("unspecified") for vector in form.read_all()}
    assert len(gaps) > 20 and not set(gaps) - shown - ELSEWHERE


def test_rows_read_back_what_they_write():
    words = [0, 0, 1, 255, 255, 255, 255, 7]
    assert form.row_of_words(words, 2) == "00 00 01 ff*4 07"
    assert form.words_of_row("00 00 01 ff*4 07", 2) == words


def test_random_words_are_those_the_page_shows():
    """The examples of docs/conformance.md, so that another implementation can be compared with them."""
    assert [f"{w:08x}" for w in form.random_words({"lcg": 1, "as": "bits"}, "uint32", 3)] == ["3c88596c", "5e8885db", "8116017e"]
    integers = {"lcg": 1, "as": "integers", "from": -3, "to": 3}
    assert form.random_words(integers, "int8", 6) == [1, 1, 1, 0, 254, 255]
    halves = form.random_words(dict(integers, shift=-1), "bfloat16", 6)
    assert [f"{w:04x}" for w in halves] == ["3f00", "3f00", "3f00", "0000", "bf80", "bf00"]
    floats = form.random_words({"lcg": 1, "as": "floats", "exponents": [-2, 2]}, "float32", 3)
    assert [f"{w:08x}" for w in floats] == ["3f2f4442", "bfda399d", "3eaf4c60"]


def test_emitted_scripts_run_and_their_outputs_compare(tmp_path):
    """What --emit writes is run by the program itself; then one output is spoilt."""
    folder = tmp_path / "vectors"
    result = command("tensor_tensor.mixed_dtypes", "tensor_tensor.psum_and_sbuf", "--emit", str(folder))
    assert result.returncode == 0, result.stderr
    for vector in form.read_all(["tensor_tensor.mixed_dtypes", "tensor_tensor.psum_and_sbuf"]):
        here = folder / vector["id"]
        assert (here / "in" / "x.npy").exists() and json.loads((here / "vector.json").read_text()) == vector
        arguments = []
        for name in form.inputs(vector):
            dtype = vector["tiles"][name]["dtype"]
            conformance.save_words(tmp_path / f"{name}.npy",
                                   conformance.as_argument(conformance.np.load(here / "in" / f"{name}.npy"), dtype))
            arguments.append(f"{name}_in=@{tmp_path}/{name}.npy:{dtype}")
        done = subprocess.run([KLR, "run", str(here / "kernel.py") + ":kernel", *arguments, "--raw", "--json", "--out", str(here / "run")],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        output = json.loads(done.stdout)["outputs"][0]
        words = conformance.np.load(here / "run" / output["file"])
        (here / "out").mkdir()
        conformance.save_words(here / "out" / "out.npy", words.view(f"u{words.dtype.itemsize}"))
    result = command("tensor_tensor.mixed_dtypes", "tensor_tensor.psum_and_sbuf", "--compare", str(folder))
    assert result.returncode == 0 and "2 passed, 0 failed" in result.stdout, result.stdout
    path = folder / "tensor_tensor.mixed_dtypes" / "out" / "out.npy"
    words = conformance.np.load(path)
    words[1, 3] += 2
    conformance.save_words(path, words)
    result = command("tensor_tensor.mixed_dtypes", "--compare", str(folder))
    assert result.returncode == 1 and "[1, 3]" in result.stdout and "2 ulps at most, 1 elements" in result.stdout, result.stdout


@pytest.mark.slow
def test_emitted_scripts_of_ranks_constants_and_prints(tmp_path):
    """Run as on another machine, by the Python package; then what came out is spoilt."""
    package = os.path.join(ROOT, "build", "python")
    if not os.path.exists(os.path.join(package, "klr", "_native.abi3.so")):
        pytest.skip("the Python package is not built")
    folder = tmp_path / "vectors"
    chosen = ["all_reduce.groups", "all_gather_v.counted", "all_reduce.refused_psum", "nl_constants.file_bfloat16", "nl_device_print.ranks",
              "nl_device_print.order", "nl_device_print.float16"]
    assert command(*chosen, "--emit", str(folder)).returncode == 0
    done = subprocess.run([sys.executable, str(folder / "run.py"), "trn2"], capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=package, RUN_WITH="-m klr"))
    assert done.returncode == 0 and done.stdout.count(" ran\n") == 6 and done.stdout.count(" refused: ") == 1, done.stdout + done.stderr
    result = command(*chosen, "--compare", str(folder))
    assert result.returncode == 0 and "7 passed, 0 failed" in result.stdout, result.stdout
    path = folder / "all_reduce.groups" / "out" / "out.3.npy"
    conformance.save_words(path, conformance.np.load(path) + 1)
    for name in ("ranks", "order", "float16"):
        status = folder / f"nl_device_print.{name}" / "status.json"
        said = json.loads(status.read_text())
        changed = {"ranks": lambda text: text.replace("20", "21"), "order": lambda text: "after [11, 12] " + text.replace("12", "13"),
                   "float16": lambda text: text.replace("-65504", "-inf")}[name]
        status.write_text(json.dumps(dict(said, printed=[changed(text) for text in said["printed"]])))
    result = command(*chosen, "--compare", str(folder))
    assert result.returncode == 1 and "3 passed, 4 failed" in result.stdout, result.stdout
    assert "out on rank 3[0, 0]" in result.stdout and "did not print `after` with [11.0, 12.0]" in result.stdout
