"""600 random scalar kernels: both compilers, every instruction set, plain and checked builds. See tests/python/test_schema_random.py."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
from schema_library import COMPILERS  # noqa: E402
from test_schema_random import try_programs  # noqa: E402


@pytest.mark.parametrize("first", range(1_000_000, 1_000_600, 20))
def test_programs(first, tmp_path):
    for compiler in COMPILERS:
        (tmp_path / compiler).mkdir()
        try_programs(tmp_path / compiler, first, 20, compiler, *(["--checked"] if first % 100 == 0 else []))
