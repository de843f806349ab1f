"""What tools/check.py makes of the output of its steps."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
import check  # noqa: E402


def test_summaries_are_counted():
    assert check.counts("....\n12 passed in 3.1s\n", 0) == (12, 0)
    assert check.counts("1 failed, 19 passed, 2 skipped in 74.50s (0:01:14)\n", 1) == (19, 1)
    assert check.counts("3 passed, 2 errors in 1s\n", 1) == (3, 2)
    assert check.counts("3 passed in 1s\nthen it crashed\n", 139) == (3, 1)
    assert check.counts("nothing is said\n", 0) == (1, 0) and check.counts("", 1) == (0, 1)


@pytest.mark.slow
def test_long_tests_can_be_imported():
    """Nobody runs them often: what they take from the tests here is there."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--collect-only", "tests/long"], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
