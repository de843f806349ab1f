"""Every code in the diag_*.def files is met by a test, and what a file on disk can cause is met here."""

import glob
import json
import os
import re

import pytest
from conftest import ROOT, run_klr

KERNEL = "import nki\n\n\n@nki.jit\ndef kernel(x):\n    return x\n"
TEXT = "kernel k(x) -> ()\ntensor x: float32[4, 4] @hbm\ncore 0\nmain:\n"

# What no test meets, and why.
EXCEPTIONS = {
    "E0004": "needs a computer without memory; the failing allocations of the unit tests go through the same door",
    "E0706": "the parser refuses trees that are nested as deeply",
    "E0612": "needs a computer without memory",
}


def read(path):
    with open(path, encoding="utf-8", errors="replace") as text:
        return text.read()


def codes():
    """{code: enumerator} of every row."""
    rows = {}
    for path in glob.glob(os.path.join(ROOT, "src", "*", "diag_*.def")):
        for name, code in re.findall(r'^DIAG\((\w+), "([EW]\d+)"', read(path), re.M):
            assert code not in rows, f"{code} twice"
            rows[code] = name
    return rows


def test_every_code_is_met_by_a_test():
    texts = [read(path) for pattern in ("golden/*/*.expect", "unit/test_*.c", "python/test_*.py")
             for path in glob.glob(os.path.join(ROOT, "tests", pattern))]
    said = set(word for text in texts for word in re.findall(r"\b[EW]\d{4}\b|\b[EW]_[A-Z0-9_]+\b", text))
    unmet = {code for code, name in codes().items() if code not in said and name not in said}
    assert unmet <= set(EXCEPTIONS)


def test_exceptions_are_codes():
    assert set(EXCEPTIONS) <= set(codes())


@pytest.mark.parametrize("code", sorted(codes()))
def test_explanations_say_more_than_the_title(code):
    run = run_klr("explain", code)
    assert run.returncode == 0 and run.stdout.startswith(code) and len(run.stdout.split("\n")) > 3, run.stdout


@pytest.mark.parametrize("code", [code for code in sorted(codes()) if code[1:3] in ("02", "03", "04", "05", "06")])
def test_explanations_show_a_mistake_and_its_repair(code):
    if code not in EXCEPTIONS:
        assert re.search(r"^ {2,}\S|[Ee]xample", run_klr("explain", code).stdout, re.M)


FILES = [
    ("E0003", "bad.npy", b"\x93NUMPY\x01\x00\x05\x00abc", ("run", "k.py", "x=@bad.npy")),
    ("E0501", "k.klrtext", b"kernel k(\n", ("verify", "k.klrtext")),
    ("E0502", "k.klrtext", (TEXT + "  no_such_operator x\n").encode(), ("verify", "k.klrtext")),
    ("E0707", "k.json", b'{"kernel": [1, }', ("verify", "k.json")),
    ("E0708", "k.sexp", b"(Kernel (", ("verify", "k.sexp")),
    ("E0903", "g.klr", None, ("verify", "g.klr")),
    ("E0001", "other", b"", ("trace", "missing.py")),
    ("E0002", "other", b"", ("trace", "k.py", "x=f32[4,4]", "-o", "no/such/folder.klr")),
    ("E0901", "other", b"", ("trace", "k.py", "--no-such-option")),
]


@pytest.mark.parametrize("code, name, contents, command", FILES, ids=[row[0] for row in FILES])
def test_files_that_are_wrong(tmp_path, code, name, contents, command):
    (tmp_path / "k.py").write_text(KERNEL)
    if contents is None:
        assert run_klr("gather", "k.py", "-o", name, cwd=tmp_path).returncode == 0
    else:
        (tmp_path / name).write_bytes(contents)
    run = run_klr(*command, cwd=tmp_path)
    assert run.returncode in (1, 2) and f"[{code}]" in run.stderr, run.stderr


def test_messages_as_json_carry_the_same_labels(tmp_path):
    folder = os.path.join(ROOT, "tests", "golden", "errors")
    run = run_klr("trace", "tensor_tensor_column.py", "x=f32[128,512]", "--json", cwd=folder)
    (diag,) = json.loads(run.stdout)["diagnostics"]
    assert diag["code"] == "E0515" and diag["file"] == "tensor_tensor_column.py" and diag["line"] == 13
    assert [label["line"] for label in diag["labels"]] == [9, 11] and "nisa.tensor_scalar(dst=t" in diag["help"][0]
