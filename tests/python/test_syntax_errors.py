"""The messages of the parser, as golden files: tests/golden/syntax/NAME.py gives NAME.expect on standard error."""

import glob
import os
import re

import pytest
from conftest import ROOT, run_klr

FOLDER = os.path.join(ROOT, "tests", "golden", "syntax")
CASES = sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(FOLDER, "*.py")))


@pytest.mark.parametrize("name", CASES)
def test_messages_are_the_expected_ones(name):
    run = run_klr("parse", *(["--check"] if name.startswith("check") else []), f"{name}.py", cwd=FOLDER)
    assert run.returncode == (1 if "error[" in run.stderr else 0)
    expect_path = os.path.join(FOLDER, f"{name}.expect")
    if os.environ.get("KLR_BLESS"):
        with open(expect_path, "w", encoding="utf-8") as out:
            out.write(run.stderr)
    with open(expect_path, encoding="utf-8") as expected:
        assert run.stderr == expected.read()


def test_every_code_of_the_parser_has_a_golden_file():
    with open(os.path.join(ROOT, "src", "syntax", "diag_syntax.def"), encoding="utf-8") as table:
        codes = set(re.findall(r'^DIAG\(\w+, "([EW]\d+)"', table.read(), re.M))
    shown = set()
    for path in glob.glob(os.path.join(FOLDER, "*.expect")):
        with open(path, encoding="utf-8") as expected:
            shown.update(re.findall(r"^(?:error|warning)\[([EW]\d+)\]", expected.read(), re.M))
    assert codes == shown


def test_messages_as_json():
    run = run_klr("parse", "--json", "-", stdin="x = (1,\n\nif y = 2: pass\n")
    assert run.returncode == 1
    assert '"code": "E0104"' in run.stdout or '"code":"E0104"' in run.stdout


@pytest.mark.parametrize("text", ["(" * 100000, "[" * 100000 + "]" * 100000, "f'{" * 50000, "x" + ".y" * 100000,
                                  "x" + "()" * 100000, "a" + "+a" * 100000, "-" * 100000, "not " * 100000,
                                  "lambda: " * 100000, "if a:\n pass\n" + "elif a:\n pass\n" * 50000,
                                  "".join(" " * i + "if a:\n" for i in range(1500)), "f'{x:" * 20000, "\"" * 99999,
                                  "a if b else " * 100000, "f(" * 100000, "x = " * 100000, "{" * 150 + "1" + "}" * 149,
                                  "match x:\n case " + "[" * 5000, "\\\n" * 100000, "f\"{f'{" * 30000,
                                  "'''" + "\n" * 100000, '"' + "\\N{" * 100000 + '"', '"' + "\\d" * 100000 + '"',
                                  'f"' + "{a:{b}}" * 20000 + '"'])
def test_absurd_texts_end_cleanly(text):
    run = run_klr("parse", "-", stdin=text)
    assert run.returncode in (0, 1), run.stderr[-2000:]
    assert len(run.stderr) < 200000
