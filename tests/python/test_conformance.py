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


def with_another_bit(vector, tile):
    """A copy of the vector that expects one bit of one word to be different."""
    wrong = copy.deepcopy(vector)
    words = form.expand(wrong["tiles"][tile], "expect")
    words.flat[words.size // 2] ^= 1
    wrong["tiles"][tile]["expect"] = form.rows(words, wrong["tiles"][tile]["dtype"])
    return wrong


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_one_wrong_bit_is_found(path):
    chosen = [v for v in form.read_all() if "refused" not in v][::23]
    for vector in chosen:
        wrong = with_another_bit(vector, form.outputs(vector)[-1])
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
                   lambda v: v["tiles"]["out"].pop("expect")):
        wrong = copy.deepcopy(document["vectors"][0])
        change(wrong)
        assert list(form.check_vector(wrong)), change


def test_the_cover_names_every_vector_and_no_other():
    with open(os.path.join(form.FOLDER, "cover.md"), encoding="utf-8") as text:
        rows = re.findall(r"^\| (.+?) \| (.+?) \|$", text.read(), flags=re.M)
    named = [name for behaviour, names in rows if behaviour != "behaviour" and not names.startswith("no vector") for name in names.split(", ")]
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
    asked = {rule["name"] for rule in rules if rule["function"] and not rule["tolerated"] and not rule["function"].startswith(("core.", "nccl."))}
    assert len(asked) > 400 and not asked - named - ONLY_IN_FILES, sorted(asked - named - ONLY_IN_FILES)


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
