"""The evaluator of Python against CPython: programs that go through the whole language must print the same."""

import glob
import os

import pytest

from conftest import ROOT
from trace_programs import run_ours, run_theirs

PROGRAMS = sorted(glob.glob(os.path.join(ROOT, "tests", "differential", "programs", "*.py")))


@pytest.mark.parametrize("path", PROGRAMS, ids=[os.path.basename(path) for path in PROGRAMS])
def test_program_prints_what_cpython_prints(path):
    (ours,), diagnostics = run_ours(path)
    (theirs,) = run_theirs(path)
    assert ours[0].splitlines() == theirs[0].splitlines(), diagnostics
    assert ours[1] == theirs[1], diagnostics
