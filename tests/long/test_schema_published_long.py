"""Kernels that others published, with every compiler, with verified accesses, and at more sizes."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
import test_schema_published as published  # noqa: E402
from schema_library import COMPILERS  # noqa: E402
from test_schema_published import FILES, check_library, interpreted, results  # noqa: E402,F401


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("options", [[*checked, "--compiler", compiler] for compiler in COMPILERS for checked in ([], ["--checked"])], ids=" ".join)
def test_all_builds(tmp_path, monkeypatch, interpreted, results, file, options):  # noqa: F811
    monkeypatch.setattr(published, "SIZES", [0, 1, 2, 3, 5, 64, 65, 97])
    published.test_the_interpreter_computes_what_numpy_does(file, interpreted, results)
    check_library(tmp_path, interpreted, results, file, *options)
