"""Our trees equal CPython 3.11's on an eighth of its library and test suite; tests/long does all files."""

import os
import subprocess

import pytest
from conftest import KLR, ROOT
from syntax_compare import LIBRARY, PYTHON, compare, library_files, read_pairs

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


# Run by CPython 3.11: the names of the files that it compiles.
COMPILE = r"""
import sys, warnings
warnings.simplefilter("ignore")
for path in sys.stdin.read().split("\n"):
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec")
    except (SyntaxError, ValueError, RecursionError):
        continue
    print(path)
"""


@needs_library
@pytest.mark.slow
def test_what_cpython_compiles_passes_the_check():
    chosen = library_files()[5::16]
    run = subprocess.run([PYTHON, "-c", COMPILE], input="\n".join(chosen), capture_output=True, text=True, check=True)
    compiled = run.stdout.split()
    assert len(compiled) > 80
    run = subprocess.run([KLR, "parse", "--check", "--as", "batch", *compiled], capture_output=True, check=True)
    wrong = [(path, text[:300]) for path, (status, text) in zip(compiled, read_pairs(run.stdout)) if status == b"error"]
    assert not wrong


@needs_library
@pytest.mark.slow
def test_printed_source_has_the_same_tree(tmp_path):
    for path in library_files()[7::40]:
        trees = []
        for source in (path, str(tmp_path / "printed.py")):
            run = subprocess.run([KLR, "parse", "--as", "tree", source], capture_output=True)
            trees.append(run.stdout)
            if run.returncode == 0 and source == path:
                printed = subprocess.run([KLR, "parse", "--as", "source", path], capture_output=True, check=True).stdout
                (tmp_path / "printed.py").write_bytes(printed)
        assert trees[0] == trees[1] or not trees[0], path
