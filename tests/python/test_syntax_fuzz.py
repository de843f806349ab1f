"""Inputs that the fuzzer found worth keeping: parsed without harm, and printed so that they parse to the same tree."""

import glob
import os

import pytest
from conftest import ROOT, run_klr

CORPUS = sorted(glob.glob(os.path.join(ROOT, "tests", "fuzz", "corpus", "parser", "*")))


@pytest.mark.parametrize("path", CORPUS, ids=os.path.basename)
def test_input_of_the_fuzzer(path):
    tree = run_klr("parse", "--as", "tree", path)
    assert tree.returncode in (0, 1), tree.stderr[-2000:]
    if tree.returncode == 1:
        assert "error[" in tree.stderr
        return
    printed = run_klr("parse", "--as", "source", path)
    again = run_klr("parse", "--as", "tree", "-", stdin=printed.stdout)
    assert again.stdout == tree.stdout
