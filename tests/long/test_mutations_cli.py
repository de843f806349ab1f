"""Many more damages than tests/python/test_mutations_cli.py makes."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
from mutations_cli import check_mutations  # noqa: E402


@pytest.mark.parametrize("seed", range(40))
def test_damaged_input_ends_with_a_diagnostic(tmp_path, seed):
    check_mutations(tmp_path, 1000 + seed, {"python": 200, "file": 150, "text": 150, "npy": 50, "argument": 50})
