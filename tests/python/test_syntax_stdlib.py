"""Our trees equal CPython 3.11's on an eighth of its library and test suite; tests/long does all files."""

import os

import pytest
from conftest import ROOT
from syntax_compare import LIBRARY, PYTHON, compare, library_files

needs_library = pytest.mark.skipif(not os.path.exists(PYTHON) or not os.path.isdir(LIBRARY),
                                   reason="Debian's python3.11 is not installed")

SHARE = 8  # files are dealt out by their place in the sorted list; these are always among them
ALWAYS = ("test_fstring.py", "test_grammar.py", "test_patma.py", "test_syntax.py", "test_unicode_identifiers.py",
          "test_tokenize.py", "test_string_literals.py", "test_generators.py", "datetime.py", "bad_coding2.py")


@needs_library
@pytest.mark.slow
def test_trees_equal_those_of_cpython():
    files = library_files()
    chosen = [path for i, path in enumerate(files) if i % SHARE == 3 or os.path.basename(path) in ALWAYS]
    wrong, accepted = compare(chosen)
    assert not wrong, "\n".join(wrong[:10])
    assert accepted > 150


@needs_library
def test_trees_of_small_cases_equal_those_of_cpython(tmp_path):
    with open(os.path.join(ROOT, "tests/golden/syntax/cases.txt"), encoding="utf-8", newline="") as text:
        cases = text.read().split("\n----\n")
    paths = []
    for i, case in enumerate(cases):
        path = tmp_path / f"{i:03}.py"
        path.write_bytes(case.encode("utf-8"))
        paths.append(str(path))
    wrong, accepted = compare(paths, batch=400)
    texts = [f"{line}\n  in: {cases[int(os.path.basename(line.split('.py')[0]))]!r}" for line in wrong]
    assert not wrong, "\n".join(texts[:10])
    assert accepted > 150 and len(cases) - accepted > 100
